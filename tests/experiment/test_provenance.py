"""What a run writes down about itself."""

import dataclasses
from pathlib import Path

import pytest

from muybridge.errors import UserError
from muybridge.experiment.provenance import session
from muybridge.files import content_hash, write_json
from muybridge.models.weights.origin import weights_origins, weights_record
from muybridge.recipes.model import ModelConfig
from muybridge.schemas import read_json


def test_a_training_records_its_time_its_network_and_the_lack_of_weights(tiny_run: Path) -> None:
    environment = read_json(tiny_run / "environment.json")
    assert len(environment["sessions"]) == 1
    assert environment["sessions"][0]["seconds"] > 0
    assert environment["started"] <= environment["finished"]
    assert 0 < environment["network"]["learnable"] <= environment["network"]["parameters"]
    assert environment["weights"] is None
    assert environment["processor_name"]


def test_each_session_is_recorded_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    write_json(path, {"started": "yesterday"})  # of a version without sessions
    with pytest.raises(KeyboardInterrupt), session(path):
        assert "seconds" not in read_json(path)["sessions"][-1]
        raise KeyboardInterrupt
    with session(path):
        pass
    first, *others = read_json(path)["sessions"]
    assert first == {"started": "yesterday"}
    assert len(others) == 2
    assert all(entry["seconds"] >= 0 for entry in others)


def test_weights_are_recorded_by_name_and_checksum(tmp_path: Path) -> None:
    own = tmp_path / "mine.pth"
    own.write_bytes(b"weights")
    [origin] = weights_origins(ModelConfig(weights=str(own)))
    assert (origin.file, origin.sha256, origin.trained_on) == ("mine.pth", content_hash(own), None)
    assert weights_record(ModelConfig(weights=str(own))) == dataclasses.asdict(origin)
    assert weights_record(ModelConfig(weights="none")) is None
    with pytest.raises(UserError, match="no such file"):
        weights_origins(ModelConfig(weights=str(tmp_path / "gone.pth")))


def test_published_weights_are_recorded_with_their_data(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUYBRIDGE_WEIGHTS", str(shared / "weights"))
    [origin] = weights_origins(ModelConfig())
    assert origin.trained_on == "ImageNet"
    assert origin.file == "mobilenetv1_100_timm.safetensors"
