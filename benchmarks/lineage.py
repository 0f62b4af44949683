"""The lineage at 1,000, 10,000 and 100,000 nodes: the focus view, closures, and what peers take for the same, in one run.

    python benchmarks/lineage.py [--size 1000 --size 100000] [--views 300] [--folder .]

A store of each size is written event by event, as a user's is. A focus view is query, layout and a frame of 200 x 50 cells. Layouts are compared on
the same views: grandalf, fast-sugiyama and networkx where the Python named by CARNET_PEERS_PYTHON has them, Graphviz where CARNET_PEERS_DOT names it
or `dot` is installed. Crossings are counted twice: of the lines as they are drawn, where an engine says how (Carnet its cells, Graphviz its curves), which is
what an eye has to follow; and, alike for all, of straight lines between where the nodes were put, which nobody draws.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ledger as ledgers
from measuring import Row, table

from carnet_store.core import canonical
from carnet_store.core.event import Draft, birth_entity
from carnet_store.storage import arrays
from carnet_store.storage.graph import Graph
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects
from carnet_store.storage.project import Project
from carnet_tui.layers import Layers, arrange
from carnet_tui.layers_picture import Box, Picture, of_focus

FOCUS_BAR = 15.0
"""Milliseconds that 99 of 100 focus views may take at 100,000 nodes."""
CLOSURE_BAR = 20.0
"""Milliseconds that 16,000 ancestors may take."""
CLOSURE = 16_000
EACH = 900
COMPARED = 40
"""Views that every layout engine draws."""
CROSSED = 1.1
"""Crossings of the lines as drawn, at most, for each of the best peer's."""
STEPS = 8
"""Straight pieces in which a curve is followed."""

Pair = tuple[int, int]
Point = tuple[float, float]


# --- a store ----------------------------------------------------------------------------------------------------------


def lineage(nodes: int, seed: int = 7) -> tuple[list[str], list[tuple[int, str, int]]]:
    """Return kinds, and edges (from, relation, to): teams whose runs build on each other's newest things and on a few old favourites."""
    chance = random.Random(seed)
    kinds: list[str] = []
    edges: list[tuple[int, str, int]] = []

    def new(kind: str) -> int:
        kinds.append(kind)
        return len(kinds) - 1

    teams = max(1, nodes // 4_000)
    things = [[new("dataset"), new("dataset"), new("code"), new("environment")] for _ in range(teams)]
    favourites = [[mine[0], mine[2], mine[3]] for mine in things]
    while len(kinds) < nodes:
        team = chance.randrange(teams)
        mine = things[team] if chance.random() < 0.97 else things[chance.randrange(teams)]
        if chance.random() < 0.06:
            thing = new(chance.choice(("dataset", "code", "environment")))
            if chance.random() < 0.5:
                edges.append((thing, "from", chance.choice(mine)))
            if chance.random() < 0.05:
                favourites[team].append(thing)
            things[team].append(thing)
            continue
        run = new("run")
        used = set()
        for _ in range(chance.randint(4, 12)):
            which = chance.random()
            if which < 0.15:
                used.add(chance.choice(favourites[team]))
            else:
                used.add(mine[max(0, len(mine) - 1 - int(chance.expovariate(1 / 200)))])
        edges += [(run, "used", one) for one in sorted(used)]
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
            kind = chance.choices(("feature", "model", "check", "dataset", "deployment"), (30, 38, 18, 10, 4))[0]
            made = new(kind)
            edges.append((run, "made", made))
            edges += [(made, "from", one) for one in sorted(used)[: chance.randint(1, 6)]]
            if kind in ("feature", "model", "dataset"):
                things[team].append(made)
    return kinds, edges


def build(path: Path, nodes: int) -> tuple[int, int]:
    """Write a ledger with such a lineage; return how many nodes and edges it has."""
    kinds, edges = lineage(nodes)
    key = ledgers.CHAIN.public.hex()
    ids: list[str] = []

    def drafts() -> Iterator[Draft]:
        for at, kind in enumerate(kinds):
            value = {
                "name": f"{kind}-{at}",
                "attrs": {"experiment": f"e{at % 17}", "source": "x", "owner": "y"},
                "params": {"seed": str(at)},
            }
            salt = hashlib.sha256(b"%d" % at).hexdigest()[:32]
            ids.append(birth_entity(kind, key, canonical.commitment(salt, canonical.encode(value))))
            yield Draft(ids[-1], "entity.declared", "", value, salt)
        for at, (src, relation, dst) in enumerate(edges):
            value = {"relation": relation, "to": ids[dst]}
            yield Draft(
                ids[src],
                "edge.linked",
                f"{relation}:{ids[dst]}",
                value,
                hashlib.sha256(b"edge %d" % at).hexdigest()[:32],
            )

    ledger_id, first = ledgers.first_changes()
    made = Ledger(path, create=True, ledger=ledger_id)
    made.append(ledgers.CHAIN, first, ledgers.CLOCK)
    waiting = drafts()
    clock = ledgers.CLOCK
    while batch := _batches(waiting):
        clock += 60_000
        made.append_many(ledgers.CHAIN, batch, clock)
    made.close()
    return len(kinds), len(edges)


def _batches(waiting: Iterator[Draft]) -> list[list[Draft]]:
    found = []
    while len(found) < 20 and (some := list(itertools.islice(waiting, EACH))):
        found.append(some)
    return found


# --- what Carnet takes ------------------------------------------------------------------------------------------------


def opened(path: Path) -> Project:
    return Project(Ledger(path), Objects(path.parent / "objects"), None, lambda: ledgers.CLOCK)  # type: ignore[arg-type]


def milliseconds(work: Callable[[], Any], times: int = 1) -> float:
    """Return the processor time of `work`, the least of some times."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1000)
    return min(taken)


def view(graph: Graph, entity: str, up: int, down: int, fan: int) -> tuple[float, float, float]:
    """Return the milliseconds of a focus view's query, layout and frame."""
    start = time.process_time()
    found = graph.focus(entity, up, down, fan=fan)
    asked = time.process_time()
    picture = of_focus(found)
    drawn = time.process_time()
    x, y = picture.window(entity, 200, 50)
    picture.frame(x, y, 200, 50, chosen=entity)
    end = time.process_time()
    return (asked - start) * 1000, (drawn - asked) * 1000, (end - drawn) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def near_closure(graph: Graph, wanted: int) -> tuple[int, int]:
    """Return the node whose ancestors number nearest to `wanted`, among some, and how many those are."""
    chance = random.Random(3)
    held = graph.arrays
    tried = [no for no in chance.sample(range(held.nodes), min(held.nodes, 300)) if held.known[no]]
    sizes = {no: sum(map(len, graph.levels([no], up=True))) for no in tried}
    best = min(sizes, key=lambda no: abs(sizes[no] - wanted))
    return best, sizes[best]


def measure(path: Path, nodes: int, edges: int, views: int) -> tuple[list[Row], list[Laid]]:
    """Measure a store; return the rows, and the compared views as Carnet lays them out."""
    project = opened(path)
    graph = project.graph
    size = f"{nodes:,} nodes"
    entities = [
        row[0]
        for row in graph.db.execute(
            "SELECT id FROM entity WHERE birth IS NOT NULL AND kind <> 'person' AND kind <> 'ledger' ORDER BY no"
        )
    ]
    chance = random.Random(2)
    chosen = chance.sample(entities, min(views, len(entities)))
    hubs = [
        row[0]
        for row in graph.db.execute(
            "SELECT e.id FROM edge g JOIN entity e ON e.no = g.dst GROUP BY g.dst ORDER BY count(*) DESC LIMIT 20"
        )
    ]
    rows = [Row(f"first walk from the tables, {size}", milliseconds(lambda: project.walk(chosen[0], up=True)))]
    cold = [sum(view(graph, one, 1, 1, 10)) for one in chosen[:50]]
    rows.append(Row(f"focus 1+1 before the arrays, p50, {size}", statistics.median(cold)))
    rows.append(Row(f"load the arrays ({edges:,} edges)", milliseconds(lambda: graph.arrays)))
    for name, some in (("", chosen), (", hubs", hubs)):
        for up, down, fan in ((1, 1, 10), (2, 2, 10)):
            taken = [view(graph, one, up, down, fan) for one in some]
            whole = [sum(one) for one in taken]
            bar = FOCUS_BAR if nodes >= 100_000 and (some is chosen or up == down == 1) else 0
            rows.append(Row(f"focus {up}+{down} fan {fan}{name}, p50, {size}", statistics.median(whole)))
            rows.append(Row(f"focus {up}+{down} fan {fan}{name}, p99, {size}", percentile(whole, 0.99), bar=bar))
            parts = [statistics.median(part) for part in zip(*taken, strict=True)]
            rows.append(Row(f"  of it query; layout {parts[1]:.2f}, frame {parts[2]:.2f}", parts[0]))
    start, count = near_closure(graph, CLOSURE)
    bar = CLOSURE_BAR if abs(count - CLOSURE) < CLOSURE // 4 else 0
    rows.append(Row(f"{count:,} ancestors, {size}", milliseconds(lambda: graph.levels([start], up=True), 7), bar=bar))
    hub = graph.number(hubs[0])
    downs = sum(map(len, graph.levels([hub], up=False)))
    rows.append(Row(f"{downs:,} descendants of a hub, {size}", milliseconds(lambda: graph.levels([hub], up=False), 7)))
    last = entities[-1]
    rows.append(Row(f"why, hub to newest, {size}", milliseconds(lambda: graph.why(hubs[0], last), 3)))
    rows.append(Row(f"tree of 500 lines, {size}", milliseconds(lambda: graph.tree(last, limit=500), 3)))
    rows.append(Row(f"impact of a hub, {size}", milliseconds(lambda: graph.impact(hubs[0]), 3)))
    rows.append(
        Row(
            f"select `2+kind:model,since:14d+1`, {size}",
            milliseconds(lambda: graph.select("2+(kind:model,since:14d)+1"), 3),
        )
    )
    rows.append(Row(f"look for cycles, {size}", milliseconds(graph._find_back, 3)))
    rows.append(Row(f"overview by kind, {size}", milliseconds(lambda: graph.overview(), 3)))
    laid = []
    for one in chosen[:COMPARED]:
        found = graph.focus(one, 2, 2, fan=10)
        number = {node.row.id: at for at, node in enumerate(found.nodes)}
        ties = sorted({(number[link.first], number[link.last]) for link in found.links})
        taken = milliseconds(lambda ties=ties, number=number: arrange(len(number), ties))
        made = arrange(len(number), ties)
        at = {v: (float(made.layer[v]), float(made.row[v])) for v in range(len(number))}
        laid.append(Laid(ties, taken, crossings(ties, at), bridges(made)))
    peers = PEERS.get_closure(path, start)
    if peers is not None:
        rows.append(Row(f"{count:,} ancestors in networkx, {size}", peers))
    arrays.forget(str(path))
    project.ledger.close()
    return rows, laid


# --- peers ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Laid:
    """A view as an engine lays it out: its edges, milliseconds, crossings of straight lines, crossings of the lines as drawn (-1: not told)."""

    edges: list[Pair]
    taken: float
    straight: int
    drawn: int = -1


def crossings(edges: Sequence[Pair], at: dict[int, Point]) -> int:
    """Return how many of the straight lines between placed nodes cross; lines that share an end do not."""
    return crossed({edge: [at[edge[0]], at[edge[1]]] for edge in edges})


def crossed(lines: Mapping[Pair, Sequence[Point]]) -> int:
    """Return how often the lines of edges cross, each a row of points from left to right; those of edges that share an end do not."""

    def side(a: Point, b: Point, c: Point) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    found = 0
    for (one, mine), (other, theirs) in itertools.combinations(lines.items(), 2):
        if len({*one, *other}) < 4 or mine[0][0] > theirs[-1][0] or theirs[0][0] > mine[-1][0]:
            continue
        for p, q in itertools.pairwise(mine):
            for r, s in itertools.pairwise(theirs):
                found += side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0
    return found


def bridges(made: Layers) -> int:
    """Return how often a line of Carnet's picture passes under another one."""
    picture = Picture(made, [Box(str(v), "", str(v)) for v in range(made.nodes)])
    lines = ["".join(text for text, _ in line) for line in picture.frame(0, 0, picture.width, picture.height)]
    found = 0
    for line in lines:
        runs = False  # whether a line comes in from the left
        for sign in line:
            found += runs and sign in "│┌├└"
            runs = sign in "─┌├└┬┴┼" or (runs and sign == "│")
    return found


def curve(ends: Sequence[Point]) -> list[Point]:
    """Return points on a row of cubic Bézier curves, as Graphviz gives them."""
    found = [ends[0]]
    for at in range(0, len(ends) - 1, 3):
        a, b, c, d = ends[at : at + 4]
        for step in range(1, STEPS + 1):
            t = step / STEPS
            w, x, y, z = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
            found.append((w * a[0] + x * b[0] + y * c[0] + z * d[0], w * a[1] + x * b[1] + y * c[1] + z * d[1]))
    return found


WORKER = r"""
import json, sys, time
def grandalf(edges):
    from grandalf.graphs import Vertex, Edge, Graph
    from grandalf.layouts import SugiyamaLayout
    class Box: w = h = 10
    nodes = sorted({n for e in edges for n in e}); v = {n: Vertex(n) for n in nodes}
    g = Graph(list(v.values()), [Edge(v[a], v[b]) for a, b in edges])
    for one in v.values(): one.view = Box()
    for part in g.C:
        s = SugiyamaLayout(part); s.init_all(); s.draw()
    return {n: (v[n].view.xy[1], v[n].view.xy[0]) for n in nodes}
def fast_sugiyama(edges):
    from fast_sugiyama import from_edges
    return {n: (-y, x) for n, (x, y) in from_edges(edges).to_dict().items()}
def networkx(edges):
    import networkx as nx
    g = nx.DiGraph(edges)
    for layer, nodes in enumerate(nx.topological_generations(g)):
        for n in nodes: g.nodes[n]["layer"] = layer
    return {n: (float(p[0]), float(p[1])) for n, p in nx.multipartite_layout(g, subset_key="layer").items()}
engines = {}
for name, engine in (("grandalf", grandalf), ("fast-sugiyama", fast_sugiyama), ("networkx", networkx)):
    try:
        engine([(0, 1), (1, 2), (0, 2)]); engines[name] = engine
    except ImportError: pass
asked = json.load(sys.stdin)
if "pairs" in asked:
    import sqlite3
    try: import networkx as nx
    except ImportError: print("null"); sys.exit()
    db = sqlite3.connect(asked["pairs"]); made = db.execute("SELECT no FROM word WHERE text = 'made'").fetchone()[0]
    g = nx.DiGraph((s, d) if r == made else (d, s) for s, r, d in db.execute("SELECT src, rel, dst FROM edge"))
    taken = []
    for _ in range(5):
        a = time.process_time(); nx.ancestors(g, asked["node"]); taken.append((time.process_time() - a) * 1000)
    print(min(taken)); sys.exit()
out = {}
for name, engine in engines.items():
    rows = []
    for edges in asked["views"]:
        edges = [tuple(e) for e in edges]; a = time.process_time()
        try: at = engine(edges)
        except Exception as error: rows.append([None, str(error)]); continue
        rows.append([(time.process_time() - a) * 1000, {str(k): v for k, v in at.items()}])
    out[name] = rows
print(json.dumps(out))
"""


class Peers:
    """Other engines, where they are at hand."""

    def __init__(self) -> None:
        self.python = os.environ.get("CARNET_PEERS_PYTHON", "")
        self.dot = os.environ.get("CARNET_PEERS_DOT", "") or shutil.which("dot") or ""

    def _ask(self, asked: dict[str, Any]) -> Any:
        done = subprocess.run(
            [self.python, "-c", WORKER], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    def get_closure(self, path: Path, node: int) -> float | None:
        """Return the milliseconds of networkx for the ancestors of a node; None where it is not at hand."""
        return self._ask({"pairs": str(path), "node": node}) if self.python else None

    def layouts(self, views: Sequence[list[Pair]]) -> dict[str, list[Laid | None]]:
        """Return what each engine makes of each view; None where the engine failed."""
        found: dict[str, list[Laid | None]] = {}
        if self.python:
            for name, rows in self._ask({"views": views}).items():
                found[name] = [
                    Laid(edges, ms, crossings(edges, {int(k): tuple(v) for k, v in at.items()}))
                    if ms is not None
                    else None
                    for edges, (ms, at) in zip(views, rows, strict=True)
                ]
        if self.dot:
            found["dot (whole process)"] = [self._dot(edges) for edges in views]
        return found

    def _dot(self, edges: list[Pair]) -> Laid:
        text = "digraph g { rankdir=LR; node [shape=box];" + "".join(f"n{a} -> n{b};" for a, b in edges) + "}"
        before = os.times()
        done = subprocess.run([self.dot, "-Tplain"], input=text, capture_output=True, text=True, check=True)
        after = os.times()
        taken = (after.children_user + after.children_system - before.children_user - before.children_system) * 1000
        at: dict[int, Point] = {}
        lines: dict[Pair, list[Point]] = {}
        for what, *words in map(str.split, done.stdout.splitlines()):
            if what == "node":
                at[int(words[0][1:])] = (float(words[1]), float(words[2]))
            elif what == "edge":
                numbers = [float(word) for word in words[3 : 3 + 2 * int(words[2])]]
                lines[int(words[0][1:]), int(words[1][1:])] = curve(list(zip(numbers[::2], numbers[1::2], strict=True)))
        return Laid(edges, taken, crossings(edges, at), crossed(lines))


PEERS = Peers()


def compare(views: Sequence[Laid]) -> list[Row]:
    """Return a row for each engine: the median of its layouts, and the crossings of all views together."""
    ours = [one for one in views if one.edges]
    peers = PEERS.layouts([one.edges for one in ours])
    rows = []
    fewest = 0
    for name, found in {**peers, "Carnet": ours}.items():
        good = [one for one in found if one is not None]
        failed = f", failed on {len(found) - len(good)}" if len(good) < len(found) else ""
        drawn = sum(one.drawn for one in good)
        if name != "Carnet" and not failed and drawn >= 0:
            fewest = min(fewest or drawn, drawn)
        told = f"{drawn:,} crossings as drawn, " if drawn >= 0 else ""
        straight = sum(one.straight for one in good)
        words = f"layout by {name}: {told}{straight:,} of straight lines in {len(good)} views{failed}"
        rows.append(Row(words, statistics.median(one.taken for one in good)))
    if fewest:
        drawn = sum(one.drawn for one in ours)
        rows.append(Row("crossings as drawn", drawn, "", "the best peer's", fewest, bar=CROSSED * fewest))
    return rows


def rows(sizes: Sequence[int], views: int, folder: Path) -> list[Row]:
    """Measure every size."""
    found: list[Row] = []
    for size in sizes:
        path = folder / f"lineage-{size}.db"
        start = time.perf_counter()
        nodes, edges = build(path, size) if not path.exists() else _counted(path)
        print(
            f"{nodes:,} nodes, {edges:,} edges: {path.stat().st_size / 2**20:,.0f} MiB, written in {time.perf_counter() - start:.0f} s",
            flush=True,
        )
        measured, laid = measure(path, nodes, edges, views)
        found += measured
        found += compare(laid)
    return found


def _counted(path: Path) -> tuple[int, int]:
    db = sqlite3.connect(path)
    counts = db.execute(
        "SELECT (SELECT count(*) FROM entity WHERE birth IS NOT NULL), (SELECT count(*) FROM edge)"
    ).fetchone()
    db.close()
    return counts[0], counts[1]


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, action="append", help="nodes; may be given several times")
    parser.add_argument("--views", type=int, default=300, help="focus views to measure at each size")
    parser.add_argument("--folder", type=Path, help="where to keep the stores (default: nowhere)")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="carnet-benchmark-"))
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors", flush=True)
    try:
        found = rows(chosen.size or [1_000, 10_000, 100_000], chosen.views, folder)
    finally:
        if chosen.folder is None:
            shutil.rmtree(folder)
    print(table(found))
    return 0 if all(row.held for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
