"""How a picture becomes a square."""

import cv2
import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.video.decoding import iterate_frames, read_indices, read_sampled
from muybridge.video.door import read_frames
from muybridge.video.in_memory import FrameArray
from muybridge.video.picture import to_square
from muybridge.video.sampling import UniformSampler


def circle(height: int, width: int) -> np.ndarray:
    """A white disc in the middle of a black picture; its radius is 40 % of the short side."""
    y_HW, x_HW = np.mgrid[:height, :width]
    distance_HW = np.hypot(y_HW - (height - 1) / 2, x_HW - (width - 1) / 2)
    return np.repeat((255 * (distance_HW < 0.4 * min(height, width))).astype(np.uint8)[..., None], 3, axis=2)


def extent(image_HWC: np.ndarray) -> tuple[int, int]:
    """Height and width of what is bright."""
    rows, columns = np.nonzero(image_HWC[..., 0] > 127)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize(("height", "width"), [(120, 200), (201, 120), (48, 64), (100, 100)])
@pytest.mark.parametrize("size_px", [64, 112])
def test_a_crop_keeps_a_circle_round_and_in_the_middle(height, width, size_px):
    cropped = to_square(circle(height, width), size_px, "crop")
    assert cropped.shape == (size_px, size_px, 3)
    assert extent(cropped) == pytest.approx((0.8 * size_px, 0.8 * size_px), abs=2)
    columns = np.nonzero(cropped[size_px // 2, :, 0] > 127)[0]
    assert columns.mean() == pytest.approx((size_px - 1) / 2, abs=1)


def test_a_squash_keeps_the_whole_picture_and_is_what_it_was():
    image_HWC = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    for size_px, interpolation in ((32, cv2.INTER_AREA), (64, cv2.INTER_LINEAR)):
        expected = cv2.resize(image_HWC, (size_px, size_px), interpolation=interpolation)
        np.testing.assert_array_equal(to_square(image_HWC, size_px), expected)
    tall, wide = extent(to_square(circle(100, 200), 60, "squash"))
    assert (tall, wide) == (pytest.approx(48, abs=1), pytest.approx(24, abs=1))


def test_a_crop_of_the_same_size_is_cut_out_untouched():
    image_HWC = np.random.default_rng(0).integers(0, 256, (32, 75, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_square(image_HWC, 32, "crop"), image_HWC[:, 21:53])


@pytest.mark.parametrize("strategy", ["auto", "seek", "sequential"])
def test_all_ways_of_reading_fit_alike(tmp_path, write_video, strategy):
    path = write_video(tmp_path / "v.mp4", frames=12, width_px=96, height_px=48)
    expected = np.stack([to_square(frame.image_HWC, 40, "crop") for frame in iterate_frames(path)])
    whole = np.stack([frame.image_HWC for frame in iterate_frames(path)])
    sampler = UniformSampler(frames=12)
    asked = {"size_px": 40, "fit": "crop"}
    for found in (
        np.stack([frame.image_HWC for frame in iterate_frames(path, **asked)]),
        read_indices(path, range(12), strategy=strategy, **asked),
        read_sampled(path, sampler, strategy=strategy, **asked).frames_THWC,
        read_frames(path, sampler, strategy=strategy, **asked).frames_THWC,
        FrameArray.checked(whole, name="frames").views(sampler, **asked)[0],
    ):
        np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(expected, read_indices(path, range(12), size_px=40))


def test_an_unknown_fit_is_named(tmp_path, write_video):
    path = write_video(tmp_path / "v.mp4", frames=2)
    with pytest.raises(UserError, match=r"fit is 'corp'; did you mean 'crop'"):
        read_frames(path, UniformSampler(frames=1), size_px=8, fit="corp")
