"""Models: every version with its stage, newest first; a new version and its handoff in a short form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import line_width
from carnet_tui.views.models_view import Crossing, ModelRow, model_line, words_of

Text = Callable[[Any], str]


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """R098: each version with the stage it stands at."""
    async with visit(main_path("half"), ("models",), size=size) as pilot:
        golden(f"main_models_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_new_version_and_handoff(main_path: Any, visit: Any, screen_text: Text) -> None:
    """n: name and version, gate, tier, preview; then the handoff is open. A taken name is refused at once."""
    tour = main_path("half")
    tour.step = 1000
    async with visit(tour, ("models",)) as pilot:
        await pilot.press("n", "n")
        field = pilot.app.screen.query_one(Input)
        assert field.value == "churn@3"
        field.value = "churn@2"
        await pilot.press("enter")
        assert "is here already" in screen_text(pilot.app)
        field.value = "no version"
        await pilot.press("enter")
        assert "Write name@version" in screen_text(pilot.app)
        field.value = "churn@3"
        await pilot.press("enter", "enter", "enter")
        assert "Research to engineering, starter" in screen_text(pilot.app)
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "handoff"
        assert "churn@3" in screen_text(pilot.app) and "0/12" in screen_text(pilot.app)
    assert len(tour.project.handoffs()) == 2


async def test_enter_opens_the_handoff_and_find_goes_there(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Enter opens the version's handoff; / finds a version."""
    tour = main_path("half")
    for number in range(3, 40):
        tour.at("Ana").declare("model", "churn", version=str(number))
    tour.desk.become(tour.people["Ana"])
    async with visit(tour, ("models",)) as pilot:
        assert "38 versions" in screen_text(pilot.app)
        await pilot.press("/", *"churn@2", "enter")
        await pilot.press("end", "enter")
        assert pilot.app.path[-1].name == "handoff"


def row(*crossings: Crossing) -> ModelRow:
    return ModelRow("model:0", "churn@2", 0, crossings)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("cells", [24, 40, 59, 60, 80, 120, 200])
def test_line_is_exactly_as_wide(cells: int, plain: bool) -> None:
    """Rows fill their width exactly at every size."""
    one = row(Crossing("h", "research", "engineering", "blocked", 3, 12))
    assert line_width(model_line(one, cells, 0, Glyphs(plain))) == cells


def test_words() -> None:
    """Where a version stands, in words."""
    assert words_of(row()) == "in research, no handoff yet"
    passed = Crossing("h", "research", "engineering", "passed", 12, 12)
    assert words_of(row(passed)) == "in engineering"
    going = Crossing("h2", "engineering", "production", "blocked", 1, 12)
    assert words_of(row(passed, going)) == "engineering to production: blocked, 1/12"
    assert (
        words_of(row(Crossing("h", "research", "engineering", "abandoned", 0, 12)))
        == "in research; its last handoff was ended"
    )


async def test_two_versions_are_compared_from_the_list(
    places: Any, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R036: m on one, d on the other; before that d says what is missing."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    for version in ("1", "2"):
        tour.acts().declare("model", "churn", version=version, attrs={"release": version})
    async with visit(tour, ("models",)) as pilot:
        await pilot.press("d")
        await settled(pilot)
        assert "m marks another version first" in screen_text(pilot.app)
        await pilot.press("down", "m", "up", "d")
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "model churn@1 › churn@2" in text and "attribute   release  1 › 2" in text
    tour.desk.close()
