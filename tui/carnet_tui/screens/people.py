"""People: who waits to join, who was invited, the roster and its roles, and who one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.screens.subjects import ListScreen
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import people_view, words
from carnet_tui.views.people_view import Row
from carnet_tui.widgets.dialogs import Picker, Prompt
from carnet_tui.widgets.form import Blank, Form
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

ROLES = (
    "researcher", "ml_engineer", "product_owner", "operator", "data_steward", "risk_officer", "security", "validator", "eraser",
)  # fmt: skip
"""Roles that the shipped templates name; a roster may hold others."""


class PeopleScreen(ListScreen):
    """Everybody in the project."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("people",)
    AUTO_FOCUS: ClassVar[str | None] = "LineList"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._kept: dict[str, str] = {}

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, and the chosen person below."""
        yield TextBlock(self._head, classes="roomy")
        yield LineList(
            self._source(), lambda row, cells: people_view.row_line(row, cells, self.glyphs), lambda row: row.key or None,
            glyphs=self.glyphs, empty="Nobody is known here yet.",
        )  # fmt: skip
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        detail = TextView(lambda cells: [], id="detail", classes="roomy")
        detail.styles.height = 7
        yield detail

    def on_mount(self) -> None:
        """Read the roster."""
        self.refresh_data()

    def _source(self) -> Rows[Row]:
        return Rows(self.rows, lambda row: row.key or None)

    def _head(self, cells: int) -> list[Line]:
        active = sum(row.section == "member" for row in self.rows if row.key)
        waits = sum(row.section == "waiting" for row in self.rows if row.key)
        said = plural(active, "member") + (
            f", {waits} waits to join" if waits == 1 else f", {waits} wait to join" if waits else ""
        )
        return [frame_text.headline("people", said, cells, self.glyphs)]

    def crumb(self) -> str:
        """Return the project and the screen."""
        return f"{super().crumb()} / people"

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        found = self.query(LineList)
        return found.first().chosen if found else None

    @property
    def is_admin(self) -> bool:
        """Whether I may change the roster."""
        return self.has_project and self.me in self.project.members().admins

    def refresh_data(self) -> None:
        """Read people anew."""
        self.rows = []
        if self.has_project:
            open_ones = self.acts().invitations() if self.me else []
            self.rows = people_view.rows(self.project, self.desk, open_ones)
        self.query_one(LineList).refill(self._source())
        for block in self.query(TextBlock):
            block.show(layout=False)
        self._show_chosen()

    def _show_chosen(self) -> None:
        row = self.chosen
        if row is None:
            return
        fingerprint = ""
        for own in self.desk.keyring.identities():
            if own.person == row.id:
                fingerprint = clean(own.fingerprint)
        admins = words.listed([clean(self.project.person_name(one)) for one in sorted(self.project.members().admins)])
        self.query_one("#detail", TextView).show(lambda cells: people_view.details(row, admins, fingerprint, cells))

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Do what Enter says."""
        event.stop()
        self.call_later(self.action_act, "open")

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "new", "find")

    def say_enter(self) -> str:
        """Return what Enter does on this row."""
        row = self.chosen
        if row is None:
            return ""
        return {
            "waiting": "admit",
            "invited": "accept",
            "member": "roles",
            "identity": "be this one",
            "join": "ask to join",
        }.get(row.section, "open")

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.chosen
        if action_id in ("new", "invite"):
            return self.may_write() or (None if self.is_admin else f"{self._admins()} invites")
        if action_id in ("open", "admit"):
            if row is None:
                return "nobody is chosen"
            if row.section == "identity":
                return None
            reason = self.may_write()
            if reason:
                return reason
            if row.section in ("waiting", "member") and not self.is_admin:
                return f"{self._admins()} does that"
            if row.section == "invited" and not row.me:
                return f"waits for {row.name}"
            if row.section == "left":
                return f"{row.name} has left"
            if action_id == "admit" and row.section not in ("waiting", "invited"):
                return "nobody to admit here"
        return None

    def _admins(self) -> str:
        names = [clean(self.project.person_name(one)) for one in sorted(self.project.members().admins)]
        return words.listed(names, 2).replace(", ", " or ")

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return name, mail and id of the person."""
        row = self.chosen
        if row is None:
            return ()
        return [(name, text) for name, text in (("name", row.name), ("mail", row.mail), ("id", row.id)) if text]

    def do_open(self) -> None:
        """Admit, accept, change roles, or become: what the row is for."""
        row = self.chosen
        if row is None:
            return
        if row.section == "identity":
            for own in self.desk.keyring.identities():
                if row.key == f"identity {own.public.hex()}":
                    self.carnet.become(own)
            return
        steps = {"waiting": self._admit, "invited": self._accept, "member": self._roles, "join": self._join}[
            row.section
        ]
        self.flow(steps(row))

    def do_admit(self) -> None:
        """Confirm a newcomer, or accept an invitation."""
        self.do_open()

    async def _admit(self, row: Row) -> None:
        roles = ", ".join(words.role(one) for one in row.roles) or "a member without a role"
        lines = paragraphs(
            [f"{row.name}{f' <{row.mail}>' if row.mail else ''} joins as {roles}.", "",
             "Everything that person has done since the acceptance counts from then on.",
             "You sign the new roster with your own key."]
        )  # fmt: skip
        if await self.preview(
            f"Admit {row.name}", lines, verb="admit", after="Roles can be changed later; a name stays."
        ):
            await self.write(lambda acts: acts.admit(row.id))

    async def _accept(self, row: Row) -> None:
        roles = ", ".join(words.role(one) for one in row.roles)
        lines = paragraphs([f"You join {clean(self.project.name)} as {roles}.", "",
                            f"You can act at once; it counts once {self._admins()} confirms. Send a bundle back."])  # fmt: skip
        if await self.preview("Accept the invitation", lines, verb="accept"):
            await self.write(lambda acts: acts.join(row.id))

    async def _join(self, row: Row) -> None:
        roles = await self.ask(
            Prompt("Ask to join as what?", glyphs=self.glyphs, about=[f"Roles parted by blanks: {', '.join(ROLES)}."],
                   verb="go on")
        )  # fmt: skip
        if roles is None:
            return
        lines = paragraphs([f"You ask to join {clean(self.project.name)} as {clean(roles) or 'a member'}.", "",
                            f"You can act at once; it counts once {self._admins()} confirms."])  # fmt: skip
        if await self.preview("Ask to join", lines, verb="ask"):
            await self.write(lambda acts: acts.join(roles=roles.replace(",", " ").split()))

    async def _roles(self, row: Row) -> None:
        typed = await self.ask(
            Form(f"Roles of {row.name}",
                 [Blank("roles", "roles", hint=" ".join(ROLES[:4]), value=" ".join(row.roles)),
                  Blank("team", "team", value=row.team)],
                 glyphs=self.glyphs, about=[f"Known roles: {', '.join(ROLES)}."])
        )  # fmt: skip
        if typed is None:
            return
        roles = typed["roles"].replace(",", " ").split()
        if tuple(roles) == row.roles and typed["team"] == row.team:
            self.base.say("Nothing was changed.")
            return
        named = ", ".join(words.role(one) for one in roles) or "without a role"
        lines = [f"{row.name} is {named} from now on" + (f", team {clean(typed['team'])}." if typed["team"] else ".")]
        strange = [one for one in roles if one not in ROLES]
        if strange:
            lines.append(f"No shipped template knows the role {clean(', '.join(strange))}.")
        if await self.preview(
            f"Roles of {row.name}", paragraphs(lines), after="Earlier acts keep the roles held then."
        ):
            await self.write(lambda acts: acts.set_roles(row.id, roles, typed["team"]))

    def do_new(self) -> None:
        """Invite somebody."""
        self.flow(self._invite())

    def do_invite(self) -> None:
        """Invite somebody."""
        self.flow(self._invite())

    async def _invite(self) -> None:
        def keep(typed: dict[str, str]) -> None:
            self._kept = typed

        blanks = [
            Blank("name", "name", required=True),
            Blank("mail", "mail", required=True, hint="by which the person is recognised", check=_mail),
            Blank("roles", "roles", required=True, hint="ml_engineer; several parted by blanks"),
            Blank("team", "team", hint="engineering"),
        ]
        about = [f"Known roles: {', '.join(ROLES)}."]
        typed = await self.ask(
            Form("Invite somebody", blanks, glyphs=self.glyphs, about=about, typed=self._kept, keep=keep)
        )
        if typed is None:
            return
        roles = typed["roles"].replace(",", " ").split()
        lines = paragraphs(
            [f"{clean(typed['name'])} <{clean(typed['mail'])}> is invited as {', '.join(words.role(one) for one in roles)}.",
             "", "The invitation travels in the next bundle (6 Exchange) and holds for 30 days."]
        )  # fmt: skip
        if await self.preview("Invite", lines, verb="invite"):
            await self.write(lambda acts: acts.invite(typed["name"], typed["mail"], roles, typed["team"]))

    def do_find(self) -> None:
        """Find a person while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        things = [
            (row.key, f"{row.name}  {', '.join(words.role(one) for one in row.roles)}", row.team or row.mail)
            for row in self.rows if row.key
        ]  # fmt: skip
        chosen = await self.ask(Picker("Find somebody", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            self.query_one(LineList).choose(chosen[0])


def _mail(text: str) -> str:
    return "" if "@" in text else "mail needs an @: it is how the invited person is recognised."
