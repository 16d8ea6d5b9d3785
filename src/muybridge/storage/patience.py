"""Trying again what failed in passing: a request that was lost, a server that is busy or away for a while."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from muybridge.errors import UserError
from muybridge.text import one_line

STORAGE_SECONDS = "MUYBRIDGE_STORAGE_SECONDS"
"""How long a request is tried again before it is given up."""
_DEFAULT_SECONDS = 120.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0

# What will be the same at the next try.
_LASTING = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
# Errors of connections that are no OSError; their classes cannot be imported where the extra is missing.
_PASSING_NAMES = {"HTTPClientError", "ConnectionError", "ClientConnectionError", "ClientPayloadError", "FSTimeoutError"}
_NO_CREDENTIALS_NAMES = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "TokenRetrievalError",
}

T = TypeVar("T")

_watched = threading.local()


@contextmanager
def watching_storage() -> Iterator[list[str]]:
    """Collects why requests of this thread failed for good, though what they asked for may be there.

    Whoever reads a video is told that by an error of the video, through a library that knows no storage.
    """
    before = getattr(_watched, "failures", None)
    failures: list[str] = []
    _watched.failures = failures
    try:
        yield failures
    finally:
        _watched.failures = before


def for_this_thread(function: Callable[..., T]) -> Callable[..., T]:
    """A function for another thread, whose failed requests count as this one's."""
    failures = getattr(_watched, "failures", None)

    def called(*arguments: Any) -> T:
        _watched.failures = failures
        return function(*arguments)

    return called


def _note(what: str, error: Exception) -> None:
    failures = getattr(_watched, "failures", None)
    if failures is not None:
        failures.append(f"{what}: {one_line(error) or type(error).__name__}")


def patient(what: str, request: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Make a request; again, with growing pauses, while it fails in passing.

    Args:
        what: What it is about, for messages: a URL.
        request: The request; doing it twice does no harm.
        arguments: Its arguments.
        options: Its named arguments.

    Raises:
        UserError: No credentials are found.
        OSError: It failed for good, or for so long that it was given up.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

    seconds = _seconds()
    retrying = Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS),
        retry=retry_if_exception(_passes),
        reraise=True,
    )
    try:
        return retrying(request, *arguments, **options)
    except _LASTING as error:
        if isinstance(error, PermissionError):  # as a rule not of one file: credentials have run out
            _note(what, error)
        if error.errno is None or error.strerror is None:
            raise type(error)(
                _NUMBERS[type(error)], one_line(error) or os.strerror(_NUMBERS[type(error)]), what
            ) from error
        raise
    except Exception as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        if names & _NO_CREDENTIALS_NAMES:
            raise UserError(
                f"{what} needs credentials, and the environment holds none; set those of its provider, such as "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3"
            ) from error
        if isinstance(error, UserError):
            raise
        _note(what, error)
        given_up = f"; given up after {seconds:g} s ({STORAGE_SECONDS})" if _passes(error) else ""
        raise OSError(errno.EIO, f"{type(error).__name__}: {one_line(error)}{given_up}", what) from error


_NUMBERS = {
    FileNotFoundError: errno.ENOENT,
    FileExistsError: errno.EEXIST,
    PermissionError: errno.EACCES,
    IsADirectoryError: errno.EISDIR,
    NotADirectoryError: errno.ENOTDIR,
}


def _passes(error: BaseException) -> bool:
    if isinstance(error, _LASTING):
        return False
    if isinstance(error, OSError):  # also ConnectionError and TimeoutError
        return error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EINVAL)
    return bool({kind.__name__ for kind in type(error).__mro__} & _PASSING_NAMES)


def _seconds() -> float:
    text = os.environ.get(STORAGE_SECONDS, "")
    try:
        seconds = float(text) if text else _DEFAULT_SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise UserError(f"{STORAGE_SECONDS} is {text!r}; give seconds from 0 to 86400")
    return seconds
