import json
import math

import pytest

from muybridge.verbs.sweep.results import SweepTrial, best_of


def trial(number, loss, accuracy, *, state="finished", dropout="[b]") -> SweepTrial:
    return SweepTrial(number, {"model.dropout": dropout}, state, accuracy, loss, 3, 8, 12.34)


def row(epoch, loss, accuracy) -> dict[str, float]:
    return {"epoch": epoch, "validation_loss": loss, "validation_accuracy": accuracy, "seconds": 1.5}


ROWS = [row(1, 0.9, 0.50), row(2, 0.5, 0.75), row(3, 0.4, 0.70), row(4, 0.4, 0.75), row(5, 0.6, 0.75)]


@pytest.mark.parametrize(("monitor", "epoch"), [("loss", 3), ("accuracy", 2)])
def test_the_first_of_the_best_epochs_counts(monitor, epoch):
    found = SweepTrial.of_rows(4, {}, ROWS, monitor=monitor, pruned=False)
    chosen = ROWS[epoch - 1]
    assert (found.best_epoch, found.loss, found.accuracy) == (
        epoch,
        chosen["validation_loss"],
        chosen["validation_accuracy"],
    )
    assert (found.number, found.state, found.epochs, found.seconds) == (4, "finished", 5, 7.5)


def test_states():
    def state(rows, *, pruned):
        return SweepTrial.of_rows(1, {}, rows, monitor="loss", pruned=pruned).state

    assert state(ROWS, pruned=True) == "pruned"
    assert state([*ROWS, row(6, math.nan, 0.1)], pruned=False) == "diverged"
    assert state([row(1, math.inf, 0.1)], pruned=True) == "diverged"


def test_a_trial_that_never_had_a_finite_loss_has_no_figures():
    found = SweepTrial.of_rows(1, {}, [row(1, math.nan, 0.9)], monitor="accuracy", pruned=False)
    assert (found.accuracy, found.loss, found.best_epoch) == (None, None, None)


def test_the_best_is_a_finished_one_by_the_monitor_then_by_the_other_figure():
    trials = [
        trial(1, 0.5, 0.80),
        trial(2, 0.4, 0.80),
        trial(3, 0.6, 0.90),
        trial(4, 0.4, 0.85),
        trial(5, 0.1, 0.99, state="pruned"),
        trial(6, 0.7, 0.90),
    ]
    assert best_of(trials, "loss") == trials[3]
    assert best_of(trials, "accuracy") == trials[2]
    assert best_of(trials[4:5], "loss") is None


def test_the_table_says_what_the_clips_cannot_tell_apart(make_result):
    # Wilson's formula by hand for 36 of 40 and z = 1.959964: 0.7695 to 0.9604.
    result = make_result(
        trial(1, 0.9, 0.75),
        trial(2, 0.3, 0.90, dropout="0.2"),
        trial(3, 0.4, 0.775),
        trial(4, 0.8, 0.80, state="pruned"),
        SweepTrial(5, {"model.dropout": "0.9"}, "failed", reason="no such thing"),
    )
    assert result.interval.low == pytest.approx(0.7695, abs=1e-4)
    assert result.interval.high == pytest.approx(0.9604, abs=1e-4)
    lines = str(result).splitlines()
    marks = [line.split()[-1] for line in lines[2:7]]
    assert marks == ["best", "~", "12", "pruned", "failed"]
    assert [line.split()[0] for line in lines[2:7]] == ["2", "3", "1", "4", "5"]
    assert lines[3].split()[1] == "[b]"  # a value is printed as it is, whatever rich makes of brackets
    text = "\n".join(lines[7:])
    assert "36 of 40 validation clips right, 90.0 % (95 %, Wilson: 76.9-96.0)" in text
    assert "best of 5" in text
    assert "do not separate 1 of 2 other" in text
    assert "test part was not measured" in text
    assert "muybridge train clips --recipe 'runs/a b/best.yaml'" in text


def test_the_result_as_json(make_result):
    result = make_result(trial(1, 0.9, 0.75), trial(2, 0.3, 0.90), monitor="accuracy")
    value = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert value["chosen_by"] == "validation accuracy"
    assert value["best"]["number"] == 2
    assert [found["within_interval_of_best"] for found in value["trials"]] == [False, True]
    assert value["trials"][0]["values"] == {"model.dropout": "[b]"}


def test_a_row_of_the_file():
    assert trial(3, 0.4, 0.5).to_row() == {
        "trial": 3,
        "model.dropout": "[b]",
        "state": "finished",
        "accuracy": 0.5,
        "loss": 0.4,
        "best_epoch": 3,
        "epochs": 8,
        "seconds": 12.34,
        "reason": "",
    }
