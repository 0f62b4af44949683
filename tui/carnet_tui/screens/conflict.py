"""A conflict: two answers to one item given apart. One chooses which stands, or answers anew; one act settles it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from carnet_tui.answer_dialogs import names_of
from carnet_tui.handoff_desk import HandoffDesk
from carnet_tui.screen import Route
from carnet_tui.screens.subjects import SubjectScreen
from carnet_tui.text import Line, clean, plural, wrap
from carnet_tui.views import conflict_view, words
from carnet_tui.views.conflict_view import Side
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

if TYPE_CHECKING:
    from carnet_store import ItemStatus


class ConflictScreen(HandoffDesk, SubjectScreen):
    """The answers of one item, side by side."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("conflict",)
    PLACE: ClassVar[str] = "inbox"
    AUTO_FOCUS: ClassVar[str | None] = "TextView"

    def __init__(self, handoff: str, item: str) -> None:
        super().__init__(handoff)
        self.item = item
        self.at = 0
        self.sides: list[Side] = []

    @property
    def current(self) -> ItemStatus | None:
        """The item in conflict."""
        return self.look.status.item(self.item) if self.look else None

    @property
    def settled(self) -> bool:
        """Whether there is nothing to settle (any more)."""
        return len(self.sides) < 2

    def compose_content(self) -> Iterable[Widget]:
        """Yield what is asked, and the answers."""
        yield TextBlock(self._head, id="head")
        yield TextView(lambda cells: [], id="answers")

    def on_mount(self) -> None:
        """Read the answers."""
        self.refresh_data()

    def crumb(self) -> str:
        """Return project, model version and item."""
        return f"{super().crumb()} / {clean(self.item)}"

    def _head(self, cells: int) -> list[Line]:
        one = self.current
        if one is None:
            return [[(" This handoff does not ask that item.", "bad")]]
        sign, _, style = self.glyphs.state("done" if self.settled else "conflict")
        word = "settled" if self.settled else f"{plural(len(self.sides), 'answer')} given apart"
        head: list[Line] = [
            [(f" {sign} ", style), (f"{clean(one.item.id)}  ", "bold"), (clean(one.item.title), "bold")]
        ]
        if self.compact:
            return head
        more = "" if self.settled else "; the gate stays shut until one of them stands"
        head.append([(f"   {word}{more}", "dim" if self.settled else "")])
        ask = clean(" ".join(one.item.help.split())) if one.item.help else ""
        return [*head, *([[(f"   {line}", "dim")] for line in wrap(ask, max(20, cells - 4))[:2]]), []]

    def refresh_data(self) -> None:
        """Read the answers anew."""
        self.read()
        one = self.current
        self.sides = conflict_view.sides(one, names_of(self), self.me) if one is not None else []
        self.at = min(self.at, max(0, len(self.sides) - 1))
        self.query_one("#head", TextBlock).show()
        self._paint()

    def _paint(self) -> None:
        now = self.project.now()

        def build(cells: int) -> Sequence[Line]:
            if not self.sides:
                return paragraphs(["There is no answer here now."])(cells)
            if self.settled:
                note = f"Settled: one answer stands, written by {self.sides[0].who}. esc goes back."
                return [*conflict_view.lines(self.sides, -1, cells, now, self.glyphs), [], [(f" {note}", "ok")]]
            return conflict_view.lines(self.sides, self.at, cells, now, self.glyphs)

        view = self.query_one(TextView)
        view.show(build)
        marked = [
            n for n, line in enumerate(build(view.size.width or 80)) if line and line[0][0] == self.glyphs["cursor"]
        ]
        if marked and marked[-1] >= (view.size.height or self.room):  # under each other: the chosen one comes into view
            view.call_after_refresh(view.scroll_to, y=marked[0], animate=False, force=True)
        self.refresh_chrome()

    # Keys

    def _move(self, name: str) -> None:
        """Choose among the answers by left and right."""
        steps = {"left": -1, "right": 1, "first": -len(self.sides), "last": len(self.sides)}
        if name in steps and self.sides:
            self.at = max(0, min(self.at + steps[name], len(self.sides) - 1))
            self._paint()
        else:
            super()._move(name)

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "answer", "question", "comment", "timeline")

    def say_enter(self) -> str:
        """Enter settles for the chosen answer."""
        return "open item" if self.settled else "this one stands"

    def hints(self) -> list[tuple[str, str, str]]:
        """Return the keys, the arrows first."""
        return [("←→", "choose", ""), *super().hints()] if not self.settled else super().hints()

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        one = self.current
        if action_id == "open" and self.settled:
            return None if one is not None else "nothing to settle"
        if action_id in ("open", "settle", "answer"):
            if one is None:
                return "nothing to settle"
            if self.settled:
                return "it is settled"
            mine = all(side.mine for side in self.sides)
            if one.item.answers not in self.my_roles() and not mine:
                return f"a {words.role(one.item.answers)} settles it"
        if action_id in ("open", "settle", "answer", "comment", "question"):
            return self.may_write()
        return None

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied."""
        name = self.named()
        return (("code", f"{name}#{clean(self.item)}"), ("command", f"carnet settle {name} {clean(self.item)}"))

    def do_open(self) -> None:
        """Settle for the chosen answer; once it is settled, open the item."""
        if self.settled:
            self.base.enter(Route("item", (self.entity, self.item)))
        else:
            self.flow(self._settle())

    def do_settle(self) -> None:
        """Settle for the chosen answer."""
        self.flow(self._settle())

    async def _settle(self) -> None:
        found, at = list(self.sides), self.at
        lines = paragraphs(conflict_view.settling(found, at))
        after = "Both answers stay in the record. u takes the settling back until it was exported."
        if await self.preview(f"Settle {clean(self.item)}", lines, verb="settle", after=after):
            await self.write(lambda acts: acts.settle(self.entity, self.item, found[at].change))

    def do_comment(self) -> None:
        """Comment on the item."""
        self.flow(self.write_comment(self.entity, f"{self.named()} {clean(self.item)}", item=self.item))

    def do_question(self) -> None:
        """Ask about the item."""
        self.flow(self.ask_question([self.entity], f"{self.named()} {clean(self.item)}", item=self.item))

    def do_timeline(self) -> None:
        """Show what happened to the handoff."""
        self.timeline_of(self.entity)
