"""One ledger's events: appended by this store's own chain, or taken in from elsewhere; verified, read out.

Rules (docs/format.md sections 4, 9):
- A write reads its chain's head inside the transaction that extends it and is acknowledged after COMMIT.
- What is taken in is checked wholly (form, links, every signature) before COMMIT; on any failure nothing is written.
- Two different events at one place are both kept: the second begins a branch.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.event import Draft, Event
from carnet_store.core.fold import Counts
from carnet_store.core.keys import Signer
from carnet_store.errors import Invalid, Untrusted
from carnet_store.storage.projection import Projection, Touched, event_number
from carnet_store.storage.reading import INDEX_MASK
from carnet_store.storage.schema import INDEX_BITS, RULES, SEQ_BITS, Rollback, connect, transaction
from carnet_store.storage.verifying import Fault, find_faults

__all__ = ["DAY", "Fault", "Head", "Ledger", "Taken", "missing_from"]

DAY: Final = 86_400_000
_SIGNATURES_AT_ONCE: Final = 2048
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


@dataclass(frozen=True, slots=True)
class Head:
    """A chain's or branch's last event: `branch` is empty for the first branch held."""

    no: int
    key: str
    branch: str
    start: int
    seq: int
    hash: str
    t: int

    @property
    def name(self) -> str:
        """The chain id, with `~` and the branch's mark where it is a branch."""
        return f"{self.key}~{self.branch}" if self.branch else self.key

    @property
    def place(self) -> str:
        """`seq:event id`."""
        return f"{self.seq}:{self.hash}"


@dataclass(slots=True)
class Taken:
    """What taking in did: new events by chain, known ones, new branches, values filled in, and what was touched."""

    new: int = 0
    known: int = 0
    filled: int = 0
    forks: list[tuple[str, int]] = field(default_factory=list)
    touched: Touched = field(default_factory=Touched)
    first_new: int = 0


class Ledger:
    """A ledger's file, open. Not for several threads at once; open one per thread."""

    def __init__(self, path: Path, *, create: bool = False, ledger: str = "") -> None:
        """Open `path`; with `create`, make an empty ledger with the id `ledger` (64 hex). Raises as `connect`."""
        self.path = path
        self.db = connect(path, create=create, ledger=ledger)
        row = self.db.execute("SELECT v FROM meta WHERE k = 'ledger'").fetchone()
        if row is None:
            self.db.close()
            raise Invalid(f"{path} has no ledger id", "restore it from a backup or a bundle")
        self.id = str(row[0])
        self.projection = Projection(self.db, self.id)
        self.voucher: bytes | None = None

    def close(self) -> None:
        """Close the file; what was acknowledged stays."""
        self.db.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, sqlite3.Error):  # never opened, or of another thread
            self.db.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def heads(self) -> list[Head]:
        """Return the heads of all chains and branches, sorted by chain id; what a branch stands on comes before it."""
        rows = self.db.execute(
            "SELECT no, key, branch, start, seq, hash, t FROM chain WHERE seq >= start ORDER BY key, start, branch"
        )
        return [Head(*row) for row in rows]

    def head(self, key: str) -> Head | None:
        """Return the head of a chain's first branch."""
        row = self.db.execute(
            "SELECT no, key, branch, start, seq, hash, t FROM chain WHERE key = ? AND branch = ''", (key,)
        ).fetchone()
        return Head(*row) if row else None

    def places(self) -> dict[str, str]:
        """Return `{chain or branch name: "seq:event id"}` of everything held."""
        return {head.name: head.place for head in self.heads()}

    def waiting(self) -> list[tuple[str, int]]:
        """Return (chain, first seq) of events that wait for others which are not held."""
        rows = self.db.execute(
            "SELECT c.key, coalesce(d.seq, c.start - 1) + 1 FROM chain c LEFT JOIN done d ON d.chain = c.no"
            " WHERE c.seq > coalesce(d.seq, c.start - 1) ORDER BY c.key"
        )
        return [(key, seq) for key, seq in rows]

    def lines(self, no: int, start: int, end: int) -> Iterator[bytes]:
        """Yield the lines of a chain or branch from seq `start` to `end`, in order."""
        at, last = event_number(no, start), event_number(no, end)
        while rows := self.db.execute(
            "SELECT id, line FROM event WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1000", (at, last)
        ).fetchall():
            yield from (line for _, line in rows)
            at = rows[-1][0] + 1

    def event(self, event_id: str) -> tuple[Event, str] | None:
        """Return an event by id, with its chain."""
        row = self.db.execute(
            f"SELECT v.line, c.key FROM event v JOIN chain c ON c.no = v.id >> {SEQ_BITS} WHERE v.hash = ?",  # noqa: S608
            (bytes.fromhex(event_id),),
        ).fetchone()
        return (events.parse(row[0]), row[1]) if row else None

    def count(self) -> int:
        """Return the number of events held."""
        return int(self.db.execute("SELECT count(*) FROM event").fetchone()[0])

    def newest_time(self, clock: int) -> int:
        """Return max(clock, newest counted time not more than 24 h ahead), in ms: the `now` of verdicts."""
        people = self.projection.people
        members = people.members().people
        newest = clock
        for head in self.heads():
            if people.author(head.no) not in members:
                continue  # what a stranger claims moves no time
            rows = self.db.execute(
                "SELECT v.t FROM event v WHERE v.id BETWEEN :first AND :last AND v.t BETWEEN :after AND :until AND EXISTS"
                " (SELECT 1 FROM change c WHERE c.id BETWEEN v.id << :bits AND (v.id << :bits | :mask) AND c.counts = 0)"
                " ORDER BY v.id DESC LIMIT 1",
                {
                    "first": event_number(head.no, head.start), "last": event_number(head.no, head.seq), "after": newest + 1,
                    "until": clock + DAY, "bits": INDEX_BITS, "mask": INDEX_MASK,
                },
            ) if head.t > newest else ()  # fmt: skip
            newest = max((newest, *(t for (t,) in rows)))
        return newest

    # -- vouching ------------------------------------------------------------------------------------------------------

    def vouched(self, key: bytes) -> bool:
        """Say whether the tables are those that a holder of `key` made or verified: heads and sum as they were left."""
        row = self.db.execute("SELECT v FROM meta WHERE k = 'mac'").fetchone()
        if row is None:
            return self.count() == 0
        return hmac.compare_digest(str(row[0]), self._mac(key))

    def vouch(self, key: bytes) -> None:
        """Leave word, under `key`, that the tables are right; only after they were made or verified."""
        with transaction(self.db, self.path):
            self.db.execute("INSERT OR REPLACE INTO meta VALUES('mac', ?)", (self._mac(key),))

    def tables_hold(self) -> bool:
        """Say whether every row of the tables is as it was written; reads them all."""
        return self.projection.kept_sum() == self.projection.table_sum() and self.projection.lists_hold()

    def _mac(self, key: bytes) -> str:
        state = [RULES, self.id, sorted(self.places().items()), f"{self.projection.kept_sum():x}"]
        return hmac.new(key, canonical.encode(state), hashlib.sha256).hexdigest()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; where the tables were vouched for before it, they are again after it."""
        with transaction(self.db, self.path):
            held = self.voucher is not None and self.vouched(self.voucher)
            yield
            if held and self.voucher is not None:
                self.db.execute("INSERT OR REPLACE INTO meta VALUES('mac', ?)", (self._mac(self.voucher),))

    # -- writing -------------------------------------------------------------------------------------------------------

    def append(self, signer: Signer, drafts: Sequence[Draft], clock: int) -> tuple[Event, Touched]:
        """Write one event at the head of the signer's chain; durable when this returns.

        Args:
            signer: the chain's key; its public key is the chain id.
            drafts: 1 to 1,000 changes.
            clock: ms since 1970; the event's time is never before what its author saw.

        Raises:
            Busy, Invalid: as `transaction`; nothing was written.
        """
        return self.append_many(signer, [drafts], clock)[0]

    def append_many(
        self, signer: Signer, batches: Iterable[Sequence[Draft]], clock: int
    ) -> list[tuple[Event, Touched]]:
        """Write several events in one transaction: all or none. `touched` is the whole's, on each."""
        key = signer.public.hex()
        written: list[Event] = []
        try:
            with self._writing():
                head = self._own_head(key)
                see, seen_t = self._moved(head, clock)
                t = max(clock, head.t, seen_t)
                seq, prev = head.seq, head.hash
                for drafts in batches:
                    seq += 1
                    event = events.build(seq=seq, prev=prev, t=t, see=see, drafts=drafts, sign=signer.sign)
                    self._insert(head.no, event)
                    written.append(event)
                    prev, see = event.id, {}
                self.db.execute("UPDATE chain SET seq = ?, hash = ?, t = ? WHERE no = ?", (seq, prev, t, head.no))
                touched = self.projection.advance()
        except BaseException:
            self.projection.forget_cache()
            raise
        return [(event, touched) for event in written]

    def _own_head(self, key: str) -> Head:
        found = self.head(key)
        if found is None:
            cursor = self.db.execute("INSERT INTO chain(key, hash) VALUES(?, ?)", (key, self.id))
            found = Head(int(cursor.lastrowid or 0), key, "", 0, -1, self.id, 0)
        return found

    def _moved(self, own: Head, clock: int) -> tuple[dict[str, str], int]:
        """Return what the next event of a chain sees, and the newest time of it (24 h ahead of the clock at most)."""
        past = self.projection.past(own.no, own.seq) if own.seq >= 0 else {}
        rows = self.db.execute(
            "SELECT c.no, c.key, d.seq, v.hash, v.t FROM chain c JOIN done d ON d.chain = c.no"
            " JOIN event v ON v.id = (c.no << ?) + d.seq WHERE c.key <> ? AND d.seq >= c.start ORDER BY c.key, c.branch",
            (SEQ_BITS, own.key),
        ).fetchall()
        see: dict[str, str] = {}
        newest = 0
        for no, key, seq, digest, t in rows:
            if seq > past.get(no, -1) and key not in see and len(see) < events.MAX_SEE:
                see[key] = f"{seq}:{digest.hex()}"
                newest = max(newest, t if t <= clock + DAY else 0)
        return see, newest

    def _insert(self, no: int, event: Event) -> None:
        number = event_number(no, event.header.seq)
        self.db.execute(
            "INSERT INTO event VALUES(?, ?, ?, ?)", (number, bytes.fromhex(event.id), event.header.t, event.line)
        )
        self.projection.keep_parsed(number, event)

    # -- taking in -----------------------------------------------------------------------------------------------------

    def take_in(
        self,
        segments: Iterable[tuple[str, Iterable[bytes]]],
        *,
        commit: bool,
        look: Callable[[Taken], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Taken:
        """Take in segments of chains: check everything, fold, and commit or leave no trace.

        Args:
            segments: (chain id, its lines in order) for each; branches come under the same chain id, each after what it stands on.
            commit: keep the result; otherwise `look` sees it inside the transaction, which is then rolled back.
            look: called with the outcome before the transaction ends.
            progress: hears the number of lines read.

        Raises:
            Invalid, Untrusted, TooNew: what is wrong, with chain and place; nothing was written.
        """
        taken = Taken()
        try:
            with self._writing():
                taken.first_new = int(self.db.execute("SELECT coalesce(max(rowid), 0) FROM chain").fetchone()[0])
                batch: list[tuple[keys.Signed, str, int]] = []
                lines = 0
                for key, segment in segments:
                    if len(key) != 64 or key.strip("0123456789abcdef"):
                        raise Invalid(f"not a chain id: {key!r:.80}")
                    same: Iterator[bytes] = iter(
                        ()
                    )  # what is held from here on: a line that equals it was checked before
                    for line in segment:
                        lines += 1
                        if next(same, None) == line:
                            taken.known += 1
                            continue
                        held = self._take_line(key, line, batch, taken)
                        if held is not None:
                            same = self.lines(held >> SEQ_BITS, (held & _SEQ_MASK) + 1, _SEQ_MASK)
                        else:
                            same = iter(())
                        if len(batch) >= _SIGNATURES_AT_ONCE:
                            self._check_signatures(batch)
                        if progress is not None and lines % 1000 == 0:
                            progress(lines)
                self._check_signatures(batch)
                if taken.filled:
                    taken.touched = self.projection.refold(progress=progress)
                else:
                    taken.touched = self.projection.advance(progress)
                if look is not None:
                    look(taken)
                if not commit:
                    raise Rollback
        except Rollback:
            self.projection.forget_cache()
        except BaseException:
            self.projection.forget_cache()
            raise
        return taken

    def _take_line(self, key: str, line: bytes, batch: list[tuple[keys.Signed, str, int]], taken: Taken) -> int | None:
        """Take in one line; return the local number of the event where it was held already."""
        try:
            event = events.parse(line)
        except Invalid as error:
            raise Invalid(f"chain {key[:16]}…: {error.message}", error.hint) from None
        batch.append(((bytes.fromhex(key), event.signature_bytes, event.signed_bytes), key, event.header.seq))
        held = self.db.execute(
            f"SELECT v.id, v.line FROM event v JOIN chain c ON c.no = v.id >> {SEQ_BITS} WHERE v.hash = ? AND c.key = ?",  # noqa: S608
            (bytes.fromhex(event.id), key),
        ).fetchone()
        if held is not None:
            taken.known += 1
            self._fill(held[0], held[1], event, taken)
            return int(held[0])
        seq = event.header.seq
        chain = self._branch_for(key, event, taken)
        self._insert(chain, event)
        self.db.execute(
            "UPDATE chain SET seq = ?, hash = ?, t = ? WHERE no = ?", (seq, event.id, event.header.t, chain)
        )
        taken.new += 1
        return None

    def _branch_for(self, key: str, event: Event, taken: Taken) -> int:
        """Return the chain or branch that this event extends, opening one where it must."""
        seq = event.header.seq
        rows = self.db.execute("SELECT no, start, seq, hash, t FROM chain WHERE key = ?", (key,)).fetchall()
        if not rows:
            if seq != 0:
                raise Invalid(
                    f"chain {key[:16]}… begins at {seq}; this store has nothing of it",
                    f"ask for a bundle that has {key[:16]}… from 0",
                )
            if event.header.prev != self.id:
                raise Untrusted(f"chain {key[:16]}… belongs to another ledger ({event.header.prev[:16]}…)")
            return int(self.db.execute("INSERT INTO chain(key, hash) VALUES(?, ?)", (key, self.id)).lastrowid or 0)
        for no, _start, last, digest, t in rows:
            if last == seq - 1 and digest == event.header.prev:
                if event.header.t < t:
                    raise Untrusted(f"chain {key[:16]}… at {seq}: its time falls")
                return int(no)
        parent = self._parent_of(key, event)
        if parent is None:
            newest = max(row[2] for row in rows)
            if seq > newest + 1:
                raise Invalid(
                    f"chain {key[:16]}… has a gap: the bundle starts at {seq}, this store has it to {newest}",
                    f"ask for a bundle that has {key[:16]}… from {newest + 1}",
                )
            raise Untrusted(f"chain {key[:16]}… at {seq}: it does not follow what came before it")
        cursor = self.db.execute(
            "INSERT INTO chain(key, branch, parent, start, seq, hash) VALUES(?, ?, ?, ?, ?, ?)",
            (key, event.id[:16], parent, seq, seq - 1, event.header.prev),
        )
        self.db.execute("INSERT OR REPLACE INTO meta VALUES('branches', '1')")
        self.db.execute("INSERT OR REPLACE INTO meta VALUES('forked', '1')")
        taken.forks.append((key, seq))
        return int(cursor.lastrowid or 0)

    def _parent_of(self, key: str, event: Event) -> int | None:
        if event.header.seq == 0:
            if event.header.prev != self.id:
                raise Untrusted(f"chain {key[:16]}… belongs to another ledger ({event.header.prev[:16]}…)")
            row = self.db.execute("SELECT no FROM chain WHERE key = ? AND branch = ''", (key,)).fetchone()
            return int(row[0]) if row else None
        row = self.db.execute(
            f"SELECT c.no FROM event v JOIN chain c ON c.no = v.id >> {SEQ_BITS} WHERE v.hash = ? AND c.key = ?"  # noqa: S608
            f" AND (v.id & {_SEQ_MASK}) = ?",
            (bytes.fromhex(event.header.prev), key, event.header.seq - 1),
        ).fetchone()
        return int(row[0]) if row else None

    def _fill(self, number: int, line: bytes, event: Event, taken: Taken) -> None:
        """Keep values that were missing here and are not erased: the same event with more of its values."""
        if line == event.line:
            return
        held = events.parse(line)
        gained = {
            i for i, (mine, theirs) in enumerate(zip(held.values, event.values, strict=True)) if theirs and not mine
        }
        if not gained:
            return
        rows = self.db.execute(
            "SELECT id FROM change WHERE id BETWEEN ? AND ? AND counts = ?",
            (number << INDEX_BITS, number << INDEX_BITS | INDEX_MASK, int(Counts.ERASED)),
        )
        erased = {row[0] & INDEX_MASK for row in rows}
        if gained - erased:
            keep = {
                i
                for i in range(len(event.values))
                if i in erased or (held.values[i] is None and event.values[i] is None)
            }
            merged = tuple(m or t for m, t in zip(held.values, event.values, strict=True))
            full = events.with_values(held, merged, keep)
            self.db.execute("UPDATE event SET line = ? WHERE id = ?", (full, number))
            taken.filled += len(gained - erased)

    @staticmethod
    def _check_signatures(batch: list[tuple[keys.Signed, str, int]]) -> None:
        bad = keys.verify_many([signed for signed, _, _ in batch])
        if bad is not None:
            _, key, seq = batch[bad]
            raise Untrusted(f"chain {key[:16]}… at {seq}: the signature does not hold")
        batch.clear()

    # -- checking ------------------------------------------------------------------------------------------------------

    def verify(self, progress: Callable[[int], None] | None = None, *, tables: bool = True) -> list[Fault]:
        """Check every event as read back: form, links, heads, every signature; then fold anew and compare the tables."""
        return find_faults(self.db, self.path, self.id, self.projection, progress, tables=tables)

    def scrub(self) -> bool:
        """Rewrite the file so that no page keeps bytes of what was erased; False where another program has it open.

        SQLite overwrites what it deletes, but not what it moved within a page before.
        """
        try:
            self.db.execute("VACUUM")
            return not self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False

    def rebuild(self) -> None:
        """Make the derived tables anew from the events, and rewrite the file (`scrub`)."""
        with transaction(self.db, self.path):
            self.projection.refold()
        self.projection.forget_cache()
        self.scrub()


def missing_from(places: Mapping[str, str], head: Head) -> int:
    """Return the first seq of a chain or branch that somebody with `places` lacks (docs/format.md section 10)."""
    place = places.get(head.name)
    if place is None:
        return head.start
    return events.parse_place(place)[0] + 1
