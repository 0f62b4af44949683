"""What a person does: each method is one act, one event, durable when it returns; screens and commands call the same.

Answering, asking and linking are signed by the store's chain key alone. What decides is signed by the person's own key inside, which may ask
for a passphrase. Every act returns what was written and, for a handoff, what it unblocked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from carnet_store.core import canonical
from carnet_store.storage.acting import LoadedPack, Me, Named, Written
from carnet_store.storage.annotation_acts import AnnotationActs
from carnet_store.storage.fact_acts import FactActs
from carnet_store.storage.handoff_acts import HandoffActs
from carnet_store.storage.people_acts import PeopleActs
from carnet_store.storage.recall_acts import RecallActs
from carnet_store.storage.record_acts import RecordActs

__all__ = ["Acts", "LoadedPack", "Me", "Named", "Written"]


class Acts(PeopleActs, RecordActs, AnnotationActs, RecallActs, FactActs, HandoffActs):
    """The acts of one person on one project, and that person's private drafts."""

    def keep_draft(self, subject: str, value: Mapping[str, Any]) -> None:
        """Keep something typed and not written yet, for me alone (`subject`: e.g. handoff and item)."""
        self.project.ledger.db.execute(
            "INSERT OR REPLACE INTO draft VALUES(?, ?, ?, ?)",
            (self.me.person, subject, canonical.encode(dict(value)).decode(), self._clock()),
        )

    def drafts(self, prefix: str = "") -> dict[str, dict[str, Any]]:
        """Return my drafts by subject."""
        rows = self.project.ledger.db.execute(
            "SELECT subject, value FROM draft WHERE person = ? AND substr(subject, 1, ?) = ? ORDER BY subject",
            (self.me.person, len(prefix), prefix),
        )
        return {subject: msgspec.json.decode(value) for subject, value in rows}

    def drop_draft(self, subject: str) -> None:
        """Forget a draft."""
        self.project.ledger.db.execute("DELETE FROM draft WHERE person = ? AND subject = ?", (self.me.person, subject))

    def looked(self, subject: str) -> int:
        """Return when I last looked at something, ms, and remember that I look now."""
        db = self.project.ledger.db
        row = db.execute("SELECT at FROM looked WHERE person = ? AND subject = ?", (self.me.person, subject)).fetchone()
        db.execute("INSERT OR REPLACE INTO looked VALUES(?, ?, ?)", (self.me.person, subject, self._clock()))
        return int(row[0]) if row else 0
