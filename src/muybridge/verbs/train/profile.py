"""Where a training step's time goes, for the clips and the recipe that would be trained."""

from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR
from muybridge.errors import UserError
from muybridge.experiment.fit import decode_once, encoded, frame_cache
from muybridge.experiment.prepare import checked, divide
from muybridge.pipeline.loader import ClipDataset
from muybridge.recipes.recipe import Recipe
from muybridge.system import resolve_device
from muybridge.training.profiling import StepProfile, profile_steps

# Enough clips for some steps without repetition; more would only be decoded.
PROFILED_BATCHES = 12


def profile(
    clips: str | Path,
    recipe: Recipe | None = None,
    *,
    device: str = "auto",
    steps: int = 30,
    console: Console = STDERR,
) -> StepProfile:
    """Train for some steps and measure each part of them. No run is made.

    Args:
        clips: A folder with a sub-folder per class, a CSV, or an HMDB-51 or UCF101 folder.
        recipe: The experiment; default: the default recipe.
        device: Where it computes: auto, cpu, cuda, cuda:1 or mps.
        steps: Steps to measure, after a few that warm up.
        console: Where progress is printed.

    Raises:
        UserError: For clips, options or a device that make no sense.
    """
    chosen_device = resolve_device(device)
    recipe = recipe or Recipe()
    divided = divide(clips, recipe.data)
    divided.announce(console)
    split = divided.split
    recipe, net = checked(split, recipe, device=chosen_device, console=console)
    cache = frame_cache(recipe)
    train = split.clips_of("train")
    chosen = train[:: max(1, len(train) // (PROFILED_BATCHES * recipe.training.clips_per_batch))]
    failed = decode_once(cache, chosen, console=console)
    some = [clip for clip in chosen if clip.id not in failed]
    if not some:
        raise UserError("no training clip decodes; run muybridge check to see why")
    data = ClipDataset(cache, some, classes=split.classes, augment=recipe.augment, seed=recipe.training.seed)
    examples = encoded({"train": data}, net, recipe, variants=1, device=chosen_device, console=console)["train"]
    return profile_steps(net, recipe.training, examples, device=chosen_device, steps=steps)
