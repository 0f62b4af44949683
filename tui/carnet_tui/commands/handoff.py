"""A handoff from opening to its end: open, list, show, assign, include, file, unpack, seal, edit, repack, return, abandon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import HANDOFF, ITEM, PAIR, PATH, Group, add_to, session
from carnet_tui.commands.telling import described, show_handoff, show_item, still_waits
from carnet_tui.session import Session, find_item, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Project

handoff = Group("handoff", help="A model version crossing a gate: open, show, seal, return ...")

REASON = click.option("--reason", required=True, help="Why; it stays in the record.")

# --- open --------------------------------------------------------------------------------------------------------------


@add_to(
    handoff, "open",
    "carnet handoff open churn@2",
    "carnet handoff open churn@2 --gate research-to-engineering --tier A --fact data.personal=yes --due 2026-05-01",
    "carnet handoff open --last",
    writes=True,
)  # fmt: skip
@click.argument("model", required=False, default="")
@click.option("--run", "run", default="", metavar="RUN", help="What this run made; it is declared where it is not yet.")
@click.option("--last", is_flag=True, help="What the newest run that ended well made.")
@click.option(
    "--gate",
    "gate",
    default="",
    metavar="PACK",
    help="The gate's pack; default: the starter gate of the model's stage.",
)
@click.option("--tier", default="B", show_default=True, help="Risk tier: A critical, B standard, C experimental.")
@click.option("--fact", "facts", type=PAIR, multiple=True, help="A fact the pack asks for. Repeatable.")
@click.option("--due", default="", metavar="YYYY-MM-DD", help="By when.")
@click.option("--criteria", default="", metavar="NODE", help="The criteria; default: the newest of the model's name.")
@click.option("--include", "entities", multiple=True, metavar="NODE", help="A thing that crosses too. Repeatable.")
@click.option("--previous", default="", metavar="HANDOFF", help="An earlier handoff whose answers may be offered.")
@click.option("--new", is_flag=True, help="Declare the model version too, where other models exist.")
def open_(
    model: str, gate: str, tier: str, facts: tuple[tuple[str, str], ...], due: str, criteria: str, entities: tuple[str, ...],
    previous: str, new: bool, run: str, last: bool,
) -> None:  # fmt: skip
    """Open a handoff of a model version, or of what a run made. The first model version of a project is declared on the way."""
    here = session()
    desk, project = here.desk(), here.project()
    if due:
        _checked_day(due)
    if run and last:
        raise click.UsageError("--run and --last exclude each other")
    if (run or last) and (criteria or entities or previous or new):
        raise click.UsageError("--criteria, --include, --previous and --new go with a model version, not with a run")
    if run or last:
        _open_of_run(here, project, run, model, gate, tier, facts, due)
        return
    if not model:
        raise click.UsageError("name a model version, a run (--run RUN), or --last")
    earlier = here.handoff(previous)[1].handoff.id if previous else ""
    others = [project.resolve(text) for text in entities]
    rows = project.resolve(criteria, "criteria") if criteria else ""
    known = _known_model(project, model, new)
    chosen = gate or default_gate(project, known)
    packs = desk.packs_for(chosen, project)
    read = read_facts(packs, facts)
    _checked_tier(packs, tier)
    if not known:
        name, _, version = model.partition("@")
        known = here.acts(project).declare("model", name, version=version or "1").entity
        console.talk(f"declared model {name}@{version or '1'}")
    written = here.acts(project).open_handoff(
        known, packs, tier=tier.upper(), facts=read, due=due, criteria=rows, entities=others, previous=earlier
    )
    look = project.look(written.entity)
    if not here.json:
        console.talk(
            f"{len(look.checklist.items)} items at tier {look.checklist.tier}: {quoted('carnet', 'handoff', 'show', look.model.title)}"
        )
        _say_filled(project, look)
    here.wrote(written, show=written.entity)


def _say_filled(project: Project, look: Any) -> None:
    """Say how many items the record answers, where it answers any."""
    from carnet_store.starting import proposals
    from carnet_tui.commands.start import how_many

    found = proposals(project, look)
    if found:
        console.talk(f"{how_many(look, found)}: {quoted('carnet', 'handoff', 'fill', look.model.title)}")


def _open_of_run(
    here: Session,
    project: Project,
    run: str,
    model: str,
    gate: str,
    tier: str,
    facts: tuple[tuple[str, str], ...],
    due: str,
) -> None:
    """Open a handoff of what a run made."""
    from carnet_store.starting import last_run, open_from_run
    from carnet_tui.commands.start import how_many, next_after

    desk = here.desk()
    node = project.node(project.resolve(run, "run")) if run else last_run(project)
    if node is None:
        raise click.UsageError(f"{run} is referred to and not declared here")
    packs = desk.packs_for(gate or default_gate(project, ""), project)
    _checked_tier(packs, tier)
    opened = open_from_run(
        desk, project, node, title=model, gate=gate, tier=tier.upper(), due=due, facts=read_facts(packs, facts)
    )
    if opened.declared and not here.json:
        console.talk(f"declared model {opened.declared}, made by {node.title}")
    if not here.json:
        console.talk(how_many(opened.look, opened.proposals))
    written = replace(opened.written, next=next_after(opened.look, opened.proposals))
    here.wrote(written, show=written.entity)


def default_gate(project: Project, model: str) -> str:
    """Return the starter gate at the stage where a model version stands (`model` is empty for a new one)."""
    from carnet_store.desk import DEFAULT_GATES

    return DEFAULT_GATES[1] if model and project.stage(model) == "engineering" else DEFAULT_GATES[0]


def _known_model(project: Project, text: str, new: bool) -> str:
    """Return the model version's id, or empty where it is to be declared."""
    from difflib import get_close_matches

    from carnet_store import NotFound

    try:
        return project.resolve(text, "model")
    except NotFound:
        if new or not project.count("model"):
            return ""
        titles = [row.title for row in project.entities("model")]
        near = get_close_matches(text, titles, 3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise NotFound(
            f"there is no model version {text!r}", f"{meant}carnet add model {text}, or --new, declares it"
        ) from None


def read_facts(packs: Sequence[Any], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return facts as they are stored; raises `Invalid` for what no pack asks and for what does not fit."""
    from carnet_store import Invalid
    from carnet_store.domain.template import facts_of, parse_fact

    specs = {spec.id: spec for spec in facts_of([loaded.pack for loaded in packs])}
    found: dict[str, Any] = {}
    for key, text in pairs:
        if key not in specs:
            raise Invalid(f"no pack asks for the fact {key!r}", f"facts: {', '.join(sorted(specs)) or 'none'}")
        value = parse_fact(specs[key], text)
        if value is not None:
            found[key] = value
    return found


def _checked_day(text: str) -> None:
    from carnet_store import Usage
    from carnet_store.domain.answer import is_date

    if not is_date(text):
        raise Usage(f"{text!r} is no day", "write it like 2026-05-01")


def _checked_tier(packs: Sequence[Any], tier: str) -> None:
    from carnet_store import Usage
    from carnet_store.domain.template import TIERS

    if tier.upper() not in TIERS:
        meanings = [f"{t.id}: {t.title}, {t.meaning}" for t in packs[0].pack.tiers]
        raise Usage(f"there is no tier {tier!r}", f"choose one of {', '.join(TIERS)}", meanings)


# --- look --------------------------------------------------------------------------------------------------------------


@add_to(
    handoff, "list", "carnet handoff list", "carnet handoff list --json",
    shape='[{"handoff", "model", "gate", "verdict", "done", "total", "round", "opened": ms, "due", "first_reason"}]',
)  # fmt: skip
def list_() -> None:
    """List the handoffs of the project, newest first."""
    here = session()
    project = here.project()
    rows: list[dict[str, Any]] = []
    for one in project.handoffs():
        look = project.look(one.id)
        status = look.status
        rows.append(
            {"handoff": one.id, "model": look.model.title, "gate": one.gate.id, "verdict": status.verdict, "done": status.done,
             "total": len(status.items), "round": status.round, "opened": one.change.t, "due": one.opened.due,
             "first_reason": status.reasons[0].text if status.reasons else ""}
        )  # fmt: skip
    if here.json:
        console.out_json(rows)
        return
    console.table(
        [
            [r["model"], r["gate"], r["verdict"], f"{r['done']}/{r['total']}", r["due"] or console.day(r["opened"]), r["first_reason"]]
            for r in rows
        ],
        ("model", "gate", "verdict", "items", "due", "first reason"),
    )  # fmt: skip
    if not rows:
        console.talk("No handoff yet. Next: carnet handoff open NAME@VERSION")


@add_to(
    handoff, "show", "carnet handoff show churn@2", "carnet handoff show churn@2 data.lineage", "carnet handoff show churn@2 --json",
    shape='{"handoff", "model", "gate", "tier", "verdict", "round", "package", "reasons": [{"code", "text", "item", "role", '
    '"persons"}], "items": [{"id", "title", "type", "section", "severity", "state", "evidence", "answers_role", '
    '"verifies_role", "answer", "answered_by": [name], "reasons": [text], "flags": [text], "turn", "proposed": what the record answers}], "signoffs": [{"role", "meaning", "quorum", '
    '"missing", "signed": [name], "stale": [name], "could": [name]}], "waivers": [...], "files", "entities", "questions"}',
)  # fmt: skip
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("item", type=ITEM, required=False, default="", metavar="[ITEM]")
@click.option("--mine", is_flag=True, help="Only the items that wait for me.")
@click.option("--open", "only_open", is_flag=True, help="Only the items that are not in order.")
def show(which: str, item: str, mine: bool, only_open: bool) -> None:
    """Show a handoff: verdict with its reasons, items, signatures; with ITEM one item wholly."""
    here = session()
    project, look = here.handoff(which)
    if item:
        show_item(here, project, look, find_item(look, item).id)
        return
    if here.json:
        console.out_json(described(project, look))
        return
    roles = _my_roles(here, project) if mine else frozenset()
    show_handoff(project, look, only_open=only_open or mine, roles=roles if mine else None)


def _my_roles(here: Session, project: Project) -> frozenset[str]:
    row = project.members().people.get(here.desk().i().person)
    return frozenset(row.roles) if row else frozenset()


# --- act ---------------------------------------------------------------------------------------------------------------


@add_to(
    handoff, "assign", "carnet handoff assign churn@2 data.lineage Tom", "carnet handoff assign churn@2 role:operator Aiko --due 2026-05-01",
    writes=True,
)  # fmt: skip
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("target", metavar="ITEM|role:ROLE")
@click.argument("who", metavar="NAME")
@click.option("--due", default="", metavar="YYYY-MM-DD", help="By when.")
@click.option("--reason", default="", help="Why.")
def assign(which: str, target: str, who: str, due: str, reason: str) -> None:
    """Ask a person to act on an item or in a role."""
    here = session()
    project, look = here.handoff(which)
    if due:
        _checked_day(due)
    what = target if target.startswith("role:") else find_item(look, target).id
    here.wrote(here.acts(project).assign(look.handoff.id, what, here.person(project, who), due, reason))


@add_to(handoff, "include", "carnet handoff include churn@2 telco r-012", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("nodes", nargs=-1, required=True)
def include(which: str, nodes: tuple[str, ...]) -> None:
    """Let things belong to what crosses."""
    here = session()
    project, look = here.handoff(which)
    entities = [project.resolve(text) for text in nodes]
    for entity in entities:
        here.wrote(here.acts(project).include(look.handoff.id, entity))


@add_to(handoff, "file", "carnet handoff file churn@2 model.json README.md", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("paths", nargs=-1, required=True, type=PATH)
@click.option("--name", default="", help="The name in the package, for a single file.")
def file(which: str, paths: tuple[Path, ...], name: str) -> None:
    """Let files belong to what crosses; their bytes go into the store and travel along."""
    from carnet_store import NotFound

    here = session()
    project, look = here.handoff(which)
    found = [here.env.path(path) for path in paths]
    for path in found:
        if not path.is_file():
            raise NotFound(f"there is no file {path}")
    for path in found:
        here.wrote(here.acts(project).file(look.handoff.id, path, name if len(found) == 1 else ""))


@add_to(
    handoff,
    "unpack",
    "carnet handoff unpack churn@2 rebuild",
    shape='{"written": [path], "same": [path], "missing": [name]}',
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("folder", type=PATH)
def unpack_files(which: str, folder: Path) -> None:
    """Write the files that cross into a folder, to rebuild from them: those of the handoff and those of its answers."""
    from carnet_store.work.unpacking import unpack

    here = session()
    project, look = here.handoff(which)
    found = unpack(project, look.handoff, here.env.path(folder))
    if here.json:
        console.out_json({"written": found.written, "same": found.same, "missing": found.missing})
        return
    for path in found.written:
        console.out(str(path))
    for name in found.missing:
        console.talk(f"{name} is not here: ask its sender for a bundle with objects")
    console.talk(
        f"{plural(len(found.written), 'file')} written, {len(found.same)} there already, {len(found.missing)} missing."
        f" Next: {quoted('carnet', 'answer', which, 'rebuild.receiver_rerun', '--run', '--', 'CMD')}"
    )


@add_to(handoff, "seal", "carnet handoff seal churn@2", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
def seal(which: str) -> None:
    """Seal the package: from here on everybody means the same bytes. It begins a new round."""
    here = session()
    project, look = here.handoff(which)
    written = here.acts(project).seal(look.handoff.id)
    after = project.look(look.handoff.id)
    if waits := still_waits(here, project, after, [one.item.id for one in after.status.items]):
        console.talk(f"{waits}.")
    here.wrote(written)


@add_to(
    handoff, "return", "carnet handoff return churn@2 --reason 'the holdout leaks' --item approach.evaluation='AUC .84 on our re-run'",
    writes=True,
)  # fmt: skip
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@REASON
@click.option(
    "--item", "items", type=PAIR, multiple=True, metavar="ITEM=REASON", help="What is wrong with an item. Repeatable."
)
def return_(which: str, reason: str, items: tuple[tuple[str, str], ...]) -> None:
    """Return the package to its giver, with a reason for each item."""
    here = session()
    project, look = here.handoff(which)
    named = {find_item(look, item).id: why for item, why in items}
    here.wrote(here.acts(project).give_back(look.handoff.id, reason, named))


@add_to(
    handoff, "abandon", "carnet handoff abandon churn@2 --reason 'replaced by churn@3 before the gate'", writes=True
)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@REASON
def abandon(which: str, reason: str) -> None:
    """End a handoff without a result."""
    here = session()
    project, look = here.handoff(which)
    here.wrote(here.acts(project).abandon(look.handoff.id, reason))


@add_to(
    handoff, "repack",
    "carnet handoff repack churn@2 --gate research-to-engineering --reason 'customers are affected'",
    "carnet handoff repack churn@2 --tier A --fact data.personal=yes --reason 'personal data after all'",
    writes=True,
)  # fmt: skip
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--gate", default="", metavar="PACK", help="Another gate's pack.")
@click.option("--tier", default="", help="Another risk tier.")
@click.option("--fact", "facts", type=PAIR, multiple=True, help="A fact that changed. Repeatable.")
@REASON
def repack(which: str, gate: str, tier: str, facts: tuple[tuple[str, str], ...], reason: str) -> None:
    """Move a handoff to another pack, tier or facts; answers stay where the items are the same."""
    from carnet_store.domain.template import checklist
    from carnet_tui.views import pack_view

    here = session()
    desk = here.desk()
    project, look = here.handoff(which)
    packs = desk.packs_for(gate or look.handoff.gate.id, project)
    _checked_tier(packs, tier or look.handoff.tier)
    known = dict(look.handoff.facts)
    for key, text in facts:
        known.pop(key, None)
        known |= read_facts(packs, [(key, text)])
    grade = (tier or look.handoff.tier).upper()
    new = checklist([loaded.pack for loaded in packs], grade, known)
    written = here.acts(project).repack(look.handoff.id, packs, grade, known, reason)
    for label, text in pack_view.move_rows(look, new, grade, known, [loaded.sha256 for loaded in packs]):
        if label:
            console.talk(f"{label:<10} {text}")
    here.wrote(written)


@add_to(handoff, "fill", "carnet handoff fill churn@2", "carnet handoff fill churn@2 rep.rnd.seeds --yes", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.argument("items", type=ITEM, nargs=-1, metavar="[ITEM ...]")
@click.option("--dry-run", is_flag=True, help="Show what the record says; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
def fill(which: str, items: tuple[str, ...], dry_run: bool, yes: bool) -> None:
    """Answer open items by what the record says: all of yours, or those named. Another person verifies them as ever."""
    from carnet_tui.commands.start import fill_items

    fill_items(session(), which, items, dry_run=dry_run, yes=yes)


@add_to(handoff, "edit", "carnet handoff edit churn@2", "EDITOR=nano carnet handoff edit churn@2 --all", writes=True)
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--all", "all_items", is_flag=True, help="All open items, not mine alone.")
@click.option("--yes", is_flag=True, help="Record without asking once more.")
def edit(which: str, all_items: bool, yes: bool) -> None:
    """Open all your open items as one YAML document in $EDITOR; problems come back at their lines, nothing typed is lost."""
    from carnet_tui.commands.sheet import edit_items

    here = session()
    project, look = here.handoff(which)
    edit_items(here, project, look, all_items=all_items, yes=yes)
