"""Who belongs to a project: people list, invite, join, admit, role, admins, leave, revoke."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import click

from carnet_tui import console
from carnet_tui.commands import Group, add_to, session
from carnet_tui.session import Session, quoted

_SEND = "carnet export FILE.carnet.zip"

people = Group("people", help="Who belongs to the project, in which roles; joining goes by files alone.")

_ROLE = click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role, such as ml_engineer. Repeatable.")


@add_to(
    people, "list", "carnet people list", "carnet people list --json",
    shape='{"people": [{"person", "name", "mail", "team", "roles", "admin", "status"}], '
    '"waiting": [{"person", "name", "mail", "roles", "invited"}], "invited": [{"invitation", "name", "mail", "roles"}]}',
)  # fmt: skip
def list_() -> None:
    """Members with their roles, who waits to be confirmed, and open invitations."""
    here = session()
    project = here.project()
    members = project.members()
    rows: list[dict[str, Any]] = [
        {"person": p, "name": r.name, "mail": r.mail, "team": r.team, "roles": list(r.roles), "admin": p in members.admins,
         "status": r.status}
        for p, r in sorted(members.people.items(), key=lambda pair: pair[1].name)
    ]  # fmt: skip
    waiting: list[dict[str, Any]] = [
        {"person": n.person, "name": n.name, "mail": n.mail, "roles": list(n.roles), "invited": bool(n.invitation)}
        for n in project.people.waiting_newcomers()
    ]
    invited: list[dict[str, Any]] = [
        {"invitation": i, "name": name, "mail": mail, "roles": list(roles)}
        for i, name, mail, roles in (here.acts(project).invitations() if _has_me(here) else [])
    ]
    if here.json:
        console.out_json({"people": rows, "waiting": waiting, "invited": invited})
        return
    console.table(
        [
            [r["name"], r["mail"], r["team"], ", ".join([*r["roles"], *(["admin"] if r["admin"] else [])]) or "no role",
             "" if r["status"] == "active" else r["status"]]
            for r in rows
        ],
        ("name", "mail", "team", "roles", ""),
    )  # fmt: skip
    if waiting:
        console.out("WAIT TO BE CONFIRMED")
        console.table([[n["name"], n["mail"], ", ".join(n["roles"])] for n in waiting], indent="  ")
        console.talk(f"Next: {quoted('carnet', 'people', 'admit', waiting[0]['name'])}")
    if invited:
        console.out("INVITED")
        console.table([[i["name"], i["mail"], ", ".join(i["roles"])] for i in invited], indent="  ")


def _has_me(here: Session) -> bool:
    """Say whether it is clear who I am; a list is shown to anybody."""
    from carnet_store import CarnetError

    try:
        here.desk().i()
    except CarnetError:
        return False
    return True


@add_to(
    people, "invite", "carnet people invite 'Tom Weber <tom@example.org>' --role ml_engineer --team engineering", writes=True
)  # fmt: skip
@click.argument("who")
@_ROLE
@click.option("--team", default="", help="The team.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How long it is open.")
def invite(who: str, roles: tuple[str, ...], team: str, days: int) -> None:
    """Invite somebody; the invitation travels in the next bundle and is accepted there by one command (admins)."""
    here = session()
    name, mail = _name_and_mail(who)
    here.wrote(here.acts().invite(name, mail, roles, team, days))


def _name_and_mail(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", text)
    return (match.group(1), match.group(2).strip()) if match else (text.strip(), "")


@add_to(people, "join", "carnet people join", "carnet people join --role operator --team operations", writes=True)
@click.argument("invitation", required=False, default="")
@_ROLE
@click.option("--team", default="", help="Your team.")
def join(invitation: str, roles: tuple[str, ...], team: str) -> None:
    """Accept an invitation, or ask to join. You act at once; it counts once an admin confirms."""
    from carnet_store import Usage

    here = session()
    project = here.project()
    acts = here.acts(project)
    if invitation:
        invitation = _invitation(here, invitation)
    elif not roles:
        me = here.desk().i()
        mine = [row for row in acts.invitations() if (me.mail and row[2] == me.mail) or row[1] == me.name]
        if len(mine) > 1:
            lines = [f"{name} <{mail}> as {', '.join(r)}  {i}" for i, name, mail, r in mine]
            raise Usage("several invitations name you", "carnet people join INVITATION", lines)
        if not mine:
            open_ = [f"{name} <{mail}>  {i}" for i, name, mail, _ in acts.invitations()]
            raise Usage(
                f"no open invitation names {me.label}",
                "carnet people join --role ROLE asks to join; or name the invitation that is meant for you",
                open_,
            )
        invitation = mine[0][0]
    written = acts.join(invitation, roles, team)
    admins = " or ".join(sorted(project.person_name(a) for a in project.members().admins))
    here.wrote(replace(written, counts=f"what you do here counts once {admins} confirms"))


def _invitation(here: Session, text: str) -> str:
    from carnet_store import NotFound

    rows = here.acts().invitations()
    found = [i for i, name, mail, _ in rows if text in (i, name, mail) or i.partition(":")[2].startswith(text)]
    if len(found) != 1:
        raise NotFound(f"{text!r} names {len(found) or 'no'} open invitations", "carnet people list")
    return found[0]


@add_to(
    people, "admit", "carnet people admit Tom", "carnet people admit 'Tom Weber' --role ml_engineer --role operator", writes=True
)  # fmt: skip
@click.argument("who")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Other roles than the invitation's. Repeatable.")
@click.option("--team", default=None, help="Another team than the one given.")
def admit(who: str, roles: tuple[str, ...], team: str | None) -> None:
    """Confirm somebody who accepted an invitation or asked to join: from then on that person's acts count (admins)."""
    from carnet_store import NotFound, Usage

    here = session()
    project = here.project()
    waiting = project.people.waiting_newcomers()
    word = who.strip().casefold()
    found = [n for n in waiting if word in (n.name.casefold(), n.mail.casefold(), n.person)] or [
        n for n in waiting if n.name.casefold().startswith(word) or n.person.startswith(word)
    ]
    if not found:
        names = ", ".join(n.name for n in waiting) or "nobody"
        raise NotFound(f"nobody called {who!r} waits to join", f"waiting: {names}")
    if len(found) > 1:
        raise Usage(
            f"{who!r} may mean several", "name the mail or the id", [f"{n.name} <{n.mail}>  {n.person}" for n in found]
        )
    here.wrote(here.acts(project).admit(found[0].person, roles or None, team), next_=_SEND)


@add_to(people, "role", "carnet people role Tom ml_engineer operator", "carnet people role Tom --none", writes=True)
@click.argument("who")
@click.argument("roles", nargs=-1)
@click.option("--none", is_flag=True, help="No role at all.")
@click.option("--team", default=None, help="Set the team too.")
def role(who: str, roles: tuple[str, ...], none: bool, team: str | None) -> None:
    """Give a member exactly these roles (admins)."""
    from carnet_store import Usage

    if bool(roles) == none:
        raise Usage("name the roles, or --none", "carnet people role NAME ROLE ...")
    here = session()
    project = here.project()
    here.wrote(here.acts(project).set_roles(here.person(project, who), roles, team), next_=_SEND)


@add_to(
    people,
    "admins",
    "carnet people admins Ana Tom",
    "carnet people admins Ana Tom --threshold 2 --also Tom",
    writes=True,
)
@click.argument("who", nargs=-1, required=True)
@click.option(
    "--threshold", default=1, show_default=True, type=click.IntRange(1, 20), help="How many must sign a roster."
)
@click.option("--also", "also", multiple=True, metavar="NAME", help="Another identity of this machine that signs too.")
def admins(who: tuple[str, ...], threshold: int, also: tuple[str, ...]) -> None:
    """Name the admins, exactly these (admins; two of them sign once there are two)."""
    here = session()
    project = here.project()
    persons = [here.person(project, name) for name in who]
    here.wrote(here.acts(project).set_admins(persons, threshold, cosigners(here, also)))


def cosigners(here: Session, names: tuple[str, ...]) -> list[Any]:
    """Return further identities of this machine as those who sign along."""
    from carnet_store.work.actor import Actor

    desk, project = here.desk(), here.project()
    return [Actor(desk.keyring.choose(name), desk.keyring, project, desk.store.ident, here.ask) for name in names]


@add_to(people, "leave", "carnet people leave Tom", writes=True)
@click.argument("who")
def leave(who: str) -> None:
    """End a membership: what was signed before stays valid, later acts do not count (admins)."""
    here = session()
    project = here.project()
    here.wrote(here.acts(project).leave(here.person(project, who)))


@add_to(people, "revoke", "carnet people revoke Tom --compromised --why 'laptop stolen on Monday'", writes=True)
@click.argument("who")
@click.option("--why", required=True, help="The reason, for the record.")
@click.option("--compromised", is_flag=True, help="The key is in other hands, not merely retired.")
def revoke(who: str, why: str, compromised: bool) -> None:
    """End a person's keys: nothing beyond what this store holds of them now will count (admins)."""
    here = session()
    project = here.project()
    here.wrote(here.acts(project).revoke(here.person(project, who), why, compromised=compromised))


@add_to(people, "adopt", "carnet people adopt", "carnet people adopt --only 3fa94c01", writes=True)
@click.option(
    "--only", "only", multiple=True, metavar="EVENT", help="Only the history that ends in this event. Repeatable."
)
def adopt(only: tuple[str, ...]) -> None:
    """Heal a fork of your own chain: what you wrote in its histories counts again, in all of them or those you name.

    A fork is two events at one place, as after a machine was set back and both kept writing. Nobody else can heal it.
    """
    from carnet_store import Refused

    here = session()
    project = here.project()
    acts = here.acts(project)
    me = here.desk().i().person
    mine = [h for h in project.ledger.heads() if project.people.person_of(h.key) == me]
    chains = {h.key: [o.hash for o in mine if o.key == h.key] for h in mine if h.branch}
    wanted = [word.strip().lower() for word in only]
    lost = [w for w in wanted if not any(e.startswith(w) for ends in chains.values() for e in ends)]
    if not chains or lost:
        ends = [f"{chain[:16]}… ends in {end[:16]}" for chain, all_ in chains.items() for end in all_]
        text = (
            f"no history of yours ends in {lost[0]}"
            if lost
            else "no chain of yours is forked; there is nothing to adopt"
        )
        raise Refused(text, "carnet doctor", ends)
    for chain, ends in chains.items():
        kept = [end for end in ends if not wanted or any(end.startswith(w) for w in wanted)]
        if kept:
            here.wrote(acts.adopt_fork(chain, kept))
