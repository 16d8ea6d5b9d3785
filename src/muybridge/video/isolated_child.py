"""The process that decodes for `isolation`: limits itself, then serves requests until its input ends.

A request is a pickle of the parent, which is trusted. An answer is JSON and raw arrays, since nothing that comes from
here is.
"""

import ctypes
import json
import os
import pickle
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from muybridge.errors import VideoError
from muybridge.system import status_bytes
from muybridge.video.browser_video import plays_in_browsers, write_for_browsers
from muybridge.video.container import unforeseen
from muybridge.video.decoding import read_sampled
from muybridge.video.frame_times import read_frame_times
from muybridge.video.full_decoding import decode_fully
from muybridge.video.isolation import Array, described
from muybridge.video.limits import CHILD_BYTES, Limits
from muybridge.video.live_pictures import LivePictures
from muybridge.video.picture import Image
from muybridge.video.steady_reading import SteadyReader

_DIE_WITH_PARENT, _NO_NEW_RIGHTS = 1, 38  # prctl
_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000  # unshare


def sampled(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """The frames that a sampler chooses."""
    found = read_sampled(path, **arguments)
    header = {"frame_count": found.frame_count, "declared_frames": found.declared_frames}
    views = [np.asarray(view, dtype=np.int64) for view in found.views]
    return header, [found.frames_THWC, found.indices.astype(np.int64), found.timestamps_seconds, *views]


def fully(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """What decoding all of it shows."""
    return {key: value for key, value in asdict(decode_fully(path, **arguments)).items() if key != "path"}, []


def times(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """When each frame is shown."""
    found = read_frame_times(path, **arguments)
    header = {"end_seconds": found.end_seconds, "width_px": found.width_px, "height_px": found.height_px}
    return header, [found.seconds_N]


class _Steady:
    """The video that `steady_begin` opened; there is one at a time."""

    stack = ExitStack()
    reader: SteadyReader
    frames: Iterator[Image]


def steady_begin(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Open a video whose frames at a steady rate are wanted; one that was open is closed."""
    _Steady.stack.close()
    _Steady.reader = _Steady.stack.enter_context(SteadyReader(path, **arguments))
    _Steady.frames = iter(_Steady.reader)
    reader = _Steady.reader
    return {"frames_per_second": reader.frames_per_second, "expected_seconds": reader.expected_seconds}, []


def steady_next(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Its next frames; fewer than asked for at the end, and with the seconds that it has."""
    stretch = list(islice(_Steady.frames, arguments["count"]))
    has_ended = len(stretch) < arguments["count"]
    frames_THWC = np.stack(stretch) if stretch else np.zeros((0, 1, 1, 3), np.uint8)
    if has_ended:
        _Steady.stack.close()
    return {"seconds": _Steady.reader.seconds if has_ended else None}, [frames_THWC]


def steady_end(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Close it before its end: who asked wants no more, and may have deleted the file."""
    _Steady.stack.close()
    return {}, []


class _Pictures:
    """The stream that `pictures_begin` began."""

    decoder: LivePictures


def pictures_begin(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Begin a stream of pictures."""
    _Pictures.decoder = LivePictures(**arguments)
    return {}, []


def pictures_next(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Decode its next parts."""
    found = _Pictures.decoder.decode(arguments["parts"])
    return {"numbers": [number for number, _ in found]}, [picture_HWC for _, picture_HWC in found]


def plays(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Whether browsers play a file."""
    return {"plays": plays_in_browsers(path)}, []


def for_browsers(path: Path, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """Write a copy for browsers."""
    return {"problem": write_for_browsers(path, arguments["copy"])}, []


_FUNCTIONS = {
    "sampled": sampled,
    "fully": fully,
    "times": times,
    "steady_begin": steady_begin,
    "steady_next": steady_next,
    "steady_end": steady_end,
    "pictures_begin": pictures_begin,
    "pictures_next": pictures_next,
    "plays": plays,
    "for_browsers": for_browsers,
}


def main() -> None:
    """Serve until the input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _give_up_rights(most_bytes=int(sys.argv[1]) if sys.argv[1:] else 0)
    while True:
        length = requests.read(8)
        if len(length) < 8:
            return
        path, what, arguments, limits = pickle.loads(requests.read(int.from_bytes(length)))
        _limit(limits)
        try:
            header, arrays = _FUNCTIONS[what](Path(path), arguments)
        except VideoError as error:
            header, arrays = {"reason": error.reason, "hint": error.hint}, []
        except MemoryError:
            reason = f"decoding takes more memory than {CHILD_BYTES} allows ({limits.child_bytes})"
            header, arrays = {"reason": reason, "hint": "if you trust the file, set that higher", "is_spoilt": True}, []
        except Exception as error:  # of whatever kind: a finding about the file
            found = unforeseen(Path(path), error)
            header, arrays = {"reason": found.reason, "hint": found.hint}, []
        _answer(answers, header, arrays)


def _answer(answers: BinaryIO, header: dict[str, Any], arrays: list[Array]) -> None:
    text = json.dumps({**header, "arrays": described(arrays)}).encode()
    answers.write(len(text).to_bytes(8) + text)
    for array in arrays:
        answers.write(np.ascontiguousarray(array).data)
    answers.flush()


def _give_up_rights(*, most_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends this
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that grows too large is an error of the writer
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    libc.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0)
    # Where the system does not let a user do so, the network stays; FFmpeg may open files alone in any case.
    libc.unshare(_NEW_USERS | _NEW_NETWORK)


def _limit(limits: Limits) -> None:
    """Limit memory and processor time for the next file; Python raises the soft limit for each anew."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_loaded_bytes() + limits.child_bytes, hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + limits.child_seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


@cache
def _loaded_bytes() -> int:
    """What this process had of the memory that is limited at its first file, with its libraries loaded."""
    return status_bytes("VmData") or 2**30


if __name__ == "__main__":
    main()
