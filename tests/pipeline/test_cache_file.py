"""Cache files: every bit of them counts."""

import json
import random
import struct
import zlib

import numpy as np
import pytest
from tests.helpers.faults import flip_bit

from muybridge.pipeline.cache_file import DamagedEntryError, read_cache_file, write_cache_file


def test_no_flipped_bit_goes_unseen(tmp_path):
    path = tmp_path / "a.frames"
    array = np.arange(96, dtype=np.uint8).reshape(2, 48)
    for seed in range(1000):
        write_cache_file(path, array, {"frame_count": 12, "views": [[0, 1]]})
        flip_bit(path, random.Random(seed))
        with pytest.raises(DamagedEntryError, match=r"a\.frames is damaged"):
            read_cache_file(path)


def test_an_entry_under_the_name_of_another_is_not_taken(tmp_path):
    write_cache_file(tmp_path / "a.frames", np.ones(3), {})
    (tmp_path / "a.frames").rename(tmp_path / "b.frames")
    with pytest.raises(DamagedEntryError):
        read_cache_file(tmp_path / "b.frames")


def test_a_file_of_the_version_before_is_read(tmp_path):
    payload = np.arange(4, dtype=np.uint8).tobytes()
    header = {"values": {"n": 1}, "dtype": "|u1", "shape": [4], "checksum": zlib.crc32(payload)}
    text = json.dumps(header).encode()
    (tmp_path / "a.frames").write_bytes(b"MUYCACH2" + struct.pack("<I", len(text)) + text + payload)
    found = read_cache_file(tmp_path / "a.frames")
    assert found.values == {"n": 1}
    assert found.map().tolist() == [0, 1, 2, 3]
