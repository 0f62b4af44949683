"""Models (place 2): every version with its stage; `n` makes a new version and opens its handoff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from carnet_store.errors import CarnetError
from carnet_tui import frame_text
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.screen import Route
from carnet_tui.text import Line, clean
from carnet_tui.views import models_view, words
from carnet_tui.views.models_view import Crossing, ModelRow
from carnet_tui.widgets.line_list import LineList, Rows, RowSource
from carnet_tui.widgets.lines import TextBlock

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project

FOUND_AT_MOST = 200


class Versions:
    """Model versions of a project, a page at a time; a verdict is computed when its row is painted, and kept."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.by_model: dict[str, list[str]] = {}
        for handoff in reversed(project.handoffs()):
            self.by_model.setdefault(handoff.opened.model, []).append(handoff.id)
        self._rows: dict[str, ModelRow] = {}
        self.bad: Mapping[str, str] = {}
        """Version -> `recalled` or `tainted`, where a recall stands."""

    def count(self) -> int:
        """Return how many versions there are."""
        return self.project.count("model")

    def page(self, start: int, length: int) -> Sequence[EntityRow]:
        """Return versions, newest first."""
        return self.project.entities("model", start=start, limit=length)

    def find(self, key: str) -> int | None:
        """Return where a version stands."""
        at = 0
        while rows := self.project.entities("model", start=at, limit=1024):
            for offset, row in enumerate(rows):
                if row.id == key:
                    return at + offset
            at += len(rows)
        return None

    def shown(self, row: EntityRow) -> ModelRow:
        """Return a version with where it stands."""
        if row.id not in self._rows:
            crossings = [self.crossing(handoff) for handoff in self.by_model.get(row.id, ())]
            self._rows[row.id] = models_view.model_row(row, crossings, self.bad.get(row.id, ""))
        return self._rows[row.id]

    def mark(self, bad: Mapping[str, str]) -> None:
        """Say which versions are recalled or tainted."""
        self.bad = bad
        for entity in bad:
            self._rows.pop(entity, None)

    def crossing(self, handoff: str) -> Crossing:
        """Return a handoff as the track shows it."""
        try:
            look = self.project.look(handoff)
        except CarnetError:
            found = self.project.handoff(handoff)
            ends = (found.opened.from_stage, found.opened.to_stage) if found else ("", "")
            return Crossing(handoff, *ends, "too new", 0, 0)
        opened, status = look.handoff.opened, look.status
        recalled = any(reason.code == "recalled" for reason in status.reasons)
        done, total = status.done, len(status.items)
        return Crossing(handoff, opened.from_stage, opened.to_stage, status.verdict, done, total, recalled)


class ModelsScreen(DeskScreen):
    """Place 2."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("models", "model")
    PLACE = "models"

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, legend."""
        self.trouble = ""
        glyphs = self.glyphs
        try:
            self.source: Versions | None = Versions(self.project)
            now = self.project.now()
        except CarnetError as error:
            self.source, now = None, 0
            self.trouble = clean(f"{error.message}; {error.hint}")
        yield TextBlock(self.headline, classes="roomy", id="over")
        rows: RowSource[EntityRow] = self.source or Rows([], row_key)

        def line(row: EntityRow, cells: int) -> Line:
            return models_view.model_line(self.source.shown(row), cells, now, glyphs) if self.source else []

        empty = self.trouble or "No model yet. n makes the first version and opens its handoff."
        yield LineList(rows, line, row_key, glyphs=glyphs, empty=empty)
        yield TextBlock(lambda cells: [[(f" {models_view.legend(glyphs)}", "dim")]], classes="roomy")

    def headline(self, cells: int) -> list[Line]:
        """Return the line above the list."""
        count = self.source.count() if self.source else 0
        return [frame_text.headline("model versions, newest first", words.count(count, "version"), cells, self.glyphs)]

    def refresh_data(self) -> None:
        """Show what is true now."""
        if self.source is not None:
            self.source = Versions(self.project)
            for found in self.query(LineList):
                found.refill(self.source)
            for block in self.query("#over").results(TextBlock):
                block.show(layout=False)
            self.read_recalls()

    def on_mount(self) -> None:
        """Read what is recalled."""
        self.read_recalls()

    def read_recalls(self) -> None:
        """Mark the versions that are recalled, or came of something that is; where nothing is, nothing is read."""
        if self.source is None or not self.project.recalls():
            return
        from carnet_tui.views import lineage_standing

        source, ledger = self.source, self.project.id

        def read() -> dict[str, str]:
            with self.desk.clone() as desk:
                return lineage_standing.read_bad(desk.store.project(ledger), "model")

        def then(found: dict[str, str]) -> None:
            if source is self.source:
                source.mark(found)
                for rows in self.query(LineList):
                    rows.refill(source)

        self.work(read, then, saying="Reading what is recalled")

    @property
    def row(self) -> ModelRow | None:
        """The version under the cursor."""
        found = self.query(LineList)
        row: EntityRow | None = found.first().chosen if found else None
        return self.source.shown(row) if row is not None and self.source is not None else None

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the keys that matter most here."""
        return ("open", "new", "graph", "find", "export")

    def available(self, action_id: str) -> str | None:
        """Return why an action has no object."""
        if (
            action_id in ("open", "find", "export", "graph", "timeline", "impact", "mark", "rescue")
            and self.row is None
        ):
            return "no model yet, n makes one"
        if action_id == "rescue" and not self.me:
            return "choose who you are, @"
        if action_id == "difference" and (
            not self.carnet.marked.startswith("model:") or self.row is None or self.carnet.marked == self.row.entity
        ):
            return "m marks another version first"
        return None

    def do_open(self) -> None:
        """Open the version's newest handoff; where it came from if it has none."""
        row = self.row
        if row is None:
            return
        going = row.open or (row.crossings[-1] if row.crossings else None)
        if going is None:
            self.base.enter(Route("lineage", (row.entity,)))
        else:
            self.base.enter(Route("handoff", (going.handoff,)))

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open it."""
        self.do_open()

    def do_graph(self) -> None:
        """Show where it came from."""
        if self.row is not None:
            self.base.enter(Route("lineage", (self.row.entity,)))

    def do_impact(self) -> None:
        """Show what a change of it would touch."""
        if self.row is not None:
            self.base.enter(Route("impact", (self.row.entity,)))

    def do_mark(self) -> None:
        """Mark it, to compare another with it."""
        if self.row is not None:
            self.carnet.marked = self.row.entity
            self.base.say(f"Marked {self.row.title}: d on another version compares the two.")

    def do_difference(self) -> None:
        """Show how it differs from the marked version, with all they come from."""
        if self.row is not None:
            self.base.enter(Route("compare", (self.carnet.marked, self.row.entity)))

    def do_rescue(self) -> None:
        """Recall it, or lift its recall."""
        from carnet_tui.screens.recalling import recall_flow

        if self.row is not None:
            self.flow(recall_flow(self, self.row.entity))

    def do_timeline(self) -> None:
        """Show what happened to it."""
        if self.row is not None:
            self.base.enter(Route("timeline", (self.row.entity,)))

    def do_export(self) -> None:
        """Write a bundle: the exchange does it."""
        self.base.visit((Route("exchange"),))

    def do_find(self) -> None:
        """Find a version while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        from carnet_tui.widgets.dialogs import Picker

        now = self.project.now()
        rows = self.project.entities("model", limit=FOUND_AT_MOST)
        things = [(row.id, clean(row.title), words.ago(row.t, now)) for row in rows]
        chosen = await self.ask(Picker("Find a version", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            self.query_one(LineList).choose(chosen[0])

    def do_new(self) -> None:
        """Make a new version, or open a handoff of the one under the cursor."""
        from carnet_tui.screens.open_handoff import open_flow

        self.flow(open_flow(self, self.row.entity if self.row else ""))

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied."""
        row = self.row
        return (("name", row.title), ("id", row.entity), ("command", f"carnet handoff open {row.title}")) if row else ()


def row_key(row: EntityRow) -> str:
    """Return what identifies a row."""
    return row.id
