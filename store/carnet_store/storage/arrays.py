"""The lineage of a ledger as arrays: 8 MB for 550,000 edges, loaded at first use, kept while the ledger stays as it is.

A node's number is its local number in table `entity`. Edges are turned to flow from what was there first to what came of it: `used` and `from` lead
back from where they stand, `made` leads forward. What was loaded is kept per file for the whole process, so that every connection to it shares it;
what a few new events added is put in between, anything else loads anew.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from carnet_store.domain import paths
from carnet_store.domain.lineage import NODES, RELATIONS
from carnet_store.domain.paths import SHIFT, Side
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS

KINDS: Final = ("", *NODES)
"""Kind of a code of `Arrays.kinds`; 0 is any other kind that an edge leads to."""
CODES: Final = {kind: code for code, kind in enumerate(KINDS)}
FEW: Final = 5_000
"""New changes that are put in between; more load anew."""

KEPT_AT_MOST: Final = 4
"""Ledgers whose arrays a process keeps."""

_kept: dict[str, Arrays] = {}


@dataclass(frozen=True, slots=True)
class Arrays:
    """A ledger's lineage as it was at `stamp`.

    Attributes:
        stamp: sum over the tables and revision of who counts; equal stamps are equal tables.
        done: how far each chain was folded: (seq, event hash).
        newest: id of the entity with the highest number.
        up, down: neighbours by local number.
        kinds: code of each node's kind.
        times: when each node came to be, ms.
        known: 1 for each node that is declared.
        strange: edges of a relation that this release does not know; they are in no answer.
    """

    stamp: tuple[str, str]
    done: dict[int, tuple[int, bytes]]
    newest: str
    up: Side
    down: Side
    kinds: array[int]
    times: array[int]
    known: bytearray
    strange: int

    @property
    def nodes(self) -> int:
        """How many numbers there are; not every one is a node of the lineage."""
        return self.up.nodes

    def everything(self) -> list[int]:
        """Return every node: what is declared, and what an edge leads to."""
        up, down = self.up.ptr, self.down.ptr
        return [no for no in range(self.nodes) if self.known[no] or up[no] != up[no + 1] or down[no] != down[no + 1]]


def stamp_of(db: sqlite3.Connection) -> tuple[str, str]:
    """Return the state of the tables in a word."""
    rows = dict(db.execute("SELECT k, v FROM meta WHERE k IN ('sum', 'people')").fetchall())
    return str(rows.get("sum", "")), str(rows.get("people", ""))


def relations(db: sqlite3.Connection) -> dict[str, int]:
    """Return the local numbers of the three relations; -1 where no edge has one yet."""
    found = dict(db.execute("SELECT text, no FROM word WHERE text IN ('used', 'made', 'from')").fetchall())
    return {name: int(found.get(name, -1)) for name in RELATIONS}


def load(db: sqlite3.Connection, place: str) -> Arrays:
    """Return the arrays of a ledger as it stands; `place` names its file in this process."""
    old = _kept.get(place)
    if old is not None and old.stamp == stamp_of(db):
        return old
    own = not db.in_transaction
    if own:
        db.execute("BEGIN")  # one state for all that is read
    try:
        stamp = stamp_of(db)
        made = (_grown(db, old, stamp) if old is not None else None) or _read(db, stamp)
    finally:
        if own:
            db.execute("COMMIT")
    if not own:
        return made  # what is not committed may never be
    _kept.pop(place, None)
    while len(_kept) >= KEPT_AT_MOST:
        _kept.pop(next(iter(_kept)), None)
    _kept[place] = made
    return made


def kept(db: sqlite3.Connection, place: str) -> Arrays | None:
    """Return the arrays where they are loaded already and still right."""
    old = _kept.get(place)
    return old if old is not None and old.stamp == stamp_of(db) else None


def forget(place: str) -> None:
    """Drop what is kept of a file."""
    _kept.pop(place, None)


def _done(db: sqlite3.Connection) -> dict[int, tuple[int, bytes]]:
    rows = db.execute(
        "SELECT d.chain, d.seq, v.hash FROM done d JOIN event v ON v.id = d.chain << ? | d.seq", (SEQ_BITS,)
    )
    return {int(chain): (int(seq), digest) for chain, seq, digest in rows}


def _entity(db: sqlite3.Connection, no: int) -> str:
    row = db.execute("SELECT id FROM entity WHERE no = ?", (no,)).fetchone()
    return str(row[0]) if row else ""


def _goes_on(db: sqlite3.Connection, old: Arrays) -> bool:
    """Say whether the tables are those of `old` and more: every event it ended with is still in its place, and numbers are the same."""
    places = ((chain << SEQ_BITS | seq, digest) for chain, (seq, digest) in old.done.items())
    found = (
        db.execute("SELECT hash FROM event WHERE id = ?", (place,)).fetchone() == (digest,) for place, digest in places
    )
    return all(found) and _entity(db, old.nodes - 1) == old.newest


def _read(db: sqlite3.Connection, stamp: tuple[str, str]) -> Arrays:
    nodes = int(db.execute("SELECT coalesce(max(no), 0) + 1 FROM entity").fetchone()[0])
    kinds, times, known = array("b", bytes(nodes)), array("q", bytes(8 * nodes)), bytearray(nodes)
    _fill(db.execute("SELECT no, kind, t, birth IS NOT NULL FROM entity"), kinds, times, known)
    rel = relations(db)
    rows = db.execute(
        f"SELECT src << {SHIFT} | dst FROM edge WHERE rel IN (?, ?) UNION ALL SELECT dst << {SHIFT} | src FROM edge WHERE rel = ?",  # noqa: S608 (own words)
        (rel["used"], rel["from"], rel["made"]),
    )
    pairs = _without_repeats(sorted([pair for (pair,) in rows]))
    strange = db.execute("SELECT count(*) FROM edge WHERE rel NOT IN (?, ?, ?)", tuple(rel.values())).fetchone()[0]
    up, down = paths.side(nodes, pairs), paths.side(nodes, paths.turned(pairs))
    return Arrays(stamp, _done(db), _entity(db, nodes - 1), up, down, kinds, times, known, int(strange))


def _without_repeats(pairs: list[int]) -> list[int]:
    if len(pairs) < 2:
        return pairs
    return [pairs[0], *[pair for before, pair in pairwise(pairs) if pair != before]]


def _fill(rows: Iterable[tuple[int, str, int, int]], kinds: array[int], times: array[int], known: bytearray) -> None:
    for no, kind, t, born in rows:
        code = CODES.get(kind, 0)
        kinds[no], times[no], known[no] = code, t, 1 if born and code else 0


def _grown(db: sqlite3.Connection, old: Arrays, stamp: tuple[str, str]) -> Arrays | None:
    """Return the arrays with what new events added; None where they may have taken something away, or are many."""
    done = _done(db)
    nothing = (-1, b"")
    if stamp[1] != old.stamp[1] or any(done.get(chain, nothing)[0] < seq for chain, (seq, _) in old.done.items()):
        return None  # folded anew: numbers may be others
    if not _goes_on(db, old):
        return None
    words = dict(
        db.execute(
            "SELECT text, no FROM word WHERE text IN ('edge.linked', 'value.erased', 'value.erased!')"
        ).fetchall()
    )
    linked = words.pop("edge.linked", -1)
    rel = relations(db)
    pairs: list[int] = []
    touched: set[int] = set()
    seen = strange = 0
    for chain, (last, _) in done.items():
        first = old.done.get(chain, nothing)[0] + 1
        if first > last:
            continue
        ids = ((chain << SEQ_BITS | first) << INDEX_BITS, ((chain << SEQ_BITS | last) + 1 << INDEX_BITS) - 1)
        for entity, kind, over, field, src, relation, dst in db.execute(
            "SELECT c.entity, c.kind, c.over IS NOT NULL, c.field, g.src, g.rel, g.dst FROM change c LEFT JOIN edge g"
            " ON c.kind = ? AND g.src = c.entity AND g.change = c.id WHERE c.id BETWEEN ? AND ?",
            (linked, *ids),
        ):
            seen += 1
            if seen > FEW or kind in words.values() or (over and ":" in field):
                return None
            touched.add(entity)
            if src is None:
                continue
            touched.add(dst)
            if relation in (rel["used"], rel["from"]):
                pairs.append(src << SHIFT | dst)
            elif relation == rel["made"]:
                pairs.append(dst << SHIFT | src)
            else:
                strange += 1
    nodes = int(db.execute("SELECT coalesce(max(no), 0) + 1 FROM entity").fetchone()[0])
    more = nodes - old.nodes
    kinds, times = old.kinds + array("b", bytes(more)), old.times + array("q", bytes(8 * more))
    known = old.known + bytearray(more)
    fresh = [*touched, *range(old.nodes, nodes)]
    rows = db.execute(
        "SELECT e.no, e.kind, e.t, e.birth IS NOT NULL FROM json_each(?) j JOIN entity e ON e.no = j.value",
        (json.dumps(fresh),),
    )
    _fill(rows, kinds, times, known)
    up, down = paths.grown(old.up, nodes, pairs), paths.grown(old.down, nodes, paths.turned(pairs))
    return Arrays(stamp, done, _entity(db, nodes - 1), up, down, kinds, times, known, old.strange + strange)
