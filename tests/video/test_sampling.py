"""The samplers, against their rules written a second time in another way."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.errors import UserError
from muybridge.video.sampler import ClipTooShortError, Sampler
from muybridge.video.sampling import DenseSampler, EverySampler, SlidingSampler, UniformSampler, sampler_from_dict

POLICIES = ("repeat_last", "wrap", "error", "shorter")
frame_counts = st.integers(1, 400)
lengths = st.integers(1, 40)
strides = st.integers(1, 8)
policies = st.sampled_from(POLICIES)
samplers = st.one_of(
    st.builds(UniformSampler, frames=lengths, policy=policies),
    st.builds(UniformSampler, frames=st.integers(2, 40), rule=st.just("paper"), policy=policies),
    st.builds(EverySampler, every=strides, frames=st.integers(0, 40), policy=policies),
    st.builds(DenseSampler, frames=lengths, stride=strides, policy=policies),
    st.builds(SlidingSampler, frames=lengths, stride=strides, hop=st.none() | strides, policy=policies),
)


def as_lists(views: list[np.ndarray]) -> list[list[int]]:
    return [view.tolist() for view in views]


def views_or_none(sampler: Sampler, frame_count: int, count: int | None = None) -> list[list[int]] | None:
    try:
        return as_lists(sampler.views(frame_count, count=count))
    except ClipTooShortError:
        assert sampler.policy == "error"
        return None


@given(samplers, frame_counts, st.none() | st.integers(1, 6))
def test_views_are_in_range_rising_and_deterministic(sampler: Sampler, frame_count: int, count: int | None) -> None:
    if isinstance(sampler, UniformSampler) and sampler.rule == "paper":
        count = None
    views = views_or_none(sampler, frame_count, count)
    if views is None:
        return
    assert views == views_or_none(sampler, frame_count, count)
    if count is not None:
        assert len(views) == count
    for view in views:
        assert view and min(view) >= 0 and max(view) < frame_count
        if sampler.policy != "wrap":
            assert view == sorted(view)
        if sampler.policy == "shorter":
            assert len(set(view)) == len(view)


@given(samplers, frame_counts)
def test_policies_differ_only_in_what_follows_the_taken_frames(sampler: Sampler, frame_count: int) -> None:
    taken = replace(sampler, policy="shorter").views(frame_count)[0].tolist()
    frames = sampler.frames or len(taken)
    missing = frames - len(taken)
    assert missing >= 0
    repeated = replace(sampler, policy="repeat_last").views(frame_count)[0].tolist()
    assert repeated == taken + missing * taken[-1:]
    wrapped = replace(sampler, policy="wrap").views(frame_count)[0].tolist()
    assert wrapped == [taken[i % len(taken)] for i in range(frames)]
    if missing:
        with pytest.raises(ClipTooShortError, match=f"{frame_count} frames"):
            replace(sampler, policy="error").views(frame_count)
    else:
        assert replace(sampler, policy="error").views(frame_count)[0].tolist() == taken


@given(samplers)
def test_round_trip_through_a_dict(sampler: Sampler) -> None:
    values = sampler.to_dict()
    assert all(isinstance(value, str | int | None) for value in values.values())
    assert sampler_from_dict(values) == sampler


@given(lengths, frame_counts, st.integers(1, 6))
def test_even_rule_follows_its_formula(frames: int, frame_count: int, count: int) -> None:
    views = as_lists(UniformSampler(frames=frames).views(frame_count, count=count))
    if frame_count < frames:
        return
    for v, view in enumerate(views):
        place = Fraction(2 * v + 1, 2 * count)
        assert view == [floor((t + place) * Fraction(frame_count, frames)) for t in range(frames)]
        for t, index in enumerate(view):  # each frame in its own segment
            assert floor(Fraction(t * frame_count, frames)) <= index < Fraction((t + 1) * frame_count, frames)
    if frame_count >= frames * count:
        assert len({tuple(view) for view in views}) == count


def paper_rule(frame_count: int, frames: int) -> list[int]:
    """The paper's generator as a reader of frames: one pass, keeping or dropping each."""
    counted = frame_count + 1 if frame_count % 2 else frame_count
    step = max(1, counted // (frames - 1))
    kept: list[int] = []
    for number in range(1, frame_count + 1):
        if len(kept) < frames and (number == 1 or number % step == 0 or number == frame_count):
            kept.append(number)
    return kept


@given(st.integers(2, 40), frame_counts)
def test_paper_rule_keeps_what_the_report_kept(frames: int, frame_count: int) -> None:
    view = UniformSampler(frames=frames, rule="paper", policy="shorter").views(frame_count)[0]
    assert (view + 1).tolist() == paper_rule(frame_count, frames)
    if frame_count >= frames:
        assert len(view) == frames


@pytest.mark.parametrize(
    ("frame_count", "numbers"),
    [
        (93, [1, 23, 46, 69, 92]),
        (80, [1, 20, 40, 60, 80]),
        (95, [1, 24, 48, 72, 95]),  # an odd count is raised to find the step: 96 // 4
        (5, [1, 2, 3, 4, 5]),
        (7, [1, 2, 4, 6, 7]),
    ],
)
def test_paper_rule_examples(frame_count: int, numbers: list[int]) -> None:
    assert (UniformSampler(frames=5, rule="paper").views(frame_count)[0] + 1).tolist() == numbers


def test_paper_rule_has_one_view_and_two_frames_at_least() -> None:
    with pytest.raises(UserError, match="one view"):
        UniformSampler(frames=5, rule="paper").views(50, count=2)
    with pytest.raises(UserError, match="2 or more"):
        UniformSampler(frames=1, rule="paper")


@given(strides, frame_counts, st.integers(1, 8))
def test_every_takes_each_nth_frame_and_shifts_views(every: int, frame_count: int, count: int) -> None:
    views = as_lists(EverySampler(every=every).views(frame_count, count=count))
    assert views[0] == list(range(0, frame_count, every))
    for view in views:
        assert view == list(range(view[0], frame_count, every))
        assert view[0] < every
    if count <= min(every, frame_count):
        assert len({view[0] for view in views}) == count


def test_every_stops_at_its_maximum() -> None:
    assert as_lists(EverySampler(every=6, frames=3).views(100)) == [[0, 6, 12]]


@given(lengths, strides, frame_counts, st.integers(1, 6))
def test_dense_views_are_whole_stretches(frames: int, stride: int, frame_count: int, count: int) -> None:
    sampler = DenseSampler(frames=frames, stride=stride)
    if frame_count < sampler.span:
        return
    views = as_lists(sampler.views(frame_count, count=count))
    for view in views:
        assert len(view) == frames and all(b - a == stride for a, b in pairwise(view))
    if frame_count - sampler.span + 1 >= count:
        assert len({view[0] for view in views}) == count
    before, after = (view := sampler.views(frame_count)[0])[0], frame_count - 1 - view[-1]
    assert abs(before - after) <= 1  # one view lies in the middle


@given(lengths, strides, st.none() | st.integers(1, 50), frame_counts)
def test_sliding_windows_cover_the_clip(frames: int, stride: int, hop: int | None, frame_count: int) -> None:
    sampler = SlidingSampler(frames=frames, stride=stride, hop=hop)
    windows = as_lists(sampler.views(frame_count))
    assert windows[0][0] == 0
    if frame_count < sampler.span:
        assert len(windows) == 1
        return
    assert windows[-1][-1] == frame_count - 1
    step = hop or sampler.span
    starts = [window[0] for window in windows]
    assert all(b - a == step for a, b in pairwise(starts[:-1]))
    assert all(0 < b - a <= step for a, b in pairwise(starts))
    if step <= sampler.span:
        covered = {index for window in windows for index in range(window[0], window[-1] + 1)}
        assert covered == set(range(frame_count))


@given(st.integers(1, 12), frame_counts)
def test_sliding_chooses_among_its_windows(count: int, frame_count: int) -> None:
    sampler = SlidingSampler(frames=8, hop=4)
    windows = as_lists(sampler.views(frame_count))
    chosen = as_lists(sampler.views(frame_count, count=count))
    assert len(chosen) == count
    places = [windows.index(window) for window in chosen]
    assert places == sorted(places)
    if count <= len(windows):
        assert len(set(places)) == count
        gaps = {b - a for a, b in pairwise(places)}
        assert not gaps or max(gaps) - min(gaps) <= 1


def test_sliding_gives_the_chunks_of_ullah() -> None:
    windows = as_lists(SlidingSampler(frames=6, stride=6, hop=36).views(100))
    assert windows == [[0, 6, 12, 18, 24, 30], [36, 42, 48, 54, 60, 66], [69, 75, 81, 87, 93, 99]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "unifrom"}, "did you mean 'uniform'"),
        ({"kind": "uniform", "frame": 5}, "did you mean 'frames'"),
        ({"kind": "dense", "policy": "repeat-last"}, "did you mean 'repeat_last'"),
        ({"kind": "uniform", "rule": "papre"}, "did you mean 'paper'"),
        ({"kind": "uniform", "frames": "16"}, "whole number"),
        ({"kind": "uniform", "frames": True}, "whole number"),
        ({"kind": "sliding", "hop": 0}, "sampler.hop is 0; give a whole number of 1 or more"),
        ({"kind": "every", "frames": -1}, "0 or more"),
        ({"kind": "zzz"}, "choose from dense, every, sliding, uniform"),
        ({"frames": 5}, "needs a 'kind'"),
    ],
)
def test_bad_settings_are_named(values: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sampler_from_dict(values)


@pytest.mark.parametrize(
    ("saved", "sampler"),
    [
        ({"kind": "uniform", "policy": "wrap", "frames": 5, "rule": "report"}, UniformSampler),
        ({"kind": "every", "policy": "shorter", "every": 4, "max_frames": None}, EverySampler),
        ({"kind": "every", "policy": "shorter", "every": 4, "max_frames": 7}, EverySampler),
    ],
)
def test_samplers_saved_with_older_words_still_load(saved: dict, sampler: type[Sampler]) -> None:
    made = sampler_from_dict(saved)
    assert type(made) is sampler
    assert made.policy == saved["policy"]
    if isinstance(made, UniformSampler):
        assert (made.rule, made.frames) == ("paper", 5)
    if isinstance(made, EverySampler):
        assert made.frames == (saved["max_frames"] or 0)
    assert sampler_from_dict(made.to_dict()) == made


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(UserError, match=r"views\.times is 0"):
        DenseSampler().views(10, count=0)
    with pytest.raises(ValueError, match="frame_count"):
        DenseSampler().views(0)
