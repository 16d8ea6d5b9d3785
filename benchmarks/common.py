"""What several benchmarks need."""

import statistics
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spread over the list."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)]


def show(name: str, values: list[float]) -> None:
    """A line of a table: median, and the 10 % and 90 % values."""
    low, high = np.percentile(values, [10, 90])
    print(f"{name:<34} {statistics.median(values):7.1f} {low:7.1f} {high:7.1f}")
