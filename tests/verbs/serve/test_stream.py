"""Live streams over a real WebSocket: JPEG and H.264 in, scores and events out."""

import json
import struct
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from tests.helpers.long_videos import LEVELS
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

START_JPEG = json.dumps({"type": "start", "format": "jpeg"})
STOP = '{"type":"stop"}'


def ws_url(server, query="") -> str:
    return server.url.replace("http", "ws", 1) + "/stream" + query


def picture(level: int, number: int) -> np.ndarray:
    noise = np.random.default_rng(number % 10).normal(0, 20, (48, 48, 3))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def jpeg(level: int, number: int) -> bytes:
    return cv2.imencode(".jpg", picture(level, number))[1].tobytes()


def message(seconds: float, data: bytes) -> bytes:
    return struct.pack(">d", seconds) + data


def messages_of(socket, *, until: str, seconds: float = 30) -> list[dict]:
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(json.loads(socket.recv(timeout=seconds)))
        if found[-1]["type"] == until:
            return found
    raise AssertionError(found)


def rest_of(socket) -> list[dict]:
    found = []
    try:
        while True:
            found.append(json.loads(socket.recv(timeout=30)))
    except ConnectionClosed:
        return found


def test_jpeg_frames_become_scores_and_events(server):
    with connect(ws_url(server)) as socket:
        socket.send(START_JPEG)
        ready = json.loads(socket.recv(timeout=30))
        assert ready == {"type": "ready", "frames_per_second": 5.0, "look_ahead_seconds": pytest.approx(0.8, abs=0.3)}
        found = []
        for number in range(50):
            level = LEVELS["dim"] if number < 25 else LEVELS["bright"]
            socket.send(message(100 + number / 5, jpeg(level, number)))
            found += messages_of(socket, until="score")
        socket.send(STOP)
        found += rest_of(socket)
    scores = [each for each in found if each["type"] == "score"]
    assert len(scores) == 50
    assert [each["seconds"] for each in scores] == pytest.approx([100 + number / 5 for number in range(50)])
    assert scores[20]["label"] == "dim" and scores[-1]["label"] == "bright"
    assert {each["label"] for each in scores[0]["scores"]} == {"dim", "bright"}
    events = [each for each in found if each["type"] == "event"]
    assert [(each["state"], each["label"]) for each in events] == [
        ("begin", "dim"),
        ("end", "dim"),
        ("begin", "bright"),
        ("end", "bright"),
    ]
    assert events[0]["start_seconds"] == pytest.approx(100, abs=0.5)
    assert events[0]["end_seconds"] is None
    assert events[1]["end_seconds"] == pytest.approx(105, abs=1)


def test_h264_access_units(server):
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt, context.framerate = 48, 48, "yuv420p", Fraction(5)
    context.time_base = Fraction(1, 5)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "keyint=10:annexb=1"}
    units = []
    for number in range(30):
        frame = av.VideoFrame.from_ndarray(picture(LEVELS["bright"], number), format="rgb24")
        frame.pts = number
        units += [bytes(packet) for packet in context.encode(frame)]
    with connect(ws_url(server)) as socket:
        socket.send(json.dumps({"type": "start", "format": "h264"}))
        messages_of(socket, until="ready")
        found = []
        socket.send(message(0, units[1]))  # of no use before the first key frame, and no error
        for number, unit in enumerate(units):
            socket.send(message(1 + number / 5, unit))
            found += messages_of(socket, until="score")
        socket.send(STOP)
        found += rest_of(socket)
    scores = [each for each in found if each["type"] == "score"]
    assert len(scores) == 30
    assert scores[0]["seconds"] == 1
    assert {each["label"] for each in scores} == {"bright"}


def test_what_comes_too_fast_is_dropped_and_counted(server):
    with connect(ws_url(server)) as socket:
        socket.send(START_JPEG)
        messages_of(socket, until="ready")
        for number in range(300):
            socket.send(message(number / 5, jpeg(70, number)))
        socket.send(STOP)
        found = rest_of(socket)
    dropped = [each["count"] for each in found if each["type"] == "dropped"]
    scored = sum(each["type"] == "score" for each in found)
    assert dropped == sorted(dropped) and 100 < dropped[-1] < 300
    assert scored < 300
    last = [each for each in found if each["type"] == "score"][-1]
    assert last["seconds"] == pytest.approx(299 / 5)  # the newest frame was looked at


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ("{}", None, "a stream begins with"),
        ('{"type": "start", "format": "png"}', None, "a stream begins with"),
        (b"12345678", None, "a stream begins with a message of text"),
        (START_JPEG, b"1234", "8 bytes"),
        (START_JPEG, message(0, b"no picture at all"), "no JPEG"),
        (START_JPEG, message(0, jpeg(70, 0)[:60]), "JPEG"),
        (START_JPEG, message(float("nan"), jpeg(70, 0)), "no number"),
        (START_JPEG, message(1e308, jpeg(70, 0)), "1e+308 s"),
        (START_JPEG, message(-1e308, jpeg(70, 0)), "-1e+308 s"),
        (START_JPEG, "hello", "binary"),
        (START_JPEG, message(0, b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(20)), "65535 x 65535"),
        ('{"type": "start", "format": "h264"}', message(0, b"\0\0\0\1\x67" + bytes(50)), "does not decode"),
    ],
)
def test_what_is_wrong_with_a_stream_is_said(server, first, second, line):
    with connect(ws_url(server)) as socket:
        socket.send(first)
        if second is not None:
            messages_of(socket, until="ready")
            socket.send(second)
        [error] = [each for each in rest_of(socket) if each["type"] == "error"]
        assert line in error["detail"] and "\n" not in error["detail"]
        assert socket.close_code == 1008


def test_times_that_go_back_are_said(server):
    with connect(ws_url(server)) as socket:
        socket.send(START_JPEG)
        messages_of(socket, until="ready")
        socket.send(message(5, jpeg(70, 0)))
        messages_of(socket, until="score")
        socket.send(message(2, jpeg(70, 2)))
        assert "after 5 s" in rest_of(socket)[0]["detail"]


def test_an_unknown_model_and_too_many_streams_are_said(server):
    with connect(ws_url(server, "?model=nobody")) as socket:
        assert "there is no model" in rest_of(socket)[0]["detail"]
    with connect(ws_url(server)) as one, connect(ws_url(server)) as two:
        for socket in (one, two):
            socket.send(START_JPEG)
            messages_of(socket, until="ready")
        with connect(ws_url(server)) as third:
            [error] = rest_of(third)
            assert "2 streams are open already" in error["detail"] and error["retry_after"] > 0
            assert third.close_code == 1013  # try again later


def test_a_page_of_a_stranger_opens_no_stream(server):
    with pytest.raises(InvalidStatus) as refused, connect(ws_url(server), origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with connect(ws_url(server), origin=server.url) as socket:
        socket.send(START_JPEG)
        messages_of(socket, until="ready")
