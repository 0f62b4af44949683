"""What the lineage screens are made of, without a screen: the tree as the store has it, readable values, orders, what stands about nodes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import FOLDS, Leaf, draw
from carnet_tui.text import line_width
from carnet_tui.views import lineage_asked, lineage_facts, lineage_rows, lineage_standing, lineage_tree, lineage_view
from carnet_tui.views.lineage_asked import Around, Chosen
from carnet_tui.views.lineage_tree import Side

PLAIN, SIGNS = Glyphs(plain=True), Glyphs(plain=False)


@pytest.fixture(scope="module")
def web(places: ModuleType, tmp_path_factory: Any) -> Iterator[Any]:
    """A project of 120 nodes whose edges cross and meet again."""
    folder = tmp_path_factory.mktemp("web")
    tour = places.empty(folder, {"CARNET_CONFIG": str(folder / "config")})
    acts, chance = tour.acts(), random.Random(5)
    made: list[str] = []
    for number in range(120):
        kind = chance.choice(("dataset", "run", "model", "feature"))
        earlier = chance.sample(made, min(len(made), chance.randint(0, 4)))
        made.append(
            acts.declare(
                kind, f"{kind}-{number}", edges=[("used" if kind == "run" else "from", one) for one in earlier]
            ).entity
        )
    tour.ids["all"] = made
    yield tour
    tour.desk.close()


# --- the tree ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hops", [1, 2, -1])
@pytest.mark.parametrize("limit", [7, 40, 2000])
def test_the_tree_has_the_lines_of_the_store(web: Any, hops: int, limit: int) -> None:
    """R061: the same nodes, depths, mentions and counts, in the same order, as `carnet lineage --tree`."""
    graph = web.project.graph
    for entity in web.ids["all"][::7]:
        for up in (True, False):
            lines = graph.tree(entity, up=up, hops=hops, limit=limit)
            side = Side("up" if up else "down", [lines[0].row])
            side.put(lines)
            made = lineage_tree.rows([side])[1:]
            assert [(row.row.id, row.depth, row.seen, row.more, row.relation, row.back) for row in made if row.row] == [
                (line.row.id, line.depth, line.seen + 1, line.more, line.relation, line.back) for line in lines
            ]


def test_opened_level_by_level_it_becomes_the_whole_tree(web: Any) -> None:
    """However one opens it, the end is the tree that the store tells of; closing takes lines away and opening brings them back."""
    graph, newest = web.project.graph, web.ids["all"][-1]
    side = lineage_tree.read(web.project, Around(newest, 1, 0), 1000)[0]
    while True:
        waits = [row for row in lineage_tree.rows([side]) if row.row is not None and row.more]
        if not waits:
            break
        entity = waits[-1].row.id if waits[-1].row is not None else ""
        side.put(lineage_tree.opened(web.project, side, entity, 3))
    whole = {line.row.id for line in graph.tree(newest, up=True)}
    lines = lineage_tree.rows([side])
    assert {row.row.id for row in lines if row.row is not None} == whole
    assert sum(row.seen == 0 for row in lines if row.row is not None) == len(whole)
    before = len(lines)
    side.closed.add(newest)
    closed = lineage_tree.rows([side])
    assert len(closed) == 2 and closed[1].more == len(side.near[newest]) and not closed[1].opened
    side.closed.clear()
    assert len(lineage_tree.rows([side])) == before


@pytest.mark.parametrize(("up", "down"), [(2, 2), (3, 1), (-1, -1)])
def test_without_runs_the_tree_has_the_set_and_its_edges(web: Any, up: int, down: int) -> None:
    """Each node of the set stands on its side, under what a run (or an edge) ties it to; the picture has the same edges; opened in parts it is the same."""
    project, graph = web.project, web.project.graph
    for entity in [one for one in web.ids["all"] if not one.startswith("run:")][::9]:
        asked = Around(entity, up, down, runs=False)
        wanted = {row.id for row in graph.rows(lineage_asked.numbers(graph, asked))}
        sides = lineage_tree.read(project, asked, 5_000)
        lines = [row for row in lineage_tree.rows(sides) if row.row is not None]
        assert {row.row.id for row in lines if row.row is not None} == wanted
        assert not any(row.row.kind == "run" for row in lines if row.row is not None and row.row.id != entity)
        assert sum(sum(side.kinds.values()) for side in sides if side.kinds is not None) >= len(wanted) - 1
        focus = graph.focus(entity, 50 if up < 0 else up, 50 if down < 0 else down, fan=500, limit=500, without="run")
        assert {one.row.id for one in focus.nodes} == wanted and focus.folds == ()
        ties = {(link.first, link.last) for link in focus.links}
        for side in sides:
            for parent, children in side.near.items():
                for child in children:
                    assert ((child.row.id, parent) if side.name == "up" else (parent, child.row.id)) in ties
        few = lineage_tree.read(project, asked, 3)
        assert all(sum(len(near) for near in side.near.values()) <= 3 for side in few)


def test_a_line_fits_and_keeps_what_matters(web: Any) -> None:
    """At every depth and width: exactly as wide as asked, the mention at its end, the sign before the name."""
    row = web.project.row(web.ids["all"][0])
    for cells in (24, 40, 80, 160):
        for depth in (0, 3, 60):
            one = lineage_tree.TreeRow("k", "up", row, "used, from", (True,) * depth, False, 12, 3, 0, True)
            for glyphs in (SIGNS, PLAIN):
                line = lineage_tree.line(one, cells, glyphs, ("!", "recalled", "bad"), 3)
                text = "".join(part for part, _ in line)
                assert line_width(line) == cells and text.rstrip().endswith("line 3")
                if cells >= 80 and depth < 60:
                    assert "! recalled" in text
                if depth == 60:  # as deep as there is no room for: told in a word where there is room for that
                    assert ("60 deep" if cells >= 80 else "60") in text


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (3, "3"), (0.5, "0.5"), (None, ""), ("a\nb", "a b"), ("a\x1b[31mb", "a␛[31mb"),
        (["a", "b"], "a, b"), ({"a": 1, "b": [2, 3]}, "a 1; b 2, 3"), ([{"a": 1, "b": 2}, {"a": 3}], "(a 1, b 2), a 3"),
        ("sha256:" + "0ab5" * 16, "sha256 0ab5 0ab5 0ab5 0ab5"), ("c317" * 10, "c317 c317 c317 c317"),
        ('[{"name": "x", "type": "double"}]', "(name x, type double)"), ("[not json", "[not json"), ("[]", "[]"),
        ({"inputs": '["a", "b"]'}, "inputs a, b"),
        ([{"at": 1_790_000_000_000, "event": "registration"}], "(at 21 Sep 2026 14:13 UTC, event registration)"), ({"at": 7}, "at 7"),
        (list(range(25)), ", ".join(map(str, range(20))) + "   and 5 more"),
        ("x" * 500, "x" * 400 + " and 100 characters more"),
    ],
)  # fmt: skip
def test_values_are_shown_as_people_read_them(value: Any, text: str) -> None:
    """No value as a programming language writes it; much of it is counted."""
    assert lineage_facts.shown(value) == text


def test_many_values_are_counted(places: ModuleType, tmp_path: Any) -> None:
    """Twenty of thirty parameters and metrics, and how many more; a curve is its last step; in full there is no limit."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    metrics = [{"name": "loss", "value": str(step), "step": step} for step in range(50)]
    metrics += [{"name": f"m{number:02}", "value": "1"} for number in range(29)]
    made = (
        tour.acts().declare("run", "r", params={f"p{number:02}": "1" for number in range(30)}, metrics=metrics).entity
    )
    facts = lineage_facts.read(tour.project, made)
    text = "\n".join(
        "".join(part for part, _ in line) for line in lineage_facts.lines(facts, lineage_standing.NOTHING, 100, SIGNS)
    )
    assert text.count("and 10 more") == 2 and "loss 49 (step 49)" in text and "step 48" not in text
    whole = lineage_facts.lines(facts, lineage_standing.NOTHING, 100, SIGNS, whole=True)
    text = "\n".join("".join(part for part, _ in line) for line in whole)
    assert "more" not in text and "p29 1" in text and "m28 1" in text and "step 48" in text
    tour.desk.close()


def test_code_and_environment_are_those_of_the_run_that_made_it(places: ModuleType, tmp_path: Any) -> None:
    """A model shows them with the run's name, the run without; what pins them stands beside."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    code = acts.declare("code", "churn", attrs={"commit": "9ac1f02"}).entity
    env = acts.declare(
        "environment", "lock", digests={"sha256": "ab12" * 16}, attrs={"packages": ["numpy==1.26", "torch==2.1"]}
    ).entity
    run = acts.declare("run", "r-1", edges=[("used", code), ("used", env)]).entity
    model = acts.declare("model", "churn", version="1").entity
    acts.link(run, "made", model)
    assert [(one.kind, one.text, one.run) for one in lineage_facts.read(tour.project, model).made] == [
        ("code", "churn  commit 9ac1f02", "r-1"), ("environment", "lock  sha256 ab12 ab12", "r-1"),
    ]  # fmt: skip
    assert [one.run for one in lineage_facts.read(tour.project, run).made] == ["", ""]
    lines = lineage_facts.lines(lineage_facts.read(tour.project, env), lineage_standing.NOTHING, 80, SIGNS)
    assert any("numpy 1.26   torch 2.1" in "".join(part for part, _ in line) for line in lines)
    tour.desk.close()


def test_what_is_missing_says_what_fills_it(places: ModuleType, tmp_path: Any) -> None:
    """Field by field: an attribute of a dataset in its catalogue entry, a digest with other bytes, what no key fills by its command."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    made = [
        acts.declare("dataset", "a").entity, acts.declare("dataset", "b", attrs={"source": "x", "owner": "y"}).entity,
        acts.declare("run", "r 1").entity, acts.declare("code", "repo").entity, acts.declare("model", "m", version="1").entity,
    ]  # fmt: skip
    found = []
    for entity in made:
        facts = lineage_facts.read(tour.project, entity)
        lines = [
            "".join(part for part, _ in line)
            for line in lineage_facts.lines(facts, lineage_standing.NOTHING, 100, SIGNS)
        ]
        found.append([line.strip() for line in lines[1:]])
    assert found == [
        ["missing     source, owner   Enter, its catalogue entry, e on the field", "digest   n declares another version, that has one"],
        [
            "missing     digest   n declares another version, that has one", "owner       y", "source      x",
        ],
        ["missing     command   carnet describe 'r 1' command=TEXT"], ["missing     commit   carnet describe repo commit=TEXT"], [],
    ]  # fmt: skip
    tour.desk.close()


def test_handoffs_of_one_crossing_are_told_apart() -> None:
    """By what they ask, and where that is the same too by when they were opened; what is alone is named by its crossing."""
    one = lineage_standing.Crossed(
        "handoff:1", "model:m", "m@1", "a to b", "blocked", template="Full list", t=1_790_000_000_000
    )
    two = replace(one, handoff="handoff:2", template="Starter")
    three = replace(two, handoff="handoff:3", t=1_790_000_060_000)
    other = replace(one, handoff="handoff:4", crossing="b to c")
    names = lineage_standing.names_of
    assert names([one, other], "model:m") == ["a to b", "b to c"] and names([one], "run:r") == ["m@1, a to b"]
    assert names([one, two, other], "run:r") == ["m@1, Full list", "m@1, Starter", "m@1, b to c"]
    assert names([one, two, three], "model:m") == [
        "Full list", "Starter, opened 21 Sep 2026 14:13 UTC", "Starter, opened 21 Sep 2026 14:14 UTC",
    ]  # fmt: skip
    none = [replace(one, template=""), replace(three, template="")]
    assert len(set(names(none, "model:m"))) == 2 and all(
        name.startswith("a to b, opened") for name in names(none, "model:m")
    )


# --- lists and groups -------------------------------------------------------------------------------------------------


def test_counts_are_words_that_people_say() -> None:
    """No kind is counted by an s that makes no word; the kinds that find no room are counted as nodes."""
    counts = lineage_rows.counts
    assert counts({"code": 6, "dataset": 1}) == "7 nodes (6 code snapshots, 1 dataset)"
    assert (
        counts({"criteria": 2, "glossary": 2, "code": 1}, 4)
        == "5 nodes (2 sets of criteria, 2 glossaries, 1 code snapshot)"
    )
    many = {"run": 9, "dataset": 5, "model": 3, "check": 2, "review": 1}
    assert counts(many) == "20 nodes (9 runs, 5 datasets, 3 models, 3 of other kinds)"
    assert (
        counts({"run": 9, "dataset": 5, "model": 3, "check": 2})
        == "19 nodes (9 runs, 5 datasets, 3 models, 2 of another kind)"
    )
    assert counts({}) == "nothing" and lineage_rows.of_kind(4, "") == "4 more"
    for kind in lineage_view.KINDS:
        assert not lineage_rows.of_kind(2, kind).endswith(("criterias", "glossarys", "codes"))


def test_orders_hold_the_same_nodes(web: Any) -> None:
    """Sorting drops and doubles nothing; a page and a place agree."""
    graph = web.project.graph
    found = graph.select("*")
    for order, _ in lineage_rows.ORDERS:
        made = lineage_rows.ordered(graph, found, order)
        assert sorted(made) == sorted(found)
        rows = lineage_rows.Numbers(web.project, made)
        assert [item.no for item in rows.page(100, 256)] == made[100:] and rows.count() == 120
        assert all(rows.find(item.row.id) == at for at, item in enumerate(rows.page(0, 10)))
    assert lineage_rows.Numbers(web.project, []).page(0, 256) == []
    assert lineage_rows.Numbers(web.project, found[:3]).find("run:" + "0" * 32) is None


def test_each_group_is_a_selection_of_as_many_nodes(still_groups: Any) -> None:
    """What Enter shows is what was counted, whatever the value is called; what no expression names says so."""
    project, desk = still_groups.project, still_groups.desk
    for text in ("*", "kind:run", "1+r-1+1", "kind:run kind:dataset"):
        found = project.graph.select(text)
        for by, _ in lineage_rows.VIEWS[:5]:
            groups = lineage_rows.read_groups(project, desk, by, text, found)
            assert sum(row.count for row in groups.rows if row.key != "everything") == len(found)
            for row in groups.rows:
                if row.term:
                    assert len(project.graph.select(row.term)) == row.count, (by, row)
    listed = lineage_rows.read_groups(project, desk, "experiment", "*", project.graph.select("*"))
    assert [row.value for row in listed.rows if not row.term] == ['["a", "b"]']
    (here,) = lineage_rows.read_groups(project, desk, "project", "*", []).rows
    assert (here.count, here.project) == (project.count(*lineage_view.KINDS), project.id)


@pytest.fixture
def still_groups(places: ModuleType, tmp_path: Any) -> Iterator[Any]:
    """Runs of experiments whose names are signs, numbers, lists, or none."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    for at, value in enumerate(("plain", "with blank", "a:b,c", "17", 17, 'say "so"', ["a", "b"], "plain")):
        acts.declare("run", f"r-{at}", attrs={"experiment": value}, edges=[("used", data)], source=("mlflow", f"x{at}"))
    yield tour
    tour.desk.close()


# --- what stands about nodes ------------------------------------------------------------------------------------------


def test_states_come_gravest_first_and_are_said_in_a_word(tour: Any) -> None:
    """Recalled before tainted before failed before stale before an open gate; no sign without its word."""
    crossed = lineage_standing.Crossed(
        "handoff:1", "model:m", "m", "a to b", "blocked", (("Ana", "researcher", False),)
    )
    recall = lineage_standing.Recalled("model:m", "model", "m", "Ana", 0, "why")
    standing = lineage_standing.Standing((recall,), {1: 1}, frozenset({1}), {"model:m": [crossed], "run:r": [crossed]})
    assert standing.states("model:m", 1) == ("recalled", "tainted", "failed", "stale", "gate")
    assert standing.states("run:r", None) == ()  # it goes along: the gate is the model's
    assert lineage_standing.mark(("recalled", "failed"), SIGNS) == ("⊘", "recalled", "bad")
    assert lineage_standing.mark(("failed", "gate"), SIGNS) == ("✗", "failed", "bad")
    assert lineage_standing.mark(("gate",), SIGNS)[1] == "gate open"
    assert not any(lineage_standing.mark((), SIGNS))
    assert standing.taints(1) == [recall] and standing.taints(2) == [] and standing.taints(None) == []


def test_failed_checks_and_open_gates_are_kept_in_pictures(places: ModuleType, tmp_path: Any) -> None:
    """What must be seen: a failed check, whatever wrote it; a failed run bears its sign, and is folded like others."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    check = acts.declare("check", "schema", attrs={"outcome": "failed"}, edges=[("used", data)]).entity
    run = acts.declare("run", "r", attrs={"status": "FAILED"}, edges=[("used", data)]).entity
    for number in range(70):
        acts.declare("check", f"c-{number}", attrs={"outcome": "passed"}, edges=[("used", data)])
    standing = lineage_standing.read(tour.project)
    graph = tour.project.graph
    assert standing.states(check, graph.find(check)) == standing.states(run, graph.find(run)) == ("failed",)
    assert lineage_standing.to_keep(tour.project, standing, data, 1, 1) == [check]
    scene = lineage_view.read_scene(tour.project, Around(data), standing, SIGNS)
    assert scene is not None and scene.focus is not None
    shown = {one.row.id for one in scene.focus.nodes}
    assert check in shown and len(shown) + sum(fold.count for fold in scene.focus.folds) == 73
    tour.desk.close()


def test_a_kept_leaf_is_drawn_before_newer_ones() -> None:
    """Room for three of thirty: the one to keep is among them, with its sign, word and style; the rest is counted by kind."""
    leaves = [Leaf(f"k{at}", "run", f"r-{at}") for at in range(30)]
    leaves[29] = Leaf("k29", "run", "r-29", "", "!", "recalled", "bad", keep=True)
    for cells in (30, 80, 140):
        made = draw(
            Leaf("x", "dataset", "telco"),
            [],
            leaves,
            cells=cells,
            rows=5,
            downs_total=42,
            folds={"down": {"check": 12}},
        )
        keys = [spot.key for spot in made.side("down")]
        assert "k29" in keys and keys[-1] == FOLDS["down"] and made.side("down")[-1].folded == 42 - len(keys) + 1
        texts = ["".join(part for part, _ in line) for line in made.lines]
        assert any("! recalled r-29" in text for text in texts)
        assert any(style == "bad" and "r-29" in part for line in made.lines for part, style in line)
    assert any("12 checks" in text for text in texts)


def test_a_scene_of_a_set_knows_no_centre(web: Any) -> None:
    """Small sets are drawn, large ones are not, nothing is an empty list; what cannot be read is an error with its column."""
    from carnet_store.domain.selection import SelectionError

    project, none = web.project, lineage_standing.NOTHING
    small = lineage_view.read_scene(project, Chosen("kind:model"), none, SIGNS)
    assert small is not None and small.centre is None and small.picture is not None
    assert {spot.key for spot in small.picture.spots} == {row.id for row in project.graph.rows(small.numbers or ())}
    nothing = lineage_view.read_scene(project, Chosen("kind:deployment"), none, SIGNS)
    assert nothing is not None and nothing.numbers == [] and nothing.focus is None
    with pytest.raises(SelectionError):
        lineage_view.read_scene(project, Chosen("kind:"), none, SIGNS)
    rest = lineage_view.read_rest(project, small, none, SIGNS)
    assert rest.picture is small.picture and rest.kinds == {"model": len(small.numbers or ())}
