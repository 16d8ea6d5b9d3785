"""Addresses that the user names are fetched; those in tables, lists and folders are not opened."""

import tempfile
from pathlib import Path

import pytest
from tests.helpers.commands import run as command
from tests.helpers.flashing_model import flashing_run
from tests.helpers.serving import Served, serving
from tests.helpers.streams import write_flashing

import muybridge
from muybridge.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return flashing_run(tmp_path_factory.mktemp("run"))


def test_a_file_at_an_address_is_fetched_and_named_without_credentials(run, tmp_path, capsys):
    video = write_flashing(tmp_path / "a.mp4", seconds=2)
    with serving() as server:
        server.files = {"a.mp4?key=hunter2": Served(video.read_bytes()), "b.mp4": Served(b"no video" * 100)}
        address = server.url.replace("://", "://user:hunter2@")
        code, out, err = command(
            "predict", run, f"{address}/a.mp4?key=hunter2", f"{address}/b.mp4", video, capsys=capsys
        )
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith(f"{server.url}/a.mp4?…  white, ")
    assert second.startswith(f"{video}  white, ")
    assert f"{server.url}/b.mp4: not a video but text" in err
    assert "hunter2" not in out + err
    assert "muybridge-" not in out + err


def test_what_does_not_come_is_told_without_credentials(run, tmp_path):
    with serving() as server:
        address = server.url.replace("://", "://user:hunter2@")
        missing, nobody = muybridge.predict(run, [f"{address}/missing.mp4", "http://user:hunter2@127.0.0.1:1/a.mp4"])
    assert missing.error == "the server answers 404; check the address"
    assert nobody.error == "it does not come (ConnectionError); check the address"
    assert "hunter2" not in str(missing) + str(nobody) + repr(missing) + repr(nobody)


@pytest.mark.parametrize(
    ("address", "told"),
    [("rtsp://user:hunter2@cam/live", "muybridge watch RUN"), ("ftp://user:hunter2@host/a.mp4", "by http and https")],
)
def test_other_addresses_are_refused(run, address, told):
    with pytest.raises(UserError, match=told) as caught:
        list(muybridge.predict(run, [address]))
    assert "hunter2" not in str(caught.value)


def test_what_is_too_large_is_not_kept(run, monkeypatch, tmp_path):
    monkeypatch.setenv("MUYBRIDGE_MAX_PIPE_BYTES", "1000")
    with serving() as server:
        server.files = {"a.mp4": Served(bytes(5000))}
        (found,) = muybridge.predict(run, [f"{server.url}/a.mp4"])
    assert found.error.startswith("larger than MUYBRIDGE_MAX_PIPE_BYTES allows")


def test_an_address_in_a_table_is_not_opened(run, tmp_path):
    with serving() as server:
        server.files = {"a.mp4": Served(write_flashing(tmp_path / "a.mp4", seconds=2).read_bytes())}
        (tmp_path / "t.csv").write_text(f"path,label\n{server.url}/a.mp4,white\n{server.url}/b.mp4,black\n")
        with pytest.raises(UserError):
            muybridge.check(tmp_path / "t.csv")
        with pytest.raises(UserError, match="does not exist"):
            muybridge.evaluate(run, tmp_path / "t.csv")
    assert server.requests == []


def test_each_address_is_fetched_when_its_turn_comes_and_kept_no_longer(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    video = write_flashing(tmp_path / "a.mp4", seconds=2).read_bytes()
    with serving() as server:
        server.files = {f"{number}.mp4": Served(video) for number in range(3)}
        found = muybridge.predict(run, [f"{server.url}/{number}.mp4" for number in range(3)])
        for number in range(3):
            prediction = next(found)
            assert (prediction.address, prediction.label) == (f"{server.url}/{number}.mp4", "white")
            assert len(server.requests) == number + 1
            assert list(tmp_path.glob("muybridge-*")) == []
