import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from muybridge.pipeline.augmentation import apply_affine
from muybridge.pipeline.batches import Item, collate_frames
from muybridge.pipeline.epoch_order import EpochOrder
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset, draw_positions, make_loader
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.video.sampling import DenseSampler, SlidingSampler, UniformSampler

OFF = AugmentConfig(zoom=0, flip=False, rotation_degrees=0, shift=0)


@pytest.fixture
def cache_and_clips(tmp_path, make_clip):
    clips = [make_clip(f"{n}.avi", seed=n, frames=18 + n, label="ab"[n % 2]) for n in range(5)]
    cache = FrameCache(
        CacheConfig(folder=str(tmp_path / "cache")), sampler=UniformSampler(frames=4), views=3, size_px=16
    )
    cache.build(clips, workers=1)
    return cache, clips


def make_data(cache_and_clips, augment=None, seed=0):
    cache, clips = cache_and_clips
    return ClipDataset(cache, clips, classes=["a", "b"], augment=augment, seed=seed)


def test_validation_takes_the_middle_view_always(cache_and_clips):
    data = make_data(cache_and_clips)
    cache, clips = cache_and_clips
    expected = cache.read(clips[2], cache.entry(clips[2]).views[1])
    for epoch in (0, 1):
        item = data[epoch, 2]
        np.testing.assert_array_equal(item.frames_THWC, expected)
        assert item.label == 0


def test_training_draws_each_frame_within_its_segment(cache_and_clips):
    cache, clips = cache_and_clips
    entry = cache.entry(clips[0])
    views_VT = np.array(entry.views)
    seen = {tuple(draw_positions(entry, np.random.default_rng(n), mix=True)) for n in range(300)}
    assert len(seen) > 60  # of 3 ** 4 = 81
    assert all(position in views_VT[:, t] for draw in seen for t, position in enumerate(draw))
    whole = {tuple(draw_positions(entry, np.random.default_rng(n), mix=False)) for n in range(50)}
    assert whole == {tuple(view) for view in entry.views}


def test_dense_windows_jitter_as_a_whole(tmp_path, make_clip):
    clips = [make_clip("long.avi", seed=1, frames=20, label="a"), make_clip("short.avi", seed=2, frames=3, label="b")]
    sampler = DenseSampler(frames=4, stride=2)
    cache = FrameCache(CacheConfig(folder=str(tmp_path / "cache")), sampler=sampler, views=3, size_px=16)
    cache.build(clips, workers=1)
    plain = dataclasses.replace(OFF, brightness=0)
    data = ClipDataset(cache, clips, classes=["a", "b"], augment=plain, seed=0)
    windows = [cache.read(clips[0], view) for view in cache.entry(clips[0]).views]
    drawn = [data[epoch, 0].frames_THWC.tobytes() for epoch in range(40)]
    assert set(drawn) == {window.tobytes() for window in windows}
    assert len(set(drawn)) == 3
    validation = ClipDataset(cache, clips, classes=["a", "b"], augment=None, seed=0)
    np.testing.assert_array_equal(validation[7, 0].frames_THWC, windows[1])
    # A clip without room to move has one window, whatever is drawn.
    assert len({data[epoch, 1].frames_THWC.tobytes() for epoch in range(10)}) == 1


def test_every_window_is_an_example(tmp_path, make_clip):
    clips = [make_clip(f"{n}.avi", seed=n, frames=8 + 4 * n, label="ab"[n % 2]) for n in range(3)]
    sampler = SlidingSampler(frames=4, hop=4)
    cache = FrameCache(CacheConfig(folder=str(tmp_path / "cache")), sampler=sampler, views=None, size_px=16)
    cache.build(clips, workers=1)
    data = ClipDataset(cache, clips, classes=["a", "b"], augment=dataclasses.replace(OFF, brightness=0), seed=0)
    assert data.labels == [0, 0, 1, 1, 1, 0, 0, 0, 0]  # of 8, 12 and 16 frames
    seen = [data[3, index].frames_THWC for index in range(len(data))]
    whole = FrameCache(
        CacheConfig(folder=str(tmp_path / "cache")), sampler=UniformSampler(frames=16), views=1, size_px=16
    )
    whole.build(clips[2:], workers=1)
    np.testing.assert_array_equal(np.concatenate(seen[5:]), whole.read(clips[2], range(16)))


def test_items_depend_on_seed_and_epoch_alone(cache_and_clips):
    one, two = make_data(cache_and_clips, AugmentConfig()), make_data(cache_and_clips, AugmentConfig())
    other = make_data(cache_and_clips, AugmentConfig(), seed=1)
    _ = one[0, 0]
    np.testing.assert_array_equal(one[3, 1].frames_THWC, two[3, 1].frames_THWC)
    assert not np.array_equal(one[3, 1].frames_THWC, one[4, 1].frames_THWC)
    assert not np.array_equal(one[3, 1].frames_THWC, other[3, 1].frames_THWC)


def test_no_flip_classes_are_never_mirrored(cache_and_clips):
    flip = AugmentConfig(zoom=0, rotation_degrees=0, shift=0, flip=True, no_flip_classes=("a",))
    data, plain = make_data(cache_and_clips, flip), make_data(cache_and_clips, OFF)
    mirrored = {0: 0, 1: 0}
    for epoch in range(20):
        for index in range(2):
            mirrored[index] += not np.array_equal(data[epoch, index].frames_THWC, plain[epoch, index].frames_THWC)
    assert mirrored[0] == 0
    assert mirrored[1] > 3


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch, shuffle=True):
        sampler = EpochOrder(range(40), shuffle=shuffle, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 2) == order(0, 2)
    assert [i for _, i in order(0, 2)] != [i for _, i in order(0, 3)]
    assert [i for _, i in order(0, 2)] != [i for _, i in order(1, 2)]
    assert sorted(i for _, i in order(0, 2)) == list(range(40))
    assert order(0, 2, shuffle=False) == [(2, i) for i in range(40)]


def test_collate_pads_with_zeros_and_keeps_lengths():
    items = [Item(np.full((t, 2, 2, 3), t, dtype=np.uint8), label) for t, label in ((3, 1), (1, 0))]
    batch = collate_frames(items)
    assert batch.frames_BTHWC.shape == (2, 3, 2, 2, 3)
    assert batch.frames_BTHWC.dtype == torch.uint8
    assert batch.lengths_B.tolist() == [3, 1]
    assert batch.labels_B.tolist() == [1, 0]
    assert batch.frames_BTHWC[1, 1:].sum() == 0
    assert (batch.frames_BTHWC[1, 0] == 1).all()


def test_batches_do_not_depend_on_the_number_of_workers(cache_and_clips):
    batches = []
    for workers in (0, 2):
        data = make_data(cache_and_clips, AugmentConfig())
        loader = make_loader(data, batch_size=2, shuffle=True, seed=7, workers=workers)
        loader.batch_sampler.sampler.set_epoch(4)
        batches.append(list(loader))
    assert len(batches[0]) == 3
    for one, two in zip(*batches, strict=True):
        for a, b in zip(one[:3], two[:3], strict=True):
            assert torch.equal(a, b)


OPENCV_BEFORE_FORK = """
import sys
import cv2, numpy as np
from pathlib import Path
from muybridge.dataset.catalog import Clip
from muybridge.pipeline.augmentation import apply_affine
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.pipeline.loader import ClipDataset, make_loader
from muybridge.video.sampling import UniformSampler

if __name__ == "__main__":
    root = Path(sys.argv[1])
    clips = [Clip(path, label="a", group="", root=root) for path in sorted(root.rglob("*.avi"))]
    cache = FrameCache(CacheConfig(folder=str(root / "c")), sampler=UniformSampler(frames=2), views=1, size_px=16)
    cache.build(clips, workers=1)
    cv2.setNumThreads(4)
    cv2.GaussianBlur(np.zeros((4000, 4000), np.uint8), (5, 5), 0)  # starts OpenCV's threads
    data = ClipDataset(cache, clips, classes=["a"], augment=AugmentConfig(), seed=0)
    print(len(list(make_loader(data, batch_size=2, shuffle=True, seed=0, workers=1))))
"""


def test_workers_start_although_opencv_ran_threads_before(cache_and_clips, tmp_path):
    """As after decoding large pictures: forked workers used to wait for threads that a fork does not copy."""
    (tmp_path / "script.py").write_text(OPENCV_BEFORE_FORK)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_left_to_the_device_the_draws_are_the_same(cache_and_clips):
    config = dataclasses.replace(AugmentConfig(), brightness=0)
    data, later = make_data(cache_and_clips, config), make_data(cache_and_clips, config)
    later.augment_later = True
    item, plain = later[3, 1], make_data(cache_and_clips)[3, 1]
    assert item.frames_THWC.shape == plain.frames_THWC.shape
    np.testing.assert_array_equal(apply_affine(item.frames_THWC, item.transform.matrix), data[3, 1].frames_THWC)
