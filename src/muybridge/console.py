"""What is printed next to a result: lines and progress, on standard error.

Notable: long work is never silent. A terminal shows a bar with the time left; anywhere else (a pipe, a log file, a
job's output) the same work prints a line now and then.
"""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft

from muybridge.text import printable_lines

STDERR = Console(stderr=True)

LINE_EVERY_SECONDS, LINE_EVERY_SHARE, LEAST_SECONDS = 30.0, 0.1, 5.0
"""Where no terminal shows a bar, a line is printed after 30 seconds, or after a tenth of the work and 5 seconds."""


def say(console: Console, text: str) -> None:
    """Print text as it is: names in it are not markup, and a long line is the terminal's to wrap."""
    console.print(printable_lines(text), highlight=False, soft_wrap=True, markup=False)


def progress_on(console: Console, *columns: ProgressColumn, every_share: float = LINE_EVERY_SHARE) -> Progress:
    """A bar with the time left, which vanishes when it is done; where no terminal shows it, plain lines.

    Args:
        console: Where it is printed.
        columns: What the bar shows; default: what is done, of how much, and the time left.
        every_share: Share of the work between plain lines; above 1 for work that prints lines of its own.
    """
    if not console.is_terminal:
        return ProgressLines(console, every_share=every_share)
    shown = columns or (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    # Results that go into a pipe must not be led to the terminal where the bar is.
    return Progress(*shown, console=console, transient=True, redirect_stdout=sys.stdout.isatty())


class ProgressLines(Progress):
    """Progress as plain lines, used like rich's bars."""

    def __init__(self, console: Console, *, every_share: float = LINE_EVERY_SHARE) -> None:
        super().__init__(console=console, disable=True, auto_refresh=False)
        self._every_share = every_share
        # Of each task: when and where it began, when and where a line was last due.
        self._began: dict[TaskID, tuple[float, float]] = {}
        self._last: dict[TaskID, tuple[float, float]] = {}

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task, and print its line if one is due."""
        super().update(task_id, **changes)
        self._line(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move a task on, and print its line if one is due."""
        super().advance(task_id, advance)
        self._line(task_id)

    def _line(self, task_id: TaskID) -> None:
        task = next(task for task in self.tasks if task.id == task_id)
        if not task.total:
            return
        now, share = time.monotonic(), task.completed / task.total
        if task_id not in self._began:
            self._began[task_id] = self._last[task_id] = now, share
        (began_at, began_share), (last_at, last_share) = self._began[task_id], self._last[task_id]
        waited = now - last_at
        due = waited >= LINE_EVERY_SECONDS or (
            waited >= LEAST_SECONDS and share - last_share > self._every_share - 1e-9
        )
        if not due or share >= 1:
            return
        self._last[task_id] = now, share
        # Bytes are no count that anybody reads.
        count = f" ({task.completed:.0f} of {task.total:.0f})" if task.total < 10**6 else ""
        rate = (share - began_share) / (now - began_at)
        left = f", about {duration((1 - share) / rate)} left" if rate > 0 else ""
        say(self.console, f"{task.description}: {100 * share:.0f} %{count}{left}")


def duration(seconds: float) -> str:
    """A time as people say it: ``45 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
