"""Welcome: from nothing to an open handoff; a bundle; a sample."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from carnet_store import Desk
from carnet_tui.glyphs import Glyphs
from carnet_tui.live import CarnetApp

Text = Callable[[Any], str]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the app where there is neither store nor identity."""
    for name in ("NO_COLOR", "CARNET_GLYPHS", "CARNET_STORE", "CARNET_ME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("CARNET_CONFIG", str(tmp_path / "keys"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ana Lopes\n\temail = ana@example.org\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "churn"
    folder.mkdir()

    @asynccontextmanager
    async def run(size: tuple[int, int] = (80, 24)) -> AsyncIterator[Any]:
        app = CarnetApp(None, glyphs=Glyphs(False), folder=folder)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield pilot

    return run


async def press(pilot: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(empty: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """Three ways to begin."""
    async with empty(size) as pilot:
        text = screen_text(pilot.app).split("\n")
        here = [line for line in text if line.startswith(" Here: ")]
        assert len(here) == (0 if size[0] == 40 else 1)
        golden(f"main_welcome_{size[0]}x{size[1]}", "\n".join(line for line in text if line not in here))


async def test_from_nothing_to_an_open_handoff(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """An identity is made silently from git's name; a dozen keys lead to an open starter handoff."""
    async with empty() as pilot:
        await press(pilot, "enter")
        assert pilot.app.screen.query_one(Input).value == "churn"
        await press(pilot, "enter", "enter")
        assert "founded churn as Ana Lopes" in screen_text(pilot.app)
        assert pilot.app.path[-1].name == "models"
        await press(pilot, "n", *"churn@1", "enter", "enter", "enter", "enter")
        text = screen_text(pilot.app)
        assert pilot.app.path[-1].name == "handoff" and "churn@1" in text and "0/12" in text
        assert "you answer" in text
    with Desk.open(tmp_path / "churn", environ={"CARNET_CONFIG": str(tmp_path / "keys")}) as desk:
        assert [h.gate.id for h in desk.project().handoffs()] == ["starter-research-to-engineering"]
        assert desk.i().mail == "ana@example.org"


async def test_other_places_say_there_is_no_store(empty: Any, screen_text: Text) -> None:
    """Digits do not break anything before there is a store."""
    async with empty() as pilot:
        await press(pilot, "1", "2", "5", "@", "u", "y")
        assert pilot.app.path[-1].name == "welcome"


async def test_sample(empty: Any) -> None:
    """The sample is the demo's: the app ends and the demo begins."""
    async with empty() as pilot:
        await press(pilot, "down", "down", "enter")
        assert pilot.app.next == "demo"


async def test_several_identities_are_asked_which(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """Where several identities are at hand one is chosen before a project is founded; leaving makes nothing."""
    keyring = Desk.keyring_of({"CARNET_CONFIG": str(tmp_path / "keys")})
    keyring.new("Ada", "ada@example.org")
    keyring.new("Bob", "bob@example.org")
    async with empty() as pilot:
        await press(pilot, "enter", "enter", "enter")
        assert "Who are you?" in screen_text(pilot.app)
        await press(pilot, "escape")
        assert not (tmp_path / "churn" / ".carnet").exists()
        await press(pilot, "enter", "enter", "enter", *"bob", "enter")
        assert "founded churn as Bob" in screen_text(pilot.app)


async def test_bundle_asks_for_a_file(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """Without a bundle at hand a path is asked for; a wrong one is said; nothing is made."""
    async with empty() as pilot:
        await press(pilot, "down", "enter", *"no.zip", "enter")
        assert "There is no file" in screen_text(pilot.app)
        await press(pilot, "escape")
    assert not (tmp_path / "churn" / ".carnet").exists()
