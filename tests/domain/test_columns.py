"""Columns: where a field came from, what came of it, and the shapes in which that is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain.columns import Column, Columns, origins_of, schema_fields, steps_of
from carnet_store.domain.paths import ALL

A, B, C, D = (Column("dataset:1", "a"), Column("dataset:1", "b"), Column("dataset:2", "c"), Column("crm|raw", "d"))


def told(lines: Any) -> list[tuple[str, str, int]]:
    return [(line.column.field, line.how, line.depth) for line in lines]


def test_a_column_is_followed_both_ways() -> None:
    """Nearest first, with what was done on the way; what nobody declared is a name."""
    known = Columns([(D, A, "cast"), (D, B, ""), (A, C, "sum"), (B, C, "filter"), (A, C, "mean")])
    found = known.trace(C)
    assert told(found.up) == [("c", "", 0), ("a", "sum, mean", 1), ("d", "cast", 2), ("b", "filter", 1), ("d", "", 2)]
    assert [line.seen for line in found.up] == [-1, -1, -1, -1, 2]
    assert (found.ups, found.downs, len(found.down)) == (3, 0, 1)
    assert told(known.trace(D, up=0, down=1).down) == [("d", "", 0), ("a", "cast", 1), ("b", "", 1)]
    assert known.trace(D, up=0).up == ()
    assert known.counts(A) == (1, 1) and known.counts(Column("x", "y")) == (0, 0)
    assert known.of("dataset:1") == [A, B] and known.holders() == {"dataset:1", "dataset:2", "crm|raw"}


def test_what_nothing_is_known_of_has_no_ways() -> None:
    """An answer, not an error: the column may stand in a schema."""
    found = Columns([]).trace(A)
    assert (found.up, found.down, found.ups, found.downs) == ((), (), 0, 0)
    assert Columns([]).reach({A}, ALL, ALL) == {A}


def test_reach_and_between_are_sets_of_columns() -> None:
    """Hops count steps from column to column; between goes either way round."""
    known = Columns([(D, A, ""), (A, C, ""), (D, B, "")])
    assert known.reach({D}, 0, 1) == {D, A, B}
    assert known.reach({C}, ALL, 0) == {C, A, D}
    assert known.between({C}, {D}) == known.between({D}, {C}) == {D, A, C}
    assert known.between({B}, {C}) == set()


def test_more_columns_than_lines_are_counted() -> None:
    """Nothing is left out silently."""
    known = Columns((D, Column("dataset:2", f"f{at:03}"), "") for at in range(50))
    found = known.trace(D, limit=10)
    assert len(found.down) == 11 and found.down[0].more == 40 and found.downs == 50


def test_two_columns_that_came_of_each_other_end() -> None:
    """A cycle of two sources' claims is shown once and pointed at."""
    known = Columns([(A, C, ""), (C, A, "")])
    assert [line.seen for line in known.trace(A).down] == [-1, -1, 0]


@pytest.mark.parametrize(
    ("held", "steps"),
    [
        ({"a": [{"dataset": "t", "field": "x", "kind": "k"}]}, {"a": [("t", "x", "k")]}),
        ('{"a": [{"dataset": "t", "field": "x"}]}', {"a": [("t", "x", "")]}),
        ({"a": [{"dataset": "t"}, 3, {"dataset": 1, "field": "x"}, {"dataset": "t", "field": "x", "kind": 3}]}, {"a": [("t", "x", "")]}),
        ({"a": []}, {}), (["a", "b"], {}), ("a, b", {}), ('{"cut', {}), ("[" * 5_000, {}), (None, {}), (7, {}), ({"a": "t.x"}, {}),
    ],
)  # fmt: skip
def test_origins_are_read_or_are_none(held: Any, steps: Any) -> None:
    """Whatever has another shape says nothing."""
    assert steps_of(held) == steps


@given(st.recursive(st.none() | st.text() | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_whatever_an_attribute_holds_is_read(held: Any) -> None:
    """Attributes come from anywhere: no shape of them ends in a failure."""
    steps_of(held)
    origins_of(held)
    assert all(len(one) == 3 for one in schema_fields(held))
