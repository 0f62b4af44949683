"""Go through the items that need me, one after another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import HANDOFF, command, session
from carnet_tui.session import Session, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Look, Project


@command(
    "review", "carnet review churn@2", "carnet review churn@2 --plain",
    shape='[{"id", "title", "type", "state", "answer", "answered_by", "reasons", "turn", ...}]: the items that need you',
)  # fmt: skip
@click.argument("which", type=HANDOFF, metavar="HANDOFF")
@click.option("--plain", is_flag=True, help="Line by line, without the terminal UI.")
def review(which: str, plain: bool) -> None:
    """Go through the items that need you: in the terminal UI, or --plain by one question after another.

    Nothing is recorded before the end, where all of it is written at once. Without a terminal the items are printed.
    """
    here = session()
    project, look = here.handoff(which)
    waiting = items_for(here, project, look)
    if here.json:
        from carnet_tui.commands.telling import described_item

        console.out_json([described_item(project, look, item_id) for item_id in waiting])
        return
    if not plain and here.interactive and sys.stdout.isatty():
        from carnet_tui.commands.project import start_tui

        click.get_current_context().exit(start_tui(here, review=look.handoff.id))
    if not waiting:
        console.talk(
            f"No item of {look.model.title} needs you. Next: {quoted('carnet', 'handoff', 'show', look.model.title)}"
        )
        return
    if not here.interactive:
        from carnet_tui.commands.telling import show_item

        for item_id in waiting:
            show_item(here, project, look, item_id)
        console.talk(f"{len(waiting)} items need you. Next: carnet verify-item, carnet answer, or carnet handoff edit")
        return
    _walk(here, project, look, waiting)


def items_for(here: Session, project: Project, look: Look) -> list[str]:
    """Return the items that wait for me: to answer in my role, or to verify what another answered."""
    from carnet_tui.commands.telling import waits_for

    me = here.desk().i().person
    row = project.members().people.get(me)
    roles = frozenset(row.roles) if row and row.status == "active" else frozenset()
    return [
        one.item.id
        for one in look.status.items
        if waits_for(look, one.item.id, roles)
        and not (one.state == "answered" and one.answer is not None and one.answer.person == me)
        and not one.item.machine
    ]


def _walk(here: Session, project: Project, look: Look, waiting: list[str]) -> None:
    """Ask item after item, then write everything."""
    from carnet_store import CarnetError
    from carnet_store.domain.answer_input import parse_answer
    from carnet_tui.commands.add import file_of
    from carnet_tui.commands.telling import show_item

    verdicts: list[tuple[str, bool, str]] = []
    answers: dict[str, dict[str, Any]] = {}
    put = file_of(here, project)
    for at, item_id in enumerate(waiting, 1):
        console.out(f"--- {at} of {len(waiting)}")
        show_item(here, project, look, item_id)
        status = look.status.item(item_id)
        if status is None:
            continue
        if status.state == "answered":
            word = here.line("[a]gree, [d]isagree, [s]kip, [q]uit: ").strip().lower()[:1]
            if word == "a":
                verdicts.append((item_id, True, ""))
            elif word == "d":
                verdicts.append((item_id, False, here.line("Why? ").strip()))
            elif word == "q":
                break
            continue
        while text := here.line("Your answer (empty skips, unknown, n/a: REASON): ").strip():
            try:
                answers[item_id] = parse_answer(status.item, text, project.lookups(look), put)
            except CarnetError as error:
                console.talk(f"{error.message}. {error.hint}")
            else:
                break
    if not verdicts and not answers:
        console.talk("Nothing to record.")
        return
    agreed = sum(agree for _, agree, _ in verdicts)
    told = ", ".join(
        (plural(len(answers), "answer"), plural(agreed, "agreement"), plural(len(verdicts) - agreed, "disagreement"))
    )
    if not here.confirm(f"Record {told}?"):
        console.talk("Nothing was recorded.")
        return
    acts = here.acts(project)
    if answers:
        here.wrote(acts.answer(look.handoff.id, answers))
    for item_id, agree, reason in verdicts:
        here.wrote(acts.verify(look.handoff.id, item_id, agree=agree, reason=reason))
