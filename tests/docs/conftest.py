"""The pages, the runner that plays them, and a real terminal."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MOUSE_ON = b"\x1b[?1000h"
"""What the live terminal UI writes once it has taken the terminal over from the first rows."""
NAMES = {"Enter": "enter", "Esc": "escape", "↓": "down", "↑": "up", "→": "right", "Tab": "tab"}
"""Keys as pages name them; others are typed as they stand."""


def _loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def console() -> ModuleType:
    """The module that plays a page."""
    return _loaded("docs_console", Path(__file__).with_name("console.py"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def spawn() -> Iterator[Callable[..., Any]]:
    """Start programs in terminals, as the tests of the terminal do; all are ended after the test."""
    module = _loaded("docs_terminal", ROOT / "tests" / "terminal" / "conftest.py")
    started: list[Any] = []

    def start(argv: list[str], environ: Mapping[str, str], cwd: Path) -> Any:
        started.append(module.Terminal(argv, 80, 24, environ, cwd))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def played(console: ModuleType, tmp_path: Path, spawn: Callable[..., Any]) -> Callable[[str], int]:
    """Play a page from its first command to its last; return how many there were. Every output must be the page's."""

    def press(step: Any, environ: Mapping[str, str], folder: Path) -> None:
        plain = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}
        terminal = spawn([str(Path(sys.executable).parent / "carnet")], plain, folder)
        terminal.until(lambda t: MOUSE_ON in t.raw, 90).settle(1.0)
        for number, line in enumerate(step.shown, step.line):
            keys, _, seen = re.sub(r" {2,}", "\0", line.strip(), count=1).partition("\0")
            for key in keys.split(" "):
                terminal.send(NAMES.get(key, key))
                terminal.settle(0.4)
            try:
                terminal.until(seen, 15)
            except AssertionError as error:
                raise AssertionError(f"line {number}, after {keys}: {error}") from None
        terminal.kill()
        terminal.wait()

    def play(page: str) -> int:
        count = 0
        shell = console.Shell(tmp_path / "home", console.beginning(ROOT / page))
        for step, code, real in console.play((ROOT / page).read_text(encoding="utf-8"), shell, press):
            count += 1
            trouble = console.differs(step.shown, real)
            assert not trouble, (
                f"{page}:{step.line}: `{step.command}` (exit code {code}; python tests/docs/console.py {page} prints it anew)\n{trouble}"
            )
            assert code == 0, f"{page}:{step.line}: `{step.command}` ended with {code}"
        return count

    return play
