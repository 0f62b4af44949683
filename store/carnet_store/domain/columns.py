"""Columns: the fields of a dataset or a feature, and which of them came of which.

A column is no entity of the record: it is told by attributes of the thing that holds it. `schema` names its fields, `columns` says of a field where
it came from (`{field: [{"dataset": ..., "field": ..., "kind": ...}]}`, the form in which OpenLineage's columnLineage is kept), `columns_of_all` what
concerns every field, such as a filter. So a table of a thousand columns is one node until somebody asks for one of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from carnet_store.domain import paths
from carnet_store.domain.paths import ALL, SHIFT

DEEPEST: Final = 8
"""Levels of a schema that are looked into."""
SCHEMA: Final = ("schema", "columns")
"""Attributes that hold the fields."""


class Column(NamedTuple):
    """A field of `holder`: an entity id, or the name that a source gave to a dataset that nobody declared."""

    holder: str
    field: str


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One line of a column's tree.

    Attributes:
        column: the column.
        how: what was done on the way between it and the line above (`DIRECT IDENTITY`); empty where it is not said.
        depth: steps from the root.
        last: whether nothing follows it under the same parent.
        seen: number of the line where it is expanded, -1 where that is here.
        more: how many further columns would stand under it.
    """

    column: Column
    how: str
    depth: int
    last: bool
    seen: int
    more: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a column came from and what came of it: the trees, without their roots, and how many columns there are in all."""

    column: Column
    up: tuple[ColumnLine, ...]
    down: tuple[ColumnLine, ...]
    ups: int
    downs: int


class Columns:
    """Which column came of which."""

    def __init__(self, steps: Iterable[tuple[Column, Column, str]]) -> None:
        """Hold steps (what was there, what came of it, how)."""
        numbers: dict[Column, int] = {}
        how: dict[int, str] = {}
        for first, last, said in steps:
            a, b = (numbers.setdefault(one, len(numbers)) for one in (first, last))
            pair = a << SHIFT | b
            how[pair] = ", ".join(dict.fromkeys(filter(None, (how.get(pair, ""), said))))
        self._columns = list(numbers)
        self._numbers: Mapping[Column, int] = numbers
        self._how = how
        self._down = paths.side(len(numbers), sorted(how))
        self._up = paths.side(len(numbers), paths.turned(how))

    def __contains__(self, column: Column) -> bool:
        """Say whether anything is known of where it came from or what came of it."""
        return column in self._numbers

    def of(self, holder: str) -> list[Column]:
        """Return the columns of a thing of which a step is known."""
        return [one for one in self._columns if one.holder == holder]

    def holders(self) -> set[str]:
        """Return everything that holds one of them."""
        return {one.holder for one in self._columns}

    def counts(self, column: Column) -> tuple[int, int]:
        """Return of how many columns it came, and how many came of it, one step each way."""
        at = self._numbers.get(column)
        return (self._up.degree(at), self._down.degree(at)) if at is not None else (0, 0)

    def reach(self, columns: Collection[Column], up: int, down: int) -> set[Column]:
        """Return columns with what lies `up` steps before and `down` steps after them; `ALL` is every step, 0 none."""
        starts = [self._numbers[one] for one in columns if one in self._numbers]
        found = set(columns)
        for hops, side in ((up, self._up), (down, self._down)):
            if hops:
                found.update(self._columns[at] for at in paths.reach(side, starts, hops))
        return found

    def between(self, firsts: Collection[Column], lasts: Collection[Column]) -> set[Column]:
        """Return what lies on ways from some columns to others, either way round, ends included."""
        one, other = ([self._numbers[column] for column in some if column in self._numbers] for some in (firsts, lasts))
        found = paths.between(self._up, self._down, one, other) | paths.between(self._up, self._down, other, one)
        return {self._columns[at] for at in found}

    def trace(self, column: Column, *, up: int = ALL, down: int = ALL, limit: int = 2_000) -> Trace:
        """Return where a column came from and what came of it; each column is expanded once, at its nearest place.

        Args:
            column: any column; of one of which nothing is known both trees are empty.
            up: steps to follow towards what it came from; 0 is none.
            down: steps to follow towards what came of it.
            limit: lines a tree at most; the rest is counted where it would stand.
        """
        at = self._numbers.get(column)
        if at is None:
            return Trace(column, (), (), 0, 0)
        sides = []
        for hops, side, turned in ((up, self._up, True), (down, self._down, False)):
            lines = self._lines(side, at, hops, limit + 1, turned) if hops else ()
            sides.append((lines, len(paths.reach(side, [at])) - 1))
        return Trace(column, sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    def _lines(self, side: paths.Side, root: int, hops: int, limit: int, turned: bool) -> tuple[ColumnLine, ...]:
        branches = paths.tree(side, [root], hops, limit, 0, self._columns.__getitem__)
        found = []
        for branch in branches:
            how = ""
            if branch.parent >= 0:
                first, last = branches[branch.parent].node, branch.node
                if turned:
                    first, last = last, first
                how = self._how.get(first << SHIFT | last, "")
            column = self._columns[branch.node]
            found.append(ColumnLine(column, how, branch.depth, branch.last, branch.seen, branch.more))
        return tuple(found)


def steps_of(held: Any) -> dict[str, list[tuple[str, str, str]]]:
    """Return of each field in a `columns` attribute its origins (dataset, field, kind), as they are written; empty where it tells none.

    What was typed is JSON text of the same.
    """
    held = _parsed(held)
    if not isinstance(held, Mapping):
        return {}
    return {str(field): found for field, origins in held.items() if (found := origins_of(origins))}


def origins_of(held: Any) -> list[tuple[str, str, str]]:
    """Return the origins (dataset, field, kind) in a list of them; what has another shape is left out."""
    found = []
    held = _parsed(held)
    for one in held if isinstance(held, list | tuple) else ():
        if isinstance(one, Mapping) and isinstance(one.get("dataset"), str) and isinstance(one.get("field"), str):
            kind = one.get("kind")
            found.append((one["dataset"], one["field"], kind if isinstance(kind, str) else ""))
    return found


def _parsed(held: Any) -> Any:
    """Return what a text of JSON holds; anything else as it is."""
    if not isinstance(held, str) or held.lstrip()[:1] not in ("{", "["):
        return held
    try:
        return json.loads(held)
    except (ValueError, RecursionError):
        return None


def schema_fields(value: Any, depth: int = DEEPEST) -> list[tuple[str, str, str]]:
    """Return the fields of a schema as (name, type, description), whatever shape it was taken in; empty where it has none.

    A list of `name: type` or of objects, an object of types by name, JSON text of one of these, or names parted by commas or line ends.
    """
    if depth == 0:
        return []
    if isinstance(value, str):
        if value.lstrip()[:1] in ("{", "["):
            return schema_fields(_parsed(value), depth - 1)
        parts = [part.strip() for part in value.replace(";", "\n").replace(",", "\n").split("\n")]
        return [_pair(part) for part in parts if part]
    if isinstance(value, Mapping):
        inner = value.get("fields", value.get("columns"))
        if isinstance(inner, list | tuple):
            return schema_fields(inner, depth - 1)
        return [(str(name), kind if isinstance(kind, str) else "", "") for name, kind in value.items()]
    if not isinstance(value, list | tuple):
        return []
    found: list[tuple[str, str, str]] = []
    for one in value:
        if isinstance(one, Mapping):
            name = str(one.get("name", ""))
            found.append((name, str(one.get("type", "")), str(one.get("description", ""))))
            inner = one.get("fields")
            if isinstance(inner, list | tuple):
                found += [(f"{name}.{below}", kind, said) for below, kind, said in schema_fields(inner, depth - 1)]
        else:
            found.append(_pair(str(one)))
    return found


def _pair(text: str) -> tuple[str, str, str]:
    name, colon, kind = text.partition(":")
    return (name.strip(), kind.strip(), "") if colon else (text.strip(), "", "")
