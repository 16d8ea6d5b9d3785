"""Whatever predict takes has a timeline: exports, which score whole windows, and ensembles."""

import numpy as np
import pytest
from tests.helpers.commands import run
from tests.helpers.long_videos import PART_SECONDS, PARTS

from muybridge import api
from muybridge.errors import UserError
from muybridge.inference.engines.exports import Export, find_exports
from muybridge.inference.loading import load
from muybridge.inference.timeline.clip_windows import ClipScorer
from muybridge.inference.timeline.ensemble_track import combined_track
from muybridge.inference.timeline.live_scoring import LiveScorer
from muybridge.inference.timeline.score_track import ScoreTrack
from muybridge.inference.timeline.video_scoring import score_video
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.video.steady_reading import SteadyReader

RULES = SegmentRules(use_none_of_these=False, lag_seconds=0)
WINDOWS = WindowConfig()


def test_an_export_scores_windows_as_torch_does(exported, video):
    folder, engine = exported
    found = score_video(load(folder, engine=engine), video, windows=WINDOWS)
    in_torch = load(folder)
    scorer = ClipScorer(in_torch.torch_engine, len(in_torch.classes), window_frames=10)
    with SteadyReader(video, frames_per_second=5, size_px=in_torch.size_px, fit=in_torch.fit) as reader:
        wanted = np.concatenate([scorer.push(np.stack(list(reader))), scorer.finish()])
    assert found.step_seconds == 1.0
    assert len(found.logits_NK) == len(wanted) == PART_SECONDS * len(PARTS)
    parity = Export.load(find_exports(folder)[f"{engine}-fp32"]).parity
    assert parity.passed
    differences = np.abs(found.probabilities_NK() - track_of(wanted, found).probabilities_NK())
    assert differences.max() <= max(1e-4, 2 * parity.maximum_difference)


def track_of(logits_NK, like: ScoreTrack) -> ScoreTrack:
    return ScoreTrack(
        video=like.video, classes=like.classes, logits_NK=logits_NK, step_seconds=1.0, seconds=like.seconds
    )


def test_a_timeline_by_an_export(exported, video, tmp_path, capsys):
    folder, engine = exported
    arguments = ("timeline", folder, video, "--rules.no-use-none-of-these")
    arguments += ("--out", tmp_path, "--format", "json")
    code, out, err = run(*arguments, "--engine", engine, capsys=capsys)
    assert code == 0
    assert f"engine {engine}-fp32 sees clips only" in err
    assert [line.split()[3] for line in out.splitlines()[3:7]] == list(PARTS)
    code, out, err = run(*arguments, "--resume", capsys=capsys)
    assert code == 2
    assert "leave out resume" in err


def test_what_is_not_exported_is_told(probe_run, video, tmp_path):
    with pytest.raises(UserError, match="make it with: muybridge export"):
        api.timeline(probe_run, [video], engine="onnx", out=tmp_path)
    with pytest.raises(UserError, match="make it with: muybridge export"):
        api.watch(probe_run, str(video), engine="onnx")


def test_a_stream_by_an_export_has_the_scores_of_torch(exported, video):
    folder, engine = exported
    live = {name: LiveScorer(model, WINDOWS, RULES) for name, model in models(folder, engine).items()}
    scores = {name: [] for name in live}
    with SteadyReader(video, frames_per_second=5) as reader:
        for number, image in enumerate(reader):
            for name, scorer in live.items():
                scores[name] += scorer.push(image, number / 5).scores
    assert len(scores["export"]) == PART_SECONDS * len(PARTS)
    by_time = {round(score.seconds, 3): score for score in scores["torch"]}
    for score in scores["export"][1:]:  # whose windows are whole
        same = by_time[round(score.seconds, 3)]
        assert np.abs(score.probabilities_K - same.probabilities_K).max() < 1e-3


def models(folder, engine):
    return {"export": load(folder, engine=engine), "torch": load(folder)}


def test_a_server_looks_in_torch_whatever_computes_clips(exported):
    folder, engine = exported
    model = load(folder, engine=engine)
    assert model.in_torch().engine is model.torch_engine
    assert model.in_torch().net is model.net
    assert model.engine is not model.torch_engine
    assert load(folder).in_torch().engine.name == "torch"


def test_an_ensemble_is_what_its_members_say_at_each_moment(ensemble, video):
    model = load(ensemble)
    tracks = [score_video(member, video, windows=WINDOWS) for member in model.members.values()]
    together = combined_track(model, tracks)
    probe, tiny = (track.probabilities_NK() for track in tracks)
    assert together.step_seconds == tracks[0].step_seconds
    assert np.allclose(together.probabilities_NK(), 0.75 * probe + 0.25 * tiny, atol=1e-6)


def test_members_with_longer_steps_count_for_all_of_their_time(ensemble):
    model = load(ensemble)
    values = {"video": "x.mp4", "classes": model.classes, "seconds": 2.0}
    fine = ScoreTrack(logits_NK=np.zeros((10, 2), np.float32), step_seconds=0.2, **values)
    coarse = ScoreTrack(logits_NK=np.array([[5, 0], [0, 5]], np.float32), step_seconds=1.0, **values)
    found = combined_track(model, [fine, coarse]).probabilities_NK()
    assert len(found) == 10
    assert (found[:5, 0] > found[:5, 1]).all()
    assert (found[5:, 0] < found[5:, 1]).all()


def test_a_timeline_of_an_ensemble(ensemble, video, tmp_path, capsys):
    arguments = ("timeline", ensemble, video, "--rules.no-use-none-of-these", "--out", tmp_path, "--format", "json")
    code, out, err = run(*arguments, capsys=capsys)
    assert code == 0
    assert "each of the 2 members" in err
    assert [line.split()[3] for line in out.splitlines()[3:7]] == list(PARTS)
    again, told, _ = run(*arguments, "--resume", capsys=capsys)
    assert again == 0
    assert told.splitlines()[3:7] == out.splitlines()[3:7]
    assert {path.name for path in tmp_path.glob("*.scores")} == {"long.probe.scores", "long.tiny.scores"}


def test_streams_need_a_model_that_is_no_ensemble(ensemble, video, capsys):
    code, _, err = run("watch", ensemble, video, capsys=capsys)
    assert code == 2
    assert err.splitlines()[-1].endswith("name the run of one of its members: probe, tiny")
