"""The lineage focus view: the map walked by arrows, facts of the node under the cursor, impact, declaring."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.graph_layout import THIS
from carnet_tui.screen import Route
from carnet_tui.views import lineage_view
from carnet_tui.widgets.focus_map import FocusMap
from carnet_tui.widgets.line_list import LineList

NAMED = {"-": "minus", "@": "at"}


async def test_the_newest_model_is_in_the_middle_and_its_run_beside_it(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R043, R044: from a model one walks to its run and sees decisions, questions and handoffs about it."""
    async with visit(tour, ("lineage",)) as pilot:
        text = screen_text(pilot.app)
        assert "[ churn@2 ]" in text and "r-012" in text
        assert "D-1  gradient boosting" in text and "Is the e-mail domain needed? It looks personal." in text
        assert "research to engineering: ✗ blocked" in text
        await pilot.press("left")
        text = screen_text(pilot.app)
        assert "r-012 made churn@2" in text and "auc 0.8405 (holdout)" in text and "⏎ recentre" in text


async def test_a_newer_model_that_nothing_is_known_of_does_not_stand_in_the_way(
    main_path: Any, visit: Any, screen_text: Callable[[Any], str]
) -> None:
    """A registry may name models beside one's own: one begins with the newest that is linked to anything; alone, with it."""
    tour = main_path("open")
    tour.step = 1000
    tour.at("Ana").declare("model", "elsewhere", version="9")
    async with visit(tour, ("lineage",)) as pilot:
        assert "[ churn@2 ]" in screen_text(pilot.app)


async def test_enter_recentres_and_esc_comes_back_to_the_same_row(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R043: the trail is kept; esc walks it back and the cursor stands where it stood."""
    async with visit(tour, ("lineage", "run")) as pilot:
        chart = pilot.app.screen.query_one(FocusMap)
        await pilot.press("left", "down")
        left_by = chart.chosen
        assert left_by != THIS
        await pilot.press("enter")
        assert "r-012 ›" in screen_text(pilot.app) and chart.chosen == THIS
        await pilot.press("escape")
        assert "[ r-012 ]" in screen_text(pilot.app) and chart.chosen == left_by


async def test_siblings_fold_with_their_count_and_enter_lists_them(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Fifteen runs used the dataset: some are drawn, the rest counted; Enter lists all of them, esc comes back to the fold."""
    async with visit(tour, ("lineage", "data")) as pilot:
        text = screen_text(pilot.app)
        assert "▲ 0 up  ▼ 16 down" in text and "… 10 more runs" in text
        await pilot.press("right", *["down"] * 8)
        assert "Not drawn: 10 runs." in screen_text(pilot.app) and "⏎ list them" in screen_text(pilot.app)
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "telco@3+1,kind:run not telco@3" in text and "15 nodes (15 runs)" in text
        await pilot.press("slash", *"012", "enter")
        assert "[ r-012 ]" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
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
        assert "⊘ recalled r-bad" in text and "◇ gate open slow@1" in text and "… 37 more runs" in text
    tour.desk.close()


async def test_find_goes_to_any_node(tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]) -> None:
    async with visit(tour, ("lineage", "data")) as pilot:
        await pilot.press("slash", *"contract", "enter")
        assert "[ features_contract@2 ]" in screen_text(pilot.app)
        await pilot.press("slash", *"zzzz", "enter")
        assert "Nothing is called that" in screen_text(pilot.app)


async def test_declaring_a_run_by_form_with_an_edge(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """An empty store says what to do; n declares, a wrong field is named, the preview comes before the record."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    data = tour.acts().declare("dataset", "telco").entity
    async with visit(tour, ("lineage",)) as pilot:
        text = screen_text(pilot.app)
        assert "source, owner   Enter, its catalogue entry, e on the field" in text
        assert "digest   n declares another version, that has one" in text
        await pilot.press("n", *"run", "enter", "ctrl+d")
        assert "name is empty." in screen_text(pilot.app)
        await pilot.press(*"r-1", "enter", "enter", *"lr", "ctrl+d")
        assert "params are name=value" in screen_text(pilot.app)
        await pilot.press(*"=1", "ctrl+d")
        assert "nothing written yet" in screen_text(pilot.app)
        assert tour.project.count("run") == 0
        await pilot.press("enter")
        assert tour.project.count("run") == 1
        await pilot.press("y", "u", *"telco", "enter", "enter", "n")
        text = screen_text(pilot.app)
        assert "[ r-1 ]" in text and "telco" in text
    row = tour.project.entities("run")[0]
    assert [edge.dst for edge in tour.project.node(row.id).edges] == [data]
    tour.desk.close()


async def test_criteria_are_entered_a_line_each_and_a_wrong_line_is_named(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R020: in the words of `carnet add criteria`; declared again for the same model they replace those that stand."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.acts().declare("dataset", "telco")
    async with visit(tour, ("lineage",)) as pilot:
        await pilot.press("n", *"criteria", "enter", *"churn", "enter", "ctrl+d")
        assert "criteria is empty." in screen_text(pilot.app)
        await pilot.press(*"primary: auc >= 0.83 on holdout", "enter", *"latency p95 50", "ctrl+d")
        assert "line 2: 'latency p95 50' is no criterion" in screen_text(pilot.app)
        await pilot.press(*["backspace"] * 14, *"latency: p95_ms <= 50 ms", "ctrl+d")
        assert "primary: auc >= 0.83 on holdout" in screen_text(pilot.app)
        assert tour.project.count("criteria") == 0
        await pilot.press("enter")
        assert "[ churn ]" in screen_text(pilot.app)
        await pilot.press("n", *"criteria", "enter", *"churn", "enter", *"primary: auc >= 0.85", "ctrl+d")
        assert "They replace those that stand." in screen_text(pilot.app)
        await pilot.press("enter")
    [row] = tour.project.entities("criteria")
    [only] = tour.project.node(row.id).criteria
    assert (only.id, only.metric, only.name, only.op, only.value) == ("primary", "auc", "auc", ">=", "0.85")
    tour.desk.close()


async def test_an_empty_store_says_what_comes_next(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    async with visit(tour, ("lineage",), size=(40, 12)) as pilot:
        assert "No node is declared yet." in screen_text(pilot.app)
        await pilot.press("i")
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
            await pilot.press("left", "i", "escape")
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e") and "a␛]52" in text
    tour.desk.close()


async def test_a_step_of_the_trail_is_clicked_and_one_is_there(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """A crumb goes back over the steps after it; what stands beside the crumbs does nothing; `[` undoes the click."""
    async with visit(tour, ("lineage", "model")) as pilot:
        for name in ("r-012", "telco@3"):
            await pilot.press("slash", *(NAMED.get(char, char) for char in name), "enter")
        assert " churn@2 › r-012 › telco@3 ──" in screen_text(pilot.app)
        await pilot.click("#head", offset=(60, 2))
        await settled(pilot)
        assert "[ telco@3 ]" in screen_text(pilot.app)
        await pilot.click("#head", offset=(13, 2))
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "[ r-012 ]" in text and " churn@2 › r-012 ──" in text
        await pilot.press("left_square_bracket")
        assert " churn@2 › r-012 › telco@3 ──" in screen_text(pilot.app)
        await pilot.click("#head", offset=(2, 2))
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "[ churn@2 ]" in text and "›" not in text


async def test_back_and_forward_walk_the_steps_as_a_browser_does(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """TUI.md 2: `[` is one step of the exploration, its view and its row too; another place between them changes nothing; esc is as it was."""
    async with visit(tour, ("inbox",)) as pilot:
        await pilot.press("3", "slash", *"r", "minus", *"012", "enter", "left", "tab")
        row = pilot.app.screen.node_id
        await pilot.press("slash", *"telco", "enter")
        assert "churn@2 › r-012 › telco@3" in screen_text(pilot.app)
        await pilot.press("left_square_bracket")
        text = screen_text(pilot.app)
        assert (pilot.app.screen.view, pilot.app.screen.node_id) == ("tree", row) and "churn@2 › r-012 ─" in text
        await pilot.press("right_square_bracket")
        assert "[ telco@3 ]" in screen_text(pilot.app) and "churn@2 › r-012 › telco@3" in screen_text(pilot.app)
        await pilot.press("5", "left_square_bracket")
        text = screen_text(pilot.app)
        assert "[ telco@3 ]" in text and "churn@2 › r-012 › telco@3" in text
        await pilot.press("i", "left_square_bracket", "left_square_bracket")
        assert (pilot.app.screen.view, pilot.app.screen.node_id) == ("tree", row)
        await pilot.press("left_square_bracket")
        assert "[ churn@2 ]" in screen_text(pilot.app) and "›" not in screen_text(pilot.app)
        await pilot.press("left_square_bracket")
        assert pilot.app.path[-1].name == "inbox"
        await pilot.press(*["right_square_bracket"] * 3)
        assert "[ telco@3 ]" in screen_text(pilot.app)
        await pilot.press("escape")
        assert (pilot.app.screen.view, pilot.app.screen.node_id) == ("tree", row)
        await pilot.press("left_square_bracket")
        assert "[ telco@3 ]" in screen_text(pilot.app)


async def test_steps_back_pressed_faster_than_they_are_read_lose_nothing(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Three keys at once, each before the last one's answer came: what is kept of a step is what was asked, not what was still shown."""
    async with visit(tour, ("lineage", "model")) as pilot:
        for name in ("r-012", "telco@3", "r-020"):
            await pilot.press("slash", *(NAMED.get(char, char) for char in name), "enter")
        await pilot.press(*["left_square_bracket"] * 3)
        await settled(pilot)
        assert "[ churn@2 ]" in screen_text(pilot.app)
        for shown in ("r-012", "telco@3", "r-020"):
            await pilot.press("right_square_bracket")
            assert f"[ {shown} ]" in screen_text(pilot.app)


async def test_back_into_a_store_that_is_not_open_any_more_begins_anew(
    tour: Any, places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """What was shown there is not looked for in another store."""
    other = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    other.acts().declare("dataset", "elsewhere")
    async with visit(tour, ("lineage",)) as pilot:
        await pilot.press("slash", *"telco", "enter")
        assert "[ telco@3 ]" in screen_text(pilot.app)
        pilot.app.set_desk(other.desk, (Route("inbox"),))
        pilot.app._own = False
        await settled(pilot)
        await pilot.press("left_square_bracket")
        text = screen_text(pilot.app)
        assert "[ elsewhere ]" in text and "telco" not in text
    other.desk.close()


async def test_where_there_is_no_other_node_one_is_told(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """`b` and `d` open no list of nothing, and say what makes one."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.ids["data"] = tour.acts().declare("dataset", "solo").entity
    async with visit(tour, ("lineage", "data")) as pilot:
        await pilot.press("b")
        assert "There is no other node: n declares one." in screen_text(pilot.app)
        tour.acts().declare("run", "r-1")
        await pilot.press("d")
        assert "There is no other dataset to compare it with: n declares one." in screen_text(pilot.app)
        await pilot.press("b")
        assert "Which other node?" in screen_text(pilot.app)
    tour.desk.close()


def test_a_long_name_is_cut_and_the_counts_stay(tour: Any) -> None:
    """In the head of every width: kind, the start of the name, what is up with it, and how much lies before and after."""
    from carnet_store import EntityRow, Totals
    from carnet_tui.glyphs import Glyphs
    from carnet_tui.text import line_width
    from carnet_tui.views.lineage_asked import Around

    row = EntityRow("dataset:1", "dataset", "long-" * 42, "", 0, 0)
    scene = lineage_view.Scene(Around(row.id), "1+x+1", row, None, {}, totals=Totals({"dataset": 3}, {"run": 1204}))
    for cells in (60, 80, 160):
        line = lineage_view.headline(scene, ("⊘", "recalled", "bad"), cells, Glyphs(plain=False))
        text = "".join(part for part, _ in line)
        assert line_width(line) == cells and "dataset long-long-" in text and "…  ⊘ recalled" in text
        assert "▲3 ▼1,204" in text
    line = lineage_view.headline(scene, ("", "", ""), 40, Glyphs(plain=False), "focus")
    text = "".join(part for part, _ in line)
    assert line_width(line) == 40 and "▲3 ▼1,204" in text and text.endswith("focus ")


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
        await pilot.press(*keys)
        lists = list(pilot.app.screen.query(LineList))
        before, row = screen_text(pilot.app), [(one.index, one.chosen) for one in lists]
        await pilot.press("g")
        assert pilot.app.path[-1].name == "lineage" and "Focus  Tree  List  Overview" in screen_text(pilot.app)
        assert any(f"[ {name} ]" in screen_text(pilot.app) for name in ("churn@2", "telco@3", "churn"))
        await pilot.press("escape")
        assert [one.index for one in lists] == [index for index, _ in row]
        assert pilot.app.path == tuple(pilot.app._start) and len(screen_text(pilot.app)) > len(before) // 2


async def test_a_dataset_offers_its_entry_and_a_notebook_its_cells(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """R043, R117: Enter on the node in the middle opens the same menu for each kind, its page first; esc comes back to it."""
    from carnet_tui.screens import opening

    async with visit(tour, ("lineage", "data")) as pilot:
        await pilot.press("enter")
        assert "its catalogue entry" in screen_text(pilot.app)
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "catalogue"
        await pilot.press("escape")
        assert "[ telco@3 ]" in screen_text(pilot.app)
    monkeypatch.setattr(opening, "is_notebook", lambda node: True)
    async with visit(tour, ("lineage", "contract")) as pilot:
        assert "⏎ menu" in screen_text(pilot.app)
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "▌its notebook" in text and "all that it comes from" in text
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "notebook"
