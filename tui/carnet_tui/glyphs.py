"""Signs and words of every state, and the names of the styles they wear.

Meaning is never colour alone: each state has a word, a sign of one cell and a style name. Two sets of signs: Unicode,
and plain ASCII for terminals and fonts that have no more. This module imports nothing of the UI toolkit.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STYLES: dict[str, tuple[str, int | None]] = {
    "": ("", None),
    "bold": ("1", None),
    "dim": ("2", None),
    "rule": ("2", None),
    "key": ("1", None),
    "title": ("1", None),
    "here": ("1;4", 6),
    "cursor": ("1", 6),
    "chosen": ("7", None),
    "chosen bold": ("1;7", None),
    "accent": ("1", 6),
    "ok": ("", 2),
    "warn": ("", 3),
    "bad": ("1", 1),
    "info": ("", 6),
    "demo": ("7", None),
}
"""Style name -> (SGR attributes, index among the terminal's own first eight colours or None for its default)."""


class State:
    """One state: the `word` a person reads, the `sign` (Unicode) and `plain` (ASCII) of one cell, the `style` name."""

    __slots__ = ("plain", "sign", "style", "word")

    def __init__(self, word: str, sign: str, plain: str, style: str) -> None:
        self.word = word
        self.sign = sign
        self.plain = plain
        self.style = style


STATES: dict[str, State] = {
    # answers
    "yes": State("yes", "✓", "+", "ok"),
    "no": State("no", "✗", "x", "bad"),
    "unknown": State("unknown", "?", "?", "warn"),
    "n-a": State("not applicable", "–", "-", "dim"),
    "open": State("open", "·", ".", ""),
    # verifications
    "agree": State("agree", "✓", "+", "ok"),
    "disagree": State("disagree", "✗", "x", "bad"),
    # evidence, weakest first
    "asserted": State("asserted", "○", "o", "dim"),
    "recorded": State("recorded, not run here", "◐", "r", ""),
    "checked here": State("checked here", "●", "c", "ok"),
    "re-executed": State("re-executed by another", "◉", "@", "ok"),
    # gates
    "blocked": State("blocked", "✗", "x", "bad"),
    "conditional": State("conditional", "~", "~", "warn"),
    "ready": State("ready", "◆", "#", "accent"),
    "passed": State("passed", "✓", "+", "ok"),
    "stale": State("stale", "↻", "@", "warn"),
    "returned": State("returned", "↩", "<", "warn"),
    "overridden": State("overridden", "‼", "!", "bad"),
    # sign-offs
    "fresh": State("fresh", "✓", "+", "ok"),
    # what needs somebody
    "conflict": State("conflict", "!", "!", "bad"),
    "question": State("question", "?", "?", "info"),
    "review": State("review", "»", "%", "accent"),
    "answer": State("answer", "›", ">", "accent"),
    "seal": State("seal", "◇", "o", "accent"),
    "sign": State("sign", "✎", "s", "accent"),
    "admit": State("admit", "+", "+", "accent"),
    "waiting": State("waiting", "·", ".", "dim"),
    "draft": State("draft", "~", "~", "info"),
    "proposed": State("proposed", "◔", "p", "info"),
    "waived": State("waived", "≈", "w", "warn"),
    "done": State("done", "✓", "+", "ok"),
    "failed": State("failed", "✗", "x", "bad"),
    # what a recall says of a node, and of all that came of it
    "recalled": State("recalled", "⊘", "X", "bad"),
    "tainted": State("tainted", "⊖", "T", "bad"),
    "cycle": State("closes a cycle", "↺", "@", "bad"),
    "gate": State("gate open", "◇", "o", "accent"),
    "verified": State("verified", "●", "*", "ok"),
    "unverified": State("not verified", "○", "o", "bad"),
}
"""Every state by the name it has in the record; `state` finds it."""

_UNKNOWN_STATE = State("?", "?", "?", "warn")

# Signs that are no state: furniture of the screens.
UNICODE = {
    "cursor": "▌",
    "ellipsis": "…",
    "rule": "─",
    "here": "◆",
    "ahead": "◇",
    "between": "·",
    "track": "─",
    "track done": "━",
    "down": "▾",
    "right": "▸",
    "up arrow": "↑",
    "down arrow": "↓",
    "above": "▲",
    "below": "▼",
    "left arrow": "←",
    "right arrow": "→",
    "enter": "⏎",
    "bar full": "█",
    "bar empty": "░",
    "mark": "▪",
    "to": "›",
}
ASCII = {
    "cursor": ">",
    "ellipsis": "...",
    "rule": "-",
    "here": "#",
    "ahead": "o",
    "between": ".",
    "track": "-",
    "track done": "=",
    "down": "v",
    "right": ">",
    "up arrow": "^",
    "down arrow": "v",
    "above": "^",
    "below": "v",
    "left arrow": "<",
    "right arrow": ">",
    "enter": "enter",
    "bar full": "#",
    "bar empty": ".",
    "mark": "*",
    "to": ">",
}


class Glyphs:
    """One set of signs. `plain` is True for ASCII."""

    __slots__ = ("_signs", "plain")

    def __init__(self, plain: bool) -> None:
        self.plain = plain
        self._signs = ASCII if plain else UNICODE

    def __getitem__(self, name: str) -> str:
        return self._signs[name]

    @property
    def ellipsis(self) -> str:
        """The sign for "more was cut off"."""
        return self._signs["ellipsis"]

    def state(self, name: str) -> tuple[str, str, str]:
        """Return (sign, word, style name) of a state; a state nobody knows reads `?` and its own name."""
        known = STATES.get(name)
        if known is None:
            return _UNKNOWN_STATE.sign, name, _UNKNOWN_STATE.style
        return known.plain if self.plain else known.sign, known.word, known.style

    def shown(self, text: str) -> str:
        """Return `text` of our own with its typographic signs replaced where the set is ASCII."""
        if not self.plain or text.isascii():
            return text
        for name, sign in UNICODE.items():
            text = text.replace(sign, ASCII[name])
        return text


def choose(environ: Mapping[str, str] | None = None, configured: str = "") -> Glyphs:
    """Return the set for this terminal.

    `CARNET_GLYPHS` (`ascii` or `unicode`) wins over `configured` (the same words from the configuration); without
    either, a Linux console, a dumb terminal and a locale that is not UTF-8 get ASCII.
    """
    env = os.environ if environ is None else environ
    wish = env.get("CARNET_GLYPHS") or configured
    if wish in ("ascii", "unicode"):
        return Glyphs(plain=wish == "ascii")
    if env.get("TERM", "") in ("linux", "dumb"):
        return Glyphs(plain=True)
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    # An unset or C locale says nothing: Python itself then speaks UTF-8 (PEP 538, 540).
    told = locale.partition(".")[2].lower().replace("-", "")
    return Glyphs(plain=bool(told) and not told.startswith("utf8"))


def sgr(style: str, colour: bool = True) -> str:
    """Return the escape sequence that starts `style` from a reset state; without `colour` only its attributes."""
    attributes, index = STYLES[style]
    codes = [attributes] if attributes else []
    if colour and index is not None:
        codes.append(str(30 + index))
    return f"\x1b[{';'.join(codes)}m" if codes else ""
