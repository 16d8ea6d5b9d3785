"""Measuring a trained model, on its own test part or on other labelled clips."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR
from muybridge.dataset.catalog import Catalog, Clip, matches_group
from muybridge.dataset.duplicates import find_duplicates
from muybridge.dataset.official import read_official
from muybridge.dataset.split import FITTED_PARTS, Split
from muybridge.errors import UserError
from muybridge.evaluation.evaluation import Evaluation
from muybridge.experiment.measure import measure
from muybridge.experiment.prepare import read_clips
from muybridge.files import read_json
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.recipes.data import DataConfig
from muybridge.runs import RunFolder


def evaluate(
    run: str | Path,
    clips: str | Path | None = None,
    *,
    data: DataConfig | None = None,
    views: Views = AS_TRAINED,
    out: str | Path | None = None,
    engine: str = "torch",
    device: str = "auto",
    console: Console = STDERR,
) -> Evaluation:
    """Measure a model on its own test part, or on other labelled clips.

    Args:
        run: A run directory (or, with ``clips``, a model folder).
        clips: Other labelled clips; default: the run's test part.
        data: Which of the other clips: classes, and for ``given``, ``official-N`` or named groups the test part.
        views: Which views of each clip to combine; default: as the model was trained to be used.
        out: Folder for predictions.csv, per_class.csv, confusion_matrix.png, evaluation.json; default: the run's
            folder ``evaluations/<clips>``, with ``-views<n>`` and the like if views were asked for, and with the
            engine if one was.
        engine: What computes: see ``muybridge.load``; by default the model in torch.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.

    Returns:
        Accuracies with their intervals. Clips that do not decode count as wrong and are named.

    Raises:
        UserError: If there is no model, or no clip of a known class.
    """
    run = Path(run)
    used: list[str] = []
    model = load(run, device=device, engine=engine, announce=used.append)
    notes = [f"the model is {model.unfinished}"] if isinstance(model, Recognizer) and model.unfinished else []
    if clips is None:
        folder = RunFolder.existing(run)
        split = Split.load(folder.split)
        chosen, protocol, leak = split.clips_of("test"), split.protocol, read_json(folder.leak)
        if not chosen:
            raise UserError(f"{run} has no test clips; name other clips to evaluate on")
        missing = [clip for clip in chosen if not clip.path.exists()]
        if len(missing) == len(chosen):
            raise UserError(f"the clips of {run} are gone (for example {missing[0].path}); name their new folder")
    else:
        chosen, protocol, leak, remarks = _other_clips(run, Path(clips), model.classes, data or DataConfig())
        notes += remarks
    if views != AS_TRAINED:
        notes.append(f"scores of each clip combined over {views.describe()}")
    if engine != "torch":
        notes += used
    name = (Path(clips).resolve().stem if clips else "test") + views.suffix()
    name += f"-{engine}" if engine != "torch" else ""
    return measure(
        model,
        chosen,
        protocol=protocol,
        leak=leak,
        notes=notes,
        views=views,
        out=Path(out) if out else run / "evaluations" / name,
        console=console,
    )


def _other_clips(
    run: Path, clips: Path, classes: Sequence[str], data: DataConfig
) -> tuple[tuple[Clip, ...], str, str | None, list[str]]:
    """Clips of another data set that a model can be measured on, with what there is to say about them."""
    catalog = read_clips(clips, data)
    notes = list(catalog.notes)
    chosen, protocol = _part(catalog, data)
    unknown = Counter(clip.label for clip in chosen if clip.label not in classes)
    if unknown:
        listed = ", ".join(f"{label} ({count})" for label, count in sorted(unknown.items()))
        notes.append(f"left out, the model does not know these classes: {listed}")
    known = tuple(clip for clip in chosen if clip.label in classes)
    if not known:
        raise UserError(f"no clip of {clips} ({protocol}) has a class that the model knows ({', '.join(classes)})")
    return known, protocol, _leak_to_run(run, known), notes


def _part(catalog: Catalog, data: DataConfig) -> tuple[tuple[Clip, ...], str]:
    """The clips that the options ask for, and a name for them."""
    name = catalog.root.name
    if data.test_groups:
        named = tuple(c for c in catalog.clips if any(matches_group(c, pattern) for pattern in data.test_groups))
        return named, f"groups {', '.join(data.test_groups)} of {name}"
    if data.protocol == "auto":
        return catalog.clips, f"all of {name}"
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


def _leak_to_run(run: Path, clips: Sequence[Clip]) -> str | None:
    """How many clips share a source with those the run was fitted on; None for a model without its run."""
    folder = RunFolder(run)
    if not folder.split.is_file():
        return None
    split = Split.load(folder.split)
    fitted = [clip for part in FITTED_PARTS for clip in split.clips_of(part)]
    groups = {clip.group for clip in fitted}
    files = [clip.path for clip in (*fitted, *clips) if clip.path.is_file()]
    fitted_files = {clip.path for clip in fitted}
    identical = {path for twins in find_duplicates(set(files)) if fitted_files & set(twins) for path in twins}
    shared = sum(clip.group in groups or clip.path in identical | fitted_files for clip in clips)
    return f"{shared} of {len(clips)} clips share a source with the run's training clips"
