from collections.abc import Callable
from pathlib import Path

import pytest

from muybridge.verbs.sweep.results import SweepResult, SweepTrial, best_of


@pytest.fixture
def make_result() -> Callable[..., SweepResult]:
    """Makes the result of a sweep over model.dropout from its trials."""

    def make(*trials: SweepTrial, monitor: str = "loss", validation_clips: int = 40) -> SweepResult:
        best = best_of(trials, monitor)
        assert best is not None
        return SweepResult(Path("runs/a b"), Path("clips"), "grouped", monitor, validation_clips, trials, best)

    return make
