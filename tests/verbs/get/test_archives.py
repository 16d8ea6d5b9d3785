import shutil
import stat
import subprocess
import zipfile

import pytest
import rarfile
from tests.helpers.published import zip_bytes
from tests.helpers.rars import Entry, link, rar_bytes, write_rar

from muybridge.errors import UserError
from muybridge.verbs.get.archives import choose_rar_program, is_archive, open_archive

DATA = bytes(range(256)) * 40
NAME = "brush_hair/(a)#&![1];~_Übergröße_brush_hair_u_nm_np1_ba_goo_0.avi"
needs_program = pytest.mark.skipif(choose_rar_program() is None, reason="needs unar or unrar")


def extract_all(path, target) -> dict[str, bytes]:
    with open_archive(path) as archive:
        for number, member in enumerate(archive.members):
            archive.extract(member, target / "made" / str(number), on_bytes=lambda count: None)
        return {str(m.path): (target / "made" / str(n)).read_bytes() for n, m in enumerate(archive.members)}


def test_stored_and_zipped_members(tmp_path):
    write_rar(tmp_path / "a.rar", [Entry(NAME, DATA), Entry("empty.txt")])
    assert extract_all(tmp_path / "a.rar", tmp_path / "rar") == {NAME: DATA, "empty.txt": b""}
    (tmp_path / "a.rar").write_bytes(zip_bytes({NAME: DATA}))  # a ZIP by its bytes
    assert extract_all(tmp_path / "a.rar", tmp_path / "zip") == {NAME: DATA}


@needs_program
def test_compressed_members(tmp_path):
    write_rar(tmp_path / "a.rar", [Entry(NAME, DATA, compressed=True), Entry("b.avi", DATA[::-1], compressed=True)])
    assert extract_all(tmp_path / "a.rar", tmp_path) == {NAME: DATA, "b.avi": DATA[::-1]}


@pytest.mark.parametrize("command", [["unar", "-q", "-D", "-o"], ["bsdtar", "-x", "-C"]])
def test_other_programs_read_the_archives_of_these_tests(tmp_path, command):
    """So that the tests read RAR, and not something that only looks so to one library."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    name = NAME.encode("ascii", "ignore").decode()  # bsdtar wants a locale for others
    path = write_rar(tmp_path / "a.rar", [Entry(name, DATA, compressed=True), Entry("stored.avi", DATA)])
    (tmp_path / "out").mkdir()
    source = [str(path)] if command[0] == "unar" else ["-f", str(path)]
    subprocess.run([*command, str(tmp_path / "out"), *source], check=True, capture_output=True)
    assert (tmp_path / "out" / name).read_bytes() == DATA
    assert (tmp_path / "out" / "stored.avi").read_bytes() == DATA


@pytest.mark.parametrize(
    "name",
    ["../evil.avi", "wave/../../evil.avi", "/tmp/evil.avi", "C:/evil.avi", "wave\\..\\..\\evil.avi", "\\evil.avi"],
)
@pytest.mark.parametrize("pack", ["rar", "zip"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, pack):
    path = tmp_path / "deep" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(rar_bytes([Entry(name, DATA)]) if pack == "rar" else zip_bytes({"wave/a.avi": b"", name: DATA}))
    with pytest.raises(UserError, match="leads out of its folder; refused"), open_archive(path):
        pass
    assert [each.name for each in tmp_path.rglob("*")] == ["deep", "a.bin"]


def test_links_are_refused(tmp_path):
    write_rar(tmp_path / "a.rar", [link("wave", "/etc"), Entry("wave/passwd.avi", DATA)])
    with pytest.raises(UserError, match="holds a link, 'wave'"), open_archive(tmp_path / "a.rar"):
        pass
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("wave")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    with pytest.raises(UserError, match="holds a link, 'wave'"), open_archive(tmp_path / "a.zip"):
        pass


@pytest.mark.parametrize("compressed", [False, pytest.param(True, marks=needs_program)])
def test_a_wrong_checksum_is_damage(tmp_path, compressed):
    write_rar(tmp_path / "a.rar", [Entry(NAME, DATA, compressed=compressed, crc=1)])
    with pytest.raises(UserError, match=r"a.rar is damaged at .*goo_0.avi .*delete it and run this again"):
        extract_all(tmp_path / "a.rar", tmp_path)


def test_damaged_zip(tmp_path):
    data = bytearray(zip_bytes({"a.avi": DATA}))
    data[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"a.zip is damaged at a.avi"):
        extract_all(tmp_path / "a.zip", tmp_path)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("pack", ["rar", "zip"])
def test_cut_off_archives(tmp_path, kept, pack):
    files = {f"wave/{number}.avi": DATA for number in range(3)}
    data = rar_bytes([Entry(*file) for file in files.items()]) if pack == "rar" else zip_bytes(files)
    path = tmp_path / "a.bin"
    path.write_bytes(data[: int(kept * len(data))])
    try:
        made = extract_all(path, tmp_path)
    except UserError as error:
        assert "damaged" in str(error) or "cut off" in str(error)
    else:
        assert pack == "rar"  # where it is cut between two members, those before are whole
        assert made.items() <= files.items()


@pytest.mark.parametrize("data", [b"", b"<html>404</html>", b"PK", b"Rar!"])
def test_something_else(tmp_path, data):
    (tmp_path / "a.rar").write_bytes(data)
    assert not is_archive(tmp_path / "a.rar")
    with pytest.raises(UserError, match="neither a RAR nor a ZIP archive"), open_archive(tmp_path / "a.rar"):
        pass


def test_without_a_program_the_user_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)  # forget the program that was found
    assert choose_rar_program() is None
    write_rar(tmp_path / "stored.rar", [Entry(NAME, DATA)])
    assert extract_all(tmp_path / "stored.rar", tmp_path / "1") == {NAME: DATA}
    write_rar(tmp_path / "packed.rar", [Entry(NAME, DATA, compressed=True)])
    with pytest.raises(UserError, match=r"no program is there to unpack it; install .*apt install unar"):
        extract_all(tmp_path / "packed.rar", tmp_path / "2")
