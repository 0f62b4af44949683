"""The inbox: what needs whom, why, and where Enter leads; the live frame equal to the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from carnet_tui import frame_text
from carnet_tui.glyphs import Glyphs
from carnet_tui.screens.inbox import InboxScreen
from carnet_tui.views import inbox_view

SIZES = [(80, 24), (160, 48), (40, 12)]
Text = Callable[[Any], str]


@pytest.mark.parametrize("size", SIZES)
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """R015: each person sees what waits for them, at every size."""
    async with visit(main_path("half"), ("inbox",), size=size, who="Tom") as pilot:
        golden(f"main_inbox_{size[0]}x{size[1]}", screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES)
async def test_first_frame_is_the_live_frame(
    main_path: Any, visit: Any, screen_text: Text, size: tuple[int, int]
) -> None:
    """TUI.md 7.1: what is painted before the toolkit is loaded does not move when the live screen comes."""
    tour = main_path("half")
    async with visit(tour, ("inbox",), size=size, who="Tom") as pilot:
        live = screen_text(pilot.app).rstrip("\n").split("\n")
        screen = pilot.app.screen
        glyphs = Glyphs(plain=False)
        inbox = inbox_view.frame(tour.desk.inbox(), tour.project.now(), glyphs, size[0], screen.due)
        lines, _ = frame_text.inbox_frame(screen.chrome(), inbox, *size, glyphs)
        first = ["".join(text for text, _ in line).rstrip() for line in lines]
        assert first[: len(live)] == live


@pytest.mark.parametrize(
    ("state", "who", "expected"),
    [("half", "Tom", "review"), ("half", "Ana", "handoff"), ("ready", "Ana", "handoff"), ("half", "Aiko", "handoff")],
)
async def test_enter_opens_the_right_thing(main_path: Any, visit: Any, state: str, who: str, expected: str) -> None:
    """Review leads into the review, open items to the handoff."""
    async with visit(main_path(state), ("inbox",), who=who) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.path[-1].name == expected


async def test_sign_row_opens_the_sign_dialog(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A row that waits for my signature shows at once what I would sign."""
    async with visit(main_path("ready"), ("inbox",), who="Ana") as pilot:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert "Sign off  churn@2" in screen_text(pilot.app)


async def test_nothing_needs_me(main_path: Any, visit: Any, screen_text: Text) -> None:
    """All clear says so, and what comes next."""
    async with visit(main_path("half"), ("inbox",), who="Rosa") as pilot:
        text = screen_text(pilot.app)
        assert "Nothing needs you." in text and "No date is set" in text
        await pilot.press("f")
        assert isinstance(pilot.app.screen, InboxScreen) and pilot.app.screen.mine_only


async def test_several_projects_name_themselves(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Rows of two projects tell which is which, and Enter goes to the right one."""
    tour = main_path("half")
    other, _ = tour.desk.found("uplift", roles=["researcher"])
    tour.desk.become(tour.people["Ana"])
    acts = tour.desk.acts(other)
    question = acts.ask("who owns the labels of the second campaign?", to_role="researcher")
    assert question.entity.startswith("question:")
    tour.desk.become(tour.people["Ana"])
    async with visit(tour, ("inbox",)) as pilot:
        assert "churn@2" in screen_text(pilot.app)


async def test_wrong_keys_say_why(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A key without an object says so and writes nothing."""
    tour = main_path("half")
    before = tour.project.ledger.count()
    async with visit(tour, ("inbox",), who="Tom") as pilot:
        await pilot.press("x")
        assert "Cannot settle now: no conflict here." in screen_text(pilot.app)
    assert tour.project.ledger.count() == before


async def test_hostile_names(stores: Any, main_path: Any, visit: Any, screen_text: Text) -> None:
    """C174: foreign text reaches the screen as signs, never as control characters."""
    tour = main_path("half")
    tour.at("Ana").ask("evil \x1b]52;c;ZXZpbA==\x07\u202e text", about=[tour.handoff], to_role="ml_engineer")
    async with visit(tour, ("inbox",), who="Tom") as pilot:
        text = screen_text(pilot.app)
        assert "question from Ana" in text
        assert not any(ord(c) < 32 and c != "\n" for c in text) and "\u202e" not in text
