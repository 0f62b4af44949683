"""The lineage focus view: the map walked by arrows, facts of the node under the cursor, impact, declaring."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from carnet_tui.graph_layout import THIS
from carnet_tui.views import lineage_view
from carnet_tui.widgets.focus_map import FocusMap


async def press(pilot: Any, settled: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def test_the_newest_model_is_in_the_middle_and_its_run_beside_it(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R043, R044: from a model one walks to its run and sees decisions, questions and handoffs about it."""
    async with visit(tour, ("lineage",)) as pilot:
        text = screen_text(pilot.app)
        assert "[ churn@2 ]" in text and "r-012" in text
        assert "D-1  gradient boosting" in text and "Is the e-mail domain needed? It looks personal." in text
        assert "research to engineering: ✗ blocked" in text
        await press(pilot, settled, "left")
        text = screen_text(pilot.app)
        assert "r-012 made churn@2" in text and "auc 0.8405 (holdout)" in text and "⏎ recentre" in text


async def test_enter_recentres_and_esc_comes_back_to_the_same_row(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R043: the trail is kept; esc walks it back and the cursor stands where it stood."""
    async with visit(tour, ("lineage", "run")) as pilot:
        chart = pilot.app.screen.query_one(FocusMap)
        await press(pilot, settled, "left", "down")
        left_by = chart.chosen
        assert left_by != THIS
        await press(pilot, settled, "enter")
        assert "r-012 ›" in screen_text(pilot.app) and chart.chosen == THIS
        await press(pilot, settled, "escape")
        assert "[ r-012 ]" in screen_text(pilot.app) and chart.chosen == left_by


async def test_siblings_fold_with_their_count_and_enter_chooses_among_them(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Fifteen runs used the dataset: some are drawn, the rest counted and reachable."""
    async with visit(tour, ("lineage", "data")) as pilot:
        assert "used by 15" in screen_text(pilot.app) and "+10 more (10 runs)" in screen_text(pilot.app)
        await press(pilot, settled, "right", *["down"] * 8)
        assert "Not drawn:" in screen_text(pilot.app)
        await press(pilot, settled, "enter", *"012", "enter")
        assert "[ r-012 ]" in screen_text(pilot.app)


async def test_find_goes_to_any_node(tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]) -> None:
    async with visit(tour, ("lineage", "data")) as pilot:
        await press(pilot, settled, "slash", *"contract", "enter")
        assert "[ features_contract@2 ]" in screen_text(pilot.app)
        await press(pilot, settled, "slash", *"zzz", "enter")
        assert "No node is called that." in screen_text(pilot.app)


async def test_impact_names_gates_and_what_came_of_it(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """A change of a dataset lists the packages and models it touches."""
    async with visit(tour, ("lineage", "data")) as pilot:
        await press(pilot, settled, "i")
        text = screen_text(pilot.app)
        assert "If telco@3 changed" in text and "1 model, 15 runs" in text
        assert "churn@2, research to engineering: holds it, not signed yet" in text


async def test_declaring_a_run_by_form_with_an_edge(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """An empty store says what to do; n declares, a wrong field is named, the preview comes before the record."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    data = tour.acts().declare("dataset", "telco").entity
    async with visit(tour, ("lineage",)) as pilot:
        assert "missing source, owner, digest" in " ".join(screen_text(pilot.app).split())
        await press(pilot, settled, "n", *"run", "enter", "ctrl+d")
        assert "name is empty." in screen_text(pilot.app)
        await press(pilot, settled, *"r-1", "enter", "enter", *"lr", "ctrl+d")
        assert "params are name=value" in screen_text(pilot.app)
        await press(pilot, settled, *"=1", "ctrl+d")
        assert "nothing written yet" in screen_text(pilot.app)
        assert tour.project.count("run") == 0
        await press(pilot, settled, "enter")
        assert tour.project.count("run") == 1
        await press(pilot, settled, "y", "u", *"telco", "enter", "enter", "n")
        text = screen_text(pilot.app)
        assert "[ r-1 ]" in text and "telco" in text
    row = tour.project.entities("run")[0]
    assert [edge.dst for edge in tour.project.node(row.id).edges] == [data]
    tour.desk.close()


async def test_an_empty_store_says_what_comes_next(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    async with visit(tour, ("lineage",), size=(40, 12)) as pilot:
        assert "No node is declared yet." in screen_text(pilot.app)
        await press(pilot, settled, "i")
        assert "nothing is declared" in screen_text(pilot.app)
    tour.desk.close()


async def test_hostile_names_are_shown_as_signs(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """What others wrote reaches the screen as visible signs alone."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    evil = "a\x1b]52;c;x\x07\u202eb\nc"
    one = tour.acts().declare("dataset", evil, attrs={"k": evil}, params={"k": evil})
    tour.acts().declare("model", evil, version=evil, edges=[("from", one.entity)])
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(tour, ("lineage",), size=size) as pilot:
            await press(pilot, settled, "left", "i", "escape")
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e") and "a␛]52" in text
    tour.desk.close()


async def test_a_trail_too_long_for_the_line_loses_its_oldest_steps() -> None:
    from carnet_tui.glyphs import Glyphs

    line = lineage_view.trail([f"node-{n}" for n in range(30)], "here", 40, Glyphs(plain=False))
    text = "".join(part for part, _ in line)
    assert len(text) == 40 and text.rstrip().endswith("› here") and "node-0 " not in text and "node-29" in text
