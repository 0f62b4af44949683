"""The kit's demo app under the toolkit's pilot, its screens as text, and golden screens to compare with."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual import events
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.app import App
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
HELD_UP = 1.0
"""Seconds that a key waits for work off the loop: some tests hold it up to see what is shown meanwhile."""


@pytest.fixture(scope="session")
def kit() -> ModuleType:
    """The demo app's module."""
    spec = importlib.util.spec_from_file_location("kit_demo", HERE / "kit_demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_text(app: Any) -> str:
    """Return what the app shows, line by line, blanks at line ends left out."""
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in shown(app)) + "\n"


def shown(app: Any) -> list[Any]:
    """Return the painted lines of the topmost screen over those beneath it."""
    visible_screen_stack.set(app._background_screens)
    return list(app.screen._compositor.render_strips())


@pytest.fixture
def screen_text() -> Callable[[Any], str]:
    """The function that reads an app's screen as text."""
    return as_text


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pilot.press` as a person presses: each key after the one before was done, work off the loop and all; a word in a field at once.

    The toolkit's own way waits twice for every letter, and for nothing off the loop.
    """

    async def press(pilot: Pilot[Any], *pressed: str | list[str]) -> None:
        keys = [key for one in pressed for key in ([one] if isinstance(one, str) else one)]
        app = pilot.app
        assert app._driver is not None
        for at, key in enumerate(keys):
            app._driver.send_message(key_event(app, key))
            in_a_word = at + 1 < len(keys) and is_letter(key) and is_letter(keys[at + 1])
            if not (in_a_word and isinstance(app.focused, Input | TextArea)):
                await settle(pilot, HELD_UP)

    monkeypatch.setattr(Pilot, "press", press)


@pytest.fixture(autouse=True)
def painted_when_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint what a test looks at (`as_text`), not each frame between for a terminal that is none: a third of the time of these tests."""

    def no_frame(compositor: Compositor, **_: Any) -> None:
        compositor._dirty_regions.clear()

    monkeypatch.setattr(Compositor, "render_update", no_frame)


def is_letter(key: str) -> bool:
    return len(key) == 1 or key == "space"


def key_event(app: App[Any], key: str) -> events.Key:
    """Return the event that a terminal's key makes."""
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    try:
        char: str | None = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
    except KeyError:
        char = key if len(key) == 1 else None
    event = events.Key(key, char)
    event.set_sender(app)
    return event


Play = Callable[..., AbstractAsyncContextManager[Pilot[int]]]


@pytest.fixture
def play(kit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run the demo app: `async with play("--demo", size=(80, 24)) as pilot`."""
    for name in ("NO_COLOR", "CARNET_GLYPHS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    @asynccontextmanager
    async def run(*args: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[int]]:
        app = kit.make_app(kit.parse(args))
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield pilot

    return run


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a screen with the stored one; `CARNET_GOLDEN=write` stores it instead (then read the difference)."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("CARNET_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return compare


@pytest.fixture(scope="session")
def places() -> ModuleType:
    """The module that builds the store which the places are shown with."""
    spec = importlib.util.spec_from_file_location("places", HERE / "places.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["places"] = module  # its dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tour(places: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The whole tour, for reading and for what does not hurt the next test: one a test file."""
    folder = tmp_path_factory.mktemp("tour")
    made = places.build(folder, {"CARNET_CONFIG": str(folder / "config")})
    yield made
    made.desk.close()


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractAsyncContextManager[Pilot[int]]]:
    """Run the app on a tour's store: `async with visit(tour, ("lineage", "model"), size=(80, 24)) as pilot`.

    Each step is a screen's name and what it is about; a key of `tour.ids` stands for its entity.
    """
    for name in ("NO_COLOR", "CARNET_GLYPHS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    @asynccontextmanager
    async def run(tour: Any, *steps: tuple[str, ...], size: tuple[int, int] = (80, 24), who: str = "Ana") -> Any:
        from carnet_tui.glyphs import Glyphs
        from carnet_tui.live import CarnetApp
        from carnet_tui.screen import Route

        tour.desk.become(tour.people[who])
        path = tuple(Route(name, tuple(tour.ids.get(one, one) for one in about)) for name, *about in steps)
        app = CarnetApp(tour.desk, glyphs=Glyphs(plain=False), start=path, folder=tour.folder)
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            yield pilot

    return run


async def settle(pilot: Pilot[Any], patience: float | None = None) -> None:
    """Wait until work off the loop has come back and is painted; with `patience` (seconds) no longer for work that a test holds up."""
    thread = getattr(pilot.app, "store_thread", None)
    for done in range(3):
        await (pilot.pause() if done else pilot._wait_for_screen())
        if thread is not None:
            come_back = asyncio.get_running_loop().run_in_executor(thread, lambda: None)
            if (await asyncio.wait([come_back], timeout=patience))[1]:
                break
    await pilot.pause()


@pytest.fixture
def settled() -> Callable[[Pilot[Any]], Awaitable[None]]:
    """The function that waits until an app has nothing more to do."""
    return settle


@pytest.fixture(scope="session")
def stores() -> ModuleType:
    """The module that builds small real stores on the main path."""
    spec = importlib.util.spec_from_file_location("stores", HERE / "stores.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stores"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def moulds(stores: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Stores on the main path that tests get copies of: `moulds("half")`."""
    made: dict[tuple[Any, ...], Any] = {}

    def build(state: str, **more: Any) -> Any:
        key = (state, *more.items())
        if key not in made:
            one = made[key] = stores.Tour(tmp_path_factory.mktemp(state) / "tour", **more)
            getattr(one, state)()
            one.desk.store.close()
        return made[key]

    return build


@pytest.fixture
def main_path(moulds: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Give a store on the main path, its clock standing: `main_path("half")`; states as methods of `stores.Tour`."""
    made: list[Any] = []

    def build(state: str = "half", **more: Any) -> Any:
        one = moulds(state, **more).copy(tmp_path / f"tour{len(made)}")
        one.freeze()
        made.append(one)
        return one

    yield build
    for one in made:
        one.close()
