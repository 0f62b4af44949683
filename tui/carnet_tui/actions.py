"""The one table of keys and actions.

A behaviour that is not a row here can neither be bound to a key, nor stand in a footer, in help or in the command
palette, nor be printed by `carnet keys`. One key means one verb on every screen. Screens say which contexts they are
(`where`) and implement the verbs they offer; the rest is read from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from carnet_tui import frame_text

if TYPE_CHECKING:
    from textual.binding import Binding, BindingType

Weight = Literal["none", "draft", "record", "signoff"]
Group = Literal["act", "look", "go", "move", "place", "app"]

EVERYWHERE = ("everywhere",)
SUBJECT = ("handoff", "item", "model", "entity", "decision", "question")
LISTS = (
    "inbox", "models", "handoff", "lineage", "decisions", "timeline", "exchange", "import", "people", "conflict", "picker",
    "catalogue", "notebook",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One verb a person can do."""

    id: str
    """Stable name; the configuration binds keys by it."""
    keys: tuple[str, ...]
    """Default keys by the names of the terminal toolkit; empty for what only the palette and menus offer."""
    verb: str
    """One or two words for the footer."""
    help: str
    """A whole sentence for help and `carnet keys`."""
    where: tuple[str, ...]
    """Contexts that offer it, or `everywhere`."""
    group: Group
    weight: Weight = "none"
    """What it costs: a private draft, a record after a preview, or a sign-off that asks for the digest."""


@dataclass(frozen=True, slots=True)
class Place:
    """A screen one reaches by a digit from anywhere."""

    id: str
    key: str
    title: str


PLACES: tuple[Place, ...] = tuple(Place(*place) for place in frame_text.PLACES)


def _act(
    name: str, key: str, verb: str, sentence: str, where: tuple[str, ...], group: Group, weight: Weight = "none"
) -> Action:
    return Action(name, tuple(key.split()), verb, sentence, where, group, weight)


_ANSWERING = ("handoff", "item", "review")
_ABOUT = (*SUBJECT, "inbox", "review", "lineage", "decisions", "timeline", "conflict")

ACTIONS: tuple[Action, ...] = (
    # What changes the record. Order here is order in the footer: most useful first.
    _act("open", "enter", "open", "Open what the cursor is on; on an item, do what it waits for.",
         (*LISTS, *SUBJECT, "review"), "go"),
    _act("answer", "a", "answer", "Answer this item: yes, no, unknown or not applicable.",
         (*_ANSWERING, "conflict"), "act", "draft"),
    _act("verify", "v", "verify", "Agree or disagree with the answer given.", _ANSWERING, "act", "draft"),
    _act("settle", "x", "settle", "Settle a conflict between two answers.",
         (*_ANSWERING, "inbox", "conflict"), "act", "record"),
    _act("review", "r", "review", "Go through the items that need you, one after another.",
         ("inbox", "handoff", "item", "model"), "act"),
    _act("sign", "s", "sign", "Sign the package off as it stands.",
         ("inbox", "handoff", "review", "item"), "act", "signoff"),
    _act("waive", "w", "waive", "Waive this item until a day, with a reason.", _ANSWERING, "act", "signoff"),
    _act("question", "q", "question", "Ask a question about this.", _ABOUT, "act", "record"),
    _act("comment", "c", "comment", "Write a comment on this.", _ABOUT, "act", "record"),
    _act("new", "n", "new", "Make a new one of what this screen lists.",
         ("models", "decisions", "handoff", "exchange", "lineage", "people"), "act", "record"),
    _act("seal", "", "seal", "Seal the package: from here on everybody means the same bytes.",
         ("handoff",), "act", "record"),
    _act("edit", "e ctrl+g", "edit", "Write the text in your editor; in a catalogue entry, set this field.",
         (*_ANSWERING, "decision", "question", "prompt", "catalogue"), "act", "draft"),
    _act("edit_all", "E", "edit all", "Open all my open items as one document in your editor.",
         ("handoff", "item", "review", "inbox"), "act", "draft"),
    _act("submit", "", "submit", "Write all drafts as one batch.", ("review", "handoff"), "act", "record"),
    _act("take_proposals", "", "take proposals", "Take what the record says: answer all open items of mine that it answers, after a look.",
         ("handoff", "item"), "act", "record"),
    _act("undo", "u", "undo", "Take back my last draft, or retract my last record that nobody else has.",
         EVERYWHERE, "act", "draft"),
    _act("rescue", "!", "rescue", "Recall this: all that came of it is tainted, its gates shut; or lift the recall.",
         ("models", "model", "inbox", "lineage"), "act", "signoff"),
    # In sheets, where letters are text.
    _act("done", "ctrl+d", "done", "End the text or the table, and go on with it.", ("prompt", "table"), "act"),
    _act("row_add", "ctrl+n", "add row", "Add a row to the table.", ("table",), "act"),
    _act("row_remove", "ctrl+r", "remove row", "Remove this row of the table.", ("table",), "act"),
    # Verbs that menus and the palette offer; they need no letter.
    _act("reply", "", "reply", "Reply to this question, or in this thread.",
         ("question", "decisions", "inbox", "notebook"), "act", "record"),
    _act("resolve", "", "resolve", "Settle this thread: what the annotation asked for is done.", ("notebook",), "act", "record"),
    _act("close", "", "close", "Close my question: the replies answer it, or I withdraw it.",
         ("question", "decisions"), "act", "record"),
    _act("edge", "", "add edge", "Say that this used, made or comes from another.", ("lineage",), "act", "record"),
    _act("link", "", "attach", "Attach a file or an entity to this item.", _ANSWERING, "act", "record"),
    _act("finding", "", "finding", "Raise a finding: something wrong with this item.", _ANSWERING, "act", "record"),
    _act("close_finding", "", "close finding", "Close a finding of mine on this item, and say how it was settled.",
         _ANSWERING, "act", "record"),
    _act("assign", "", "assign", "Ask somebody to answer or to verify this.", ("handoff", "item"), "act", "record"),
    _act("return", "", "return", "Return the handoff to its givers, with a reason for each item.",
         ("handoff", "review"), "act", "signoff"),
    _act("custody", "", "custody", "Offer, accept or refuse custody of the model.",
         ("handoff", "inbox"), "act", "signoff"),
    _act("withdraw", "", "withdraw", "Sign in place of my sign-off that stands: a refusal withdraws it.", ("handoff",), "act", "signoff"),
    _act("override", "", "override", "Pass a blocked gate by a named authority's decision.",
         ("handoff",), "act", "signoff"),
    _act("repack", "", "repack", "Move the handoff to another pack, tier or facts; answers stay where the items do.",
         ("handoff",), "act", "record"),
    _act("confirm", "", "confirm", "Confirm with my own key what was typed for me.",
         ("inbox", "item", "handoff", "decision", "decisions"), "act", "record"),
    _act("export", "", "export", "Write a bundle for another team.",
         ("exchange", "handoff", "models"), "act", "record"),
    _act("import", "", "import", "Open a bundle: see its plan, then take it in.",
         ("exchange", "inbox"), "act", "record"),
    _act("apply", "", "apply", "Take in what the plan shows.", ("import",), "act", "record"),
    _act("capture", "", "take in", "Take in what other tools recorded in a folder: MLflow, DVC, git and others; the plan first.",
         EVERYWHERE, "act", "record"),
    _act("invite", "", "invite", "Invite a person to this project.", ("exchange", "people"), "act", "record"),
    _act("admit", "", "admit", "Accept an invitation, or confirm somebody's request to join.",
         ("exchange", "inbox", "people"), "act", "record"),
    # Looking.
    _act("difference", "d", "difference", "Show what changed since my last signature; how this differs from the marked one.",
         ("inbox", "handoff", "item", "review", "model", "sign", "lineage"), "look"),
    _act("evidence", "o", "evidence", "Open the evidence of this item.", (*_ANSWERING, "timeline", "entity"), "look"),
    _act("graph", "g", "graph", "Show where this came from and what uses it.", _ABOUT, "look"),
    _act("timeline", "t", "timeline", "Show what happened to this, newest first.", _ABOUT, "look"),
    _act("impact", "i", "impact", "Show which gates and models a change here would touch.",
         ("lineage", "entity", "model", "item"), "look"),
    _act("mark", "m", "mark", "Mark this, to compare or connect it with another.",
         ("lineage", "timeline", "models"), "look"),
    _act("between", "b", "between", "Show the path between the marked one and this one.",
         ("lineage", "entity"), "look"),
    _act("mine", "f", "mine/all", "Show only what is mine, or everything.", (*LISTS, "review"), "look"),
    _act("find", "/", "find", "Filter this list while you type.", LISTS, "look"),
    _act("copy", "y", "copy", "Copy the code, the digest, the line or the command of this.", EVERYWHERE, "look"),
    _act("check", "", "verify record", "Verify the whole record again, from the bytes on disk.",
         ("timeline", "exchange"), "look"),
    _act("raw", "", "exact bytes", "Show the signed bytes of this event.", ("timeline", "import"), "look"),
    # Going.
    _act("leave", "escape", "back", "Leave; nothing typed is lost. At the top: quit, asking if drafts exist.",
         EVERYWHERE, "go"),
    _act("back", "[", "back", "Go back to where you were.", EVERYWHERE, "go"),
    _act("forward", "]", "forward", "Go forward again.", EVERYWHERE, "go"),
    _act("next_pane", "tab", "next pane", "Go to the next pane or tab.", EVERYWHERE, "go"),
    _act("previous_pane", "shift+tab", "previous pane", "Go to the previous pane or tab.", EVERYWHERE, "go"),
    # Moving.
    _act("up", "up k", "up", "Move up.", EVERYWHERE, "move"),
    _act("down", "down j", "down", "Move down.", EVERYWHERE, "move"),
    _act("left", "left h", "left", "Move left.", EVERYWHERE, "move"),
    _act("right", "right l", "right", "Move right.", EVERYWHERE, "move"),
    _act("page_up", "pageup", "page up", "Move one page up.", EVERYWHERE, "move"),
    _act("page_down", "pagedown", "page down", "Move one page down.", EVERYWHERE, "move"),
    _act("first", "< home", "first", "Go to the first row.", EVERYWHERE, "move"),
    _act("last", "> end", "last", "Go to the last row.", EVERYWHERE, "move"),
    # The program.
    _act("identity", "@", "who am I", "Show the identities at hand and choose one.", EVERYWHERE, "app"),
    _act("help", "? f1", "help", "Show the keys that work here; type to filter, Enter does it.", EVERYWHERE, "app"),
    _act("palette", ":", "command", "Do anything by name; go to any place or code.", EVERYWHERE, "app"),
    _act("people", "", "people", "See who belongs to this project, who waits to join; invite and admit.", EVERYWHERE, "app"),
    _act("lock", "", "lock", "Forget the passphrase of my key now.", EVERYWHERE, "app"),
    _act("quit", "ctrl+c", "quit", "Quit; drafts stay.", EVERYWHERE, "app"),
    *(
        _act(f"place_{place.id}", place.key, place.title, f"Go to {place.title}.", EVERYWHERE, "place")
        for place in PLACES
    ),
)  # fmt: skip

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}
_SAFE_CONTROL = frozenset("abdefgklnoprtuvwxy")
_SAFE_NAMED = frozenset(
    ("enter", "escape", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pageup", "pagedown")
) | {"backspace", "delete", "insert", "space", *(f"f{number}" for number in range(1, 13))}
_SIGNS_AS_NAMES = {
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "/": "slash",
    ":": "colon",
    "?": "question_mark",
    "!": "exclamation_mark",
    "@": "at",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "-": "minus",
    "_": "underscore",
    "+": "plus",
    ".": "full_stop",
    ",": "comma",
    "=": "equals_sign",
    "*": "asterisk",
    "#": "number_sign",
    "%": "percent_sign",
    "&": "ampersand",
    "'": "apostrophe",
    '"': "quotation_mark",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    ";": "semicolon",
    "\\": "backslash",
    "^": "circumflex_accent",
    "`": "grave_accent",
    "{": "left_curly_bracket",
    "|": "vertical_line",
    "}": "right_curly_bracket",
    "~": "tilde",
    "$": "dollar_sign",
}


def portable(key: str) -> bool:
    """Return whether every terminal can send this key as itself (through tmux and ssh too).

    A single printable ASCII character, a named key, or control with a letter that is not another key's byte (h, i, j,
    m) and not flow control or suspend (q, s, z). `ctrl+c` is the interrupt, and only ever quits.
    """
    if len(key) == 1:
        return key.isascii() and key.isprintable() and key != " "
    if key in _SAFE_NAMED or key == "ctrl+c":
        return True
    start, plus, letter = key.partition("+")
    return start == "ctrl" and bool(plus) and letter in _SAFE_CONTROL


def toolkit_key(key: str) -> str:
    """Return the name under which the terminal toolkit reports `key`."""
    return _SIGNS_AS_NAMES.get(key, key)


_SHOWN = {"escape": "esc", "pageup": "pgup", "pagedown": "pgdn", "shift+tab": "shift+tab", "delete": "del"}


def shown_key(key: str, enter: str = "⏎") -> str:
    """Return `key` as footers and help write it."""
    return enter if key == "enter" else _SHOWN.get(key, key)


@dataclass(frozen=True, slots=True)
class Keymap:
    """Which keys do what, after a person's configuration."""

    keys: Mapping[str, tuple[str, ...]]
    """Action id -> keys, the shown one first."""
    problems: tuple[str, ...] = ()
    """What is wrong with the configuration, a sentence each. A row with a problem keeps its default keys."""

    def of(self, action_id: str) -> tuple[str, ...]:
        """Return the keys of an action, empty where it has none."""
        return self.keys.get(action_id, ())

    def first(self, action_id: str) -> str:
        """Return the key to show for an action, or an empty text."""
        keys = self.of(action_id)
        return keys[0] if keys else ""


def keymap(configured: Mapping[str, object] | None = None) -> Keymap:
    """Return the keys in force: the table's, changed by `configured` (action id -> key, or keys parted by blanks).

    A wish is refused, with a sentence in `problems`, when it names no action, is not portable, or clashes: two verbs
    on one key.
    """
    keys = {action.id: action.keys for action in ACTIONS}
    problems: list[str] = []
    wishes: dict[str, tuple[str, ...]] = {}
    for name, value in (configured or {}).items():
        if name not in BY_ID:
            problems.append(f"keys: there is no action {name!r}; `carnet keys` lists them.")
            continue
        if not isinstance(value, str):
            problems.append(f"keys: {name} needs a text such as 'a' or 'ctrl+e', not {value!r}.")
            continue
        wish = tuple(value.split())
        strange = [key for key in wish if not portable(key)]
        if strange:
            problems.append(f"keys: {strange[0]!r} for {name} does not reach a program through every terminal.")
            continue
        wishes[name] = wish
    keys.update(wishes)
    for key, names in _clashes(keys):
        if wished := [name for name in names if name in wishes]:
            both = " and ".join(names)
            problems.append(f"keys: {key!r} would mean both {both}; the wish for {wished[-1]} is not taken.")
            for name in wished:
                keys[name] = BY_ID[name].keys
    if _clashes(keys):  # undoing one wish may have freed a key that another took
        keys = {action.id: action.keys for action in ACTIONS}
        problems.append("keys: these wishes clash with each other; the keys are as delivered.")
    return Keymap(keys, tuple(problems))


def _clashes(keys: Mapping[str, Sequence[str]]) -> list[tuple[str, list[str]]]:
    users: dict[str, list[str]] = {}
    for name, own in keys.items():
        for key in own:
            users.setdefault(key, []).append(name)
    return [(key, names) for key, names in users.items() if len(names) > 1]


def offered(where: Sequence[str]) -> list[Action]:
    """Return the actions of these contexts and of everywhere, in the order of the table."""
    here = {*where, *EVERYWHERE}
    return [action for action in ACTIONS if not here.isdisjoint(action.where)]


def binding(action_id: str, call: str, *, priority: bool = False) -> Binding:
    """Return the toolkit's binding of an action to `call`, under the action's own id so that a keymap can change it."""
    from textual.binding import Binding

    keys = ",".join(toolkit_key(key) for key in BY_ID[action_id].keys)
    return Binding(keys, call, BY_ID[action_id].verb, show=False, priority=priority, id=action_id)


def move_bindings(*names: str) -> list[BindingType]:
    """Return the bindings of moving verbs for a widget that has `action_move(name)`."""
    return [binding(name, f"move('{name}')") for name in names]
