"""A model that tells dim from bright, and a long video of both."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from tests.helpers.clips import TINY

from muybridge import api
from muybridge.inference.combining import Combination
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.recipes.store import parse_recipe

LEVELS = {"dim": 70, "bright": 180}
PARTS = ("dim", "bright", "dim", "bright")
PART_SECONDS = 4
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}


def write_long(path: Path, parts=PARTS, seed: int = 0) -> Path:
    """Four seconds of each part, at 25 frames a second."""
    generator = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        for part in parts:
            for _ in range(25 * PART_SECONDS):
                image = np.clip(generator.normal(LEVELS[part], 20, (48, 48, 3)), 0, 255).astype(np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def probe_run(clips, tmp_path_factory) -> Path:
    """A run of a frozen encoder with random weights, which tells dim from bright."""
    model = {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"}
    folder = tmp_path_factory.mktemp("runs") / "probe"
    api.train(clips, parse_recipe(TINY | {"model": model}, source="tiny"), run=folder)
    return folder


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
