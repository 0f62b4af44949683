"""A handoff: what crosses, its verdict with reasons, who is waited for, and the items, mine and open first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal
from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.answer_dialogs import names_of
from carnet_tui.handoff_weighty import WeightyVerbs
from carnet_tui.screen import Route
from carnet_tui.text import Line, clean
from carnet_tui.views import handoff_view, item_view, proposal_view
from carnet_tui.views.handoff_view import Row
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView

if TYPE_CHECKING:
    from carnet_store import ItemStatus

STYLE = """
HandoffScreen #panes { height: 1fr; }
HandoffScreen #list { width: 1fr; }
HandoffScreen #detail, HandoffScreen #side { display: none; }
HandoffScreen.-w120 #detail { display: block; width: 1fr; height: 1fr; padding-left: 2; }
HandoffScreen.-w160 #side { display: block; width: 44; height: 1fr; padding-left: 2; }
HandoffScreen.-w160 #list { width: 74; }
"""


class HandoffScreen(WeightyVerbs):
    """One handoff."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("handoff",)
    PLACE = "inbox"
    CSS = STYLE

    def __init__(self, handoff: str) -> None:
        super().__init__(handoff)
        self.mine_only = True
        self.since = ""
        self.came_to_take = False
        """Whether one came for what the record answers."""

    # Reading

    def read_all(self) -> None:
        """Read the handoff and its rows."""
        self.read()

    def rows(self) -> list[Row]:
        """Return the rows of the list."""
        if self.look is None:
            return []
        found = handoff_view.rows(
            self.look, self.viewer, self.holders, self.project.now(), self.glyphs,
            mine_only=self.mine_only, drafts=self.drafted(), proposed=self.proposed(),
        )  # fmt: skip
        mine = len(self.proposed_to_me())
        return [proposal_view.take_row(mine, self.glyphs), *found] if mine else found

    def refresh_data(self) -> None:
        """Show what is true now."""
        self.read()
        self.fill_list()

    def fill_list(self) -> None:
        """Fill the list, and paint what stands around it."""
        for found in self.query("#list").results(LineList):
            found.empty = self.empty()
            found.refill(Rows(self.rows(), row_key))
        self.show_blocks()

    def show_heard(self) -> None:
        """Mark what the record answers; who came to take it finds the cursor there."""
        self.fill_list()
        self.go_to_proposals()
        self.refresh_chrome()

    def go_to_proposals(self) -> None:
        """Put the cursor on the row that takes all proposals, once, where one came for it."""
        if not self.came_to_take or self.heard is None:
            return
        self.came_to_take = False
        if self.proposed_to_me():
            self.query_one("#list", LineList).choose(proposal_view.TAKE)

    def show_blocks(self) -> None:
        """Paint what stands around the list."""
        for block in self.query("#head, #over").results(TextBlock):
            block.show(layout=False)
        self.show_detail()
        for view in self.query("#side").results(TextView):
            view.show(self.side_lines)

    def empty(self) -> str:
        """Return what stands where there are no rows."""
        if self.look is None:
            return "This handoff cannot be shown; [ goes back."
        return f"Nothing here waits for you now. f shows all {len(self.look.status.items)} items."

    # Showing

    def compose_content(self) -> Iterable[Widget]:
        """Yield head, list, and the panes of wide screens."""
        self.read()
        if self.look is not None and not any(row.mine for row in self.rows()):
            self.mine_only = False
        glyphs = self.glyphs
        yield TextBlock(self.head_lines, id="head")
        yield TextBlock(self.over_lines, id="over", classes="roomy")
        with Horizontal(id="panes"):
            yield LineList(
                Rows(self.rows(), row_key), lambda row, cells: handoff_view.row_line(row, cells, glyphs), row_key,
                glyphs=glyphs, empty=self.empty(), id="list",
            )  # fmt: skip
            yield TextView(self.detail_lines, id="detail")
            yield TextView(self.side_lines, id="side")

    def head_lines(self, cells: int) -> list[Line]:
        """Return what stands above the list."""
        if self.look is None:
            return [[(" This handoff cannot be shown.", "bad")]]
        small = frame_text.compact(*self.app.size)
        return handoff_view.head_lines(
            self.look, cells, self.project.now(), self.viewer, self.holders, self.glyphs, self.since, small
        )

    def over_lines(self, cells: int) -> list[Line]:
        """Return the rule over the list and its filter."""
        if self.look is None:
            return [frame_text.rule(cells, self.glyphs)]
        total, mine = len(self.look.status.items), len(self.review_items())
        left = f"yours and open, {mine} of {total}" if self.mine_only else f"all {total} items"
        said = proposal_view.head_words(len(self.proposed()), total)
        left += f"; {said}" if said else ""
        right = "f shows all" if self.mine_only else "f shows yours"
        return [frame_text.rule(cells, self.glyphs), frame_text.headline(left, right, cells, self.glyphs)]

    def detail_lines(self, cells: int) -> list[Line]:
        """Return the item under the cursor, or all that the record answers, for the pane beside the list."""
        if self.row is not None and self.row.kind == "record":
            return list(self.taking()(cells))
        one = self.current
        if one is None or self.look is None:
            return []
        facts = self.facts_of(one)
        lines = item_view.head_lines(facts, cells, self.glyphs)
        return [*lines, *item_view.body_lines(facts, cells, self.project.now(), names_of(self), self.glyphs)]

    def side_lines(self, cells: int) -> list[Line]:
        """Return people, questions and activity, for the widest screens."""
        if self.look is None:
            return []
        viewer = self.viewer
        lately = handoff_view.lately(self.project.changes(self.entity), viewer.name)
        return handoff_view.side_lines(self.look, cells, self.project.now(), viewer, lately, self.glyphs)

    def show_detail(self) -> None:
        """Show the item under the cursor beside the list."""
        for view in self.query("#detail").results(TextView):
            view.show(self.detail_lines)

    def on_mount(self) -> None:
        """Note that I looked, and do what I came for."""
        for view in self.query(TextView):
            view.can_focus = False
        if self.look is not None and self.me:
            looked = self.acts().looked(self.entity)
            self.since = handoff_view.since_words(self.project.changes(self.entity), looked, self.project.now())
            self.show_blocks()
        intent, self.carnet.intent = self.carnet.intent, ""
        if intent == "take_proposals":
            self.came_to_take = True
            self.go_to_proposals()
        elif intent:
            self.call_after_refresh(self.action_act, intent)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        found = self.query("#list").results(LineList)
        for one in found:
            row: Row | None = one.chosen
            return row
        return None

    @property
    def current(self) -> ItemStatus | None:
        """The item under the cursor."""
        row = self.row
        return self.look.status.item(row.item) if self.look and row and row.kind == "item" else None

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the row's item beside the list, and what can be done with it."""
        super().on_line_list_highlighted(event)
        self.show_detail()

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open the row."""
        self.do_open()

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the keys that matter most on the row under the cursor."""
        one = self.current
        if one is None:
            return ("open", "sign", "review", "mine")
        first = {"answered": "verify", "conflict": "settle"}.get(one.state, "answer")
        order = ("open", first, "review", "sign", "mine", "edit_all", "difference", "question")
        return tuple(sorted(order, key=lambda name: self.available(name) is not None))

    def available(self, action_id: str) -> str | None:
        """Return why an action cannot be done now."""
        if action_id in ("mine", "find"):
            return None
        if action_id == "open" and self.row is None:
            return "nothing is listed"
        return super().available(action_id)

    def hints(self) -> list[frame_text.Hint]:
        """Return the footer; Enter says what it takes on the row of proposals."""
        found = super().hints()
        taking = self.row is not None and self.row.kind == "record"
        return [(key, "take them" if taking and verb == "open" else verb, why) for key, verb, why in found]

    def do_open(self) -> None:
        """Open the item; act on a reason or a sign-off row."""
        row = self.row
        if row is None:
            return
        if row.kind == "item":
            one = self.current
            if one is not None and one.state == "conflict" and row.mine:
                self.base.enter(Route("conflict", (self.entity, row.item)))
            else:
                self.base.enter(Route("item", (self.entity, row.item)))
        elif row.kind == "record":
            self.do_take_proposals()
        elif row.kind == "sign" or row.item in ("unsealed", "changed"):
            reason = self.why_not_sign()
            if reason is None:
                self.do_sign()
            else:
                self.base.say(f"You cannot sign now: {reason}.")
        elif row.item == "question" and self.look is not None:
            ahead = [q for q in self.look.status.questions if q.question.blocking and q.state != "closed"]
            if ahead:
                self.base.enter(Route("question", (ahead[0].id,)))
        elif row.item == "recalled":
            self.do_graph()
        else:
            self.base.say(row.name)

    def do_mine(self) -> None:
        """Show what is mine and open, or everything."""
        self.mine_only = not self.mine_only
        self.fill_list()

    def do_find(self) -> None:
        """Find an item while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        from carnet_tui.widgets.dialogs import Picker

        look = self.the_look()
        things = [
            (f"item:{one.item.id}", f"{clean(one.item.id)}  {clean(one.item.title)}", one.state)
            for one in look.status.items
        ]
        chosen = await self.ask(Picker("Find an item", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            if self.mine_only:
                self.do_mine()
            self.query_one("#list", LineList).choose(chosen[0])

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied."""
        if self.look is None:
            return ()
        offers = [("handoff", self.named()), ("id", self.entity)]
        if self.look.status.package:
            offers.append(("digest", f"sha256:{self.look.status.package}"))
        if self.current is not None:
            offers.append(("item", clean(self.current.item.id)))
        return (*offers, ("command", f"carnet handoff show {self.named()}"))


def row_key(row: Row) -> str | None:
    """Return what identifies a row; None for a head."""
    return row.key or None
