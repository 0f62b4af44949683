"""A notebook as the record holds it: its cells out of the kept bytes, what is annotated where, and the other captures of the same file.

Rules: to be called off the loop. An annotation is never lost: one whose cell is gone, or whose notebook's bytes are not here, is handed on as orphaned.
Captures are documents of type notebook with the same name; what was said on one is looked for in the cells of the one that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain.annotation import Anchored, Thread, anchored
from carnet_store.domain.annotation import Cell as Anchor
from carnet_store.domain.lineage import Node
from carnet_store.errors import CarnetError, NotFound
from carnet_tui.text import clean
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.exchange.importers.notebook import Cell

CAPTURES_AT_MOST: Final = 200
"""Captures of one file that are looked at, the newest."""
OPENED_AT_MOST: Final = 20
"""Other captures whose cells are read, to say where an annotation stood."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture of the same file: how many threads begin on it."""

    row: EntityRow
    digest: str
    threads: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A thread and where it hangs: the index of its cell (from 0), None where it is orphaned; how that was found, in words.

    Attributes:
        thread: what was said.
        at: index of the cell.
        where: `moved from cell 4`, `cell 4 was changed since`, or empty where it stands where it was written.
    """

    thread: Thread
    at: int | None
    where: str

    @property
    def open(self) -> bool:
        """Whether the thread is not settled."""
        return self.thread.resolved is None


@dataclass(frozen=True, slots=True)
class Book:
    """A notebook with all that is said on its cells; `trouble` tells why there are no cells, if so, a sentence a line."""

    entity: str
    name: str
    node: Node | None
    digest: str
    cells: Sequence[Cell] = ()
    order: str = ""
    trouble: Sequence[str] = ()
    marks: Mapping[int, Sequence[Mark]] = field(default_factory=dict)
    orphans: Sequence[Mark] = ()
    captures: Sequence[Capture] = ()
    """Newest first, this one among them."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Person -> name, cleaned, of everybody who said something."""

    @property
    def unread(self) -> int:
        """How many cells between the first and the last could not be read."""
        return self.cells[-1].index - len(self.cells) if self.cells else 0

    @property
    def newer(self) -> Capture | None:
        """The newest capture, where this is not it."""
        first = self.captures[0] if self.captures else None
        return first if first is not None and first.row.id != self.entity else None

    def all_marks(self) -> list[Mark]:
        """Return every thread: by cell, orphaned ones last."""
        return [*(one for at in sorted(self.marks) for one in self.marks[at]), *self.orphans]

    def anchors(self) -> list[Anchor]:
        """Return the cells as an annotation is anchored to them."""
        return anchors(self.cells)


def is_notebook(node: Node | None) -> bool:
    """Say whether a node is a notebook."""
    return node is not None and node.kind == "document" and node.attrs.get("type") == "notebook"


def held_as(node: Node | None) -> str:
    """Return the SHA-256 of a notebook's bytes, empty where none is known."""
    if node is None:
        return ""
    kept = node.attrs.get("notebook")
    value = kept.get("sha256") if isinstance(kept, Mapping) else node.digests.get("sha256")
    text = str(value or "")
    return text if len(text) == 64 and not text.strip("0123456789abcdef") else ""


def anchors(cells: Sequence[Cell]) -> list[Anchor]:
    """Return cells as an annotation is anchored to them."""
    return [Anchor(cell.digest, cell.kind, cell.source) for cell in cells]


def read(project: Project, entity: str) -> Book:
    """Read a notebook.

    Raises:
        NotFound: nothing is known of it.
    """
    row, node = project.row(entity), project.node(entity)
    if node is None and not row.last:
        raise NotFound(f"{entity} is not in this store", "[ goes back; a newer bundle may bring it")
    cells, trouble = cells_of(project, node)
    threads = project.annotations(entity)
    found = anchored(threads, anchors(cells))
    before = _places_before(project, threads, entity)
    marks: dict[int, list[Mark]] = {}
    orphans: list[Mark] = []
    for one in found:
        if one.at is None:
            orphans.append(Mark(one.thread, None, "" if trouble else _orphaned(one, before)))
        else:
            marks.setdefault(one.at, []).append(Mark(one.thread, one.at, _where(one, entity, before, project)))
    captures = _captures(project, entity, row.name, threads)
    people = {one.person for one in threads} | {said.person for one in threads for said in one.replies}
    people |= {one.resolved.person for one in threads if one.resolved is not None}
    name = clean(node.title if node is not None else row.title)
    names = {person: clean(project.person_name(person)) for person in people}
    return Book(
        entity, name, node, held_as(node), tuple(cells), _order(cells), trouble, marks, orphans, captures, names
    )  # fmt: skip


def cells_of(project: Project, node: Node | None) -> tuple[list[Cell], tuple[str, ...]]:
    """Return the cells of a notebook; where there are none, why, and what brings them, a cleaned sentence each."""
    from carnet_store.exchange.importers.notebook import cells_of as parse

    if node is None:
        return [], ("This notebook is referred to, and not declared in this store.", "A newer bundle may bring it.")
    digest = held_as(node)
    if not digest:
        return [], ("No digest of this notebook is recorded, so that its cells cannot be shown.",
                    "carnet capture notebook FILE records it with its cells.")  # fmt: skip
    if not project.objects.has(digest):
        return [], _not_here(node, digest)
    try:
        return parse(project.objects.get(digest)), ()
    except CarnetError as error:
        return [], (
            f"The cells cannot be read: {clean(error.message)}.",
            *([f"{clean(error.hint)}."] if error.hint else []),
        )


def _not_here(node: Node, digest: str) -> tuple[str, ...]:
    said = [f"The bytes of this notebook are not in this store: sha256 {digest}."]
    if node.attrs.get("redacted"):
        said.append("They were not kept: the file holds what looks like a secret. Take that out and capture it again.")
    elif not isinstance(node.attrs.get("notebook"), Mapping):
        said.append(
            "They were not kept when it was declared. carnet capture notebook FILE, with the same file, keeps them."
        )
    else:
        said.append(
            "A bundle with objects brings them (6 opens one), or carnet capture notebook FILE with the same file."
        )
    return tuple(said)


def _order(cells: Sequence[Cell]) -> str:
    from carnet_store.exchange.importers.notebook import order_of

    return order_of(cells) if cells else ""


def _captures(project: Project, entity: str, name: str, threads: Sequence[Thread]) -> list[Capture]:
    """Return the notebooks of the same name, newest first."""
    count: dict[str, int] = {}
    for one in threads:
        count[one.document] = count.get(one.document, 0) + 1
    found: list[Capture] = []
    start = 0
    while name and len(found) < CAPTURES_AT_MOST:
        page = project.entities("document", text=name, start=start, limit=500)
        for row in page:
            node = project.node(row.id) if row.name == name else None
            if is_notebook(node):
                found.append(Capture(row, held_as(node), count.get(row.id, 0)))
        start += len(page)
        if len(page) < 500:
            break
    return found[:CAPTURES_AT_MOST] if any(one.row.id == entity for one in found) else []


def _places_before(project: Project, threads: Sequence[Thread], entity: str) -> dict[tuple[str, str], int]:
    """Return (document, digest of a cell) -> its place from 1, for the cells of other captures on which something was said."""
    found: dict[tuple[str, str], int] = {}
    others = dict.fromkeys(one.document for one in reversed(threads) if one.document != entity)
    for document in list(others)[:OPENED_AT_MOST]:
        cells, _ = cells_of(project, project.node(document))
        here = anchored([one for one in threads if one.document == document], anchors(cells))
        found |= {(document, one.thread.id): one.at + 1 for one in here if one.at is not None}
    return found


def _where(one: Anchored, entity: str, before: Mapping[tuple[str, str], int], project: Project) -> str:
    """Return in words how a thread came to its cell."""
    if one.thread.document == entity:
        return ""
    place = before.get((one.thread.document, one.thread.id), 0)
    since = f"since the capture of {words.day(project.row(one.thread.document).t)}"
    if one.how == "near":
        return f"cell {place} was changed {since}" if place else f"the cell was changed {since}"
    if place and one.at is not None and place != one.at + 1:
        return f"moved from cell {place} {since}"
    return f"moved {since}" if one.how == "moved" and not place else ""


def _orphaned(one: Anchored, before: Mapping[tuple[str, str], int]) -> str:
    place = before.get((one.thread.document, one.thread.id), 0)
    return f"it was cell {place}; no cell here is like it" if place else "no cell here is like it"


def excerpt_of(source: str) -> str | None:
    """Return what may stand in the record of a cell whose text carries a secret, None where it carries none."""
    from carnet_store.exchange.importers.files import redacted

    plain = redacted(source)
    return None if plain == source else plain


def facts_of(book: Book) -> dict[str, Any]:
    """Return what the record itself says of the notebook."""
    return dict(book.node.attrs) if book.node is not None else {}
