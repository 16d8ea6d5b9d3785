"""Pieces of remote shards: fetched once, in order, a few at a time, and within a number of bytes."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import Interrupted
from muybridge.file_parts import open_bytes
from muybridge.pipeline import shard_pieces
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.shard_pieces import ReadAhead, ShardPieces, Wanted
from muybridge.recipes.cache import CacheConfig
from muybridge.storage.remote_files import RemoteStatus
from muybridge.training.module import RecognizerModule
from muybridge.video.sampling import UniformSampler

PIECE = 30_000
URL = "memory://pieces/shard-000000.tar"
Ranges = list[tuple[str, int, int]]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_pieces, "PIECE_BYTES", PIECE)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Ranges:
    """What is asked for of files in memory: name, first byte, end."""
    found: Ranges = []
    plain = MemoryFileSystem.cat_file

    def cat_file(self, path, start=None, end=None, **options):
        found.append((path.rpartition("/")[2], start, end))
        return plain(self, path, start, end, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    return found


@pytest.fixture
def data() -> Iterator[bytes]:
    """What lies at `URL`: ten pieces and a bit."""
    data = np.random.default_rng(0).bytes(10 * PIECE + 777)
    files = fsspec.filesystem("memory")
    files.pipe_file(URL, data)
    yield data
    files.rm("/pieces", recursive=True)


def status(data: bytes, version: str = "1") -> RemoteStatus:
    return RemoteStatus(len(data), version)


def taken(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.piece"))


def test_bytes_are_those_of_the_shard_and_each_piece_comes_once(tmp_path, data, asked):
    pieces = ShardPieces(tmp_path, budget_bytes=10**9)
    read = b""
    while len(read) < len(data):
        read += pieces.read(URL, status(data), len(read), 7000)
    assert read == data
    assert [start for _, start, _ in asked] == list(range(0, len(data), PIECE))
    assert pieces.read(URL, status(data), 12_345, 10) == data[12_345:12_355]
    assert len(asked) == 11
    pieces.read(URL, status(data, version="2"), 0, 10)  # the shard was written anew
    assert len(asked) == 12


def test_the_pieces_keep_to_their_bytes_and_the_oldest_go(tmp_path, data, asked):
    pieces = ShardPieces(tmp_path, budget_bytes=4 * PIECE)
    largest = 0
    for number in range(11):
        pieces.fetch(URL, status(data), number)
        pieces.fetch(URL, status(data), 0)  # which is in use all the time
        largest = max(largest, taken(tmp_path))
    assert 3 * PIECE < largest <= 4 * PIECE
    assert [start for _, start, _ in asked].count(0) == 1
    pieces.fetch(URL, status(data), 1)
    assert [start for _, start, _ in asked].count(PIECE) == 2


def test_several_who_want_one_piece_fetch_it_once(tmp_path, data, asked):
    with ThreadPoolExecutor(8) as pool:
        each = [ShardPieces(tmp_path, budget_bytes=10**9) for _ in range(8)]
        found = list(pool.map(lambda pieces: pieces.read(URL, status(data), PIECE, 5), each))
    assert found == [data[PIECE : PIECE + 5]] * 8
    assert len(asked) == 1


def test_a_piece_that_is_cut_off_on_the_disk_is_fetched_again(tmp_path, data, asked):
    pieces = ShardPieces(tmp_path, budget_bytes=10**9)
    path = pieces.fetch(URL, status(data), 2)
    path.write_bytes(path.read_bytes()[:100])
    assert pieces.read(URL, status(data), 2 * PIECE + 500, 5) == data[2 * PIECE + 500 : 2 * PIECE + 505]
    assert len(asked) == 2


def test_pieces_are_fetched_a_few_before_they_are_needed(tmp_path, data, asked):
    wanted = [Wanted(100 * number, URL, number) for number in range(11)]
    ahead = ReadAhead(ShardPieces(tmp_path, budget_bytes=10**9), wanted)

    def settled(count: int) -> None:
        until = time.monotonic() + 20
        while len(asked) < count and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        assert sorted(start // PIECE for _, start, _ in asked) == list(range(count))

    try:
        for position, count in ((0, 3), (50, 3), (100, 4), (100, 4), (450, 7), (5000, 11)):
            ahead.reached(position)
            settled(count)
    finally:
        ahead.close()


@pytest.fixture(scope="module")
def shards(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The session's clips in four shards in memory. Not to be changed."""
    folder = api.pack(clips, tmp_path_factory.mktemp("packed") / "shards", shard_size_gb=0.0001).folder
    files = fsspec.filesystem("memory")
    files.put(str(folder), "/packed", recursive=True)
    url = "memory://packed/shards" if files.exists("/packed/shards/index.parquet") else "memory://packed"
    yield url
    files.rm("/packed", recursive=True)


def of_shards(asked: Ranges) -> Ranges:
    return [each for each in asked if each[0].endswith(".tar")]


def test_the_frame_cache_is_filled_from_front_to_back_in_large_requests(shards, tmp_path, asked):
    clips = read_catalog(Path(shards)).clips
    config = CacheConfig(folder=str(tmp_path / "cache"))
    cache = FrameCache(config, sampler=UniformSampler(frames=4), views=1, size_px=32)
    asked.clear()
    result = cache.build(clips, workers=2)
    assert (result.built, result.failed) == (24, {})
    assert len(of_shards(asked)) == len(set(of_shards(asked)))  # no byte twice
    for name in {name for name, _, _ in of_shards(asked)}:
        assert len([each for each in of_shards(asked) if each[0] == name]) <= 4  # of 100 kB
    plain = FrameCache(
        CacheConfig(folder=str(tmp_path / "other")), sampler=UniformSampler(frames=4), views=1, size_px=32
    )
    first = clips[0]
    with open_bytes(first.path) as file:
        assert len(file.read()) == first.size_bytes
    np.testing.assert_array_equal(cache.read(first, [0, 1, 2, 3]), plain.decoded(first).frames_THWC)


def test_a_damaged_piece_is_fetched_again_before_a_clip_is_called_damaged(shards, tmp_path):
    clips = read_catalog(Path(shards)).clips
    config = CacheConfig(folder=str(tmp_path / "cache"))
    cache = FrameCache(config, sampler=UniformSampler(frames=4), views=1, size_px=32)
    cache.build(clips, workers=1)
    for piece in (tmp_path / "cache").rglob("*.piece"):
        piece.write_bytes(bytes(piece.stat().st_size))
    for entry in (tmp_path / "cache").rglob("*.frames"):
        entry.unlink()
    assert cache.build(clips, workers=1).failed == {}


@pytest.mark.parametrize("workers", [0, 2])
def test_training_streams_from_a_bucket_to_the_same_bits(shards, clips, tmp_path, monkeypatch, asked, workers):
    packed = api.pack(clips, tmp_path / "shards", shard_size_gb=0.0001).folder
    flags = ["--data.streaming", "on", "--data.shuffle-buffer", "6", "--batch-size", "2", "--epochs", "2"]
    flags += ["--training.patience", "0", "--training.workers", str(workers)]
    models = {}
    for name, place in (("here", packed), ("there", shards)):
        monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / name))
        asked.clear()
        run = api.train(place, tiny_recipe(*flags), run=tmp_path / f"run-{name}").run
        models[name] = (run / "model" / "model.safetensors").read_bytes()
    assert models["here"] == models["there"]
    ranges = [each for each in of_shards(asked) if each[1] is not None and each[1] % PIECE == 0]
    assert len(ranges) == len(set(ranges))  # all pieces fit the cache, and no epoch fetches one again
    assert taken(tmp_path / "there") > 300_000


def test_an_interrupted_training_fetches_no_more(shards, tmp_path, monkeypatch):
    """What waits to be fetched would be fetched before the process ends."""
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "cache"))
    pools = []
    plain = ReadAhead.__init__

    def noted(self, *arguments, **options):
        plain(self, *arguments, **options)
        pools.append(self._pool)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ReadAhead, "__init__", noted)
    monkeypatch.setattr(RecognizerModule, "training_step", interrupted)
    flags = ["--data.streaming", "on", "--data.shuffle-buffer", "6", "--batch-size", "2", "--training.workers", "0"]
    with pytest.raises(Interrupted):
        api.train(shards, tiny_recipe(*flags), run=tmp_path / "run")
    assert len(pools) == 2  # before the first epoch all clips are read once
    for pool in pools:
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(print)
