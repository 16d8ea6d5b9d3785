"""Runs that lie in a bucket: written on this machine and uploaded whole, fetched before they are read or resumed.

A bucket cannot rename a folder, so `muybridge-files.json`, written last, makes a run whole: it lists every file with
its SHA-256, and what does not agree with it is not taken. A name is taken by creating a small file that must not be
there,
so of two trainings with one name one is refused at once.
"""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.errors import UserError
from muybridge.files import building_folder, content_hash, write_json
from muybridge.locks import Lock
from muybridge.run_schemas import RemoteRunFile
from muybridge.schemas import convert
from muybridge.storage.remote_files import (
    download,
    files_below,
    read_remote,
    remove_remote,
    upload,
    write_remote,
)
from muybridge.storage.urls import url_at
from muybridge.text import counted, one_line

MANIFEST = "muybridge-files.json"
_TAKEN = ".taken"
_SYNCED = ".synced.json"  # the manifest that a local copy was last equal to
_OWN_FILES = {".lock", _SYNCED, _TAKEN, MANIFEST}

Say = Callable[[str], None]


def local_run(run: Path, *, announce: Say = lambda line: None) -> Path:
    """A folder of this machine with a run to read: its own, or a verified copy of one in a bucket.

    Args:
        run: The run or model, by path or URL.
        announce: Called with what is fetched.

    Raises:
        UserError: There is no whole run at the URL, or it cannot be reached.
    """
    url = url_at(run)
    if url is None:
        return run
    if url.startswith("hf://"):
        return _snapshot(url)
    with _errors_of(url):
        manifest = _manifest(url)
        if manifest is None:
            raise UserError(f"{url} holds no run: there is no {MANIFEST}; name one that train or push has uploaded")
        place = _place(url, "fetched")
        with _locked(place):
            if _synced(place) != manifest:
                announce(f"fetching {url}, {counted(len(manifest.files), 'file')}")
                _fetch(url, place, manifest)
    return place


@contextmanager
def uploaded_run(run: Path | None, *, resumes: bool = False, announce: Say) -> Iterator[Path | None]:
    """A folder of this machine to write a run to; where the run is to lie in a bucket, it is uploaded behind.

    Also what was interrupted is uploaded, so that any machine can resume it.

    Args:
        run: The run, by path or URL; None where the caller chooses the folder.
        resumes: Whether the run is there and goes on: it is fetched first, unless what is left of it here is newer.
        announce: Called with what is fetched and uploaded.

    Raises:
        UserError: The name is taken, there is nothing to resume, or the bucket cannot be reached.
    """
    url = None if run is None else url_at(run)
    if url is None:
        yield run
        return
    if url.startswith("hf://"):
        raise UserError(f"{url}: a run is trained in a folder or a bucket; then: muybridge push RUN {url}")
    place = _place(url, "own")
    with _locked(place):
        with _errors_of(url):
            if resumes:
                _take_up(url, place, announce)
            else:
                _take_name(url)
        try:
            yield place
        finally:
            if place.is_dir() and any(path.name not in _OWN_FILES for path in place.iterdir()):
                with _errors_of(url, where=f"the run is kept in {place}; upload it with: muybridge push {place} {url}"):
                    upload_folder(place, url, announce=announce)
            elif not resumes:
                remove_remote(f"{url}/{_TAKEN}")


def upload_to(folder: Path, url: str, *, announce: Say) -> None:
    """Upload a folder to a free name, or to the one where it lies already.

    Raises:
        UserError: The name is that of something else, or the bucket cannot be reached.
    """
    with _errors_of(url):
        before = _manifest(url)
        if before is None:
            _take_name(url)
        elif before != _synced(folder):
            raise UserError(f"{url} is already there, and was not uploaded from {folder}; name another place")
        upload_folder(folder, url, announce=announce)


def upload_folder(folder: Path, url: str, *, announce: Say) -> None:
    """Upload what changed in a folder since it was last uploaded; what is gone is removed there.

    Raises:
        OSError: The bucket cannot be reached.
    """
    before = _manifest(url)
    old = before.files if before is not None else {}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _OWN_FILES)
    files = {path.relative_to(folder).as_posix(): content_hash(path) for path in paths}
    changed = [name for name, sha256 in files.items() if old.get(name) != sha256]
    for name in changed:
        upload(folder / name, f"{url}/{name}")
    manifest = RemoteRunFile(files=files)
    write_remote(f"{url}/{MANIFEST}", json.dumps({"files": files}, indent=1).encode())
    for name in old.keys() - files.keys():
        remove_remote(f"{url}/{name}")
    _write_synced(folder, manifest)
    announce(f"uploaded {counted(len(changed), 'file')} of {folder.name} to {url}")


def _take_name(url: str) -> None:
    others = [name for name in files_below(url) if not name.endswith(f"/{_TAKEN}")]
    if others:
        raise UserError(
            f"{url} is already there; name another run, or continue it with: muybridge train --resume {url}"
        )
    try:
        write_remote(f"{url}/{_TAKEN}", f"{socket.gethostname()} {os.getpid()}\n".encode(), only_new=True)
    except FileExistsError:
        raise UserError(f"{url} is being written by another training; name another run") from None


def _take_up(url: str, place: Path, announce: Say) -> None:
    manifest = _manifest(url)
    if place.is_dir() and _synced(place) == manifest:  # nobody went on elsewhere; what is here is as new, or newer
        return
    if manifest is None:
        raise UserError(f"{url} holds no run to resume: there is no {MANIFEST}")
    announce(f"fetching {url}, {counted(len(manifest.files), 'file')}")
    _fetch(url, place, manifest)


def _fetch(url: str, place: Path, manifest: RemoteRunFile) -> None:
    """Bring a run here, whole or not at all."""
    if place.is_dir():
        outdated = place.with_name(f".{place.name}.outdated")
        place.rename(outdated)
        shutil.rmtree(outdated)
    with building_folder(place) as building:
        for name, sha256 in manifest.files.items():
            file = building / name
            if not file.resolve().is_relative_to(building.resolve()):
                raise UserError(f"{url} is damaged: {MANIFEST} names {name!r}, which is outside the run")
            file.parent.mkdir(parents=True, exist_ok=True)
            download(f"{url}/{name}", file)
            if content_hash(file) != sha256:
                raise UserError(
                    f"{url}/{name} is not what {MANIFEST} says: it is being uploaded, or damaged; try again"
                )
        _write_synced(building, manifest)


def _manifest(url: str) -> RemoteRunFile | None:
    try:
        data = read_remote(f"{url}/{MANIFEST}")
    except FileNotFoundError:
        return None
    return _parsed(data, f"{url}/{MANIFEST}")


def _synced(place: Path) -> RemoteRunFile | None:
    file = place / _SYNCED
    return _parsed(file.read_bytes(), str(file)) if file.is_file() else None


def _parsed(data: bytes, where: str) -> RemoteRunFile:
    try:
        values = json.loads(data)
    except ValueError as error:
        raise UserError(f"{where} is damaged: {one_line(error)}; upload the run again") from None
    return convert(values, RemoteRunFile, where=where, hint="upload the run again")


def _write_synced(folder: Path, manifest: RemoteRunFile) -> None:
    write_json(folder / _SYNCED, {"files": dict(manifest.files)})


def _snapshot(url: str) -> Path:
    """A copy of a repository of a model hub, which its own library keeps."""
    name = url.removeprefix("hf://")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise UserError(f"hf:// needs pip install 'muybridge[hf]' ({error})") from error
    try:
        return Path(snapshot_download(name, token=None))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"{url} cannot be fetched: {one_line(error)}; check the name, and HF_TOKEN if it is private"
        ) from (error)


def _place(url: str, kind: str) -> Path:
    """Where a run of a bucket lies on this machine."""
    if named := os.environ.get("MUYBRIDGE_CACHE"):
        home = Path(named)
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "muybridge"
    name = url.rpartition("/")[2]
    return home / "runs" / kind / hashlib.sha256(url.encode()).hexdigest()[:12] / name


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(place.parent / ".lock", what=place).acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _errors_of(url: str, where: str = "check the address, and the credentials in the environment") -> Iterator[None]:
    """Make one line of what a bucket answers."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and url_at(str(error.filename)) is None:  # of this machine's disk
            raise
        raise UserError(f"{url} cannot be reached: {one_line(error.strerror or error)}; {where}") from error
