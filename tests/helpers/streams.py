"""Real servers of streams, as processes of their own, and what they send."""

import functools
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

_SYSTEM_PYTHON = "/usr/bin/python3"
_BINDINGS = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
    "Gst.init(None); assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
)
_WAIT_SECONDS = 20


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@functools.cache
def _has_rtsp_server() -> bool:
    try:
        done = subprocess.run([_SYSTEM_PYTHON, "-c", _BINDINGS], capture_output=True, timeout=30, check=False)
    except OSError:
        return False
    return done.returncode == 0


def require_rtsp_server() -> None:
    if not _has_rtsp_server():
        pytest.skip("no RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-ugly")


def require_program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: apt-get install {name}")
    return found


@contextmanager
def rtsp_server(port: int, *, width: int = 320, login: tuple[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """A ball that moves, 25 pictures a second, at rtsp://127.0.0.1:PORT/live."""
    require_rtsp_server()
    program = Path(__file__).with_name("rtsp_server.py")
    words = [_SYSTEM_PYTHON, str(program), str(port), str(width), *(login or ())]
    with _process(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        yield process


FLASHING = "color=c=white:s=320x240:r=25,drawbox=w=iw:h=ih:color=black:t=fill:enable='gte(mod(t,6),3)',format=yuv420p"
"""Three seconds white, three seconds black, and again."""


@contextmanager
def ffmpeg(*words: str, picture: str = FLASHING) -> Iterator[subprocess.Popen]:
    """The system's FFmpeg, sending a picture at its own pace."""
    program = require_program("ffmpeg")
    start = [program, "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", picture]
    with _process([*start, *words], stdout=subprocess.DEVNULL) as process:
        yield process


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25")


@contextmanager
def _process(words: list[str], **options) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait(_WAIT_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def wait_for_port(port: int) -> None:
    """Wait until somebody listens there."""
    until = time.monotonic() + _WAIT_SECONDS
    pattern = f":{port:04X} "
    while time.monotonic() < until:
        # Not by connecting: a server that serves one client would take that for it.
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if f"{local[8:]} " == pattern and state == "0A":
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {port}")


@contextmanager
def folder_server(folder: Path) -> Iterator[str]:
    """The files of a folder over HTTP; yields the address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def copyfile(self, source, outputfile) -> None:
            try:
                super().copyfile(source, outputfile)
            except ConnectionError:
                self.close_connection = True

    handler = functools.partial(Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_flashing(
    path: Path,
    *,
    seconds: float = 12,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    format: str | None = None,
    size: tuple[int, int] = (160, 120),
    options: dict[str, str] | None = None,
) -> Path:
    """A file that is white for three seconds, then black, and again; 25 pictures a second, a keyframe a second."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if codec.startswith("lib"):
            stream.codec_context.gop_size = 25
        for number in range(round(25 * seconds)):
            shade = 255 if number / 25 % 6 < 3 else 0
            picture = np.full((size[1], size[0], 3), shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
