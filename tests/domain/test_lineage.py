"""What a thing of the lineage says where several changes stand beside each other: readings of a source, and what people say."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from carnet_store.core import canonical
from carnet_store.core.fold import Change, Counts
from carnet_store.domain.lineage import CriteriaRow, CriteriaSet, Declared, Described, Metric, Node, read_node

ENTITY = "run:" + "a" * 32


def change(
    name: str, value: Any, *, by: str, t: int, field: str = "", over: tuple[str, ...] = (), live: bool = True
) -> Change:
    """A counting change; `name` is its id."""
    kinds: dict[Any, str] = {Declared: "entity.declared", Described: "entity.described", CriteriaSet: "criteria.set"}
    raw = canonical.encode(msgspec.to_builtins(value))
    return Change(
        name, ENTITY, kinds[type(value)], field, over, "c", by, by, 0, 0, t, Counts.YES, live, frozenset(), value, raw
    )


def reading(name: str, by: str, t: int, **fields: Any) -> Change:
    """A birth that was read from a source."""
    return change(name, Declared(name="r", source=("mlflow", "r"), **fields), by=by, t=t)


def folded(*changes: Change) -> Node:
    """The node, which is the same in whatever order its changes come."""
    found = [read_node(ENTITY, order) for order in itertools.permutations(changes)]
    first = found[0]
    assert first is not None
    assert all(one == first for one in found)
    return first


def test_readings_of_a_source_that_goes_on_are_no_conflict() -> None:
    """Metrics, parameters, notes of two people's readings: the later is shown, and what it does not say stands."""
    node = folded(
        reading("1", "ana", 10, attrs={"description": "first", "user": "kim"}, params={"lr": "1"}, metrics=(Metric(name="loss", value="0.9"),)),
        reading("2", "bob", 20, attrs={"description": "second"}, params={"lr": "2"}, metrics=(Metric(name="loss", value="0.4"),)),
    )  # fmt: skip
    assert node.conflicts == ()
    assert node.attrs == {"description": "second", "user": "kim"}
    assert node.params == {"lr": "2"} and node.metrics[0].value == "0.4"


def test_the_sources_own_time_tells_which_reading_is_later() -> None:
    """An old copy that was read yesterday does not hide how the run ended."""
    node = folded(
        reading("1", "ana", 10, at=5, attrs={"status": "finished", "ended": 9}, metrics=(Metric(name="loss", value="0.4"),)),
        reading("2", "bob", 20, at=5, attrs={"status": "running"}, metrics=(Metric(name="loss", value="0.9"),)),
    )  # fmt: skip
    assert node.attrs["status"] == "finished" and node.metrics[0].value == "0.4"


def test_what_people_say_apart_is_a_conflict_until_one_who_has_both_says_it_anew() -> None:
    """R093: whoever that is; the words of others stay in the record. Saying it over one's own alone settles nothing."""
    born = reading("1", "ana", 10)
    mine = change("2", Described(value="Ana"), by="ana", t=20, field="owner")
    theirs = change("3", Described(value="Bob"), by="bob", t=30, field="owner")
    node = folded(born, mine, theirs)
    assert node.conflicts == ("owner",) and node.attrs["owner"] == "Bob"
    own = change("4", Described(value="Ana"), by="ana", t=40, field="owner", over=("2",))
    assert folded(born, theirs, own).conflicts == ("owner",)
    for by in ("ana", "bob", "cleo"):
        settled = change("4", Described(value="Cleo"), by=by, t=25, field="owner", over=("2", "3"))
        node = folded(born, mine, theirs, settled)
        assert (node.conflicts, node.attrs["owner"]) == ((), "Cleo"), by
    late = change("5", Described(value="Dora"), by="dora", t=50, field="owner")
    assert folded(born, mine, theirs, settled, late).conflicts == ("owner",), "it had not seen what settled it"


def test_what_settled_a_conflict_and_was_taken_back_settles_nothing() -> None:
    born = reading("1", "ana", 10)
    mine = change("2", Described(value="Ana"), by="ana", t=20, field="owner")
    theirs = change("3", Described(value="Bob"), by="bob", t=30, field="owner")
    gone = change("4", Described(value="Cleo"), by="cleo", t=40, field="owner", over=("2", "3"), live=False)
    assert folded(born, mine, theirs, gone).conflicts == ("owner",)


@pytest.mark.parametrize("over", [(), ("2", "3")])
def test_criteria_set_apart_are_a_conflict_until_they_are_set_over_both(over: tuple[str, ...]) -> None:
    rows = [(CriteriaRow(id="p", metric="auc", name="auc", op=">=", value=value),) for value in ("0.8", "0.9", "0.85")]
    found = folded(
        reading("1", "ana", 10),
        change("2", CriteriaSet(rows=rows[0]), by="ana", t=20),
        change("3", CriteriaSet(rows=rows[1]), by="bob", t=30),
        *([change("4", CriteriaSet(rows=rows[2]), by="bob", t=15, over=over)] if over else []),
    )
    assert found.conflicts == (() if over else ("criteria",))
    assert found.criteria == (rows[2] if over else rows[1])
