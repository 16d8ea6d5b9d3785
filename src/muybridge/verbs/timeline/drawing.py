"""Labels drawn on the pictures of a video: what is happening now, in the colour of its class, and a bar of the whole.

Axes: H, W, C (RGB).
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from rich.console import Console

from muybridge.console import progress_on
from muybridge.dataset.segments import Segment
from muybridge.reporting.timeline_page import colours_of
from muybridge.text import abbreviated, printable
from muybridge.video.browser_video import write_for_browsers
from muybridge.video.picture import Image

ENDING = ".drawn.mp4"
_LONGEST_LABEL = 40
_LEAST_TEXT_PX = 12
_BAR_SHARE, _TEXT_SHARE = 0.025, 0.055
_DPI = 100


def draw_video(
    video: Path, copy: Path, segments: Sequence[Segment], classes: Sequence[str], *, seconds: float, console: Console
) -> str | None:
    """Write a copy of a video with its timeline on the pictures.

    Args:
        video: The video.
        copy: The file to write.
        segments: What was found.
        classes: All classes, which say what colour each has.
        seconds: How long the video is.
        console: Where progress is printed.

    Returns:
        Why the sound is not whole, or None.

    Raises:
        VideoError: It is no readable video.
    """
    colours = {
        label: tuple(round(255 * part) for part in to_rgb(colour)) for label, colour in colours_of(classes).items()
    }

    def paint(image_HWC: Image, at_seconds: float) -> None:
        height, width = image_HWC.shape[:2]
        bar = max(3, round(_BAR_SHARE * height))
        image_HWC[-bar:] = image_HWC[-bar:] // 4
        for segment in segments:
            left, right = (round(width * each / seconds) for each in (segment.start_seconds, segment.end_seconds))
            image_HWC[-bar:, left : max(right, left + 1)] = colours[segment.label]
        now = min(width - 1, round(width * at_seconds / seconds))
        image_HWC[-bar:, max(0, now - 1) : now + 1] = 255
        top = 0
        text_px = max(_LEAST_TEXT_PX, round(_TEXT_SHARE * height))
        for segment in segments:
            if not segment.start_seconds <= at_seconds < segment.end_seconds:
                continue
            score = "" if segment.score is None else f"  {segment.score:.2f}"
            label = label_image(abbreviated(printable(segment.label), _LONGEST_LABEL) + score, text_px)
            label = label[: height - bar - top, :width]
            part = image_HWC[top : top + label.shape[0], : label.shape[1]]
            # The text is white on the colour of the class.
            shade = label[..., None] / 255
            part[:] = (shade * 255 + (1 - shade) * np.array(colours[segment.label])).astype(np.uint8)
            top += label.shape[0]

    with progress_on(console) as progress:
        task = progress.add_task(copy.name, total=seconds)
        return write_for_browsers(video, copy, paint=paint, report=lambda done: progress.update(task, completed=done))


@lru_cache(maxsize=512)
def label_image(text: str, text_px: int) -> Image:
    """A line of text, white (255) on black (0), with a margin: (H, W), about ``text_px`` high without it."""
    figure = Figure(figsize=(0.8 * text_px * (len(text) + 2) / _DPI, 1.6 * text_px / _DPI), dpi=_DPI, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    # Points, of which an inch has 72.
    drawn = figure.text(
        0, 0.5, f" {text} ", color="white", size=72 * 0.8 * text_px / _DPI, va="center", parse_math=False
    )
    canvas.draw()  # type: ignore[no-untyped-call]
    width = max(1, round(drawn.get_window_extent().width))
    pixels_HWC = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.array(pixels_HWC[:, :width, 0], dtype=np.uint8)
