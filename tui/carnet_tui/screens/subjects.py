"""Which screen shows what: an entity's route, and what Enter says where `open` is not the word."""

from __future__ import annotations

from typing import ClassVar

from carnet_store.errors import NotFound
from carnet_tui import frame_text
from carnet_tui.actions import Action
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.widgets.chrome import Bottom, Pressed
from carnet_tui.widgets.line_list import LineList

SCREENS = {
    "handoff": "handoff", "decision": "decision", "question": "question", "person": "people", "ledger": "people",
    "invitation": "people",
}  # fmt: skip
"""Kind of entity -> the screen that shows one; every other kind is a node of the lineage."""


def route_of(entity: str, item: str = "") -> Route:
    """Return the screen of a subject, of an item of a handoff where one is named."""
    name = SCREENS.get(entity.partition(":")[0], "lineage")
    if name == "handoff" and item:
        return Route("item", (entity, item))
    return Route(name, () if name == "people" else (entity,))


class SubjectScreen(DeskScreen):
    """A screen whose Enter may have another word, and that knows whether something can be written."""

    ENTER: ClassVar[str] = ""

    def say_enter(self) -> str:
        """Return what Enter does on the row the cursor stands on, empty where `open` says it."""
        return self.ENTER

    def _hint(self, action: Action) -> Hint:
        key, verb, reason = super()._hint(action)
        return key, (self.say_enter() or verb) if action.id == "open" else verb, reason

    def on_pressed(self, message: Pressed) -> None:
        """Do what was clicked; Enter's word may be this screen's own."""
        if message.hint is not None and message.hint[1] == self.say_enter() != "":
            message.stop()
            self.call_later(self.action_act, "open")
        else:
            super().on_pressed(message)

    @property
    def has_project(self) -> bool:
        """Whether there is a project to look at."""
        try:
            return self.project is not None
        except NotFound:
            return False

    def may_write(self) -> str | None:
        """Return why nothing can be written now, or None."""
        if not self.has_project:
            return "no project yet"
        return None if self.me else "choose who you are, @"

    @property
    def room(self) -> int:
        """How many lines the content has."""
        return frame_text.content_lines(*self.app.size)

    @property
    def compact(self) -> bool:
        """Whether the terminal is so small that there is one list and three keys."""
        return frame_text.compact(*self.app.size)

    def go(self, entity: str, item: str = "") -> None:
        """Open a subject from here: a dataset in the catalogue, a notebook by its cells."""
        from carnet_tui.screens import opening

        self.base.enter(route_of(entity, item) if item else opening.route(self.project, entity))

    def graph_of(self, entity: str) -> None:
        """Show a node in the lineage."""
        self.base.enter(Route("lineage", (entity,)))

    def timeline_of(self, entity: str) -> None:
        """Show what happened to a subject."""
        self.base.enter(Route("timeline", (entity,)))


class ListScreen(SubjectScreen):
    """A list whose chosen row stands in full below it."""

    def _show_chosen(self) -> None:
        """Show the row the cursor stands on."""

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the row the cursor came to, and what can be done with it."""
        event.stop()
        self._show_chosen()
        for foot in self.query(Bottom):
            foot.show(layout=False)
