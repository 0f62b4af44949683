"""The layered picture: every branch that is drawn is an edge and the reverse, nothing overlaps, wide signs align, the same graph the same picture."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store import EntityRow, Focus, FocusNode, Fold, Link
from carnet_tui import layers, layers_lines
from carnet_tui.layers import Layers, arrange
from carnet_tui.layers_lines import isotonic, knotted, nets
from carnet_tui.layers_picture import WIDEST, Box, Picture, of_focus
from carnet_tui.text import clean, line_width, width

Edges = list[tuple[int, int]]
LEFT, RIGHT, UP, DOWN = "╴┘─┴┐┤┬┼", "╶└┌├─┴┬┼", "╵└│├┘┴┤┼", "╷│┌├┐┤┬┼"
NAMES = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40).map(clean)


@st.composite
def graphs(draw: st.DrawFn, most: int = 14) -> tuple[int, Edges]:
    """A graph without cycles: (how many nodes, edges)."""
    nodes = draw(st.integers(1, most))
    ends = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    found = {(min(one), max(one)) for one in draw(st.lists(ends, max_size=40)) if one[0] != one[1]}
    return nodes, sorted(found)


def picture(nodes: int, edges: Edges) -> Picture:
    """A picture whose nodes are called a0, a1, ..."""
    return Picture(arrange(nodes, edges), [Box(f"k{at}", "run", f"a{at}") for at in range(nodes)])


def grid(drawn: Picture) -> list[str]:
    """The whole picture, a character a cell (of names of narrow letters)."""
    return ["".join(text for text, _ in line) for line in drawn.frame(0, 0, drawn.width, drawn.height)]


def followed(drawn: Picture, lines: list[str], key: str) -> set[str]:
    """Follow the line that leaves a node with a finger: to the right, around corners, under what has no arm towards it."""
    starts = {(spot.row, spot.column): spot.key for spot in drawn.spots}
    spot = drawn.spot(key)
    assert spot is not None
    found: set[str] = set()
    seen: set[tuple[int, int]] = set()
    going = [(spot.row, spot.column + spot.cells)]
    while going:
        row, column = going.pop()
        while (row, column) not in starts and column < drawn.width and (row, column) not in seen:
            sign = lines[row][column]
            if sign == " ":
                break
            if sign not in LEFT:  # it passes under
                column += 1
                continue
            seen.add((row, column))
            for step, arm, back in ((-1, UP, DOWN), (1, DOWN, UP)):
                at = row
                if sign in arm:
                    while True:
                        at += step
                        assert lines[at][column] in back, "an arm into nothing"
                        if lines[at][column] in RIGHT and lines[at][column] not in "─":
                            going.append((at, column + 1))
                        if lines[at][column] not in arm:
                            break
            if sign not in RIGHT:
                break
            column += 1
        if (row, column) in starts:
            found.add(starts[row, column])
    return found


@settings(max_examples=250, deadline=None)
@given(graphs())
def test_every_line_that_leaves_a_node_leads_to_its_edges_and_to_nothing_else(graph: tuple[int, Edges]) -> None:
    """What a finger reaches along the lines from a node is what the record says came of it."""
    nodes, edges = graph
    drawn = picture(nodes, edges)
    lines = grid(drawn)
    for node in range(nodes):
        wanted = {f"k{last}" for first, last in edges if first == node}
        assert followed(drawn, lines, f"k{node}") == wanted, "\n".join(lines)


@settings(max_examples=200, deadline=None)
@given(graphs(most=24))
def test_no_two_stand_in_one_place_and_edges_go_right(graph: tuple[int, Edges]) -> None:
    """A place for each vertex; order within a layer is kept; chains of dummies belong to one node; nothing is lost."""
    nodes, edges = graph
    made = arrange(nodes, edges)
    assert not made.dropped
    for column, one in enumerate(made.order):
        assert all(made.layer[vertex] == column for vertex in one)
        assert all(made.row[above] < made.row[below] for above, below in pairwise(one))
        assert knotted(nets(made, column)) is None
    assert sorted(vertex for one in made.order for vertex in one) == list(range(len(made.layer)))
    for first, ends in enumerate(made.down):
        for last in ends:
            assert made.layer[last] == made.layer[first] + 1
            assert last < nodes or made.owner[last] == made.owner[first]
    assert min(made.row) == 0 and made.height == max(made.row) + 1
    assert reached(made, nodes) == set(edges)


def reached(made: Layers, nodes: int) -> set[tuple[int, int]]:
    """The edges that a layout carries, dummies followed."""
    found = set()
    for node in range(nodes):
        stack = list(made.down[node])
        while stack:
            vertex = stack.pop()
            if vertex < nodes:
                found.add((node, vertex))
            else:
                stack.extend(made.down[vertex])
    return found


def single(made: Layers) -> list[tuple[int, int]]:
    """The links that need no turn when both ends stand on one line, and that no other such link crosses."""
    found: dict[int, list[tuple[int, int]]] = {}
    for vertex, ends in enumerate(made.down):
        if len(ends) == 1 and sum(len(made.down[other]) == 1 for other in made.up[ends[0]]) == 1:
            found.setdefault(made.layer[vertex], []).append((vertex, ends[0]))
    place = {vertex: at for one in made.order for at, vertex in enumerate(one)}

    def cross(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return (place[one[0]] - place[other[0]]) * (place[one[1]] - place[other[1]]) < 0

    return [one for some in found.values() for one in some if not any(cross(one, other) for other in some)]


@settings(max_examples=300, deadline=None)
@given(graphs(most=24))
def test_a_link_that_can_go_straight_goes_straight(graph: tuple[int, Edges]) -> None:
    """Whatever stands around it: a single link bends only where it crosses another one."""
    made = arrange(*graph)
    bent = [(first, last) for first, last in single(made) if made.row[first] != made.row[last]]
    assert not bent, "\n".join(grid(picture(*graph)))


@pytest.mark.parametrize("steps", [2, 5, 15, 20])
@pytest.mark.parametrize("folds", [0, 1, 2])
def test_what_has_no_counterpart_bends_nothing(steps: int, folds: int) -> None:
    """A node with many steps, each with one result, and folds beside the steps: no step leads up or down to its result."""
    edges = [(0, 1 + at) for at in range(steps + folds)]
    edges += [(1 + at, 1 + steps + folds + at) for at in range(steps)]
    nodes = 1 + 2 * steps + folds
    made = arrange(nodes, edges)
    assert [made.row[1 + at] for at in range(steps)] == [made.row[1 + steps + folds + at] for at in range(steps)]
    assert made.height == steps + folds
    narrow, wide = picture(1 + 2 * steps, [(0, 1), (1, 2)]), picture(nodes, edges)
    assert wide.width <= narrow.width + 2  # a number of two digits more, and no track for a turn


@settings(max_examples=150, deadline=None)
@given(graphs(most=20), st.integers(0, 1))
def test_nets_are_parted_whatever_it_takes(graph: tuple[int, Edges], tries: int) -> None:
    """Also where moving single rows does not help, or is not tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers_lines, "TRIES", tries)
        made = arrange(*graph)
    assert all(knotted(nets(made, column)) is None for column in range(len(made.order)))
    assert min(made.row) == 0
    for one in made.order:
        assert all(made.row[above] < made.row[below] for above, below in pairwise(one))


@settings(max_examples=80, deadline=None)
@given(graphs(), st.randoms())
def test_the_same_graph_is_drawn_the_same_in_whatever_order_its_edges_come(
    graph: tuple[int, Edges], chance: object
) -> None:
    """Nothing depends on chance or on the order of reading."""
    nodes, edges = graph
    once = grid(picture(nodes, edges))
    assert grid(picture(nodes, edges)) == once
    again = list(edges)
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert grid(picture(nodes, again)) == once


@settings(max_examples=120, deadline=None)
@given(
    graphs(most=8),
    st.lists(NAMES, min_size=8, max_size=8),
    st.integers(0, 60),
    st.integers(0, 6),
    st.integers(1, 80),
    st.booleans(),
)
def test_frames_are_windows_on_one_picture(
    graph: tuple[int, Edges], names: list[str], x: int, y: int, cells: int, plain: bool
) -> None:
    """Whatever window: lines of the exact width, also where a wide sign is cut in half; ASCII where asked."""
    nodes, edges = graph
    boxes = [Box(f"k{at}", "run", names[at]) for at in range(nodes)]
    drawn = Picture(arrange(nodes, edges), boxes, plain=plain, ellipsis="..." if plain else "…")
    for line in drawn.frame(x, y, cells, 5, chosen="k0", bold=("k1",)):
        assert line_width(line) == cells
    whole = drawn.frame(0, 0, drawn.width, drawn.height, chosen="k0")
    assert all(line_width(line) == drawn.width for line in whole)
    above, below, left, right = drawn.beyond(x, y, cells, 5)
    assert above == sum(spot.row < y for spot in drawn.spots)
    assert below == sum(spot.row > y + 4 for spot in drawn.spots)
    assert left == sum(spot.column + 1 < x for spot in drawn.spots)
    assert right == sum(spot.column + spot.cells - 1 > x + cells for spot in drawn.spots)
    for spot in drawn.spots:
        x, y = drawn.window(spot.key, cells, 3, x, y)
        assert 0 <= x <= max(0, drawn.width - cells) and 0 <= y <= max(0, drawn.height - 3)
        assert x <= spot.column < x + cells and y <= spot.row < y + 3
        assert spot.cells <= WIDEST + 2
    if plain and all(name.isascii() for name in names[:nodes]):
        assert all(text.isascii() for line in whole for text, _ in line)
    styles = [(text, style) for line in whole for text, style in line if style == "chosen"]
    assert len(styles) == 1


def test_a_picture_as_people_see_it() -> None:
    """Sources that lead to the same ends share a line; another's line passes under; one that leads further goes on."""
    names = ["events", "crm", "build", "tenures", "rolling", "tenure", "train", "churn@7"]
    edges = [(0, 2), (0, 3), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (6, 7), (0, 6)]
    drawn = Picture(arrange(8, edges), [Box(name, "", name) for name in names])
    assert [line.rstrip() for line in grid(drawn)] == [
        "         ┌──────────────────────┐",
        " events ─┼─ build ──── rolling ─┼─ train ── churn@7",
        " crm ────└─ tenures ── tenure ──┘",
    ]
    assert followed(drawn, grid(drawn), "events") == {"build", "tenures", "train"}
    assert followed(drawn, grid(drawn), "crm") == {"tenures"}


def test_an_edge_that_closes_a_cycle_is_left_out_and_named() -> None:
    """Layers have no circles; what was left out is told."""
    made = arrange(3, [(0, 1), (1, 2), (2, 0), (1, 1)])
    assert made.dropped == [(2, 0), (1, 1)] and made.layer == [0, 1, 2]
    assert arrange(0, []).height == 0
    assert Picture(arrange(0, []), []).frame(0, 0, 5, 1) == [[("     ", "")]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 9)), max_size=12))
def test_isotonic_lines_keep_their_order_and_a_distance(rows: list[tuple[float, float]]) -> None:
    """Each at least one line below the one before, and targets that fit already are kept."""
    targets, weights = [one[0] for one in rows], [one[1] for one in rows]
    found = isotonic(targets, weights)
    assert len(found) == len(rows)
    assert all(below - above >= 1 - 1e-9 for above, below in pairwise(found))
    spread = [2.0 * at for at in range(len(rows))]
    assert isotonic(spread, weights) == spread


def test_crossings_are_counted_as_by_hand() -> None:
    """Two lines that swap cross once; a hub's own lines do not."""
    made = arrange(4, [(0, 2), (1, 3)])
    place = [0, 1, 1, 0]
    assert layers.crossings([[0, 1], [3, 2]], made.down, place) == 1
    assert layers.crossings([[0, 1], [2, 3]], [[2, 3], [2, 3], [], []], [0, 1, 0, 1]) == 1


def test_wide_names_take_their_cells() -> None:
    """A name of wide letters and one of narrow ones end in the same column."""
    boxes = [Box("a", "", "データ"), Box("b", "", "x"), Box("c", "", "end")]
    drawn = Picture(arrange(3, [(0, 2), (1, 2)]), boxes)
    lines = ["".join(text for text, _ in line) for line in drawn.frame(0, 0, drawn.width, drawn.height)]
    assert len({width(line) for line in lines}) == 1
    ends = {
        width(line[: max(line.find(sign) for sign in "┐┤┘┬")]) for line in lines if any(sign in line for sign in "┐┤┘┬")
    }
    assert len(ends) == 1


@pytest.mark.parametrize("plain", [False, True])
def test_a_label_that_a_window_cuts_says_so(plain: bool) -> None:
    """At either edge what is left of it begins or ends with the sign for more; a line that is cut bears none."""
    dots = "..." if plain else "…"
    drawn = Picture(
        arrange(2, [(0, 1)]),
        [Box("a", "run", "step-998"), Box("b", "dataset", "データ-007")],
        plain=plain,
        ellipsis=dots,
    )
    whole = "".join(text for text, _ in drawn.frame(0, 0, drawn.width, 1)[0])
    assert dots not in whole
    first, second = drawn.spots
    for x in range(drawn.width):
        for cells in (9, 14, 30):
            (line,) = drawn.frame(x, 0, cells, 1)
            text = "".join(part for part, _ in line)
            assert line_width(line) == cells
            ends = [(spot.column + 1, spot.column + spot.cells - 1) for spot in (first, second)]
            begins = any(start < x < end for start, end in ends)
            stops = any(start < x + cells < end for start, end in ends)
            assert text.startswith(dots[0]) == begins, (x, cells, text)
            assert text.endswith(dots[0]) == stops, (x, cells, text)


def row(entity: str, title: str) -> EntityRow:
    """A node as the store tells of it."""
    return EntityRow(entity, entity.partition(":")[0], title, "", 0, 0)


def test_a_picture_of_a_focus_says_what_is_up_with_its_boxes() -> None:
    """A sign with its word where there is room, a fold in words, what is tainted in a fold; the ends of an edge that closes a cycle."""
    nodes = [
        row("dataset:a", "telco"), row("run:b", "r-1"), row("model:c", "churn@2"), row("dataset:d", "a name as long as that"),
    ]  # fmt: skip
    focus = Focus(
        "dataset:a", tuple(FocusNode(one, at) for at, one in enumerate(nodes)),
        (
            Link("run:b", "used", "dataset:a", False), Link("run:b", "made", "model:c", False),
            Link("model:c", "made", "dataset:d", True), Link("run:b", "made", "dataset:d", False),
        ),
        (Fold("dataset:a", "down", "run", 280), Fold("run:b", "down", "criteria", 3)),
    )  # fmt: skip
    marks = {"run:b": ("✗", "failed", "bad"), "dataset:d": ("⊖", "tainted", "bad")}
    bad = {"fold down criteria run:b": {"recalled": 0, "tainted": 2}}
    text = "\n".join(grid(of_focus(focus, marks=marks, bad=bad)))
    assert "run ✗ failed r-1 " in text and "… 280 more runs " in text and "… 3 more, 2 tainted " in text
    assert "model churn@2 ↺ closes a cycle " in text
    assert "dataset ⊖ tainted a name as l… ↺ " in text
    plain = "\n".join(grid(of_focus(focus, plain=True, ellipsis="...")))
    assert "... 280 more runs" in plain and "churn@2 @ closes a cycle" in plain and plain.isascii()
