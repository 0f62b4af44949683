"""What `/` opens in the lineage: one field in which one finds a node by a word, or edits the selection; both answer while one types.

A text without a sign of the language is looked for: in names, then in all that was said of anything: nodes, decisions, questions, items of handoffs.
Anything else is a selection: what is wrong with it stands under its column, else how much it names. Before anything is typed the last selections
stand there, and examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import SelectionError, parse
from carnet_store.errors import CarnetError
from carnet_tui.frame_text import Hint
from carnet_tui.glyphs import Glyphs
from carnet_tui.next_steps import on_screen
from carnet_tui.screen import still_here
from carnet_tui.text import Line, clean, fit_line, pad, width, wrap
from carnet_tui.views import lineage_asked
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock
from carnet_tui.widgets.sheet import Field, Sheet

if TYPE_CHECKING:
    from carnet_store import Hit, Project

KEPT: Final = 20
"""Selections that are remembered for each project while the program runs."""
FOUND_AT_MOST: Final = 100
TEXTS_AT_MOST: Final = 30
PATIENCE: Final = 0.4
"""Seconds after which the search in texts is given up: its index is not made yet. It is made in the background, then they are searched."""
NAMES_ALONE: Final = " Names alone so far: what was said is being read, and is searched as soon as it is."
Read = Callable[[Callable[["Project"], Any], Callable[[Any], None]], None]
"""Runs a call with the project on the store's thread, then another with its result."""
Follow = Callable[[Callable[[], None]], None]
"""Makes the index of texts follow the record in the background, then calls back."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A row: a node or a subject to go to, a selection to take, or one to go on with.

    Attributes:
        what: `node`, `subject`, `take`, `fill`; empty for a head.
        value: the entity, or the selection.
        item: of a handoff that is a subject, the item in which it was said.
    """

    what: str
    value: str
    name: str
    note: str = ""
    kind: str = ""
    item: str = ""

    @property
    def key(self) -> str | None:
        """What identifies the row."""
        return f"{self.what} {self.value} {self.item}" if self.what else None


class TooSlow(Exception):
    """The search in texts takes too long for somebody who types."""


class SelectionSheet(Sheet[Offer]):
    """The sheet; its result is the offer that was taken, of `node`, `subject` or `take`."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "list('up')", show=False),
        Binding("down", "list('down')", show=False),
        Binding("pageup", "list('page_up')", show=False),
        Binding("pagedown", "list('page_down')", show=False),
    ]
    history: ClassVar[dict[str, list[str]]] = {}
    """Ledger id -> its last selections, the newest first."""

    def __init__(
        self, text: str, node: str, other: str, ledger: str, read: Read, follow: Follow, *, glyphs: Glyphs, typed: str = ""
    ) -> None:  # fmt: skip
        """Begin with the selection in force, or as if `typed` had been typed; `node` and `other` (the marked one) are spelled for examples."""
        super().__init__("Find anything, or select", glyphs=glyphs, note="words find; signs select")
        self._first = text
        self._node = node
        self._other = other
        self._ledger = ledger
        self._read = read
        self._follow = follow
        self._typed = typed
        self._turn = 0
        self._said: list[Line] = []
        self._waits = False
        """Whether the answer to what is typed is still under way."""
        self._wants = False
        """Whether Enter was pressed meanwhile."""
        self._slow = False
        self._asked_for = False
        """Whether the index of texts was asked to follow."""

    @classmethod
    def remember(cls, ledger: str, text: str) -> None:
        """Keep a selection that was taken."""
        kept = cls.history.setdefault(ledger, [])
        if text in kept:
            kept.remove(text)
        kept.insert(0, text)
        del kept[KEPT:]

    def compose_sheet(self) -> Iterable[Widget]:
        """Yield the field, what is to be said of its text, and the list."""
        yield Field(self._first, suggested=True)
        yield TextBlock(self._under, id="under")
        found: LineList[Offer] = LineList(
            Rows(self._begin(), offer_key), self._line, offer_key, glyphs=self.glyphs, empty="", lit=True
        )
        found.can_focus = False
        yield found

    def hints(self) -> Sequence[Hint]:
        """Return Enter and the arrows."""
        return [("⏎", "take", ""), ("↑↓", "choose", ""), ("esc", "leave", "")]

    def on_mount(self) -> None:
        """Type at once."""
        field = self.query_one(Input)
        field.focus()
        if self._typed:
            field.value = self._typed
            field.cursor_position = len(field.value)

    @property
    def found(self) -> LineList[Offer]:
        """The list."""
        return self.query_one(LineList)

    # What is offered

    def _begin(self) -> list[Offer]:
        """Return the selection in force, the last ones, and examples."""
        out = [Offer("take", self._first, clean(self._first), "as it is")] if self._first else []
        kept = [one for one in self.history.get(self._ledger, ()) if one != self._first]
        if kept:
            out += [Offer("", "", "LAST SELECTIONS"), *(Offer("take", one, clean(one)) for one in kept)]
        out.append(Offer("", "", "EXAMPLES"))
        for text, note in lineage_asked.EXAMPLES:
            made = text.replace("NODE", self._node or "NAME").replace("OTHER", self._other or "OTHER")
            out.append(Offer("fill", made, clean(made), note))
        return out

    def _line(self, row: Offer, cells: int) -> Line:
        dots = self.glyphs.ellipsis
        if not row.what:
            return fit_line([(row.name, "title")], cells, dots)
        if row.what in ("node", "subject"):
            noted = bool(row.note) and cells >= 60
            room = min(40, cells - 43) if noted else cells - 13
            line: Line = [(pad(row.kind, 12, "<", dots) + " ", "dim"), (pad(row.name, room, "<", dots), "")]
            return fit_line([*line, (f"  {row.note}", "dim")] if noted else line, cells, dots)
        if not row.note or cells < 60:
            return fit_line([(row.name, "bold")], cells, dots)
        return fit_line([(pad(row.name, cells - 44, "<", dots), "bold"), (f"  {row.note}", "dim")], cells, dots)

    def _under(self, cells: int) -> list[Line]:
        return self._said

    def _say(self, *lines: Line) -> None:
        self._said = list(lines)
        self.query_one("#under", TextBlock).show()

    def _show(self, offers: Sequence[Offer]) -> None:
        self.found.refill(Rows(offers, offer_key))
        self.found.action_move("first")

    # Typing

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for it, or read it as a selection."""
        event.stop()
        self._turn += 1
        self._waits = self._wants = False
        self.complain("")
        text = event.value.strip()
        if not text or text == self._first:
            self._say()
            self._show(self._begin())
        elif lineage_asked.is_words(text):
            self._say()
            self._look_for(text, self._turn)
        else:
            self._select(event.value, self._turn)

    def _ask(self, call: Callable[[Project], Any], then: Callable[[Any], None]) -> None:
        """Read something; what is heard after the sheet was left is nobody's any more."""
        self._read(call, lambda heard: then(heard) if still_here(self) else None)

    def _look_for(self, text: str, turn: int) -> None:
        """Offer nodes by name; then whatever these words were said of."""
        self._waits = True

        def names(project: Project) -> list[Offer] | None:
            if turn != self._turn:
                return None
            rows = project.entities(*NODES, text=text, limit=FOUND_AT_MOST)
            wanted = text.casefold()
            rows.sort(
                key=lambda row: wanted not in (row.title.casefold(), row.name.casefold())
            )  # what is called just so comes first
            return [Offer("node", row.id, clean(row.title), "", clean(row.kind)) for row in rows]

        def texts(project: Project) -> list[Offer] | None:
            if turn != self._turn:
                return None
            return said_with(project, text)

        def show(found: list[Offer] | None) -> None:
            if found is not None and turn == self._turn:
                self._waits = False
                self._show(found)
                if self._slow:
                    self._say([(NAMES_ALONE, "dim")])
                elif not found:
                    self._say(
                        [(f" No node is called that; what was said is looked through {self.glyphs.ellipsis}", "dim")]
                    )
                self._enter()
                if not self._slow:
                    self._ask(texts, lambda more: self._add(found, more, turn))

        self._ask(names, show)

    def _add(self, found: Sequence[Offer], more: list[Offer] | None, turn: int) -> None:
        if turn != self._turn:
            return
        if more is None:
            self._slow = True
            self._say([(NAMES_ALONE, "dim")])
            if not self._asked_for:
                self._asked_for = True
                self._follow(self._followed)
            return
        have = {one.value for one in found}
        rest = [one for one in more if one.value not in have]
        self._say() if rest or found else self._say([(" Nothing is called that, and nobody said it.", "dim")])
        if rest:
            self.found.refill(Rows([*found, Offer("", "", "SAID OF"), *rest], offer_key))
            if not found:
                self.found.action_move("first")

    def _followed(self) -> None:
        """Look once more for what stands there: all texts can be searched now."""
        self._slow = False
        text = self.query_one(Input).value.strip() if still_here(self) else ""
        if text and text != self._first and lineage_asked.is_words(text):
            self._turn += 1
            self._look_for(text, self._turn)

    def _select(self, raw: str, turn: int) -> None:
        """Say what is wrong with a selection, under its column; else what it names. What is the name of a node is that node first of all."""
        text = raw.strip()
        unread: SelectionError | None = None
        take = [Offer("take", text, clean(text))]
        try:
            parse(text)
        except SelectionError as error:
            unread, take = error, []
            self._wrong(error.plain, error.hint, error.column + len(raw) - len(raw.lstrip()))
        else:
            self._say([(f" {self.glyphs.ellipsis}", "dim")])
        self._waits = True
        self._show(take)

        def count(project: Project) -> tuple[list[Offer], int, CarnetError | None]:
            if turn != self._turn:
                return [], 0, None
            rows = lineage_asked.called(project, text)
            nodes = [Offer("node", row.id, clean(row.title), "called just so", clean(row.kind)) for row in rows]
            try:
                return nodes, 0 if unread is not None else len(project.graph.select(text)), unread
            except CarnetError as error:
                return nodes, 0, error

        def show(found: tuple[list[Offer], int, CarnetError | None]) -> None:
            if turn != self._turn:
                return
            self._waits = False
            nodes, number, error = found
            if nodes:
                self._say()
                self._show([*nodes, *(take if error is None else ())])
                self._enter()
            elif error is None:
                self._say([(f" {number:,} {'node' if number == 1 else 'nodes'}", "ok" if number else "warn")])
                self._enter()
            elif error is unread:
                self._wants = False
            else:
                self._show(())
                self._wrong(error.message, error.hint, 0)

        self._ask(count, show)

    def _wrong(self, message: str, hint: str, column: int) -> None:
        self._wants = False
        cells = max(20, self.size.width)
        typed = self.query_one(Input)
        said = f"{clean(message)}. {clean(on_screen(hint))}" if hint else clean(message)
        lines: list[Line] = [[(f" {part}", "warn")] for part in wrap(said, cells - 2)]
        at = 1 + width(clean(typed.value[: column - 1])) if column else 0
        if column and at < cells - 1:  # else the field has scrolled, and the column is told in figures
            lines.insert(0, [(" " * at + "^", "bad"), (f" column {column}", "dim")])
        self._say(*lines)

    # Taking

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the chosen row; while the answer to what was typed is under way, as soon as it is there."""
        event.stop()
        self._wants = True
        if not self._waits:
            self._enter()

    def _enter(self) -> None:
        row = self.found.chosen
        if self._wants and row is not None:
            self._wants = False
            self._take(row)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Take the clicked row."""
        event.stop()
        self._take(event.row)

    def _take(self, row: Offer) -> None:
        if row.what == "fill":
            field = self.query_one(Input)
            field.value = row.value
            field.cursor_position = len(field.value)
        else:
            self.dismiss(row)

    def action_list(self, name: str) -> None:
        """Move in the list while the field keeps the focus."""
        self.found.action_move(name)


def offer_key(row: Offer) -> str | None:
    """Return what identifies a row; None for a head."""
    return row.key


def said_with(project: Project, text: str) -> list[Offer] | None:
    """Return whatever these words were said of; None where the index of texts would have to be made first."""
    import time

    end = time.monotonic() + PATIENCE

    def progress(done: int, total: int) -> None:
        if time.monotonic() > end:
            raise TooSlow

    try:
        hits = project.search(text, limit=TEXTS_AT_MOST, progress=progress)
    except TooSlow:
        return None
    except CarnetError:  # nothing to look for: a sign alone, a single letter
        return []
    return [_offer(project, hit) for hit in hits]


def _offer(project: Project, hit: Hit) -> Offer:
    """Return a hit as a row: what it is, and where the words stand."""
    code = f"{project.code(hit.entity)} " if hit.kind in ("decision", "question") else ""
    name = f"{hit.title}, {hit.item}" if hit.item else hit.title
    note = f"{hit.field}: {' '.join(hit.snippet.split())}"
    what = "node" if hit.kind in NODES else "subject"
    return Offer(what, hit.entity, clean(code + name), clean(note), clean(hit.kind), hit.item)
