"""Features of a frozen encoder for many clips, here or on a cluster; training reads them in place of the clips."""

from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.experiment.encode_clips import encode_catalog, recipe_to_encode
from muybridge.experiment.named_clips import read_clips
from muybridge.pieces.answer_place import AnswerPlace
from muybridge.pieces.whole_job import ManyResult, On, check_on
from muybridge.recipes.data import DataConfig
from muybridge.recipes.recipe import Recipe


def encode(
    recipe: Recipe | str | Path,
    clips: str | Path,
    out: str | Path,
    *,
    on: On = "local",
    data: DataConfig | None = None,
    device: str = "auto",
    part_clips: int | None = None,
    console: Console = STDERR,
) -> ManyResult:
    """Write what a recipe's frozen encoder makes of clips; a call that was killed is gone on with.

    ``train`` with the same recipe, and ``features`` set to ``out``, reads them in place of decoding and encoding.

    Args:
        recipe: A recipe, its name or YAML file; or a run, whose recipe it is.
        clips: A data set, as ``train`` takes it.
        out: A folder for the features, or its URL. It is new, or that of the same call.
        on: ``local``: this process; ``ray``: the Ray cluster that is found, or one on this machine.
        data: Which clips; default: as the recipe says.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        part_clips: How many clips a file holds; default: by their number, at most 1000.
        console: Where progress is printed.

    Returns:
        Where the rows are, and what they took.

    Raises:
        UserError: If the encoder is not frozen, there are no clips, or ``out`` is that of something else.
        OSError: If a file cannot be written.
    """
    check_on(on)
    place = AnswerPlace(out)
    chosen = recipe_to_encode(recipe)
    catalog = read_clips(clips, chosen.data if data is None else data, cache=chosen.cache, console=console)
    for note in catalog.notes:
        say(console, f"note: {note}")
    return encode_catalog(chosen, catalog, place, on=on, device=device, part_clips=part_clips, console=console)
