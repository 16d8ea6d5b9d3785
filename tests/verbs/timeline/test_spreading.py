"""Timelines of spans that several workers score: those of one process, whatever happened on the way."""

import json
from fractions import Fraction
from io import StringIO
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console
from tests.helpers.commands import run
from tests.helpers.long_videos import write_long
from tests.storage.conftest import bucket, server
from tests.verbs.timeline.test_timeline import RULES, annotate, spans

from muybridge import api
from muybridge.errors import UserError
from muybridge.inference.loading import load
from muybridge.inference.timeline import spans as spans_module
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.inference.timeline.video_scoring import job_of
from muybridge.pieces.shared_model import SharedModel
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.storage.remote_files import upload
from muybridge.verbs.timeline import spreading
from muybridge.verbs.timeline.span_work import Scoring
from muybridge.verbs.timeline.spreading import Video, spread

__all__ = ["bucket", "server"]

LEAST_FRAMES = 24


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of five seconds, so that short videos have several."""
    monkeypatch.setattr(spans_module, "MOST_SPAN_FRAMES", LEAST_FRAMES)
    monkeypatch.setattr(spans_module, "_LEAST_LEADS", 1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two of sixteen and eight seconds, one that is none, and one that only decoding to its end tells of."""
    folder = tmp_path_factory.mktemp("long")
    paths = [write_long(folder / "a.mp4", seed=1), write_long(folder / "b.mp4", parts=("bright", "dim"), seed=2)]
    paths.append(folder / "none.mp4")
    paths[-1].write_text("no video")
    return paths


@pytest.fixture
def local_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same job without Ray: its pieces are computed in this process."""
    from muybridge.verbs.timeline import job, scoring

    monkeypatch.setattr(job, "check_on", lambda on: None)
    monkeypatch.setattr(scoring, "spread", lambda *given, on, **named: spread(*given, on="local", **named))


def logits(folder: Path, stem: str) -> np.ndarray:
    line, data = (folder / f"{stem}.scores").read_bytes().split(b"\n", 1)
    return np.frombuffer(data, dtype="<f4").reshape(-1, json.loads(line)["classes"])


def test_segments_are_those_of_one_process(probe_run, videos, tmp_path, local_pieces):
    here = api.timeline(probe_run, videos, rules=RULES, out=tmp_path / "here", formats=["json"])
    said = Console(file=StringIO(), width=200)
    there = api.timeline(
        probe_run, videos, rules=RULES, out=tmp_path / "there", formats=["json"], on="ray", console=said
    )
    assert [spans(each) for each in there.timelines] == [spans(each) for each in here.timelines]
    assert [len(each.segments) for each in there.timelines] == [4, 2, 0]
    assert there.timelines[2].error == here.timelines[2].error is not None
    for stem in "ab":
        np.testing.assert_allclose(logits(tmp_path / "there", stem), logits(tmp_path / "here", stem), atol=1e-5)
    assert "scored 2 videos in 9 spans" in said.file.getvalue()
    assert not (tmp_path / "there" / ".spans").exists()
    # What is there is what one process would have left: it goes on with it.
    again = api.timeline(probe_run, videos[:2], rules=RULES, out=tmp_path / "there", formats=["json"], resume=True)
    assert [each.times_real_time for each in again.timelines] == [None, None]


def test_a_killed_job_goes_on(probe_run, videos, tmp_path, local_pieces, monkeypatch):
    given = {"rules": RULES, "formats": ["json"], "on": "ray"}
    whole = api.timeline(probe_run, videos, out=tmp_path / "whole", **given)
    computed: list[str] = []
    compute, dies_at = Scoring._scores, 5

    def killed(self, decoded):
        computed.append(decoded.item.name)
        if len(computed) == dies_at:
            raise MemoryError("as if killed")
        return compute(self, decoded)

    monkeypatch.setattr(Scoring, "_scores", killed)
    with pytest.raises(MemoryError):
        api.timeline(probe_run, videos, out=tmp_path / "out", **given)
    done = len(list((tmp_path / "out" / ".spans").glob("part-*")))
    assert 0 < done <= 4
    resumed = api.timeline(probe_run, videos, out=tmp_path / "out", **given, resume=True)
    assert len(computed) == 5 + 9 - done
    assert [spans(each) for each in resumed.timelines] == [spans(each) for each in whole.timelines]
    for stem in "ab":
        scores = [(tmp_path / each / f"{stem}.scores").read_bytes() for each in ("whole", "out")]
        assert scores[0] == scores[1]
    dies_at = 0
    computed.clear()
    api.timeline(probe_run, videos[:2], out=tmp_path / "out", **given, resume=True)
    assert computed == []
    # Killed while the files of scores were written, and then with one video more.
    (tmp_path / "out" / "b.state").unlink()
    more = [*videos[:2], write_long(tmp_path / "c.mp4", parts=("dim",))]
    api.timeline(probe_run, more, out=tmp_path / "out", **given, resume=True)
    assert {name.rpartition("/")[2].split()[0] for name in computed} == {"b.mp4", "c.mp4"}


def test_spans_of_another_job_are_not_taken(probe_run, videos, tmp_path, local_pieces, monkeypatch):
    monkeypatch.setattr(spreading, "_rows_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api.timeline(probe_run, videos[:1], out=tmp_path, formats=[], on="ray")
    wide = WindowConfig(window_seconds=1)
    with pytest.raises(UserError, match=r"\.spans was begun with other clips, another model or other options"):
        api.timeline(probe_run, videos[:1], windows=wide, out=tmp_path, formats=[], on="ray", resume=True)
    monkeypatch.undo()


def test_each_member_of_an_ensemble_is_spread(ensemble, videos, tmp_path, local_pieces):
    here = api.timeline(ensemble, videos, rules=RULES, out=tmp_path / "here", formats=[])
    there = api.timeline(ensemble, videos, rules=RULES, out=tmp_path / "there", formats=[], on="ray")
    assert [spans(each) for each in there.timelines] == [spans(each) for each in here.timelines]
    assert [len(each.segments) for each in there.timelines] == [4, 2, 0]
    assert not (tmp_path / "there" / ".spans").exists()
    for stem in ("a.probe", "a.tiny", "b.probe", "b.tiny"):
        np.testing.assert_allclose(logits(tmp_path / "there", stem), logits(tmp_path / "here", stem), atol=1e-5)


def test_an_export_computes_spans(exported, videos, tmp_path, local_pieces):
    folder, engine = exported
    given = {"rules": RULES, "formats": [], "engine": engine}
    here = api.timeline(folder, videos[:1], out=tmp_path / "here", **given)
    there = api.timeline(folder, videos[:1], out=tmp_path / "there", on="ray", **given)
    assert [spans(each) for each in there.timelines] == [spans(each) for each in here.timelines]
    np.testing.assert_allclose(logits(tmp_path / "there", "a"), logits(tmp_path / "here", "a"), atol=1e-5)
    with pytest.raises(UserError, match="leave out resume"):
        api.timeline(folder, videos[:1], rules=RULES, formats=[], out=tmp_path / "there", resume=True, on="ray")


def test_rules_are_tuned_and_measured_with_spans(probe_run, videos, tmp_path, local_pieces):
    table = annotate(tmp_path / "truth.csv", videos[0])
    given = {"tune": table, "truth": table, "formats": ["csv"]}
    try:
        here = api.timeline(probe_run, out=tmp_path / "here", **given)
        there = api.timeline(probe_run, out=tmp_path / "there", on="ray", **given)
    finally:
        (probe_run / "timeline.json").unlink(missing_ok=True)
    assert there.rules == here.rules and there.evaluation == here.evaluation
    assert there.rules_from == "tuned on 1 video"
    assert (tmp_path / "there" / "tuning-a.scores").is_file() and not (tmp_path / "there" / ".spans").exists()


def test_a_damaged_video_is_named(probe_run, videos, tmp_path, local_pieces):
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(videos[0].read_bytes()[: videos[0].stat().st_size // 2])
    found = api.timeline(probe_run, [videos[1], torn], rules=RULES, out=tmp_path / "out", formats=[], on="ray")
    assert len(found.timelines[0].segments) == 2
    assert found.timelines[1].error


def score(run_folder: Path, video: Path, out: Path) -> np.ndarray:
    recognizer = load(run_folder, device="cpu")
    console, windows = Console(file=StringIO(), width=200), WindowConfig()
    failed = spread(
        [Video(video, out / "scores")],
        recognizer,
        SharedModel.of(run_folder, run_folder),
        out / "spans",
        windows=windows,
        resume=False,
        on="local",
        engine="torch",
        device="cpu",
        console=console,
    )
    assert not failed
    job = job_of(video, windows, recognizer)
    with ScoreFile(out / "scores", job, class_count=2) as scores:
        scores.resume()
        assert scores.seconds == pytest.approx(16, abs=0.05)
    assert "one worker scores" in console.file.getvalue()
    return logits(out, "scores")


@pytest.mark.parametrize("name", ["stream.ts", "sparse.mp4"])
def test_a_file_that_is_only_read_from_its_start_is_scored_by_one_worker(probe_run, videos, tmp_path, name):
    """Of a transport stream nobody knows where to begin; and with one keyframe each worker would decode all of it."""
    path = tmp_path / name
    options = {"x264-params": "keyint=1000:scenecut=0"} if name == "sparse.mp4" else {}
    with av.open(str(videos[0])) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), 0  # the encoder chooses
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    api.timeline(probe_run, [path], rules=RULES, out=tmp_path / "here", formats=[])
    np.testing.assert_allclose(score(probe_run, path, tmp_path), logits(tmp_path / "here", path.stem), atol=1e-5)


def test_videos_in_a_bucket(probe_run, videos, tmp_path, local_pieces, bucket):
    upload(videos[0], f"{bucket.url}/a.mp4")
    here = api.timeline(probe_run, videos[:1], rules=RULES, out=tmp_path / "here", formats=["json"])
    for on in ("local", "ray"):
        out = tmp_path / on
        there = api.timeline(probe_run, [f"{bucket.url}/a.mp4"], rules=RULES, out=out, on=on)
        assert spans(there.timelines[0]) == spans(here.timelines[0])
        assert json.loads((out / "a.json").read_text())["video"] == f"{bucket.url}/a.mp4"
        np.testing.assert_allclose(logits(out, "a"), logits(tmp_path / "here", "a"), atol=1e-5)
        assert 'src="a.web.mp4"' in (out / "a.html").read_text()


def test_ray_that_is_not_there_is_told_before_anything_is_written(probe_run, videos, tmp_path, capsys):
    try:
        import ray  # noqa: F401

        pytest.skip("Ray is installed")
    except ImportError:
        pass
    code, _, err = run("timeline", probe_run, videos[0], "--on", "ray", "--out", tmp_path / "out", capsys=capsys)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "on ray needs ray.data: pip install 'muybridge[ray]'" in err
    assert not (tmp_path / "out").exists()
