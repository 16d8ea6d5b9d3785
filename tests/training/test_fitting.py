import shutil

import pytest
import torch

from clips import tiny_recipe
from muybridge import api

FLAGS = ["--epochs", "3", "--training.learning-rate", "1e-4"]


def epoch_of(checkpoint) -> int:
    return torch.load(checkpoint, weights_only=True)["epoch"] + 1


@pytest.fixture(scope="module")
def early_best(clips, tmp_path_factory):
    """A run whose first epoch is its best. Not to be changed."""
    run = tmp_path_factory.mktemp("runs") / "early"
    result = api.train(clips, tiny_recipe(*FLAGS), run=run)
    losses = [row["validation_loss"] for row in result.rows]
    assert losses.index(min(losses)) == 0
    return run


def test_the_last_checkpoint_is_of_the_last_epoch_also_when_it_is_no_better(early_best):
    assert epoch_of(early_best / "checkpoints" / "best.ckpt") == 1
    assert epoch_of(early_best / "checkpoints" / "last.ckpt") == 3


def test_an_interrupted_run_that_was_moved_resumes_and_keeps_its_best_epoch(early_best, clips, tmp_path):
    copy = shutil.copytree(early_best, tmp_path / "moved")
    # As if it had been killed after its first epoch.
    shutil.copy(copy / "checkpoints" / "best.ckpt", copy / "checkpoints" / "last.ckpt")
    assert len(api.resume(copy).rows) == 3
    assert epoch_of(copy / "checkpoints" / "last.ckpt") == 3
    assert epoch_of(copy / "checkpoints" / "best.ckpt") == 1
    model = "model/model.safetensors"
    assert (copy / model).read_bytes() == (early_best / model).read_bytes()
