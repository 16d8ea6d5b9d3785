"""A file in a bucket that was overwritten by one of the same size has changed."""

import json
from pathlib import Path

from muybridge import api
from muybridge.checking.check_journal import Journal
from muybridge.dataset.layouts import read_catalog
from muybridge.storage.remote_files import forget, write_remote
from muybridge.verbs.pack.plan import make_plan


def overwrite(url: str, data: bytes) -> None:
    write_remote(url, data)
    forget(url)


def test_packing_and_checking_do_not_go_on_over_another_version(bucket, clips: Path, tmp_path: Path) -> None:
    url = f"{bucket.url}/versions/dim/a.avi"
    data = next((clips / "dim").iterdir()).read_bytes()
    overwrite(url, data)

    def hash_now() -> str:
        return make_plan(read_catalog(Path(f"{bucket.url}/versions")), kind="clips", seed=0, options={}).hash

    def known_now() -> dict[Path, object]:
        with Journal(tmp_path / "journal", resume=True) as journal:
            return journal.known([Path(url)])

    before = hash_now()
    with Journal(tmp_path / "journal", resume=False) as journal:
        journal.add(Path(url), "found")
    assert hash_now() == before
    assert known_now() == {Path(url): "found"}
    overwrite(url, data[:-1] + bytes([data[-1] ^ 1]))
    assert hash_now() != before
    assert known_now() == {}


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path, clips: Path) -> None:
    folder = tmp_path / "one" / "dim"
    folder.mkdir(parents=True)
    (folder / "a.avi").write_bytes(next((clips / "dim").iterdir()).read_bytes())
    file = (folder / "a.avi").stat()
    with Journal(tmp_path / "new", resume=False) as journal:
        journal.add(folder / "a.avi", "cannot be read: Connection reset by peer")
    assert not (tmp_path / "new").exists()
    # A version before this one kept it.
    (tmp_path / "check").mkdir()
    line = [str(folder / "a.avi"), [file.st_size, file.st_mtime_ns], "cannot be read: Connection reset by peer"]
    (tmp_path / "check" / "check-journal.jsonl").write_text(json.dumps(line) + "\n")
    report = api.check(tmp_path / "one", out=tmp_path / "check", resume=True).report
    assert [checked.problem for checked in report.clips] == [None]
