"""Measuring a trained model, on its own test part or on other labelled clips."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.dataset.catalog import Catalog, Clip, matches_group
from muybridge.dataset.contents import read_contents
from muybridge.dataset.contradictions import said_of_contradictions
from muybridge.dataset.duplicates import find_duplicates
from muybridge.dataset.labels import joined_to
from muybridge.dataset.official import read_official
from muybridge.dataset.run_clips import folds_of, require_files, split_of
from muybridge.dataset.split import FITTED_PARTS, UNKNOWN_LEAK
from muybridge.errors import UserError
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.floors import Floors
from muybridge.experiment.measure import measure
from muybridge.experiment.measure_floors import cache_of, each_of, summed
from muybridge.experiment.named_clips import read_clips
from muybridge.experiment.refit import parts_seen
from muybridge.file_parts import is_there, size_of
from muybridge.files import require_writable
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.trained_model import Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.recipes.data import DataConfig
from muybridge.recipes.store import load_recipe
from muybridge.remote_runs import run_with_results
from muybridge.run_schemas import RUN_WROTE, UnknownFile, read_leak
from muybridge.runs import RunFolder
from muybridge.schemas import read
from muybridge.text import counted, shortened
from muybridge.training.leaving_classes_out import LEFT_OUT
from muybridge.video.isolation import isolated


def evaluate(
    run: str | Path,
    clips: str | Path | None = None,
    *,
    data: DataConfig | None = None,
    unknown: str | Path | None = None,
    views: Views = AS_TRAINED,
    clips_root: str | Path | None = None,
    out: str | Path | None = None,
    engine: str = "torch",
    device: str = "auto",
    isolate: bool = False,
    console: Console = STDERR,
) -> Evaluation:
    """Measure a model on its own test part, or on other labelled clips.

    Where a run's final model has learned from the test part, too, that part is measured with the models before it; and
    clips that the final model has learned from are left out of any others.

    Args:
        run: A run directory (or, with ``clips``, a model folder).
        clips: Other labelled clips; default: the run's test part.
        data: Which of the other clips: classes, and for ``given``, ``official-N`` or named groups the test part.
        unknown: Clips of classes that the model does not know; those of classes that it knows are left out. Says how
            well the model tells them from the clips that it is measured on.
        views: Which views of each clip to combine; default: as the model was trained to be used.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed.
        out: Folder for predictions.csv, per_class.csv, confusion_matrix.png, evaluation.json; default: the run's
            folder ``evaluations/<clips>``, with ``-views<n>`` and the like if views were asked for, and with the
            engine if one was; of a run in a bucket it is uploaded.
        engine: What computes: see ``muybridge.load``; by default the model in torch.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        isolate: Whether each file is decoded in a process of its own, with limits of memory and processor time.
        console: Where progress is printed.

    Returns:
        Accuracies with their intervals. Clips that do not decode count as wrong and are named.

    Raises:
        UserError: If there is no model, no clip of a known class, or none of an unknown one where those are asked for.
    """
    named, announce = Path(run), partial(say, console)
    # All that opens a clip is in isolation where that is asked for.
    with run_with_results(named, out, lasting=False, announce=announce) as run, isolated(isolate):
        return _evaluated(
            run, clips, data, unknown, views, clips_root, out=out, engine=engine, device=device, console=console
        )


def _evaluated(
    run: Path,
    clips: str | Path | None,
    data: DataConfig | None,
    unknown: str | Path | None,
    views: Views,
    clips_root: str | Path | None,
    *,
    out: str | Path | None,
    engine: str,
    device: str,
    console: Console,
) -> Evaluation:
    """What ``evaluate`` does with a run on this machine."""
    used: list[str] = []
    opened = partial(load, device=device, engine=engine, announce=used.append)
    name = (Path(clips).resolve().stem if clips else "test") + views.suffix()
    name += f"-{engine}" if engine != "torch" else ""
    name += f"-unknown-{Path(unknown).resolve().stem}" if unknown else ""
    folder = Path(out) if out else run / "evaluations" / name
    require_writable(folder)
    if clips is None:
        found = _own_clips(RunFolder.existing(run), opened, clips_root)
    else:
        found = _other_clips(run, opened(run), Path(clips), data or DataConfig(), clips_root, console)
    first = found.models[0].model
    strange, said = _unknown_clips(first, Path(unknown), console) if unknown else ((), [])
    floors = _floors(run, found.models, console)
    notes = [*found.notes, *said]
    if isinstance(first, Recognizer) and first.unfinished:
        notes.append(f"the model is {first.unfinished}")
    if views != AS_TRAINED:
        notes.append(f"scores of each clip combined over {views.describe()}")
    if engine != "torch":
        notes += dict.fromkeys(used)
    return measure(
        [(each.model, each.tested) for each in found.models],
        protocol=found.protocol,
        leak=found.leak,
        notes=notes,
        floors=floors,
        unknown=strange,
        views=views,
        out=folder,
        console=console,
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """A model, the clips that it is measured on, and those that it learned from; None where its run is not here."""

    model: Model
    tested: Sequence[Clip]
    train: Sequence[Clip] | None


@dataclass(frozen=True, eq=False)
class _Measurable:
    """Models with their clips, the protocol, the leak in words, and what there is to say."""

    models: Sequence[_Measured]
    protocol: str
    leak: str | None
    notes: Sequence[str]


def _own_clips(folder: RunFolder, opened: Callable[[Path], Model], clips_root: str | Path | None) -> _Measurable:
    """The run's own test clips, each with a model that was not fitted on it."""
    split = split_of(folder, clips_root)
    if not split.test:
        raise UserError(f"{folder.path} has no test clips; name other clips to evaluate on")
    test = split.clips_of("test")
    if not any(is_there(clip.path) for clip in test):  # a single one that is gone counts as wrong, and is named
        require_files(test, run=folder.path, what="test")
    leak, notes = read_leak(folder.leak), []
    if folder.none_of_these.is_file():
        area = read(folder.none_of_these, UnknownFile, hint=RUN_WROTE).auroc
        notes.append(
            f"known against unknown, when training left out {LEFT_OUT} of its classes at a time: AUROC {area:.3f}"
        )
    if folder.fold_figures.is_file():
        count = load_recipe(str(folder.recipe)).data.folds
        models = [
            _Measured(opened(fold.model), own.clips_of("test"), own.clips_of("train"))
            for fold, own in zip(folder.folds(count), folds_of(folder, split, count), strict=True)
        ]
        notes.append("measured with the models of the folds, not with the final one")
        return _Measurable(models, split.protocol, leak, notes)
    seen = "test" in parts_seen(folder.model)
    if seen:
        notes.append("measured with the model that had not seen these clips, not with the final one")
    model = opened(folder.before_refit if seen else folder.path)
    return _Measurable([_Measured(model, test, split.clips_of("train"))], split.protocol, leak, notes)


def _other_clips(
    run: Path, model: Model, clips: Path, data: DataConfig, clips_root: str | Path | None, console: Console
) -> _Measurable:
    """Clips of another data set that a model can be measured on."""
    catalog = read_clips(clips, data, console=console)
    notes = [*catalog.notes, *said_of_contradictions(catalog)]
    chosen, protocol = _part(catalog, data)
    chosen, joined = joined_to(model.classes, chosen, data.alike_labels)
    notes += joined
    unknown = Counter(clip.label for clip in chosen if clip.label not in model.classes)
    if unknown:
        listed = shortened([f"{label} ({count})" for label, count in sorted(unknown.items())])
        notes.append(f"left out, the model does not know these classes: {listed}")
    known = tuple(clip for clip in chosen if clip.label in model.classes)
    if not known:
        raise UserError(
            f"no clip of {clips} ({protocol}) has a class that the model knows ({', '.join(model.classes)}); "
            f"{'the label of a file is the name of its folder' if catalog.layout == 'file' else f'there are {listed}'}"
        )
    folder = RunFolder(run)
    if not folder.split.is_file():  # a model without its run
        return _Measurable([_Measured(model, known, None)], protocol, None, notes)
    split = split_of(folder, clips_root)
    refitted = parts_seen(folder.model)
    fitted = [clip for part in refitted or FITTED_PARTS for clip in split.clips_of(part)]
    identical = _identical(fitted, known)
    if refitted and any(clip.path in identical for clip in known):
        new = tuple(clip for clip in known if clip.path not in identical)
        if not new:
            raise UserError(
                f"the model of {run} was fitted on all {len(known)} clips of {clips} ({protocol}), so its accuracy on "
                f"them is no test; muybridge evaluate {run} measures models that had not seen them"
            )
        notes.append(f"left out, the model was fitted on them: {counted(len(known) - len(new), 'clip')}")
        known = new
    groups = {clip.group for clip in fitted if clip.group_known}
    shared = sum((clip.group_known and clip.group in groups) or clip.path in identical for clip in known)
    measured = _Measured(model, known, split.clips_of("train"))
    return _Measurable([measured], protocol, _leak(shared, known, fitted), notes)


def _unknown_clips(model: Model, clips: Path, console: Console) -> tuple[tuple[Clip, ...], list[str]]:
    """The clips of a folder whose classes a model does not know, and what there is to say of them."""
    if isinstance(model, Ensemble):
        raise UserError("an ensemble has no limit for none of these; name one of its members to evaluate with unknown")
    data = DataConfig()
    catalog = read_clips(clips, data, console=console)
    named, notes = joined_to(model.classes, catalog.clips, data.alike_labels)
    strange = tuple(clip for clip in named if clip.label not in model.classes)
    if not strange:
        raise UserError(
            f"the model knows every class of {clips} ({shortened(sorted({clip.label for clip in named}))}); "
            "give unknown a folder with clips of other classes"
        )
    if known := len(named) - len(strange):
        notes.append(f"left out of the unknown clips, the model knows their classes: {counted(known, 'clip')}")
    return strange, notes


def _floors(run: Path, models: Sequence[_Measured], console: Console) -> Floors:
    """What answers that know no action get right of the clips that each model is measured on."""
    parts = [(each.train, each.tested) for each in models if each.train is not None]
    if not parts:
        return Floors(absent="the model's run is not here, so nothing is known of its training clips")
    return summed(each_of(parts, cache=cache_of(run), console=console))


def _leak(shared: int, clips: Sequence[Clip], fitted: Sequence[Clip]) -> str:
    """How many clips share a source with those that the model was fitted on, as far as that is known."""
    counts = f"{shared} of {len(clips)} clips share a source with the run's training clips"
    unknown = sum(not clip.group_known for clip in (*clips, *fitted))
    if not unknown:
        return counts
    if shared:
        return f"at least {counts}; the source group of {counted(unknown, 'clip')} is unknown"
    whose = "" if unknown == len(clips) + len(fitted) else f" of {counted(unknown, 'clip')}"
    return UNKNOWN_LEAK.format(whose=whose)


def _identical(fitted: Sequence[Clip], clips: Sequence[Clip]) -> set[Path]:
    """The files whose very bytes a model was fitted on, wherever its own lie now."""
    recorded = {clip.recorded for clip in fitted if clip.recorded is not None}
    sizes = {content.size_bytes for content in recorded} - {0}  # empty files are nobody's twins
    files = {clip.path for clip in clips if is_there(clip.path)}
    contents = read_contents(path for path in files if size_of(path) in sizes)
    # Older runs recorded nothing: their files are compared as they are.
    bare = {clip.path for clip in fitted if clip.recorded is None and clip.path.is_file()}
    twins = [twins for twins in find_duplicates(files | bare) if bare & set(twins)] if bare else []
    return {
        *(clip.path for clip in fitted),
        *(path for path, content in contents.items() if content in recorded),
        *(path for same in twins for path in same),
    }


def _part(catalog: Catalog, data: DataConfig) -> tuple[tuple[Clip, ...], str]:
    """The clips that the options ask for, and a name for them."""
    name = catalog.clips[0].path.name if catalog.layout == "file" else catalog.root.name
    if data.test_groups:
        named = tuple(c for c in catalog.clips if any(matches_group(c, pattern) for pattern in data.test_groups))
        return named, f"groups {', '.join(data.test_groups)} of {name}"
    if data.protocol == "auto":
        return catalog.clips, f"the file {name}" if catalog.layout == "file" else f"all of {name}"
    if data.protocol == "given":
        return tuple(clip for clip in catalog.clips if clip.split == "test"), f"given test part of {name}"
    if data.protocol.startswith("official"):
        number = int(data.protocol.removeprefix("official-"))
        listed = read_official(number, root=catalog.root, lists=Path(data.lists) if data.lists else None)
        test = tuple(clip for clip in catalog.clips if listed.get(clip.stem) == "test")
        return test, f"{data.protocol} test part of {name}"
    raise UserError(
        f"data.protocol {data.protocol} divides clips at random; to measure on other clips give none (all of them), "
        "given, official-1, -2 or -3, or data.test_groups"
    )
