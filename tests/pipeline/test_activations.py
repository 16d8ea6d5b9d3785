import dataclasses
import threading

import numpy as np
import pytest
import torch

from muybridge.errors import UserError
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.cache_folder import FEATURES_SUFFIX
from muybridge.pipeline.frame_cache import FrameCache
from muybridge.pipeline.loader import ClipDataset, make_loader
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.cache import CacheConfig
from muybridge.video.sampling import UniformSampler


def brightness(frames_BTHWC):
    """The simplest frozen encoder: mean colour of each frame, (B, T, C)."""
    return frames_BTHWC.mean(axis=(2, 3), dtype=np.float32)


class Counting:
    def __init__(self):
        self.clips = 0

    def __call__(self, frames_BTHWC):
        self.clips += len(frames_BTHWC)
        return brightness(frames_BTHWC)


@pytest.fixture
def make_frames(tmp_path, make_clip):
    clips = [make_clip(f"{n}.avi", seed=n, frames=3 + 3 * n, label="ab"[n % 2]) for n in range(5)]

    def make(*, augment=AugmentConfig(), seed=0, **cache):  # noqa: B008 - a frozen value
        sampler = UniformSampler(frames=8, policy="shorter")
        frames = FrameCache(CacheConfig(folder=str(tmp_path / "cache"), **cache), sampler=sampler, views=3, size_px=16)
        frames.build(clips, workers=1)
        return ClipDataset(frames, clips, classes=["a", "b"], augment=augment, seed=seed)

    return make


def entries(frames):
    return sorted(frames.cache.folder.glob(f"*/*{FEATURES_SUFFIX}"))


def test_each_variant_is_what_the_plain_path_gives_in_one_epoch(make_frames):
    frames = make_frames()
    data = ActivationDataset(frames, brightness, identity="x", variants=3)
    assert data.build() == 15
    for index in range(5):
        plain = [brightness(frames[epoch, index].frames_THWC[None])[0] for epoch in range(3)]
        for turn in (0, 3, 6):
            kept = [data[turn + place, index] for place in range(3)]
            order = [
                next(v for v, item in enumerate(plain) if np.allclose(item, one.activations, atol=0.1)) for one in kept
            ]
            assert sorted(order) == [0, 1, 2]  # every variant once before any comes again
            for variant, one in zip(order, kept, strict=True):
                np.testing.assert_array_equal(one.activations, plain[variant].astype(np.float16))
                assert one.label == frames.labels[index]
                assert one.frame_count == len(frames[0, index].frames_THWC)


def test_what_is_kept_of_a_clip_is_said_in_words(make_frames):
    frames = make_frames(augment=None)
    count = len(frames[0, 0].frames_THWC)
    vectors = ActivationDataset(frames, brightness, identity="x", variants=1)
    assert vectors.describe_entry() == f"{count} tokens of 3 numbers, 0 kB a clip"
    maps = ActivationDataset(
        frames, lambda frames_BTHWC: frames_BTHWC.astype(np.float32).transpose(0, 1, 4, 2, 3), identity="y", variants=1
    )
    assert maps.describe_entry() == f"maps of {count} x 3 x 16 x 16 numbers, {count * 3 * 256 * 2 / 1e3:.0f} kB a clip"


def test_the_order_of_variants_differs_between_clips_and_turns(make_frames):
    data = ActivationDataset(make_frames(), brightness, identity="x", variants=3)
    data.build()
    orders = {
        tuple(float(data[turn + place, index].activations.sum()) for place in range(3))
        for index in range(5)
        for turn in range(0, 30, 3)
    }
    assert len(orders) > 5 * 3


def test_validation_has_one_variant(make_frames):
    frames = make_frames(augment=None)
    data = ActivationDataset(frames, brightness, identity="x", variants=3)
    assert data.build() == 5
    for epoch in (0, 1, 7):
        expected = brightness(frames[0, 2].frames_THWC[None])[0].astype(np.float16)
        np.testing.assert_array_equal(data[epoch, 2].activations, expected)


def test_what_is_there_is_not_computed_again_unless_something_changes(make_frames):
    encode = Counting()
    assert ActivationDataset(make_frames(), encode, identity="x", variants=2).build() == 10
    assert ActivationDataset(make_frames(), encode, identity="x", variants=2).build() == 0
    assert ActivationDataset(make_frames(), encode, identity="x", variants=3).build() == 5
    assert ActivationDataset(make_frames(), encode, identity="y", variants=2).build() == 10
    assert ActivationDataset(make_frames(seed=1), encode, identity="x", variants=2).build() == 10
    other = dataclasses.replace(AugmentConfig(), zoom=0.3)
    assert ActivationDataset(make_frames(augment=other), encode, identity="x", variants=2).build() == 10
    assert encode.clips == 45


@pytest.mark.parametrize("harm", ["cut", "flip", "remove"])
def test_a_damaged_or_vanished_entry_is_computed_anew(make_frames, harm):
    frames = make_frames(augment=None)
    data = ActivationDataset(frames, brightness, identity="x", variants=1)
    data.build()
    before = data[0, 4].activations
    for path in entries(frames):
        content = bytearray(path.read_bytes())
        if harm == "remove":
            path.unlink()
        elif harm == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif (at := content.find(before.tobytes())) > 0:
            content[at] ^= 0xFF
            path.write_bytes(content)
    np.testing.assert_array_equal(data[0, 4].activations, before)


def test_a_batch_is_padded_and_knows_its_lengths(make_frames):
    data = ActivationDataset(make_frames(augment=None), brightness, identity="x", variants=1)
    data.build()
    [batch] = make_loader(data, batch_size=5, shuffle=False, seed=0, workers=0)
    assert batch.steps_B.tolist() == batch.lengths_B.tolist() == [3, 6, 8, 8, 8]
    assert batch.activations.shape == (5, 8, 3)
    assert batch.activations.dtype == torch.float16
    assert batch.activations[0, 3:].abs().sum() == 0
    assert batch.labels_B.tolist() == [0, 1, 0, 1, 0]


def test_features_that_exceed_the_budget_are_refused_and_others_make_room(make_frames, tmp_path):
    def wide(frames_BTHWC):
        return np.zeros((*frames_BTHWC.shape[:2], 30_000), dtype=np.float32)

    old = tmp_path / "cache" / "00" / f"old{FEATURES_SUFFIX}"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(5_000_000))
    frames = make_frames(budget_gb=0.006)
    ActivationDataset(frames, wide, identity="x", variants=2).build()
    assert not old.exists()
    with pytest.raises(UserError, match=r"raise cache.budget_gb, lower cache.variants"):
        ActivationDataset(frames, wide, identity="y", variants=30).build()


def test_features_beyond_16_bits_are_refused(make_frames):
    data = ActivationDataset(make_frames(), lambda frames: brightness(frames) * 1e4, identity="x", variants=1)
    with pytest.raises(UserError, match=r"cache\.features off"):
        data.build()
    assert entries(data.clips) == []


class Threaded:
    """Called by two threads at once: each call waits until the other has come, too."""

    workers = 2

    def __init__(self):
        self.barrier = threading.Barrier(2, timeout=20)
        self.calls = []
        self.torch_threads = []

    def __call__(self, frames_BTHWC):
        self.calls.append(len(frames_BTHWC))
        self.torch_threads.append(torch.get_num_threads())
        if len(self.calls) > 1:  # the first clip comes by itself
            self.barrier.wait()
        return brightness(frames_BTHWC)


def test_threads_encode_one_clip_each_and_share_the_cores(make_frames):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        encode = Threaded()
        data = ActivationDataset(make_frames(), encode, identity="threads", variants=1)
        seen = []
        assert data.build(lambda done, total: seen.append((done, total))) == 5
        assert encode.calls == [1] * 5
        assert encode.torch_threads == [4, 2, 2, 2, 2]
        assert seen == [(n, 5) for n in range(6)]
        assert torch.get_num_threads() == 4
        counts = []
        other = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert counts == [4]
    finally:
        torch.set_num_threads(before)
    plain = ActivationDataset(make_frames(), brightness, identity="plain", variants=1)
    plain.build()
    for index in range(5):
        np.testing.assert_array_equal(data[0, index].activations, plain[0, index].activations)


def test_what_a_thread_cannot_encode_ends_the_encoding(make_frames):
    class Failing:
        workers = 2

        def __call__(self, frames_BTHWC):
            return brightness(frames_BTHWC) * (1 if frames_BTHWC.shape[1] == 3 else 1e4)

    data = ActivationDataset(make_frames(), Failing(), identity="x", variants=1)
    with np.errstate(over="raise"), pytest.raises(UserError, match="exceed 16-bit floats"):
        data.build()
