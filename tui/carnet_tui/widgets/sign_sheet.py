"""The sheet of signing: what is signed to read, a decision to choose, a reason, and the digest to type. Nothing is preset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from carnet_tui import frame_text
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, digest
from carnet_tui.widgets.dialogs import TYPED
from carnet_tui.widgets.lines import Builder, TextBlock, TextView
from carnet_tui.widgets.sheet import Field, Sheet

DECISIONS = (("approve", "approve"), ("approve-with-conditions", "approve with conditions"), ("refuse", "refuse"))
"""Decision as recorded, and its words. None is preset."""


class Decision(TextBlock, can_focus=True):
    """One of the decisions, chosen by the arrows; Enter goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", show=False),
        Binding("right,space", "step(1)", show=False),
    ]

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(self._draw)
        self._glyphs = glyphs
        self.at = -1

    @property
    def value(self) -> str:
        """The decision, empty while none was chosen."""
        return DECISIONS[self.at][0] if self.at >= 0 else ""

    def _draw(self, cells: int) -> list[Line]:
        mark = self._glyphs["cursor"] if self.has_focus else " "
        line: Line = [(mark, "cursor"), ("decision ", "dim")]
        if cells < 66:  # one at a time, the arrows show the others
            said = DECISIONS[self.at][1] if self.at >= 0 else "left and right choose"
            return [
                [
                    *line,
                    (
                        f"{self._glyphs['left arrow']} {said} {self._glyphs['right arrow']}",
                        "bold" if self.at >= 0 else "dim",
                    ),
                ]
            ]
        for number, (_, said) in enumerate(DECISIONS):
            chosen = number == self.at
            line.append((f"({'x' if chosen else ' '}) ", "key" if chosen else "dim"))
            line.append((f"{said}   ", ("chosen" if self.has_focus else "bold") if chosen else ""))
        return [line]

    def action_step(self, step: int) -> None:
        """Choose the next one."""
        self.at = max(0, min(self.at + step, len(DECISIONS) - 1)) if self.at >= 0 else 0
        self.show(layout=False)

    def on_focus(self) -> None:
        """Show that arrows choose here; the toolkit notes the focus only after this."""
        self.call_later(self.show, layout=False)

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.call_later(self.show, layout=False)

    def on_click(self, event: events.Click) -> None:
        """Choose what is under the pointer."""
        x = 10
        for number, (_, said) in enumerate(DECISIONS):
            x += len(said) + 7
            if event.x < x:
                self.at = number
                self.focus()
                self.show(layout=False)
                return


class SignSheet(Sheet[tuple[str, str]]):
    """The dialog; its result is (decision, reason). Nothing is preset; the digest's first characters are typed."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "read('up')", show=False),
        Binding("down", "read('down')", show=False),
        Binding("pageup", "read('page_up')", show=False),
        Binding("pagedown", "read('page_down')", show=False),
    ]

    def __init__(self, title: str, build: Builder, package: str, *, glyphs: Glyphs, who: str) -> None:
        super().__init__(title, glyphs=glyphs, note=who)
        self._build = build
        self._package = digest(package)

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what is signed, decision, reason, digest."""
        yield TextView(self._build)
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)])
        yield Decision(self.glyphs)
        yield TextBlock(self._reason)
        yield Field(placeholder="why, in a sentence")
        yield TextBlock(self._ask)
        yield Field(placeholder="_" * TYPED, max_length=TYPED)

    def _reason(self, cells: int) -> list[Line]:
        if frame_text.compact(*self.app.size):
            return []  # the field says it by itself
        return [[(" reason, for the record (a refusal or conditions need one)", "dim")]]

    def _ask(self, cells: int) -> list[Line]:
        start, _, rest = self._package.partition(" ")
        return [
            [
                (" digest  ", "dim"),
                (start, "accent"),
                (f" {rest}", ""),
                ("   type its first four characters to sign", "dim"),
            ]
        ]

    def hints(self) -> Sequence[Hint]:
        """Return the keys."""
        return [
            ("tab", "next field", ""),
            ("←→", "decision", ""),
            ("↑↓", "read", ""),
            ("⏎", "sign", ""),
            ("esc", "leave, nothing written", ""),
        ]

    def on_mount(self) -> None:
        """Begin at the decision."""
        self.query_one(TextView).can_focus = False
        self.query_one(Decision).focus()

    def on_key(self, event: events.Key) -> None:
        """Enter on the decision goes on to the reason."""
        if event.key == "enter" and isinstance(self.focused, Decision):
            event.stop()
            self.query(Input).first().focus()

    def action_read(self, name: str) -> None:
        """Scroll what is signed."""
        self.query_one(TextView).action_move(name)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """From the reason to the digest; from the digest: sign, if all is there."""
        event.stop()
        reason, typed = self.query(Input)
        if event.input is reason:
            typed.focus()
            return
        decision = self.query_one(Decision)
        if not decision.value:
            self.complain("Choose a decision first: left and right.")
            decision.focus()
        elif decision.value != "approve" and not reason.value.strip():
            self.complain("That decision needs a reason.")
            reason.focus()
        elif typed.value.strip().casefold() != self._package.replace(" ", "")[:TYPED].casefold():
            self.complain(f"That is not {self._package[:TYPED]}; nothing was written.")
            typed.value = ""
        else:
            self.dismiss((decision.value, reason.value.strip()))
