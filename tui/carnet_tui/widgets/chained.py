"""Several sources of rows as one: a list with sections, some in memory and some read a page at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from carnet_tui.widgets.line_list import RowSource

Row = TypeVar("Row")


class Chained(Generic[Row]):
    """Sources one after another; those without rows are left out."""

    def __init__(self, parts: Sequence[RowSource[Row]]) -> None:
        self._parts = [part for part in parts if part.count()]
        self.starts = [0, *accumulate(part.count() for part in self._parts)]
        """Where each part begins, and the end of all."""

    def count(self) -> int:
        """Return how many rows there are."""
        return self.starts[-1]

    def part_at(self, index: int) -> int:
        """Return the number of the part that a row belongs to."""
        return max(0, min(bisect_right(self.starts, index) - 1, len(self._parts) - 1))

    def page(self, start: int, length: int) -> Sequence[Row]:
        """Return a page, which may reach over several parts."""
        found: list[Row] = []
        end = min(start + length, self.starts[-1])
        at = self.part_at(start)
        while start < end and at < len(self._parts):
            here = min(end, self.starts[at + 1])
            if here > start:
                found += self._parts[at].page(start - self.starts[at], here - start)
                start = here
            at += 1
        return found

    def find(self, key: str) -> int | None:
        """Return where a row stands."""
        for first, part in zip(self.starts, self._parts, strict=False):
            at = part.find(key)
            if at is not None:
                return first + at
        return None
