"""Recall: a node marked bad shuts the gates of what came of it, here and in every store that hears of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk, Invalid, Refused
from carnet_store.exchange import verify

Company = Any


def passed(company: Company) -> None:
    """Fill and sign until the gate is passed."""
    company.fill()
    company.sign_all()
    assert company.look().status.verdict == "passed"


def test_what_came_of_it_is_shut_and_signed_anew(company: Company, tmp_path: Path) -> None:
    """A recalled dataset shuts the gate of the model that came of it; lifted, the package is sealed and signed in a new round (R108)."""
    passed(company)
    written = company.acts("Aiko").recall(company.ids["dataset"], "ages of minors were exported by mistake")
    assert written.unblocked == ("churn@2: shut, and signed again once the recall is lifted",)
    status = company.look().status
    assert status.verdict != "passed"
    assert [r.text for r in status.reasons if r.code == "recalled"] == [
        "dataset telco was recalled by Aiko: ages of minors were exported by mistake"]  # fmt: skip
    assert not any(one.fresh for one in status.signoffs)

    assert [r.entity for r in company.project.taints(company.ids["model"])] == [company.ids["dataset"]]
    company.acts("Ana").seal(company.ids["handoff"])
    for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer"), ("Grace", "product_owner")):
        company.acts(name).sign(company.ids["handoff"], role, "I have read all that my role covers")
    assert company.look().status.verdict != "passed", "a recall that stands is not signed away"

    company.acts("Rosa").lift(company.ids["dataset"], "the export was checked: no minors in it")
    assert company.project.recalls() == []
    again = company.look().status
    assert {r.code for r in again.reasons} <= {"stale", "changed", "unsealed", "recalled"}
    company.sign_all()
    assert company.look().status.verdict == "passed"


def test_signatures_of_the_recalled_round_do_not_come_back(company: Company) -> None:
    """Lifting a recall revives nothing that was signed before it."""
    passed(company)
    company.acts("Tom").recall(company.ids["run"], "the seed was not the one that is recorded")
    company.acts("Tom").lift(company.ids["run"], "the recorded seed was the right one")
    status = company.look().status
    assert status.verdict != "passed" and not any(one.fresh for one in status.signoffs)
    assert "recalled" in {r.code for r in status.reasons} | {
        "recalled" for s in status.signoffs for r in s.reasons if "recalled" in r
    }


def test_what_does_not_come_of_it_stands(company: Company) -> None:
    """A recall touches descendants and no others."""
    passed(company)
    other = company.acts("Ana").declare("dataset", "weather").entity
    written = company.acts("Ana").recall(other, "the station was moved without notice")
    assert written.unblocked == ("no handoff is touched",)
    assert company.look().status.verdict == "passed"


def test_refusals(company: Company) -> None:
    acts = company.acts("Ana")
    with pytest.raises(Invalid):
        acts.recall(company.ids["dataset"], "bad")
    with pytest.raises(Refused, match="not recalled"):
        acts.lift(company.ids["dataset"], "there was nothing wrong with it")
    with pytest.raises(Exception, match="node of the lineage"):
        acts.recall(company.ids["handoff"], "this handoff is not a node of it")
    written = acts.recall(company.ids["dataset"], "ages of minors were exported by mistake")
    with pytest.raises(Refused, match="cannot be taken back"):
        acts.retract(written.changes[0])
    with pytest.raises(Refused):
        acts.erase([written.changes[0]], "somebody wants it forgotten")


def test_the_notice_rides_in_the_next_bundle(company: Company, tmp_path: Path) -> None:
    """An auditor's script and another store say the same: recalled, by whom, why, and no sign-off is fresh."""
    passed(company)
    company.acts("Aiko").recall(company.ids["dataset"], "ages of minors were exported by mistake")
    bundle = tmp_path / "b.carnet.zip"
    company.desk.export(company.project, bundle)
    done = subprocess.run(
        [sys.executable, "-I", verify.__file__, str(bundle), "--trust", company.project.id, "--json"],
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert [(one["title"], one["by"]["name"], one["reason"]) for one in report["recalled"]] == [
        ("telco", "Aiko", "ages of minors were exported by mistake")]  # fmt: skip
    (handoff,) = report["handoffs"]
    assert {one["state"] for one in handoff["signoffs"]} == {"stale"}
    assert handoff["recalls"][0]["title"] == "telco"
    with Desk.with_keyring(
        tmp_path / "other", company.desk.keyring, company.people["Tom"], clock=company.clock
    ) as desk:
        desk.accept(bundle, trust=company.project.id)
        there = desk.project()
        assert [one.reason for one in there.recalls()] == ["ages of minors were exported by mistake"]
        assert there.look(company.ids["handoff"]).status.verdict != "passed"


def test_a_recall_hidden_in_the_tables_is_found(company: Company) -> None:
    """THREATS 34: whoever deletes the row that tells of a recall, or an edge, opens no gate with it."""
    import sqlite3

    passed(company)
    company.acts("Aiko").recall(company.ids["dataset"], "ages of minors were exported by mistake")
    path = company.project.path
    for sql in ("DELETE FROM recall", "DELETE FROM edge"):
        company.desk.close()
        db = sqlite3.connect(path)
        db.execute(sql)
        db.commit()
        db.close()
        company.desk._actors.clear()
        company.project = company.desk.project()
        assert any(r.code == "recalled" for r in company.look().status.reasons), sql


def test_the_plan_of_a_bundle_names_it_before_anything_is_written(company: Company, tmp_path: Path) -> None:
    """Whoever opens the bundle reads what is recalled, by whom and why, beside the gates that shut."""
    passed(company)
    first = tmp_path / "1.carnet.zip"
    company.desk.export(company.project, first)
    with Desk.with_keyring(
        tmp_path / "other", company.desk.keyring, company.people["Tom"], clock=company.clock
    ) as desk:
        desk.accept(first, trust=company.project.id)
        company.acts("Aiko").recall(company.ids["dataset"], "ages of minors were exported by mistake")
        second = tmp_path / "2.carnet.zip"
        company.desk.export(company.project, second)
        plan = desk.inspect(second)
        assert [(one.title, one.name, one.lifted) for one in plan.recalls] == [("telco", "Aiko", False)]
        assert [(one.before, one.after) for one in plan.consequences] == [("passed", "blocked, 3 stale")]
