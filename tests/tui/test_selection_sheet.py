"""`/` in the lineage: a word finds a node, signs select; what is wrong is told in place; what was selected is remembered."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from carnet_tui import taking_in
from carnet_tui.screens.lineage import LineageScreen
from carnet_tui.views.lineage_asked import EXAMPLES, Around, Chosen, is_words
from carnet_tui.widgets import selection_sheet
from carnet_tui.widgets.selection_sheet import SelectionSheet

Text = Callable[[Any], str]
NAMES = {"/": "slash", ":": "colon", "+": "plus", "*": "asterisk", " ": "space", "@": "at", "^": "circumflex_accent", ",": "comma",
         "-": "minus", ".": "full_stop", "(": "left_parenthesis"}  # fmt: skip


async def write(pilot: Any, settled: Any, text: str, *keys: str) -> None:
    """Type a text at once, then press keys."""
    await pilot.press(*(NAMES.get(char, char) for char in text))
    await settled(pilot)
    await pilot.press(*keys)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """No selection of another test is remembered."""
    SelectionSheet.history.clear()


def screen(pilot: Any) -> LineageScreen:
    here = pilot.app.screen
    assert isinstance(here, LineageScreen)
    return here


@pytest.mark.parametrize(
    ("text", "words"),
    [("churn", True), ("churn model", True), ("churn@2", True), ("o'neil", True), ("r-012", True), ("a/b.c", True), ("knot", True),
     ("kind:run", False), ("+churn", False), ("a..b", False), ("a ^ b", False), ("tel*", False), ("a not b", False), ("'a b'", False),
     ('"a b"', False), ("(a b)", False)],
)  # fmt: skip
def test_what_is_a_word_and_what_is_a_selection(text: str, words: bool) -> None:
    """Without a sign of the language a text is looked for."""
    assert is_words(text) is words


def test_examples_are_selections(tour: Any) -> None:
    """Every example can be read, with a name in it; the sheet would else teach what does not work."""
    from carnet_store.domain.selection import parse

    for text, note in EXAMPLES:
        parse(text.replace("NODE", "churn@2").replace("OTHER", "telco@3"))
        assert note


async def test_a_mistake_is_told_under_its_column(tour: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """The sign stands under the letter, the sentence says the mend; Enter takes nothing then."""
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("slash")
        assert " 1+r-012+1" in screen_text(pilot.app) and "as it is" in screen_text(pilot.app)
        await write(pilot, settled, "kind:rum,r-012")
        lines = screen_text(pilot.app).splitlines()
        at = next(number for number, line in enumerate(lines) if "kind:rum" in line)
        assert lines[at + 1].index("^") == lines[at].index("rum") and "column 6" in lines[at + 1]
        assert "there is no kind 'rum'. Did you mean run?" in lines[at + 2]
        await pilot.press("enter")
        assert "there is no kind" in screen_text(pilot.app)
        await pilot.press(*["backspace"] * 7)
        await write(pilot, settled, "n")
        assert " 16 nodes" in screen_text(pilot.app) or "nodes" in screen_text(pilot.app)
        await pilot.press("enter")
        assert screen(pilot)._asked == Chosen("kind:run") and screen(pilot).view == "focus"


async def test_a_text_that_is_a_nodes_name_is_that_node_whatever_signs_it_has(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """As `carnet lineage a:b` has it: name, `name@version` and id; what can be read as a selection too is offered after it."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    made = {name: acts.declare("dataset", name).entity for name in ("a:b", "c++", "..", "kind:run", "a,b", "(a")}
    made |= {"x:y@2": acts.declare("model", "x:y", version="2").entity, "zz": acts.declare("run", "zz").entity}
    twins = [acts.declare("dataset", "t:t", version=version).entity for version in ("1", "2")]
    made |= {made["zz"]: made["zz"]}
    async with visit(tour, ("inbox",), ("lineage", made["zz"])) as pilot:
        for text, entity in made.items():
            if text != "zz":
                await pilot.press("slash")
                await write(pilot, settled, text, "enter")
                assert screen(pilot)._asked == Around(entity), text
        await pilot.press("slash")
        await write(pilot, settled, "kind:run", "down", "enter")
        assert screen(pilot)._asked == Chosen("kind:run")
        await pilot.press("slash")
        await write(pilot, settled, "t:t")
        assert {row.value for row in pilot.app.screen.found._source.page(0, 9)} == set(twins)
    tour.desk.close()


async def test_a_long_mistake_is_told_to_its_end(tour: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """The sentence that helps stands last: it is never cut off, however narrow the terminal; no shell command is advised."""
    for size in ((80, 24), (40, 12)):
        async with visit(tour, ("inbox",), ("lineage", "run"), size=size) as pilot:
            await pilot.press("slash")
            await write(pilot, settled, "zz:q")
            said = " ".join(screen_text(pilot.app).split())
            assert 'A name that holds a colon stands in quotes: "a:b".' in said or size == (40, 12)
            if size == (40, 12):
                under = pilot.app.screen._said
                assert 'in quotes: "a:b".' in " ".join("".join(part for part, _ in line) for line in under)
            await pilot.press(*["backspace"] * 4)
            await write(pilot, settled, "+nobody")
            said = " ".join(screen_text(pilot.app).split())
            assert "carnet list" not in said and "/ in the lineage finds whatever there is" in said


async def test_a_name_that_is_nowhere_is_told(tour: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """What can be read and names nothing: the store's own sentence, with its column."""
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("slash")
        await write(pilot, settled, "+nobody", "enter")
        assert "nobody" in screen_text(pilot.app) and "column 2" in screen_text(pilot.app)
        assert isinstance(pilot.app.screen, SelectionSheet)


async def test_enter_right_after_typing_waits_for_the_answer(tour: Any, visit: Any, settled: Any) -> None:
    """Fast hands: what stood in the list before is never taken for what was typed."""
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("slash")
        await pilot.press(*"telco", "enter")
        await settled(pilot)
        assert screen(pilot)._asked == Around(tour.ids["data"])
        await pilot.press("slash")
        await pilot.press("plus", "r", "minus", "0", "1", "2", "enter")
        await settled(pilot)
        assert screen(pilot)._asked == Around(tour.ids["run"], -1, 0)


async def test_the_last_selections_are_offered_and_examples_go_on(
    tour: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """What was selected stands there the next time, newest first; an example is put into the field, to be edited."""
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        for text in ("kind:model", "kind:run"):
            await pilot.press("slash")
            await write(pilot, settled, text, "enter")
        await pilot.press("slash")
        text = screen_text(pilot.app)
        assert text.index("LAST SELECTIONS") < text.index("kind:model") < text.index("EXAMPLES")
        await pilot.press("down", "enter")
        assert screen(pilot)._asked == Chosen("kind:model")
        await pilot.press("slash", "down", "down", "enter")
        assert isinstance(pilot.app.screen, SelectionSheet) and "all that it comes from" not in screen_text(pilot.app)
        assert pilot.app.screen.query_one("Input").value.startswith("+")  # type: ignore[attr-defined]
        await pilot.press("escape")
        assert screen(pilot)._asked == Chosen("kind:model")


async def test_what_was_said_of_a_node_finds_it(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """Names first, the one called just so before those that hold it; then parameters, attributes, comments."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    exact = acts.declare("dataset", "telco", attrs={"owner": "Farid of the warehouse"}).entity
    acts.declare("dataset", "telco holdout")
    said = acts.declare("run", "r-1", attrs={"command": "python train.py --focal-loss"}).entity
    acts.declare("run", "r-2")
    async with visit(tour, ("inbox",), ("lineage", exact), size=(100, 30)) as pilot:
        await pilot.press("slash")
        await write(pilot, settled, "telco", "enter")
        assert screen(pilot)._asked == Around(exact)
        await pilot.press("slash")
        await write(pilot, settled, "focal")
        await settled(pilot)  # names first, then texts
        assert "command: python train.py --focal-loss" in screen_text(pilot.app)
        await pilot.press("enter")
        assert screen(pilot)._asked == Around(said)
    tour.desk.close()


async def test_texts_are_left_out_where_their_index_would_take_long(
    tour: Any, visit: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are still found; that texts are not searched yet is said, and their index is made once."""
    monkeypatch.setattr(selection_sheet, "said_with", lambda project, text: None)
    asked: list[str] = []

    def follow(app: Any, ledger: str, then: Callable[[], None]) -> None:
        asked.append(ledger)
        then()

    monkeypatch.setattr(taking_in, "follow_search", follow)
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("slash")
        await write(pilot, settled, "telco")
        await settled(pilot)
        assert "Names alone so far" in screen_text(pilot.app)
        assert len(asked) == 1
        await pilot.press("enter")
        assert screen(pilot)._asked == Around(tour.ids["data"])


async def test_texts_are_searched_as_soon_as_they_can_be(
    tour: Any, visit: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is made in the background, and what stands in the field is looked for once more."""
    ready: list[bool] = []
    real = selection_sheet.said_with
    monkeypatch.setattr(selection_sheet, "said_with", lambda project, text: real(project, text) if ready else None)
    later: list[Callable[[], None]] = []
    monkeypatch.setattr(taking_in, "follow_search", lambda app, ledger, then: later.append(then))
    async with visit(tour, ("inbox",), ("lineage", "run")) as pilot:
        await pilot.press("slash")
        await write(pilot, settled, "train.py")
        await settled(pilot)
        assert "Names alone so far" in screen_text(pilot.app)
        ready.append(True)
        later.pop()()
        await settled(pilot)
        await settled(pilot)
        assert "command: python train.py" in screen_text(pilot.app) and "Names alone" not in screen_text(pilot.app)


async def test_decisions_questions_and_answers_are_found_too(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R006: search over everything: what is no node opens where it stands, and esc comes back; what nobody said is told."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    acts = tour.acts()
    data = acts.declare("dataset", "telco").entity
    chosen = acts.decide("Which model?", "boosting", "The forest overfits two-year contracts.", about=[data]).entity
    acts.ask("Does a missing month mean two-year contracts?", about=[data])
    async with visit(tour, ("inbox",), ("lineage", data), size=(100, 30)) as pilot:
        await pilot.press("slash")
        await write(pilot, settled, "two-year contracts")
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "SAID OF" in text and "D-1 boosting" in text and "reason: " in text and "Q-1 " in text
        await pilot.press(*(["down"] if text.index("Q-1 ") < text.index("D-1 ") else []), "enter")
        assert pilot.app.path[-1].about == (chosen,)
        await pilot.press("escape")
        assert screen(pilot)._asked == Around(data)
        await pilot.press("slash")
        await write(pilot, settled, "nowhere to be found")
        await settled(pilot)
        assert "Nothing is called that, and nobody said it." in screen_text(pilot.app)
    tour.desk.close()


async def test_the_palette_finds_everywhere(tour: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """From any screen: what is no action, place or code is looked for in all that was said."""
    async with visit(tour, ("inbox",), size=(100, 30)) as pilot:
        await pilot.press("colon")
        await write(pilot, settled, "train.py", "enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, SelectionSheet) and "command: python train.py" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        assert not isinstance(pilot.app.screen, SelectionSheet)


def test_an_index_that_is_not_made_is_given_up(tour: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search stops while it makes the index, leaves nothing half-made, and searches once there is one."""
    monkeypatch.setattr(selection_sheet, "PATIENCE", -1.0)
    tour.project.searching.forget(tour.project)
    assert selection_sheet.said_with(tour.project, "train") is None
    monkeypatch.setattr(selection_sheet, "PATIENCE", 60.0)
    found = selection_sheet.said_with(tour.project, "train")
    assert found and {one.value for one in found} >= {tour.ids["run"]}
    assert selection_sheet.said_with(tour.project, "'") == []


async def test_y_copies_the_selection_and_its_command(tour: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """The expression, and `carnet lineage '…'` as a shell takes it."""
    async with visit(tour, ("inbox",), ("lineage", "", "kind:run not r-012")) as pilot:
        offers = dict(screen(pilot).copies())
        assert offers["selection"] == "kind:run not r-012"
        assert offers["its command"] == "carnet lineage 'kind:run not r-012'"
        await pilot.press("y")
        assert "carnet lineage 'kind:run not r-012'" in screen_text(pilot.app)
