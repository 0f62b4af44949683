"""A set of lineage nodes as text for other tools: W3C PROV-JSON, Graphviz DOT, Mermaid, CSV. Pure: nodes and edges in, text out.

The same set gives the same bytes. Names come from anywhere: each format escapes what would be more than a name in it, and what cannot be seen is
written as its code.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from carnet_store.errors import Usage

ACTIVITIES: Final = frozenset({"run", "check", "review", "drill"})
"""Kinds that are activities in PROV; all others are entities."""
LONG_TEXT: Final = 4_000
"""Characters of a list or an object among the attributes that leave, as JSON."""
NAMESPACE: Final = "https://w3id.org/carnet/"
_PLAIN_IN_MERMAID: Final = re.compile(r"[A-Za-z0-9 @._/-]")


@dataclass(frozen=True, slots=True)
class ExportNode:
    """A node as it leaves: `t` in ms (0: unknown), `person` the id and `who` the name of who declared it; `declared` false: only referred to.

    `metrics` are (name with split and slice, decimal text). `standing` is the word of a recall that concerns it: `recalled`, or `tainted` where it came of something recalled.
    """

    id: str
    kind: str
    name: str = ""
    version: str = ""
    t: int = 0
    person: str = ""
    who: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    declared: bool = True
    standing: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[tuple[str, str]] = ()

    @property
    def title(self) -> str:
        """`churn@7` for a version, else the name, else the id."""
        return (f"{self.name}@{self.version}" if self.version else self.name) or self.id


class ExportEdge(NamedTuple):
    """An edge as it was recorded: `src` used, made, or comes from `dst`; `back` says that it closes a cycle."""

    src: str
    relation: str
    dst: str
    back: bool = False

    @property
    def flow(self) -> tuple[str, str]:
        """What was there first, what came of it."""
        return (self.src, self.dst) if self.relation == "made" else (self.dst, self.src)


def export(form: str, ledger: str, nodes: Iterable[ExportNode], edges: Iterable[ExportEdge]) -> str:
    """Return the set as text; edges to nodes that are not among `nodes` are left out.

    Args:
        form: one of `FORMS`.
        ledger: the ledger id, 64 hex.
        nodes: the nodes.
        edges: the edges among them.

    Raises:
        Usage: there is no such format.
    """
    if form not in FORMS:
        raise Usage(f"there is no export to {form!r}", f"formats: {', '.join(FORMS)}")
    kept = {node.id: node for node in nodes}
    inside = sorted({edge for edge in edges if edge.src in kept and edge.dst in kept})
    return FORMS[form](ledger, [kept[one] for one in sorted(kept)], inside)


def moment(t: int) -> str:
    """Return a time in ms as ISO 8601 in UTC; empty where there is none or it lies outside the calendar."""
    try:
        return (
            datetime.fromtimestamp(t / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if t else ""
        )
    except (ValueError, OverflowError, OSError):
        return ""


def visible(text: str) -> str:
    r"""Return a text in one line: what cannot be seen (controls, marks of direction, blanks of no width) as `\u{…}`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


# --- PROV -----------------------------------------------------------------------------------------------------------


def prov(ledger: str, nodes: Sequence[ExportNode], edges: Sequence[ExportEdge]) -> str:
    """Return PROV-JSON (W3C member submission of 2013): entities, activities, agents, and how they hang together."""
    found: dict[str, dict[str, Any]] = {
        "prefix": {"carnet": NAMESPACE, "ledger": f"urn:carnet:ledger:{ledger}:", "xsd": "http://www.w3.org/2001/XMLSchema#"}
    }  # fmt: skip
    active = {node.id for node in nodes if node.kind in ACTIVITIES}
    count = 0

    def relate(name: str, **ends: str) -> None:
        nonlocal count
        count += 1
        found.setdefault(name, {})[f"_:r{count}"] = {f"prov:{role}": what for role, what in ends.items()}

    for node in nodes:
        what = "activity" if node.id in active else "entity"
        found.setdefault(what, {})[_qualified(node.id)] = _attributes(node)
        if node.person:
            agent = _qualified(f"person:{node.person}")
            found.setdefault("agent", {})[agent] = {
                "prov:type": {"$": "prov:Person", "type": "prov:QUALIFIED_NAME"}, "prov:label": node.who or node.person[:8],
            }  # fmt: skip
            if what == "entity":
                relate("wasAttributedTo", entity=_qualified(node.id), agent=agent)
            else:
                relate("wasAssociatedWith", activity=_qualified(node.id), agent=agent)
    for edge in edges:
        src, dst = _qualified(edge.src), _qualified(edge.dst)
        kinds = (edge.src in active, edge.dst in active)
        if edge.relation == "used" and kinds == (True, False):
            relate("used", activity=src, entity=dst)
        elif edge.relation == "made" and kinds == (True, False):
            relate("wasGeneratedBy", entity=dst, activity=src)
        elif edge.relation == "from" and kinds == (False, False):
            relate("wasDerivedFrom", generatedEntity=src, usedEntity=dst)
        elif edge.relation != "made" and kinds == (False, True):
            relate("wasGeneratedBy", entity=src, activity=dst)
        elif edge.relation != "made" and kinds == (True, True):
            relate("wasInformedBy", informed=src, informant=dst)
        else:  # PROV has no narrower word for it
            first, last = edge.flow
            relate("wasInfluencedBy", influencee=_qualified(last), influencer=_qualified(first))
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def _attributes(node: ExportNode) -> dict[str, Any]:
    found: dict[str, Any] = {
        "prov:type": {"$": f"carnet:{_local(node.kind)}", "type": "prov:QUALIFIED_NAME"},
        "prov:label": node.title,
    }
    if node.standing:
        found["carnet:standing"] = node.standing
    if not node.declared:
        return found | {"carnet:declared": False}
    if node.version:
        found["carnet:version"] = node.version
    when = moment(node.t)
    if when:
        found["carnet:declaredAt"] = {"$": when, "type": "xsd:dateTime"}
    for name, value in node.digests.items():
        found[f"carnet:digest.{_local(name)}"] = value
    for name, value in node.attrs.items():
        if isinstance(value, str | int | bool):
            found[f"carnet:attr.{_escaped(name)}"] = value
        elif value is not None and len(text := json.dumps(value, ensure_ascii=False, sort_keys=True)) <= LONG_TEXT:
            found[f"carnet:attr.{_escaped(name)}"] = text
    for word, pairs in (("param", node.params.items()), ("metric", node.metrics)):
        for name, text in pairs:
            found[f"carnet:{word}.{_escaped(name)}"] = text
    if node.kind in ACTIVITIES:
        for name, role in (("started", "startTime"), ("ended", "endTime")):
            ms = node.attrs.get(name)
            when = moment(ms) if isinstance(ms, int) and not isinstance(ms, bool) else ""
            if when:
                found[f"prov:{role}"] = when
    return found


def _qualified(entity: str) -> str:
    return f"ledger:{_local(entity)}"


def _local(text: str) -> str:
    """Return a name that may stand after the colon of a qualified name: letters, digits, `_`, `.`; the kind's colon becomes `-`."""
    kind, colon, rest = text.partition(":")
    return "-".join(_escaped(part) for part in ((kind, rest) if colon else (text,)))


def _escaped(text: str) -> str:
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "_.")
        else "".join(f"%{byte:02X}" for byte in _bytes(char))
        for char in text
    )


def _bytes(char: str) -> bytes:
    return char.encode("utf-8", "surrogatepass")


# --- pictures -------------------------------------------------------------------------------------------------------

_SHAPES: Final = {"run": "ellipse", "dataset": "cylinder", "model": "box3d", "deployment": "house"}
_MERMAID: Final = {"run": ("([", "])"), "dataset": ("[(", ")]"), "model": ("[[", "]]"), "deployment": ("{{", "}}")}


def _numbered(nodes: Sequence[ExportNode]) -> dict[str, str]:
    return {node.id: f"n{at}" for at, node in enumerate(nodes, 1)}


def _flows(edges: Sequence[ExportEdge]) -> dict[tuple[str, str], tuple[list[str], bool]]:
    """Return relations by (first, last), and whether the edge closes a cycle."""
    found: dict[tuple[str, str], tuple[list[str], bool]] = {}
    for edge in edges:
        names, back = found.get(edge.flow, ([], False))
        found[edge.flow] = ([*names, edge.relation], back or edge.back)
    return found


def dot(ledger: str, nodes: Sequence[ExportNode], edges: Sequence[ExportEdge]) -> str:
    """Return a digraph for Graphviz, left to right; what closes a cycle is dashed."""
    names = _numbered(nodes)
    lines = ["digraph lineage {", "  rankdir=LR;", f'  comment="ledger {ledger}";', "  node [shape=box];"]
    for node in nodes:
        shape = f", shape={_SHAPES[node.kind]}" if node.kind in _SHAPES else ""
        style = "" if node.declared else ", style=dashed"
        label = "\\n".join(_in_dot(text) for text in (node.kind, node.title, node.standing) if text)
        lines.append(f'  {names[node.id]} [label="{label}", tooltip="{_in_dot(node.id)}"{shape}{style}];')
    for (first, last), (relations, back) in _flows(edges).items():
        more = ", style=dashed, color=red, constraint=false" if back else ""
        lines.append(f'  {names[first]} -> {names[last]} [label="{_in_dot(", ".join(relations))}"{more}];')
    return "\n".join([*lines, "}"]) + "\n"


def _in_dot(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"')


def mermaid(ledger: str, nodes: Sequence[ExportNode], edges: Sequence[ExportEdge]) -> str:
    """Return a Mermaid flowchart, left to right; what closes a cycle is dotted."""
    names = _numbered(nodes)
    lines = [f"%% ledger {ledger}", "flowchart LR"]
    for node in nodes:
        left, right = _MERMAID.get(node.kind, ("[", "]"))
        label = "<br/>".join(_in_mermaid(text) for text in (node.kind, node.title, node.standing) if text)
        lines.append(f'  {names[node.id]}{left}"{label}"{right}')
    for (first, last), (relations, back) in _flows(edges).items():
        arrow = "-.->" if back else "-->"
        lines.append(f"  {names[first]} {arrow}|{_in_mermaid(', '.join(relations))}| {names[last]}")
    return "\n".join(lines) + "\n"


def _in_mermaid(text: str) -> str:
    """Write every sign that Mermaid or the page around it could read otherwise as its code."""
    return "".join(
        char if _PLAIN_IN_MERMAID.fullmatch(char) or (not char.isascii() and char.isprintable()) or char == ","
        else f"#{ord(char)};"
        for char in visible(text)
    )  # fmt: skip


# --- a table --------------------------------------------------------------------------------------------------------

COLUMNS: Final = ("id", "kind", "name", "version", "declared", "by", "relation", "to", "closes_cycle", "standing")


def table(ledger: str, nodes: Sequence[ExportNode], edges: Sequence[ExportEdge]) -> str:
    """Return CSV: a row for each edge from a node, one with an empty `relation` for a node without."""
    of: dict[str, list[ExportEdge]] = {}
    for edge in edges:
        of.setdefault(edge.src, []).append(edge)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for node in nodes:
        about = [node.id, node.kind, node.name, node.version, moment(node.t) if node.declared else "", node.who]
        ends = [(edge.relation, edge.dst, "yes" if edge.back else "") for edge in of.get(node.id, ())]
        for rest in ends or [("", "", "")]:
            writer.writerow([_cell(text) for text in (*about, *rest, node.standing)])
    return out.getvalue()


def _cell(text: str) -> str:
    """Keep a spreadsheet from running what was only a name: a leading sign of a formula is set off by an apostrophe."""
    shown = visible(text)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown


FORMS: Final[Mapping[str, Callable[[str, Sequence[ExportNode], Sequence[ExportEdge]], str]]] = {
    "prov": prov,
    "dot": dot,
    "mermaid": mermaid,
    "csv": table,
}
"""Name of a format -> what writes it."""
