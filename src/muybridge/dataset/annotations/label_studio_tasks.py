"""Segments as Label Studio's tasks: to import as annotations, or with scores as predictions that annotators correct."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.dataset.annotations.frame_seconds import SAME_FRAME_SECONDS
from muybridge.dataset.annotations.video_times import TimesOf, VideoTimes
from muybridge.dataset.annotations.written_parts import label_text, name_of_video, without
from muybridge.dataset.segments import Annotations, Segment
from muybridge.text import counted, shortened

CONTROL, OBJECT = "videoLabels", "video"
"""The names of the two tags in what is written, as in Label Studio's own template."""


def region_of(
    segment: Segment, times: VideoTimes, *, name: str, from_name: str = CONTROL, to_name: str = OBJECT
) -> dict[str, Any] | None:
    """A segment as a region of an annotation or prediction; None where no frame is in it.

    Args:
        segment: The segment.
        times: The frames of its video.
        name: The region's id.
        from_name: Name of the TimelineLabels tag.
        to_name: Name of the Video tag.
    """
    start, end = (_count_at(seconds, times) for seconds in (segment.start_seconds, segment.end_seconds))
    if start >= end:
        return None
    region: dict[str, Any] = {
        "id": name,
        "type": "timelinelabels",
        "from_name": from_name,
        "to_name": to_name,
        "origin": "manual" if segment.score is None else "prediction",
        "value": {"ranges": [{"start": start + 1, "end": end}], "timelinelabels": [label_text(segment.label)]},
    }
    return region if segment.score is None else region | {"score": segment.score}


def _count_at(seconds: float, times: VideoTimes) -> int:
    """How many frames Label Studio has counted before a time: it multiplies times with the rate.

    Of frames that are evenly spaced, these are the frames of the file, whatever rounded their times.
    """
    frame = times.frame_at(seconds)
    if abs(times.seconds_of(frame) - frame / times.frames_per_second) <= SAME_FRAME_SECONDS:
        return frame
    return math.ceil(seconds * times.frames_per_second)


def _is_even(times: VideoTimes) -> bool:
    by_rate_N = np.arange(times.frame_count) / times.frames_per_second
    return bool(np.abs(times.seconds_N - by_rate_N).max() <= SAME_FRAME_SECONDS)


def values_of(annotations: Annotations, folder: Path, times_of: TimesOf) -> tuple[list[dict[str, Any]], list[str]]:
    """Segments as tasks to import: predictions where they have scores, else annotations; and notes."""
    tasks: list[dict[str, Any]] = []
    left_out = uneven = 0
    predicted = any(segment.score is not None for segment in annotations.segments)
    for video in annotations.videos:
        times = times_of(video)
        uneven += not _is_even(times)
        made = [region_of(segment, times, name=f"s{number}") for number, segment in enumerate(annotations.of(video), 1)]
        regions = [region for region in made if region is not None]
        left_out += len(made) - len(regions)
        data = {"video": name_of_video(video, folder), "fps": times.frames_per_second}
        task: dict[str, Any] = {"data": data}
        if predicted:
            scores = [region["score"] for region in regions if "score" in region]
            prediction = {"model_version": "muybridge", "result": regions}
            task["predictions"] = [prediction | ({"score": sum(scores) / len(scores)} if scores else {})]
        else:
            task["annotations"] = [{"result": regions}]
        tasks.append(task)
    labels = sorted({label_text(segment.label) for segment in annotations.segments})
    notes = [
        f'to import: a project with <Video name="{OBJECT}" value="$video" frameRate="$fps"/> and '
        f'<TimelineLabels name="{CONTROL}" toName="{OBJECT}"> with the labels {shortened(labels)}; change data.video '
        "to where Label Studio reaches the file",
        *without(annotations.segments, "Label Studio", scores=True),
    ]
    if left_out:
        notes.append(f"left out, {counted(left_out, 'segment')} without a frame")
    if uneven:
        notes.append(
            f"the frames of {counted(uneven, 'video')} are not evenly spaced, and Label Studio counts by a mean rate: "
            "borders there are right to a frame"
        )
    return tasks, notes
