"""A timeline as one HTML file: the player, a coloured track and a curve for each class, a list to jump by.

It needs no network; of other files it needs the video alone, which it names relative to itself. Names are escaped by
the template, and what the script gets is JSON that cannot end it.

Axes: N steps, K classes, B bins of time.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from muybridge.dataset.segments import Segment
from muybridge.files import write_text
from muybridge.text import printable

MOST_POINTS = 1500
"""Points of a curve; of longer videos each point is the highest of its stretch."""

# Colours that differ also for people who see fewer of them (Okabe and Ito).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A7F00", "#7F7F7F")


def write_timeline_page(
    path: Path,
    *,
    video: Path,
    shown_video: Path,
    seconds: float,
    segments: Sequence[Segment],
    true: Sequence[Segment] | None,
    classes: Sequence[str],
    probabilities_NK: npt.NDArray[np.float64],
    facts: Mapping[str, str],
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        video: The video, for its name.
        shown_video: The file that the player plays.
        seconds: How long the video is.
        segments: What was found.
        true: What is in it, drawn above; None where nobody knows.
        classes: Names of the K classes.
        probabilities_NK: The curves.
        facts: Names and values that are listed below.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    labels = [label for label in classes if any(each.label == label for each in (*segments, *(true or ())))]
    colours = colours_of(classes)
    curves_BK = peaks(probabilities_NK)
    tracks = [
        {
            "label": printable(label),
            "colour": colours[label],
            "segments": _spans(label, segments),
            "true": _spans(label, true or ()),
            "curve": [round(float(value), 3) for value in curves_BK[:, list(classes).index(label)]],
        }
        for label in labels
    ]
    data: dict[str, Any] = {"seconds": seconds, "tracks": tracks, "truth": true is not None}
    environment = Environment(
        loader=PackageLoader("muybridge", "reporting/templates"), autoescape=True, undefined=StrictUndefined
    )
    html = environment.get_template("timeline.html.j2").render(
        title=printable(video.name),
        source=quote(os.path.relpath(shown_video.absolute(), path.absolute().parent).replace(os.sep, "/")),
        # No text of it can end the script or begin a comment.
        data=json.dumps(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        facts={name: printable(value) for name, value in facts.items()},
        count=len(segments),
    )
    write_text(path, html)


def colours_of(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, the same in every picture of a model's answers; they come again after eight."""
    return {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(classes)}


def peaks(probabilities_NK: npt.NDArray[np.float64], most: int = MOST_POINTS) -> npt.NDArray[np.float64]:
    """Curves of at most so many points, each the highest of its stretch of time."""
    count = len(probabilities_NK)
    if count <= most:
        return probabilities_NK
    starts = np.arange(most) * count // most
    return np.asarray(np.maximum.reduceat(probabilities_NK, starts, axis=0))


def _spans(label: str, segments: Sequence[Segment]) -> list[list[float | None]]:
    return [
        [round(each.start_seconds, 3), round(each.end_seconds, 3), None if each.score is None else round(each.score, 3)]
        for each in segments
        if each.label == label
    ]
