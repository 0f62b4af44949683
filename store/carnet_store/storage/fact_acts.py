"""Acts that record what machines know: many things and edges of a source at once, in as few signed events as the format allows.

What is known already is left out, so that the same source read twice adds nothing, and read later adds only what is new. A thing that the
source changed since is said anew over what I said before; what another person said of it stays beside it. A reading that sees less (the files are
not beside the copy, the log was cut) takes nothing away: what it does not say stands as it was said. Only what a source goes on changing goes when
it is not said any more. Digests say what a thing is: they are added, and never replaced by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from carnet_store.core import canonical
from carnet_store.core import event as events
from carnet_store.core.event import Draft
from carnet_store.domain.lineage import Declared, Linked
from carnet_store.errors import Invalid, Refused
from carnet_store.storage.acting import Acting, Written

LINE_ROOM: Final = 700_000
"""Bytes of values and shapes that one event is filled to; a line may have 1 MiB."""
VALUE_ROOM: Final = 600_000
"""Bytes that one thing's value may have."""
BY_CONTENT: Final = frozenset({"content", "notebook", "papermill", "card", "junit", "file", "packages"})
"""Sources whose ids are digests of the bytes: what is read of the same bytes again is known, under whatever name they lie."""
TOLD_IN_PIECES: Final = frozenset({"openlineage"})
"""Sources that tell of one thing event by event: a reading of some of them may end before its end, which was told already."""
GOES: Final = frozenset({"aliases", "ended", "lifecycle", "stage", "stages", "stale", "status", "tags", "unreachable"})
"""Attributes that are gone when a source does not say them any more: a tag taken off, an alias moved, a run resumed."""
_OF_AN_END: Final = ("status", "state", "ended", "error", "stack")
_SHAPE: Final = 260
"""About what a change costs beside its value: entity, kind, field, commitment, salt."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing of a source: its entity id, the value of its `entity.declared` (`source` in it), edges (relation, entity id)."""

    entity: str
    value: Mapping[str, Any]
    edges: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class News:
    """What of a fact is not in the record yet.

    Attributes:
        state: `new`, `changed` or `known`.
        over: the own changes it replaces.
        edges: those that are new.
        value: what would be written: the fact's value, with what stands of earlier readings.
        apart: digests that were recorded otherwise: (algorithm, as recorded, as read now). The record keeps its own.
    """

    state: str
    over: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    value: Mapping[str, Any]
    apart: tuple[tuple[str, str, str], ...] = ()


class FactActs(Acting):
    """Recording facts of sources."""

    def news(self, fact: Fact) -> News:
        """Say what of a fact the record does not hold yet.

        Raises:
            Invalid: the value cannot stand in a ledger, or is larger than an event may be.
        """
        bytes_of(fact)
        if not self.project.row(fact.entity).last:
            return News("new", (), fact.edges, fact.value)
        declared, linked = [], set()
        for change in self.project.ledger.projection.changes(fact.entity, live_only=True):
            if isinstance(change.value, Declared):
                declared.append(change)
            elif isinstance(change.value, Linked):
                linked.add((change.value.relation, change.value.to))
        edges = tuple(edge for edge in fact.edges if edge not in linked)
        if declared and fact.value["source"][0] in BY_CONTENT:
            return News("known", (), edges, fact.value)
        mine = sorted((change for change in declared if change.person == self.me.person), key=lambda c: (c.t, c.id))
        value, apart = fact.value, []
        for change in mine:
            value, more = merged(msgspec.json.decode(change.raw or b"{}"), value)
            apart += more
        raw = canonical.encode(dict(value))
        if any(change.raw == raw for change in declared):
            return News("known", (), edges, value, tuple(apart))
        over = tuple(change.id for change in mine)
        return News("changed" if declared else "new", over, edges, value, tuple(apart))

    def record(
        self,
        facts: Iterable[Fact],
        sentence: Callable[[int], str],
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Written:
        """Write the news of these facts, all or none, and return what was written; `sentence` hears how many changes that is.

        Raises:
            Refused: I am no member of the project. Invalid, Busy: as every act; nothing was written.
        """
        chain = self.me.chain()
        count = 0

        def batches() -> Iterator[list[Draft]]:
            nonlocal count
            batch: list[Draft] = [] if self.project.ledger.head(chain.public.hex()) else [self._opening()]
            room = LINE_ROOM
            for fact in facts:
                for draft, size in self._drafts(fact):
                    if batch and (len(batch) >= events.MAX_CHANGES or size > room):
                        yield batch
                        batch, room = [], LINE_ROOM
                    batch.append(draft)
                    room -= size
                    count += 1
                    if progress is not None and count % 1000 == 0:
                        progress("changes", count, 0)
            if batch and count:
                yield batch

        self._may_write()
        written = self.project.ledger.append_many(chain, batches(), self._clock())
        if not written:
            return Written("nothing new: the record holds all of it already", (), "")
        if self._on_written is not None:
            self._on_written(self.project, written[0][1].entities)
        first = self.project.ledger.projection.change(written[-1][0].id)
        counts = "" if first is None or first.counts == 0 else first.counts.words
        return Written(sentence(count), tuple(event.id for event, _ in written), "", (), "", counts)

    def _may_write(self) -> None:
        known = self.me.person in self.project.members().people or self.me.person in self.project.people.newcomers
        if not known:
            raise Refused(
                f"{self.me.name} is not a member of {self.project.name}",
                "carnet people join, then send the bundle to an admin",
            )

    def _drafts(self, fact: Fact) -> Iterator[tuple[Draft, int]]:
        news = self.news(fact)
        if news.state != "known":
            draft = self._draft(fact.entity, "entity.declared", "", news.value, news.over[: events.MAX_OVER])
            yield draft, len(bytes_of(Fact(fact.entity, news.value))) + _SHAPE + 70 * len(news.over)
        for relation, to in news.edges:
            value = {"relation": relation, "to": to}
            yield self._draft(fact.entity, "edge.linked", f"{relation}:{to}", value), _SHAPE + 120


def merged(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Return a reading with what an earlier one of the same thing said and it does not, and the digests that they say apart.

    Args:
        before: the value of an `entity.declared` as it stands.
        now: the value that was read.
    """
    value = dict(now)
    old, new = (one.get("attrs", {}) for one in (before, now))
    attrs = {name: one for name, one in old.items() if name not in GOES} | new
    if now["source"][0] in TOLD_IN_PIECES and old.get("ended") and not new.get("ended"):
        attrs |= {name: old[name] for name in _OF_AN_END if name in old}
    params = {**before.get("params", {}), **now.get("params", {})}
    mine, theirs = before.get("digests", {}), now.get("digests", {})
    apart = [(name, text, theirs[name]) for name, text in mine.items() if theirs.get(name, text) != text]
    for name, held in (
        ("attrs", attrs), ("params", params), ("digests", {**theirs, **mine}),
        ("metrics", now.get("metrics") or before.get("metrics")), ("at", now.get("at") or before.get("at")),
    ):  # fmt: skip
        if held:
            value[name] = held
    return value, apart


def bytes_of(fact: Fact) -> bytes:
    """Return a fact's value as it would stand in an event.

    Raises:
        Invalid: it cannot stand in a ledger, or is larger than an event may be.
    """
    raw = canonical.encode(dict(fact.value))
    if len(raw) > VALUE_ROOM:
        raise Invalid(f"its attributes have {len(raw):,} bytes; at most {VALUE_ROOM:,} fit into one event")
    return raw


def sourced(
    kind: str, system: str, key: str, *, name: str, version: str = "", attrs: Mapping[str, Any] | None = None,
    digests: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (), at: int = 0, edges: Sequence[tuple[str, str]] = (),
) -> Fact:  # fmt: skip
    """Return a thing of a source as a fact; its entity id follows from kind, system and the source's own id."""
    value: dict[str, Any] = {"name": name, "source": [system, key]}
    for field, given in (
        ("version", version), ("attrs", dict(attrs or {})), ("digests", dict(digests or {})), ("params", dict(params or {})),
        ("metrics", [dict(one) for one in metrics]), ("at", at),
    ):  # fmt: skip
        if given:
            value[field] = given
    return Fact(events.source_entity(kind, system, key), value, tuple(dict.fromkeys(edges)))
