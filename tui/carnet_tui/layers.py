"""Layers for a character grid: which column and which line each node of a small graph stands in, with few crossings.

Pure and deterministic. Left to right: a layer is a column, a node is one line. Three things differ from layouts for pages:

- One chain of dummies for each source, not one for each edge: lines of one source share their way, and a hub costs a few dummies, not thousands.
- Lines are whole numbers from an isotonic regression in each layer: no two nodes share a place, and no line is wasted.
- Lines are moved apart where two sources would stand in each other's way between two layers, so that a picture never has to draw an ambiguous joint.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from carnet_store.domain.paths import closing

Adjacency = list[list[int]]

SMALL = 700
"""Vertices up to which single nodes are moved about; larger graphs get sweeps alone."""
SETTLED = 4
"""Rounds in which single nodes are moved about."""
STALLED = 3
"""Sweeps without a gain after which a start is given up."""


@dataclass(slots=True)
class Layers:
    """A layout. Vertices below `nodes` are the nodes; the others are dummies, whose `owner` is the node their line belongs to.

    Attributes:
        nodes: how many nodes there are.
        layer: column of each vertex.
        row: line of each vertex.
        owner: the node that a vertex is, or that a dummy carries on.
        order: vertices of each layer, from top to bottom.
        down: for each vertex, its neighbours in the next layer.
        up: for each vertex, its neighbours in the layer before.
        dropped: edges (first, last) that were left out because they close a cycle.
    """

    nodes: int
    layer: list[int]
    row: list[int]
    owner: list[int]
    order: list[list[int]]
    down: Adjacency
    up: Adjacency
    dropped: list[tuple[int, int]] = field(default_factory=list)

    @property
    def height(self) -> int:
        """How many lines it takes."""
        return max(self.row, default=-1) + 1


def arrange(nodes: int, edges: Iterable[tuple[int, int]], sweeps: int = 8) -> Layers:
    """Lay out a graph of `nodes` nodes, 0 to nodes - 1; an edge (a, b) leads from left to right. `sweeps` bounds the work."""
    wanted = list(dict.fromkeys(edges))
    dropped = closing(wanted)
    out = set(dropped)
    down: Adjacency = [[] for _ in range(nodes)]
    up: Adjacency = [[] for _ in range(nodes)]
    for first, last in wanted:
        if (first, last) not in out:
            down[first].append(last)
            up[last].append(first)
    made = _with_dummies(nodes, _layering(down, up), down)
    made.dropped = dropped
    _order(made, sweeps)
    _place(made)
    _make_way(made)
    return made


def _layering(down: Adjacency, up: Adjacency) -> list[int]:
    """Return columns: as far left as inputs allow, then what has more consumers than inputs close to its consumers."""
    waits = [len(inputs) for inputs in up]
    ready = [node for node, count in enumerate(waits) if not count]
    layer = [0] * len(up)
    topological = []
    while ready:
        node = ready.pop()
        topological.append(node)
        for other in down[node]:
            layer[other] = max(layer[other], layer[node] + 1)
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    for node in reversed(topological):
        if down[node] and len(up[node]) < len(down[node]):
            layer[node] = max(layer[node], min(layer[other] for other in down[node]) - 1)
    return layer


def _with_dummies(nodes: int, layer: list[int], succ: Adjacency) -> Layers:
    layer, owner = list(layer), list(range(nodes))
    down: Adjacency = [[] for _ in range(nodes)]
    up: Adjacency = [[] for _ in range(nodes)]

    def tie(first: int, last: int) -> None:
        down[first].append(last)
        up[last].append(first)

    for node in range(nodes):
        at, column = node, layer[node]
        for other in sorted(succ[node], key=lambda one: (layer[one], one)):
            while column < layer[other] - 1:
                column += 1
                layer.append(column)
                owner.append(node)
                down.append([])
                up.append([])
                tie(at, len(layer) - 1)
                at = len(layer) - 1
            tie(at, other)
    order: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for vertex, column in enumerate(layer):
        order[column].append(vertex)
    return Layers(nodes, layer, [0] * len(layer), owner, order, down, up)


# --- which stands above which ---------------------------------------------------------------------------------------


def _order(made: Layers, sweeps: int) -> None:
    """Find an order of each layer with few crossings, from several starts; the best one is kept."""
    up, down = made.up, made.down
    total = len(made.layer)
    place = [0] * total
    starts: list[Callable[[], list[list[int]]]] = [
        lambda: _walked(made, lambda v: down[v], [v for v in range(made.nodes) if not up[v]]),
        lambda: _walked(made, lambda v: [*down[v], *up[v]], sorted(range(total), key=lambda v: -len(up[v]) - len(down[v]))),
        lambda: _walked(made, lambda v: up[v], [v for v in range(made.nodes) if not down[v]]),
    ]  # fmt: skip
    best = made.order
    fewest = -1
    tries = 3 if total <= 120 else 2 if total <= 160 else 1
    for start in starts[:tries]:
        order = start()
        _number(order, place)
        lowest, stalled = -1, 0
        for sweep in range(sweeps):
            forth = sweep % 2 == 0
            columns = range(1, len(order)) if forth else range(len(order) - 2, -1, -1)
            for column in columns:
                _by_barycentre(order[column], up if forth else down, place)
            count = crossings(order, down, place)
            if fewest < 0 or count < fewest:
                fewest, best = count, [list(one) for one in order]
            if lowest < 0 or count < lowest:
                lowest, stalled = count, 0
            else:
                stalled += 1
            if not count or stalled >= STALLED:
                break
        if not fewest:
            break
    made.order = best
    _number(best, place)
    if fewest and total <= SMALL:
        _settle(best, up, down, place, SETTLED)


def _walked(made: Layers, near: Callable[[int], Sequence[int]], roots: Sequence[int]) -> list[list[int]]:
    """Return layers filled depth first, so that families stay together."""
    order: list[list[int]] = [[] for _ in made.order]
    seen = bytearray(len(made.layer))
    for root in (*roots, *range(len(made.layer))):
        stack = [root]
        while stack:
            vertex = stack.pop()
            if not seen[vertex]:
                seen[vertex] = 1
                order[made.layer[vertex]].append(vertex)
                stack.extend(near(vertex))
    return order


def _number(order: Sequence[Sequence[int]], place: list[int]) -> None:
    for one in order:
        for at, vertex in enumerate(one):
            place[vertex] = at


def _by_barycentre(one: list[int], near: Adjacency, place: list[int]) -> None:
    """Sort a layer by the middle of each vertex's neighbours; one without any stays behind the one above it."""
    keys: dict[int, float] = {}
    last = -1.0
    for vertex in one:
        others = near[vertex]
        if others:
            total = 0
            for other in others:
                total += place[other]
            last = total / len(others)
        keys[vertex] = last
    one.sort(key=keys.__getitem__)
    for at, vertex in enumerate(one):
        place[vertex] = at


def crossings(order: Sequence[Sequence[int]], down: Adjacency, place: Sequence[int]) -> int:
    """Return how many lines cross between neighbouring layers; the lines of one vertex do not cross."""
    total = 0
    for column in range(len(order) - 1):
        if len(order[column + 1]) < 2:
            continue
        held: list[int] = []  # ends of the lines above, sorted
        for vertex in order[column]:
            ends = [place[other] for other in down[vertex]]
            for end in ends:
                total += len(held) - bisect_right(held, end)
            for end in ends:
                insort(held, end)
    return total


def _settle(order: list[list[int]], up: Adjacency, down: Adjacency, place: list[int], rounds: int) -> None:
    """Move every vertex to the place in its layer with the fewest crossings, layer by layer, until nothing gets better.

    Within a layer all counts come from one table: how many lines of two vertices cross when the one stands above the other.
    """
    rested = [False] * len(order)
    for turn in range(rounds):
        columns = range(len(order)) if turn % 2 == 0 else range(len(order) - 1, -1, -1)
        for column in columns:
            one = order[column]
            if rested[column] or len(one) < 2:
                continue
            rested[column] = True
            if _sifted(one, _table(one, up, down, place)):
                for at, vertex in enumerate(one):
                    place[vertex] = at
                for other in (column - 1, column + 1):
                    if 0 <= other < len(order):
                        rested[other] = False
        if all(rested):
            return


def _table(one: Sequence[int], up: Adjacency, down: Adjacency, place: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return for each two vertices of a layer what it costs that the first stands above the second, less what the reverse costs."""
    size = max((place[other] for v in one for other in up[v]), default=-1) + 1
    whole = size + max((place[other] for v in one for other in down[v]), default=-1) + 1
    ends = {v: [*(place[o] for o in up[v]), *(size + place[o] for o in down[v])] for v in one}
    # For a line of another vertex that ends at a place: how many lines of this one end above it, less how many end below.
    leads = {v: _lead(ends[v][: len(up[v])], 0, size) + _lead(ends[v][len(up[v]) :], size, whole) for v in one}
    table: dict[int, dict[int, int]] = {v: {} for v in one}
    for at, first in enumerate(one):
        row, mine = table[first], ends[first]
        for second in one[at + 1 :]:
            cost = sum(map(leads[second].__getitem__, mine))
            row[second] = cost
            table[second][first] = -cost
    return table


def _lead(ends: Sequence[int], start: int, stop: int) -> list[int]:
    counts = [0] * (stop - start + 1)
    for end in ends:
        counts[end - start + 1] += 1
    below = list(accumulate(counts))
    total = len(ends)
    return [below[at] + below[at + 1] - total for at in range(stop - start)]


def _sifted(one: list[int], table: Mapping[int, Mapping[int, int]]) -> bool:
    """Sort a layer by moving single vertices while that takes crossings away; say whether any was moved."""
    moved = False
    better = True
    while better:
        better = False
        for vertex in list(one):
            here = one.index(vertex)
            row = table[vertex]
            best = spot = delta = 0
            for at in range(here - 1, -1, -1):
                delta += row[one[at]]
                if delta < best:
                    best, spot = delta, at - here
            delta = 0
            for at in range(here + 1, len(one)):
                delta -= row[one[at]]
                if delta < best:
                    best, spot = delta, at - here
            if best < 0:
                one.insert(here + spot, one.pop(here))
                moved = better = True
    return moved


# --- which line -----------------------------------------------------------------------------------------------------


def _place(made: Layers, rounds: int = 4) -> None:
    """Give every vertex a line: as near to its neighbours as the order of its layer allows."""
    spot = [0.0] * len(made.layer)
    for one in made.order:
        for at, vertex in enumerate(one):
            spot[vertex] = float(at)
    for turn in range(rounds if len(made.order) > 1 else 0):
        last = turn == rounds - 1
        for one in made.order if turn % 2 == 0 else reversed(made.order):
            targets, weights = [], []
            for vertex in one:
                near = made.up[vertex] if turn % 2 == 0 else made.down[vertex]
                near = made.up[vertex] + made.down[vertex] if last else near
                if near:
                    middle = sorted([spot[other] for other in near])
                    targets.append((middle[len(middle) // 2] + middle[(len(middle) - 1) // 2]) / 2)
                    weights.append(8.0 if vertex >= made.nodes else 2.0 if len(near) == 1 else 1.0)
                else:
                    targets.append(spot[vertex])
                    weights.append(0.2)
            for vertex, line in zip(one, isotonic(targets, weights), strict=True):
                spot[vertex] = line
    least = min(spot, default=0.0)
    made.row = [int(line - least + 1e-6) for line in spot]
    for one in made.order:  # rounding must not put two on one line
        for above, below in pairwise(one):
            made.row[below] = max(made.row[below], made.row[above] + 1)


def isotonic(targets: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the lines nearest to `targets` (by weighted squares) that keep their order, each at least 1 below the one before."""
    means: list[float] = []
    sums: list[float] = []
    counts: list[int] = []
    for at, (target, weight) in enumerate(zip(targets, weights, strict=True)):
        mean, count = target - at, 1
        while means and means[-1] >= mean:
            total = sums.pop() + weight
            mean = (means.pop() * (total - weight) + mean * weight) / total
            weight = total
            count += counts.pop()
        means.append(mean)
        sums.append(weight)
        counts.append(count)
    found: list[float] = []
    for mean, count in zip(means, counts, strict=True):
        for _ in range(count):
            found.append(mean + len(found))
    return found


# --- ways between two layers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Net:
    """Sources of one layer that lead to the same vertices of the next: they share a line, every one of them leads to every end.

    `starts` and `ends` are their lines. A net that does not turn has one of each, and they are the same.
    """

    sources: tuple[int, ...]
    starts: frozenset[int]
    ends: frozenset[int]

    @property
    def turns(self) -> bool:
        """Whether it leaves the line on which it begins."""
        return self.starts != self.ends or len(self.starts) > 1

    @property
    def low(self) -> int:
        """Its uppermost line."""
        return min(*self.starts, *self.ends)

    @property
    def high(self) -> int:
        """Its lowest line."""
        return max(*self.starts, *self.ends)


def nets(made: Layers, column: int) -> list[Net]:
    """Return what leads from a layer to the next, from top to bottom."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for vertex in made.order[column]:
        if made.down[vertex]:
            groups.setdefault(tuple(sorted(made.down[vertex])), []).append(vertex)
    return [
        Net(tuple(sources), frozenset(made.row[v] for v in sources), frozenset(made.row[v] for v in ends))
        for ends, sources in groups.items()
    ]


def befores(found: Sequence[Net]) -> list[set[int]]:
    """Return, for each net that turns, the others that must turn before it.

    A source runs along its own line until it turns; whatever arrives on that line has to have turned behind that point.
    """
    on_line = {line: at for at, net in enumerate(found) if net.turns for line in net.starts}
    return [
        {on_line[line] for line in net.ends if line in on_line} - {at} if net.turns else set()
        for at, net in enumerate(found)
    ]


def knotted(found: Sequence[Net]) -> int | None:
    """Return a line on which nets stand in each other's way in a circle; None where there is none."""
    waits = befores(found)
    state: dict[int, int] = {}
    for start in range(len(found)):
        stack = [start]
        while stack:
            at = stack[-1]
            if at in state:
                state[at] = 2
                stack.pop()
                continue
            state[at] = 1
            for other in waits[at]:
                if state.get(other) == 1:
                    return min(found[other].starts & found[at].ends)
                if other not in state:
                    stack.append(other)
    return None


def _make_way(made: Layers) -> None:
    """Move layers down where, on the way to the next, two nets would each have to turn before the other."""
    for column in range(len(made.order) - 1):
        nexts = made.order[column + 1]
        for _ in range(len(nexts)):
            knot = knotted(nets(made, column))
            if knot is None:
                break
            for vertex in nexts:
                if made.row[vertex] >= knot:
                    made.row[vertex] += 1
        else:
            if knotted(nets(made, column)) is not None:  # all of it below: nothing shares a line any more
                lowest = max(made.row[vertex] for vertex in made.order[column]) + 1
                for vertex in nexts:
                    made.row[vertex] += lowest
