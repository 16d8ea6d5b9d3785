"""No name that a library keeps to itself is used, but in the module that is there for it."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "muybridge"

ALLOWED = {
    "training/live_bytes.py": {"torch.utils._python_dispatch"},
    "checking/decode_pool.py": {"os._exit"},  # documented, and what ends a process whose parent is gone
}

# Private by their look alone: the documented methods of named tuples.
NAMED_TUPLES = {"_replace", "_asdict", "_fields"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLES


def private_names(tree: ast.Module) -> Iterator[str]:
    """Private names of other objects, and of modules that are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            if any(is_private(part) for part in (node.module or "").split(".")):
                yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if any(is_private(part) for part in alias.name.split(".")):
                    yield alias.name


def test_no_private_name_of_another_is_used():
    found = {
        path.relative_to(SOURCE).as_posix(): names
        for path in sorted(SOURCE.rglob("*.py"))
        if (names := set(private_names(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert found == ALLOWED


def test_private_names_are_seen():
    source = (
        "import torch._x\nfrom torch._y import z\nfrom torch.a import _b\ntorch.cpu._c()\nself._own\nbatch._replace()\n"
        "trial.storage._d.e\n__file__\n"
    )
    found = set(private_names(ast.parse(source)))
    assert found == {"torch._x", "torch._y", "torch.a._b", "torch.cpu._c", "trial.storage._d"}
