"""Welcome: no store is here. What lies in the folder, and the ways to begin, each one key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from carnet_tui import actions, frame_text
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.screen import Route
from carnet_tui.screens.beginning import begin_project, who_begins
from carnet_tui.text import Line, clean, fit, fit_line, pad, width
from carnet_tui.widgets.dialogs import Picker, Prompt
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, paragraphs

if TYPE_CHECKING:
    from carnet_store.exchange.importers.things import Guess

FOUND = ("found", "Open a handoff from what lies here", "the plan first, then Enter writes")
"""The way that stands first where the folder holds something that Carnet reads."""
WAYS = (
    ("project", "Start a project here", "makes a store beside your work, and an identity if you have none"),
    ("bundle", "Open a bundle", "look into a .carnet.zip that somebody sent; nothing is taken in unseen"),
    ("sample", "Look at a sample", "a whole handoff between three teams, to try everything on"),
)
"""Way to begin: id, name, what it does."""
NAME = 22
"""Cells of a way's name, where it is not longer."""
COMPACT_FOUND = 2
"""So many finds are named on a small terminal."""
ROLES = (
    ("researcher", "researcher", "makes models"),
    ("ml_engineer", "ml engineer", "takes them into engineering"),
    ("operator", "operator", "runs them"),
    ("product_owner", "product owner", "says what they are for"),
    ("data_steward", "data steward", "answers for data"),
    ("risk_officer", "risk officer", "waives and accepts risks"),
)


class WelcomeScreen(DeskScreen):
    """The first screen on a new machine."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("picker",)
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self) -> None:
        super().__init__()
        self.guesses: list[Guess] | None = None
        """What lies in the folder; None while it is looked at."""
        self.waited = False
        """Whether Enter was pressed before that was known."""

    def crumb(self) -> str:
        """Return nothing: there is no project yet."""
        return ""

    def compose_content(self) -> Iterable[Widget]:
        """Yield what Carnet is, and the ways to begin."""
        yield TextBlock(self.intro, id="intro")
        yield LineList(Rows(WAYS, lambda way: way[0]), way_line, lambda way: way[0], glyphs=self.glyphs)
        yield TextBlock(paragraphs(["", f"Here: {clean(str(self.carnet.folder))}"], "dim"), classes="roomy")

    def intro(self, cells: int) -> list[Line]:
        """Return what Carnet is, and what lies in the folder."""
        what = ["", "A signed ledger that travels with a model, and handoffs as gates.", ""]
        if not self.guesses:
            return list(paragraphs([*what, "There is no store here yet. How would you like to begin?", ""])(cells))
        small = frame_text.compact(*self.app.size)
        head = (
            ["", "No store here yet. In this folder:"]
            if small
            else [*what, "There is no store here yet. In this folder:"]
        )
        found = self.guesses[:COMPACT_FOUND] if small else self.guesses
        lines: list[Line] = [
            [("   ", ""), (fit(clean(one.words), cells - 4, self.glyphs.ellipsis), "bold")] for one in found
        ]
        return [*paragraphs(head)(cells), *lines, []]

    def on_mount(self) -> None:
        """Look what lies in the folder, off the loop."""
        from carnet_tui.taking_in import look

        folder = self.carnet.folder
        self.work(lambda: look(folder), self._found, saying="looking what lies here")

    def _found(self, guesses: list[Guess]) -> None:
        """Say what lies here; where some of it can be read, a handoff from it is the first way."""
        self.guesses = guesses
        can_begin = any(one.things for one in guesses)
        ways = (FOUND, *WAYS) if can_begin else WAYS
        menu = self.query_one(LineList)
        untouched = menu.index == 0
        menu.refill(Rows(ways, lambda way: way[0]))
        if can_begin and untouched:
            menu.choose(FOUND[0])
        self.query_one("#intro", TextBlock).show()
        self.refresh_chrome()
        if self.waited and untouched:
            self.begin(ways[0][0])

    def actions_here(self) -> list[actions.Action]:
        """Return what works before there is a store."""
        return [actions.BY_ID[name] for name in ("open", "leave", "help", "quit")]

    def first_hints(self) -> Sequence[str]:
        """Return Enter."""
        return ("open",)

    def hints(self) -> list[frame_text.Hint]:
        """Return the footer."""
        return [("⏎", "begin", ""), ("↑↓", "choose", ""), ("esc", "quit", ""), ("?", "help", "")]

    def do_open(self) -> None:
        """Begin in the chosen way."""
        way = self.query_one(LineList).chosen
        if way is not None:
            self._choose(way[0])

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Begin."""
        self._choose(event.row[0])

    def _choose(self, way: str) -> None:
        """Begin; while the folder is looked at the first way is not known yet, and Enter waits for it."""
        if self.guesses is None and way == WAYS[0][0]:
            self.waited = True
        else:
            self.begin(way)

    def begin(self, way: str) -> None:
        """Take in what lies here, start a project, open a bundle, or look at the sample."""
        if way == FOUND[0]:
            self.base.enter(Route("capture", (str(self.carnet.folder.absolute()), "open")))
        elif way == "sample":
            self.carnet.next = "demo"
            self.app.exit(0)
        else:
            self.flow(self._project() if way == "project" else self._bundle())

    async def _project(self) -> None:
        folder = self.carnet.folder
        name = await self.ask(
            Prompt("Start a project here", glyphs=self.glyphs, value=folder.absolute().name, suggested=True,
                   about=["What is it called? The name of the model line, or of the team's work."],
                   check=lambda t: "" if t.strip() else "A project needs a name.")
        )  # fmt: skip
        if name is None:
            return
        role = await self.ask(Picker("What are you in it?", ROLES, glyphs=self.glyphs, note="more roles later: people"))
        if role is None:
            return
        begins = await who_begins(self)
        begun = await begin_project(self, begins, name.strip(), [role[0]]) if begins is not None else None
        if begun is None:
            return
        desk, _, written = begun
        me = clean(desk.i().name)
        self.carnet.set_desk(desk, (Route("models"),))
        self.base.say(f"{clean(written.sentence)} as {me}. n makes the first model version and opens its handoff.")

    async def _bundle(self) -> None:
        from carnet_tui.widgets.path_prompt import PathPrompt

        folder = self.carnet.folder
        found = sorted(folder.glob("*.carnet.zip"), key=lambda p: -p.stat().st_mtime)
        path: Path | None = None
        if found:
            rows = [(str(p), clean(p.name), f"{p.stat().st_size:,} bytes") for p in found]
            rows.append(("", "another file", "type its path"))
            chosen = await self.ask(Picker("Open a bundle", rows, glyphs=self.glyphs))
            if chosen is None:
                return
            path = folder / chosen[0] if chosen[0] else None
        if path is None:
            typed = await self.ask(PathPrompt("Open a bundle", folder, glyphs=self.glyphs, verb="look into it"))
            if typed is None:
                return
            path = folder / Path(typed.strip()).expanduser()
        self.base.enter(Route("import", (str(path),)))


def way_line(way: tuple[str, str, str], cells: int) -> Line:
    """Return a way to begin as a line."""
    name = max(NAME, width(way[1]) + 1)
    return fit_line([(pad(way[1], name) + " ", "bold"), (pad(way[2], max(0, cells - name - 1)), "dim")], cells)
