"""The heads against the equations of an LSTM written out, and against themselves with padding."""

import numpy as np
import pytest
import torch

from muybridge.models.heads import BiLSTMHead, MeanHead

HEADS = [
    pytest.param(lambda: MeanHead(6), id="mean"),
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


def test_only_the_bilstm_sees_order() -> None:
    features_BTD = torch.randn(1, 5, 6)
    backwards = features_BTD.flip(1)
    mean, bilstm = MeanHead(6), BiLSTMHead(6, (4,)).eval()
    torch.testing.assert_close(mean(features_BTD), mean(backwards))
    assert not torch.allclose(bilstm(features_BTD), bilstm(backwards), atol=1e-3)


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
