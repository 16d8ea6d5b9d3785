"""BERT over time: self-attention over a clip's steps, read out at a token of its own.

A learned token, CLS, goes before the steps of a clip; every token gets the learned vector of its place; a
transformer layer lets CLS gather from all of them; CLS is the result. In training some steps are hidden from
all queries, so that no single one can be relied on.

Source: Kalfaoglu, Kalkan, Alatan, Late Temporal Modeling in 3D CNN Architectures with BERT for Action
Recognition (2020), section 3, and the authors' code. There: features brought to 512 where an encoder gives
more, one layer of 8 heads on the 512 features of an
R(2+1)D-34, feed-forward 2048, dropout 0.1 on the embeddings, the attention weights, within the feed-forward part,
on both parts' outputs and on the layer's, steps kept with probability 0.8, no norm at the end.

Axes: B clips, S steps, L = S + 1 tokens, D features, Q queries, N attention heads, E = D / N features of a head.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from muybridge.clip_draws import ClipDropout, dropout, rand
from muybridge.errors import UserError
from muybridge.models.heads.head import require_positions, zero_padding

INITIAL_STD = 0.02
"""Standard deviation of the first CLS token and positions."""


class BertHead(nn.Module):
    """A transformer encoder over a clip's steps; the result is its CLS token.

    Attributes:
        feature_count: Of the result: D of the input, or the width that was asked for.
        positions: Steps of the longest clip it can take.
        keep: Share of the steps that training leaves visible.
    """

    positions: int | None

    def __init__(
        self,
        feature_count: int,
        positions: int,
        *,
        layers: int = 1,
        heads: int = 8,
        feed_forward: int = 2048,
        dropout: float = 0.1,
        keep: float = 0.8,
        width: int = 0,
        input_dropout: float = 0.0,
        position_std: float = INITIAL_STD,
    ) -> None:
        """Create the head.

        Args:
            feature_count: D; it, or the width, is divisible by ``heads``.
            positions: Steps of the longest clip.
            layers: Transformer layers.
            heads: Attention heads of a layer.
            feed_forward: Hidden units of a layer's feed-forward part.
            dropout: Rate of every dropout inside, while training.
            keep: Probability that a step can be attended to, drawn per clip and step, while training.
            width: Features that a linear layer first makes of each step's; 0: they stay as they are.
            input_dropout: Rate of the dropout on the steps as they come in, while training.
            position_std: Standard deviation of the first positions. Among features of deviation 1 positions of 0.02 are
                hardly seen, and a short training does not make them large.

        Raises:
            UserError: The features that BERT sees are not divisible by ``heads``.
        """
        super().__init__()
        self.input_dropout = ClipDropout(input_dropout) if input_dropout else nn.Identity()
        self.reduce = nn.Linear(feature_count, width) if width else None
        feature_count = width or feature_count
        if feature_count % heads:
            fitting = [str(number) for number in range(1, 17) if feature_count % number == 0]
            raise UserError(
                f"model.bert_heads is {heads}, which does not divide the {feature_count} features of a step; "
                f"set it to one of {', '.join(fitting)}"
            )
        self.feature_count = feature_count
        self.positions = positions
        self.keep = keep
        self.cls = nn.Parameter(torch.empty(feature_count))
        self.embedding = nn.Parameter(torch.empty(positions + 1, feature_count))
        nn.init.normal_(self.cls, std=INITIAL_STD)
        nn.init.normal_(self.embedding, std=position_std)
        self.dropout = ClipDropout(dropout)
        self.layers = nn.ModuleList(PreNormLayer(feature_count, heads, feed_forward, dropout) for _ in range(layers))

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Let CLS attend to each clip's real steps.

        Args:
            features_BSD: One vector per step.
            lengths_B: Steps of each clip, from 1 to S; None if all have S.

        Returns:
            features_BD, the CLS token after the last layer.

        Raises:
            UserError: There are more steps than positions.
        """
        batch, step_count = features_BSD.shape[:2]
        require_positions(step_count, self.positions)
        # Masked keys have weight zero, but zero times NaN would still be NaN.
        features_BSD, real_BS = zero_padding(features_BSD, lengths_B)
        features_BSD = self.input_dropout(features_BSD)
        if self.reduce is not None:
            features_BSD = self.reduce(features_BSD)
        tokens_BLD = torch.cat([self.cls.expand(batch, 1, -1), features_BSD], dim=1)
        tokens_BLD = self.dropout(tokens_BLD + self.embedding[: step_count + 1])
        visible_BL = self._visible(features_BSD, real_BS)
        for layer in self.layers[:-1]:
            tokens_BLD = layer(tokens_BLD, visible_BL)
        # Nothing reads the other tokens of the last layer, so only CLS is worked out.
        cls_B1D: Tensor = self.layers[-1](tokens_BLD, visible_BL, queries=1)
        return cls_B1D[:, 0]

    def _visible(self, features_BSD: Tensor, real_BS: Tensor | None) -> Tensor | None:
        """Which tokens may be attended to: real ones, in training a random share of them, and CLS always."""
        visible_BS = real_BS
        if self.training and self.keep < 1:
            kept_BS = rand(features_BSD.shape[:2], device=features_BSD.device) < self.keep
            visible_BS = kept_BS if real_BS is None else kept_BS & real_BS
        return None if visible_BS is None else functional.pad(visible_BS, (1, 0), value=True)


class PreNormLayer(nn.Module):
    """Multi-head self-attention and a feed-forward part, each added to what it reads through a layer norm."""

    def __init__(self, feature_count: int, heads: int, feed_forward: int, dropout: float) -> None:
        """Create the layer; arguments as in ``BertHead``."""
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(feature_count)
        self.query = nn.Linear(feature_count, feature_count)
        self.key = nn.Linear(feature_count, feature_count)
        self.value = nn.Linear(feature_count, feature_count)
        self.merge = nn.Linear(feature_count, feature_count)
        self.feed_forward_norm = nn.LayerNorm(feature_count)
        self.feed_forward = nn.Sequential(
            nn.Linear(feature_count, feed_forward),
            nn.GELU(),
            ClipDropout(dropout),
            nn.Linear(feed_forward, feature_count),
        )
        self.dropout = ClipDropout(dropout)

    def forward(self, tokens_BLD: Tensor, visible_BL: Tensor | None, *, queries: int | None = None) -> Tensor:
        """Update tokens.

        Args:
            tokens_BLD: The tokens.
            visible_BL: Which of them may be attended to, at least one per clip; None if all may.
            queries: Update only so many of the first tokens; default all.

        Returns:
            tokens_BQD, the updated ones.
        """
        normed_BLD = self.attention_norm(tokens_BLD)
        query_BNQE = self._split(self.query(normed_BLD[:, :queries]))
        mask_BNQL = None if visible_BL is None else visible_BL[:, None, None, :]
        attend = self._attend_once if queries == 1 else self._attend
        merged_BQD = self.merge(attend(query_BNQE, normed_BLD, mask_BNQL).transpose(1, 2).flatten(2))
        tokens_BQD = tokens_BLD[:, :queries] + self.dropout(merged_BQD)
        tokens_BQD = tokens_BQD + self.dropout(self.feed_forward(self.feed_forward_norm(tokens_BQD)))
        output_BQD: Tensor = self.dropout(tokens_BQD)
        return output_BQD

    def _attend(self, query_BNQE: Tensor, normed_BLD: Tensor, mask_BNQL: Tensor | None) -> Tensor:
        """What each query gathers from the values of all tokens."""
        key_BNLE, value_BNLE = self._split(self.key(normed_BLD)), self._split(self.value(normed_BLD))
        if self.training and self.dropout.p:  # written out, since its dropout is drawn by clip
            return self._weights(query_BNQE @ key_BNLE.transpose(2, 3), mask_BNQL) @ value_BNLE
        return functional.scaled_dot_product_attention(query_BNQE, key_BNLE, value_BNLE, attn_mask=mask_BNQL)

    def _attend_once(self, query_BN1E: Tensor, normed_BLD: Tensor, mask_BN1L: Tensor | None) -> Tensor:
        """The same of one query, without a key and a value for each token.

        Both are linear: the query can be turned into what it looks for in the tokens themselves, and their weighted
        mean into a value.
        """
        key_NED, key_bias_NE = self._by_head(self.key)
        value_NED, value_bias_NE = self._by_head(self.value)
        query_BNE = query_BN1E[:, :, 0]
        sought_BND = torch.einsum("bne,ned->bnd", query_BNE, key_NED)
        # The softmax ignores what moves all scores alike, but a parameter without a gradient would stop DDP.
        offset_BN1 = (query_BNE * key_bias_NE).sum(dim=-1, keepdim=True)
        scores_BNL = sought_BND @ normed_BLD.transpose(1, 2) + offset_BN1
        weights_BNL = self._weights(scores_BNL[:, :, None], mask_BN1L)[:, :, 0]
        value_BNE = torch.einsum("bnd,ned->bne", weights_BNL @ normed_BLD, value_NED)
        # Weights that dropout has changed do not add up to one.
        return (value_BNE + weights_BNL.sum(dim=-1, keepdim=True) * value_bias_NE)[:, :, None]

    def _weights(self, scores_BNQL: Tensor, mask_BNQL: Tensor | None) -> Tensor:
        """Attention weights of unscaled scores, some of them dropped out while training."""
        scores_BNQL = scores_BNQL / math.sqrt(self.query.out_features // self.heads)
        if mask_BNQL is not None:
            scores_BNQL = scores_BNQL.masked_fill(~mask_BNQL, -math.inf)
        weights_BNQL = scores_BNQL.softmax(dim=-1)
        return dropout(weights_BNQL, self.dropout.p) if self.training and self.dropout.p else weights_BNQL

    def _by_head(self, linear: nn.Linear) -> tuple[Tensor, Tensor]:
        """Kernel and bias of a layer with an axis of heads: (N, E, D) and (N, E)."""
        return linear.weight.view(self.heads, -1, linear.in_features), linear.bias.view(self.heads, -1)

    def _split(self, features_BLD: Tensor) -> Tensor:
        """Divide the features among the heads: (B, N, L, E)."""
        batch, token_count = features_BLD.shape[:2]
        return features_BLD.reshape(batch, token_count, self.heads, -1).transpose(1, 2)
