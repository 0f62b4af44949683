"""Questions of the lineage as screens: the ways between two nodes, impact, comparison; each row leads on, and esc back to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.screens.lineage_answers import AnswerScreen
from carnet_tui.views import lineage_answers
from carnet_tui.widgets.line_list import LineList

Text = Callable[[Any], str]


@pytest.fixture(scope="module")
def line(places: ModuleType, tmp_path_factory: Any) -> Iterator[Any]:
    """Two versions of a model: another run, seed, data and environment, an input more and one less; one is deployed."""
    folder = tmp_path_factory.mktemp("answers")
    tour = places.build(folder, {"CARNET_CONFIG": str(folder / "config")}, runs=2)
    acts, ids = tour.acts(), tour.ids
    ids["env"] = acts.declare(
        "environment", "train", version="1", attrs={"packages": {"numpy": "1.26", "torch": "2.1"}}
    ).entity
    ids["env 2"] = acts.declare(
        "environment", "train", version="2", attrs={"packages": {"numpy": "2.0", "torch": "2.1"}}
    ).entity
    ids["data 4"] = acts.declare("dataset", "telco", version="4", attrs={"source": "warehouse", "owner": "Farid"},
                                 digests={"sha256": "b" * 64}).entity  # fmt: skip
    ids["tenure"] = acts.declare("feature", "tenure", version="1", edges=[("from", ids["data 4"])]).entity
    acts.link(ids["run"], "used", ids["env"])
    ids["run 3"] = acts.declare(
        "run", "r-013", attrs={"command": "python train.py"}, params={"lr": "0.3", "depth": "6", "seed": "18"},
        metrics=[{"name": "auc", "value": "0.8500", "split": "holdout"}],
        edges=[("used", ids["data 4"]), ("used", ids["code"]), ("used", ids["env 2"]), ("used", ids["tenure"])],
    ).entity  # fmt: skip
    ids["model 3"] = acts.declare("model", "churn", version="3").entity
    acts.link(ids["run 3"], "made", ids["model 3"])
    ids["live"] = acts.declare("deployment", "eu rollout", edges=[("used", ids["model"])]).entity
    tour.clock.step = 0
    yield tour
    tour.desk.close()


def screen(pilot: Any) -> AnswerScreen:
    here = pilot.app.screen
    assert isinstance(here, AnswerScreen)
    return here


async def test_why_tells_the_shortest_ways_and_what_all_of_them_lead_over(
    line: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R061: m marks, b on another node asks; the choke points are named; Enter goes to a node, esc comes back to its row."""
    async with visit(line, ("inbox",), ("lineage", "data"), size=(100, 40)) as pilot:
        await pilot.press("m")
        assert "Marked telco@3" in screen_text(pilot.app) and "▪ telco@3" in screen_text(pilot.app)
        await pilot.press("slash")
        await pilot.press(*"eu")
        await pilot.press("enter", "b")
        text = screen_text(pilot.app)
        assert "dataset telco@3 › deployment eu rollout" in text and "1 shortest of 1; 2 nodes between" in text
        assert (
            "ON EVERY WAY" in text
            and "WAY 1  3 steps" in text
            and "used by   run r-012" in text
            and "made      model churn@2" in text
        )
        await pilot.press("down", "down", "down", "down")
        node, row = screen(pilot).node_id, screen(pilot).rows.index
        assert node == line.ids["model"]
        await pilot.press("enter")
        assert "[ churn@2 ]" in screen_text(pilot.app)
        await pilot.press("escape")
        assert (screen(pilot).node_id, screen(pilot).rows.index) == (node, row)
        await pilot.press("escape", "m")
        assert "Marked eu rollout" in screen_text(pilot.app)
        await pilot.press("m")
        assert "The mark is gone." in screen_text(pilot.app)


async def test_without_a_mark_the_other_node_is_asked_for(
    line: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """b and d ask which; two nodes that do not hang together are told so; only two of one kind are compared."""
    async with visit(line, ("inbox",), ("lineage", "loose")) as pilot:
        pilot.app.marked = ""
        await pilot.press("b")
        assert "Which other node?" in screen_text(pilot.app)
        await pilot.press(*"criteria", "enter")
        await settled(pilot)
        await pilot.press("escape", "d")
        assert "Compare it with which dataset?" in screen_text(pilot.app) and "run " not in screen_text(pilot.app)
        await pilot.press("escape", "slash")
        await pilot.press(*"churn@3")
        await pilot.press("enter", "m", "escape", "d")
        text = screen_text(pilot.app)
        assert "churn@3 is of another kind. Compare it with which dataset?" in text


async def test_no_way(line: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Two nodes that nothing connects: it is said, and one goes on from either of the two; what the footer says is done."""
    for size in ((80, 24), (40, 12)):
        async with visit(line, ("inbox",), ("why", "tenure", "live"), size=size) as pilot:
            text = screen_text(pilot.app)
            assert "NO WAY LEADS FROM ONE TO THE OTHER" in text and "▌  feature tenure@1" in text
            assert "⏎ go there" in text and "[" not in text.splitlines()[-1]
            await pilot.press("down", "enter")
            assert pilot.app.path[-1].name == "lineage" and pilot.app.path[-1].about == (line.ids["live"],)


async def test_of_what_nothing_came_one_is_told_so_and_goes_on(
    line: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """That it is deployed nowhere is an answer too; the node itself is a row, so that Enter and the other keys are of use."""
    async with visit(line, ("inbox",), ("impact", "live")) as pilot:
        text = screen_text(pilot.app)
        assert "DEPLOYED  nowhere that the record knows of" in text and "SIGN-OFFS THAT WOULD TURN STALE  none" in text
        assert "NOTHING CAME OF IT YET" in text and "▌  deployment eu rollout" in text and "⏎ go there" in text
        await pilot.press("enter")
        assert pilot.app.path[-1].about == (line.ids["live"],)
        await pilot.press("left_square_bracket")
        assert screen(pilot).node_id == line.ids["live"]


async def test_back_finds_the_row_of_an_answer(line: Any, visit: Any, settled: Any) -> None:
    """`[` from another place: the same question, the cursor on the row one left."""
    async with visit(line, ("inbox",), ("impact", "data")) as pilot:
        await pilot.press("end")
        row = screen(pilot).row
        await pilot.press("1", "left_square_bracket")
        assert row is not None and screen(pilot).row == row


def test_two_that_are_alike_are_rows_too(line: Any) -> None:
    """Nothing differs: that is said, and both are there to go on from; long names leave room for the figures."""
    from carnet_tui.glyphs import Glyphs

    found = line.project.graph.diff(line.ids["model"], line.ids["model 3"])
    root = replace(found.root, differences=(), left=replace(found.root.left, name="x" * 90))
    told = lineage_answers.difference(replace(found, root=root), Glyphs(plain=False))
    assert len(told.said) < 78 and "…" in told.said
    alike = replace(found, root=root, frontier=(), gone=(), added=(), unread=0)
    rows = lineage_answers.difference(alike, Glyphs(plain=False)).rows
    assert rows[0].left[0][0] == "NOTHING DIFFERS" and [row.node for row in rows[1:]] == [root.left.id, root.right.id]


async def test_impact_tells_deployments_then_signoffs_then_the_rest(
    line: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R061: a change of the data: what is deployed, whose sign-off would turn stale, packages, counts; each row leads there."""
    async with visit(line, ("inbox",), ("lineage", "data"), size=(100, 40)) as pilot:
        await pilot.press("i")
        text = screen_text(pilot.app)
        heads = [
            "DEPLOYED  1",
            "SIGN-OFFS THAT WOULD TURN STALE  none",
            "PACKAGES THAT HOLD IT, NO SIGN-OFF ON IT  1",
            "CAME OF IT",
        ]
        assert [text.index(head) for head in heads] == sorted(text.index(head) for head in heads)
        assert "deployment eu rollout" in text and "churn@2  research to engineering" in text
        assert "impact  dataset telco@3" in text and "3  runs" in text
        assert " 5 nodes came of it, 3 steps at most\n" in text
        await pilot.press("down", "enter")
        assert pilot.app.path[-1].name == "handoff"
        await pilot.press("escape", "end", "enter")
        text = screen_text(pilot.app)
        assert "telco@3+,kind:model,not telco@3" in text and "1 node (1 model)" in text
        await pilot.press("escape")
        assert screen(pilot).rows.index == screen(pilot).rows.row_count - 1


async def test_a_signature_that_leans_on_it_is_named(
    main_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """A signed package: the signer and the role stand on the handoff's row."""
    tour = main_path("ready")
    tour.at("Ana").sign(tour.handoff, "researcher", "It holds.")
    (tour.ids["leant on"], *_) = [
        one for one in (tour.dataset, tour.model, tour.criteria) if tour.project.graph.impact(one).stale
    ]
    async with visit(tour, ("inbox",), ("impact", "leant on"), size=(100, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "SIGN-OFFS THAT WOULD TURN STALE  1" in text and "as researcher" in text


async def test_two_versions_are_compared_value_by_value(line: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """R036, R046: parameters, metrics, packages; what changed where it comes in; what only one has; Enter asks which of a pair to see."""
    async with visit(line, ("inbox",), ("lineage", "model 3"), size=(120, 60)) as pilot:
        pilot.app.marked = line.ids["model"]
        await pilot.press("d")
        text = screen_text(pilot.app)
        assert "model churn@2 › churn@3" in text and "same 1   changed 3   only churn@2 2   only churn@3 1" in text
        for wanted in (
            "~ run r-012 › r-013", "parameter   lr  0.6 › 0.3", "(-0.3)", "parameter   seed  17 › 18",
            "metric      auc (holdout)  0.8405 › 0.8500", "(+0.0095)", "package     numpy  1.26 › 2.0", "ONLY IN churn@2", "ONLY IN churn@3", "+ feature tenure@1",
        ):  # fmt: skip
            assert wanted in text, wanted
        assert "torch" not in text
        rows = screen(pilot).rows
        assert rows.choose(f"pair {line.ids['run']}")
        await pilot.press("enter")
        assert "Go to which?" in screen_text(pilot.app)
        await pilot.press("left", "enter")
        assert "[ r-012 ]" in screen_text(pilot.app)
        await pilot.press("escape")
        row = screen(pilot).row
        assert row is not None and row.key == f"pair {line.ids['run']}"
        await pilot.press("y")
        assert f"carnet lineage {line.ids['model']} --diff" in screen_text(pilot.app)


async def test_two_runs_are_compared_the_same_way(line: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Their own values stand first."""
    async with visit(line, ("inbox",), ("compare", "run", "run 3"), size=(120, 40)) as pilot:
        text = screen_text(pilot.app)
        assert text.index("THE TWO THEMSELVES") < text.index("parameter   lr  0.6 › 0.3") < text.index("CHANGED")


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_looks(
    line: Any, visit: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """Why, impact and comparison at three sizes."""
    for route in (("why", "data", "live"), ("impact", "data"), ("compare", "model", "model 3")):
        async with visit(line, ("inbox",), route, size=size) as pilot:
            await settled(pilot)
            golden(f"lineage_{route[0]}_{size[0]}x{size[1]}", screen_text(pilot.app))


def test_many_deployments_leave_room_for_the_rest(places: ModuleType, tmp_path: Any) -> None:
    """A few of the newest, and a row that lists all: sign-offs must stay in view."""
    from carnet_tui.glyphs import Glyphs

    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    for number in range(12):
        acts.declare("deployment", f"d-{number}", edges=[("from", data)])
    read = lineage_answers.read_impact(tour.project, data, "telco")
    found = lineage_answers.impact(read, Glyphs(plain=False))
    rows = [row for row in found.rows if row.key and row.key.startswith("deployed")]
    assert len(rows) == lineage_answers.DEPLOYED + 1 and rows[0].left[-1][0] == "d-11"
    assert rows[-1].selection == "telco+,kind:deployment,not telco"
    assert len(tour.project.graph.select(rows[-1].selection)) == 12
    tour.desk.close()


async def test_a_column_is_followed_from_table_to_table(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """LINEAGE 4: from the catalogue entry, Enter follows columns; esc comes back to the row; the last row lists what uses the tables whole."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    steps = {
        "minutes_30d": [{"dataset": "calls", "field": "minutes", "kind": "sum"}, {"dataset": "crm", "field": "id"}]
    }
    tour.ids["calls"] = acts.declare("dataset", "calls", attrs={"schema": ["minutes: int", "day: date"]}).entity
    tour.ids["feat"] = acts.declare(
        "feature", "feat", attrs={"columns": steps}, edges=[("from", tour.ids["calls"])]
    ).entity
    tour.ids["model"] = acts.declare("model", "churn", version="1", edges=[("from", tour.ids["feat"])]).entity
    async with visit(tour, ("inbox",), ("catalogue", "calls"), size=(100, 40)) as pilot:
        assert "Enter on a column shows its ways" in screen_text(pilot.app)
        rows = pilot.app.screen.query_one(LineList)
        assert rows.choose("column 1")
        await settled(pilot)
        assert pilot.app.screen.say_enter() == "read"  # nothing is known of where `day` goes
        rows.choose("column 0")
        await pilot.press("enter")
        here = screen(pilot)
        text = screen_text(pilot.app)
        assert (
            "column  calls.minutes" in text
            and "COMES FROM  nothing recorded" in text
            and "CAME OF IT  1 column" in text
        )
        assert "minutes_30d" in text and "sum" in text and here.say_enter() == "its ways"
        assert here.command == f"carnet lineage {tour.ids['calls']} --column minutes"
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "column  feat.minutes_30d" in text and "COMES FROM  2 columns" in text
        assert screen(pilot).available("open") is not None  # `crm` is a name: nobody declared it
        assert "nobody declared it" in screen_text(pilot.app)
        await pilot.press("escape")
        row = screen(pilot).row
        assert row is not None and row.column == (tour.ids["feat"], "minutes_30d")
        await pilot.press("down", "enter")
        assert "(col:calls.minutes+)+" in screen_text(pilot.app) and "churn@1" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        assert pilot.app.screen.query_one(LineList).chosen.column == "minutes"
    tour.desk.close()
