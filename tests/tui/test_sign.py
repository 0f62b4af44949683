"""Signing: what exactly, what changed since, what follows; decision, reason, digest. Nothing preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input

from carnet_tui.widgets.sign_sheet import SignSheet

Text = Callable[[Any], str]
HERE = (("inbox",), ("handoff", "handoff"))


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """In this order: what is signed, what changed, what follows, then the act."""
    async with visit(main_path("ready"), *HERE, size=size) as pilot:
        await pilot.press("s")
        golden(f"main_sign_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_nothing_is_preset(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Without a decision, without the digest, with a wrong digest: nothing is signed."""
    tour = main_path("ready")
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, *HERE) as pilot:
        await pilot.press("s", "enter", "enter", *package[:4], "enter")
        assert "Choose a decision first" in screen_text(pilot.app)
        pilot.app.screen.query(Input).last().value = "zzzz"
        await pilot.press("right", "enter", "enter", "enter")
        assert "nothing was written" in screen_text(pilot.app)
        await pilot.press("escape")
    assert tour.project.look(tour.handoff).status.signoffs == ()


async def test_signs_and_passes(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Three persons sign, the gate passes, each by the digest; the last is told so before."""
    tour = main_path("ready")
    tour.step = 1000
    package = tour.project.look(tour.handoff).status.package
    for number, who in enumerate(("Ana", "Tom", "Grace"), 1):
        async with visit(tour, *HERE, who=who) as pilot:
            await pilot.press("s")
            text = screen_text(pilot.app)
            assert f"{number} of 3 sign-offs stand then." in text
            assert ("The gate passes." in text) == (number == 3)
            await pilot.press("right", "enter", *"good", "enter", *package[:4], "enter")
            assert len(tour.project.look(tour.handoff).status.signoffs) == number
    status = tour.project.look(tour.handoff).status
    assert status.verdict == "passed"
    assert {s.predicate.reason for s in status.signoffs} == {"good"}


async def test_refusal_needs_a_reason(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A refusal without a reason is not taken."""
    tour = main_path("ready")
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.press("s", "right", "right", "right", "enter", "enter", *package[:4], "enter")
        assert "needs a reason" in screen_text(pilot.app)


async def test_an_approval_is_withdrawn_by_a_refusal(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Who has signed is told how to take it back: a refusal signed in its place shuts the passed gate; signing anew opens it."""
    tour = main_path("ready")
    tour.step = 1000
    for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer"), ("Grace", "product_owner")):
        tour.at(name).sign(tour.handoff, role, "as it stands here")
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, *HERE, who="Tom", size=(100, 40)) as pilot:
        await pilot.press("s")
        assert "the gate is passed; withdraw in the palette (:) takes yours back" in screen_text(pilot.app)
        await pilot.press(":", *"withdraw", "enter")
        text = screen_text(pilot.app)
        assert "Your approval stands" in text and "a refusal shuts it for everybody" in text and "AFTER" not in text
        await pilot.press("right", "right", "right", "enter", *"leaks", "enter", *package[:4], "enter")
        status = tour.project.look(tour.handoff).status
        assert status.verdict == "passed" and "says something" in screen_text(pilot.app)  # the reason is too short
        await pilot.press("escape", ":", *"withdraw", "enter", "right", "right", "right", "enter")
        pilot.app.screen.query(Input).first().value = "the holdout leaks into training"
        await pilot.press("enter", *package[:4], "enter")
        status = tour.project.look(tour.handoff).status
        assert status.verdict != "passed"
        assert [s.predicate.decision for s in status.signoffs if s.change.person == tour.people["Tom"].person] == [
            "refuse"
        ]
        assert "Tom refused as ml engineer: the holdout leaks into training" in screen_text(pilot.app)
        await pilot.press(":", *"withdraw", "enter")
        assert "no sign-off of yours stands here" in screen_text(pilot.app)
        await pilot.press("escape", "s", "right", "enter", "enter", *package[:4], "enter")
    assert tour.project.look(tour.handoff).status.verdict == "passed"


async def test_changed_while_reading(main_path: Any, visit: Any, screen_text: Text) -> None:
    """What changed under one's eyes is not signed (R022)."""
    tour = main_path("ready")
    tour.step = 1000
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, *HERE) as pilot:
        await pilot.press("s")
        assert isinstance(pilot.app.screen, SignSheet)
        tour.at("Tom").verify(tour.handoff, "approach.decision", agree=False, reason="it was measured on other data")
        tour.desk.become(tour.people["Ana"])
        await pilot.press("right", "enter", "enter", *package[:4], "enter")
        assert "changed while you read it" in screen_text(pilot.app)
    assert tour.project.look(tour.handoff).status.signoffs == ()


async def test_protected_key(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A passphrase is asked for where the key needs it; a wrong one is said, esc writes nothing."""
    tour = main_path("ready", passphrase="correct horse")
    tour.keyring.lock()
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.press("s", "right", "enter", "enter", *package[:4], "enter")
        assert "Passphrase of Tom's key" in screen_text(pilot.app)
        await pilot.press(*"wrong", "enter")
        assert "does not open the key" in screen_text(pilot.app)
        assert "wrong" not in screen_text(pilot.app).replace("wrong ", "")
        pilot.app.screen.query_one(Input).value = "correct horse"
        await pilot.press("enter")
        assert len(tour.project.look(tour.handoff).status.signoffs) == 1
