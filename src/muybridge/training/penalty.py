"""L1 and L2 penalties on the hidden dense layers: kernels, biases and outputs, as the paper tried them.

What Keras calls kernel_, bias_ and activity_regularizer. Unlike weight decay they are part of the loss, so an
adaptive optimiser scales their gradient like any other.

Axes: B clips, D units.
"""

from collections.abc import Sequence

from torch import Tensor

from muybridge.models.network import RecognizerNet


def dense_penalty(net: RecognizerNet, hidden: Sequence[Tensor]) -> Tensor | float:
    """The penalty that a network's ``config`` puts on its hidden dense layers.

    Args:
        net: The network.
        hidden: Their outputs of this step, each (B, D).

    Returns:
        What is added to the loss: sums over kernels and biases, and the sum over outputs as a mean over clips.
    """
    config, layers = net.config, net.hidden_dense_layers()
    return (
        _weigh([layer.weight for layer in layers], l1=config.l1, l2=config.l2)
        + _weigh([layer.bias for layer in layers], l1=config.l1_bias, l2=config.l2_bias)
        + sum(
            _weigh([output_BD], l1=config.l1_activity, l2=config.l2_activity) / len(output_BD) for output_BD in hidden
        )
    )


def _weigh(tensors: Sequence[Tensor], *, l1: float, l2: float) -> Tensor | float:
    total: Tensor | float = 0.0
    for tensor in tensors:
        if l1:
            total = total + l1 * tensor.abs().sum()
        if l2:
            total = total + l2 * tensor.square().sum()
    return total
