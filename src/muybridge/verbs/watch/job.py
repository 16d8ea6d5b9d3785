"""Watching a stream with a trained model, until it ends or is told to stop."""

from pathlib import Path

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.errors import UserError
from muybridge.files import require_local, require_writable
from muybridge.inference.loading import load
from muybridge.inference.timeline.video_scoring import require_recognizer
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import chosen_rules
from muybridge.verbs.watch.result import WatchResult
from muybridge.verbs.watch.sinks import open_sinks
from muybridge.verbs.watch.watching import Emit, Watching
from muybridge.video.live.live_reader import STALL_SECONDS, Pace
from muybridge.video.live.live_sources import find_source


def watch(
    run: str | Path,
    source: str,
    *,
    windows: WindowConfig | None = None,
    rules: SegmentRules | None = None,
    pace: Pace = "live",
    out: str | Path | None = None,
    on_event: str | None = None,
    webhook: str | None = None,
    mqtt: str | None = None,
    save_events: str | Path | None = None,
    seconds_before: float = 3.0,
    seconds_after: float = 2.0,
    seconds: float | None = None,
    status_seconds: float = 1.0,
    stall_seconds: float = STALL_SECONDS,
    engine: str = "torch",
    device: str = "auto",
    emit: Emit | None = None,
    console: Console = STDERR,
) -> WatchResult:
    """Watch a stream, and tell events as they begin and end.

    It goes on until the stream ends, for ``seconds``, or until Ctrl-C, which ends it with every file whole.

    Args:
        run: A run directory of a training, or a model folder.
        source: A camera (``0``, ``/dev/video0`` or its name), an address (rtsp, rtmp, http, https, udp, tcp), a file,
            or ``-`` for standard input.
        windows: How the stream is looked at; None: as the rules were tuned, else the defaults.
        rules: From scores to events; None: those that were tuned for this run, else the defaults.
        pace: ``live``: as it plays, the newest frame first. ``all``: each frame that is due is waited for, as fast as
            it goes; for files and pipes.
        out: A file to which each event is added as a line of JSON.
        on_event: A program with its arguments, run for each event with its line on standard input; no shell.
        webhook: An address that is sent each event by HTTP POST.
        mqtt: ``mqtt://host/topic``, to which each event is published; needs the extra ``mqtt``.
        save_events: A folder for the video of each event.
        seconds_before: How much is kept before an event; a file begins at the keyframe before that.
        seconds_after: How much is kept after it.
        seconds: Stop after so long.
        status_seconds: Time between two lines of how it goes; 0: none.
        stall_seconds: Without anything for so long, a stream is joined again.
        engine: What computes: see ``muybridge.load``. Exports score a whole window each half a window; in torch each
            frame is encoded once.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        emit: Called with each event as plain values, in a thread of its own.
        console: Where lines of how it goes are printed.

    Returns:
        What was seen, how fast, and what was left out.

    Raises:
        UserError: If there is no model or one that cannot look at streams; if the source does not open; or if one of
            those who are to get events cannot.
    """
    run = Path(run)
    for name, value in (
        ("seconds_before", seconds_before),
        ("seconds_after", seconds_after),
        ("status_seconds", status_seconds),
        ("stall_seconds", stall_seconds),
        ("seconds", seconds),
    ):
        if value is not None and not 0 <= value <= 10**8:
            raise UserError(f"{name} is {value:g}; give seconds from 0 on")
    if not stall_seconds >= 0.5:
        raise UserError(f"stall_seconds is {stall_seconds:g}; give 0.5 or more")
    found = find_source(source)
    if save_events is not None:
        require_writable(Path(save_events))
    if out is not None:
        require_local(Path(out))
    _, windows, rules = chosen_rules(run, windows, rules)
    recognizer = require_recognizer(load(run, device=device, engine=engine), run)
    if recognizer.unfinished:
        say(console, f"note: {run} is {recognizer.unfinished}")
    sinks = open_sinks(
        out=out, on_event=on_event, webhook=webhook, mqtt=mqtt, say=lambda line: say(console, f"note: {line}")
    )
    try:
        with Watching(
            run,
            found,
            recognizer,
            windows,
            rules,
            pace=pace,
            sinks=sinks,
            save_events=None if save_events is None else Path(save_events),
            seconds_before=seconds_before,
            seconds_after=seconds_after,
            stall_seconds=stall_seconds,
            emit=emit,
            console=console,
        ) as watching:
            watching.wait(seconds, status_seconds)
        if watching.error is not None:
            raise watching.error
    finally:
        for sink in sinks:
            sink.close()
    return watching.result()
