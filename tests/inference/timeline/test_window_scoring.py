"""Windows over a long video: whatever the stretches, the scores are those of the whole file, and of whole clips."""

import numpy as np
import pytest
import torch
from tests.inference.test_streaming import SIZE_PX, SMALL, clip, lively_net

from muybridge.errors import UserError
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.window_scoring import FeatureScorer, WindowScorer, frames_per_score, window_scorer
from muybridge.models.encoders import movinet
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.video.sampling import UniformSampler

WINDOW = 6
FRAMES = 23


@pytest.fixture
def small(monkeypatch):
    """MoViNets with few blocks."""
    monkeypatch.setattr(movinet.MoViNet, "size", SMALL)


def frame_net(head: str) -> RecognizerNet:
    torch.manual_seed(1)
    config = ModelConfig(
        encoder="mobilenet", width=0.25, weights="none", head=head, head_widths=(8,), dense_widths=(), head_positions=8
    )
    return RecognizerNet(config, class_count=3).eval()


def recognizer_of(net: RecognizerNet) -> Recognizer:
    return Recognizer(net, classes=("a", "b", "c"), sampler=UniformSampler(frames=4), size_px=SIZE_PX, device="cpu")


def scorer_of(net: RecognizerNet, *, window: int = WINDOW, hop: int = 1) -> WindowScorer:
    return window_scorer(recognizer_of(net), window_frames=window, hop_frames=hop, example_THWC=clip(8, 0))


def scores(scorer: WindowScorer, frames_THWC: np.ndarray, stretch: int) -> np.ndarray:
    parts = [scorer.push(frames_THWC[at : at + stretch]) for at in range(0, len(frames_THWC), stretch)]
    return np.concatenate([*parts, scorer.finish()])


def window_of(middle: int) -> slice:
    return slice(max(0, middle - WINDOW // 2), min(FRAMES, middle - WINDOW // 2 + WINDOW))


@pytest.mark.parametrize("head", ["probe", "mean"])
@pytest.mark.parametrize("stretch", [1, 3, 7])
def test_a_streaming_encoder_gives_the_scores_of_the_whole_file(small, head, stretch):
    net, frames_THWC = lively_net(head), clip(FRAMES, 5)
    whole_NK = scores(scorer_of(net), frames_THWC, FRAMES)
    assert whole_NK.shape == (FRAMES, 3)
    np.testing.assert_allclose(scores(scorer_of(net), frames_THWC, stretch), whole_NK, atol=1e-5)
    # And these are what the head says of the features that the encoder gives to the whole file.
    with torch.inference_mode():
        features_SD = net.encode(torch.from_numpy(frames_THWC)[None])[0]
        expected_NK = torch.cat([net.classify(features_SD[None, window_of(middle)]) for middle in range(FRAMES)])
    np.testing.assert_allclose(whole_NK, expected_NK.numpy(), atol=1e-4)
    assert np.ptp(whole_NK, axis=0).min() > 1e-3  # the frames do bear on the scores


@pytest.mark.parametrize("head", ["bilstm", "mean", "bert", "concat"])
def test_a_frame_encoder_gives_each_window_the_scores_of_a_clip(head):
    net, frames_THWC = frame_net(head), clip(FRAMES, 6)
    whole_NK = scores(scorer_of(net), frames_THWC, FRAMES)
    np.testing.assert_allclose(scores(scorer_of(net), frames_THWC, 4), whole_NK, atol=1e-5)
    expected = [recognizer_of(net).engine.score([frames_THWC[window_of(middle)]])[0] for middle in range(FRAMES)]
    np.testing.assert_allclose(whole_NK, np.stack(expected), atol=1e-4)


def test_a_clip_encoder_has_the_mean_of_two_windows_that_overlap_by_half(small):
    net, frames_THWC = lively_net("mean", encoder="movinet_a0_base"), clip(FRAMES, 7)
    whole_NK = scores(scorer_of(net), frames_THWC, FRAMES)
    assert scorer_of(net).frames_per_score == WINDOW // 2
    assert len(whole_NK) == 8  # 23 frames are eight halves of a window, the last one short
    np.testing.assert_allclose(scores(scorer_of(net), frames_THWC, 2), whole_NK, atol=1e-5)
    engine = recognizer_of(net).engine
    windows_BK = np.stack([engine.score([frames_THWC[at : at + WINDOW]])[0] for at in range(0, 21, 3)])
    np.testing.assert_allclose(whole_NK[0], windows_BK[0], atol=1e-4)
    np.testing.assert_allclose(whole_NK[1:-1], (windows_BK[1:] + windows_BK[:-1]) / 2, atol=1e-4)
    np.testing.assert_allclose(whole_NK[-1], windows_BK[-1], atol=1e-4)


@pytest.mark.parametrize("kind", ["stream", "frames", "clips"])
@pytest.mark.parametrize("hop", [1, 2])
def test_a_scorer_goes_on_where_another_was(small, kind, hop):
    nets = {"stream": ("probe", "movinet_a0"), "clips": ("mean", "movinet_a0_base")}
    net = lively_net(nets[kind][0], encoder=nets[kind][1]) if kind in nets else frame_net("mean")
    frames_THWC = clip(FRAMES, 8)
    first = scorer_of(net, hop=hop)
    begun_NK = np.concatenate([first.push(frames_THWC[:5]), first.push(frames_THWC[5:11])])
    second = scorer_of(net, hop=hop)
    second.restore(first.kept())
    assert (second.frames_seen, second.scores_given) == (11, len(begun_NK))
    rest_NK = scores(second, frames_THWC[11:], 6)
    one = scorer_of(net, hop=hop)
    all_NK = np.concatenate([one.push(frames_THWC[:5]), one.push(frames_THWC[5:11]), scores(one, frames_THWC[11:], 6)])
    np.testing.assert_array_equal(np.concatenate([begun_NK, rest_NK]), all_NK)


@pytest.mark.parametrize("kind", ["stream", "frames"])
def test_each_frame_is_encoded_once_and_few_features_are_kept(small, kind):
    net = lively_net("probe") if kind == "stream" else frame_net("mean")
    scorer = scorer_of(net)
    assert isinstance(scorer, FeatureScorer)
    seen = 0

    def count(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal seen
        maps = inputs[0]
        seen += maps.shape[2] if maps.ndim == 5 else maps.shape[0]

    encoder = scorer.net.encoder
    (encoder.conv1 if kind == "stream" else encoder).register_forward_pre_hook(count)
    for at in range(0, 400, 10):
        scorer.push(clip(10, at))
        assert len(scorer.kept()["features_SPD"]) <= WINDOW
    scorer.finish()
    assert seen == 400
    assert scorer.scores_given == 400


@pytest.mark.parametrize(("encoder", "window", "hop"), [("movinet_a0", 6, 2), ("movinet_a0_base", 5, 1)])
def test_what_a_score_stands_for_is_known_without_a_scorer(small, encoder, window, hop):
    net = lively_net("mean", encoder=encoder)
    told = frames_per_score(recognizer_of(net), window_frames=window, hop_frames=hop)
    assert told == scorer_of(net, window=window, hop=hop).frames_per_score


def test_a_model_is_prepared_once_for_all_videos():
    recognizer = recognizer_of(frame_net("mean"))
    first, second = (window_scorer(recognizer, window_frames=4, hop_frames=1, example_THWC=clip(4, 0)) for _ in "12")
    assert first.net is second.net
    assert first.net is not recognizer.net  # what is saved stays as it is


def test_windows_that_a_head_cannot_take_are_told():
    with pytest.raises(UserError, match="windows of 9 frames are 9 steps, more than the 8 positions"):
        scorer_of(frame_net("concat"), window=9)


def test_scores_that_are_no_numbers_are_told():
    net = frame_net("mean")
    with torch.no_grad():
        net.classifier[-1].bias.fill_(float("nan"))
    with pytest.raises(UserError, match="no finite numbers"):
        scores(scorer_of(net), clip(8, 0), 8)
