"""Dialogs: a choice by letter, text, a preview of what will be written, the digest, a picker, the copy menu."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from carnet_tui import actions, terminal
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, digest, fit, line_width, pad, width
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import Builder, TextBlock, TextView, paragraphs
from carnet_tui.widgets.sheet import About, Field, Finder, Sheet, matching, on_letter

TYPED = 4
"""Characters of the digest that one types to sign."""

ANSWERS = (("y", "yes", "yes"), ("n", "no", "no"), ("u", "unknown", "unknown"), ("-", "not applicable", "n-a"))
VERDICTS = (("y", "agree", "agree"), ("n", "disagree", "disagree"))


class Choice(Sheet[str]):
    """A few ways, each with its letter; one letter takes it. Arrows and Enter do too, and a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "step(-1)", show=False),
        Binding("right,down", "step(1)", show=False),
        actions.binding("open", "take"),
    ]

    def __init__(
        self,
        title: str,
        ways: Sequence[tuple[str, str, str]],
        *,
        glyphs: Glyphs,
        about: Sequence[str] = (),
        note: str = "",
        at: int = -1,
    ) -> None:
        """Take `ways` as (letter, words, value); the value of the taken one is the result.

        A way with an empty letter is taken by the arrows and Enter, or a click, alone. `at` is the way that Enter takes
        before an arrow was pressed: only where what follows is shown before it is written.
        """
        super().__init__(title, glyphs=glyphs, note=note)
        self._ways = tuple(ways)
        self._about = tuple(about)
        self._at = at  # -1: Enter takes nothing before an arrow was pressed

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what it is about, and the ways."""
        if self._about:
            yield About(paragraphs([*self._about, ""]))
        yield TextBlock(self._draw, id="ways")

    def _draw(self, cells: int) -> list[Line]:
        pieces: list[Line] = []
        for at, (letter, words, _) in enumerate(self._ways):
            bold = "chosen bold" if at == self._at else "key"
            pieces.append([(f" {letter} " if letter else " ", bold), (f"{words} ", "chosen" if at == self._at else "")])
        one: Line = [(" ", "")]
        for piece in pieces:
            one += [*piece, ("  ", "")]
        return [one] if line_width(one) <= cells else [[(" ", ""), *piece] for piece in pieces]

    def hints(self) -> Sequence[Hint]:
        """Return the arrows; the letters stand beside their words."""
        return [("←→", "choose", ""), ("⏎", "take", "" if self._at >= 0 else "choose first"), ("esc", "leave", "")]

    def on_key(self, event: events.Key) -> None:
        """Take the way of a letter."""
        letter = on_letter(event)
        for own, _, value in self._ways:
            if own and letter == own:
                event.stop()
                self.dismiss(value)
                return

    def action_step(self, step: int) -> None:
        """Go to the next way."""
        self._at = max(0, min(self._at + step, len(self._ways) - 1)) if self._at >= 0 else 0
        self.query_one("#ways", TextBlock).show(layout=False)
        self.complain("")

    def action_take(self) -> None:
        """Take the way one is on."""
        if self._at >= 0:
            self.dismiss(self._ways[self._at][2])

    def on_click(self, event: events.Click) -> None:
        """Take the way under the pointer."""
        block = self.query_one("#ways", TextBlock)
        if event.widget is not block:
            return
        lines = block.lines(block.size.width)
        if len(lines) > 1:
            if event.y < len(self._ways):
                self.dismiss(self._ways[event.y][2])
            return
        x = event.x
        for number, (text, _) in enumerate(lines[0]):
            x -= width(text)
            if x < 0:
                if number > 0 and (number - 1) % 3 < 2:
                    self.dismiss(self._ways[(number - 1) // 3][2])
                return


class Prompt(Sheet[str]):
    """A text of one line; Enter ends it. `ctrl+g` opens the person's editor. What was typed is kept when one leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+g", "edit", show=False, priority=True)]

    def __init__(
        self,
        title: str,
        *,
        glyphs: Glyphs,
        value: str = "",
        suggested: bool = False,
        about: Sequence[str] = (),
        verb: str = "go on",
        check: Callable[[str], str] = lambda text: "",
        keep: Callable[[str], None] | None = None,
        note: str = "",
    ) -> None:
        """Take `check`, which returns what is wrong with a text (or nothing), and `keep`, called with it on `esc`.

        A `suggested` value is replaced by the first letter typed.
        """
        super().__init__(title, glyphs=glyphs, note=note)
        self._value = value
        self._suggested = suggested
        self._about = tuple(about)
        self._verb = verb
        self._check = check
        self._keep = keep

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what it is about, and the field."""
        if self._about:
            yield About(paragraphs([*self._about, ""]))
        yield Field(self._value, suggested=self._suggested)

    def hints(self) -> Sequence[Hint]:
        """Return Enter and the editor."""
        return [("⏎", self._verb, ""), ("ctrl+g", "editor", ""), ("esc", self.leaving, "")]

    @property
    def leaving(self) -> str:
        """What `esc` does with what was typed."""
        return "leave" if self._keep is None else "leave, text kept"

    @property
    def text(self) -> str:
        """What is typed now."""
        return self.query_one(Input).value

    @text.setter
    def text(self, text: str) -> None:
        field = self.query_one(Input)
        field.value = " ".join(text.split())
        field.cursor_position = len(field.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """End the text."""
        event.stop()
        self.action_done()

    def action_done(self) -> None:
        """Leave with the text, unless something is wrong with it."""
        wrong = self._check(self.text)
        if wrong:
            self.complain(wrong)
        else:
            self.dismiss(self.text)

    def action_edit(self) -> None:
        """Write the text in the person's editor."""
        self.text, problem = terminal.edit(self.app, self.text)
        self.complain(problem)

    def action_leave(self) -> None:
        """Leave; the text is kept by whoever asked for it, if so."""
        if self._keep is not None:
            self._keep(self.text)
        self.dismiss(None)


class LongPrompt(Prompt):
    """A text of several lines; `ctrl+d` ends it."""

    BINDINGS: ClassVar[list[BindingType]] = [actions.binding("done", "done", priority=True)]

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what it is about, and the field."""
        from textual.widgets import TextArea  # heavy: only when somebody writes a long text

        if self._about:
            yield About(paragraphs([*self._about, ""]))
        field = TextArea(self._value, tab_behavior="focus", highlight_cursor_line=False)
        field.cursor_blink = False
        yield field

    def hints(self) -> Sequence[Hint]:
        """Return the keys that end the text."""
        return [("ctrl+d", self._verb, ""), ("ctrl+g", "editor", ""), ("esc", self.leaving, "")]

    @property
    def text(self) -> str:
        """What is typed now."""
        from textual.widgets import TextArea

        return self.query_one(TextArea).text

    @text.setter
    def text(self, text: str) -> None:
        from textual.widgets import TextArea

        self.query_one(TextArea).text = text


class Reason(LongPrompt):
    """A confirmation that needs a reason: nothing happens without one."""

    def __init__(self, title: str, *, glyphs: Glyphs, about: Sequence[str], verb: str, note: str = "") -> None:
        super().__init__(
            title,
            glyphs=glyphs,
            about=[*about, "", "Why? The reason is written into the record."],
            verb=verb,
            check=lambda text: "" if text.strip() else "It needs a reason: a sentence is enough.",
            note=note,
        )


class Preview(Sheet[bool]):
    """What exactly will be written; Enter writes it."""

    BINDINGS: ClassVar[list[BindingType]] = [actions.binding("open", "write", priority=True)]

    def __init__(self, title: str, build: Builder, *, glyphs: Glyphs, verb: str = "write", after: str = "") -> None:
        """Take `after`, a sentence on how it can be taken back."""
        super().__init__(title, glyphs=glyphs, note="nothing written yet")
        self._build = build
        self._verb = verb
        self._after = after

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the record."""
        yield TextView(self._build)
        if self._after:
            yield TextBlock(paragraphs(["", self._after], "dim"))

    def hints(self) -> Sequence[Hint]:
        """Return Enter, and how to read what has no room."""
        views = self.query(TextView)
        more = any(view.virtual_size.height > view.size.height > 0 for view in views)
        return [
            ("⏎", self._verb, ""),
            *([("↑↓", "read on", "")] if more else []),
            ("esc", "leave, nothing written", ""),
        ]

    def on_mount(self) -> None:
        """Say how to read on, once it is known whether there is more than room."""
        self.call_after_refresh(self.complain, "")

    def action_write(self) -> None:
        """Write it."""
        self.dismiss(True)


class DigestDialog(Sheet[bool]):
    """What is signed, and the act: one types the first four characters of its digest. Nothing is preset."""

    def __init__(
        self, title: str, build: Builder, package: str, *, glyphs: Glyphs, verb: str = "sign", key_name: str = ""
    ) -> None:
        """Take the digest as `package`, and the name of the key that would sign as `key_name`."""
        super().__init__(title, glyphs=glyphs, note=key_name)
        self._build = build
        self._package = digest(package)
        self._verb = verb

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what is signed, the digest, the field."""
        yield TextView(self._build)
        yield TextBlock(self._ask)
        yield Field(max_length=TYPED)

    def _ask(self, cells: int) -> list[Line]:
        start, _, rest = self._package.partition(" ")
        shown: Line = [(" digest  ", "dim"), (start, "accent"), (f" {rest}", "")]
        return [[], shown, [(f" Type its first four characters to {self._verb}:", "")]]

    def hints(self) -> Sequence[Hint]:
        """Return Enter."""
        return [("⏎", self._verb, ""), ("↑↓", "read", ""), ("esc", "leave, nothing written", "")]

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_key(self, event: events.Key) -> None:
        """Scroll what is signed while the field has the focus."""
        verbs = {"up": "up", "down": "down", "pageup": "page_up", "pagedown": "page_down"}
        if event.key in verbs:
            event.stop()
            self.query_one(TextView).action_move(verbs[event.key])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Sign, if what was typed is what is shown."""
        event.stop()
        if event.value.strip().casefold() == self._package.replace(" ", "")[:TYPED].casefold():
            self.dismiss(True)
        else:
            self.complain(f"These are not the first four characters of {self._package}; nothing was written.")
            event.input.value = ""


class MessageBox(Sheet[None]):
    """A text to read; Enter or esc leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "leave", show=False, priority=True)]

    def __init__(self, title: str, texts: Sequence[str], *, glyphs: Glyphs, note: str = "") -> None:
        super().__init__(title, glyphs=glyphs, note=note)
        self._texts = tuple(texts)

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the text."""
        yield TextView(paragraphs(self._texts))

    def hints(self) -> Sequence[Hint]:
        """Return how to leave."""
        return [("↑↓", "scroll", ""), ("⏎", "close", ""), ("esc", "close", "")]


class Picker(Finder[tuple[str, str, str], tuple[str, str, str]]):
    """One of several things, each (key, name, note), newest first as given; filtered while one types."""

    def __init__(
        self, title: str, things: Sequence[tuple[str, str, str]], *, glyphs: Glyphs, verb: str = "take", note: str = ""
    ) -> None:
        def key(row: tuple[str, str, str]) -> str:
            return row[0]

        def line(row: tuple[str, str, str], cells: int) -> Line:
            right = f"  {row[2]} " if row[2] else ""
            room = max(8, cells - width(right))
            return [(pad(row[1], room, "<", glyphs.ellipsis), ""), (fit(right, cells - room), "dim")]

        source = matching(things, key, lambda row: " ".join(row))
        super().__init__(title, source, line, key, glyphs=glyphs, verb=verb, note=note)


class CopyMenu(Sheet[str]):
    """What can be copied of a thing: code, digest, line, command. The result is a sentence on what was copied."""

    def __init__(self, offers: Sequence[tuple[str, str]], *, glyphs: Glyphs) -> None:
        super().__init__("Copy", glyphs=glyphs)
        self._offers = list(offers)

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the offers."""

        def line(offer: tuple[str, str], cells: int) -> Line:
            return [(pad(offer[0], 10, "<", self.glyphs.ellipsis) + " ", "bold"), (pad(offer[1], cells - 11), "")]

        menu: LineList[tuple[str, str]] = LineList(
            Rows(self._offers, lambda offer: offer[0]), line, lambda offer: offer[0], glyphs=self.glyphs
        )
        menu.styles.height = len(self._offers)
        menu.styles.min_height = 1
        yield menu

    def hints(self) -> Sequence[Hint]:
        """Return Enter and the arrows."""
        return [("⏎", "copy", ""), ("↑↓", "choose", ""), ("esc", "leave", "")]

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Copy."""
        event.stop()
        name, text = event.row
        self.dismiss(f"Copied the {name} by {terminal.copy(self.app, text)}.")
