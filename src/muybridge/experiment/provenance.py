"""Where a run comes from: its command, clips, weights, machine and versions, and how long it took.

All of it goes into environment.json. A run that is interrupted and resumed has several sessions; a session without
its seconds was ended from outside, so that nobody could write them down.
"""

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from muybridge.files import write_json
from muybridge.models.network import RecognizerNet
from muybridge.models.weights.origin import weights_record
from muybridge.run_schemas import read_environment
from muybridge.system import processor_name, total_memory

_PACKAGES = ("muybridge", "torch", "lightning", "torchmetrics", "av", "opencv-python-headless", "numpy")


def describe_environment(*, clips: Path, device: torch.device) -> dict[str, Any]:
    """Versions, machine, command, device and the folder of the clips, for environment.json."""
    return {
        "command": sys.argv,
        "directory": str(Path.cwd()),
        "clips": str(clips),
        "started": now(),
        "sessions": [],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "processor_name": processor_name(),
        "cores": os.cpu_count(),
        "memory_bytes": total_memory(),
        "torch_threads": torch.get_num_threads(),
        "device": str(device),
        "cuda_device": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def describe_network(net: RecognizerNet) -> dict[str, Any]:
    """The numbers that a network has and learns, and the files of its first weights, for environment.json.

    Args:
        net: A network ready to be trained.
    """
    return {
        "network": {
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "learnable": sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad),
            "layers_to_train": net.config.layers_to_train,
        },
        "weights": weights_record(net.config),
    }


@contextmanager
def session(path: Path) -> Iterator[None]:
    """Write down in environment.json when work on a run begins, and however it ends, how long it took.

    Args:
        path: The run's environment.json.

    Raises:
        UserError: If it cannot be read.
    """
    environment, known = read_environment(path)
    # A run of an older version that is resumed: its first session is known to have been, not how long.
    earlier = environment.get("sessions", [{"started": known.started}])
    this: dict[str, Any] = {"started": now()}
    begun = time.monotonic()
    write_json(path, environment | {"sessions": [*earlier, this]})

    def close() -> None:
        this["seconds"] = round(time.monotonic() - begun, 1)
        write_json(path, environment | {"sessions": [*earlier, this], "finished": now()})

    try:
        yield
    except BaseException:
        with suppress(OSError):  # what ended the session is what there is to hear of, not that the disk is full
            close()
        raise
    close()


def now() -> str:
    """The time, with its zone, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
