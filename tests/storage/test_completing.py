"""Completeness read from a project: one thing, all things, along a lineage; and the reasons of the lineage check."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carnet_store import Project
from carnet_store.storage.completing import OF_THESE, RUNS_BY
from carnet_store.storage.lookups import RecordLookups
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import Replica, World

DATASET = {
    "source": "crm export", "licence": "contract", "owner": "Farid", "schema": "14 columns", "rows": 7043, "time_range": "2024",
    "created_by": "export job", "access_rule": "churn team",
}  # fmt: skip


@pytest.fixture
def project(world: World, tmp_path: Path) -> Project:
    """A project without anything in it."""
    ana: Replica = world.found("ana")
    return Project(ana.ledger, Objects(tmp_path), None, lambda: 0)  # type: ignore[arg-type]


def build(world: World) -> dict[str, str]:
    """A dataset with all but its decision, a run that used it, and the model version that it made."""
    (ana,) = world.replicas
    data = ana.declare("dataset", "telco", attrs=DATASET, digests={"sha256": "b" * 64})
    code = ana.declare("code", "src", attrs={"commit": "4f2a9c1"})
    run = ana.declare(
        "run", "r-012", attrs={"command": "python train.py", "reason": "the gate"}, params={"seed": "7"},
        metrics=[{"name": "auc", "value": "0.84", "split": "holdout"}],
    )  # fmt: skip
    model = ana.declare(
        "model",
        "churn",
        version="2",
        attrs={"owner": "Ana", "schema": "14 in", "base_model": "none"},
        digests={"sha256": "c" * 64},
    )
    for source, relation, to in ((run, "used", data), (run, "used", code), (run, "made", model)):
        ana.act(source, "edge.linked", {"relation": relation, "to": to}, f"{relation}:{to}")
    return {"data": data, "run": run, "model": model, "code": code}


def test_one_thing_is_asked_from_its_own_edges(project: Project) -> None:
    """One thing among 100,000 costs what one among ten does: the look begins at it, not at the runs."""
    plan = project.ledger.db.execute(f"EXPLAIN QUERY PLAN {RUNS_BY}{OF_THESE}", ('["model:x"]',))
    steps = [row[3] for row in plan]
    assert any("edge_dst" in step for step in steps) and not any("entity_kind" in step for step in steps), steps


def test_one_thing_is_judged_with_what_its_runs_tell(world: World, project: Project) -> None:
    """R071 R072: exact missing fields; a run's code, data, parameters and metrics fill those of the model it made."""
    ids = build(world)
    data, model, run = (project.completeness(ids[name]) for name in ("data", "model", "run"))
    assert data is not None and model is not None and run is not None
    assert [gone.field for gone in data.missing] == ["decision"]
    assert data.percent == Decimal("90.0")
    assert [gone.field for gone in model.missing] == ["features", "decision"]
    assert model.percent == Decimal("81.8")
    assert (run.kind, [gone.field for gone in run.missing]) == ("evaluation", ["environment", "decision"])
    assert project.completeness("model:" + "0" * 32) is None


def test_the_report_sums_by_kind_and_in_all(world: World, project: Project) -> None:
    """R071: the score a kind and in all, to the decimal; the least complete first."""
    assert project.completeness_report().total.percent is None
    ids = build(world)
    (ana,) = world.replicas
    ana.declare("dataset", "loose")
    ana.declare("run", "tried")  # explored, measured nothing: asked for nothing
    report = project.completeness_report()
    assert [one.title for one in report.rows] == ["loose", "r-012", "churn@2", "telco"]
    assert {kind: (one.filled, one.required) for kind, one in report.kinds.items()} == {
        "dataset": (9, 20), "model": (9, 11), "evaluation": (9, 11),
    }  # fmt: skip
    assert (report.kinds["dataset"].percent, report.total.percent) == (Decimal("45.0"), Decimal("64.3"))
    ana.declare(
        "decision",
        "",
        "decision.recorded",
        {"question": "q", "choice": "c", "reason": "r", "about": [ids["data"], ids["run"]]},
    )
    after = project.completeness_report()
    assert (after.kinds["dataset"].complete, after.kinds["dataset"].filled) == (1, 10)
    assert [one.title for one in project.completeness_report(["model"]).rows] == ["churn@2"]
    model = project.completeness(ids["model"])
    assert model is not None and [gone.field for gone in model.missing] == ["features"]


def test_one_at_a_time_and_all_at_once_agree(world: World, project: Project) -> None:
    """R071: the list and the single thing can never tell two figures."""
    build(world)
    heard: list[tuple[int, int]] = []
    for one in project.completeness_report(progress=lambda *pair: heard.append(pair)).rows:
        assert project.completeness(one.entity) == one


def test_provenance_counts_complete_ancestors(world: World, project: Project) -> None:
    """R072: complete ancestors ÷ ancestors; what is referred to and not declared is incomplete."""
    ids = build(world)
    assert project.provenance(ids["model"]) == (1, 3)  # the code alone; run and data lack what caused them
    (ana,) = world.replicas
    gone = "dataset:" + "0" * 32
    ana.act(ids["run"], "edge.linked", {"relation": "used", "to": gone}, f"used:{gone}")
    assert project.provenance(ids["model"]) == (1, 4)
    assert project.provenance(ids["code"]) == (0, 0)


def test_the_lineage_check_says_what_to_type(world: World, project: Project) -> None:
    """R072 R101: each reason names the input, the missing fields, and the command that fills them; nothing passes that did not."""
    (ana,) = world.replicas
    model = ana.declare("model", "the churn", version="2")
    handoff = project.handoff(ana.handoff(model))
    assert handoff is not None

    def reasons() -> tuple[str, tuple[str, ...]]:
        verdict = RecordLookups(project, handoff, [], None, {}).builtin("lineage_complete")
        assert verdict is not None
        return verdict.state, verdict.reasons

    def link(source: str, relation: str, to: str) -> None:
        ana.act(source, "edge.linked", {"relation": relation, "to": to}, f"{relation}:{to}")

    assert reasons() == ("fails", ("no run is known to have made the churn@2", "carnet link RUN made 'the churn@2'"))
    run = ana.declare("run", "r-012")
    link(run, "made", model)
    assert reasons() == ("fails", ("no dataset is known to have gone into it", "carnet link r-012 used DATASET"))
    data = ana.declare("dataset", "telco", attrs={"owner": "Farid"})
    link(run, "used", data)
    gone = "dataset:" + "0" * 32
    link(run, "used", gone)
    assert reasons() == (
        "fails",
        (
            "telco: source, digest missing",
            "carnet describe telco source=TEXT; carnet add dataset telco --version VERSION --file FILE",
            f"{gone} is referred to and not declared",
            "r-012 names it: take in a bundle that declares it, or retract the link",
        ),
    )
    ana.act(data, "entity.described", {"value": "crm"}, "source")
    assert reasons()[1][0] == "telco: digest missing"
