"""The page for people: files that come with the package."""

from functools import cache
from pathlib import Path

from fastapi.responses import Response

from muybridge.verbs.serve.refusal import RefusalError

FOLDER = Path(__file__).with_name("page")

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
}


@cache
def _files() -> dict[str, Path]:
    """What is there, by name: a name that a client sends is looked up, and never becomes a path."""
    return {path.name: path for path in FOLDER.iterdir() if path.suffix in _KINDS}


def page_file(name: str) -> Response:
    """A file of the page.

    Raises:
        RefusalError: There is none of that name.
    """
    path = _files().get(name)
    if path is None:
        raise RefusalError(404, "the page has no such file")
    return Response(path.read_bytes(), media_type=_KINDS[path.suffix], headers={"cache-control": "no-cache"})
