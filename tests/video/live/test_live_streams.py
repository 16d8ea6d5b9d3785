"""Streams of real servers: RTSP of GStreamer, HTTP, RTMP, TCP and UDP of FFmpeg, HLS over plain HTTP."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from tests.helpers.nightly import NIGHTLY
from tests.helpers.streams import (
    X264,
    ffmpeg,
    folder_server,
    free_port,
    rtsp_server,
    wait_for_port,
    write_flashing,
)

from muybridge.errors import UserError
from muybridge.video.live.live_reader import LiveReader
from muybridge.video.live.live_sources import find_source
from muybridge.video.live.stream_parts import TakenFrame

LOOKS = 5


def looks(few: int, many: int) -> int:
    """How long a stream is looked at: as short as shows it, or longer in the nightly tests."""
    return many if NIGHTLY else few


class Looking:
    """Takes frames as a model does that looks five times a second."""

    def __init__(self, source: str, **options) -> None:
        self.last = -1
        self.said: list[str] = []
        self.taken: list[TakenFrame] = []
        self.reader = LiveReader(
            find_source(source),
            is_due=lambda seconds: self.number(seconds) > self.last,
            number_of=self.number,
            say=self.said.append,
            **options,
        )

    @staticmethod
    def number(seconds: float) -> int:
        return int(seconds * LOOKS + 1e-3)

    def look(self, *, frames: int = 10**9, within_seconds: float = 20.0, every_seconds: float = 0.0) -> None:
        """Take frames until there are so many, or the stream is over."""
        until, count = time.monotonic() + within_seconds, 0
        while count < frames and not self.reader.is_over and time.monotonic() < until:
            taken = self.reader.take(0.2)
            if taken is not None:
                count += 1
                self.last = self.number(taken.seconds)
                self.taken.append(taken)
                time.sleep(every_seconds)

    @property
    def seconds(self) -> list[float]:
        return [taken.seconds for taken in self.taken]


def shades(looking: Looking) -> set[str]:
    means = [taken.frame.to_ndarray(format="gray").mean() for taken in looking.taken]
    return {"white" if mean > 200 else "black" if mean < 60 else "other" for mean in means}


def require_steady(looking: Looking) -> None:
    """Five looks a second, at times that rise, and by the clock of this machine."""
    seconds = looking.seconds
    assert seconds == sorted(seconds)
    arrived = [taken.arrived for taken in looking.taken]
    # What was sent while the stream was opened comes in a burst.
    start = len(seconds) // 2
    lasted, passed = seconds[-1] - seconds[start], arrived[-1] - arrived[start]
    assert lasted == pytest.approx(passed, abs=0.5)
    assert len(seconds[start:]) == pytest.approx(lasted * LOOKS, abs=3)


def test_rtsp_is_joined_again_within_ten_seconds():
    port = free_port()
    looking = Looking(f"rtsp://user:hunter2@127.0.0.1:{port}/live")
    with rtsp_server(port) as server, looking.reader:
        looking.reader.start()
        looking.look(frames=looks(10, 15))
        require_steady(looking)
        assert looking.reader.frames_per_second == 25
        looking.last = 10**9  # nothing is due while the server goes
        server.kill()
        time.sleep(1.5)
        with rtsp_server(port, width=160):
            back = time.monotonic()
            looking.last = looking.number(looking.seconds[-1])
            before = len(looking.taken)
            looking.look(frames=1, within_seconds=15)
            took = time.monotonic() - back
            assert len(looking.taken) == before + 1
            assert took < 10
            looking.look(frames=looks(5, 10))
    assert looking.reader.joined_again == 1
    assert looking.seconds == sorted(looking.seconds)
    # The seconds in between are not lost.
    assert looking.seconds[before] - looking.seconds[before - 1] > 1
    said = "\n".join(looking.said)
    assert "joining it again" in said
    assert "joined again after" in said
    assert "the pictures were 320 x 240 px and are 160 x 240 px now" in said
    assert "hunter2" not in said


def test_rtsp_with_a_password():
    port = free_port()
    with rtsp_server(port, login=("admin", "hunter2")):
        looking = Looking(f"rtsp://admin:hunter2@127.0.0.1:{port}/live")
        with looking.reader:
            looking.reader.start()
            looking.look(frames=3)
        assert len(looking.taken) == 3
        for address in (f"rtsp://127.0.0.1:{port}/live", f"rtsp://admin:swordfish@127.0.0.1:{port}/live"):
            with pytest.raises(UserError, match="wants another user or password") as caught, Looking(address).reader:
                pass
            assert "swordfish" not in str(caught.value)


def test_motion_jpeg_over_http_has_the_times_at_which_it_comes():
    port = free_port()
    with ffmpeg("-f", "mpjpeg", "-q:v", "5", "-listen", "1", f"http://127.0.0.1:{port}/video.mjpg"):
        wait_for_port(port)
        looking = Looking(f"http://127.0.0.1:{port}/video.mjpg")
        with looking.reader:
            looking.reader.start()
            looking.look(frames=looks(20, 25))
    require_steady(looking)
    assert shades(looking) == {"white", "black"}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_mpeg_ts(protocol):
    port = free_port(socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
    end = "?listen=1" if protocol == "tcp" else "?pkt_size=1316"
    with ffmpeg(*X264, "-f", "mpegts", f"{protocol}://127.0.0.1:{port}{end}"):
        if protocol == "tcp":
            wait_for_port(port)
        looking = Looking(f"{protocol}://127.0.0.1:{port}")
        with looking.reader:
            looking.reader.start()
            looking.look(frames=looks(20, 25))
    require_steady(looking)
    assert shades(looking) >= {"white"}


def test_rtmp():
    port = free_port()
    with ffmpeg(*X264, "-f", "flv", "-listen", "1", f"rtmp://127.0.0.1:{port}/live/hunter2"):
        wait_for_port(port)
        looking = Looking(f"rtmp://127.0.0.1:{port}/live/hunter2")
        with looking.reader:
            looking.reader.start()
            looking.look(frames=looks(25, 30))
    require_steady(looking)
    assert looking.reader.source.name == f"rtmp://127.0.0.1:{port}/live/…"


def test_a_stalled_stream_is_said_and_joined_again():
    port = free_port(socket.SOCK_DGRAM)
    with ffmpeg(*X264, "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316") as server:
        looking = Looking(f"udp://127.0.0.1:{port}", stall_seconds=1.5)
        with looking.reader:
            looking.reader.start()
            looking.look(frames=5)
            server.send_signal(signal.SIGSTOP)
            time.sleep(3)
            server.send_signal(signal.SIGCONT)
            looking.look(frames=5, within_seconds=10)
            assert len(looking.taken) == 10
    assert any("nothing came for a while; joining it again" in line for line in looking.said)


def test_hls_plays_at_its_own_pace(tmp_path):
    seconds = 12 if NIGHTLY else 5
    write_flashing(
        tmp_path / "live.m3u8", seconds=seconds, format="hls", options={"hls_time": "2", "hls_list_size": "0"}
    )
    with folder_server(tmp_path) as address:
        looking = Looking(f"{address}/live.m3u8")
        began = time.monotonic()
        with looking.reader:
            looking.reader.start()
            looking.look()
        assert seconds - 2 < time.monotonic() - began < seconds + 6
    assert looking.reader.frames == 25 * seconds
    assert len(looking.taken) == LOOKS * seconds
    assert shades(looking) == {"white", "black"}


def test_hls_of_a_live_stream_comes_in_bursts_and_is_looked_at_steadily(tmp_path):
    words = ["-f", "hls", "-hls_time", "2", "-hls_list_size", "3", "-hls_flags", "delete_segments+temp_file"]
    playlist = tmp_path / "live.m3u8"
    with ffmpeg(*X264, *words, str(playlist)), folder_server(tmp_path) as address:
        until = time.monotonic() + 20
        while not playlist.exists() and time.monotonic() < until:
            time.sleep(0.1)
        looking = Looking(f"{address}/live.m3u8")
        with looking.reader:
            looking.reader.start()
            looking.look(frames=looks(25, 40))
    require_steady(looking)
    assert shades(looking) == {"white", "black"}
    assert looking.reader.dropped <= 2


def test_a_playlist_reaches_no_file_and_no_other_protocol(tmp_path):
    secret = write_flashing(tmp_path / "secret.ts", format="mpegts", seconds=3)
    served = tmp_path / "served"
    served.mkdir()
    port = free_port()
    reached = threading.Event()
    with socket.create_server(("127.0.0.1", port)) as listening:

        def wait() -> None:
            listening.settimeout(30)
            try:
                listening.accept()[0].close()
                reached.set()
            except OSError:
                return

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        with folder_server(served) as address:
            write_flashing(served / "ok.ts", format="mpegts", seconds=3)
            (served / "ok.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nok.ts\n#EXT-X-ENDLIST\n")
            with Looking(f"{address}/ok.m3u8").reader:
                pass
            for inside in (f"file://{secret}", str(secret), f"tcp://127.0.0.1:{port}", f"concat:{secret}"):
                (served / "a.m3u8").write_text(
                    f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{inside}\n#EXT-X-ENDLIST\n"
                )
                with pytest.raises(UserError, match="does not open"), Looking(f"{address}/a.m3u8").reader:
                    pass
    thread.join(1)  # a connection would have been there already
    assert not reached.is_set()


def test_other_formats_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a text is no video\n" * 200)
    (tmp_path / "a.ffconcat").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    with folder_server(tmp_path) as address:
        for name in ("a.txt", "a.ffconcat"):
            with pytest.raises(UserError, match=r"127\.0\.0\.1"), Looking(f"{address}/{name}").reader:
                pass
        with pytest.raises(UserError, match="does not open"), Looking(f"{address}/missing.mp4").reader:
            pass


def test_nobody_answers():
    began = time.monotonic()
    with (
        pytest.raises(UserError, match="does not open: Connection refused"),
        Looking(f"tcp://127.0.0.1:{free_port()}").reader,
    ):
        pass
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"rtsp://user:hunter2@127.0.0.1:{silent.getsockname()[1]}/live"
        with pytest.raises(UserError, match="does not answer within 5 s") as caught, Looking(address).reader:
            pass
    assert "hunter2" not in str(caught.value)
    assert time.monotonic() - began < 8


def test_a_file_plays_at_its_own_pace_and_the_newest_frame_wins(tmp_path):
    looking = Looking(str(write_flashing(tmp_path / "a.mp4", seconds=4)))
    with looking.reader:
        looking.reader.start()
        looking.look(every_seconds=0.5)
    assert looking.reader.frames == 100
    assert looking.reader.dropped > 5
    assert len(looking.taken) + looking.reader.dropped == 20
    # What is taken is at most a look old.
    assert looking.seconds[-1] > 3.3


def test_with_pace_all_nothing_is_left_out(tmp_path):
    looking = Looking(str(write_flashing(tmp_path / "a.mp4", seconds=4)), pace="all")
    with looking.reader:
        looking.reader.start()
        looking.look(every_seconds=0.05)
    assert looking.reader.dropped == 0
    assert looking.seconds == pytest.approx([number / LOOKS for number in range(20)])


def test_a_stream_does_not_wait():
    port = free_port()
    looking = Looking(f"rtsp://127.0.0.1:{port}/live", pace="all")
    with rtsp_server(port), pytest.raises(UserError, match="pace all is for files and pipes"), looking.reader:
        pass


def test_standard_input_and_named_pipes(tmp_path):
    video = write_flashing(tmp_path / "a.ts", seconds=4)
    code = (
        "import sys; from tests.video.live.test_live_streams import Looking\n"
        "looking = Looking(sys.argv[1], pace='all')\n"
        "with looking.reader:\n    looking.reader.start(); looking.look()\n"
        "print(len(looking.taken), looking.reader.frames)"
    )
    os.mkfifo(tmp_path / "pipe")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", "src"), "."])}
    for source in ("-", str(tmp_path / "pipe")):
        with (
            video.open("rb") as given,
            subprocess.Popen(
                [sys.executable, "-c", code, source], stdin=given, stdout=subprocess.PIPE, env=environment
            ) as process,
        ):
            if source != "-":
                (tmp_path / "pipe").write_bytes(video.read_bytes())
            out, _ = process.communicate(timeout=60)
        assert out.decode().split() == ["20", "100"]
