"""What processes say to each other: nobody else is listened to, and an error of all is said to its end."""

import sys
from pathlib import Path

import pytest

from tests.helpers.processes import start_together

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60


def run(name: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of two processes that run a program of the helper's."""
    words = ("-m", "tests.helpers.programs_together", name, folder)
    process = start_together(2, *words, folder=folder, PYTHONPATH=f"{ROOT}:{ROOT / 'src'}")
    try:
        said, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for sockets in /proc")
def test_what_a_stranger_says_is_not_unpickled(tmp_path):
    code, said = run("told", tmp_path)
    assert code == 1
    assert not (tmp_path / "ran").exists()
    assert "comes from none of these processes" in said
    addresses = (tmp_path / "listening").read_text().split()
    assert addresses
    assert set(addresses) == {"0100007F"}  # 127.0.0.1, in the order of this processor


def test_the_first_process_tidies_up_where_all_refuse(tmp_path):
    code, said = run("all", tmp_path)
    assert code == 1
    assert (tmp_path / "said").read_text() == "all refuse"
    assert (tmp_path / "tidy").exists(), said


def test_one_that_refuses_alone_ends_the_others_with_its_reason(tmp_path):
    code, _ = run("one", tmp_path)
    assert code == 1
    assert (tmp_path / "said").read_text() == "process 1 failed: 1 refuses"
