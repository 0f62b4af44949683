"""The app around the screens: who one is, drafts at quitting, the palette's codes, the record growing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carnet_tui.live import SCREENS
from carnet_tui.screen import Route

Text = Callable[[Any], str]


async def test_identity_switch(main_path: Any, visit: Any, screen_text: Text) -> None:
    """@ shows the identities at hand; the chosen one is who one is from then on."""
    async with visit(main_path("half"), ("inbox",)) as pilot:
        assert "Ana@research" in screen_text(pilot.app) and "answer: 3 items" in screen_text(pilot.app)
        await pilot.press("@", *"Tom", "enter")
        text = screen_text(pilot.app)
        assert "Tom@engineering" in text and "You are Tom now." in text and "review: 1 item" in text


async def test_quit_asks_where_drafts_exist(main_path: Any, visit: Any, screen_text: Text) -> None:
    """esc at the top asks when something was answered and not submitted; without drafts it just quits."""
    tour = main_path("half")
    tour.at("Ana").keep_draft(f"answer {tour.handoff} rep.rnd.seeds", {"value": {"state": "unknown"}})
    async with visit(tour, ("inbox",)) as pilot:
        await pilot.press("escape")
        assert "1 draft is not submitted." in screen_text(pilot.app)
        await pilot.press("n")
        assert pilot.app.is_running
        tour.desk.acts(tour.project).drop_draft(f"answer {tour.handoff} rep.rnd.seeds")
        await pilot.press("escape")
        assert pilot.app.return_code == 0


async def test_palette_finds_codes(main_path: Any, visit: Any, screen_text: Text) -> None:
    """: knows handoffs, decisions and entities by name."""
    async with visit(main_path("half"), ("inbox",)) as pilot:
        await pilot.press(":", *"churn@2")
        assert "research to engineering" in screen_text(pilot.app)
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "handoff"


async def test_what_others_write_appears(main_path: Any, visit: Any, screen_text: Text) -> None:
    """Another process writes to the store: the screen follows by itself."""
    tour = main_path("half")
    async with visit(tour, ("inbox",), who="Tom") as pilot:
        assert "review: 1 item" in screen_text(pilot.app)
        tour.step = 1000
        tour.answer("Ana", "approach.evaluation", "r-012 auc")
        tour.desk.become(tour.people["Tom"])
        pilot.app._look_again()
        await pilot.pause()
        assert "review: 2 items" in screen_text(pilot.app)


def test_screens_that_are_named_exist() -> None:
    """Every route of the app has its class; a module that is not there is a place that is not offered."""
    import importlib
    import importlib.util

    here = {m: n for m, n in SCREENS.values() if importlib.util.find_spec(f"carnet_tui.screens.{m}")}
    assert {"welcome", "inbox", "models", "handoff", "item", "review"} <= set(here)
    for module, name in SCREENS.values():
        if module not in here:
            continue
        assert hasattr(importlib.import_module(f"carnet_tui.screens.{module}"), name), (module, name)


async def test_unknown_route_is_said(main_path: Any, visit: Any, screen_text: Text) -> None:
    """A place that does not exist here is said, nothing breaks."""
    async with visit(main_path("half"), ("inbox",)) as pilot:
        pilot.app.visit((Route("dashboard"),))
        await pilot.pause()
        assert "not part of this release" in screen_text(pilot.app)


@pytest.mark.parametrize("mend", [True, False])
async def test_all_items_as_one_document(
    main_path: Any, visit: Any, screen_text: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mend: bool
) -> None:
    """E opens one YAML document; a mistake comes back at its line, nothing typed is lost, all is written as one record."""
    tour = main_path("half")
    round_ = tmp_path / "round"
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        f"round_ = pathlib.Path({str(round_)!r})\n"
        "path = pathlib.Path(sys.argv[1]); text = path.read_text()\n"
        "if not round_.exists():\n"
        "    text = text.replace('approach.evaluation:', 'approach.evaluation: r-012 nothing_like_it #', 1)\n"
        "    text += '\\nrep.rnd.seeds:\\n- {source: python, seed: 7, set_where: train.py}\\n' if 'rep.rnd.seeds' not in text else ''\n"
        "    round_.write_text(text)\n"
        "else:\n"
        "    assert '#! ' in text, text\n"
        "    text = text.replace('r-012 nothing_like_it', 'r-012 auc')\n"
        "path.write_text(text)\n"
    )
    monkeypatch.setenv("VISUAL", f"python3 {script}")
    before = tour.project.ledger.count()
    async with visit(tour, ("inbox",), ("handoff", "handoff")) as pilot:
        from contextlib import nullcontext

        monkeypatch.setattr(pilot.app, "suspend", nullcontext)
        await pilot.press("E")
        await pilot.pause(0.3)
        assert "cannot be read" in screen_text(pilot.app) and "line " in screen_text(pilot.app)
        assert tour.project.ledger.count() == before
        if not mend:
            await pilot.press("n")
            kept = tour.desk.acts(tour.project).drafts(f"sheet {tour.handoff}")
            assert "nothing_like_it" in str(kept)
            return
        await pilot.press("y")
        await pilot.pause(0.3)
        assert "Write 1 answer" in screen_text(pilot.app)
        await pilot.press("enter")
        assert tour.project.ledger.count() == before + 1
        assert tour.project.look(tour.handoff).status.item("approach.evaluation").state == "answered"


EVIL = "evil\x1b]52;c;ZXZpbA==\x07\x1b[31m\x9b2J\u202e\u200b\u2028\r\nname"


@pytest.fixture
def run_app(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the app on a store with the ASCII set of signs."""
    from contextlib import asynccontextmanager

    from carnet_tui.glyphs import Glyphs
    from carnet_tui.live import CarnetApp

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    @asynccontextmanager
    async def run(tour: Any, *path: Route, plain: bool = True, who: str = "Tom") -> Any:
        tour.desk.become(tour.people[who])
        app = CarnetApp(tour.desk, glyphs=Glyphs(plain=plain), start=path, folder=tour.folder)
        async with app.run_test(size=(100, 40)) as pilot:
            await pilot.pause()
            yield pilot

    return run


def main_paths(tour: Any) -> list[tuple[Route, ...]]:
    handoff = (Route("inbox"), Route("handoff", (tour.handoff,)))
    return [
        (Route("inbox"),), (Route("models"),), handoff, (*handoff, Route("item", (tour.handoff, "approach.decision"))),
        (*handoff, Route("review", (tour.handoff,))),
    ]  # fmt: skip


async def test_ascii_terminals(main_path: Any, run_app: Any, screen_text: Text) -> None:
    """With the ASCII set no sign of ours is outside of it, on any screen of the main path."""
    tour = main_path("half")
    for path in main_paths(tour):
        async with run_app(tour, *path) as pilot:
            text = screen_text(pilot.app)
            assert text.isascii(), (path[-1], [c for c in text if not c.isascii()])
    async with run_app(tour, *main_paths(tour)[2], who="Ana") as pilot:
        await pilot.press("s")
        assert "Sign off" in screen_text(pilot.app) and screen_text(pilot.app).isascii()
        await pilot.press("escape", "a")
        assert screen_text(pilot.app).isascii()


async def test_hostile_text_on_every_screen(main_path: Any, run_app: Any, screen_text: Text) -> None:
    """C174: names, answers, comments, questions and files of others reach no screen as control characters."""
    tour = main_path("open")
    ana = tour.at("Ana")
    choice = ana.decide(
        EVIL, EVIL, EVIL + " because it is better", options=[{"title": EVIL}, {"title": "b"}], constraints=[EVIL]
    )
    ana.declare("model", EVIL, version="1")
    tour.answer("Ana", "framing.problem", EVIL + " and more")
    tour.answer("Ana", "approach.decision", [choice.entity])
    tour.at("Ana").comment(tour.handoff, EVIL, "framing.problem")
    tour.at("Ana").ask(
        EVIL + " really?", about=[tour.handoff], item="framing.problem", to_role="ml_engineer", blocking=True
    )
    (tour.folder / "work" / "x.txt").write_text(EVIL)
    tour.at("Ana").file(tour.handoff, tour.folder / "work" / "x.txt", EVIL)
    tour.at("Ana").seal(tour.handoff)
    handoff = (Route("inbox"), Route("handoff", (tour.handoff,)))
    for path in [*main_paths(tour), (*handoff, Route("item", (tour.handoff, "framing.problem")))]:
        async with run_app(tour, *path, plain=False) as pilot:
            for keys in ((), ("f",), ("escape",)):
                text = screen_text(pilot.app)
                bad = [
                    c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u200b\u2028")
                ]
                assert bad == [], path[-1]
                await pilot.press(*keys)


async def test_several_identities_and_none_chosen(main_path: Any, run_app: Any, screen_text: Text) -> None:
    """Where several people have keys and none is chosen, the inbox says which key chooses."""
    tour = main_path("half")
    async with run_app(tour, Route("inbox")) as pilot:
        tour.desk.me = None
        pilot.app.refresh_facts()
        pilot.app.screen.refresh_data()
        await pilot.pause()
        assert "@ chooses who you are" in screen_text(pilot.app)
        await pilot.press("enter", "s", "r", "a")
        await pilot.press("@", *"Grace", "enter")
        assert "Grace@product" in screen_text(pilot.app)
