"""What one packet holds, read from its first bytes, for the three codecs where that look is short and decisive.

- H.264 in length-prefixed form (MP4, MOV, MKV), progressive: one slice with first_mb_in_slice = 0 per packet;
  decoding restarts at IDR pictures only, never at the recovery points of open GOPs. A picture whose slices
  have nal_ref_idc = 0 is never predicted from.
- MPEG-4 part 2 (most AVI data sets) without B pictures: one VOP per packet; restarts at I pictures. A VOP too
  short to be a coded one repeats the picture before it, and makes no frame.
- Motion JPEG: restarts everywhere.

A packet may also change what the decoder knows of all pictures after it, whether they are jumped to or not. So
in-band parameter sets are not accepted, nor one picture less than H.264 counts; headers before an MPEG-4 picture
must repeat the first ones, and the JPEG pictures of a file must all bring the same tables, or none.
"""

from collections.abc import Callable
from enum import Enum, auto

from av.video.codeccontext import VideoCodecContext

from muybridge.video.index.h264_headers import frame_number, read_header

_H264_SLICE, _H264_IDR_SLICE, _H264_SPS, _H264_PPS = 1, 5, 7, 8
_H264_PARTITIONS = (2, 3, 4)
MPEG4_VOP = b"\x00\x00\x01\xb6"
_MPEG4_I, _MPEG4_P = 0, 1
# A VOP that is "not coded" takes 7 or 8 bytes with its start code, and one bit more for each second since the
# picture before; a coded one has a bit per macroblock at least.
MPEG4_CODED_BYTES = 16
_MACROBLOCK_PX = 16
_MPEG4_LAYERS = frozenset(range(0x20, 0x30))  # the headers that say what size and time mean
_MPEG4_GROUP = 0xB3  # a header that holds but a time
_SLICE_HEADER_BYTES = 12  # enough to read frame_num
_JPEG_SCAN, _JPEG_COMMENT = 0xDA, 0xFE


class PacketKind(Enum):
    """What one packet holds, and who needs it."""

    RESTART = auto()  # one picture that needs no other
    REFERENCE = auto()  # one picture, that later ones may be predicted from
    DISPOSABLE = auto()  # one picture that no other is predicted from
    NO_PICTURE = auto()  # nothing that makes a frame


# Members of an Enum are slow to look up, and this is done for every packet.
_RESTART, _REFERENCE = PacketKind.RESTART, PacketKind.REFERENCE
_DISPOSABLE, _NO_PICTURE = PacketKind.DISPOSABLE, PacketKind.NO_PICTURE

# None: anything else.
KindOf = Callable[[bytes], PacketKind | None]


def kind_of_packets(context: VideoCodecContext) -> KindOf | None:
    """The look at packets of this stream; None if there is none for its codec, or for what its header allows."""
    if context.name == "h264":
        return h264_kinds(context.extradata or b"")
    if context.name == "mpeg4":
        return mpeg4_kinds(context.width, context.height, context.extradata or b"")
    return mjpeg_kinds() if context.name == "mjpeg" else None


def mjpeg_kinds() -> KindOf:
    """The look at packets of a motion JPEG stream."""
    known: list[tuple[int, ...]] = []

    def kind(data: bytes) -> PacketKind | None:
        segments = _jpeg_segments(data)
        if segments is None:
            return None
        if not known:
            known.append(segments)
        return _RESTART if segments == known[0] else None

    return kind


def _jpeg_segments(data: bytes) -> tuple[int, ...] | None:
    """The kinds of the segments between the start of a JPEG picture and its first scan, without notes; or None."""
    if not data.startswith(b"\xff\xd8"):
        return None
    found: list[int] = []
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == _JPEG_SCAN:
            return tuple(found)
        if not (0xE0 <= marker <= 0xEF or marker == _JPEG_COMMENT):
            found.append(marker)
        position += 2 + int.from_bytes(data[position + 2 : position + 4])
    return None


def mpeg4_kinds(width_px: int, height_px: int, extradata: bytes | None = None) -> KindOf:
    """The look at packets of MPEG-4 part 2 with pictures of this size; the first must be looked at first.

    With the header of the container, one of the stream must be in it or before the first picture: without one, FFmpeg
    guesses, and how depends on what it decoded before.
    """
    macroblocks = -(-width_px // _MACROBLOCK_PX) * -(-height_px // _MACROBLOCK_PX)
    # In a tiny picture, a coded VOP can be as short.
    is_empty_when_short = macroblocks > 8 * MPEG4_CODED_BYTES
    headers = {section[0]: section for section in _mpeg4_sections(extradata or b"") or [] if section}
    is_first = True

    def kind(data: bytes) -> PacketKind | None:
        nonlocal is_first
        may_add, is_first = is_first, False
        start = data.find(MPEG4_VOP)
        if start < 0 or data.find(MPEG4_VOP, start + 4) >= 0 or len(data) < start + 5:
            return None
        if start > 0 and not _mpeg4_headers_repeat(data[:start], headers, may_add=may_add):
            return None
        if may_add and extradata is not None and not headers.keys() & _MPEG4_LAYERS:
            return None
        coding_type = data[start + 4] >> 6
        if len(data) - start < MPEG4_CODED_BYTES:
            # Only where it is alone and is a P picture: that is how encoders write it.
            return _NO_PICTURE if is_empty_when_short and start == 0 and coding_type == _MPEG4_P else None
        if coding_type == _MPEG4_I:
            return _RESTART
        return _REFERENCE if coding_type == _MPEG4_P else None

    return kind


def _mpeg4_sections(headers: bytes) -> list[bytes] | None:
    """What follows each start code; None if something stands before the first."""
    before, *sections = headers.split(b"\x00\x00\x01")
    return None if before else sections


def _mpeg4_headers_repeat(data: bytes, headers: dict[int, bytes], *, may_add: bool) -> bool:
    """Whether the headers before a picture are those that are known by their start codes; the first may bring them."""
    sections = _mpeg4_sections(data)
    if sections is None or not all(sections):
        return False
    for section in sections:
        if section[0] == _MPEG4_GROUP:
            continue
        if may_add:
            headers.setdefault(section[0], section)
        if headers.get(section[0]) != section:
            return False
    return True


def h264_kinds(extradata: bytes) -> KindOf | None:
    """The look at packets of an H.264 stream with this header."""
    header = read_header(extradata)
    if header is None:
        return None
    length_bytes, number_bits = header.length_bytes, header.frame_number_bits
    last_reference: int | None = None  # its frame_num

    def follows(unit: bytes, *, is_idr: bool, is_reference: bool) -> bool:
        """Whether a picture comes next by its frame_num; else one is missing, and FFmpeg makes something up for it."""
        nonlocal last_reference
        number = frame_number(unit, number_bits)
        if number is None:
            return False
        expected = None if last_reference is None else (last_reference + 1) % (1 << number_bits)
        if is_reference:
            last_reference = number
        return is_idr or expected in (None, number)

    def kind(data: bytes) -> PacketKind | None:
        pictures, is_idr, is_reference, position = 0, False, False, 0
        while position < len(data):
            start = position + length_bytes
            position = start + int.from_bytes(data[position:start])
            if position < start + 2 or position > len(data):
                return None
            unit = data[start] & 31
            if unit in _H264_PARTITIONS or unit in (_H264_SPS, _H264_PPS):
                return None
            if unit in (_H264_SLICE, _H264_IDR_SLICE):
                is_idr |= unit == _H264_IDR_SLICE
                is_reference |= data[start] & 0x60 != 0  # nal_ref_idc
                if data[start + 1] >> 7:  # first_mb_in_slice = 0 is coded as a single 1
                    pictures += 1
                    beginning = data[start + 1 : start + _SLICE_HEADER_BYTES]
                    if not follows(beginning, is_idr=is_idr, is_reference=data[start] & 0x60 != 0):
                        return None
        if pictures != 1:
            return None
        if is_idr:
            return _RESTART
        return _REFERENCE if is_reference else _DISPOSABLE

    return kind
