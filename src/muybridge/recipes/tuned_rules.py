"""Tuned rules next to the model: ``timeline.json`` in the run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.files import write_json
from muybridge.recipes.timeline_rules import SegmentRules, WindowConfig
from muybridge.remote_runs import local_run
from muybridge.schemas import convert, read_json

RULES_FILE = "timeline.json"
_FORMAT, _VERSION = "muybridge-timeline-rules", 1
_HINT = "tune again, or delete the file for the rules that come with muybridge"


@dataclass(frozen=True)
class TunedRules:
    """Rules that were chosen on annotated videos.

    Attributes:
        rules: They.
        windows: How the videos were looked at.
        tuned_on: The videos.
        f1_at_50: What they reached there, F1 at 50 % overlap, the mean over the videos, 0..1.
        default_f1_at_50: What the rules that come with muybridge reach there.
    """

    rules: SegmentRules
    windows: WindowConfig
    tuned_on: tuple[str, ...]
    f1_at_50: float
    default_f1_at_50: float


def rules_path(model: Path) -> Path:
    """Where the rules of a run, or of a model folder, lie."""
    return model / RULES_FILE


def read_rules(path: Path) -> TunedRules | None:
    """The tuned rules, if there are any.

    Raises:
        UserError: The file is damaged.
    """
    if not path.is_file():
        return None
    values = read_json(path)
    content = values.get("content") if isinstance(values, dict) and values.get("format") == _FORMAT else values
    return convert(content, TunedRules, where=str(path), hint=_HINT)


def rules_of(run: Path) -> TunedRules | None:
    """The tuned rules of a run or a model folder, also of one in a bucket, if there are any.

    Raises:
        UserError: The file is damaged, or the run cannot be fetched.
    """
    return read_rules(rules_path(local_run(run)))


def chosen_rules(
    run: Path, windows: WindowConfig | None, rules: SegmentRules | None
) -> tuple[TunedRules | None, WindowConfig, SegmentRules]:
    """What is asked for, else as it was tuned for a run, else the defaults; and what was tuned.

    Raises:
        UserError: As `rules_of`.
    """
    tuned = rules_of(run)
    windows = windows or (WindowConfig() if tuned is None else tuned.windows)
    return tuned, windows, rules or (SegmentRules() if tuned is None else tuned.rules)


def tuned_values(run: Path) -> dict[str, Any]:
    """The tuned rules and windows of a run as plain values, for a command line that names none; empty where none are.

    Raises:
        UserError: As `rules_of`.
    """
    tuned = rules_of(run)
    return {} if tuned is None else {"rules": tuned.rules.to_dict(), **vars(tuned.windows)}


def write_rules(path: Path, tuned: TunedRules) -> None:
    """Write tuned rules."""
    content: dict[str, Any] = {
        "rules": tuned.rules.to_dict(),
        "windows": dict(vars(tuned.windows)),
        "tuned_on": list(tuned.tuned_on),
        "f1_at_50": tuned.f1_at_50,
        "default_f1_at_50": tuned.default_f1_at_50,
    }
    write_json(path, {"format": _FORMAT, "format_version": _VERSION, "content": content})
