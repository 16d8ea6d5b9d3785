"""Records of clips as TensorFlow keeps them, without TensorFlow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.video.sequence_example import framed, read_example, write_example

EXAMPLE = write_example(
    id="a/b.avi", label="catch", label_index=7, images=[b"one", b"two"], times_us=[0, 40_000], width_px=4, height_px=3
)


def test_the_bytes_are_those_that_the_formats_say():
    # From the definition of the format: the length, and CRC-32C (here of 8 and of 3 bytes), rotated and shifted.
    record = framed(b"abc")
    assert record[:8] == (3).to_bytes(8, "little") and record[12:15] == b"abc"
    crc = 0x364B3FB7  # of "abc", by Castagnoli's polynomial
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert record[15:] == masked.to_bytes(4, "little")
    # A map entry of key and value; an Int64List of one packed 7 in a Feature.
    assert b"\x0a\x10clip/label/index\x12\x05\x1a\x03\x0a\x01\x07" in EXAMPLE


def test_what_is_written_is_read():
    assert read_example(EXAMPLE) == ([b"one", b"two"], [0, 40_000], 4, 3)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_example_or_an_error(data):
    try:
        images, times, *_ = read_example(data)
    except ValueError:
        return
    assert isinstance(images, list) and isinstance(times, list)


@given(st.integers(0, len(EXAMPLE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_an_example_or_an_error(place, change):
    data = bytearray(EXAMPLE)
    data[place] ^= change
    try:
        read_example(bytes(data))
    except ValueError:
        return


def test_a_cut_record_is_an_error():
    with pytest.raises(ValueError, match="no SequenceExample"):
        read_example(EXAMPLE[:-3])
