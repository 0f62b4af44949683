"""The lineage, one step around a node: where it came from, what uses it, what is known of it, what a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from carnet_store import EntityRow
from carnet_store.errors import NotFound
from carnet_tui import frame_text
from carnet_tui.graph_layout import FOLDS, THIS, Leaf
from carnet_tui.screens.subjects import SubjectScreen
from carnet_tui.text import Line, clean, fit, pad, plural
from carnet_tui.views import lineage_view, words
from carnet_tui.views.lineage_view import Related
from carnet_tui.widgets.dialogs import Choice, Picker
from carnet_tui.widgets.focus_map import FocusMap
from carnet_tui.widgets.form import Blank, Form
from carnet_tui.widgets.line_list import Rows, RowSource
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs
from carnet_tui.widgets.read_sheet import ReadSheet
from carnet_tui.widgets.sheet import Finder

FOUND_AT_MOST = 2000
"""Nodes that a picker holds at once; typing narrows them."""
RELATIONS = (("u", "it used", "used"), ("f", "it comes from", "from"), ("m", "it made", "made"))
DIGEST = frozenset("0123456789abcdef")


class LineageScreen(SubjectScreen):
    """The focus view of one node; without one, of the newest model version."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("lineage", "entity")
    PLACE: ClassVar[str] = "lineage"
    AUTO_FOCUS: ClassVar[str | None] = "FocusMap"

    def __init__(self, entity: str = "") -> None:
        super().__init__()
        self.entity = entity
        self._centre = entity
        self._steps: list[tuple[str, str]] = []
        """The way one came: (node, the spot one left it by)."""
        self._names: list[str] = []
        self._this = Leaf("", "", "")
        self._counts = (0, 0)
        self._related: Related = lineage_view.NOTHING_RELATED
        self._kept: dict[str, str] = {}

    # What is shown

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, trail, map, and the facts of the node under the cursor."""
        yield TextBlock(self._head)
        yield FocusMap(self.glyphs, self._map_room)
        yield TextBlock(self._rule, classes="roomy")
        yield TextView(self._facts, id="facts")

    def on_mount(self) -> None:
        """Look at the node."""
        self.refresh_data()

    def _map_room(self) -> int:
        return max(4, self.room - 4) if self.compact else max(5, (self.room - 3) // 2)

    def _head(self, cells: int) -> list[Line]:
        if not self._this.key:
            return []
        lines = [lineage_view.headline(self._this, *self._counts, cells, self.glyphs)]
        if not self.compact:
            lines.append(lineage_view.trail(self._names, self._this.name, cells, self.glyphs))
            lines.append(frame_text.rule(cells, self.glyphs))
        return lines

    def _rule(self, cells: int) -> list[Line]:
        return [frame_text.rule(cells, self.glyphs)] if self._this.key else []

    @property
    def map(self) -> FocusMap:
        """The map."""
        return self.query_one(FocusMap)

    @property
    def node_id(self) -> str:
        """The node under the cursor, which every key is about; empty on a fold and where there is none."""
        chosen = self.map.chosen
        return "" if chosen in FOLDS.values() else self._centre if chosen == THIS else chosen

    def crumb(self) -> str:
        """Return the project and the node in the middle."""
        here = super().crumb()
        return f"{here} / {self._this.name}" if self._this.key else here

    def refresh_data(self) -> None:
        """Read the node and its neighbours anew."""
        if not self.has_project:
            self._nothing()
            return
        if not self._centre:
            newest = [*self.project.entities("model", limit=1), *self.project.entities(limit=1)]
            if not newest:
                self._nothing()
                return
            self._centre = newest[0].id
        chosen = self.map.chosen if self._this.key == self._centre else THIS
        self._look(chosen)
        self._read_related()

    def _nothing(self) -> None:
        self._this = Leaf("", "", "")
        self.map.display = False
        self.query_one("#facts", TextView).show(
            paragraphs(
                [
                    "",
                    "No node is declared yet.",
                    "n declares a model, a run or a dataset; carnet add does it by command.",
                ]
            )
        )

    def _look(self, chosen: str = THIS) -> None:
        project = self.project
        try:
            around = project.neighbours(self._centre)
        except NotFound:
            row = project.row(self._centre)
            self._this, self._counts = lineage_view.leaf(row), (0, 0)
            self.map.display = True
            self.map.show(self._this, (), (), (0, 0))
        else:
            row = EntityRow(self._centre, around.node.kind, around.node.name, around.node.version, around.node.t, 0)
            ups, downs = lineage_view.leaves(around.up), lineage_view.leaves(around.down)
            self._this = lineage_view.leaf(row)
            self._counts = (len(ups) + around.ups - len(around.up), len(downs) + around.downs - len(around.down))
            self.map.display = True
            self.map.show(self._this, ups, downs, self._counts, chosen)
        self._names = [clean(project.title(entity)) for entity, _ in self._steps]
        for block in self.query(TextBlock):
            block.show()
        self._show_facts()
        self.refresh_chrome()

    def _read_related(self) -> None:
        ledger = self.project.id

        def read() -> Related:
            with self.desk.clone() as desk:
                return lineage_view.related(desk.store.project(ledger))

        def then(found: Related) -> None:
            self._related = found
            self._show_facts()

        self.work(read, then, saying="Reading what is about these nodes")

    def _show_facts(self) -> None:
        self.query_one("#facts", TextView).show(self._facts)

    def _facts(self, cells: int) -> Sequence[Line]:
        if not self._this.key:
            return []
        chosen = self.map.chosen
        if chosen in FOLDS.values():
            side = "up" if chosen == FOLDS["up"] else "down"
            names = ", ".join(f"{one.kind} {one.name}" for one in self.map.hidden(side))
            return paragraphs([f"Not drawn: {names}.", "Enter chooses among them; / finds any node."])(cells)
        node = self.project.node(self.node_id)
        if node is None:
            return paragraphs(
                [f"{self._this.kind} {self.node_id.partition(':')[2][:12]}",
                 "It is referred to, and not declared in this store: a newer bundle may bring it."]
            )(cells)  # fmt: skip
        leaf = self.map.leaf(chosen)
        relation = ""
        if leaf is not None:
            relation = self._relation(leaf, chosen)
        name = clean(self.project.person_name(node.person))
        return lineage_view.facts(node, name, self._related, cells, self.glyphs, relation)

    def _relation(self, leaf: Leaf, key: str) -> str:
        spot = self.map.drawn(self.map.size.width).spot(key)
        up = spot is None or spot.side == "up"
        first, second = (self._this.name, leaf.name) if up else (leaf.name, self._this.name)
        parts = []
        for one in leaf.relation.split(", "):
            if one == "made":  # the edge leads forward: the earlier thing made the later one
                parts.append(f"{second} made {first}")
            else:
                parts.append(f"{first} {'used' if one == 'used' else 'comes from'} {second}")
        return "; ".join(parts)

    def on_focus_map_moved(self, event: FocusMap.Moved) -> None:
        """Show the node the cursor came to."""
        self._show_facts()
        self.refresh_chrome()

    def on_focus_map_opened(self, event: FocusMap.Opened) -> None:
        """Recentre."""
        self.do_open()

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "find", "impact", "timeline", "new", "question", "comment")

    def say_enter(self) -> str:
        """Return what Enter does on the spot of the cursor."""
        if not self._this.key or not self.is_mounted:
            return ""
        chosen = self.map.chosen
        return "choose" if chosen in FOLDS.values() else "open" if chosen == THIS else "recentre"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id in ("new", "comment", "question", "edge"):
            reason = self.may_write()
            if reason or action_id == "new":
                return reason
        if action_id in ("open", "impact", "timeline", "comment", "question", "edge", "find"):
            if not self._this.key:
                return "nothing is declared, n"
            if action_id not in ("open", "find") and not self.node_id:
                return "choose a node first"
        return super().available(action_id)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return name, id, digest and command of the node under the cursor."""
        node = self.project.node(self.node_id) if self._this.key and self.node_id else None
        if node is None:
            return ()
        offers = [("name", clean(node.title)), ("id", node.id)]
        offers += [(clean(name), clean(value)) for name, value in node.digests.items()]
        return [*offers, ("command", f"carnet lineage {node.id}")]

    def do_open(self) -> None:
        """Recentre on the neighbour under the cursor; on the node itself, open the handoff it crosses by."""
        chosen = self.map.chosen
        if chosen in FOLDS.values():
            side = "up" if chosen == FOLDS["up"] else "down"
            self.flow(self._choose_folded(side))
        elif chosen != THIS:
            self._recentre(chosen)
        else:
            crossings = self._related.handoffs.get(self._centre, ())
            if crossings:
                self.go(crossings[-1][0])
            else:
                self.base.say("Arrows walk to a neighbour; Enter there makes it the middle.")

    def _recentre(self, entity: str) -> None:
        if entity == self._centre:
            return
        self._steps.append((self._centre, self.map.chosen))
        self._centre = entity
        self._look()

    async def _choose_folded(self, side: str) -> None:
        things = [(one.key, one.name, one.kind) for one in self.map.hidden(side)]
        word = "What it came from" if side == "up" else "What uses it"
        chosen = await self.ask(Picker(word, things, glyphs=self.glyphs, verb="recentre", note="newest first"))
        if chosen is not None:
            self._recentre(chosen[0])

    def do_leave(self) -> None:
        """Go back one step of the trail, to the row one left; at its start, leave."""
        if not self._steps:
            self.base.do_leave()
            return
        self._centre, chosen = self._steps.pop()
        self._look(chosen)

    def do_find(self) -> None:
        """Go to any node."""
        self.flow(self._find())

    async def _find(self) -> None:
        row = await self.ask(self._picker("Go to", "go"))
        if row is not None:
            self._recentre(row.id)

    def _picker(self, title: str, verb: str) -> Finder[EntityRow, EntityRow]:
        project, glyphs = self.project, self.glyphs

        def source(typed: str) -> RowSource[EntityRow]:
            return Rows(project.entities(*lineage_view.KINDS, text=typed, limit=FOUND_AT_MOST), lambda row: row.id)

        def line(row: EntityRow, cells: int) -> Line:
            day = words.day(row.t)
            room = max(8, cells - 12 - len(day) - 3)
            name = pad(clean(row.title), room, "<", glyphs.ellipsis)
            return [(f"{pad(clean(row.kind), 12)}", "dim"), (name, ""), (f"  {fit(day, 12)} ", "dim")]

        return Finder(title, source, line, lambda row: row.id, glyphs=glyphs, verb=verb, note="newest first",
                      empty="No node is called that.")  # fmt: skip

    def do_impact(self) -> None:
        """Show what a change of this node would touch."""
        entity, ledger = self.node_id, self.project.id

        def walk() -> lineage_view.Impact:
            with self.desk.clone() as desk:
                return lineage_view.impact(desk.store.project(ledger), entity)

        def then(found: lineage_view.Impact) -> None:
            self.app.push_screen(
                ReadSheet(
                    f"If {found.title} changed",
                    lambda cells: lineage_view.impact_lines(found, cells),
                    glyphs=self.glyphs,
                )
            )

        self.work(walk, then, saying="Walking down")

    def do_timeline(self) -> None:
        """Show what happened to this node."""
        self.timeline_of(self.node_id)

    def do_comment(self) -> None:
        """Comment on this node."""
        self.flow(self.write_comment(self.node_id, clean(self.project.title(self.node_id))))

    def do_question(self) -> None:
        """Ask about this node."""
        self.flow(self.ask_question([self.node_id], clean(self.project.title(self.node_id))))

    def do_edge(self) -> None:
        """Add an edge from this node to another."""
        entity = self.node_id

        async def steps() -> None:
            await self._add_edge(entity)

        self.flow(steps())

    async def _add_edge(self, entity: str) -> bool:
        title = clean(self.project.title(entity))
        relation = await self.ask(Choice(f"{title}: what did it do?", RELATIONS, glyphs=self.glyphs, note="an edge"))
        if relation is None:
            return False
        words_ = {"used": "used", "from": "comes from", "made": "made"}[relation]
        row = await self.ask(self._picker(f"{title} {words_}", "take"))
        if row is None:
            return False
        if row.id == entity:
            self.base.say("Nothing comes from itself.")
            return False
        lines = paragraphs([f"{title} {words_} {clean(row.title)} ({clean(row.kind)})"])
        if not await self.preview("Record this edge", lines, after="u takes it back until it was exported."):
            return False
        return await self.write(lambda acts: acts.link(entity, relation, row.id)) is not None

    def do_new(self) -> None:
        """Declare a node: its kind, a short form, a preview, then its edges."""
        self.flow(self._declare())

    async def _declare(self) -> None:
        things = [(kind, kind, "") for kind in lineage_view.KINDS]
        picked = await self.ask(Picker("Declare what?", things, glyphs=self.glyphs))
        if picked is None:
            return
        kind = picked[0]
        typed = await self.ask(
            Form(f"A new {kind}", self._blanks(kind), glyphs=self.glyphs, typed=self._kept, keep=self._keep)
        )  # fmt: skip
        if typed is None:
            return
        value = form_value(typed)
        lines = paragraphs([f"{label}  {clean(text)}" for label, text in shown_form(kind, typed)])
        if not await self.preview(
            f"Declare this {kind}", lines, after="A declared thing stays; it can be described anew."
        ):
            self._kept = dict(typed)
            return
        written = await self.write(
            lambda acts: acts.declare(
                kind, typed["name"], version=typed.get("version", ""), attrs=value["attrs"],
                digests=value["digests"], params=value["params"],
            )
        )  # fmt: skip
        if written is None:
            return
        self._related = lineage_view.NOTHING_RELATED
        if self._centre and self._centre != written.entity:
            self._recentre(written.entity)
        else:
            self._centre = written.entity
            self._look()
        ways = [("y", "yes, add an edge", "yes"), ("n", "not now", "no")]
        while await self.ask(Choice("Does it come from something?", ways, glyphs=self.glyphs)) == "yes":
            if not await self._add_edge(written.entity):
                break

    def _keep(self, typed: dict[str, str]) -> None:
        self._kept = typed

    @staticmethod
    def _blanks(kind: str) -> list[Blank]:
        found = [Blank("name", "name", required=True, hint="as people call it")]
        if kind in ("model", "dataset", "feature", "environment", "code"):
            found.append(Blank("version", "version", required=kind == "model", hint="7"))
        hints = {"dataset": ("source", "owner"), "run": ("command",), "code": ("commit",)}
        found += [Blank(f"attr {name}", name, hint="kept with it as provenance") for name in hints.get(kind, ())]
        if kind == "run":
            found.append(Blank("params", "params", hint="lr=0.1 depth=6", check=_params))
        found.append(Blank("sha256", "sha256", hint="64 characters, if it is a file", check=_sha256))
        return found


def _sha256(text: str) -> str:
    if len(text) == 64 and set(text.casefold()) <= DIGEST:
        return ""
    return f"sha256 has 64 characters of 0-9 and a-f; this has {plural(len(text), 'character')}."


def _params(text: str) -> str:
    loose = [word for word in text.split() if "=" not in word]
    return f"params are name=value, parted by blanks; not {clean(loose[0])!r}." if loose else ""


def form_value(typed: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return attributes, digests and parameters of a filled form."""
    attrs = {name.removeprefix("attr "): text for name, text in typed.items() if name.startswith("attr ") and text}
    params = dict(word.split("=", 1) for word in typed.get("params", "").split() if "=" in word)
    sha = typed.get("sha256", "").casefold()
    return {"attrs": attrs, "digests": {"sha256": sha} if sha else {}, "params": params}


def shown_form(kind: str, typed: dict[str, str]) -> list[tuple[str, str]]:
    """Return what a preview shows of a filled form: label and text of each filled field."""
    rows = [("kind", kind), *((name.removeprefix("attr "), text) for name, text in typed.items() if text)]
    return [(f"{label:<9}", text) for label, text in rows]
