"""Tables as other tools and systems write them."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import make

from muybridge.dataset.table import column_names, read_table
from muybridge.errors import UserError

FILES = ("parts/walk/a.mp4", "parts/run/b.mp4", "c.mp4")


def table(root: Path, text: str, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    make(root, *FILES)
    (root / name).write_bytes(text.encode(encoding))
    return root / name


def labels(path: Path) -> dict[str, str]:
    return {clip.id: clip.label for clip in read_table(path).clips}


WALK_AND_RUN = {"parts/walk/a.mp4": "walk", "parts/run/b.mp4": "run"}


@pytest.mark.parametrize(
    "first",
    ["sep=;\n", "sep=;\r\n", "SEP=;\n", '"sep=;"\n', "\ufeffsep=;\n", "sep=;;\n", "\n\nsep=;\n", ""],
)
def test_the_separator_line_of_a_spreadsheet(tmp_path: Path, first: str) -> None:
    path = table(tmp_path, f"{first}path;label\nparts\\walk\\a.mp4;walk\nparts\\run\\b.mp4;run\n")
    assert labels(path) == WALK_AND_RUN


def test_the_separator_line_decides_and_lines_are_counted_with_it(tmp_path: Path) -> None:
    path = table(tmp_path, "sep=\t\npath\tlabel\nparts/walk/a.mp4\twalk; or, run|stand\n")
    assert labels(path) == {"parts/walk/a.mp4": "walk; or, run|stand"}
    with pytest.raises(UserError, match="line 4: the label is empty"):
        read_table(table(tmp_path, "sep=;\npath;label\nparts/walk/a.mp4;walk\nparts/run/b.mp4;\n"))
    with pytest.raises(UserError, match="has no header"):
        read_table(table(tmp_path, "sep=;\n"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert labels(table(tmp_path, "path,label\nc.mp4,gehen über\n", encoding=encoding)) == {"c.mp4": "gehen über"}


@pytest.mark.parametrize(
    "header",
    [
        "video,label", "file,class", "video_path,action", "Video Path;Class Name", "filename\tcategory",
        "FilePath,LABEL", "clip,activity", "name|target", "clip_path,Action Label", "path label", "video;Tag",
    ],
)  # fmt: skip
def test_names_that_other_tools_give_to_the_columns(tmp_path: Path, header: str) -> None:
    delimiter = next((each for each in ",;\t|" if each in header), " ")
    rows = [header, delimiter.join(("parts/walk/a.mp4", "walk")), delimiter.join(("parts/run/b.mp4", "run"))]
    path = table(tmp_path, "\n".join(rows))
    assert labels(path) == WALK_AND_RUN
    assert column_names(path) == header.split(delimiter)


def test_every_column_by_another_name(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "id,clip_name,clip_path,action,Subject ID,Subset,start_time,End Time,fps\n"
        "1,a,parts/walk/a.mp4,walk,s1,training,0,2,25\n2,b,parts/run/b.mp4,run,s2,valid_set,,,25\n",
    )
    contents = read_table(path)
    clips, notes = contents.clips, contents.notes
    assert [(clip.label, clip.group, clip.split, clip.end_seconds) for clip in clips] == [
        ("walk", "s1", "train", 2.0),
        ("run", "s2", "validation", None),
    ]
    assert "columns ignored: id, clip_name, fps" in notes
    assert "column action taken as label" in notes


def test_our_own_name_of_a_column_comes_first(tmp_path: Path) -> None:
    contents = read_table(table(tmp_path, "path,label,class,name,set\nc.mp4,walk,3,x,B\n"))
    clips, notes = contents.clips, contents.notes
    assert clips[0].label == "walk"
    assert "column set is no split: B" in notes
    assert any(note.startswith("columns ignored: class, name, set") for note in notes)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("video,file,label", "the columns video and file may each be the path; name the right one path"),
        ("path,class,action", "the columns class and action may each be the label"),
        ("path,label,subject,source", "the columns subject and source may each be the group"),
        ("path,label,Label", "two columns are named label; keep one"),
    ],
)
def test_two_columns_for_one_thing_are_an_error_that_names_both(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_table(table(tmp_path, f"{header}\nc.mp4,walk,x\n"))


def test_a_column_of_groups_that_is_named_is_taken(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,subject,source,day\nc.mp4,walk,s,t,monday\n")
    assert read_table(path, group_column="day").clips[0].group == "monday"
    assert read_table(path, group_column="source").clips[0].group == "t"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,label\nc.mp4,walk\nparts/run/b.mp4,pick up, left\n",
            r"line 3: 3 cells.*2 columns.*comma.*'left' is left",
        ),
        ("path;label\nc.mp4;pick up; left\n", r"line 2: 3 cells.*a semicolon between double quotes"),
        ("path label\nc.mp4 pick up\n", r"line 2: 3 cells.*a blank between double quotes"),
        ("path,label,\nc.mp4,walk,,\nparts/run/b.mp4,run,,left\n", r"line 3: 4 cells.*'left'"),
    ],
)
def test_a_label_cut_at_its_separator_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_table(table(tmp_path, text))


def test_the_rest_of_a_label_in_the_next_column_is_asked_about(tmp_path: Path) -> None:
    rows = ["path,label,group", "parts/walk/a.mp4,pick up, left", "parts/run/b.mp4,run,s1", "c.mp4,run,"]
    with pytest.raises(UserError, match="line 2: is 'left' the rest of the label 'pick up'"):
        read_table(table(tmp_path, "\n".join(rows)))
    spaced = [row.replace(",", ", ") for row in rows[:3]]
    assert [clip.group for clip in read_table(table(tmp_path, "\n".join(spaced))).clips] == ["left", "s1"]


def test_rows_with_empty_cells_too_many_or_too_few_are_read(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,group\nparts/walk/a.mp4,walk,,,\nparts/run/b.mp4,run\n")
    assert labels(path) == WALK_AND_RUN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parts/walk/a.mp4,walk\nparts/run/b.mp4,run\n", r"line 1: the table has no header.*'path,label'"),
        ("walk;nothing.avi\n", r"line 1: the table has no header.*'path;label'"),
        ("parts/walk/a.mp4 3\nparts/run/b.mp4 4\n", r"line 1: the table has no header.*'path label'"),
        ("path,label\nparts/walk,walk\n", "line 2: parts/walk is a folder; name a video file"),
        ('path,label\n"c.mp4,walk\nparts/run/b.mp4,run\n', "line 2: .*several lines.*quote"),
        ("path,label\nc\0.mp4,walk\n", "neither a table|zero byte"),
        (f"path,label\n{'x' * 5000}.mp4,walk\n", "line 2: xxx.*… does not exist"),
        (f"path,label\nc.mp4,{'x' * 200_000}\n", "line 2: not a CSV row"),
        ("path,label\nC:\\videos\\c.mp4,walk\n", "another system's way"),
    ],
)
def test_other_mistakes_are_one_short_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_table(table(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_paths_as_other_systems_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path, "salto\u0301/d.mp4", "back\\slash.mp4")
    rows = [r"parts\walk\a.mp4", f"{tmp_path}/parts/run/b.mp4", "~/c.mp4", "salt\u00f3/d.mp4", r"back\slash.mp4"]
    path = table(tmp_path, "path,label\n" + "".join(f"{row},{number}\n" for number, row in enumerate(rows)))
    found = labels(path)
    assert found == {
        "parts/walk/a.mp4": "0",
        "parts/run/b.mp4": "1",
        "c.mp4": "2",
        "salto\u0301/d.mp4": "3",
        r"back\slash.mp4": "4",
    }


def test_the_home_of_nobody_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"~nosuchuser/c\.mp4 does not exist"):
        read_table(table(tmp_path, "path,label\n~nosuchuser/c.mp4,walk\n"))


@pytest.mark.parametrize("written", ["C.mp4", "c", "c.avi"])
def test_a_file_named_almost_so_is_shown(tmp_path: Path, written: str) -> None:
    with pytest.raises(UserError, match=r"does not exist; paths are relative to .* \(there is a c\.mp4\)"):
        read_table(table(tmp_path, f"path,label\n{written},walk\n"))
