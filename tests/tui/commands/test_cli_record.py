"""Declaring, describing, deciding, asking, finding by command."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_what_is_declared_is_listed_shown_and_found(ana: Any) -> None:
    """R061 R071 R072: provenance by command, one hop shown with what is missing named."""
    rows = ana.ok("list", "--json").json
    assert rows["total"] == 4
    assert [row["title"] for row in rows["rows"]] == ["churn", "churn@1", "r-012", "telco"]
    node = ana.ok("lineage", "r-012", "--json").json
    assert [(row["relation"], row["title"]) for row in node["up"]] == [("used", "telco")]
    assert [(row["relation"], row["title"]) for row in node["down"]] == [("made", "churn@1")]
    assert node["node"]["params"] == {"lr": "0.6"}
    assert node["node"]["metrics"][0]["value"] == "0.8405"
    assert ana.ok("lineage", "telco", "--json").json["node"]["digests"]["sha256"]
    far = ana.ok("lineage", "churn@1", "--up", "5", "--json").json
    assert [(row["title"], row["hops"]) for row in far["up"]] == [("r-012", 1), ("telco", 2)]
    assert far["down"] == []
    assert "missing" not in ana.ok("lineage", "telco").out
    ana.ok("add", "dataset", "loose")
    assert "missing   source" in ana.ok("lineage", "loose").out
    assert ana.ok("find", "telc", "--json").json[0]["title"] == "telco"
    assert ana.ok("list", "runs").out.startswith("run  r-012")


def test_an_id_in_another_system_is_one_thing_however_often_it_is_declared(ana: Any) -> None:
    first = ana.ok("add", "run", "x", "--source-id", "mlflow=abc").out
    assert ana.ok("add", "run", "x", "--source-id", "mlflow=abc").out == first


def test_a_file_kept_travels_and_one_only_named_does_not(ana: Any) -> None:
    (ana.folder / "plan.md").write_text("# Plan\n")
    kept = ana.ok("add", "document", "plan", "--file", "plan.md", "--keep").out.strip()
    named = ana.ok("add", "document", "plan2", "--file", "plan.md").out.strip()
    both = [ana.ok("lineage", one, "--json").json["node"]["digests"]["sha256"] for one in (kept, named)]
    assert both[0] == both[1]
    assert ana.ok("verify", "--json").json["objects"]["checked"] == 1
    assert ana.call("add", "document", "gone", "--file", "nowhere.md").code == 2


def test_describe_and_link_say_what_they_set(ana: Any) -> None:
    said = ana.ok("describe", "telco", "owner=Grace", "note=refreshed on Mondays")
    assert said.err.count("set. Next:") == 2
    assert ana.ok("lineage", "telco", "--json").json["node"]["attrs"]["owner"] == "Grace"
    ana.ok("add", "dataset", "slice")
    ana.ok("link", "slice", "from", "telco")
    assert ana.ok("lineage", "slice", "--json").json["up"][0]["title"] == "telco"
    wrong = ana.call("link", "slice", "eats", "telco")
    assert wrong.code == 2


@pytest.mark.parametrize("row", ["auc >= 0.8", "primary: auc ~ 0.8", "primary: auc >= high"])
def test_a_criterion_that_cannot_be_read_says_how_to_write_it(ana: Any, row: str) -> None:
    said = ana.call("add", "criteria", "churn", "--row", row)
    assert said.code == 4
    assert "primary: auc >= 0.83 on holdout" in said.err


def test_criteria_rows_are_read_whole(ana: Any) -> None:
    ana.ok("add", "criteria", "other", "--row", "p95: p95_ms <= 50 ms on load slice EU only", "--row", "auc: auc>=0.8")
    rows = ana.ok("lineage", "other", "--json").json["node"]["criteria"]
    assert rows[0] == {"id": "p95", "metric": "p95_ms", "name": "p95_ms", "op": "<=", "value": "50", "unit": "ms",
                       "split": "load", "slice": "EU only"}  # fmt: skip
    assert (rows[1]["op"], rows[1]["value"]) == (">=", "0.8")
    again = ana.ok("add", "criteria", "other", "--row", "auc: auc >= 0.9").out
    assert again == ana.ok("list", "criteria", "--name", "other", "--json").json["rows"][0]["id"] + "\n"
    assert len(ana.ok("lineage", "other", "--json").json["node"]["criteria"]) == 1


def test_decisions_and_questions_by_their_codes(ana: Any) -> None:
    """R074 R075: a decision with why, constraints and options; a question asked, replied to, closed by its asker."""
    said = ana.ok("decide", "Which model?", "--choice", "boosting", "--reason", "it beats the baseline clearly",
                  "--option", "logistic: easier", "--constraint", "EU only", "--about", "churn@1")  # fmt: skip
    assert said.out == "D-1\n"
    assert ana.ok("lineage", "churn@1", "--json").json["about"]["decisions"]
    empty = ana.call("decide", "Which model?", "--choice", "boosting", "--reason", "tbd")
    assert empty.code == 4
    assert (
        ana.ok("ask", "Which holdout is this?", "--about", "churn@1", "--to", "researcher", "--blocking").out == "Q-1\n"
    )
    ana.ok("reply", "Q-1", "The holdout of March")
    assert ana.ok("list", "questions").out.split()[:2] == ["Q-1", "Which"]
    ana.ok("close-question", "Q-1", "--note", "clear now")
    assert ana.ok("list", "questions", "--json").json["rows"][0]["state"] == "closed"
    assert ana.ok("find", "holdout of march", "--json").json[0]["where"] == "reply"
    nobody = ana.call("ask", "Who is on call?", "--to", "nobody")
    assert nobody.code == 2
    assert "roles: researcher" in nobody.err


def test_log_tells_newest_first_and_a_comment_can_be_taken_back(opened: Any) -> None:
    opened.ok("comment", "churn@1", "a word", "--item", "problem")
    rows = opened.ok("log", "churn@1", "--json").json
    assert (rows[0]["kind"], rows[0]["field"], rows[0]["name"]) == ("comment.added", "framing.problem", "Ana")
    opened.ok("retract", rows[0]["change"][:16])
    after = opened.ok("log", "churn@1", "--json").json
    assert after[0]["kind"] == "change.retracted"
    assert not next(row for row in after if row["change"] == rows[0]["change"])["live"]
    signed = next(row for row in opened.ok("log", "--json").json if row["kind"] == "ledger.founded")
    refused = opened.call("retract", signed["change"])
    assert refused.code == 3


def test_every_json_answer_is_plain_ascii(ana: Any) -> None:
    ana.ok("add", "document", "Übersicht 模型")
    said = ana.ok("list", "documents", "--json")
    assert said.out.isascii()
    assert json.loads(said.out)["rows"][0]["name"] == "Übersicht 模型"
    assert "Übersicht 模型" in ana.ok("list", "documents").out


def test_a_recall_is_told_and_lifted_by_command(opened: Any) -> None:
    """What is recalled is listed with whom it touches; a recall needs a reason; lifting is a signed act."""
    assert opened.ok("recall").err.strip() == "Nothing is recalled."
    assert opened.call("recall", "telco").code == 2
    said = opened.ok("recall", "telco", "--reason", "ages of minors were exported by mistake")
    assert "churn@1: shut" in said.err
    (row,) = opened.ok("recall", "--json").json
    assert (row["title"], row["by"], row["touches"]) == ("telco", "Ana", ["churn@1"])
    assert opened.call("gate", "churn@1").code == 3
    assert "telco was recalled by Ana" in opened.call("gate", "churn@1").out
    opened.ok("recall", "telco", "--lift", "--reason", "the export was checked: no minors in it")
    assert opened.ok("recall").err.strip() == "Nothing is recalled."
    assert opened.call("recall", "telco", "--lift", "--reason", "there was nothing wrong").code == 3
