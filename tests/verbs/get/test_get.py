"""`muybridge get`, from the command line to the catalog, against a local web server."""

import dataclasses
import io
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict

import pytest
import rarfile
from rich.console import Console
from tests.helpers.commands import run
from tests.helpers.published import (
    HMDB51_CLIPS,
    UCF101_CLIPS,
    archive,
    contents,
    found,
    hmdb51,
    hmdb51_lists,
    hmdb51_rar,
    lists_rar,
    md5,
    sha256,
    ucf101,
    ucf101_lists,
    zip_bytes,
)
from tests.helpers.rars import Entry, rar_bytes
from tests.helpers.serving import Served

from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.errors import UserError
from muybridge.verbs.get.archives import choose_rar_program
from muybridge.verbs.get.datasets import HMDB51, JHMDB, Archive
from muybridge.verbs.get.downloading import Retries
from muybridge.verbs.get.job import get
from muybridge.verbs.get.unpacking import listed_clips

needs_program = pytest.mark.skipif(choose_rar_program() is None, reason="needs unar or unrar")
QUICK = Retries(attempts=3, pause_seconds=0.01)


def in_zip(files: dict[str, str]) -> bytes:
    return zip_bytes({name: text.encode() for name, text in files.items()})


@pytest.fixture
def clips_rar(clip) -> bytes:
    return hmdb51_rar(clip)


@pytest.fixture
def clips_zip(clip) -> bytes:
    return zip_bytes(contents(HMDB51_CLIPS, clip))


LISTS_RAR, LISTS_ZIP = lists_rar(hmdb51_lists()), in_zip(hmdb51_lists())


@pytest.fixture
def source(server, clips_zip):
    """A small HMDB-51 on the server, in ZIP archives."""
    server.files |= {"clips.zip": Served(clips_zip), "lists.zip": Served(LISTS_ZIP)}
    return hmdb51(
        (archive("clips.zip", clips_zip, server.url, checksum=sha256(clips_zip)),),
        (archive("lists.zip", LISTS_ZIP, server.url, checksum=sha256(LISTS_ZIP)),),
    )


def get_quietly(source, folder, **options):
    console = Console(file=io.StringIO(), width=10_000)
    options = {"check": False, "retries": QUICK, "console": console} | options
    try:
        return get(source.name, folder, source=source, **options), console.file.getvalue()
    except UserError as error:
        return error, console.file.getvalue()


@needs_program
@pytest.mark.parametrize("compressed", [False, True])
def test_hmdb51_from_the_command_line(server, clip, tmp_path, capsys, compressed):
    """Archives in an archive, interrupted twice, one address gone; then checked, counted and split."""
    data = hmdb51_rar(clip, compressed=compressed)
    server.files |= {
        "clips.rar": Served(data, cuts=[len(data) // 3, len(data) // 3]),
        "lists.rar": Served(LISTS_RAR),
    }
    described = hmdb51(
        (archive("clips.rar", data, server.url, checksum=md5(data)),),
        (archive("lists.rar", LISTS_RAR, f"{server.url}/missing", server.url),),
    )
    server.files["lists.rar"].refusals = [404]
    (tmp_path / "own.json").write_text(json.dumps(dataclasses.asdict(described)))
    code, out, err = run("get", tmp_path / "own.json", tmp_path / "data", "--workers", "1", capsys=capsys)
    assert code == 0, err
    assert found(tmp_path / "data") == contents(HMDB51_CLIPS, clip)
    assert "Tiny HMDB: 5 clips in 2 classes" in out
    assert "official split 3: 1 train, 2 test" in out
    assert "0 do not decode" in out
    assert "all counts are as published" in out
    assert "HTTP status 404" in err
    assert "no published checksum for lists.rar; its sha256 is" in err
    assert server.statuses("clips.rar") == [200, 206, 206]
    assert {p.name for p in (tmp_path / "data").iterdir()} == {
        "brush_hair", "wave", "splits", "sources.json", "check.json", "check.csv",
    }  # fmt: skip

    catalog = read_catalog(tmp_path / "data")
    assert catalog.layout == "hmdb51"
    split = make_split(catalog, protocol="official-1", validation_share=0)
    assert (len(split.train) + len(split.validation), len(split.test)) == (2, 3)

    asked = len(server.requests)
    code, out, _ = run("get", tmp_path / "own.json", tmp_path / "data", "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)["splits"] == [{"train": 2, "test": 3}, {"train": 3, "test": 2}, {"train": 1, "test": 2}]
    assert len(server.requests) == asked  # nothing to do, nothing asked


def test_jhmdb_from_the_command_line(server, clip, tmp_path, capsys):
    """Its archives were made on a Mac, and hold one folder each; nobody published the sizes of its lists 2 and 3."""
    wanted = contents(HMDB51_CLIPS, clip)
    rubbish = {"__MACOSX/ReCompress_Videos/wave/._a_wave_f_nm_np1_fr_med_26.avi": b"\0\5\x16\7"}
    data = zip_bytes({f"ReCompress_Videos/{path}": video for path, video in wanted.items()} | rubbish)
    texts = {f"splits/{name.partition('/')[2]}": text.encode() for name, text in hmdb51_lists().items()}
    lists = zip_bytes(texts | {"__MACOSX/splits/._wave_test_split1.txt": b"\0\5\x16\7\0\2\0\0Mac OS X"})
    server.files |= {"JHMDB_video.zip": Served(data), "splits.zip": Served(lists)}
    described = dataclasses.replace(
        JHMDB,
        clips=(archive("JHMDB_video.zip", data, server.url, checksum=md5(data)),),
        lists=(archive("splits.zip", lists, server.url, checksum=md5(lists)),),
        class_count=2,
        clip_count=5,
        split_sizes=((2, 3), None, None),
    )
    (tmp_path / "own.json").write_text(json.dumps(dataclasses.asdict(described)))
    code, out, err = run("get", tmp_path / "own.json", tmp_path / "data", "--no-check", capsys=capsys)
    assert code == 0, err
    assert found(tmp_path / "data") == wanted
    assert "official split 1: 2 train, 3 test" in out
    assert "official split 3: 1 train, 2 test" in out
    assert "all counts are as published; of the official splits 2 and 3 none are published" in out
    assert not list((tmp_path / "data" / "splits").glob("._*"))
    split = make_split(read_catalog(tmp_path / "data"), protocol="official-1", validation_share=0)
    assert (len(split.train), len(split.test)) == (2, 3)
    asked = len(server.requests)
    assert run("get", tmp_path / "own.json", tmp_path / "data", "--no-check", capsys=capsys)[0] == 0
    assert len(server.requests) == asked
    # A list that is gone is fetched again, also where its size is not published.
    for path in (tmp_path / "data" / "splits").glob("*_test_split3.txt"):
        path.unlink()
    assert run("get", tmp_path / "own.json", tmp_path / "data", "--no-check", capsys=capsys)[0] == 0
    assert list((tmp_path / "data" / "splits").glob("*_test_split3.txt"))


def test_ucf101_in_one_heap_from_the_command_line(server, clip, tmp_path, capsys):
    wanted = contents(UCF101_CLIPS, clip)
    data = zip_bytes({f"UCF101/{path.partition('/')[2]}": video for path, video in wanted.items()})
    lists = in_zip(ucf101_lists())
    server.files |= {"videos.zip": Served(data), "lists.zip": Served(lists)}
    described = ucf101((archive("videos.zip", data, server.url),), (archive("lists.zip", lists, server.url),))
    (tmp_path / "own.json").write_text(json.dumps(dataclasses.asdict(described)))
    code, out, err = run(
        "get", tmp_path / "own.json", tmp_path / "data", "--no-check", "--keep-archives", "--json", capsys=capsys
    )
    assert code == 0, err
    assert json.loads(out)["differences"] == []
    assert found(tmp_path / "data") == wanted
    assert (tmp_path / "data" / "archives" / "videos.zip").read_bytes() == data
    assert read_catalog(tmp_path / "data").layout == "ucf101"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("hmdb-51", "DIR"), "did you mean 'hmdb51'"),
        (("hmdb51", "DIR", "--from", "nowhere.rar"), "nowhere.rar does not exist"),
        (("ucf101", "DIR", "--from", "."), "holds none of UCF101.rar"),
        (("hmdb51", "FILE"), "is a file"),
        (("hmdb51",), "FOLDER"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("x")
    code, out, err = run("get", *arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error:")
    assert expected in err
    assert [p.name for p in tmp_path.iterdir()] == ["FILE"]


def test_a_wrong_file_is_not_used_and_the_next_address_is(server, source, clips_zip, tmp_path):
    with_mirror = dataclasses.replace(
        source, clips=(archive("clips.zip", clips_zip, server.url + "/first", server.url, checksum=sha256(clips_zip)),)
    )
    wrong = bytearray(clips_zip)
    wrong[100] ^= 1
    server.files["clips.zip"].data = bytes(wrong)
    error, _ = get_quietly(with_mirror, tmp_path)
    assert isinstance(error, UserError)
    for digits in (sha256(bytes(wrong)), sha256(clips_zip)):
        assert str(error).count(digits.removeprefix("sha256:")) == 2  # once for each address
    assert "get.given PATH" in str(error)
    assert found(tmp_path) == {}
    assert not list(tmp_path.rglob("clips.zip*"))

    server.files["clips.zip"] = Served(clips_zip, refusals=[403])
    result, told = get_quietly(with_mirror, tmp_path)
    assert not result.differences
    assert "HTTP status 403" in told


def test_all_names_of_hmdb51(shared, tmp_path):
    """Every clip of the official lists, each a few bytes, arrives where the readers look for it."""
    lists = shared / "splits" / "hmdb51"
    by_class = defaultdict(list)
    for stem, label in listed_clips(lists, "hmdb51").items():
        by_class[label].append(Entry(f"{label}/{stem}.avi", stem.encode()))
    inner = [Entry(f"{label}.rar", rar_bytes(entries)) for label, entries in by_class.items()]
    (tmp_path / "clips.rar").write_bytes(rar_bytes(inner))
    (tmp_path / "lists.zip").write_bytes(zip_bytes({path.name: path.read_bytes() for path in lists.iterdir()}))
    source = dataclasses.replace(HMDB51, clips=(Archive("clips.rar", ()),), lists=(Archive("lists.zip", ()),))
    result, _ = get_quietly(source, tmp_path / "data", given=tmp_path)
    assert (result.differences, result.missing) == ((), ())
    assert (result.class_count, result.clip_count, set(result.split_sizes)) == (51, 6766, {(3570, 1530)})


def test_a_web_page_instead_of_an_archive(server, source, clips_zip, tmp_path):
    page = b"<html>The lab has moved.</html>"
    server.files["old.zip"] = Served(page)
    old = dataclasses.replace(archive("old.zip", page, server.url), size_bytes=None)
    result, told = get_quietly(dataclasses.replace(source, clips=(old, *source.clips)), tmp_path)
    assert not result.differences
    assert "web page" in told


def test_own_archives_are_only_read(server, source, clips_rar, clip, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "CLIPS.rar").write_bytes(clips_rar)
    (own / "lists.zip").write_bytes(LISTS_ZIP)
    offered = dataclasses.replace(source, clips=(*source.clips, archive("clips.rar", clips_rar)))
    for number, given in enumerate((own, own / "CLIPS.rar")):
        result, _ = get_quietly(offered, tmp_path / str(number), given=given)
        assert not result.differences
        assert found(tmp_path / str(number)) == contents(HMDB51_CLIPS, clip)
    assert server.requests == []
    assert {p.name: p.stat().st_size for p in own.iterdir()} == {
        "CLIPS.rar": len(clips_rar),
        "lists.zip": len(LISTS_ZIP),
    }
    (own / "lists.zip").write_bytes(LISTS_ZIP[::-1])
    error, _ = get_quietly(offered, tmp_path / "wrong", given=own)
    assert "lists.zip is neither a RAR nor a ZIP archive" in str(error)


def test_own_archives_may_be_packed_otherwise(source, clip, tmp_path):
    (tmp_path / "clips.zip").write_bytes(zip_bytes({"more.txt": b"x"} | contents(HMDB51_CLIPS, clip)))
    result, told = get_quietly(source, tmp_path / "data", given=tmp_path / "clips.zip")
    assert not result.differences
    assert "clips.zip is not the published file, but is used: its sha256 is" in told
    assert "published is" in json.loads((tmp_path / "data" / "sources.json").read_text())["clips.zip"]["compared_with"]


def test_own_archives_in_the_folder_of_downloads_stay(server, source, tmp_path, clips_zip):
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "clips.zip").write_bytes(clips_zip)
    result, _ = get_quietly(source, tmp_path, given=tmp_path / "archives" / "clips.zip")
    assert not result.differences
    assert (tmp_path / "archives" / "clips.zip").read_bytes() == clips_zip


def test_an_own_mirror_comes_first(server, source, tmp_path):
    result, told = get_quietly(source, tmp_path, mirror=server.url + "/lab/")
    assert not result.differences
    assert f"fetching {server.url}/lab/clips.zip" in told
    assert server.statuses("clips.zip") == [200]


def test_a_kept_archive_is_checked_and_not_fetched_again(server, source, clips_zip, tmp_path):
    get_quietly(source, tmp_path, keep_archives=True)
    victim = next(tmp_path.glob("wave/*.avi"))
    victim.unlink()
    result, _ = get_quietly(source, tmp_path, keep_archives=True)
    assert not result.differences
    assert server.statuses("clips.zip") == [200]
    victim.unlink()
    (tmp_path / "archives" / "clips.zip").write_bytes(clips_zip[::-1])
    result, told = get_quietly(source, tmp_path)
    assert not result.differences
    assert "is damaged" in told
    assert server.statuses("clips.zip") == [200, 200]


def test_without_a_published_checksum_the_first_fetch_is_remembered(server, source, clip, tmp_path):
    plain = dataclasses.replace(
        source, clips=tuple(dataclasses.replace(a, checksum=None, size_bytes=None) for a in source.clips)
    )
    _, told = get_quietly(plain, tmp_path)
    first = server.files["clips.zip"].data
    assert f"no published checksum for clips.zip; its sha256 is {sha256(first)[7:]}" in told
    record = json.loads((tmp_path / "sources.json").read_text())["clips.zip"]
    assert record["sha256"] == sha256(first)[7:]
    assert record["compared_with"] == "no published checksum"
    assert record["origin"] == f"{server.url}/clips.zip"

    next(tmp_path.glob("wave/*.avi")).unlink()
    second = zip_bytes({"new.txt": b"x"} | contents(HMDB51_CLIPS, clip))
    server.files["clips.zip"] = Served(second, etag='"second"')
    result, told = get_quietly(plain, tmp_path)
    assert not result.differences
    assert f"clips.zip is another file than on {record['date']}: sha256 {sha256(second)[7:]}" in told


def test_missing_clips_are_named_with_code_2_and_the_rest_can_be_used(server, source, clip, tmp_path, capsys):
    files = contents(HMDB51_CLIPS, clip)
    lost = "wave/Prelinger_wave_u_cm_np1_fr_bad_3.avi"
    del files[lost]
    data = zip_bytes(files)
    server.files["clips.zip"] = Served(data)
    poor = dataclasses.replace(source, clips=(archive("clips.zip", data, server.url),))
    (tmp_path / "own.json").write_text(json.dumps(dataclasses.asdict(poor)))
    code, out, err = run("get", tmp_path / "own.json", tmp_path / "data", "--no-check", capsys=capsys)
    assert code == 2
    assert "WARNING: clips: 4, published are 5" in out
    assert "WARNING: test clips of split 2: 1, published are 2" in out
    assert "error: 1 of 5 clips are missing, for example wave/Prelinger_wave_u_cm_np1_fr_bad_3" in err
    assert len(read_catalog(tmp_path / "data").clips) == 4
    assert (tmp_path / "data" / "archives" / "clips.zip").exists()  # kept while something is missing


def test_without_a_rar_program_other_archives_are_taken(server, source, clips_rar, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)  # forget the program that was found
    server.files["clips.rar"] = Served(clips_rar)
    rar = archive("clips.rar", clips_rar, server.url)
    error, _ = get_quietly(dataclasses.replace(source, clips=(rar,)), tmp_path / "1")
    assert "apt install unar" in str(error)
    result, _ = get_quietly(dataclasses.replace(source, clips=(rar, *source.clips)), tmp_path / "2")
    assert not result.differences
    assert server.statuses("clips.rar") == []


def test_an_evil_archive_writes_nothing(server, source, clip, tmp_path):
    data = zip_bytes(contents(HMDB51_CLIPS, clip) | {"wave/../../../evil.avi": b"evil"})
    server.files["clips.zip"] = Served(data)
    evil = dataclasses.replace(source, clips=(archive("clips.zip", data, server.url),))
    error, _ = get_quietly(evil, tmp_path / "data")
    assert "leads out of its folder; refused" in str(error)
    assert found(tmp_path / "data") == {}
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_a_clip_that_does_not_decode_is_reported(server, source, clip, tmp_path, capsys):
    files = contents(HMDB51_CLIPS, clip)
    files["wave/Prelinger_wave_u_cm_np1_fr_bad_3.avi"] = b"not a video"
    data = zip_bytes(files)
    server.files["clips.zip"] = Served(data)
    result, _ = get_quietly(
        dataclasses.replace(source, clips=(archive("clips.zip", data, server.url),)), tmp_path, check=True, workers=1
    )
    assert "checked: 1 do not decode, 0 decode in part" in str(result)
    assert result.to_dict()["bad"] == ["wave/Prelinger_wave_u_cm_np1_fr_bad_3.avi"]
    result.require_complete()  # nothing is missing


def test_ctrl_c_keeps_what_was_fetched(server, source, clips_zip, tmp_path):
    """The server stalls in the middle; the second run continues there."""
    server.files["clips.zip"] = Served(clips_zip, declared_bytes=len(clips_zip) + 1, stalls=True)
    plain = dataclasses.replace(
        source, clips=tuple(dataclasses.replace(a, checksum=None, size_bytes=None) for a in source.clips)
    )
    (tmp_path / "own.json").write_text(json.dumps(dataclasses.asdict(plain)))
    command = [
        sys.executable,
        "-m",
        "muybridge",
        "get",
        str(tmp_path / "own.json"),
        str(tmp_path / "data"),
        "--no-check",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "data" / "archives" / "clips.zip.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "clips.zip.part keeps what was fetched" in " ".join(errors.split())
    assert part.read_bytes() == clips_zip[: part.stat().st_size]

    server.files["clips.zip"] = Served(clips_zip)
    kept = part.stat().st_size
    result, _ = get_quietly(plain, tmp_path / "data")
    assert not result.differences
    assert server.requests[-1] == ("clips.zip", 206, f"bytes={kept}-", len(clips_zip) - kept)
