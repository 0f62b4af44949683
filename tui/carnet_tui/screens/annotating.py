"""Talking about a notebook's cells: annotate one, reply in its thread, resolve it; each a record after a preview, what was typed kept as a draft."""

from __future__ import annotations

from collections.abc import Sequence

from carnet_tui import terminal
from carnet_tui.glyphs import Glyphs
from carnet_tui.screens.subjects import ListScreen
from carnet_tui.text import clean, fit
from carnet_tui.views.fields import one_line
from carnet_tui.views.notebook_reading import Book, Mark, excerpt_of
from carnet_tui.views.notebook_view import Row
from carnet_tui.widgets.dialogs import Choice, CopyMenu, LongPrompt, Picker
from carnet_tui.widgets.line_list import LineList
from carnet_tui.widgets.lines import paragraphs


class Annotating(ListScreen):
    """A screen about a notebook, whose list has rows of its cells and of its threads."""

    book: Book | None = None
    """The notebook, once it is read."""

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        found = self.query("#list").results(LineList)
        return next((one.chosen for one in found), None)

    @property
    def marks(self) -> Sequence[Mark]:
        """The threads of the row under the cursor."""
        row = self.chosen
        if row is None or self.book is None:
            return ()
        return (row.mark,) if row.mark is not None else self.book.marks.get(row.cell, ()) if row.cell >= 0 else ()

    # Writing

    async def _annotate(self, at: int) -> None:
        book = self.book
        if book is None:
            return
        cell = book.cells[at]
        title = f"cell {cell.index} of {book.name}"
        excerpt = [fit(one_line(cell.source), 200, self.glyphs.ellipsis)] if cell.source.strip() else []
        text = await self._text(f"Annotate {title}", self._draft_of(cell.digest), about=excerpt)
        if text is None:
            return
        lines = [f"annotation on {title}", *excerpt, "", *(clean(line) for line in text.strip().split("\n"))]
        after = "It touches no signature and stays; anybody may reply to it and resolve it."
        if await self.preview("Write this annotation", paragraphs(lines), after=after):
            cells, hidden = book.anchors(), excerpt_of(cell.source)
            written = await self.write(lambda acts: acts.annotate(self.entity, cells, at, text.strip(), excerpt=hidden))
            if written is not None:
                self.acts().drop_draft(self._draft_of(cell.digest))

    def _draft_of(self, what: str) -> str:
        return f"annotation {self.entity} {what}"

    async def _text(self, title: str, subject: str, *, about: Sequence[str] = (), needed: bool = True) -> str | None:
        """Ask for a text; what was typed and not written is a draft."""
        kept = str(self.acts().drafts(subject).get(subject, {}).get("text", ""))

        def keep(typed: str) -> None:
            if typed.strip():
                self.acts().keep_draft(subject, {"text": typed})
            else:
                self.acts().drop_draft(subject)

        text = await self.ask(
            LongPrompt(title, glyphs=self.glyphs, value=kept, about=about, verb="go on", keep=keep,
                       check=lambda typed: "" if typed.strip() or not needed else "It needs a text.")
        )  # fmt: skip
        if text is not None:
            keep(text)
        return text

    async def _thread(self) -> None:
        """Choose what to do in the thread: reply, resolve, or one more annotation."""
        mark = await self._which("Which annotation?", self.marks)
        if mark is None:
            return
        ways = [("r", "reply", "reply")]
        if mark.open:
            ways.append(("x", "resolve", "resolve"))
        if mark.at is not None:
            ways.append(("c", "annotate the cell anew", "annotate"))
        said = fit(one_line(mark.thread.annotation.text), 300, self.glyphs.ellipsis)
        way = await self.ask(
            Choice("An annotation", ways, glyphs=self.glyphs, about=[said], note="open" if mark.open else "resolved")
        )
        if way == "reply":
            await self._reply(mark)
        elif way == "resolve":
            await self._resolve(mark)
        elif way == "annotate" and mark.at is not None:
            await self._annotate(mark.at)

    async def _which(self, title: str, marks: Sequence[Mark]) -> Mark | None:
        if len(marks) < 2:
            return marks[0] if marks else None
        names = self.book.names if self.book is not None else {}
        rows = [
            (
                one.thread.id,
                one_line(one.thread.annotation.text),
                f"{names.get(one.thread.person, '')}, {'open' if one.open else 'resolved'}",
            )
            for one in marks
        ]
        chosen = await self.ask(Picker(title, rows, glyphs=self.glyphs))
        return next((one for one in marks if chosen is not None and one.thread.id == chosen[0]), None)

    def do_reply(self) -> None:
        """Reply in the thread under the cursor."""
        self.flow(self._reply_to_one())

    async def _reply_to_one(self) -> None:
        mark = await self._which("Reply to which?", self.marks)
        if mark is not None:
            await self._reply(mark)

    async def _reply(self, mark: Mark) -> None:
        said = fit(one_line(mark.thread.annotation.text), 300, self.glyphs.ellipsis)
        subject = self._draft_of(mark.thread.id)
        text = await self._text("Reply to an annotation", subject, about=[said])
        if text is None:
            return
        lines = [f"reply to: {said}", "", *(clean(line) for line in text.strip().split("\n"))]
        if not await self.preview("Write this reply", paragraphs(lines), after="It touches no signature and stays."):
            return
        if await self.write(lambda acts: acts.reply_annotation(mark.thread.id, text.strip())) is not None:
            self.acts().drop_draft(subject)

    def do_resolve(self) -> None:
        """Settle the thread under the cursor."""
        self.flow(self._resolve_one())

    async def _resolve_one(self) -> None:
        mark = await self._which("Resolve which?", [one for one in self.marks if one.open])
        if mark is not None:
            await self._resolve(mark)

    async def _resolve(self, mark: Mark) -> None:
        said = fit(one_line(mark.thread.annotation.text), 300, self.glyphs.ellipsis)
        subject = self._draft_of(f"{mark.thread.id} resolved")
        text = await self._text(
            "Resolve an annotation: what was done? May be empty", subject, about=[said], needed=False
        )
        if text is None:
            return
        lines = [
            f"resolved: {said}",
            *(["", *(clean(line) for line in text.strip().split("\n"))] if text.strip() else []),
        ]
        after = "The thread stays to be read."
        if not await self.preview("Resolve this annotation", paragraphs(lines), verb="resolve", after=after):
            return
        if await self.write(lambda acts: acts.resolve_annotation(mark.thread.id, text.strip())) is not None:
            self.acts().drop_draft(subject)


class CopyCell(CopyMenu):
    """The copy menu with texts of several lines: shown in one, copied as they are."""

    def __init__(self, offers: Sequence[tuple[str, str]], *, glyphs: Glyphs) -> None:
        super().__init__([(name, one_line(text)) for name, text in offers], glyphs=glyphs)
        self._texts = dict(offers)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Copy."""
        event.stop()
        event.prevent_default()  # else the menu's own handler copies the line too
        name, _ = event.row
        self.dismiss(f"Copied the {name} by {terminal.copy(self.app, self._texts[name])}.")
