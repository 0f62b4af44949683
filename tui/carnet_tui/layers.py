"""Layers for a character grid: which column and which line each node of a small graph stands in, with few crossings.

Pure and deterministic. Left to right: a layer is a column, a node is one line. Three things differ from layouts for pages:

- One chain of dummies for each source, not one for each edge: lines of one source share their way, and a hub costs a few dummies, not thousands.
- Lines are whole numbers, and a row of single links stands on one of them: see `layers_lines`.
- Lines are moved apart where two sources would stand in each other's way between two layers, so that a picture never has to draw an ambiguous joint.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct

from carnet_store.domain.paths import closing
from carnet_tui.layers_lines import place

Adjacency = list[list[int]]

FIELD = 32
"""Bits of a number in a row of many that are added up as one."""
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
    dropped: list[tuple[int, int]] = []
    down, up = _neighbours(nodes, wanted)
    layer = _layering(down, up)
    if layer is None:
        dropped = closing(wanted)
        out = set(dropped)
        down, up = _neighbours(nodes, [edge for edge in wanted if edge not in out])
        layer = _layering(down, up) or []
    made = _with_dummies(nodes, layer, down)
    made.dropped = dropped
    _order(made, sweeps)
    place(made)
    return made


def _neighbours(nodes: int, edges: Iterable[tuple[int, int]]) -> tuple[Adjacency, Adjacency]:
    down: Adjacency = [[] for _ in range(nodes)]
    up: Adjacency = [[] for _ in range(nodes)]
    for first, last in edges:
        down[first].append(last)
        up[last].append(first)
    return down, up


def _layering(down: Adjacency, up: Adjacency) -> list[int] | None:
    """Return columns: as far left as inputs allow, then what has more consumers than inputs close to its consumers; None where there is a circle."""
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
    if len(topological) < len(up):
        return None
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
    if _rising(made) < 0:  # turned over it crosses as little, and siblings stand as they were given
        for one in best:
            one.reverse()


def _rising(made: Layers) -> int:
    """Return how many more neighbours within layers stand in the order in which nodes are numbered than in the reverse."""
    nodes = made.nodes
    real = [[vertex for vertex in one if vertex < nodes] for one in made.order]
    return sum([1 if upper < lower else -1 for one in real for upper, lower in pairwise(one)])


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
    where = place.__getitem__
    last = -1.0
    for vertex in one:
        others = near[vertex]
        if len(others) == 1:
            last = place[others[0]]
        elif others:
            last = sum(map(where, others)) / len(others)
        keys[vertex] = last
    one.sort(key=keys.__getitem__)
    for at, vertex in enumerate(one):
        place[vertex] = at


def crossings(order: Sequence[Sequence[int]], down: Adjacency, place: Sequence[int]) -> int:
    """Return how many lines cross between neighbouring layers; the lines of one vertex do not cross."""
    total = 0
    for one in order:
        held: list[int] = []  # ends of the lines above, sorted
        count = last = 0
        for vertex in one:
            ends = down[vertex]
            for end in sorted([place[other] for other in ends]) if len(ends) > 1 else [place[other] for other in ends]:
                if end >= last:
                    held.append(end)
                    last = end
                else:
                    at = bisect_right(held, end)
                    total += count - at
                    held.insert(at, end)
                count += 1
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
    """Return for each two vertices of a layer what it costs that the first stands above the second, less what the reverse costs.

    A row of the table is the sum of what each line of its vertex costs; such a sum is one number with a field for each vertex.
    """
    field = {v: 1 << FIELD * at for at, v in enumerate(one)}
    columns = []
    for near in (up, down):
        ends: dict[int, int] = {}
        whole = 0
        for v in one:
            unit = field[v]
            for other in near[v]:
                at = place[other]
                ends[at] = ends.get(at, 0) + unit
                whole += unit
        above, lead = 0, {}
        for at in sorted(ends):
            lead[at] = 2 * above + ends[at] - whole
            above += ends[at]
        columns.append(lead)
    first, second = columns
    bias = sum(field.values()) << FIELD - 1
    size = len(one)
    read = Struct(f"<{size}i").unpack
    table = {}
    for v in one:
        row = bias
        for other in up[v]:
            row += first[place[other]]
        for other in down[v]:
            row += second[place[other]]
        table[v] = dict(zip(one, read((row ^ bias).to_bytes(4 * size, "little")), strict=True))
    return table


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
