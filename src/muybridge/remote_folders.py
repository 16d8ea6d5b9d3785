"""A folder of this machine as objects in a bucket, whole or not at all.

A bucket cannot rename a folder. So each file is an object that is named by what it holds, and one small file, written
last, says which objects are the folder: until then a reader sees the folder as it was before. Objects that no folder
needs any more go after that.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from pathlib import Path

from muybridge.errors import UserError
from muybridge.files import building_folder, content_hash, write_json
from muybridge.run_schemas import RemoteFolderFile
from muybridge.schemas import convert
from muybridge.storage.remote_files import download, files_below, read_remote, remove_remote, upload, write_remote
from muybridge.text import counted, one_line

MANIFEST = "muybridge-files.json"
TAKEN = ".taken"
OBJECTS = "objects"
_SYNCED = ".synced.json"  # the manifest that a local copy was last equal to
_OURS = {".lock", _SYNCED, TAKEN}

Say = Callable[[str], None]


def upload_folder(folder: Path, url: str, *, announce: Say) -> None:
    """Upload what changed in a folder since it was last uploaded.

    Raises:
        UserError: What is there was not uploaded from this folder.
        OSError: The bucket cannot be reached.
    """
    before = manifest_at(url)
    if before is not None and before != synced(folder):
        raise UserError(
            f"{url} was changed from elsewhere since {folder} was fetched, and is not replaced; what is here can be "
            f"uploaded to another name: muybridge push {folder} URL"
        )
    files = {path.relative_to(folder).as_posix(): content_hash(path) for path in files_of(folder)}
    if before is not None and files == before.files:
        return
    there = set() if before is None else set(before.files.values())
    sent = 0
    for name, sha256 in files.items():
        if sha256 not in there:
            upload(folder / name, f"{url}/{OBJECTS}/{sha256}")
            there.add(sha256)
            sent += 1
    write_remote(f"{url}/{MANIFEST}", json.dumps({"files": files}, indent=1).encode())
    write_json(folder / _SYNCED, {"files": files})
    for needless in there - set(files.values()):
        remove_remote(f"{url}/{OBJECTS}/{needless}")
    announce(f"uploaded {counted(sent, 'file')} of {folder.name} to {url}")


def fetch_folder(
    url: str, place: Path, manifest: RemoteFolderFile, *, passed_over: Collection[str] = (), announce: Say
) -> None:
    """Bring a folder to a place that is free, whole or not at all.

    Args:
        url: Where it is.
        place: Where it goes.
        manifest: Its files.
        passed_over: Endings of files that are not wanted; they are there, and empty.
        announce: Called with what is fetched.

    Raises:
        UserError: It is damaged.
        FileNotFoundError: It was replaced meanwhile.
        OSError: The bucket cannot be reached.
    """
    announce(f"fetching {url}, {counted(len(manifest.files), 'file')}")
    with building_folder(place) as building:
        for name, sha256 in manifest.files.items():
            file = building / name
            if not file.resolve().is_relative_to(building.resolve()):
                raise UserError(f"{url} is damaged: {MANIFEST} names {name!r}, which is outside the folder")
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix in passed_over:
                file.touch()
                continue
            download(f"{url}/{OBJECTS}/{sha256}", file)
            if content_hash(file) != sha256:
                raise UserError(f"{url} is damaged: {name} is not what {MANIFEST} says; upload it again")
        if not passed_over:
            write_json(building / _SYNCED, {"files": manifest.files})


def files_of(folder: Path) -> list[Path]:
    """The files of a folder that are uploaded, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _OURS)


def manifest_at(url: str) -> RemoteFolderFile | None:
    """What a bucket says of a folder; None where there is none.

    Raises:
        UserError: It is damaged.
        OSError: The bucket cannot be reached.
    """
    try:
        data = read_remote(f"{url}/{MANIFEST}")
    except FileNotFoundError:
        return None
    return _parsed(data, f"{url}/{MANIFEST}")


def synced(folder: Path) -> RemoteFolderFile | None:
    """What a bucket said of a folder when this copy of it was last the same; None where it never was."""
    file = folder / _SYNCED
    return _parsed(file.read_bytes(), str(file)) if file.is_file() else None


def version_of(manifest: RemoteFolderFile) -> str:
    """A short name of exactly these files."""
    return hashlib.sha256(json.dumps(sorted(manifest.files.items())).encode()).hexdigest()[:12]


def is_free(url: str) -> bool:
    """Whether nothing lies at a URL but, at most, a name that is taken.

    Raises:
        OSError: The bucket cannot be reached.
    """
    return all(name.endswith(f"/{TAKEN}") for name in files_below(url))


def _parsed(data: bytes, where: str) -> RemoteFolderFile:
    try:
        values = json.loads(data)
    except ValueError as error:
        raise UserError(f"{where} is damaged: {one_line(error)}; upload the folder again") from None
    return convert(values, RemoteFolderFile, where=where, hint="upload the folder again")
