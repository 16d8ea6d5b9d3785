"""How long the report of several runs takes, and how large it is.

    python benchmarks/report.py [--runs 5] [--clips 1500] [--classes 51] [--epochs 60] [--folder DIR]

Makes runs as `muybridge train` leaves them: real (small, untrained) models, real video files, and predictions drawn at
random with an accuracy of about 70 %. Then times `muybridge report` in a process of its own, from its start to its end,
and prints seconds, CPU seconds and megabytes. Making the runs is not timed.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.experiment.provenance import describe_environment
from muybridge.files import write_json, write_rows
from muybridge.inference.predictions import ClipPrediction, Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.models.network import build
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import save_recipe
from muybridge.runs import RunFolder
from muybridge.system import resolve_device


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clips", type=int, default=1500, help="test clips of each run")
    parser.add_argument("--classes", type=int, default=51)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="keep runs, clips and report.html here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        classes = [f"class_{number:02}" for number in range(options.classes)]
        split = make_split(folder / "clips", classes, options.clips)
        runs = [make_run(folder / f"run-{n + 1}", split, epochs=options.epochs, seed=n) for n in range(options.runs)]
        file = folder / "report.html"
        command = [sys.executable, "-m", "muybridge", "report", *map(str, runs), "--out", str(file)]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        megabytes = file.stat().st_size / 1e6
        print(
            f"report of {options.runs} runs with {options.clips} test clips each, {options.classes} classes: "
            f"{seconds:.1f} s ({used.ru_utime + used.ru_stime:.1f} s of CPU), {megabytes:.1f} MB, "
            f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )


def make_split(folder: Path, classes: list[str], count: int) -> Split:
    """Test clips of four per source group; the clips of one class are hard links to one video."""
    clips = []
    for number in range(count):
        label = classes[number % len(classes)]
        place = number // len(classes)
        path = folder / label / f"v_{label}_g{place // 4:02}_c{place % 4:02}.avi"
        first = folder / label / f"v_{label}_g00_c00.avi"
        if not first.exists():
            write_video(first, seed=number)
        elif not path.exists():
            path.hardlink_to(first)
        clips.append(Clip(path=path, label=label, group=f"{label}_g{place // 4:02}", root=folder))
    clips.sort(key=lambda clip: clip.id)
    return Split("grouped", 0, train=(), validation=(), test=tuple(c.id for c in clips), clips=tuple(clips))


def write_video(path: Path, *, seed: int, frames: int = 60) -> None:
    """Drifting colours with grain, 320 x 240, as in HMDB-51 and UCF101."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (8, 16, 3)).repeat(40, axis=0).repeat(40, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(frames):
            picture = np.roll(coarse, 4 * number, axis=1)[:240, :320] + generator.normal(0, 12, (240, 320, 1))
            image = np.clip(picture, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def make_run(path: Path, split: Split, *, epochs: int, seed: int) -> Path:
    """A run directory with everything that a report reads."""
    folder = RunFolder.create(path, name=path.name)
    recipe = Recipe(name=path.name)
    recipe = replace(recipe, model=replace(recipe.model, width=0.25, weights="none", head_widths=(64,)))
    save_recipe(folder.recipe, recipe)
    split.save(folder.split)
    write_json(folder.environment, describe_environment(clips=split.clips[0].root, device=resolve_device()))
    write_json(folder.leak, f"0 of {len(split.test)} test clips share a source with train")
    write_json(folder.undecodable, {})
    net = build(recipe.model, len(split.classes))
    Recognizer(net, classes=split.classes, sampler=recipe.sampler.build(), size_px=recipe.size_px).save(folder.model)
    write_rows(folder.metrics, [epoch_row(epoch, epochs) for epoch in range(1, epochs + 1)])
    generator = np.random.default_rng(seed)
    answers = []
    for clip in split.clips:
        scores = generator.dirichlet(np.full(len(split.classes), 0.1))
        truth = split.classes.index(clip.label)
        if generator.random() < 0.65:
            scores[[truth, scores.argmax()]] = scores[[scores.argmax(), truth]]
        answers.append(ClipPrediction(clip.id, str(clip.path), clip.label, clip.group, scores))
    Predictions(split.classes, tuple(answers)).write_csv(folder.path / "predictions.csv")
    return path


def epoch_row(epoch: int, epochs: int) -> dict[str, float]:
    left = 1 - epoch / (epochs + 1)
    return {
        "epoch": epoch,
        "train_loss": 4 * left**2,
        "train_accuracy": 1 - left,
        "validation_loss": 4 * left**2 + 0.5,
        "validation_accuracy": 0.8 * (1 - left),
        "learning_rate": 1e-3 * left,
        "seconds": 60.0,
    }


if __name__ == "__main__":
    main()
