"""The heads against the equations of an LSTM written out, and against themselves with padding."""

import numpy as np
import pytest
import torch

from muybridge.errors import UserError
from muybridge.models.heads.attentive import AttentiveHead
from muybridge.models.heads.bert import BertHead
from muybridge.models.heads.fusion import LateFusion
from muybridge.models.heads.head import ConcatHead, MeanHead
from muybridge.models.heads.head_factory import create_head
from muybridge.models.heads.recurrent import BiLSTMHead, LSTMHead
from muybridge.recipes.model import ModelConfig


def _bert(positions: int) -> BertHead:
    return BertHead(6, positions, heads=2, feed_forward=12)


HEADS = [
    pytest.param(lambda: MeanHead(6), id="mean"),
    pytest.param(lambda: ConcatHead(6, 11), id="concat"),
    pytest.param(lambda: LSTMHead(6, (5, 3)), id="lstm"),
    pytest.param(lambda: _bert(11), id="bert"),
    pytest.param(lambda: LateFusion(_bert(3), _bert(11), alpha=4), id="late-bert"),
    pytest.param(lambda: LateFusion(BiLSTMHead(6, (5,)), LSTMHead(6, (4,)), alpha=2), id="late-lstm"),
    pytest.param(
        lambda: LateFusion(BiLSTMHead(4, (5,)), MeanHead(2), alpha=3, slow_feature_count=4), id="two-pathways"
    ),
    pytest.param(lambda: AttentiveHead(6, width=4, heads=2), id="attentive"),
    pytest.param(lambda: AttentiveHead(6, width=8, heads=4, feed_forward=5, dropout=0.5), id="attentive-feed-forward"),
    pytest.param(lambda: BiLSTMHead(6, (5,)), id="bilstm-1"),
    pytest.param(lambda: BiLSTMHead(6, (5, 3)), id="bilstm-2"),
    pytest.param(lambda: BiLSTMHead(6, (4, 3, 2), dropout=0.5), id="bilstm-3"),
]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _lstm(inputs_TD: np.ndarray, weights: dict[str, np.ndarray], suffix: str) -> np.ndarray:
    """All hidden states of one direction, (T, units), by Hochreiter's equations in Keras's gate order."""
    kernel, recurrent = weights[f"weight_ih_l0{suffix}"], weights[f"weight_hh_l0{suffix}"]
    bias = weights[f"bias_ih_l0{suffix}"] + weights[f"bias_hh_l0{suffix}"]
    hidden = cell = np.zeros(recurrent.shape[1])
    states = []
    for inputs_D in inputs_TD:
        i, f, g, o = np.split(kernel @ inputs_D + recurrent @ hidden + bias, 4)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
        hidden = _sigmoid(o) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states)


def test_bilstm_follows_the_equations() -> None:
    head = BiLSTMHead(6, (5, 3, 2)).double().eval()
    features_BTD = torch.randn(1, 7, 6, dtype=torch.float64)
    sequence = features_BTD[0].numpy()
    for layer in head.layers:
        weights = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
        forward = _lstm(sequence, weights, "")
        backward = _lstm(sequence[::-1], weights, "_reverse")[::-1]
        sequence = np.concatenate([forward, backward], axis=1)
    # Forward ends at the last frame, backward at the first.
    expected = np.concatenate([forward[-1], backward[0]])
    with torch.no_grad():
        np.testing.assert_allclose(head(features_BTD)[0], expected, atol=1e-12)
    assert head.feature_count == len(expected) == 4


@pytest.mark.parametrize("make_head", HEADS)
def test_a_short_clip_gives_the_same_alone_and_padded_with_anything(make_head) -> None:
    head = make_head().eval()
    lengths_B = torch.tensor([4, 9, 1, 7])
    clips = [torch.randn(length, 6) for length in lengths_B]
    padded_BTD = torch.full((4, 9, 6), float("nan"))
    for row, clip in zip(padded_BTD, clips, strict=True):
        row[: len(clip)] = clip
    with torch.no_grad():
        together = head(padded_BTD, lengths_B)
        alone = torch.cat([head(clip[None]) for clip in clips])
    assert together.shape == (4, head.feature_count)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("make_head", HEADS)
def test_padding_gets_no_gradient_and_real_frames_do(make_head) -> None:
    head = make_head().eval()
    features_BTD = torch.randn(2, 5, 6, requires_grad=True)
    head(features_BTD, torch.tensor([5, 2])).square().sum().backward()
    assert features_BTD.grad is not None
    per_frame_BT = features_BTD.grad.abs().sum(dim=2)
    assert (per_frame_BT[0] > 0).all() and (per_frame_BT[1, :2] > 0).all()
    assert (per_frame_BT[1, 2:] == 0).all()


@pytest.mark.parametrize("make_head", HEADS)
@pytest.mark.parametrize("lengths", [[0, 3], [3, 6]])
def test_impossible_lengths_are_refused(make_head, lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="from 1 to 5"):
        make_head()(torch.randn(2, 5, 6), torch.tensor(lengths))


@pytest.mark.parametrize("make_head", HEADS)
def test_only_the_mean_is_blind_to_order(make_head) -> None:
    features_BTD = torch.randn(1, 5, 6)
    backwards = features_BTD.flip(1)
    head = make_head().eval()
    if isinstance(head, MeanHead):
        torch.testing.assert_close(head(features_BTD), head(backwards))
    else:
        # BERT's first positions are small; what they change is still far above rounding.
        assert not torch.allclose(head(features_BTD), head(backwards), atol=1e-4)


@pytest.mark.parametrize("make_head", HEADS)
def test_evaluation_gives_the_same_every_time(make_head) -> None:
    head, features_BTD = make_head().eval(), torch.randn(2, 5, 6)
    assert torch.equal(head(features_BTD), head(features_BTD))


def test_the_lstm_reads_forward_only() -> None:
    head = LSTMHead(6, (5,)).double().eval()
    features_BTD = torch.randn(1, 7, 6, dtype=torch.float64)
    weights = {name: parameter.detach().numpy() for name, parameter in head.layers[0].named_parameters()}
    with torch.no_grad():
        np.testing.assert_allclose(head(features_BTD)[0], _lstm(features_BTD[0].numpy(), weights, "")[-1], atol=1e-12)
    assert head.feature_count == 5


def test_concatenation_lays_steps_side_by_side_and_ends_in_zeros() -> None:
    features_BTD = torch.arange(12.0).reshape(2, 3, 2) + 1
    joined = ConcatHead(2, 4)(features_BTD, torch.tensor([3, 1]))
    assert joined.tolist() == [[1, 2, 3, 4, 5, 6, 0, 0], [7, 8, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("make_head", [HEADS[1], HEADS[3], HEADS[4]])
def test_a_clip_longer_than_the_positions_is_told_in_its_own_steps(make_head) -> None:
    head = make_head().eval()
    assert head.positions == 11
    head(torch.randn(1, 11, 6))
    with pytest.raises(UserError, match=r"clips of 13 steps .* the 11 positions .*model.head_positions to 13"):
        head(torch.randn(1, 13, 6))


class _Recording(MeanHead):
    """A mean that remembers what it was given."""

    def forward(self, features_BSD: torch.Tensor, lengths_B: torch.Tensor | None = None) -> torch.Tensor:
        self.features_BSD, self.lengths_B = features_BSD, lengths_B
        return super().forward(features_BSD, lengths_B)


def test_late_fusion_takes_every_nth_step_of_one_sequence() -> None:
    slow, fast = _Recording(3), _Recording(3)
    features_BSD = torch.randn(2, 9, 3)
    output = LateFusion(slow, fast, alpha=4)(features_BSD, torch.tensor([9, 4]))
    assert torch.equal(slow.features_BSD, features_BSD[:, [0, 4, 8]]) and torch.equal(fast.features_BSD, features_BSD)
    assert slow.lengths_B is not None and slow.lengths_B.tolist() == [3, 1]
    torch.testing.assert_close(output[1, :3], features_BSD[1, 0])
    torch.testing.assert_close(output[1, 3:], features_BSD[1, :4].mean(dim=0))


def test_late_fusion_keeps_two_pathways_apart() -> None:
    slow, fast = _Recording(5), _Recording(2)
    features_BSD = torch.randn(2, 8, 7)
    output = LateFusion(slow, fast, alpha=4, slow_feature_count=5)(features_BSD, torch.tensor([8, 5]))
    assert torch.equal(slow.features_BSD, features_BSD[:, ::4, :5])
    assert torch.equal(fast.features_BSD, features_BSD[:, :, 5:])
    assert slow.lengths_B is not None and slow.lengths_B.tolist() == [2, 2]
    assert output.shape == (2, 7)


class _Pathways(torch.nn.Module):
    """What late fusion asks of an encoder with two pathways."""

    slow_feature_count, fast_feature_count, alpha = 16, 8, 8


def test_an_encoder_with_two_pathways_gives_late_fusion_its_own_ratio() -> None:
    config = ModelConfig(head="bert", fusion="late", fusion_ratio=2, head_positions=20)
    head = create_head(config, _Pathways(), 24)
    assert isinstance(head, LateFusion)
    assert (head.alpha, head.slow_feature_count, head.positions) == (8, 16, 20)
    assert isinstance(head.slow, BertHead) and isinstance(head.fast, BertHead)
    assert (head.slow.feature_count, head.slow.positions, head.fast.feature_count) == (16, 3, 8)
    assert head(torch.randn(2, 20, 24)).shape == (2, head.feature_count) == (2, 24)
    # Without fusion one head reads both pathways at once; grid pooling would mix them.
    assert create_head(ModelConfig(head="mean"), _Pathways(), 24).feature_count == 24
    with pytest.raises(UserError, match=r"set model.pooling to mean or max"):
        create_head(config, _Pathways(), 256)


@pytest.mark.parametrize("head", ["bilstm", "lstm", "bert", "attentive", "concat", "mean"])
def test_any_head_can_be_fused(head) -> None:
    made = create_head(ModelConfig(head=head, fusion="late", head_positions=10), torch.nn.Identity(), 16)
    assert isinstance(made, LateFusion)
    assert type(made.slow) is type(made.fast)
    assert made(torch.randn(2, 10, 16), torch.tensor([10, 3])).shape == (2, made.feature_count)


def test_dropout_acts_in_training_only() -> None:
    head = BiLSTMHead(6, (4, 4), dropout=0.5)
    features_BTD = torch.randn(1, 5, 6)
    head.train()
    assert not torch.equal(head(features_BTD), head(features_BTD))
    head.eval()
    assert torch.equal(head(features_BTD), head(features_BTD))


def test_first_weights_are_keras_like() -> None:
    lstm = BiLSTMHead(40, (16,)).layers[0]
    for direction in ("", "_reverse"):
        recurrent = getattr(lstm, f"weight_hh_l0{direction}")
        torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(16), atol=1e-5, rtol=0)
        kernel = getattr(lstm, f"weight_ih_l0{direction}")
        limit = (6 / (40 + 4 * 16)) ** 0.5
        assert 0.95 * limit < kernel.abs().max() <= limit
        bias = getattr(lstm, f"bias_ih_l0{direction}") + getattr(lstm, f"bias_hh_l0{direction}")
        assert bias.tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 32
