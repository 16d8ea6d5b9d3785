"""A short job with an installed muybridge, away from the checkout: draw clips, train, evaluate, predict.

Run by ``.ci/wheel-test`` with the interpreter of the environment: ``installed_run.py CHECKOUT SOURCE_PACKAGE``.
"""

import importlib.metadata
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import av
import numpy as np
from floors import floors

import muybridge


def run(*arguments: str) -> str:
    """Standard output of the installed command; an error ends the job with what the command said."""
    command = Path(sys.executable).with_name("muybridge")
    return subprocess.run([command, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def draw(path: Path, *, rightwards: bool, phase: int) -> None:
    """Writes a clip of 16 frames of 64 px: a bright square that moves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 64
        for number in range(16):
            picture = np.full((64, 64, 3), 40 + phase, np.uint8)
            at = 3 * (number if rightwards else 15 - number)
            picture[20 + phase : 36 + phase, at : at + 16] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def main(checkout: Path, source_package: Path) -> None:
    """Raises AssertionError, or what the command raised, at the first thing that is wrong."""
    installed = Path(muybridge.__file__).resolve()
    assert checkout not in installed.parents, f"{installed} is the checkout's, not the wheel's"
    for name, floor in floors().items():
        version = importlib.metadata.version(name).partition("+")[0]
        assert version == floor, f"{name} {version} is installed, not its floor {floor}"

    with tarfile.open(source_package) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = (
        "pyproject.toml",
        "Makefile",
        "constraints.txt",
        "LICENSE",
        "docs/install.md",
        "tests/conftest.py",
        "tests/test_package.py",
    )
    missing = [name for name in wanted if name not in packed]
    assert not missing, f"{source_package.name} lacks {missing}"

    assert "train" in run("--help")
    for number in range(12):
        draw(
            Path("clips") / ("right" if number % 2 else "left") / f"{number:02}.mp4",
            rightwards=bool(number % 2),
            phase=number,
        )
    result = json.loads(run("train", "clips", "--protocol", "random", "--epochs", "1", "--weights", "none", "--json"))
    folder = Path(result["run"])
    for name in ("report.html", "recipe.yaml", "curves.png", "predictions.csv", "model/model.json"):
        assert (folder / name).stat().st_size, f"{folder / name} is empty"
    run("evaluate", str(folder))
    prediction = run("predict", str(folder), "clips/left/00.mp4")
    assert "left" in prediction or "right" in prediction, prediction
    print(f"{installed.parent} at the floors: trained, evaluated, predicted")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
