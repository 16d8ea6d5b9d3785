"""Clips per second of the full fine-tune of the paper's model: ours against Keras 3 on TensorFlow.

    python3 -m venv keras-env && keras-env/bin/pip install tensorflow-cpu keras
    python benchmarks/training.py --keras-python keras-env/bin/python [--frames 5 16] [--size-px 112] [--batch 8]

Both train MobileNet v1 with all layers and batch norm learning, global max pooling, BiLSTMs of 256 and 128, a dense
layer of 1024 with L2 and dropout, and Adam, on random clips that lie in memory. Ours takes uint8 frames and scales
them within the step; Keras is given float32 frames that are scaled already. Blocks of steps alternate; each side has
its process and the same cores, and only one of them works at a time.
"""

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

import lightning as L
import numpy as np
import torch

from keras_model import KerasModel
from muybridge.models.network import build
from muybridge.pipeline.batches import Batch
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.training import TrainingConfig
from muybridge.system import keep_freed_memory, processor_name
from muybridge.training.module import RecognizerModule
from muybridge.training.precision import uses_bf16

CLASSES = 10
MODEL = ModelConfig(
    weights="none",
    trainable="all",
    frozen_batch_norm=False,
    batch_norm_momentum=0.01,
    scaling="unit",
    pooling="max",
    feature_norm="none",
    head_widths=(256, 128),
    dense_widths=(1024,),
    l2=0.01,
)


class OurSteps:
    """Steps of muybridge's module and optimiser, in this process."""

    def __init__(self, *, frames: int, size_px: int, batch: int, training: TrainingConfig) -> None:
        L.seed_everything(0, verbose=False)
        self.bf16 = uses_bf16(training, torch.device("cpu"))
        net = build(MODEL, CLASSES)
        self.module = RecognizerModule(net, training, class_counts=[1] * CLASSES, batches_per_epoch=1)
        self.module.log = lambda *_args, **_kwargs: None
        self.module.train()
        self.optimizer = self.module.configure_optimizers()["optimizer"]
        frames_BTHWC = torch.randint(0, 256, (batch, frames, size_px, size_px, 3), dtype=torch.uint8)
        self.batch = Batch(frames_BTHWC, torch.full((batch,), frames), torch.randint(CLASSES, (batch,)))
        for _ in range(2):
            self.step()

    def step(self) -> None:
        """Forward, backward and update."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.module.training_step(self.batch, 0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def milliseconds(self, repeats: int) -> list[float]:
        """Wall time of each of some steps."""
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            self.step()
            times.append(1000 * (time.perf_counter() - started))
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras-python", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=[5, 16])
    parser.add_argument("--size-px", type=int, default=112)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps in a block")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each side")
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {options.threads} threads; {processor_name()}"
    )
    if options.keras_python is None:
        print("Keras is not timed: name an interpreter that has tensorflow and keras with --keras-python")
    training = TrainingConfig(
        epochs=1, optimizer="adam", learning_rate=1e-3, encoder_rate=1.0, weight_decay=0, head_epochs=0,
        warmup_epochs=0, schedule="constant", label_smoothing=0, precision=options.precision,
    )  # fmt: skip
    for frames in options.frames:
        compare(options, frames=frames, training=training)


def compare(options: argparse.Namespace, *, frames: int, training: TrainingConfig) -> None:
    size = {"frames": frames, "size_px": options.size_px}
    ours = OurSteps(**size, batch=options.batch, training=training)
    print(f"\n{options.batch} clips of {frames} frames of {options.size_px} px, {options.precision}")
    if options.keras_python is None:
        show("muybridge", ours.milliseconds(options.rounds * options.steps), options.batch)
        return
    with KerasModel(options.keras_python, **size, classes=CLASSES, threads=options.threads) as keras:
        print(", ".join(f"{name} {version}" for name, version in keras.versions.items()))
        keras.milliseconds("train", batch=options.batch)
        mine: list[float] = []
        theirs: list[float] = []
        ratios = []
        used = [0.0, 0.0]
        for _ in range(options.rounds):
            started = cpu_seconds(os.getpid()), cpu_seconds(keras.process.pid)
            mine += (block := ours.milliseconds(options.steps))
            theirs += (other := keras.milliseconds("train", batch=options.batch, repeats=options.steps))
            ratios.append(statistics.median(other) / statistics.median(block))
            used[0] += cpu_seconds(os.getpid()) - started[0]
            used[1] += cpu_seconds(keras.process.pid) - started[1]
    show("muybridge", mine, options.batch)
    show("Keras on TensorFlow", theirs, options.batch)
    low, high = np.percentile(ratios, [10, 90])
    print(f"Keras / muybridge: {statistics.median(ratios):.2f} (median of rounds; 10 % {low:.2f}, 90 % {high:.2f})")
    each = [1000 * seconds / (options.rounds * options.steps) for seconds in used]
    print(f"CPU time of a step: {each[0]:.0f} and {each[1]:.0f} ms, ratio {each[1] / each[0]:.2f}")


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(name: str, milliseconds: list[float], batch: int) -> None:
    low, high = np.percentile(milliseconds, [10, 90])
    median = statistics.median(milliseconds)
    print(f"{name:<20} {median:7.0f} ms a step (10 % {low:.0f}, 90 % {high:.0f})  {1000 * batch / median:6.1f} clips/s")


if __name__ == "__main__":
    main()
