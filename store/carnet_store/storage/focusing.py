"""The focus: a node with what lies a few hops around it, read straight from the tables; many siblings are folded, and counted.

What is shown never hides how much is not: a fold says how many neighbours of which kind it stands for, and every edge among the shown nodes is there.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carnet_store.domain import paths
from carnet_store.storage import arrays as arrays_of
from carnet_store.storage.arrays import KINDS
from carnet_store.storage.graph import HUB, OTHER
from carnet_store.storage.graph_values import Link
from carnet_store.storage.project import EntityRow

if TYPE_CHECKING:
    from carnet_store.storage.graph import Graph


@dataclass(frozen=True, slots=True)
class FocusNode:
    """A shown node; `hops` is below 0 for what the centre comes from, above 0 for what came of it."""

    row: EntityRow
    hops: int


@dataclass(frozen=True, slots=True)
class Fold:
    """Neighbours of `parent` on one side (`up` or `down`) that are not shown: `count` of them, of one kind.

    The kind is empty where a hub has so many that they were not told apart.
    """

    parent: str
    side: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Focus:
    """A node with its neighbourhood.

    Attributes:
        centre: its id.
        nodes: the centre first, then what it comes from by hops, then what came of it; siblings newest first.
        links: every edge among the nodes.
        folds: what is not shown, by the shown node it is next to.
        via: what was stepped over and names a link: see `storage.stepping`.
    """

    centre: str
    nodes: tuple[FocusNode, ...]
    links: tuple[Link, ...]
    folds: tuple[Fold, ...]
    via: tuple[EntityRow, ...] = ()

    def hidden(self, parent: str, side: str) -> int:
        """Return how many neighbours of a shown node are folded on a side."""
        return sum(fold.count for fold in self.folds if (fold.parent, fold.side) == (parent, side))


@dataclass(slots=True)
class _Near:
    """What is next to one node on one side: the newest as (number, kind, time), how many there are, and all of them unless it is a hub."""

    newest: list[tuple[int, str, int]]
    total: int
    hub: bool


def focus(
    graph: Graph, entity: str, up: int = 1, down: int = 1, *, fan: int = 10, limit: int = 120, keep: Collection[str] = ()
) -> Focus:  # fmt: skip
    """Return a node with what lies `up` hops before and `down` hops after it.

    Args:
        graph: what to ask.
        entity: the centre.
        up: hops towards what it comes from; 0 shows none of it.
        down: hops towards what came of it.
        fan: siblings of one kind under one node that are shown, the newest; the rest is folded.
        limit: nodes shown at most.
        keep: ids that are shown wherever they are met, however many siblings they have.

    Raises:
        NotFound: there is no such node.
    """
    centre = graph.number(entity)
    kept = {no for no in map(graph.find, keep) if no is not None}
    shown = {centre: 0}
    asked: dict[tuple[int, str], _Near] = {}
    for side, sign, hops in (("up", -1, up), ("down", 1, down)):
        frontier = [centre]
        met = {centre}  # in a cycle a node lies on both sides, and is followed on both
        for hop in range(1, hops + 1):
            further: list[int] = []
            for node, near in zip(frontier, _around(graph, frontier, side), strict=True):
                asked[node, side] = near
                for no in _chosen(near, fan, kept):
                    if no not in shown and len(shown) < limit:
                        shown[no] = sign * hop
                    if no in shown and no not in met:
                        met.add(no)
                        further.append(no)
            frontier = further
            if not frontier:
                break
    rows = dict(zip(shown, graph.rows(list(shown)), strict=True))
    links = _links(graph, shown)
    folds = [
        Fold(rows[node].id, side, kind, count)
        for (node, side), near in asked.items()
        for kind, count in _folded(graph, node, side, near, shown)
    ]
    order = sorted(shown, key=lambda no: (abs(shown[no]) * 2 + (shown[no] > 0)) if shown[no] else -1)
    return Focus(entity, tuple(FocusNode(rows[no], shown[no]) for no in order), tuple(links), tuple(folds))


def _around(graph: Graph, nodes: Sequence[int], side: str) -> list[_Near]:
    """Return what is next to each node on a side."""
    rel = arrays_of.relations(graph.db)
    back, forth = ("src", "dst") if side == "up" else ("dst", "src")
    # The names of the columns are this module's own; what is asked for goes in as values.
    mine = f"SELECT 1 FROM edge WHERE {back} = :node AND rel IN (:used, :from) LIMIT :most"  # noqa: S608
    made = f"SELECT 1 FROM edge WHERE {forth} = :node AND rel = :made LIMIT :most"  # noqa: S608
    probe = f"SELECT (SELECT count(*) FROM ({mine})) + (SELECT count(*) FROM ({made}))"  # noqa: S608
    names = (rel["used"], rel["from"], rel["made"])
    ask = {"used": rel["used"], "from": rel["from"], "made": rel["made"], "most": HUB + 1}
    hubs = {no for no in nodes if graph.db.execute(probe, {**ask, "node": no}).fetchone()[0] > HUB}
    plain = [no for no in nodes if no not in hubs]
    near: dict[int, dict[int, tuple[int, str, int]]] = {no: {} for no in plain}
    some = f"json_each(:nodes) j CROSS JOIN edge g ON g.{back} = j.value AND g.rel IN (:used, :from)"
    more = f"json_each(:nodes) j CROSS JOIN edge g ON g.{forth} = j.value AND g.rel = :made"
    both = f"SELECT j.value AS no, g.{forth} AS other FROM {some} UNION SELECT j.value, g.{back} FROM {more}"  # noqa: S608
    sql = f"SELECT n.no, n.other, e.kind, e.t FROM ({both}) n CROSS JOIN entity e ON e.no = n.other"  # noqa: S608
    for no, other, kind, t in graph.db.execute(sql, {**ask, "nodes": json.dumps(plain)}):
        near[no][other] = (other, kind, t)
    found = []
    for no in nodes:
        if no in hubs:
            found.append(_hub(graph, no, side, names))
        else:
            newest = sorted(near[no].values(), key=lambda one: (-one[2], -one[0]))
            found.append(_Near(newest, len(newest), hub=False))
    return found


def _hub(graph: Graph, no: int, side: str, names: tuple[int, int, int]) -> _Near:
    """Return the newest neighbours of a hub: those with the highest numbers, which came last into this ledger."""
    numbers: set[int] = set()
    if graph.loaded:
        others = _all(graph, no, side)
        numbers.update(others[-HUB // 2 :])
        total = len(others)
    else:
        back, forth = ("src", "dst") if side == "up" else ("dst", "src")
        total = 0
        for mine, other, relation in ((back, forth, names[0]), (back, forth, names[1]), (forth, back, names[2])):
            where = f"FROM edge WHERE {mine} = ? AND rel = ?"
            sql = f"SELECT {other} {where} ORDER BY {other} DESC LIMIT ?"
            numbers |= {row[0] for row in graph.db.execute(sql, (no, relation, HUB // 4))}
            total += graph.db.execute(f"SELECT count(DISTINCT {other}) {where}", (no, relation)).fetchone()[0]
    rows = graph.db.execute(
        "SELECT e.no, e.kind, e.t FROM json_each(?) j JOIN entity e ON e.no = j.value", (json.dumps(sorted(numbers)),)
    ).fetchall()
    return _Near(sorted(rows, key=lambda one: (-one[2], -one[0])), total, hub=True)


def _chosen(near: _Near, fan: int, kept: set[int]) -> list[int]:
    """Return what is shown of the neighbours: the newest of each kind, and what is to be kept."""
    of_kind: Counter[str] = Counter()
    found = []
    for no, kind, _ in near.newest:
        of_kind[kind] += 1
        if of_kind[kind] <= fan or no in kept:
            found.append(no)
    return found


def _folded(graph: Graph, node: int, side: str, near: _Near, shown: dict[int, int]) -> list[tuple[str, int]]:
    """Return (kind, how many) of a node's neighbours that are not shown."""
    if not near.hub:
        rest = Counter(kind for no, kind, _ in near.newest if no not in shown)
        return sorted(rest.items())
    if graph.loaded:
        held, others = graph.arrays, _all(graph, node, side)
        kinds = Counter(graph.remembered(f"kinds {side} of {node}", lambda: Counter([held.kinds[no] for no in others])))
        kinds.subtract(held.kinds[no] for no in shown if _holds(others, no))
        return sorted((KINDS[code] or OTHER, count) for code, count in kinds.items() if count)
    visible = sum(no in shown for no, _, _ in near.newest)
    return [("", near.total - visible)]


def _all(graph: Graph, no: int, side: str) -> array[int]:
    held = graph.arrays
    return (held.up if side == "up" else held.down).of(no)


def _holds(numbers: array[int], no: int) -> bool:
    at = bisect_left(numbers, no)
    return at < len(numbers) and numbers[at] == no


def _links(graph: Graph, shown: dict[int, int]) -> list[Link]:
    """Return the edges among what is shown; which of them close a cycle is asked where it can matter or costs nothing."""
    if graph.loaded:
        return graph.links(shown.keys())
    links = graph.links(shown.keys(), marks=False)
    ids = {one: at for at, one in enumerate(dict.fromkeys(end for link in links for end in (link.src, link.dst)))}
    pairs = sorted({ids[link.first] << paths.SHIFT | ids[link.last] for link in links})
    down = paths.side(len(ids), pairs)
    up = paths.side(len(ids), paths.turned(pairs))
    return graph.links(shown.keys()) if paths.cycles(up, down) else links
