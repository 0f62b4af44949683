"""Columns of a real ledger: told by attributes, found by name, followed in selections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store.core.event import source_entity
from carnet_store.errors import NotFound
from carnet_store.storage.graph import Graph
from carnet_store.storage.objects import Objects
from carnet_store.storage.project import Project

if TYPE_CHECKING:
    from tests.conftest import Replica, World

Open = Callable[["Replica"], Project]


def origin(dataset: str, field: str, kind: str = "") -> dict[str, str]:
    return {"dataset": dataset, "field": field, "kind": kind}


class Shop:
    """raw (nobody declared it) -> crm.calls -> feat -> churn, which uses it whole; a second `feat` by another source."""

    def __init__(self, store: Replica) -> None:
        self.store = store
        self.calls = self.known(
            "dataset", "crm.calls", version="2",
            attrs={"schema": ["minutes: int", "who.id: int"], "columns": {"minutes": [origin("raw", "m")]}},
        )  # fmt: skip
        self.feat = self.known(
            "feature", "feat",
            attrs={"columns": {"minutes_30d": [origin("crm.calls@2", "minutes", "sum")], "day": []},
                   "columns_of_all": [origin("crm.calls", "who.id", "FILTER")]},
        )  # fmt: skip
        self.model = store.declare("model", "churn", version="7")
        self.link(self.feat, "from", self.calls)
        self.link(self.model, "from", self.feat)

    def known(self, kind: str, name: str, **more: Any) -> str:
        """Declare what a source knows by its name."""
        entity = source_entity(kind, "openlineage", name)
        self.store.act(entity, "entity.declared", {"name": name, "source": ["openlineage", name], **more})
        return entity

    def link(self, src: str, relation: str, dst: str) -> None:
        self.store.act(src, "edge.linked", {"relation": relation, "to": dst}, f"{relation}:{dst}")


@pytest.fixture
def shop(world: World) -> Shop:
    """A founded ledger with three steps of columns."""
    return Shop(world.found("ana"))


@pytest.fixture
def graph(shop: Shop, tmp_path: Path) -> Graph:
    """Its lineage."""
    return Project(shop.store.ledger, Objects(tmp_path / "objects"), None, lambda: shop.store.world.now).graph  # type: ignore[arg-type]


def names(graph: Graph, text: str) -> list[str]:
    return sorted(row.name for row in graph.rows(graph.select(text)))


def test_fields_are_those_of_the_schema_and_of_what_is_told(graph: Graph, shop: Shop) -> None:
    """The order of the schema first; a column that only a use names is one too."""
    assert graph.fields(shop.calls) == ["minutes", "who.id"]
    assert graph.fields(shop.feat) == ["day", "minutes_30d"]
    assert graph.fields(shop.model) == [] == graph.fields("dataset:nowhere")


def test_a_dataset_is_meant_by_its_name_its_id_or_its_sources_id(graph: Graph, shop: Shop) -> None:
    """What nobody declared stays a name."""
    found = graph.trace(shop.feat, "minutes_30d")
    lines = [(line.column.holder, line.column.field, line.how, line.depth) for line in found.up[1:]]
    assert lines == [
        (shop.calls, "minutes", "sum", 1), ("raw", "m", "", 2), (shop.calls, "who.id", "every field: FILTER", 1),
    ]  # fmt: skip
    assert (found.ups, found.downs) == (3, 0)
    back = graph.trace(shop.calls, "who.id")
    assert {line.column.field for line in back.down[1:]} == {"minutes_30d", "day"}


def test_what_is_said_later_is_followed_at_once(graph: Graph, shop: Shop) -> None:
    """A description stands over what was declared; the answer follows the ledger."""
    assert graph.trace(shop.calls, "minutes").downs == 1
    shop.store.act(shop.feat, "entity.described", {"value": {"other": [origin(shop.calls, "minutes")]}}, "columns")
    assert [line.column.field for line in graph.trace(shop.calls, "minutes").down] == ["minutes", "other"]


def test_selections_follow_columns(graph: Graph, shop: Shop) -> None:
    """`col:` names what holds a column; its hops go from column to column, those around parentheses along edges."""
    assert names(graph, "col:crm.calls.minutes") == ["crm.calls"] == names(graph, "col:crm.calls@2.minutes")
    assert names(graph, "col:minutes") == ["crm.calls"] == names(graph, "col:calls.minutes")
    assert names(graph, "col:crm.calls.who.id") == ["crm.calls"]
    assert names(graph, "col:minute*") == ["crm.calls", "feat"]
    assert names(graph, "col:crm.calls.minutes+") == ["crm.calls", "feat"]
    assert names(graph, "+col:feat.minutes_30d") == ["crm.calls", "feat"]
    assert names(graph, "1+col:feat.day") == ["crm.calls", "feat"]
    assert names(graph, "col:feat.minutes_30d..col:crm.calls.minutes") == ["crm.calls", "feat"]
    assert names(graph, "(col:crm.calls.minutes+)+,kind:model") == ["churn"]
    assert names(graph, f'col:"{shop.calls}.minutes"') == ["crm.calls"]
    assert names(graph, "col:x*") == []


def test_a_column_that_is_not_there_is_told_with_those_that_are(graph: Graph, shop: Shop) -> None:
    """In a question and in a selection."""
    with pytest.raises(NotFound, match="has no column 'minute'") as caught:
        graph.trace(shop.calls, "minute")
    assert caught.value.hint == "Its columns: minutes, who.id."
    with pytest.raises(NotFound, match=r"no column 'crm.calls.x' \(column 3\)") as caught:
        graph.select("2+col:crm.calls.x")
    assert caught.value.hint == "Its columns: minutes, who.id."
    with pytest.raises(NotFound) as caught:
        graph.trace(shop.model, "x")
    assert caught.value.hint == "No schema and no column lineage is recorded of it."
