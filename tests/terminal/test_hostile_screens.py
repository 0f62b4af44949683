"""A store and a bundle whose every text is hostile, on every screen of a real terminal, in every command and in the bundle's page."""

from __future__ import annotations

import html.parser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LIVE = b"\x1b[?1003h"
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
Start = Callable[..., Any]
SIZES = (
    (80, 24),
    pytest.param((160, 48), marks=pytest.mark.thorough),
    pytest.param((40, 12), marks=pytest.mark.thorough),
)

# A place, the keys that open something there, and what else is pressed on it; after each of these keys esc is pressed.
PLACES = {
    "1": (("enter",), ("q", "c", "d", "g", "t", "y", "r", "s", "/", "f", "?", ":", "@")),
    "2": (("enter",), ("n", "y", "g", "t", "q", "c", "/")),
    "3": (
        ("enter",),
        (
            "i",
            "t",
            "y",
            "q",
            "c",
            "/",
            "n",
            "left",
            "right",
            "down",
            "?",
            "b",
            "d",
            "m",
            "!",
            "tab",
            "down",
            "tab",
            "tab",
            "right",
            "enter",
            "tab",
        ),
    ),
    "4": (("enter",), ("n", "y", "q", "c", "t", "/", "a")),
    "5": ((), ("enter", "y", "d", "/", "pagedown", "end", "home")),
    "6": ((), ("enter", "down", "enter", "y", "/")),
}
HANDOFF = (
    "a",
    "v",
    "w",
    "q",
    "c",
    "d",
    "g",
    "t",
    "y",
    "x",
    "s",
    "r",
    "f",
    "o",
    "u",
    "enter",
    "down",
    "enter",
    "pagedown",
    "end",
    "!",
)
WAYS = {
    "conflict": ("x",),
    "people": (":", "people", "enter"),
}
PAGES = {
    "catalogue": (
        (":", "data", "enter"),
        ("e", "enter", "q", "c", "y", "/", "?", "right", "down", "right", "right", "end"),
    ),
    "notebook": (
        (":", "notebook", "enter"),
        ("c", "q", "y", "/", "right", "enter", "enter", "end", "up", "up", "enter", "t"),
    ),
}
"""What the palette opens by name, the keys that lead there, and what is pressed on it; after each of these keys esc is pressed."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile stores and bundle."""
    folder = tmp_path_factory.mktemp("hostile") / "h"
    folder.mkdir()
    module("hostile_store").build(folder)
    return folder


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def around(made: Path) -> dict[str, str]:
    return {"CARNET_CONFIG": str(made / "keys"), "CARNET_ME": "Ana", "EDITOR": "true", "HOME": str(made)}


@pytest.fixture
def app(made: Path, tmp_path: Path, spawn: Start) -> Start:
    """Start `carnet` on a copy of the hostile store: `app("bundle")`, `app(cols=40, rows=12)`."""

    def start(*words: str, **how: Any) -> Any:
        shutil.copytree(made, tmp_path / "h", dirs_exist_ok=True)
        shutil.copyfile(made / "theirs.carnet.zip", tmp_path / "h" / "mine" / "theirs.carnet.zip")
        one = spawn(
            [sys.executable, "-m", "carnet_tui", *words], cwd=tmp_path / "h" / "mine", env=around(tmp_path / "h"), **how
        )
        return one.until(lambda it: LIVE in it.raw).settle()

    return start


def press(one: Any, *keys: str) -> None:
    for key in keys:
        one.send(key)
        one.settle(0.12)


def leave(one: Any) -> None:
    """Leave what has to be left by esc. Each esc waits for what it does: one too many at the top would end the program."""
    for _ in range(3):
        before = one.text
        if not re.search(r"\besc\b(?! leaves no trace)", before):
            return
        one.send("escape")
        for _ in range(100):  # the status line may tell of esc too, and then nothing changes
            if one.text != before:
                break
            one.pump(0.02)
        else:
            return
        one.settle(0.15)


def still_there(one: Any) -> None:
    if one._ended():
        one.settle()  # what it said last tells why
    assert one._ended() is False, f"{one.text}\n{one.raw[-6000:].decode(errors='replace')}"
    assert "Traceback" not in one.text
    assert one.foreign() == []


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_place(app: Start, size: tuple[int, int]) -> None:
    """C174, TUI.md 6: whatever another team wrote, every place shows it and none lets it steer the terminal."""
    one = app(cols=size[0], rows=size[1])
    seen = set()
    for place, (opening, keys) in PLACES.items():
        press(one, place)
        still_there(one)
        for key in (*keys, *opening):
            press(one, key)
            seen.add(one.text)
            still_there(one)
            leave(one)
            press(one, place)
    assert len(seen) > 20
    assert sum("evil" in text or "52;c" in text for text in seen) > 15  # shown, not dropped


@pytest.mark.slow
def test_handoff_items_and_dialogs(app: Start) -> None:
    """The handoff, its items, each dialog that quotes them."""
    one = app()
    press(one, "enter")
    seen = set()
    for key in HANDOFF:
        press(one, key)
        seen.add(one.text)
        still_there(one)
        leave(one)
        press(one, "1", "enter")
    assert sum("evil" in text or "52;c" in text for text in seen) > 8


@pytest.mark.slow
@pytest.mark.parametrize("way", sorted(WAYS))
def test_ways_that_need_more_keys(app: Start, way: str) -> None:
    """Conflict and people."""
    one = app()
    press(one, *WAYS[way])
    assert "evil" in one.text or "52;c" in one.text
    still_there(one)
    press(one, "down", "enter")
    still_there(one)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("page", sorted(PAGES))
def test_pages_of_a_dataset_and_a_notebook(app: Start, page: str, size: tuple[int, int]) -> None:
    """C174, R043, R117: cells, outputs, annotations, attributes and schemas of another team steer nothing."""
    one = app(cols=size[0], rows=size[1])
    way, keys = PAGES[page]
    shown = {"catalogue": "CATALOGUE", "notebook": "Markdown"}[page]
    press(one, *way)
    one.until(shown).settle()  # opening it reads a file: quiet is no sign yet that it is there
    still_there(one)
    seen = {one.text}
    for key in keys:
        press(one, key)
        still_there(one)
        seen.add(one.text)
        if key in ("e", "q", "c", "y", "/", "?", "t"):
            leave(one)
            press(one, *way)
    assert len(seen) > 5
    assert sum("evil" in text or "52;c" in text for text in seen) > 3


@pytest.mark.slow
def test_a_bundle_is_looked_into_and_taken_in(app: Start, made: Path) -> None:
    """The import plan of a hostile bundle, and what it says after it was taken in."""
    one = app("theirs.carnet.zip")
    still_there(one)
    press(one, "down", "tab", "right", "enter")
    still_there(one)
    press(one, "enter", "enter", "5")
    still_there(one)


COMMANDS = (
    "status", "list", "log", "find evil", "people list", "handoff list", "handoff show model", "gate model", "lineage model", "whoami",
    "doctor", "verify", "template list", "inspect ../theirs.carnet.zip", "verify ../theirs.carnet.zip", "handoff edit model --help", "nonsense",
    "handoff show evil", "add model x",
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_steer_no_terminal(made: Path, words: str) -> None:
    """Plain and as JSON, to a pipe: no control character but the line end; errors too."""
    for more in ((), ("--json",)):
        done = carnet(made, *words.split(), *more)
        for text in (done.stdout, done.stderr):
            assert STEERING.findall(text) == [], text
        assert "Traceback" not in done.stderr and "a bug in Carnet" not in done.stderr
        if more and done.returncode == 0 and "--help" not in words and done.stdout:
            json.loads(done.stdout)


def carnet(made: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET")} | around(made)
    command = [sys.executable, "-m", "carnet_tui", *words]
    return subprocess.run(command, cwd=made / "mine", env=env, capture_output=True, text=True, encoding="utf-8")


class Page(html.parser.HTMLParser):
    """Which tags, attributes and texts a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links.update(value or "" for name, value in attrs if name in ("href", "src"))

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data


def test_the_bundles_page_is_text(made: Path) -> None:
    """README.html quotes it all and runs nothing of it: no script, no handler, no address out of it, nothing that reorders."""
    with zipfile.ZipFile(made / "theirs.carnet.zip") as bundle:
        raw = bundle.read("README.html").decode()
    page = Page()
    page.feed(raw)
    assert "script" not in page.tags and "iframe" not in page.tags and "img" not in page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert not any(link.startswith(("javascript:", "data:")) for link in page.links)
    assert STEERING.findall(raw) == []
    assert "<script>alert(1)</script>" in page.text


def test_the_verifier_steers_no_terminal(made: Path, tmp_path: Path) -> None:
    """`python3 verify.py` on the hostile bundle, on a Python with nothing installed."""
    with zipfile.ZipFile(made / "theirs.carnet.zip") as bundle:
        (tmp_path / "verify.py").write_bytes(bundle.read("verify.py"))
    command = [sys.executable, "-I", str(tmp_path / "verify.py"), str(made / "theirs.carnet.zip")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert STEERING.findall(done.stdout) == [] and STEERING.findall(done.stderr) == []
    assert "evil" in done.stdout
