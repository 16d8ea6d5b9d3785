import dataclasses

import pytest
import torch
from benchmarks.cost import measure_cost
from torch import nn

from muybridge.clip_draws import ClipDropout
from muybridge.models.heads.fusion import LateFusion, TwoPathways
from muybridge.models.network import RecognizerNet, build
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.store import load_recipe

SMALL = ModelConfig(width=0.25, weights="none", pooling="max", head_widths=(8, 4), dense_widths=(16,))


def _clip(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def _small(config: ModelConfig, head: str) -> ModelConfig:
    return dataclasses.replace(
        config, head_widths=(8,) if head == "attentive" else (8, 4), dense_widths=(16,), head=head
    )


@pytest.mark.parametrize("head", ["bilstm", "mean", "bert", "attentive"])
def test_a_short_clip_scores_the_same_alone_and_in_a_batch(encoder_config: ModelConfig, head: str) -> None:
    net = RecognizerNet(_small(encoder_config, head), class_count=5).eval()
    clip_BTHWC = _clip(3, 4, 64, 64, 3)
    lengths_B = torch.tensor([2, 4, 3])
    with torch.no_grad():
        together = net(clip_BTHWC, lengths_B)
        alone = torch.cat([net(clip[None, :length]) for clip, length in zip(clip_BTHWC, lengths_B, strict=True)])
    assert together.shape == (3, 5)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_padding_reaches_neither_scores_nor_batch_statistics_while_training() -> None:
    lengths_B = torch.tensor([2, 4])
    clip_BTHWC = _clip(2, 4, 32, 32, 3)
    other_padding = clip_BTHWC.clone()
    other_padding[0, 2:] = 255
    net = RecognizerNet(dataclasses.replace(SMALL, dropout=0.0), class_count=3).train()
    twin = RecognizerNet(dataclasses.replace(SMALL, dropout=0.0), class_count=3).train()
    twin.load_state_dict(net.state_dict())
    assert torch.equal(net(clip_BTHWC, lengths_B), twin(other_padding, lengths_B))
    for name, value in net.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_encode_then_classify_is_forward() -> None:
    net = RecognizerNet(SMALL, class_count=3).eval()
    clip_BTHWC, lengths_B = _clip(2, 3, 32, 32, 3), torch.tensor([3, 1])
    with torch.no_grad():
        features_BTD = net.encode(clip_BTHWC, lengths_B)
        assert features_BTD.shape == (2, 3, 256)
        assert (features_BTD[1, 1:] == 0).all()
        assert torch.equal(net.classify(features_BTD, lengths_B), net(clip_BTHWC, lengths_B))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ModelConfig(weights="none", width=0.25), lambda x: x / 127.5 - 1),
        (ModelConfig(weights="none", width=0.25, scaling="unit"), lambda x: x / 255),
        (
            ModelConfig(weights="none", encoder="alexnet"),
            lambda x: (
                (x / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None])
                / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
            ),
        ),
    ],
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_pixels_are_scaled_as_the_weights_expect(config: ModelConfig, expected, dtype: torch.dtype) -> None:
    net = RecognizerNet(config, class_count=2).eval()
    clip_BTHWC = _clip(1, 2, 64, 64, 3)
    seen: list[torch.Tensor] = []
    net.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        net(clip_BTHWC.to(dtype))
    torch.testing.assert_close(seen[0], expected(clip_BTHWC[0].permute(0, 3, 1, 2).float()))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_pooling_is_over_positions() -> None:
    clip_BTHWC = _clip(1, 1, 64, 64, 3)
    strongest = RecognizerNet(SMALL, class_count=2).eval()
    average = RecognizerNet(dataclasses.replace(SMALL, pooling="mean"), class_count=2).eval()
    average.load_state_dict(strongest.state_dict())
    with torch.no_grad():
        maps_DHW = strongest.encoder((clip_BTHWC[0].permute(0, 3, 1, 2) / 127.5) - 1)[0]
        torch.testing.assert_close(strongest.encode(clip_BTHWC)[0, 0], maps_DHW.flatten(1).max(dim=1).values)
        torch.testing.assert_close(average.encode(clip_BTHWC)[0, 0], maps_DHW.flatten(1).mean(dim=1))


@pytest.mark.parametrize(
    ("dense_widths", "kinds"),
    [
        ((), [ClipDropout, nn.Linear]),
        ((16,), [nn.Linear, nn.ReLU, ClipDropout, nn.Linear]),
        ((16, 8), [nn.Linear, nn.ReLU, ClipDropout] * 2 + [nn.Linear]),
    ],
)
def test_the_classifier_has_the_dense_layers_asked_for(dense_widths: tuple[int, ...], kinds: list) -> None:
    net = RecognizerNet(dataclasses.replace(SMALL, dense_widths=dense_widths), class_count=3)
    assert [type(layer) for layer in net.classifier] == kinds
    widths = [layer.out_features for layer in net.classifier if isinstance(layer, nn.Linear)]
    assert widths == [*dense_widths, 3]


def test_every_encoder_learns_two_clips_by_heart(encoder_config: ModelConfig) -> None:
    config = dataclasses.replace(encoder_config, head="mean", dense_widths=(), dropout=0.0)
    net = RecognizerNet(config, class_count=2).train()
    clip_BTHWC, labels_B = _clip(2, 2, 64, 64, 3), torch.tensor([0, 1])
    clip_BTHWC[0] //= 2  # one clip darker than the other
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(clip_BTHWC), labels_B)
        loss.backward()
        assert all(parameter.grad is not None for parameter in net.parameters())
        optimizer.step()
        if loss < 0.1:
            break
    assert loss < 0.1


def test_cost_adds_up() -> None:
    net = build(ModelConfig(weights="none", head_widths=(256, 128), dense_widths=(1024,)), class_count=10)
    cost = measure_cost(net, frame_count=5, size_px=224)
    # Per frame: the paper's 569 M less the 1.024 M of its classifier.
    assert cost.encoder_macs_per_frame == 568_740_352 - 1_024_000
    layer_1 = 5 * 2 * 4 * 256 * (1024 + 256)
    layer_2 = 5 * 2 * 4 * 128 * (512 + 128)
    dense = 256 * 1024 + 1024 * 10
    assert cost.macs_per_clip == 5 * cost.encoder_macs_per_frame + layer_1 + layer_2 + dense
    assert cost.parameters == cost.trainable_parameters == sum(p.numel() for p in net.parameters())
    frozen = measure_cost(build(ModelConfig(weights="none", trainable="none"), 10), frame_count=5, size_px=224)
    assert frozen.parameters - frozen.trainable_parameters == 3_206_976


def test_the_papers_recognizer_has_the_papers_sizes() -> None:
    net = RecognizerNet(load_recipe("r2plus1d-bert").model, class_count=51).eval()
    clip_BTHWC = _clip(1, 32, 112, 112, 3)
    with torch.no_grad():
        features_BSD = net.encode(clip_BTHWC)
        assert features_BSD.shape == (1, 4, 512)
        assert net.classify(features_BSD).shape == (1, 51)


@pytest.mark.parametrize("head", ["bilstm", "bert"])
def test_slowfast_gives_each_head_of_late_fusion_its_own_pathway(head: str) -> None:
    config = ModelConfig(encoder="slowfast_r50", weights="none", head=head, fusion="late")
    net = RecognizerNet(config, class_count=3).eval()
    fusion, encoder = net.head, net.encoder
    assert isinstance(fusion, LateFusion) and isinstance(encoder, TwoPathways)
    seen: dict[str, torch.Tensor] = {}
    for name in ("slow", "fast"):
        getattr(fusion, name).register_forward_pre_hook(lambda _, inputs, name=name: seen.__setitem__(name, inputs[0]))
    with torch.no_grad():
        encoded_BSD = net.encode(_clip(1, 32, 64, 64, 3))
        net.classify(encoded_BSD)
        features_BSD = net.norm(encoded_BSD)
    slow, alpha = encoder.slow_feature_count, encoder.alpha
    assert torch.equal(seen["slow"], features_BSD[:, ::alpha, :slow])
    assert torch.equal(seen["fast"], features_BSD[:, :, slow:])
    # Every step of the slow pathway is read: between two of its own its vectors stand still.
    assert torch.equal(encoded_BSD[:, ::alpha, :slow].repeat_interleave(alpha, dim=1), encoded_BSD[:, :, :slow])
