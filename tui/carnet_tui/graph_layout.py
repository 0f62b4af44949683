"""The one-hop map of a node as cells: what it came from, the node, what uses it.

Pure: neighbours in, lines out. Every branch that is drawn is an edge of the record; what finds no room is counted in
one fold row a side, never left out silently. The same neighbours in the same size give the same lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from carnet_tui.text import ELLIPSIS, Line, fit, fit_line, line_width, pad, width
from carnet_tui.views.lineage_rows import of_kind

THIS = "this"
FOLDS = {"up": "fold up", "down": "fold down"}
"""Keys of the spots that stand for the folded rest of a side."""
NOTHING = "nothing recorded"
COLUMNS_FROM = 60
"""Cells from which the three parts stand beside each other; below they stand under each other."""
WIDEST = 120
"""Cells the three parts fill at most: the eye must not travel from a name to its branch."""
LOUD = ("recalled", "tainted")
"""Words that stand beside their sign wherever a node is named; other signs do without where there is no room, and the facts tell what they say."""
_ARM = 3
_KIND_CELLS = 11
_KIND_LEAST = 5
_NAME_LEAST = 4
"""Cells of a kind, and of a name behind the words about it, that are left when there is little room."""

_Signs = Mapping[str, tuple[str, ...]]
_ARMS = {True: "-", False: "─"}
_UNICODE: _Signs = {
    "up": ("┐", "┤", "┘"), "up here": ("┬", "┼", "┴"), "down": ("┌", "├", "└"), "down here": ("┬", "┼", "┴"),
}  # fmt: skip
_ASCII: _Signs = dict.fromkeys(_UNICODE, ("+", "+", "+"))


NONE: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A neighbour: its key, kind, name and the relation in a word. Cleaned texts.

    `sign` and `word` stand before the name and say what is up with it (`⊘`, `recalled`), in `style`; one to `keep` is not folded away while
    there is room for it. Words but the loud ones stand there where there is room for them.
    """

    key: str
    kind: str
    name: str
    relation: str = ""
    sign: str = ""
    word: str = ""
    style: str = ""
    keep: bool = False

    def label(self, cells: int = 0, ellipsis: str = ELLIPSIS) -> str:
        """Return the name with what stands before it; with `cells` as much of it as goes into these: the name is cut first."""
        return labelled(self.name, self.sign, self.word, cells, ellipsis)


@dataclass(frozen=True, slots=True)
class Spot:
    """Something the cursor can stand on: a neighbour, the node itself, or a fold of `folded` neighbours."""

    key: str
    side: str
    """`up`, `this` or `down`."""
    row: int
    column: int
    cells: int
    folded: int = 0


@dataclass(frozen=True, slots=True)
class Map:
    """The drawn map: lines of equal width, and the spots from top to bottom, left to right."""

    lines: tuple[Line, ...]
    spots: tuple[Spot, ...]

    def spot(self, key: str) -> Spot | None:
        """Return a spot by its key."""
        return next((one for one in self.spots if one.key == key), None)

    def side(self, side: str) -> list[Spot]:
        """Return the spots of a side, from top to bottom."""
        return [one for one in self.spots if one.side == side]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a side: the leaf, or a fold of `count` of them: `kinds` as far as they are known, `bad` are those of them that are recalled or tainted."""

    key: str
    leaf: Leaf | None
    count: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    bad: Mapping[str, int] = field(default_factory=dict)


def labelled(name: str, sign: str, word: str, cells: int = 0, ellipsis: str = ELLIPSIS) -> str:
    """Return a name with the sign and the word about it before it.

    In `cells` (0: no bounds) a word that is not loud goes first, then the end of the name.
    """
    whole = " ".join(part for part in (sign, word, name) if part)
    if not cells or not sign or width(whole) <= cells:
        return fit(whole, cells, ellipsis) if cells else whole
    head = f"{sign} {word} " if word in LOUD else f"{sign} "
    if width(head) >= cells:
        return fit(head.strip(), cells, ellipsis)
    return head + fit(name, cells - width(head), ellipsis)


def more(count: int, kinds: Mapping[str, int], bad: Mapping[str, int], cells: int, ellipsis: str = ELLIPSIS) -> str:
    """Return what a fold stands for, as much as goes into `cells`: `… 283 more runs, 6 tainted`, `… 5 more (3 runs, 2 models)`."""
    said = "".join(f", {number:,} {word}" for word, number in bad.items() if number)
    known = {kind: number for kind, number in kinds.items() if number}
    least = f"{ellipsis} {count:,} more{said}"
    if not all(known) or not known:  # a hub's neighbours are not told apart
        return fit(least, cells, ellipsis)
    if known == {next(iter(known)): count}:
        whole = f"{ellipsis} {count:,} more {of_kind(count, next(iter(known))).partition(' ')[2]}{said}"
    else:
        named = [of_kind(number, kind) for kind, number in known.items()]
        whole = f"{ellipsis} {count:,} more ({', '.join(named)}){said}"
    return whole if width(whole) <= cells or not said else fit(least, cells, ellipsis)


def folded(
    leaves: Sequence[Leaf], total: int, room: int, side: str, folds: Mapping[str, int] = NONE, bad: Mapping[str, int] = NONE
) -> list[_Row]:  # fmt: skip
    """Return the rows of a side: all neighbours where they fit, else those to keep, the first of each kind in turn, and a fold.

    Args:
        leaves: the neighbours at hand, those to keep first.
        total: how many there are in all; more than `leaves` where the caller holds only a part.
        room: rows at hand, at least 1.
        side: `up` or `down`.
        folds: of what kinds those are that the caller does not hold, as far as is known.
        bad: how many of them are recalled, and how many tainted.
    """
    if total <= len(leaves) <= room:
        return [_Row(one.key, one) for one in leaves]
    kinds: dict[str, list[Leaf]] = {}
    shown: list[Leaf] = [one for one in leaves if one.keep][: room - 1]
    for one in leaves:
        if one not in shown:
            kinds.setdefault(one.kind, []).append(one)
    depth = 0
    while len(shown) < min(room - 1, len(leaves)):  # a few of each kind say more than many of one
        for group in kinds.values():
            if depth < len(group) and len(shown) < room - 1:
                shown.append(group[depth])
        depth += 1
    kept = {one.key for one in shown}
    hidden = [one for one in leaves if one.key not in kept]
    kinds_of = Counter(one.kind for one in hidden)
    kinds_of.update(folds)
    bad_of = Counter(dict.fromkeys(LOUD, 0))
    bad_of.update(one.word for one in hidden if one.word in LOUD)
    bad_of.update(bad)
    rows = [_Row(one.key, one) for one in leaves if one.key in kept]
    return [*rows, _Row(FOLDS[side], None, max(total, len(leaves)) - len(rows), kinds_of, bad_of)]


def draw(
    this: Leaf, ups: Sequence[Leaf], downs: Sequence[Leaf], *, cells: int, rows: int, chosen: str = THIS,
    ups_total: int = 0, downs_total: int = 0, plain: bool = False, ellipsis: str = ELLIPSIS, focused: bool = True,
    folds: Mapping[str, Mapping[str, int]] | None = None, bad: Mapping[str, Mapping[str, int]] | None = None,
) -> Map:  # fmt: skip
    """Draw the map in `cells` x `rows`; `chosen` is the key of the spot the cursor stands on.

    `folds` counts by side and kind what is not at hand, `bad` by side and word how many of these are recalled or tainted. A lesser sign of the node
    in the middle is left to the line above the map, which has its word.
    """
    if this.word not in LOUD:
        this = replace(this, sign="", word="", style="")
    folds, bad = folds or {}, bad or {}
    up_total, down_total = max(ups_total, len(ups)), max(downs_total, len(downs))
    if cells < COLUMNS_FROM:
        return _under_each_other(
            this, ups, downs, cells, rows, chosen, up_total, down_total, ellipsis, focused, folds, bad
        )
    cells = min(cells, WIDEST)
    room = max(1, rows - 1)
    left = folded(ups, up_total, room, "up", folds.get("up", NONE), bad.get("up", NONE))
    right = folded(downs, down_total, room, "down", folds.get("down", NONE), bad.get("down", NONE))
    return _beside_each_other(this, left, right, cells, chosen, _ASCII if plain else _UNICODE, ellipsis, focused)


def _styled(text: str, style: str, chosen: bool, focused: bool) -> tuple[str, str]:
    return (text, "chosen" if focused else "bold") if chosen else (text, style)


def _beside_each_other(
    this: Leaf, left: Sequence[_Row], right: Sequence[_Row], cells: int, chosen: str,
    signs: _Signs, ellipsis: str, focused: bool,
) -> Map:  # fmt: skip
    words = cells >= 100 and any(row.leaf and row.leaf.relation for row in (*left, *right))
    arm = _ARM + (9 if words else 0)
    middle = min(max(width(this.label()), width(this.kind)) + 4, max(24, cells // 4), 34)
    side = (cells - middle - 2 * arm - 2) // 2
    height = max(len(left), len(right), 1)
    here = (height - 1) // 2
    spots: list[Spot] = []
    heads = [
        (pad(" CAME FROM", side + 1 + arm), "title"),
        (pad("THIS", middle), "title"),
        (" " * arm + "USED BY", "title"),
    ]
    lines: list[Line] = [fit_line(heads, cells, ellipsis)]
    tops = {"up": (height - len(left)) // 2, "down": (height - len(right)) // 2}
    kinds = {name: _kind_cells(rows, side) for name, rows in (("up", left), ("down", right))}
    for at in range(height):
        line: Line = [(" ", "")]
        for name, rows in (("up", left), ("down", right)):
            own = at - tops[name]
            row = rows[own] if 0 <= own < len(rows) else None
            if name == "down":
                line += _middle(this, at == here, middle, chosen, bool(left), bool(right), signs, ellipsis, focused)
            start = line_width(line) + (arm if name == "down" else 0)
            if row is not None:
                label = _label(row, side, kinds[name], name, chosen, ellipsis, focused)
            else:
                none = NOTHING if at == here and not rows else ""
                label = [(pad(none if name == "up" else f" {none}", side, "<", ellipsis), "dim")]
            branch = _branch(row, own, len(rows), at == here, name, arm, words, signs)
            line += [*label, branch] if name == "up" else [branch, *label]
            if row is not None:
                spots.append(Spot(row.key, name, at + 1, start, side, row.count))
            if name == "up" and at == here:
                spots.append(Spot(THIS, THIS, at + 1, line_width(line), middle))
        lines.append(fit_line(line, cells, ellipsis))
    spots.sort(key=lambda one: (("up", THIS, "down").index(one.side), one.row))
    return Map(tuple(lines), tuple(spots))


def _kind_cells(rows: Sequence[_Row], cells: int) -> int:
    """Return the cells of a side's column of kinds: less than the widest of them where what is up with a node needs the room."""
    leaves = [row.leaf for row in rows if row.leaf]
    widest = min(_KIND_CELLS, max((width(one.kind) for one in leaves), default=0))
    loud = [width(f"{one.sign} {one.word} ") + min(width(one.name), _NAME_LEAST) for one in leaves if one.word in LOUD]
    return min(widest, max(_KIND_LEAST, cells - 2 - max(loud, default=0)))


def _middle(
    this: Leaf, here: bool, cells: int, chosen: str, left: bool, right: bool, signs: _Signs,
    ellipsis: str, focused: bool,
) -> Line:  # fmt: skip
    if not here:
        return [(" " * cells, "")]
    name = this.label(cells - 4, ellipsis)
    arm = _ARMS[signs is _ASCII]
    blank = cells - 4 - width(name)
    return [
        _styled(f"[ {name} ]", this.style or "bold", chosen == THIS, focused),
        ((arm if right else " ") * blank, "rule"),
    ]


def _label(
    row: _Row, cells: int, kind_cells: int, side: str, chosen: str, ellipsis: str, focused: bool
) -> Line:  # fmt: skip
    on = row.key == chosen
    if row.leaf is None:
        text = pad(more(row.count, row.kinds, row.bad, cells - 1, ellipsis), cells - 1)
        style = "bad" if any(row.bad.values()) else "dim"
        return [_styled(f"{text} " if side == "up" else f" {text}", style, on, focused)]
    style = row.leaf.style
    kind = pad(row.leaf.kind, kind_cells, "<", ellipsis)
    room = cells - width(kind) - 2
    if room < 8:
        name = pad(row.leaf.label(cells - 1, ellipsis), cells - 1)  # a blank between it and its branch
        return [_styled(f"{name} " if side == "up" else f" {name}", style, on, focused)]
    name = pad(row.leaf.label(room, ellipsis), room)
    if side == "up":
        return [_styled(f"{name} ", style, on, focused), _styled(f"{kind} ", "dim", on, focused)]
    return [_styled(f" {kind}", "dim", on, focused), _styled(f" {name}", style, on, focused)]


def _branch(
    row: _Row | None, own: int, count: int, here: bool, side: str, cells: int, words: bool,
    signs: _Signs,
) -> tuple[str, str]:  # fmt: skip
    if row is None:
        return (" " * cells, "")
    arm = _ARMS[signs is _ASCII]
    if count == 1:
        join = arm
    else:
        table = signs[f"{side} here" if here else side]
        join = table[0 if own == 0 else 2 if own == count - 1 else 1]
    word = row.leaf.relation if row.leaf is not None and words else ""
    inner = cells - 2
    said = f"{arm} {word} " if word else ""
    said += arm * (inner - width(said))
    said = fit(said, inner, arm)
    toward = arm if here else " "
    return (said + join + toward, "rule") if side == "up" else (toward + join + said, "rule")


def _under_each_other(
    this: Leaf, ups: Sequence[Leaf], downs: Sequence[Leaf], cells: int, rows: int, chosen: str, up_total: int,
    down_total: int, ellipsis: str, focused: bool, folds: Mapping[str, Mapping[str, int]],
    bad: Mapping[str, Mapping[str, int]],
) -> Map:  # fmt: skip
    room = max(2, rows - 3)  # two heads and the node
    half = max(1, room // 2)
    left_room = max(half, room - max(1, down_total)) if down_total < half else half
    left = folded(ups, up_total, max(1, left_room), "up", folds.get("up", NONE), bad.get("up", NONE))
    right = folded(downs, down_total, max(1, room - len(left)), "down", folds.get("down", NONE), bad.get("down", NONE))
    spots: list[Spot] = []
    lines: list[Line] = []

    def put(row: _Row, side: str) -> None:
        spots.append(Spot(row.key, side, len(lines), 2, cells - 2, row.count))
        kind = _KIND_CELLS if cells >= 36 else 0
        label = _label(row, cells - 2, kind, "down", chosen, ellipsis, focused)
        lines.append(fit_line([("  ", ""), *label], cells, ellipsis))

    lines.append(fit_line([(" CAME FROM" if left else " CAME FROM nothing recorded", "dim")], cells, ellipsis))
    for row in left:
        put(row, "up")
    spots.append(Spot(THIS, THIS, len(lines), 1, cells - 1))
    name = f"[ {this.label(max(1, cells - 6), ellipsis)} ]"
    lines.append(fit_line([(" ", ""), _styled(name, this.style or "bold", chosen == THIS, focused)], cells, ellipsis))
    lines.append(fit_line([(" USED BY" if right else " USED BY nothing recorded", "dim")], cells, ellipsis))
    for row in right:
        put(row, "down")
    return Map(tuple(lines), tuple(spots))
