"""A model that tells dim from bright, and a long video of both."""

import shutil
from pathlib import Path

import pytest
from tests.helpers.long_videos import train_probe, write_long

from muybridge import api
from muybridge.inference.combining import Combination
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load

RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(scope="module")
def probe_run(clips, tmp_path_factory) -> Path:
    """A run of a frozen encoder with random weights, which tells dim from bright."""
    return train_probe(clips, tmp_path_factory.mktemp("runs") / "probe")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Sixteen seconds. Not to be changed."""
    return write_long(tmp_path_factory.mktemp("long") / "long.mp4")


@pytest.fixture(scope="module", params=RUNTIMES)
def exported(request, probe_run, tmp_path_factory):
    """A run with an export, and the name of its engine. Not to be changed."""
    pytest.importorskip(RUNTIMES[request.param])
    folder = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(probe_run, folder)
    api.export(folder, to=request.param)
    return folder, request.param


@pytest.fixture(scope="module")
def ensemble(probe_run, tiny_run, tmp_path_factory):
    """A model folder of two members that see different frames. Not to be changed."""
    folder = tmp_path_factory.mktemp("ensembles") / "both"
    members = {"probe": load(probe_run), "tiny": load(tiny_run)}
    Ensemble(members, Combination("weighted", (0.75, 0.25), (1.0, 1.0))).save(folder / "model")
    return folder
