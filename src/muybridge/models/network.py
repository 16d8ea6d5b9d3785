"""The recognizer: a clip's frames through an encoder, its features through time, and a classifier at the end.

Time is folded into the batch for image encoders, and padded frames are left out there: they cost nothing and
do not reach batch norm's statistics; a video encoder sees clips of one length at a time. Frames travel as uint8, in
the channels-last order that decoders return and convolutions like; they are scaled here, on the device. ``encode`` and
``classify`` are two steps, and ``encode`` again is ``encode_lower`` and ``encode_upper``: what comes before the first
stage that learns, and the rest, so that the former can be computed once and kept.

Axes: B clips, T frames, S steps in time of a clip's features (T for image encoders), N frames of all clips, H height,
W width, C channels, D features, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from muybridge.errors import UserError
from muybridge.models.economy import (
    CHECKPOINT_PIXELS,
    CHUNK_PIXELS,
    checkpointed,
    checkpointed_stages,
    frames_are_independent,
    in_chunks,
)
from muybridge.models.encoders.adapted import Adapted
from muybridge.models.encoders.encoder import FrameEncoder, VideoEncoder
from muybridge.models.encoders.encoder_factory import create_encoder
from muybridge.models.encoders.freezing import freeze_batch_norms, frozen_stage_count, set_trainable
from muybridge.models.encoders.movinet import StreamingMoViNet
from muybridge.models.encoders.scaling import UNIT
from muybridge.models.encoders.side_by_side import SideBySide
from muybridge.models.encoders.streams import StreamState
from muybridge.models.heads.classifier import create_classifier, create_norm
from muybridge.models.heads.head import TemporalHead, partial_lengths, step_mask
from muybridge.models.heads.head_factory import create_head
from muybridge.models.heads.pooling import create_pooling
from muybridge.models.weights.finding import encoder_of, find_all
from muybridge.models.weights.state_dicts import load_pretrained
from muybridge.recipes.encoder_names import JOIN
from muybridge.recipes.model import ModelConfig


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
        # Training sets it: keep little of the encoder's forward pass, compute it again for the backward pass.
        self.checkpointing = False
        self.config = config
        self.encoder = create_encoder(config)
        map_count = self.encoder.feature_count
        self.pool = create_pooling(config, map_count)
        self.norm = create_norm(config, self.pool.feature_count)
        self.head: TemporalHead = create_head(config, self.encoder, self.pool.feature_count)
        self.classifier = create_classifier(config, self.head.feature_count, class_count)
        scaling = UNIT if config.scaling == "unit" else self.encoder.scaling
        self._scales_only = scaling == UNIT
        self.register_buffer("pixel_mean", torch.tensor(scaling.mean))
        self.register_buffer("pixel_std", torch.tensor(scaling.std))
        set_trainable(self.encoder, config.layers_to_train)
        if config.frozen_batch_norm and config.pretrained:
            freeze_batch_norms(self.encoder)
        # How many stages of the encoder come before the first that learns; all of them means: the pooling, too.
        self.frozen_stages = frozen_stage_count(self.encoder)
        pool_learns = next(self.pool.parameters(), None) is not None
        self.pools_when_frozen = self.frozen_stages == len(self.encoder.stages()) and not pool_learns

    def forward(self, clip_BTHWC: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Score clips.

        Args:
            clip_BTHWC: RGB frames, uint8 or float, 0 to 255; clips shorter than T are padded at the end.
            lengths_B: Frames of each clip, from 1 to T; None if all have T.

        Returns:
            logits_BK, before the softmax.
        """
        return self.classify(self.encode(clip_BTHWC, lengths_B), self.step_lengths(lengths_B))

    def step_lengths(self, lengths_B: Tensor | None) -> Tensor | None:
        """Steps of the features of clips with so many frames: steps in time, each as often as it has tokens."""
        encoder = self.encoder
        if lengths_B is None:
            return None
        if isinstance(encoder, FrameEncoder):
            return lengths_B * self.pool.places
        steps = [encoder.step_count(max(int(n), encoder.minimum_frames)) for n in lengths_B]
        return torch.tensor(steps) * self.pool.places

    def encode(self, clip_BTHWC: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Encode and pool every step in time: features_BSD, zero where a clip has no frame."""
        if isinstance(self.encoder, FrameEncoder):
            return _in_one_row(_by_step(self._encode_frames, clip_BTHWC, lengths_B))
        return _by_length(
            self._encode_by_stages if self.checkpointing and self.training else self._encode_whole,
            self._long_enough(clip_BTHWC),
            lengths_B,
        )

    def encode_stream(self, frames_BTHWC: Tensor, state: StreamState | None) -> tuple[Tensor, StreamState]:
        """Encode the next frames of videos: features_BSD, and the state after them.

        Args:
            frames_BTHWC: As in ``forward``.
            state: What the call before returned; None at the first frame of the videos.

        Raises:
            UserError: The encoder sees frames to come.
        """
        if not isinstance(self.encoder, StreamingMoViNet):
            raise UserError(
                f"model.encoder {self.config.encoder} cannot go frame by frame; train one that sees past frames only, "
                "such as movinet_a0"
            )
        maps, after = self.encoder.stream(self._scale(frames_BTHWC), state)
        return self._pool(maps), after

    def encode_lower(self, clip_BTHWC: Tensor) -> Tensor:
        """Run the frozen stages alone, on clips of T frames each.

        Returns:
            Activations with the axes (B, S, ...): features_BSD if the whole encoder is frozen (and the pooling has
            nothing to learn), else maps_BSDHW. S is the steps in time of maps; features have one for each token.
        """

        def run(frames: Tensor) -> Tensor:
            maps = _apply(self.encoder.stages()[: self.frozen_stages], self._scale(frames))
            return self._pool(maps) if self.pools_when_frozen else _time_first(maps)

        if isinstance(self.encoder, FrameEncoder):
            chunked = run if clip_BTHWC.is_cuda else partial(in_chunks, run, pixels=CHUNK_PIXELS)
            encoded_BS = _by_step(chunked, clip_BTHWC, None)
            return _in_one_row(encoded_BS) if self.pools_when_frozen else encoded_BS
        clip_BTHWC = self._long_enough(clip_BTHWC)
        if clip_BTHWC.is_cuda:
            return run(clip_BTHWC)
        # One after the other: together they leave the processor's caches (I3D, 32 frames of 224 px: 1.2 times as long).
        return torch.cat([run(clip_THWC[None]) for clip_THWC in clip_BTHWC])

    def encode_upper(self, activations: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Go on where ``encode_lower`` ended: features_BSD.

        Args:
            activations: What it returned, (B, S, ...), padded at the end where clips differ.
            lengths_B: Steps of each clip's activations; None if all have S.
        """
        if self.pools_when_frozen:
            return activations
        stages = self.encoder.stages()[self.frozen_stages :]
        if isinstance(self.encoder, FrameEncoder):
            pooled = _by_step(lambda maps_NDHW: self._pool(_apply(stages, maps_NDHW)), activations, lengths_B)
            return _in_one_row(pooled)
        return _by_length(
            lambda maps_BSDHW: self._pool(_apply(stages, maps_BSDHW.transpose(1, 2))), activations, lengths_B
        )

    def classify(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Score clips whose frames are encoded: logits_BK."""
        return self.classify_openly(features_BSD, lengths_B)[0]

    def classify_openly(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """As ``classify``, together with the outputs of the hidden dense layers, for penalties on them."""
        output = self.head(self.norm(features_BSD), lengths_B)
        hidden: list[Tensor] = []
        for layer in self.classifier:
            output = layer(output)
            if isinstance(layer, nn.ReLU):
                hidden.append(output)
        return output, hidden

    def hidden_dense_layers(self) -> list[nn.Linear]:
        """The dense layers before the one that returns the class scores."""
        return [layer for layer in self.classifier if isinstance(layer, nn.Linear)][:-1]

    def _encode_whole(self, pixels: Tensor) -> Tensor:
        return self._pool(self.encoder(self._scale(pixels)))

    def _encode_by_stages(self, pixels: Tensor) -> Tensor:
        return self._pool(checkpointed_stages(self.encoder.stages(), self._scale(pixels)))

    def _encode_frames(self, frames_NHWC: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            return self._encode_whole(frames_NHWC)  # an exported graph takes any number of frames at once
        keeps_little = self.checkpointing and self.training
        if not frames_are_independent(self.encoder):
            return (self._encode_by_stages if keeps_little else self._encode_whole)(frames_NHWC)
        if keeps_little:
            return in_chunks(checkpointed(self._encode_whole), frames_NHWC, pixels=CHECKPOINT_PIXELS)
        if frames_NHWC.is_cuda:
            return self._encode_whole(frames_NHWC)
        return in_chunks(self._encode_whole, frames_NHWC, pixels=CHUNK_PIXELS)

    def _scale(self, frames: Tensor) -> Tensor:
        """(N, H, W, C) or (B, T, H, W, C) as pixels, to (N, C, H, W) or (B, C, T, H, W) as the encoder expects them."""
        scaled = frames / 255
        if not self._scales_only:
            scaled.sub_(self.pixel_mean).div_(self.pixel_std)
        # A view: the memory stays channels-last, which is the order convolutions run fastest in.
        return scaled.movedim(-1, 1)

    def _pool(self, maps: Tensor) -> Tensor:
        """maps_NDHW to features_ND (tokens_NPD, if steps have several), or maps_BDSHW to features_BSD."""
        if maps.ndim == 4:
            pooled_N: Tensor = self.pool(maps)
            return pooled_N
        maps_BSDHW = _time_first(maps)
        pooled_N = self.pool(maps_BSDHW.flatten(0, 1))
        return _in_one_row(pooled_N.reshape(*maps_BSDHW.shape[:2], *pooled_N.shape[1:]))

    def _long_enough(self, clip_BTHWC: Tensor) -> Tensor:
        """Repeat the last frame of clips that are shorter than a video encoder needs."""
        assert isinstance(self.encoder, VideoEncoder)
        missing = self.encoder.minimum_frames - clip_BTHWC.shape[1]
        if missing <= 0:
            return clip_BTHWC
        return torch.cat([clip_BTHWC, clip_BTHWC[:, -1:].expand(-1, missing, -1, -1, -1)], dim=1)


def _apply(stages: Sequence[nn.Module], maps: Tensor) -> Tensor:
    for stage in stages:
        maps = stage(maps)
    return maps


def _time_first(maps: Tensor) -> Tensor:
    """maps_BDSHW to maps_BSDHW; maps_NDHW of single frames stay."""
    return maps.transpose(1, 2) if maps.ndim == 5 else maps


def _in_one_row(pooled_BS: Tensor) -> Tensor:
    """Of each clip all tokens of its first step, then of the next: (B, S, P, D) to features_BSD; others stay."""
    return pooled_BS.flatten(1, 2) if pooled_BS.ndim == 4 else pooled_BS


def _by_step(run: Callable[[Tensor], Tensor], batch_BS: Tensor, lengths_B: Tensor | None) -> Tensor:
    """Run on the real steps of all clips, folded into one axis; zero where a clip has none."""
    count, steps = batch_BS.shape[:2]
    lengths_B = partial_lengths(lengths_B, steps)
    if lengths_B is None:
        result_N = run(batch_BS.flatten(0, 1))
        return result_N.reshape(count, steps, *result_N.shape[1:])
    real_BS = step_mask(lengths_B.to(batch_BS.device), steps)
    result_N = run(batch_BS[real_BS])
    result_BS = result_N.new_zeros(count, steps, *result_N.shape[1:])
    result_BS[real_BS] = result_N
    return result_BS


def _by_length(run: Callable[[Tensor], Tensor], batch_BS: Tensor, lengths_B: Tensor | None) -> Tensor:
    """Run on the clips of each length together, without their padding; zero where a clip has no step."""
    lengths_B = partial_lengths(lengths_B, batch_BS.shape[1])
    if lengths_B is None:
        return run(batch_BS)
    results: list[Tensor | None] = [None] * len(lengths_B)
    for length in sorted(set(lengths_B.tolist())):
        which = (lengths_B == length).nonzero()[:, 0].tolist()
        for index, result in zip(which, run(batch_BS[which, :length]), strict=True):
            results[index] = result
    return pad_sequence([result for result in results if result is not None], batch_first=True)


def build(
    config: ModelConfig, class_count: int, *, weights: str | None = None, weights_dir: Path | None = None
) -> RecognizerNet:
    """Create a recognizer and load the pretrained weights that ``config`` asks for into its encoder or encoders.

    Where a file found is that of a substitute for the encoder asked for, ``config`` of the recognizer names that one.

    Args:
        config: What to build.
        class_count: K.
        weights: In place of ``config.weights``; ``"none"`` where a saved state is loaded next.
        weights_dir: Folder searched first for weight files; by default the variable MUYBRIDGE_WEIGHTS.

    Raises:
        UserError: The weights are not available, do not fit, or an option does not fit the encoder.
    """
    choice = config.weights if weights is None else weights
    net = RecognizerNet(config, class_count)  # first: it refuses what cannot be, before anything is downloaded
    if isinstance(net.encoder, Adapted):
        if choice not in ("none", "pretrained"):
            raise UserError(f"model.weights is {choice!r}; for {config.encoder} give pretrained or none")
        if choice == "pretrained":
            net.encoder.load_published()
        return net
    paths = find_all(config, choice, weights_dir=weights_dir)
    if not paths:
        return net
    found = replace(config, encoder=JOIN.join(encoder_of(path, name) for name, path in paths.items()))
    if found.encoder != config.encoder:
        net = RecognizerNet(found, class_count)
    members = net.encoder.encoders() if isinstance(net.encoder, SideBySide) else {found.encoder: net.encoder}
    for member, path in zip(members.values(), paths.values(), strict=True):
        load_pretrained(member, path)
    return net
