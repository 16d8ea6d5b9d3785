"""What a file says about itself, and what its first frame shows.

The first frame is decoded, because the rotation of a phone's video belongs to its frames, and because a
header can promise a size, or a video at all, that no frame keeps. The frame count and the duration are only
what the header declares: `full_decoding.decode_fully` counts.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.errors import VideoError
from muybridge.video.container import open_video, packets_of, unforeseen
from muybridge.video.formats import WITHOUT_TIMES
from muybridge.video.picture import displayed_size, orientation


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What `probe` found."""

    path: Path
    width_px: int  # as displayed, after rotation
    height_px: int  # as displayed, after rotation
    rotation_degrees: int  # counter-clockwise, already applied to every frame we return: 0, 90, 180 or 270
    declared_frames: int | None  # what the header says; None where it says nothing; may be wrong
    frames_per_second: float | None  # nominal
    duration_seconds: float | None  # declared; may be wrong
    codec: str  # FFmpeg's name, e.g. "h264"
    container: str  # FFmpeg's name, e.g. "avi" or "mov,mp4,m4a,3gp,3g2,mj2"
    has_audio: bool
    mirrored: bool = False  # left and right, before the rotation; already done to every frame we return


def probe(path: str | Path) -> VideoInfo:
    """Read the header of ``path`` and its first frame.

    Raises:
        VideoError: the file cannot be opened as video (see `container.open_video`), or no frame decodes.
    """
    path = Path(path)
    with open_video(path) as (container, stream):
        frame = _first_frame(path, container, stream)
        width_px, height_px = displayed_size(frame)
        shown = orientation(frame)
        rate = nominal_rate(container, stream)
        return VideoInfo(
            path=path,
            width_px=width_px,
            height_px=height_px,
            rotation_degrees=90 * shown.quarter_turns,
            mirrored=shown.mirrored,
            declared_frames=declared_frames(stream),
            frames_per_second=None if rate is None else float(rate),
            duration_seconds=declared_seconds(container, stream),
            codec=stream.codec_context.name,
            container=container.format.name,
            has_audio=bool(container.streams.audio),
        )


def declared_frames(stream: VideoStream) -> int | None:
    """The frame count in the header, or None where it has none (MKV, for instance)."""
    return stream.frames or None


def nominal_rate(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Frames per second as the header has it, or as FFmpeg guessed it from the first packets."""
    if container.format.name in WITHOUT_TIMES:
        return stream.guessed_rate or stream.average_rate or None
    return stream.average_rate or stream.guessed_rate or None


def declared_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says the video is, or the file; None where it says nothing."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> av.VideoFrame:
    reason = "it holds no picture"
    try:
        for packet in (*packets_of(path, container, stream), None):
            try:
                frames = stream.codec_context.decode(packet)
            except av.FFmpegError as error:  # recordings cut from a broadcast begin in the middle
                reason = str(error.strerror)
                continue
            if frames:
                return frames[0]
    except av.FFmpegError as error:  # the file breaks off between two packets
        reason = str(error.strerror)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise unforeseen(path, error) from error
    raise nothing_decodes(path, reason)


def nothing_decodes(path: Path, detail: str) -> VideoError:
    """The error for a file that looks like a video and has not one frame."""
    return VideoError(path, f"nothing decodes: {detail}", "the file is damaged; copy or download it again")
