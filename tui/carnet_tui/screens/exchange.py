"""Exchange: who lacks what, and writing them a bundle after a look at what leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widget import Widget

from carnet_tui import frame_text, terminal
from carnet_tui.screen import Route
from carnet_tui.screens.subjects import ListScreen, SubjectScreen
from carnet_tui.screens.timeline import verify_record
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import exchange_view, words
from carnet_tui.views.exchange_view import Row
from carnet_tui.widgets.dialogs import Choice, Picker
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs
from carnet_tui.widgets.path_prompt import PathPrompt
from carnet_tui.widgets.read_sheet import ReadSheet

if TYPE_CHECKING:
    from carnet_store.exchange.bundle import Foreseen
    from carnet_store.exchange.bundle import Written as BundleWritten


class Bundles(SubjectScreen):
    """What both screens share: words on how far work on the other thread has come."""

    def hear(self, doing: str) -> Any:
        """Return a progress function for work off the loop: what, how many, of how many; ten words a run at most."""
        base, last = self.base, [-1]

        def progress(what: str, done: int, total: int) -> None:
            tenth = done * 10 // total if total else done // 1000
            if tenth != last[0]:
                last[0] = tenth
                of = f" of {total:,}" if total else ""
                base.say_from_thread(f"{doing}: {done:,}{of} {clean(what)}.")

        return progress


class ExchangeScreen(Bundles, ListScreen):
    """Teams and people with what they lack; bundles that lie here."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("exchange",)
    PLACE: ClassVar[str] = "exchange"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.waits: list[str] = []
        self.unshared = 0
        self.reading = True

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, and what Enter would do below."""
        yield TextBlock(self._head, classes="roomy")
        yield LineList(
            Rows(self.rows, lambda row: row.key or None), lambda row, cells: exchange_view.row_line(row, cells, self.glyphs),
            lambda row: row.key or None, glyphs=self.glyphs,
            empty="Nobody to send to yet: n opens a bundle, the command `people` invites.",
        )  # fmt: skip
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        detail = TextView(lambda cells: [], id="detail", classes="roomy")
        detail.styles.height = 6
        yield detail

    def on_mount(self) -> None:
        """Look who lacks what, and what lies here."""
        self.refresh_data()

    def _head(self, cells: int) -> list[Line]:
        mine = (
            f"{plural(self.unshared, 'event')} of yours not shared yet" if self.unshared else "all you wrote was shared"
        )
        said = "" if self.reading else mine
        return [frame_text.headline("bundles", said, cells, self.glyphs)]

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        found = self.query(LineList)
        return found.first().chosen if found else None

    @property
    def outbox(self) -> Path:
        """The folder that bundles are written to: beside the store."""
        return self.desk.store.root.parent

    def refresh_data(self) -> None:
        """Read anew, off the loop: it asks for every person's places and opens every bundle that lies here."""
        ledger = self.project.id if self.has_project else ""
        folders = exchange_view.inbox_folders(self.desk.store.root, self.carnet.folder)
        me = self.me

        def read() -> tuple[list[Row], list[str], int]:
            with self.desk.clone() as desk:
                found = desk.lying_around(folders)
                if not ledger:
                    return (
                        exchange_view.rows([], found, 0, self.desk.store.clock())[: len(found) + 1 if found else 0],
                        [],
                        0,
                    )
                project = desk.store.project(ledger)
                peers = desk.peers(project) if me else []
                rows = exchange_view.rows(peers, found, project.ledger.count(), project.now())
                return rows, [clean(one) for one in project.waits_for()], desk.not_shared(project) if me else 0

        def then(found: tuple[list[Row], list[str], int]) -> None:
            self.rows, self.waits, self.unshared = found
            self.reading = False
            self.query_one(LineList).refill(Rows(self.rows, lambda row: row.key or None))
            for block in self.query(TextBlock):
                block.show(layout=False)
            self._show_chosen()
            self.refresh_chrome()

        self.work(read, then, saying="Looking who lacks what")

    def _show_chosen(self) -> None:
        row = self.chosen
        folder = clean(str(self.outbox))
        self.query_one("#detail", TextView).show(
            lambda cells: exchange_view.row_details(row, folder, self.waits, cells) if row is not None else []
        )

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Do it."""
        event.stop()
        self.call_later(self.action_act, "open")

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "new", "find")

    def say_enter(self) -> str:
        """Return what Enter does on this row."""
        row = self.chosen
        return "" if row is None else "look into it" if row.section == "here" else "write a bundle"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.chosen
        if action_id in ("open", "export"):
            if row is None:
                return "nothing is chosen"
            if row.section == "here":
                return (row.trouble or None) if action_id == "open" else "choose whom it is for"
            return self.may_write() or (None if row.lacks else "nothing new to send")
        if action_id in ("check", "invite", "admit") and not self.has_project:
            return "no project yet"
        return None

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return the command that does the same."""
        row = self.chosen
        if row is None:
            return ()
        if row.section == "here":
            return (("path", clean(row.path)), ("command", f"carnet import {clean(row.path)}"))
        return (("command", f"carnet export {self.bundle_name(row)}"),)

    def do_open(self) -> None:
        """Look into the bundle, or write one for these people."""
        row = self.chosen
        if row is None:
            return
        if row.section == "here":
            self.base.enter(Route("import", (row.path,)))
        else:
            self.flow(self._export(row, True))

    def do_export(self) -> None:
        """Write a bundle for the chosen ones, with or without files."""
        if self.chosen is not None:
            self.flow(self._choose_files(self.chosen))

    async def _choose_files(self, row: Row) -> None:
        ways = [("y", "with the files", "yes"), ("n", "events alone", "no")]
        way = await self.ask(Choice("Shall the files go along?", ways, glyphs=self.glyphs))
        if way is not None:
            await self._export(row, way == "yes")

    def bundle_name(self, row: Row) -> str:
        """Return the name of the file that would be written for a row."""
        to = row.key.partition(" ")[2] if row.key.startswith("team ") else row.name.strip() if row.persons else "all"
        when = words.instant(self.project.now())
        taken = [path.name for path in self.outbox.glob("*.carnet.zip")]
        return exchange_view.file_name(self.project.name, to, f"{when:%Y-%m-%d}", taken)

    async def _export(self, row: Row, with_files: bool) -> None:
        name, project = self.bundle_name(row), clean(self.project.name)
        drafts = len(self.acts().drafts())
        ledger, path = self.project.id, self.outbox / name
        hear = self.hear("Looking")

        def look() -> Foreseen:
            with self.desk.clone() as desk:
                return desk.foresee(desk.store.project(ledger), to=row.persons, progress=hear)

        found = await self.aside(look, saying="Looking what would leave")
        shown = await self.preview(
            "Write a bundle", lambda cells: exchange_view.leaving(row, name, project, drafts, found, with_files, cells),
            after="Nothing is sent: you pass the file on. What has left cannot be taken back.",
        )  # fmt: skip
        if not shown:
            return
        hear = self.hear("Writing")

        def write() -> BundleWritten:
            with self.desk.clone() as desk:
                return desk.export(
                    desk.store.project(ledger), path, to=row.persons, with_objects=with_files, progress=hear
                )

        def then(made: BundleWritten) -> None:
            text = exchange_view.message(
                project, clean(self.desk.i().name), row.name.strip() if row.persons else "everybody", name, made.events, made.objects, made.size,
                made.identity, not made.base,
            )  # fmt: skip
            by = terminal.copy(self.app, text)
            self.carnet.refresh_facts()  # a demo's last step is a bundle
            self.base.say(f"Wrote {name}; three lines to paste are copied by {by}.")
            lines = [clean(str(path)), "", *text.split("\n")]
            if made.missing:
                lines += ["", f"{plural(made.missing, 'file')} are named in it and not along."]
            self.app.push_screen(ReadSheet("Pass this file on", paragraphs(lines), glyphs=self.glyphs, note="copied"))
            self.refresh_data()

        self.work(write, then, saying="Writing the bundle")

    def do_new(self) -> None:
        """Open a bundle by its path."""
        self.flow(self._path())

    def do_import(self) -> None:
        """Open a bundle by its path."""
        self.flow(self._path())

    async def _path(self) -> None:
        about = ["Nothing is taken in before you have seen what it would do."]
        typed = await self.ask(
            PathPrompt("Open a bundle", self.carnet.folder, glyphs=self.glyphs, about=about, verb="look into it")
        )
        if typed is not None:
            self.base.enter(Route("import", (str(self.carnet.folder / Path(typed.strip()).expanduser()),)))

    def do_find(self) -> None:
        """Find a row while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        things = [(row.key, row.name.strip(), row.said) for row in self.rows if row.key]
        chosen = await self.ask(Picker("Find", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            self.query_one(LineList).choose(chosen[0])

    def do_invite(self) -> None:
        """Go to the people of the project."""
        self.base.enter(Route("people"))

    def do_admit(self) -> None:
        """Go to the people of the project."""
        self.base.enter(Route("people"))

    def do_check(self) -> None:
        """Verify the whole record again."""
        verify_record(self)
