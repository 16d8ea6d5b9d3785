"""How pixel values enter a network: ``(pixel / 255 - mean) / std``, per RGB channel.

Weights only mean something together with the scaling they were trained under, so each pretrained entry
and each encoder names one of these. Free of torch, because the command line reads it for its help.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of the RGB channels, for pixel values between 0 and 1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


PLUS_MINUS_ONE = Scaling(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""Pixels between -1 and 1: Keras's and TensorFlow's MobileNets, and I3D."""

IMAGENET_STATISTICS = Scaling(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""Zero mean and unit variance over ImageNet: torchvision's image networks."""

KINETICS_STATISTICS = Scaling(mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989))
"""Zero mean and unit variance over Kinetics-400: torchvision's video networks."""

GREY_STATISTICS = Scaling(mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
"""The same for all three channels: PySlowFast's and pytorchvideo's networks."""

LITE = Scaling(mean=(127 / 255, 127 / 255, 127 / 255), std=(128 / 255, 128 / 255, 128 / 255))
"""(x - 127) / 128: TensorFlow's EfficientNet-Lite networks."""

UNIT = Scaling(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Pixels between 0 and 1: MoViNets, and what the paper fed to every encoder, whatever it was trained with."""
