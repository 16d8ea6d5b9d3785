"""Which temporal head a configuration asks for."""

from torch import nn

from muybridge.errors import UserError
from muybridge.models.heads.attentive import AttentiveHead
from muybridge.models.heads.bert import BertHead
from muybridge.models.heads.fusion import LateFusion, TwoPathways
from muybridge.models.heads.head import ConcatHead, MeanHead, TemporalHead
from muybridge.models.heads.probe import ProbeHead
from muybridge.models.heads.recurrent import BiLSTMHead, LSTMHead
from muybridge.recipes.model import ModelConfig


def create_head(config: ModelConfig, encoder: nn.Module, feature_count: int) -> TemporalHead:
    """Create the temporal head of ``config``, with random weights.

    Args:
        config: What to build.
        encoder: The encoder; one with `TwoPathways` provides the streams and their ratio for late fusion.
        feature_count: D, after pooling.

    Raises:
        UserError: An option does not fit the encoder or the number of features.
    """
    if config.fusion == "none":
        return _one_head(config, feature_count, config.head_positions)
    if not isinstance(encoder, TwoPathways):
        return _fused(config, feature_count, feature_count, alpha=config.fusion_ratio)
    slow, fast = encoder.slow_feature_count, encoder.fast_feature_count
    if feature_count != slow + fast:
        raise UserError(
            f"model.pooling {config.pooling} mixes the two pathways of {type(encoder).__name__}, which "
            "model.fusion late keeps apart; set model.pooling to mean or max"
        )
    return _fused(config, slow, fast, alpha=encoder.alpha, split=True)


def _fused(config: ModelConfig, slow: int, fast: int, *, alpha: int, split: bool = False) -> LateFusion:
    positions = config.head_positions
    return LateFusion(
        _one_head(config, slow, -(-positions // alpha)),
        _one_head(config, fast, positions),
        alpha=alpha,
        slow_feature_count=slow if split else None,
    )


def _one_head(config: ModelConfig, feature_count: int, positions: int) -> TemporalHead:
    if config.head == "mean":
        return MeanHead(feature_count)
    if config.head == "probe":
        return ProbeHead(feature_count)
    if config.head == "concat":
        return ConcatHead(feature_count, positions)
    if config.head == "bert":
        return BertHead(
            feature_count,
            positions,
            layers=config.bert_layers,
            heads=config.bert_heads,
            feed_forward=config.bert_feed_forward,
            dropout=config.bert_dropout,
            keep=config.bert_keep,
            width=config.bert_width,
            input_dropout=config.head_dropout,
            position_std=config.bert_position_std,
        )
    if config.head == "attentive":
        return AttentiveHead(
            feature_count,
            config.tokens_per_side**2,
            width=config.head_widths[0],
            heads=config.attentive_heads,
            feed_forward=config.attentive_feed_forward,
            dropout=config.head_dropout,
        )
    kind = LSTMHead if config.head == "lstm" else BiLSTMHead
    return kind(feature_count, config.head_widths, config.head_dropout)
