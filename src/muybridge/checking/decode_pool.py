"""Decoding many files fully, in processes of their own.

Decoding needs the processors, and a file that crashes the decoder must not take the whole down with it. Such a
file is found by trying those in work at the crash again, one at a time.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

from muybridge.errors import VideoError
from muybridge.files import content_hash
from muybridge.system import available_cores
from muybridge.video.full_decoding import DecodeResult, decode_fully
from muybridge.video.isolation import current, isolated

Progress = Callable[[int, int], None]
"""Called with the number of files done and the number of all files."""

Outcome = DecodeResult | str
"""What decoding a file showed, or the reason why it does not decode."""

_NONE: Mapping[Path, Any] = MappingProxyType({})

_CRASHED = "the decoder crashed on it"


def decode_all(
    paths: Sequence[Path],
    *,
    workers: int | None = None,
    isolate: bool = False,
    progress: Progress | None = None,
    hashes: Mapping[Path, str] = _NONE,
    known: Mapping[Path, Outcome] = _NONE,
    on_outcome: Callable[[Path, Outcome], None] = lambda path, outcome: None,
) -> dict[Path, Outcome]:
    """Decode files from the first frame to the last.

    Ctrl-C at a terminal raises KeyboardInterrupt here and ends the worker processes at once; when the signal
    is sent to this process alone, they end after the files they are at.

    Args:
        paths: The files, each once.
        workers: Number of processes; None for one per processor.
        isolate: Whether each of them lets another decode, with limits of memory and processor time.
        progress: Called in this process after each file.
        hashes: The SHA-256 that some files must have; one that has another is not decoded.
        known: What was found of some files before; they are not opened.
        on_outcome: Called in this process with each other file and what was found of it, when it is done.

    Returns:
        What decoding each file showed, or the reason why it does not decode.

    Raises:
        RuntimeError: If worker processes cannot be started.
    """
    workers = workers or available_cores()
    outcomes: dict[Path, Outcome] = {path: known[path] for path in paths if path in known}

    def note(path: Path, outcome: Outcome) -> None:
        outcomes[path] = outcome
        on_outcome(path, outcome)
        if progress is not None:
            progress(len(outcomes), len(paths))

    waiting = [path for path in reversed(paths) if path not in known]
    if progress is not None and known:
        progress(len(outcomes), len(paths))
    while waiting:
        running: dict[Future[Outcome], Path] = {}
        with _processes(min(workers, len(waiting))) as pool:
            try:
                while waiting or running:
                    # Few files are handed out at a time, so that there are few suspects after a crash.
                    while waiting and len(running) < 2 * workers:
                        path = waiting[-1]
                        running[_submit(pool, path, isolate, hashes.get(path))] = path
                        waiting.pop()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        note(running[future], future.result())
                        del running[future]
            except BrokenProcessPool:
                for path in running.values():
                    note(path, _decode_alone(path, isolate, hashes.get(path)))
    return outcomes


def _decode_alone(path: Path, isolate: bool, sha256: str | None) -> Outcome:
    """Decode one file in a process of its own, whose crash is this file's fault."""
    with _processes(1) as pool:
        try:
            return _submit(pool, path, isolate, sha256).result()
        except BrokenProcessPool:
            return _CRASHED


def _decode(path: Path, isolate: bool, sha256: str | None) -> Outcome:
    if isolate and current() is None:
        ExitStack().enter_context(isolated())  # for as long as this process lives
    try:
        if sha256 is not None and content_hash(path) != sha256:
            return "its bytes are not those that were packed"
        return decode_fully(path)
    except VideoError as error:
        return error.reason
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except Exception as error:  # whatever a file can do to a decoder is a finding about the file
        return f"{type(error).__name__}: {error}"


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that have started, so that a later break is the fault of a file."""
    # Fresh processes rather than forks: a fork would inherit locks that another thread of this process holds.
    others = active_children()
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_die_quietly)
    try:
        try:
            with _interrupts_held():
                started = pool.submit(os.getpid)
            started.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "worker processes do not start; a script that checks clips must do so under "
                "`if __name__ == '__main__':`"
            ) from error
        yield pool
    except KeyboardInterrupt:
        for worker in active_children():  # one that is just starting would complain that its parent is gone
            if worker not in others:
                worker.kill()
        raise
    finally:
        # Waited for: where the process ended meanwhile, Python would wake a thread that has closed its pipe.
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, path: Path, isolate: bool, sha256: str | None) -> Future[Outcome]:
    with _interrupts_held():  # submitting may start another worker
        return pool.submit(_decode, path, isolate, sha256)


# A terminal sends Ctrl-C to every process. A worker shall end of it at once and without a traceback, even while
# it starts: it inherits a mask that holds the signal back, and lifts it once the signal would end it quietly.


# The signals that end a verb; in a worker all but Ctrl-C's already do what they do by default.
_STOPS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let no signal cut a start short; one that comes meanwhile is answered behind it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    with _handlers_deferred():
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def _handlers_deferred() -> Iterator[None]:
    # The mask is this thread's; another one, which draws progress, may take the signal, and Python's handler then runs
    # here all the same. Handlers are the main thread's affair; in other threads none runs.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
    received: list[int] = []
    holds = True

    def answer(number: int, frame: FrameType | None) -> None:
        if holds:
            received.append(number)
        else:  # it came while handlers are put back
            handlers[number](number, frame)

    for number in _STOPS:
        handler = signal.getsignal(number)
        if callable(handler):
            handlers[number] = handler
            signal.signal(number, answer)
    try:
        yield
    finally:
        holds = False
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received[:1]:
            handlers[number](number, None)


def _die_quietly() -> None:
    # Where the process that checks is killed, nobody else ends its workers.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
