"""Inference on a CPU: every engine against torch eager and against the paper's model in Keras, in one run.

    python benchmarks/inference.py RUN [--videos FOLDER] [--keras-python keras-env/bin/python] [--rounds 50]
        [--batch 1] [--seconds 3] [--files 40]

First make the exports (``muybridge export RUN --to ...``); those that are there are timed, each with the accuracy that
was counted when it was made. Three tables of medians, with spread (10 % to 90 %) and ratios to torch:

- one batch of frames to scores, all in turns, so that what else the machine does hits all alike;
- a video file to its answer, decoding included, for the first ``--seconds`` of each file;
- a folder: clips per second, and how many cores were busy.

The Keras model has the paper's head and random weights, gets float32 frames that are scaled already, and runs in a
process of its own (see keras_model.py); without ``--keras-python`` it is left out.
"""

import argparse
import importlib.metadata
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from keras_model import KerasModel
from muybridge.dataset.catalog import Clip
from muybridge.dataset.naming_videos import find_videos
from muybridge.inference.engines.exports import Export, find_exports
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED
from muybridge.system import available_cores, processor_name

PACKAGES = ("torch", "onnxruntime", "openvino", "nncf", "av", "numpy")
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--videos", type=Path, help="folder of video files")
    parser.add_argument("--files", type=int, default=40, help="at most this many of them")
    parser.add_argument("--keras-python", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each file in the second table")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    models = open_models(options.run)
    frames = len(example(models["torch"]))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if installed(name)}
    keras = None
    if options.keras_python is None:
        print("Keras: left out; give --keras-python\n")
    else:
        torch_model = models["torch"]
        keras = KerasModel(
            options.keras_python,
            frames=frames,
            size_px=torch_model.size_px,
            classes=len(torch_model.classes),
            threads=torch.get_num_threads(),
        )
        versions.update(keras.versions)
    print(f"{processor_name()}, {available_cores()} cores; threads of every engine {torch.get_num_threads()}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    network_table(models, keras, options.run, batch=options.batch, rounds=options.rounds)
    if keras is not None:
        keras.process.terminate()
    if options.videos is not None:
        paths = find_videos([str(options.videos)])[: options.files]
        file_table(models, paths, seconds=options.seconds)
        folder_table(models, paths)


def open_models(run: Path) -> dict[str, Recognizer]:
    """The model in torch and with every export of the run."""
    models = {}
    for name in ("torch", *find_exports(run)):
        model = load(run, device="cpu", engine=name)
        assert isinstance(model, Recognizer)
        models[name] = model
    return models


def example(recognizer: Recognizer) -> np.ndarray:
    """Random frames of the shape that the network sees; what is in them changes no time."""
    frames = getattr(recognizer.sampler, "frames", 16)
    shape = (frames, recognizer.size_px, recognizer.size_px, 3)
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


def network_table(
    models: dict[str, Recognizer], keras: KerasModel | None, run: Path, *, batch: int, rounds: int
) -> None:
    clips = [example(models["torch"])] * batch
    calls: dict[str, Callable[[], float]] = {
        name: lambda model=model: timed(lambda: model.engine.score(clips)) for name, model in models.items()
    }
    if keras is not None:
        for do in ("eager", "graph", "predict_on_batch"):
            calls[f"Keras, {do}"] = lambda do=do: keras.milliseconds(do, batch=batch)[0]
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + rounds):
        for name, call in calls.items():
            milliseconds = call()
            if number >= WARM_UP:
                times[name].append(milliseconds)
    print(f"\n## {batch} clip(s) of {len(clips[0])} frames of {models['torch'].size_px} px to scores\n")
    show(times, {name: parity(run, name) for name in models})


def file_table(models: dict[str, Recognizer], paths: Sequence[Path], *, seconds: float) -> None:
    """One file after the other, each by every engine in turn."""
    times: dict[str, list[float]] = {name: [] for name in ("decoding alone", *models)}
    for path in paths:
        clip = Clip(path=path, label="", group="", start_seconds=0.0, end_seconds=seconds)
        reader = models["torch"]
        reader.read(clip, views=AS_TRAINED)  # the file is in the system's memory from here on
        times["decoding alone"].append(timed(lambda clip=clip, reader=reader: reader.read(clip, views=AS_TRAINED)))
        for name, model in models.items():
            times[name].append(
                timed(lambda model=model, clip=clip: list(model._score([clip], views=AS_TRAINED, workers=1)))
            )
    print(f"\n## Video file to answer, first {seconds:g} s of each of {len(paths)} files\n")
    show(times, {})


def folder_table(models: dict[str, Recognizer], paths: Sequence[Path]) -> None:
    print(f"\n## A folder of {len(paths)} files\n")
    print("| engine | clips/s | against torch | cores busy |")
    print("|---|---|---|---|")
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for _ in range(3):
        for name, model in models.items():
            started, started_cpu = time.perf_counter(), time.process_time()
            for _prediction in model.predict_files(paths):
                pass
            wall = time.perf_counter() - started
            rates[name].append((len(paths) / wall, (time.process_time() - started_cpu) / wall))
    median = {name: [statistics.median(column) for column in zip(*found, strict=True)] for name, found in rates.items()}
    for name, (rate, busy) in median.items():
        print(f"| {name} | {rate:.1f} | {rate / median['torch'][0]:.2f} | {busy:.2f} of {available_cores()} |")


def show(times: dict[str, list[float]], remarks: dict[str, str]) -> None:
    column = " accuracy on validation clips |" if remarks else ""
    print(f"| engine | median ms | 10 %-90 % | times as fast as torch |{column}")
    print("|---|---|---|---|" + ("---|" if remarks else ""))
    torch_median = statistics.median(times["torch"])
    for name, values in times.items():
        low, high = np.percentile(values, [10, 90])
        median = statistics.median(values)
        ratio = torch_median / median
        print(
            f"| {name} | {median:.1f} | {low:.1f}-{high:.1f} | {ratio:.2f} |"
            + (f" {remarks.get(name, '')} |" if remarks else "")
        )


def parity(run: Path, name: str) -> str:
    if name == "torch":
        return ""
    found = Export.load(find_exports(run)[name]).parity
    return (
        f"{found.torch_correct} -> {found.correct} of {found.validation_clips}; top-1 changed in {found.changed_top1}"
    )


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
