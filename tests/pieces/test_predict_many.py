"""Answers for many files: each clip has one row, however often the job was killed."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.helpers.commands import run
from tests.helpers.faults import Commands
from tests.helpers.many_files import rows_in
from tests.helpers.s3_server import Bucket

from muybridge import UserError, api
from muybridge.pieces import whole_job
from muybridge.pieces.answer_place import PLAN_FILE, SUCCESS_FILE
from muybridge.storage.patience import STORAGE_SECONDS
from muybridge.storage.remote_files import upload


def files_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if not path.name.startswith(".")}


def test_each_clip_has_the_answer_that_predict_gives(many: Path, tiny_run: Path, undisturbed: Path) -> None:
    rows = {Path(row["clip"]).name: row for row in rows_in(undisturbed)}
    assert len(rows) == len(rows_in(undisturbed)) == 43
    classes = json.loads((undisturbed / SUCCESS_FILE).read_text())["classes"]
    for prediction in api.predict(tiny_run, [many]):
        row = rows[prediction.path.name]
        assert row["error"] == prediction.error
        if prediction.error is None:
            assert row["label"] == prediction.label
            expected = dict(prediction.ranking)
            assert row["probabilities"] == pytest.approx([expected[name] for name in classes], abs=1e-6)
            assert row["score"] == max(row["probabilities"])
        else:
            assert row["label"] is row["probabilities"] is row["score"] is None
    assert sorted(name for name, row in rows.items() if row["error"]) == ["empty.avi", "text.avi", "torn.avi"]


def test_the_list_of_parts_is_right(undisturbed: Path) -> None:
    listed = json.loads((undisturbed / SUCCESS_FILE).read_text())
    tables = {path.name: pq.read_table(path) for path in undisturbed.glob("part-*")}
    assert {name: part["rows"] for name, part in listed["parts"].items()} == {
        name: table.num_rows for name, table in tables.items()
    }
    for name, table in tables.items():
        assert listed["parts"][name]["undecodable"] == sum(each is not None for each in table["error"].to_pylist())
    assert listed["clips"] == 43
    # The folder as one table: what begins with _ is left out.
    assert pq.read_table(undisturbed).num_rows == 43


def test_killed_again_and_again_it_ends_with_the_same_files(
    many: Path, tiny_run: Path, undisturbed: Path, tmp_path: Path
) -> None:
    commands, chance = Commands(tmp_path), random.Random(5)
    words = ("predict", tiny_run, many, "--part-clips", "6", "--out")
    commands.seconds(*words, tmp_path / "first")  # also starts what starts the others
    seconds = commands.seconds(*words, tmp_path / "calm")
    kills, folder, between = 0, 0, False
    for _ in range(60):
        out = tmp_path / f"out-{folder}"
        ended = commands.run(*words, out, after=chance.uniform(0.1, 0.9) * seconds)
        if ended.code == 0:
            assert files_of(out) == files_of(undisturbed)
            if kills >= 3 and between:
                return
            folder, seconds = folder + 1, 0.8 * seconds  # the machine is quicker now
            continue
        kills += 1
        between |= 0 < len(list(out.glob("part-*"))) < 8
    raise AssertionError(f"{kills} kills, between two files: {between}")


def test_a_part_that_is_gone_or_damaged_is_made_again(
    many: Path, tiny_run: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    parts = sorted(out.glob("part-*"))
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:-40])
    damaged = bytearray(parts[3].read_bytes())
    quarter = len(damaged) // 4
    for place in range(quarter, quarter + 64):  # a single byte may be of a statistic that nobody reads
        damaged[place] ^= 0xFF
    parts[3].write_bytes(damaged)
    shutil.copyfile(parts[5], parts[4])  # whole, but of another piece
    result = api.predict_many(tiny_run, [many], out, part_clips=6)
    assert (result.kept, result.computed) == (4, 24)
    assert files_of(out) == files_of(undisturbed)
    again = api.predict_many(tiny_run, [many], out, part_clips=6)
    assert (again.kept, again.computed, again.undecodable) == (8, 0, 3)


def test_another_job_is_refused(
    many: Path, tiny_run: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    six = ("--part-clips", 6)
    for words in ((many, "--part-clips", 5), (many, *six, "--views", 2), (many / "c01.avi", *six)):
        code, _, err = run("predict", tiny_run, *words, "--out", out, capsys=capsys)
        assert (code, "was begun with other clips, another model or other options" in err) == (2, True), err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    code, _, err = run("predict", tiny_run, many, "--out", tmp_path / "full", capsys=capsys)
    assert (code, "holds other files, such as notes.txt" in err) == (2, True), err
    (out / PLAN_FILE).write_text("{")
    code, _, err = run("predict", tiny_run, many, "--out", out, "--part-clips", "6", capsys=capsys)
    assert (code, f"{PLAN_FILE} is damaged" in err) == (2, True), err
    code, _, err = run("predict", tiny_run, many, "--on", "ray", capsys=capsys)
    assert (code, "--out" in err) == (2, True), err
    code, _, err = run("predict", tiny_run, many, "--out", tmp_path / "new", "--part-clips", "0", capsys=capsys)
    assert (code, "part_clips is 0" in err) == (2, True), err


def test_shards_have_the_rows_of_their_clips(clips: Path, tiny_run: Path, tmp_path: Path) -> None:
    api.pack(clips, tmp_path / "shards", shard_size_gb=1e-4)
    api.predict_many(tiny_run, [clips], tmp_path / "files")
    api.predict_many(tiny_run, [tmp_path / "shards"], tmp_path / "packed")
    plain = {row["clip"].removeprefix(str(clips)): row for row in rows_in(tmp_path / "files")}
    packed = {row["clip"].removeprefix(str(tmp_path / "shards")): row for row in rows_in(tmp_path / "packed")}
    assert plain.keys() == packed.keys()
    assert len(packed) == 24
    for name, row in packed.items():
        assert row["probabilities"] == pytest.approx(plain[name]["probabilities"], abs=1e-6)


def test_in_a_bucket_that_fails(
    many: Path, tiny_run: Path, undisturbed: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:

    for path in sorted(many.iterdir()):
        upload(path, f"{bucket.url}/many/{path.name}")
    bucket.faults(latency_seconds=0.01, failing_share=0.05)
    out = f"{bucket.url}/answers"
    result = api.predict_many(tiny_run, [f"{bucket.url}/many"], out, part_clips=6)
    assert (result.clips, result.undecodable, result.parts) == (43, 3, 8)
    assert 0 < result.storage_share <= 1
    bucket.faults()
    found = rows_in(out)
    expected = {Path(row["clip"]).name: row for row in rows_in(undisturbed)}
    assert {row["clip"].rpartition("/")[2] for row in found} == expected.keys()
    assert all(row["clip"].startswith(f"{bucket.url}/many/") for row in found)
    for row in found:
        other = expected[row["clip"].rpartition("/")[2]]
        assert (row["label"], row["error"]) == (other["label"], other["error"])
        if row["error"] is None:
            assert np.allclose(row["probabilities"], other["probabilities"], atol=1e-6)


def test_storage_that_is_away_is_no_fault_of_a_clip(
    many: Path, tiny_run: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    for path in sorted(many.glob("c0[0-3].avi")):
        upload(path, f"{bucket.url}/away/{path.name}")
    monkeypatch.setenv(STORAGE_SECONDS, "0")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    videos, out = [f"{bucket.url}/away"], tmp_path / "out"
    run_locally = whole_job.run_locally

    def when_it_is_away(*arguments, **options):
        with bucket.away():
            yield from run_locally(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(whole_job, "run_locally", when_it_is_away)
        with pytest.raises(UserError, match="what is done is kept, run the same command again"):
            api.predict_many(tiny_run, videos, out, part_clips=4)
    assert not list(out.glob("part-*"))
    result = api.predict_many(tiny_run, videos, out, part_clips=4)
    assert (result.clips, result.undecodable) == (4, 0)
