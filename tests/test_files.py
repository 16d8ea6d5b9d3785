import hashlib
import json
import os
import time

import pytest

from muybridge import files
from muybridge.errors import UserError
from muybridge.files import building_folder, content_hash, replacing, write_json, write_text
from muybridge.schemas import read_json


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "deep" / "a.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "deep" / "a.txt").stat().st_mode & 0o777 == 0o640


def test_json_keeps_names_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9.avi")
    write_json(tmp_path / "a.json", {"path": name, "label": "sauté"})
    assert read_json(tmp_path / "a.json") == {"path": name, "label": "sauté"}
    assert "sauté" in (tmp_path / "a.json").read_text()


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, "{", b"\xff"])
def test_damaged_json_is_told(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else json.dumps("x")[:1].encode())
    with pytest.raises(UserError, match=r"a\.json"):
        read_json(path)


def test_a_folder_is_built_whole(tmp_path):
    with building_folder(tmp_path / "deep" / "made") as temporary:
        assert temporary.name == "made"
        (temporary / "a.txt").write_text("1")
        assert not (tmp_path / "deep" / "made").exists()
    assert (tmp_path / "deep" / "made" / "a.txt").read_text() == "1"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["made"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("reserved", [True, False])
def test_a_folder_that_is_not_finished_leaves_nothing(tmp_path, failure, reserved):
    if reserved:
        (tmp_path / "made").mkdir()
    with pytest.raises(failure), building_folder(tmp_path / "made") as temporary:
        (temporary / "a.txt").write_text("1")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_in_use_is_not_replaced(tmp_path):
    with pytest.raises(OSError, match="not empty"), building_folder(tmp_path / "made") as temporary:
        (temporary / "a.txt").write_text("1")
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "b.txt").write_text("2")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["b.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_file_that_did_not_change_is_hashed_once_and_one_that_did_again(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(files, "_SETTLED_NS", -1)  # in place of waiting two seconds
    reads = []

    def read(path):
        reads.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(files, "_read_hash", read)
    first = content_hash(path)
    assert (content_hash(path), len(reads)) == (first, 1)
    time.sleep(0.05)  # the disk's clock ticks more slowly than this test runs
    path.write_bytes(b"other")  # as many bytes
    os.utime(path, ns=(1, 1))  # and the same time of change
    assert content_hash(path) == hashlib.sha256(b"other").hexdigest()
    assert len(reads) == 2


def test_a_file_that_has_just_changed_is_read_each_time(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"first")
    reads = []
    monkeypatch.setattr(files, "_read_hash", lambda path: reads.append(path) or "hash")
    assert [content_hash(path) for _ in range(2)] == ["hash", "hash"]
    assert len(reads) == 2
