"""What happened, newest first: sentences by day, each change in full below, the record verified on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual.widget import Widget

from carnet_store import CarnetError, Project
from carnet_tui import frame_text
from carnet_tui.screen import Route
from carnet_tui.screens.subjects import SubjectScreen, route_of
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import timeline_view
from carnet_tui.views.fields import one_line
from carnet_tui.views.timeline_view import Entry, Names
from carnet_tui.widgets.chrome import Bottom
from carnet_tui.widgets.dialogs import MessageBox, Picker
from carnet_tui.widgets.line_list import LineList
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

SUBJECTS_AT_MOST = 1000
ALTERED = "The record was altered here: the command `verify record` (press : for commands) tells where."
SAY_EVERY = 5000
"""Events between two words about how far the verification has come."""


class History:
    """The changes of a subject, or of all, as a source of rows: pages out of the store when they come into view."""

    def __init__(self, project: Project | None, entity: str, me: str) -> None:
        self._project = project
        self._me = me
        self._order: Sequence[int] = project.history_order(entity) if project is not None else ()
        self.names = Names(project) if project is not None else None

    def count(self) -> int:
        """Return how many changes there are."""
        return len(self._order)

    def page(self, start: int, length: int) -> Sequence[Entry]:
        """Return a page; a day stands on its first row alone, so the row before the page is looked at too."""
        if self._project is None or self.names is None:
            return ()
        first = max(0, start - 1)
        try:
            rows = self._project.changes_at(self._order[first : start + length])
        except CarnetError:  # an altered row: the others are shown all the same
            return [self._alone(at) for at in range(start, min(start + length, len(self._order)))]
        before = rows[0] if start > first and rows else None
        return timeline_view.entries(rows[start - first :], before, self.names, self._me)

    def _alone(self, at: int) -> Entry:
        if self._project is None or self.names is None:
            raise LookupError(at)
        try:
            rows = self._project.changes_at(self._order[at : at + 1])
        except CarnetError as error:
            return timeline_view.unreadable(at, clean(error.message))
        return timeline_view.entries(rows, None, self.names, self._me)[0]

    def find(self, key: str) -> int | None:
        """Return where a change stands now."""
        return self._project.change_place(key, self._order) if self._project is not None else None


class TimelineScreen(SubjectScreen):
    """The timeline of a subject; without one, of the whole record."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("timeline",)
    PLACE: ClassVar[str] = "timeline"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"

    def __init__(self, entity: str = "") -> None:
        super().__init__()
        self.entity = entity
        self._source = History(None, "", "")
        self._signoffs: dict[str, Any] = {}

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, and the chosen change in full."""
        yield TextBlock(self._head, classes="roomy")
        yield LineList(
            self._source, lambda row, cells: timeline_view.entry_line(row, cells, self.glyphs), lambda row: row.key,
            glyphs=self.glyphs, empty="Nothing has happened yet.",
        )  # fmt: skip
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        yield TextView(lambda cells: [], id="detail", classes="roomy")

    def on_mount(self) -> None:
        """Read the first page."""
        self.refresh_data()

    def _head(self, cells: int) -> list[Line]:
        title = one_line(self.project.title(self.entity)) if self.entity else "everything"
        return [frame_text.headline(title, plural(self._source.count(), "change"), cells, self.glyphs)]

    def crumb(self) -> str:
        """Return the project and the subject."""
        here = super().crumb()
        return f"{here} / {one_line(self.project.title(self.entity))}" if self.entity else here

    def refresh_data(self) -> None:
        """Read anew; the cursor stays on its change."""
        self._signoffs.clear()
        project = self.project if self.has_project else None
        self._source = History(project, self.entity, self.me)
        self.query_one(LineList).refill(self._source)
        for block in self.query(TextBlock):
            block.show(layout=False)
        self._show_chosen()

    @property
    def chosen(self) -> Entry | None:
        """The change under the cursor."""
        found = self.query(LineList)
        return found.first().chosen if found else None

    def _show_chosen(self) -> None:
        entry = self.chosen
        detail = self.query_one("#detail", TextView)
        if entry is None:
            detail.show(lambda cells: [])
            return
        if entry.change is None:
            detail.show(paragraphs([entry.said, "", ALTERED]))
            return
        try:
            held = self.project.ledger.event(entry.key.partition(".")[0])
        except CarnetError as error:
            detail.show(paragraphs([entry.said, "", clean(error.message), ALTERED]))
            return
        header, chain = (held[0].header, held[1]) if held is not None else (None, "")
        so = self._consequences(entry)
        names = self._source.names or Names(self.project)
        detail.show(lambda cells: timeline_view.details(entry, header, chain, so, names, cells))

    def _consequences(self, entry: Entry) -> list[str]:
        """Say what became of sign-offs, for changes of a handoff; each handoff is judged once."""
        if not entry.entity.startswith("handoff:") or entry.reason:
            return []
        if entry.entity not in self._signoffs:
            try:
                self._signoffs[entry.entity] = self.project.look(entry.entity).status.signoffs
            except CarnetError:
                self._signoffs[entry.entity] = ()
        found = []
        for one in self._signoffs[entry.entity]:
            if one.fresh:
                continue
            who = f"{clean(self.project.person_name(one.change.person))}'s sign-off as {one.predicate.role.replace('_', ' ')}"
            if one.change.id == entry.key:
                found += [f"this sign-off is stale: {clean(reason)}" for reason in one.reasons[:3]]
            elif entry.item and entry.item in one.changed_items and entry.change.t >= one.change.t:
                found.append(f"this made {clean(who)} stale")
        return found

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the change the cursor came to."""
        event.stop()
        self._show_chosen()
        for foot in self.query(Bottom):
            foot.show(layout=False)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open its subject."""
        event.stop()
        self._open(event.row)

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "find", "timeline", "graph", "comment", "question")

    def say_enter(self) -> str:
        """Enter opens what the change is about."""
        return "open subject"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        entry = self.chosen
        if action_id in ("find", "check") and not self.has_project:
            return "no project yet"
        if action_id in ("open", "timeline", "graph", "raw", "comment", "question"):
            if entry is None:
                return "nothing is chosen"
            if entry.change is None:
                return "it cannot be read"
        if action_id == "timeline" and entry is not None and entry.entity == self.entity:
            return "this is its timeline"
        if action_id == "graph" and entry is not None and not self._node(entry):
            return "it is about no node"
        if action_id in ("comment", "question"):
            return self.may_write()
        return super().available(action_id)

    def _node(self, entry: Entry) -> str:
        kind = entry.entity.partition(":")[0]
        if kind == "handoff":
            handoff = self.project.handoff(entry.entity)
            return handoff.opened.model if handoff else ""
        return entry.entity if route_of(entry.entity).name == "lineage" else ""

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return digest, sentence and ids of the change."""
        entry = self.chosen
        if entry is None or entry.change is None:
            return ()
        line = f"{words_of(entry)} ({entry.event})"
        return (("digest", entry.key.partition(".")[0]), ("line", line), ("change", entry.key), ("subject", entry.entity),
                ("command", f"carnet log {entry.entity}"))  # fmt: skip

    def do_open(self) -> None:
        """Open the subject of the chosen change."""
        if self.chosen is not None:
            self._open(self.chosen)

    def _open(self, entry: Entry) -> None:
        if entry.change is not None:
            self.base.enter(route_of(entry.entity, entry.item))

    def do_timeline(self) -> None:
        """Show the subject's own timeline."""
        if self.chosen is not None:
            self.base.enter(Route("timeline", (self.chosen.entity,)))

    def do_graph(self) -> None:
        """Show the subject in the lineage."""
        if self.chosen is not None:
            self.graph_of(self._node(self.chosen))

    def do_comment(self) -> None:
        """Comment on the subject."""
        if self.chosen is not None:
            self.flow(self.write_comment(self.chosen.entity, one_line(self.project.title(self.chosen.entity))))

    def do_question(self) -> None:
        """Ask about the subject."""
        if self.chosen is not None:
            entity = self.chosen.entity
            self.flow(self.ask_question([entity], one_line(self.project.title(entity)), item=self.chosen.item))

    def do_find(self) -> None:
        """Choose whose timeline to see."""
        self.flow(self._find())

    async def _find(self) -> None:
        project = self.project
        things = [("", "everything", "the whole record")]
        things += [(h.id, one_line(project.row(h.opened.model).title), "handoff") for h in project.handoffs()]
        for kind, ids in (
            ("decision", [d.id for d in project.decisions()]),
            ("question", [q.id for q in project.questions()]),
        ):
            things += [(entity, f"{project.code(entity)}  {one_line(project.title(entity))}", kind) for entity in ids]
        things += [(row.id, clean(row.title), clean(row.kind)) for row in project.entities(limit=SUBJECTS_AT_MOST)]
        chosen = await self.ask(Picker("Whose timeline?", things, glyphs=self.glyphs, verb="show"))
        if chosen is not None:
            self.entity = chosen[0]
            self.refresh_data()
            self.query_one(LineList).action_move("first")
            self.refresh_chrome()

    def do_raw(self) -> None:
        """Show the exact signed bytes of the chosen change's event."""
        entry = self.chosen
        try:
            held = self.project.ledger.event(entry.key.partition(".")[0]) if entry is not None else None
        except CarnetError:
            held = None
        if held is None:
            self.base.say("The bytes of this event cannot be read; verify the record.")
            return
        self.app.push_screen(MessageBox("Exact bytes", timeline_view.exact(*held), glyphs=self.glyphs))

    def do_check(self) -> None:
        """Verify the whole record again, from the bytes on disk."""
        verify_record(self)


def words_of(entry: Entry) -> str:
    """Return a change as one line for pasting."""
    return f"{entry.who} {entry.said}"


def verify_record(screen: SubjectScreen) -> None:
    """Verify the project at hand on the store's thread, and say how far it has come and what was found."""
    ledger, total = screen.project.id, screen.project.ledger.count()
    base = screen.base

    def progress(done: int) -> None:
        if done % SAY_EVERY == 0:
            base.say_from_thread(f"Verifying: {done:,} of {total:,} events.")

    def call() -> list[Any]:
        with screen.desk.clone() as desk:
            return list(desk.store.project(ledger).ledger.verify(progress))

    def then(faults: list[Any]) -> None:
        base.facts.trust = "unverified" if faults else "verified"
        if not faults:
            base.say(f"Verified: {plural(total, 'event')}, every link and signature holds.")
            return
        texts = [f"{where(one)}{clean(one.what)}" for one in faults[:20]]
        base.say(f"The record does not hold: {plural(len(faults), 'fault')}.")
        texts += [
            "",
            "Next: keep this store as it is, and compare it with another team's (carnet verify, docs/threat-model.md).",
        ]
        screen.app.push_screen(MessageBox("The record does not hold", texts, glyphs=screen.glyphs))

    screen.work(call, then, saying="Verifying the record")


def where(fault: Any) -> str:
    """Return the place of a fault in words."""
    if not fault.chain:
        return ""
    return f"chain {clean(fault.chain[:16])}{f', event {fault.seq}' if fault.seq >= 0 else ''}: "
