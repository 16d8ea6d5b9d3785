"""One writer at a time: a lock of the operating system, which goes with its process however that ends.

Notable: a thread that has the lock may take it again. On a disk that has no locks (some network disks) work goes on
without, and says so.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from muybridge.console import STDERR, say
from muybridge.disk_errors import naming
from muybridge.errors import UserError

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


class InUseError(UserError):
    """Another process is at work on a folder."""


class Lock:
    """A lock that is held from the call of ``acquire`` until ``release``, or the end of the process.

    Args:
        file: The file that it is taken on; it is made, and left there.
        what: What is locked, for the message.
    """

    def __init__(self, file: Path, *, what: Path) -> None:
        self._file = file
        self._what = what
        self._lock = FileLock(file, timeout=0, is_singleton=True)

    def acquire(self, *, wait_seconds: float = 0.0) -> "Lock":
        """Take the lock.

        Args:
            wait_seconds: How long to wait for another process to give it back.

        Raises:
            InUseError: If another process has it.
            OSError: If its file cannot be made.
        """
        try:
            with naming(self._file):
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(timeout=wait_seconds)
        except Timeout:
            raise InUseError(
                f"another process is at work on {self._what}; wait for it to end, or name another folder"
            ) from None
        except NotImplementedError:
            self._warn()
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            self._warn()
        return self

    @contextmanager
    def held(self, *, wait_seconds: float = 0.0) -> Iterator[None]:
        """Hold it while this lasts; see ``acquire``."""
        self.acquire(wait_seconds=wait_seconds)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def _warn(self) -> None:
        say(STDERR, f"note: the disk of {self._what} has no locks; let one process at a time work on it")
