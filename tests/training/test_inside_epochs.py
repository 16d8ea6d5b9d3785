"""A training is killed in the middle of an epoch: resumed, it ends with the bits of one that was not."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tests.helpers.clips import TINY

from muybridge import api
from muybridge.training.checkpoint_files import finished_epochs, position_of

PROGRAM = """
import os, signal, sys
from muybridge import api
from muybridge.recipes.store import load_recipe
from muybridge.training.module import RecognizerModule

plain, deadly = RecognizerModule.training_step, int(sys.argv[4])

def step(module, batch, batch_idx):
    if module.trainer.fit_loop.epoch_loop.total_batch_idx == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(module, batch, batch_idx)

RecognizerModule.training_step = step
api.train(sys.argv[1], load_recipe(sys.argv[2]), run=sys.argv[3])
"""


def killed_at(batch: int, clips: Path, recipe: Path, run: Path) -> None:
    """Train in a process that kills itself in the middle of a step."""
    words = [sys.executable, "-c", PROGRAM, str(clips), str(recipe), str(run), str(batch)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in these tests: sums depend on the number of threads
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=one_thread)
    assert done.returncode == -signal.SIGKILL, done.stderr


def rows(run: Path, name: str = "metrics.csv") -> list[dict[str, str]]:
    with (run / name).open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def recipe_file(folder: Path, **training: object) -> Path:
    """A recipe with a checkpoint at every step."""
    values = {"epochs": 3, "batch_size": 2, "patience": 0, "checkpoint_minutes": 1e-9, **training}
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump({**TINY, "training": {**TINY["training"], **values}}))
    return file


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_inside_an_epoch_and_resumed_to_the_same_bits(clips, tmp_path, workers):
    """Sixteen clips are eight batches, in steps of two; batch 13 is in the second epoch."""
    recipe = recipe_file(tmp_path, workers=workers, accumulate=2)
    whole, run = tmp_path / "whole", tmp_path / "run"
    api.train(clips, recipe, run=whole)
    killed_at(13, clips, recipe, run)
    last = run / "checkpoints" / "last.ckpt"
    position = position_of(last)
    assert (position.epoch, position.batch) == (1, 4)  # batch 4 of it was half of a step
    assert finished_epochs(last) == 1
    api.resume(run)
    assert (run / "model" / "model.safetensors").read_bytes() == (whole / "model" / "model.safetensors").read_bytes()
    states = [torch.load(each / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for each in (run, whole)]
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    assert rows(run) == rows(whole)


def test_killed_between_epochs_workers_begin_with_the_next_ones_order(clips, tmp_path):
    """Processes that read clips are told what to read before Lightning says which epoch it is."""
    recipe = recipe_file(tmp_path, workers=2, checkpoint_minutes=0)
    whole, run = tmp_path / "whole", tmp_path / "run"
    api.train(clips, recipe, run=whole)
    killed_at(11, clips, recipe, run)
    position = position_of(run / "checkpoints" / "last.ckpt")
    assert (position.epoch, position.batch) == (1, 0)
    api.resume(run)
    assert (run / "model" / "model.safetensors").read_bytes() == (whole / "model" / "model.safetensors").read_bytes()
    assert rows(run) == rows(whole)


def test_features_are_standardised_once_also_when_the_first_epoch_is_resumed(clips, tmp_path):
    recipe = recipe_file(tmp_path, epochs=2)
    values = yaml.safe_load(recipe.read_text())
    values["model"] |= {"trainable": "none", "feature_norm": "standard"}
    recipe.write_text(yaml.safe_dump(values))
    whole, run = tmp_path / "whole", tmp_path / "run"
    api.train(clips, recipe, run=whole)
    killed_at(3, clips, recipe, run)
    assert position_of(run / "checkpoints" / "last.ckpt").batch == 3
    api.resume(run)
    assert (run / "model" / "model.safetensors").read_bytes() == (whole / "model" / "model.safetensors").read_bytes()
