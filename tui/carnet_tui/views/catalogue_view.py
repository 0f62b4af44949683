"""A dataset (or a feature) as an entry of a catalogue, in lines: what is known, what is missing and what fills it, who uses it, what is said.

Rules: a line that names a thing can be opened; what nobody said is shown as missing, in words, with the command that fills it. The things that came
of a dataset may be a hundred thousand: they are numbers, and a page of them is read when it comes into view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain.columns import SCHEMA, schema_fields
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, digest, fit_line, pad, plural
from carnet_tui.views import decision_view, words
from carnet_tui.views.catalogue_reading import DATASET, FEATURE, Entry, Known, Use
from carnet_tui.views.fields import field, one_line, section
from carnet_tui.views.item_view import size_words
from carnet_tui.widgets.chained import Chained
from carnet_tui.widgets.line_list import Rows, RowSource

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project

LABEL: Final = 14
LABEL_WHEN_NARROW: Final = 11
SHOWN_ATTRIBUTES: Final = 500
ORIGINS: Final = ("columns", "columns_of_all")
"""Attributes that say where columns came from: the columns themselves tell it."""
MANY: Final[Mapping[str, str]] = {"criteria": "criteria", "glossary": "glossaries"}
"""Plurals that no s makes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the entry. Cleaned texts; `key` is None for heads and remarks, on which no cursor stands.

    Attributes:
        opens: the entity that Enter opens, if any.
        column: the column whose ways Enter shows, if any.
        attribute: the attribute that `e` sets, if any.
        value: what it holds now, for the text that `e` begins with.
        full: all that is known of the line, for the pane beside the list: one text a line, not wrapped.
        command: what to type to fill it, where it is missing.
    """

    key: str | None
    label: str
    text: str
    note: str = ""
    style: str = ""
    opens: str = ""
    column: str = ""
    attribute: str = ""
    value: Any = None
    full: tuple[str, ...] = ()
    command: str = ""
    sign: str = ""


class Users:
    """The users of one kind as rows, read from the lineage a page at a time."""

    def __init__(self, project: Project, use: Use) -> None:
        self._project = project
        self._use = use
        self._places: dict[int, int] = {}

    def count(self) -> int:
        """Return how many there are."""
        return len(self._use.numbers)

    def page(self, start: int, length: int) -> Sequence[Row]:
        """Return a page of them."""
        numbers = self._use.numbers[start : start + length]
        rows = self._project.graph.rows(numbers)
        return [self.row(one, self._use.hops[no]) for no, one in zip(numbers, rows, strict=True)]

    def find(self, key: str) -> int | None:
        """Return where one stands."""
        kind, _, entity = key.partition(" ")
        if kind != "user" or not entity.startswith(f"{self._use.kind}:"):
            return None
        if not self._places:
            self._places = {no: at for at, no in enumerate(self._use.numbers)}
        return self._places.get(self._project.graph.find(entity) or -1)

    @staticmethod
    def row(one: EntityRow, hops: int) -> Row:
        """Return a user as a row."""
        direct = "used it" if one.kind == "run" else "comes from it"
        how = direct if hops == 1 else f"{hops} steps on"
        return Row(f"user {one.id}", clean(one.kind), clean(one.title), f"{how}  {words.day(one.t)}", opens=one.id,
                   full=(f"{clean(one.kind)} {clean(one.title)}", how, words.minute(one.t)))  # fmt: skip


def sections(project: Project, entry: Entry, now: int) -> Chained[Row]:
    """Return the entry as rows: what it is, what is said about it, who uses it, where it came from, its versions, its schema."""
    parts: list[RowSource[Row]] = []

    def add(title: str, rows: Sequence[Row], nothing: str = "", note: str = "") -> None:
        if rows or nothing:
            remark = [] if rows else [Row(None, "", nothing, style="dim")]
            parts.append(Rows([Row(None, title, "", note, "title"), *rows, *remark], lambda row: row.key))

    if entry.node is not None:
        filled = f"{entry.filled} of {entry.required} required fields filled" if entry.required else ""
        unsaid = [one for one in entry.fields if one.missing or not (one.required or value_text(one.value, one.name))]
        add(
            "CATALOGUE", [*(_known(one) for one in entry.fields if one not in unsaid), *_facts(entry, now)], note=filled
        )
        asked = sum(one.missing for one in unsaid)
        add("NOT SAID YET", [_unsaid(one) for one in sorted(unsaid, key=lambda one: not one.missing)],
            note=f"{asked} required" if asked else "")  # fmt: skip
    add("DECISIONS AND QUESTIONS", _talk(project, entry), "Nothing was decided or asked about it: q asks.")
    add(
        "GATES",
        _gates(entry),
        "No handoff holds it, or what came of it.",
        note=_count(len(entry.gates), "handoff"),
    )
    came = [_came(relation, row) for relation, row in entry.came_from]
    if entry.came_from_count > len(came):
        came.append(Row(None, "", f"and {entry.came_from_count - len(came):,} more: g shows them", style="dim"))
    add("CAME FROM", came, "Nothing that the record knows of.")
    versions = _versions(entry)
    add("VERSIONS", versions if len(versions) > 1 else [], note="of the same name, newest first")
    add("COMMENTS", _comments(project, entry))
    add("SCHEMA", _schema(entry), note="Enter on a column shows its ways" if entry.columns else "")
    add("FURTHER ATTRIBUTES", _attributes(entry))
    if not entry.users:
        add("USED BY", [], "Nothing that the record knows of." if entry.whole else "is being read")
    for use in entry.users:
        head = f"USED BY {many(use.kind).upper()}"
        parts.append(Rows([Row(None, head, "", f"{len(use.numbers):,}", "title")], lambda row: row.key))
        parts.append(Users(project, use))
    return Chained(parts)


def many(kind: str) -> str:
    """Return the plural of a kind."""
    return MANY.get(kind, clean(kind) + "s")


def _count(number: int, one: str) -> str:
    return plural(number, one) if number else ""


# -- the lines of each section -----------------------------------------------------------------------------------------


def _known(one: Known) -> Row:
    said = value_text(one.value, one.name) or "told by what it came from"
    named = "" if one.attribute in ("", one.name) else f"attribute {clean(one.attribute)}"
    return Row(f"field {one.name}", one.name, one_line(said), attribute=one.attribute, value=one.value,
               full=tuple(clean(part) for part in (*said.split("\n"), *([named] if named else []))))  # fmt: skip


def _unsaid(one: Known) -> Row:
    fills = "Enter writes it here, or type" if one.attribute else "an edge or a decision fills it; type"
    held = one_line(value_text(one.value, one.name))
    why = "not said, and no list asks for it"
    if one.missing:
        why = f"missing: {held} says nothing" if held else "missing"
    return Row(
        f"field {one.name}", one.name, why if one.missing else "not said", style="warn" if one.missing else "dim",
        attribute=one.attribute, value=one.value, full=(f"{why}: {fills}", clean(one.command)),
        command=clean(one.command), sign="unknown" if one.missing else "",
    )  # fmt: skip


def value_text(value: Any, name: str = "") -> str:
    """Return a value as people read it; of a schema how many fields it has, of a size its unit. Not cleaned."""
    if value in (None, "", [], {}, ()):
        return ""
    if name == "schema":
        found = schema_fields(value)
        if isinstance(value, int):
            return plural(value, "column")
        return plural(len(found), "field") if len(found) > 1 or not isinstance(value, str) else value
    if name == "size" and _is_count(value):
        return f"{size_words(int(value))} ({int(value):,} bytes)"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(one) for one in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {value_text(one)}" for key, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and name == "rows" else str(value)


def _is_count(value: Any) -> bool:
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19
    return digits or (isinstance(value, int) and not isinstance(value, bool))


def _facts(entry: Entry, now: int) -> list[Row]:
    """Return what the record itself says of the thing: how fresh, whose digests, from where, declared by whom."""
    node, rows = entry.node, []
    if node is None:
        return []
    if entry.fresh is not None:
        fresh = entry.fresh
        when = f"{words.since(fresh.t, now)}, {words.day(fresh.t)}"
        said = f"{fresh.by} {when}" if fresh.by else f"not said when it was made; declared {when}"
        rows.append(Row("fact freshness", "freshness", said, opens=fresh.run, full=(said, words.minute(fresh.t))))
    for name, value in node.digests.items():
        here = ", its bytes are here" if entry.held.get(value) else ""
        full = (
            clean(f"{name} {value}"),
            "its bytes are in this store"
            if here
            else "its bytes are not in this store; carnet add --keep takes them in",
        )
        rows.append(Row(f"fact digest {clean(name)}", clean(name), f"{clean(digest(value))}{here}", full=full))
    if node.source is not None:
        system, ident = (one_line(part) for part in node.source)
        rows.append(
            Row(
                "fact known as",
                "known as",
                f"{ident} in {system}",
                full=(f"{ident} in {system}", "its stable id in that system"),
            )
        )
    declared = f"{entry.person}, {words.day(node.t)}"
    rows.append(Row("fact declared", "declared by", declared, full=(declared, node.id, f"record {digest(node.state)}")))
    for name in node.conflicts:
        full = (
            f"Two people said {clean(name)} apart, neither having seen the other; the newer is shown.",
            "Who says it anew settles it. The timeline, t, has both.",
        )
        rows.append(
            Row(
                f"fact conflict {clean(name)}", "conflict", f"{clean(name)} said apart by two people", style="bad", sign="conflict",
                full=full, attribute=name, value=node.attrs.get(name),
            )
        )  # fmt: skip
    return rows


def _talk(project: Project, entry: Entry) -> list[Row]:
    rows = []
    for code, view in entry.decisions:
        d = view.decision
        full = (one_line(d.question), one_line(d.choice), "", *(clean(part) for part in d.reason.strip().split("\n")))
        rows.append(Row(f"talk {view.id}", code, one_line(d.choice), words.day(view.t), opens=view.id, full=full))
    for code, asked in entry.questions:
        state = decision_view.question_state(asked)
        replies = [f"{clean(project.person_name(one.person))}: {one_line(one.text)}" for one in asked.replies]
        full = (*(clean(part) for part in asked.question.text.strip().split("\n")), "", *replies)
        said = f"{decision_view.STATES[state][1]}: {one_line(asked.question.text)}"
        sign = decision_view.STATES[state][0] if state != "closed" else ""
        rows.append(Row(f"talk {asked.id}", code, said, words.day(asked.t), opens=asked.id, full=full, sign=sign))
    return rows


def _gates(entry: Entry) -> list[Row]:
    rows = []
    for gate in entry.gates:
        verdict = gate.verdict or "not judged"
        rows.append(Row(f"gate {gate.handoff}", verdict, f"{gate.title}  {gate.crossing}", gate.how, opens=gate.handoff,
                        full=(f"{gate.title}, {gate.crossing}", f"the gate is {verdict}", gate.how),
                        sign=words.VERDICT_STATE.get(verdict, verdict) if gate.verdict else ""))  # fmt: skip
    return rows


def _came(relation: str, row: EntityRow) -> Row:
    how = {"made": "made it", "used": "it used this", "from": "it comes from this"}.get(relation, clean(relation))
    return Row(f"from {relation} {row.id}", clean(row.kind), clean(row.title), f"{how}  {words.day(row.t)}", opens=row.id,
               full=(f"{clean(row.kind)} {clean(row.title)}", how, words.minute(row.t)))  # fmt: skip


def _versions(entry: Entry) -> list[Row]:
    rows = []
    ids = [one.row.id for one in entry.versions]
    mine = ids.index(entry.entity) if entry.entity in ids else -1
    for at, one in enumerate(entry.versions):
        place = "this one" if at == mine else "newer" if at < mine else "older"
        same = ", the same bytes" if one.same else ""
        held = f"  {clean(digest(one.digest, 2))}" if one.digest else ""
        rows.append(Row(f"version {one.row.id}", place, f"{clean(one.row.title)}{held}{same}", words.day(one.row.t),
                        style="bold" if at == mine else "", opens="" if at == mine else one.row.id,
                        full=(clean(one.row.title) + same, clean(one.digest), words.minute(one.row.t))))  # fmt: skip
    if entry.more_versions:
        rows.append(Row(None, "", f"and {entry.more_versions:,} older", style="dim"))
    return rows


def _comments(project: Project, entry: Entry) -> list[Row]:
    rows = []
    for change in sorted(entry.comments, key=lambda one: (-one.t, one.id)):
        text = str(getattr(change.value, "text", ""))
        who = clean(project.person_name(change.person))
        full = (f"{who}, {words.minute(change.t)}", "", *(clean(part) for part in text.strip().split("\n")))
        rows.append(Row(f"comment {change.id}", who, one_line(text), words.day(change.t), full=full))
    return rows


def _schema(entry: Entry) -> list[Row]:
    value = next((one.value for one in entry.fields if one.name == "schema"), None)
    told = schema_fields(value)
    known = {name for name, _, _ in told}
    told += [(name, "", "") for name in entry.columns if name not in known]
    rows = []
    for at, (name, kind, said) in enumerate(told):
        text = "  ".join(part for part in (one_line(kind), one_line(said)) if part)
        ups, downs = entry.columns.get(name, (0, 0))
        ways = [f"from {ups}"] if ups else []
        ways += [f"into {downs}"] if downs else []
        full = [one_line(name), one_line(kind), *(clean(part) for part in said.split("\n"))]
        full += [f"it comes from {plural(ups, 'column')}"] if ups else []
        full += [f"{plural(downs, 'column')} came of it"] if downs else []
        rows.append(
            Row(
                f"column {at}",
                one_line(name),
                text,
                ", ".join(ways),
                full=tuple(part for part in full if part),
                column=name if ways else "",
            )
        )
    return rows


def _attributes(entry: Entry) -> list[Row]:
    """Return the attributes that no field of the entry shows, and the parameters."""
    if entry.node is None:
        return []
    shown = {one.attribute for one in entry.fields}
    table = FEATURE if entry.kind == "feature" else DATASET
    asked = {name for names in table.values() for name in names} | {*SCHEMA, "start", "end"}
    rows = []
    for name, value in list(entry.node.attrs.items())[:SHOWN_ATTRIBUTES]:
        if name in shown or (name in asked and not value) or (name in ORIGINS and entry.columns):
            continue
        said = value_text(value)
        plain = isinstance(value, str | int) and not isinstance(value, bool)
        rows.append(Row(f"attr {name}", one_line(name), one_line(said), attribute=name if plain else "", value=value,
                        full=tuple(clean(part) for part in said.split("\n"))))  # fmt: skip
    for name, text in entry.node.params.items():
        rows.append(Row(f"param {name}", one_line(name), one_line(text), "parameter", full=(clean(text),)))
    return rows


# -- painting ----------------------------------------------------------------------------------------------------------


def row_line(row: Row, cells: int, glyphs: Glyphs) -> Line:
    """Return a row as a line."""
    dots = glyphs.ellipsis
    if row.key is None:
        if row.style == "title":
            return both_ends([(row.label, "title")], [(f"  {row.note} ", "dim")] if row.note else [], cells, dots)
        return fit_line([("  ", ""), (row.text, row.style)], cells, dots)
    sign, style = "", ""
    if row.sign:
        sign, _, style = glyphs.state(row.sign)
    wide = LABEL if cells >= 60 else LABEL_WHEN_NARROW
    left: Line = [(f"{sign or ' '} ", style), (pad(row.label, wide, "<", dots) + " ", "dim"), (row.text, row.style)]
    return both_ends(left, [(f"  {row.note} ", "dim")] if row.note and cells >= 60 else [], cells, dots)


def head_lines(entry: Entry | None, name: str, cells: int, now: int, glyphs: Glyphs) -> list[Line]:
    """Return what stands above the list: what it is, how complete, how fresh, how much uses it."""
    if entry is None:
        return [fit_line([(" ", ""), (name, "bold")], cells, glyphs.ellipsis)]
    left: Line = [(" ", ""), (f"{clean(entry.kind)} ", "dim"), (entry.title, "bold")]
    if entry.node is None:
        return [both_ends(left, [("  not declared in this store ", "warn")], cells, glyphs.ellipsis)]
    parts = [f"complete {entry.percent}"] if entry.percent else []
    if entry.fresh is not None:
        parts.append(f"made {words.since(entry.fresh.t, now)}" if entry.fresh.by else "age not said")
    if entry.whole:
        parts.append(plural(entry.user_count(), "user"))
    if cells < 60:
        parts = parts[:1]
    return [both_ends(left, [(f"  {', '.join(parts)} ", "")], cells, glyphs.ellipsis)]


def detail_lines(row: Row | None, cells: int, hint: str = "") -> list[Line]:
    """Return a row in full, wrapped; `hint` says what can be done with it."""
    if row is None:
        return []
    body: list[Line] = []
    for text in row.full or (row.text,):
        body += field("" if body else row.label, text, cells) if text else [[]]
    return section(body, field("", hint, cells, "dim") if hint else [])


def editable(row: Row | None) -> bool:
    """Say whether a row's attribute can be written as text."""
    if row is None or not row.attribute:
        return False
    if row.attribute in SCHEMA:
        return not isinstance(row.value, int)
    flat = row.value is None or (isinstance(row.value, str | int) and not isinstance(row.value, bool))
    return flat or (isinstance(row.value, list | tuple) and all(isinstance(one, str) for one in row.value))


def is_long(row: Row) -> bool:
    """Say whether an attribute is written in several lines: the fields of a schema, a list, a text that has lines."""
    return row.attribute in SCHEMA or isinstance(row.value, list | tuple) or "\n" in str(row.value or "")


def text_of(row: Row) -> str:
    """Return what an attribute holds as text to go on with: one field, or one part of a list, to a line."""
    if row.value is None:
        return ""
    if row.attribute in SCHEMA:
        return "\n".join(f"{name}: {kind}" if kind else name for name, kind, _ in schema_fields(row.value))
    return "\n".join(row.value) if isinstance(row.value, list | tuple) else str(row.value)


def value_of(row: Row, text: str) -> Any:
    """Return what was typed as the value to record: a list where it was one or is a schema, a number where it was one."""
    if row.attribute in SCHEMA or isinstance(row.value, list | tuple):
        return [line.strip() for line in text.split("\n") if line.strip()]
    bare = text.strip()
    if isinstance(row.value, int) and bare.isascii() and bare.isdigit() and len(bare) < 16:
        return int(bare)
    return bare
