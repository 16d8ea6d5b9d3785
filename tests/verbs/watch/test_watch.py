"""Watching: events of a stream, the video of them, how it went, and an end with every file whole."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import av
import pytest
from rich.console import Console
from tests.helpers.commands import run as command
from tests.helpers.flashing_model import flashing_run
from tests.helpers.nightly import NIGHTLY
from tests.helpers.streams import (
    X264,
    ffmpeg,
    folder_server,
    free_port,
    require_rtsp_server,
    wait_for_port,
    write_flashing,
)

import muybridge
from muybridge.errors import UserError
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import TunedRules, rules_path, write_rules

RULES = SegmentRules(use_none_of_these=False, lag_seconds=0)
WINDOWS = WindowConfig(window_seconds=1.0)


NAMES = {"libx264": "h264", "libvpx": "vp8", "libsvtav1": "libdav1d"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return flashing_run(tmp_path_factory.mktemp("run"))


class Watched:
    """What a call told and returned."""

    def __init__(self, run: Path, source: object, **options) -> None:
        self.events: list[dict] = []
        self.console = Console(file=io.StringIO(), width=300)
        values = {"rules": RULES, "windows": WINDOWS, "status_seconds": 0.5}
        self.result = muybridge.watch(
            run, str(source), emit=self.events.append, console=self.console, **(values | options)
        )

    @property
    def said(self) -> str:
        return self.console.file.getvalue()

    def of(self, state: str) -> list[dict]:
        return [event for event in self.events if event["state"] == state]


def spans(events: list[dict]) -> list[tuple[str, float, float]]:
    return [(event["label"], event["start_seconds"], event["end_seconds"]) for event in events]


def test_events_of_a_file_are_the_segments_of_its_timeline(run, tmp_path):
    video = write_flashing(tmp_path / "a.mp4", seconds=12)
    watched = Watched(run, video, pace="all")
    expected = muybridge.timeline(run, [video], rules=RULES, windows=WINDOWS, out=tmp_path / "out", formats=["json"])
    segments = [
        (each.label, round(each.start_seconds, 3), round(each.end_seconds, 3))
        for each in expected.timelines[0].segments
    ]
    assert [label for label, _, _ in segments] == ["white", "black", "white", "black"]
    found = spans(watched.of("end"))
    assert [each[0] for each in found] == [each[0] for each in segments]
    for (_, start, end), (_, true_start, true_end) in zip(found, segments, strict=True):
        assert start == pytest.approx(true_start, abs=0.01)
        assert end == pytest.approx(true_end, abs=0.21)
    assert watched.result.events == 4
    assert watched.result.frames == 300
    assert watched.result.looked_at == 60
    assert watched.result.dropped == 0
    assert watched.result.latency_p50_seconds <= watched.result.latency_p95_seconds
    # Each begins before it ends, and says when by the clock of the day.
    assert [(event["state"], event["label"], event["start_seconds"]) for event in watched.events] == [
        (state, label, start) for label, start, _ in found for state in ("begin", "end")
    ]
    first = watched.of("begin")[0]
    assert first["end_seconds"] is None
    assert first["start"].endswith("Z")
    assert first["source"] == str(video)


def test_rules_that_were_tuned_for_a_run_are_taken(run, tmp_path):
    own = tmp_path / "tuned"
    own.mkdir()
    (own / "model").symlink_to(run / "model")
    tuned = TunedRules(SegmentRules(least_seconds=60), WINDOWS, ("a.mp4",), 1.0, 1.0)
    write_rules(rules_path(own), tuned)
    video = write_flashing(tmp_path / "a.mp4", seconds=4)
    assert Watched(own, video, pace="all", rules=None, windows=None).events == []


@pytest.mark.parametrize(
    ("codec", "pixels", "ending", "format"),
    [
        ("libx264", "yuv420p", ".mp4", "mpegts"),
        ("mjpeg", "yuvj420p", ".mkv", "matroska"),
        ("mpeg2video", "yuv420p", ".mkv", "mpegts"),
        ("libvpx", "yuv420p", ".mkv", "matroska"),
        ("libsvtav1", "yuv420p", ".mp4", "matroska"),
    ],
)
def test_the_video_of_an_event_is_copied_with_seconds_before_and_after(run, tmp_path, codec, pixels, ending, format):
    video = write_flashing(tmp_path / f"a.{format}", seconds=12, codec=codec, pixels=pixels, format=format)
    watched = Watched(run, video, pace="all", save_events=tmp_path / "kept", seconds_before=0.5, seconds_after=0.5)
    saved = watched.of("saved")
    assert len(saved) == len(watched.result.videos) == 4
    assert "encoded anew" not in watched.said
    for event in saved:
        path = Path(event["video"])
        assert path.suffix == ending
        assert event["label"] in path.name
        with av.open(str(path)) as kept:
            assert kept.streams.video[0].codec_context.name == NAMES.get(codec, codec)
            frames = [(frame.time, frame.to_ndarray(format="gray").mean()) for frame in kept.decode(video=0)]
        lasted = frames[-1][0] - frames[0][0]
        # From the keyframe before, which may be a second away, or twelve frames in MPEG-2.
        wanted = event["end_seconds"] - max(0, event["start_seconds"] - 0.5) + 0.5
        assert wanted - 0.6 < lasted < wanted + 1.3
        white = sum(mean > 128 for _, mean in frames) / len(frames)
        assert (white > 0.6) == (event["label"] == "white")
    assert list((tmp_path / "kept").glob(".*")) == []


@pytest.mark.parametrize(("codec", "pixels"), [("cinepak", "rgb24"), ("rawvideo", "yuyv422")])
def test_what_no_container_takes_is_encoded_anew_and_said(run, tmp_path, codec, pixels):
    video = write_flashing(tmp_path / "a.avi", seconds=6, codec=codec, pixels=pixels, format="avi")
    watched = Watched(run, video, pace="all", save_events=tmp_path / "kept")
    saved = [Path(event["video"]) for event in watched.of("saved")]
    assert [event["label"] for event in watched.of("saved")] == ["white", "black"]
    assert sorted(saved) == sorted((tmp_path / "kept").iterdir())  # nothing but them, and under the events' names
    for path in saved:
        assert re.fullmatch(r"[\dTZ]+-\d{4}-(white|black)\.mp4", path.name)
        with av.open(str(path)) as kept:
            assert kept.streams.video[0].codec_context.name == "h264"
            assert sum(1 for _ in kept.decode(video=0)) > 20
    assert watched.said.count(f"encoded anew as H.264 ({codec} in .mkv: ") == 1


def test_a_live_stream_is_watched_and_joined_again(run, tmp_path):
    """The server goes while an event lasts: its video is whole, and watching goes on."""
    port = free_port()
    code = (
        "import sys, time, signal\n"
        "from tests.helpers.streams import rtsp_server\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
        "for seconds in (int(sys.argv[2]), 60):\n"
        "    with rtsp_server(int(sys.argv[1])):\n"
        "        time.sleep(seconds)\n"
        "    time.sleep(1)\n"
    )
    before, seconds = (6, 16) if NIGHTLY else (4, 10)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", "src"), "."])}
    require_rtsp_server()
    with subprocess.Popen([sys.executable, "-c", code, str(port), str(before)], env=environment) as server:
        try:
            wait_for_port(port)
            address = f"rtsp://user:hunter2@127.0.0.1:{port}/live"
            watched = Watched(
                run, address, seconds=seconds, save_events=tmp_path / "kept", out=tmp_path / "events.jsonl"
            )
        finally:
            server.terminate()
    assert watched.result.joined_again == 1
    assert watched.result.events >= 1
    assert watched.result.latency_p95_seconds < 1
    for path in watched.result.videos:
        with av.open(str(path)) as kept:
            assert sum(1 for _ in kept.decode(video=0)) > 25
    everything = watched.said + json.dumps(watched.events) + str(watched.result) + repr(watched.result)
    everything += (tmp_path / "events.jsonl").read_text() + " ".join(map(str, (tmp_path / "kept").iterdir()))
    assert "hunter2" not in everything
    assert "frames/s" in watched.said


def test_ctrl_c_ends_it_with_every_file_whole(run, tmp_path):
    with ExitStack() as stack:
        started = {}
        for number in (signal.SIGINT, signal.SIGTERM):  # side by side: each takes seconds to begin
            port, folder = free_port(), tmp_path / number.name
            stack.enter_context(ffmpeg(*X264, "-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1"))
            wait_for_port(port)
            words = [sys.executable, "-m", "muybridge", "watch", str(run), f"tcp://127.0.0.1:{port}"]
            words += ["--save-events", str(folder / "kept"), "--out", str(folder / "events.jsonl")]
            words += ["--rules.no-use-none-of-these", "--window-seconds", "1", "--status-seconds", "1"]
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.callback(process.kill)
            started[number] = process
        firsts = {number: process.stdout.readline() for number, process in started.items()}
        time.sleep(2)
        for number, process in started.items():
            process.send_signal(number)
        for number, process in started.items():
            out, err = process.communicate(timeout=30)
            require_whole(tmp_path / number.name, firsts[number] + out, err, process.returncode)


def require_whole(folder, out, err, code):
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    # What lasts ends with it, and its video is there.
    assert [event["state"] for event in events if event["label"] == events[0]["label"]][:1] == ["begin"]
    assert {event["state"] for event in events} == {"begin", "end", "saved"}
    assert events == [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for event in events:
        if event["state"] == "saved":
            with av.open(event["video"]) as kept:
                assert sum(1 for _ in kept.decode(video=0)) > 10
    assert list((folder / "kept").glob(".*")) == []
    assert "looks/s, latency p50" in err
    assert "watched tcp://127.0.0.1" in err
    assert "Traceback" not in err


def test_a_recording_over_http_ends(run, tmp_path):
    write_flashing(tmp_path / "a.mp4", seconds=4, options={"movflags": "faststart"})
    with folder_server(tmp_path) as address:
        watched = Watched(run, f"{address}/a.mp4")
    assert watched.result.frames == 100
    assert watched.result.joined_again == 0
    assert 3.5 < watched.result.seconds < 8


def test_errors_of_the_command_line_hold_no_credentials(run, capsys):
    address = "rtsp://user:hunter2@127.0.0.1:1/live?key=hunter2"
    for more in ([], ["--nope"], ["--pace", "fast"], ["--seconds", "x"], ["--webhook", "ftp://a:hunter2@b"]):
        code, out, err = command("watch", run, address, *more, capsys=capsys)
        assert code == 2
        assert err.startswith("error: ")
        assert "hunter2" not in out + err
    code, _, err = command("watch", run, "no-camera", capsys=capsys)
    assert (code, "is no file, address or camera" in err) == (2, True)


@pytest.mark.parametrize("option", ["seconds_before", "stall_seconds", "seconds"])
def test_times_that_are_none_are_told(run, option):
    with pytest.raises(UserError, match=f"{option} is -1"):
        Watched(run, "-", **{option: -1})


def test_an_error_while_looking_ends_it_and_is_raised(run, tmp_path):
    video = write_flashing(tmp_path / "a.mp4", seconds=4)

    def fail(_event: dict) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        muybridge.watch(
            run, str(video), rules=RULES, windows=WINDOWS, pace="all", emit=fail, console=Console(file=io.StringIO())
        )


def test_standard_input_on_the_command_line(run, tmp_path):
    video = write_flashing(tmp_path / "a.ts", seconds=8)
    words = [sys.executable, "-m", "muybridge", "watch", str(run), "-", "--pace", "all", "--window-seconds", "1"]
    words += ["--rules.no-use-none-of-these", "--status-seconds", "0"]
    with video.open("rb") as given:
        done = subprocess.run(words, stdin=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(event["state"], event["label"]) for event in events if event["state"] == "begin"] == [
        ("begin", "white"),
        ("begin", "black"),
        ("begin", "white"),
    ]
    assert {event["source"] for event in events} == {"standard input"}
    assert "watched standard input" in done.stderr


def test_a_reader_that_goes_ends_it_quietly(run, tmp_path):
    video = write_flashing(tmp_path / "a.mp4", seconds=60)
    words = [sys.executable, "-m", "muybridge", "watch", str(run), str(video), "--pace", "all", "--status-seconds", "0"]
    words += ["--window-seconds", "1", "--rules.no-use-none-of-these", "--save-events", str(tmp_path / "kept")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == 141
    assert "Traceback" not in err
    assert list((tmp_path / "kept").glob(".*")) == []
