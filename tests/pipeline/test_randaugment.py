import numpy as np
import pytest

from muybridge.pipeline.augmentation import augment
from muybridge.pipeline.randaugment import OPERATIONS, randaugment
from muybridge.recipes.augment import AugmentConfig

FRAMES = np.random.default_rng(0).integers(40, 200, (3, 24, 20, 3), dtype=np.uint8)
GEOMETRY = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
BY_STATISTICS = ("autocontrast", "equalize")  # these have no strength


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def apply(name, strength, frames=FRAMES):
    return OPERATIONS[name](frames, strength)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_keeps_shape_and_type_and_its_input(name):
    before = FRAMES.copy()
    for strength in (-1.0, -0.4, 0.0, 0.4, 1.0):
        out = apply(name, strength)
        assert (out.shape, out.dtype) == (FRAMES.shape, np.uint8)
    np.testing.assert_array_equal(FRAMES, before)
    changes = not np.array_equal(apply(name, 0.7), FRAMES)
    assert changes is (name != "identity")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in BY_STATISTICS])
def test_without_strength_nothing_changes(name):
    np.testing.assert_array_equal(apply(name, 0.0), FRAMES)


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_frames_are_changed_alike(name):
    """A frame comes out the same wherever it stands in the clip, and bright frames do not darken on their own."""
    out = apply(name, 0.6)
    np.testing.assert_array_equal(apply(name, 0.6, FRAMES[::-1].copy()), out[::-1])
    fading = np.stack([FRAMES[0] // 2, FRAMES[0]])
    if name not in (*GEOMETRY, "sharpness", "color", "solarize"):
        means = apply(name, 0.6, fading).mean(axis=(1, 2, 3))
        assert means[0] < means[1] - 5


def test_point_operations_by_hand():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    levels = ramp.astype(int)
    np.testing.assert_array_equal(apply("solarize", 0.5, ramp), np.where(levels >= 128, 255 - levels, levels))
    np.testing.assert_array_equal(apply("solarize", -1, ramp), 255 - levels)
    np.testing.assert_array_equal(apply("posterize", 1, ramp), levels // 16 * 16)
    np.testing.assert_array_equal(apply("brightness", 1, ramp), np.clip(np.rint(1.9 * levels), 0, 255))
    np.testing.assert_allclose(apply("contrast", -1, ramp), 0.1 * levels + 0.9 * 127.5, atol=0.51)
    np.testing.assert_array_equal(apply("equalize", 1, ramp), ramp)
    stretched = apply("autocontrast", 1, ramp[:, 4:8])  # levels 64 to 127
    np.testing.assert_array_equal(stretched[0, 0, 0], [0, 0, 0])
    np.testing.assert_array_equal(stretched[0, -1, -1], [255, 255, 255])
    grey = apply("color", -1)
    expected = 0.1 * FRAMES + 0.9 * (FRAMES @ [0.299, 0.587, 0.114])[..., None]
    np.testing.assert_allclose(grey, expected, atol=1)  # OpenCV computes it in fixed point


def test_flat_clips_stay_flat():
    flat = np.full((2, 8, 8, 3), 77, dtype=np.uint8)
    for name in (*BY_STATISTICS, "sharpness", *GEOMETRY):
        np.testing.assert_array_equal(apply(name, 0.8, flat), flat)


def test_sharpness_smooths_one_way_and_sharpens_the_other():
    def roughness(frames):
        return np.abs(np.diff(frames.astype(float), axis=2)).mean()

    assert roughness(apply("sharpness", -1)) < roughness(FRAMES) < roughness(apply("sharpness", 1))


def test_geometry_moves_by_the_stated_amount():
    spot = np.zeros((1, 101, 101, 3), dtype=np.uint8)
    spot[0, 40, 50] = 255

    def position(name, strength):
        y, x = np.argwhere(apply(name, strength, spot)[0, :, :, 0] == 255)[0]
        return int(y), int(x)

    shifted = np.argwhere(apply("translate_x", 1, spot)[0, :, :, 0] > 100)
    np.testing.assert_allclose(shifted.mean(axis=0), [40, 50 - 0.45 * 101], atol=1)
    shifted = np.argwhere(apply("translate_y", -0.5, spot)[0, :, :, 0] > 100)
    np.testing.assert_allclose(shifted.mean(axis=0), [40 + 0.225 * 101, 50], atol=1)
    assert position("shear_x", 1) == (40, 53)  # 10 rows above the centre, 0.3 columns each
    assert position("shear_y", 1) == (40, 50)  # in the middle column
    turned = np.argwhere(apply("rotate", 1, spot)[0, :, :, 0] > 60).mean(axis=0)
    np.testing.assert_allclose(turned - 50, [-10 * np.cos(np.pi / 6), -10 * np.sin(np.pi / 6)], atol=1)


def test_the_generator_decides_and_every_operation_is_drawn():
    one, two, other = (randaugment(FRAMES, rng(seed), operations=2, magnitude=9) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    results = {randaugment(FRAMES, rng(seed), operations=1, magnitude=9).tobytes() for seed in range(400)}
    signless = {"identity", "autocontrast", "equalize", "solarize", "posterize"}
    assert len(results) == 2 * len(OPERATIONS) - len(signless)


def test_augment_uses_it_and_off_is_off():
    off = AugmentConfig(zoom=0, flip=False, rotation_degrees=0, shift=0, brightness=0)
    on = AugmentConfig(zoom=0, flip=False, rotation_degrees=0, shift=0, brightness=0, randaugment=3)
    np.testing.assert_array_equal(augment(FRAMES, off, rng(1), may_flip=True), FRAMES)
    changed = [not np.array_equal(augment(FRAMES, on, rng(seed), may_flip=True), FRAMES) for seed in range(20)]
    assert sum(changed) > 15
    np.testing.assert_array_equal(randaugment(FRAMES, rng(), operations=0, magnitude=9), FRAMES)
