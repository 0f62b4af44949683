"""The inbox as rows and lines: what needs me, what waits on others, what happened lately.

The first frame is painted from here before the UI toolkit is loaded, so this module imports little.
"""

from __future__ import annotations

from carnet_tui import frame_text
from carnet_tui.glyphs import Glyphs
from carnet_tui.rows import HeadRow, InboxRow, with_heads
from carnet_tui.text import Line, clean
from carnet_tui.views import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from carnet_store import Duty, ProjectRow

SIGNS: Mapping[str, str] = {
    "conflict": "conflict",
    "apart": "conflict",
    "stale": "stale",
    "returned": "returned",
    "question": "question",
    "replied": "question",
    "confirm": "sign",
    "review": "review",
    "answer": "answer",
    "seal": "seal",
    "sign": "sign",
    "admit": "admit",
    "blocked": "waiting",
    "waiting": "waiting",
    "passed": "done",
}
"""Kind of a duty -> name of its sign in `glyphs.STATES`."""

ENTER: Mapping[str, str] = {
    "conflict": "shows both answers side by side",
    "apart": "opens it: e on an attribute says it anew and settles it",
    "stale": "shows what changed since you signed, to sign again",
    "returned": "opens the handoff with the reasons",
    "question": "opens the question to reply",
    "replied": "opens the reply; you close the question",
    "confirm": "opens what was typed in your name",
    "review": "goes through them one by one: v y agrees, v n disagrees",
    "answer": "opens the handoff on your open items",
    "seal": "opens the handoff; s seals the package",
    "sign": "shows exactly what you would sign",
    "admit": "opens the people who wait to join",
}
"""What Enter does with a duty, in words."""


ON_A_HANDOFF = frozenset(("review", "sign", "difference", "edit_all", "settle", "rescue"))
ON_A_ROW = ON_A_HANDOFF | {"open", "question", "comment", "timeline", "graph"}
"""Actions of the inbox that need a row, and those that need a handoff in it."""


class Entry:
    """A row with what it stands for."""

    __slots__ = ("duty", "project", "row")

    def __init__(self, row: InboxRow, duty: Duty, project: ProjectRow) -> None:
        self.row = row
        self.duty = duty
        self.project = project


def entries(found: Sequence[tuple[ProjectRow, Duty]], now: int) -> list[Entry]:
    """Return the rows of an inbox, in its order. `now` is in ms; where several projects have rows, each row names its own."""
    several = len({project.id for project, _ in found}) > 1
    out = []
    for project, duty in found:
        gate = ""
        if " > " in duty.gate:
            start, _, end = duty.gate.partition(" > ")
            gate = words.crossing(start, end, short=True)
        subject = clean(duty.subject)
        row = InboxRow(
            state=SIGNS.get(duty.kind, "waiting"),
            subject=f"{clean(project.name)}: {subject}" if several else subject,
            what=clean(duty.what),
            gate=gate,
            checks=f"{duty.done}/{duty.total}" if duty.total else "",
            age=words.ago(duty.t, now) if duty.t else "",
            section=duty.section,
            key=f"{project.id[:8]}:{duty.key}",
        )
        out.append(Entry(row, duty, project))
    return out


def mark_recalled(found: Sequence[Entry], handoffs: Collection[str]) -> list[Entry]:
    """Return the rows, those of handoffs that a recall keeps shut with its sign and word first."""
    out = []
    for one in found:
        row = one.row
        if one.duty.entity in handoffs:
            row = InboxRow(
                state="recalled", subject=row.subject, what=f"recalled; {row.what}", gate=row.gate, checks=row.checks, age=row.age,
                section=row.section, key=row.key,
            )  # fmt: skip
        out.append(Entry(row, one.duty, one.project))
    return out


def rows(found: Sequence[Entry], *, mine_only: bool = False) -> list[InboxRow | HeadRow]:
    """Return the rows under their heads."""
    return with_heads([one.row for one in found if not mine_only or one.row.section == "needs"])


def summary(found: Sequence[Entry]) -> str:
    """Return the right end of the headline."""
    needs = sum(one.row.section == "needs" for one in found)
    return f"{needs} of {len(found)} need you" if needs else ""


def title(found: Sequence[Entry], due: str, *, mine_only: bool = False) -> str:
    """Return the left end of the headline: the filter, or that all is clear and what is due next."""
    if any(one.row.section == "needs" for one in found):
        return "only what needs you" if mine_only else "everything"
    return f"Nothing needs you. {due}" if due else "Nothing needs you."


def due(found: tuple[str, str] | None) -> str:
    """Return what comes next where nothing needs anybody: the next (date, model version) that is due, or what to do."""
    if found is None:
        return "No date is set. 2 lists the models, n there opens a handoff."
    return f"Next due: {clean(found[1])}, {clean(found[0])}."


def detail(entry: Entry | None, cells: int) -> list[Line]:
    """Return the lines below the list: the reason in words, and what Enter does."""
    if entry is None:
        return []
    duty = entry.duty
    lines: list[Line] = [[(f" {entry.row.subject}  ", "bold"), (entry.row.what, "")]]
    lines += [[("   " + clean(text), "")] for text in duty.detail[:2]]
    if len(duty.detail) > 3:
        lines[-1].append((f"   and {len(duty.detail) - 2} more", "dim"))
    elif len(duty.detail) == 3:
        lines.append([("   " + clean(duty.detail[2]), "")])
    what = ENTER.get(duty.kind, "opens the handoff" if duty.entity.startswith("handoff:") else "opens it")
    if len(lines) < 4:
        lines.append([("   ⏎ ", "key"), (what, "dim")])
    return lines


def first(found: Sequence[Entry], *, mine_only: bool = False) -> Entry | None:
    """Return the entry the cursor stands on at first."""
    for section in ("needs", "waiting", "recent"):
        for one in found:
            if one.row.section == section and (section == "needs" or not mine_only):
                return one
    return None


def frame(
    found: Sequence[tuple[ProjectRow, Duty]], now: int, glyphs: Glyphs, cells: int, due: str = ""
) -> frame_text.Inbox:
    """Return the inbox as the first frame paints it: all that the live screen shows before any key is pressed."""
    listed = entries(found, now)
    return frame_text.Inbox(
        rows(listed),
        title=title(listed, due),
        summary=summary(listed),
        detail=shown_lines(detail(first(listed), cells), glyphs),
        hints=[(key, verb, why_not(verb, first(listed)) or "") for key, verb, _ in frame_text.INBOX_HINTS],
    )


def why_not(action: str, entry: Entry | None) -> str | None:
    """Return why an action has no object in the row under the cursor; None where it has."""
    if action in ON_A_ROW and entry is None:
        return "nothing is listed"
    if entry is None or action not in ON_A_ROW:
        return None
    if action == "settle" and entry.duty.kind != "conflict":
        return "no conflict here"
    if action in ON_A_HANDOFF and not entry.duty.entity.startswith("handoff:"):
        return "that is no handoff"
    if action == "graph" and entry.duty.kind != "apart" and not entry.duty.entity.startswith(("handoff:", "question:")):
        return "it is about no node"
    if action == "sign" and entry.duty.kind == "conflict":
        return "a conflict is open, x settles it"
    return None


def shown_lines(lines: list[Line], glyphs: Glyphs) -> list[Line]:
    """Return lines with typographic signs replaced where the set of signs is ASCII."""
    return [[(glyphs.shown(text), style) for text, style in line] for line in lines]
