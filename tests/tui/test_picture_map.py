"""The picture as a widget: what lies beyond its window is told, and takes a line only where there is something to tell."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import line_width
from carnet_tui.views.lineage_asked import Around
from carnet_tui.widgets.picture_map import PictureMap, beyond_line


def test_what_lies_beyond_is_said_in_words_and_signs() -> None:
    """Only sides on which something lies; in ASCII where asked; without signs in a narrow window."""
    signs = Glyphs(plain=False)

    def said(*counts: int, cells: int = 60, glyphs: Glyphs = signs) -> str:
        line = beyond_line(counts, cells, glyphs)
        assert line_width(line) == cells
        return "".join(text for text, _ in line).strip()

    assert said(3, 12, 0, 0) == "3 above ↑   12 below ↓"
    assert said(0, 0, 1, 1_200) == "1 left ←   1,200 right →"
    assert said(3, 12, 4, 5, cells=40) == "3 above  12 below  4 left  5 right"
    assert said(3, 0, 4, 5, glyphs=Glyphs(plain=True)) == "3 above ^   4 left <   5 right >"


@pytest.fixture(scope="module")
def hub(places: ModuleType, tmp_path_factory: Any) -> Any:
    """A dataset that thirty runs used, each of which made a feature; the oldest is recalled."""
    folder = tmp_path_factory.mktemp("hub")
    tour = places.empty(folder, {"CARNET_CONFIG": str(folder / "config")})
    acts = tour.acts()
    tour.ids["hub"] = acts.declare("dataset", "hub").entity
    for number in range(30):
        run = acts.declare("run", f"step-{number:02}", edges=[("used", tour.ids["hub"])]).entity
        acts.link(run, "made", acts.declare("feature", f"feature-{number:02}", version="1").entity)
    acts.declare("run", "small", edges=[("used", acts.declare("dataset", "alone").entity)])
    yield tour
    tour.desk.close()


async def show(pilot: Any, settled: Any, entity: str) -> PictureMap:
    pilot.app.screen._go(Around(entity, 2, 2))
    await settled(pilot)
    chart: PictureMap = pilot.app.screen.query_one(PictureMap)
    return chart


def painted(chart: PictureMap) -> list[str]:
    return ["".join(segment.text for segment in chart.render_line(y)) for y in range(chart.size.height)]


async def test_a_picture_that_goes_on_says_how_much(hub: Any, visit: Any, settled: Any) -> None:
    """The last line counts what is above and below, at every place of the window; what it counts and what is seen is all."""
    async with visit(hub, ("lineage", "hub"), size=(80, 24)) as pilot:
        chart = await show(pilot, settled, hub.ids["hub"])
        cells, lines = chart.window
        assert lines == chart.size.height - 1
        for key, side in (("right", "below"), ("home", "below"), ("end", "above")):
            await pilot.press(key)
            await settled(pilot)
            x, y = chart._corner
            above, below, left, right = chart._picture.beyond(x, y, cells, lines)
            assert left == right == 0
            seen = sum(y <= spot.row < y + lines for spot in chart._picture.spots)
            assert above + seen + below == len(chart._picture.spots)
            text = painted(chart)[-1]
            assert (f"{above} above ↑" in text) == bool(above) and (f"{below} below ↓" in text) == bool(below)
            assert side in text
            spot = chart._picture.spot(chart.chosen)
            assert spot is not None and y <= spot.row < y + lines
        assert chart.chosen.startswith("fold ") and any("… 10 more runs" in line for line in painted(chart))


async def test_a_picture_that_fits_has_no_such_line(hub: Any, visit: Any, settled: Any) -> None:
    """Nothing to say, no line taken."""
    async with visit(hub, ("lineage", "hub"), size=(80, 24)) as pilot:
        small = hub.project.graph.select("small")
        chart = await show(pilot, settled, hub.project.graph.rows(small)[0].id)
        assert chart.size.height == chart._picture.height == chart.window[1]
        assert not any("above" in line or "below" in line for line in painted(chart))


async def test_a_picture_that_is_too_wide_says_what_lies_beside(hub: Any, visit: Any, settled: Any) -> None:
    """In a narrow terminal the left side is counted when the cursor stands at the right, and what is cut says so."""
    async with visit(hub, ("lineage", "hub"), size=(26, 30)) as pilot:
        chart = await show(pilot, settled, hub.ids["hub"])
        assert "right" in painted(chart)[-1] and any(line.endswith("…") for line in painted(chart)[:-1])
        await pilot.press("right", "right", "right")
        await settled(pilot)
        assert " left" in painted(chart)[-1] and any(line.startswith("…") for line in painted(chart)[:-1])
