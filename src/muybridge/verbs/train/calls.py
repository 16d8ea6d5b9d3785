"""What goes to the processes of a training: the call to make, and how many they are to be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from muybridge.errors import UserError
from muybridge.experiment.complete import TrainResult
from muybridge.launched import Place
from muybridge.text import counted

Where = Literal["local", "ray"]


@dataclass(frozen=True)
class Call:
    """A call of ``train`` or ``resume``, as it goes to another process."""

    function: Callable[..., TrainResult]
    values: dict[str, Any]

    def make(self) -> TrainResult:
        """Make it."""
        return self.function(**self.values)


@dataclass(frozen=True)
class Processes:
    """How many processes are asked for, and where.

    Attributes:
        device_count: On each machine; None: as many as a launcher started, else one.
        node_count: Machines.
        on: Who starts them.
    """

    device_count: int | None = None
    node_count: int = 1
    on: Where = "local"

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            UserError: If they are below one.
        """
        for what, count in (("device count", self.device_count), ("node count", self.node_count)):
            if count is not None and count < 1:
                raise UserError(f"{what} is {count}; give 1 or more")

    def check_started(self, place: Place) -> None:
        """Refuse another number of processes than a launcher started.

        Raises:
            UserError: If they differ.
        """
        if self.device_count not in (None, place.local_size):
            raise UserError(
                f"device count is {self.device_count}, and the launcher started {counted(place.local_size, 'process')} "
                "on this machine; leave one of the two out"
            )
        nodes = place.size // place.local_size
        if self.node_count not in (1, nodes):
            raise UserError(
                f"node count is {self.node_count}, and the launcher started processes on {counted(nodes, 'machine')}; "
                "leave one of the two out"
            )
