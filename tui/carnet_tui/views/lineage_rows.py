"""A selection as a list of any length, and collapsed by a property; and a source that reads a page of nodes when it comes into view."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import quoted
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, fit_line, pad, plural
from carnet_tui.views import words
from carnet_tui.views.fields import field
from carnet_tui.views.lineage_asked import EVERYTHING, within

if TYPE_CHECKING:
    from carnet_store import Desk, EntityRow, Graph, Project

ORDERS: Final = (
    ("newest", "newest first"), ("oldest", "oldest first"), ("name", "by name"), ("kind", "by kind"), ("used", "most used first"),
)  # fmt: skip
"""Orders of the list: name, words."""
VIEWS: Final = (
    ("kind", "by kind"), ("source", "by source"), ("experiment", "by experiment"), ("stage", "by stage"),
    ("person", "by person"), ("project", "by project"),
)  # fmt: skip
"""What an overview can be by: name, words."""
NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "code": ("code snapshot", "code snapshots"), "criteria": ("set of criteria", "sets of criteria"),
    "glossary": ("glossary", "glossaries"), "other": ("node of another kind", "nodes of other kinds"), "": ("more", "more"),
}  # fmt: skip
"""Kinds that an s does not count: one of them, several of them. The glossary has the words."""
KIND_CELLS: Final = 12
BAR_CELLS: Final = 24


@dataclass(frozen=True, slots=True)
class Item:
    """A node in the list: its local number and its row."""

    no: int
    row: EntityRow


class Numbers:
    """Nodes by local number as a source of rows: names are read a page at a time."""

    def __init__(self, project: Project, numbers: Sequence[int]) -> None:
        """List these nodes of a project, in this order."""
        self._project = project
        self.numbers = array("q", numbers)

    def count(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    def page(self, start: int, length: int) -> Sequence[Item]:
        """Return a page."""
        some = self.numbers[start : start + length].tolist()
        return [Item(no, row) for no, row in zip(some, self._project.graph.rows(some), strict=True)]

    def find(self, key: str) -> int | None:
        """Return where a node stands."""
        no = self._project.graph.find(key)
        try:
            return self.numbers.index(no) if no is not None else None
        except ValueError:
            return None


def ordered(graph: Graph, found: Sequence[int], order: str) -> list[int]:
    """Return nodes (given newest first) in one of `ORDERS`; on the store's thread: 100,000 names take a third of a second."""
    if order == "oldest":
        return list(reversed(found))
    if order == "kind":
        kinds = graph.arrays.kinds
        return sorted(found, key=lambda no: kinds[no])
    if order == "used":
        down = graph.arrays.down
        return sorted(found, key=lambda no: -down.degree(no))
    if order == "name":
        names = dict(zip(found, graph.rows(found), strict=True))
        return sorted(found, key=lambda no: (names[no].name.casefold(), names[no].version))
    return list(found)


def item_line(item: Item, cells: int, glyphs: Glyphs, mark: tuple[str, str, str] = ("", "", "")) -> Line:
    """Return a node of the list as a line."""
    row, dots = item.row, glyphs.ellipsis
    day = words.day(row.t) if row.t else ""
    kind = KIND_CELLS if cells >= 44 else 8
    room = max(8, cells - 2 - kind - 1 - (13 if cells >= 44 else 0))
    sign, word, style = mark
    name = " ".join(part for part in (word, clean(row.title)) if part)
    out: Line = [
        (f"{sign or ' '} ", style),
        (pad(clean(row.kind), kind, "<", dots) + " ", "dim"),
        (pad(name, room, "<", dots), style if word else ""),
    ]
    if cells >= 44:
        out.append((f" {pad(day, 11, '>')} ", "dim"))
    return fit_line(out, cells, dots)


# --- the overview -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """What an overview collapses into one row: the value, how many nodes, and the expression that names them (empty: none does).

    `links` are edges to and from other groups: (earlier, later, how many). `project` is a ledger id where the groups are projects.
    """

    key: str
    value: str
    count: int
    term: str
    links: tuple[tuple[str, str, int], ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """An overview: its rows, largest first, and what holds for all of it in words."""

    by: str
    rows: tuple[Group, ...]
    total: int
    said: str = ""


LINKS_AT_MOST: Final = 12


def read_groups(project: Project, desk: Desk, by: str, text: str, found: Sequence[int]) -> Groups:
    """Collapse a selection by one of `VIEWS`. `text` is its expression, `found` its nodes; on the store's thread."""
    if by == "project":
        return _projects(desk, project.id)
    graph = project.graph
    everything = text == EVERYTHING
    made = graph.overview(by, None if everything else found)
    rows = []
    for value, count in made.groups:
        links = [(_shown(a, by), _shown(b, by), number) for a, b, number in made.links if value in (a, b) and a != b]
        rows.append(
            Group(f"{by}:{value}", _shown(value, by), count, _term(by, value, text), tuple(links[:LINKS_AT_MOST]))
        )
    parts = len(made.components)
    said = (
        f"{plural(parts, 'part')} hang together, the largest with {plural(made.components[0], 'node')}"
        if parts > 1
        else ""
    )
    if made.back:
        said += f"{'; ' if said else ''}{plural(made.back, 'edge closes', 'edges close')} a cycle"
    if made.strange:
        said += f"{'; ' if said else ''}{plural(made.strange, 'edge')} of a newer release left out"
    total = sum(count for _, count in made.groups)
    first = (
        () if everything else (Group("everything", "everything recorded", len(graph.arrays.everything()), EVERYTHING),)
    )
    return Groups(by, (*first, *rows), total, said)


def _projects(desk: Desk, here: str) -> Groups:
    rows = []
    for one in desk.projects():
        project = desk.store.project(one.id)
        count = project.count(*NODES)
        rows.append(Group(f"project:{one.id}", clean(one.name), count, EVERYTHING, (), one.id))
    rows.sort(key=lambda row: (row.project != here, -row.count, row.value))
    return Groups("project", tuple(rows), sum(row.count for row in rows), plural(len(rows), "project"))


def _shown(value: str, by: str) -> str:
    return clean(value) if value else f"(no {by})"


def _term(by: str, value: str, text: str) -> str:
    """Return the expression of a group within a selection; empty where the language has none."""
    name = {"experiment": "attr.experiment"}.get(by, by)
    if by == "kind":
        term = f"kind:{value}" if value in NODES else ""
    elif by == "stage" and value in NODES:
        term = f"kind:{value}"
    elif not value:
        term = f"not {name}:*" if by in ("source", "experiment", "stage") else ""
    elif _is_compound(value):
        term = ""
    else:
        term = f"{name}:{quoted(value)}"
    return within(text, term) if term else ""


def _is_compound(value: str) -> bool:
    """Say whether a group's value is a list or an object, which no term names whole."""
    if value[:1] not in "[{":
        return False
    try:
        return isinstance(json.loads(value), list | dict)
    except ValueError:
        return False


def group_line(group: Group, most: int, cells: int, glyphs: Glyphs) -> Line:
    """Return a group as a line: how many, a bar in proportion to `most`, its value."""
    bar = BAR_CELLS if cells >= 76 else 10 if cells >= 48 else 0
    filled = (
        min(bar, max(1, round(bar * group.count / most)))
        if bar and most and group.count and group.term != EVERYTHING
        else 0
    )
    out: Line = [(f"{group.count:>10,}  ", "bold")]
    if bar:
        out += [(glyphs["bar full"] * filled, "accent"), (" " * (bar - filled) + "  ", "")]
    out.append((group.value, "" if group.term else "dim"))
    return fit_line(out, cells, glyphs.ellipsis)


def group_lines(group: Group, by: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return what is known of a group: how many, what flows in and out."""
    out: list[Line] = [
        fit_line([(" ", ""), (group.value, "bold"), (f"   {plural(group.count, 'node')}", "")], cells, glyphs.ellipsis)
    ]
    to = f" {glyphs['to']} "
    for at, (first, last, count) in enumerate(group.links):
        out += field("edges" if at == 0 else "", f"{first}{to}{last}   {count:,}", cells)
    if not group.term:
        out += field("", f"No expression names these: they have no {by}, or one of several parts.", cells, "dim")
    return out


def counts(kinds: Mapping[str, int], most: int = 3) -> str:
    """Return `41 nodes (12 datasets, 29 runs)`, at most so many kinds, the rest as `3 of other kinds`."""
    total = sum(kinds.values())
    if not total:
        return "nothing"
    listed = sorted(kinds.items(), key=lambda pair: -pair[1])
    parts = [of_kind(count, kind) for kind, count in listed[:most]]
    rest = sum(count for _, count in listed[most:])
    if rest:
        parts.append(f"{rest:,} of {'another kind' if len(listed) == most + 1 else 'other kinds'}")
    return f"{plural(total, 'node')} ({', '.join(parts)})"


def of_kind(count: int, kind: str) -> str:
    """Return `1 dataset`, `6 code snapshots`: so many nodes of a kind; of no kind, `6 more`."""
    one, many = NOUNS.get(kind, (clean(kind), ""))
    return plural(count, one, many)
