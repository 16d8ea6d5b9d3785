"""Generated videos in all the shapes that break readers, whose frames show their own number.

Frame i shows the eight bits of i as black and white fields, two rows of four, so a test reads from the pixels
which frame it got, independently of any timestamp, and through any lossy codec.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MILLISECOND = Fraction(1, 1000)
GOP_OF_10 = "keyint=10:min-keyint=10:scenecut=0"


def numbered_image(number: int, width_px: int, height_px: int) -> np.ndarray:
    bits = np.array([[number >> (4 * row + column) & 1 for column in range(4)] for row in range(2)], dtype=np.uint8)
    rows = np.arange(height_px) * 2 // height_px
    columns = np.arange(width_px) * 4 // width_px
    # The noise gives every packet some bytes, as a camera does.
    noise = np.random.default_rng(number).integers(0, 16, (height_px, width_px), dtype=np.uint8)
    return np.repeat((16 + 208 * bits[rows][:, columns] + noise)[..., None], 3, axis=2)


def number_in(image_HWC: np.ndarray) -> int:
    """The number that an image of any size shows, told from the centres of its fields."""
    height_px, width_px = image_HWC.shape[:2]
    return sum(
        int(image_HWC[height_px * (2 * row + 1) // 4, width_px * (2 * column + 1) // 8].mean() > 127)
        << (4 * row + column)
        for row in range(2)
        for column in range(4)
    )


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = 40,
    width_px: int = 64,
    height_px: int = 48,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    milliseconds: Sequence[int] | None = None,
    rotation_degrees: int = 0,
    metadata: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a video of numbered frames, at 25 frames per second or at the given times."""
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, pixel_format
        stream.thread_type = "NONE"
        if milliseconds is not None:
            stream.codec_context.time_base = MILLISECOND
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered_image(number, width_px, height_px), format="rgb24")
            frame.pts = number if milliseconds is None else milliseconds[number]
            frame.time_base = Fraction(1, 25) if milliseconds is None else MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _hide_avi_index(path: Path) -> None:
    data = path.read_bytes()
    assert data.count(b"idx1") == 1
    path.write_bytes(data.replace(b"idx1", b"JUNK"))


def _lie_about_avi_count(path: Path) -> None:
    data = bytearray(path.read_bytes())
    length_at = data.index(b"strh") + 8 + 32  # dwLength of the stream header
    assert int.from_bytes(data[length_at : length_at + 4], "little") == 40
    data[length_at : length_at + 4] = (777).to_bytes(4, "little")
    path.write_bytes(data)


@dataclass(frozen=True, kw_only=True)
class Case:
    """How to write one odd video, and what is true of it."""

    file: str
    settings: dict = field(default_factory=dict)
    damage: Callable[[Path], None] | None = None
    hidden_frames: int = 0  # written, but not to be shown
    restarts: int | None = None  # how many restart points its packet index must have; None: it must have no index


@dataclass(frozen=True, kw_only=True)
class OddVideo:
    """A written `Case`."""

    path: Path
    numbers: list[int]  # that the frames show
    seconds: list[float]  # true time of each frame since the first
    rotation_degrees: int
    restarts: int | None


def _x264(extra: str = "", **settings) -> dict:
    return {"options": {"bf": "3", "x264-params": f"{GOP_OF_10}{extra}"}, **settings}


_SPARSE = {"options": {"x264-params": "keyint=250:scenecut=0"}}
_MPEG4 = {"codec": "mpeg4", "options": {"g": "10", "sc_threshold": "1000000000", "b": "4000000"}}
_UNEVEN = [40 * i + 13 * (i % 3) for i in range(40)]
_EARLY = [40 * i - 200 for i in range(40)]  # what lies before zero, MP4 keeps and hides by an edit list
_LATE = [5000 + 40 * i for i in range(40)]
CASES = {
    "h264 with B-frames": Case(file="b.mp4", settings=_x264(), restarts=4),
    "h264 in MOV": Case(file="b.mov", settings=_x264(), restarts=4),
    "h264 with open GOPs": Case(file="open.mp4", settings=_x264(":open-gop=1"), restarts=1),
    "h264 interlaced": Case(file="interlaced.mp4", settings=_x264(":tff=1")),
    "h264 with one keyframe": Case(file="sparse.mp4", settings=_SPARSE, restarts=1),
    "h264 in AVI": Case(file="h264.avi", settings=_x264()),
    "h264 in a transport stream": Case(file="h264.ts", settings=_x264()),
    "variable rate": Case(file="vfr.mp4", settings=_x264(milliseconds=_UNEVEN), restarts=4),
    "variable rate in MKV": Case(file="vfr.mkv", settings=_x264(milliseconds=_UNEVEN), restarts=4),
    "non-zero start": Case(file="late.mp4", settings=_x264(milliseconds=_LATE), restarts=4),
    "non-zero start, no frame count": Case(file="late.mkv", settings=_x264(milliseconds=_LATE), restarts=4),
    "edit list that hides frames": Case(file="hidden.mp4", settings=_x264(milliseconds=_EARLY), hidden_frames=5),
    "fragmented MP4": Case(
        file="fragments.mp4",
        settings=_x264(container_options={"movflags": "frag_keyframe+empty_moov"}),
        restarts=4,
    ),
    "odd size": Case(
        file="odd.mp4",
        settings=_SPARSE | {"width_px": 63, "height_px": 49, "pixel_format": "yuv444p"},
        restarts=1,
    ),
    "one frame": Case(file="one.mp4", settings={"frames": 1}, restarts=1),
    "one frame in AVI": Case(file="one.avi", settings={"codec": "mpeg4", "frames": 1}, restarts=1),
    "turned by 90": Case(file="turn90.mp4", settings=_SPARSE | {"rotation_degrees": 90}, restarts=1),
    "turned by 180": Case(file="turn180.mov", settings=_SPARSE | {"rotation_degrees": 180}, restarts=1),
    "turned by -90": Case(file="turn270.mp4", settings=_x264(rotation_degrees=-90), restarts=4),
    "mpeg4 AVI": Case(file="mpeg4.avi", settings=_MPEG4, restarts=4),
    "mpeg4 with B-frames": Case(
        file="mpeg4b.avi", settings={"codec": "mpeg4", "options": _MPEG4["options"] | {"bf": "2"}}
    ),
    "mpeg4 AVI without index": Case(
        file="noindex.avi",
        settings=_MPEG4,
        damage=_hide_avi_index,
        restarts=4,
    ),
    "AVI that lies about its count": Case(file="liar.avi", settings=_MPEG4, damage=_lie_about_avi_count),
    "motion JPEG": Case(file="mjpeg.avi", settings={"codec": "mjpeg", "pixel_format": "yuvj420p"}, restarts=40),
    "GIF": Case(file="moving.gif", settings={"codec": "gif", "pixel_format": "rgb8"}),
    "HEVC": Case(
        file="hevc.mp4",
        settings={
            "codec": "libx265",
            "options": {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"},
        },
    ),
    "VP9": Case(
        file="vp9.webm",
        settings={"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    ),
}


@pytest.fixture(scope="session", params=list(CASES))
def odd_video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OddVideo:
    """Each of the generated videos in turn."""
    case = CASES[request.param]
    path = write_video(tmp_path_factory.mktemp("odd") / case.file, **case.settings)
    if case.damage is not None:
        case.damage(path)
    numbers = list(range(case.hidden_frames, case.settings.get("frames", 40)))
    written = case.settings.get("milliseconds") or [40 * number for number in range(40)]
    milliseconds = [written[number] for number in numbers]
    return OddVideo(
        path=path,
        numbers=numbers,
        seconds=[(each - milliseconds[0]) / 1000 for each in milliseconds],
        rotation_degrees=case.settings.get("rotation_degrees", 0),
        restarts=case.restarts,
    )


@pytest.fixture(scope="session", name="write_video")
def write_video_fixture() -> Callable[..., Path]:
    """`write_video`, for tests that need a video of their own."""
    return write_video


@pytest.fixture(scope="session", name="numbers_in")
def numbers_in_fixture() -> Callable[[np.ndarray], list[int]]:
    """Reads the numbers that frames_THWC show."""
    return lambda frames_THWC: [number_in(image) for image in frames_THWC]
