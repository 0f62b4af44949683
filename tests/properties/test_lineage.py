"""Whatever hangs together how: list, tree, focus and --json name the same set, and every branch that is drawn is an edge of the record (R061, R043)."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store import Desk, Project
from carnet_store.domain.selection import ALL, around, parse, write
from carnet_store.storage.fact_acts import Fact, sourced
from carnet_tui.cli import main
from carnet_tui.commands import lineage as lineage_command
from carnet_tui.commands.lineage_answers import DOWN_WORDS, UP_WORDS
from carnet_tui.glyphs import Glyphs
from carnet_tui.layers_picture import of_focus
from carnet_tui.session import Environment
from carnet_tui.text import clean

NAMES = st.sampled_from(["churn", "テルコ データ", "a+b", "2", "not", "x..y", 'q"q', "\x1b[2Jevil", "é", "with blank"])
KINDS = st.sampled_from(["dataset", "run", "model", "feature", "deployment"])
NODES = st.lists(
    st.tuples(KINDS, NAMES, st.lists(st.tuples(st.sampled_from(["used", "made", "from"]), st.integers(0, 20)), max_size=4)),
    min_size=1, max_size=8,
)  # fmt: skip
LATE = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["used", "made", "from"]), st.integers(0, 7)), max_size=3)
HOPS = st.sampled_from([0, 1, 2, ALL])


@dataclass
class Place:
    """A folder with a store in it, and how to call the command line there."""

    folder: Path
    environ: dict[str, str]
    desk: Desk
    projects: int = 0

    def build(self, nodes: list[Any], late: list[Any]) -> tuple[Project, list[str], set[tuple[str, str]]]:
        """Found a project with these nodes; return it, their ids, and its edges as (first, last)."""
        self.projects += 1
        project, _ = self.desk.found(f"p{self.projects}")
        ids: list[str] = []
        facts: list[Fact] = []
        flows: set[tuple[str, str]] = set()
        for at, (kind, name, wanted) in enumerate(nodes):
            edges = [(relation, ids[to % at]) for relation, to in wanted] if at else []
            facts.append(sourced(kind, "test", str(at), name=name, version=str(at), edges=edges))
            ids.append(facts[-1].entity)
        for src, relation, to in late:
            spot = src % len(ids)
            facts[spot] = Fact(ids[spot], facts[spot].value, (*facts[spot].edges, (relation, ids[to % len(ids)])))
        for fact in facts:
            flows |= {(fact.entity, to) if relation == "made" else (to, fact.entity) for relation, to in fact.edges}
        self.desk.acts(project).record(facts, str)
        return project, ids, flows

    def json(self, *words: str) -> Any:
        """Run `carnet lineage … --json` on the newest project."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main(
                ["--project", f"p{self.projects}", "lineage", *words, "--json"],
                Environment(self.environ, None, self.folder),
            )
        assert code == 0
        return json.loads(out.getvalue())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One store for all examples; each has a project of its own."""
    folder = tmp_path_factory.mktemp("lineage")
    environ = {"CARNET_CONFIG": str(folder / "keys"), "PATH": "/usr/bin:/bin"}
    Desk.keyring_of(environ).new("Ana", "ana@example.org")
    with Desk.create(folder, environ=environ) as desk:
        yield Place(folder, environ, desk)


def reached(flows: set[tuple[str, str]], start: str, hops: int, *, up: bool) -> set[str]:
    """What lies within so many hops, the plain way."""
    found, level = {start}, {start}
    while level and hops:
        level = {a if up else b for a, b in flows if (b if up else a) in level} - found
        found |= level
        hops -= 1
    return found


@settings(max_examples=25, deadline=None)
@given(nodes=NODES, late=LATE, pick=st.integers(0, 7), up=HOPS, down=HOPS)
def test_list_tree_focus_and_json_name_the_same_set_and_draw_only_edges(
    place: Place, nodes: list[Any], late: list[Any], pick: int, up: int, down: int
) -> None:
    """One selection around a node, seen in every way there is."""
    project, ids, flows = place.build(nodes, late)
    graph, centre = project.graph, ids[pick % len(ids)]
    text = around(centre, up, down)
    assert write(parse(text).root) == text
    ups, downs = reached(flows, centre, up, up=True), reached(flows, centre, down, up=False)
    wanted = ups | downs

    assert {row.id for row in graph.rows(graph.select(text))} == wanted
    if up or down:  # without hops it is a node by its id, and told as one
        assert {row["id"] for row in place.json(text)["nodes"]} == wanted

    focus = graph.focus(centre, up if up >= 0 else 99, down if down >= 0 else 99, fan=99)
    assert {one.row.id for one in focus.nodes} == wanted
    assert {(one.first, one.last) for one in focus.links} == {one for one in flows if set(one) <= wanted}
    if up == down == ALL:
        assert not focus.folds
    picture = of_focus(focus)
    assert {spot.key for spot in picture.spots if not spot.folded} == wanted
    assert len({spot.key for spot in picture.spots}) == len(picture.spots) == len(wanted) + len(focus.folds)
    drawn = "".join(text for line in picture.frame(0, 0, picture.width, picture.height) for text, _ in line)
    assert "\x1b" not in drawn

    for side, hops, inside in ((True, up, ups), (False, down, downs)):
        lines = graph.tree(centre, up=side, hops=hops)
        assert {line.row.id for line in lines} == inside
        for line in lines:
            if line.parent >= 0:
                above = lines[line.parent].row.id
                assert ((line.row.id, above) if side else (above, line.row.id)) in flows
                assert line.relation
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            lineage_command._draw(
                lines, lineage_command._node_words(project, UP_WORDS if side else DOWN_WORDS), Glyphs(plain=False)
            )
        shown = out.getvalue().splitlines()
        assert len(shown) == len(lines) + sum(line.more > 0 for line in lines)
        assert all(any(clean(row.title) in one for one in shown) for row in {line.row for line in lines})
    whole = place.json(centre, "--tree", "--up", "99", "--down", "99")
    assert {row["id"] for row in whole["up"]} == reached(flows, centre, ALL, up=True)
    assert {row["id"] for row in whole["down"]} == reached(flows, centre, ALL, up=False)
    assert sum(whole["totals"]["up"].values()) == len(reached(flows, centre, ALL, up=True)) - 1


@settings(max_examples=25, deadline=None)
@given(nodes=NODES, late=LATE, a=st.integers(0, 7), b=st.integers(0, 7))
def test_ways_between_and_forests_hold_on_the_record(
    place: Place, nodes: list[Any], late: list[Any], a: int, b: int
) -> None:
    """Every step of a way is an edge with its relation; what is between is what lies on ways; choke points break them all; a forest shows its whole set."""
    project, ids, flows = place.build(nodes, late)
    graph, first, last = project.graph, ids[a % len(ids)], ids[b % len(ids)]
    found = graph.why(first, last, most=50)
    for path, relations in zip(found.paths, found.relations, strict=True):
        assert (path[0], path[-1]) == (found.first, found.last)
        for one, other, relation in zip(path, path[1:], relations, strict=False):
            assert (one.id, other.id) in flows and relation
    between = {row.id for row in graph.rows(graph.select(f"{around(first)}..{around(last)}"))}
    assert {row.id for path in found.paths for row in path} <= between
    assert bool(found.paths) == bool(between)
    for choke in found.choke:
        without = {one for one in flows if choke.id not in one}
        assert found.last.id not in reached(without, found.first.id, ALL, up=False)
    everything = graph.select("*")
    assert {row.id for row in graph.rows(everything)} == set(ids)
    for side in (True, False):
        lines = graph.forest(everything, up=side)
        assert {line.row.id for line in lines} == set(ids)
        assert len([line for line in lines if line.seen < 0]) == len(ids)
    back = {(one.first, one.last) for one in graph.links(everything) if one.back}
    acyclic = flows - back
    assert not any(x in reached(acyclic, y, ALL, up=False) for x, y in acyclic)
    assert sum(count for _, _, count in graph.overview().links) == len(flows)
