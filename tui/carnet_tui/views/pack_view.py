"""What moving a handoff to another pack, tier or facts does to its items: added, removed, kept, asked otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from carnet_tui.text import clean
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import Look
    from carnet_store.domain.template import Checklist, Item

NAMED = 12
"""Items that a list names before it counts the rest."""


Row = tuple[str, str]
"""A label and a cleaned text; both empty for a blank line."""


def move_rows(look: Look, new: Checklist, tier: str, facts: Mapping[str, Any], template: Sequence[str]) -> list[Row]:
    """Return what a move changes: pack, tier, facts, items, sign-offs.

    `template` holds the digests of the packs moved to, the gate's first.
    """
    old, handoff = look.checklist, look.handoff
    before = {item.id: item for item in old.items}
    after = {item.id: item for item in new.items}
    answered = {item for item, changes in handoff.answers.items() if changes}
    added, removed = [i for i in after if i not in before], [i for i in before if i not in after]
    kept = [i for i in after if i in before]
    other = [i for i in kept if _asked(before[i]) != _asked(after[i])]
    out = [
        ("pack", _change(clean(old.gate.title), clean(new.gate.title))),
        ("tier", _change(clean(handoff.tier), clean(tier))),
    ]
    for name in sorted({*handoff.facts, *facts}):
        was, now = handoff.facts.get(name), facts.get(name)
        if was != now:
            out.append(("fact", f"{clean(name)}: {_change(fact_words(was), fact_words(now))}"))
    lost, had = sum(i in answered for i in removed), sum(i in answered for i in kept)
    gone = f", {lost} of them answered: the record keeps that, and nobody is asked any more" if lost else ""
    out += [
        ("", ""),
        ("added", _items(added, f", {sum(i in answered for i in added)} of them answered already")),
        ("removed", _items(removed, gone)),
        ("kept", f"{words.count(len(kept), 'item')}, {had} of them answered: answers stay"),
    ]
    if other:
        out.append(("otherwise", _items(other, " of those kept, with another text, weight or role")))
    was_signed, is_signed = _roles(old), _roles(new)
    if was_signed != is_signed:
        out.append(("signed by", _change(was_signed, is_signed)))
    if voided := _voided(look, new, template):
        out.append(("sign-offs", f"{words.count(voided, 'counts', 'count')} no more, to be signed again"))
    return out


def counts_words(look: Look, new: Checklist) -> str:
    """Return the same in a few words: `3 items added, 1 removed, 11 kept`."""
    before, after = {item.id for item in look.checklist.items}, {item.id for item in new.items}
    added, removed = len(after - before), len(before - after)
    return f"{words.count(added, 'item')} added, {removed} removed, {len(after & before)} kept"


def changes_something(look: Look, tier: str, facts: Mapping[str, Any], template: Sequence[str]) -> bool:
    """Whether a move would change packs, tier or facts at all."""
    handoff = look.handoff
    packs = [pack.sha256 for pack in handoff.packs]
    return (packs, handoff.tier, dict(handoff.facts)) != (list(template), tier, dict(facts))


def fact_words(value: object) -> str:
    """Return a fact as people type it."""
    return "unknown" if value is None else ("yes" if value else "no") if isinstance(value, bool) else clean(str(value))


def _change(was: str, now: str) -> str:
    return f"{now}, as it is" if was == now else f"{now}; until now {was}"


def _items(ids: Sequence[str], more: str) -> str:
    if not ids:
        return "none"
    rest = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"{words.count(len(ids), 'item')}{more}: {', '.join(clean(one) for one in ids[:NAMED])}{rest}"


def _asked(item: Item) -> Item:
    """Return an item without what is no part of the question: where it stands, when it applies, where it comes from."""
    return replace(item, pack="", section="", source=(), req=(), why="", guidance="", unclear=(), tiers={}, when=None)


def _roles(found: Checklist) -> str:
    return ", ".join(words.role(row.role) for row in found.signoffs)


def _voided(look: Look, new: Checklist, template: Sequence[str]) -> int:
    """Return how many sign-offs that stand do so no more: another template, or a row that asks more."""
    same = [pack.sha256 for pack in look.handoff.packs] == list(template)
    covers = {(row.role, row.meaning): set(row.covers) for row in new.signoffs}
    number = 0
    for one in look.status.signoffs:
        row = covers.get((one.predicate.role, one.predicate.meaning))
        number += one.fresh and not (same and row is not None and row <= set(one.predicate.covers))
    return number
