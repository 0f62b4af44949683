"""People: the roster, joining in two trips, inviting, roles, and being another of one's identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def small(places: ModuleType, tmp_path: Any) -> Iterator[Any]:
    """Ana alone, and Tom with an identity on the same machine."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.people["Tom"] = tour.desk.keyring.new("Tom", "tom@example.org")
    yield tour
    tour.desk.close()


async def test_inviting_accepting_admitting(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R087: an invitation by a short form, accepted with one key, admitted after a preview."""
    async with visit(small, ("inbox",), ("people",)) as pilot:
        await pilot.press("n", *"Tom", "enter", *"tom", "enter", *"ml_engineer", "enter", "ctrl+d")
        assert "mail needs an @" in screen_text(pilot.app)
        await pilot.press(*"@example.org", "ctrl+d")
        assert "is invited as ml engineer" in screen_text(pilot.app)
        assert not small.acts().invitations()
        await pilot.press("enter")
        assert "has not answered yet" in screen_text(pilot.app)
    async with visit(small, ("inbox",), ("people",), who="Tom") as pilot:
        assert "this is you: accepts" in screen_text(pilot.app)
        await pilot.press("slash", *"tom ml", "enter", "enter")
        assert "You join churn as ml engineer." in screen_text(pilot.app)
        await pilot.press("enter")
        assert "not confirmed yet" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "Ana does that" in screen_text(pilot.app)
    async with visit(small, ("inbox",), ("people",)) as pilot:
        assert "1 waits to join" in screen_text(pilot.app) and "⏎ admit" in screen_text(pilot.app)
        await pilot.press("enter", "escape")
        assert small.people["Tom"].person not in small.project.members().people
        await pilot.press("enter", "enter")
        assert "2 members" in screen_text(pilot.app)
    assert small.project.members().people[small.people["Tom"].person].roles == ("ml_engineer",)


async def test_roles_change_after_a_preview_and_only_by_an_admin(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    async with visit(small, ("inbox",), ("people",)) as pilot:
        await pilot.press("enter", *" auditor", "ctrl+d")
        text = screen_text(pilot.app)
        assert "No shipped template knows the role auditor" in text
        await pilot.press("enter")
    assert "auditor" in small.project.members().people[small.people["Ana"].person].roles
    async with visit(small, ("inbox",), ("people",), who="Tom") as pilot:
        assert "not a member here" in screen_text(pilot.app)
        await pilot.press("n")
        assert "Ana invites" in screen_text(pilot.app)
        await pilot.press("enter", *"operator", "enter", "enter")
        assert "not confirmed yet" in screen_text(pilot.app)


async def test_being_another_identity_and_the_palette(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    async with visit(small, ("inbox",)) as pilot:
        await pilot.press("colon", *"people", "enter")
        assert "YOUR IDENTITIES ON THIS MACHINE" in screen_text(pilot.app)
        await pilot.press("greater_than_sign", "enter")
        assert "You are Tom now." in screen_text(pilot.app)
        assert small.desk.me.name == "Tom"


async def test_hostile_names_and_an_empty_store(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")}, found=False)
    async with visit(tour, ("inbox",), ("people",), size=(40, 12)) as pilot:
        assert "Nobody is known here yet." in screen_text(pilot.app)
        await pilot.press("n")
    tour.desk.found("churn", roles=["researcher"])
    evil = "x\x1b[31m\u202ey\x07"
    tour.acts().invite(evil, evil, [evil], evil)
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(tour, ("inbox",), ("people",), size=size) as pilot:
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e") and "x␛[31m" in text
    tour.desk.close()
