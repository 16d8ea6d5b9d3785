"""Comparing an exported model with the one in torch: the same answers, and how fast.

Axes: V views, K classes.
"""

import statistics
import time
from collections.abc import Sequence

import numpy as np
import torch
from rich.console import Console

from muybridge.console import progress_on
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.inference.engines.engine import Engine, Frames, Precision
from muybridge.inference.engines.exports import Latency, Parity, StreamCheck
from muybridge.inference.engines.stream_engine import StreamEngine
from muybridge.inference.engines.torch_engine import TorchEngine
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.views import AS_TRAINED
from muybridge.sequences import spread
from muybridge.system import processor_name
from muybridge.threads import read_ahead

FP32_DIFFERENCE = 1e-3
"""Largest difference of a probability that another order of float32 sums may explain, with a wide margin."""
STREAM_DIFFERENCE = 1e-4
"""The same for scores of a stream, as a share of the largest."""
STREAM_CLIPS = 8
WARM_UP_ROUNDS, ROUNDS = 5, 30


def compare_engines(
    recognizer: Recognizer,
    engine: Engine,
    *,
    precision: Precision,
    training: Sequence[Clip],
    validation: Sequence[Clip],
    tolerance_points: float,
    console: Console,
) -> Parity:
    """Compare an engine with the recognizer it was exported from, as both are used: view by view, combined.

    The recognizer computes in float32 here, also where its answers come from bfloat16: that is another rounding.

    Args:
        recognizer: The model in torch.
        engine: What was exported from it.
        precision: With fp32 the probabilities must agree; otherwise the accuracy on validation clips decides.
        training: Training clips.
        validation: Validation clips.
        tolerance_points: Accuracy on validation clips that may be lost, in percent points.
        console: Where progress is shown.

    Raises:
        UserError: If no validation clip can be decoded.
    """
    reference = TorchEngine(recognizer.net, device=recognizer.device, precision="fp32")
    differences: list[float] = []
    compared_training = changed = 0
    correct = {"torch": 0, "engine": 0}
    with progress_on(console) as progress:
        clips = (*training, *validation)
        reads = read_ahead(clips, lambda clip: recognizer.read(clip, views=AS_TRAINED), workers=None)
        for number, read in enumerate(progress.track(reads, total=len(clips), description="comparing")):
            if isinstance(read, VideoError):
                continue
            expected_K = recognizer.combined(reference.score(read))
            found_K = recognizer.combined(engine.score(read))
            differences.append(float(np.abs(expected_K - found_K).max()))
            changed += int(expected_K.argmax() != found_K.argmax())
            if number < len(training):
                compared_training += 1
                continue
            label = recognizer.classes.index(clips[number].label)
            correct["torch"] += int(expected_K.argmax() == label)
            correct["engine"] += int(found_K.argmax() == label)
    validated = len(differences) - compared_training
    if not validated:
        raise UserError(
            "no validation clip can be decoded, so the export cannot be checked; run muybridge check to see why"
        )
    lost = 100 * (correct["torch"] - correct["engine"]) / validated
    largest = float(np.max(differences))
    return Parity(
        clips=len(differences),
        training_clips=compared_training,
        maximum_difference=largest,
        changed_top1=changed,
        validation_clips=validated,
        torch_correct=correct["torch"],
        correct=correct["engine"],
        passed=lost <= tolerance_points and (precision != "fp32" or largest <= FP32_DIFFERENCE),
    )


def check_stream(
    recognizer: Recognizer, stream: StreamEngine, validation: Sequence[Clip], *, console: Console
) -> StreamCheck:
    """Send clips frame by frame through the graph of one step, and compare with the whole clips in torch.

    Args:
        recognizer: The model in torch.
        stream: What was exported from it.
        validation: Validation clips, of which some are taken.
        console: Where progress is shown.

    Raises:
        UserError: If the scores differ by more than rounding, or no clip can be decoded.
    """
    reference = TorchEngine(recognizer.net, device=recognizer.device, precision="fp32")
    differences, times = list[float](), list[float]()
    taken = spread(validation, STREAM_CLIPS)
    with progress_on(console) as progress:
        for clip in progress.track(taken, total=len(taken), description="frame by frame"):
            read = recognizer.read(clip, views=AS_TRAINED)
            if isinstance(read, VideoError):
                continue
            state = stream.first_state()
            for frame_HWC in read[0]:
                started = time.perf_counter()
                logits_K, state = stream.score(np.ascontiguousarray(frame_HWC), state)
                times.append(1000 * (time.perf_counter() - started))
            expected_K = reference.score(read[:1])[0]
            differences.append(float(np.abs(logits_K - expected_K).max() / max(1.0, np.abs(expected_K).max())))
    if not differences:
        raise UserError("no validation clip can be decoded, so the stream cannot be checked; run muybridge check")
    check = StreamCheck(len(differences), max(differences), statistics.median(times))
    if check.maximum_difference > STREAM_DIFFERENCE:
        raise UserError(f"the stream is refused, nothing is left behind: {check}; allowed is {STREAM_DIFFERENCE:g}")
    return check


def time_engines(recognizer: Recognizer, engine: Engine, views: list[Frames]) -> Latency:
    """Time one clip in both, in turns, so that what else the machine does hits both alike."""
    view = views[:1]
    times: tuple[list[float], list[float]] = [], []
    for number in range(WARM_UP_ROUNDS + ROUNDS):
        for each, found in zip((engine, recognizer.engine), times, strict=True):
            started = time.perf_counter()
            each.score(view)
            if number >= WARM_UP_ROUNDS:
                found.append(1000 * (time.perf_counter() - started))
    return Latency(
        milliseconds=statistics.median(times[0]),
        torch_milliseconds=statistics.median(times[1]),
        rounds=ROUNDS,
        frames=len(view[0]),
        threads=torch.get_num_threads(),
        processor=processor_name(),
    )
