"""Answers that stand against each other, side by side: what each says, by whom, when, on what, and who agreed with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, fit_line, pad, wrap
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import ItemStatus
    from carnet_store.domain.template import Item
    from carnet_tui.views.item_view import Names

SIDE_BY_SIDE = 60
"""Cells from which two answers stand beside each other."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the answers. Cleaned texts; `t` in ms."""

    change: str
    who: str
    role: str
    t: int
    value: Sequence[str]
    verified: Sequence[tuple[str, bool]]
    """(name, whether that person agreed)."""
    mine: bool


def sides(one: ItemStatus, names: Names, me: str) -> list[Side]:
    """Return the answers of an item, the oldest first."""
    from carnet_tui.views.item_view import value_lines

    found = []
    ordered = sorted(one.answers, key=lambda c: (c.t, c.id))
    values = [getattr(change.value, "answer", {}) for change in ordered]
    tables = all(isinstance(value.get("rows"), list) for value in values)
    for change, value in zip(ordered, values, strict=True):
        verified = [
            (names.person(v.person), bool(getattr(v.value, "agree", False)))
            for v in one.verifications
            if getattr(v.value, "answer", "") == change.id
        ]
        role = ", ".join(words.role(held) for held in sorted(change.roles) if held != "admin") or "member"
        found.append(
            Side(
                change.id, names.person(change.person), role, change.t,
                differing_cells(one.item, value, values, names) if tables else value_lines(one.item, value, names),
                verified, change.person == me,
            )
        )  # fmt: skip
    return found


def differing_cells(
    item: Item, mine: Mapping[str, Any], others: Sequence[Mapping[str, Any]], names: Names
) -> list[str]:
    """Return what one table says where the tables differ, row by row and cell by cell, and how many rows are the same."""
    from carnet_tui.views.item_view import cell_words

    tables = [value["rows"] for value in others]
    out: list[str] = []
    same = 0
    for at in range(max(map(len, tables))):
        rows = [table[at] if at < len(table) else {} for table in tables]
        row = mine["rows"][at] if at < len(mine["rows"]) else None
        different = [column for column in item.columns if len({repr(r.get(column.id)) for r in rows}) > 1]
        if not different:
            same += 1
            continue
        if row is None:
            out += [f"row {at + 1}", "  is not in this answer"]
            continue
        head = cell_words(row.get(item.columns[0].id), names)
        out.append(f"row {at + 1}  {head}")
        shown = [c for c in different if c is not item.columns[0]] or different
        out += [f"  {clean(c.title)}: {cell_words(row.get(c.id), names) or '(empty)'}" for c in shown]
    if same:
        out += [
            "",
            f"{same} row{'' if same == 1 else 's'} the same in both" if len(tables) == 2 else f"{same} rows the same",
        ]
    return out


def lines(found: Sequence[Side], chosen: int, cells: int, now: int, glyphs: Glyphs) -> list[Line]:
    """Return the answers in columns, or under each other where there is no room; the chosen one is marked."""
    if cells >= SIDE_BY_SIDE and len(found) == 2:
        room = (cells - 3) // 2
        columns = [_side(one, at == chosen, room, now, glyphs) for at, one in enumerate(found)]
        height = max(len(column) for column in columns)
        out: list[Line] = []
        for at in range(height):
            left, right = ([*column, *([[]] * height)][at] for column in columns)
            bar = "|" if glyphs.plain else "│"
            out.append(
                [*fit_line(left, room, glyphs.ellipsis), (f" {bar} ", "rule"), *fit_line(right, room, glyphs.ellipsis)]
            )
        return out
    out = []
    for at, one in enumerate(found):
        out += [*([[]] if out else []), *_side(one, at == chosen, cells - 1, now, glyphs)]
    return out


def _side(one: Side, chosen: bool, cells: int, now: int, glyphs: Glyphs) -> list[Line]:
    mark = glyphs["cursor"] if chosen else " "
    who = f"{one.who}{' (you)' if one.mine else ''}"
    out: list[Line] = [
        [(mark, "cursor"), (pad(who, max(8, cells - 1), "<", glyphs.ellipsis), "chosen bold" if chosen else "bold")],
        [(mark, "cursor"), (f"as {one.role}, {words.since(one.t, now)}", "dim")],
        [(mark, "cursor")],
    ]
    for text in one.value:
        out += [[(mark, "cursor"), (line, "")] for line in wrap(text, max(8, cells - 1))]
    out.append([(mark, "cursor")])
    if not one.verified:
        out.append([(mark, "cursor"), ("not verified yet", "dim")])
    for name, agreed in one.verified:
        sign, word, style = glyphs.state("agree" if agreed else "disagree")
        out.append([(mark, "cursor"), (f"{sign} {name} {word}s", style)])
    return out


def settling(found: Sequence[Side], chosen: int) -> list[str]:
    """Return what settling writes, as cleaned sentences."""
    keep = found[chosen]
    out = [f"This answer of {keep.who} stands:", *keep.value, ""]
    for at, one in enumerate(found):
        if at != chosen:
            out.append(f"Set aside, and kept in the record: {one.who}'s, {'; '.join(one.value[:2])}")
    lost = [name for one in found for name, _ in one.verified]
    if lost:
        out += ["", f"Void from then on: what {words.listed(lost)} said of these answers. It must be verified again."]
    else:
        out += ["", "Another person verifies it then."]
    return [clean(line) for line in out]
