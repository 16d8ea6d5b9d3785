"""Writing small RAR archives, which no free program can, for the tests of reading them.

RAR 4 (the format of 2013, as HMDB-51 has it): stored members, and members of method 3 whose LZ stream holds
nothing but literals. Such a stream is longer than its data, but every reader has to run its decompressor on it.
"""

import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MARKER = b"Rar!\x1a\x07\x00"
_STORED, _NORMAL = 0x30, 0x33
_FILE, _DIRECTORY, _LINK = 0o100644, 0o040755, 0o120777


@dataclass(frozen=True)
class Entry:
    name: str
    data: bytes = b""
    compressed: bool = False
    mode: int = _FILE
    crc: int | None = None


def folder(name: str) -> Entry:
    return Entry(name, mode=_DIRECTORY)


def link(name: str, to: str) -> Entry:
    return Entry(name, to.encode(), mode=_LINK)


def rar_bytes(entries: Sequence[Entry]) -> bytes:
    parts = [_MARKER, _block(0x73, 0, bytes(6))]
    for entry in entries:
        packed = _literals(entry.data) if entry.compressed else entry.data
        crc = binascii.crc32(entry.data) if entry.crc is None else entry.crc
        name = entry.name.replace("/", "\\").encode()  # as rar writes it, on every system
        fields = struct.pack(
            "<IIBIIBBHI",
            len(packed),
            len(entry.data),
            3,  # Unix
            crc,
            0x42_21_00_00,
            29,
            _NORMAL if entry.compressed else _STORED,
            len(name),
            entry.mode,
        )
        flags = 0x8000 | 0x0200 | (0xE0 if entry.mode == _DIRECTORY else 0)  # has data, name in UTF-8
        parts += [_block(0x74, flags, fields + name), packed]
    return b"".join([*parts, _block(0x7B, 0x4000, b"")])


def write_rar(path: Path, entries: Sequence[Entry]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rar_bytes(entries))
    return path


def _block(kind: int, flags: int, fields: bytes) -> bytes:
    body = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
    return struct.pack("<H", binascii.crc32(body) & 0xFFFF) + body


def _literals(data: bytes) -> bytes:
    """An LZ stream of RAR 2.9 whose every byte is coded as itself."""
    alphabets = (299, 60, 17, 28)  # literals and lengths, distances, their low bits, repeated lengths
    lengths = [length for size in alphabets for length in _complete_code(size)]
    of_length, of_literal = _canonical(_complete_code(20)), _canonical(_complete_code(299))
    bits = ["00"]  # LZ, not PPM; no code lengths from an earlier table
    bits += [f"{length:04b}" for length in _complete_code(20)]
    bits += [of_length[length] for length in lengths]
    bits += [of_literal[byte] for byte in data]
    bits += [of_literal[256], "00"]  # the end of the file
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big")


def _complete_code(size: int) -> list[int]:
    """Code lengths, as even as they can be, that leave no code unused."""
    longest = (size - 1).bit_length()
    short = 2**longest - size
    return [longest - 1] * short + [longest] * (size - short)


def _canonical(lengths: list[int]) -> list[str]:
    """The code words of ascending lengths, as Huffman codes are numbered."""
    words, word = [], 0
    for length, following in zip(lengths, [*lengths[1:], lengths[-1]], strict=True):
        words.append(f"{word:0{length}b}")
        word = (word + 1) << (following - length)
    return words
