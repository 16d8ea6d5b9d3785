"""What a bucket answers, as one line for its user."""

from collections.abc import Iterator
from contextlib import contextmanager

from muybridge.errors import UserError
from muybridge.storage.urls import url_at
from muybridge.text import one_line


@contextmanager
def reaching(
    url: str | None, hint: str = "check the address, and the credentials in the environment"
) -> Iterator[None]:
    """While this lasts, an error of a bucket is the user's, with a hint; of this machine's own files it stays as it is.

    Args:
        url: What is reached for; None for a folder of this machine.
        hint: What to do.
    """
    try:
        yield
    except OSError as error:
        if url is None or (error.filename is not None and url_at(str(error.filename)) is None):
            raise
        raise UserError(f"{url} cannot be reached: {one_line(error.strerror or error)}; {hint}") from error
