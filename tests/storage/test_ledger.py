"""Events in a file: taken in whole or not at all, verified by the place, kept apart where two claim one place."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carnet_store.core import event as events
from carnet_store.core import keys
from carnet_store.core.event import Draft
from carnet_store.errors import CarnetError, Invalid, NotFound, TooNew, Untrusted
from carnet_store.storage.ledger import Ledger, missing_from

if TYPE_CHECKING:
    from tests.conftest import Replica, World


@pytest.fixture
def ana(world: World) -> Replica:
    """Ana's store with a few events."""
    made = world.found("ana", bob=["deployer"])
    dataset = made.declare("dataset", "telco")
    made.comment(dataset, "one")
    made.comment(dataset, "two")
    return made


def test_taking_in_is_idempotent_and_counts(ana: Replica, world: World) -> None:
    """THREATS 16: twice the same lines change nothing."""
    bob = world.replica("bob", open_chain=False)
    first, again = bob.pull(ana), bob.pull(ana)
    assert (first.new, first.known, again.new, again.known) == (4, 0, 0, 4)
    assert bob.digest() == ana.digest()
    assert bob.ledger.places() == ana.ledger.places()


def test_look_without_commit_leaves_no_trace(ana: Replica, world: World) -> None:
    """A preview sees everything inside the transaction, and nothing stays."""
    bob = world.replica("bob", open_chain=False)
    seen: list[str] = []
    taken = bob.ledger.take_in(ana.segments(), commit=False, look=lambda _: seen.append(bob.digest()))
    assert seen == [ana.digest()]
    assert taken.new == 4
    assert (bob.ledger.count(), bob.ledger.heads(), bob.ledger.verify()) == (0, [], [])
    bob.pull(ana)
    assert bob.digest() == ana.digest()


def test_every_flipped_byte_of_a_line_is_refused_and_nothing_written(ana: Replica, world: World) -> None:
    """THREATS 13, 17, 18, 25: each byte of an event is covered, by its signature, its hashes or its form."""
    bob = world.replica("bob", open_chain=False)
    ((key, lines),) = ana.segments()
    line = lines[2]
    flips = [(at, bit) for at in range(len(line)) for bit in ((1, 8, 32) if at % 3 == 0 else (2,))]
    for at, bit in flips:
        bad = bytearray(line)
        bad[at] ^= bit
        with pytest.raises(CarnetError) as caught:
            bob.take([(key, [*lines[:2], bytes(bad), lines[3]])])
        assert isinstance(caught.value, Invalid | Untrusted | TooNew)
        assert key[:8] in str(caught.value) or isinstance(caught.value, TooNew)
    assert bob.ledger.count() == 0


def test_every_flipped_byte_in_the_file_is_named_by_verify(ana: Replica) -> None:
    """Damage on disk: verify says which chain and which event, or which table."""
    (head,) = ana.ledger.heads()
    for seq, line in enumerate(list(ana.ledger.lines(head.no, 0, head.seq))):
        for at in range(0, len(line), 7):
            bad = bytearray(line)
            bad[at] ^= 4
            number = head.no << 32 | seq
            ana.ledger.db.execute("UPDATE event SET line = ? WHERE id = ?", (bytes(bad), number))
            faults = ana.ledger.verify()
            assert [(f.chain, f.seq) for f in faults] == [(ana.key, seq)], (seq, at, bytes(bad)[at : at + 20])
            ana.ledger.db.execute("UPDATE event SET line = ? WHERE id = ?", (line, number))
    assert ana.ledger.verify() == []


@pytest.mark.parametrize("what", ["dropped", "swapped", "inserted", "cut head", "foreign key", "short hash"])
def test_chain_that_was_tampered_with_is_refused(ana: Replica, world: World, what: str) -> None:
    """THREATS 13, 17."""
    bob = world.replica("bob", open_chain=False)
    ((key, lines),) = ana.segments()
    other = {
        "dropped": [*lines[:1], *lines[2:]], "swapped": [lines[0], lines[2], lines[1]], "inserted": [*lines[:2], lines[0][:-1]],
        "cut head": lines[1:], "foreign key": lines, "short hash": lines,
    }[what]  # fmt: skip
    chain = {"foreign key": world.key("eve").public.hex(), "short hash": "zz"}.get(what, key)
    with pytest.raises((Invalid, Untrusted)):
        bob.take([(chain, other)])
    assert bob.ledger.count() == 0


def test_events_of_another_ledger_are_refused(ana: Replica, tmp_path: Path) -> None:
    """THREATS 15: the first `prev` is the ledger id."""
    other = Ledger(tmp_path / "other.db", create=True, ledger="e" * 64)
    with pytest.raises(Untrusted, match="another ledger"):
        other.take_in(ana.segments(), commit=True)
    other.close()


def test_gap_says_what_to_ask_for(ana: Replica, world: World) -> None:
    bob = world.replica("bob", open_chain=False)
    ((key, lines),) = ana.segments()
    bob.take([(key, lines[:1])])
    with pytest.raises(Invalid, match="gap") as caught:
        bob.take([(key, lines[2:])])
    assert "from 1" in caught.value.hint


def test_newer_format_is_refused_as_such(ana: Replica, world: World) -> None:
    """R046: exit 6, nothing written."""
    bob = world.replica("bob", open_chain=False)
    ((key, lines),) = ana.segments()
    newer = lines[1].replace(b'{"v":1,', b'{"v":2,', 1)
    with pytest.raises(TooNew):
        bob.take([(key, [lines[0], newer])])
    assert bob.ledger.count() == 0


def test_time_that_falls_within_a_chain_is_refused(world: World, tmp_path: Path) -> None:
    """Written by hand: the writer itself never lets the time fall."""
    ana = world.found("ana")
    ((key, lines),) = ana.segments()
    first = events.parse(lines[0])
    draft = Draft(world.entity, "comment.added", "", {"text": "x"}, "0" * 32)
    early = events.build(
        seq=1, prev=first.id, t=first.header.t - 1, see={}, drafts=[draft], sign=ana.chain.sign
    )  # fmt: skip
    store = Ledger(tmp_path / "b.db", create=True, ledger=world.id)
    with pytest.raises(Untrusted, match="time falls"):
        store.take_in([(key, [lines[0], early.line])], commit=True)
    store.close()


def test_same_header_with_another_signature_or_fewer_values_is_the_same_event(ana: Replica, world: World) -> None:
    """LEDGER section 4.1: neither makes a fork; values that were missing are filled in later."""
    ((key, lines),) = ana.segments()
    event = events.parse(lines[2])
    thin = events.without_values(event, {0})
    bob = world.replica("bob", open_chain=False)
    taken = bob.take([(key, [*lines[:2], thin, lines[3]])])
    assert (taken.new, taken.forks) == (4, [])
    assert bob.why(event.id) == "ABSENT"
    filled = bob.pull(ana)
    assert (filled.filled, filled.new) == (1, 0)
    assert bob.why(event.id) == "YES"
    assert bob.digest() == ana.digest()
    bob.take([(key, [*lines[:2], thin])])
    assert bob.why(event.id) == "YES"
    assert bob.ledger.verify() == []


def test_fork_keeps_both_and_order_does_not_matter(ana: Replica, world: World) -> None:
    """THREATS 10: two different events at one place; the second becomes a branch, everywhere."""
    twin = ana.copy("restored")
    mine, theirs = ana.comment(world.entity, "mine"), twin.comment(world.entity, "theirs")
    more = twin.comment(world.entity, "and on")
    stores = []
    for number, order in enumerate(itertools.permutations((ana, twin))):
        store = world.replica(f"reader{number}", open_chain=False)
        for other in order:
            store.pull(other)
        stores.append(store)
    assert len({s.ledger.projection.full_digest() for s in stores}) == 1
    for store in stores:
        assert {store.why(c) for c in (mine, theirs, more)} == {"FORKED"}
        assert len([h for h in store.ledger.heads() if h.key == ana.key]) == 2
        assert store.ledger.verify() == []
    (branch,) = (h for h in stores[0].ledger.heads() if h.branch)
    assert branch.name.startswith(f"{ana.key}~")
    assert missing_from({}, branch) == branch.start
    assert missing_from({branch.name: branch.place}, branch) == branch.seq + 1


def test_branch_is_verified_from_the_place_it_left(ana: Replica, world: World) -> None:
    twin = ana.copy("restored")
    ana.comment(world.entity, "mine")
    twin.comment(world.entity, "theirs")
    ana.pull(twin)
    (branch,) = (h for h in ana.ledger.heads() if h.branch)
    assert ana.ledger.verify() == []
    ana.ledger.db.execute("UPDATE chain SET parent = 0 WHERE no = ?", (branch.no,))
    assert ana.ledger.verify()


def test_batches_are_one_transaction(ana: Replica, world: World) -> None:
    """All or none, also when a later batch cannot be written."""
    good = ana.draft(world.entity, "comment.added", {"text": "x"})
    bad = Draft(world.entity, "comment.added", "no such field!", {"text": "x"}, ana.salt())
    before, count = ana.digest(), ana.ledger.count()
    with pytest.raises(Invalid):
        ana.ledger.append_many(ana.chain, [[good], [bad]], world.tick())
    assert (ana.digest(), ana.ledger.count()) == (before, count)
    written = ana.ledger.append_many(ana.chain, [[good], [good]], world.tick())
    assert [e.header.seq for e, _ in written] == [4, 5]
    assert ana.ledger.verify() == []


def test_event_names_all_heads_that_moved(ana: Replica, world: World) -> None:
    bob = world.replica("bob")
    bob.pull(ana)
    event = bob.write(bob.draft(world.entity, "comment.added", {"text": "x"}))
    assert event.header.see == {ana.key: ana.ledger.places()[ana.key]}
    again = bob.write(bob.draft(world.entity, "comment.added", {"text": "y"}))
    assert again.header.see == {}


def test_events_are_found_by_id_and_never_deleted(ana: Replica) -> None:
    (head,) = ana.ledger.heads()
    found = ana.ledger.event(head.hash)
    assert found is not None and (found[0].id, found[1]) == (head.hash, ana.key)
    assert ana.ledger.event("0" * 64) is None
    with pytest.raises(Exception, match="never deleted"):
        ana.ledger.db.execute("DELETE FROM event")


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Ledger(tmp_path / "none.db")


def test_signature_of_another_key_names_the_place(ana: Replica, world: World) -> None:
    """THREATS 17: a well-formed event signed by a key that is not the chain's."""
    ((key, lines),) = ana.segments()
    last = events.parse(lines[-1])
    draft = Draft(world.entity, "comment.added", "", {"text": "x"}, "0" * 32)
    forged = events.build(
        seq=last.header.seq + 1, prev=last.id, t=last.header.t, see={}, drafts=[draft], sign=world.key("eve").sign
    )
    bob = world.replica("bob", open_chain=False)
    with pytest.raises(Untrusted, match=f"at {last.header.seq + 1}"):
        bob.take([(key, [*lines, forged.line])])
    assert bob.ledger.count() == 0
    assert keys.verify(bytes.fromhex(key), last.signature_bytes, last.signed_bytes)
