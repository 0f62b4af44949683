"""A layered graph as cells: labels in columns, lines between them that can be followed with a finger.

A line belongs to one source, or to sources that lead to exactly the same ends; it turns on a track of its own and splits for nobody else. Where it
meets a sign that has no arm towards it, it passes under it: `─│─` is a crossing, `├` is always a branch of the line that comes from there. So every
branch that is drawn is an edge, and the reverse.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import LOUD, Spot, labelled, more
from carnet_tui.layers import Layers, arrange
from carnet_tui.layers_lines import Net, befores, nets
from carnet_tui.text import ELLIPSIS, Line, clean, cut, fit, pad, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from carnet_store import EntityRow, Focus

WIDEST = 32
"""Cells of a label at most; the facts beside the picture have all of it."""
Marks = Mapping[str, tuple[str, str, str]]
"""What is up with nodes, by id: (sign, word, style)."""
NO_MARK = ("", "", "")
NO_MARKS: Marks = {}
NO_COUNTS: Mapping[str, Mapping[str, int]] = {}
_N, _E, _S, _W = 1, 2, 4, 8
_SIGNS = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
_ASCII = "".join(
    " " if not arms else "|" if not arms & (_E | _W) else "-" if not arms & (_N | _S) else "+" for arms in range(16)
)


@dataclass(frozen=True, slots=True)
class Box:
    """What stands at a node: its key, kind and name (cleaned), `side` (`up`, `this`, `down`), how many nodes it folds, its style."""

    key: str
    kind: str
    name: str
    side: str = "this"
    folded: int = 0
    style: str = ""


@dataclass(frozen=True, slots=True)
class _Gutter:
    """The cells between two columns: where it begins, how wide it is, the arms of its signs for each line that has any."""

    start: int
    cells: int
    signs: Mapping[int, Sequence[int]]


class Picture:
    """A drawn graph. Frames of it are cut out as a window moves over it; nothing is laid out again for that."""

    def __init__(self, made: Layers, boxes: Sequence[Box], *, plain: bool = False, ellipsis: str = ELLIPSIS) -> None:
        """Draw `made`; `boxes` are its nodes in order, `plain` asks for ASCII."""
        self.plain = plain
        self.ellipsis = ellipsis
        self._signs = _ASCII if plain else _SIGNS
        self._boxes = boxes
        self._made = made
        self._labels = [self._label(box) for box in boxes]
        self._at: list[dict[int, int]] = [{made.row[v]: v for v in one} for one in made.order]
        self._columns: list[tuple[int, int]] = []
        self._gutters: list[_Gutter] = []
        x = 0
        for column, one in enumerate(made.order):
            cells = max((width(text) + 2 for v in one if v < made.nodes for text in self._labels[v : v + 1]), default=1)
            self._columns.append((x, cells))
            x += cells
            if column < len(made.order) - 1:
                gutter = _gutter(made, column, x)
                self._gutters.append(gutter)
                x += gutter.cells
        self.width = x
        self.height = made.height
        self.spots = tuple(
            Spot(
                box.key, box.side, made.row[v], self._columns[made.layer[v]][0], width(self._labels[v]) + 2, box.folded
            )
            for v, box in sorted(enumerate(boxes), key=lambda pair: (made.layer[pair[0]], made.row[pair[0]]))
        )

    def _label(self, box: Box) -> str:
        return fit(_kind_of(box) + box.name, WIDEST, self.ellipsis)

    def spot(self, key: str) -> Spot | None:
        """Return where a node stands in the whole picture."""
        return next((one for one in self.spots if one.key == key), None)

    def window(self, key: str, cells: int, rows: int, x: int = 0, y: int = 0) -> tuple[int, int]:
        """Return the corner of a window that shows a node, moved as little as possible from (x, y)."""
        spot = self.spot(key)
        if spot is not None:
            x = min(x, spot.column) if spot.column < x else max(x, spot.column + min(spot.cells, cells) - cells)
            y = min(y, spot.row) if spot.row < y else max(y, spot.row + 1 - rows)
        return max(0, min(x, self.width - cells)), max(0, min(y, self.height - rows))

    def beyond(self, x: int, y: int, cells: int, rows: int) -> tuple[int, int, int, int]:
        """Return how many boxes a window does not show whole: above it, below, to the left, to the right."""
        above = below = left = right = 0
        for spot in self.spots:
            above += spot.row < y
            below += spot.row >= y + rows
            left += spot.column + 1 < x
            right += spot.column + spot.cells - 1 > x + cells
        return above, below, left, right

    def frame(
        self, x: int, y: int, cells: int, rows: int, *, chosen: str = "", bold: Collection[str] = (), focused: bool = True
    ) -> list[Line]:  # fmt: skip
        """Return the lines of a window: `cells` x `rows` from the corner (x, y); `chosen` is the node under the cursor."""
        return [self._cut(self._line(line, x, cells, chosen, bold, focused), x, cells) for line in range(y, y + rows)]

    def _line(
        self, line: int, x: int, cells: int, chosen: str, bold: Collection[str], focused: bool
    ) -> list[tuple[int, str, str]]:
        """Return the pieces of a line that reach into the window: (where it begins, text, style)."""
        made, found = self._made, []
        for column, (start, wide) in enumerate(self._columns):
            if start >= x + cells:
                break
            gutter = self._gutters[column] if column < len(self._gutters) else None
            if start + wide + (gutter.cells if gutter else 0) <= x:
                continue
            vertex = self._at[column].get(line)
            rule = self._signs[_E | _W]
            if vertex is None:
                found.append((start, " " * wide, ""))
            elif vertex >= made.nodes:
                found.append((start, rule * wide, "rule"))
            else:
                label = _announced(self._labels[vertex], x - start - 1, x - start - 1 + cells, self.ellipsis)
                found += self._shown(vertex, label, start, wide, rule, chosen, bold, focused)
            if gutter is not None:
                arms = gutter.signs.get(line)
                text = "".join(map(self._signs.__getitem__, arms)) if arms else " " * gutter.cells
                found.append((gutter.start, text, "rule"))
        return found

    def _shown(
        self, vertex: int, label: str, start: int, wide: int, rule: str, chosen: str, bold: Collection[str], focused: bool
    ) -> list[tuple[int, str, str]]:  # fmt: skip
        box = self._boxes[vertex]
        end = start + width(label) + 2
        tail = (end, (rule if self._made.down[vertex] else " ") * (start + wide - end), "rule")
        if box.key == chosen:
            return [(start, f" {label} ", "chosen" if focused else "bold"), tail]
        style = box.style or ("dim" if box.folded else "bold" if box.key in bold else "")
        kind = width(_kind_of(box))
        return [
            (start, f" {pad(cut(label, kind), min(kind, width(label)))}", "dim"),
            (start + 1 + kind, f"{_without(label, kind)} ", style),
            tail,
        ]

    def _cut(self, pieces: Sequence[tuple[int, str, str]], x: int, cells: int) -> Line:
        """Cut the pieces of a line to a window; half of a wide sign at its edge is a blank."""
        line: Line = []
        left = cells
        for start, text, style in pieces:
            if start < x:
                text = _without(text, x - start)
            size = width(text)
            if size > left:
                text = pad(text, left, "<", "")
                size = left
            if size:
                line.append((text, style))
                left -= size
        if left:
            line.append((" " * left, ""))
        return line


def _kind_of(box: Box) -> str:
    """Return the kind as it stands before a name; a fold's is part of what it says."""
    return f"{box.kind} " if box.kind and not box.folded else ""


def _announced(label: str, start: int, end: int, ellipsis: str) -> str:
    """Return a label in the same cells where a window shows those from `start` to `end`: what lies beyond them is announced within them."""
    size = width(label)
    if 0 < start < size:
        shown = cut(ellipsis, size - start)
        label = pad(cut(label, start), start) + shown + _without(label, start + width(shown))
    if 0 < end < size:
        shown = cut(ellipsis, end)
        label = pad(cut(label, end - width(shown)), end - width(shown)) + shown + " " * (size - end)
    return label


def _without(text: str, cells: int) -> str:
    """Return a text without its first cells."""
    if text.isascii():
        return text[cells:]
    for at, char in enumerate(text):
        if cells <= 0:
            return text[at:] if not cells else " " + text[at:]
        cells -= width(char)
    return " " * -cells


# --- lines between columns ------------------------------------------------------------------------------------------


def tracks(found: Sequence[Net]) -> dict[int, int]:
    """Return the track on which each net turns, by its number: as far left as what must turn before it allows, none on another's way."""
    waits = befores(found)
    left = sorted((at for at, net in enumerate(found) if net.turns), key=lambda at: (found[at].low, found[at].high, at))
    made: dict[int, int] = {}
    busy: list[list[Net]] = []
    while left:
        ready = [at for at in left if all(other in made for other in waits[at])]
        if not ready:  # layers are moved apart so that this does not happen
            raise ValueError("two nets stand in each other's way")
        for at in ready:
            net = found[at]
            track = max((made[other] + 1 for other in waits[at]), default=0)
            while track < len(busy) and any(net.low <= one.high and one.low <= net.high for one in busy[track]):
                track += 1
            while track >= len(busy):
                busy.append([])
            busy[track].append(net)
            made[at] = track
        left = [at for at in left if at not in made]
    return made


def _gutter(made: Layers, column: int, start: int) -> _Gutter:
    """Draw what leads from a column to the next."""
    found = nets(made, column)
    turns = tracks(found)
    cells = max(turns.values(), default=-1) + 3
    signs: dict[int, list[int]] = {}
    for net in found:
        for line in range(net.low, net.high + 1):
            signs.setdefault(line, [0] * cells)
    for at, track in turns.items():
        net = found[at]
        for line in range(net.low, net.high + 1):
            arms = (_N if line > net.low else 0) | (_S if line < net.high else 0)
            arms |= (_W if line in net.starts else 0) | (_E if line in net.ends else 0)
            signs[line][track + 1] = arms
    for at, net in enumerate(found):
        turn = turns[at] + 1 if at in turns else cells
        for line in net.starts:
            _run(signs[line], 0, turn)
        for line in net.ends if at in turns else ():
            _run(signs[line], turn + 1, cells)
    return _Gutter(start, cells, signs)


def _run(arms: list[int], start: int, end: int) -> None:
    """Draw a level line; where another one's turn stands in its way it passes under it."""
    for at in range(start, end):
        arms[at] = arms[at] or _E | _W


# --- the focus ------------------------------------------------------------------------------------------------------


def of_focus(
    focus: Focus, *, plain: bool = False, ellipsis: str = ELLIPSIS, marks: Marks = NO_MARKS,
    bad: Mapping[str, Mapping[str, int]] = NO_COUNTS,
) -> Picture:  # fmt: skip
    """Return the picture of a focus: keys are ids, a fold stands as a box of its own with the key `fold SIDE KIND PARENT`.

    An edge that closes a cycle is not drawn from right to left; both its ends carry a sign, with its word where there is room. `bad` says by the key
    of a fold how many it stands for are recalled or tainted.
    """
    cycle = Glyphs(plain).state("cycle")
    closing = {end for link in focus.links if link.back for end in (link.src, link.dst)}
    boxes = [
        Box(
            one.row.id, clean(one.row.kind),
            _named(one.row, marks.get(one.row.id, NO_MARK), cycle if one.row.id in closing else None, ellipsis),
            "up" if one.hops < 0 else "down" if one.hops else "this", 0, marks.get(one.row.id, NO_MARK)[2],
        )
        for one in focus.nodes
    ]  # fmt: skip
    number = {box.key: at for at, box in enumerate(boxes)}
    edges = [(number[link.first], number[link.last]) for link in focus.links if not link.back]
    for fold in focus.folds:
        at, parent = len(boxes), number[fold.parent]
        key = f"fold {fold.side} {fold.kind} {fold.parent}"
        counts = bad.get(key, {})
        words = more(fold.count, {fold.kind: fold.count}, counts, WIDEST, ellipsis)
        boxes.append(Box(key, fold.kind, words, fold.side, fold.count, "bad" if any(counts.values()) else ""))
        edges.append((at, parent) if fold.side == "up" else (parent, at))
    return Picture(arrange(len(boxes), edges), boxes, plain=plain, ellipsis=ellipsis)


def _named(row: EntityRow, mark: tuple[str, str, str], cycle: tuple[str, str, str] | None, ellipsis: str) -> str:
    """Return a node's name with what is up with it, words where there is room for them."""
    (sign, word, _), name = mark, clean(row.title)
    room, tail = WIDEST - width(clean(row.kind)) - 1, ""
    if cycle is not None:
        head = labelled("", sign, word if word in LOUD else "")
        tail = f" {cycle[0]} {cycle[1]}"
        if width(head) + 1 + width(name) + width(tail) > room:
            tail = f" {cycle[0]}"
    return labelled(name, sign, word, max(1, room - width(tail)), ellipsis) + tail
