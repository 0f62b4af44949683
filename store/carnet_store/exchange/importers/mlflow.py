"""MLflow: a database, an `mlruns` folder, saved answers of a server's REST interface; `fetch` saves them.

Rules: MLflow itself is not needed and never loaded; a source is read and not changed; a store that was moved is recognised, run by run, by MLflow's ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from carnet_store.errors import Invalid
from carnet_store.exchange.importers import mlflow_files, mlflow_rest, mlflow_sqlite
from carnet_store.exchange.importers.mlflow_artifacts import Artifacts
from carnet_store.exchange.importers.mlflow_rows import Glance, Row
from carnet_store.exchange.importers.mlflow_things import Mapper
from carnet_store.exchange.importers.things import Guess, Ref, Source, Thing, Unread

KIND: Final = "mlflow"


class _Store(NamedTuple):
    """A store: where it is, the folder it lies in, its folder of runs where it is one, how to read it and how to glance at it."""

    place: Path
    home: Path
    folder: Path | None
    rows: Callable[[Path], Iterator[Row | Unread]]
    glance: Callable[[Path], Glance | None]


def guess(path: Path) -> Guess | None:
    """Say what `path` holds of MLflow: how many runs, the newest of them. Raises nothing."""
    try:
        glances = [(store.place, store.glance(store.place)) for store in _stores(path)]
        damaged = [
            place.name
            for place, seen in glances
            if seen is None and place.name in mlflow_sqlite.NAMES and mlflow_sqlite.is_damaged(place)
        ]
    except Exception:  # whatever a hostile file does to a library: `read` says what is wrong with it
        return None
    found = [seen for _, seen in glances if seen is not None]
    trouble = f"{' and '.join(damaged)} cannot be read" if damaged else ""
    if not found:
        return Guess(KIND, f"MLflow, but {trouble}", 0) if damaged else None
    runs, others = sum(one.runs for one in found), sum(one.others for one in found)
    more = "at least " if any(one.more for one in found) else ""
    newest = next((one.newest for one in found if one.newest), "")
    words = f"MLflow, {more}{runs:,} run{'' if runs == 1 else 's'}"
    words += f", newest {newest}" if newest else ""
    return Guess(KIND, f"{words}; but {trouble}" if trouble else words, runs + others)


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield everything in `source`.

    Raises:
        Invalid: nothing there is MLflow's, or nothing of it can be read.
    """
    stores = _stores(source.path)
    if not stores:
        raise _nothing(source.path)
    seen: set[Ref] | None = set() if len(stores) > 1 else None
    failed: list[Invalid] = []
    for store in stores:
        mapper = Mapper(Artifacts(source, store.home, store.folder))
        try:
            for row in store.rows(store.place):
                if isinstance(row, Unread):
                    yield row
                else:
                    yield from _new(mapper.things(row), seen)
        except Invalid as error:  # one of several: the others are read all the same
            failed.append(error)
            if len(failed) == len(stores):
                raise
            yield Unread(str(store.place), error.message.removeprefix(f"{store.place} "))
        yield from _new(mapper.finish(), seen)


def fetch(url: str, folder: Path, *, token: str = "", timeout: float = 30.0) -> int:
    """Save the answers of the server at `url` to `folder`, which must not be there yet, for `read`; return how many runs it told of.

    `token` is sent as a bearer token; a user and password in `url` are sent as such. `timeout` is in seconds, for each request.

    Raises:
        Usage: the address is none of a server, or the folder is there.
        Invalid: the server cannot be reached, refuses, or answers something else; nothing is left behind.
    """
    from carnet_store.exchange.importers import mlflow_fetch  # what speaks HTTP is slow to load

    return mlflow_fetch.fetch(url, folder, token=token, timeout=timeout)


def _new(found: Iterator[Thing | Unread], seen: set[Ref] | None) -> Iterator[Thing | Unread]:
    """Yield what was not yielded before: a store of files that was taken over into a database lies beside it still."""
    for one in found:
        if seen is not None and isinstance(one, Thing):
            if one.ref in seen:
                continue
            seen.add(one.ref)
        yield one


def _nothing(path: Path) -> Invalid:
    if str(path).startswith(("http:", "https:")):
        return Invalid(
            f"{path} is the address of a server, not a path", "save its answers to a folder first, and name that"
        )
    if not path.exists():
        return Invalid(f"there is no {path}")
    return Invalid(
        f"{path} holds nothing of MLflow",
        "name a database (mlflow.db), an mlruns folder, the folder they lie in, or a folder of saved answers",
    )


def _stores(path: Path) -> list[_Store]:
    """Return the stores at a path: itself, or what lies in it."""
    if path.is_file():
        return [_database(path)]
    if not path.is_dir():
        return []
    found = [_database(path / name) for name in mlflow_sqlite.NAMES if (path / name).is_file()]
    for folder in (path, path / "mlruns"):
        if mlflow_files.is_store(folder):
            home = folder.absolute().parent
            found.append(_Store(folder, home, folder, mlflow_files.rows, mlflow_files.glance))
    if mlflow_rest.is_folder(path):
        found.append(_Store(path, path, None, mlflow_rest.rows, mlflow_rest.glance))
    return found


def _database(path: Path) -> _Store:
    return _Store(path, path.absolute().parent, None, mlflow_sqlite.rows, mlflow_sqlite.glance)
