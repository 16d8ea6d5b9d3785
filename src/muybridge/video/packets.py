"""The packets of a file as an index, and whether that index may be trusted to name frames.

Demuxing lists every packet without decoding any, about ten times faster than decoding. If every packet is
exactly one frame, the list says how many frames there are, when each is shown, and where decoding can
restart. Real files break this in many ways: empty or "repeat the last picture" packets, two pictures in one
packet, fields, packets that an edit list hides, missing or repeated timestamps. So a file is trusted only
if each of its packets passes a look at its first bytes, for the three codecs where that look is short and
decisive:

- H.264 in length-prefixed form (MP4, MOV, MKV), progressive: one slice with first_mb_in_slice = 0 per packet;
  decoding restarts at IDR pictures only, never at the recovery points of open GOPs.
- MPEG-4 part 2 (most AVI data sets) without B pictures: one VOP per packet, no shorter than a coded one can
  be; restarts at I pictures.
- Motion JPEG: restarts everywhere.

What this cannot see lies inside packets that are never decoded. Damage there that keeps the structure
(flipped bits): had the decoder refused that packet, a full read would have ended there. And an H.264 stream
that does not declare how deep it reorders: FFmpeg finds out from the first packets, and drops a picture
wherever the depth grows later. Where such packets are decoded, it shows, and the file is read in order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from muybridge.video.probing import declared_frames

# Tells of one packet: True, it is one picture that needs no other; False, one picture; None, anything else.
PictureCheck = Callable[[bytes], bool | None]

_AVCC_VERSION = 1
_H264_SLICE, _H264_IDR_SLICE, _H264_SPS = 1, 5, 7
_H264_PARTITIONS = (2, 3, 4)
# Profiles whose sequence parameter set carries the chroma format (ITU-T H.264, 7.3.2.1.1).
_H264_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_MPEG4_VOP = b"\x00\x00\x01\xb6"
_MPEG4_I, _MPEG4_P = 0, 1
# A VOP that is "not coded" repeats the picture before it and gives no frame. With its start code it takes 7
# or 8 bytes, and one bit more for each second since the picture before; a coded one has a bit per
# macroblock at least.
_MPEG4_CODED_BYTES = 16


class PacketOrderError(Exception):
    """Reading by the index met something else than the index says: the file must be read in order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PacketIndex:
    """The packets of the video stream in decoding order; each is one frame.

    Attributes:
        pts: presentation timestamp of each packet, in units of the stream's time base.
        dts: decoding timestamp of each packet, or the presentation one where there is none.
        sizes_bytes: size of each packet.
        restarts: rising positions of packets at which decoding can begin. All packets before such a one are
            shown before it, so its position is also the index of its frame.
        shown_pts: the timestamps in order of presentation: that of frame i is ``shown_pts[i]``.
    """

    pts: npt.NDArray[np.int64]
    dts: npt.NDArray[np.int64]
    sizes_bytes: npt.NDArray[np.int64]
    restarts: npt.NDArray[np.int64]
    shown_pts: npt.NDArray[np.int64]

    def seconds(self, stream: VideoStream) -> npt.NDArray[np.float64]:
        """Time of each frame since the first, rounded once, so that 0.3 s compares equal to 0.3."""
        base = stream.time_base or Fraction(1)
        return np.array([float(int(ticks) * base) for ticks in self.shown_pts - self.shown_pts[0]])


def index_packets(container: InputContainer, stream: VideoStream) -> PacketIndex | None:
    """Demux ``stream`` to its end; return its index, or None if only decoding can tell its frames."""
    check = _picture_check(stream)
    if check is None:
        return None
    timestamps: list[tuple[int, int]] = []
    sizes_bytes: list[int] = []
    intra: list[int] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 and packet.pts is None and packet.dts is None:
                continue  # the empty packet with which PyAV ends every stream
            if packet.pts is None or packet.is_corrupt or packet.is_discard:
                return None
            if packet.has_sidedata("new_extradata"):
                return None
            kind = check(bytes(packet))
            if kind is None:
                return None
            if kind and packet.is_keyframe:
                intra.append(len(timestamps))
            timestamps.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
            sizes_bytes.append(packet.size)
    except av.FFmpegError:
        return None
    if not intra or intra[0] != 0 or declared_frames(stream) not in (None, len(timestamps)):
        return None
    pts, dts = np.array(timestamps, dtype=np.int64).T
    shown_pts = np.unique(pts)
    if len(shown_pts) != len(pts):
        return None
    return PacketIndex(
        pts=pts,
        dts=dts,
        sizes_bytes=np.array(sizes_bytes, dtype=np.int64),
        restarts=_closed(pts, intra),
        shown_pts=shown_pts,
    )


def _closed(pts: npt.NDArray[np.int64], intra: list[int]) -> npt.NDArray[np.int64]:
    """Those positions where everything before is shown before everything from there on."""
    latest_before = np.maximum.accumulate(pts)
    earliest_from = np.minimum.accumulate(pts[::-1])[::-1]
    return np.array([i for i in intra if i == 0 or latest_before[i - 1] < earliest_from[i]], dtype=np.int64)


def _picture_check(stream: VideoStream) -> PictureCheck | None:
    context = stream.codec_context
    if context.name == "h264":
        return _h264_check(context.extradata or b"")
    return {"mpeg4": _mpeg4_picture, "mjpeg": _mjpeg_picture}.get(context.name)


def _mjpeg_picture(data: bytes) -> bool | None:
    return True if data.startswith(b"\xff\xd8") else None


def _mpeg4_picture(data: bytes) -> bool | None:
    start = data.find(_MPEG4_VOP)
    if start < 0 or len(data) - start < _MPEG4_CODED_BYTES or data.find(_MPEG4_VOP, start + 4) >= 0:
        return None
    coding_type = data[start + 4] >> 6
    return coding_type == _MPEG4_I if coding_type in (_MPEG4_I, _MPEG4_P) else None


def _h264_check(extradata: bytes) -> PictureCheck | None:
    """The check for a stream with this AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    if len(extradata) < 8 or extradata[0] != _AVCC_VERSION:
        return None
    length_bytes = (extradata[4] & 3) + 1
    position = 6
    for _ in range(extradata[5] & 31):
        end = position + 2 + int.from_bytes(extradata[position : position + 2])
        if end > len(extradata) or not _is_progressive(extradata[position + 2 : end]):
            return None
        position = end

    def picture(data: bytes) -> bool | None:
        pictures, is_idr, position = 0, False, 0
        while position < len(data):
            start = position + length_bytes
            position = start + int.from_bytes(data[position:start])
            if position < start + 2 or position > len(data):
                return None
            unit = data[start] & 31
            if unit in _H264_PARTITIONS or unit == _H264_SPS:
                return None
            if unit in (_H264_SLICE, _H264_IDR_SLICE):
                pictures += data[start + 1] >> 7  # first_mb_in_slice = 0 is coded as a single 1
                is_idr |= unit == _H264_IDR_SLICE
        return is_idr if pictures == 1 else None

    return picture


def _is_progressive(sps: bytes) -> bool:
    """Whether a sequence parameter set allows no field pictures (frame_mbs_only_flag); False if in doubt."""
    payload = sps[1:].replace(b"\x00\x00\x03", b"\x00\x00")  # without the emulation prevention bytes
    bits = "".join(f"{byte:08b}" for byte in payload)
    position = 24  # behind profile, constraints, level

    def number() -> int:  # ue(v), an Exp-Golomb code
        nonlocal position
        zeros = bits.index("1", position) - position
        position += 2 * zeros + 1
        return int(bits[position - zeros - 1 : position], 2) - 1

    try:
        number()  # seq_parameter_set_id
        if payload[0] in _H264_HIGH_PROFILES:
            if number() == 3:  # chroma_format_idc
                position += 1  # separate_colour_plane_flag
            number(), number()  # the bit depths
            position += 1  # qpprime_y_zero_transform_bypass_flag
            if bits[position] == "1":  # scaling lists: rare, and long to step over
                return False
            position += 1
        number()  # log2_max_frame_num_minus4
        order_type = number()
        if order_type == 1:  # a list of offsets: rare, and long to step over
            return False
        if order_type == 0:
            number()  # log2_max_pic_order_cnt_lsb_minus4
        number()  # max_num_ref_frames
        position += 1  # gaps_in_frame_num_value_allowed_flag
        number(), number()  # width and height in macroblocks
        return bits[position] == "1"
    except (IndexError, ValueError):  # cut off
        return False
