"""A bundle's plan where there is no store yet: read for nothing, taken in with a store and an identity, left without a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from carnet_store import Desk
from carnet_tui.glyphs import Glyphs
from carnet_tui.live import CarnetApp, start_path
from carnet_tui.screen import Route

Text = Callable[[Any], str]


@pytest.fixture
def stranger(places: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A machine with a bundle of Ana's and nothing else: `run()` opens its plan, `work` is the folder it lies in."""
    tour = places.empty(tmp_path / "there", {"CARNET_CONFIG": str(tmp_path / "there-keys")})
    tour.acts().declare("model", "churn", version="2")
    work = tmp_path / "work"
    work.mkdir()
    bundle = work / "from-ana.carnet.zip"
    tour.desk.export(tour.project, bundle)
    for name in ("NO_COLOR", "CARNET_GLYPHS", "CARNET_STORE", "CARNET_ME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("CARNET_CONFIG", str(tmp_path / "keys"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Zoe Park\n\temail = zoe@example.org\n")

    @asynccontextmanager
    async def run(size: tuple[int, int] = (90, 40), who: str | None = None) -> AsyncIterator[Any]:
        app = CarnetApp(None, glyphs=Glyphs(False), start=start_path(None, bundle), folder=work, who=who)
        async with app.run_test(size=size) as pilot:
            yield pilot

    finger = tour.people["Ana"].fingerprint.partition(":")[2]
    yield SimpleNamespace(
        run=run, work=work, keys=tmp_path / "keys", bundle=bundle, finger=finger[:6], ledger=tour.project.id
    )
    tour.desk.close()


def traces(stranger: Any) -> list[str]:
    return sorted(p.name for p in stranger.work.iterdir()) + (["keys"] if stranger.keys.exists() else [])


async def test_looking_leaves_no_trace(stranger: Any, settled: Any, screen_text: Text) -> None:
    """R150: the whole plan is shown without a store; esc ends the program, and nothing was made."""
    async with stranger.run() as pilot:
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "every signature, link and digest holds" in text and "founded by Ana" in text
        assert "compare the key, take it in" in text and "esc discard, nothing written" in text
        await pilot.press("@")
        assert "Cannot who am I now: there is no store here yet." in screen_text(pilot.app)
        await pilot.press("1")
        assert "There is no store here yet" in screen_text(pilot.app)
        await pilot.press(":", *"people", "enter")
        assert "there is no store here yet" in screen_text(pilot.app)
        await pilot.press("escape", "enter")
        assert "A store is made in" in screen_text(pilot.app) and "Zoe Park" in screen_text(pilot.app)
        await pilot.press(*"wrong1", "enter")
        assert "These are not its first characters" in screen_text(pilot.app)
        await pilot.press("escape", "escape")
        assert not pilot.app.is_running
    assert traces(stranger) == ["from-ana.carnet.zip"]


async def test_on_the_smallest_screen_field_and_keys_are_in_view(
    stranger: Any, settled: Any, screen_text: Text
) -> None:
    """What a sheet is about gives way to the field one types in, and is read on page by page."""
    async with stranger.run((40, 12)) as pilot:
        await settled(pilot)
        await pilot.press("enter", *"abcdefg")
        lines = screen_text(pilot.app).splitlines()
        assert len(lines) == 12 and any(line.strip() == "abcdefg" for line in lines)
        assert "take it in" in lines[-1] and "pgdn read on" in lines[-1]
        assert "A store is made" not in screen_text(pilot.app)
        await pilot.press("pagedown", "pagedown")
        assert "as git calls you" in " ".join(screen_text(pilot.app).split())


async def test_taking_it_in_makes_a_store_and_an_identity(stranger: Any, settled: Any, screen_text: Text) -> None:
    """After the founder's key was compared there is a store beside the bundle, a key as git calls one, and a way to join."""
    async with stranger.run() as pilot:
        await settled(pilot)
        await pilot.press("enter", *stranger.finger, "enter")
        text = screen_text(pilot.app)
        assert "Took in" in text and "asks to join" in text and "Zoe Park" in text
        await pilot.press("1")
        assert "churn" in screen_text(pilot.app)
    with Desk.open(stranger.work, environ={"CARNET_CONFIG": str(stranger.keys)}) as desk:
        assert [row.id for row in desk.projects()] == [stranger.ledger]
        assert desk.i().mail == "zoe@example.org"


async def test_with_several_identities_one_is_chosen(stranger: Any, settled: Any, screen_text: Text) -> None:
    """Nobody is guessed: of several identities one is chosen, before anything is made; leaving makes nothing."""
    keyring = Desk.keyring_of({"CARNET_CONFIG": str(stranger.keys)})
    keyring.new("Ada", "ada@example.org")
    keyring.new("Bob", "bob@example.org")
    async with stranger.run() as pilot:
        await settled(pilot)
        await pilot.press("enter")
        assert "Who are you?" in screen_text(pilot.app)
        await pilot.press("escape", "enter", *"bob", "enter")
        assert "you act as Bob" in " ".join(screen_text(pilot.app).split())
        assert not (stranger.work / ".carnet").exists()
        await pilot.press(*stranger.finger, "enter")
        assert "Bob" in screen_text(pilot.app)


async def test_a_wrong_name_is_said(stranger: Any, settled: Any, screen_text: Text) -> None:
    """`--me` with a name that nobody here has stops before anything is made."""
    async with stranger.run(who="Nobody") as pilot:
        await settled(pilot)
        await pilot.press("enter")
        assert "no identity" in screen_text(pilot.app).lower()
    assert traces(stranger) == ["from-ana.carnet.zip"]


async def test_a_bundle_exchanged_while_one_reads_leaves_nothing(
    stranger: Any, settled: Any, screen_text: Text
) -> None:
    """What is not what was read is refused, and the store that was made for it goes again."""
    async with stranger.run() as pilot:
        await settled(pilot)
        await pilot.press("enter")
        raw = bytearray(stranger.bundle.read_bytes())
        raw[len(raw) // 3] ^= 1
        stranger.bundle.write_bytes(bytes(raw))
        await pilot.press(*stranger.finger, "enter")
        assert "That did not work" in screen_text(pilot.app)
    assert not (stranger.work / ".carnet").exists()


async def test_a_broken_file_is_refused_without_a_store(stranger: Any, settled: Any, screen_text: Text) -> None:
    """A file that is no bundle says so, at any size."""
    stranger.bundle.write_bytes(b"PK\x05\x06" + b"\0" * 18)
    for size in ((80, 24), (40, 12)):
        async with stranger.run(size) as pilot:
            await settled(pilot)
            assert "cannot be taken in" in screen_text(pilot.app)
            await pilot.press("enter")
            assert "it is refused" in screen_text(pilot.app)
    assert traces(stranger) == ["from-ana.carnet.zip"]


async def test_the_welcome_opens_the_plan_and_comes_back(stranger: Any, settled: Any, screen_text: Text) -> None:
    """From the welcome the plan opens without a store too; esc goes back to the ways to begin."""
    app = CarnetApp(None, glyphs=Glyphs(False), folder=stranger.work)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "enter", "enter")
        assert pilot.app.path == (Route("welcome"), Route("import", (str(stranger.bundle),)))  # type: ignore[attr-defined]
        assert "founded by Ana" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "How would you like to begin?" in screen_text(pilot.app)
    assert traces(stranger) == ["from-ana.carnet.zip"]
