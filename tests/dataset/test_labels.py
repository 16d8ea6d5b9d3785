"""Labels that look alike, and the same bytes under two labels."""

from pathlib import Path

import pytest
from tests.helpers.catalogs import catalog_of, make

from muybridge.dataset.catalog import Catalog
from muybridge.dataset.contradictions import CONTRADICTION, said_of_contradictions
from muybridge.dataset.labels import alike, joined_to, looks, settle_alike, shown
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError


@pytest.mark.parametrize(
    "other",
    [
        "Pick Up", "pick up ", " pick up", "pick  up", "pick\u00a0up", "pick\tup", "pick\u200b up", "\ufeffpick up",
        "pick up\u00ad", "\uff50ick up", "pick\u2003up", "PICK UP", "pick up\u200e", "pick up\\u200e", "pick\\u2028up",
    ],
)  # fmt: skip
def test_what_hardly_shows_makes_no_other_label(other: str) -> None:
    assert alike(["pick up", other, "put down"]) == [tuple(sorted(("pick up", other)))]


@pytest.mark.parametrize(
    "pair", [("salto\u0301", "salt\u00f3"), ("\u1112\u1161\u11ab", "\ud55c"), ("straße", "STRASSE")]
)
def test_other_spellings_of_the_same_letters_look_alike(pair: tuple[str, str]) -> None:
    assert alike(pair) == [tuple(sorted(pair))]


@pytest.mark.parametrize(
    "pair", [("pick up", "pickup"), ("jump", "jumps"), ("a", "\u00e1"), ("1", "2"), ("\u200b", "a")]
)
def test_different_labels_do_not_look_alike(pair: tuple[str, str]) -> None:
    assert alike(pair) == []


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("jump\u200b") == r"'jump\u200b'"
    assert shown("salto\u0301") == r"'salto\u0301'"
    assert shown("saltó") == "'saltó'"
    assert shown("jump ") == "'jump '"
    assert shown("pr\u00fcfen\u00a0jetzt") == "'pr\u00fcfen\\xa0jetzt'"
    assert shown("\u1112\u1161\u11ab") == r"'\u1112\u1161\u11ab'"


def three() -> Catalog:
    return catalog_of([("Jump", ""), ("jump", ""), ("jump", ""), ("jump ", ""), ("run", "")])


def test_the_question_names_every_label_with_its_clips_and_what_to_do() -> None:
    with pytest.raises(UserError) as caught:
        settle_alike(three(), "ask")
    text = str(caught.value)
    assert "'Jump' (1), 'jump' (2), 'jump ' (1)" in text
    assert "data.alike_labels join" in text
    assert "data.alike_labels keep" in text
    assert "run" not in text


def test_joined_they_have_the_name_that_most_clips_have() -> None:
    joined = settle_alike(three(), "join")
    assert joined.classes == ("jump", "run")
    assert any("joined" in note for note in joined.notes)
    assert settle_alike(catalog_of([("b", ""), ("B", "")]), "join").classes == ("B",)


def test_kept_they_stay_apart_and_an_unknown_rule_is_told() -> None:
    assert settle_alike(three(), "keep") == three()
    with pytest.raises(UserError, match="did you mean 'join'"):
        settle_alike(three(), "joim")  # type: ignore[arg-type]


def test_folders_and_tables_alike_ask(tmp_path: Path) -> None:
    make(tmp_path, "jump/a.mp4", "jump\u200b/b.mp4", "run/c.mp4")
    (tmp_path / "t.csv").write_text("path,label\njump/a.mp4,Jump\nrun/c.mp4,jump\n", encoding="utf-8")
    for path in (tmp_path, tmp_path / "t.csv"):
        with pytest.raises(UserError, match="look alike"):
            read_catalog(path)
        assert len(read_catalog(path, alike_labels="keep").classes) == (3 if path.is_dir() else 2)
    assert read_catalog(tmp_path, alike_labels="join").classes == ("jump", "run")


def test_the_official_data_sets_have_no_labels_that_look_alike(hmdb51: Catalog, ucf101: Catalog) -> None:
    assert alike(hmdb51.classes) == alike(ucf101.classes) == []


def test_labels_like_a_models_classes() -> None:
    clips = catalog_of([("Jump", ""), ("run", ""), ("swim", "")]).clips
    with pytest.raises(UserError, match=r"'Jump' \(1\) like 'jump'"):
        joined_to(["jump", "run"], clips, "ask")
    joined, notes = joined_to(["jump", "run"], clips, "join")
    assert [clip.label for clip in joined] == ["jump", "run", "swim"]
    assert len(notes) == 1
    assert joined_to(["jump", "run"], clips, "keep") == (clips, [])
    assert joined_to(["Jump", "run"], clips, "ask") == (clips, [])


def test_looks_of_nothing_visible_is_the_label_itself() -> None:
    assert looks("\u200b") == "\u200b"


# The same bytes under two labels.


def test_the_same_bytes_under_two_labels_contradict(tmp_path: Path) -> None:
    make(tmp_path, "jump/a.mp4", "run/b.mp4", "run/c.mp4")
    (tmp_path / "run/twin.mp4").write_bytes((tmp_path / "jump/a.mp4").read_bytes())
    (tmp_path / "run/c2.mp4").write_bytes((tmp_path / "run/c.mp4").read_bytes())
    catalog = read_catalog(tmp_path)
    assert len(catalog.duplicates) == 2
    assert [[clip.id for clip in clips] for clips in catalog.contradictions] == [["jump/a.mp4", "run/twin.mp4"]]
    (line,) = said_of_contradictions(catalog)
    assert line.startswith(CONTRADICTION)
    assert "jump/a.mp4 is jump, run/twin.mp4 is run" in line


def test_other_times_of_the_same_bytes_may_have_other_labels(tmp_path: Path) -> None:
    make(tmp_path, "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"a.mp4")
    rows = ["path,label,start,end", "a.mp4,walk,0,1", "a.mp4,run,1,2", "b.mp4,walk,,1", "b.mp4,jump,1,2"]
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    catalog = read_catalog(tmp_path / "t.csv")
    assert [[clip.id for clip in clips] for clips in catalog.contradictions] == [["a.mp4#1-2", "b.mp4#1-2"]]


def test_many_contradictions_are_counted(tmp_path: Path) -> None:
    for number in range(7):
        make(tmp_path, f"jump/{number}.mp4")
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / f"run/{number}.mp4").write_bytes(f"jump/{number}.mp4".encode())
    lines = said_of_contradictions(read_catalog(tmp_path))
    assert len(lines) == 5
    assert "7 sets in all" in lines[-1]
