"""A handoff on one screen: what crosses, verdict and reasons, who is waited for, the items, mine and open first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from carnet_tui.text import digest

Text = Callable[[Any], str]
SIZES = [(80, 24), (120, 40), (160, 48), (40, 12)]


@pytest.mark.parametrize("size", SIZES)
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """One screen at 80x24; at 160 columns the item, people, questions and what happened stand beside."""
    async with visit(main_path("half"), ("inbox",), ("handoff", "handoff"), size=size) as pilot:
        golden(f"main_handoff_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_opens_on_what_is_mine(main_path: Any, visit: Any, screen_text: Text) -> None:
    """The list opens on what is mine and open; f toggles everything and back."""
    async with visit(main_path("half"), ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        text = screen_text(pilot.app)
        assert "yours and open, 4 of 12" in text and "you verify" in text and "rep.rnd.seeds" not in text
        await pilot.press("f")
        text = screen_text(pilot.app)
        assert "all 12 items" in text and "PROBLEM FRAMING  2/2" in text
        await pilot.press("f")
        assert "yours and open" in screen_text(pilot.app)


async def test_blocked_keys_say_cause_and_mend(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A key that cannot work names its cause, and who or what unblocks it."""
    async with visit(main_path("half"), ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        await pilot.press("w")
        assert "Cannot waive now" in screen_text(pilot.app)
        await pilot.press("a")
        assert "Cannot answer now: Ana answers it." in screen_text(pilot.app)


async def test_unsealed_says_who_seals(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Only the giver seals; others are told who."""
    tour = main_path("open")
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        text = screen_text(pilot.app)
        assert "the package is not sealed" in text
        await pilot.press("s")
        assert "Cannot sign now: Ana seals the package first." in screen_text(pilot.app)


async def test_giver_seals_and_is_told_what_waits(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Where items still wait, s seals and says for whom; it leads into no signature that the first agreement turns stale."""
    tour = main_path("open")
    tour.answer("Ana", "framing.problem", "Each month retention calls the customers with a score over one half.")
    tour.answer("Ana", "approach.decision", [tour.decision])
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Ana") as pilot:
        await pilot.press("s")
        assert "Seal the package" in screen_text(pilot.app) and "nothing written yet" in screen_text(pilot.app)
        assert not tour.project.look(tour.handoff).status.package
        await pilot.press("enter")
        text = " ".join(screen_text(pilot.app).split())
        assert tour.project.look(tour.handoff).status.package
        assert "1 item waits for Grace to verify, 1 for Tom to verify" in text
        assert "a signature now would turn stale when that is done" in text
        assert "s on the handoff signs all the same" in text and "Sign off" not in text
        await pilot.press("enter", "s")
        text = screen_text(pilot.app)
        assert "Sign off  churn@2" in text and "NOT YET" in text and "1 item waits for Grace to verify" in text
        await pilot.press("escape")
        assert not tour.project.look(tour.handoff).status.signoffs


async def test_seals_and_goes_on_to_sign_where_nothing_waits(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Where every item is in order, sealing anew leads on to what would be signed."""
    tour = main_path("ready")
    tour.step = 1000
    tour.at("Ana").include(tour.handoff, tour.early)
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Ana") as pilot:
        await pilot.press(":", *"seal", "enter")
        text = screen_text(pilot.app)
        assert "since it was sealed" in text
        shown = next(line.split("digest", 1)[1].split() for line in text.split("\n") if "digest " in line)
        await pilot.press("enter")
        sealed = tour.project.look(tour.handoff).status
        assert digest(sealed.package).split() == shown and sealed.round == 3  # what was previewed is what was sealed
        await pilot.press("s")
        text = screen_text(pilot.app)
        assert "Sign off  churn@2" in text and "NOT YET" not in text and "round 3" in text


async def test_moved_to_another_pack(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A preview says which items are added, removed and kept; answers stay; moved to the same, nothing is written."""
    tour = main_path("half")
    tour.step = 1000
    count = tour.project.ledger.count()
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Ana", size=(100, 48)) as pilot:
        await by_name(pilot, "repack")
        await pilot.press("enter", "enter")
        assert "That is how it is already" in screen_text(pilot.app)
        await by_name(pilot, "repack")
        assert "operations" not in screen_text(pilot.app)  # another crossing is another handoff
        await pilot.press(*"research-to-engineering", "down", "enter", "enter")
        while "A fact about this model" in screen_text(pilot.app):
            await pilot.press("enter")
        pilot.app.screen.query_one(TextArea).text = "customers are affected by it"
        await pilot.press("ctrl+d")
        text = " ".join(screen_text(pilot.app).split())
        assert "nothing written yet" in text and "added" in text and "removed none" in text
        assert "kept 12 items, 3 of them answered: answers stay" in text
        assert "because customers are affected by it" in text
        assert tour.project.ledger.count() == count
        await pilot.press("escape")
        assert tour.project.ledger.count() == count
        await by_name(pilot, "repack")
        await pilot.press(*"research-to-engineering", "down", "enter", "enter", *["enter"] * 5)
        while "A fact about this model" in screen_text(pilot.app):
            await pilot.press("enter")
        pilot.app.screen.query_one(TextArea).text = "customers are affected by it"
        await pilot.press("ctrl+d", "enter")
        look = tour.project.look(tour.handoff)
        assert look.handoff.gate.id == "research-to-engineering" and len(look.checklist.items) > 12
        assert look.status.item("framing.problem").answers


async def test_what_changed_since_i_looked(main_path: Any, visit: Any, screen_text: Text) -> None:
    """The second look counts what others did since the first."""
    tour = main_path("half")
    async with visit(tour, ("inbox",), ("handoff", "handoff")) as pilot:
        assert "you look for the first time" in screen_text(pilot.app)
    tour.step = 1000
    tour.at("Tom").verify(tour.handoff, "approach.decision", agree=True)
    async with visit(tour, ("inbox",), ("handoff", "handoff")) as pilot:
        assert "1 verification since you looked" in screen_text(pilot.app)


async def test_passed_and_stale(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A passed gate says so; a later change turns exactly the touched signature stale and names what changed."""
    tour = main_path("ready")
    tour.step = 1000
    for name, role in (("Ana", "researcher"), ("Tom", "ml_engineer"), ("Grace", "product_owner")):
        tour.at(name).sign(tour.handoff, role, "as it stands here")
    async with visit(tour, ("inbox",), ("handoff", "handoff")) as pilot:
        text = screen_text(pilot.app)
        assert "✓ passed  12/12" in text and "every item is in order" in text
    tour.answer("Tom", "prod.migration", [
        {"step": "a", "owner": "Tom", "due": "2026-03-18", "way_back": "stop"},
        {"step": "b", "owner": "Tom", "due": "2026-03-19", "way_back": "stop"},
    ])  # fmt: skip
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        await pilot.press("f")
        text = screen_text(pilot.app)
        assert "sign-offs: " in text and "stale" in text
        await pilot.press("d")
        await pilot.pause()
        assert "prod.migration" in screen_text(pilot.app)


async def test_unknown_handoff(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A handoff that is not in this store is said to be missing; nothing breaks."""
    async with visit(main_path("half"), ("inbox",), ("handoff", "handoff:" + "0" * 32)) as pilot:
        assert "cannot be shown" in screen_text(pilot.app)
        await pilot.press("a", "s", "escape")
        assert pilot.app.path[-1].name == "inbox"


async def by_name(pilot: Any, name: str) -> None:
    await pilot.press(":", *name, "enter")
    await pilot.pause()


async def test_return_with_a_reason_for_each_item(main_path: Any, visit: Any, screen_text: Text) -> None:
    """The receiver gives the package back: items named, a reason each, the digest typed; the giver is told so."""
    tour = main_path("ready")
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        await by_name(pilot, "return")
        assert "which items are not good enough?" in screen_text(pilot.app)
        await pilot.press(*"evaluation", "enter")
        pilot.app.screen.query_one(TextArea).text = "43 % of the holdout rows have a copy in training"
        await pilot.press("ctrl+d", "enter")
        pilot.app.screen.query_one(TextArea).text = "the claimed figure rests on a leak"
        await pilot.press("ctrl+d", *package[:4], "enter")
        assert tour.project.look(tour.handoff).status.verdict == "returned"
        assert "returned by Tom: the claimed figure" in screen_text(pilot.app)
    async with visit(tour, ("inbox",), who="Ana") as pilot:
        assert "returned by Tom" in screen_text(pilot.app)


async def test_override_is_loud(main_path: Any, visit: Any, screen_text: Text) -> None:
    """An override asks for reason, days within the limit and the digest; the gate reads overridden, never passed."""
    tour = main_path("half")
    package = tour.project.look(tour.handoff).status.package
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Grace") as pilot:
        await by_name(pilot, "override")
        pilot.app.screen.query_one(TextArea).text = "the old model fails today, the call list must go out"
        await pilot.press("ctrl+d")
        pilot.app.screen.query_one(Input).value = "400"
        await pilot.press("enter")
        assert "A number of days from 1 to" in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = "2"
        await pilot.press("enter", *package[:4], "enter")
        assert tour.project.look(tour.handoff).status.verdict == "overridden"
        assert "overridden" in screen_text(pilot.app)


async def test_custody_and_files(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Custody is offered and accepted by the digest; a file is made part of what crosses."""
    tour = main_path("half")
    package = tour.project.look(tour.handoff).status.package
    (tour.desk.store.root.parent / "model.bin").write_bytes(b"weights")
    async with visit(tour, ("inbox",), ("handoff", "handoff")) as pilot:
        await by_name(pilot, "custody")
        await pilot.press("-", *"engineering", "enter", *package[:4], "enter")
        await by_name(pilot, "attach")
        await pilot.press("n", *"model.bin", "enter")
        text = screen_text(pilot.app)
        assert "1 file" in text, text
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Tom") as pilot:
        await by_name(pilot, "custody")
        assert "offered by Ana to engineering" in screen_text(pilot.app)
        await pilot.press("y", *package[:4], "enter")
    assert [step.what for step in tour.project.handoff(tour.handoff).custody] == ["offered", "accepted"]
