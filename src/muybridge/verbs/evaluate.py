"""Measuring a trained model, on its own test part or on other labelled clips."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR
from muybridge.dataset.catalog import Catalog, Clip, matches_group
from muybridge.dataset.contradictions import said_of_contradictions
from muybridge.dataset.duplicates import find_duplicates
from muybridge.dataset.labels import joined_to
from muybridge.dataset.official import read_official
from muybridge.dataset.run_clips import require_files, split_of
from muybridge.dataset.split import FITTED_PARTS, UNKNOWN_LEAK
from muybridge.errors import UserError
from muybridge.evaluation.evaluation import Evaluation
from muybridge.evaluation.floors import Floors
from muybridge.experiment.measure import measure
from muybridge.experiment.measure_floors import cache_of, each_of, summed
from muybridge.experiment.named_clips import read_clips
from muybridge.experiment.refit import parts_seen
from muybridge.files import require_writable
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.trained_model import Model
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.recipes.data import DataConfig
from muybridge.recipes.store import load_recipe
from muybridge.run_schemas import read_leak
from muybridge.runs import RunFolder
from muybridge.text import counted, shortened
from muybridge.video.isolation import isolated


def evaluate(
    run: str | Path,
    clips: str | Path | None = None,
    *,
    data: DataConfig | None = None,
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
        views: Which views of each clip to combine; default: as the model was trained to be used.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed.
        out: Folder for predictions.csv, per_class.csv, confusion_matrix.png, evaluation.json; default: the run's
            folder ``evaluations/<clips>``, with ``-views<n>`` and the like if views were asked for, and with the
            engine if one was.
        engine: What computes: see ``muybridge.load``; by default the model in torch.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        isolate: Whether each file is decoded in a process of its own, with limits of memory and processor time.
        console: Where progress is printed.

    Returns:
        Accuracies with their intervals. Clips that do not decode count as wrong and are named.

    Raises:
        UserError: If there is no model, or no clip of a known class.
    """
    run = Path(run)
    used: list[str] = []
    opened = partial(load, device=device, engine=engine, announce=used.append)
    if clips is None:
        models, protocol, leak, notes = _own_clips(RunFolder.existing(run), opened, clips_root)
    else:
        models, protocol, leak, notes = _other_clips(
            run, opened(run), Path(clips), data or DataConfig(), clips_root, console
        )
    first = models[0][0]
    floors = _floors(run, [tested for _, tested in models], clips_root, console)
    if isinstance(first, Recognizer) and first.unfinished:
        notes.append(f"the model is {first.unfinished}")
    if views != AS_TRAINED:
        notes.append(f"scores of each clip combined over {views.describe()}")
    if engine != "torch":
        notes += dict.fromkeys(used)
    name = (Path(clips).resolve().stem if clips else "test") + views.suffix()
    name += f"-{engine}" if engine != "torch" else ""
    folder = Path(out) if out else run / "evaluations" / name
    require_writable(folder)
    with isolated(isolate):
        return measure(
            models,
            protocol=protocol,
            leak=leak,
            notes=notes,
            floors=floors,
            views=views,
            out=folder,
            console=console,
        )


_Measurable = tuple[list[tuple[Model, Sequence[Clip]]], str, str | None, list[str]]
"""Models with their clips, the protocol, the leak in words, and what there is to say."""


def _own_clips(folder: RunFolder, opened: Callable[[Path], Model], clips_root: str | Path | None) -> _Measurable:
    """The run's own test clips, each with a model that was not fitted on it."""
    split = split_of(folder, clips_root)
    if not split.test:
        raise UserError(f"{folder.path} has no test clips; name other clips to evaluate on")
    test = split.clips_of("test")
    if not any(clip.path.exists() for clip in test):  # a single one that is gone counts as wrong, and is named
        require_files(test, run=folder.path, what="test")
    leak, notes = read_leak(folder.leak), []
    if folder.fold_figures.is_file():
        folds = folder.folds(load_recipe(str(folder.recipe)).data.folds)
        models: list[tuple[Model, Sequence[Clip]]] = [
            (opened(fold.model), split_of(fold, clips_root).clips_of("test")) for fold in folds
        ]
        return models, split.protocol, leak, ["measured with the models of the folds, not with the final one"]
    seen = "test" in parts_seen(folder.model)
    if seen:
        notes.append("measured with the model that had not seen these clips, not with the final one")
    return [(opened(folder.before_refit if seen else folder.path), test)], split.protocol, leak, notes


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
        return [(model, known)], protocol, None, notes
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
    return [(model, known)], protocol, _leak(shared, known, fitted), notes


def _floors(run: Path, tested: Sequence[Sequence[Clip]], clips_root: str | Path | None, console: Console) -> Floors:
    """What answers that know no action get right of the clips that each model is measured on."""
    folder = RunFolder(run)
    if not folder.split.is_file():
        return Floors(absent="the model's run is not here, so nothing is known of its training clips")
    folders = folder.folds(len(tested)) if len(tested) > 1 else [folder]
    splits = [split_of(each, clips_root) for each in folders]
    parts = [(split.clips_of("train"), clips) for split, clips in zip(splits, tested, strict=True)]
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
    """The files whose very bytes a model was fitted on."""
    fitted_files = {clip.path for clip in fitted}
    files = {clip.path for clip in (*fitted, *clips) if clip.path.is_file()}
    twins = {path for twins in find_duplicates(files) if fitted_files & set(twins) for path in twins}
    return twins | fitted_files


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
        test = tuple(clip for clip in catalog.clips if listed.get(clip.path.stem) == "test")
        return test, f"{data.protocol} test part of {name}"
    raise UserError(
        f"data.protocol {data.protocol} divides clips at random; to measure on other clips give none (all of them), "
        "given, official-1, -2 or -3, or data.test_groups"
    )
