"""What a launcher (torchrun, SLURM's srun or another) tells a process of those that it started."""

import os
import re
from dataclasses import dataclass

from muybridge.errors import UserError

_NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
"""Numbers that launchers give. Lightning reads some of them where it is imported, and fails there."""


@dataclass(frozen=True)
class Place:
    """Where a process stands among those that were started together.

    Attributes:
        rank: Its number, from 0, among all.
        size: How many there are.
        local_rank: Its number on its machine, which is also that of its GPU.
        local_size: How many there are on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def place_of_environment() -> Place:
    """The place that torchrun, SLURM's srun or another launcher gave this process, whether it has joined or not.

    Raises:
        UserError: What it gave is no number.
    """
    given = {name: number_of_environment(name) for name in _NUMBERS}
    rank, size = given["RANK"], given["WORLD_SIZE"]
    if rank is not None and size is not None:
        return Place(rank, size, given["LOCAL_RANK"] or 0, given["LOCAL_WORLD_SIZE"] or 1)
    # A batch script has the number of tasks, too, and is one process; srun alone starts them.
    tasks = given["SLURM_STEP_NUM_TASKS"] or 1
    if tasks > 1:
        name = "SLURM_STEP_TASKS_PER_NODE" if "SLURM_STEP_TASKS_PER_NODE" in os.environ else "SLURM_TASKS_PER_NODE"
        each = os.environ.get(name, "1").split("(")[0].split(",")[0]
        numbers = (_number(name, os.environ.get(name, "")) for name in ("SLURM_PROCID", "SLURM_LOCALID"))
        return Place(next(numbers), tasks, next(numbers), _number(name, each))
    return Place()


def number_of_environment(name: str) -> int | None:
    """The whole number in a variable of the environment; None where it is not set.

    Raises:
        UserError: It is no number.
    """
    text = os.environ.get(name)
    return None if text is None else _number(name, text)


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UserError(
            f"the variable {name} is {text!r}, and should be a number that a launcher of several processes gives; "
            "unset it"
        )
    return int(text)


def meet_as_slurm_says() -> None:
    """Where SLURM's processes meet, put where torch reads it."""
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    slurm = SLURMEnvironment(auto_requeue=False)
    os.environ.setdefault("MASTER_ADDR", slurm.main_address)
    os.environ.setdefault("MASTER_PORT", str(slurm.main_port))
