"""The lineage: a node with what is around it, or whatever an expression names, in four views of the same set.

Focus draws it, the tree unfolds it line by line, the list has any number of it, the overview collapses it. `tab` goes from view to view and the node
under the cursor stays; Enter on a node puts it in the middle, `esc` goes back to the row one left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events

from carnet_store import Project
from carnet_store.domain.columns import Column
from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import ALL, quoted
from carnet_tui import actions
from carnet_tui.frame_text import Hint
from carnet_tui.graph_layout import FOLDS
from carnet_tui.screen import Route
from carnet_tui.screens import opening
from carnet_tui.screens.lineage_verbs import command_of
from carnet_tui.screens.lineage_views import TREE_LINES, LineageViews
from carnet_tui.text import clean, width
from carnet_tui.views import lineage_asked, lineage_facts, lineage_standing, lineage_tree, lineage_view, words
from carnet_tui.views.lineage_asked import EVERYTHING, Around, Asked, Chosen
from carnet_tui.views.lineage_rows import ORDERS, VIEWS, Group
from carnet_tui.views.lineage_tree import TreeRow
from carnet_tui.views.lineage_view import FOLD, TABS, Stand, Step
from carnet_tui.widgets.chrome import Pressed
from carnet_tui.widgets.dialogs import Picker
from carnet_tui.widgets.focus_map import FocusMap
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock
from carnet_tui.widgets.picture_map import PictureMap
from carnet_tui.widgets.read_sheet import ReadSheet
from carnet_tui.widgets.selection_sheet import SelectionSheet
from carnet_tui.widgets.view_rows import Row, ViewRows, row_key

STYLE = """
LineageScreen #panes { height: 1fr; layout: vertical; }
LineageScreen #rows { height: 3fr; }
LineageScreen #facts { height: 2fr; }
LineageScreen.-maps #facts { height: 1fr; }
LineageScreen.-w120.-rows #panes { layout: horizontal; }
LineageScreen.-w120.-rows #between { display: none; }
LineageScreen.-w120.-rows #rows { width: 3fr; height: 1fr; }
LineageScreen.-w120.-rows #facts { width: 2fr; height: 1fr; padding-left: 2; }
"""
TREE_FAN = 200
"""Lines that one step of opening adds under a node."""
MORE_LINES = 4
"""By how much a set's tree grows when more of it is asked for."""


class LineageScreen(LineageViews):
    """The lineage around a node; without one, around the newest model version that is linked. `text` is an expression to show instead."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("lineage", "entity")
    PLACE: ClassVar[str] = "lineage"
    AUTO_FOCUS: ClassVar[str | None] = ""
    CSS = STYLE

    def __init__(self, entity: str = "", text: str = "", view: str = "") -> None:
        super().__init__()
        self.entity = entity
        self.view = view or ("list" if text else "focus")
        self._asked = Chosen(text) if text else Around(entity) if entity else None
        self._cursor = entity

    # Going

    def _go(self, asked: Asked, *, view: str = "", cursor: str = "") -> None:
        """Show something else; `esc` and `[` come back to where one is."""
        self._leave_here()
        self._show_asked(
            asked, view or self.view, cursor or (asked.entity if isinstance(asked, Around) else self._cursor)
        )

    def _leave_here(self) -> None:
        """Keep where one is, for the way back."""
        step = self._here()
        if step is not None:
            self.base.step()
            self._steps.append(step)

    def _here(self) -> Step | None:
        """Return where one is; None where nothing is shown."""
        scene, asked = self._scene, self._asked
        if scene is None or asked is None:
            return None
        name = scene.name
        if scene.asked != asked:  # it is still being read
            name = self.title_of(asked.entity) if isinstance(asked, Around) else clean(asked.text)
        return Step(asked, name, self.view, self._cursor, self._fold, self._group, self._ledger)

    def hold(self) -> Stand | None:
        """Return where one is and the way there."""
        step = self._here()
        return None if step is None else Stand(step, tuple(self._steps), self._order, self._by)

    def take(self, held: object) -> None:
        """Go to where one was, with the way that led there."""
        if not isinstance(held, Stand) or held == self.hold():
            return
        if held.step.project not in {row.id for row in self.desk.projects()}:  # another store was opened meanwhile
            return
        self._steps, self._order, self._by = list(held.steps), held.order, held.by
        self._use(held.step)

    def _show_asked(self, asked: Asked, view: str, cursor: str, fold: str = "", group: str = "") -> None:
        self.view, self._asked, self._group = view, asked, group
        self._cursor = "" if cursor == "-" else cursor
        self._fold, self._filled, self._limit = fold, "", TREE_LINES
        self._sides, self._lines, self._numbers, self._groups = None, [], None, None
        if self.is_mounted:  # else it is read when it is
            self.rows.refill(Rows[Row]((), row_key))
            self.rows.empty = ""
            self._read()

    def _recentre(self, entity: str) -> None:
        centre = self._scene.centre if self._scene is not None else None
        if centre is not None and centre.id == entity and self.view == "focus":
            return
        self._go(Around(entity), view="focus")

    def show_declared(self, entity: str) -> None:
        """Put a node that was declared just now in the middle."""
        self._unread = True
        if self._scene is None:
            self._show_asked(Around(entity), "focus", entity)
        else:
            self._recentre(entity)

    def do_leave(self) -> None:
        """Go back one step, to the row one left; at the start of the way, leave."""
        if not self._steps:
            self.base.do_leave()
            return
        self.base.step()
        self._use(self._steps.pop())

    def _back_to(self, at: int) -> None:
        """Go back to one of the steps of the way one came."""
        self.base.step()
        step = self._steps[at]
        del self._steps[at:]
        self._use(step)

    def _use(self, step: Step) -> None:
        """Show what was shown at a step, the cursor on its row."""
        if step.project != self.project.id:
            self.carnet.use_project(step.project)
            self.entity, self._unread = "", True
        self._show_asked(step.asked, step.view, step.cursor, step.fold, step.group)

    def do_next_pane(self) -> None:
        """Go to the next view."""
        self._switch(1)

    def do_previous_pane(self) -> None:
        """Go to the view before."""
        self._switch(-1)

    def _switch(self, step: int) -> None:
        if self._scene is None:
            return
        names = [name for name, _ in TABS]
        self.view = names[(names.index(self.view) + step) % len(names)]
        self._filled = ""
        if self.view in self._have:
            self._fill()
        elif self.view != "focus":
            self.rows.refill(Rows[Row]((), row_key))
            self.rows.empty = ""
        self._show_view()
        self._read_view()

    def _move(self, name: str) -> None:
        """Left and right: open and close in the tree, another order of the list, another property of the overview."""
        if name not in ("left", "right") or self.view == "focus" or self._scene is None:
            super()._move(name)
            return
        step = 1 if name == "right" else -1
        if self.view == "tree":
            row = self.row
            if isinstance(row, TreeRow):
                self._unfold(row) if step > 0 else self._fold_up(row)
            return
        if self.view == "list":
            self._order = (self._order + step) % len(ORDERS)
        else:
            self._by = (self._by + step) % len(VIEWS)
            self._group = ""
        self._have.discard(self.view)
        self._filled = ""
        self.show_mark()
        self._read_view()

    # The tree

    def _unfold(self, row: TreeRow) -> None:
        """Show what lies under a line; on a mention, go to where the node is expanded."""
        side = next((one for one in self._sides or () if one.name == row.side), None)
        scene = self._scene
        if side is None or scene is None:
            return
        if row.row is None:
            if row.is_rest:
                self._more_lines()
            return
        entity = row.row.id
        if row.seen:
            self._jump(row)
        elif entity in side.closed:
            self.rebuild(lambda _: side.closed.discard(entity))
        elif not row.more:
            if row.opened:
                self.rows.action_move("down")
        elif isinstance(scene.asked, Around) and scene.asked.runs:
            self.rebuild(lambda project: side.put(lineage_tree.opened(project, side, entity, TREE_FAN)))
        else:  # a set has no more than its own nodes: only lines that found no room
            self._more_lines()

    def _more_lines(self) -> None:
        """Read more of the tree than had room so far."""
        self._limit *= MORE_LINES
        self._have.discard("tree")
        self._read_view()

    def on_view_rows_mark_clicked(self, event: ViewRows.MarkClicked) -> None:
        """Do what the mark says: unfold, or go to the line it names."""
        event.stop()
        self._unfold(event.row)

    def _fold_up(self, row: TreeRow) -> None:
        """Fold what lies under a line away; where nothing does, go to the line above it."""
        side = next((one for one in self._sides or () if one.name == row.side), None)
        if side is None or row.row is None:
            return
        entity = row.row.id
        if row.opened:
            self.rebuild(lambda _: side.closed.add(entity))
            return
        for at in range(self.rows.index - 1, -1, -1):
            above = self.rows.row(at)
            if isinstance(above, TreeRow) and above.key is not None and above.depth < row.depth:
                self.rows.choose(above.key)
                return

    def _jump(self, row: TreeRow) -> None:
        for at in range(self.rows.row_count):
            other = self.rows.row(at)
            if isinstance(other, TreeRow) and other.number == row.seen and other.key is not None:
                self.rows.choose(other.key)
                return

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "find", "impact", "mark", "between", "difference", "timeline")

    def hints(self) -> list[Hint]:
        """Return the footer: Enter, then the next view."""
        found = super().hints()
        if self._scene is None:
            return found
        names = [name for name, _ in TABS]
        following = names[(names.index(self.view) + 1) % len(names)]
        return [*found[:1], (actions.shown_key(self.base.keymap.first("next_pane")), following, ""), *found[1:]]

    def on_pressed(self, message: Pressed) -> None:
        """Do what was clicked; the next view has its own name."""
        if message.hint is not None and message.hint[0] == actions.shown_key(self.base.keymap.first("next_pane")):
            message.stop()
            self.do_next_pane()
        else:
            super().on_pressed(message)

    def say_enter(self) -> str:
        """Return what Enter does where the cursor stands."""
        scene, row = self._scene, self.row
        if scene is None or not self.is_mounted:
            return ""
        if isinstance(row, Group):
            return "go in"
        if isinstance(row, TreeRow) and row.seen:
            return f"line {row.seen}"
        if isinstance(row, TreeRow) and row.is_rest:
            return "show more"
        if not self.node_id:
            return "" if self.is_empty else "list them"
        if scene.centre is not None and scene.centre.id == self.node_id:
            return "menu"
        return "recentre"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id == "open" and isinstance(self.row, Group) and not self.row.term:
            return "no expression names these"
        if action_id == "open" and self.is_empty and not isinstance(self.row, Group):
            return "nothing is selected, /"
        return super().available(action_id)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied: of the node under the cursor, and the selection with its command."""
        offers = list(super().copies())
        row = self.row
        text = row.term if isinstance(row, Group) else self._scene.text if self._scene is not None else ""
        if text:
            offers += [("selection", text), ("its command", command_of(text))]
        return offers

    def on_click(self, event: events.Click) -> None:
        """Go to the view whose name is under the pointer, or back to the step that is."""
        head = self.query_one("#head", TextBlock)
        if event.widget is not head or self._scene is None or not 0 < event.y < len(head.lines(head.size.width)):
            return
        if event.y > 1:
            at = lineage_view.step_at(head.lines(head.size.width)[event.y], len(self._steps), event.x)
            if at is not None:
                self._back_to(at)
            return
        x = event.x
        for text, _ in head.lines(head.size.width)[1]:
            x -= width(text)
            if x < 0:
                names = [title for _, title in TABS]
                if text in names:
                    self._switch(names.index(text) - [name for name, _ in TABS].index(self.view))
                return

    def on_focus_map_opened(self, event: FocusMap.Opened) -> None:
        """Do what Enter says."""
        self.do_open()

    def on_picture_map_opened(self, event: PictureMap.Opened) -> None:
        """Do what Enter says."""
        self.do_open()

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Do what Enter says."""
        event.stop()
        self.call_later(self.action_act, "open")

    def do_open(self) -> None:
        """Put the node in the middle; on the one in the middle offer what can be seen of it; on a fold or a group go in."""
        scene, row = self._scene, self.row
        if scene is None:
            return
        if isinstance(row, Group):
            self._go_in(row)
        elif isinstance(row, TreeRow) and row.seen:
            self._jump(row)
        elif isinstance(row, TreeRow) and row.is_rest:
            self._unfold(row)
        elif self.view == "focus" and not self.map.display and not self.picture.display:
            names = [name for name, _ in TABS]
            self._switch(names.index("list") - names.index(self.view))
        elif not self.node_id:
            self._list_fold()
        elif scene.centre is not None and scene.centre.id == self.node_id:
            self.flow(self._menu(self.node_id))
        else:
            self._recentre(self.node_id)

    def _go_in(self, group: Group) -> None:
        if group.project and group.project != self.project.id:
            self._leave_here()
            self.carnet.use_project(group.project)
            self.entity, self._unread = "", True
            self._show_asked(Chosen(EVERYTHING), "overview", "")
            self._by = 0
        elif group.term:
            view = "overview" if group.term == EVERYTHING else "list"
            self._by = 0 if group.project else self._by
            self._go(Chosen(group.term), view=view, cursor="-")

    def _list_fold(self) -> None:
        """List all neighbours of the kinds that a fold stands for."""
        scene, spot = self._scene, self.spot
        if scene is None:
            return
        if spot in FOLDS.values():
            side, kind, parent = ("up" if spot == FOLDS["up"] else "down"), "", scene.centre.id if scene.centre else ""
        elif spot.startswith(FOLD):
            side, kind, parent = spot.removeprefix(FOLD).split(" ", 2)
        else:
            return

        def read(text: str) -> str:
            around = f"1+{text}" if side == "up" else f"{text}+1"
            kinds = [kind] if kind in NODES else list(self._hidden()) if len(self._hidden()) == 1 else []
            return f"{around},kind:{kinds[0]} not {text}" if kinds and kinds[0] in NODES else f"{around} not {text}"

        async def steps() -> None:
            text = await self.far_aside(lambda project: lineage_asked.spelled(project.graph, parent))
            self._go(Chosen(read(text)), view="list", cursor=self._cursor)

        self.flow(steps())

    async def _menu(self, entity: str) -> None:
        """Offer what can be seen of the node in the middle."""
        asked = self._asked if isinstance(self._asked, Around) else Around(entity)
        things: list[tuple[str, str, str]] = []
        page = opening.page(self.project, entity)
        if page is not None:
            things.append(("page", f"its {page.name} entry" if page.name == "catalogue" else f"its {page.name}", ""))
        crossed = self._standing.crossed.get(entity, ())
        for one, name in zip(crossed, lineage_standing.names_of(crossed, entity), strict=True):
            things.append((one.handoff, f"handoff {name}", words.gate_state(one.verdict, self.glyphs)[1]))
        things.append(("facts", "all that is known of it", "values in full"))
        if page is not None and page.name == "catalogue":
            things.append(("columns", "the ways of a column", "where it came from, what came of it"))
        things.append(("wider", "one hop more each way", f"now {hops(asked)}"))
        if asked.up > 1 or asked.down > 1:
            things.append(("narrower", "one hop less", f"now {hops(asked)}"))
        things += [("up", "all that it comes from", ""), ("down", "all that came of it", "")]
        if asked.runs and not entity.startswith("run:"):
            things.append(("without", "leave runs out", "what went into a run is tied to what came of it"))
        elif not asked.runs:
            things.append(("with", "show runs", ""))
        title = f"{clean(entity.partition(':')[0])} {self.title_of(entity)}"
        chosen = await self.ask(Picker(title, things, glyphs=self.glyphs, verb="show"))
        if chosen is None:
            return
        name = chosen[0]
        if name == "page" and page is not None:
            self.base.enter(page)
        elif name == "facts":
            facts = await self.far_aside(lambda project: lineage_facts.read(project, entity))
            standing, glyphs = self._standing, self.glyphs
            self.app.push_screen(
                ReadSheet(
                    title, lambda cells: lineage_facts.lines(facts, standing, cells, glyphs, whole=True), glyphs=glyphs
                )
            )
        elif name == "columns":
            await self._column(entity, title)
        elif name.startswith("handoff:"):
            self.go(name)
        else:
            ways = {
                "wider": asked.wider(1), "narrower": asked.wider(-1), "up": Around(entity, ALL, 0), "down": Around(entity, 0, ALL),
                "without": Around(entity, max(2, asked.up), max(2, asked.down), runs=False), "with": Around(entity, asked.up, asked.down),
            }  # fmt: skip
            self._go(ways[name])

    async def _column(self, entity: str, title: str) -> None:
        """Offer the columns of a thing, and show the ways of one."""

        def read(project: Project) -> list[tuple[str, str, str]]:
            known = project.graph.columns
            told = [(name, known.counts(Column(entity, name))) for name in project.graph.fields(entity)]
            return [
                (name, clean(name), f"from {ups}, into {downs}" if ups or downs else "") for name, (ups, downs) in told
            ]

        columns = await self.far_aside(read, saying="Reading its columns")
        if not columns:
            self.base.say("No schema and no column lineage is recorded of it.")
            return
        chosen = await self.ask(Picker(f"{title}: which column?", columns, glyphs=self.glyphs, verb="show its ways"))
        if chosen is not None:
            self.base.enter(Route("column", (entity, chosen[0])))

    def do_edge(self) -> None:
        """Add an edge from this node to another."""
        entity = self.node_id

        async def steps() -> None:
            await self.add_edge(entity)

        self.flow(steps())

    def do_new(self) -> None:
        """Declare a node: its kind, a short form, a preview, then its edges."""
        self.flow(self.declare())

    def do_graph(self) -> None:
        """Put the node under the cursor in the middle."""
        self._recentre(self.node_id)

    def _spelled(self, entity: str) -> str:
        """Return a node's name as a selection spells it, for examples; empty where it has none that can be shown."""
        title = self.project.row(entity).title if entity else ""
        return quoted(title) if title and clean(title) == title else ""

    def do_find(self) -> None:
        """Go to any node, or show what an expression names."""
        self.find()

    def find(self, typed: str = "") -> None:
        """Open the field that finds and selects, as if something had been typed into it."""
        self.flow(self._find(typed))

    async def _find(self, typed: str = "") -> None:
        from carnet_tui.taking_in import follow_search

        ledger, scene = self.project.id, self._scene
        node, other = (self._spelled(entity) for entity in (self._cursor, self.carnet.marked))
        sheet = SelectionSheet(
            scene.text if scene is not None else "", node, other, ledger, self.far,
            lambda then: follow_search(self.carnet, ledger, then), glyphs=self.glyphs, typed=typed,
        )  # fmt: skip
        offer = await self.ask(sheet)
        if offer is None:
            return
        if offer.what == "node":
            self._recentre(offer.value)
            return
        if offer.what == "subject":
            self.go(offer.value, offer.item)
            return
        asked = await self.far_aside(lambda project: lineage_asked.read(project.graph, offer.value))
        SelectionSheet.remember(ledger, offer.value)
        if scene is None or asked != scene.asked:
            self._go(asked)


def hops(asked: Around) -> str:
    """Return how many hops are shown, in words."""
    up, down = ("all" if one == ALL else str(one) for one in (asked.up, asked.down))
    return f"{up} up, {down} down"
