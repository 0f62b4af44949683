"""Finding by command."""

from __future__ import annotations

from typing import Any

import pytest

from carnet_store.storage import search_rows


@pytest.fixture
def tried(ana: Any) -> Any:
    """A run that was rejected, and the decision that rejected it."""
    ana.ok("add", "run", "r-007", "--param", "max_depth=12", "--used", "telco")
    ana.ok("decide", "Deep trees?", "--choice", "no deep trees", "--reason", "they learn single customers by heart",
           "--about", "r-007", "--outcome", "rejected")  # fmt: skip
    return ana


def test_a_parameter_finds_the_rejected_run_and_its_decision(tried: Any) -> None:
    """R006: what was tried already is found by its parameter, and so is the decision that rejected it."""
    run, decision = tried.ok("find", "max_depth=12", "--json").json
    assert (run["kind"], run["title"], run["where"], run["text"], run["marks"]) == (
        "run",
        "r-007",
        "parameter",
        "max_depth=12",
        [[0, 12]],
    )
    assert (decision["title"], decision["outcome"], decision["where"]) == ("D-1 no deep trees", "rejected", "about")
    out = tried.ok("find", "max_depth=12").out
    assert "[max_depth=12]" in out
    assert "D-1 no deep trees" in out
    assert tried.ok("find", "max_depth=12", "--kind", "runs", "--json").json == [run]
    assert tried.ok("find", "max_depth=12", "--kind", "decision", "--json").json == [decision]


def test_what_is_typed_is_text(tried: Any) -> None:
    """R006: words, phrases and beginnings; nothing typed is an error of the search's own language."""
    assert [row["kind"] for row in tried.ok("find", "single", "deep", "--json").json] == ["decision"]
    assert tried.ok("find", '"deep single"', "--json").json == []
    assert [row["kind"] for row in tried.ok("find", "cust*", "heart", "--json").json] == ["decision"]
    for words in ("AND", "NEAR(", 'a"b', "name:", "%", "x" * 900):
        tried.ok("find", words)
    assert "is nowhere in churn" in tried.ok("find", "zebra").err
    wrong = tried.call("find", "telco", "--kind", "runz")
    assert wrong.code == 2
    assert "run" in wrong.err
    empty = tried.call("find", " ")
    assert empty.code == 2
    assert "Next:" in empty.err


def test_more_than_is_shown_says_so(tried: Any) -> None:
    for at in range(3):
        tried.ok("add", "run", f"sweep-{at}")
    said = tried.ok("find", "sweep", "--limit", "2")
    assert len(said.out.splitlines()) == 2
    assert "--limit 4" in said.err


def test_what_was_shredded_is_found_no_more(tried: Any) -> None:
    """C174: by command, end to end: the text is in no file of the store afterwards."""
    tried.ok("people", "role", "Ana", "eraser")
    tried.ok("comment", "telco", "SECRETWORD of a customer")
    assert tried.ok("find", "secretword", "--json").json
    change = next(row["change"] for row in tried.ok("log", "telco", "--json").json if row["kind"] == "comment.added")
    tried.ok("shred", change, "--reason", "the customer asked for it", "--yes")
    assert tried.ok("find", "secretword", "--json").json == []
    for path in (tried.folder / ".carnet").rglob("*"):
        if path.is_file():
            assert b"secretword" not in path.read_bytes().lower(), path


def test_what_another_shredded_is_gone_here_once_it_is_heard_of(tried: Any, machine: Any) -> None:
    """C174: a tombstone that comes in a bundle empties the receiver's index and files too."""
    tom = machine("Tom")
    tried.ok("people", "role", "Ana", "eraser")
    tried.ok("comment", "telco", "SECRETWORD of a customer")
    ledger = tried.ok("verify", "--json").json["projects"][0]["ledger"]
    tom.ok("import", tried.send(tom).name, "--trust", ledger)
    assert tom.ok("find", "secretword", "--json").json
    change = next(row["change"] for row in tried.ok("log", "telco", "--json").json if row["kind"] == "comment.added")
    tried.ok("shred", change, "--reason", "the customer asked for it", "--yes")
    tom.ok("import", tried.send(tom, "c.carnet.zip").name)
    for path in (tom.folder / ".carnet").rglob("*"):
        if path.is_file():
            assert b"secretword" not in path.read_bytes().lower(), path
    assert tom.ok("find", "secretword", "--json").json == []


def test_the_doctor_tells_of_a_sqlite_without_full_text(tried: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite without FTS5 finds the same, slower; doctor says so."""
    before = tried.ok("find", "deep trees", "--json").json
    assert not any("FTS5" in row["text"] for row in tried.ok("doctor", "--json").json)
    monkeypatch.setattr(search_rows, "has_full_text", lambda: False)
    monkeypatch.setattr("carnet_store.work.checkup.has_full_text", lambda: False)
    (row,) = [row for row in tried.ok("doctor", "--json").json if "FTS5" in row["text"]]
    assert row["level"] == "note"
    (tried.folder / ".carnet" / "index.db").unlink()
    assert tried.ok("find", "deep trees", "--json").json == before


def test_rebuilding_reads_all_anew(tried: Any) -> None:
    import sqlite3

    assert tried.ok("find", "farid", "--json").json
    db = sqlite3.connect(tried.folder / ".carnet" / "index.db")
    db.execute("UPDATE said SET fields = replace(fields, 'owner', 'forged')")
    db.commit()
    db.close()
    assert tried.ok("find", "farid", "--json").json[0]["where"] == "forged"
    tried.ok("verify", "--rebuild")
    assert tried.ok("find", "farid", "--json").json[0]["where"] == "owner"
