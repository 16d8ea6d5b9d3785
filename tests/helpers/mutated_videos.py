"""Videos of many containers and codecs, damaged by chance, and whether all ways of reading agree on them.

Run as ``python -m tests.helpers.mutated_videos FOLDER FIRST COUNT``, it prints one line of JSON a video: which it was,
and what went wrong, if anything. It runs in a process of its own, so that a crash or an endless loop in FFmpeg is a
finding too. Each video is a function of its number alone, so a finding can be made again.
"""

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.random import Generator

from muybridge.errors import VideoError
from muybridge.video.decoding import read_indices, read_sampled
from muybridge.video.full_decoding import decode_fully
from muybridge.video.sampling import DenseSampler, UniformSampler

FRAMES = 40

_X264 = {"preset": "ultrafast", "x264-params": "keyint=10:min-keyint=10:scenecut=0:bframes=2:b-pyramid=0"}
_X264_LONG = {"preset": "veryfast", "x264-params": "keyint=250:bframes=3"}
_X264_PLAIN = {"preset": "ultrafast", "x264-params": "keyint=8:bframes=0"}
_MPEG4 = {"g": "10", "b": "2000000"}
_X265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:keyint=10"}
# name of the file: codec, pixel format, options, size, whether it has sound
KINDS: dict[str, tuple[str, str, dict[str, str], tuple[int, int], bool]] = {
    "h264.mp4": ("libx264", "yuv420p", _X264, (64, 48), True),
    "long.mp4": ("libx264", "yuv420p", _X264_LONG, (64, 48), False),
    "plain.mov": ("libx264", "yuv420p", _X264_PLAIN, (64, 48), False),
    "h264.mkv": ("libx264", "yuv420p", _X264, (64, 48), False),
    "h264.avi": ("libx264", "yuv420p", _X264_PLAIN, (64, 48), False),
    "h264.ts": ("libx264", "yuv420p", _X264, (64, 48), True),
    "h264.flv": ("libx264", "yuv420p", _X264, (64, 48), False),
    "raw.h264": ("libx264", "yuv420p", _X264, (64, 48), False),
    "hevc.mp4": ("libx265", "yuv420p", _X265, (128, 96), False),
    "mpeg4.avi": ("mpeg4", "yuv420p", _MPEG4, (160, 112), False),
    "sound.avi": ("mpeg4", "yuv420p", _MPEG4, (64, 48), True),
    "mpeg4b.avi": ("mpeg4", "yuv420p", _MPEG4 | {"bf": "2"}, (64, 48), False),
    "mpeg4.mp4": ("mpeg4", "yuv420p", _MPEG4, (64, 48), False),
    "mpeg4.mkv": ("mpeg4", "yuv420p", _MPEG4, (64, 48), False),
    "divx3.avi": ("msmpeg4", "yuv420p", _MPEG4, (64, 48), False),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"g": "10", "bf": "2"}, (64, 48), False),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"g": "10"}, (64, 48), False),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}, (64, 48), False),
    "mjpeg.mov": ("mjpeg", "yuvj420p", {}, (64, 48), False),
    "raw.mjpeg": ("mjpeg", "yuvj420p", {}, (64, 48), False),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}, (64, 48), False),
    "vp8.webm": ("libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}, (64, 48), False),
    "wmv2.wmv": ("wmv2", "yuv420p", _MPEG4, (64, 48), False),
    "flv1.flv": ("flv", "yuv420p", {"g": "10"}, (64, 48), False),
    "ffv1.mkv": ("ffv1", "yuv420p", {}, (64, 48), False),
    "moving.gif": ("gif", "rgb8", {}, (64, 48), False),
    "tape.dv": ("dvvideo", "yuv420p", {}, (720, 576), False),
}


def make_seed(path: Path, kind: str) -> None:
    """Write the healthy video of a kind."""
    codec, pixel_format, options, (width, height), has_sound = KINDS[kind]
    generator = np.random.default_rng(len(kind))
    picture = generator.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    picture = picture.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    with av.open(str(path), "w", format="hevc" if path.suffix == ".265" else None) as container:
        video: Any = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.thread_type = "NONE"
        sound: Any = (
            container.add_stream("mp2" if path.suffix in (".ts", ".avi") else "aac", 48000) if has_sound else None
        )
        for number in range(8 if codec == "dvvideo" else FRAMES):
            image = np.roll(picture, (number, 2 * number), axis=(0, 1))
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            if sound is not None:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), format="s16", layout="stereo")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 1920 * number, Fraction(1, 48000)
                container.mux(sound.encode(samples))
        container.mux(video.encode())
        if sound is not None:
            container.mux(sound.encode())


def _flip_bits(data: bytearray, random: Generator) -> None:
    for place in random.integers(0, len(data), int(random.integers(1, 30))):
        data[place] ^= 1 << int(random.integers(8))


def _flip_header_bits(data: bytearray, random: Generator) -> None:
    for place in random.integers(0, min(len(data), 700), int(random.integers(1, 6))):
        data[place] ^= 1 << int(random.integers(8))


def _flip_bits_at_the_end(data: bytearray, random: Generator) -> None:
    for place in random.integers(max(0, len(data) - 1500), len(data), int(random.integers(1, 6))):
        data[place] ^= 1 << int(random.integers(8))


def _zero(data: bytearray, random: Generator) -> None:
    start, length = int(random.integers(len(data))), int(random.integers(1, 400))
    data[start : start + length] = bytes(len(data[start : start + length]))


def _noise(data: bytearray, random: Generator) -> None:
    start, length = int(random.integers(len(data))), int(random.integers(1, 200))
    data[start : start + length] = random.bytes(len(data[start : start + length]))


def _cut(data: bytearray, random: Generator) -> None:
    del data[int(random.integers(1, len(data))) :]


def _remove(data: bytearray, random: Generator) -> None:
    start = int(random.integers(len(data)))
    del data[start : start + int(random.integers(1, 1000))]


def _repeat(data: bytearray, random: Generator) -> None:
    start = int(random.integers(len(data)))
    chunk = data[start : start + int(random.integers(1, 2000))]
    data[start:start] = chunk


def _swap(data: bytearray, random: Generator) -> None:
    length = int(random.integers(1, max(2, min(1500, len(data) // 2))))
    first, second = (int(place) for place in random.integers(0, len(data) - length, 2))
    data[first : first + length], data[second : second + length] = (
        data[second : second + length],
        data[first : first + length],
    )


def _join(data: bytearray, random: Generator) -> None:
    data += data[int(random.integers(len(data))) :]


MUTATIONS: tuple[Callable[[bytearray, Generator], None], ...] = (
    _flip_bits,
    _flip_header_bits,
    _flip_bits_at_the_end,
    _zero,
    _noise,
    _cut,
    _remove,
    _repeat,
    _swap,
    _join,
)


def mutated(seeds: dict[str, bytes], number: int) -> tuple[str, str, bytes]:
    """Video ``number``: its kind, how it was damaged, its bytes."""
    kinds = list(KINDS)
    kind = kinds[number % len(kinds)]
    mutation = MUTATIONS[(number + number // len(kinds)) % len(MUTATIONS)]
    data = bytearray(seeds[kind])
    mutation(data, np.random.default_rng([13, number]))
    return kind, mutation.__name__.strip("_"), bytes(data)


def outcome_of(read: Callable[[], Any]) -> Any:
    """What reading gives: values, or the error that a user may see."""
    try:
        return read()
    except VideoError as error:
        assert "\n" not in str(error), str(error)
        return "error"


def _sampled(path: Path, sampler: Any, strategy: Any) -> Any:
    found = read_sampled(path, sampler, strategy=strategy, size_px=48)
    return found.frame_count, found.timestamps_seconds.tolist(), found.frames_THWC.tobytes(), found.indices.tolist()


def disagreement(path: Path, random: Generator) -> str | None:
    """What the ways of reading a file disagree about; None if they agree."""
    full = outcome_of(lambda: decode_fully(path))
    if full != "error" and full.frame_count > 5000:
        return None
    for sampler in (UniformSampler(frames=5), DenseSampler(frames=4)):
        expected = outcome_of(lambda sampler=sampler: _sampled(path, sampler, "sequential"))
        for strategy in ("seek", "auto"):
            found = outcome_of(lambda sampler=sampler, strategy=strategy: _sampled(path, sampler, strategy))
            if "error" in (found, expected):
                if found != expected:
                    return f"{strategy}: only one way is an error"
                continue
            for what, one, other in zip(("count", "times", "pixels", "indices"), found, expected, strict=True):
                if one != other:
                    return f"{strategy}: {what} differ"
        if (full == "error") != (expected == "error") or (full != "error" and full.frame_count != expected[0]):
            return "check counts otherwise"
    if full != "error":
        for index in random.integers(0, full.frame_count, 3).tolist():
            one, other = (
                outcome_of(lambda index=index, s=s: read_indices(path, [index], size_px=48, strategy=s).tobytes())
                for s in ("seek", "sequential")
            )
            if one != other:
                return f"frame {index} differs"
    return None


def main(folder: Path, first: int, count: int) -> None:
    seeds = {}
    for kind in KINDS:
        path = folder / "seeds" / kind
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            make_seed(path, kind)
        seeds[kind] = path.read_bytes()
    for number in range(first, first + count):
        kind, mutation, data = mutated(seeds, number)
        path = folder / f"{number}-{kind}"
        path.write_bytes(data)
        found = {"number": number, "kind": kind, "mutation": mutation}
        print(json.dumps(found | {"begins": True}), flush=True)
        try:
            problem = disagreement(path, np.random.default_rng(number))
        except Exception as error:  # every one but VideoError is a finding
            problem = f"{type(error).__name__}: {error}"
        print(json.dumps(found | {"problem": problem}), flush=True)
        if problem is None:
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
