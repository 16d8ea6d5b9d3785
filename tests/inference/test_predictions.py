import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from muybridge.errors import UserError
from muybridge.inference.predictions import ClipPrediction, Predictions

# Any text a file system or a decoder can give us, with surrogates as Python reads undecodable bytes.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
    min_size=1,
    max_size=12,
).map(lambda text: os.fsdecode(os.fsencode(text)))


@st.composite
def any_predictions(draw: st.DrawFn) -> Predictions:
    classes = draw(st.lists(TEXT, min_size=1, max_size=5, unique=True))
    names = draw(st.lists(TEXT, max_size=6, unique=True))
    clips = []
    for name in names:
        weights = draw(
            npst.arrays(
                draw(st.sampled_from([np.float32, np.float64])),
                len(classes),
                elements=st.floats(0, 1, width=32),
            )
        )
        decoded = draw(st.booleans()) and weights.sum() > 1e-3
        clips.append(
            ClipPrediction(
                clip_id=name,
                path=draw(TEXT),
                label=draw(st.sampled_from(classes)),
                group=draw(st.none() | TEXT),
                probabilities=weights / weights.sum() if decoded else None,
                error=None if decoded else draw(TEXT),
            )
        )
    return Predictions(tuple(classes), tuple(clips))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(predictions=any_predictions())
def test_csv_round_trip_is_lossless(tmp_path: Path, predictions: Predictions) -> None:
    path = tmp_path / "predictions.csv"
    predictions.write_csv(path)
    read = Predictions.read_csv(path)
    assert read.classes == predictions.classes
    assert len(read.clips) == len(predictions.clips)
    for ours, theirs in zip(predictions.clips, read.clips, strict=True):
        for field in ("clip_id", "path", "label", "group", "error"):
            assert getattr(ours, field) == getattr(theirs, field)
        if ours.probabilities is None:
            assert theirs.probabilities is None
        else:
            assert theirs.probabilities is not None
            assert ours.probabilities.tobytes() == theirs.probabilities.tobytes()


def small() -> Predictions:
    return Predictions(
        classes=("run", "walk"),
        clips=(
            ClipPrediction("1", "a.avi", "walk", "g1", np.array([0.25, 0.75])),
            ClipPrediction("2", "b.avi", "walk", None, np.array([0.5, 0.5])),
            ClipPrediction("3", "c.avi", "run", "g1", None, "no frame, at all"),
        ),
    )


def test_arrays() -> None:
    predictions = small()
    assert predictions.labels_N.tolist() == [1, 1, 0]
    assert predictions.decoded_N.tolist() == [True, True, False]
    assert predictions.predicted_N.tolist() == [1, 0, -1]
    assert predictions.correct_N.tolist() == [True, False, False]
    assert np.isnan(predictions.probabilities_NK[2]).all()


def test_csv_reads_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    small().write_csv(path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "clip": "1",
        "path": "a.avi",
        "group": "g1",
        "label": "walk",
        "predicted": "walk",
        "correct": "1",
        "score": "0.75",
        "error": "",
        "p:run": "0.25",
        "p:walk": "0.75",
    }
    assert (rows[2]["predicted"], rows[2]["correct"], rows[2]["error"]) == ("", "0", "no frame, at all")
    assert list(tmp_path.iterdir()) == [path]


def test_no_clips_and_one_class_are_fine() -> None:
    empty = Predictions(("only",), ())
    assert empty.probabilities_NK.shape == (0, 1)
    assert empty.predicted_N.shape == empty.labels_N.shape == empty.correct_N.shape == (0,)


@pytest.mark.parametrize(
    ("probabilities", "error", "message"),
    [
        (None, None, "either"),
        ([1.0, 0.0], "broken", "either"),
        ([0.9, 0.9], None, "add up"),
        ([1.5, -0.5], None, "not negative"),
        ([np.nan, 1.0], None, "finite"),
        ([[0.5, 0.5]], None, "one row"),
    ],
)
def test_impossible_clips_are_refused(probabilities: list[float] | None, error: str | None, message: str) -> None:
    values = None if probabilities is None else np.array(probabilities)
    with pytest.raises(ValueError, match=message):
        ClipPrediction("1", "a.avi", "walk", "g", values, error)


def test_predictions_that_do_not_fit_are_refused() -> None:
    clip = ClipPrediction("1", "a.avi", "walk", "g", np.array([0.5, 0.5]))
    for classes, clips, message in [
        (("walk", "walk"), (clip,), "distinct"),
        ((), (), "non-empty"),
        (("run", "jump"), (clip,), "label 'walk'"),
        (("walk", "run"), (clip, clip), "twice"),
        (("walk", "run", "jump"), (clip,), "2 probabilities, 3 classes"),
    ]:
        with pytest.raises(ValueError, match=message):
            Predictions(classes, clips)


def test_probabilities_cannot_be_changed_afterwards() -> None:
    values = np.array([0.25, 0.75])
    clip = ClipPrediction("1", "a.avi", "walk", "g", values)
    values[:] = 0
    assert clip.probabilities is not None
    assert clip.probabilities.tolist() == [0.25, 0.75]
    with pytest.raises(ValueError, match="read-only"):
        clip.probabilities[0] = 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a predictions file"),
        ("name,score\n", "not a predictions file"),
        ("clip,path,group,label,predicted,correct,score,error,p:a\n1,x,g,a,a,1,1.0,\n", "line 2: 8 fields"),
        (
            "clip,path,group,label,predicted,correct,score,error,p:a\n1,x,g,a,a,1,1.0,,high\n",
            "line 2: could not",
        ),
        ("clip,path,group,label,predicted,correct,score,error,p:a\n1,x,g,b,a,1,1.0,,1.0\n", "label 'b'"),
        ("clip,path,group,label,predicted,correct,score,error,p:a\n1,x,g,a,,0,,,\n", "line 2: could not"),
    ],
)
def test_a_damaged_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        Predictions.read_csv(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.csv: cannot read"):
        Predictions.read_csv(tmp_path / "nowhere.csv")
