"""Where a training step's time goes, for the clips and the recipe that would be trained.

Notable: a clock is read where Lightning and the network go from one part of a step to the next, so the parts add up to
the step. On a GPU each reading waits for the device: shares are right, and a step is somewhat slower than without.
"""

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from muybridge.console import STDERR
from muybridge.errors import UserError
from muybridge.experiment.dividing import divide
from muybridge.experiment.examples import decode_once, encoded
from muybridge.experiment.frame_source import frame_cache
from muybridge.experiment.prepare import checked
from muybridge.models.network import RecognizerNet
from muybridge.pipeline.activations import ActivationDataset
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.options import Options, recipe_with
from muybridge.recipes.recipe import Recipe
from muybridge.system import keep_freed_memory, peak_memory, resolve_device
from muybridge.text import percent
from muybridge.training.fitting import quiet_lightning, trainer_options, training_loader
from muybridge.training.module import RecognizerModule
from muybridge.training.precision import uses_bf16

PARTS = ("waiting for data", "encoder forward", "head forward and loss", "backward", "optimiser")
WAITING, ENCODER, HEAD, BACKWARD, OPTIMISER = PARTS

# Enough clips for some steps without repetition; more would only be decoded.
PROFILED_BATCHES = 12
WARMUP_STEPS = 5


@dataclass(frozen=True)
class StepProfile:
    """What a training step costs: medians over ``steps`` steps of ``batch_size`` clips, in milliseconds by part.

    ``peak_bytes`` is the most memory so far, of the GPU or else of this process; None where the system does not say.
    """

    setting: str
    steps: int
    batch_size: int
    milliseconds: dict[str, float]
    step_milliseconds: float
    peak_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, with each part's share of the step."""
        total = sum(self.milliseconds.values())
        return {
            "setting": self.setting,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "phases": {name: {"ms": ms, "share": ms / total} for name, ms in self.milliseconds.items()},
            "step_ms": self.step_milliseconds,
            "clips_per_second": 1000 * self.batch_size / self.step_milliseconds,
            "peak_gb": None if self.peak_bytes is None else self.peak_bytes / 1e9,
        }

    def __str__(self) -> str:
        values = self.to_dict()
        rows = [f"{name:<24}{part['ms']:>9.1f}{percent(part['share']):>10}" for name, part in values["phases"].items()]
        step = f"{'step':<24}{self.step_milliseconds:>9.1f}   median of {self.steps}"
        peak = "unknown" if self.peak_bytes is None else f"{values['peak_gb']:.1f} GB"
        last = f"{values['clips_per_second']:.1f} clips/s, peak memory {peak}"
        return "\n".join([self.setting, f"{'part':<24}{'ms':>9}{'share':>10}", *rows, step, last])


class _Clock(Callback):
    """Milliseconds of each part of each step, with its number of clips; a step begins where the one before ends."""

    def __init__(self, net: RecognizerNet, device: torch.device) -> None:
        self._device = device
        self.rows: list[tuple[int, dict[str, float]]] = []
        self._row = dict.fromkeys(PARTS, 0.0)
        self._since = time.perf_counter()
        net.norm.register_forward_pre_hook(lambda *_: self._ends(ENCODER))

    def _ends(self, part: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self._row[part] += 1000 * (now - self._since)
        self._since = now

    def on_train_batch_start(self, *_: Any, **__: Any) -> None:
        self._ends(WAITING)

    def on_before_backward(self, *_: Any, **__: Any) -> None:
        self._ends(HEAD)

    def on_after_backward(self, *_: Any, **__: Any) -> None:
        self._ends(BACKWARD)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._ends(OPTIMISER)
        self.rows.append((len(batch.labels_B), self._row))
        self._row = dict.fromkeys(PARTS, 0.0)


def profile(
    clips: str | Path,
    recipe: Recipe | str | Path = "default",
    *,
    device: str = "auto",
    steps: int = 30,
    console: Console = STDERR,
    **options: Unpack[Options],
) -> StepProfile:
    """Train for some steps, as a training does, and measure each part of them. No run is made.

    Args:
        clips: A folder with a sub-folder per class, a CSV, annotations of long videos, or an HMDB-51 or UCF101 folder.
        recipe: A recipe, the name of one that comes with muybridge, or a YAML file.
        device: Where it computes: auto, cpu, cuda, cuda:1 or mps.
        steps: Steps to measure, after a few that warm up.
        console: Where progress is printed.
        options: What differs from the recipe, as in ``train``.

    Raises:
        UserError: For clips or options that make no sense.
    """
    computing = resolve_device(device)
    recipe = recipe_with(recipe, options, verb="profile")
    divided = divide(
        clips,
        replace(recipe.data, folds=0),
        validates=recipe.model.head != "probe",
        cache=recipe.cache,
        console=console,
    )
    divided.announce(console)
    recipe, net = checked(divided.split, recipe, device=computing, console=console)
    config, cache = recipe.training, frame_cache(recipe)
    train = divided.split.clips_of("train")
    chosen = train[:: max(1, len(train) // (PROFILED_BATCHES * config.clips_per_batch))]
    failed = decode_once(cache, chosen, console=console)
    some = [clip for clip in chosen if clip.id not in failed]
    if not some:
        raise UserError("no training clip decodes; run muybridge check to see why")
    data = ClipDataset(cache, some, classes=divided.split.classes, augment=recipe.augment, seed=config.seed)
    examples = encoded({"train": data}, net, recipe, variants=1, device=computing, console=console)["train"]
    return measure_steps(net, recipe, examples, device=computing, steps=steps, console=console)


def measure_steps(
    net: RecognizerNet,
    recipe: Recipe,
    examples: ClipDataset | ActivationDataset,
    *,
    device: torch.device,
    steps: int,
    console: Console = STDERR,
) -> StepProfile:
    """Train a network, which is changed, for some steps, and measure them."""
    config = recipe.training
    quiet_lightning()
    keep_freed_memory()
    L.seed_everything(config.seed, verbose=False)
    loader = training_loader(examples, config, device, console=console)
    clock = _Clock(net, device)
    module = RecognizerModule(net, config, class_counts=[1] * net.class_count, batches_per_epoch=len(loader))
    trainer = L.Trainer(
        max_steps=-(-(WARMUP_STEPS + steps) // config.accumulate),
        max_epochs=-1,
        callbacks=[clock],
        enable_checkpointing=False,
        **trainer_options(config, device),
    )
    trainer.fit(module, loader)
    full = min(config.clips_per_batch, len(examples))
    rows = [row for count, row in clock.rows[WARMUP_STEPS:] if count == full]  # an epoch's last batch may be smaller
    cuda = device.type == "cuda"
    where = torch.cuda.get_device_name(device) if cuda else f"CPU, {torch.get_num_threads()} threads"
    return StepProfile(
        setting=(
            f"{where}, {loader.num_workers} loader processes, {'bf16' if uses_bf16(config, device) else '32-bit'}; "
            f"{full} clips of {recipe.sampler.most_frames or 'all'} frames of {recipe.size_px} px"
        ),
        steps=len(rows),
        batch_size=full,
        milliseconds={name: statistics.median(row[name] for row in rows) for name in PARTS},
        step_milliseconds=statistics.median(sum(row.values()) for row in rows),
        peak_bytes=torch.cuda.max_memory_allocated(device) if cuda else peak_memory(),
    )
