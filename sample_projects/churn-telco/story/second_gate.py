"""March and April: from engineering to production. Stale signature, waiver, an edit on two replicas at once, and the gate passed."""

from __future__ import annotations

from typing import Any

from replica import command, files, links, literal, table, text

from carnet_store import Look

from . import Story, record

_FILES = (
    "serve.py", "parity.py", "deploy/deploy.sh", "deploy/release.py", "deploy/rollback.sh", "monitoring/check_batch.py",
    "monitoring/plan.md", "runbook.md",
)  # fmt: skip
_PLAN = "signal kind limit window alert_to runbook"


def _plan(story: Story, psi: str, *more: tuple[Any, ...]) -> dict[str, Any]:
    book = [story.ids["runbook"]]
    return table(
        _PLAN,
        ["PSI of scores against the holdout of r-012", "output distribution", psi, "each batch", "operator, page", book],
        ["customers flagged", "output distribution", "50 % to 150 % of the last batch", "each batch", "operator, page", book],
        ["rows refused", "input data", "0.5 %", "one day", "operator, page", book],
        ["p99 latency", "technical", "50 ms", "10 minutes", "operator, page", book],
        ["AUC and calibration", "quality", "AUC 0.83, ECE 0.03", "batch of 45 days ago", "researcher, mail", book],
        *more,
    )  # fmt: skip


def _must(look: Look, what: str, true: bool) -> None:
    if not true:
        raise ValueError(f"{what}: the record says {look.status.verdict}, {[r.text for r in look.status.reasons]}")


def prepare(story: Story) -> None:
    """23 March to 10 April: endpoint, parity, contract, deployment, rollback, on-call."""
    ids, research, engineering, operations = story.ids, story.research, story.engineering, story.operations
    story.clock.at("2026-03-23")
    tomasz = engineering.by("Tomasz")
    ids["serving"] = tomasz.declare(
        "code", "churn-telco/serving",
        attrs={
            "commit": f"files:{record.digest(b''.join((record.PROJECT / n).read_bytes() for n in _FILES))[:16]}",
            "files": {name: record.digest((record.PROJECT / name).read_bytes()) for name in _FILES},
        },
    ).entity  # fmt: skip
    ids["runbook"] = engineering.by("Tomasz").declare(
        "document", "runbook", version="1", digests={"sha256": record.digest((record.PROJECT / "runbook.md").read_bytes())},
    ).entity  # fmt: skip
    packs = engineering.desk.packs_for("starter-engineering-to-operations", engineering.project)
    ids["gate-2"] = gate = (
        engineering.by("Tomasz")
        .open_handoff(
            ids["model"], packs, criteria=ids["criteria"], due="2026-04-24",
            entities=[ids["serving"], ids["environment"], ids["r-012"]],
        )
        .entity
    )  # fmt: skip
    for name in _FILES:
        engineering.by("Tomasz").file(gate, record.PROJECT / name, name)
    engineering.by("Tomasz").assign(gate, "role:operator", engineering.id_of("Aiko"), due="2026-04-22")
    story.post(engineering, "Tomasz")
    ids["q-labels"] = (
        operations.by("Aiko")
        .ask(
            "How long after a month do we know who really left? Quality alarms depend on it.",
            about=[gate], item="observe.plan", to_team="research",
        )
        .entity
    )  # fmt: skip
    story.post(operations, "Aiko")

    story.clock.at("2026-03-26")
    report = engineering.put((record.RUNS / "parity" / "parity.json").read_bytes())
    ids["parity"] = engineering.by("Tomasz").declare(
        "check", "serving parity", attrs=dict(record.read("runs/parity/parity.json")),
        digests={"sha256": report["sha256"]}, edges=[("used", ids["r-012"]), ("used", ids["serving"])],
    ).entity  # fmt: skip
    line = "python parity.py --run ../runs/r-012 --package DIR --out parity.json"
    engineering.by("Tomasz").answer(gate, {"fidelity.parity": command(line, 0, report, links=[ids["parity"]])})
    story.clock.at("2026-04-02")
    ids["load-test"] = engineering.by("Tomasz").declare(
        "document", "load test on staging",
        attrs={"p99_latency_ms": "31", "note": "invented for the story: no load test was run for this sample"},
    ).entity  # fmt: skip
    story.post(engineering, "Tomasz")

    story.clock.at("2026-04-06")
    signed = research.put(record.contract())
    ids["contract"] = research.by("Ines").declare(
        "document", "feature contract", version="1.0.0",
        attrs={"file": "features_contract.json", "size": str(signed["size"])}, digests={"sha256": signed["sha256"]},
    ).entity  # fmt: skip
    research.by("Ines").answer(gate, {"features.contract": links(ids["contract"])})
    research.by("Ines").verify(gate, "fidelity.parity", agree=True)
    story.post(research, "Ines")

    story.clock.at("2026-04-08")
    dry = engineering.put(story.output("deploy"))
    smoke = engineering.put(story.output("previous"))
    engineering.by("Tomasz").verify(gate, "features.contract", agree=True)
    engineering.by("Tomasz").answer(gate, {
        "deploy.scripts": command("sh deploy/deploy.sh --dry-run --env staging --package DIR --root ROOT", 0, dry),
        "deploy.config": {
            "state": "yes", "links": [ids["runbook"]], "note": "No secret is used; limits stand in files of the release.",
        },
        "rollback.criteria": table(
            "signal kind limit for_duration action decider",
            ["PSI of scores", "output distribution", "0.25", "one batch", "switch to fallback", "Aiko Mori"],
            ["rows refused, %", "input data", "0.5", "one day", "page and decide", "Aiko Mori"],
            ["p99 latency, ms", "technical", "50", "10 minutes", "page and decide", "Aiko Mori"],
        ),
        "rollback.target": command("python DIR/serve.py --package DIR --smoke", 0, smoke),
        "observe.plan": _plan(story, "0.25"),
    })  # fmt: skip
    story.post(engineering, "Tomasz")
    book = operations.put((record.PROJECT / "runbook.md").read_bytes())
    operations.by("Aiko").answer(gate, {
        "operate.runbook": files({"path": "runbook.md", **book}),
        "operate.oncall": table(
            "level person_or_rota hours reach_within",
            ["1", "operations rota, Aiko Mori first", "always", "15 minutes"],
            ["2", "Tomasz Wilk", "09:00 to 18:00 UTC", "1 hour"],
            ["3", "Ines Duarte, until 30 June", "09:00 to 18:00 UTC", "1 day"],
        ),
    })  # fmt: skip
    for item in ("deploy.scripts", "deploy.config", "rollback.criteria", "rollback.target", "observe.plan"):
        operations.by("Aiko").verify(gate, item, agree=True)
    engineering_reply = (
        "45 days: cancellations are booked at the end of the month after next. The contract names it now."
    )
    story.clock.at("2026-04-10")
    research.by("Ines").reply(ids["q-labels"], engineering_reply)
    story.post(research, "Ines")


def drills_and_first_signatures(story: Story) -> None:
    """9 to 13 April: the first drill is too slow, the second is not; sealed; two sign."""
    ids, research, engineering, operations = story.ids, story.research, story.engineering, story.operations
    gate = ids["gate-2"]
    story.clock.at("2026-04-10", "11:00")
    operations.by("Aiko").close_question(ids["q-labels"], "quality is watched on the batch of 45 days ago")
    _drill(story, "1", "14", "the earlier release had never been deployed on this machine: it had to be copied by hand")
    story.post(operations, "Aiko")
    _must(operations.look(gate), "the first drill", _state(operations.look(gate), "rollback.drill") == "failed")
    story.clock.at("2026-04-13")
    _drill(story, "2", "6", "runbook mended: deploy the earlier release once before; switched, digest seen")
    story.post(operations, "Aiko")
    for item in ("operate.runbook", "operate.oncall", "rollback.drill"):
        engineering.by("Tomasz").verify(gate, item, agree=True)
    engineering.by("Tomasz").seal(gate)
    engineering.by("Tomasz").custody(gate, "offered", "operations", "ready to be run by others")
    reason = "This is what we built; parity is exact and the way back was walked"
    engineering.by("Tomasz").sign(gate, "ml_engineer", reason)
    story.post(engineering, "Tomasz")
    research.by("Grace").sign(gate, "product_owner", "Limits and rollback are as agreed with retention")
    story.post(research, "Grace")


def _drill(story: Story, number: str, minutes: str, what: str) -> None:
    acts = story.operations.by("Aiko")
    drill = acts.declare(
        "drill", f"rollback drill {number}",
        attrs={"minutes": minutes, "what": what, "note": "the minutes are invented for the story"},
    ).entity  # fmt: skip
    story.ids[f"drill-{number}"] = drill
    story.operations.by("Aiko").answer(story.ids["gate-2"], {"rollback.drill": literal(minutes, "minutes", drill)})


def _state(look: Look, item: str) -> str:
    found = look.status.item(item)
    return found.state if found else ""


def full_pack(story: Story) -> None:
    """15 April: the validator asks for the full gate beside the starter; its answers are carried over."""
    ids, research = story.ids, story.research
    story.clock.at("2026-04-15", "09:00")
    packs = research.desk.packs_for("research-to-engineering", research.project)
    ids["gate-1-full"] = gate = (
        research.by("Ines")
        .open_handoff(
            ids["model"], packs, criteria=ids["criteria"], due="2026-05-29", previous=ids["gate-1"],
            facts={"project.regulated": False, "model.kind": "tabular"},
            entities=[ids["data"], ids["code"], ids["environment"], ids["r-012"]],
        )
        .entity
    )  # fmt: skip
    research.by("Mbali").comment(
        gate, "Before all lists come from the model I want the full gate; the starter's answers stay."
    )
    before = research.look(ids["gate-1"]).status
    asked = {item.id: item for item in research.look(gate).checklist.items}
    mine = {}
    for status in before.items:
        item = asked.get(status.item.id)
        if (
            item is not None
            and item.answers == "researcher"
            and status.value is not None
            and status.item.type == item.type
        ):
            mine[item.id] = dict(status.value)
    research.by("Ines").answer(gate, mine, carried=ids["gate-1"])
    story.post(research, "Ines")


def one_line_of_the_contract(story: Story) -> None:
    """14 April: one line of the contract is edited; exactly the signature that covers it turns stale."""
    ids, research = story.ids, story.research
    gate = ids["gate-2"]
    before = research.look(gate)
    _must(
        before,
        "two have signed",
        {r.row.role for r in before.status.rows if r.signed} == {"ml_engineer", "product_owner"},
    )
    story.clock.at("2026-04-14")
    edited = research.put(record.contract(edited=True))
    ids["contract-edited"] = research.by("Ines").declare(
        "document", "feature contract", version="1.0.1",
        attrs={"file": "features_contract.json", "size": str(edited["size"]), "edited": "null rule of total_charges"},
        digests={"sha256": edited["sha256"]}, edges=[("from", ids["contract"])],
    ).entity  # fmt: skip
    why = "One line: total_charges may be null only where tenure is zero; before, any null became zero."
    research.by("Ines").answer(gate, {"features.contract": {**links(ids["contract-edited"]), "note": why}})
    after = research.look(gate)
    stale = {r.row.role: r.stale[0].changed_items for r in after.status.rows if r.stale}
    _must(after, "only who covers the contract is stale", stale == {"ml_engineer": ("features.contract",)})
    story.post(research, "Ines")


def two_answers(story: Story) -> None:
    """15 April: two people answer the monitoring plan apart; the bundle between them shows it."""
    ids, engineering, operations = story.ids, story.engineering, story.operations
    gate = ids["gate-2"]
    story.clock.at("2026-04-15", "10:00")
    operations.by("Aiko").answer(gate, {
        "observe.plan": _plan(
            story, "0.20", ("scores missing", "technical", "any customer of the batch", "each batch", "operator, page", [ids["runbook"]]),
        ),
        "own.readback": text("""
            A PSI above the limit or a count of flags far from last month's means the inputs moved, most likely a unit or a
            join: I hold the batch and switch to the list by contract. Slow or down: restart once, then roll back. I call
            Tomasz first, Ines until the end of June. I never deliver a batch whose PSI was not looked at."""),
    })  # fmt: skip
    engineering.by("Tomasz").answer(gate, {
        "observe.plan": _plan(
            story, "0.25", ("mean score", "output distribution", "0.20 to 0.35", "each batch", "operator, mail", [ids["runbook"]]),
        ),
    })  # fmt: skip
    story.clock.at("2026-04-15", "17:00")
    story.post(operations, "Aiko", engineering)
    both = engineering.look(gate)
    _must(both, "the plan is in conflict", _state(both, "observe.plan") == "conflict")
    _must(both, "8 of 12 items stand", (both.status.done, len(both.status.items)) == (8, 12))


def finish(story: Story) -> None:
    """16 to 22 April: settled, verified, waived for a while, signed anew, passed, taken over."""
    ids, research, engineering, operations = story.ids, story.research, story.engineering, story.operations
    gate = ids["gate-2"]
    story.clock.at("2026-04-16")
    engineering.by("Tomasz").comment(
        gate, "Aiko's 0.20 would page twice a year for nothing; scores missing is a good alarm.", "observe.plan"
    )
    mine = next(
        c for c in engineering.look(gate).handoff.answers["observe.plan"] if c.person == engineering.id_of("Tomasz")
    )
    engineering.by("Tomasz").settle(gate, "observe.plan", mine.id)
    engineering.by("Tomasz").verify(gate, "features.contract", agree=True)
    engineering.by("Tomasz").verify(gate, "own.readback", agree=True, reason="just so")
    engineering.by("Tomasz").sign(
        ids["gate-fallback"], "ml_engineer", "Made again bitwise; it stays deployed beside the model"
    )
    story.post(engineering, "Tomasz")
    story.clock.at("2026-04-17")
    operations.by("Aiko").verify(gate, "observe.plan", agree=True)
    story.post(operations, "Aiko")
    story.clock.at("2026-04-22")
    research.by("Grace").waive(
        gate, "operate.failover", "The second site is ready on 1 June; until then there is nothing to fail over to",
        "The list by contract can be made on any machine within the hour", 45,
    )  # fmt: skip
    research.by("Grace").sign(
        gate, "product_owner", "Limits as settled on 16 April; the failover drill follows in June"
    )
    research.by("Ines").sign(
        gate, "researcher", "What is served is the model that was handed over, with one line of the contract"
    )
    story.post(research, "Ines")
    engineering.by("Tomasz").sign(gate, "ml_engineer", "As built, with the edited null rule and the settled plan")
    story.post(engineering, "Tomasz")
    operations.by("Aiko").sign(gate, "operator", "I have walked the runbook and can take it back in six minutes")
    operations.by("Aiko").custody(gate, "accepted", reason="gate passed with one waiver")
    story.post(operations, "Aiko")
    for team in story.teams:
        done = team.look(gate)
        _must(
            done, f"the second gate at {team.team}", done.status.verdict == "passed" and len(done.status.waivers) == 1
        )
