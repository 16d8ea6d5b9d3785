"""What the header of an H.264 stream says: whether it codes frames only, and how deep it reorders them.

Read from the sequence parameter sets in the container's header (ITU-T H.264, 7.3.2.1.1 and annex E).
"""

from dataclasses import dataclass

_AVCC_VERSION = 1
# Profiles whose sequence parameter set carries the chroma format.
_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_EXTENDED_SAR = 255


@dataclass(frozen=True)
class StreamHeader:
    """What the AVCDecoderConfigurationRecord of a stream of whole frames says.

    Attributes:
        length_bytes: how many bytes before each NAL unit hold its length.
        reorder_depth: how many frames at most are decoded before a frame that is shown before them; None where
            the header does not say.
        frame_number_bits: how long frame_num is in the header of each slice.
    """

    length_bytes: int
    reorder_depth: int | None
    frame_number_bits: int = 4


def read_header(extradata: bytes) -> StreamHeader | None:
    """Read an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).

    Returns:
        The header; None if there is none in this form, if the stream may code fields, or if in doubt.
    """
    if len(extradata) < 8 or extradata[0] != _AVCC_VERSION:
        return None
    depths: list[int | None] = []
    lengths: set[int] = set()
    position = 6
    for _ in range(extradata[5] & 31):
        end = position + 2 + int.from_bytes(extradata[position : position + 2])
        if end > len(extradata):
            return None
        bits = _Bits(extradata[position + 2 : end])
        length = _frame_number_bits(bits)
        if length is None or not lengths <= {length}:
            return None
        lengths.add(length)
        depths.append(_reorder_depth(bits))
        position = end
    depth = None if not depths or None in depths else min(each for each in depths if each is not None)
    return StreamHeader(
        length_bytes=(extradata[4] & 3) + 1, reorder_depth=depth, frame_number_bits=lengths.pop() if lengths else 4
    )


def frame_number(slice_unit: bytes, bits: int) -> int | None:
    """frame_num of the first slice of a picture (7.3.3): it goes up by one behind each reference picture.

    Args:
        slice_unit: The beginning of its NAL unit, behind the first byte.
        bits: How long the number is.
    """
    payload = slice_unit.replace(b"\x00\x00\x03", b"\x00\x00")
    text = f"{int.from_bytes(payload):0{8 * len(payload)}b}"
    position = 1  # first_mb_in_slice = 0
    for _ in ("slice_type", "pic_parameter_set_id"):
        zeros = text.find("1", position) - position
        if zeros < 0:
            return None
        position += 2 * zeros + 1
    number = text[position : position + bits]
    return int(number, 2) if len(number) == bits else None


class _Bits:
    """Reads the bits of a NAL unit one field after the other; IndexError or ValueError behind its end."""

    def __init__(self, unit: bytes) -> None:
        self.payload = unit[1:].replace(b"\x00\x00\x03", b"\x00\x00")  # without the emulation prevention bytes
        self._bits = "".join(f"{byte:08b}" for byte in self.payload)
        self._position = 0

    def skip(self, count: int) -> None:
        self._position += count

    def flag(self) -> bool:
        self._position += 1
        return self._bits[self._position - 1] == "1"

    def fixed(self, count: int) -> int:
        self._position += count
        return int(self._bits[self._position - count : self._position], 2)

    def number(self) -> int:
        """ue(v), an Exp-Golomb code."""
        zeros = self._bits.index("1", self._position) - self._position
        self._position += 2 * zeros + 1
        return int(self._bits[self._position - zeros - 1 : self._position], 2) - 1

    def numbers(self, count: int) -> None:
        for _ in range(count):
            self.number()


def _frame_number_bits(bits: _Bits) -> int | None:
    """How long frame_num is in a sequence parameter set that allows no field pictures; None of another, or in doubt."""
    try:
        bits.skip(24)  # profile, constraints, level
        bits.number()  # seq_parameter_set_id
        if bits.payload[0] in _HIGH_PROFILES:
            # chroma_format_idc, separate_colour_plane_flag: rare, and slices have one field more
            if bits.number() == 3 and bits.flag():
                return None
            bits.numbers(2)  # the bit depths
            bits.skip(1)  # qpprime_y_zero_transform_bypass_flag
            if bits.flag():  # scaling lists: rare, and long to step over
                return None
        length = bits.number() + 4  # log2_max_frame_num_minus4
        order_type = bits.number()
        if order_type == 1:  # a list of offsets: rare, and long to step over
            return None
        if order_type == 0:
            bits.number()  # log2_max_pic_order_cnt_lsb_minus4
        bits.number()  # max_num_ref_frames
        bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
        bits.numbers(2)  # width and height in macroblocks
        return length if bits.flag() else None
    except (IndexError, ValueError):  # cut off
        return None


def _reorder_depth(bits: _Bits) -> int | None:
    """max_num_reorder_frames of a sequence parameter set read up to frame_mbs_only_flag = 1; None if not there."""
    try:
        bits.skip(1)  # direct_8x8_inference_flag
        if bits.flag():  # frame_cropping_flag
            bits.numbers(4)
        if not bits.flag():  # vui_parameters_present_flag
            return None
        if bits.flag() and bits.fixed(8) == _EXTENDED_SAR:  # aspect ratio
            bits.skip(32)
        if bits.flag():  # overscan
            bits.skip(1)
        if bits.flag():  # video signal type
            bits.skip(4)
            if bits.flag():  # colour description
                bits.skip(24)
        if bits.flag():  # chroma location
            bits.numbers(2)
        if bits.flag():  # timing
            bits.skip(65)
        buffered = [_skip_buffering(bits), _skip_buffering(bits)]  # of NAL units, of pictures
        if any(buffered):
            bits.skip(1)  # low_delay_hrd_flag
        bits.skip(1)  # pic_struct_present_flag
        if not bits.flag():  # bitstream_restriction_flag
            return None
        bits.skip(1)  # motion_vectors_over_pic_boundaries_flag
        bits.numbers(4)  # largest sizes and motion vectors
        return bits.number()
    except (IndexError, ValueError):  # cut off
        return None


def _skip_buffering(bits: _Bits) -> bool:
    """Step over hrd_parameters() with the flag before it; whether it was there."""
    if not bits.flag():
        return False
    schedules = bits.number() + 1
    bits.skip(8)
    for _ in range(schedules):
        bits.numbers(2)
        bits.skip(1)
    bits.skip(20)
    return True
