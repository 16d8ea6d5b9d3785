"""The report page of finished runs: what their folders hold, read back and put into one HTML file.

Notable: a report is made from the files of a run alone, so it can be made again years later, and compared with
runs that did not exist then. Every figure is computed afresh from predictions.csv.
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.run_clips import split_of
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.evaluation.floors import Floors
from muybridge.files import read_rows, require_local
from muybridge.inference.combining import DESCRIPTIONS
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.predictions import Predictions
from muybridge.inference.recognizer import Recognizer
from muybridge.recipes.store import read_values
from muybridge.remote_runs import run_with_results
from muybridge.reporting.page import is_report, write_report
from muybridge.reporting.reported import (
    Measured,
    ModelFacts,
    ReportedEnsemble,
    ReportedMember,
    ReportedRun,
    ReportedTraining,
)
from muybridge.run_schemas import (
    RUN_WROTE,
    EnsembleFile,
    EvaluationFile,
    MemberFigures,
    Reasons,
    UnknownFile,
    read_environment,
    read_leak,
)
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.storage.urls import written
from muybridge.text import printable
from muybridge.video.sampler import TimedSampler
from muybridge.video.sampling import DenseSampler, EverySampler, UniformSampler

_COMPARISON = Path("report.html")
WITH_WIDTHS = ("bilstm", "lstm", "attentive")
"""Heads that ``model.head_widths`` speaks of."""


def report(
    runs: Sequence[str | Path],
    *,
    clips_root: str | Path | None = None,
    out: str | Path | None = None,
    console: Console = STDERR,
) -> Path:
    """Make one self-contained HTML page of one or several runs.

    Args:
        runs: Run directories of trainings and ensembles, or their URLs, in any mix, all of the same classes. The others
            are compared with the first.
        clips_root: Folder that holds the clips of the runs now, where they were moved or renamed; for the film strips.
        out: The file to write; default: ``report.html`` in the run, or in the current folder for several. A
            report that is already there is replaced, any other file is not.
        console: Where progress is printed.

    Returns:
        The file.

    Raises:
        UserError: If a run cannot be read, the runs have different classes, or ``out`` is another file.
    """
    paths = [Path(run) for run in runs]
    if not paths:
        raise UserError("name at least one run to report on")
    names, announce = _names(paths), partial(say, console)
    if out is not None:
        require_local(Path(out))
    with ExitStack() as stack:
        # The page of a single run goes into it.
        elsewhere = out if len(paths) == 1 else (out or _COMPARISON)
        places = [stack.enter_context(run_with_results(path, elsewhere, announce=announce)) for path in paths]
        file = _file_to_write(places, None if out is None else Path(out))
        read = [read_run(place, name=name, clips_root=clips_root) for place, name in zip(places, names, strict=True)]
        with progress_on(console) as progress:
            task = progress.add_task("drawing", total=len(read))
            notes = write_report(file, read, on_progress=lambda done: progress.update(task, completed=done))
    for note in notes:
        say(console, f"note: {note}")
    return file


def read_run(path: Path, *, name: str, clips_root: str | Path | None = None) -> ReportedRun:
    """Read all that a report says of one run.

    Args:
        path: The run directory.
        name: What to call it.
        clips_root: Folder that holds its clips now, where they were moved or renamed.

    Raises:
        UserError: If it is no run, is not finished, or one of its files is damaged; the message names it.
    """
    folder = RunFolder.existing(path)
    split = split_of(folder, clips_root)
    if not folder.model.is_dir():
        raise UserError(f"{path} is not finished: it has no model; continue it with: muybridge train --resume {path}")
    model = load(folder.path, device="cpu")
    if isinstance(model, Recognizer) and model.unfinished:
        raise UserError(f"{path} is {model.unfinished}; continue it with: muybridge train --resume {path}")
    leak = read_leak(folder.leak)
    environment, _ = read_environment(folder.environment)
    training, ensemble = None, None
    if isinstance(model, Ensemble):
        ensemble, command = _ensemble(folder, model, split, leak)
        networks = list(model.members.values())
    else:
        training = _training(folder)
        command = ["train", str(environment.get("clips", "CLIPS")), "--recipe", str(folder.recipe)]
        networks = [model]
    return ReportedRun(
        name=name,
        classes=model.classes,
        split=split,
        leak=leak,
        models=tuple(_facts(network) for network in networks),
        measured=_measured(folder.path, split, leak),
        environment=environment,
        command=shlex.join(["muybridge", *command]),
        training=training,
        ensemble=ensemble,
        refitted=model.refitted if isinstance(model, Recognizer) else (),
        unknown=read(folder.none_of_these, UnknownFile, hint=RUN_WROTE).auroc
        if folder.none_of_these.is_file()
        else None,
        false_alarms=model.rejection.false_alarms if isinstance(model, Recognizer) and model.rejection else None,
        folds=_rows(folder.fold_figures, "fold") if folder.fold_figures.is_file() else (),
        learning_curve=_rows(folder.learning_curve, "clips_per_class") if folder.learning_curve.is_file() else (),
    )


def _training(folder: RunFolder) -> ReportedTraining:
    # Not checked against today's options, so that the run of an older version has its report, too.
    recipe, _ = read_values(str(folder.recipe))
    section = recipe.get("training")
    monitor = section.get("monitor") if isinstance(section, Mapping) else None
    if monitor not in ("loss", "accuracy", "last"):
        raise UserError(
            f"{folder.recipe} is damaged: its training.monitor is neither loss nor accuracy nor last; "
            "set it to the one it was trained with"
        )
    rows = () if folder.fold_figures.is_file() else _rows(folder.metrics, "epoch")
    model = recipe.get("model")
    at_once = isinstance(model, Mapping) and model.get("head") == "probe"
    return ReportedTraining(
        epochs=() if at_once else rows,
        monitor=monitor,
        recipe=recipe,
        left_out=read(folder.undecodable, Reasons, hint=RUN_WROTE),
    )


def _ensemble(folder: RunFolder, model: Ensemble, split: Split, leak: str | None) -> tuple[ReportedEnsemble, list[str]]:
    """How an ensemble was put together, and the words of the command that does it again."""
    described = read(folder.ensemble, EnsembleFile, hint="make the ensemble again")
    names = [described.best, *(member.name for member in described.members)]
    if strangers := [name for name in names if name not in model.members]:
        raise UserError(f"{folder.ensemble} is damaged ({strangers[0]} is no member); make the ensemble again")
    ensemble = ReportedEnsemble(
        rule=DESCRIPTIONS[described.rule],
        members=tuple(_member(folder, model, values, split, leak) for values in described.members),
        best=described.best,
        validation_clips=described.validation.clips,
        notes=described.notes,
    )
    command = ["ensemble", *(member.run for member in ensemble.members), "--rule", described.rule]
    return ensemble, [*command, *(["--calibrate"] if described.calibrated else [])]


def _member(
    folder: RunFolder, model: Ensemble, values: MemberFigures, split: Split, leak: str | None
) -> ReportedMember:
    measured = _measured(folder.member(values.name), split, leak)
    if measured is None:
        raise UserError(f"{folder.member(values.name)} has no predictions.csv; make the ensemble again")
    return ReportedMember(
        name=values.name,
        run=values.run,
        weight=values.weight,
        temperature=values.temperature,
        validation_correct=values.validation.correct,
        calibrated_error=values.expected_calibration_error.after,
        model=_facts(model.members[values.name]),
        measured=measured,
    )


def _file_to_write(runs: Sequence[Path], out: Path | None) -> Path:
    """The file of the report, once it is sure that nothing of the user's is replaced."""
    file = out or (RunFolder(runs[0]).report if len(runs) == 1 else _COMPARISON)
    if file.is_dir():
        raise UserError(f"{file} is a folder; name the file of the report, such as {file / 'report.html'}")
    if file.exists() and not is_report(file):
        raise UserError(f"{file} is not a report of muybridge and is left alone; name another file with report.out")
    return file


def _names(runs: Sequence[Path]) -> list[str]:
    """What to call each run: the name of its folder, or its path where two folders have the same name."""
    resolved = [run.resolve() for run in runs]
    for number, path in enumerate(resolved):
        if path in resolved[:number]:
            raise UserError(f"{written(runs[number])} is named twice; name each run once")
    names = [path.name for path in resolved]
    if len(set(names)) < len(names):
        names = [written(run) for run in runs]
    return [printable(name) for name in names]


def _facts(model: Recognizer) -> ModelFacts:
    config = model.net.config
    widths = f" {'-'.join(map(str, config.head_widths))}" if config.head in WITH_WIDTHS else ""
    return ModelFacts(
        encoder=config.encoder,
        head=f"{config.head}{widths}",
        weights=config.weights,
        layers_to_train=config.layers_to_train,
        frames=_frames(model),
        size_px=model.size_px,
        parameters=sum(parameter.numel() for parameter in model.net.parameters()),
    )


def _frames(model: Recognizer) -> str:
    """How many frames a model takes, and how, in a few words: "8 uniform", "16 dense (5 a second, cropped)"."""
    sampler, notes = model.sampler, []
    if isinstance(sampler, TimedSampler) and sampler.by_time:
        notes.append(f"{sampler.frames_per_second:g} a second")
    if model.fit == "crop":
        notes.append("cropped")
    if isinstance(sampler, EverySampler):
        most = f", at most {sampler.frames}" if sampler.frames else ""
        frames = f"{'every' if sampler.by_time else f'1 in {sampler.every}'}{most}"
    else:
        assert isinstance(sampler, UniformSampler | DenseSampler)
        frames = f"{sampler.frames} {sampler.kind}"
    return f"{frames} ({', '.join(notes)})" if notes else frames


def _measured(folder: Path, split: Split, leak: str | None) -> Measured | None:
    """The predictions in a folder with their figures; None if there are none."""
    path = folder / "predictions.csv"
    if not path.is_file():
        # It is written before evaluation.json, so without it there was no measurement, or somebody took it away.
        if (folder / "evaluation.json").is_file():
            raise UserError(f"{path} is missing; measure the run again, or put the file back")
        return None
    predictions = Predictions.read_csv(path)
    if {clip.clip_id for clip in predictions.clips} != set(split.test):
        raise UserError(f"{path} is not about the run's test clips; put back the file that the run wrote")
    evaluation = evaluate_predictions(
        predictions, protocol=split.protocol, leak=leak, notes=split.notes, floors=_floors(folder / "evaluation.json")
    )
    return Measured(predictions, evaluation)


def _floors(path: Path) -> Floors | None:
    """The floors of a measurement, which predictions do not tell; None for a run of an older version."""
    values = read(path, EvaluationFile, hint="measure the run again").floors if path.is_file() else None
    return None if values is None else Floors.of_values(values)


def _rows(path: Path, column: str) -> list[dict[str, str]]:
    """The rows of a table of numbers that has this column."""
    rows = read_rows(path)
    try:
        for row in rows:
            for value in row.values():
                float(value or "nan")
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); put back the file that the training wrote") from None
    if not rows or column not in rows[0]:
        raise UserError(
            f"{path} is not the table that the training wrote: it has no rows, or no column {column}; put it back"
        )
    return rows
