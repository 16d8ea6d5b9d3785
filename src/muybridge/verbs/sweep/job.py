"""A sweep: one recipe trained again and again with some options varied, compared on the validation part.

Notable: the test part is never measured here, so that nothing can be chosen on it. Trials are ordinary runs without a
test measurement, on one split and one frame cache. Whatever stops a sweep, the same call continues it: finished
trials are in the study, and the one that was interrupted resumes from its run.
"""

import gc
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.split import Split
from muybridge.disk_errors import keeping_result
from muybridge.errors import Interrupted, UserError
from muybridge.evaluation.plots import plot_curves
from muybridge.experiment.complete import resumable
from muybridge.experiment.dividing import DividedClips, divide
from muybridge.experiment.fit import fit_experiment
from muybridge.experiment.prepare import prepare, reopen
from muybridge.files import holds_nothing, require_local, write_json, write_rows
from muybridge.locks import Lock
from muybridge.recipes.options import Options, recipe_with
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import save_recipe
from muybridge.run_schemas import RUN_WROTE, Reasons, SweepFile
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.system import resolve_device
from muybridge.temporaries import remove_dead_below
from muybridge.verbs.sweep.results import BEST_RECIPE, PICTURE, SweepResult, SweepTrial, best_of, has_diverged
from muybridge.verbs.sweep.space import Space, describe, flatten, label, parse_space

if TYPE_CHECKING:
    import torch

    from muybridge.verbs.sweep.study import Study

DEFAULT_TRIALS = 20


def sweep(
    clips: str | Path,
    recipe: Recipe | str | Path = "default",
    *,
    over: Sequence[str],
    trials: int | None = None,
    folder: str | Path | None = None,
    prune: bool = True,
    device: str = "auto",
    console: Console = STDERR,
    **options: Unpack[Options],
) -> SweepResult:
    """Train a recipe with some of its options varied, and say which values do best on the validation part.

    Called again with the same recipe, options and clips, it continues where it was interrupted, or adds trials.

    Args:
        clips: A folder with a sub-folder per class, a CSV, or an HMDB-51 or UCF101 folder.
        recipe: Everything that is not varied: a recipe, the name of one that comes with muybridge, or a YAML file.
        over: What is varied, each ``KEY=a,b,c`` or ``KEY=low..high``, such as ``model.l2=1e-4,1e-3``.
        trials: How many trainings in all; default: every combination, or 20 where there is a range.
        folder: The sweep's folder; default: ``runs/sweeps/<recipe>-<options>``.
        prune: Whether trials that fall behind are stopped early.
        device: Where trials compute: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.
        options: What differs from the recipe in all trials, by the names of flags and keys: ``epochs=2``, or
            ``model={"head_widths": [128, 64]}``.

    Returns:
        All trials and the best of them. The folder holds study.db, sweep.json, trials.csv, sweep.png, best.yaml and a
        run per trial, of which only the best keeps its checkpoints.

    Raises:
        UserError: For clips or options that make no sense, a folder that holds something else, or if no trial comes
            to its end.
        Interrupted: On Ctrl-C; the same call continues.
    """
    _require_optuna()
    from muybridge.verbs.sweep.picture import plot_sweep
    from muybridge.verbs.sweep.study import Study

    if folder is not None:
        require_local(Path(folder))
    computing = resolve_device(device)
    recipe = recipe_with(recipe, options, verb="sweep")
    space = parse_space(over, recipe)
    if recipe.data.folds:
        raise UserError("a sweep compares its trials on a validation part; leave out data.folds")
    if recipe.training.monitor == "last":
        raise UserError("a sweep compares validation figures; set training.monitor to loss or accuracy")
    divided = divide(clips, recipe.data, cache=recipe.cache, console=console)
    if not divided.split.validation:
        raise UserError("a sweep compares its trials on a validation part; set data.validation_share above 0")
    split = divided.split
    # Resolved here, so that every trial's recipe states its number of epochs.
    space = replace(space, base=replace(recipe, training=recipe.training.resolved(len(split.train))))
    total = _trial_count(space, trials, console)
    path = Path(folder) if folder else _default_folder(space)
    _open(path, space, split)
    lock = Lock(path / "sweep.lock", what=path).acquire()
    try:
        remove_dead_below(path)
        study = Study(path / "study.db", space, prune=prune)
        say(console, f"sweep {path}: {len(study.records)} of {total} trials are done")
        divided.announce(console)
        _write(_trials(study), space, path)  # a kill may have come before it
        while len(study.records) < total:
            _run_next(study, space, divided, path, total=total, device=computing, console=console)
            _write(_trials(study), space, path)
            gc.collect()  # Lightning's objects refer to each other, and each trial's would stay for a while
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(path) from None
    finally:
        lock.release()
    found = _trials(study)
    best = best_of(found, space.base.training.monitor)
    if best is None:
        states = ", ".join(f"trial {trial.number} {trial.state}" for trial in found)
        raise UserError(f"no trial of {path} came to its end ({states}); try milder values")
    undecodable = read(RunFolder(path / best.folder).undecodable, Reasons, hint=RUN_WROTE)
    result = SweepResult(
        folder=path,
        clips=Path(clips),
        protocol=split.protocol,
        monitor=space.base.training.monitor,
        validation_clips=len(set(split.validation) - set(undecodable)),
        trials=found,
        best=best,
        per_window=space.base.sampler.windows == "all",
    )
    with keeping_result() as kept:
        kept.result = result
        plot_sweep(result, space.options, path / PICTURE)
    return result


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise UserError("sweep needs Optuna, which is not installed: pip install 'muybridge[sweep]'")


def _default_folder(space: Space) -> Path:
    varied = "-".join(option.key.rpartition(".")[2] for option in space.options)
    return Path("runs") / "sweeps" / f"{space.base.name}-{varied}"


def _trial_count(space: Space, trials: int | None, console: Console) -> int:
    if trials is not None and trials < 1:
        raise UserError(f"trials is {trials}; give 1 or more")
    if not space.is_grid:
        return trials or DEFAULT_TRIALS
    combinations, left_out = space.combinations()
    for line in left_out:
        say(console, f"left out: {line}")
    return min(trials or len(combinations), len(combinations))


def _open(path: Path, space: Space, split: Split) -> None:
    """Make the sweep's folder, or make sure that it holds this sweep.

    Raises:
        UserError: If it holds something else.
    """
    identity: dict[str, Any] = {
        "over": [str(option) for option in space.options],
        "recipe": {key: label(value) for key, value in flatten(space.base).items()},
        "split": split.hash,
    }
    kept = path / "sweep.json"
    if not kept.is_file():
        if not holds_nothing(path):
            raise UserError(f"{path} is already there, and it is no sweep; name another folder")
        write_json(kept, identity)
        return
    begun = read(kept, SweepFile, hint=f"name another folder than {path}")
    if {"over": list(begun.over), "recipe": begun.recipe, "split": begun.split} == identity:
        return
    if list(begun.over) != identity["over"]:
        what = f"over {' '.join(begun.over)}, now it is {' '.join(identity['over'])}"
    elif begun.recipe != identity["recipe"]:
        before = begun.recipe
        changed = [f"{key} {before.get(key)}" for key, now in identity["recipe"].items() if before.get(key) != now]
        what = f"with {', '.join(changed)}"
    else:
        what = "with other clips, or another division of them"
    raise UserError(f"{path} was begun {what}; continue it with the same, or name another folder")


def _run_next(
    study: "Study",
    space: Space,
    divided: DividedClips,
    path: Path,
    *,
    total: int,
    device: "torch.device",
    console: Console,
) -> None:
    """Run the next trial to its end, and record it in the study.

    Raises:
        UserError: If it cannot run, and none could before: the fault is then hardly the trial's.
        Interrupted: On Ctrl-C.
    """
    trial = study.next()
    monitor = space.base.training.monitor
    say(console, f"trial {trial.number} of {total}: {describe(trial.values)}")

    def falls_behind(rows: list[dict[str, Any]]) -> bool:
        row = rows[-1]
        return has_diverged(rows) or trial.report(row["epoch"], row[f"validation_{monitor}"])

    run = RunFolder(path / f"trial-{trial.number}")
    try:
        chosen = space.recipe(trial.values)
        if run.last_checkpoint.is_file():
            experiment = reopen(run.path, device=device, console=console)
        else:
            if run.path.exists():  # interrupted before its first epoch was over
                shutil.rmtree(run.path)
            experiment = prepare(divided, chosen, run=run.path, device=device, console=console)
        try:
            with resumable(run):
                rows = fit_experiment(experiment, stop_early=falls_behind, console=console).rows
                plot_curves(rows, run.curves, monitor=monitor)
        finally:
            experiment.release()
    except UserError as error:
        if not study.records:
            raise
        say(console, f"trial {trial.number} failed: {error}")
        failed = SweepTrial(number=trial.number, values=trial.values, state="failed", reason=str(error))
        trial.fail(asdict(failed))
        return
    # Asked again rather than remembered, because the interruption may have come after the answer.
    pruned = len(rows) < chosen.training.epochs and trial.falls_behind
    found = SweepTrial.of_rows(trial.number, trial.values, rows, monitor=monitor, pruned=pruned)
    trial.finish(asdict(found), figure=found.figure(monitor) if found.state == "finished" else None)


def _trials(study: "Study") -> tuple[SweepTrial, ...]:
    return tuple(SweepTrial(**record) for record in study.records)


def _write(trials: Sequence[SweepTrial], space: Space, path: Path) -> None:
    """What is in the folder after every trial: the table, the best recipe, and the best trial's checkpoints."""
    if not trials:
        return
    write_rows(path / "trials.csv", [trial.to_row() for trial in trials])
    best = best_of(trials, space.base.training.monitor)
    if best is not None:
        save_recipe(path / BEST_RECIPE, replace(space.recipe(best.values), name=path.name))
    for trial in trials:
        checkpoints = RunFolder(path / trial.folder).last_checkpoint.parent
        if trial != best and checkpoints.is_dir():  # most of what a run takes on disk
            shutil.rmtree(checkpoints)
