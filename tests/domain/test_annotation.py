"""Annotations of notebook cells: threads, and finding the cell again."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.core.fold import Change, Counts
from carnet_store.domain.annotation import (
    EXCERPT,
    Annotation,
    AnnotationResolved,
    Cell,
    Near,
    Thread,
    anchored,
    cell_digest,
    near_of,
    read_threads,
)


def notebook(*sources: str) -> list[Cell]:
    """Cells of code with these sources."""
    return [Cell(cell_digest("code", source), "code", source) for source in sources]


def on(cells: list[Cell], at: int, name: str = "a") -> Thread:
    """A thread on a cell as it was."""
    annotation = Annotation(
        text="why?", cell=cells[at].digest, near=near_of(cells, at), excerpt=cells[at].source[:EXCERPT]
    )
    return Thread(name, "document:x", annotation, "p", 1, (), None)


def where(thread: Thread, cells: list[Cell]) -> tuple[int | None, str]:
    ((_, at, how),) = anchored([thread], cells)
    return at, how


LOAD, SPLIT, FIT, PLOT = (
    "df = read('telco.csv')",
    "train, test = split(df, seed=7)",
    "model.fit(train)",
    "plot(model, test)",
)
THEN = notebook(LOAD, SPLIT, FIT, PLOT)


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ((LOAD, SPLIT, FIT, PLOT), (1, "exact")),
        (("import x", LOAD, SPLIT, FIT, PLOT), (2, "exact")),  # one was put in above
        ((LOAD, SPLIT, "check(train)", FIT, PLOT), (1, "exact")),  # one was put in below
        ((LOAD, FIT, PLOT, SPLIT), (3, "moved")),
        ((LOAD, "train, test = split(df, seed=8)", FIT, PLOT), (1, "near")),  # it was changed
        ((LOAD, "something else altogether", FIT, PLOT), (1, "near")),  # alone in its place
        ((LOAD, "check(df)", "train, test = split(df, seed=8)", FIT, PLOT), (2, "near")),  # changed, and one put in
        (("df = load()", "train, test = split(df, seed=8)", FIT, PLOT), (1, "near")),  # it and the one above changed
        ((LOAD, "train, test = split(df)", "fit()", PLOT), (1, "near")),  # it and the one below changed
        ((LOAD, FIT, PLOT), (None, "orphaned")),  # it is gone
        ((LOAD, "a", "b", FIT, PLOT), (None, "orphaned")),  # two in its place, neither like it
        (("x", "y", "z"), (None, "orphaned")),
        ((), (None, "orphaned")),
        (("y", FIT, "z"), (None, "orphaned")),  # one neighbour is there, and nothing beside it is alike
    ],
)
def test_an_annotation_finds_its_cell_again_or_is_orphaned(now: tuple[str, ...], found: tuple[int | None, str]) -> None:
    """R117: the same cell wherever it moved; a changed one by its neighbours; else orphaned."""
    assert where(on(THEN, 1), notebook(*now)) == found


@pytest.mark.parametrize(
    ("at", "now", "found"),
    [
        (0, ("df = read('telco2.csv')", SPLIT, FIT, PLOT), (0, "near")),
        (3, (LOAD, SPLIT, FIT, "plot(model, test, 'roc')"), (3, "near")),
        (0, (SPLIT, FIT, PLOT), (None, "orphaned")),
        (3, (LOAD, SPLIT, FIT), (None, "orphaned")),
    ],
)
def test_the_ends_of_a_notebook_are_neighbours_too(
    at: int, now: tuple[str, ...], found: tuple[int | None, str]
) -> None:
    """R117: first and last cells are found by the one neighbour that they have."""
    assert where(on(THEN, at), notebook(*now)) == found


def test_a_single_cell_that_changed_is_found() -> None:
    assert where(on(notebook("a"), 0), notebook("b")) == (0, "near")
    assert where(on(notebook("a"), 0), notebook("a", "b")) == (0, "exact")


def test_of_equal_cells_the_one_with_the_same_neighbours_is_meant() -> None:
    """R117: an empty cell, or one that was copied, is told from its twins by what stands beside it."""
    cells = notebook("a", "", "b", "", "c", "", "d")
    assert where(on(cells, 3), cells) == (3, "exact")
    assert where(on(cells, 5), notebook("x", *(c.source for c in cells))) == (6, "exact")


def test_a_cell_that_has_its_own_annotation_is_nobody_elses() -> None:
    """R117: where the annotated cell was deleted and another annotated one came into its place, the first is orphaned."""
    cells = notebook("p", "a", "q", "b", "r")
    now = notebook("p", "b", "q", "r")
    found = {one.thread.id: (one.at, one.how) for one in anchored([on(cells, 1, "a"), on(cells, 3, "b")], now)}
    assert found == {"a": (None, "orphaned"), "b": (1, "moved")}


def test_the_kind_of_a_cell_belongs_to_it() -> None:
    assert cell_digest("code", "# x") != cell_digest("markdown", "# x")
    assert cell_digest("code", "\ud800")  # no text of a file ends the run


@given(
    st.lists(st.sampled_from("abcdefg"), max_size=8),
    st.integers(0, 7),
    st.lists(st.sampled_from("abcdefgxyz"), max_size=9),
)
def test_nothing_is_lost_and_no_index_is_made_up(then: list[str], at: int, now: list[str]) -> None:
    """R117: whatever became of the notebook, each annotation is shown once: at a cell that is there, or as orphaned."""
    before, after = notebook(*then), notebook(*now)
    threads = [on(before, index, str(index)) for index in range(min(at + 1, len(before)))]
    found = anchored(threads, after)
    assert sorted(one.thread.id for one in found) == sorted(thread.id for thread in threads)
    for one in found:
        assert (one.at is None) == (one.how == "orphaned")
        if one.at is not None:
            assert 0 <= one.at < len(after)
            assert (after[one.at].digest == one.thread.annotation.cell) == (one.how in ("exact", "moved"))
        if one.thread.annotation.cell in {cell.digest for cell in after}:
            assert one.how in ("exact", "moved")


# -- threads -----------------------------------------------------------------------------------------------------------


def change(
    id_: str,
    value: Any,
    t: int = 1,
    live: bool = True,
    over: tuple[str, ...] = (),
    counts: Counts = Counts.YES,
    person: str = "p",
) -> Change:
    kind = "annotation.resolved" if isinstance(value, AnnotationResolved) else "annotation.added"
    return Change(
        id=id_, entity="document:x", kind=kind, field="f", over=over, commitment="", person=person, chain="", seq=0, index=0, t=t,
        counts=counts, live=live, roles=frozenset(), value=value, raw=b"{}",
    )  # fmt: skip


def said(text: str, to: str = "") -> Annotation:
    return Annotation(text=text, cell="" if to else "c", near=Near(), to=to)


def test_replies_join_their_thread_in_order_and_a_resolution_is_by_whomever() -> None:
    """R117: threaded, resolvable."""
    changes = [
        change("a", said("why?"), 1, live=False), change("c", said("and then?", "b"), 3), change("b", said("because", "a"), 2),
        change("r", AnnotationResolved(note="clear now"), 4, over=("a",), person="q"), change("z", said("other"), 5),
    ]  # fmt: skip
    first, second = read_threads("document:x", changes)
    assert [reply.text for reply in first.replies] == ["because", "and then?"]
    assert first.resolved is not None
    assert (first.state, first.resolved.person, first.resolved.text) == ("resolved", "q", "clear now")
    assert (second.id, second.state, second.replies) == ("z", "open", ())


def test_what_does_not_count_says_nothing_and_what_was_erased_leaves_the_replies() -> None:
    """R117: never lost: a reply whose annotation was erased begins a thread, without a cell."""
    changes = [
        change("a", None, counts=Counts.ERASED, live=False), change("b", said("because", "a"), 2),
        change("s", said("from a stranger"), counts=Counts.STRANGER, live=False),
    ]  # fmt: skip
    (only,) = read_threads("document:x", changes)
    assert (only.id, only.annotation.text) == ("b", "because")
    assert where(only, notebook("", "a")) == (None, "orphaned")


def test_a_resolution_that_replaced_nothing_resolves_nothing() -> None:
    """A change that names an annotation and does not act on it (it was not seen, or does not count) closes no thread."""
    (only,) = read_threads("document:x", [change("a", said("why?")), change("r", AnnotationResolved(), 2, over=("a",))])
    assert only.state == "open"


def test_the_order_of_arrival_changes_nothing() -> None:
    """R001: the same changes in any order are the same threads, also in a long row of replies to replies."""
    changes = [change("0", said("why?"))] + [change(str(n), said(f"r{n}", str(n - 1)), n) for n in range(1, 3000)]
    told = read_threads("document:x", changes)
    random.Random(1).shuffle(changes)
    assert read_threads("document:x", changes) == told
    assert len(told) == 1 and len(told[0].replies) == 2999
