"""A company for the tests of the front door: four people, one project, a model version ready to be handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk, Look, Project
from carnet_store.domain.answer_input import parse_answer
from carnet_store.storage.acts import Acts, Written
from carnet_store.work.identity import Identity, Keyring
from carnet_store.work.templates import packs_for

MINUTE = 60_000
START = 1_772_000_000_000


@dataclass
class Clock:
    """A clock that a test winds; each look at it passes a minute."""

    now: int = START

    def __call__(self) -> int:
        self.now += MINUTE
        return self.now


def entropy_of(name: str) -> Callable[[int], bytes]:
    """Random bytes that are the same in each run."""
    count = 0

    def give(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{name}:{count}".encode()).digest(size)

    return give


@dataclass
class Company:
    """Ana (researcher, founder), Tom (ml engineer), Grace (product owner), Aiko (operator), Rosa (risk officer) on one store."""

    desk: Desk
    project: Project
    clock: Clock
    people: dict[str, Identity]
    ids: dict[str, str] = field(default_factory=dict)

    def acts(self, name: str) -> Acts:
        """What `name` can do here."""
        self.desk.become(self.people[name])
        return self.desk.acts(self.project)

    def person(self, name: str) -> str:
        """A person's id."""
        return self.people[name].person

    def look(self) -> Look:
        """The handoff now."""
        return self.project.look(self.ids["handoff"])

    def answer(self, name: str, item: str, raw: Any) -> Written:
        """Answer an item as a person types it, or with a ready value."""
        asked = self.look().checklist.item(item)
        assert asked is not None
        value: Mapping[str, Any] = raw if isinstance(raw, Mapping) else parse_answer(asked, raw)
        return self.acts(name).answer(self.ids["handoff"], {item: value})

    def verify(self, name: str, item: str, agree: bool = True, reason: str = "") -> Written:
        """Agree or disagree."""
        return self.acts(name).verify(self.ids["handoff"], item, agree=agree, reason=reason)

    def state(self, item: str) -> str:
        """An item's state."""
        found = self.look().status.item(item)
        assert found is not None
        return found.state

    def fill(self) -> None:
        """Answer and verify everything of the starter gate."""
        ids = self.ids
        rows = self.rows
        for who, item, value, by in (
            (
                "Ana",
                "framing.problem",
                "Each month retention calls the customers whose score is above one half.",
                "Grace",
            ),
            ("Ana", "framing.criteria", {"state": "given", "links": [ids["criteria"]]}, "Grace"),
            ("Ana", "approach.decision", {"state": "given", "links": [ids["decision"]]}, "Tom"),
            ("Ana", "approach.evaluation", self.metric("auc"), "Tom"),
            ("Ana", "rep.env.lock", self.a_file(), "Tom"),
            ("Ana", "rep.rnd.seeds", rows(source="split", seed="17", set_where="train.py"), "Tom"),
            ("Tom", "rebuild.receiver_rerun", self.command(), "Ana"),
            ("Aiko", "prod.reliability", rows(2, objective="latency", target="50", unit="ms", window="28 days"), "Tom"),
            (
                "Tom",
                "prod.migration",
                rows(2, step="shadow run", owner="Tom", due="2026-05-04", way_back="old rule"),
                "Aiko",
            ),
            (
                "Grace",
                "people.responsibilities",
                rows(3, task="retrain monthly", answerable="Tom", consulted="Ana", informed="Aiko", due="2026-06-01"),
                "Ana",
            ),
            (
                "Tom",
                "people.readback",
                "It ranks customers by risk; it fails when tenure changes unit; then I fall back.",
                "Ana",
            ),
        ):
            self.answer(who, item, value)
            asked = self.look().checklist.item(item)
            assert asked is not None
            role = asked.verifies
            by = {"ml_engineer": "Tom", "researcher": "Ana", "product_owner": "Grace", "operator": "Aiko"}.get(
                role or "", by
            )
            self.verify(by, item)

    def rows(self, count: int = 1, **cells: str) -> dict[str, Any]:
        """A table of equal rows."""
        return {"state": "given", "rows": [{k: v for k, v in cells.items()} for _ in range(count)]}

    def metric(self, name: str) -> dict[str, Any]:
        """A number picked from the run."""
        node = self.project.node(self.ids["run"])
        assert node is not None
        found = node.metric(name)
        assert found is not None
        return {
            "state": "given",
            "metric": {"entity": node.id, "name": name, "value": found.value, "unit": found.unit},
            "links": [node.id],
        }

    def a_file(self) -> dict[str, Any]:
        """A lock file that is an object."""
        data = b"# only the standard library is used\n"
        digest = self.project.objects.put(data)
        return {
            "state": "given",
            "files": [{"path": "requirements.txt", "sha256": digest, "size": len(data)}],
            "links": [self.ids["environment"]],
        }

    def command(self, exit_code: int = 0) -> dict[str, Any]:
        """A captured command."""
        data = b"bitwise equal\n"
        digest = self.project.objects.put(data)
        return {
            "state": "given",
            "result": {
                "command": "python receiver_rerun.py",
                "exit_code": exit_code,
                "output": {"sha256": digest, "size": len(data)},
            },
            "links": [self.ids["run"]],
        }

    def sign_all(self) -> None:
        """Seal and sign as every role of the gate."""
        self.acts("Ana").seal(self.ids["handoff"])
        for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer"), ("Grace", "product_owner")):
            self.acts(name).sign(self.ids["handoff"], role, "I have read all that my role covers")


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """A founded project with five members and an open starter handoff of churn@2."""
    clock = Clock()
    keyring = Keyring(tmp_path / "keys", entropy=entropy_of("keys"))
    people = {n: keyring.new(n, f"{n.lower()}@example.org") for n in ("Ana", "Tom", "Grace", "Aiko", "Rosa")}
    environ = {"CARNET_CONFIG": str(tmp_path / "keys")}
    desk = Desk.create(tmp_path / "work", who="Ana", environ=environ, clock=clock)
    desk.keyring, desk.entropy = keyring, entropy_of("salts")
    project, _ = desk.found("churn", roles=["researcher"], team="research")
    made = Company(desk, project, clock, people)
    for name, role, team in (
        ("Tom", "ml_engineer", "engineering"),
        ("Grace", "product_owner", "product"),
        ("Aiko", "operator", "operations"),
        ("Rosa", "risk_officer", "risk"),
    ):
        made.acts("Ana").invite(name, f"{name.lower()}@example.org", [role], team)
        joining = made.acts(name)
        joining.join(joining.invitations()[0][0])
        made.acts("Ana").admit(made.person(name))
    acts = made.acts("Ana")
    dataset = acts.declare(
        "dataset", "telco", attrs={"source": "crm export", "owner": "Farid"}, digests={"sha256": "a" * 64}
    ).entity
    environment = acts.declare("environment", "stdlib", attrs={"python": "3.11"}).entity
    run = acts.declare(
        "run",
        "r-012",
        attrs={"command": "python train.py"},
        params={"trees": "40"},
        metrics=[{"name": "auc", "value": "0.8405", "split": "holdout"}],
        edges=[("used", dataset), ("used", environment)],
    ).entity
    model = acts.declare("model", "churn", version="2").entity
    acts.link(run, "made", model)
    criteria = acts.set_criteria(
        "churn",
        [{"id": "primary", "metric": "AUC", "name": "auc", "op": ">=", "value": "0.83", "split": "holdout"}],
    ).entity
    decision = acts.decide(
        "Which kind of model?",
        "boosted trees",
        "They beat the rule by contract by ten points",
        options=[{"title": "boosted trees"}, {"title": "logistic regression", "why": "two points worse"}],
        constraints=["explainable to agents"],
        about=[model],
    ).entity
    handoff = acts.open_handoff(
        model,
        packs_for("starter-research-to-engineering"),
        tier="B",
        criteria=criteria,
        entities=[dataset, run, environment],
    ).entity
    made.ids = {
        "dataset": dataset, "environment": environment, "run": run, "model": model, "criteria": criteria,
        "decision": decision, "handoff": handoff,
    }  # fmt: skip
    yield made
    desk.close()
