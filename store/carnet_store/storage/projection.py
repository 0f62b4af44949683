"""The fold in tables: events become changes that count or do not, are live or replaced (docs/format.md section 5).

`advance` takes in what lies in `event` and not yet in `done`, causes first, and touches nothing else; its result never depends on the order of
arrival. What changes the standing of events taken in before (a revocation, an adoption, a fork, an admission) makes it fold all anew.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from carnet_store.core import event as events
from carnet_store.core import keys
from carnet_store.core.event import Event, Shape
from carnet_store.core.fold import Change, Counts, may_replace
from carnet_store.core.kind import KINDS, Kind, read
from carnet_store.domain.erasure import Erased, is_erasable
from carnet_store.domain.handoff import Answered, Statement
from carnet_store.domain.lineage import Declared, Linked
from carnet_store.domain.people import Chain, Fact, Past, People, Standing, read_signed
from carnet_store.errors import CarnetError
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS, drop_derived

_SEQ_MASK = (1 << SEQ_BITS) - 1
_INDEX_MASK = (1 << INDEX_BITS) - 1
_REFOLD_KINDS = {"person.revoked", "fork.adopted", "event.adopted", "person.key_added"}
_DIGEST_SPACE = 1 << 256

__all__ = ["Projection", "Touched", "event_number"]


def event_number(chain: int, seq: int) -> int:
    """Return the local number of the event at a place."""
    return chain << SEQ_BITS | seq


@dataclass(slots=True)
class Touched:
    """What an advance took in: entities whose state may differ now, and how many changes."""

    entities: set[str] = field(default_factory=set)
    changes: int = 0
    refolded: bool = False


@dataclass(slots=True)
class _Link:
    """A chain as held while folding."""

    chain: Chain
    seq: int
    done: int
    past: dict[int, int]


class Projection:
    """The derived tables of one ledger. All methods run inside the caller's transaction where they write."""

    def __init__(self, db: sqlite3.Connection, ledger: str) -> None:
        """Use an open connection to the ledger's file; `ledger` is its id."""
        self.db = db
        self.ledger = ledger
        self._people: People | None = None
        self._people_rev = -1
        self._words: dict[str, int] = {}
        self._entities: dict[str, int] = {}
        self._facts: list[Fact] = []
        self._sum = 0

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def people(self) -> People:
        """Who counts, as of what is folded; read again when another process changed it."""
        rev = self._number("people")
        if self._people is None or rev != self._people_rev:
            self._facts = self._read_facts()
            self._people = self._build()
            self._people_rev = rev
        return self._people

    def changes(self, entity: str, *, live_only: bool = False) -> list[Change]:
        """Return an entity's changes in the order of local numbers; typed where their kind is known."""
        return list(self._changes("WHERE e.id = ?" + (" AND c.live = 1" if live_only else ""), (entity,)))

    def change(self, change_id: str) -> Change | None:
        """Return one change by its id."""
        number = self.change_number(change_id)
        return next(self._changes("WHERE c.id = ?", (number,)), None) if number is not None else None

    def select(self, where: str, values: tuple[object, ...] = ()) -> Iterator[Change]:
        """Yield the changes that an SQL condition over `c` (change), `e` (entity), `v` (event) selects."""
        return self._changes(where, values)

    def change_number(self, change_id: str) -> int | None:
        """Return the local number of a change id that is held."""
        head, _, index = change_id.partition(".")
        row = self.db.execute("SELECT id FROM event WHERE hash = ?", (bytes.fromhex(head),)).fetchone()
        return None if row is None else row[0] << INDEX_BITS | int(index or 0)

    def past(self, chain: int, seq: int) -> dict[int, int]:
        """Return the causal past of a place: for each chain number its last seq in it, the place included."""
        rows = self.db.execute(
            "SELECT other, max(upto) FROM see WHERE chain = ? AND at <= ? GROUP BY other", (chain, seq)
        )
        found = dict(rows.fetchall())
        found[chain] = seq
        self._extend_branches(found)
        return found

    def digest(self) -> str:
        """Return the state digest: equal on every replica that holds the same events."""
        rows = self.db.execute(
            "SELECT v.hash, c.id, c.commitment FROM change c JOIN event v ON v.id = c.id >> ? WHERE c.live = 1 AND c.counts = 0",
            (INDEX_BITS,),
        )
        lines = []
        for event_hash, number, commitment in rows:
            index = number & _INDEX_MASK
            lines.append(f"{event_hash.hex()}{f'.{index}' if index else ''} {commitment.hex()}\n")
        lines.sort()
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def table_sum(self) -> int:
        """Return the sum over all rows of `change`, as recomputed from what is read back."""
        total = 0
        for row in self.db.execute(
            "SELECT id, entity, kind, counts, live, person, roles, commitment, value FROM change"
        ):
            total += _row_digest(row)
        for row in self.db.execute("SELECT no, id FROM entity"):
            total += _row_digest(row)
        return total % _DIGEST_SPACE

    def kept_sum(self) -> int:
        """Return the sum as it was kept while writing."""
        return int(str(self._meta("sum", "0")), 16)

    # -- taking in -----------------------------------------------------------------------------------------------------

    def advance(self, progress: Callable[[int], None] | None = None) -> Touched:
        """Take in all events that are held and not folded yet, causes first. `progress` hears the number of changes."""
        touched = Touched()
        self._sum = self.kept_sum()
        people_before = self.people
        if self._advance_once(touched, progress, refolding=False):
            self.refold(touched, progress)
        self._keep_sum()
        if self._people is not people_before:
            self._people_rev = self._number("people") + 1
            self._put_meta("people", self._people_rev)
        return touched

    def refold(self, touched: Touched | None = None, progress: Callable[[int], None] | None = None) -> Touched:
        """Drop the derived tables and fold every event anew, knowing from the start who counts."""
        touched = touched or Touched()
        touched.refolded = True
        self._facts = self._read_facts()
        self._people = self._build()
        drop_derived(self.db)
        self._words.clear()
        self._entities.clear()
        self._facts = []
        self._sum = 0
        self._advance_once(touched, progress, refolding=True)
        # A fact that only now had its causes (its chain waited before) may judge earlier ones: fold until it is quiet.
        again = self._build()
        if again.verdicts != self._people.verdicts or again.rosters.keys() != self._people.rosters.keys():
            self._people = again
            return self.refold(touched, progress)
        self._people = again
        self._keep_sum()
        self._people_rev = self._number("people") + 1
        self._put_meta("people", self._people_rev)
        return touched

    def _advance_once(self, touched: Touched, progress: Callable[[int], None] | None, *, refolding: bool) -> bool:
        """Fold what can be folded; say whether earlier events must be judged anew."""
        links = self._links()
        by_key: dict[str, list[_Link]] = {}
        for link in links:
            by_key.setdefault(link.chain.key, []).append(link)
        refold = not refolding and self._number("forked") != 0
        if refold:
            self._put_meta("forked", 0)
        moved = True
        while moved:
            moved = False
            for link in links:
                if link.done >= link.seq or not self._parent_done(link, links):
                    continue
                for event in self._events(link.chain.no, link.done + 1):
                    if not self._sees(link, event, by_key):
                        break
                    refold = self._take(link, event, touched, refolding=refolding) or refold
                    link.done = event.header.seq
                    moved = True
                    if progress is not None and touched.changes % 1000 < len(event.shapes):
                        progress(touched.changes)
                self.db.execute("INSERT OR REPLACE INTO done VALUES(?, ?)", (link.chain.no, link.done))
        return refold

    @staticmethod
    def _parent_done(link: _Link, links: list[_Link]) -> bool:
        if not link.chain.parent:
            return True
        parent = next(one for one in links if one.chain.no == link.chain.parent)
        if parent.done < link.chain.start - 1:
            return False
        if not link.past or link.done < link.chain.start:
            for no, seq in parent.past.items():
                link.past[no] = max(seq, link.past.get(no, -1)) if no != parent.chain.no else link.chain.start - 1
        return True

    def _sees(self, link: _Link, event: Event, by_key: dict[str, list[_Link]]) -> bool:
        """Extend the chain's past by what the event sees; False where something of it is not folded yet."""
        found: dict[int, int] = {}
        for key, place in event.header.see.items():
            seq, digest = events.parse_place(place)
            for other in by_key.get(key, ()):
                if other.chain.start <= seq <= other.done and self._hash_at(other.chain.no, seq) == digest:
                    found[other.chain.no] = seq
                    break
            else:
                return False
        seq = event.header.seq
        for no, upto in found.items():
            if upto > link.past.get(no, -1):
                link.past[no] = upto
                self.db.execute("INSERT OR REPLACE INTO see VALUES(?, ?, ?, ?)", (link.chain.no, no, seq, upto))
        link.past[link.chain.no] = seq
        return True

    def _take(self, link: _Link, event: Event, touched: Touched, *, refolding: bool) -> bool:
        """Fold one event whose causes are all here; say whether earlier events must be judged anew."""
        past = dict(link.past)
        self._extend_branches(past)
        refold = self._take_facts(link, event, past, refolding=refolding)
        assert self._people is not None  # noqa: S101 (built by `advance` and `refold` before any event is taken)
        standing = self._people.standing(link.chain, event.header.seq, event.id, past)
        number = event_number(link.chain.no, event.header.seq)
        person = self._word(self._people.person_of(link.chain.key))
        roles = self._word(" ".join(sorted([*standing.roles, *(["admin"] if standing.admin else [])])))
        for index, shape in enumerate(event.shapes):
            self._take_change(event, index, shape, number << INDEX_BITS | index, standing, person, roles, past, touched)
        touched.changes += len(event.shapes)
        return refold

    def _take_facts(self, link: _Link, event: Event, past: Past, *, refolding: bool) -> bool:
        refold = changed = False
        for index, shape in enumerate(event.shapes):
            known = KINDS.get(shape.kind.rstrip("!"))
            value = event.values[index]
            if known is None or not known.about_people or value is None:
                continue
            place = (link.chain.no, event.header.seq)
            fact = Fact(
                event.change_id(index), event.id, shape.entity, known.name, value.raw, link.chain.key, place, past,
                event.header.t,
            )  # fmt: skip
            self._facts.append(fact)
            number = event_number(*place) << INDEX_BITS | index
            self.db.execute("INSERT OR IGNORE INTO fact(change) VALUES(?)", (number,))
            changed = True
            refold = refold or known.name in _REFOLD_KINDS
        if changed and not refolding:
            before = self._people.newcomers if self._people else {}
            self._people = self._build()
            named = self._people.members().people
            refold = refold or any(person in named for person in before if person in self._people.newcomers)
        return refold and not refolding

    def _take_change(
        self, event: Event, index: int, shape: Shape, number: int, standing: Standing, person: int, roles: int,
        past: Past, touched: Touched,
    ) -> None:  # fmt: skip
        value = event.values[index]
        raw = value.raw if value else None
        name = shape.kind.rstrip("!")
        known = KINDS.get(name)
        change_id = event.change_id(index)
        entity = self._entity(shape.entity, event.header.t, touched)
        counts, typed, signers = self._judge(known, change_id, number, shape, raw, standing, past, self._text(person))
        live = int(counts is Counts.YES)
        row = (
            number, entity, self._word(shape.kind), shape.field, int(counts), live, person, roles,
            bytes.fromhex(shape.commitment), json.dumps(shape.over) if shape.over else None,
            json.dumps(signers) if signers else None, raw,
        )  # fmt: skip
        self.db.execute("INSERT INTO change VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", row)
        self._sum += _row_digest((number, entity, row[2], int(counts), live, person, roles, row[8], raw))
        acts = counts in (Counts.YES, Counts.ABSENT, Counts.ERASED) or (
            counts is Counts.FORM and known is not None and not known.payload_type
        )
        if shape.over and acts and known is not None:
            self._replace(shape, name, entity, self._text(person), standing.roles, past)
        if counts is Counts.YES and typed is not None:
            self._index(entity, shape, typed, number, event.header.t)
            if isinstance(typed, Erased):
                self._erase(typed, past)

    def _judge(
        self, known: Kind | None, change_id: str, number: int, shape: Shape, raw: bytes | None, standing: Standing,
        past: Past, person: str,
    ) -> tuple[Counts, msgspec.Struct | None, tuple[str, ...]]:  # fmt: skip
        people = self._people
        assert people is not None  # noqa: S101 (see `_take`)
        if known is None:
            return (Counts.UNKNOWN if standing.counts is Counts.YES else standing.counts), None, ()
        if known.about_people:
            signers = people.signers.get(change_id, ())
            verdict = people.verdicts.get(change_id)
            if verdict is not None:
                return verdict, None, signers
            if raw is None:
                return Counts.ABSENT, None, signers
            opens = shape.kind.rstrip("!") in ("ledger.founded", "chain.opened")
            joins = shape.kind.rstrip("!") in ("invite.accepted", "join.requested")
            if not opens and not joins and standing.counts is not Counts.YES:
                return standing.counts, None, signers
            if joins and standing.counts in (Counts.REVOKED, Counts.FORKED, Counts.UNOPENED):
                return standing.counts, None, signers
            if known.role == "admin" and not standing.admin:
                return Counts.ROLE, None, signers
            return Counts.YES, None, signers
        if standing.counts is not Counts.YES:
            return standing.counts, None, ()
        kind_of = shape.entity.partition(":")[0]
        if known.on and kind_of not in known.on:
            return Counts.FORM, None, ()
        if known.role and not (standing.admin if known.role == "admin" else known.role in standing.roles):
            return Counts.ROLE, None, ()
        if raw is None:
            return Counts.ABSENT, None, ()
        signers: tuple[str, ...] = ()  # type: ignore[no-redef]
        try:
            if known.payload_type:
                typed, signers = self._judge_signed(known, shape, raw, person)
                if self._replayed(raw, number, past):
                    return Counts.REPLAY, None, signers
            else:
                typed = read(known.name, raw)
        except CarnetError:
            return Counts.FORM, None, ()
        except _BadSignature:
            return Counts.SIGNATURE, None, ()
        if known.birth and not self._born_right(kind_of, shape, typed, number):
            return Counts.BIRTH, None, ()
        return Counts.YES, typed, signers

    def _judge_signed(
        self, known: Kind, shape: Shape, raw: bytes, person: str
    ) -> tuple[msgspec.Struct, tuple[str, ...]]:
        payload, envelopes = read_signed(raw, known.payload_type)
        assert self._people is not None  # noqa: S101 (see `_take`)
        signers = self._people.verified_signers(payload, envelopes)
        if person not in signers:
            raise _BadSignature
        typed = read(known.name, payload)
        act = typed.predicate if isinstance(typed, Statement) else typed
        if getattr(act, "ledger", "") != self.ledger or getattr(act, "purpose", "") != known.name:
            raise _BadSignature
        if getattr(act, "handoff", shape.entity) != shape.entity:
            raise _BadSignature
        return typed, tuple(signers)

    def _replayed(self, raw: bytes, number: int, past: Past) -> bool:
        """Remember a signed payload; say whether this causal past carried it already."""
        digest = hashlib.sha256(read_signed_payload(raw)).digest()
        seen = self.db.execute("SELECT change FROM payload WHERE digest = ?", (digest,)).fetchall()
        self.db.execute("INSERT OR IGNORE INTO payload VALUES(?, ?)", (digest, number))
        return any(self._in_past(other, past) and other != number for (other,) in seen)

    @staticmethod
    def _in_past(number: int, past: Past) -> bool:
        place = number >> INDEX_BITS
        return past.get(place >> SEQ_BITS, -1) >= place & _SEQ_MASK

    def _born_right(self, kind_of: str, shape: Shape, typed: msgspec.Struct, number: int) -> bool:
        source = typed.source if isinstance(typed, Declared) else None
        if source is not None:
            return shape.entity == events.source_entity(kind_of, *source)
        key = self.db.execute("SELECT key FROM chain WHERE no = ?", (number >> INDEX_BITS >> SEQ_BITS,)).fetchone()[0]
        return shape.entity == events.birth_entity(kind_of, key, shape.commitment)

    def _replace(self, shape: Shape, name: str, entity: int, person: str, roles: frozenset[str], past: Past) -> None:
        for target in shape.over:
            number = self.change_number(target)
            if number is None or not self._in_past(number, past):
                continue
            row = self.db.execute(
                "SELECT id, entity, kind, counts, live, person, roles, commitment, value, field FROM change WHERE id = ?",
                (number,),
            ).fetchone()
            if row is None or row[1] != entity or row[9] != shape.field or not row[4]:
                continue
            target_kind = self._text(row[2]).rstrip("!")
            role = ""
            if target_kind == "item.answered" and row[8] is not None:
                answered = read(target_kind, row[8])
                role = answered.role if isinstance(answered, Answered) else ""
            if may_replace(
                target_kind, target_person=self._text(row[5]), target_role=role, by_kind=name, by_person=person,
                by_roles=roles,
            ):  # fmt: skip
                self._set_row(row, counts=row[3], live=0, value=row[8])
                if target_kind == "edge.linked":
                    self.db.execute("DELETE FROM edge WHERE change = ?", (number,))

    def _erase(self, tombstone: Erased, past: Past) -> None:
        for target in tombstone.targets:
            number = self.change_number(target)
            if number is None or not self._in_past(number, past):
                continue
            row = self.db.execute(
                "SELECT id, entity, kind, counts, live, person, roles, commitment, value FROM change WHERE id = ?",
                (number,),
            ).fetchone()
            if row is None or not is_erasable(self._text(row[2]).rstrip("!")):
                continue
            self._set_row(row, counts=int(Counts.ERASED), live=0, value=None)
            place = number >> INDEX_BITS
            line = self.db.execute("SELECT line FROM event WHERE id = ?", (place,)).fetchone()[0]
            short = events.without_values(events.parse(line), {number & _INDEX_MASK})
            self.db.execute("UPDATE event SET line = ? WHERE id = ?", (short, place))
            self.db.execute("DELETE FROM edge WHERE change = ?", (number,))
            if self._text(row[2]).rstrip("!") == "entity.declared":
                self.db.execute("UPDATE entity SET name = '', version = '' WHERE no = ?", (row[1],))

    def _set_row(self, row: tuple[object, ...], *, counts: int, live: int, value: bytes | None) -> None:
        old = row[:9]
        new = (*row[:3], counts, live, *row[5:8], value)
        self._sum += _row_digest(new) - _row_digest(old)
        self.db.execute("UPDATE change SET counts = ?, live = ?, value = ? WHERE id = ?", (counts, live, value, row[0]))

    def _index(self, entity: int, shape: Shape, typed: msgspec.Struct, number: int, t: int) -> None:
        """Keep what lists and the lineage look up: names, versions, edges."""
        if isinstance(typed, Declared):
            self.db.execute(
                "UPDATE entity SET name = ?, version = ?, t = ? WHERE no = ? AND name = ''",
                (typed.name, typed.version, typed.at or t, entity),
            )
        elif isinstance(typed, Linked):
            target = self._entity(typed.to, t, None)
            self.db.execute(
                "INSERT OR IGNORE INTO edge VALUES(?, ?, ?, ?)", (entity, self._word(typed.relation), target, number)
            )

    # -- small things --------------------------------------------------------------------------------------------------

    def _build(self) -> People:
        chains = [Chain(no, key, parent, start) for no, key, parent, start in self.db.execute(
            "SELECT no, key, parent, start FROM chain"
        )]  # fmt: skip
        return People.build(self.ledger, self._facts, chains, self._hash_or_none)

    def _read_facts(self) -> list[Fact]:
        found = []
        for (number,) in self.db.execute("SELECT change FROM fact ORDER BY no").fetchall():
            place = number >> INDEX_BITS
            row = self.db.execute("SELECT line FROM event WHERE id = ?", (place,)).fetchone()
            event = events.parse(row[0])
            index = number & _INDEX_MASK
            value = event.values[index]
            if value is None:
                continue
            chain, seq = place >> SEQ_BITS, place & _SEQ_MASK
            key = self.db.execute("SELECT key FROM chain WHERE no = ?", (chain,)).fetchone()[0]
            shape = event.shapes[index]
            found.append(
                Fact(
                    event.change_id(index), event.id, shape.entity, shape.kind.rstrip("!"), value.raw, key, (chain, seq),
                    self.past(chain, seq), event.header.t,
                )
            )  # fmt: skip
        return found

    def _links(self) -> list[_Link]:
        done = dict(self.db.execute("SELECT chain, seq FROM done").fetchall())
        found = []
        for no, key, parent, start, seq in self.db.execute(
            "SELECT no, key, parent, start, seq FROM chain ORDER BY key, branch"
        ).fetchall():
            at = done.get(no, start - 1)
            past = self.past(no, at) if at >= start else {}
            found.append(_Link(Chain(no, key, parent, start), seq, at, past))
        return found

    def _extend_branches(self, past: dict[int, int]) -> None:
        """Add what branches stand on: it lies in the past of a place on a branch."""
        if self._number("branches") == 0:
            return
        for no in list(past):
            parent, start = self.db.execute("SELECT parent, start FROM chain WHERE no = ?", (no,)).fetchone()
            while parent:
                past[parent] = max(start - 1, past.get(parent, -1))
                parent, start = self.db.execute("SELECT parent, start FROM chain WHERE no = ?", (parent,)).fetchone()

    def _events(self, chain: int, start: int) -> Iterator[Event]:
        at = event_number(chain, start)
        end = event_number(chain, _SEQ_MASK)
        while rows := self.db.execute(
            "SELECT id, line FROM event WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 256", (at, end)
        ).fetchall():
            for number, line in rows:
                yield events.parse(line)
                at = number + 1

    def _hash_at(self, chain: int, seq: int) -> str:
        return self._hash_or_none(chain, seq) or ""

    def _hash_or_none(self, chain: int, seq: int) -> str | None:
        row = self.db.execute("SELECT hash FROM event WHERE id = ?", (event_number(chain, seq),)).fetchone()
        return row[0].hex() if row else None

    def _entity(self, entity: str, t: int, touched: Touched | None) -> int:
        if touched is not None:
            touched.entities.add(entity)
        no = self._entities.get(entity)
        if no is None:
            row = self.db.execute("SELECT no FROM entity WHERE id = ?", (entity,)).fetchone()
            if row is None:
                kind_of = entity.partition(":")[0]
                cursor = self.db.execute(
                    "INSERT INTO entity(id, kind, t, last) VALUES(?,?,?,?)", (entity, kind_of, t, t)
                )
                no = int(cursor.lastrowid or 0)
                self._sum += _row_digest((no, entity))
            else:
                no = int(row[0])
            if len(self._entities) > 100_000:
                self._entities.clear()
            self._entities[entity] = no
        if touched is not None:
            self.db.execute("UPDATE entity SET last = max(last, ?) WHERE no = ?", (t, no))
        return no

    def _word(self, text: str) -> int:
        no = self._words.get(text)
        if no is None:
            row = self.db.execute("SELECT no FROM word WHERE text = ?", (text,)).fetchone()
            no = (
                int(row[0]) if row else int(self.db.execute("INSERT INTO word(text) VALUES(?)", (text,)).lastrowid or 0)
            )
            self._words[text] = no
        return no

    def _text(self, no: int) -> str:
        for text, known in self._words.items():
            if known == no:
                return text
        row = self.db.execute("SELECT text FROM word WHERE no = ?", (no,)).fetchone()
        text = str(row[0]) if row else ""
        self._words[text] = no
        return text

    def forget_cache(self) -> None:
        """Drop what was remembered of the word and entity tables (after a rollback they may differ)."""
        self._words.clear()
        self._entities.clear()
        self._people = None

    def _changes(self, where: str, values: tuple[object, ...]) -> Iterator[Change]:
        sql = (  # the conditions are this room's own words, never a user's
            "SELECT c.id, v.hash, e.id, k.text, c.field, c.over, c.commitment, p.text, h.key, v.t, c.counts, c.live, r.text,"
            " c.value, c.signers FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
            " JOIN word p ON p.no = c.person JOIN word r ON r.no = c.roles"
            f" JOIN event v ON v.id = c.id >> {INDEX_BITS} JOIN chain h ON h.no = c.id >> {INDEX_BITS + SEQ_BITS} {where}"
        )
        for row in self.db.execute(sql, values).fetchall():
            number, kind_name = row[0], row[3].rstrip("!")
            index = number & _INDEX_MASK
            yield Change(
                id=row[1].hex() + (f".{index}" if index else ""),
                entity=row[2],
                kind=kind_name,
                field=row[4],
                over=tuple(json.loads(row[5])) if row[5] else (),
                commitment=row[6].hex(),
                person=row[7],
                chain=row[8],
                seq=number >> INDEX_BITS & _SEQ_MASK,
                index=index,
                t=row[9],
                counts=Counts(row[10]),
                live=bool(row[11]),
                roles=frozenset(row[12].split()),
                value=_typed(kind_name, row[13]) if row[10] == 0 else None,
                raw=row[13],
                signers=tuple(json.loads(row[14])) if row[14] else (),
            )

    def _number(self, key: str) -> int:
        return int(str(self._meta(key, 0)))

    def _meta(self, key: str, default: object) -> object:
        row = self.db.execute("SELECT v FROM meta WHERE k = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def _put_meta(self, key: str, value: object) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, str(value)))

    def _keep_sum(self) -> None:
        self._sum %= _DIGEST_SPACE
        self._put_meta("sum", f"{self._sum:x}")


class _BadSignature(Exception):
    """The person's own signature that a kind needs does not hold."""


def read_signed_payload(raw: bytes) -> bytes:
    """Return the payload of a person-signed value that was checked before."""
    return keys.from_base64(msgspec.json.decode(raw)["dsse"][0]["payload"])


def _typed(kind_name: str, raw: bytes | None) -> msgspec.Struct | None:
    known = KINDS.get(kind_name)
    if known is None or raw is None:
        return None
    return read(kind_name, read_signed_payload(raw) if known.payload_type else raw)


def _row_digest(row: tuple[object, ...]) -> int:
    parts = [part.hex() if isinstance(part, bytes) else str(part) for part in row]
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest())
