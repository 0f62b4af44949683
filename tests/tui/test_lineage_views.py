"""The four views of one selection: the same set in each, the cursor kept, ways in and back, and how they look."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_store.domain.selection import ALL
from carnet_tui.cli import main
from carnet_tui.screens import lineage
from carnet_tui.screens.lineage import LineageScreen
from carnet_tui.session import Environment
from carnet_tui.views import lineage_asked
from carnet_tui.views.lineage_asked import Around, Chosen
from carnet_tui.views.lineage_rows import Item
from carnet_tui.views.lineage_tree import TreeRow

Text = Callable[[Any], str]


async def write(pilot: Any, settled: Any, text: str, *keys: str) -> None:
    """Type a text at once, then press keys."""
    await pilot.press(*("space" if char == " " else char for char in text))
    await pilot.press(*keys)


@pytest.fixture(scope="module")
def still(places: ModuleType, tmp_path_factory: Any) -> Iterator[Any]:
    """The tour with a slice, a second model version and a deployment; the clock stands."""
    folder = tmp_path_factory.mktemp("views")
    tour = places.build(folder, {"CARNET_CONFIG": str(folder / "config")}, runs=6)
    acts, ids = tour.acts(), tour.ids
    ids["slice"] = acts.declare(
        "dataset", "telco eu", attrs={"source": "x", "owner": "y"}, edges=[("from", ids["data"])]
    ).entity
    ids["other run"] = acts.declare(
        "run", "r-090", attrs={"command": "python train.py", "experiment": "tuning"}, params={"lr": "0.3"},
        edges=[("used", ids["data"]), ("used", ids["slice"])],
    ).entity  # fmt: skip
    ids["other"] = acts.declare("model", "churn", version="3").entity
    acts.link(ids["other run"], "made", ids["other"])
    ids["live"] = acts.declare("deployment", "eu rollout", edges=[("used", ids["other"])]).entity
    tour.clock.step = 0
    yield tour
    tour.desk.close()


def said(tour: Any, *words: str) -> Any:
    """What a command prints as JSON on the tour's store."""
    out = io.StringIO()
    environ = {"CARNET_CONFIG": str(tour.folder / "config"), "CARNET_ME": "Ana", "PATH": "/usr/bin"}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert main((*words, "--json"), Environment(environ, tour.clock, tour.folder / "ana")) == 0
    return json.loads(out.getvalue())


def screen(pilot: Any) -> LineageScreen:
    here = pilot.app.screen
    assert isinstance(here, LineageScreen)
    return here


def listed(pilot: Any) -> list[str]:
    """The nodes of the list, in order."""
    rows = screen(pilot).rows
    found = [rows.row(at) for at in range(rows.row_count)]
    return [row.row.id for row in found if isinstance(row, Item)]


def unfolded(pilot: Any) -> set[str]:
    """The nodes of the tree."""
    rows = screen(pilot).rows
    found = [rows.row(at) for at in range(rows.row_count)]
    return {row.row.id for row in found if isinstance(row, TreeRow) and row.row is not None}


# --- one set ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", [1, 2, ALL])
async def test_every_view_shows_what_the_command_names(still: Any, visit: Any, settled: Any, up: int) -> None:
    """R061: list, tree and focus (with what it folds) are the set of `carnet lineage` for the expression that stands above them."""
    for name in ("model", "other", "data", "run"):
        async with visit(still, ("inbox",), ("lineage", name)) as pilot:
            here = screen(pilot)
            here._go(Around(still.ids[name], up, up))
            await settled(pilot)
            scene = here._scene
            assert scene is not None and scene.focus is not None
            wanted = {row["id"] for row in said(still, "lineage", scene.text, "--limit", "5000")["nodes"]}
            drawn = {one.row.id for one in scene.focus.nodes}
            assert drawn <= wanted
            if up == 1:  # then what is folded is next to the centre, and counted once
                assert len(drawn) + sum(fold.count for fold in scene.focus.folds) == len(wanted)
            await pilot.press("tab")
            assert unfolded(pilot) == wanted
            await pilot.press("tab")
            assert set(listed(pilot)) == wanted
            newest = [row["id"] for row in said(still, "lineage", scene.text, "--limit", "5000")["nodes"]]
            assert listed(pilot) == newest


@pytest.mark.parametrize(("up", "down"), [(2, 2), (ALL, ALL), (1, 3)])
async def test_without_runs_every_view_shows_the_same_set_too(
    still: Any, visit: Any, settled: Any, up: int, down: int
) -> None:
    """LINEAGE 4.1: artifact to artifact; the tree hangs together as the picture does, and no fold stands for what was left out on purpose."""
    for name in ("model", "other", "data"):
        async with visit(still, ("inbox",), ("lineage", name)) as pilot:
            here = screen(pilot)
            here._go(Around(still.ids[name], up, down, runs=False))
            await settled(pilot)
            scene = here._scene
            assert scene is not None and scene.focus is not None and scene.text.endswith(" not kind:run")
            wanted = {row["id"] for row in said(still, "lineage", scene.text, "--limit", "5000")["nodes"]}
            assert {one.row.id for one in scene.focus.nodes} == wanted and scene.focus.folds == ()
            await pilot.press("tab")
            assert unfolded(pilot) == wanted
            rows = [here.rows.row(at) for at in range(here.rows.row_count)]
            lines = [row for row in rows if isinstance(row, TreeRow) and row.row is not None]
            assert [row.row.id for row in lines if row.depth == 0 and row.row is not None] == [still.ids[name]]
            await pilot.press("tab")
            assert set(listed(pilot)) == wanted


async def test_without_runs_each_edge_names_the_run_it_stands_for(
    still: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """In the facts of the chosen node with what went in and came out, and on the line of the tree; the head counts what the tree shows."""
    async with visit(still, ("inbox",), ("lineage", "model"), size=(120, 40)) as pilot:
        screen(pilot)._go(Around(still.ids["model"], 2, 2, runs=False))
        await settled(pilot)
        text = " ".join(screen_text(pilot.app).split())
        assert "by run - r-012: " in text and "telco@3" in text.partition("r-012: ")[2].partition(" › churn@2")[0]
        await pilot.press("left")
        text = screen_text(pilot.app)
        assert "churn@2 comes from" in text and "› churn@2" in text and "+6 run" not in text
        await pilot.press("tab")
        text = screen_text(pilot.app)
        assert "comes from dataset telco@3  by r-012" in text and "CAME OF IT  nothing recorded" in text
        assert "COMES FROM  4 nodes (2 datasets, 1 code snapshot, 1 document)" in text


async def test_a_set_is_the_same_in_every_view(still: Any, visit: Any, settled: Any) -> None:
    """An expression that names no single node: drawn, as a tree within the set, listed, and counted by kind."""
    text = "telco@3..churn@3 kind:deployment"
    async with visit(still, ("inbox",), ("lineage", "", text, "focus")) as pilot:
        wanted = {row["id"] for row in said(still, "lineage", text)["nodes"]}
        scene = screen(pilot)._scene
        assert scene is not None and scene.focus is not None and {one.row.id for one in scene.focus.nodes} == wanted
        assert {spot.key for spot in screen(pilot).picture._picture.spots} == wanted
        await pilot.press("tab")
        assert unfolded(pilot) == wanted
        await pilot.press("tab")
        assert set(listed(pilot)) == wanted
        await pilot.press("tab")
        groups = screen(pilot)._groups
        assert groups is not None and sum(row.count for row in groups.rows[1:]) == len(wanted)


def test_expressions_are_read_back(still: Any) -> None:
    """What the screen writes of what it shows is read as the same, whatever the names."""
    graph = still.project.graph
    for name in ("model", "run", "data", "loose", "slice", "criteria"):
        for asked in (
            Around(still.ids[name]),
            Around(still.ids[name], 2, 3),
            Around(still.ids[name], ALL, 0),
            Around(still.ids[name], 0, ALL),
        ):
            text = lineage_asked.expression(graph, asked)
            assert lineage_asked.read(graph, text) == asked, text
            assert lineage_asked.numbers(graph, asked) == graph.select(text)
    without = Around(still.ids["model"], 2, 2, runs=False)
    text = lineage_asked.expression(graph, without)
    assert text == "2+churn@2+2 not kind:run" and lineage_asked.read(graph, text) == without
    assert lineage_asked.numbers(graph, without) == graph.select(text)
    assert lineage_asked.read(graph, "kind:run") == Chosen("kind:run")
    assert lineage_asked.expression(graph, Chosen("kind:run")) == "kind:run"


def test_a_name_that_names_several_things_is_spelled_so_that_it_names_one(places: ModuleType, tmp_path: Any) -> None:
    """Two nodes of one name, a name like a kind's sign, a number, one that would steer: each expression names its node alone."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    made = [acts.declare("dataset", "twin").entity, acts.declare("run", "twin").entity]
    made += [
        acts.declare("dataset", name).entity
        for name in ("c++", "17", "not", "a b", 'say "so"', "x" * 90, "a\x1b[31mb", "*", "1+a+1")
    ]
    made += [acts.declare("model", "m", version=version).entity for version in ("1", "2")]
    graph = tour.project.graph
    for entity in made:
        text = lineage_asked.spelled(graph, entity)
        assert graph.select(text) == [graph.number(entity)], text
        assert "\x1b" not in text and len(text) <= 80
    assert lineage_asked.spelled(graph, made[0]) == "dataset:twin"
    tour.desk.close()


# --- going from view to view ------------------------------------------------------------------------------------------


async def test_views_keep_the_node_under_the_cursor(still: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Tab goes round the views, shift+tab back; the node one stands on stays, also past the overview, which has none."""
    async with visit(still, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("left", "down")
        node = screen(pilot).node_id
        assert node and node != still.ids["run"]
        for view in ("tree", "list"):
            await pilot.press("tab")
            assert (screen(pilot).view, screen(pilot).node_id) == (view, node)
        await pilot.press("tab")
        assert screen(pilot).view == "overview" and screen(pilot).node_id == ""
        await pilot.press("tab")
        assert (screen(pilot).view, screen(pilot).node_id) == ("focus", node)
        await pilot.press("shift+tab", "shift+tab")
        assert (screen(pilot).view, screen(pilot).node_id) == ("list", node)
        assert " Focus  Tree  List  Overview" in screen_text(pilot.app) and "1+r-012+1" in screen_text(pilot.app)


async def test_a_click_on_a_views_name_shows_it(still: Any, visit: Any, settled: Any) -> None:
    """The mouse does what tab does, on the names and on the footer's hint."""
    async with visit(still, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.click("#head", offset=(15, 1))
        await settled(pilot)
        assert screen(pilot).view == "list"
        await pilot.click("#head", offset=(2, 1))
        await settled(pilot)
        assert screen(pilot).view == "focus"
        await pilot.click("#head", offset=(40, 1))
        await pilot.click("Bottom", offset=(13, 2))
        await settled(pilot)
        assert screen(pilot).view == "tree"


async def test_enter_puts_a_row_in_the_middle_and_esc_comes_back_to_it(still: Any, visit: Any, settled: Any) -> None:
    """R043: from the list and from the tree; the view, the row and what was shown are as they were."""
    async with visit(still, ("inbox",), ("lineage", "run")) as pilot:
        for tabs, view in ((1, "tree"), (1, "list")):
            await pilot.press(*["tab"] * tabs, "home", "down", "down")
            node = screen(pilot).node_id
            assert node and node != still.ids["run"]
            await pilot.press("enter")
            assert screen(pilot).view == "focus" and screen(pilot)._asked == Around(node)
            await pilot.press("escape")
            assert (screen(pilot).view, screen(pilot).node_id) == (view, node)
        await pilot.press("escape")
        assert pilot.app.path[-1].name == "inbox"


async def test_a_later_mention_in_the_tree_leads_to_its_line(
    still: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R061: a node is expanded once; `line N` is told, and Enter jumps there."""
    async with visit(still, ("inbox",), ("lineage", "other")) as pilot:
        screen(pilot)._go(Around(still.ids["other"], ALL, 0), view="tree")
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "↓ line 5" in text and "5   └─ used dataset telco@3" in text
        await pilot.press("home", "down", "down", "down")
        row = screen(pilot).row
        assert isinstance(row, TreeRow) and row.seen == 5 and "⏎ line 5" in screen_text(pilot.app)
        await pilot.press("enter")
        row = screen(pilot).row
        assert isinstance(row, TreeRow) and (row.number, row.seen) == (5, 0)


async def test_the_tree_opens_level_by_level(still: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Right opens what lies under a line, left folds it away and then goes up; what is not shown is counted."""
    async with visit(still, ("inbox",), ("lineage", "model")) as pilot:
        await pilot.press("tab", "home", "down")
        assert "made by run r-012" in screen_text(pilot.app) and "… 4 more" in screen_text(pilot.app)
        await pilot.press("right")
        text = screen_text(pilot.app)
        assert "used dataset telco@3" in text and "used code churn" in text and "… 4 more" not in text
        await pilot.press("left")
        assert "used dataset" not in screen_text(pilot.app) and "… 4 more" in screen_text(pilot.app)
        await pilot.press("right", "right")
        row = screen(pilot).row
        assert isinstance(row, TreeRow) and row.depth == 2
        await pilot.press("left", "left")
        row = screen(pilot).row
        assert isinstance(row, TreeRow) and row.depth == 1


async def test_a_click_on_the_mark_of_a_line_does_what_it_says(
    still: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """`… 4 more ▸` unfolds as right does, at the first click, and recentres at none; `line N` goes there; elsewhere a click chooses."""
    async with visit(still, ("inbox",), ("lineage", "model")) as pilot:
        await pilot.press("tab")
        here = screen(pilot)
        at = next(no for no, line in enumerate(screen_text(pilot.app).splitlines()) if "… 4 more" in line)
        await pilot.click(here.rows, offset=(here.rows.size.width - 6, at - here.rows.region.y))
        await settled(pilot)
        text = screen_text(pilot.app)
        assert here.view == "tree" and "used dataset telco@3" in text and "… 4 more" not in text
        assert here.node_id == still.ids["run"] and here._asked == Around(still.ids["model"])
        here._go(Around(still.ids["other"], ALL, 0), view="tree")
        await settled(pilot)
        at = next(no for no, line in enumerate(screen_text(pilot.app).splitlines()) if "↓ line 5" in line)
        await pilot.click(here.rows, offset=(20, at - here.rows.region.y))
        await settled(pilot)
        assert isinstance(here.row, TreeRow) and here.row.seen == 5
        await pilot.click(here.rows, offset=(here.rows.size.width - 4, at - here.rows.region.y))
        await settled(pilot)
        assert isinstance(here.row, TreeRow) and (here.row.number, here.row.seen) == (5, 0)


async def test_the_tree_of_a_large_set_says_how_much_it_shows_and_goes_on(
    still: Any, visit: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its end stands how many nodes have a line; right, Enter and a click on it show more, until all of the set is there."""
    monkeypatch.setattr(lineage, "TREE_LINES", 3)
    monkeypatch.setattr(lineage, "MORE_LINES", 2)
    async with visit(still, ("inbox",), ("lineage", "", "*", "list")) as pilot:
        wanted = set(listed(pilot))
        screen(pilot)._go(Chosen("*"), view="tree")
        await settled(pilot)
        await pilot.press("end")
        here, text = screen(pilot), screen_text(pilot.app)
        assert f"3 of {len(wanted)} nodes shown; right shows more" in text and "⏎ show more" in text
        assert here.node_id == "" and "COMES FROM  within the selection" in text
        await pilot.press("right")
        assert len(unfolded(pilot)) == 6
        await pilot.press("end", "enter")
        assert len(unfolded(pilot)) > 6
        for _ in range(8):
            await pilot.press("end", "right")
        assert unfolded(pilot) == wanted and "shown; right" not in screen_text(pilot.app)


async def test_a_line_too_deep_for_its_rails_says_how_deep(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """In a word on the line where there is room, and in the facts at every width."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts, last = tour.acts(), ""
    for number in range(34):
        last = acts.declare("dataset", f"d-{number}", edges=[("from", last)] if last else []).entity
    for size in ((80, 24), (40, 12)):
        async with visit(tour, ("inbox",), ("lineage", last), size=size) as pilot:
            screen(pilot)._go(Around(last, ALL, 0), view="tree")
            await settled(pilot)
            await pilot.press("end")
            text = screen_text(pilot.app)
            assert ("33 deep … " if size == (80, 24) else "33…") in text and "d-0" in text
            said = " ".join("".join(part for part, _ in line) for line in screen(pilot)._fact_lines(60))
            assert "33 steps from where the tree begins" in said
            await pilot.press("home", "down")
            said = " ".join("".join(part for part, _ in line) for line in screen(pilot)._fact_lines(60))
            assert "from where the tree begins" not in said
    tour.desk.close()


async def test_two_handoffs_of_one_crossing_are_told_apart_in_the_menu(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """By the titles of what they ask, in the menu and in the facts."""
    from carnet_store.work.templates import packs_for

    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    model = acts.declare("model", "churn", version="1").entity
    for pack in ("starter-research-to-engineering", "research-to-engineering"):
        acts.open_handoff(model, packs_for(pack))
    async with visit(tour, ("inbox",), ("lineage", model)) as pilot:
        text = screen_text(pilot.app)
        assert "Research to engineering, starter: ✗ blocked" in text and "Research to engineering handoff: ✗" in text
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "handoff Research to engineering, starter" in text and "handoff Research to engineering handoff" in text
    tour.desk.close()


async def test_what_names_no_node_says_what_to_do_in_every_view(
    still: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """An empty set: each view says so, Enter is told why it does nothing, and the footer promises nothing."""
    for size in ((80, 24), (40, 12)):
        async with visit(still, ("inbox",), ("lineage", "", "tag:zzz", "list"), size=size) as pilot:
            for view in ("list", "focus", "tree"):
                screen(pilot)._switch(
                    ["focus", "tree", "list"].index(view) - ["focus", "tree", "list"].index(screen(pilot).view)
                )
                await settled(pilot)
                text = screen_text(pilot.app)
                assert screen(pilot).view == view and "Nothing is selected; / selects anew." in text, view
                assert "COMES FROM" not in text and "list them" not in text and "too many" not in text
            if size == (80, 24):
                await pilot.press("enter")
                assert "Cannot open now: nothing is selected, /." in screen_text(pilot.app)


async def test_the_list_is_sorted_by_the_arrows(still: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Newest first, then oldest, by name, by kind, most used; each order is named, the cursor stays on its node."""
    async with visit(still, ("inbox",), ("lineage", "", "*")) as pilot:
        newest = listed(pilot)
        times = [still.project.row(entity).t for entity in newest]
        assert times == sorted(times, reverse=True) and "newest first ←→" in screen_text(pilot.app)
        await pilot.press("down", "down")
        node = screen(pilot).node_id
        await pilot.press("right")
        assert listed(pilot) == newest[::-1] and "oldest first" in screen_text(pilot.app)
        assert screen(pilot).node_id == node
        await pilot.press("right")
        names = [still.project.row(entity).name.casefold() for entity in listed(pilot)]
        assert names == sorted(names) and "by name" in screen_text(pilot.app)
        await pilot.press("right", "right", "home")
        assert listed(pilot)[0] == still.ids["data"] and "most used first" in screen_text(pilot.app)
        await pilot.press("left", "left", "left", "left")
        assert listed(pilot) == newest


async def test_the_overview_counts_and_leads_in(still: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Groups with their counts, by what the arrows choose; Enter shows a group as a selection, which the command names too."""
    async with visit(still, ("inbox",), ("lineage", "", "*", "overview")) as pilot:
        text = screen_text(pilot.app)
        assert "8  ████" in text and "  run" in text and "edges" in text
        await pilot.press("enter")
        assert "kind:run" in screen_text(pilot.app) and screen(pilot).view == "list"
        assert set(listed(pilot)) == {row["id"] for row in said(still, "lineage", "kind:run")["nodes"]}
        await pilot.press("escape")
        assert screen(pilot).view == "overview"
        await pilot.press("right", "right")
        text = screen_text(pilot.app)
        assert "by experiment ←→" in text and "(no experiment)" in text and "tuning" in text
        await pilot.press("down", "enter")
        assert listed(pilot) == [still.ids["other run"]] and "attr.experiment:tuning" in screen_text(pilot.app)
        await pilot.press("escape", "up", "enter")
        assert "not attr.experiment:*" in screen_text(pilot.app) and still.ids["other run"] not in listed(pilot)
        await pilot.press("escape", "left", "left", "left")
        assert "by project" in screen_text(pilot.app) and "churn" in screen_text(pilot.app)


async def test_more_hops_without_runs_and_all_facts_by_the_menu(
    still: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """Enter on the node in the middle offers its handoffs, its facts in full, other distances, and the picture without runs."""
    async with visit(still, ("inbox",), ("lineage", "model"), size=(120, 40)) as pilot:
        await pilot.press("enter")
        assert "handoff research to engineering" in screen_text(pilot.app)
        await write(pilot, settled, "one hop more", "enter")
        text = screen_text(pilot.app)
        assert "2+churn@2+2" in text and "dataset telco@3 ─" in text and "─ run r-012" in text
        await pilot.press("enter")
        await write(pilot, settled, "runs out", "enter")
        text = screen_text(pilot.app)
        assert "2+churn@2+2 not kind:run" in text and "run r-012" not in text.split("CAME")[0].split("───\n")[2]
        await pilot.press("left")
        assert "r-012: " in screen_text(pilot.app) and "comes from" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        assert screen(pilot)._asked == Around(still.ids["model"])
        await pilot.press("enter")
        await write(pilot, settled, "all that is known", "enter")
        assert "sha256      44d0 44d0" in screen_text(pilot.app)


async def test_a_set_too_large_for_a_picture_says_so(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """No picture of everything: the list is shown, and the focus tab says why."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    for number in range(lineage_asked.DRAWN_AT_MOST):
        acts.declare("run", f"r-{number}", edges=[("used", data)])
    async with visit(tour, ("inbox",), ("lineage", "", "*", "focus")) as pilot:
        assert screen(pilot).view == "list" and screen(pilot).rows.row_count == 121
        await pilot.press("shift+tab", "shift+tab")
        text = screen_text(pilot.app)
        assert "121 nodes are too many for a picture." in text and "⏎ list them" in text
        await pilot.press("enter")
        assert screen(pilot).view == "list" and len(listed(pilot)) == 121
    tour.desk.close()


async def test_two_records_that_close_a_cycle_are_marked(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """The edge that contradicts the others is named in each view, and nothing hangs."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    one = acts.declare("dataset", "one").entity
    two = acts.declare("dataset", "two", edges=[("from", one)]).entity
    three = acts.declare("dataset", "three", edges=[("from", two)]).entity
    acts.link(one, "from", three)
    graph = tour.project.graph
    ((first, last),) = graph.back  # which of the three it is depends on their ids alone
    start, end = (row.id for row in graph.rows([first, last]))
    async with visit(tour, ("inbox",), ("lineage", end), size=(120, 40)) as pilot:
        assert "↺" in screen_text(pilot.app)
        await pilot.press("left")
        assert screen(pilot).node_id == start
        assert "closes a cycle: two records contradict each other" in screen_text(pilot.app)
        await pilot.press("tab")
        assert "↺ closes a cycle" in screen_text(pilot.app)
        screen(pilot)._go(Around(end, ALL, ALL), view="focus")
        await settled(pilot)
        assert "↺" in screen_text(pilot.app)
        await pilot.press("tab", "end", "right", "left", "tab", "tab")
        assert "1 edge closes a cycle" in screen_text(pilot.app)
    tour.desk.close()


async def test_a_node_that_is_only_referred_to(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """Also where nothing at all is known of it: it is said, no view fails, and what it would recall cannot be recalled."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.acts().declare("dataset", "telco")
    async with visit(tour, ("inbox",), ("lineage", "dataset:" + "7" * 32)) as pilot:
        assert "not declared in this store" in screen_text(pilot.app)
        await pilot.press("tab", "tab", "tab", "tab", "i")
        assert "there is no node" in screen_text(pilot.app)
        await pilot.press("escape", "escape", "exclamation_mark")
        assert "it is not declared here" in screen_text(pilot.app)
    tour.desk.close()


# --- looks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(
    still: Any, visit: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """Focus, tree, list and overview at three sizes."""
    name = f"{size[0]}x{size[1]}"
    async with visit(still, ("inbox",), ("lineage", "run"), size=size) as pilot:
        golden(f"lineage_focus_{name}", screen_text(pilot.app))
        for view in ("tree", "list", "overview"):
            await pilot.press("tab")
            golden(f"lineage_{view}_{name}", screen_text(pilot.app))
        screen(pilot)._go(Around(still.ids["other"], ALL, 1), view="focus")
        await settled(pilot)
        golden(f"lineage_picture_{name}", screen_text(pilot.app))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_hostile_names_in_every_view(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text, size: tuple[int, int]
) -> None:
    """C174: names, parameters, attributes and reasons of others are shown as signs in every view, question and sheet."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    evil = "a\x1b]52;c;x\x07\u202eb\nc[red]"
    acts = tour.acts()
    attrs = {"k": [evil, {"k": evil}], "experiment": evil}
    one = acts.declare("dataset", evil, attrs=attrs, params={"k": evil}).entity
    old = acts.declare("model", evil, version="1", edges=[("from", one)]).entity
    new = acts.declare("model", evil, version=evil, edges=[("from", one)], attrs={"k": evil}).entity
    acts.recall(one, evil)
    tour.ids |= {"one": one, "new": new, "old": old}
    seen = 0
    async with visit(tour, ("inbox",), ("lineage", "new"), size=size) as pilot:
        for keys in (
            (), ("left",), ("tab",), ("tab",), ("tab", "right", "right"), ("tab",), ("enter",), ("escape",), ("slash",), ("escape",), ("y",),
            ("escape",), ("left", "enter"), ("i",), ("escape", "m", "escape", "b"), ("escape", "d"), ("enter",), ("escape",),
            ("escape", "exclamation_mark"),
        ):  # fmt: skip
            await pilot.press(*keys)
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e\u2028"), keys
            seen += "a␛]52" in text
    assert seen > 10
    tour.desk.close()
