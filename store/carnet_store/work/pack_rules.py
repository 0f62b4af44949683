"""What must hold between the parts of a pack, and between packs: no reference leads nowhere, no key lacks its use.

Each finding is (place, text, mend); the place is a name that the reader remembers, such as `item:data.lineage:when`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from carnet_store.domain.expression import Binary, Expression, Literal, Name, walk
from carnet_store.domain.template import TIERS, Item, Pack

Finding = tuple[str, str, str]

# Which item types a key makes sense for; on any other it would be silently without effect.
_ONLY_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "threshold": ("number",),
    "literal": ("number",),
    "unit": ("number",),
    "check": ("command",),
    "columns": ("table",),
    "min_rows": ("table",),
    "row_rule": ("table",),
    "rule": ("table", "number", "choice", "link"),
    "many": ("choice",),
    "required_fields": ("link",),
    "min_options": ("link",),
}


def check_pack(pack: Pack) -> Iterator[Finding]:
    """Yield what is wrong inside one pack."""
    if pack.kind == "gate":
        if not pack.from_stage or not pack.signoffs:
            missing = "`transition`" if not pack.from_stage else "`signoffs`"
            yield "pack", f"a gate has no {missing}", f"Add {missing}, or write `kind: rubric`."
        if tuple(sorted(tier.id for tier in pack.tiers)) != TIERS:
            yield "pack", "a gate describes its tiers A, B and C", "Add `tiers:` with title and meaning of each."
    elif pack.signoffs or pack.includes or pack.from_stage:
        yield "pack", "a rubric has no transition, sign-offs or includes", "Remove them, or write `kind: gate`."
    for fact in pack.facts:
        if (fact.type == "choice") != bool(fact.options):
            yield f"fact:{fact.id}", f"the fact {fact.id} is a {fact.type}", "A choice has options; nothing else has."
    for include in pack.includes:
        if include.when is not None:
            yield from _facts_used(include.when, pack, f"include:{include.pack}")
    for item in pack.items():
        yield from _check_item(item, pack)


def _check_item(item: Item, pack: Pack) -> Iterator[Finding]:
    at = f"item:{item.id}"
    for key, types in _ONLY_FOR.items():
        if getattr(item, key) not in (None, (), 0, "", False) and item.type not in types:
            yield f"{at}:{key}", f"`{key}` has no effect on a {item.type}", f"It belongs to: {', '.join(types)}."
    if item.type == "table" and not item.columns:
        yield at, f"the table {item.id} has no columns", "Add `columns:` with id and type of each."
    if item.type == "choice" and len(item.options) < 2:
        yield at, f"the choice {item.id} has fewer than two options", "Add `options:`."
    if item.type == "command" and item.check is None:
        yield at, f"the command {item.id} does not say what is checked", "Add `check: {kind: command}`."
    builtin = item.check is not None and item.check.kind == "builtin"
    if item.verifies is None and not builtin:
        yield at, f"nobody verifies {item.id}", "Only a builtin check may have `verifies: none`; name a role."
    if item.na == "waiver" and not (item.waiver_by and item.waiver_days):
        yield at, f"{item.id} needs a waiver, but nobody may grant one", "Add `waiver_by:` and `waiver_days:`."
    doubled = [one.id for n, one in enumerate(item.columns) if one.id in [other.id for other in item.columns[:n]]]
    if doubled:
        yield f"{at}:columns", f"the column {doubled[0]!a} stands twice", "Rename one."
    if item.when is not None:
        yield from _facts_used(item.when, pack, f"{at}:when")
    yield from _rule_names(item)


def _facts_used(when: Expression, pack: Pack, place: str) -> Iterator[Finding]:
    facts = {fact.id: fact for fact in pack.facts}
    for name in when.names():
        if name not in facts and name != "tier":
            known = ", ".join((*sorted(facts), "tier"))
            yield place, f"{name} is no fact of this pack", f"Declare it under `facts:`, or use one of: {known}."
    for node in walk(when.root):
        if not (isinstance(node, Binary) and node.operator in ("==", "!=") and isinstance(node.left, Name)):
            continue
        fact = facts.get(node.left.name)
        if fact is not None and fact.type == "choice" and isinstance(node.right, Literal):
            offered = ", ".join(fact.options)
            if node.right.value not in fact.options:
                text = f"{fact.id} is never {node.right.value!a} (column {node.right.column})"
                yield place, text, f"Its options are: {offered}."


def _rule_names(item: Item) -> Iterator[Finding]:
    columns = {column.id for column in item.columns}
    whole = {"row_count", *(f"rows.{column}" for column in columns)}
    if item.type == "table":
        allowed = whole
    else:
        allowed = {"value"} if item.type in ("number", "choice") else set(item.required_fields)
    for key, rule, names in (("rule", item.rule, allowed), ("row_rule", item.row_rule, columns)):
        for name in rule.names() if rule is not None else ():
            if name not in names and not name.startswith("criteria."):
                mend = f"Known here: {', '.join(sorted(names)) or 'nothing'}, criteria.NAME."
                yield f"item:{item.id}:{key}", f"`{key}` names {name}, which does not exist", mend
    if item.threshold is not None and isinstance(item.threshold.value, Expression):
        for name in item.threshold.value.names():
            if not name.startswith("criteria."):
                yield f"item:{item.id}:threshold", f"a threshold cannot use {name}", "Write ${criteria.NAME}."


def check_references(pack: Pack, others: Mapping[str, Pack]) -> Iterator[Finding]:
    """Yield each reference that leads nowhere, given the other packs that are at hand (by id)."""
    known = {pack_id: other for pack_id, other in others.items() if pack_id != pack.id}
    included = [known[include.pack] for include in pack.includes if include.pack in known]
    for include in pack.includes:
        if include.pack not in known:
            yield f"include:{include.pack}", f"there is no pack {include.pack!a}", _offer(known, "rubric")
        elif known[include.pack].kind != "rubric":
            yield f"include:{include.pack}", f"{include.pack} is a gate", "Only rubrics can be included."
    here = {item.id: item for one in (pack, *included) for item in one.items()}
    for other in included:
        for item in other.items():
            if pack.item(item.id) is not None:
                yield f"item:{item.id}", f"the item {item.id} stands in {other.id} too", "Rename one."
    everywhere = set(here) | {item.id for other in known.values() for item in other.items()}
    for item in pack.items():
        if item.pairs_with and (item.pairs_with not in everywhere or item.pairs_with == item.id):
            yield f"item:{item.id}:pairs_with", f"there is no other item {item.pairs_with!a}", "Name an existing item."
    sections = {section.id for one in (pack, *included) for section in one.sections}
    for row in pack.signoffs:
        for name in row.covers:
            if name not in here and name not in sections:
                place = f"covers:{row.id}:{','.join(row.tiers)}"
                yield place, f"`covers` names {name!a}, which does not exist", "Name items or sections of this gate."
    for name in pack.live_review.read_aloud if pack.live_review is not None else ():
        if name not in here:
            yield "read_aloud", f"`read_aloud` names {name!a}, which does not exist", "Name items of this gate."
    for name in pack.policy.requires_gate:
        if name not in known or known[name].kind != "gate":
            yield "requires_gate", f"there is no gate {name!a}", _offer(known, "gate")


def _offer(known: Mapping[str, Pack], kind: str) -> str:
    names = sorted(one.id for one in known.values() if one.kind == kind)
    return f"Known: {', '.join(names) or 'none'}."
