"""Asking a person for an answer, by the type of the item: dialogs that end in a value as the record stores it.

What was typed is kept as a private draft when one leaves. Nothing here writes a record.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carnet_store.domain.answer_input import parse_answer
from carnet_store.domain.judging import criterion_of, limit_of, problems
from carnet_store.errors import CarnetError, Invalid
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import clean
from carnet_tui.views import item_view, words
from carnet_tui.widgets.dialogs import ANSWERS, Choice, LongPrompt, Picker, Prompt
from carnet_tui.widgets.table_form import Column as FormColumn
from carnet_tui.widgets.table_form import TableForm

if TYPE_CHECKING:
    from carnet_store import ItemStatus, Look
    from carnet_store.domain.template import Column, Item

Value = dict[str, object]
RUNS_OFFERED = 200
ENTITIES_OFFERED = 500
GIVE: Mapping[str, str] = {
    "text": "write it",
    "readback": "write it in your own words",
    "choice": "choose",
    "number": "pick a run's number",
    "link": "link it",
    "file": "attach a file",
    "command": "run a command here and record it",
    "table": "fill the rows",
}
SPOKEN = "spoken"
"""The way of the answer's menu that says who spoke it."""
NONE = "none"
"""The row that lets go of all that is linked."""
BEGINS = ("text", "readback", "table")
"""Types whose answer may begin with what the version before said."""


class AnswerForm(TableForm):
    """A table form that also asks the item whether the rows can be read."""

    def __init__(
        self, title: str, columns: Sequence[FormColumn], rows: Sequence[Sequence[str]], *, glyphs: Glyphs,
        check: Callable[[list[list[str]]], str], note: str = "", said: str = "",
    ) -> None:  # fmt: skip
        super().__init__(title, columns, rows, glyphs=glyphs, note=note)
        self._check_rows = check
        self.problem = said

    def action_done(self) -> None:
        """Leave, unless the rows cannot be read."""
        wrong = self._check_rows(self.rows)
        if wrong:
            self.complain(wrong)
        else:
            super().action_done()


class Answering:
    """Asks for the answer to one item of a handoff, in the name of a screen."""

    first = -1
    """The way that Enter takes at once: none, but where what the record says comes first."""

    def __init__(self, screen: DeskScreen, look: Look, one: ItemStatus) -> None:
        self.screen = screen
        self.look = look
        self.one = one
        self.item: Item = one.item
        self.project = screen.project
        self.lookups = screen.project.lookups(look)
        self.glyphs = screen.glyphs
        self.title = f"{clean(self.item.id)}  {clean(self.item.title)}"
        self.drafts = screen.acts().drafts(self.key)
        self.earlier = None if one.value else self.project.earlier_answer(look.handoff, self.item.id)
        """(version, answer) of the version before, offered where nothing was answered yet."""
        begun = _map(self.drafts.get(self.key, {}).get("value")) or _map(self.drafts.get(f"{self.key}/text"))
        self.spoken = str(begun.get("spoken_by", ""))
        """Who spoke the answer, where that is not the one who types; empty for oneself."""

    @property
    def key(self) -> str:
        """The subject under which drafts of this item are kept."""
        return draft_key(self.look.handoff.id, self.item.id)

    @property
    def before(self) -> Mapping[str, Any]:
        """What to start from: the draft, else the answer that stands, else what the version before said."""
        kept = self.drafts.get(self.key, {}).get("value")
        if isinstance(kept, Mapping):
            return kept
        return self.one.value or (self.earlier[1] if self.earlier is not None and self.item.type in BEGINS else {})

    def read(self, raw: object) -> Value:
        """Turn what was given into the stored shape; raises Invalid."""
        return parse_answer(self.item, raw, self.lookups, lambda path: self.project.put_file(Path(path)))

    def wrong(self, raw: object) -> str:
        """Return what is wrong with a raw answer, or nothing."""
        try:
            self.read(raw)
        except CarnetError as error:
            return clean(f"{error.message}. {error.hint}")
        return ""

    async def ask(self) -> Value | None:
        """Ask for the answer; None where the person left."""
        way = await self._way(self.ways(), self.about())
        if way is None:
            return None
        value = await self._value(way)
        return None if value is None else self.said(value)

    def about(self) -> list[str]:
        """Return what stands above the ways to answer."""
        return [clean(self.item.help)] if self.item.help else []

    def ways(self) -> list[tuple[str, str, str]]:
        """Return the ways to answer, each with its letter."""
        if self.item.type == "confirm":
            return [way for way in ANSWERS if way[2] != "n-a" or self.item.na != "never"]
        give = GIVE.get(self.item.type, "answer")
        if self.earlier is not None and self.item.type in BEGINS and self.before is self.earlier[1]:
            give += f", beginning with what {clean(self.earlier[0])} said"
        ways = [("y", give, "give"), ("u", "unknown", "unknown")]
        if self.item.na != "never":
            ways.append(("-", "not applicable", "n-a"))
        return ways

    def said(self, value: Value) -> Value:
        """Return an answer with who spoke it, where that is another."""
        return {**value, "spoken_by": self.spoken, "typed_by": self.screen.me} if self.spoken else value

    async def _way(self, ways: list[tuple[str, str, str]], about: Sequence[str]) -> str | None:
        """Ask what the answer is; beside the answers stands who speaks it, chosen by arrows and Enter."""
        others = self._others()
        while True:
            said = self.screen_names().person(self.spoken) if self.spoken else "me"
            more = [("", f"spoken by: {said}", SPOKEN)] if others else []
            way = await self.screen.ask(
                Choice(self.title, [*ways, *more], glyphs=self.glyphs, about=about, note="answer", at=self.first)
            )
            if way != SPOKEN:
                return way
            rows = [("", "me", "you say it yourself"), *others]
            note = "it counts once that person confirms it"
            chosen = await self.screen.ask(Picker("Who spoke this answer?", rows, glyphs=self.glyphs, note=note))
            if chosen is not None:
                self.spoken = chosen[0]

    def _others(self) -> list[tuple[str, str, str]]:
        """Return the other members as (person, name, roles), holders of the answering role first."""
        members, role = self.project.members().people, self.item.answers
        found = [(p, row) for p, row in members.items() if row.status == "active" and p != self.screen.me]
        found.sort(key=lambda pair: (role not in pair[1].roles, pair[1].name.casefold(), pair[0]))
        return [(p, clean(row.name), ", ".join(words.role(one) for one in row.roles)) for p, row in found]

    async def _value(self, way: str) -> Value | None:
        """Return the answer's value for the way taken, asking for what it needs."""
        if way == "unknown":
            return {"state": "unknown"}
        if way == "n-a":
            text = await self.screen.ask(
                LongPrompt(self.title, glyphs=self.glyphs, about=["Why does it not apply?"], verb="go on",
                           check=lambda t: "" if t.strip() else "It needs a reason.")
            )  # fmt: skip
            return None if text is None else {"state": "na", "reason": text.strip()}
        value = await self.give(way)
        value = None if value is None else self.as_taken(value)
        if value is not None and self.item.type not in ("link",) and self._lacks_evidence(value):
            links = await self._links("Link the evidence; esc goes on without", [])
            if links:
                value["links"] = links
        return value

    def as_taken(self, value: Value) -> Value:
        """Return an answer as it will stand; a subclass knows what it was taken from."""
        return value

    async def give(self, way: str = "give") -> Value | None:
        """Ask for the answer proper, by type."""
        if self.item.type == "confirm":
            return {"state": way}
        asking = {
            "text": self._text, "readback": self._text, "choice": self._choice, "number": self._number,
            "link": self._link, "file": self._file, "command": self._command, "table": self._table,
        }[self.item.type]  # fmt: skip
        return await asking()

    def _lacks_evidence(self, value: Value) -> bool:
        if value.get("links") or not [kind for kind in self.item.evidence if kind != "url"]:
            return False
        found = problems(self.item, value, self.lookups, self.look.checklist.placeholder_words)
        return any("link" in one.text or "evidence" in one.text for one in found)

    # By type

    async def _text(self) -> Value | None:
        kept = str(self.drafts.get(f"{self.key}/text", {}).get("text", "")) or str(self.before.get("text", ""))
        text = await self.screen.ask(
            LongPrompt(self.title, glyphs=self.glyphs, value=kept, about=[clean(self.item.help)], verb="go on",
                       check=lambda t: "" if t.strip() else "There is no text yet; esc leaves.", keep=self.keep_text)
        )  # fmt: skip
        return None if text is None else self.read({"state": "given", "text": text.strip()})

    def keep_text(self, text: str) -> None:
        """Keep a text as a draft, with who spoke it."""
        if text.strip():
            spoken = {"spoken_by": self.spoken} if self.spoken else {}
            self.screen.acts().keep_draft(f"{self.key}/text", {"text": text, **spoken})

    async def _choice(self) -> Value | None:
        chosen: list[str] = []
        while True:
            rows = [(o.id, clean(o.id), clean(o.meaning)) for o in self.item.options if o.id not in chosen]
            if chosen:
                rows.insert(0, ("", f"done: {', '.join(map(clean, chosen))}", ""))
            picked = await self.screen.ask(Picker(self.title, rows, glyphs=self.glyphs))
            if picked is None:
                return None
            if picked[0]:
                chosen.append(picked[0])
            if not self.item.many or not picked[0]:
                return self.read(chosen)

    async def _number(self) -> Value | None:
        rows = self.numbers_at_hand()
        if self.item.literal:
            rows.append(
                ("", f"type a number{f' of {clean(self.item.unit)}' if self.item.unit else ''}", "no run behind it")
            )
        wanted, note = self._wanted()
        now = self.project.now()
        for run in self.project.entities("run", limit=RUNS_OFFERED):
            node = self.project.node(run.id)
            for metric in sorted(node.metrics if node else (), key=lambda m: m.name != wanted):
                where = " ".join(part for part in (metric.split, metric.slice) if part)
                name = f"{run.title}  {metric.name} {metric.value} {metric.unit}".rstrip()
                rows.append(
                    (f"{run.id}\x1f{metric.name}", clean(name), clean(f"{where}  {words.ago(run.t, now)}".strip()))
                )
        if not rows:
            raise Invalid("no run here has a metric yet", "carnet add run NAME --metric auc=0.84 declares one")
        picked = await self.screen.ask(Picker(self.title, rows, glyphs=self.glyphs, note=note or "newest first"))
        if picked is None:
            return None
        if picked[0]:
            run_id, _, name = picked[0].partition("\x1f")
            return self.read({"run": run_id, "metric": name})
        typed = await self.screen.ask(
            Prompt(self.title, glyphs=self.glyphs, about=[f"A number{f' of {self.item.unit}' if self.item.unit else ''}."],
                   check=self.wrong)
        )  # fmt: skip
        return None if typed is None else self.read(typed)

    def numbers_at_hand(self) -> list[tuple[str, str, str]]:
        """Return the numbers to offer first, as (run and metric, name, note)."""
        return []

    def _wanted(self) -> tuple[str, str]:
        """Return the metric that the criterion names, and what it must keep, in words."""
        if self.item.threshold is None:
            return "", ""
        criterion = criterion_of(self.item.threshold, self.lookups)
        if criterion is not None:
            return criterion.name, clean(f"must be {criterion.name} {criterion.op} {criterion.value}")
        limit = limit_of(self.item.threshold, self.lookups)
        if isinstance(limit, str):
            return "", clean(limit)
        return self.item.threshold.metric, clean(f"must be {limit[0]} {limit[1]}")

    async def _link(self) -> Value | None:
        links = await self._links(self.title, [str(one) for one in _list(self.before.get("links"))])
        return None if links is None else self.read({"state": "given", "links": links})

    async def _links(self, title: str, chosen: list[str]) -> list[str] | None:
        chosen = list(chosen)
        while True:
            rows = self.link_rows(chosen)
            if chosen:
                names = ", ".join(self.screen_names().entity(one) for one in chosen)
                rows.insert(0, ("", f"done: {names}", f"{len(chosen)} linked"))
                rows.insert(1, (NONE, "link none of these, begin again", ""))
            if not rows:
                kinds = " or ".join(self.item.evidence) or "entity"
                raise Invalid(f"there is no {kinds} to link yet", "declare it first: 3 lineage or 4 decisions, n")
            picked = await self.screen.ask(Picker(title, rows, glyphs=self.glyphs, note="newest first"))
            if picked is None:
                return None
            if not picked[0]:
                return chosen
            chosen = [] if picked[0] == NONE else [*chosen, picked[0]]

    def link_rows(self, without: Sequence[str] = ()) -> list[tuple[str, str, str]]:
        """Return what can be linked as (entity, name, kind), newest first."""
        kinds = [kind for kind in self.item.evidence if kind != "url"]
        rows: list[tuple[int, str, str, str]] = []
        if not kinds or "decision" in kinds:
            rows += [
                (d.t, d.id, f"{self.project.code(d.id)}  {d.decision.choice}", "decision")
                for d in self.project.decisions()
            ]
        if "question" in kinds:
            rows += [
                (q.t, q.id, f"{self.project.code(q.id)}  {q.question.text}", "question")
                for q in self.project.questions()
            ]
        nodes = [kind for kind in kinds if kind not in ("decision", "question")]
        if nodes or not kinds:
            rows += [(r.t, r.id, r.title, r.kind) for r in self.project.entities(*nodes, limit=ENTITIES_OFFERED)]
        rows.sort(key=lambda row: -row[0])
        return [(entity, clean(name), clean(kind)) for _, entity, name, kind in rows if entity not in without]

    def screen_names(self) -> item_view.Names:
        """Return how persons and entities are called."""
        return names_of(self.screen)

    async def _file(self) -> Value | None:
        from carnet_tui.widgets.path_prompt import PathPrompt

        folder = self.screen.desk.store.root.parent
        typed = await self.screen.ask(
            PathPrompt(
                self.title,
                folder,
                glyphs=self.glyphs,
                about=[clean(self.item.help), f"Paths start at {clean(str(folder))}."],
            )
        )
        return None if typed is None else self.read([str(folder / Path(typed.strip()).expanduser())])

    async def _command(self) -> Value | None:
        from carnet_tui.capture import run_and_keep

        folder = self.screen.desk.store.root.parent
        before = _map(self.before.get("result")).get("command", "")
        line = await self.screen.ask(
            Prompt(
                self.title,
                glyphs=self.glyphs,
                value=str(before),
                verb="run it",
                check=_command_wrong,
                about=[clean(self.item.help), f"It runs in {clean(str(folder))}, without a shell; its output is kept."],
            )
        )
        if line is None:
            return None
        base, began = self.screen.base, time.monotonic()
        base.say(f"Running {clean(line)} {self.glyphs.ellipsis}")

        def heard(said: str) -> None:
            base.say_from_thread(f"{time.monotonic() - began:.0f} s  {clean(said)}")

        put = self.project.objects.put_stream
        result = await asyncio.to_thread(run_and_keep, shlex.split(line), folder, put, heard)
        self.screen.base.say(f"It ended with exit code {result['exit_code']}.")
        return self.read(result)

    async def _table(self) -> Value | None:
        columns = [form_column(column) for column in self.item.columns]
        start = [self.cells(_map(row)) for row in _list(self.before.get("rows"))]
        if not start:
            start = await self._last_rows()
        note = f"at least {words.count(self.item.min_rows, 'row')}" if self.item.min_rows else ""
        rows = await self.screen.ask(
            AnswerForm(
                self.title, columns, start, glyphs=self.glyphs, note=note, check=lambda rows: self.wrong(self.raw(rows))
            )
        )
        return None if rows is None else self.read(self.raw(rows))

    def cells(self, row: Mapping[str, Any]) -> list[str]:
        """Return a row as the form shows it."""
        return [self._cell(row.get(column.id)) for column in self.item.columns]

    def raw(self, rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
        """Return the form's rows as an answer is read."""
        return [{column.id: cell for column, cell in zip(self.item.columns, row, strict=True) if cell} for row in rows]

    async def _last_rows(self) -> list[list[str]]:
        """Offer the rows that an earlier version of the model line has for this item."""
        line = self.look.model.name
        for other in self.project.handoffs():
            answer = other.answer(self.item.id)
            if other.id == self.look.handoff.id or answer is None:
                continue
            row = self.project.row(other.opened.model)
            found = _list(_map(getattr(answer.value, "answer", {})).get("rows"))
            if row.name != line or not found:
                continue
            way = await self.screen.ask(
                Choice(
                    self.title,
                    [("y", "start from them", "yes"), ("n", "start empty", "no")],
                    glyphs=self.glyphs,
                    about=[f"{clean(row.title)} has {words.count(len(found), 'row')} here."],
                )
            )
            if way == "yes":
                return [self.cells(_map(one)) for one in found]
            break
        return []

    def _cell(self, raw: object) -> str:
        if isinstance(raw, Mapping):
            return f"{self._short(str(raw.get('entity', '')))} {raw.get('name', '')}"
        if isinstance(raw, list | tuple):
            return " ".join(self._short(str(one)) for one in raw)
        return "" if raw is None else str(raw)

    def _short(self, entity: str) -> str:
        """Return a name that leads back to the entity, its id where no name does."""
        title = self.project.row(entity).title
        return title if " " not in title and self.lookups.resolve(title) == entity else entity


def form_column(column: Column) -> FormColumn:
    """Return a column of the form for a column of the item."""
    title = {"date": " (2026-03-18)", "metric": " (run metric)"}.get(column.type, "")
    return FormColumn(
        clean(column.title or column.id) + title, column.required, column.type == "number", tuple(column.options)
    )


def draft_key(handoff: str, item: str) -> str:
    """Return the subject under which a draft of an item is kept."""
    return f"answer {handoff} {item}"


def verdict_key(handoff: str, item: str) -> str:
    """Return the subject under which a draft of a verification is kept."""
    return f"verdict {handoff} {item}"


def names_of(screen: DeskScreen) -> item_view.Names:
    """Return how a screen's project calls persons and entities."""
    project = screen.project

    def entity(entity_id: str) -> str:
        kind = entity_id.partition(":")[0]
        code = f"{project.code(entity_id)}  " if kind in ("decision", "question") else ""
        return clean(f"{code}{project.title(entity_id)}")

    return item_view.Names(lambda person: clean(project.person_name(person)), entity)


def _command_wrong(text: str) -> str:
    try:
        return "" if shlex.split(text) else "Type a command; esc leaves."
    except ValueError as error:
        return f"That is no command line: {error}."


def _list(raw: object) -> Sequence[Any]:
    return raw if isinstance(raw, list | tuple) else ()


def _map(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
