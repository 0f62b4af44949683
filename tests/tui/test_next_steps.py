"""What an error advises on a screen: a key where the store names a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import carnet_store
from carnet_store.errors import NotFound
from carnet_tui.next_steps import ON_SCREEN, on_screen


@pytest.mark.parametrize("hint", ON_SCREEN)
def test_each_hint_is_one_that_the_store_gives(hint: str) -> None:
    """Word for word: one that was written anew there would reach the screen as the command it is."""
    sources = Path(carnet_store.__file__).parent.rglob("*.py")
    assert any(f'"{hint}"' in path.read_text(encoding="utf-8") for path in sources)
    assert "carnet" not in on_screen(hint) and on_screen("try again") == "try again"


async def test_a_node_that_is_not_there_is_looked_for_by_a_key(
    tour: Any, visit: Any, settled: Any, screen_text: Any
) -> None:
    """In the box that tells of an error."""
    async with visit(tour, ("inbox",), ("impact", "dataset:" + "7" * 32)) as pilot:
        text = screen_text(pilot.app)
        assert "there is no node" in text and "Next: / in the lineage finds whatever there is" in text
        pilot.app.pop_screen()
        pilot.app.show_error(NotFound("x", "look again"))
        await settled(pilot)
        assert "Next: look again" in screen_text(pilot.app)
