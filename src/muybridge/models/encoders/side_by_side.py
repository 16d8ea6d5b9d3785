"""Several frozen encoders on the same clip, their features side by side.

Each sees the clip as its published weights want it: in its own scaling, no larger than they were trained at, and with
no more frames than ``most_frames``, evenly spread. Networks of consecutive frames (I3D) and of few frames over a
longer time (MoViNet) so share one reading of a clip: of 32 frames in a row I3D sees all, MoViNet every second.
Positions are pooled here, since the members' maps differ in size, and time is averaged to the fewest steps of any.

Axes: B clips, T frames, N frames of all clips, S steps in time, R steps of one member, C channels, H height, W width,
D features.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from muybridge.models.encoders.encoder import EncoderLayer, FrameEncoder, Stage, VideoEncoder
from muybridge.models.encoders.scaling import UNIT


class SideBySide(VideoEncoder):
    """Encoders that share a clip; (B, 3, T, H, W) with pixels from 0 to 1 -> (B, D, S, 1, 1).

    D is the sum of the members' features, in their order; S the fewest steps that any of them makes.

    Attributes:
        members: The encoders by their names.
        block_widths: Features of each member.
    """

    scaling = UNIT

    def __init__(self, members: Mapping[str, FrameEncoder | VideoEncoder], *, pooling: Literal["mean", "max"]) -> None:
        """Put encoders side by side.

        Args:
            members: The encoders by their names; they are to be frozen, and are not trained here.
            pooling: From a member's maps to one vector for each step: the mean or the maximum over positions.
        """
        widths = [member.feature_count for member in members.values()]
        super().__init__(output="maps", map_count=sum(widths), class_count=0)
        self.members = nn.ModuleDict(members)
        self.block_widths = tuple(widths)
        self.pooling = pooling
        self.default_size_px = max(member.default_size_px for member in members.values())
        self.minimum_size_px = max(member.minimum_size_px for member in members.values())
        self.minimum_frames = max(getattr(member, "minimum_frames", 1) for member in members.values())

    def encoders(self) -> dict[str, FrameEncoder | VideoEncoder]:
        """The members by their names."""
        return dict(self.members.items())  # type: ignore[arg-type]

    def step_count(self, frame_count: int) -> int:
        """The fewest steps that any member makes of the frames that it sees."""
        return min(_steps(member, frame_count) for member in self.encoders().values())

    def map_stages(self) -> list[nn.Module]:
        """All at once: no member goes through another."""
        return [Stage(self._features, self.members)]

    def classifier_stage(self) -> nn.Module:
        """There is none: members that return scores return them as their maps."""
        raise NotImplementedError("encoders side by side have no classifier of their own")

    def layers(self) -> list[EncoderLayer]:
        """List the layers of every member under its name."""
        return [
            EncoderLayer(f"{name}.{layer.name}", layer.module)
            for name, member in self.encoders().items()
            for layer in member.layers()
        ]

    def _features(self, clip_BCTHW: Tensor) -> Tensor:
        blocks = [self._pooled(member, clip_BCTHW) for member in self.encoders().values()]
        step_count = reduce(torch.sym_min, [block_BRD.shape[1] for block_BRD in blocks])
        features_BSD = torch.cat([averaged_over_time(block_BRD, step_count) for block_BRD in blocks], dim=2)
        return features_BSD.transpose(1, 2)[..., None, None]

    def _pooled(self, member: FrameEncoder | VideoEncoder, clip_BCTHW: Tensor) -> Tensor:
        """The features of one member, (B, R, D)."""
        seen_BCTHW = evenly_spread(clip_BCTHW, member.most_frames)
        seen_BCTHW = no_larger(seen_BCTHW, member.default_size_px)
        mean_C, std_C = (seen_BCTHW.new_tensor(values)[:, None, None, None] for values in (member.mean, member.std))
        scaled_BCTHW = (seen_BCTHW - mean_C) / std_C
        if isinstance(member, VideoEncoder):
            maps_BRDHW = member(scaled_BCTHW).transpose(1, 2)
        else:
            frames_NCHW = scaled_BCTHW.transpose(1, 2).flatten(0, 1)
            maps_BRDHW = member(frames_NCHW).unflatten(0, (scaled_BCTHW.shape[0], scaled_BCTHW.shape[2]))
        pooled_BRD: Tensor = maps_BRDHW.mean(dim=(3, 4)) if self.pooling == "mean" else maps_BRDHW.amax(dim=(3, 4))
        return pooled_BRD


def evenly_spread(clip_BCTHW: Tensor, most_frames: int | None) -> Tensor:
    """Take at most so many frames of a clip: the centres of equal segments, as `UniformSampler` does.

    Of 32 frames 16 are the odd ones: 1, 3, 5 to 31. None takes all.
    """
    frame_count = clip_BCTHW.shape[2]
    if most_frames is None or (not torch.compiler.is_compiling() and frame_count <= most_frames):
        return clip_BCTHW
    # No branch: an exported graph takes any number of frames.
    count = torch.sym_min(frame_count, most_frames)  # type: ignore[no-untyped-call]
    index_T = (2 * torch.arange(count, device=clip_BCTHW.device) + 1) * frame_count // (2 * count)
    return clip_BCTHW.index_select(2, index_T)


def no_larger(clip_BCTHW: Tensor, size_px: int) -> Tensor:
    """Scale pictures down to at most ``size_px`` each way: bilinear, over all pixels that a new one covers.

    Two products with fixed matrices are what every runtime computes alike, and as fast as torch's own.
    """
    for axis in (3, 4):
        if (given_px := clip_BCTHW.shape[axis]) > size_px:
            weights_NM = _shrinking(given_px, size_px).to(clip_BCTHW)
            clip_BCTHW = weights_NM @ clip_BCTHW if axis == 3 else clip_BCTHW @ weights_NM.T
    return clip_BCTHW


def averaged_over_time(features_BRD: Tensor, step_count: int) -> Tensor:
    """Average R steps to S, fewer: step s is the mean of those that ``s * R / S`` to ``(s + 1) * R / S`` touches."""
    given_count = features_BRD.shape[1]
    if not torch.compiler.is_compiling() and given_count == step_count:
        return features_BRD
    place_S = torch.arange(step_count, device=features_BRD.device)
    place_R = torch.arange(given_count, device=features_BRD.device)
    first_S, end_S = place_S * given_count // step_count, ((place_S + 1) * given_count + step_count - 1) // step_count
    inside_SR = ((place_R >= first_S[:, None]) & (place_R < end_S[:, None])).to(features_BRD)
    return (inside_SR / inside_SR.sum(dim=1, keepdim=True)) @ features_BRD


def _shrinking(given_px: int, size_px: int) -> Tensor:
    """How much each of M pixels in a row weighs in each of fewer, N: (N, M), a triangle as wide as two new pixels."""
    scale = given_px / size_px
    centre_N = (torch.arange(size_px) + 0.5) * scale - 0.5
    weights_NM = (1 - (torch.arange(given_px) - centre_N[:, None]).abs() / scale).clamp(min=0)
    return weights_NM / weights_NM.sum(dim=1, keepdim=True)


def _steps(member: FrameEncoder | VideoEncoder, frame_count: int) -> int:
    seen = frame_count if member.most_frames is None else min(frame_count, member.most_frames)
    return member.step_count(seen) if isinstance(member, VideoEncoder) else seen
