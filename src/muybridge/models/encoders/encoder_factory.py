"""The encoder that a configuration names, or the encoders side by side, with random weights."""

from dataclasses import replace
from typing import get_args

from muybridge.models.encoders.alexnet import AlexNet
from muybridge.models.encoders.densenet import DenseNet121
from muybridge.models.encoders.efficientnet import EfficientNetLite0
from muybridge.models.encoders.encoder import FrameEncoder, VideoEncoder
from muybridge.models.encoders.from_timm import TimmEncoder
from muybridge.models.encoders.from_transformers import create_transformers_encoder
from muybridge.models.encoders.i3d import I3D
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.encoders.movinet import (
    MoViNet,
    MoViNetA0,
    MoViNetA0Base,
    MoViNetA0Mobile,
    MoViNetA1,
    MoViNetA1Base,
    MoViNetA2,
    MoViNetA2Base,
)
from muybridge.models.encoders.side_by_side import SideBySide
from muybridge.models.encoders.slowfast import SlowFastR50
from muybridge.models.encoders.small import SmallCNN
from muybridge.models.encoders.video_resnet import MC3_18, R3D_18, R2Plus1D_18, R2Plus1D_34, VideoResNet
from muybridge.recipes.encoder_names import MoViNetName
from muybridge.recipes.model import ModelConfig

VIDEO_ENCODERS: dict[str, type[I3D | VideoResNet | SlowFastR50 | MoViNet]] = {
    "i3d": I3D,
    "r3d_18": R3D_18,
    "mc3_18": MC3_18,
    "r2plus1d_18": R2Plus1D_18,
    "r2plus1d_34": R2Plus1D_34,
    "slowfast_r50": SlowFastR50,
    "movinet_a0": MoViNetA0,
    "movinet_a0_base": MoViNetA0Base,
    "movinet_a0_mobile": MoViNetA0Mobile,
    "movinet_a1": MoViNetA1,
    "movinet_a1_base": MoViNetA1Base,
    "movinet_a2": MoViNetA2,
    "movinet_a2_base": MoViNetA2Base,
}


def create_encoder(config: ModelConfig) -> FrameEncoder | VideoEncoder:
    """Create the encoder of ``config``, with random weights.

    Raises:
        UserError: The library that it is from is not installed, or does not know it.
    """
    if len(config.encoders) > 1:
        members = {name: create_encoder(member_config(config, name)) for name in config.encoders}
        return SideBySide(members, pooling="max" if config.pooling == "max" else "mean")
    output, momentum = config.output, config.batch_norm_momentum
    if config.adapter:
        name = config.encoder.partition(":")[2]
        return TimmEncoder(name) if config.adapter == "timm" else create_transformers_encoder(name)
    if config.encoder in VIDEO_ENCODERS:
        return VIDEO_ENCODERS[config.encoder](output=output, batch_norm_momentum=momentum)
    if config.encoder == "mobilenet":
        return MobileNetV1(width=config.width, output=output, batch_norm_momentum=momentum)
    if config.encoder == "densenet":
        return DenseNet121(output=output, batch_norm_momentum=momentum)
    if config.encoder == "efficientnet_lite0":
        return EfficientNetLite0(output=output, batch_norm_momentum=momentum)
    if config.encoder == "small":
        return SmallCNN(batch_norm_momentum=momentum)
    return AlexNet(output=output)


def member_config(config: ModelConfig, name: str) -> ModelConfig:
    """The configuration of one of several encoders side by side: a hidden layer only where it has one."""
    output = config.output
    if "hidden" in output and name not in get_args(MoViNetName):
        output = "maps"
    return replace(config, encoder=name, encoder_output=output, trainable="none")
