"""Ways out by command: a forked chain, a second root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from carnet_store.exchange import verify


def _set_back(machine: Any, saved: Any) -> None:
    """Put store and keys back as they were saved, in the same place: a machine that was set back."""
    for name in ("keys", "work/.carnet"):
        place = machine.root / name
        for part in place.iterdir():
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        shutil.copytree(saved / name, place, dirs_exist_ok=True)


@pytest.fixture
def forked(machine: Any, tmp_path: Any) -> tuple[Any, str, str]:
    """Ana's machine after it was set back and wrote on: two histories of one chain, both held; their changes."""
    ana = machine("Ana")
    ana.ok("init", "--project", "churn")
    ana.ok("add", "model", "churn@1")
    for name in ("keys", "work/.carnet"):
        shutil.copytree(ana.root / name, tmp_path / "saved" / name)
    tuesday = ana.ok("comment", "churn@1", "written on Tuesday", "--json").json["changes"][-1]
    ana.ok("export", "tuesday.carnet.zip")
    _set_back(ana, tmp_path / "saved")
    wednesday = ana.ok("comment", "churn@1", "written on Wednesday", "--json").json["changes"][-1]
    ana.ok("import", "tuesday.carnet.zip", "--yes")
    return ana, tuesday, wednesday


def _lost(machine: Any) -> set[str]:
    return {row["change"] for row in machine.ok("log", "--not-counting", "--json").json}


def test_both_histories_count_again_and_the_author_goes_on_in_a_new_chain(forked: Any) -> None:
    """R041: a fork counts for nothing until its owner adopts; what is written then counts too."""
    ana, tuesday, wednesday = forked
    assert _lost(ana) == {tuesday, wednesday}
    assert ana.call("doctor").code == 3
    ana.ok("people", "adopt")
    ana.ok("comment", "churn@1", "written afterwards")
    assert _lost(ana) == set()
    assert ana.ok("doctor").code == 0
    assert ana.ok("verify", "--json").json["projects"][0]["faults"] == []


def test_one_history_alone_can_be_adopted(forked: Any) -> None:
    """R041: the other stays, and counts for nothing."""
    ana, tuesday, wednesday = forked
    ana.ok("people", "adopt", "--only", tuesday[:16])
    assert _lost(ana) == {wednesday}


def test_a_history_that_is_not_there_is_not_adopted(forked: Any) -> None:
    ana, tuesday, wednesday = forked
    said = ana.call("people", "adopt", "--only", "ffffffff")
    assert (said.code, "no history of yours ends in ffffffff" in said.err) == (3, True)
    assert _lost(ana) == {tuesday, wednesday}


def test_a_second_root_names_a_new_admin_where_the_first_key_is_lost(machine: Any) -> None:
    """R019: it acts without being a member; a key that is no root does not."""
    ana = machine("Ana")
    root = ana.ok("identity", "new", "Paper", "--json").json["person"]
    ana.ok("init", "--project", "churn", "--me", "Ana", "--second-root", root)
    for name in ("Bea", "Eve"):
        ana.ok("identity", "new", name, "--mail", f"{name.lower()}@example.org")
    ana.ok("people", "join", "--role", "researcher", "--me", "Bea")
    assert ana.call("people", "admit", "Bea", "--me", "Eve").code == 3
    assert ana.call("people", "admit", "Bea", "--me", "Bea").code == 3
    ana.ok("people", "admit", "Bea", "--me", "Paper")
    ana.ok("people", "admins", "Bea", "--me", "Paper")
    ana.ok("people", "leave", "Ana", "--me", "Bea")
    people = {row["name"]: row for row in ana.ok("people", "list", "--json", "--me", "Bea").json["people"]}
    assert people["Bea"]["admin"]
    assert people["Ana"]["status"] == "left"
    assert set(people) == {"Ana", "Bea"}


@pytest.mark.parametrize("kind", ["code", "environment", "document", "dataset", "model"])
def test_a_version_may_stand_in_the_name(machine: Any, kind: str) -> None:
    ana = machine("Ana")
    ana.ok("init", "--project", "churn")
    ana.ok("add", kind, "thing@2")
    (row,) = ana.ok("list", kind, "--json").json["rows"]
    assert (row["name"], row["version"], row["title"]) == ("thing", "2", "thing@2")


def test_a_project_goes_on_from_one_that_nobody_administers(ana: Any, tmp_path: Path) -> None:
    """Lost with neither second root nor another admin: a new ledger continues the old one, and says so, also to an auditor."""
    old = ana.ok("whoami", "--json").json["projects"][0]["ledger"]
    said = ana.call("init", "--project", "churn-2", "--continues", "nothing")
    assert said.code == 4 and "is no ledger id" in said.err
    ana.ok("init", "--project", "churn-2", "--continues", "churn")
    rows = {row["project"]: row for row in ana.ok("whoami", "--json").json["projects"]}
    assert rows["churn-2"]["continues"] == old and rows["churn"]["continues"] == ""
    ana.ok("export", "b.carnet.zip", "--project", "churn-2")
    script = Path(verify.__file__)
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(ana.folder / "b.carnet.zip"), "--integrity-only"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and f"it continues ledger {old}" in done.stdout
