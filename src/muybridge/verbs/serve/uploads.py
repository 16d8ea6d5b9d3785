"""Files that clients send, written to disk while they come.

A file lies under a name of ours, in a folder that is removed when its request is done; what the client calls it is only
shown. Nothing of it is kept in memory beyond a megabyte, and it is checked as it comes that there is room on the disk.
"""

import asyncio
import errno
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

from muybridge.dataset.walking import VIDEO_SUFFIXES
from muybridge.text import abbreviated, printable
from muybridge.verbs.serve.refusal import RefusalError, busy

MOST_FILES = 256
"""Files of one request."""

KEPT_FREE = 256 * 2**20
"""Bytes of the disk that uploads leave alone."""

_PIECE_BYTES = 2**20
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Upload:
    """A file that a client sent.

    Attributes:
        path: Where it lies.
        name: What the client calls it, printable; no path.
    """

    path: Path
    name: str


def shown_name(name: str) -> str:
    """What a client calls a file, as text that can be shown and names no folder."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return abbreviated(printable(last.strip()).lstrip("."), _LONGEST_NAME) or "video"


def suffix_of(name: str) -> str:
    """The suffix of a file's name where it is one of a video's, else none."""
    dot = name.rfind(".")
    suffix = name[dot:].lower() if dot >= 0 else ""
    return suffix if suffix in VIDEO_SUFFIXES else ""


@contextmanager
def request_folder(root: Path) -> Iterator[Path]:
    """A folder for the files of one request, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="request-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_room(folder: Path, size: int) -> None:
    """Refuse what the disk has no room for.

    Raises:
        RefusalError: It has not.
    """
    if shutil.disk_usage(folder).free < size + KEPT_FREE:
        raise busy("the disk of the server is full", retry_after=30)


async def receive_files(
    stream: AsyncIterator[bytes], content_type: str, folder: Path, *, field_name: str, most_files: int = MOST_FILES
) -> list[Upload]:
    """Write the files of a form to a folder.

    Args:
        stream: The body.
        content_type: Of the request.
        folder: Where the files go.
        field_name: The field that they are in; other fields are passed over.
        most_files: How many there may be.

    Raises:
        RefusalError: It is no such form, has no file or too many, or there is no room.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise RefusalError(415, f"send files as multipart/form-data, in the field {field_name!r}")
    form = _Form(folder, field_name=field_name, most_files=most_files)
    try:
        # What a header of a part may have is limited by the parser.
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in stream:
            parser.write(chunk)
            if form.waiting_bytes >= _PIECE_BYTES:
                await asyncio.to_thread(form.flush)
        parser.finalize()
        if not form.has_ended:
            raise RefusalError(400, "the form breaks off")
        await asyncio.to_thread(form.flush)
    except (FormParserError, ValueError) as error:
        raise RefusalError(400, f"the form is damaged: {error}") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise busy("the disk of the server is full", retry_after=30) from None
        raise
    finally:
        form.close()
    if not form.uploads:
        raise RefusalError(422, f"there is no file in the field {field_name!r}")
    return form.uploads


@dataclass
class _Form:
    """What the parser of a form calls."""

    folder: Path
    field_name: str
    most_files: int
    uploads: list[Upload] = field(default_factory=list)
    has_ended: bool = False
    waiting_bytes: int = 0
    _waiting: list[tuple[Path, bytes]] = field(default_factory=list)
    _open: tuple[Path, BinaryIO] | None = None
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _name: bytes = b""
    _value: bytes = b""
    _taken: Path | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._headers = {}
        self._taken = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name is None or options.get(b"name", b"") != self.field_name.encode():
            return
        if len(self.uploads) == self.most_files:
            raise RefusalError(413, f"more than {self.most_files} files in one request")
        shown = shown_name(_text(name))
        self._taken = self.folder / f"{len(self.uploads)}{suffix_of(shown)}"
        self.uploads.append(Upload(self._taken, shown))
        self._waiting.append((self._taken, b""))  # a file of no bytes is a file

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._taken is not None:
            self._waiting.append((self._taken, data[start:end]))
            self.waiting_bytes += end - start

    def _end(self) -> None:
        self.has_ended = True

    def flush(self) -> None:
        """Write what has come."""
        require_room(self.folder, self.waiting_bytes)
        for path, data in self._waiting:
            if self._open is None or self._open[0] != path:
                self.close()
                self._open = path, path.open("xb")
            self._open[1].write(data)
        self._waiting.clear()
        self.waiting_bytes = 0
        if self._open is not None:
            self._open[1].flush()

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
