import csv
import json
from pathlib import Path

import numpy as np
import pytest

from muybridge.errors import UserError
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.inference.predictions import ClipPrediction, Predictions

CLASSES = ("jump", "run", "walk", "sit", "stand", "clap")


def one_hot(index: int, score: float = 0.9) -> np.ndarray:
    values = np.full(len(CLASSES), (1 - score) / (len(CLASSES) - 1))
    values[index] = score
    return values


def predictions(*, groups: bool = True) -> Predictions:
    """12 clips of jump and run, two per group: 8 right, 1 undecodable, 3 mistakes of rising confidence."""
    clips = []
    for index in range(12):
        label = CLASSES[index % 2]
        group = f"{label}-{index // 4}" if groups else None
        if index == 5:
            clips.append(ClipPrediction(f"clip {index}", f"{index}.avi", label, group, None, "no frame decoded"))
        else:
            shown = 2 if index in (1, 6, 9) else index % 2
            clips.append(
                ClipPrediction(f"clip {index}", f"{index}.avi", label, group, one_hot(shown, 0.5 + index / 30))
            )
    return Predictions(CLASSES, tuple(clips))


def test_an_evaluation_names_all_that_went_wrong() -> None:
    evaluation = evaluate_predictions(predictions(), protocol="grouped", leak="0 of 12", notes=["left out: swim"])
    assert (evaluation.top1.correct, evaluation.top1.clips) == (8, 12)
    assert [mistake.clip_id for mistake in evaluation.mistakes] == ["clip 9", "clip 6", "clip 1"]
    assert evaluation.mistakes[0].score == pytest.approx(0.8)
    assert [(clip.clip_id, clip.error) for clip in evaluation.undecodable] == [("clip 5", "no frame decoded")]
    assert [(pair.label, pair.predicted, pair.clips) for pair in evaluation.confusions()] == [
        ("run", "walk", 2),
        ("jump", "walk", 1),
    ]
    # jump 5 of 6, run 3 of 6; the four classes without clips take no part.
    assert evaluation.mean_class.value == pytest.approx((5 / 6 + 3 / 6) / 2)
    assert evaluation.mean_class.classes == 2


def test_every_accuracy_is_printed_with_protocol_count_and_interval() -> None:
    evaluation = evaluate_predictions(predictions(), protocol="grouped", leak="0 of 12", notes=["left out: swim"])
    assert evaluation.summary().startswith(
        "top-1 66.7 % (8 of 12 clips; protocol grouped; 95 %: Wilson 39.1-86.2, by 6 source groups "
    )
    assert evaluation.summary().endswith("; 1 of them undecodable, counted as wrong")
    lines = evaluation.details()
    accuracies = [line for line in lines if line.startswith(("top-", "mean class"))]
    assert len(accuracies) == 3
    for line in accuracies:
        assert "12 clips; protocol grouped; 95 %: " in line
        assert "by 6 source groups" in line
    assert lines[-3:] == (
        "only 6 source groups: the interval by group is too narrow",
        "leak: 0 of 12",
        "left out: swim",
    )


def test_top5_is_left_out_where_it_says_nothing() -> None:
    clip = ClipPrediction("1", "1.avi", "a", "g", np.full(5, 0.2))
    evaluation = evaluate_predictions(Predictions(tuple("abcde"), (clip,)), protocol="random", leak=None)
    assert evaluation.top5 is None
    assert evaluation.to_dict()["top5"] is None
    assert not any("top-5" in line for line in evaluation.details())


def test_unknown_groups_give_a_reason_and_no_interval() -> None:
    evaluation = evaluate_predictions(predictions(groups=False), protocol="folder", leak=None)
    assert evaluation.top1.by_group.interval is None
    assert "(8 of 12 clips; protocol folder; 95 %: Wilson 39.1-86.2, source groups unknown)" in evaluation.summary()
    assert "by 12 source groups" not in "\n".join(evaluation.details())
    assert (evaluation.groups_known, evaluation.to_dict()["groups_known"]) == (False, False)
    assert evaluation.details()[-1] == "leak: unknown"


def test_no_clips_is_the_users_error() -> None:
    with pytest.raises(UserError, match="protocol grouped: no clips"):
        evaluate_predictions(Predictions(CLASSES, ()), protocol="grouped", leak=None)


def test_nothing_decoded_is_an_accuracy_of_zero() -> None:
    clip = ClipPrediction("1", "1.avi", "run", "g", None, "empty file")
    evaluation = evaluate_predictions(Predictions(CLASSES, (clip,)), protocol="grouped", leak=None)
    assert evaluation.top1.value == 0
    json.dumps(evaluation.to_dict(), allow_nan=False)


def test_the_folder_holds_the_whole_evaluation(tmp_path: Path) -> None:
    made = predictions()
    evaluation = evaluate_predictions(made, protocol="grouped", leak="0 of 12")
    write_evaluation(tmp_path / "test", made, evaluation)
    names = {"predictions.csv", "per_class.csv", "confusion_matrix.png", "evaluation.json"}
    assert {path.name for path in (tmp_path / "test").iterdir()} == names
    assert json.loads((tmp_path / "test/evaluation.json").read_text()) == evaluation.to_dict()
    # Measuring the saved predictions again gives the same evaluation.
    again = evaluate_predictions(
        Predictions.read_csv(tmp_path / "test/predictions.csv"), protocol="grouped", leak="0 of 12"
    )
    assert again.to_dict() == evaluation.to_dict()
    with (tmp_path / "test/per_class.csv").open(newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert (rows["run"]["clips"], rows["run"]["correct"], rows["run"]["undecodable"]) == ("6", "3", "1")
    assert float(rows["run"]["wilson_low"]) < 0.5 < float(rows["run"]["wilson_high"])
    assert (rows["sit"]["clips"], rows["sit"]["accuracy"]) == ("0", "")


def test_names_that_are_not_utf8_are_written_out(tmp_path: Path) -> None:
    name = b"caf\xe9.avi".decode("utf-8", errors="surrogateescape")
    made = Predictions(("a", "b"), (ClipPrediction(name, name, "a", None, np.array([0.2, 0.8])),))
    write_evaluation(tmp_path, made, evaluate_predictions(made, protocol="folder", leak=None))
    assert r"caf\xe9.avi" in (tmp_path / "predictions.csv").read_text("utf-8")
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["mistakes"][0]["path"] == r"caf\xe9.avi"
