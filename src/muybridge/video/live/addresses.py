"""Addresses of streams, and how they are printed: without anything that could be a credential.

Every line, error, event and file name that mentions a stream goes through `printable_address`.
"""

import re

from muybridge.text import printable

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp")
"""What an address can begin with."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_ENDS_HOST = re.compile(r"[/?#]")
_TELLING = re.compile(r"pass|pwd|token|secret|key|auth|user|login|sig|cred", re.IGNORECASE)
_LONGEST_NAME = 20
HIDDEN = "…"


def scheme_of(text: str) -> str | None:
    """What an address begins with, in small letters; None for what is no address."""
    match = _ADDRESS.fullmatch(text)
    return None if match is None else match[1].lower()


def printable_address(address: str) -> str:
    """An address without user, password, query and what else may be secret in it.

    Cameras take passwords in the path, too, and streaming servers keys; such parts, and long ones that people do not
    choose, are left out. Where an @ comes after a sign that ends a host's name, it may stand in a password or end one,
    so nothing behind the scheme is shown.

    >>> printable_address("rtsp://admin:pass@10.0.0.5:554/live/ch1?user=admin&password=x")
    'rtsp://10.0.0.5:554/live/ch1?…'
    >>> printable_address("rtsp://10.0.0.5/live?user=admin&password=p@ss")
    'rtsp://…'
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return printable(address)
    scheme, rest = match[1].lower(), match[2]
    credentials, _, rest = rest.rpartition("@")
    if _ENDS_HOST.search(credentials):
        return f"{scheme}://{HIDDEN}"
    place, query, _ = rest.partition("#")[0].partition("?")
    host, *parts = place.split("/")
    shown = [HIDDEN if _may_be_secret(part) else part for part in parts]
    if scheme.startswith("rtmp") and len(shown) > 1:
        shown[-1] = HIDDEN  # the stream's key
    return printable("/".join([f"{scheme}://{host}", *shown]) + (f"?{HIDDEN}" if query else ""))


def _may_be_secret(part: str) -> bool:
    mixed = re.search(r"\d", part) and re.search(r"[A-Za-z]", part)
    return bool(_TELLING.search(part)) or (len(part) > _LONGEST_NAME and bool(mixed))
