"""Questions to a graph, answered on arrays: closures, what lies between, shortest paths, choke points, trees, cycles, quotients.

Nodes are numbers from 0 to n - 1. A `Side` holds for each node its neighbours in one direction; a graph is two sides, `up` (what a node comes
from) and `down` (what came of it). Everything here is deterministic: the same arrays give the same answer, in the same order.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Protocol

SHIFT: Final = 32
MASK: Final = (1 << SHIFT) - 1
ALL: Final = -1
EXPANDED_AT_MOST: Final = 200_000
"""Partial paths that a search for paths looks at; a graph made to be nasty ends there."""
COUNTED_AT_MOST: Final = 10**12


class Neighbours(Protocol):
    """Whatever knows the neighbours of a node in one direction."""

    def of(self, node: int, /) -> Sequence[int]:
        """Return a node's neighbours."""


@dataclass(frozen=True, slots=True)
class Side:
    """The neighbours of node v are `adj[ptr[v]:ptr[v + 1]]`, ascending, each once. `ptr` has n + 1 entries."""

    ptr: array[int]
    adj: array[int]

    def of(self, node: int) -> array[int]:
        """Return a node's neighbours."""
        return self.adj[self.ptr[node] : self.ptr[node + 1]]

    def degree(self, node: int) -> int:
        """Return how many neighbours a node has."""
        return self.ptr[node + 1] - self.ptr[node]

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.ptr) - 1


def side(nodes: int, pairs: Sequence[int]) -> Side:
    """Return the side of sorted pairs without repeats; a pair is `node << 32 | neighbour`, all of them below `nodes`."""
    counts = Counter([pair >> SHIFT for pair in pairs])
    ptr = array("i", [0])
    ptr.extend(accumulate([counts.get(node, 0) for node in range(nodes)]))
    return Side(ptr, array("i", [pair & MASK for pair in pairs]))


def turned(pairs: Iterable[int]) -> list[int]:
    """Return the pairs the other way round, sorted."""
    return sorted([(pair & MASK) << SHIFT | pair >> SHIFT for pair in pairs])


def grown(old: Side, nodes: int, pairs: Iterable[int]) -> Side:
    """Return a side with more nodes (at least as many as before) and more pairs; those that are there already are not doubled."""
    from bisect import bisect_left

    spots: list[tuple[int, int, int]] = []
    for pair in sorted(set(pairs)):
        node, neighbour = pair >> SHIFT, pair & MASK
        start, end = (old.ptr[node], old.ptr[node + 1]) if node < old.nodes else (len(old.adj), len(old.adj))
        place = bisect_left(old.adj, neighbour, start, end)
        if place == end or old.adj[place] != neighbour:
            spots.append((place, node, neighbour))
    adj, at = array("i"), 0
    for place, _, neighbour in spots:
        adj.extend(old.adj[at:place])
        adj.append(neighbour)
        at = place
    adj.extend(old.adj[at:])
    more = Counter(node for _, node, _ in spots)
    ptr, added, upto = array("i"), 0, 0
    whole = old.ptr + array("i", [len(old.adj)]) * (nodes - old.nodes)
    for node in sorted(more):
        ptr.extend([place + added for place in whole[upto : node + 1]] if added else whole[upto : node + 1])
        added, upto = added + more[node], node + 1
    ptr.extend([place + added for place in whole[upto:]])
    return Side(ptr, adj)


# --- closures -------------------------------------------------------------------------------------------------------


def levels(one: Side, starts: Iterable[int], hops: int = ALL, within: bytearray | None = None) -> list[list[int]]:
    """Return the nodes reached, by the number of hops; the starts are level 0.

    Args:
        one: the side to follow.
        starts: where to begin.
        hops: how far; `ALL` is as far as it goes.
        within: where given, a byte for each node; those with 0 are not entered.
    """
    ptr, adj = one.ptr, one.adj
    seen = bytearray(one.nodes) if within is None else bytearray([1]) * one.nodes
    if within is not None:
        seen = bytearray(within.translate(_TURN))
    level = []
    for node in starts:
        if not seen[node]:
            seen[node] = 1
            level.append(node)
    found = [level]
    while level and len(found) != hops + 1:
        further: list[int] = []
        add = further.append
        for node in level:
            for other in adj[ptr[node] : ptr[node + 1]]:
                if not seen[other]:
                    seen[other] = 1
                    add(other)
        if further:
            found.append(further)
        level = further
    return found


_TURN: Final = bytes([1]) + bytes(255)
"""Maps 0 to 1 and all else to 0: what may not be entered counts as seen."""


def reach(one: Side, starts: Iterable[int], hops: int = ALL) -> set[int]:
    """Return the nodes reached within so many hops, the starts included."""
    return set().union(*levels(one, starts, hops))


def between(up: Side, down: Side, firsts: Iterable[int], lasts: Iterable[int]) -> set[int]:
    """Return every node on a path from one of `firsts` down to one of `lasts`, ends included; empty where there is no path."""
    firsts = set(firsts)
    before = bytearray(up.nodes)
    for level in levels(up, lasts):
        for node in level:
            before[node] = 1
    return set().union(*levels(down, [node for node in sorted(firsts) if before[node]], within=before))


def marks(nodes: int, chosen: Iterable[int]) -> bytearray:
    """Return a byte for each node, 1 where it is chosen."""
    found = bytearray(nodes)
    for node in chosen:
        found[node] = 1
    return found


# --- paths ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ways:
    """The answer to "how does one come from a to b".

    Attributes:
        paths: the shortest paths, each from a to b; as many as were asked for, or all.
        choke: nodes other than the ends that stand on every path, in the order of the paths.
        between: how many nodes lie between, the ends not counted.
        total: how many paths there are (`COUNTED_AT_MOST` means as many or more); None where a cycle makes them uncountable.
        complete: whether the search for paths looked at all it had to.
    """

    paths: tuple[tuple[int, ...], ...]
    choke: tuple[int, ...]
    between: int
    total: int | None
    complete: bool = True


NO_WAY: Final = Ways((), (), 0, 0)


def ways(up: Side, down: Side, first: int, last: int, most: int = 3) -> Ways:
    """Return the `most` shortest paths from `first` down to `last`, and what stands on all of them."""
    inside = between(up, down, [first], [last])
    if first == last or not inside:
        return NO_WAY if not inside else Ways(((first,),), (), 0, 1)
    near = marks(up.nodes, inside)
    total = _count(down, first, last, inside)
    paths, complete = _shortest(up, down, first, last, near, most, simple=total is None)
    choke = _choke(down, paths[0], near) if paths else ()
    return Ways(paths, choke, len(inside) - 2, total, complete)


def _shortest(
    up: Side, down: Side, first: int, last: int, near: bytearray, most: int, *, simple: bool
) -> tuple[tuple[tuple[int, ...], ...], bool]:
    """Search best first; the distance to the end is known exactly, so no partial path is followed in vain."""
    left = {node: hops for hops, level in enumerate(levels(up, [last], within=near)) for node in level}
    steps: list[tuple[int, int]] = [(first, -1)]  # node, step before it
    waiting = [(left[first], 0, 0)]  # length of the whole path, minus the hops made, step
    found: list[tuple[int, ...]] = []
    looked = 0
    while waiting and len(found) < most:
        _, made, at = heapq.heappop(waiting)
        node, _ = steps[at]
        if node == last:
            found.append(_walked(steps, at))
            continue
        looked += 1
        if looked > EXPANDED_AT_MOST:
            return tuple(found), False
        before = set(_walked(steps, at)) if simple else ()
        for other in down.of(node):
            if near[other] and other not in before:
                steps.append((other, at))
                heapq.heappush(waiting, (1 - made + left[other], made - 1, len(steps) - 1))
    return tuple(found), True


def _walked(steps: Sequence[tuple[int, int]], at: int) -> tuple[int, ...]:
    found: list[int] = []
    while at >= 0:
        node, at = steps[at]
        found.append(node)
    return tuple(reversed(found))


def _count(down: Side, first: int, last: int, inside: set[int]) -> int | None:
    """Return the number of paths within a set; None where the set holds a cycle."""
    indegree = dict.fromkeys(inside, 0)
    for node in inside:
        for other in down.of(node):
            if other in indegree:
                indegree[other] += 1
    ready = [node for node, count in indegree.items() if not count]
    number = dict.fromkeys(inside, 0)
    number[first] = 1
    done = 0
    while ready:
        node = ready.pop()
        done += 1
        mine = min(number[node], COUNTED_AT_MOST)
        for other in down.of(node):
            if other in indegree:
                number[other] += mine
                indegree[other] -= 1
                if not indegree[other]:
                    ready.append(other)
    return min(number[last], COUNTED_AT_MOST) if done == len(inside) else None


def _choke(down: Side, path: Sequence[int], near: bytearray) -> tuple[int, ...]:
    """Return the inner nodes of a path that no other path goes around, in linear time.

    A node of the path is avoidable exactly where a way that leaves the path before it comes back to it after it.
    """
    place = {node: at for at, node in enumerate(path)}
    seen = set(path)
    farthest = 0
    found = []
    for at, start in enumerate(path[:-1]):
        if at and farthest <= at:
            found.append(start)
        stack = [start]
        while stack:
            node = stack.pop()
            for other in down.of(node):
                if not near[other]:
                    continue
                if other in place:
                    farthest = max(farthest, place[other])
                elif other not in seen:
                    seen.add(other)
                    stack.append(other)
    return tuple(found)


# --- trees ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a tree.

    Attributes:
        node: the node that stands here.
        depth: hops from the root.
        parent: line of the node above it, -1 for the root.
        last: whether it is the last line of its parent (a fold after it counts as one).
        seen: the line where this node is expanded, -1 where it is this one.
        more: how many of its neighbours are not shown.
    """

    node: int
    depth: int
    parent: int
    last: bool
    seen: int
    more: int


def tree(
    one: Neighbours, roots: Sequence[int], hops: int = ALL, limit: int = 2_000, fan: int = 0,
    order: Callable[[int], object] | None = None, within: bytearray | None = None,
) -> list[Branch]:  # fmt: skip
    """Return the lines of a tree, each node expanded once, at its shallowest place; a later mention points there.

    Args:
        one: the side to follow.
        roots: the lines of depth 0, each once.
        hops: how deep; at the last depth only what is shown already is pointed at.
        limit: lines at most; what is nearest to the roots comes first, the rest is counted in `more`.
        fan: neighbours shown of one node at most; 0 is all of them.
        order: sorts neighbours; ascending numbers without it.
        within: where given, nodes with 0 are left out as if they were not there.
    """
    shown: dict[int, list[int]] = {}
    more: dict[int, int] = {}
    owner = dict.fromkeys(roots, -1)
    level = list(owner)
    lines = len(level)
    depth = 0
    while level:
        further: list[int] = []
        for node in level:
            others = [other for other in one.of(node) if within is None or within[other]]
            if order is not None:
                others.sort(key=order)  # type: ignore[arg-type]
            room = max(0, min(limit - lines, fan or len(others)))
            near = [other for other in others if other in owner] if depth == hops else others
            shown[node] = near[:room]
            more[node] = len(others) - len(shown[node])
            lines += len(shown[node])
            for other in shown[node]:
                if other not in owner:
                    owner[other] = node
                    further.append(other)
        level = further
        depth += 1
    return _lines(list(dict.fromkeys(roots)), shown, more, owner)


def _lines(
    roots: Sequence[int], shown: Mapping[int, Sequence[int]], more: Mapping[int, int], owner: Mapping[int, int]
) -> list[Branch]:
    """Put a tree's lines in the order of reading; a node is expanded under its owner."""
    found: list[Branch] = []
    line_of: dict[int, int] = {}
    stack = [(root, 0, -1, root == roots[-1]) for root in reversed(roots)]
    while stack:
        node, depth, parent, last = stack.pop()
        here = len(found)
        mine = owner[node] == (found[parent].node if parent >= 0 else -1)
        found.append(Branch(node, depth, parent, last, -1 if mine else -2, more[node] if mine else 0))
        if mine:
            line_of[node] = here
            others = shown[node]
            for at in range(len(others) - 1, -1, -1):
                stack.append((others[at], depth + 1, here, at == len(others) - 1 and not more[node]))
    return [
        branch if branch.seen == -1 else replace(branch, seen=line_of[branch.node])
        for branch in found
    ]  # fmt: skip


# --- cycles ---------------------------------------------------------------------------------------------------------


def cycles(up: Side, down: Side) -> list[list[int]]:
    """Return the groups of nodes that reach each other (strongly connected, or a node with an edge to itself), ascending."""
    core = _core(up, down)
    if not core:
        return []
    found = [sorted(group) for group in _strong(down, core)]
    return sorted(group for group in found if len(group) > 1 or group[0] in down.of(group[0]))


def _core(up: Side, down: Side) -> list[int]:
    """Return what is left when sources and sinks are taken away until there are none: nothing, in a graph without cycles."""
    alive = bytearray([1]) * up.nodes
    for near, far in ((up, down), (down, up)):
        ptr, adj = far.ptr, far.adj
        degree = [end - start for start, end in zip(near.ptr, near.ptr[1:], strict=False)]
        if near is down:  # what the first round took away is no neighbour any more
            for node in range(up.nodes):
                if alive[node]:
                    degree[node] = sum(alive[other] for other in near.of(node))
        ready = [node for node in range(up.nodes) if alive[node] and not degree[node]]
        while ready:
            node = ready.pop()
            alive[node] = 0
            for other in adj[ptr[node] : ptr[node + 1]]:
                degree[other] -= 1
                if not degree[other] and alive[other]:
                    ready.append(other)
    return [node for node in range(up.nodes) if alive[node]]


def _strong(down: Side, core: Sequence[int]) -> list[list[int]]:
    """Tarjan's components among the nodes of `core`, without recursion."""
    allowed = set(core)
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    held: list[int] = []
    on = set()
    found: list[list[int]] = []
    for start in core:
        if start in index:
            continue
        work = [(start, iter(down.of(start)))]
        index[start] = low[start] = len(index)
        held.append(start)
        on.add(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in allowed:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    held.append(other)
                    on.add(other)
                    work.append((other, iter(down.of(other))))
                    break
                if other in on:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = []
                    while True:
                        group.append(held.pop())
                        on.discard(group[-1])
                        if group[-1] == node:
                            break
                    found.append(group)
    return found


def closing(edges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the edges that close a cycle with those before them, when edges (a, b) are added one after another.

    What is not returned has no cycle. An order of the nodes is kept as edges come (Pearce and Kelly), so a long list stays cheap.
    """
    place: dict[int, int] = {}
    after: dict[int, list[int]] = {}
    before: dict[int, list[int]] = {}
    found: list[tuple[int, int]] = []
    for first, last in edges:
        for node in (first, last):
            place.setdefault(node, len(place))
        if first == last or (place[first] > place[last] and _closes(first, last, place, after, before)):
            found.append((first, last))
            continue
        after.setdefault(first, []).append(last)
        before.setdefault(last, []).append(first)
    return found


def _closes(
    first: int, last: int, place: dict[int, int], after: Mapping[int, list[int]], before: Mapping[int, list[int]]
) -> bool:
    """Say whether `first` is reached from `last`; where it is not, put what follows `last` behind `first`."""
    below = _affected(last, after, lambda node: place[node] <= place[first])
    if first in below:
        return True
    above = _affected(first, before, lambda node: place[node] >= place[last])
    moved = sorted(above, key=place.__getitem__) + sorted(below, key=place.__getitem__)
    for node, spot in zip(moved, sorted(place[node] for node in moved), strict=True):
        place[node] = spot
    return False


def _affected(start: int, nexts: Mapping[int, list[int]], allowed: Callable[[int], bool]) -> set[int]:
    seen = {start}
    stack = [start]
    while stack:
        for other in nexts.get(stack.pop(), ()):
            if other not in seen and allowed(other):
                seen.add(other)
                stack.append(other)
    return seen


# --- the whole ------------------------------------------------------------------------------------------------------


def components(up: Side, down: Side, nodes: Iterable[int], within: bytearray | None = None) -> list[list[int]]:
    """Return the parts of a graph that hang together (directions left aside), largest first; each part ascending.

    `within`, where given, leaves out the nodes with 0.
    """
    seen = bytearray(up.nodes) if within is None else bytearray(within.translate(_TURN))
    found = []
    for start in nodes:
        if seen[start]:
            continue
        seen[start] = 1
        part = [start]
        for node in part:
            for one in (up, down):
                for other in one.adj[one.ptr[node] : one.ptr[node + 1]]:
                    if not seen[other]:
                        seen[other] = 1
                        part.append(other)
        found.append(sorted(part))
    return sorted(found, key=lambda part: (-len(part), part[0]))


def quotient(up: Side, group: Sequence[int]) -> tuple[Counter[int], Counter[tuple[int, int]]]:
    """Collapse a graph: return nodes by group, and edges by (group of the earlier, group of the later).

    `group` gives a group number for each node, -1 for nodes to leave out; edges within a group count under (g, g).
    """
    sizes = Counter(group)
    sizes.pop(-1, None)
    joined: Counter[int] = Counter()
    ptr, adj = up.ptr, up.adj
    for node in range(up.nodes):
        mine = group[node]
        if mine >= 0 and ptr[node] != ptr[node + 1]:
            joined.update(
                [group[other] << SHIFT | mine for other in adj[ptr[node] : ptr[node + 1]] if group[other] >= 0]
            )
    return sizes, Counter({(pair >> SHIFT, pair & MASK): count for pair, count in joined.items()})
