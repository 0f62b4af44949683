"""`carnet` alone, on a real store, in a real terminal: the first rows before anything else, and nothing moves when the screen lives."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from carnet_tui.demo import unpack

LIVE = b"\x1b[?1003h"  # the toolkit takes the terminal over
ONLY_FIRST = "from carnet_tui.start import first_rows; frame = first_rows(); input(); frame.close()"
NO_FIRST = "import sys; from carnet_tui import start; start.first_rows = lambda: None; sys.exit(start.main())"
SIZES = [(40, 12), (59, 15), (80, 24), (120, 40), (200, 60)]
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's store without the mark that makes a demo of it, its index made."""
    folder = tmp_path_factory.mktemp("start") / "store"
    unpack(folder)
    (folder / ".carnet" / "demo.json").unlink()
    carnet(folder, "status")
    return folder


@pytest.fixture
def store(kept: Path, tmp_path: Path) -> Path:
    """A copy that a test may write to, in its own environment."""
    shutil.copytree(kept, tmp_path / "store")
    carnet(tmp_path / "store", "status")
    return tmp_path / "store"


def around(store: Path, who: str = "Tomasz Wilk") -> dict[str, str]:
    return {"CARNET_CONFIG": str(store / "keys"), "CARNET_ME": who, "HOME": str(store)}


def carnet(store: Path, *words: str, who: str = "Tomasz Wilk") -> str:
    import os

    env = {name: value for name, value in os.environ.items() if not name.startswith("CARNET")} | around(store, who)
    command = [sys.executable, "-m", "carnet_tui", *words]
    return subprocess.run(command, cwd=store, env=env, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def start(spawn: Start) -> Start:
    """Start `carnet` in a store: `start(store, cols=80, rows=24, env={}, code="...")`."""

    def run(
        store: Path, *, env: Mapping[str, str] | None = None, code: str = "", who: str = "Tomasz Wilk", **how: Any
    ) -> Any:
        words = ["-c", code] if code else ["-m", "carnet_tui"]
        return spawn([sys.executable, *words], cwd=store, env=around(store, who) | dict(env or {}), **how)

    return run


def living(app: Any) -> Any:
    return app.until(lambda one: LIVE in one.raw).settle()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_first_frame_is_the_live_one(kept: Path, start: Start, size: tuple[int, int]) -> None:
    """TUI.md 7.1: characters, styles and cursor, cell by cell, on a real store."""
    same(start, kept, size, {}, "Tomasz Wilk")


def test_the_first_frame_of_one_with_less_to_do(kept: Path, start: Start) -> None:
    """Another person's rows, from the same index."""
    same(start, kept, (80, 24), {}, "Ines Duarte")


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"CARNET_GLYPHS": "ascii"}, {"LC_ALL": "en_US.ISO-8859-1"}], ids=str
)
def test_the_first_frame_is_the_live_one_without_colour_or_signs(kept: Path, start: Start, env: dict[str, str]) -> None:
    """NO_COLOR and ASCII hold from the first byte on."""
    raw = same(start, kept, (80, 24), env, "Tomasz Wilk")
    if "NO_COLOR" in env:
        assert b"\x1b[36m" not in raw and b";36m" not in raw
    else:
        assert all(byte < 128 for byte in raw)


def same(start: Start, store: Path, size: tuple[int, int], env: dict[str, str], who: str) -> bytes:
    cols, rows = size
    carnet(store, "status", who=who)
    early = start(store, cols=cols, rows=rows, env=env, who=who, code=ONLY_FIRST).until("churn@2").settle()
    assert LIVE not in early.raw
    live = living(start(store, cols=cols, rows=rows, env=env, who=who, code=NO_FIRST))
    whole = living(start(store, cols=cols, rows=rows, env=env, who=who))
    for other in (live, whole):
        for number, (one, two) in enumerate(zip(early.cells(), other.cells(), strict=True)):
            assert one == two, f"line {number}: {early.lines[number]!r} and {other.lines[number]!r}"
        assert early.cursor == other.cursor
    return bytes(whole.raw)


def test_nothing_blank_between(kept: Path, start: Start) -> None:
    """No flicker: from the first rows on they never leave the screen, and the screen is entered once."""
    app = start(kept).until("churn@2")
    seen = []
    while LIVE not in app.raw:
        app.pump(0.01)
        seen.append("churn@2" in app.text and "NEEDS YOU" in app.text)
    for _ in range(40):
        app.pump(0.01)
        seen.append("churn@2" in app.text and "NEEDS YOU" in app.text)
    assert all(seen)
    assert app.raw.count(b"\x1b[?1049h") == 1


def test_keys_typed_before_the_screen_lives_are_obeyed(kept: Path, start: Start) -> None:
    """Type-ahead is neither lost nor echoed."""

    def chosen(one: Any) -> int:
        return next((at for at, line in enumerate(one.lines) if line.startswith("▌")), -1)

    app = start(kept).until(lambda one: chosen(one) >= 0)
    before = chosen(app)
    app.send("j", "j")
    app.until(lambda one: chosen(one) == before + 2 and one.cursor == (0, before + 2))
    assert LIVE in app.raw and b"jj" not in app.raw


def test_a_key_typed_before_opens_what_it_stands_on(kept: Path, start: Start) -> None:
    """Enter too."""
    app = start(kept).until("churn@2")
    app.send("5")
    app.until("changes")
    assert "5 Timeline" in app.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["first rows", "live"])
def test_a_signal_gives_the_terminal_back(kept: Path, start: Start, number: int, when: str) -> None:
    """Killed at any moment: modes, screen, mouse, paste and cursor are as before."""
    app = start(kept).until("churn@2")
    if when == "live":
        living(app)
    app.kill(number)
    assert app.wait() in (-number, 128 + number)
    app.assert_given_back()


def test_interrupt_between_first_rows_and_screen(kept: Path, start: Start) -> None:
    """ctrl+c while loading ends it, without a traceback, terminal given back."""
    app = start(kept).until("churn@2")
    app.send("ctrl+c")
    app.wait()
    app.assert_given_back()
    assert b"Traceback" not in app.raw


def test_rows_older_than_the_record_are_not_painted(store: Path, start: Start) -> None:
    """What the index says is shown only as of the very events that are held."""
    index = sqlite3.connect(store / ".carnet" / "index.db")
    index.execute("UPDATE fresh SET heads = replace(heads, ':', ':0')")
    index.commit()
    index.close()
    app = start(store).until("churn@2")
    assert LIVE in app.raw


@pytest.mark.parametrize("damage", ["index", "keys", "stranger"])
def test_whatever_is_unusual_goes_the_long_way(store: Path, start: Start, damage: str) -> None:
    """A damaged index, several people one may be, a person nobody knows: no first rows, and no crash."""
    who = "Tomasz Wilk"
    if damage == "index":
        (store / ".carnet" / "index.db").write_bytes(b"no database" * 100)
    elif damage == "keys":
        who = ""
    else:
        who = "Nobody"
    app = start(store, who=who)
    if damage == "stranger":
        assert app.wait() == 2
        assert b"Nobody" in app.raw and b"Traceback" not in app.raw
        return
    living(app)
    assert app.raw.index(LIVE) < len(app.raw)
    assert "Traceback" not in app.text


def test_a_command_that_writes_keeps_the_rows_fresh(store: Path, start: Start) -> None:
    """After a record by command the first rows are those of the record."""
    carnet(store, "comment", "churn@2", "read again")
    app = start(store, code=ONLY_FIRST).until("NEEDS YOU")
    assert LIVE not in app.raw
