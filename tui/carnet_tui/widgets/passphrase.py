"""A field for a passphrase: what is typed is never shown and never kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget
from textual.widgets import Input

from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.widgets.lines import TextBlock, paragraphs
from carnet_tui.widgets.sheet import Field, Sheet


class PassphraseSheet(Sheet[str]):
    """Asks for the passphrase of a person's key; the result is what was typed."""

    def __init__(self, name: str, *, glyphs: Glyphs, wrong: bool = False) -> None:
        """Take the cleaned `name` of whose key it is, and whether the last one was wrong."""
        super().__init__(f"Passphrase of {name}'s key", glyphs=glyphs)
        self.problem = "That passphrase does not open the key; nothing was written." if wrong else ""

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the field."""
        yield TextBlock(paragraphs(["It stays usable here for 15 minutes; : lock forgets it at once."], "dim"))
        field = Field()
        field.password = True
        yield field

    def hints(self) -> Sequence[Hint]:
        """Return Enter."""
        return [("⏎", "unlock", ""), ("esc", "leave, nothing written", "")]

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give it back."""
        event.stop()
        if event.value:
            self.dismiss(event.value)
