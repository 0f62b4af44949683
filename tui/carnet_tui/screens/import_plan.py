"""The plan of a bundle: what taking it in would do, before it does; it works where there is no store yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widget import Widget

from carnet_store import CarnetError, Desk
from carnet_store.errors import Refused
from carnet_tui import frame_text
from carnet_tui.screen import Route
from carnet_tui.screens.beginning import Beginner, unmake, who_begins
from carnet_tui.screens.exchange import Bundles
from carnet_tui.taking_in import follow_search
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import exchange_view
from carnet_tui.widgets.dialogs import Prompt
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

if TYPE_CHECKING:
    from carnet_store.exchange.plan import Plan


class ImportScreen(Bundles):
    """The plan of a bundle: everything verified, nothing written before Enter, no trace after esc.

    Where there is no store, one is made when the plan is taken in, and not before.
    """

    CONTEXTS: ClassVar[tuple[str, ...]] = ("import",)
    PLACE: ClassVar[str] = "exchange"
    AUTO_FOCUS: ClassVar[str | None] = "TextView"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)
        self.plan: Plan | None = None
        self.known = False
        self.large = False
        self.busy = ""
        self.refused: CarnetError | None = None

    def compose_content(self) -> Iterable[Widget]:
        """Yield the sums, and the plan."""
        yield TextBlock(self._head, id="head")
        yield TextView(lambda cells: [], id="plan")

    def crumb(self) -> str:
        """Return the file's name."""
        return clean(self.path.name)

    def on_mount(self) -> None:
        """Verify the bundle, off the loop."""
        self._inspect()

    def _inspect(self) -> None:
        self.busy = "verifying the bundle"
        hear = self.hear("Verifying")

        def call() -> tuple[Plan | None, bool, CarnetError | None]:
            try:
                if not self.carnet.has_store:
                    return Desk.inspect_file(self.path, consent=self.large, progress=hear), False, None
                with self.desk.clone() as desk:
                    plan = desk.inspect(self.path, consent=self.large, progress=hear)
                    return plan, plan.ledger in desk.store.project_ids(), None
            except CarnetError as error:
                return None, False, error

        def then(found: tuple[Plan | None, bool, CarnetError | None]) -> None:
            self.plan, self.known, self.refused = found
            self.busy = ""
            if self.plan is not None:
                self.base.say("Everything in it holds. Nothing is written before Enter; esc leaves no trace.")
            elif self.refused is not None:
                self.base.say("Nothing was written.")
            self._paint()

        self.work(call, then, saying="Verifying the bundle")

    def _paint(self) -> None:
        self.query_one("#head", TextBlock).show()
        self.query_one("#plan", TextView).show(self._lines)
        self.refresh_chrome()

    def _head(self, cells: int) -> list[Line]:
        if self.plan is None:
            word = self.busy or ("cannot be taken in" if self.refused else "")
            return [[(f" {clean(self.path.name)}  ", "bold"), (word, "bad" if self.refused else "dim")]]
        lines = exchange_view.plan_head(self.plan, cells, self.glyphs)
        return lines[:1] if self.compact else [*lines, frame_text.rule(cells, self.glyphs)]

    def _lines(self, cells: int) -> Sequence[Line]:
        if self.refused is not None:
            error = self.refused
            texts = [clean(error.message), *(f"- {clean(reason)}" for reason in error.reasons)]
            if error.hint:
                texts += ["", f"Next: {clean(error.hint)}"]
            return paragraphs(["", *texts, "", "Nothing was written."])(cells)
        if self.plan is None:
            return []
        return exchange_view.plan_lines(self.plan, self.known, cells, self.glyphs)

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open",)

    def say_enter(self) -> str:
        """Return what Enter does here."""
        if self._too_large:
            return "look at all of it"
        return "take it in" if self.plan is None or self.known else "compare the key, take it in"

    def hints(self) -> list[tuple[str, str, str]]:
        """Return the keys, leaving among them: it is half of the choice."""
        found = super().hints()
        return [*found[:1], ("esc", "discard, nothing written", ""), *found[1:]]

    @property
    def _too_large(self) -> bool:
        return isinstance(self.refused, Refused) and not self.large

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id in ("people", "lock", "identity") and not self.carnet.has_store:
            return "there is no store here yet"
        if action_id in ("open", "apply"):
            if self.busy:
                return self.busy
            if action_id == "open" and self._too_large:
                return None
            if self.plan is None:
                return "it is refused"
            if self.plan.nothing_new and self.known:
                return "all of it is here"
        return None

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return path, digests and the command."""
        offers = [("path", clean(str(self.path))), ("command", f"carnet import {clean(str(self.path))}")]
        if self.plan is not None:
            offers += [
                ("bundle", self.plan.bundle),
                ("ledger", self.plan.ledger),
                ("key", clean(self.plan.fingerprint)),
            ]
        return offers

    def do_open(self) -> None:
        """Take it in; agree first to look at all of a very large one."""
        if self._too_large:
            self.large, self.refused = True, None
            self._inspect()
            self._paint()
        else:
            self.do_apply()

    def do_leave(self) -> None:
        """Discard the plan, and say so where one comes to."""
        self.base.say("Nothing was written.")
        self.base.do_leave()

    def do_apply(self) -> None:
        """Take in what the plan shows."""
        if self.plan is not None:
            self.flow(self._take(self.plan))

    async def _take(self, plan: Plan) -> None:
        confirmed, begins = "", None
        if not self.carnet.has_store:
            begins = await who_begins(self)
            if begins is None:
                self.base.say("Nothing was written.")
                return
        if not self.known:
            founder = clean(plan.founder)
            more = ["", begins.sentence] if begins is not None else []
            typed = await self.ask(
                Prompt(f"Is this {founder}'s key?", glyphs=self.glyphs, verb="take it in", note="nothing written yet",
                       about=[f"{clean(plan.fingerprint)}", "",
                              f"Compare it with {founder} by another way than this file, then type the first "
                              f"{exchange_view.TYPED} characters that {founder} told you, after SHA256:.", *more],
                       check=lambda text: "" if exchange_view.fits(text, plan.fingerprint)
                       else "These are not its first characters; nothing was written.")
            )  # fmt: skip
            if typed is None:
                self.base.say("Nothing was written.")
                return
            confirmed = plan.fingerprint
        self._accept(plan, confirmed, begins)

    def _accept(self, plan: Plan, confirmed: str, begins: Beginner | None) -> None:
        made = begins.make() if begins is not None else None
        at, app = made or self.desk, self.carnet
        hear, large = self.hear("Taking in"), self.large
        self.busy = "taking it in"
        self._paint()

        def call() -> tuple[Any, CarnetError | None]:
            with at.clone() as desk:
                try:
                    given = plan if self.known else None
                    return desk.accept(self.path, plan=given, confirmed=confirmed, consent=large, progress=hear), None
                except CarnetError as error:
                    return None, error

        def then(found: tuple[Any, CarnetError | None]) -> None:
            done, error = found
            self.busy = ""
            if error is not None:
                if made is not None:
                    unmake(made)
                app.show_error(error)
                self._paint()
                return
            if made is not None:
                app.set_desk(made, (Route("inbox"),))
            app.use_project(plan.ledger)
            app.refresh_facts()
            follow_search(app, plan.ledger)
            taken = done.plan
            said = f"Took in {plural(taken.new, 'event')}, {plural(done.objects, 'file')}"
            if taken.conflict_count:
                said += f"; {plural(taken.conflict_count, 'conflict')} to settle"
            if self.is_stranger():
                app.visit((Route("inbox"), Route("people")))
                app.say(f"{said}. You are no member yet: Enter on your row asks to join.")
                return
            app.visit((Route("inbox"),))
            app.say(f"{said}. This is what needs you now.")

        self.work(call, then, saying="Taking it in")
