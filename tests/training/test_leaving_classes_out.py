"""Known against unknown: areas under the curve, and classes that a probe never saw."""

import numpy as np
import pytest
import torch

from muybridge.models.heads.probe import ProbeHead
from muybridge.training.growing_draws import DRAWS, draw_curve
from muybridge.training.leaving_classes_out import area_under_roc, leave_classes_out


def test_the_area_is_the_share_of_pairs_in_order():
    generator = np.random.default_rng(0)
    higher, lower = generator.integers(0, 9, 40).astype(float), generator.integers(0, 7, 30).astype(float)
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in higher for b in lower]
    assert area_under_roc(higher, lower) == pytest.approx(np.mean(pairs))
    assert area_under_roc(np.array([2.0]), np.array([1.0])) == 1.0


def clusters(classes: int, *, clips: int = 12, apart: float = 6.0):
    """Clips around one far centre a class, each clip of its own source."""
    generator = torch.Generator().manual_seed(0)
    centres_KD = apart * torch.randn(classes, 30, generator=generator, dtype=torch.float64)
    labels_N = torch.arange(classes).repeat_interleave(clips)
    noise = torch.randn(len(labels_N), 30, generator=generator, dtype=torch.float64)
    return centres_KD[labels_N] + noise, labels_N, [f"s{number}" for number in range(len(labels_N))]


def test_far_classes_are_told_apart_and_each_is_left_out_once():
    means_ND, labels_N, groups = clusters(7)
    head = ProbeHead(30)
    names = [f"class {k}" for k in range(7)]
    found = leave_classes_out(head, means_ND, labels_N, groups, classes=names, penalty=1e-4, seed=0)
    assert found is not None
    assert sorted(name for names in found.left_out for name in names) == names
    assert found.area > 0.95
    assert f"AUROC {found.area:.3f}" in str(found)
    assert float(head.feature_mean_D.abs().sum()) == 0  # the head itself is not changed


def test_alike_classes_are_not():
    means_ND, labels_N, groups = clusters(6, apart=0.0)
    names = list("abcdef")
    found = leave_classes_out(ProbeHead(30), means_ND, labels_N, groups, classes=names, penalty=1e-2, seed=0)
    assert found is not None and 0.3 < found.area < 0.7


def test_three_classes_are_too_few():
    means_ND, labels_N, groups = clusters(3)
    names = list("abc")
    assert leave_classes_out(ProbeHead(30), means_ND, labels_N, groups, classes=names, penalty=1e-2, seed=0) is None


def test_a_clip_or_two_of_each_class_say_nothing():
    names = list("abcdefghij")
    for clips, told in ((1, False), (2, False), (6, True)):
        means_ND, labels_N, groups = clusters(10, clips=clips)
        found = leave_classes_out(ProbeHead(30), means_ND, labels_N, groups, classes=names, penalty=1e-4, seed=0)
        assert (found is not None) is told


def test_more_clips_a_class_are_worth_more():
    means_ND, labels_N, groups = clusters(5, clips=30, apart=0.7)
    test = np.arange(0, 150, 3)
    train = np.setdiff1d(np.arange(150), test)
    points = draw_curve(ProbeHead(30), means_ND, labels_N, groups, parts=[(train, test)], class_count=5, seed=0)
    assert [point.clips_per_class for point in points] == [1, 2, 5, 10]
    assert all(len(point.draws) == DRAWS for point in points)
    assert points[0].accuracy < points[-1].accuracy
    for point in points:
        assert np.isnan(point.right_N[train]).all()
        assert np.nanmean(point.right_N) == pytest.approx(point.accuracy)
