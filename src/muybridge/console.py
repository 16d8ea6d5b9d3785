"""What is printed beside a result: lines and progress, on standard error. Light, for verbs that must start at once."""

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

STDERR = Console(stderr=True)


def say(console: Console, text: str) -> None:
    """Print text as it is: names in it are not markup, and a long line is the terminal's to wrap."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def progress_on(console: Console, *columns: "ProgressColumn") -> "Progress":
    """A progress display that vanishes when it is done, and is not there at all where no terminal shows it."""
    from rich.progress import Progress

    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
