"""The lineage of a project as a graph: every question that screens and commands ask of it, answered fast at 100,000 nodes.

Nodes are named by entity id at the door and by local number within. Up is what a node comes from, down is what came of it. Only edges that stand now
are seen; one that was taken back is in no answer. Questions about all of it load the arrays (`storage/arrays.py`); names, the focus and short walks are
read from the tables alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

from carnet_store.core.fold import Change
from carnet_store.domain import lineage_diff, paths
from carnet_store.domain.lineage import NODES, Node, read_node
from carnet_store.domain.lineage_diff import LineageDiff
from carnet_store.domain.paths import ALL
from carnet_store.domain.selection import Selection, parse
from carnet_store.errors import NotFound, Usage
from carnet_store.storage import arrays as arrays_of
from carnet_store.storage import selecting
from carnet_store.storage.arrays import KINDS, Arrays
from carnet_store.storage.graph_values import Link, Overview, Totals, TreeLine, Why
from carnet_store.storage.project import EntityRow
from carnet_store.storage.schema import INDEX_BITS

if TYPE_CHECKING:
    from carnet_store.domain.columns import Columns, Trace
    from carnet_store.storage.focusing import Focus
    from carnet_store.storage.impact import Impact
    from carnet_store.storage.project import Project

T = TypeVar("T")
AT_ONCE: Final = 20_000
"""Rows that one statement is asked for."""
READ_AT_MOST: Final = 5_000
"""Pairs of nodes whose values a comparison reads; those nearest to the two come first."""
HUB: Final = 2_000
"""Neighbours on one side from which on a node is a hub: only its newest are read."""
OTHER: Final = "other"
"""The kind, in counts, of what an edge leads to and no lineage kind names."""
VIEWS: Final = ("kind", "stage", "source", "experiment", "person")
"""What an overview can be by; `attr.KEY` and `param.KEY` besides."""


class Graph:
    """The lineage of one project. Not for several threads at once, as its project."""

    def __init__(self, project: Project) -> None:
        """Ask `project`'s ledger."""
        self.project = project
        self.db: sqlite3.Connection = project.ledger.db
        self._place = str(project.path)
        self._arrays: Arrays | None = None
        self._checked: tuple[int, int] = (-1, -1)
        self._memory: dict[str, Any] = {}
        self._memory_of: tuple[str, str] = ("", "")

    # -- what is kept ----------------------------------------------------------------------------------------------------

    @property
    def arrays(self) -> Arrays:
        """The arrays as the ledger stands; loaded where they are not (0.7 s at 550,000 edges)."""
        now = (int(self.db.execute("PRAGMA data_version").fetchone()[0]), self.db.total_changes)
        if self._arrays is None or now != self._checked:
            self._arrays, self._checked = arrays_of.load(self.db, self._place), now
        return self._arrays

    @property
    def loaded(self) -> bool:
        """Whether the arrays are at hand: questions that need them answer at once."""
        return arrays_of.kept(self.db, self._place) is not None

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """Return what was made under a name while the ledger stood as it stands; made now where there is none."""
        stamp = arrays_of.stamp_of(self.db)
        if stamp != self._memory_of:
            self._memory, self._memory_of = {}, stamp
        if name not in self._memory:
            self._memory[name] = make()
        found: T = self._memory[name]
        return found

    def word(self, text: str) -> int:
        """Return the local number of a word, -1 where the ledger has none."""
        row = self.db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
        return int(row[0]) if row else -1

    # -- numbers and rows ------------------------------------------------------------------------------------------------

    def find(self, entity: str) -> int | None:
        """Return a node's number, None where nothing is known of it."""
        row = self.db.execute("SELECT no FROM entity WHERE id = ?", (entity,)).fetchone()
        return int(row[0]) if row else None

    def number(self, entity: str) -> int:
        """Return a node's number.

        Raises:
            NotFound: there is no such node.
        """
        found = self.find(entity)
        if found is None or not self.lineage({found}):
            raise NotFound(f"there is no node {entity}", "`carnet list` shows what there is")
        return found

    def lineage(self, numbers: Collection[int]) -> set[int]:
        """Return those of some entities that are nodes of the lineage: declared, or an edge stands at them."""
        rows = self.db.execute(
            "SELECT e.no, e.kind, e.birth IS NOT NULL OR EXISTS (SELECT 1 FROM edge WHERE src = e.no) FROM json_each(?) j JOIN entity e ON e.no = j.value",
            (json.dumps(list(numbers)),),
        ).fetchall()
        found = {no for no, kind, born in rows if born and kind in NODES}
        rest = [no for no, _, _ in rows if no not in found]
        return found | {
            no for no in rest if self.db.execute("SELECT 1 FROM edge WHERE dst = ? LIMIT 1", (no,)).fetchone()
        }

    def rows(self, numbers: Sequence[int]) -> list[EntityRow]:
        """Return the rows of these numbers, in their order."""
        found: dict[int, EntityRow] = {}
        for at in range(0, len(numbers), AT_ONCE):
            found |= {
                row[0]: EntityRow(*row[1:])
                for row in self.db.execute(
                    "SELECT e.no, e.id, e.kind, e.name, e.version, e.t, e.last FROM json_each(?) j JOIN entity e ON e.no = j.value",
                    (json.dumps(list(numbers[at : at + AT_ONCE])),),
                )
            }
        return [found[no] for no in numbers]

    def nodes(self, numbers: Sequence[int]) -> Iterator[Node | EntityRow]:
        """Yield what is known of each number, in their order: the node, or only its row where it is not declared here."""
        for at in range(0, len(numbers), 500):
            some = list(numbers[at : at + 500])
            changes: dict[str, list[Change]] = {}
            for change in self.project.ledger.projection.select(
                "WHERE c.entity IN (SELECT value FROM json_each(?)) ORDER BY c.entity, c.id", (json.dumps(some),)
            ):
                changes.setdefault(change.entity, []).append(change)
            for row in self.rows(some):
                yield read_node(row.id, changes.get(row.id, ())) or row

    def ordered(self, numbers: Iterable[int]) -> list[int]:
        """Return numbers in the order of lists: newest first."""
        if self._arrays is not None and self.loaded:
            times = self.arrays.times
            return sorted(numbers, key=lambda no: (-times[no], -no))
        held = list(numbers)
        return [row[0] for row in self.db.execute(
            "SELECT e.no FROM json_each(?) j JOIN entity e ON e.no = j.value ORDER BY e.t DESC, e.no DESC", (json.dumps(held),)
        )]  # fmt: skip

    # -- selections ------------------------------------------------------------------------------------------------------

    def select(self, chosen: str | Selection) -> list[int]:
        """Return the numbers that a selection names, newest first; `rows` reads a page of them.

        Raises:
            SelectionError: it cannot be read. NotFound, Usage: it names a node or a person that is not there.
        """
        return self.ordered(selecting.find(self, parse(chosen) if isinstance(chosen, str) else chosen))

    def alike(self, name: str) -> list[int]:
        """Return the nodes whose name, or name and version, is this one but for capitals, newest first."""
        return self.ordered(selecting.alike(self, "", name))

    def stages(self) -> list[str]:
        """Return the stages at which model versions stand, by name."""
        return sorted(set(selecting.stages(self).values()))

    # -- closures --------------------------------------------------------------------------------------------------------

    def levels(self, numbers: Iterable[int], *, up: bool, hops: int = ALL, most: int = 0) -> list[list[int]]:
        """Return what lies before (or after) some nodes, by hops; they are level 0. `most` ends it after the level that passes it."""
        held = arrays_of.kept(self.db, self._place)
        if held is not None:
            return paths.levels(held.up if up else held.down, numbers, hops)
        found = [list(dict.fromkeys(numbers))]
        seen = set(found[0])
        while found[-1] and len(found) != hops + 1 and (not most or len(seen) <= most):
            level = [no for no in self._step(found[-1], up=up) if no not in seen]
            seen.update(level)
            if not level:
                break
            found.append(level)
        return found

    def _step(self, level: Sequence[int], *, up: bool) -> list[int]:
        """Return the neighbours of some nodes on one side, each once, from the tables."""
        rel = arrays_of.relations(self.db)
        back, forth = ("src", "dst") if up else ("dst", "src")
        return [row[0] for row in self.db.execute(
            f"SELECT g.{forth} FROM json_each(:level) j CROSS JOIN edge g ON g.{back} = j.value AND g.rel IN (:used, :from)"  # noqa: S608 (own words)
            f" UNION SELECT g.{back} FROM json_each(:level) j CROSS JOIN edge g ON g.{forth} = j.value AND g.rel = :made",
            {"level": json.dumps(level), "used": rel["used"], "from": rel["from"], "made": rel["made"]},
        )]  # fmt: skip

    def near(self, entity: str, *, up: bool, limit: int) -> tuple[tuple[tuple[str, EntityRow], ...], int]:
        """Return (relation, row) of what is one hop away, newest first, `made` last; and how many there are in all.

        Of a node with thousands on a side those are newest that came last into this ledger: sorting them all would take long.
        """
        rel = arrays_of.relations(self.db)
        back, forth = ("src", "dst") if up else ("dst", "src")
        found: list[tuple[bool, int, int, str, EntityRow]] = []
        total = 0
        for relation, mine, other in (("used", back, forth), ("from", back, forth), ("made", forth, back)):
            asked = (self.find(entity), rel[relation])
            where = f"FROM edge WHERE {mine} = ? AND rel = ?"
            count = int(self.db.execute(f"SELECT count(DISTINCT {other}) {where}", asked).fetchone()[0])
            total += count
            far = f"SELECT DISTINCT {other} AS far {where} ORDER BY {other} DESC LIMIT ?"
            sql = f"SELECT e.id, e.kind, e.name, e.version, e.t, e.last, e.no FROM ({far}) JOIN entity e ON e.no = far"  # noqa: S608
            found += [
                (relation == "made", -row[4], -row[6], relation, EntityRow(*row[:6]))
                for row in self.db.execute(sql, (*asked, count if count <= HUB else limit))
            ]
        found.sort(key=lambda one: one[:4])
        return tuple((one[3], one[4]) for one in found[:limit]), total

    def reach(self, numbers: Iterable[int], up: int, down: int) -> set[int]:
        """Return nodes with what lies `up` hops before and `down` hops after them; `ALL` is every hop, 0 none."""
        start = set(numbers)
        found = set(start)
        if up:
            found.update(*self.levels(start, up=True, hops=up))
        if down:
            found.update(*self.levels(start, up=False, hops=down))
        return found

    def walk(self, entity: str, *, up: bool, hops: int = ALL) -> list[tuple[int, int]]:
        """Return (number, hops) of everything a node comes from, or that came of it, nearest first; without the node."""
        return [
            (no, at)
            for at, level in enumerate(self.levels([self.number(entity)], up=up, hops=hops))
            for no in sorted(level)
            if at
        ]

    def between(self, firsts: Iterable[int], lasts: Iterable[int]) -> set[int]:
        """Return what lies on paths from some nodes down to others, ends included; empty where no path leads there."""
        held = self.arrays
        return paths.between(held.up, held.down, firsts, lasts)

    def totals(self, entity: str) -> Totals:
        """Return how much lies before and after a node, by kind."""
        no, held = self.number(entity), self.arrays
        counts = [
            self.by_kind(other for level in paths.levels(one, [no])[1:] for other in level)
            for one in (held.up, held.down)
        ]
        return Totals(*counts)

    def by_kind(self, numbers: Iterable[int]) -> dict[str, int]:
        """Count nodes by kind, deployments first, then in the order of `NODES`."""
        kinds = self.arrays.kinds
        counts = Counter([kinds[no] for no in numbers])
        named = {KINDS[code] or OTHER: count for code, count in sorted(counts.items())}
        order = ("deployment", *NODES, OTHER)
        return {kind: named[kind] for kind in dict.fromkeys(order) if kind in named}

    # -- edges -----------------------------------------------------------------------------------------------------------

    def links(self, numbers: Collection[int], *, marks: bool = True) -> list[Link]:
        """Return the edges within a set of nodes, in the order of the table; each relation once.

        `marks` says which close a cycle; without it nothing is loaded.
        """
        inside = set(numbers)
        names = {row_no: row_id for row_no, row_id in self._ids(sorted(inside))}
        back = self.back if marks else frozenset()
        rel = {no: name for name, no in arrays_of.relations(self.db).items() if no >= 0}
        found = []
        order = sorted(inside)
        for at in range(0, len(order), AT_ONCE):
            for src, relation, dst in self.db.execute(
                "SELECT DISTINCT g.src, g.rel, g.dst FROM json_each(?) j CROSS JOIN edge g ON g.src = j.value",
                (json.dumps(order[at : at + AT_ONCE]),),
            ):
                if dst in inside and relation in rel:
                    flow = (src, dst) if rel[relation] == "made" else (dst, src)
                    found.append(Link(names[src], rel[relation], names[dst], flow in back))
        return found

    def _ids(self, numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
        for at in range(0, len(numbers), AT_ONCE):
            yield from self.db.execute(
                "SELECT e.no, e.id FROM json_each(?) j JOIN entity e ON e.no = j.value",
                (json.dumps(list(numbers[at : at + AT_ONCE])),),
            )

    def relations(self, numbers: Collection[int]) -> dict[tuple[str, str], str]:
        """Return the relation between the ends of each edge within a set, by (first, last); several in one text."""
        found: dict[tuple[str, str], str] = {}
        for link in self.links(numbers, marks=False):
            held = found.get((link.first, link.last))
            found[link.first, link.last] = f"{held}, {link.relation}" if held else link.relation
        return found

    @property
    def back(self) -> frozenset[tuple[int, int]]:
        """Edges (first, last) that close a cycle, when all are added in the order of their change ids: the same on every replica."""
        return self.remembered("back", self._find_back)

    def _find_back(self) -> frozenset[tuple[int, int]]:
        held = self.arrays
        made = arrays_of.relations(self.db)["made"]
        found: list[tuple[int, int]] = []
        for group in paths.cycles(held.up, held.down):
            inside = set(group)
            edges = []
            for src, relation, dst, digest, index in self.db.execute(
                f"SELECT g.src, g.rel, g.dst, v.hash, g.change & {(1 << INDEX_BITS) - 1} FROM json_each(?) j CROSS JOIN edge g ON g.src = j.value"  # noqa: S608 (own words)
                f" JOIN event v ON v.id = g.change >> {INDEX_BITS} JOIN word w ON w.no = g.rel WHERE w.text IN ('used', 'made', 'from')",
                (json.dumps(group),),
            ):
                if dst in inside:
                    edges.append((digest, index, (src, dst) if relation == made else (dst, src)))
            edges.sort()
            found += paths.closing(dict.fromkeys(flow for _, _, flow in edges))
        return frozenset(found)

    # -- trees -----------------------------------------------------------------------------------------------------------

    def tree(
        self, entity: str, *, up: bool = True, hops: int = ALL, limit: int = 2_000, fan: int = 0, without: str = ""
    ) -> list[TreeLine]:  # fmt: skip
        """Return what a node comes from (or what came of it) as lines; each node is expanded once, at its shallowest place.

        Args:
            entity: the root.
            up: towards what it comes from, or towards what came of it.
            hops: how deep.
            limit: lines at most; the rest is counted where it would stand.
            fan: lines under one node at most; 0 is all.
            without: a kind whose nodes are stepped over, as far as `hops` lead; then there is no `fan`.

        Raises:
            NotFound: there is no such node.
        """
        if without:
            from carnet_store.storage import stepping

            return stepping.tree(self, entity, up=up, hops=hops, kind=without, limit=limit)
        return self._tree([self.number(entity)], up=up, hops=hops, limit=limit, fan=fan)

    def forest(self, numbers: Collection[int], *, up: bool = True, limit: int = 2_000) -> list[TreeLine]:
        """Return a set of nodes as trees within it: roots are those that nothing else of the set leads to."""
        held = self.arrays
        inside = paths.marks(held.nodes, numbers)
        side, other = (held.up, held.down) if up else (held.down, held.up)
        order = self.ordered(numbers)
        roots = [no for no in order if not any(inside[far] for far in other.of(no) if far != no)]
        reached = set().union(*paths.levels(side, roots, within=inside))
        for no in order:  # a cycle that nothing leads into begins at its newest node
            if no not in reached:
                roots.append(no)
                reached.update(*paths.levels(side, [no], within=inside))
        return self._tree(roots[:limit], up=up, limit=limit, within=inside)

    def _tree(
        self, roots: Sequence[int], *, up: bool, hops: int = ALL, limit: int, fan: int = 0, within: bytearray | None = None
    ) -> list[TreeLine]:  # fmt: skip
        held, back = self.arrays, self.back
        times, kinds = held.times, held.kinds
        branches = paths.tree(
            held.up if up else held.down, roots, hops, limit, fan, lambda no: (kinds[no], -times[no], -no), within
        )
        shown = dict.fromkeys(branch.node for branch in branches)
        rows = dict(zip(shown, self.rows(list(shown)), strict=True))
        relations = self.relations(shown.keys())
        found = []
        for branch in branches:
            named, closes = "", False
            if branch.parent >= 0:
                above = branches[branch.parent].node
                flow = (branch.node, above) if up else (above, branch.node)
                named = relations.get((rows[flow[0]].id, rows[flow[1]].id), "")
                closes = flow in back
            found.append(
                TreeLine(
                    rows[branch.node], named, branch.depth, branch.parent, branch.last, branch.seen, branch.more, closes
                )
            )
        return found

    # -- why -------------------------------------------------------------------------------------------------------------

    def why(self, first: str, last: str, most: int = 3) -> Why:
        """Return the `most` shortest paths between two nodes and what stands on all of them; either way round.

        Raises:
            NotFound: one of them is not there.
        """
        held = self.arrays
        a, b = self.number(first), self.number(last)
        turned = False
        found = paths.ways(held.up, held.down, a, b, most)
        if not found.paths:
            other = paths.ways(held.up, held.down, b, a, most)
            if other.paths:
                found, turned, a, b = other, True, b, a
        numbers = list(dict.fromkeys((a, b, *(no for path in found.paths for no in path), *found.choke)))
        rows = dict(zip(numbers, self.rows(numbers), strict=True))
        named = self.relations(numbers)
        return Why(
            rows[a], rows[b],
            tuple(tuple(rows[no] for no in path) for path in found.paths),
            tuple(
                tuple(named.get((rows[x].id, rows[y].id), "") for x, y in pairwise(path))
                for path in found.paths
            ),
            tuple(rows[no] for no in found.choke), max(0, found.between), found.total, found.complete, turned,
        )  # fmt: skip

    # -- the whole -------------------------------------------------------------------------------------------------------

    def overview(self, by: str = "kind", numbers: Collection[int] | None = None) -> Overview:
        """Collapse the graph (or a set of its nodes) by a property of `VIEWS`, `attr.KEY` or `param.KEY`.

        By stage, a model version stands for where it is and everything else for its kind.

        Raises:
            Usage: there is no such property.
        """
        held = self.arrays
        inside = held.everything() if numbers is None else sorted(numbers)
        chosen = set(inside)
        label = self._labels(by)
        names: dict[str, int] = {}
        group = [-1] * held.nodes
        for no in inside:
            group[no] = names.setdefault(label(no), len(names))
        texts = list(names)
        sizes, joined = paths.quotient(held.up, group)
        within = None if numbers is None else paths.marks(held.nodes, inside)
        return Overview(
            by,
            tuple(sorted(((texts[one], count) for one, count in sizes.items()), key=lambda pair: (-pair[1], pair[0]))),
            tuple(
                sorted(
                    ((texts[one], texts[other], count) for (one, other), count in joined.items()),
                    key=lambda row: (-row[2], row[0], row[1]),
                )
            ),
            tuple(len(part) for part in paths.components(held.up, held.down, inside, within)),
            sum(one in chosen and other in chosen for one, other in self.back),
            held.strange,
        )

    def _labels(self, by: str) -> Callable[[int], str]:
        kinds = self.arrays.kinds
        if by == "kind":
            return lambda no: KINDS[kinds[no]] or OTHER
        if by == "stage":
            stages = selecting.stages(self)
            return lambda no: stages.get(no, "") or KINDS[kinds[no]] or OTHER
        if by == "person":
            people = self.persons()
            names = {person: self.project.person_name(person) for person in set(people.values())}
            return lambda no: names.get(people.get(no, ""), "")
        if by in VIEWS or by.partition(".")[0] in ("attr", "param"):
            held = selecting.values(self, {"source": "source", "experiment": "attr.experiment"}.get(by, by))
            return lambda no: _label(held.get(no))
        raise Usage(f"there is no overview by {by!r}", f"by {', '.join(VIEWS)}, attr.KEY or param.KEY")

    def persons(self, numbers: Collection[int] | None = None) -> dict[int, str]:
        """Return who declared each node (of some numbers, or of all), as person ids."""
        texts: dict[int, str] = dict(self.db.execute("SELECT no, text FROM word").fetchall())
        rows = self.db.execute("SELECT e.no, c.person FROM entity e JOIN change c ON c.id = e.birth")
        inside = None if numbers is None else set(numbers)
        return {no: texts[word] for no, word in rows if inside is None or no in inside}

    def marked(self) -> dict[str, str]:
        """Return what a recall concerns, by entity id: `recalled`, or `tainted` where it came of something recalled; empty where no recall stands."""
        return self.remembered("marked", self._find_marked)

    def _find_marked(self) -> dict[str, str]:
        bad = {no for no in (self.find(one.entity) for one in self.project.recalls()) if no is not None}
        if not bad:
            return {}
        tainted = self.reach(bad, 0, ALL) - bad
        return {entity: "recalled" if no in bad else "tainted" for no, entity in self._ids(sorted(bad | tainted))}

    # -- further questions -----------------------------------------------------------------------------------------------

    def focus(
        self, entity: str, up: int = 1, down: int = 1, *, fan: int = 10, limit: int = 120, keep: Collection[str] = (),
        without: str = "",
    ) -> Focus:  # fmt: skip
        """Return a node with its neighbourhood, many siblings folded: see `storage.focusing.focus`; `without` is a kind that is stepped over."""
        if without:
            from carnet_store.storage import stepping

            return stepping.focus(self, entity, up, down, kind=without, fan=fan, limit=limit, keep=keep)
        from carnet_store.storage.focusing import focus

        return focus(self, entity, up, down, fan=fan, limit=limit, keep=keep)

    def fields(self, entity: str) -> list[str]:
        """Return the columns of a thing: those of its schema, then those of which only an origin or a use is told."""
        from carnet_store.storage import tracing

        return tracing.fields(self, entity)

    @property
    def columns(self) -> Columns:
        """Which column came of which."""
        from carnet_store.storage import tracing

        return tracing.columns(self)

    def trace(self, entity: str, field: str, *, up: int = ALL, down: int = ALL, limit: int = 2_000) -> Trace:
        """Return where a column of a thing came from, and what came of it.

        Raises:
            NotFound: the thing has no such column.
        """
        from carnet_store.storage import tracing

        return tracing.columns(self).trace(tracing.column(self, entity, field), up=up, down=down, limit=limit)

    def impact(self, entity: str) -> Impact:
        """Return what a change of a node would touch: see `storage.impact.impact`."""
        from carnet_store.storage.impact import impact

        return impact(self, entity)

    def diff(self, left: str, right: str) -> LineageDiff:
        """Compare two nodes with all they come from: two model versions, two runs.

        Raises:
            NotFound: one of them is not there. Usage: they are of different kinds.
        """
        numbers = [self.number(left), self.number(right)]
        if left == right or left.partition(":")[0] != right.partition(":")[0]:
            raise Usage("only two nodes of one kind are compared", "name two model versions, or two runs")
        sides = [self.reach([no], ALL, 0) for no in numbers]
        same = (sides[0] & sides[1]) - set(numbers)
        # Only what differs is compared, and what it stands on tells whose input it was.
        apart = sorted((sides[0] | sides[1]) - same)
        lone = [sorted(side - same - {other}) for side, other in zip(sides, reversed(numbers), strict=True)]
        rows = {no: row for no, row in zip(apart, self.rows(apart), strict=True)}
        links = [(link.first, link.relation, link.last) for link in self.links(apart, marks=False)]
        pairing = lineage_diff.pair(
            left, right, [_thing(rows[no]) for no in lone[0]], [_thing(rows[no]) for no in lone[1]], links
        )
        wanted = [entity for pair in pairing.pairs[:READ_AT_MOST] for entity in pair]
        found = [no for no in (self.find(entity) for entity in wanted) if no is not None]
        nodes = {node.id: node for node in self.nodes(found) if isinstance(node, Node)}
        return lineage_diff.compare(pairing, nodes, len(same))


def _thing(row: EntityRow) -> lineage_diff.Thing:
    return lineage_diff.Thing(row.id, row.kind, row.name, row.version)


def _label(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
