"""The whole path by command: two machines, files between them, a gate passed and judged from a bundle alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROBLEM = "Each month retention calls the customers whose score is over one half, at most two thousand of them."
READBACK = "We take over a boosting model that scores customers monthly; retention calls those over one half."


@pytest.fixture
def company(opened: Any, machine: Any) -> tuple[Any, ...]:
    """Ana, Tom (engineering), Grace (product), Aiko (operations), all members by invitation in files."""
    people = [
        ("Tom", "ml_engineer", "engineering"),
        ("Grace", "product_owner", "product"),
        ("Aiko", "operator", "operations"),
    ]
    for name, role, team in people:
        opened.ok("people", "invite", f"{name} <{name.lower()}@example.org>", "--role", role, "--team", team)
    others = []
    ledger = opened.ok("verify", "--json").json["projects"][0]["ledger"]
    for name, _, _ in people:
        other = machine(name)
        opened.send(other)
        other.ok("import", "b.carnet.zip", "--trust", ledger)
        joined = other.ok("people", "join")
        assert "what you do here counts once Ana confirms" in joined.last
        other.send(opened, "back.carnet.zip")
        opened.ok("import", "back.carnet.zip")
        opened.ok("people", "admit", name)
        others.append(other)
    for other in others:
        opened.send(other)
        other.ok("import", "b.carnet.zip")
    return (opened, *others)


def to(giver: Any, *others: Any) -> None:
    """Carry what one machine has to others."""
    for other in others:
        giver.send(other, "news.carnet.zip")
        other.ok("import", "news.carnet.zip")


def test_a_model_changes_hands_between_four_machines_by_command(company: tuple[Any, ...], tmp_path: Path) -> None:
    """R001 R040 R099: joined by files, answered, verified, sealed, signed; the gate passes here and from a bundle alone."""
    ana, tom, grace, aiko = company
    h = "churn@1"
    ana.ok("answer", h, "framing.problem", PROBLEM)
    ana.ok("answer", h, "framing.criteria", "--link", ana.ok("list", "criteria", "--json").json["rows"][0]["id"])
    ana.ok("decide", "Which model?", "--choice", "boosting", "--reason", "it beats the baseline by four points",
           "--option", "boosting: best AUC", "--option", "logistic: easier to explain", "--constraint", "explainable to agents",
           "--about", "churn@1")  # fmt: skip
    ana.ok("answer", h, "approach.decision", "--link", "D-1")
    ana.ok("answer", h, "approach.evaluation", "--metric", "r-012:auc")
    (ana.folder / "requirements.lock").write_text("numpy==2.0 --hash=sha256:00\n")
    ana.ok("answer", h, "rep.env.lock", "--file", "requirements.lock")
    (ana.folder / "seeds.csv").write_text("source,seed,set_where\nsplit,7,train.py\n")
    ana.ok("answer", h, "rep.rnd.seeds", "--from", "seeds.csv")
    to(ana, tom, grace, aiko)
    tom.ok("answer", h, "rebuild.receiver_rerun", "--run", "--", "python3", "-c", "print('auc 0.8405')")
    tom.ok(
        "answer",
        h,
        "prod.migration",
        "--from",
        "-",
        stdin="step,owner,due,way_back\nshadow,Tom,2026-05-01,switch off\nfull,Aiko,2026-05-08,switch off\n",
    )
    tom.ok("answer", h, "people.readback", READBACK)
    aiko.ok("answer", h, "prod.reliability", "--from", "-",
            stdin="objective,target,unit,window\navailability,99.5,%,30 days\nlatency,50,ms,1 hour\n")  # fmt: skip
    grace.ok("answer", h, "people.responsibilities", "--from", "-",
             stdin="task,answerable,consulted,informed,due\nretrain,Tom,Ana,Aiko,2026-06-01\nwatch,Aiko,Tom,Ana,2026-05-08\nowner,Grace,Ana,Tom,2026-05-01\n")  # fmt: skip
    for other in (tom, aiko, grace):
        to(other, ana)
    to(ana, tom, grace, aiko)
    verify_all(company)
    ana.ok("handoff", "seal", h)
    to(ana, tom, grace, aiko)
    sheet = ana.ok("handoff", "show", h, "--json").json
    open_items = [
        (i["id"], i["state"], i["reasons"]) for i in sheet["items"] if i["state"] not in ("ok", "na", "waived")
    ]
    assert open_items == []
    digest = sheet["package"][:4]
    for here, role in ((ana, "researcher"), (tom, "ml_engineer"), (grace, "product_owner")):
        said = here.ok("sign", h, "--as", role, "--reason", "looked at and agreed", "--digest", digest)
        assert f"approved as {role.replace('_', ' ')}" in said.last
        to(here, *[other for other in company if other is not here])
    assert ana.call("gate", h).code == 0
    verdict = grace.ok("gate", h, "--json").json
    assert (verdict["verdict"], verdict["passed"]) == ("passed", True)
    bundle = tmp_path / "final.carnet.zip"
    aiko.ok("export", str(bundle))
    stranger = type(ana)(tmp_path / "stranger", "Stranger", ana.clock)
    ledger = aiko.ok("verify", "--json").json["projects"][0]["ledger"]
    assert stranger.call("gate", h, "--bundle", str(bundle), "--trust", ledger).code == 0
    assert stranger.call("gate", h, "--bundle", str(bundle), "--trust", "0" * 64).code == 5
    said = stranger.call("verify", str(bundle))
    assert said.code == 3 and "Every digest, chain and signature in it holds." in said.out
    assert said.last.startswith("Exit 3: all of it holds, but nothing says yet that this is the project you mean.")
    assert said.last.endswith(f"carnet verify {bundle} --trust {ledger}")
    assert "`carnet whoami`" in said.err and ledger in ana.ok("whoami").out
    assert stranger.call("verify", str(bundle), "--trust", ledger).code == 0
    assert not (stranger.folder / ".carnet").exists()


def verify_all(company: tuple[Any, ...]) -> None:
    """Let everybody verify what waits for them, and tell all."""
    for here in company:
        waiting = here.ok("review", "churn@1", "--json").json
        for item in waiting:
            if item["state"] == "answered":
                here.ok("verify-item", "churn@1", item["id"], "--agree")
        to(here, *[other for other in company if other is not here])


def test_a_gate_that_is_not_passed_says_why_and_exits_3(opened: Any) -> None:
    """Exit 3, one line a reason, the same reasons as JSON."""
    said = opened.call("gate", "churn@1")
    assert said.code == 3
    assert said.out.startswith("blocked: churn@1")
    told = opened.call("gate", "churn@1", "--json")
    assert told.code == 3
    assert len(told.json["reasons"]) == said.out.count("\n  - ")
    assert told.json["passed"] is False
    assert any(reason["item"] == "framing.problem" for reason in told.json["reasons"])


def test_the_second_gate_does_not_make_the_first_ambiguous_once_it_is_finished(opened: Any) -> None:
    opened.ok("handoff", "open", "churn@1", "--gate", "starter-engineering-to-operations")
    both = opened.call("handoff", "show", "churn@1")
    assert both.code == 2
    assert "churn@1/starter-engineering-to-operations" in both.err
    assert "Research to engineering" in opened.ok("handoff", "show", "churn@1/research-to-engineering").out
    said = opened.ok("answer", "churn@1/research", "problem", PROBLEM)
    assert "churn@1/starter-research-to-engineering" in said.last  # what it names is one handoff
    opened.ok("handoff", "open", "churn@1", "--gate", "research-to-engineering")
    full = opened.ok("handoff", "show", "churn@1/research-to-engineering", "--json").json
    assert full["gate"] == "research-to-engineering"
    opened.ok("handoff", "abandon", "churn@1/research-to-engineering", "--reason", "the starter will do for this one")
    opened.ok("handoff", "abandon", "churn@1/research", "--reason", "opened by mistake, see the other")
    assert "ngineering to operations" in opened.ok("handoff", "show", "churn@1").out


def test_sign_wants_the_digest_of_what_was_looked_at(opened: Any) -> None:
    """Nobody signs what was not shown; a wrong digest signs nothing."""
    nothing = opened.call("sign", "churn@1", "--as", "researcher", "--reason", "made as described")
    assert (nothing.code, "nothing is sealed yet" in nothing.err) == (3, True)
    opened.ok("handoff", "seal", "churn@1")
    without = opened.call("sign", "churn@1", "--as", "researcher", "--reason", "made as described")
    assert without.code == 2
    assert "package" in without.err
    wrong = opened.call("sign", "churn@1", "--as", "researcher", "--reason", "made as described", "--digest", "zzzz")
    assert wrong.code == 2
    assert "nothing was signed" in wrong.err
    shown = opened.ok("handoff", "show", "churn@1", "--json").json
    assert all(row["signed"] == [] for row in shown["signoffs"])
    opened.ok(
        "sign", "churn@1", "--as", "researcher", "--reason", "made as described", "--digest", shown["package"][:4]
    )
    assert opened.ok("handoff", "show", "churn@1", "--json").json["signoffs"][0]["signed"] == ["Ana"]
    other = opened.call("sign", "churn@1", "--as", "operator", "--reason", "made as described", "--digest", "0000")
    assert other.code == 3


def test_what_still_waits_is_said_before_and_a_refusal_withdraws_an_approval(opened: Any) -> None:
    """Sealing and signing say for whom items wait; a refusal by the same person takes the place of the approval."""
    sealed = opened.ok("handoff", "seal", "churn@1")
    assert "a signature now would turn stale when that is done" in sealed.err and "for you to answer" in sealed.err
    digest = opened.ok("handoff", "show", "churn@1", "--json").json["package"][:4]
    words = ("sign", "churn@1", "--as", "researcher", "--digest", digest)
    signed = opened.ok(*words, "--reason", "made as described")
    assert "  waits    " in signed.err and "would turn stale" in signed.err
    again = opened.ok(*words, "--refuse", "--reason", "the holdout leaks into training")
    assert "replaces your approval of 2026-04-14" in again.err and "refused as researcher" in again.last
    shown = opened.ok("handoff", "show", "churn@1", "--json").json
    assert shown["signoffs"][0]["signed"] == []
    assert any(reason["code"] == "refused" for reason in shown["reasons"])
    opened.ok(*words, "--reason", "it does not, measured again")
    assert opened.ok("handoff", "show", "churn@1", "--json").json["signoffs"][0]["signed"] == ["Ana"]


def test_from_install_to_an_open_handoff_in_two_commands(machine: Any) -> None:
    """No key, account or form before the first useful act; the first model version is declared on the way."""
    here = machine("Zoe", identity=False)
    made = here.ok("init", "--project", "first")
    assert "a key of its own was made for you" in made.err
    said = here.ok("handoff", "open", "scorer@1")
    assert "declared model scorer@1" in said.err
    assert "12 items" in said.err
    typo = here.call("handoff", "open", "scorer@11")
    assert typo.code == 2
    assert "did you mean scorer@1" in typo.err
    here.ok("handoff", "open", "scorer@2", "--new")
