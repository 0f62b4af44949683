"""One item as lines: what is asked, the answer with its evidence, who verified it, what is missing, and why it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, clean_lines, digest, fit, pad, width, wrap
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import ItemStatus
    from carnet_store.domain.filling import Proposal
    from carnet_store.domain.template import Item

LABEL = 10
"""Cells of the column of labels."""


@dataclass(frozen=True, slots=True)
class Names:
    """How persons and entities are called; both return cleaned text."""

    person: Callable[[str], str]
    entity: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Says:
    """What the recorded graph says to an item now, None where it does not answer it.

    `mine` tells whether the viewer answers the item; `known` whether the graph was asked since the answer was taken from it.
    """

    proposal: Proposal | None
    mine: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """An item's status with what is said about it.

    `draft` is an answer or verdict not written yet, in words; `findings` holds (who, when in ms, severity, text, whether it
    is the viewer's own); `confirmed` holds (person, answer) where a person confirmed an answer that another typed.
    """

    status: ItemStatus
    place: str
    verifier: str
    yours: str
    draft: str = ""
    comments: Sequence[tuple[str, int, str]] = ()
    questions: Sequence[tuple[str, str, str]] = ()
    findings: Sequence[tuple[str, int, str, str, bool]] = ()
    confirmed: frozenset[tuple[str, str]] = frozenset()
    asked: str = ""
    machine_waits: bool = False
    marks: Sequence[str] = field(default_factory=tuple)
    says: Says | None = None


def value_lines(item: Item, value: Mapping[str, Any], names: Names, room: int = 0) -> list[str]:
    """Return an answer's value as cleaned lines; a table that is wider than `room` cells is told row by row."""
    state = str(value.get("state", ""))
    if state == "na":
        return [f"not applicable: {clean(str(value.get('reason', '')))}"]
    if state == "unknown":
        note = clean(str(value.get("note", "")))
        return [f"unknown: {note}" if note else "unknown"]
    out: list[str] = []
    if state in ("yes", "no"):
        out.append(state)
    if "text" in value:
        out += clean_lines(str(value["text"]))
    if "choice" in value:
        meanings = {option.id: option.meaning for option in item.options}
        for one in _list(value["choice"]):
            meaning = clean(meanings.get(str(one), ""))
            out.append(f"{clean(str(one))}: {meaning}" if meaning else clean(str(one)))
    if "metric" in value:
        out.append(metric_words(value["metric"], names))
    if "literal" in value:
        part = _map(value["literal"])
        out.append(clean(f"{part.get('value', '')} {part.get('unit', '')}".strip()) + "  typed, no run behind it")
    if "files" in value:
        for one in map(_map, _list(value["files"])):
            out.append(
                f"{clean(str(one.get('path')))}  {size_words(one.get('size'))}  sha256 {digest(str(one.get('sha256')), 2)}"
            )
    if "result" in value:
        part = _map(value["result"])
        output = _map(part.get("output"))
        out.append(f"$ {clean(str(part.get('command')))}")
        out.append(
            f"exit code {clean(str(part.get('exit_code')))}, output {size_words(output.get('size'))}"
            f"  sha256 {digest(str(output.get('sha256')), 2)}"
        )
    if "rows" in value:
        rows = [_map(row) for row in _list(value["rows"])]
        lines = table_lines(item, rows, names)
        wide = room and any(width(line) > room for line in lines)
        out += told_lines(item, rows, names) if wide else lines
    if "signature" in value:
        out.append(f"signature {digest(str(value['signature']), 2)}")
    links = [names.entity(str(one)) for one in _list(value.get("links", []))]
    out += [f"linked: {one}" for one in links] if item.type != "link" else links
    out += [f"address: {clean(str(one))}" for one in _list(value.get("urls", []))]
    if value.get("note") and state not in ("unknown", "na"):
        out.append(f"note: {clean(str(value['note']))}")
    return out or ["an answer of a form this Carnet does not know"]


def metric_words(raw: object, names: Names) -> str:
    """Return a metric as people say it: `0.8405  auc of r-012`."""
    part = _map(raw)
    unit = f" {part['unit']}" if part.get("unit") else ""
    return (
        clean(f"{part.get('value', '')}{unit}")
        + f"  {clean(str(part.get('name', '')))} of {names.entity(str(part.get('entity', '')))}"
    )


def table_lines(item: Item, rows: Sequence[Mapping[str, Any]], names: Names) -> list[str]:
    """Return rows under their column titles, columns as wide as they need, at most 24 cells each."""
    columns = [column for column in item.columns if any(column.id in row for row in rows)]
    if not rows or not columns:
        return ["no rows"]
    cells = [[cell_words(row.get(column.id), names) for column in columns] for row in rows]
    heads = [clean(column.title or column.id) for column in columns]
    widths = [min(24, max(width(line[at]) for line in [heads, *cells])) for at in range(len(columns))]
    return [
        "  ".join(pad(cell, wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in [heads, *cells]
    ]


def told_lines(item: Item, rows: Sequence[Mapping[str, Any]], names: Names) -> list[str]:
    """Return rows as sentences: the first cell, then each other column with its title."""
    out = []
    for number, row in enumerate(rows, 1):
        cells = [(clean(c.title or c.id), cell_words(row[c.id], names)) for c in item.columns if c.id in row]
        rest = "; ".join(f"{title} {cell}" for title, cell in cells[1:])
        out.append(" ".join(f"{number}. {cells[0][1]}: {rest}".split()) if cells else f"{number}.")
    return out


def cell_words(raw: object, names: Names) -> str:
    """Return a table's cell as cleaned text."""
    if raw is None:
        return ""
    if isinstance(raw, Mapping):
        return metric_words(raw, names)
    if isinstance(raw, list | tuple):
        return ", ".join(names.entity(str(one)) for one in raw)
    return clean(str(raw))


def size_words(raw: object) -> str:
    """Return a size in bytes as people read it."""
    size = float(raw) if isinstance(raw, int) else 0.0
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return ""


def head_lines(facts: ItemFacts, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return the two lines above an item: what it is and how it stands; who acts on it."""
    one = facts.status
    sign, word, style = words.item_state(one.state, glyphs)
    if facts.says is not None and not one.answers:
        sign, word, style = glyphs.state("proposed")
    title: Line = [(f" {clean(one.item.id)}  ", "title"), (clean(one.item.title), "bold")]
    takes = {"readback": "read-back"}.get(one.item.type, one.item.type)
    verify = f"{words.role(facts.verifier)} verifies" if facts.verifier else "the product judges"
    who = f"{words.role(one.item.answers)} answers, {verify}" if facts.verifier else verify
    severity = {"blocker": "blocks the gate", "major": "blocks unless waived"}.get(
        one.item.severity, clean(one.item.severity)
    )
    return [
        both_ends(title, [(f" {sign} {word} ", style)], cells, glyphs.ellipsis),
        [
            (
                fit(" " + f" {glyphs['between']} ".join((takes, severity, who, facts.place)), cells, glyphs.ellipsis),
                "dim",
            )
        ],
    ]


def body_lines(facts: ItemFacts, cells: int, now: int, names: Names, glyphs: Glyphs) -> list[Line]:
    """Return everything about an item, to scroll in."""
    from carnet_tui.views import proposal_view

    one, out = facts.status, list[Line]()
    item = one.item
    if facts.yours:
        out += block("YOU", [(facts.yours, "accent")], cells)
    if facts.draft:
        out += block(
            "DRAFT", [(f"{facts.draft}", "info"), ("not written, nobody else sees it; u drops it", "dim")], cells
        )
    out += _answers(facts, cells, now, names, glyphs)
    out += proposal_view.lines(facts, cells, names, glyphs)
    if one.reasons and (one.answers or item.machine or one.state != "open"):
        labels = {
            "ok": "VERIFIED",
            "na": "VERIFIED",
            "answered": "NEXT",
            "disagreed": "AGAINST",
            "conflict": "CONFLICT",
        }
        style = "bad" if one.state in ("failed", "disagreed", "conflict") else ""
        out += block(labels.get(one.state, "STILL"), [(clean(r), style) for r in one.reasons], cells)
    if one.verdict is not None and one.state not in ("failed",) and one.verdict.reasons and not item.machine:
        out += block("MACHINE", [(f"{clean(r)}", "") for r in one.verdict.reasons], cells)
    if one.waiver is not None:
        act: Any = one.waiver.value
        out += block(
            "WAIVED",
            [
                (f"until {words.day(act.expires)} by {names.person(one.waiver.person)}: {clean(act.reason)}", "warn"),
                (f"meanwhile: {clean(act.mitigation)}", ""),
                ("the failure stays shown above", "dim"),
            ],
            cells,
        )
    for who, at, severity, text, own in facts.findings:
        texts = [(f"{severity}: {text}", "warn"), (f"by {who}, {words.since(at, now)}", "dim")]
        out += block(
            "FINDING",
            [*texts, *([("it is yours: close finding in the palette (:) settles it", "dim")] if own else [])],
            cells,
        )
    for code, text, state in facts.questions:
        out += block("QUESTION", [(f"{code} ({state})  {text}", "info")], cells)
    for who, at, text in facts.comments:
        out += block("COMMENT", [(f"{who}, {words.since(at, now)}: {text}", "")], cells)
    if facts.asked:
        out += block("ASKED", [(facts.asked, "")], cells)
    for label, text in (("HELP", item.help), ("", item.guidance), ("WHY", item.why)):
        if text:
            out += block(label, [(clean(text), "")], cells, gap=bool(label))
    wants = wanted(item)
    if wants:
        out += block("TAKES", [(wants, "dim")], cells)
    sources = [clean(" ".join(item.source)), clean(" ".join(item.req))]
    out += block("SOURCE", [("  ".join(s for s in sources if s), "dim")], cells)
    return out


def wanted(item: Item) -> str:
    """Return what an item takes, beyond its type."""
    said = []
    if item.evidence:
        said.append("linked evidence: " + " or ".join(clean(kind) for kind in item.evidence))
    if item.options:
        said.append(("any of " if item.many else "one of ") + ", ".join(clean(option.id) for option in item.options))
    if item.columns:
        said.append("columns " + ", ".join(clean(column.id) for column in item.columns))
    if item.min_rows:
        said.append(f"at least {words.count(item.min_rows, 'row')}")
    if item.min_length:
        said.append(f"at least {item.min_length} characters")
    if item.na == "never":
        said.append("not applicable is no answer here")
    return "; ".join(said)


def _answers(facts: ItemFacts, cells: int, now: int, names: Names, glyphs: Glyphs) -> list[Line]:
    from carnet_tui.views import proposal_view

    one, item = facts.status, facts.status.item
    if not one.answers:
        if item.machine:
            sign, word, style = glyphs.state("checked here" if one.evidence else "open")
            return block("ANSWER", [(f"{sign} {word}: the product looks itself, nobody types this", style)], cells)
        return block("ANSWER", [("none yet: " + "; ".join(map(clean, one.reasons)), "dim")], cells)
    out: list[Line] = []
    for change in one.answers:
        value: Any = getattr(change.value, "answer", {})
        spoken, typed = str(value.get("spoken_by", "")), str(value.get("typed_by", ""))
        who = f"by {names.person(change.person)}, {words.since(change.t, now)}"
        if spoken and spoken != change.person:
            speaker = names.person(spoken)
            done = (spoken, change.id) in facts.confirmed
            counts = f"{speaker} confirmed it" if done else f"counts when {speaker} confirms"
            who = f"spoken by {speaker}, typed by {names.person(typed or change.person)}, {words.since(change.t, now)}; {counts}"
        texts = [
            (line, "bold" if item.type in ("confirm", "number", "choice") else "")
            for line in value_lines(item, value, names, cells - LABEL - 3)
        ]
        out += block("ANSWER", texts, cells)
        out += block("", [(who, "dim")], cells, gap=False)
        if one.evidence and len(one.answers) == 1:
            sign, word, style = glyphs.state(one.evidence)
            taken = proposal_view.taken_words(value, facts.says) if value.get("filled") else ""
            if taken:  # nobody typed it: the record said it, and a person took it as it stood
                told = glyphs.state("recorded")
                out += block("", [(f"{told[0]} recorded: {taken}", told[2])], cells, gap=False)
                if one.evidence == "recorded":
                    continue
            more = {"asserted": ": a person says so", "recorded": ": its result was brought, this store did not run it"}
            out += block("", [(f"{sign} {word}{more.get(one.evidence, '')}", style)], cells, gap=False)
    return out


def block(label: str, texts: Sequence[tuple[str, str]], cells: int, *, gap: bool = True) -> list[Line]:
    """Return labelled, wrapped lines with a blank line before them."""
    room = max(12, cells - LABEL - 3)
    out: list[Line] = [[]] if gap else []
    for text, style in texts:
        # A line that was laid out in columns keeps its blanks; prose is wrapped.
        parts = [fit(text, room)] if "  " in text.strip() and width(text) <= room else wrap(text, room)
        for part in parts:
            out.append([(f" {pad(label, LABEL)} ", "dim"), (part, style)])
            label = ""
    return out


def _list(raw: object) -> Sequence[object]:
    return raw if isinstance(raw, list | tuple) else ()


def _map(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}
