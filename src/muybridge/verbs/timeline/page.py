"""The page of a video's timeline, and the copy of the video that it plays where browsers do not play the file."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from muybridge.console import progress_on, say
from muybridge.dataset.segments import Segment
from muybridge.file_parts import size_of
from muybridge.files import replacing
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.reporting.timeline_page import write_timeline_page
from muybridge.storage.remote_files import download
from muybridge.storage.urls import url_at
from muybridge.video.browser_video import plays_in_browsers, write_for_browsers

COPY_ENDING = ".web.mp4"


def write_page(
    stem: Path,
    track: ScoreTrack,
    segments: Sequence[Segment],
    true: Sequence[Segment] | None,
    *,
    model: str,
    rules: SegmentRules,
    windows: WindowConfig,
    console: Console,
) -> tuple[list[Path], str | None]:
    """Write the page, and a copy of the video where it needs one; a copy that is newer than the video is kept.

    Args:
        stem: The path of the files without their endings.
        track: The scores.
        segments: What was found.
        true: What is in the video, if that is known.
        model: The run or model folder, as the user names it.
        rules: How scores became segments.
        windows: How the video was looked at.
        console: Where progress is printed.

    Returns:
        The files, and why the sound of the copy is not whole.
    """
    video, page, files = track.video, stem.with_name(f"{stem.name}.html"), []
    shown, problem = video, None
    url = url_at(video)
    if url is not None and plays_in_browsers(video):
        shown = stem.with_name(f"{stem.name}.web{video.suffix}")
        files.append(shown)
        if not shown.is_file() or shown.stat().st_size != size_of(video):
            say(console, f"{shown}: a copy of {url}, since browsers do not play what is in a bucket")
            with replacing(shown, durable=False) as temporary:
                download(url, temporary)
    elif not plays_in_browsers(video):
        shown = stem.with_name(stem.name + COPY_ENDING)
        files.append(shown)
        if url is not None or not shown.is_file() or shown.stat().st_mtime < video.stat().st_mtime:
            say(console, f"{shown}: a copy of the video as H.264, since browsers do not play {video.name}")
            with progress_on(console) as progress:
                task = progress.add_task(shown.name, total=track.seconds)
                problem = write_for_browsers(
                    video, shown, report=lambda seconds: progress.update(task, completed=seconds)
                )
    write_timeline_page(
        page,
        video=video,
        shown_video=shown,
        seconds=track.seconds,
        segments=segments,
        true=true,
        classes=track.classes,
        probabilities_NK=track.probabilities_NK(),
        facts={
            "model": model,
            "frames per second": f"{windows.frames_per_second:g}" if windows.frames_per_second else "the recipe's",
            "window": f"{windows.window_seconds:g} s",
            "step of the scores": f"{track.step_seconds:g} s",
            **{name.replace("_", " "): str(value) for name, value in rules.to_dict().items()},
        },
    )
    return [page, *files], problem
