"""Spans of a long video have the scores that one process gives to all of it."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tests.helpers.nightly import cases
from tests.inference.test_streaming import SMALL, clip, lively_net
from tests.inference.timeline.test_window_scoring import frame_net, recognizer_of, scores

from muybridge.inference.engines.engine import Engine, Frames, Logits
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline import spans
from muybridge.inference.timeline.spans import past_frames, score_span, spans_of
from muybridge.inference.timeline.video_scoring import Steps
from muybridge.inference.timeline.window_scoring import frames_per_score
from muybridge.models.encoders import movinet
from muybridge.models.network import RecognizerNet


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """MoViNets with few blocks, and short spans."""
    monkeypatch.setattr(movinet.MoViNet, "size", SMALL)
    monkeypatch.setattr(spans, "MOST_SPAN_FRAMES", 60)


class Windows(Engine):
    """Scores of whole windows alone, as exports and encoders of clips give them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def score(self, clips: Sequence[Frames]) -> Logits:
        return self.engine.score(clips)


def net_of(kind: str) -> RecognizerNet:
    if kind == "frames":
        return frame_net("mean")
    return lively_net("probe" if kind == "movinet_a0_mobile" else "mean", encoder=kind)


def steps_of(recognizer: Recognizer, *, window: int = 6, hop: int) -> Steps:
    score_frames = frames_per_score(recognizer, window_frames=window, hop_frames=hop)
    return Steps(window, hop, score_frames, score_frames / 5)


@pytest.mark.parametrize("kind", ["frames", "movinet_a0_mobile", "movinet_a0_base"])
@pytest.mark.parametrize("hop", [1, 4])
@pytest.mark.parametrize("frame_count", [7, 131, 160])
def test_the_scores_are_those_of_the_whole_video(kind: str, hop: int, frame_count: int) -> None:
    recognizer, frames_THWC = recognizer_of(net_of(kind)), clip(frame_count, 3)
    steps = steps_of(recognizer, hop=hop)
    whole_NK = scores(steps.scorer(recognizer), frames_THWC, 16)
    found = spans_of(recognizer, steps, frame_count)
    assert found is not None
    assert len(found) >= (1 if frame_count < 60 else 3)
    assert [span.first_score for span in found] == [0, *(span.end_score for span in found[:-1])]
    parts = [score_span(recognizer, steps, each, frames_THWC[each.first_frame : each.end_frame]) for each in found]
    np.testing.assert_allclose(np.concatenate(parts), whole_NK, atol=1e-5)
    assert np.ptp(whole_NK, axis=0).max() > 1e-3 or frame_count < 60  # the frames do bear on the scores


@pytest.mark.parametrize("seed", cases(4, 60))
def test_whatever_the_windows_and_the_spans(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(seed)
    recognizer = recognizer_of(net_of(str(draw.choice(["frames", "movinet_a0_mobile", "movinet_a0_base"]))))
    if seed % 2:
        recognizer.use(Windows(recognizer.engine))
    monkeypatch.setattr(spans, "MOST_SPAN_FRAMES", int(draw.integers(1, 90)))
    monkeypatch.setattr(spans, "_LEAST_LEADS", int(draw.integers(1, 4)))
    most = 8 if recognizer.net.head.positions else 20
    steps = steps_of(recognizer, window=int(draw.integers(1, most)), hop=int(draw.integers(1, 9)))
    frames_THWC = clip(int(draw.integers(1, 170)), seed)
    whole_NK = scores(steps.scorer(recognizer), frames_THWC, 16)
    found = spans_of(recognizer, steps, len(frames_THWC))
    parts = [score_span(recognizer, steps, each, frames_THWC[each.first_frame : each.end_frame]) for each in found]
    np.testing.assert_allclose(np.concatenate(parts), whole_NK, atol=1e-5)


def test_a_shorter_lead_in_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read before the first score of a span is needed."""
    recognizer, frames_THWC = recognizer_of(net_of("movinet_a0_mobile")), clip(160, 3)
    steps = steps_of(recognizer, hop=1)
    whole_NK = scores(steps.scorer(recognizer), frames_THWC, 16)
    monkeypatch.setattr(spans, "STRETCH_FRAMES", 1)
    monkeypatch.setattr(spans, "past_frames", lambda recognizer: 0)
    second = spans_of(recognizer, steps, 160)[1]
    found_NK = score_span(recognizer, steps, second, frames_THWC[second.first_frame : second.end_frame])
    assert np.abs(found_NK - whole_NK[second.first_score : second.end_score]).max() > 1e-5


@pytest.mark.parametrize("kind", ["movinet_a0_mobile", "frames"])
def test_as_many_frames_as_are_said_bear_on_one(kind: str) -> None:
    net, frames_THWC = net_of(kind), torch.from_numpy(clip(40, 4))
    past = past_frames(recognizer_of(net))
    assert past == {"frames": 0, "movinet_a0_mobile": 2 + 4 + 2}[kind]
    other_THWC = frames_THWC.clone()
    other_THWC[: 39 - past] = 255 - other_THWC[: 39 - past]
    with torch.inference_mode():
        one_SD, two_SD = (net.encode(each[None])[0].reshape(40, -1) for each in (frames_THWC, other_THWC))
    torch.testing.assert_close(one_SD[-1], two_SD[-1], atol=1e-6, rtol=0)
    assert (one_SD[38 - past] - two_SD[38 - past]).abs().max() > 1e-4


@pytest.mark.parametrize(("encoder", "output"), [("movinet_a0", "maps+hidden"), ("movinet_a0_mobile", "logits")])
def test_a_state_that_holds_all_of_the_past_has_no_spans(encoder: str, output: str) -> None:
    net = lively_net("probe", encoder=encoder, output=output)
    recognizer = recognizer_of(net)
    assert past_frames(recognizer) is None
    assert spans_of(recognizer, steps_of(recognizer, hop=1), 400) is None
