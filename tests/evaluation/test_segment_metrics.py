"""The figures of timelines: those of public evaluation code on the same inputs, and cases that can be told by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from muybridge.dataset.segments import Segment
from muybridge.evaluation.segment_metrics import (
    Counts,
    average_precision,
    boundary_errors,
    edit_score,
    frame_accuracy,
    frame_labels,
    mean_average_precision,
    segment_counts,
    stretches,
)

RECORDED = json.loads((Path(__file__).parent / "recorded_segments.json").read_text("utf-8"))
VIDEO = Path("a.mp4")


def segments(video: str, kind: str) -> list[Segment]:
    return [Segment(Path(video), *rest) for rest in RECORDED["videos"][video][kind]]


@pytest.fixture(scope="module")
def labelled() -> dict[str, tuple[list[str], list[str]]]:
    """Predicted and true labels of each video's frames."""
    return {
        video: tuple(
            frame_labels(segments(video, kind), seconds=content["seconds"], frames_per_second=10)
            for kind in ("predicted", "true")
        )
        for video, content in RECORDED["videos"].items()
    }


def test_frame_accuracy_and_edit_score_are_those_of_ms_tcn(labelled):
    expected = RECORDED["ms_tcn"]
    frames = sum(len(true) for _, true in labelled.values())
    right = sum(frame_accuracy(*both) * len(both[1]) for both in labelled.values())
    assert 100 * right / frames == pytest.approx(expected["accuracy_percent"], abs=1e-9)
    edits = [100 * edit_score(*both) for both in labelled.values()]
    assert np.mean(edits) == pytest.approx(expected["edit_percent"], abs=1e-9)
    assert 10 < np.min(edits) < 90  # the videos are neither easy nor hopeless


@pytest.mark.parametrize("overlap", [0.1, 0.25, 0.5])
def test_f1_at_an_overlap_is_that_of_ms_tcn(labelled, overlap):
    counts = {video: segment_counts(*both, overlap=overlap) for video, both in labelled.items()}
    position = [0.1, 0.25, 0.5].index(overlap)
    assert {video: list(each) for video, each in counts.items()} == {
        video: each[position] for video, each in RECORDED["ms_tcn"]["counts"].items()
    }
    total = Counts(*(sum(each) for each in zip(*counts.values(), strict=True)))
    assert 100 * total.f1 == pytest.approx(RECORDED["ms_tcn"]["f1_percent"][str(overlap)], abs=1e-9)


def test_mean_average_precision_is_that_of_activitynet():
    expected = RECORDED["activitynet"]
    predicted, true = (
        [each for video in RECORDED["videos"] for each in segments(video, kind)] for kind in ("predicted", "true")
    )
    found = mean_average_precision(predicted, true, overlaps=expected["overlaps"])
    np.testing.assert_allclose(found, expected["map"], atol=1e-12)
    assert found.mean() == pytest.approx(expected["mean"], abs=1e-12)
    for label, values in expected["ap"].items():
        own = ([each for each in side if each.label == label] for side in (predicted, true))
        np.testing.assert_allclose(average_precision(*own, overlaps=expected["overlaps"]), values, atol=1e-12)


def test_labels_of_frames_where_segments_overlap():
    sure, unsure = Segment(VIDEO, 1, 3, "a", 0.9), Segment(VIDEO, 2, 5, "b", 0.4)
    labels = frame_labels([sure, unsure], seconds=6, frames_per_second=1)
    assert labels == ["background", "a", "a", "b", "b", "background"]
    assert [tuple(each) for each in stretches(labels)] == [("a", 1, 3), ("b", 3, 5)]
    beyond = frame_labels([Segment(VIDEO, 5, 99, "a")], seconds=6, frames_per_second=2)
    assert beyond == ["background"] * 10 + ["a"] * 2


def test_nothing_found_and_nothing_to_find():
    empty, one = ["background"] * 4, ["a"] * 4
    assert segment_counts(empty, empty, overlap=0.5).f1 == edit_score(empty, empty) == 1
    assert segment_counts(one, empty, overlap=0.5) == (0, 1, 0)
    assert segment_counts(empty, one, overlap=0.5) == (0, 0, 1)
    assert edit_score(one, empty) == 0
    assert average_precision([], [Segment(VIDEO, 0, 1, "a")], overlaps=[0.5]).tolist() == [0]
    with pytest.raises(ValueError, match="no true segment"):
        mean_average_precision([], [], overlaps=[0.5])


def test_one_true_segment_counts_once():
    true = ["a"] * 10
    twice = ["a"] * 6 + ["b"] + ["a"] * 3
    assert segment_counts(twice, true, overlap=0.1) == (1, 2, 0)


def test_a_border_counts_to_the_nearest_one_found():
    true = [Segment(VIDEO, 1, 3, "a"), Segment(VIDEO, 3, 6, "b")]
    found = [Segment(VIDEO, 1.5, 3.2, "a", 0.5)]
    assert boundary_errors(found, true, seconds=10) == pytest.approx([0.5, 0.2, 2.8])
    assert boundary_errors([], true, seconds=10) == [10, 10, 10]
