"""Declaring a node of the lineage and its edges: a short form, a preview, then what it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carnet_store.domain.criteria import EXAMPLE, GRAMMAR, parse_rows, row_text
from carnet_store.errors import Invalid
from carnet_tui.screens.subjects import SubjectScreen
from carnet_tui.text import Line, clean, fit, pad, plural
from carnet_tui.views import lineage_view, words
from carnet_tui.widgets.dialogs import Choice, Picker
from carnet_tui.widgets.form import Blank, Form
from carnet_tui.widgets.line_list import Rows, RowSource
from carnet_tui.widgets.lines import paragraphs
from carnet_tui.widgets.sheet import Finder

if TYPE_CHECKING:
    from carnet_store import EntityRow

FOUND_AT_MOST = 2000
"""Nodes that a picker holds at once; typing narrows them."""
RELATIONS = (("u", "it used", "used"), ("f", "it comes from", "from"), ("m", "it made", "made"))
DIGEST = frozenset("0123456789abcdef")


class DeclaringScreen(SubjectScreen):
    """A screen on which nodes and edges are declared; `show_declared` shows a new one."""

    _kept: dict[str, str] | None = None
    """What was typed into the form and not written."""

    def show_declared(self, entity: str) -> None:
        """Show a node that was declared just now."""

    def picker(self, title: str, verb: str, *kinds: str, but: str = "") -> Finder[EntityRow, EntityRow]:
        """Return a list of all nodes (of some kinds) but one, newest first, filtered while one types."""
        project, glyphs = self.project, self.glyphs

        def source(typed: str) -> RowSource[EntityRow]:
            found = project.entities(*(kinds or lineage_view.KINDS), text=typed, limit=FOUND_AT_MOST)
            return Rows([row for row in found if row.id != but], lambda row: row.id)

        def line(row: EntityRow, cells: int) -> Line:
            day = words.day(row.t)
            room = max(8, cells - 12 - len(day) - 3)
            name = pad(clean(row.title), room, "<", glyphs.ellipsis)
            return [(f"{pad(clean(row.kind), 12)}", "dim"), (name, ""), (f"  {fit(day, 12)} ", "dim")]

        return Finder(title, source, line, lambda row: row.id, glyphs=glyphs, verb=verb, note="newest first",
                      empty="No node is called that.")  # fmt: skip

    async def add_edge(self, entity: str) -> bool:
        """Ask for an edge from a node, show it, write it."""
        title = clean(self.project.title(entity))
        relation = await self.ask(Choice(f"{title}: what did it do?", RELATIONS, glyphs=self.glyphs, note="an edge"))
        if relation is None:
            return False
        words_ = {"used": "used", "from": "comes from", "made": "made"}[relation]
        row = await self.ask(self.picker(f"{title} {words_}", "take"))
        if row is None:
            return False
        if row.id == entity:
            self.base.say("Nothing comes from itself.")
            return False
        lines = paragraphs([f"{title} {words_} {clean(row.title)} ({clean(row.kind)})"])
        if not await self.preview("Record this edge", lines, after="u takes it back until it was exported."):
            return False
        return await self.write(lambda acts: acts.link(entity, relation, row.id)) is not None

    async def declare(self) -> None:
        """Ask what to declare, show it, write it; then its edges."""
        things = [(kind, kind, "") for kind in lineage_view.KINDS]
        picked = await self.ask(Picker("Declare what?", things, glyphs=self.glyphs))
        if picked is None:
            return
        kind = picked[0]
        if kind == "criteria":
            await self._set_criteria()
            return
        typed = await self.ask(
            Form(f"A new {kind}", blanks(kind), glyphs=self.glyphs, typed=self._kept or {}, keep=self._keep)
        )
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
        self.show_declared(written.entity)
        ways = [("y", "yes, add an edge", "yes"), ("n", "not now", "no")]
        while await self.ask(Choice("Does it come from something?", ways, glyphs=self.glyphs)) == "yes":
            if not await self.add_edge(written.entity):
                break

    async def _set_criteria(self) -> None:
        """Ask for the criteria of a model line, show them, write them; those that stand are replaced."""
        typed = await self.ask(
            Form("New criteria", blanks("criteria"), glyphs=self.glyphs, typed=self._kept or {}, keep=self._keep)
        )
        if typed is None:
            return
        name, rows = typed["name"], parse_rows(typed["rows"].split("\n"))
        held = self.project.criteria_called(name)
        lines = paragraphs([f"model     {clean(name)}", *(f"criteria  {clean(row_text(row))}" for row in rows)])
        after = "They replace those that stand." if held else "They can be set anew."
        if not await self.preview("Set these criteria", lines, after=f"{after} The record keeps when each was set."):
            self._kept = dict(typed)
            return
        written = await self.write(lambda acts: acts.set_criteria(name, rows, held))
        if written is not None:
            self.show_declared(written.entity)

    def _keep(self, typed: dict[str, str]) -> None:
        self._kept = typed


def blanks(kind: str) -> list[Blank]:
    """Return the form of a kind of node."""
    if kind == "criteria":
        return [
            Blank("name", "model", required=True, hint="whose line they are for: churn, without a version"),
            Blank(
                "rows",
                "criteria",
                required=True,
                hint=f"one to a line: {GRAMMAR}\nas in {EXAMPLE}",
                lines=5,
                check=_rows,
            ),
        ]
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


def _rows(text: str) -> str:
    try:
        parse_rows(text.split("\n"))
    except Invalid as error:
        return clean(f"{error.message}.")
    return ""


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
