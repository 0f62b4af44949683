"""From a folder to an open handoff in one command, and items that fill themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import PATH, command, session
from carnet_tui.commands.capture import show_plan
from carnet_tui.session import Session, find_item, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Desk, Look, Project
    from carnet_store.domain.filling import Proposal
    from carnet_store.starting import Opened

_SHAPE = (
    '{"project", "found": [text], "captured": {"new", "changed", "known"}, "handoff", "model", "items", "proposed": '
    '[{"item", "from", "proof": [entity]}], "next"}'
)


@command(
    "start",
    "carnet start",
    "carnet start ../training --project churn --no-tui",
    shape=_SHAPE,
)
@click.argument("folder", required=False, type=PATH, metavar="[DIR]")
@click.option(
    "--run", "run", default="", metavar="RUN", help="Open a handoff from this run; default: the newest that ended well."
)
@click.option("--model", default="", metavar="NAME@VERSION", help="What the run made, where it is not recorded.")
@click.option("--gate", default="", metavar="PACK", help="The gate's pack; default: the starter gate.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal before anything is written.")
@click.option("--no-tui", "no_tui", is_flag=True, help="Stay on the command line.")
def start(folder: Path | None, run: str, model: str, gate: str, yes: bool, no_tui: bool) -> None:
    """Look at a folder, take in what other tools recorded there, and open a first handoff with the answers it gives.

    An identity and a project are made where there are none. Nothing is signed by itself.
    """
    from carnet_store import NotFound
    from carnet_store.exchange.importers.things import Source
    from carnet_store.starting import crossing_of, last_run, look_around, open_from_run

    here = session()
    place = here.env.path(folder) if folder else here.env.folder
    if not place.is_dir():
        raise NotFound(
            f"there is no folder {place}", "name the folder where training runs; `carnet capture` takes a single file"
        )
    found = look_around(place)
    for one in found:
        console.talk(f"found {one.words}")
    if not found:
        console.talk(f"{place.name or place} holds nothing that Carnet reads by itself.")
    desk, project = _begin(here, place)
    captured = {"new": 0, "changed": 0, "known": 0}
    if found:
        sources = [(one.kind, Source(place)) for one in found]
        with console.progress("reading") as hear, desk.capture_plan(project, sources, hear) as made:
            captured = {state: made.count(state) for state in captured}
            if not here.json:
                show_plan(made)
            if not made.nothing_new:
                if here.interactive and not (yes or here.json) and not here.confirm("Write this?"):
                    console.talk("Nothing of it was written. Next: carnet capture PATH --dry-run")
                    return
                written = desk.capture(project, made, hear)
                console.talk(f"{written.sentence}.")
    opened = None
    if project.count("run"):
        chosen = project.node(project.resolve(run, "run")) if run else last_run(project)
        assert chosen is not None  # noqa: S101 (what resolves is declared or is refused by the next line)
        there = crossing_of(project, chosen) if not gate else None
        if there is not None:
            _going_on(here, project, there, no_tui=no_tui)
            return
        opened = open_from_run(desk, project, chosen, title=model, gate=gate)
    _told(here, project, [one.words for one in found], captured, opened)
    if opened is not None and not no_tui and here.interactive and not here.json:
        from carnet_tui.commands.project import start_tui

        click.get_current_context().exit(start_tui(here, handoff=opened.look.handoff.id))


def _going_on(here: Session, project: Project, handoff: Any, *, no_tui: bool) -> None:
    """Lead to a handoff that goes on already."""
    title = project.title(handoff.opened.model)
    word = project.handoff_name(handoff)
    if here.json:
        look = project.look(handoff.id)
        console.out_json({"project": project.name, "found": [], "captured": {}, "handoff": handoff.id, "model": title,
                          "items": len(look.checklist.items), "proposed": [], "next": quoted("carnet", "handoff", "show", word)})  # fmt: skip
    console.talk(f"A handoff of {title} goes on already. Next: {quoted('carnet', 'handoff', 'show', word)}")
    if not no_tui and here.interactive and not here.json:
        from carnet_tui.commands.project import start_tui

        click.get_current_context().exit(start_tui(here, handoff=handoff.id))


def _begin(here: Session, place: Path) -> tuple[Desk, Project]:
    """Return a desk and its project; a store, an identity and a project are made where there are none."""
    from carnet_store import Desk, NotFound

    try:
        desk = here.desk()
    except NotFound:
        if here.store_path() is not None:  # the store that was named is not there: none is made in its place
            raise
        had = bool(Desk.keyring_of(here.environ()).identities())
        desk = here.use(Desk.create(place, who=here.me, environ=here.environ(), clock=here.clock(), ask=here.ask))
        if not had:
            me = desk.i()
            console.talk(f"You act as {me.label}: a key of its own was made for you in {me.file.parent.parent}.")
    if desk.projects():
        return desk, here.project()
    name = here.project_name or (place.parent if place.name == ".carnet" else place).absolute().name
    project, written = desk.found(name)
    console.talk(f"{written.sentence}.")
    return desk, project


def _told(
    here: Session, project: Project, found: list[str], captured: dict[str, int], opened: Opened | None
) -> None:  # fmt: skip
    if opened is None:
        next_ = "carnet run -- COMMAND"
        if here.json:
            console.out_json({"project": project.name, "found": found, "captured": captured, "handoff": "", "model": "", "items": 0,
                              "proposed": [], "next": next_})  # fmt: skip
        console.talk(f"No run is recorded yet. Next: {next_}")
        return
    look = opened.look
    next_ = next_after(look, opened.proposals)
    if here.json:
        console.out_json(
            {"project": project.name, "found": found, "captured": captured, "handoff": look.handoff.id, "model": look.model.title,
             "items": len(look.checklist.items), "proposed": told_proposals(list(opened.proposals.values())), "next": next_}
        )  # fmt: skip
        return
    if opened.declared:
        console.talk(f"declared model {opened.declared}")
    console.out(look.handoff.id)
    console.talk(f"{opened.written.sentence}; {how_many(look, opened.proposals)}. Next: {next_}")


def how_many(look: Look, proposals: dict[str, Proposal]) -> str:
    """Return in words how many of a handoff's items the graph answers, those that the machine judges told apart."""
    machine = sum(item.machine for item in look.checklist.items)
    judged = f", {machine} more {'is' if machine == 1 else 'are'} judged by Carnet itself" if machine else ""
    return f"the record answers {len(proposals)} of {plural(len(look.checklist.items), 'item')}{judged}"


def next_after(look: Look, proposals: dict[str, Proposal]) -> str:
    """Return the command that comes after opening."""
    word = look.model.title
    return quoted("carnet", "handoff", "fill", word) if proposals else quoted("carnet", "handoff", "edit", word)


def told_proposals(found: list[Proposal]) -> list[dict[str, Any]]:
    """Return proposals as JSON has them."""
    return [
        {"item": one.item, "query": one.query, "from": one.words, "answer": one.value, "proof": list(one.proof)}
        for one in found
    ]


def fill_items(here: Session, which: str, items: tuple[str, ...], *, dry_run: bool, yes: bool) -> None:
    """Answer items by what the record says, after it was shown."""
    from carnet_store.starting import fill, proposals

    project, look = here.handoff(which)
    found = proposals(project, look)
    roles = here.acts(project).roles()
    named = tuple(find_item(look, text).id for text in items)
    chosen = [found[i] for i in (named or list(found)) if i in found and (named or _role(look, i) in roles)]
    if here.json and dry_run:
        console.out_json(told_proposals(chosen))
        return
    if not here.json:
        titles = {item.id: item.title for item in look.checklist.items}
        console.table(
            [[one.item, titles[one.item], one.words] for one in chosen], ("item", "question", "the record says")
        )
    if not chosen and not items:
        others = [one for one in found if _role(look, one) not in roles]
        more = f"; {len(others)} wait for other roles" if others else ""
        console.talk(
            f"The record answers no open item of yours{more}. Next: {quoted('carnet', 'handoff', 'edit', which)}"
        )
        return
    if dry_run:
        console.talk(f"Nothing was written. Next: {quoted('carnet', 'handoff', 'fill', which)}")
        return
    if here.interactive and not yes and not here.confirm(f"Answer {plural(len(chosen), 'item')} by this?"):
        console.talk("Nothing was written.")
        return
    written, _ = fill(here.desk(), project, look, [one.item for one in chosen] or named)
    if written is not None:
        here.wrote(written, next_=quoted("carnet", "handoff", "show", which))


def _role(look: Look, item: str) -> str:
    found = look.checklist.item(item)
    return found.answers if found is not None else ""
