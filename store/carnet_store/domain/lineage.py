"""Lineage in the terms of W3C PROV: entities and runs, their attributes, and the edges used, made, from.

An edge stands on the thing that came later: a run `used` a dataset, a run `made` a model version, a slice comes `from` a dataset.
Criteria are an entity of the model line; `${criteria.x}` of a pack names a row of it.

Where several changes of one entity stand beside each other (docs/format.md section 8.4), all of it from the set of events alone:

- *Births* meet on one id only where each is a reading of the same source. A source goes on, so readings are no conflict: of what they say differently
  the later reading is shown, by the source's own time (`ended`, else `at`), then by the time of the record, then by the change id. What a later
  reading does not say stands as an earlier one said it.
- *What people say* (`entity.described` of one attribute, `criteria.set`): a change that names another in `over` has seen it and settles it, whoever
  wrote either; the other stays in the record and is not shown. Those that no live one names stand; where they differ they are a conflict, until
  somebody who has seen them all says it anew, over all of them.
- A described attribute is shown before what any reading says of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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

SAID: Final = ("entity.described", "criteria.set")
"""Kinds of which two live values beside each other, neither having seen the other, are a conflict of the lineage."""

TALK: Final = frozenset({"comment.added", "annotation.added", "annotation.resolved"})
"""Kinds that say something of an entity and change nothing of it."""

EVALUATED: Final = frozenset({"eval", "evaluation", "test", "testing", "validation", "holdout", "valid", "val"})
"""Words by which sources mark a use of data as evaluation."""
ENDED_BADLY: Final = frozenset({"failed", "failure", "fail", "error", "killed", "abort", "aborted", "crashed"})
"""States of a run, in lower case, by which its sources say that it did not do what it was started for."""

NOT_ENDED: Final = frozenset({"running", "scheduled", "started", "pending", "queued"})
"""States of a run, in lower case, by which its sources say that it goes on, or did not begin."""

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


def registered_from(node: Node, own: Collection[str], made: Mapping[str, Collection[str]]) -> list[str]:
    """Return the models that a version is a name for: it comes from them, and they were made by its own runs, or by some where it names none.

    `own` are the runs that made the version, `made` those that made each model it comes from. A registry gives a model a version; whoever trains a
    model further makes another one, by a run of its own.
    """
    found = [edge.dst for edge in node.edges if edge.relation == "from" and edge.dst.startswith("model:")]
    return [one for one in dict.fromkeys(found) if made.get(one) and (not own or set(own) & set(made[one]))]


def ended_well(run: Node) -> bool:
    """Say whether nothing speaks against a run: it did not fail, does not go on, and its source does not call it deleted."""
    status = str(run.attrs.get("status", "")).lower()
    deleted = str(run.attrs.get("lifecycle", "")).lower() == "deleted"
    return status not in ENDED_BADLY | NOT_ENDED and not deleted


def state_of(changes: Iterable[Change]) -> str:
    """Return the SHA-256 over an entity's live changes, comments and annotations left out (docs/format.md section 8.1)."""
    lines = sorted(state_digest_line(c.id, c.commitment) for c in changes if c.live and c.kind not in TALK)
    return sha256_hex(b"".join(lines))


def standing(changes: Iterable[Change]) -> list[Change]:
    """Return those of the live changes of one kind and field that no other of them names in `over`: more than one value is a conflict."""
    live = [change for change in changes if change.live]
    settled = {one for change in live for one in change.over}
    return [change for change in live if change.id not in settled]


def are_apart(changes: Iterable[Change]) -> bool:
    """Say whether changes of one kind and field are a conflict: several stand, and they do not say the same."""
    return len({change.raw for change in standing(changes)}) > 1


def source_time(attrs: Mapping[str, Any], at: int) -> int:
    """Return the newest time that a reading of a source gives of itself, ms; 0 where it gives none."""
    ended = attrs.get("ended")
    return max(at, ended if isinstance(ended, int) else 0)


def shown_name(key: str) -> str:
    """Return the name that a key of the record stands for: one that is not ASCII is kept percent-encoded (docs/format.md section 2)."""
    if "%" not in key:
        return key
    name = unquote(key)
    return key if name.isascii() else name


def _said(births: Sequence[Change]) -> tuple[dict[str, Any], dict[str, str], tuple[Metric, ...]]:
    """Return attributes, parameters and metrics as all readings together say; of what differs the later reading is shown."""
    attrs: dict[str, Any] = {}
    params: dict[str, str] = {}
    metrics: tuple[Metric, ...] = ()
    read = [
        (source_time(c.value.attrs, c.value.at), c.t, c.id, c.value) for c in births if isinstance(c.value, Declared)
    ]
    for *_, one in sorted(read, key=lambda r: r[:3]):
        attrs |= {shown_name(key): value for key, value in one.attrs.items()}
        params |= {shown_name(key): text for key, text in one.params.items()}
        metrics = one.metrics or metrics
    return attrs, params, metrics


def read_node(entity: str, changes: Sequence[Change]) -> Node | None:
    """Fold an entity's changes; None where no birth counts."""
    births = [c for c in changes if c.live and isinstance(c.value, Declared)]
    if not births:
        return None
    born = min(births, key=lambda c: c.id)
    declared = born.value
    assert isinstance(declared, Declared)  # noqa: S101 (narrowed above; the checker cannot see it)
    attrs, params, metrics = _said(births)
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
    conflicts = [name for name, values in seen.items() if are_apart(values)]
    for name, values in seen.items():
        newest = max(standing(values), key=lambda c: (c.t, c.id))
        attrs[name] = newest.value.value if isinstance(newest.value, Described) else None
    newest_criteria = max(standing(criteria), key=lambda c: (c.t, c.id), default=None)
    rows = newest_criteria.value.rows if newest_criteria and isinstance(newest_criteria.value, CriteriaSet) else ()
    if are_apart(criteria):
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
