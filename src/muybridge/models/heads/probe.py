"""The probe's head: the mean over a clip's steps, standardised and scaled to unit length, for a linear classifier.

Source: linear evaluation of frozen features is as old as transfer learning; standardising each feature and scaling
each clip to unit length is what made one penalty fit encoders whose features differ by orders of magnitude.

Axes: B clips, S steps, D features.
"""

import torch
from torch import Tensor, nn

from muybridge.models.heads.head import MeanHead

# A feature that is the same for all clips says nothing; it must not be blown up by its rounding errors.
SMALLEST_DEVIATION = 1e-6

PRIOR_CLIPS = 20
"""With one clip of each of ten classes it is right about ten points more often, with hundreds as often as without."""


class ProbeHead(nn.Module):
    """Mean, standardised, of unit length. Nothing in it learns by gradient: ``standardise`` sets its numbers.

    Attributes:
        feature_mean_D: Mean of each feature over the training clips.
        feature_std_D: Standard deviation of each.
    """

    positions: int | None = None
    feature_mean_D: Tensor
    feature_std_D: Tensor

    def __init__(self, feature_count: int) -> None:
        super().__init__()
        self.feature_count = feature_count
        self.mean = MeanHead(feature_count)
        self.register_buffer("feature_mean_D", torch.zeros(feature_count))
        self.register_buffer("feature_std_D", torch.ones(feature_count))

    def standardise(self, means_ND: Tensor) -> None:
        """Take mean and deviation from the training clips, N of them, as ``mean`` summarises their steps.

        A handful of clips says little about the deviation of each feature, so it is drawn towards that of all
        features together, as if `PRIOR_CLIPS` more clips had that.
        """
        self.feature_mean_D.copy_(means_ND.mean(dim=0))
        variance_D = means_ND.var(dim=0, correction=0)
        own = len(means_ND) / (len(means_ND) + PRIOR_CLIPS)
        shrunk_D = own * variance_D + (1 - own) * variance_D.mean()
        self.feature_std_D.copy_(shrunk_D.sqrt().clamp(min=SMALLEST_DEVIATION))

    def forward(self, features_BSD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Summarise each clip."""
        return self.normal(self.mean(features_BSD, lengths_B))

    def normal(self, means_BD: Tensor) -> Tensor:
        """What the classifier sees of the clips' means, in their own precision."""
        standard_BD = (means_BD - self.feature_mean_D.to(means_BD)) / self.feature_std_D.to(means_BD)
        # A clip exactly at the mean has no direction: it stays zero.
        unit_BD: Tensor = standard_BD / standard_BD.norm(dim=1, keepdim=True).clamp(min=SMALLEST_DEVIATION)
        return unit_BD
