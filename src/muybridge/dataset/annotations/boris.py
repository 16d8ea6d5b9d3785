"""BORIS's project files: state events in seconds, whose starts and stops alternate; point events are left out.

An observation's first player may play several files one after the other; its times count on over them. Format: the
projects that BORIS saves (boris.unito.it), version 7 of them.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec import field as struct_field

from muybridge.dataset.annotations.rules import FileContents, Spellings, Stretch
from muybridge.dataset.annotations.video_times import TimesOf
from muybridge.dataset.annotations.written_parts import (
    label_text,
    lanes,
    lasting,
    milliseconds,
    name_of_video,
    without,
)
from muybridge.dataset.segments import Annotations, Segment
from muybridge.errors import UserError
from muybridge.schemas import Number, Seconds, convert
from muybridge.text import abbreviated, counted, shortened

NAME = "boris"
SUFFIX = ".boris"
_HINT = "open the project in BORIS and save it again"
_KEYS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SCORE = re.compile(r"score (?P<score>0\.\d+|[01]|1\.0|\d(?:\.\d+)?e-\d+)")

_Event = Annotated[tuple[Any, ...], Meta(min_length=3)]


class _Behavior(Struct):
    code: str
    type: str = ""


class _MediaInfo(Struct):
    length: dict[str, Seconds] = {}


class _Observation(Struct):
    type: str = "MEDIA"
    file: dict[str, tuple[str, ...]] | list[Any] = {}
    events: tuple[_Event, ...] = ()
    media_info: _MediaInfo = struct_field(default_factory=_MediaInfo)
    offset: Number = struct_field(default=0.0, name="time offset")


class _Project(Struct):
    observations: dict[str, _Observation]
    behaviors: dict[str, _Behavior] = struct_field(name="behaviors_conf")


def recognises(values: Any) -> bool:
    """Whether JSON values are of this format."""
    return isinstance(values, Mapping) and all(
        isinstance(values.get(key), Mapping) for key in ("observations", "behaviors_conf")
    )


def read(values: Any, path: Path) -> FileContents:
    """Read the state events of all observations of media.

    Raises:
        UserError: If a state that starts never stops, or the lengths of a playlist are not known.
    """
    project = convert(values, _Project, where=str(path), hint=_HINT)
    is_state = {each.code: each.type.lower().startswith("state") for each in project.behaviors.values()}
    stretches: list[Stretch] = []
    videos: list[Spellings] = []
    points: Counter[str] = Counter()
    live = second = shifted = 0
    for name, observation in project.observations.items():
        where = f"{path}, observation {abbreviated(name, 60)}"
        players = observation.file if isinstance(observation.file, dict) else {}
        playlist = players.get("1", ())
        if observation.type != "MEDIA" or not playlist:
            live += 1
            continue
        second += any(files for player, files in players.items() if player != "1")
        shifted += bool(observation.offset)
        videos += [(file,) for file in playlist]
        starts = _starts(playlist, observation.media_info.length, where)
        for stretch in _states(observation.events, is_state, points, where):
            stretches += _of_files(stretch, playlist, starts, where)
    notes = []
    if points:
        notes.append(f"left out, point events: {shortened([f'{code} ({n})' for code, n in sorted(points.items())])}")
    if live:
        notes.append(f"left out, {counted(live, 'observation')} without a media file")
    if second:
        notes.append(f"{counted(second, 'observation')} with several players: the first one's files were taken")
    if shifted:
        notes.append(f"{counted(shifted, 'observation')} with a time offset: times count from where the file begins")
    return FileContents(NAME, tuple(stretches), tuple(videos), tuple(notes))


def _starts(playlist: Sequence[str], lengths: Mapping[str, float], where: str) -> list[float]:
    """When each file of a playlist begins, in seconds of the observation."""
    starts = [0.0]
    for file in playlist[:-1]:
        if file not in lengths:
            raise UserError(
                f"{where} plays several files, and the length of {abbreviated(file, 60)} is missing; {_HINT}"
            )
        starts.append(starts[-1] + lengths[file])
    return starts


def _states(
    events: Sequence[tuple[Any, ...]], is_state: Mapping[str, bool], points: Counter[str], where: str
) -> list[tuple[float, float, str, float | None]]:
    """The start, end, code and score of each state."""
    running: dict[tuple[str, ...], tuple[float, float | None]] = {}
    found = []
    timed = sorted((_time(event, where), number) for number, event in enumerate(events))
    for time, number in timed:
        event = events[number]
        subject, code, modifier, comment = (str(part) for part in (*event[1:5], "", "")[:4])
        if not is_state.get(code, False):
            points[code] += 1
            continue
        key = (subject, code, modifier)
        if key in running:
            start, score = running.pop(key)
            found.append((start, time, code, score))
        else:
            match = _SCORE.fullmatch(comment)
            running[key] = (time, float(match["score"]) if match else None)
    if running:
        (_, code, _), (time, _) = next(iter(running.items()))
        raise UserError(
            f"{where}: the state {abbreviated(code, 40)} that starts at {time:g} s never stops; add the stop in BORIS "
            "(Observations, Fix unpaired events)"
        )
    return sorted(found, key=lambda state: (state[0], state[1], state[2]))


def _time(event: tuple[Any, ...], where: str) -> float:
    return convert(event[0], Number, where=f"{where}, time of an event", hint=_HINT)


def _of_files(
    state: tuple[float, float, str, float | None], playlist: Sequence[str], starts: Sequence[float], where: str
) -> list[Stretch]:
    """A state as a segment of each file that it runs over."""
    start, end, code, score = state
    parts = []
    for number, (file, begin) in enumerate(zip(playlist, starts, strict=True)):
        finish = starts[number + 1] if number + 1 < len(starts) else end
        if len(playlist) == 1 or (start < finish and end > begin):
            first = start if number == 0 else max(start, begin)  # a time before 0 is for the door to refuse
            last = end if len(playlist) == 1 else min(end, finish)
            parts.append(Stretch((file,), first - begin, last - begin, code, where, score=score))
    return parts


def values_of(annotations: Annotations, folder: Path, times_of: TimesOf | None) -> tuple[dict[str, Any], list[str]]:
    """Segments as a project with an observation a video, and notes."""
    labels = sorted({label_text(segment.label) for segment in annotations.segments})
    behaviors = {
        str(number): {
            "type": "State event", "key": _KEYS[number] if number < len(_KEYS) else "", "code": label,
            "description": "", "color": "", "category": "", "modifiers": {}, "excluded": "", "coding map": "",
        }
        for number, label in enumerate(labels)
    }  # fmt: skip
    observations: dict[str, Any] = {}
    notes = without(annotations.segments, "BORIS", scores=True)
    subjects = 1
    for video in annotations.videos:
        kept, lost = lasting(annotations.of(video))
        notes += lost
        file = name_of_video(video, folder)
        events: list[list[Any]] = []
        by_label: dict[str, list[Segment]] = {}
        for segment in kept:
            by_label.setdefault(label_text(segment.label), []).append(segment)
        for label, same in sorted(by_label.items()):
            # Starts and stops of one behavior alternate, so segments of it that overlap belong to several subjects.
            for number, lane in enumerate(lanes(same), 1):
                subjects = max(subjects, number)
                subject = "" if number == 1 else f"subject {number}"
                events += [event for segment in lane for event in _events(segment, subject, label)]
        # Sorting keeps a stop before a start of the same time, since each lane is in order.
        events.sort(key=lambda event: float(event[0]))
        info: dict[str, Any] = {"length": {}, "fps": {}, "hasVideo": {file: True}, "hasAudio": {}, "offset": {"1": 0.0}}
        if times_of is not None:
            times = times_of(video)
            info |= {"length": {file: times.end_seconds}, "fps": {file: times.frames_per_second}}
        observations[_observation(file, observations)] = {
            "file": {str(player): [file] if player == 1 else [] for player in range(1, 9)},
            "type": "MEDIA", "date": "1970-01-01T00:00:00", "description": "", "time offset": 0.0, "events": events,
            "observation time interval": [0, 0], "independent_variables": {}, "visualize_spectrogram": False,
            "visualize_waveform": False, "close_behaviors_between_videos": False, "scan_sampling_time": 0,
            "media_info": info,
        }  # fmt: skip
    if len(labels) > len(_KEYS):
        notes.append(
            f"{counted(len(labels) - len(_KEYS), 'class')} without a key: BORIS has one for each of the others"
        )
    if subjects > 1:
        notes.append("segments of one class overlap: in BORIS they belong to several subjects")
    values = {
        "time_format": "hh:mm:ss", "project_date": "1970-01-01T00:00:00", "project_name": "muybridge",
        "project_description": "", "project_format_version": "7.0",
        "subjects_conf": {
            str(number): {"key": "", "name": f"subject {number + 2}", "description": ""}
            for number in range(subjects - 1)
        },
        "behaviors_conf": behaviors, "observations": observations, "behavioral_categories": [],
        "independent_variables": {}, "coding_map": {}, "behaviors_coding_map": [], "converters": {},
    }  # fmt: skip
    return values, list(dict.fromkeys(notes))


def _events(segment: Segment, subject: str, label: str) -> list[list[Any]]:
    comment = "" if segment.score is None else f"score {segment.score!r}"
    return [
        [milliseconds(seconds) / 1000, subject, label, "", text]
        for seconds, text in ((segment.start_seconds, comment), (segment.end_seconds, ""))
    ]


def _observation(file: str, taken: Mapping[str, Any]) -> str:
    name = Path(file).stem
    return name if name not in taken else file
