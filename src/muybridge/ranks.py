"""The processes that train together: which of them this one is, and what they say to each other.

Notable: the first process is the program. It alone parses, prints, decides and writes files. Where work is shared it
gives the others a function and its arguments (``together``), which all then run at the same time; the others do
nothing else (``follow``). So what a training does stands in one place, whether one process runs it or a hundred, and a
process alone needs nothing of this: every function here then does the plain thing.
"""

import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any, TypeVar

from rich.console import Console

from muybridge.console import STDERR
from muybridge.errors import Interrupted, RankLostError, UserError
from muybridge.launched import Place, meet_as_slurm_says, place_of_environment
from muybridge.signed_store import SignedStore, open_store
from muybridge.system import available_cores

_PATIENCE = timedelta(days=2)
"""Others wait for the first process while it measures or solves alone. The dead are noticed by their connections."""
_FAILING_SECONDS = 5
"""How long a process that failed waits for the first one to fail, too."""

_Result = TypeVar("_Result")


@dataclass
class _Group:
    place: Place
    store: SignedStore
    words: Any
    orders: int = 0
    ordered: bool = False


_group: _Group | None = None


def joined() -> Place:
    """This process's place among those that it has joined; alone where it has joined none."""
    return Place() if _group is None else _group.place


def place() -> Place:
    """This process's place among those that are at this very work: outside ``together`` the first one is alone."""
    return _group.place if _group is not None and _group.ordered else Place()


def rank() -> int:
    """This process's number, from 0."""
    return place().rank


def size() -> int:
    """How many processes are at this work."""
    return place().size


def is_first() -> bool:
    """Whether this is the process that prints and writes."""
    return rank() == 0


def share(items: Any) -> Any:
    """This process's part of a sequence: every ``size``-th item, from its own number on."""
    return items[rank() :: size()]


def stretch(items: Any) -> Any:
    """This process's part of a sequence as neighbours: what lies together is read by one of them."""
    return items[rank() * len(items) // size() : (rank() + 1) * len(items) // size()]


def own_cores() -> int:
    """Cores that this process may keep busy: its share of those of its machine."""
    return max(1, available_cores() // place().local_size)


def join(*, cuda: bool) -> None:
    """Join the processes that a launcher started next to this one, if it started any.

    Args:
        cuda: Whether they compute on GPUs.

    Raises:
        UserError: If they do not come together.
    """
    global _group
    found = place_of_environment()
    if _group is not None or found.size == 1:
        return
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        if cuda:
            torch.cuda.set_device(found.local_rank)
        try:
            if "RANK" not in os.environ:
                meet_as_slurm_says()
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo", rank=found.rank, world_size=found.size, timeout=_PATIENCE
            )
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"process {found.rank} of {found.size} cannot reach the others: {' '.join(str(error).split())}"
            ) from error
    words = dist.new_group(backend="gloo", timeout=_PATIENCE)
    store = open_store(
        words, rank=found.rank, address=os.environ["MASTER_ADDR"], one_machine=found.size == found.local_size
    )
    _group = _Group(found, store, words)
    STDERR.quiet = STDERR.quiet or found.rank > 0


def as_group(program: Callable[[], _Result]) -> _Result:
    """Run a program in the first process, the others working for it; every process gets its result.

    Raises:
        Exception: What the program raised, in every process.
    """
    if _group is None or _group.ordered:
        return program()
    if joined().rank:
        result: _Result = follow()
        return result
    try:
        found = program()
    except BaseException as error:
        _end(error)
        raise
    _end(found)
    return found


def together(
    function: Callable[..., _Result], /, *args: Any, first: Mapping[str, Any] | None = None, **values: Any
) -> _Result:
    """Run a function in every process at the same time, with the first process's arguments; return its own result.

    Called by the first process alone. Consoles arrive silent, devices as those of the process that they arrive at.

    Args:
        function: A function of a module; inside it the processes may talk to each other.
        args: Its arguments.
        first: More arguments, by name, that the first process alone gives it.
        values: Arguments by name.

    Raises:
        RankLostError: If another process ended, or failed, meanwhile.
    """
    if _group is None or _group.ordered:  # alone, or all are here already
        return function(*args, **values, **(first or {}))
    packet = BytesIO()
    _Pickler(packet, pickle.HIGHEST_PROTOCOL).dump((function, args, values))
    _group.store.put(f"order{_group.orders}", b"run")
    _group.orders += 1
    _group.ordered = True
    try:
        _send(packet.getvalue())
        return function(*args, **values, **(first or {}))
    except Exception as error:
        if not _means_lost(error):
            _group.store.put(f"failed{_group.orders}", b"")
            raise
        raise _why_lost() from error
    finally:
        if _group is not None:
            _group.ordered = False


def follow() -> Any:
    """Do what the first process says until it ends; return what it returned.

    Raises:
        Exception: What the first process's program raised.
        SystemExit: If another process is lost; the first one says so.
    """
    assert _group is not None
    while True:
        order = b""
        try:
            order = _group.store.wait(f"order{_group.orders}")
            _group.orders += 1
            if order != b"run":
                return _unpacked(order)
            function, args, values = _Unpickler(BytesIO(_send(None))).load()
            _group.ordered = True
            function(*args, **values)
        except Exception as error:
            if _means_lost(error):
                raise SystemExit(1) from None
            if order not in (b"", b"run"):  # the first process's own
                raise
            # A launcher that sees one process end ends them all. Where all failed alike, the first one still has to
            # upload what there is of the run, and the others stay until it is done.
            if order and _first_failed():
                continue
            with suppress(RuntimeError):
                _group.store.put("failure", f"process {joined().rank} failed: {_in_words(error)}".encode())
            if not isinstance(error, UserError):
                raise
            if not order:  # the first process may be busy for hours, and is ended by the launcher now
                sys.stderr.write(f"error: process {joined().rank}: {_in_words(error)}\n")
            raise SystemExit(2) from None
        finally:
            _group.ordered = False


def _first_failed() -> bool:
    """Whether the first process fails at the same work as this one, and so waits for none of its answers.

    Raises:
        SystemExit: It is no more.
    """
    assert _group is not None
    until = time.monotonic() + _FAILING_SECONDS
    try:
        while not _group.store.holds(f"failed{_group.orders}"):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return _group.store.get(f"failed{_group.orders}") == b""
    except RuntimeError:
        raise SystemExit(1) from None


def broadcast(value: _Result) -> _Result:
    """The first process's value, in every process."""
    if size() == 1:
        return value
    packet = pickle.dumps(value) if is_first() else None
    result: _Result = pickle.loads(_send(packet))
    return result


def gathered(value: _Result) -> list[_Result]:
    """Every process's value, in order of their numbers, in every process."""
    if size() == 1:
        return [value]
    assert _group is not None
    import torch.distributed as dist

    found: list[Any] = [None] * size()
    dist.all_gather_object(found, value, group=_group.words)
    return found


def barrier() -> None:
    """Wait until every process is here."""
    gathered(None)


def _send(packet: bytes | None) -> bytes:
    """The first process's bytes, in every process."""
    assert _group is not None
    import torch
    import torch.distributed as dist

    length = torch.tensor([len(packet) if packet is not None else 0])
    dist.broadcast(length, 0, group=_group.words)
    data = (
        torch.empty(int(length), dtype=torch.uint8)
        if packet is None
        else torch.frombuffer(bytearray(packet), dtype=torch.uint8)
    )
    dist.broadcast(data, 0, group=_group.words)
    return data.numpy().tobytes() if packet is None else packet


def _end(outcome: Any) -> None:
    """Tell the others that the first process is at its end, and with what."""
    assert _group is not None
    import torch.distributed as dist

    try:
        packet = pickle.dumps(outcome)
    except Exception as error:
        packet = pickle.dumps(UserError(f"{type(outcome).__name__} cannot be sent to the other processes: {error}"))
    with suppress(RuntimeError):  # the store has gone with its process; then they end by that
        _group.store.put(f"order{_group.orders}", packet)
    _group.orders += 1
    if isinstance(outcome, BaseException):
        return  # others may be in the middle of something: they end by this one's end
    dist.barrier(group=_group.words)  # this one holds the store, and must not go first


def _unpacked(packet: bytes) -> Any:
    """The end as the first process told it: its result, or its error."""
    assert _group is not None
    import torch.distributed as dist

    outcome = pickle.loads(packet)
    if isinstance(outcome, BaseException):
        raise outcome
    dist.barrier(group=_group.words)
    return outcome


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        import torch

        if isinstance(value, Console):
            return ("console", None)
        return ("device", value.type) if isinstance(value, torch.device) else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: Any) -> Any:
        return Console(quiet=True) if name[0] == "console" else own_device(name[1])


def own_device(kind: str) -> Any:
    """The device of a kind that is this process's: the GPU of its number on its machine."""
    import torch

    return torch.device("cuda", joined().local_rank) if kind == "cuda" else torch.device(kind)


def _means_lost(error: BaseException) -> bool:
    """Whether an error is that of a connection whose other end is no more."""
    import torch.distributed as dist

    if isinstance(error, RankLostError | dist.DistError | ConnectionError):
        return True
    said = str(error)
    signs = ("gloo/transport", "Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL")
    return isinstance(error, RuntimeError) and any(sign in said for sign in signs)


def _why_lost() -> UserError:
    """What to say of a process that is no more: its own reason, if it could give one."""
    assert _group is not None
    from muybridge.stopping import only_ctrl_c

    # A launcher that sees the loss ends all others, and would cut this off. A Ctrl-C that ended both comes first.
    only_ctrl_c()
    time.sleep(1)
    reason = (
        f"one of the {joined().size} processes of this training ended (killed, out of memory, or its machine is gone)"
    )
    with suppress(RuntimeError):
        if _group.store.holds("failure"):
            reason = _group.store.get("failure").decode()
    return RankLostError(reason)


def _in_words(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, UserError | Interrupted) else f"{type(error).__name__}: {said}"
