"""What the terms of a selection name in a ledger, and the attribute values that terms and overviews ask for.

A term that names a node (a word, `KIND:name`, `id:`) and finds none is an error with its column: it is a slip of the pen, and a name close by is
offered. A term that asks for a property may find nothing. Capitals of a name do not matter where nothing is called exactly so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import msgspec

from carnet_store.domain import selection
from carnet_store.domain.lineage import NODES, shown_name, source_time
from carnet_store.domain.selection import Between, Hops, Selection, Term
from carnet_store.errors import CarnetError, NotFound
from carnet_store.storage.reading import INDEX_MASK
from carnet_store.storage.schema import INDEX_BITS

if TYPE_CHECKING:
    from carnet_store.storage.graph import Graph

UNDECLARED: Final = "undeclared"
"""`status:undeclared`: referred to by an edge, and declared by nobody here."""
RECALLED: Final = "recalled"
"""`status:recalled`: a recall of it stands."""
TAINTED: Final = "tainted"
"""`status:tainted`: it came of something whose recall stands."""

LOOKED_AT: Final = 5_000
"""Names, the newest, among which one close to a slip is looked for."""
SLIPS: Final = 4
"""By how many letters such a name may be longer or shorter."""
CLOSE: Final = 0.75
"""How much of a name has to agree, 0 to 1."""

_marks = ",".join("?" * len(NODES))
_OURS: Final = f"kind IN ({_marks})"


class _Born(msgspec.Struct):
    """What of an entity's birth these questions ask for."""

    attrs: dict[str, Any] = {}
    params: dict[str, Any] = {}
    at: int = 0
    source: tuple[str, str] | None = None


class _Told(msgspec.Struct):
    """The value of a description."""

    value: Any = None


_born = msgspec.json.Decoder(_Born).decode
_told = msgspec.json.Decoder(_Told).decode


def find(graph: Graph, chosen: Selection) -> set[int]:
    """Return the numbers that a selection names.

    Raises:
        NotFound: a term names a node that is not there, or a person nobody knows.
    """
    return selection.evaluate(
        chosen.root,
        find=lambda term: _term(graph, term),
        reach=graph.reach,
        between=lambda firsts, lasts: graph.between(firsts, lasts) | graph.between(lasts, firsts),
        everything=lambda: set(graph.arrays.everything()),
        columns=lambda node: _holders(graph, node),
    )


def _holders(graph: Graph, node: Term | Hops | Between) -> set[int]:
    from carnet_store.storage import tracing

    return tracing.numbers(graph, node)


def _term(graph: Graph, term: Term) -> set[int]:
    field, value = term.field, term.value
    if field in ("", "id", *NODES):
        found = _named(graph, field, value)
        if not found and "*" not in value:
            what = f"no {field} is called" if field in NODES else "there is no node"
            near = close_to(graph, field, value) if field != "id" else ""
            hint = f"did you mean {near}?" if near else "`carnet list` shows what there is"
            raise NotFound(f"{what} {value!r} (column {term.column})", hint)
        return found
    if field == "person":
        try:
            return by_person(graph, graph.project.find_person(value))
        except CarnetError as error:
            raise type(error)(f"{error.message} (column {term.column})", error.hint, error.reasons) from None
    return _PROPERTIES[field.partition(".")[0]](graph, term)


# --- names ----------------------------------------------------------------------------------------------------------


def _named(graph: Graph, field: str, value: str) -> set[int]:
    if value == "*" and not field:
        return set(graph.arrays.everything())
    where, values = ("kind = ?", (field,)) if field in NODES else (_OURS, NODES)
    if field in ("", "id"):
        exact = _numbers(graph, "SELECT no FROM entity WHERE id = ?", (value,))
        exact &= graph.lineage(exact)
        if exact or field:
            return exact
    elif exact := _numbers(graph, "SELECT no FROM entity WHERE id = ?", (f"{field}:{value}",)):
        return graph.lineage(exact)
    if "*" in value:
        like = _like(value)
        sql = f"SELECT no FROM entity WHERE {where} AND birth IS NOT NULL AND (name LIKE ? ESCAPE '\\' OR name || '@' || version LIKE ? ESCAPE '\\')"  # noqa: S608 (own words)
        return _numbers(graph, sql, (*values, like, like))
    name, _, version = value.rpartition("@") if "@" in value else (value, "", "")
    sql = f"SELECT no FROM entity WHERE {where} AND birth IS NOT NULL AND (name = ? OR (name = ? AND version = ? AND version <> ''))"  # noqa: S608 (own words)
    found = _numbers(graph, sql, (*values, value, name, version))
    if not found and len(value) >= 4 and not value.strip("0123456789abcdef"):
        # Ids of a kind lie side by side, so that a beginning is a range of the index.
        for kind in (field,) if field else NODES:
            first = f"{kind}:{value}"
            found |= _numbers(graph, "SELECT no FROM entity WHERE id >= ? AND id < ?", (first, first + "g"))
        found = graph.lineage(found)
    found = found or alike(graph, field, value)
    if not found and not field:
        found = within_names(graph, value)
    return found


def alike(graph: Graph, kind: str, value: str, *, versions: bool = True) -> set[int]:
    """Return the nodes (of a kind; empty is any) whose name, or name and version, is a text but for capitals."""
    where, values = ("kind = ?", (kind,)) if kind in NODES else (_OURS, NODES)
    sql = f"SELECT no, name, version FROM entity WHERE {where} AND birth IS NOT NULL"  # noqa: S608 (own words)
    if value.isascii():  # SQLite folds the letters of ASCII; of others Python knows more
        sql += " AND (name = ? COLLATE NOCASE OR name || '@' || version = ? COLLATE NOCASE)"
        values = (*values, value, value)
    wanted = value.casefold()
    return {
        int(no)
        for no, name, version in graph.db.execute(sql, values)
        if wanted == name.casefold() or (versions and version and wanted == f"{name}@{version}".casefold())
    }


def close_to(graph: Graph, kind: str, value: str) -> str:
    """Return a name close to a text that names nothing, as a selection spells it; empty where none is."""
    where, values = ("kind = ?", (kind,)) if kind in NODES else (_OURS, NODES)
    shown = "CASE WHEN version = '' THEN name ELSE name || '@' || version END"
    for part in (shown, "name") if "@" in value else ("name", shown):
        sql = (
            f"SELECT {part} FROM entity WHERE {where} AND birth IS NOT NULL AND name <> ''"  # noqa: S608 (own words)
            f" AND abs(length({part}) - ?) <= {SLIPS} ORDER BY t DESC LIMIT {LOOKED_AT}"
        )
        names = {name.casefold(): name for (name,) in graph.db.execute(sql, (*values, len(value)))}
        if near := get_close_matches(value.casefold(), names, 1, CLOSE):
            return selection.quoted(names[near[0]])
    return ""


def within_names(graph: Graph, value: str) -> set[int]:
    """Return the nodes in whose names a text occurs."""
    sql = f"SELECT no FROM entity WHERE {_OURS} AND birth IS NOT NULL AND (name || '@' || version) LIKE ? ESCAPE '\\'"  # noqa: S608 (own words)
    return _numbers(graph, sql, (*NODES, f"%{_like(value, stars=False)}%"))


def _like(value: str, *, stars: bool = True) -> str:
    text = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return text.replace("*", "%") if stars else text


def _numbers(graph: Graph, sql: str, values: Sequence[object]) -> set[int]:
    return {int(row[0]) for row in graph.db.execute(sql, tuple(values))}


# --- properties -----------------------------------------------------------------------------------------------------


def _of_kind(graph: Graph, term: Term) -> set[int]:
    found = _numbers(graph, "SELECT no FROM entity WHERE kind = ? AND birth IS NOT NULL", (term.value,))
    missing = _numbers(graph, "SELECT no FROM entity WHERE kind = ? AND birth IS NULL", (term.value,))
    return found | graph.lineage(missing)


def _of_name(graph: Graph, term: Term) -> set[int]:
    sign, value = ("LIKE", _like(term.value)) if "*" in term.value else ("=", term.value)
    escape = " ESCAPE '\\'" if sign == "LIKE" else ""
    sql = f"SELECT no FROM entity WHERE {_OURS} AND birth IS NOT NULL AND name {sign} ?{escape}"  # noqa: S608 (own words)
    return _numbers(graph, sql, (*NODES, value)) or (
        set() if "*" in term.value else alike(graph, "", term.value, versions=False)
    )


def _since(graph: Graph, term: Term) -> set[int]:
    start = selection.since(term.value, graph.project.now())
    sql = f"SELECT no FROM entity WHERE {_OURS} AND birth IS NOT NULL AND t >= ?"  # noqa: S608 (own words)
    return _numbers(graph, sql, (*NODES, start))


def by_person(graph: Graph, person: str) -> set[int]:
    """Return what a person declared."""
    return _numbers(
        graph,
        f"SELECT e.no FROM entity e JOIN change c ON c.id = e.birth JOIN word w ON w.no = c.person WHERE w.text = ? AND e.{_OURS}",  # noqa: S608 (own words)
        (person, *NODES),
    )


def _of_source(graph: Graph, term: Term) -> set[int]:
    return {no for no, system in values(graph, "source").items() if says(system, term.value)}


def _of_attribute(graph: Graph, term: Term) -> set[int]:
    return {no for no, value in values(graph, term.field).items() if says(value, term.value)}


def _of_status(graph: Graph, term: Term) -> set[int]:
    if term.value == UNDECLARED:
        return {no for no in graph.arrays.everything() if not graph.arrays.known[no]}
    if term.value in (RECALLED, TAINTED):
        bad = {no for no in (graph.find(one.entity) for one in graph.project.recalls()) if no is not None}
        return bad if term.value == RECALLED else graph.reach(bad, 0, selection.ALL) - bad
    return {no for no, value in values(graph, "attr.status").items() if says(value, term.value)}


def _of_tag(graph: Graph, term: Term) -> set[int]:
    return {
        no for key in ("attr.tag", "attr.tags") for no, value in values(graph, key).items() if says(value, term.value)
    }


def _of_stage(graph: Graph, term: Term) -> set[int]:
    return {no for no, stage in stages(graph).items() if says(stage, term.value)}


_PROPERTIES: Final[Mapping[str, Callable[[Graph, Term], set[int]]]] = {
    "kind": _of_kind,
    "name": _of_name,
    "text": lambda graph, term: within_names(graph, term.value),
    "since": _since,
    "source": _of_source,
    "status": _of_status,
    "stage": _of_stage,
    "tag": _of_tag,
    "attr": _of_attribute,
    "param": _of_attribute,
}


def says(value: Any, wanted: str) -> bool:
    """Say whether a value is what a term asks for: alike but for case, `*` for any text; in a list or an object, one of them is."""
    if isinstance(value, Mapping):
        return any(says(key, wanted) or says(f"{key}={part}", wanted) for key, part in value.items())
    if isinstance(value, list | tuple):
        return any(says(part, wanted) for part in value)
    text = value if isinstance(value, str) else json.dumps(value)
    if "*" not in wanted:
        return text.casefold() == wanted.casefold()
    return _globbed(text.casefold(), wanted.casefold().split("*"))


def _globbed(text: str, parts: Sequence[str]) -> bool:
    """Match the parts around stars, in linear time."""
    first, *middle, last = parts
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


# --- values ---------------------------------------------------------------------------------------------------------


def values(graph: Graph, field: str) -> Mapping[int, Any]:
    """Return a property of every node that has it, by number: `source` (the system), `attr.KEY`, `param.KEY`; as `read_node` folds it."""
    return graph.remembered(f"values {field}", lambda: _read_values(graph, field))


def _read_values(graph: Graph, field: str) -> dict[int, Any]:
    head, _, key = field.partition(".")
    found: dict[int, Any] = {}
    read: dict[int, int] = {}
    for no, raw in _births(graph, _hint(head, key)):
        one = _born(raw)
        if head == "source":
            if one.source is not None:
                found[no] = one.source[0]
            continue
        for name, value in (one.attrs if head == "attr" else one.params).items():
            when = source_time(one.attrs, one.at)
            if shown_name(name) == key and when >= read.get(no, 0):
                found[no], read[no] = value, when
    if head == "attr":
        found |= _described(graph, key)
    return found


def _described(graph: Graph, key: str) -> dict[int, Any]:
    """Return what people said of an attribute, by number: the newest of what nobody went over."""
    told: dict[int, list[tuple[str, bytes, tuple[str, ...]]]] = {}
    for no, number, hashed, over, raw in _descriptions(graph, key):
        index = number & INDEX_MASK
        change = hashed.hex() + (f".{index}" if index else "")
        told.setdefault(no, []).append((change, raw, msgspec.json.decode(over, type=tuple[str, ...]) if over else ()))
    found = {}
    for no, rows in told.items():
        settled = {one for *_, over in rows for one in over}
        found[no] = _told(next(raw for change, raw, _ in reversed(rows) if change not in settled)).value
    return found


def _hint(head: str, key: str) -> bytes:
    """Return bytes that must occur in a value that has the key; empty where nothing can be said."""
    if head == "source":
        return b'"source":['
    return json.dumps(key).encode() if key.isascii() else b""


def _births(graph: Graph, hint: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, value) of all live births of lineage nodes; of several births of one node the newest comes last."""
    word = graph.word("entity.declared")
    return graph.db.execute(
        f"SELECT c.entity, c.value FROM change c JOIN event v ON v.id = c.id >> {INDEX_BITS} WHERE c.kind = ? AND c.live = 1"  # noqa: S608 (own words)
        " AND instr(c.value, ?) > 0 ORDER BY v.t, v.hash, c.id",
        (word, hint),
    )


def _descriptions(graph: Graph, key: str) -> Iterator[tuple[int, int, bytes, str | None, bytes]]:
    word = graph.word("entity.described")
    return graph.db.execute(
        f"SELECT c.entity, c.id, v.hash, c.over, c.value FROM change c JOIN event v ON v.id = c.id >> {INDEX_BITS} WHERE c.kind = ? AND c.live = 1"  # noqa: S608 (own words)
        " AND c.field = ? ORDER BY v.t, v.hash, c.id",
        (word, key),
    )


def stages(graph: Graph) -> Mapping[int, str]:
    """Return where each model version of the ledger stands, by number: the `to` stage of the last gate it passed, else research."""
    return graph.remembered("stages", lambda: _read_stages(graph))


def _read_stages(graph: Graph) -> dict[int, str]:
    found = dict.fromkeys(_of_kind(graph, Term("kind", "model")), "research")
    project = graph.project
    for handoff in reversed(project.handoffs()):
        model = graph.find(handoff.opened.model)
        if model is None or model not in found or not handoff.opened.to_stage:
            continue
        try:
            passed = project.look(handoff.id).status.verdict == "passed"
        except CarnetError:
            continue  # its template is not here: opening the handoff says so
        if passed:
            found[model] = handoff.opened.to_stage
    return found
