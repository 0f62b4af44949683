"""What the record says to items: shown as proposed, taken after a look, marked as recorded, and told when the record says something else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, TextArea

from carnet_store import starting
from carnet_store.domain.filling import QUERIES, Proposal
from carnet_store.exchange.importers.things import Source
from carnet_tui.glyphs import Glyphs
from carnet_tui.live import CarnetApp
from carnet_tui.screen import Route
from carnet_tui.views import item_view, proposal_view

Text = Callable[[Any], str]
HANDOFF = (("inbox",), ("handoff", "handoff"))
SIZES = [(80, 24), (160, 48), (40, 12)]
LOCK = b"numpy==2.0 --hash=sha256:00\n"


@pytest.fixture(scope="module")
def mould(places: Any, real_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ana's project with what MLflow recorded, and a handoff by the whole gate: some items of each type are answered by the record."""
    made = tmp_path_factory.mktemp("mould") / "tour"
    made.mkdir()
    tour = places.empty(made, {"CARNET_CONFIG": str(made / "keys")})
    tour.clock.step = 0
    folder = tour.desk.store.root.parent
    place = shutil.copytree(real_tools / "mlflow-sqlite", folder / "mlflow")
    with tour.desk.capture_plan(tour.project, [("mlflow", Source(place))]) as plan:
        tour.desk.capture(tour.project, plan)
    run = starting.last_run(tour.project)
    lock = tour.project.objects.put(LOCK)
    environment = tour.acts().declare("environment", "uv", attrs={
        "lock": {"path": "uv.lock", "sha256": lock, "size": len(LOCK)}, "packages": {"numpy": "2.0"}, "hashed": 1,
    }).entity  # fmt: skip
    tour.acts().link(run.id, "used", environment)
    opened = starting.open_from_run(tour.desk, tour.project, tour.project.node(run.id), gate="research-to-engineering")
    tour.ids |= {"handoff": opened.look.handoff.id, "run": run.id, "model": opened.look.handoff.opened.model}
    tour.handoff = opened.look.handoff.id
    tour.proposals = opened.proposals
    tour.desk.close()
    return tour


@pytest.fixture
def lab(places: Any, mould: Any, tmp_path: Path) -> Iterator[Any]:
    """A copy of it for each test."""
    tour = places.copy(mould, tmp_path / "tour")
    tour.handoff, tour.proposals = mould.handoff, mould.proposals
    yield tour
    tour.desk.close()


def item_at(item: str) -> tuple[tuple[str, ...], ...]:
    return (*HANDOFF, ("item", "handoff", item))


def status(tour: Any, item: str) -> Any:
    return tour.project.look(tour.ids["handoff"]).status.item(item)


# Shown


@pytest.mark.parametrize("size", SIZES)
async def test_looks_as_a_list(
    main_path: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """The head counts what the record answers, a row takes it, and each such item is marked by sign and word."""
    tour = main_path("open")
    async with visit(tour, *HANDOFF, size=size) as pilot:
        await pilot.press("up")
        await pilot.pause()
        golden(f"proposed_list_{size[0]}x{size[1]}", screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES)
async def test_looks_as_an_item(lab: Any, visit: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """Below the answer stands what the record says, as it would stand, and what proves it."""
    async with visit(lab, *item_at("rep.rnd.seeds"), size=size) as pilot:
        golden(f"proposed_item_{size[0]}x{size[1]}", screen_text(pilot.app))


@pytest.mark.parametrize("size", SIZES)
async def test_looks_before_they_are_taken(
    lab: Any, visit: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """All of mine with question, what it says and from where; nothing is written yet, and more than fits can be read on."""
    async with visit(lab, *HANDOFF, size=size) as pilot:
        await pilot.press("up", "enter")
        golden(f"proposed_taking_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_marks_without_colour_and_in_ascii(
    main_path: Any, screen_text: Text, settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proposed is told by a sign of its own and a word, in both sets of signs and with colours off."""
    tour = main_path("half")
    monkeypatch.setenv("NO_COLOR", "1")
    for plain, sign in ((False, "\u25d4"), (True, "p")):
        path = (Route("inbox"), Route("handoff", (tour.handoff,)))
        app = CarnetApp(tour.desk, glyphs=Glyphs(plain), start=path, folder=tour.folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            line = next(line for line in screen_text(app).split("\n") if "approach.evaluation" in line)
            assert line[1] == sign and "proposed" in line
            assert f"{sign} take what the record says" in screen_text(app)


async def test_another_role_sees_and_does_not_take(main_path: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """What the record answers is shown to all; only who holds the answering role is offered to take it."""
    tour = main_path("half")
    async with visit(tour, *HANDOFF, who="Tom") as pilot:
        await pilot.press("f")
        text = screen_text(pilot.app)
        assert "the record answers 1 of 12" in text and "proposed" in text
        assert "take what the record says" not in text
        await pilot.press(":", *"take what", "enter")
        assert "what it answers is not yours to answer" in screen_text(pilot.app)
    async with visit(tour, *item_at("approach.evaluation"), who="Tom") as pilot:
        text = screen_text(pilot.app)
        assert "RECORD SAYS auc 0.8405 of r-012" in text and "takes it as it stands" not in text


async def test_nothing_is_computed_while_painting(
    main_path: Any, visit: Any, settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is asked off the loop, once for each state of the record, however often a list is painted and screens are changed."""
    tour = main_path("half")
    asked: list[str] = []
    proposals = starting.proposals

    def counted(project: Any, look: Any, **more: Any) -> Any:
        import threading

        asked.append(threading.current_thread().name)
        return proposals(project, look, **more)

    monkeypatch.setattr(starting, "proposals", counted)
    async with visit(tour, *HANDOFF, size=(160, 48)) as pilot:
        assert len(asked) == 1 and asked[0].startswith("carnet-store")
        await pilot.press("down", "up", "f", "f", "down", "enter", "right", "left", "escape", "r", "escape")
        assert len(asked) == 1
        await pilot.press("up", "up", "up", "enter", "enter")
        assert len(asked) == 2  # something was written


# Taken at once


async def test_all_of_mine_as_one_record(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """A letterless action previews them all; esc writes nothing, Enter one event; each keeps `filled`, its links, and is recorded."""
    before = lab.project.ledger.count()
    mine = {item for item, one in lab.proposals.items()}
    assert len(mine) > 8 and {"rep.rnd.seeds", "rep.par.search", "rep.par.all", "rep.env.lock"} <= mine
    async with visit(lab, *HANDOFF) as pilot:
        await pilot.press(":", *"take what", "enter")
        assert f"Answer {len(mine)} items by what the record says" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "Nothing was written." in screen_text(pilot.app) and lab.project.ledger.count() == before
        await pilot.press(":", *"take what", "enter", "enter")
        assert f"answered {len(mine)} items" in screen_text(pilot.app)
        assert "take what the record says" not in screen_text(pilot.app)
    assert lab.project.ledger.count() == before + 1
    for item in mine:
        one = status(lab, item)
        assert one.value == lab.proposals[item].value, item
        assert one.evidence in ("recorded", "checked here") and one.state == "answered", item


async def test_a_draft_of_mine_is_left_out(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """What I began to answer otherwise is not passed over: it is named as left out, and stays a draft."""
    async with visit(lab, *item_at("rep.par.search")) as pilot:
        await pilot.press("a", "y")
        pilot.app.screen.query_one(TextArea).text = "tried by hand"
        await pilot.press("ctrl+d", "escape")
        assert "Kept as a draft" in screen_text(pilot.app)
        await pilot.press("a")
        text = screen_text(pilot.app)
        assert "y go on with your draft" in text and "choose first" in text  # Enter alone does not drop it
    async with visit(lab, *HANDOFF, size=(100, 60)) as pilot:
        await pilot.press(":", *"take what", "enter")
        text = screen_text(pilot.app)
        assert f"Answer {len(lab.proposals) - 1} items" in text
        await pilot.press("end")
        assert "not taken: rep.par.search (you have a draft)" in screen_text(pilot.app)


async def test_nothing_left_to_take(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Where the record answers nothing that is open, the action says so."""
    starting.fill(lab.desk, lab.project, lab.project.look(lab.handoff))
    async with visit(lab, *HANDOFF) as pilot:
        assert "the record answers" not in screen_text(pilot.app)
        await pilot.press(":", *"take what")
        assert "not now: the record answers no open item" in screen_text(pilot.app)


# Taken one by one

BY_TYPE = {
    "text": "rep.par.search",
    "table": "rep.rnd.seeds",
    "link": "rep.par.all",
    "file": "rep.env.lock",
}


@pytest.mark.parametrize("kind", BY_TYPE)
async def test_enter_enter_takes_one(lab: Any, visit: Any, settled: Any, screen_text: Text, kind: str) -> None:
    """`a`, then Enter and Enter takes what the record says as it stands, whatever the type; before the last nothing is written."""
    item = BY_TYPE[kind]
    assert status(lab, item).item.type == kind
    before = lab.project.ledger.count()
    async with visit(lab, *item_at(item)) as pilot:
        await pilot.press("a")
        assert "The record says: " in screen_text(pilot.app)
        await pilot.press("enter")
        assert "nothing written yet" in screen_text(pilot.app) and lab.project.ledger.count() == before
        await pilot.press("enter")
        assert "recorded: " in screen_text(pilot.app)
    assert status(lab, item).value == lab.proposals[item].value


@pytest.mark.parametrize("kind", BY_TYPE)
async def test_through_the_editor_unchanged(lab: Any, visit: Any, settled: Any, kind: str) -> None:
    """The editor begins with what the record says; left as it is, the answer is the record's own, marked so, with its proof."""
    item = BY_TYPE[kind]
    async with visit(lab, *item_at(item)) as pilot:
        await pilot.press("a", "y", *(("ctrl+d",) if kind in ("text", "table") else ("enter",)), "enter")
    assert status(lab, item).value == lab.proposals[item].value


async def test_a_number_from_the_criterion(main_path: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """The proposed metric stands first among the numbers; picked there it keeps `filled`, another does not."""
    tour = main_path("half")
    async with visit(tour, *item_at("approach.evaluation")) as pilot:
        await pilot.press("a", "y")
        line = next(line for line in screen_text(pilot.app).split("\n") if line.startswith("\u258c"))
        assert "0.8405  auc of r-012" in line and "the record says" in line
        await pilot.press("enter", "enter")
        value = status(tour, "approach.evaluation").value
        assert value["filled"] == "metric" and value["metric"]["value"] == "0.8405"
        assert "recorded: auc 0.8405 of r-012" in screen_text(pilot.app) and "checked here" in screen_text(pilot.app)
        await pilot.press("a", "y", *"0.9056", "enter")
        if "Link the evidence" in screen_text(pilot.app):
            await pilot.press("escape")
        await pilot.press("enter")
    value = status(tour, "approach.evaluation").value
    assert value["metric"]["value"] == "0.9056" and "filled" not in value


async def test_changed_it_is_ones_own(lab: Any, visit: Any, settled: Any) -> None:
    """A changed text, row, link or file drops `filled`; what proves it stays linked as evidence of text and rows."""
    async with visit(lab, *item_at("rep.par.search")) as pilot:
        await pilot.press("a", "y")
        field = pilot.app.screen.query_one(TextArea)
        field.text = field.text + "\nThe largest C was taken."
        await pilot.press("ctrl+d", "enter")
    value = status(lab, "rep.par.search").value
    assert value["text"].endswith("The largest C was taken.") and "filled" not in value
    assert value["links"] == list(lab.proposals["rep.par.search"].proof)
    async with visit(lab, *item_at("rep.rnd.seeds")) as pilot:
        await pilot.press("a", "y")
        cells = list(pilot.app.screen.query(Input))
        cells[1].value = "8"
        await pilot.press("ctrl+d", "enter")
    value = status(lab, "rep.rnd.seeds").value
    assert value["rows"][0]["seed"] == "8" and "filled" not in value and value["links"]
    async with visit(lab, *item_at("rep.par.all")) as pilot:
        await pilot.press("a", "y", "down", "enter", *"grid-search", "enter", "enter", "enter")
    value = status(lab, "rep.par.all").value
    assert "filled" not in value and value["links"] != list(lab.proposals["rep.par.all"].proof)
    own = lab.desk.store.root.parent / "own.lock"
    own.write_text("other\n")
    async with visit(lab, *item_at("rep.env.lock")) as pilot:
        await pilot.press("a", "y", "down", "enter")
        pilot.app.screen.query_one(Input).value = "own.lock"
        await pilot.press("enter", "enter")
    value = status(lab, "rep.env.lock").value
    assert value["files"][0]["path"].endswith("own.lock") and "filled" not in value


async def test_unknown_is_still_an_answer(lab: Any, visit: Any, settled: Any) -> None:
    """Whoever knows better says unknown; the record is not asked."""
    async with visit(lab, *item_at("rep.rnd.seeds")) as pilot:
        await pilot.press("a", "u", "enter")
    assert status(lab, "rep.rnd.seeds").value == {"state": "unknown"}


async def test_an_unchanged_text_leaves_no_draft(lab: Any, visit: Any, settled: Any) -> None:
    """Leaving the editor without a change of the record's words keeps nothing: it is still all the record's to say."""
    async with visit(lab, *item_at("rep.par.search")) as pilot:
        await pilot.press("a", "y", "escape")
        assert lab.acts().drafts(f"answer {lab.handoff}") == {}


async def test_answering_waits_for_what_the_record_says(
    lab: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`a` pressed before the record was heard begins with what it says all the same."""
    import threading

    go, proposals = threading.Event(), starting.proposals

    def slow(*args: Any, **more: Any) -> Any:
        go.wait(10)
        return proposals(*args, **more)

    monkeypatch.setattr(starting, "proposals", slow)
    path = (Route("inbox"), Route("handoff", (lab.handoff,)), Route("item", (lab.handoff, "rep.par.all")))
    app = CarnetApp(lab.desk, glyphs=Glyphs(False), start=path, folder=lab.folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "RECORD SAYS" not in screen_text(app)
        await pilot.press("a")
        await pilot.pause()
        go.set()
        await settled(pilot)
        assert "as the record says" in screen_text(app)


# Review


async def test_review_begins_with_what_the_record_says(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """In the walk the item shows what the record says; `a` Enter makes a draft of it, and the batch keeps `filled`."""
    async with visit(lab, *HANDOFF, ("review", "handoff")) as pilot:
        pilot.app.screen.step(pilot.app.screen.items.index("rep.par.all"))
        await settled(pilot)
        assert "RECORD SAYS 5 parameters of logreg-C=10.0" in screen_text(pilot.app)
        await pilot.press("a", "enter")
        assert "rep.par.all: a draft, not signed, not shared." in screen_text(pilot.app)
        assert status(lab, "rep.par.all").value is None
        await pilot.press(":", *"write all drafts", "enter", "enter")
    assert status(lab, "rep.par.all").value == lab.proposals["rep.par.all"].value


# Afterwards


async def test_recorded_by_which_query(lab: Any, visit: Any, screen_text: Text) -> None:
    """An answer taken from the record is shown as recorded with the query's words, not as somebody's own."""
    starting.fill(lab.desk, lab.project, lab.project.look(lab.handoff))
    async with visit(lab, *item_at("rep.par.all"), size=(100, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "\u25d0 recorded: 5 parameters of logreg-C=10.0" in text
        assert "did not run it" not in text and "RECORD SAYS" not in text


async def test_when_the_record_says_something_else_now(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """The item tells that the graph says something else than what was taken, and what; or that it does not answer it any more."""
    starting.fill(lab.desk, lab.project, lab.project.look(lab.handoff))
    other = lab.acts().declare("run", "again", params={"seed": "1"}, metrics=[]).entity
    lab.acts().link(other, "made", lab.ids["model"])
    async with visit(lab, *item_at("rep.rnd.seeds"), size=(100, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "recorded: seeds of its run" in text
        assert "RECORD SAYS the record says something else now: " in text and "again" in text
    lab.acts().declare("run", "third", params={}, metrics=[])
    third = lab.acts().declare("run", "third", params={}, metrics=[]).entity
    lab.acts().link(third, "made", lab.ids["model"])
    async with visit(lab, *item_at("rep.par.all"), size=(100, 40)) as pilot:
        assert "RECORD SAYS the record does not answer this any more" in screen_text(pilot.app)


async def test_hostile_words(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Names of nodes with escape codes and markup are signs wherever a proposal is shown."""
    evil = (
        lab.acts().declare("run", "\x1b]0;evil\x07 [red]x[/red]\u202e", params={"seed": "\x1b[31m7"}, metrics=[]).entity
    )
    lab.acts().link(evil, "made", lab.ids["model"])
    async with visit(lab, *item_at("rep.rnd.seeds"), size=(120, 40)) as pilot:
        for keys in ((), ("a",), ("escape", "escape", "up", "up", "enter")):
            await pilot.press(*keys)
            text = screen_text(pilot.app)
            assert "\u241b]0;evil\u2407 [red]x[/red]" in text or "\u241b[31m7" in text
            assert not any(sign in text for sign in "\x1b\x07\u202e")


# Opening of a run


async def test_open_of_a_run(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """`n` on the models offers what a run made, the last that ended well first; the handoff opens on what the record answers."""
    async with visit(lab, ("models",)) as pilot:
        await pilot.press("n", "right", "right", "right", "enter")
        line = next(line for line in screen_text(pilot.app).split("\n") if line.startswith("\u258c"))
        assert "the last run that ended well" in line and "logreg-C=10.0" in line
        await pilot.press("enter")
        assert "goes on already" in screen_text(pilot.app) and pilot.app.path[-1] == Route("handoff", (lab.handoff,))
        pilot.app.visit((Route("models"),))
        await settled(pilot)
        await pilot.press("n", "right", "right", "right", "enter", *"logreg-C=1.0", "enter")
        assert "Which gate?" in screen_text(pilot.app)
        await pilot.press("enter", "enter")
        text = screen_text(pilot.app)
        assert "which logreg-C=1.0 made" in text and "linked: the run, and" in text
        before = lab.project.ledger.count()
        await pilot.press("enter")
        assert lab.project.ledger.count() > before
        assert pilot.app.path[-1].name == "handoff" and "\u258c\u25d4 take what the record says" in screen_text(
            pilot.app
        )


async def test_open_of_a_run_that_made_nothing_recorded(lab: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Where no model version of a run is recorded its name is asked; it is declared with the handoff, in the same flow."""
    lab.acts().declare("run", "loose", params={"seed": "3"}, metrics=[])
    async with visit(lab, ("models",)) as pilot:
        await pilot.press("n", "right", "right", "right", "enter", *"loose", "enter")
        assert "What did loose make?" in screen_text(pilot.app)
        await pilot.press(*"churn@9", "enter", "enter", "enter")
        assert "a handoff of churn@9, declared now, which loose made" in screen_text(pilot.app)
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "handoff" and "churn@9" in screen_text(pilot.app)


# Words


def test_every_query_has_words() -> None:
    """Each query of the store is told in words; one that only a newer Carnet knows is named, cleaned."""
    assert set(proposal_view.SAID_BY) == set(QUERIES)
    assert proposal_view.query_words("from the future\x1b") == "from the future\u241b"


def test_same_whoever_said_it() -> None:
    """Two answers are the same whoever spoke or typed them; another value, link or state differs."""
    value = {"state": "given", "rows": [{"seed": "7"}], "links": ["run:1"], "filled": "seeds"}
    assert proposal_view.same({**value, "spoken_by": "x", "typed_by": "y", "note": "z"}, value)
    changes: list[dict[str, Any]] = [{"rows": [{"seed": "8"}]}, {"links": []}, {"state": "unknown"}]
    for change in changes:
        assert not proposal_view.same({**value, **change}, value)


def test_long_values_are_cut_before_they_are_taken(lab: Any) -> None:
    """Of 10,000 lines and hundreds of proofs the preview shows the first and counts the rest; wide signs keep the width."""
    item = lab.project.look(lab.handoff).checklist.item("rep.par.search")
    value = {"state": "given", "text": "\n".join(f"\u4fa1\u683c {n}" * 30 for n in range(10_000)), "filled": "search"}
    one = Proposal("rep.par.search", "search", value, "\u4fa1" * 300, tuple(f"run:{n:032x}" for n in range(50)))
    names = item_view.Names(lambda person: person, lambda entity: f"\u4fa1\u683c {entity[-4:]}")
    for cells in (40, 80, 160):
        lines = proposal_view.taking([(item, one)], names, "Ana", [])(cells)
        assert len(lines) < 60 and any("and 9997 more lines" in "".join(t for t, _ in line) for line in lines)
        assert "and 44 more" in " ".join("".join(t for t, _ in line).strip() for line in lines)


def test_a_second_desk_says_the_same(lab: Any) -> None:
    """What another thread's desk hears is what the first would say: the cache may be trusted."""
    with lab.desk.clone() as desk:
        project = desk.store.project(lab.project.id)
        heard = starting.proposals(project, project.look(lab.handoff), answered=True)
    assert heard == lab.proposals and len(heard) > 8
