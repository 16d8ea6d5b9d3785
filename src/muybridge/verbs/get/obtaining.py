"""Getting an archive: from the user's own files, from an earlier run, or from the first address that has it.

Notable: a download is never used unchecked. It is compared with its published size and checksum, or, where none is
published, with what an earlier run wrote into `sources.json`; a wrong one is deleted and the next address is tried.
The user's own files may be packed otherwise, so a difference is only printed and they are used: unpacking checks
every clip, and the lists say which there must be. The sha256 of everything used is written down.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from muybridge.console import say
from muybridge.errors import UserError
from muybridge.files import write_json
from muybridge.schemas import read
from muybridge.text import shortened
from muybridge.verbs.get.archives import RAR_HELP, choose_rar_program, is_archive
from muybridge.verbs.get.datasets import Archive
from muybridge.verbs.get.downloading import DownloadError, Retries, download, part_of, state_of

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Obtained:
    """An archive that is here and checked.

    Attributes:
        path: The file.
        archive: Which of the published ones it is.
        origin: Its address, or the path that the user named.
        size_bytes: Its size.
        sha256: Its checksum.
        difference: How it differs from the published one, naming both checksums; None if it does not.
    """

    path: Path
    archive: Archive
    origin: str
    size_bytes: int
    sha256: str
    difference: str | None


@dataclass(frozen=True)
class Shelf:
    """Where the archives of one data set are kept, and what is known of them.

    Attributes:
        folder: Folder for downloads.
        record: The file that remembers what was used, `sources.json`.
        given: A file or a folder of the user's own archives, or None.
        mirror: Address of a folder to try first, or None.
        retries: How patient to be with one address.
    """

    folder: Path
    record: Path
    given: Path | None = None
    mirror: str | None = None
    retries: Retries = Retries()  # noqa: RUF009 - a frozen value

    def obtain(self, alternatives: Sequence[Archive], *, console: Console, progress: Progress) -> Obtained:
        """Come by one of several archives that hold the same.

        Raises:
            UserError: If none of them is available, or the user's own is no archive.
        """
        found = self._given(alternatives, console, progress) or self._kept(alternatives, console, progress)
        if found is None:
            found = self._fetched(alternatives, console, progress)
        self._remember(found, console)
        return found

    def clear(self, archives: Sequence[Archive]) -> None:
        """Delete downloads that are no longer needed, and the folder when it is empty; the user's own files stay."""
        own = None if self.given is None else self.given if self.given.is_dir() else self.given.parent
        if not self.folder.is_dir() or (own is not None and own.samefile(self.folder)):
            return
        for archive in archives:
            path = self.folder / archive.name
            for each in (path, part_of(path), state_of(path)):
                each.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _given(self, alternatives: Sequence[Archive], console: Console, progress: Progress) -> Obtained | None:
        if self.given is None:
            return None
        folder = self.given if self.given.is_dir() else self.given.parent
        files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
        if self.given.is_file():  # the file itself first, then what is next to it
            named = self.given.name.lower()
            alternatives = sorted(alternatives, key=lambda archive: archive.name.lower() != named)
        for archive in alternatives:
            path = files.get(archive.name.lower())
            if path is None:
                continue
            if not is_archive(path):
                raise UserError(f"{path} is neither a RAR nor a ZIP archive; give another, or leave get.given out")
            obtained = _examined(path, archive, str(path), progress)
            if obtained.difference:
                say(console, f"{path} is not the published file, but is used: {obtained.difference}")
            return obtained
        return None

    def _kept(self, alternatives: Sequence[Archive], console: Console, progress: Progress) -> Obtained | None:
        """An archive that an earlier run downloaded."""
        for archive in alternatives:
            path = self.folder / archive.name
            if not path.is_file():
                continue
            past = self._recorded(archive)
            obtained = _examined(path, archive, past.get("origin", str(path)), progress)
            difference = obtained.difference
            if archive.checksum is None and past and obtained.sha256 != past["sha256"]:
                difference = f"its sha256 is {obtained.sha256}, when it was fetched it was {past['sha256']}"
            if difference is None and is_archive(path):
                return obtained
            say(console, f"{path} is damaged ({difference or 'no archive'}) and is fetched anew")
            path.unlink()
        return None

    def _fetched(self, alternatives: Sequence[Archive], console: Console, progress: Progress) -> Obtained:
        failures = []
        can_unpack_rar = choose_rar_program() is not None
        for archive, url in self._addresses(alternatives):
            if archive.is_rar and not can_unpack_rar:
                failures.append(f"{url}: {RAR_HELP}")
                continue
            say(console, f"fetching {url}")
            path = self.folder / archive.name
            try:
                download(url, path, size_bytes=archive.size_bytes, retries=self.retries, progress=progress)
                return _checked(path, archive, url, progress)
            except DownloadError as error:
                failures.append(f"{url}: {error}")
                say(console, f"cannot be fetched there: {error}")
        names = shortened([archive.name for archive in alternatives])
        raise UserError(
            f"cannot get {names}: {'; '.join(failures)}. What else you can do: fetch one of these files in a browser "
            "and give it with get.given PATH, or name another host with get.mirror URL"
        )

    def _addresses(self, alternatives: Sequence[Archive]) -> Iterator[tuple[Archive, str]]:
        if self.mirror is not None:
            for archive in alternatives:
                yield archive, f"{self.mirror.rstrip('/')}/{archive.name}"
        for archive in alternatives:
            for url in archive.urls:
                yield archive, url

    def _recorded(self, archive: Archive) -> dict[str, Any]:
        """What `sources.json` says of an archive; empty if nothing."""
        recorded = self._records()
        entry: dict[str, Any] = recorded.get(archive.name, {})
        return entry

    def _records(self) -> dict[str, dict[str, Any]]:
        hint = "delete it, and checksums are compared with the published ones alone"
        return read(self.record, dict[str, dict[str, Any]], hint=hint) if self.record.is_file() else {}

    def _remember(self, obtained: Obtained, console: Console) -> None:
        past = self._recorded(obtained.archive)
        if past.get("sha256") == obtained.sha256:
            return
        compared_with = obtained.difference or obtained.archive.checksum or "no published checksum"
        if past:
            say(console, f"{obtained.path.name} is another file than on {past['date']}: sha256 {obtained.sha256}")
        elif obtained.archive.checksum is None:
            say(console, f"no published checksum for {obtained.path.name}; its sha256 is {obtained.sha256}")
        recorded = self._records()
        recorded[obtained.archive.name] = {
            "origin": obtained.origin,
            "size_bytes": obtained.size_bytes,
            "sha256": obtained.sha256,
            "compared_with": compared_with,
            "date": datetime.now(UTC).date().isoformat(),
        }
        write_json(self.record, recorded)


def _checked(path: Path, archive: Archive, url: str, progress: Progress) -> Obtained:
    """Examine a download and delete it if it is wrong.

    Raises:
        DownloadError: If it is not what is published, or no archive.
    """
    obtained = _examined(path, archive, url, progress)
    difference = obtained.difference
    if difference is None and not is_archive(path):
        difference = "it is neither a RAR nor a ZIP archive (a web page, perhaps)"
    if difference is not None:
        path.unlink()
        raise DownloadError(difference)
    return obtained


def _examined(path: Path, archive: Archive, origin: str, progress: Progress) -> Obtained:
    """Measure a file and compare it with what is published."""
    size_bytes = path.stat().st_size
    algorithm, _, published = (archive.checksum or "").partition(":")
    digests = _digests(path, {"sha256", algorithm or "sha256"}, progress)
    difference = None
    if published and digests[algorithm] != published.lower():
        difference = f"its {algorithm} is {digests[algorithm]}, published is {published}"
    elif archive.size_bytes not in (None, size_bytes):
        difference = f"it is {size_bytes} bytes long, published are {archive.size_bytes}"
    return Obtained(path, archive, origin, size_bytes, digests["sha256"], difference)


def _digests(path: Path, algorithms: set[str], progress: Progress) -> dict[str, str]:
    """The checksums of a file, in one reading."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    task = progress.add_task(f"checking {path.name}", total=path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            for each in hashes.values():
                each.update(chunk)
            progress.advance(task, len(chunk))
    progress.remove_task(task)
    return {name: each.hexdigest() for name, each in hashes.items()}
