"""Whether more clips would help: accuracy over the number of training clips a class, from what is kept of the clips."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from muybridge.console import say
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.intervals import bootstrap_by_group
from muybridge.evaluation.plots import plot_learning_curve
from muybridge.experiment.examples import encoded, other_clips
from muybridge.experiment.prepare import Experiment
from muybridge.files import write_rows
from muybridge.models.heads.probe import ProbeHead
from muybridge.recipes.recipe import Recipe
from muybridge.text import percent, share_range
from muybridge.training.growing_draws import CurvePoint, draw_curve
from muybridge.training.probe_fitting import clip_means

Row = dict[str, Any]


def check_curve(recipe: Recipe) -> None:
    """Refuse a learning curve of what cannot be fitted many times in seconds.

    Raises:
        UserError: For another head than probe.
    """
    if recipe.model.head != "probe":
        raise UserError(
            f"a learning curve fits a model dozens of times, and model.head {recipe.model.head} is too slow for that; "
            "give model.head probe"
        )


def measure_curve(experiment: Experiment, *, console: Console) -> list[Row]:
    """Fit probes on growing draws of the training clips, and measure each on clips held out.

    Writes learning_curve.csv and learning_curve.png, and prints a line for each size.

    Returns:
        A row for each size; none without test clips.
    """
    split, recipe = experiment.split, experiment.recipe
    clips = other_clips(experiment, split.clips, console=Console(quiet=True)).clips
    kept = encoded({"test": clips}, experiment.net, recipe, variants=1, device=experiment.device, console=console)
    means_ND, labels_N = clip_means(experiment.net.cpu(), kept["test"])
    known_clips = [clip for clip, _ in kept["test"].examples]
    ids, groups = [clip.id for clip in known_clips], [clip.group for clip in known_clips]
    parts = [_places(ids, part) for part in experiment.folds or (split,) if part.test and part.train]
    if not parts:
        say(console, "note: no test clips, so no learning curve")
        return []
    head = experiment.net.head
    assert isinstance(head, ProbeHead)
    points = draw_curve(
        head,
        means_ND,
        labels_N,
        groups,
        parts=parts,
        class_count=len(split.classes),
        seed=recipe.training.seed,
    )
    known = all(clip.group_known for clip in known_clips)
    rows = [_row(point, groups if known else None) for point in points]
    if not rows:
        return rows
    write_rows(experiment.folder.learning_curve, rows)
    plot_learning_curve(rows, experiment.folder.learning_curve.with_suffix(".png"), protocol=split.protocol)
    for row in rows:
        say(console, f"{row['clips_per_class']:>4} clips a class: {describe(row)}")
    return rows


def describe(row: Row) -> str:
    """One size of the curve in words."""
    spread = share_range(row["worst"], row["best"])
    by_group = "" if row["low"] is None else f"; 95 %, by source group: {share_range(row['low'], row['high'])}"
    return f"{percent(row['accuracy'])} (mean of {row['draws']} draws, {spread}{by_group})"


def _places(ids: Sequence[str], split: Split) -> tuple[Any, Any]:
    """Where the training and the test clips of a division are among all clips."""
    train, test = {*split.train, *split.validation}, {*split.test}
    return (
        np.array([place for place, id in enumerate(ids) if id in train], dtype=np.int64),
        np.array([place for place, id in enumerate(ids) if id in test], dtype=np.int64),
    )


def _row(point: CurvePoint, groups: Sequence[str] | None) -> Row:
    """One size as a row; without an interval where the source groups are not known."""
    tested = np.isfinite(point.right_N)
    interval = None
    if groups is not None:
        own = [group for group, is_tested in zip(groups, tested, strict=True) if is_tested]
        interval = bootstrap_by_group(point.right_N[tested], own).interval
    return {
        "clips_per_class": point.clips_per_class,
        "accuracy": point.accuracy,
        "worst": min(point.draws),
        "best": max(point.draws),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "draws": len(point.draws),
        "test_clips": int(tested.sum()),
    }
