"""The derived tables while they are written: rows are gathered and written together, entities get local numbers and names."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from carnet_store.core.kind import KINDS
from carnet_store.domain.lineage import Declared
from carnet_store.storage.reading import Reading, Row, row_digest, typed_value
from carnet_store.storage.schema import INDEX_BITS

_INSERT = "INSERT INTO change VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"


@dataclass(slots=True)
class Entity:
    """An entity that is new or altered and not yet written."""

    no: int
    id: str
    new: bool
    name: str
    version: str
    t: int
    last: int
    birth: int | None


class Writing(Reading):
    """What the fold writes to. Everything happens inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, ledger: str) -> None:
        """Use an open connection to the ledger's file; `ledger` is its id."""
        super().__init__(db, ledger)
        self._sum = 0
        self._rows: dict[int, Row] = {}
        self._altered: dict[int, Entity] = {}
        self._next_entity = 1

    def forget_cache(self) -> None:
        """Drop what was remembered of the tables (after a rollback they may differ)."""
        super().forget_cache()
        self._rows.clear()
        self._altered.clear()

    def _row(self, number: int) -> Row | None:
        row: Row | None = self._rows.get(number)
        return row or self.db.execute("SELECT * FROM change WHERE id = ?", (number,)).fetchone()

    @staticmethod
    def _name(found: Entity, typed: msgspec.Struct, number: int, t: int) -> None:
        found.birth = number
        found.t = t
        if isinstance(typed, Declared):
            found.name, found.version, found.t = typed.name, typed.version, typed.at or t

    def _name_anew(self, entity: int) -> None:
        """Name an entity by its birth with the smallest change id: two births of one thing are told apart in no other way."""
        self._write_out()
        found = self._load(entity)
        found.name, found.version, found.birth = "", "", None
        rows = self.db.execute(
            "SELECT c.id, v.t, w.text, c.value FROM change c JOIN event v ON v.id = c.id >> ? JOIN word w ON w.no = c.kind"
            " WHERE c.entity = ? AND c.live = 1 ORDER BY v.hash, c.id",
            (INDEX_BITS, entity),
        )
        for number, t, text, raw in rows:
            known = KINDS.get(text.rstrip("!"))
            typed = typed_value(known.name, raw) if known is not None and known.birth else None
            if typed is not None:
                self._name(found, typed, number, t)
                return

    def _entity(self, entity: str, t: int, moves: bool) -> int:
        """Return an entity's local number, made where it is new; `moves` says that its last time does."""
        no = self._entities.get(entity)
        if no is None:
            row = self.db.execute("SELECT no FROM entity WHERE id = ?", (entity,)).fetchone()
            if row is not None:
                no = int(row[0])
            else:
                no, self._next_entity = self._next_entity, self._next_entity + 1
                self._altered[no] = Entity(no, entity, True, "", "", 0, 0, None)
                self._sum += row_digest((no, entity))
            if len(self._entities) > 200_000:
                self._entities.clear()
            self._entities[entity] = no
        if moves:
            found = self._altered.get(no) or self._load(no)
            found.last = max(found.last, t)
            if found.birth is None:
                found.t = min(found.t or t, t)
        return no

    def _load(self, no: int) -> Entity:
        found = self._altered.get(no)
        if found is None:
            row = self.db.execute("SELECT id, name, version, t, last, birth FROM entity WHERE no = ?", (no,)).fetchone()
            found = self._altered[no] = Entity(no, row[0], False, *row[1:])
        return found

    def _write_out(self) -> None:
        """Write what was gathered into the tables."""
        if self._rows:
            self.db.executemany(_INSERT, list(self._rows.values()))
            self._rows.clear()
        if self._altered:
            new = [e for e in self._altered.values() if e.new]
            old = [e for e in self._altered.values() if not e.new]
            self.db.executemany(
                "INSERT INTO entity VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                [(e.no, e.id, e.id.partition(":")[0], e.name, e.version, e.t, e.last, e.birth) for e in new],
            )
            self.db.executemany(
                "UPDATE entity SET name = ?, version = ?, t = ?, last = ?, birth = ? WHERE no = ?",
                [(e.name, e.version, e.t, e.last, e.birth, e.no) for e in old],
            )
            self._altered.clear()

    def _word(self, text: str) -> int:
        no = self._words.get(text)
        if no is None:
            row = self.db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
            no = (
                int(row[0]) if row else int(self.db.execute("INSERT INTO word(text) VALUES(?)", (text,)).lastrowid or 0)
            )
            self._words[text] = no
            self._texts[no] = text
        return no

    def _put_meta(self, key: str, value: object) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, str(value)))
