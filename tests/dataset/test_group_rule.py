"""What clips were cut from: as the names of known data sets say, as the user says, or unknown."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import make

from muybridge.dataset.catalog import Catalog
from muybridge.dataset.folds import cross_validation
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.dataset.split import Split
from muybridge.errors import UserError

CLASSES = ("boxing", "running")
KTH = {"boxing": "boxing", "running": "running"}


def groups(catalog: Catalog) -> set[str]:
    return {clip.group for clip in catalog.clips}


def known(catalog: Catalog) -> set[bool]:
    return {clip.group_known for clip in catalog.clips}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{c}/person{n:02}_{c}_d{k}_uncomp.avi", {"person01", "person02", "person03"}),
        ("{c}/S00{k}C001P{n:03}R001A00{k}_rgb.avi", {"P001", "P002", "P003"}),
        ("{c}/dQw4w9WgXc{n}_0000{k}0_0000{k}9.mp4", {"dQw4w9WgXc1", "dQw4w9WgXc2", "dQw4w9WgXc3"}),
        ("{c}/v_-_w4w9WgX_{n}_0000{k}0_0000{k}9.mp4", {"v_-_w4w9WgX_1", "v_-_w4w9WgX_2", "v_-_w4w9WgX_3"}),
        ("{c}/match{n}_{k}.5_{k}9.25.mp4", {"match1", "match2", "match3"}),
    ],
)
def test_names_of_known_data_sets_tell_the_group_across_classes(tmp_path: Path, name: str, expected: set[str]) -> None:
    names = [name.format(c=c, n=n, k=k) for c in CLASSES for n in (1, 2, 3) for k in (1, 2)]
    catalog = read_catalog(make(tmp_path, *names))
    assert groups(catalog) == expected
    assert known(catalog) == {True}
    assert any(note.startswith("source groups: ") for note in catalog.notes)


@pytest.mark.parametrize(
    "name",
    ["{c}/{i}.webm", "{c}/clip{i:04}.mp4", "{c}/clip_{i}.mp4", "{c}/take_{i}_1.mp4", "{c}/clip_{i}_{j}.mp4"],
    ids=["Something-Something", "clip0001", "clip_1", "second number does not grow", "two counters of one name"],
)
def test_names_that_tell_nothing_leave_the_groups_unknown(tmp_path: Path, name: str) -> None:
    names = [name.format(c=c, i=1000 * k + i, j=1000 * k + i + 1) for k, c in enumerate(CLASSES) for i in range(8)]
    catalog = read_catalog(make(tmp_path, *names))
    assert known(catalog) == {False}
    assert any("source groups unknown" in note and "data.groups" in note for note in catalog.notes)


def test_something_something_is_named(tmp_path: Path) -> None:
    catalog = read_catalog(make(tmp_path, *(f"{c}/{k}{i}.webm" for k, c in enumerate(CLASSES, 1) for i in range(4))))
    assert any("Something-Something" in note for note in catalog.notes)


def test_unknown_is_never_a_leak_of_none(tmp_path: Path) -> None:
    catalog = read_catalog(make(tmp_path, *(f"{c}/clip{i}.mp4" for c in CLASSES for i in range(8))))
    split = make_split(catalog)
    leak = split.leak(catalog)
    assert "source groups unknown" in str(leak)
    assert "data.groups" in str(leak)
    assert "0 of" not in str(leak)
    assert leak.to_dict()["unknown"] == 16
    split.save(tmp_path / "split.json")
    assert {clip.group_known for clip in Split.load(tmp_path / "split.json").clips} == {False}
    whole, _ = cross_validation(catalog, count=2)
    assert "divided by clip, since source groups are unknown" in whole.notes[0]


def test_the_same_bytes_are_told_of_also_where_groups_are_unknown(tmp_path: Path) -> None:
    make(tmp_path, *(f"{c}/clip{i}.mp4" for c in CLASSES for i in range(8)))
    for path in tmp_path.rglob("*.mp4"):
        path.write_bytes(str(path).encode())
    catalog = read_catalog(tmp_path)
    split = make_split(catalog, protocol="random")
    (tmp_path / split.test[0]).write_bytes((tmp_path / split.train[0]).read_bytes())
    catalog = read_catalog(tmp_path)
    assert "1 test clip is in train byte for byte" in str(split.leak(catalog))


def test_one_clip_of_unknown_source_is_enough_for_the_count_to_be_a_least(tmp_path: Path) -> None:
    names = [f"{c}/v_{c}_g{g:02}_c{n:02}.avi" for c in CLASSES for g in range(1, 6) for n in (1, 2)]
    catalog = read_catalog(make(tmp_path, *names, "boxing/stranger.avi"))
    grouped, random = (make_split(catalog, protocol=p).leak(catalog) for p in ("grouped", "random"))
    assert "source groups of 1 clip unknown" in str(grouped)
    assert str(random).startswith(f"at least {random.test_shared} of ")


def test_none_makes_known_names_unknown(tmp_path: Path) -> None:
    names = [f"{c}/v_{c}_g{g:02}_c{n:02}.avi" for c in CLASSES for g in range(1, 4) for n in (1, 2)]
    catalog = read_catalog(make(tmp_path, *names), groups="none")
    assert known(catalog) == {False}
    assert groups(catalog) == set(names)


def test_parts_of_a_file_are_of_one_known_group(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "clips.csv").write_text("path,label,start,end\na.mp4,x,0,1\na.mp4,y,1,2\nb.mp4,x,0,1\nb.mp4,y,1,2\n")
    catalog = read_catalog(tmp_path)
    assert groups(catalog) == {"a.mp4", "b.mp4"}
    assert known(catalog) == {True}


# What the user says.


def test_a_column_of_any_name_and_case(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    text = "path,label,group,Camera\na.mp4,x,g1,north\nb.mp4,x,g2,north\nc.mp4,y,g3,\n"
    (tmp_path / "clips.csv").write_text(text)
    catalog = read_catalog(tmp_path, groups="camera")
    assert [(clip.group, clip.group_known) for clip in catalog.clips] == [
        ("north", True),
        ("north", True),
        ("c.mp4", False),
    ]
    assert {"source groups: the CSV's Camera column"} <= set(catalog.notes)
    assert not any("Camera" in note for note in catalog.notes if "ignored" in note)
    assert groups(read_catalog(tmp_path)) == {"g1", "g2", "g3"}


def test_a_regular_expression_finds_the_group_in_the_file_name_or_path(tmp_path: Path) -> None:
    make(tmp_path, *(f"{c}/cam{n}/p{k}-{c}.mp4" for c in CLASSES for n in (1, 2) for k in (1, 2)))
    assert groups(read_catalog(tmp_path, groups=r"(p\d)")) == {"p1", "p2"}
    assert groups(read_catalog(tmp_path, groups=r"(cam)?/(?P<group>cam\d)/")) == {"cam1", "cam2"}
    assert groups(read_catalog(tmp_path, groups="folder")) == {f"{c}/cam{n}" for c in CLASSES for n in (1, 2)}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (r"(cam\d)", "in the file name of 4 of 4 clips"),
        (r"(a)", "in the file name of 2 of 4 clips of .*, for example boxing/b.mp4"),
        (r"(x)?a", "4 of 4 clips"),
        ("person", "no group in brackets"),
        ("person(", "as a regular expression it is wrong"),
        ("nonee", "did you mean 'none'"),
        ("", "no group in brackets"),
        ("folder", "lies in a folder below its class"),
    ],
)
def test_a_rule_that_finds_nothing_says_what_to_do(tmp_path: Path, rule: str, words: str) -> None:
    make(tmp_path, *(f"{c}/{n}.mp4" for c in CLASSES for n in "ab"))
    with pytest.raises(UserError, match=words) as raised:
        read_catalog(tmp_path, groups=rule)
    assert "\n" not in str(raised.value)


def test_a_misspelt_column_is_told_with_the_columns(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "clips.csv").write_text("path,label,camera\na.mp4,x,1\nb.mp4,y,2\n")
    with pytest.raises(UserError, match=r"no column of .*path, label, camera.*did you mean 'camera'"):
        read_catalog(tmp_path, groups="camra")
