"""The map of the house: which room may import which, that there is no circle, and what the door hides."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "muybridge"

# From the top floor down. A room imports itself and rooms on floors below; rooms on one floor leave each other alone.
FLOORS = [
    ["__main__"],
    ["cli"],
    ["error_lines", "terminal"],
    ["help_screen"],
    ["__init__"],
    ["api"],
    ["verbs"],
    ["experiment"],
    ["reporting", "checking"],
    ["evaluation"],
    ["training"],
    ["pieces"],
    ["inference"],
    ["pipeline", "models"],
    ["recipes"],
    ["dataset", "video"],
    ["remote_runs"],
    ["remote_folders"],
    ["runs"],
    ["locks", "ranks"],
    ["launched"],
    ["threads"],
    ["console", "system", "clip_draws", "signed_store", "ray_cluster"],
    ["run_schemas"],
    ["files", "schemas"],
    ["disk_errors"],
    ["file_parts"],
    ["storage"],
    ["temporaries", "errors"],
    ["stopping", "text", "sequences", "notebook"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Rooms inside a room, and what of that room they may import besides themselves.
INNER_ROOMS = {"models.encoders": set(), "models.heads": set(), "models.weights": {"models.encoders"}}

EXTRAS = {"optuna", "timm", "transformers", "onnx", "onnxruntime", "onnxscript", "openvino", "nncf", "scipy", "sklearn"}
EXTRAS |= {"fastapi", "starlette", "pydantic", "uvicorn", "websockets", "python_multipart", "prometheus_client"}
EXTRAS |= {"cryptography", "ray", "pyarrow", "crc32c", "google"}
# Modules that are themselves imported late, by whoever needs the extra.
LATE = {
    "verbs/sweep/study.py": {"optuna"},
    "verbs/serve/app.py": {"fastapi", "pydantic", "starlette"},
    "verbs/serve/bodies.py": {"fastapi", "pydantic"},
    "verbs/serve/connections.py": {"uvicorn"},
    "verbs/serve/draining.py": {"uvicorn"},
    "verbs/serve/label_studio.py": {"fastapi"},
    "verbs/serve/metrics.py": {"prometheus_client"},
    "verbs/serve/openapi.py": {"fastapi", "pydantic"},
    "verbs/serve/page_files.py": {"fastapi"},
    "verbs/serve/schemas.py": {"pydantic"},
    "verbs/serve/stream.py": {"fastapi", "starlette"},
    "verbs/serve/timeline_routes.py": {"fastapi"},
    "verbs/serve/tls.py": {"cryptography"},
    "verbs/serve/uploads.py": {"python_multipart"},
}
NEVER = {"torchvision", "tensorflow"}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """The modules that a file imports, and whether at import time rather than inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room they come from"
            # "from muybridge.models import network" imports a module, "from muybridge.text import counted" a name.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from ((name, id(node) not in late) for name in names)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    own = [name.split(".") for name, _ in imports(path) if name.split(".")[0] == "muybridge"]
    return {parts[1] if len(parts) > 1 and parts[1] in FLOOR else "__init__" for parts in own}


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} == set(FLOOR)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_from_its_own_room_and_from_rooms_below(path):
    room = room_of(path)
    above = {other for other in imported_rooms(path) if other != room and FLOOR[other] <= FLOOR[room]}
    assert not above, f"{path.name} in {room} imports {above}; move what both need down the road"


@pytest.mark.parametrize("inner", INNER_ROOMS)
def test_an_inner_room_leaves_the_rest_of_its_room_alone(inner):
    outer, _, _ = inner.partition(".")
    for path in (SOURCE / inner.replace(".", "/")).rglob("*.py"):
        used = {name.removeprefix("muybridge.") for name, _ in imports(path)}
        inside = {".".join(name.split(".")[:2]) for name in used if name.startswith(f"{outer}.")}
        assert inside <= INNER_ROOMS[inner] | {inner}, f"{path} imports {inside}"


def test_a_verb_never_imports_a_verb():
    for path in (SOURCE / "verbs").rglob("*.py"):
        own = path.relative_to(SOURCE / "verbs").with_suffix("").parts[0]
        others = {name.split(".")[2] for name, _ in imports(path) if name.startswith("muybridge.verbs.")} - {own}
        assert not others, f"verbs/{own} imports verbs {others}"


def test_no_circle_between_modules():
    names = {".".join(("muybridge", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in modules()}
    arrows = {
        module: {
            target
            for name, _ in imports(path)
            for target in (name, name.rpartition(".")[0])
            if target in names and target != module
        }
        for module, path in names.items()
    }
    done: set[str] = set()
    while free := {module for module, targets in arrows.items() if module not in done and targets <= done}:
        done |= free
    assert set(arrows) == done, f"a circle runs through {sorted(set(arrows) - done)}"


def test_the_command_line_reaches_only_the_door():
    reached = set().union(*(imported_rooms(path) for path in (SOURCE / "cli").rglob("*.py")))
    assert reached - {"cli"} == {"api", "help_screen", "error_lines", "terminal"}
    assert imported_rooms(SOURCE / "help_screen.py") == set()
    assert imported_rooms(SOURCE / "error_lines.py") == {"disk_errors", "help_screen", "text"}


def test_only_the_command_line_speaks_of_options():
    """The library names keys; a whole command to type is another thing."""
    for path in modules():
        if room_of(path) in ("cli", "help_screen", "error_lines"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                said = "".join(part for part in parts if isinstance(part, str))
                assert "muybridge " in said or not re.search(r"(?<!install )--[a-z]", said), f"{path}: {said}"


def test_no_two_modules_of_the_road_share_a_name():
    names = [path.stem for path in modules() if path.stem != "__init__" and room_of(path) != "verbs"]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice


def test_extras_are_imported_late_and_torchvision_never():
    for path in modules():
        for name, at_import in imports(path):
            package = name.split(".")[0]
            assert package not in NEVER, f"{path} imports {package}"
            allowed = LATE.get(path.relative_to(SOURCE).as_posix(), set())
            assert not (at_import and package in EXTRAS - allowed), f"{path} imports the extra {package} at its top"


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, muybridge, muybridge.cli; "
        "print([m for m in ('torch', 'av', 'cv2', 'lightning', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
