"""The main job on real video and real weights, as small as it can be and still be real."""

import json

import pytest

from muybridge import api
from muybridge.recipes.store import parse_recipe

CLASSES = ["Diving", "Drumming"]


@pytest.fixture(scope="module")
def run(shared, tmp_path_factory):
    recipe = parse_recipe(
        {
            "size_px": 64,
            "data": {"classes": CLASSES, "test_groups": ["g08", "g09"]},
            "sampler": {"frames": 4, "jitter": 1},
            "model": {
                "weights": str(shared / "weights" / "mobilenetv1_100_timm.safetensors"),
                "trainable": "none",
                "head_widths": [64],
                "dense_widths": [],
            },
            "training": {"epochs": 2, "workers": 0},
        },
        source="test",
    )
    folder = tmp_path_factory.mktemp("real") / "run"
    api.train(shared / "data" / "ucf101-10", recipe, run=folder)
    return folder


def test_two_real_classes_are_told_apart(run):
    result = json.loads((run / "evaluation.json").read_text())
    assert result["leak"].startswith("0 of ")
    assert result["top1"]["clips"] > 15
    assert result["top1"]["value"] > 0.8


def test_originals_and_odd_files_predict(run, shared):
    recognizer = api.load(run)
    originals = sorted((shared / "data" / "ucf101-10" / "originals").glob("D*/*.avi"))
    labels = [(prediction.path.parent.name, prediction) for prediction in recognizer.predict_files(originals)]
    assert all(prediction.error is None for _, prediction in labels)
    right = sum(prediction.label == name for name, prediction in labels if name in CLASSES)
    assert right / len(labels) > 0.7
    odd = list(recognizer.predict_files(sorted((shared / "odd").iterdir())))
    assert len(odd) == 15
    assert all(prediction.error is None for prediction in odd)
