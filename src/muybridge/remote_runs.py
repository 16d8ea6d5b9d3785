"""Runs that lie in a bucket: written on this machine and uploaded whole, fetched before they are read or resumed.

A name is taken by creating a small file that must not be there, so of two trainings with one name one is refused at
once. The file holds a number that is kept beside the run on this machine: who has it may go on.
"""

import hashlib
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.errors import NotSavedError, UserError
from muybridge.locks import Lock
from muybridge.remote_folders import (
    MANIFEST,
    OBJECTS,
    TAKEN,
    Say,
    fetch_folder,
    files_of,
    is_free,
    manifest_at,
    synced,
    upload_folder,
    version_of,
)
from muybridge.storage.reaching import reaching
from muybridge.storage.remote_files import files_below, read_remote, remove_remote, write_remote
from muybridge.storage.urls import url_at
from muybridge.system import cache_home
from muybridge.text import one_line

_KEPT_SECONDS = 24 * 3600.0
"""So long after its last use a copy of an older state of a run stays, since another process may still read it."""
_FETCH_SECONDS = 600.0
_LARGE = {".safetensors", ".ckpt", ".onnx", ".bin", ".png", ".html"}  # they say nothing of a run in a list


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
    with reaching(url):
        for last_try in (False, True):
            manifest = manifest_at(url)
            if manifest is None:
                raise _no_run(url)
            # A state of the run has a place of its own, so nothing is replaced that another process reads.
            place = _home(url, "fetched") / version_of(manifest) / _name(url)
            with _lock(place).held(wait_seconds=_FETCH_SECONDS):
                try:
                    if not place.is_dir():
                        fetch_folder(url, place, manifest, announce=announce)
                except FileNotFoundError:  # a training has uploaded another state in this very moment
                    if last_try:
                        raise
                    continue
            os.utime(place.parent)
            _forget_older(place.parent)
            return place
    raise AssertionError("the second try returns or raises")


@contextmanager
def opened_run(run: Path, *, announce: Say = lambda line: None) -> Iterator[Path]:
    """What ``local_run`` gives; while this lasts, what is wrong with the copy is said of the URL."""
    place = local_run(run, announce=announce)
    with _said_of(url_at(run), place):
        yield place


@contextmanager
def glanced_at(url: str) -> Iterator[Iterator[tuple[str, Path | UserError, int]]]:
    """The runs of a bucket without what is large in them.

    Of each there is the URL, a folder while this lasts (or why there is none: a damaged run hides no other), and the
    whole size in bytes.

    Args:
        url: Where to look, at any depth.

    Raises:
        UserError: Nothing is there, or it cannot be reached.
    """
    with reaching(url), tempfile.TemporaryDirectory(prefix="muybridge-runs-") as name:
        there = files_below(url)
        if not there:
            raise UserError(f"there is no folder {url}; runs are made by: muybridge train CLIPS --run {url}/NAME")

        sizes: Counter[str] = Counter()
        for file, status in there.items():
            sizes[file.rpartition(f"/{OBJECTS}/")[0]] += status.size_bytes
        found = (file.removesuffix(f"/{MANIFEST}") for file in there if file.endswith(f"/{MANIFEST}"))
        yield (
            (run, _glance(run, Path(name) / str(number) / _name(run)), sizes[run]) for number, run in enumerate(found)
        )


def _glance(url: str, place: Path) -> Path | UserError:
    """A run without what is large, at a place; or what is wrong with it."""
    try:
        manifest = manifest_at(url)
        if manifest is None:
            return _no_run(url)
        fetch_folder(url, place, manifest, passed_over=_LARGE, announce=lambda line: None)
    except FileNotFoundError:
        return UserError("a file is missing, or was replaced in this moment; list the runs again")
    except UserError as error:
        return error
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
    place = _home(url, "own") / _name(url)
    with _lock(place).held():
        with reaching(url):
            if resumes:
                _take_up(url, place, announce)
            else:
                _begin(url, place)
        try:
            with _said_of(url, place):
                yield place
        finally:
            if place.is_dir() and files_of(place):
                with reaching(url, f"the run is kept in {place}; upload it with: muybridge push {place} {url}"):
                    upload_folder(place, url, announce=announce)
            elif not resumes:
                with reaching(url):
                    remove_remote(f"{url}/{TAKEN}")


@contextmanager
def run_with_results(run: Path, out: str | Path | None, *, lasting: bool = True, announce: Say) -> Iterator[Path]:
    """A folder of this machine with a run to read, and to write results into where they have no other place.

    Of a run in a bucket it is a copy, which is uploaded behind if it was written to.

    Args:
        run: The run or model, by path or URL.
        out: Where results go; None: into the run.
        lasting: Whether results are of no use unless they are kept. Else those of a model on a hub, or of a run in a
            bucket that cannot be written to, stay on this machine.
        announce: Called with what is fetched and uploaded.

    Raises:
        UserError: There is no run, it cannot be reached, or takes no results.
    """
    url = url_at(run)
    if url is None or out is not None:
        with opened_run(run, announce=announce) as place:
            yield place
    elif url.startswith("hf://"):
        if lasting:
            raise UserError(f"{url} is on a hub, where no results go; name a place on this machine with run.out")
        with opened_run(run, announce=announce) as place:
            yield place
    else:
        done = False
        try:
            with uploaded_run(run, resumes=True, announce=announce) as own:
                assert own is not None
                yield own
                done = True
        except UserError as error:  # a bucket may be one that this user only reads
            if lasting or not done:
                raise
            announce(f"note: {error}")


def upload_to(folder: Path, url: str, *, announce: Say) -> None:
    """Upload a folder to a free name, or to the one where it lies already.

    Raises:
        UserError: The name is that of something else, or the bucket cannot be reached.
    """
    with reaching(url):
        if manifest_at(url) is None:
            _take_name(url, folder)
        upload_folder(folder, url, announce=announce)


@contextmanager
def _said_of(url: str | None, place: Path) -> Iterator[None]:
    """While this lasts, errors name a URL and not its copy; but what could not be saved is on this machine."""
    try:
        yield
    except NotSavedError:
        raise
    except UserError as error:
        if url is not None:
            error.args = tuple(part.replace(str(place), url) if isinstance(part, str) else part for part in error.args)
        raise


def _begin(url: str, place: Path) -> None:
    """Take a name for a new run, and an empty folder."""
    if place.is_dir() and not _is_own(url, place):  # of a run of that name that is gone from the bucket
        shutil.rmtree(place)
    _take_name(url, place.parent)
    if place.is_dir() and files_of(place):
        if manifest_at(url) is not None:
            raise _is_there(url)
        command = f"muybridge train --resume {url}"
        raise UserError(f"{url} was begun on this machine, and not uploaded; go on with: {command}")


def _is_there(url: str) -> UserError:
    return UserError(f"{url} is already there; name another run, or go on with: muybridge train --resume {url}")


def _take_name(url: str, folder: Path) -> None:
    """Take a name, which may be one's own already.

    Args:
        url: The name.
        folder: Where the number is kept: in a run that is pushed, or above one that is still to be written.
    """
    if _is_own(url, folder):
        return
    if not is_free(url):
        raise _is_there(url)
    number = f"{socket.gethostname()} {uuid.uuid4()}\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TAKEN).write_text(number)
    try:
        write_remote(f"{url}/{TAKEN}", number.encode(), only_new=True)
    except FileExistsError:
        if _is_own(url, folder):  # the first try came through, and its answer was lost
            return
        (folder / TAKEN).unlink()
        raise UserError(
            f"{url} is being written by another training; name another run or, if that one is gone for good, remove "
            f"{url}/{TAKEN}"
        ) from None


def _is_own(url: str, folder: Path) -> bool:
    """Whether the name was taken by this folder, or by the training that wrote it."""
    number = next((file for file in (folder / TAKEN, folder.parent / TAKEN) if file.is_file()), None)
    if number is None:
        return False
    try:
        return read_remote(f"{url}/{TAKEN}") == number.read_bytes()
    except FileNotFoundError:
        return False


def _no_run(url: str) -> UserError:
    return UserError(f"{url} holds no run: there is no {MANIFEST}; name one that train or push has uploaded")


def _take_up(url: str, place: Path, announce: Say) -> None:
    """Make the local folder the newest state of a run."""
    manifest = manifest_at(url)
    if place.is_dir() and synced(place) == manifest and (manifest is not None or _is_own(url, place)):
        return  # nobody went on elsewhere: what is here is as new, or newer
    if manifest is None:
        raise _no_run(url)
    if place.is_dir():
        outdated = place.with_name(f".{place.name}.outdated")
        place.rename(outdated)
        shutil.rmtree(outdated)
    fetch_folder(url, place, manifest, announce=announce)


def _forget_older(current: Path) -> None:
    """Remove copies of other states of a run that nobody has used for a while."""
    for other in current.parent.iterdir():
        if other != current and other.is_dir() and time.time() - other.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(other)


def _snapshot(url: str) -> Path:
    """A copy of a repository of a model hub, which its own library keeps."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise UserError(f"hf:// needs pip install 'muybridge[hf]' ({error})") from error
    try:
        return Path(snapshot_download(url.removeprefix("hf://")))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = one_line(error)
        raise UserError(f"{url} cannot be fetched: {reason}; check the name, and HF_TOKEN if it is private") from error


def _home(url: str, kind: str) -> Path:
    """Where copies of a run of a bucket lie on this machine."""
    named = os.environ.get("MUYBRIDGE_CACHE")
    home = Path(named) if named else cache_home() / "muybridge"
    return home / "runs" / kind / hashlib.sha256(url.encode()).hexdigest()[:12]


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _lock(place: Path) -> Lock:
    return Lock(place.parent / ".lock", what=place)
