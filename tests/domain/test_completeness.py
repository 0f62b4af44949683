"""Completeness of metadata: what each kind requires, what fills it, to the decimal."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from carnet_store.domain.completeness import (
    Around,
    completeness,
    gaps_of_datasets,
    is_evaluation,
    is_filled,
    percent,
    total,
)  # fmt: skip
from carnet_store.domain.lineage import Edge, Metric, Node

NAMES = iter(range(10_000))


def node(kind: str, *edges: tuple[str, str], name: str = "x", **fields: Any) -> Node:
    """A thing as read back; `edges` are (relation, kind of the other)."""
    entity = f"{kind}:{next(NAMES):032x}"
    known: dict[str, Any] = {"version": "", "attrs": {}, "digests": {}, "params": {}, "metrics": (), "source": None}
    linked = tuple(Edge(entity, relation, f"{to}:{next(NAMES):032x}", "c") for relation, to in edges)
    return Node(
        id=entity, kind=kind, name=name, person="p", t=1, birth="b", edges=linked, state="s", **{**known, **fields}
    )


def missing(one: Node, around: Around | None = None) -> list[str]:
    return [gone.field for gone in completeness(one, around).missing]


DATASET = {
    "source": "crm export", "licence": "contract", "owner": "Farid", "schema": "14 columns", "rows": 7043, "time_range": "2024-01..2024-12",
    "created_by": "export job", "access_rule": "churn team",
}  # fmt: skip
FEATURE = {
    "definition_digest": "a" * 64,
    "entity_key": "customer",
    "owner": "Farid",
    "window": "90 days",
    "null_rule": "zero",
    "unit": "EUR",
}
MODEL = {"base_model": "none", "owner": "Ana", "schema": "14 columns in, score out"}
RUN = {"holdout": "telco-test", "reason": "before the gate"}


def complete(kind: str) -> tuple[Node, Around]:
    """A thing of each of the four kinds with everything filled."""
    if kind == "dataset":
        one = node("dataset", attrs=DATASET, digests={"sha256": "b" * 64})
        return one, Around(decided={one.id})
    if kind == "feature":
        one = node("feature", ("from", "dataset"), attrs=FEATURE)
        return one, Around(decided={one.id})
    if kind == "model":
        maker = node(
            "run",
            ("used", "code"),
            ("used", "dataset"),
            ("used", "feature"),
            params={"lr": "0.1"},
            metrics=(Metric(name="auc", value="1"),),
        )
        one = node("model", attrs=MODEL, digests={"sha256": "c" * 64})
        return one, Around(makers=(maker,), decided={one.id})
    one = node(
        "run", ("used", "model"), ("used", "code"), ("used", "environment"), attrs=RUN, params={"random_state": "7"},
        metrics=(Metric(name="auc", value="0.84", split="holdout"),),
    )  # fmt: skip
    return one, Around(decided={one.id})


@pytest.mark.parametrize(("kind", "count"), [("dataset", 10), ("feature", 8), ("model", 11), ("evaluation", 11)])
def test_a_hundred_per_cent_means_that_every_field_is_there(kind: str, count: int) -> None:
    """R072: all fields of METRICS 12 and the decision that caused it; leaving any one out is below 100 and names it."""
    one, around = complete(kind)
    whole = completeness(one, around)
    assert (whole.kind, len(whole.required), whole.missing, whole.percent) == (kind, count, (), Decimal("100.0"))
    undecided = completeness(one, Around(around.makers, around.users))
    assert [gone.field for gone in undecided.missing] == ["decision"]
    assert undecided.percent == percent(count - 1, count)


@pytest.mark.parametrize(("kind", "attribute", "field"), [
    *(("dataset", name, field) for name, field in zip(DATASET, ("source", "licence", "owner", "schema", "rows", "time range", "created by", "access rule"), strict=True)),
    *(("feature", name, field) for name, field in zip(FEATURE, ("definition digest", "entity key", "owner", "window", "null rule", "unit"), strict=True)),
    *(("model", name, field) for name, field in zip(MODEL, ("base model", "owner", "schema"), strict=True)),
    ("evaluation", "reason", "reason"),
])  # fmt: skip
@pytest.mark.parametrize("placeholder", ["", " TBD. ", "unknown", "-", None, [], {"a": "?"}])
def test_each_attribute_left_empty_or_a_placeholder_is_missed_by_name(
    kind: str, attribute: str, field: str, placeholder: Any
) -> None:
    """R071: the missing fields are named, exactly; a placeholder fills nothing."""
    one, around = complete(kind)
    poorer = replace(one, attrs={**one.attrs, attribute: placeholder})
    assert missing(poorer, around) == [field]


def test_a_bare_declaration_lacks_all_and_says_what_to_type() -> None:
    """R071: exact expected missing fields for a fixture, each with the command that fills it."""
    bare = completeness(node("dataset", name="telco"))
    assert [gone.field for gone in bare.missing] == [
        "digest", "source", "licence", "owner", "schema", "rows", "time range", "created by", "access rule", "decision",
    ]  # fmt: skip
    assert bare.percent == Decimal("0.0")
    typed = {gone.field: gone.typed("'the telco'", "telco") for gone in bare.missing}
    assert typed["owner"] == "carnet describe 'the telco' owner=NAME"
    assert typed["created by"] == "carnet link RUN made 'the telco'"
    assert typed["digest"] == "carnet add dataset telco --version VERSION --file FILE"
    assert missing(node("model")) == [
        "digest", "run", "code", "config", "features", "training data", "metrics", "base model", "owner", "schema", "decision",
    ]  # fmt: skip
    assert missing(node("feature")) == [
        "definition digest", "entity key", "owner", "source datasets", "window", "null rule", "unit", "decision",
    ]  # fmt: skip


def test_the_lineage_fills_what_it_tells() -> None:
    """R072: a run that made a dataset is its source and its creator; what was imported was created by its source."""
    maker = node("run", ("used", "dataset"))
    assert {"source", "created by"} & set(missing(node("dataset"), Around(makers=(maker,)))) == set()
    derived = node("dataset", ("from", "dataset"))
    assert "source" not in missing(derived)
    assert "created by" in missing(derived)
    assert "created by" not in missing(node("dataset", source=("dvc", "data.csv")))
    assert "decision" not in missing(node("dataset"), Around(makers=(maker,), decided={maker.id}))
    measured = node("run", ("used", "model"), metrics=(Metric(name="auc", value="1"),))
    assert "metrics" not in missing(node("model"), Around(users=(measured,)))
    assert "base model" not in missing(node("model", ("from", "model")))


def test_a_registered_version_is_known_by_what_it_is_a_name_for() -> None:
    """R071: bytes, runs, owner and schema of a registered model are those of its version; it is no base model of itself."""
    made, near = complete("model")
    name = node("model")
    (run,) = near.makers
    name = replace(name, edges=(Edge(name.id, "from", made.id, "c"),))
    around = Around(
        makers=(run,), decided={made.id}, same=(replace(made, attrs={"owner": "Ana", "signature": "in, out"}),)
    )
    assert missing(name, around) == ["base model"]
    base = node("model")
    tuned = replace(run, edges=(*run.edges, Edge(run.id, "used", base.id, "c")))
    assert missing(name, replace(around, makers=(tuned,))) == []
    assert "base model" not in missing(name, Around(makers=(run,)))  # another model, made by other runs
    tagged = replace(name, attrs={"model_tags": {"owner": "team churn"}})
    assert "owner" not in missing(tagged) and "owner" in missing(name)


def test_what_a_source_says_in_its_own_words_fills_too() -> None:
    """MLflow's profile has the rows of a dataset; its context marks what a run was evaluated with."""
    assert "rows" not in missing(node("dataset", attrs={"profile": {"num_rows": "7043"}}))
    assert "rows" in missing(node("dataset", attrs={"profile": {"num_elements": "7043"}}))
    run = node(
        "run", ("used", "model"), attrs={"data": {"telco": "training"}}, metrics=(Metric(name="auc", value="1"),)
    )
    assert "holdout" in missing(run)
    assert "holdout" not in missing(replace(run, attrs={"data": {"telco": "training", "telco-test": "eval"}}))


def test_who_and_when_of_an_imported_run_must_be_told_by_its_source() -> None:
    """R072: who declares by hand signs for person and time; an import does not make the importer the one who ran it."""
    edges = (("used", "model"),)
    metrics = (Metric(name="auc", value="1"),)
    assert {"who", "when"} & set(missing(node("run", *edges, metrics=metrics))) == set()
    imported = node("run", *edges, metrics=metrics, source=("mlflow", "1"))
    assert {"who", "when"} <= set(missing(imported))
    told = node(
        "run", *edges, metrics=metrics, source=("mlflow", "1"), attrs={"user": "ana", "started": 1_760_000_000_000}
    )
    assert {"who", "when"} & set(missing(told)) == set()


def test_exploring_needs_no_ceremony() -> None:
    """R012 R072: only a run that measured a model is an evaluation run; another is asked for its command alone."""
    tried = node("run", metrics=(Metric(name="loss", value="1"),), params={"lr": "1"})
    assert not is_evaluation(tried)
    assert (completeness(tried).required, missing(tried)) == (("command",), ["command"])
    assert completeness(node("run", attrs={"command": "make"})).percent == Decimal("100.0")
    trained = node("run", ("made", "model"), metrics=(Metric(name="loss", value="1", split="train"),))
    assert not is_evaluation(trained)
    assert is_evaluation(node("run", ("made", "model"), metrics=(Metric(name="auc", value="1", split="holdout"),)))
    assert is_evaluation(node("run", attrs={"type": "Validation"}))
    assert not is_evaluation(node("model"))
    assert completeness(node("document")).percent is None


def test_figures_are_exact_to_the_decimal() -> None:
    """R071: filled ÷ required, half-even to one decimal, over several the sum over the sum; 100 only where nothing is missing."""
    assert percent(7, 10) == Decimal("70.0")
    assert percent(2, 3) == Decimal("66.7")
    assert percent(1, 8) == Decimal("12.5")
    assert percent(1, 16) == Decimal("6.2")  # 6.25: half to even
    assert percent(3, 16) == Decimal("18.8")  # 18.75
    assert percent(2999, 3000) == Decimal("99.9")
    assert percent(0, 0) is None
    rows = [completeness(*complete("dataset")), completeness(node("dataset")), completeness(*complete("model"))]
    added = total(rows)
    assert (added.things, added.complete, added.filled, added.required) == (3, 2, 21, 31)
    assert added.percent == Decimal("67.7")
    assert total([]).percent is None


def test_what_a_gate_asks_of_datasets_is_named_as_before() -> None:
    """R101: source, owner and digest of every dataset that comes from nothing; the list is the same, the reasons say what to type."""
    loose = node("dataset", name="loose", attrs={"owner": "Farid"})
    ((found, gone),) = gaps_of_datasets([loose, node("dataset", ("from", "dataset")), complete("dataset")[0]])
    assert found is loose
    assert [one.field for one in gone] == list(loose.missing()) == ["source", "digest"]
    assert all(one.typed("loose", "loose").startswith("carnet ") for one in gone)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x", False),
        ("None", False),
        ("n/a", False),
        (0, True),
        (False, True),
        ("0", True),
        (["", "a"], True),
        ({}, False),
    ],
)
def test_what_counts_as_told(value: Any, told: bool) -> None:
    assert is_filled(value) is told
