"""An SQLite file of another tool, opened without a trace.

Rules: the folder that it lies in stays as it is, to the byte; a database of moderate size is copied first, so that whoever uses it need not wait
for the reader; one with a write-ahead log always is, as reading it in place writes beside it; of a foreign schema only tables count, no views.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.files import MIB, head, short

MAGIC: Final = b"SQLite format 3\0"
COPIED: Final = 2048 * MIB
"""A database up to this size is copied before it is read; a larger one is read where it lies, and others wait to write meanwhile."""
GLANCED: Final = 32 * MIB
MAX_CELL: Final = 16 * MIB
CACHE: Final = -32 * 1024  # KiB
PATIENCE: Final = 5.0  # seconds that a writer is waited for
TRIES: Final = 5
ERRORS: Final = (sqlite3.Error, UnicodeError)
"""What reading raises: the message of a damaged schema may be no UTF-8, which Python takes ill in its own way."""
_WAL: Final = 2  # what stands in bytes 18 and 19 of a database with a write-ahead log


def is_database(path: Path) -> bool:
    """Say whether a file is an SQLite database."""
    return head(path, 16) == MAGIC


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading without a trace."""
    if not is_database(path):
        try:
            path.open("rb").close()
        except OSError as error:
            raise Invalid(f"{path} cannot be read: {error.strerror}") from None
        raise Invalid(f"{path} is not an SQLite database", "name the file mlflow.db, or the folder that holds it")
    place = path.resolve()
    with tempfile.TemporaryDirectory(prefix="carnet-mlflow-") as folder:
        try:
            db = _ready(place, Path(folder, "copy.db"))
        except ERRORS as error:
            raise Invalid(f"{path} cannot be read: {why(error)}", _help(error)) from None
        except OSError as error:
            raise Invalid(
                f"{path} cannot be copied to {folder}: {error.strerror}", "make room there, or set TMPDIR"
            ) from None
        with closing(db):
            yield db


def _ready(place: Path, copy: Path) -> sqlite3.Connection:
    """Return a connection to a copy of the database; to itself, with a lock held, where it is too large for that."""
    if head(place, 20)[18:20].count(_WAL):
        _copy(place, copy, "-wal")
    elif place.stat().st_size > COPIED:
        return _locked(place)
    else:
        _backup(place, copy)
    return _connect(copy, "mode=rw")


def _locked(place: Path) -> sqlite3.Connection:
    """Return a connection that sees one moment of the database: nobody else finishes a write before it is closed."""
    db = _connect(place, "mode=ro")
    try:
        db.execute("BEGIN")
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except ERRORS:
        db.close()
        raise
    return db


def why(error: Exception) -> str:
    """Return what is wrong with a database in a few words."""
    return "it is damaged" if isinstance(error, UnicodeError) else short(str(error))


def _help(error: Exception) -> str:
    if "locked" in str(error):
        return "another process writes to it: try again, or read a copy"
    return "it is damaged or not whole: take it from a backup, or repair it with `sqlite3 mlflow.db .recover`"


def _backup(place: Path, copy: Path) -> None:
    """Copy a database under its own lock; one that was left in the middle of a write is mended in the copy."""
    try:
        # The lock comes first: to a database that is locked for good, `backup` would wait for good.
        with closing(_locked(place)) as db, closing(sqlite3.connect(copy)) as made:
            made.execute("PRAGMA synchronous=OFF")
            db.backup(made)
    except sqlite3.OperationalError:
        if not Path(f"{place}-journal").is_file():
            raise
        copy.unlink(missing_ok=True)
        _copy(place, copy, "-journal")


def _copy(place: Path, copy: Path, ending: str) -> None:
    """Copy a database with the log beside it: again where the log was begun anew meanwhile, as then the two are of different times."""
    log = Path(f"{place}{ending}")
    for _ in range(TRIES):
        before = _state(place, log)
        shutil.copyfile(place, copy)
        Path(f"{copy}{ending}").unlink(missing_ok=True)
        if log.is_file():
            shutil.copyfile(log, f"{copy}{ending}")
        if _state(place, log) == before:
            return
    raise Invalid(
        f"{place} is written to all the time",
        "stop the server that uses it, or read a copy made with `sqlite3 mlflow.db .backup`",
    )


def _state(place: Path, log: Path) -> tuple[object, ...]:
    """Return what does not change as long as a copy of database and log is of one time: the log's salts, or, without one, the file's own state."""
    begun = head(log, 32)
    found = place.stat()
    return (begun,) if begun else (found.st_size, found.st_mtime_ns, found.st_ino)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=PATIENCE, isolation_level=None)
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL)
        for pragma in ("query_only=ON", "trusted_schema=OFF", "cell_size_check=ON", f"cache_size={CACHE}"):
            db.execute(f"PRAGMA {pragma}")
    except ERRORS:
        db.close()
        raise
    return db


@contextmanager
def glanced(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for a moment; what a log holds is left out where copying it would take too long."""
    place = path.resolve()
    log = Path(f"{place}-wal")
    if not head(place, 20)[18:20].count(_WAL):
        with closing(_connect(place, "mode=ro")) as db:
            yield db
    elif place.stat().st_size + (log.stat().st_size if log.is_file() else 0) <= GLANCED:
        with opened(path) as db:
            yield db
    else:
        with closing(_connect(place, "mode=ro&immutable=1")) as db:
            yield db


def tables(db: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """Return the real tables with their columns: a view or a virtual table of a foreign file may do anything."""
    made = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).fetchall()
    names = [name for (name,) in made if isinstance(name, str)]
    return {
        name: frozenset(
            row[1] for row in db.execute("SELECT * FROM pragma_table_info(?)", (name,)) if isinstance(row[1], str)
        )
        for name in names
    }
