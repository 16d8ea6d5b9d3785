"""Processes as SLURM starts them, and machines that each start their own: all on this machine."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.helpers.clips import TINY
from tests.helpers.nightly import NIGHTLY

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def as_slurm(number: int, port: str) -> dict[str, str]:
    """What srun tells the second of two tasks on one machine, or the first."""
    names = {"JOB_ID": "12345", "JOB_NAME": "train", "NODEID": "0", "NTASKS": "2", "NTASKS_PER_NODE": "2"}
    names |= {"STEP_NUM_TASKS": "2", "STEP_TASKS_PER_NODE": "2", "NODELIST": "127.0.0.1"}
    names |= {"PROCID": str(number), "LOCALID": str(number)}
    return {f"SLURM_{name}": value for name, value in names.items()} | {"MASTER_PORT": port}


def as_machine(number: int, port: str) -> dict[str, str]:
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": str(number)}


@pytest.mark.parametrize(
    ("variables", "options"),
    [(as_slurm, ())] + ([(as_machine, ("--node-count", "2"))] if NIGHTLY else []),
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_two_that_are_started_apart_train_together(clips, tmp_path, variables, options):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({**TINY, "training": {**TINY["training"], "epochs": 2}}))
    command = [sys.executable, "-m", "muybridge", "train", str(clips), "--recipe", str(recipe), "--run", "run"]
    port = free_port()
    started = [
        subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **variables(number, port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    try:
        said = [process.communicate(timeout=200)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], said
    assert said[1] == ""
    assert "processes: 2" in said[0]
    assert said[0].count("epoch   2/2") == said[0].count("report: run/report.html") == 1
