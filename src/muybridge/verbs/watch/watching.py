"""One stream that is being watched.

Three threads share the work: one reads and decodes, one looks and tells events, and the caller's prints a line a second
and waits for Ctrl-C, so that whatever is being written is finished first.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from muybridge.console import say
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.live_events import LiveEvent
from muybridge.inference.timeline.live_scoring import LiveScore, LiveScorer
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.text import abbreviated
from muybridge.verbs.watch.result import Latencies, WatchResult, milliseconds
from muybridge.verbs.watch.sinks import Sink
from muybridge.video.live.event_recorder import EventRecorder
from muybridge.video.live.live_reader import LiveReader, Pace
from muybridge.video.live.live_sources import LiveSource
from muybridge.video.live.stream_parts import TakenFrame
from muybridge.video.picture import ImageMaker

_POLL_SECONDS = 0.25
_LONGEST_LABEL = 40
_MOST_ENDED = 1000

EventKey = tuple[str, float]
"""Names an event: its label and start."""

Emit = Callable[[dict[str, Any]], None]


class Watching:
    """One stream that is being watched; used in a ``with`` statement.

    Attributes:
        error: What ended it, where that was no end of the stream; the caller raises it after the ``with``.
    """

    def __init__(
        self,
        run: Path,
        source: LiveSource,
        recognizer: Recognizer,
        windows: WindowConfig,
        rules: SegmentRules,
        *,
        pace: Pace,
        sinks: list[Sink],
        save_events: Path | None,
        seconds_before: float,
        seconds_after: float,
        stall_seconds: float,
        emit: Emit | None,
        console: Console,
    ) -> None:
        self._run = run
        self._source = source
        self._recognizer = recognizer
        self._windows, self._rules = windows, rules
        self._sinks = sinks
        self._emit = emit
        self._console = console
        self._folder = save_events
        self._before, self._after = seconds_before, seconds_after
        self._recorder: EventRecorder | None = None
        self._scorer: LiveScorer
        self._reader = LiveReader(
            source,
            is_due=lambda seconds: self._scorer.is_due(seconds),
            number_of=lambda seconds: self._scorer.frame_number(seconds),
            say=self._note,
            pace=pace,
            stall_seconds=stall_seconds,
        )
        self._maker = ImageMaker(None, name=source.name)
        self._stopped = threading.Event()
        self._over = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._look, name="looking", daemon=True)
        self._latencies = Latencies()
        self._looked_at = self._event_count = 0
        self._busy_seconds = 0.0
        self._newest: LiveScore | None = None
        self._clock: tuple[float, float] | None = None  # a frame's seconds, and the time of day when it came
        self._videos: list[Path] = []
        self._ended_events: dict[EventKey, dict[str, Any]] = {}
        self._began_at = self._ended_at = 0.0
        self._last_status = (0.0, 0, 0.0, 0)

    def __enter__(self) -> "Watching":
        self._reader.__enter__()
        try:
            rate = self._reader.frames_per_second
            self._scorer = LiveScorer(
                self._recognizer, self._windows, self._rules, source_frames_per_second=rate or 25.0
            )
            self._warm_up()
            if self._folder is not None:
                self._recorder = EventRecorder(
                    seconds_before=self._before,
                    seconds_after=self._after,
                    told_after_seconds=self._scorer.told_after_seconds,
                    say=self._note,
                    saved=self._saved,
                )
                self._reader.tap = self._recorder
            scorer = self._scorer
            self._note(
                f"watching {self._source.name}: {scorer.frames_per_second:g} looks a second, windows of "
                f"{scorer.window_seconds:g} s, look-ahead {scorer.look_ahead_seconds:g} s; Ctrl-C ends it"
            )
            self._began_at = time.monotonic()
            self._reader.start()
            self._thread.start()
        except BaseException:
            self._reader.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._reader.stop()
        self._thread.join()
        self._reader.__exit__()
        if self._recorder is not None:
            self._recorder.close()
        self._ended_at = time.monotonic()
        self._clear_status()

    def wait(self, seconds: float | None, status_seconds: float) -> None:
        """Print how it goes until the stream ends, the time is over, an error ends it, or Ctrl-C."""
        until = None if seconds is None else self._began_at + seconds
        due = self._began_at + status_seconds
        try:
            while not self._over.wait(_POLL_SECONDS if status_seconds else 1.0):
                now = time.monotonic()
                if until is not None and now >= until:
                    break
                if status_seconds and now >= due:
                    self._print_status(now)
                    due = max(now, due + status_seconds)
        except KeyboardInterrupt:
            self._note("stopping")

    def result(self) -> WatchResult:
        """What it was like."""
        seconds = self._ended_at - self._began_at
        failed = {sink.name: sink.failed for sink in self._sinks}
        if self._recorder is not None:
            failed[str(self._folder)] = self._recorder.failed
        return WatchResult(
            model=self._run,
            source=self._source.name,
            seconds=seconds,
            frames=self._reader.frames,
            looked_at=self._looked_at,
            dropped=self._reader.dropped,
            undecoded=self._reader.undecoded,
            joined_again=self._reader.joined_again,
            events=self._event_count,
            latency_p50_seconds=self._latencies.of_all(0.5),
            latency_p95_seconds=self._latencies.of_all(0.95),
            load=self._busy_seconds / max(1e-9, seconds),
            look_ahead_seconds=self._scorer.look_ahead_seconds,
            failed=failed,
            videos=tuple(self._videos),
        )

    def _warm_up(self) -> None:
        """The first look takes the longest: not at the cost of the stream."""
        size = self._recognizer.size_px
        self._scorer.push(np.zeros((size, size, 3), np.uint8), 0.0)
        self._scorer.finish()

    def _look(self) -> None:
        last = time.monotonic()
        try:
            while not self._stopped.is_set():
                taken = self._reader.take(_POLL_SECONDS)
                if taken is not None:
                    last = time.monotonic()
                    self._look_at(taken)
                elif self._reader.is_over:
                    break
                elif time.monotonic() - last > self._scorer.window_seconds + 1:
                    self._tell(self._scorer.finish().events)  # what lasts is not seen any more
            self._tell(self._scorer.finish().events)
        except BaseException as error:  # is raised in the caller's thread
            self.error = error
        finally:
            self._over.set()

    def _look_at(self, taken: TakenFrame) -> None:
        began = time.monotonic()
        answer = self._scorer.push(self._maker.image(taken.frame), taken.seconds)
        now = time.monotonic()
        self._busy_seconds += now - began
        self._clock = taken.seconds, time.time() - (now - taken.arrived)
        if answer.scores:
            self._looked_at += 1
            self._newest = answer.scores[-1]
            self._latencies.add(now - taken.arrived)
        self._tell(answer.events)

    def _tell(self, events: tuple[LiveEvent, ...]) -> None:
        for event in events:
            values = self._values_of(event)
            key = (event.label, event.start_seconds)
            if event.state == "begin":
                self._event_count += 1
            elif self._recorder is not None:
                self._ended_events[key] = values
                while len(self._ended_events) > _MOST_ENDED:  # those without a video
                    self._ended_events.pop(next(iter(self._ended_events)))
            self._send(values)
            if self._recorder is not None and self._folder is not None:
                if event.state == "begin":
                    self._recorder.begin(key, self._folder / self._file_name(values), event.start_seconds)
                elif event.end_seconds is not None:
                    self._recorder.end(key, event.end_seconds)

    def _values_of(self, event: LiveEvent) -> dict[str, Any]:
        newest = None if self._clock is None else round(self._clock[0], 3)
        return {
            **event.to_dict(),
            "told_seconds": newest,
            "start": self._time_of_day(event.start_seconds),
            "end": None if event.end_seconds is None else self._time_of_day(event.end_seconds),
            "source": self._source.name,
        }

    def _time_of_day(self, seconds: float) -> str | None:
        if self._clock is None:
            return None
        newest_seconds, newest_at = self._clock
        moment = datetime.fromtimestamp(newest_at - (newest_seconds - seconds), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _file_name(self, values: dict[str, Any]) -> str:
        """Time, number and label; letters and digits alone, whatever the label holds."""
        label = "".join(sign if sign.isalnum() else "-" for sign in values["label"])
        moment = str(values["start"]).replace(":", "").replace("-", "").partition(".")[0]
        return f"{moment}Z-{self._event_count:04}-{abbreviated(label, _LONGEST_LABEL).replace('…', '-')}"

    def _saved(self, key: EventKey, path: Path) -> None:
        self._videos.append(path)
        try:
            self._tell_saved(key, path)
        except BaseException as error:  # is raised in the caller's thread
            self.error = self.error or error
            self._over.set()

    def _tell_saved(self, key: EventKey, path: Path) -> None:
        values = self._ended_events.pop(key, None)
        if values is None:  # its stream was lost before it ended
            label, start_seconds = key
            lasting = LiveEvent(state="end", label=label, start_seconds=start_seconds, end_seconds=None, score=0.0)
            values = self._values_of(lasting) | {"score": None}
        self._send({**values, "state": "saved", "video": str(path)})

    def _send(self, values: dict[str, Any]) -> None:
        if self._emit is not None:
            self._clear_status()
            self._emit(values)
        line = json.dumps(values)
        for sink in self._sinks:
            sink.send(line)

    def _note(self, line: str) -> None:
        self._clear_status()
        say(self._console, line)

    def _clear_status(self) -> None:
        """Make room for a line on a terminal, which may show events, too."""
        if self._console.is_terminal:
            self._console.file.write("\r\x1b[K")
            self._console.file.flush()

    def _print_status(self, now: float) -> None:
        before, frames, busy, looks = self._last_status
        before = before or self._began_at
        lasted = max(1e-9, now - before)
        reader, newest = self._reader, self._newest
        latency = milliseconds(self._latencies.of_recent(0.5), self._latencies.of_recent(0.95))
        parts = [
            f"{(reader.frames - frames) / lasted:.1f} frames/s, {(self._looked_at - looks) / lasted:.1f} looks/s",
            f"latency {latency}",
            f"load {100 * (self._busy_seconds - busy) / lasted:.0f} %",
            f"dropped {reader.dropped}",
        ]
        if newest is not None:
            nearest = f"{newest.label}, {newest.score:.2f}"
            parts.append(f"none of these (nearest: {nearest})" if newest.none_of_these else nearest)
        self._last_status = now, reader.frames, self._busy_seconds, self._looked_at
        line = ", ".join(parts)
        if self._console.is_terminal:  # one line, written anew
            self._console.file.write(f"\r\x1b[K{abbreviated(line, max(20, self._console.width - 1))}")
            self._console.file.flush()
        else:
            say(self._console, line)
