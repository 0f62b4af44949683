"""The demo: whole, by itself, on its own day; its five steps follow the record and end with a gate that is really passed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from carnet_store import CarnetError, Desk, Refused
from carnet_store.exchange import verify
from carnet_tui import demo
from carnet_tui.demo import Demo, demo_steps, guide, open_demo, read_demo, run, sample_folder, unpack


def states(desk: Desk) -> str:
    return "".join("x" if done else "." for _, done in demo_steps(desk))


def become(desk: Desk, name: str) -> None:
    desk.become(desk.keyring.choose(name))


def test_the_constants_are_those_of_the_bundles() -> None:
    """The pinned ledger id is that of every bundle that is kept; a marker in another store counts for nothing (C174)."""
    bundles = sorted((sample_folder() / "built").rglob("*.carnet.zip"))
    assert len(bundles) == 4
    for path in bundles:
        with zipfile.ZipFile(path) as opened:
            assert json.loads(opened.read("carnet.json"))["ledger"] == demo.LEDGER


def test_what_waits_when_the_demo_opens(unpacked: Demo) -> None:
    """12 items, 8 done; a conflict, a stale signature, items to review, a gate to sign, a second handoff with the full pack."""
    with open_demo(unpacked, environ={}) as desk:
        project = desk.project()
        look = project.look(unpacked.handoff)
        assert (look.status.done, len(look.status.items)) == (8, 12)
        assert look.status.verdict == "blocked"
        assert {i.item.id: i.state for i in look.status.items if not i.settled} == {
            "observe.plan": "conflict", "features.contract": "answered", "own.readback": "answered",
            "operate.failover": "open",
        }  # fmt: skip
        kinds = [duty.kind for _, duty in desk.inbox() if duty.entity == unpacked.handoff]
        assert kinds == ["conflict", "stale", "review"]
        other = [(duty.subject, duty.kind) for _, duty in desk.inbox() if duty.gate == "research > engineering"]
        assert ("churn@1", "sign") in other  # the fallback's gate lacks one signature
        second = project.look(unpacked.second)
        assert second.handoff.gate.id == "research-to-engineering" and len(second.status.items) > 60
        assert [i.item.id for i in second.status.items if i.answers]  # carried over from the starter
        first = next(h for h in project.handoffs() if h.gate.id.startswith("starter-research") and h.round == 2)
        assert project.look(first.id).status.verdict == "passed" and len(first.returns) == 1
        assert project.ledger.verify() == []
        assert list(project.uncounted()) == []


def test_day_keys_and_person_are_the_demos_own(unpacked: Demo, tmp_path: Path) -> None:
    """Identities come from the demo's folder alone; the clock begins on the pinned day and goes on."""
    with open_demo(unpacked, environ={"CARNET_CONFIG": str(tmp_path / "mine")}) as desk:
        assert desk.me is not None and desk.me.name == demo.WHO
        assert {i.name for i in desk.keyring.identities()} == {
            row.name for row in desk.project().members().people.values()
        }
        seed = hashlib.sha256(b"carnet-sample:Ines Duarte").digest()
        assert desk.keyring.unlock(desk.keyring.choose("Ines")).public == verify_key(seed)
        assert 0 <= desk.store.clock() - demo.NOW < 600_000
    assert not (tmp_path / "mine").exists()
    assert unpacked.environ({"CARNET_ME": "aiko"})["CARNET_ME"] == "aiko"
    assert unpacked.environ({"CARNET_ME": "me at work"})["CARNET_ME"] == demo.WHO


def verify_key(seed: bytes) -> bytes:
    from nacl.signing import SigningKey

    return bytes(SigningKey(seed).verify_key)


def test_each_replica_says_what_it_is(unpacked: Demo) -> None:
    """Research's and operations' replicas lie below, with the same keys; research has not heard of the conflict yet."""
    for team in ("research", "operations"):
        found = read_demo(unpacked.root.parent / team / ".carnet")
        assert found is not None and found.keys == unpacked.keys.resolve() and found.handoff == unpacked.handoff
        with open_demo(found, environ={}) as desk:
            assert desk.i().name == demo.REPLICAS[team]
            states = {i.item.id: i.state for i in desk.project().look(found.handoff).status.items}
            assert states["observe.plan"] == {"research": "ok", "operations": "conflict"}[team]
    assert read_demo(unpacked.root) == unpacked
    assert read_demo(unpacked.root.parent) is None


def test_five_steps_to_a_passed_gate(demo_desk: Desk) -> None:
    """One person, five steps, every state read from the record; the bundle of the end is verified by a script without Carnet."""
    desk = demo_desk
    found = read_demo(desk.store.root)
    assert found is not None and states(desk) == "....."
    project, gate = desk.project(), found.handoff
    answers = project.look(gate).handoff.answers["observe.plan"]
    mine = next(c for c in answers if c.person == desk.i().person)
    desk.acts(project).settle(gate, "observe.plan", mine.id)
    assert states(desk) == "x...."
    for item in ("features.contract", "own.readback"):
        desk.acts(project).verify(gate, item, agree=True)
    become(desk, "Aiko")
    desk.acts(project).verify(gate, "observe.plan", agree=True)
    become(desk, "Grace")
    desk.acts(project).waive(gate, "operate.failover", "The second site opens in June", "the list by contract", 45)
    assert states(desk) == "xx..."
    desk.acts(project).sign(gate, "product_owner", "as settled")
    become(desk, "Tomasz")
    desk.acts(project).sign(gate, "ml_engineer", "as settled")
    assert states(desk) == "xxx.."
    become(desk, "Ines")
    desk.acts(project).sign(gate, "researcher", "the same model")
    become(desk, "Aiko")
    desk.acts(project).sign(gate, "operator", "I can run it and take it back")
    assert project.look(gate).status.verdict == "passed" and states(desk) == "xxxx."
    path = desk.store.root.parent / "churn@2.carnet.zip"
    desk.export(project, path)
    assert states(desk) == "xxxxx"
    script = Path(verify.__file__)
    done = subprocess.run(
        [sys.executable, "-I", script, path, "--trust", demo.LEDGER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert states(desk) == "xxxx."  # a bundle that does not verify is none


def test_a_step_opens_again_when_the_record_says_so(demo_desk: Desk) -> None:
    """No step is remembered: another answer to the settled item is a conflict again."""
    desk = demo_desk
    found = read_demo(desk.store.root)
    assert found is not None
    project = desk.project()
    kept = project.look(found.handoff).handoff.answers["observe.plan"][0]
    desk.acts(project).settle(found.handoff, "observe.plan", kept.id)
    assert states(desk)[0] == "x"
    become(desk, "Aiko")
    rows = {"state": "given", "rows": [{"signal": "mean score", "kind": "quality", "limit": "0.3"}]}
    desk.acts(project).answer(found.handoff, {"observe.plan": rows})
    assert states(desk)[0] == "." and "observe.plan" in guide(desk)[0][1]


def test_a_marker_in_a_real_store_is_ignored(unpacked: Demo, tmp_path: Path) -> None:
    """Nobody stops the clock of a store by putting a marker there, nor of a demo that holds another project too."""
    with Desk.create(tmp_path, who=None, environ={"CARNET_CONFIG": str(tmp_path / "keys")}) as desk:
        desk.found("mine")
        marker = desk.store.root / demo.MARKER
        marker.write_bytes((unpacked.root / demo.MARKER).read_bytes())
        assert read_demo(desk.store.root) is None and demo_steps(desk) == []
        (desk.store.root / "ledgers" / f"{demo.LEDGER}.db").write_bytes(b"")
        assert read_demo(desk.store.root) is None
    for damaged in (b"", b"[]", b"{}", b'{"format": "carnet-demo/1"}', b"\xff"):
        marker.write_bytes(damaged)
        assert read_demo(marker.parent) is None


def test_a_marker_never_points_at_real_keys(unpacked: Demo, tmp_path: Path) -> None:
    """The keys of a demo lie in its own folder; a marker that names another place makes no demo."""
    root = tmp_path / ".carnet"
    (root / "ledgers").mkdir(parents=True)
    (root / "ledgers" / f"{demo.LEDGER}.db").write_bytes(b"")
    values = json.loads((unpacked.root / demo.MARKER).read_bytes())
    for keys, good in (("keys", True), ("../keys", True), ("/home/me/.config/carnet", False), ("../../keys", False)):
        (root / demo.MARKER).write_text(json.dumps({**values, "keys": keys}))
        assert (read_demo(root) is not None) == good


def test_from_a_wheel(tmp_path: Path) -> None:
    """An installed Carnet brings the sample along: the demo unpacks where there is no checkout."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(Path(__file__).resolve().parents[2])).build(
        directory=str(tmp_path / "dist"), versions=["standard"]
    )
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "site")
    code = (
        "import sys, pathlib, carnet_tui.demo as d; print(d.sample_folder()); sys.exit(d.run(pathlib.Path('d'), False))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout and "DEMO as Tomasz Wilk" in done.stdout


def test_unpacking_never_overwrites(unpacked: Demo, tmp_path: Path) -> None:
    """A folder that is not empty is refused; an empty one is used; nothing half-made stays behind."""
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="not empty"):
        unpack(tmp_path / "used")
    assert [p.name for p in tmp_path.iterdir()] == ["used"]
    assert (tmp_path / "used" / "thesis.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(CarnetError, match="cannot be written"):
        unpack(tmp_path / "file" / "demo")


def test_run_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`carnet demo --to DIR` unpacks, says where and as whom, lists the steps; a second call goes on with what is there."""
    before = dict(os.environ)
    assert run(tmp_path / "here", False) == 0
    out, err = capsys.readouterr()
    assert "DEMO as Tomasz Wilk, 2026-04-15" in out and out.count("open") == 5
    assert "Unpacked" in err
    assert (tmp_path / "here" / "finished" / "churn-telco.carnet.zip").is_file()
    assert (tmp_path / "here" / "project" / "train.py").is_file()
    assert run(tmp_path / "here", True) == 0
    assert "Going on" in capsys.readouterr().err
    assert dict(os.environ) == before
