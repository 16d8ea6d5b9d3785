"""The Ray cluster that is found (``RAY_ADDRESS``), or one of this machine's cores; Ray itself is an extra."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from muybridge.errors import UserError

_CPU_ONLY = ("cpu", "mps")


@dataclass(frozen=True)
class Cluster:
    """What there is to compute on.

    Attributes:
        cores: Of all machines, at least 1.
        gpus: Of all machines; 0, too, where none is asked for.
    """

    cores: int
    gpus: int


def require_ray(part: str) -> Any:
    """The package Ray.

    Args:
        part: The module that is needed: ``ray.data`` or ``ray.train``.

    Raises:
        UserError: It is not installed.
    """
    try:
        import_module(part)
        return import_module("ray")
    except ImportError as error:
        raise UserError(f"on ray needs {part}: pip install 'muybridge[ray]' ({error})") from None


def cluster_for(device: str, *, quiet: bool) -> Cluster:
    """The cluster; one of this machine is started where there is none.

    Args:
        device: What a user asked for; its kind says whether GPUs are of use.
        quiet: Whether what workers print is left out.
    """
    ray = import_module("ray")
    if not ray.is_initialized():
        level = {"logging_level": "ERROR"} if quiet else {}
        ray.init(ignore_reinit_error=True, log_to_driver=not quiet, **level)
    resources = ray.cluster_resources()
    gpus = 0 if device in _CPU_ONLY else int(resources.get("GPU", 0))
    return Cluster(max(1, int(resources.get("CPU", 1))), gpus)
