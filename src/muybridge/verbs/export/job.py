"""Exporting a trained model for an engine, checked against torch before it counts.

Notable: the check is part of the job. An export that disagrees with torch, or that costs more accuracy than allowed,
is refused and leaves nothing behind. It is checked on training and validation clips; test clips decide nothing. What
rounding costs is judged by the model that did not learn from the validation clips; after cross-validation, by that of
fold 1, on the clips of its fold.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

from rich.console import Console

from muybridge.console import STDERR, progress_on, say
from muybridge.dataset.catalog import Clip
from muybridge.dataset.run_clips import require_files, split_of
from muybridge.dataset.split import Part, Split
from muybridge.disk_errors import keeping_result
from muybridge.errors import UserError, VideoError
from muybridge.files import building_folder, content_hash, holds_nothing, require_local
from muybridge.inference.engines.engine import EngineName, Frames, Precision
from muybridge.inference.engines.exports import EXPORT_FILE, EXPORTS_FOLDER, Export, Parity
from muybridge.inference.exporting.stream_graph import require_streaming
from muybridge.inference.exporting.writing import PRECISIONS, STREAM_FILES, versions_of, write_model, write_stream
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED
from muybridge.models.saving import WEIGHTS_FILE
from muybridge.remote_runs import run_with_results
from muybridge.runs import RunFolder
from muybridge.sequences import spread
from muybridge.text import did_you_mean
from muybridge.verbs.export.parity import FP32_DIFFERENCE, check_stream, compare_engines, time_engines
from muybridge.verbs.export.result import ExportResult

TOLERANCE_POINTS = 1.0

STREAM_INPUT = (
    "frame_HWC: uint8 RGB, full range, H = W = size_px; state_0, state_1, ...: zeros before the first frame, then "
    "next_state_0, next_state_1, ... of the frame before"
)
STREAM_OUTPUT = "logits_K: before the softmax, of all frames so far; next_state_0, next_state_1, ..."


def export(
    run: str | Path,
    *,
    to: EngineName,
    precision: Precision = "fp32",
    force: bool = False,
    out: str | Path | None = None,
    clips: int = 128,
    clips_root: str | Path | None = None,
    data: str | Path | None = None,
    tolerance_points: float = TOLERANCE_POINTS,
    streaming: bool = False,
    console: Console = STDERR,
) -> ExportResult:
    """Export the model of a run for an engine, and check it against torch.

    Args:
        run: The run directory of a training, or its URL.
        to: The engine.
        precision: What it computes in: torch has fp32 and bf16, onnx fp32 and int8, openvino all three.
        force: Keep an export that does not pass the check. It is never picked by itself.
        out: Folder to make; default: ``exports/<engine>-<precision>`` in the run. An export there is
            replaced. In a run of a bucket it is uploaded.
        clips: At most this many training clips are compared, and for int8 observed. Validation clips are all used.
        clips_root: Folder that holds the run's clips now, where they were moved or renamed.
        data: The older name of ``clips_root``.
        tolerance_points: Accuracy on the validation clips that it may cost, in percent points.
        streaming: Write next to it the graph of one step, for a model that sees past frames only: a frame and the
            state in, the scores of all frames so far and the new state out; checked against whole clips.
        console: Where progress is printed.

    Raises:
        UserError: If there is no such run or kind of export, a package or the clips are missing, or the check
            fails; then nothing is left behind.
    """
    _check_kind(to, precision)
    if clips < 1:
        raise UserError(f"export.clips is {clips}; give 1 or more")
    if out is not None:
        require_local(Path(out))
    named = Path(run)
    with run_with_results(named, out, announce=partial(say, console)) as place:
        made = _exported(
            place,
            to,
            precision,
            target=Path(out) if out else place / EXPORTS_FOLDER / f"{to}-{precision}",
            force=force,
            clips=clips,
            clips_root=clips_root or data,
            tolerance_points=tolerance_points,
            streaming=streaming,
            console=console,
        )
    return made if out else replace(made, folder=named / made.folder.relative_to(place))


def _exported(
    run: Path,
    to: EngineName,
    precision: Precision,
    *,
    target: Path,
    force: bool,
    clips: int,
    clips_root: str | Path | None,
    tolerance_points: float,
    streaming: bool,
    console: Console,
) -> ExportResult:
    """What ``export`` does with a run on this machine."""
    folder = RunFolder.trained(run)
    recognizer = Recognizer.load(folder.model, device="cpu")
    if streaming:
        _check_streaming(recognizer, to, precision)
    decider, split, held_out = _deciding(folder, clips_root)
    validation = _clips_of(split, held_out, run)
    training = spread(_clips_of(split, "train", run), clips)
    example = next(_views(recognizer, training), None)
    if example is None:
        raise UserError(
            f"none of {len(training)} training clips of {run} can be decoded; run muybridge check to see why"
        )
    checksum = content_hash(folder.model / WEIGHTS_FILE)
    with keeping_result() as kept, _replacing_export(target) as temporary:
        metadata = {
            "classes": list(recognizer.classes),
            "preprocessing": recognizer.preprocessing,
            "input": "frames_BTHWC: uint8 RGB, full range; B clips of T frames, H = W = size_px",
            "output": "logits_BK: before the softmax",
            "source_weights_sha256": checksum,
        }
        write = partial(
            write_model,
            engine=to,
            precision=precision,
            example_THWC=example[0],
            calibration=lambda: _observed(recognizer, training, console),
            calibration_clips=len(training),
            metadata=metadata,
        )
        compare = partial(
            compare_engines,
            precision=precision,
            training=training,
            validation=validation,
            tolerance_points=tolerance_points,
            console=console,
        )
        engine, folded = write(temporary, recognizer.net)
        if precision == "fp32" or content_hash(decider / WEIGHTS_FILE) == checksum:
            parity = compare(recognizer, engine)
        else:
            # What rounding costs in accuracy shows on clips that the model did not learn from.
            with tempfile.TemporaryDirectory() as other:
                before = Recognizer.load(decider, device="cpu")
                parity = compare(before, write(Path(other), before.net)[0])
        if not parity.passed:
            failing = _failing(parity, precision, tolerance_points)
            if not force:
                raise UserError(f"{to}-{precision} is refused, nothing is left behind: {failing}; or use export.force")
            say(console, f"kept in spite of its check: {failing}")
        stream = None
        if streaming:
            described = metadata | {"input": STREAM_INPUT, "output": STREAM_OUTPUT}
            step = write_stream(temporary, recognizer.net, engine=to, size_px=recognizer.size_px, metadata=described)
            stream = check_stream(recognizer, step, validation, console=console)
        made = Export(
            engine=to,
            precision=precision,
            classes=recognizer.classes,
            preprocessing=recognizer.preprocessing,
            source_weights_sha256=checksum,
            folded=folded,
            calibration_clips=len(training) if precision == "int8" else None,
            parity=parity,
            latency=time_engines(recognizer, engine, example),
            versions=versions_of(to),
            files={path.name: content_hash(path) for path in sorted(temporary.iterdir())},
            stream=stream,
        )
        kept.result = ExportResult(target, made, saved=False)
        made.save(temporary)
    return ExportResult(target, made)


def _deciding(folder: RunFolder, clips_root: str | Path | None) -> tuple[Path, Split, Part]:
    """The model that an export is judged by, the clips of its training, and the part that it did not learn from.

    Raises:
        UserError: If it learned from every clip that there is.
    """
    if folder.fold_figures.is_file():
        fold = folder.fold(1)
        return fold.model, split_of(fold, clips_root), "test"
    split = split_of(folder, clips_root)
    if not split.validation:
        raise UserError(
            f"{folder.path} has no validation clips to judge an export by; train with data.validation_share above 0, "
            "or with data.folds"
        )
    return folder.deciding_model, split, "validation"


def _check_kind(to: str, precision: str) -> None:
    if to not in PRECISIONS:
        raise UserError(f"export.to {to} is unknown{did_you_mean(to, PRECISIONS)}")
    if precision not in get_args(Precision):
        raise UserError(f"export.precision {precision} is unknown{did_you_mean(precision, get_args(Precision))}")
    if precision not in PRECISIONS[to]:
        others = [engine for engine, known in PRECISIONS.items() if precision in known]
        raise UserError(
            f"{to} does not compute in {precision} on a CPU; choose export.precision {' or '.join(PRECISIONS[to])}, "
            f"or export.to {' or '.join(others)}"
        )


def _check_streaming(recognizer: Recognizer, to: EngineName, precision: Precision) -> None:
    if to not in STREAM_FILES:
        raise UserError(f"export.to {to} writes no graph of one step; choose export.to {' or '.join(STREAM_FILES)}")
    if precision != "fp32":
        raise UserError(f"a stream computes in fp32; choose export.precision fp32 in place of {precision}")
    require_streaming(recognizer.net)


def _failing(parity: Parity, precision: Precision, tolerance_points: float) -> str:
    limit = f"it may cost {tolerance_points:g} points of validation accuracy"
    if precision == "fp32":
        limit += f" and differ by {FP32_DIFFERENCE:g}"
    return f"{parity}; {limit}"


def _clips_of(split: Split, part: Part, run: Path) -> tuple[Clip, ...]:
    """Clips of one part, which the export is checked on.

    Raises:
        UserError: If there are none, or their files are gone.
    """
    found = split.clips_of(part)
    if not found:
        raise UserError(f"{run} has no {part} clips, which an export is checked on; export another run")
    require_files(found, run=run, what=part)
    return found


def _views(recognizer: Recognizer, clips: Sequence[Clip]) -> Iterator[list[Frames]]:
    """The views of each clip that decodes."""
    for clip in clips:
        read = recognizer.read(clip, views=AS_TRAINED)
        if not isinstance(read, VideoError):
            yield read


def _observed(recognizer: Recognizer, clips: Sequence[Clip], console: Console) -> Iterator[Frames]:
    """All views of the clips that decode, for a calibration to observe."""
    with progress_on(console) as progress:
        found = progress.track(_views(recognizer, clips), total=len(clips), description="observing")
        yield from (view for views in found for view in views)


@contextmanager
def _replacing_export(target: Path) -> Iterator[Path]:
    """A temporary folder that takes the name ``target`` at the end, in place of an export that is there.

    Raises:
        UserError: If something else is there.
    """
    if not (target / EXPORT_FILE).is_file() and not holds_nothing(target):
        raise UserError(f"{target} is there and is no export; name another folder with export.out")
    fresh, old = (target.with_name(f".{target.name}-{word}") for word in ("fresh", "old"))
    for left_over in (fresh, old):
        shutil.rmtree(left_over, ignore_errors=True)
    made_parent = not target.parent.exists()
    try:
        with building_folder(fresh) as temporary:
            yield temporary
    except BaseException:
        if made_parent and target.parent.is_dir() and not any(target.parent.iterdir()):
            target.parent.rmdir()
        raise
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
