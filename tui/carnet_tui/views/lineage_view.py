"""A node of the lineage as lines: its neighbours as leaves of the map, its facts, what a change of it would touch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import Leaf
from carnet_tui.text import Line, both_ends, clean, digest, fit_line, line_width, plural
from carnet_tui.views import words
from carnet_tui.views.fields import bullets, field, one_line, section

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.domain.lineage import Node

SHOWN = 40
"""Parameters, metrics and attributes that a node's facts list; the rest is counted."""
KINDS = (
    "dataset", "run", "code", "environment", "document", "model", "feature", "criteria", "check", "review", "drill",
    "deployment", "incident", "glossary",
)  # fmt: skip
"""Kinds of nodes that a person may declare, in the order in which they are offered."""


def leaf(row: EntityRow, relation: str = "") -> Leaf:
    """Return an entity as a leaf of the map."""
    return Leaf(row.id, clean(row.kind), clean(row.title), relation)


def leaves(rows: Sequence[tuple[str, EntityRow]]) -> list[Leaf]:
    """Return neighbours as leaves, each once: several relations to one neighbour stand in one word."""
    found: dict[str, Leaf] = {}
    for relation, row in rows:
        held = found.get(row.id)
        found[row.id] = leaf(row, f"{held.relation}, {relation}" if held else relation)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Related:
    """What the record says about nodes beside their own facts: decisions, questions and handoffs by node. Cleaned texts."""

    decisions: Mapping[str, Sequence[tuple[str, str]]]
    """Node -> (code, choice)."""
    questions: Mapping[str, Sequence[tuple[str, str, str]]]
    """Node -> (code, state, text)."""
    handoffs: Mapping[str, Sequence[tuple[str, str, str]]]
    """Node -> (id, crossing, verdict)."""


NOTHING_RELATED = Related({}, {}, {})


def related(project: Project) -> Related:
    """Read what is about which node; one pass over decisions, questions and handoffs."""
    decisions: dict[str, list[tuple[str, str]]] = {}
    questions: dict[str, list[tuple[str, str, str]]] = {}
    handoffs: dict[str, list[tuple[str, str, str]]] = {}
    for d in project.decisions():
        for entity in d.decision.about:
            decisions.setdefault(entity, []).append((project.code(d.id), one_line(d.decision.choice)))
    for q in project.questions():
        for entity in q.question.about:
            questions.setdefault(entity, []).append((project.code(q.id), q.state, one_line(q.question.text)))
    for handoff in project.handoffs():
        crossing = words.crossing(handoff.opened.from_stage, handoff.opened.to_stage)
        for entity in dict.fromkeys((handoff.opened.model, *handoff.entities)):
            handoffs.setdefault(entity, []).append((handoff.id, crossing, verdict_of(project, handoff.id)))
    return Related(decisions, questions, handoffs)


def verdict_of(project: Project, handoff: str) -> str:
    """Return a handoff's verdict in a word, or why it cannot be told here."""
    from carnet_store import CarnetError

    try:
        return project.look(handoff).status.verdict
    except CarnetError:
        return "cannot be judged here"


def headline(this: Leaf, ups: int, downs: int, cells: int, glyphs: Glyphs) -> Line:
    """Return the line above the map: what is looked at, and how much lies one step away."""
    left: Line = [(" ", ""), (f"{this.kind} ", "dim"), (this.name, "bold")]
    right: Line = [(f"   comes from {ups:,}   used by {downs:,} ", "dim")] if cells >= 60 else []
    return both_ends(left, right, cells, glyphs.ellipsis)


def trail(names: Sequence[str], here: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the way one came, the oldest steps left out where there is no room."""
    to = f" {glyphs['to']} "
    kept = list(names)
    while True:
        line: Line = [(" trail  ", "dim"), *([(f"{glyphs.ellipsis}{to}", "dim")] if len(kept) < len(names) else [])]
        for name in kept:
            line += [(name, ""), (to, "dim")]
        line.append((here, "accent"))
        if line_width(line) <= cells or not kept:
            return fit_line(line, cells, glyphs.ellipsis)
        kept.pop(0)


def facts(node: Node, person: str, about: Related, cells: int, glyphs: Glyphs, relation: str = "") -> list[Line]:
    """Return what is known of a node; `person` is the name of who declared it, cleaned."""
    title: Line = [(" ", ""), (f"{clean(node.kind)} ", "dim"), (clean(node.title), "bold")]
    if node.digests:
        name, value = next(iter(node.digests.items()))
        title += [(f"   {clean(name)} ", "dim"), (clean(digest(value)), "")]
    who: Line = [(f"{person}, {words.day(node.t)} ", "dim")]
    top = [both_ends(title, who, cells, glyphs.ellipsis)]
    if relation:
        top += field("here", relation, cells, "dim")
    lacking = node.missing()
    if lacking:
        top += field("missing", f"{', '.join(lacking)}: name it, so that others can find it again", cells, "warn")
    if node.conflicts:
        top += field("conflict", f"said apart by two people: {clean(', '.join(node.conflicts))}", cells, "bad")
    return [*top, *_values(node, cells), *_about(node.id, about, cells, glyphs)]


def _values(node: Node, cells: int) -> list[Line]:
    out: list[Line] = []
    if node.params:
        out += field("params", _pairs(node.params), cells)
    if node.metrics:
        texts = [
            f"{m.name} {m.value}{' ' + m.unit if m.unit else ''}" + _where(m.split, m.slice)
            for m in node.metrics[:SHOWN]
        ]
        out += field("metrics", clean("   ".join(texts)) + _rest(len(node.metrics)), cells)
    for row in node.criteria[:SHOWN]:
        rule = f"{row.metric} {row.op} {row.value}{' ' + row.unit if row.unit else ''}{_where(row.split, row.slice)}"
        out += field("criterion" if row is node.criteria[0] else "", clean(rule), cells)
    if node.attrs:
        for name, value in list(node.attrs.items())[:SHOWN]:
            out += field(clean(name), _plain(value), cells)
    for name, value in list(node.digests.items())[1:SHOWN]:
        out += field(clean(name), clean(digest(value)), cells)
    if node.source:
        out += field("from", clean(" ".join(node.source)), cells)
    return out


def _where(split: str, slice_: str) -> str:
    inside = ", ".join(one for one in (split, slice_) if one)
    return f" ({inside})" if inside else ""


def _pairs(values: Mapping[str, str]) -> str:
    shown = "   ".join(f"{name} {value}" for name, value in list(values.items())[:SHOWN])
    return clean(shown) + _rest(len(values))


def _rest(count: int) -> str:
    return f"   and {count - SHOWN} more" if count > SHOWN else ""


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return clean(", ".join(str(one) for one in value))
    if isinstance(value, Mapping):
        return clean(", ".join(f"{key} {one}" for key, one in value.items()))
    return one_line(str(value))


def _about(entity: str, about: Related, cells: int, glyphs: Glyphs) -> list[Line]:
    out: list[Line] = []
    for _, crossing, verdict in about.handoffs.get(entity, ()):
        sign, word, _ = words.gate_state(verdict, glyphs)
        out += field("handoff", f"{crossing}: {sign} {word}", cells)
    out += bullets("decisions", [f"{code}  {choice}" for code, choice in about.decisions.get(entity, ())], cells)
    asked = [f"{code}  {state}: {text}" for code, state, text in about.questions.get(entity, ())]
    return [*out, *bullets("questions", asked, cells)]


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of a node would touch. `downstream` counts by kind; `touched` are (title, crossing, who signed)."""

    title: str
    downstream: Mapping[str, int]
    steps: int
    touched: Sequence[tuple[str, str, Sequence[str]]]
    packages: Sequence[tuple[str, str]]
    """Handoffs whose package has it and that nobody signed: (title, crossing)."""
    below: Sequence[tuple[str, str]]
    """Handoffs of what came of it: (title, crossing)."""


def impact(project: Project, entity: str) -> Impact:
    """Walk down from a node: what came of it, which packages hold it, whose sign-offs a change of it would turn stale."""
    from carnet_store import CarnetError

    down = project.walk(entity, up=False)
    reached = {found for found, _ in down}
    touched: list[tuple[str, str, Sequence[str]]] = []
    packages: list[tuple[str, str]] = []
    below: list[tuple[str, str]] = []
    for handoff in project.handoffs():
        crossing = words.crossing(handoff.opened.from_stage, handoff.opened.to_stage)
        title = clean(project.row(handoff.opened.model).title)
        try:
            look = project.look(handoff.id)
        except CarnetError:
            continue  # its template is not here: opening the handoff says so
        held = {row["id"] for row in look.manifest.get("entities", ())} | {
            (look.manifest.get("criteria") or {}).get("id")
        }
        if entity in held:
            fresh = [s for row in look.status.rows for s in row.signed if s.fresh]
            names = tuple(
                f"{clean(project.person_name(s.change.person))} as {words.role(s.predicate.role)}" for s in fresh
            )
            if names:
                touched.append((title, crossing, names))
            else:
                packages.append((title, crossing))
        elif handoff.opened.model in reached or reached & set(handoff.entities):
            below.append((title, crossing))
    kinds = Counter(found.partition(":")[0] for found in reached)
    steps = max((hops for _, hops in down), default=0)
    return Impact(clean(project.title(entity)), dict(sorted(kinds.items())), steps, touched, packages, below)


def impact_lines(found: Impact, cells: int) -> list[Line]:
    """Return an impact as text."""
    total = sum(found.downstream.values())
    kinds = ", ".join(plural(number, kind) for kind, number in found.downstream.items())
    head = (
        field("came of it", f"{plural(total, 'node')} within {plural(found.steps, 'step')}: {kinds}", cells)
        if total
        else field("came of it", "nothing that the record knows of", cells)
    )
    stale = [
        f"{title}, {crossing}: {', '.join(names)}" for title, crossing, names in found.touched
    ]  # fmt: skip
    signoffs = sum(len(names) for _, _, names in found.touched)
    first = (
        [*field("stale", f"{plural(signoffs, 'sign-off')} would turn stale if its record changed", cells, "warn"),
         *bullets("", stale, cells)]
        if stale
        else field("stale", "no sign-off stands on it now", cells)
    )  # fmt: skip
    second = bullets(
        "packages", [f"{title}, {crossing}: holds it, not signed yet" for title, crossing in found.packages], cells
    )
    third = bullets(
        "further", [f"{title}, {crossing}: made from what came of it" for title, crossing in found.below], cells
    )
    return section(first, second, head, third)
