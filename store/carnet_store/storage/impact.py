"""What a change of a node would touch: what came of it, the packages that hold it, the sign-offs that would turn stale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from carnet_store.domain import package, paths
from carnet_store.domain.handoff import Included, Opened
from carnet_store.domain.lineage import RELATIONS
from carnet_store.errors import CarnetError
from carnet_store.storage.arrays import CODES, relations
from carnet_store.storage.project import EntityRow
from carnet_store.storage.reading import typed_value

if TYPE_CHECKING:
    from carnet_store.domain.gate import SignoffStatus
    from carnet_store.storage.graph import Graph

LOOKED_AT_MOST: Final = 100
"""Handoffs whose verdict is computed; of further ones only that they hold the node is told."""
LISTED_AT_MOST: Final = 500
"""Deployments, and handoffs further down, that are listed; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A handoff as an impact names it. `signers` are (person id, role) of the sign-offs that would turn stale."""

    handoff: str
    model: EntityRow
    from_stage: str
    to_stage: str
    signers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of a node would touch.

    Attributes:
        node: the node.
        kinds: how much came of it, by kind; deployments first.
        steps: hops to the farthest of it.
        deployments: deployments made of it, newest first; at most `LISTED_AT_MOST`.
        stale: handoffs with sign-offs that would turn stale if its record changed, newest first.
        packages: handoffs whose package holds it without such a sign-off.
        below: handoffs of what came of it, whose package does not hold it.
        not_judged: handoffs whose package holds it and that were not looked at, because they are many or their template is not here.
    """

    node: EntityRow
    kinds: Mapping[str, int]
    steps: int
    deployments: tuple[EntityRow, ...]
    stale: tuple[Crossing, ...]
    packages: tuple[Crossing, ...]
    below: tuple[Crossing, ...]
    not_judged: tuple[Crossing, ...]

    @property
    def total(self) -> int:
        """How many nodes came of it."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class _Base:
    """What a handoff was opened for and what was linked to it, by number."""

    crossing: Crossing
    model: int | None
    numbers: frozenset[int]
    criteria: str


def impact(graph: Graph, entity: str) -> Impact:
    """Return what a change of a node would touch.

    Raises:
        NotFound: there is no such node.
    """
    no, held = graph.number(entity), graph.arrays
    found = paths.levels(held.down, [no])
    after = [other for level in found[1:] for other in level]
    reached = set(after)
    deployed = [other for other in graph.ordered(reached) if held.kinds[other] == CODES["deployment"]]
    through, made = _holders(graph, no, entity)
    stale: list[Crossing] = []
    packages: list[Crossing] = []
    below: list[Crossing] = []
    unseen: list[Crossing] = []
    looked = 0
    for base in _bases(graph):
        holds = base.criteria == entity or base.model in made or not through.isdisjoint(base.numbers)
        if not holds or not held.known[no]:
            if len(below) < LISTED_AT_MOST and not reached.isdisjoint(base.numbers):
                below.append(base.crossing)
            continue
        looked += 1
        signers = _would_turn(graph, base, entity) if looked <= LOOKED_AT_MOST else None
        if signers is None:
            unseen.append(base.crossing)
        elif signers:
            one = base.crossing
            stale.append(Crossing(one.handoff, one.model, one.from_stage, one.to_stage, signers))
        else:
            packages.append(base.crossing)
    return Impact(
        graph.rows([no])[0], graph.by_kind(after), len(found) - 1,
        tuple(graph.rows(deployed[:LISTED_AT_MOST])), tuple(stale), tuple(packages), tuple(below), tuple(unseen),
    )  # fmt: skip


def _bases(graph: Graph) -> Sequence[_Base]:
    """Return every handoff that is not abandoned, newest first, with what it was opened for and what was linked to it."""
    return graph.remembered("handoffs", lambda: _read_bases(graph))


def _read_bases(graph: Graph) -> list[_Base]:
    opened: dict[str, tuple[int, Opened]] = {}
    linked: dict[str, set[str]] = {}
    ended: set[str] = set()
    words = [graph.word(text) for text in ("handoff.opened!", "handoff.linked", "handoff.abandoned")]
    names = dict(zip(words, ("handoff.opened", "handoff.linked", "handoff.abandoned"), strict=True))
    for entity, t, kind, value in graph.db.execute(
        "SELECT e.id, e.t, c.kind, c.value FROM entity e JOIN change c ON c.entity = e.no WHERE e.kind = 'handoff' AND c.live = 1"
        " AND c.kind IN (?, ?, ?)",
        words,
    ):
        typed = typed_value(names[kind], value)
        if isinstance(typed, Opened):
            opened[entity] = (t, typed)
        elif isinstance(typed, Included):
            linked.setdefault(entity, set()).add(typed.entity)
        else:
            ended.add(entity)
    found = []
    of_line: dict[str, str] = {}
    for handoff, (_, act) in sorted(opened.items(), key=lambda pair: (-pair[1][0], pair[0])):
        if handoff in ended:
            continue
        ids = {act.model, *linked.get(handoff, ())}
        model = graph.project.row(act.model)
        criteria = act.criteria or max((one for one in ids if one.startswith("criteria:")), default="")
        if not criteria:
            if model.name not in of_line:
                newest = graph.project.entities("criteria", text=model.name, limit=1)
                of_line[model.name] = newest[0].id if newest else ""
            criteria = of_line[model.name]
        numbers = frozenset(no for no in map(graph.find, sorted(ids)) if no is not None)
        crossing = Crossing(handoff, model, act.from_stage, act.to_stage)
        found.append(_Base(crossing, graph.find(act.model), numbers, criteria))
    return found


def _holders(graph: Graph, no: int, entity: str) -> tuple[set[int], set[int]]:
    """Return the nodes whose presence in a handoff brings the node into its package, and the models that do so when they are what crosses.

    The package holds what was linked, the direct inputs of that, the runs that made the model, and what those runs took in
    (`Project.manifest`); here that is followed from the other end.
    """
    rel = relations(graph.db)

    def ends(column: str, numbers: Sequence[int], *names: str) -> set[int]:
        other = "src" if column == "dst" else "dst"
        marks = ",".join("?" * len(names))
        return {
            row[0]
            for row in graph.db.execute(
                f"SELECT g.{other} FROM json_each(?) j CROSS JOIN edge g ON g.{column} = j.value AND g.rel IN ({marks})",  # noqa: S608 (own words)
                (json.dumps(numbers), *(rel[name] for name in names)),
            )
        }

    run = CODES["run"]
    kinds = graph.arrays.kinds
    runs = sorted(one for one in ends("dst", [no], "used", "from") if kinds[one] == run)
    through = {no} | ends("dst", [no], *RELATIONS) | ends("dst", runs, *RELATIONS)
    makers = [*runs, no] if kinds[no] == run else runs
    return through, ends("src", makers, "made")


def _would_turn(graph: Graph, base: _Base, entity: str) -> tuple[tuple[str, str], ...] | None:
    """Return who signed on what the node is a part of; None where the handoff cannot be judged here."""
    try:
        look = graph.project.look(base.crossing.handoff)
    except CarnetError:
        return None
    parts = {"package", *(part for part, kind in package.PART_KINDS.items() if entity.startswith(f"{kind}:"))}
    parts |= {"criteria"} if entity.startswith("criteria:") else set()

    def leans(one: SignoffStatus) -> bool:
        return one.fresh and not parts.isdisjoint(one.predicate.bound)

    found = [one for row in look.status.rows for one in row.signed if leans(one)]
    return tuple(dict.fromkeys((one.change.person, one.predicate.role) for one in found))
