"""Decoding on a GPU: refused in one line where there is none, and where there is one, the frames of the processor."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.errors import UserError
from muybridge.video.decoding import read_sampled
from muybridge.video.hardware import acceleration, decoding_on, require_decoder
from muybridge.video.sampling import UniformSampler

MEAN_DIFFERENCE = 1.0
"""Of 255, on average: the GPU's pictures come with their colours side by side (NV12) and are converted from that."""


def has_gpu() -> bool:
    try:
        require_decoder("nvdec")
    except UserError:
        return False
    return True


def test_the_wheel_that_is_installed_knows_cuda():
    assert "cuda" in hwdevices_available()


def test_the_processor_decodes_unless_told_otherwise():
    require_decoder("cpu")
    assert acceleration() is None
    with decoding_on("nvdec"):
        assert acceleration() is not None
    assert acceleration() is None


@pytest.mark.skipif(has_gpu(), reason="there is an NVIDIA GPU")
def test_without_a_gpu_a_training_is_refused_before_anything_is_written(clips, tmp_path):
    with pytest.raises(
        UserError, match=r"data.decoder is nvdec, and no NVIDIA GPU can be opened here \(.*data.decoder cpu"
    ):
        api.train(clips, tiny_recipe("--data.decoder", "nvdec"), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_codec_that_no_gpu_decodes_is_an_error_of_its_file_and_not_decoded_elsewhere(tmp_path):
    """Found before a device is looked for."""
    path = tmp_path / "lossless.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(5):
            image = np.full((48, 64, 3), 40 * level, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    sampler = UniformSampler(frames=4)
    assert read_sampled(path, sampler).frame_count == 5
    with decoding_on("nvdec"), pytest.raises(UserError, match="its codec is none that the GPU decodes"):
        read_sampled(path, sampler)


@pytest.mark.skipif(not has_gpu(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("pattern", [{}, {"bf": "2"}, {"g": "5"}], ids=["plain", "B frames", "many key frames"])
def test_on_a_gpu_the_frames_are_those_of_the_processor(tmp_path: Path, pattern: dict[str, str]):
    path = tmp_path / "clip.mp4"
    generator = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25, options=pattern)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(60):
            image = np.kron(generator.integers(0, 255, (15, 20, 3)), np.ones((16, 16, 1))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for strategy in ("seek", "sequential"):
        sampler = UniformSampler(frames=16)
        expected = read_sampled(path, sampler, strategy=strategy)
        with decoding_on("nvdec"):
            found = read_sampled(path, sampler, strategy=strategy)
        assert found.frame_count == expected.frame_count == 60
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.timestamps_seconds, expected.timestamps_seconds)
        differences = np.abs(found.frames_THWC.astype(int) - expected.frames_THWC)
        assert differences.mean(axis=(1, 2, 3)).max() <= MEAN_DIFFERENCE
