"""The largest batch that fits into memory.

Notable: on the CPU nothing is tried out, because a system that runs out of memory ends the process instead of raising
an error. A step is run on shapes alone (torch's meta device) for two batch sizes, every tensor is counted while it
lives, and the line through the two peaks says what a clip costs. A GPU raises an error, so there steps are run.
"""

import copy

import torch

from muybridge import ranks
from muybridge.errors import UserError
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.batches import Batch
from muybridge.recipes.training import TrainingConfig
from muybridge.system import available_memory
from muybridge.training.live_bytes import LiveBytes
from muybridge.training.module import RecognizerModule
from muybridge.training.precision import uses_bf16

SIZES = tuple(sorted({2**n for n in range(9)} | {3 * 2**n for n in range(7)}))
"""1, 2, 3, 4, 6, 8, 12, ... 256."""

SHARE_OF_FREE_MEMORY = 0.6
"""The rest is for what is not counted: scratch space of convolutions, allocator, loader processes, the system."""


def step_bytes(
    net: RecognizerNet, *, batch_size: int, frame_count: int, size_px: int, checkpointing: bool = False
) -> int:
    """Most bytes that a training step holds at once beyond the weights: activations, gradients, optimiser state.

    Args:
        net: The network; it is not run.
        batch_size: B.
        frame_count: T.
        size_px: H and W.
        checkpointing: As in ``TrainingConfig``.
    """
    shapes = copy.deepcopy(net).to("meta").train()
    shapes.checkpointing = checkpointing
    learning = sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
    live = LiveBytes()
    with live:
        clip_BTHWC = torch.empty(batch_size, frame_count, size_px, size_px, 3, dtype=torch.uint8, device="meta")
        shapes(clip_BTHWC).sum().backward()
    # Adam keeps two numbers for each weight.
    return live.peak + 2 * 4 * learning


def largest_batch(
    net: RecognizerNet, config: TrainingConfig, *, frame_count: int, size_px: int, clip_count: int, device: torch.device
) -> tuple[int, str]:
    """Find the largest batch that fits, at most a quarter of the training clips.

    Of several processes each looks at its own device; the batch is that of the smallest, times their number.

    Args:
        net: The network; left as it was.
        config: Options of training.
        frame_count: T.
        size_px: H and W.
        clip_count: Training clips.
        device: Where the training computes.

    Returns:
        The number of clips, and why it is this one, in words.

    Raises:
        UserError: If not even one clip fits.
    """
    return ranks.together(
        _agreed, net.cpu(), config, frame_count=frame_count, size_px=size_px, clip_count=clip_count, device=device
    )


def _agreed(
    net: RecognizerNet, config: TrainingConfig, *, frame_count: int, size_px: int, clip_count: int, device: torch.device
) -> tuple[int, str]:
    count = ranks.size()
    sizes = [size for size in SIZES if size <= max(1, clip_count // 4 // count)]
    found = _largest_here(net, config, sizes, frame_count=frame_count, size_px=size_px, device=device)
    size, reason = min(ranks.gathered(found))
    return (size, reason) if count == 1 else (size * count, f"{size} for each of {count} processes: {reason}")


def _largest_here(
    net: RecognizerNet,
    config: TrainingConfig,
    sizes: list[int],
    *,
    frame_count: int,
    size_px: int,
    device: torch.device,
) -> tuple[int, str]:
    """The largest of some batches that fits this process's device."""
    if device.type == "cuda":
        return _largest_on_gpu(net, config, sizes, frame_count=frame_count, size_px=size_px, device=device)
    one, two = (
        step_bytes(net, batch_size=size, frame_count=frame_count, size_px=size_px, checkpointing=config.checkpointing)
        for size in (1, 2)
    )
    free = available_memory() // ranks.place().local_size
    needed = {size: one + (two - one) * (size - 1) for size in sizes}
    fitting = [size for size in sizes if needed[size] <= SHARE_OF_FREE_MEMORY * free]
    if not fitting:
        raise UserError(
            f"one clip needs {one / 1e9:.1f} GB to train on, {free / 1e9:.1f} GB are free; give fewer sampler.frames, "
            "a smaller size_px, or training.checkpointing"
        )
    best = fitting[-1]
    reason = f"a step needs about {needed[best] / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
    return best, reason + ("; a larger one would leave too few steps in an epoch" if best == sizes[-1] else "")


def _largest_on_gpu(
    net: RecognizerNet,
    config: TrainingConfig,
    sizes: list[int],
    *,
    frame_count: int,
    size_px: int,
    device: torch.device,
) -> tuple[int, str]:
    """Run one step after the other, each larger, until the card's memory is out."""
    best, reason = 0, "a larger one would leave too few steps in an epoch"
    for size in sizes:
        try:
            _try_step(net, config, size, frame_count=frame_count, size_px=size_px, device=device)
        except torch.OutOfMemoryError:
            reason = f"{size} do not fit into the GPU's memory"
            break
        finally:
            torch.cuda.empty_cache()
        best = size
    if not best:
        raise UserError(
            "not even one clip fits into the GPU's memory; give fewer sampler.frames, a smaller size_px, or "
            "training.checkpointing"
        )
    return best, reason


def _try_step(
    net: RecognizerNet, config: TrainingConfig, size: int, *, frame_count: int, size_px: int, device: torch.device
) -> None:
    trial = copy.deepcopy(net).to(device).train()
    module = RecognizerModule(trial, config, class_counts=[1] * net.class_count, batches_per_epoch=1).to(device)
    module.log = lambda *_args, **_kwargs: None  # type: ignore[method-assign]
    frames_BTHWC = torch.zeros(size, frame_count, size_px, size_px, 3, dtype=torch.uint8, device=device)
    batch = Batch(frames_BTHWC, torch.full((size,), frame_count), torch.zeros(size, dtype=torch.int64, device=device))
    optimizer = module.configure_optimizers()["optimizer"]
    with torch.autocast("cuda", torch.bfloat16, enabled=uses_bf16(config, device)):
        loss = module.training_step(batch, 0)
    torch.autograd.backward(loss)
    optimizer.step()
