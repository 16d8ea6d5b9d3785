"""A file's own index: the same frames as in order, or it stands aside."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.video.container import open_video
from muybridge.video.decoding import read_sampled
from muybridge.video.index import packets
from muybridge.video.index.avi_index import index_avi
from muybridge.video.index.packets import index_packets
from muybridge.video.sampling import UniformSampler

ENTRY = 16  # bytes of an entry of idx1: name, flags, offset, size
SAME = ("sizes_bytes", "restarts", "disposable")


def write_avi(path: Path, *, frames: int = 30, gop: int = 6, max_b_frames: int = 0, sound: bool = False) -> Path:
    generator = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 112, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, max_b_frames
        voice = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        picture = generator.integers(256, size=(112, 160, 3), dtype=np.uint8)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * number, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
            if voice is not None:
                samples = av.AudioFrame.from_ndarray(np.full((1, 320), number, np.int16), layout="mono")
                samples.sample_rate, samples.pts = 8000, 320 * number
                container.mux(voice.encode(samples))
        container.mux(stream.encode())
        if voice is not None:
            container.mux(voice.encode())
    return path


def index_of(path: Path):
    with open_video(path) as (container, stream):
        return index_avi(path, container, stream)


def check_frames(path: Path) -> None:
    """What is read, by whatever way is chosen, is what decoding in order gives."""
    for frames in (1, 5, 16):
        sampler = UniformSampler(frames=frames)
        found, expected = (read_sampled(path, sampler, strategy=strategy) for strategy in ("auto", "sequential"))
        np.testing.assert_array_equal(found.frames_THWC, expected.frames_THWC)
        np.testing.assert_array_equal(found.timestamps_seconds, expected.timestamps_seconds)
        assert found.frame_count == expected.frame_count


def check_index(path: Path) -> None:
    """It is the index that reading the packets gives."""
    found = index_of(path)
    assert found is not None
    with open_video(path) as (container, stream):
        expected = index_packets(container, stream)
    assert expected is not None
    for name in SAME:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.pts - found.pts[0], expected.pts - expected.pts[0])
    assert len(found.no_picture_pts) == len(expected.no_picture_pts)
    for position in range(len(found.pts)):
        assert bytes(found.packets[position]) == bytes(expected.packets[position])


@pytest.fixture
def avi(tmp_path):
    return write_avi(tmp_path / "clip.avi")


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("gop", [1, 6, 100])
def test_a_sound_file_is_read_by_its_own_index(tmp_path, gop, sound):
    path = write_avi(tmp_path / "clip.avi", gop=gop, sound=sound)
    check_index(path)
    check_frames(path)


def test_other_files_are_left_to_their_packets(tmp_path, avi, monkeypatch):
    assert index_of(write_avi(tmp_path / "b.avi", max_b_frames=2)) is None
    check_frames(tmp_path / "b.avi")
    with av.open(str(avi)) as source, av.open(str(tmp_path / "clip.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert index_of(tmp_path / "clip.mp4") is None
    monkeypatch.setattr("muybridge.video.index.avi_index.KEEP_BYTES", 1000)
    assert index_of(avi) is None
    assert avi.stat().st_size < packets.KEEP_BYTES


def damaged(avi: Path, harm: str) -> bytes:
    data = bytearray(avi.read_bytes())
    table = data.rindex(b"idx1") + 8
    count = struct.unpack_from("<I", data, table - 4)[0] // ENTRY
    entries = [bytes(data[table + ENTRY * n : table + ENTRY * (n + 1)]) for n in range(count)]
    movi = data.index(b"movi")

    def put(place: int, entry: bytes) -> None:
        data[table + ENTRY * place : table + ENTRY * (place + 1)] = entry

    def chunk(place: int) -> int:
        """Where a chunk begins in the file."""
        first, offset = (struct.unpack_from("<I", entries[n], 8)[0] for n in (0, place))
        return int(offset - first + movi + 4)

    match harm:
        case "cut off inside the chunks":
            del data[chunk(count // 2) + 20 :]
        case "cut off inside the index":
            del data[table + ENTRY * (count // 2) :]
        case "no index":
            data[table - 8 : table - 4] = b"JUNK"
        case "shuffled":
            order = np.random.default_rng(1).permutation(count)
            for place, other in enumerate(order):
                put(place, entries[other])
        case "an entry missing":
            for place in range(5, count - 1):
                put(place, entries[place + 1])
            struct.pack_into("<I", data, table - 4, ENTRY * (count - 1))
        case "a key frame more":
            put(3, entries[3][:4] + struct.pack("<I", 0x10) + entries[3][8:])
        case "a key frame less":
            put(6, entries[6][:4] + struct.pack("<I", 0) + entries[6][8:])
        case "a size wrong":
            put(7, entries[7][:12] + struct.pack("<I", struct.unpack_from("<I", entries[7], 12)[0] - 2))
        case "offsets outside":
            put(8, entries[8][:8] + struct.pack("<I", 2**31) + entries[8][12:])
        case "a chunk renamed":
            data[chunk(9) : chunk(9) + 4] = b"JUNK"
        case "another stream's name":
            put(9, b"05dc" + entries[9][4:])
        case "a picture overwritten":
            data[chunk(10) + 8 : chunk(10) + 12] = b"\xff\xff\xff\xff"
        case "a second picture in a chunk":
            start = chunk(11) + 8 + 40
            data[start : start + 4] = b"\x00\x00\x01\xb6"
        case "a B picture":
            data[chunk(12 + 1) + 12] |= 0x80
        case "the count in the header wrong":
            header = data.index(b"strh")
            struct.pack_into("<I", data, header + 8 + 32, 7)
    return bytes(data)


HARMS = [
    "cut off inside the chunks",
    "cut off inside the index",
    "no index",
    "shuffled",
    "an entry missing",
    "a key frame more",
    "a key frame less",
    "a size wrong",
    "offsets outside",
    "a chunk renamed",
    "another stream's name",
    "a picture overwritten",
    "a second picture in a chunk",
    "a B picture",
    "the count in the header wrong",
]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_makes_the_index_stand_aside(tmp_path, avi, harm):
    path = tmp_path / "damaged.avi"
    path.write_bytes(damaged(avi, harm))
    assert path.read_bytes() != avi.read_bytes()
    assert index_of(path) is None
    check_frames(path)


def test_bytes_behind_the_file_do_not_matter(tmp_path, avi):
    path = tmp_path / "longer.avi"
    path.write_bytes(avi.read_bytes() + bytes(7))
    check_index(path)
    check_frames(path)


def test_real_files_give_the_frames_of_reading_in_order(shared):
    originals = sorted((shared / "data" / "ucf101-10" / "originals").rglob("*.avi"))
    odd = sorted((shared / "odd").glob("*.avi"))
    assert len(originals) == 40
    for path in originals[::4]:
        check_index(path)
    for path in [*originals[::4], *odd]:
        found, expected = (
            read_sampled(path, UniformSampler(frames=5, rule="paper"), strategy=strategy)
            for strategy in ("auto", "sequential")
        )
        np.testing.assert_array_equal(found.frames_THWC, expected.frames_THWC)
        np.testing.assert_array_equal(found.timestamps_seconds, expected.timestamps_seconds)
    assert any(index_of(path) is not None for path in originals)
