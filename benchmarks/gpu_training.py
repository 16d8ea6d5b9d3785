"""Clips per second on a GPU, the share of its peak, and the share of the time that waits for data.

    python benchmarks/gpu_training.py [CLIPS] [--cases mobilenet-bilstm i3d-encode i3d-fine-tune] [--steps 30]
    python benchmarks/gpu_training.py --device cpu --tiny     the same code in a minute, to see that it runs

Cases: the recipe mobilenet-bilstm, trained; I3D, frozen, which encodes clips once; I3D with BERT, of which all layers
learn. Each goes the way of `muybridge train`, from decoded frames on disk through the loader; weights are drawn, which
changes no time. Without CLIPS, drawn ones are rendered. The clock waits for the device at each part of a step, so a
training is somewhat faster than it says here.

    --against-plain mobilenet densenet

compares with a plain loop, on frames in memory, in turns: 32-bit, frames scaled to floats on the host and copied in the
ordinary way, as a first version of such a loop would be. Ours: uint8 frames in page-locked memory, copied without
waiting, augmented and scaled on the device, bf16, channels-last. All layers learn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cost import count_training_macs, measure_cost
from muybridge.console import STDERR
from muybridge.dataset.layouts import read_catalog
from muybridge.experiment.examples import decode_once
from muybridge.experiment.frame_source import frame_cache
from muybridge.models.network import build
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.augmentation import draw_transform
from muybridge.pipeline.batches import Batch, Item, collate_frames
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe
from muybridge.recipes.training import TrainingConfig
from muybridge.sequences import spread
from muybridge.system import processor_name, resolve_device
from muybridge.training.encoding import FrozenPart
from muybridge.training.module import RecognizerModule
from muybridge.training.precision import encodes_in_bf16
from muybridge.verbs.demo.clips import render_demo
from muybridge.verbs.train.profile import WAITING, measure_steps

CLASSES = 10
ENCODE = "i3d-encode"
CASES = {
    "mobilenet-bilstm": ("mobilenet-bilstm", []),
    ENCODE: ("i3d-bert", []),
    "i3d-fine-tune": ("i3d-bert", ["--model.trainable", "all"]),
}
BATCHES = 12
"""Batches of clips that are decoded; epochs over them are repeated."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="?", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cases", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--batch", type=int, default=0, help="clips a batch; 0: the recipe's")
    parser.add_argument("--steps", type=int, default=30, help="steps to measure")
    parser.add_argument("--tiny", action="store_true", help="2 clips a batch, 8 frames of 64 px, 4 steps")
    parser.add_argument("--against-plain", nargs="*", default=[], metavar="ENCODER")
    parser.add_argument("--plain-frames", type=int, default=16)
    parser.add_argument("--plain-size-px", type=int, default=224)
    parser.add_argument("--plain-batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="of the plain loop and ours, in turns")
    parser.add_argument("--round-steps", type=int, default=10)
    options = parser.parse_args()
    if options.tiny:
        options.batch, options.steps = 2, 4
        options.plain_frames, options.plain_size_px, options.plain_batch = 4, 64, 2
        options.rounds, options.round_steps = 2, 2
    device = resolve_device(options.device)
    peak, precision = measure_peak(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()
    print(f"{name}, torch {torch.__version__}; {precision} matrix product {peak / 1e12:.2f} TFLOP/s")
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            measure(case, options, device, Path(folder), peak=peak)
    for encoder in options.against_plain:
        against_plain(encoder, options, device, peak=peak)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_peak(device: torch.device, *, tries: int = 50) -> tuple[float, str]:
    """Operations per second of a large matrix product, the best of some, and its precision."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    seconds = []
    for _ in range(tries):
        synchronize(device)
        started = time.perf_counter()
        left @ right
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds), str(kind).removeprefix("torch.")


def recipe_of(case: str, options: argparse.Namespace, folder: Path) -> Recipe:
    """The recipe of a case; all that is to learn learns from the first step on."""
    name, flags = CASES[case]
    flags = [*flags, "--model.weights", "none", "--cache.folder", str(folder / "cache"), "--cache.variants", "1"]
    flags += ["--training.head-epochs", "0", "--training.warmup-epochs", "0"]
    if options.batch:
        flags += ["--training.batch-size", str(options.batch)]
    if options.tiny:
        flags += ["--frames", "8", "--size-px", "64"]
    recipe = load_recipe(name, flags=flags)
    return replace(recipe, training=recipe.training.resolved(1000))


def measure(case: str, options: argparse.Namespace, device: torch.device, folder: Path, *, peak: float) -> None:
    """One line of figures."""
    recipe = recipe_of(case, options, folder)
    batch = recipe.training.clips_per_batch
    clips = options.clips
    if clips is None:
        clips = render_demo(folder / f"demo-{batch}", clips_per_class=max(1, BATCHES * batch // 8))
    catalog = read_catalog(clips)
    cache = frame_cache(recipe)
    chosen = spread(catalog.clips, BATCHES * batch)
    failed = decode_once(cache, chosen, console=STDERR)
    kept = [clip for clip in chosen if clip.id not in failed]
    net = build(recipe.model, len(catalog.classes))
    frame_count = recipe.sampler.frames
    if case == ENCODE:
        data = ClipDataset(cache, kept, classes=catalog.classes, augment=None, seed=0)
        rate, waiting = measure_encoding(net.eval(), recipe, data, device)
        cost = measure_cost(net.cpu(), frame_count=frame_count, size_px=recipe.size_px)
        macs = frame_count * cost.encoder_macs_per_frame
        parts = ""
    else:
        data = ClipDataset(cache, kept, classes=catalog.classes, augment=recipe.augment, seed=0)
        found = measure_steps(net, recipe, data, device=device, steps=options.steps)
        values = found.to_dict()
        rate, waiting = values["clips_per_second"], values["phases"][WAITING]["share"]
        macs = count_training_macs(net.cpu(), frame_count=frame_count, size_px=recipe.size_px)
        parts = f"; {found.setting}"
    print(
        f"{case:<17} {rate:8.1f} clips/s, {100 * 2 * macs * rate / peak:4.1f} % of peak, {100 * waiting:4.1f} % of the "
        f"time waiting for data ({batch} clips a batch, {frame_count} frames of {recipe.size_px} px{parts})"
    )


class TimedEncode:
    """A frozen part that knows how long it was at work, in all of its threads."""

    def __init__(self, frozen: FrozenPart, device: torch.device) -> None:
        self._frozen, self._device = frozen, device
        self.workers = frozen.workers
        self.seconds: list[float] = []

    def __call__(self, frames_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode clips."""
        began = time.perf_counter()
        activations = self._frozen(frames_BTHWC)
        synchronize(self._device)
        self.seconds.append(time.perf_counter() - began)
        return activations


def measure_encoding(
    net: torch.nn.Module, recipe: Recipe, data: ClipDataset, device: torch.device
) -> tuple[float, float]:
    """Clips per second that are encoded once and kept, and the share of the time in which no clip is encoded."""
    frozen = FrozenPart(net, bf16=encodes_in_bf16(recipe.training, device), device=device)
    first = data[0, 0].frames_THWC
    for count in (1, 8, 8):  # the device gets used to the sizes
        frozen(np.stack([first] * count))
    timed = TimedEncode(frozen, device)
    examples = ActivationDataset(data, timed, identity=frozen.identity, variants=1)
    began = time.perf_counter()

    def look(done: int, _total: int) -> None:
        nonlocal began
        if done == 1:  # it is encoded alone, before the others
            began = time.perf_counter()
            timed.seconds.clear()

    count = examples.build(look) - 1
    took = time.perf_counter() - began
    return count / took, 1 - sum(timed.seconds) / took / timed.workers


def against_plain(encoder: str, options: argparse.Namespace, device: torch.device, *, peak: float) -> None:
    """Rounds of the plain loop and of ours in turns, on frames that lie in memory; all layers learn."""
    loops = {name: make_loop(name, encoder, options, device) for name in ("plain", "ours")}
    for name, step in loops.items():
        started = time.perf_counter()
        for _ in range(3):
            step()
        synchronize(device)
        print(f"{encoder}: {name}: first 3 steps {time.perf_counter() - started:.1f} s")
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.rounds):
        for name, step in loops.items():
            started = time.perf_counter()
            for _ in range(options.round_steps):
                step()
            synchronize(device)
            seconds[name].append((time.perf_counter() - started) / options.round_steps)
    net = build(model(encoder), CLASSES)
    flops = (
        2
        * options.plain_batch
        * count_training_macs(net, frame_count=options.plain_frames, size_px=options.plain_size_px)
    )
    plain = statistics.median(seconds["plain"])
    for name, values in seconds.items():
        median = statistics.median(values)
        low, high = np.percentile(values, [10, 90])
        share = 100 * flops / median / peak
        print(
            f"{encoder:<10} {name:<15} {options.plain_batch / median:7.1f} clips/s "
            f"(step {1000 * low:.0f}-{1000 * high:.0f} ms), {share:4.1f} % of peak, {plain / median:.2f} x plain"
        )


def model(encoder: str) -> ModelConfig:
    return ModelConfig(
        encoder=encoder,  # type: ignore[arg-type]
        weights="none", trainable="all", head_widths=(256, 128), dense_widths=(1024,), feature_norm="none",
    )  # fmt: skip


def make_loop(name: str, encoder: str, options: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    plain = name == "plain"
    torch.manual_seed(0)
    config = TrainingConfig(epochs=1, head_epochs=0, warmup_epochs=0)
    net = build(model(encoder), CLASSES).to(device)
    module = RecognizerModule(net, config, class_counts=[1] * CLASSES, batches_per_epoch=1)
    module = module.to(device).train()
    module.log = lambda *_args, **_kwargs: None
    optimizer = module.configure_optimizers()["optimizer"]
    batch = host_batch(options)

    def step() -> None:
        if plain:
            scaled = batch.frames_BTHWC.float()
            moved = Batch(scaled.to(device), batch.lengths_B, batch.labels_B.to(device))
        else:
            assert batch.matrices_B23 is not None and batch.gains_B is not None
            moved = Batch(
                batch.frames_BTHWC.to(device, non_blocking=True),
                batch.lengths_B,
                batch.labels_B.to(device, non_blocking=True),
                batch.matrices_B23.to(device, non_blocking=True),
                batch.gains_B.to(device, non_blocking=True),
            )
            moved = module.on_after_batch_transfer(moved, 0)
        with torch.autocast(device.type, torch.bfloat16, enabled=not plain):
            loss = module.training_step(moved, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if not plain and device.type == "cuda":
        batch = Batch(*(tensor.pin_memory() for tensor in batch if tensor is not None))
    return step


def host_batch(options: argparse.Namespace) -> Batch:
    generator = np.random.default_rng(0)
    size = options.plain_size_px
    items = []
    for number in range(options.plain_batch):
        frames = generator.integers(0, 256, (options.plain_frames, size, size, 3), dtype=np.uint8)
        drawn = draw_transform(AugmentConfig(), generator, width_px=size, height_px=size, may_flip=True)
        items.append(Item(frames, number % CLASSES, drawn))
    return collate_frames(items)


if __name__ == "__main__":
    main()
