"""How the report writes a figure: shares as percent, gains in points, intervals with their reason if there is none."""

from muybridge.evaluation.intervals import GroupInterval, Interval
from muybridge.text import points, share_range


def span(interval: Interval | None) -> str:
    """An interval of a share, such as ``86.1–94.3 %``."""
    return "–" if interval is None else share_range(interval.low, interval.high, dash="–") + " %"


def by_group(result: GroupInterval) -> str:
    """An interval by source group with the number of groups, or why there is none."""
    if result.groups_unknown:
        return str(result.reason)
    if result.interval is None:
        return f"by source group none: {result.reason}"
    few = "; with so few the true range is wider" if result.too_narrow else ""
    return f"by source group {span(result.interval)} ({result.groups} groups{few})"


def gain_span(result: GroupInterval) -> str:
    """A paired interval of a gain, in points, or why there is none."""
    if result.interval is None:
        return f"no interval: {result.reason}"
    low, high = points(result.interval.low), points(result.interval.high)
    return f"{100 * result.interval.level:g} %, paired: {low} to {high} ({result.groups} groups)"
