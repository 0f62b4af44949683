"""Columns as a ledger tells them: read from the attributes of what holds them, found by name, for selections and questions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.core.event import source_entity
from carnet_store.domain.columns import SCHEMA, Column, Columns, origins_of, schema_fields, steps_of
from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import Between, Hops, Term
from carnet_store.errors import NotFound
from carnet_store.storage import selecting

if TYPE_CHECKING:
    from carnet_store.storage.graph import Graph


def columns(graph: Graph) -> Columns:
    """Return which column came of which, over all that stands in the record."""
    return graph.remembered("columns", lambda: Columns(_steps(graph)))


def _steps(graph: Graph) -> Iterator[tuple[Column, Column, str]]:
    held = selecting.values(graph, "attr.columns")
    whole = selecting.values(graph, "attr.columns_of_all")
    systems = selecting.values(graph, "source")
    numbers = sorted(held.keys() | whole.keys())
    names: dict[tuple[str, str], str] = {}

    def holder(system: str, name: str) -> str:
        if (system, name) not in names:
            names[system, name] = _holder(graph, system, name)
        return names[system, name]

    for no, row in zip(numbers, graph.rows(numbers), strict=True):
        system = str(systems.get(no, ""))
        for field, origins in steps_of(held.get(no)).items():
            for name, origin, kind in origins:
                yield Column(holder(system, name), origin), Column(row.id, field), kind
        for name, origin, kind in origins_of(whole.get(no)):
            said = f"every field{f': {kind}' if kind else ''}"
            for field in _fields(held.get(no), selecting.values(graph, "attr.schema").get(no)):
                yield Column(holder(system, name), origin), Column(row.id, field), said


def _holder(graph: Graph, system: str, name: str) -> str:
    """Return what an origin's dataset is: an id of the record, the source's own id, a name that only one thing has; else its name."""
    ids = [name] if name.partition(":")[0] in NODES else []
    ids += [source_entity(kind, system, name) for kind in ("dataset", "feature") if system]
    known = next((one for one in ids if graph.find(one) is not None), "")
    if known:
        return known
    title, _, version = name.rpartition("@") if "@" in name else (name, "", "")
    rows = graph.db.execute(
        "SELECT id FROM entity WHERE kind IN ('dataset', 'feature') AND birth IS NOT NULL AND (name = ? OR (name = ? AND version = ? AND version <> '')) LIMIT 2",
        (name, title, version),
    ).fetchall()
    return str(rows[0][0]) if len(rows) == 1 else name


def _fields(*held: Any) -> list[str]:
    """Return the names of fields in attributes, each once, in their order."""
    return list(dict.fromkeys(name for one in held for name, _, _ in schema_fields(one) if name))


def fields(graph: Graph, entity: str) -> list[str]:
    """Return the columns of a thing: those of its schema, then those of which only an origin or a use is told."""
    no = graph.find(entity)
    if no is None:
        return []
    told = _fields(*(selecting.values(graph, f"attr.{name}").get(no) for name in SCHEMA))
    return list(dict.fromkeys([*told, *(one.field for one in columns(graph).of(entity))]))


def column(graph: Graph, entity: str, field: str) -> Column:
    """Return a column of a thing.

    Raises:
        NotFound: it has no such column; the hint names those it has.
    """
    known = fields(graph, entity)
    if field not in known:
        raise NotFound(f"{graph.project.title(entity)} has no column {field!r}", _those(known))
    return Column(entity, field)


def _those(known: Sequence[str]) -> str:
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12:,} more" if len(known) > 12 else "")
    return f"Its columns: {shown}." if known else "No schema and no column lineage is recorded of it."


def find(graph: Graph, term: Term) -> set[Column]:
    """Return the columns that `col:HOLDER.FIELD` or `col:FIELD` names; `*` stands for any text in a field.

    Raises:
        NotFound: there is no such column, and no `*` in the name.
    """
    found: set[Column] = set()
    text = term.value
    dots = [at for at, char in enumerate(text) if char == "."]
    for called in (_called, _holding):
        for at in reversed(dots):  # both sides may hold dots: the longest name of a holder that is one wins
            holders = called(graph, text[:at])
            found = {Column(one, name) for one in holders for name in _alike(fields(graph, one), text[at + 1 :])}
            if found:
                return found
    for no in _having(graph):
        entity = graph.rows([no])[0].id
        found |= {Column(entity, name) for name in _alike(fields(graph, entity), text)}
    if not found and "*" not in text:
        holder = next((one for at in reversed(dots) for one in _called(graph, text[:at])), "")
        hint = _those(fields(graph, holder)) if holder else "Write col:DATASET.COLUMN, or the name of a column alone."
        raise NotFound(f"there is no column {text!r} (column {term.column})", hint)
    return found


def _called(graph: Graph, name: str) -> list[str]:
    title, _, version = name.rpartition("@") if "@" in name else (name, "", "")
    rows = graph.db.execute(
        "SELECT id FROM entity WHERE birth IS NOT NULL AND kind IN ('dataset', 'feature') AND (id = ? OR name = ? OR (name = ? AND version = ? AND version <> ''))",
        (name, name, title, version),
    )
    return [str(row[0]) for row in rows]


def _holding(graph: Graph, text: str) -> list[str]:
    """Return what is called so in part, as names of selections are found where nothing is called just so."""
    found = selecting.within_names(graph, text)
    return [row.id for row in graph.rows(sorted(found)) if row.kind in ("dataset", "feature")]


def _alike(known: Collection[str], wanted: str) -> list[str]:
    if "*" not in wanted:
        return [wanted] if wanted in known else []
    return [name for name in known if selecting.says(name, wanted)]


def _having(graph: Graph) -> list[int]:
    """Return the numbers of all things that have columns."""
    told: set[int] = set()
    for name in SCHEMA:
        told |= selecting.values(graph, f"attr.{name}").keys()
    found = {graph.find(one) for one in columns(graph).holders()}
    return sorted(told | {no for no in found if no is not None})


def numbers(graph: Graph, node: Term | Hops | Between) -> set[int]:
    """Return the nodes that hold the columns which a part of a selection names, followed from column to column."""
    known = columns(graph)
    if isinstance(node, Between):
        found = known.between(*(find(graph, one) for one in (node.first, node.last) if isinstance(one, Term)))
    elif isinstance(node, Hops) and isinstance(node.of, Term):
        found = known.reach(find(graph, node.of), node.up, node.down)
    else:
        found = find(graph, node) if isinstance(node, Term) else set()
    nodes = {graph.find(one) for one in {column.holder for column in found}}
    return graph.lineage([no for no in nodes if no is not None])
