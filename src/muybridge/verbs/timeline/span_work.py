"""What is done with each span of a long video: its frames are decoded by one process, and scored by another.

Axes: T frames, N scores, H, W, C (RGB), K classes.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.dataset.shard_index import arrow
from muybridge.errors import UserError, VideoError
from muybridge.inference.engines.engine import Frames
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.spans import Span, score_span
from muybridge.inference.timeline.video_scoring import Rate, Steps, require_recognizer, score_video
from muybridge.pieces.planning import Item
from muybridge.pieces.shared_model import SharedModel
from muybridge.pieces.working import Row, unless_storage_fails
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.storage.urls import written
from muybridge.video.steady_reading import SteadyReader


@dataclass(frozen=True)
class SpanItem(Item):
    """A span of a video, or one that a single worker must go through.

    Attributes:
        steps: How the model looks at it; None for a whole video, whose worker finds that out.
        span: Which scores; None for all.
        frame_count: Frames of the video at the steady rate, as the plan counted them.
    """

    steps: Steps | None = None
    span: Span | None = None
    frame_count: int = 0


def span_reader(recognizer: Recognizer, windows: WindowConfig, path: Path) -> SteadyReader:
    """What reads a video as one process would."""
    rate = Rate.of(recognizer, windows.frames_per_second)
    return SteadyReader(
        path,
        frames_per_second=rate.frames_per_second,
        every=rate.every,
        size_px=recognizer.size_px,
        fit=recognizer.fit,
    )


@dataclass(frozen=True)
class _Decoded:
    """What goes from who decodes to who computes; no frames of a whole video, which is read where it is scored."""

    item: SpanItem
    frames_THWC: Frames | None


class Scoring:
    """What is done with each span."""

    workers = 1  # whole videos are decoded, too, where they are scored

    def __init__(self, recognizer: Recognizer, windows: WindowConfig) -> None:
        self._recognizer = recognizer
        self._windows = windows
        self._opened = threading.local()

    def decode(self, item: Item) -> _Decoded | VideoError:
        """The frames of a span."""
        assert isinstance(item, SpanItem)
        if item.span is None:
            return _Decoded(item, None)
        try:
            reader = self._open(item.clip.path)
            if reader.step_count != item.frame_count:
                raise UserError(f"{item.name} has changed since the job began; run the same command without resume")
            images = islice(reader.frames_from(item.span.first_frame), item.span.end_frame - item.span.first_frame)
            return _Decoded(item, np.stack(list(images)))
        except VideoError as error:
            return error

    def _open(self, path: Path) -> SteadyReader:
        """A video, which this thread keeps open: the next span is as a rule of the same, and listing it takes time."""
        kept: SteadyReader | None = getattr(self._opened, "reader", None)
        if kept is not None and kept.path == path:
            return kept
        if kept is not None:
            self._opened.reader = None
            kept.__exit__()
        self._opened.reader = span_reader(self._recognizer, self._windows, path).__enter__()
        return self._opened.reader  # type: ignore[no-any-return]

    def compute(self, decoded: Sequence[_Decoded]) -> list[Row]:
        """The scores of spans."""
        return [self._scores(each) for each in decoded]

    def _scores(self, decoded: _Decoded) -> Row:
        item = decoded.item
        if item.span is None or item.steps is None or decoded.frames_THWC is None:
            found = unless_storage_fails(item, self._whole)
            return {"error": found.reason} if isinstance(found, VideoError) else found
        logits_NK = score_span(self._recognizer, item.steps, item.span, decoded.frames_THWC)
        return {"first_score": item.span.first_score, "logits": logits_NK.ravel()}

    def _whole(self, item: Item) -> Row | VideoError:
        """All scores of a video."""
        try:
            track = score_video(self._recognizer, item.clip.path, windows=self._windows)
        except VideoError as error:
            return error
        return {"first_score": 0, "logits": track.logits_NK.ravel(), "seconds": track.seconds}

    def describe(self, item: Item) -> Row:
        """What is known of a span."""
        return {"clip": item.name, "video": written(item.clip.path)}


@dataclass(frozen=True)
class MakeScoring:
    """Makes the work in another process."""

    model: SharedModel
    windows: WindowConfig
    engine: str

    def __call__(self, device: str) -> Scoring:
        """Load the model.

        Raises:
            UserError: It is not there, or another.
        """
        folder = self.model.folder()
        return Scoring(require_recognizer(load(folder, device=device, engine=self.engine), folder), self.windows)


def span_schema() -> Any:
    """The columns of spans; how long a video is only who read it whole has found out."""
    pa = arrow()
    return pa.schema([
        ("clip", pa.string()),
        ("video", pa.string()),
        ("first_score", pa.int64()),
        ("logits", pa.list_(pa.float32())),
        ("seconds", pa.float64()),
        ("error", pa.string()),
    ])  # fmt: skip
