"""What the derived tables say: changes, causal pasts, digests. Nothing here writes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Final

import msgspec

from carnet_store.core import event as events
from carnet_store.core import keys
from carnet_store.core.fold import Change, Counts
from carnet_store.core.kind import KINDS, read
from carnet_store.domain.people import Chain, Fact, People
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS

SEQ_MASK: Final = (1 << SEQ_BITS) - 1
INDEX_MASK: Final = (1 << INDEX_BITS) - 1
SUM_SPACE: Final = 1 << 512

Row = tuple[int, int, int, str, int, int, int, int, bytes, str | None, str | None, bytes | None]
"""A row of `change`: id, entity, kind, field, counts, live, person, roles, commitment, over, signers, value."""

_list_decode = msgspec.json.Decoder(tuple[str, ...]).decode
_pack = msgspec.msgpack.Encoder().encode

_CHANGES: Final = (
    "SELECT c.id, v.hash, e.id, k.text, c.field, c.over, c.commitment, p.text, h.key, v.t, c.counts, c.live, r.text, c.value,"
    " c.signers FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind JOIN word p ON p.no = c.person"
    " JOIN word r ON r.no = c.roles JOIN event v ON v.id = c.id >> %d JOIN chain h ON h.no = c.id >> %d "
)


def event_number(chain: int, seq: int) -> int:
    """Return the local number of the event at a place."""
    return chain << SEQ_BITS | seq


def row_digest(row: object) -> int:
    """Return what one row adds to the sum over its table."""
    return int.from_bytes(hashlib.blake2b(_pack(row)).digest())


def signed_payload(raw: bytes) -> bytes:
    """Return the payload of a person-signed value that was checked before."""
    return keys.from_base64(msgspec.json.decode(raw)["dsse"][0]["payload"])


def typed_value(kind_name: str, raw: bytes | None) -> msgspec.Struct | None:
    """Return the typed value of a change that counts; None where kind or value is not at hand."""
    known = KINDS.get(kind_name)
    if known is None or raw is None:
        return None
    return read(kind_name, signed_payload(raw) if known.payload_type else raw)


class Reading:
    """The derived tables of one ledger, as folded so far."""

    def __init__(self, db: sqlite3.Connection, ledger: str) -> None:
        """Use an open connection to the ledger's file; `ledger` is its id."""
        self.db = db
        self.ledger = ledger
        self._people: People | None = None
        self._rev = -1
        self._facts: list[Fact] = []
        self._words: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._entities: dict[str, int] = {}

    @property
    def people(self) -> People:
        """Who counts, as of what is folded; read again when another process changed it."""
        self._refresh()
        if self._people is None:
            self._facts = self._read_facts()
            self._people = self._build()
        return self._people

    def _refresh(self) -> None:
        """Drop what is remembered where another process has folded anew or changed who counts."""
        rev = self._number("people")
        if rev != self._rev:
            self._forget_tables()
            self._rev = rev

    def forget_cache(self) -> None:
        """Drop all that is remembered (after a rollback the tables may differ)."""
        self._forget_tables()

    def _forget_tables(self) -> None:
        self._words.clear()
        self._texts.clear()
        self._entities.clear()
        self._people = None

    # -- changes -------------------------------------------------------------------------------------------------------

    def changes(self, entity: str, *, live_only: bool = False) -> list[Change]:
        """Return an entity's changes in the order of local numbers; typed where their kind is known."""
        return list(self._changes("WHERE e.id = ?" + (" AND c.live = 1" if live_only else ""), (entity,)))

    def change(self, change_id: str) -> Change | None:
        """Return one change by its id; None where it is not held, or not folded."""
        number = self.change_number(change_id)
        return next(self._changes("WHERE c.id = ?", (number,)), None) if number is not None else None

    def select(self, where: str, values: tuple[object, ...] = ()) -> Iterator[Change]:
        """Yield the changes that an SQL condition over `c` (change), `e` (entity), `v` (event) selects."""
        return self._changes(where, values)

    def change_number(self, change_id: str) -> int | None:
        """Return the local number of a change id whose event is held."""
        head, _, index = change_id.partition(".")
        row = self.db.execute("SELECT id FROM event WHERE hash = ?", (bytes.fromhex(head),)).fetchone()
        return None if row is None else row[0] << INDEX_BITS | int(index or 0)

    def _changes(self, where: str, values: tuple[object, ...]) -> Iterator[Change]:
        shifts = (INDEX_BITS, INDEX_BITS + SEQ_BITS)
        sql = _CHANGES % shifts + where  # the conditions are this room's own words, never a user's
        for row in self.db.execute(sql, values).fetchall():
            number, kind_name = row[0], row[3].rstrip("!")
            index = number & INDEX_MASK
            yield Change(
                id=row[1].hex() + (f".{index}" if index else ""),
                entity=row[2],
                kind=kind_name,
                field=row[4],
                over=_list_decode(row[5]) if row[5] else (),
                commitment=row[6].hex(),
                person=row[7],
                chain=row[8],
                seq=number >> INDEX_BITS & SEQ_MASK,
                index=index,
                t=row[9],
                counts=Counts(row[10]),
                live=bool(row[11]),
                roles=frozenset(row[12].split()),
                value=typed_value(kind_name, row[13]) if row[10] == 0 else None,
                raw=row[13],
                signers=_list_decode(row[14]) if row[14] else (),
            )

    # -- the causal past -----------------------------------------------------------------------------------------------

    def past(self, chain: int, seq: int) -> dict[int, int]:
        """Return the causal past of a place: for each chain number its last seq in it, the place included."""
        found: dict[int, int] = {}
        at, upto = chain, seq
        while at:
            rows = self.db.execute(  # one look into the index for each chain, however long they are
                "SELECT no, (SELECT upto FROM see WHERE chain = :chain AND other = no AND at <= :upto ORDER BY at DESC LIMIT 1) AS u"
                " FROM chain WHERE u IS NOT NULL",
                {"chain": at, "upto": upto},
            )
            for other, u in rows:
                found[other] = max(u, found.get(other, -1))
            found[at] = max(upto, found.get(at, -1))
            parent, start = self.db.execute("SELECT parent, start FROM chain WHERE no = ?", (at,)).fetchone()
            at, upto = parent, start - 1
        self._extend_branches(found)
        return found

    def saw(self, change_id: str, other_id: str) -> bool:
        """Say whether another change lies in the causal past of a change; what stands in the same event does not."""
        number, other = self.change_number(change_id), self.change_number(other_id)
        if number is None or other is None:
            return False
        place, was = number >> INDEX_BITS, other >> INDEX_BITS
        past = self.past(place >> SEQ_BITS, place & SEQ_MASK)
        return place != was and past.get(was >> SEQ_BITS, -1) >= was & SEQ_MASK

    def _extend_branches(self, past: dict[int, int]) -> None:
        """Add what branches stand on: it lies in the past of a place on a branch."""
        if not self._number("branches"):
            return
        for no in list(past):
            parent, start = self.db.execute("SELECT parent, start FROM chain WHERE no = ?", (no,)).fetchone()
            while parent:
                past[parent] = max(start - 1, past.get(parent, -1))
                parent, start = self.db.execute("SELECT parent, start FROM chain WHERE no = ?", (parent,)).fetchone()

    # -- digests -------------------------------------------------------------------------------------------------------

    def digest(self) -> str:
        """Return the state digest: equal on every replica that holds the same events."""
        rows = self.db.execute(
            "SELECT v.hash, c.id, c.commitment FROM change c JOIN event v ON v.id = c.id >> ? WHERE c.live = 1 AND c.counts = 0",
            (INDEX_BITS,),
        )
        lines = []
        for event_hash, number, commitment in rows:
            index = number & INDEX_MASK
            lines.append(f"{event_hash.hex()}{f'.{index}' if index else ''} {commitment.hex()}\n")
        lines.sort()
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def full_digest(self) -> str:
        """Return a digest of all that the tables say, without local numbers: equal after folding anew, and on every replica."""
        state = hashlib.sha256()
        rows = self.db.execute(
            "SELECT v.hash, c.id & ?, e.id, k.text, c.field, c.counts, c.live, p.text, r.text, c.commitment, c.over, c.signers, c.value"
            " FROM change c JOIN event v ON v.id = c.id >> ? JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
            " JOIN word p ON p.no = c.person JOIN word r ON r.no = c.roles ORDER BY v.hash, c.id & ?",
            (INDEX_MASK, INDEX_BITS, INDEX_MASK),
        )
        for row in rows:
            state.update(_pack(row))
        for row in self.db.execute("SELECT id, kind, name, version, t, last FROM entity ORDER BY id"):
            state.update(_pack(row))
        rows = self.db.execute(
            "SELECT a.id, w.text, b.id, v.hash, g.change & ? FROM edge g JOIN entity a ON a.no = g.src JOIN entity b ON b.no = g.dst"
            " JOIN word w ON w.no = g.rel JOIN event v ON v.id = g.change >> ? ORDER BY 1, 2, 3, 4, 5",
            (INDEX_MASK, INDEX_BITS),
        )
        for row in rows:
            state.update(_pack(row))
        return state.hexdigest()

    def table_sum(self) -> int:
        """Return the sum over all rows of `change` and `entity`, as recomputed from what is read back."""
        total = 0
        for row in self.db.execute("SELECT * FROM change"):
            total += row_digest(row)
        for row in self.db.execute("SELECT no, id FROM entity"):
            total += row_digest(row)
        return total % SUM_SPACE

    def lists_hold(self) -> bool:
        """Say whether the edges and the recalls that are looked up are those that the rows of `change` say."""
        for table, kind, live in (("edge", "edge.linked", " AND live = 1"), ("recall", "recall.declared!", "")):
            listed = self.db.execute(f"SELECT count(*), coalesce(sum(change % 1000003), 0) FROM {table}").fetchone()  # noqa: S608 (own words)
            said = self.db.execute(
                "SELECT count(*), coalesce(sum(id % 1000003), 0) FROM change"  # noqa: S608 (own words)
                f" WHERE kind = (SELECT no FROM word WHERE text = ?) AND counts = 0{live}",
                (kind,),
            ).fetchone()
            if listed != said:
                return False
        return True

    def kept_sum(self) -> int:
        """Return the sum as it was kept while writing."""
        return int(str(self._meta("sum", "0")), 16)

    # -- small things --------------------------------------------------------------------------------------------------

    def _build(self) -> People:
        rows = self.db.execute("SELECT no, key, parent, start FROM chain").fetchall()
        return People.build(self.ledger, self._facts, [Chain(*row) for row in rows], self._place_of)

    def _place_of(self, event: str) -> tuple[int, int] | None:
        if len(event) != 64 or event.strip("0123456789abcdef"):
            return None
        row = self.db.execute("SELECT id FROM event WHERE hash = ?", (bytes.fromhex(event),)).fetchone()
        return (row[0] >> SEQ_BITS, row[0] & SEQ_MASK) if row else None

    def _read_facts(self) -> list[Fact]:
        found = []
        for (number,) in self.db.execute("SELECT change FROM fact ORDER BY no").fetchall():
            place = number >> INDEX_BITS
            chain, seq = place >> SEQ_BITS, place & SEQ_MASK
            line, key = self.db.execute(
                "SELECT v.line, c.key FROM event v JOIN chain c ON c.no = ? WHERE v.id = ?", (chain, place)
            ).fetchone()
            event = events.parse(line)
            index = number & INDEX_MASK
            value = event.values[index]
            if value is not None:
                found.append(fact_of(event, index, value.raw, key, (chain, seq), self.past(chain, seq)))
        return found

    def event_at(self, chain: int, seq: int) -> str:
        """Return the id of the event at a place, empty where none is held."""
        row = self.db.execute("SELECT hash FROM event WHERE id = ?", (event_number(chain, seq),)).fetchone()
        return row[0].hex() if row else ""

    def _text(self, no: int) -> str:
        text = self._texts.get(no)
        if text is None:
            row = self.db.execute("SELECT text FROM word WHERE no = ?", (no,)).fetchone()
            text = self._texts[no] = str(row[0]) if row else ""
        return text

    def _number(self, key: str) -> int:
        return int(str(self._meta(key, 0)))

    def _meta(self, key: str, default: object) -> object:
        row = self.db.execute("SELECT v FROM meta WHERE k = ?", (key,)).fetchone()
        return default if row is None else row[0]


def fact_of(
    event: events.Event, index: int, raw: bytes, key: str, place: tuple[int, int], past: dict[int, int]
) -> Fact:
    """Return one change of an event as a fact about people."""
    shape = event.shapes[index]
    return Fact(
        id=event.change_id(index), event=event.id, entity=shape.entity, kind=shape.kind.rstrip("!"), raw=raw, chain=key,
        place=place, past=past, t=event.header.t, commitment=shape.commitment,
    )  # fmt: skip
