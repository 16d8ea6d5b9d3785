import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.inference.views import AS_TRAINED, Views

FRAMES = np.random.default_rng(0).integers(0, 255, (2, 37, 37, 3), dtype=np.uint8)


@pytest.mark.parametrize(("size_px", "read_px"), [(224, 256), (112, 128), (192, 219)])
def test_crops_are_cut_out_of_a_larger_picture(size_px, read_px):
    assert Views(crops=3).read_size_px(size_px) == Views(crops=5).read_size_px(size_px) == read_px
    assert Views(times=4, flip=True).read_size_px(size_px) == size_px


def test_the_whole_picture_is_left_as_it_is():
    [whole] = AS_TRAINED.cut(FRAMES, 37)
    np.testing.assert_array_equal(whole, FRAMES)


def test_mirror_images_follow_their_originals():
    plain, views = Views(crops=5).cut(FRAMES, 32), Views(crops=5, flip=True).cut(FRAMES, 32)
    assert len(plain) == 5
    assert len(views) == 10
    assert {view.shape for view in views} == {(2, 32, 32, 3)}
    for number, crop in enumerate(plain):
        np.testing.assert_array_equal(views[2 * number], crop)
        np.testing.assert_array_equal(views[2 * number + 1][:, :, ::-1], crop)


def test_crops_reach_every_edge():
    left, middle, right = Views(crops=3).cut(FRAMES, 32)
    np.testing.assert_array_equal(left, FRAMES[:, 2:34, :32])
    np.testing.assert_array_equal(middle, FRAMES[:, 2:34, 2:34])
    np.testing.assert_array_equal(right, FRAMES[:, 2:34, 5:])
    top_left, top_right, _, bottom_left, bottom_right = Views(crops=5).cut(FRAMES, 32)
    np.testing.assert_array_equal(top_left, FRAMES[:, :32, :32])
    np.testing.assert_array_equal(top_right, FRAMES[:, :32, 5:])
    np.testing.assert_array_equal(bottom_left, FRAMES[:, 5:, :32])
    np.testing.assert_array_equal(bottom_right, FRAMES[:, 5:, 5:])


@pytest.mark.parametrize(
    ("views", "words", "suffix"),
    [
        (AS_TRAINED, "", ""),
        (Views(times=1), "1 view", "-views1"),
        (Views(times=3, crops=5, flip=True), "3 views, 5 crops, mirrored too", "-views3-crops5-flip"),
    ],
)
def test_in_words(views, words, suffix):
    assert views.describe() == words
    assert views.suffix() == suffix


@pytest.mark.parametrize(
    ("values", "message"), [({"times": 0}, "views.times is 0"), ({"crops": 2}, "views.crops is 2")]
)
def test_values_that_make_no_sense(values, message):
    with pytest.raises(UserError, match=message):
        Views(**values)
