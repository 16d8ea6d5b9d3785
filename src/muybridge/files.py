"""Writing files whole or not at all, reading them back, and telling them apart by content."""

import csv
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from muybridge.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; on success it takes the name ``path`` in one step.

    On an exception the temporary file is removed and whatever was at ``path`` stays as it was. The
    temporary name keeps the suffix of ``path``, because image and archive writers look at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; what we leave behind follows the user's umask instead.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def building_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder of the same name; on success it is at ``path`` in one step.

    On an exception it is removed with all that is in it, so there is never half a folder at ``path``.

    Args:
        path: A folder that does not exist, or is empty: one made to reserve the name. On an exception that goes, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Inside a hidden folder next to it: on the same disk, and with its own name, which reports print.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as hidden:
        temporary = Path(hidden) / path.name
        temporary.mkdir()
        try:
            yield temporary
            temporary.rename(path)
        except BaseException:
            with suppress(OSError):  # not there, or not empty
                path.rmdir()
            raise


def copy_folder(source: Path, path: Path) -> None:
    """Copy a folder to ``path``, whole or not at all; a folder that is there is replaced."""
    shutil.rmtree(path, ignore_errors=True)
    with building_folder(path) as copy:
        shutil.copytree(source, copy, dirs_exist_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Write ``text`` to ``path`` as UTF-8, whole or not at all.

    File names that are not UTF-8 hold lone surrogates; they are written as ``\udcNN``, which JSON reads back.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str] = ()) -> None:
    """Write rows of equal keys as CSV, whole or not at all; ``columns`` are named where there may be no row.

    File names that are not UTF-8 keep their bytes (surrogateescape).
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_json(path: Path) -> Any:
    """Read a JSON file that this program wrote.

    Raises:
        UserError: If it is not there or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def content_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal, read in pieces so that memory stays flat.

    Raises:
        OSError: If the file cannot be read, or is none but a pipe or a device, which would have no end.
    """
    if not path.is_file() and path.exists() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
