"""Does watching keep up? A stream at its own pace, for a minute or an hour: frames/s, dropped, latency, memory.

    python benchmarks/live.py RUN --seconds 60
    python benchmarks/live.py RUN --seconds 3600 --server rtsp    (memory over an hour)

The stream is 640 x 480 at 25 frames/s, H.264, of moving noise over a gradient, so that decoding has something to do. It
is a file at its own speed, or an RTSP server of GStreamer, as in the tests. Run it with nothing else on the machine.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np

import muybridge
from muybridge.system import available_cores, status_bytes

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WIDTH, HEIGHT, RATE = 640, 480, 25
_LOOP_SECONDS = 20


def write_stream(path: Path, seconds: float, *, width: int = WIDTH, height: int = HEIGHT) -> Path:
    """A video of so many seconds; its pictures repeat after a while, so that writing an hour takes no hour."""
    rng = np.random.default_rng(0)
    noise_HWC = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    ramp_HWC = np.broadcast_to(np.linspace(0, 150, width, dtype=np.uint8)[None, :, None], (height, width, 3))
    packets = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "bf": "0", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        loop = min(seconds, _LOOP_SECONDS)
        for number in range(round(RATE * loop)):
            image_HWC = np.roll(ramp_HWC, 7 * number, axis=1) + np.roll(noise_HWC, 3 * number, axis=0)
            packets += stream.encode(av.VideoFrame.from_ndarray(image_HWC, format="rgb24"))
        packets += stream.encode()
        kept = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for number in range(round(RATE * seconds)):
            data, is_key = kept[number % len(kept)]
            packet = av.Packet(data)
            packet.stream, packet.is_keyframe = stream, is_key
            packet.time_base = stream.codec_context.time_base
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


class Memory(threading.Thread):
    """Notes how much memory this process holds, now and then."""

    def __init__(self, every_seconds: float) -> None:
        super().__init__(daemon=True)
        self.megabytes: list[float] = []
        self._every = every_seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Note it until it is over."""
        while not self._over.wait(self._every):
            held = status_bytes("VmRSS")
            if held is not None:
                self.megabytes.append(held / 1e6)

    def stop(self) -> None:
        """Note no more."""
        self._over.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--server", choices=("file", "rtsp"), default="file")
    parser.add_argument("--save-events", action="store_true", help="keep the video of events, too")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if arguments.server == "rtsp":
            from tests.helpers.streams import free_port, rtsp_server

            port = free_port()
            stack.enter_context(rtsp_server(port, width=WIDTH))
            source = f"rtsp://127.0.0.1:{port}/live"
        else:
            source = str(write_stream(folder / "stream.mp4", arguments.seconds))
        memory = Memory(max(1.0, arguments.seconds / 120))
        memory.start()
        load_before, began = os.times(), time.monotonic()
        result = muybridge.watch(
            arguments.run,
            source,
            seconds=arguments.seconds + 1,
            status_seconds=max(10, arguments.seconds / 20),
            save_events=folder / "events" if arguments.save_events else None,
        )
        wall, load_after = time.monotonic() - began, os.times()
        memory.stop()
    processor = (load_after.user + load_after.system) - (load_before.user + load_before.system)
    tenths = [statistics.median(part) for part in np.array_split(memory.megabytes, 10) if len(part)]
    row = {
        "source": f"file {WIDTH}x{HEIGHT}" if arguments.server == "file" else f"rtsp {WIDTH}x240",
        "cores": available_cores(),
        "seconds": round(result.seconds, 1),
        "frames_per_second": round(result.frames / result.seconds, 2),
        "looked_at": result.looked_at,
        "dropped": result.dropped,
        "undecoded": result.undecoded,
        "latency_p50_ms": round(1000 * (result.latency_p50_seconds or 0), 1),
        "latency_p95_ms": round(1000 * (result.latency_p95_seconds or 0), 1),
        "processor_share": round(processor / wall, 3),
        "memory_mb_by_tenths": [round(float(each), 1) for each in tenths],
        "memory_most_mb": round(max(memory.megabytes), 1),
        "events": result.events,
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
