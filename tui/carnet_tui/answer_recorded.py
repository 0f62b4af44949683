"""Asking for the answer to an item that the recorded graph answers: its word is the first way, and what every editor begins with.

Taken as it stood the answer says so (`filled`, the name of the query); changed it is the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from carnet_tui.answer_dialogs import Answering, Value
from carnet_tui.text import clean
from carnet_tui.views import item_view, proposal_view
from carnet_tui.widgets.dialogs import Picker

if TYPE_CHECKING:
    from carnet_store import ItemStatus, Look
    from carnet_store.domain.filling import Proposal
    from carnet_tui.desk_screen import DeskScreen

RECORD = "record"
"""The way that takes what the record says as it stands."""
SHOWN = 6
"""Lines of what the record says above the ways."""
GIVEN = ("state", "text", "rows", "metric", "literal", "files", "choice")
"""Keys of what an answer gives; evidence stands beside it."""


class AnsweringAsRecorded(Answering):
    """Asks for the answer to one item, what the record says first: Enter takes it, and the preview follows."""

    def __init__(self, screen: DeskScreen, look: Look, one: ItemStatus, proposal: Proposal) -> None:
        super().__init__(screen, look, one)
        self.proposal = proposal
        kept = self.drafts.get(self.key, {}).get("value")
        self.begun = f"{self.key}/text" in self.drafts or (isinstance(kept, Mapping) and not kept.get("filled"))
        """Whether the person began an own answer: then Enter does not pass over it."""
        self.first = -1 if self.begun else 0

    @property
    def before(self) -> Mapping[str, Any]:
        """What to start from: the draft, else what the record says."""
        kept = self.drafts.get(self.key, {}).get("value")
        return kept if isinstance(kept, Mapping) else self.proposal.value

    def about(self) -> list[str]:
        """Return help, and what the record says."""
        lines = item_view.value_lines(self.item, self.proposal.value, self.screen_names(), self.screen.size.width - 4)
        more = [f"  and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
        help_ = [clean(self.item.help), ""] if self.item.help else []
        return [*help_, f"The record says: {clean(self.proposal.words)}", *(f"  {one}" for one in lines[:SHOWN]), *more]

    def ways(self) -> list[tuple[str, str, str]]:
        """Return the ways to answer; the record's word stands first."""
        said, own = (
            ("", "as the record says", RECORD),
            ("y", "go on with your draft" if self.begun else "change it first", "give"),
        )
        return [*((own, said) if self.begun else (said, own)), *super().ways()[1:]]

    def keep_text(self, text: str) -> None:
        """Keep a text as a draft, unless it is the record's own."""
        if text.strip() != str(self.proposal.value.get("text", "")).strip():
            super().keep_text(text)

    async def give(self, way: str = "give") -> Value | None:
        """Return what the record says as it stands, or ask for the answer."""
        return dict(self.proposal.value) if way == RECORD else await super().give(way)

    def as_taken(self, value: Value) -> Value:
        """Return an answer that still gives what the record says as it was proposed; another without saying where it is from."""
        for known in (self.proposal.value, self.before):
            if known.get("filled") and self._same(value, known):
                return dict(known)
        links = {} if self.item.type == "link" else {"links": list(self.proposal.proof)}
        return {**links, **value}

    def _same(self, value: Value, known: Mapping[str, Any]) -> bool:
        """Whether two answers give the same, whatever evidence stands beside it."""
        keys = (*GIVEN, "links") if self.item.type == "link" else GIVEN
        own = {key: known[key] for key in keys if key in known}
        if "text" in own:
            own["text"] = str(own["text"]).strip()
        if "rows" in own:  # through the form and back, as the person's own rows went
            own = self.read(self.raw([self.cells(row) for row in own["rows"]]))
        return proposal_view.same({key: value.get(key) for key in own}, own)

    def numbers_at_hand(self) -> list[tuple[str, str, str]]:
        """Return the metric that the record proposes."""
        metric = self.proposal.value.get("metric")
        if not isinstance(metric, Mapping):
            return []
        key = f"{metric['entity']}\x1f{metric['name']}"
        return [(key, item_view.metric_words(metric, self.screen_names()), "the record says")]

    async def _file(self) -> Value | None:
        """Offer the file that the record names before another is asked for."""
        shown = item_view.value_lines(self.item, {**self.proposal.value, "links": []}, self.screen_names())
        ways = [(RECORD, shown[0], "the record says"), ("", "another file", "type its path")]
        picked = await self.screen.ask(Picker(self.title, ways, glyphs=self.glyphs))
        if picked is None:
            return None
        return dict(self.proposal.value) if picked[0] == RECORD else await super()._file()
