"""Clips per second of training on a GPU, and the share of its peak, against the plain loop.

    python benchmarks/gpu_training.py [--encoders mobilenet densenet] [--frames 16] [--size-px 224] [--batch 32]

Plain: 32-bit, frames scaled to floats on the host and copied in the ordinary way, as a first version of such a loop
would be. Ours: uint8 frames in page-locked memory, copied without waiting, augmented and scaled on the GPU, bf16,
channels-last. All layers learn. The rounds of the two alternate. Says so and ends where there is no GPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from cost import count_training_macs
from muybridge.models.network import build
from muybridge.pipeline.augmentation import draw_transform
from muybridge.pipeline.batches import Batch, Item, collate_frames
from muybridge.recipes.augment import AugmentConfig
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.training import TrainingConfig
from muybridge.training.module import RecognizerModule

CLASSES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", default=["mobilenet", "densenet"])
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size-px", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="steps in a round")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"no CUDA GPU here (torch {torch.__version__}): nothing is measured")
        return
    peak = measure_peak()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; bf16 matrix product {peak / 1e12:.0f} TFLOP/s")
    for encoder in options.encoders:
        measure(encoder, options, peak=peak)


def measure_peak(*, size: int = 8192, tries: int = 50) -> float:
    """Operations per second of a large matrix product in bf16: the best of some."""
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(tries):
        torch.cuda.synchronize()
        started = time.perf_counter()
        left @ right
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)


def measure(encoder: str, options: argparse.Namespace, *, peak: float) -> None:
    loops = {name: make_loop(name, encoder, options) for name in ("plain", "ours")}
    for name, step in loops.items():
        started = time.perf_counter()
        for _ in range(3):
            step()
        torch.cuda.synchronize()
        print(f"{encoder}: {name}: first 3 steps {time.perf_counter() - started:.1f} s")
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.rounds):
        for name, step in loops.items():
            started = time.perf_counter()
            for _ in range(options.steps):
                step()
            torch.cuda.synchronize()
            seconds[name].append((time.perf_counter() - started) / options.steps)
    net = build(model(encoder), CLASSES)
    flops = 2 * options.batch * count_training_macs(net, frame_count=options.frames, size_px=options.size_px)
    plain = statistics.median(seconds["plain"])
    for name, values in seconds.items():
        median = statistics.median(values)
        low, high = np.percentile(values, [10, 90])
        print(
            f"{encoder:<10} {name:<15} {options.batch / median:7.1f} clips/s (step {1000 * low:.0f}-{1000 * high:.0f} "
            f"ms), {100 * flops / median / peak:4.1f} % of peak, {plain / median:.2f} x plain"
        )


def model(encoder: str) -> ModelConfig:
    return ModelConfig(
        encoder=encoder,  # type: ignore[arg-type]
        weights="none", trainable="all", head_widths=(256, 128), dense_widths=(1024,), feature_norm="none",
    )  # fmt: skip


def make_loop(name: str, encoder: str, options: argparse.Namespace) -> Callable[[], None]:
    plain = name == "plain"
    torch.manual_seed(0)
    config = TrainingConfig(epochs=1, head_epochs=0, warmup_epochs=0)
    net = build(model(encoder), CLASSES).cuda()
    module = RecognizerModule(net, config, class_counts=[1] * CLASSES, batches_per_epoch=1).cuda().train()
    module.log = lambda *_args, **_kwargs: None
    optimizer = module.configure_optimizers()["optimizer"]
    batch = host_batch(options)

    def step() -> None:
        if plain:
            scaled = batch.frames_BTHWC.float()
            moved = Batch(scaled.cuda(), batch.lengths_B, batch.labels_B.cuda())
        else:
            assert batch.matrices_B23 is not None and batch.gains_B is not None
            moved = Batch(
                batch.frames_BTHWC.cuda(non_blocking=True),
                batch.lengths_B,
                batch.labels_B.cuda(non_blocking=True),
                batch.matrices_B23.cuda(non_blocking=True),
                batch.gains_B.cuda(non_blocking=True),
            )
            moved = module.on_after_batch_transfer(moved, 0)
        with torch.autocast("cuda", torch.bfloat16, enabled=not plain):
            loss = module.training_step(moved, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if not plain:
        batch = Batch(*(tensor.pin_memory() for tensor in batch if tensor is not None))
    return step


def host_batch(options: argparse.Namespace) -> Batch:
    generator = np.random.default_rng(0)
    size = options.size_px
    items = []
    for number in range(options.batch):
        frames = generator.integers(0, 256, (options.frames, size, size, 3), dtype=np.uint8)
        drawn = draw_transform(AugmentConfig(), generator, width_px=size, height_px=size, may_flip=True)
        items.append(Item(frames, number % CLASSES, drawn))
    return collate_frames(items)


if __name__ == "__main__":
    main()
