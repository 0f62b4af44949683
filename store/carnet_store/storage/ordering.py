"""Causes first: in which order events are folded. An event waits until all that it saw is folded; then its chain goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from carnet_store.core import event as events
from carnet_store.core.event import Event
from carnet_store.domain.people import Chain, Members
from carnet_store.storage.reading import SEQ_MASK, event_number
from carnet_store.storage.writing import Writing

_CHANGES_KEPT = 20_000


@dataclass(slots=True)
class Link:
    """A chain or branch while folding: how far it is held and done, its past at `done`, what it waits for."""

    chain: Chain
    seq: int
    done: int
    hash: str = ""
    past: dict[int, int] | None = None
    members: Members | None = None
    todo: Iterator[Event] | None = None
    next: Event | None = None


class Ordering(Writing):
    """Chains while they are folded, and the events that were just stored and need no second parsing."""

    def __init__(self, db: sqlite3.Connection, ledger: str) -> None:
        """Use an open connection to the ledger's file; `ledger` is its id."""
        super().__init__(db, ledger)
        self._fresh: dict[int, Event] = {}
        self._fresh_changes = 0

    def forget_cache(self) -> None:
        """Drop all that is remembered (after a rollback the tables may differ)."""
        super().forget_cache()
        self._forget_fresh()

    def _forget_fresh(self) -> None:
        self._fresh.clear()
        self._fresh_changes = 0

    def keep_parsed(self, number: int, event: Event) -> None:
        """Spare the next `advance` from parsing an event that was just stored under this number."""
        if self._fresh_changes < _CHANGES_KEPT:
            self._fresh[number] = event
            self._fresh_changes += len(event.shapes)

    def _links(self) -> tuple[dict[int, Link], dict[str, list[Link]]]:
        links: dict[int, Link] = {}
        by_key: dict[str, list[Link]] = {}
        for no, key, parent, start, seq, done in self.db.execute(
            "SELECT c.no, c.key, c.parent, c.start, c.seq, coalesce(d.seq, c.start - 1) FROM chain c LEFT JOIN done d ON d.chain = c.no"
            " ORDER BY c.key, c.branch"
        ):
            links[no] = Link(Chain(no, key, parent, start), seq, done)
            by_key.setdefault(key, []).append(links[no])
        return links, by_key

    def _next_event(self, link: Link) -> Event:
        if link.next is None:
            if link.todo is None:
                link.todo = self._events(link.chain.no, link.done + 1)
            link.next = next(link.todo)
        return link.next

    def _events(self, chain: int, start: int) -> Iterator[Event]:
        at, end = event_number(chain, start), event_number(chain, SEQ_MASK)
        while True:
            while (event := self._fresh.pop(at, None)) is not None:
                yield event
                at += 1
            rows = self.db.execute(
                "SELECT id, line FROM event WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 128", (at, end)
            ).fetchall()
            if not rows:
                return
            for number, line in rows:
                yield events.parse(line)
                at = number + 1

    def _blocked_by(
        self, link: Link, event: Event, links: dict[int, Link], by_key: dict[str, list[Link]]
    ) -> str:  # fmt: skip
        """Extend the chain's past by what the event sees; return the chain whose events must be folded before it, if any."""
        chain = link.chain
        if link.past is None:
            if chain.parent and link.done < chain.start:
                if links[chain.parent].done < chain.start - 1:
                    return chain.key
                link.past = self.past(chain.parent, chain.start - 1)
            else:
                link.past = self.past(chain.no, link.done) if link.done >= chain.start else {}
        found: dict[int, int] = {}
        for key, place in event.header.see.items():
            seq, digest = events.parse_place(place)
            for other in by_key.get(key, ()):
                if other.chain.start <= seq <= other.done and digest == (
                    other.hash if seq == other.done and other.hash else self.event_at(other.chain.no, seq)
                ):
                    found[other.chain.no] = seq
                    break
            else:
                return key
        seq = event.header.seq
        for no, upto in found.items():
            if upto > link.past.get(no, -1):
                link.past[no] = upto
                link.members = None
                self.db.execute("INSERT OR REPLACE INTO see VALUES(?, ?, ?, ?)", (chain.no, no, seq, upto))
        link.past[chain.no] = seq
        return ""
