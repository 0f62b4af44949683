"""The review walk: progress, and the summary of drafts before they are submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, fit_line, pad


@dataclass(frozen=True, slots=True)
class Step:
    """One item of the walk: what is to be done, and the draft in words (empty while there is none). Cleaned texts."""

    item: str
    title: str
    task: str
    draft: str


def progress_line(title: str, steps: Sequence[Step], at: int, cells: int, glyphs: Glyphs) -> Line:
    """Return the line above the walk: a bar, how many are drafted, how many are to go."""
    done = sum(bool(step.draft) for step in steps)
    width = 16 if cells >= 60 else 4
    full = round(width * done / len(steps)) if steps else width
    bar: Line = [(glyphs["bar full"] * full, "accent"), (glyphs["bar empty"] * (width - full), "dim")]
    place = f"  {at + 1} of {len(steps)}" if at < len(steps) else "  summary"
    right: Line = [("  ", ""), *bar, (f"{place}, {len(steps) - done} to go ", "")]
    return both_ends([(" Review  ", "title"), (title, "bold")], right, cells, glyphs.ellipsis)


def summary_line(step: Step, cells: int, glyphs: Glyphs) -> Line:
    """Return one item of the summary."""
    name = 24 if cells >= 70 else max(10, cells // 3)
    sign, _, style = glyphs.state("draft" if step.draft else "open")
    said = step.draft or f"nothing yet: {step.task}"
    line: Line = [
        (f"{sign} ", style),
        (pad(step.item, name, "<", glyphs.ellipsis) + " ", "bold"),
        (said, "" if step.draft else "dim"),
    ]
    return fit_line(line, cells, glyphs.ellipsis)


def next_step(steps: Sequence[Step], at: int) -> int:
    """Return the next step without a draft after `at`, around the end; the number of steps when each has one."""
    for offset in range(1, len(steps) + 1):
        there = (at + offset) % len(steps)
        if not steps[there].draft:
            return there
    return len(steps)
