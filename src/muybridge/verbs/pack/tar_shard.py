"""One shard: a plain tar file with a video and a JSON text for each sample, as WebDataset reads them.

A shard has its name only when it is whole. What stands in it depends on the videos alone: no owner, no time.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from muybridge.errors import UserError, VideoError
from muybridge.file_parts import open_bytes
from muybridge.files import replacing
from muybridge.text import one_line
from muybridge.verbs.pack.plan import PlannedFile


@dataclass(frozen=True)
class Written:
    """Where a video lies in its shard.

    Attributes:
        offset: Its first byte.
        sha256: Of its bytes.
    """

    offset: int
    sha256: str


def write_shard(path: Path, files: Sequence[PlannedFile], *, on_file: Callable[[], None]) -> list[Written]:
    """Write a shard, whole or not at all.

    Args:
        path: The shard.
        files: What goes into it.
        on_file: Called after each.

    Raises:
        VideoError: A video cannot be read, or changes meanwhile.
        OSError: The shard cannot be written.
    """
    written = []
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as tar:
        for file in files:
            written.append(_add(tar, file))
            on_file()
    return written


def read_shard(path: Path, files: Sequence[PlannedFile]) -> list[Written]:
    """Where the videos lie in a shard that an earlier call wrote.

    Raises:
        UserError: It holds something else.
    """
    found: dict[str, int] = {}
    hashes: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.name.endswith(".json"):
                    found[member.name] = member.offset_data
                    continue
                text = tar.extractfile(member)
                assert text is not None
                hashes[member.name.removesuffix(".json")] = json.load(text)["sha256"]
        return [Written(found[file.member], hashes[file.key]) for file in files]
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is damaged or not of this packing ({one_line(error)}); delete it and run the same command again"
        ) from None


class _Hashing:
    """What tarfile reads of a video, hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _add(tar: tarfile.TarFile, file: PlannedFile) -> Written:
    offset = tar.offset + tarfile.BLOCKSIZE
    try:
        source = open_bytes(file.path)
    except OSError as error:
        raise VideoError(file.path, f"cannot be read: {error.strerror}", "put it back, and pack again") from None
    with source:
        hashing: Any = _Hashing(source)
        try:
            tar.addfile(_header(file.member, file.size_bytes), hashing)
        except OSError as error:
            if error.errno is not None:  # tarfile's own has none: the source ended early
                raise
            raise _changed(file) from None
        if source.read(1):
            raise _changed(file)
    sha256 = hashing.digest.hexdigest()
    text = json.dumps(file.describe(sha256)).encode()
    tar.addfile(_header(f"{file.key}.json", len(text)), io.BytesIO(text))
    return Written(offset, sha256)


def _changed(file: PlannedFile) -> VideoError:
    return VideoError(file.path, "changed while it was packed", "run the same command again when nobody writes to it")


def _header(name: str, size_bytes: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size_bytes
    return header
