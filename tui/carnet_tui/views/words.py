"""Words and signs that several screens share: states of items, roles, instants, people, values of answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, Span, age, clean, fit

ITEM_STATES: Mapping[str, tuple[str, str]] = {
    "ok": ("done", "in order"),
    "open": ("open", "open"),
    "unknown": ("unknown", "unknown"),
    "incomplete": ("draft", "incomplete"),
    "answered": ("review", "to verify"),
    "failed": ("failed", "fails"),
    "disagreed": ("disagree", "disagreed"),
    "conflict": ("conflict", "conflict"),
    "waived": ("waived", "waived"),
    "na": ("n-a", "n/a"),
    "unconfirmed": ("question", "unconfirmed"),
    "expired": ("stale", "too old"),
    "outsider": ("failed", "not counted"),
}
"""State of an item -> (its name in `glyphs.STATES`, the word that lists use)."""

STAGE_SHORT: Mapping[str, str] = {"research": "res", "engineering": "eng", "operations": "ops", "production": "prod"}
VERDICT_STATE: Mapping[str, str] = {"abandoned": "n-a", "too new": "unknown"}


def item_state(state: str, glyphs: Glyphs) -> tuple[str, str, str]:
    """Return (sign, word, style) of an item's state."""
    name, word = ITEM_STATES.get(state, ("unknown", state))
    sign, _, style = glyphs.state(name)
    return sign, word, style


def gate_state(verdict: str, glyphs: Glyphs) -> tuple[str, str, str]:
    """Return (sign, word, style) of a gate's verdict."""
    sign, _, style = glyphs.state(VERDICT_STATE.get(verdict, verdict))
    return sign, verdict, style


def role(name: str) -> str:
    """Return a role as people say it."""
    return clean(name.replace("_", " "))


def crossing(from_stage: str, to_stage: str, *, short: bool = False) -> str:
    """Return a gate by its crossing: `research to engineering`, or short `res > eng`."""
    if short:
        return f"{stage_short(from_stage)} > {stage_short(to_stage)}"
    return f"{clean(from_stage)} to {clean(to_stage)}"


def stage_short(stage: str) -> str:
    """Return a stage in at most four letters."""
    return STAGE_SHORT.get(stage) or fit(clean(stage), 4, "")


def instant(ms: int) -> datetime:
    """Return a claimed time as an instant; what no calendar holds is shown as its first day."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def ago(ms: int, now: int) -> str:
    """Return how long ago `ms` was, short."""
    return age(instant(ms), instant(now))


def since(ms: int, now: int) -> str:
    """Return the same as part of a sentence: `2h ago`, `just now`."""
    short = ago(ms, now)
    return {"now": "just now", "ahead": "ahead of this clock"}.get(short, f"{short} ago")


def day(ms: int) -> str:
    """Return the day of an instant, `14 Nov 2026` (UTC, as everybody's)."""
    when = instant(ms)
    return f"{when.day} {when:%b %Y}"


def minute(ms: int) -> str:
    """Return day and minute, `14 Nov 2026 09:12 UTC`."""
    return f"{day(ms)} {instant(ms):%H:%M} UTC"


def count(number: int, one: str, many: str = "") -> str:
    """Return `1 item`, `3 items`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 3) -> str:
    """Return `ana, tom and 2 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def labelled(label: str, text: str, width: int = 9, style: str = "") -> Line:
    """Return a line with a dim label in a column of its own."""
    spans: list[Span] = [(f" {label:<{width}}", "dim"), (text, style)]
    return spans
