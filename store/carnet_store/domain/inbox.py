"""What waits on whom: from each handoff's status to the rows of one person's inbox.

Order: what needs the person (conflict, what people said apart of a thing, stale signature, question, review, answer, seal, sign, admit), what the person waits for, what happened lately.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from carnet_store.domain.decisions import QuestionView
from carnet_store.domain.gate import GateStatus, receiver_role, verifier_of
from carnet_store.domain.handoff import Handoff
from carnet_store.domain.people import Newcomer
from carnet_store.domain.template import Checklist

Section = Literal["needs", "waiting", "recent"]
RANK: Final = (
    "conflict", "apart", "stale", "returned", "question", "replied", "confirm", "review", "answer", "seal", "sign", "admit",
    "blocked", "waiting", "passed",
)  # fmt: skip
RECENT_DAYS: Final = 30
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Duty:
    """One row of an inbox. `t` is since when (ms), `done` of `total` items are in order, `detail` says why in words."""

    key: str
    section: Section
    kind: str
    subject: str
    what: str
    gate: str
    done: int
    total: int
    t: int
    entity: str
    item: str = ""
    detail: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, int]:
        """Where it stands among others."""
        section = ("needs", "waiting", "recent").index(self.section)
        return (section * 100 + RANK.index(self.kind), -self.t if self.section == "recent" else self.t)


@dataclass(frozen=True, slots=True)
class Seen:
    """A handoff with what its rows need."""

    handoff: Handoff
    checklist: Checklist
    status: GateStatus
    title: str
    last: int


@dataclass(frozen=True, slots=True)
class Apart:
    """What people said apart of one thing of the lineage: `fields` names it (`criteria` for its rows), `persons` who, `t` since when (ms)."""

    entity: str
    title: str
    fields: tuple[str, ...]
    persons: tuple[str, ...]
    t: int

    def command(self) -> str:
        """Return what settles it: saying it anew, by anybody who has both."""
        if self.entity.startswith("criteria:"):
            return f"carnet add criteria {shlex.quote(self.title)} --row 'ID: METRIC OP VALUE'"
        pairs = " ".join(f"{shlex.quote(name)}=TEXT" for name in self.fields[:3])
        return f"carnet describe {shlex.quote(self.title)} {pairs}"


def crossing(checklist: Checklist) -> str:
    """Return a gate's crossing in short: `research > engineering`."""
    return f"{checklist.gate.from_stage} > {checklist.gate.to_stage}"


def duties(
    person: str, roles: frozenset[str], is_admin: bool, seen: Sequence[Seen], questions: Sequence[QuestionView],
    newcomers: Sequence[Newcomer], titles: dict[str, str], names: dict[str, str], now: int, team: str = "",
    apart: Sequence[Apart] = (),
) -> list[Duty]:  # fmt: skip
    """Return one person's inbox rows, in order.

    `roles`, `is_admin` and `team` are that person's; `seen` the handoffs with their status; `questions` all of the
    project; `newcomers` those whose joining nobody confirmed; `titles` names what questions are about, `names` the
    persons; `now` is in ms; `apart` is what stands said apart of things, which any member may settle.
    """
    rows: list[Duty] = []
    for one in seen:
        rows += _of_handoff(person, roles, one, names, now)
    rows += _of_questions(person, roles, team, questions, titles, names)
    rows += [_of_apart(one, names) for one in apart]
    if is_admin:
        rows += [
            Duty(
                f"admit:{n.person}", "needs", "admit", n.name, f"wants to join as {', '.join(n.roles) or 'a member'}", "", 0, 0,
                n.t, f"person:{n.person[:32]}", detail=(f"{n.name} <{n.mail}> acts already; it counts once you confirm",),
            )
            for n in newcomers
        ]  # fmt: skip
    return sorted(rows, key=lambda d: (d.rank, d.key))


def _of_handoff(person: str, roles: frozenset[str], one: Seen, names: dict[str, str], now: int) -> list[Duty]:
    status, handoff = one.status, one.handoff
    gate = crossing(one.checklist)
    total, done = len(status.items), status.done

    def row(section: Section, kind: str, what: str, detail: Sequence[str], t: int, item: str = "") -> Duty:
        return Duty(
            f"{handoff.id}:{kind}",
            section,
            kind,
            one.title,
            what,
            gate,
            done,
            total,
            t,
            handoff.id,
            item,
            tuple(detail[:6]),
        )

    if status.verdict == "passed":
        if now - one.last <= RECENT_DAYS * _DAY:
            signers = ", ".join(dict.fromkeys(names.get(s.change.person, "?") for r in status.rows for s in r.signed))
            return [row("recent", "passed", f"passed: {gate}", (f"signed by {signers}",), one.last)]
        return []
    if status.verdict == "abandoned":
        return []
    found: list[Duty] = []
    if status.returned is not None:
        act = status.returned.value
        reasons = [f"{i}: {why}" for i, why in getattr(act, "items", {}).items()] or [getattr(act, "reason", "")]
        giver = one.checklist.signoffs[0].role if one.checklist.signoffs else ""
        who = names.get(status.returned.person, "the receiver")
        if giver in roles:
            found.append(row("needs", "returned", f"returned by {who}", reasons, status.returned.t))
            return found
        return [row("waiting", "waiting", f"returned; {_word(giver)} works on it", reasons, status.returned.t)]
    conflicts = [i for i in status.items if i.state == "conflict"]
    mine = [i for i in conflicts if i.item.answers in roles or any(c.person == person for c in i.answers)]
    if mine:
        newest = max(c.t for i in mine for c in i.answers)
        found.append(
            row("needs", "conflict", _count(len(mine), "answered apart"), [f"{i.item.id}  {i.reasons[0]}" for i in mine],
                newest, mine[0].item.id)
        )  # fmt: skip
    stale = [s for r in status.rows for s in r.stale if s.change.person == person]
    if stale:
        changed = list(dict.fromkeys(x for s in stale for x in (*s.changed_items, *s.changed_parts)))
        what = f"your sign-off went stale: {len(changed) or 1} changed"
        found.append(row("needs", "stale", what, list(stale[0].reasons), max(s.change.t for s in stale)))
    spoken = [
        i for i in status.items
        if i.state == "unconfirmed" and i.value is not None and i.value.get("spoken_by") == person
    ]  # fmt: skip
    if spoken:
        ids = [i.item.id for i in spoken]
        found.append(
            row(
                "needs",
                "confirm",
                f"{len(ids)} answer{'' if len(ids) == 1 else 's'} typed for you",
                ids,
                spoken[0].answers[0].t,
                ids[0],
            )
        )
    review = [
        i for i in status.items
        if i.state == "answered" and verifier_of(i.item, one.checklist) in roles
        and i.answer is not None and i.answer.person != person
    ]  # fmt: skip
    if review:
        since = min(i.answers[0].t for i in review)
        found.append(
            row("needs", "review", f"review: {_count(len(review), 'yours')}", [f"{i.item.id}  {i.item.title}" for i in review],
                since, review[0].item.id)
        )  # fmt: skip
    mine_open = [
        i for i in status.items
        if not i.settled and i.item.answers in roles and i.state not in ("answered", "conflict", "unconfirmed")
        and i.item.severity in ("blocker", "major") and not (i.item.machine and not verifier_of(i.item, one.checklist))
        and _asked(handoff, i.item.id, i.item.answers, person)
    ]  # fmt: skip
    if mine_open:
        found.append(
            row("needs", "answer", f"answer: {_count(len(mine_open), 'yours')}",
                [f"{i.item.id}  {i.item.title}" for i in mine_open], handoff.change.t, mine_open[0].item.id)
        )  # fmt: skip
    codes = {r.code for r in status.reasons}
    giver = one.checklist.signoffs[0].role if one.checklist.signoffs else ""
    if codes & {"unsealed", "changed"} and giver in roles:
        reason = next(r for r in status.reasons if r.code in ("unsealed", "changed"))
        found.append(row("needs", "seal", "seal the package", (reason.text,), one.last))
    signable = [
        r
        for r in status.rows
        if r.missing and person in r.could and not any(s.change.person == person for s in r.stale)
    ]
    if signable and not codes - {"unsigned", "stale", "refused"}:
        ready = [f"as {_word(r.row.role)}: {r.row.meaning.replace('-', ' ')}" for r in signable]
        signed = sum(len(r.signed) for r in status.rows)
        needed = sum(r.row.quorum for r in status.rows)
        found.append(
            row("needs", "sign", f"sign as {_word(signable[0].row.role)} ({signed} of {needed})", ready, one.last)
        )
    if found:
        return found
    first = status.reasons[0] if status.reasons else None
    text = (
        "nothing is missing"
        if first is None
        else _waits(first.persons, first.role, names, first.code, receiver_role(one.checklist))
    )
    return [
        row(
            "waiting",
            "blocked" if status.verdict == "blocked" else "waiting",
            text,
            [r.text for r in status.reasons],
            one.last,
        )
    ]


def _asked(handoff: Handoff, item: str, role: str, person: str) -> bool:
    """Whether an open item is this person's: unless somebody else was asked for it or for its role."""
    asked = handoff.assigned.get(item) or handoff.assigned.get(f"role:{role}")
    return asked is None or getattr(asked.value, "person", person) == person


def _of_questions(
    person: str, roles: frozenset[str], team: str, questions: Sequence[QuestionView], titles: dict[str, str],
    names: dict[str, str],
) -> list[Duty]:  # fmt: skip
    rows = []
    for view in questions:
        q = view.question
        if view.state == "closed":
            continue
        about = titles.get(q.about[0], "") if q.about else ""
        asker = names.get(view.person, "somebody")
        to_me = person == q.to_person or q.to_role in roles or (bool(team) and team == q.to_team)
        if to_me and view.person != person and not any(r.person == person for r in view.replies):
            word = "blocking question" if q.blocking else "question"
            rows.append(
                Duty(f"{view.id}:question", "needs", "question", about or "question", f"{word} from {asker}", "", 0, 0, view.t,
                     view.id, q.item, (q.text,))
            )  # fmt: skip
        elif view.person == person and view.state == "replied":
            rows.append(
                Duty(f"{view.id}:replied", "needs", "replied", about or "question", "your question has a reply", "", 0, 0,
                     view.replies[-1].t, view.id, q.item, (q.text, view.replies[-1].text))
            )  # fmt: skip
    return rows


def _of_apart(one: Apart, names: dict[str, str]) -> Duty:
    who = " and ".join(names.get(person, "somebody unknown") for person in one.persons[:3])
    what = f"{', '.join(one.fields[:3])} said apart"
    return Duty(
        f"{one.entity}:apart", "needs", "apart", one.title, f"{what}: {one.command()}", "", 0, 0, one.t, one.entity,
        detail=(f"said apart by {who}; who says it anew settles it", one.command()),
    )  # fmt: skip


def _waits(persons: Sequence[str], role: str, names: dict[str, str], code: str, receiver: str) -> str:
    who = ", ".join(names.get(p, p[:8]) for p in persons[:2]) or _word(role or receiver)
    verb = {"unsigned": "to sign", "stale": "to sign again", "answered": "to verify", "question": "to answer"}.get(
        code, "to act"
    )
    return f"{who} {verb}"


def _count(number: int, what: str) -> str:
    return f"{number} item{'' if number == 1 else 's'} {what}"


def _word(role: str) -> str:
    return role.replace("_", " ")
