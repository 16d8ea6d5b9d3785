"""Helpers shared by the tests of the models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from muybridge.recipes.model import ModelConfig

ENCODERS = [
    pytest.param(ModelConfig(encoder="mobilenet", width=0.25, weights="none"), id="mobilenet"),
    pytest.param(ModelConfig(encoder="densenet", weights="none"), id="densenet"),
    pytest.param(ModelConfig(encoder="alexnet", weights="none"), id="alexnet"),
    pytest.param(ModelConfig(encoder="efficientnet_lite0", weights="none"), id="efficientnet_lite0"),
    pytest.param(ModelConfig(encoder="small", weights="none", pooling="grid"), id="small-grid"),
]


@pytest.fixture(params=ENCODERS)
def encoder_config(request: pytest.FixtureRequest) -> ModelConfig:
    """A recognizer of each encoder, the MobileNet a narrow one to be quick."""
    config: ModelConfig = request.param
    return config


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """Draw the same random weights in every run, and leave other tests' draws alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def weights_folder(shared: Path) -> Path:
    """The folder of real weights, with the reference activations below it."""
    return shared / "weights"
