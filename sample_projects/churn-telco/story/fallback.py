"""13 April: what one goes back to needs a gate of its own. Release 1.0.0, the rule by contract, waits for one signature on the demo's day."""

from __future__ import annotations

from replica import command, files, links, metric, table, text

from . import Story, record


def hand_over(story: Story) -> None:
    """Hand the rule by contract to engineering as well: small model, small gate, the lowest risk tier."""
    ids, research, engineering, operations = story.ids, story.research, story.engineering, story.operations
    story.clock.at("2026-04-13", "13:00")
    ids["fallback-criteria"] = (
        research.by("Grace")
        .set_criteria("churn fallback", [
            {
                "id": "primary", "metric": "AUC on the frozen holdout, enough to bridge some days", "name": "auc",
                "op": ">=", "value": "0.70",
            },
        ])
        .entity
    )  # fmt: skip
    ids["fallback-decision"] = (
        research.by("Ines")
        .decide(
            "What do we fall back to?",
            "The churn rate by kind of contract",
            "It needs one column, any machine can make it, and retention called by it for years",
            options=[
                {"title": "The churn rate by kind of contract", "why": f"AUC {record.value('r-001', 'auc')}, one column"},
                {"title": "No list at all", "why": "a month without calls costs more than a coarse list"},
            ],
            constraints=["must be made within the hour, on any machine"],
            about=[ids["old-model"]],
        )
        .entity
    )  # fmt: skip
    packs = research.desk.packs_for("starter-research-to-engineering", research.project)
    ids["gate-fallback"] = gate = (
        research.by("Ines")
        .open_handoff(
            ids["old-model"], packs, tier="C", criteria=ids["fallback-criteria"], due="2026-04-17",
            entities=[ids["data"], ids["code"], ids["environment"], ids["r-001"]],
        )
        .entity
    )  # fmt: skip
    lock = research.put((record.PROJECT / "requirements.txt").read_bytes())
    research.by("Ines").answer(gate, {
        "framing.problem": text("""
            For the days on which the model's scores cannot be used: the list by kind of contract, as before the model. It
            decides the same calls, coarsely; nobody but retention uses it."""),
        "framing.criteria": links(ids["fallback-criteria"]),
        "approach.decision": links(ids["fallback-decision"]),
        "approach.evaluation": metric(ids["r-001"], "auc", record.value("r-001", "auc")),
        "rep.env.lock": files({"path": "requirements.txt", **lock}),
        "rep.rnd.seeds": table(
            "source seed set_where",
            ["split and bootstrap", record.params("r-001")["seed"], "params/r-001.json, used in train.py"],
        ),
    })  # fmt: skip
    research.by("Grace").answer(gate, {
        "people.responsibilities": table(
            "task answerable consulted informed due",
            ["say that the fallback is on", "Aiko Mori", "Tomasz Wilk", "Grace Lindqvist", "2026-04-24"],
            ["keep it deployable", "Tomasz Wilk", "Aiko Mori", "Grace Lindqvist", "2026-04-24"],
            ["answer questions about it", "Ines Duarte", "Farid Haddad", "Tomasz Wilk", "2026-06-30"],
        ),
    })  # fmt: skip
    for item in ("framing.problem", "framing.criteria"):
        research.by("Grace").verify(gate, item, agree=True)
    research.by("Ines").seal(gate)
    story.post(research, "Ines")

    found = engineering.put(story.output("fallback"))
    line = "python receiver_rerun.py --claimed ../runs/r-001 --run again --out OUT"
    engineering.by("Tomasz").answer(gate, {
        "rebuild.receiver_rerun": command(line, 0, found),
        "prod.migration": table(
            "step owner due way_back",
            ["deploy release 1.0.0 once on each machine", "Tomasz Wilk", "2026-04-17", "nothing to go back from"],
            ["deploy release 2.0.0 over it", "Aiko Mori", "2026-05-04", "release 1.0.0"],
        ),
        "people.readback": text("""
            It gives everybody with the same kind of contract the same chance. It is for days on which the model cannot be
            used. It fails by being coarse, never by being late; I switch to it before I look for causes."""),
    })  # fmt: skip
    for item in (
        "approach.decision", "approach.evaluation", "rep.env.lock", "rep.rnd.seeds", "people.responsibilities",
    ):  # fmt: skip
        engineering.by("Tomasz").verify(gate, item, agree=True)
    story.post(engineering, "Tomasz")
    operations.by("Aiko").answer(gate, {
        "prod.reliability": table(
            "objective target unit window",
            ["list made from nothing", "60", "minutes", "each time"],
            ["back to the earlier release", "10", "minutes", "each time"],
        ),
    })  # fmt: skip
    operations.by("Aiko").verify(gate, "prod.migration", agree=True)
    story.post(operations, "Aiko")
    engineering.by("Tomasz").verify(gate, "prod.reliability", agree=True)
    story.post(engineering, "Tomasz")
    for item in ("rebuild.receiver_rerun", "people.readback"):
        research.by("Ines").verify(gate, item, agree=True)
    research.by("Ines").sign(gate, "researcher", "The rule as it always was, made again from the package")
    research.by("Grace").sign(gate, "product_owner", "Good enough for some days")
    story.post(research, "Ines")
    status = engineering.look(gate).status
    if status.verdict != "ready":
        raise ValueError(f"the fallback's gate is {status.verdict}: {[r.text for r in status.reasons]}")
