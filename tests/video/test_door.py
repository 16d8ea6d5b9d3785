import doctest

import av
import numpy as np
import pytest

import muybridge
from muybridge import DenseSampler, EverySampler, SlidingSampler, UniformSampler, read_frames, read_views
from muybridge.errors import UserError, VideoError
from muybridge.video import door
from muybridge.video.decoding import read_indices


@pytest.fixture(scope="module")
def dive(tmp_path_factory):
    """Twelve frames at 25 per second; frame i has the grey level 20 * i."""
    path = tmp_path_factory.mktemp("video") / "dive.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(12):
            image = np.full((240, 320, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def numbers(clip):
    return np.round(clip.frames_THWC.mean(axis=(1, 2, 3)) / 20).astype(int).tolist()


def test_the_example_of_the_documentation(dive, monkeypatch):
    monkeypatch.chdir(dive.parent)
    assert doctest.testmod(door).attempted == 5
    assert doctest.testmod(door).failed == 0


@pytest.mark.parametrize(
    ("sampler", "indices"),
    [
        (UniformSampler(frames=4), [1, 4, 7, 10]),
        (EverySampler(every=6), [0, 6]),
        (DenseSampler(frames=4), [4, 5, 6, 7]),
        (SlidingSampler(frames=4), [4, 5, 6, 7]),
        (UniformSampler(frames=14), [*range(12), 11, 11]),
        (UniformSampler(frames=14, policy="wrap"), [*range(12), 0, 1]),
    ],
    ids=str,
)
def test_frames_come_in_the_order_of_the_view(dive, sampler, indices):
    clip = read_frames(dive, sampler)
    assert clip.indices_T.tolist() == numbers(clip) == indices
    assert clip.frame_count == 12
    assert clip.times_T.tolist() == pytest.approx([index / 25 for index in indices])
    np.testing.assert_array_equal(clip.frames_THWC, read_indices(dive, indices))


def test_views_and_windows(dive):
    assert [view.indices_T.tolist() for view in read_views(dive, SlidingSampler(frames=4))] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    two = read_views(dive, UniformSampler(frames=2), count=2)
    assert [numbers(view) for view in two] == [[1, 7], [4, 10]]


def test_a_part_of_a_video_and_another_size(dive):
    clip = read_frames(str(dive), UniformSampler(frames=3), size_px=24, start_seconds=0.2, end_seconds=0.32)
    assert clip.frames_THWC.shape == (3, 24, 24, 3)
    assert clip.indices_T.tolist() == [0, 1, 2]
    assert clip.frame_count == 3
    assert numbers(clip) == [5, 6, 7]
    assert clip.times_T.tolist() == pytest.approx([0.2, 0.24, 0.28])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": 4}, r"the sampler is 4; .*UniformSampler\(frames=8\)"),
        ({"size_px": 0}, "size_px is 0"),
        ({"size_px": 2.5}, "size_px is 2.5"),
        ({"strategy": "seeks"}, "did you mean 'seek'"),
        ({"count": 0}, "views.times is 0"),
    ],
)
def test_arguments_that_make_no_sense(dive, options, message):
    with pytest.raises(UserError, match=message):
        read_views(dive, **{"sampler": UniformSampler(), **options})


def test_a_file_that_is_no_video(tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    with pytest.raises(VideoError, match=r"text\.avi"):
        muybridge.read_frames(tmp_path / "text.avi", UniformSampler())
