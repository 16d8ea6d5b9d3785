"""Several processes train what one would have trained: in float64, on the same clips, at the same global batch."""

import csv
import re
from pathlib import Path

import pytest
import torch
from tests.helpers import double_training
from tests.helpers.nightly import NIGHTLY
from tests.helpers.processes import run_together

ROOT = Path(__file__).resolve().parents[2]

# 16 training clips: batches of 5 end with one clip, of which three of four processes get none.
COMMON = "--training.patience 0 --training.no-calibrate --training.learning-rate 1e-4 --cache.variants 2"
FROZEN = "--model.trainable none --cache.features off"
LOSS = "--training.class-weights --training.label-smoothing 0.1 --model.dense-widths 8 --model.dropout 0.5"
FLAGS = {
    # Batch norms learn everywhere, and see the whole batch of 8.
    "all": f"--epochs 10 --batch-size 8 {LOSS} --model.l2 0.001 --training.gradient-clip 1",
    "tail": f"--epochs 5 --batch-size 5 {FROZEN} {LOSS} --model.l2-activity 0.01",
    "accumulate": f"--epochs 10 --batch-size 5 --training.accumulate 2 {FROZEN} {LOSS}",
    "kept": f"--epochs 5 --batch-size 5 --model.trainable none --model.head bert --model.feature-norm standard {LOSS}",
    "probe": "--model.trainable none --model.head probe",
}
COUNTS = (2, 4) if NIGHTLY else (2,)
if not NIGHTLY:  # the one where the most depends on what the others compute, and one that keeps features
    FLAGS = {name: FLAGS[name] for name in ("all", "probe")}


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    """For 1, 2 and, at night, 4 processes: the folder of the runs, and what was printed."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "flags").write_text("".join(f"{name} {flags} {COMMON}\n" for name, flags in FLAGS.items()))
    said = {}
    for count in (1, *COUNTS):
        variables = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "MUYBRIDGE_CACHE": str(folder / f"cache{count}")}
        words = (double_training.__file__, clips, folder / str(count))
        said[count] = run_together(count, *words, folder=folder, **variables)
    return folder, said


def checkpoint(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("name", [name for name in FLAGS if name != "probe"])
@pytest.mark.parametrize("count", COUNTS)
def test_after_twenty_steps_the_weights_are_those_of_one_process(trained, count, name):
    folder, _ = trained
    alone, together = (checkpoint(folder / str(number) / name) for number in (1, count))
    assert alone["global_step"] == together["global_step"] == 20
    for key, value in alone["state_dict"].items():
        assert value.dtype == torch.float64 or not torch.is_floating_point(value)
        torch.testing.assert_close(together["state_dict"][key], value, rtol=0, atol=1e-6, msg=key)


def rows(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("count", COUNTS)
def test_each_test_clip_is_scored_once_and_as_by_one_process(trained, count, name):
    folder, _ = trained
    alone, together = (rows(folder / str(number) / name / "predictions.csv") for number in (1, count))
    assert [row["clip"] for row in together] == [row["clip"] for row in alone]
    assert len({row["clip"] for row in together}) == len(together) == 4
    for one, other in zip(alone, together, strict=True):
        assert other["predicted"] == one["predicted"]
        for key in ("p:dim", "p:bright"):
            assert float(other[key]) == pytest.approx(float(one[key]), abs=1e-6)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("count", COUNTS)
def test_figures_of_epochs_are_over_all_processes(trained, count, name):
    folder, _ = trained
    alone, together = (rows(folder / str(number) / name / "metrics.csv") for number in (1, count))
    assert len(alone) == len(together)
    for one, other in zip(alone, together, strict=True):
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
            assert other[key] == one[key] or float(other[key]) == pytest.approx(float(one[key]), abs=1e-6)


@pytest.mark.parametrize("count", COUNTS)
def test_every_line_is_printed_once(trained, count):
    _, said = trained
    lines = [[re.sub(r"[\d.]+ clips/s.*", "", line) for line in said[number].splitlines()] for number in (1, count)]
    alone, together = ([line for line in each if line.startswith(("epoch", "frames", "features"))] for each in lines)
    assert [line.split("already")[0].split("saw")[0] for line in together] == [
        line.split("already")[0].split("saw")[0] for line in alone
    ]
    assert sum(line.startswith(f"processes: {count},") for line in lines[1]) == len(FLAGS)


@pytest.mark.parametrize("count", COUNTS)
def test_clips_are_decoded_and_encoded_once_for_all(trained, count):
    folder, said = trained
    kept = [len(list((folder / f"cache{number}").rglob("*.features"))) for number in (1, count)]
    assert kept[0] == kept[1] > 0
    decoded, seen = r"frames: (\d+) clips decoded", r"the frozen encoder saw (\d+) clip"
    for pattern in (decoded, seen):
        assert re.findall(pattern, said[count]) == re.findall(pattern, said[1]) != []
