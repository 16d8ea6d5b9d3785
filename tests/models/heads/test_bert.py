"""BERT over time against its equations written out, and what training hides from it."""

import numpy as np
import pytest
import torch
from torch import nn

from muybridge.errors import UserError
from muybridge.models.heads.bert import BertHead, PreNormLayer


def _head(**options) -> BertHead:
    return BertHead(8, 6, **{"heads": 2, "feed_forward": 12, "dropout": 0.0, **options})


def _norm(x_LD: np.ndarray, norm: nn.LayerNorm) -> np.ndarray:
    scaled = (x_LD - x_LD.mean(axis=-1, keepdims=True)) / np.sqrt(x_LD.var(axis=-1, keepdims=True) + norm.eps)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def _linear(x_LD: np.ndarray, linear: nn.Linear) -> np.ndarray:
    return x_LD @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()


def _layer(tokens_LD: np.ndarray, layer: PreNormLayer) -> np.ndarray:
    """All tokens after one layer: softmax(q k / sqrt(E)) v per head, and GELU with the true error function."""
    normed = _norm(tokens_LD, layer.attention_norm)
    queries, keys, values = (
        np.split(_linear(normed, linear), layer.heads, axis=1) for linear in (layer.query, layer.key, layer.value)
    )
    heads = []
    for query, key, value in zip(queries, keys, values, strict=True):
        weights = np.exp(query @ key.T / np.sqrt(query.shape[1]))
        heads.append(weights / weights.sum(axis=1, keepdims=True) @ value)
    tokens_LD = tokens_LD + _linear(np.concatenate(heads, axis=1), layer.merge)
    hidden = _linear(_norm(tokens_LD, layer.feed_forward_norm), layer.feed_forward[0])
    erf = torch.special.erf(torch.from_numpy(hidden / np.sqrt(2))).numpy()
    return tokens_LD + _linear(hidden * (1 + erf) / 2, layer.feed_forward[3])


@pytest.mark.parametrize("layers", [1, 2])
def test_bert_follows_the_equations(layers: int) -> None:
    head = _head(layers=layers).double().eval()
    features_BSD = torch.randn(1, 5, 8, dtype=torch.float64)
    tokens_LD = np.concatenate([head.cls.detach().numpy()[None], features_BSD[0].numpy()])
    tokens_LD = tokens_LD + head.embedding.detach().numpy()[:6]
    for layer in head.layers:
        tokens_LD = _layer(tokens_LD, layer)
    with torch.no_grad():
        np.testing.assert_allclose(head(features_BSD)[0], tokens_LD[0], atol=1e-12)


def test_the_papers_sizes_and_first_weights() -> None:
    head = BertHead(512, 4)
    assert (len(head.layers), head.layers[0].heads, head.keep) == (1, 8, 0.8)
    assert head.layers[0].feed_forward[0].out_features == 2048
    assert head.embedding.shape == (5, 512)
    for parameter in (head.cls, head.embedding):
        assert parameter.std().item() == pytest.approx(0.02, rel=0.1)
        assert parameter.mean().item() == pytest.approx(0, abs=0.003)
    assert {module.p for module in head.modules() if isinstance(module, nn.Dropout)} == {0.1}


def _share_of_clips_that_a_step_reaches(head: BertHead, clips: int, step: int) -> float:
    """From which share of many equal clips a gradient comes back to a step."""
    features_BSD = torch.randn(1, 5, 8).repeat(clips, 1, 1).requires_grad_()
    head(features_BSD).sum(dim=1).square().sum().backward()
    assert features_BSD.grad is not None
    return float((features_BSD.grad[:, step].abs().sum(dim=1) > 0).float().mean())


@pytest.mark.parametrize("keep", [0.8, 0.3, 1.0])
def test_training_hides_steps_at_the_given_rate(keep: float) -> None:
    head = _head(keep=keep).train()
    for step in (0, 4):
        # 2000 draws: four standard deviations are 0.036 at most.
        assert _share_of_clips_that_a_step_reaches(head, 2000, step) == pytest.approx(keep, abs=0.04)
    assert _share_of_clips_that_a_step_reaches(head.eval(), 20, 2) == 1


def test_cls_is_never_hidden() -> None:
    head = _head(keep=1e-9).train()
    features_BSD = torch.randn(50, 5, 8)
    alone = head(features_BSD)
    # With every step hidden CLS sees itself alone, so all clips give the same, and it is finite.
    torch.testing.assert_close(alone, alone[:1].expand(50, -1))
    assert alone.isfinite().all()
    assert not torch.allclose(head.eval()(features_BSD), alone, atol=1e-3)


def test_hiding_never_uncovers_padding() -> None:
    head = _head(keep=0.5).double().train()
    features_BSD = torch.randn(1, 5, 8, dtype=torch.float64).repeat(200, 1, 1)
    features_BSD[:, 2:] = float("nan")
    output = head(features_BSD, torch.full((200,), 2))
    # Two real steps, each seen or hidden: the same clip has four results, whatever stands in the padding.
    assert output.isfinite().all()
    assert len(output.round(decimals=9).unique(dim=0)) == 4


def test_the_order_of_steps_counts() -> None:
    head = _head().eval()
    nn.init.normal_(head.embedding)  # as large as trained ones, so that rounding cannot be the difference
    features_BSD = torch.randn(1, 5, 8)
    assert not torch.allclose(head(features_BSD), head(features_BSD.flip(1)), atol=1e-2)
    # It is the positions alone that tell the order.
    nn.init.zeros_(head.embedding)
    torch.testing.assert_close(head(features_BSD), head(features_BSD.flip(1)))


def test_every_parameter_learns() -> None:
    head = _head(layers=2).train()
    head(torch.randn(4, 6, 8)).square().sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        if name != "layers.1.key.bias" and name != "layers.0.key.bias":  # moves all scores alike: softmax ignores it
            assert parameter.grad.abs().max() > 0, name


def test_evaluation_repeats_and_training_does_not() -> None:
    head = _head(dropout=0.1)
    features_BSD = torch.randn(2, 5, 8)
    assert not torch.equal(head.train()(features_BSD), head(features_BSD))
    assert torch.equal(head.eval()(features_BSD), head(features_BSD))


def test_the_same_seed_hides_the_same() -> None:
    head = _head(dropout=0.1).train()
    features_BSD = torch.randn(2, 5, 8)
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        outputs.append(head(features_BSD))
    assert torch.equal(*outputs)


def test_heads_that_do_not_divide_the_features_are_told() -> None:
    with pytest.raises(UserError, match=r"model.bert_heads is 8, .* 12 features .* one of 1, 2, 3, 4, 6, 12"):
        BertHead(12, 4)


def test_too_many_steps_are_told() -> None:
    with pytest.raises(UserError, match=r"set model.head_positions to 7 or more"):
        _head()(torch.randn(1, 7, 8))


@pytest.mark.parametrize("dropped", [0.0, 0.3])
def test_one_query_gathers_what_it_would_with_a_key_and_a_value_for_each_token(dropped: float) -> None:
    layer = PreNormLayer(12, 3, 8, dropped).double().train()
    tokens_BLD = torch.randn(5, 7, 12, dtype=torch.float64, requires_grad=True)
    visible_BL = torch.rand(5, 7) < 0.6
    visible_BL[:, 0] = True
    results = []
    for attend in (layer._attend_once, layer._attend):
        layer.zero_grad()
        tokens_BLD.grad = None
        layer._attend_once = attend  # type: ignore[method-assign]
        torch.manual_seed(0)  # the same weights are dropped
        cls_B1D = layer(tokens_BLD, visible_BL, queries=1)
        cls_B1D.square().sum().backward()
        gradients = [parameter.grad.clone() for parameter in layer.parameters() if parameter.grad is not None]
        results.append([cls_B1D.detach(), tokens_BLD.grad, *gradients])
    assert len(results[0]) == 2 + len(list(layer.parameters()))
    for once, written_out in zip(*results, strict=True):
        torch.testing.assert_close(once, written_out, atol=1e-10, rtol=1e-8)


def test_a_width_makes_the_features_fewer_first() -> None:
    head = BertHead(20, 6, width=8, heads=2, feed_forward=12, dropout=0.0).double().eval()
    assert head.feature_count == 8
    features_BSD = torch.randn(3, 5, 20, dtype=torch.float64)
    plain = _head().double().eval()
    plain.load_state_dict({name: value for name, value in head.state_dict().items() if not name.startswith("reduce")})
    assert head.reduce is not None
    torch.testing.assert_close(head(features_BSD), plain(head.reduce(features_BSD)))


def test_input_dropout_hides_features_in_training_alone() -> None:
    head = BertHead(8, 6, heads=2, feed_forward=12, dropout=0.0, keep=1.0, input_dropout=0.9)
    features_BSD = torch.randn(2, 5, 8)
    assert not torch.allclose(head.train()(features_BSD), head(features_BSD), atol=1e-4)
    torch.testing.assert_close(head.eval()(features_BSD), head(features_BSD))


def test_large_first_positions_let_an_untrained_head_see_order() -> None:
    generator = torch.Generator().manual_seed(1)
    features_BSD = torch.randn(64, 5, 8, generator=generator)
    seen = []
    for std in (0.02, 2.0):
        torch.manual_seed(0)
        head = _head(position_std=std).eval()
        output_BD = head(features_BSD)
        moved = (output_BD - head(features_BSD.flip(1))).abs().mean()
        seen.append((moved / output_BD.std(dim=0).mean()).item())  # against what tells one clip from another
    assert seen[1] > 10 * seen[0]
