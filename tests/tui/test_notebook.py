"""The notebook viewer: cells as lines, annotations anchored to them, other captures, missing bytes, long and hostile notebooks."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.views import notebook_view
from carnet_tui.views.notebook_reading import read
from carnet_tui.widgets.line_list import LineList

Text = Callable[[Any], str]


@pytest.fixture(scope="module")
def books() -> ModuleType:
    """The module that makes notebooks."""
    spec = importlib.util.spec_from_file_location("notebooks", Path(__file__).with_name("notebooks.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["notebooks"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def read_only(places: ModuleType, books: ModuleType, real_tools: Path, tmp_path_factory: Any) -> Iterator[Any]:
    """A store with the notebooks, for tests that write nothing; the clock stands."""
    folder = tmp_path_factory.mktemp("notebooks")
    tour = places.build(folder, {"CARNET_CONFIG": str(folder / "config")}, runs=0)
    books.annotate(tour, real_tools, folder / "nb")
    tour.clock.step = 0
    yield tour
    tour.desk.close()


@pytest.fixture
def talk(places: ModuleType, books: ModuleType, real_tools: Path, tmp_path: Path) -> Iterator[Any]:
    """The same, to write to."""
    tour = places.build(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")}, runs=0)
    books.annotate(tour, real_tools, tmp_path / "nb")
    yield tour
    tour.desk.close()


@pytest.fixture
def small(places: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """A project with nothing in it."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    yield tour
    tour.desk.close()


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_golden(
    read_only: Any, visit: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """R117: the edited capture with its marks, and the thread of a moved annotation, at three sizes."""
    async with visit(read_only, ("lineage", "edited"), ("notebook", "edited"), size=size) as pilot:
        await pilot.press("right", "right", "right")
        golden(f"notebook_{size[0]}x{size[1]}", screen_text(pilot.app))
        await pilot.press(*(["enter"] if size[0] < 120 else []), "end", *["up"] * 2)
        golden(f"notebook_end_{size[0]}x{size[1]}", screen_text(pilot.app))


async def test_cells_have_numbers_outputs_and_words_for_what_is_wrong(
    read_only: Any, visit: Any, screen_text: Text
) -> None:
    """R042: In and Out numbers, what papermill tagged, the failed cell with its error in words."""
    async with visit(read_only, ("lineage", "failed"), ("notebook", "failed"), size=(100, 60)) as pilot:
        text = screen_text(pilot.app)
    assert "notebook fails.executed.ipynb" in text and "failed" in text and "ValueError: bad n: 9" in text
    async with visit(read_only, ("lineage", "first"), ("notebook", "first"), size=(100, 60)) as pilot:
        text = screen_text(pilot.app)
    assert "In [2]  tagged injected-parameters" in text and "Out [3] mean 0.4795" in text and "run in order" in text
    assert "Größe ✓" in text and "# Churn EDA" in text


async def test_cells_out_of_order_and_not_run_are_flagged_in_words(
    small: Any, books: ModuleType, tmp_path: Path, visit: Any, screen_text: Text
) -> None:
    """R042: the order of execution is told per cell and for the notebook; an image is named, not shown."""
    image = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": "AAAA" * 300, "text/plain": "<Figure>"},
    }
    odd = {"cell_type": "drawing", "source": "?"}
    value = books.notebook(
        books.code("a = 1", 5), books.code("b = a", 2, image), odd, ("code", "never()"), ("raw", "as it is")
    )
    small.ids["nb"] = books.capture(small, books.write(tmp_path / "order.ipynb", value))
    async with visit(small, ("lineage", "nb"), ("notebook", "nb"), size=(100, 40)) as pilot:
        text = screen_text(pilot.app)
    assert "4 cells, 3 code  out of order: cell 2" in text
    assert "1 cell of the file cannot be read and is not shown." in text
    assert "In [2]  out of order: run before what stands above" in text and "In [ ]  not run" in text
    assert "<Figure>" in text and "[image/png, 900 bytes]" in text and "AAAA" not in text and "Raw" in text


async def test_a_cell_is_annotated_replied_to_and_resolved(
    talk: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R117: c writes an annotation after a preview; Enter shows its thread below, then replies and resolves."""
    before = talk.project.look(talk.ids["handoff"]).manifest
    async with visit(talk, ("lineage", "first"), ("notebook", "first")) as pilot:
        await pilot.press("right", "right", "c", list("why 0.2?"), "ctrl+d")
        assert "nothing written yet" in screen_text(pilot.app) and "annotation on cell 2" in screen_text(pilot.app)
        assert len(talk.project.annotations(talk.ids["first"])) == 3
        await pilot.press("enter")
        assert "annotated cell 2 of eda.executed.ipynb" in screen_text(pilot.app)
        assert "⏎ thread" in screen_text(pilot.app)
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "why 0.2?" in text and "⏎ reply or resolve" in text
        await pilot.press("enter", "r", list("because"), "ctrl+d", "enter")
        assert "Ana replied" in screen_text(pilot.app) and "because" in screen_text(pilot.app)
        await pilot.press("enter", "x", "ctrl+d", "enter")
        assert "resolved an annotation" in screen_text(pilot.app)
        assert "1 annotation, resolved" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "Ana replied" not in screen_text(pilot.app) and "⏎ thread" in screen_text(pilot.app)
    thread = next(one for one in talk.project.annotations(talk.ids["first"]) if one.annotation.text == "why 0.2?")
    assert [one.text for one in thread.replies] == ["because"] and thread.state == "resolved"
    assert talk.project.look(talk.ids["handoff"]).manifest == before


async def test_what_was_typed_is_kept_when_one_leaves(talk: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Leaving loses no typed text: it is a draft of that cell, and gone once it is written."""
    async with visit(talk, ("lineage", "first"), ("notebook", "first")) as pilot:
        await pilot.press("right", "right", "c", list("half"), "escape")
        assert len(talk.acts().drafts("annotation ")) == 1
        await pilot.press("c")
        assert "half" in screen_text(pilot.app)
        await pilot.press("ctrl+d", "enter")
        assert talk.acts().drafts("annotation ") == {}


async def test_an_edit_moves_annotations_and_orphans_what_is_gone(
    talk: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R117: in the edited capture an annotation is at its cell again, said in words; one whose cell is gone stands at the end."""
    async with visit(talk, ("lineage", "edited"), ("notebook", "edited"), size=(160, 48)) as pilot:
        text = screen_text(pilot.app)
        assert (
            "1 annotation, moved" in text and "ORPHANED ANNOTATIONS" in text and "Please say what one row is." in text
        )
        await pilot.press("right", "right", "right")
        text = screen_text(pilot.app)
        assert "moved from cell 3 since the capture of" in text and "The name says train." in text
        await pilot.press("end", "up", "up")
        text = screen_text(pilot.app)
        assert "it was cell 5; no cell here is like it" in text and "{'accuracy': 0.93" in text
        await pilot.press("enter", "r", list("one customer"), "ctrl+d", "enter")
        assert "one customer" in screen_text(pilot.app)


async def test_the_other_captures_are_offered(read_only: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """An older capture says that a newer one is here, and Enter goes there; the newer lists the older one."""
    async with visit(read_only, ("lineage", "first"), ("notebook", "first")) as pilot:
        assert "A newer capture of this file is here" in screen_text(pilot.app)
        await pilot.press("home", "enter")
        text = screen_text(pilot.app)
        assert "# New" in text and "A newer capture" not in text
        await pilot.press("end")
        assert "older" in screen_text(pilot.app) and "3 annotations" in screen_text(pilot.app)
        await pilot.press("enter")
        assert "A newer capture of this file is here" in screen_text(pilot.app)
        await pilot.press("escape")
        assert "[ eda.executed.ipynb ]" in screen_text(pilot.app)


async def test_find_goes_to_annotations_headings_and_any_text(
    read_only: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """Before anything is typed the annotations and headings are listed; then lines of source, output and annotations."""
    async with visit(read_only, ("lineage", "edited"), ("notebook", "edited")) as pilot:
        await pilot.press("slash")
        text = screen_text(pilot.app)
        assert "annotation: Is this the frozen holdout?" in text and "# Churn EDA" in text and "orphaned" in text
        await pilot.press(list("0.479"), "enter")
        rows = pilot.app.screen.query_one("#list", LineList)
        assert rows.chosen.what == "out" and rows.chosen.text.startswith("mean 0.479")
        await pilot.press("slash", list("nowhere at all"))
        assert "No line holds that." in screen_text(pilot.app)


async def test_copying_gives_the_whole_cell_with_its_lines(
    read_only: Any, visit: Any, settled: Any, screen_text: Text, monkeypatch: Any
) -> None:
    """The menu shows a cell in one line and copies all of them; its digest is offered too."""
    copied: list[str] = []

    def copy(app: Any, text: str) -> str:
        copied.append(text)
        return "a test"

    monkeypatch.setattr("carnet_tui.terminal.copy", copy)
    async with visit(read_only, ("lineage", "first"), ("notebook", "first")) as pilot:
        await pilot.press("right", "right", "y")
        assert "seed = 1 split = 0.2 data = 'customers.csv'" in screen_text(pilot.app)
        await pilot.press("enter")
    assert copied == ["seed = 1\nsplit = 0.2\ndata = 'customers.csv'"]


async def test_bytes_that_are_not_here_are_named_and_nothing_said_is_lost(
    talk: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """The missing digest, what brings it, what the record itself holds, and every annotation are shown."""
    digest = talk.project.node(talk.ids["first"]).attrs["notebook"]["sha256"]
    assert talk.project.objects.forget(digest)
    async with visit(talk, ("lineage", "first"), ("notebook", "first"), size=(100, 40)) as pilot:
        text = " ".join(screen_text(pilot.app).split())
        assert digest in text and "A bundle with objects brings them" in text and "carnet capture notebook FILE" in text
        assert "6 cells, 5 of them code" in text and "Why *age* matters." in text
        assert "ANNOTATIONS, their cells are not here" in text and "Nice opening." in text
        await pilot.press("c")
        assert "Cannot comment now: no cell is under the cursor" in screen_text(pilot.app)


async def test_bytes_that_were_altered_or_are_no_notebook_are_told(
    small: Any, tmp_path: Path, visit: Any, screen_text: Text
) -> None:
    """Wrong bytes are a sentence, never a traceback: altered on disk, no JSON, empty."""
    for name, data in (("text", b"no notebook"), ("empty", b""), ("cut", b'{"nbformat": 4, "cells": [')):
        digest = small.project.objects.put(data)
        kept = {"path": "a.ipynb", "sha256": digest, "size": len(data)}
        small.ids[name] = small.acts().declare("document", name, attrs={"type": "notebook", "notebook": kept}).entity
        async with visit(small, ("lineage", name), ("notebook", name)) as pilot:
            assert "The cells cannot be read" in screen_text(pilot.app)
    path = small.project.objects.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"{}")
    async with visit(small, ("lineage", "cut"), ("notebook", "cut")) as pilot:
        assert "was altered on disk" in " ".join(screen_text(pilot.app).split())
    small.ids["bare"] = small.acts().declare("document", "bare", attrs={"type": "notebook"}).entity
    async with visit(small, ("lineage", "bare"), ("notebook", "bare")) as pilot:
        assert "No digest of this notebook is recorded" in screen_text(pilot.app)


async def test_an_empty_notebook_and_a_wider_terminal(
    small: Any, books: ModuleType, tmp_path: Path, visit: Any, settled: Any, screen_text: Text
) -> None:
    """A notebook without cells opens; on a wider terminal lines are broken anew and the cursor keeps its line."""
    small.ids["none"] = books.capture(small, books.write(tmp_path / "none.ipynb", books.notebook()))
    async with visit(small, ("lineage", "none"), ("notebook", "none")) as pilot:
        assert "notebook none.ipynb" in screen_text(pilot.app)
        await pilot.press("enter", "c", "right", "left", "end", "y", "escape")
    long = "x = '" + "abcdefghij" * 20 + "'"
    small.ids["long"] = books.capture(
        small, books.write(tmp_path / "long.ipynb", books.notebook(("code", f"{long}\ny = 2")))
    )
    async with visit(small, ("lineage", "long"), ("notebook", "long")) as pilot:
        await pilot.press("end")
        rows = pilot.app.screen.query_one("#list", LineList)
        assert rows.chosen.text == "y = 2" and rows.row_count == 6
        await pilot.resize_terminal(300, 40)
        await settled(pilot)
        assert rows.chosen.text == "y = 2" and rows.row_count == 5


async def test_a_notebook_of_two_thousand_cells_lays_out_what_is_in_view(
    small: Any, books: ModuleType, tmp_path: Path, visit: Any, settled: Any, screen_text: Text
) -> None:
    """The end of 2,000 cells is one key away, and only cells in view are kept laid out."""
    rows = [books.code("\n".join(f"line_{line} = {at}" for line in range(12)), at + 1) for at in range(2_000)]
    small.ids["large"] = books.capture(small, books.write(tmp_path / "large.ipynb", books.notebook(*rows)))
    async with visit(small, ("lineage", "large"), ("notebook", "large")) as pilot:
        await settled(pilot)
        await pilot.press("end")
        text = screen_text(pilot.app)
        assert "2000 In [2000]" in text and "line_11 = 1999" in text and "2,000 cells" in text
        await pilot.press("left", "left")
        assert "1999 In [1999]" in screen_text(pilot.app)
        await pilot.press("home", "slash", list("= 1500"), "enter")
        assert "1501 In [1501]" in screen_text(pilot.app)


async def test_hostile_notebooks_show_as_signs(
    small: Any, books: ModuleType, tmp_path: Path, visit: Any, settled: Any, screen_text: Text
) -> None:
    """C174: source, output, error, tag and annotation of another team reach the screen as visible signs alone."""
    evil = books.EVIL
    failed = {"output_type": "error", "ename": evil, "evalue": evil, "traceback": [evil]}
    said = {"output_type": "stream", "name": "stdout", "text": evil}
    cell = books.code(evil, 1, said, failed) | {"metadata": {"tags": [evil]}}
    path = books.write(tmp_path / "evil.ipynb", books.notebook(cell, ("markdown", f"# {evil}")))
    small.ids["evil"] = books.capture(small, path)
    made = small.acts().annotate(small.ids["evil"], books.anchors(path), 0, evil)
    small.acts().reply_annotation(made.changes[-1], evil)
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(small, ("lineage", "evil"), ("notebook", "evil"), size=size) as pilot:
            await pilot.press("enter", "slash", "escape", "y", "escape", "end")
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e\u2028") and "x␛]52" in text


def test_lines_too_long_and_too_many_are_counted() -> None:
    """A line of a million characters and a million lines cost little and are told, not dropped silently."""
    [line] = notebook_view.lines_of("y" * 1_000_000)
    assert line.endswith(" [980,000 characters more]")
    lines = list(notebook_view.lines_of("z\n" * 1_000_000))
    assert len(lines) == notebook_view.LINES_AT_MOST + 1 and lines[-1] == "[995,000 lines more]"


@pytest.mark.parametrize("wide", [20, 39, 79, 300])
def test_how_high_a_cell_is_is_known_without_laying_it_out(books: ModuleType, wide: int) -> None:
    """The counted height is that of the rows: wide signs, tabs, long lines, blank ends, errors, Markdown lists."""
    from carnet_store.exchange.importers.notebook import cells_of

    words = [
        "",
        "\n\n",
        "a\tb" * 30,
        "価格" * 50,
        "x" * 500,
        "  - an item of a list that is long enough to be broken\n" * 3,
        books.EVIL,
    ]
    failed = {"output_type": "error", "ename": "E", "evalue": "why " * 60, "traceback": []}
    said = [{"output_type": "stream", "text": word} for word in words]
    rows = [books.code(word, 1, *said, *([failed] if at % 2 else [])) for at, word in enumerate(words)]
    raw = json.dumps(books.notebook(*rows, *(("markdown", word) for word in words))).encode()
    for at, cell in enumerate(cells_of(raw)):
        assert notebook_view.cell_height(cell, wide) == len(notebook_view.cell_rows(cell, at, wide))
    assert notebook_view.flowed("  - one two three", 10) == ["  - one", "  two", "  three"]


def test_code_breaks_anywhere_and_keeps_its_blanks() -> None:
    """Indentation stands; a wide sign is never halved; nothing is lost."""
    assert notebook_view.broken("    if x:", 20) == ["    if x:"]
    assert "".join(notebook_view.broken("    価格価格価格", 5)) == "    価格価格価格"
    assert notebook_view.broken("価", 1) == ["価"]


def test_rows_are_found_again_by_their_line(read_only: Any) -> None:
    """A page is what rows are; each row's key leads back to it, across cells."""
    book = read(read_only.project, read_only.ids["first"])
    rows = notebook_view.CellRows(book.cells, 79)
    every = rows.page(0, rows.count())
    assert len(every) == rows.count()
    assert [rows.find(row.key) for row in every if row.key] == [at for at, row in enumerate(every) if row.key]
    assert [*rows.page(0, 7), *rows.page(7, 1_000)] == every
    assert rows.find("mark 1") is None and rows.find("99.h") is None
