import statistics

import pytest

from muybridge.errors import UserError
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.training import TrainingConfig
from muybridge.verbs.sweep.space import parse_space
from muybridge.verbs.sweep.study import Study

RANGES = ["training.learning_rate=1e-4..1e-2", "sampler.frames=2..9", "augment.flip=true,false"]
GRID = ["model.dropout=0.1,0.2,0.3", "augment.flip=true,false"]


def study_of(path, over, *, epochs=6, monitor="loss", prune=True, seed=0) -> Study:
    training = TrainingConfig(epochs=epochs, head_epochs=0, monitor=monitor, seed=seed)
    return Study(path / "study.db", parse_space(over, Recipe(training=training)), prune=prune)


def end(trial, figure=None):
    trial.finish({"number": trial.number}, figure=figure)


def test_a_grid_is_covered_once(tmp_path):
    study = study_of(tmp_path, GRID)
    seen = []
    for _ in range(6):
        trial = study.next()
        seen.append(tuple(trial.values.values()))
        end(trial, 1.0)
    assert sorted(seen) == [(dropout, flip) for dropout in ("0.1", "0.2", "0.3") for flip in ("false", "true")]
    assert seen[:2] != [("0.1", "true"), ("0.1", "false")]  # cut short, a sweep has not seen one corner only


def test_ranges_give_numbers_within_them(tmp_path):
    study = study_of(tmp_path, RANGES)
    for _ in range(8):
        trial = study.next()
        rate, frames, flip = trial.values.values()
        assert 1e-4 <= rate <= 1e-2
        assert frames in range(2, 10)
        assert flip in ("true", "false")
        end(trial, rate)


def test_a_study_that_is_opened_again_goes_on_as_if_nothing_had_happened(tmp_path):
    """Each process ends in the middle of a trial, and the next one takes it up."""
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    study = study_of(tmp_path / "whole", RANGES)
    whole = []
    for _ in range(2):
        trial = study.next()
        whole.append((trial.number, trial.values))
        end(trial, float(trial.number))
    study_of(tmp_path / "broken", RANGES).next()
    broken = []
    for _ in range(2):
        study = study_of(tmp_path / "broken", RANGES)
        trial = study.next()
        broken.append((trial.number, trial.values))
        end(trial, float(trial.number))
        study.next()
    assert broken == whole
    assert study.records == [{"number": number} for number in (1, 2)]


@pytest.mark.parametrize(("monitor", "sign"), [("loss", 1), ("accuracy", -1)])
def test_pruning_follows_the_median_rule(tmp_path, monitor, sign):
    study = study_of(tmp_path, ["training.learning_rate=1e-4..1e-2"], monitor=monitor)
    figures = [
        [6, 5, 4, 3, 2, 1],
        [6, 6, 5, 5, 4, 4],
        [9, 9, 9, 8, 8, 8],
        [7, 5, 4.5, 3, 3, 3],
        [8, 4.7, 9, 4.6, 1, 1],  # saved by its second epoch in the third, and stopped in the fourth
    ]
    finished: list[list[float]] = []
    for curve in figures:
        trial = study.next()
        best = min(curve)
        for epoch, figure in enumerate(curve, start=1):
            so_far = min(curve[:epoch])
            ready = len(finished) >= 3 and epoch > 2  # a third of six epochs is left alone
            expected = ready and so_far > statistics.median(other[epoch - 1] for other in finished)
            assert trial.report(epoch, sign * figure) == expected
            assert trial.falls_behind == expected
            if expected:
                end(trial)
                break
        else:
            finished.append(curve)
            end(trial, sign * best)
    assert (len(finished), epoch) == (4, 4)


def test_without_pruning_nothing_falls_behind(tmp_path):
    study = study_of(tmp_path, ["training.learning_rate=1e-4..1e-2"], prune=False)
    for figure in (1.0, 1.0, 1.0, 1e9):
        trial = study.next()
        assert not any(trial.report(epoch, figure) for epoch in range(1, 7))
        end(trial, figure)


def test_a_repeated_epoch_keeps_its_first_report(tmp_path, recwarn):
    study = study_of(tmp_path, GRID)
    study.next().report(1, 0.5)
    again = study_of(tmp_path, GRID).next()
    again.report(1, 0.25)
    again.report(2, 0.25)
    assert [str(warning.message) for warning in recwarn if "already reported" in str(warning.message)] == []


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "study.db").write_bytes(b"no database " * 500)
    with pytest.raises(UserError, match=r"study\.db"):
        study_of(tmp_path, GRID)
