import numpy as np
import pytest
from tests.helpers.clips import write_clip

from muybridge.errors import UserError, VideoError
from muybridge.video.decoding import iterate_frames, read_sampled
from muybridge.video.in_memory import FrameArray
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.avi"
    write_clip(path, level=120, seed=1, frames=17)
    return path


@pytest.fixture(scope="module")
def frames_THWC(video):
    return np.stack([frame.image_HWC for frame in iterate_frames(video)])


@pytest.mark.parametrize("size_px", [None, 32, 64])
@pytest.mark.parametrize("times", [{}, {"start_seconds": 0.1, "end_seconds": 0.5}])
@pytest.mark.parametrize(
    ("sampler", "views"),
    [
        (UniformSampler(frames=4), 3),
        (UniformSampler(frames=40), 1),
        (EverySampler(every=5), 2),
        (DenseSampler(frames=4, stride=2), 1),
        (SlidingSampler(frames=4, hop=3), None),
    ],
    ids=str,
)
def test_all_frames_of_a_file_are_the_same_video_as_the_file(video, frames_THWC, sampler, views, times, size_px):
    read = read_sampled(video, sampler, views=views, size_px=size_px, **times)
    array = FrameArray.checked(frames_THWC, frames_per_second=25, name="frames")
    found = array.views(sampler, views=views, size_px=size_px, **times)
    assert len(found) == len(read.views)
    for view_THWC, positions in zip(found, read.views, strict=True):
        np.testing.assert_array_equal(view_THWC, read.frames_THWC[positions])


def test_pictures_that_are_mirrored_views_of_others(frames_THWC):
    mirrored = frames_THWC[:, :, ::-1]  # not contiguous
    [found], [expected] = (
        FrameArray.checked(each, name="frames").views(UniformSampler(frames=4), size_px=20)
        for each in (mirrored, mirrored.copy())
    )
    np.testing.assert_array_equal(found, expected)


FRAMES = np.zeros((6, 8, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (FRAMES.astype(np.float32), r"values are float32; give uint8 .*astype\('uint8'\)"),
        (FRAMES.astype(np.int64), "values are int64; give uint8"),
        (FRAMES > 0, "values are bool; give uint8"),
        (FRAMES[:0], "0 x 8 x 9 x 3 holds no pixel"),
        (FRAMES[:, :0], "6 x 0 x 9 x 3 holds no pixel"),
        (FRAMES[0], r"8 x 9 x 3 is one picture; .*numpy\.stack"),
        (FRAMES[..., 0], r"the shape is 6 x 8 x 9; give \(frames, height, width, 3\)"),
        (FRAMES[..., :1], "the shape is 6 x 8 x 9 x 1"),
        (FRAMES.transpose(0, 3, 1, 2), r"colours first; .*\(0, 2, 3, 1\)"),
        (FRAMES[None], "several clips; pass them as a list"),
        (np.uint8(3), "a single number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arrays_that_are_no_video(frames, reason):
    with pytest.raises(UserError, match=f"^clip: .*{reason}"):
        FrameArray.checked(np.asarray(frames), name="clip")


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), "25"])
def test_rates_that_are_none(rate):
    with pytest.raises(UserError, match="frames_per_second"):
        FrameArray.checked(FRAMES, frames_per_second=rate, name="clip")


def test_parts_that_are_not_there():
    array = FrameArray.checked(FRAMES, frames_per_second=25, name="clip")
    sampler = UniformSampler(frames=2)
    with pytest.raises(UserError, match="set frames_per_second"):
        FrameArray.checked(FRAMES, name="clip").views(sampler, start_seconds=1)
    with pytest.raises(VideoError, match=r"no frame from 1 to inf s \(the last frame is at 0.200 s\)"):
        array.views(sampler, start_seconds=1)
    with pytest.raises(VideoError, match="bad time range"):
        array.views(sampler, start_seconds=1, end_seconds=0.5)
    with pytest.raises(VideoError, match="has 6 frames"):
        array.views(UniformSampler(frames=7, policy="error"))
