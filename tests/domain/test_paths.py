"""Pure graph algorithms, each against the plainest way of computing the same on small graphs of any shape, cycles too."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store.domain import paths
from carnet_store.domain.paths import ALL, COUNTED_AT_MOST, SHIFT, Side

Edges = list[tuple[int, int]]


def both(nodes: int, edges: Iterable[tuple[int, int]]) -> tuple[Side, Side]:
    """Return (up, down) of edges (first, last)."""
    pairs = sorted({last << SHIFT | first for first, last in edges})
    return paths.side(nodes, pairs), paths.side(nodes, paths.turned(pairs))


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = False, most: int = 9) -> tuple[int, Edges]:
    """A graph of up to `most` nodes: (how many, edges)."""
    nodes = draw(st.integers(1, most))
    ends = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=22))
    if acyclic:
        edges = [(min(one), max(one)) for one in edges if one[0] != one[1]]
    return nodes, list(dict.fromkeys(edges))


def simple_paths(edges: Edges, first: int, last: int) -> list[tuple[int, ...]]:
    """Every path without a repeated node, the plain way."""
    found = []
    stack: list[tuple[int, ...]] = [(first,)]
    while stack:
        path = stack.pop()
        if path[-1] == last:
            found.append(path)
            continue
        stack += [(*path, b) for a, b in edges if a == path[-1] and b not in path]
    return found


def reached(edges: Edges, start: int) -> set[int]:
    """What is reached from a node, itself included."""
    found = {start}
    while True:
        more = {b for a, b in edges if a in found} - found
        if not more:
            return found
        found |= more


@settings(max_examples=200, deadline=None)
@given(graphs(), st.integers(0, 4))
def test_levels_are_distances(graph: tuple[int, Edges], hops: int) -> None:
    """Each node stands once, at its distance; hops end it; a mask keeps it out of what may not be entered."""
    nodes, edges = graph
    _, down = both(nodes, edges)
    found = paths.levels(down, [0])
    assert set().union(*found) == reached(edges, 0)
    assert sum(map(len, found)) == len(set().union(*found))
    for hop, level in enumerate(found[1:], 1):
        for node in level:
            assert min(len(path) - 1 for path in simple_paths(edges, 0, node)) == hop
    assert paths.levels(down, [0], hops)[: hops + 1] == found[: hops + 1]
    assert len(paths.levels(down, [0], hops)) <= hops + 1
    some = set(range(0, nodes, 2))
    kept = paths.levels(down, [0], within=paths.marks(nodes, some))
    assert set().union(*kept) == reached([one for one in edges if set(one) <= some], 0)


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_between_is_what_paths_pass(graph: tuple[int, Edges]) -> None:
    """A node lies between two exactly when the first reaches it and it reaches the last."""
    nodes, edges = graph
    up, down = both(nodes, edges)
    first, last = 0, nodes - 1
    wanted = {node for node in range(nodes) if node in reached(edges, first) and last in reached(edges, node)}
    assert paths.between(up, down, [first], [last]) == wanted


@settings(max_examples=250, deadline=None)
@given(graphs(), st.integers(1, 5))
def test_ways_are_the_shortest_and_choke_points_are_on_every_path(graph: tuple[int, Edges], most: int) -> None:
    """R061: against every simple path there is: as many as asked for, none shorter left out, choke points on all, and all of them."""
    nodes, edges = graph
    up, down = both(nodes, edges)
    first, last = 0, nodes - 1
    every = sorted(simple_paths(edges, first, last), key=len)
    found = paths.ways(up, down, first, last, most)
    assert found.complete
    assert len(found.paths) == min(most, len(every))
    assert len(set(found.paths)) == len(found.paths)
    assert set(found.paths) <= set(every)
    assert [len(path) for path in found.paths] == [len(path) for path in every[: len(found.paths)]]
    on_all = set.intersection(*map(set, every)) - {first, last} if every else set()
    assert set(found.choke) == on_all
    if found.paths:
        assert list(found.choke) == [node for node in found.paths[0] if node in on_all]
    if found.total is not None:
        assert found.total == len(every)


def test_paths_without_number_are_counted_up_to_a_limit() -> None:
    """A ladder of 60 diamonds has 2^60 paths: the count ends, the search does not try them all."""
    edges = []
    for at in range(0, 180, 3):
        edges += [(at, at + 1), (at, at + 2), (at + 1, at + 3), (at + 2, at + 3)]
    up, down = both(181, edges)
    found = paths.ways(up, down, 0, 180, 4)
    assert found.total == COUNTED_AT_MOST and found.complete
    assert [len(path) for path in found.paths] == [121] * 4
    assert len(found.choke) == 59
    assert paths.ways(up, down, 180, 0) == paths.NO_WAY


@settings(max_examples=200, deadline=None)
@given(graphs(), st.integers(1, 30), st.integers(0, 3), st.one_of(st.just(ALL), st.integers(0, 3)))
def test_every_branch_of_a_tree_is_an_edge_and_each_node_is_expanded_once(
    graph: tuple[int, Edges], limit: int, fan: int, hops: int
) -> None:
    """A tree names what is reached; every line is an edge; mentions point at where a node is expanded, at its shallowest place."""
    nodes, edges = graph
    _, down = both(nodes, edges)
    lines = paths.tree(down, [0], hops, limit, fan)
    assert 1 <= len(lines) <= limit and len(lines) <= len(edges) + 1
    for at, line in enumerate(lines):
        if line.parent < 0:
            assert (at, line.node, line.depth) == (0, 0, 0)
            continue
        above = lines[line.parent]
        assert (above.node, line.node) in edges and above.seen < 0
        assert line.depth == above.depth + 1 and line.parent < at
        if line.seen >= 0:
            assert lines[line.seen].node == line.node and lines[line.seen].seen < 0 and line.more == 0
            assert lines[line.seen].depth <= line.depth
    expanded = [line.node for line in lines if line.seen < 0]
    assert len(set(expanded)) == len(expanded)
    whole = paths.tree(down, [0], limit=1000)
    assert {line.node for line in whole} == reached(edges, 0)
    assert len(whole) == 1 + len([one for one in edges if one[0] in reached(edges, 0)])
    for at, line in enumerate(lines):
        if line.seen < 0:
            shown = [one for one in lines if one.parent == at]
            assert len(shown) + line.more == len({b for a, b in edges if a == line.node})
            assert [one.last for one in shown] == [False] * (len(shown) - 1) + [not line.more] * bool(shown)


@settings(max_examples=250, deadline=None)
@given(graphs())
def test_cycles_are_what_reaches_itself_and_closing_edges_break_them_all(graph: tuple[int, Edges]) -> None:
    """Without the edges that are named nothing is circular; with any single one of them put back something is."""
    nodes, edges = graph
    up, down = both(nodes, edges)

    def returns(some: Edges, node: int) -> bool:
        return any(node in reached(some, b) for a, b in some if a == node)

    groups = paths.cycles(up, down)
    assert {node for group in groups for node in group} == {node for node in range(nodes) if returns(edges, node)}
    back = paths.closing(edges)
    kept = [one for one in edges if one not in set(back)]
    assert not any(returns(kept, node) for node in range(nodes))
    for one in back:
        before = [edge for edge in edges[: edges.index(one)] if edge not in set(back)]
        assert one[0] in reached(before, one[1]), "it closes a cycle with those before it"
    assert bool(groups) == bool(back)


@settings(max_examples=150, deadline=None)
@given(graphs(), graphs())
def test_a_graph_that_grew_is_the_graph_built_anew(old: tuple[int, Edges], more: tuple[int, Edges]) -> None:
    """Edges put in between give the same arrays as building them all at once."""
    nodes = max(old[0], more[0])
    before, _ = both(*old)
    pairs = [last << SHIFT | first for first, last in more[1]]
    assert paths.grown(before, nodes, pairs) == both(nodes, [*old[1], *more[1]])[0]


@settings(max_examples=150, deadline=None)
@given(graphs(), st.lists(st.integers(-1, 2), min_size=9, max_size=9))
def test_components_and_quotients_count_everything_once(graph: tuple[int, Edges], groups: list[int]) -> None:
    """Parts that hang together share no edge; collapsed, nodes and edges add up."""
    nodes, edges = graph
    up, down = both(nodes, edges)
    parts = paths.components(up, down, range(nodes))
    assert sorted(itertools.chain(*parts)) == list(range(nodes))
    where = {node: at for at, part in enumerate(parts) for node in part}
    assert all(where[a] == where[b] for a, b in edges)
    both_ways = [*edges, *((b, a) for a, b in edges)]
    for part in parts:
        assert reached(both_ways, part[0]) == set(part)
    assert [len(part) for part in parts] == sorted((len(part) for part in parts), reverse=True)
    group = groups[:nodes]
    sizes, joined = paths.quotient(up, group)
    assert sizes == {one: group.count(one) for one in set(group) - {-1}}
    assert sum(joined.values()) == len([1 for a, b in edges if group[a] >= 0 and group[b] >= 0])
    for (one, other), count in joined.items():
        assert count == len([1 for a, b in edges if (group[a], group[b]) == (one, other)])


def test_deep_chains_need_no_recursion() -> None:
    """A line of 50,000 nodes with a last edge back to its start: closures, cycles and trees end."""
    nodes = 50_000
    edges = [(at, at + 1) for at in range(nodes - 1)]
    up, down = both(nodes, [*edges, (nodes - 1, 0)])
    assert len(paths.reach(down, [0])) == nodes
    assert paths.cycles(up, down) == [list(range(nodes))]
    assert paths.closing([*edges, (nodes - 1, 0)]) == [(nodes - 1, 0)]
    assert paths.tree(down, [0], limit=100)[-1].more == 1
