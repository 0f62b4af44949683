"""Recall: a node marked bad. It taints whatever came of it, shuts their gates, and voids the sign-offs of the round in which it was called.

Anybody of the project may recall: a false alarm costs a signature, a missed one a model in production. Lifting is a person's signed act.
A recall also stands on each handoff that it touched (`handoff.recalled`), so that what was signed before does not come back by itself when
the recall is lifted: the package is sealed again, in a new round, and signed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from carnet_store.core.fold import Change
from carnet_store.core.kind import ACT, kind
from carnet_store.domain.lineage import NODES

RECALLED: Final = "recall.declared"


@kind("recall.declared", on=NODES, rule="closing", closed_by="recall.lifted", critical=True)
class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A node is bad, and why; all that came of it is tainted until the recall is lifted."""

    reason: str


@kind("recall.lifted", on=NODES, signed=ACT, rule="nobody", critical=True)
class RecallLifted(msgspec.Struct, frozen=True, kw_only=True):
    """A person says, by the own key, that the recalls of `entity` named in `over` no longer hold, and why."""

    ledger: str
    purpose: str
    entity: str
    reason: str
    t: int


@kind("handoff.recalled", on=("handoff",), rule="nobody", critical=True)
class HandoffRecalled(msgspec.Struct, frozen=True, kw_only=True):
    """A recall of `entity` touched this handoff in its round `round`: what was signed in it counts no more."""

    entity: str
    round: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecallView:
    """A recall that stands: which node, by whom, when (ms), why, and the change that made it."""

    entity: str
    person: str
    t: int
    reason: str
    change: str


def live_recalls(changes: Iterable[Change]) -> list[RecallView]:
    """Return the recalls that stand among these changes, oldest first."""
    found = [
        RecallView(c.entity, c.person, c.t, c.value.reason, c.id)
        for c in changes
        if c.live and isinstance(c.value, Recalled)
    ]
    return sorted(found, key=lambda one: (one.t, one.change))
