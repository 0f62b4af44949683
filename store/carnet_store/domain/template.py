"""Template packs as values, and the checklist that packs, risk tier and facts make of one handoff.

A pack is read from YAML by `work.templates`; nothing here reads files. `checklist` is a pure function: the same packs,
tier and facts give the same items in the same order on every replica.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Literal

from carnet_store.domain.expression import UNKNOWN, Expression, ExpressionError, Value, number
from carnet_store.errors import Invalid

FORMAT: Final = "template/v1"

ItemType = Literal[
    "confirm", "text", "choice", "number", "link", "file", "command", "table", "readback", "signoff"
]  # fmt: skip
Severity = Literal["blocker", "major", "minor", "score", "skip"]
NotApplicable = Literal["never", "reason", "waiver"]
ColumnType = Literal["text", "number", "date", "choice", "link", "metric", "person"]
FactType = Literal["bool", "choice", "text", "number"]
IncludeMode = Literal["block", "score"]

ITEM_TYPES: Final[tuple[ItemType, ...]] = (
    "confirm", "text", "choice", "number", "link", "file", "command", "table", "readback", "signoff",
)  # fmt: skip
COLUMN_TYPES: Final[tuple[ColumnType, ...]] = ("text", "number", "date", "choice", "link", "metric", "person")
FACT_TYPES: Final[tuple[FactType, ...]] = ("bool", "choice", "text", "number")
TIERS: Final = ("A", "B", "C")

# Words for what may be linked as evidence: kinds of entities, and `url` for an address that is only text.
EVIDENCE_KINDS: Final = (
    "run", "dataset", "feature", "model", "code", "environment", "document", "decision", "question", "criteria",
    "check", "review", "drill", "deployment", "incident", "glossary", "url",
)  # fmt: skip
BINDS: Final = ("package", "code", "data", "features", "env", "model", "config", "criteria")

# Checks of the product itself, and whether this release computes their verdict. Where it does not, the receiver
# verifies, as for every other command.
BUILTIN_CHECKS: Final[Mapping[str, bool]] = {
    "package_verify": True,
    "lineage_complete": True,
    "questions_closed": True,
    "feature_freeze": False,
    "reproduce": False,
    "notebooks_run": True,
    "model_signature": False,
    "env_diff": False,
    "code_snapshot": True,
    "change_log": False,
    "retention": False,
    "signature_manifest": False,
    "applicability": False,
    # Names of packs made before these were judged: a pack's gate is judged for ever as it was, so a check that came later has a name of its own.
    "notebook_order": False,
    "source_snapshot": False,
}


@dataclass(frozen=True, slots=True)
class Tier:
    """A risk tier: its letter, its name, and what belongs in it."""

    id: str
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class FactSpec:
    """A fact about the project, model or data that `when` expressions ask for; asked once, when a handoff opens."""

    id: str
    type: FactType
    question: str
    options: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Include:
    """A rubric attached to a gate while `when` is not false; by tier its blockers block or only score."""

    pack: str
    when: Expression | None
    mode: Mapping[str, IncludeMode]


@dataclass(frozen=True, slots=True)
class LiveReview:
    """What is spoken about in the room: at most nine items, in a fixed time."""

    timebox_minutes: int
    read_aloud: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignoffRow:
    """A signature the gate needs: by `quorum` holders of a role, none of whom signs as one of `distinct_from`.

    `covers` holds item ids in a checklist; in a pack also section ids, and empty for "all".
    """

    role: str
    meaning: str
    quorum: int = 1
    distinct_from: tuple[str, ...] = ()
    tiers: tuple[str, ...] = TIERS
    covers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the row's name inside its gate, such as `operator:acceptance-of-responsibility`."""
        return f"{self.role}:{self.meaning}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of the whole gate."""

    requires_gate: tuple[str, ...] = ()  # one of these gates was passed before by the same model version
    sealed_package: bool = True
    open_blocking_questions: int = 0  # more open blocking questions than this block
    min_reviewers: int = 1  # distinct persons who verified something
    override_days: int = 7  # longest life of an emergency override


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a number must keep. With `${criteria.x}` metric and operator default to those of the criterion."""

    value: Decimal | Expression
    op: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """The check of a command item: its kind, the builtin's name, and the exit code that a good run has."""

    kind: Literal["builtin", "command", "data", "unit", "integration", "suite"]
    name: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A choice and what follows from it."""

    id: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table item."""

    id: str
    type: ColumnType
    title: str
    options: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    required: bool = True
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a gate. In a pack with its base severity; in a checklist resolved for tier and facts."""

    id: str
    type: ItemType
    title: str
    pack: str
    section: str
    severity: Severity
    answers: str
    verifies: str | None  # None: the machine; in a checklist only where this release has a verdict for it
    help: str
    why: str
    source: tuple[str, ...]
    req: tuple[str, ...]
    tiers: Mapping[str, Severity] = field(default_factory=dict)
    when: Expression | None = None
    evidence: tuple[str, ...] = ()
    threshold: Threshold | None = None
    check: CheckSpec | None = None
    columns: tuple[Column, ...] = ()
    min_rows: int = 0
    options: tuple[Option, ...] = ()
    many: bool = False
    unit: str = ""
    min_length: int = 0
    literal: bool = False
    na: NotApplicable = "reason"
    waiver_by: str = ""
    waiver_days: int = 0
    valid_days: int | None = None
    binds: tuple[str, ...] = ("package",)
    pairs_with: str = ""
    required_fields: tuple[str, ...] = ()
    min_options: int = 0
    rule: Expression | None = None
    row_rule: Expression | None = None
    guidance: str = ""
    fills: str = ""
    repro: str = ""
    unclear: tuple[str, ...] = ()  # facts without a value that decide whether the item applies

    @property
    def machine(self) -> bool:
        """Tell whether the product itself gives this item's verdict in this release."""
        return self.check is not None and self.check.kind == "builtin" and BUILTIN_CHECKS.get(self.check.name, False)

    @property
    def blocks(self) -> bool:
        """Tell whether the gate stays shut while this item is not in order."""
        return self.severity == "blocker"

    def column(self, column_id: str) -> Column | None:
        """Return the column of that id."""
        return next((column for column in self.columns if column.id == column_id), None)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its items."""

    id: str
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """A template file: a gate, or a rubric that gates include."""

    id: str
    version: str
    kind: Literal["gate", "rubric"]
    title: str
    summary: str
    roles: tuple[str, ...]
    sections: tuple[Section, ...]
    from_stage: str = ""
    to_stage: str = ""
    stages_between: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    includes: tuple[Include, ...] = ()
    facts: tuple[FactSpec, ...] = ()
    signoffs: tuple[SignoffRow, ...] = ()
    policy: Policy = Policy()
    live_review: LiveReview | None = None
    placeholder_words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def items(self) -> tuple[Item, ...]:
        """Return all items in order of reading."""
        return tuple(item for section in self.sections for item in section.items)

    def item(self, item_id: str) -> Item | None:
        """Return the item of that id."""
        return next((item for item in self.items() if item.id == item_id), None)

    def receiver(self) -> str:
        """Return the role that takes over at this gate: that of the row that accepts, else of the last row."""
        accepting = [row for row in self.signoffs if "acceptance" in row.meaning] or list(self.signoffs[-1:])
        return accepting[0].role if accepting else ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """What one handoff asks: the gate's items and those of its rubrics, resolved for a tier and facts."""

    gate: Pack
    packs: tuple[Pack, ...]  # the gate, then each rubric that applies
    tier: str
    items: tuple[Item, ...]
    sections: tuple[Section, ...]  # with resolved items; empty ones left out
    signoffs: tuple[SignoffRow, ...]
    policy: Policy
    read_aloud: tuple[str, ...]
    placeholder_words: frozenset[str]
    unclear: tuple[str, ...]  # facts that are not known yet and would change the list
    problems: tuple[str, ...]  # expressions that could not be computed; their items are shown

    def item(self, item_id: str) -> Item | None:
        """Return the item of that id, None where this handoff does not ask it."""
        return next((item for item in self.items if item.id == item_id), None)

    def blockers(self) -> tuple[Item, ...]:
        """Return the items that keep the gate shut while they are not in order."""
        return tuple(item for item in self.items if item.blocks)


def fact_value(spec: FactSpec, stored: object) -> Value:
    """Return a stored fact as a value of the expression language; None, or what does not fit its type, is unknown."""
    if spec.type == "bool" and isinstance(stored, bool):
        return stored
    if spec.type == "number" and isinstance(stored, int | str) and not isinstance(stored, bool):
        found = number(str(stored))
        return UNKNOWN if found is None else found
    if spec.type == "choice" and isinstance(stored, str) and stored in spec.options:
        return stored
    if spec.type == "text" and isinstance(stored, str):
        return stored
    return UNKNOWN


def parse_fact(spec: FactSpec, text: str) -> bool | str | None:
    """Read a fact as a person types it, in the form that is stored; empty or `unknown` is None.

    Raises `Invalid` with what would have been accepted.
    """
    word = text.strip()
    if word.lower() in ("", "unknown", "?"):
        return None
    if spec.type == "bool":
        if word.lower() in ("yes", "y", "true"):
            return True
        if word.lower() in ("no", "n", "false"):
            return False
        raise Invalid(f"{spec.id}: {word!a} is neither yes nor no", "Answer yes, no or unknown.")
    if spec.type == "choice" and word not in spec.options:
        raise Invalid(f"{spec.id}: {word!a} is not offered", f"Choose one of: {', '.join(spec.options)}, unknown.")
    if spec.type == "number" and number(word) is None:
        raise Invalid(f"{spec.id}: {word!a} is no number", "Write it like 120 or 0.5.")
    return word


def facts_of(packs: Sequence[Pack]) -> tuple[FactSpec, ...]:
    """Return the facts that these packs ask for, each once, in order of first mention."""
    found: dict[str, FactSpec] = {}
    for pack in packs:
        for spec in pack.facts:
            known = found.setdefault(spec.id, spec)
            if (known.type, known.options) != (spec.type, spec.options):
                raise Invalid(
                    f"the fact {spec.id} is a {known.type} in one pack and another {spec.type} in {pack.id}",
                    "Give the fact the same type and options in every pack, or another name.",
                )
    return tuple(found.values())


def checklist(packs: Sequence[Pack], tier: str, facts: Mapping[str, object]) -> Checklist:
    """Resolve a gate for one handoff.

    `packs` holds the gate and at least every rubric that it may include, in any order; `facts` are stored values by
    fact id (a missing one is unknown, and what depends on it is shown and marked). Raises `Invalid` for packs that do
    not fit together and for a tier that the gate does not have.
    """
    gate = _gate_of(packs)
    if tier not in TIERS:
        raise Invalid(f"there is no tier {tier!a}", f"Choose one of {', '.join(TIERS)}.")
    by_id = {pack.id: pack for pack in packs}
    names: dict[str, Value] = {spec.id: fact_value(spec, facts.get(spec.id)) for spec in facts_of(packs)}
    names["tier"] = tier
    problems: list[str] = []
    chosen: list[Pack] = [gate]
    receiver = gate.receiver()
    sections = _resolve(gate, tier, names, "block", (), receiver, problems)
    for include in gate.includes:
        pack = by_id.get(include.pack)
        if pack is None:
            raise Invalid(f"{gate.id} includes the pack {include.pack}, which is not here", "Add the missing pack.")
        truth, unclear = _applies(include.when, names, f"{gate.id} includes {pack.id}", problems)
        if truth is not False:
            chosen.append(pack)
            sections += _resolve(pack, tier, names, include.mode.get(tier, "block"), unclear, receiver, problems)
    items = tuple(item for section in sections for item in section.items)
    _refuse_doubles(items)
    items, sections = _drop_dangling_pairs(items, sections)
    ids = {item.id for item in items}
    return Checklist(
        gate=gate,
        packs=tuple(chosen),
        tier=tier,
        items=items,
        sections=tuple(sections),
        signoffs=tuple(
            replace(row, covers=_covered(row, sections, items)) for row in gate.signoffs if tier in row.tiers
        ),
        policy=gate.policy,
        read_aloud=tuple(i for i in (gate.live_review.read_aloud if gate.live_review else ()) if i in ids),
        placeholder_words=frozenset(word.lower() for pack in chosen for word in pack.placeholder_words),
        unclear=tuple(sorted({name for item in items for name in item.unclear})),
        problems=tuple(problems),
    )


def _gate_of(packs: Sequence[Pack]) -> Pack:
    gates = [pack for pack in packs if pack.kind == "gate"]
    if len(gates) != 1:
        raise Invalid(f"a checklist needs exactly one gate, not {len(gates)}", "Name one gate and its rubrics.")
    return gates[0]


def _applies(
    when: Expression | None, names: Mapping[str, Value], where: str, problems: list[str]
) -> tuple[bool | None, tuple[str, ...]]:
    """Return whether `when` holds and, where that is not known, the facts that are missing."""
    if when is None:
        return True, ()
    missing = tuple(name for name in when.names() if names.get(name, UNKNOWN) is UNKNOWN)
    try:
        truth = when.truth(names)
    except ExpressionError as error:
        # An expression that cannot be computed must never make an item vanish.
        problems.append(f"{where}: {error.message}")
        return None, missing
    return truth, missing if truth is None else ()


def _resolve(
    pack: Pack,
    tier: str,
    names: Mapping[str, Value],
    mode: IncludeMode,
    unclear: tuple[str, ...],
    receiver: str,
    problems: list[str],
) -> list[Section]:
    found: list[Section] = []
    for section in pack.sections:
        items = []
        for item in section.items:
            severity = item.tiers.get(tier, item.severity)
            truth, missing = _applies(item.when, names, item.id, problems)
            if severity == "skip" or truth is False:
                continue
            items.append(
                replace(
                    item,
                    severity="score" if mode == "score" else severity,
                    # What the machine cannot judge yet, the receiver verifies like any other captured result.
                    verifies=item.verifies if item.verifies is not None or item.machine else receiver,
                    unclear=tuple(dict.fromkeys((*unclear, *missing))),
                )
            )
        if items:
            found.append(replace(section, items=tuple(items)))
    return found


def _refuse_doubles(items: Sequence[Item]) -> None:
    seen: dict[str, str] = {}
    for item in items:
        if item.id in seen:
            raise Invalid(
                f"the item {item.id} stands in {seen[item.id]} and in {item.pack}",
                "Give one of them another id; answers are kept by item id.",
            )
        seen[item.id] = item.pack


def _drop_dangling_pairs(items: tuple[Item, ...], sections: list[Section]) -> tuple[tuple[Item, ...], list[Section]]:
    """Clear `pairs_with` where the partner is not asked in this handoff: then the item is answered by itself."""
    ids = {item.id for item in items}

    def mend(item: Item) -> Item:
        return replace(item, pairs_with="") if item.pairs_with and item.pairs_with not in ids else item

    mended = [replace(section, items=tuple(mend(item) for item in section.items)) for section in sections]
    return tuple(item for section in mended for item in section.items), mended


def _covered(row: SignoffRow, sections: Sequence[Section], items: Sequence[Item]) -> tuple[str, ...]:
    """Resolve `covers` (items, or sections of the gate; empty for all) to item ids in checklist order."""
    if not row.covers:
        return tuple(item.id for item in items)
    named = set(row.covers)
    return tuple(item.id for item in items if item.id in named or item.section in named)
