"""The list: pages on demand, heads skipped, the chosen row kept, two lines painted a step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, pad
from carnet_tui.widgets.line_list import PAGE, PAGES_KEPT, LineList, Rows


class Numbers:
    """Rows that are made when asked for; every tenth is a head. It counts what was fetched."""

    def __init__(self, count: int, skip: int = 0) -> None:
        self.total = count
        self.skip = skip
        self.fetched: list[int] = []

    def count(self) -> int:
        return self.total

    def page(self, start: int, length: int) -> Sequence[int]:
        self.fetched.append(start)
        return range(start + self.skip, min(start + length, self.total) + self.skip)

    def find(self, key: str) -> int | None:
        at = int(key) - self.skip
        return at if 0 <= at < self.total else None


def key(row: int) -> str | None:
    return None if row % 10 == 0 else str(row)


def line(row: int, cells: int) -> Line:
    return [(pad(f"row {row}", cells), "ok" if row % 2 else "")]


class Lists(App[None]):
    CSS = "LineList { height: 1fr; scrollbar-size: 0 0; overflow: hidden hidden; }"

    def __init__(self, numbers: Numbers | Rows[int]) -> None:
        super().__init__()
        self.numbers = numbers
        self.told: list[int] = []
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield LineList(self.numbers, line, key, glyphs=Glyphs(False))

    @property
    def list(self) -> LineList[int]:
        return self.query_one(LineList)

    def on_line_list_highlighted(self, event: LineList.Highlighted) -> None:
        self.told.append(event.row)

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        self.opened.append(event.row)


@asynccontextmanager
async def running(numbers: Numbers | Rows[int]) -> AsyncIterator[tuple[Lists, Pilot[None]]]:
    app = Lists(numbers)
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        yield app, pilot


async def test_keys_move_and_skip_heads() -> None:
    """j, k, arrows, pages and ends move; no head is ever chosen; the row is told."""
    async with running(Numbers(100)) as (app, pilot):
        assert app.list.chosen == 1
        await pilot.press("j", "down", "k")
        assert app.list.chosen == 2
        await pilot.press(*"jjjjjjjj")
        assert app.list.chosen == 11
        await pilot.press("k")
        assert app.list.chosen == 9
        await pilot.press("pagedown")
        assert app.list.chosen == 21
        await pilot.press("greater_than_sign")
        assert app.list.chosen == 99
        await pilot.press("home")
        assert app.list.chosen == 1
        await pilot.press("end", "pageup")
        assert app.list.chosen == 88
        await pilot.press("enter")
        assert app.opened == [88]
        assert app.told[0] == 1 and app.told[-1] == 88


async def test_pages_are_fetched_when_seen_and_few_are_kept() -> None:
    """A hundred thousand rows: one page at first, never more than 32 in memory."""
    numbers = Numbers(100_000)
    async with running(numbers) as (app, pilot):
        assert numbers.fetched == [0]
        await pilot.press("end")
        assert numbers.fetched == [0, 99_999 // PAGE * PAGE]
        for at in range(0, 100_000, PAGE):
            app.list.row(at)
        assert len(app.list._pages) == PAGES_KEPT
        await pilot.press("home", "j")
        assert app.list.chosen == 2


async def test_a_step_paints_two_lines() -> None:
    """Key to paint: only the row that was left and the row that was entered."""
    async with running(Numbers(100)) as (app, pilot):
        painted: list[Region] = []
        whole: list[bool] = []
        refresh = app.list.refresh

        def spy(*regions: Region, **options: bool) -> object:
            painted.extend(regions)
            whole.append(not regions)
            return refresh(*regions, **options)

        app.list.refresh = spy  # type: ignore[method-assign,assignment]
        await pilot.press("j")
        assert painted == [Region(0, 1, 30, 1), Region(0, 2, 30, 1)]
        assert not any(whole)


async def test_the_chosen_row_survives_a_refresh() -> None:
    """Rows came before it, or it went: by key, else the row at its place."""
    async with running(Numbers(50)) as (app, pilot):
        app.list.choose("25")
        assert app.list.chosen == 25
        app.list.refill(Numbers(50, skip=13))
        assert (app.list.chosen, app.list.index) == (25, 12)
        app.list.refill(Numbers(5, skip=41))
        await pilot.pause()
        assert app.list.chosen == 45
        app.list.refill(Numbers(0))
        assert app.list.chosen is None
        assert app.list.index == -1
        await pilot.press("j", "k", "enter", "end", "pageup")
        assert app.opened == []
        app.list.refill(Numbers(3))
        assert app.list.chosen == 1
        assert not app.list.choose("77")


async def test_only_heads() -> None:
    """A list of heads alone has nothing to choose."""
    async with running(Rows([10, 20], key)) as (app, pilot):
        await pilot.press("j", "enter")
        assert app.list.chosen is None


async def test_mouse_chooses_then_opens_and_the_wheel_scrolls() -> None:
    """A click chooses, a click on the chosen row opens, heads do nothing; the wheel keeps the cursor in view."""
    async with running(Numbers(100)) as (app, pilot):
        await pilot.click(LineList, offset=(4, 5))
        assert (app.list.chosen, app.opened) == (5, [])
        await pilot.click(LineList, offset=(4, 5))
        assert app.opened == [5]
        await pilot.click(LineList, offset=(4, 10))
        assert app.list.chosen == 5
        for _ in range(3):
            await pilot._post_mouse_events([events.MouseScrollDown], LineList)
        assert app.list.scroll_offset.y == 9
        assert app.list.chosen == 9


async def test_what_is_painted() -> None:
    """The mark and reverse on the chosen row, its head in view, blank lines after the end, a sentence when empty."""
    async with running(Numbers(5)) as (app, _):
        strips = [app.list.render_line(y) for y in range(6)]
        assert strips[1].text.startswith("▌row 1") and strips[2].text.startswith(" row 2")
        assert all(strip.cell_length == 30 for strip in strips)
        reversed_lines = [y for y, s in enumerate(strips) if any(seg.style and seg.style.reverse for seg in s)]
        assert reversed_lines == [1]
        assert strips[5].text.strip() == ""
        app.list.refill(Numbers(0))
        assert app.list.render_line(0).text.strip() == "Nothing here."


async def test_real_cursor_stands_on_the_row() -> None:
    """The terminal's cursor is where the chosen row is, also after scrolling."""
    async with running(Numbers(100)) as (app, pilot):
        assert app.cursor_position == (0, 1)
        await pilot.press("end")
        assert app.cursor_position == (0, 11)
