"""What the server does not do, as an answer: a status, and one clear line."""

from muybridge.errors import UserError, VideoError
from muybridge.text import printable


class RefusalError(Exception):
    """A request that is refused.

    Attributes:
        status: Of the answer.
        detail: One line: what, where, what to do.
        retry_after: Seconds after which another try is worth it, or None.
    """

    def __init__(self, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = printable(detail)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


def busy(what: str, *, retry_after: int = 2) -> RefusalError:
    """There is no room; later there may be."""
    return RefusalError(503, f"{what}; try again later", retry_after=retry_after)


def line_of(error: UserError) -> str:
    """An error for a client, who must not learn where files lie here."""
    if isinstance(error, VideoError):
        return printable(f"{error.reason} ({error.hint})" if error.hint else error.reason)
    return str(error)
