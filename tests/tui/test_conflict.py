"""A conflict: both answers side by side, one chosen, one act; what is lost is said first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import line_width
from carnet_tui.views import conflict_view
from carnet_tui.views.conflict_view import Side


@pytest.fixture(scope="module")
def parted(places: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A store where Ana and Bea answered one item apart."""
    folder = tmp_path_factory.mktemp("parted")
    environ = {"CARNET_CONFIG": str(folder / "config")}
    tour = places.build(folder, environ, runs=0)
    places.conflict(tour, environ)
    yield tour
    tour.desk.close()


WHERE = ("conflict", "handoff", "approach.decision")


async def test_both_answers_stand_side_by_side(
    parted: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R112: an item answered apart shows both answers with author, time and role; neither is lost."""
    async with visit(parted, ("inbox",), WHERE) as pilot:
        text = screen_text(pilot.app)
        assert "2 answers given apart" in text and "←→ choose" in text
        [row] = [line for line in text.splitlines() if "D-3" in line]
        assert "D-1" in row and "│" in row
    async with visit(parted, ("inbox",), WHERE, size=(40, 12)) as pilot:
        await pilot.press("right")
        assert "Ana (you)" in screen_text(pilot.app) and "D-1" in screen_text(pilot.app)


async def test_who_may_not_settle_is_told_who_may(
    parted: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    async with visit(parted, ("inbox",), WHERE, who="Tom") as pilot:
        await pilot.press("enter")
        assert "a researcher settles it" in screen_text(pilot.app)


async def test_one_act_settles_and_both_answers_stay_in_the_record(
    parted: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R112, C174: nothing is written before the preview is accepted; then exactly one answer stands."""
    handoff = parted.ids["handoff"]
    async with visit(parted, ("inbox",), WHERE) as pilot:
        await pilot.press("right", "enter")
        text = screen_text(pilot.app)
        assert "This answer of Ana stands:" in text and "Set aside, and kept in the record: Bea's" in text
        await pilot.press("escape")
        assert parted.project.handoff(handoff).in_conflict("approach.decision")
        await pilot.press("enter", "enter")
        assert "Settled: one answer stands, written by Ana." in screen_text(pilot.app)
        assert "⏎ open item" in screen_text(pilot.app) and "given apart" not in screen_text(pilot.app)
        await pilot.press("x")
        assert "it is settled" in screen_text(pilot.app)
    found = parted.project.handoff(handoff)
    answer = found.answer("approach.decision")
    assert answer is not None and answer.value.answer["links"] == [parted.ids["decision"]]
    kept = [c for c in parted.project.changes(handoff) if c.field == "approach.decision" and c.kind == "item.answered"]
    assert len(kept) == 3


def test_what_is_lost_is_said_before_it_is_written() -> None:
    """The loser's verification is void, and the sentence names whose it was."""
    ana = Side("1", "Ana", "researcher", 0, ["yes"], [], True)
    bea = Side("2", "Bea", "researcher", 0, ["no"], [("Grace", True)], False)
    said = conflict_view.settling([ana, bea], 0)
    assert any("Void from then on: what Grace said" in one for one in said)
    for cells in (40, 80, 160):
        made = conflict_view.lines([ana, bea], 1, cells, 0, Glyphs(plain=False))
        assert all(line_width(line) <= cells for line in made)
