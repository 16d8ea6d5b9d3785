"""Results as HTML, for notebooks: a title, facts, bars and tables, self-contained and without a script.

Notable: notebooks have light and dark pages and their results cannot know which, so text takes the page's own colour,
and lines and bars are half transparent or of a middle tone. All text is escaped: names of classes and files are the
user's.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

_CARD = "font-family: system-ui, sans-serif; font-size: 13px; line-height: 1.45; color: inherit; max-width: 60em"
_LINE = "1px solid rgba(128, 128, 128, 0.4)"
_BAR = "#3d84c6"
_CELL = "padding: 2px 12px 2px 0; background: none; color: inherit; border: 0; vertical-align: top"
_LEFT, _RIGHT = f"{_CELL}; text-align: left", f"{_CELL}; text-align: right; font-variant-numeric: tabular-nums"


def card(title: str, *parts: str) -> str:
    """One result.

    Args:
        title: Its heading, as plain text.
        parts: HTML that the other functions of this module made.
    """
    heading = f'<div style="font-weight: 600; margin-bottom: 4px">{escape(title)}</div>'
    return f'<div style="{_CARD}">{heading}{"".join(parts)}</div>'


def bars(shares: Iterable[tuple[str, float]]) -> str:
    """A bar per name; shares from 0 to 1."""
    rows = "".join(
        f'<tr style="background: none"><td style="{_LEFT}; overflow-wrap: anywhere">{escape(name)}</td>'
        f'<td style="{_LEFT}; width: 200px"><div style="background: {_BAR}; height: 10px; margin-top: 5px; '
        f'border-radius: 2px; min-width: 1px; width: {100 * share:.1f}%"></div></td>'
        f'<td style="{_RIGHT}">{share:.2f}</td></tr>'
        for name, share in shares
    )
    return _table(rows)


def facts(values: Mapping[str, object]) -> str:
    """Names and values, one pair a line; a value of None is left out."""
    rows = "".join(
        f'<tr style="background: none"><td style="{_LEFT}; opacity: 0.7">{escape(name)}</td>'
        f'<td style="{_LEFT}">{escape(str(value))}</td></tr>'
        for name, value in values.items()
        if value is not None
    )
    return _table(rows)


def rows(table: Sequence[Mapping[str, object]], *, limit: int = 20) -> str:
    """A table: the keys of its first row are the heads of its columns; None is an empty cell.

    Args:
        table: The rows.
        limit: So many are shown; a line says how many more there are.
    """
    if not table:
        return ""
    heads = "".join(
        f'<th style="{_style(value)}; font-weight: 600; border-bottom: {_LINE}">{escape(head)}</th>'
        for head, value in table[0].items()
    )
    body = "".join(
        f'<tr style="background: none">{"".join(_cell(value) for value in row.values())}</tr>' for row in table[:limit]
    )
    more = line(f"and {len(table) - limit} more") if len(table) > limit else ""
    return _table(f'<tr style="background: none">{heads}</tr>{body}') + more


def line(text: str) -> str:
    """One line of text."""
    return f'<div style="margin: 2px 0">{escape(text)}</div>'


def lines(texts: Iterable[str]) -> str:
    """Several lines of text."""
    return "".join(map(line, texts))


def _cell(value: object) -> str:
    shown = "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return f'<td style="{_style(value)}">{escape(shown)}</td>'


def _style(value: object) -> str:
    return _RIGHT if isinstance(value, int | float) else _LEFT


def _table(rows: str) -> str:
    return f'<table style="border-collapse: collapse; border: 0; background: none; margin: 4px 0">{rows}</table>'
