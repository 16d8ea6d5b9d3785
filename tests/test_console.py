import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from muybridge import console as console_module
from muybridge.console import duration, progress_on


@pytest.fixture
def clock(monkeypatch):
    """The time that progress is reckoned by, in seconds; to be set."""
    now = [0.0]
    monkeypatch.setattr(console_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def lines_of(clock, steps, *, total=100, **options):
    """What is printed where there is no terminal, for (seconds, completed)."""
    text = io.StringIO()
    with progress_on(Console(file=text, width=200), **options) as progress:
        task = progress.add_task("decoding", total=total)
        for seconds, completed in steps:
            clock[0] = seconds
            progress.update(task, completed=completed)
    return text.getvalue().splitlines()


def test_work_that_is_soon_done_prints_nothing_in_a_pipe(clock):
    assert lines_of(clock, [(n / 100, n) for n in range(101)]) == []


def test_a_line_for_each_tenth_with_the_time_left(clock):
    lines = lines_of(clock, [(n, n) for n in range(101)])
    assert len(lines) == 9
    assert lines[0] == "decoding: 10 % (10 of 100), about 1 min 30 s left"
    assert lines[-1] == "decoding: 90 % (90 of 100), about 10 s left"


def test_a_line_each_half_minute_where_a_tenth_takes_long(clock):
    lines = lines_of(clock, [(10 * n, n) for n in range(10)])
    assert lines == [
        "decoding: 3 % (3 of 100), about 16 min 10 s left",
        "decoding: 6 % (6 of 100), about 15 min 40 s left",
        "decoding: 9 % (9 of 100), about 15 min 10 s left",
    ]


def test_what_was_there_before_does_not_count_as_speed(clock):
    lines = lines_of(clock, [(0, 50), (10, 60)])
    assert lines == ["decoding: 60 % (60 of 100), about 40 s left"]


def test_bytes_are_not_counted_out_and_lines_can_be_by_time_alone(clock):
    assert lines_of(clock, [(0, 0), (10, 10**8)], total=10**9) == ["decoding: 10 %, about 1 min 30 s left"]
    assert lines_of(clock, [(0, 0), (10, 50)], every_share=2) == []


def test_tracking_prints_lines_too(clock):
    text = io.StringIO()
    with progress_on(Console(file=text, width=200)) as progress:
        for number in progress.track(range(4), total=4, description="measuring"):
            clock[0] += 20
            assert number < 4
    assert "measuring: 75 % (3 of 4), about 20 s left" in text.getvalue()


def test_a_terminal_has_a_bar_and_no_lines(clock):
    text = io.StringIO()
    with progress_on(Console(file=text, width=200, force_terminal=True)) as progress:
        task = progress.add_task("decoding", total=10)
        progress.update(task, completed=5)
        progress.refresh()
    assert "5/10" in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
