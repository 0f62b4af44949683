"""Is what must be known of a thing known? A fixed list of fields a kind, what fills each, and what to type for what is missing.

- A dataset, a feature, a model version and an evaluation run have lists of 10, 8, 11 and 11 fields; any other thing those of
  `lineage.REQUIRED`. A list asks for producer, inputs, time, tool, version, owner, and the decision that caused it.
- A placeholder (`tbd`, `-`, `unknown`) fills nothing. Nothing is guessed: a field is filled by what the record says.
- Completeness is filled ÷ required. Of several things it is the sum over the sum, and it is 100 only where nothing is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from carnet_store.domain.decisions import EMPTY_WORDS
from carnet_store.domain.lineage import EVALUATED, REQUIRED, Node

FOUR: Final = ("dataset", "feature", "model", "evaluation")
"""What has a list of its own, in the order of reports; `evaluation` are runs that measured a model."""
_PLACEHOLDERS: Final = EMPTY_WORDS | {
    "unknown",
    "tba",
    "to do",
    "to be done",
    "not set",
    "not known",
    "n.a",
    "null",
    "nan",
    "missing",
}
_SEED: Final = re.compile(r"(^|[._-])(seed|random_state|random_seed)s?$|seed$", re.IGNORECASE)
_TRAINING: Final = frozenset({"", "train", "training", "fit"})
_MEASURES: Final = frozenset({"evaluation", "validation", "test", "testing", "reproduction", "benchmark"})


@dataclass(frozen=True, slots=True)
class Around:
    """What a thing's neighbours tell of it.

    Attributes:
        makers: the runs that made it.
        users: the runs that used it.
        decided: ids of all entities that some decision is about.
        same: the models that a version is a registered name for (`lineage.registered_from`): what is known of them is known of it.
    """

    makers: tuple[Node, ...] = ()
    users: tuple[Node, ...] = ()
    decided: Collection[str] = frozenset()
    same: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that is not filled, and the command that fills it; `{thing}` stands for `churn@7`, `{name}` for `churn`."""

    field: str
    command: str

    def typed(self, thing: str, name: str) -> str:
        """Return the command for a thing, whose title and name are quoted for a shell already."""
        return self.command.replace("{thing}", thing).replace("{name}", name)


@dataclass(frozen=True, slots=True)
class Completeness:
    """How complete one thing is. `kind` is its kind, or `evaluation` for a run that measured a model."""

    entity: str
    kind: str
    title: str
    required: tuple[str, ...]
    missing: tuple[Missing, ...]

    @property
    def filled(self) -> int:
        """How many of the required fields are filled."""
        return len(self.required) - len(self.missing)

    @property
    def percent(self) -> Decimal | None:
        """Filled ÷ required in percent, one decimal; None where nothing is required."""
        return percent(self.filled, len(self.required))


@dataclass(frozen=True, slots=True)
class Sum:
    """Several things together: how many there are, how many are complete, fields filled and required."""

    things: int
    complete: int
    filled: int
    required: int

    @property
    def percent(self) -> Decimal | None:
        """Filled ÷ required in percent, one decimal; None where nothing is required."""
        return percent(self.filled, self.required)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    known: Callable[[Node, Around], bool]
    command: str


def percent(filled: int, required: int) -> Decimal | None:
    """Return filled ÷ required × 100, half-even to one decimal; below 100 while one is missing, None without any."""
    if required == 0:
        return None
    exact = (Decimal(filled) * 100 / required).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    return min(exact, Decimal("99.9")) if filled < required else exact


def is_filled(value: Any) -> bool:
    """Say whether a value tells something: not empty, no placeholder."""
    if isinstance(value, str):
        plain = value.strip().strip(".!").lower()
        return bool(plain) and plain not in _PLACEHOLDERS
    if isinstance(value, Mapping):
        return any(is_filled(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(is_filled(part) for part in value)
    return value is not None


def is_evaluation(run: Node) -> bool:
    """Say whether a run measured a model: it says so, it used one and has metrics, or what it made was measured on other than training data."""
    if run.kind != "run":
        return False
    if any(str(run.attrs.get(key, "")).strip().lower() in _MEASURES for key in ("type", "purpose", "stage")):
        return True
    measured_apart = any(metric.split.lower() not in _TRAINING for metric in run.metrics)
    return bool(run.metrics) and (_uses(run, "model") or (measured_apart and _edge(run, "made", "model")))


def completeness(node: Node, around: Around | None = None) -> Completeness:
    """Return which required fields of a thing are filled, and what to type for the others."""
    near = around or Around()
    kind = "evaluation" if is_evaluation(node) else node.kind
    if kind not in _FIELDS:
        gone = [Missing(name, f"carnet describe {{thing}} {name}=TEXT") for name in node.missing()]
        return Completeness(node.id, kind, node.title, REQUIRED.get(node.kind, ()), tuple(gone))
    fields = _FIELDS[kind]
    missing = tuple(Missing(one.name, one.command) for one in fields if not one.known(node, near))
    return Completeness(node.id, kind, node.title, tuple(one.name for one in fields), missing)


def total(found: Iterable[Completeness]) -> Sum:
    """Return several things together."""
    rows = list(found)
    return Sum(
        len(rows), sum(not one.missing for one in rows), sum(one.filled for one in rows), sum(len(one.required) for one in rows)
    )  # fmt: skip


def gaps_of_datasets(datasets: Sequence[Node]) -> list[tuple[Node, tuple[Missing, ...]]]:
    """Return the datasets that come from nothing and lack what a gate asks of them (`lineage.REQUIRED`), with what to type."""
    commands = {one.name: one.command for one in _FIELDS["dataset"]}
    return [
        (one, tuple(Missing(name, commands[name]) for name in one.missing())) for one in datasets if one.missing() and not one.edges
    ]  # fmt: skip


# -- what fills a field ------------------------------------------------------------------------------------------------


def _itself(node: Node, around: Around) -> tuple[Node, ...]:
    """Return a thing and the models that it is a registered name for."""
    return (node, *around.same)


def _with_makers(node: Node, around: Around) -> tuple[Node, ...]:
    return (*_itself(node, around), *around.makers)


def _attrs(*names: str) -> Callable[[Node, Around], bool]:
    """Whether an attribute is filled; `profile.num_rows` is a part of one."""
    paths = [name.split(".") for name in names]
    return lambda node, around: any(is_filled(_part(one, path)) for one in _itself(node, around) for path in paths)


def _part(node: Node, path: Sequence[str]) -> Any:
    found: Any = node.attrs
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _digest(node: Node, around: Around) -> bool:
    return any(is_filled(value) for one in _itself(node, around) for value in one.digests.values())


def _decided(node: Node, around: Around) -> bool:
    return any(one.id in around.decided for one in _with_makers(node, around))


def _edge(node: Node, relation: str, *kinds: str) -> bool:
    return any(edge.relation == relation and edge.dst.partition(":")[0] in kinds for edge in node.edges)


def _uses(node: Node, *kinds: str) -> bool:
    """Whether a thing used, or comes from, something of these kinds."""
    return _edge(node, "used", *kinds) or _edge(node, "from", *kinds)


def _made_with(*kinds: str) -> Callable[[Node, Around], bool]:
    return lambda node, around: any(_uses(one, *kinds) for one in _with_makers(node, around))


def _any(*known: Callable[[Node, Around], bool]) -> Callable[[Node, Around], bool]:
    return lambda node, around: any(one(node, around) for one in known)


def _by_makers(*known: Callable[[Node, Around], bool]) -> Callable[[Node, Around], bool]:
    """Whether the thing itself or a run that made it fills a field."""
    return lambda node, around: any(one(thing, around) for thing in _with_makers(node, around) for one in known)


def _made(node: Node, around: Around) -> bool:
    return bool(around.makers)


def _imported(node: Node, _: Around) -> bool:
    return node.source is not None


def _params(node: Node, _: Around) -> bool:
    return bool(node.params)


def _metrics(node: Node, _: Around) -> bool:
    return bool(node.metrics)


def _seeded(node: Node, _: Around) -> bool:
    values = {**node.params, **node.attrs}
    return any(is_filled(value) for name, value in values.items() if _SEED.search(str(name)))


def _held_out(node: Node, _: Around) -> bool:
    return any(metric.split.lower() not in _TRAINING for metric in node.metrics)


def _marked_apart(node: Node, _: Around) -> bool:
    """Whether the source marks one of its data as used for evaluation."""
    marks = node.attrs.get("data")
    return isinstance(marks, Mapping) and any(str(mark).lower() in EVALUATED for mark in marks.values())


def _by_hand(node: Node, _: Around) -> bool:
    return node.source is None  # who declared it and when are signed; of what was imported its source must tell


def _measured(node: Node, around: Around) -> bool:
    return any(run.metrics for run in around.users)


def _range(node: Node, _: Around) -> bool:
    return all(is_filled(node.attrs.get(name)) for name in ("start", "end"))


def _based(node: Node, around: Around) -> bool:
    """Whether it comes from a model that is another one."""
    here = {one.id for one in _itself(node, around)}
    links = (edge for one in _with_makers(node, around) for edge in one.edges)
    return any(
        link.relation in ("from", "used") and link.dst.startswith("model:") and link.dst not in here for link in links
    )


def _no_base(node: Node, _: Around) -> bool:
    said = node.attrs.get("base_model")
    return isinstance(said, str) and said.strip().lower() in ("none", "no")  # here it is an answer, no placeholder


_DECIDE: Final = "carnet decide QUESTION --choice TEXT --reason TEXT --about {thing}"
_ANEW: Final = "carnet add {kind} {{name}} --version VERSION --file FILE"  # other bytes are another version


def _describe(name: str, value: str = "TEXT") -> str:
    return f"carnet describe {{thing}} {name}={value}"


def _fields(*rows: tuple[str, Callable[[Node, Around], bool], str]) -> tuple[_Field, ...]:
    return tuple(_Field(*row) for row in (*rows, ("decision", _decided, _DECIDE)))


_CODE: Final = _any(_made_with("code"), _by_makers(_attrs("commit", "code", "code_digest")))
_FIELDS: Final[Mapping[str, tuple[_Field, ...]]] = {
    "dataset": _fields(
        ("digest", _digest, _ANEW.format(kind="dataset")),
        ("source", _any(_attrs("source", "uri", "location"), _made, lambda node, _: _uses(node, "dataset")), _describe("source")),
        ("licence", _attrs("licence", "license", "basis", "legal_basis"), _describe("licence")),
        ("owner", _attrs("owner"), _describe("owner", "NAME")),
        ("schema", _attrs("schema", "columns"), _describe("schema")),
        ("rows", _attrs("rows", "num_rows", "row_count", "profile.num_rows"), _describe("rows", "COUNT")),
        ("time range", _any(_attrs("time_range", "period", "covers"), _range), _describe("time_range", "FROM..TO")),
        ("created by", _any(_made, _imported, _attrs("created_by")), "carnet link RUN made {thing}"),
        ("access rule", _attrs("access_rule", "access"), _describe("access_rule")),
    ),
    "feature": _fields(
        ("definition digest", _any(_digest, _attrs("definition_digest")), _describe("definition_digest", "SHA256")),
        ("entity key", _attrs("entity_key", "key"), _describe("entity_key")),
        ("owner", _attrs("owner"), _describe("owner", "NAME")),
        ("source datasets", _made_with("dataset"), "carnet link {thing} from DATASET"),
        ("window", _attrs("window"), _describe("window")),
        ("null rule", _attrs("null_rule", "nulls"), _describe("null_rule")),
        ("unit", _attrs("unit"), _describe("unit")),
    ),
    "model": _fields(
        ("digest", _digest, _ANEW.format(kind="model")),
        ("run", _made, "carnet link RUN made {thing}"),
        ("code", _CODE, "carnet link RUN used CODE"),
        ("config", _any(_by_makers(_params, _attrs("config"))), _describe("config")),
        ("features", _any(_made_with("feature"), _by_makers(_attrs("features"))), _describe("features")),
        ("training data", _made_with("dataset"), "carnet link RUN used DATASET"),
        ("metrics", _any(_by_makers(_metrics), _measured), "carnet add run NAME --used {thing} --metric NAME=VALUE:SPLIT"),
        ("base model", _any(_based, _attrs("base_model"), _no_base), _describe("base_model", "NAME|none")),
        ("owner", _attrs("owner", "model_tags.owner"), _describe("owner", "NAME")),
        ("schema", _attrs("schema", "signature"), _describe("schema")),
    ),
    "evaluation": _fields(
        ("code", _CODE, "carnet link {thing} used CODE"),
        ("config", _any(_params, _attrs("config")), _describe("config")),
        ("model", lambda node, _: _uses(node, "model") or _edge(node, "made", "model"), "carnet link {thing} used MODEL"),
        ("holdout", _any(_held_out, _marked_apart, _attrs("holdout")), _describe("holdout")),
        ("metrics", _metrics, "carnet add run NAME --metric NAME=VALUE:SPLIT"),
        ("seed", _seeded, _describe("seed", "NUMBER")),
        ("environment", _any(lambda node, _: _uses(node, "environment"), _attrs("environment", "image")), "carnet link {thing} used ENVIRONMENT"),
        ("who", _any(_by_hand, _attrs("user", "who")), _describe("user", "NAME")),
        ("when", _any(_by_hand, _attrs("started", "ended", "when")), _describe("when", "YYYY-MM-DD")),
        ("reason", _attrs("reason", "hypothesis", "description"), _describe("reason")),
    ),
}  # fmt: skip
