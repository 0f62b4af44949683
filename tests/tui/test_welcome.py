"""Welcome: from nothing to an open handoff; from what lies in the folder; a bundle; a sample."""

from __future__ import annotations

import contextlib
import io
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from carnet_store import Desk, starting
from carnet_tui.cli import main
from carnet_tui.glyphs import Glyphs
from carnet_tui.live import CarnetApp, start_path
from carnet_tui.session import Environment

Text = Callable[[Any], str]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the app where there is neither store nor identity."""
    for name in ("NO_COLOR", "CARNET_GLYPHS", "CARNET_STORE", "CARNET_ME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("CARNET_CONFIG", str(tmp_path / "keys"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ana Lopes\n\temail = ana@example.org\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "churn"
    folder.mkdir()

    @asynccontextmanager
    async def run(size: tuple[int, int] = (80, 24)) -> AsyncIterator[Any]:
        app = CarnetApp(None, glyphs=Glyphs(False), folder=folder)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield pilot

    return run


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks(empty: Any, screen_text: Text, golden: Any, size: tuple[int, int]) -> None:
    """Three ways to begin."""
    async with empty(size) as pilot:
        text = screen_text(pilot.app).split("\n")
        here = [line for line in text if line.startswith(" Here: ")]
        assert len(here) == (0 if size[0] == 40 else 1)
        golden(f"main_welcome_{size[0]}x{size[1]}", "\n".join(line for line in text if line not in here))


async def test_from_nothing_to_an_open_handoff(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """An identity is made silently from git's name; a dozen keys lead to an open starter handoff."""
    async with empty() as pilot:
        await pilot.press("enter")
        assert pilot.app.screen.query_one(Input).value == "churn"
        await pilot.press("enter", "enter")
        assert "founded churn as Ana Lopes" in screen_text(pilot.app)
        assert pilot.app.path[-1].name == "models"
        await pilot.press("n", *"churn@1", "enter", "enter", "enter", "enter")
        text = screen_text(pilot.app)
        assert pilot.app.path[-1].name == "handoff" and "churn@1" in text and "0/12" in text
        assert "you answer" in text
    with Desk.open(tmp_path / "churn", environ={"CARNET_CONFIG": str(tmp_path / "keys")}) as desk:
        assert [h.gate.id for h in desk.project().handoffs()] == ["starter-research-to-engineering"]
        assert desk.i().mail == "ana@example.org"


async def test_other_places_say_there_is_no_store(empty: Any, screen_text: Text) -> None:
    """Digits do not break anything before there is a store."""
    async with empty() as pilot:
        await pilot.press("1", "2", "5", "@", "u", "y")
        assert pilot.app.path[-1].name == "welcome"


async def test_sample(empty: Any) -> None:
    """The sample is the demo's: the app ends and the demo begins."""
    async with empty() as pilot:
        await pilot.press("down", "down", "enter")
        assert pilot.app.next == "demo"


async def test_several_identities_are_asked_which(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """Where several identities are at hand one is chosen before a project is founded; leaving makes nothing."""
    keyring = Desk.keyring_of({"CARNET_CONFIG": str(tmp_path / "keys")})
    keyring.new("Ada", "ada@example.org")
    keyring.new("Bob", "bob@example.org")
    async with empty() as pilot:
        await pilot.press("enter", "enter", "enter")
        assert "Who are you?" in screen_text(pilot.app)
        await pilot.press("escape")
        assert not (tmp_path / "churn" / ".carnet").exists()
        await pilot.press("enter", "enter", "enter", *"bob", "enter")
        assert "founded churn as Bob" in screen_text(pilot.app)


async def test_bundle_asks_for_a_file(empty: Any, screen_text: Text, tmp_path: Path) -> None:
    """Without a bundle at hand a path is asked for; a wrong one is said; nothing is made."""
    async with empty() as pilot:
        await pilot.press("down", "enter", *"no.zip", "enter")
        assert "There is no file" in screen_text(pilot.app)
        await pilot.press("escape")
    assert not (tmp_path / "churn" / ".carnet").exists()


# What lies in the folder

SOURCES = {"mlflow-sqlite": "MLflow, 29 runs", "dvc/snapshot": "DVC, 5 locked stages"}


@pytest.fixture
def there(empty: Any, real_tools: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Put what a real tool wrote into the folder: `there("mlflow-sqlite")`."""

    def put(source: str) -> Path:
        return Path(shutil.copytree(real_tools / source, tmp_path / "churn", dirs_exist_ok=True))

    return put


class Keys:
    """Presses keys one after another until work off the loop has come back, and counts them."""

    def __init__(self, pilot: Any, settled: Any) -> None:
        self.pilot, self.settled, self.pressed = pilot, settled, 0

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settled(self.pilot)
            self.pressed += 1


def at(folder: Path, tmp_path: Path) -> Desk:
    return Desk.open(folder, environ={"CARNET_CONFIG": str(tmp_path / "keys")})


@pytest.mark.parametrize("source", SOURCES)
async def test_from_a_folder_to_proposals_taken(
    empty: Any, there: Any, settled: Any, screen_text: Text, tmp_path: Path, source: str
) -> None:
    """R012, R096: two keys open a handoff from what other tools recorded; until the second nothing is made; two more take its word."""
    folder = there(source)
    async with empty((100, 40)) as pilot:
        keys = Keys(pilot, settled)
        await settled(pilot)
        text = screen_text(pilot.app)
        assert SOURCES[source] in text and "\u258cOpen a handoff from what lies here" in text
        await keys.press("enter")
        text = screen_text(pilot.app)
        assert "nothing written yet" in text and "a store and a project churn are made" in text
        assert not (folder / ".carnet").exists() and not (tmp_path / "keys").exists()
        await keys.press("enter")
        text = screen_text(pilot.app)
        assert pilot.app.path[-1].name == "handoff" and "the record answers 1 of 12" in text
        assert "took in " in text and "\u258c\u25d4 take what the record says" in text
        assert keys.pressed <= 3
        with at(folder, tmp_path) as desk:
            before = desk.project().ledger.count()
        await keys.press("enter")
        assert "Answer 1 item by what the record says" in screen_text(pilot.app)
        await keys.press("enter")
        assert "answered rep.rnd.seeds" in screen_text(pilot.app)
    with at(folder, tmp_path) as desk:
        look = desk.project().look(desk.project().handoff_ids()[0])
        taken = look.status.item("rep.rnd.seeds")
        assert taken is not None and taken.value is not None and taken.value["filled"] == "seeds"
        assert taken.evidence == "recorded" and desk.project().ledger.count() == before + 1
        assert starting.proposals(desk.project(), look) == {}


@pytest.mark.parametrize("source", SOURCES)
async def test_after_start_three_keys_take_what_the_record_says(
    empty: Any, there: Any, settled: Any, screen_text: Text, tmp_path: Path, source: str
) -> None:
    """R096: the handoff that `carnet start` opened begins on what the record answers: at most three keys until all is taken."""
    folder = there(source)
    environ = {
        "CARNET_CONFIG": str(tmp_path / "keys"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "PATH": "/usr/bin:/bin",
    }
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert main(["start", "--no-tui"], Environment(environ, cwd=folder)) == 0
    handoff = out.getvalue().strip().splitlines()[-1]
    with at(folder, tmp_path) as desk:
        app = CarnetApp(desk, glyphs=Glyphs(False), start=start_path(desk, None, handoff=handoff), folder=folder)
        app.intent = "take_proposals"  # as `open_and_run` does where a command leads to a handoff
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            keys = Keys(pilot, settled)
            assert "the record answers 1 of 12" in screen_text(app)
            await keys.press("enter", "enter")
            assert keys.pressed <= 3 and starting.proposals(desk.project(), desk.project().look(handoff)) == {}


async def test_without_an_intent_the_row_is_one_key_up(
    empty: Any, there: Any, settled: Any, screen_text: Text, tmp_path: Path
) -> None:
    """Whoever opens the handoff otherwise finds the row above all others; the cursor was not moved for it."""
    folder = there("mlflow-sqlite")
    async with empty() as pilot:
        keys = Keys(pilot, settled)
        await keys.press("enter", "enter")
    with at(folder, tmp_path) as desk:
        [handoff] = desk.project().handoff_ids()
        app = CarnetApp(desk, glyphs=Glyphs(False), start=start_path(desk, None, handoff=handoff), folder=folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            assert "\u258c\u25c7 the package is not sealed" in screen_text(app)
            await Keys(pilot, settled).press("up", "enter", "enter")
            assert starting.proposals(desk.project(), desk.project().look(handoff)) == {}


async def test_leaving_the_plan_leaves_no_trace(
    empty: Any, there: Any, settled: Any, screen_text: Text, tmp_path: Path
) -> None:
    """R150: esc on the plan, and esc on who one is, leave neither store nor key nor open file."""
    folder = there("mlflow-sqlite")
    before = sorted(path.name for path in folder.iterdir())
    keyring = Desk.keyring_of({"CARNET_CONFIG": str(tmp_path / "keys")})
    async with empty() as pilot:
        keys = Keys(pilot, settled)
        await keys.press("enter")
        plan = pilot.app.screen.reading.plan
        await keys.press("escape")
        assert "Nothing was written." in screen_text(pilot.app) and pilot.app.path[-1].name == "welcome"
        assert plan._facts.closed and plan._blobs.closed
        keyring.new("Ada", "ada@example.org")
        keyring.new("Bob", "bob@example.org")
        await keys.press("enter", "enter")
        assert "Who are you?" in screen_text(pilot.app)
        await keys.press("escape")
        assert "Nothing was written." in screen_text(pilot.app)
        assert sorted(path.name for path in folder.iterdir()) == before
        await keys.press("enter", *"bob", "enter")
        assert pilot.app.path[-1].name == "handoff" and "Bob" in screen_text(pilot.app)


async def test_a_key_with_a_passphrase(empty: Any, there: Any, settled: Any, screen_text: Text, tmp_path: Path) -> None:
    """A protected key is asked for before a store is made of it; leaving then leaves no store."""
    folder = there("dvc/snapshot")
    Desk.keyring_of({"CARNET_CONFIG": str(tmp_path / "keys")}).new("Ada", "ada@example.org", "open sesame")
    async with empty() as pilot:
        keys = Keys(pilot, settled)
        await keys.press("enter", "enter")
        assert "Passphrase of Ada's key" in screen_text(pilot.app)
        await keys.press("escape")
        assert "Nothing was written." in screen_text(pilot.app) and not (folder / ".carnet").exists()
        await keys.press("enter", *"wrong", "enter")
        assert "does not open the key" in screen_text(pilot.app)
        await keys.press(*"open", "space", *"sesame", "enter")
        assert pilot.app.path[-1].name == "handoff"


async def test_nothing_that_can_be_read(empty: Any, settled: Any, screen_text: Text, tmp_path: Path) -> None:
    """Files that no importer can read offer no way of their own; what is damaged is named."""
    (tmp_path / "churn" / "notes.txt").write_text("nothing")
    (tmp_path / "churn" / "mlflow.db").write_bytes(b"not a database")
    async with empty() as pilot:
        await settled(pilot)
        text = screen_text(pilot.app)
        assert "lies here" not in text and "\u258cStart a project here" in text
        assert "MLflow, but mlflow.db cannot be read" in text


async def test_enter_before_the_look_has_ended_waits_for_it(
    empty: Any, there: Any, settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type-ahead is obeyed: Enter pressed at once means the first way as it will be; another way is taken as it stands."""
    there("mlflow-sqlite")
    import threading

    go = threading.Event()
    look = starting.look_around

    def slow(folder: Path) -> Any:
        go.wait(10)
        return look(folder)

    monkeypatch.setattr(starting, "look_around", slow)
    async with empty() as pilot:
        await pilot.press("enter")
        assert pilot.app.path[-1].name == "welcome"
        go.set()
        await settled(pilot)
        assert pilot.app.path[-1].name == "capture"


async def test_hostile_names(empty: Any, settled: Any, screen_text: Text, tmp_path: Path, real_tools: Path) -> None:
    """Escape codes and markup in a source's names are signs on the screen, in what was found and in the plan."""
    database = tmp_path / "churn" / "mlflow.db"
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", database)
    db = sqlite3.connect(database)
    db.execute("UPDATE runs SET name = char(27) || ']52;c;ZXZpbA==' || char(7) || '[red]evil', start_time = 1900000000000, status = 'FINISHED'"
               " WHERE run_uuid = (SELECT run_uuid FROM runs WHERE name = 'logreg-C=0.01')")  # fmt: skip
    db.commit()
    db.close()
    async with empty((120, 90)) as pilot:
        keys = Keys(pilot, settled)
        await settled(pilot)
        assert "\u241b]52;c;ZXZpbA==\u2407[red]evil" in screen_text(pilot.app)
        await keys.press("enter")
        text = screen_text(pilot.app)
        assert "newest run  \u241b]52;c;ZXZpbA==\u2407[red]evil" in text and "\x1b" not in text
        assert "[red]not markup[/red]" in text
        await keys.press("enter")
        assert "\x1b" not in screen_text(pilot.app) and pilot.app.path[-1].name == "handoff"


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_looks_where_something_lies(
    empty: Any, there: Any, settled: Any, screen_text: Text, golden: Any, size: tuple[int, int]
) -> None:
    """What lies here is named, and the way from it stands first, also on the smallest screen."""
    there("mlflow-sqlite")
    async with empty(size) as pilot:
        await settled(pilot)
        # The folder's name is as long as the machine makes it, and breaks where it likes.
        text = [line for line in screen_text(pilot.app).split("\n") if not line.startswith((" Here:", " /"))]
        shown = [line for at, line in enumerate(text) if line.strip() or (at and text[at - 1].strip())]
        golden(f"welcome_found_{size[0]}x{size[1]}", "\n".join(shown))
