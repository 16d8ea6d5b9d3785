"""Several processes that stream shards train what one would have trained, each from shards of its own."""

from pathlib import Path

import torch
from tests.helpers import double_training
from tests.helpers.processes import run_together

from muybridge import api

ROOT = Path(__file__).resolve().parents[2]
# 16 training clips: batches of 6 end with four clips.
FLAGS = "--data.streaming on --data.shuffle-buffer 6 --epochs 2 --batch-size 6 --training.patience 0"
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
