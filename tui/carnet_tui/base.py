"""The shared app: history, status, errors, help and palette, and a terminal given back whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.filter import LineFilter
from textual.screen import Screen
from textual.types import CSSPathType

from carnet_store.errors import CarnetError
from carnet_tui import actions, theme
from carnet_tui.actions import Keymap
from carnet_tui.first_frame import FirstFrame
from carnet_tui.glyphs import Glyphs
from carnet_tui.next_steps import on_screen
from carnet_tui.screen import CarnetScreen, Path, Route
from carnet_tui.terminal import driver_class
from carnet_tui.text import clean
from carnet_tui.widgets.chrome import Bottom

if TYPE_CHECKING:
    from carnet_tui.widgets.palette import Sought


class Facts:
    """What the furniture shows that is the same on every screen. All texts are cleaned."""

    def __init__(self) -> None:
        self.crumb = ""
        self.who = ""
        self.trust = ""
        self.status = ""
        self.working = ""
        """What goes on at the moment; stands in place of the status until it is done."""
        self.demo = ""
        self.steps: Sequence[tuple[str, str]] = ()


@dataclass(slots=True)
class Visit:
    """Where one was: the path, and what each of its screens held when one went on (None: nothing but the path)."""

    path: Path
    held: tuple[object, ...] = ()


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
        self._history: list[Visit] = [Visit(start)]
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
        """Go somewhere; `[` comes back from there. Where one is already, what is shown is read anew: a bundle may have come."""
        if path == self.path:
            if self.here is not None:
                self.here.refresh_data()
            return
        self._hold()
        self._add(path)
        self._go(path)

    def step(self) -> None:
        """Begin a new visit of the screen one is on, before it shows something else: `[` comes back to what it shows now."""
        self._hold()
        self._add(self.path)

    def _hold(self) -> None:
        """Keep what the screens one goes on from hold."""
        screens = [one for one in self.screen_stack if isinstance(one, CarnetScreen)]
        self._history[self._history_at].held = tuple(one.hold() for one in screens)

    def _add(self, path: Path) -> None:
        del self._history[self._history_at + 1 :]
        self._history.append(Visit(path))
        self._history_at += 1

    def enter(self, route: Route) -> None:
        """Open a subject from where one is."""
        self.visit((*self.path, route))

    def _go(self, path: Path, held: Sequence[object] = ()) -> None:
        """Show the screens of a path; those that one was at hold what they held."""
        same = 0
        while same < min(len(path), len(self.path)) and path[same] == self.path[same]:
            same += 1
        while len(self.screen_stack) > max(same, 1):
            self.pop_screen()
        self.path = path
        screens = [one for one in self.screen_stack if isinstance(one, CarnetScreen)][:same]
        screens += [self.route(route) for route in path[same:]]
        for screen, was in zip(screens, held, strict=False):
            if was is not None:
                screen.take(was)
        if same == 0:
            self.switch_screen(screens[0])
        for screen in screens[max(same, 1) :]:
            self.push_screen(screen)
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
            self._hold()
            self._history_at = at
            self._go(self._history[at].path, self._history[at].held)
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
        self.facts.status, self.facts.working = sentence, ""
        here = self.here
        if here is not None and here.is_mounted:
            for foot in here.query(Bottom):
                foot.fresh = True
            here.refresh_chrome()

    def say_working(self, sentence: str) -> None:
        """Say what goes on, in place of the last result; with an empty text the last result stands again."""
        self.facts.working = sentence
        here = self.here
        if here is not None and here.is_mounted:
            here.refresh_chrome()

    def say_from_thread(self, sentence: str) -> None:
        """Say how far work on another thread has come: what, how many, how long still."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.say_working, sentence)

    def show_error(self, error: CarnetError) -> None:
        """Show what happened and what to do next."""
        from carnet_tui.widgets.dialogs import MessageBox

        texts = [clean(error.message), *(f"  - {clean(reason)}" for reason in error.reasons)]
        if error.hint:
            texts += ["", f"Next: {clean(on_screen(error.hint))}"]
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

    @property
    def can_search(self) -> bool:
        """Whether there is something to look through; a subclass knows."""
        return False

    def search(self, text: str) -> None:
        """Look for a text in all that is recorded; a subclass knows where."""

    def _do_later(self, choice: str | Path | Sought | None) -> None:
        here = self.here
        if isinstance(choice, tuple):
            self.visit(choice)
        elif choice is not None and not isinstance(choice, str):
            self.search(choice.text)
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
