"""What exactly is signed, what changed since the last signature, and what will be so after it: lines to read before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.domain import package
from carnet_tui.text import clean, digest
from carnet_tui.views import words
from carnet_tui.views.handoff_view import act_word
from carnet_tui.views.item_view import Names

if TYPE_CHECKING:
    from carnet_store import ItemStatus, Look
    from carnet_store.domain.gate import RowStatus, SignoffStatus


def signed_lines(look: Look, row: RowStatus, now: int) -> list[str]:
    """Return what this signature covers, as counted from the record."""
    status = look.status
    covered = [status.item(item) for item in row.row.covers]
    items = [one for one in covered if one is not None]
    counts: dict[str, int] = {}
    for one in items:
        word = words.ITEM_STATES.get(one.state, ("", one.state))[1]
        counts[word] = counts.get(word, 0) + 1
    entities, files = len(look.manifest.get("entities", [])), len(look.handoff.files)
    crossing = words.crossing(look.handoff.opened.from_stage, look.handoff.opened.to_stage)
    out = [
        f"{clean(look.model.title)}, {crossing}, round {max(1, status.round)}",
        f"package   {digest(status.package)}",
        f"holds     {words.count(entities, 'entity', 'entities')}, {words.count(files, 'file')},"
        f" {len(row.row.covers)} of {len(status.items)} items are covered by this signature",
        f"result    {', '.join(f'{number} {word}' for word, number in counts.items())}",
        f"meaning   {clean(row.row.meaning.replace('-', ' '))}, as {words.role(row.row.role)}",
    ]
    out += [
        f"! {clean(one.item.id)}: {clean(one.reasons[0] if one.reasons else one.state)}"
        for one in items
        if not one.settled
    ]
    for item, change in status.waivers:
        act: Any = change.value
        out.append(f"waived    {clean(item)} until {words.day(act.expires)}: {clean(act.reason)}")
    ahead = [q for q in status.questions if q.state != "closed"]
    if ahead:
        blocking = sum(q.question.blocking for q in ahead)
        out.append(f"questions {len(ahead)} open, {blocking} of them blocking")
    return out


def still_waits(
    look: Look, covers: Collection[str], me: str, name: Callable[[str], str], holders: Callable[[str], Sequence[str]]
) -> str:
    """Return which of the covered items others still have to act on, and that a signature now would turn stale then.

    `2 items wait for Tom to verify, 1 for you to answer; a signature now would turn stale when that is done`; empty where
    every covered item is in order. Items that keep no gate shut are left out. `name` returns cleaned text.
    """
    counts: dict[tuple[str, str], int] = {}
    for one in look.status.items:
        if one.item.id in covers and not one.settled and one.item.severity in ("blocker", "major"):
            persons = _who_acts(one, holders)
            said = "you" if me in persons else " or ".join(name(person) for person in persons[:2])
            if not persons or len(persons) > 2:
                said = "you" if me in persons else f"the {words.role(one.turn or one.item.answers)}"
            counts[said, act_word(one)] = counts.get((said, act_word(one)), 0) + 1
    if not counts:
        return ""
    groups = sorted(counts.items(), key=lambda pair: (pair[0][1] != "verify", -pair[1]))
    (who, act), number = groups[0]
    parts = [f"{words.count(number, 'item waits', 'items wait')} for {who} to {act}"]
    parts += [f"{more} for {who} to {act}" for (who, act), more in groups[1:3]]
    if left := sum(more for _, more in groups[3:]):
        parts.append(f"{left} for others")
    if {act for _, act in counts} == {"verify"}:
        done = "it is verified" if sum(counts.values()) == 1 else "they are verified"
    else:
        done = "that is done"
    return f"{', '.join(parts)}; a signature now would turn stale when {done}"


def _who_acts(one: ItemStatus, holders: Callable[[str], Sequence[str]]) -> list[str]:
    """Return the persons who can do an item's next act."""
    if one.state == "unconfirmed" and one.value is not None:
        return [str(one.value.get("spoken_by", ""))]
    author = one.answer.person if one.state == "answered" and one.answer is not None else ""
    return [person for person in holders(one.turn or one.item.answers) if person != author]


def last_of(look: Look, person: str) -> SignoffStatus | None:
    """Return a person's newest sign-off on this handoff."""
    mine = [s for s in look.status.signoffs if s.change.person == person]
    return max(mine, key=lambda s: (s.change.t, s.change.id)) if mine else None


def since_lines(look: Look, person: str, names: Names, now: int) -> list[str]:
    """Return what differs from what a person last signed: items, then parts of the package, field by field."""
    last = last_of(look, person)
    if last is None:
        return ["You have not signed here before."]
    out = [f"You signed {words.since(last.change.t, now)}, package {digest(last.predicate.package, 2)}."]
    for item in last.changed_items:
        one = look.status.item(item)
        if one is None:
            out.append(f"- {clean(item)}  is no longer asked")
            continue
        newest = max((c for group in (one.answers, one.verifications) for c in group), key=lambda c: c.t, default=None)
        who = f" by {names.person(newest.person)}, {words.since(newest.t, now)}" if newest else ""
        out.append(
            f"~ {clean(item)}  {clean(one.item.title)}: {words.ITEM_STATES.get(one.state, ('', one.state))[1]}{who}"
        )
    sealed = next(
        (
            look.handoff.manifest(c)
            for c in look.handoff.seals
            if package.digest(look.handoff.manifest(c)) == last.predicate.package
        ),
        None,
    )
    if sealed is not None:
        for sign, what, kind in package.difference(sealed, look.manifest):
            name = names.entity(what) if ":" in what else clean(what)
            out.append(f"{sign} {name}  {clean(kind)}")
    if len(out) == 1:
        out.append("Nothing changed since then." if last.fresh else "; ".join(clean(r) for r in last.reasons) + ".")
    return out


def stands_for(look: Look, person: str) -> list[RowStatus]:
    """Return the rows on which a person's approval stands."""
    return [row for row in look.status.rows if any(s.change.person == person for s in row.signed)]


def replaced_lines(look: Look, row: RowStatus, person: str, now: int) -> list[str]:
    """Return what a signature takes the place of, and what a refusal would do; empty where nothing of this person stands."""
    mine = [s for s in row.signed if s.change.person == person]
    if not mine:
        return []
    word = mine[0].predicate.decision.replace("-", " ").replace("approve", "approval")
    out = [
        f"Your {word} stands, {words.since(mine[0].change.t, now)}. What you sign here takes its place; the record keeps both."
    ]
    out.append("Refuse withdraws it: the gate is shut then, with your reason, until you sign anew.")
    if look.status.verdict == "passed":
        out.append("! The gate is passed now; a refusal shuts it for everybody.")
    return out


def after_lines(look: Look, row: RowStatus, person: str, names: Names) -> list[str]:
    """Return what will be so once this person signed."""
    status = look.status
    missing = [(r.missing - 1 if r.row.id == row.row.id else r.missing, r) for r in status.rows]
    total, left = sum(r.row.quorum for r in status.rows), sum(max(0, n) for n, _ in missing)
    out = [f"{total - left} of {total} sign-offs stand then."]
    for number, r in missing:
        if number > 0:
            could = [names.person(p) for p in r.could if p != person]
            out.append(f"still needed: {words.role(r.row.role)} ({words.listed(could) or 'nobody holds it'})")
    blocking = [r for r in status.reasons if r.code not in ("unsigned", "stale")]
    if blocking:
        out.append(
            f"The gate stays shut all the same: {words.count(len(blocking), 'reason remains', 'reasons remain')}."
        )
    elif left:
        out.append("The gate stays shut until then.")
    else:
        out.append("The gate passes." if not status.accepted else "The gate passes with what was waived shown.")
    return out
