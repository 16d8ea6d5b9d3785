"""The rows of docs/results, and what tables are made of. A row is a measurement; percentages come from counts."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"

Row = dict[str, str]

DATA_SETS = {"ucf101-10": "10", "jhmdb-21": "21"}
"""Those of the folds, and how many classes each has."""
TOP1 = ("top-1", "right", "clips", "95 %, Wilson", "95 %, by source")
"""The columns of `top1`."""


def read(name: str, **wanted: str) -> list[Row]:
    """The rows of a file of docs/results whose columns have the wanted values."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]


def experiments() -> dict[str, dict[str, object]]:
    """How each experiment was made, by its id."""
    return json.loads((RESULTS / "experiments.json").read_text(encoding="utf-8"))


def machines() -> dict[str, str]:
    """What the names of machines mean."""
    return json.loads((RESULTS / "machines.json").read_text(encoding="utf-8"))


def accuracy(*ids: str) -> list[Row]:
    """The rows of accuracy.csv with these ids, in this order."""
    by_id = {row["id"]: row for row in read("accuracy.csv")}
    return [by_id[id] for id in ids]


def percent(row: Row, right: str = "correct", of: str = "clips") -> str:
    """A share from its counts."""
    return f"{100 * int(row[right]) / int(row[of]):.1f} %" if row[right] and row[of] else ""


def span(row: Row, low: str, high: str) -> str:
    """An interval, or nothing where there is none."""
    return f"{row[low]} to {row[high]}" if row[low] else "-"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; numbers stand to the right where a column holds nothing else."""
    body = [[cell or "-" for cell in row] for row in rows]
    numeric = [all(re.match(r"[+-]?[\d,.]+( \S+)?$|-$", row[i]) for row in body) for i in range(len(header))]
    lines = [header, ["---:" if right else "---" for right in numeric], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain(name: str, columns: dict[str, str], **wanted: str) -> str:
    """A table of a file's columns as they are, under other titles."""
    return markdown(list(columns.values()), [[row[key] for key in columns] for row in read(name, **wanted)])


def top1(row: Row) -> list[str]:
    """The cells of `TOP1`."""
    wilson, group = span(row, "wilson_low", "wilson_high"), span(row, "group_low", "group_high")
    return [percent(row), row["correct"], row["clips"], wilson, group]
