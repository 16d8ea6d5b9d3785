"""Being told to stop: SIGTERM (a job's end, ``kill``) and SIGHUP (a closed terminal) do what Ctrl-C does.

Notable: only the command line asks for this; whoever imports the library keeps handlers of their own. A signal that
was ignored when the command began stays ignored, as ``nohup`` wants it.
"""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

INTERRUPTED = 130
"""What a command leaves with after Ctrl-C: 128 and the number of the signal, as shells count."""

_received: list[int] = []


def answer_as_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP raise ``KeyboardInterrupt`` in this process, and end its children as before."""
    process = os.getpid()
    terminals = [number for number in (1, 2) if _is_terminal(number)]

    def answer(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a fork: it has nothing to tidy up
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        _received.append(number)
        for terminal in terminals:
            if not _is_terminal(terminal):  # it is closed, and each line to it would be an error
                with suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, answer)


def ignore_all() -> None:
    """Let nothing disturb the second of tidying up that is left."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def only_ctrl_c() -> None:
    """From now on SIGTERM and SIGHUP do nothing: this process is ending anyway, and has something left to say."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            with suppress(ValueError):  # outside the main thread nobody may
                signal.signal(getattr(signal, name), signal.SIG_IGN)


def exit_code() -> int:
    """128 and the number of the signal that asked to stop, as shells count; Ctrl-C: 130."""
    return 128 + _received[0] if _received else INTERRUPTED


def say_stopped() -> None:
    """Say that it stopped, and because of what; a terminal that is gone hears nothing."""
    why = f" ({signal.Signals(_received[0]).name})" if _received else ""
    with suppress(OSError):
        sys.stderr.write(f"\nstopped{why}\n")
        sys.stderr.flush()


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False
