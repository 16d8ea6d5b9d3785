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
    """Empty files of these names, with their folders."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root
