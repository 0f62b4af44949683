"""Bundles carry a project between stores: whole, in parts, in any order, twice; what they change is said before."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store.errors import Invalid, NotFound, Refused, Untrusted, Usage
from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake, verify
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import Replica, World
    from tests.exchange.conftest import Post

State = Callable[["Replica"], tuple[Any, ...]]


def test_three_stores_in_any_order(world: World, post: Post) -> None:
    """R003, R004: three stores that exchange bundles in every order, each twice, end equal."""
    ana = world.found("ana", bob=("ml_engineer",), cleo=("deployer",))
    bob, cleo = world.replica("bob"), world.replica("cleo")
    dataset = ana.declare("dataset", "telco")
    first = post.send(ana)
    post.receive(bob, first.path)
    post.receive(cleo, first.path)
    bob.comment(dataset, "seen by Bob")
    cleo.comment(dataset, "seen by Cleo")
    ana.comment(dataset, "mine")
    sent = [post.send(one).path for one in (ana, bob, cleo)]
    ends: list[tuple[dict[str, str], str]] = []
    for order in itertools.permutations(sent):
        fresh = Ledger(world.folder / f"fresh-{len(ends)}.db", create=True, ledger=world.id)
        objects = Objects(world.folder / f"fresh-{len(ends)}-objects")
        for path in (*order, *order):
            with bundles.open_bundle(path) as bundle:
                intake.accept(bundle, fresh, objects, intake.inspect(bundle, fresh, objects))
        ends.append((fresh.places(), fresh.projection.digest()))
        assert fresh.verify() == []
        fresh.close()
    assert all(end == ends[0] for end in ends)
    for one in (ana, bob, cleo):
        for path in sent:
            post.receive(one, path)
    assert ana.digest() == bob.digest() == cleo.digest() == ends[0][1]


def test_twice_is_once(world: World, post: Post, state: State) -> None:
    """THREATS 16: a bundle that was taken in brings nothing more and changes nothing."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    ana.declare("dataset", "telco")
    sent = post.send(ana)
    first = post.receive(bob, sent.path)
    before = state(bob)
    again = post.receive(bob, sent.path)
    assert (first.plan.new, first.plan.known) == (2, 0)
    assert (again.plan.new, again.plan.known) == (0, 2)
    assert again.plan.nothing_new and again.plan.older  # Bob's own chain is not in it
    assert state(bob) == before


def test_inspecting_leaves_nothing_and_tells_the_same(world: World, post: Post, state: State) -> None:
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    ana.declare("dataset", "telco")
    path = post.send(ana).path
    before = state(bob)
    with bundles.open_bundle(path) as bundle:
        plan = intake.inspect(bundle, bob.ledger, post.objects(bob))
        assert state(bob) == before
        done = intake.accept(bundle, bob.ledger, post.objects(bob), plan)
    assert done.plan == plan
    assert (plan.project, plan.founder, plan.exporter, plan.exporter_note) == ("churn", "Ana", "Ana", "")
    assert plan.entities == (("dataset", 1),)
    assert plan.named == (("dataset", "telco"),)
    assert ("entity.declared", 1, (("Ana", 1),)) in [(g.kind, g.count, g.authors) for g in plan.changes]


def test_what_both_took_from_one_source_is_no_new_thing(world: World, post: Post) -> None:
    """Two who captured the same: its other birth comes along, the thing was here."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    post.receive(bob, post.send(ana).path)
    for one in (ana, bob):
        one.import_from("run", "mlflow", "r1", "r-1")
    ana.import_from("run", "mlflow", "r2", "r-2")
    assert post.receive(bob, post.send(ana).path).plan.entities == (("run", 1),)


def test_an_increment_brings_what_is_new_alone(world: World, post: Post) -> None:
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    first = post.send(ana)
    post.receive(bob, first.path)
    dataset = ana.declare("dataset", "telco")
    second = post.send(ana, base=first.heads)
    assert (second.events, second.base) == (1, first.heads)
    done = post.receive(bob, second.path)
    assert done.plan.increment and (done.plan.new, done.plan.known) == (1, 0)
    assert bob.live(dataset)
    assert post.send(ana, base=second.heads).events == 0


def test_a_gap_names_what_to_ask_for(world: World, post: Post, state: State) -> None:
    """An increment beyond what is held is refused and says so; THREATS 14."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    ana.declare("dataset", "one")
    middle = post.send(ana)
    ana.declare("dataset", "two")
    late = post.send(ana, base=middle.heads)
    before = state(bob)
    with pytest.raises(Invalid, match="goes on from events that are not here") as caught:
        post.receive(bob, late.path)
    assert "import the earlier bundle first" in caught.value.hint
    assert "begins at 2, this store has it to -1" in caught.value.reasons[0]
    assert state(bob) == before
    post.receive(bob, middle.path)
    post.receive(bob, late.path)
    assert bob.ledger.places().items() >= ana.ledger.places().items()


def test_objects_travel_are_checked_and_missed(world: World, post: Post) -> None:
    """THREATS 29: an object comes with its event; what the exporter lacks or leaves out is listed as missing."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    handoff = ana.handoff()
    held = post.objects(ana).put(b"model bytes " * 1000)
    large = post.objects(ana).put(bytes(5 << 20))
    lost = "ab" * 32
    for digest, size in ((held, 12_000), (large, 5 << 20), (lost, 7)):
        ana.act(handoff, "handoff.filed", {"file": {"path": "m", "sha256": digest, "size": size}}, digest)
    bare = post.send(ana, with_objects=False)
    assert (bare.objects, bare.missing) == (0, 4)
    plan = post.receive(bob, bare.path).plan
    assert (plan.objects_brought, plan.objects_missing) == (0, 4)
    sent = post.send(ana)
    assert (sent.objects, sent.missing) == (2, 2)  # the pack that the handoff names is not held either
    assert sent.size > 5 << 20  # zeros would be deflated beyond 200 to one, which readers refuse: stored
    done = post.receive(bob, sent.path)
    assert done.objects == 2
    assert post.objects(bob).check(held) and post.objects(bob).check(large) and not post.objects(bob).has(lost)
    post.objects(ana).path(held).write_bytes(b"other bytes")
    with pytest.raises(Untrusted, match="altered on disk"):
        post.send(ana)


def test_a_new_project_asks_for_its_founder(world: World, post: Post, tmp_path: Path) -> None:
    ana = world.found("ana")
    ana.declare("dataset", "telco")
    path = post.send(ana).path
    ledgers, objects = tmp_path / "ledgers", Objects(tmp_path / "objects")
    with bundles.open_bundle(path) as bundle:
        plan = intake.inspect(bundle, None)
        assert (plan.founder, plan.new, plan.older) == ("Ana", 2, False)
        with pytest.raises(Refused, match="not confirmed") as caught:
            intake.accept_new(bundle, ledgers, objects)
        assert plan.fingerprint in caught.value.message and world.id in caught.value.hint
        with pytest.raises(Untrusted, match="not of"):
            intake.accept_new(bundle, ledgers, objects, trust="0" * 64)
        with pytest.raises(Untrusted, match="founder's key"):
            intake.accept_new(bundle, ledgers, objects, confirmed="SHA256:other")
        assert list(ledgers.glob("*")) == [] and list(ledgers.glob(".*")) == []
        made, done = intake.accept_new(bundle, ledgers, objects, trust=world.id)
        assert [p.name for p in ledgers.iterdir()] == [f"{world.id}.db"] == [made.name]
        assert done.plan == plan
        with pytest.raises(Refused, match="here already"):
            intake.accept_new(bundle, ledgers, objects, trust=world.id)
    brought = Ledger(made)
    assert (brought.projection.digest(), brought.verify()) == (ana.digest(), [])
    brought.close()
    with bundles.open_bundle(path) as bundle:
        intake.accept_new(bundle, tmp_path / "others", objects, confirmed=plan.fingerprint)


def test_another_project_is_refused(world: World, post: Post, state: State, tmp_path: Path) -> None:
    """THREATS 15: a bundle of another ledger changes nothing; nor does a plan of another bundle."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    first, path = post.send(ana), tmp_path / "other"
    path.mkdir()
    other = type(world)(path)
    eve = other.found("eve")
    foreign = post.send(eve).path
    other.close()
    before = state(bob)
    with pytest.raises(Untrusted, match="another project"):
        post.receive(bob, foreign)
    ana.declare("dataset", "telco")
    with bundles.open_bundle(first.path) as one, bundles.open_bundle(post.send(ana).path) as two:
        plan = intake.inspect(one, bob.ledger)
        with pytest.raises(Usage, match="another bundle"):
            intake.accept(two, bob.ledger, post.objects(bob), plan)
    assert state(bob) == before


def test_two_exports_are_equal_member_by_member(world: World, post: Post) -> None:
    ana = world.found("ana")
    handoff = ana.handoff()
    ana.sign_off(handoff)
    ana.act(
        handoff, "handoff.filed", {"file": {"path": "m", "sha256": post.objects(ana).put(b"x" * 9000), "size": 9000}}
    )
    one, two = post.send(ana), post.send(ana)
    assert one.identity == two.identity
    with zipfile.ZipFile(one.path) as a, zipfile.ZipFile(two.path) as b:
        assert a.namelist() == b.namelist() == sorted(a.namelist())
        for left, right in zip(a.infolist(), b.infolist(), strict=True):
            assert (left.date_time, left.external_attr >> 16, left.extra) == ((1980, 1, 1, 0, 0, 0), 0o100644, b"")
            assert left.CRC == right.CRC and a.read(left) == b.read(right)
        assert a.testzip() is None
    assert one.path.read_bytes() == two.path.read_bytes()


def test_the_embedded_verifier_agrees(world: World, post: Post) -> None:
    """C174: each bundle carries the released verifier byte for byte, and it finds the bundle sound."""
    ana = world.found("ana")
    ana.sign_off(ana.handoff())
    path = post.send(ana).path
    with zipfile.ZipFile(path) as archive:
        assert archive.read("verify.py") == Path(verify.__file__).read_bytes()
    assert verify.main([str(path), "--integrity-only"]) == 0


def test_forks_travel(world: World, post: Post) -> None:
    """Both branches of a fork are exported, taken in by whoever has either, and shown (docs/format.md section 9)."""
    ana = world.found("ana", bob=("ml_engineer",), cleo=("deployer",))
    bob, cleo = world.replica("bob"), world.replica("cleo")
    post.receive(bob, post.send(ana).path)
    post.receive(cleo, post.send(ana).path)
    copy = Ledger(world.folder / "copy.db", create=True, ledger=world.id)
    copy.take_in([(h.key, ana.ledger.lines(h.no, h.start, h.seq)) for h in ana.ledger.heads()], commit=True)
    dataset = ana.declare("dataset", "mine")
    copy.append(ana.chain, [ana.draft(dataset, "comment.added", {"text": "from the restored backup"})], world.tick())
    post.receive(bob, post.send(ana).path)
    restored = bundles.write(copy, post.objects(ana), post.folder / "copy.carnet.zip", chain=ana.chain)
    copy.close()
    plan = post.receive(bob, restored.path).plan
    assert plan.forks == (("Ana", 1),)
    post.receive(cleo, restored.path)  # Cleo has the other branch first
    from_bob = post.send(bob)
    assert any("~" in name for name in from_bob.heads)
    post.receive(cleo, from_bob.path)
    post.receive(bob, post.send(cleo).path)
    assert cleo.digest() == bob.digest()
    assert {(h.key, h.branch) for h in cleo.ledger.heads()} != {(h.key, h.branch) for h in bob.ledger.heads()}
    post.receive(ana, post.send(bob).path)
    assert {h.hash for h in ana.ledger.heads()} == {h.hash for h in bob.ledger.heads()}
    # An increment for Cleo, whose first branch is another one: nothing is lost and nothing sent twice.
    bob.comment(dataset, "after the fork")
    assert post.receive(cleo, post.send(bob, base=cleo.ledger.places()).path).plan.known == 0
    assert cleo.digest() == bob.digest()


def test_a_plan_tells_conflicts_and_consequences(world: World, post: Post) -> None:
    """Conflicts by item with each author's answer, and verdicts that change, before anything is written."""
    ana = world.found("ana", bob=("researcher",))
    bob = world.replica("bob")
    handoff = ana.handoff()
    post.receive(bob, post.send(ana).path)
    ana.answer(handoff, "data.1", "yes, looked")
    bob.answer(handoff, "data.1", "no, it leaks")
    path = post.send(bob).path

    def judge(ledger: Ledger) -> dict[str, str]:
        found = ledger.projection.changes(handoff, live_only=True)
        return {handoff: f"{sum(c.kind == 'item.answered' for c in found)} answers"}

    with bundles.open_bundle(path) as bundle:
        plan = intake.inspect(bundle, ana.ledger, judge=judge)
    (conflict,) = plan.conflicts
    assert (conflict.title, conflict.kind, conflict.field, conflict.count) == ("churn@7", "item.answered", "data.1", 2)
    assert [(s.name, s.value["answer"]["text"]) for s in conflict.sides] == [
        ("Ana", "yes, looked"),
        ("Bob", "no, it leaks"),
    ]
    assert [(c.handoff, c.before, c.after) for c in plan.consequences] == [(handoff, "1 answers", "2 answers")]


def test_a_plan_tells_what_waits_and_what_is_incomplete(world: World, post: Post) -> None:
    """THREATS 14: what the exporter held and neither the bundle nor this store has is named."""
    ana = world.found("ana", bob=("researcher",), cleo=("researcher",))
    bob, cleo = world.replica("bob"), world.replica("cleo")
    for one in (bob, cleo):
        post.receive(one, post.send(ana).path)
    cleo_sent = post.send(cleo)
    post.receive(bob, cleo_sent.path)
    dataset = bob.declare("dataset", "after Cleo")
    increment = post.send(bob, base={cleo.key: cleo_sent.heads[cleo.key], **ana.ledger.places()})
    plan = post.receive(ana, increment.path).plan
    assert [(i.name, i.theirs, i.ours) for i in plan.incomplete] == [("somebody unknown", 0, -1)]
    assert [(w.name, w.seq) for w in plan.waiting] == [("Bob", 1)]
    assert not ana.live(dataset)
    assert post.receive(ana, cleo_sent.path).plan.waiting == ()
    assert ana.live(dataset)


def test_a_plan_tells_erasures_and_control_characters(world: World, post: Post) -> None:
    """THREATS 24: text that could command a terminal is kept and counted. THREATS 37: what will be erased is said."""
    ana = world.found("ana", roles=("researcher", "eraser"), bob=("researcher",))
    bob = world.replica("bob")
    dataset = ana.declare("dataset", "telco")
    secret = ana.comment(dataset, "the customer's name")
    ana.comment(dataset, "evil \x1b]52;c;ZXZpbA==\x07 \u202e text, but \\u001b is only written out")
    gone = post.objects(ana).put(b"personal data")
    handoff = ana.handoff()
    ana.act(handoff, "handoff.filed", {"file": {"path": "p", "sha256": gone, "size": 13}}, gone)
    with_it = post.send(ana)
    post.receive(bob, with_it.path)
    assert post.objects(bob).has(gone)
    payload = ana.payload("value.erased", targets=[secret], objects=[gone], reason="asked to", t=world.now)
    ana.signed(world.entity, "value.erased", payload)
    sent = post.send(ana)
    assert sent.objects == 0
    plan = post.receive(bob, sent.path).plan
    assert [(e.name, e.reason, e.values, e.objects) for e in plan.erasures] == [("Ana", "asked to", 1, 1)]
    assert plan.control_characters == 3
    assert bob.why(secret) == "ERASED"
    post.objects(bob).forget(gone)
    assert post.receive(bob, with_it.path).objects == 0  # an old bundle does not bring back what was erased
    assert bob.why(secret) == "ERASED"


def test_who_may_export(world: World, post: Post) -> None:
    ana = world.found("ana")
    eve = world.replica("eve", open_chain=False)
    eve.pull(ana)
    with pytest.raises(Refused, match="no chain of yours"):
        post.send(eve)
    with pytest.raises(Invalid, match="cannot be written"):
        bundles.write(ana.ledger, post.objects(ana), post.folder / "no" / "x.carnet.zip", chain=ana.chain)
    with pytest.raises(NotFound):
        bundles.open_bundle(post.folder / "nothing.carnet.zip")
    assert list(post.folder.glob(".*")) == []


def test_a_newcomers_bundle_is_taken_in_and_says_so(world: World, post: Post) -> None:
    ana = world.found("ana")
    bob = world.replica("bob", open_chain=False)
    bob.pull(ana)
    value = {"name": "Bob", "mail": "bob@example.org", "key": bob.own.public.hex(), "roles": ["deployer"]}
    bob.open_chain(after=[(f"person:{bob.person[:32]}", "join.requested", value)])
    plan = post.receive(ana, post.send(bob).path).plan
    assert (plan.exporter, plan.exporter_note) == ("Bob", "joining not yet confirmed")


def test_large_ones_ask(world: World, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 40: more than 100,000 events or 1 GiB are taken in only when somebody agreed."""
    ana = world.found("ana", bob=("researcher",))
    bob = world.replica("bob")
    path = post.send(ana).path
    monkeypatch.setattr(bundles, "ASK_EVENTS", 0)
    with pytest.raises(Refused, match="very large"):
        post.receive(bob, path)
    assert post.receive(bob, path, consent=True).plan.new == 1


def test_the_manifest_says_what_the_format_says(world: World, post: Post) -> None:
    ana = world.found("ana")
    sent = post.send(ana)
    with zipfile.ZipFile(sent.path) as archive:
        manifest = json.loads(archive.read("carnet.json"))
    assert sorted(manifest) == [
        "base", "derived", "events", "exporter", "format", "heads", "ledger", "missing", "objects", "purpose", "segments", "t",
    ]  # fmt: skip
    (segment,) = manifest["segments"]
    assert sorted(segment) == ["chain", "from", "head", "path", "sha256", "size", "to"]
    assert (manifest["t"], manifest["heads"]) == (ana.ledger.heads()[0].t, ana.ledger.places())
