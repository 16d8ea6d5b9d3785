"""Writing files whole or not at all, reading them back, and telling them apart by content."""

import csv
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from muybridge.disk_errors import naming
from muybridge.errors import UserError
from muybridge.file_parts import is_there, open_bytes, part_at, status_of
from muybridge.storage.urls import url_at
from muybridge.temporaries import prefix_of, remove_dead
from muybridge.text import original_cell, printable, spreadsheet_cell


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; on success it takes the name ``path`` in one step.

    On an exception the temporary file is removed and whatever was at ``path`` stays as it was. The
    temporary name keeps the suffix of ``path``, because image and archive writers look at it.

    Args:
        path: The file.
        durable: Whether it must outlive a loss of power, too; what is made again without loss need not wait for that.

    Raises:
        UserError: If it is a URL.
        OSError: If it cannot be written; its ``filename`` is ``path``, whatever library was writing.
    """
    require_local(path)
    with naming(path, instead_of=path.parent / prefix_of(path.stem)):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=prefix_of(path.stem), suffix=path.suffix, dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with naming(path, instead_of=temporary):
            yield temporary
            # mkstemp makes files private; what we leave behind follows the user's umask instead.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            if durable:
                sync(temporary)
            temporary.replace(path)
            if durable:
                sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk; where a system cannot (Windows folders), do not."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks cannot
            raise
    finally:
        os.close(handle)


@contextmanager
def building_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder of the same name; on success it is at ``path`` in one step.

    On an exception it is removed with all that is in it, so there is never half a folder at ``path``.

    Args:
        path: A folder that does not exist, or is empty: one made to reserve the name. On an exception that goes, too.

    Raises:
        UserError: If it is a URL.
    """
    require_local(path)
    with naming(path, instead_of=path.parent / prefix_of(path.name)):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead(path.parent)
        # Inside a hidden folder next to it: on the same disk, and with its own name, which reports print.
        hidden = tempfile.TemporaryDirectory(prefix=prefix_of(path.name), dir=path.parent)
    with hidden:
        temporary = Path(hidden.name) / path.name
        temporary.mkdir()
        try:
            with naming(path, instead_of=temporary):
                yield temporary
                temporary.rename(path)
                sync(path.parent)
        except BaseException:
            with suppress(OSError):  # not there, or not empty
                path.rmdir()
            raise


def holds_nothing(path: Path) -> bool:
    """Whether there is nothing at ``path``, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def copy_folder(source: Path, path: Path) -> None:
    """Copy a folder to ``path``, whole or not at all; a folder that is there is replaced."""
    shutil.rmtree(path, ignore_errors=True)
    with building_folder(path) as copy:
        shutil.copytree(source, copy, dirs_exist_ok=True)


def require_writable(folder: Path) -> None:
    """Make sure before long work that its result can be written to a folder, or in its place to one above it.

    Raises:
        UserError: If it is a URL.
        OSError: If it cannot.
    """
    require_local(folder)
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    with naming(folder, instead_of=there / prefix_of(folder.name)):
        handle, name = tempfile.mkstemp(prefix=prefix_of(folder.name), dir=there)
        try:
            os.write(handle, b"\0")
        finally:
            os.close(handle)
            Path(name).unlink(missing_ok=True)


def require_local(path: Path) -> None:
    """Refuse to make a folder that is called ``s3:``, which is what the path of a URL would become.

    Raises:
        UserError: It is a URL.
    """
    if url := url_at(path):
        raise UserError(f"{url}: results are written to a folder of this machine; name one, then: muybridge push")


def write_text(path: Path, text: str) -> None:
    r"""Write ``text`` to ``path`` as UTF-8, whole or not at all.

    File names that are not UTF-8 hold lone surrogates; they are written as ``\udcNN``, which JSON reads back.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, whole or not at all."""
    # Piece by piece: the confusion matrix of 1,000 classes is a million numbers.
    pieces = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).iterencode(value)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(pieces)
        file.write("\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, columns: Sequence[str] = ()) -> None:
    """Write rows of equal keys as CSV, whole or not at all.

    Where ``columns`` are named, there may be no row, and rows are taken one by one.

    Text is written as `printable` has it; where a spreadsheet would compute it, with an apostrophe before it, which
    `read_rows` takes away.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = rows if columns else list(rows)
        writer = csv.DictWriter(file, fieldnames=columns or list(next(iter(rows))))
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    return spreadsheet_cell(printable(value)) if isinstance(value, str) else value


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV that `write_rows` wrote.

    Raises:
        UserError: If it cannot be read, or a row has another number of cells than the first.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise UserError(f"{path}, line {reader.line_num}: not as many cells as the first line has")
                rows.append({key: original_cell(cell) for key, cell in row.items()})
            return rows
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is damaged: it is no CSV of ours ({error}); put back the file that was written"
        ) from None


def content_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal, read in pieces so that memory stays flat.

    A file that is what it was when this process read it last, by its inode, size and times, is not read again.

    Raises:
        OSError: If the file cannot be read, or is none but a pipe or a device, which would have no end.
    """
    if part_at(path) is None and not is_there(path) and path.exists() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    about = status_of(path)
    if time.time_ns() - max(about.st_mtime_ns, about.st_ctime_ns) < _SETTLED_NS:
        return _read_hash(path)
    return _hash_as_of(path, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


_SETTLED_NS = 2_000_000_000
"""A file that was changed later could be changed once more within the same tick of its disk's clock."""


def _read_hash(path: Path) -> str:
    with open_bytes(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1 << 16)
def _hash_as_of(path: Path, *as_of: int) -> str:
    return _read_hash(path)


def git_blob_hash(path: Path) -> str:
    """The name that Git has for a file's content: the SHA-1 of "blob", its size, a zero byte and its bytes.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.sha1(f"blob {os.fstat(file.fileno()).st_size}\0".encode(), usedforsecurity=False)
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
