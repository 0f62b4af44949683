"""From YAML nodes to a `Pack`: every key typed, every unknown key refused, every problem kept with its place.

Reading never stops at the first problem: what is missing gets a harmless value, so that one pass tells all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from carnet_store.domain.expression import Expression, ExpressionError, parse, parse_reference
from carnet_store.domain.filling import QUERIES
from carnet_store.domain.template import (
    BINDS,
    BUILTIN_CHECKS,
    COLUMN_TYPES,
    EVIDENCE_KINDS,
    FACT_TYPES,
    FORMAT,
    ITEM_TYPES,
    TIERS,
    CheckSpec,
    Column,
    FactSpec,
    Include,
    Item,
    LiveReview,
    Option,
    Pack,
    Policy,
    Section,
    SignoffRow,
    Threshold,
    Tier,
)
from carnet_store.work.pack_rules import check_pack, check_references
from carnet_store.work.yaml_text import Node, TextProblem

PACK_KEYS: Final = (
    "carnet", "kind", "id", "version", "title", "summary", "transition", "stages_between", "roles", "tiers", "includes",
    "facts", "live_review", "signoffs", "policy", "defaults", "placeholder_words", "notes", "sections",
)  # fmt: skip
_DEFAULT_KEYS: Final = (
    "type", "severity", "tiers", "answers", "verifies", "evidence", "options", "na", "waiver_by", "waiver_days",
    "valid_days", "binds", "source", "req", "min_length",
)  # fmt: skip
ITEM_KEYS: Final = (
    *_DEFAULT_KEYS, "id", "title", "help", "why", "when", "threshold", "check", "columns", "min_rows", "many", "unit",
    "literal", "pairs_with", "required_fields", "min_options", "rule", "row_rule", "guidance", "fills", "repro",
)  # fmt: skip
_SEVERITIES: Final = ("blocker", "major", "minor")
_CHECK_KINDS: Final = ("builtin", "command", "data", "unit", "integration", "suite")
_OPERATORS: Final = (">=", "<=", ">", "<", "==")
_MIN_LENGTH: Final[Mapping[str, int]] = {"text": 20, "readback": 80}

_SLUG: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
_DOTTED: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_VERSION: Final = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")
_SOURCE: Final = re.compile(r"[A-Z0-9][A-Z0-9-]*")
_REQUIREMENT: Final = re.compile(r"[A-Z][0-9]{3}")

Keys = dict[str, Node]


class PackReader:
    """Reads one file; `problems` grows while it does."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[TextProblem] = []
        self.places: dict[str, Node] = {}  # where a named thing stands: `item:x`, `pairs:x`, `include:x`, …

    def note(self, node: Node, text: str, mend: str) -> None:
        """Keep a problem at a node's place."""
        self.problems.append(TextProblem(self.file, node.line, node.column, text, mend))

    def check_references(self, pack: Pack, others: Mapping[str, Pack]) -> None:
        """Keep a problem for each reference into other packs that leads nowhere."""
        for place, text, mend in check_references(pack, others):
            self.note(self._place(place), text, mend)

    def _place(self, place: str) -> Node:
        # What a default gave has no place of its own: then the item, at last the pack, is shown.
        while place not in self.places and ":" in place:
            place = place.rpartition(":")[0]
        return self.places.get(place, self.places["pack"])

    # --- typed reading of single keys -----------------------------------------------------------------------------

    def keys(self, node: Node, what: str, allowed: Iterable[str], required: Iterable[str] = ()) -> Keys:
        """Return the keys of a mapping, after refusing unknown and missing ones."""
        if not isinstance(node.value, dict):
            self.note(node, f"{what} should be a set of keys, not {node.describe()}", "Write `key: value` lines.")
            return {}
        known = tuple(allowed)
        for name, value in node.value.items():
            if name not in known:
                close = get_close_matches(name, known, 1)
                mend = f"Did you mean `{close[0]}`?" if close else f"Known keys: {', '.join(sorted(known))}."
                self.note(value.key or value, f"{what} has an unknown key {name!a}", mend)
        for name in required:
            if name not in node.value:
                self.note(node, f"{what} has no `{name}`", f"Add `{name}:`.")
        return {name: value for name, value in node.value.items() if name in known}

    def text(self, keys: Keys, name: str, form: re.Pattern[str] | None = None, example: str = "") -> str:
        """Return a text, with a problem where it is no text or does not have the form."""
        node = keys.get(name)
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value.strip():
            quote = "Put it in quotes." if isinstance(node.value, bool | int | Decimal) else "Write text here."
            self.note(node, f"`{name}` should be text, not {node.describe()}", quote)
            return ""
        word = " ".join(node.value.split())
        if form is not None and not form.fullmatch(word):
            self.note(node, f"`{name}` has the wrong form: {word!a}", f"Write it like {example}.")
        return word

    def one_of(self, keys: Keys, name: str, options: Iterable[str], default: str) -> Any:
        """Return one of the offered words."""
        node = keys.get(name)
        if node is None:
            return default
        offered = tuple(options)
        if node.value in offered:
            return node.value
        close = get_close_matches(str(node.value), offered, 1)
        mend = f"Did you mean `{close[0]}`?" if close else f"Write one of: {', '.join(offered)}."
        self.note(node, f"`{name}` cannot be {str(node.bare())[:40]!a}", mend)
        return default

    def words(self, keys: Keys, name: str, options: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return a list of words, each one of `options` where these are given."""
        node = keys.get(name)
        if node is None:
            return ()
        if not isinstance(node.value, list):
            self.note(node, f"`{name}` should be a list, not {node.describe()}", f"Write `{name}: [a, b]`.")
            return ()
        offered = None if options is None else tuple(options)
        found: list[str] = []
        for one in node.value:
            if not isinstance(one.value, str) or not one.value:
                self.note(one, f"`{name}` holds {one.describe()} where text belongs", "Put it in quotes.")
            elif offered is not None and one.value not in offered:
                close = get_close_matches(one.value, offered, 1)
                mend = f"Did you mean `{close[0]}`?" if close else f"Write one of: {', '.join(offered)}."
                self.note(one, f"`{name}` names {one.value!a}, which does not exist", mend)
            elif one.value in found:
                self.note(one, f"`{name}` names {one.value!a} twice", "Remove one.")
            else:
                found.append(one.value)
        return tuple(found)

    def whole(self, keys: Keys, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number between bounds."""
        node = keys.get(name)
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int) or not low <= node.value <= high:
            self.note(node, f"`{name}` should be a whole number", f"Write one from {low} to {high}.")
            return default
        return node.value

    def flag(self, keys: Keys, name: str, default: bool) -> bool:
        """Return true or false."""
        node = keys.get(name)
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.note(node, f"`{name}` should be true or false, not {node.describe()}", "Write true or false.")
            return default
        return node.value

    def expression(self, keys: Keys, name: str) -> Expression | None:
        """Return a parsed expression; a problem stands at the column inside the line where it can be told."""
        node = keys.get(name)
        if node is None:
            return None
        if isinstance(node.value, bool):
            return parse("true" if node.value else "false")
        if not isinstance(node.value, str):
            self.note(node, f"`{name}` should be an expression, not {node.describe()}", "Write it as text.")
            return None
        try:
            return parse(node.value)
        except ExpressionError as error:
            at = node.column + error.column - (1 if node.plain else 0)
            problem = TextProblem(self.file, node.line, at, f"`{name}`: {error.plain}", error.hint)
            self.problems.append(problem)
            return None

    def each(self, keys: Keys, name: str) -> list[Node]:
        """Return the entries of a list."""
        node = keys.get(name)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.note(node, f"`{name}` should be a list, not {node.describe()}", "Begin each entry with `- `.")
            return []
        return node.value

    # --- the pack -------------------------------------------------------------------------------------------------

    def pack(self, root: Node) -> Pack:
        """Read a whole pack; look at `problems` before using it."""
        keys = self.keys(root, "the pack", PACK_KEYS, ("carnet", "kind", "id", "version", "title", "roles", "sections"))
        if "carnet" in keys and keys["carnet"].value != FORMAT:
            self.note(keys["carnet"], "this is not a template this Carnet reads", f"Write `carnet: {FORMAT}`.")
        roles = self.words(keys, "roles")
        for role in roles:
            if not _WORD.fullmatch(role):
                self.note(keys["roles"], f"the role {role!a} has the wrong form", "Write it like ml_engineer.")
        pack_id = self.text(keys, "id", _SLUG, "research-to-engineering")
        transition = self._sub(keys, "transition", ("from", "to"), ("from", "to"))
        facts = tuple(self._fact(node) for node in self.each(keys, "facts"))
        pack = Pack(
            id=pack_id,
            version=self.text(keys, "version", _VERSION, "0.1.0"),
            kind=self.one_of(keys, "kind", ("gate", "rubric"), "gate"),
            title=self.text(keys, "title"),
            summary=self.text(keys, "summary"),
            roles=roles,
            from_stage=self.text(transition, "from", _WORD, "research"),
            to_stage=self.text(transition, "to", _WORD, "engineering"),
            stages_between=self.words(keys, "stages_between"),
            tiers=self._tiers(keys),
            includes=tuple(self._include(node) for node in self.each(keys, "includes")),
            facts=facts,
            signoffs=tuple(self._signoff(node, roles) for node in self.each(keys, "signoffs")),
            policy=self._policy(keys),
            live_review=self._live_review(keys),
            placeholder_words=self.words(keys, "placeholder_words"),
            notes=self.words(keys, "notes"),
            sections=self._sections(keys, pack_id, roles),
        )
        self.places["pack"] = root
        for place, text, mend in check_pack(pack):
            self.note(self._place(place), text, mend)
        return pack

    def _sub(self, keys: Keys, name: str, allowed: Iterable[str], required: Iterable[str] = ()) -> Keys:
        node = keys.get(name)
        return {} if node is None else self.keys(node, f"`{name}`", allowed, required)

    def _tiers(self, keys: Keys) -> tuple[Tier, ...]:
        found: list[Tier] = []
        for name, node in self._sub(keys, "tiers", TIERS).items():
            tier = self.keys(node, f"tier {name}", ("title", "meaning"), ("title", "meaning"))
            found.append(Tier(name, self.text(tier, "title"), self.text(tier, "meaning")))
        return tuple(found)

    def _include(self, node: Node) -> Include:
        keys = self.keys(node, "an include", ("pack", "when", "mode"), ("pack",))
        pack = self.text(keys, "pack", _SLUG, "model-card")
        modes = self._sub(keys, "mode", TIERS)
        self.places[f"include:{pack}"] = keys.get("pack", node)
        return Include(
            pack,
            self.expression(keys, "when"),
            {tier: self.one_of(modes, tier, ("block", "score"), "block") for tier in modes},
        )

    def _fact(self, node: Node) -> FactSpec:
        keys = self.keys(node, "a fact", ("id", "type", "question", "options", "help"), ("id", "type", "question"))
        found = FactSpec(
            id=self.text(keys, "id", _DOTTED, "data.personal"),
            type=self.one_of(keys, "type", FACT_TYPES, "text"),
            question=self.text(keys, "question"),
            options=self.words(keys, "options"),
            help=self.text(keys, "help"),
        )
        self.places[f"fact:{found.id}"] = keys.get("id", node)
        return found

    def _signoff(self, node: Node, roles: tuple[str, ...]) -> SignoffRow:
        allowed = ("role", "meaning", "quorum", "distinct_from", "tiers", "covers")
        keys = self.keys(node, "a sign-off", allowed, ("role", "meaning"))
        row = SignoffRow(
            role=self.one_of(keys, "role", roles, ""),
            meaning=self.text(keys, "meaning", _SLUG, "acceptance-of-responsibility"),
            quorum=self.whole(keys, "quorum", 1, 1, 20),
            distinct_from=self.words(keys, "distinct_from", roles),
            tiers=self.words(keys, "tiers", TIERS) or TIERS,
            covers=self.words(keys, "covers"),
        )
        self.places[f"covers:{row.id}:{','.join(row.tiers)}"] = keys.get("covers", node)
        return row

    def _policy(self, keys: Keys) -> Policy:
        found = self._sub(
            keys,
            "policy",
            ("requires_gate", "sealed_package", "open_blocking_questions", "min_reviewers", "override_days"),
        )
        if "requires_gate" in found:
            self.places["requires_gate"] = found["requires_gate"]
        return Policy(
            requires_gate=self.words(found, "requires_gate"),
            sealed_package=self.flag(found, "sealed_package", True),
            open_blocking_questions=self.whole(found, "open_blocking_questions", 0, 0, 1000),
            min_reviewers=self.whole(found, "min_reviewers", 1, 1, 20),
            override_days=self.whole(found, "override_days", 7, 0, 90),
        )

    def _live_review(self, keys: Keys) -> LiveReview | None:
        if "live_review" not in keys:
            return None
        found = self._sub(keys, "live_review", ("timebox_minutes", "read_aloud"), ("timebox_minutes", "read_aloud"))
        if "read_aloud" in found:
            self.places["read_aloud"] = found["read_aloud"]
        aloud = self.words(found, "read_aloud")
        if len(aloud) > 9:
            self.note(found["read_aloud"], f"{len(aloud)} items are read aloud", "Keep at most nine.")
        return LiveReview(self.whole(found, "timebox_minutes", 45, 5, 480), aloud)

    # --- sections and items ---------------------------------------------------------------------------------------

    def _sections(self, keys: Keys, pack_id: str, roles: tuple[str, ...]) -> tuple[Section, ...]:
        defaults = self._sub(keys, "defaults", _DEFAULT_KEYS)
        found: list[Section] = []
        for node in self.each(keys, "sections"):
            section = self.keys(node, "a section", ("id", "title", "defaults", "items"), ("id", "title", "items"))
            section_id = self.text(section, "id", _WORD, "framing")
            self.places[f"section:{section_id}"] = section.get("id", node)
            if any(section_id == other.id for other in found):
                self.note(section.get("id", node), f"the section {section_id!a} stands twice", "Join the two.")
            own = {**defaults, **self._sub(section, "defaults", _DEFAULT_KEYS)}
            items = tuple(self._item(one, own, pack_id, section_id, roles) for one in self.each(section, "items"))
            found.append(Section(section_id, self.text(section, "title"), items))
        return tuple(found)

    def _item(self, node: Node, defaults: Keys, pack_id: str, section_id: str, roles: tuple[str, ...]) -> Item:
        name = node.value.get("id") if isinstance(node.value, dict) else None
        what = f"item {name.value}" if name is not None and isinstance(name.value, str) else "an item"
        own = self.keys(node, what, ITEM_KEYS, ("id", "title", "help", "why"))
        keys = {**defaults, **own}
        for needed in ("type", "answers", "verifies", "source"):
            if needed not in keys:
                self.note(node, f"{what} has no `{needed}`", f"Add `{needed}:` here or under `defaults:`.")
        item_type = self.one_of(keys, "type", ITEM_TYPES, "text")
        verifies = self.one_of(keys, "verifies", (*roles, "none"), "")
        tiers = self._sub(keys, "tiers", TIERS)
        valid = self.whole(keys, "valid_days", 0, 1, 3660)
        item = Item(
            id=self.text(keys, "id", _DOTTED, "framing.problem"),
            type=item_type,
            title=self.text(keys, "title"),
            pack=pack_id,
            section=section_id,
            severity=self.one_of(keys, "severity", _SEVERITIES, "major"),
            answers=self.one_of(keys, "answers", roles, ""),
            verifies=None if verifies == "none" else verifies,
            help=self.text(keys, "help"),
            why=self.text(keys, "why"),
            source=self._codes(keys, "source", _SOURCE, "MLTS-D1"),
            req=self._codes(keys, "req", _REQUIREMENT, "R101"),
            tiers={tier: self.one_of(tiers, tier, (*_SEVERITIES, "skip"), "major") for tier in tiers},
            when=self.expression(keys, "when"),
            evidence=self.words(keys, "evidence", EVIDENCE_KINDS),
            threshold=self._threshold(keys),
            check=self._check(keys),
            columns=tuple(self._column(one) for one in self.each(keys, "columns")),
            min_rows=self.whole(keys, "min_rows", 0, 0, 1000),
            options=self._options(keys) if item_type == "choice" else (),
            many=self.flag(keys, "many", False),
            unit=self.text(keys, "unit"),
            min_length=self.whole(keys, "min_length", _MIN_LENGTH.get(item_type, 0), 0, 4000),
            literal=self.flag(keys, "literal", False),
            na=self.one_of(keys, "na", ("never", "reason", "waiver"), "reason"),
            waiver_by=self.one_of(keys, "waiver_by", roles, ""),
            waiver_days=self.whole(keys, "waiver_days", 0, 0, 3660),
            valid_days=valid or None,
            binds=self.words(keys, "binds", BINDS) if "binds" in keys else ("package",),
            pairs_with=self.text(keys, "pairs_with", _DOTTED, "data.lineage"),
            required_fields=self.words(keys, "required_fields"),
            min_options=self.whole(keys, "min_options", 0, 0, 100),
            rule=self.expression(keys, "rule"),
            row_rule=self.expression(keys, "row_rule"),
            guidance=self.text(keys, "guidance"),
            fills=self.one_of(keys, "fills", QUERIES, ""),
            repro=self.text(keys, "repro"),
        )
        self._remember(item, own, node)
        return item

    def _remember(self, item: Item, own: Keys, node: Node) -> None:
        first = self.places.setdefault(f"item:{item.id}", own.get("id", node))
        if first is not own.get("id", node):
            self.note(
                own.get("id", node), f"the item {item.id} stands twice (first in line {first.line})", "Rename it."
            )
        for key, value in own.items():
            self.places[f"item:{item.id}:{key}"] = value if key in ("when", "rule", "row_rule") else value.key or value

    def _codes(self, keys: Keys, name: str, form: re.Pattern[str], example: str) -> tuple[str, ...]:
        found = self.words(keys, name)
        for one in found:
            if not form.fullmatch(one):
                self.note(keys[name], f"`{name}` names {one!a}", f"Write it like {example}.")
        return found

    def _threshold(self, keys: Keys) -> Threshold | None:
        if "threshold" not in keys:
            return None
        found = self._sub(keys, "threshold", ("value", "op", "metric"), ("value",))
        op, metric = self.one_of(found, "op", _OPERATORS, ""), self.text(found, "metric")
        node = found.get("value", keys["threshold"])
        if isinstance(node.value, str):
            try:
                return Threshold(parse_reference(node.value), op, metric)
            except ExpressionError as error:
                self.note(node, f"`value`: {error.plain}", error.hint)
        elif isinstance(node.value, int | Decimal) and not isinstance(node.value, bool):
            if not op:
                self.note(node, "a limit in numbers needs its operator", 'Add op: ">=" or another.')
            return Threshold(Decimal(node.value), op, metric)
        elif "value" in found:
            self.note(node, f"`value` should be a number, not {node.describe()}", 'Write 0.9 or "${criteria.name}".')
        return None

    def _check(self, keys: Keys) -> CheckSpec | None:
        if "check" not in keys:
            return None
        found = self._sub(keys, "check", ("kind", "name", "exit_code"), ("kind",))
        kind = self.one_of(found, "kind", _CHECK_KINDS, "command")
        name = self.one_of(found, "name", BUILTIN_CHECKS, "") if kind == "builtin" else self.text(found, "name")
        if kind == "builtin" and "name" not in found:
            self.note(keys["check"], "a builtin check needs its name", f"Write one of: {', '.join(BUILTIN_CHECKS)}.")
        return CheckSpec(kind, name, self.whole(found, "exit_code", 0, 0, 255))

    def _column(self, node: Node) -> Column:
        allowed = ("id", "type", "title", "options", "kinds", "required", "unit")
        keys = self.keys(node, "a column", allowed, ("id", "type"))
        column_id = self.text(keys, "id", _WORD, "known_at")
        kind = self.one_of(keys, "type", COLUMN_TYPES, "text")
        if kind == "choice" and "options" not in keys:
            self.note(node, f"the choice column {column_id!a} has no options", "Add `options: [a, b]`.")
        for key, owner in (("options", "choice"), ("kinds", "link"), ("unit", "number")):
            if key in keys and kind != owner:
                self.note(
                    keys[key], f"`{key}` belongs to a {owner} column, not to {kind}", f"Remove it, or use {owner}."
                )
        return Column(
            id=column_id,
            type=kind,
            title=self.text(keys, "title") or column_id.replace("_", " ").capitalize(),
            options=self.words(keys, "options"),
            kinds=self.words(keys, "kinds", EVIDENCE_KINDS),
            required=self.flag(keys, "required", True),
            unit=self.text(keys, "unit"),
        )

    def _options(self, keys: Keys) -> tuple[Option, ...]:
        found: list[Option] = []
        for node in self.each(keys, "options"):
            if isinstance(node.value, dict):
                one = self.keys(node, "an option", ("id", "meaning"), ("id", "meaning"))
                found.append(Option(self.text(one, "id"), self.text(one, "meaning")))
            elif isinstance(node.value, str) and node.value:
                found.append(Option(node.value))
            else:
                self.note(node, f"an option is {node.describe()}", "Put it in quotes.")
        return tuple(found)
