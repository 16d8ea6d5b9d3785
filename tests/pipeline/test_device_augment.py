import cv2
import numpy as np
import pytest
import torch

from muybridge.errors import UserError
from muybridge.pipeline.augmentation import augment, draw_transform
from muybridge.pipeline.batches import Item, collate_frames
from muybridge.pipeline.device_augment import augment_batch, augments_on_device
from muybridge.recipes.augment import AugmentConfig


def smooth_clip(seed, shape=(3, 48, 64, 3)):
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.stack([cv2.normalize(cv2.GaussianBlur(f, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX) for f in noise])


def test_the_device_does_what_the_loader_does():
    config = AugmentConfig(rotation_degrees=20, shift=0.2)
    clips = [smooth_clip(seed) for seed in range(6)]
    expected, items = [], []
    for seed, clip in enumerate(clips):
        expected.append(augment(clip, config, np.random.default_rng(seed), may_flip=True))
        drawn = draw_transform(config, np.random.default_rng(seed), width_px=64, height_px=48, may_flip=True)
        items.append(Item(clip, 0, drawn))
    batch = collate_frames(items)
    found = augment_batch(batch.frames_BTHWC, batch.matrices_B23, batch.gains_B)
    assert found.dtype == torch.uint8
    difference = np.abs(found.numpy().astype(int) - np.stack(expected))
    assert difference.max() <= 3  # OpenCV rounds halves up, and up to one grey level is then brightened
    assert difference.mean() < 0.05
    assert np.abs(found.numpy().astype(int) - np.stack(clips)).mean() > 10


def test_without_a_draw_nothing_changes():
    frames = torch.from_numpy(smooth_clip(0))[None]
    assert torch.equal(augment_batch(frames, torch.eye(2, 3)[None], torch.ones(1)), frames)


def test_where_it_is_done():
    assert augments_on_device(AugmentConfig(device="auto"), cuda=True)
    assert not augments_on_device(AugmentConfig(device="cpu"), cuda=True)
    assert not augments_on_device(AugmentConfig(device="auto"), cuda=False)
    with pytest.raises(UserError, match="no CUDA GPU"):
        augments_on_device(AugmentConfig(device="gpu"), cuda=False)
