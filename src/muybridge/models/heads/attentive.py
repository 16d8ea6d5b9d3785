"""The attentive head: one learned query that attends over all space-time tokens of a clip.

A token is what the encoder says of one place at one time. A learned query asks all of them at once, with several
attention heads; their answers side by side, if asked for passed through a feed-forward part, are the clip's vector.

Two things are notable. There is one query, so the projections need not run on every token: the key projection is
applied to the query, the value projection to each head's weighted mean of the tokens. That is the same result (a
softmax does not see what the key's bias adds to all scores, and weights sum to 1), at a fraction of the cost. And the
encoder's tokens need not know when and where they are, so the score of a token has a part that depends on its
position alone: cosines of the share of the clip that is over, with learned weights, and a learned number for each
place. It is in the scores only, as positions in the keys would be, and it knows no longest clip.

Sources: Bardes et al., V-JEPA (2024), and Assran et al., V-JEPA 2 (2025), attentive probe: cross-attention from a
learned query, layer norms before attention and feed-forward, a linear classifier (V-JEPA 2 has self-attention below it,
which a few hundred clips cannot teach); Zhao et al., VideoPrism (2024): a frozen encoder under attention pooling.

Axes: B clips, S steps, P places of a step, L = S * P tokens, step after step, D features of a token, N attention heads,
E features of one of them, W = N * E width of the result, C cosines.
"""

import math

import torch
from torch import Tensor, nn

from muybridge.clip_draws import ClipDropout
from muybridge.errors import UserError
from muybridge.models.heads.head import zero_padding

COSINES = 8
"""Waves of time a head can weigh: the finest has four periods in a clip."""
QUERY_STD = 1.0
POSITION_STD = 0.5
"""First weights of the positions: attention heads begin with different times and places in view."""


class AttentiveHead(nn.Module):
    """Multi-head cross-attention from one learned query to a clip's tokens, and a feed-forward part.

    Attributes:
        feature_count: W of the result.
        places: P, tokens of a step.
    """

    positions: int | None = None

    def __init__(
        self,
        feature_count: int,
        places: int = 1,
        *,
        width: int = 256,
        heads: int = 8,
        feed_forward: int = 0,
        dropout: float = 0.0,
    ) -> None:
        """Create the head.

        Args:
            feature_count: D of a token.
            places: P, tokens of a step.
            width: W, divisible by ``heads``.
            heads: N, attention heads.
            feed_forward: Hidden units of the feed-forward part; 0: there is none.
            dropout: On the features of the tokens, and inside the feed-forward part, while training.

        Raises:
            UserError: ``width`` is not divisible by ``heads``.
        """
        super().__init__()
        if width % heads:
            fitting = [str(number) for number in range(1, 17) if width % number == 0]
            raise UserError(
                f"model.attentive_heads is {heads}, which does not divide the width {width} of head attentive "
                f"(model.head_widths); set it to one of {', '.join(fitting)}"
            )
        self.feature_count = width
        self.places = places
        self.heads = heads
        self.token_norm = nn.LayerNorm(feature_count)
        self.query = nn.Parameter(torch.empty(heads, width // heads))
        self.key = nn.Linear(feature_count, width, bias=False)
        self.value = nn.Linear(feature_count, width)
        self.time = nn.Parameter(torch.empty(COSINES, heads))
        self.place = nn.Parameter(torch.empty(places, heads))
        self.dropout = ClipDropout(dropout)
        nn.init.normal_(self.query, std=QUERY_STD)
        for weights in (self.time, self.place):
            nn.init.normal_(weights, std=POSITION_STD)
        self.feed_forward: nn.Module | None = None
        if feed_forward:
            self.feed_forward = nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, feed_forward),
                nn.GELU(),
                ClipDropout(dropout),
                nn.Linear(feed_forward, width),
                ClipDropout(dropout),
            )

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Let the query attend to each clip's real tokens.

        Args:
            features_BSD: The tokens, features_BLD: all places of the first step, then of the next.
            lengths_B: Tokens of each clip, from 1 to L; None if all have L.

        Returns:
            features_BW.
        """
        tokens_BLD, real_BL = zero_padding(features_BSD, lengths_B)
        tokens_BLD = self.dropout(self.token_norm(tokens_BLD))
        scores_BLN = tokens_BLD @ self._query_DN() + self._position_scores(features_BSD.shape[1], real_BL)
        if real_BL is not None:
            scores_BLN = scores_BLN.masked_fill(~real_BL[:, :, None], -math.inf)
        means_BND = scores_BLN.softmax(dim=1).transpose(1, 2) @ tokens_BLD
        values_BNE = torch.einsum("bnd,ned->bne", means_BND, self._by_head(self.value))
        answer_BW = values_BNE.flatten(1) + self.value.bias
        if self.feed_forward is not None:
            answer_BW = answer_BW + self.feed_forward(answer_BW)
        return answer_BW

    def _query_DN(self) -> Tensor:
        """The query of each attention head, turned back through the key projection into the tokens' features."""
        return torch.einsum("ne,ned->dn", self.query, self._by_head(self.key)) / math.sqrt(self.query.shape[1])

    def _by_head(self, projection: nn.Linear) -> Tensor:
        """The weights of a projection, (N, E, D)."""
        return projection.weight.reshape(*self.query.shape, -1)

    def _position_scores(self, token_count: int, real_BL: Tensor | None) -> Tensor:
        """What the positions add to the scores: (L, N), or (B, L, N) where clips differ in length."""
        index_L = torch.arange(token_count, device=self.time.device)
        steps = token_count // self.places if real_BL is None else real_BL.sum(dim=1, keepdim=True) // self.places
        # The middle of each step, as a share of the clip: a clip alone and padded in a batch have the same.
        share_L = (torch.div(index_L, self.places, rounding_mode="floor") + 0.5) / steps
        wave_C = math.pi * torch.arange(1, COSINES + 1, device=self.time.device)
        when_LC = (share_L[..., None] * wave_C).cos().to(self.time)
        return when_LC @ self.time + self.place[index_L % self.places]
