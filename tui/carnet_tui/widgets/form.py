"""A sheet of a few named fields, what must be filled marked; what was typed is kept when one leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from carnet_tui import actions, terminal
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, fit_line, pad, width
from carnet_tui.widgets.lines import TextBlock, paragraphs
from carnet_tui.widgets.sheet import Field, Sheet


@dataclass(frozen=True, slots=True)
class Blank:
    """A field to fill: `name` in the result, `label` beside it, `hint` where it is empty; `choices` are the words it takes."""

    name: str
    label: str
    required: bool = False
    hint: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()
    lines: int = 0
    """How many lines are shown of a field that takes several, which stands last in its form; 0 where it takes one."""
    check: Callable[[str], str] = lambda text: ""
    """Says what is wrong with a text that was given, or nothing."""

    def wrong(self, text: str) -> str:
        """Return what is wrong with a text in this field, or nothing."""
        if not text:
            return f"{self.label} is empty." if self.required else ""
        if self.choices and text not in self.choices:
            return f"{self.label} is one of {', '.join(self.choices)}; not {clean(text)!r}."
        return self.check(text)


class Form(Sheet[dict[str, str]]):
    """Fields one under the other. Enter goes on, and ends the form on the last field; the result maps names to texts."""

    TALL: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        actions.binding("done", "done", priority=True),
        Binding("up", "field(-1)", show=False),
        Binding("down", "field(1)", show=False),
        Binding("ctrl+g", "edit", show=False, priority=True),
    ]

    def __init__(
        self, title: str, blanks: Sequence[Blank], *, glyphs: Glyphs, about: Sequence[str] = (), verb: str = "go on",
        note: str = "nothing written yet", keep: Callable[[dict[str, str]], None] = lambda typed: None,
        typed: Mapping[str, str] | None = None, check: Callable[[dict[str, str]], str] = lambda typed: "",
    ) -> None:  # fmt: skip
        """Take `keep`, called with what was typed on `esc`; `typed`, what was kept; `check`, what is wrong with the whole."""
        super().__init__(title, glyphs=glyphs, note=note)
        self._blanks = tuple(blanks)
        self._about = tuple(about)
        self._verb = verb
        self._keep = keep
        self._typed = dict(typed or {})
        self._check = check

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield what it is about, and the fields."""
        if self._about:
            yield TextBlock(paragraphs([*self._about, ""]))
        short = [blank for blank in self._blanks if not blank.lines]
        cells = max(width(blank.label) for blank in short) + 4
        with VerticalScroll(id="fields") as box:
            box.can_focus = False
            for blank in short:
                field = Field(self._typed.get(blank.name, blank.value), placeholder=blank.hint)
                with Horizontal(classes="row"):
                    yield TextBlock(self._label(blank, cells))
                    yield field
        box.styles.height = len(short)
        box.styles.scrollbar_size_vertical = 0
        for blank in self._blanks:
            if blank.lines:
                yield from self._long(blank)

    def _long(self, blank: Blank) -> Iterable[Widget]:
        """Yield a field of several lines under its label."""
        from textual.widgets import TextArea  # heavy: only where a form has a long text

        yield TextBlock(self._label(blank, width(blank.label) + 4))
        yield TextBlock(paragraphs(blank.hint.split("\n"), "dim"))
        text = self._typed.get(blank.name, blank.value)
        field = TextArea(text, tab_behavior="focus", highlight_cursor_line=False)
        field.cursor_blink = False
        field.styles.height = blank.lines
        yield field

    def _fields(self) -> list[tuple[Blank, Widget]]:
        """Return each blank with its field."""
        one = iter(self.query(Input))
        several = iter(self.query("TextArea"))
        return [(blank, next(several) if blank.lines else next(one)) for blank in self._blanks]

    def _label(self, blank: Blank, cells: int) -> Callable[[int], list[Line]]:
        mark = "*" if blank.required else " "

        def build(_: int) -> list[Line]:
            return [fit_line([(f" {pad(blank.label, cells - 3)}", ""), (mark, "accent"), (" ", "")], cells)]

        return build

    def hints(self) -> Sequence[Hint]:
        """Return the keys that fill and end it."""
        return [
            (
                "tab" if isinstance(self.focused, Widget) and not isinstance(self.focused, Input) else "⏎",
                "next field",
                "",
            ),
            ("ctrl+d", self._verb, ""),
            ("ctrl+g", "editor", ""),
            ("esc", "leave, text kept", ""),
        ]

    def on_mount(self) -> None:
        """Type at once, in the first field that must be filled and is not."""
        fields = self._fields()
        empty = [(blank, field) for blank, field in fields if not text_in(field)]
        needed = [(blank, field) for blank, field in empty if blank.required]
        (needed or empty or fields)[0][1].focus()

    @property
    def typed(self) -> dict[str, str]:
        """What is typed now, by name."""
        return {blank.name: text_in(field).strip() for blank, field in self._fields()}

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on; from the last field, end."""
        event.stop()
        if event.input is self._fields()[-1][1]:
            self.action_done()
        else:
            self.focus_next()

    def action_field(self, step: int) -> None:
        """Go to the field above or below."""
        fields = [field for _, field in self._fields()]
        at = next((i for i, field in enumerate(fields) if field is self.focused), 0)
        fields[max(0, min(at + step, len(fields) - 1))].focus()

    def action_edit(self) -> None:
        """Write the field's text in the person's editor."""
        field = self.focused
        if isinstance(field, Input):
            text, problem = terminal.edit(self.app, field.value)
            field.value = " ".join(text.split())
            self.complain(problem)
        elif field is not None:
            text, problem = terminal.edit(self.app, text_in(field))
            setattr(field, "text", text)  # noqa: B010 (its class is heavy to load and is not named here)
            self.complain(problem)

    def action_done(self) -> None:
        """Leave with what was typed, unless something is wrong; the cursor goes where."""
        typed = self.typed
        for blank, field in self._fields():
            wrong = blank.wrong(typed[blank.name])
            if wrong:
                field.focus()
                self.complain(wrong)
                return
        wrong = self._check(typed)
        if wrong:
            self.complain(wrong)
            return
        self._keep({})
        self.dismiss(typed)

    def action_leave(self) -> None:
        """Leave; what was typed is kept by whoever asked for it."""
        self._keep(self.typed)
        self.dismiss(None)


def text_in(field: Widget) -> str:
    """Return what is typed into a field of one line or of several."""
    return field.value if isinstance(field, Input) else str(getattr(field, "text", ""))
