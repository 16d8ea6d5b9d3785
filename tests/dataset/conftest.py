"""The real data sets, as catalogs of their names."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import ROOT

from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.groups import groups_by_naming


@pytest.fixture(scope="session")
def hmdb51(shared: Path) -> Catalog:
    """The real names of HMDB-51, re-encoded to .mp4, as its lists give them."""
    clips = []
    for path in (shared / "splits" / "hmdb51").glob("*_test_split1.txt"):
        label = path.name.removesuffix("_test_split1.txt")
        for line in path.read_text(encoding="utf-8").splitlines():
            stem, _, _ = line.rpartition(".avi")
            clips.append(Clip(ROOT / label / f"{stem}.mp4", label=label, group="", root=ROOT))
    grouped, _ = groups_by_naming(clips, "hmdb51")
    return Catalog(ROOT, "hmdb51", tuple(grouped))


@pytest.fixture(scope="session")
def ucf101(shared: Path) -> Catalog:
    """The real names of UCF101, as its lists give them."""
    lists = shared / "splits" / "ucf101"
    names = {
        line.split(" ")[0]
        for path in [*lists.glob("trainlist*.txt"), *lists.glob("testlist*.txt")]
        for line in path.read_text(encoding="utf-8").split("\n")
        if line.strip()
    }
    clips = [Clip(ROOT / name.strip(), label=name.split("/")[0], group="", root=ROOT) for name in names]
    grouped, _ = groups_by_naming(clips, "ucf101")
    return Catalog(ROOT, "ucf101", tuple(grouped))
