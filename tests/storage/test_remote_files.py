"""Files in a bucket, against a real S3 server that is slow, fails and goes away."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.helpers.s3_server import Bucket

from muybridge.errors import UserError
from muybridge.storage.patience import STORAGE_SECONDS
from muybridge.storage.remote_files import (
    download,
    files_below,
    is_remote_folder,
    read_remote,
    remove_remote,
    status_of_remote,
    traffic,
    upload,
    write_remote,
)
from muybridge.storage.remote_reading import BLOCK_BYTES, open_remote

DATA = bytes(range(256)) * 40_000  # 10 MB


def test_what_is_written_is_read(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    upload(tmp_path / "a.bin", f"{bucket.url}/one/a.bin")
    write_remote(f"{bucket.url}/one/two/b.bin", b"b")
    assert {url: status.size_bytes for url, status in files_below(f"{bucket.url}/one").items()} == {
        f"{bucket.url}/one/a.bin": len(DATA),
        f"{bucket.url}/one/two/b.bin": 1,
    }
    assert read_remote(f"{bucket.url}/one/a.bin") == DATA
    download(f"{bucket.url}/one/a.bin", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == DATA
    assert is_remote_folder(f"{bucket.url}/one") and not is_remote_folder(f"{bucket.url}/three")
    remove_remote(f"{bucket.url}/one/two/b.bin")
    remove_remote(f"{bucket.url}/one/two/b.bin")
    assert list(files_below(f"{bucket.url}/one")) == [f"{bucket.url}/one/a.bin"]


def test_a_part_is_read_without_the_whole(bucket: Bucket) -> None:
    write_remote(f"{bucket.url}/large.bin", DATA)
    before = traffic.size_bytes
    with open_remote(f"{bucket.url}/large.bin") as file:
        for start in (5_000_000, 0, 9_999_000, 5_000_100):
            file.seek(start)
            assert file.read(1000) == DATA[start : start + 1000]
        file.seek(-10, 2)
        assert file.read() == DATA[-10:]
    assert traffic.size_bytes - before <= 6 * BLOCK_BYTES


def test_a_change_shows(bucket: Bucket) -> None:
    url = f"{bucket.url}/changing"
    write_remote(url, b"one")
    before = status_of_remote(url)
    write_remote(url, b"two")
    assert status_of_remote(url).version != before.version


def test_one_of_many_takes_a_name(bucket: Bucket) -> None:
    def take(number: int) -> bool:
        try:
            write_remote(f"{bucket.url}/name", str(number).encode(), only_new=True)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_a_slow_server_that_fails_one_request_in_twenty(bucket: Bucket, tmp_path: Path) -> None:
    write_remote(f"{bucket.url}/large.bin", DATA)
    bucket.faults(latency_seconds=0.05, failing_share=0.05)
    failed_before = bucket.counts()["failed"]
    for number in range(12):
        write_remote(f"{bucket.url}/small/{number}", str(number).encode())
    with open_remote(f"{bucket.url}/large.bin") as file:
        assert file.read() == DATA
    found = {url: read_remote(url) for url in files_below(f"{bucket.url}/small")}
    assert found == {f"{bucket.url}/small/{number}": str(number).encode() for number in range(12)}
    assert bucket.counts()["failed"] > failed_before


def test_a_server_that_goes_away_and_comes_back(bucket: Bucket) -> None:
    write_remote(f"{bucket.url}/away.bin", DATA)
    with open_remote(f"{bucket.url}/away.bin") as file:
        assert file.read(1000) == DATA[:1000]
        gone, back = threading.Event(), threading.Event()

        def leave() -> None:
            with bucket.away():
                gone.set()
                back.wait()

        absence = threading.Thread(target=leave)
        absence.start()
        gone.wait()
        threading.Timer(3, back.set).start()
        begun = time.monotonic()
        file.seek(6_000_000)
        assert file.read(1000) == DATA[6_000_000:6_001_000]
        assert time.monotonic() - begun > 1
        absence.join()


def test_what_fails_for_good_is_said_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError) as gone:
        open_remote(f"{bucket.url}/no/such")
    assert gone.value.errno == 2
    with pytest.raises(FileNotFoundError):
        read_remote("s3://no-such-bucket/a")
    monkeypatch.setenv(STORAGE_SECONDS, "1")
    with bucket.away(), pytest.raises(OSError, match="given up after 1 s"):
        read_remote(f"{bucket.url}/changing")
    monkeypatch.setenv(STORAGE_SECONDS, "soon")
    with pytest.raises(UserError, match="MUYBRIDGE_STORAGE_SECONDS is 'soon'"):
        read_remote(f"{bucket.url}/changing")


def test_a_scheme_whose_package_is_missing_is_named() -> None:
    pytest.importorskip("fsspec")
    try:
        import adlfs  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"az:// needs pip install 'muybridge\[az\]'"):
            read_remote("az://container/a")
