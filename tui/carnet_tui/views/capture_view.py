"""The plan of taking in what other tools recorded, as lines: what is new of each kind, what is kept, what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, fit, fit_line, pad, plural
from carnet_tui.views import words
from carnet_tui.views.fields import LABEL_CELLS, bullets, field, section
from carnet_tui.views.item_view import size_words

if TYPE_CHECKING:
    from carnet_store.exchange.capturing import CapturePlan
    from carnet_store.exchange.importers.things import Guess

STATES = ("new", "changed", "known")
KIND, NUMBER = 12, 9
"""Cells of the columns of the table of kinds."""
MANY = {"code": "code", "dataset": "datasets", "model": "models", "run": "runs", "environment": "environments",
        "document": "documents", "feature": "features", "check": "checks"}  # fmt: skip
"""Kind of thing -> many of them; kinds of a newer importer stand as they are."""


def found_words(guesses: Sequence[Guess]) -> str:
    """Return what lies in a folder, in one line."""
    return "; ".join(clean(one.words) for one in guesses)


def head_lines(place: str, guesses: Sequence[Guess], plan: CapturePlan, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return what was looked at, what is there, and the sums."""
    title: Line = [(f" {place}", "bold")]
    out = [both_ends(title, [("  nothing written yet ", "dim")], cells, glyphs.ellipsis)]
    out += [fit_line([(" ", ""), (found_words(guesses), "")], cells, glyphs.ellipsis)]
    new, changed, known = (plan.count(state) for state in STATES)
    sums: Line = [(f" + {new:,} new", "bold" if new else "dim")]
    if changed:
        sums.append((f"   ~ {changed:,} changed", "bold"))
    sums.append((f"   = {known:,} known", "dim"))
    sums.append((f"   {plural(plan.edges, 'new edge')}", "" if plan.edges else "dim"))
    if plan.unread_count:
        sign, _, style = glyphs.state("conflict")
        sums.append((f"   {sign} {plan.unread_count:,} could not be read", style))
    return [*out, fit_line(sums, cells, glyphs.ellipsis)]


def plan_lines(plan: CapturePlan, after: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return the whole plan; `after` is a cleaned sentence on what Enter does beside writing it."""
    return section(
        field("new", "nothing: the record holds all of it already", cells, "dim") if plan.nothing_new else [],
        kinds_table(plan, cells),
        [*_kept(plan, cells), *_unreachable(plan, cells), *_newest(plan, cells)],
        field("then", after, cells) if after else [],
        _unread(plan, cells),
        _things(plan, cells, glyphs),
    )


def kinds_table(plan: CapturePlan, cells: int) -> list[Line]:
    """Return how many of each kind are new, changed and known."""
    kinds = sorted({kind for kind, _ in plan.counts}, key=lambda kind: (-plan.counts[kind, "new"], kind))
    if not kinds:
        return []
    wide = min(NUMBER, max(6, (cells - KIND - 4) // 3))
    out: list[Line] = [[(f" {pad('kind', KIND)}", "dim"), *((pad(state, wide, ">"), "dim") for state in STATES)]]
    for kind in kinds:
        numbers = [plan.counts[kind, state] for state in STATES]
        out.append(
            [
                (f" {pad(MANY.get(kind, clean(kind)), KIND)}", ""),
                *(
                    (pad(f"{number:,}", wide, ">"), "bold" if number and state != "known" else "dim")
                    for number, state in zip(numbers, STATES, strict=True)
                ),
            ]
        )
    return out


def _kept(plan: CapturePlan, cells: int) -> list[Line]:
    if not plan.objects:
        return []
    return field("files", f"{plural(plan.objects, 'file')} to keep, {size_words(plan.object_bytes)}", cells)


def _unreachable(plan: CapturePlan, cells: int) -> list[Line]:
    if not plan.unreachable:
        return []
    return field(
        "elsewhere",
        f"files of {plural(plan.unreachable, 'thing')} are not here; their addresses are kept",
        cells,
    )


def _newest(plan: CapturePlan, cells: int) -> list[Line]:
    _, title, at = plan.newest
    if not title:
        return []
    return field("newest run", clean(title) + (f", {words.minute(at)}" if at else ""), cells)


def _unread(plan: CapturePlan, cells: int) -> list[Line]:
    if not plan.unread_count:
        return []
    head = f"{plural(plan.unread_count, 'place')} could not be read; all else is taken in"
    out = field("not read", head, cells, "bad")
    out += bullets("", [f"{clean(one.where)}: {clean(one.why)}" for one in plan.unread], cells, style="warn")
    more = plan.unread_count - len(plan.unread)
    return [*out, *(field("", f"and {plural(more, 'place')} more", cells, "dim") if more > 0 else [])]


def _things(plan: CapturePlan, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return the first things that are new or changed, one a line."""
    out: list[Line] = []
    for one in plan.things:
        label = "things" if not out else ""
        sign = "+" if one.state == "new" else "~"
        room = max(8, cells - LABEL_CELLS - 18)
        out.append(
            [(f" {pad(label, LABEL_CELLS)} ", "dim"), (f"{sign} ", "bold"), (pad(clean(one.kind), KIND) + " ", "dim"),
             (fit(clean(one.title), room, glyphs.ellipsis), "")]
        )  # fmt: skip
    more = plan.count("new") + plan.count("changed") - len(plan.things)
    return [*out, *(field("", f"and {plural(more, 'thing')} more", cells, "dim") if out and more > 0 else [])]
