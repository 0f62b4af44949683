"""The furniture of every screen as pure functions: header, tabs, rules, status, footer, and the whole inbox frame.

The first frame is these lines written to the terminal; the live widgets render the same lines. Nothing here imports
the UI toolkit, and nothing here reads a clock or a file. A screen, top to bottom:

    header · tabs · rule · content · rule (says DEMO in a demo store) · status · footer

Under 60 columns or 16 rows there are only header, content and footer.
"""

from __future__ import annotations

from carnet_tui.glyphs import Glyphs
from carnet_tui.rows import HeadRow, InboxRow, inbox_line
from carnet_tui.text import Line, both_ends, fit, fit_line, line_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

Hint = tuple[str, str, str]
"""A key of the footer: key as shown, verb, and why it does not work now (empty when it does)."""

PLACES: tuple[tuple[str, str, str], ...] = (
    ("inbox", "1", "Inbox"),
    ("models", "2", "Models"),
    ("lineage", "3", "Lineage"),
    ("decisions", "4", "Decisions"),
    ("timeline", "5", "Timeline"),
    ("exchange", "6", "Exchange"),
)
"""Places in this release: id, digit, title."""

INBOX_HINTS: tuple[Hint, ...] = (
    ("⏎", "open", ""),
    ("r", "review", ""),
    ("s", "sign", ""),
    ("q", "question", ""),
    ("/", "find", ""),
    (":", "command", ""),
    ("?", "help", ""),
)
"""The footer of the inbox while nothing is blocked and no key was changed."""

NARROW, LOW = 60, 16
KEYS_WHEN_COMPACT = 3
REASON_CELLS = 28


class Chrome:
    """What the furniture says. All texts are cleaned already."""

    __slots__ = ("crumb", "demo", "place", "product", "status", "steps", "trust", "who", "working")

    def __init__(
        self,
        *,
        crumb: str = "",
        who: str = "",
        trust: str = "",
        place: str = "inbox",
        status: str = "",
        demo: str = "",
        steps: Sequence[tuple[str, str]] = (),
        product: str = "Carnet",
        working: bool = False,
    ) -> None:
        self.product = product
        self.crumb = crumb
        """Where one is: `acme-risk / churn-v7`."""
        self.who = who
        """`ana@research`."""
        self.trust = trust
        """State of the record: `verified`, `unverified`, or empty while nobody has looked."""
        self.place = place
        """Id of the place one is in, or below."""
        self.status = status
        """The last result as a sentence, or what goes on at the moment."""
        self.working = working
        """Whether something goes on at the moment."""
        self.demo = demo
        """In a demo store: as whom and on which day; empty elsewhere."""
        self.steps = tuple(steps)
        """The demo's steps: a word each, and its state (`done`, `ready`, `open`)."""


def compact(cells: int, lines: int) -> bool:
    """Return whether a terminal of this size gets one list and three keys."""
    return cells < NARROW or lines < LOW


def content_lines(cells: int, lines: int) -> int:
    """Return how many lines a screen has for its content."""
    return max(1, lines - (2 if compact(cells, lines) else 6))


def header(chrome: Chrome, cells: int, glyphs: Glyphs, small: bool = False) -> Line:
    """Return the top line: product, where one is, who one is, whether the record was verified."""
    left: Line = [(f" {chrome.product}  ", "title"), (chrome.crumb, "")]
    right: Line = []
    if small and chrome.demo:
        right.append((" DEMO ", "demo"))
    if chrome.who:
        right.append((f"  {chrome.who}", ""))
    if chrome.trust:
        sign, word, style = glyphs.state(chrome.trust)
        right.append((f"  {sign}" if small else f"  {sign} {word}", style))
    if right:
        right.append((" ", ""))
    return both_ends(left, right, cells, glyphs.ellipsis)


def tabs(place: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the places with their digits, the current one marked; digits alone where the titles find no room."""
    full: Line = [(" ", "")]
    short: Line = [(" ", "")]
    for name, key, title in PLACES:
        here = name == place
        full += [(f"{key} ", "dim" if not here else "here"), (title, "here" if here else ""), ("  ", "")]
        short += [(f"{key} {title}", "here") if here else (key, ""), ("  ", "")]
    return fit_line(full[:-1] if line_width(full[:-1]) <= cells else short[:-1], cells, glyphs.ellipsis)


def rule(cells: int, glyphs: Glyphs) -> Line:
    """Return a thin line across the screen."""
    return [(glyphs["rule"] * cells, "rule")]


def lower_rule(chrome: Chrome, cells: int, glyphs: Glyphs) -> Line:
    """Return the rule above the status line; in a demo store it says so, as whom, on which day, and how far one is."""
    if not chrome.demo:
        return rule(cells, glyphs)
    line = glyphs["rule"]
    said = fit(chrome.demo, max(8, cells - 12), glyphs.ellipsis)
    left: Line = [(line * 2, "rule"), (" DEMO ", "demo"), (f" {said} ", "")]
    room = cells - line_width(left) - 4
    right: Line = []
    for words in ("all", "current", "none"):  # the fullest strip that fits
        right = _steps(chrome, words, glyphs)
        if line_width(right) <= room:
            break
    fill = cells - line_width(left) - line_width(right)
    return fit_line([*left, (line * max(fill, 0), "rule"), *right], cells, glyphs.ellipsis)


def _steps(chrome: Chrome, words: str, glyphs: Glyphs) -> Line:
    out: Line = []
    for word, name in chrome.steps if words != "none" else ():
        sign, _, style = glyphs.state(name)
        out.append((f" {sign}", style))
        if words == "all" or name == "ready":
            out.append((f" {word}", "bold" if name == "ready" else "dim"))
    return [*out, (" ", ""), (glyphs["rule"] * 2, "rule")] if out else out


def status(chrome: Chrome, cells: int, glyphs: Glyphs) -> Line:
    """Return the line that repeats the last result as a sentence."""
    return fit_line([(" ", ""), (chrome.status, "")], cells, glyphs.ellipsis)


def footer(hints: Sequence[Hint], cells: int, glyphs: Glyphs, most: int = 0) -> Line:
    """Return the keys that work here, most useful first; as many as fit, never half a key.

    The last hint (help) keeps its room at any width. A key that does not work now stands with its reason. `most`
    limits their number, 0 means as many as fit.
    """
    if not hints:
        return fit_line([], cells)
    *rest, last = hints
    end = _hint(last, glyphs, 2)
    room = cells - 1 - line_width(end)
    line: Line = [(" ", "")]
    shown = 1
    for hint in rest:
        if most and shown >= most:
            break
        piece = _hint(hint, glyphs, REASON_CELLS)
        if line_width(piece) + 2 > room:
            continue
        line += [*piece, ("  ", "")]
        room -= line_width(piece) + 2
        shown += 1
    return fit_line([*line, *end], cells, glyphs.ellipsis)


def _hint(hint: Hint, glyphs: Glyphs, reason_cells: int) -> Line:
    key, verb, reason = hint
    key = glyphs.shown(key)
    if reason:
        return [(f"{key} {verb} [{fit(reason, reason_cells, glyphs.ellipsis)}]", "dim")]
    return [(key, "key"), (f" {verb}", "")]


def marked(line: Line, glyphs: Glyphs, *, chosen: bool, focused: bool = True) -> Line:
    """Return a row behind the cell of the cursor mark; the chosen row is reversed while its list has the focus."""
    if not chosen:
        return [(" ", ""), *line]
    mark = (glyphs["cursor"], "cursor")
    if not focused:
        return [mark, *((text, "bold") for text, _ in line)]
    strong = ("bold", "title", "accent", "bad")
    return [mark, *((text, "chosen bold" if style in strong else "chosen") for text, style in line)]


def inbox_parts(cells: int, lines: int) -> tuple[int, int, int]:
    """Return how many content lines the inbox gives to its headline, its list, and the detail (its rule counted)."""
    content = content_lines(cells, lines)
    if compact(cells, lines):
        return 0, content, 0
    detail = 5 if content >= 14 else 0
    return 1, content - 1 - detail, detail


class Inbox:
    """What the inbox shows before any key is pressed. All texts are cleaned already."""

    __slots__ = ("detail", "hints", "rows", "summary", "title")

    def __init__(
        self,
        rows: Sequence[InboxRow | HeadRow],
        *,
        title: str = "",
        summary: str = "",
        detail: Sequence[Line] = (),
        hints: Sequence[Hint] = INBOX_HINTS,
    ) -> None:
        self.rows = tuple(rows)
        """The first rows; as many as a screen can show is enough."""
        self.title = title
        """Left end of the headline: the filter in force."""
        self.summary = summary
        """Right end of the headline: `7 of 41 need you`."""
        self.detail = tuple(detail)
        """Lines about the first row that the cursor can stand on."""
        self.hints = tuple(hints)


def headline(title: str, summary: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the line above a list: its filter at the left, its count at the right."""
    return both_ends([(f" {title}", "dim")], [(f"{summary} ", "")] if summary else [], cells, glyphs.ellipsis)


def inbox_frame(chrome: Chrome, inbox: Inbox, cells: int, lines: int, glyphs: Glyphs) -> tuple[list[Line], int]:
    """Return all lines of the inbox screen and the number of the line where the cursor stands."""
    small = compact(cells, lines)
    head, listed, detail = inbox_parts(cells, lines)
    out = [header(chrome, cells, glyphs, small)]
    if not small:
        out += [tabs(chrome.place, cells, glyphs), rule(cells, glyphs)]
    if head:
        out.append(headline(inbox.title, inbox.summary, cells, glyphs))
    first = next((at for at, row in enumerate(inbox.rows) if isinstance(row, InboxRow)), -1)
    top = len(out)
    for at in range(listed):
        if at < len(inbox.rows):
            line = inbox_line(inbox.rows[at], cells - 1, glyphs)
            out.append(fit_line(marked(line, glyphs, chosen=at == first), cells))
        else:
            out.append([(" " * cells, "")])
    if detail:
        out.append(rule(cells, glyphs))
        for at in range(detail - 1):
            out.append(fit_line(inbox.detail[at] if at < len(inbox.detail) else [], cells, glyphs.ellipsis))
    if small:
        out.append(footer(inbox.hints, cells, glyphs, KEYS_WHEN_COMPACT))
    else:
        out += [lower_rule(chrome, cells, glyphs), status(chrome, cells, glyphs), footer(inbox.hints, cells, glyphs)]
    return out, top + max(first, 0)
