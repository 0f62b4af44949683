"""The plan of taking in what other tools recorded: read off the loop, nothing written before Enter; it works where there is no store yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.widget import Widget

from carnet_store.errors import CarnetError
from carnet_store.work.identity import PassphraseNeeded, WrongPassphrase
from carnet_tui import frame_text
from carnet_tui.screen import Path as RoutePath
from carnet_tui.screen import Route, still_here
from carnet_tui.screens.beginning import begin_project, found_project, who_begins
from carnet_tui.screens.subjects import SubjectScreen
from carnet_tui.taking_in import Crossing, Read, Reading, cross, follow_search, read, write
from carnet_tui.text import Line, clean
from carnet_tui.views import capture_view, proposal_view
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

if TYPE_CHECKING:
    from carnet_store import Desk, Written
    from carnet_store.exchange.capturing import CapturePlan

Result = TypeVar("Result")
WRITING = "it is being written"
NO_RUN = "No run that ended well is recorded yet: carnet run -- COMMAND records one."


@dataclass(frozen=True, slots=True)
class Where:
    """Where a plan is written: a desk, the project's ledger id, and whether the store was made for it."""

    desk: Desk
    ledger: str
    made: bool


class CaptureScreen(SubjectScreen):
    """What a folder or file would add to the record. Esc discards it without a trace, Enter writes it.

    Where there is no store, store, project and key are made when the plan is written, and a handoff of the newest run that ended
    well is opened at once; so it is with a second word `open`.
    """

    CONTEXTS: ClassVar[tuple[str, ...]] = ("import",)
    PLACE: ClassVar[str] = ""
    AUTO_FOCUS: ClassVar[str | None] = "TextView"

    def __init__(self, path: str, then: str = "") -> None:
        super().__init__()
        self.path = Path(path)
        self.opens = then == "open"
        self.reading = Reading()
        self.found = Read()
        self.busy = ""

    def compose_content(self) -> Iterable[Widget]:
        """Yield the sums, and the plan."""
        yield TextBlock(self._head, id="head")
        yield TextView(lambda cells: [], id="plan")

    def crumb(self) -> str:
        """Return the name of what is looked into."""
        return clean(self.path.name)

    # Reading

    def on_mount(self) -> None:
        """Read it, off the loop."""
        self.opens = self.opens or not self.has_project
        self.busy = "reading"
        app, path, into = self.carnet, self.path, self.reading
        ledger = self.project.id if self.has_project else ""

        def then(found: Read) -> None:
            self.found, self.busy = found, ""
            if found.error is not None:
                self.base.say("Nothing was written.")
            else:
                self.base.say("Nothing is written before Enter; esc leaves no trace.")
            self._paint()

        self.work(lambda: read(app, path, into, ledger), then, saying="reading")

    def on_unmount(self) -> None:
        """Stop reading, and close the plan."""
        self.reading.leave()

    def _paint(self) -> None:
        self.query_one("#head", TextBlock).show()
        self.query_one("#plan", TextView).show(self._lines)
        self.refresh_chrome()

    def _head(self, cells: int) -> list[Line]:
        plan = self.reading.plan
        if plan is None:
            word = self.busy or ("cannot be taken in" if self.found.error else "")
            return [[(f" {clean(self.path.name)}  ", "bold"), (word, "bad" if self.found.error else "dim")]]
        lines = capture_view.head_lines(clean(str(self.path)), self.found.guesses, plan, cells, self.glyphs)
        return lines[:1] + lines[2:] if self.compact else [*lines, frame_text.rule(cells, self.glyphs)]

    def _lines(self, cells: int) -> Sequence[Line]:
        error, plan = self.found.error, self.reading.plan
        if error is not None:
            texts = [clean(error.message), *(f"- {clean(reason)}" for reason in error.reasons)]
            if error.hint:
                texts += ["", f"Next: {clean(error.hint)}"]
            return paragraphs(["", *texts, "", "Nothing was written."])(cells)
        return [] if plan is None else capture_view.plan_lines(plan, self._after(), cells, self.glyphs)

    def _after(self) -> str:
        """Return what Enter does beside writing the plan."""
        plan = self.reading.plan
        crosses = (
            "a handoff of the newest run that ended well is opened" if self.opens and plan and plan.newest[1] else ""
        )
        if self.carnet.has_store:
            return crosses
        made = f"a store and a project {clean(self._project_name())} are made beside your work"
        return f"{made}; {crosses}" if crosses else made

    def _project_name(self) -> str:
        folder = self.carnet.folder
        return (folder.parent if folder.name == ".carnet" else folder).absolute().name

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open",)

    def say_enter(self) -> str:
        """Return what Enter does here."""
        plan = self.reading.plan
        if plan is not None and plan.nothing_new:
            return "open a handoff"
        return "write it, open a handoff" if self.opens and plan is not None and plan.newest[1] else "write it"

    def hints(self) -> list[frame_text.Hint]:
        """Return the keys, leaving among them: it is half of the choice."""
        found = super().hints()
        return [*found[:1], ("esc", "discard, nothing written", ""), *found[1:]]

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id in ("people", "lock", "identity") and not self.carnet.has_store:
            return "there is no store here yet"
        if action_id == "leave":
            return WRITING if self.busy == WRITING else None
        if action_id not in ("open", "apply"):
            return None
        if self.busy:
            return self.busy
        if self.reading.plan is None:
            return "there is nothing to take in"
        if self.reading.plan.nothing_new and not self.opens:
            return "all of it is here"
        return "choose who you are, @" if self.carnet.has_store and not self.me else None

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return the path and the command that does the same."""
        return (("path", clean(str(self.path))), ("command", f"carnet capture {clean(str(self.path))}"))

    def do_open(self) -> None:
        """Write it."""
        self.do_apply()

    def do_leave(self) -> None:
        """Discard the plan, and say so where one comes to."""
        self.base.say("Nothing was written.")
        self.base.do_leave()

    # Writing

    def do_apply(self) -> None:
        """Take in what the plan shows."""
        if self.reading.plan is not None and not self.busy:
            self.flow(self._take())

    async def _take(self) -> None:
        where = await self._where()
        plan = self.reading.plan
        if where is None or plan is None:
            self.base.say("Nothing was written.")
            return
        self.busy = WRITING
        self.reading.use()
        self._paint()
        # The app's worker, not the screen's: it comes to its end also where one has gone elsewhere.
        self.carnet.run_worker(self._write(plan, where), exit_on_error=True)

    async def _where(self) -> Where | None:
        """Return where to write: the project at hand, or one that is made now; None where the person left."""
        if self.has_project:
            return Where(self.desk, self.project.id, False)
        if self.carnet.has_store:
            founded = await found_project(self, self.desk, self._project_name())
            return Where(self.desk, founded[0].id, False) if founded is not None else None
        begins = await who_begins(self)
        begun = await begin_project(self, begins, self._project_name()) if begins is not None else None
        return Where(begun[0], begun[1].id, True) if begun is not None else None

    async def _write(self, plan: CapturePlan, where: Where) -> None:
        written, crossing, error = None, None, None
        newest = plan.newest[0]
        try:
            written = await self._on_thread(lambda: write(self.carnet, where.desk, where.ledger, plan), "taking in")
            if self.opens and newest:
                crossing = await self._on_thread(lambda: cross(where.desk, where.ledger), "opening a handoff")
        except CarnetError as caught:
            error = caught
        finally:
            self.busy = ""
            self.reading.done()
        self._arrive(where, newest, written, crossing, error)

    async def _on_thread(self, call: Callable[[], Result], saying: str) -> Result:
        """Do something on the store's thread; ask for the passphrase where it is needed.

        Raises:
            PassphraseNeeded: none was given. CarnetError: as the call.
        """
        app, wrong = self.carnet, False
        while True:
            app.say_working(f"{saying} {self.glyphs.ellipsis}")
            try:
                return await asyncio.get_running_loop().run_in_executor(app.store_thread, call)
            except (PassphraseNeeded, WrongPassphrase):
                app.say_working("")
                if not app.has_store or not await app.unlock(wrong=wrong):
                    raise
                wrong = True
            finally:
                app.say_working("")

    def _arrive(
        self, where: Where, newest: str, written: Written | None, crossing: Crossing | None, error: CarnetError | None
    ) -> None:
        """Go where what was taken in can be seen, unless one has gone elsewhere, and say what was written."""
        app = self.carnet
        path: RoutePath = (Route("models"),)
        if crossing is not None:
            path = (Route("models"), Route("handoff", (crossing.handoff,)))
        elif newest and not where.made:
            path = (Route("lineage", (newest,)),)
        if where.made or (still_here(self) and error is None):
            app.intent = "take_proposals" if crossing is not None else ""
        if where.made:
            app.set_desk(where.desk, path)
        else:
            app.use_project(where.ledger)
            app.refresh_facts()
            if still_here(self) and error is None:
                app.visit(path)
        if error is not None:
            app.show_error(error)
            if still_here(self):
                self._paint()
        if error is None or written is not None:
            app.say(said(written, crossing) + ("" if crossing or not self.opens else f" {NO_RUN}"))
        if written is not None:
            follow_search(app, where.ledger)


def said(written: Written | None, crossing: Crossing | None) -> str:
    """Return what was done, as one cleaned sentence."""
    parts = [clean(written.sentence) if written is not None else "nothing new: the record holds all of it already"]
    if crossing is not None and crossing.there:
        parts.append(f"a handoff of {clean(crossing.title)} goes on already")
    elif crossing is not None:
        answers = proposal_view.head_words(len(crossing.proposals), crossing.items)
        parts.append(f"a handoff of {clean(crossing.title)} is open" + (f", {answers}" if answers else ""))
    return "; ".join(parts) + "."
