"""The recognizer: a clip's frames through an encoder, its features through time, and a classifier at the end.

Time is folded into the batch for the encoder, and padded frames are left out there: they cost nothing and
do not reach batch norm's statistics. Frames travel as uint8, in the channels-last order that decoders give
and convolutions like; they are scaled here, on the device. ``encode`` and ``classify`` are two steps, so
that features of a frozen encoder can be kept and used again.

Axes: B clips, T frames, N real frames of all clips, H height, W width, C channels, D features, K classes.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from muybridge.models.alexnet import AlexNet
from muybridge.models.config import ModelConfig
from muybridge.models.densenet import DenseNet121
from muybridge.models.encoder import FrameEncoder
from muybridge.models.freezing import freeze_batch_norms, set_trainable
from muybridge.models.head_factory import create_head
from muybridge.models.heads import TemporalHead, frame_mask, partial_lengths
from muybridge.models.loading import load_pretrained
from muybridge.models.mobilenet import MobileNetV1
from muybridge.models.pooling import GlobalPool, GridPool
from muybridge.models.scaling import UNIT
from muybridge.models.small import SmallCNN
from muybridge.models.weights import resolve


class RecognizerNet(nn.Module):
    """Clips in, one score per class out. Created with random weights; see ``build`` for pretrained ones."""

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: ModelConfig, class_count: int) -> None:
        """Create the network that ``config`` describes.

        Args:
            config: The architecture, which encoder layers learn, and the pixel scaling.
            class_count: K.

        Raises:
            UserError: ``config.trainable`` asks for more layers than the encoder has.
        """
        super().__init__()
        self.class_count = class_count
        self.config = config
        self.encoder = create_encoder(config)
        map_count = self.encoder.feature_count
        self.pool = GridPool(map_count) if config.pooling == "grid" else GlobalPool(config.pooling, map_count)
        self.norm = nn.LayerNorm(self.pool.feature_count) if config.feature_norm else nn.Identity()
        self.head: TemporalHead = create_head(config, self.encoder, self.pool.feature_count)
        self.classifier = _create_classifier(config, self.head.feature_count, class_count)
        scaling = UNIT if config.scaling == "unit" else self.encoder.scaling
        self.register_buffer("pixel_mean", torch.tensor(scaling.mean))
        self.register_buffer("pixel_std", torch.tensor(scaling.std))
        set_trainable(self.encoder, config.layers_to_train)
        if config.frozen_batch_norm and config.pretrained:
            freeze_batch_norms(self.encoder)

    def forward(self, clip_BTHWC: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Score clips.

        Args:
            clip_BTHWC: RGB frames, uint8 or float, 0 to 255; clips shorter than T are padded at the end.
            lengths_B: Frames of each clip, from 1 to T; None if all have T.

        Returns:
            logits_BK, before the softmax.
        """
        return self.classify(self.encode(clip_BTHWC, lengths_B), lengths_B)

    def encode(self, clip_BTHWC: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Encode and pool every frame: features_BTD, zero where a clip has no frame."""
        batch, frame_count = clip_BTHWC.shape[:2]
        lengths_B = partial_lengths(lengths_B, frame_count)
        if lengths_B is None:
            return self._encode_frames(clip_BTHWC.flatten(0, 1)).reshape(batch, frame_count, -1)
        real_BT = frame_mask(lengths_B.to(clip_BTHWC.device), frame_count)
        features_ND = self._encode_frames(clip_BTHWC[real_BT])
        features_BTD = features_ND.new_zeros(batch, frame_count, features_ND.shape[1])
        features_BTD[real_BT] = features_ND
        return features_BTD

    def step_lengths(self, lengths_B: Tensor | None) -> Tensor | None:
        """Steps in time of the features of clips with so many frames: one per frame."""
        return lengths_B

    def classify(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Score clips whose frames are encoded: logits_BK."""
        return self.classify_openly(features_BTD, lengths_B)[0]

    def classify_openly(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """As ``classify``, together with the outputs of the hidden dense layers, for penalties on them."""
        output = self.head(self.norm(features_BTD), lengths_B)
        hidden: list[Tensor] = []
        for layer in self.classifier:
            output = layer(output)
            if isinstance(layer, nn.ReLU):
                hidden.append(output)
        return output, hidden

    def hidden_dense_layers(self) -> list[nn.Linear]:
        """The dense layers before the one that gives the class scores."""
        return [layer for layer in self.classifier if isinstance(layer, nn.Linear)][:-1]

    def _encode_frames(self, frames_NHWC: Tensor) -> Tensor:
        scaled_NHWC = (frames_NHWC / 255 - self.pixel_mean) / self.pixel_std
        # A view: the memory stays channels-last, which is the order convolutions run fastest in.
        features_ND: Tensor = self.pool(self.encoder(scaled_NHWC.permute(0, 3, 1, 2)))
        return features_ND


def build(
    config: ModelConfig, class_count: int, *, weights: str | None = None, weights_dir: Path | None = None
) -> RecognizerNet:
    """Create a recognizer and give its encoder the pretrained weights that ``config`` asks for.

    Args:
        config: What to build.
        class_count: K.
        weights: In place of ``config.weights``; ``"none"`` where a saved state is loaded next.
        weights_dir: Folder searched first for weight files; by default the variable MUYBRIDGE_WEIGHTS.

    Raises:
        UserError: The weights are not to be had, do not fit, or an option does not fit the encoder.
    """
    net = RecognizerNet(config, class_count)
    path = resolve(
        config.encoder,
        config.width,
        config.weights if weights is None else weights,
        with_classifier=config.encoder_output == "logits",
        weights_dir=weights_dir,
    )
    if path is not None:
        load_pretrained(net.encoder, path)
    return net


def create_encoder(config: ModelConfig) -> FrameEncoder:
    """Create the frame encoder of ``config``, with random weights."""
    if config.encoder == "mobilenet":
        return MobileNetV1(
            width=config.width, output=config.encoder_output, batch_norm_momentum=config.batch_norm_momentum
        )
    if config.encoder == "densenet":
        return DenseNet121(output=config.encoder_output, batch_norm_momentum=config.batch_norm_momentum)
    if config.encoder == "small":
        return SmallCNN(batch_norm_momentum=config.batch_norm_momentum)
    return AlexNet(output=config.encoder_output)


def _create_classifier(config: ModelConfig, feature_count: int, class_count: int) -> nn.Sequential:
    """Stack dense ReLU layers, each followed by dropout, and the class scores; first weights as in Keras."""
    layers: list[nn.Module] = []
    for width in config.dense_widths:
        dense = nn.Linear(feature_count, width)
        nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.ReLU(inplace=True), nn.Dropout(config.dropout)]
        feature_count = width
    if not config.dense_widths:
        layers.append(nn.Dropout(config.dropout))
    scores = nn.Linear(feature_count, class_count)
    nn.init.xavier_uniform_(scores.weight)
    nn.init.zeros_(scores.bias)
    return nn.Sequential(*layers, scores)
