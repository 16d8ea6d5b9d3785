"""What one file may ask for, and which files are opened at all."""

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.errors import UserError, VideoError
from muybridge.files import content_hash
from muybridge.video.decoding import iterate_frames, read_indices, read_sampled
from muybridge.video.formats import CODECS, DEMUXERS
from muybridge.video.full_decoding import decode_fully
from muybridge.video.limits import Limits
from muybridge.video.pipes import regular_file
from muybridge.video.sampling import UniformSampler


def huge_gif(path: Path, side: int = 16_000) -> Path:
    header = b"GIF89a" + struct.pack("<HHBBB", side, side, 0xF0, 0, 0) + b"\0\0\0\xff\xff\xff"
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x44\x01\x00"
    path.write_bytes(header + image + b"\x3b")
    return path


def test_a_huge_picture_is_refused_before_memory_is_taken(tmp_path) -> None:
    """In a process of its own, since memory is measured at its peak."""
    huge_gif(tmp_path / "huge.gif")
    code = (
        "import resource, sys; from muybridge.errors import VideoError\n"
        "from muybridge.video.full_decoding import decode_fully\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: decode_fully(sys.argv[1])\n"
        "except VideoError as error: print(error)\n"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "huge.gif")], capture_output=True, text=True, check=True
    )
    message, grown_kb = done.stdout.splitlines()
    assert "16000 x 16000 pixels, more than MUYBRIDGE_MAX_PIXELS allows" in message
    assert "set MUYBRIDGE_MAX_PIXELS=256000000" in message
    assert int(grown_kb) < 20_000


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.ts", "mpeg2video"), ("a.ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.avi", "mpeg4"),
     ("a.flv", "libx264"), ("a.mkv", "ffv1"), ("a.mov", "png")],
)  # fmt: skip
def test_the_size_is_limited_in_every_container(tmp_path, write_video, monkeypatch, name, codec) -> None:
    pixel_format = "rgb24" if codec == "png" else "yuv420p"
    path = write_video(tmp_path / name, codec=codec, frames=4, pixel_format=pixel_format)
    assert decode_fully(path).frame_count == 4
    monkeypatch.setenv("MUYBRIDGE_MAX_PIXELS", "3000")  # of 64 x 48
    with pytest.raises(VideoError, match="64 x 48 pixels, more than MUYBRIDGE_MAX_PIXELS allows"):
        decode_fully(path)


def test_pictures_that_grow_within_a_file_are_limited(tmp_path, write_video, monkeypatch) -> None:
    first = write_video(tmp_path / "1.mpg", codec="mpeg2video", frames=8)
    second = write_video(tmp_path / "2.mpg", codec="mpeg2video", frames=8, width_px=640, height_px=480)
    both = tmp_path / "both.mpg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert max(frame.image_HWC.shape for frame in iterate_frames(both)) == (480, 640, 3)
    monkeypatch.setenv("MUYBRIDGE_MAX_PIXELS", "10000")
    found = decode_fully(both)
    assert found.frame_count <= 8
    assert found.stopped_by is not None


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_the_number_of_pictures_is_limited(tmp_path, write_video, monkeypatch, name) -> None:
    path = write_video(tmp_path / name, frames=20)
    monkeypatch.setenv("MUYBRIDGE_MAX_PICTURES", "19")
    for read in (decode_fully, lambda p: read_sampled(p, UniformSampler(frames=2)), lambda p: list(iterate_frames(p))):
        with pytest.raises(VideoError, match="more pictures than MUYBRIDGE_MAX_PICTURES allows"):
            read(path)
    monkeypatch.setenv("MUYBRIDGE_MAX_PICTURES", "20")
    assert decode_fully(path).frame_count == 20


def test_no_progress_is_an_error(tmp_path, write_video, monkeypatch) -> None:
    path = write_video(tmp_path / "a.ts", frames=20)
    ticking = iter(range(0, 10**9, 1000))
    monkeypatch.setattr("muybridge.video.reading.time.monotonic", lambda: next(ticking))
    with pytest.raises(VideoError, match=r"no picture in 60 s of reading \(MUYBRIDGE_STALL_SECONDS\)"):
        decode_fully(path)


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_bad_limit_is_named(tmp_path, write_video, monkeypatch, value) -> None:
    path = write_video(tmp_path / "a.mp4", frames=2)
    monkeypatch.setenv("MUYBRIDGE_MAX_PIXELS", value)
    with pytest.raises(UserError, match=r"MUYBRIDGE_MAX_PIXELS is .*; set a number from 1 on"):
        decode_fully(path)


# ---- the lists


def test_the_lists_name_what_this_ffmpeg_knows() -> None:
    known = {name for each in av.formats_available for name in each.split(",")}
    assert known >= DEMUXERS
    assert av.codecs_available >= CODECS
    reaching = {"concat", "hls", "dash", "sdp", "rtsp", "rtp", "image2", "tedcaptions", "lavfi", "imf", "tty", "data"}
    assert not reaching & DEMUXERS
    assert not any(name.endswith(("_pipe", "_cuvid", "_qsv", "_v4l2m2m")) for name in DEMUXERS | CODECS)


def test_a_format_and_a_codec_that_are_not_on_the_list(tmp_path, write_video) -> None:
    path = write_video(tmp_path / "a.mkv", codec="snow", frames=3, options={"strict": "experimental"})
    with pytest.raises(VideoError, match="its codec snow is not among the formats that are opened"):
        decode_fully(path)
    path = write_video(tmp_path / "a.roq", codec="roqvideo", frames=3, pixel_format="yuvj444p")
    with pytest.raises(VideoError, match="its format is not among the formats that are opened"):
        decode_fully(path)


def test_raw_motion_jpeg_is_read_by_its_name(tmp_path, write_video, numbers_in) -> None:
    avi = write_video(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p", frames=5)
    with av.open(str(avi)) as container:
        data = b"".join(bytes(packet) for packet in container.demux(video=0))
    for name in ("camera.mjpeg", "camera.MJPG"):
        (tmp_path / name).write_bytes(data)
        assert numbers_in(read_indices(tmp_path / name, range(5))) == list(range(5))
    (tmp_path / "camera.bin").write_bytes(data)
    with pytest.raises(VideoError, match=r"a still image.*name it camera.mjpeg"):
        decode_fully(tmp_path / "camera.bin")


# ---- what is no regular file


def test_pipes_devices_and_sockets_are_refused_before_they_are_opened(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "pipe.mp4")
    (tmp_path / "round.mp4").symlink_to(tmp_path / "round.mp4")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    try:
        os.chdir(tmp_path)  # the name of a socket must be short
        listener.bind("socket.mp4")
    finally:
        os.chdir(here)
    for name, kind in {"pipe": "a pipe", "device": "a device", "link": "a pipe", "socket": "a socket"}.items():
        with pytest.raises(VideoError, match=f"{kind}, not a regular file"):
            decode_fully(tmp_path / f"{name}.mp4")
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            content_hash(tmp_path / f"{name}.mp4")
    with pytest.raises(VideoError, match="not readable"):
        decode_fully(tmp_path / "round.mp4")
    listener.close()


def fill(pipe: Path, data: bytes) -> threading.Thread:
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    return writer


def test_a_pipe_that_is_named_is_kept_in_a_file_meanwhile(tmp_path, write_video, monkeypatch) -> None:
    video, pipe = write_video(tmp_path / "a.mp4", frames=12), tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with regular_file(video) as same:
        assert same == video
    writer = fill(pipe, video.read_bytes())
    with regular_file(pipe) as kept:
        assert kept.read_bytes() == video.read_bytes()
        assert decode_fully(kept).frame_count == 12
    assert not kept.exists()
    writer.join()
    monkeypatch.setenv("MUYBRIDGE_STALL_SECONDS", "1")
    with pytest.raises(VideoError, match="nothing came through the pipe"), regular_file(pipe):
        pass
    monkeypatch.setenv("MUYBRIDGE_MAX_PIPE_BYTES", "1000")
    data = np.zeros(5000, np.uint8).tobytes()
    writer = fill(pipe, data)
    with pytest.raises(VideoError, match="than MUYBRIDGE_MAX_PIPE_BYTES allows"), regular_file(pipe):
        pass
    writer.join()


def test_limits_are_the_defaults_but_for_what_is_set(monkeypatch) -> None:
    assert Limits.current() == Limits()
    monkeypatch.setenv("MUYBRIDGE_MAX_PICTURES", "77")
    assert Limits.current() == Limits(pictures=77)
