"""All eight display matrices, also of pictures that are not square: what is shown is what a player shows."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from muybridge.video.decoding import iterate_frames, read_indices
from muybridge.video.full_decoding import decode_fully
from muybridge.video.picture import Orientation, orientation_of
from muybridge.video.probing import probe

# a, b, c, d of x' = a x + c y, y' = b x + d y
MATRICES = [
    (1, 0, 0, 1),
    (-1, 0, 0, 1),
    (1, 0, 0, -1),
    (-1, 0, 0, -1),
    (0, 1, -1, 0),
    (0, -1, 1, 0),
    (0, 1, 1, 0),
    (0, -1, -1, 0),
]


def packed(a: float, b: float, c: float, d: float, order: str) -> bytes:
    first = [round(each * 65536) for each in (a, b, 0, c, d, 0)]
    return struct.pack(f"{order}9i", *first, 0, 0, 1 << 30)


def write(path: Path, matrix: tuple[float, ...], aspect: Fraction | None) -> np.ndarray:
    picture = np.full((48, 64, 3), 30, np.uint8)
    picture[:24, :32] = 220
    picture[:8] = 120
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = packed(*matrix, order=">")
    path.write_bytes(data)
    return picture


@pytest.mark.parametrize("aspect", [None, Fraction(4, 3), Fraction(3, 4)])
@pytest.mark.parametrize("scale", [1, 1.5])
@pytest.mark.parametrize("matrix", MATRICES)
def test_the_picture_is_the_one_that_is_shown(tmp_path, matrix, scale, aspect) -> None:
    a, b, c, d = matrix
    path = tmp_path / "a.mp4"
    picture = write(path, (a * scale, b, c * scale, d), aspect)  # of a player that stretches it across
    # Where each pixel goes, by the matrix alone.
    expected = picture[::d, ::a] if a else picture.transpose(1, 0, 2)[::b, ::c]
    for found in (read_indices(path, [0])[0], next(iterate_frames(path)).image_HWC):
        assert found.shape == expected.shape
        assert np.abs(found.astype(int) - expected).mean() < 2
    info, result = probe(path), decode_fully(path)
    assert (info.height_px, info.width_px) == (result.height_px, result.width_px) == expected.shape[:2]
    assert info.mirrored == (a * d - b * c < 0)


def test_another_angle_is_rounded_and_no_matrix_is_none() -> None:
    thirty = np.radians(30)
    turned = packed(np.cos(thirty), np.sin(thirty), -np.sin(thirty), np.cos(thirty), "=")
    assert orientation_of(turned) == Orientation()
    sixty = np.radians(60)
    turned = packed(np.cos(sixty), np.sin(sixty), -np.sin(sixty), np.cos(sixty), "=")
    assert orientation_of(turned) == Orientation(quarter_turns=3)
    assert orientation_of(bytes(36)) == Orientation()
