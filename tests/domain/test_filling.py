"""Items that fill themselves: a query proposes a complete answer with its proof, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carnet_store.domain.answer import Criterion, EntityView, Verdict
from carnet_store.domain.decisions import Decision, DecisionOption, DecisionView
from carnet_store.domain.filling import QUERIES, Surroundings, propose
from carnet_store.domain.lineage import CriteriaRow, Metric, Node
from carnet_store.domain.template import Item
from carnet_store.work.templates import builtin_packs

PACKS = {name: found.pack for name, found in builtin_packs().items()}
ITEMS: dict[str, Item] = {
    item.id: item
    for name in ("research-to-engineering", "reproducibility", "model-card")
    for item in PACKS[name].items()
}


def node(kind: str, name: str, **more: Any) -> Node:
    """A node with an id made from its name."""
    fields: dict[str, Any] = {
        "version": "", "attrs": {}, "digests": {}, "params": {}, "metrics": (), "source": ("mlflow", name), "person": "p",
        "t": 1, "birth": "b", "edges": (), "state": "s",
    }  # fmt: skip
    key = f"{abs(hash(name)) % 16**32:032x}"
    return Node(id=f"{kind}:{key}", kind=kind, name=name, **{**fields, **more})


class Known:
    """Lookups over a handful of nodes."""

    def __init__(self, nodes: Sequence[Node], criteria: Sequence[Criterion] = ()) -> None:
        self.nodes = {one.id: one for one in nodes}
        self.criteria = {one.id: one for one in criteria}

    def criterion(self, criterion_id: str) -> Criterion | None:
        return self.criteria.get(criterion_id)

    def metric(self, run: str, name: str) -> str | None:
        found = self.nodes[run].metric(name) if run in self.nodes else None
        return found.value if found else None

    def entity(self, entity_id: str) -> EntityView | None:
        if entity_id.startswith("decision:"):
            return EntityView(
                "decision",
                "trees",
                {
                    "question": "q",
                    "options": ["a", "b"],
                    "choice": "a",
                    "reason": "r",
                    "constraints": ["c"],
                    "decider": ["Ana"],
                },
            )
        one = self.nodes.get(entity_id)
        return EntityView(one.kind, one.title, one.attrs) if one else None

    def set_late(self, criterion_id: str, run: str, name: str) -> str:
        return ""

    def has_object(self, sha256: str) -> bool:
        return sha256 == "a" * 64

    def builtin(self, name: str) -> Verdict | None:
        return None

    def resolve(self, text: str) -> str | None:
        return None


TRAIN = node(
    "dataset", "train", digests={"sha256": "1" * 64}, attrs={"source": "s3://b/train.csv", "licence": "internal"}
)
TEST = node("dataset", "test", digests={"sha256": "2" * 64})
MODEL = node("model", "churn", version="3", attrs={"owner": "Ana Ruiz", "license": "apache-2.0"})
LOCK = node("environment", "uv.lock", attrs={"packages": {"numpy": "2.1.0"}, "hashed": 1, "lock": {"path": "uv.lock", "sha256": "a" * 64, "size": 10},
                                             "machine": {"cpu": "EPYC", "cores": "2"}})  # fmt: skip


def run(name: str, seed: str, **more: Any) -> Node:
    """A training run of one experiment."""
    attrs = {"experiment": "churn-risk", "user": "ana", "status": "finished", **more.pop("attrs", {})}
    return node("run", name, params={"lr": "0.1", "random_state": seed, **more.pop("params", {})}, attrs=attrs,
                metrics=(Metric(name="auc", value="0.84", split="holdout"),), **more)  # fmt: skip


MAKER = run("r-1", "17", attrs={"data": {"train": "training", "test": "evaluation"}, "seconds": "12",
                                "controls": {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}})  # fmt: skip
PREP = node("run", "prepare")
OUT = node("document", "predictions.csv", digests={"sha256": "3" * 64})
AROUND = Surroundings(
    model=MODEL, makers=(MAKER,), inputs={MAKER.id: (TRAIN, TEST, LOCK)}, made={MAKER.id: (MODEL, OUT)},
    origins={TRAIN.id: (PREP,), TEST.id: ()},
    siblings=(*(run(f"r-{n}", str(n)) for n in range(2, 7)), run("r-9", "9", params={"lr": "0.5"}),
              run("broken", "1", params={"lr": "9"}, attrs={"status": "failed", "error": "diverged"})),
)  # fmt: skip
KNOWN = Known([MODEL, MAKER, PREP, OUT, TRAIN, TEST, LOCK, *AROUND.siblings])


def answer(item: str, around: Surroundings = AROUND, known: Known = KNOWN) -> Mapping[str, Any] | None:
    """What is proposed for an item."""
    found = propose(ITEMS[item], around, known)
    return found.value if found else None


def test_what_the_graph_says_is_proposed_with_its_proof() -> None:
    """R047, R048, R034, R009: each proposal is a complete answer that links the nodes it was read from."""
    assert answer("rep.par.all") == {"state": "given", "links": [MAKER.id], "filled": "parameters"}
    assert answer("rep.rnd.seeds") == {
        "state": "given", "rows": [{"source": "random_state", "seed": "17", "set_where": "parameter of r-1"}],
        "links": [MAKER.id], "filled": "seeds",
    }  # fmt: skip
    search = answer("rep.par.search")
    assert search is not None and search["text"].splitlines() == [
        "8 recorded runs of experiment churn-risk; taken: r-1.", "lr: 0.1, 0.5, 9 (taken: 0.1)"]  # fmt: skip
    negative = answer("rep.res.negative")
    assert negative is not None and negative["text"] == "broken: failed, diverged"
    repeats = answer("approach.uncertainty")
    assert repeats is not None and repeats["literal"] == {"value": "6", "unit": "repeats"}
    assert (answer("card.train.data") or {})["links"] == [TRAIN.id]
    assert (answer("card.eval.data") or {})["links"] == [TEST.id]
    assert (answer("rep.data.splits") or {})["links"] == [TEST.id]
    assert (answer("rep.data.prep") or {})["links"] == [PREP.id]
    assert (answer("rep.env.lock") or {})["files"] == [{"path": "uv.lock", "sha256": "a" * 64, "size": 10}]
    assert (answer("rep.env.hardware") or {})["text"] == "r-1: cores: 2; cpu: EPYC; time: 12 s"
    assert (answer("rep.rnd.controls") or {})["text"] == "r-1: OMP_NUM_THREADS=1, PYTHONHASHSEED=0"
    assert (answer("rep.res.outputs") or {})["links"] == [OUT.id]
    assert (answer("card.licence") or {})["text"] == "apache-2.0, as recorded with churn@3"
    assert "Ana Ruiz" in (answer("card.who") or {})["text"]
    assert (answer("card.res.overall") or {})["links"] == [MAKER.id]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("rep.data.digest", "the test set names neither place nor rule"),
        ("card.res.slices", "no metric has a slice"),
        ("card.parent", "it comes from no other model"),
        ("card.type", "no source recorded a signature"),
        ("framing.criteria", "people first"),
        ("approach.decision", "people first"),
        ("approach.evaluation", "without criteria no metric is the primary one"),
        ("data.sheet", "the dataset's card is empty"),
        ("framing.problem", "no query is named"),
    ],
)
def test_nothing_is_guessed(item: str, why: str) -> None:
    """What no source says is left to people."""
    assert answer(item) is None, why


@pytest.mark.parametrize("attrs", [
    {"packages": {"numpy": "2.1.0", "scipy": "1"}, "hashed": 1, "lock": {"path": "l", "sha256": "a" * 64, "size": 1}},
    {"packages": {"numpy": "2.1.0"}, "hashed": 1},
    {"packages": {}, "hashed": 0, "lock": {"path": "l", "sha256": "a" * 64, "size": 1}},
    {"packages": "numpy", "hashed": "1", "lock": []},
])  # fmt: skip
def test_a_list_without_hashes_is_no_lock(attrs: dict[str, Any]) -> None:
    """R046: a lock has a hash for every package, and its bytes are held."""
    env = node("environment", "requirements.txt", attrs=attrs)
    around = Surroundings(model=MODEL, makers=(MAKER,), inputs={MAKER.id: (env,)})
    assert answer("rep.env.lock", around, Known([env, MAKER])) is None


def test_seeds_of_earlier_steps_stand_beside_those_of_the_run() -> None:
    """A split made with a seed of its own is a part of what must be repeated; without a seed of the run itself the answer is not whole."""
    prepare = node("run", "prepare", params={"prepare.seed": "3", "split": "0.2"})
    told = answer("rep.rnd.seeds", replace(AROUND, steps=(PREP, prepare)))
    assert told is not None
    assert [(row["source"], row["seed"], row["set_where"]) for row in told["rows"]] == [
        ("random_state", "17", "parameter of r-1"),
        ("prepare.seed", "3", "parameter of prepare"),
    ]
    bare = node("run", "r-1", params={"lr": "0.1"})
    assert answer("rep.rnd.seeds", replace(AROUND, makers=(bare,), steps=(prepare,))) is None


def test_no_more_is_said_than_the_source_says() -> None:
    """Whoever recorded a version is not its owner; runs without parameters are no part of a search; a tag may tell the error."""
    used = node("model", "churn", version="3", attrs={"user": "svc-mlflow"})
    told = answer("card.who", replace(AROUND, model=used))
    assert told is not None and "recorded by svc-mlflow" in told["text"] and "owner" not in told["text"]
    owned = answer("card.who")
    assert owned is not None and "owner Ana Ruiz" in owned["text"]
    bare = node("run", "bare", attrs={"experiment": "churn-risk"})
    search = answer("rep.par.search", replace(AROUND, siblings=(*AROUND.siblings, bare)))
    assert search is not None and search["text"].startswith(
        "8 of 9 recorded runs of experiment churn-risk have parameters"
    )
    tagged = run("fell", "1", attrs={"status": "failed", "tags": {"error": "out of memory"}})
    failed = answer("rep.res.negative", replace(AROUND, siblings=(tagged,)), Known([MODEL, MAKER, tagged]))
    assert failed is not None and "fell: failed, out of memory" in failed["text"]


def test_people_first() -> None:
    """R022, R102: with criteria and a decision recorded, the metric, the criteria and the decision are proposed."""
    criteria = node(
        "criteria",
        "churn",
        criteria=(CriteriaRow(id="primary", metric="AUC", name="auc", op=">=", value="0.83", split="holdout"),),
    )
    decision = Decision(
        question="q",
        choice="trees",
        reason="better by ten points",
        options=(DecisionOption("trees"), DecisionOption("lines", "worse")),
    )
    view = DecisionView("decision:" + "d" * 32, decision, "p", 1, "c", ())
    from decimal import Decimal

    known = Known([MAKER, criteria], [Criterion("primary", "AUC", "auc", ">=", Decimal("0.83"), split="holdout")])
    around = Surroundings(model=MODEL, makers=(MAKER,), criteria=criteria, decisions=(view,))
    assert (answer("approach.evaluation", around, known) or {})["metric"] == {
        "entity": MAKER.id,
        "name": "auc",
        "value": "0.84",
    }
    assert (answer("framing.criteria", around, known) or {})["links"] == [criteria.id]
    assert (answer("approach.decision", around, known) or {})["links"] == [view.id]
    worse = Known([MAKER, criteria], [Criterion("primary", "AUC", "auc", ">=", Decimal("0.9"), split="holdout")])
    assert answer("approach.evaluation", around, worse) is None, "a figure that fails is for a person to hand in"


def test_queries_and_packs_and_page_name_the_same() -> None:
    """Every query is used by a shipped item, every item's query exists, and docs/filling.md lists them with their items."""
    named = {item.fills for pack in PACKS.values() for item in pack.items() if item.fills}
    assert named == set(QUERIES)
    page = (Path(__file__).parents[2] / "docs" / "filling.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    told = {
        item: re.findall(r"`([\w.]+)`", row.split("|")[2])
        for row in rows
        for item in re.findall(r"`([\w.]+)`", row.split("|")[1])
    }
    for item in ITEMS.values():
        if item.machine or item.fills:
            assert told[item.id] == ([] if item.machine else [item.fills]), item.id
    assert set(told) <= set(ITEMS)
