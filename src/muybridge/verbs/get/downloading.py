"""Downloading one large file, so that an interruption costs nothing.

Notable: bytes go to `<name>.part`, with the server's validator (ETag or Last-Modified) next to it. The next attempt
asks for the rest with `If-Range`, so that a server whose file has changed since sends all of it, and the two are
never mixed; without a validator it starts afresh. The file takes its name only when its length is right.
See RFC 9110, sections 13.1.5 (If-Range) and 14 (range requests).
"""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.progress import Progress, TaskID

from muybridge.errors import UserError
from muybridge.files import write_json
from muybridge.run_schemas import DownloadState
from muybridge.schemas import read

CHUNK_BYTES = 1 << 14  # what an interruption can cost
TIMEOUT_SECONDS = (10, 60)  # to connect, and between two pieces
_TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(Exception):
    """An address did not deliver the file; the text says why."""


@dataclass(frozen=True)
class Retries:
    """How patient to be with one address.

    Attributes:
        attempts: How often to try without getting any further.
        pause_seconds: The wait before the second try; it doubles with every further one.
    """

    attempts: int = 3
    pause_seconds: float = 1.0


def part_of(path: Path) -> Path:
    """Where the bytes of a download lie until it is whole."""
    return path.with_name(path.name + ".part")


def state_of(path: Path) -> Path:
    """What is known of those bytes: their address, the server's validator, and the whole size."""
    return path.with_name(path.name + ".part.json")


def download(
    url: str,
    path: Path,
    *,
    size_bytes: int | None = None,
    retries: Retries = Retries(),
    progress: Progress,
) -> None:
    """Download a file, continuing where an earlier attempt stopped.

    Args:
        url: Its address.
        path: Where to put it.
        size_bytes: Its published size, or None.
        retries: How often to try again.
        progress: Shows how far it is.

    Raises:
        DownloadError: If the address does not deliver the file.
        UserError: If the disk is too full for it.
    """
    task = progress.add_task(f"fetching {path.name}", total=size_bytes)
    failures = 0
    try:
        with requests.Session() as session:
            while True:
                before = _size_bytes(part_of(path))
                try:
                    _attempt(session, url, path, size_bytes=size_bytes, progress=progress, task=task)
                    break
                except requests.exceptions.SSLError as error:
                    raise DownloadError(f"its certificate is not trusted ({_reason(error)})") from None
                except requests.RequestException as error:
                    failures = 1 if _size_bytes(part_of(path)) > before else failures + 1
                    if failures >= retries.attempts:
                        raise DownloadError(_reason(error)) from None
                    time.sleep(retries.pause_seconds * 2 ** (failures - 1))
    finally:
        progress.remove_task(task)
    part_of(path).replace(path)
    state_of(path).unlink()


def require_space(folder: Path, needed_bytes: int, *, purpose: str) -> None:
    """Make sure that the disk has room.

    Raises:
        UserError: If it has not.
    """
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise UserError(
            f"{purpose} needs {needed_bytes / 1e9:.2f} GB in {folder}, but only {free / 1e9:.2f} GB are free; "
            "make room, or choose a folder on another disk"
        )


def _attempt(
    session: requests.Session, url: str, path: Path, *, size_bytes: int | None, progress: Progress, task: TaskID
) -> None:
    """One request, for the rest where there is a beginning."""
    part = part_of(path)
    start, validator, total = _kept(path, url)
    if start and start == total:
        return  # stopped between the last byte and the new name
    headers = {"Accept-Encoding": "identity"}  # else lengths and ranges would be those of the compressed file
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == 206 and start:
            total = _total_of_range(response, start)
        elif response.status_code == 200:
            start, total = 0, _length(response)
            part.unlink(missing_ok=True)
        elif response.status_code == 416:  # more is here than there
            part.unlink(missing_ok=True)
            response.raise_for_status()
        elif response.status_code in _TEMPORARY_STATUS:
            response.raise_for_status()
        else:
            raise DownloadError(f"HTTP status {response.status_code}")
        if size_bytes is not None and total not in (None, size_bytes):
            raise DownloadError(f"it is {total} bytes long, published are {size_bytes}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if total is not None:
            require_space(path.parent, total - start, purpose=f"the rest of {path.name}" if start else path.name)
        if start == 0:
            write_json(state_of(path), {"url": url, "validator": _validator(response), "size_bytes": total})
        progress.update(task, total=total, completed=start)
        with part.open("ab") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                progress.advance(task, len(chunk))
    if total is not None and part.stat().st_size != total:
        raise requests.ConnectionError(f"it ended after {part.stat().st_size} of {total} bytes")


def _kept(path: Path, url: str) -> tuple[int, str, int | None]:
    """What an earlier attempt at this address left: its bytes, the server's validator, and the whole size."""
    start = _size_bytes(part_of(path))
    if not start or not state_of(path).is_file():
        return 0, "", None
    state = read(state_of(path), DownloadState, hint="delete it, and the download begins anew")
    if state.url != url or not state.validator:
        return 0, "", None
    return start, state.validator, state.size_bytes


def _total_of_range(response: requests.Response, start: int) -> int:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise DownloadError(f"it answers another range than asked for: {response.headers.get('Content-Range')}")
    return int(match[2])


def _length(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _validator(response: requests.Response) -> str | None:
    """What shows whether the file has changed; a weak ETag does not promise the same bytes."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: requests.RequestException) -> str:
    """Say in few words why a request failed; the texts of requests run over several lines."""
    if error.response is not None:
        return f"HTTP status {error.response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        found = re.search(r"certificate verify failed: [\w ]+", str(error))
        return found[0] if found else "TLS error"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        text = str(error)
        for sign, reason in (("resol", "no such host, or no network"), ("refused", "connection refused")):
            if sign in text:
                return reason
        return text if len(text) < 60 else "no connection"
    return type(error).__name__
