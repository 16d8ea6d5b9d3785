"""What a user names as a stream: a camera, an address, a pipe, or a file at its own speed."""

import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muybridge.errors import UserError
from muybridge.text import printable, shortened
from muybridge.video.live.addresses import SCHEMES, printable_address, scheme_of

_CLASS = Path("/sys/class/video4linux")

SourceKind = Literal["camera", "address", "pipe", "file"]


@dataclass(frozen=True, kw_only=True)
class LiveSource:
    """A stream that can be opened.

    Attributes:
        kind: What it is.
        name: How it is printed: without credentials.
        opened_as: What FFmpeg opens; never printed.
        allowed: Which entry of the allow-list is for it, see `live_formats`.
        demuxer: Where FFmpeg cannot know: the camera's.
    """

    kind: SourceKind
    name: str
    opened_as: str
    allowed: str
    demuxer: str | None = None


def find_source(text: str) -> LiveSource:
    """What is meant by ``-``, ``0``, ``/dev/video0``, a camera's name, an address or a file.

    Raises:
        UserError: There is no such thing.
    """
    if text == "-":
        return LiveSource(kind="pipe", name="standard input", opened_as="pipe:0", allowed="pipe")
    scheme = scheme_of(text)
    if scheme is not None:
        return _address(text, scheme)
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return _camera(text)
    if stat.S_ISCHR(mode):
        return LiveSource(kind="camera", name=printable(text), opened_as=text, allowed="v4l2", demuxer="v4l2")
    if stat.S_ISFIFO(mode):
        return LiveSource(kind="pipe", name=printable(text), opened_as=f"file:{text}", allowed="pipe")
    if stat.S_ISDIR(mode):
        raise UserError(f"{text} is a folder; name one file, a camera or an address to watch")
    if re.fullmatch(r"\d+", text):
        return _camera(text)
    return LiveSource(kind="file", name=printable(text), opened_as=text, allowed="file")


def _address(text: str, scheme: str) -> LiveSource:
    if scheme not in SCHEMES:
        raise UserError(f"{printable_address(text)}: addresses begin with {', '.join(SCHEMES)}")
    name = printable_address(text)
    if any(ord(sign) <= 32 for sign in text):
        raise UserError(f"{name}: an address has no spaces; write %20 for one")
    if not re.search(r"://[^/?#]", text):
        raise UserError(f"{name}: no host; write it like {scheme}://host:port/path")
    return LiveSource(kind="address", name=name, opened_as=text, allowed=scheme)


def _camera(text: str) -> LiveSource:
    """A camera by number or by name."""
    if sys.platform == "darwin":
        return LiveSource(
            kind="camera", name=printable(text), opened_as=text, allowed="avfoundation", demuxer="avfoundation"
        )
    if sys.platform == "win32":
        return LiveSource(
            kind="camera", name=printable(text), opened_as=f"video={text}", allowed="dshow", demuxer="dshow"
        )
    names = camera_names()
    if re.fullmatch(r"\d+", text):
        device = f"/dev/video{int(text)}"
        if not Path(device).exists():
            raise UserError(f"there is no camera {text} ({device}); {_known(names)}")
    else:
        device = _by_name(text, names)
    return LiveSource(kind="camera", name=device, opened_as=device, allowed="v4l2", demuxer="v4l2")


def camera_names() -> dict[str, str]:
    """Of each video device of Linux its name."""
    files = sorted(_CLASS.glob("*/name"), key=lambda file: (len(file.parent.name), file.parent.name))
    return {f"/dev/{file.parent.name}": file.read_text(errors="replace").strip() for file in files}


def _by_name(text: str, names: dict[str, str]) -> str:
    """The device whose name is, or holds, a text; one camera may have several, of which the first has the pictures."""
    asked = text.casefold()
    for fits in (lambda name: name == asked, lambda name: asked in name):
        found = [device for device, name in names.items() if fits(name.casefold())]
        if len({names[device] for device in found}) > 1:
            raise UserError(f"{text} is the name of several cameras: {_listed({d: names[d] for d in found})}")
        if found:
            return found[0]
    raise UserError(f"{text} is no file, address or camera; {_known(names)}")


def _known(names: dict[str, str]) -> str:
    return f"there are {_listed(names)}" if names else "no camera is connected"


def _listed(names: dict[str, str]) -> str:
    return shortened([f"{device} ({name})" for device, name in names.items()])
