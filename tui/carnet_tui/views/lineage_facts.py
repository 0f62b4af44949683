"""What is known of a node, as lines: values that people can read, what it was made with, who signed for it, what is wrong with it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain.columns import origins_of, schema_fields, steps_of
from carnet_store.domain.lineage_diff import packages_of, text_of
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, digest, fit_line, line_width, plural
from carnet_tui.views import words
from carnet_tui.views.fields import bullets, field, one_line
from carnet_tui.views.lineage_standing import Standing, names_of

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.domain.lineage import Metric, Node

SHOWN: Final = 20
"""Parameters, metrics, attributes and parts of one value that a pane lists; the rest is counted."""
ALL_OF_IT: Final = 5_000
"""The same where all of it is asked for."""
MAKERS: Final = 3
"""Runs that made a thing whose code and environment are told."""
PARSED_AT_MOST: Final = 100_000
PARSED_TO: Final = 2
"""Lists within lists that are looked at for text of JSON."""
VALUE_CELLS: Final = 400
"""Characters of one value in a pane."""
TIMES: Final = frozenset({"started", "ended", "at"})
"""Attributes, and parts of attributes, that sources fill with a time in ms."""
_DIGEST: Final = re.compile(r"(?:([a-z0-9]{3,10}):)?([0-9a-f]{32,128})")


@dataclass(frozen=True, slots=True)
class Made:
    """Code or an environment that a node was made with: its kind, its name with what pins it, the run that used it (empty: the node itself)."""

    kind: str
    text: str
    run: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A node as a pane shows it. `node` is None where it is only referred to; texts but those of `node` are cleaned."""

    row: EntityRow
    no: int | None
    node: Node | None = None
    person: str = ""
    made: tuple[Made, ...] = ()
    relation: str = ""
    back: bool = False
    by: tuple[str, ...] = ()
    """The runs that its edges stand for, where these are left out."""


def read(project: Project, entity: str) -> Facts:
    """Read what is known of a node; on the store's thread, because one with thousands of values takes long."""
    row, no = project.row(entity), project.graph.find(entity)
    node = project.node(entity)
    if node is None:
        return Facts(row, no)
    return Facts(row, no, node, clean(project.person_name(node.person)), tuple(_made_with(project, node)))


def _made_with(project: Project, node: Node) -> list[Made]:
    runs = [node]
    if node.kind != "run":
        near, _ = project.graph.near(node.id, up=True, limit=2 * MAKERS)
        ids = [row.id for relation, row in near if relation == "made" and row.kind == "run"][:MAKERS]
        runs = [run for run in map(project.node, ids) if run is not None]
    found = []
    for run in runs:
        for edge in run.edges:
            kind = edge.dst.partition(":")[0]
            if edge.relation == "used" and kind in ("code", "environment"):
                used = project.node(edge.dst)
                pinned = _pinned(used) if used is not None else "not declared here"
                name = clean(used.title if used is not None else project.row(edge.dst).title)
                found.append(
                    Made(kind, f"{name}{f'  {pinned}' if pinned else ''}", "" if run is node else clean(run.title))
                )
    return list(dict.fromkeys(found))


def _pinned(node: Node) -> str:
    for name in ("commit", "image", "lock"):
        if node.attrs.get(name):
            return f"{name} {shown(node.attrs[name])}"
    return f"sha256 {clean(digest(node.digests['sha256'], 2))}" if "sha256" in node.digests else ""


# --- values -----------------------------------------------------------------------------------------------------------


def shown(value: Any, most: int = SHOWN) -> str:
    """Return a value as people read it, cleaned: names of parts with their values, digests in groups, much of it counted."""
    text = _shown(value, most, 0)
    limit = VALUE_CELLS if most == SHOWN else 100 * VALUE_CELLS
    return text if len(text) <= limit else f"{text[:limit]} and {len(text) - limit:,} characters more"


def moment(name: str, value: Any) -> str:
    """Return when a run began or ended, or something came to be, which sources tell in ms since 1970; empty for what is no such time."""
    known = name in TIMES and isinstance(value, int) and not isinstance(value, bool)
    return words.minute(value) if known and 10**11 < value < 4 * 10**12 else ""


def _shown(value: Any, most: int, depth: int) -> str:
    if isinstance(value, str):
        found = _DIGEST.fullmatch(value)
        if found is not None:
            return f"{found[1] or ''} {digest(found[2])}".strip()
        parsed = _parsed(value) if depth <= PARSED_TO else None
        return one_line(value) if parsed is None else _shown(parsed, most, max(1, depth))
    if isinstance(value, Mapping):
        parts = [
            f"{one_line(str(name))} {moment(str(name), part) or _shown(part, most, depth + 1)}"
            for name, part in list(value.items())[:most]
        ]
        text = ("; " if depth == 0 else ", ").join(parts) + rest(len(value), most)
        return f"({text})" if depth > 1 or (depth == 1 and len(value) > 1) else text
    if isinstance(value, list | tuple):
        return ", ".join(_shown(one, most, depth + 1) for one in value[:most]) + rest(len(value), most)
    return clean(text_of(value))


def _parsed(text: str) -> Any:
    """Return what a text of JSON holds, a list or an object; None where it is none: tools keep such values as text."""
    if text[:1] not in ("[", "{") or len(text) > PARSED_AT_MOST:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list | dict) and found else None


def told(name: str, value: Any, most: int = SHOWN) -> str:
    """Return an attribute's value as people read it, cleaned: times, packages, fields and where they came from in their own form."""
    if name == "packages" and (packages := packages_of(value)):
        return pairs(packages, most)
    if name == "columns" and (steps := steps_of(value)):
        if most == SHOWN:
            return ", ".join(map(one_line, list(steps)[:most])) + rest(len(steps), most)
        return "; ".join(f"{one_line(one)} from {_origins(steps[one], most)}" for one in list(steps)[:most])
    if name == "columns_of_all" and (found := origins_of(value)):
        return f"from {_origins(found, most)}{rest(len(found), most)}"
    if name == "schema" and (fields := schema_fields(value)):
        return ", ".join(one_line(f"{one} {kind}".strip()) for one, kind, _ in fields[:most]) + rest(len(fields), most)
    return moment(name, value) or shown(value, most)


def _origins(found: Sequence[tuple[str, str, str]], most: int) -> str:
    return ", ".join(f"{one_line(column)} of {one_line(holder)}" for holder, column, _ in found[:most])


def rest(count: int, most: int = SHOWN) -> str:
    """Return what stands after the first ones: how many more there are; empty where there are none."""
    return f"   and {count - most:,} more" if count > most else ""


def pairs(values: Mapping[str, Any], most: int = SHOWN) -> str:
    """Return names with their values in one text, cleaned."""
    return "   ".join(f"{clean(name)} {shown(value, most)}" for name, value in list(values.items())[:most]) + rest(
        len(values), most
    )


def metric(one: Metric) -> str:
    """Return a metric as people say it: `auc 0.84 (holdout)`, cleaned."""
    inside = ", ".join(part for part in (one.split, one.slice, f"step {one.step}" if one.step else "") if part)
    return clean(f"{one.name} {one.value}{f' {one.unit}' if one.unit else ''}{f' ({inside})' if inside else ''}")


def newest(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the last step of each metric, in the order in which they first came: a curve of a thousand steps is one value."""
    found: dict[tuple[str, str, str], Metric] = {}
    for one in metrics:
        held = found.get((one.name, one.split, one.slice))
        if held is None or one.step >= held.step:
            found[one.name, one.split, one.slice] = one
    return list(found.values())


# --- lines ------------------------------------------------------------------------------------------------------------


def lines(facts: Facts, standing: Standing, cells: int, glyphs: Glyphs, *, whole: bool = False) -> list[Line]:
    """Return what is known of a node; with `whole` every value of it."""
    node, row = facts.node, facts.row
    states = standing.states(row.id, facts.no)
    title: Line = [(" ", ""), (f"{clean(row.kind)} ", "dim"), (clean(row.title), "bold")]
    if node is None:
        said = "It is referred to, and not declared in this store: a newer bundle may bring it."
        out = [both_ends(title, [], cells, glyphs.ellipsis), *field("", said, cells)]
        return [*out, *_relation(facts, cells, glyphs), *_wrong(facts, standing, states, cells, glyphs)]
    if node.digests:
        name, value = next(iter(node.digests.items()))
        title += [(f"   {clean(name)} ", "dim"), (clean(digest(value)), "")]
    who: Line = [(f"{facts.person}, {words.day(node.t)} ", "dim")]
    if line_width(title) + line_width(who) + 1 <= cells:
        top = [both_ends(title, who, cells, glyphs.ellipsis)]
    else:
        top = [
            fit_line(title, cells, glyphs.ellipsis),
            *field("declared", f"{facts.person}, {words.day(node.t)}", cells),
        ]
    top += _wrong(facts, standing, states, cells, glyphs)
    top += _relation(facts, cells, glyphs)
    top += _missing(node, cells)
    if node.conflicts:
        top += field("conflict", f"said apart by two people: {clean(', '.join(node.conflicts))}", cells, "bad")
    return [
        *top,
        *_values(node, facts.made, cells, ALL_OF_IT if whole else SHOWN),
        *_about(row.id, standing, cells, glyphs),
    ]


def _missing(node: Node, cells: int) -> list[Line]:
    """Return which required fields nothing fills, and what fills each."""
    filled: dict[str, list[str]] = {}
    for name in node.missing():
        if name == "digest":  # other bytes are another version
            how = "n declares another version, that has one"
        elif node.kind == "dataset":
            how = "Enter, its catalogue entry, e on the field"
        else:
            how = f"carnet describe {shlex.quote(clean(node.title))} {name}=TEXT"
        filled.setdefault(how, []).append(name)
    out: list[Line] = []
    for how, names in filled.items():
        out += field("" if out else "missing", f"{', '.join(names)}   {how}", cells, "warn")
    return out


def _wrong(facts: Facts, standing: Standing, states: Sequence[str], cells: int, glyphs: Glyphs) -> list[Line]:
    out: list[Line] = []
    own = standing.recall_of(facts.row.id)
    if own is not None:
        sign, word, style = glyphs.state("recalled")
        out += field(word, f"{sign} by {own.by}, {words.day(own.t)}: {own.reason}", cells, style)
    sign, word, style = glyphs.state("tainted")
    for at, one in enumerate(standing.taints(facts.no)[:SHOWN]):
        out += field(
            word if at == 0 else "",
            f"{sign} {one.kind} {one.title} was recalled by {one.by}: {one.reason}",
            cells,
            style,
        )
    if "failed" in states:
        sign, word, style = glyphs.state("failed")
        out += field("outcome", f"{sign} {word}", cells, style)
    return out


def _relation(facts: Facts, cells: int, glyphs: Glyphs) -> list[Line]:
    out = field("here", facts.relation, cells, "dim") if facts.relation else []
    more = [f"and {plural(len(facts.by) - SHOWN, 'run')} more"] if len(facts.by) > SHOWN else []
    out += bullets("by run", [*facts.by[:SHOWN], *more], cells)
    if facts.back:
        sign, word, style = glyphs.state("cycle")
        out += field("", f"{sign} this edge {word}: two records contradict each other", cells, style)
    return out


def _values(node: Node, made: Sequence[Made], cells: int, most: int) -> list[Line]:
    out: list[Line] = []
    if node.params:
        out += field("params", pairs(node.params, most), cells)
    if node.metrics:
        last = newest(node.metrics) if most == SHOWN else list(node.metrics)
        out += field("metrics", "   ".join(metric(one) for one in last[:most]) + rest(len(last), most), cells)
    for kind in ("code", "environment"):
        for at, one in enumerate([one for one in made if one.kind == kind][:SHOWN]):
            by = f"   used by {one.run}" if one.run else ""
            out += field(kind if at == 0 else "", f"{one.text}{by}", cells)
    for criterion in node.criteria[:most]:
        where = ", ".join(part for part in (criterion.split, criterion.slice) if part)
        unit = f" {criterion.unit}" if criterion.unit else ""
        rule = f"{criterion.metric} {criterion.op} {criterion.value}{unit}{f' ({where})' if where else ''}"
        out += field("criterion" if criterion is node.criteria[0] else "", clean(rule), cells)
    for name, value in list(node.attrs.items())[:most]:
        out += field("each field" if name == "columns_of_all" else clean(name), told(name, value, most), cells)
    if len(node.attrs) > most:
        out += field("", f"and {plural(len(node.attrs) - most, 'attribute')} more", cells, "dim")
    for name, value in list(node.digests.items())[1 if most == SHOWN else 0 : most]:
        out += field(clean(name), clean(digest(value, 4 if most == SHOWN else 32)), cells)
    if node.source:
        out += field("from", clean(" ".join(node.source)), cells)
    return out


def _about(entity: str, standing: Standing, cells: int, glyphs: Glyphs) -> list[Line]:
    out: list[Line] = []
    crossed = standing.crossed.get(entity, ())
    for one, name in zip(crossed, names_of(crossed, entity), strict=True):
        sign, word, _ = words.gate_state(one.verdict, glyphs)
        if one.recalled:
            sign, word, _ = glyphs.state("recalled")
        out += field("handoff", f"{name}: {sign} {word}", cells, "bad" if one.recalled else "")
        signed = [
            f"{glyphs.state('fresh' if fresh else 'stale')[0]} {name} ({role}{'' if fresh else ', stale'})"
            for name, role, fresh in one.signed
        ]
        out += field("  signed", ", ".join(signed), cells) if signed else []
    out += bullets("decisions", [f"{code}  {choice}" for code, choice in standing.decisions.get(entity, ())], cells)
    asked = [f"{code}  {state}: {text}" for code, state, text in standing.questions.get(entity, ())]
    return [*out, *bullets("questions", asked, cells)]
