"""A video that the user names by its address: kept in a temporary file while it is read, as a pipe is.

Only who was told of an address by the user comes here. What is fetched is opened as any file, by the list of formats
of files, so it opens no other address.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.errors import UserError
from muybridge.video.limits import PIPE_BYTES, Limits
from muybridge.video.live.addresses import SCHEMES, printable_address, scheme_of

_CONNECT_SECONDS = 10.0
_CHUNK_BYTES = 2**20
_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".ts", ".mjpeg", ".mjpg"})


def require_fetchable(address: str) -> None:
    """Check that an address is that of a file.

    Raises:
        UserError: It is a stream, or no address that is opened.
    """
    scheme, name = scheme_of(address), printable_address(address)
    if scheme in ("http", "https"):
        return
    if scheme in SCHEMES:
        raise UserError(f"{name} is a stream, which has no end; look at it with: muybridge watch RUN ADDRESS")
    raise UserError(f"{name}: files are fetched by http and https; download it first")


@contextmanager
def fetched_file(address: str) -> Iterator[Path]:
    """A temporary file with what lies at an address of HTTP.

    Raises:
        UserError: It does not come, or is larger than the limit; the line holds no credentials.
    """
    require_fetchable(address)
    import requests  # only who names an address needs it

    name, limits = printable_address(address), Limits.current()
    # Its ending only tells motion JPEG from a still picture; nothing else of a stranger's name gets into a path.
    ending = Path(address.partition("?")[0]).suffix.lower()
    with tempfile.NamedTemporaryFile(prefix="muybridge-", suffix=ending if ending in _ENDINGS else "") as kept:
        size_bytes = 0
        try:
            with requests.get(address, stream=True, timeout=(_CONNECT_SECONDS, limits.stall_seconds)) as answer:
                if not answer.ok:
                    raise UserError(f"{name}: the server answers {answer.status_code}; check the address")
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    size_bytes += len(chunk)
                    if size_bytes > limits.pipe_bytes:
                        raise UserError(f"{name}: larger than {PIPE_BYTES} allows ({limits.pipe_bytes}); download it")
                    kept.write(chunk)
        except (requests.RequestException, ValueError) as error:  # their text names the address
            raise UserError(f"{name}: it does not come ({type(error).__name__}); check the address") from None
        kept.flush()
        yield Path(kept.name)
