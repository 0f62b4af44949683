"""Words of nodes that several commands share: what a recall says of one, how many of which kind, how to name one in a command that is pasted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console
from carnet_tui.text import clean, plural

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.domain.lineage import Node

TIMES: Final = ("at", "started", "ended")
"""Names under which sources give an instant in ms."""
AN_INSTANT: Final = 10**11
"""From here on (1973) a number under such a name is an instant in ms."""
CATALOGUED: Final = ("dataset", "feature")
"""Kinds that have an entry in the catalogue."""
_TIME: Final = re.compile(rf"\b({'|'.join(TIMES)}) ([0-9]{{12,13}})\b")
_SAFE: Final = re.compile(r"[^\s\-].*")


# --- recalls --------------------------------------------------------------------------------------------------------


def out_marked(project: Project, said: object) -> None:
    """Write JSON in which every node (what has `id` and `kind`) says where it stands: `recalled`, `tainted`, or nothing."""
    marked = project.graph.marked()

    def walk(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: walk(one) for key, one in value.items()}
        return {**found, "standing": marked.get(str(value["id"]), "")} if {"id", "kind"} <= value.keys() else found

    console.out_json(walk(console.plain(said)))


def with_standing(project: Project, entity: str, text: str) -> str:
    """Return what is said of a node, with the word of a recall that concerns it."""
    word = project.graph.marked().get(entity, "")
    return f"{text}  {word}" if word else text


def within_line(project: Project, entity: str, text: str) -> str:
    """Return the same for a place within a line: `telco (recalled)`."""
    word = project.graph.marked().get(entity, "")
    return f"{text} ({word})" if word else text


def recall_rows(project: Project, entity: str) -> list[list[str]]:
    """Return the recalls that concern a node, as lines of a table: who, when, why; of what it came from where that is recalled."""
    rows = []
    for one in project.taints(entity) if entity in project.graph.marked() else ():
        said = f"by {project.person_name(one.person)}, {console.moment(one.t)}: {one.reason}"
        own = one.entity == entity
        rows.append(
            ["recalled" if own else "tainted", said if own else f"{project.title(one.entity)} was recalled {said}"]
        )
    return rows


# --- counts ---------------------------------------------------------------------------------------------------------


def kinds_in_words(kinds: Mapping[str, int]) -> str:
    """Return `12 datasets, 2 code snapshots`, in the order in which they are given."""
    from carnet_tui.views.lineage_rows import of_kind

    return ", ".join(of_kind(count, kind) for kind, count in kinds.items())


def counts(kinds: Mapping[str, int]) -> str:
    """Return `41 nodes (12 datasets, 29 runs)`."""
    total = sum(kinds.values())
    return f"{plural(total, 'node')} ({kinds_in_words(kinds)})" if total else "nothing"


# --- names and values -----------------------------------------------------------------------------------------------


def row_of(row: EntityRow, **more: Any) -> dict[str, Any]:
    """Return a node as JSON has it everywhere here."""
    return {"id": row.id, "kind": row.kind, "title": row.title, **more}


def node_word(project: Project, entity: str) -> str:
    """Return what names a node in a command that somebody pastes: its title, or its id where the title would be an option, lose a sign, or mean another."""
    from carnet_store import CarnetError

    title = project.title(entity)
    if not _SAFE.fullmatch(title) or clean(title) != title:
        return entity
    try:
        return title if project.resolve(title) == entity else entity
    except CarnetError:
        return entity


def told(name: str, value: object) -> str:
    """Return an attribute as text: instants as moments, lists and maps as JSON."""
    shown = _with_moments(name, value)
    return json.dumps(shown, ensure_ascii=False) if isinstance(shown, list | dict) else str(shown)


def _with_moments(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _with_moments(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_moments("", part) for part in value]
    if name in TIMES and isinstance(value, int) and not isinstance(value, bool) and value >= AN_INSTANT:
        return console.moment(value)
    return value


def times_told(name: str, text: str) -> str:
    """Return a value that a comparison has as text, its instants as moments."""
    if name in TIMES and text.isdecimal():
        return told(name, int(text))
    return _TIME.sub(lambda found: f"{found[1]} {console.moment(int(found[2]))}", text)


# --- the catalogue --------------------------------------------------------------------------------------------------


def catalogued(project: Project, node: Node) -> dict[str, Any]:
    """Return what the catalogue says of a dataset or a feature: how fresh it is, how many things of which kind came of it. Empty for other kinds."""
    if node.kind not in CATALOGUED:
        return {}
    from carnet_tui.views.catalogue_reading import MAKERS_AT_MOST, ORDER, freshness

    graph = project.graph
    ups, _ = graph.near(node.id, up=True, limit=MAKERS_AT_MOST)
    fresh = freshness(project, node, [row.id for relation, row in ups if relation == "made"])
    kinds = Counter(row.kind for row in graph.rows([no for no, _ in graph.walk(node.id, up=False)]))
    order = [*dict.fromkeys(ORDER), *sorted(set(kinds) - set(ORDER))]
    return {
        "fresh": {"t": fresh.t, "by": fresh.by or "declared", "run": fresh.run},
        "users": {kind: kinds[kind] for kind in order if kind in kinds},
    }


def catalogue_rows(project: Project, node: Node) -> list[list[str]]:
    """Return the same as lines of a table."""
    said = catalogued(project, node)
    if not said:
        return []
    fresh, users = said["fresh"], said["users"]
    return [
        ["fresh", f"{console.moment(fresh['t']) or 'at an unknown time'}, {fresh['by']}"],
        ["users", kinds_in_words(users) if users else "nothing came of it that the record knows of"],
    ]
