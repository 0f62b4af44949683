"""Decisions (who, why, under what constraints, what else was thought of) and questions between teams.

Questions are quiet by default; one marked blocking keeps gates about its subject shut until its asker closes it. Neither is ever part of a
package, so asking never makes a signature stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from carnet_store.core.fold import Change
from carnet_store.core.kind import kind

EMPTY_WORDS: Final = frozenset({"ok", "n/a", "na", "tbd", "todo", "none", "-", ".", "x", "xx", "xxx", "because", "?"})


class DecisionOption(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that could have been chosen, and why it was or was not."""

    title: str
    why: str = ""


@kind("decision.recorded", on=("decision",), birth=True)
class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision. `deciders` are person ids, `about` entity ids, `outcome` e.g. `accepted` or `rejected`."""

    question: str
    choice: str
    reason: str
    options: tuple[DecisionOption, ...] = ()
    constraints: tuple[str, ...] = ()
    deciders: tuple[str, ...] = ()
    consulted: tuple[str, ...] = ()
    context: str = ""
    consequences: str = ""
    about: tuple[str, ...] = ()
    outcome: str = "accepted"
    revisit: str = ""
    replaces: str = ""


@kind("decision.confirmed", on=("decision",))
class DecisionConfirmed(msgspec.Struct, frozen=True, kw_only=True):
    """A decider whose decision another typed says that it is so (`decision` is the change confirmed)."""

    decision: str


@kind("question.asked", on=("question",), birth=True)
class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question to a role, a team or a person, on any entity and item."""

    text: str
    about: tuple[str, ...] = ()
    item: str = ""
    to_role: str = ""
    to_team: str = ""
    to_person: str = ""
    blocking: bool = False
    due: str = ""


@kind("question.replied", on=("question",))
class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a question."""

    text: str


@kind("question.closed", on=("question",))
class QuestionClosed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The asker takes the replies as an answer, or withdraws the question."""

    accepted: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision as it stands. `confirmed_by` are the deciders who typed or confirmed it themselves."""

    id: str
    decision: Decision
    person: str
    t: int
    change: str
    confirmed_by: tuple[str, ...]

    @property
    def unsigned_by(self) -> tuple[str, ...]:
        """Deciders in whose name another typed it and who have not confirmed."""
        return tuple(p for p in self.decision.deciders if p not in self.confirmed_by)


@dataclass(frozen=True, slots=True)
class ReplyView:
    """A reply, who gave it and when."""

    text: str
    person: str
    t: int
    change: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question as it stands: open, replied or closed."""

    id: str
    question: Question
    person: str
    t: int
    change: str
    replies: tuple[ReplyView, ...]
    closed: QuestionClosed | None

    @property
    def state(self) -> str:
        """`open`, `replied` or `closed`."""
        return "closed" if self.closed else "replied" if self.replies else "open"


def is_empty_reason(text: str, least: int = 10) -> bool:
    """Say whether a reason is missing, too short, or a placeholder word (R074)."""
    plain = text.strip().strip(".!").lower()
    return plain in EMPTY_WORDS or len(plain) < least


def read_decision(entity: str, changes: Sequence[Change]) -> DecisionView | None:
    """Fold a decision's changes; None where no birth counts."""
    births = [(c, c.value) for c in changes if c.live and isinstance(c.value, Decision)]
    if not births:
        return None
    born, decision = min(births, key=lambda pair: pair[0].id)
    confirmed = {born.person} | {
        c.person for c in changes if c.live and isinstance(c.value, DecisionConfirmed) and c.value.decision == born.id
    }
    by = tuple(p for p in decision.deciders if p in confirmed)
    return DecisionView(entity, decision, born.person, born.t, born.id, by)


def read_question(entity: str, changes: Sequence[Change]) -> QuestionView | None:
    """Fold a question's changes; None where no birth counts. Only the asker's closing closes it."""
    births = [(c, c.value) for c in changes if c.live and isinstance(c.value, Question)]
    if not births:
        return None
    born, question = min(births, key=lambda pair: pair[0].id)
    replies = [ReplyView(c.value.text, c.person, c.t, c.id) for c in changes if c.live and isinstance(c.value, Reply)]
    closed = [c.value for c in changes if c.live and isinstance(c.value, QuestionClosed) and c.person == born.person]
    ordered = tuple(sorted(replies, key=lambda r: (r.t, r.change)))
    return QuestionView(entity, question, born.person, born.t, born.id, ordered, closed[0] if closed else None)
