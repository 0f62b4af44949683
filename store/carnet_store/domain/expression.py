"""The small language of template packs: `when`, `rule`, `row_rule` and `${criteria.x}`.

    expression = or ; or = and ("or" and)* ; and = not ("and" not)* ; not = "not" not | comparison
    comparison = sum (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") sum)?
    sum = product (("+" | "-") product)* ; product = unary (("*" | "/") unary)* ; unary = "-" unary | primary
    primary = number | 'text' | true | false | null | unknown | dotted.name | "(" expression ")" | "[" list "]"

There is no call, no attribute, no loop: an expression costs at most its own length. Numbers are decimals, no floats.
Logic is three-valued (Kleene): a name without a value is *unknown*, `unknown and false` is false, `unknown or true` is
true, everything else touched by unknown stays unknown. NaN is in no order and equals nothing; dividing by zero is NaN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import Enum
from typing import Final

from carnet_store.errors import Invalid

MAX_LENGTH: Final = 1_000
MAX_DEPTH: Final = 24
MAX_LIST: Final = 1_000

# No trap is set: whatever arithmetic cannot do ends as NaN, which fails every comparison.
_ARITHMETIC: Final = Context(prec=34, traps=[])
_NAN: Final = Decimal("NaN")


class Unknown(Enum):
    """The third truth value, and the value of a name that nobody has answered yet."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

_KINDS: Final = {bool: "true/false", Decimal: "number", str: "text", type(None): "null", tuple: "list"}

Value = bool | Decimal | str | None | Unknown | tuple["Value", ...]


class ExpressionError(Invalid):
    """An expression that cannot be read or computed; `column` counts characters from 1."""

    def __init__(self, message: str, column: int, hint: str) -> None:
        super().__init__(f"{message} (column {column})", hint)
        self.column = column
        self.plain = message


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written down."""

    value: Value
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name, looked up when the expression is evaluated."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of expressions in brackets."""

    items: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    operator: str
    operand: Node
    column: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and the operator between them."""

    operator: str
    left: Node
    right: Node
    column: int


Node = Literal | Name | ListOf | Unary | Binary


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text as written, and its tree."""

    text: str
    root: Node

    def names(self) -> tuple[str, ...]:
        """Every name used, sorted, each once."""
        return tuple(sorted({node.name for node in walk(self.root) if isinstance(node, Name)}))

    def name_columns(self) -> tuple[tuple[str, int], ...]:
        """Each use of a name with its column."""
        return tuple((node.name, node.column) for node in walk(self.root) if isinstance(node, Name))

    def evaluate(self, names: Mapping[str, Value]) -> Value:
        """Return the value under `names` (dotted name to value; a missing name is unknown).

        Raises `ExpressionError` where kinds of values do not fit, such as text compared by size with a number.
        """
        return _evaluate(self.root, names)

    def truth(self, names: Mapping[str, Value]) -> bool | None:
        """Return True, False or None (not known); a result that is no truth value is an `ExpressionError`."""
        value = self.evaluate(names)
        if value is UNKNOWN:
            return None
        if isinstance(value, bool):
            return value
        raise ExpressionError(f"`{self.text}` gives {_kind(value)}, not true or false", 1, "Compare it: x == 'value'.")


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it."""
    yield node
    if isinstance(node, Unary):
        yield from walk(node.operand)
    elif isinstance(node, Binary):
        yield from walk(node.left)
        yield from walk(node.right)
    elif isinstance(node, ListOf):
        for item in node.items:
            yield from walk(item)


# --- reading -------------------------------------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)"
    r"|(?P<text>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign>==|!=|<=|>=|[<>()\[\],+\-*/])"
)
_CONSTANTS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None, "unknown": UNKNOWN}
_WORDS: Final = frozenset({"and", "or", "not", "in"})
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"{text[at]!a} does not belong here", at + 1, _sign_hint(text, at))
        kind = str(match.lastgroup)
        word = match.group()
        if kind == "name" and word in _WORDS:
            kind = "sign"
        if kind != "space":
            found.append(_Token(kind, word, at + 1))
        at = match.end()
    found.append(_Token("end", "", len(text) + 1))
    return found


def _sign_hint(text: str, at: int) -> str:
    if text[at] in "'\"":
        return "Close the quoted text with the same quote."
    if text[at] == "=":
        return "Compare with `==`."
    if text[at] in "&|!":
        return "Use the words `and`, `or`, `not`."
    return "Allowed are names, numbers, 'text', and or not in, == != < <= > >=, + - * /, ( ) and [ ]."


def parse(text: str) -> Expression:
    """Read an expression, or raise `ExpressionError` with the column and the mend."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters", MAX_LENGTH + 1, "Split it into simpler items.")
    return Expression(text, _Parser(_tokens(text)).whole())


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        root = self._or()
        token = self._peek()
        if token.kind != "end":
            raise ExpressionError(
                f"`{token.text}` is not expected here",
                token.column,
                "Join parts with `and`/`or`; quote text: 'like this'.",
            )
        return root

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, *signs: str) -> _Token | None:
        token = self._peek()
        return self._take() if token.kind == "sign" and token.text in signs else None

    def _deeper(self, column: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", column, "Use fewer parentheses.")

    def _or(self) -> Node:
        return self._chain(("or",), self._and)

    def _and(self) -> Node:
        return self._chain(("and",), self._not)

    def _not(self) -> Node:
        if token := self._accept("not"):
            self._deeper(token.column)
            node: Node = Unary("not", self._not(), token.column)
            self._depth -= 1
            return node
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        token = self._accept(*_COMPARISONS)
        if token is None:
            return left
        node = Binary(token.text, left, self._sum(), token.column)
        if extra := self._accept(*_COMPARISONS):
            raise ExpressionError("comparisons cannot be chained", extra.column, "Write `a < b and b < c`.")
        return node

    def _sum(self) -> Node:
        return self._chain(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._chain(("*", "/"), self._unary)

    def _chain(self, signs: tuple[str, ...], part: _Part) -> Node:
        # A chain `a or b or c` grows a left-leaning tree, so its length counts as depth.
        before = self._depth
        node = part()
        while token := self._accept(*signs):
            self._deeper(token.column)
            node = Binary(token.text, node, part(), token.column)
        self._depth = before
        return node

    def _unary(self) -> Node:
        if token := self._accept("-"):
            self._deeper(token.column)
            node: Node = Unary("-", self._unary(), token.column)
            self._depth -= 1
            return node
        return self._primary()

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Literal(Decimal(token.text), token.column)
        if token.kind == "text":
            return Literal(token.text[1:-1], token.column)
        if token.kind == "name":
            if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text], token.column)
            return Name(token.text, token.column)
        if token.kind == "sign" and token.text in "([":
            self._deeper(token.column)
            node = self._bracketed(token)
            self._depth -= 1
            return node
        self._at -= 1
        what = f"`{token.text}`" if token.text else "the end"
        raise ExpressionError(f"a value is missing before {what}", token.column, "Give a name, a number or a 'text'.")

    def _bracketed(self, opening: _Token) -> Node:
        if opening.text == "(":
            inner = self._or()
            self._close(")", opening)
            return inner
        items: list[Node] = []
        while not self._accept("]"):
            if items and not self._accept(","):
                self._close("]", opening)
                break
            items.append(self._or())
        return ListOf(tuple(items), opening.column)

    def _close(self, sign: str, opening: _Token) -> None:
        if not self._accept(sign):
            column = self._peek().column
            raise ExpressionError(
                f"`{sign}` is missing", column, f"It closes the `{opening.text}` of column {opening.column}."
            )


_Part = Callable[[], Node]


# --- computing -----------------------------------------------------------------------------------------------------


def _kind(value: Value) -> str:
    return "unknown" if value is UNKNOWN else _KINDS[type(value)]


def _evaluate(node: Node, names: Mapping[str, Value]) -> Value:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Name):
        return names.get(node.name, UNKNOWN)
    if isinstance(node, ListOf):
        return tuple(_evaluate(item, names) for item in node.items)
    if isinstance(node, Unary):
        value = _evaluate(node.operand, names)
        if node.operator == "not":
            truth = _truth(value, node)
            return UNKNOWN if truth is None else not truth
        return UNKNOWN if value is UNKNOWN else _ARITHMETIC.minus(_number(value, node))
    if node.operator in ("and", "or"):
        return _logic(node, names)
    left, right = _evaluate(node.left, names), _evaluate(node.right, names)
    if node.operator == "in":
        return _contains(left, right, node)
    if node.operator in ("==", "!="):
        same = _equal(left, right)
        return UNKNOWN if same is None else same is (node.operator == "==")
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if node.operator in _COMPARISONS:
        return _order(left, right, node)
    return _arithmetic(_number(left, node), _number(right, node), node.operator)


def _truth(value: Value, node: Unary | Binary) -> bool | None:
    if value is UNKNOWN:
        return None
    if isinstance(value, bool):
        return value
    raise ExpressionError(
        f"`{node.operator}` needs true or false, not {_kind(value)}",
        node.column,
        "Compare the value first: x == 'value'.",
    )


def _number(value: Value, node: Unary | Binary) -> Decimal:
    if isinstance(value, Decimal):
        return value
    raise ExpressionError(
        f"`{node.operator}` needs numbers, not {_kind(value)}", node.column, "Use a number on both sides."
    )


def _logic(node: Binary, names: Mapping[str, Value]) -> Value:
    decisive = node.operator == "or"
    left = _truth(_evaluate(node.left, names), node)
    if left is decisive:
        return decisive
    right = _truth(_evaluate(node.right, names), node)
    if right is decisive:
        return decisive
    return UNKNOWN if left is None or right is None else not decisive


def _equal(left: Value, right: Value) -> bool | None:
    """Whether both are the same value; None where an unknown leaves it open."""
    if left is UNKNOWN or right is UNKNOWN:
        return None
    if isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        each = [_equal(one, other) for one, other in zip(left, right, strict=True)]
        return False if False in each else (None if None in each else True)
    if type(left) is not type(right):
        return False
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return compare(left, "==", right)
    return left == right


def _contains(left: Value, right: Value, node: Binary) -> Value:
    if right is UNKNOWN:
        return UNKNOWN
    if not isinstance(right, tuple):
        raise ExpressionError(f"`in` needs a list, not {_kind(right)}", node.column, "Write x in ['a', 'b'].")
    if len(right) > MAX_LIST:
        raise ExpressionError(f"a list of more than {MAX_LIST}", node.column, "Shorten the list.")
    each = [_equal(left, item) for item in right]
    return True if True in each else (UNKNOWN if None in each else False)


def _order(left: Value, right: Value, node: Binary) -> bool:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return compare(left, node.operator, right)
    if isinstance(left, str) and isinstance(right, str):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[node.operator]
    raise ExpressionError(
        f"{_kind(left)} {node.operator} {_kind(right)} has no order",
        node.column,
        "Compare numbers with numbers, text with text.",
    )


def compare(left: Decimal, operator: str, right: Decimal) -> bool:
    """`left operator right` for `== < <= > >=`; False as soon as one of them is NaN."""
    if left.is_nan() or right.is_nan():
        return False
    sign = int(left.compare(right))
    return {"==": sign == 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[operator]


def _arithmetic(left: Decimal, right: Decimal, operator: str) -> Decimal:
    if operator == "+":
        return _ARITHMETIC.add(left, right)
    if operator == "-":
        return _ARITHMETIC.subtract(left, right)
    if operator == "*":
        return _ARITHMETIC.multiply(left, right)
    # An infinite quotient would pass a lower bound; a division by zero must pass nothing.
    return _NAN if right.is_zero() else _ARITHMETIC.divide(left, right)


# --- numbers and references ----------------------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_REFERENCE: Final = re.compile(r"\$\{([^{}]*)\}")


def number(text: str) -> Decimal | None:
    """Return the decimal that a text such as `0.83`, `1e-3`, `NaN` or `-Infinity` spells; None where it spells none."""
    if text in ("NaN", "Infinity", "-Infinity"):
        return Decimal(text)
    return Decimal(text) if len(text) <= 64 and _NUMBER.fullmatch(text) else None


def parse_reference(text: str) -> Expression:
    """Read the expression inside a text that is wholly `${…}`; anything else is an `ExpressionError`."""
    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(f"{text!a} is no reference", 1, "Write ${criteria.name} and nothing around it.")
    return parse(match.group(1))


def resolve_reference(text: str, names: Mapping[str, Value]) -> Value:
    """Return the value of `${…}` under `names`; unknown where a name has none."""
    return parse_reference(text).evaluate(names)


def interpolate(text: str, names: Mapping[str, Value]) -> str:
    """Text for people with each `${…}` replaced by its value; what is unknown or wrong stays as written."""

    def put(match: re.Match[str]) -> str:
        try:
            value = parse(match.group(1)).evaluate(names)
        except ExpressionError:
            return match.group()
        return match.group() if value is UNKNOWN or isinstance(value, tuple) else show(value)

    return _REFERENCE.sub(put, text)


def show(value: Value) -> str:
    """Write a value as a person reads it."""
    if value is UNKNOWN:
        return "unknown"
    if isinstance(value, tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
