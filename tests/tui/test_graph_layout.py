"""The one-hop map: every branch an edge, nothing left out silently, columns that align, the same input the same lines."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_tui.graph_layout import FOLDS, NOTHING, THIS, Leaf, draw, labelled, more
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
    assert any("… 17 more datasets " in text for text in texts(made.lines))
    assert any(NOTHING in text for text in texts(made.lines))


def test_narrow_terminals_get_the_parts_under_each_other() -> None:
    """At 40 cells the same spots, in the order of reading."""
    this = Leaf("x", "run", "r-012")
    made = draw(this, [Leaf("u", "dataset", "価格弾力性データ")], [Leaf("d", "model", "churn@2")], cells=40, rows=8)
    assert [spot.key for spot in made.spots] == ["u", THIS, "d"]
    assert all(width(text) == 40 for text in texts(made.lines))


def test_a_fold_is_said_in_one_wording() -> None:
    """How many more of what, in the plural that people use; what is recalled or tainted among them is never left out."""
    assert more(280, {"run": 280}, {}, 40) == "… 280 more runs"
    assert more(1, {"run": 1, "model": 0}, {}, 40) == "… 1 more run"
    assert more(6, {"code": 6}, {}, 40) == "… 6 more code snapshots"
    assert more(5, {"run": 3, "model": 2}, {}, 40) == "… 5 more (3 runs, 2 models)"
    assert more(1300, {"": 1300}, {}, 40) == "… 1,300 more"
    assert more(6, {"run": 6}, {"recalled": 0, "tainted": 6}, 40) == "… 6 more runs, 6 tainted"
    assert more(7, {"run": 7}, {"recalled": 1, "tainted": 6}, 40) == "… 7 more runs, 1 recalled, 6 tainted"
    assert more(6, {"code": 6}, {"tainted": 6}, 24) == "… 6 more, 6 tainted"
    assert more(6, {"run": 6}, {}, 40, "...") == "... 6 more runs"


def test_a_fold_over_tainted_nodes_says_so() -> None:
    """Those at hand that find no room are counted with those that the caller does not hold, and the row is painted as bad."""
    downs = [Leaf(f"r{n}", "run", f"r-{n}", "", "⊖", "tainted" if n else "", "bad") for n in range(10)]
    made = draw(
        Leaf("x", "dataset", "telco"), [], downs, cells=100, rows=6, downs_total=14, folds={"down": {"run": 4}},
        bad={"down": {"tainted": 2}},
    )  # fmt: skip
    assert any("… 10 more runs, 8 tainted" in text for text in texts(made.lines))
    assert any(style == "bad" and "more runs" in text for line in made.lines for text, style in line)


MARKS = [("", ""), ("⊘", "recalled"), ("⊖", "tainted"), ("✗", "failed"), ("◇", "gate open"), ("↺", "closes a cycle")]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(KINDS, NAMES, st.sampled_from(MARKS)), min_size=1, max_size=8),
    st.integers(76, 130),
    st.sampled_from(["up", "down"]),
    NAMES,
)
def test_the_kinds_of_a_side_stand_in_one_column_whatever_is_up_with_a_node(
    rows: list[tuple[str, str, tuple[str, str]]], cells: int, which: str, this: str
) -> None:
    """What is marked keeps its kind, in the column of the others; the name is what is cut; loud words are whole, other signs at least signs."""
    leaves = [Leaf(f"k{at}", kind, name, "", sign, word, "bad") for at, (kind, name, (sign, word)) in enumerate(rows)]
    sides = (leaves, []) if which == "up" else ([], leaves)
    made = draw(Leaf("x", "run", this), *sides, cells=cells, rows=20)
    starts = set()
    for spot, leaf in zip(made.side(which), leaves, strict=True):
        text = texts(made.lines)[spot.row]
        shown = cut(text[len(cut(text, spot.column)) :], spot.cells)
        first = leaf.kind[0]
        at = shown.rindex(f" {first}") if which == "up" else shown.index(first) - 1
        starts.add(width(shown[:at]))
        assert leaf.kind in shown or (f"{leaf.kind[:3]}" in shown and "…" in shown), shown
        assert leaf.sign in shown
        if leaf.word in ("recalled", "tainted"):
            assert f"{leaf.sign} {leaf.word} " in shown, shown
    assert len(starts) == 1, "\n".join(texts(made.lines))


def test_a_word_that_is_not_loud_goes_before_the_name_does() -> None:
    """The sign stays, and the facts say what it means."""
    assert labelled("slow@1", "◇", "gate open", 20) == "◇ gate open slow@1"
    assert labelled("slow@1", "◇", "gate open", 12) == "◇ slow@1"
    assert labelled("telco-2025q4", "⊖", "tainted", 14) == "⊖ tainted tel…"
    assert labelled("telco-2025q4", "", "", 8) == "telco-2…"
    assert labelled("slow@1", "◇", "gate open") == "◇ gate open slow@1"


def test_the_node_in_the_middle_leaves_its_lesser_signs_to_the_line_above() -> None:
    """Only what is recalled or tainted is said in the map itself again."""
    for word, said in (("tainted", "[ ⊖ tainted churn@2 ]"), ("gate open", "[ churn@2 ]")):
        for cells in (90, 40):
            made = draw(Leaf("x", "model", "churn@2", "", "⊖", word, "bad"), [], [], cells=cells, rows=6)
            assert any(said in text for text in texts(made.lines))
