"""Files between teams: export, inspect, import, verify."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import PATH, command, session
from carnet_tui.session import Session, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Desk, Project
    from carnet_store.exchange.plan import Plan

_PLAN_SHAPE = (
    '{"bundle": sha256, "ledger", "project", "founder", "fingerprint", "exporter", "increment", "new", "known", "filled", '
    '"conflicts": [...], "consequences": [{"handoff", "title", "before", "after"}], "uncounted": [...], "erasures": [...], "recalls": [...], '
    '"objects_brought", "objects_missing", "forks", "waiting", ...}'
)


@command(
    "export",
    "carnet export churn-2.carnet.zip",
    "carnet export to-ops.carnet.zip --to operations",
    "carnet export reply.carnet.zip --since from-research.carnet.zip --no-objects",
    "carnet export churn-2.carnet.zip --to operations --dry-run",
    shape='{"path", "bundle": sha256, "ledger", "events", "objects", "missing", "size": bytes}; '
    '--dry-run: {"path", "ledger", "events", "event_bytes", "objects", "object_bytes", "missing", "drafts", "written": false}',
)
@click.argument("file", type=PATH, metavar="FILE.carnet.zip")
@click.option(
    "--to", "to", multiple=True, metavar="PERSON|TEAM", help="Only what they are not known to hold. Repeatable."
)
@click.option("--since", type=PATH, metavar="FILE", help="Only what the maker of this bundle of theirs lacked.")
@click.option("--no-objects", is_flag=True, help="Leave the files' bytes out; they are listed as missing.")
@click.option("--dry-run", is_flag=True, help="Say what would leave and how large it is; write nothing.")
def export(file: Path, to: tuple[str, ...], since: Path | None, no_objects: bool, dry_run: bool) -> None:
    """Write a bundle: the whole record of a project, or what the other side lacks."""
    from carnet_store import Usage

    here = session()
    desk, project = here.desk(), here.project()
    if to and since:
        raise Usage("--to and --since exclude each other")
    path = here.env.path(file)
    persons = sorted({p for word in to for p in _persons(here, project, word)})
    if dry_run:
        _say_leaving(
            here, project, file, ", ".join(to), persons, here.env.path(since) if since else None, not no_objects
        )
        return
    with console.progress("exporting") as hear:
        made = desk.export(
            project,
            path,
            to=persons,
            since=here.env.path(since) if since else None,
            with_objects=not no_objects,
            progress=hear,
        )
    if here.json:
        console.out_json(
            {"path": str(made.path), "bundle": made.identity, "ledger": made.ledger, "events": made.events,
             "objects": made.objects, "missing": made.missing, "size": made.size}
        )  # fmt: skip
    else:
        console.out(str(made.path))
    missing = f", {made.missing} objects not in it" if made.missing else ""
    part = " (an increment)" if made.base else ""
    console.talk(
        f"wrote {file.name}{part}: {plural(made.events, 'event')}, {plural(made.objects, 'object')}{missing}, {console.size(made.size)}. "
        f"Send it; next, there: {quoted('carnet', 'import', file.name)}"
    )


def _say_leaving(
    here: Session, project: Project, file: Path, to: str, persons: Sequence[str], since: Path | None, with_objects: bool
) -> None:
    """Say what an export would write: for whom, events, objects with their size, what stays."""
    desk = here.desk()
    with console.progress("looking") as hear:
        found = desk.foresee(project, to=persons, since=since, with_objects=with_objects, progress=hear)
    drafts = len(here.acts(project).drafts()) if desk.me is not None else 0
    if here.json:
        console.out_json(
            {
                "path": str(here.env.path(file)),
                "ledger": project.id,
                **console.plain(found),
                "drafts": drafts,
                "written": False,
            }
        )
        return
    kept = [plural(drafts, "draft")] if drafts else []
    console.table([
        ["for", to or (f"the maker of {since.name}" if since else "whoever has nothing yet")],
        ["events", f"{found.events:,} of {project.name}, {console.size(found.event_bytes)} of text"],
        ["objects", f"{found.objects:,}, {console.size(found.object_bytes)}; {found.missing:,} listed as missing"],
        ["stays here", ", ".join([*kept, "your keys and passphrases", "when you looked at what"])],
    ])  # fmt: skip
    console.talk(f"Nothing was written. Next: the same without --dry-run writes {file.name}")


def _persons(here: Session, project: Project, word: str) -> Sequence[str]:
    """Return the persons meant by a name or a team."""
    members = project.members().people
    team = [p for p, row in members.items() if row.team and row.team.casefold() == word.strip().casefold()]
    waiting = [
        n.person
        for n in project.people.waiting_newcomers()
        if word.casefold() in (n.name.casefold(), n.mail.casefold())
    ]
    return team or waiting or [here.person(project, word)]


@command(
    "inspect",
    "carnet inspect churn-2.carnet.zip",
    "carnet churn-2.carnet.zip",
    "carnet inspect churn-2.carnet.zip --json",
    shape=_PLAN_SHAPE,
)
@click.argument("file", type=PATH)
@click.option("--large", is_flag=True, help="Agree to a very large bundle.")
def inspect(file: Path, large: bool) -> None:
    """Verify a bundle wholly and say what importing it would do; nothing is written. Works without a store."""
    here = session()
    by_file = click.get_current_context().meta.get("carnet.by_file", False)
    shown = by_file and here.interactive and sys.stdout.isatty() and here.env.path(file).is_file()
    if shown and (here.store_path() is None or _has_store(here)):
        from carnet_tui.commands.project import start_tui

        click.get_current_context().exit(start_tui(here, bundle=here.env.path(file)))
    plan = _plan(here, file, large)
    if here.json:
        console.out_json(plan)
        return
    show_plan(plan)
    console.talk(_next_after(plan, file))


def _has_store(here: Session) -> bool:
    from carnet_store import NotFound

    try:
        here.desk()
    except NotFound:
        return False
    return True


def _plan(here: Session, file: Path, large: bool) -> Plan:
    from carnet_store import Desk, NotFound

    path = here.env.path(file)
    with console.progress("verifying") as hear:
        try:
            desk = here.desk()
        except NotFound:
            if here.store_path() is not None:
                raise
            return Desk.inspect_file(path, consent=large, progress=hear)
        return desk.inspect(path, consent=large, progress=hear)


def _next_after(plan: Plan, file: Path) -> str:
    if plan.nothing_new:
        return "This store has it all already; there is nothing to import."
    return f"Everything in it holds; nothing was written. Next: {quoted('carnet', 'import', str(file))}"


def show_plan(plan: Plan) -> None:
    """Print what a bundle holds and what taking it in would do."""
    kind = "an increment" if plan.increment else "the whole record"
    note = f" ({plan.exporter_note})" if plan.exporter_note else ""
    rows = [
        ["project", f"{plan.project}, founded by {plan.founder}"],
        ["ledger", plan.ledger],
        ["founder's key", plan.fingerprint],
        ["from", f"{plan.exporter}{note}, {console.moment(plan.t)}, {kind}"],
        [
            "events",
            f"{plan.new:,} new, {plan.known:,} already here"
            + (f", {plan.filled:,} values filled in" if plan.filled else ""),
        ],
        [
            "objects",
            f"{plan.objects_brought} come along ({console.size(plan.object_bytes)}), {plan.objects_missing} missing",
        ],
    ]
    if plan.entities:
        rows.append(["new things", ", ".join(plural(count, kind) for kind, count in plan.entities)])
    console.table(rows)
    for consequence in plan.consequences:
        console.out(f"  {consequence.title}: {consequence.before or 'new here'} -> {consequence.after}")
    for conflict in plan.conflicts:
        names = " and ".join(side.name for side in conflict.sides)
        said = "answered" if conflict.kind == "item.answered" else "said"
        console.out(f"  conflict: {conflict.title} {conflict.field or 'criteria'} {said} apart by {names}")
    for group in plan.uncounted:
        authors = ", ".join(f"{name} ({count})" for name, count in group.authors)
        console.out(f"  does not count: {group.count} changes, {group.kind}: {authors}")
    for notice in plan.recalls:
        word = "lifted the recall of" if notice.lifted else "RECALLED"
        console.out(f"  {notice.name} {word} {notice.title}: {notice.reason}")
    for erasure in plan.erasures:
        console.out(f"  {erasure.name} erased {erasure.values} values and {erasure.objects} objects: {erasure.reason}")
    for name, seq in plan.forks:
        console.out(f"  fork: {name}'s chain has two events at place {seq}")
    for waiting in plan.waiting:
        console.out(f"  waits: {waiting.name} from event {waiting.seq} on, for events of {', '.join(waiting.needs)}")
    for lacking in plan.incomplete:
        console.out(f"  not all is here: {lacking.name} to {lacking.ours}, the sender had it to {lacking.theirs}")
    if plan.control_characters:
        console.out(
            f"  {plan.control_characters} characters that steer a terminal are in its texts; they are shown as signs"
        )


@command(
    "import",
    "carnet import churn-2.carnet.zip",
    "carnet import churn-2.carnet.zip --dry-run",
    "carnet import churn-2.carnet.zip --trust 5f0c… --yes",
    shape=_PLAN_SHAPE + ' and "objects": new ones, "written": bool',
)
@click.argument("file", type=PATH)
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option(
    "--trust", default="", metavar="LEDGER_ID", help="A project new here: its ledger id, as its founder told it to you."
)
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@click.option("--large", is_flag=True, help="Agree to a very large bundle.")
def import_(file: Path, dry_run: bool, trust: str, yes: bool, large: bool) -> None:
    """Take a bundle in: everything is verified, the plan is shown, then it is applied in one transaction.

    Where there is no store yet, one is made here. A project that is new here needs its founder's fingerprint compared.
    """
    from carnet_store import NotFound

    here = session()
    plan = _plan(here, file, large)
    path = here.env.path(file)
    if not here.json:
        show_plan(plan)
    if dry_run:
        if here.json:
            console.out_json({**console.plain(plan), "objects": 0, "written": False})
        console.talk(_next_after(plan, file))
        return
    confirmed = ""
    try:
        new = plan.ledger not in [row.id for row in here.desk().projects()]
    except NotFound:
        new = True
    if new and not trust:
        confirmed = _compared(here, plan)
    elif here.interactive and not yes and not plan.nothing_new and not here.confirm("Import it?"):
        console.talk("Nothing was written.")
        return
    desk = _store_for(here)
    with console.progress("importing") as hear:
        done = desk.accept(path, trust=trust, confirmed=confirmed, consent=large or plan.new > 0, progress=hear)
    if here.json:
        console.out_json({**console.plain(done.plan), "objects": done.objects, "written": True})
    _say_imported(here, done.plan, done.objects)


def _store_for(here: Session) -> Desk:
    """Return the desk at the nearest store; where there is none one is made in the folder, and an identity at need."""
    from carnet_store import Desk, NotFound

    try:
        desk = here.desk()
    except NotFound:
        beside = here.store_path() or here.env.folder
        had = bool(Desk.keyring_of(here.environ()).identities())
        desk = Desk.create(beside, who=here.me, environ=here.environ(), clock=here.clock(), ask=here.ask)
        here.use(desk)
        if not had:
            console.talk(f"You act as {desk.i().label}: a key of its own was made for you.")
    return desk


def _compared(here: Session, plan: Plan) -> str:
    """Return the founder's fingerprint once somebody compared it.

    Raises:
        Refused: nobody could, or it is another.
    """
    from carnet_store import Refused

    hint = f"compare {plan.fingerprint} with {plan.founder} by another way, then: --trust {plan.ledger}"
    if not here.interactive:
        raise Refused(f"{plan.project} is new here and its founder's key is not confirmed; nothing was written", hint)
    console.talk(f"{plan.project} is new here. Compare the key with {plan.founder} by another way: {plan.fingerprint}")
    start = plan.fingerprint.removeprefix("SHA256:")[:6]
    given = here.line("Type its first six characters after SHA256: to trust it: ").strip().removeprefix("SHA256:")
    if len(given) < 6 or not plan.fingerprint.removeprefix("SHA256:").startswith(given):
        raise Refused(f"it begins with {start}; nothing was written", hint)
    return plan.fingerprint


def _say_imported(here: Session, plan: Plan, objects: int) -> None:
    desk = here.desk()
    changed = [f"{c.title} is {c.after} now" for c in plan.consequences[:3]]
    parts = [f"took in {plural(plan.new, 'event')} and {plural(objects, 'object')} of {plan.project}", *changed]
    if plan.conflict_count:
        parts.append(f"{plan.conflict_count} conflict{'s' if plan.conflict_count > 1 else ''} to settle")
    project = desk.project(plan.ledger)
    me = desk.me
    next_ = "carnet status"
    if me is not None and me.person not in project.members().people and me.person not in project.people.newcomers:
        next_ = "carnet people join"
    waiting = project.people.waiting_newcomers()
    if waiting and me is not None and me.person in project.members().admins:
        next_ = quoted("carnet", "people", "admit", waiting[0].name)
    console.talk(f"{'; '.join(parts)}. Next: {next_}")


@command(
    "verify",
    "carnet verify",
    "carnet verify churn-2.carnet.zip --trust 5f0c…",
    "carnet verify --rebuild",
    shape='store: {"projects": [{"project", "ledger", "events", "faults": [{"chain", "seq", "what"}], "waiting", "uncounted"}], '
    '"objects": {"checked", "bad": [sha256]}, "holds": bool}; file: a plan as `inspect` gives, and "trusted": bool, "holds"',
)
@click.argument("file", type=PATH, required=False)
@click.option(
    "--trust",
    default="",
    metavar="LEDGER_ID",
    help="The ledger id that a bundle must be of, as its founder told it to you.",
)
@click.option("--rebuild", is_flag=True, help="Make the derived tables anew from the events first.")
@click.option("--large", is_flag=True, help="Agree to a very large bundle.")
def verify(file: Path | None, trust: str, rebuild: bool, large: bool) -> None:
    """Check everything again from what is on disk: chains, signatures, digests, tables, objects; or a bundle.

    Exit 0 if all holds, 5 if something does not (the first bad event is named); for a bundle 3 where all holds and
    nothing says whom to trust: neither --trust nor a store that holds the project.
    """
    here = session()
    code = _verify_file(here, file, trust, large) if file is not None else _verify_store(here, rebuild)
    click.get_current_context().exit(code)


def _verify_file(here: Session, file: Path, trust: str, large: bool) -> int:
    from carnet_store import NotFound, Untrusted

    plan = _plan(here, file, large)
    if trust and trust != plan.ledger:
        raise Untrusted(
            f"{file.name} is of the ledger {plan.ledger}, not of {trust}", "compare the id with the founder"
        )
    held = False
    with contextlib.suppress(NotFound):
        held = plan.ledger in [row.id for row in here.desk().projects()]
    trusted = bool(trust) or held
    whole = not plan.increment or held
    if here.json:
        console.out_json({**console.plain(plan), "trusted": trusted, "holds": True})
    else:
        show_plan(plan)
        console.out("Every digest, chain and signature in it holds.")
        if not trusted:
            _say_whom_to_trust(plan, file)
        elif not whole:
            console.talk("Exit 3: all of it holds, but it is an increment, not the whole record.")
    return 0 if trusted and whole else 3


def _say_whom_to_trust(plan: Plan, file: Path) -> None:
    """Say why a bundle in which everything holds does not end with exit code 0, and what to type once one knows."""
    console.talk(
        f"It says of itself that it is ledger {plan.ledger}; anybody can found another project called {plan.project}. Ask "
        f"{plan.founder}, by another way than this file, for the ledger id that `carnet whoami` shows there: compare all of it."
    )
    command = quoted("carnet", "verify", str(file), "--trust", plan.ledger)
    console.talk(
        "Exit 3: all of it holds, but nothing says yet that this is the project you mean. "
        f"Once the ids are the same: {command}"
    )


def _counting(hear: console.Progress, total: int) -> Callable[[int], None]:
    return lambda done: hear("events", done, total)


def _verify_store(here: Session, rebuild: bool) -> int:
    desk = here.desk()
    rows: list[dict[str, Any]] = []
    for row in desk.projects():
        if here.project_name and row.name != here.project_name:
            continue
        project = desk.project(row.id)
        total = project.ledger.count()
        if rebuild:
            project.ledger.rebuild()
            desk.store.searching.forget(project)
        with console.progress(f"verifying {row.name}") as hear:
            faults = project.ledger.verify(_counting(hear, total))
        rows.append(
            {"project": row.name, "ledger": row.id, "events": total, "faults": console.plain(faults),
             "waiting": list(project.waits_for()), "uncounted": sum(1 for _ in project.uncounted())}
        )  # fmt: skip
    objects = desk.store.objects
    bad, checked = [], 0
    digests = list(objects.all())
    with console.progress("verifying") as hear:
        for digest in digests:
            checked += 1
            if not objects.check(digest):
                bad.append(digest)
            hear("objects", checked, len(digests))
    holds = not bad and not any(row["faults"] for row in rows)
    if here.json:
        console.out_json({"projects": rows, "objects": {"checked": checked, "bad": bad}, "holds": holds})
        return 0 if holds else 5
    for one in rows:
        console.out(f"{one['project']}: {one['events']:,} events, {'they hold' if not one['faults'] else 'BROKEN'}")
        for fault in one["faults"]:
            place = f"chain {fault['chain'][:16]}… at {fault['seq']}: " if fault["chain"] else ""
            console.out(f"  - {place}{fault['what']}")
        for line in one["waiting"]:
            console.out(f"  waits for {line}")
        if one["uncounted"]:
            console.out(f"  {one['uncounted']} changes do not count. `carnet log --not-counting` says why")
    console.out(f"objects: {checked:,} checked{'' if not bad else ', ALTERED: ' + ', '.join(d[:16] for d in bad[:20])}")
    if not holds:
        console.talk("Next: restore a backup, or import a bundle that has it; `carnet doctor` says more")
    return 0 if holds else 5
