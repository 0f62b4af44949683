"""The expression language of packs: three-valued, decimal, bounded; nothing but its own error for any text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain.expression import (
    UNKNOWN,
    Expression,
    ExpressionError,
    Value,
    compare,
    interpolate,
    number,
    parse,
    resolve_reference,
)

FACTS: dict[str, Value] = {
    "model.kind": "llm",
    "data.personal": True,
    "project.regulated": False,
    "tier": "B",
    "rows.kind": ("input data", "technical"),
    "x": Decimal("0.83"),
    "nan": Decimal("NaN"),
    "inf": Decimal("Infinity"),
    "nothing": None,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.kind == 'llm'", True),
        ('model.kind == "tabular"', False),
        ("project.regulated or tier == 'A'", False),
        ("data.personal and not project.regulated", True),
        ("not data.personal or tier in ['A', 'B']", True),
        ("'input data' in rows.kind and 'technical' in rows.kind", True),
        ("'quality' in rows.kind", False),
        ("x >= 0.83 and x < 0.831", True),
        ("x + 0.1 == 0.93", True),
        ("1 - 2 * 3 == -5", True),
        ("(1 - 2) * 3 == -3", True),
        ("- -2 == 2", True),
        ("6 / 4 == 1.5", True),
        ("0.1 + 0.2 == 0.3", True),
        ("[1, 2] == [1, 2]", True),
        ("nothing == null", True),
        ("data.personal == 'True'", False),
        ("'a' < 'b'", True),
    ],
)
def test_values(text: str, expected: bool) -> None:
    assert parse(text).truth(FACTS) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unknown", None),
        ("not fact", None),
        ("fact == 'a'", None),
        ("fact != 'a'", None),
        ("fact >= 3", None),
        ("fact + 1 >= 3", None),
        ("fact and false", False),
        ("false and fact", False),
        ("fact and true", None),
        ("fact or true", True),
        ("fact or false", None),
        ("1 in [1, fact]", True),
        ("2 in [1, fact]", None),
        ("2 in fact", None),
        ("[1, fact] == [2, fact]", False),
        ("[1, fact] == [1, 3]", None),
    ],
)
def test_unknown_follows_kleene(text: str, expected: bool | None) -> None:
    assert parse(text).truth({}) is expected


@pytest.mark.parametrize("text", ["nan >= 0", "nan <= 0", "nan == nan", "1 / 0 >= 0", "inf - inf >= 0", "0 * inf == 0"])
def test_nan_passes_no_comparison(text: str) -> None:
    """NaN, also one made by arithmetic, fails every comparison (R029)."""
    assert parse(text).truth(FACTS) is False


@pytest.mark.parametrize(
    ("text", "column", "mend"),
    [
        ("a = 'b'", 3, "=="),
        ("a == 'b", 6, "quote"),
        ("a && b", 3, "`and`"),
        ("a == ", 6, "Give a name"),
        ("(a or b", 8, "column 1"),
        ("[1, 2", 6, "closes"),
        ("a b", 3, "quote text"),
        ("1 < 2 < 3", 7, "a < b and b < c"),
        ("a.__class__.__mro__ ()", 21, "Join"),
        ("f(x)", 2, "Join"),
        ("a[0]", 2, "Join"),
        ("a..b", 2, "Allowed"),
        ("", 1, "Give a name"),
        ("a\u202eb", 2, "Allowed"),
    ],
)
def test_errors_name_column_and_mend(text: str, column: int, mend: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.column == column
    assert mend in caught.value.hint


@pytest.mark.parametrize(
    "text", ["model.kind + 1 > 2", "model.kind < 3", "x and data.personal", "not x", "'a' in 'abc'"]
)
def test_wrong_kinds_are_errors_with_a_place(text: str) -> None:
    with pytest.raises(ExpressionError, match="column"):
        parse(text).truth(FACTS)


def test_a_number_is_no_truth() -> None:
    with pytest.raises(ExpressionError, match="not true or false"):
        parse("x").truth(FACTS)


@pytest.mark.parametrize(
    "text", ["(" * 30 + "1" + ")" * 30, "not " * 30 + "a", "-" * 30 + "1", " or ".join(["a"] * 40)]
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested deeper"):
        parse(text)


def test_length_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="longer than"):
        parse("a" * 1001)


def test_names_are_listed_once() -> None:
    assert parse("b.c and (a or b.c) and not d").names() == ("a", "b.c", "d")


def test_references() -> None:
    names: dict[str, Value] = {"criteria.auc": Decimal("0.83")}
    assert resolve_reference("${criteria.auc}", names) == Decimal("0.83")
    assert resolve_reference("${criteria.auc - 0.03}", names) == Decimal("0.80")
    assert resolve_reference("${criteria.other}", names) is UNKNOWN
    assert (
        interpolate("at least ${criteria.auc}, ${criteria.other}, ${", names) == "at least 0.83, ${criteria.other}, ${"
    )
    with pytest.raises(ExpressionError, match="no reference"):
        resolve_reference("criteria.auc", names)


@pytest.mark.parametrize("text", ["0.83", "-1", "1e-3", "NaN", "-Infinity", ".5", "5.", "+2"])
def test_numbers_are_decimals(text: str) -> None:
    assert str(number(text)) == str(Decimal(text))


@pytest.mark.parametrize("text", ["", "nan", "inf", "sNaN", "0,83", "1_000", "0x1f", "١", "1e99999", "1" * 65, "1 "])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


_LEAVES = st.sampled_from(
    ["a", "b.c", "true", "false", "null", "unknown", "1", "0", "2.5", "1e300", "'t'", "nan", "[a, 1]", "x"]
)
SIGNS = ("and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/")
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(SIGNS), inner),
        st.builds("(not {})".format, inner),
        st.builds("(-{})".format, inner),
    ),
    max_leaves=12,
)
_VALUES: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.none(),
    st.just(UNKNOWN),
    st.text(alphabet="atx", max_size=3),
    st.decimals(),
    st.lists(st.booleans(), max_size=3).map(tuple),
)


@given(text=st.text(alphabet="ab.'\"[](),+-*/<>=! \n01e&or ntdi${}é", max_size=60))
def test_any_text_parses_or_gives_our_error(text: str) -> None:
    """No input reaches anything but `Expression` or `ExpressionError` (C174)."""
    try:
        assert isinstance(parse(text), Expression)
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1
        assert error.hint


@given(text=_TREES, names=st.dictionaries(st.sampled_from(["a", "b.c", "x"]), _VALUES, max_size=3))
def test_any_expression_over_any_values_ends(text: str, names: dict[str, Value]) -> None:
    try:
        parse(text).evaluate(names)
    except ExpressionError as error:
        assert error.column >= 1


@given(names=st.dictionaries(st.sampled_from("abc"), st.booleans(), max_size=3), text=st.sampled_from(
    ["a and b or c", "not (a or b) and c", "a == b or not c", "(a or b) and (b or c)"]))  # fmt: skip
def test_a_known_result_never_changes_when_more_becomes_known(names: dict[str, bool], text: str) -> None:
    """Kleene logic is monotone: filling in facts never turns true into false or back."""
    expression = parse(text)
    before = expression.truth(dict(names))
    for fill in (True, False):
        full: dict[str, Value] = {name: names.get(name, fill) for name in "abc"}
        assert before is None or expression.truth(full) is before


@given(left=st.decimals(allow_nan=True, allow_infinity=True), right=st.decimals(allow_nan=True, allow_infinity=True))
def test_comparisons_agree_with_decimal(left: Decimal, right: Decimal) -> None:
    if left.is_nan() or right.is_nan():
        assert not any(compare(left, sign, right) for sign in ("==", "<", "<=", ">", ">="))
    else:
        assert compare(left, "<=", right) is (left <= right)
        assert compare(left, "==", right) is (left == right)
