"""Temporal heads: from one vector per step to one vector per clip. Here what all share, and the two without memory.

Every head honours the true length of each clip: steps beyond it never reach the result, so a short clip
scores the same alone and padded in a batch. The others are in ``recurrent``, ``bert`` and ``fusion``;
``head_factory`` chooses.

Axes: B clips, S steps (for a frame encoder its frames), D features.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.errors import UserError


class TemporalHead(Protocol):
    """Anything that turns features_BSD and the clips' lengths into features_BD.

    Attributes:
        feature_count: D of the result.
        positions: Steps of the longest clip it can take; None where there is no limit.
    """

    feature_count: int
    positions: int | None

    def __call__(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Summarise each clip; without lengths every clip has S steps."""


def step_mask(lengths_B: Tensor, step_count: int) -> Tensor:
    """Mark real steps: (B, S) bool, true where the step's index is below the clip's length."""
    return torch.arange(step_count, device=lengths_B.device) < lengths_B[:, None]


def partial_lengths(lengths_B: Tensor | None, step_count: int) -> Tensor | None:
    """Return the lengths on the CPU, or None where every clip has all its steps and nothing is to be masked.

    Raises:
        ValueError: A length is not between 1 and the number of steps.
    """
    if lengths_B is None:
        return None
    lengths_B = lengths_B.cpu()
    if bool(((lengths_B < 1) | (lengths_B > step_count)).any()):
        raise ValueError(f"clip lengths must be from 1 to {step_count}, got {lengths_B.tolist()}")
    return None if bool((lengths_B == step_count).all()) else lengths_B


def zero_padding(features_BSD: Tensor, lengths_B: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Set everything beyond a clip's length to zero, whatever it was, also NaN.

    Args:
        features_BSD: One vector per step.
        lengths_B: Steps of each clip, from 1 to S; None if all have S.

    Returns:
        The features, and real_BS, which marks the real steps; None where all are real.
    """
    lengths_B = partial_lengths(lengths_B, features_BSD.shape[1])
    if lengths_B is None:
        return features_BSD, None
    real_BS = step_mask(lengths_B.to(features_BSD.device), features_BSD.shape[1])
    return features_BSD.masked_fill(~real_BS[:, :, None], 0), real_BS


def require_positions(step_count: int, positions: int | None) -> None:
    """Check that a head that is made for so many positions can take so many steps.

    Raises:
        UserError: It cannot.
    """
    if positions is not None and step_count > positions:
        raise UserError(
            f"clips of {step_count} steps are longer than the {positions} positions of the temporal head; "
            f"set model.head_positions to {step_count} or more, or choose fewer frames"
        )


class MeanHead(nn.Module):
    """The mean over a clip's steps: the baseline that cannot see order."""

    positions: int | None = None

    def __init__(self, feature_count: int) -> None:
        super().__init__()
        self.feature_count = feature_count

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Average the real steps of each clip."""
        features_BSD, real_BS = zero_padding(features_BSD, lengths_B)
        if real_BS is None:
            return features_BSD.mean(dim=1)
        return features_BSD.sum(dim=1) / real_BS.sum(dim=1, keepdim=True)


class ConcatHead(nn.Module):
    """The vectors of all steps one after the other, so that the classifier has weights for each place in time.

    A clip with fewer steps than positions ends in zeros (a baseline of Kalfaoglu et al., 2020).
    """

    positions: int | None

    def __init__(self, feature_count: int, positions: int) -> None:
        """Create the head.

        Args:
            feature_count: D of the input; the result has ``positions`` times as many.
            positions: Steps of the longest clip.
        """
        super().__init__()
        self.positions = positions
        self.feature_count = feature_count * positions

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Lay the steps of each clip side by side.

        Raises:
            UserError: There are more steps than positions.
        """
        require_positions(features_BSD.shape[1], self.positions)
        features_BSD, _ = zero_padding(features_BSD, lengths_B)
        flat_BD = features_BSD.flatten(1)
        return functional.pad(flat_BD, (0, self.feature_count - flat_BD.shape[1]))
