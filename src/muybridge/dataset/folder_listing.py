"""What lies directly in a folder, of this machine or of a bucket."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muybridge.file_parts import status_of
from muybridge.storage.remote_files import names_in
from muybridge.storage.urls import url_at


@dataclass(frozen=True)
class RemoteEntry:
    """A file or folder of a bucket, with what is asked of `os.DirEntry`."""

    folder: Path
    name: str
    is_folder: bool

    def __fspath__(self) -> str:
        return str(self.folder / self.name)

    def is_dir(self) -> bool:
        """Whether files lie below it."""
        return self.is_folder

    def is_file(self) -> bool:
        """Whether it is a file."""
        return not self.is_folder

    def stat(self) -> os.stat_result:
        """Its size and version."""
        return status_of(self.folder / self.name)


Entry = os.DirEntry[str] | RemoteEntry


@contextmanager
def listed(folder: Path) -> Iterator[Iterator[Entry]]:
    """The entries of a folder, in any order.

    Raises:
        OSError: It cannot be read.
    """
    url = url_at(folder)
    if url is None:
        with os.scandir(folder) as entries:
            yield entries
    else:
        yield (RemoteEntry(folder, name, is_folder) for name, is_folder in names_in(url).items())


def is_regular_entry(entry: Entry) -> bool:
    """Whether an entry is a file, and no pipe or device."""
    return entry.is_file() or stat.S_ISREG(entry.stat().st_mode)
