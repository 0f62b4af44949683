"""Hostile and damaged bundles: each is refused with the right class of error, and nothing is written (THREATS 13 to 23, 28, 29)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.keys import Signer
from carnet_store.errors import CarnetError, Invalid, TooNew, Untrusted
from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake
from carnet_store.exchange.manifest import PAYLOAD_TYPE
from carnet_store.exchange.zipwriter import ZipWriter, pack_bytes, writing
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import Replica, World
    from tests.exchange.conftest import Post

State = Callable[["Replica"], tuple[Any, ...]]
L = 2**252 + 27742317777372353535851937790883648493
ENTITY = "dataset:" + "0" * 32


class Forge:
    """Takes a bundle apart and writes it again, every digest made right, signed by whom one likes."""

    def __init__(self, path: Path, chain: Signer) -> None:
        with zipfile.ZipFile(path) as archive:
            self.entries = {name: archive.read(name) for name in archive.namelist()}
        self.path, self.chain = path.with_name("forged.carnet.zip"), chain
        self.manifest: dict[str, Any] = json.loads(self.entries.pop("carnet.json"))
        self.signature = self.entries.pop("carnet.json.sig")

    def lines(self, index: int = 0) -> list[bytes]:
        return self.entries[self.manifest["segments"][index]["path"]].splitlines()

    def set_lines(self, lines: list[bytes], index: int = 0, *, end: int | None = None) -> None:
        """Replace a segment's lines; its row follows (`to`, `head`, size, digest, number of events)."""
        row = self.manifest["segments"][index]
        del self.entries[row["path"]]
        data = b"".join(line + b"\n" for line in lines)
        row["to"] = row["from"] + len(lines) - 1 if end is None else end
        try:
            last = events.parse(lines[-1])
            row["head"] = f"{row['to']}:{last.id}"
        except CarnetError:
            row["head"] = f"{row['to']}:{row['head'].partition(':')[2]}"
        row["path"] = f"ledger/{row['chain']}/{row['from']}-{row['to']}.jsonl"
        row |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        self.entries[row["path"]] = data
        self.manifest["events"] = sum(s["to"] - s["from"] + 1 for s in self.manifest["segments"])

    def write(self, *, sign: bool = True) -> Path:
        raw = json.dumps(self.manifest, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        signature = keys.sign_envelope(self.chain, PAYLOAD_TYPE, raw).encode() if sign else self.signature
        entries = {**self.entries, "carnet.json": raw, "carnet.json.sig": signature}

        def fill(out: ZipWriter) -> None:
            for name in sorted(entries):
                out.add(name, pack_bytes(entries[name]))

        writing(self.path, fill)
        return self.path


@pytest.fixture
def pair(world: World, post: Post) -> tuple[Replica, Replica, Forge]:
    """Ana's store, Bob's empty one, and a bundle of Ana's with an object, open to be forged."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    dataset = ana.declare("dataset", "telco")
    ana.comment(dataset, "one")
    handoff = ana.handoff()
    held = post.objects(ana).put(b"model bytes " * 50)
    ana.act(handoff, "handoff.filed", {"file": {"path": "m", "sha256": held, "size": 600}}, held)
    return ana, bob, Forge(post.send(ana).path, ana.chain)


def refused(
    bob: Replica, post: Post, state: State, path: Path, *kinds: type[CarnetError], match: str | None = None
) -> CarnetError:
    before = state(bob)
    with pytest.raises(kinds, match=match) as caught:
        post.receive(bob, path)
    assert state(bob) == before
    assert caught.type in kinds and caught.value.message
    return caught.value


def test_a_forge_that_changes_nothing_is_accepted(pair: tuple[Replica, Replica, Forge], post: Post) -> None:
    ana, bob, forge = pair
    assert post.receive(bob, forge.write()).plan.new == 6
    assert bob.ledger.places().items() >= ana.ledger.places().items()


def craft(chain: Signer, seq: int, prev: str, t: int, raw: bytes, *, kind: str = "comment.added") -> bytes:
    """Return a signed line whose one value is `raw`, whatever that is."""
    salt = "00" * 16
    shape = canonical.encode([[ENTITY, kind, "", [], canonical.commitment(salt, raw)]])
    header = json.dumps(
        {"v": 1, "seq": seq, "prev": prev, "t": t, "n": 1, "size": len(shape), "shape": hashlib.sha256(shape).hexdigest()},
        separators=(",", ":"),
    ).encode()  # fmt: skip
    signature = base64.b64encode(chain.sign(events.signed_bytes(header)))
    return b'["%b",%b,%b,[["%b",%b]]]' % (signature, header, shape, salt.encode(), raw)


DEEP = b'{"a":' * 40 + b"1" + b"}" * 40
VALUES: dict[str, bytes] = {
    "deep": DEEP, "very deep": b"[" * 200_000 + b"]" * 200_000, "a huge integer": b'{"text":' + b"9" * 5000 + b"}",
    "2^53": b'{"text":9007199254740992}', "a float": b'{"text":1.5}', "an exponent": b'{"text":1e3}', "minus zero": b'{"text":-0}',
    "NaN": b'{"text":NaN}', "Infinity": b'{"text":Infinity}', "a key twice": b'{"text":"a","text":"b"}',
    "keys not sorted": b'{"b":1,"a":2}', "white space": b'{"text": "a"}', "a lone surrogate": b'{"text":"\\ud800"}',
    "an escape that need not be": b'{"text":"\\u0041"}', "a slash escaped": b'{"text":"a\\/b"}', "bad UTF-8": b'{"text":"\xff"}',
    "an overlong zero": b'{"text":"\xc0\x80"}', "a raw control character": b'{"text":"\x1b"}', "a key that is not ASCII": '{"é":1}'.encode(),
    "nothing": b"", "two values": b"1,2", "a comment": b"{}/**/", "a long line": b'{"text":"' + b"x" * (1 << 20) + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("what", VALUES)
def test_hostile_json(pair: tuple[Replica, Replica, Forge], post: Post, state: State, what: str) -> None:
    """THREATS 23: what is not canonical is refused, however well it is signed."""
    _, bob, forge = pair
    lines = forge.lines()
    last = events.parse(lines[-1])
    bad = craft(forge.chain, last.header.seq + 1, last.id, last.header.t, VALUES[what])
    forge.set_lines([*lines, bad])
    forge.manifest["heads"][forge.manifest["exporter"]] = forge.manifest["segments"][0]["head"]
    refused(bob, post, state, forge.write(), Invalid)


def test_crafted_lines_that_are_good_are_taken(pair: tuple[Replica, Replica, Forge], post: Post) -> None:
    _, bob, forge = pair
    lines = forge.lines()
    last = events.parse(lines[-1])
    good = craft(forge.chain, last.header.seq + 1, last.id, last.header.t, b'{"text":"fine"}')
    forge.set_lines([*lines, good])
    assert post.receive(bob, forge.write()).plan.new == 7


def change_value(lines: list[bytes]) -> list[bytes]:
    assert b'"one"' in lines[2]
    return [*lines[:2], lines[2].replace(b'"one"', b'"two"'), *lines[3:]]


def change_header(lines: list[bytes]) -> list[bytes]:
    old = b'"t":%d' % events.parse(lines[2]).header.t
    return [*lines[:2], lines[2].replace(old, b'"t":%d' % (events.parse(lines[2]).header.t + 1)), *lines[3:]]


def alter_signature(line: bytes, change: Callable[[bytes], bytes]) -> bytes:
    raw = change(base64.b64decode(line[2:90]))
    return b'["' + base64.b64encode(raw) + line[90:]


def plus_order(raw: bytes) -> bytes:
    return raw[:32] + (int.from_bytes(raw[32:], "little") + L).to_bytes(32, "little")


LINES: dict[str, tuple[type[CarnetError], Callable[[list[bytes]], list[bytes]]]] = {
    "13 a value changed": (Invalid, change_value),
    "13 a header changed": (Untrusted, change_header),
    "13 an event dropped": (Invalid, lambda ls: [*ls[:2], *ls[3:]]),
    "13 two swapped": (Invalid, lambda ls: [*ls[:2], ls[3], ls[2], *ls[4:]]),
    "13 one twice": (Untrusted, lambda ls: [*ls[:3], ls[2], *ls[3:]]),
    "13 nothing but the last": (Invalid, lambda ls: ls[-1:]),
    "17 a forged signature": (Untrusted, lambda ls: [*ls[:-1], alter_signature(ls[-1], lambda _: bytes(64))]),
    "17 a signature of another": (
        Untrusted, lambda ls: [*ls[:-1], alter_signature(ls[-1], lambda _: Signer(bytes(32)).sign(events.parse(ls[-1]).signed_bytes))],
    ),
    "18 garbage in the middle": (Untrusted, lambda ls: [ls[0], alter_signature(ls[1], lambda raw: raw[:-1] + b"\0"), *ls[2:]]),
    "20 S + L": (Untrusted, lambda ls: [*ls[:-1], alter_signature(ls[-1], plus_order)]),
    "43 spare bits of base64": (Invalid, lambda ls: [*ls[:-1], ls[-1][:87] + bytes([ls[-1][87] + 1]) + ls[-1][88:]]),
    "an empty line": (Invalid, lambda ls: [*ls[:2], b"", *ls[2:]]),
    "no JSON": (Invalid, lambda ls: [*ls[:-1], b"hello"]),
}  # fmt: skip


@pytest.mark.parametrize("what", LINES)
def test_events_changed(pair: tuple[Replica, Replica, Forge], post: Post, state: State, what: str) -> None:
    """THREATS 13, 17, 18, 20: an exporter who alters, drops, reorders or inserts events is refused."""
    _, bob, forge = pair
    kind, change = LINES[what]
    forge.set_lines(change(forge.lines()))
    error = refused(bob, post, state, forge.write(), Invalid, Untrusted)
    assert type(error) is kind, error


def test_a_courier_who_cuts_or_strips(pair: tuple[Replica, Replica, Forge], post: Post, state: State) -> None:
    """THREATS 14: without the exporter's key nothing can be cut; who has the key leaves the heads that show it."""
    ana, bob, forge = pair
    lines = forge.lines()
    forge.set_lines(lines[:3])
    refused(bob, post, state, forge.write(sign=False), Invalid)
    plan = post.receive(bob, forge.write()).plan
    assert [(i.name, i.theirs, i.ours) for i in plan.incomplete] == [("Ana", 5, 2)]
    forge.manifest["heads"] = {}
    refused(bob, post, state, forge.write(), Invalid, match="head it does not name")
    assert ana.ledger.places() != bob.ledger.places()


MANIFESTS: dict[str, tuple[type[CarnetError], Callable[[dict[str, Any]], object]]] = {
    "a newer format": (TooNew, lambda m: m.update(format="carnet-bundle/2")),
    "another purpose": (Invalid, lambda m: m.update(purpose="gate.signed")),
    "a field too many": (Invalid, lambda m: m.update(extra=1)),
    "a field too few": (Invalid, lambda m: m.pop("missing")),
    "another number of events": (Invalid, lambda m: m.update(events=m["events"] + 1)),
    "another ledger": (Untrusted, lambda m: m.update(ledger="ab" * 32)),
    "an exporter who is nobody's": (Untrusted, lambda m: m.update(exporter="ab" * 32)),
    "a digest": (Untrusted, lambda m: m["segments"][0].update(sha256="ab" * 32)),
    "a size": (Untrusted, lambda m: m["segments"][0].update(size=1)),
    "a head": (Untrusted, lambda m: m["segments"][0].update(head=f"{m['segments'][0]['to']}:{'ab' * 32}")),
    "a path": (Invalid, lambda m: m["segments"][0].update(path="ledger/../../etc/passwd")),
    "a chain": (Invalid, lambda m: m["segments"][0].update(chain="../x")),
    "a segment backwards": (Invalid, lambda m: m["segments"][0].update({"from": 9})),
    "a segment twice": (Invalid, lambda m: m["segments"].append(m["segments"][0])),
    "a segment less": (Invalid, lambda m: m["segments"].pop()),
    "an object too many": (Invalid, lambda m: m["objects"].append({"sha256": "ab" * 32, "size": 1})),
    "an object's size": (Untrusted, lambda m: m["objects"][0].update(size=1)),
    "a derived file too many": (Invalid, lambda m: m["derived"].update({"x.py": "ab" * 32})),
    "a derived file's digest": (Untrusted, lambda m: m["derived"].update({"README.html": "ab" * 32})),
    "events called derived": (Invalid, lambda m: m["derived"].update({m["segments"][0]["path"]: "ab" * 32})),
    "a head that is none": (Invalid, lambda m: m["heads"].update(x="y")),
    "a float": (Invalid, lambda m: m.update(t=1.5)),
    "a negative size": (Invalid, lambda m: m["missing"].append({"sha256": "ff" * 32, "size": -1})),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_manifests_changed(pair: tuple[Replica, Replica, Forge], post: Post, state: State, what: str) -> None:
    """What the manifest says must be so, even where its signature holds."""
    _, bob, forge = pair
    kind, change = MANIFESTS[what]
    change(forge.manifest)
    error = refused(bob, post, state, forge.write(), Invalid, Untrusted, TooNew)
    assert type(error) is kind, error


def test_the_manifests_signature(pair: tuple[Replica, Replica, Forge], post: Post, state: State, world: World) -> None:
    """THREATS 17: a manifest altered by a courier, signed by another key or by a chain that nobody delegated."""
    _, bob, forge = pair
    forge.manifest["t"] += 1
    refused(bob, post, state, forge.write(sign=False), Invalid)
    forge.chain = bob.chain
    refused(bob, post, state, forge.write(), Untrusted, match="not signed by its exporter")
    nobody = Signer(bytes(32))
    forge.chain, forge.manifest["exporter"] = nobody, nobody.public.hex()
    refused(bob, post, state, forge.write(), Untrusted, match="no person delegated")
    for signature in (b"not an envelope", b"{}", b"[" * 100_000, forge.signature + b" "):
        forge.signature = signature
        refused(bob, post, state, forge.write(sign=False), Invalid)


def test_a_small_order_key(pair: tuple[Replica, Replica, Forge], post: Post, state: State) -> None:
    """THREATS 19: a chain whose key lets one signature fit every message is refused."""
    _, bob, forge = pair
    key = (b"\1" + bytes(31)).hex()  # the identity
    row = dict(forge.manifest["segments"][0])
    line = craft(forge.chain, 0, bob.world.id, 1, b'{"text":"x"}')
    line = alter_signature(line, lambda _: b"\1" + bytes(63))
    row |= {"chain": key, "from": 0}
    forge.manifest["segments"].insert(0, row)
    forge.entries[row["path"]] = forge.entries[forge.manifest["segments"][1]["path"]]
    head = f"0:{events.parse(line).id}"
    path = f"ledger/{key}/0-0.jsonl"
    data = line + b"\n"
    forge.entries[path] = data
    row |= {"path": path, "to": 0, "head": head, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    forge.manifest["heads"][key] = head
    forge.manifest["segments"].sort(key=lambda s: s["path"])
    forge.manifest["events"] += 1
    refused(bob, post, state, forge.write(), Untrusted, match="signature does not hold")


def test_an_object_altered_or_under_another_name(
    pair: tuple[Replica, Replica, Forge], post: Post, state: State
) -> None:
    """THREATS 29: an object's bytes must have the digest that is its name; none of the bundle is kept otherwise."""
    ana, bob, forge = pair
    path = next(name for name in forge.entries if name.startswith("objects/"))
    forge.entries[path] = forge.entries[path][:-1] + b"!"
    refused(bob, post, state, forge.write(), Untrusted, match="digest")
    with bundles.open_bundle(forge.path) as bundle, bundles.open_bundle(post.send(ana).path) as good:
        plan = intake.inspect(good, bob.ledger)
        before = state(bob)
        with pytest.raises(Untrusted, match="digest"):  # the copy is checked, too, not only the inspection
            intake.accept(bundle, bob.ledger, post.objects(bob), replace(plan, bundle=bundle.identity))
        assert state(bob) == before


def test_a_newer_event(pair: tuple[Replica, Replica, Forge], post: Post, state: State) -> None:
    _, bob, forge = pair
    lines = forge.lines()
    forge.set_lines([*lines[:-1], lines[-1].replace(b'{"v":1,', b'{"v":2,', 1)])
    assert refused(bob, post, state, forge.write(), TooNew).exit_code == 6


def test_values_withheld_are_taken_and_shown_as_absent(pair: tuple[Replica, Replica, Forge], post: Post) -> None:
    """THREATS 28: a line without its value is the same event; the value comes with another bundle."""
    ana, bob, forge = pair
    lines = forge.lines()
    event = events.parse(lines[2])
    forge.set_lines([*lines[:2], events.without_values(event, {0}), *lines[3:]])
    plan = post.receive(bob, forge.write()).plan
    assert [(g.kind, g.count) for g in plan.uncounted] == [("its value was not delivered", 1)]
    assert bob.why(event.id) == "ABSENT"
    whole = post.receive(bob, post.send(ana).path).plan
    assert (whole.new, whole.filled) == (0, 1)
    assert bob.why(event.id) == "YES"


# --- interrupted ------------------------------------------------------------------------------------------------------

_IMPORT = """
import sys, pathlib
from carnet_store.exchange import bundle, intake
from carnet_store.storage import ledger, objects
store, path, where, stop = sys.argv[1:5]
held = ledger.Ledger(pathlib.Path(store))
objects = objects.Objects(pathlib.Path(where))
b = bundle.open_bundle(pathlib.Path(path))
plan = intake.inspect(b, held, objects)
def progress(what, done, of):
    print(what, done, flush=True)
    if what == stop:
        sys.stdin.readline()
intake.accept(b, held, objects, plan, progress=progress)
print("accepted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX matter")
@pytest.mark.parametrize("stop", ["objects", "events", ""])
def test_killed_while_importing(world: World, post: Post, state: State, stop: str) -> None:
    """THREATS 2: killed anywhere the old state stays, or the new one is whole."""
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    dataset = ana.declare("dataset", "telco")
    drafts = [[ana.draft(dataset, "comment.added", {"text": f"{number}"})] for number in range(1100)]
    ana.ledger.append_many(ana.chain, drafts, world.tick())
    held = post.objects(ana).put(b"bytes")
    handoff = ana.handoff()
    ana.act(handoff, "handoff.filed", {"file": {"path": "m", "sha256": held, "size": 5}}, held)
    path = post.send(ana).path
    before = state(bob)[:4]
    child = subprocess.Popen(
        [sys.executable, "-c", _IMPORT, str(bob.path), str(path), str(post.objects(bob).root), stop],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None and child.stdin is not None
    for line in child.stdout:
        if line.split()[0] == (stop or "accepted"):
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    if stop:
        assert state(bob)[:4] == before
        assert post.receive(bob, path).plan.new == 1105
    else:
        assert bob.ledger.count() == 1106 and post.objects(bob).check(held)
    assert bob.ledger.verify() == []
    assert bob.live(handoff)


def test_a_disk_that_fails_while_importing(
    pair: tuple[Replica, Replica, Forge], post: Post, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """THREATS 4: the cause is said, nothing stays, and the next try succeeds."""
    _, bob, forge = pair
    path = forge.write()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as failing:
            target = os if name == "fsync" else Path

            def fail(*_args: object) -> None:
                raise OSError(28, "No space left on device")

            failing.setattr(target, name, fail)
            refused(bob, post, state, path, Invalid, match="No space left")
    assert post.receive(bob, path).objects == 1


def test_a_new_project_that_fails_leaves_nothing(pair: tuple[Replica, Replica, Forge], tmp_path: Path) -> None:
    _, _, forge = pair
    lines = forge.lines()
    forge.set_lines([*lines[:-1], alter_signature(lines[-1], lambda _: bytes(64))])
    ledgers, objects = tmp_path / "ledgers", Objects(tmp_path / "new-objects")
    with bundles.open_bundle(forge.write()) as bundle, pytest.raises(Untrusted):
        intake.accept_new(bundle, ledgers, objects, trust=bundle.ledger)
    assert list(ledgers.iterdir()) == []
    assert [p for p in objects.root.rglob("*") if p.is_file()] == []


def test_a_project_without_its_founding(pair: tuple[Replica, Replica, Forge], post: Post, tmp_path: Path) -> None:
    """A bundle that lacks the founding cannot begin a project, whatever it is trusted as."""
    ana, bob, _ = pair
    bob.pull(ana)
    only = {name: place for name, place in ana.ledger.places().items()}
    path = post.send(bob, base=only).path
    with bundles.open_bundle(path) as bundle, pytest.raises(Untrusted, match="founding"):
        intake.accept_new(bundle, tmp_path / "ledgers", Objects(tmp_path / "o"), trust=bundle.ledger)
    fresh = Ledger(tmp_path / "fresh.db", create=True, ledger=ana.world.id)
    with bundles.open_bundle(path) as bundle, pytest.raises(Untrusted, match="founding"):
        intake.inspect(bundle, fresh)
    fresh.close()
