"""A probe whose features go through a file, block by block, is the one that is fitted in memory."""

import numpy as np
import pytest
import torch
from tests.helpers.clips import tiny_recipe

from muybridge import api
from muybridge.models.heads.probe import ProbeHead
from muybridge.training import penalty_choice, probe_blocks
from muybridge.training.probe_blocks import FeatureFile, drawn_groups, figures, standardise
from muybridge.training.probe_solving import descend, solve

CLIPS, FEATURES, CLASSES = 103, 12, 3


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Ten clips of these features a block."""
    monkeypatch.setattr(probe_blocks, "BLOCK_BYTES", 10 * 8 * FEATURES)


def features() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels_N = torch.arange(CLIPS) % CLASSES
    means_ND = torch.randn(CLIPS, FEATURES, generator=generator) + torch.eye(FEATURES)[labels_N]
    return means_ND.double() * torch.arange(1, FEATURES + 1) + 50, labels_N  # what a file of float32 holds exactly


def in_file(folder) -> FeatureFile:
    means_ND, labels_N = features()
    file = FeatureFile(folder, FEATURES, CLIPS)
    for start in range(0, CLIPS, 7):
        file.append(means_ND[start : start + 7], labels_N[start : start + 7])
    return file


def test_blocks_are_the_clips_in_order_and_the_file_leaves_nothing(tmp_path):
    file = in_file(tmp_path)
    blocks = list(file.blocks())
    assert [len(labels_B) for _, labels_B in blocks] == [10] * 10 + [3]
    means_ND, labels_N = features()
    torch.testing.assert_close(torch.cat([block for block, _ in blocks]), means_ND, rtol=1e-7, atol=0)
    assert torch.equal(torch.cat([labels for _, labels in blocks]), labels_N)
    assert list(tmp_path.iterdir()) == []


def test_the_optimum_is_that_of_the_solver_in_memory(tmp_path):
    means_ND, labels_N = features()
    whole, walked = ProbeHead(FEATURES).double(), ProbeHead(FEATURES).double()
    whole.standardise(means_ND)
    file = in_file(tmp_path)
    standardise(walked, file)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(walked.state_dict()[name], value, rtol=1e-6, atol=0)
    file.standardised_by(walked)
    start_KD = torch.zeros(CLASSES, FEATURES, dtype=torch.float64)
    weights_KD, bias_K = descend(file.blocks, CLIPS, 1e-4, start_KD, start_KD[:, 0].clone())
    inputs_ND = whole.normal(means_ND)
    known_KD, known_K = solve(inputs_ND, labels_N, 1e-4, class_count=CLASSES)
    torch.testing.assert_close(weights_KD, known_KD, rtol=0, atol=2e-4)
    # Along flat directions weights may differ; the objective is what both go down.
    loss, accuracy = figures(file, weights_KD, bias_K)
    logits_NK = inputs_ND @ known_KD.T + known_K
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits_NK, labels_N).item(), abs=1e-6)
    assert accuracy == (logits_NK.argmax(dim=1) == labels_N).double().mean().item()


def test_a_training_says_the_same_either_way(clips, tmp_path, monkeypatch):
    # Next to no penalty leaves directions so flat that the end depends on the start.
    monkeypatch.setattr(penalty_choice, "PENALTIES", (1e-3, 1e-2))
    recipe = tiny_recipe("--model.trainable", "none", "--model.head", "probe")
    held = api.train(clips, recipe, run=tmp_path / "held")
    monkeypatch.setattr(probe_blocks, "MOST_BYTES", 0)
    streamed = api.train(clips, recipe, run=tmp_path / "streamed")
    one, other = (api.load(result.run).net.state_dict() for result in (held, streamed))
    for name in ("head.feature_mean_D", "head.feature_std_D"):
        torch.testing.assert_close(other[name], one[name], rtol=1e-5, atol=0)
    assert held.rows[0].keys() == streamed.rows[0].keys()
    for name in ("train_loss", "train_accuracy"):
        assert streamed.rows[0][name] == pytest.approx(held.rows[0][name], abs=1e-5)
    for clip, again in zip(
        api.predict(held.run, sorted((clips / "dim").iterdir())[:3]),
        api.predict(streamed.run, sorted((clips / "dim").iterdir())[:3]),
        strict=True,
    ):
        assert again.score == pytest.approx(clip.score, abs=1e-4)


def test_a_sample_is_of_whole_source_groups(monkeypatch):
    monkeypatch.setattr(probe_blocks, "SAMPLE_CLIPS", 20)
    groups = [f"g{number // 4}" for number in range(100)]
    sample = drawn_groups(groups, seed=0)
    assert len(sample) == 20
    counts = np.bincount([int(groups[index][1:]) for index in sample])
    assert set(counts[counts > 0]) == {4}
    assert drawn_groups(groups, seed=1) != sample == drawn_groups(groups, seed=0)
    assert drawn_groups(groups[:20], seed=0) == list(range(20))
