"""Which part of the encoder learns how fast, and from when on: its stages, counted from the head down.

Sources: Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, 2018 (rates that fall from
layer to layer, gradual unfreezing); Bao et al., BEiT, 2022 (layer-wise decay of the rate in vision).
"""

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import Encoder, Stage
from muybridge.models.network import RecognizerNet
from muybridge.recipes.training import TrainingConfig


def stage_depths(encoder: Encoder) -> dict[int, int]:
    """How far below the topmost stage that learns each learning parameter lies.

    Args:
        encoder: An encoder. Stages in which nothing learns do not count.

    Returns:
        By the ``id`` of a parameter, 0 for those of the topmost stage that learns, 1 for those of the one below it.
    """
    stages = encoder.stages()
    if len(stages) == 1 and isinstance(stages[0], Stage):
        # SlowFast is one stage to a cache, because two tensors run between its parts; these learn one by one.
        stages = list(stages[0].used)
    learning = [
        members
        for stage in stages
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


def check_stages(net: RecognizerNet, config: TrainingConfig) -> None:
    """Check that the options which speak of stages make sense for a network.

    Args:
        net: The network.
        config: Options with ``epochs`` resolved.

    Raises:
        UserError: Too few stages learn, or gradual unfreezing would reach one of them after the last epoch only.
    """
    count = max(stage_depths(net.encoder).values(), default=-1) + 1
    if config.layer_decay < 1 and count < 2:
        raise UserError(
            f"training.layer_decay is between stages of the encoder, and here {count} learn; "
            "set model.trainable, for example to all, or leave it at 1"
        )
    if not config.unfreeze_every:
        return
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
