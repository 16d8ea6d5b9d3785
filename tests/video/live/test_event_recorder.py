"""The video of events where whoever takes it is slow: memory stays bounded, nothing waits, and no loss is silent."""

import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import replace

import av
import pytest
from tests.helpers.streams import write_flashing

from muybridge.video.live import event_recorder
from muybridge.video.live.event_recorder import MOST_WAITING_BYTES, EventRecorder
from muybridge.video.live.stream_parts import StreamPacket

SLOW = "the disk does not keep up"


class Held:
    """A recorder whose thread stands still, as on a disk that does not answer, until the gate opens."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.stands = threading.Event()
        self.said: list[str] = []
        self.saved: list[tuple[tuple[str, float], str]] = []
        self.recorder = EventRecorder(
            seconds_before=0.5,
            seconds_after=0.5,
            told_after_seconds=0.5,
            say=self.say,
            saved=lambda key, path: self.saved.append((key, path.name)),
        )

    def say(self, line: str) -> None:
        self.said.append(line)
        if "no keyframe yet" in line:
            self.stands.set()
            self.gate.wait(60)

    def hold(self, folder) -> None:
        self.recorder.begin(("early", 0.0), folder / "early", 0.0)
        assert self.stands.wait(10)


@contextmanager
def stream(folder):
    """A stream, and its packets."""
    video = write_flashing(folder / "a.ts", seconds=4, format="mpegts")
    with av.open(str(video)) as container:
        found = container.streams.video[0]
        packets = []
        for packet in container.demux(found):
            if packet.size:
                seconds = len(packets) / 25
                base, is_key = packet.time_base, packet.is_keyframe
                packets.append(StreamPacket(bytes(packet), packet.pts, packet.dts, base, is_key, seconds))
        yield found, packets


@pytest.fixture
def held():
    made = Held()
    yield made
    made.gate.set()
    made.recorder.close()


def fill(recorder: EventRecorder, like: StreamPacket, *, size: int, count: int) -> list[weakref.ref]:
    kept = []
    for number in range(count):
        packet = replace(like, data=bytes(size), is_key=False, pts=like.pts + number, dts=like.dts + number)
        kept.append(weakref.ref(packet))
        recorder.packet(packet)
        del packet
    return kept


def test_what_waits_for_a_slow_disk_is_bounded_by_bytes(held, tmp_path):
    held.hold(tmp_path)
    like = StreamPacket(b"", 0, 0, None, False, 0.0)
    kept = fill(held.recorder, like, size=2**20, count=300)
    alive = sum(each() is not None for each in kept)
    assert 100 <= alive <= MOST_WAITING_BYTES / 2**20
    assert sum(SLOW in line for line in held.said) == 1


@pytest.mark.parametrize(("size", "count"), [(1, 6000), (2**20, 300)])
def test_an_event_is_kept_and_nothing_waits_where_a_slow_disk_takes_no_more_packets(held, tmp_path, size, count):
    held.hold(tmp_path)
    with stream(tmp_path) as (found, packets):
        held.recorder.joined(found)
        for packet in packets:
            held.recorder.packet(packet)
        fill(held.recorder, packets[-1], size=size, count=count)
        assert any("packets are missing" in line for line in held.said)
        began = time.monotonic()
        held.recorder.begin(("white", 3.5), tmp_path / "white", 3.5)
        held.recorder.end(("white", 3.5), 3.9)
        assert time.monotonic() - began < 1
        held.gate.set()
        held.recorder.lost(broken=False)
    assert held.saved == [(("white", 3.5), "white.mp4")]
    with av.open(str(tmp_path / "white.mp4")) as kept:
        assert sum(1 for _ in kept.decode(video=0)) >= 25
    assert held.recorder.failed == 1  # the one before the stream


def test_what_a_disk_never_takes_is_said_and_counted(held, tmp_path, monkeypatch):
    monkeypatch.setattr(event_recorder, "_END_SECONDS", 0.2)
    held.hold(tmp_path)
    with stream(tmp_path) as (found, packets):
        held.recorder.joined(found)
        for packet in packets:
            held.recorder.packet(packet)
        for number in range(3):
            held.recorder.begin(("white", number), tmp_path / "white", number)
        held.recorder.lost(broken=True)
    held.recorder.close()
    assert held.recorder.failed == 4
    assert held.said[-1] == f"{SLOW}: 3 events have no whole video"
    held.gate.set()  # the stream is gone by now, and is not looked at
    held.recorder._thread.join(10)
    assert list(tmp_path.glob("white*")) == []
