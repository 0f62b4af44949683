"""The kit together: screens at four sizes, keys as the table says, each dialog, history, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual import events

from carnet_store.errors import Refused
from carnet_tui import actions, terminal
from carnet_tui.widgets.dialogs import Choice, DigestDialog, LongPrompt, MessageBox, Picker, Preview, Prompt, Reason
from carnet_tui.widgets.help import Help
from carnet_tui.widgets.line_list import LineList
from carnet_tui.widgets.palette import Palette
from carnet_tui.widgets.table_form import Cell, Column, TableForm, read_rows

Play = Callable[..., Any]
Text = Callable[[Any], str]
Golden = Callable[[str, str], None]
SIZES = [(40, 12), (80, 24), (120, 40), (160, 48)]


def size_name(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=size_name)
async def test_screens(play: Play, screen_text: Text, golden: Golden, size: tuple[int, int]) -> None:
    """The list, help and a sign-off at four sizes, as text."""
    async with play("--demo", "--rows", "30", size=size) as pilot:
        golden(f"inbox_{size_name(size)}", screen_text(pilot.app))
        await pilot.press("question_mark")
        golden(f"help_{size_name(size)}", screen_text(pilot.app))
        await pilot.press("escape", "j", "s")
        await pilot.pause()
        golden(f"sign_{size_name(size)}", screen_text(pilot.app))
        assert isinstance(pilot.app.screen, DigestDialog)
        assert pilot.app.focused is not None and pilot.app.focused.region.bottom <= size[1] - 1


async def test_every_key_of_the_screen_does_its_action(play: Play) -> None:
    """Each key that the table gives this screen runs the method of that action, and no other."""
    async with play() as pilot:
        screen = pilot.app.here
        done: list[str] = []
        offered = [a for a in screen.actions_here() if a.keys and a.group in ("act", "look")]
        for action in offered:
            setattr(screen, f"do_{action.id}", lambda name=action.id: done.append(name))
        pilot.app.do_copy = lambda: done.append("app copy")
        await pilot.press("j")  # off the conflict, so that sign is available
        for action in offered:
            for key in action.keys:
                await pilot.press(actions.toolkit_key(key))
        assert done == [action.id for action in offered for _ in action.keys]
        assert len(done) > 8


async def test_what_cannot_be_done_says_why(play: Play) -> None:
    """A blocked key changes nothing and says its reason; a key without a use here says that."""
    async with play() as pilot:
        await pilot.press("s")
        assert pilot.app.facts.status == "Cannot sign now: 2 conflicts."
        await pilot.press("w")
        assert pilot.app.facts.status == "waive has nothing to do here; ? shows what has."
        assert len(pilot.app.screen_stack) == 1


async def test_footer_follows_the_cursor(play: Play, screen_text: Text) -> None:
    """What can be done depends on the row: a blocked key is shown blocked there, and free on the next row."""
    async with play() as pilot:
        assert "s sign [2 conflicts]" in screen_text(pilot.app).splitlines()[-1]
        await pilot.press("j")
        assert " s sign  q question" in screen_text(pilot.app).splitlines()[-1]


async def test_answer_in_two_keys(play: Play) -> None:
    """A choice is modal: one letter takes it and it is gone; other letters do nothing; esc takes nothing."""
    async with play() as pilot:
        for letter, word in (("y", "yes"), ("n", "no"), ("u", "unknown"), ("minus", "n-a")):
            await pilot.press("r", "s", letter)
            assert pilot.app.facts.status == f"You answered {word}: a draft, not signed, not shared."
            assert len(pilot.app.screen_stack) == 1
        await pilot.press("r", "enter")
        assert isinstance(pilot.app.screen, Choice), "Enter takes nothing before one chose"
        await pilot.press("right", "right", "enter")
        assert "You answered no" in pilot.app.facts.status
        await pilot.press("r", "escape")
        assert len(pilot.app.screen_stack) == 1


async def test_signing_needs_the_digest(play: Play, screen_text: Text) -> None:
    """Only the first four characters of the digest shown sign; anything else writes nothing and says so."""
    async with play() as pilot:
        await pilot.press("j", "s", "enter")
        assert "not the first four" in screen_text(pilot.app)
        await pilot.press(*"7f3b", "enter")
        assert "not the first four" in screen_text(pilot.app)
        await pilot.press(*"7F3a", "enter")
        assert pilot.app.facts.status == "Signed."
        await pilot.press("s", *"7f3a", "escape")
        assert pilot.app.facts.status == "Nothing was written."


async def test_text_is_kept_when_one_leaves(play: Play) -> None:
    """esc never loses typed text: whoever asked for it gets it to keep."""
    async with play() as pilot:
        kept: list[str] = []
        got: list[str | None] = []
        glyphs = pilot.app.glyphs
        pilot.app.push_screen(Prompt("Why?", glyphs=glyphs, keep=kept.append), got.append)
        await pilot.press(*"abc", "escape")
        assert (kept, got) == (["abc"], [None])
        pilot.app.push_screen(LongPrompt("Why?", glyphs=glyphs, keep=kept.append), got.append)
        await pilot.press("x", "enter", "y", "ctrl+d")
        assert got[-1] == "x\ny"


async def test_reason_is_needed(play: Play, screen_text: Text) -> None:
    """A recall without a reason does not go through."""
    async with play() as pilot:
        got: list[str | None] = []
        pilot.app.push_screen(Reason("Recall", glyphs=pilot.app.glyphs, about=["x"], verb="recall"), got.append)
        await pilot.press("ctrl+d")
        assert got == [] and "It needs a reason" in screen_text(pilot.app)
        await pilot.press(*"leak", "ctrl+d")
        assert got == ["leak"]


async def test_preview_writes_on_enter_only(play: Play) -> None:
    """A record is shown first; esc leaves nothing behind."""
    async with play() as pilot:
        got: list[bool | None] = []
        for key in ("escape", "enter"):
            pilot.app.push_screen(Preview("x", lambda cells: [[("what", "")]], glyphs=pilot.app.glyphs), got.append)
            await pilot.press("a", key)
        assert got == [None, True]


async def test_picker_filters_while_one_types(play: Play) -> None:
    """Words in any order; arrows while typing; Enter takes the chosen one; nothing matching takes nothing."""
    things = [(f"r{n}", f"run-{n} churn", "2h") for n in range(300)]
    async with play() as pilot:
        got: list[object] = []
        pilot.app.push_screen(Picker("Pick", things, glyphs=pilot.app.glyphs), got.append)
        await pilot.pause()
        assert pilot.app.screen.query_one(LineList).row_count == 300
        await pilot.press(*"churn 29", "down", "enter")
        assert got == [("r129", "run-129 churn", "2h")]
        pilot.app.push_screen(Picker("Pick", things, glyphs=pilot.app.glyphs), got.append)
        await pilot.press(*"zzz", "enter", "escape")
        assert got[1:] == [None]


async def test_table_form(play: Play, screen_text: Text) -> None:
    """Cells by tab, rows added and removed, CSV pasted, wrong cells named and entered."""
    async with play() as pilot:
        got: list[object] = []
        columns = [
            Column("name"),
            Column("kind", choices=("int", "text")),
            Column("limit", number=True, required=False),
        ]
        form = TableForm("Schema", columns, [["a", "int", "1"]], glyphs=pilot.app.glyphs)
        pilot.app.push_screen(form, got.append)
        await pilot.pause()
        await pilot.press("tab", "tab", "enter")
        await pilot.press(*"b", "tab", *"real", "tab", *"x", "ctrl+d")
        assert "kind is one of int, text, not 'real'" in screen_text(pilot.app)
        assert pilot.app.focused is list(form.query(Cell))[4]
        await pilot.press(*["backspace"] * 4, *"text", "ctrl+d")
        assert "limit needs a number, not 'x'" in screen_text(pilot.app)
        await pilot.press("backspace", "ctrl+n")
        pilot.app.focused.post_message(events.Paste("name,kind,limit\nc,int,3\n\nd,text\n"))
        await pilot.pause()
        await pilot.pause()
        assert "2 rows pasted" in screen_text(pilot.app)
        await pilot.press("ctrl+d")
        assert got == [[["a", "int", "1"], ["b", "text", ""], ["c", "int", "3"], ["d", "text", ""]]]
        pilot.app.push_screen(
            TableForm("S", columns, [["a", "int", ""], ["b", "int", ""]], glyphs=pilot.app.glyphs), got.append
        )
        await pilot.pause()
        await pilot.press("ctrl+r")
        await pilot.press("ctrl+d")
        assert got[-1] == [["b", "int", ""]]


def test_pasted_rows() -> None:
    """Tabs, semicolons or commas; quoted cells; too many and too few cells."""
    columns = [Column("a"), Column("b")]
    assert read_rows("1\t2\n3\t4", columns) == [["1", "2"], ["3", "4"]]
    assert read_rows('A;B\n"1;1";2;9\n', columns) == [["1;1", "2"]]


async def test_help_filters_and_does(play: Play, screen_text: Text) -> None:
    """Typed words filter, Enter does the action; a blocked one stays and says why; heads are never chosen."""
    async with play() as pilot:
        await pilot.press("question_mark", *"conflict")
        assert isinstance(pilot.app.screen, Help)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Preview)
        await pilot.press("escape", "question_mark", *"package off", "enter")
        assert "Cannot sign now: 2 conflicts." in screen_text(pilot.app)
        assert isinstance(pilot.app.screen, Help)


async def test_help_lists_every_action_of_the_screen(play: Play) -> None:
    """What the screen offers and only that: with its keys, and with the reason when it does not work."""
    from carnet_tui.widgets.help import list_actions

    async with play() as pilot:
        entries = list_actions(pilot.app.here)
        ids = [entry.action.id for entry in entries if entry.action is not None]
        assert set(ids) >= {action.id for action in pilot.app.here.actions_here()}
        assert "waive" not in ids and len(ids) == len(set(ids))
        assert {e.action.id: e.reason for e in entries if e.reason and e.action is not None} == {"sign": "2 conflicts"}


async def test_palette_goes_and_does(play: Play) -> None:
    """Places, actions and codes by name."""
    async with play() as pilot:
        app = pilot.app
        app.codes = lambda typed: [("churn-v7", "the model", (*app.path, app.path[0]))] if typed == "churn" else []
        await pilot.press("colon", *"decis", "enter")
        await pilot.pause()
        assert app.path[0].name == "decisions"
        await pilot.press("colon", *"churn")
        assert isinstance(app.screen, Palette)
        await pilot.press("enter")
        await pilot.pause()
        assert len(app.path) == 2


async def test_places_subjects_and_history(play: Play) -> None:
    """Digits go to places, Enter in, esc out, brackets back and forward; the list one left is as it was."""
    async with play() as pilot:
        app = pilot.app

        def names() -> list[str]:
            return [route.name for route in app.path]

        await pilot.press("j", "enter")
        assert names() == ["inbox", "handoff"]
        assert app.here.crumb() == "acme-risk / fraud-2026Q3"
        await pilot.press("escape")
        assert names() == ["inbox"]
        assert app.here.query_one(LineList).index == 2
        await pilot.press("4")
        assert names() == ["decisions"]
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert names() == ["inbox", "handoff"]
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert names() == ["decisions"]
        await pilot.press("right_square_bracket")
        assert app.facts.status == "There is nothing further on."
        await pilot.press("1", "2", "3", "5", "6", "1")
        assert names() == ["inbox"] and len(app.screen_stack) == 1


@pytest.mark.parametrize(("args", "keys", "runs"), [((), ["escape"], False), (("--drafts",), ["escape"], True)])
async def test_leaving_at_the_top(play: Play, args: tuple[str, ...], keys: list[str], runs: bool) -> None:
    """esc at the top quits, but asks when there are drafts."""
    async with play(*args) as pilot:
        await pilot.press(*keys)
        assert pilot.app.is_running is runs or pilot.app._exit is not runs
        if runs:
            assert isinstance(pilot.app.screen, Choice)
            await pilot.press("n")
            assert len(pilot.app.screen_stack) == 1
            await pilot.press("escape", "y")
            assert pilot.app._exit


async def test_what_comes_while_a_screen_is_taken_away_is_heard_by_nobody(play: Play, settled: Any) -> None:
    """The parts of a screen go one by one; an answer that came between would ask for those that are gone already."""
    import threading

    async with play() as pilot:
        screen = pilot.app.here
        got: list[Any] = []
        for going in (True, False):
            gate = threading.Event()
            screen.work(lambda gate=gate: gate.wait(5), got.append)
            screen._pruning = going  # as the toolkit marks what it takes away
            gate.set()
            await settled(pilot)
            assert got == ([] if going else [True])


async def test_work_leaves_the_loop(play: Play, screen_text: Text) -> None:
    """Work runs on another thread; its result comes back; an error is shown with what to do; keys work meanwhile."""
    import threading

    async with play() as pilot:
        screen, gate = pilot.app.here, threading.Event()
        got: list[Any] = []

        def slow() -> str:
            gate.wait(5)
            return threading.current_thread().name

        pilot.app.say("Said before.")
        screen.work(slow, got.append, saying="Verifying 1,204 events")
        await pilot.press("j")
        assert screen.query_one(LineList).index == 2
        await asyncio.sleep(0.4)
        assert "Verifying 1,204 events …" in screen_text(pilot.app)
        gate.set()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "Verifying" not in screen_text(pilot.app), "what was going on is over"
        assert "Said before." in screen_text(pilot.app)
        assert got[0].startswith("carnet-store")

        def refuse() -> None:
            raise Refused("The gate is closed.", hint="settle the conflicts first (x)", reasons=["2 conflicts"])

        screen.work(refuse, got.append)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(pilot.app.screen, MessageBox)
        shown = screen_text(pilot.app)
        assert "The gate is closed." in shown and "- 2 conflicts" in shown and "Next: settle the conflicts" in shown


async def test_copying_says_by_which_way(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy menu copies what is chosen and says how."""
    async with play() as pilot:
        seen: list[str] = []

        def copy(app: object, text: str) -> str:
            seen.append(text)
            return "the terminal and xclip"

        monkeypatch.setattr(terminal, "copy", copy)
        await pilot.press("y", "j", "enter")
        assert seen == ["sha256:7f3a91c20be744d0"]
        assert pilot.app.facts.status == "Copied the digest by the terminal and xclip."


async def test_small_terminal_shows_the_result_then_the_keys(play: Play, screen_text: Text) -> None:
    """40x12: one line for both; the result stands until the next key."""
    async with play(size=(40, 12)) as pilot:
        assert screen_text(pilot.app).splitlines()[-1] == " ⏎ open  r review  ? help"
        await pilot.press("r", "y")
        assert screen_text(pilot.app).splitlines()[-1].startswith(" You answered yes")
        await pilot.press("j")
        assert screen_text(pilot.app).splitlines()[-1] == " ⏎ open  r review  ? help"


async def test_own_keys_reach_the_screen(kit: Any) -> None:
    """A keymap from the configuration works, and footer and help show it."""
    app = kit.make_app(kit.parse([]))
    made = type(app)(glyphs=app.glyphs, start=app._start, keys={"review": "z"})
    async with made.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("r")
        assert len(made.screen_stack) == 1
        await pilot.press("z")
        assert isinstance(made.screen, Choice)
        await pilot.press("escape")
        assert ("z", "review", "") in made.here.hints()


async def test_theme_by_choice_and_calm(play: Play) -> None:
    """Truecolor themes by choice; nothing moves by itself."""
    async with play("--theme", "nord") as pilot:
        assert not pilot.app.native_ansi_color
        strip = pilot.app.here.query_one(LineList).render_line(1)
        assert any(segment.style and segment.style.color and segment.style.color.triplet for segment in strip)
    async with play() as pilot:
        assert pilot.app.native_ansi_color and pilot.app.animation_level == "none"
        await pilot.press("q")
        assert pilot.app.focused is not None and not pilot.app.focused.cursor_blink
