"""Each feature with mean zero and deviation one over the training clips, as fixed numbers saved with the model.

A layer norm looks at one vector at a time, so a feature that is large for all clips stays large for all. Standardised
features are alike in scale whatever the encoder, and one learning rate suits them all.

Axes: B clips, S steps, D features.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from muybridge.models.heads.head import partial_lengths, step_mask

SMALLEST_DEVIATION = 1e-3
"""A feature that is the same for all clips says nothing; it must not be blown up by its rounding errors."""


class Standardise(nn.Module):
    """Subtract the mean and divide by the standard deviation of each feature. ``measure`` sets both.

    Attributes:
        feature_mean_D: Mean of each feature over all steps of the training clips.
        feature_std_D: Standard deviation of each.
    """

    feature_mean_D: Tensor
    feature_std_D: Tensor

    def __init__(self, feature_count: int) -> None:
        super().__init__()
        self.register_buffer("feature_mean_D", torch.zeros(feature_count))
        self.register_buffer("feature_std_D", torch.ones(feature_count))

    def measure(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Take mean and deviation from clips.

        Args:
            batches: features_BSD and the steps of each clip (None if all have S), at least one step in all.
        """
        count = 0
        sum_D = torch.zeros_like(self.feature_mean_D, dtype=torch.float64)
        squares_D = torch.zeros_like(sum_D)
        shift_D: Tensor | None = None
        for features_BSD, lengths_B in batches:
            lengths_B = partial_lengths(lengths_B, features_BSD.shape[1])
            if lengths_B is None:
                steps_ND = features_BSD.flatten(0, 1)
            else:
                steps_ND = features_BSD[step_mask(lengths_B.to(features_BSD.device), features_BSD.shape[1])]
            steps_ND = steps_ND.double()
            if shift_D is None:
                # Squares of features far from zero would lose their digits; of distances from any clip they do not.
                shift_D = steps_ND.mean(dim=0)
            centred_ND = steps_ND - shift_D
            count += len(centred_ND)
            sum_D = sum_D + centred_ND.sum(dim=0)
            squares_D = squares_D + centred_ND.square().sum(dim=0)
        assert shift_D is not None
        mean_D = sum_D / count
        deviation_D = (squares_D / count - mean_D.square()).clamp(min=0).sqrt()
        self.feature_mean_D.copy_(mean_D + shift_D)
        self.feature_std_D.copy_(deviation_D.clamp(min=SMALLEST_DEVIATION))

    def forward(self, features_BSD: Tensor) -> Tensor:
        """Return standardised features."""
        return (features_BSD - self.feature_mean_D) / self.feature_std_D
