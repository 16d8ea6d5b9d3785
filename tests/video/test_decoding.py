"""Exact frames: the numbers that the pictures show, and equal pixels whichever way they were read."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muybridge.errors import VideoError
from muybridge.video import decoding
from muybridge.video.container import open_video
from muybridge.video.decoding import iterate_frames, read_indices, read_sampled
from muybridge.video.full_decoding import decode_fully
from muybridge.video.index.index_reading import frames_by_index
from muybridge.video.index.packets import index_packets
from muybridge.video.probing import probe
from muybridge.video.sampling import DenseSampler, SlidingSampler, UniformSampler

STRATEGIES = ("auto", "seek", "sequential")


def unturned(images: np.ndarray, rotation_degrees: int) -> np.ndarray:
    return np.rot90(images, -(rotation_degrees // 90), axes=(1, 2))


# ---- every generated file


def test_frame_i_is_the_ith_shown(odd_video, numbers_in) -> None:
    frames = list(iterate_frames(odd_video.path))
    assert [frame.index for frame in frames] == list(range(len(odd_video.numbers)))
    images = np.stack([frame.image_HWC for frame in frames])
    assert numbers_in(unturned(images, odd_video.rotation_degrees)) == odd_video.numbers
    # MKV rounds times to milliseconds, GIF to hundredths.
    assert np.allclose([frame.timestamp_seconds for frame in frames], odd_video.seconds, atol=0.0011)


def test_every_single_frame_is_the_same_by_seeking(odd_video) -> None:
    count = len(odd_video.numbers)
    expected = read_indices(odd_video.path, range(count), strategy="sequential")
    assert np.array_equal(read_indices(odd_video.path, range(count), strategy="seek"), expected)
    for index in range(0, count, 3):
        assert np.array_equal(read_indices(odd_video.path, [index], strategy="seek")[0], expected[index])


def test_seeking_is_used_exactly_where_it_is_safe(odd_video) -> None:
    with open_video(odd_video.path) as (container, stream):
        index = index_packets(container, stream)
        if odd_video.restarts is None:
            assert index is None
            return
        assert index is not None
        assert len(index.restarts) == odd_video.restarts
        # Does not fall back: reads the last frame of each stretch, and with a jump before each.
        ends = [*(index.restarts[1:] - 1).tolist(), len(odd_video.numbers) - 1]
        assert len(list(frames_by_index(container, stream, index, ends, least_jump=1))) == len(ends)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sampling_counts_the_true_frames(odd_video, strategy, numbers_in) -> None:
    sampler = UniformSampler(frames=5)
    sampled = read_sampled(odd_video.path, sampler, views=2, strategy=strategy)
    assert sampled.frame_count == len(odd_video.numbers)
    shown = numbers_in(unturned(sampled.frames_THWC, odd_video.rotation_degrees))
    assert shown == [odd_video.numbers[index] for index in sampled.indices]
    assert np.allclose(sampled.timestamps_seconds, np.take(odd_video.seconds, sampled.indices), atol=0.0011)
    wanted = sampler.views(len(odd_video.numbers), count=2)
    assert [sampled.indices[view].tolist() for view in sampled.views] == [view.tolist() for view in wanted]


def test_time_range_counts_from_the_first_frame(odd_video) -> None:
    if len(odd_video.numbers) == 1:
        return
    start, end = 0.35, 1.03  # between the times of frames, so that rounded times cannot matter
    inside = [index for index, seconds in enumerate(odd_video.seconds) if start <= seconds < end]
    expected = read_indices(odd_video.path, inside)
    within = {"start_seconds": start, "end_seconds": end}
    for strategy in STRATEGIES:
        asked = read_indices(odd_video.path, range(len(inside)), strategy=strategy, **within)
        assert np.array_equal(asked, expected)
        sampled = read_sampled(odd_video.path, DenseSampler(frames=4), strategy=strategy, **within)
        assert sampled.frame_count == len(inside)
        assert np.array_equal(sampled.frames_THWC, expected[sampled.indices])
    streamed = list(iterate_frames(odd_video.path, **within))
    assert [frame.index for frame in streamed] == list(range(len(inside)))
    assert np.array_equal(np.stack([frame.image_HWC for frame in streamed]), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_asking_too_far_tells_the_true_count(odd_video, strategy) -> None:
    count = len(odd_video.numbers)
    with pytest.raises(VideoError, match=f"no frame {count} .*{count} frames decode"):
        read_indices(odd_video.path, [0, count], strategy=strategy)


def test_probe_and_full_decode_agree_with_the_writer(odd_video) -> None:
    info, result = probe(odd_video.path), decode_fully(odd_video.path)
    first = next(iterate_frames(odd_video.path)).image_HWC
    for found in (info, result):
        assert (found.height_px, found.width_px) == first.shape[:2]
        assert found.declared_frames in (None, 777, len(odd_video.numbers), 40)
    assert info.rotation_degrees == odd_video.rotation_degrees % 360
    assert result.frame_count == len(odd_video.numbers)
    assert result.problem is None
    assert result.duration_seconds == pytest.approx(odd_video.seconds[-1] + 0.04, abs=0.01)


# ---- particulars


@pytest.fixture(scope="module")
def plain(write_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames of H.264 with B-frames and a restart point every ten."""
    options = {"x264-params": "keyint=10:min-keyint=10:scenecut=0"}
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", options=options)


@given(indices=st.lists(st.integers(0, 39), min_size=1, max_size=12), strategy=st.sampled_from(STRATEGIES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_indices_in_any_order_with_repeats(plain, numbers_in, indices, strategy) -> None:
    assert numbers_in(read_indices(plain, indices, strategy=strategy)) == indices


def test_indices_must_be_given_and_not_negative(plain) -> None:
    with pytest.raises(VideoError, match="count from 0"):
        read_indices(plain, [3, -1])
    with pytest.raises(ValueError, match="empty"):
        read_indices(plain, [])


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (2.0, 1.0, "must lie before the end"),
        (-1.0, 1.0, "must not be negative"),
        (float("nan"), 1.0, "bad time range"),
        (1.0, 1.0, "bad time range"),
        (1.6, 9.0, r"no frame from 1.6 to 9 s \(the last frame is at 1.560 s"),
        (0.01, 0.03, "no frame from 0.01 to 0.03 s"),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_bad_time_ranges(plain, start, end, reason, strategy) -> None:
    within = {"start_seconds": start, "end_seconds": end}
    with pytest.raises(VideoError, match=reason):
        read_indices(plain, [0], strategy=strategy, **within)
    with pytest.raises(VideoError, match=reason):
        read_sampled(plain, UniformSampler(), strategy=strategy, **within)
    with pytest.raises(VideoError, match=reason):
        next(iterate_frames(plain, **within))


def test_the_end_of_a_time_range_is_left_out(plain, numbers_in) -> None:
    frames = list(iterate_frames(plain, start_seconds=0.12, end_seconds=0.24))
    assert numbers_in([frame.image_HWC for frame in frames]) == [3, 4, 5]


@pytest.mark.parametrize(("size_px", "interpolation"), [(24, cv2.INTER_AREA), (96, cv2.INTER_LINEAR)])
def test_size_squashes_to_a_square(plain, size_px, interpolation) -> None:
    native = read_indices(plain, [7, 21])
    assert native.shape == (2, 48, 64, 3)
    expected = [cv2.resize(image, (size_px, size_px), interpolation=interpolation) for image in native]
    assert np.array_equal(read_indices(plain, [7, 21], size_px=size_px), expected)
    assert np.array_equal(next(iterate_frames(plain, size_px=size_px)).image_HWC.shape, (size_px, size_px, 3))


def test_colours_are_rgb(tmp_path) -> None:
    with av.open(str(tmp_path / "red.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        red = np.zeros((32, 32, 3), np.uint8)
        red[..., 0] = 200
        container.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        container.mux(stream.encode())
    assert np.array_equal(read_indices(tmp_path / "red.mkv", [0])[0], red)


def test_all_windows_of_a_sliding_sampler(plain, numbers_in) -> None:
    sampled = read_sampled(plain, SlidingSampler(frames=3, stride=2, hop=16), views=None)
    shown = [numbers_in(sampled.frames_THWC[view]) for view in sampled.views]
    assert shown == [[0, 2, 4], [16, 18, 20], [32, 34, 36], [35, 37, 39]]
    assert sampled.indices.tolist() == [0, 2, 4, 16, 18, 20, 32, 34, 35, 36, 37, 39]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_clip_too_short_for_the_sampler_is_named(plain, strategy) -> None:
    with pytest.raises(VideoError, match=r"plain.mp4: the clip has 40 frames, .* 41"):
        read_sampled(plain, UniformSampler(frames=41, policy="error"), strategy=strategy)


def test_a_file_too_big_to_hold_is_read_twice(plain, monkeypatch) -> None:
    sampler = UniformSampler(frames=7)
    held = read_sampled(plain, sampler, strategy="sequential")
    monkeypatch.setattr(decoding, "_HOLD_BYTES", 20_000)
    again = read_sampled(plain, sampler, strategy="sequential")
    assert again.indices.tolist() == held.indices.tolist()
    assert np.array_equal(again.frames_THWC, held.frames_THWC)


def test_pictures_of_changing_size_need_a_size(tmp_path, write_video) -> None:
    first = write_video(tmp_path / "first.mpg", codec="mpeg2video", frames=4, width_px=64, height_px=48)
    second = write_video(tmp_path / "second.mpg", codec="mpeg2video", frames=4, width_px=96, height_px=64)
    both = tmp_path / "both.mpg"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    count = decode_fully(both).frame_count
    assert count > 4
    assert read_indices(both, range(count), size_px=32).shape == (count, 32, 32, 3)
    with pytest.raises(VideoError, match="size changes"):
        read_indices(both, [0, count - 1])


# ---- real files


def real_files(shared: Path) -> list[Path]:
    data = shared / "data" / "ucf101-10"
    originals, clips = sorted(data.glob("originals/*/*.avi")), sorted(data.glob("clips/*/*.mp4"))
    return [*sorted((shared / "odd").iterdir()), *originals[::8], *clips[::200]]


def test_real_files_are_the_same_by_seeking(shared) -> None:
    for path in real_files(shared):
        slow, fast = (
            read_sampled(path, UniformSampler(frames=5), strategy=strategy) for strategy in ("sequential", "seek")
        )
        assert fast.frame_count == slow.frame_count, path
        assert np.array_equal(fast.indices, slow.indices), path
        assert np.array_equal(fast.frames_THWC, slow.frames_THWC), path
        assert np.array_equal(fast.timestamps_seconds, slow.timestamps_seconds), path


def test_most_originals_allow_seeking(shared) -> None:
    paths = sorted((shared / "data" / "ucf101-10" / "originals").glob("*/*.avi"))
    trusted = 0
    for path in paths:
        with open_video(path) as (container, stream):
            trusted += index_packets(container, stream) is not None
    assert trusted >= 0.8 * len(paths)


def test_real_files_agree_with_opencv(shared) -> None:
    """OpenCV, another reader on FFmpeg, sees the same frames in the same order, the same way up."""
    for path in real_files(shared):
        capture = cv2.VideoCapture(str(path))
        frames = iterate_frames(path)
        for index in range(12):
            frame = next(frames, None)
            found, image_BGR = capture.read()
            assert found == (frame is not None), (path, index)
            if frame is None:
                break
            difference = np.abs(image_BGR[..., ::-1].astype(int) - frame.image_HWC).mean()
            assert difference < 3, (path, index)


@pytest.mark.parametrize(
    ("name", "count", "declared"),
    [
        ("corrupted.mp4", 28, 50),
        ("flipping_a_pancake.mkv", 310, None),
        ("hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi", 83, 84),
        ("unordered.mov", 4, 4),
        ("demo.mp4", 280, 280),
    ],
)
def test_real_counts(shared, name, count, declared, capfd) -> None:
    result = decode_fully(shared / "odd" / name)
    assert (result.frame_count, result.declared_frames) == (count, declared)
    assert (result.problem is None) == (name != "corrupted.mp4")
    sampled = read_sampled(shared / "odd" / name, UniformSampler(frames=3))
    assert (sampled.frame_count, sampled.declared_frames) == (count, declared)
    assert capfd.readouterr().err == ""  # FFmpeg keeps quiet


def test_real_timestamps_rise(shared) -> None:
    for path in sorted((shared / "odd").iterdir()):
        seconds = [frame.timestamp_seconds for frame in iterate_frames(path, size_px=8)]
        assert seconds[0] == 0
        assert all(np.diff(seconds) > 0), path
        info = probe(path)
        assert seconds[-1] <= info.duration_seconds, path
        if info.codec == "mpeg4":  # constant rate
            assert np.allclose(np.diff(seconds), 1 / info.frames_per_second), path


@pytest.mark.parametrize(("name", "degrees"), [("0", 0), ("90", 270), ("180", 180), ("270", 90)])
def test_real_rotation(shared, name, degrees) -> None:
    info = probe(shared / "odd" / f"video_{name}.mov")
    assert info.rotation_degrees == degrees
    assert (info.width_px, info.height_px) == ((320, 568) if degrees % 180 else (568, 320))
