"""A thousand classes: what is drawn and written of them stays small."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
from muybridge.evaluation.plots import plot_confusion
from muybridge.inference.predictions import ClipPrediction, Predictions

folder, count = Path(sys.argv[1]), 1000
classes = [f"class {number:04}" for number in range(count)]
matrix = np.random.default_rng(0).integers(0, 3, (count, count + 1))
plot_confusion(matrix[:10, :11], classes[:10], folder / "small.png")  # what importing costs is not counted
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
plot_confusion(matrix, classes, folder / "large.png")
shares = np.full(count, 1 / count)
clips = [ClipPrediction(f"c{n}", f"c{n}.mp4", classes[n % count], None, shares) for n in range(2000)]
Predictions(tuple(classes), tuple(clips)).write_csv(folder / "predictions.csv")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) // 1024)
"""


def test_a_thousand_classes_take_little_memory(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(ended.stdout) < 200, "megabytes"
    assert (tmp_path / "large.png").stat().st_size < 1_000_000
    assert sum(1 for _ in (tmp_path / "predictions.csv").open()) == 2001
