"""Review: one item after another, drafts kept, two keystrokes each, submitted as one record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import TextArea

from carnet_tui.views.review_view import Step, next_step

Text = Callable[[Any], str]
HERE = (("inbox",), ("handoff", "handoff"), ("review", "handoff"))


def given(tour: Any) -> None:
    """Give Tom two answers of Ana's to verify."""
    tour.step = 1000
    tour.answer("Ana", "approach.evaluation", "r-012 auc")
    tour.answer("Ana", "rep.rnd.seeds", [{"source": "python", "seed": "7", "set_where": "train.py"}])
    tour.freeze()


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """The first item that needs me, with progress."""
    async with visit(main_path("half"), *HERE, size=size, who="Tom") as pilot:
        golden(f"main_review_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_two_keys_an_item_and_one_record(main_path: Any, visit: Any, screen_text: Text) -> None:
    """v y for each, drafts until the submit; then one event with all of them."""
    tour = main_path("half")
    given(tour)
    before = tour.project.ledger.count()
    async with visit(tour, *HERE, who="Tom") as pilot:
        for _ in range(3):
            await pilot.press("v", "y")
        assert tour.project.ledger.count() == before
        assert "3 to go" in screen_text(pilot.app)
        while "summary" not in screen_text(pilot.app):
            await pilot.press("right")
        assert "3 drafts as one record" in screen_text(pilot.app)
        await pilot.press("home", "enter")
        assert "nothing written yet" in screen_text(pilot.app) and "left for later" in screen_text(pilot.app)
        await pilot.press("enter")
        assert tour.project.ledger.count() == before + 1
        assert tour.desk.acts(tour.project).drafts() == {}
    states = {one.item.id: one.state for one in tour.project.look(tour.handoff).status.items}
    assert [states[i] for i in ("approach.decision", "approach.evaluation", "rep.rnd.seeds")] == ["ok", "ok", "ok"]


async def test_resumes(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Drafts wait: the walk goes on where it was left."""
    tour = main_path("half")
    given(tour)
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.press("v", "y", "escape")
    async with visit(tour, *HERE, who="Tom") as pilot:
        assert "2 of 6, 5 to go" in screen_text(pilot.app)
        await pilot.press("left")
        assert "you agree" in screen_text(pilot.app)
        await pilot.press("u")
        assert "6 to go" in screen_text(pilot.app)


async def test_disagree_needs_a_reason_and_is_kept(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A disagreement is a draft too, with its reason."""
    tour = main_path("half")
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.press("v", "n")
        pilot.app.screen.query_one(TextArea).text = "the second option was never measured"
        await pilot.press("ctrl+d")
        assert tour.project.look(tour.handoff).status.item("approach.decision").state == "answered"
        while "summary" not in screen_text(pilot.app):
            await pilot.press("right")
        await pilot.press("home", "enter", "enter")
    assert tour.project.look(tour.handoff).status.item("approach.decision").state == "disagreed"


async def test_a_verdict_on_an_answer_that_moved_is_not_written(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A draft names the answer it judged; another answer since then asks to look again."""
    tour = main_path("half")
    given(tour)
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.press("v", "y", "v", "y", "v", "y")
        tour.step = 1000
        tour.answer("Ana", "approach.evaluation", "r-007 auc")
        tour.desk.become(tour.people["Tom"])
        pilot.app.screen.refresh_data()
        while "summary" not in screen_text(pilot.app):
            await pilot.press("right")
        count = tour.project.ledger.count()
        await pilot.press("home", "enter")
        assert "the answer changed since you judged it" in screen_text(pilot.app)
        assert tour.project.ledger.count() == count


async def test_enter_does_what_the_item_waits_for(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Enter verifies, answers or settles, as the footer says; what one only reads it opens, and esc comes back."""
    tour = main_path("half")
    async with visit(tour, *HERE, who="Tom") as pilot:
        assert "⏎ v verify" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "verify the answer" in screen_text(pilot.app)
        await pilot.press("y")
        assert "3 to go" in screen_text(pilot.app) and "⏎ a answer" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "y run a command here and record it" in screen_text(pilot.app)
        await pilot.press("escape")


async def test_the_footer_does_by_a_click_what_enter_does(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A click on Enter's hint verifies; in the summary it submits."""
    tour = main_path("half")
    async with visit(tour, *HERE, who="Tom") as pilot:
        await pilot.click(offset=(2, 23))
        await pilot.pause()
        assert "verify the answer" in screen_text(pilot.app)
        await pilot.press("y")
        while "summary" not in screen_text(pilot.app):
            await pilot.press("right")
        await pilot.press("home")
        await pilot.click(offset=(2, 23))
        await pilot.pause()
        assert "Submit 1 draft as one record" in screen_text(pilot.app)


async def test_enter_opens_what_the_product_judges(main_path: Any, visit: Any, screen_text: Text) -> None:
    """An item that nobody types is opened by Enter; esc comes back to the same step."""
    tour = main_path("half")
    tour.step = 1000
    acts = tour.at("Ana")
    acts.link(tour.run, "used", acts.declare("dataset", "of unknown source").entity)
    assert tour.project.look(tour.handoff).status.item("data.lineage").state == "failed"
    async with visit(tour, *HERE, who="Ana") as pilot:
        while "data.lineage" not in screen_text(pilot.app):
            await pilot.press("right")
        assert "⏎ open" in screen_text(pilot.app)
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "item" and "data.lineage" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "the item waits for nothing of yours" in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.path[-1].name == "review" and "data.lineage" in screen_text(pilot.app)


async def test_nothing_to_review(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Without items there is a sentence, not an empty screen."""
    async with visit(main_path("ready"), *HERE) as pilot:
        assert "Nothing here waits for you now" in screen_text(pilot.app)
        await pilot.press("v", "a", "right", "left", "enter")


def test_next_step() -> None:
    """The next one without a draft, around the end; behind the last when each has one."""
    open_, done = Step("a", "", "answer", ""), Step("b", "", "answer", "yes")
    assert next_step([open_, done, open_], 0) == 2
    assert next_step([open_, done, open_], 2) == 0
    assert next_step([done, done], 0) == 2
    assert next_step([], 0) == 0
