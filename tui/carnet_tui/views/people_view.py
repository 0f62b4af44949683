"""Who belongs to a project: who waits to join, who was invited, the roster with roles, and one's own identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, fit_line, pad
from carnet_tui.views import words
from carnet_tui.views.fields import field, section

if TYPE_CHECKING:
    from carnet_store import Desk, Project

HEADS = {
    "join": "YOU",
    "waiting": "WAITS TO JOIN",
    "invited": "INVITED",
    "member": "MEMBERS",
    "left": "LEFT",
    "identity": "YOUR IDENTITIES ON THIS MACHINE",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list; a head has an empty `key`. Cleaned texts, but `id`, which is as the record has it."""

    key: str
    section: str
    id: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    team: str = ""
    note: str = ""
    mail: str = ""
    admin: bool = False
    me: bool = False
    t: int = 0


def rows(project: Project, desk: Desk, invitations: Sequence[tuple[str, str, str, tuple[str, ...]]]) -> list[Row]:
    """Return everybody, section by section, each under its head."""
    members = project.members()
    me = desk.me
    mine = me.person if me is not None else ""
    found: list[Row] = []
    newcomers = {one.person: one for one in project.people.waiting_newcomers()}
    stranger = me is not None and mine not in members.people and mine not in newcomers
    invited = stranger and me is not None and bool(me.mail) and any(mail == me.mail for _, _, mail, _ in invitations)
    if me is not None and stranger and not invited:  # an invitation of one's own stands there instead
        found.append(Row("join", "join", mine, clean(me.name), note="not a member here: asks to join", me=True))
    for one in sorted(newcomers.values(), key=lambda n: (n.t, n.person)):
        found.append(
            Row(f"waiting {one.person}", "waiting", one.person, clean(one.name), tuple(clean(r) for r in one.roles),
                clean(one.team), "not confirmed yet", clean(one.mail), me=one.person == mine,
                t=one.t)
        )  # fmt: skip
    for entity, name, mail, roles in invitations:
        for_me = me is not None and bool(me.mail) and mail == me.mail and mine not in members.people
        note = "this is you: accepts" if for_me and mine not in newcomers else "has not answered yet"
        found.append(
            Row(f"invited {entity}", "invited", entity, clean(name), tuple(clean(r) for r in roles), "", note, clean(mail),
                me=for_me)
        )  # fmt: skip
    order = sorted(
        members.people.items(), key=lambda pair: (pair[0] not in members.admins, pair[1].name.casefold(), pair[0])
    )
    for person, row in order:
        found.append(
            Row(f"member {person}", "member" if row.status == "active" else "left", person, clean(row.name),
                tuple(clean(r) for r in row.roles), clean(row.team), clean(row.kind if row.kind != "human" else ""),
                clean(row.mail), person in members.admins, person == mine)
        )  # fmt: skip
    for own in desk.keyring.identities():
        found.append(
            Row(f"identity {own.public.hex()}", "identity", own.person, clean(own.name),
                note="you are this" if own.person == mine else "", mail=clean(own.mail), me=own.person == mine)
        )  # fmt: skip
    out: list[Row] = []
    for name in HEADS:
        group = [one for one in found if one.section == name]
        if group:
            out += [Row("", name), *group]
    return out


def row_line(row: Row, cells: int, glyphs: Glyphs) -> Line:
    """Return a row or a head."""
    dots = glyphs.ellipsis
    if not row.key:
        return fit_line([(HEADS[row.section], "title")], cells, dots)
    name = 14 if cells < 70 else 20
    waits = row.section in ("waiting", "join") or (row.section == "invited" and row.me)
    sign, _, style = glyphs.state("question" if waits else "waiting" if row.section == "invited" else "done")
    head: Line = [(f"{sign} ", style if row.section != "left" else "dim")]
    if row.section in ("member", "left", "identity"):
        head = [("  ", "")]
    label = f"{row.name} (you)" if row.me and row.section in ("member", "waiting") else row.name
    line: Line = [*head, (pad(label, name, "<", dots) + " ", "bold" if waits else "")]
    roles = [words.role(one) for one in row.roles]
    said = ", ".join([*(["admin"] if row.admin else []), *roles])
    line += [(said, ""), ("   " if said else "", ""), (row.note, "warn" if waits else "dim")]
    right = f"  {row.team or row.mail} " if cells >= 70 else ""
    return both_ends(line, [(right, "dim")] if right.strip() else [], cells, dots)


def details(row: Row, admins: str, fingerprint: str, cells: int) -> list[Line]:
    """Return what is known of a person; `admins` are their names, `fingerprint` that of the person's key. Cleaned."""
    top = field("name", f"{row.name}{f' <{row.mail}>' if row.mail else ''}", cells, "bold")
    if row.roles or row.section in ("member", "waiting", "invited"):
        top += field(
            "roles", ", ".join(words.role(one) for one in row.roles) or "none: may read, comment and ask", cells
        )
    if row.team:
        top += field("team", row.team, cells)
    if fingerprint:
        top += field("key", fingerprint, cells)
    more = {
        "join": "Enter asks to join; what you do counts once an admin confirms it.",
        "waiting": f"{row.name} acts already, and all of it counts once {admins} confirms. Nothing is typed again.",
        "invited": f"Enter accepts it: you act at once, and all of it counts once {admins} confirms."
        if row.me
        else "The invitation travels in the next bundle to that person.",
        "left": "What was signed before stays valid; later acts do not count.",
    }.get(row.section, "")
    return section(top, field("", more, cells, "dim") if more else [])
