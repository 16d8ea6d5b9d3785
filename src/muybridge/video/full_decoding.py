"""Decoding a whole file once: what it really holds, beside what its header declares."""

from dataclasses import dataclass
from pathlib import Path

from muybridge.video.isolation import current
from muybridge.video.picture import displayed_size
from muybridge.video.probing import declared_frames, nominal_rate
from muybridge.video.reading import RATE_IF_UNKNOWN
from muybridge.video.whole_reading import OpenedFile


@dataclass(frozen=True, kw_only=True)
class DecodeResult:
    """What decoding a whole file showed, in addition to what its header declares."""

    path: Path
    frame_count: int
    declared_frames: int | None
    duration_seconds: float  # from the first frame to one frame after the last, by their timestamps
    frames_per_second: float | None  # nominal
    width_px: int  # of the first frame, as displayed
    height_px: int
    codec: str
    damaged_frames: int  # frames that the decoder returned and marked as damaged
    stopped_by: str | None  # FFmpeg's reason, if it refused to decode to the end
    mended_times: int = 0  # frames whose time in the file is not later than that of the frame before

    @property
    def problem(self) -> str | None:
        """What is wrong with the picture data, in words; None if nothing is."""
        if self.stopped_by is not None:
            return f"decoding stopped after {self.frame_count} frames: {self.stopped_by}"
        if self.damaged_frames:
            return f"{self.damaged_frames} of {self.frame_count} frames are damaged"
        return None


def decode_fully(path: str | Path) -> DecodeResult:
    """Decode every frame of a file and return what was found.

    Raises:
        VideoError: the file is no readable video, or no frame of it decodes.
    """
    path = Path(path)
    isolation = current()
    if isolation is not None:
        return DecodeResult(path=path, **isolation.call(path, "fully")[0])
    with OpenedFile(path) as file:
        frame_count, last_seconds, size_px = 0, 0.0, (0, 0)
        for seconds, frame in file.frames():
            if frame_count == 0:
                size_px = displayed_size(frame)
            frame_count += 1
            last_seconds = seconds
        if frame_count == 0:
            raise file.nothing_decodes()
        rate = nominal_rate(file.container, file.stream)
        return DecodeResult(
            path=path,
            frame_count=frame_count,
            declared_frames=declared_frames(file.stream),
            duration_seconds=last_seconds + float(1 / (rate or RATE_IF_UNKNOWN)),
            frames_per_second=None if rate is None else float(rate),
            width_px=size_px[0],
            height_px=size_px[1],
            codec=file.stream.codec_context.name,
            damaged_frames=file.damaged_frames,
            stopped_by=file.stopped_by,
            mended_times=0 if file.clock is None else file.clock.mended,
        )
