"""Training on shards in a bucket that is slow and fails at random: the same model, each byte asked for once."""

from pathlib import Path

import pytest
from tests.helpers.clips import tiny_recipe
from tests.helpers.s3_server import Bucket

from muybridge import api
from muybridge.pipeline import shard_pieces
from muybridge.storage.remote_files import traffic, upload

PIECE = 30_000


@pytest.mark.parametrize("workers", [0, 2])
def test_a_training_streams_from_a_bucket(bucket: Bucket, clips: Path, tmp_path: Path, monkeypatch, workers: int):
    monkeypatch.setattr(shard_pieces, "PIECE_BYTES", PIECE)
    shards = api.pack(clips, tmp_path / "shards", shard_size_gb=0.0001).folder
    url = f"{bucket.url}/shards-{workers}"
    for file in shards.iterdir():
        upload(file, f"{url}/{file.name}")
    flags = ["--data.streaming", "on", "--data.shuffle-buffer", "6", "--batch-size", "4", "--epochs", "2"]
    flags += ["--training.patience", "0", "--training.workers", str(workers)]
    models = {}
    for name, place in (("here", shards), ("there", url)):
        monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / name))
        if name == "there":
            bucket.faults(latency_seconds=0.02, failing_share=0.05)
        before = traffic.size_bytes
        run = api.train(place, tiny_recipe(*flags), run=tmp_path / f"run-{name}").run
        models[name] = (run / "model" / "model.safetensors").read_bytes()
    bucket.faults()
    assert models["here"] == models["there"]
    pieces = list((tmp_path / "there").rglob("*.piece"))
    assert 8 < len(pieces) <= sum(-(-file.stat().st_size // PIECE) for file in shards.glob("*.tar"))
    # All that this process read of the shards; measuring the test part reads a few clips by their ranges besides.
    assert traffic.size_bytes - before < 2.5 * sum(file.stat().st_size for file in shards.iterdir())
