"""Damaged videos: every way of reading agrees, nothing hangs, no other error comes, no other file is opened."""

import ctypes
import json
import os
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.mutated_videos import KINDS, make_seed
from tests.helpers.nightly import NIGHTLY, cases

from muybridge.errors import VideoError
from muybridge.video.full_decoding import decode_fully

ROOT = Path(__file__).parents[2]
SECONDS_A_VIDEO = 60


class OpenedFiles:
    """The names of the files in a folder that any process opens, as the kernel reports them (inotify)."""

    IN_OPEN = 0x20

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.handle, os.fsencode(folder), self.IN_OPEN) >= 0

    def names(self) -> Iterator[str]:
        while select.select([self.handle], [], [], 0)[0]:
            data = os.read(self.handle, 2**16)
            while data:
                _, _, _, length = struct.unpack_from("iIII", data)
                yield data[16 : 16 + length].rstrip(b"\0").decode()
                data = data[16 + length :]


def agree(folder: Path, first: int, count: int) -> list[dict]:
    """The findings of `mutated_videos` in a process of its own; a crash or a hang is one, too."""
    findings = []
    command = [sys.executable, "-m", "tests.helpers.mutated_videos", str(folder)]
    while count:
        with subprocess.Popen(
            [*command, str(first), str(count)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            last = {"number": first}
            while select.select([process.stdout], [], [], SECONDS_A_VIDEO)[0]:
                line = process.stdout.readline()
                if not line:
                    break
                last = json.loads(line)
                if last.get("problem"):
                    findings.append(last)
            else:
                process.kill()
                findings.append(last | {"problem": "hangs"})
        if process.returncode > 0:
            findings.append(last | {"problem": "the mutator itself fails"})
            break
        if process.returncode < 0 and not (findings and findings[-1]["problem"] == "hangs"):
            findings.append(last | {"problem": f"killed by signal {-process.returncode}"})
        done = last["number"] + 1 - first
        first, count = first + done, count - done
    return findings


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
@pytest.mark.timeout(3600)
def test_all_ways_of_reading_agree_on_damaged_videos(tmp_path) -> None:
    (tmp_path / "secret.mp4").touch()
    opened = OpenedFiles(tmp_path)
    # The suite's are of every kind and every mutation, too, but not of each pair of them.
    count = len(cases(100, 2000))
    assert agree(tmp_path, 0 if NIGHTLY else 20_000, count) == []
    others = {name for name in opened.names() if not name[:1].isdigit() and name != "seeds"}
    assert others == set()


# ---- files that name other files


def text(content: str):
    return lambda path, _: path.write_text(content)


def mov_with_reference(path: Path, other: Path) -> None:
    """A MOV whose data reference points at another file, as QuickTime's reference movies do."""
    make_seed(other, "plain.mov")
    data = other.read_bytes()
    place = data.index(b"url \0\0\0\1") - 4
    name = b"file://" + os.fsencode(other) + b"\0"
    entry = struct.pack(">I4sI", 12 + len(name), b"url ", 0) + name
    grown = len(entry) - 12
    changed = bytearray(data[:place] + entry + data[place + 12 :])
    end = len(changed)
    for box in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at = changed.rindex(box, 0, end) - 4
        changed[at : at + 4] = struct.pack(">I", struct.unpack(">I", changed[at : at + 4])[0] + grown)
        end = at + 4
    start = changed.index(b"mdat")  # without its own pictures
    size = struct.unpack(">I", changed[start - 4 : start])[0]
    changed[start + 4 : start - 4 + size] = bytes(size - 8)
    path.write_bytes(bytes(changed))


REFERRING = {
    "concat": text("ffconcat version 1.0\nfile secret.mp4\n"),
    "concat after a byte order mark": text("\ufeff  ffconcat version 1.0\nfile secret.mp4\n"),
    "hls": text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n"),
    "dash": text('<?xml version="1.0"?>\n<MPD><Period><BaseURL>secret.mp4</BaseURL></Period></MPD>\n'),
    "sdp": text("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 5004 RTP/AVP 96\r\n"),
    "subtitles of a talk": text('{"captions":[{"duration":1,"content":"secret.mp4"}]}\n'),
    "asx": text('<asx version="3.0"><entry><ref href="secret.mp4"/></entry></asx>\n'),
    "mov": mov_with_reference,
}


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
@pytest.mark.parametrize("kind", REFERRING)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.ffconcat", "clip.m3u8", "clip%d.png"])
def test_no_other_file_is_opened(tmp_path, kind, name) -> None:
    secret, path = tmp_path / "secret.mp4", tmp_path / name
    make_seed(secret, "h264.mp4")
    REFERRING[kind](path, secret)
    opened = OpenedFiles(tmp_path)
    if kind == "mov":
        # Its own pictures are blank; those of the other file would show.
        with pytest.raises(VideoError):
            decode_fully(path)
    else:
        with pytest.raises(VideoError, match="not a video"):
            decode_fully(path)
    assert set(opened.names()) <= {name}


def test_every_kind_is_read(tmp_path) -> None:
    for kind in KINDS:
        make_seed(tmp_path / kind, kind)
        found = decode_fully(tmp_path / kind)
        assert found.problem is None, kind
        assert found.frame_count == (8 if kind == "tape.dv" else 40), kind
        assert found.frames_per_second == pytest.approx(25, abs=0.01), kind
        assert found.duration_seconds == pytest.approx(found.frame_count / 25, abs=0.05), kind
