"""The demo, unpacked once for the tests that only look, and afresh for those that act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet_store import Desk
from carnet_tui.demo import Demo, open_demo, unpack


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that nobody writes to."""
    return unpack(tmp_path_factory.mktemp("sample") / "demo")


@pytest.fixture
def demo_desk(tmp_path: Path) -> Iterator[Desk]:
    """The desk of a fresh demo, as the person that it begins with."""
    with open_demo(unpack(tmp_path / "demo"), environ={}) as desk:
        yield desk
