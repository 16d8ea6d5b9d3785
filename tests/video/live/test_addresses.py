"""What is printed of an address, and what a user may name as a source."""

import pytest

from muybridge.errors import UserError
from muybridge.video.live import live_sources
from muybridge.video.live.addresses import printable_address
from muybridge.video.live.live_sources import find_source


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://camera.local/live", "rtsp://camera.local/live"),
        ("rtsp://10.0.0.5:554/Streaming/Channels/101", "rtsp://10.0.0.5:554/Streaming/Channels/101"),
        ("rtsp://admin:hunter2@cam/live", "rtsp://cam/live"),
        ("rtsp://admin:hun/te?r#2@cam/live", "rtsp://…"),
        ("rtsp://10.0.0.5/live?user=admin&password=p@hunter2", "rtsp://…"),
        ("http://cam/video?token=abc@hunter2", "http://…"),
        ("http://cam/video#abc@hunter2", "http://…"),
        ("rtsp://cam/user=admin_password=p@hunter2_channel=1.sdp", "rtsp://…"),
        ("rtsp://admin:a@b@cam/live?password=c@hunter2", "rtsp://…"),
        ("rtmp://live.example/app/k@hunter2", "rtmp://…"),
        ("rtsp://admin:hun@ter2@cam:554/live", "rtsp://cam:554/live"),
        ("RTSP://Admin:hunter2@cam/live", "rtsp://cam/live"),
        ("http://cam/video.mjpg?user=admin&pwd=hunter2", "http://cam/video.mjpg?…"),
        ("http://cam/video#hunter2", "http://cam/video"),
        ("rtsp://cam/user=admin_password=hunter2_channel=1.sdp", "rtsp://cam/…"),
        ("rtmp://live.example/app/hunter2", "rtmp://live.example/app/…"),
        ("https://example.org/hunter2hunter2hunter2hunter2/index.m3u8", "https://example.org/…/index.m3u8"),
        ("mqtt://user:hunter2@broker/a/b", "mqtt://broker/a/b"),
        ("rtsp://[::1]:554/live", "rtsp://[::1]:554/live"),
        ("http://user:hunter2@", "http://"),
        ("rtsp://cam/\x1b[31m", "rtsp://cam/\\x1b[31m"),
    ],
)
def test_no_credential_is_shown(address, shown):
    assert printable_address(address) == shown
    assert "hunter2" not in printable_address(address)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ftp://user:hunter2@host/a", "addresses begin with rtsp"),
        ("file:///etc/passwd", "addresses begin with"),
        ("concat://a", "addresses begin with"),
        ("rtsp://user:hunter2@ho st/", "no spaces"),
        ("rtsp:///live", "no host"),
        ("no-such-thing", "is no file, address or camera"),
        ("99", "there is no camera 99"),
    ],
)
def test_what_is_no_source_is_told_without_credentials(text, told):
    with pytest.raises(UserError, match=told) as caught:
        find_source(text)
    assert "hunter2" not in str(caught.value)


def test_a_folder_is_no_source(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        find_source(str(tmp_path))


def test_kinds_of_sources(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert find_source(str(tmp_path / "a.mp4")).kind == "file"
    assert find_source("-").kind == "pipe"
    assert find_source("/dev/null").kind == "camera"  # a device is what a camera is
    address = find_source("rtsp://u:hunter2@cam/live")
    assert (address.kind, address.allowed) == ("address", "rtsp")
    assert "hunter2" not in address.name


def test_cameras_are_found_by_name(tmp_path, monkeypatch):
    for number, name in enumerate(["Integrated Camera: Front", "Integrated Camera: Front", "USB Stick"]):
        folder = tmp_path / f"video{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
    monkeypatch.setattr(live_sources, "_CLASS", tmp_path)
    assert find_source("usb").opened_as == "/dev/video2"
    assert find_source("integrated camera: front").opened_as == "/dev/video0"
    with pytest.raises(UserError, match="name of several cameras"):
        find_source("i")
    with pytest.raises(UserError, match=r"there are /dev/video0 \(Integrated Camera: Front\)"):
        find_source("webcam")
