"""Answers to questions of the lineage as screens: why (the ways between two nodes), the ways of a column, impact, comparison. Enter on a row goes there."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from carnet_store import Project
from carnet_tui import frame_text
from carnet_tui.screen import Route
from carnet_tui.screens.lineage_verbs import NodeVerbs
from carnet_tui.text import Line, both_ends, clean, fit, width
from carnet_tui.views import lineage_answers, lineage_asked, lineage_facts, lineage_standing
from carnet_tui.views.lineage_answers import Answer, Answers
from carnet_tui.views.lineage_facts import Facts
from carnet_tui.views.lineage_standing import Standing
from carnet_tui.widgets.dialogs import Choice
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

STYLE = """
AnswerScreen #list { height: 3fr; }
AnswerScreen #detail { height: 2fr; }
"""
WAYS = 5
"""Shortest ways that are told."""


class AnswerScreen(NodeVerbs):
    """Rows about one or two nodes, and what is known of the chosen one below."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("lineage", "entity")
    PLACE: ClassVar[str] = "lineage"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"
    CSS = STYLE
    QUESTION: ClassVar[str] = ""
    """What is asked, in a word or two."""

    def __init__(self, entity: str) -> None:
        super().__init__()
        self.entity = entity
        self._answers: Answers | None = None
        self._facts: Facts | None = None
        self._reading = False
        self._row = ""
        """The row to stand on once there are rows."""
        self._standing = lineage_standing.NOTHING

    def read(self) -> Callable[[Project], Answers]:
        """Return what reads the answer, on the store's thread."""
        raise NotImplementedError

    def compose_content(self) -> Iterable[Widget]:
        """Yield head, rows, and the chosen row in full."""
        yield TextBlock(self._head, id="head")
        yield LineList(Rows[Answer]((), answer_key), self._line, answer_key, glyphs=self.glyphs, empty="", id="list")
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        yield TextView(self._detail, id="detail", classes="roomy")

    def on_mount(self) -> None:
        """Ask."""
        self.refresh_data()

    @property
    def rows(self) -> LineList[Answer]:
        """The rows."""
        return self.query_one("#list", LineList)

    @property
    def row(self) -> Answer | None:
        """The row under the cursor."""
        return self.rows.chosen if self.is_mounted else None

    @property
    def node_id(self) -> str:
        """The node of the row under the cursor."""
        row = self.row
        return row.node if row is not None else ""

    def hold(self) -> str | None:
        """Return the row one is on."""
        row = self.row
        return row.key if row is not None else None

    def take(self, held: object) -> None:
        """Stand on that row once the answer is there."""
        self._row = held if isinstance(held, str) else ""

    def crumb(self) -> str:
        """Return the project, the question, and the node it is about."""
        return (
            f"{super().crumb()} / {self.QUESTION} {self.title_of(self.entity)}" if self.has_project else super().crumb()
        )

    def _head(self, cells: int) -> list[Line]:
        found = self._answers
        if found is None:
            return []
        dots = self.glyphs.ellipsis
        left: Line = [(f" {self.QUESTION}  ", "dim"), (found.title, "bold")]
        if self.compact:
            return [both_ends(left, [], cells, dots)]
        return [
            both_ends(left, [], cells, dots),
            both_ends([(f" {fit(found.said, cells - 2, dots)}", "")], [], cells, dots),
            frame_text.rule(cells, self.glyphs),
        ]

    def _line(self, row: Answer, cells: int) -> Line:
        """Return a row; what is recalled, or came of it, is told by sign and word."""
        standing = self._standing
        states: tuple[str, ...] = ()
        if row.node and standing.recalls and not row.is_value:
            states = standing.states(row.node, self.project.graph.find(row.node))
        sign, word, style = lineage_standing.mark(states, self.glyphs)
        if not sign:
            return lineage_answers.line(row, cells, self.glyphs)
        before = f"{sign} {word} "
        return [(before, style), *lineage_answers.line(row, max(1, cells - width(before)), self.glyphs)]

    def refresh_data(self) -> None:
        """Ask anew; the cursor stays on its row."""
        if self.has_project:
            read = self.read()

            def call(project: Project) -> tuple[Answers, Standing]:
                return read(project), Standing(*lineage_standing.read_recalls(project))

            self.far(call, self._show, saying=self.saying)

    @property
    def saying(self) -> str:
        """What the status line says meanwhile."""
        return "Looking"

    def _show(self, read: tuple[Answers, Standing]) -> None:
        first = self._answers is None
        found, self._standing = read
        self._answers = found
        self.rows.empty = f"{found.said[:1].upper()}{found.said[1:]}."
        self.rows.refill(Rows(found.rows, answer_key))
        if first and not (self._row and self.rows.choose(self._row)):
            self.rows.action_move("first")
        for block in self.query(TextBlock):
            block.show()
        self._moved()

    def _moved(self) -> None:
        self.query_one("#detail", TextView).show(self._detail)
        entity = self.node_id
        if entity and not self._reading and (self._facts is None or self._facts.row.id != entity):
            self._reading = True
            self.far(lambda project: lineage_facts.read(project, entity), self._known)
        self.refresh_chrome()

    def _known(self, facts: Facts) -> None:
        self._reading, self._facts = False, facts
        if self.node_id in ("", facts.row.id):
            self.query_one("#detail", TextView).show(self._detail)
        else:
            self._moved()

    def _detail(self, cells: int) -> Sequence[Line]:
        row = self.row
        if row is None:
            return []
        said = paragraphs(row.about)(cells) if row.about else []
        facts = self._facts
        if facts is None or facts.row.id != row.node:
            return said
        return [*said, *lineage_facts.lines(facts, self._standing, cells, self.glyphs)]

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        """Show the row the cursor came to."""
        event.stop()
        self._moved()

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Go there."""
        event.stop()
        self.call_later(self.action_act, "open")

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "graph", "impact", "mark", "between", "difference", "timeline")

    def say_enter(self) -> str:
        """Return what Enter does with the row."""
        row = self.row
        if row is not None and row.column:
            return "its ways"
        return "list them" if row is not None and row.selection and not row.node else "go there"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.row
        if action_id == "open" and row is None:
            return "there is no row"
        if action_id == "open" and row is not None and not (row.node or row.handoff or row.selection):
            return "no expression names these" if row.key and row.key.startswith("kind ") else "nobody declared it"
        return super().available(action_id)

    def do_open(self) -> None:
        """Go to what the row is about: a handoff, a node (of a pair, the chosen one), or a selection."""
        row = self.row
        if row is None:
            return
        if row.column:
            self.base.enter(Route("column", row.column))
        elif row.handoff:
            self.go(row.handoff)
        elif row.other and row.other != row.node:
            self.flow(self._one_of(row.other, row.node))
        elif row.node:
            self.graph_of(row.node)
        elif row.selection:
            self.base.enter(Route("lineage", ("", row.selection)))

    async def _one_of(self, left: str, right: str) -> None:
        ways = [("", self.title_of(left), left), ("", self.title_of(right), right)]
        if ways[0][1] == ways[1][1]:
            ways = [
                ("", f"{title}, {which}", entity)
                for (_, title, entity), which in zip(ways, ("the earlier", "the later"), strict=True)
            ]
        chosen = await self.ask(Choice("Go to which?", ways, glyphs=self.glyphs))
        if chosen is not None:
            self.graph_of(chosen)

    def do_graph(self) -> None:
        """Show the row's node in the lineage."""
        self.graph_of(self.node_id)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied of the row, and the command that asks the same."""
        row = self.row
        offers = (
            [("line", "".join(text for text, _ in row.left).strip() + (f"  {row.right}" if row.right else ""))]
            if row
            else []
        )
        if row is not None and row.selection:
            offers.append(("selection", row.selection))
        return [*offers, *super().copies(), ("question", self.command)]

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return f"carnet lineage {self.entity}"


class WhyScreen(AnswerScreen):
    """How one node came of another: the shortest ways, and what stands on all of them."""

    QUESTION = "why"

    def __init__(self, first: str, last: str) -> None:
        super().__init__(first)
        self.last = last

    def read(self) -> Callable[[Project], Answers]:
        """Return what reads the ways."""
        glyphs = self.glyphs
        return lambda project: lineage_answers.why(project.graph.why(self.entity, self.last, WAYS), glyphs)

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return f"carnet lineage {self.entity} --why {self.last}"


class ColumnScreen(AnswerScreen):
    """Where a column of a thing came from, and what came of it."""

    QUESTION = "column"

    def __init__(self, entity: str, field: str) -> None:
        super().__init__(entity)
        self.field = field

    def read(self) -> Callable[[Project], Answers]:
        """Return what follows the column."""
        entity, field, glyphs = self.entity, self.field, self.glyphs
        return lambda project: lineage_answers.column(lineage_answers.read_column(project, entity, field), glyphs)

    def crumb(self) -> str:
        """Return the project, and the column."""
        return f"{super().crumb()}.{clean(self.field)}" if self.has_project else super().crumb()

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return f"carnet lineage {self.entity} --column {shlex.quote(self.field)}"


class ImpactScreen(AnswerScreen):
    """What a change of a node would touch."""

    QUESTION = "impact"

    def read(self) -> Callable[[Project], Answers]:
        """Return what walks down."""
        entity, glyphs = self.entity, self.glyphs

        def call(project: Project) -> Answers:
            spelled = lineage_asked.spelled(project.graph, entity)
            return lineage_answers.impact(lineage_answers.read_impact(project, entity, spelled), glyphs)

        return call

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return f"carnet lineage {self.entity} --impact"


class CompareScreen(AnswerScreen):
    """How two nodes differ with all they come from."""

    QUESTION = "compare"

    def __init__(self, left: str, right: str) -> None:
        super().__init__(left)
        self.right = right

    def read(self) -> Callable[[Project], Answers]:
        """Return what compares."""
        glyphs = self.glyphs
        return lambda project: lineage_answers.difference(project.graph.diff(self.entity, self.right), glyphs)

    @property
    def command(self) -> str:
        """The command that asks the same."""
        return f"carnet lineage {self.entity} --diff {self.right}"


def answer_key(row: Answer) -> str | None:
    """Return what identifies a row; None for a head."""
    return row.key
