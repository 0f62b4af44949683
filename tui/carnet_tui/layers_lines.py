"""Lines for the vertices of a layered graph: near to what they hang together with, and straight from one to the next where the order allows it.

Three things are promised, in this order of weight:

- No two vertices of a layer share a line, and their order is kept.
- Between two layers no two nets stand in each other's way, so that a picture never has to draw an ambiguous joint.
- A link that needs no turn when both its ends stand on one line (nothing else leaves the one, nothing else of that sort arrives at the other) is
  level, unless it crosses another such link: a fold among twenty steps bends none of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from carnet_tui.layers import Layers

NEARLY = 1e-6
"""Sums of fractions miss whole numbers by less."""
TRIES = 4
"""Moves for each vertex after which nets that stand in each other's way are parted at the expense of level links."""


def place(made: Layers) -> None:
    """Give every vertex of an ordered layout a line."""
    block = _blocks(made)
    many = max(block, default=-1) + 1
    sums, sizes = [0.0] * many, [0] * many
    for at, wish in zip(block, _wishes(made), strict=True):
        sums[at] += wish
        sizes[at] += 1
    above: list[list[int]] = [[] for _ in range(many)]
    below: list[list[int]] = [[] for _ in range(many)]
    for one in made.order:
        for upper, lower in pairwise([block[vertex] for vertex in one]):
            if upper not in above[lower]:
                above[lower].append(upper)
                below[upper].append(lower)
    lines = _apart(above, below, [total / size for total, size in zip(sums, sizes, strict=True)], sizes)
    made.row = [lines[at] for at in block]
    _part(made, block, below, lines)
    least = min(made.row, default=0)
    made.row = [row - least for row in made.row]


def _wishes(made: Layers) -> list[float]:
    """Return for each vertex the line nearest to its neighbours that the order of its layer allows, each layer looked at by itself."""
    found = [0.0] * len(made.layer)
    for one in made.order:
        for at, vertex in enumerate(one):
            found[vertex] = float(at)
    if len(made.order) < 2:
        return found
    for back in (False, True):
        for one in reversed(made.order) if back else made.order:
            targets, weights = [], []
            for vertex in one:
                near = made.up[vertex] + made.down[vertex] if back else made.up[vertex]
                count = len(near)
                if count == 1:
                    targets.append(found[near[0]])
                elif count:
                    middle = sorted([found[other] for other in near])
                    targets.append((middle[count // 2] + middle[(count - 1) // 2]) / 2)
                else:
                    targets.append(found[vertex])
                weights.append((8.0 if vertex >= made.nodes else 2.0 if count == 1 else 1.0) if count else 0.2)
            for vertex, line in zip(one, isotonic(targets, weights), strict=True):
                found[vertex] = line
    return found


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


# --- what goes straight -----------------------------------------------------------------------------------------------


def _blocks(made: Layers) -> list[int]:
    """Return for each vertex the number of its block: the vertices of one stand on one line.

    Two vertices are in one block when the link between them needs no turn that way; of such links that cross, as many as do not cross each other.
    """
    up, down = made.up, made.down
    spot = [0] * len(made.layer)
    for one in made.order:
        for at, vertex in enumerate(one):
            spot[vertex] = at
    block = [-1] * len(made.layer)
    many = 0
    for one in made.order:
        links: list[tuple[int, int]] = []
        for vertex in one:
            if block[vertex] < 0:
                block[vertex] = many
                many += 1
            if len(down[vertex]) == 1:
                (end,) = down[vertex]
                if len(up[end]) == 1 or sum([len(down[other]) == 1 for other in up[end]]) == 1:
                    links.append((vertex, end))
        for at in _rising([spot[end] for _, end in links]):
            vertex, end = links[at]
            block[end] = block[vertex]
    return block


def _rising(numbers: Sequence[int]) -> list[int]:
    """Return where the members of a longest rising row among different numbers stand."""
    ends: list[int] = []  # the least number in which a rising row of each length ends
    tops: list[int] = []
    before: list[int] = []
    for at, number in enumerate(numbers):
        length = bisect_left(ends, number)
        ends[length : length + 1] = [number]
        tops[length : length + 1] = [at]
        before.append(tops[length - 1] if length else -1)
    found = tops[-1:]
    while found and before[found[-1]] >= 0:
        found.append(before[found[-1]])
    return found[::-1]


def _apart(
    above: Sequence[Sequence[int]], below: Sequence[Sequence[int]], wishes: Sequence[float], weights: Sequence[float]
) -> list[int]:
    """Return lines for blocks, near to what they wish (by weighted squares), each at least 1 below those `above` it.

    Blocks come one after the other; where one stands too near to another that has its place, the two go on together, at the mean of what they wish.
    """
    many = len(wishes)
    group = list(range(many))
    members = [[at] for at in range(many)]
    lag = [0] * many  # how far below its group's line a block stands
    mean, weight = list(wishes), [float(one) for one in weights]
    tight: list[list[tuple[int, int]]] = [[] for _ in range(many)]
    waits = [len(one) for one in above]
    ready = [at for at in range(many) if not waits[at]]
    while ready:
        mine = ready.pop()
        for other in below[mine]:
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
        tight[mine] = [(upper, mine) for upper in above[mine]]
        while True:
            most, worst = NEARLY, None
            for upper, lower in tight[mine]:
                lacks = mean[group[upper]] + lag[upper] + 1 - mean[mine] - lag[lower]
                if lacks > most:
                    most, worst = lacks, (upper, lower)
            if worst is None:
                break
            upper, lower = worst
            other = group[upper]
            shift = lag[upper] + 1 - lag[lower]
            total = weight[mine] + weight[other]
            middle = (mean[other] * weight[other] + (mean[mine] - shift) * weight[mine]) / total
            gone = mine
            if len(members[mine]) > len(members[other]):
                gone, other, shift, middle = other, mine, -shift, middle + shift
            for one in members[gone]:
                group[one] = other
                lag[one] += shift
            members[other] += members[gone]
            mean[other], weight[other] = middle, total
            tight[other] = [tie for tie in tight[other] + tight[gone] if group[tie[0]] != other]
            mine = other
    return [floor(mean[group[at]] + NEARLY) + lag[at] for at in range(many)]


# --- ways between two layers ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Net:
    """Sources of one layer that lead to the same vertices of the next: they share a line, every one of them leads to every end.

    `starts` and `ends` are their lines, `low` and `high` the uppermost and the lowest of these. A net that does not turn, that is never leaves the
    line on which it begins, has one of each, and they are the same.
    """

    sources: Sequence[int]
    starts: set[int]
    ends: set[int]
    low: int
    high: int
    turns: bool


def nets(made: Layers, column: int) -> list[Net]:
    """Return what leads from a layer to the next, from top to bottom."""
    row, down = made.row, made.down
    groups: dict[tuple[int, ...], list[int]] = {}
    for vertex in made.order[column]:
        if down[vertex]:
            groups.setdefault(tuple(sorted(down[vertex])), []).append(vertex)
    found = []
    for to, sources in groups.items():
        if len(to) == len(sources) == 1:
            start, end = row[sources[0]], row[to[0]]
            low, high = (start, end) if start < end else (end, start)
            found.append(Net(sources, {start}, {end}, low, high, start != end))
        else:
            starts, ends = {row[vertex] for vertex in sources}, {row[vertex] for vertex in to}
            found.append(Net(sources, starts, ends, min(*starts, *ends), max(*starts, *ends), True))
    return found


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
    left = {at for at, others in enumerate(waits) if others}
    while left:
        still = {at for at in left if not waits[at].isdisjoint(left)}
        if len(still) == len(left):
            break
        left = still
    if not left:
        return None
    met: list[int] = []
    at = min(left)
    while at not in met:  # each of them waits for another of them
        met.append(at)
        at = min(waits[at] & left)
    return min(found[at].ends & found[min(waits[at] & left)].starts)


def _part(made: Layers, block: Sequence[int], below: Sequence[Sequence[int]], lines: list[int]) -> None:
    """Move blocks down until no two nets stand in each other's way; lines of vertices are those of their blocks."""
    row, layer = made.row, made.layer
    stale = set(range(len(made.order) - 1))
    tries = TRIES * len(block)
    while stale:
        column = min(stale)
        knot = knotted(nets(made, column))
        if knot is None:
            stale.discard(column)
            continue
        if not tries:
            _force(made)
            return
        tries -= 1
        bottom = max(lines)
        moves = [
            _pushed(block[vertex], below, lines)
            for one in (made.order[column + 1], made.order[column])
            for vertex in one
            if row[vertex] == knot
        ]
        move = min(moves, key=lambda move: (max(bottom, *move.values()), len(move)))
        for at, line in move.items():
            lines[at] = line
        for vertex, at in enumerate(block):
            if at in move:
                row[vertex] = lines[at]
                stale |= {layer[vertex] - 1, layer[vertex]}
        stale -= {-1, len(made.order) - 1}


def _pushed(first: int, below: Sequence[Sequence[int]], lines: Sequence[int]) -> dict[int, int]:
    """Return what changes, block by block, when a block moves down by a line and pushes what is in its way."""
    found = {first: lines[first] + 1}
    going = [first]
    while going:
        at = going.pop()
        for other in below[at]:
            if found.get(other, lines[other]) <= found[at]:
                found[other] = found[at] + 1
                going.append(other)
    return found


def _force(made: Layers) -> None:
    """Move layers down where two nets stand in each other's way: that always ends."""
    row = made.row
    for column in range(len(made.order) - 1):
        nexts = made.order[column + 1]
        for _ in range(len(nexts)):
            knot = knotted(nets(made, column))
            if knot is None:
                break
            for vertex in nexts:
                row[vertex] += row[vertex] >= knot
        else:
            if knotted(nets(made, column)) is not None:  # all of it below: nothing shares a line any more
                lowest = max(row[vertex] for vertex in made.order[column]) + 1
                for vertex in nexts:
                    row[vertex] += lowest
