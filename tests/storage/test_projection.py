"""The fold: what counts, what replaces what, what waits, what is forgotten; and attacks, each shown to succeed without its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from carnet_store.core import canonical
from carnet_store.core.event import Draft, birth_entity, source_entity
from carnet_store.core.kind import KINDS, read
from carnet_store.domain.people import read_signed
from carnet_store.storage import projection as projection_of
from carnet_store.storage.ledger import DAY, Ledger
from carnet_store.storage.projection import Projection

if TYPE_CHECKING:
    from tests.conftest import Replica, World


def settle(*replicas: Replica) -> None:
    """Every store holds the same, and folding anew changes nothing."""
    full = {one.ledger.projection.full_digest() for one in replicas}
    assert len(full) == 1
    for one in replicas:
        assert one.ledger.verify() == []


@pytest.fixture
def two(world: World) -> tuple[Replica, Replica]:
    """Ana (researcher, eraser, admin) and Bob (deployer), each on an own store that holds everything."""
    ana = world.found("ana", roles=["researcher", "eraser"], bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    return ana, bob


# -- who may replace what ----------------------------------------------------------------------------------------------


def test_only_the_author_replaces_by_default(two: tuple[Replica, Replica]) -> None:
    """R050: the default rule."""
    ana, bob = two
    dataset = ana.declare("dataset", "telco")
    mine = ana.act(dataset, "entity.described", {"value": "a"}, "owner")
    bob.pull(ana)
    theirs = bob.act(dataset, "entity.described", {"value": "b"}, "owner", [mine])
    ana.pull(bob)
    assert {c.id for c in ana.live(dataset, "entity.described")} == {mine, theirs}
    newer = ana.act(dataset, "entity.described", {"value": "c"}, "owner", [mine])
    bob.pull(ana)
    assert {c.id for c in bob.live(dataset, "entity.described")} == {newer, theirs}
    settle(ana, bob)


@pytest.mark.parametrize("what", ["answer", "refusal", "finding", "waiver", "override"])
def test_over_cannot_hide_what_another_said(
    two: tuple[Replica, Replica], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """THREATS 32: an `over` acts only where the target's kind allows it."""
    ana, bob = two
    handoff = ana.handoff()
    act = {"handoff": handoff, "t": 1}
    target = {
        "answer": lambda: ana.answer(handoff, "x", "no"),
        "refusal": lambda: ana.sign_off(handoff, "refuse"),
        "finding": lambda: ana.act(handoff, "finding.raised", {"text": "bad"}, "x"),
        "waiver": lambda: ana.signed(handoff, "waiver.granted", ana.payload(
            "waiver.granted", **act, item="x", reason="r", mitigation="m", expires=1, role="researcher"), field="x"),
        "override": lambda: ana.signed(handoff, "gate.overridden", ana.payload(
            "gate.overridden", **act, round=1, package="p", reason="r", expires=1), field="x"),
    }[what]()  # fmt: skip
    bob.pull(ana)
    field = bob.change(target).field
    bob.act(handoff, "comment.added", {"text": "gone"}, field, [target])
    bob.act(handoff, "change.retracted", {}, field, [target])
    bob.answer(handoff, field, "yes", role="deployer", over=[target])
    bob.sign_off(handoff, "approve", over=[target])
    ana.pull(bob)
    assert ana.change(target).live
    settle(ana, bob)
    monkeypatch.setattr(projection_of, "may_replace", lambda kind, **_: True)
    ana.ledger.rebuild()
    assert not ana.change(target).live


def test_answer_is_settled_by_a_holder_of_its_role(world: World) -> None:
    """R051: a holder of the answering role settles a conflict; nobody else does."""
    ana = world.found("ana", bob=["deployer"], carl=["researcher"])
    bob, carl = world.replica("bob"), world.replica("carl")
    handoff = ana.handoff()
    world.meet()
    first = ana.answer(handoff, "x", "a")
    world.meet()
    bob.answer(handoff, "x", "b", role="deployer", over=[first])
    world.meet()
    assert ana.change(first).live
    carl.answer(handoff, "x", "c", over=[first])
    world.meet()
    assert not ana.change(first).live
    settle(ana, bob, carl)


def test_finding_ends_by_its_closing_kind_alone(two: tuple[Replica, Replica]) -> None:
    ana, bob = two
    handoff = ana.handoff()
    finding = ana.act(handoff, "finding.raised", {"text": "bad"}, "x")
    ana.retract(handoff, [finding], "x")
    assert ana.change(finding).live
    bob.pull(ana)
    bob.act(handoff, "finding.closed", {"text": "mended"}, "x", [finding])
    assert not bob.change(finding).live


@pytest.mark.parametrize("other", ["entity", "field", "unseen"])
def test_over_acts_on_the_same_entity_and_field_in_the_past_alone(two: tuple[Replica, Replica], other: str) -> None:
    ana, bob = two
    handoff, second = ana.handoff(), ana.handoff()
    bob.pull(ana)
    if other == "unseen":
        twin = ana.world.replica("ana", "phone")
        twin.pull(ana)
        target = ana.answer(handoff, "x", "a")
        twin.answer(handoff, "x", "b", over=[target])
        ana.pull(twin)
    else:
        target = ana.answer(handoff, "x", "a")
        place = (second, "x") if other == "entity" else (handoff, "y")
        ana.answer(*place, "b", over=[target])
    assert ana.change(target).live


def test_replaced_stays_replaced(two: tuple[Replica, Replica]) -> None:
    ana, _ = two
    handoff = ana.handoff()
    a = ana.answer(handoff, "x", "a")
    b = ana.answer(handoff, "x", "b", over=[a])
    ana.retract(handoff, [b], "x")
    assert ana.live(handoff, "item.answered") == []


def test_change_that_does_not_count_replaces_nothing(two: tuple[Replica, Replica]) -> None:
    """A withheld or malformed value must not take away what it names: nothing was said in its place."""
    ana, _ = two
    handoff = ana.handoff()
    kept = ana.answer(handoff, "x", "a")
    ana.act(handoff, "item.answered", {"role": 7}, "x", [kept])
    assert ana.change(kept).live
    salt = ana.salt()
    signoff = ana.sign_off(handoff, "refuse")
    ana.write(Draft(handoff, "gate.signed!", "researcher", {"dsse": []}, salt, (signoff,)))
    assert ana.change(signoff).live


# -- what the person's own key must sign -------------------------------------------------------------------------------


def signed_kinds() -> list[str]:
    return sorted(k.name for k in KINDS.values() if k.payload_type and not k.about_people)


@pytest.mark.parametrize("kind", signed_kinds())
def test_stolen_chain_key_decides_nothing(
    two: tuple[Replica, Replica], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """THREATS 33: what decides counts only signed by the person whose chain carries it."""
    ana, bob = two
    handoff = ana.handoff()
    bob.pull(ana)
    payload = samples(ana, handoff)[kind]
    node = ana.import_from("model", "gto", "churn@1", "churn")
    entity = ana.world.entity if KINDS[kind].on == {"ledger"} else node if "model" in KINDS[kind].on else handoff
    forged = ana.signed(entity, kind, payload, by=["eve"])
    mine = ana.signed(entity, kind, payload)
    assert (ana.why(forged), ana.why(mine)) == ("SIGNATURE", "YES")
    judge = Projection._judge_signed

    def anybody(self: Projection, known: Any, shape: Any, raw: bytes, author: str) -> Any:
        signers = self.people.verified_signers(*read_signed(raw, known.payload_type))
        return judge(self, known, shape, raw, signers[0] if signers else author)

    monkeypatch.setattr(projection_of.Projection, "_judge_signed", anybody)
    eve = ana.world.replica("eve")  # so that her key is known
    ana.pull(eve)
    ana.ledger.rebuild()
    assert ana.why(forged) == "YES"


def samples(ana: Replica, handoff: str) -> dict[str, Any]:
    """A payload of each person-signed kind that is not about people."""
    act = {"handoff": handoff, "t": 1}
    custody = {"model": "m", "round": 1, "package": "p", "from_team": "a", "to_team": "b", "reason": "r"}
    special: dict[str, dict[str, Any]] = {
        "waiver.granted": {**act, "item": "x", "reason": "r", "mitigation": "m", "expires": 1, "role": "researcher"},
        "na.confirmed": {**act, "item": "x", "answer": "a", "role": "researcher"},
        "readback.confirmed": {**act, "item": "x", "answer": "a", "agree": True, "reason": "", "role": "researcher"},
        "gate.overridden": {**act, "round": 1, "package": "p", "reason": "r", "expires": 1},
        "handoff.returned": {**act, "round": 1, "package": "p", "items": {}, "reason": "r"},
        "value.erased": {"targets": [], "objects": [], "reason": "r", "t": 1},
        "recall.lifted": {"entity": source_entity("model", "gto", "churn@1"), "reason": "r", "t": 1},
        "template.adopted": {"id": "p", "version": "1", "sha256": "0" * 64, "reason": "r", "t": 1},
        **{f"custody.{word}": {**act, **custody} for word in ("offered", "accepted", "refused")},
    }
    return {"gate.signed": ana.statement(handoff)} | {k: ana.payload(k, **v) for k, v in special.items()}


def test_signature_is_not_carried_to_another_handoff(
    two: tuple[Replica, Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """THREATS 38, 15: a sign-off names its handoff and its ledger."""
    ana, _ = two
    one, other = ana.handoff(), ana.handoff()
    signed = ana.change(ana.sign_off(one))
    assert signed.raw is not None
    copied = ana.act(other, "gate.signed", msgspec.json.decode(signed.raw), "researcher")
    foreign = ana.statement(one)
    foreign["predicate"]["ledger"] = "f" * 64
    elsewhere = ana.signed(one, "gate.signed", foreign)
    wrong = ana.statement(one)
    wrong["predicate"]["purpose"] = "waiver.granted"
    assert [ana.why(c) for c in (copied, elsewhere, ana.signed(one, "gate.signed", wrong))] == ["SIGNATURE"] * 3
    monkeypatch.setattr(projection_of.Projection, "_judge_signed", _only_signature)
    ana.ledger.rebuild()
    assert ana.why(elsewhere) == "YES"


def _only_signature(self: Projection, known: Any, shape: Any, raw: bytes, author: str) -> Any:
    payload, envelopes = read_signed(raw, known.payload_type)
    return read(known.name, payload), self.people.verified_signers(payload, envelopes)


def test_a_payload_counts_once_in_a_past(two: tuple[Replica, Replica], monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 38: a thief with the chain key repeats a sign-off that was withdrawn; apart, both copies are one act anyhow."""
    ana, bob = two
    handoff = ana.handoff()
    signed = ana.sign_off(handoff)
    value = ana.change(signed).raw
    assert value is not None
    refusal = ana.sign_off(handoff, "refuse", over=[signed])
    again = ana.act(handoff, "gate.signed", msgspec.json.decode(value), "researcher", [refusal])
    assert (ana.why(again), ana.change(refusal).live) == ("REPLAY", True)
    bob.pull(ana)
    settle(ana, bob)
    monkeypatch.setattr(projection_of.Projection, "_replayed", lambda *_: False)
    ana.ledger.rebuild()
    assert (ana.why(again), ana.change(refusal).live) == ("YES", False)


# -- births ------------------------------------------------------------------------------------------------------------


def test_birth_makes_its_own_id(two: tuple[Replica, Replica]) -> None:
    """Two people cannot claim one id; two imports of one thing meet on it."""
    ana, bob = two
    taken = ana.declare("dataset", "telco")
    bob.pull(ana)
    claim = bob.act(taken, "entity.declared", {"name": "mine"})
    assert bob.why(claim) == "BIRTH"
    one, other = ana.import_from("run", "mlflow", "r1", "baseline"), bob.import_from("run", "mlflow", "r1", "base")
    assert one == other
    world = ana.world
    world.meet()
    settle(ana, bob)
    names = {s.ledger.db.execute("SELECT name FROM entity WHERE id = ?", (one,)).fetchone()[0] for s in (ana, bob)}
    assert len(names) == 1 and names <= {"baseline", "base"}
    false = ana.act(one, "entity.declared", {"name": "x", "source": ["mlflow", "r2"]})
    assert ana.why(false) == "BIRTH"


def test_kind_is_known_has_its_form_and_its_entity(two: tuple[Replica, Replica]) -> None:
    ana, _ = two
    handoff = ana.handoff()
    assert ana.why(ana.act(handoff, "odd.thing", {})) == "UNKNOWN"
    assert ana.why(ana.act(handoff, "entity.described", {"value": 1})) == "FORM"
    assert ana.why(ana.act(handoff, "item.answered", {"role": 1}, "x")) == "FORM"


def test_role_is_demanded(two: tuple[Replica, Replica]) -> None:
    """R014: who lacks the role does not erase, adopt a pack or invite."""
    ana, bob = two
    said = bob.comment(ana.world.entity, "hello")
    assert bob.why(bob.erase(said)) == "ROLE"
    invitation = bob.invite("dora")
    assert [c.counts.name for c in bob.ledger.projection.changes(invitation)] == ["ROLE"]
    assert bob.change(said).raw is not None


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_event_that_saw_what_is_not_held_waits_for_it(world: World) -> None:
    """R044: it is stored, counts for nothing, says for whom it waits, and counts when that comes."""
    ana = world.found("ana", bob=["deployer"], carl=["auditor"])
    bob, carl = world.replica("bob"), world.replica("carl")
    bob.pull(ana)
    carl.pull(ana)
    dataset = bob.declare("dataset", "telco")
    carl.pull(bob)
    said = carl.comment(dataset, "seen")
    ana.pull(carl, only=[carl.key])
    assert ana.ledger.projection.change(said) is None
    assert ana.ledger.waiting() == [(carl.key, 1)]
    later = ana.comment(world.entity, "meanwhile")
    ana.pull(bob, only=[bob.key])
    assert ana.ledger.waiting() == []
    assert (ana.why(said), ana.why(later)) == ("YES", "YES")
    world.meet()
    settle(ana, bob, carl)


def test_long_conversation_folds_in_any_order(world: World) -> None:
    """Each event sees the other's last: chains are folded by turns, in time that grows with their length alone."""
    ana = world.found("ana", bob=["deployer"])
    bob = world.replica("bob")
    for number in range(60):
        bob.pull(ana)
        bob.comment(world.entity, str(number))
        ana.pull(bob)
        ana.comment(world.entity, str(number))
    late = world.replica("carl")
    late.pull(ana)
    world.meet()
    settle(ana, bob, late)
    assert late.ledger.projection.past(*_own(late, ana)) == late.ledger.projection.past(*_own(late, ana))
    assert len(late.ledger.projection.past(*_own(late, ana))) == 2


def _own(store: Replica, of: Replica) -> tuple[int, int]:
    (head,) = (h for h in store.ledger.heads() if h.key == of.key)
    return head.no, head.seq


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_erased_value_is_gone_everywhere_and_stays_gone(two: tuple[Replica, Replica]) -> None:
    """R060, THREATS 28: the bytes go on every replica, the chain holds, an older bundle brings nothing back."""
    ana, bob = two
    handoff = ana.handoff()
    first = bob.answer(handoff, "x", "old", role="deployer")
    said = bob.answer(handoff, "x", "private words", role="deployer", over=[first])
    old = bob.segments()
    ana.pull(bob)
    tomb = ana.erase(said)
    assert ana.why(tomb) == "YES"
    bob.pull(ana)
    for one in (ana, bob):
        assert one.why(said) == "ERASED"
        assert one.change(said).raw is None
        assert not one.change(first).live, "what it replaced stays replaced"
        one.take(old)
        assert one.change(said).raw is None
        one.ledger.rebuild()
        assert one.why(said) == "ERASED"
        one.ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"private words" not in one.path.read_bytes()
    settle(ana, bob)
    late = ana.world.replica("carl")
    late.take(old)
    late.pull(ana)
    assert late.change(said).raw is None
    ana.world.meet()
    settle(ana, bob, late)


def test_tombstone_reaches_only_what_its_author_saw(world: World) -> None:
    ana = world.found("ana", roles=["eraser"], bob=["deployer"])
    bob = world.replica("bob")
    world.meet()
    said = bob.comment(world.entity, "unseen by the eraser")
    ana.erase(said)
    world.meet()
    assert ana.why(said) == bob.why(said) == "YES"
    settle(ana, bob)


def test_what_tells_who_counts_and_signatures_cannot_be_erased(two: tuple[Replica, Replica]) -> None:
    ana, _ = two
    handoff = ana.handoff()
    signed = ana.sign_off(handoff)
    tomb = ana.erase(ana.comment(handoff, "x"))
    opening = ana.live(f"person:{ana.person[:32]}", "chain.opened")[0].id
    ana.erase(signed, tomb, opening)
    assert [ana.why(c) for c in (signed, tomb, opening)] == ["YES"] * 3


def test_sealed_evidence_needs_a_second_person(two: tuple[Replica, Replica], monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 37: what a sealed package refers to is not wiped by one eraser alone."""
    ana, _ = two
    dataset = ana.declare("dataset", "telco")
    birth = ana.live(dataset)[0].id
    handoff = ana.handoff()
    ana.act(handoff, "package.sealed", {"manifest": {"entities": [{"id": dataset}], "round": 1}})
    alone = ana.erase(birth)
    assert (ana.why(alone), ana.why(birth)) == ("YES", "YES")
    with_stranger = ana.erase(birth, by=["ana", "eve"])
    assert (ana.why(with_stranger), ana.why(birth)) == ("YES", "YES")
    ana.erase(birth, by=["ana", "bob"])
    assert ana.why(birth) == "ERASED"
    other = ana.declare("dataset", "second")
    born = ana.live(other)[0].id
    ana.act(handoff, "package.sealed", {"manifest": {"entities": [{"id": other}], "round": 2}})
    monkeypatch.setattr(projection_of.Projection, "_is_sealed", lambda *_: False)
    ana.erase(born)
    assert ana.why(born) == "ERASED"


def test_tombstone_of_another_ledger_is_void(two: tuple[Replica, Replica]) -> None:
    """THREATS 37: own ledger only."""
    ana, _ = two
    said = ana.comment(ana.world.entity, "x")
    act = ana.payload("value.erased", targets=[said], objects=[], reason="r", t=1) | {"ledger": "f" * 64}
    assert ana.why(ana.signed(ana.world.entity, "value.erased", act)) == "SIGNATURE"
    assert ana.why(said) == "YES"


def test_erased_waiver_and_its_repetition_fold_alike_on_every_store(world: World) -> None:
    """What was signed and then forgotten weighs no more: a repetition of it counts, on stores of every history."""
    ana = world.found("ana", roles=["eraser"], bob=["deployer"])
    bob = world.replica("bob")
    handoff = ana.handoff()
    world.meet()
    act = bob.payload("waiver.granted", **samples(bob, handoff)["waiver.granted"] | {"purpose": "waiver.granted"})
    first = bob.signed(handoff, "waiver.granted", act)
    ana.pull(bob)
    second = bob.signed(handoff, "waiver.granted", act)
    assert bob.why(second) == "REPLAY"
    ana.erase(first)
    world.meet()
    assert ana.why(second) == bob.why(second) == "YES"
    settle(ana, bob)


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE change SET live = 0 WHERE live = 1 AND kind IN (SELECT no FROM word WHERE text = 'comment.added')",
        "UPDATE change SET counts = 0, live = 1",
        "UPDATE change SET roles = person WHERE field = ''",
        "UPDATE entity SET name = 'doctored' WHERE kind = 'dataset'",
        "DELETE FROM change WHERE id = (SELECT max(id) FROM change)",
    ],
)
@pytest.mark.parametrize("with_sum", [False, True])
def test_doctored_tables_are_found(two: tuple[Replica, Replica], statement: str, with_sum: bool) -> None:
    """THREATS 34: also where the sum was doctored with them; `rebuild` mends it."""
    ana, _ = two
    ana.declare("dataset", "telco")
    ana.comment(ana.world.entity, "x")
    ana.act(ana.world.entity, "odd.kind", {})
    good = ana.ledger.projection.full_digest()
    ana.ledger.db.execute(statement)
    if with_sum:
        total = f"{ana.ledger.projection.table_sum():x}"
        ana.ledger.db.execute("UPDATE meta SET v = ? WHERE k = 'sum'", (total,))
    faults = ana.ledger.verify()
    assert faults and "tables" in faults[0].what
    ana.ledger.rebuild()
    assert ana.ledger.verify() == []
    assert ana.ledger.projection.full_digest() == good


def test_another_process_that_folds_anew_confuses_nobody(two: tuple[Replica, Replica]) -> None:
    """Two connections to one file: what one remembers of the tables is dropped when the other made them anew."""
    ana, _ = two
    handoff = ana.handoff()
    ana.answer(handoff, "x", "a")
    other = Ledger(ana.path)
    assert other.projection.people.members().people
    other.rebuild()
    ana.answer(handoff, "y", "b")
    ana.comment(handoff, "c")
    assert other.verify() == []
    assert ana.ledger.verify() == []
    other.close()


def test_event_of_a_thousand_changes(two: tuple[Replica, Replica]) -> None:
    """The format's limit, folded and erased in part."""
    ana, bob = two
    drafts = []
    for number in range(1000):
        value, salt = {"name": f"r{number}"}, ana.salt()
        commitment = canonical.commitment(salt, canonical.encode(value))
        drafts.append(Draft(birth_entity("run", ana.key, commitment), "entity.declared", "", value, salt))
    event = ana.write(*drafts)
    assert [ana.why(event.change_id(i)) for i in (0, 500, 999)] == ["YES"] * 3
    ana.erase(event.change_id(999))
    bob.pull(ana)
    assert bob.why(event.change_id(999)) == "ERASED"
    settle(ana, bob)


def test_now_is_never_before_what_members_said_and_never_a_day_ahead(world: World) -> None:
    """THREATS 26, 41: a clock set back revives nothing; a stranger, or a clock far ahead, moves nothing."""
    ana = world.found("ana")
    clock = world.now
    assert ana.ledger.newest_time(clock - 5 * DAY) == clock - 5 * DAY
    assert ana.ledger.newest_time(clock - DAY) == clock
    ana.ledger.append(ana.chain, [ana.draft(world.entity, "comment.added", {"text": "x"})], clock + 1000)
    eve = world.replica("eve")
    eve.pull(ana)
    eve.ledger.append(eve.chain, [eve.draft(world.entity, "comment.added", {"text": "x"})], clock + DAY)
    ana.pull(eve)
    assert ana.ledger.newest_time(clock) == clock + 1000, "a stranger moved the time"
    ana.ledger.append(ana.chain, [ana.draft(world.entity, "comment.added", {"text": "y"})], clock + 9 * DAY)
    assert ana.ledger.newest_time(clock) == clock + 1000, "a member's clock that is days ahead moved the time"


def test_time_never_falls_and_is_at_least_what_was_seen_within_a_day(two: tuple[Replica, Replica]) -> None:
    """THREATS 26: a clock that is behind writes the time it saw; one that is days behind does not follow."""
    ana, bob = two
    seen = ana.change(ana.comment(ana.world.entity, "x")).t
    bob.pull(ana)
    event, _ = bob.ledger.append(bob.chain, [bob.draft(ana.world.entity, "comment.added", {"text": "y"})], seen - 500)
    assert event.header.t == seen
    later = ana.change(ana.comment(ana.world.entity, "x")).t
    bob.pull(ana)
    event, _ = bob.ledger.append(bob.chain, [bob.draft(ana.world.entity, "comment.added", {"text": "y"})], 5)
    assert seen == event.header.t < later


def test_chains_that_wait_make_nothing_be_folded_anew(world: World) -> None:
    """Strangers' chains that wait for ever cost one look each, not a fold of everything at every act."""
    ana = world.found("ana")
    hidden = world.replica("hidden")
    hidden.pull(ana)
    hidden.comment(world.entity, "never sent")
    for number in range(8):
        other = world.replica(f"other{number}", open_chain=False)
        other.pull(hidden)
        other.open_chain()
        ana.pull(other, only=[other.key])
    assert len(ana.ledger.waiting()) == 8
    _, touched = ana.ledger.append(ana.chain, [ana.draft(world.entity, "comment.added", {"text": "x"})], world.tick())
    assert (touched.refolded, touched.changes) == (False, 1)
    ana.pull(hidden)
    assert ana.ledger.waiting() == []
    settle(ana)


def test_many_people_at_once_are_judged_as_one_after_another(world: World) -> None:
    """A store that hears a whole team in one bundle says the same as one that met each alone."""
    ana = world.found("ana")
    team = []
    for number in range(7):
        invitation = ana.invite(f"p{number}")
        store = world.replica(f"p{number}", open_chain=False)
        store.join(ana, invitation)
        store.comment(world.entity, "before the admission")
        ana.pull(store)
        ana.admit(store)
        team.append(store)
    late = world.replica("late", open_chain=False)
    taken = late.pull(ana)
    assert not taken.touched.refolded
    settle(ana, late)
    assert {c.counts.name for c in late.ledger.projection.changes(world.entity)} == {"YES"}
