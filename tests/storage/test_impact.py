"""Impact: the sign-offs that are said to turn stale are those that do; packages that hold a node are found from its end."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carnet_store.errors import NotFound

STORES = Path(__file__).parents[1] / "tui" / "stores.py"


@pytest.fixture(scope="module")
def stores() -> ModuleType:
    """The module that builds small real stores on the main path."""
    spec = importlib.util.spec_from_file_location("impact_stores", STORES)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["impact_stores"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def signed(stores: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """A handoff that everybody has signed."""
    tour = stores.Tour(tmp_path / "tour")
    tour.ready()
    rows = tour.project.look(tour.handoff).status.rows
    for row in rows:
        name = next(n for n, role, _ in stores.PEOPLE if role == row.row.role)
        tour.at(name).sign(tour.handoff, row.row.role, reason="looked at all of it")
    yield tour
    tour.close()


def fresh(tour: Any) -> set[tuple[str, str]]:
    """Who has signed, as it stands."""
    rows = tour.project.look(tour.handoff).status.rows
    return {(one.change.person, one.predicate.role) for row in rows for one in row.signed}


def test_what_is_said_to_turn_stale_does(signed: Any) -> None:
    """R061: change the dataset's record, and exactly the sign-offs that impact named are stale."""
    before = fresh(signed)
    assert before
    found = signed.project.graph.impact(signed.dataset)
    assert [one.handoff for one in found.stale] == [signed.handoff]
    assert (found.stale[0].from_stage, found.stale[0].to_stage) == ("research", "engineering")
    assert found.kinds == {"run": 2, "model": 1} and found.steps == 2 and found.total == 3
    said = set(found.stale[0].signers)
    assert said <= before
    signed.at("Ana").describe(signed.dataset, "owner", "Somebody else")
    assert before - fresh(signed) == said


@pytest.mark.parametrize("which", ["model", "run", "criteria", "early"])
def test_every_kind_of_part_is_foretold(signed: Any, which: str) -> None:
    """The model, its run, the criteria, a run that is no part of it: foretold is what happens."""
    before = fresh(signed)
    node = getattr(signed, which)
    found = signed.project.graph.impact(node)
    said = {one for crossing in found.stale for one in crossing.signers}
    held = {one.handoff for one in (*found.stale, *found.packages)}
    manifest = signed.project.look(signed.handoff).manifest
    inside = {row["id"] for row in manifest["entities"]} | {manifest["criteria"]["id"]}
    assert held == ({signed.handoff} if node in inside else set())
    signed.at("Ana").describe(node, "note", "changed")
    assert before - fresh(signed) == said


def test_what_lies_further_down_is_told_apart(signed: Any) -> None:
    """A source of the source: nothing turns stale, its handoffs are named as further down; deployments come first."""
    ana = signed.at("Ana")
    origin = ana.declare("dataset", "raw export").entity
    between = ana.declare("dataset", "cleaned export", edges=[("from", origin)]).entity
    ana.link(signed.dataset, "from", between)
    rollout = ana.declare("deployment", "eu rollout", edges=[("used", signed.model)]).entity
    found = signed.project.graph.impact(origin)
    assert not found.stale and not found.packages
    assert [one.handoff for one in found.below] == [signed.handoff]
    assert list(found.kinds) == ["deployment", "dataset", "run", "model"]
    assert [row.id for row in found.deployments] == [rollout]
    nothing = signed.project.graph.impact(rollout)
    assert (nothing.total, nothing.steps, nothing.below) == (0, 0, ())
    with pytest.raises(NotFound):
        signed.project.graph.impact("dataset:" + "0" * 32)


def test_a_handoff_that_cannot_be_judged_is_named(signed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No silent skip: where a template is not here, the handoff is listed as not judged."""

    def gone(_: str) -> None:
        raise NotFound("its template is not here")

    monkeypatch.setattr(signed.project, "look", gone)
    found = signed.project.graph.impact(signed.dataset)
    assert [one.handoff for one in found.not_judged] == [signed.handoff] and not found.stale
