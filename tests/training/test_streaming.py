"""Training on shards that are read in every epoch, no frame of which is kept."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tests.helpers.clips import TINY, tiny_recipe, write_clips
from tests.training.test_inside_epochs import PROGRAM, rows

from muybridge import api
from muybridge.errors import UserError
from muybridge.pipeline.frame_stream import FrameStream
from muybridge.training.checkpoint_files import position_of

FLAGS = ("--data.streaming", "on", "--training.patience", "0", "--training.no-calibrate")
BUFFER = ("--batch-size", "4", "--data.shuffle-buffer", "6")
LEARNS = ("--epochs", "3", *BUFFER)


@pytest.fixture(scope="module")
def shards(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's clips in four shards. Not to be changed."""
    return api.pack(clips, tmp_path_factory.mktemp("packed") / "shards", shard_size_gb=0.0001).folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder))
    return folder


def suffixes(cache: Path) -> set[str]:
    return {path.suffix for path in cache.rglob("*") if path.is_file() and path.suffix not in (".json", ".lock")}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_a_training_reads_its_shards_in_every_epoch_and_keeps_no_frame(shards, cache, tmp_path, capsys):
    run = api.train(shards, tiny_recipe(*FLAGS, *LEARNS), run=tmp_path / "run").run
    said = " ".join(capsys.readouterr().err.split())
    assert "streaming: 24 clips are read from their shards in every epoch, through a buffer of 6 clips" in said
    assert "their frames would take" in said
    assert "frames: 20 clips decode; none are kept" in said
    assert ".frames" not in suffixes(cache)
    assert len(rows(run)) == 3


def test_workers_change_nothing(shards, cache, tmp_path):
    runs = [
        api.train(shards, tiny_recipe(*FLAGS, *LEARNS, "--training.workers", str(count)), run=tmp_path / str(count)).run
        for count in (0, 2)
    ]
    one, two = map(weights, runs)
    assert all(torch.equal(two[name], value) for name, value in one.items())
    assert rows(runs[0]) == rows(runs[1])


def test_killed_inside_an_epoch_and_resumed_to_the_same_bits(shards, cache, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    training = {"epochs": 3, "batch_size": 2, "patience": 0, "checkpoint_minutes": 1e-9, "workers": 2}
    data = {"streaming": "on", "shuffle_buffer": 6}
    recipe.write_text(yaml.safe_dump({**TINY, "data": data, "training": {**TINY["training"], **training}}))
    whole, run = tmp_path / "whole", tmp_path / "run"
    api.train(shards, recipe, run=whole)
    words = [sys.executable, "-c", PROGRAM, str(shards), str(recipe), str(run), "13"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as in these tests: sums depend on the number of threads
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, env=one_thread)
    assert done.returncode == -signal.SIGKILL, done.stderr
    position = position_of(run / "checkpoints" / "last.ckpt")
    assert (position.epoch, position.batch, position.lanes) == (1, 5, 2)
    api.resume(run)
    one, two = weights(whole), weights(run)
    assert all(torch.equal(two[name], value) for name, value in one.items())
    assert rows(run) == rows(whole)


def test_a_frozen_encoder_sees_each_clip_once_and_no_frame_is_kept(shards, clips, cache, tmp_path, capsys):
    """Without draws the features, and so the probe, are those of a training that keeps frames."""
    off = [f"--augment.{name}=0" for name in ("zoom", "rotation-degrees", "shift", "brightness")]
    probe = ("--model.trainable", "none", "--model.head", "probe", "--sampler.jitter", "1", "--augment.no-flip", *off)
    streamed = api.train(shards, tiny_recipe(*FLAGS, *probe), run=tmp_path / "streamed").run
    said = " ".join(capsys.readouterr().err.split())
    assert "are read from their shards once; their frames would take" in said
    assert "decode; none are kept" not in said  # encoding is the one time that they are read
    assert ".frames" not in suffixes(cache)
    kept = api.train(clips, tiny_recipe(*FLAGS[2:], *probe), run=tmp_path / "kept").run
    one, two = (api.load(run).net.state_dict() for run in (streamed, kept))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)
    answers = [rows(run, "predictions.csv") for run in (streamed, kept)]
    for one, two in zip(*answers, strict=True):
        assert (one["clip"], one["predicted"]) == (two["clip"], two["predicted"])
        assert float(one["p:dim"]) == pytest.approx(float(two["p:dim"]), abs=1e-4)


def test_variants_of_a_clip_are_made_of_one_decoding(shards, cache, tmp_path, monkeypatch):
    decoded = []
    plain = FrameStream.decoded
    monkeypatch.setattr(FrameStream, "decoded", lambda self, clip: (decoded.append(clip.id), plain(self, clip))[1])
    recipe = tiny_recipe(*FLAGS, "--epochs", "1", "--model.trainable", "none", "--cache.variants", "3")
    api.train(shards, recipe, run=tmp_path / "run")
    assert len(list(cache.rglob("*.features"))) == 16 * 3 + 4
    assert len(decoded) == len(set(decoded)) == 20


def test_what_is_encoded_once_is_trained_on_as_where_frames_are_kept(shards, cache, tmp_path):
    """The order in which clips are read is no order of training: a run can go on whichever way it was begun."""
    frozen = ("--epochs", "2", "--batch-size", "4", "--model.trainable", "none", "--cache.variants", "2", *FLAGS[2:])
    runs = {}
    for way in ("on", "off"):
        recipe = tiny_recipe(*frozen, "--data.streaming", way, "--cache.folder", str(tmp_path / f"cache-{way}"))
        runs[way] = api.train(shards, recipe, run=tmp_path / way).run
    one, two = map(weights, runs.values())
    assert all(torch.equal(two[name], value) for name, value in one.items())
    assert rows(runs["on"]) == rows(runs["off"])


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Shards with a clip that is no video, packed as it is."""
    folder = write_clips(tmp_path / "clips")
    bad = sorted((folder / "dim").iterdir())[0]
    bad.write_bytes(b"no video" * 100)
    return api.pack(folder, tmp_path / "shards", shard_size_gb=0.0001).folder


@pytest.mark.parametrize("frozen", [False, True])
def test_a_clip_that_does_not_decode_is_left_out_and_named(damaged, cache, tmp_path, capsys, frozen):
    flags = ("--model.trainable", "none", "--cache.variants", "2") if frozen else ()
    recipe = tiny_recipe(*FLAGS, *LEARNS, *flags, "--data.validation-share", "0", "--data.test-groups", "g06")
    run = api.train(damaged, recipe, run=tmp_path / "run").run
    bad = "dim/v_dim_g01_c01.avi"
    assert f"left out: {bad}" in " ".join(capsys.readouterr().err.split())
    assert bad in yaml.safe_load((run / "undecodable.json").read_text())
    assert len(rows(run)) == 3


def test_a_resumed_training_does_not_read_all_clips_before_it_goes_on(shards, cache, tmp_path, capsys):
    run = api.train(shards, tiny_recipe(*FLAGS, *BUFFER, "--epochs", "1"), run=tmp_path / "run").run
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1\n", "epochs: 2\n"))
    shutil.rmtree(cache)
    capsys.readouterr()
    api.resume(run)
    assert "decode; none are kept" not in capsys.readouterr().err
    assert len(rows(run)) == 2


def test_a_resumed_training_that_has_to_encode_anew_needs_all_its_clips(clips, cache, tmp_path):
    """With fewer it would go on in another order, and on other clips, than those that its epochs were begun with."""
    folder = api.pack(clips, tmp_path / "shards", shard_size_gb=0.0001).folder
    frozen = ("--epochs", "1", "--batch-size", "4", "--model.trainable", "none", *FLAGS)
    run = api.train(folder, tiny_recipe(*frozen), run=tmp_path / "run").run
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1\n", "epochs: 2\n"))
    shutil.rmtree(cache)
    kept = {file: file.read_bytes() for file in folder.glob("*.tar")}
    for file, data in kept.items():
        file.write_bytes(data[:2000] + b"?" + data[2001:])
    with pytest.raises(UserError, match=r"4 clips that this run began with cannot be read now.*put them back"):
        api.resume(run)
    for file, data in kept.items():
        file.write_bytes(data)
    api.resume(run)
    assert len(rows(run)) == 2


def test_by_itself_streaming_begins_where_frames_need_more_than_the_budget(shards, clips, cache, tmp_path, capsys):
    small = ("--cache.budget-gb", "0.0001", *FLAGS[2:], "--epochs", "1")
    api.train(shards, tiny_recipe(*small), run=tmp_path / "auto")
    assert "streaming: 24 clips" in capsys.readouterr().err
    api.train(shards, tiny_recipe(*FLAGS[2:], "--epochs", "1"), run=tmp_path / "fits")
    assert "streaming:" not in capsys.readouterr().err
    for place, flags in ((shards, (*small, "--data.streaming", "off")), (clips, small)):
        with pytest.raises(UserError, match=r"cache.budget_gb"):
            api.train(place, tiny_recipe(*flags), run=tmp_path / "off")


def test_what_cannot_be_streamed_is_refused(shards, clips, cache, tmp_path):
    with pytest.raises(UserError, match=r"the clips are no shards; pack them with muybridge pack"):
        api.train(clips, tiny_recipe(*FLAGS), run=tmp_path / "run")
    windows = ("--sampler.kind", "sliding", "--sampler.jitter", "1", "--sampler.windows", "all")
    with pytest.raises(UserError, match=r"sampler.windows all needs frames that are kept"):
        api.train(shards, tiny_recipe(*FLAGS, *windows), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"data.shuffle_buffer is 0"):
        tiny_recipe("--data.shuffle-buffer", "0")
