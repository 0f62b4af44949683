"""How complete a project's record is: `domain.completeness` asked of one thing, of all things, and along a lineage."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from carnet_store.domain.completeness import (
    FOUR,
    Around,
    Completeness,
    Missing,
    Sum,
    completeness,
    is_evaluation,
    total,
)
from carnet_store.domain.decisions import Decision
from carnet_store.domain.lineage import Node, read_node, registered_from

if TYPE_CHECKING:
    from carnet_store.storage.project import Project

KINDS: Final = ("dataset", "feature", "model", "run")
RUNS_BY: Final = (
    "SELECT d.id, w.text, s.id FROM edge g JOIN entity s ON s.no = g.src JOIN entity d ON d.no = g.dst JOIN word w ON w.no = g.rel"
    " WHERE s.kind = 'run' AND w.text IN ('made', 'used')"
)
# By number: asked by id, SQLite begins at the runs, all of them, a thousand times as long where there are 100,000 nodes.
OF_THESE: Final = " AND d.no IN (SELECT no FROM entity WHERE id IN (SELECT value FROM json_each(?)))"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """Completeness over a project: every thing asked for, and the sums a kind (`evaluation` for runs that measured) and in all."""

    rows: tuple[Completeness, ...]
    kinds: Mapping[str, Sum]
    total: Sum


def completeness_of(project: Project, entity: str) -> Completeness | None:
    """Return how complete one thing is; None where it is not declared."""
    node = project.node(entity)
    if node is None:
        return None
    makers, users = _runs_by(project, _asked_about(node))
    asked = {run for found in (makers, users) for runs in found.values() for run in runs}
    runs = {run: found for run in asked if (found := project.node(run))}
    return completeness(node, _around(project, node, makers, users, runs, _decided(project)))


def report(project: Project, kinds: Sequence[str] = (), progress: Progress | None = None) -> Report:
    """Return how complete all datasets, features, models and evaluation runs are (or those of the kinds asked for), least complete first.

    Of runs only those that measured a model are asked: exploring needs no ceremony. `kinds` are kinds of entity, or `evaluation`.
    """
    wanted = {"run" if kind == "evaluation" else kind for kind in kinds or FOUR} & set(KINDS)
    makers, users = _runs_by(project)
    needed = {
        run
        for found in (makers, users)
        for entity, runs in found.items()
        if entity.partition(":")[0] in wanted
        for run in runs
    }
    decided = _decided(project)
    runs: dict[str, Node] = {}
    things: list[Node] = []
    count = project.count(*sorted({*wanted, "run"}))
    for done, node in enumerate(_nodes(project, sorted({*wanted, "run"})), 1):
        if node.id in needed:
            runs[node.id] = node
        if node.kind in wanted and (node.kind != "run" or is_evaluation(node)):
            things.append(node)
        if progress is not None and done % 1000 == 0:
            progress(done, count)
    rows = [completeness(node, _around(project, node, makers, users, runs, decided)) for node in things]
    rows.sort(key=lambda one: (one.filled * 1000 // max(1, len(one.required)), one.kind, one.title, one.entity))
    found = {kind: total(row for row in rows if row.kind == kind) for kind in FOUR}
    return Report(tuple(rows), {kind: one for kind, one in found.items() if one.things}, total(rows))


def provenance(project: Project, entity: str) -> tuple[int, int]:
    """Return how many of the things that one comes from are complete, and how many there are; what is not declared is incomplete."""
    ups = [found for found, _ in project.walk(entity, up=True)]
    complete = 0
    for one in ups:
        found = completeness_of(project, one)
        complete += found is not None and not found.missing
    return complete, len(ups)


def what_to_type(node: Node, missing: Sequence[Missing]) -> str:
    """Return the commands that fill the missing fields of a thing, in one line."""
    thing, name = shlex.quote(node.title), shlex.quote(node.name)
    describe = f"carnet describe {thing} "
    typed = [one.typed(thing, name) for one in missing]
    pairs = [text.removeprefix(describe) for text in typed if text.startswith(describe)]
    others = list(dict.fromkeys(text for text in typed if not text.startswith(describe)))
    return "; ".join([*([describe + " ".join(pairs)] if pairs else []), *others])


def _asked_about(node: Node) -> list[str]:
    """Return the thing and, of a model version, the models it comes from."""
    sources = (edge.dst for edge in node.edges if node.kind == "model" and edge.relation == "from")
    return [node.id, *(one for one in sources if one.startswith("model:"))]


def _around(
    project: Project,
    node: Node,
    makers: Mapping[str, Sequence[str]],
    users: Mapping[str, Sequence[str]],
    runs: Mapping[str, Node],
    decided: set[str],
) -> Around:
    own, sources = makers.get(node.id, ()), _asked_about(node)[1:]
    same = registered_from(node, own, {source: makers.get(source, ()) for source in sources}) if sources else []
    made = own or [run for source in same for run in makers[source]]
    used = [run for thing in (node.id, *same) for run in users.get(thing, ())]
    named = tuple(found for source in same if (found := project.node(source)) is not None)
    its_makers, its_users = (tuple(runs[run] for run in dict.fromkeys(found) if run in runs) for found in (made, used))
    return Around(its_makers, its_users, decided, named)


def _runs_by(project: Project, only: Sequence[str] = ()) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return by entity the runs that made it, and the runs that used it; of these entities where some are named."""
    makers: dict[str, list[str]] = {}
    users: dict[str, list[str]] = {}
    sql, values = (RUNS_BY + OF_THESE, (json.dumps(list(only)),)) if only else (RUNS_BY, ())
    for entity, relation, run in project.ledger.db.execute(sql + " ORDER BY s.id", values):
        into = makers if relation == "made" else users
        if run not in into.setdefault(entity, []):
            into[entity].append(run)
    return makers, users


def _decided(project: Project) -> set[str]:
    """Return every entity that a decision is about."""
    found: set[str] = set()
    for change in project.ledger.projection.select("WHERE e.kind = 'decision' AND c.live = 1 AND c.counts = 0"):
        if isinstance(change.value, Decision):
            found.update(change.value.about)
    return found


def _nodes(project: Project, kinds: Sequence[str], at_once: int = 1000) -> Iterator[Node]:
    """Yield all nodes of these kinds, some thousand changes in memory at a time."""
    query = "SELECT no FROM entity WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY no"
    numbers = [row[0] for row in project.ledger.db.execute(query, (json.dumps(list(kinds)),))]
    for at in range(0, len(numbers), at_once):
        some = numbers[at : at + at_once]
        where = "WHERE c.entity BETWEEN ? AND ? AND c.live = 1 ORDER BY c.entity, c.id"
        changes = project.ledger.projection.select(where, (some[0], some[-1]))
        for entity, group in itertools.groupby(changes, key=lambda change: change.entity):
            node = read_node(entity, list(group)) if entity.partition(":")[0] in kinds else None
            if node is not None:
                yield node
