"""Whole ways through the program, by keys alone in a real terminal: the demo's five steps; two stores and a gate between them."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LIVE = b"\x1b[?1003h"
SIZES = ((80, 24), pytest.param((160, 48), marks=pytest.mark.thorough))
QUIET = 0.25
Start = Callable[..., Any]


class Person:
    """Somebody at a keyboard."""

    def __init__(self, terminal: Any) -> None:
        self.terminal = terminal.until(lambda one: LIVE in one.raw).settle()

    @property
    def text(self) -> str:
        """The screen."""
        return str(self.terminal.text)

    def press(self, *keys: str) -> None:
        """Press keys one after another, each when the one before was answered within a while and the screen stands still."""
        for key in keys:
            seen = len(self.terminal.raw)
            self.terminal.send(key)
            with contextlib.suppress(AssertionError):  # a key that changes nothing is answered by nothing
                self.terminal.until(lambda one, seen=seen: len(one.raw) > seen, patience=1.0)
            self.terminal.settle(QUIET)

    def see(self, *words: str) -> None:
        """Wait until these words stand on the screen."""
        for word in words:
            self.terminal.until(word)
        self.terminal.settle(QUIET)

    def to(self, words: str) -> None:
        """Move the cursor to the first row with these words."""
        self.see(words)
        for _ in range(60):
            lines = self.terminal.lines
            here = next(at for at, line in enumerate(lines) if line.startswith("▌"))
            wanted = next(at for at, line in enumerate(lines) if words in line[:78])
            if here == wanted:
                return
            self.press("j" if wanted > here else "k")
        raise AssertionError(f"the cursor never came to {words!r}:\n{self.text}")

    def become(self, name: str) -> None:
        """Be another of the people at hand, in the inbox."""
        self.press("1", "@")
        self.see("Who are you?")
        self.press(name, "enter")
        self.see(f"You are {name}")

    def sign(self, why: str) -> None:
        """Fill the open sign-off dialog: approve, a reason, the digest's first characters as they stand there."""
        self.see("YOU SIGN")
        digest = re.search(r"digest\s+([0-9a-f]{4}) ", self.text)
        assert digest is not None, self.text
        self.press("right", "enter", why, "enter", digest[1], "enter")
        self.terminal.until(lambda one: "YOU SIGN" not in one.text).settle(QUIET)

    def agree(self) -> None:
        """Agree with the item of the review."""
        self.press("v", "y")

    def confirm(self) -> None:
        """Type the first characters of the digest that a dialog shows."""
        self.see("first four characters")
        digest = re.search(r"digest\s+([0-9a-f]{4}) ", self.text)
        assert digest is not None, self.text
        self.press(digest[1], "enter")

    def leave(self) -> None:
        """Quit."""
        self.press("1", "escape")
        assert self.terminal.wait() == 0
        self.terminal.assert_given_back()


def carnet(folder: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    import os

    around = {name: value for name, value in os.environ.items() if not name.startswith("CARNET")} | (env or {})
    command = [sys.executable, "-m", "carnet_tui", *words]
    return subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_demos_five_steps(spawn: Start, tmp_path: Path, size: tuple[int, int]) -> None:
    """One person brings the demo's gate to passed and sends a bundle that verifies, by keys alone."""
    place = tmp_path / "demo"
    env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "carnet_tui", "demo", "--to", str(place)]
    me = Person(spawn(command, cols=size[0], rows=size[1], cwd=tmp_path, env=env))
    # 1 settle the conflict
    me.see("DEMO", "1 item answered apart")
    me.press("enter")
    me.see("2 answers given apart")
    me.press("enter", "enter")
    me.see("settled")
    # 2 review, answer or waive
    me.press("1")
    me.to("review: 2 items yours")
    me.press("enter")
    me.see("features.contract")
    me.agree()
    me.see("own.readback")
    me.agree()
    me.see("2 drafts as one record")
    me.press("enter")
    me.see("in order now")
    me.become("Aiko Mori")
    me.to("review: 1 item yours")
    me.press("enter")
    me.see("observe.plan")
    me.agree()
    me.press("right", "enter", "enter")
    me.see("in order now: observe.plan")
    me.become("Grace Lindqvist")
    me.to("your sign-off went stale")
    me.press("enter")
    me.see("YOU SIGN")
    me.press("escape", "f")
    me.to("operate.failover")
    me.press("w")
    me.see("Waive operate.failover")
    me.press("the second host comes in May", "ctrl+d", "the list by contract stands in", "enter", "enter")
    me.confirm()
    me.see("waived")
    # 3 re-sign what went stale, 4 sign the gate
    me.press("s")
    me.sign("seen again after the change")
    for name, row in (
        ("Tomasz Wilk", "your sign-off went stale"), ("Aiko Mori", "sign as operator"), ("Ines Duarte", "sign as researcher"),
    ):  # fmt: skip
        me.become(name)
        me.to(row)
        me.press("enter")
        me.sign("as it stands")
    me.see("passed")
    # 5 export; all that is in it is verified
    me.press("6")
    me.see("the whole record")
    me.to("the whole record")
    me.press("enter")
    me.see("Write a bundle", "nothing written yet")
    me.press("enter")
    me.see("Pass this file on")
    me.press("enter")
    me.terminal.until(lambda one: re.search("(✓( [a-z-]+)? ){5}──", one.text) is not None)
    me.leave()
    demo = json.loads((place / ".carnet" / "demo.json").read_text())
    [bundle] = place.glob("*.carnet.zip")
    assert carnet(place, "gate", demo["handoff"]).returncode == 0
    verifies(bundle, tmp_path)


def verifies(bundle: Path, folder: Path) -> str:
    """Verify a bundle with the product, and with the script that it carries on a Python that knows nothing else; return its ledger."""
    with zipfile.ZipFile(bundle) as opened:
        (folder / "verify.py").write_bytes(opened.read("verify.py"))
        ledger = json.loads(opened.read("carnet.json"))["ledger"]
    done = carnet(folder, "verify", str(bundle), "--trust", ledger)
    assert done.returncode == 0, done.stdout + done.stderr
    command = [sys.executable, "-I", str(folder / "verify.py"), str(bundle), "--trust", ledger]
    alone = subprocess.run(command, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    return str(ledger)


PACK = """\
carnet: template/v1
kind: gate
id: small
version: 1.0.0
title: Small
summary: Two items.
transition: {from: research, to: engineering}
roles: [researcher, ml_engineer]
tiers:
  A: {title: Critical, meaning: Everything}
  B: {title: Standard, meaning: Most}
  C: {title: Experimental, meaning: Little}
signoffs:
  - {role: researcher, meaning: authorship}
  - {role: ml_engineer, meaning: acceptance-of-responsibility, distinct_from: [researcher]}
policy: {sealed_package: true, open_blocking_questions: 0}
defaults: {answers: researcher, verifies: ml_engineer, severity: major, na: reason, binds: [package], waiver_by: researcher,
  waiver_days: 60, source: [OURS]}
sections:
- id: work
  title: The work
  items:
  - {id: work.problem, title: The problem is stated, type: text, help: Who decides what., why: It is asked.}
  - {id: work.ready, title: It is ready, type: confirm, help: Nothing is left., why: It is asked.}
"""


class Two:
    """Two people, each with keys, a folder and a terminal of their own."""

    def __init__(self, spawn: Start, folder: Path, size: tuple[int, int]) -> None:
        self.spawn, self.folder, self.size = spawn, folder, size
        self.sent: set[Path] = set()

    def env(self, name: str) -> dict[str, str]:
        """Return what is that person's."""
        return {"CARNET_CONFIG": str(self.folder / name / "keys"), "HOME": str(self.folder / name)}

    def command(self, name: str, *words: str) -> str:
        """Do what is not this journey's subject by command."""
        done = carnet(self.folder / name, *words, env=self.env(name))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sit(self, name: str) -> Person:
        """Open the screens as that person."""
        command = [sys.executable, "-m", "carnet_tui"]
        where = self.folder / name
        return Person(self.spawn(command, cols=self.size[0], rows=self.size[1], cwd=where, env=self.env(name)))

    def carry(self, giver: str, taker: str) -> str:
        """Carry the newest bundle over; return its name."""
        [bundle] = set((self.folder / giver).glob("*.carnet.zip")) - self.sent
        made = self.folder / taker / bundle.name
        made.write_bytes(bundle.read_bytes())
        self.sent |= {bundle, made}
        return bundle.name


def send(me: Person, row: str) -> None:
    """Write a bundle by the exchange's row."""
    me.press("6")
    me.to(row)
    me.press("enter")
    me.see("Write a bundle")
    me.press("enter")
    me.see("Pass this file on")
    me.press("enter")


def take(me: Person, name: str) -> None:
    """Take in a bundle that lies beside the store."""
    me.press("6")
    me.to(name[:24])
    me.press("enter")
    me.see("every signature, link and digest holds")
    me.press("enter")
    me.see("Took in")


def answer_text(me: Person, item: str, text: str) -> None:
    """Answer an item as text, from the handoff."""
    me.to(item)
    me.press("a", "y")
    me.see("ctrl+d")
    me.press(text, "ctrl+d")
    me.see("nothing written yet")
    me.press("enter")


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_two_stores_and_a_gate(spawn: Start, tmp_path: Path, size: tuple[int, int]) -> None:
    """Opened here, answered apart, settled, signed, sent, taken in there, and passed there: by keys alone."""
    two = Two(spawn, tmp_path, size)
    for name in ("ana", "tom"):
        (tmp_path / name).mkdir()
        two.command(name, "identity", "new", name.capitalize(), "--mail", f"{name}@example.org")
    (tmp_path / "small.yaml").write_text(PACK, encoding="utf-8")
    two.command("ana", "init", "--project", "churn", "--team", "research", "--template", str(tmp_path / "small.yaml"))
    invitation = ("Tom <tom@example.org>", "--role", "ml_engineer", "--role", "researcher", "--team", "engineering")
    two.command("ana", "people", "invite", *invitation)
    two.command("ana", "add", "model", "churn", "--version", "1")

    ana = two.sit("ana")
    ana.press("2", "n", "y")
    ana.see("Which gate?")
    ana.press("small", "enter", "enter", "enter")
    ana.see("opened a handoff of churn@1")
    send(ana, "the whole record")
    name = two.carry("ana", "tom")
    ana.press("1")
    ana.to("answer: 2 items")
    ana.press("enter")
    answer_text(ana, "work.problem", "who leaves within the month")

    tom = two.sit("tom")
    tom.press("down", "enter")
    tom.see(name)
    tom.press("enter")
    tom.see("new here")  # the plan, without a store: it is made when the plan is taken in
    assert not (tmp_path / "tom" / ".carnet").exists()
    key = re.search("SHA256:(.{6})", tom.text)
    assert key is not None
    tom.press("enter", key[1], "enter")
    tom.see("You are no member yet")
    tom.press("enter", "enter")
    tom.see("accepted the invitation")
    tom.press("1")
    tom.to("churn@1")
    tom.press("enter")
    answer_text(tom, "work.problem", "who leaves within the quarter")
    send(tom, "research")
    take(ana, two.carry("tom", "ana"))

    ana.to("wants to join")
    ana.press("enter")
    ana.see("WAITS TO JOIN")
    ana.press("enter", "enter")
    ana.see("admitted Tom")
    ana.press("1")
    ana.to("answered apart")
    ana.press("enter")
    ana.see("who leaves within the month", "who leaves within the quarter")
    ana.press("enter", "enter")
    ana.see("settled")
    ana.press("escape")
    ana.to("work.ready")
    ana.press("a", "y")
    ana.see("nothing written yet")
    ana.press("enter", "s")
    ana.see("Seal the package")
    ana.press("enter")
    ana.see("2 items wait for Tom to verify", "a signature now would turn stale")
    ana.press("enter", "s")
    ana.see("NOT YET", "YOU SIGN")  # said again where one signs all the same: not yet
    ana.press("escape")
    send(ana, "engineering (Tom)")

    take(tom, two.carry("ana", "tom"))
    tom.to("review: 2 items")
    tom.press("enter")
    tom.agree()
    tom.see("work.ready")
    tom.agree()
    tom.see("2 drafts as one record")
    tom.press("enter")
    tom.see("in order now")
    tom.press("s")
    tom.see("Sign as what?")
    tom.press("b")
    tom.sign("I can run it")
    send(tom, "research (Ana)")

    take(ana, two.carry("tom", "ana"))
    ana.to("sign as researcher")
    ana.press("enter")
    ana.see("The gate passes.")
    ana.sign("it is as described")
    ana.see("passed")
    send(ana, "engineering (Tom)")
    take(tom, two.carry("ana", "tom"))
    tom.see("passed: research")
    send(tom, "the whole record")
    name = two.carry("tom", "ana")
    ana.leave()
    tom.leave()

    handoff = json.loads(two.command("tom", "handoff", "list", "--json"))[0]["handoff"]
    two.command("tom", "gate", handoff)
    ledger = verifies(tmp_path / "ana" / name, tmp_path)
    judged = carnet(tmp_path, "gate", handoff, "--bundle", str(tmp_path / "ana" / name), "--trust", ledger)
    assert judged.returncode == 0, judged.stdout + judged.stderr
