"""Record what is said and decided: link, describe, decide, ask, reply, close-question, comment, retract, confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from carnet_tui.commands import NODE, PAIR, command, session
from carnet_tui.session import Session, find_handoff, find_item

if TYPE_CHECKING:
    from carnet_store import Project


@command("link", "carnet link r-012 used telco", "carnet link r-012 made churn@2", writes=True)
@click.argument("node", type=NODE, metavar="NODE")
@click.argument("relation", type=click.Choice(["used", "made", "from"]))
@click.argument("other", nargs=-1, required=True)
def link(node: str, relation: str, other: tuple[str, ...]) -> None:
    """Say that one thing used, made or comes from another."""
    here = session()
    project = here.project()
    entity, others = project.resolve(node), [project.resolve(text) for text in other]
    acts = here.acts(project)
    for one in others:
        here.wrote(acts.link(entity, relation, one))


@command("describe", "carnet describe telco owner=Farid source=https://example.org/telco.csv", writes=True)
@click.argument("node", type=NODE, metavar="NODE")
@click.argument("pairs", nargs=-1, required=True, type=PAIR)
def describe(node: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """Set attributes of a thing, over what was said before."""
    here = session()
    project = here.project()
    entity = project.resolve(node)
    acts = here.acts(project)
    for key, value in pairs:
        here.wrote(acts.describe(entity, key, value))


@command(
    "decide",
    "carnet decide 'Which model?' --choice boosting --reason 'beats the baseline by 4 points on holdout' --about churn@2",
    "carnet decide 'Which model?' --choice boosting --reason 'agents must explain it' --option 'logistic: easier to explain' --constraint 'EU only'",
    writes=True,
)
@click.argument("question")
@click.option("--choice", required=True, help="What was decided.")
@click.option("--reason", required=True, help="Why.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="'TITLE[: WHY]'",
    help="Something that could have been chosen. Repeatable.",
)
@click.option("--constraint", "constraints", multiple=True, help="A constraint it was made under. Repeatable.")
@click.option("--decider", "deciders", multiple=True, metavar="NAME", help="Who decided (default: you). Repeatable.")
@click.option("--consulted", multiple=True, metavar="NAME", help="Who was asked. Repeatable.")
@click.option("--context", default="", help="The situation.")
@click.option("--consequences", default="", help="What follows.")
@click.option("--about", multiple=True, metavar="NODE", help="What it is about. Repeatable.")
@click.option("--revisit", default="", metavar="YYYY-MM-DD", help="When to look at it again.")
@click.option("--replaces", default="", metavar="DECISION", help="The decision it replaces.")
@click.option("--outcome", default="accepted", show_default=True, help="accepted, rejected, ...")
def decide(
    question: str, choice: str, reason: str, options: tuple[str, ...], constraints: tuple[str, ...], deciders: tuple[str, ...],
    consulted: tuple[str, ...], context: str, consequences: str, about: tuple[str, ...], revisit: str, replaces: str,
    outcome: str,
) -> None:  # fmt: skip
    """Record a decision: the question, the choice, why, under which constraints, and what else was thought of."""
    here = session()
    project = here.project()
    pairs = [text.partition(":") for text in options]
    written = here.acts(project).decide(
        question, choice, reason,
        options=[{"title": title.strip(), **({"why": why.strip()} if why.strip() else {})} for title, _, why in pairs],
        constraints=constraints, deciders=[here.person(project, name) for name in deciders],
        consulted=[here.person(project, name) for name in consulted], context=context, consequences=consequences,
        about=[about_what(project, text) for text in about], revisit=revisit,
        replaces=project.resolve(replaces, "decision") if replaces else "", outcome=outcome,
    )  # fmt: skip
    here.wrote(written, show=project.code(written.entity))


def about_what(project: Project, text: str) -> str:
    """Return the entity or handoff that is meant."""
    from carnet_store import NotFound, Usage

    try:
        return project.resolve(text)
    except (NotFound, Usage) as error:
        try:
            return find_handoff(project, text)
        except NotFound:
            raise error from None


@command(
    "ask",
    "carnet ask 'Which holdout is this?' --about churn@2 --to research --blocking",
    "carnet ask 'Who is on call in August?' --handoff churn@2 --item operate.oncall --to operator",
    writes=True,
)
@click.argument("text")
@click.option("--about", multiple=True, metavar="NODE", help="What it is about. Repeatable.")
@click.option("--handoff", "handoff_", default="", metavar="HANDOFF", help="The handoff it is about.")
@click.option("--item", default="", help="The item of that handoff.")
@click.option("--to", default="", metavar="NAME|ROLE|TEAM", help="Who should answer.")
@click.option("--blocking", is_flag=True, help="Gates about it stay shut until you close it.")
@click.option("--due", default="", metavar="YYYY-MM-DD", help="By when.")
def ask(text: str, about: tuple[str, ...], handoff_: str, item: str, to: str, blocking: bool, due: str) -> None:
    """Ask a person, role or team; quiet unless blocking. Asking never makes a signature stale."""
    from carnet_store import Usage

    here = session()
    project = here.project()
    subjects = [about_what(project, one) for one in about]
    if handoff_:
        _, look = here.handoff(handoff_)
        subjects.append(look.handoff.id)
        item = find_item(look, item).id if item else ""
    elif item:
        raise Usage("an item needs its handoff", "--handoff HANDOFF --item ITEM")
    written = here.acts(project).ask(
        text, about=subjects, item=item, blocking=blocking, due=due, **_addressee(here, project, to)
    )
    here.wrote(written, show=project.code(written.entity))


def _addressee(here: Session, project: Project, text: str) -> dict[str, str]:
    """Return who is asked: a person, a role or a team of the project, in this order."""
    from carnet_store import NotFound

    if not text:
        return {}
    rows = project.members().people.values()
    roles = sorted({role for row in rows for role in row.roles})
    teams = sorted({row.team for row in rows if row.team})
    word = text.strip().lower().replace(" ", "_")
    if word in roles:
        return {"to_role": word}
    by_name = {team.lower(): team for team in teams}
    if text.strip().lower() in by_name:
        return {"to_team": by_name[text.strip().lower()]}
    try:
        return {"to_person": here.person(project, text)}
    except NotFound as error:
        hint = f"{error.hint}; roles: {', '.join(roles)}; teams: {', '.join(teams) or 'none'}"
        raise NotFound(f"there is no person, role or team {text!r} here", hint) from None


@command("reply", "carnet reply Q-2 'The holdout of March, see telco@2'", writes=True)
@click.argument("question")
@click.argument("text")
def reply(question: str, text: str) -> None:
    """Reply to a question."""
    here = session()
    project = here.project()
    here.wrote(here.acts(project).reply(project.resolve(question, "question"), text))


@command(
    "close-question",
    "carnet close-question Q-2 --note 'clear now'",
    "carnet close-question Q-2 --withdraw",
    writes=True,
)
@click.argument("question")
@click.option("--note", default="", help="A last word.")
@click.option("--withdraw", is_flag=True, help="It needs no answer any more.")
def close_question(question: str, note: str, withdraw: bool) -> None:
    """Close your question: the replies answer it, or you withdraw it."""
    here = session()
    project = here.project()
    here.wrote(here.acts(project).close_question(project.resolve(question, "question"), note, accepted=not withdraw))


@command(
    "comment",
    "carnet comment churn@2 'Looks good to me' --item framing.problem",
    "carnet comment telco 'Refreshed on Mondays'",
    writes=True,
)
@click.argument("subject")
@click.argument("text")
@click.option("--item", default="", help="An item, where the subject is a handoff.")
def comment(subject: str, text: str, item: str) -> None:
    """Remark on a thing, a handoff or one of its items; no signature is touched by it."""
    here = session()
    project = here.project()
    if item:
        _, look = here.handoff(subject)
        entity, item = look.handoff.id, find_item(look, item).id
    else:
        entity = about_what(project, subject)
    here.wrote(here.acts(project).comment(entity, text, item))


@command("retract", "carnet retract 3fa94c01", writes=True)
@click.argument("change")
@click.option("--reason", default="", help="Why.")
def retract(change: str, reason: str) -> None:
    """Take back a record of your own (an answer, a comment ...); signed acts stay. `carnet log` shows the change."""
    here = session()
    project = here.project()
    here.wrote(here.acts(project).retract(find_change(project, change), reason))


def find_change(project: Project, text: str) -> str:
    """Return the change meant by its id or the start of one."""
    from carnet_store import NotFound, Usage

    wanted = text.strip().lower()
    start, size = 0, 500
    found: set[str] = set()
    while changes := project.history(start=start, limit=size):
        found |= {c.id for c in changes if c.id == wanted or (len(wanted) >= 6 and c.id.startswith(wanted))}
        if wanted in found:
            return wanted
        start += size
    if not found:
        raise NotFound(f"there is no change {text!r}", "`carnet log` shows them")
    if len(found) > 1:
        raise Usage(f"{text!r} may mean {len(found)} changes", "write more of it", sorted(found)[:20])
    return found.pop()


@command("confirm", "carnet confirm churn@2 people.readback", "carnet confirm D-3", writes=True)
@click.argument("subject")
@click.argument("item", required=False, default="")
def confirm(subject: str, item: str) -> None:
    """Confirm with your own key what another typed for you: an answer (HANDOFF ITEM), or a decision."""
    from carnet_store import Refused

    here = session()
    project = here.project()
    if not item:
        here.wrote(here.acts(project).confirm_decision(project.resolve(subject, "decision")))
        return
    _, look = here.handoff(subject)
    asked = find_item(look, item)
    status = look.status.item(asked.id)
    answers: tuple[Any, ...] = status.answers if status else ()
    me = here.desk().i().person
    mine = [c for c in answers if getattr(c.value, "answer", {}).get("spoken_by") == me]
    if not mine:
        raise Refused(
            f"nobody typed an answer to {asked.id} in your name", "answer it yourself, or `carnet verify-item`"
        )
    here.wrote(here.acts(project).confirm_spoken(look.handoff.id, mine[-1].id))
