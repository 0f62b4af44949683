"""The plan of taking in what other tools recorded: what is new, nothing before Enter, no trace after esc, a key never waits for it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from carnet_store.errors import Busy
from carnet_store.exchange import capturing, importers
from carnet_store.exchange.importers.things import Guess, Ref, Source, Thing, Unread
from carnet_tui.glyphs import Glyphs
from carnet_tui.live import CarnetApp
from carnet_tui.screen import Route
from carnet_tui.taking_in import Left, Reading, telling
from carnet_tui.views import capture_view

Text = Callable[[Any], str]


@pytest.fixture
def lab(places: Any, real_tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ana's project beside what MLflow and DVC wrote: `lab.run(source)` opens the plan of a source on top of the models."""
    for name in ("NO_COLOR", "CARNET_GLYPHS", "CARNET_STORE", "CARNET_ME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "keys")})
    folder = tour.desk.store.root.parent
    shutil.copytree(real_tools / "mlflow-sqlite", folder / "mlflow")
    shutil.copytree(real_tools / "dvc" / "snapshot", folder / "dvc")

    @asynccontextmanager
    async def run(source: str = "", size: tuple[int, int] = (80, 24)) -> AsyncIterator[Any]:
        path: tuple[Route, ...] = (Route("models"),)
        if source:
            path = (*path, Route("capture", (str(folder / source),)))
        app = CarnetApp(tour.desk, glyphs=Glyphs(False), start=path, folder=folder)
        async with app.run_test(size=size) as pilot:
            yield pilot

    yield SimpleNamespace(run=run, tour=tour, folder=folder, project=tour.project)
    tour.desk.close()


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(lab: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """Kinds with their numbers, edges, files, the newest run, and that nothing is written yet."""
    async with lab.run("mlflow", size) as pilot:
        await settled(pilot)
        lines = screen_text(pilot.app).split("\n")
        [place] = [
            line for line in lines if line.endswith("nothing written yet")
        ]  # begins with the folder, which differs
        text = "\n".join("nothing written yet" if line is place else line for line in lines)
        golden(f"capture_plan_{size[0]}x{size[1]}", text)


async def test_from_the_palette_to_the_lineage(lab: Any, settled: Any, screen_text: Text) -> None:
    """R096: `:` take in asks for a path; the plan says new, changed, known; Enter writes it as one transaction, and leads to its newest run."""
    before = lab.project.ledger.count()
    async with lab.run() as pilot:
        await pilot.press(":", *"take in", "enter")
        assert "Take in what other tools recorded, where?" in screen_text(pilot.app)
        await pilot.press("/", *"mlflow", "enter")
        text = screen_text(pilot.app)
        assert "+ 44 new   = 0 known   64 new edges" in text and "24 files to keep" in text
        assert lab.project.ledger.count() == before
        await pilot.press("enter")
        assert "took in 44 new from mlflow" in screen_text(pilot.app)
        assert pilot.app.path[-1].name == "lineage"
    assert lab.project.count("run") == 29


async def test_read_again_nothing_is_new(lab: Any, settled: Any, screen_text: Text) -> None:
    """R096: a source that was taken in is known; there is nothing to write, and why is said."""
    async with lab.run("dvc") as pilot:
        await settled(pilot)
        await pilot.press("enter")
        count = lab.project.ledger.count()
        pilot.app.visit((Route("models"), Route("capture", (str(lab.folder / "dvc"),))))
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "+ 0 new   = 17 known   0 new edges" in text and "the record holds all of it already" in text
        await pilot.press("enter")
        assert "all of it is here" in screen_text(pilot.app)
        assert lab.project.ledger.count() == count


async def test_leaving_closes_the_plan(lab: Any, settled: Any, screen_text: Text) -> None:
    """Esc, and going elsewhere by a digit, write nothing and close the temporary files."""
    before = lab.project.ledger.count()
    for key in ("escape", "5"):
        async with lab.run("mlflow") as pilot:
            await settled(pilot)
            plan = pilot.app.screen.reading.plan
            await pilot.press(key)
            assert plan._facts.closed and plan._blobs.closed
    assert lab.project.ledger.count() == before


async def test_what_cannot_be_read_is_said(lab: Any, settled: Any, screen_text: Text) -> None:
    """A path that is gone, and one that holds nothing, are refused in words; esc goes back."""
    (lab.folder / "empty").mkdir()
    for name, said in (("gone", "there is no file or folder"), ("empty", "holds nothing that Carnet reads")):
        async with lab.run(name, (120, 30)) as pilot:
            await settled(pilot)
            text = screen_text(pilot.app)
            assert said in text and "Nothing was written." in text
            await pilot.press("enter")
            assert "there is nothing to take in" in screen_text(pilot.app)
            await pilot.press("escape")
            assert pilot.app.path[-1].name == "models"


async def test_a_truncated_database(lab: Any, settled: Any, screen_text: Text) -> None:
    """A file cut in the middle is refused or read as far as it goes; never a traceback, never a silent skip."""
    whole = (lab.folder / "mlflow" / "mlflow.db").read_bytes()
    (lab.folder / "cut").mkdir()
    (lab.folder / "cut" / "mlflow.db").write_bytes(whole[: len(whole) // 2])
    async with lab.run("cut", (120, 30)) as pilot:
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "cannot be taken in" in text or "could not be read" in text


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let one importer yield what a test says: `made_up(things)`."""

    def use(things: Callable[[], Iterator[Thing | Unread]], words: str = "made up") -> None:
        one = SimpleNamespace(read=lambda source: things(), guess=lambda path: Guess("mlflow", words, 0))
        monkeypatch.setattr(importers, "importer", lambda kind: one)
        monkeypatch.setattr(capturing, "importer", lambda kind: one)
        monkeypatch.setattr(importers, "IMPORTERS", {"mlflow": "made up"})

    return use


def run_of(number: int) -> Thing:
    return Thing(Ref("run", "mlflow", f"r{number}"), f"run {number}", at=1_760_000_000_000 + number)


async def test_keys_work_while_it_is_read(lab: Any, made_up: Any, screen_text: Text, settled: Any) -> None:
    """Reading says how far it is, keys are obeyed meanwhile, and leaving stops it: what it had read is closed."""
    step, ended = threading.Semaphore(0), threading.Event()

    def things() -> Iterator[Thing]:
        try:
            for number in range(1_000_000):
                if number % 100 == 99:
                    step.acquire(timeout=10)
                yield run_of(number)
        finally:
            ended.set()

    made_up(things)
    async with lab.run("mlflow") as pilot:
        await pilot.pause()

        def told() -> bool:
            step.release()  # it goes on as long as nothing is told
            return "reading: " in screen_text(pilot.app)

        await until(pilot, told)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Keys that work here" in screen_text(pilot.app)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert "write it [reading]" in screen_text(pilot.app)
        reading = pilot.app.screen.reading
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.path[-1].name == "models" and reading.left
        for _ in range(3):
            step.release()
        await until(pilot, ended.is_set)
        await settled(pilot)
        assert reading.plan is None


async def until(pilot: Any, true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60  # a busy machine paints late; what never comes is told all the same
    while not true() and time.monotonic() < end:
        await pilot.pause(0.02)
    assert true()


async def test_all_that_could_not_be_read_is_named(lab: Any, made_up: Any, settled: Any, screen_text: Text) -> None:
    """Every place that the plan keeps stands in the list with its reason, cleaned; the rest is counted; all else is taken in."""

    def things() -> Iterator[Thing | Unread]:
        yield run_of(1)
        for number in range(250):
            yield Unread(f"file\x1b]0;x\x07 {number}", "it is [red]broken[/red]")

    made_up(things)
    async with lab.run("mlflow", (100, 300)) as pilot:
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "250 could not be read" in text and "250 places could not be read; all else is taken in" in text
        assert text.count("it is [red]broken[/red]") == capturing.NAMED_UNREAD
        assert "and 50 places more" in text and "\x1b" not in text and "\u241b]0;x\u2407 199" in text
        await pilot.press("enter")
    assert lab.project.count("run") == 1


async def test_a_refused_write_keeps_the_plan(
    lab: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing fails nothing is written, why is said, and the plan stands to be tried again."""
    from carnet_store import Desk

    capture = Desk.capture
    before = lab.project.ledger.count()

    def busy(*args: Any, **more: Any) -> Any:
        raise Busy("another process writes", "try again")

    async with lab.run("dvc") as pilot:
        await settled(pilot)
        monkeypatch.setattr(Desk, "capture", busy)
        await pilot.press("enter")
        assert "another process writes" in screen_text(pilot.app)
        assert lab.project.ledger.count() == before
        monkeypatch.setattr(Desk, "capture", capture)
        await pilot.press("enter", "enter")
        assert "took in 17 new from dvc" in screen_text(pilot.app)


async def test_leaving_waits_while_it_is_written(
    lab: Any, settled: Any, screen_text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Esc does nothing while it is written; gone by a digit, the end of it is said where one is, and the plan is closed."""
    from carnet_store import Desk

    go, capture = threading.Event(), Desk.capture

    def slow(*args: Any, **more: Any) -> Any:
        go.wait(10)
        return capture(*args, **more)

    monkeypatch.setattr(Desk, "capture", slow)
    async with lab.run("dvc") as pilot:
        await settled(pilot)
        plan = pilot.app.screen.reading.plan
        for key in ("enter", "escape"):
            await pilot.press(key)
            await pilot.pause()
        assert "Cannot back now: it is being written." in screen_text(pilot.app)
        await pilot.press("5")
        await pilot.pause()
        assert pilot.app.path[-1].name == "timeline" and not plan._facts.closed
        go.set()
        await settled(pilot)
        assert "took in 17 new from dvc" in screen_text(pilot.app) and pilot.app.path[-1].name == "timeline"
        assert plan._facts.closed
    assert lab.project.count("run") == 5


async def test_search_does_not_pay_for_it(lab: Any, settled: Any) -> None:
    """After something was taken in, search follows in the background: what the next question would read is read already."""
    from carnet_store.storage import search_rows

    async with lab.run("mlflow") as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await pilot.pause(0.6)
        await settled(pilot)
    wrote: list[int] = []
    write_all = search_rows.Following._write_all

    def counted(self: Any, entities: Any) -> None:
        wrote.append(len(entities))
        write_all(self, entities)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_rows.Following, "_write_all", counted)
        assert any(
            hit.title == "failed-oom" for hit in lab.tour.desk.store.searching.search([lab.project], "failed-oom")
        )
    assert sum(wrote) == 0


async def test_a_store_without_a_project_gets_one(
    places: Any, real_tools: Path, tmp_path: Path, settled: Any, screen_text: Text
) -> None:
    """Where the store has no project yet, one named as the folder is founded when the plan is written, and a handoff opened."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "keys")}, found=False)
    folder = tour.desk.store.root.parent
    source = shutil.copytree(real_tools / "dvc" / "snapshot", folder / "dvc")
    app = CarnetApp(
        tour.desk, glyphs=Glyphs(False), start=(Route("exchange"), Route("capture", (str(source),))), folder=folder
    )
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        assert app.path[-1].name == "handoff" and "the record answers 1 of 12" in screen_text(app)
    assert [row.name for row in tour.desk.projects()] == [folder.name]
    tour.desk.close()


def test_a_plan_nobody_waits_for_is_closed(tmp_path: Path) -> None:
    """A plan that comes after its screen went is closed at once; one being written is closed when it is written."""
    late, used = Reading(), Reading()
    late.leave()
    plan = capturing.CapturePlan(())
    late.keep(plan)
    assert plan._facts.closed and late.plan is None
    other = capturing.CapturePlan(())
    used.keep(other)
    used.use()
    used.leave()
    assert not other._facts.closed
    used.done()
    assert other._facts.closed


def test_how_far_it_is_said_a_few_times_a_second() -> None:
    """Thousands of calls say a few words; none is said too often, and stopping ends the work."""
    said: list[str] = []
    app: Any = SimpleNamespace(say_from_thread=said.append, glyphs=Glyphs(False))
    stopped = [False]
    hear = telling(app, "reading", lambda: stopped[0])
    for number in range(10_000):
        hear("things of mlflow", number * 100, 1_000_000)
    assert said[0] == "reading: 0 of 1,000,000 things of mlflow \u2026" and len(said) < 50
    stopped[0] = True
    with pytest.raises(Left):
        hear("things", 1, 0)


def test_table_of_kinds_at_any_width() -> None:
    """The table of kinds fits every width; a kind that only a newer importer knows is named, cleaned."""
    plan = capturing.CapturePlan(())
    plan.counts.update({("run", "new"): 10_000, ("run", "known"): 5, ("alien\x1b", "changed"): 2})
    for cells in (38, 80, 160):
        lines = capture_view.kinds_table(plan, cells)
        texts = ["".join(text for text, _ in line) for line in lines]
        assert all(len(text) <= cells for text in texts)
        assert "10,000" in texts[1] and "runs" in texts[1] and "alien\u241b" in texts[2]
    plan.close()


def test_source_is_only_read(real_tools: Path) -> None:
    """Planning apart, where no store is, changes nothing of the source and writes nowhere."""
    from carnet_store import Desk

    place = real_tools / "dvc" / "snapshot"
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with Desk.capture_plan_apart([("dvc", Source(place))]) as plan:
        assert plan.count("new") == 17 and plan.count("known") == 0 and plan.edges == 17
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
