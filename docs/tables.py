"""Writes the tables and pictures of README and docs from docs/results, so that no figure is typed twice.

python docs/tables.py            write what has changed
python docs/tables.py --check    say what is out of date, and write nothing

A page holds ``<!-- table NAME -->`` and ``<!-- end -->``; what is between them is replaced. ``<!-- record ID -->`` is
replaced in the same way by the commands, the machine and the versions behind an experiment. Each file of docs/results
has a row per measurement; experiments.json says how each was made. Percentages are worked out from counts.
"""

import re
import sys
import textwrap
from pathlib import Path

from result_pictures import PICTURE_DATA, PICTURES, drawn_from, hash_of
from result_rows import RESULTS, experiments, machines, read
from result_tables import TABLES

__all__ = ["RESULTS", "TABLES", "experiments", "machines", "read"]

DOCS = Path(__file__).resolve().parent

PAGES = (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md")))

BLOCK = re.compile(r"(<!-- (table|record) ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def record(id: str) -> str:
    """How an experiment was made: its commands, then machine, versions and the rest, one line each."""
    made = experiments()[id]
    lines = ["```text", *(_continued(command) for command in made["commands"]), "```", ""]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    facts = {
        "Clips": made["clips"],
        "Protocol": made["protocol"],
        "Machine": machines()[made["machine"]],
        "Versions": versions,
        "Commit": made["commit"],
        "Notes": made["notes"],
        "Data": ", ".join(f"`docs/results/{file}`" for file in made["files"]),
    }
    lines += [
        f"| Experiment | {made['title']} |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in facts.items() if value),
    ]
    return "\n".join(lines) + "\n"


def _continued(command: str) -> str:
    """A command over several lines where it is long, as a shell reads it."""
    lines = textwrap.wrap(command, 96, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return " \\\n".join(lines)


def filled(text: str) -> str:
    """A page with each of its tables and records as the data say."""

    def fill(found: re.Match[str]) -> str:
        start, kind, name, end = found.groups()
        return f"{start}\n{TABLES[name]() if kind == 'table' else record(name)}\n{end}"

    return BLOCK.sub(fill, text)


def outdated() -> list[str]:
    """Pages and pictures that are not as the data say."""
    pages = [
        page.relative_to(DOCS.parent).as_posix()
        for page in PAGES
        if filled(text := page.read_text(encoding="utf-8")) != text
    ]
    pictures = [name for name in PICTURES if drawn_from(DOCS / "pictures" / name) != hash_of(*PICTURE_DATA)]
    return pages + pictures


def main() -> None:
    """Write or check."""
    old = outdated()
    for name in old:
        print(f"out of date: {name}")
    if "--check" in sys.argv[1:]:
        sys.exit(1 if old else 0)
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name, draw in PICTURES.items():
        if name in old:
            draw(DOCS / "pictures" / name)


if __name__ == "__main__":
    main()
