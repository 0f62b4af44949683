"""The catalogue entry of a dataset or a feature: from it one jumps to the runs, models and gates that use it, and fills what is missing."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.containers import Container
from textual.widget import Widget

from carnet_store.domain.columns import SCHEMA
from carnet_tui import frame_text
from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.screens import opening
from carnet_tui.screens.subjects import ListScreen
from carnet_tui.text import Line, clean, pad, plural
from carnet_tui.views import catalogue_view
from carnet_tui.views.catalogue_reading import Entry, read, with_users
from carnet_tui.views.catalogue_view import Row
from carnet_tui.widgets.chained import Chained
from carnet_tui.widgets.dialogs import LongPrompt, Prompt
from carnet_tui.widgets.line_list import LineList, Rows, RowSource
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs
from carnet_tui.widgets.read_sheet import ReadSheet
from carnet_tui.widgets.sheet import Finder

STYLE = """
CatalogueScreen #panes { height: 1fr; layout: vertical; }
CatalogueScreen #detail { height: 4; }
CatalogueScreen.-w120 #panes { layout: horizontal; }
CatalogueScreen.-w120 #between { display: none; }
CatalogueScreen.-w120 #list { width: 3fr; }
CatalogueScreen.-w120 #detail { width: 2fr; height: 1fr; padding-left: 2; }
"""
NO_ATTRIBUTE = "this is no attribute"
FOUND_AT_MOST = 500
"""Users that a search lists; typing narrows them."""


class CatalogueScreen(ListScreen):
    """One entry."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("catalogue", "entity")
    PLACE: ClassVar[str] = "lineage"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"
    CSS = STYLE

    def __init__(self, entity: str) -> None:
        super().__init__()
        self.entity = entity
        self.entry: Entry | None = None
        self._sections: Chained[Row] = Chained([])

    # What is shown

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, the list, and the chosen line in full: below it, or beside it where there is room."""
        yield TextBlock(self._head, id="head")
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        with Container(id="panes"):
            yield LineList(
                self._sections, lambda row, cells: catalogue_view.row_line(row, cells, self.glyphs), lambda row: row.key,
                glyphs=self.glyphs, empty="", id="list",
            )  # fmt: skip
            yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], id="between", classes="roomy")
            yield TextView(lambda cells: [], id="detail", classes="roomy")

    def on_mount(self) -> None:
        """Read the entry."""
        self.refresh_data()

    def crumb(self) -> str:
        """Return the project and the thing."""
        return f"{super().crumb()} / {self.subject()}" if self.has_project else super().crumb()

    def subject(self) -> str:
        """Return what the screen is about, cleaned."""
        return self.entry.title if self.entry is not None else clean(self.project.row(self.entity).title)

    def _head(self, cells: int) -> list[Line]:
        if not self.has_project:
            return []
        return catalogue_view.head_lines(self.entry, self.subject(), cells, self.project.now(), self.glyphs)

    def refresh_data(self) -> None:
        """Read the entry anew, off the loop: first what is known of it, then who uses it, which may be a hundred thousand things."""
        if not self.has_project:
            return
        ledger, entity = self.project.id, self.entity

        def call() -> Entry:
            with self.desk.clone() as desk:
                return read(desk.store.project(ledger), entity)

        def then(entry: Entry) -> None:
            old = self.entry  # its users stand until they are read anew
            self._show(replace(entry, users=old.users, gates=old.gates, whole=old.whole) if old is not None else entry)
            self.work(lambda: more(entry), self._show, saying="Reading who uses it")

        def more(entry: Entry) -> Entry:
            with self.desk.clone() as desk:
                return with_users(desk.store.project(ledger), entry)

        self.work(call, then, saying="Reading the entry")

    def _show(self, entry: Entry) -> None:
        first = self.entry is None
        self.entry = entry
        self._sections = catalogue_view.sections(self.project, entry, self.project.now())
        rows = self.query_one(LineList)
        rows.refill(self._sections)
        if first:
            rows.action_move("first")
        self.query_one("#head", TextBlock).show(layout=False)
        self._show_chosen()
        self.refresh_chrome()

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        found = self.query(LineList)
        return found.first().chosen if found else None

    def _show_chosen(self) -> None:
        row = self.chosen
        hint = ""
        if row is not None and row.column:
            hint = "Enter shows its ways"
        elif row is not None and row.opens:
            hint = f"Enter opens {'it' if not row.key or not row.key.startswith('fact') else 'the run'}"
        elif catalogue_view.editable(row) and not row_missing(row):
            hint = "e writes it anew, which settles it" if self._is_apart(row) else "e writes it anew"
        self.query_one("#detail", TextView).show(lambda cells: catalogue_view.detail_lines(row, cells, hint))

    def _move(self, name: str) -> None:
        """Left and right go to the section before and after."""
        if name not in ("left", "right"):
            super()._move(name)
            return
        rows, starts = self.query_one(LineList), self._sections.starts
        step = 1 if name == "right" else -1
        goal = self._sections.part_at(rows.index) + step
        while 0 <= goal < len(starts) - 1:
            for at in range(starts[goal], starts[goal + 1]):
                row = rows.row(at)
                if row is not None and row.key is not None:
                    rows.choose(row.key)
                    return
            goal += step

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "edit", "question", "find", "graph", "comment", "timeline")

    def hints(self) -> list[Hint]:
        """Return the footer, without the key that needs an attribute while the cursor is on none."""
        return [hint for hint in super().hints() if hint[2] != NO_ATTRIBUTE]

    def say_enter(self) -> str:
        """Return what Enter does on the row of the cursor."""
        row = self.chosen if self.is_mounted else None
        if row is None:
            return ""
        if row.column:
            return "its ways"
        return "open" if row.opens else "fill" if row_missing(row) and catalogue_view.editable(row) else "read"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.chosen
        if action_id in ("comment", "question", "edit"):
            reason = self.may_write()
            if reason:
                return reason
        if self.entry is None and action_id in ("open", "edit", "find", "graph", "timeline", "comment", "question"):
            return "it is being read" if self.has_project else "no project yet"
        if action_id == "edit" and not catalogue_view.editable(row):
            return "it has parts, carnet describe writes it" if row is not None and row.attribute else NO_ATTRIBUTE
        if action_id == "open" and row is None:
            return "nothing is chosen"
        return super().available(action_id)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied: of the row its text and its command, of the thing its name, id and digests."""
        entry, row = self.entry, self.chosen
        if entry is None:
            return ()
        offers = [("line", f"{row.label}  {row.text}".strip())] if row is not None else []
        if row is not None and row.command:
            offers.append(("to type", row.command))
        if row is not None and row.opens:
            offers.append(("id of it", row.opens))
        if row is not None and row.column:
            offers.append(("its command", f"carnet lineage {entry.entity} --column {shlex.quote(row.column)}"))
        offers += [("name", entry.title), ("id", entry.entity)]
        if entry.node is not None:
            offers += [(clean(name), clean(value)) for name, value in entry.node.digests.items()]
        return (*offers, ("command", f"carnet lineage {entry.entity}"))

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open what the row names."""
        event.stop()
        self.do_open()

    def do_open(self) -> None:
        """Open what the row names; fill what is missing; else show it in full."""
        row = self.chosen
        if row is None:
            return
        if row.column:
            self.base.enter(Route("column", (self.entity, row.column)))
        elif row.opens:
            self.base.enter(opening.route(self.project, row.opens))
        elif row_missing(row) and catalogue_view.editable(row):
            self.flow(self._edit(row))
        else:
            title = f"{self.subject()}: {row.label}" if row.label else self.subject()
            self.app.push_screen(
                ReadSheet(title, lambda cells: catalogue_view.detail_lines(row, cells), glyphs=self.glyphs)
            )

    def do_edit(self) -> None:
        """Write the attribute of the row anew."""
        row = self.chosen
        if row is not None:
            self.flow(self._edit(row))

    async def _edit(self, row: Row) -> None:
        reason = self.may_write()
        if reason:
            self.base.say(f"Cannot edit now: {reason}.")
            return
        name, label = row.attribute, clean(row.attribute)
        title = f"{self.subject()}: {row.label}"
        long = catalogue_view.is_long(row)
        sheet = LongPrompt if long else Prompt
        shape = "One to a line, as name: type." if name in SCHEMA else "One to a line." if long else ""
        before = catalogue_view.text_of(row)
        text = await self.ask(
            sheet(title, glyphs=self.glyphs, value=before, about=[shape] if shape else [], verb="go on",
                  check=lambda typed: "" if typed.strip() else "It needs a text.")
        )  # fmt: skip
        if text is None:
            return
        value = catalogue_view.value_of(row, text)
        if row.value is not None and value == catalogue_view.value_of(row, before) and not self._is_apart(row):
            self.base.say("Nothing was changed.")
            return
        said = value if isinstance(value, list) else [str(value)]
        lines = [f"{clean(self.entry.kind) if self.entry else ''} {self.subject()}".strip(), ""]
        lines += [f"{label if at == 0 else ''}  {clean(part)}" for at, part in enumerate(said)]
        if before:
            lines += ["", f"before: {clean(' '.join(before.split()))}"]
        stale = [gate for gate in (self.entry.gates if self.entry else ()) if gate.how.startswith("signed")]
        if stale:
            lines += ["", f"turns stale: {plural(len(stale), 'handoff')} with sign-offs that lean on its record"]
        after = "The record keeps both; it can be described anew."
        if await self.preview("Describe it", paragraphs(lines), after=after):
            await self.write(lambda acts: acts.describe(self.entity, name, value))

    def _is_apart(self, row: Row | None) -> bool:
        """Say whether two people said a row's attribute apart: then the same words, said anew, settle it."""
        node = self.entry.node if self.entry is not None else None
        return row is not None and node is not None and row.attribute in node.conflicts

    def do_find(self) -> None:
        """Go to a line of the entry, or to a user."""
        self.flow(self._find())

    async def _find(self) -> None:
        rows = (
            [row for row in self._sections.page(0, self._sections.count()) if row.key] if self._few() else self._near()
        )

        def source(typed: str) -> RowSource[Row]:
            wanted = typed.casefold().split()
            found = [
                row for row in rows if all(word in f"{row.label} {row.text} {row.note}".casefold() for word in wanted)
            ]
            if typed and not self._few():
                have = {row.key for row in found}
                found += [row for row in self._users(typed) if row.key not in have]
            return Rows(found, lambda row: row.key)

        def line(row: Row, cells: int) -> Line:
            return [(pad(row.label, 14) + " ", "dim"), (row.text, "")]

        chosen = await self.ask(
            Finder[Row, Row](
                f"Find in {self.subject()}", source, line, lambda row: row.key, glyphs=self.glyphs, verb="go there"
            )
        )
        if chosen is not None and chosen.key is not None:
            self.query_one(LineList).choose(chosen.key)
            self._show_chosen()

    def _few(self) -> bool:
        return self._sections.count() <= 2_000

    def _near(self) -> list[Row]:
        """Return the rows that stand before the long lists of users."""
        return [row for row in self._sections.page(0, 2_000) if row.key]

    def _users(self, typed: str) -> list[Row]:
        """Return users whose name holds a text."""
        found: list[Row] = []
        for use in self.entry.users if self.entry is not None else ():
            for row in self.project.entities(use.kind, text=typed, limit=FOUND_AT_MOST):
                no = self.project.graph.find(row.id)
                if no is not None and no in use.hops:
                    found.append(catalogue_view.Users.row(row, use.hops[no]))
        return found[:FOUND_AT_MOST]

    def do_graph(self) -> None:
        """Show the thing under the cursor in the lineage, or this one."""
        row = self.chosen
        named = (
            row.opens
            if row is not None and row.opens.partition(":")[0] not in ("decision", "question", "handoff")
            else ""
        )
        self.graph_of(named or self.entity)

    def do_timeline(self) -> None:
        """Show what happened to it."""
        self.timeline_of(self.entity)

    def do_comment(self) -> None:
        """Comment on it."""
        self.flow(self.write_comment(self.entity, self.subject()))

    def do_question(self) -> None:
        """Ask about it."""
        self.flow(self.ask_question([self.entity], self.subject()))


def row_missing(row: Row | None) -> bool:
    """Say whether a row is a field that nothing fills yet."""
    return row is not None and bool(row.command)
