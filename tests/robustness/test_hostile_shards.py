"""Shards and indexes of somebody who means harm: one line, and no more memory than the shard has bytes."""

import io
import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.helpers.clips import write_clips

from muybridge import api
from muybridge.dataset.shard_index import read_index
from muybridge.errors import UserError, VideoError
from muybridge.file_parts import part_path
from muybridge.video.frame_record import as_film

JPEG = b"\xff\xd8\xff\xd9"


def header(name: str, size: int) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size = size
    return found


def sample(folder: Path, about: str, picture: bytes) -> Path:
    """The path of a clip in a tar shard that holds one picture member, as given, and a JSON."""
    text = about.encode()
    data = picture + header("a.json", len(text)).tobuf() + text + b"\0" * (-len(text) % tarfile.BLOCKSIZE)
    shard = folder / "shard-000000.tar"
    shard.write_bytes(data)
    return part_path(shard, 0, len(data), "a.jpegs")


def plain(data: bytes) -> bytes:
    return header("a.000000.jpg", len(data)).tobuf() + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)


def sparse() -> bytes:
    """A member without a byte that claims 2^40 of them, as GNU tar writes sparse files since 1.14."""
    record = "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.map=0,0\nGNU.sparse.size=1099511627776\n"
    lines = b"".join(_pax(line) for line in record.splitlines())
    extended = header("pax", len(lines))
    extended.type = tarfile.XHDTYPE
    whole = extended.tobuf() + lines + b"\0" * (-len(lines) % tarfile.BLOCKSIZE)
    return whole + header("a.000000.jpg", 0).tobuf()


def _pax(line: str) -> bytes:
    length = len(line) + 2
    while len(f"{length} {line}\n") != length:
        length += 1
    return f"{length} {line}\n".encode()


ABOUT = {"times_us": [0], "width_px": 64, "height_px": 64}


@pytest.mark.parametrize(
    ("about", "picture", "said"),
    [
        (json.dumps(ABOUT), sparse(), "a.000000.jpg is no plain file"),
        ('{"times_us": [1e999], "width_px": 64, "height_px": 64}', plain(JPEG), "cannot convert float infinity"),
        ('{"times_us": [0], "width_px": 1e999, "height_px": 64}', plain(JPEG), "cannot convert float infinity"),
        ("[" * 200_000, plain(JPEG), "recursion"),
    ],
    ids=["sparse", "time", "width", "nested"],
)
def test_pictures_of_a_stranger_are_damaged_and_no_more(tmp_path, about, picture, said):
    path = sample(tmp_path, about, picture)
    with tarfile.open(fileobj=io.BytesIO(picture)) as tar:
        assert tar.getmembers()[0].name == "a.000000.jpg"
    with pytest.raises(VideoError, match="its pictures are damaged") as caught:
        as_film(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    return api.pack(write_clips(folder / "clips", groups=1, per_group=1), folder / "shards").folder


@pytest.fixture
def index(packed):
    """The index of a folder, put back behind the test."""
    file = packed / "index.parquet"
    whole = file.read_bytes()
    yield file
    file.write_bytes(whole)


@pytest.mark.parametrize("size", ["1e999", "[" * 100_000])
def test_the_metadata_of_a_stranger_are_damaged_and_no_more(packed, index, size):
    table = pq.read_table(index)
    text = f'{{"version": 1, "kind": "clips", "shards": {{"shard-000000.tar": {size}}}}}'
    pq.write_table(table.replace_schema_metadata({b"muybridge": text.encode()}), index)
    with pytest.raises(UserError, match="its metadata are not those of an index"):
        read_index(packed)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["clips.csv", "b.avi"], "'clips.csv', a name that unpack needs"),
        (["Clips.CSV/b.avi", "b.avi"], "'Clips.CSV/b.avi', a name that unpack needs"),
        ([".unpacking", "b.avi"], "'.unpacking', a name that unpack needs"),
        (["a\0b.avi", "b.avi"], r"'a\\x00b.avi', and no file can be named so"),
        (["a" * 300, "b.avi"], "and no file can be named so"),
        (["é" * 130, "b.avi"], "and no file can be named so"),
        (["a." + "b" * 250, "b.avi"], "and no file can be named so"),
        (["a", "a/x.mp4"], "'a' and another inside it, 'a/x.mp4'"),
        (["a", "a/b/x.mp4"], "'a' and another inside it, 'a/b/x.mp4'"),
    ],
)
def test_names_that_cannot_be_unpacked_are_refused_before_anything_is_written(packed, index, tmp_path, names, said):
    table = pq.read_table(index)
    place = table.schema.get_field_index("id")
    pq.write_table(table.set_column(place, table.schema.field("id"), [names]), index)
    with pytest.raises(UserError, match=said):
        api.unpack(packed, tmp_path / "back")
    assert not (tmp_path / "back").exists()
