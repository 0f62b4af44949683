"""Inbox: what needs me, what waits on others, what happened lately. Enter opens the right thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from carnet_store.domain.lineage import NODES
from carnet_store.errors import CarnetError
from carnet_tui import actions, frame_text
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.rows import HeadRow, InboxRow, inbox_line
from carnet_tui.screen import Path, Route
from carnet_tui.screens.opening import CATALOGUED
from carnet_tui.text import Line, clean, fit_line
from carnet_tui.views import inbox_view, words
from carnet_tui.views.inbox_view import Entry
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock


class InboxScreen(DeskScreen):
    """Place 1."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("inbox",)
    PLACE = "inbox"

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.mine_only = False
        self.shown_to = ""
        """Whose rows are shown: another person begins at the top."""
        self.due = ""
        self.trouble = ""
        self.recalled: frozenset[str] = frozenset()
        """Handoffs that a recall keeps shut."""

    # Reading

    def read(self) -> None:
        """Read the rows anew."""
        self.trouble = ""
        if self.desk.me is None and len(self.desk.keyring.identities()) > 1:
            self.entries, self.due = [], ""
            self.trouble = "Several people have keys on this machine. @ chooses who you are."
            return
        try:
            found = self.desk.inbox()
            now = self.project.now()
        except CarnetError as error:
            self.entries, self.due = [], ""
            self.trouble = clean(f"{error.message}; {error.hint}" if error.hint else error.message)
            return
        self.entries = inbox_view.mark_recalled(inbox_view.entries(found, now), self.recalled)
        self.due = "" if any(e.row.section == "needs" for e in self.entries) else self.next_due()

    def next_due(self) -> str:
        """Return when something is next due, and what to do next."""
        if self.is_stranger():
            return f"You are no member of {clean(self.project.name)} yet: `:` admit joins."
        today = words.instant(self.project.now()).date().isoformat()
        dates = [
            (handoff.opened.due, self.project.row(handoff.opened.model).title)
            for handoff in self.project.handoffs()
            if handoff.abandoned is None and handoff.opened.due >= today
        ]
        return inbox_view.due(min(dates, default=None))

    def source(self) -> Rows[InboxRow | HeadRow]:
        """Return the rows of the list."""
        return Rows(inbox_view.rows(self.entries, mine_only=self.mine_only), row_key)

    def refresh_data(self) -> None:
        """Show what is true now."""
        self.read()
        for found in self.query(LineList):
            found.empty = self.empty()
            found.refill(self.source())
            top = inbox_view.first(self.entries, mine_only=self.mine_only)
            if self.me != self.shown_to and top is not None:
                found.choose(top.row.key)
        self.shown_to = self.me
        for block in self.query(TextBlock):
            block.show(layout=False)
        self.read_recalled()

    def on_mount(self) -> None:
        """Read what recalls keep shut."""
        self.read_recalled()

    def read_recalled(self) -> None:
        """Mark the handoffs that a recall keeps shut; where nothing is recalled, nothing is read."""
        ledgers = [one.id for one in {entry.project.id: entry.project for entry in self.entries}.values()]
        ledgers = [ledger for ledger in ledgers if self.desk.store.project(ledger).recalls()]
        if not ledgers and not self.recalled:
            return
        handoffs = {
            entry.duty.entity: entry.project.id for entry in self.entries if entry.duty.entity.startswith("handoff:")
        }

        def read() -> frozenset[str]:
            with self.desk.clone() as desk:
                looks = (
                    (handoff, desk.store.project(ledger).look(handoff))
                    for handoff, ledger in handoffs.items()
                    if ledger in ledgers
                )
                return frozenset(h for h, look in looks if any(r.code == "recalled" for r in look.status.reasons))

        def then(found: frozenset[str]) -> None:
            if found != self.recalled:
                self.recalled = found
                self.read()
                for rows in self.query(LineList):
                    rows.refill(self.source())

        self.work(read, then, saying="Reading what is recalled")

    def empty(self) -> str:
        """Return what stands where there are no rows."""
        return self.trouble or "Nothing here yet. 2 lists the models: n there makes a version and opens its handoff."

    # Showing

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, detail."""
        self.read()
        self.shown_to = self.me
        glyphs = self.glyphs
        yield TextBlock(self.headline, classes="roomy")
        yield LineList(
            self.source(), lambda row, cells: inbox_line(row, cells, glyphs), row_key, glyphs=glyphs, empty=self.empty()
        )
        yield TextBlock(self.detail, id="detail", classes="roomy")

    def headline(self, cells: int) -> list[Line]:
        """Return the line above the list."""
        if self.trouble:
            return [frame_text.headline("", "", cells, self.glyphs)]
        title = inbox_view.title(self.entries, self.due, mine_only=self.mine_only)
        return [frame_text.headline(title, inbox_view.summary(self.entries), cells, self.glyphs)]

    def detail(self, cells: int) -> list[Line]:
        """Return the lines about the row under the cursor."""
        room = frame_text.inbox_parts(*self.app.size)[2]
        if not room:
            return []
        lines = inbox_view.shown_lines(inbox_view.detail(self.chosen, cells), self.glyphs)[: room - 1]
        lines += [[]] * (room - 1 - len(lines))
        return [frame_text.rule(cells, self.glyphs), *(fit_line(line, cells, self.glyphs.ellipsis) for line in lines)]

    @property
    def chosen(self) -> Entry | None:
        """The entry under the cursor."""
        found = self.query(LineList)
        row = found.first().chosen if found else None
        if row is None:
            return inbox_view.first(self.entries, mine_only=self.mine_only)
        return next((e for e in self.entries if isinstance(row, InboxRow) and e.row.key == row.key), None)

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Tell about the row the cursor came to."""
        super().on_line_list_highlighted(event)
        for block in self.query("#detail").results(TextBlock):
            block.show(layout=False)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open it."""
        self.do_open()

    # Keys

    def hints(self) -> list[frame_text.Hint]:
        """Return the footer: the same few keys on every row, as the first frame shows them."""
        keymap, entry = self.base.keymap, self.chosen
        names = ("open", "review", "sign", "question", "find", "palette", "help")
        return [
            (actions.shown_key(keymap.first(name)), actions.BY_ID[name].verb, inbox_view.why_not(name, entry) or "")
            for name in names
        ]

    def available(self, action_id: str) -> str | None:
        """Return why an action has no object here."""
        return inbox_view.why_not(action_id, self.chosen)

    def do_open(self) -> None:
        """Open the right thing of the row under the cursor."""
        entry = self.chosen
        if entry is not None:
            self.carnet.use_project(entry.project.id)
            self.carnet.intent = "sign" if entry.duty.kind in ("sign", "stale") else ""
            self.base.visit(target(entry))

    def _on_handoff(self, name: str, intent: str = "") -> None:
        entry = self.chosen
        if entry is not None:
            self.carnet.use_project(entry.project.id)
            self.carnet.intent = intent
            base: Path = (Route("inbox"), Route("handoff", (entry.duty.entity,)))
            self.base.visit((*base, Route(name, (entry.duty.entity,))) if name != "handoff" else base)

    def do_review(self) -> None:
        """Go through what needs me."""
        self._on_handoff("review")

    def do_sign(self) -> None:
        """Sign the package of the row."""
        self._on_handoff("handoff", "sign")

    def do_difference(self) -> None:
        """Show what changed since my last signature."""
        self._on_handoff("handoff", "difference")

    def do_edit_all(self) -> None:
        """Answer in the editor."""
        self._on_handoff("handoff", "edit_all")

    def do_settle(self) -> None:
        """Settle the conflict."""
        self.do_open()

    def do_question(self) -> None:
        """Ask about the row's subject."""
        entry = self.chosen
        if entry is not None:
            self.carnet.use_project(entry.project.id)
            self.flow(self.ask_question((entry.duty.entity,), entry.row.subject))

    def do_comment(self) -> None:
        """Comment on the row's subject."""
        entry = self.chosen
        if entry is not None:
            self.carnet.use_project(entry.project.id)
            self.flow(self.write_comment(entry.duty.entity, entry.row.subject))

    def do_timeline(self) -> None:
        """Show what happened to the row's subject."""
        entry = self.chosen
        if entry is not None:
            self.carnet.use_project(entry.project.id)
            self.base.enter(Route("timeline", (entry.duty.entity,)))

    def do_graph(self) -> None:
        """Show where the model of this handoff came from, or what the question is about."""
        entry = self.chosen
        if entry is None:
            return
        self.carnet.use_project(entry.project.id)
        asked = self.project.question(entry.duty.entity) if entry.duty.entity.startswith("question:") else None
        for one in asked.question.about if asked is not None else (entry.duty.entity,):
            handoff = self.project.handoff(one) if one.startswith("handoff:") else None
            node = handoff.opened.model if handoff is not None else one
            if node.partition(":")[0] in NODES:
                self.base.enter(Route("lineage", (node,)))
                return
        self.base.say("It is about no node.")

    def do_rescue(self) -> None:
        """Recall the model of this handoff, or lift its recall."""
        from carnet_tui.screens.recalling import recall_flow

        entry = self.chosen
        handoff = self.project.handoff(entry.duty.entity) if entry else None
        if handoff is not None:
            self.flow(recall_flow(self, handoff.opened.model))

    def do_import(self) -> None:
        """Open a bundle: the exchange lists those at hand."""
        self.base.visit((Route("exchange"),))

    def do_admit(self) -> None:
        """Show who waits to join."""
        self.base.enter(Route("people"))

    def do_mine(self) -> None:
        """Show only what needs me, or everything."""
        self.mine_only = not self.mine_only
        self.refresh_data()

    def do_find(self) -> None:
        """Find a row while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        from carnet_tui.widgets.dialogs import Picker

        things = [(e.row.key, f"{e.row.subject}  {e.row.what}", e.row.age) for e in self.entries]
        chosen = await self.ask(Picker("Find in the inbox", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            self.mine_only = False
            self.refresh_data()
            self.query_one(LineList).choose(chosen[0])

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied of the row."""
        entry = self.chosen
        if entry is None:
            return ()
        command = f"carnet handoff show {entry.row.subject}"
        if entry.duty.kind == "apart":
            return (("name", entry.row.subject), ("id", entry.duty.entity), ("command", clean(entry.duty.detail[-1])))
        return (("name", entry.row.subject), ("id", entry.duty.entity), ("line", f"{entry.row.subject}  {entry.row.what}"),
                *([("command", command)] if entry.duty.entity.startswith("handoff:") else []))  # fmt: skip


def row_key(row: InboxRow | HeadRow) -> str | None:
    """Return what identifies a row; None for a head."""
    return row.key if isinstance(row, InboxRow) else None


def target(entry: Entry) -> Path:
    """Return where Enter leads from a row: the conflict, the review, the question, the handoff."""
    duty, top = entry.duty, Route("inbox")
    handoff = Route("handoff", (duty.entity,))
    if duty.kind == "conflict":
        return (top, handoff, Route("conflict", (duty.entity, duty.item)))
    if duty.kind == "apart":
        around = Route("lineage", (duty.entity,))
        catalogued = duty.entity.partition(":")[0] in CATALOGUED
        return (top, around, Route("catalogue", (duty.entity,))) if catalogued else (top, around)
    if duty.kind == "review":
        return (top, handoff, Route("review", (duty.entity,)))
    if duty.kind == "confirm":
        return (top, handoff, Route("item", (duty.entity, duty.item)))
    if duty.kind in ("question", "replied"):
        return (top, Route("question", (duty.entity,)))
    if duty.kind == "admit":
        return (top, Route("people"))
    return (top, handoff)
