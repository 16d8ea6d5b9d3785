"""With isolate no verb opens a video in its own process, whatever it needs the frames for."""

import av
import pytest
from rich.console import Console
from tests.helpers.clips import write_clip

from muybridge import api
from muybridge.dataset.catalog import Clip
from muybridge.errors import VideoError
from muybridge.experiment.annotated_videos import times_of
from muybridge.inference.loading import load
from muybridge.inference.timeline.video_scoring import score_video
from muybridge.recipes.data import DataConfig
from muybridge.recipes.timeline_rules import WindowConfig
from muybridge.video.browser_video import plays_in_browsers, write_for_browsers
from muybridge.video.frame_times import read_frame_times
from muybridge.video.isolation import isolated

QUIET = Console(quiet=True)


@pytest.fixture
def annotated(tmp_path):
    """Two long videos with segments of two classes, whose times are frames."""
    rows = ["video,start,end,label"]
    for number, level in enumerate((70, 180)):
        write_clip(tmp_path / "films" / f"{number}.avi", level=level, seed=number, frames=40)
        rows += [f"{number}.avi,0,10,dim", f"{number}.avi,20,30,bright"]
    (tmp_path / "films" / "a.csv").write_text("\n".join(rows))
    return tmp_path / "films" / "a.csv"


@pytest.fixture
def opens_nothing(monkeypatch, tmp_path):
    """Nothing is remembered of any video, and this process cannot open one; others can."""

    def refuse(*_, **__):
        raise AssertionError("a video was opened in this process")

    def forbid():
        monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "new cache"))
        monkeypatch.setattr(av, "open", refuse)

    return forbid


def test_evaluate_on_the_runs_own_clips(tiny_run, tmp_path, opens_nothing):
    opens_nothing()
    found = api.evaluate(tiny_run, out=tmp_path / "out", isolate=True, console=QUIET)
    assert not found.undecodable
    assert found.floors.colours is not None


def test_evaluate_on_other_clips(tiny_run, annotated, tmp_path, opens_nothing):
    opens_nothing()
    data = DataConfig(annotation_unit="frames", background="auto", background_guard_seconds=0.1)
    found = api.evaluate(tiny_run, annotated, data=data, out=tmp_path / "out", isolate=True, console=QUIET)
    assert found.top1.clips == 4
    assert not found.undecodable
    assert found.floors.colours is not None
    with pytest.raises((VideoError, AssertionError), match="in this process"):
        read_frame_times(annotated.parent / "0.avi")


def test_a_timeline_of_a_server(tiny_run, tmp_path, opens_nothing):
    write_clip(tmp_path / "long.avi", level=70, seed=0, frames=60)
    model = load(tiny_run)
    opens_nothing()
    with isolated():
        track = score_video(model, tmp_path / "long.avi", windows=WindowConfig())
        assert track.seconds == pytest.approx(2.4) and len(track.logits_NK) == 12
        assert not plays_in_browsers(tmp_path / "long.avi")
        assert write_for_browsers(tmp_path / "long.avi", tmp_path / "copy.mp4") is None
        assert not isinstance(model.decode(Clip(path=tmp_path / "copy.mp4", label="", group="")), VideoError)
        assert times_of(tmp_path / "long.avi").frame_count == 60
    with pytest.raises((VideoError, AssertionError), match="in this process"):
        score_video(model, tmp_path / "long.avi", windows=WindowConfig())


def test_check(annotated, tmp_path, opens_nothing):
    opens_nothing()
    report = api.check(annotated, annotation_unit="frames", out=tmp_path / "out", isolate=True, console=QUIET).report
    assert [clip.status for clip in report.clips] == ["ok"] * 4
