"""URLs among paths. A URL goes through the program as a `Path`, and stays one whatever is done with it.

`Path("s3://bucket/clips")` is written `s3:/bucket/clips`; made absolute it has the working folder before it. Nothing is
lost by that: the part that names the scheme is still there. A folder of this machine that has such a name, `s3:`, comes
first.
"""

import re
from pathlib import Path

from muybridge.text import URL_SCHEMES

EXTRAS = {scheme: scheme if scheme != "memory" else "" for scheme in URL_SCHEMES}
"""Which extra each scheme needs; none for what fsspec does by itself."""

_SCHEME = re.compile(rf"(?:^|/)(?P<scheme>{'|'.join(EXTRAS)}):/+(?P<rest>[^/].*)", re.DOTALL)
_URL = re.compile(rf"(?:{'|'.join(EXTRAS)})://")


def url_at(path: str | Path) -> str | None:
    """The URL that a path stands for; None for a file of this machine."""
    text = path if isinstance(path, str) else path.as_posix()
    if ":/" not in text:
        return None
    match = _SCHEME.search(text)
    if match is None or Path(text[: match.start("rest")]).is_dir():
        return None
    return f"{match['scheme']}://{match['rest'].rstrip('/')}"


def written(path: str | Path) -> str:
    """A path as a user writes it: a URL as a URL."""
    return url_at(path) or str(path)


def is_url(text: str) -> bool:
    """Whether a text is written as a URL of a scheme that is known here."""
    return _URL.match(text) is not None
