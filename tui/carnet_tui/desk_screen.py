"""A screen at a desk: reading from the project at hand, and writing with a preview before and a sentence after."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from textual.screen import ModalScreen

from carnet_store.errors import CarnetError, NotFound
from carnet_tui.screen import CarnetScreen
from carnet_tui.text import clean
from carnet_tui.widgets.lines import Builder

if TYPE_CHECKING:
    from carnet_store import Acts, Desk, Project, Written
    from carnet_tui.glyphs import Glyphs
    from carnet_tui.live import CarnetApp

Result = TypeVar("Result")


class DeskScreen(CarnetScreen):
    """A screen of the app; `entity` says which project it is about."""

    entity = ""
    """The subject, where the screen has one."""

    @property
    def carnet(self) -> CarnetApp:
        """The app, with its desk."""
        return cast("CarnetApp", self.app)

    @property
    def desk(self) -> Desk:
        """The store and who one is."""
        return self.carnet.desk

    @property
    def project(self) -> Project:
        """The project that this screen's subject belongs to."""
        return self.carnet.project_of(self.entity) if self.entity else self.carnet.project

    @property
    def glyphs(self) -> Glyphs:
        """The signs in force."""
        return self.base.glyphs

    @property
    def me(self) -> str:
        """The id of the person one is, empty where nobody was chosen."""
        return self.desk.me.person if self.desk.me else ""

    def my_roles(self) -> frozenset[str]:
        """Return the roles one holds in this project, also those that count once the founder confirms."""
        row = self.project.members().people.get(self.me)
        if row is not None:
            return frozenset(row.roles) if row.status == "active" else frozenset()
        newcomer = self.project.people.newcomers.get(self.me)
        return frozenset(newcomer.roles) if newcomer else frozenset()

    def is_stranger(self) -> bool:
        """Whether one is neither a member of this project nor has asked to be one."""
        return self.me not in self.project.members().people and self.me not in self.project.people.newcomers

    def acts(self) -> Acts:
        """Return what one can do in this project."""
        return self.desk.acts(self.project)

    # Doing: a flow asks by dialogs, shows a preview, writes

    def flow(self, steps: Coroutine[Any, Any, None]) -> None:
        """Run dialogs one after another; an expected error is shown to the person."""

        async def run() -> None:
            try:
                await steps
            except CarnetError as error:
                self.base.show_error(error)

        self.run_worker(run(), exclusive=True, group="flow")

    async def ask(self, sheet: ModalScreen[Result]) -> Result | None:
        """Show a dialog and return its result, None when the person left it."""
        return await self.app.push_screen_wait(sheet)

    async def write(self, act: Callable[[Acts], Written]) -> Written | None:
        """Do an act on this screen's project; None where the person did not give a passphrase or it was refused."""
        return await self.carnet.write(self.project, act)

    async def preview(self, title: str, build: Builder, *, verb: str = "write", after: str = "") -> bool:
        """Show what exactly will be written; True when Enter was pressed."""
        from carnet_tui.widgets.dialogs import Preview

        done: bool | None = await self.ask(Preview(title, build, glyphs=self.glyphs, verb=verb, after=after))
        return done is True

    def leave_missing(self, error: CarnetError) -> None:
        """Say why a subject cannot be shown."""
        self.base.say(clean(error.message))

    # What several screens offer on their subject

    async def ask_question(self, about: Sequence[str], title: str, *, item: str = "") -> None:
        """Ask a question about something: text, to whom, whether it blocks; then a preview."""
        from carnet_tui.widgets.dialogs import Choice, LongPrompt, Picker
        from carnet_tui.widgets.lines import paragraphs

        text = await self.ask(
            LongPrompt(f"Ask about {title}", glyphs=self.glyphs, verb="go on",
                       check=lambda t: "" if len(t.strip()) > 2 else "A question needs a text.")
        )  # fmt: skip
        if text is None:
            return
        to: dict[str, str] = {}
        whom = await self.ask(Picker("To whom?", self._whom(), glyphs=self.glyphs, note="roles and people"))
        if whom is None:
            return
        kind, _, who = whom[0].partition(":")
        to = {f"to_{kind}": who} if who else {}
        ways = [("n", "quiet", "no"), ("y", "blocks the gate until answered", "yes")]
        blocking = await self.ask(Choice("Does it block?", ways, glyphs=self.glyphs))
        if blocking is None:
            return
        shown = [clean(line) for line in text.split("\n")]
        lines = [
            f"question on {title}",
            "",
            *shown,
            "",
            f"to {whom[1]}",
            "blocks the gate" if blocking == "yes" else "quiet",
        ]
        if await self.preview("Ask this", paragraphs(lines), after="Only you can close it."):
            await self.write(
                lambda acts: acts.ask(text.strip(), about=about, item=item, blocking=blocking == "yes", **to)
            )

    def _whom(self) -> list[tuple[str, str, str]]:
        members = self.project.members().people
        roles = sorted({one for row in members.values() if row.status == "active" for one in row.roles})
        found = [("role:", "anybody in the project", "")]
        for one in roles:
            names = ", ".join(clean(members[p].name) for p in self.project.members().holders(one))
            found.append((f"role:{one}", clean(one.replace("_", " ")), names))
        for person, row in members.items():
            if person != self.me and row.status == "active":
                found.append((f"person:{person}", clean(row.name), clean(row.team)))
        return found

    async def write_comment(self, entity: str, title: str, *, item: str = "") -> None:
        """Write a comment: text, then a preview."""
        from carnet_tui.widgets.dialogs import LongPrompt
        from carnet_tui.widgets.lines import paragraphs

        text = await self.ask(
            LongPrompt(f"Comment on {title}", glyphs=self.glyphs, verb="go on",
                       check=lambda t: "" if t.strip() else "A comment needs a text.")
        )  # fmt: skip
        if text is None:
            return
        lines = [f"comment on {title}", "", *(clean(line) for line in text.split("\n"))]
        after = "It touches no signature. u takes it back until it was exported."
        if await self.preview("Write this", paragraphs(lines), after=after):
            await self.write(lambda acts: acts.comment(entity, text.strip(), item))


def missing(what: str) -> NotFound:
    """Return the error of a subject that is not in this store."""
    return NotFound(f"{what} is not in this store", "[ goes back; a newer bundle may bring it")
