"""Lineage in the terms of W3C PROV: entities and runs, their attributes, and the edges used, made, from.

An edge stands on the thing that came later: a run `used` a dataset, a run `made` a model version, a slice comes `from` a dataset.
Criteria are an entity of the model line; `${criteria.x}` of a pack names a row of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from carnet_store.core.canonical import sha256_hex
from carnet_store.core.fold import Change, state_digest_line
from carnet_store.core.kind import kind

NODES: Final = (
    "dataset", "run", "code", "environment", "document", "model", "feature", "criteria", "check", "review", "drill",
    "deployment", "incident", "glossary",
)  # fmt: skip
RELATIONS: Final = ("used", "made", "from")
WORDS: Final[Mapping[str, str]] = {"used": "used", "made": "made", "from": "comes from"}

TALK: Final = frozenset({"comment.added", "annotation.added", "annotation.resolved"})
"""Kinds that say something of an entity and change nothing of it."""

ENDED_BADLY: Final = frozenset({"failed", "failure", "fail", "error", "killed", "abort", "aborted", "crashed"})
"""States of a run, in lower case, by which its sources say that it did not do what it was started for."""

# Required provenance per kind of entity; what is missing is named, never guessed.
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "dataset": ("source", "owner"),
    "model": (),
    "run": ("command",),
    "code": ("commit",),
    "environment": (),
}


class Metric(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A metric of a run. `value` is decimal text, `NaN` or an infinity; `split` says what it was measured on."""

    name: str
    value: str
    unit: str = ""
    split: str = ""
    slice: str = ""
    step: int = 0


@kind("entity.declared", on=NODES, birth=True)
class Declared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thing with provenance comes to be known. `digests` maps algorithms to hex; `source` is (system, stable id)."""

    name: str
    version: str = ""
    attrs: dict[str, Any] = {}
    digests: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    source: tuple[str, str] | None = None
    at: int = 0


@kind("entity.described", on=NODES)
class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute of an entity (the change's field names it), later or anew."""

    value: Any


@kind("edge.linked", on=NODES)
class Linked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An edge from this entity; the change's field is `<relation>:<entity id>`."""

    to: str
    relation: str
    note: str = ""


@kind("change.retracted")
class Retracted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The author takes back what `over` names; nothing stands in its place."""

    reason: str = ""


class CriteriaRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One criterion: the run metric `name` must keep `op value`."""

    id: str
    metric: str
    name: str
    op: str
    value: str
    unit: str = ""
    split: str = ""
    slice: str = ""


@kind("criteria.set", on=("criteria",))
class CriteriaSet(msgspec.Struct, frozen=True, kw_only=True):
    """The criteria of a model line, whole."""

    rows: tuple[CriteriaRow, ...]


@kind("comment.added")
class Comment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A remark on any entity, or on an item of a handoff (`item`); never part of a package."""

    text: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge as read back."""

    src: str
    relation: str
    dst: str
    change: str


@dataclass(frozen=True, slots=True)
class Node:
    """An entity as it stands. `conflicts` names attributes with more than one live value."""

    id: str
    kind: str
    name: str
    version: str
    attrs: Mapping[str, Any]
    digests: Mapping[str, str]
    params: Mapping[str, str]
    metrics: tuple[Metric, ...]
    source: tuple[str, str] | None
    person: str
    t: int
    birth: str
    edges: tuple[Edge, ...]
    state: str
    conflicts: tuple[str, ...] = ()
    criteria: tuple[CriteriaRow, ...] = ()
    criteria_changes: tuple[Change, ...] = field(default=(), compare=False)

    @property
    def title(self) -> str:
        """The entity as people call it: `churn@7` for a version, else its name."""
        return f"{self.name}@{self.version}" if self.version else self.name

    def metric(self, name: str, split: str = "", slice_: str = "") -> Metric | None:
        """Return the metric of that name; where split or slice are given they must match."""
        found = [
            m for m in self.metrics if m.name == name and split in ("", m.split) and (not slice_ or m.slice == slice_)
        ]
        return next((m for m in found if not m.slice), found[0] if found else None)

    def missing(self) -> tuple[str, ...]:
        """Return the names of required provenance fields that are not filled."""
        gone = [f for f in REQUIRED.get(self.kind, ()) if not self.attrs.get(f)]
        if self.kind == "dataset" and not self.digests:
            gone.append("digest")
        return tuple(gone)


def state_of(changes: Iterable[Change]) -> str:
    """Return the SHA-256 over an entity's live changes, comments and annotations left out (docs/format.md section 8.1)."""
    lines = sorted(state_digest_line(c.id, c.commitment) for c in changes if c.live and c.kind not in TALK)
    return sha256_hex(b"".join(lines))


MOVING: Final = frozenset({
    "aliases", "branch", "commits", "ended", "history", "lifecycle", "stage", "stages", "stale", "status", "tags", "unreachable", "uri",
})  # fmt: skip
"""Attributes that a source goes on changing: of two states taken in apart the newer is shown, and they are no conflict."""


def shown_name(key: str) -> str:
    """Return the name that a key of the record stands for: one that is not ASCII is kept percent-encoded (docs/format.md section 2)."""
    if "%" not in key:
        return key
    name = unquote(key)
    return key if name.isascii() else name


def _said(
    births: Sequence[Change],
) -> tuple[dict[str, Any], dict[str, str], tuple[Metric, ...], tuple[str, ...]]:
    """Return attributes, parameters and metrics as all births together say, and the names of what they say apart.

    Two persons who took in the same source at different times said two things; of what differs the newest is shown.
    """
    attrs: dict[str, Any] = {}
    params: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    apart: set[str] = set()
    for change in sorted(births, key=lambda c: (c.t, c.id)):
        one = change.value
        if not isinstance(one, Declared):
            continue
        for name, value in ((shown_name(key), value) for key, value in one.attrs.items()):
            apart |= {name} if name in attrs and attrs[name] != value and name not in MOVING else set()
            attrs[name] = value
        for name, text in ((shown_name(key), text) for key, text in one.params.items()):
            apart |= {f"params.{name}"} if name in params and params[name] != text else set()
            params[name] = text
        apart |= {"metrics"} if metrics and one.metrics and metrics != one.metrics else set()
        metrics = one.metrics or metrics
    return attrs, params, metrics, tuple(sorted(apart))


def read_node(entity: str, changes: Sequence[Change]) -> Node | None:
    """Fold an entity's changes; None where no birth counts."""
    births = [c for c in changes if c.live and isinstance(c.value, Declared)]
    if not births:
        return None
    born = min(births, key=lambda c: c.id)
    declared = born.value
    assert isinstance(declared, Declared)  # noqa: S101 (narrowed above; the checker cannot see it)
    attrs, params, metrics, apart = _said(births)
    seen: dict[str, list[Change]] = {}
    edges: list[Edge] = []
    criteria: list[Change] = []
    for change in changes:
        if not change.live:
            continue
        if isinstance(change.value, Described):
            seen.setdefault(change.field, []).append(change)
        elif isinstance(change.value, Linked):
            edges.append(Edge(entity, change.value.relation, change.value.to, change.id))
        elif isinstance(change.value, CriteriaSet):
            criteria.append(change)
    conflicts = list(apart)
    for name, values in seen.items():
        newest = max(values, key=lambda c: (c.t, c.id))
        attrs[name] = newest.value.value if isinstance(newest.value, Described) else None
        if len({c.raw for c in values}) > 1:
            conflicts.append(name)
    newest_criteria = max(criteria, key=lambda c: (c.t, c.id), default=None)
    rows = newest_criteria.value.rows if newest_criteria and isinstance(newest_criteria.value, CriteriaSet) else ()
    if len({c.raw for c in criteria}) > 1:
        conflicts.append("criteria")
    return Node(
        id=entity,
        kind=entity.partition(":")[0],
        name=declared.name,
        version=declared.version,
        attrs=attrs,
        digests=declared.digests,
        params=params,
        metrics=metrics,
        source=declared.source,
        person=born.person,
        t=declared.at or born.t,
        birth=born.id,
        edges=tuple(sorted(edges, key=lambda e: (e.relation, e.dst))),
        state=state_of(changes),
        conflicts=tuple(sorted(conflicts)),
        criteria=rows,
        criteria_changes=tuple(criteria),
    )
