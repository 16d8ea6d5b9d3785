"""Late fusion: a slow and a fast stream of the same clip, each with a temporal head of its own.

An ordinary encoder returns one sequence; its slow stream is every alpha-th step, the fast one every step. An encoder
with two pathways (SlowFast; Feichtenhofer et al., 2019) returns both pathways' features side by side on the fast
pathway's steps, and each head reads its own.

Axes: B clips, S steps, D features.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from muybridge.models.heads.head import TemporalHead


@runtime_checkable
class TwoPathways(Protocol):
    """An encoder whose features are those of a slow pathway followed by those of a fast one.

    Attributes:
        slow_feature_count: Features of the slow pathway, the first of D; each is repeated ``alpha`` times.
        fast_feature_count: Features of the fast pathway, the rest of D.
        alpha: Steps of the fast pathway for each of the slow one.
    """

    slow_feature_count: int
    fast_feature_count: int
    alpha: int


class LateFusion(nn.Module):
    """Two heads, one per stream; the result is their vectors, the slow one's first, concatenated.

    Kalfaoglu et al. (2020) join two BERT heads on SlowFast in this way.
    """

    positions: int | None

    def __init__(
        self, slow: TemporalHead, fast: TemporalHead, *, alpha: int, slow_feature_count: int | None = None
    ) -> None:
        """Join two heads, which are modules.

        Args:
            slow: Reads every ``alpha``-th step.
            fast: Reads every step.
            alpha: Steps of the fast stream for each of the slow one, at least 1.
            slow_feature_count: How many of the first features are the slow stream's, the rest being the fast
                one's; None where both read all.
        """
        super().__init__()
        self.slow = slow
        self.fast = fast
        self.alpha = alpha
        self.slow_feature_count = slow_feature_count
        self.feature_count = slow.feature_count + fast.feature_count
        self.positions = fast.positions

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Summarise both streams of each clip.

        Args:
            features_BSD: One vector per step of the fast stream.
            lengths_B: Steps of each clip, from 1 to S; None if all have S.

        Returns:
            features_BD with D = ``feature_count``.

        Raises:
            UserError: There are more steps than the heads have positions.
        """
        border = self.slow_feature_count
        slow_lengths_B = None if lengths_B is None else (lengths_B + self.alpha - 1) // self.alpha
        # The fast head first: a clip that is too long is then reported in the steps that the user knows.
        fast_BD = self.fast(features_BSD if border is None else features_BSD[:, :, border:], lengths_B)
        slow_BD = self.slow(features_BSD[:, :: self.alpha, :border], slow_lengths_B)
        return torch.cat([slow_BD, fast_BD], dim=-1)
