"""The selection language: what it reads, what it writes, where it says what is wrong, and that its sets are sets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store.domain.selection import (
    ALL,
    FIELDS,
    MAX_LENGTH,
    Between,
    Differ,
    Hops,
    Meet,
    Node,
    Not,
    SelectionError,
    Term,
    Union,
    around,
    evaluate,
    parse,
    quoted,
    since,
    write,
)

DAY = 86_400_000


def word(text: str) -> Term:
    return Term("", text)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("churn@7", word("churn@7")),
        ("model:churn@7", Term("model", "churn@7")),
        ("2+model:churn@7+1", Hops(Term("model", "churn@7"), 2, 1)),
        ("+x", Hops(word("x"), ALL, 0)),
        ("x+", Hops(word("x"), 0, ALL)),
        ("+x+", Hops(word("x"), ALL, ALL)),
        ("2+", Hops(word("2"), 0, ALL)),
        ("2+2", Hops(word("2"), 2, 0)),
        ("a..b", Between(word("a"), word("b"))),
        ("a .. b", Between(word("a"), word("b"))),
        ("1+a..b+", Between(Hops(word("a"), 1, 0), Hops(word("b"), 0, ALL))),
        ("a ^ b", Differ(word("a"), word("b"))),
        ("a b,c", Union((word("a"), Meet((word("b"), word("c")))))),
        ("kind:run not status:failed", Union((Term("kind", "run"), Not(Term("status", "failed"))))),
        ("not (a b)", Not(Union((word("a"), word("b"))))),
        ("not", word("not")),
        ('name:"a ""b"" c"', Term("name", 'a "b" c')),
        ("'it''s'", word("it's")),
        ('attr."my key":v', Term("attr.my key", "v")),
        ("attr.team:risk", Term("attr.team", "risk")),
        ("source:mlflow,since:14d", Meet((Term("source", "mlflow"), Term("since", "14d")))),
        ("dataset:a:b", Term("dataset", "a:b")),
        ('"c++"+', Hops(word("c++"), 0, ALL)),
        ("kind:RUN", Term("kind", "run")),
        ("Model:churn@7", Term("model", "churn@7")),
        ("v1.0..v1.1", Between(word("v1.0"), word("v1.1"))),
    ],
)
def test_what_is_written_is_what_is_meant(text: str, tree: Node) -> None:
    """dbt's hops, commas and blanks; everything before, between, apart; names in quotes."""
    assert parse(text).root == tree
    assert parse(write(tree)).root == tree


@pytest.mark.parametrize(
    ("text", "column", "message", "mend"),
    [
        ("", 1, "empty", "`*` is everything"),
        ("a b)", 4, "closes nothing", "quote"),
        ("x (a", 5, "is missing", "`(` of column 3"),
        ("()", 2, "nothing stands", "Name a node"),
        ("x+y", 3, "after `+`", "c++"),
        ("knd:run", 1, "no field 'knd'", "Did you mean `kind:`?"),
        ("http://x", 1, "no field 'http'", "stands in quotes"),
        ("a kind:rnu", 8, "no kind 'rnu'", "Did you mean run?"),
        ("kind:RNU", 6, "no kind 'RNU'", "Did you mean run?"),
        ("KND:run", 1, "no field 'KND'", "Did you mean `kind:`?"),
        ("since:yesterday", 7, "no time", "14d"),
        ("since:2026-13-01", 7, "no time", "14d"),
        ("'abc", 1, "not closed", "same quote"),
        ("a+ + b", 4, "a name is missing", "2+name+1"),
        ("a..b..c", 5, "a second `..`", "parentheses"),
        ("a..", 4, "missing before the end", "Name a node"),
        ('a"b', 2, "a quote within", "double the quote"),
        ('"a"b', 4, "a blank is missing", "union"),
        ("attr.:x", 1, "has no key", "attr.KEY:VALUE"),
        ("0+x", 1, "0 hops", "for all"),
        ("x+999999", 3, "999999 hops", "for all"),
        ("kind:", 6, "missing before the end", "Name a node"),
        ('""', 1, "an empty name", "Name a node"),
        ("(" * 30 + "a" + ")" * 30, 25, "nested deeper", "fewer"),
        ("a " * MAX_LENGTH, MAX_LENGTH + 1, "longer than", "Select by kind"),
    ],
)
def test_what_is_wrong_is_told_with_its_column_and_the_mend(text: str, column: int, message: str, mend: str) -> None:
    """A person reads where to put the cursor and what to type."""
    with pytest.raises(SelectionError) as caught:
        parse(text)
    assert caught.value.column == column
    assert message in caught.value.message and mend in caught.value.hint


NAMES = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text)
TERMS = st.one_of(
    NAMES.map(word),
    st.tuples(st.sampled_from([one for one in FIELDS if one not in ("kind", "since")]), NAMES).map(lambda p: Term(*p)),
    st.tuples(NAMES.map(lambda key: f"attr.{key}"), NAMES).map(lambda p: Term(*p)),
    st.sampled_from([Term("kind", "run"), Term("since", "3w"), Term("model", "churn@7"), word("*")]),
)
HOPS = st.one_of(st.just(0), st.just(ALL), st.integers(1, 99))


def deeper(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.tuples(inner, HOPS, HOPS).filter(lambda p: p[1] or p[2]).map(lambda p: Hops(*p)),
        st.tuples(inner, inner).map(lambda p: Between(*p)),
        st.tuples(inner, inner).map(lambda p: Differ(*p)),
        inner.map(Not),
        several.map(Union),
        several.map(Meet),
    )


TREES = st.recursive(TERMS, deeper, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_what_is_written_is_read_as_it_was(tree: Node) -> None:
    """Any tree, any name: reading what was written gives the tree again."""
    assert parse(write(tree)).root == tree


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_column(text: str) -> None:
    """No input ends in anything but a tree or an error that points into it."""
    try:
        root = parse(text).root
    except SelectionError as error:
        assert 1 <= error.column <= len(text) + 1
        assert error.hint
    else:
        assert parse(write(root)).root == root


def test_a_name_is_quoted_only_where_it_must_be() -> None:
    """What people type most stays as they type it."""
    for plain in ("churn@7", "r-012", "data/x.csv", "*", "a.b", "Größe", "模型"):
        assert quoted(plain) == plain
    for special in ("a b", "a..b", "2", "not", ".x", "x.", "a:b", "c++", 'say "x"', "a,b", "(x)"):
        assert quoted(special) != special
        assert parse(quoted(special)).root == word(special)


def test_the_selection_around_a_node_names_it_by_its_id() -> None:
    """A view's state is a selection: it opens the same node elsewhere, whatever its name is."""
    assert around("model:" + "a" * 32, 2, 1) == f"2+model:{'a' * 32}+1"
    assert around("no kind at all") == 'id:"no kind at all"'
    assert parse(around("odd:thing", ALL, 0)).root == Hops(Term("id", "odd:thing"), ALL, 0)


def test_times_are_instants() -> None:
    """Days, hours, weeks back from now; dates and minutes in UTC."""
    now = 1_770_000_000_000
    assert since("14d", now) == now - 14 * DAY
    assert since("12h", now) == now - DAY // 2
    assert since("3w", now) == now - 21 * DAY
    assert since("1970-01-02", now) == DAY
    assert since("1970-01-02T00:01", now) == DAY + 60_000
    for wrong in ("d", "1y", "2026-02-30", "2026", "now", "1970-01-01T25:00"):
        assert since(wrong, now) is None


def test_sets_are_put_together_as_the_signs_say() -> None:
    """Blank is union, comma is intersection, `not` takes away; alone it takes away from everything."""
    sets = {"a": {1, 2, 3}, "b": {3, 4}, "c": {5}}

    def found(text: str) -> set[int]:
        return evaluate(
            parse(text).root,
            find=lambda term: set(sets[term.value]),
            reach=lambda start, up, down: start | ({10 * no for no in start} if up else set()) | ({100} if down else set()),
            between=lambda first, last: first | last | {50},
            everything=lambda: {1, 2, 3, 4, 5, 6},
            columns=lambda node: {900 + len(write(node))},
        )  # fmt: skip

    assert found("col:t.f") == {907}
    assert found("col:t.f+") == {908}
    assert found("2+col:t.f") == {909}
    assert found("col:t.f..col:u.f") == {916}
    assert found("a col:t.f") == {1, 2, 3, 907}
    assert found("(col:t.f+)+") == {908, 100}
    assert found("b..col:t.f") == {3, 4, 50, 907}
    assert found("a b") == {1, 2, 3, 4}
    assert found("a,b") == {3}
    assert found("a not b") == found("a,not b") == found("not b a") == {1, 2}
    assert found("not a") == {4, 5, 6}
    assert found("not a not b") == {5, 6}
    assert found("not a,not b") == {5, 6}
    assert found("b (not a)") == found("b not a") == {4}
    assert found("not (a not b)") == {3, 4, 5, 6}
    assert found("1+c+1") == {5, 50, 100}
    assert found("a..c") == {1, 2, 3, 5, 50}
    assert found("a ^ b") == {1, 2, 10, 20, 4, 40}
