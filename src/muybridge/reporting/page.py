"""One HTML file with all there is to know of one or several runs, for a colleague without this program.

It needs no network, no script and no other file: pictures and frames are embedded, the style is inline.
Everything that comes from file names, recipes or error texts is escaped by the template.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muybridge.errors import UserError
from muybridge.evaluation import phrases
from muybridge.files import write_text
from muybridge.reporting.differences import differences
from muybridge.reporting.reported import ReportedRun
from muybridge.reporting.runs_table import compare_runs
from muybridge.reporting.terms import Glossary
from muybridge.reporting.view import RunView, view_run
from muybridge.text import percent, points, printable_lines, shortened

if TYPE_CHECKING:
    from jinja2 import Template

    from muybridge.dataset.catalog import Clip
    from muybridge.reporting.strips import Strip

# In the head of every page: it marks a report, which a newer one may replace.
GENERATOR = "muybridge report"
# Longer tables are cut here, and say so; predictions.csv has every row.
_TABLE_ROWS = 20


def write_report(
    path: Path, runs: Sequence[ReportedRun], *, on_progress: Callable[[int], None] = lambda done: None
) -> tuple[str, ...]:
    """Write the page of one or several runs, whole or not at all.

    Args:
        path: the HTML file to write.
        runs: at least one, all of the same classes; the others are compared with the first.
        on_progress: called after each run with the number of runs drawn.

    Returns:
        What the caller should show the user: clips that are gone or do not decode any more.

    Raises:
        UserError: if the runs have different classes; nothing is written then.
    """
    if not runs:
        raise ValueError("a report needs at least one run")
    _check_classes(runs)
    from muybridge.reporting.strips import STRIP_FRAMES, read_strips

    views = []
    for run in runs:
        views.append(view_run(run))
        on_progress(len(views))
    strips = read_strips(clip for view in views for clip in view.shown_clips)
    missing = {view.run.name: _missing(view, strips) for view in views}
    html = _template().render(
        generator=GENERATOR,
        title=runs[0].name if len(runs) == 1 else f"{len(runs)} runs compared",
        views=views,
        table=compare_runs(runs) if len(runs) > 1 else None,
        differences=differences(runs) if len(runs) > 1 else None,
        glossary=Glossary(),
        strips=strips,
        strip_frames=STRIP_FRAMES,
        missing=missing,
        table_rows=_TABLE_ROWS,
    )
    write_text(path, html)
    return tuple(f"{name}: {note}" for name, note in missing.items() if note)


def is_report(path: Path) -> bool:
    """Whether a file is a report of this program, which a newer one may replace."""
    with path.open("rb") as file:
        return GENERATOR.encode() in file.read(4096)


def _check_classes(runs: Sequence[ReportedRun]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if set(run.classes) != set(first.classes):
            only_first = shortened(sorted(set(first.classes) - set(run.classes))) or "none"
            only_run = shortened(sorted(set(run.classes) - set(first.classes))) or "none"
            raise UserError(
                f"runs of different classes do not fit into one report: only {first.name} knows {only_first}; "
                f"only {run.name} knows {only_run}; make a report of each"
            )


def _missing(view: RunView, strips: "dict[Clip, Strip]") -> str | None:
    """What to say of the clips of a run that cannot be shown; None if all can."""
    clips = view.shown_clips
    absent = [clip for clip in clips if strips[clip].problem is not None]
    if not absent:
        return None
    example = f"for example {absent[0].path}: {strips[absent[0]].problem}"
    if len(absent) == len(clips):
        what_to_do = "put them back, or name their folder (clips_root), and make the report again"
        return f"none of its clips can be shown ({example}); {what_to_do}"
    return f"{len(absent)} of {len(clips)} clips cannot be shown ({example})"


def _clean(value: object) -> object:
    """What a template prints; markup of its own is no plain text."""
    return printable_lines(value) if type(value) is str else value


def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("muybridge.reporting"),
        autoescape=True,
        finalize=_clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        percent=percent,
        points=points,
        span=phrases.span,
        by_group=phrases.by_group,
        gain_span=phrases.gain_span,
    )
    return templates.get_template("report.html.j2")
