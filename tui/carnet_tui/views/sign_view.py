"""What exactly is signed, what changed since the last signature, and what will be so after it: lines to read before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from carnet_store.domain import package
from carnet_tui.text import clean, digest
from carnet_tui.views import words
from carnet_tui.views.item_view import Names

if TYPE_CHECKING:
    from carnet_store import Look
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
        out.append(f"The gate stays shut all the same: {words.count(len(blocking), 'reason')} remain.")
    elif left:
        out.append("The gate stays shut until then.")
    else:
        out.append("The gate passes." if not status.accepted else "The gate passes with what was waived shown.")
    return out
