import cv2
import numpy as np
import pytest

from muybridge.pipeline.augmentation import apply_affine, augment, draw_affine, is_sided
from muybridge.pipeline.config import AugmentConfig

OFF = AugmentConfig(zoom=0, flip=False, rotation_degrees=0, shift=0, brightness=0)
FRAMES = np.random.default_rng(0).integers(0, 255, (4, 24, 24, 3), dtype=np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def matrices(config: AugmentConfig, count: int = 300, *, may_flip: bool = True) -> np.ndarray:
    found = [draw_affine(config, rng(n), width_px=24, height_px=24, may_flip=may_flip) for n in range(count)]
    return np.array([np.eye(2, 3) if matrix is None else matrix for matrix in found])


def test_everything_off_changes_nothing():
    assert draw_affine(OFF, rng(), width_px=24, height_px=24, may_flip=True) is None
    np.testing.assert_array_equal(augment(FRAMES, OFF, rng(), may_flip=True), FRAMES)


def test_flip_alone_mirrors_exactly_and_half_of_the_time():
    config = AugmentConfig(zoom=0, flip=True, rotation_degrees=0, shift=0, brightness=0)
    results = [augment(FRAMES, config, rng(n), may_flip=True) for n in range(200)]
    mirrored = [np.array_equal(result, FRAMES[:, :, ::-1]) for result in results]
    plain = [np.array_equal(result, FRAMES) for result in results]
    assert all(a != b for a, b in zip(mirrored, plain, strict=True))
    assert 70 < sum(mirrored) < 130


def test_no_flip_where_sides_matter():
    config = AugmentConfig(zoom=0, flip=True, rotation_degrees=0, shift=0, brightness=0)
    assert all(np.array_equal(augment(FRAMES, config, rng(n), may_flip=False), FRAMES) for n in range(50))


def test_one_draw_for_all_frames():
    still = np.repeat(FRAMES[:1], 4, axis=0)
    moved = augment(still, AugmentConfig(), rng(3), may_flip=True)
    assert not np.array_equal(moved[0], still[0])
    for frame in moved[1:]:
        np.testing.assert_array_equal(frame, moved[0])


def test_the_same_generator_gives_the_same_clip():
    one, two, other = (augment(FRAMES, AugmentConfig(), rng(seed), may_flip=True) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("option", "measure", "limit"),
    [
        ("zoom", lambda m: np.abs(np.linalg.norm(m[:, :, :2], axis=1) - 1).max(), 0.1),
        ("rotation_degrees", lambda m: np.rad2deg(np.abs(np.arctan2(m[:, 1, 0], m[:, 0, 0]))).max(), 20),
        ("shift", lambda m: np.abs(m[:, :, 2]).max() / 24, 0.2),
    ],
)
def test_each_option_stays_in_its_range_and_reaches_it(option, measure, limit):
    values = {"zoom": 0.0, "flip": False, "rotation_degrees": 0.0, "shift": 0.0, option: limit}
    reached = measure(matrices(AugmentConfig(**values)))
    assert 0.95 * limit < reached <= limit + 1e-9


def test_rotation_and_zoom_keep_the_centre():
    config = AugmentConfig(zoom=0.1, flip=True, rotation_degrees=20, shift=0, brightness=0)
    centre = np.array([11.5, 11.5, 1])
    np.testing.assert_allclose(matrices(config) @ centre, np.tile(centre[:2], (300, 1)), atol=1e-9)


def test_shift_moves_pixels_and_repeats_the_border():
    ramp = np.tile(np.arange(24, dtype=np.uint8)[None, None, :, None] * 10, (1, 24, 1, 3))
    moved = apply_affine(ramp, np.array([[1.0, 0, 5], [0, 1, 0]]))
    np.testing.assert_array_equal(moved[0, 0, :, 0], np.minimum(np.arange(24) + 5, 23) * 10)


@pytest.mark.parametrize("shape", [(3, 24, 24, 3), (2, 33, 57, 3), (2, 224, 224, 3), (0, 24, 24, 3)])
def test_the_lent_fourth_channel_changes_no_bit(shape):
    generator = rng(1)
    frames = generator.integers(0, 256, shape, dtype=np.uint8)
    for seed in range(8):
        matrix = draw_affine(
            AugmentConfig(rotation_degrees=20, shift=0.3),
            rng(seed),
            width_px=shape[2],
            height_px=shape[1],
            may_flip=True,
        )
        plain = [
            cv2.warpAffine(
                frame,
                matrix,
                (shape[2], shape[1]),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for frame in frames
        ]
        np.testing.assert_array_equal(apply_affine(frames, matrix), np.array(plain, np.uint8).reshape(shape))


def test_brightness_scales_and_saturates():
    config = AugmentConfig(zoom=0, flip=False, rotation_degrees=0, shift=0, brightness=0.5)
    gains = [augment(FRAMES, config, rng(n), may_flip=True).mean() / FRAMES.mean() for n in range(50)]
    assert min(gains) < 0.7
    assert max(gains) > 1.1


@pytest.mark.parametrize(
    ("label", "sided"),
    [
        ("walk_left", True),
        ("TurnRight", True),
        ("left", True),
        ("bright", False),
        ("cleft lip", False),
        ("clap", False),
    ],
)
def test_sided_names(label, sided):
    assert is_sided(label) is sided
