"""Small real stores: four people, a model version with its lineage, a starter handoff in the middle of its way."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from carnet_store import Desk, Project
from carnet_store.domain.answer_input import parse_answer
from carnet_store.work.identity import Identity, Keyring
from carnet_store.work.templates import packs_for

START = 1_770_000_000_000  # 2 February 2026
MINUTE = 60_000
PEOPLE = (
    ("Ana", "researcher", "research"),
    ("Tom", "ml_engineer", "engineering"),
    ("Grace", "product_owner", "product"),
    ("Aiko", "operator", "operations"),
    ("Rosa", "risk_officer", "risk"),
)
ROWS = {
    "rep.rnd.seeds": [{"source": "python", "seed": "7", "set_where": "train.py"}],
    "prod.reliability": [
        {"objective": "availability", "target": "99.5", "unit": "%", "window": "30 days"},
        {"objective": "latency", "target": "120", "unit": "ms", "window": "p99"},
    ],
    "prod.migration": [
        {"step": "shadow run", "owner": "Tom", "due": "2026-03-18", "way_back": "stop it"},
        {"step": "cut over", "owner": "Aiko", "due": "2026-04-01", "way_back": "the old list"},
    ],
    "people.responsibilities": [
        {"task": "answer questions", "answerable": "Ana", "consulted": "Tom", "informed": "Grace", "due": "2026-06-01"},
        {"task": "run it", "answerable": "Aiko", "consulted": "Tom", "informed": "Grace", "due": "2026-06-01"},
        {"task": "watch it", "answerable": "Aiko", "consulted": "Ana", "informed": "Grace", "due": "2026-06-01"},
    ],
}
READBACK = (
    "It ranks customers by how likely they leave within the month, for the retention team's calls.\n\n"
    "It fails on customers of under one year, where it is close to guessing.\n\n"
    "When the drift check turns red I stop the calls from it and tell Ana the same day."
)


class Tour:
    """A store with a project `churn` and everybody's keys; `at(name)` acts as somebody. The clock goes on by a minute an act."""

    def __init__(self, folder: Path, *, passphrase: str | None = None) -> None:
        self.folder = folder
        self.ms = START
        self.ids: dict[str, str] = {}
        self.step = 1000
        self._drawn = 0
        self.environ = {"CARNET_CONFIG": str(folder / "keys")}
        self.keyring = Keyring(folder / "keys", entropy=self.entropy)
        self.people: dict[str, Identity] = {
            name: self.keyring.new(name, f"{name.lower()}@example.org", passphrase if name == "Tom" else None)
            for name, _, _ in PEOPLE
        }
        made = Desk.create(folder / "work", who="Ana", environ=self.environ, clock=self.clock)
        self.desk = Desk(made.store, self.keyring, self.people["Ana"], entropy=self.entropy)
        self.project: Project
        self.project, _ = self.desk.found("churn", roles=["researcher"], team="research")
        for name, role, team in PEOPLE[1:]:
            self._join(name, role, team)
        self.desk.become(self.people["Ana"])

    def entropy(self, size: int) -> bytes:
        """Return bytes that are the same in every run."""
        self._drawn += 1
        return hashlib.sha512(f"tour {self._drawn - 1}".encode()).digest()[:size]

    def copy(self, folder: Path) -> Tour:
        """Return the same in another folder, to go on from here apart."""
        shutil.copytree(self.folder, folder)
        made: Tour = object.__new__(Tour)
        made.__dict__.update(self.__dict__)
        made.folder, made.ids = folder, dict(self.ids)
        made.environ = {"CARNET_CONFIG": str(folder / "keys")}
        made.keyring = Keyring(folder / "keys", entropy=made.entropy)
        here = {one.person: one for one in made.keyring.identities()}
        made.people = {name: here[one.person] for name, one in self.people.items()}
        opened = Desk.open(folder / "work", who="Ana", environ=made.environ, clock=made.clock)
        made.desk = Desk(opened.store, made.keyring, made.people["Ana"], entropy=made.entropy)
        made.project = made.desk.store.project(self.project.id)
        return made

    def clock(self) -> int:
        """Return the time, ms."""
        self.ms += self.step
        return self.ms

    def freeze(self) -> None:
        """Let the clock stand, so that ages on a screen are the same in every run."""
        self.step = 0

    def _join(self, name: str, role: str, team: str) -> None:
        who = self.people[name]
        self.at("Ana").invite(who.name, who.mail, [role], team)
        acts = self.at(name)
        mine = next(row for row in acts.invitations() if row[2] == who.mail)
        acts.join(mine[0])
        self.at("Ana").admit(who.person)

    def at(self, name: str) -> Any:
        """Return the acts of somebody; the desk is that person's from here on."""
        self.ms += MINUTE
        self.desk.become(self.people[name])
        return self.desk.acts(self.project)

    def lineage(self) -> None:
        """Declare dataset, runs, model, criteria, decision."""
        ana = self.at("Ana")
        self.dataset = ana.declare(
            "dataset", "telco", attrs={"source": "IBM sample", "owner": "Farid"}, digests={"sha256": "a1" * 32}
        ).entity
        self.early = ana.declare(
            "run", "r-007", attrs={"command": "python train.py --params r-007.json"},
            metrics=[{"name": "auc", "value": "0.9056", "split": "holdout"}], edges=[("used", self.dataset)],
        ).entity  # fmt: skip
        self.run = ana.declare(
            "run", "r-012", attrs={"command": "python train.py --params r-012.json"}, params={"rate": "0.06"},
            metrics=[{"name": "auc", "value": "0.8405", "split": "holdout"}, {"name": "ece", "value": "0.0195"}],
            edges=[("used", self.dataset)],
        ).entity  # fmt: skip
        self.model = ana.declare("model", "churn", version="2", digests={"sha256": "c4" * 32}).entity
        ana.link(self.run, "made", self.model)
        self.criteria = ana.set_criteria(
            "churn",
            [{"id": "primary", "metric": "AUC", "name": "auc", "op": ">=", "value": "0.83", "split": "holdout"}],
        ).entity
        self.decision = ana.decide(
            "which model", "gradient boosting", "it beats the baseline clearly on every slice",
            options=[{"title": "gradient boosting"}, {"title": "logistic regression"}],
            constraints=["explainable to agents"], about=[self.model],
        ).entity  # fmt: skip

    def open(self) -> str:
        """Open the starter handoff; return its id."""
        self.lineage()
        self.handoff = str(
            self.at("Ana")
            .open_handoff(
                self.model, packs_for("starter-research-to-engineering"), criteria=self.criteria,
                entities=[self.run, self.dataset],
            )
            .entity
        )  # fmt: skip
        self.ids = {"handoff": self.handoff, "model": self.model, "run": self.run, "decision": self.decision}
        return self.handoff

    def answer(self, name: str, item: str, raw: object) -> None:
        """Answer an item as somebody."""
        acts = self.at(name)
        look = self.project.look(self.handoff)
        asked = look.checklist.item(item)
        assert asked is not None
        value = parse_answer(asked, raw, self.project.lookups(look))
        acts.answer(self.handoff, {item: value})

    def half(self) -> str:
        """Open the handoff and bring it halfway: three items in order, one to verify, the package sealed."""
        self.open()
        self.answer("Ana", "framing.problem", "Each month retention calls the customers with a score over one half.")
        self.at("Grace").verify(self.handoff, "framing.problem", agree=True)
        self.answer("Ana", "framing.criteria", [self.criteria])
        self.at("Grace").verify(self.handoff, "framing.criteria", agree=True)
        self.answer("Ana", "approach.decision", [self.decision])
        self.at("Ana").seal(self.handoff)
        self.desk.become(self.people["Ana"])
        return self.handoff

    def ready(self) -> str:
        """Bring the handoff to where only signatures are missing."""
        self.half()
        self.at("Tom").verify(self.handoff, "approach.decision", agree=True)
        self.answer("Ana", "approach.evaluation", "r-012 auc")
        lock = self.folder / "requirements.lock"
        lock.write_text("# the standard library only\n")
        look = self.project.look(self.handoff)
        item = look.checklist.item("rep.env.lock")
        assert item is not None
        self.at("Ana").answer(
            self.handoff,
            {"rep.env.lock": parse_answer(item, str(lock), put_file=lambda p: self.project.put_file(Path(p)))},
        )
        self.answer("Ana", "rep.rnd.seeds", ROWS["rep.rnd.seeds"])
        output = self.project.objects.put(b"bitwise\n")
        result = {"command": "python receiver_rerun.py", "exit_code": 0, "output": {"sha256": output, "size": 8}}
        self.answer("Tom", "rebuild.receiver_rerun", result)
        self.answer("Aiko", "prod.reliability", ROWS["prod.reliability"])
        self.answer("Tom", "prod.migration", ROWS["prod.migration"])
        self.answer("Grace", "people.responsibilities", ROWS["people.responsibilities"])
        self.answer("Tom", "people.readback", READBACK)
        for _ in range(3):
            for one in self.project.look(self.handoff).status.items:
                if one.state == "answered":
                    holders = self.project.members().holders(one.turn)
                    names = {identity.person: name for name, identity in self.people.items()}
                    other = next(p for p in holders if one.answer is None or p != one.answer.person)
                    self.at(names[other]).verify(self.handoff, one.item.id, agree=True)
        self.at("Ana").seal(self.handoff)
        self.desk.become(self.people["Ana"])
        return self.handoff

    def close(self) -> None:
        """Close the store."""
        self.desk.close()
