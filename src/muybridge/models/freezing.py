"""Which layers of an encoder learn.

"last-15" on MobileNet is the report's partial fine-tuning: the batch norm of pointwise convolution 11 and
all of blocks 12 and 13, since Keras counts ReLU and padding layers too.
"""

from muybridge.errors import UserError
from muybridge.models.config import last_layer_count
from muybridge.models.encoder import FrameEncoder, Freezable


def set_trainable(encoder: FrameEncoder, trainable: str) -> None:
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
    layers = encoder.keras_layers()
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
        learns = index >= first_trainable
        layer.module.requires_grad_(learns)
        if isinstance(layer.module, Freezable):
            layer.module.frozen = not learns
            layer.module.train(encoder.training)
