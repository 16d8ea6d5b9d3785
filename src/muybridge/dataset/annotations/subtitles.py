"""Segments as subtitles, SubRip (SRT) and WebVTT, for players that show text over a video."""

from collections.abc import Sequence

from muybridge.dataset.segments import Segment
from muybridge.text import printable


def srt_text(segments: Sequence[Segment]) -> str:
    """SubRip: a number, two times and the label for each segment."""
    cues = [
        f"{number}\n{_clock(each.start_seconds, ',')} --> {_clock(each.end_seconds, ',')}\n{_line(each)}\n"
        for number, each in enumerate(segments, start=1)
    ]
    return "\n".join(cues)


def vtt_text(segments: Sequence[Segment]) -> str:
    """WebVTT, in which three characters are written as entities.

    Source: W3C, WebVTT: The Web Video Text Tracks Format, section 4.2.2.
    """
    cues = []
    for segment in segments:
        text = _line(segment).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_clock(segment.start_seconds, '.')} --> {_clock(segment.end_seconds, '.')}\n{text}\n")
    return "\n".join(["WEBVTT\n", *cues])


def clock(seconds: float) -> str:
    """``1:02:03.4``, hours where there are any: for people."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02}.{rest % 10}"


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    whole, milliseconds = divmod(milliseconds, 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}{mark}{milliseconds:03}"


def _line(segment: Segment) -> str:
    # An arrow would end the text and begin a time; an empty line would end the cue.
    label = printable(segment.label).replace("-->", "->").strip() or "?"
    return label if segment.score is None else f"{label} ({segment.score:.2f})"
