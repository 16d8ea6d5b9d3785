"""`py.typed` is true: a user's script passes `mypy --strict`, and what is wrong in it is found."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

SCRIPT = """
from pathlib import Path

import numpy as np
import torch

import muybridge
from muybridge import EverySampler, Interrupted, Prediction, TrainResult, UniformSampler, UserError, Views


def main(clips: Path) -> str:
    print(muybridge.__version__)
    try:
        result: TrainResult = muybridge.train(
            clips, "light", epochs=2, encoder="mobilenet", batch_size="auto", model={"pooling": "max"}, run="runs/one"
        )
    except Interrupted as stopped:
        result = muybridge.resume(str(stopped))
    except UserError as error:
        return str(error)
    if result.evaluation is not None:
        accuracy: float = result.evaluation.top1.value
        print(result.run / "report.html", accuracy, result.evaluation.top1.wilson.low)
    evaluation = muybridge.evaluate(result.run, views=Views(times=3, flip=True))
    names: tuple[str, ...] = evaluation.classes
    recognizer = muybridge.load(result.run)
    one: Prediction = recognizer.predict("clip.avi", start_seconds=1.5)
    several: list[Prediction] = recognizer.predict([Path("a.avi"), "b.avi"])
    frames = muybridge.read_frames("clip.avi", UniformSampler(frames=8), size_px=224)
    also = recognizer.predict(frames.frames_THWC, frames_per_second=25)
    many = recognizer.predict([torch.zeros(8, 64, 64, 3, dtype=torch.uint8), np.zeros((8, 64, 64, 3), np.uint8)])
    seconds: float = float(frames.times_T[-1])
    windows = muybridge.read_views("clip.avi", EverySampler(every=6), count=2)
    checked = muybridge.check(clips).report.with_status("bad")
    recipe = muybridge.load_recipe("best")
    sweep = muybridge.sweep(clips, recipe, over=["model.dropout=0.3,0.5"], seed=1)
    print(seconds, len(windows), [each.problem for each in checked], sweep.best.accuracy, recipe.training.epochs)
    return ", ".join([one.label, also.label, names[0], *(each.label for each in [*several, *many])])
"""

ROOT = Path(__file__).resolve().parents[1]

# A wrong line, and what mypy says of it.
WRONG = [
    ("muybridge.evalute('runs/one')", 'has no attribute "evalute"'),
    ("muybridge.train('clips', epoch=2)", 'Unexpected keyword argument "epoch" for "train"'),
    ("muybridge.train('clips', epochs='two')", 'Argument "epochs" to "train" has incompatible type "str"'),
    ("muybridge.train('clips', head='brt')", 'Argument "head" to "train" has incompatible type'),
    ("muybridge.load('runs/one').predict('a.avi').lable", 'has no attribute "lable"'),
    ("muybridge.load('runs/one').predict(['a.avi']).label", '"list[Prediction]" has no attribute "label"'),
    ("muybridge.read_frames('a.avi', muybridge.UniformSampler(frame=8))", 'Unexpected keyword argument "frame"'),
    ("muybridge.Views(time=3)", 'Unexpected keyword argument "time"'),
    ("from muybridge import Trainer", 'has no attribute "Trainer"'),
]


@pytest.mark.timeout(900)  # mypy reads the types of torch first, which takes a minute of work where nothing is cached
def test_a_script_passes_strict_mypy_and_every_mistake_is_found(tmp_path):
    (tmp_path / "good.py").write_text(SCRIPT)
    (tmp_path / "bad.py").write_text("import muybridge\n\n" + "".join(f"{line}\n" for line, _ in WRONG))
    # From the root and with its settings, which are strict, so that the cache of `mypy` as it is run there serves.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", tmp_path / "good.py", tmp_path / "bad.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if Path(line.split(":")[0]).name != "bad.py"] == [], done.stderr
    errors = [line for line in lines if ": error: " in line]
    assert len(errors) == len(WRONG), done.stdout
    for number, (error, (_, message)) in enumerate(zip(errors, WRONG, strict=True), start=3):
        assert f"bad.py:{number}: " in error
        assert message in error
