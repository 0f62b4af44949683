"""A handoff: a model version crossing a gate. What is recorded about it, and its state as read back.

Rules:
- Answering and verifying are two acts by two persons. An answer is keyed by item id alone, so moving to another pack keeps it.
- Two live answers to one item are a conflict: both stay, and the item counts for nothing until one who has seen both settles it.
- What decides (sign-off, return, waiver, custody ...) is signed by the person's own key and names handoff and round, so that it cannot be
  carried to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from carnet_store.core.fold import Change, Counts
from carnet_store.core.kind import ACT, kind

STATEMENT: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SIGNOFF_PREDICATE: Final = "https://w3id.org/carnet/sign-off/v1"
DECISIONS: Final = ("approve", "approve-with-conditions", "refuse")


class PackRef(msgspec.Struct, frozen=True):
    """A template at a fixed version; its raw bytes are an object by `sha256`."""

    id: str
    version: str
    sha256: str


@kind("handoff.opened", on=("handoff",), birth=True, critical=True)
class Opened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A crossing begins: model version, gate pack (first) and its rubrics, risk tier, facts, due date (`YYYY-MM-DD`)."""

    model: str
    packs: tuple[PackRef, ...]
    tier: str
    facts: dict[str, Any] = {}
    from_stage: str = ""
    to_stage: str = ""
    due: str = ""
    criteria: str = ""
    previous: str = ""


@kind("handoff.repacked", on=("handoff",), critical=True)
class Repacked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another gate pack, tier or other facts from here on; answers stay where item ids are the same."""

    packs: tuple[PackRef, ...]
    tier: str
    reason: str
    facts: dict[str, Any] = {}


@kind("handoff.assigned", on=("handoff",))
class Assigned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person is asked to act in a role (field `role:<role>`) or on an item (field: its id)."""

    person: str
    due: str = ""
    reason: str = ""


@kind("handoff.linked", on=("handoff",))
class Included(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity belongs to what crosses (field: its id)."""

    entity: str
    note: str = ""


class FileRef(msgspec.Struct, frozen=True, kw_only=True):
    """A file by digest; `path` is relative, for people."""

    path: str
    sha256: str
    size: int


@kind("handoff.filed", on=("handoff",))
class Filed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file belongs to what crosses (field: its digest)."""

    file: FileRef
    note: str = ""


@kind("package.sealed", on=("handoff",), critical=True)
class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """The package as it stands: its manifest (docs/format.md section 8.1), whose SHA-256 is the package digest."""

    manifest: dict[str, Any]


@kind("item.answered", on=("handoff",), rule="answer")
class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer (field: item id). `role` is the item's answering role, whoever gave it; `package` what was sealed then."""

    role: str
    answer: dict[str, Any]
    package: str = ""
    carried: str = ""


@kind("answer.confirmed", on=("handoff",))
class AnswerConfirmed(msgspec.Struct, frozen=True, kw_only=True):
    """Who spoke an answer that another typed says, with the own key, that it is so (`answer`: change id)."""

    answer: str


@kind("item.verified", on=("handoff",))
class Verified(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another person agrees or disagrees with an answer (`answer`: change id; field: item id)."""

    answer: str
    role: str
    agree: bool
    reason: str = ""


@kind("finding.raised", on=("handoff",), rule="closing", closed_by="finding.closed")
class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something found wrong with an item (field: item id)."""

    text: str
    severity: str = "major"


@kind("finding.closed", on=("handoff",))
class FindingClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A finding is settled, and how."""

    text: str


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What every person-signed act about a handoff names."""

    ledger: str
    purpose: str
    handoff: str
    t: int


@kind("waiver.granted", on=("handoff",), rule="closing", closed_by="waiver.withdrawn", signed=ACT)
class Waiver(Act, frozen=True, kw_only=True):
    """An item may stay as it is until `expires` (ms), and why; it never hides the failure."""

    item: str
    reason: str
    mitigation: str
    expires: int
    role: str


@kind("waiver.withdrawn", on=("handoff",))
class WaiverWithdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver ends before its time."""

    reason: str


@kind("na.confirmed", on=("handoff",), signed=ACT)
class NaConfirmed(Act, frozen=True, kw_only=True):
    """A verifier agrees, by the own key, that a blocker does not apply."""

    item: str
    answer: str
    role: str


@kind("readback.confirmed", on=("handoff",), signed=ACT)
class ReadbackConfirmed(Act, frozen=True, kw_only=True):
    """The giver says whether the receiver's restatement (`answer`: change id) is right."""

    item: str
    answer: str
    agree: bool
    reason: str
    role: str


class ResourceDescriptor(msgspec.Struct, frozen=True, kw_only=True):
    """in-toto's subject."""

    name: str
    digest: dict[str, str]


class SignoffPredicate(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-off says (docs/format.md section 8.2)."""

    bound: dict[str, str]
    covers: tuple[str, ...]
    decision: str
    expires: int
    frontier: dict[str, str]
    gate: str
    handoff: str
    ledger: str
    meaning: str
    package: str
    purpose: str
    reason: str
    role: str
    roster: tuple[str, ...]
    round: int
    seen: dict[str, str]
    t: int
    template: str


@kind("gate.signed", on=("handoff",), signed=STATEMENT, critical=True)
class Statement(
    msgspec.Struct, frozen=True, kw_only=True, rename={"type_": "_type", "predicate_type": "predicateType"}
):
    """An in-toto Statement v1 that is a sign-off (field: role and meaning)."""

    type_: str
    subject: tuple[ResourceDescriptor, ...]
    predicate_type: str
    predicate: SignoffPredicate


@kind("gate.overridden", on=("handoff",), signed=ACT, rule="nobody", critical=True)
class Overridden(Act, frozen=True, kw_only=True):
    """An emergency: the crossing happens although the gate is shut. Loud, expiring, reviewed afterwards."""

    round: int
    package: str
    reason: str
    expires: int


@kind("handoff.returned", on=("handoff",), signed=ACT, rule="nobody", critical=True)
class Returned(Act, frozen=True, kw_only=True):
    """The receiver gives the package back, with a reason for each item named."""

    round: int
    package: str
    items: dict[str, str]
    reason: str


@kind("handoff.abandoned", on=("handoff",))
class Abandoned(msgspec.Struct, frozen=True, kw_only=True):
    """The crossing ends without a result."""

    reason: str


@dataclass(frozen=True, slots=True)
class CustodyStep:
    """Custody offered, accepted or refused."""

    what: str
    change: Change
    from_team: str
    to_team: str
    reason: str


class CustodyAct(Act, frozen=True, kw_only=True):
    """Custody of a model version goes from team to team with a package."""

    model: str
    round: int
    package: str
    from_team: str
    to_team: str
    reason: str


@kind("custody.offered", on=("handoff",), signed=ACT, rule="nobody")
class CustodyOffered(CustodyAct, frozen=True, kw_only=True):
    """The holder offers custody."""


@kind("custody.accepted", on=("handoff",), signed=ACT, rule="nobody")
class CustodyAccepted(CustodyAct, frozen=True, kw_only=True):
    """The receiver takes custody."""


@kind("custody.refused", on=("handoff",), signed=ACT, rule="nobody")
class CustodyRefused(CustodyAct, frozen=True, kw_only=True):
    """The receiver refuses, with a reason."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """A handoff's live record, by item where that makes sense. Changes keep who, when and with which roles."""

    id: str
    opened: Opened
    change: Change
    packs: tuple[PackRef, ...]
    tier: str
    facts: Mapping[str, Any]
    assigned: Mapping[str, Change]
    entities: tuple[str, ...]
    files: tuple[FileRef, ...]
    seals: tuple[Change, ...]
    answers: Mapping[str, tuple[Change, ...]]
    confirmations: frozenset[tuple[str, str]]
    verifications: Mapping[str, tuple[Change, ...]]
    findings: Mapping[str, tuple[Change, ...]]
    waivers: Mapping[str, tuple[Change, ...]]
    na_confirmed: Mapping[str, tuple[Change, ...]]
    readbacks: Mapping[str, tuple[Change, ...]]
    signoffs: tuple[Change, ...]
    overrides: tuple[Change, ...]
    returns: tuple[Change, ...]
    custody: tuple[CustodyStep, ...]
    abandoned: Change | None
    recalls: tuple[Change, ...]
    unknown: tuple[Change, ...]
    uncounted: tuple[Change, ...]
    comments: tuple[Change, ...] = field(default=(), compare=False)
    disputes: tuple[str, ...] = ()

    @property
    def gate(self) -> PackRef:
        """The gate's pack; the others are rubrics."""
        return self.packs[0]

    @property
    def round(self) -> int:
        """The round of the newest sealing, 0 before the first."""
        return max((self.manifest(c).get("round", 0) for c in self.seals), default=0)

    @property
    def seal(self) -> Change | None:
        """The one live sealing of the newest round; None before it or where two stand in conflict."""
        newest = [c for c in self.seals if self.manifest(c).get("round", 0) == self.round]
        return newest[0] if len({c.raw for c in newest}) == 1 else None

    @staticmethod
    def manifest(change: Change) -> Mapping[str, Any]:
        """Return the manifest that a sealing carries."""
        return change.value.manifest if isinstance(change.value, Sealed) else {}

    def answer(self, item: str) -> Change | None:
        """Return the one live answer to an item; None where there is none, or a conflict."""
        found = self.answers.get(item, ())
        return found[0] if len(found) == 1 else None

    def in_conflict(self, item: str) -> bool:
        """Say whether an item has more than one live answer."""
        return len(self.answers.get(item, ())) > 1


def read_handoff(entity: str, changes: Sequence[Change]) -> Handoff | None:
    """Fold a handoff's changes; None where no opening counts."""
    births = [(c, c.value) for c in changes if c.live and isinstance(c.value, Opened)]
    if not births:
        return None
    born, opened = min(births, key=lambda pair: pair[0].id)
    groups: dict[str, dict[str, list[Change]]] = {}
    live: dict[str, list[Change]] = {}
    for change in changes:
        if change.live:
            live.setdefault(change.kind, []).append(change)
            groups.setdefault(change.kind, {}).setdefault(change.field, []).append(change)

    def by_item(name: str) -> dict[str, tuple[Change, ...]]:
        return {item: tuple(sorted(found, key=_order)) for item, found in groups.get(name, {}).items()}

    disputes = []
    packs, tier, facts = opened.packs, opened.tier, opened.facts
    moves = sorted(live.get("handoff.repacked", []), key=_order)
    if moves:
        if len({c.raw for c in moves}) > 1:
            disputes.append("the gate's pack, tier or facts were changed apart")
        last = moves[-1].value
        if isinstance(last, Repacked):
            packs, tier, facts = last.packs, last.tier, last.facts
    custody = [
        CustodyStep(c.kind.split(".")[1], c, c.value.from_team, c.value.to_team, c.value.reason)
        for name in ("custody.offered", "custody.accepted", "custody.refused")
        for c in live.get(name, [])
        if isinstance(c.value, CustodyAct)
    ]
    seals = tuple(sorted(live.get("package.sealed", []), key=_order))
    return Handoff(
        id=entity,
        opened=opened,
        change=born,
        packs=packs,
        tier=tier,
        facts=facts,
        assigned={f: max(cs, key=_order) for f, cs in groups.get("handoff.assigned", {}).items()},
        entities=tuple(
            sorted({c.value.entity for c in live.get("handoff.linked", []) if isinstance(c.value, Included)})
        ),
        files=tuple(
            sorted(
                {c.value.file for c in live.get("handoff.filed", []) if isinstance(c.value, Filed)},
                key=lambda f: (f.path, f.sha256),
            )
        ),
        seals=seals,
        answers=by_item("item.answered"),
        confirmations=frozenset(
            (c.person, c.value.answer) for c in live.get("answer.confirmed", []) if isinstance(c.value, AnswerConfirmed)
        ),
        verifications=by_item("item.verified"),
        findings=by_item("finding.raised"),
        waivers=by_item("waiver.granted"),
        na_confirmed=by_item("na.confirmed"),
        readbacks=by_item("readback.confirmed"),
        signoffs=tuple(sorted(live.get("gate.signed", []), key=_order)),
        overrides=tuple(sorted(live.get("gate.overridden", []), key=_order)),
        returns=tuple(sorted(live.get("handoff.returned", []), key=_order)),
        custody=tuple(sorted(custody, key=lambda step: _order(step.change))),
        abandoned=next(iter(sorted(live.get("handoff.abandoned", []), key=_order)), None),
        recalls=tuple(sorted(live.get("handoff.recalled", []), key=_order)),
        unknown=tuple(c for c in changes if c.counts is Counts.UNKNOWN),
        uncounted=tuple(c for c in changes if c.counts not in (Counts.YES, Counts.UNKNOWN)),
        comments=tuple(sorted(live.get("comment.added", []), key=_order)),
        disputes=tuple(disputes),
    )


def _order(change: Change) -> tuple[int, str, int, int]:
    """Return an order for showing things: claimed time, then place. Never for deciding."""
    return (change.t, change.chain, change.seq, change.index)
