"""The look at single packets that decides whether a file may be read by its packet index."""

from dataclasses import replace

import av
import numpy as np
import pytest

from muybridge.video.container import open_video
from muybridge.video.index_reading import frames_by_index
from muybridge.video.packets import PacketIndex, PacketOrderError, index_packets

I_VOP, P_VOP, B_VOP = (b"\x00\x00\x01\xb6" + bytes([kind << 6]) + bytes(range(60)) for kind in range(3))
NOT_CODED_VOP = bytes.fromhex("000001b65cc453")  # from a UCF101 file


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (I_VOP, True),
        (bytes.fromhex("000001b0f5000001b509") + I_VOP, True),
        (P_VOP, False),
        (B_VOP, None),
        (P_VOP + B_VOP, None),  # packed
        (NOT_CODED_VOP, None),
        (b"\x7f", None),  # what packing leaves behind, from an HMDB-51 file
        (b"", None),
    ],
)
def test_mpeg4_pictures(data: bytes, expected: bool | None) -> None:
    assert _mpeg4_picture(data) is expected


SLICE, IDR_SLICE, LATER_SLICE, INFORMATION, PARAMETERS = (
    b"\x41\x9a",
    b"\x65\x88",
    b"\x41\x4d",
    b"\x06\x05",
    b"\x67\x64",
)


def packet(*units: bytes) -> bytes:
    """NAL units with four bytes of length before each, as MP4 stores them."""
    return b"".join((len(unit) + 20).to_bytes(4) + unit + bytes(range(20)) for unit in units)


@pytest.fixture(scope="module")
def extradata(write_video, tmp_path_factory) -> dict[str, bytes]:
    """What x264 writes into the header of an MP4, by whether it may code fields."""
    folder, found = tmp_path_factory.mktemp("headers"), {}
    for name, parameters in {
        "frames": "bframes=2",
        "fields": "tff=1",
        "baseline": "cabac=0:bframes=0",
    }.items():
        path = write_video(folder / f"{name}.mp4", frames=2, options={"x264-params": parameters})
        with av.open(str(path)) as container:
            found[name] = container.streams.video[0].codec_context.extradata
    return found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (packet(IDR_SLICE), True),
        (packet(INFORMATION, IDR_SLICE), True),
        (packet(SLICE), False),
        (packet(SLICE, LATER_SLICE), False),
        (packet(SLICE, SLICE), None),  # two pictures, or two fields
        (packet(LATER_SLICE), None),  # a picture without its beginning
        (packet(INFORMATION), None),
        (packet(PARAMETERS, IDR_SLICE), None),  # the header might not hold for it
        (packet(SLICE)[:-1], None),  # cut off
        (packet(SLICE) + b"\x00", None),
        (b"\xff\xff\xff\xff" + packet(SLICE), None),
        (bytes(40), None),
    ],
)
def test_h264_pictures(extradata, data: bytes, expected: bool | None) -> None:
    check = _h264_check(extradata["frames"])
    assert check is not None
    assert check(data) is expected


def test_h264_headers(extradata) -> None:
    assert _h264_check(extradata["baseline"]) is not None
    assert _h264_check(extradata["fields"]) is None
    assert _h264_check(b"") is None
    assert _h264_check(b"\x00\x00\x00\x01\x67" + extradata["frames"]) is None  # start codes, as in AVI
    end = 8 + int.from_bytes(extradata["frames"][6:8])
    for length in range(end):  # cut off anywhere in its parameters
        assert _h264_check(extradata["frames"][:length]) is None


def test_reading_by_a_wrong_index_is_noticed(write_video, tmp_path) -> None:
    options = {"x264-params": "keyint=10:min-keyint=10:scenecut=0"}
    path = write_video(tmp_path / "clip.mp4", frames=30, options=options)
    with open_video(path) as (container, stream):
        index = index_packets(container, stream)
        assert index is not None

        def read(index: PacketIndex) -> int:
            return len(list(frames_by_index(container, stream, index, [3, 15, 25], least_jump=1)))

        assert read(index) == 3
        for name in (
            "pts",
            "sizes_bytes",
            "shown_pts",
        ):  # the file changed since, or the decoder sees it otherwise
            wrong = getattr(index, name).copy()
            wrong[11] += 1
            with pytest.raises(PacketOrderError):
                read(replace(index, **{name: wrong}))
        with pytest.raises(PacketOrderError):  # a place where decoding cannot begin
            read(replace(index, restarts=np.array([0, 13, 20])))
        longer = replace(index, shown_pts=np.append(index.shown_pts, index.shown_pts[-1] + 1))
        with pytest.raises(PacketOrderError):  # a frame that never comes
            list(frames_by_index(container, stream, longer, [30], least_jump=1))
