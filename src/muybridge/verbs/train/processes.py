"""The processes that a training runs in: those that a launcher started, those that it starts itself, or this one alone.

Notable: whoever starts a training with ``device_count`` stays what he is, a caller who gets a result or an error. The
processes are torch's elastic agent's (what torchrun runs), and the first one hands its outcome back in a file.
"""

import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from muybridge import ranks
from muybridge.console import say
from muybridge.errors import UserError
from muybridge.experiment.complete import TrainResult
from muybridge.files import replacing
from muybridge.launched import number_of_environment, place_of_environment
from muybridge.system import available_cores, resolve_device
from muybridge.text import counted
from muybridge.verbs.train.calls import Call, Processes

OUTCOME, RUN = "outcome", "run"
"""Files in the folder that a caller and its first process share: what came of it, and which run it makes."""
FOLDER = "MUYBRIDGE_PROCESSES"
"""The variable that names this folder."""


def in_processes(program: Callable[[], TrainResult], call: Call, processes: Processes, *, device: str) -> TrainResult:
    """Run a training in as many processes as are asked for; every process that calls this gets its result.

    Args:
        program: The training, for the first process.
        call: The same, for processes that are started here.
        processes: How many.
        device: As a user names it.

    Raises:
        UserError: If they cannot be started, or one of them ends before the work is done.
    """
    processes.check()
    place = place_of_environment()
    if place.size > 1:
        processes.check_started(place)
        ranks.join(cuda=_kind(device) == "cuda")
        return ranks.as_group(program)
    if processes.on == "ray":
        from muybridge.verbs.train.on_ray import run_on_ray

        return run_on_ray(call, processes)
    if (processes.device_count or 1) * processes.node_count == 1:
        return program()
    return _started(call, processes, device)


def own_device(device: str) -> torch.device:
    """The device that a user means, of this process: of several, each has the GPU of its own number.

    Raises:
        UserError: If it is not there.
    """
    if ranks.joined().size == 1:
        return resolve_device(device)
    kind = _kind(device)
    return resolve_device(f"cuda:{ranks.joined().local_rank}" if kind == "cuda" else kind)


def announce(run: Path, device: torch.device, console: Console) -> None:
    """Say how the work is shared, and tell whoever started the processes which run this is."""
    if folder := os.environ.get(FOLDER):
        (Path(folder) / RUN).write_text(str(run), encoding="utf-8")
    place = ranks.joined()
    if place.size == 1:
        return
    machines = place.size // place.local_size
    where = f" on {machines} machines" if machines > 1 else ""
    each = (
        "a GPU each"
        if device.type == "cuda"
        else counted(max(1, available_cores() // place.local_size), "core") + " each"
    )
    say(
        console,
        f"processes: {place.size}{where}, {each}; batch size and learning rate are those of all together, each process "
        "takes its share of every batch",
    )


def _kind(device: str) -> str:
    """The kind of device that a user means.

    Raises:
        UserError: If one GPU is named and several are meant, or processes cannot share this kind.
    """
    if device.startswith("cuda:"):
        raise UserError(f"device {device} is one GPU, and each of several processes has its own; give cuda, or auto")
    kind = resolve_device(device).type
    if kind == "mps":
        raise UserError("device mps is one GPU, which several processes cannot share; give cpu, or one process")
    return kind


def _started(call: Call, processes: Processes, device: str) -> TrainResult:
    """Start the processes of this machine, and wait for what comes of them."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    count = processes.device_count or 1
    if _kind(device) == "cuda" and count > torch.cuda.device_count():
        raise UserError(f"device count is {count}; this machine has {counted(torch.cuda.device_count(), 'GPU')}")
    config = _launch_config(processes, count)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):  # what it has to say is said in one line below
            logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="muybridge-") as folder:
        place = Path(folder)
        (place / "call").write_bytes(pickle.dumps(call))
        told = {FOLDER: folder, "OMP_NUM_THREADS": str(max(1, available_cores() // count))}
        before = {name: os.environ.get(name) for name in told}
        os.environ.update({name: text for name, text in told.items() if name == FOLDER or before[name] is None})
        failed: ChildFailedError | None = None
        try:
            elastic_launch(config, sys.executable)("-m", "muybridge.verbs.train.process")
        except SignalException:
            pass  # the first process has said in its outcome what there is to say
        except ChildFailedError as error:
            failed = error
        finally:
            for name, text in before.items():
                os.environ.pop(name, None)
                if text is not None:
                    os.environ[name] = text
        return _outcome(place, failed, count * processes.node_count)


def _launch_config(processes: Processes, count: int) -> Any:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    meeting: dict[str, Any] = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    if processes.node_count > 1:
        names = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise UserError(
                f"node count is {processes.node_count}, and {', '.join(missing)} is not set; set MASTER_ADDR and "
                "MASTER_PORT to an address of the first machine and NODE_RANK to 0, 1, ... on each, or use torchrun"
            )
        address, port = (os.environ[name] for name in names[:2])
        number, _ = (number_of_environment(name) for name in reversed(names[1:]))
        meeting = {
            "rdzv_backend": "static",
            "rdzv_endpoint": f"{address}:{port}",
            "rdzv_configs": {"rank": number, "timeout": 900},
        }
    return LaunchConfig(
        min_nodes=processes.node_count,
        max_nodes=processes.node_count,
        nproc_per_node=count,
        run_id="muybridge",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
        **meeting,
    )


def _outcome(folder: Path, failed: Any, size: int) -> TrainResult:
    """What the first process of this machine handed back.

    Raises:
        Exception: What it raised.
        UserError: If a process was ended from outside.
    """
    outcome = pickle.loads((folder / OUTCOME).read_bytes()) if (folder / OUTCOME).is_file() else None
    if isinstance(outcome, TrainResult):
        return outcome
    run = (folder / RUN).read_text(encoding="utf-8") if (folder / RUN).is_file() else ""
    again = f"; continue with: muybridge train --resume {run}" if run else ""
    if failed is not None:
        number, failure = failed.get_first_failure()
        if failure.exitcode < 0:
            why = f"signal {-failure.exitcode}" + (", perhaps for want of memory" if failure.exitcode == -9 else "")
            raise UserError(f"process {number} of {size} was ended by {why}, and with it the others{again}")
    if isinstance(outcome, BaseException):
        raise outcome
    raise UserError(f"a process of {size} ended before its work was done; what it said is above{again}")


def hand_back(outcome: Any) -> None:
    """Leave what came of a call to whoever started this process; of those on one machine the first one does."""
    if place_of_environment().local_rank:
        return
    with replacing(Path(os.environ[FOLDER]) / OUTCOME) as temporary:
        temporary.write_bytes(pickle.dumps(outcome))
