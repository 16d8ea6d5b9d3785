"""What stands before and after the temporal head: the norm of its input, and the classifier on its result."""

from torch import nn

from muybridge.clip_draws import ClipDropout
from muybridge.models.heads.standardise import Standardise
from muybridge.recipes.model import ModelConfig


def create_norm(config: ModelConfig, feature_count: int) -> nn.Module:
    """What the features go through before the head; a probe has its own."""
    if config.head == "probe" or config.feature_norm == "none":
        return nn.Identity()
    return Standardise(feature_count) if config.feature_norm == "standard" else nn.LayerNorm(feature_count)


def create_classifier(config: ModelConfig, feature_count: int, class_count: int) -> nn.Sequential:
    """Stack dense ReLU layers, each followed by dropout, and the class scores; first weights as in Keras."""
    layers: list[nn.Module] = []
    for width in config.dense_widths:
        dense = nn.Linear(feature_count, width)
        nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.ReLU(inplace=True), ClipDropout(config.dropout)]
        feature_count = width
    if not config.dense_widths:
        layers.append(ClipDropout(config.dropout))
    scores = nn.Linear(feature_count, class_count)
    nn.init.xavier_uniform_(scores.weight)
    nn.init.zeros_(scores.bias)
    return nn.Sequential(*layers, scores)
