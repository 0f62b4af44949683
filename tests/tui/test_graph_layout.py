"""The one-hop map: every branch an edge, nothing left out silently, columns that align, the same input the same lines."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_tui.graph_layout import FOLDS, NOTHING, THIS, Leaf, draw
from carnet_tui.text import clean, cut, line_width, width

NAMES = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30).map(clean)
KINDS = st.sampled_from(["dataset", "run", "environment", "モデル"])


def side(prefix: str) -> st.SearchStrategy[list[Leaf]]:
    """Leaves with keys of their own."""
    rows = st.lists(st.tuples(KINDS, NAMES, st.sampled_from(["", "used", "made", "from"])), max_size=12)
    return rows.map(lambda found: [Leaf(f"{prefix}{at}", *row) for at, row in enumerate(found)])


def texts(lines: tuple[list[tuple[str, str]], ...]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def column(text: str, cells: int) -> str:
    """The character that stands at a cell."""
    return text[len(cut(text, cells)) :][:1]


@settings(max_examples=150, deadline=None)
@given(NAMES, side("u"), side("d"), st.integers(20, 170), st.integers(3, 14), st.booleans(), st.integers(0, 5))
def test_every_neighbour_is_drawn_or_counted_and_every_branch_is_an_edge(
    name: str, ups: list[Leaf], downs: list[Leaf], cells: int, rows: int, plain: bool, more: int
) -> None:
    """What is shown and what is folded add up; a row with a branch is a row with an edge, and the reverse."""
    total = len(ups) + more if ups else 0
    made = draw(Leaf("x", "run", name), ups, downs, cells=cells, rows=rows, plain=plain, ups_total=total)
    for which, leaves, count in (("up", ups, total), ("down", downs, len(downs))):
        spots = made.side(which)
        shown = [spot.key for spot in spots if spot.key != FOLDS[which]]
        folded = sum(spot.folded for spot in spots)
        assert len(shown) + folded == max(count, len(leaves))
        assert set(shown) <= {leaf.key for leaf in leaves}
        assert len({spot.row for spot in spots}) == len(spots)
    assert [spot.key for spot in made.spots].count(THIS) == 1
    assert len({line_width(line) for line in made.lines}) == 1
    assert line_width(made.lines[0]) <= cells
    if cells >= 60:
        assert len(made.lines) <= max(rows, 2)
        branches = "-+" if plain else "─┐┤┘┬┼┴┌├└"
        for which, leaves in (("up", ups), ("down", downs)):
            at = {spot.row for spot in made.side(which)}
            for row, text in enumerate(texts(made.lines)[1:], 1):
                spot = next((one for one in made.side(which) if one.row == row), None)
                if spot is not None:
                    # The cell beside a neighbour's label is its branch.
                    beside = spot.column + spot.cells if which == "up" else spot.column - 1
                    assert column(text, beside) in branches, text
                assert (spot is not None) == (row in at)
            assert bool(leaves) == bool(at)


@settings(max_examples=60, deadline=None)
@given(NAMES, side("u"), side("d"), st.integers(60, 130), st.integers(3, 12))
def test_the_spine_hangs_together(name: str, ups: list[Leaf], downs: list[Leaf], cells: int, rows: int) -> None:
    """Each join has the neighbours that its arms point at, also beside wide characters."""
    made = draw(Leaf("x", "run", name), ups, downs, cells=cells, rows=rows)
    grid = texts(made.lines)
    down_arm, up_arm = "┐┤┬┼┌├│", "┘┤┴┼└├│"
    for which in ("up", "down"):
        spots = made.side(which)
        if len(spots) < 2:
            continue
        first = spots[0]
        start = first.column + first.cells if which == "up" else 0
        text = grid[first.row]
        at = next(
            cell for cell in range(start, line_width(made.lines[0])) if column(text, cell) in "┐┌┬"
            and (which == "up" or cell > made.spot(THIS).column)  # type: ignore[union-attr]
        )  # fmt: skip
        for above, below in itertools.pairwise(spots):
            assert below.row == above.row + 1
            assert column(grid[above.row], at) in down_arm
            assert column(grid[below.row], at) in up_arm


@settings(max_examples=40, deadline=None)
@given(NAMES, side("u"), side("d"), st.integers(20, 130), st.integers(3, 12))
def test_the_same_neighbours_give_the_same_lines(
    name: str, ups: list[Leaf], downs: list[Leaf], cells: int, rows: int
) -> None:
    """Drawing twice gives one picture; the cursor changes styles alone."""
    this = Leaf("x", "run", name)
    once = draw(this, ups, downs, cells=cells, rows=rows)
    assert once == draw(this, ups, downs, cells=cells, rows=rows)
    for spot in once.spots:
        again = draw(this, ups, downs, cells=cells, rows=rows, chosen=spot.key)
        assert texts(again.lines) == texts(once.lines)
        styles = [style for line in again.lines for _, style in line]
        assert "chosen" in styles


def test_a_fold_keeps_some_of_each_kind_and_says_what_it_hides() -> None:
    """Three runs among twenty datasets stay in sight."""
    ups = [Leaf(f"d{n}", "dataset", f"d{n}") for n in range(20)] + [Leaf("r", "run", "r-1")]
    made = draw(Leaf("x", "model", "churn@2"), ups, [], cells=90, rows=6)
    assert "r" in [spot.key for spot in made.side("up")]
    fold = made.spot(FOLDS["up"])
    assert fold is not None and fold.folded == 17
    assert any("+17 more (17 datasets)" in text for text in texts(made.lines))
    assert any(NOTHING in text for text in texts(made.lines))


def test_narrow_terminals_get_the_parts_under_each_other() -> None:
    """At 40 cells the same spots, in the order of reading."""
    this = Leaf("x", "run", "r-012")
    made = draw(this, [Leaf("u", "dataset", "価格弾力性データ")], [Leaf("d", "model", "churn@2")], cells=40, rows=8)
    assert [spot.key for spot in made.spots] == ["u", THIS, "d"]
    assert all(width(text) == 40 for text in texts(made.lines))
