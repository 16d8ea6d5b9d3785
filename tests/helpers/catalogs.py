"""Catalogs from names alone: nothing in this room opens a video, so most tests need no files."""

from collections.abc import Iterable
from pathlib import Path

from muybridge.dataset.catalog import Catalog, Clip

ROOT = Path("/nowhere")


def catalog_of(clips: Iterable[tuple[str, str]]) -> Catalog:
    """A catalog of clips given as label and group, named by their number."""
    return Catalog(
        ROOT,
        "csv",
        tuple(
            Clip(ROOT / label / f"{number:04}.mp4", label=label, group=group, root=ROOT)
            for number, (label, group) in enumerate(clips)
        ),
    )


def make(root: Path, *names: str) -> Path:
    """Create the files, each with its name as content (a file is a video by its suffix here)."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root
