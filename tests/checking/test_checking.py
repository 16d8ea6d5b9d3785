"""Checking a catalog: files made here, so that the truth is known, and real ones."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

import av
import numpy as np
import pytest
from tests.helpers.clips import write_clip

from muybridge.checking.checking import CheckReport, check_catalog
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.dataset.layouts import read_catalog


def write_video(path: Path, *, frames: int, width_px: int = 64, height_px: int = 48, rate: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(frames).integers(0, 255, (height_px, width_px, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        for shift in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(pixels, shift, axis=1), "rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for number in range(4):
        write_video(root / "walk" / f"{number}.mp4", frames=10 + number)
        write_video(root / "run" / f"{number}.avi", frames=20 + number, width_px=32, height_px=32)
    shutil.copy(root / "walk" / "2.mp4", root / "run" / "twin.mp4")
    (root / "run" / "empty.avi").touch()
    (root / "run" / "text.avi").write_text("not a video\n" * 1000)
    return root


@pytest.fixture(scope="module")
def seen() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def report(folder: Path, seen: list[tuple[int, int]]) -> CheckReport:
    return check_catalog(read_catalog(folder), workers=2, progress=lambda done, total: seen.append((done, total)))


def test_frames_sizes_and_durations_are_those_written(report: CheckReport, seen: list[tuple[int, int]]) -> None:
    by_id = {checked.clip.id: checked for checked in report.clips}
    assert len(by_id) == 11
    for number in range(4):
        file = by_id[f"walk/{number}.mp4"].file
        assert file is not None
        assert (file.frame_count, file.width_px, file.height_px) == (10 + number, 64, 48)
        assert by_id[f"walk/{number}.mp4"].duration_seconds == pytest.approx((10 + number) / 10)
        assert by_id[f"walk/{number}.mp4"].status == "ok"
    assert report.durations["longest"] == pytest.approx(2.3)
    assert report.frame_sizes == {"64x48": 5, "32x32": 4}
    assert report.frame_rates == {"10": 9}
    assert seen == [(done, 11) for done in range(1, 12)]


def test_bad_files_are_named_with_their_reason(report: CheckReport) -> None:
    bad = {checked.clip.id: checked.problem for checked in report.with_status("bad")}
    assert bad["run/empty.avi"] == "empty file"
    assert "not a video" in (bad["run/text.avi"] or "")
    assert set(bad) == {"run/empty.avi", "run/text.avi"}
    assert report.classes == {
        "run": {"clips": 7, "groups": None, "bad": 2},
        "walk": {"clips": 4, "groups": None, "bad": 0},
    }


def test_duplicates_and_leaks_are_reported(report: CheckReport) -> None:
    assert [[checked.clip.id for checked in twins] for twins in report.duplicates] == [["run/twin.mp4", "walk/2.mp4"]]
    assert set(report.protocols) == {"grouped", "random"}
    grouped = report.protocols["grouped"]
    assert grouped.leak.test_shared == 0
    assert sum(grouped.clips.values()) == 11
    assert set(report.skipped_protocols) == {"given", "official-1", "official-2", "official-3"}


def test_saved_report_has_a_row_per_clip(report: CheckReport, tmp_path: Path) -> None:
    json_path, csv_path = report.save(tmp_path / "out")
    assert json.loads(json_path.read_text()) == json.loads(json.dumps(report.to_dict()))
    with csv_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [checked.clip.id for checked in report.clips]
    assert {row["id"]: row["frames"] for row in rows}["walk/3.mp4"] == "13"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["check.csv", "check.json"]


def test_parts_of_a_file_are_measured_against_it(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "walk" / "0.mp4", tmp_path / "a.mp4")
    (tmp_path / "clips.csv").write_text("path,label,start,end\na.mp4,walk,0.25,\na.mp4,run,0,99\na.mp4,run,5,6\n")
    report = check_catalog(read_catalog(tmp_path), workers=1)
    found = {checked.clip.start_seconds: (checked.status, checked.duration_seconds) for checked in report.clips}
    assert found == {0.25: ("ok", 0.75), 0.0: ("ok", 1.0), 5.0: ("bad", None)}
    assert report.with_status("bad")[0].problem == "starts at 5 s, but the file ends at 1 s"


def test_real_odd_files(shared: Path) -> None:
    names = [
        "corrupted.mp4",
        "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi",
        "flipping_a_pancake.mkv",
    ]
    root = shared / "odd"
    clips = tuple(Clip(root / name, label="odd", group=name, root=root) for name in (*names, "missing.avi"))
    report = check_catalog(Catalog(root, "csv", clips), workers=2)
    by_id = {checked.clip.id: checked for checked in report.clips}
    assert by_id["corrupted.mp4"].status == "damaged"
    assert by_id["missing.avi"].problem == "no such file"
    lied = {c.clip.id: (c.file.declared_frames, c.file.frame_count) for c in report.header_lied if c.file}
    assert lied == {"corrupted.mp4": (50, 28), names[1]: (84, 83)}


# A film that takes a second to decode stands in for a file that the decoder hangs on; which files a process has open
# tells when to strike.

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


@pytest.fixture
def with_long(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder / "walk", tmp_path / "walk")
    write_clip(tmp_path / "walk" / "1x.mp4", level=100, seed=0, frames=4000)
    return tmp_path


def when_opened(path: Path, strike: Callable[[], None]) -> None:
    while not _is_open(path):
        time.sleep(0.001)
    strike()


def _is_open(path: Path) -> bool:
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # closed meanwhile
            if handle.readlink() == path:
                return True
    return False


@needs_proc
def test_a_crash_of_the_decoder_is_laid_to_its_file(with_long: Path) -> None:
    path = with_long / "walk" / "1x.mp4"
    root = with_long
    clips = tuple(Clip(path, label="walk", group=path.name, root=root) for path in (root / "walk").iterdir())

    def kill_workers() -> None:
        for process in active_children():
            process.kill()
            while process.is_alive():  # until then it holds the file open
                time.sleep(0.02)

    # Once as one of several files in work, and once alone.
    killer = threading.Thread(target=lambda: [when_opened(path, kill_workers) for _ in range(2)], daemon=True)
    killer.start()
    report = check_catalog(Catalog(root, "csv", clips), workers=1)
    killer.join()
    assert {checked.clip.id: checked.problem for checked in report.clips} == {
        "walk/0.mp4": None,
        "walk/1.mp4": None,
        "walk/1x.mp4": "the decoder crashed on it",
        "walk/2.mp4": None,
        "walk/3.mp4": None,
    }


SCRIPT = """
import sys
from contextlib import suppress
from pathlib import Path
from muybridge.dataset.catalog import Catalog, Clip
from muybridge.checking.checking import check_catalog

if __name__ == "__main__":
    root = Path(sys.argv[1])
    clips = tuple(Clip(path, label="walk", group=path.name, root=root) for path in (root / "walk").iterdir())
    try:
        check_catalog(Catalog(root, "csv", clips), workers=2)
    except KeyboardInterrupt:
        print("interrupted")
"""


@needs_proc
def test_ctrl_c_stops_everything_at_once(with_long: Path) -> None:
    (with_long / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(with_long / "script.py"), str(with_long)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    when_opened(with_long / "walk" / "1x.mp4", lambda: os.killpg(process.pid, signal.SIGINT))
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "interrupted\n", "")
    with pytest.raises(ProcessLookupError):  # soon nobody of the group is left
        for _ in range(100):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
