"""What the lineage screen shows, and how it comes there: four views of one selection, read on the store's thread.

What is asked for is read in three steps: what the first frame needs, what the view needs, what needs the whole graph. Each step is shown as soon as it
is there; an answer to something that is not asked any more is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.graph_layout import FOLDS, THIS
from carnet_tui.screens.lineage_verbs import NodeVerbs
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import lineage_asked, lineage_facts, lineage_rows, lineage_standing, lineage_tree, lineage_view
from carnet_tui.views.lineage_asked import EVERYTHING, Around, Asked
from carnet_tui.views.lineage_facts import Facts
from carnet_tui.views.lineage_rows import ORDERS, VIEWS, Group, Groups, Item, Numbers
from carnet_tui.views.lineage_standing import Standing
from carnet_tui.views.lineage_tree import Side, TreeRow
from carnet_tui.views.lineage_view import FOLD, TABS, Scene, Step
from carnet_tui.widgets.focus_map import FocusMap
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs
from carnet_tui.widgets.picture_map import PictureMap
from carnet_tui.widgets.view_rows import Row, ViewRows, row_key

if TYPE_CHECKING:
    from carnet_store import Desk, Project

TREE_LINES = 1_000
"""Lines that a tree begins with; right opens more."""
NOTHING_CHOSEN = "Nothing is selected; / selects anew."
NOTHING_KNOWN = "Nothing is known of it here."


class LineageViews(NodeVerbs):
    """The views; what keys do in them is `LineageScreen`'s."""

    def __init__(self) -> None:
        super().__init__()
        self.view = "focus"
        self._asked: Asked | None = None
        self._scene: Scene | None = None
        self._standing: Standing = lineage_standing.NOTHING
        self._steps: list[Step] = []
        self._cursor = ""
        """The node under the cursor, which every view looks for."""
        self._fold = ""
        """The fold of the map the cursor stands on."""
        self._group = ""
        """The row of the overview the cursor stands on."""
        self._turn = 0
        """Counts what was asked for."""
        self._ledger = ""
        """The project that is shown."""
        self._unread = True
        """Whether what stands about nodes has to be read anew."""
        self._have: set[str] = set()
        """Views that have what they show."""
        self._filled = ""
        """The view whose rows the list holds."""
        self._facts: Facts | None = None
        self._reading = False
        self._order = 0
        self._by = 0
        self._limit = TREE_LINES
        self._sides: list[Side] | None = None
        self._lines: list[TreeRow] = []
        self._digits = 0
        self._numbers: Numbers | None = None
        self._groups: Groups | None = None

    # Widgets

    def compose_content(self) -> Iterable[Widget]:
        """Yield head, the views, and the facts of the node under the cursor: below, or beside a list where there is room."""
        yield TextBlock(self._head, id="head")
        with Container(id="panes"):
            yield FocusMap(self.glyphs, self._map_room)
            yield PictureMap(self.glyphs, self._map_room)
            yield ViewRows(Rows[Row]((), row_key), self._line, row_key, glyphs=self.glyphs, empty="", id="rows")
            yield TextBlock(self._between, id="between", classes="roomy")
            yield TextView(self._fact_lines, id="facts")

    def on_mount(self) -> None:
        """Read what is asked for."""
        for one in (self.map, self.picture, self.rows):
            one.display = False
        self.refresh_data()

    @property
    def map(self) -> FocusMap:
        """The map of one hop."""
        return self.query_one(FocusMap)

    @property
    def picture(self) -> PictureMap:
        """The picture of more hops, or of a set."""
        return self.query_one(PictureMap)

    @property
    def rows(self) -> ViewRows:
        """The rows of tree, list and overview."""
        return self.query_one("#rows", ViewRows)

    @property
    def facts(self) -> TextView:
        """What is known of the node under the cursor."""
        return self.query_one("#facts", TextView)

    def _map_room(self) -> int:
        return max(4, self.room - 4) if self.compact else max(5, (self.room - 3) // 2)

    @property
    def has_nodes(self) -> bool:
        """Whether anything is shown."""
        return self._scene is not None

    @property
    def is_empty(self) -> bool:
        """Whether what is asked for names no node."""
        scene = self._scene
        return scene is not None and scene.centre is None and scene.numbers is not None and not scene.numbers

    @property
    def row(self) -> Row | None:
        """The row under the cursor, in tree, list and overview."""
        return self.rows.chosen if self.is_mounted and self.view != "focus" and self._filled == self.view else None

    @property
    def node_id(self) -> str:
        """The node under the cursor, which every key is about; empty on a fold, on a group and where there is none."""
        if self._scene is None or not self.is_mounted:
            return ""
        if self.view == "focus":
            spot = self.spot
            return "" if spot in FOLDS.values() or spot.startswith(FOLD) else spot
        row = self.row
        return row.row.id if isinstance(row, TreeRow | Item) and row.row is not None else ""

    @property
    def spot(self) -> str:
        """The spot under the cursor of the focus view: a node's id, or the key of a fold."""
        scene = self._scene
        if scene is None:
            return ""
        if self.map.display:
            chosen = self.map.chosen
            return scene.centre.id if chosen == THIS and scene.centre is not None else chosen
        return self.picture.chosen if self.picture.display else ""

    def crumb(self) -> str:
        """Return the project and what is in the middle."""
        here = super().crumb()
        scene = self._scene
        if scene is None:
            return here
        return f"{here} / {clean(scene.centre.title if scene.centre is not None else scene.text)}"

    # Lines

    def _head(self, cells: int) -> list[Line]:
        scene, glyphs = self._scene, self.glyphs
        if scene is None:
            return []
        mark = self._mark(scene.centre.id) if scene.centre is not None else ("", "", "")
        if self.compact:
            return [lineage_view.headline(scene, mark, cells, glyphs, dict(TABS)[self.view].lower())]
        note = {"list": ORDERS[self._order][1], "overview": VIEWS[self._by][1]}.get(self.view, "")
        note += f" {glyphs['left arrow']}{glyphs['right arrow']}" if note else ""
        if self.carnet.marked:
            note = f"{glyphs['mark']} {self.title_of(self.carnet.marked)}{f'   {note}' if note else ''}"
        return [
            lineage_view.headline(scene, mark, cells, glyphs),
            lineage_view.tabs(self.view, scene.text, cells, glyphs),
            lineage_view.rule([step.name for step in self._steps], scene.name, note, cells, glyphs),
        ]

    def show_mark(self) -> None:
        """Show which node is marked."""
        self.query_one("#head", TextBlock).show(layout=False)

    def _between(self, cells: int) -> list[Line]:
        return [frame_text.rule(cells, self.glyphs)] if self._scene is not None else []

    def _mark(self, entity: str, no: int | None = None) -> tuple[str, str, str]:
        """Return (sign, word, style) of what is up with a node."""
        standing = self._standing
        if no is None and (standing.tainted or standing.failed):
            no = self._scene.nos.get(entity) if self._scene is not None else None
            no = self.project.graph.find(entity) if no is None else no
        return lineage_standing.mark(standing.states(entity, no), self.glyphs)

    def _line(self, row: Row, cells: int) -> Line:
        if isinstance(row, Item):
            return lineage_rows.item_line(row, cells, self.glyphs, self._mark(row.row.id, row.no))
        if isinstance(row, Group):
            most = (
                max((one.count for one in self._groups.rows if one.term != EVERYTHING), default=0)
                if self._groups
                else 0
            )
            return lineage_rows.group_line(row, most, cells, self.glyphs)
        mark = self._mark(row.row.id) if row.row is not None else ("", "", "")
        return lineage_tree.line(row, cells, self.glyphs, mark, self._digits)

    def _fact_lines(self, cells: int) -> Sequence[Line]:
        scene, row = self._scene, self.row
        if scene is None:
            return []
        if isinstance(row, Group):
            said = self._groups.said if self._groups is not None else ""
            lines = lineage_rows.group_lines(row, VIEWS[self._by][0], cells, self.glyphs)
            return [*lines, *(paragraphs(["", f"{said}."])(cells) if said else ())]
        if self.view == "focus" and self.is_empty:
            return paragraphs(["", NOTHING_CHOSEN])(cells)
        if self.view == "focus" and not self.map.display and not self.picture.display:
            many = f"{plural(len(scene.numbers or ()), 'node')} are too many for a picture."
            further = "Enter lists them; tab goes to the tree, the list and the overview of them; / selects fewer."
            return paragraphs(["", many, further])(cells)
        if self.view == "focus" and not self.node_id:
            hidden = self._hidden()
            kinds = ", ".join(lineage_rows.of_kind(count, kind) for kind, count in hidden.items())
            return paragraphs(
                [f"Not drawn: {kinds}.", "Enter lists them with those that are drawn; / finds any node."]
            )(cells)
        if self._facts is None or self._facts.row.id != self.node_id:
            return []
        return lineage_facts.lines(self._facts, self._standing, cells, self.glyphs)

    def _hidden(self) -> dict[str, int]:
        """Return what the fold under the cursor stands for, by kind."""
        if self.map.display:
            return self.map.hidden("up" if self.spot == FOLDS["up"] else "down")
        focus = self._scene.focus if self._scene is not None else None
        return {
            clean(one.kind): one.count
            for one in (focus.folds if focus is not None else ())
            if self.spot == lineage_view.fold_key(one)
        }

    # Reading

    def refresh_data(self) -> None:
        """Read everything anew; the cursor stays on its node."""
        if not self.has_project:
            self._nothing()
            return
        self._unread = True
        self._read()

    def _read(self) -> None:
        """Read what is asked for."""
        self._turn += 1
        self._ledger = self.project.id
        self._have.clear()
        turn, asked, standing, glyphs = self._turn, self._asked, self._standing, self.glyphs

        def then(scene: Scene | None) -> None:
            if turn == self._turn:
                self._arrived(scene)

        self.far(
            lambda project: lineage_view.read_scene(project, asked, standing, glyphs),
            then,
            saying="Reading the lineage",
        )

    def _arrived(self, scene: Scene | None) -> None:
        if scene is None:
            self._nothing()
            return
        before, self._scene, self._asked = self._scene, scene, scene.asked
        if before is not None and before.asked == scene.asked and scene.totals is None:
            # What was counted stands until it is counted anew.
            self._scene = replace(scene, totals=before.totals, kinds=before.kinds)
        if scene.centre is not None and not self._cursor:
            self._cursor = scene.centre.id
        if scene.centre is None and scene.focus is None and self.view == "focus":
            self.view = "list"
        self._show_view()
        self._read_view()
        self._read_rest()

    def _read_view(self) -> None:
        """Read what tree, list or overview show, unless they have it."""
        scene, view, turn = self._scene, self.view, self._turn
        if scene is None or view == "focus" or view in self._have:
            return
        self._have.add(view)
        asked, text, order, by, limit = scene.asked, scene.text, ORDERS[self._order][0], VIEWS[self._by][0], self._limit
        known = scene.numbers

        def call(project: Project, desk: Desk) -> tuple[list[Side], list[TreeRow]] | list[int] | Groups:
            if view == "tree":
                sides = lineage_tree.read(project, asked, limit)
                return sides, lineage_tree.rows(sides)
            found = list(known) if known is not None else lineage_asked.numbers(project.graph, asked)
            if view == "list":
                return lineage_rows.ordered(project.graph, found, order)
            return lineage_rows.read_groups(project, desk, by, text, found)

        def then(found: tuple[list[Side], list[TreeRow]] | list[int] | Groups) -> None:
            if turn != self._turn or (order, by) != (ORDERS[self._order][0], VIEWS[self._by][0]):
                return
            if isinstance(found, Groups):
                self._groups = found
            elif isinstance(found, tuple):
                self._sides, self._lines = found
            else:
                self._numbers = Numbers(self.project, found)
            if view == self.view:
                self._fill()

        self.far_desk(call, then, saying="Reading the selection")

    def _read_rest(self) -> None:
        turn, wanted, standing = self._turn, self._scene, None if self._unread else self._standing
        if wanted is None:
            return
        scene, glyphs = wanted, self.glyphs

        def call(project: Project) -> tuple[Standing, Scene]:
            now = lineage_standing.read(project) if standing is None else standing
            return now, lineage_view.read_rest(project, scene, now, glyphs)

        def then(found: tuple[Standing, Scene]) -> None:
            if turn == self._turn:
                self._standing, self._scene = found
                self._unread = False
                self._show_view()

        self.far(call, then, saying="Counting what lies before and after")

    def _want_facts(self) -> None:
        """Read what is known of the node under the cursor; one reading at a time, the last wish wins."""
        entity = self.node_id
        if not entity or self._reading:
            return
        self._reading = True

        def then(found: Facts) -> None:
            self._reading = False
            if found.row.id == self.node_id:
                self._show_facts(found)
            else:
                self._want_facts()

        self.far(lambda project: lineage_facts.read(project, entity), then)

    # Showing

    def _nothing(self) -> None:
        self._scene = None
        for one in (self.map, self.picture, self.rows):
            one.display = False
        said = [
            "",
            "No node is declared yet.",
            "n declares a model, a run or a dataset; carnet add does it by command.",
            "take in, in the palette (:), reads what MLflow, DVC, git and others recorded; carnet run records a run.",
        ]
        self.facts.show(paragraphs(said))

    def _show_view(self) -> None:
        """Show the view that was chosen, with what is known by now."""
        scene = self._scene
        if scene is None:
            return
        focused = self.view == "focus"
        near = focused and isinstance(scene.asked, Around) and (scene.asked.near or scene.focus is None)
        self.map.display = near
        self.picture.display = focused and not near and scene.focus is not None
        self.rows.display = not focused
        self.set_class(focused, "-maps")
        self.set_class(not focused, "-rows")
        if near:
            self._show_map(scene)
        elif focused:
            self._show_picture(scene)
        elif self._filled == self.view:
            self._fill()
        shown = next((one for one in (self.map, self.picture, self.rows) if one.display), self.facts)
        if not shown.has_focus:
            shown.focus()
        for block in self.query(TextBlock):
            block.show()
        self._moved()

    def _show_map(self, scene: Scene) -> None:
        centre = scene.centre
        if centre is None:
            return
        ups, downs = lineage_view.leaves(scene, self._standing, self.glyphs)
        folds = lineage_view.folds(scene)
        totals = (len(ups) + sum(folds["up"].values()), len(downs) + sum(folds["down"].values()))
        mark = self._mark(centre.id)
        this = lineage_view.leaf(centre, mark)
        chosen = self._fold or (THIS if self._cursor == centre.id else self._cursor)
        self.map.show(this, ups, downs, totals, chosen, folds, lineage_view.bad_in_folds(scene))

    def _show_picture(self, scene: Scene) -> None:
        if scene.picture is not None:
            self.picture.show(scene.picture, scene.edges, self._fold or self._cursor)

    def _fill(self) -> None:
        """Give the list the rows of the view; the cursor goes to the node it stood on, where that is among them."""
        rows, again, key = self.rows, self._filled == self.view, ""
        if self.view == "tree" and self._sides is not None:
            made = self._tree_rows()
            rows.refill(Rows[Row](made, row_key))
            here = [row for row in made if row.row is not None and row.row.id == self._cursor]
            key = next((row.key for row in sorted(here, key=lambda row: row.seen > 0) if row.key), "")
        elif self.view == "list" and self._numbers is not None:
            rows.refill(self._numbers)
            key = self._cursor
        elif self.view == "overview" and self._groups is not None:
            rows.refill(Rows[Row](self._groups.rows, row_key))
            key = self._group
        else:  # it is being read
            return
        rows.empty = NOTHING_CHOSEN if self.is_empty else NOTHING_KNOWN
        self._filled = self.view
        if not again and not (key and rows.choose(key)):
            rows.action_move("first")
        self._moved()

    def _tree_rows(self) -> list[TreeRow]:
        """Return the lines of the tree, their heads as they are known by now."""
        totals = self._scene.totals if self._scene is not None else None
        heads = {
            side.name: lineage_tree.headline(
                side, None if totals is None else totals.up if side.name == "up" else totals.down
            )
            for side in self._sides or ()
        }
        self._digits = len(str(len(self._lines))) if any(row.seen for row in self._lines) else 0
        return [row if row.key is not None else replace(row, head=heads.get(row.side, "")) for row in self._lines]

    def rebuild(self, change: Callable[[Project], None]) -> None:
        """Let something change the sides of the tree, on the store's thread, and show it."""
        turn, sides = self._turn, self._sides or ()

        def call(project: Project) -> list[TreeRow]:
            change(project)
            return lineage_tree.rows(sides)

        def then(lines: list[TreeRow]) -> None:
            if turn == self._turn and sides is self._sides:
                self._lines = lines
                if self.view == "tree":
                    self._fill()

        self.far(call, then, saying="Reading what lies under it")

    def _show_facts(self, found: Facts | None = None) -> None:
        if found is not None:
            scene, row = self._scene, self.row
            relation, back = "", False
            by: tuple[str, ...] = ()
            if scene is not None and self.view == "focus":
                relation, back = lineage_view.relation_of(scene, found.row.id)
                by = tuple(lineage_view.runs_at(scene, found.row.id, self.glyphs))
            elif isinstance(row, TreeRow):
                back, by = row.back, row.via
                if lineage_tree.is_deep(row, self.rows.size.width - 1):
                    relation = f"{plural(row.depth, 'step')} from where the tree begins"
            self._facts = replace(found, relation=relation, back=back, by=by)
        self.facts.show(self._fact_lines)

    def _moved(self) -> None:
        """Show what the cursor came to."""
        entity, row = self.node_id, self.row
        if entity:
            self._cursor, self._fold = entity, ""
            self._want_facts()
        elif isinstance(row, Group):
            self._group = row.key
            self._show_facts()
        elif self.view == "focus":
            self._fold = self.spot
            self.call_after_refresh(self._show_facts)  # what is folded depends on the room the map gets
        else:
            self._show_facts()
        self.refresh_chrome()

    def on_focus_map_moved(self, event: FocusMap.Moved) -> None:
        """Show the node the cursor came to."""
        self._moved()

    def on_picture_map_moved(self, event: PictureMap.Moved) -> None:
        """Show the node the cursor came to."""
        self._moved()

    def on_focus_map_paged(self, event: FocusMap.Paged) -> None:
        """Read on in the facts."""
        self.facts.action_move(event.verb)

    def on_picture_map_paged(self, event: PictureMap.Paged) -> None:
        """Read on in the facts."""
        self.facts.action_move(event.verb)

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the row the cursor came to."""
        event.stop()
        if self._filled == self.view:
            self._moved()
