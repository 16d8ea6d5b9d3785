"""Standardised features against numpy."""

import numpy as np
import torch

from muybridge.models.heads.standardise import Standardise


def test_each_feature_has_mean_zero_and_deviation_one_over_the_real_steps() -> None:
    features_BSD = torch.randn(6, 7, 5) * torch.tensor([1.0, 5.0, 0.1, 1.0, 1.0]) + 100
    features_BSD[:, :, 4] = 3.0  # says nothing
    lengths_B = torch.tensor([7, 3, 7, 1, 7, 2])
    real = [features_BSD[b, : int(n)] for b, n in enumerate(lengths_B)]
    for clip, n in zip(features_BSD, lengths_B, strict=True):
        clip[int(n) :] = float("nan")
    norm = Standardise(5)
    norm.measure([(features_BSD[:4], lengths_B[:4]), (features_BSD[4:], lengths_B[4:])])
    steps_ND = torch.cat(real).double().numpy()
    np.testing.assert_allclose(norm.feature_mean_D, steps_ND.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(norm.feature_std_D[:4], steps_ND.std(axis=0)[:4], rtol=1e-4)
    standard_ND = torch.cat([norm(clip) for clip in real]).numpy()
    np.testing.assert_allclose(standard_ND.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(standard_ND.std(axis=0), [1, 1, 1, 1, 0], atol=1e-3)


def test_what_was_measured_is_saved_and_does_not_learn() -> None:
    norm = Standardise(3)
    norm.measure([(torch.randn(2, 4, 3), None)])
    assert set(norm.state_dict()) == {"feature_mean_D", "feature_std_D"}
    assert not list(norm.parameters())
