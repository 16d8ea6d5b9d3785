"""Several processes that stream shards train what one would have trained, each from shards of its own."""

import shutil
from pathlib import Path

import torch
from tests.helpers import double_training
from tests.helpers.processes import run_together

from muybridge import api
from muybridge.training.checkpoint_files import position_of

ROOT = Path(__file__).resolve().parents[2]
# 16 training clips: batches of 6 end with four clips.
FLAGS = "--data.streaming on --data.shuffle-buffer 6 --epochs 2 --batch-size 6 --training.patience 0"
PROGRAM = """
import shutil, sys
from pathlib import Path
import torch

if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    from muybridge import api, ranks
    from muybridge.training.module import RecognizerModule
    from tests.helpers.clips import tiny_recipe

    clips, run, flags = sys.argv[1], Path(sys.argv[2]), sys.argv[3].split()
    if not flags:
        api.resume(run)
        sys.exit()
    plain, last = RecognizerModule.training_step, run / "checkpoints" / "last.ckpt"

    def step(module, batch, batch_idx):
        if ranks.is_first() and (module.current_epoch, batch_idx) == (1, 2):
            shutil.copy(last, run / "inside.ckpt")
        return plain(module, batch, batch_idx)

    RecognizerModule.training_step = step
    api.train(clips, tiny_recipe(*flags), run=run)
"""
FROZEN = "--model.trainable none --cache.features off --training.no-calibrate --training.learning-rate 1e-4"
ONCE = "--model.trainable none --model.head probe --data.streaming on"


def test_two_processes_stream_to_the_weights_of_one(clips, tmp_path):
    shards = api.pack(clips, tmp_path / "shards", shard_size_gb=0.0001).folder
    (tmp_path / "flags").write_text(f"learns {FLAGS} {FROZEN}\nonce {ONCE}\n")
    states, answers = {}, {}
    for count in (1, 2):
        cache = tmp_path / f"cache{count}"
        variables = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "MUYBRIDGE_CACHE": str(cache)}
        runs = tmp_path / str(count)
        said = run_together(count, double_training.__file__, shards, runs, folder=tmp_path, **variables)
        assert said.count("streaming: 24 clips are read from their shards") == 2
        assert not list(cache.rglob("*.frames"))
        saved = torch.load(runs / "learns" / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["global_step"] == 6
        states[count] = saved["state_dict"]
        answers[count] = (runs / "once" / "predictions.csv").read_text()
        assert len(list(cache.rglob("*.features"))) == 16 * 4 + 4  # variants of each training clip
    for key, value in states[1].items():
        torch.testing.assert_close(states[2][key], value, rtol=0, atol=1e-6, msg=key)
    names = [[line.split(",")[0] for line in answers[count].splitlines()] for count in (1, 2)]
    assert names[0] == names[1]


def test_two_processes_go_on_inside_an_epoch_to_the_same_bits_and_one_in_their_order(clips, tmp_path):
    """As if both had been killed in the middle of the second epoch; batches of 6 are read in 6 lanes by both."""
    shards = api.pack(clips, tmp_path / "shards", shard_size_gb=0.0001).folder
    (tmp_path / "program.py").write_text(PROGRAM)
    flags = f"{FLAGS} {FROZEN} --training.checkpoint-minutes 1e-9"
    variables = {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "MUYBRIDGE_CACHE": str(tmp_path / "cache")}

    def trained(count: int, run: Path, flags: str) -> dict[str, torch.Tensor]:
        run_together(count, tmp_path / "program.py", shards, run, flags, folder=tmp_path, **variables)
        return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    whole = trained(2, tmp_path / "whole", flags)
    for count in (2, 1):
        run = shutil.copytree(tmp_path / "whole", tmp_path / f"again{count}")
        shutil.copy(run / "inside.ckpt", run / "checkpoints" / "last.ckpt")
        position = position_of(run / "inside.ckpt")
        assert (position.epoch, position.batch, position.lanes) == (1, 2, 6)
        for name, value in trained(count, run, "").items():
            if count == 2:
                assert torch.equal(value, whole[name]), name
            else:
                torch.testing.assert_close(value, whole[name], rtol=0, atol=1e-6, msg=name)
