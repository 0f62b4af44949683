"""The lineage with the nodes of one kind stepped over: what went into a run is tied to what came of it, and the run names the edge.

What is shown is the set of `2+NODE+2 not kind:run`: hops are counted with the nodes that are stepped over. One that leads nowhere within the set is in
no answer, because it was left out on purpose; everything else that is not drawn is counted in a fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from carnet_store.domain import paths
from carnet_store.storage.arrays import CODES, KINDS
from carnet_store.storage.focusing import Focus, FocusNode, Fold
from carnet_store.storage.graph_values import Link, TreeLine

if TYPE_CHECKING:
    from carnet_store.storage.graph import Graph

RELATION: Final = "from"
"""What ties the ends of an edge that stands for what was stepped over."""


@dataclass(slots=True)
class Tied:
    """How a neighbour hangs on a node: by an edge of the record (`direct`), by those that were stepped over, or both; `back`: a cycle closes there."""

    direct: bool = False
    via: dict[int, None] = field(default_factory=dict)
    back: bool = False


class Stepping:
    """One side of the graph within a set, as `paths.tree` follows it; nodes of a kind are stepped over, the centre never is."""

    def __init__(self, graph: Graph, inside: Collection[int], kind: str, centre: int, *, up: bool) -> None:
        """Follow what lies before the nodes (`up`), or after them."""
        held = graph.arrays
        self._inside = paths.marks(held.nodes, inside)
        self._side = held.up if up else held.down
        self._up = up
        self._kinds, self._code, self._centre = held.kinds, CODES[kind], centre
        self._times = held.times
        self._back = graph.back

    def of(self, node: int) -> list[int]:
        """Return a node's neighbours, newest first."""
        return sorted(self.near(node), key=lambda no: (-self._times[no], -no))

    def near(self, node: int) -> dict[int, Tied]:
        """Return a node's neighbours, and how each hangs on it: of several in a row that are stepped over, the one next to the later end is named."""
        found: dict[int, Tied] = {}
        seen = {node}
        walk: list[tuple[int, int, bool]] = [(node, -1, False)]
        for at, first, closes in walk:
            for other in self._side.of(at):
                if not self._inside[other]:
                    continue
                back = closes or ((other, at) if self._up else (at, other)) in self._back
                if self._kinds[other] == self._code and other != self._centre:
                    if other not in seen:
                        seen.add(other)
                        walk.append((other, other if first < 0 else first, back))
                elif at == node or other != node:
                    tied = found.setdefault(other, Tied())
                    tied.back = tied.back or back
                    if at == node:
                        tied.direct = True
                    else:
                        tied.via[first if self._up else at] = None
        return found


def focus(
    graph: Graph, entity: str, up: int, down: int, *, kind: str, fan: int, limit: int, keep: Collection[str]
) -> Focus:
    """Return a node with what lies around it, as `focusing.focus` does, the nodes of a kind stepped over.

    Raises:
        NotFound: there is no such node.
    """
    centre = graph.number(entity)
    kept = {no for no in map(graph.find, keep) if no is not None}
    kinds = graph.arrays.kinds
    shown, whole = {centre: 0}, {centre}
    folds: list[tuple[int, str, str, int]] = []
    for side, sign, hops in (("up", -1, up), ("down", 1, down)):
        inside = graph.reach([centre], *((hops, 0) if side == "up" else (0, hops)))
        whole |= inside
        near = Stepping(graph, inside, kind, centre, up=side == "up")
        asked: dict[int, list[int]] = {}
        frontier, met, hop = [centre], {centre}, 0
        while frontier:
            further: list[int] = []
            hop += 1
            for node in frontier:
                asked[node] = near.of(node)
                of_kind: Counter[int] = Counter()
                for no in asked[node]:
                    of_kind[kinds[no]] += 1
                    if no not in shown and len(shown) < limit and (of_kind[kinds[no]] <= fan or no in kept):
                        shown[no] = sign * hop
                    if no in shown and no not in met:  # in a cycle a node lies on both sides, and is followed on both
                        met.add(no)
                        further.append(no)
            frontier = further
        for node, others in asked.items():
            rest = Counter(KINDS[kinds[no]] for no in others if no not in shown)
            folds += [(node, side, name, count) for name, count in sorted(rest.items())]
    rows = dict(zip(shown, graph.rows(list(shown)), strict=True))
    links, via = list(graph.links(shown.keys())), dict[int, None]()
    over = Stepping(graph, whole, kind, centre, up=True)
    for node in shown:
        for other, tied in over.near(node).items():
            if other in shown and tied.via:
                via |= tied.via
                for row in graph.rows(list(tied.via)):
                    links.append(Link(rows[node].id, RELATION, rows[other].id, tied.back and not tied.direct, row.id))
    order = sorted(shown, key=lambda no: (abs(shown[no]) * 2 + (shown[no] > 0)) if shown[no] else -1)
    return Focus(
        entity, tuple(FocusNode(rows[no], shown[no]) for no in order), tuple(links),
        tuple(Fold(rows[node].id, side, name, count) for node, side, name, count in folds), tuple(graph.rows(list(via))),
    )  # fmt: skip


def tree(graph: Graph, entity: str, *, up: bool, hops: int, kind: str, limit: int) -> list[TreeLine]:
    """Return what a node comes from (or what came of it) as lines, the nodes of a kind stepped over: see `Graph.tree`.

    Raises:
        NotFound: there is no such node.
    """
    centre = graph.number(entity)
    kinds, times = graph.arrays.kinds, graph.arrays.times
    inside = graph.reach([centre], *((hops, 0) if up else (0, hops)))
    near = Stepping(graph, inside, kind, centre, up=up)
    branches = paths.tree(near, [centre], limit=limit, order=lambda no: (kinds[no], -times[no], -no))
    numbers = list(dict.fromkeys(branch.node for branch in branches))
    tied = {no: near.near(no) for no in dict.fromkeys(branches[one.parent].node for one in branches if one.parent >= 0)}
    shown = [tied[branches[one.parent].node][one.node] for one in branches if one.parent >= 0]
    named = list(dict.fromkeys(no for how in shown for no in how.via))
    rows = dict(zip((*numbers, *named), graph.rows([*numbers, *named]), strict=True))
    relations = graph.relations(numbers)
    found = []
    for branch in branches:
        relation, how = "", Tied()
        if branch.parent >= 0:
            above = branches[branch.parent].node
            how = tied[above][branch.node]
            first, last = (branch.node, above) if up else (above, branch.node)
            relation = (relations.get((rows[first].id, rows[last].id), "") if how.direct else "") or RELATION
        found.append(
            TreeLine(
                rows[branch.node], relation, branch.depth, branch.parent, branch.last, branch.seen, branch.more, how.back,
                tuple(rows[no] for no in how.via),
            )
        )  # fmt: skip
    return found
