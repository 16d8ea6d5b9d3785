"""Videos by address, from where the user has allowed it and nowhere else.

An address is fetched only if it begins with one that was allowed, after dots in its path are refused; redirects are
followed by the same rule. Label Studio's key goes to Label Studio alone, whose address no request can change.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests

from muybridge.errors import UserError
from muybridge.text import abbreviated, printable
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.refusal import RefusalError
from muybridge.verbs.serve.uploads import require_room, shown_name, suffix_of

KEY = "LABEL_STUDIO_API_KEY"
_REDIRECTS = 3
_SECONDS = 30.0
_PIECE_BYTES = 2**20


def key_origin(config: ServeConfig) -> str:
    """The one host that gets Label Studio's key, with its scheme and port; empty where none is named.

    Raises:
        UserError: It is not clear which, or nothing may be fetched from there.
    """
    allowed = {_origin(each) for each in config.allow_url}
    if config.label_studio_url:
        origin = _origin(config.label_studio_url)
        if origin not in allowed:
            raise UserError(
                f"label_studio_url {config.label_studio_url}: nothing may be fetched from there; add it as an allow_url"
            )
        return origin
    if len(allowed) > 1 and os.environ.get(KEY):
        raise UserError(
            f"allow_url names {len(allowed)} hosts, and ${KEY} is for one; name that as label_studio_url, such as "
            f"{config.allow_url[0]}"
        )
    return allowed.pop() if len(allowed) == 1 else ""


class Fetcher:
    """Fetches videos from allowed addresses.

    Args:
        config: The server's.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._allowed = tuple(config.allow_url)
        self._most_bytes = config.most_bytes
        self._key_origin = key_origin(config)
        self.base = self._key_origin or (_origin(self._allowed[0]) if self._allowed else "")

    def use_host(self, hostname: str) -> None:
        """Take addresses without a host as those at ``hostname``, where that is allowed and no key has a place."""
        if not self._key_origin and any(_origin(hostname) == _origin(allowed) for allowed in self._allowed):
            self.base = _origin(hostname)

    def fetch(self, address: str, folder: Path, stem: str) -> tuple[Path, str]:
        """Write what is at an address to a folder.

        Args:
            address: Whole, or a path on Label Studio's host.
            folder: Where it goes.
            stem: Name of the file there.

        Returns:
            The file, and its name as it can be shown.

        Raises:
            RefusalError: It is not allowed, not there, or too large.
        """
        try:
            return self._follow(urljoin(f"{self.base}/", address) if self.base else address, folder, stem)
        except ValueError:  # of urllib, which takes addresses apart: that of the task, or of a redirect
            raise RefusalError(422, f"{_shown(address)} is no address, or leads to none") from None

    def _follow(self, url: str, folder: Path, stem: str) -> tuple[Path, str]:
        for _ in range(_REDIRECTS + 1):
            self._check(url)
            try:
                with requests.get(
                    url, headers=self._headers(url), stream=True, timeout=_SECONDS, allow_redirects=False
                ) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.status_code != 200:
                        raise RefusalError(422, f"{_shown(url)} answers {answer.status_code}{self._hint(answer)}")
                    name = shown_name(unquote(urlsplit(url).path))
                    path = folder / f"{stem}{suffix_of(name)}"
                    self._write(answer, path, url)
                    return path, name
            except (requests.RequestException, UnicodeError) as error:
                raise RefusalError(422, f"{_shown(url)} cannot be fetched: {type(error).__name__}") from None
        raise RefusalError(422, f"{_shown(url)} leads from one address to the next")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        dotted = any(part in (".", "..") for part in unquote(parts.path).replace("\\", "/").split("/"))
        whole = f"{_origin(url)}{parts.path}"
        allowed = any(whole.startswith(f"{_origin(each)}{urlsplit(each).path}") for each in self._allowed)
        if dotted or not allowed or parts.username is not None:
            raise RefusalError(403, f"{_shown(url)} may not be fetched: it begins with no allow_url of the server")

    def _headers(self, url: str) -> dict[str, str]:
        key = os.environ.get(KEY, "")
        if not key or _origin(url) != self._key_origin:
            return {}
        if key.count(".") != 2:
            return {"authorization": f"Token {key}"}
        # A personal access token buys a short-lived one.
        answer = requests.post(
            f"{self._key_origin}/api/token/refresh", json={"refresh": key}, timeout=_SECONDS, allow_redirects=False
        )
        access = answer.json().get("access") if answer.status_code == 200 else None
        return {"authorization": f"Bearer {access}"} if isinstance(access, str) else {}

    def _hint(self, answer: requests.Response) -> str:
        return f"; set {KEY} to a key of Label Studio" if answer.status_code in (401, 403) else ""

    def _write(self, answer: requests.Response, path: Path, url: str) -> None:
        count = 0
        with path.open("xb") as file:
            for piece in answer.iter_content(_PIECE_BYTES):
                count += len(piece)
                if count > self._most_bytes:
                    raise RefusalError(413, f"{_shown(url)} is larger than {self._most_bytes / 1e6:g} MB")
                require_room(path.parent, len(piece))
                file.write(piece)


def _origin(url: str) -> str:
    """Scheme, host and port, in one spelling."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" if port in (None, standard) else f"{parts.scheme}://{host}:{port}"


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    return abbreviated(printable(url.partition("?")[0].partition("#")[0]), 200)
