"""Reading RAR and ZIP archives that come from the net, and believing nothing they say.

Notable: an archive is refused as a whole, before anything of it is written, if one of its names leads out of the
folder or one of its members is a link. Every member's checksum is compared while it is read. RAR is read by
`rarfile`, which unpacks stored members itself and runs a program for compressed ones.
"""

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import rarfile

from muybridge.errors import UserError
from muybridge.text import printable

RAR_HELP = (
    "install a program that unpacks RAR: apt install unar (Debian, Ubuntu), brew install unar (macOS), "
    "or UnRAR from rarlab.com; then run this again"
)
_CHUNK_BYTES = 1 << 20
_DAMAGED = (rarfile.Error, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Member:
    """One file in an archive.

    Attributes:
        path: Its path in the archive; relative and without `..`.
        size_bytes: Its unpacked size.
        info: What the library knows it by.
    """

    path: PurePosixPath
    size_bytes: int
    info: Any


class OpenArchive:
    """An archive that is open for reading; made by `open_archive`.

    Attributes:
        name: What messages call it.
        members: Its files, in its order, without its folders.
    """

    def __init__(self, name: str, library: rarfile.RarFile | zipfile.ZipFile) -> None:
        self.name = name
        self._library = library
        self.members = tuple(_member(name, info) for info in library.infolist() if not info.is_dir())

    def extract(self, member: Member, target: Path, *, on_bytes: Callable[[int], object]) -> None:
        """Write one file to `target`, and the folders above it.

        Args:
            member: The file.
            target: Where to, a new file.
            on_bytes: Called with the number of bytes after each piece.

        Raises:
            UserError: If it is damaged, or no program is there that unpacks it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with _told_clearly(self.name, member), self._library.open(member.info) as source, target.open("xb") as file:
            _copy(source, file, on_bytes)
        written = target.stat().st_size
        if written != member.size_bytes:
            raise UserError(_damaged(self.name, member, f"{written} of {member.size_bytes} bytes"))


@contextmanager
def open_archive(path: Path, *, within: str | None = None) -> Iterator[OpenArchive]:
    """Open a RAR or ZIP archive; which of them it is shows in its bytes, not in its name.

    Args:
        path: The archive.
        within: Name of the archive that this one was unpacked from, for the messages.

    Raises:
        UserError: If it is neither, is damaged, or holds a name that leads elsewhere or a link.
    """
    name = str(path) if within is None else f"{path.name} in {within}"
    library: rarfile.RarFile | zipfile.ZipFile
    with _told_clearly(name):
        if rarfile.is_rarfile(path):
            choose_rar_program()
            library = rarfile.RarFile(path, errors="strict")
        elif zipfile.is_zipfile(path):
            library = zipfile.ZipFile(path)
        else:
            raise UserError(f"{name} is neither a RAR nor a ZIP archive, or it is cut off; give another with get.given")
    with library:
        yield OpenArchive(name, library)


def is_archive(path: Path) -> bool:
    """Whether a file is a RAR or ZIP archive by its bytes."""
    return bool(rarfile.is_rarfile(path)) or zipfile.is_zipfile(path)


def choose_rar_program() -> str | None:
    """Choose the program that unpacks compressed RAR members, `unrar` or `unar`, and name it; None without one.

    rarfile remembers the choice. Not the others that it knows: it calls bsdtar wrongly (4.5), bsdtar lacks filters
    and solid archives, and Debian builds 7-Zip without RAR, which rarfile cannot detect.
    """
    try:
        setup = rarfile.tool_setup(bsdtar=False, sevenzip=False, sevenzip2=False)
    except rarfile.RarCannotExec:
        return None
    return str(setup.setup["open_cmd"][0]).removesuffix("_TOOL").lower()


def _member(archive: str, info: Any) -> Member:
    name = info.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise UserError(
            f"{archive} holds the name {printable(info.filename)!r}, which leads out of its folder; refused, "
            "give another archive with get.given"
        )
    if _is_link(info):
        raise UserError(
            f"{archive} holds a link, {printable(info.filename)!r}, which a data set has no use for; refused, "
            "give another archive with get.given"
        )
    return Member(PurePosixPath(name), info.file_size, info)


def _is_link(info: Any) -> bool:
    if isinstance(info, zipfile.ZipInfo):
        return stat.S_ISLNK(info.external_attr >> 16)
    return not info.is_file() or getattr(info, "file_redir", None) is not None


def _copy(source: IO[bytes], target: IO[bytes], on_bytes: Callable[[int], object]) -> None:
    while chunk := source.read(_CHUNK_BYTES):
        target.write(chunk)
        on_bytes(len(chunk))


@contextmanager
def _told_clearly(archive: str, member: Member | None = None) -> Iterator[None]:
    """Turn what the libraries raise into one line that says what to do."""
    try:
        yield
    except rarfile.RarCannotExec:
        raise UserError(f"{archive} is compressed, and no program is there to unpack it; {RAR_HELP}") from None
    except rarfile.PasswordRequired:
        raise UserError(f"{archive} is locked by a password; give an archive without one") from None
    except _DAMAGED as error:
        raise UserError(_damaged(archive, member, str(error) or type(error).__name__)) from None


def _damaged(archive: str, member: Member | None, reason: str) -> str:
    where = f"at {printable(str(member.path))} " if member else ""
    program = f"; unpacked by {choose_rar_program() or 'no program'}" if ".rar" in archive.lower() else ""
    advice = "delete it and run this again, or give another with get.given"
    return f"{archive} is damaged {where}({reason}{program}); {advice}"
