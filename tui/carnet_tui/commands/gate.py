"""Decide: waive, sign, gate, override, custody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import HANDOFF, ITEM, PATH, Group, add_to, command, session
from carnet_tui.commands.handoff import REASON
from carnet_tui.commands.telling import flags_of, reasons_of
from carnet_tui.session import Session, find_handoff, find_item, quoted

if TYPE_CHECKING:
    from carnet_store import Look, Project

TYPED = 4
"""Characters of the package's digest that a signer gives, so that nobody signs what was not looked at."""


@command(
    "waive",
    "carnet waive churn@2 prod.reliability --reason 'pilot with 50 users' --mitigation 'manual watch' --days 30",
    "carnet waive churn@2 prod.reliability --end 3fa94c01 --reason 'objectives are written now'",
    writes=True,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("item", type=ITEM, metavar="ITEM")
@REASON
@click.option("--mitigation", default="", help="What is done about the risk meanwhile.")
@click.option("--days", type=click.IntRange(1, 3650), help="For how many days.")
@click.option("--end", "end", default="", metavar="CHANGE", help="End this waiver before its time.")
def waive(which: str, item: str, reason: str, mitigation: str, days: int | None, end: str) -> None:
    """Let an item stay as it is for some days, by your own key; the waiver expires and hides nothing."""
    from carnet_store import Usage
    from carnet_tui.commands.record import find_change

    here = session()
    project, look = here.handoff(which)
    asked = find_item(look, item)
    acts = here.acts(project)
    if end:
        here.wrote(acts.end_waiver(look.handoff.id, find_change(project, end), reason))
        return
    if days is None:
        raise Usage(
            "for how many days?",
            f"--days N, at most {asked.waiver_days} here" if asked.waiver_days else "this item cannot be waived",
        )
    here.wrote(acts.waive(look.handoff.id, asked.id, reason, mitigation, days))


@command(
    "sign",
    "carnet sign churn@2 --as researcher --reason 'made as described'",
    "carnet sign churn@2 --as operator --reason 'drill passed' --digest 7f3a",
    "carnet sign churn@2 --as ml_engineer --refuse --reason 'the holdout leaks'",
    writes=True,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--as", "role", required=True, metavar="ROLE", help="The role you sign in.")
@REASON
@click.option("--refuse", is_flag=True, help="Refuse; it takes the place of an approval of yours.")
@click.option("--conditions", is_flag=True, help="Approve with conditions; the reason says which.")
@click.option("--meaning", default="", help="Which row of the role, where it has several.")
@click.option("--days", default=0, type=click.IntRange(0, 3650), help="The approval ends after so many days.")
@click.option("--digest", default="", metavar="XXXX", help="The first four characters of the package's digest.")
def sign(
    which: str, role: str, reason: str, refuse: bool, conditions: bool, meaning: str, days: int, digest: str
) -> None:
    """Sign off what stands now: package, answers, verifications and waivers, by your own key.

    On a terminal the first four characters of the digest are asked for; elsewhere --digest gives them.
    """
    from carnet_store import Usage

    here = session()
    if refuse and conditions:
        raise Usage("--refuse and --conditions exclude each other")
    project, look = here.handoff(which)
    acts = here.acts(project)
    role = role.strip().lower().replace(" ", "_").replace("-", "_")
    decision = "refuse" if refuse else "approve-with-conditions" if conditions else "approve"
    acts.signoff_payload(look, role, reason, decision=decision, meaning=meaning, days=days)  # says what forbids it
    _say_what_is_signed(here, project, look, role, meaning, decision)
    start = look.status.package[:TYPED]
    if not digest:
        if not here.interactive:
            raise Usage(
                "signing needs the first characters of what is signed",
                "--digest XXXX: the first four characters of the package above",
            )
        digest = here.line(f"Type the first {TYPED} characters of the digest to sign: ")
    given = digest.replace(" ", "").lower()
    if len(given) < TYPED or not look.status.package.startswith(given):
        raise Usage(
            f"the package begins with {start}, not with {given or 'nothing'}; nothing was signed",
            quoted("carnet", "handoff", "show", look.model.title),
        )
    here.wrote(acts.sign(look.handoff.id, role, reason, decision=decision, meaning=meaning, days=days))


def _say_what_is_signed(here: Session, project: Project, look: Look, role: str, meaning: str, decision: str) -> None:
    from carnet_tui.commands.telling import still_waits
    from carnet_tui.text import digest as grouped
    from carnet_tui.text import plural

    status = look.status
    row = next(r for r in status.rows if r.row.role == role and meaning in ("", r.row.meaning))
    covered = [one for one in status.items if one.item.id in row.row.covers]
    console.talk(f"{look.model.title}: {look.checklist.gate.title}, round {status.round}")
    entities = plural(len(look.manifest.get("entities", [])), "entity", "entities")
    console.talk(f"  package  {grouped(status.package)} …  ({plural(len(look.handoff.files), 'file')}, {entities})")
    console.talk(
        f"  meaning  {row.row.meaning.replace('-', ' ')}, as {role.replace('_', ' ')}: {decision.replace('-', ' ')}"
    )
    console.talk(f"  covers   {len(covered)} items, {sum(one.settled for one in covered)} of them in order")
    for one in covered:
        if not one.settled:
            console.talk(f"           {one.item.id}: {one.state}")
    for item_id, change in status.waivers:
        console.talk(
            f"  waived   {item_id} by {project.person_name(change.person)} until {console.day(getattr(change.value, 'expires', 0))}"
        )
    if status.changed_since_seal:
        console.talk(f"  changed since it was sealed: {', '.join(status.changed_since_seal[:6])}")
    if waits := still_waits(here, project, look, row.row.covers):
        console.talk(f"  waits    {waits}")
    for mine in row.signed:
        if mine.change.person == here.desk().i().person:
            word = mine.predicate.decision.replace("-", " ").replace("approve", "approval")
            console.talk(f"  replaces your {word} of {console.moment(mine.change.t)}")
    for mine in row.stale:
        console.talk(f"  stale    {project.person_name(mine.change.person)}: {'; '.join(mine.reasons)}")


_GATE_SHAPE = (
    '{"handoff", "model", "gate", "verdict", "passed": bool, "round", "package", "done", "total", '
    '"reasons": [{"code", "text", "item", "role", "persons"}], "flags": [text], "override": {"by", "reason", "expires"} or null, '
    '"waivers": [{"item", "by", "expires"}], "ledger"}'
)


@command(
    "gate",
    "carnet gate churn@2 && deploy.sh",
    "carnet gate churn@2/engineering-to-operations --json",
    "carnet gate churn@2 --bundle churn-2.carnet.zip --trust 5f0c…",
    shape=_GATE_SHAPE,
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--allow-override", is_flag=True, help="An override in force passes too.")
@click.option("--bundle", type=PATH, metavar="FILE", help="Judge what a bundle holds; no store is needed or touched.")
@click.option(
    "--trust",
    default="",
    metavar="LEDGER_ID",
    help="The project's ledger id, known from elsewhere; needed with --bundle.",
)
def gate(which: str, allow_override: bool, bundle: Path | None, trust: str) -> None:
    """Exit 0 only if the gate is passed; else print why not, and exit 3."""
    here = session()
    if bundle is not None:
        with _unpacked(here, here.env.path(bundle), trust) as project:
            passed = _judged(here, project, project.look(find_handoff(project, which)), allow_override)
    else:
        project, look = here.handoff(which)
        here.desk().assured(project)
        passed = _judged(here, project, project.look(look.handoff.id), allow_override)
    click.get_current_context().exit(0 if passed else 3)


@contextmanager
def _unpacked(here: Session, path: Path, trust: str) -> Iterator[Project]:
    """Take a bundle into a store that lasts as long as this call."""
    import tempfile

    from carnet_store import Desk, Usage

    if not trust:
        raise Usage("a bundle says nothing about whom to trust", "--trust LEDGER_ID, as its founder told it to you")
    with tempfile.TemporaryDirectory(prefix="carnet-") as folder:
        apart = {**here.environ(), "CARNET_CONFIG": f"{folder}/config", "CARNET_ME": ""}
        with Desk.create(Path(folder), environ=apart, clock=here.clock()) as desk:
            with console.progress("verifying") as hear:
                desk.accept(path, trust=trust, consent=True, progress=hear)
            yield desk.project(trust)


def _judged(here: Session, project: Project, look: Look, allow_override: bool) -> bool:
    """Print a verdict; say whether it passes."""
    status = look.status
    passed = status.verdict == "passed" or (allow_override and status.verdict == "overridden")
    if here.json:
        override: dict[str, Any] | None = None
        if status.override is not None:
            act = status.override.value
            override = {
                "by": project.person_name(status.override.person), "reason": getattr(act, "reason", ""),
                "expires": getattr(act, "expires", 0),
            }  # fmt: skip
        console.out_json(
            {"handoff": look.handoff.id, "model": look.model.title, "gate": look.handoff.gate.id, "verdict": status.verdict,
             "passed": passed, "round": status.round, "package": status.package, "done": status.done,
             "total": len(status.items), "reasons": reasons_of(look), "flags": flags_of(look), "override": override,
             "waivers": [
                 {"item": item, "by": project.person_name(c.person), "expires": getattr(c.value, "expires", 0)}
                 for item, c in status.waivers
             ],
             "ledger": project.id}
        )  # fmt: skip
        return passed
    console.out(
        f"{status.verdict}: {look.model.title}, {look.checklist.gate.title}, {status.done} of {len(status.items)} items in order"
    )
    for reason in status.reasons:
        console.out(f"  - {reason.text}")
    for flag in flags_of(look):
        console.out(f"  note: {flag}")
    if status.override is not None:
        act = status.override.value
        console.out(
            f"  overridden by {project.person_name(status.override.person)} until {console.day(getattr(act, 'expires', 0))}: {getattr(act, 'reason', '')}"
        )
        if status.verdict == "overridden" and not allow_override:
            console.talk("An override lets the crossing happen; it is no pass. Next: --allow-override")
    return passed


@command(
    "override", "carnet override churn@2 --reason 'outage of the old model, agreed by phone' --days 2", writes=True
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@REASON
@click.option("--days", required=True, type=click.IntRange(1, 3650), help="For how many days; the pack sets the most.")
def override(which: str, reason: str, days: int) -> None:
    """Let the crossing happen although the gate is shut: loud, by your own key, expiring, reviewed afterwards."""
    here = session()
    project, look = here.handoff(which)
    here.wrote(here.acts(project).override(look.handoff.id, reason, days))


custody = Group("custody", help="Which team holds a model version: offer, accept, refuse.")


@add_to(custody, "offer", "carnet custody offer churn@2 --to operations", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--to", "team", required=True, metavar="TEAM", help="The team that should take it.")
@click.option("--reason", default="", help="A word with it.")
def offer(which: str, team: str, reason: str) -> None:
    """Offer custody to another team."""
    here = session()
    project, look = here.handoff(which)
    here.wrote(here.acts(project).custody(look.handoff.id, "offered", team, reason))


@add_to(custody, "accept", "carnet custody accept churn@2", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--reason", default="", help="A word with it.")
def accept(which: str, reason: str) -> None:
    """Take custody that was offered."""
    here = session()
    project, look = here.handoff(which)
    here.wrote(here.acts(project).custody(look.handoff.id, "accepted", reason=reason))


@add_to(custody, "refuse", "carnet custody refuse churn@2 --reason 'no runbook yet'", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@REASON
def refuse(which: str, reason: str) -> None:
    """Refuse custody that was offered, with a reason."""
    here = session()
    project, look = here.handoff(which)
    here.wrote(here.acts(project).custody(look.handoff.id, "refused", reason=reason))
