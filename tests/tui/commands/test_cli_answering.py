"""Answering by command: every way to give an answer, sheets, the editor, conflicts, words of others."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

PROBLEM = "Each month retention calls the customers whose score is over one half, at most two thousand."


def state(here: Any, item: str) -> dict[str, Any]:
    """Return an item of churn@1 as `--json` shows it."""
    found: dict[str, Any] = here.ok("handoff", "show", "churn@1", item, "--json").json
    return found


def test_the_ways_to_answer(opened: Any) -> None:
    """R040 C172: a value, a metric by reference, a link, a file, unknown, not applicable with a reason."""
    h = "churn@1"
    opened.ok("answer", h, "problem", PROBLEM, "--note", "as told in March", "--url", "https://example.org")
    answer = state(opened, "problem")["answer"]
    assert (answer["text"], answer["note"], answer["urls"]) == (PROBLEM, "as told in March", ["https://example.org"])
    opened.ok("answer", h, "approach.evaluation", "--metric", "r-012:auc")
    assert state(opened, "approach.evaluation")["answer"]["metric"]["value"] == "0.8405"
    opened.ok("answer", h, "approach.evaluation", "r-012 auc")
    (opened.folder / "lock").write_text("numpy==2.0\n")
    opened.ok("answer", h, "rep.env.lock", "--file", "lock")
    assert state(opened, "rep.env.lock")["answer"]["files"][0]["path"] == "lock"
    opened.ok("answer", h, "rep.env.lock", "--unknown")
    assert state(opened, "rep.env.lock")["state"] == "unknown"
    opened.ok("answer", h, "rep.rnd.seeds", "--na", "nothing in it is random")
    assert state(opened, "rep.rnd.seeds")["answer"] == {"state": "na", "reason": "nothing in it is random"}
    opened.ok("answer", h, "rep.rnd.seeds", "[{source: split, seed: 7, set_where: train.py}]")
    assert state(opened, "rep.rnd.seeds")["answer"]["rows"] == [
        {"source": "split", "seed": "7", "set_where": "train.py"}
    ]
    opened.ok("answer", h, "problem", "-", stdin=f"{PROBLEM}\nSecond line.\n")
    assert state(opened, "problem")["answer"]["text"].endswith("Second line.")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["framing.problm", "x"], 2, "did you mean framing.problem"),
        (["problem"], 2, "no answer to framing.problem"),
        (["problem", "a", "b"], 2, "put a text of several words in quotes"),
        (["problem", "a", "--unknown"], 2, "exclude each other"),
        (["approach.evaluation", "--metric", "r-012:f1"], 4, "the run has no metric"),
        (["approach.evaluation", "--metric", "auc"], 2, "--metric RUN:NAME"),
        (["framing.criteria", "--link", "nowhere"], 4, "names no single entity"),
        (["rep.env.lock", "--file", "nowhere"], 2, "there is no file"),
        (["problem", "x", "--file", "telco.csv"], 4, "is no file item"),
        (["rep.rnd.seeds", "--from", "nowhere.csv"], 2, "cannot be read"),
        (["rep.rnd.seeds", "[{colour: red}]"], 4, "there is no column"),
        (["rebuild.receiver_rerun", "--run"], 2, "--run needs the command after --"),
        (["rebuild.receiver_rerun", "--run", "--", "/no/such/program"], 2, "could not be started"),
        ([], 2, "which item?"),
    ],
)
def test_a_wrong_answer_says_what_would_be_right_and_writes_nothing(
    opened: Any, words: list[str], code: int, said: str
) -> None:
    before = opened.ok("verify", "--json").json["projects"][0]["events"]
    done = opened.call("answer", "churn@1", *words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert "Traceback" not in done.err
    assert opened.ok("verify", "--json").json["projects"][0]["events"] == before


def test_a_command_item_keeps_command_exit_code_and_output_and_counts_as_recorded(opened: Any) -> None:
    """A captured result is said to be recorded, and is never counted as checked."""
    opened.ok("people", "role", "Ana", "researcher", "ml_engineer")
    said = opened.ok(
        "answer", "churn@1", "rebuild.receiver_rerun", "--run", "--", "sh", "-c", "echo out; echo err >&2; exit 0"
    )
    assert "| out" in said.err
    item = state(opened, "rebuild.receiver_rerun")
    result = item["answer"]["result"]
    assert (result["command"], result["exit_code"], result["output"]["size"]) == (
        "sh -c 'echo out; echo err >&2; exit 0'",
        0,
        8,
    )
    assert item["evidence"] == "recorded"


def test_an_incomplete_answer_says_what_lacks(opened: Any) -> None:
    opened.ok("people", "role", "Ana", "researcher", "product_owner")
    said = opened.ok(
        "answer", "churn@1", "people.responsibilities", "--from", "-", stdin="task,answerable\nretrain,Ana\n"
    )
    assert "people.responsibilities: 1 of at least 3 rows" in said.err


def test_a_sheet_is_recorded_whole_or_not_at_all(opened: Any) -> None:
    """Problems come with file and line; nothing is recorded beside them."""
    sheet = opened.folder / "answers.yaml"
    sheet.write_text(f"framing.problem: {PROBLEM}\napproach.evaluation: r-012 f1\nframing.problm: x\n")
    done = opened.call("answer", "churn@1", "--from", "answers.yaml")
    assert done.code == 4
    assert "answers.yaml:2:" in done.err
    assert "answers.yaml:3:" in done.err
    assert state(opened, "problem")["state"] == "open"
    sheet.write_text(f"framing.problem: {PROBLEM}\napproach.evaluation: r-012 auc\n")
    written = opened.ok("answer", "churn@1", "--from", "answers.yaml", "--json").json
    assert len(written["changes"]) == 2
    assert "nothing was recorded" in opened.ok("answer", "churn@1", "--from", "answers.yaml").err


def editor(here: Any, *steps: str) -> None:
    """Make $EDITOR a script whose n-th call runs the n-th step on the file `$1`."""
    cases = "\n".join(f"  {n}) {step} ;;" for n, step in enumerate(steps, 1))
    script: Path = here.root / "editor.sh"
    script.write_text(f'#!/bin/sh\ncount={here.root}/count\nn=$(($(cat $count 2>/dev/null || echo 0)+1)); echo $n > $count\n'
                      f'cp "$1" {here.root}/seen.$n\ncase $n in\n{cases}\nesac\n')  # fmt: skip
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    here.environ["EDITOR"] = str(script)


def test_edit_brings_problems_back_at_their_lines_and_records_in_the_end(opened: Any) -> None:
    """One YAML document of my open items; nothing typed is lost."""
    good = f"sed -i 's/^framing.problem:.*/framing.problem: {PROBLEM}/' \"$1\""
    bad = good + "; sed -i 's/^approach.evaluation:.*/approach.evaluation: r-012 f1/' \"$1\""
    editor(opened, bad, "sed -i 's/r-012 f1/r-012 auc/' \"$1\"")
    said = opened.ok("handoff", "edit", "churn@1")
    first = (opened.root / "seen.1").read_text()
    assert "framing.problem:" in first
    assert "people.readback" not in first  # another role's
    second = (opened.root / "seen.2").read_text().splitlines()
    at = next(n for n, line in enumerate(second) if line.startswith("approach.evaluation"))
    assert second[at - 1].startswith("#! ")
    assert PROBLEM in "\n".join(second)
    assert "answered 2 items" in said.last
    assert state(opened, "problem")["answer"]["text"] == PROBLEM
    assert state(opened, "approach.evaluation")["state"] == "answered"
    assert not list((opened.folder / ".carnet" / "drafts").glob("*.yaml"))


def test_edit_keeps_what_was_typed_when_it_is_left_wrong(opened: Any) -> None:
    editor(opened, "sed -i 's/^framing.problem:.*/framing.problem: [a, list]/' \"$1\"", ":", "exit 3")
    done = opened.call("handoff", "edit", "churn@1")
    assert done.code == 4
    assert "nothing was recorded" in done.err
    kept = list((opened.folder / ".carnet" / "drafts").glob("*.yaml"))
    assert len(kept) == 1
    assert "[a, list]" in kept[0].read_text()
    again = opened.call("handoff", "edit", "churn@1")
    assert again.code == 2
    assert "ended with code 3" in again.err
    assert "[a, list]" in (opened.root / "seen.3").read_text()
    assert kept[0].exists()


def test_edit_of_nothing_changes_nothing(opened: Any) -> None:
    editor(opened, ":")
    assert "Nothing was changed" in opened.ok("handoff", "edit", "churn@1").err


def test_two_answers_apart_are_a_conflict_that_one_settles(pair: tuple[Any, Any]) -> None:
    """C175 R093: both are kept and shown; a signed act settles."""
    ana, other = pair
    ana.ok("answer", "churn@1", "problem", PROBLEM + " Ana says.")
    other.ok("answer", "churn@1", "problem", PROBLEM + " Bo says.")
    other.send(ana)
    plan = ana.ok("import", "b.carnet.zip")
    assert "conflict: churn@1 framing.problem answered apart by Ana and Bo" in plan.out.replace(
        "Bo and Ana", "Ana and Bo"
    )
    assert state(ana, "problem")["state"] == "conflict"
    shown = ana.call("settle", "churn@1", "problem")
    assert shown.code == 2
    assert "Ana says." in shown.out
    assert "Bo says." in shown.out
    assert ana.call("settle", "churn@1", "problem", "--keep", "Zoe").code == 2
    ana.ok("settle", "churn@1", "problem", "--keep", "Bo")
    assert state(ana, "problem")["answer"]["text"].endswith("Bo says.")
    assert ana.call("settle", "churn@1", "problem", "--keep", "Bo").code == 2


def test_what_another_spoke_counts_once_that_person_confirms(pair: tuple[Any, Any]) -> None:
    """Several people at one keyboard."""
    ana, other = pair
    ana.ok("answer", "churn@1", "problem", PROBLEM, "--spoken-by", "Bo")
    assert state(ana, "problem")["state"] == "unconfirmed"
    assert ana.call("confirm", "churn@1", "problem").code == 3
    ana.send(other)
    other.ok("import", "b.carnet.zip")
    other.ok("confirm", "churn@1", "problem")
    assert state(other, "problem")["state"] != "unconfirmed"


def test_verifying_is_another_persons_and_disagreeing_needs_a_reason(pair: tuple[Any, Any]) -> None:
    """C171: nobody verifies an own answer."""
    ana, other = pair
    ana.ok("answer", "churn@1", "approach.evaluation", "--metric", "r-012:auc")
    own = ana.call("verify-item", "churn@1", "approach.evaluation", "--agree")
    assert own.code == 3
    ana.send(other)
    other.ok("import", "b.carnet.zip")
    assert other.call("verify-item", "churn@1", "approach.evaluation").code == 2
    assert other.call("verify-item", "churn@1", "approach.evaluation", "--disagree").code == 4
    other.ok("verify-item", "churn@1", "approach.evaluation", "--disagree", "--reason", "our re-run gives .79, not .84")
    assert state(other, "approach.evaluation")["state"] == "disagreed"
    other.ok("finding", "churn@1", "approach.evaluation", "customer_id is among the features")
    change = other.ok("log", "churn@1", "--json").json[0]["change"]
    other.ok("finding", "churn@1", "approach.evaluation", "removed from the features", "--close", change[:16])


def test_assign_include_file_repack_return_and_custody(pair: tuple[Any, Any]) -> None:
    ana, other = pair
    h = "churn@1"
    ana.ok("handoff", "assign", h, "role:ml_engineer", "Bo", "--due", "2026-05-01")
    ana.ok("handoff", "include", h, "telco", "r-012")
    ana.ok("handoff", "file", h, "telco.csv")
    told = ana.ok("handoff", "show", h, "--json").json
    assert {e["title"] for e in told["entities"]} == {"telco", "r-012"}
    assert told["files"][0]["path"] == "telco.csv"
    ana.ok("answer", h, "problem", PROBLEM)
    moved = ana.ok(
        "handoff", "repack", h, "--gate", "research-to-engineering", "--reason", "customers are affected by it"
    )
    assert "research-to-engineering" in moved.last
    assert "kept       12 items, 1 of them answered" in moved.err and "removed    none" in moved.err
    assert state(ana, "framing.problem")["answer"]["text"] == PROBLEM  # the answer is kept
    assert ana.call("handoff", "repack", h, "--tier", "Z", "--reason", "customers are affected by it").code == 2
    assert ana.call("handoff", "repack", h, "--fact", "no.such=yes", "--reason", "customers are affected").code == 4
    ana.ok("handoff", "seal", h)
    ana.send(other)
    other.ok("import", "b.carnet.zip")
    assert other.call("custody", "accept", h).code == 3
    ana.ok("custody", "offer", h, "--to", "engineering")
    other.ok(
        "handoff", "return", h, "--reason", "the holdout leaks badly", "--item", "framing.problem=too vague to judge"
    )
    assert other.call("gate", h, "--json").json["verdict"] == "returned"


def test_waive_and_override_say_what_forbids_them(opened: Any) -> None:
    """A waiver needs days, the role and a reason; an override is no pass unless it is allowed."""
    h = "churn@1"
    assert opened.call("waive", h, "prod.reliability", "--reason", "a pilot with 50 users").code == 2
    refused = opened.call("waive", h, "prod.reliability", "--reason", "a pilot with 50 users", "--days", "30")
    assert refused.code == 3
    assert "risk officer" in refused.err
    opened.ok("people", "role", "Ana", "researcher", "risk_officer", "gate_authority")
    opened.ok(
        "waive",
        h,
        "prod.reliability",
        "--reason",
        "a pilot with 50 users",
        "--mitigation",
        "watched by hand",
        "--days",
        "30",
    )
    assert "WAIVED  prod.reliability until 2026-05-14" in opened.ok("handoff", "show", h).out
    assert opened.call("waive", h, "prod.reliability", "--reason", "a pilot with 50 users", "--days", "3000").code == 3
    opened.ok("handoff", "seal", h)
    long = opened.call("override", h, "--reason", "the old model is down", "--days", "3000")
    assert long.code == 3
    said = opened.call("override", h, "--reason", "the old model is down", "--days", "2")
    if said.code == 0:
        assert opened.call("gate", h).code == 3
        assert opened.call("gate", h, "--allow-override").code == 0


def test_review_without_a_terminal_prints_what_needs_me(pair: tuple[Any, Any]) -> None:
    ana, other = pair
    ana.ok("answer", "churn@1", "approach.evaluation", "--metric", "r-012:auc")
    ana.send(other)
    other.ok("import", "b.carnet.zip")
    said = other.ok("review", "churn@1", "--plain")
    assert "approach.evaluation" in said.out
    assert "0.8405" in said.out
    assert "items need you" in said.last


def test_criteria_that_came_after_the_result_are_told_by_gate_and_handoff(opened: Any) -> None:
    """R022: a note in both reports and at the item; the answer is judged as before."""
    said = "the criterion primary was set after the result was recorded"
    assert opened.call("gate", "churn@1", "--json").json["flags"] == []
    opened.ok("answer", "churn@1", "approach.evaluation", "--metric", "r-012:auc")
    assert state(opened, "approach.evaluation")["state"] == "answered"
    assert state(opened, "approach.evaluation")["flags"] == [said]
    for words in (("gate", "churn@1"), ("handoff", "show", "churn@1")):
        assert f"note: approach.evaluation: {said}" in opened.call(*words).out
    assert f"- {said}" in opened.ok("handoff", "show", "churn@1", "approach.evaluation").out
    assert opened.call("gate", "churn@1", "--json").json["flags"] == [f"approach.evaluation: {said}"]


def test_criteria_by_line_say_which_line_is_wrong(ana: Any) -> None:
    """R020: among several the line is named; two of one id are refused."""
    wrong = ana.call("add", "criteria", "churn", "--row", "a: auc >= 1", "--row", "b auc")
    assert wrong.code == 4 and "line 2: 'b auc' is no criterion" in wrong.err
    twice = ana.call("add", "criteria", "churn", "--row", "a: auc >= 1", "--row", "a: f1 >= 1")
    assert twice.code == 4 and "line 2: a stands on line 1 already" in twice.err
