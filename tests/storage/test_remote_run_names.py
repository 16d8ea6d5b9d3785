"""Runs by URL: what is said of them names the URL, and a damaged one hides no other."""

import shutil
from pathlib import Path

import pytest
from tests.helpers.commands import run
from tests.storage.test_every_path import remote, things

from muybridge import api
from muybridge.storage.remote_files import files_below, remove_remote, write_remote

__all__ = ["remote", "things"]


@pytest.mark.parametrize(
    "command", ["evaluate", "report", "predict", "timeline", "ensemble", "export", "push", "serve"]
)
def test_what_is_wrong_with_a_run_is_said_of_its_url(
    command: str, remote: str, things: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished, url = shutil.copytree(things["RUN"], tmp_path / "unfinished"), "memory://bucket/unfinished"
    shutil.rmtree(unfinished / "model")
    api.push(unfinished, url)
    after = {
        "predict": [things["CLIP"]],
        "timeline": [things["CLIP"]],
        "ensemble": [remote],
        "export": ["--to", "torch"],
        "push": ["hf://owner/name"],
    }
    code, _, err = run(command, url, *after.get(command, []), capsys=capsys)
    line = err.rpartition("error: ")[2]
    assert code == 2
    assert url in line and "cache" not in line
    assert "--resume" not in line or f"muybridge train --resume {url}" in line


def test_an_export_into_a_bucket_is_named_by_its_url(remote: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("export", remote, "--to", "torch", "--force", capsys=capsys)
    assert code == 0
    assert out.splitlines()[-1] == f"export: {remote}/exports/torch-fp32"


def test_a_damaged_run_in_a_bucket_hides_no_other(remote: str, things: dict[str, str]) -> None:
    broken, lost = "memory://bucket/runs/broken", "memory://bucket/runs/lost"
    api.push(things["OTHER"], broken)
    write_remote(f"{broken}/muybridge-files.json", b"no json")
    api.push(things["OTHER"], lost)
    for file in files_below(f"{lost}/objects"):
        remove_remote(file)
    found = {each.name: each for each in api.list_runs("memory://bucket/runs").runs}
    assert found.keys() == {"tiny", "broken", "lost"}
    assert found["tiny"].accuracy is not None and not found["tiny"].problem
    assert "muybridge-files.json is damaged" in found["broken"].problem
    assert found["lost"].problem.startswith("damaged: a file is missing")
