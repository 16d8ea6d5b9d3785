"""The look at single packets that decides whether a file may be read by its packet index."""

from dataclasses import replace

import av
import numpy as np
import pytest

from muybridge.video.container import open_video
from muybridge.video.decoding import read_sampled
from muybridge.video.index import packets
from muybridge.video.index.h264_headers import read_header
from muybridge.video.index.index_reading import frames_by_index, jump_cost_frames, plan_stretches
from muybridge.video.index.packet_kinds import PacketKind, h264_kinds, mpeg4_kinds
from muybridge.video.index.packets import PacketIndex, PacketOrderError, index_packets, reordering
from muybridge.video.sampling import UniformSampler

I_VOP, P_VOP, B_VOP = (b"\x00\x00\x01\xb6" + bytes([kind << 6]) + bytes(range(60)) for kind in range(3))
NOT_CODED_VOP = bytes.fromhex("000001b65cc453")  # from a UCF101 file
NOT_CODED_I_VOP = bytes.fromhex("000001b61cc453")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (I_VOP, PacketKind.RESTART),
        (bytes.fromhex("000001b0f5000001b509") + I_VOP, PacketKind.RESTART),
        (P_VOP, PacketKind.REFERENCE),
        (B_VOP, None),
        (P_VOP + B_VOP, None),  # packed
        (NOT_CODED_VOP, PacketKind.NO_PICTURE),
        (NOT_CODED_I_VOP, None),
        (b"\x7f", None),  # what packing leaves behind, from an HMDB-51 file
        (b"", None),
    ],
)
def test_mpeg4_packets(data: bytes, expected: PacketKind | None) -> None:
    assert mpeg4_kinds(320, 240)(data) is expected


def test_a_short_vop_of_a_tiny_picture_may_be_coded() -> None:
    assert mpeg4_kinds(64, 48)(NOT_CODED_VOP) is None


SLICE, B_SLICE, IDR_SLICE, LATER_SLICE, INFORMATION, PARAMETERS = (
    b"\x41\x9a",
    b"\x01\x9e",
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
        (packet(IDR_SLICE), PacketKind.RESTART),
        (packet(INFORMATION, IDR_SLICE), PacketKind.RESTART),
        (packet(SLICE), PacketKind.REFERENCE),
        (packet(SLICE, LATER_SLICE), PacketKind.REFERENCE),
        (packet(B_SLICE), PacketKind.DISPOSABLE),
        (packet(B_SLICE, LATER_SLICE), PacketKind.REFERENCE),  # in doubt, it is kept
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
def test_h264_packets(extradata, data: bytes, expected: PacketKind | None) -> None:
    kind_of = h264_kinds(extradata["frames"])
    assert kind_of is not None
    assert kind_of(data) is expected


def test_h264_headers(extradata) -> None:
    header = read_header(extradata["frames"])
    assert header is not None and header.reorder_depth == 2  # x264 makes a pyramid of its B pictures
    plain = read_header(extradata["baseline"])
    assert plain is not None and plain.reorder_depth == 0
    assert read_header(extradata["fields"]) is None
    assert read_header(b"") is None
    assert read_header(b"\x00\x00\x00\x01\x67" + extradata["frames"]) is None  # start codes, as in AVI
    end = 8 + int.from_bytes(extradata["frames"][6:8])
    for length in range(end):  # cut off anywhere in its parameters
        assert read_header(extradata["frames"][:length]) is None


@pytest.mark.parametrize(
    ("pts", "depth"),
    [([0, 1, 2, 3], 0), ([0, 3, 1, 2, 6, 4, 5], 1), ([0, 4, 2, 1, 3], 2), ([4, 3, 2, 1, 0], 4)],
)
def test_reordering(pts: list[int], depth: int) -> None:
    assert reordering(np.array(pts)) == depth


def made_index(spacing: int, frames: int = 240, *, b_frames: int = 0) -> PacketIndex:
    """An index with a restart point every ``spacing`` frames, and unneeded pictures between the others."""
    pts: list[int] = []
    is_unneeded: list[bool] = []
    for start in range(0, frames, spacing):
        pts.append(start)
        is_unneeded.append(False)
        shown = start + 1
        while shown < start + spacing:
            group = min(b_frames + 1, start + spacing - shown)
            pts += [shown + group - 1, *range(shown, shown + group - 1)]
            is_unneeded += [False] + [True] * (group - 1)
            shown += group
    return PacketIndex(
        pts=np.array(pts),
        dts=np.arange(frames),
        sizes_bytes=np.full(frames, 100),
        restarts=np.arange(0, frames, spacing),
        shown_pts=np.arange(frames),
        disposable=np.array(is_unneeded),
        no_picture_pts=frozenset(),
        packets=None,
    )


WANTED_5 = [0, 59, 119, 179, 238]


@pytest.mark.parametrize(
    ("spacing", "least_jump", "stretches", "decoded"),
    [
        (12, 1, 5, 1 + 12 + 12 + 12 + 11),  # each frame from the restart point before it
        (240, 1, 1, 239),  # read through, to the last wanted frame
        (120, 1, 1, 239),  # frame 119 ends at the next restart point: going on costs nothing more
        (1, 4, 5, 5),
        (30, 60, 1, 239),  # a jump that costs more than it saves
    ],
)
def test_what_is_decoded_follows_from_the_spacing_of_restarts(spacing, least_jump, stretches, decoded) -> None:
    plan = plan_stretches(made_index(spacing), WANTED_5, least_jump=least_jump)
    assert len(plan) == stretches
    assert sum(len(stretch.positions) for stretch in plan) == decoded
    assert [frame for stretch in plan for frame in sorted(stretch.wanted)] == WANTED_5


@pytest.mark.parametrize("b_frames", [0, 1, 3])
@pytest.mark.parametrize("spacing", [8, 30, 240])
def test_plans_leave_out_only_what_nobody_needs(spacing, b_frames) -> None:
    index = made_index(spacing, b_frames=b_frames)
    plan = plan_stretches(index, WANTED_5, least_jump=1)
    for stretch in plan:
        first, last = stretch.positions[0], stretch.positions[-1]
        assert first in index.restarts
        left_out = set(range(first, last + 1)) - set(stretch.positions)
        assert all(index.disposable[position] for position in left_out)
        assert all(int(index.pts[position]) not in WANTED_5 for position in left_out)
        assert sorted(index.pts[list(stretch.positions)].tolist()) == list(stretch.frames)
    if b_frames:
        assert sum(len(stretch.positions) for stretch in plan) < sum(
            len(stretch.positions) for stretch in plan_stretches(made_index(spacing), WANTED_5, least_jump=1)
        )


def test_jumps_cost_more_where_packets_are_not_at_hand() -> None:
    far = made_index(12)
    assert jump_cost_frames(far) > jump_cost_frames(replace(far, packets=()))


@pytest.mark.parametrize("is_at_hand", [True, False])
def test_reading_by_a_wrong_index_is_noticed(write_video, tmp_path, is_at_hand) -> None:
    options = {"x264-params": "keyint=10:min-keyint=10:scenecut=0"}
    path = write_video(tmp_path / "clip.mp4", frames=30, options=options)
    with open_video(path) as (container, stream):
        index = index_packets(container, stream)
        assert index is not None and index.packets is not None and index.disposable.any()
        # So that every packet is read and every frame met; a picture left out is not looked at.
        index = replace(index, disposable=np.zeros(30, dtype=bool))
        if not is_at_hand:
            index = replace(index, packets=None)

        def read(index: PacketIndex) -> int:
            return len(list(frames_by_index(container, stream, index, [3, 15, 25], least_jump=1)))

        assert read(index) == 3
        wrong_names = ["shown_pts"] if is_at_hand else ["pts", "sizes_bytes", "shown_pts"]
        for name in wrong_names:  # the file changed since, or the decoder sees it otherwise
            wrong = getattr(index, name).copy()
            wrong[11] += 1
            with pytest.raises(PacketOrderError):
                read(replace(index, **{name: wrong}))
        with pytest.raises(PacketOrderError):  # a place where decoding cannot begin
            read(replace(index, restarts=np.array([0, 13, 20])))
        longer = replace(index, shown_pts=np.append(index.shown_pts, index.shown_pts[-1] + 1))
        with pytest.raises(PacketOrderError):  # a frame that never comes
            list(frames_by_index(container, stream, longer, [30], least_jump=1))


@pytest.mark.parametrize("bframes", [0, 3])
def test_packets_too_big_to_keep_are_read_again(write_video, tmp_path, monkeypatch, bframes) -> None:
    options = {"x264-params": f"keyint=10:min-keyint=10:scenecut=0:bframes={bframes}"}
    path = write_video(tmp_path / "clip.mp4", frames=40, options=options)
    sampler = UniformSampler(frames=5)
    in_order = read_sampled(path, sampler, strategy="sequential")
    monkeypatch.setattr(packets, "KEEP_BYTES", 2000)
    with open_video(path) as (container, stream):
        index = index_packets(container, stream)
        assert index is not None and index.packets is None
        wanted = in_order.indices.tolist()
        assert len(list(frames_by_index(container, stream, index, wanted, least_jump=1))) == len(wanted)
    for strategy in ("auto", "seek"):
        assert np.array_equal(read_sampled(path, sampler, strategy=strategy).frames_THWC, in_order.frames_THWC)


def test_real_h264_leaves_pictures_out_and_keeps_every_pixel(shared) -> None:
    left_out = 0
    for path in sorted((shared / "data" / "ucf101-10" / "clips").glob("*/*.mp4"))[::60]:
        with open_video(path) as (container, stream):
            index = index_packets(container, stream)
            assert index is not None
            left_out += int(index.disposable.sum())
        for frames in (5, 32):
            fast, slow = (read_sampled(path, UniformSampler(frames=frames), strategy=s) for s in ("auto", "sequential"))
            assert np.array_equal(fast.frames_THWC, slow.frames_THWC), path
            assert np.array_equal(fast.timestamps_seconds, slow.timestamps_seconds), path
    assert left_out > 0


def test_originals_with_empty_packets_are_read_by_index(shared) -> None:
    found = 0
    for path in sorted((shared / "data" / "ucf101-10" / "originals").glob("*/*.avi")):
        with open_video(path) as (container, stream):
            index = index_packets(container, stream)
            if index is None or not index.no_picture_pts:
                continue
        found += 1
        fast, slow = (read_sampled(path, UniformSampler(frames=16), strategy=s) for s in ("auto", "sequential"))
        assert fast.frame_count == slow.frame_count, path
        assert np.array_equal(fast.frames_THWC, slow.frames_THWC), path
        assert np.array_equal(fast.timestamps_seconds, slow.timestamps_seconds), path
    assert found > 0
