"""How Lightning trains in processes that are there already (``muybridge.ranks``), whoever started them."""

from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy

from muybridge import ranks
from muybridge.errors import UserError
from muybridge.models.encoders.batch_norms import SharedBatchNorm, takes_statistics
from muybridge.models.network import RecognizerNet


def group_strategy(device: torch.device) -> dict[str, Any]:
    """Options of Lightning's trainer: the processes that have joined, each with one device.

    Args:
        device: That of this process.
    """
    place = ranks.place()
    return {
        "devices": place.local_size,
        "num_nodes": place.size // place.local_size,
        # Running statistics are the same everywhere, and so need not be sent around at every step.
        "strategy": DDPStrategy(broadcast_buffers=False),
        "plugins": [JoinedEnvironment()],
    }


class JoinedEnvironment(ClusterEnvironment):
    """Tells Lightning what the processes know of themselves; they are started and have met."""

    @property
    def creates_processes_externally(self) -> bool:
        """They are there."""
        return True

    @property
    def main_address(self) -> str:
        """Nobody asks: the processes have met."""
        raise NotImplementedError

    @property
    def main_port(self) -> int:
        """Nobody asks: the processes have met."""
        raise NotImplementedError

    @staticmethod
    def detect() -> bool:
        """It is always given."""
        return False

    def world_size(self) -> int:
        """How many processes there are."""
        return ranks.size()

    def set_world_size(self, size: int) -> None:
        """It is what it is."""

    def global_rank(self) -> int:
        """This one's number."""
        return ranks.rank()

    def set_global_rank(self, rank: int) -> None:
        """It is what it is."""

    def local_rank(self) -> int:
        """This one's number on its machine."""
        return ranks.place().local_rank

    def node_rank(self) -> int:
        """Which machine this is."""
        return ranks.rank() // ranks.place().local_size


def refuse_foreign_batch_norms(net: RecognizerNet) -> None:
    """Refuse to train batch norms of other libraries in several processes: each would see its own clips alone.

    Raises:
        UserError: If there are any that learn.
    """
    net.train()
    if any(takes_statistics(module) and not isinstance(module, SharedBatchNorm) for module in net.modules()):
        raise UserError(
            f"the batch norms of {net.config.encoder} learn, and several processes cannot share them; train with one "
            "process, fewer layers (model.trainable), or model.frozen_batch_norm"
        )
