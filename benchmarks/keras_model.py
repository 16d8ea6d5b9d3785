"""The paper's model in Keras 3 on TensorFlow, as the peer that inference and training are timed against.

Runs in an environment of its own, because TensorFlow and muybridge ask for different versions of the same packages:

    python3 -m venv keras-env && keras-env/bin/pip install tensorflow-cpu keras
    keras-env/bin/python benchmarks/keras_model.py --frames 5 --size-px 112 --classes 10

A benchmark starts it by `KerasModel`, asks for a few repeats at a time, and so times it in turns with its own work.
It reads one JSON request per line, ``{"do": "eager", "batch": 1, "repeats": 5}``, and answers each with one line:
``{"milliseconds": [...]}``. What can be done:

- eager: ``model(frames, training=False)``, the paper's way to call it;
- graph: the same inside ``tf.function``;
- predict_on_batch, predict: Keras's own ways;
- train: ``model.train_on_batch`` of the full fine-tune, all layers learning, Adam.

Its input is float32 and scaled already, which the others have to do within their timing. Weights are random.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DOINGS = ("eager", "graph", "predict_on_batch", "predict", "train")


class KerasModel:
    """The model in a process of its own, held by a benchmark; use it in a ``with``."""

    def __init__(
        self,
        python: Path,
        *,
        frames: int,
        size_px: int,
        classes: int,
        widths: tuple[int, ...] = (256, 128),
        threads: int = 0,
    ) -> None:
        """Start it; this takes seconds.

        Args:
            python: Interpreter of an environment that has tensorflow and keras.
            frames: T.
            size_px: Side of the frames.
            classes: K.
            widths: Units per direction of each BiLSTM layer.
            threads: Threads of TensorFlow; 0: its own choice.

        Raises:
            RuntimeError: If it does not start; the message holds the end of what it said.
        """
        command = [str(python), __file__, "--frames", frames, "--size-px", size_px, "--classes", classes]
        command += ["--threads", threads, "--widths", *widths]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.versions: dict[str, str] = self._answer()["versions"]

    def milliseconds(self, do: str, *, batch: int = 1, repeats: int = 1) -> list[float]:
        """Wall time of each of some repeats of one of `DOINGS`; the first one of a kind is warmed up before."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, "batch": batch, "repeats": repeats}) + "\n")
        self.process.stdin.flush()
        return list(self._answer()["milliseconds"])

    def __enter__(self) -> "KerasModel":
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the Keras model stopped: {self.process.stderr.read()[-500:]}")
        return dict(json.loads(line))


def build_model(*, frames: int, size_px: int, classes: int, widths: tuple[int, ...]) -> Any:
    """The paper's model: MobileNet v1 on each frame, global max pooling, BiLSTMs, Dense 1024, dropout, softmax."""
    import keras

    layers = keras.layers
    shape = (size_px, size_px, 3)
    encoder = keras.applications.MobileNet(input_shape=shape, include_top=False, weights=None, pooling="max")
    model = keras.Sequential([layers.Input((frames, *shape)), layers.TimeDistributed(encoder)])
    for number, units in enumerate(widths):
        last = number == len(widths) - 1
        model.add(layers.Bidirectional(layers.LSTM(units, return_sequences=not last)))
    model.add(layers.Dense(1024, activation="relu", kernel_initializer="he_normal", kernel_regularizer="l2"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--size-px", type=int, default=112)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 128])
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = build_model(
        frames=options.frames, size_px=options.size_px, classes=options.classes, widths=tuple(options.widths)
    )
    graph = tf.function(lambda frames: model(frames, training=False))
    generator = np.random.default_rng(0)
    calls: dict[tuple[str, int], Any] = {}

    def prepare(do: str, batch: int) -> Any:
        shape = (batch, options.frames, options.size_px, options.size_px, 3)
        frames = generator.random(shape, dtype=np.float32)
        labels = generator.integers(options.classes, size=batch)
        call = {
            "eager": lambda: model(frames, training=False).numpy(),
            "graph": lambda: graph(frames).numpy(),
            "predict_on_batch": lambda: model.predict_on_batch(frames),
            "predict": lambda: model.predict(frames, verbose=0),
            "train": lambda: model.train_on_batch(frames, labels),
        }[do]
        for _ in range(2):
            call()
        return call

    answer({"versions": {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}})
    for line in sys.stdin:
        request = json.loads(line)
        key = request["do"], request["batch"]
        if key not in calls:
            calls[key] = prepare(*key)
        times = []
        for _ in range(request["repeats"]):
            started = time.perf_counter()
            calls[key]()
            times.append(1000 * (time.perf_counter() - started))
        answer({"milliseconds": times})


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
