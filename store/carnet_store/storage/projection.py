"""The fold in tables: events become changes that count or do not, are live or replaced (docs/format.md section 5).

`advance` takes in what lies in `event` and not yet in `done`, causes first, and touches nothing else; its result never depends on the order of
arrival. What changes the standing of events taken in before (an end, an adoption, a fork, an admission) makes it fold all anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from carnet_store.core import event as events
from carnet_store.core.event import Event, Shape
from carnet_store.core.fold import Counts, may_replace
from carnet_store.core.kind import KINDS, Kind, read
from carnet_store.domain.erasure import Erased, is_erasable
from carnet_store.domain.handoff import Answered, Sealed, Statement
from carnet_store.domain.lineage import Declared, Linked
from carnet_store.domain.people import Fact, Past, People, Person, Standing, read_signed
from carnet_store.domain.recall import Recalled
from carnet_store.errors import CarnetError
from carnet_store.storage.ordering import Link, Ordering
from carnet_store.storage.reading import (
    INDEX_MASK,
    SEQ_MASK,
    SUM_SPACE,
    Row,
    event_number,
    fact_of,
    row_digest,
    signed_payload,
    typed_value,
)
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS, drop_derived

__all__ = ["Projection", "Touched", "event_number"]

_ROWS_AT_ONCE = 4096
_CHAINS_AT_ONCE = 4
# Judged by value or signature, after author and role were found good. Once erased it is told apart from the others of these no more,
# so all of them then replace what they name, and all of them move their entity's last time.
_JUDGED_BY_VALUE = {Counts.YES, Counts.ABSENT, Counts.FORM, Counts.BIRTH, Counts.SIGNATURE, Counts.REPLAY}

_json = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Touched:
    """What an advance took in: entities whose state may differ now, and how many changes."""

    entities: set[str] = field(default_factory=set)
    changes: int = 0
    refolded: bool = False


class _BadSignature(Exception):
    """The person's own signature that a kind needs does not hold."""


class Projection(Ordering):
    """The derived tables of one ledger, and their making. What writes runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, ledger: str) -> None:
        """Use an open connection to the ledger's file; `ledger` is its id."""
        super().__init__(db, ledger)
        self._strange: set[str] = set()
        self._lost = False
        self._scouting = False

    # -- taking in -----------------------------------------------------------------------------------------------------

    def advance(self, progress: Callable[[int], None] | None = None) -> Touched:
        """Take in all events that are held and not folded yet, causes first. `progress` hears the number of changes."""
        touched = Touched()
        before = self.people
        self._scouting = False
        if self._new_chains() > _CHAINS_AT_ONCE:  # judge all their people at once instead of one after another
            return self.refold(touched, progress)
        self._begin(self.kept_sum())
        if self._fold(touched, progress, refolding=False) or self._lost:
            self._write_out()
            return self.refold(touched, progress)
        self._end(people_changed=self._people is not before)
        return touched

    def refold(self, touched: Touched | None = None, progress: Callable[[int], None] | None = None) -> Touched:
        """Drop the derived tables and fold every event anew, knowing from the start who counts."""
        touched = touched or Touched()
        touched.refolded = self.db.execute("SELECT 1 FROM done LIMIT 1").fetchone() is not None
        self._facts = self._read_facts()
        self._scouting = self._new_chains() > 0
        while True:
            known = {fact.id for fact in self._facts}
            people = self._build()
            drop_derived(self.db)
            self.forget_cache()
            self._people, self._facts = people, []
            self._begin(0)
            self._put_meta("forked", 0)
            self._fold(touched, progress, refolding=True)
            self._write_out()
            # An event folded just now may tell who counts, or a value forgotten just now have weighed: then once more.
            done = not self._scouting and known == {fact.id for fact in self._facts} and not self._lost
            self._scouting = False
            if done:
                break
        self._end(people_changed=True)
        return touched

    def _new_chains(self) -> int:
        """Return how many chains came since the last advance: each tells of a person."""
        row = self.db.execute("SELECT count(*) FROM chain WHERE no > ?", (self._number("chains"),)).fetchone()
        return int(row[0])

    def _begin(self, total: int) -> None:
        self._sum = total
        self._lost = False
        self._next_entity = self.db.execute("SELECT coalesce(max(no), 0) + 1 FROM entity").fetchone()[0]
        self._strange = set(str(self._meta("strange", "")).split())

    def _end(self, *, people_changed: bool) -> None:
        self._write_out()
        self._forget_fresh()
        self._put_meta("sum", f"{self._sum % SUM_SPACE:x}")
        self._put_meta("chains", self.db.execute("SELECT coalesce(max(no), 0) FROM chain").fetchone()[0])
        self._put_meta("strange", " ".join(sorted(self._strange)))
        if people_changed:
            self._rev += 1
            self._put_meta("people", self._rev)

    def _fold(self, touched: Touched, progress: Callable[[int], None] | None, *, refolding: bool) -> bool:
        """Fold what can be folded; say whether earlier events must be judged anew."""
        links, by_key = self._links()
        refold = not refolding and self._number("forked") != 0
        ready = deque(link for link in links.values() if link.done < link.seq)
        waiting: dict[str, list[Link]] = {}
        while ready:
            link = ready.popleft()
            start = link.done
            blocked = ""
            while link.done < link.seq:
                event = self._next_event(link)
                blocked = self._blocked_by(link, event, links, by_key)
                if blocked:
                    waiting.setdefault(blocked, []).append(link)
                    break
                refold = self._take(link, event, touched, refolding=refolding) or refold
                link.done, link.hash, link.next = event.header.seq, event.id, None
                if progress is not None and touched.changes % 1000 < len(event.shapes):
                    progress(touched.changes)
                if len(self._rows) >= _ROWS_AT_ONCE:
                    self._write_out()
            if link.done > start:
                self.db.execute("INSERT OR REPLACE INTO done VALUES(?, ?)", (link.chain.no, link.done))
                ready.extend(waiting.pop(link.chain.key, ()))
        return refold

    def _take(self, link: Link, event: Event, touched: Touched, *, refolding: bool) -> bool:
        """Fold one event whose causes are all here; say whether earlier events must be judged anew."""
        past = dict(link.past or {})
        self._extend_branches(past)
        refold = self._take_facts(link, event, past, refolding=refolding)
        if self._scouting:
            return False
        people = self._who()
        if link.members is None:
            link.members = people.members(past)
        standing = people.standing(link.chain, event.header.seq, event.id, past, link.members)
        if people.awaited and event.id in people.awaited:
            refold = True
        number = event_number(link.chain.no, event.header.seq)
        author = people.author(link.chain.no)
        person = self._word(author)
        roles = self._word(" ".join(sorted([*standing.roles, *(["admin"] if standing.admin else [])])))
        for index, shape in enumerate(event.shapes):
            self._take_change(
                event, index, shape, number << INDEX_BITS | index, standing, author, person, roles, past, link, touched
            )
        touched.changes += len(event.shapes)
        return refold and not refolding

    def _who(self) -> People:
        if self._people is None:  # pragma: no cover - `advance` and `refold` have built it
            self._people = self._build()
        return self._people

    def _take_facts(self, link: Link, event: Event, past: dict[int, int], *, refolding: bool) -> bool:
        """Hand on what an event says about people; say whether that judges earlier events anew."""
        found: list[Fact] = []
        for index, shape in enumerate(event.shapes):
            known = KINDS.get(shape.kind.rstrip("!"))
            value = event.values[index]
            if known is None or not known.about_people or value is None:
                continue
            place = (link.chain.no, event.header.seq)
            found.append(fact_of(event, index, value.raw, link.chain.key, place, dict(past)))
            self.db.execute("INSERT INTO fact(change) VALUES(?)", (event_number(*place) << INDEX_BITS | index,))
        if not found:
            return False
        known_before = list(self._facts)
        self._facts += found
        link.members = None
        if refolding:
            return False
        before = self._who()
        self._people = now = self._build()
        for other in {keyid for keyid in self._strange if now.knows_key(keyid)}:
            self._strange.discard(other)
            return True
        return not now.judges_alike(before, known_before) or self._admits(before, now)

    def _admits(self, before: People, now: People) -> bool:
        """Say whether somebody was let in, or in otherwise, who has written what counted differently until now."""
        old: dict[tuple[str, str], Person | None] = before.admissions()
        new = now.admissions()
        for key, row in old.items():
            if new.get(key) == row:
                continue
            if row is not None:
                return True
            self._write_out()
            held = self.db.execute(
                "SELECT 1 FROM change c JOIN word p ON p.no = c.person WHERE c.counts IN (?, ?) AND p.text = ? LIMIT 1",
                (int(Counts.PENDING), int(Counts.STRANGER), key[0]),
            ).fetchone()
            if held is not None:
                return True
        return False

    # -- one change ----------------------------------------------------------------------------------------------------

    def _take_change(
        self, event: Event, index: int, shape: Shape, number: int, standing: Standing, author: str, person: int, roles: int,
        past: Past, link: Link, touched: Touched,
    ) -> None:  # fmt: skip
        value = event.values[index]
        raw = value.raw if value else None
        name = shape.kind.rstrip("!")
        known = KINDS.get(name)
        change_id = event.change_id(index)
        counts, typed, signers = self._judge(known, change_id, number, shape, raw, standing, past, author, link)
        if known is not None and known.about_people and not known.role:
            roles = self._word("")  # such a change counts by signatures, whatever its author is at the time
        entity = self._entity(shape.entity, event.header.t, counts in _JUDGED_BY_VALUE)
        touched.entities.add(shape.entity)
        row: Row = (
            number, entity, self._word(shape.kind), shape.field, int(counts), int(counts is Counts.YES), person, roles,
            bytes.fromhex(shape.commitment), _json(shape.over).decode() if shape.over else None,
            _json(signers).decode() if signers else None, raw,
        )  # fmt: skip
        self._rows[number] = row
        self._sum += row_digest(row)
        if counts is not Counts.YES or known is None:
            return
        if shape.over:
            self._replace(shape.over, shape.field, name, entity, author, standing.roles, past)
        if typed is not None:
            self._index(entity, typed, number, event, past, signers, touched)

    def _judge(
        self, known: Kind | None, change_id: str, number: int, shape: Shape, raw: bytes | None, standing: Standing,
        past: Past, author: str, link: Link,
    ) -> tuple[Counts, msgspec.Struct | None, Sequence[str]]:  # fmt: skip
        good = standing.counts is Counts.YES
        if known is None:
            return (Counts.UNKNOWN if good else standing.counts), None, ()
        if known.about_people:
            return self._judge_about_people(known, change_id, shape, raw, standing)
        if not good:
            return standing.counts, None, ()
        kind_of = shape.entity.partition(":")[0]
        if known.on and kind_of not in known.on:
            return Counts.FORM, None, ()
        if known.role and not (standing.admin if known.role == "admin" else known.role in standing.roles):
            return Counts.ROLE, None, ()
        if raw is None:
            return Counts.ABSENT, None, ()
        signers: Sequence[str] = ()
        try:
            if known.payload_type:
                typed, signers = self._judge_signed(known, shape, raw, author)
                if self._replayed(raw, number, past):
                    return Counts.REPLAY, None, signers
            else:
                typed = read(known.name, raw)
        except CarnetError:
            return Counts.FORM, None, ()
        except _BadSignature:
            return Counts.SIGNATURE, None, ()
        if known.birth and not self._born_right(kind_of, shape, typed, link.chain.key):
            return Counts.BIRTH, None, ()
        return Counts.YES, typed, signers

    def _judge_about_people(
        self, known: Kind, change_id: str, shape: Shape, raw: bytes | None, standing: Standing
    ) -> tuple[Counts, msgspec.Struct | None, Sequence[str]]:
        people = self._who()
        signers = people.signers.get(change_id, ())
        verdict = people.verdicts.get(change_id)
        if verdict is not None:
            return verdict, None, signers
        if raw is None:
            return Counts.ABSENT, None, signers
        if known.on and shape.entity.partition(":")[0] not in known.on:
            return Counts.FORM, None, signers
        if known.payload_type:
            return Counts.YES, None, signers
        joins = known.name in ("invite.accepted", "join.requested")
        if standing.counts is not Counts.YES and not (joins and standing.counts in (Counts.PENDING, Counts.STRANGER)):
            return standing.counts, None, signers
        if known.role == "admin" and not standing.admin:
            return Counts.ROLE, None, signers
        return Counts.YES, None, signers

    def _judge_signed(self, known: Kind, shape: Shape, raw: bytes, author: str) -> tuple[msgspec.Struct, Sequence[str]]:
        people = self._who()
        payload, envelopes = read_signed(raw, known.payload_type)
        self._strange.update(one.keyid for one in envelopes if not people.knows_key(one.keyid))
        signers = people.verified_signers(payload, envelopes)
        if author not in signers:
            raise _BadSignature
        typed = read(known.name, payload)
        act = typed.predicate if isinstance(typed, Statement) else typed
        if getattr(act, "ledger", "") != self.ledger or getattr(act, "purpose", "") != known.name:
            raise _BadSignature
        if getattr(act, "handoff", getattr(act, "entity", shape.entity)) != shape.entity:
            raise _BadSignature
        return typed, signers

    def _replayed(self, raw: bytes, number: int, past: Past) -> bool:
        """Remember a signed payload; say whether this causal past carried it already."""
        digest = hashlib.sha256(signed_payload(raw)).digest()
        seen = self.db.execute("SELECT change FROM payload WHERE digest = ?", (digest,)).fetchall()
        self.db.execute("INSERT OR IGNORE INTO payload VALUES(?, ?)", (digest, number))
        return any(_in_past(other, past) and other != number for (other,) in seen)

    @staticmethod
    def _born_right(kind_of: str, shape: Shape, typed: msgspec.Struct, key: str) -> bool:
        source = typed.source if isinstance(typed, Declared) else None
        if source is not None:
            return shape.entity == events.source_entity(kind_of, *source)
        return shape.entity == events.birth_entity(kind_of, key, shape.commitment)

    # -- replacing and erasing -----------------------------------------------------------------------------------------

    def _replace(
        self, over: Sequence[str], about: str, name: str, entity: int, author: str, roles: frozenset[str], past: Past
    ) -> None:
        for target in over:
            number = self.change_number(target)
            row = self._row(number) if number is not None and _in_past(number, past) else None
            if row is None or row[1] != entity or row[3] != about or not row[5]:
                continue
            target_kind = self._text(row[2]).rstrip("!")
            role = ""
            if target_kind == "item.answered":
                answered = typed_value(target_kind, row[11])
                role = answered.role if isinstance(answered, Answered) else ""
            if may_replace(
                target_kind, target_person=self._text(row[6]), target_role=role, by_kind=name, by_person=author,
                by_roles=roles,
            ):  # fmt: skip
                self._alter(row, counts=row[4], live=0, value=row[11])

    def _erase(self, tombstone: Erased, past: Past, signers: Sequence[str], touched: Touched) -> None:
        """Forget the values that a counting tombstone names and its author saw."""
        members = self._who().members(past).people
        two = len({s for s in signers if s in members and members[s].status == "active"}) >= 2
        for target in tombstone.targets:
            number = self.change_number(target)
            row = self._row(number) if number is not None and _in_past(number, past) else None
            if row is None or (row[11] is None and row[4] not in (Counts.ABSENT, Counts.YES)):
                continue
            name = self._text(row[2]).rstrip("!")
            if not is_erasable(name) or (not two and self._is_sealed(row[1], past)):
                continue
            self._erase_value(row, name, touched)

    def _erase_value(self, row: Row, name: str, touched: Touched) -> None:
        number = row[0]
        judged = Counts(row[4]) in _JUDGED_BY_VALUE
        self._alter(row, counts=int(Counts.ERASED) if judged else row[4], live=0, value=None)
        place = number >> INDEX_BITS
        line = self.db.execute("SELECT line FROM event WHERE id = ?", (place,)).fetchone()[0]
        event = events.parse(line)
        index = number & INDEX_MASK
        if event.values[index] is not None:
            short = events.without_values(event, {index})
            self.db.execute("UPDATE event SET line = ? WHERE id = ?", (short, place))
            self._lost = self._lost or bool(KINDS[name].payload_type) or name == "package.sealed"
        shape = event.shapes[index]
        touched.entities.add(shape.entity)
        known = KINDS.get(name)
        if judged and shape.over and known and (not known.on or shape.entity.partition(":")[0] in known.on):
            past = self.past(place >> SEQ_BITS, place & SEQ_MASK)
            roles = frozenset(self._text(row[7]).split()) - {"admin"}
            self._replace(shape.over, shape.field, name, row[1], self._text(row[6]), roles, past)

    def _is_sealed(self, entity: int, past: Past) -> bool:
        """Say whether a sealed package that lies in this past refers to an entity."""
        rows = self.db.execute("SELECT change FROM sealed WHERE entity = ?", (entity,))
        return any(_in_past(number, past) for (number,) in rows)

    def _alter(self, row: Row, *, counts: int, live: int, value: bytes | None) -> None:
        number = row[0]
        new: Row = (*row[:4], counts, live, *row[6:11], value)
        self._sum += row_digest(new) - row_digest(row)
        if number in self._rows:
            self._rows[number] = new
        else:
            self.db.execute(
                "UPDATE change SET counts = ?, live = ?, value = ? WHERE id = ?", (counts, live, value, number)
            )
        name = self._text(row[2])
        if name == "edge.linked":
            self.db.execute("DELETE FROM edge WHERE change = ?", (number,))
        known = KINDS.get(name.rstrip("!"))
        if known is not None and known.birth:
            self._name_anew(row[1])

    # -- what lists and the lineage look up ----------------------------------------------------------------------------

    def _index(
        self,
        entity: int,
        typed: msgspec.Struct,
        number: int,
        event: Event,
        past: Past,
        signers: Sequence[str],
        touched: Touched,
    ) -> None:
        known = KINDS[event.shapes[number & INDEX_MASK].kind.rstrip("!")]
        if known.birth:
            found = self._load(entity)
            if found.birth is None:
                self._name(found, typed, number, event.header.t)
            else:
                self._name_anew(entity)
        if isinstance(typed, Linked):
            target = self._entity(typed.to, event.header.t, False)
            self.db.execute(
                "INSERT OR IGNORE INTO edge VALUES(?, ?, ?, ?)", (entity, self._word(typed.relation), target, number)
            )
        elif isinstance(typed, Sealed):
            parts = typed.manifest.get("entities", ())
            ids = {part.get("id") for part in parts if isinstance(part, dict)} if isinstance(parts, list) else set()
            texts = sorted(one for one in ids if isinstance(one, str))
            rows = [(self._entity(one, event.header.t, False), number) for one in texts]
            self.db.executemany("INSERT OR IGNORE INTO sealed VALUES(?, ?)", [(entity, number), *rows])
        elif isinstance(typed, Recalled):
            self.db.execute("INSERT OR IGNORE INTO recall VALUES(?, ?)", (number, entity))
        elif isinstance(typed, Erased):
            self._erase(typed, past, signers, touched)


def _in_past(number: int, past: Past) -> bool:
    place = number >> INDEX_BITS
    return past.get(place >> SEQ_BITS, -1) >= place & SEQ_MASK
