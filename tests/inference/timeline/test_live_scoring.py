"""A stream frame by frame: the scores of the whole file, the right events, and sound answers to odd streams."""

import numpy as np
import pytest
import torch
from tests.inference.test_streaming import SIZE_PX, SMALL, clip, lively_net

from muybridge.errors import UserError
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.rejection import Rejection
from muybridge.inference.timeline.live_scoring import LiveScorer
from muybridge.inference.timeline.window_scoring import window_scorer
from muybridge.models.encoders import movinet
from muybridge.models.network import RecognizerNet
from muybridge.recipes.model import ModelConfig
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.video.picture import to_square
from muybridge.video.sampling import EverySampler, UniformSampler

RATE = 5.0
WINDOW_SECONDS = 1.2  # 6 frames
FRAMES = 23
WINDOWS = WindowConfig(window_seconds=WINDOW_SECONDS)


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


def recognizer_of(net: RecognizerNet, **changes) -> Recognizer:
    values = {"classes": ("a", "b", "c"), "sampler": UniformSampler(frames=4), "size_px": SIZE_PX, "device": "cpu"}
    return Recognizer(net, **(values | changes))


NETS = {
    "movinet-probe": lambda: lively_net("probe"),
    "movinet-lstm": lambda: lively_net("lstm"),
    "frames-bilstm": lambda: frame_net("bilstm"),
    "clips-mean": lambda: lively_net("mean", encoder="movinet_a0_base"),
}


def live_scores(scorer: LiveScorer, frames_THWC, seconds_T):
    answers = [scorer.push(frame_HWC, at) for frame_HWC, at in zip(frames_THWC, seconds_T, strict=True)]
    return [score for answer in answers for score in answer.scores]


@pytest.mark.parametrize("kind", NETS)
def test_live_scores_are_those_of_the_whole_file_through_the_same_windows(small, kind):
    net, frames_THWC = NETS[kind](), clip(FRAMES, 5)
    found = live_scores(LiveScorer(recognizer_of(net), WINDOWS), frames_THWC, np.arange(FRAMES) / RATE)
    whole = window_scorer(recognizer_of(net), window_frames=6, hop_frames=1, example_THWC=clip(6, 0), trailing=True)
    whole_NK = whole.push(frames_THWC)
    assert len(found) == len(whole_NK) == (7 if kind == "clips-mean" else FRAMES)
    np.testing.assert_allclose([score.logits_K for score in found], whole_NK, atol=1e-5)
    assert np.ptp(whole_NK, axis=0).min() > 1e-3  # the frames do bear on the scores


@pytest.mark.parametrize("kind", NETS)
def test_a_score_is_of_the_window_that_ends_at_the_newest_frame(small, kind):
    net, frames_THWC = NETS[kind](), clip(FRAMES, 6)
    found = live_scores(LiveScorer(recognizer_of(net), WINDOWS), frames_THWC, 100 + np.arange(FRAMES) / RATE)
    with torch.inference_mode():
        whole = torch.from_numpy(frames_THWC)[None]
        features_BSD = None if kind == "clips-mean" else net.encode(whole)
        for score in found:
            end = round((score.seconds - 100) * RATE) + 1
            part = slice(max(0, end - 6), end)
            logits_BK = net(whole[:, part]) if features_BSD is None else net.classify(features_BSD[:, part])
            np.testing.assert_allclose(score.logits_K, logits_BK[0], atol=1e-4)


def test_frames_of_any_size_are_fitted_and_those_between_the_models_own_are_passed_over():
    recognizer = recognizer_of(frame_net("mean"), fit="crop")
    big_THWC = np.random.default_rng(0).integers(256, size=(50, 90, 160, 3), dtype=np.uint8)
    scorer = LiveScorer(recognizer, WINDOWS)
    found = live_scores(scorer, big_THWC, np.arange(50) / 25)
    assert scorer.frames_per_second == RATE
    np.testing.assert_allclose([score.seconds for score in found], np.arange(10) / RATE)
    small_THWC = np.stack([to_square(frame, SIZE_PX, "crop") for frame in big_THWC[::5]])
    expected = live_scores(LiveScorer(recognizer, WINDOWS), small_THWC, np.arange(10) / RATE)
    np.testing.assert_array_equal([a.logits_K for a in found], [b.logits_K for b in expected])


@pytest.mark.parametrize("kind", ["movinet-probe", "clips-mean"])
def test_where_frames_are_missing_the_one_before_counts(small, kind):
    net, frames_THWC = NETS[kind](), clip(12, 7)
    scorer = LiveScorer(recognizer_of(net), WINDOWS)
    seconds_T = np.concatenate([np.arange(5), [8, 9, 10, 11, 12, 13, 14]]) / RATE
    found = live_scores(scorer, frames_THWC, seconds_T)
    if kind == "clips-mean":
        held_THWC = np.concatenate([frames_THWC[:5], frames_THWC[[4, 4, 4]], frames_THWC[5:]])
        expected = live_scores(LiveScorer(recognizer_of(net), WINDOWS), held_THWC, np.arange(15) / RATE)
        np.testing.assert_allclose([a.logits_K for a in found], [b.logits_K for b in expected], atol=1e-5)
        return
    assert [round(score.seconds * RATE) for score in found] == list(range(15))
    with torch.inference_mode():
        features_BSD = net.encode(torch.from_numpy(frames_THWC)[None])
        held_BSD = features_BSD[:, [0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 9, 10, 11]]
        expected_NK = [net.classify(held_BSD[:, max(0, end - 6) : end])[0] for end in range(1, 16)]
    np.testing.assert_allclose([score.logits_K for score in found], np.stack(expected_NK), atol=1e-4)


def test_after_a_long_gap_the_stream_begins_anew(small):
    net, frames_THWC = lively_net("probe"), clip(8, 8)
    scorer = LiveScorer(recognizer_of(net), WINDOWS)
    live_scores(scorer, clip(9, 9), np.arange(9) / RATE)
    after = live_scores(scorer, frames_THWC, 60 + np.arange(8) / RATE)
    fresh = live_scores(LiveScorer(recognizer_of(net), WINDOWS), frames_THWC, np.arange(8) / RATE)
    np.testing.assert_array_equal([a.logits_K for a in after], [b.logits_K for b in fresh])
    np.testing.assert_allclose([a.seconds - 60 for a in after], [b.seconds for b in fresh])


def test_the_look_ahead_of_a_head_is_declared(small):
    ahead = {kind: LiveScorer(recognizer_of(net()), WINDOWS).look_ahead_seconds for kind, net in NETS.items()}
    assert ahead == {"movinet-probe": 0.4, "movinet-lstm": 0, "frames-bilstm": 0.4, "clips-mean": 0.4}


def test_a_recipe_that_counts_frames_goes_by_the_rate_of_its_source():
    recognizer = recognizer_of(frame_net("mean"), sampler=EverySampler(every=6, frames=4))
    assert LiveScorer(recognizer).frames_per_second == pytest.approx(25 / 6)
    assert LiveScorer(recognizer, source_frames_per_second=30).frames_per_second == 5


def brightness_net() -> RecognizerNet:
    """Whose first class is bright pictures, and whose second dark ones."""
    net = frame_net("mean")
    net.encode = lambda frames_BTHWC, lengths_B=None: frames_BTHWC.float().mean(dim=(2, 3))[..., :1] / 255
    net.classify = lambda features_BSD, lengths_B=None: torch.cat(
        [20 * features_BSD.mean(1) - 10, 10 - 20 * features_BSD.mean(1), 0 * features_BSD.mean(1)], dim=1
    )
    return net


def show(text: str):
    """``w``: white, ``d``: dark, ``.``: grey; five a second."""
    return [np.full((30, 40, 3), {"w": 255, "d": 0, ".": 128}[letter], np.uint8) for letter in text]


class Brightness(Recognizer):
    """A recognizer whose network is not copied, so that it may be written by hand."""

    def __init__(self, **changes) -> None:
        net = brightness_net()
        super().__init__(
            net,
            classes=("white", "dark", "other"),
            sampler=UniformSampler(frames=4),
            size_px=32,
            device="cpu",
            **changes,
        )
        self.engine._prepared = net


def test_events_begin_and_end_at_the_times_of_the_frames():
    rejection = Rejection(threshold=3.0, false_alarms=0.05, clips=100)
    rules = SegmentRules(lag_seconds=0, none_of_these=2)  # half a window must be of the class
    scorer = LiveScorer(Brightness(rejection=rejection), WindowConfig(window_seconds=1.0), rules)
    events = []
    for number, frame_HWC in enumerate(show("." * 20 + "w" * 20 + "." * 20 + "d" * 10)):
        events += [(number / RATE, event) for event in scorer.push(frame_HWC, number / RATE).events]
    told = [(event.state, event.label) for _, event in events]
    assert told == [("begin", "white"), ("end", "white"), ("begin", "dark")]
    (begun_at, begin), (ended_at, end), _ = events
    assert begin.start_seconds == end.start_seconds == pytest.approx(4.0, abs=0.21)
    assert end.end_seconds == pytest.approx(8.0, abs=0.21)
    assert begun_at - begin.start_seconds < 2.5
    assert ended_at - end.end_seconds < 2.5
    (last,) = scorer.finish().events
    assert (last.state, last.label) == ("end", "dark")
    assert last.start_seconds == pytest.approx(12, abs=0.21)
    assert last.end_seconds == pytest.approx(14, abs=1e-6)
    assert scorer.finish().events == ()


def test_none_of_these_by_the_models_own_threshold():
    rejection = Rejection(threshold=3.0, false_alarms=0.05, clips=100)
    scorer = LiveScorer(
        Brightness(rejection=rejection), WindowConfig(window_seconds=0.2), SegmentRules(none_of_these=0)
    )
    grey, white = (scorer.push(frame_HWC, at).scores[0] for frame_HWC, at in zip(show(".w"), (0, 0.2), strict=True))
    assert grey.none_of_these
    assert not white.none_of_these
    assert white.label == "white"
    assert white.score > 0.99
    assert white.probabilities_K.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_told(picture):
    with pytest.raises(UserError, match="a frame has shape"):
        LiveScorer(recognizer_of(frame_net("mean")), WINDOWS).push(picture, 0)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0.5])
def test_what_is_no_time_is_told(seconds):
    scorer = LiveScorer(recognizer_of(frame_net("mean")), WINDOWS)
    scorer.push(show("w")[0], 1.0)
    with pytest.raises(UserError, match="times that do not go back"):
        scorer.push(show("w")[0], seconds)
