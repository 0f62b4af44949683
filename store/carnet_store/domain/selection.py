"""The selection: one small language that names a set of lineage nodes, the same in every view, command and note.

    selection = part (" " part)*            union; a part that begins with `not` is taken away (from everything where it stands alone)
    part      = ["not"] span ("," ["not"] span)*      intersection, binds closer than the blank, as in dbt
    span      = hops [(".." | "^") hops]    all nodes between; what is in one of the two lineages and not in the other
    hops      = [[N] "+"] atom ["+" [N]]    N hops before and after (dbt); a bare `+` is all of them
    atom      = word | KIND ":" name | FIELD ":" value | "(" selection ")"

`col:crm.tenure` names what holds a column of that name; hops and `..` beside it go from column to column, and name what holds those.

A word is an id, a name, `name@version`; where nothing is called so, a text within names. `*` stands for any text. Names with blanks or signs
of the language stand in quotes, a quote within them is doubled. What is wrong is told with its column and the mend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as column_field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final, TypeGuard

from carnet_store.domain.lineage import NODES
from carnet_store.errors import Invalid

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 24
MAX_HOPS: Final = 100_000
ALL: Final = -1
"""A number of hops: as many as there are."""

COLUMN: Final = "col"
"""The field that names a column: `col:HOLDER.FIELD`, `col:FIELD`."""
FIELDS: Final = ("kind", "name", "text", "id", "person", "stage", "status", "source", "tag", "since", COLUMN)
KEYED: Final = ("attr", "param")
"""Fields that take a key: `attr.team:risk`, `param.seed:7`."""

_UNITS: Final = {"h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_AGO: Final = re.compile(r"([0-9]{1,5})([hdw])")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?Z?")
_PLAIN: Final = re.compile(r"[^\s\"'(),^+:]+")
_LEAD: Final = re.compile(r"([0-9]{0,6})\+")
_SIGNS: Final = "\"'(),^+"


class SelectionError(Invalid):
    """A selection that cannot be read; `column` counts characters from 1."""

    def __init__(self, message: str, column: int, hint: str) -> None:
        super().__init__(f"{message} (column {column})", hint)
        self.column = column
        self.plain = message


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a word (`field` is empty), a node of a kind by name (`field` is the kind), or a field's value."""

    field: str
    value: str
    column: int = column_field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Hops:
    """What `of` names and what lies `up` hops before and `down` hops after it; `ALL` is every hop."""

    of: Node
    up: int
    down: int


@dataclass(frozen=True, slots=True)
class Between:
    """Every node that lies on a path between the two, with both ends."""

    first: Node
    last: Node


@dataclass(frozen=True, slots=True)
class Differ:
    """What belongs to the lineage of one and not of the other: the symmetric difference."""

    first: Node
    last: Node


@dataclass(frozen=True, slots=True)
class Not:
    """Everything but this; within a union or an intersection, taken away from the rest."""

    of: Node


@dataclass(frozen=True, slots=True)
class Union:
    """What any of the parts names, without what a `Not` among them names."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Meet:
    """What all of the parts name."""

    parts: tuple[Node, ...]


Node = Term | Hops | Between | Differ | Not | Union | Meet


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed selection: its text as written, and its tree."""

    text: str
    root: Node

    def terms(self) -> tuple[Term, ...]:
        """Return the terms, in the order of the text."""
        return tuple(one for one in walk(self.root) if isinstance(one, Term))


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it."""
    yield node
    if isinstance(node, Hops | Not):
        yield from walk(node.of)
    elif isinstance(node, Between | Differ):
        yield from walk(node.first)
        yield from walk(node.last)
    elif isinstance(node, Union | Meet):
        for part in node.parts:
            yield from walk(part)


def parse(text: str) -> Selection:
    """Read a selection. Raises SelectionError with the column and the mend."""
    if len(text) > MAX_LENGTH:
        raise SelectionError(
            f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH + 1, "Select by kind, person or time."
        )
    if not text.strip():
        raise SelectionError("the selection is empty", 1, "Name a node; `*` is everything.")
    return Selection(text, _Parser(text).whole())


# --- reading --------------------------------------------------------------------------------------------------------


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        root = self._union()
        if self._at < len(self._text):
            raise self._error("`)` closes nothing", "Leave it out, or quote the name that holds it.")
        return root

    def _error(self, message: str, hint: str, at: int | None = None) -> SelectionError:
        return SelectionError(message, (self._at if at is None else at) + 1, hint)

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _looks_at(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _after_blanks(self, *signs: str) -> str:
        """Take the first of these signs that comes next, blanks before it or not; empty where none does."""
        before = self._at
        self._skip()
        for sign in signs:
            if self._looks_at(sign):
                self._at += len(sign)
                return sign
        self._at = before
        return ""

    def _union(self) -> Node:
        parts = [self._meet()]
        while True:
            end = self._at
            self._skip()
            if self._at >= len(self._text) or self._looks_at(")"):
                break
            if self._at == end:
                raise self._error(f"a blank is missing before {self._text[end]!a}", "Blanks part the names of a union.")
            parts.append(self._meet())
        return parts[0] if len(parts) == 1 else Union(tuple(parts))

    def _meet(self) -> Node:
        parts = [self._part()]
        while self._after_blanks(","):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else Meet(tuple(parts))

    def _part(self) -> Node:
        self._skip()
        if re.match(r"not(?=[\s(])", self._text[self._at : self._at + 4]):
            self._at += 3
            self._deeper(self._at)
            of = self._part()
            self._depth -= 1
            return Not(of)
        return self._span()

    def _span(self) -> Node:
        first = self._hops()
        sign = self._after_blanks("..", "^")
        if not sign:
            return first
        self._skip()
        last = self._hops()
        more = self._at
        if again := self._after_blanks("..", "^"):
            raise self._error(f"a second `{again}`", "Put one of the two into parentheses.", more)
        return Between(first, last) if sign == ".." else Differ(first, last)

    def _hops(self) -> Node:
        up = down = 0
        lead = _LEAD.match(self._text, self._at)
        if lead is not None and self._starts_atom(lead.end()):
            up = self._number(lead.group(1), self._at)
            self._at = lead.end()
        of = self._atom()
        if self._looks_at("+"):
            after = re.compile(r"\+([0-9]*)").match(self._text, self._at)
            assert after is not None  # noqa: S101 (it looks at a `+`)
            down = self._number(after.group(1), self._at + 1)
            self._at = after.end()
            if self._at < len(self._text) and not self._ends_atom():
                raise self._error(
                    f"{self._text[self._at]!a} stands after `+`",
                    'A number of hops may follow; quote a name that holds a +: "c++".',
                )
        return Hops(of, up, down) if up or down else of

    def _number(self, digits: str, at: int) -> int:
        if not digits:
            return ALL
        if not 1 <= int(digits) <= MAX_HOPS:
            raise self._error(f"{digits} hops", f"Write 1 to {MAX_HOPS:,}, or `+` alone for all.", at)
        return int(digits)

    def _starts_atom(self, at: int) -> bool:
        return at < len(self._text) and self._text[at] not in "),^+" and not self._text[at].isspace() and not (
            self._text.startswith("..", at)
        )  # fmt: skip

    def _ends_atom(self) -> bool:
        return self._text[self._at] in "),^" or self._text[self._at].isspace() or self._looks_at("..")

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH}", "Use fewer parentheses.", at)

    def _atom(self) -> Node:
        start = self._at
        if self._looks_at("("):
            self._deeper(start)
            self._at += 1
            self._skip()
            if self._looks_at(")"):
                raise self._error("nothing stands between the parentheses", "Name a node; `*` is everything.")
            inner = self._union()
            if not self._looks_at(")"):
                raise self._error("`)` is missing", f"It closes the `(` of column {start + 1}.")
            self._at += 1
            self._depth -= 1
            return inner
        if self._at < len(self._text) and self._text[self._at] in "\"'":
            return Term("", self._quoted(), start + 1)
        word = self._word(colon=False)
        if word.endswith(".") and word[:-1] in KEYED and self._at < len(self._text) and self._text[self._at] in "\"'":
            word += self._quoted()
        if not self._looks_at(":"):
            return Term("", word, start + 1)
        field = self._field(word, start)
        self._at += 1
        value_at = self._at
        if self._at < len(self._text) and self._text[self._at] in "\"'":
            value = self._quoted()
        else:
            value = self._word(colon=True)
        return Term(field, self._checked(field, value, value_at), start + 1)

    def _word(self, *, colon: bool) -> str:
        """Take the letters up to the next sign of the language; with `colon` a colon belongs to them."""
        start = self._at
        while self._at < len(self._text):
            char = self._text[self._at]
            if char.isspace() or char in _SIGNS or (char == ":" and not colon) or self._looks_at(".."):
                break
            self._at += 1
        if self._at == start:
            what = f"`{self._text[start]}`" if start < len(self._text) else "the end"
            hint = "Hops stand at a name: 2+name+1." if self._looks_at("+") else "Name a node; `*` is everything."
            raise self._error(f"a name is missing before {what}", hint)
        if self._at < len(self._text) and self._text[self._at] in "\"'" and self._text[start : self._at] not in (
            "attr.", "param.",
        ):  # fmt: skip
            raise self._error("a quote within a name", 'Quote all of it, and double the quote: "a ""b"" c".')
        return self._text[start : self._at]

    def _quoted(self) -> str:
        start, quote = self._at, self._text[self._at]
        parts: list[str] = []
        at = start + 1
        while True:
            end = self._text.find(quote, at)
            if end < 0:
                raise self._error("the quote is not closed", f"Close it with the same quote: {quote}.", start)
            parts.append(self._text[at:end])
            if not self._text.startswith(quote, end + 1):
                break
            parts.append(quote)
            at = end + 2
        self._at = end + 1
        found = "".join(parts)
        if not found:
            raise self._error("an empty name", "Name a node; `*` is everything.", start)
        return found

    def _field(self, word: str, at: int) -> str:
        head, dot, key = word.partition(".")
        if dot and head in KEYED:
            if not key:
                raise self._error(f"`{head}.` has no key", f"Write {head}.KEY:VALUE.", at)
            return word
        low = word.lower()
        if low in FIELDS or low in NODES:
            return low
        known = (*FIELDS, *NODES, *(f"{one}.KEY" for one in KEYED))
        near = get_close_matches(low, known, 1)
        hint = f"Did you mean `{near[0]}:`?" if near else f"Fields: {', '.join(known)}."
        raise self._error(
            f"there is no field {word!r}", f'{hint} A name that holds a colon stands in quotes: "a:b".', at
        )

    def _checked(self, field: str, value: str, at: int) -> str:
        if field == "kind" and value.lower() in NODES:
            return value.lower()
        if field == "kind":
            near = get_close_matches(value.lower(), NODES, 2)
            known = " or ".join(near) if near else ", ".join(NODES)
            raise self._error(f"there is no kind {value!r}", f"Did you mean {known}?", at)
        if field == "since" and since(value, 0) is None:
            raise self._error(f"{value!r} is no time", "Write 14d, 12h, 3w, 2026-03-01 or 2026-03-01T12:00.", at)
        return value


def since(value: str, now: int) -> int | None:
    """Return the instant that `14d`, `12h`, `3w`, `2026-03-01` or `2026-03-01T12:00` (UTC) means, ms; None where it is no time."""
    ago = _AGO.fullmatch(value)
    if ago is not None:
        return now - int(ago.group(1)) * _UNITS[ago.group(2)]
    if _DAY.fullmatch(value) is None:
        return None
    try:
        when = datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


# --- writing --------------------------------------------------------------------------------------------------------


def write(node: Node) -> str:
    """Return the text of a tree: reading it gives the tree again."""
    if isinstance(node, Term):
        return _term(node)
    if isinstance(node, Hops):
        before = "" if not node.up else "+" if node.up == ALL else f"{node.up}+"
        after = "" if not node.down else "+" if node.down == ALL else f"+{node.down}"
        return before + _inside(node.of, Term) + after
    if isinstance(node, Between):
        return f"{_inside(node.first, Term, Hops)}..{_inside(node.last, Term, Hops)}"
    if isinstance(node, Differ):
        return f"{_inside(node.first, Term, Hops)} ^ {_inside(node.last, Term, Hops)}"
    if isinstance(node, Not):
        return f"not {_inside(node.of, Term, Hops, Between, Differ, Not)}"
    if isinstance(node, Meet):
        return ",".join(_inside(part, Term, Hops, Between, Differ, Not) for part in node.parts)
    return " ".join(_inside(part, Term, Hops, Between, Differ, Not, Meet) for part in node.parts)


def _inside(node: Node, *bare: type) -> str:
    return write(node) if isinstance(node, bare) else f"({write(node)})"


def _term(term: Term) -> str:
    if not term.field:
        return quoted(term.value)
    head, dot, key = term.field.partition(".")
    field = f"{head}.{quoted(key)}" if dot else head
    return f"{field}:{quoted(term.value)}"


def quoted(text: str) -> str:
    """Return a name as a selection spells it: in quotes where it would mean something else."""
    plain = _PLAIN.fullmatch(text) and ".." not in text and text[0] != "." and text[-1] != "."
    if plain and not text.isdigit() and text != "not":
        return text
    return '"' + text.replace('"', '""') + '"'


def around(entity: str, up: int = 0, down: int = 0) -> str:
    """Return the selection that names one node by its id and what lies so many hops before and after it."""
    kind, _, rest = entity.partition(":")
    term = Term(kind, rest) if kind in NODES and rest else Term("id", entity)
    return write(Hops(term, up, down) if up or down else term)


def _is_of_columns(node: Node) -> TypeGuard[Term | Hops | Between]:
    if isinstance(node, Between):
        return all(isinstance(one, Term) and one.field == COLUMN for one in (node.first, node.last))
    of = node.of if isinstance(node, Hops) else node
    return isinstance(of, Term) and of.field == COLUMN


Find = Callable[[Term], set[int]]
Reach = Callable[[set[int], int, int], set[int]]


def evaluate(
    node: Node, *, find: Find, reach: Reach, between: Callable[[set[int], set[int]], set[int]],
    everything: Callable[[], set[int]], columns: Callable[[Term | Hops | Between], set[int]],
) -> set[int]:  # fmt: skip
    """Return the numbers that a tree names.

    Args:
        node: the tree.
        find: what one term names.
        reach: (numbers, hops up, hops down) -> these and what lies there; `ALL` is every hop, 0 none.
        between: what lies on paths between two sets, either way round.
        everything: every node there is.
        columns: what holds the columns of a `col:`, of its hops, or between two of them.
    """

    def of(one: Node) -> set[int]:
        return evaluate(one, find=find, reach=reach, between=between, everything=everything, columns=columns)

    if _is_of_columns(node):
        return columns(node)
    if isinstance(node, Term):
        return find(node)
    if isinstance(node, Hops):
        return reach(of(node.of), node.up, node.down)
    if isinstance(node, Between):
        return between(of(node.first), of(node.last))
    if isinstance(node, Differ):
        return reach(of(node.first), ALL, 0) ^ reach(of(node.last), ALL, 0)
    if isinstance(node, Not):
        return everything() - of(node.of)
    kept = [of(part) for part in node.parts if not isinstance(part, Not)]
    gone = [of(part.of) for part in node.parts if isinstance(part, Not)]
    if isinstance(node, Meet):
        found = set.intersection(*kept) if kept else everything()
    else:
        found = set().union(*kept) if kept else everything()
    return found.difference(*gone)
