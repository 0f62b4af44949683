"""The one table of keys: one letter one verb, portable, complete, and changed only as far as it stays so."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from carnet_tui import actions, frame_text
from carnet_tui.actions import ACTIONS, BY_ID, keymap, portable

# TUI.md section 0.1, in its words; digits are places only.
LETTERS = {
    "a": "answer", "v": "verify", "s": "sign", "q": "question", "c": "comment", "d": "difference", "w": "waive",
    "g": "graph", "t": "timeline", "x": "settle", "y": "copy", "e": "edit", "E": "edit_all", "n": "new", "r": "review",
    "o": "evidence", "u": "undo", "i": "impact", "b": "between", "m": "mark", "!": "rescue", "@": "identity", "f": "mine",
    "/": "find", ":": "palette", "?": "help",
}  # fmt: skip
MOVING = {"h", "j", "k", "l", "<", ">", "[", "]"}


def test_one_key_one_verb() -> None:
    """No key means two things, on any screen."""
    users = Counter(key for action in ACTIONS for key in action.keys)
    assert [key for key, count in users.items() if count > 1] == []


def test_letters_are_those_agreed() -> None:
    """Each letter does what the design says, and there is no other letter."""
    by_key = {key: action.id for action in ACTIONS for key in action.keys}
    assert {key: by_key.get(key) for key in LETTERS} == LETTERS
    single = {key for key in by_key if len(key) == 1}
    assert single - set(LETTERS) - MOVING == {place.key for place in actions.PLACES}


def test_digits_are_places_only() -> None:
    """Digits 1 to 6 are the places of this release, in order."""
    assert [(place.key, place.title) for place in actions.PLACES] == [
        ("1", "Inbox"), ("2", "Models"), ("3", "Lineage"), ("4", "Decisions"), ("5", "Timeline"), ("6", "Exchange"),
    ]  # fmt: skip
    assert all(action.group == "place" for action in ACTIONS for key in action.keys if key.isdigit())


def test_keys_are_portable() -> None:
    """A plain terminal can send every key."""
    assert [key for action in ACTIONS for key in action.keys if not portable(key)] == []
    for key in ("ctrl+enter", "alt+x", "ctrl+i", "ctrl+m", "ctrl+h", "ctrl+j", "ctrl+space", "ctrl+1", "ctrl+s", "é"):
        assert not portable(key), key


def test_rows_are_whole() -> None:
    """Ids differ, words are short, help is a sentence, a context is named."""
    assert len(BY_ID) == len(ACTIONS)
    for action in ACTIONS:
        assert re.fullmatch(r"[a-z_0-9]+", action.id)
        assert 0 < len(action.verb) <= 14
        assert action.help[0].isupper() and action.help.endswith(".")
        assert action.where


def test_what_others_see_is_never_one_key() -> None:
    """Sign-off, custody, waiver, override and recall ask for the digest."""
    for name in ("sign", "waive", "custody", "override", "return", "withdraw", "rescue"):
        assert BY_ID[name].weight == "signoff"
    assert {BY_ID[name].weight for name in ("answer", "verify", "undo")} == {"draft"}
    assert {BY_ID[name].weight for name in ("question", "comment", "settle", "import", "export")} == {"record"}


def test_every_key_has_a_toolkit_name() -> None:
    """Signs are bound by the names under which the toolkit reports them."""
    from textual.keys import _character_to_key

    for action in ACTIONS:
        for key in action.keys:
            if len(key) == 1:
                assert actions.toolkit_key(key) == _character_to_key(key)


def test_own_keys() -> None:
    """A person's keys replace the table's."""
    made = keymap({"answer": "z", "sign": "ctrl+g S", "edit": "e"})
    assert made.problems == ()
    assert (made.first("answer"), made.of("sign"), made.of("edit")) == ("z", ("ctrl+g", "S"), ("e",))
    assert made.of("verify") == ("v",)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"answer": "v"}, "both answer and verify"),
        ({"answer": "ctrl+i"}, "does not reach"),
        ({"anser": "z"}, "no action 'anser'"),
        ({"answer": 3}, "needs a text"),
        ({"answer": "z", "verify": "z"}, "both answer and verify"),
    ],
)
def test_bad_wishes_are_told_and_not_taken(wish: dict[str, object], said: str) -> None:
    """A clash, an unknown action, a key that is not portable: said in words; the keys stay as delivered."""
    made = keymap(wish)
    assert said in made.problems[0]
    assert made.keys == keymap().keys


def test_swapped_keys_do_not_clash() -> None:
    """Two wishes that trade their keys are fine."""
    made = keymap({"answer": "v", "verify": "a"})
    assert made.problems == ()
    assert (made.first("answer"), made.first("verify")) == ("v", "a")


def test_screens_bind_no_key_of_their_own() -> None:
    """Outside sheets, no source file of a screen binds a key by itself: the table does."""
    root = Path(actions.__file__).parent
    for path in [
        *(root / "screens").glob("*.py"),
        root / "base.py",
        root / "screen.py",
        root / "widgets" / "chrome.py",
    ]:
        assert not re.search(r"\bBinding\(|def key_", path.read_text()), path.name


def test_first_frame_shows_the_keys_of_the_table() -> None:
    """The early footer of the inbox names keys and verbs as the table does."""
    for key, verb, reason in frame_text.INBOX_HINTS:
        [action] = [a for a in ACTIONS if a.verb == verb and a.group != "place"]
        assert actions.shown_key(action.keys[0]) == key
        assert reason == ""
