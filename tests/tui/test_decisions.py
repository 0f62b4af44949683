"""Decisions and questions: the list, reading in full, writing, replying, closing, confirming."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.screen import Route
from carnet_tui.views import decision_view

Text = Callable[[Any], str]


@pytest.fixture
def small(places: ModuleType, tmp_path: Any) -> Iterator[Any]:
    """A project with a model and nothing decided yet."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.ids["model"] = tour.acts().declare("model", "churn", version="1").entity
    yield tour
    tour.desk.close()


async def test_what_waits_for_me_stands_first(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R044, R073: decisions and questions in one list, unsigned and replaced ones said in words."""
    async with visit(tour, ("decisions",)) as pilot:
        text = screen_text(pilot.app)
        rows = [line.split()[1:3] for line in text.splitlines() if " Q-" in line[:6] or " D-" in line[:6]]
        assert [code for code, _ in rows[:2]] == ["Q-2", "Q-1"] or rows[0][0] == "»"
        assert "2 wait for you" in text and "unsigned" in text and "replaced" in text and "blocking" in text
        await pilot.press("f")
        assert "mine" in screen_text(pilot.app).splitlines()[3]
        await pilot.press("f", "slash", *"half", "enter", "enter")
        text = screen_text(pilot.app)
        assert "Grace has not confirmed what Ana typed in that name" in text and "/ D-2" in text


async def test_a_decision_shows_who_why_options_and_what_replaced_it(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R073, R074, R075: who decided, why, under what constraints, what else; the later decision is named."""
    async with visit(tour, ("decisions",), ("decision", "decision"), size=(100, 40)) as pilot:
        text = screen_text(pilot.app)
        for said in ("decided by  Ana", "It beats the baseline", "logistic regression: worse by 0.03",
                     "explainable to agents", "One more dependency", "replaced by D-3  boosting without region"):  # fmt: skip
            assert said in text
        await pilot.press("g")
        assert "[ churn@2 ]" in screen_text(pilot.app)


async def test_a_new_decision_needs_a_reason_and_is_kept_when_one_leaves(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R073, R074: at most four fields must be filled; what was typed comes back."""
    async with visit(small, ("decisions",), size=(80, 30)) as pilot:
        assert "No decision and no question yet" in screen_text(pilot.app)
        await pilot.press("n", "d", "ctrl+d")
        assert "question is empty." in screen_text(pilot.app)
        await pilot.press(*"Which?", "enter", *"trees", "escape")
        assert not small.project.decisions()
        await pilot.press("n", "d")
        assert "Which?" in screen_text(pilot.app) and "trees" in screen_text(pilot.app)
        await pilot.press(*"a;b", "ctrl+d", *"ok", "ctrl+d")
        assert "It needs a reason that says something." in screen_text(pilot.app)
        await pilot.press(*" they win", "enter", *"by far", "ctrl+d", *"churn@1", "enter")
        text = screen_text(pilot.app)
        assert "nothing written yet" in text and "by far" in text and "option" in text
        assert not small.project.decisions()
        await pilot.press("enter")
        assert "decided: trees" in screen_text(pilot.app).casefold()
    [view] = small.project.decisions()
    assert (view.decision.question, view.decision.choice) == ("Which?", "trees")
    assert view.decision.reason == "ok they win\nby far" and view.decision.about == (small.ids["model"],)
    assert [o.title for o in view.decision.options] == ["a", "b"] and not view.unsigned_by


async def test_a_name_nobody_has_is_refused_before_anything_is_written(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    async with visit(small, ("decisions",)) as pilot:
        await pilot.press("n", "d", *"Which?", "enter", *"trees", "enter", "enter", "enter", *"Zoe", "ctrl+d")
        assert "nobody in this project is called 'Zoe'" in screen_text(pilot.app)
        await pilot.press("escape")


async def test_what_was_typed_for_me_is_confirmed_with_my_key(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R073: a decision in another's name stays unsigned until that person confirms it."""
    tour = places.build(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")}, runs=0)
    async with visit(tour, ("decisions",), ("decision", "typed"), who="Grace") as pilot:
        assert "⏎ confirm" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "You say with your own key" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "confirmed the decision" in screen_text(pilot.app).casefold() and "unsigned" not in screen_text(
            pilot.app
        )
    view = tour.project.decision(tour.ids["typed"])
    assert not view.unsigned_by
    async with visit(tour, ("decisions",), ("question", "mine"), who="Tom") as pilot:
        await pilot.press("enter", *"more", "escape")  # typed and left
        await pilot.press("enter")
        assert "more" in screen_text(pilot.app)
        await pilot.press("ctrl+d", "enter")
        assert "replied" in screen_text(pilot.app).casefold()
    assert [r.text for r in tour.project.question(tour.ids["mine"]).replies][-1] == "more"
    async with visit(tour, ("decisions",), ("question", "mine")) as pilot:
        await pilot.press("enter", "c", "enter")
        assert "closed the question" in screen_text(pilot.app).casefold()
        await pilot.press("enter")
        assert "Cannot open now: it is closed." in screen_text(pilot.app)
    tour.desk.close()


async def test_hostile_decisions_show_as_signs(
    small: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """What others wrote reaches the screen as visible signs alone."""
    evil = "x\x1b[31m\u202ey\x07 and then some"
    entity = small.acts().decide(evil, evil, evil, options=[{"title": evil, "why": evil}], constraints=[evil]).entity
    small.ids["evil"] = entity
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(small, ("decisions",), size=size) as pilot:
            await pilot.press("enter")
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e") and "x␛[31m" in text


def test_parts_of_a_text_are_parted_by_semicolons() -> None:
    assert decision_view.split(" a ; b,c;; ") == ["a", "b,c"]


async def test_a_decision_and_a_question_show_where_they_are_cited(
    main_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R044: links go both ways: the item that a decision is evidence of, the question asked about it, the decision about that question."""
    tour = main_path("half")
    asked = tour.at("Grace").ask("Does it hold for new customers?", about=[tour.decision]).entity
    tour.at("Ana").decide("Is that asked too late?", "no", "The first gate is still open.", about=[asked])
    found = tour.project.cited(tour.decision)
    assert [q.id for q in found.questions] == [asked] and found.items == ((tour.handoff, "approach.decision"),)
    assert tour.project.cited(tour.run).items == () and tour.project.cited(tour.criteria).items == (
        (tour.handoff, "framing.criteria"),
    )
    async with visit(tour, ("decisions",), size=(100, 40)) as pilot:
        pilot.app.enter(Route("decision", (tour.decision,)))
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "cited by" in text and "Q-1  Does it hold for new customers?" in text
        assert "evidence of" in text and "churn@2, approach.decision" in text
        await pilot.press("escape")
        pilot.app.enter(Route("question", (asked,)))
        await settled(pilot)
        assert "D-2  no" in screen_text(pilot.app)
