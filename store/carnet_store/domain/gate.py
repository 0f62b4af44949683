"""The verdict of a gate: a pure function of the record, the roster and a clock, with its reasons.

Rules:
- An item is in order when one live answer by a holder of its answering role stands, is complete, holds by the machine where it judges, and
  another person in the verifying role agrees. Disagreement, conflict, unknown and "not applicable" are states of their own.
- A blocker, or a major whose risk nobody accepted, keeps the gate shut. A waiver expires and never hides what it waives.
- A sign-off counts on this handoff, round, package and template, by a holder of its role, while nothing that it covers or binds has changed.
- Quorum counts persons. A refusal by a person outweighs that person's approval until the person settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from carnet_store.core import canonical
from carnet_store.core.fold import Change, Counts
from carnet_store.domain.answer import AnswerValue, Lookups, Verdict, state_of
from carnet_store.domain.decisions import QuestionView
from carnet_store.domain.handoff import (
    Answered,
    Handoff,
    NaConfirmed,
    ReadbackConfirmed,
    SignoffPredicate,
    Statement,
    Verified,
    Waiver,
)
from carnet_store.domain.handoff import Overridden as OverrideAct
from carnet_store.domain.handoff import Returned as ReturnAct
from carnet_store.domain.judging import judge, problems
from carnet_store.domain.people import Members
from carnet_store.domain.recall import HandoffRecalled
from carnet_store.domain.template import Checklist, Item, SignoffRow

ItemState = Literal[
    "ok", "open", "unknown", "incomplete", "answered", "failed", "disagreed", "conflict", "waived", "na",
    "unconfirmed", "expired", "outsider",
]  # fmt: skip
Evidence = Literal["", "asserted", "recorded", "checked here", "re-executed"]
GateVerdict = Literal[
    "blocked", "conditional", "ready", "passed", "stale", "returned", "overridden", "abandoned", "too new"
]

DAY: Final = 86_400_000
SETTLED: Final = frozenset({"ok", "na", "waived"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a gate is as it is: a stable code, the sentence, the item or sign-off row, whose turn, and what to press."""

    code: str
    text: str
    item: str = ""
    role: str = ""
    persons: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class ItemStatus:
    """One item as it stands. `answers` holds every live answer: more than one is a conflict."""

    item: Item
    state: ItemState
    evidence: Evidence
    answers: tuple[Change, ...]
    value: AnswerValue | None
    verifications: tuple[Change, ...]
    verdict: Verdict | None
    waiver: Change | None
    reasons: tuple[str, ...]
    turn: str
    digest: str

    @property
    def settled(self) -> bool:
        """Whether the item keeps nothing shut."""
        return self.state in SETTLED

    @property
    def answer(self) -> Change | None:
        """The one live answer."""
        return self.answers[0] if len(self.answers) == 1 else None


@dataclass(frozen=True, slots=True)
class SignoffStatus:
    """A sign-off as it stands: fresh or stale, counted or not, and why."""

    change: Change
    predicate: SignoffPredicate
    fresh: bool
    counted: bool
    reasons: tuple[str, ...]
    changed_items: tuple[str, ...]
    changed_parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowStatus:
    """A sign-off row of the gate: who signed, how many are missing, and who could sign."""

    row: SignoffRow
    signed: tuple[SignoffStatus, ...]
    missing: int
    could: tuple[str, ...]
    stale: tuple[SignoffStatus, ...]


@dataclass(frozen=True, slots=True)
class GateStatus:
    """A gate's verdict with everything that a screen, a command or an auditor asks of it."""

    verdict: GateVerdict
    reasons: tuple[Reason, ...]
    items: tuple[ItemStatus, ...]
    rows: tuple[RowStatus, ...]
    signoffs: tuple[SignoffStatus, ...]
    package: str
    round: int
    sealed: bool
    changed_since_seal: tuple[str, ...]
    questions: tuple[QuestionView, ...]
    returned: Change | None
    override: Change | None
    waivers: tuple[tuple[str, Change], ...]
    accepted: tuple[str, ...]

    def item(self, item_id: str) -> ItemStatus | None:
        """Return the status of an item."""
        return next((one for one in self.items if one.item.id == item_id), None)

    def count(self, *states: str) -> int:
        """Return how many items are in one of these states."""
        return sum(one.state in states for one in self.items)

    @property
    def done(self) -> int:
        """How many items keep nothing shut."""
        return sum(one.settled for one in self.items)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a verdict depends on beside the handoff itself.

    Attributes:
        checklist: the resolved items and sign-off rows.
        members: the roster in force.
        lookups: entities, criteria, metrics, objects, builtin checks.
        now: ms since 1970; max(clock, newest counted time not far ahead).
        parts: digests of the package's parts as the record stands now (`package.parts`).
        package: digest of the sealed package, or empty.
        sealed_parts: `package.parts` of the sealed manifest.
        template: digest of the template list.
        questions: questions about this handoff, its model or items.
        passed: ids of gates that the model version passed before.
        waiting: for whom events wait that are not here, in words.
        repacked: pack, tier or facts of the handoff are others than when the package was sealed.
        recalled: recalls that stand of the model version, what it came from, or what crosses with it, in words.
        names: person id to name.
    """

    checklist: Checklist
    members: Members
    lookups: Lookups
    now: int
    parts: Mapping[str, str]
    package: str
    sealed_parts: Mapping[str, str]
    template: str
    questions: Sequence[QuestionView] = ()
    passed: frozenset[str] = frozenset()
    waiting: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    repacked: bool = False
    names: Mapping[str, str] | None = None

    def name(self, person: str) -> str:
        """Return a person's name for a sentence."""
        return (self.names or {}).get(person, person[:8])


def item_digest(handoff: Handoff, item_id: str) -> str:
    """Return what a sign-off's `seen` holds for an item: every live answer, verification, waiver and finding of it."""
    rows = sorted(
        [change.id, change.commitment]
        for group in (
            handoff.answers,
            handoff.verifications,
            handoff.waivers,
            handoff.findings,
            handoff.na_confirmed,
            handoff.readbacks,
        )
        for change in group.get(item_id, ())
    )
    return canonical.sha256_hex(canonical.encode(rows))


def receiver_role(checklist: Checklist) -> str:
    """Return the role that accepts responsibility: it verifies what no machine of this release verifies."""
    for row in checklist.signoffs:
        if "acceptance" in row.meaning:
            return row.role
    return checklist.signoffs[-1].role if checklist.signoffs else ""


def verifier_of(item: Item, checklist: Checklist) -> str:
    """Return the role whose agreement an item needs; empty where the product itself judges it now."""
    if item.verifies:
        return item.verifies
    return "" if item.machine else receiver_role(checklist)


def item_status(handoff: Handoff, item: Item, scene: Scene) -> ItemStatus:
    """Judge one item."""
    answers = handoff.answers.get(item.id, ())
    source = item
    if not answers and item.pairs_with and handoff.answers.get(item.pairs_with):
        answers = handoff.answers[item.pairs_with]
        paired = scene.checklist.item(item.pairs_with)
        source = paired or item
    value = answers[0].value.answer if len(answers) == 1 and isinstance(answers[0].value, Answered) else None
    verdict = None if len(answers) > 1 else judge(item, value, scene.lookups)
    state, reasons, turn, evidence = _state(handoff, item, source, answers, value, verdict, scene)
    waiver = _waiver(handoff, item, scene)
    if waiver is not None and state not in ("ok", "na"):
        state = "waived"
    return ItemStatus(
        item, state, evidence, answers, value, handoff.verifications.get(source.id, ()), verdict, waiver,
        tuple(reasons), turn, item_digest(handoff, item.id),
    )  # fmt: skip


def _state(
    handoff: Handoff, item: Item, source: Item, answers: Sequence[Change], value: AnswerValue | None,
    verdict: Verdict | None, scene: Scene,
) -> tuple[ItemState, list[str], str, Evidence]:  # fmt: skip
    verifier = verifier_of(item, scene.checklist)
    if len(answers) > 1:
        who = ", ".join(f"{scene.name(c.person)}: {_word(c)}" for c in answers[:20])
        return "conflict", [f"answered differently by {who}"], item.answers, ""
    if item.machine and not verifier:
        if verdict is None or verdict.state == "unclear":
            return "open", list(verdict.reasons) if verdict else ["the product cannot judge it yet"], item.answers, ""
        state: ItemState = "ok" if verdict.state == "holds" else "failed"
        return state, list(verdict.reasons), "" if state == "ok" else item.answers, "checked here"
    if not answers or value is None:
        return "open", [f"{_role(item.answers)} has not answered"], item.answers, ""
    answer = answers[0]
    if item.answers not in answer.roles:
        text = f"answered by {scene.name(answer.person)}, who was not {_role(item.answers)} then"
        return "outsider", [text], item.answers, "asserted"
    spoken = value.get("spoken_by")
    if spoken and spoken != answer.person and (str(spoken), answer.id) not in handoff.confirmations:
        return (
            "unconfirmed",
            [f"spoken by {scene.name(str(spoken))}, who has not confirmed it"],
            item.answers,
            "asserted",
        )
    found = problems(item, value, scene.lookups, scene.checklist.placeholder_words)
    if found:
        state = "unknown" if state_of(value) == "unknown" else "incomplete"
        return state, [p.text for p in found], item.answers, "asserted"
    if item.valid_days and answer.t + item.valid_days * DAY < scene.now:
        return "expired", [f"the answer is older than {item.valid_days} days"], item.answers, "asserted"
    recorded = item.type == "command" or bool(value.get("filled"))
    evidence: Evidence = (
        "checked here" if verdict and item.type != "command" else "recorded" if recorded else "asserted"
    )
    if verdict is not None and verdict.state != "holds" and state_of(value) != "na":
        return ("failed" if verdict.state == "fails" else "open"), list(verdict.reasons), item.answers, evidence
    if state_of(value) == "no":
        return "failed", ["answered *no*"], item.answers, "asserted"
    return _verification(handoff, item, source, answer, value, verifier, evidence, scene)


def _verification(
    handoff: Handoff, item: Item, source: Item, answer: Change, value: AnswerValue, verifier: str, evidence: Evidence,
    scene: Scene,
) -> tuple[ItemState, list[str], str, Evidence]:  # fmt: skip
    is_na = state_of(value) == "na"
    if is_na and item.na == "waiver":
        return "failed", ["*not applicable* needs a waiver here"], item.waiver_by, evidence
    given: list[tuple[Change, bool, str]] = []
    givers = {answer.person, str(value.get("spoken_by") or answer.person)}  # who typed it, and who said it
    for change in handoff.verifications.get(source.id, ()):
        v = change.value
        if (
            isinstance(v, Verified)
            and v.answer == answer.id
            and verifier in change.roles
            and change.person not in givers
        ):
            given.append((change, v.agree, v.reason))
    signed_group = handoff.na_confirmed if is_na else handoff.readbacks
    for change in signed_group.get(source.id, ()):
        s = change.value
        if verifier not in change.roles or change.person in givers:
            continue
        if isinstance(s, NaConfirmed) and s.answer == answer.id:
            given.append((change, True, ""))
        elif isinstance(s, ReadbackConfirmed) and s.answer == answer.id:
            given.append((change, s.agree, s.reason))
    against = [(c, reason) for c, agree, reason in given if not agree]
    if against:
        texts = [f"{scene.name(c.person)} disagrees: {reason or 'no reason given'}" for c, reason in against[:20]]
        return "disagreed", texts, item.answers, evidence
    needs_key = (is_na and item.blocks) or (item.type == "readback" and not is_na)
    agreeing = [c for c, _, _ in given if not needs_key or c.signers]
    if not agreeing:
        others = [p for p in scene.members.holders(verifier) if p not in givers]
        text = f"waits for {_role(verifier)}" + (f" ({', '.join(scene.name(p) for p in others)})" if others else "")
        if not others:
            text += ": nobody else holds that role"
        own = any(
            isinstance(c.value, Verified) and c.person in givers for c in handoff.verifications.get(source.id, ())
        )
        return (
            "answered",
            [text, *(["its author's own verification does not count"] if own else [])],
            verifier,
            evidence,
        )
    return ("na" if is_na else "ok"), [f"{scene.name(c.person)} agrees" for c in agreeing], "", evidence


def _waiver(handoff: Handoff, item: Item, scene: Scene) -> Change | None:
    for change in handoff.waivers.get(item.id, ()):
        waiver = change.value
        if (
            isinstance(waiver, Waiver)
            and waiver.expires > scene.now
            and waiver.handoff == handoff.id
            and (not item.waiver_by or item.waiver_by in change.roles)
            and item.waiver_days > 0
            and waiver.expires - change.t <= (item.waiver_days + 1) * DAY
        ):
            return change
    return None


def gate_status(handoff: Handoff, scene: Scene) -> GateStatus:
    """Return a handoff's verdict and every reason for it."""
    items = tuple(item_status(handoff, item, scene) for item in scene.checklist.items)
    signoffs = tuple(
        _signoff(handoff, change, change.value.predicate, scene)
        for change in handoff.signoffs
        if isinstance(change.value, Statement)
    )
    rows = tuple(_row(row, signoffs, scene) for row in scene.checklist.signoffs)
    changed = tuple(sorted(part for part, now in scene.parts.items() if scene.sealed_parts.get(part, now) != now))
    blocking = tuple(q for q in scene.questions if q.question.blocking and q.state != "closed")
    returned = _returned(handoff, scene)
    override = _override(handoff, scene)
    reasons = [
        *_record_reasons(handoff, scene, changed, blocking),
        *_item_reasons(items),
        *_reviewer_reasons(handoff, items, scene),
    ]
    refusals = [s for s in signoffs if s.fresh and s.predicate.decision == "refuse"]
    reasons += [
        Reason(
            "refused", f"{scene.name(s.change.person)} refused as {_role(s.predicate.role)}: {s.predicate.reason}",
            role=s.predicate.role, persons=(s.change.person,), key="s",
        )
        for s in refusals
    ]  # fmt: skip
    unsigned = _row_reasons(rows, scene)
    accepted = tuple(i.item.id for i in items if i.state == "waived")
    verdict = _verdict(handoff, reasons, unsigned, rows, accepted, returned, override)
    live = tuple((i.item.id, i.waiver) for i in items if i.waiver is not None)
    return GateStatus(
        verdict, tuple([*reasons, *unsigned]), items, rows, signoffs, scene.package, handoff.round,
        handoff.seal is not None, changed, tuple(scene.questions), returned, override, live, accepted,
    )  # fmt: skip


def _verdict(
    handoff: Handoff, reasons: Sequence[Reason], unsigned: Sequence[Reason], rows: Sequence[RowStatus],
    accepted: Sequence[str], returned: Change | None, override: Change | None,
) -> GateVerdict:  # fmt: skip
    if any(r.code == "too-new" for r in reasons):
        return "too new"
    if handoff.abandoned is not None:
        return "abandoned"
    if returned is not None:
        return "returned"
    if not reasons and not unsigned:
        return "passed"
    if any(r.code == "recalled" for r in reasons):
        return "blocked"  # an override was given before anybody knew
    if override is not None:
        return "overridden"
    if rows and any(row.stale for row in rows) and all(not row.missing or row.stale for row in rows):
        return "stale"
    if reasons:
        return "blocked"
    return "conditional" if accepted else "ready"


def _record_reasons(
    handoff: Handoff, scene: Scene, changed: Sequence[str], blocking: Sequence[QuestionView]
) -> list[Reason]:
    found: list[Reason] = []
    critical = [c for c in handoff.unknown if c.kind.endswith("!")]
    if critical:
        found.append(Reason("too-new", f"{critical[0].kind.rstrip('!')} was written by a newer Carnet"))
    found += [Reason("incomplete", f"waits for {text}") for text in scene.waiting[:20]]
    found += [Reason("dispute", text) for text in handoff.disputes]
    found += [Reason("recalled", text) for text in scene.recalled[:20]]
    if not scene.recalled and _recalled_in(handoff):
        found.append(
            Reason("recalled", "it was recalled in this round; the recall is lifted, so seal and sign again", key="s")
        )
    policy = scene.checklist.policy
    if policy.sealed_package:
        newest = [c for c in handoff.seals if handoff.manifest(c).get("round", 0) == handoff.round]
        if not newest:
            found.append(Reason("unsealed", "the package is not sealed", key="s"))
        elif handoff.seal is None:
            found.append(Reason("unsealed", "the package was sealed differently on two replicas; seal again", key="s"))
        elif changed and changed != ("package",):
            words = ", ".join(part for part in changed if part != "package")
            found.append(Reason("changed", f"changed since the package was sealed: {words}; seal again", key="s"))
        elif scene.repacked:
            found.append(
                Reason("changed", "pack, tier or facts changed since the package was sealed; seal again", key="s")
            )
    if policy.requires_gate and not scene.passed & set(policy.requires_gate):
        found.append(Reason("earlier-gate", f"needs a passed {' or '.join(policy.requires_gate)} before"))
    if len(blocking) > policy.open_blocking_questions:
        found += [
            Reason("question", f"blocking question: {q.question.text[:80]}", role=q.question.to_role, key="q")
            for q in blocking[:20]
        ]
    needed = {row.role for row in scene.checklist.signoffs}
    disputed = needed & scene.members.disputed
    if disputed:
        found.append(Reason("roster", f"the roster is disputed: who is {', '.join(sorted(map(_role, disputed)))}"))
    return found


def _recalled_in(handoff: Handoff) -> bool:
    """Say whether a recall touched the newest round: then nothing that was signed in it counts."""
    return any(isinstance(c.value, HandoffRecalled) and c.value.round >= handoff.round for c in handoff.recalls)


def _item_reasons(items: Sequence[ItemStatus]) -> list[Reason]:
    found = []
    for one in items:
        if one.settled or one.item.severity not in ("blocker", "major"):
            continue
        text = one.reasons[0] if one.reasons else one.state
        key = {"conflict": "x", "answered": "v"}.get(one.state, "a")
        found.append(Reason(one.state, f"{one.item.id}: {text}", item=one.item.id, role=one.turn, key=key))
    return found


def _reviewer_reasons(handoff: Handoff, items: Sequence[ItemStatus], scene: Scene) -> list[Reason]:
    least = scene.checklist.policy.min_reviewers
    reviewers = {c.person for group in (handoff.verifications, handoff.readbacks) for cs in group.values() for c in cs}
    if len(reviewers) >= least or any(i.turn for i in items if i.state == "answered"):
        return []
    return [Reason("reviewers", f"{len(reviewers)} of {least} persons verified something")]


def _row_reasons(rows: Sequence[RowStatus], scene: Scene) -> list[Reason]:
    found = []
    for row in rows:
        if not row.missing:
            continue
        role = _role(row.row.role)
        if row.stale:
            who = ", ".join(scene.name(s.change.person) for s in row.stale)
            what = ", ".join(dict.fromkeys([*row.stale[0].changed_items, *row.stale[0].changed_parts])) or "the package"
            found.append(
                Reason(
                    "stale", f"{who}'s sign-off as {role} is stale: {what} changed", role=row.row.role,
                    persons=tuple(s.change.person for s in row.stale), key="s",
                )
            )  # fmt: skip
        else:
            who = ", ".join(scene.name(p) for p in row.could) or "nobody holds the role"
            found.append(
                Reason("unsigned", f"{row.missing} sign-off of {role} is missing ({who})", role=row.row.role,
                       persons=row.could, key="s")
            )  # fmt: skip
    return found


def _signoff(handoff: Handoff, change: Change, predicate: SignoffPredicate, scene: Scene) -> SignoffStatus:
    reasons: list[str] = []
    items = tuple(i for i in predicate.covers if item_digest(handoff, i) != predicate.seen.get(i))
    parts = tuple(sorted(p for p, was in predicate.bound.items() if scene.parts.get(p, was) != was))
    if items:
        reasons.append(f"{', '.join(items[:20])} changed after it")
    if parts:
        reasons.append(f"{', '.join(parts)} of the package changed after it")
    counted = True
    if predicate.package != scene.package:
        reasons.append("it signs an earlier package")
        counted = False
    if predicate.round != handoff.round:
        reasons.append(f"it belongs to round {predicate.round}")
        counted = False
    if _recalled_in(handoff):
        reasons.append("the model or what it came from was recalled after it")
        counted = False
    if predicate.template != scene.template:
        reasons.append("it signs another version of the template")
        counted = False
    if predicate.role not in change.roles:
        reasons.append(f"its signer was not {_role(predicate.role)} then")
        counted = False
    if predicate.expires and predicate.expires <= scene.now:
        reasons.append("it has expired")
        counted = False
    if change.counts is not Counts.YES:
        reasons.append(change.counts.words)
        counted = False
    row = next(
        (r for r in scene.checklist.signoffs if (r.role, r.meaning) == (predicate.role, predicate.meaning)), None
    )
    if row is None:
        reasons.append("the gate has no such row")
        counted = False
    elif not set(row.covers) <= set(predicate.covers):
        reasons.append("it does not cover all that the row asks")
        counted = False
    fresh = counted and not items and not parts
    return SignoffStatus(change, predicate, fresh, counted, tuple(reasons), items, parts)


def _row(row: SignoffRow, signoffs: Sequence[SignoffStatus], scene: Scene) -> RowStatus:
    def of(role: str, meaning: str | None) -> list[SignoffStatus]:
        return [s for s in signoffs if s.predicate.role == role and (meaning is None or s.predicate.meaning == meaning)]

    mine = of(row.role, row.meaning)
    refusing = {s.change.person for s in mine if s.fresh and s.predicate.decision == "refuse"}
    elsewhere = {s.change.person for role in row.distinct_from for s in of(role, None) if s.fresh}
    good: dict[str, SignoffStatus] = {}
    for s in mine:
        if s.fresh and s.predicate.decision != "refuse" and s.change.person not in refusing | elsewhere:
            good.setdefault(s.change.person, s)
    missing = max(0, row.quorum - len(good))
    once = [s for s in mine if not s.fresh and s.predicate.decision != "refuse" and s.change.person not in good]
    stale = tuple({s.change.person: s for s in once if s.changed_items or s.changed_parts or not s.counted}.values())
    could = tuple(p for p in scene.members.holders(row.role) if p not in good and p not in elsewhere)
    return RowStatus(row, tuple(good.values()), missing, could, stale if missing else ())


def _returned(handoff: Handoff, scene: Scene) -> Change | None:
    roles = {role for pack in scene.checklist.packs for role in pack.roles}
    for change in reversed(handoff.returns):
        act = change.value
        if isinstance(act, ReturnAct) and act.round >= handoff.round and change.roles & roles:
            return change
    return None


def _override(handoff: Handoff, scene: Scene) -> Change | None:
    for change in handoff.overrides:
        act = change.value
        limit = scene.checklist.policy.override_days
        if (
            isinstance(act, OverrideAct)
            and act.package == scene.package
            and act.round == handoff.round
            and act.expires > scene.now
            and act.expires - change.t <= (limit + 1) * DAY
        ):
            return change
    return None


def _word(change: Change) -> str:
    value = change.value.answer if isinstance(change.value, Answered) else {}
    state = state_of(value)
    if state != "given":
        return {"na": "not applicable"}.get(state, state)
    for key in ("text", "choice", "rows", "links", "files", "metric", "literal", "result"):
        if key in value:
            return _short(value[key])
    return state


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= 40 else value[:39] + "…"
    if isinstance(value, Mapping):
        return " ".join(str(v) for v in value.values())[:40]
    return f"{len(value)} rows" if value and isinstance(value[0], Mapping) else ", ".join(map(str, value))[:40]


def _role(role: str) -> str:
    return role.replace("_", " ")
