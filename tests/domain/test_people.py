"""Who counts: founding, joining, rosters made apart, ends of keys, forks, and attacks on all of them.

Where a rule stands between an attack and its success, the attack is shown to succeed on a build without the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from carnet_store.core import canonical
from carnet_store.core.fold import Counts
from carnet_store.domain import people as people_of
from carnet_store.domain.people import People

if TYPE_CHECKING:
    from tests.conftest import Replica, World


def agree(*replicas: Replica) -> None:
    """Every store holds the same state, and folding anew changes nothing."""
    assert len({one.digest() for one in replicas}) == 1
    full = {one.ledger.projection.full_digest() for one in replicas}
    assert len(full) == 1
    for one in replicas:
        one.ledger.rebuild()
        assert one.ledger.projection.full_digest() in full


def test_founder_counts_and_a_stranger_does_not(world: World) -> None:
    """R013: who may write is in the roster of the causal past."""
    ana = world.found("ana")
    dataset = ana.declare("dataset", "telco")
    eve = world.replica("eve")
    eve.pull(ana)
    said = eve.comment(dataset, "hello")
    ana.pull(eve)
    assert ana.why(said) == eve.why(said) == "STRANGER"
    agree(ana, eve)


def test_newcomer_counts_from_the_acceptance_on_once_confirmed(world: World) -> None:
    """R012: acts before the confirmation are kept as pending and count afterwards, also where they were folded before."""
    ana = world.found("ana")
    dataset = ana.declare("dataset", "telco")
    invitation = ana.invite("dora")
    dora = world.replica("dora", open_chain=False)
    dora.join(ana, invitation)
    said = dora.comment(dataset, "before")
    ana.pull(dora)
    assert ana.why(said) == "PENDING"
    assert [n.name for n in ana.ledger.projection.people.waiting_newcomers()] == ["Dora"]
    ana.admit(dora)
    assert ana.why(said) == "YES"
    late = dora.comment(dataset, "not seen yet")
    world.meet(ana, dora)
    assert dora.why(said) == dora.why(late) == "YES"
    assert ana.change(said).roles == {"deployer"}
    agree(ana, dora)


def test_request_without_invitation_joins_as_well(world: World) -> None:
    ana = world.found("ana")
    dora = world.replica("dora", open_chain=False)
    dora.join(ana)
    ana.pull(dora)
    assert [n.roles for n in ana.ledger.projection.people.waiting_newcomers()] == [("deployer",)]
    ana.admit(dora)
    world.meet()
    assert dora.why(dora.comment(world.entity, "here")) == "YES"


def test_who_was_taken_out_no_longer_counts_even_by_an_old_acceptance(world: World) -> None:
    """A row struck from the roster ends the membership; the acceptance of then does not bring it back."""
    ana = world.found("ana")
    dora = world.replica("dora", open_chain=False)
    dora.join(ana, ana.invite("dora"))
    ana.pull(dora)
    ana.admit(dora)
    world.meet()
    before = dora.comment(world.entity, "member")
    ana.pull(dora)
    ana.roster(remove=["dora"])
    world.meet()
    after = dora.comment(world.entity, "no member")
    world.meet()
    assert (ana.why(before), ana.why(after)) == ("YES", "STRANGER")
    agree(ana, dora)


def test_admins_need_the_threshold_of_the_parent(world: World) -> None:
    ana = world.found("ana", admins=["ana", "bob"], threshold=2, bob=["deployer"])
    alone = ana.roster(carl=["auditor"])
    both = ana.roster(by=["ana", "bob"], carl=["auditor"])
    assert (ana.why(alone), ana.why(both)) == ("SIGNATURE", "YES")


def test_changing_admins_needs_two_persons(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 36: one of two admins cannot take the ledger alone; without the rule she could."""
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"])
    grab = ana.roster(admins=["ana"])
    assert ana.why(grab) == "SIGNATURE"
    assert ana.why(ana.roster(by=["ana", "bob"], admins=["ana"])) == "YES"
    monkeypatch.setattr(people_of, "signatures_needed", lambda parent, child: parent.threshold)
    ana.ledger.rebuild()
    assert ana.why(grab) == "YES"


def test_recovery_key_stands_for_an_admin_who_lost_the_own(world: World) -> None:
    """R019: a paper key opens a chain of its own and sets the next roster."""
    ana = world.found("ana", recovery=["paper"])
    paper = world.replica("paper", open_chain=False)
    paper.pull(ana)
    paper.open_chain()
    done = paper.roster(zoe=["researcher"])
    ana.pull(paper)
    assert ana.why(done) == paper.why(done) == "YES"
    assert world.person("zoe") in ana.ledger.projection.people.members().people


def test_rosters_made_apart_grant_only_what_both_say_until_merged(world: World) -> None:
    """THREATS 36: removals take effect at once, grants only where all agree, until a version names all heads."""
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"], carl=["auditor"])
    bob = world.replica("bob")
    world.meet()
    ana.roster(leave=["carl"])
    bob.roster(dora=["deployer"])
    world.meet()
    members = ana.ledger.projection.people.members()
    assert len(members.heads) == 2
    assert members.people[world.person("carl")].status == "left"
    assert members.people[world.person("dora")].status == "left"
    assert members.disputed == {"auditor", "deployer"}
    merged = ana.roster(dora=["deployer"], leave=["carl"])
    world.meet()
    assert bob.why(merged) == "YES"
    assert len(bob.ledger.projection.people.members().heads) == 1
    assert bob.ledger.projection.people.members().holders("deployer") == sorted(
        map(world.person, ("bob", "dora")), key=lambda p: p == world.person("dora")
    )
    agree(ana, bob)


def test_newcomer_admitted_by_one_of_two_rosters_made_apart_still_counts(world: World) -> None:
    """Two admins admit two people apart: neither newcomer's acts are lost, with no role until the rosters are merged."""
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    dora = world.replica("dora", open_chain=False)
    dora.join(ana, ana.invite("dora"))
    ana.pull(dora)
    ana.admit(dora)
    bob.roster(carl=["auditor"])
    world.meet()
    said = dora.comment(world.entity, "between")
    assert dora.why(said) == "YES"
    assert dora.change(said).roles == frozenset()
    world.meet()
    agree(ana, bob, dora)


def test_second_child_of_a_parent_is_a_head_of_its_own(world: World) -> None:
    ana = world.found("ana")
    first = ana.ledger.projection.people.members().heads
    ana.roster(bob=["deployer"])
    child = ana.roster(parents=first, carl=["auditor"])
    assert ana.why(child) == "YES"  # a second child of the first: concurrent heads
    assert len(ana.ledger.projection.people.members().heads) == 2


@pytest.mark.parametrize("field", ["ledger", "purpose", "entity"])
def test_people_acts_of_another_ledger_purpose_or_person_are_void(world: World, field: str) -> None:
    """THREATS 15: what a person signs repeats ledger, purpose and whom it is about."""
    ana = world.found("ana", bob=["deployer"])
    bob = world.person("bob")
    act: dict[str, Any] = {"person": bob, "last": {}, "reason": "left", "why": "", "ledger": world.id,
                           "purpose": "person.revoked"}  # fmt: skip
    entity = f"person:{bob[:32]}"
    if field == "entity":
        entity = f"person:{ana.person[:32]}"
    else:
        act[field] = "f" * 64 if field == "ledger" else "value.erased"
    assert ana.why(ana.signed(entity, "person.revoked", act)) == "SIGNATURE"


# -- ends of keys ------------------------------------------------------------------------------------------------------


def test_end_of_a_key_cuts_what_lies_beyond_and_spares_what_was_before(world: World) -> None:
    """THREATS 30, 35: beyond the last good place nothing counts, whatever its `see` says, nor in a chain not listed."""
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    good = bob.comment(world.entity, "mine")
    ana.pull(bob)
    ana.revoke("bob")
    bad = bob.comment(world.entity, "the thief's; has not seen the end")
    other = world.replica("bob", "thief")
    other.pull(bob)
    worse = other.comment(world.entity, "on a new chain")
    world.meet()
    for one in (ana, bob, other):
        assert (one.why(good), one.why(bad), one.why(worse)) == ("YES", "REVOKED", "REVOKED")
    rescued = bob.change(bad).id
    ana.adopt_events(rescued)
    world.meet()
    assert (bob.why(bad), bob.why(worse)) == ("YES", "REVOKED")
    agree(ana, bob, other)


def test_without_the_last_good_place_a_thief_dodges_by_not_seeing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """THREATS 35: the attack on a build that lets all count which has not seen the end."""
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    ana.revoke("bob")
    dodged = bob.comment(world.entity, "unseen")
    ana.pull(bob)
    assert ana.why(dodged) == "REVOKED"
    monkeypatch.setattr(People, "_is_beyond", lambda self, person, place, event, past: False)
    ana.ledger.rebuild()
    assert ana.why(dodged) == "YES"


def test_two_admins_who_end_each_other_apart_both_end(world: World) -> None:
    """THREATS 36: the same on every replica, in whichever order it is heard; a third admin goes on."""
    ana = world.found("ana", admins=["ana", "bob", "carl"], bob=["deployer"], carl=["auditor"])
    bob, carl = world.replica("bob"), world.replica("carl")
    world.meet()
    one, two = ana.revoke("bob"), bob.revoke("ana")
    carl.pull(bob)
    carl.pull(ana)
    world.meet()
    for store in (ana, bob, carl):
        assert (store.why(one), store.why(two)) == ("YES", "YES")
    lost = ana.comment(world.entity, "ended")
    gone = bob.comment(world.entity, "ended too")
    stays = carl.comment(world.entity, "here")
    world.meet()
    assert [carl.why(c) for c in (lost, gone, stays)] == ["REVOKED", "REVOKED", "YES"]
    agree(ana, bob, carl)


def test_ended_admin_cannot_end_others_afterwards(world: World) -> None:
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    ana.revoke("bob")
    bob.pull(ana)
    back = bob.revoke("ana")
    ana.pull(bob)
    assert ana.why(back) in ("REVOKED", "SIGNATURE")
    assert ana.why(ana.comment(world.entity, "still here")) == "YES"


def test_roster_beyond_an_end_is_void_and_so_are_its_puppets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 36: a thief with an admin's keys lets a puppet in; the end of that admin undoes it."""
    ana = world.found("ana", admins=["ana", "bob"], bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    good = bob.ledger.places()
    puppets = bob.roster(eve=["deployer"])
    eve = world.replica("eve")
    eve.pull(bob)
    said = eve.comment(world.entity, "puppet")
    world.meet()
    assert ana.why(said) == "YES"
    ana.revoke("bob", last={bob.key: good[bob.key]})
    world.meet()
    for one in (ana, bob, eve):
        assert (one.why(puppets), one.why(said)) == ("REVOKED", "STRANGER")
    agree(ana, bob, eve)
    monkeypatch.setattr(People, "_is_beyond", lambda self, person, place, event, past: False)
    ana.ledger.rebuild()
    assert ana.why(said) == "YES"


def test_a_person_may_end_the_own_keys(world: World) -> None:
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    assert bob.why(bob.revoke("bob")) == "YES"
    assert bob.why(bob.comment(world.entity, "ended")) == "REVOKED"
    ana.pull(bob)
    assert ana.why(ana.revoke("bob")) == "YES"


def test_a_member_cannot_end_somebody_else(world: World) -> None:
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    act = bob.revoke("ana")
    assert bob.why(act) == "SIGNATURE"
    ana.pull(bob)
    assert ana.why(ana.comment(world.entity, "here")) == "YES"


# -- forks -------------------------------------------------------------------------------------------------------------


def test_fork_is_kept_and_counts_for_nothing_until_adopted_in_either_order(world: World) -> None:
    """THREATS 10, 11; R041: both branches are kept, in whichever order they come; adoption by head ends it."""
    ana = world.found("ana", bob=["deployer"], carl=["auditor"])
    bob = world.replica("bob")
    world.meet()
    twin = bob.copy("restored")
    good = bob.comment(world.entity, "one")
    bad = twin.comment(world.entity, "another")
    carl = world.replica("carl")
    ana.pull(bob)
    ana.pull(twin)
    carl.pull(twin)
    carl.pull(bob)
    world.meet(ana, carl)
    for one in (ana, carl):
        assert (one.why(good), one.why(bad)) == ("FORKED", "FORKED")
        assert one.ledger.projection.people.is_forked(bob.key)
    agree(ana, carl)
    again = world.replica("bob", "new")
    again.pull(carl)
    again.adopt_fork(bob.key, good)
    world.meet(ana, carl, again)
    for one in (ana, carl, again):
        assert (one.why(good), one.why(bad)) == ("YES", "FORKED")
    agree(ana, carl, again)


def test_adoption_heard_before_its_branch_acts_when_the_branch_comes(world: World) -> None:
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    twin = bob.copy("restored")
    kept, other = bob.comment(world.entity, "one"), twin.comment(world.entity, "another")
    again = world.replica("bob", "new")
    again.pull(ana)
    again.adopt_fork(bob.key, kept)
    ana.pull(again)
    ana.pull(twin)
    ana.pull(bob)
    again.pull(bob)
    again.pull(twin)
    world.meet(ana, again)
    assert (ana.why(kept), ana.why(other)) == (again.why(kept), again.why(other)) == ("YES", "FORKED")
    agree(ana, again)


def test_only_the_owner_adopts_a_fork(world: World) -> None:
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    twin = bob.copy("restored")
    said = bob.comment(world.entity, "one")
    twin.comment(world.entity, "another")
    ana.pull(bob)
    ana.pull(twin)
    assert ana.why(ana.adopt_fork(bob.key, said)) == "SIGNATURE"
    assert ana.why(said) == "FORKED"


def test_stolen_chain_key_cannot_undo_a_removal_by_forking(world: World) -> None:
    """A copied chain key forks the admin's chain before the roster that removed the thief; the roster stands."""
    ana = world.found("ana", eve=["deployer"])
    eve = world.replica("eve")
    world.meet()
    twin = ana.copy("stolen")
    removed = ana.roster(leave=["eve"])
    twin.comment(world.entity, "fork")
    eve.pull(ana)
    eve.pull(twin)
    assert eve.why(removed) == "YES"
    assert eve.why(eve.comment(world.entity, "I am out")) == "STRANGER"


def test_chain_delegated_twice_belongs_to_the_same_person_everywhere(world: World) -> None:
    """A thief forks a chain at its very beginning with a delegation by the own key; the owner still adopts the right branch."""
    ana = world.found("ana", bob=["deployer"], eve=["auditor"])
    bob = world.replica("bob")
    bob.pull(ana)
    said = bob.comment(world.entity, "mine")
    fake = world.replica("eve", "fake", open_chain=False)
    fake.chain = bob.chain
    fake.pull(ana)
    fake.open_chain()
    carl = world.replica("carl")
    for one, order in ((ana, (bob, fake)), (carl, (ana, fake, bob))):
        for other in order:
            one.pull(other)
    ana.pull(carl)
    assert ana.why(said) == carl.why(said) == "FORKED"
    agree(ana, carl)
    again = world.replica("bob", "new")
    again.pull(ana)
    again.adopt_fork(bob.key, said)
    world.meet(ana, carl, again)
    assert ana.why(said) == carl.why(said) == "YES"
    assert ana.change(said).person == world.person("bob")
    agree(ana, carl, again)


# -- keys --------------------------------------------------------------------------------------------------------------


def test_further_key_signs_for_its_person_once_both_keys_agreed(world: World) -> None:
    """R017: a key is added by an older one and by itself, so that nobody takes another's key as an own one."""
    ana = world.found("ana", bob=["deployer"])
    added = ana.add_key("ana-second")
    assert ana.why(added) == "YES"
    handoff = ana.handoff()
    signed = ana.signed(handoff, "gate.signed", ana.statement(handoff), by=["ana-second"])
    assert ana.why(signed) == "YES"
    assert ana.change(signed).signers == (ana.person,)


def test_key_of_somebody_else_cannot_be_added(world: World) -> None:
    """Eve adds Ana's public key as hers; Ana's signatures stay Ana's."""
    ana = world.found("ana", eve=["deployer"])
    eve = world.replica("eve")
    world.meet()
    stolen = eve.add_key("ana", by=["eve"])
    world.meet()
    assert ana.why(stolen) == "SIGNATURE"
    handoff = ana.handoff()
    signed = ana.sign_off(handoff)
    assert ana.change(signed).signers == (ana.person,)
    assert ana.why(signed) == "YES"


def test_genesis_copied_into_another_chain_changes_nothing(world: World) -> None:
    """A member repeats the genesis in the own chain; who had not seen that copy is a member still."""
    ana = world.found("ana", bob=["deployer"])
    genesis = ana.live(world.entity, "ledger.founded")[0]
    bob = world.replica("bob")
    world.meet()
    assert genesis.raw is not None
    bob.act(world.entity, "ledger.founded", msgspec.json.decode(genesis.raw))
    world.meet()
    assert ana.why(ana.comment(world.entity, "here")) == "YES"
    assert world.person("ana") in ana.ledger.projection.people.members().admins
    world.meet()
    agree(ana, bob)


def test_late_key_makes_an_earlier_cosignature_hold_everywhere(world: World) -> None:
    """A roster cosigned by somebody whose chain comes later is the same on a store that heard it the other way round."""
    ana = world.found("ana", admins=["ana", "bob"], threshold=2, bob=["deployer"])
    roster = ana.roster(by=["ana", "bob"], carl=["auditor"])
    assert ana.why(roster) == "YES"
    handoff = ana.handoff()
    act = ana.signed(handoff, "gate.signed", ana.statement(handoff), by=["ana", "zoe"])
    assert ana.change(act).signers == (ana.person,)
    zoe = world.replica("zoe")
    zoe.pull(ana)
    ana.pull(zoe)
    assert ana.change(act).signers == tuple(sorted((ana.person, world.person("zoe"))))
    agree(ana, zoe)


def test_malformed_people_acts_do_not_count_and_do_no_harm(world: World) -> None:
    """Hostile values: each is shown with a reason, nothing is raised."""
    ana = world.found("ana", bob=["deployer"])
    bob = f"person:{world.person('bob')[:32]}"
    base = {"person": world.person("bob"), "reason": "left", "why": ""}
    odd: list[tuple[str, str, Any]] = [
        (bob, "person.revoked", ana.payload("person.revoked", **base, last={"x": "1_0:zz"})),
        (bob, "person.revoked", ana.payload("person.revoked", **base, last={"x": 7})),
        (world.entity, "roster.set", {"ledger": world.id, "purpose": "roster.set"}),
        (f"person:{ana.person[:32]}", "fork.adopted", ana.payload("fork.adopted", chain="zz", heads=["zz", "0" * 64])),
        (world.entity, "event.adopted", ana.payload("event.adopted", events=[7], why="")),
    ]
    for entity, kind, payload in odd:
        assert ana.why(ana.signed(entity, kind, payload)) in ("FORM", "SIGNATURE", "YES")
    envelope = {"payload": "", "payloadType": "", "signatures": []}
    values: list[Any] = [{}, {"dsse": []}, {"dsse": [1]}, {"dsse": [envelope]}]
    for value in values:
        assert ana.why(ana.act(world.entity, "roster.set", value)) == "FORM"
    assert ana.why(ana.comment(world.entity, "well")) == "YES"
    agree(ana)


def test_every_reason_has_words() -> None:
    assert all(reason.words for reason in Counts)


def test_roster_digest_is_that_of_the_signed_bytes(world: World) -> None:
    ana = world.found("ana")
    (digest,) = ana.ledger.projection.people.members().heads
    roster = ana.ledger.projection.people.rosters[digest]
    assert canonical.sha256_hex(people_of.roster_bytes(roster)) == digest == people_of.roster_digest(roster)
