"""The demo's data set: small real video files, one folder per action, written in a few seconds.

    <folder>/<action>/<take>_<action>_<nn>.avi | .mp4    every other take is MPEG-4 part 2, the rest H.264
    <folder>/clips.csv                                   path,label,group: the group is the take
    <folder>/demo_clips.json                             what was rendered, and whether it is complete

A take is one source video: several clips of one action that share body, clothes, backdrop and camera, as the
clips of a UCF101 group do. Split at random, clips of one take fall on both sides, and the look of the take
reveals the action.

The same seed makes the same bytes whatever the number of processes: each clip has a generator of its own.
"""

import json
import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

from muybridge.errors import UserError
from muybridge.files import write_json, write_text
from muybridge.verbs.demo.figures import ACTIONS
from muybridge.verbs.demo.scenes import Frames, Take, render_clip

MARKER = "demo_clips.json"
TABLE = "clips.csv"
CLIPS_PER_TAKE = 3
FRAMES_PER_SECOND = 25
SHORTEST_FRAMES, LONGEST_FRAMES = 24, 48
_LOOK_VERSION = 1  # raise it when the same seed comes to make other pictures


@dataclass(frozen=True)
class PlannedClip:
    """One clip to render: everything that a worker process needs to know."""

    action: str
    take: int  # number of the source, over all actions
    number: int  # of the clip within its take
    seed: int

    @property
    def group(self) -> str:
        """Name of the source."""
        return f"take{self.take:03d}"

    @property
    def path(self) -> str:
        """Path below the folder of the set, with forward slashes."""
        suffix = ".avi" if self.take % 2 else ".mp4"
        return f"{self.action}/{self.group}_{self.action}_{self.number:02d}{suffix}"


def render_demo(folder: Path, *, clips_per_class: int = 30, seed: int = 0, workers: int | None = None) -> Path:
    """Render the demo's clips into a folder, unless the same set lies there already.

    Args:
        folder: Made if missing. It must be empty, or hold a set rendered earlier, whole or not.
        clips_per_class: Clips of each of the actions.
        seed: Of everything random.
        workers: Processes; default one for each core this process may use.

    Returns:
        The table `clips.csv` (path, label, group) in the folder.

    Raises:
        UserError: The folder holds other things, or an argument is out of range. Nothing was changed then.
    """
    if clips_per_class < 1:
        raise UserError(f"clips per class must be at least 1, not {clips_per_class}")
    if workers is not None and workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}")
    if seed < 0:
        raise UserError(f"the seed must not be negative, but is {seed}")
    plan = plan_clips(clips_per_class=clips_per_class, seed=seed)
    settings = {"version": _LOOK_VERSION, "clips_per_class": clips_per_class, "seed": seed}
    table, marker = folder / TABLE, folder / MARKER
    earlier = _read_marker(folder)
    wanted = {TABLE, *(clip.path for clip in plan)}
    if earlier == {"complete": True, **settings} and all((folder / path).is_file() for path in wanted):
        return table
    if earlier is not None:
        _remove_earlier(folder)
    # Marked as ours from here on, so that a rendering that was killed can be distinguished from somebody's videos.
    write_json(marker, {"complete": False, **settings})
    for action in ACTIONS:
        (folder / action).mkdir(exist_ok=True)
    _render_all(folder, plan, workers)
    write_text(table, _table_text(plan))
    write_json(marker, {"complete": True, **settings})
    return table


def plan_clips(*, clips_per_class: int, seed: int) -> list[PlannedClip]:
    """List the clips of a set, take by take; every take belongs to one action."""
    plan: list[PlannedClip] = []
    take = 0
    for action in ACTIONS:
        for index in range(clips_per_class):
            number = index % CLIPS_PER_TAKE + 1
            take += number == 1
            plan.append(PlannedClip(action=action, take=take, number=number, seed=seed))
    return plan


def render_frames(clip: PlannedClip) -> Frames:
    """Draw one planned clip: frames (T, H, W, C), uint8 RGB."""
    rng = np.random.default_rng((clip.seed, clip.take, clip.number))
    frames = int(rng.integers(SHORTEST_FRAMES, LONGEST_FRAMES + 1))
    return render_clip(clip.action, take=_draw_take(clip.seed, clip.take), rng=rng, frames=frames)


@lru_cache(maxsize=2)
def _draw_take(seed: int, take: int) -> Take:
    """The look of a take, kept because a worker renders the clips of a take one after the other."""
    return Take.random(np.random.default_rng((seed, take)))


def _read_marker(folder: Path) -> dict[str, object] | None:
    """What the folder's marker says; None for a folder that is missing or empty.

    Raises:
        UserError: There are things in the folder and no marker of ours, or other things next to ours.
    """
    if not folder.exists():
        return None
    advice = "choose an empty or new folder for the demo's clips"
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; {advice}")
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    if not found:
        return None
    strangers = [path for path in found if not _is_ours(path)]
    if strangers:
        raise UserError(f"{folder} holds {strangers[0]}, which is not one of the demo's clips; {advice}")
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds clips, but no readable {MARKER} that says whose; {advice}") from error
    if not isinstance(marker, dict):
        raise UserError(f"{folder / MARKER} was not written by the demo; {advice}")
    return marker


def _is_ours(path: str) -> bool:
    """Whether a path below the folder is one that some rendering could have made."""
    if path in (MARKER, TABLE) or path in ACTIONS:
        return True
    clip = re.fullmatch(r"(?P<action>[a-z_]+)/take\d{3,}_(?P=action)_\d{2}\.(avi|mp4)", path)
    return clip is not None and clip["action"] in ACTIONS


def _remove_earlier(folder: Path) -> None:
    """Remove the clips of an earlier rendering; `_read_marker` has made sure that there is nothing else."""
    for path in folder.glob("*/*"):
        path.unlink()
    (folder / TABLE).unlink(missing_ok=True)


def _table_text(plan: list[PlannedClip]) -> str:
    lines = ["path,label,group", *(f"{clip.path},{clip.action},{clip.group}" for clip in plan)]
    return "\n".join(lines) + "\n"


def _render_all(folder: Path, plan: list[PlannedClip], workers: int | None) -> None:
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers == 1:
        for clip in plan:
            _render_file(folder, clip)
        return
    # Processes are spawned, not forked: the caller may already run threads of torch or OpenCV.
    spawning = multiprocessing.get_context("spawn")
    workers = min(workers, len(plan))
    with ProcessPoolExecutor(workers, mp_context=spawning, initializer=_use_one_thread) as pool:
        for _ in pool.map(_render_file, [folder] * len(plan), plan, chunksize=CLIPS_PER_TAKE):
            pass


def _use_one_thread() -> None:
    cv2.setNumThreads(1)


def _render_file(folder: Path, clip: PlannedClip) -> None:
    encode(folder / clip.path, render_frames(clip))


def encode(path: Path, frames_THWC: Frames) -> None:
    """Write frames as video: MPEG-4 part 2 for .avi, H.264 for .mp4."""
    with av.open(str(path), "w") as container:
        if path.suffix == ".avi":
            stream = container.add_stream("mpeg4", rate=FRAMES_PER_SECOND, options={"qmin": "2", "qmax": "5"})
        else:
            options = {"crf": "20", "preset": "veryfast"}
            stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        stream.height, stream.width = frames_THWC.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # more threads would make the bytes depend on the machine
        for frame_HWC in frames_THWC:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        container.mux(stream.encode(None))
