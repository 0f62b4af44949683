"""The lineage focus view: the map walked by arrows, facts of the node under the cursor, impact, declaring."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.graph_layout import THIS
from carnet_tui.views import lineage_view
from carnet_tui.widgets.focus_map import FocusMap
from carnet_tui.widgets.line_list import LineList


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


async def test_siblings_fold_with_their_count_and_enter_lists_them(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Fifteen runs used the dataset: some are drawn, the rest counted; Enter lists all of them, esc comes back to the fold."""
    async with visit(tour, ("lineage", "data")) as pilot:
        text = screen_text(pilot.app)
        assert "▲ 0 up  ▼ 16 down" in text and "+10 more (10 runs)" in text
        await press(pilot, settled, "right", *["down"] * 8)
        assert "Not drawn: 10 runs." in screen_text(pilot.app) and "⏎ list them" in screen_text(pilot.app)
        await press(pilot, settled, "enter")
        text = screen_text(pilot.app)
        assert "telco@3+1,kind:run not telco@3" in text and "15 nodes (15 runs)" in text
        await press(pilot, settled, "slash", *"012", "enter")
        assert "[ r-012 ]" in screen_text(pilot.app)
        await press(pilot, settled, "escape", "escape")
        assert "[ telco@3 ]" in screen_text(pilot.app) and "Not drawn: 10 runs." in screen_text(pilot.app)


async def test_what_must_be_seen_is_not_folded_away(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Any
) -> None:
    """The oldest of forty runs is recalled, and the oldest model has an open gate: both stay in the picture, with sign and word."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    bad = acts.declare("run", "r-bad", edges=[("used", data)]).entity
    waits = acts.declare("model", "slow", version="1", edges=[("from", data)]).entity
    for number in range(40):
        acts.declare("run", f"r-{number:03}", edges=[("used", data)])
    acts.recall(bad, "It read the wrong table")
    from carnet_store.work.templates import packs_for

    acts.open_handoff(waits, packs_for("starter-research-to-engineering"))
    tour.ids["data"] = data
    async with visit(tour, ("lineage", "data")) as pilot:
        text = screen_text(pilot.app)
        assert "⊘ recalled r-bad" in text and "◇ slow@1" in text and "+37 more (37 runs)" in text
    tour.desk.close()


async def test_find_goes_to_any_node(tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]) -> None:
    async with visit(tour, ("lineage", "data")) as pilot:
        await press(pilot, settled, "slash", *"contract", "enter")
        assert "[ features_contract@2 ]" in screen_text(pilot.app)
        await press(pilot, settled, "slash", *"zzzz", "enter")
        assert "No node is called that." in screen_text(pilot.app)


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


def test_a_trail_too_long_for_the_line_loses_its_oldest_steps() -> None:
    from carnet_tui.glyphs import Glyphs
    from carnet_tui.text import line_width

    line = lineage_view.trail([f"node-{n}" for n in range(30)], "here", 40, Glyphs(plain=False))
    text = "".join(part for part, _ in line)
    assert line_width(line) <= 40 and text.endswith("› here ") and "node-0 " not in text and "node-29" in text
    rule = lineage_view.rule(["a"], "b", "newest first", 60, Glyphs(plain=False))
    text = "".join(part for part, _ in rule)
    assert line_width(rule) == 60 and text.startswith(" a › b ──") and text.endswith("── newest first ──")


@pytest.mark.parametrize(
    ("way", "keys"),
    [
        ((("inbox",),), ("down",)), ((("models",),), ()), ((("inbox",), ("handoff", "handoff")), ("down", "down")),
        ((("inbox",), ("handoff", "handoff"), ("item", "handoff", "framing.criteria")), ()), ((("decisions",),), ("down",)),
        ((("decisions",), ("decision", "decision")), ()), ((("decisions",), ("question", "question")), ()),
        ((("timeline",),), ("down", "down", "down")), ((("lineage",), ("catalogue", "data")), ("down",)),
        ((("inbox",), ("handoff", "handoff"), ("review", "handoff")), ()), ((("inbox",), ("handoff", "handoff"), ("conflict", "handoff", "framing.criteria")), ()),
    ],
    ids=lambda one: one[-1][0] if one and isinstance(one[0], tuple) else "",
)  # fmt: skip
async def test_g_leads_to_the_node_from_everywhere_and_esc_back_to_the_row(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str], way: Any, keys: tuple[str, ...]
) -> None:
    """R044: from an item, a handoff, a decision, a question, a row of the timeline, a model, the inbox, a catalogue entry."""
    async with visit(tour, *way) as pilot:
        await press(pilot, settled, *keys)
        lists = list(pilot.app.screen.query(LineList))
        before, row = screen_text(pilot.app), [(one.index, one.chosen) for one in lists]
        await press(pilot, settled, "g")
        assert pilot.app.path[-1].name == "lineage" and "Focus  Tree  List  Overview" in screen_text(pilot.app)
        assert "[ churn@2 ]" in screen_text(pilot.app) or "[ telco@3 ]" in screen_text(pilot.app)
        await press(pilot, settled, "escape")
        assert [one.index for one in lists] == [index for index, _ in row]
        assert pilot.app.path == tuple(pilot.app._start) and len(screen_text(pilot.app)) > len(before) // 2


async def test_a_notebook_opens_by_enter_and_a_dataset_offers_its_entry(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R043, R117: on the node in the middle; esc comes back to it."""
    from carnet_tui.screens import opening

    async with visit(tour, ("lineage", "data")) as pilot:
        await press(pilot, settled, "enter")
        assert "its catalogue entry" in screen_text(pilot.app)
        await press(pilot, settled, "enter")
        assert pilot.app.path[-1].name == "catalogue"
        await press(pilot, settled, "escape")
        assert "[ telco@3 ]" in screen_text(pilot.app)
    monkeypatch.setattr(opening, "is_notebook", lambda node: True)
    async with visit(tour, ("lineage", "contract")) as pilot:
        await press(pilot, settled, "enter")
        assert pilot.app.path[-1].name == "notebook"
