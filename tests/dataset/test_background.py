"""Background: what is cut out of time without a segment, and that it is the same draw everywhere."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.dataset.background import BACKGROUND, free_spans, with_background
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.errors import UserError

ROOT = Path("/nowhere")
LENGTHS = (2.0, 3.0, 5.0)


def part(video: str, start: float, end: float | None, label: str, **more: object) -> Clip:
    return Clip(ROOT / video, label, more.pop("group", video), start_seconds=start, end_seconds=end, root=ROOT, **more)  # type: ignore[arg-type]


def catalog(*clips: Clip, videos: tuple[str, ...] = ("a.mp4", "b.mp4")) -> Catalog:
    return Catalog(ROOT, "csv", clips, videos=tuple(ROOT / name for name in videos))


SEGMENTS = catalog(
    part("a.mp4", 20.0, 22.0, "run"), part("a.mp4", 30.0, 33.0, "jump"), part("a.mp4", 50.0, 55.0, "run"),
    part("b.mp4", 10.0, 12.0, "jump"), part("b.mp4", 11.0, 14.0, "run"),
)  # fmt: skip
ENDS = {ROOT / "a.mp4": 60.0, ROOT / "b.mp4": 30.0}


def drawn(
    amount: str, *, kept: Catalog = SEGMENTS, everything: Catalog = SEGMENTS, guard: float = 0.5, seed: int = 0
) -> list[Clip]:
    made = with_background(kept, everything, ENDS, amount=amount, guard_seconds=guard, seed=seed)  # type: ignore[arg-type]
    assert set(kept.clips) <= set(made.clips)
    assert made.notes[-1].startswith("background: ")
    return [clip for clip in made.clips if clip.label == BACKGROUND]


def span(clip: Clip) -> tuple[float, float]:
    assert clip.start_seconds is not None and clip.end_seconds is not None
    return clip.start_seconds, clip.end_seconds


@pytest.mark.parametrize("guard", [0.0, 0.5, 2.0])
def test_all_background_lasts_as_long_as_segments_and_keeps_away_from_them(guard: float) -> None:
    clips = drawn("all", guard=guard)
    assert len(clips) > 10
    for clip in clips:
        start, end = span(clip)
        assert any(abs(end - start - length) < 1e-5 for length in LENGTHS)
        assert start >= 0 and end <= ENDS[clip.path]
        others = [each for each in SEGMENTS.clips if each.path == clip.path]
        assert all(end <= span(each)[0] - guard + 1e-5 or start >= span(each)[1] + guard - 1e-5 for each in others)
        assert clip.group == clip.path.name and clip.group_known
    by_video = sorted((clip.path, *span(clip)) for clip in clips)
    assert all(a[0] != b[0] or a[2] <= b[1] + 1e-5 for a, b in itertools.pairwise(by_video))
    assert len(Counter(round(span(clip)[1] - span(clip)[0], 3) for clip in clips)) == 3


def test_auto_takes_as_many_as_the_median_class_has_and_the_seed_decides_which() -> None:
    first = drawn("auto")
    assert len(first) == 2  # run has three segments, jump two
    assert first == drawn("auto")
    assert {clip.id for clip in first} <= {clip.id for clip in drawn("all")}
    assert len({tuple(clip.id for clip in drawn("auto", seed=seed)) for seed in range(5)}) > 1


def test_what_a_class_covers_that_is_not_kept_is_no_background() -> None:
    kept = SEGMENTS.subset(("jump",))
    starts = [span(clip) for clip in drawn("all", kept=kept) if clip.path.name == "a.mp4"]
    assert not any(start < 55.5 and end > 49.5 for start, end in starts)


def test_a_gap_that_is_a_little_too_short_is_one_clip() -> None:
    gap = catalog(part("a.mp4", 0.0, 4.0, "run"), part("a.mp4", 7.5, 60.0, "run"), videos=("a.mp4",))
    ends = {ROOT / "a.mp4": 60.0}
    made = with_background(gap, gap, ends, amount="all", guard_seconds=0.5, seed=0)
    assert [span(clip) for clip in made.clips if clip.label == BACKGROUND] == [(4.5, 7.0)]
    with pytest.raises(UserError, match=r"no time of the videos of .* is so free of segments"):
        with_background(gap, gap, ends, amount="all", guard_seconds=1.5, seed=0)


def test_a_video_without_a_segment_is_background_and_the_split_of_a_video_is_its_own() -> None:
    clips = catalog(part("a.mp4", 20.0, 22.0, "run", split="train", group="day 1"))
    made = with_background(clips, clips, ENDS, amount="all", guard_seconds=0.5, seed=0)
    found = [clip for clip in made.clips if clip.label == BACKGROUND]
    assert {(clip.path.name, clip.group, clip.split) for clip in found} == {
        ("a.mp4", "day 1", "train"), ("b.mp4", "b.mp4", None),
    }  # fmt: skip


def test_the_rule_of_source_groups_holds_for_videos_without_a_segment() -> None:
    clips = catalog(part("cam1_a.mp4", 20.0, 22.0, "run", group="cam1"), videos=("cam1_a.mp4", "cam1_b.mp4"))
    ends = {ROOT / "cam1_a.mp4": 30.0, ROOT / "cam1_b.mp4": 30.0}
    made = with_background(clips, clips, ends, amount="all", guard_seconds=0.5, seed=0, groups=r"(cam\d)_")
    assert {clip.group for clip in made.clips} == {"cam1"}


def test_clips_that_are_files_have_no_background() -> None:
    whole = Catalog(ROOT, "folders", (Clip(ROOT / "a.mp4", "run", "a", root=ROOT),))
    with pytest.raises(UserError, match=r"data\.background auto needs long videos with segments"):
        with_background(whole, whole, {}, amount="auto", guard_seconds=0.5, seed=0)


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)).map(lambda pair: (min(pair), max(pair))), max_size=8),
    st.floats(1, 60),
    st.floats(0, 3),
)
def test_free_time_and_segments_make_the_whole_video(
    segments: list[tuple[float, float]], end: float, guard: float
) -> None:
    free = free_spans(segments, end, guard_seconds=guard)
    assert all(start < stop <= end for start, stop in free)
    assert all(a[1] < b[0] or a[1] == b[0] for a, b in itertools.pairwise(free))
    for number in range(200):
        here = end * number / 200
        covered = any(start - guard <= here < stop + guard for start, stop in segments)
        assert covered != any(start <= here < stop for start, stop in free) or any(
            here in (start - guard, stop + guard) for start, stop in segments
        )
