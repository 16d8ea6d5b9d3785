"""What each annotator's file says, in files such as it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.catalogs import make

from muybridge.dataset.annotations.annotation_files import read_annotations
from muybridge.dataset.annotations.rules import AnnotationRules
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.segments import Annotations
from muybridge.errors import UserError

Rows = list[tuple[str, float, float, str]]


def every_tenth_of_a_second(video: Path) -> VideoTimes:
    """100 frames, 10 a second."""
    return VideoTimes(np.arange(100) / 10, 10.0, 64, 48)


def films(root: Path, *names: str) -> Path:
    return make(root, *(names or ("game.mp4", "b.mp4")))


def rows(annotations: Annotations) -> Rows:
    return [(each.video.name, each.start_seconds, each.end_seconds, each.label) for each in annotations.segments]


def saved(root: Path, name: str, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (root / name).write_text(text, encoding="utf-8")
    return root / name


# CSV


def test_times_of_a_csv(tmp_path: Path) -> None:
    films(tmp_path)
    text = (
        "video,start,end,label\ngame.mp4,1.5,3,jump\ngame.mp4,1:03.25,00:01:04.500,run\n"
        "game.mp4,01:02:03,01:02:04.001,run\nb.mp4,,,\n"
    )
    read = read_annotations(saved(tmp_path, "a.csv", text))
    assert rows(read) == [
        ("game.mp4", 1.5, 3.0, "jump"),
        ("game.mp4", 63.25, 64.5, "run"),
        ("game.mp4", 3723.0, 3724.001, "run"),
    ]
    assert [video.name for video in read.videos] == ["b.mp4", "game.mp4"]
    assert read.format == "csv"


@pytest.mark.parametrize("cell", ["1:75", "x", "-1", "1:2:3:4", "nan", "1:", ":30", "90:61:00", "inf"])
def test_what_is_no_time(tmp_path: Path, cell: str) -> None:
    films(tmp_path)
    with pytest.raises(UserError, match=r"a\.csv, line 2: start is .*; give seconds as a number.*mm:ss"):
        read_annotations(saved(tmp_path, "a.csv", f"video,start,end,label\ngame.mp4,{cell},9,jump\n"))


def test_frames_of_a_csv_are_those_of_the_file_or_of_a_rate(tmp_path: Path) -> None:
    path = saved(films(tmp_path), "a.csv", "video,start,end,label\ngame.mp4,5,20,jump\ngame.mp4,90,100,run\n")
    read = read_annotations(path, AnnotationRules(unit="frames"), times_of=every_tenth_of_a_second)
    assert rows(read) == [("game.mp4", 0.5, 2.0, "jump"), ("game.mp4", 9.0, 10.0, "run")]
    read = read_annotations(path, AnnotationRules(unit="frames", fps=20), times_of=every_tenth_of_a_second)
    assert rows(read) == [("game.mp4", 0.25, 1.0, "jump"), ("game.mp4", 4.5, 5.0, "run")]
    read = read_annotations(path, AnnotationRules(unit="frames", fps=20))
    assert rows(read) == [("game.mp4", 0.25, 1.0, "jump"), ("game.mp4", 4.5, 5.0, "run")]
    with pytest.raises(UserError, match=r"say with data\.annotation_fps"):
        read_annotations(path, AnnotationRules(unit="frames"))
    with pytest.raises(UserError, match=r"line 2: start is '1\.5'; give a frame number"):
        wrong = saved(tmp_path, "b.csv", "video,start,end,label\ngame.mp4,1.5,20,jump\n")
        read_annotations(wrong, AnnotationRules(unit="frames"), times_of=every_tenth_of_a_second)


def test_one_part_of_a_video_has_several_labels_in_annotations_and_one_in_a_table_of_clips(tmp_path: Path) -> None:
    path = saved(films(tmp_path), "a.csv", "video,start,end,label,score\ngame.mp4,1,2,a,0.5\ngame.mp4,1,2,b,\n")
    assert [(each.label, each.score) for each in read_annotations(path).segments] == [("a", 0.5), ("b", None)]
    with pytest.raises(UserError, match=r"line 3: .* is already in line 2"):
        read_catalog(path)


def test_videos_of_a_csv_that_are_not_there(tmp_path: Path) -> None:
    path = saved(films(tmp_path), "a.csv", "video,start,end,label\ngone.mp4,1,2,a\ngame.mp4,1,2,b\nalso.mp4,,,\n")
    with pytest.raises(UserError, match=r"line 2: gone\.mp4 does not exist \(nor do 1 other\)"):
        read_annotations(path)
    read = read_annotations(path, AnnotationRules(missing="skip"))
    assert rows(read) == [("game.mp4", 1.0, 2.0, "b")]
    assert "left out, 2 rows whose video cannot be found, such as gone.mp4" in read.notes
    catalog = read_catalog(path, annotations=AnnotationRules(missing="skip"))
    assert [clip.id for clip in catalog.clips] == ["game.mp4#1-2"]


# Label Studio


def region(label: str, start: int, end: int, **more: object) -> dict[str, object]:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": "videoLabels", "to_name": "video", "value": value, **more}


def test_label_studio_counts_frames_from_one_to_the_last_one_included(tmp_path: Path) -> None:
    task = {
        "id": 7,
        "data": {"video": "/data/upload/3/1f0c9a2b-game.mp4"},
        "annotations": [
            {"was_cancelled": True, "result": [region("wrong", 1, 2)]},
            {
                "result": [
                    region("jump", 1, 10),
                    region("run", 91, 100),
                    {"type": "choices", "value": {"choices": ["x"]}},
                ]
            },
        ],
        "predictions": [{"result": [region("guessed", 5, 6)]}],
    }
    path = saved(films(tmp_path), "export.json", [task])
    read = read_annotations(path, times_of=every_tenth_of_a_second)
    assert rows(read) == [("game.mp4", 0.0, 1.0, "jump"), ("game.mp4", 9.0, 10.0, "run")]
    notes = " ".join(read.notes)
    assert "taken by file name: /data/upload/3/1f0c9a2b-game.mp4" in notes
    assert "left out, regions that are no time: choices (1)" in notes
    assert "frameRate" in notes
    assert rows(read_annotations(path, AnnotationRules(fps=20), times_of=every_tenth_of_a_second))[0][1:3] == (0.0, 0.5)
    task["data"] = {"video": "game.mp4", "fps": 5}
    assert rows(read_annotations(saved(tmp_path, "b.json", [task]), times_of=every_tenth_of_a_second))[0][2] == 2.0


def test_label_studio_s_regions_in_seconds_boxes_small_form_and_predictions(tmp_path: Path) -> None:
    films(tmp_path, "game.mp4", "b.mp4")
    seconds = {
        "type": "labels",
        "from_name": "l",
        "value": {"start": 0.5, "end": 1.75, "labels": ["talk"], "channel": 0},
    }
    keys = [{"frame": 1, "enabled": True}, {"frame": 4, "enabled": True}, {"frame": 6, "enabled": False},
            {"frame": 10, "enabled": True}]  # fmt: skip
    box = {
        "type": "videorectangle",
        "value": {"sequence": keys, "labels": ["man"], "framesCount": 100, "duration": 10.0},
    }
    task = {"data": {"video": "game.mp4"}, "annotations": [{"result": [seconds, box]}]}
    read = read_annotations(saved(tmp_path, "a.json", [task]), times_of=every_tenth_of_a_second)
    assert rows(read) == [
        ("game.mp4", 0.0, 0.6, "man"), ("game.mp4", 0.5, 1.75, "talk"), ("game.mp4", 0.9, 10.0, "man")
    ]  # fmt: skip
    small = [
        {"id": 1, "video": "b.mp4", "videoLabels": [{"ranges": [{"start": 2, "end": 3}], "timelinelabels": ["x"]}]}
    ]
    read = read_annotations(saved(tmp_path, "b.json", small), times_of=every_tenth_of_a_second)
    assert rows(read) == [("b.mp4", 0.1, 0.3, "x")]
    guessed = {
        "data": {"video": "/data/local-files/?d=films/b.mp4"},
        "predictions": [{"result": [region("y", 1, 1, score=0.25)]}],
    }
    read = read_annotations(saved(tmp_path, "c.json", [guessed]), times_of=every_tenth_of_a_second)
    assert [(each.label, each.score) for each in read.segments] == [("y", 0.25)]
    assert "no annotations in the file, so its predictions were read" in read.notes


def test_a_control_of_label_studio_can_be_named(tmp_path: Path) -> None:
    result = [region("a", 1, 5), region("b", 1, 5, from_name="other")]
    path = saved(films(tmp_path), "a.json", [{"data": {"video": "game.mp4"}, "annotations": [{"result": result}]}])
    read = read_annotations(path, AnnotationRules(tier="oth*"), times_of=every_tenth_of_a_second)
    assert [each.label for each in read.segments] == ["b"]
    with pytest.raises(UserError, match=r"a\.json has no control othr; did you mean 'other'\?; .* one of: other, v"):
        read_annotations(path, AnnotationRules(tier="othr"), times_of=every_tenth_of_a_second)


# ELAN

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/film/talk.wav" MIME_TYPE="audio/x-wav" RELATIVE_MEDIA_URL="./talk.wav"/>
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/film/game.mp4" MIME_TYPE="video/mp4" {media}/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="100"/><TIME_SLOT TIME_SLOT_ID="t2"/>
    <TIME_SLOT TIME_SLOT_ID="t3" TIME_VALUE="900"/><TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="1500"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="a" TIER_ID="action">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2">
      <ANNOTATION_VALUE>jump</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="t2" TIME_SLOT_REF2="t3">
      <ANNOTATION_VALUE> run  fast </ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="t3" TIME_SLOT_REF2="t4">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="b" PARENT_REF="action" TIER_ID="how">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>high</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a5" ANNOTATION_REF="a1" PREVIOUS_ANNOTATION="a4">
      <ANNOTATION_VALUE>low</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="a" TIER_ID="empty"/>
</ANNOTATION_DOCUMENT>
"""


def test_elan_s_tiers(tmp_path: Path) -> None:
    path = saved(films(tmp_path), "a.eaf", EAF.format(media='RELATIVE_MEDIA_URL="./game.mp4"'))
    with pytest.raises(UserError, match=r"several tiers: action \(3\), how \(2\); name one with data\.annotation_tier"):
        read_annotations(path)
    read = read_annotations(path, AnnotationRules(tier="action"))
    # The time that ELAN leaves open lies half-way.
    assert rows(read) == [("game.mp4", 0.1, 0.5, "jump"), ("game.mp4", 0.5, 0.9, "run fast")]
    assert read.notes == ("left out, 1 segment without a label",)
    assert rows(read_annotations(path, AnnotationRules(tier="how"))) == [
        ("game.mp4", 0.1, 0.3, "high"),
        ("game.mp4", 0.3, 0.5, "low"),
    ]
    assert len(read_annotations(path, AnnotationRules(tier="*")).segments) == 4
    with pytest.raises(UserError, match="has no tier actoin; its tiers with annotations: action"):
        read_annotations(path, AnnotationRules(tier="actoin"))


def test_an_elan_file_from_another_machine_and_with_an_offset(tmp_path: Path) -> None:
    path = saved(films(tmp_path), "a.eaf", EAF.format(media='TIME_ORIGIN="2000"'))
    read = read_annotations(path, AnnotationRules(tier="action"))
    assert rows(read)[0] == ("game.mp4", 2.1, 2.5, "jump")
    assert "1 video not where the annotations say, taken by file name: file:///C:/film/game.mp4" in read.notes
    (tmp_path / "game.mp4").unlink()
    with pytest.raises(UserError, match=r"a\.eaf: 1 of 1 video cannot be found: .*game\.mp4; put them next to it"):
        read_annotations(path, AnnotationRules(tier="action"))


# BORIS


def project(events: list[list[object]], files: list[str], **lengths: float) -> dict[str, object]:
    behaviors = {
        "0": {"type": "State event", "key": "e", "code": "eat", "modifiers": {}},
        "1": {"type": "Point event", "key": "p", "code": "peck", "modifiers": {}},
    }
    media = {"length": {f"{name}.mp4": length for name, length in lengths.items()}}
    observation = {"type": "MEDIA", "file": {"1": files, "2": []}, "events": events, "media_info": media,
                   "time offset": 0.0}  # fmt: skip
    live = {"type": "LIVE", "file": [], "events": [[1.0, "", "eat", "", ""]], "media_info": {"offset": {}}}
    return {"behaviors_conf": behaviors, "observations": {"day 1": observation, "seen": live},
            "project_format_version": "7.0"}  # fmt: skip


def test_boris_s_states_alternate_and_points_are_left_out(tmp_path: Path) -> None:
    events = [
        [1.5, "", "eat", "", ""], [2.0, "hen", "eat", "", ""], [2.5, "", "peck", "", ""], [3.25, "", "eat", "", ""],
        [4.0, "hen", "eat", "", ""],
    ]  # fmt: skip
    films(tmp_path)
    read = read_annotations(saved(tmp_path, "a.boris", project(events, ["/home/x/game.mp4"])))
    assert rows(read) == [("game.mp4", 1.5, 3.25, "eat"), ("game.mp4", 2.0, 4.0, "eat")]
    assert "left out, point events: peck (1)" in read.notes
    assert "left out, 1 observation without a media file" in read.notes
    with pytest.raises(UserError, match="observation day 1: the state eat that starts at 5 s never stops"):
        read_annotations(saved(tmp_path, "b.boris", project([*events, [5, "", "eat", "", ""]], ["game.mp4"])))
    early = [[-1.0, "", "eat", "", ""], [2.0, "", "eat", "", ""]]
    with pytest.raises(UserError, match=r"c\.boris, observation day 1: 'eat' is from -1 to 2 s"):
        read_annotations(saved(tmp_path, "c.boris", project(early, ["game.mp4"])))


def test_boris_plays_files_one_after_the_other(tmp_path: Path) -> None:
    events = [[8.0, "", "eat", "", ""], [12.0, "", "eat", "", ""]]
    films(tmp_path)
    read = read_annotations(saved(tmp_path, "a.boris", project(events, ["game.mp4", "b.mp4"], game=10.0, b=10.0)))
    assert rows(read) == [("b.mp4", 0.0, 2.0, "eat"), ("game.mp4", 8.0, 10.0, "eat")]
    with pytest.raises(UserError, match=r"the length of game\.mp4 is missing"):
        read_annotations(saved(tmp_path, "b.boris", project(events, ["game.mp4", "b.mp4"])))


def test_boris_s_tables(tmp_path: Path) -> None:
    films(tmp_path)
    aggregated = (
        "Observation id\tMedia duration (s)\tSubject\tBehavior\tBehavior type\tStart (s)\tStop (s)\tMedia file name\n"
        "day 1\t10\t\teat\tSTATE\t1.5\t3.25\t/home/x/game.mp4\nday 1\t10\t\tpeck\tPOINT\t2\t2\t/home/x/game.mp4\n"
    )
    read = read_annotations(saved(tmp_path, "a.tsv", aggregated))
    assert rows(read) == [("game.mp4", 1.5, 3.25, "eat")]
    assert read.format == "boris"
    assert "left out, point events: peck (1)" in read.notes
    columns = (
        "Observation id\tSource\tTime offset (s)\tMedia duration (s)\tBehavior\tBehavior type\tStart (s)\tStop (s)\n"
    )
    two = "day 1\tplayer #1:/x/game.mp4|player #2:/x/b.mp4\t5\t10|10\teat\tSTATE\t1\t2\n"
    read = read_annotations(saved(tmp_path, "two.tsv", columns + two))
    assert rows(read) == [("game.mp4", 1.0, 2.0, "eat")]
    assert "BORIS gives a time offset: times are taken as they are in the table" in read.notes
    with pytest.raises(UserError, match=r"line 2: the observation plays several files .*save the project"):
        read_annotations(saved(tmp_path, "list.tsv", columns + two.replace("game.mp4|", "game.mp4;/x/c.mp4|")))
    tabular = (
        "Observation id,day 1,,,\n,,,,\nPlayer #1,game.mp4,,,\n,,,,\n"
        "Time,Media file path,Subject,Behavior,Status\n1.5,game.mp4,,eat,START\n2.5,game.mp4,hen,eat,START\n"
        "3.25,game.mp4,,eat,STOP\n4,game.mp4,hen,eat,STOP\n"
    )
    read = read_annotations(saved(tmp_path, "b.csv", tabular))
    assert rows(read) == [("game.mp4", 1.5, 3.25, "eat"), ("game.mp4", 2.5, 4.0, "eat")]
    with pytest.raises(UserError, match=r"c\.csv, line 6: eat starts and never stops"):
        read_annotations(saved(tmp_path, "c.csv", "".join(tabular.splitlines(keepends=True)[:6])))


# ActivityNet and THUMOS


def test_activitynet(tmp_path: Path) -> None:
    films(tmp_path, "v_abc.mp4", "inner/video_test_01.mkv")
    database = {
        "abc": {"subset": "training", "duration": 9.0, "annotations": [{"segment": [1, 2.5], "label": "jump"}]},
        "video_test_01": {"subset": "test", "annotations": [
            {"segment": [0.5, 2], "segment(frames)": [15, 60], "label": "run", "label_id": 1}, {"label": "run"}]},
        "gone": {"subset": "validation", "annotations": []},
    }  # fmt: skip
    path = saved(tmp_path, "a.json", {"version": "1.3", "database": database, "taxonomy": []})
    with pytest.raises(UserError, match=r"1 of 3 videos cannot be found: gone; .*data\.annotation_missing skip"):
        read_annotations(path)
    read = read_annotations(path, AnnotationRules(missing="skip"))
    assert rows(read) == [("video_test_01.mkv", 0.5, 2.0, "run"), ("v_abc.mp4", 1.0, 2.5, "jump")]
    assert [each.split for each in read.segments] == ["test", "train"]
    assert "left out, 1 video that cannot be found: gone" in read.notes
    results = {"version": "1.3", "results": {"abc": [{"label": "jump", "score": 0.75, "segment": [1.0, 2.0]}]}}
    read = read_annotations(saved(tmp_path, "b.json", results))
    assert [(each.label, each.score) for each in read.segments] == [("jump", 0.75)]


# CVAT


def cvat(*tracks: str, size: str = "<size>100</size>") -> str:
    meta = f"<meta><task><id>3</id><name>n</name>{size}<source>game.mp4</source></task></meta>"
    body = "".join(tracks)
    return f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{meta}{body}</annotations>'


def track(label: str, *shapes: tuple[int, int], kind: str = "box") -> str:
    inner = "".join(f'<{kind} frame="{frame}" outside="{outside}" keyframe="1"/>' for frame, outside in shapes)
    return f'<track id="0" label="{label}" source="manual">{inner}</track>'


def test_cvat_s_tracks_are_there_until_they_are_outside(tmp_path: Path) -> None:
    text = cvat(
        track("jump", (5, 0), (6, 0), (9, 1), (20, 0), (30, 1)),
        track("run", (90, 0), kind="polygon"),
        track("never", (3, 1)),
        '<image id="1"/>',
    )
    read = read_annotations(saved(films(tmp_path), "a.xml", text), times_of=every_tenth_of_a_second)
    assert rows(read) == [
        ("game.mp4", 0.5, 0.9, "jump"), ("game.mp4", 2.0, 3.0, "jump"), ("game.mp4", 9.0, 10.0, "run"),
    ]  # fmt: skip
    assert "left out, what is no track: image (1)" in read.notes
    read = read_annotations(
        saved(tmp_path, "b.xml", cvat(track("run", (9, 0)), size="")), times_of=every_tenth_of_a_second
    )
    assert rows(read) == [("game.mp4", 0.9, 1.0, "run")]
    assert "1 track without an end: taken up to its last shape" in read.notes


# VIA


def via(attributes: dict[str, object], *metadata: dict[str, object]) -> dict[str, object]:
    return {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1"]},
        "attribute": attributes,
        "file": {"1": {"fid": "1", "fname": "game.mp4", "type": 4, "loc": 1, "src": "C:\\film\\game.mp4"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {f"1_{number}": {"vid": "1", "flg": 0, **each} for number, each in enumerate(metadata)},
    }


def test_via_s_segments(tmp_path: Path) -> None:
    kind = {"aname": "Behaviour", "anchor_id": "FILE1_Z2_XY0", "type": 3, "options": {"0": "song", "1": "call"}}
    note = {"aname": "note", "anchor_id": "FILE1_Z2_XY0", "type": 1, "options": {}}
    entries = [
        {"z": [1.5, 2.25], "xy": [], "av": {"1": "0"}},
        {"z": [3, 4], "xy": [], "av": {"1": "0,1"}},
        {"z": [5], "xy": [], "av": {"1": "0"}},
        {"z": [2], "xy": [2, 10, 10, 5, 5], "av": {"1": "1"}},
    ]
    path = saved(films(tmp_path), "a.json", via({"1": kind}, *entries))
    read = read_annotations(path)
    assert rows(read) == [
        ("game.mp4", 1.5, 2.25, "song"), ("game.mp4", 3.0, 4.0, "call"), ("game.mp4", 3.0, 4.0, "song"),
    ]  # fmt: skip
    assert "left out, 1 mark of a moment" in read.notes
    both = [*entries, {"z": [6, 7], "xy": [], "av": {"1": "1", "2": "loud"}}]
    path = saved(tmp_path, "b.json", via({"1": kind, "2": note}, *both))
    with pytest.raises(UserError, match=r"several attributes: Behaviour \(3\), note \(1\); name one"):
        read_annotations(path)
    assert rows(read_annotations(path, AnnotationRules(tier="note"))) == [("game.mp4", 6.0, 7.0, "loud")]


# What all share


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "is damaged: it is not JSON"),
        ("a.json", "{}", "is no annotation file of Label Studio, BORIS, ActivityNet or VIA 3"),
        ("a.json", "[]", "is no annotation file of"),
        ("a.json", {"database": {"game": {"annotations": [{"label": 3, "segment": [1, 2]}]}}}, "Expected `str`"),
        ("a.json", {"database": {"game": {"annotations": [{"label": "x", "segment": [3, 2]}]}}}, "is from 3 to 2 s"),
        ("a.json", {"database": {"game": {"annotations": [{"label": "x", "segment": [-1, 2]}]}}}, "at or after 0"),
        ("a.xml", "<annotations>", "is not XML"),
        ("a.xml", "<other/>", "is neither CVAT's nor ELAN's XML"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "declares a document type"),
        ("a.xml", cvat(track("x", (-4, 0))), "'-4' is no frame"),
        ("a.eaf", "<ANNOTATION_DOCUMENT/>", "names no video"),
        ("a.docx", "x", "is no annotation file by its name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, name: str, content: object, message: str) -> None:
    path = saved(films(tmp_path), name, content)
    with pytest.raises(UserError) as caught:
        read_annotations(path, times_of=every_tenth_of_a_second)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_name_that_means_two_files_is_asked_about(tmp_path: Path) -> None:
    films(tmp_path, "one/game.mp4", "two/game.mp4")
    path = saved(tmp_path, "a.boris", project([[1, "", "eat", "", ""], [2, "", "eat", "", ""]], ["/x/game.mp4"]))
    with pytest.raises(UserError, match=r"may be any of one/game\.mp4, two/game\.mp4; correct its path"):
        read_annotations(path)


def test_a_catalog_of_annotations_has_a_source_group_a_video_and_clips_that_are_parts(tmp_path: Path) -> None:
    films(tmp_path, "game_001.mp4", "game_002.mp4")
    events = [[1.5, "", "eat", "", ""], [3.25, "", "eat", "", ""]]
    values = project(events, ["game_001.mp4"])
    values["observations"]["day 2"] = {**values["observations"]["day 1"], "file": {"1": ["game_002.mp4"]}}  # type: ignore[index]
    catalog = read_catalog(saved(tmp_path, "a.boris", values))
    assert {clip.group for clip in catalog.clips} == {"game_001.mp4", "game_002.mp4"}
    assert all(clip.group_known and clip.start_seconds == 1.5 and clip.end_seconds == 3.25 for clip in catalog.clips)
    assert [video.name for video in catalog.videos] == ["game_001.mp4", "game_002.mp4"]
    assert catalog.layout == "boris"


def test_two_labels_at_the_same_time_are_two_clips(tmp_path: Path) -> None:
    films(tmp_path)
    database = {"game": {"annotations": [{"segment": [1, 2], "label": each} for each in ("a", "b", "a")]}}
    catalog = read_catalog(saved(tmp_path, "a.json", {"database": database}))
    assert [(clip.id, clip.label) for clip in catalog.clips] == [("game.mp4#1-2 a", "a"), ("game.mp4#1-2 b", "b")]
    assert any("left out, 1 segment that are there twice" in note for note in catalog.notes)
    assert "1 more than once at the same times: a clip for each label" in catalog.notes[0]


def test_a_folder_of_elan_files_is_one_data_set(tmp_path: Path) -> None:
    films(tmp_path, "game.mp4", "b.mp4")
    text = EAF.format(media='RELATIVE_MEDIA_URL="./game.mp4"')
    saved(tmp_path, "a.eaf", text)
    saved(tmp_path, "b.eaf", text.replace("game.mp4", "b.mp4"))
    catalog = read_catalog(tmp_path, annotations=AnnotationRules(tier="action"))
    times = ("0.1-0.5", "0.5-0.9")
    assert {clip.id for clip in catalog.clips} == {f"{video}#{t}" for video in ("b.mp4", "game.mp4") for t in times}


def test_what_is_said_and_means_nothing_is_named(tmp_path: Path) -> None:
    films(tmp_path)
    path = saved(tmp_path, "a.csv", "video,start,end,label\ngame.mp4,1,2,b\n")
    notes = read_annotations(path, AnnotationRules(tier="x", fps=3)).notes
    assert "data.annotation_tier x means nothing for csv, and was not used" in notes
    assert "data.annotation_fps 3 means nothing for csv, and was not used" in notes
    assert read_catalog(path, annotations=AnnotationRules(tier="x")).notes[-1].startswith("data.annotation_tier x")
    eaf = saved(tmp_path, "a.eaf", EAF.format(media='RELATIVE_MEDIA_URL="./game.mp4"'))
    assert (
        "data.annotation_unit frames means nothing for elan, and was not used"
        in read_annotations(eaf, AnnotationRules(tier="how", unit="frames")).notes
    )


def test_other_xml_beside_class_folders_is_left_alone(tmp_path: Path) -> None:
    films(tmp_path, "run/a.mp4", "jump/b.mp4")
    saved(tmp_path, "broken.xml", "<annotations")
    saved(tmp_path, "other.xml", "<project/>")
    assert read_catalog(tmp_path).classes == ("jump", "run")


def test_words_that_are_unknown_are_refused():
    with pytest.raises(UserError, match=r"unknown data.annotation_unit 'frame'; did you mean 'frames'\?"):
        AnnotationRules(unit="frame")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"unknown data.annotation_missing 'skipp'; did you mean 'skip'\?"):
        AnnotationRules(missing="skipp")  # type: ignore[arg-type]
