"""Long videos made of clips: segments of 2 to 8 seconds, of classes that a model knows and of two that it does not.

All are encoded anew at 25 frames/s and 320x240 with keyframes at a fixed distance, so that no keyframe tells a cut.
"""

import csv
import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from muybridge.video.steady_reading import SteadyReader

FRAMES_PER_SECOND, WIDTH_PX, HEIGHT_PX = 25, 320, 240
LEAST_SECONDS, MOST_SECONDS = 2.0, 8.0
X264 = {"preset": "veryfast", "crf": "23", "keyint": "50", "min-keyint": "50", "scenecut": "0", "open-gop": "0"}
BACKGROUND = "background"


@dataclass(frozen=True)
class SourceClip:
    """A row of the clips' CSV."""

    path: Path
    label: str
    group: str


@dataclass(frozen=True)
class TruePart:
    """A part of a long video, in seconds; ``label`` is ``background`` where its class was left out."""

    start: float
    end: float
    label: str


def read_clips(table: Path) -> list[SourceClip]:
    with table.open(encoding="utf-8", newline="") as file:
        return [SourceClip(table.parent / row["path"], row["label"], row["group"]) for row in csv.DictReader(file)]


def make(
    path: Path, clips: Sequence[SourceClip], *, unseen: Sequence[str], parts: int, seed: int, join: bool = False
) -> list[TruePart]:
    """Draw the parts of a video and write it, with its truth as a CSV next to it; what is there is read instead.

    Args:
        path: The video.
        clips: What it is made of.
        unseen: The classes that are background.
        parts: How many.
        seed: Of the draw.
        join: Put clips of a class one behind the other to the length drawn, for clips that are shorter.
    """
    table = path.with_suffix(".csv")
    if not table.exists():
        truth = _write(path, clips, unseen=unseen, parts=parts, seed=seed, join=join)
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["video", "start", "end", "label"])
            writer.writerows([path.name, f"{part.start:.3f}", f"{part.end:.3f}", part.label] for part in truth)
    with table.open(encoding="utf-8", newline="") as file:
        return [TruePart(float(row["start"]), float(row["end"]), row["label"]) for row in csv.DictReader(file)]


def repeated(videos: Sequence[Path], longer: Path, *, seconds: float) -> Path:
    """Videos of one size and codec one behind the other, again and again until they last so long, without encoding."""
    done = 0  # in units of the stream
    with av.open(str(longer), "w") as container:
        stream = None
        for path in itertools.cycle(videos):
            with av.open(str(path)) as source:
                own = source.streams.video[0]
                stream = stream or container.add_stream_from_template(own)
                if done * own.time_base >= seconds:
                    return longer
                last = 0
                for packet in source.demux(own):
                    if packet.dts is not None:
                        last = max(last, packet.pts + packet.duration)
                        packet.pts, packet.dts, packet.stream = packet.pts + done, packet.dts + done, stream
                        container.mux(packet)
                done += last
    raise ValueError("no videos")


def seconds_of(video: Path) -> float:
    """How long a video says that it is."""
    with av.open(str(video)) as container:
        return float(container.duration / av.time_base)


def _write(
    path: Path, clips: Sequence[SourceClip], *, unseen: Sequence[str], parts: int, seed: int, join: bool
) -> list[TruePart]:
    draw = random.Random(seed)
    by_label = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip)
    path.parent.mkdir(parents=True, exist_ok=True)
    truth: list[TruePart] = []
    label, done = "", 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=X264)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for _ in range(parts):
            label = draw.choice([other for other in sorted(by_label) if other != label])
            wanted = round(draw.uniform(LEAST_SECONDS, MOST_SECONDS) * FRAMES_PER_SECOND)
            images: list[np.ndarray] = []
            # One clip where it is long enough; else clips of the class one behind the other, at least two seconds.
            while len(images) < (wanted if join else min(wanted, LEAST_SECONDS * FRAMES_PER_SECOND)):
                images += _images(draw.choice(by_label[label]))
            images = images[:wanted]
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            start, done = done, done + len(images)
            shown = BACKGROUND if label in unseen else label
            if truth and truth[-1].label == shown:  # two left-out classes in a row
                start = round(truth.pop().start * FRAMES_PER_SECOND)
            truth.append(TruePart(start / FRAMES_PER_SECOND, done / FRAMES_PER_SECOND, shown))
        container.mux(stream.encode())
    return truth


def _images(clip: SourceClip) -> list[np.ndarray]:
    with SteadyReader(clip.path, frames_per_second=FRAMES_PER_SECOND) as reader:
        return [cv2.resize(image, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA) for image in reader]
