"""Machines with a command line each: own keys, own folder, one clock that moves a minute a call."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from carnet_tui.cli import main
from carnet_tui.session import Environment


@dataclass
class Said:
    """What a call said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as JSON."""
        return json.loads(self.out)

    @property
    def last(self) -> str:
        """The last line of stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


class Clock:
    """A clock of a test: 2026-04-14 09:00 UTC, and a minute later at each reading."""

    def __init__(self) -> None:
        self.now = 1_776_157_200_000

    def __call__(self) -> int:
        self.now += 60_000
        return self.now


@dataclass
class Machine:
    """One person's machine."""

    root: Path
    name: str
    clock: Callable[[], int]
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where its work lies."""
        return self.root / "work"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.environ = {"CARNET_CONFIG": str(self.root / "keys"), "PATH": "/usr/bin:/bin", **self.environ}

    def call(self, *words: str, stdin: str = "", folder: Path | None = None) -> Said:
        """Run a command line here; its words, its input, what it said."""
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(words, Environment(self.environ, self.clock, folder or self.folder))
        finally:
            sys.stdin = before
        return Said(code, out.getvalue(), err.getvalue())

    def ok(self, *words: str, stdin: str = "") -> Said:
        """Run a command line that must succeed."""
        said = self.call(*words, stdin=stdin)
        assert said.code == 0, (words, said.code, said.out, said.err)
        return said

    def send(self, other: Machine, name: str = "b.carnet.zip", *options: str) -> Path:
        """Write a bundle and carry the file to the other machine."""
        self.ok("export", name, *options)
        return Path(shutil.move(self.folder / name, other.folder / name))


Machines = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    """Make machines: `machine("Ana", "ana@example.org")`; each with an identity of that name."""
    clock = Clock()

    def make(name: str, mail: str = "", identity: bool = True) -> Machine:
        made = Machine(tmp_path / name.lower(), name, clock)
        if identity:
            made.ok("identity", "new", name, "--mail", mail or f"{name.lower()}@example.org")
        return made

    yield make


@pytest.fixture
def ana(machine: Machines) -> Machine:
    """A researcher who has founded `churn` and declared data, a run, a model version, criteria; nothing handed over."""
    here = machine("Ana")
    here.ok("init", "--project", "churn", "--team", "research")
    (here.folder / "telco.csv").write_text("id,churned\n1,0\n")
    here.ok(
        "add", "dataset", "telco", "--source", "https://example.org/telco", "--owner", "Farid", "--file", "telco.csv"
    )
    here.ok("add", "run", "r-012", "--command", "python train.py", "--used", "telco", "--param", "lr=0.6",
            "--metric", "auc=0.8405:holdout")  # fmt: skip
    here.ok("add", "model", "churn@1", "--made-by", "r-012")
    here.ok("add", "criteria", "churn", "--row", "primary: auc >= 0.83 on holdout")
    return here


@pytest.fixture
def opened(ana: Machine) -> Machine:
    """As `ana`, with a handoff of churn@1 open at the starter gate."""
    ana.ok("handoff", "open", "churn@1")
    return ana


@pytest.fixture
def pair(opened: Machine, machine: Machines) -> tuple[Machine, Machine]:
    """Ana, and Bo who is a researcher too, on two machines."""
    opened.ok("people", "invite", "Bo <bo@example.org>", "--role", "researcher", "--role", "ml_engineer")
    other = machine("Bo")
    opened.send(other)
    other.ok("import", "b.carnet.zip", "--trust", opened.ok("verify", "--json").json["projects"][0]["ledger"])
    other.ok("people", "join")
    other.send(opened)
    opened.ok("import", "b.carnet.zip")
    opened.ok("people", "admit", "Bo")
    opened.send(other)
    other.ok("import", "b.carnet.zip")
    return opened, other
