"""Files that are damaged, or no video at all: named, with the reason, by every way to read them."""

import pickle
import wave
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from muybridge.errors import VideoError
from muybridge.video.decoding import iterate_frames, read_indices, read_sampled
from muybridge.video.full_decoding import decode_fully
from muybridge.video.probing import probe
from muybridge.video.sampling import UniformSampler

READERS: dict[str, Callable[[Path], object]] = {
    "probe": probe,
    "read_indices": lambda path: read_indices(path, [0]),
    "read_sampled": lambda path: read_sampled(path, UniformSampler()),
    "iterate_frames": lambda path: next(iterate_frames(path)),
    "decode_fully": decode_fully,
}
STRATEGIES = ("auto", "seek", "sequential")


def empty(path: Path, write_video) -> Path:
    path.touch()
    return path


def text(path: Path, write_video) -> Path:
    path.write_text("walk, run, jump\n" * 100)
    return path


def noise(path: Path, write_video) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    return path


def folder(path: Path, write_video) -> Path:
    path.mkdir()
    return path


def missing(path: Path, write_video) -> Path:
    return path


def photograph(path: Path, write_video) -> Path:
    cv2.imwrite(str(path), np.full((48, 64, 3), 99, np.uint8))
    return path


def sound(path: Path, write_video) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    return path


def song_with_cover(path: Path, write_video) -> Path:
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()
    with av.open(str(path), "w") as container:
        music = container.add_stream("mp3", rate=44100)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.int16), format="s16", layout="mono")
        samples.rate = 44100
        packet = av.Packet(jpeg)
        packet.stream = cover
        packet.pts = packet.dts = 0
        container.mux(packet)
        container.mux(music.encode(samples))
        container.mux(music.encode())
    return path


def mp4_without_header(path: Path, write_video) -> Path:
    write_video(path)
    path.write_bytes(path.read_bytes()[:800])
    return path


def avi_without_pictures(path: Path, write_video) -> Path:
    write_video(path, codec="mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 4])
    return path


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (missing, "clip.avi", "no such file"),
        (folder, "clip.avi", "a folder"),
        (empty, "clip.avi", "empty file"),
        (text, "labels.txt", "not a video"),
        (text, "clip.mp4", "not a video"),
        (noise, "clip.avi", "not a video"),
        (photograph, "clip.png", "a still image"),
        (photograph, "clip.jpg", "a still image"),
        (sound, "clip.wav", "only audio"),
        (song_with_cover, "clip.mp3", "only audio"),
        (mp4_without_header, "clip.mp4", "cut off before its header"),
        (avi_without_pictures, "clip.avi", "nothing decodes"),
    ],
)
def test_no_video(tmp_path, write_video, make, name, reason, reader) -> None:
    path = make(tmp_path / name, write_video)
    with pytest.raises(VideoError) as caught:
        READERS[reader](path)
    assert reason in caught.value.reason
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.reason} ({caught.value.hint})"
    assert "\n" not in str(caught.value)


def test_the_error_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(VideoError("a.avi", "empty file", "remove it")))
    assert isinstance(error, VideoError)
    assert str(error) == "a.avi: empty file (remove it)"
    assert error.path == Path("a.avi")


@pytest.mark.parametrize("name", ["a:b.mp4", "50%d.mp4", "ünïcödé ☃.mp4", "-i.mp4"])
def test_strange_names(tmp_path, write_video, name, monkeypatch) -> None:
    write_video(tmp_path / "plain.mp4", frames=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(name).declared_frames == 2
    assert len(read_indices(name, [0, 1])) == 2


def test_metadata_that_is_not_utf8(tmp_path, write_video) -> None:
    path = write_video(tmp_path / "clip.avi", codec="mpeg4", frames=3, metadata={"title": "PippiXXX"})
    path.write_bytes(path.read_bytes().replace(b"PippiXXX", b"Pippi\xe5\xe4\xf6"))
    with pytest.raises(UnicodeDecodeError), av.open(str(path)) as container:
        container.streams.video[0].metadata  # noqa: B018 - the file is indeed bad
    assert decode_fully(path).frame_count == 3
    assert probe(path).codec == "mpeg4"


def packet_places(path: Path) -> list[tuple[int, int]]:
    """First and last position in the file of each packet, in the order of the file."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.pos + packet.size) for packet in container.demux(video=0) if packet.size]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: packet_places(path)[25][0] + 10])


def blank_a_packet(path: Path) -> None:
    start, end = packet_places(path)[25]
    data = bytearray(path.read_bytes())
    data[start + 16 : end] = bytes(end - start - 16)
    path.write_bytes(data)


def flip_bits(path: Path) -> None:
    places = packet_places(path)
    data = bytearray(path.read_bytes())
    generator = np.random.default_rng(1)
    for position in generator.integers(places[22][0], places[38][0], 30):
        data[position] ^= 1 << int(generator.integers(8))
    path.write_bytes(data)


MPEG4 = {"codec": "mpeg4", "options": {"g": "10", "b": "4000000"}}
X264 = {"options": {"x264-params": "keyint=10:min-keyint=10:scenecut=0"}}
FAST_START = X264 | {"container_options": {"movflags": "faststart"}}


@pytest.mark.parametrize("damage", [cut, blank_a_packet, flip_bits])
@pytest.mark.parametrize(("name", "settings"), [("a.avi", MPEG4), ("a.mkv", X264), ("a.mp4", FAST_START)])
def test_damaged_files_give_what_decodes(tmp_path, write_video, numbers_in, name, settings, damage) -> None:
    path = write_video(tmp_path / name, **settings)
    damage(path)
    result = decode_fully(path)
    assert 10 <= result.frame_count <= 40
    if damage is cut:
        assert result.frame_count <= 26
    count = result.frame_count
    expected = read_indices(path, range(count), strategy="sequential")
    assert numbers_in(expected[:10]) == list(range(10))  # the part before the damage
    for strategy in STRATEGIES:
        sampled = read_sampled(path, UniformSampler(frames=20), strategy=strategy)
        assert sampled.frame_count == count
        assert np.array_equal(sampled.frames_THWC, expected[sampled.indices])
        assert np.array_equal(read_indices(path, range(count), strategy=strategy), expected)


def test_full_decode_tells_where_it_stopped(tmp_path, write_video) -> None:
    path = write_video(tmp_path / "a.mp4", **FAST_START)
    position = packet_places(path)[25][0]
    data = bytearray(path.read_bytes())
    data[position : position + 4] = b"\xff\xff\xff\xff"  # the length of the first NAL unit
    path.write_bytes(data)
    result = decode_fully(path)
    assert result.stopped_by is not None
    assert 20 <= result.frame_count < 26
    assert result.problem == f"decoding stopped after {result.frame_count} frames: {result.stopped_by}"
    assert result.declared_frames == 40
    assert len(list(iterate_frames(path))) == result.frame_count
    for strategy in STRATEGIES:
        assert read_sampled(path, UniformSampler(frames=5), strategy=strategy).frame_count == result.frame_count


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sound_that_begins_in_the_middle(tmp_path, strategy) -> None:
    """PyAV has no list of a stream that turns up on the way, and says so by an IndexError at the end."""
    parts = []
    for has_sound, frames in ((False, 220), (True, 40), (False, 60)):
        path = tmp_path / "part.ts"
        generator = np.random.default_rng(0)
        with av.open(str(path), "w", format="mpegts") as container:
            video = container.add_stream("mpeg2video", rate=25)
            video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
            video.codec_context.bit_rate = 6_000_000
            sound = container.add_stream("mp2", rate=48000) if has_sound else None
            for number in range(frames):
                noise = generator.integers(0, 255, (240, 320, 3), dtype=np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
                if sound is not None:
                    silence = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), format="s16", layout="stereo")
                    silence.sample_rate, silence.pts = 48000, number * 1920
                    container.mux(sound.encode(silence))
            container.mux(video.encode())
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))
    with av.open(str(path)) as container:
        assert not container.streams.audio  # it comes behind what a demuxer looks at first
    assert decode_fully(path).frame_count == 320
    found = read_sampled(path, UniformSampler(frames=320), size_px=8, strategy=strategy)
    assert found.frame_count == 320
    assert all(np.diff(found.timestamps_seconds) > 0)
    assert found.timestamps_seconds[-1] == pytest.approx(319 / 25, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.ts"])
def test_any_exception_of_the_library_is_an_error_of_the_file(tmp_path, write_video, monkeypatch, name) -> None:
    """Errors that PyAV is known for, where no file that makes them is at hand."""
    path = write_video(tmp_path / name, codec="mpeg4" if name == "a.avi" else "libx264")

    def fail(*_: object, **__: object) -> object:
        raise IndexError("list index out of range")

    for target in ("muybridge.video.container.av.open", "muybridge.video.picture.VideoReformatter.reformat"):
        with monkeypatch.context() as patch:
            try:
                patch.setattr(target, fail)
            except TypeError:  # a type of C cannot be patched
                continue
            for reader in ("read_indices", "read_sampled", "iterate_frames"):
                with pytest.raises(VideoError, match="IndexError: list index out of range") as caught:
                    READERS[reader](path)
                assert caught.value.path == path


def test_a_lost_picture_is_stood_in_for_and_counted(tmp_path, write_video, numbers_in) -> None:
    path = write_video(tmp_path / "a.mp4", **FAST_START)
    start, end = packet_places(path)[21]
    data = bytearray(path.read_bytes())
    data[start + 24 : end] = bytes(end - start - 24)  # its bytes are there, and mean nothing
    path.write_bytes(data)
    result = decode_fully(path)
    assert result.frame_count == 40
    assert result.stopped_by is None
    assert result.damaged_frames > 0
    assert result.problem == f"{result.damaged_frames} of 40 frames are damaged"
    shown = numbers_in(read_indices(path, range(40)))
    assert shown[:20] == list(range(20))
    assert shown[30:] == list(range(30, 40))
    for strategy in STRATEGIES:
        for index in range(20, 30):
            one = read_indices(path, [index], strategy=strategy)
            assert np.array_equal(one[0], read_indices(path, range(40))[index])
