"""The verb: files in, segments out; resumed, tuned, and told off."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from tests.helpers.catalogs import make
from tests.helpers.clips import CLASSES
from tests.helpers.commands import run
from tests.helpers.long_videos import LEVELS, PARTS, write_long

from muybridge import api
from muybridge.dataset.annotations.annotation_files import read_annotations
from muybridge.dataset.annotations.subtitles import clock, srt_text, vtt_text
from muybridge.dataset.segments import Segment
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.experiment import annotated_videos
from muybridge.inference.loading import load
from muybridge.inference.timeline import video_scoring
from muybridge.inference.timeline.score_file import ScoreFile
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.verbs.timeline.result import TimelineResult, VideoTimeline

RULES = SegmentRules(use_none_of_these=False, lag_seconds=0)


def spans(timeline: VideoTimeline) -> list[tuple[str, float, float]]:
    return [(each.label, each.start_seconds, each.end_seconds) for each in timeline.segments]


def test_segments_of_a_long_video_and_all_files(probe_run, video, tmp_path):
    formats = ["json", "csv", "srt", "vtt", "label-studio", "elan", "boris", "activitynet", "cvat"]
    result = api.timeline(probe_run, [video], rules=RULES, out=tmp_path, formats=formats)
    [found] = result.timelines
    assert found.seconds == pytest.approx(16, abs=0.05)
    assert [label for label, _, _ in spans(found)] == list(PARTS)
    for number, (_, start, end) in enumerate(spans(found)):
        assert start == pytest.approx(4 * number, abs=0.5)
        assert end == pytest.approx(4 * number + 4, abs=0.5)
    assert len(found.files) == len(formats) and all(path.stat().st_size for path in found.files)
    values = json.loads((tmp_path / "long.json").read_text())
    assert values["segments"] == found.to_dict()["segments"]
    assert values["rules"] == RULES.to_dict()
    again = read_annotations(tmp_path / "long.csv")
    assert [(each.label, each.video) for each in again.segments] == [(part, video.absolute()) for part in PARTS]
    for each, other in zip(again.segments, found.segments, strict=True):
        assert each.start_seconds == pytest.approx(other.start_seconds, abs=1e-3)
    assert (tmp_path / "long.vtt").read_text().startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")


def test_a_video_is_looked_into_once_for_all_formats(probe_run, tmp_path, monkeypatch):
    path, looked = write_long(tmp_path / "long.mp4", parts=("dim",)), []
    read = annotated_videos.read_frame_times
    monkeypatch.setattr(annotated_videos, "read_frame_times", lambda video: looked.append(video) or read(video))
    formats = ["label-studio", "activitynet", "cvat"]
    [found] = api.timeline(probe_run, [path], rules=RULES, out=tmp_path, formats=formats).timelines
    assert len(found.files) == len(formats)
    assert looked == [path]


def test_what_is_printed(probe_run, video, tmp_path, capsys):
    code, out, err = run("timeline", probe_run, video, "--rules.no-use-none-of-these", "--out", tmp_path, capsys=capsys)
    assert code == 0, err
    lines = out.splitlines()
    assert re.match(r".*long\.mp4  0:16\.0, 4 segments, \d+ times real time", lines[0])
    assert re.fullmatch(r"\|B+·?A+·?B+·?A+\|", lines[1])
    assert [line.split()[3] for line in lines[3:7]] == list(PARTS)
    assert lines[-1] == "rules: as asked for"


def test_json_and_the_default_folder(probe_run, video, capsys):
    code, out, err = run("timeline", probe_run, video, "--format", "vtt", "--json", capsys=capsys)
    assert code == 0, err
    [found] = json.loads(out)["timelines"]
    assert found["files"] == [str(probe_run / "timelines" / "long.vtt")]


def test_a_killed_job_goes_on_and_says_the_same(probe_run, tmp_path, monkeypatch):
    path = write_long(tmp_path / "long.mp4", seed=1)
    whole = api.timeline(probe_run, [path], rules=RULES, out=tmp_path / "whole", formats=["json"])
    monkeypatch.setattr(video_scoring, "KEEP_EVERY_SECONDS", 0.0)
    steps = []

    def killed(scorer, *_):
        steps.append(scorer.frames_seen)
        if len(steps) == 3:
            raise MemoryError("as if killed")

    push = video_scoring.WindowScorer.push

    def counted(scorer, frames_THWC):
        killed(scorer)
        return push(scorer, frames_THWC)

    monkeypatch.setattr(video_scoring.WindowScorer, "push", counted)
    with pytest.raises(MemoryError):
        api.timeline(probe_run, [path], rules=RULES, out=tmp_path / "out")
    assert not (tmp_path / "out" / "long.json").exists()
    resumed = api.timeline(probe_run, [path], rules=RULES, out=tmp_path / "out", resume=True)
    assert steps[3] == 32  # two stretches of 16 frames were on the disk
    assert spans(resumed.timelines[0]) == spans(whole.timelines[0])
    scores = [(tmp_path / each / "long.scores").read_bytes() for each in ("whole", "out")]
    assert scores[0] == scores[1]
    steps.clear()
    again = api.timeline(probe_run, [path], rules=RULES, out=tmp_path / "out", resume=True)
    assert steps == []  # all scores were there
    assert spans(again.timelines[0]) == spans(whole.timelines[0])
    with pytest.raises(UserError, match="is of another video, model or other windows"):
        api.timeline(probe_run, [path], windows=WindowConfig(window_seconds=1), out=tmp_path / "out", resume=True)


def test_a_job_says_exactly_where_it_begins(probe_run, video, tmp_path, monkeypatch):
    recognizer, windows, reported = load(probe_run, device="cpu"), WindowConfig(), []
    monkeypatch.setattr(video_scoring, "KEEP_EVERY_SECONDS", 0.0)

    def score(*, resume: bool, stop_after: float = 1e9) -> None:
        def report(done_seconds: float, _expected: float | None) -> None:
            reported.append(done_seconds)
            if done_seconds > stop_after:
                raise MemoryError("as if killed")

        reported.clear()
        with ScoreFile(tmp_path / "scores", {}, class_count=2) as scores:
            video_scoring.score_video(recognizer, video, windows=windows, scores=scores, resume=resume, report=report)

    with pytest.raises(MemoryError):
        score(resume=False, stop_after=6)
    assert reported == pytest.approx([0, 16 / 5, 32 / 5])  # stretches of 16 frames, 5 a second
    score(resume=True)
    assert reported == pytest.approx([32 / 5, 48 / 5, 64 / 5, 80 / 5])
    monkeypatch.delattr(video_scoring, "window_scorer")  # all scores are there, so the model need not be prepared
    score(resume=True)
    assert reported == []


def test_the_speed_of_few_frames_a_second(probe_run, video, tmp_path):
    # The one frame stands for more than a minute, and yet the job began at the start.
    windows = WindowConfig(frames_per_second=0.015)
    [found] = api.timeline(probe_run, [video], windows=windows, rules=RULES, out=tmp_path, formats=[]).timelines
    assert found.times_real_time > 0


def annotate(path: Path, video: Path, parts=PARTS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "start", "end", "label"])
        writer.writerows([video, 4 * number, 4 * number + 4, part] for number, part in enumerate(parts))
    return path


def test_rules_are_tuned_kept_and_used(probe_run, video, tmp_path, capsys):
    table = annotate(tmp_path / "truth.csv", video)
    bad = SegmentRules(change_cost=0, least_seconds=12, use_none_of_these=False)  # nothing lasts twelve seconds
    result = api.timeline(probe_run, [video], tune=table, rules=bad, out=tmp_path / "out", formats=["csv"])
    try:
        assert result.rules.least_seconds < 4
        assert [label for label, _, _ in spans(result.timelines[0])] == list(PARTS)
        kept = json.loads((probe_run / "timeline.json").read_text())["content"]
        assert kept["rules"] == result.rules.to_dict()
        assert (kept["tuned_on"], kept["default_f1_at_50"]) == (["long.mp4"], 0)
        assert kept["f1_at_50"] == 1
        code, out, err = run(
            "timeline", probe_run, video, "--out", tmp_path / "two", "--rules.gap-seconds", 0.2, "--json", capsys=capsys
        )
        assert code == 0, err
        assert json.loads(out)["rules"] == result.rules.to_dict() | {"gap_seconds": 0.2}
        assert api.timeline(probe_run, [video], out=tmp_path / "two").rules_from == "tuned on 1 video"
    finally:
        (probe_run / "timeline.json").unlink()


def test_a_truth_is_measured_with(probe_run, video, tmp_path, capsys):
    table = annotate(tmp_path / "truth.csv", video, parts=("dim", "bright", "dim", "crowd"))
    result = api.timeline(probe_run, truth=table, rules=RULES, out=tmp_path / "out", formats=["csv"])
    found = result.evaluation
    assert [timeline.video.name for timeline in result.timelines] == ["long.mp4"]
    # Three segments are found, and one too many where there is a class that the model does not know.
    assert found.f1[0.5].value == pytest.approx(2 * 3 / (2 * 3 + 1))
    assert found.unknown_labels == ("crowd",)
    assert found.frame_accuracy.value == pytest.approx(0.75, abs=0.05)
    assert found.edit.value == pytest.approx(0.75)
    assert found.false_alarms_an_hour.value == pytest.approx(3600 / 16, rel=0.01)
    assert found.border_seconds.value < 0.5
    assert found.mean_average_precision > 0.7
    assert found.f1[0.5].interval.reason == "1 video, at least 2 are needed"
    assert "F1 at 50 % overlap 85.7 %" in str(result)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == found.to_dict()
    other = tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes())
    with pytest.raises(UserError, match="the annotations have no segment of these videos"):
        api.timeline(probe_run, [other], truth=table, out=tmp_path / "out")


def test_videos_that_the_model_knows_tune_nothing(probe_run, tmp_path):
    for part, said in (("test", "is a test video"), ("train", "learned from")):
        clip = Split.load(probe_run / "split.json").clips_of(part)[0]
        table = tmp_path / f"{part}.csv"
        table.write_text(f"video,start,end,label\n{clip.path},0,0.3,{clip.label}\n")
        with pytest.raises(UserError, match=said):
            api.timeline(probe_run, tune=table, out=tmp_path / "out")


def test_one_bad_file_does_not_stop_the_others(probe_run, video, tmp_path, capsys):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    result = api.timeline(probe_run, [bad, video], rules=RULES, out=tmp_path / "out")
    assert result.timelines[0].error and not result.timelines[1].error
    assert f"{bad}: " in str(result)
    code, _, err = run("timeline", probe_run, bad, "--out", tmp_path / "out", capsys=capsys)
    assert (code, "none of 1 files could be decoded" in err) == (2, True)


def test_patterns_and_what_a_folder_holds_besides(probe_run, video, tmp_path, capsys):
    make(tmp_path, "games/run/split.json", "games/run/recipe.yaml")
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(video, tmp_path / "games" / name)
    rest = ("--out", tmp_path / "out", "--format", "csv", "--json")
    code, out, err = run("timeline", probe_run, tmp_path / "games" / "*.mp4", *rest, capsys=capsys)
    assert (code, [Path(each["video"]).name for each in json.loads(out)["timelines"]]) == (0, ["a.mp4", "b.mp4"]), err
    code, out, err = run("timeline", probe_run, tmp_path / "games", *rest, capsys=capsys)
    assert (code, len(json.loads(out)["timelines"])) == (0, 2)
    assert "left out, made by muybridge: run" in err


def test_videos_of_one_name_get_files_of_their_own(probe_run, video, tmp_path):
    other = tmp_path / "long.mp4"
    write_long(other, parts=("bright",))
    named = [video, other, video]  # what is named twice is looked at once
    result = api.timeline(probe_run, named, rules=RULES, out=tmp_path / "out", formats=["srt"])
    assert [each.files[0].name for each in result.timelines] == ["long.srt", "long-2.srt"]
    assert [label for label, _, _ in spans(result.timelines[1])] == ["bright"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.mp4"], "no such file, folder or pattern: nowhere.mp4"),
        ([], "no video: name one"),
        (["VIDEO", "--format", "mp4"], "unknown format 'mp4'"),
        (["VIDEO", "--window-seconds", "0"], "window_seconds is 0"),
        (["VIDEO", "--rules.on", "0.2"], "give 0 < off <= on <= 1"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(probe_run, video, tmp_path, capsys, arguments, said):
    given = [video if each == "VIDEO" else each for each in arguments]
    code, _, err = run("timeline", probe_run, *given, "--out", tmp_path, capsys=capsys)
    assert code == 2
    assert said in err


def test_subtitles():
    segments = [Segment(Path("a"), 0.5, 3661.25, "a <b> & --> c\n", 0.9), Segment(Path("a"), 1, 2, "d")]
    assert srt_text(segments).splitlines()[:3] == ["1", "00:00:00,500 --> 01:01:01,250", "a <b> & -> c\\n (0.90)"]
    assert "\n\n2\n00:00:01,000 --> 00:00:02,000\nd\n" in srt_text(segments)
    assert "a &lt;b&gt; &amp; -&gt; c\\n (0.90)" in vtt_text(segments)
    assert [clock(at) for at in (0, 59.96, 3725.04)] == ["0:00.0", "1:00.0", "1:02:05.0"]


def test_names_cannot_steer_the_terminal():
    segment = Segment(Path("a\x1b[2J.mp4"), 0, 1, "\x1b[31mred", 0.5)
    result = TimelineResult(
        Path("run"), (VideoTimeline(segment.video, 1.0, (segment,)),), WindowConfig(), SegmentRules(), "as asked for"
    )
    assert "\x1b" not in str(result)
    assert "\\x1b[31mred" in str(result)


def test_the_classes_are_those_of_the_clips():
    assert set(LEVELS) == set(CLASSES)
