"""A ledger's file: how it is opened, what is refused, what a transaction promises."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from carnet_store.errors import Busy, Invalid, NotFound, TooNew
from carnet_store.storage import schema

ID = "a" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    schema.connect(tmp_path / "a.db", create=True, ledger=ID).close()
    return tmp_path / "a.db"


def test_settings_that_keep_acknowledged_events(path: Path) -> None:
    """THREATS 3: WAL and FULL; nothing less."""
    db = schema.connect(path)
    found = {
        p: db.execute(f"PRAGMA {p}").fetchone()[0]
        for p in ("journal_mode", "synchronous", "secure_delete", "trusted_schema")
    }
    assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "trusted_schema": 0}
    db.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX modes")
def test_file_is_the_owners_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"not a database, only text that is long enough to be one" * 20, b"", b"SQLite format 3\0" + b"\xff" * 4000],
)
def test_other_files_are_refused_without_a_traceback(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    with pytest.raises(Invalid):
        schema.connect(other)


def test_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "b.db")
    db.execute("CREATE TABLE t(x)")
    db.close()
    with pytest.raises(Invalid, match="not a Carnet ledger"):
        schema.connect(tmp_path / "b.db")


def test_newer_store_and_missing_store(path: Path) -> None:
    db = schema.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(TooNew):
        schema.connect(path)
    with pytest.raises(NotFound):
        schema.connect(path.with_name("none.db"))


def test_transaction_is_whole_or_nothing(path: Path) -> None:
    db = schema.connect(path)
    with pytest.raises(ZeroDivisionError), schema.transaction(db, path):
        db.execute("INSERT INTO meta VALUES('x', '1')")
        _ = 1 // 0
    assert db.execute("SELECT count(*) FROM meta WHERE k = 'x'").fetchone()[0] == 0
    with schema.transaction(db, path):
        db.execute("INSERT INTO meta VALUES('x', '1')")
    assert db.execute("SELECT count(*) FROM meta WHERE k = 'x'").fetchone()[0] == 1
    db.close()


def test_busy_is_said_in_words(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 5: who waits too long hears that another process holds the store; exit 7."""
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    one, other = schema.connect(path), schema.connect(path)
    with schema.transaction(one, path), pytest.raises(Busy), schema.transaction(other, path):
        pass
    one.close()
    other.close()


def test_full_disk_is_told_and_nothing_is_written(path: Path) -> None:
    """THREATS 4: the cause is shown, what was there stays, the store is usable when there is room again."""
    db = schema.connect(path)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count={pages + 1}")
    with pytest.raises(Invalid, match="no space"), schema.transaction(db, path):
        for number in range(1000):
            db.execute("INSERT INTO meta VALUES(?, ?)", (str(number), "x" * 4000))
    assert db.execute("SELECT count(*) FROM meta").fetchone()[0] == 1
    db.execute("PRAGMA max_page_count=1000000")
    with schema.transaction(db, path):
        db.execute("INSERT INTO meta VALUES('x', '1')")
    db.close()


def test_network_disk_has_one_writer_and_no_wal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """THREATS 7: an exclusive lock file names host and process."""
    monkeypatch.setattr(schema, "file_system", lambda _: "nfs4")
    db = schema.connect(path)
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    lock = path.with_suffix(".lock")
    with schema.transaction(db, path):
        assert str(os.getpid()) in lock.read_text()
        with pytest.raises(Busy, match=str(os.getpid())), schema.transaction(db, path):
            pass
    assert not lock.exists()
    db.close()


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("ext4", False),
        ("nfs", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("fuse", True),
        ("fuseblk", False),
        ("apfs", False),
    ],
)
def test_which_disks_are_network_disks(kind: str, network: bool) -> None:
    assert schema.is_network(kind) is network
