import cv2
import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.pipeline.affine import apply_affine, compose
from muybridge.pipeline.augmentation import augment, draw_affine, draw_crop, is_sided
from muybridge.recipes.augment import AugmentConfig

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


def smooth_picture(size_px=96):
    """A picture without fine detail, so that ways to interpolate agree."""
    y, x = np.mgrid[:size_px, :size_px] / size_px
    channels = [np.sin(5 * x + 2 * y), np.cos(3 * y - x), np.sin(4 * x * y)]
    return np.round(127 + 100 * np.stack(channels, axis=-1)).astype(np.uint8)


def crop_matrix(left, top, width, height, size_px):
    """The map of a crop, by what becomes of its corners: pixel edges go to pixel edges."""
    scale_x, scale_y = width / size_px, height / size_px
    return np.array([[scale_x, 0, left + scale_x / 2 - 0.5], [0, scale_y, top + scale_y / 2 - 0.5]])


def test_a_crop_is_what_cutting_out_and_resizing_gives():
    picture, size_px = smooth_picture(), 96
    matrix = crop_matrix(30, 12, 48, 64, size_px)
    expected = cv2.resize(picture[12:76, 30:78], (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    found = apply_affine(picture[None], matrix)[0]
    # At the edge ours sees the pixels next to the crop, which cutting out has lost.
    assert np.abs(found.astype(int) - expected)[2:-2, 2:-2].max() <= 2


def test_drawn_crops_lie_inside_and_have_the_share_and_aspect_asked_for():
    shares, ratios = [], []
    for seed in range(300):
        matrix = draw_crop(0.3, rng(seed), width_px=96, height_px=48)
        scale = matrix.diagonal()
        first_edge = matrix @ [-0.5, -0.5, 1]
        last_edge = matrix @ [95.5, 47.5, 1]
        assert (first_edge >= -0.5 - 1e-9).all()
        assert (last_edge <= np.array([95.5, 47.5]) + 1e-9).all()
        np.testing.assert_allclose(last_edge - first_edge, scale * [96, 48])
        shares.append(scale.prod())
        ratios.append(scale[0] / scale[1])
    assert 0.3 <= min(shares) < 0.33
    assert 0.95 < max(shares) <= 1
    assert 3 / 4 - 1e-9 <= min(ratios) < 0.8
    assert 1.25 < max(ratios) <= 4 / 3 + 1e-9


def test_crop_and_the_other_maps_are_one_map():
    """One interpolation gives what cropping, resizing and then turning gives."""
    picture, size_px = smooth_picture(), 96
    crop = crop_matrix(8, 20, 72, 60, size_px)
    config = AugmentConfig(zoom=0.1, flip=True, rotation_degrees=20, shift=0)
    for seed in range(5):
        turn = draw_affine(config, rng(seed), width_px=size_px, height_px=size_px, may_flip=True)
        one_after_the_other = apply_affine(apply_affine(picture[None], crop), turn)[0]
        at_once = apply_affine(picture[None], compose(crop, turn))[0]
        # Only where no pixel comes from outside: cropped first, the border is repeated.
        middle = slice(24, 72)
        assert np.abs(at_once.astype(int) - one_after_the_other)[middle, middle].max() <= 3


def test_augment_crops_all_frames_alike_and_leaves_the_other_draws_as_they_were():
    still = np.repeat(smooth_picture()[None], 3, axis=0)
    plain = AugmentConfig(crop_scale=1)
    cropped = augment(still, AugmentConfig(crop_scale=0.5), rng(4), may_flip=True)
    np.testing.assert_array_equal(cropped[0], cropped[2])
    assert not np.array_equal(cropped, augment(still, plain, rng(4), may_flip=True))
    generator = rng(4)
    matrix = draw_affine(plain, generator, width_px=96, height_px=96, may_flip=True)
    gain = 1 + plain.brightness * generator.uniform(-1, 1)
    crop = draw_crop(0.5, generator, width_px=96, height_px=96)
    expected = np.clip(gain * apply_affine(still, compose(crop, matrix)).astype(float), 0, 255)
    assert np.abs(cropped - expected).max() <= 0.51


@pytest.mark.parametrize(("option", "value"), [("crop_scale", 0), ("crop_scale", 1.5), ("zoom", 1.1), ("shift", -0.1)])
def test_options_out_of_range(option, value):
    with pytest.raises(UserError, match=f"augment.{option}"):
        AugmentConfig(**{option: value})


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
