"""`verify.py` on whole bundles: it agrees with the fold on what counts, and finds whatever was changed.

THREATS 13 to 17, 21 to 23, 26, 28, 32, 33, 35, 36, 38, 43; R013 (verify names the first bad event), C174 (offline audit).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store.core import canonical, keys
from carnet_store.core.fold import Counts
from carnet_store.domain.gate import item_digest
from carnet_store.domain.handoff import read_handoff
from carnet_store.errors import CarnetError, Untrusted
from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake, verify
from carnet_store.exchange import manifest as manifests
from carnet_store.exchange.zipwriter import ZipWriter, pack_bytes

if TYPE_CHECKING:
    from tests.conftest import Replica, World

SCRIPT = Path(verify.__file__)
REASON = {
    Counts.YES: verify.YES,
    Counts.UNOPENED: verify.UNOPENED,
    Counts.STRANGER: verify.STRANGER,
    Counts.PENDING: verify.PENDING,
    Counts.REVOKED: verify.REVOKED,
    Counts.FORKED: verify.FORKED,
    Counts.UNKNOWN: verify.UNKNOWN,
    Counts.ABSENT: verify.ABSENT,
    Counts.ERASED: verify.ERASED,
    Counts.FORM: verify.FORM,
    Counts.BIRTH: verify.BIRTH,
    Counts.ROLE: verify.ROLE,
    Counts.SIGNATURE: verify.SIGNATURE,
    Counts.REPLAY: verify.REPLAY,
}
Edit = Callable[[dict[str, bytes], dict[str, Any]], None]


def bundle(replica: Replica, path: Path, edit: Edit | None = None, *, since: dict[str, str] | None = None) -> Path:
    """Write all that a store holds (or what is beyond `since`) as a bundle; `edit` may change entries and manifest."""
    base = since or {}
    entries: dict[str, bytes] = {"README.html": b"derived"}
    segments, heads, newest, events = [], {}, 0, 0
    for head in replica.ledger.heads():
        start = int(base[head.name].split(":")[0]) + 1 if head.name in base else head.start
        heads[head.name] = head.place
        newest = max(newest, head.t)
        if start > head.seq:
            continue
        lines = list(replica.ledger.lines(head.no, start, head.seq))
        data = b"".join(line + b"\n" for line in lines)
        name = manifests.segment_path(head.name, start, head.seq)
        entries[name] = data
        events += len(lines)
        segments.append(
            {"chain": head.name, "from": start, "to": head.seq, "head": head.place, "path": name,
             "sha256": "", "size": 0}
        )  # fmt: skip
    thing = b"an object of some bytes " * 100
    digest = hashlib.sha256(thing).hexdigest()
    entries[f"objects/sha256/{digest[:2]}/{digest}"] = thing
    manifest: dict[str, Any] = {
        "base": base, "derived": {"README.html": ""}, "events": events, "exporter": replica.key,
        "format": "carnet-bundle/1", "heads": heads, "ledger": replica.world.id, "missing": [],
        "objects": [{"sha256": digest, "size": len(thing)}], "purpose": "bundle",
        "segments": sorted(segments, key=lambda one: str(one["path"])), "t": newest,
    }  # fmt: skip
    if edit is not None:
        edit(entries, manifest)
    for segment in manifest["segments"]:
        data = entries[segment["path"]]
        segment["sha256"] = segment["sha256"] or hashlib.sha256(data).hexdigest()
        segment["size"] = segment["size"] or len(data)
    for name in manifest["derived"]:
        manifest["derived"][name] = hashlib.sha256(entries[name]).hexdigest()
    raw = canonical.encode(manifest)
    entries["carnet.json"] = raw
    sealed = keys.sign_envelope(replica.chain, "application/vnd.carnet.bundle+json", raw).encode()
    entries["carnet.json.sig"] = entries.pop("replaced signature", sealed)
    writer = ZipWriter(path)
    for name, data in sorted(entries.items()):
        writer.add(name, pack_bytes(data))
    writer.finish()
    return path


def run(path: Path, *options: str) -> tuple[int, str]:
    """Run the script as a command in this process: exit code and output."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = verify.main([str(path), *options])
    assert err.getvalue() == ""
    return code, out.getvalue()


def checked(path: Path) -> verify.Check:
    with path.open("rb") as file:
        return verify.Check(file, verify.Progress(quiet=True))


@pytest.fixture
def project(world: World) -> Iterator[tuple[Replica, Replica, str]]:
    """A handoff, sealed, answered by Ana, verified and signed by Ben; both stores hold all of it."""
    ana = world.found("ana", roles=("researcher", "eraser"), ben=("ml_engineer",))
    model = ana.declare("model", "churn", version="7")
    ana.declare("dataset", "telco")
    handoff = ana.handoff(model)
    ana.answer(handoff, "problem", "which customers leave")
    ana.answer(handoff, "data", "telco 2024")
    seal(ana, handoff)
    ben = world.replica("ben", open_chain=False)
    ben.pull(ana)
    ben.open_chain()
    answer = ben.live(handoff, "item.answered")[0]
    ben.act(handoff, "item.verified", {"answer": answer.id, "role": "ml_engineer", "agree": True}, answer.field)
    sign(ben, handoff, "ml_engineer", "acceptance")
    ana.pull(ben)
    sign(ana, handoff, "researcher", "authorship")
    ben.pull(ana)
    yield ana, ben, handoff


def seal(replica: Replica, handoff: str, round_: int = 1) -> str:
    """Seal a package of nothing but the model version, as the record stands."""
    from carnet_store.domain import package
    from carnet_store.domain.lineage import read_node

    read = read_handoff(handoff, replica.ledger.projection.changes(handoff))
    assert read is not None
    node = read_node(read.opened.model, replica.ledger.projection.changes(read.opened.model))
    assert node is not None
    return replica.act(
        handoff,
        "package.sealed",
        {"manifest": package.manifest(replica.world.id, read, [node], None, round_)},
        "package",
    )


def sign(replica: Replica, handoff: str, role: str, meaning: str, decision: str = "approve") -> str:
    """Sign off what stands, as the product does."""
    from carnet_store.domain import package
    from carnet_store.domain.handoff import Sealed

    read = read_handoff(handoff, replica.ledger.projection.changes(handoff))
    assert read is not None and read.seal is not None and isinstance(read.seal.value, Sealed)
    sealed = read.seal.value.manifest
    statement = replica.statement(handoff, decision, role, read.round)
    covers = ["problem", "data"]
    statement["subject"][0]["digest"]["sha256"] = package.digest(sealed)
    statement["predicate"] |= {
        "package": package.digest(sealed), "covers": covers, "seen": {i: item_digest(read, i) for i in covers},
        "template": package.template_digest(read), "meaning": meaning,
        "bound": {"model": package.parts(sealed)["model"]},
    }  # fmt: skip
    return replica.signed(handoff, "gate.signed", statement, (), "signed" if "\x1b" in role else f"{role}:{meaning}")


def states(path: Path) -> dict[str, tuple[str, str]]:
    """Return (state, why) of each sign-off by its signer's name."""
    code, text = run(path, "--json")
    assert code == 3
    (handoff,) = json.loads(text)["handoffs"]
    return {one["person"]["name"]: (one["state"], one["why"]) for one in handoff["signoffs"]}


# --- what it says of a good one ---------------------------------------------------------------------------------------


def test_good_bundle(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, _ = project
    path = bundle(ben, tmp_path / "b.carnet.zip")
    code, text = run(path, "--trust", ana.world.id)
    assert code == 0, text
    for words in ("Integrity     holds", "Attribution   holds", "Completeness  holds", "Not proven", "Ana", "Ben",
                  "FRESH", "acceptance", "held then", "receiver differ", "churn@7", "whole record"):  # fmt: skip
        assert words in text
    assert run(path)[0] == 3 and "founder not identified" in run(path)[1]
    assert run(path, "--integrity-only")[0] == 0
    code, text = run(path, "--trust", "0" * 64)
    assert code == 5 and ana.world.id in text


def test_on_a_bare_interpreter(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, _ = project
    path = bundle(ben, tmp_path / "b.carnet.zip")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), str(path), "--trust", ana.world.id, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["ledger"] == ana.world.id
    assert report["founder"]["name"] == "Ana" and report["exporter"]["name"] == "Ben"
    assert report["handoffs"][0]["differs"] is True
    assert {one["state"] for one in report["handoffs"][0]["signoffs"]} == {"fresh"}


def test_increment_is_not_the_whole_record(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, handoff = project
    since = {head.name: head.place for head in ana.ledger.heads()}
    ben.comment(handoff, "later")
    path = bundle(ben, tmp_path / "b.carnet.zip", since=since)
    code, text = run(path, "--trust", ana.world.id)
    assert code == 3 and "INCREMENT" in text and "not judged" in text
    assert run(path, "--integrity-only")[0] == 0


# --- it agrees with the fold ------------------------------------------------------------------------------------------


def agrees(replica: Replica, folder: Path) -> verify.Check:
    """Compare what counts and lives, change by change, with what this store folded from the same events."""
    check = checked(bundle(replica, folder / f"{replica.name}-{replica.store}.carnet.zip"))
    compared = 0
    for change in replica.ledger.projection.select("WHERE 1"):
        mine = check.record.by_id.get(change.id)
        if mine is None:
            continue
        assert (mine.counts, mine.live) == (REASON[change.counts], change.live), (
            change.kind,
            change.counts,
            mine.counts,
        )
        assert mine.person == change.person
        compared += 1
    assert compared >= len(check.record.by_id) > 0
    for entity in check.record.handoffs:
        read = read_handoff(entity, replica.ledger.projection.changes(entity))
        if read is not None:
            seen = check.record.seen_digests(entity)
            for item in {*read.answers, *read.waivers, *read.findings}:
                assert seen[item] == item_digest(read, item)
    return check


def test_agrees_on_a_plain_project(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    for one in project[:2]:
        agrees(one, tmp_path)


def test_agrees_on_who_may_replace(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 32: a stranger's or another role's `over` does nothing."""
    ana, ben, handoff = project
    mine = ana.live(handoff, "item.answered")[0]
    ben.act(handoff, "item.answered", {"role": "researcher", "answer": {"text": "no"}}, mine.field, [mine.id])
    ben.retract(handoff, [mine.id], mine.field)
    signed = next(c for c in ben.live(handoff, "gate.signed") if c.person == ana.person)
    ben.retract(handoff, [signed.id], signed.field)
    finding = ben.act(handoff, "finding.raised", {"text": "leak"}, "data")
    ana.pull(ben)
    ana.act(handoff, "finding.closed", {"text": "mended"}, "data", [finding])
    ana.answer(handoff, mine.field, "anew", over=[mine.id])
    ben.pull(ana)
    check = agrees(ben, tmp_path)
    assert check.record.by_id[signed.id].live
    assert not check.record.by_id[finding].live and not check.record.by_id[mine.id].live


def test_agrees_on_concurrent_answers(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, handoff = project
    held = [c.id for c in ana.live(handoff, "item.answered") if c.field == "data"]
    ana.answer(handoff, "data", "one", over=held)
    ben.answer(handoff, "data", "two", role="ml_engineer", over=held)
    ana.world.meet(ana, ben)
    agrees(ana, tmp_path)
    agrees(ben, tmp_path)


def test_agrees_on_signed_acts(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 33, 38: acts without the person's own signature, of another handoff, or carried twice, do not count."""
    ana, ben, handoff = project
    waiver = ben.payload("waiver.granted", handoff=handoff, t=ben.world.now, item="data", reason="r" * 20, mitigation="m",
                         expires=ben.world.now + 10**9, role="ml_engineer")  # fmt: skip
    good = ben.signed(handoff, "waiver.granted", waiver, field="data")
    again = ben.signed(handoff, "waiver.granted", waiver, field="data")
    stolen = ben.signed(handoff, "waiver.granted", {**waiver, "reason": "stolen" * 4}, by=["ana"], field="data")
    other = ben.handoff()
    moved = ben.signed(other, "waiver.granted", waiver, field="data")
    unsigned = ben.act(handoff, "waiver.granted", waiver, "data")
    ben.act(handoff, "waiver.withdrawn", {"reason": "over"}, "data", [good])
    check = agrees(ben, tmp_path)
    counts = {name: check.record.by_id[one].counts for name, one in
              (("good", good), ("again", again), ("stolen", stolen), ("moved", moved), ("unsigned", unsigned))}  # fmt: skip
    assert counts == {"good": "", "again": "replay", "stolen": "signature", "moved": "signature", "unsigned": "form"}
    assert not check.record.by_id[good].live
    assert ana.world.id == check.manifest.ledger


def test_agrees_on_unknown_kinds_and_wrong_births(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    _, ben, handoff = project
    ben.act(handoff, "gate.levitated!", {"x": 1})
    ben.act("handoff:" + "0" * 32, "handoff.opened", {"model": "m", "packs": [], "tier": "low"})
    ben.act(handoff, "item.verified", {"agree": "yes"}, "data")
    check = agrees(ben, tmp_path)
    assert check.handoff(handoff)["newer"] == ["gate.levitated"]


def test_agrees_on_erasure(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 28, 37: erased values are counted and named; only an eraser erases; sign-offs cannot be."""
    ana, ben, handoff = project
    target = next(c for c in ana.live(handoff, "item.answered") if c.field == "data")
    kept = ana.live(handoff, "gate.signed")[0]
    ben.erase(target.id)
    ana.erase(target.id, kept.id)
    assert not agrees(ana, tmp_path).record.by_id[target.id].counts  # sealed: two persons must sign
    ana.erase(target.id, kept.id, by=["ana", "ben"])
    check = agrees(ana, tmp_path)
    assert check.record.by_id[target.id].counts == "erased" and not check.record.by_id[kept.id].counts
    path = tmp_path / f"{ana.name}-{ana.store}.carnet.zip"
    assert "1 value erased by Ana" in run(path)[1]
    assert {state for state, _ in states(path).values()} == {"stale"}


def test_agrees_on_newcomers_and_rosters(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """Acts before admission are pending, then count; one that left is a stranger."""
    ana, _, handoff = project
    cem = ana.world.replica("cem", open_chain=False)
    invitation = ana.invite("cem")
    cem.join(ana, invitation)
    cem.comment(handoff, "hello")
    ana.pull(cem)
    assert "pending" in agrees(ana, tmp_path).record.uncounted
    ana.admit(cem)
    assert "pending" not in agrees(ana, tmp_path).record.uncounted
    cem.pull(ana)
    cem.comment(handoff, "still here")
    ana.roster(leave=["cem"])
    cem.pull(ana)
    cem.comment(handoff, "gone")
    ana.pull(cem)
    assert "stranger" in agrees(ana, tmp_path).record.uncounted


def test_agrees_on_disputed_rosters(world: World, tmp_path: Path) -> None:
    """THREATS 36: concurrent rosters: all removals take effect, grants only where all agree."""
    ana = world.found("ana", admins=["ana", "ben"], ben=("ml_engineer",), cem=("operator",))
    ben = world.replica("ben", open_chain=False)
    ben.pull(ana)
    ben.open_chain()
    ana.pull(ben)
    ana.roster(cem=("operator", "eraser"))
    ben.roster(remove=["cem"], ben=("ml_engineer", "eraser"))
    ana.roster(by=["ana"], admins=["ana"])  # two persons are needed for that
    world.meet()
    cem = world.replica("cem", open_chain=False)
    cem.pull(ana)
    cem.open_chain()
    handoff = cem.handoff()
    ana.pull(cem)
    check = agrees(ana, tmp_path)
    assert len(check.people.rosters) == 3
    assert check.record.handoffs[handoff][0].counts == "stranger"


def test_agrees_on_revocation(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 35: what lies beyond the last good place does not count until adopted, whatever it has seen."""
    ana, ben, handoff = project
    ana.revoke("ben")
    late = ben.comment(handoff, "after it")
    later = ben.comment(handoff, "after that")
    ana.pull(ben)
    check = agrees(ana, tmp_path)
    assert check.record.by_id[late].counts == check.record.by_id[later].counts == "revoked"
    ana.adopt_events(late)
    check = agrees(ana, tmp_path)
    assert check.record.by_id[late].counts == "" and check.record.by_id[later].counts == "revoked"


def test_agrees_on_a_fork(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 10, 11: both branches are kept; none counts from the fork on until the person adopts one."""
    ana, ben, handoff = project
    twin = ben.copy("restored")
    one, two = ben.comment(handoff, "one"), twin.comment(handoff, "two")
    ana.pull(ben)
    ana.pull(twin)
    check = agrees(ana, tmp_path)
    assert check.record.by_id[one].counts == check.record.by_id[two].counts == "forked"
    assert "is forked" in run(tmp_path / f"{ana.name}-{ana.store}.carnet.zip")[1]
    desk = ana.world.replica("ben", "desk", open_chain=False)
    desk.pull(ana)
    desk.open_chain()
    desk.adopt_fork(ben.key, one)
    ana.pull(desk)
    check = agrees(ana, tmp_path)
    assert check.record.by_id[one].counts == "" and check.record.by_id[two].counts == "forked"


def test_agrees_on_a_further_key(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, handoff = project
    ben.add_key("ben at work")
    waiver = ben.payload("waiver.granted", handoff=handoff, t=ben.world.now, item="data", reason="r" * 20, mitigation="m",
                         expires=ben.world.now + 10**9, role="ml_engineer")  # fmt: skip
    ben.signed(handoff, "waiver.granted", waiver, by=["ben at work"], field="data")
    ana.pull(ben)
    agrees(ana, tmp_path)


def test_waiting_events_do_not_count(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """THREATS 14: an event that saw what is not here waits, and it is said for whom."""
    ana, ben, handoff = project
    cem = ana.world.replica("cem", open_chain=False)
    cem.join(ana)
    cem.pull(ben)
    ben.comment(handoff, "unseen by ana")
    cem.pull(ben)
    cem.comment(handoff, "having seen it")
    ana.pull(cem, only=[cem.key])
    path = bundle(ana, tmp_path / "b.carnet.zip")
    code, text = run(path, "--trust", ana.world.id)
    assert code == 3 and "something named is not here" in text and f"had seen chain {ben.key[:16]}" in text
    assert all(event.label != cem.key or event.seq == 0 for event in checked(path).order)


@pytest.mark.parametrize("number", range(6))
def test_agrees_on_random_stories(world: World, tmp_path: Path, number: int) -> None:
    """The stories of the convergence test: forks, ends, erasures, joining, all at once, told in part."""
    path = Path(__file__).parents[1] / "properties" / "test_convergence.py"
    spec = importlib.util.spec_from_file_location("stories", path)
    assert spec is not None and spec.loader is not None
    stories = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stories)
    chance = Random(number)
    story = stories.Story(world, chance, 4)
    for _ in range(40):
        story.act(chance.choice(stories.ACTS))
    for one in story.stores:
        agrees(one, tmp_path)


ODD: list[Any] = [
    None, True, 0, -1, 2**52, "", "x", "\x00", [], ["a"], [1], [[]], {}, {"a": 1}, {"a": {"b": []}}, "0" * 64, ["0" * 64],
]  # fmt: skip


def crafted(random: Random, value: Any, depth: int = 0) -> Any:
    """Return a value with something odd in it, in one place or another."""
    if isinstance(value, dict) and value and random.random() < 0.9 - depth / 5:
        key = random.choice(sorted(value))
        if random.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: crafted(random, value[key], depth + 1)}
    if isinstance(value, list) and value and random.random() < 0.5:
        place = random.randrange(len(value))
        return [*value[:place], crafted(random, value[place], depth + 1), *value[place + 1 :]]
    return random.choice(ODD)


@pytest.mark.parametrize("number", range(4))
def test_agrees_on_crafted_values(project: tuple[Replica, Replica, str], tmp_path: Path, number: int) -> None:
    """Whatever members sign, the script neither falls over nor judges it in another way (THREATS 23, 40)."""
    ana, ben, handoff = project
    random = Random(number)
    good = [c for c in ana.ledger.projection.select("WHERE 1") if c.raw is not None and c.kind in verify.KINDS]
    person, key = ben.person, ben.own.public.hex()
    act = {"handoff": handoff, "t": 1, "reason": "r" * 20, "role": "ml_engineer", "item": "data", "answer": good[0].id}
    payloads: list[tuple[str, str, Any]] = [
        (ana.world.entity, "value.erased", {"targets": [good[0].id], "objects": [], "reason": "x", "t": 1}),
        (f"person:{person[:32]}", "person.revoked", {"person": person, "last": {}, "reason": "left", "why": "x"}),
        (f"person:{person[:32]}", "person.key_added", {"person": person, "key": key}),
        (f"person:{person[:32]}", "fork.adopted", {"chain": ben.key, "heads": ["0" * 64]}),
        (ana.world.entity, "event.adopted", {"events": ["0" * 64], "why": "x"}),
        (handoff, "waiver.granted", {**act, "mitigation": "m", "expires": 5}),
        (handoff, "na.confirmed", act),
        (handoff, "readback.confirmed", {**act, "agree": True}),
        (
            handoff,
            "handoff.returned",
            {"handoff": handoff, "t": 1, "round": 0, "package": "0" * 64, "items": {}, "reason": "x"},
        ),
    ]
    plain = [
        (handoff, "handoff.filed", {"file": {"path": "a", "sha256": "0" * 64, "size": 1}}),
        (handoff, "handoff.linked", {"entity": "dataset:" + "0" * 32}),
        (handoff, "handoff.repacked", {"packs": [], "tier": "low", "reason": "x", "facts": {}}),
        (handoff, "finding.raised", {"text": "x", "severity": "major"}),
        (f"person:{person[:32]}", "join.requested", {"name": "B", "mail": "", "key": key, "roles": []}),
    ]
    for _ in range(60):
        one = random.choice([ana, ben])
        if random.random() < 0.4:
            change = random.choice(good)
            value = json.loads(change.raw or b"")
            if "dsse" in value and random.random() < 0.8:
                payload = json.loads(keys.from_base64(value["dsse"][0]["payload"]))
                one.signed(change.entity, change.kind, crafted(random, payload), ["ana", "ben"], change.field)
            else:
                one.act(change.entity, change.kind, crafted(random, value), change.field)
        elif random.random() < 0.6:
            entity, kind, payload = random.choice(payloads)
            one.signed(entity, kind, crafted(random, one.payload(kind, **payload)), ["ana", "ben"], "data")
        else:
            entity, kind, value = random.choice(plain)
            one.act(entity, kind, crafted(random, value), "data", [c.id for c in good[:3]])
        if random.random() < 0.3:
            ana.world.meet(ana, ben)
    ana.world.meet(ana, ben)
    for one in (ana, ben):
        agrees(one, tmp_path)
        code, text = run(tmp_path / f"{one.name}-{one.store}.carnet.zip", "--json")
        assert code == 3 and json.loads(text)["handoffs"]


# --- sign-offs --------------------------------------------------------------------------------------------------------


def test_stale_by_an_answer(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, _, handoff = project
    held = [c.id for c in ana.live(handoff, "item.answered") if c.field == "data"]
    ana.answer(handoff, "data", "anew", over=held)
    found = states(bundle(ana, tmp_path / "b.carnet.zip"))
    assert set(found) == {"Ana", "Ben"}
    assert all(state == "stale" and "data" in why for state, why in found.values())


def test_stale_by_a_bound_part(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, _, _ = project
    model = next(
        e.id
        for e in [ana.change(c.id) for c in ana.ledger.projection.select("WHERE 1")]
        if e.entity.startswith("model:")
    )
    ana.act(ana.change(model).entity, "entity.described", {"value": "9"}, "trees")
    found = states(bundle(ana, tmp_path / "b.carnet.zip"))
    assert all(state == "stale" and "model" in why for state, why in found.values())


def test_comments_change_nothing(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, _, handoff = project
    ana.comment(handoff, "well done")
    assert {state for state, _ in states(bundle(ana, tmp_path / "b.carnet.zip")).values()} == {"fresh"}


def test_stale_by_a_new_round_and_a_return(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    ana, ben, handoff = project
    act = ben.payload(
        "handoff.returned", handoff=handoff, t=ben.world.now, round=1, package="9" * 64, items={}, reason="leak"
    )
    ben.signed(handoff, "handoff.returned", act)
    assert all("returned" in why for _, why in states(bundle(ben, tmp_path / "b.carnet.zip")).values())
    ana.pull(ben)
    seal(ana, handoff, 2)
    found = states(bundle(ana, tmp_path / "c.carnet.zip"))
    assert all(state == "stale" and "round 2" in why for state, why in found.values())


def test_void_without_the_role(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    _, ben, handoff = project
    sign(ben, handoff, "product_owner", "approval")
    code, text = run(bundle(ben, tmp_path / "b.carnet.zip"))
    assert code == 3 and "VOID" in text and "NOT held then" in text


def test_giver_alone(world: World, tmp_path: Path) -> None:
    ana = world.found("ana")
    handoff = ana.handoff()
    seal(ana, handoff)
    sign(ana, handoff, "researcher", "authorship")
    assert "do NOT differ" in run(bundle(ana, tmp_path / "b.carnet.zip"))[1]


# --- hostile --------------------------------------------------------------------------------------------------------


def test_any_flipped_bit_is_found(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    """Each byte is covered; what is wrong is named."""
    _, ben, _ = project
    path = bundle(ben, tmp_path / "b.carnet.zip")
    data = path.read_bytes()
    bad = tmp_path / "bad.carnet.zip"
    for place in [
        *range(0, len(data), len(data) // 60),
        len(data) - 1,
        len(data) - 70,
        len(data) - 88,
        len(data) - 100,
    ]:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        bad.write_bytes(changed)
        code, text = run(bad, "--trust", ben.world.id)
        assert code in (4, 5), place
        assert text.startswith(("DOES NOT HOLD", "MALFORMED")) and len(text.splitlines()) == 3


def test_cut_and_appended(project: tuple[Replica, Replica, str], tmp_path: Path) -> None:
    _, ben, _ = project
    data = bundle(ben, tmp_path / "b.carnet.zip").read_bytes()
    bad = tmp_path / "bad.carnet.zip"
    for changed in (data[:-1], data[: len(data) // 2], data + b"x", b"x" + data, data[:200] + data):
        bad.write_bytes(changed)
        assert run(bad)[0] in (4, 5)


def lines_of(
    entries: dict[str, bytes], manifest: dict[str, Any], chain: str
) -> tuple[str, list[bytes], dict[str, Any]]:
    segment = next(one for one in manifest["segments"] if one["chain"] == chain)
    return segment["path"], entries[segment["path"]].splitlines(keepends=True), segment


def attacks() -> Iterator[tuple[str, int, Callable[[Replica, Replica], Edit]]]:
    """Yield (name, exit code, editor) of bundles that a signer of the manifest could make."""

    def on_lines(change: Callable[[list[bytes]], None]) -> Callable[[Replica, Replica], Edit]:
        def make(ana: Replica, ben: Replica) -> Edit:
            def edit(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
                path, lines, segment = lines_of(entries, manifest, ana.key)
                before = len(lines)
                change(lines)
                entries[path] = b"".join(lines)
                if len(lines) != before:
                    manifest["events"] += len(lines) - before
                    segment["to"] += len(lines) - before
                    segment["path"] = manifests.segment_path(segment["chain"], segment["from"], segment["to"])
                    entries[segment["path"]] = entries.pop(path)
                    event = hashlib.sha256(canonical.encode(json.loads(lines[-1])[1])).hexdigest()
                    segment["head"] = manifest["heads"][ana.key] = f"{segment['to']}:{event}"

            return edit

        return make

    def swap(lines: list[bytes]) -> None:
        lines[2], lines[3] = lines[3], lines[2]

    def spoil_signature(lines: list[bytes]) -> None:
        one = json.loads(lines[2])
        other = json.loads(lines[3])
        lines[2] = lines[2].replace(one[0].encode(), other[0].encode())

    def spaces(lines: list[bytes]) -> None:
        lines[2] = lines[2].replace(b",", b", ", 1)

    def new_value(lines: list[bytes]) -> None:
        index = next(i for i, line in enumerate(lines) if b"telco 2024" in line)
        lines[index] = lines[index].replace(b"telco 2024", b"telco 2025")

    def new_time(lines: list[bytes]) -> None:
        t = json.loads(lines[2])[1]["t"]
        lines[2] = lines[2].replace(b'"t":%d' % t, b'"t":%d' % (t + 1))

    def newer(lines: list[bytes]) -> None:
        lines[2] = lines[2].replace(b'{"v":1', b'{"v":2')

    def spare_bits(lines: list[bytes]) -> None:
        signature = json.loads(lines[2])[0]
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        other = signature[:-3] + last[last.index(signature[-3]) ^ 1] + "=="
        lines[2] = lines[2].replace(signature.encode(), other.encode())

    def malleated(lines: list[bytes]) -> None:
        signature = keys.from_base64(json.loads(lines[2])[0])
        s = int.from_bytes(signature[32:], "little") + verify.L
        other = keys.to_base64(signature[:32] + s.to_bytes(32, "little"))
        lines[2] = lines[2].replace(keys.to_base64(signature).encode(), other.encode())

    def too_long(lines: list[bytes]) -> None:
        lines[2] = b'["' + b"x" * (2 << 20) + b'"]\n'

    def too_deep(lines: list[bytes]) -> None:
        lines[2] = b"[" * 500_000 + b"\n"

    def float_value(lines: list[bytes]) -> None:
        lines[2] = lines[2].replace(b'"n":1', b'"n":1.0')

    def bad_text(lines: list[bytes]) -> None:
        lines[2] = lines[2].replace(b'"n"', b'"\xff"')

    def huge_number(lines: list[bytes]) -> None:
        lines[2] = lines[2].replace(b'"n":1', b'"n":' + b"9" * 100_000)

    def no_line_feed(lines: list[bytes]) -> None:
        lines[-1] = lines[-1][:-1]

    yield "lines swapped", 5, on_lines(swap)
    yield "another event's signature", 5, on_lines(spoil_signature)
    yield "white space", 4, on_lines(spaces)
    yield "a value changed", 4, on_lines(new_value)
    yield "a header changed", 5, on_lines(new_time)
    yield "a newer event", 6, on_lines(newer)
    yield "spare bits of a signature", 4, on_lines(spare_bits)
    yield "S + L", 5, on_lines(malleated)
    yield "an event dropped from the middle", 5, on_lines(lambda lines: lines.__delitem__(2))
    yield "an event twice", 5, on_lines(lambda lines: lines.insert(2, lines[2]))
    yield "a line of 2 MiB", 4, on_lines(too_long)
    yield "nesting of 500,000", 4, on_lines(too_deep)
    yield "a float", 4, on_lines(float_value)
    yield "not UTF-8", 4, on_lines(bad_text)
    yield "a number of 100,000 digits", 4, on_lines(huge_number)
    yield "no last line feed", 4, on_lines(no_line_feed)

    def on_manifest(change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Callable[[Replica, Replica], Edit]:
        return lambda ana, ben: change

    def set_key(key: str, value: object) -> Callable[[Replica, Replica], Edit]:
        return on_manifest(lambda entries, manifest: manifest.__setitem__(key, value))

    def drop_chain(ana: Replica, ben: Replica) -> Edit:
        def edit(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
            path, lines, segment = lines_of(entries, manifest, ana.key)
            manifest["segments"].remove(segment)
            manifest["events"] -= len(lines)
            del entries[path], manifest["heads"][ana.key]

        return edit

    def own_digest(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["segments"][0]["sha256"] = "0" * 64

    def own_size(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["segments"][0]["size"] = 5

    def other_object(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = next(one for one in entries if one.startswith("objects/"))
        entries[name] = entries[name][:-1] + b"!"

    def lacking_object(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["objects"].append({"sha256": "f" * 64, "size": 1})

    def unlisted(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        entries[f"objects/sha256/aa/aa{'0' * 62}"] = b"x"

    def derived_ledger(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        manifest["derived"][manifest["segments"].pop()["path"]] = ""

    def other_head(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        chain, place = next(iter(manifest["heads"].items()))
        manifest["heads"][chain] = place[:-1] + ("0" if place[-1] != "0" else "1")

    def fake_attestation(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        name = f"attestations/{'0' * 64}.intoto.jsonl"
        entries[name] = b"{}\n"
        manifest["derived"][name] = ""

    def foreign_signature(ana: Replica, ben: Replica) -> Edit:
        def edit(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
            manifest["exporter"] = ana.key  # and signed by ben's chain below

        return edit

    def undelegated(ana: Replica, ben: Replica) -> Edit:
        def edit(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
            ben.chain = keys.Signer(b"\x01" * 32)
            manifest["exporter"] = ben.key

        return edit

    yield "another format", 6, set_key("format", "carnet-bundle/2")
    yield "another purpose", 4, set_key("purpose", "x")
    yield "another ledger", 5, set_key("ledger", "0" * 64)
    yield "another time", 5, set_key("t", 5)
    yield "another count", 4, set_key("events", 1)
    yield "a field too many", 4, set_key("extra", 1)
    yield "no heads", 4, set_key("heads", {})
    yield "heads of nonsense", 4, set_key("heads", {"x": "y"})
    yield "a base that is none", 4, set_key("base", {"0" * 64: "1"})
    yield "the founder's chain left out", 5, drop_chain
    yield "a segment's digest", 5, on_manifest(own_digest)
    yield "a segment's size", 5, on_manifest(own_size)
    yield "an object altered", 5, on_manifest(other_object)
    yield "an object listed and not there", 4, on_manifest(lacking_object)
    yield "an object there and not listed", 4, on_manifest(unlisted)
    yield "a segment passed off as derived", 4, on_manifest(derived_ledger)
    yield "a head altered", 5, on_manifest(other_head)
    yield "an attestation that nobody signed", 5, on_manifest(fake_attestation)
    yield "a manifest signed by another chain", 5, foreign_signature
    yield "a manifest signed by nobody's chain", 5, undelegated


ATTACKS = list(attacks())
CLOSER = ("a head altered", "an attestation that nobody signed")


@pytest.mark.parametrize(("code", "make"), [one[1:] for one in ATTACKS], ids=[one[0] for one in ATTACKS])
def test_attack_is_refused(
    project: tuple[Replica, Replica, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    code: int,
    make: Callable[[Replica, Replica], Edit],
) -> None:
    """Carnet refuses them, too; `CLOSER` are claims of the sender that an import has no use for and an auditor has."""
    ana, ben, _ = project
    path = bundle(ben, tmp_path / "b.carnet.zip", make(ana, ben))
    found, text = run(path, "--trust", ana.world.id)
    assert found == code, text
    assert len(text.splitlines()) == 3
    if request.node.callspec.id not in CLOSER:
        assert by_carnet(path, ana.world.id) in ((code,) if code == 6 else (4, 5))


def by_carnet(path: Path, ledger: str) -> int:
    """Return the exit code with which Carnet itself refuses a bundle, 0 where it takes it."""
    try:
        with bundles.open_bundle(path) as opened:
            if opened.ledger != ledger:
                return Untrusted.exit_code
            intake.inspect(opened, None)
    except CarnetError as error:
        return error.exit_code
    return 0


@pytest.mark.parametrize("number", range(60))
def test_crafted_manifests_and_lines_end_in_a_sentence(
    project: tuple[Replica, Replica, str], tmp_path: Path, number: int
) -> None:
    """THREATS 23: whatever a sender signs, the answer is a verdict or a refusal, never a traceback."""
    _, ben, _ = project
    random = Random(number)

    def craft_manifest(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        key = random.choice(sorted(manifest))
        manifest[key] = crafted(random, manifest[key])

    def craft_line(entries: dict[str, bytes], manifest: dict[str, Any]) -> None:
        path, lines, segment = lines_of(entries, manifest, ben.key)
        _, *parts = json.loads(lines[-1])
        place = random.randrange(3)
        parts[place] = crafted(random, parts[place])
        if isinstance(parts[0], dict) and place and random.random() < 0.8:
            shape = json.dumps(parts[1], separators=(",", ":"), ensure_ascii=False).encode()
            parts[0] |= {"shape": hashlib.sha256(shape).hexdigest(), "size": len(shape), "n": len(parts[1])}
        texts = [json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode() for one in parts]
        signed = keys.pae("application/vnd.carnet.event+json", texts[0])
        signature = keys.to_base64(ben.chain.sign(signed)).encode()
        entries[path] = b"".join(lines[:-1]) + b'["%b",%b]\n' % (signature, b",".join(texts))
        head = f"{segment['to']}:{hashlib.sha256(texts[0]).hexdigest()}"
        segment["head"] = manifest["heads"][ben.key] = head

    for edit in (craft_manifest, craft_line):
        path = tmp_path / f"{edit.__name__}.carnet.zip"
        try:
            bundle(ben, path, edit)
        except (CarnetError, KeyError, TypeError, ValueError, AttributeError):
            continue  # not even a hostile sender can write that
        for options in ((), ("--json",)):
            code, text = run(path, *options)
            assert code in (3, 4, 5, 6) and text.strip()


def test_hostile_names_do_not_reach_the_terminal(world: World, tmp_path: Path) -> None:
    """THREATS 24: names, reasons and kinds from elsewhere carry no escape sequence out."""
    evil = "\x1b[2J\x1b]0;owned\x07\u202e\u200f\u2028 evil"
    ana = world.found("ana", roles=("researcher", evil))
    handoff = ana.handoff(ana.declare("model", evil, version=evil))
    seal(ana, handoff)
    sign(ana, handoff, evil, evil)
    code, text = run(bundle(ana, tmp_path / "b.carnet.zip"))
    assert code == 3 and "owned" in text
    assert not any(ord(c) < 32 and c != "\n" for c in text)
    assert not set(text) & set("\x7f\x9b\u202e\u200f\u2028\u2029")
    assert "\x1b" not in run(tmp_path / "b.carnet.zip", "--json")[1]
