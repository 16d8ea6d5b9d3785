"""The bytes of a sample: a video as it is in a tar shard, or a clip as images in a tar shard or a TFRecord.

Tar members are a video, or a picture a frame, and a JSON text of the same key, as WebDataset reads them. What stands in
them depends on the videos alone: no owner, no time.
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import cv2

from muybridge.dataset.catalog import Clip
from muybridge.errors import VideoError
from muybridge.file_parts import open_bytes
from muybridge.files import content_hash
from muybridge.verbs.pack.plan import PlannedSample
from muybridge.video.frame_record import FrameRecord
from muybridge.video.picture import Image, ImageMaker
from muybridge.video.reading import TimeRange
from muybridge.video.sequence_example import HEADER_BYTES, framed, write_example
from muybridge.video.whole_reading import OpenedFile

TAR_END = b"\0" * (2 * tarfile.BLOCKSIZE)
_PIECE_BYTES = 1 << 20
EncodeImage = Callable[[Image], bytes]
"""From image_HWC, uint8 RGB, to a file of an image."""


@dataclass(frozen=True)
class Placed:
    """Where a sample lies in its shard.

    Attributes:
        offset: Its first byte.
        size_bytes: How many there are.
        sha256: Of these bytes.
        source_sha256: Of the video, where these are pictures of it.
    """

    offset: int
    size_bytes: int
    sha256: str
    source_sha256: str | None = None


class Sample(Protocol):
    """A sample that is ready to be written."""

    @property
    def weight_bytes(self) -> int:
        """What it takes in a shard."""

    @property
    def held_bytes(self) -> int:
        """What it takes in memory."""

    def write(self, out: BinaryIO) -> Placed:
        """Write it where a shard stands."""


@dataclass(frozen=True)
class VideoSample:
    """A video as it is, which is read only while it is written."""

    planned: PlannedSample

    @property
    def weight_bytes(self) -> int:
        """Its size, with two headers and the JSON."""
        about = len(json.dumps(self._about("0" * 64)).encode())
        return 2 * tarfile.BLOCKSIZE + _whole_blocks(self.planned.size_bytes) + _whole_blocks(about)

    @property
    def held_bytes(self) -> int:
        """Nothing: it is still in its file."""
        return 0

    def write(self, out: BinaryIO) -> Placed:
        """Copy the video into a shard, hashed on the way.

        Raises:
            VideoError: It cannot be read, or changes meanwhile.
        """
        planned, digest, left = self.planned, hashlib.sha256(), self.planned.size_bytes
        out.write(_header(planned.member, planned.size_bytes))
        offset = out.tell()
        try:
            with open_bytes(planned.path) as source:
                while piece := source.read(_PIECE_BYTES):
                    left -= len(piece)
                    digest.update(piece)
                    out.write(piece)
        except OSError as error:
            if error.filename is None or Path(error.filename) != planned.path:  # the disk that is written to
                raise
            raise VideoError(planned.path, f"cannot be read: {error.strerror}", "put it back, and pack again") from None
        if left:
            hint = "run the same command again when nobody writes to it"
            raise VideoError(planned.path, "changed while it was packed", hint)
        out.write(_filler(planned.size_bytes))
        sha256 = digest.hexdigest()
        out.write(_member(f"{planned.key}.json", json.dumps(self._about(sha256)).encode()))
        return Placed(offset, planned.size_bytes, sha256)

    def _about(self, sha256: str) -> dict[str, object]:
        return {**self.planned.describe(), "size_bytes": self.planned.size_bytes, "sha256": sha256}


@dataclass(frozen=True)
class PictureSample:
    """A clip as pictures or features, encoded already."""

    data: bytes
    source_sha256: str
    header_bytes: int = 0
    footer_bytes: int = 0

    @property
    def weight_bytes(self) -> int:
        """Its size."""
        return len(self.data)

    @property
    def held_bytes(self) -> int:
        """Its size."""
        return len(self.data)

    def write(self, out: BinaryIO) -> Placed:
        """Write it."""
        offset = out.tell() + self.header_bytes
        out.write(self.data)
        inner = self.data[self.header_bytes : len(self.data) - self.footer_bytes]
        return Placed(offset, len(inner), hashlib.sha256(inner).hexdigest(), self.source_sha256)


def tar_of_pictures(planned: PlannedSample, *, encode: EncodeImage, suffix: str, short_side_px: int) -> PictureSample:
    """A clip as members ``KEY.000000.jpg``, ... and ``KEY.json``, which holds the frames' times.

    Args:
        planned: The clip.
        encode: Makes an image of a frame.
        suffix: Of the images: ``jpg`` or ``avif``.
        short_side_px: Larger pictures are made so small; 0: they keep their size.

    Raises:
        VideoError: It does not decode.
        OSError: It cannot be read.
    """
    record, source_sha256 = _encoded(planned, encode, short_side_px)
    about = {
        **planned.describe(),
        "width_px": record.width_px,
        "height_px": record.height_px,
        "times_us": record.times_us,
        "source_sha256": source_sha256,
    }
    members = [_member(f"{planned.key}.{number:06}.{suffix}", image) for number, image in enumerate(record.images)]
    return PictureSample(
        b"".join([*members, _member(f"{planned.key}.json", json.dumps(about).encode())]), source_sha256
    )


def example_of_pictures(
    planned: PlannedSample, *, encode: EncodeImage, short_side_px: int, label_index: int
) -> PictureSample:
    """A clip as a record of a TFRecord file.

    Raises:
        VideoError: It does not decode.
        OSError: It cannot be read.
    """
    record, source_sha256 = _encoded(planned, encode, short_side_px)
    [clip] = planned.clips
    example = write_example(id=clip.id, label=clip.label, label_index=label_index, **vars(record))
    return PictureSample(framed(example), source_sha256, header_bytes=HEADER_BYTES, footer_bytes=4)


def features_of_clip(planned: PlannedSample, data: bytes, facts: dict[str, object]) -> PictureSample:
    """A clip as members ``KEY.npy``, an array of numpy, and ``KEY.json``.

    Args:
        planned: The clip.
        data: The array as a file.
        facts: What the JSON says beside what it says of a clip.
    """
    about = _member(f"{planned.key}.json", json.dumps({**planned.describe(), **facts}).encode())
    behind = _filler(len(data)) + about
    header = _header(planned.member, len(data))
    return PictureSample(header + data + behind, content_hash(planned.path), len(header), len(behind))


def _encoded(planned: PlannedSample, encode: EncodeImage, short_side_px: int) -> tuple[FrameRecord, str]:
    """All frames of a clip as images, and what its video holds."""
    [clip] = planned.clips
    images, times_us, size, first = list[bytes](), list[int](), (0, 0), 0.0
    for seconds, whole_HWC in _images(clip):
        image = _shrunk(whole_HWC, short_side_px)
        if not images:
            first, size = seconds, (image.shape[1], image.shape[0])
        elif size != (image.shape[1], image.shape[0]):
            raise VideoError(clip.path, "the picture size changes within the file", "pack it as it is, kind clips")
        time_us = round((seconds - first) * 1e6)
        times_us.append(max(time_us, times_us[-1] + 1) if times_us else time_us)
        images.append(encode(image))
    return FrameRecord(images, times_us, *size), content_hash(clip.path)


def _images(clip: Clip) -> Iterator[tuple[float, Image]]:
    maker = ImageMaker(None, name=clip.path)
    with OpenedFile(clip.path) as file:
        time_range = TimeRange.checked(clip.path, clip.start_seconds, clip.end_seconds)
        for _, seconds, frame in file.frames_within(time_range):
            yield seconds, maker.image(frame)


def _shrunk(image_HWC: Image, short_side_px: int) -> Image:
    height, width = image_HWC.shape[:2]
    short = min(height, width)
    if not short_side_px or short <= short_side_px:
        return image_HWC
    size = round(width * short_side_px / short), round(height * short_side_px / short)
    return cast(Image, cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA))


def _member(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + _filler(len(data))


def _header(name: str, size_bytes: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size_bytes
    return header.tobuf(tarfile.GNU_FORMAT)


def _filler(size_bytes: int) -> bytes:
    return b"\0" * (_whole_blocks(size_bytes) - size_bytes)


def _whole_blocks(size_bytes: int) -> int:
    return -(-size_bytes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
