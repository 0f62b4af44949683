"""The shared app and screen: furniture, keys of the table, history, work off the loop, a terminal given back."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import pathlib
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.types import CSSPathType
from textual.widget import Widget

from carnet_store.errors import CarnetError
from carnet_tui import actions, frame_text, theme
from carnet_tui.actions import Action, Keymap
from carnet_tui.first_frame import FirstFrame
from carnet_tui.frame_text import Chrome, Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.terminal import driver_class
from carnet_tui.widgets.chrome import Bottom, Pressed, Top
from carnet_tui.widgets.line_list import LineList

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
        return cast(CarnetBase, self.app)

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
            status=facts.status,
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
            timer = (
                self.set_timer(WORD_AFTER, lambda: self.base.say(f"{saying} {self.base.glyphs.ellipsis}"))
                if saying
                else None
            )
            try:
                result = await asyncio.get_running_loop().run_in_executor(self.base.store_thread, call)
            except CarnetError as error:
                self.base.show_error(error)
                return
            finally:
                if timer is not None:
                    timer.stop()
            if self.is_attached:
                then(result)

        self.run_worker(run(), exit_on_error=True)

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


class Facts:
    """What the furniture shows that is the same on every screen. All texts are cleaned."""

    def __init__(self) -> None:
        self.crumb = ""
        self.who = ""
        self.trust = ""
        self.status = ""
        self.demo = ""
        self.steps: Sequence[tuple[str, str]] = ()


class CarnetBase(App[int], inherit_bindings=False):
    """What every app of the kit does: filters, history, status, and a terminal given back whole.

    A subclass has `route(route)` which makes the screen of a route, and calls `visit` to go anywhere.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = pathlib.Path(__file__).with_name("carnet.tcss")
    ENABLE_COMMAND_PALETTE = False
    TITLE = "Carnet"

    def __init__(
        self,
        *,
        glyphs: Glyphs,
        start: Path,
        keys: Mapping[str, object] | None = None,
        theme_name: str = "",
        frame: FirstFrame | None = None,
    ) -> None:
        self.colour = "NO_COLOR" not in os.environ
        terminal = not self.colour or not theme_name
        super().__init__(driver_class=driver_class(frame), ansi_color=True if terminal else None)
        self.theme = theme.TERMINAL_THEME if terminal else theme_name
        self.animation_level = "none"
        self.glyphs = glyphs
        self.facts = Facts()
        self.keymap: Keymap = actions.keymap(keys)
        self.path: Path = start[:1]
        self.store_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="carnet-store")
        self._start = start
        self._frame = frame
        self._history: list[Path] = [start]
        self._history_at = 0
        changed = {
            name: ",".join(actions.toolkit_key(key) for key in own)
            for name, own in self.keymap.keys.items()
            if own != actions.BY_ID[name].keys
        }
        if changed:
            self.set_keymap(changed)

    # The terminal

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the toolkit's filters and ours; the last one takes out every foreign control character."""
        return theme.filters(super().get_line_filters(), colour=self.colour)

    def on_load(self) -> None:
        """Take over the signals: a killed app still gives the terminal back."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and not self.is_headless:
                with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
                    loop.add_signal_handler(number, self.exit, 128 + number)

    def on_unmount(self) -> None:
        """Let the store's thread go."""
        self.store_thread.shutdown(wait=False, cancel_futures=True)

    def run_guarded(self, *, mouse: bool = True) -> int:
        """Run to the end; return the exit code. The terminal is as it was before, however the app ended.

        Without `mouse` the terminal keeps its own selection by dragging.
        """
        try:
            code = self.run(mouse=mouse)
        finally:
            if self._frame is not None:
                self._frame.close(leave_screen=not self._frame.handed_over)
        return self.return_code or code or 0

    def _handle_exception(self, error: Exception) -> None:
        """Give a first frame's screen back before the toolkit reports a bug that came before the live screen."""
        if self._frame is not None and not self._frame.handed_over:
            self._frame.close()
        super()._handle_exception(error)

    # Where one is

    def route(self, route: Route) -> CarnetScreen:
        """Return a new screen for a route; a subclass knows its screens."""
        raise NotImplementedError

    def get_default_screen(self) -> Screen[Any]:
        """Return the first place, so that nothing blank is painted before it."""
        first = self.route(self._start[0])
        # The toolkit expects a callback on every screen it switches away from, but gives its first screen none.
        first._push_result_callback(self, None)
        return first

    def on_mount(self) -> None:
        """Open the subject one starts at."""
        if len(self._start) > 1:
            self._go(self._start)

    @property
    def here(self) -> CarnetScreen | None:
        """The topmost screen within the furniture, under any dialog."""
        return next((one for one in reversed(self.screen_stack) if isinstance(one, CarnetScreen)), None)

    def visit(self, path: Path) -> None:
        """Go somewhere; `[` comes back from there."""
        if path == self.path:
            return
        del self._history[self._history_at + 1 :]
        self._history.append(path)
        self._history_at += 1
        self._go(path)

    def enter(self, route: Route) -> None:
        """Open a subject from where one is."""
        self.visit((*self.path, route))

    def _go(self, path: Path) -> None:
        same = 0
        while same < min(len(path), len(self.path)) and path[same] == self.path[same]:
            same += 1
        while len(self.screen_stack) > max(same, 1):
            self.pop_screen()
        self.path = path
        if same == 0:
            self.switch_screen(self.route(path[0]))
            same = 1
        for route in path[same:]:
            self.push_screen(self.route(route))
        shown = self.here
        if shown is not None and shown.is_mounted:
            shown.refresh_data()
            shown.refresh_chrome()

    def do_leave(self) -> None:
        """Go out of a subject; at the top, quit, asking if drafts exist."""
        if len(self.path) > 1:
            self.visit(self.path[:-1])
        elif self.drafts():
            from carnet_tui.widgets.dialogs import Choice

            kept = "Your drafts stay on this machine and wait for you."
            self.push_screen(
                Choice(
                    "Quit?",
                    [("y", "quit", "yes"), ("n", "stay", "no")],
                    about=[self.drafts(), kept],
                    glyphs=self.glyphs,
                ),
                lambda answer: self.exit(0) if answer == "yes" else None,
            )
        else:
            self.exit(0)

    def drafts(self) -> str:
        """Return a sentence on drafts that are not written yet (`3 drafts are not submitted.`), or an empty text."""
        return ""

    def do_quit(self) -> None:
        """Quit at once; drafts are on disk."""
        self.exit(0)

    def action_help_quit(self) -> None:
        """Quit: `ctrl+c` means it, wherever the focus is."""
        self.exit(0)

    def do_back(self) -> None:
        """Walk back through where one was."""
        self._walk(-1)

    def do_forward(self) -> None:
        """Walk forward again."""
        self._walk(1)

    def _walk(self, step: int) -> None:
        at = self._history_at + step
        if 0 <= at < len(self._history):
            self._history_at = at
            self._go(self._history[at])
        else:
            self.say("There is nothing further back." if step < 0 else "There is nothing further on.")

    def do_next_pane(self) -> None:
        """Move the focus on."""
        self.screen.focus_next()

    def do_previous_pane(self) -> None:
        """Move the focus back."""
        self.screen.focus_previous()

    # What is said

    def say(self, sentence: str) -> None:
        """Put a result into the status line; `sentence` is cleaned text."""
        self.facts.status = sentence
        here = self.here
        if here is not None and here.is_mounted:
            for foot in here.query(Bottom):
                foot.fresh = True
            here.refresh_chrome()

    def say_from_thread(self, sentence: str) -> None:
        """Say how far work on another thread has come: what, how many, how long still."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.say, sentence)

    def show_error(self, error: CarnetError) -> None:
        """Show what happened and what to do next."""
        from carnet_tui.text import clean
        from carnet_tui.widgets.dialogs import MessageBox

        texts = [clean(error.message), *(f"  - {clean(reason)}" for reason in error.reasons)]
        if error.hint:
            texts += ["", f"Next: {clean(error.hint)}"]
        self.say(clean(error.message))
        self.push_screen(MessageBox("That did not work", texts, glyphs=self.glyphs))

    def do_help(self) -> None:
        """Show the keys that work here."""
        from carnet_tui.widgets.help import Help

        if self.here is not None:
            self.push_screen(Help(self.here), self._do_later)

    def do_palette(self) -> None:
        """Do anything by name."""
        from carnet_tui.widgets.palette import Palette

        if self.here is not None:
            self.push_screen(Palette(self.here), self._do_later)

    def codes(self, typed: str) -> Sequence[tuple[str, str, Path]]:
        """Return (code, title, path) of subjects whose code or name starts with `typed`; a subclass asks the store."""
        return ()

    def _do_later(self, choice: str | Path | None) -> None:
        here = self.here
        if isinstance(choice, tuple):
            self.visit(choice)
        elif choice and here is not None:
            here.call_later(here.action_act, choice)

    def do_copy(self) -> None:
        """Offer what can be copied of the thing under the cursor."""
        here = self.here
        if here is None:
            return
        offers = here.copies()
        if not offers:
            self.say("There is nothing to copy here.")
            return
        from carnet_tui.widgets.dialogs import CopyMenu

        self.push_screen(CopyMenu(offers, glyphs=self.glyphs), lambda said: self.say(said) if said else None)
