from multiprocessing import get_context
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.pipeline.cache_file import DamagedEntryError
from muybridge.pipeline.cache_folder import FRAMES_SUFFIX
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.frame_entries import read_entry
from muybridge.recipes.cache import CacheConfig
from muybridge.storage.patience import STORAGE_SECONDS
from muybridge.storage.remote_reading import forget_blocks
from muybridge.video.decoding import read_sampled
from muybridge.video.fit_names import Fit
from muybridge.video.sampler import Sampler
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler

SAMPLER = UniformSampler(frames=5)


def make_cache(
    folder: Path,
    *,
    sampler: Sampler = SAMPLER,
    views: int = 3,
    size_px: int = 32,
    fit: Fit = "squash",
    **config: object,
) -> FrameCache:
    config = CacheConfig(folder=str(folder), **config)
    return FrameCache(config, sampler=sampler, views=views, size_px=size_px, fit=fit)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/*{FRAMES_SUFFIX}"))


def test_cached_frames_are_the_decoded_frames(tmp_path, make_clip):
    clip = make_clip("a.avi", frames=23)
    cache = make_cache(tmp_path / "cache")
    result = cache.build([clip], workers=1)
    assert (result.built, result.reused, result.failed) == (1, 0, {})
    truth = read_sampled(clip.path, SAMPLER, views=3, size_px=32)
    entry = cache.entry(clip)
    assert entry.frame_count == 23
    for cached, decoded in zip(entry.views, truth.views, strict=True):
        np.testing.assert_array_equal(cache.read(clip, cached), truth.frames_THWC[decoded])


@pytest.mark.parametrize(
    ("sampler", "options"),
    [
        (SAMPLER, {"fit": "crop"}),
        (DenseSampler(frames=4, frames_per_second=10), {}),
        (SlidingSampler(frames=4, frames_per_second=5, hop=2), {"fit": "crop", "views": None}),
    ],
    ids=["crop", "by time", "windows by time, cropped"],
)
def test_frames_by_time_and_crops_are_cached_too(tmp_path, make_clip, sampler, options):
    clip = make_clip("a.avi", frames=40)
    cache = make_cache(tmp_path / "cache", sampler=sampler, **options)
    assert cache.build([clip], workers=1).built == 1
    truth = read_sampled(
        clip.path, sampler, views=options.get("views", 3), size_px=32, fit=options.get("fit", "squash")
    )
    for cached, decoded in zip(cache.entry(clip).views, truth.views, strict=True):
        np.testing.assert_array_equal(cache.read(clip, cached), truth.frames_THWC[decoded])


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({}, "7eab31a700b1e459595ce2d9ade1ca806d96f3d9"),
        (
            {"sampler": DenseSampler(frames=4, stride=2), "views": 1, "size_px": 40},
            "d37a1e5fbfc2d10be6fc61a6387796578bb4fbb7",
        ),
        ({"sampler": SlidingSampler(frames=4), "format": "jpeg"}, "52c5eab5d346895aa2eaaa30ba08a4d39786f2ea"),
    ],
    ids=["uniform", "dense", "sliding"],
)
def test_entries_keep_the_names_that_they_had_before_frames_by_time_and_crops(tmp_path, options, key):
    path = tmp_path / "a.avi"
    path.write_bytes(b"some clip")
    clip = Clip(path, "a", "g", root=tmp_path)
    cache = make_cache(tmp_path / "cache", **options)
    cache.build([clip], workers=1)
    assert cache.key(clip) == key


def test_second_build_decodes_nothing_even_for_a_copy_elsewhere(tmp_path, make_clip):
    clip = make_clip("a.avi")
    make_cache(tmp_path / "cache").build([clip], workers=1)
    moved = clip.path.rename(clip.path.with_name("renamed.avi"))
    result = make_cache(tmp_path / "cache").build([Clip(moved, "a", "g")], workers=1)
    assert (result.built, result.reused) == (0, 1)


@pytest.mark.parametrize("change", ["content", "sampler", "size", "views", "format", "range", "fit", "rate"])
def test_any_change_makes_a_new_entry(tmp_path, make_clip, change):
    clip = make_clip("a.avi", seed=1)
    folder = tmp_path / "cache"
    make_cache(folder).build([clip], workers=1)
    cache = make_cache(folder)
    if change == "content":
        clip = make_clip("a.avi", seed=2)
    elif change == "sampler":
        cache = make_cache(folder, sampler=UniformSampler(frames=6))
    elif change == "size":
        cache = make_cache(folder, size_px=40)
    elif change == "views":
        cache = make_cache(folder, views=1)
    elif change == "fit":
        cache = make_cache(folder, fit="crop")
    elif change == "rate":
        make_cache(folder, sampler=DenseSampler(frames=5)).build([clip], workers=1)
        entries(folder)[0].unlink()
        cache = make_cache(folder, sampler=DenseSampler(frames=5, frames_per_second=5))
    elif change == "format":
        cache = make_cache(folder, format="jpeg")
    else:
        clip = Clip(clip.path, "a", "g", start_seconds=0.2, root=clip.root)
    assert cache.build([clip], workers=1).built == 1
    assert len(entries(folder)) == 2


@pytest.mark.parametrize("damage", ["truncated", "flipped bit", "foreign", "empty", "gone"])
def test_a_damaged_entry_is_noticed_and_rebuilt(tmp_path, make_clip, damage):
    clip = make_clip("a.avi")
    cache = make_cache(tmp_path / "cache")
    cache.build([clip], workers=1)
    truth = cache.read(clip, range(5))
    (path,) = entries(tmp_path / "cache")
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[:-100])
    elif damage == "flipped bit":
        data[-1000] ^= 1
        path.write_bytes(data)
    elif damage == "foreign":
        path.write_bytes(b"something else entirely")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    if damage != "gone":
        with pytest.raises(DamagedEntryError):
            read_entry(path)
    again = make_cache(tmp_path / "cache")
    again.build([clip], workers=1)
    np.testing.assert_array_equal(again.read(clip, range(5)), truth)
    read_entry(path)


def test_an_entry_dropped_by_another_process_is_rebuilt(tmp_path, make_clip):
    clip = make_clip("a.avi")
    cache = make_cache(tmp_path / "cache")
    cache.build([clip], workers=1)
    truth = cache.read(clip, [0, 1])
    entries(tmp_path / "cache")[0].unlink()
    np.testing.assert_array_equal(cache.read(clip, [0, 1]), truth)


def test_bad_files_are_listed_and_the_rest_goes_on(tmp_path, make_clip):
    good = make_clip("good.avi")
    bad = Clip(good.path.with_name("bad.avi"), "a", "g", root=good.root)
    bad.path.write_bytes(b"not a video")
    gone = Clip(good.path.with_name("gone.avi"), "a", "g", root=good.root)
    seen: list[tuple[int, int]] = []
    result = make_cache(tmp_path / "cache").build(
        [bad, good, gone], workers=2, on_progress=lambda done, total: seen.append((done, total))
    )
    assert result.built == 1
    assert set(result.failed) == {bad.id, gone.id}
    assert all(result.failed.values())
    assert seen[-1] == (2, 3)


def test_jpeg_is_small_and_close(tmp_path, make_clip):
    clip = make_clip("a.avi")
    raw, jpeg = (
        make_cache(tmp_path / "raw", size_px=64),
        make_cache(tmp_path / "jpeg", size_px=64, format="jpeg"),
    )
    for cache in (raw, jpeg):
        cache.build([clip], workers=1)
    exact, close = (cache.read(clip, [4, 0, 2]).astype(int) for cache in (raw, jpeg))
    assert np.abs(exact - close).mean() < 10  # swapped channels would be near 80
    assert entries(tmp_path / "jpeg")[0].stat().st_size < entries(tmp_path / "raw")[0].stat().st_size / 3


def test_clips_of_variable_length(tmp_path, make_clip):
    clips = [make_clip("a.avi", frames=13), make_clip("b.avi", frames=24, seed=1)]
    cache = make_cache(tmp_path / "cache", sampler=EverySampler(every=6), views=1)
    cache.build(clips, workers=1)
    assert [len(cache.entry(clip).views[0]) for clip in clips] == [3, 4]


def test_budget_drops_the_least_recently_used_of_others(tmp_path, make_clip):
    clips = [make_clip(f"{n}.avi", seed=n) for n in range(3)]
    each = 5 * 3 * 32 * 32 * 3
    for clip in clips[:2]:
        make_cache(tmp_path / "cache").build([clip], workers=1)
    import os

    oldest, newer = entries(tmp_path / "cache")
    os.utime(oldest, (1, 1))
    cache = make_cache(tmp_path / "cache", budget_gb=2.6 * each / 1e9)
    cache.build(clips[2:], workers=1)
    assert not oldest.exists()
    assert newer.exists()


def test_a_budget_too_small_for_the_clips_is_refused_before_decoding(tmp_path, make_clip):
    with pytest.raises(UserError, match=r"cache\.budget_gb"):
        make_cache(tmp_path / "cache", budget_gb=1e-6).build([make_clip("a.avi")], workers=1)
    assert not entries(tmp_path / "cache")


def test_unwritable_folder(tmp_path, make_clip):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cache\.folder"):
        make_cache(tmp_path / "file" / "cache").build([make_clip("a.avi")], workers=1)


def build_and_read(folder: str, clips: list[Clip]) -> int:
    cache = make_cache(Path(folder))
    cache.build(clips, workers=2)
    return int(sum(cache.read(clip, range(5)).sum(dtype=np.int64) for clip in clips))


def test_processes_share_a_folder(tmp_path, make_clip):
    clips = [make_clip(f"{n}.avi", seed=n) for n in range(4)]
    with get_context("fork").Pool(3) as pool:
        sums = pool.starmap(build_and_read, [(str(tmp_path / "cache"), clips)] * 3)
    assert len(set(sums)) == 1
    assert len(entries(tmp_path / "cache")) == 4
    assert not list((tmp_path / "cache").glob("*/.*"))


def test_a_clip_whose_bucket_is_away_is_not_taken_for_one_that_does_not_decode(tmp_path, make_clip, monkeypatch):
    """Left out, it would be missing from the training for good."""
    files = fsspec.filesystem("memory")
    files.put(str(make_clip("a.avi", frames=23).path), "/away/a.avi")
    files.pipe_file("/away/b.avi", b"no video" * 100)
    clips = [Clip(path=Path(f"memory://away/{name}.avi"), label="a", group="g", split=None) for name in "ab"]
    assert [*make_cache(tmp_path / "there").build(clips, workers=1).failed] == [clips[1].id]

    def away(*_, **__):
        raise ConnectionError("the network is down")

    forget_blocks()
    monkeypatch.setattr(MemoryFileSystem, "cat_file", away)
    monkeypatch.setenv(STORAGE_SECONDS, "0.1")
    with pytest.raises(UserError, match=r"a.avi cannot be read: memory:.*: the network is down; run"):
        make_cache(tmp_path / "away").build(clips[:1], workers=1)
    files.rm("/away", recursive=True)
