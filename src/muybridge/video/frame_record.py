"""A clip that was packed as pictures: images with their times, and how such a clip is opened as video.

The pictures become packets of a film in memory (motion JPEG, or of AVIF images the AV1 in them, in NUT, which keeps
times to the microsecond), and that is opened like any file. So whatever reads video reads them, by the same rules;
nothing is decoded here.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from muybridge.errors import VideoError
from muybridge.file_parts import open_bytes, part_at
from muybridge.text import one_line
from muybridge.video.sequence_example import read_example

JPEG_SUFFIX = ".jpegs"
AVIF_SUFFIX = ".avifs"
EXAMPLE_SUFFIX = ".sequence"
_BOX_BYTES = 8  # of a box in an AVIF image, before what is in it: its size and its name
_CLOCK = Fraction(1, 1_000_000)
_LARGEST_PX = 65_535
_LONGEST_SECONDS = 10**7
_AGAIN = "copy its shard again"
_DAMAGE = (tarfile.TarError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a stranger's bytes can raise: a number beyond all bounds overflows, and JSON may be nested without end."""


@dataclass(frozen=True)
class FrameRecord:
    """A clip as pictures.

    Attributes:
        images: Each a JPEG image, or each an AVIF image.
        times_us: When each is shown, in microseconds since the first; rising.
        width_px: Of the pictures.
        height_px: Of the pictures.
    """

    images: Sequence[bytes]
    times_us: Sequence[int]
    width_px: int
    height_px: int


def is_frame_record(path: Path) -> bool:
    """Whether a path is that of a clip that was packed as pictures."""
    return path.suffix in (JPEG_SUFFIX, AVIF_SUFFIX, EXAMPLE_SUFFIX) and part_at(path) is not None


def as_film(path: Path) -> bytes:
    """A clip of pictures as a file of video, in memory.

    Raises:
        VideoError: It is damaged.
        OSError: Its shard cannot be read.
    """
    with open_bytes(path) as file:
        data = file.read()
    try:
        record = _checked(FrameRecord(*read_example(data)) if path.suffix == EXAMPLE_SUFFIX else _read_sample(data))
        if path.suffix == AVIF_SUFFIX:
            return _film("av1", [_inside_avif(image) for image in record.images], record)
        return _film("mjpeg", record.images, record)
    except (*_DAMAGE, av.FFmpegError) as error:
        raise VideoError(path, f"its pictures are damaged: {one_line(error)}", _AGAIN) from error


def _inside_avif(image: bytes) -> bytes:
    """The AV1 picture in an AVIF image that `pack` wrote: all that is in its box ``mdat``.

    FFmpeg could tell it, too, at a hundred times the cost, which reading would pay for every frame of a clip.
    """
    place = 0
    while place + _BOX_BYTES <= len(image):
        size = int.from_bytes(image[place : place + 4])
        if size < _BOX_BYTES:
            break
        if image[place + 4 : place + _BOX_BYTES] == b"mdat":
            return image[place + _BOX_BYTES : place + size]
        place += size
    raise ValueError("one is no AVIF image")


def _read_sample(data: bytes) -> FrameRecord:
    """The pictures in the members of one sample of a tar shard: ``KEY.000000.jpg``, ..., ``KEY.json``."""
    images: list[bytes] = []
    about: Any = None
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            # A sparse file claims any size, with holes for what is not there.
            file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if file is None or member.size > len(data):
                raise ValueError(f"{member.name} is no plain file of this sample")
            if member.name.endswith(".json"):
                about = json.load(file)
            else:
                images.append(file.read())
    return FrameRecord(images, about["times_us"], about["width_px"], about["height_px"])


def _checked(record: FrameRecord) -> FrameRecord:
    times = [int(time) for time in record.times_us]
    if not record.images or len(times) != len(record.images):
        raise ValueError(f"{len(record.images)} pictures with {len(times)} times")
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("their times do not rise")
    if times[0] < 0 or times[-1] > _LONGEST_SECONDS / _CLOCK:
        raise ValueError("their times are out of range")
    width_px, height_px = int(record.width_px), int(record.height_px)
    if not (1 <= width_px <= _LARGEST_PX and 1 <= height_px <= _LARGEST_PX):
        raise ValueError(f"they have {width_px} x {height_px} pixels")
    return FrameRecord(record.images, times, width_px, height_px)


def _film(codec: str, packets: Sequence[bytes], record: FrameRecord) -> bytes:
    buffer = io.BytesIO()
    times = record.times_us
    step_us = times[-1] // (len(times) - 1) if len(times) > 1 else 40_000
    with av.open(buffer, "w", format="nut") as container:
        rate = Fraction(1_000_000, max(1, step_us)).limit_denominator(1001)
        stream: Any = container.add_mux_stream(codec, rate=rate, width=record.width_px, height=record.height_px)
        stream.time_base = _CLOCK
        for image, time_us in zip(packets, times, strict=True):
            packet: Any = av.Packet(image)
            packet.stream, packet.time_base = stream, _CLOCK
            packet.pts = packet.dts = time_us
            packet.is_keyframe = True
            container.mux(packet)
    return buffer.getvalue()
