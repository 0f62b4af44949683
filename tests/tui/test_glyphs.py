"""Signs: one cell each, a word beside them, plain ones where the terminal has no more."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from carnet_tui.glyphs import ASCII, STATES, STYLES, UNICODE, Glyphs, choose, sgr


def test_every_state_has_word_sign_and_style() -> None:
    """Meaning is never colour alone; a sign takes one cell in both sets; no emoji, no variation selector."""
    for name, state in STATES.items():
        assert state.word, name
        assert cell_len(state.sign) == len(state.sign) == 1, name
        assert state.plain.isascii() and len(state.plain) == 1, name
        assert state.style in STYLES, name


@pytest.mark.parametrize(
    "group",
    [
        ("yes", "no", "unknown", "n-a", "open"),
        ("asserted", "recorded", "checked here", "re-executed"),
        ("blocked", "conditional", "ready", "passed", "stale", "returned", "overridden"),
        ("fresh", "stale"),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
def test_states_of_one_kind_differ_without_colour(group: tuple[str, ...], plain: bool) -> None:
    """Within answers, evidence, verdicts and sign-offs no two look alike, in either set."""
    known = Glyphs(plain)
    assert len({known.state(name)[0] for name in group}) == len(group)
    assert len({known.state(name)[1] for name in group}) == len(group)


def test_sets_match() -> None:
    """Both sets have the same names; ASCII is ASCII."""
    assert UNICODE.keys() == ASCII.keys()
    assert all(sign.isascii() for sign in ASCII.values())
    assert all(cell_len(sign) == 1 for sign in UNICODE.values())


@pytest.mark.parametrize(
    ("env", "configured", "plain"),
    [
        ({}, "", False),
        ({"LANG": "en_US.UTF-8"}, "", False),
        ({"LANG": "C"}, "", False),
        ({"LANG": "de_DE.ISO-8859-1"}, "", True),
        ({"LC_ALL": "C.UTF-8", "LANG": "de_DE.ISO-8859-1"}, "", False),
        ({"TERM": "linux"}, "", True),
        ({"TERM": "linux", "CARNET_GLYPHS": "unicode"}, "", False),
        ({"TERM": "xterm"}, "ascii", True),
        ({"CARNET_GLYPHS": "unicode"}, "ascii", False),
    ],
)
def test_choice(env: dict[str, str], configured: str, plain: bool) -> None:
    """The environment wins over the configuration, both over what is guessed."""
    assert choose(env, configured).plain is plain


def test_unknown_state_shows_its_name() -> None:
    """A state of a newer record is shown by its own name, not dropped."""
    assert Glyphs(False).state("frozen") == ("?", "frozen", "warn")


def test_styles_without_colour() -> None:
    """NO_COLOR leaves bold, dim, underline and reverse."""
    assert (sgr("bad"), sgr("bad", colour=False)) == ("\x1b[1;31m", "\x1b[1m")
    assert (sgr("ok", colour=False), sgr("chosen", colour=False)) == ("", "\x1b[7m")
