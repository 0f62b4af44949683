"""What a bundle would change here, asked inside the transaction that has taken it in and may still be undone.

Lists are bounded and carry their counts. Names and texts are as others wrote them: clean them before showing.
"""

from __future__ import annotations

import binascii
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.event import parse_place
from carnet_store.core.fold import Change, Counts
from carnet_store.core.kind import KINDS
from carnet_store.domain.decisions import Decision, Question
from carnet_store.domain.erasure import Erased
from carnet_store.domain.handoff import Opened
from carnet_store.domain.lineage import SAID, are_apart
from carnet_store.domain.recall import Recalled, RecallLifted
from carnet_store.errors import Untrusted
from carnet_store.exchange.manifest import Manifest
from carnet_store.storage import ledger as store
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects
from carnet_store.storage.schema import INDEX_BITS, SEQ_BITS

Judge = Callable[[Ledger], Mapping[str, str]]
"""Says for each handoff id its gate's verdict in words, such as `passed` or `stale: 2 signatures`."""

SHOWN: Final = 20
WORDS: Final = 120
"""Characters of a decision or question by which it is named."""
_CONTESTED: Final = ("item.answered", "entity.described", "criteria.set", "handoff.repacked", "package.sealed")
_CONTROL: Final = re.compile(  # an escaped backslash is consumed first, so that the text \u001b written out is none
    rb"\\\\|(\\u00[01][0-9a-f]|\\[bfr]|\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf)"
)
_PAYLOAD: Final = re.compile(rb'"payload":"([A-Za-z0-9+/=]+)"')


@dataclass(frozen=True, slots=True)
class Group:
    """How many changes of one kind come, and by whom (names and counts, the busiest first)."""

    kind: str
    count: int
    authors: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One of several live values of the same thing: who, when (ms, claimed), the value as JSON."""

    person: str
    name: str
    t: int
    change: str
    value: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """Several live values on one field of one entity: an item's answers, an attribute; `count` of them in all."""

    entity: str
    title: str
    kind: str
    field: str
    sides: tuple[Side, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Consequence:
    """A handoff whose verdict differs once the bundle is in; `before` is empty where it is new here."""

    handoff: str
    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """A tombstone that comes: who has how many values and objects erased, and why."""

    name: str
    reason: str
    values: int
    objects: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A recall that comes, or the lifting of one: of what, by whom, why."""

    entity: str
    title: str
    name: str
    reason: str
    lifted: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events of `name` from `seq` on that wait for events of other chains which are not here (names of their persons)."""

    chain: str
    name: str
    seq: int
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A chain that the exporter held to `theirs` and that is here only to `ours` (-1: nothing) once the bundle is in."""

    chain: str
    name: str
    theirs: int
    ours: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What accepting a bundle does. Equal for the inspection and for the acceptance of the same bundle into the same store."""

    bundle: str
    ledger: str
    project: str
    founder: str
    fingerprint: str
    exporter: str
    exporter_note: str
    increment: bool
    older: bool
    t: int
    size: int
    new: int
    known: int
    filled: int
    forks: tuple[tuple[str, int], ...]
    waiting: tuple[Waiting, ...]
    incomplete: tuple[Incomplete, ...]
    entities: tuple[tuple[str, int], ...]
    named: tuple[tuple[str, str], ...]
    changes: tuple[Group, ...]
    uncounted: tuple[Group, ...]
    conflicts: tuple[Conflict, ...]
    conflict_count: int
    consequences: tuple[Consequence, ...]
    erasures: tuple[Erasure, ...]
    recalls: tuple[Notice, ...]
    objects_brought: int
    object_bytes: int
    objects_missing: int
    control_characters: int

    @property
    def nothing_new(self) -> bool:
        """Say whether this store has it all already."""
        return self.new == 0 and self.filled == 0


@dataclass(slots=True)
class Before:
    """What was here before: the last seq of each chain number, the verdicts, the places by name."""

    seqs: dict[int, int] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, ledger: Ledger, judge: Judge | None) -> Before:
        """Read it from a ledger."""
        return cls({head.no: head.seq for head in ledger.heads()}, dict(judge(ledger)) if judge else {})


def count_control(line: bytes) -> int:
    """Return how many control, bidirectional and zero-width characters the texts of a line hold, signed texts included."""
    found = 0
    if b"\\" in line or b"\x7f" in line or not line.isascii():  # three fast looks spare most lines the slow one
        found = sum(1 for match in _CONTROL.finditer(line) if match.group(1))
    if b'"dsse":[' in line:
        for text in _PAYLOAD.findall(line):
            try:
                payload = binascii.a2b_base64(text)
            except binascii.Error:
                continue
            found += sum(1 for match in _CONTROL.finditer(payload) if match.group(1))
    return found


def make_plan(
    ledger: Ledger, manifest: Manifest, identity: str, size: int, before: Before, taken: store.Taken, judge: Judge | None,
    objects: Objects | None, control: int,
) -> Plan:  # fmt: skip
    """Describe what was taken in. Runs inside the transaction.

    Raises:
        Untrusted: the ledger's founding does not hold, or the exporter's chain is nobody's.
    """
    people = ledger.projection.people
    if people.genesis is None:
        raise Untrusted(
            "the founding of this project is not in the bundle or does not hold",
            "ask its sender for a whole bundle (without --since)",
        )
    exporter = people.person_of(manifest.exporter)
    if not exporter:
        raise Untrusted(
            f"the bundle is signed by chain {manifest.exporter[:16]}…, which no person delegated",
            "ask its sender to export again; nothing was written",
        )
    founder = bytes.fromhex(people.genesis.founder)
    ranges = _new_ranges(ledger, before)
    held = objects.has if objects is not None else lambda _digest: False
    conflicts, conflict_count = _conflicts(ledger, ranges)
    return Plan(
        bundle=identity,
        ledger=ledger.id,
        project=people.genesis.project,
        founder=people.name(keys.person_id(founder)),
        fingerprint=keys.fingerprint(founder),
        exporter=people.name(exporter),
        exporter_note=_standing_note(ledger, manifest.exporter, exporter),
        increment=bool(manifest.base),
        older=not taken.new and not taken.filled and _behind(ledger, manifest),
        t=manifest.t,
        size=size,
        new=taken.new,
        known=taken.known,
        filled=taken.filled,
        forks=tuple((people.name(people.person_of(key)), seq) for key, seq in taken.forks[:SHOWN]),
        waiting=_waiting(ledger),
        incomplete=_incomplete(ledger, manifest),
        entities=_entities(ledger, ranges),
        named=_named(ledger, ranges),
        changes=_groups(ledger, ranges, counting=True),
        uncounted=_groups(ledger, ranges, counting=False),
        conflicts=conflicts,
        conflict_count=conflict_count,
        consequences=_consequences(ledger, before, judge),
        erasures=_erasures(ledger, ranges),
        recalls=_recalls(ledger, ranges),
        objects_brought=len(manifest.objects),
        object_bytes=sum(row.size for row in manifest.objects),
        objects_missing=sum(1 for row in manifest.missing if not held(row.sha256)),
        control_characters=control,
    )


def title_of(ledger: Ledger, entity: str) -> str:
    """Return an entity as people call it: `churn@7`; a handoff by its model version, a decision or question by its words.

    What has no name is called by the start of its id.
    """
    named = entity
    if entity.startswith(("handoff:", "decision:", "question:")):
        births = ledger.projection.select("WHERE e.id = ? AND c.live = 1 AND c.field = ''", (entity,))
        for value in (c.value for c in births):
            if isinstance(value, Opened):
                named = value.model
            elif isinstance(value, Decision | Question):
                said = value.choice if isinstance(value, Decision) else value.text
                return " ".join(said.split())[:WORDS] or entity[:20] + "…"
    row = ledger.db.execute("SELECT name, version FROM entity WHERE id = ?", (named,)).fetchone()
    if row is None or not row[0]:
        return entity[:20] + "…"
    return f"{row[0]}@{row[1]}" if row[1] else str(row[0])


_Range = tuple[int, int]


def _new_ranges(ledger: Ledger, before: Before) -> list[_Range]:
    """Return the local change numbers that came: first and last of each chain or branch."""
    found = []
    for head in ledger.heads():
        first = max(before.seqs.get(head.no, head.start - 1) + 1, head.start)
        if first <= head.seq:
            start = (head.no << SEQ_BITS | first) << INDEX_BITS
            found.append((start, (head.no << SEQ_BITS | head.seq) << INDEX_BITS | (1 << INDEX_BITS) - 1))
    return found


def _rows(ledger: Ledger, ranges: Iterable[_Range], sql: str, *more: object) -> Iterable[tuple[Any, ...]]:
    for pair in ranges:
        yield from ledger.db.execute(sql, (*pair, *more))


def _words(kinds: Iterable[str]) -> str:
    """Return kinds as SQL takes them, each with and without the critical mark."""
    return json.dumps([word for kind in kinds for word in (kind, f"{kind}!")])


def _groups(ledger: Ledger, ranges: list[_Range], *, counting: bool) -> tuple[Group, ...]:
    """Count what came by kind, or what does not count by reason."""
    name = ledger.projection.people.name
    by: dict[str, Counter[str]] = {}
    sql = (
        "SELECT k.text, p.text, c.counts, count(*) FROM change c JOIN word k ON k.no = c.kind"
        " JOIN word p ON p.no = c.person WHERE c.id BETWEEN ? AND ? GROUP BY 1, 2, 3"
    )
    for kind, person, counts, number in _rows(ledger, ranges, sql):
        if (counts == Counts.YES) == counting:
            label = kind.rstrip("!") if counting else Counts(counts).words
            by.setdefault(label, Counter())[name(person) if person else "nobody known"] += number
    groups = [Group(label, authors.total(), tuple(authors.most_common(SHOWN))) for label, authors in by.items()]
    return tuple(sorted(groups, key=lambda g: (-g.count, g.kind)))


def _births() -> list[str]:
    return [name for name, kind in sorted(KINDS.items()) if kind.birth]


def _entities(ledger: Ledger, ranges: list[_Range]) -> tuple[tuple[str, int], ...]:
    """Count by kind what came to be known: entities with a birth that came, and none that was here."""
    born: dict[int, str] = {}
    sql = (
        "SELECT DISTINCT e.no, e.kind FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
        " WHERE c.id BETWEEN ? AND ? AND c.counts = 0 AND k.text IN (SELECT value FROM json_each(?))"
    )
    for no, kind in _rows(ledger, ranges, sql, _words(_births())):
        born[no] = kind
    here = {
        int(no)
        for no, change in ledger.db.execute(
            "SELECT c.entity, c.id FROM json_each(?) j JOIN change c ON c.entity = j.value JOIN word k ON k.no = c.kind"
            " WHERE c.counts = 0 AND k.text IN (SELECT value FROM json_each(?))",
            (json.dumps(list(born)), _words(_births())),
        )
        if not any(first <= change <= last for first, last in ranges)
    }
    return tuple(sorted(Counter(kind for no, kind in born.items() if no not in here).items()))


def _named(ledger: Ledger, ranges: list[_Range]) -> tuple[tuple[str, str], ...]:
    sql = (
        "SELECT DISTINCT e.id FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
        " WHERE c.id BETWEEN ? AND ? AND c.counts = 0 AND k.text IN (SELECT value FROM json_each(?)) ORDER BY e.id LIMIT ?"
    )
    found = sorted({str(row[0]) for row in _rows(ledger, ranges, sql, _words(_births()), SHOWN)})[:SHOWN]
    return tuple((entity.partition(":")[0], title_of(ledger, entity)) for entity in found)


def _conflicts(ledger: Ledger, ranges: list[_Range]) -> tuple[tuple[Conflict, ...], int]:
    """Find live values that stand beside each other on what the bundle touches."""
    sql = (
        "SELECT e.id, k.text, c.field, count(*) FROM change c JOIN entity e ON e.no = c.entity JOIN word k ON k.no = c.kind"
        " WHERE c.entity IN (SELECT entity FROM change WHERE id BETWEEN ? AND ?) AND c.live = 1 AND c.counts = 0"
        " AND k.text IN (SELECT value FROM json_each(?)) GROUP BY e.id, k.text, c.field HAVING count(*) > 1"
        " AND (count(DISTINCT c.value) > 1 OR k.text LIKE 'item.answered%')"
    )
    places = sorted({tuple(row) for row in _rows(ledger, ranges, sql, _words(_CONTESTED))})
    places = [place for place in places if place[1].rstrip("!") not in SAID or are_apart(_beside(ledger, *place[:3]))]
    found = []
    for entity, kind, of, count in places[:SHOWN]:
        rows = ledger.projection.select(
            f"WHERE e.id = ? AND c.field = ? AND c.live = 1 AND k.text = ? ORDER BY v.t, c.id LIMIT {SHOWN}",
            (entity, of, kind),
        )
        sides = tuple(_side(ledger, change) for change in rows)
        found.append(Conflict(entity, title_of(ledger, entity), kind.rstrip("!"), of, sides, count))
    return tuple(found), len(places)


def _beside(ledger: Ledger, entity: str, kind: str, of: str) -> Iterator[Change]:
    """Yield the live changes of one kind and field of an entity."""
    return ledger.projection.select("WHERE e.id = ? AND c.field = ? AND c.live = 1 AND k.text = ?", (entity, of, kind))


def _side(ledger: Ledger, change: Change) -> Side:
    value = canonical.decode(change.raw) if change.raw else None
    return Side(change.person, ledger.projection.people.name(change.person), change.t, change.id, value)


def _consequences(ledger: Ledger, before: Before, judge: Judge | None) -> tuple[Consequence, ...]:
    if judge is None:
        return ()
    after = judge(ledger)
    changed = [h for h in sorted({*after, *before.verdicts}) if after.get(h, "") != before.verdicts.get(h, "")]
    return tuple(Consequence(h, title_of(ledger, h), before.verdicts.get(h, ""), after.get(h, "")) for h in changed)


def _erasures(ledger: Ledger, ranges: list[_Range]) -> tuple[Erasure, ...]:
    found = []
    for start, end in ranges:
        for change in ledger.projection.select(
            "WHERE c.id BETWEEN ? AND ? AND k.text IN ('value.erased', 'value.erased!') AND c.counts = 0", (start, end)
        ):
            if isinstance(change.value, Erased):
                name = ledger.projection.people.name(change.person)
                found.append(Erasure(name, change.value.reason, len(change.value.targets), len(change.value.objects)))
    return tuple(found)


def _recalls(ledger: Ledger, ranges: list[_Range]) -> tuple[Notice, ...]:
    found = []
    for start, end in ranges:
        for change in ledger.projection.select(
            "WHERE c.id BETWEEN ? AND ? AND k.text IN ('recall.declared!', 'recall.lifted!') AND c.counts = 0",
            (start, end),
        ):
            if isinstance(change.value, Recalled | RecallLifted):
                name, lifted = ledger.projection.people.name(change.person), isinstance(change.value, RecallLifted)
                found.append(Notice(change.entity, title_of(ledger, change.entity), name, change.value.reason, lifted))
    return tuple(found[:SHOWN])


def _place_held(ledger: Ledger, place: str) -> bool:
    digest = bytes.fromhex(parse_place(place)[1])
    return ledger.db.execute("SELECT 1 FROM event WHERE hash = ?", (digest,)).fetchone() is not None


def _incomplete(ledger: Ledger, manifest: Manifest) -> tuple[Incomplete, ...]:
    people = ledger.projection.people
    ours = {head.key: head.seq for head in ledger.heads() if not head.branch}
    found = []
    for chain, place in sorted(manifest.heads.items()):
        if not _place_held(ledger, place):
            key = chain.partition("~")[0]
            name = people.name(people.person_of(key)) if people.person_of(key) else "somebody unknown"
            found.append(Incomplete(chain, name, parse_place(place)[0], ours.get(key, -1)))
    return tuple(found)


def _waiting(ledger: Ledger) -> tuple[Waiting, ...]:
    people = ledger.projection.people

    def name(key: str) -> str:
        return people.name(people.person_of(key)) if people.person_of(key) else f"chain {key[:16]}…"

    found = []
    for key, seq in ledger.waiting()[:SHOWN]:
        needs: set[str] = set()
        head = next(h for h in ledger.heads() if h.key == key and h.start <= seq <= h.seq)
        for line in ledger.lines(head.no, seq, seq):
            see = events.parse(line).header.see
            needs |= {name(other) for other, place in see.items() if not _place_held(ledger, place)}
        found.append(Waiting(key, name(key), seq, tuple(sorted(needs))))
    return tuple(found)


def _behind(ledger: Ledger, manifest: Manifest) -> bool:
    """Say whether this store holds something that the exporter did not."""
    theirs = {parse_place(place)[1] for place in manifest.heads.values()}
    return any(head.hash not in theirs for head in ledger.heads())


def _standing_note(ledger: Ledger, chain: str, person: str) -> str:
    """Say what is odd about the exporter, empty for a member in good standing."""
    people = ledger.projection.people
    row = people.members().people.get(person)
    if any(r.person == person for r in people.revocations):
        return "the key of this person was revoked"
    if row is None:
        return "joining not yet confirmed" if person in people.newcomers else "not a member of the project"
    return "" if row.status == "active" else "has left the project"
