"""An MLflow database, SQLite of 1.x to 3.x.

Rules: columns are asked for, never expected; text is taken as bytes, so that one that is not UTF-8 costs no more than itself; the rows of all
tables about runs are read in step, in the order of the runs' ids: one statement a table, whatever the number of runs.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.mlflow_rows import (
    LARGEST,
    MAX_INT,
    MODEL_STATUS,
    DatasetRow,
    Glance,
    History,
    ModelRow,
    Point,
    Problems,
    Row,
    RunRow,
    Texts,
    Use,
    VersionRow,
    moment,
    newest_words,
    unbounded,
    whole,
)
from carnet_store.exchange.importers.mlflow_sqlite_file import ERRORS, glanced, is_database, opened, tables, why
from carnet_store.exchange.importers.things import Unread, number_text

NAMES: Final = ("mlflow.db", "mlruns.db")
"""Names that MLflow itself and its documentation give a database."""
STEPS: Final = 150  # of 10,000 operations each: what a glance may cost


def rows(path: Path) -> Iterator[Row | Unread]:
    """Yield versions, datasets, models, runs.

    Raises:
        Invalid: not an SQLite database, damaged at its root, without runs, or others write to it all the time.
    """
    with opened(path) as db:
        yield from _Reader(db, path.name).rows()


def glance(path: Path) -> Glance | None:
    """Count what is in a database; None where it is not MLflow's."""
    if not is_database(path):
        return None
    try:
        with glanced(path) as db:
            return _glance(db)
    except (Invalid, OSError, *ERRORS):
        return None


def is_damaged(path: Path) -> bool:
    """Say whether a file that bears the name of a database can be none; one of another tool is no damaged one."""
    if not is_database(path):
        return True
    try:
        with glanced(path) as db:
            tables(db)
    except (Invalid, OSError, *ERRORS):
        return True
    return False


def _glance(db: sqlite3.Connection) -> Glance | None:
    had = tables(db)
    if not {"run_uuid", "experiment_id"} <= had.get("runs", frozenset()) or "experiments" not in had:
        return None
    left = [STEPS]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    db.set_progress_handler(stop, 10_000)
    (runs,) = db.execute("SELECT count(*) FROM runs").fetchone()
    others, newest = 0, ""
    try:
        for table in ("datasets", "logged_models", "model_versions"):
            if table in had:
                others += db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (a name of ours)
        newest = _newest(db, had)
    except ERRORS:  # stopped, or damaged further in: reading tells
        pass
    return Glance(runs, others, newest)


def _newest(db: sqlite3.Connection, had: dict[str, frozenset[str]]) -> str:
    name = "name" if "name" in had["runs"] else "NULL"
    order = "start_time DESC, " if "start_time" in had["runs"] else ""
    order = f"lifecycle_stage = 'deleted', {order}" if "lifecycle_stage" in had["runs"] else order
    row = db.execute(f"SELECT run_uuid, {name} FROM runs ORDER BY {order}run_uuid LIMIT 1").fetchone()  # noqa: S608
    if row is None:
        return ""
    shown = str(row[1] or row[0])
    if "latest_metrics" not in had:
        return newest_words(shown)
    found = db.execute(
        "SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ? ORDER BY key LIMIT 1", (row[0],)
    ).fetchone()
    if found is None or not isinstance(found[1], float):
        return newest_words(shown)
    return newest_words(shown, str(found[0]), math.nan if found[2] else unbounded(found[1]))


# --- reading ----------------------------------------------------------------------------------------------------------


class _Joined:
    """The rows of a table in the order of the id that they belong to, which stands first; taken in step with those."""

    def __init__(self, db: sqlite3.Connection, what: str, sql: str) -> None:
        self.what, self.broken, self.lost = what, "", 0
        self._last: bytes | None = None
        self._rows: Iterator[Sequence[Any]] = iter(())
        self._row: Sequence[Any] | None = None
        if not sql:
            return
        try:
            self._rows = db.execute(sql)
        except ERRORS as error:
            self.broken = why(error)
        self._next()

    def _next(self) -> None:
        try:
            self._row = next(self._rows, None)
        except ERRORS as error:
            self._row, self.broken = None, why(error)

    def of(self, key: bytes) -> Iterator[Sequence[Any]]:
        """Yield the rows that belong to `key`; those before it belong to nothing that is there, and are counted."""
        while (row := self._row) is not None:
            owner = row[0]
            if owner != key:
                if isinstance(owner, bytes) and owner > key:
                    return
                self.lost += 1
            else:
                yield row
            self._next()

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """Yield every row."""
        while (row := self._row) is not None:
            self._next()
            yield row

    def rest(self) -> None:
        """Count what is left: it belongs to nothing."""
        while self._row is not None:
            self.lost += 1
            self._next()


class _Reader:
    """Reads one database. Text comes as bytes, so that one that is not UTF-8 costs no more than itself."""

    def __init__(self, db: sqlite3.Connection, file: str) -> None:
        self.db, self.file = db, file
        try:
            self.tables = tables(db)
        except ERRORS as error:
            raise Invalid(
                f"{file} cannot be read: {why(error)}", "it is damaged or not whole: take it from a backup"
            ) from None
        if "run_uuid" not in self.tables.get("runs", ()) or "experiments" not in self.tables:
            raise Invalid(
                f"{file} is no database of MLflow: it has no table of runs",
                "name the file that `mlflow server` was given",
            )
        db.text_factory = bytes
        self._joined: list[_Joined] = []
        self._experiments: dict[Any, tuple[str, str, str]] = {}

    def rows(self) -> Iterator[Row | Unread]:
        """Yield versions, datasets, models, runs, and what cannot be read of any."""
        for read in (self._read_experiments, self._versions, self._datasets, self._models, self._runs):
            yield from read()
            yield from self._broken()

    def _broken(self) -> Iterator[Unread]:
        for one in self._joined:
            one.rest()
            if one.broken:
                yield Unread(f"{self.file}, {one.what}", f"cannot be read to its end: {one.broken}")
            if one.lost:
                yield Unread(f"{self.file}, {one.what}", f"rows that belong to nothing that is there: {one.lost:,}")
        self._joined.clear()

    # --- statements ---

    def _columns(self, table: str, names: str, alias: str = "") -> str:
        """Return the columns of a table for a SELECT, NULL for those that this version of MLflow does not have."""
        had = self.tables.get(table, frozenset())
        dot = f"{alias}." if alias else ""
        return ", ".join(f'{dot}"{name}"' if name in had else "NULL" for name in names.split())

    def _ordered(self, table: str, owner: str, names: str, what: str = "", where: str = "") -> _Joined:
        """Return the rows of a table by what they belong to, those of one owner as they were written."""
        sql = ""
        if owner in self.tables.get(table, ()):
            columns = self._columns(table, f"{owner} {names}")
            sql = f'SELECT {columns} FROM "{table}" {where} ORDER BY "{owner}" COLLATE BINARY, rowid'  # noqa: S608 (names of ours)
        return self._join(what or f"table {table}", sql)

    def _join(self, what: str, sql: str) -> _Joined:
        joined = _Joined(self.db, what, sql)
        self._joined.append(joined)
        return joined

    def _all(self, table: str, names: str, order: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table; what stops it is told by `_broken`."""
        had = self.tables.get(table, frozenset())
        by = ", ".join(f'"{name}" COLLATE BINARY' for name in order.split() if name in had)
        if not by:
            return
        sql = f'SELECT NULL, {self._columns(table, names)} FROM "{table}" ORDER BY {by}'  # noqa: S608 (names of ours)
        for row in self._join(f"table {table}", sql):
            yield tuple(row[1:])

    # --- values ---

    def _text(self, value: Any, problems: Problems, what: str) -> str:
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                problems.note("text that is not UTF-8; what cannot be read stands as �", what)
                return value.decode("utf-8", "replace")
        if value is None:
            return ""
        return number_text(value)

    def _whole(self, value: Any, problems: Problems, what: str) -> int:
        return whole(value.decode("utf-8", "replace") if isinstance(value, bytes) else value, problems, what)

    def _moment(self, value: Any, problems: Problems, what: str) -> int:
        return moment(value.decode("utf-8", "replace") if isinstance(value, bytes) else value, problems, what)

    def _texts(self, rows: Iterator[Sequence[Any]], problems: Problems, what: str, at: int = 1) -> Texts:
        found = Texts(problems, what)
        for row in rows:
            name = self._text(row[at], problems, what)
            found.put(name, self._text(row[at + 1], problems, name))
        return found

    # --- experiments, registry, datasets ---

    def _read_experiments(self) -> Iterator[Row | Unread]:
        problems = Problems()
        for identity, name, lifecycle, workspace in self._all(
            "experiments", "experiment_id name lifecycle_stage workspace", "experiment_id"
        ):
            known = tuple(self._text(value, problems, "name") for value in (name, lifecycle, workspace))
            self._experiments[identity] = (known[0], known[1], known[2])
        yield from problems.take(f"{self.file}, table experiments")

    def _experiment(self, identity: Any, problems: Problems) -> tuple[str, str, str]:
        """Return name, id and workspace."""
        told = self._text(identity, problems, "experiment_id")
        known = self._experiments.get(identity)
        if known is None:
            problems.note("its experiment is not there", told)
            return "", told, ""
        return known[0], told, known[2]

    def _versions(self) -> Iterator[Row | Unread]:
        problems = Problems()
        models: dict[tuple[Any, Any], tuple[str, Texts]] = {}
        for space, name, description in self._all("registered_models", "workspace name description", "workspace name"):
            models[(space, name)] = (self._text(description, problems, "description"), Texts(problems, "tags"))
        for space, name, key, value in self._all(
            "registered_model_tags", "workspace name key value", "workspace name key"
        ):
            if (space, name) in models:
                models[(space, name)][1].put(self._text(key, problems, "key"), self._text(value, problems, "value"))
        aliases: dict[tuple[Any, ...], list[str]] = {}
        for space, name, version, alias in self._all(
            "registered_model_aliases", "workspace name version alias", "workspace name alias"
        ):
            aliases.setdefault((space, name, version), []).append(self._text(alias, problems, "alias"))
        tags: dict[tuple[Any, ...], Texts] = {}
        for space, name, version, key, value in self._all(
            "model_version_tags", "workspace name version key value", "workspace name version key"
        ):
            found = tags.setdefault((space, name, version), Texts(problems, "tags"))
            found.put(self._text(key, problems, "key"), self._text(value, problems, "value"))
        yield from problems.take(f"{self.file}, registered models")
        names = "workspace name version creation_time description user_id current_stage status source storage_location run_id"
        for space, name, version, created, *texts in self._all("model_versions", names, "workspace name version"):
            problems = Problems()
            key = (space, name, version)
            said = [self._text(value, problems, "a field") for value in texts]
            shown, number = self._text(name, problems, "name"), self._text(version, problems, "version")
            described, model_tags = models.get((space, name), ("", {}))
            yield VersionRow(
                shown, number, f"{self.file}, version {number} of {shown}", problems,
                created=self._moment(created, problems, "creation_time"), workspace=self._text(space, problems, "workspace"),
                description=said[0], user=said[1], stage=said[2], status=said[3], source=said[4], uri=said[5], run=said[6],
                tags=tags.get(key, {}), aliases=aliases.get(key, []), model_description=described, model_tags=model_tags,
            )  # fmt: skip

    def _datasets(self) -> Iterator[Row | Unread]:
        names = "name digest dataset_source_type dataset_source dataset_schema dataset_profile"
        last = None
        for row in self._all("datasets", names, "name digest experiment_id"):
            if row[:2] == last:  # the same in another experiment
                continue
            last, problems = row[:2], Problems()
            name, digest, kind, source, schema, profile = (self._text(value, problems, "a field") for value in row)
            yield DatasetRow(name, digest, f"{self.file}, dataset {name}", problems, kind, source, schema, profile)

    # --- models ---

    def _models(self) -> Iterator[Row | Unread]:
        if "model_id" not in self.tables.get("logged_models", ()):
            return
        names = (
            "name experiment_id source_run_id status lifecycle_stage model_type artifact_location creation_timestamp_ms"
        )
        models = self._ordered("logged_models", "model_id", names)
        params = self._ordered("logged_model_params", "model_id", "param_key param_value")
        tags = self._ordered("logged_model_tags", "model_id", "tag_key tag_value")
        points = self._model_points()
        for row in models:
            problems = Problems()
            name, experiment, run, status, lifecycle, kind, uri, created = row[1:]
            if not isinstance(row[0], bytes):
                yield Unread(f"{self.file}, table logged_models", "a model whose id is no text")
                continue
            said = self._text(row[0], problems, "model_id")
            title, number, _ = self._experiment(experiment, problems)
            state = self._text(status, problems, "status")
            yield ModelRow(
                said, f"{self.file}, model {said}", problems, self._text(name, problems, "name"), title, number,
                self._text(run, problems, "source_run_id"), MODEL_STATUS.get(state, state),
                self._text(lifecycle, problems, "lifecycle_stage") or "active", self._text(kind, problems, "model_type"),
                self._text(uri, problems, "artifact_location"), self._moment(created, problems, "creation_timestamp_ms"),
                self._texts(params.of(row[0]), problems, "parameters"), self._texts(tags.of(row[0]), problems, "tags"),
                list(self._points(points.of(row[0]), problems)),
            )  # fmt: skip

    def _model_points(self) -> _Joined:
        """Return the metrics of models. MLflow keeps NaN as 0 there; whether it was NaN stands in the metrics of the run alone."""
        if not {"model_id", "metric_name"} <= self.tables.get("logged_model_metrics", frozenset()):
            return self._join("table logged_model_metrics", "")
        names = "model_id metric_name metric_value metric_step metric_timestamp_ms dataset_name dataset_digest"
        lost = "0"
        if {"run_uuid", "key", "timestamp", "step", "is_nan"} <= self.tables.get("metrics", frozenset()):
            lost = (
                "l.metric_value = 0 AND EXISTS (SELECT 1 FROM metrics m WHERE m.key = l.metric_name AND m.timestamp = l.metric_timestamp_ms"
                " AND m.step = l.metric_step AND m.run_uuid = l.run_id AND m.is_nan = 1)"
            )
        columns = self._columns("logged_model_metrics", names, "l")
        order = "ORDER BY l.model_id COLLATE BINARY, l.rowid"
        return self._join("table logged_model_metrics", f"SELECT {columns}, {lost} FROM logged_model_metrics l {order}")  # noqa: S608

    def _points(self, rows: Iterator[Sequence[Any]], problems: Problems) -> Iterator[Point]:
        for _, key, value, step, t, dataset, digest, nan in rows:
            name = self._text(key, problems, "metric_name")
            if not isinstance(value, float):
                problems.note("a metric whose value is no number", name)
                continue
            yield Point(
                name, math.nan if nan else unbounded(value), self._whole(step, problems, name), self._moment(t, problems, name),
                self._text(dataset, problems, name), self._text(digest, problems, name),
            )  # fmt: skip

    # --- runs ---

    def _runs(self) -> Iterator[Row | Unread]:
        names = "name experiment_id status lifecycle_stage user_id source_name source_version start_time end_time artifact_uri"
        runs = self._ordered("runs", "run_uuid", names)
        params = self._ordered("params", "run_uuid", "key value")
        tags = self._ordered("tags", "run_uuid", "key value")
        newest = self._ordered("latest_metrics", "run_uuid", "key value step is_nan")
        points = self._ordered("metrics", "run_uuid", "key value timestamp step is_nan")
        uses = self._uses()
        needed = self._ordered(
            "inputs", "source_id", "destination_id", "models that runs used", "WHERE source_type = 'RUN_INPUT'"
        )
        made = self._ordered(
            "inputs", "source_id", "destination_id", "models that runs made", "WHERE source_type = 'RUN_OUTPUT'"
        )
        last = None
        for row in runs:
            key = row[0]
            if not isinstance(key, bytes) or key == last:
                yield Unread(
                    f"{self.file}, table runs",
                    "a run whose id is no text" if key != last else "a run that stands twice",
                )
                continue
            last, problems = key, Problems()
            said = self._text(key, problems, "run_uuid")
            found = RunRow(said, f"{self.file}, run {said}", problems)
            self._fields(found, row)
            found.params = self._texts(params.of(key), problems, "parameters")
            found.tags = self._texts(tags.of(key), problems, "tags")
            found.newest = self._newest(newest.of(key), problems)
            found.history = self._history(points.of(key), problems, newest=not found.newest)
            if not found.newest:
                found.newest = {name: (value, step) for name, (step, _, value) in found.history.newest.items()}
            found.data = self._used(uses.of(key), problems)
            found.used = [self._text(row[1], problems, "a model") for row in needed.of(key)]
            found.made = [self._text(row[1], problems, "a model") for row in made.of(key)]
            yield found

    def _fields(self, found: RunRow, row: Sequence[Any]) -> None:
        problems = found.problems
        name, experiment, status, lifecycle, user, source, version, started, ended, uri = row[1:]
        found.experiment, found.experiment_id, found.workspace = self._experiment(experiment, problems)
        found.name, found.status = self._text(name, problems, "name"), self._text(status, problems, "status")
        found.lifecycle = self._text(lifecycle, problems, "lifecycle_stage") or "active"
        found.user, found.source_name = (
            self._text(user, problems, "user_id"),
            self._text(source, problems, "source_name"),
        )
        found.source_version = self._text(version, problems, "source_version")
        found.started, found.ended = (
            self._moment(started, problems, "start_time"),
            self._moment(ended, problems, "end_time"),
        )
        found.uri = self._text(uri, problems, "artifact_uri")

    def _newest(self, rows: Iterator[Sequence[Any]], problems: Problems) -> dict[str, tuple[float, int]]:
        found: dict[str, tuple[float, int]] = {}
        for _, key, value, step, nan in rows:
            name = self._text(key, problems, "a metric")
            if isinstance(value, float):
                found[name] = (math.nan if nan else unbounded(value), self._whole(step, problems, name))
            else:
                problems.note("a metric whose value is no number", name)
        return found

    def _history(self, rows: Iterator[Sequence[Any]], problems: Problems, *, newest: bool) -> History:
        history = History(problems, newest=newest)
        add, names = history.add, dict[Any, str]()
        for _, key, value, t, step, nan in rows:
            name = names.get(key)
            if name is None:
                name = names[key] = self._text(key, problems, "a metric")
            step = 0 if step is None else step
            if (
                type(value) is float
                and type(t) is int
                and type(step) is int
                and -MAX_INT < step < MAX_INT
                and -MAX_INT < t < MAX_INT
            ):
                if nan or value in (LARGEST, -LARGEST):
                    value = math.nan if nan else unbounded(value)
                add(name, step, t, value)
            else:
                problems.note("points of a metric whose value, step or time is no number", name)
        return history

    def _uses(self) -> _Joined:
        """Return the datasets that runs used, a row for each tag of a use."""
        if not {"inputs", "datasets"} <= self.tables.keys():
            return self._join("datasets that runs used", "")
        tagged = {"input_uuid", "name", "value"} <= self.tables.get("input_tags", frozenset())
        tags = "t.name, t.value" if tagged else "NULL, NULL"
        join = "LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid" if tagged else ""
        return self._join(
            "datasets that runs used",
            f"SELECT i.destination_id, d.name, d.digest, {tags}, i.input_uuid FROM inputs i"  # noqa: S608 (names of ours)
            f" LEFT JOIN datasets d ON d.dataset_uuid = i.source_id {join}"
            " WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' ORDER BY i.destination_id COLLATE BINARY, i.rowid",
        )

    def _used(self, rows: Iterator[Sequence[Any]], problems: Problems) -> list[Use]:
        found: list[Use] = []
        last = None
        for _, name, digest, tag, value, identity in rows:
            if name is None:
                problems.note("a dataset that is not there")
                continue
            if identity != last:
                last = identity
                found.append(
                    Use(self._text(name, problems, "a dataset"), self._text(digest, problems, "a dataset"), {})
                )
            if tag is not None:
                found[-1].tags[self._text(tag, problems, "a tag")] = self._text(value, problems, "a tag")
        return found
