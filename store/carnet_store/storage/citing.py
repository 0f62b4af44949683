"""What leans on what: where a thing of the record is cited, seen from that thing. The other direction stands in the citing text itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carnet_store.domain.answer import linked_entities
from carnet_store.domain.decisions import DecisionView, QuestionView

if TYPE_CHECKING:
    from carnet_store.storage.project import Project


@dataclass(frozen=True, slots=True)
class Citations:
    """Where a subject is cited.

    Attributes:
        decisions: decisions about it, and decisions that replace it, newest first.
        questions: questions about it.
        items: (handoff id, item id) of each standing answer that links it, handoffs in their order, items in the checklist's.
    """

    decisions: tuple[DecisionView, ...]
    questions: tuple[QuestionView, ...]
    items: tuple[tuple[str, str], ...]


def citations(project: Project, entity: str) -> Citations:
    """Return where a node, a decision or a question is cited."""
    decisions = tuple(d for d in project.decisions() if entity in (*d.decision.about, d.decision.replaces))
    questions = tuple(q for q in project.questions() if entity in q.question.about)
    return Citations(decisions, questions, tuple(_items(project, entity)))


def _items(project: Project, entity: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for handoff in project.handoffs():
        for item, answers in handoff.answers.items():
            values = [getattr(change.value, "answer", None) for change in answers]
            if any(isinstance(value, Mapping) and entity in linked_entities(value) for value in values):
                found.append((handoff.id, item))
    return found
