import dataclasses
import json
from urllib.parse import urlparse

import pytest

from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError
from muybridge.verbs.get.datasets import HMDB51, JHMDB, SOURCES, UCF101, find_source
from muybridge.verbs.get.unpacking import listed_clips


@pytest.mark.parametrize("source", SOURCES.values(), ids=str)
def test_every_archive_has_its_name_at_the_end_of_its_addresses(source):
    for archive in (*source.clips, *source.lists):
        assert archive.urls
        for url in archive.urls:
            assert urlparse(url).scheme == "https"
            assert url.endswith("/" + archive.name)
        if archive.checksum:
            algorithm, _, digits = archive.checksum.partition(":")
            assert len(bytes.fromhex(digits)) == {"md5": 16, "sha256": 32}[algorithm]


def test_published_counts_agree_with_the_official_lists(shared):
    """The counts of the table, against the lists themselves."""
    from muybridge.dataset.official import read_official

    for source in (HMDB51, UCF101):
        lists = shared / "splits" / source.name
        for number, sizes in enumerate(source.split_sizes, start=1):
            parts = read_official(number, root=lists)
            assert len(parts) == source.clip_count
            assert sizes == tuple(list(parts.values()).count(part) for part in ("train", "test"))


def test_a_source_in_a_file(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(dataclasses.asdict(UCF101)))
    assert find_source(str(path)) == UCF101
    path.write_text(json.dumps(dataclasses.asdict(JHMDB)))  # sizes that nobody published are null
    assert find_source(str(path)) == JHMDB
    assert find_source("HMDB51") is HMDB51
    assert find_source("JHMDB") is JHMDB


def test_the_clips_that_are_here_are_in_the_classes_of_jhmdb(shared):
    """J-HMDB is not here whole; what is here of it fits the table, and its names are those of HMDB-51's lists."""
    catalog = read_catalog(shared / "data" / "jhmdb-21")
    assert len(catalog.classes) == JHMDB.class_count
    assert len(catalog.clips) < JHMDB.clip_count
    listed = listed_clips(shared / "splits" / "hmdb51", JHMDB.layout)
    assert all(listed[clip.path.stem] == clip.label for clip in catalog.clips)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"clips": 3}, "needs the keys"),
        ({"wrong": 1}, "wrong"),
        ({"layout": "kinetics"}, "kinetics"),
        ({"clips": [{"name": "../a.rar", "urls": []}]}, "plain name"),
        ({"clips": [{"name": "a.rar", "urls": [], "checksum": "abc"}]}, "sha256:"),
    ],
)
def test_bad_source_files(tmp_path, change, expected):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(dataclasses.asdict(UCF101) | change))
    with pytest.raises(UserError, match=expected):
        find_source(str(path))


def test_unknown_names():
    with pytest.raises(UserError, match="did you mean 'hmdb51'"):
        find_source("hmdb-51")
    with pytest.raises(UserError, match=r"own\.json"):
        find_source("own.json")
