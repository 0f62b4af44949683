"""From a folder with what another tool recorded to a handoff whose proposals are taken, by keys in a real terminal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk

LIVE = b"\x1b[?1003h"
Start = Callable[..., Any]


@pytest.fixture
def sit(spawn: Start, tmp_path: Path) -> Callable[..., Any]:
    """Sit down at `carnet` in a folder where nothing of Carnet is yet: `sit(folder, 80, 24, NO_COLOR="1")`."""
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ana Lopes\n\temail = ana@example.org\n")

    def start(folder: Path, cols: int, rows: int, **more: str) -> Any:
        env = {"CARNET_CONFIG": str(tmp_path / "keys"), "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
               "GIT_CONFIG_SYSTEM": os.devnull, **more}  # fmt: skip
        terminal = spawn([sys.executable, "-m", "carnet_tui"], cols=cols, rows=rows, cwd=folder, env=env)
        return terminal.until(lambda one: LIVE in one.raw)

    return start


def opened(folder: Path, keys: Path) -> tuple[list[str], int]:
    """Return the answers marked as recorded in the only handoff of a folder's store, and the events written."""
    with Desk.open(folder, environ={"CARNET_CONFIG": str(keys)}) as desk:
        [handoff] = desk.project().handoff_ids()
        items = desk.project().look(handoff).status.items
        return [one.item.id for one in items if one.value and one.value.get("filled")], desk.project().ledger.count()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("source", ["mlflow-sqlite", "dvc/snapshot"])
def test_from_welcome_to_a_handoff(
    sit: Callable[..., Any], real_tools: Path, tmp_path: Path, size: tuple[int, int], source: str
) -> None:
    """R012, R096: Enter shows the plan, Enter opens the handoff, two more take what the record says; the terminal is given back."""
    folder = Path(shutil.copytree(real_tools / source, tmp_path / "churn"))
    terminal = sit(folder, *size)
    terminal.until("Open a handoff from what lies here").settle()
    terminal.send("enter")
    terminal.until("nothing written yet").until("write it, open a handoff")
    assert not (folder / ".carnet").exists()
    terminal.send("enter")
    terminal.until("take what the record says").until("the record answers 1 of 12").settle()
    assert any(line.startswith("▌◔ take what the record says") for line in terminal.lines)
    terminal.send("enter")
    terminal.until("Answer 1 item by what the record says").settle()
    terminal.send("enter")
    terminal.until("answered rep.rnd.seeds").settle()
    terminal.send("1")
    terminal.until("need you").settle()
    terminal.send("escape")
    assert terminal.wait() == 0
    terminal.assert_given_back()
    assert terminal.foreign() == []
    assert opened(folder, tmp_path / "keys")[0] == ["rep.rnd.seeds"]


@pytest.mark.slow
def test_keys_typed_ahead_are_obeyed(sit: Callable[..., Any], real_tools: Path, tmp_path: Path) -> None:
    """Enter pressed before anything was looked at means the way that comes to stand first."""
    folder = Path(shutil.copytree(real_tools / "dvc" / "snapshot", tmp_path / "churn"))
    terminal = sit(folder, 80, 24)
    terminal.send("enter")
    terminal.until("write it, open a handoff").settle()
    terminal.send("escape")
    terminal.until("Nothing was written.").settle()
    terminal.send("escape")
    assert terminal.wait() == 0
    assert not (folder / ".carnet").exists()


@pytest.mark.slow
def test_hostile_source_without_colour(sit: Callable[..., Any], real_tools: Path, tmp_path: Path) -> None:
    """Names that steer terminals reach it as signs only, from welcome to the lineage, with colours off."""
    folder = tmp_path / "churn"
    folder.mkdir()
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", folder)
    db = sqlite3.connect(folder / "mlflow.db")
    db.execute(
        "UPDATE runs SET name = char(27) || ']52;c;ZXZpbA==' || char(7) || char(8238) || name, start_time = start_time + 100000000"
    )
    db.execute("UPDATE params SET value = char(27) || '[2J' || value")
    db.commit()
    db.close()
    terminal = sit(folder, 120, 40, NO_COLOR="1")
    terminal.until("Open a handoff from what lies here").settle()
    terminal.send("enter")
    terminal.until("write it, open a handoff").settle()
    for key in ("end", "home", "enter"):
        terminal.send(key)
        terminal.settle()
    terminal.until("the record answers").settle()
    for key in ("enter", "end", "enter", "f", "end", "up", "enter", "g"):
        terminal.send(key)
        terminal.settle()
    assert terminal.foreign() == []
    terminal.send("ctrl+c")
    assert terminal.wait() == 0
    terminal.assert_given_back()
