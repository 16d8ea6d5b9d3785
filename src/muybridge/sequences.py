"""Choosing from a sequence."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """``count`` of the items (all, if there are fewer), evenly spaced from the first to the last.

    >>> spread("abcdefg", 3), spread("abc", 5), spread("abc", 1)
    (['a', 'd', 'g'], ['a', 'b', 'c'], ['a'])
    """
    count = min(count, len(items))
    return [items[place * (len(items) - 1) // max(1, count - 1)] for place in range(count)]
