"""The rows that search reads, made to say what the ledgers say now: tables of `index.db`, derived and never believed for long.

- One row of `said` holds the texts of an entity (of each checklist item of a handoff) as they stand: what counts and was not replaced; findings,
  waivers and the like also after they were closed.
- Rows follow a ledger by the places they were made at, in one transaction. Whatever replaces a value stands on the same entity, so the
  entities of new changes are enough; where who counts differs, or all was folded anew, every entity is compared.
- A value that was erased leaves the rows in the same transaction, and the file is rewritten after it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from carnet_store.core.kind import KINDS
from carnet_store.domain.erasure import Erased
from carnet_store.domain.search_query import plain, split_signs
from carnet_store.domain.searchable import Piece, Said, attribute, said
from carnet_store.storage.reading import signed_payload
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS

if TYPE_CHECKING:
    from carnet_store.storage.project import Project

FORM: Final = 1
"""Rows of another form are made anew."""
AT_ONCE: Final = 500
"""Changes that a write takes into the index on its way; more wait for the next search."""
_PROJECT_BITS: Final = 44
_MANY: Final = frozenset({"run", "check"})
_MANY_BITS: Final = 40
_BREAK: Final = "\x1e\ue000\x1e"  # between two texts; the letter in the middle keeps a phrase from reaching over it

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS said(no INTEGER PRIMARY KEY, project INTEGER NOT NULL, entity TEXT NOT NULL, item TEXT NOT NULL,
      kind TEXT NOT NULL, t INTEGER NOT NULL, outcome TEXT NOT NULL, fields TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
      plain TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX IF NOT EXISTS said_of ON said(project, entity, item)",
    "CREATE TABLE IF NOT EXISTS said_about(about TEXT NOT NULL, no INTEGER NOT NULL, PRIMARY KEY(about, no)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS said_about_no ON said_about(no)",
    """CREATE TABLE IF NOT EXISTS said_sign(project INTEGER NOT NULL, entity TEXT NOT NULL, sign BLOB NOT NULL, PRIMARY KEY(project, entity))
      WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS said_as_of(project INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, form TEXT NOT NULL, places TEXT NOT NULL,
      people TEXT NOT NULL, shreds TEXT NOT NULL, traces INTEGER NOT NULL)""",
)
_WORDS: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS said_words USING fts5(name, body, content='said', content_rowid='no', prefix='1 2',"
    ' tokenize="unicode61 remove_diacritics 2")'
)

Progress = Callable[[int, int], None]
"""Hears how many entities of how many were read."""


@functools.lru_cache(maxsize=1)
def has_full_text() -> bool:
    """Say whether this SQLite was built with FTS5."""
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE VIRTUAL TABLE x USING fts5(a)")
    except sqlite3.OperationalError:
        return False
    finally:
        db.close()
    return True


def row_range(project: int, many: bool) -> tuple[int, int]:
    """Return the first and last number that rows of a project may have; what machines write by the thousand stands apart."""
    first = project << _PROJECT_BITS | many << _MANY_BITS
    return first, first | (1 << _MANY_BITS) - 1


def is_many(kind: str) -> bool:
    """Say whether machines write things of this kind by the thousand: what people wrote is ranked beside them, not among them."""
    return kind in _MANY


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are not; rows of another form, or for another kind of search, go."""
    for statement in _TABLES:
        db.execute(statement)
    if db.execute("SELECT 1 FROM said_as_of WHERE form <> ? LIMIT 1", (_form(),)).fetchone() is not None:
        db.execute("BEGIN IMMEDIATE")  # a SQLite without FTS5 cannot drop its table: then the whole file is made anew
        for table in ("said_words", "said", "said_about", "said_sign", "said_as_of"):
            db.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES:
            db.execute(statement)
        db.execute("COMMIT")
    if has_full_text():
        db.execute(_WORDS)


def _form() -> str:
    return f"{FORM} {'words' if has_full_text() else 'like'}"


def wipe(db: sqlite3.Connection, project: int) -> None:
    """Drop all rows of a project, inside the caller's transaction."""
    if has_full_text():
        sql = "INSERT INTO said_words(said_words, rowid, name, body) SELECT 'delete', no, name, body FROM said WHERE project = ?"
        db.execute(sql, (project,))
    db.execute("DELETE FROM said_about WHERE no IN (SELECT no FROM said WHERE project = ?)", (project,))
    for table in ("said", "said_sign", "said_as_of"):
        db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608 (own words)


def scrub(db: sqlite3.Connection) -> bool:
    """Rewrite the file so that no page keeps what was taken out; False where another program has it open."""
    try:
        if has_full_text():  # merges the segments: what was deleted stands in older ones until then
            db.execute("INSERT INTO said_words(said_words) VALUES('optimize')")
        db.execute("VACUUM")
        return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a ledger is at: `places` {chain: [number, seq, event id]} of what is folded, the revision of who counts, tombstones."""

    places: dict[str, list[Any]]
    people: str
    shreds: list[int]


class Following:
    """One project's rows being made to say what its ledger says now."""

    def __init__(
        self, db: sqlite3.Connection, project: Project, progress: Progress | None, erased: Callable[[], object] | None = None
    ) -> None:  # fmt: skip
        """Follow `project` in the index that `db` is; `erased` is called inside the transaction where a value was erased."""
        self.db = db
        self.project = project
        self.ledger = project.ledger.db
        self.progress = progress
        self.erased = erased
        self.number = 0
        self._next: dict[int, int] = {}

    def run(self, most: int | None) -> bool:
        """Follow, all of it or at most so many events; say whether no trace of an erased value is left."""
        with self._one_moment():
            now = self._moment()
            then, traces = self._kept()
            if then != now:
                self.db.execute("BEGIN IMMEDIATE")
                try:
                    traces = self._follow(now, most) or traces
                    self.db.execute("COMMIT")
                except BaseException:
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
                    raise
        if traces and scrub(self.db):
            self.db.execute("UPDATE said_as_of SET traces = 0 WHERE id = ?", (self.project.id,))
            traces = False
        return not traces

    @contextlib.contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Read the ledger as of one moment: another process may fold it anew meanwhile."""
        if self.ledger.in_transaction:
            yield
            return
        self.ledger.execute("BEGIN")
        try:
            yield
        finally:
            self.ledger.execute("COMMIT")

    def _moment(self) -> _Moment:
        places = {
            f"{key}~{branch}" if branch else key: [no, seq, digest.hex()]
            for key, branch, no, seq, digest in self.ledger.execute(
                "SELECT c.key, c.branch, c.no, d.seq, v.hash FROM chain c JOIN done d ON d.chain = c.no"
                " JOIN event v ON v.id = (c.no << ?) + d.seq ORDER BY c.no",
                (SEQ_BITS,),
            )
        }
        people = self.ledger.execute("SELECT v FROM meta WHERE k = 'people'").fetchone()
        shreds = self.ledger.execute(
            "SELECT c.id FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
            " WHERE e.id = ? AND k.text IN ('value.erased', 'value.erased!') AND c.counts = 0 ORDER BY c.id",
            (f"ledger:{self.project.id[:32]}",),
        )
        return _Moment(places, str(people[0]) if people else "", [row[0] for row in shreds])

    def _kept(self) -> tuple[_Moment | None, bool]:
        row = self.db.execute(
            "SELECT project, places, people, shreds, traces FROM said_as_of WHERE id = ?", (self.project.id,)
        ).fetchone()
        if row is None:
            return None, False
        self.number = row[0]
        return _Moment(json.loads(row[1]), row[2], json.loads(row[3])), bool(row[4])

    def _follow(self, now: _Moment, most: int | None) -> bool:
        """Write what changed, inside the transaction; say whether texts were taken out whose bytes must go."""
        then, _ = self._kept()
        another = then is not None and not self._goes_on(then, now)  # the ledger's file was replaced
        if then is None or another:
            if another:
                wipe(self.db, self.number)
            if most is None or not self._more(most):
                self.number = self.db.execute("SELECT coalesce(max(project), 0) + 1 FROM said_as_of").fetchone()[0]
                self._write_all([row[0] for row in self.ledger.execute("SELECT no FROM entity ORDER BY t, no")])
                self._keep(now, traces=another)
            return another
        new_shreds = sorted(set(now.shreds) - set(then.shreds))
        entities = set(self._targets(new_shreds))
        anew = now.people != then.people  # who counts differs, or all was folded anew: every entity is compared
        late = most is not None and self._more(most, None if anew else (then, now))
        if not late:
            entities |= self._differing() if anew else self._touched(then, now)
        self._write_all(sorted(entities))
        self._keep(_Moment(then.places, then.people, now.shreds) if late else now, traces=bool(new_shreds))
        if new_shreds and self.erased is not None:
            self.erased()
        return bool(new_shreds)

    def _keep(self, moment: _Moment, *, traces: bool) -> None:
        self.db.execute(
            "INSERT INTO said_as_of VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(project) DO UPDATE SET places = excluded.places,"
            " people = excluded.people, shreds = excluded.shreds, traces = max(traces, excluded.traces)",
            (
                self.number,
                self.project.id,
                _form(),
                json.dumps(moment.places),
                moment.people,
                json.dumps(moment.shreds),
                traces,
            ),
        )

    def _goes_on(self, then: _Moment, now: _Moment) -> bool:
        """Whether every place that the index knows is still there, under the same local number."""
        for name, (no, seq, digest) in then.places.items():
            row = self.ledger.execute("SELECT hash FROM event WHERE id = ?", (no << SEQ_BITS | seq,)).fetchone()
            if now.places.get(name, [0])[0] != no or row is None or row[0].hex() != digest:
                return False
        return True

    def _more(self, most: int, since: tuple[_Moment, _Moment] | None = None) -> bool:
        """Whether there are more than so many changes, of all or of those that came since."""
        ranges = [(0, (1 << 63) - 1)] if since is None else self._ranges(*since)
        left = most
        for first, last in ranges:
            sql = "SELECT count(*) FROM (SELECT 1 FROM change WHERE id >= ? AND id < ? LIMIT ?)"
            left -= self.ledger.execute(sql, (first, last, left + 1)).fetchone()[0]
            if left < 0:
                return True
        return False

    # -- which entities --

    @staticmethod
    def _ranges(then: _Moment, now: _Moment) -> Iterator[tuple[int, int]]:
        """Yield the ranges of local change numbers that came since."""
        for name, (no, seq, _) in now.places.items():
            start = then.places[name][1] + 1 if name in then.places else 0
            yield (no << SEQ_BITS | start) << INDEX_BITS, ((no << SEQ_BITS) + seq + 1) << INDEX_BITS

    def _touched(self, then: _Moment, now: _Moment) -> set[int]:
        """Return the entities of all changes that came since: whatever replaces something stands on the same entity."""
        sql = "SELECT entity FROM change WHERE id >= ? AND id < ?"
        return {row[0] for between in self._ranges(then, now) for row in self.ledger.execute(sql, between)}

    def _targets(self, shreds: Sequence[int]) -> Iterator[int]:
        """Yield the entities whose values these tombstones name."""
        tables = self.project.ledger.projection
        for tombstone in tables.select("WHERE c.id IN (SELECT value FROM json_each(?))", (json.dumps(shreds),)):
            for target in tombstone.value.targets if isinstance(tombstone.value, Erased) else ():
                for row in self.ledger.execute(
                    "SELECT entity FROM change WHERE id = ?", (tables.change_number(target),)
                ):
                    yield row[0]

    def _differing(self) -> set[int]:
        """Compare every entity's live values with those that its rows were made from."""
        held = dict(self.db.execute("SELECT entity, sign FROM said_sign WHERE project = ?", (self.number,)))
        found: set[int] = set()
        sql = (
            "SELECT e.no, e.id, c.id * 2 + c.live FROM change c JOIN entity e ON e.no = c.entity"
            " WHERE c.counts = 0 AND (c.live = 1 OR c.kind IN (SELECT value FROM json_each(?))) ORDER BY e.no, c.id"
        )
        all_rows = self.ledger.execute(sql, (self._closing(),))
        for (no, entity), rows in itertools.groupby(all_rows, key=lambda row: (row[0], row[1])):
            if held.pop(entity, b"") != _signature(row[2] for row in rows):
                found.add(no)
        for entity in held:  # known to the index, and nothing of it counts any more
            self._write(entity, b"", {})
        return found

    def _closing(self) -> str:
        """Return the local numbers of the kinds that are closed and not taken back, as JSON: a closed finding was found all the same."""
        names = [name + mark for name, known in KINDS.items() if known.rule == "closing" for mark in ("", "!")]
        query = "SELECT no FROM word WHERE text IN (SELECT value FROM json_each(?))"
        return json.dumps([row[0] for row in self.ledger.execute(query, (json.dumps(names),))])

    # -- their rows --

    def _write_all(self, entities: Sequence[int]) -> None:
        done = 0
        sql = (
            "SELECT e.no, e.id, c.id * 2 + c.live, k.text, c.field, c.value, v.t, c.live FROM change c"
            " JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind JOIN event v ON v.id = c.id >> ?"
            " WHERE c.entity IN (SELECT value FROM json_each(?)) AND c.counts = 0"
            " AND (c.live = 1 OR c.kind IN (SELECT value FROM json_each(?))) ORDER BY e.no, c.id"
        )
        closing = self._closing()
        ids = "SELECT no, id FROM entity WHERE no IN (SELECT value FROM json_each(?))"
        for at in range(0, len(entities), AT_ONCE):
            part = json.dumps(entities[at : at + AT_ONCE])
            silent = dict(self.ledger.execute(ids, (part,)).fetchall())
            rows = self.ledger.execute(sql, (INDEX_BITS, part, closing))
            for (no, entity), group in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
                silent.pop(no)
                changes = [row[2:] for row in group]
                self._write(entity, _signature(change[0] for change in changes), _texts(changes))
            for entity in silent.values():
                self._write(entity, b"", {})
            done += len(entities[at : at + AT_ONCE])
            if self.progress is not None:
                self.progress(done, len(entities))

    def _write(self, entity: str, sign: bytes, texts: dict[str, _Row]) -> None:
        """Make an entity's rows these, by checklist item; rows whose texts stay are not written again."""
        place = (self.number, entity)
        held = {
            row[0]: row[1:]
            for row in self.db.execute(
                "SELECT item, no, name, body, fields, t, outcome FROM said WHERE project = ? AND entity = ?", place
            )
        }
        for item, row in texts.items():
            no, *before = held.pop(item, (0,))
            fields = json.dumps(row.fields)
            now = [row.name, row.body, fields, row.t, row.outcome]
            if before == now:
                continue
            if no:
                self._out(no, before[0], before[1])
            else:
                no = self._new_number(entity)
            words = "" if has_full_text() else plain(text for _, text in pieces_of(fields, row.name, row.body))
            kind = entity.partition(":")[0]
            self.db.execute(
                "INSERT INTO said VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (no, self.number, entity, item, kind, row.t, row.outcome, fields, row.name, row.body, words),
            )
            self.db.executemany("INSERT INTO said_about VALUES(?, ?)", [(one, no) for one in row.about])
            if has_full_text():
                self.db.execute("INSERT INTO said_words(rowid, name, body) VALUES(?, ?, ?)", (no, row.name, row.body))
        for no, name, body, *_ in held.values():
            self._out(no, name, body)
        if sign:
            self.db.execute("INSERT OR REPLACE INTO said_sign VALUES(?, ?, ?)", (*place, sign))
        else:
            self.db.execute("DELETE FROM said_sign WHERE project = ? AND entity = ?", place)

    def _out(self, no: int, name: str, body: str) -> None:
        if has_full_text():
            self.db.execute(
                "INSERT INTO said_words(said_words, rowid, name, body) VALUES('delete', ?, ?, ?)", (no, name, body)
            )
        self.db.execute("DELETE FROM said WHERE no = ?", (no,))
        self.db.execute("DELETE FROM said_about WHERE no = ?", (no,))

    def _new_number(self, entity: str) -> int:
        first, last = row_range(self.number, is_many(entity.partition(":")[0]))
        if first not in self._next:
            self._next[first] = self.db.execute(
                "SELECT coalesce(max(no), ?) FROM said WHERE no BETWEEN ? AND ?", (first, first, last)
            ).fetchone()[0]
        self._next[first] += 1
        return self._next[first]


@dataclass(slots=True)
class _Row:
    """A row in the making: names and texts as (field, text), and what goes with them."""

    names: list[Piece]
    texts: list[Piece]
    about: set[str]
    outcome: str = ""
    t: int = 0

    @property
    def fields(self) -> list[list[str]]:
        return [[label for label, _ in self.names], [label for label, _ in self.texts]]

    @property
    def name(self) -> str:
        return _BREAK.join(_kept_text(text) for _, text in self.names)

    @property
    def body(self) -> str:
        return _BREAK.join(_kept_text(text) for _, text in self.texts)


def _texts(changes: Sequence[tuple[int, str, str, bytes | None, int, int]]) -> dict[str, _Row]:
    """Return the rows of one entity by checklist item, from its changes (sign, kind, field, value, t, live)."""
    rows: dict[str, _Row] = {}
    set_anew = {attribute(kind, field) for _, kind, field, _, _, _ in changes} - {""}
    for _, kind, field, raw, t, live in changes:
        one = _said(kind.rstrip("!"), field, raw)
        if one is None:
            continue
        row = rows.setdefault(one.item, _Row([], [], set()))
        row.names += one.names
        texts = [piece for piece in one.texts if kind != "entity.declared" or piece[0] not in set_anew]
        row.texts += texts if live else [(f"{label}, closed", text) for label, text in texts]
        row.about.update(one.about)
        if one.outcome and not (kind == "entity.declared" and "outcome" in set_anew):
            row.outcome = one.outcome
        row.t = max(row.t, t)
    return {item: row for item, row in rows.items() if row.names or row.texts}


def _said(kind: str, field: str, raw: bytes | None) -> Said | None:
    known = KINDS.get(kind)
    if known is None or known.about_people or raw is None:
        return None
    return said(kind, field, msgspec.json.decode(signed_payload(raw) if known.payload_type else raw))


def _kept_text(text: str) -> str:
    return split_signs(text.replace("\x1e", " ").replace("\x1f", " "))


def pieces_of(fields: str, name: str, body: str) -> list[Piece]:
    """Return the (field, text) pairs that a row was made of."""
    labels = json.loads(fields)
    return [
        (label, text.replace("\x1f", ""))
        for some, joined in zip(labels, (name, body), strict=True)
        for label, text in zip(some, joined.split(_BREAK), strict=False)
    ]


def _signature(numbers: Iterable[int]) -> bytes:
    """Return what tells one set of live changes of an entity from another."""
    return hashlib.blake2b(",".join(map(str, numbers)).encode(), digest_size=8).digest()
