"""Which layers of an encoder learn.

"last-15" on MobileNet is the paper's partial fine-tuning: the batch norm of pointwise convolution 11 and
all of blocks 12 and 13, since Keras counts ReLU and padding layers too.
"""

from torch import nn

from muybridge.errors import UserError
from muybridge.models.encoders.encoder import Encoder, Freezable, FreezableBatchNorm2d, FreezableBatchNorm3d
from muybridge.recipes.model import last_layer_count


def freeze_batch_norms(encoder: Encoder) -> None:
    """Freeze every batch norm of an encoder wholly, whatever else learns."""
    for layer in encoder.layers():
        if isinstance(layer.module, FreezableBatchNorm2d | FreezableBatchNorm3d):
            _set_learning(layer.module, learns=False, training=encoder.training)


def set_trainable(encoder: Encoder, trainable: str) -> None:
    """Freeze or thaw an encoder, layer by layer.

    A frozen layer's parameters get no gradient. A frozen batch norm also uses its stored statistics and
    never updates them, and a frozen dropout drops nothing: in training mode too, and however often
    ``train()`` is called afterwards.

    Args:
        encoder: The encoder to change.
        trainable: ``"all"``, ``"none"`` or ``"last-N"``.

    Raises:
        UserError: The text is none of these, or the encoder has fewer than N layers.
    """
    layers = encoder.layers()
    count = last_layer_count(trainable)
    if count is None:
        count = len(layers)
    if count > len(layers):
        raise UserError(
            f"model.trainable is {trainable!r}, but {type(encoder).__name__} has {len(layers)} layers; "
            f"give at most last-{len(layers)}, or all"
        )
    first_trainable = len(layers) - count
    for index, layer in enumerate(layers):
        if layer.module is None:
            continue
        _set_learning(layer.module, learns=index >= first_trainable, training=encoder.training)


def frozen_stage_count(encoder: Encoder) -> int:
    """How many of an encoder's first stages never change and return the same in training as in use."""
    return next((count for count, stage in enumerate(encoder.stages()) if not _is_frozen(stage)), len(encoder.stages()))


def _is_frozen(stage: nn.Module) -> bool:
    learns = any(parameter.requires_grad for parameter in stage.parameters())
    return not learns and all(module.frozen for module in stage.modules() if isinstance(module, Freezable))


def _set_learning(module: nn.Module, *, learns: bool, training: bool) -> None:
    module.requires_grad_(learns)
    if isinstance(module, Freezable):
        module.frozen = not learns
        module.train(training)
