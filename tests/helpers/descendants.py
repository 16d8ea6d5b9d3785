"""The processes below one, for tests that kill some of them."""

from collections.abc import Iterator
from pathlib import Path


def descendants(parent: int) -> Iterator[tuple[int, str]]:
    """The processes below a process, with their titles."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            children.setdefault(above, []).append(int(entry.name))
    waiting = list(children.get(parent, []))
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            title = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        yield process, title.strip()[:60]
