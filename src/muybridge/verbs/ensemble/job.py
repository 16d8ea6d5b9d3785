"""Making an ensemble of finished runs, and measuring what it gains on its members.

Notable: everything that is chosen is chosen on validation clips: weights, temperatures, and which member counts as
the best. Test clips only measure. The run directory takes its name when all in it is complete.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Leak, Split
from muybridge.disk_errors import keeping_result
from muybridge.errors import UserError
from muybridge.evaluation.artefacts import write_evaluation
from muybridge.evaluation.comparison import compare
from muybridge.evaluation.evaluation import evaluate_predictions
from muybridge.evaluation.metrics import calibration
from muybridge.experiment.measure_floors import cache_of, floors_of_split
from muybridge.experiment.provenance import describe_environment, session
from muybridge.files import write_json
from muybridge.inference.calibration import COLDEST, HOTTEST
from muybridge.inference.combining import Combination, Rule, combine_predictions
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.predictions import Predictions
from muybridge.remote_runs import uploaded_run
from muybridge.reporting.job import report
from muybridge.runs import RunFolder, chosen_folder
from muybridge.system import resolve_device
from muybridge.text import counted
from muybridge.verbs.ensemble.fitting import fit_combination
from muybridge.verbs.ensemble.membership import Member, common_split, read_members
from muybridge.verbs.ensemble.result import EnsembleResult, MemberResult, ValidationFigures


def ensemble(
    runs: Sequence[str | Path],
    *,
    rule: Rule = "mean",
    calibrate: bool = False,
    run: str | Path | None = None,
    name: str | None = None,
    clips_root: str | Path | None = None,
    device: str = "auto",
    console: Console = STDERR,
) -> EnsembleResult:
    """Combine finished runs into one model, and measure it on the test part that they share.

    Args:
        runs: Run directories of trainings, or their URLs; one alone makes sense with ``calibrate``.
        rule: How the members' answers become one (see `Combination`); ``weighted`` fits its weights on the
            validation clips that the members share.
        calibrate: Whether each member gets a temperature, fitted on those clips, too.
        run: The run directory to make; default: ``runs/ensemble-<n>``; also by URL.
        name: Name of the run directory, in ``runs/``; instead of ``run``.
        clips_root: Folder that holds the clips of the runs now, where they were moved or renamed.
        device: Where the members compute: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.

    Returns:
        The run directory, and what each member and the ensemble are worth.

    Raises:
        UserError: If a run cannot be read, the classes differ, a member was fitted on test clips, or clips are
            gone; before anything is written.
    """
    if len(runs) < 2 and not (runs and calibrate):
        raise UserError("an ensemble takes two or more runs; for one run alone there is ensemble.calibrate")
    if rule == "vote" and calibrate:
        raise UserError("a temperature changes no vote; leave out ensemble.calibrate, or choose another ensemble.rule")
    chosen = chosen_folder(run, name)
    computing = resolve_device(device)
    announce = partial(say, console)
    members = read_members([Path(path) for path in runs], device=computing, clips_root=clips_root, announce=announce)
    model = Ensemble({member.name: member.recognizer for member in members}, Combination.equal(len(members)))
    split, leak = common_split(members)
    say(
        console,
        f"members share {len(split.validation)} clips to validate and {len(split.test)} to test; "
        f"split {split.protocol}; {leak}",
    )
    with (
        keeping_result() as kept,
        uploaded_run(chosen, announce=announce) as place,
        RunFolder.building(place, name="ensemble") as (folder, making),
    ):
        write_json(making.environment, describe_environment(clips=split.clips[0].root, device=computing))
        with session(making.environment):
            validation = _predict_members(model, split.clips_of("validation"), "validating", console=console)
            model = Ensemble(model.members, fit_combination(validation, rule=rule, calibrate=calibrate))
            test = _predict_members(model, split.clips_of("test"), "measuring", console=console)
            notes = _notes(members, model.combination, validation, leak, calibrate=calibrate)
            together = combine_predictions(test, model.combination)
            result = EnsembleResult(
                run=folder.path if chosen is None else chosen,
                combination=model.combination,
                calibrated=calibrate,
                members=_member_results(members, model.combination, validation, test, together, split, leak),
                best=_best(members, validation),
                validation=ValidationFigures.of(combine_predictions(validation, model.combination)),
                test=evaluate_predictions(
                    together,
                    protocol=split.protocol,
                    leak=str(leak),
                    notes=notes,
                    floors=floors_of_split(split, cache=cache_of(members[0].run), console=console),
                ),
                uncalibrated_error=calibration(
                    combine_predictions(test, fit_combination(validation, rule=rule, calibrate=False))
                ).error,
                notes=notes,
            )
            kept.result = replace(result, saved=False)
            _write(making, result, model, split, leak, together)
        report([making.path], console=console)
    return result


def _predict_members(
    model: Ensemble, clips: Sequence[Clip], description: str, *, console: Console
) -> tuple[Predictions, ...]:
    """What each member says of the clips."""
    with progress_on(console) as progress:
        found = model.predict_members(clips)
        answers = list(progress.track(found, total=len(clips), description=description))
    return tuple(Predictions(model.classes, tuple(column)) for column in zip(*answers, strict=True))


def _best(members: Sequence[Member], validation: Sequence[Predictions]) -> str:
    """Name of the best member on validation."""

    def rank(number: int) -> tuple[int, float]:
        figures = ValidationFigures.of(validation[number])
        return figures.correct, -(figures.negative_log_likelihood or 0.0)

    return members[max(range(len(members)), key=rank)].name


def _notes(
    members: Sequence[Member],
    combination: Combination,
    validation: Sequence[Predictions],
    leak: Leak,
    *,
    calibrate: bool,
) -> tuple[str, ...]:
    """What a reader should know about numbers that were fitted."""
    what = [*(["weights"] if combination.rule == "weighted" else []), *(["temperatures"] if calibrate else [])]
    if not what:
        return ()
    clips = counted(len(validation[0].clips), "validation clip")
    # A probe has no epochs to choose from.
    chose = any(member.recognizer.net.config.head != "probe" for member in members)
    also = ", which also chose each member's best epoch" if chose else ""
    notes = [f"{' and '.join(what)} fitted on {clips}{also}; never on test clips"]
    if leak.validation_shared:
        notes.append(
            f"{leak.validation_shared} of these share a source with training clips, so what is fitted on them "
            "expects better scores than new clips get"
        )
    for member, temperature, predictions in zip(members, combination.temperatures, validation, strict=True):
        if calibrate and predictions.correct_N[predictions.decoded_N].all():
            notes.append(f"{member.name} is right about every validation clip, so its temperature stays 1")
        elif not COLDEST * 1.01 < temperature < HOTTEST / 1.01:
            notes.append(f"the temperature of {member.name} went to the end of its range; give more validation clips")
    return tuple(notes)


def _member_results(
    members: Sequence[Member],
    combination: Combination,
    validation: Sequence[Predictions],
    test: Sequence[Predictions],
    together: Predictions,
    split: Split,
    leak: Leak,
) -> tuple[MemberResult, ...]:
    results = []
    for number, member in enumerate(members):
        temperature = combination.temperatures[number]
        calibrated = combine_predictions([test[number]], Combination("mean", (1.0,), (temperature,)))
        results.append(
            MemberResult(
                name=member.name,
                run=Path(member.url) if member.url else member.run.absolute(),
                weights_sha256=member.recognizer.weights_sha256,
                weight=combination.weights[number],
                temperature=temperature,
                validation=ValidationFigures.of(validation[number]),
                predictions=test[number],
                test=evaluate_predictions(test[number], protocol=split.protocol, leak=str(leak)),
                calibrated_error=calibration(calibrated).error,
                gain=compare(test[number], together),
            )
        )
    return tuple(results)


def _write(
    folder: RunFolder,
    result: EnsembleResult,
    model: Ensemble,
    split: Split,
    leak: Leak,
    together: Predictions,
) -> None:
    model.save(folder.model)
    split.save(folder.split)
    write_json(folder.leak, str(leak))
    write_json(folder.ensemble, result.describe())
    write_json(folder.comparison, result.comparison())
    for member in result.members:
        write_evaluation(folder.member(member.name), member.predictions, member.test)
    write_evaluation(folder.path, together, result.test)
