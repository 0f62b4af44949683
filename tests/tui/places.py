"""A small real store with everything that the places show: people, runs, decisions, questions, a handoff, a conflict."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carnet_store import Desk
from carnet_store.domain.answer_input import parse_answer
from carnet_store.work.identity import Identity, Keyring
from carnet_store.work.templates import packs_for

START = 1_790_000_000_000
MINUTE = 60_000


@dataclass
class Clock:
    """Each look is a minute later; it stands while `step` is 0."""

    now: int = START
    step: int = MINUTE

    def __call__(self) -> int:
        self.now += self.step
        return self.now


@dataclass
class Tour:
    """The store of Ana, who founded it, with the ids of what is in it."""

    desk: Desk
    folder: Path
    people: dict[str, Identity]
    clock: Clock
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Any:
        return self.desk.project()

    def acts(self, who: str = "Ana") -> Any:
        self.desk.become(self.people[who])
        return self.desk.acts(self.project)

    def answer(self, who: str, item: str, raw: Any, desk: Desk | None = None) -> Any:
        at = desk or self.desk
        project = at.project(self.project.id)
        at.become(self.people[who])
        asked = project.look(self.ids["handoff"]).checklist.item(item)
        assert asked is not None
        value = parse_answer(asked, raw)
        return at.acts(project).answer(self.ids["handoff"], {item: value})


def entropy(begin: str = "tour") -> Callable[[int], bytes]:
    """Random bytes that are the same in every run."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(f"{begin} {count}".encode()).digest(size)

    return draw


def empty(folder: Path, environ: dict[str, str], *, found: bool = True) -> Tour:
    """A store with Ana alone: with a project that holds nothing yet, or with none."""
    keyring: Keyring = Desk.keyring_of(environ)
    ana = keyring.new("Ana", "ana@example.org")
    clock = Clock()
    desk = Desk.create(folder / "ana", who="Ana", environ=environ, clock=clock)
    desk.entropy = entropy()
    if found:
        desk.found("churn", roles=["researcher", "eraser"], team="research")
    return Tour(desk, folder, {"Ana": ana}, clock)


def copy(tour: Tour, folder: Path) -> Tour:
    """The same in another folder, for Ana alone; the one copied from is closed."""
    shutil.copytree(tour.folder, folder)
    environ = {"CARNET_CONFIG": str(folder / "keys")}
    desk = Desk.open(folder / "ana", who="Ana", environ=environ, clock=tour.clock)
    desk.entropy = entropy("copy")
    return Tour(desk, folder, {"Ana": desk.i()}, tour.clock, dict(tour.ids))


def build(folder: Path, environ: dict[str, str], *, runs: int = 14) -> Tour:
    """The whole tour."""
    tour = empty(folder, environ)
    keyring: Keyring = Desk.keyring_of(environ)
    for name in ("Tom", "Grace", "Aiko", "Bea"):
        tour.people[name] = keyring.new(name, f"{name.lower()}@example.org")
    project = tour.project
    for name, roles, team in (
        ("Tom", ["ml_engineer"], "engineering"), ("Grace", ["product_owner"], "product"), ("Bea", ["researcher"], "research"),
    ):  # fmt: skip
        tour.acts().invite(name, tour.people[name].mail, roles, team)
        theirs = tour.acts(name)
        theirs.join(theirs.invitations()[0][0])
        tour.acts().admit(tour.people[name].person)
    tour.acts().invite("Aiko", "aiko@example.org", ["operator"], "operations")
    acts = tour.acts()
    ids = tour.ids
    ids["data"] = acts.declare("dataset", "telco", version="3", attrs={"source": "warehouse", "owner": "Farid"},
                               digests={"sha256": "a" * 64}).entity  # fmt: skip
    ids["code"] = acts.declare("code", "churn", attrs={"commit": "9ac1f02"}).entity
    ids["contract"] = acts.declare("document", "features_contract", version="2").entity
    ids["loose"] = acts.declare("dataset", "価格弾力性データ").entity
    ids["run"] = acts.declare(
        "run", "r-012", attrs={"command": "python train.py"}, params={"lr": "0.6", "depth": "6", "seed": "17"},
        metrics=[{"name": "auc", "value": "0.8405", "split": "holdout"}, {"name": "ece", "value": "0.0195"}],
        edges=[("used", ids["data"]), ("used", ids["code"]), ("used", ids["contract"]), ("used", ids["loose"])],
    ).entity  # fmt: skip
    for number in range(runs):
        ids[f"run {number}"] = acts.declare(
            "run", f"r-{number + 20:03}", attrs={"command": "python train.py"}, edges=[("used", ids["data"])]
        ).entity
    ids["model"] = acts.declare("model", "churn", version="2", digests={"sha256": "44d0" * 16}).entity
    acts.link(ids["run"], "made", ids["model"])
    ids["criteria"] = acts.set_criteria(
        "churn",
        [{"id": "primary", "metric": "AUC", "name": "auc", "op": ">=", "value": "0.83", "split": "holdout"}],
    ).entity
    ids["handoff"] = acts.open_handoff(
        ids["model"], packs_for("starter-research-to-engineering"), criteria=ids["criteria"],
        entities=[ids["run"], ids["data"]],
    ).entity  # fmt: skip
    ids["decision"] = acts.decide(
        "Which model?", "gradient boosting", "It beats the baseline clearly on the frozen holdout.",
        options=[{"title": "logistic regression", "why": "worse by 0.03"}, {"title": "gradient boosting"}],
        constraints=["explainable to agents"], about=[ids["model"]], context="Two families were tried.",
        consequences="One more dependency in serving.",
    ).entity  # fmt: skip
    ids["typed"] = acts.decide(
        "Which threshold?", "one half", "Grace said so in the meeting of Tuesday.", deciders=[tour.people["Grace"].person],
        about=[ids["handoff"]],
    ).entity  # fmt: skip
    ids["replacing"] = acts.decide(
        "Which model?", "boosting without region", "Region leaks the sales territory into the score.",
        replaces=ids["decision"], about=[ids["model"]],
    ).entity  # fmt: skip
    ids["question"] = tour.acts("Tom").ask(
        "Is the e-mail domain needed?\nIt looks personal.", about=[ids["model"]], to_role="researcher", blocking=True
    ).entity  # fmt: skip
    ids["mine"] = (
        tour.acts().ask("Who owns the rollback on weekends?", about=[ids["handoff"]], to_role="ml_engineer").entity
    )
    tour.acts("Tom").reply(ids["mine"], "The operators do, from Friday on.")
    tour.answer("Ana", "framing.problem", "Each month retention calls the customers with a score over one half.")
    tour.acts("Grace").verify(ids["handoff"], "framing.problem", agree=True)
    tour.answer("Ana", "framing.criteria", {"state": "given", "links": [ids["criteria"]]})
    tour.acts("Tom").comment(ids["model"], "seen, thank you")
    tour.acts()
    assert project is not None
    return tour


def conflict(tour: Tour, environ: dict[str, str]) -> str:
    """Let Bea answer an item in a store of her own while Ana answers it here; return the item."""
    item = "approach.decision"
    there = Desk.create(tour.folder / "bea", who="Bea", environ=environ, clock=tour.clock)
    there.entropy = tour.desk.entropy
    out = tour.folder / "to-bea.carnet.zip"
    tour.acts()
    tour.desk.export(tour.project, out)
    there.accept(out, trust=tour.project.id)
    decision = tour.ids["decision"]
    tour.answer("Bea", item, {"state": "given", "links": [tour.ids["replacing"]]}, desk=there)
    tour.answer("Ana", item, {"state": "given", "links": [decision]})
    back = tour.folder / "from-bea.carnet.zip"
    there.export(there.project(tour.project.id), back)
    there.close()
    tour.acts()
    tour.desk.accept(back)
    return item


def apart(tour: Tour, environ: dict[str, str], entity: str, attribute: str) -> None:
    """Let Bea describe an attribute in a store of her own while Ana describes it here; each says its own name."""
    there = Desk.create(tour.folder / "bea", who="Bea", environ=environ, clock=tour.clock)
    there.entropy = tour.desk.entropy
    out = tour.folder / "to-bea.carnet.zip"
    tour.acts()
    tour.desk.export(tour.project, out)
    there.accept(out, trust=tour.project.id)
    project = there.project(tour.project.id)
    there.acts(project).describe(entity, attribute, "Bea")
    tour.acts().describe(entity, attribute, "Ana")
    back = tour.folder / "from-bea.carnet.zip"
    there.export(project, back)
    there.close()
    tour.acts()
    tour.desk.accept(back)
