"""A lineage as a tree of lines: each node is expanded once, at its shallowest place; a later mention points to the line where that is.

A tree grows as it is opened: what lies under a line is asked of the graph (which is not done here) and put in. So it costs what is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, width
from carnet_tui.views.lineage_asked import RUN, Around, Asked, numbers
from carnet_tui.views.lineage_rows import counts

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project, TreeLine

WORDS = {
    "up": {"used": "used", "made": "made by", "from": "comes from"},
    "down": {"used": "used by", "made": "made", "from": "base of"},
}
"""Side -> relation -> what stands before the node on a line."""
ROOT = ""
NAMED: Final = 2
"""Runs that a line names as what its edge stands for; the others are counted, the facts have all of them."""
ROOMY: Final = 60
"""Cells of a line from which on a depth that has no room for its rails is told in a word."""


@dataclass(frozen=True, slots=True)
class Child:
    """What stands under a node: the relation to it, whether the edge closes a cycle, and the names (cleaned) of the runs that it stands for."""

    row: EntityRow
    relation: str
    back: bool
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line. `key` is None for a head, which has only `head`; `seen` is the number of the line where the node is expanded, 0 where that is here.

    The last line of a set that has more nodes than lines has a key and a `head`, and no node: `is_rest`.
    """

    key: str | None
    side: str = "up"
    row: EntityRow | None = None
    relation: str = ""
    rails: tuple[bool, ...] = ()
    last: bool = True
    number: int = 0
    seen: int = 0
    more: int = 0
    back: bool = False
    opened: bool = False
    head: str = ""
    via: tuple[str, ...] = ()

    @property
    def is_rest(self) -> bool:
        """Whether it stands for what of a set has no line yet."""
        return self.key is not None and self.row is None

    @property
    def depth(self) -> int:
        """How many hops it is from the root."""
        return len(self.rails)


@dataclass(slots=True)
class Side:
    """One direction of a tree: what is known so far of what lies under each node.

    Attributes:
        name: `up` or `down`.
        roots: the nodes it begins with.
        near: node -> what is shown under it.
        total: node -> how many neighbours it has on this side.
        closed: nodes whose lines are folded away.
        bare: whether the roots have no lines of their own, because the other side shows them.
        kinds: how many nodes of each kind it has in all, where that is not what lies before or after the node in the whole record.
        whole: of a set, how many nodes it has; 0 for the tree of a node.
    """

    name: str
    roots: list[EntityRow]
    near: dict[str, list[Child]] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    bare: bool = False
    kinds: Mapping[str, int] | None = None
    whole: int = 0

    def put(self, lines: Sequence[TreeLine]) -> None:
        """Take in lines of the graph: what stands under a node there stands under it here."""
        fresh: dict[str, list[Child]] = {}
        for line in lines:
            if line.parent >= 0:
                via = tuple(clean(row.title) for row in line.via)
                fresh.setdefault(lines[line.parent].row.id, []).append(Child(line.row, line.relation, line.back, via))
        for line in lines:
            if line.seen < 0:
                entity, shown = line.row.id, fresh.get(line.row.id, [])
                if len(shown) >= len(self.near.get(entity, ())):
                    self.near[entity] = shown
                self.total[entity] = max(len(shown) + line.more, self.total.get(entity, 0))

    def hidden(self, entity: str) -> int:
        """Return how many neighbours of a node are not shown under it."""
        shown = 0 if entity in self.closed else len(self.near.get(entity, ()))
        return self.total.get(entity, shown) - shown

    def owners(self) -> dict[str, str]:
        """Return under which node each is expanded: the one through which it is nearest to a root, the first such."""
        owner = {row.id: ROOT for row in self.roots}
        level = list(owner)
        while level:
            further = []
            for entity in level:
                for child in () if entity in self.closed else self.near.get(entity, ()):
                    if child.row.id not in owner:
                        owner[child.row.id] = entity
                        further.append(child.row.id)
            level = further
        return owner


def rows(sides: Sequence[Side]) -> list[TreeRow]:
    """Return the lines of a tree's sides, one after the other, each under a head; lines count from 1, heads do not."""
    out: list[TreeRow] = []
    count = 0
    for side in sides:
        out.append(TreeRow(None, side.name, head=headline(side, None)))
        made = _lines(side, count)
        count += len(made)
        out += made
        told = sum(not row.seen for row in made)
        if told < side.whole:
            said = f"{told:,} of {side.whole:,} nodes shown; right shows more"
            out.append(TreeRow(f"rest {side.name}", side.name, more=side.whole - told, head=said))
    return out


def _lines(side: Side, before: int) -> list[TreeRow]:
    owner = side.owners()
    number_of: dict[str, int] = {}
    out: list[TreeRow] = []
    stack: list[tuple[Child, str, tuple[bool, ...], bool]] = []

    def under(entity: str, rails: tuple[bool, ...]) -> None:
        children = () if entity in side.closed else side.near.get(entity, ())
        for at in range(len(children) - 1, -1, -1):
            stack.append((children[at], entity, rails, at == len(children) - 1))

    if side.bare:
        for root in reversed(side.roots):
            under(root.id, (False,))
    else:
        stack = [(Child(row, "", False), ROOT, (), True) for row in reversed(side.roots)]
    while stack:
        child, parent, rails, last = stack.pop()
        entity = child.row.id
        number = before + len(out) + 1
        mine = owner[entity] == parent and entity not in number_of
        if mine:
            number_of[entity] = number
            under(entity, (*rails, not last))
        out.append(
            TreeRow(
                f"{side.name} {parent} {entity}", side.name, child.row, child.relation, rails, last, number, 0 if mine else -1,
                side.hidden(entity) if mine else 0, child.back, mine and bool(side.near.get(entity)) and entity not in side.closed,
                via=child.via,
            )
        )  # fmt: skip
    return [_pointed(one, number_of) if one.seen else one for one in out]


def _pointed(one: TreeRow, number_of: dict[str, int]) -> TreeRow:
    # The roots of a bare side have no line: the head above says where they are.
    return replace(one, seen=number_of.get(one.row.id, 0) if one.row is not None else 0)


def read(project: Project, asked: Asked, limit: int) -> list[Side]:
    """Return the sides of what is asked for, at most `limit` lines each: of a node both, of a set one tree within it; on the store's thread."""
    graph = project.graph
    if not isinstance(asked, Around):
        found = numbers(graph, asked)
        lines = graph.forest(found, limit=limit)
        side = Side("up", [one.row for one in lines if not one.depth], whole=len(found))
        side.put(lines)
        return [side] if found else []
    no = graph.find(asked.entity)
    if no is None or not graph.lineage({no}):
        return []
    sides: list[Side] = []
    for name, hops in (("up", asked.up), ("down", asked.down)):
        if hops or (name == "down" and not sides):
            side = Side(name, [project.row(asked.entity)], bare=bool(sides))
            without = "" if asked.runs else RUN
            side.put(graph.tree(asked.entity, up=name == "up", hops=hops, limit=limit, without=without) if hops else ())
            if without:
                kinds = graph.by_kind(graph.reach([no], *((hops, 0) if name == "up" else (0, hops))) - {no})
                side.kinds = {kind: count for kind, count in kinds.items() if kind != without}
            sides.append(side)
    return sides


def opened(project: Project, side: Side, entity: str, most: int) -> list[TreeLine]:
    """Return what lies under a node, `most` lines of it beyond those that are known; on the store's thread."""
    known = len(side.near.get(entity, ()))
    return project.graph.tree(entity, up=side.name == "up", hops=1, limit=1 + known + most)


# --- a line as cells --------------------------------------------------------------------------------------------------


def line(one: TreeRow, cells: int, glyphs: Glyphs, mark: tuple[str, str, str] = ("", "", ""), digits: int = 0) -> Line:
    """Return a line; `mark` is what is up with its node, `digits` the width of line numbers (0: they are not shown)."""
    right: Line = [(text, style) for text, style in (mark_of(one, glyphs),) if text]
    if one.row is None:
        return both_ends([(one.head, "dim" if one.is_rest else "title")], right, cells, glyphs.ellipsis)
    out: Line = [(f"{one.number:>{digits}} ", "dim")] if digits else []
    out.append((_branch(one, cells, glyphs), "rule"))
    words = (
        ", ".join(WORDS[one.side].get(part, clean(part)) for part in one.relation.split(", ")) if one.relation else ""
    )
    out.append((f"{words} " if words else "", "dim"))
    out.append((f"{clean(one.row.kind)} ", "dim"))
    sign, word, style = mark
    out.append((" ".join(part for part in (sign, word, clean(one.row.title)) if part), style if sign else ""))
    if one.back:
        cycle, said, bad = glyphs.state("cycle")
        out.append((f"  {cycle} {said}", bad))
    if one.via:
        rest = len(one.via) - NAMED
        out.append((f"  by {', '.join(one.via[:NAMED])}{f' and {rest:,} more' if rest > 0 else ''}", "dim"))
    return both_ends(out, right, cells, glyphs.ellipsis)


def mark_of(one: TreeRow, glyphs: Glyphs) -> tuple[str, str]:
    """Return (text, style) of what stands at the end of a line and can be clicked: where a node is expanded, or how much is not shown; empty for nothing."""
    if one.seen:
        arrow = glyphs["up arrow" if one.seen < one.number else "down arrow"]
        return f"  {arrow} line {one.seen} ", "accent"
    if one.more:
        return f"  {glyphs.ellipsis} {one.more:,} more {glyphs['right']} ", "dim"
    return "", ""


def _branch(one: TreeRow, cells: int, glyphs: Glyphs) -> str:
    if not one.rails:
        return ""
    bar, tee, end = ("| ", "|-", "`-") if glyphs.plain else ("│ ", "├─", "└─")
    rails = one.rails[1:]
    before = ""
    if is_deep(one, cells):  # the depth in figures, and the last rails
        before = f"{one.depth:,} deep {glyphs.ellipsis} " if cells >= ROOMY else f"{one.depth}{glyphs.ellipsis}"
        rails = rails[-max(1, _rails(cells) - (width(before) + 1) // 2) :]
    return before + "".join(bar if follows else "  " for follows in rails) + (end if one.last else tee) + " "


def _rails(cells: int) -> int:
    """Return how many rails a line of so many cells has room for."""
    return max(2, cells // 6)


def is_deep(one: TreeRow, cells: int) -> bool:
    """Say whether a line is deeper than there is room for its rails."""
    return len(one.rails) - 1 > _rails(cells)


def headline(side: Side, kinds: Mapping[str, int] | None) -> str:
    """Return the head over a side: `COMES FROM  41 nodes (12 datasets, 29 runs)`; a set's nodes are those that stand above all of it."""
    title = "COMES FROM" if side.name == "up" else "CAME OF IT"
    if side.whole:
        return f"{title}  within the selection"
    kinds = kinds if side.kinds is None else side.kinds
    if kinds is None:
        return title
    return f"{title}  {counts(kinds, 4) if any(kinds.values()) else 'nothing recorded'}"
