"""One item: answering each type, verifying, waiving, asking, undoing; previews before records; drafts kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from carnet_tui.widgets.line_list import LineList

Text = Callable[[Any], str]
SIZES = [(80, 24), (160, 48), (40, 12)]


def at(tour: Any, item: str) -> tuple[tuple[str, ...], ...]:
    return (("inbox",), ("handoff", "handoff"), ("item", "handoff", item))


def status(tour: Any, item: str) -> Any:
    return tour.project.look(tour.handoff).status.item(item)


@pytest.mark.parametrize("size", SIZES)
async def test_looks(main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """The item with its answer, evidence, help, why and source."""
    tour = main_path("ready")
    async with visit(tour, *at(tour, "approach.evaluation"), size=size) as pilot:
        golden(f"main_item_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_evidence_states_differ_without_colour(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Asserted, recorded and checked here are told apart by sign and word."""
    tour = main_path("ready")
    found = {}
    for item, word in (
        ("framing.problem", "asserted"), ("rebuild.receiver_rerun", "recorded, not run here"),
        ("approach.evaluation", "checked here"),
    ):  # fmt: skip
        async with visit(tour, *at(tour, item), size=(100, 40)) as pilot:
            line = next(line for line in screen_text(pilot.app).split("\n") if word in line)
            found[word] = line.strip()[0]
    assert len(set(found.values())) == 3


async def test_number_from_a_run(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A number is picked from a run's metrics; nothing is written before Enter in the preview (weight: record)."""
    tour = main_path("half")
    before = tour.project.ledger.count()
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("a", "y")
        assert "must be auc >= 0.83" in screen_text(pilot.app)
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "nothing written yet" in text and "it holds: auc 0.8405 >= 0.83" in text
        assert tour.project.ledger.count() == before
        await pilot.press("enter")
        assert tour.project.ledger.count() == before + 1
        assert status(tour, "approach.evaluation").state == "answered"
        assert "answered approach.evaluation" in screen_text(pilot.app)


async def test_left_preview_is_a_draft(main_path: Any, visit: Any, screen_text: Text) -> None:
    """esc at the preview keeps a draft, u drops it, nothing was written."""
    tour = main_path("half")
    before = tour.project.ledger.count()
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("a", "y", "enter", "escape")
        assert "DRAFT" in screen_text(pilot.app) and "0.8405" in screen_text(pilot.app)
        await pilot.press("u")
        assert "is gone" in screen_text(pilot.app)
        assert tour.desk.acts(tour.project).drafts() == {}
    assert tour.project.ledger.count() == before


async def test_text(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A text is typed in place; leaving keeps it, coming back finds it."""
    tour = main_path("open")
    async with visit(tour, *at(tour, "framing.problem")) as pilot:
        await pilot.press("a", "y")
        pilot.app.screen.query_one(TextArea).text = "Each month retention calls those with a score over one half."
        await pilot.press("escape")
        assert "begun: Each month" in screen_text(pilot.app)
        await pilot.press("a", "y")
        assert pilot.app.screen.query_one(TextArea).text.startswith("Each month")
        await pilot.press("ctrl+d", "enter")
        assert status(tour, "framing.problem").state == "answered"


async def test_link_picker(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Links are picked from what there is, filtered while one types."""
    tour = main_path("open")
    async with visit(tour, *at(tour, "approach.decision")) as pilot:
        await pilot.press("a", "y", "down", "enter")  # what the record says is linked at first; this lets go of it
        await pilot.press(*"gradient")
        assert "gradient boosting" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "done: D-1" in screen_text(pilot.app)
        await pilot.press("enter", "enter")
        assert status(tour, "approach.decision").value["links"] == [tour.decision]


async def test_file_by_path(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A file by its path, completed by tab; a wrong path is said and the dialog stays."""
    tour = main_path("half")
    folder: Path = tour.desk.store.root.parent
    (folder / "uv.lock").write_text("# locked\n")
    async with visit(tour, *at(tour, "rep.env.lock")) as pilot:
        await pilot.press("a", "y")
        await pilot.press(*"nothing", "enter")
        assert "There is no file" in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = "uv"
        await pilot.press("tab")
        assert pilot.app.screen.query_one(Input).value == "uv.lock"
        await pilot.press("enter")
        if "Link the evidence" in screen_text(pilot.app):
            await pilot.press("escape")
        await pilot.press("enter")
        assert status(tour, "rep.env.lock").value["files"][0]["path"] == "uv.lock"


async def test_table(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Cells by column, a wrong cell is named, rows pasted as CSV."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "prod.reliability"), who="Aiko") as pilot:
        await pilot.press("a", "y")
        form = pilot.app.screen
        form.paste("objective,target,unit,window\nup,much,%,month\nfast,120,ms,p99\n")
        await pilot.pause()
        await pilot.press("ctrl+d")
        assert "is no number" in screen_text(pilot.app)
        cell = next(one for one in form.query(Input) if one.value == "much")
        cell.value = "99.5"
        await pilot.press("ctrl+d")
        assert "nothing written yet" in screen_text(pilot.app)
        await pilot.press("enter")
        assert [row["target"] for row in status(tour, "prod.reliability").value["rows"]] == ["99.5", "120"]


async def test_command_is_recorded_not_checked(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A command runs here, its exit code and output are kept; nothing counts it as checked (R049)."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "rebuild.receiver_rerun"), who="Tom") as pilot:
        await pilot.press("a", "y")
        pilot.app.screen.query_one(Input).value = "python3 -c 'print(6*7)'"
        await pilot.press("enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if "nothing written yet" in screen_text(pilot.app):
                break
        assert "exit code 0" in screen_text(pilot.app)
        await pilot.press("enter")
        one = status(tour, "rebuild.receiver_rerun")
        assert one.evidence == "recorded" and one.state == "answered"
        sha = one.value["result"]["output"]["sha256"]
        assert tour.project.objects.get(sha) == b"42\n"
        await pilot.press("o")
        assert "42" in screen_text(pilot.app)


async def test_command_that_cannot_start(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A program that is not there is said; nothing is written."""
    tour = main_path("half")
    before = tour.project.ledger.count()
    async with visit(tour, *at(tour, "rebuild.receiver_rerun"), who="Tom") as pilot:
        await pilot.press("a", "y")
        pilot.app.screen.query_one(Input).value = "no-such-program-here"
        await pilot.press("enter")
        for _ in range(40):
            await pilot.pause(0.05)
            if "could not be started" in screen_text(pilot.app):
                break
        assert "could not be started" in screen_text(pilot.app)
    assert tour.project.ledger.count() == before


async def test_unknown_in_two_keys(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Two keystrokes and a preview: unknown is honest and stays open."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("a", "u", "enter")
        assert status(tour, "approach.evaluation").state == "unknown"


async def test_verify_and_disagree(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Another agrees or disagrees; a disagreement needs a reason; nobody verifies an own answer."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "approach.decision")) as pilot:
        await pilot.press("v")
        assert "it is your own answer" in screen_text(pilot.app)
    async with visit(tour, *at(tour, "approach.decision"), who="Tom") as pilot:
        await pilot.press("v", "n", "ctrl+d")
        assert "It needs a reason" in screen_text(pilot.app)
        pilot.app.screen.query_one(TextArea).text = "the second option was never measured"
        await pilot.press("ctrl+d", "enter")
        one = status(tour, "approach.decision")
        assert one.state == "disagreed" and "never measured" in one.reasons[0]
        await pilot.press("v", "y", "enter")
        assert status(tour, "approach.decision").state == "ok"


async def test_enter_does_what_the_item_waits_for(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Enter on an item answers or verifies it, as the footer says."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "approach.decision"), who="Tom") as pilot:
        assert "⏎ v verify" in screen_text(pilot.app)
        await pilot.press("enter", "y", "enter")
        assert status(tour, "approach.decision").state == "ok"
        assert "⏎" not in screen_text(pilot.app).splitlines()[-1]
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("enter")
        assert "y change it first" in screen_text(pilot.app)
    async with visit(tour, *at(tour, "rep.rnd.seeds")) as pilot:
        await pilot.press("enter")
        assert "y fill the rows" in screen_text(pilot.app)


async def test_spoken_by_another(main_path: Any, visit: Any, screen_text: Text) -> None:
    """R003: who spoke an answer is chosen in its menu, without a letter; it counts once that person confirms it, by Enter."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "approach.evaluation"), size=(100, 40)) as pilot:
        await pilot.press("a", "right", "right", "right", "right")
        assert "spoken by: me" in screen_text(pilot.app)
        await pilot.press("enter", *"grace", "enter")
        assert "spoken by: Grace" in screen_text(pilot.app)
        await pilot.press("y", "enter")
        text = screen_text(pilot.app)
        assert "spoken by Grace, typed by Ana as researcher; counts when Grace confirms" in text
        await pilot.press("escape", "a")
        assert "spoken by: Grace" in screen_text(pilot.app)  # the draft knows who spoke
        await pilot.press("y", "enter", "enter")
        one = status(tour, "approach.evaluation")
        assert one.state == "unconfirmed" and one.value["spoken_by"] == tour.people["Grace"].person
        assert "spoken by Grace, typed by Ana, just now; counts when Grace confirms" in screen_text(pilot.app)
    async with visit(tour, ("inbox",), who="Grace", size=(100, 40)) as pilot:
        assert "1 answer typed for you" in screen_text(pilot.app)
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "counts once you confirm it" in text and "⏎ confirm" in text
        await pilot.press("enter")
        assert "typed by Ana; you confirm that you said so" in screen_text(pilot.app)
        await pilot.press("enter")
        assert status(tour, "approach.evaluation").state == "answered"
        assert "Grace confirmed it" in screen_text(pilot.app)


async def test_a_text_left_half_keeps_who_spoke_it(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A begun text goes on as the words of whoever spoke it; `me` takes it back."""
    tour = main_path("open")
    async with visit(tour, *at(tour, "framing.problem"), size=(100, 40)) as pilot:
        await pilot.press(
            "a", "left", "left", "left", "right", "right", "right", "right", "enter", *"tom", "enter", "y"
        )
        pilot.app.screen.query_one(TextArea).text = "Each month retention calls those with a score over one half."
        await pilot.press("escape", "a")
        assert "spoken by: Tom" in screen_text(pilot.app)
        await pilot.press(*["right"] * 5, "enter", "enter")
        assert "spoken by: me" in screen_text(pilot.app)
        await pilot.press("y", "ctrl+d")
        assert "by Ana as researcher" in screen_text(pilot.app) and "spoken" not in screen_text(pilot.app)


async def test_findings(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A finding is raised from the verdict's menu or the palette, shown with its severity, and closed by its author alone."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "approach.decision"), who="Tom", size=(100, 44)) as pilot:
        await pilot.press("v", "right", "right", "right")
        assert "raise a finding" in screen_text(pilot.app)
        await pilot.press("enter", "ctrl+d")
        assert "It needs a text" in screen_text(pilot.app)
        pilot.app.screen.query_one(TextArea).text = "customer_id is\namong the features"
        await pilot.press("ctrl+d", *"block", "enter")
        text = screen_text(pilot.app)
        assert "nothing written yet" in text and "blocker: customer_id is" in text and "no gate shut by itself" in text
        assert not tour.project.look(tour.handoff).handoff.findings
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "FINDING    blocker: customer_id is" in text and "it is yours" in text
        assert status(tour, "approach.decision").state == "answered"  # no verdict was given
        await pilot.press("u")
        assert "a finding is closed instead" in screen_text(pilot.app)
    async with visit(tour, *at(tour, "approach.decision"), size=(100, 44)) as pilot:
        assert "by Tom, just now" in screen_text(pilot.app) and "it is yours" not in screen_text(pilot.app)
        await pilot.press(":", *"close finding", "enter")
        assert "Tom closes it" in screen_text(pilot.app)
        await pilot.press("escape", ":", *"finding", "enter")
        pilot.app.screen.query_one(TextArea).text = "the second option has no number"
        await pilot.press("ctrl+d", "enter", "enter")
        assert "major: the second option" in screen_text(pilot.app)
    async with visit(tour, ("inbox",), ("handoff", "handoff"), who="Tom", size=(100, 44)) as pilot:
        assert "2 open findings" in screen_text(pilot.app)
    async with visit(tour, *at(tour, "approach.decision"), who="Tom", size=(100, 44)) as pilot:
        await pilot.press(":", *"close finding", "enter")
        pilot.app.screen.query_one(TextArea).text = "removed in r-013"
        await pilot.press("ctrl+d")
        assert "found: customer_id is among the features" in screen_text(pilot.app)
        await pilot.press("enter")
    [left] = tour.project.look(tour.handoff).handoff.findings["approach.decision"]
    assert left.person == tour.people["Ana"].person


async def test_several_findings_of_mine(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Of several findings one chooses which is closed; whose sign-off turns stale is said before."""
    tour = main_path("ready")
    tour.step = 1000
    for text in ("the first thing found wrong", "the second thing found wrong"):
        tour.at("Tom").raise_finding(tour.handoff, "approach.decision", text)
    tour.at("Ana").sign(tour.handoff, "researcher", "as it stands here")
    async with visit(tour, *at(tour, "approach.decision"), who="Tom", size=(100, 44)) as pilot:
        await pilot.press(":", *"close finding", "enter")
        assert "Close which finding?" in screen_text(pilot.app)
        await pilot.press(*"first", "enter")
        pilot.app.screen.query_one(TextArea).text = "mended"
        await pilot.press("ctrl+d")
        assert "turns stale: the sign-off of Ana" in screen_text(pilot.app)
        await pilot.press("enter")
    [left] = tour.project.look(tour.handoff).handoff.findings["approach.decision"]
    assert left.value.text == "the second thing found wrong"
    assert not tour.project.look(tour.handoff).status.signoffs[0].fresh


async def test_undo_retracts_my_record(main_path: Any, visit: Any, screen_text: Text) -> None:
    """u takes back my last record on the item, after a preview."""
    tour = main_path("half")
    tour.answer("Ana", "approach.evaluation", "r-012 auc")
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("u")
        assert "Take this back" in screen_text(pilot.app)
        await pilot.press("enter")
        assert status(tour, "approach.evaluation").state == "open"


async def test_question_and_comment(main_path: Any, visit: Any, screen_text: Text) -> None:
    """q asks somebody, c remarks; both touch no package."""
    tour = main_path("half")
    digest = tour.project.look(tour.handoff).status.package
    async with visit(tour, *at(tour, "approach.evaluation"), size=(80, 40)) as pilot:
        await pilot.press("q")
        pilot.app.screen.query_one(TextArea).text = "which holdout was it?"
        await pilot.press("ctrl+d", "enter", "y", "enter")
        assert [q.question.text for q in tour.project.questions()] == ["which holdout was it?"]
        assert tour.project.questions()[0].question.blocking
        await pilot.press("c")
        pilot.app.screen.query_one(TextArea).text = "seen in the meeting"
        await pilot.press("ctrl+d", "enter")
        assert "seen in the meeting" in screen_text(pilot.app)
    assert tour.project.look(tour.handoff).status.package == digest


async def test_waiver_asks_for_the_digest(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A waiver is an act of weight: reason, mitigation, days, and the first characters of the item's digest."""
    tour = main_path("half")
    tour.answer("Ana", "rep.rnd.seeds", "unknown")
    one = status(tour, "rep.rnd.seeds")
    assert one.item.waiver_by == "risk_officer" and one.item.waiver_days > 0
    async with visit(tour, *at(tour, "rep.rnd.seeds"), who="Rosa") as pilot:
        await pilot.press("w")
        pilot.app.screen.query_one(TextArea).text = "the seed is lost, the run is re-done in March"
        await pilot.press("ctrl+d")
        pilot.app.screen.query_one(Input).value = "results are compared by hand"
        await pilot.press("enter")
        pilot.app.screen.query_one(Input).value = "9999"
        await pilot.press("enter")
        assert "A number of days from 1 to" in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = "14"
        await pilot.press("enter")
        await pilot.press(*"zzzz", "enter")
        assert status(tour, "rep.rnd.seeds").state == "unknown"
        await pilot.press(*one.digest[:4], "enter")
        assert status(tour, "rep.rnd.seeds").state == "waived"
        assert "WAIVED" in screen_text(pilot.app)


async def test_neighbours(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Left and right go from item to item; the ends are said."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "framing.problem")) as pilot:
        await pilot.press("left")
        assert "first item" in screen_text(pilot.app)
        await pilot.press("right")
        assert "framing.criteria" in screen_text(pilot.app)


async def test_machine_item_takes_no_answer(main_path: Any, visit: Any, screen_text: Text) -> None:
    """What the product judges itself nobody types."""
    tour = main_path("half")
    async with visit(tour, *at(tour, "data.lineage")) as pilot:
        await pilot.press("a")
        assert "the product judges it itself" in screen_text(pilot.app)


async def test_readback_is_confirmed_by_key(main_path: Any, visit: Any, screen_text: Text) -> None:
    """R007: the giver confirms the receiver's restatement with the own key."""
    tour = main_path("half")
    tour.answer(
        "Tom", "people.readback", "It ranks customers by risk.\n\nIt fails on new ones.\n\nI stop it then and call Ana."
    )
    async with visit(tour, *at(tour, "people.readback"), who="Ana") as pilot:
        await pilot.press("v", "y", "enter")
        assert status(tour, "people.readback").state == "ok"


async def test_g_goes_to_what_the_item_rests_on(main_path: Any, visit: Any, screen_text: Text, settled: Any) -> None:
    """The evidence where there is some, chosen among several; else the model; esc comes back to the item."""
    tour = main_path("ready")
    async with visit(tour, *at(tour, "approach.evaluation")) as pilot:
        await pilot.press("g")
        await settled(pilot)
        assert pilot.app.path[-1].about == (tour.ids["run"],)
        await pilot.press("escape")
        assert pilot.app.path[-1].name == "item"
    async with visit(tour, *at(tour, "framing.problem")) as pilot:
        await pilot.press("g")
        await settled(pilot)
        assert pilot.app.path[-1].about == (tour.ids["model"],)
    tour.answer("Ana", "framing.criteria", [tour.criteria, tour.run])
    async with visit(tour, *at(tour, "framing.criteria")) as pilot:
        await pilot.press("g")
        assert "Which in the lineage?" in screen_text(pilot.app) and "all of these" in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.path[-1].name == "item"
        await pilot.press("g", "a", "l", "l", "space", "o", "f", "enter")
        await settled(pilot)
        rows = pilot.app.screen.query_one(LineList)
        assert {rows.row(at).row.id for at in range(rows.row_count)} == {tour.criteria, tour.run}
