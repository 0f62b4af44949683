"""What a catalogue entry holds, read from the record in one go: to be called off the loop, since a dataset may have a hundred thousand users.

Rules: nothing is guessed; a field is what an attribute, an edge or a digest says. Users are kept as numbers of the lineage, by kind, nearest first.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain.columns import SCHEMA
from carnet_store.domain.lineage import NODES, Node
from carnet_store.errors import CarnetError, NotFound
from carnet_tui.text import clean
from carnet_tui.views import lineage_view, words

if TYPE_CHECKING:
    from carnet_store import Change, Crossing, EntityRow, Project
    from carnet_store.domain.completeness import Completeness
    from carnet_store.domain.decisions import DecisionView, QuestionView

VERSIONS_AT_MOST: Final = 200
"""Versions of one name that are listed, the newest; the rest is counted."""
MAKERS_AT_MOST: Final = 100
"""Things that it came from that are listed; the rest is counted."""
JUDGED_AT_MOST: Final = 50
"""Gates whose verdict is computed; further ones are listed without it."""
SCANNED_AT_MOST: Final = 20_000
"""Names alike that are looked through for versions of the same name."""
ORDER: Final = ("model", "deployment", "run", "dataset", "feature", *NODES)
"""Kinds of users in the order in which they are listed."""

DATASET: Final[Mapping[str, tuple[str, ...]]] = {
    "owner": ("owner",),
    "source": ("source", "uri", "location"),
    "licence": ("licence", "license", "basis", "legal_basis"),
    "classification": ("classification", "sensitivity"),
    "access rule": ("access_rule", "access"),
    "time range": ("time_range", "period", "covers"),
    "rows": ("rows", "num_rows", "row_count"),
    "size": ("size",),
    "description": ("description",),
}
"""Field of a dataset -> the attributes that may fill it; the first is the one that is written."""
FEATURE: Final[Mapping[str, tuple[str, ...]]] = {
    "owner": ("owner",),
    "entity key": ("entity_key", "key"),
    "window": ("window",),
    "null rule": ("null_rule", "nulls"),
    "unit": ("unit",),
    "definition digest": ("definition_digest",),
    "description": ("description",),
}


@dataclass(frozen=True, slots=True)
class Known:
    """A field of the entry.

    Attributes:
        name: as completeness and people call it.
        value: what an attribute says, None where nothing does.
        attribute: the attribute that holds it, or that would be written; empty where none does.
        command: what to type to fill it.
        required: whether completeness asks for it.
        missing: whether it is asked for and not filled.
    """

    name: str
    value: Any
    attribute: str = ""
    command: str = ""
    required: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the data were made: `t` in ms, what says so in words (empty: nothing does, `t` is the declaration), and the run that made them."""

    t: int
    by: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """Another entity of the same kind and name; `same` where its bytes are the same."""

    row: EntityRow
    digest: str
    same: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """A handoff that it touches: how, and the verdict (empty where it was not computed). Cleaned texts."""

    handoff: str
    title: str
    crossing: str
    verdict: str
    how: str


@dataclass(frozen=True, slots=True)
class Use:
    """The things of one kind that came of it, as numbers of the lineage, nearest and newest first; `hops` by number."""

    kind: str
    numbers: Sequence[int]
    hops: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """All that stands in the entry of one thing; `node` is None where it is only referred to."""

    entity: str
    title: str
    node: Node | None
    person: str = ""
    filled: int = 0
    required: int = 0
    percent: str = ""
    fields: Sequence[Known] = ()
    fresh: Freshness | None = None
    held: Mapping[str, bool] = field(default_factory=dict)
    """SHA-256 -> whether its bytes are in this store."""
    came_from: Sequence[tuple[str, EntityRow]] = ()
    came_from_count: int = 0
    versions: Sequence[Version] = ()
    more_versions: int = 0
    gates: Sequence[Gate] = ()
    users: Sequence[Use] = ()
    decisions: Sequence[tuple[str, DecisionView]] = ()
    """(code, decision)."""
    questions: Sequence[tuple[str, QuestionView]] = ()
    comments: Sequence[Change] = ()
    columns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Column -> of how many it came and how many came of it, one step each way."""
    whole: bool = False
    """Whether users, gates and columns were read."""

    @property
    def kind(self) -> str:
        """The kind of the thing."""
        return self.entity.partition(":")[0]

    def user_count(self) -> int:
        """Return how many things came of it."""
        return sum(len(one.numbers) for one in self.users)


def read(project: Project, entity: str) -> Entry:
    """Read the entry of a thing, without what needs its whole lineage: `with_users` reads that.

    Raises:
        NotFound: nothing is known of it.
    """
    node = project.node(entity)
    graph = project.graph
    if node is None and graph.find(entity) is None:
        raise NotFound(f"{entity} is not in this store", "[ goes back; a newer bundle may bring it")
    ups, up_count = graph.near(entity, up=True, limit=MAKERS_AT_MOST)
    if node is None:
        return Entry(entity, clean(project.row(entity).title), None, came_from=ups, came_from_count=up_count)
    makers = [row.id for relation, row in ups if relation == "made"]
    about = {entity, *makers}
    versions, more = _versions(project, node)
    found = project.completeness(entity)
    percent = f"{found.percent} %" if found is not None and found.percent is not None else ""
    return Entry(
        entity=entity,
        title=clean(node.title),
        node=node,
        person=clean(project.person_name(node.person)),
        filled=found.filled if found else 0,
        required=len(found.required) if found else 0,
        percent=percent,
        fields=_fields(node, found),
        fresh=freshness(project, node, makers),
        held={value: project.objects.has(value) for value in node.digests.values() if is_sha256(value)},
        came_from=ups,
        came_from_count=up_count,
        versions=versions,
        more_versions=more,
        decisions=[(project.code(one.id), one) for one in project.decisions() if not about.isdisjoint(one.decision.about)],
        questions=[(project.code(one.id), one) for one in project.questions() if entity in one.question.about],
        comments=[one for one in project.changes(entity) if one.kind == "comment.added" and one.live],
    )  # fmt: skip


def with_users(project: Project, entry: Entry) -> Entry:
    """Return the entry with all that came of the thing, the gates that it touches, and what is known of its columns."""
    gates = _gates(project, entry.entity) if entry.node is not None else []
    known = project.graph.columns
    columns = {one.field: known.counts(one) for one in known.of(entry.entity)}
    return replace(entry, users=_users(project, entry.entity), gates=gates, columns=columns, whole=True)


def is_sha256(text: str) -> bool:
    """Say whether a text is a SHA-256 in hex."""
    return len(text) == 64 and not text.strip("0123456789abcdef")


def table_of(kind: str) -> Mapping[str, tuple[str, ...]]:
    """Return the fields of a kind."""
    return FEATURE if kind == "feature" else DATASET


def _fields(node: Node, found: Completeness | None) -> list[Known]:
    thing, name = shlex.quote(node.title), shlex.quote(node.name)
    gone = {one.field: one.typed(thing, name) for one in found.missing} if found else {}
    required = set(found.required) if found else set()
    known: list[Known] = []
    for label, names in table_of(node.kind).items():
        held = next((one for one in names if _filled(node.attrs.get(one))), "")
        value = node.attrs.get(held) if held else _range(node) if label == "time range" else None
        command = gone.get(label) or f"carnet describe {thing} {names[0]}=TEXT"
        known.append(Known(label, value, held or names[0], command, label in required, label in gone))
    held = next((one for one in SCHEMA if _filled(node.attrs.get(one))), "")
    if node.kind == "dataset" or held:
        command = gone.get("schema", f"carnet describe {thing} schema=TEXT")
        known.append(
            Known("schema", node.attrs.get(held), held or "schema", command, "schema" in required, "schema" in gone)
        )
    shown = {one.name for one in known}
    known += [Known(label, None, "", gone[label], True, True) for label in gone if label not in shown]
    return known


def _filled(value: Any) -> bool:
    return value not in (None, "", [], {}, ())


def _range(node: Node) -> str | None:
    start, end = node.attrs.get("start"), node.attrs.get("end")
    return f"{start} to {end}" if start and end else None


def instant_of(value: Any) -> int:
    """Return a time of an attribute in ms: ms as a number or its digits, or an ISO date; 0 where it is none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return max(0, value)
    if not isinstance(value, str) or not value.strip():
        return 0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) >= 12 else 0
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def freshness(project: Project, node: Node, makers: Sequence[str]) -> Freshness:
    """Return when the data were made: as the newest run that made them says; else as the data say; else when they were declared."""
    found: list[Freshness] = []
    for maker in makers:
        run = project.node(maker)
        if run is not None:
            said = {name: instant_of(run.attrs.get(name)) for name in ("ended", "started")}
            name = next((name for name, t in said.items() if t), "")
            title = clean(run.title)
            by = {
                "": f"made by {title}, as recorded",
                "ended": f"made by {title}",
                "started": f"made by {title}, as it began",
            }
            found.append(Freshness(said.get(name, 0) or run.t, by[name], maker))
    if found:
        return max(found, key=lambda one: (one.t, one.run))
    for name in ("as_of", "updated", "modified", "created"):
        if t := instant_of(node.attrs.get(name)):
            return Freshness(t, name.replace("_", " "))
    return Freshness(node.t, "")


def _versions(project: Project, node: Node) -> tuple[list[Version], int]:
    """Return the things of the same kind and name, newest first, this one among them; and how many more there are."""
    rows: list[EntityRow] = []
    start = 0
    while start < SCANNED_AT_MOST:
        page = project.entities(node.kind, text=node.name, start=start, limit=2_000)
        rows += [row for row in page if row.name == node.name]
        start += len(page)
        if len(page) < 2_000:
            break
    mine = node.digests.get("sha256", "")
    found = []
    for row in rows[:VERSIONS_AT_MOST]:
        other = node if row.id == node.id else project.node(row.id)
        value = next(iter(other.digests.values()), "") if other is not None else ""
        same = bool(mine) and other is not None and other.digests.get("sha256") == mine and row.id != node.id
        found.append(Version(row, value, same))
    return found, max(0, len(rows) - len(found))


def _users(project: Project, entity: str) -> list[Use]:
    """Return what came of it, by kind."""
    graph = project.graph
    try:
        found = graph.walk(entity, up=False)
    except NotFound:
        return []
    hops = dict(found)
    kinds: dict[str, list[tuple[int, int, int]]] = {}
    numbers = [no for no, _ in found]
    for no, row in zip(numbers, graph.rows(numbers), strict=True):
        kinds.setdefault(row.kind, []).append((hops[no], -row.t, -no))
    order = [*dict.fromkeys(ORDER), *sorted(set(kinds) - set(ORDER))]
    return [Use(kind, [-no for _, _, no in sorted(kinds[kind])], hops) for kind in order if kind in kinds]


def _gates(project: Project, entity: str) -> list[Gate]:
    """Return the handoffs that it touches: whose sign-offs lean on it, whose package holds it, and those of what came of it."""
    try:
        found = project.graph.impact(entity)
    except CarnetError:
        return []
    gates: list[Gate] = []

    def add(one: Crossing, how: str) -> None:
        verdict = lineage_view.verdict_of(project, one.handoff) if len(gates) < JUDGED_AT_MOST else ""
        crossing = words.crossing(one.from_stage, one.to_stage)
        gates.append(Gate(one.handoff, clean(one.model.title), crossing, verdict, how))

    for one in found.stale:
        names = [clean(project.person_name(person)) for person, _ in one.signers]
        add(one, f"signed on it by {words.listed(list(dict.fromkeys(names)))}")
    for one in found.packages:
        add(one, "its package holds it")
    for one in found.not_judged:
        add(one, "its package holds it, cannot be judged here")
    for one in found.below:
        add(one, "crosses with what came of it")
    return gates
