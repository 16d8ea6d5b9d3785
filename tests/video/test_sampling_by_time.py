"""Frames by time: against a slow rule written a second time, against counting, and on real files of two rates."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.errors import UserError, VideoError
from muybridge.recipes.frames import SamplerConfig
from muybridge.video.clip_times import ClipTimes
from muybridge.video.decoding import iterate_frames, read_sampled
from muybridge.video.in_memory import FrameArray
from muybridge.video.sampler import ClipTooShortError, TimedSampler
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler, sampler_from_dict

rates = st.sampled_from([1, 2.5, 5, 8, 12.5, 15, 30])
lengths = st.integers(1, 20)
gaps = st.lists(st.integers(5, 400), min_size=0, max_size=80)  # milliseconds between frames
timed = st.one_of(
    st.builds(EverySampler, frames=st.integers(0, 20), frames_per_second=rates),
    st.builds(DenseSampler, frames=lengths, frames_per_second=rates),
    st.builds(SlidingSampler, frames=lengths, hop=st.none() | st.integers(1, 9), frames_per_second=rates),
)


def at_rate(frame_count: int, rate: float) -> np.ndarray:
    return np.arange(frame_count) / rate


def shown(seconds: list[float], time: float) -> int:
    """The last frame whose time has come."""
    return max(index for index, each in enumerate(seconds) if index == 0 or each <= time + 0.001)


@given(timed, gaps, st.none() | st.integers(1, 4))
def test_every_frame_is_the_one_shown_at_its_time(sampler: TimedSampler, gaps: list[int], count: int | None) -> None:
    seconds = (np.cumsum([0, *gaps]) / 1000).tolist()
    sampler = replace(sampler, policy="shorter")
    views = sampler.views(len(seconds), count=count, seconds_N=np.array(seconds))
    starts = sampler._start_seconds(ClipTimes(np.array(seconds)), count)
    assert len(views) == len(starts) and starts == sorted(starts)
    end = seconds[-1] + (seconds[-1] / len(gaps) if gaps else 0)
    for start, view in zip(starts, views, strict=True):
        times = [start + step / sampler.frames_per_second for step in range(len(view))]
        assert view.tolist() == [shown(seconds, time) for time in times]
        # It goes on to the end of the clip, and not beyond.
        following = start + len(view) / sampler.frames_per_second
        assert len(view) == sampler.frames or following >= end - 0.002
        assert len(view) == 1 or times[-1] < end


@given(lengths, st.integers(1, 6), st.integers(1, 300), st.sampled_from([24, 25, 30, 60]), st.integers(1, 4))
def test_where_the_rate_divides_the_clips_it_is_the_same_as_counting(
    frames: int, stride: int, frame_count: int, rate: int, count: int
) -> None:
    seconds_N = at_rate(frame_count, rate)
    by_time = DenseSampler(frames=frames, frames_per_second=rate / stride)
    by_count = DenseSampler(frames=frames, stride=stride)
    for found, expected in zip(
        by_time.views(frame_count, count=count, seconds_N=seconds_N),
        by_count.views(frame_count, count=count),
        strict=True,
    ):
        assert found.tolist() == expected.tolist()
    [found] = EverySampler(frames_per_second=rate / stride).views(frame_count, seconds_N=seconds_N)
    [expected] = EverySampler(every=stride).views(frame_count)
    assert found.tolist() == expected.tolist()


@given(timed, st.integers(1, 200), st.sampled_from([24, 25, 30]), st.integers(2, 4), st.none() | st.integers(1, 4))
def test_a_camera_that_writes_each_picture_twice_changes_nothing(
    sampler: TimedSampler, frame_count: int, rate: int, times: int, count: int | None
) -> None:
    once = sampler.views(frame_count, count=count, seconds_N=at_rate(frame_count, rate))
    again = sampler.views(frame_count * times, count=count, seconds_N=at_rate(frame_count * times, rate * times))
    if frame_count > 1:  # a single picture has no length of its own
        if isinstance(sampler, SlidingSampler):  # the last window ends with the last of all frames
            once, again = once[:-1], again[:-1]
        assert [(view // times).tolist() for view in again[: len(once)]] == [view.tolist() for view in once]


def test_windows_slide_in_time() -> None:
    windows = SlidingSampler(frames=4, hop=2, frames_per_second=5).views(50, seconds_N=at_rate(50, 25))
    assert [view.tolist() for view in windows] == [
        [0, 5, 10, 15],
        [10, 15, 20, 25],
        [20, 25, 30, 35],
        [30, 35, 40, 45],
        [34, 39, 44, 49],  # moved back, so that it ends with the clip
    ]
    two = SlidingSampler(frames=4, hop=2, frames_per_second=5).views(50, count=2, seconds_N=at_rate(50, 25))
    assert [view.tolist() for view in two] == [[10, 15, 20, 25], [30, 35, 40, 45]]


def test_a_clip_too_short_in_time_follows_the_policy() -> None:
    sampler = DenseSampler(frames=8, frames_per_second=5)
    seconds_N = at_rate(25, 25)  # five steps of a fifth of a second
    views = {
        policy: replace(sampler, policy=policy).views(25, seconds_N=seconds_N)[0].tolist()
        for policy in ("shorter", "repeat_last", "wrap")
    }
    taken = [0, 5, 10, 15, 20]
    assert views == {
        "shorter": taken,
        "repeat_last": [*taken, 20, 20, 20],
        "wrap": [*taken, 0, 5, 10],
    }
    with pytest.raises(ClipTooShortError, match="25 frames, which makes 5 of the 8"):
        replace(sampler, policy="error").views(25, seconds_N=seconds_N)


def test_more_frames_a_second_than_the_clip_has_repeat_what_is_shown() -> None:
    [view] = DenseSampler(frames=6, frames_per_second=20).views(3, seconds_N=at_rate(3, 10))
    assert view.tolist() == [0, 0, 1, 1, 2, 2]


def test_saved_samplers() -> None:
    sampler = DenseSampler(frames=16, frames_per_second=5)
    assert sampler.to_dict()["frames_per_second"] == 5
    assert sampler_from_dict(sampler.to_dict()) == sampler
    # As it was written before there was a rate: names of cache entries hang on it.
    assert DenseSampler(frames=4).to_dict() == {"kind": "dense", "policy": "repeat_last", "frames": 4, "stride": 1}
    assert not sampler_from_dict(DenseSampler(frames=4).to_dict()).by_time


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "uniform", "frames_per_second": 5}, "kind uniform spreads .*choose sampler.kind dense"),
        ({"kind": "dense", "stride": 2, "frames_per_second": 5}, "sampler.stride is 2, .*leave one of them out"),
        ({"kind": "dense", "frames_per_second": -1}, "sampler.frames_per_second is -1"),
        ({"kind": "dense", "frames_per_second": float("nan")}, "sampler.frames_per_second is nan"),
        ({"kind": "sliding", "frames_per_second": float("inf")}, "sampler.frames_per_second is inf"),
    ],
)
def test_rates_that_make_no_sense(values: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SamplerConfig(**values)


def test_recipes_make_them() -> None:
    for kind, expected in (
        ("every", EverySampler(frames=8, policy="repeat_last", frames_per_second=5.0)),
        ("dense", DenseSampler(frames=8, frames_per_second=5.0)),
        ("sliding", SlidingSampler(frames=8, hop=8, frames_per_second=5.0)),
    ):
        assert SamplerConfig(kind=kind, frames_per_second=5.0).build() == expected


def test_without_times_a_sampler_by_time_cannot_choose() -> None:
    with pytest.raises(ValueError, match="seconds_N must have 9 times"):
        DenseSampler(frames_per_second=5).views(9)


# ---- files

FILE_SAMPLERS = [
    DenseSampler(frames=5, frames_per_second=5),
    EverySampler(frames_per_second=8),
    SlidingSampler(frames=4, hop=3, frames_per_second=12.5),
]


@pytest.mark.parametrize("strategy", ["auto", "seek", "sequential"])
@pytest.mark.parametrize("sampler", FILE_SAMPLERS, ids=lambda sampler: sampler.kind)
def test_what_is_read_is_what_decoding_in_order_shows(odd_video, sampler, strategy) -> None:
    frames = list(iterate_frames(odd_video.path))
    seconds = [frame.timestamp_seconds for frame in frames]
    sampled = read_sampled(odd_video.path, sampler, views=None, strategy=strategy)
    starts = sampler._start_seconds(ClipTimes(np.array(seconds)), None)
    assert len(sampled.views) == len(starts)
    for start, positions in zip(starts, sampled.views, strict=True):
        for step, position in enumerate(positions):
            if step and position == positions[step - 1] == positions[-1]:
                break  # repeated at the end of a short clip
            expected = frames[shown(seconds, start + step / sampler.frames_per_second)]
            assert sampled.indices[position] == expected.index
            np.testing.assert_array_equal(sampled.frames_THWC[position], expected.image_HWC)


def write_levels(path, levels: list[int], *, rate: int) -> None:
    """Frames of one grey level each, of which none is lost by compression."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "0", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("sampler", FILE_SAMPLERS[:2], ids=lambda sampler: sampler.kind)
def test_a_clip_of_25_a_second_written_again_at_50_has_the_same_pictures(tmp_path, sampler, suffix) -> None:
    levels = np.random.default_rng(0).permutation(np.arange(20, 235, 3))[:61].tolist()
    write_levels(tmp_path / f"25.{suffix}", levels, rate=25)
    write_levels(tmp_path / f"50.{suffix}", [level for level in levels for _ in range(2)], rate=50)
    for part in ({}, {"start_seconds": 0.4, "end_seconds": 1.7}):
        at25, at50 = (
            read_sampled(tmp_path / f"{rate}.{suffix}", sampler, views=3, size_px=32, **part) for rate in (25, 50)
        )
        for view25, view50 in zip(at25.views, at50.views, strict=True):
            np.testing.assert_array_equal(at25.frames_THWC[view25], at50.frames_THWC[view50])
        assert len({int(frame.mean()) for frame in at25.frames_THWC[at25.views[0]]}) >= 5
    # By count they differ: a test that could not fail would be none.
    counted = [
        read_sampled(tmp_path / f"{rate}.{suffix}", DenseSampler(frames=5, stride=5), size_px=32) for rate in (25, 50)
    ]
    assert not np.array_equal(*(each.frames_THWC[each.views[0]] for each in counted))


def test_frames_of_an_array_by_time() -> None:
    frames_THWC = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    sampler = DenseSampler(frames=4, frames_per_second=5)
    [view] = FrameArray.checked(frames_THWC, frames_per_second=25, name="clip").views(sampler)
    assert view[:, 0, 0, 0].tolist() == [17, 22, 27, 32]
    [view] = FrameArray.checked(frames_THWC, frames_per_second=10, name="clip").views(sampler, start_seconds=1)
    assert view[:, 0, 0, 0].tolist() == [27, 29, 31, 33]
    with pytest.raises(UserError, match=r"clip: the sampler takes frames by time .*; set frames_per_second"):
        FrameArray.checked(frames_THWC, name="clip").views(sampler)
    with pytest.raises(VideoError, match="makes 1 of the 4"):
        FrameArray.checked(frames_THWC, frames_per_second=1000, name="clip").views(replace(sampler, policy="error"))
    # Whoever counts needs no rate.
    assert FrameArray.checked(frames_THWC, name="clip").views(UniformSampler(frames=2))
