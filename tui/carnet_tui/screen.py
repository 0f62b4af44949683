"""A screen within the furniture: its keys out of the table, what is available and why not, its work off the loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widget import Widget

from carnet_store.errors import CarnetError
from carnet_tui import actions, frame_text
from carnet_tui.actions import Action
from carnet_tui.frame_text import Chrome, Hint
from carnet_tui.widgets.chrome import Bottom, Pressed, Top
from carnet_tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from carnet_tui.base import CarnetBase

Result = TypeVar("Result")
QUIET = frozenset(("leave", "back", "forward", "next_pane", "previous_pane", "copy", "undo"))
"""Actions that work everywhere and would only crowd the footer; help lists them."""
WORD_AFTER = 0.3
"""Seconds before work says what it is doing."""


@dataclass(frozen=True, slots=True)
class Route:
    """A screen by name, and what it is about: `Route("inbox")`, `Route("handoff", ("churn-v7",))`."""

    name: str
    about: tuple[str, ...] = ()


Path = tuple[Route, ...]
"""A place, and the subjects opened from it, outermost first."""


def still_here(screen: Screen[Any]) -> bool:
    """Whether a screen stands and is not being taken away.

    What was asked for it may be answered while its parts are already going, one by one: then nobody is there to hear.
    """
    return screen.is_attached and screen.display


class CarnetScreen(Screen[None]):
    """A screen within the furniture.

    A subclass names its `CONTEXTS` (whose actions of the table it offers) and its `PLACE`, yields its content from
    `compose_content`, and has a method `do_<action id>` for each verb it implements; only those are listed.
    `available` tells why a verb cannot be done now.
    """

    CONTEXTS: ClassVar[tuple[str, ...]] = ()
    PLACE: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        actions.binding(action.id, f"act('{action.id}')") for action in actions.ACTIONS if action.keys
    ]

    @property
    def base(self) -> CarnetBase:
        """The app, as what it is."""
        return cast("CarnetBase", self.app)

    # What a screen says about itself

    def crumb(self) -> str:
        """Return where one is, for the header: `acme-risk / churn-v7`. Cleaned text."""
        return self.base.facts.crumb

    def compose_content(self) -> Iterable[Widget]:
        """Yield the widgets between the rules."""
        return ()

    def available(self, action_id: str) -> str | None:
        """Return None when the action works now, else the reason why not, a few words: `2 conflicts, x settles`."""
        return None

    def first_hints(self) -> Sequence[str]:
        """Return the action ids to put first in the footer; the rest follow in the order of the table."""
        return ()

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what `y` offers for the thing under the cursor: (name, text) for code, digest, line, command."""
        return ()

    def refresh_data(self) -> None:
        """Read anew what is shown; called when the screen comes to the front again and after something was written."""

    def hold(self) -> object | None:
        """Return what it takes to show the same again when one comes back by `[` or `]`; None where the route says it all."""
        return None

    def take(self, held: object) -> None:
        """Show again what `hold` returned, now or when the screen is mounted; it is read after that."""

    # What follows from the table

    def handler(self, action_id: str) -> Callable[[], Any] | None:
        """Return the method that does an action here, or None when this screen does not offer it."""
        for owner in (self, self.base):
            method: Callable[[], Any] | None = getattr(owner, f"do_{action_id}", None)
            if method is not None:
                return method
        return None

    def actions_here(self) -> list[Action]:
        """Return the actions that this screen offers, in the order of the table."""
        return [action for action in actions.offered(self.CONTEXTS) if self.handler(action.id) is not None]

    def hints(self) -> list[Hint]:
        """Return the footer: the most useful keys first, help last."""
        rank = {name: at for at, name in enumerate(self.first_hints())}
        shown = [a for a in self.actions_here() if self.base.keymap.of(a.id) and a.group in ("act", "look", "go")]
        shown = [
            a for a in shown if a.id not in ("leave", "back", "forward", "next_pane", "previous_pane", "copy", "undo")
        ]
        shown.sort(key=lambda action: rank.get(action.id, len(rank)))
        last = [actions.BY_ID["palette"], actions.BY_ID["help"]]
        return [self._hint(action) for action in [*shown, *last]]

    def _hint(self, action: Action) -> Hint:
        key = actions.shown_key(self.base.keymap.first(action.id))
        return key, action.verb, self.available(action.id) or ""

    def chrome(self) -> Chrome:
        """Return what the furniture says around this screen."""
        facts = self.base.facts
        return Chrome(
            crumb=self.crumb(),
            who=facts.who,
            trust=facts.trust,
            place=self.base.path[0].name if self.base.path else self.PLACE,
            status=facts.working or facts.status,
            working=bool(facts.working),
            demo=facts.demo,
            steps=facts.steps,
        )

    def compose(self) -> ComposeResult:
        """Yield the furniture with the content in it."""
        glyphs = self.base.glyphs
        yield Top(self.chrome, glyphs)
        yield from self.compose_content()
        yield Bottom(self.chrome, self.hints, glyphs)

    def refresh_chrome(self) -> None:
        """Paint the furniture anew: after the cursor moved to another subject, or a status was said."""
        for block in self.query(Top):
            block.show(layout=False)
        for foot in self.query(Bottom):
            foot.show(layout=False)

    async def action_act(self, action_id: str) -> None:
        """Do an action of the table, or say why it cannot be done."""
        action = actions.BY_ID[action_id]
        if action.group == "move":
            self._move(action_id)
            return
        if action.group == "place":
            self.base.visit((Route(action_id.removeprefix("place_")),))
            return
        handler = self.handler(action_id)
        if handler is None:
            self.base.say(f"{action.verb} has nothing to do here; ? shows what has.")
            return
        reason = self.available(action_id)
        if reason is not None:
            self.base.say(f"Cannot {action.verb} now: {reason}.")
            return
        outcome = handler()
        if inspect.isawaitable(outcome):
            await outcome

    def _move(self, name: str) -> None:
        """Give a moving key that nobody took to the list of this screen."""
        for target in self.query(LineList):
            if target.display and not target.has_focus:
                target.focus()
                if name not in ("left", "right"):
                    target.action_move(name)
                return

    def work(self, call: Callable[[], Result], then: Callable[[Result], None], *, saying: str = "") -> None:
        """Run `call` on the store's thread, then `then` with its result on the loop.

        After 0.3 seconds the status line says `saying`. A `CarnetError` is shown to the person; nothing else is caught.
        """

        async def run() -> None:
            try:
                result = await self.aside(call, saying=saying)
            except CarnetError as error:
                self.base.show_error(error)
                return
            if still_here(self):
                then(result)

        self.run_worker(run(), exit_on_error=True)

    async def aside(self, call: Callable[[], Result], *, saying: str = "") -> Result:
        """Run `call` on the store's thread and return its result; after 0.3 seconds the status line says `saying`."""
        timer = (
            self.set_timer(WORD_AFTER, lambda: self.base.say_working(f"{saying} {self.base.glyphs.ellipsis}"))
            if saying
            else None
        )
        try:
            return await asyncio.get_running_loop().run_in_executor(self.base.store_thread, call)
        finally:
            if timer is not None:
                timer.stop()
            if self.base.facts.working:
                self.base.say_working("")

    def on_pressed(self, message: Pressed) -> None:
        """Do what was clicked in the furniture."""
        message.stop()
        if message.place:
            self.base.visit((Route(message.place),))
        elif message.hint is not None:
            hint = message.hint
            for action in [*self.actions_here(), actions.BY_ID["palette"], actions.BY_ID["help"]]:
                if action.verb == hint[1] and actions.shown_key(self.base.keymap.first(action.id)) == hint[0]:
                    self.call_later(self.action_act, action.id)
                    return

    def on_key(self, event: events.Key) -> None:
        """Bring the keys back in place of the last result, on a small terminal."""
        for foot in self.query(Bottom):
            if foot.fresh:
                foot.fresh = False
                foot.show(layout=False)

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the keys of the row the cursor came to: what can be done with it may differ."""
        for foot in self.query(Bottom):
            foot.show(layout=False)

    def on_screen_resume(self) -> None:
        """Show what is true now."""
        self.refresh_chrome()

    def on_resize(self, event: events.Resize) -> None:
        """Set the classes that the style sheet knows: `-compact`, and `-w80`, `-w120`, `-w160` by width."""
        self.set_class(frame_text.compact(*event.size), "-compact")
        for cells in (80, 120, 160):
            self.set_class(event.size.width >= cells, f"-w{cells}")
        self.refresh_chrome()
