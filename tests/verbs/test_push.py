"""``muybridge push``: a model with its card to a hub, runs and shards to a bucket."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.helpers.clips import tiny_recipe
from tests.helpers.model_hub import TOKEN, Hub, hub

from muybridge import UserError, api


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub", reason="needs pip install 'muybridge[hf]'")
    with hub() as running:
        yield running


@pytest.fixture(scope="module")
def trained(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.train(clips, tiny_recipe("--epochs", "2"), run=tmp_path_factory.mktemp("runs") / "first").run


def muybridge(server: Hub, home: Path, *words: object, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """A command of its own process, since the library of the hub reads the environment once."""
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(home / "hf"), "HF_TOKEN": token,
                   "HF_HUB_DISABLE_XET": "1"}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "muybridge", *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_model_goes_to_a_hub_and_comes_back(server: Hub, trained: Path, clips: Path, tmp_path: Path) -> None:
    done = muybridge(server, tmp_path, "push", trained, "hf://owner/first")
    assert done.returncode == 0, done.stderr
    assert "uploaded: hf://owner/first" in done.stdout
    files = server.files["owner/first"]
    assert set(files) == {"README.md", "model/model.json", "model/model.safetensors"}
    clip = next(iter(sorted(clips.rglob("*.avi"))))
    far = muybridge(server, tmp_path, "predict", "hf://owner/first", clip, "--json")
    assert far.returncode == 0, far.stderr
    near = muybridge(server, tmp_path, "predict", trained, clip, "--json")
    assert json.loads(far.stdout) == json.loads(near.stdout)


def test_the_card_says_what_is_known(server: Hub, trained: Path, tmp_path: Path) -> None:
    muybridge(server, tmp_path, "push", trained, "hf://owner/card")
    card = server.files["owner/card"]["README.md"].decode()
    _, header, body = card.split("---\n", 2)
    assert yaml.safe_load(header)["library_name"] == "muybridge"
    top1 = json.loads((trained / "evaluation.json").read_text())["top1"]
    assert f"({top1['correct']} of {top1['clips']} clips)" in body
    for said in ("95 %, Wilson", "protocol", "leak", "bright, dim", "random weights", 'load("hf://owner/card")'):
        assert said in body, said
    assert str(trained) not in body and "v_bright" not in body  # no place and no clip of this machine


def test_what_a_hub_refuses_is_one_line(server: Hub, trained: Path, clips: Path, tmp_path: Path) -> None:
    clip = next(iter(sorted(clips.rglob("*.avi"))))
    for words, token, said in (
        (("push", trained, "hf://owner/second"), "wrong", "cannot be written"),
        (("predict", "hf://owner/nothing", clip), TOKEN, "cannot be fetched"),
        (("push", trained, "hf://owner"), TOKEN, "is no repository"),
        (("push", trained, "somewhere"), TOKEN, "is no URL"),
        (("push", tmp_path, "hf://owner/third"), TOKEN, "is not a run"),
    ):
        done = muybridge(server, tmp_path, *words, token=token)
        assert done.returncode == 2, (words, done.stderr)
        assert said in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert TOKEN not in done.stderr
    assert "owner/second" not in server.files


def test_a_run_goes_to_a_bucket_once_and_again(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    import shutil

    run = tmp_path / "run"
    shutil.copytree(trained, run)
    api.push(run, "memory://runs/first")
    assert api.load("memory://runs/first").classes == api.load(run).classes
    (run / "note.txt").write_text("more")
    api.push(run, "memory://runs/first")
    with pytest.raises(UserError, match="was changed from elsewhere since"):
        api.push(trained, "memory://runs/first")
