"""What several benchmarks need."""

import statistics

import numpy as np


def show(name: str, values: list[float]) -> None:
    """A line of a table: median, and the 10 % and 90 % values."""
    low, high = np.percentile(values, [10, 90])
    print(f"{name:<34} {statistics.median(values):7.1f} {low:7.1f} {high:7.1f}")
