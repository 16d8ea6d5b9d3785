"""Decoding in a process of its own: the same answers, and a process that dies is an error of the file."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.checking.decode_pool import decode_all
from muybridge.errors import VideoError
from muybridge.video.decoding import read_sampled
from muybridge.video.full_decoding import decode_fully
from muybridge.video.isolation import current, isolated
from muybridge.video.sampling import SlidingSampler, UniformSampler

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits need POSIX")


@pytest.fixture
def video(tmp_path, write_video) -> Path:
    return write_video(tmp_path / "a.mp4", frames=30)


def children() -> list[int]:
    """The processes that decode, which this one has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == os.getpid() and b"isolated_child" in command:
            found.append(int(folder.name))
    return found


def test_the_answers_are_the_same(video, tmp_path) -> None:
    (tmp_path / "text.mp4").write_text("no video\n")
    asked = {"views": None, "size_px": 24, "start_seconds": 0.2}
    sampler = SlidingSampler(frames=4, stride=2, hop=8)
    here, fully = read_sampled(video, sampler, **asked), decode_fully(video)
    with isolated():
        there = read_sampled(video, sampler, **asked)
        assert decode_fully(video) == fully
        for path, reason in {"text.mp4": "not a video but text", "none.mp4": "no such file"}.items():
            with pytest.raises(VideoError, match=reason) as caught:
                decode_fully(tmp_path / path)
            assert caught.value.path == tmp_path / path
        assert decode_all([video], workers=1, isolate=True) == {video: fully}
    assert current() is None
    for name in ("frames_THWC", "indices", "timestamps_seconds"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert [view.tolist() for view in there.views] == [view.tolist() for view in here.views]
    assert (there.frame_count, there.declared_frames) == (here.frame_count, here.declared_frames)


def test_a_process_outlives_the_thread_that_asked_first(video) -> None:
    with isolated():
        for _ in range(5):
            thread = threading.Thread(target=decode_fully, args=(video,))
            thread.start()
            thread.join()
            time.sleep(0.05)  # the system ends what it ends a little later
            assert decode_fully(video).frame_count == 30


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_processes_serve_many_files_and_all_threads_and_end(video) -> None:
    with isolated():
        decode_fully(video)
        first = children()
        assert len(first) == 1
        decode_fully(video)
        assert children() == first
        with ThreadPoolExecutor(3) as threads:
            found = list(threads.map(lambda _: decode_fully(video).frame_count, range(12)))
        assert found == [30] * 12
        assert len(children()) <= 3
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_that_is_killed_is_one_line_and_the_next_file_is_read(video) -> None:
    with isolated():
        decode_fully(video)
        [child] = children()
        os.kill(child, signal.SIGSTOP)  # so that it is in the middle
        threading.Timer(0.3, os.kill, (child, signal.SIGKILL)).start()
        with pytest.raises(VideoError, match=r"the process that decodes it was killed \(SIGKILL\)") as caught:
            decode_fully(video)
        assert "\n" not in str(caught.value)
        assert decode_fully(video).frame_count == 30


def test_memory_and_processor_time_are_limited(tmp_path, write_video, monkeypatch) -> None:
    path = write_video(tmp_path / "large.mp4", frames=30, width_px=640, height_px=480)
    monkeypatch.setenv("MUYBRIDGE_CHILD_BYTES", "12000000")
    with isolated(), pytest.raises(VideoError, match=r"MUYBRIDGE_CHILD_BYTES|memory"):
        read_sampled(path, UniformSampler(frames=30))
    monkeypatch.delenv("MUYBRIDGE_CHILD_BYTES")
    longer = write_video(tmp_path / "long.avi", codec="mpeg4", frames=100, width_px=320, height_px=240)
    monkeypatch.setenv("MUYBRIDGE_CHILD_SECONDS", "1")
    began = time.monotonic()
    with isolated(), pytest.raises(VideoError, match=r"1 processor seconds \(MUYBRIDGE_CHILD_SECONDS\)"):
        for _ in range(20):  # the limit is for each file
            read_sampled(longer, UniformSampler(frames=4), strategy="sequential", size_px=8)
            longer = _twice(longer)
    assert time.monotonic() - began < 60


def _twice(path: Path) -> Path:
    """The same pictures again behind the first, so that decoding takes twice as long."""
    twice = path.with_name("x" + path.name)
    with av.open(str(path)) as source, av.open(str(twice), "w") as target:
        stream, offset = target.add_stream_from_template(source.streams.video[0]), 0
        for _ in range(2):
            source.seek(0)
            for packet in source.demux(video=0):
                if packet.dts is None:
                    continue
                packet.pts = packet.dts = offset
                packet.stream = stream
                target.mux(packet)
                offset += 1
    return twice


def test_a_script_without_a_main_guard(video, tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom muybridge.video.full_decoding import decode_fully\n"
        "from muybridge.video.isolation import isolated\n"
        "with isolated():\n    print(decode_fully(sys.argv[1]).frame_count)\n"
    )
    (tmp_path / "numpy.py").write_text("raise SystemExit('a file of the user')\n")  # of the folder it is started in
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(video)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout == "30\n"
