"""What a timeline found, as text, as a bar of colours and as plain values."""

import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from muybridge.dataset.annotations.subtitles import clock
from muybridge.dataset.segments import Annotations, Segment
from muybridge.evaluation.segment_evaluation import SegmentEvaluation
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.storage.urls import written
from muybridge.text import counted, printable

# Told apart by people who see fewer colours, too (Okabe and Ito), on dark and on light.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#B8A800", "#7F7F7F")
_KEYS = ascii_uppercase + ascii_lowercase + "0123456789"
_BAR_WIDTH = 78


@dataclass(frozen=True)
class VideoTimeline:
    """The segments of one video.

    Attributes:
        video: The file.
        seconds: How long it is; 0 on an error.
        segments: By start, end and label.
        error: Why it could not be decoded, or None.
        files: What was written of it.
        times_real_time: Seconds of video for each second that it took; None where all scores were there already.
    """

    video: Path
    seconds: float = 0.0
    segments: tuple[Segment, ...] = ()
    error: str | None = None
    files: tuple[Path, ...] = ()
    times_real_time: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "video": written(self.video),
            "seconds": round(self.seconds, 3),
            "segments": [
                {
                    "start_seconds": round(each.start_seconds, 3),
                    "end_seconds": round(each.end_seconds, 3),
                    "label": each.label,
                    "score": None if each.score is None else round(each.score, 6),
                }
                for each in self.segments
            ],
            "error": self.error,
            "files": [str(path) for path in self.files],
            "times_real_time": None if self.times_real_time is None else round(self.times_real_time, 2),
        }


@dataclass(frozen=True)
class TimelineResult:
    """What ``muybridge timeline`` found.

    Attributes:
        model: The run or model folder.
        timelines: One for each video, in order.
        windows: How the videos were looked at.
        rules: How scores became segments.
        rules_from: Where the rules are from, in words.
        notes: What a user should know, one line each.
        evaluation: How well it matches annotations, where there were any.
    """

    model: Path
    timelines: tuple[VideoTimeline, ...]
    windows: WindowConfig
    rules: SegmentRules
    rules_from: str
    notes: tuple[str, ...] = ()
    evaluation: SegmentEvaluation | None = None

    def annotations(self) -> Annotations:
        """All segments as one table, which can be written in any format of annotations."""
        return Annotations(
            segments=tuple(segment for timeline in self.timelines for segment in timeline.segments),
            videos=tuple(timeline.video for timeline in self.timelines if timeline.error is None),
        )

    def table(self) -> Group:
        """For a terminal: of each video a bar over time and a table of its segments, a colour and a key a class."""
        labels = sorted({segment.label for timeline in self.timelines for segment in timeline.segments})
        styles = {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}
        keys = {label: _KEYS[number % len(_KEYS)] for number, label in enumerate(labels)}
        parts: list[Text | Table] = []
        for timeline in self.timelines:
            name = printable(written(timeline.video))
            if timeline.error is not None:
                parts.append(Text(f"{name}: {printable(timeline.error)}\n"))
                continue
            speed = "" if timeline.times_real_time is None else f", {timeline.times_real_time:.0f} times real time"
            found = counted(len(timeline.segments), "segment")
            parts.append(Text(f"{name}  {clock(timeline.seconds)}, {found}{speed}", overflow="fold"))
            parts += [_bar(timeline, styles, keys), _rows(timeline, styles, keys)]
        if labels:
            legend = Text("times since the first frame; score: mean probability of the class in the segment")
            parts.append(legend)
        if self.evaluation is not None:
            parts += [Text(printable(line)) for line in self.evaluation.details()]
        parts += [Text(printable(note)) for note in self.notes]
        parts.append(Text(f"rules: {self.rules_from}"))
        return Group(*parts)

    def __str__(self) -> str:
        widest = max((cell_len(printable(written(timeline.video))) for timeline in self.timelines), default=0)
        console = Console(file=io.StringIO(), width=max(100, widest + 60), color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self.table())
        return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "model": written(self.model),
            "timelines": [timeline.to_dict() for timeline in self.timelines],
            "windows": dict(vars(self.windows)),
            "rules": self.rules.to_dict(),
            "rules_from": self.rules_from,
            "notes": list(self.notes),
            "evaluation": None if self.evaluation is None else self.evaluation.to_dict(),
        }


def _bar(timeline: VideoTimeline, styles: dict[str, str], keys: dict[str, str]) -> Text:
    """The whole video as one line: in each column the class that has most of its time, by key and colour."""
    bar = Text("|")
    column_seconds = timeline.seconds / _BAR_WIDTH
    for column in range(_BAR_WIDTH):
        start, end = column * column_seconds, (column + 1) * column_seconds
        shares: dict[str, float] = defaultdict(float)
        for segment in timeline.segments:
            shares[segment.label] += max(0.0, min(end, segment.end_seconds) - max(start, segment.start_seconds))
        label = max(shares, key=lambda each: shares[each], default=None)
        if label is None or shares[label] < column_seconds / 2:
            bar.append("·", style="dim")
        else:
            bar.append(keys[label], style=f"bold white on {styles[label]}")
    bar.append("|")
    return bar


def _rows(timeline: VideoTimeline, styles: dict[str, str], keys: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=bool(timeline.segments))
    table.add_column("")
    for title in ("start", "end"):
        table.add_column(title, justify="right")
    table.add_column("class", overflow="fold")
    table.add_column("score", justify="right")
    for segment in timeline.segments:
        score = "" if segment.score is None else f"{segment.score:.2f}"
        table.add_row(
            Text(keys[segment.label], style=f"bold white on {styles[segment.label]}"),
            clock(segment.start_seconds),
            clock(segment.end_seconds),
            Text(printable(segment.label)),
            score,
        )
    return table
