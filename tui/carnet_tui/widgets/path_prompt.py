"""A field for a file's path; tab completes what is typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import clean
from carnet_tui.widgets.dialogs import Prompt

SHOWN_AT_MOST = 8


class PathPrompt(Prompt):
    """Asks for a file below (or outside) `folder`; the result is the path as typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", show=False, priority=True)]

    def __init__(
        self, title: str, folder: Path, *, glyphs: Glyphs, value: str = "", about: Sequence[str] = (), verb: str = "take",
        folders: bool = False,
    ) -> None:  # fmt: skip
        """Take paths relative to `folder`; with `folders` a folder is good too."""
        self._folder = folder

        def check(text: str) -> str:
            path = self.path_of(text)
            if not text.strip():
                return "Type a path; tab completes it."
            if folders and path.is_dir():
                return ""
            return "" if path.is_file() else f"There is no file {'or folder ' if folders else ''}{clean(str(path))}."

        super().__init__(title, glyphs=glyphs, value=value, about=about, verb=verb, check=check)

    def path_of(self, text: str) -> Path:
        """Return the file that a typed path means."""
        return self._folder / Path(text.strip()).expanduser()

    def hints(self) -> Sequence[Hint]:
        """Return Enter and tab."""
        return [("⏎", self._verb, ""), ("tab", "complete", ""), ("esc", "leave", "")]

    def action_complete(self) -> None:
        """Complete as far as it is sure; show the ways where there are several."""
        field = self.query_one(Input)
        typed = field.value
        start, _, stem = typed.rpartition("/")
        folder = self.path_of(f"{start}/" if start or typed.startswith("/") else "")
        try:
            names = sorted(
                one.name + ("/" if one.is_dir() else "")
                for one in folder.iterdir()
                if one.name.startswith(stem) and (stem.startswith(".") or not one.name.startswith("."))
            )
        except OSError:
            names = []
        if not names:
            self.complain("Nothing there begins like that.")
            return
        common = names[0]
        for name in names[1:]:
            while not name.startswith(common):
                common = common[:-1]
        field.value = f"{start}/{common}" if start or typed.startswith("/") else common
        field.cursor_position = len(field.value)
        more = f" and {len(names) - SHOWN_AT_MOST} more" if len(names) > SHOWN_AT_MOST else ""
        self.complain(clean("  ".join(names[:SHOWN_AT_MOST])) + more if len(names) > 1 else "")
