"""Search over everything that people wrote or recorded, by the rows of `search_rows`, which follow the ledgers before every answer.

- Full-text search is SQLite's FTS5, ranked by bm25. A SQLite without it reads the same rows by LIKE: slower, newest first, the same hits.
- What was decided about something found is found too, so that a rejected run comes with the decision that rejected it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from carnet_store.domain.decisions import Decision, Question
from carnet_store.domain.handoff import Opened
from carnet_store.domain.search_query import Query, parse, place
from carnet_store.errors import Busy, Invalid
from carnet_store.storage import search_rows
from carnet_store.storage.search_rows import (
    AT_ONCE,
    Following,
    Progress,
    is_many,
    pieces_of,
    prepare,
    row_range,
    scrub,
    wipe,
)

if TYPE_CHECKING:
    from carnet_store.storage.project import Project

__all__ = ["AT_ONCE", "Hit", "Progress", "SearchIndex", "in_memory"]

MAX_HITS: Final = 1_000
_RANKED: Final = 2_000
"""Of more matches the newest are ranked: judging all of 100,000 takes 90 ms and tells nothing."""
Opener = Callable[[], AbstractContextManager[sqlite3.Connection]]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found.

    Attributes:
        project: ledger id; `entity`, `kind`, `title` what it is; `item` the checklist item of a handoff, or empty.
        field: where the text stands: `name`, `parameter`, `reason`, `reply`, an attribute's name ...; `about` for a decision that is
            about what was found.
        snippet: the text around the match; `marks` the ranges of it that match (start, end).
        outcome: `rejected`, `accepted` ..., where one is recorded.
        t: ms, of the newest change of its texts.
    """

    project: str
    entity: str
    kind: str
    title: str
    item: str
    field: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    outcome: str
    t: int


@contextlib.contextmanager
def in_memory() -> Iterator[sqlite3.Connection]:
    """Give an empty index that is gone afterwards."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        yield db
    finally:
        db.close()


class SearchIndex:
    """The index of a store's projects. `opened` gives a connection to its file; nothing is kept open between calls."""

    def __init__(self, opened: Opener = in_memory) -> None:
        """Use what `opened` opens; without it an index of its own is made for each call."""
        self._opened = opened

    def search(
        self, projects: Sequence[Project], text: str, *, kinds: Sequence[str] = (), limit: int = 50, progress: Progress | None = None
    ) -> list[Hit]:  # fmt: skip
        """Return what holds a text (`domain.search_query`), best first, at most `limit`; the index follows the ledgers first.

        Where no word is found, words that begin so are; then parts of words. A decision about something found is found too.

        Raises:
            Usage: nothing to look for, or too much.
        """
        query = parse(text)
        try:
            return self._search(self._opened, projects, query, kinds, limit, progress)
        except (Busy, Invalid):  # the index cannot be written now: the same from one that lasts as long as the question
            return self._search(in_memory, projects, query, kinds, limit, progress)

    def follow(self, project: Project, most: int | None = None, progress: Progress | None = None) -> bool:
        """Take in what came since; where it is more than `most` changes it is left to the next search, erasures never are.

        Return whether no trace of an erased value is left in the index.

        Raises:
            Busy: another process holds the index for longer than five seconds.
        """
        with self._opened() as db:
            return self.follow_in(db, project, most, progress=progress)

    def follow_in(
        self, db: sqlite3.Connection, project: Project, most: int | None = None, *, erased: Callable[[], object] | None = None,
        progress: Progress | None = None,
    ) -> bool:  # fmt: skip
        """As `follow`, on an open connection outside a transaction; `erased` is called within it where a value was erased."""
        prepare(db)
        return Following(db, project, progress, erased).run(most)

    def forget(self, project: Project) -> None:
        """Drop all rows of a project: the next search makes them anew from the ledger."""
        with self._opened() as db:
            prepare(db)
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT project FROM said_as_of WHERE id = ?", (project.id,)).fetchone()
            if row is not None:
                wipe(db, row[0])
            db.execute("COMMIT")
            if row is not None:
                scrub(db)

    def _search(
        self, opened: Opener, projects: Sequence[Project], query: Query, kinds: Sequence[str], limit: int,
        progress: Progress | None,
    ) -> list[Hit]:  # fmt: skip
        limit = max(1, min(limit, MAX_HITS))
        with opened() as db:
            prepare(db)
            scope: dict[int, Project] = {}
            for project in projects:
                Following(db, project, progress).run(None)
                number = db.execute("SELECT project FROM said_as_of WHERE id = ?", (project.id,)).fetchone()[0]
                scope[number] = project
            wanted: Query | None = query
            while wanted is not None:
                found = _find(db, wanted, list(scope), kinds)
                order = _with_decisions(db, found, kinds, found if not kinds else _find(db, wanted, list(scope), ()))
                if order:
                    return _hits(db, wanted, scope, _cut(order, limit))
                wanted = wanted.wider()
        return []


# -- looking -----------------------------------------------------------------------------------------------------------


def _find(db: sqlite3.Connection, query: Query, projects: Sequence[int], kinds: Sequence[str]) -> list[int]:
    """Return the numbers of the rows that hold a query, best first."""
    scored: list[tuple[float, int]] = []
    of_kind = f"AND s.kind IN ({','.join('?' * len(kinds))}) " if kinds else ""
    words = search_rows.has_full_text() and not query.within
    for project, many in itertools.product(projects, (False, True)):
        if kinds and not any(is_many(kind) == many for kind in kinds):
            continue
        first, last = row_range(project, many)
        if words:
            join = "JOIN said s ON s.no = w.rowid " if kinds else ""
            sql = (
                f"SELECT bm25(said_words, 10.0, 1.0), w.rowid FROM said_words w {join}"  # noqa: S608 (own words)
                f"WHERE said_words MATCH ? AND w.rowid BETWEEN ? AND ? {of_kind}ORDER BY w.rowid DESC LIMIT {_RANKED}"
            )
            scored += db.execute(sql, (query.match, first, last, *kinds)).fetchall()
            continue
        text = "s.name || char(10) || s.body" if query.within else "s.plain"
        patterns = query.parts if query.within else tuple(term.like for term in query.terms)
        each = "".join(rf" AND {text} LIKE ? ESCAPE '\'" for _ in patterns)
        sql = f"SELECT s.no FROM said s WHERE s.no BETWEEN ? AND ? {of_kind}{each} ORDER BY s.no DESC LIMIT {_RANKED}"  # noqa: S608
        scored += [(0.0, no) for (no,) in db.execute(sql, (first, last, *kinds, *patterns))]
    scored.sort(key=lambda pair: (pair[0], -pair[1]))
    return [no for _, no in scored]


@dataclass(frozen=True, slots=True)
class _Found:
    """A row of the answer; `about` is the row of the found thing that it, a decision, is about, or 0."""

    no: int
    about: int = 0
    outcome: str = ""


def _with_decisions(
    db: sqlite3.Connection, found: Sequence[int], kinds: Sequence[str], things: Sequence[int]
) -> list[_Found]:
    """Return what was found, each followed by the decisions about it: that something was rejected is a result (R006)."""
    about: dict[int, list[_Found]] = {}
    if not kinds or "decision" in kinds:
        rows = db.execute(
            "SELECT t.no, d.no, d.outcome FROM said t JOIN said_about a ON a.about = t.entity JOIN said d ON d.no = a.no"
            " WHERE t.no IN (SELECT value FROM json_each(?)) AND d.project = t.project AND d.kind = 'decision' ORDER BY d.t, d.no",
            (json.dumps(list(things)),),
        )
        for thing, decision, outcome in rows:
            about.setdefault(thing, []).append(_Found(decision, thing, outcome))
    held = set(found)
    seen = set(found)
    order: list[_Found] = []
    for no in found if not kinds else [*found, *(thing for thing in things if thing in about and thing not in held)]:
        if no in held:
            order.append(_Found(no))
        for other in about.get(no, ()):
            if other.no not in seen:
                seen.add(other.no)
                order.append(other)
    return order


def _cut(order: list[_Found], limit: int) -> list[_Found]:
    """Return the first `limit`; a fifth of them may be decisions against something that would come later."""
    late = [one for one in order[limit:] if one.about and one.outcome not in ("", "accepted")][: limit // 5]
    return [*order[: limit - len(late)], *late]


def _hits(db: sqlite3.Connection, query: Query, scope: dict[int, Project], order: Sequence[_Found]) -> list[Hit]:
    numbers = json.dumps([no for one in order for no in (one.no, one.about) if no])
    rows = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT no, project, entity, item, kind, t, outcome, fields, name, body FROM said"
            " WHERE no IN (SELECT value FROM json_each(?))",
            (numbers,),
        )
    }
    titles = _Titles()
    hits = []
    for one in order:
        number, entity, item, kind, t, outcome, fields, name, body = rows[one.no]
        project = scope[number]
        pieces, names = pieces_of(fields, name, body), len(json.loads(fields)[0])
        if one.about:
            subject = rows[one.about]
            pieces, names = [("about", titles.of(scope[subject[0]], subject[1]))], 0
        where = place(query, pieces, names)
        title = titles.of(project, entity)
        hits.append(Hit(project.id, entity, kind, title, item, where.field, where.snippet, where.marks, outcome, t))
    return hits


class _Titles:
    """What things are called, each read once and from one change: a handoff is not folded for its name."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, project: Project, entity: str) -> str:
        """Return an entity's name for a line."""
        key = (project.id, entity)
        if key not in self._known:
            self._known[key] = self._read(project, entity)
        return self._known[key]

    def _read(self, project: Project, entity: str) -> str:
        kind = entity.partition(":")[0]
        if kind == "ledger":
            return project.name
        if kind in ("decision", "question", "handoff"):
            where = "WHERE c.id = (SELECT birth FROM entity WHERE id = ?)"
            value = next((c.value for c in project.ledger.projection.select(where, (entity,))), None)
            if isinstance(value, Decision):
                return value.choice
            if isinstance(value, Question):
                return value.text
            if isinstance(value, Opened):
                return self.of(project, value.model)
        return project.row(entity).title
