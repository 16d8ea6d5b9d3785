"""The facts at the top of a page, also those of runs whose files say less."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.reports import make_run, some_clips

from muybridge.reporting.facts import command_line, duration, facts_of, took
from muybridge.reporting.reported import ReportedRun

ENVIRONMENT = {
    "command": ["/usr/bin/muybridge", "train", "my clips", "--epochs", "2"],
    "directory": "/home/someone",
    "clips": "/home/someone/my clips",
    "started": "2026-11-25T15:20:07+00:00",
    "sessions": [{"started": "2026-11-25T15:20:07+00:00", "seconds": 75.0}],
    "python": "3.11.7",
    "processor_name": "Some Processor",
    "cores": 8,
    "memory_bytes": 16 * 2**30,
    "cuda_device": None,
    "network": {"learnable": 1000},
    "weights": {"file": "net.pth", "sha256": "abc123", "trained_on": "ImageNet", "source": "https://x.org/net.pth"},
    "packages": {"muybridge": "1.0", "torch": "2.13.0", "numpy": "2"},
}


def run_in(environment: dict[str, object]) -> ReportedRun:
    return replace(make_run("run", some_clips(Path("clips")), {1}, epochs=2), environment=environment)


def answers(run: ReportedRun) -> dict[str, str]:
    return {fact.name: "; ".join([fact.text, *fact.details]) for fact in facts_of(run)}


def test_a_run_answers_what_a_stranger_asks() -> None:
    facts = answers(run_in(ENVIRONMENT))
    assert facts["Data"] == "my clips: 60 clips of 6 classes; /home/someone/my clips"
    assert facts["Network"] == "MobileNet v1, then BiLSTM 256; sees 8 uniform frames of 192 px"
    assert facts["First weights"] == ("net.pth, trained on ImageNet; sha256 abc123; published at https://x.org/net.pth")
    assert facts["What learned"].endswith("1\u202f000 of 1\u202f234\u202f567 parameters")
    assert facts["When"] == "25 November 2026, 15:20 UTC; took 1 min 15 s; 2 epochs"
    assert facts["Machine"] == "Some Processor, 8 cores, 16 GB of memory; no GPU"
    assert facts["Versions"] == "muybridge 1.0, torch 2.13.0, Python 3.11.7"
    assert facts["Command"] == "muybridge train 'my clips' --epochs 2; typed in /home/someone"


def test_the_weights_of_several_encoders_are_all_named() -> None:
    second = {"file": "a0", "sha256": "def456", "trained_on": None, "source": None}
    run = run_in(ENVIRONMENT | {"weights": [ENVIRONMENT["weights"], second]})
    [model] = run.models
    facts = answers(replace(run, models=(replace(model, encoder="i3d+movinet_a0_mobile"),)))
    assert facts["Network"].startswith("I3D and MoViNet-A0 mobile, then BiLSTM 256; sees")
    assert facts["First weights"] == (
        "net.pth, trained on ImageNet; a0; sha256 abc123; published at https://x.org/net.pth; sha256 def456"
    )


@pytest.mark.parametrize("environment", [{}, dict.fromkeys(ENVIRONMENT), dict.fromkeys(ENVIRONMENT, "odd")])
def test_what_an_old_or_odd_run_does_not_say_is_not_recorded(environment: dict[str, object]) -> None:
    facts = answers(run_in(environment))
    assert "file not recorded" in facts["First weights"]
    assert "not recorded; took 7.0 s for its epochs" in facts["When"]
    assert facts["Command"].startswith("muybridge train clips --recipe 'a & b.yaml'")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/venv/bin/muybridge", "train", "a b"], "muybridge train 'a b'"),
        (["/src/muybridge/__main__.py", "train"], "muybridge train"),
        (["C.exe", "train"], None),
        (["/home/me/script.py"], None),
        ([], None),
    ],
)
def test_only_a_command_of_this_program_is_one(command: list[str], expected: str | None) -> None:
    assert command_line(run_in({"command": command})) == expected


@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        ([{"seconds": 5}], "5.0 s"),
        ([{"seconds": 50}, {"seconds": 100}], "2 min 30 s, in 2 sessions"),
        ([{"started": "x"}, {"seconds": 4000}], "at least 1 h 6 min, in 2 sessions"),
    ],
)
def test_the_time_of_all_sessions_counts(sessions: list[dict[str, object]], expected: str) -> None:
    assert took(run_in({"sessions": sessions})) == expected


def test_a_duration_has_the_units_that_matter() -> None:
    assert [duration(seconds) for seconds in (0.25, 59.9, 60, 3599.6, 7260)] == [
        "0.2 s",
        "1 min 0 s",
        "1 min 0 s",
        "1 h 0 min",
        "2 h 1 min",
    ]
