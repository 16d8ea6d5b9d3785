"""Which part of the encoder learns how fast, and from when on: its stages, counted from the head down.

Sources: Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018 (rates that fall from
layer to layer, gradual unfreezing); Bao et al., BEiT, 2022 (layer-wise decay of the rate in vision).
"""

from muybridge.errors import UserError
from muybridge.models.encoder import FrameEncoder
from muybridge.models.recognizer import RecognizerNet
from muybridge.training.config import TrainingConfig


def stage_depths(encoder: FrameEncoder) -> dict[int, int]:
    """How far below the topmost stage that learns each learning parameter lies.

    Args:
        encoder: An encoder. Stages in which nothing learns do not count.

    Returns:
        By the ``id`` of a parameter, 0 for those of the topmost stage that learns, 1 for those of the one below it.
    """
    learning = [
        members
        for stage in (layer.module for layer in encoder.keras_layers() if layer.module is not None)
        if (members := [parameter for parameter in stage.parameters() if parameter.requires_grad])
    ]
    return {id(parameter): depth for depth, members in enumerate(reversed(learning)) for parameter in members}


def held_epochs(depth: int | None, net: RecognizerNet, config: TrainingConfig) -> float:
    """First epochs in which a stage's rate is zero.

    Args:
        depth: As ``stage_depths`` counts; None: outside the encoder.
        net: The network.
        config: ``head_epochs`` and ``unfreeze_every``.
    """
    if depth is None:
        return 0
    # A fresh encoder has nothing that an untrained head could spoil.
    first = config.head_epochs if net.config.pretrained else 0
    if not config.unfreeze_every:
        return first
    return (first or config.unfreeze_every) + depth * config.unfreeze_every


def check_unfreezing(net: RecognizerNet, config: TrainingConfig) -> None:
    """Check that gradual unfreezing reaches every stage that learns.

    Args:
        net: The network.
        config: Options with ``epochs`` resolved.

    Raises:
        UserError: A stage would start after the last epoch.
    """
    if not config.unfreeze_every:
        return
    count = max(stage_depths(net.encoder).values(), default=-1) + 1
    if not count:
        raise UserError(
            "training.unfreeze_every needs encoder layers that learn; set model.trainable, or leave it at 0"
        )
    start = held_epochs(count - 1, net, config)
    if start >= config.epochs:
        raise UserError(
            f"training.unfreeze_every {config.unfreeze_every:g} starts the last of {count} stages after {start:g} of "
            f"{config.epochs} epochs; give a smaller one (parts of an epoch will do), fewer layers in "
            "model.trainable, or more epochs"
        )
