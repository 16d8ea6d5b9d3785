"""Any text in a table and any name of a folder gives a catalog or one clear line, never another exception."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.helpers.catalogs import make

from muybridge.dataset.labels import alike, settle_alike
from muybridge.dataset.layouts import read_catalog
from muybridge.errors import UserError
from muybridge.text import original_cell, printable

EXAMPLES = 5000 if os.environ.get("MUYBRIDGE_NIGHTLY") else 150
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = ("path", "label", "group", "split", "start", "end", "video", "Class", "action", "set", "fps", "", "sep=;")
CELLS = (
    "a.mp4",
    "walk/b.mp4",
    r"walk\b.mp4",
    "walk",
    "run",
    "Run ",
    "train",
    "test",
    "1.5",
    "-1",
    "nan",
    "~",
    "~x/y.mp4",
    "",
)
words = st.one_of(st.sampled_from(CELLS), st.text(max_size=20))
headers = st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), min_size=1, max_size=6)
usual = st.permutations(("path", "label", "group", "split", "start", "end")).map(list)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips"), "a.mp4", "walk/b.mp4", "run/c.mp4")


def a_catalog_or_one_line(path: Path) -> None:
    try:
        catalog = read_catalog(path)
    except UserError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
        assert len(text) < 2000
    else:
        assert catalog.clips
        assert all(clip.label and clip.group for clip in catalog.clips)
        settle_alike(catalog, "ask")


@QUICK
@given(
    header=st.one_of(usual, headers),
    rows=st.lists(st.lists(words, max_size=8), max_size=5),
    delimiter=st.sampled_from(",;\t| "),
    newline=st.sampled_from(("\n", "\r\n", "\r")),
    quoted=st.booleans(),
    encoding=st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32")),
)
def test_any_cell_in_a_table(
    clips: Path, header: list[str], rows: list[list[str]], delimiter: str, newline: str, quoted: bool, encoding: str
) -> None:
    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted else cell

    text = newline.join(delimiter.join(map(written, row)) for row in (header, *rows))
    (clips / "table.csv").write_bytes(text.encode(encoding, "surrogatepass" if encoding != "utf-8" else "replace"))
    a_catalog_or_one_line(clips / "table.csv")


@QUICK
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_as_a_table(clips: Path, data: bytes, headed: bool) -> None:
    (clips / "table.csv").write_bytes((b"path,label\n" if headed else b"") + data)
    a_catalog_or_one_line(clips / "table.csv")


@QUICK
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_a_well_written_table_comes_back_as_it_was(rows: list[tuple[str, str]]) -> None:
    """Whatever the labels are, each clip has its own or the user is asked."""
    with tempfile.TemporaryDirectory() as name:
        folder = make(Path(name), *(f"{number}.mp4" for number in range(len(rows))))
        wanted = [label.replace("\0", "").replace("\r", " ").replace("\n", " ").strip() for label, _ in rows]
        lines = [f'{number}.mp4,"{label.replace(chr(34), chr(34) * 2)}"' for number, label in enumerate(wanted)]
        text = "path,label\n" + "\n".join(lines)
        (folder / "t.csv").write_bytes(text.encode("utf-8", "replace"))
        if not all(wanted):
            with pytest.raises(UserError, match="label is empty"):
                read_catalog(folder / "t.csv")
            return
        read = {clip.id: clip.label for clip in read_catalog(folder / "t.csv", alike_labels="keep").clips}
        # An apostrophe before what a spreadsheet would compute is not of the label.
        assert read == {f"{number}.mp4": printable(original_cell(label)) for number, label in enumerate(wanted)}
        if alike(wanted):
            with pytest.raises(UserError, match="look alike"):
                read_catalog(folder / "t.csv")


file_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
parts = st.sampled_from(("train", "test", "val", "Videos_Train", "runs", "@eaDir", ".hidden", "__MACOSX", "x.mp4"))
places = st.lists(st.one_of(parts, file_names), min_size=1, max_size=4)


@QUICK
@given(st.lists(st.tuples(places, st.booleans()), max_size=8))
def test_any_names_of_folders_and_files(tree: list[tuple[list[str], bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        for place, is_file in tree:
            path = Path(name, *place, "clip.mp4") if is_file else Path(name, *place)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(os.fsencode(str(path))) if is_file else path.mkdir(exist_ok=True)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                continue  # a folder where a file is, or the other way round
        a_catalog_or_one_line(Path(name))
