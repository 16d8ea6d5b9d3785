"""Where the time of a training step goes, measured in the training loop itself.

Notable: a clock with a stack of phases. The phase entered last gets the time until it is left, so nested phases (the
encoder within the forward pass, the whole step within the optimiser's call, as Lightning nests them) share nothing,
and what is in none of them is named "rest". On a GPU every change of phase waits for the device: shares are right,
and a step is somewhat slower than without a profile.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader

from muybridge.models.cost import count_training_macs
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.batches import ActivationBatch, Batch
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.training import TrainingConfig
from muybridge.system import keep_freed_memory
from muybridge.training.fitting import quiet_lightning, trainer_options, training_loader, uses_bf16
from muybridge.training.module import RecognizerModule

WAITING, TRANSFER, ENCODER, HEAD, BACKWARD, OPTIMISER, REST = PHASES = (
    "waiting for data",
    "host to device",
    "encoder forward",
    "head forward and loss",
    "backward",
    "optimiser",
    "rest",
)

ENCODING = ("encode", "encode_upper")
"""Methods of the network whose time is the encoder's."""


class PhaseClock:
    """Gives the time that passes to the phase entered last."""

    def __init__(
        self, *, synchronise: Callable[[], None] = lambda: None, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._synchronise = synchronise
        self._now = now
        self._stack = [REST]
        self._since = now()
        self._seconds = dict.fromkeys(PHASES, 0.0)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time within as ``name``, but for phases entered meanwhile."""
        self._count()
        self._stack.append(name)
        try:
            yield
        finally:
            self._count()
            self._stack.pop()

    def lap(self) -> dict[str, float]:
        """Seconds of each phase since the last lap."""
        self._count()
        seconds, self._seconds = self._seconds, dict.fromkeys(PHASES, 0.0)
        return seconds

    def _count(self) -> None:
        self._synchronise()
        now = self._now()
        self._seconds[self._stack[-1]] += now - self._since
        self._since = now


class TimedLoader:
    """A loader whose waiting is counted; Lightning finds the order's sampler on it as on any loader."""

    def __init__(self, loader: "DataLoader[Batch | ActivationBatch]", clock: PhaseClock) -> None:
        self._loader = loader
        self._clock = clock
        self.sampler = loader.sampler

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch | ActivationBatch]:
        with self._clock.phase(WAITING):
            batches = iter(self._loader)
        while True:
            with self._clock.phase(WAITING):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class TimedModule(RecognizerModule):
    """The module of every training, with a clock around its parts."""

    def __init__(self, *args: Any, clock: PhaseClock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock = clock
        for name in ENCODING:
            object.__setattr__(self.net, name, self._timed(getattr(self.net, name)))

    def _timed(self, encode: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def timed_encode(*inputs: Any, **named: Any) -> torch.Tensor:
            with self.clock.phase(ENCODER):
                return encode(*inputs, **named)

        return timed_encode

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch."""
        with self.clock.phase(TRANSFER):
            return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def training_step(self, batch: Batch | ActivationBatch, batch_idx: int) -> torch.Tensor:
        """The loss; what is not the encoder's is counted as the head's."""
        with self.clock.phase(HEAD):
            return super().training_step(batch, batch_idx)

    def backward(self, loss: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        """The gradients."""
        with self.clock.phase(BACKWARD):
            super().backward(loss, *args, **kwargs)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Zeroing and clipping gradients and the update; Lightning runs forward and backward within, as phases."""
        with self.clock.phase(OPTIMISER):
            super().optimizer_step(*args, **kwargs)


class _Laps(Callback):
    """One row of seconds per step, from the end of the step before."""

    def __init__(self, clock: PhaseClock) -> None:
        self.clock = clock
        self.rows: list[dict[str, float]] = []
        self.clips: list[int] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        self.rows.append(self.clock.lap())
        self.clips.append(len(batch.labels_B))


@dataclass(frozen=True)
class StepProfile:
    """What a training step costs.

    Attributes:
        steps: Steps measured, after the warm-up.
        batch_size: Clips of a step.
        frame_count: T of the batches.
        size_px: Side of the frames.
        milliseconds: Median of each phase.
        step_milliseconds: Median, 10th and 90th percentile of a whole step.
        flops_per_clip: Operations of forward and backward (a multiply-add is two).
        peak_flops: Operations per second of a large matrix product on this machine, in the precision trained in.
        setting: Device, threads, loader processes and precision, in words.
    """

    steps: int
    batch_size: int
    frame_count: int
    size_px: int
    milliseconds: dict[str, float]
    step_milliseconds: tuple[float, float, float]
    flops_per_clip: int
    peak_flops: float
    setting: str

    @property
    def clips_per_second(self) -> float:
        """From the median step."""
        return 1000 * self.batch_size / self.step_milliseconds[0]

    @property
    def flops(self) -> float:
        """Operations per second that training reaches."""
        return self.flops_per_clip * self.clips_per_second

    def share(self, phase: str) -> float:
        """A phase's share of the step."""
        return self.milliseconds[phase] / sum(self.milliseconds.values())

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "setting": self.setting,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "frames": self.frame_count,
            "size_px": self.size_px,
            "phases": {name: {"ms": self.milliseconds[name], "share": self.share(name)} for name in PHASES},
            "step_ms": dict(zip(("median", "p10", "p90"), self.step_milliseconds, strict=True)),
            "clips_per_second": self.clips_per_second,
            "frames_per_second": self.clips_per_second * self.frame_count,
            "gflops": self.flops / 1e9,
            "peak_gflops": self.peak_flops / 1e9,
            "share_of_peak": self.flops / self.peak_flops,
        }

    def __str__(self) -> str:
        median, low, high = self.step_milliseconds
        return "\n".join(
            [
                f"{self.setting}; {self.batch_size} clips of {self.frame_count} frames of {self.size_px} px",
                f"{'phase':<24}{'ms':>9}{'share':>9}",
                *(f"{name:<24}{self.milliseconds[name]:>9.1f}{100 * self.share(name):>7.1f} %" for name in PHASES),
                f"{'step':<24}{median:>9.1f}           (10 % {low:.1f}, 90 % {high:.1f}; {self.steps} steps)",
                f"{self.clips_per_second:.1f} clips/s, {self.clips_per_second * self.frame_count:.0f} frames/s, "
                f"{self.flops / 1e9:.1f} GFLOP/s: {100 * self.flops / self.peak_flops:.0f} % of the "
                f"{self.peak_flops / 1e9:.0f} GFLOP/s of a matrix product here",
            ]
        )


def profile_steps(
    net: RecognizerNet,
    config: TrainingConfig,
    data: ClipDataset | ActivationDataset,
    *,
    device: torch.device,
    steps: int = 30,
    warmup: int = 5,
) -> StepProfile:
    """Train for a few steps, as ``fit`` does, and measure them; the network is changed.

    Args:
        net: The network.
        config: Options of training, resolved.
        data: Training clips.
        device: Where it computes.
        steps: Steps to measure.
        warmup: Steps before them.
    """
    quiet_lightning()
    keep_freed_memory()
    cuda = device.type == "cuda"
    L.seed_everything(config.seed, verbose=False)
    loader = training_loader(data, config, device)
    clock = PhaseClock(synchronise=torch.cuda.synchronize if cuda else lambda: None)
    laps = _Laps(clock)
    module = TimedModule(net, config, class_counts=[1] * net.class_count, batches_per_epoch=len(loader), clock=clock)
    trainer = L.Trainer(
        max_steps=-(-(warmup + steps) // config.accumulate),
        max_epochs=-1,
        callbacks=[laps],
        enable_checkpointing=False,
        **trainer_options(config, device),
    )
    try:
        trainer.fit(module, TimedLoader(loader, clock))
    finally:
        for name in ENCODING:
            delattr(net, name)  # the clock's; the class's own is below it
    full = config.clips_per_batch if len(data) >= config.clips_per_batch else len(data)
    # The last batch of an epoch may be smaller.
    rows = [row for row, clips in zip(laps.rows[warmup:], laps.clips[warmup:], strict=True) if clips == full]
    totals = [1000 * sum(row.values()) for row in rows]
    tenths = statistics.quantiles(totals, n=10) if len(totals) > 1 else totals * 9
    if isinstance(data, ActivationDataset):
        kept, clips = data[0, 0].activations.shape, data.clips
    else:
        kept, clips = None, data
    frame_count, size_px = clips[0, 0].frames_THWC.shape[:2]
    bf16 = uses_bf16(config, device)
    return StepProfile(
        steps=len(rows),
        batch_size=full,
        frame_count=frame_count,
        size_px=size_px,
        milliseconds={name: 1000 * statistics.median(row[name] for row in rows) for name in PHASES},
        step_milliseconds=(statistics.median(totals), tenths[0], tenths[-1]),
        flops_per_clip=2 * count_training_macs(net, frame_count=frame_count, size_px=size_px, kept=kept),
        peak_flops=measure_peak(device=device, dtype=torch.bfloat16 if bf16 else torch.float32),
        setting=(
            f"{torch.cuda.get_device_name(device) if cuda else f'CPU, {torch.get_num_threads()} threads'}, "
            f"{loader.num_workers} loader processes, {'bf16' if bf16 else '32-bit'}"
        ),
    )


def measure_peak(*, device: str | torch.device, dtype: torch.dtype, seconds: float = 1.0) -> float:
    """Operations per second of a large matrix product: the best of those that fit into ``seconds``."""
    cuda = torch.device(device).type == "cuda"
    size = 8192 if cuda else 1024
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    end = time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        if cuda:
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        left @ right
        if cuda:
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
