import os

import pytest
from rich.progress import Progress
from tests.helpers.serving import Served

from muybridge.errors import UserError
from muybridge.verbs.get.downloading import DownloadError, Retries, download, part_of

DATA = os.urandom(700_000)
ONCE = Retries(attempts=1)
PATIENT = Retries(attempts=3, pause_seconds=0.01)


def fetch(server, path, *, retries=PATIENT, size_bytes=None, name="a.rar"):
    with Progress(disable=True) as progress:
        download(f"{server.url}/{name}", path, size_bytes=size_bytes, retries=retries, progress=progress)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archives" / "a.rar"


def only_file(path) -> bool:
    return [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_comes_whole(server, path):
    server.files["a.rar"] = Served(DATA)
    fetch(server, path, size_bytes=len(DATA))
    assert path.read_bytes() == DATA
    assert only_file(path)


@pytest.mark.parametrize("validator", [{"etag": '"x"'}, {"etag": None, "modified": 1_500_000_000}])
def test_interruptions_cost_nothing(server, path, validator):
    server.files["a.rar"] = Served(DATA, cuts=[300_000, 200_000], **validator)
    fetch(server, path)
    assert path.read_bytes() == DATA
    assert server.statuses("a.rar") == [200, 206, 206]
    assert server.sent("a.rar") < len(DATA) + 2 * (1 << 14)  # at most one piece is lost at each


def test_a_later_run_continues(server, path):
    server.files["a.rar"] = Served(DATA, cuts=[400_000])
    with pytest.raises(DownloadError, match="broke off"):
        fetch(server, path, retries=ONCE)
    kept = part_of(path).stat().st_size
    assert not path.exists()
    assert 300_000 < kept <= 400_000
    fetch(server, path, retries=ONCE)
    assert path.read_bytes() == DATA
    assert server.requests[-1][2] == f"bytes={kept}-"


def test_a_changed_file_is_not_mixed_with_the_old(server, path):
    server.files["a.rar"] = Served(DATA, cuts=[400_000])
    with pytest.raises(DownloadError):
        fetch(server, path, retries=ONCE)
    changed = os.urandom(650_000)
    server.files["a.rar"] = Served(changed, etag='"second"')
    fetch(server, path, retries=ONCE)
    assert path.read_bytes() == changed
    assert server.statuses("a.rar") == [200, 200]


@pytest.mark.parametrize("behaviour", [{"ranges": False}, {"etag": None}, {"etag": 'W/"weak"'}])
def test_without_ranges_or_a_validator_it_starts_afresh(server, path, behaviour):
    server.files["a.rar"] = Served(DATA, cuts=[400_000], **behaviour)
    fetch(server, path)
    assert path.read_bytes() == DATA
    assert server.statuses("a.rar") == [200, 200]


def test_another_address_starts_afresh(server, path):
    server.files |= {"a.rar": Served(DATA, cuts=[400_000]), "b.rar": Served(DATA[::-1])}
    with pytest.raises(DownloadError):
        fetch(server, path, retries=ONCE)
    fetch(server, path, name="b.rar", retries=ONCE)
    assert path.read_bytes() == DATA[::-1]


def test_stopped_between_the_last_byte_and_the_name(server, path):
    server.files["a.rar"] = Served(DATA, cuts=[400_000])
    with pytest.raises(DownloadError):
        fetch(server, path, retries=ONCE)
    part_of(path).write_bytes(DATA)
    fetch(server, path)
    assert path.read_bytes() == DATA
    assert server.statuses("a.rar") == [200]


def test_more_bytes_than_the_file_has(server, path):
    server.files["a.rar"] = Served(DATA, cuts=[400_000])
    with pytest.raises(DownloadError):
        fetch(server, path, retries=ONCE)
    part_of(path).write_bytes(DATA + b"too much")
    fetch(server, path)
    assert path.read_bytes() == DATA
    assert server.statuses("a.rar") == [200, 416, 200]


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server, path):
    server.files["a.rar"] = Served(DATA, refusals=[503, 429])
    fetch(server, path)
    assert server.statuses("a.rar") == [503, 429, 200]
    with pytest.raises(DownloadError, match="404"):
        fetch(server, path, name="missing.rar")
    assert server.statuses("missing.rar") == [404]


def test_patience_ends_but_progress_renews_it(server, path):
    server.files["a.rar"] = Served(DATA, cuts=[100_000] * 6)
    fetch(server, path, retries=Retries(attempts=2, pause_seconds=0))
    server.files["b.rar"] = Served(DATA, refusals=[500] * 9)
    with pytest.raises(DownloadError, match="500"):
        fetch(server, path, name="b.rar", retries=PATIENT)
    assert server.statuses("b.rar") == [500] * 3


def test_a_wrong_length_is_seen_before_the_body(server, path):
    server.files["a.rar"] = Served(DATA)
    with pytest.raises(DownloadError, match=r"700000 bytes long, published are 12"):
        fetch(server, path, size_bytes=12)
    assert not path.exists()
    assert not part_of(path).exists()


def test_nobody_there(path):
    class Nobody:
        url = "http://127.0.0.1:9"

    with pytest.raises(DownloadError, match="refused"):
        fetch(Nobody, path)


def test_a_full_disk_is_told_before_the_body(server, path):
    server.files["a.rar"] = Served(DATA, declared_bytes=10**18)
    with pytest.raises(UserError, match=r"a.rar needs 1000000000.00 GB in .*archives, but only"):
        fetch(server, path)
    assert not part_of(path).exists()
