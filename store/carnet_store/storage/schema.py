"""The tables of a ledger's SQLite file, and how a connection to one is opened.

`meta`, `chain`, `event` are the truth. all others are derived and can be dropped and made again.
A local event number is `chain.no << 32 | seq`; a change's is `event << 10 | index`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from carnet_store.errors import Busy, Invalid, NotFound, TooNew

FORMAT: Final = 1
RULES: Final = 2
"""Raised whenever a Carnet folds the same events into other tables: what an older one had folded is then verified and folded anew, once."""
APPLICATION_ID: Final = 0x4341524E
SEQ_BITS: Final = 32
INDEX_BITS: Final = 10
BUSY_SECONDS: Final = 10.0
NETWORK_TYPES: Final = (
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "9p",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "afs",
)

TRUTH: Final = """
CREATE TABLE meta(k TEXT PRIMARY KEY, v TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE chain(no INTEGER PRIMARY KEY, key TEXT NOT NULL, branch TEXT NOT NULL DEFAULT '', parent INTEGER NOT NULL DEFAULT 0 CHECK(parent < no),
  start INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT -1, hash TEXT NOT NULL, t INTEGER NOT NULL DEFAULT 0, UNIQUE(key, branch)) STRICT;
CREATE TABLE event(id INTEGER PRIMARY KEY, hash BLOB NOT NULL, t INTEGER NOT NULL, line BLOB NOT NULL) STRICT;
CREATE INDEX event_hash ON event(hash);
CREATE TRIGGER event_stays BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TABLE bundle(digest TEXT PRIMARY KEY, direction TEXT NOT NULL, peer TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, heads TEXT NOT NULL) STRICT;
CREATE TABLE peer(person TEXT PRIMARY KEY, heads TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0, heard INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE draft(person TEXT NOT NULL, subject TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(person, subject)) STRICT;
CREATE TABLE looked(person TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(person, subject)) STRICT;
"""

DERIVED: Final = """
CREATE TABLE done(chain INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE see(chain INTEGER NOT NULL, other INTEGER NOT NULL, at INTEGER NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY(chain, other, at)) STRICT, WITHOUT ROWID;
CREATE TABLE word(no INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE entity(no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '',
  t INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0, birth INTEGER) STRICT;
CREATE INDEX entity_kind ON entity(kind, t);
CREATE TABLE change(id INTEGER PRIMARY KEY, entity INTEGER NOT NULL, kind INTEGER NOT NULL, field TEXT NOT NULL, counts INTEGER NOT NULL, live INTEGER NOT NULL,
  person INTEGER NOT NULL, roles INTEGER NOT NULL, commitment BLOB NOT NULL, over TEXT, signers TEXT, value BLOB) STRICT;
CREATE INDEX change_entity ON change(entity, id);
CREATE INDEX change_uncounted ON change(counts) WHERE counts <> 0;
CREATE TABLE edge(src INTEGER NOT NULL, rel INTEGER NOT NULL, dst INTEGER NOT NULL, change INTEGER NOT NULL, PRIMARY KEY(src, rel, dst, change)) STRICT, WITHOUT ROWID;
CREATE INDEX edge_dst ON edge(dst, rel);
CREATE TABLE fact(no INTEGER PRIMARY KEY, change INTEGER NOT NULL UNIQUE) STRICT;
CREATE TABLE sealed(entity INTEGER NOT NULL, change INTEGER NOT NULL, PRIMARY KEY(entity, change)) STRICT, WITHOUT ROWID;
CREATE TABLE recall(change INTEGER PRIMARY KEY, entity INTEGER NOT NULL) STRICT;
CREATE TABLE payload(digest BLOB NOT NULL, change INTEGER NOT NULL, PRIMARY KEY(digest, change)) STRICT, WITHOUT ROWID;
"""

DERIVED_TABLES: Final = ("done", "see", "word", "entity", "change", "edge", "fact", "sealed", "recall", "payload")


@functools.lru_cache(maxsize=64)
def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`, as the kernel names it; empty where it cannot be asked."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    best, kind = "", ""
    resolved = str(path.resolve())
    for line in mounts.read_text(errors="replace").splitlines():
        parts = line.split(" ")
        point = parts[1].replace("\\040", " ")
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, parts[2]
    return kind


def is_network(kind: str) -> bool:
    """Say whether SQLite's locks cannot be relied on there."""
    return kind in NETWORK_TYPES or kind.startswith("fuse.") or kind == "fuse"


def connect(path: Path, *, create: bool = False, ledger: str = "") -> sqlite3.Connection:
    """Open a ledger file the safe way: WAL and FULL on a local disk, a rollback journal on a network one.

    Raises:
        NotFound: no such file and `create` is false.
        TooNew: the file was written by a newer Carnet.
        Invalid: it is not a ledger.
        Busy: another process holds it for longer than ten seconds.
    """
    if not create and not path.exists():
        raise NotFound(f"there is no ledger at {path}")
    before = os.umask(0o077)
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    except sqlite3.Error as error:
        raise Invalid(f"{path} cannot be opened: {error}") from None
    finally:
        os.umask(before)
    try:
        network = is_network(file_system(path.parent))
        db.execute(f"PRAGMA journal_mode={'DELETE' if network else 'WAL'}")
        for pragma in (
            "synchronous=FULL", "cache_size=-65536", "trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0",
            "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY",
        ):  # fmt: skip
            db.execute(f"PRAGMA {pragma}")
        if create:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _statements(TRUTH + DERIVED):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                db.execute(f"PRAGMA user_version={FORMAT}")
                db.execute("INSERT INTO meta VALUES('ledger', ?)", (ledger,))
            db.execute("COMMIT")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise Invalid(f"{path} is not a Carnet ledger", "restore it from a backup or a bundle")
        if version > FORMAT:
            raise TooNew(f"{path} has store format {version}; this Carnet knows {FORMAT}", "install a newer Carnet")
    except sqlite3.OperationalError as error:
        db.close()
        raise _told(error, path) from None
    except sqlite3.DatabaseError as error:
        db.close()
        raise Invalid(
            f"{path} is not a readable SQLite file: {error}", "restore it from a backup or a bundle"
        ) from None
    return db


def drop_derived(db: sqlite3.Connection) -> None:
    """Empty every derived table; inside the caller's transaction."""
    for table in DERIVED_TABLES:
        db.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _statements(DERIVED):
        db.execute(statement)


class Rollback(Exception):
    """Ends a transaction without a trace."""


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """One write: BEGIN IMMEDIATE, then COMMIT, or nothing at all. On a network disk one writer at a time.

    Raises:
        Busy: another process writes for longer than ten seconds.
        Invalid: the disk is full or fails; nothing was written.
    """
    with _single_writer(path):
        try:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise _told(error, path) from error
        except BaseException:
            if db.in_transaction:  # a full disk has rolled back already, and a bare ROLLBACK would hide the cause
                db.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def _single_writer(path: Path) -> Iterator[None]:
    if not is_network(file_system(path.parent)):
        yield
        return
    lock = path.with_suffix(".lock")
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        holder = lock.read_text(errors="replace").strip()
        raise Busy(
            f"the store is on a network disk and is being written by {holder}",
            f"wait for it, or delete {lock} if that process is gone",
        ) from None
    try:
        os.write(handle, f"{socket.gethostname()} process {os.getpid()}".encode())
        os.close(handle)
        yield
    finally:
        lock.unlink(missing_ok=True)


def _told(error: sqlite3.OperationalError, path: Path) -> Exception:
    text = str(error)
    if "locked" in text or "busy" in text:
        return Busy(f"another process holds {path.name}", "try again in a moment; `carnet doctor` shows more")
    if "full" in text:
        return Invalid(f"no space is left for {path}; nothing was written", "free some space and repeat the command")
    if "readonly" in text or "unable to open" in text:
        return Invalid(f"{path} cannot be written: {text}", "check the permissions of the .carnet folder")
    if sys.flags.dev_mode:
        return error
    return Invalid(f"{path}: {text}", "run `carnet verify`; restore from a backup or a bundle if it fails")


def _statements(script: str) -> list[str]:
    found, current = [], ""
    for line in script.splitlines():
        current += line + "\n"
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return found
