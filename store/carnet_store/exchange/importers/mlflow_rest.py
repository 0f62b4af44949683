"""Saved answers of an MLflow server's REST interface: a folder of JSON files, as `mlflow_fetch` or a script of one's own leaves them.

Rules: a file is known by the beginning of its name (`ANSWERS`), pages count in the order of their numbers; an answer to `runs/get` says more than
a search does and wins; a history whose run is not named belongs to the one run that it fits.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from carnet_store.exchange.importers.files import MIB, Unreadable, load_json, read_bytes, sound
from carnet_store.exchange.importers.mlflow_rows import (
    RUN_STATUS,
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
    number,
    unbounded,
    whole,
)
from carnet_store.exchange.importers.things import Unread

EXPERIMENTS: Final = "experiments-search"
RUNS: Final = "runs-search"
RUN: Final = "runs-get"
HISTORY: Final = "metrics-get-history"
MODELS: Final = "logged-models-search"
REGISTERED: Final = "registered-models-search"
VERSIONS: Final = "model-versions-search"
ANSWERS: Final = (EXPERIMENTS, RUNS, RUN, HISTORY, MODELS, REGISTERED, VERSIONS)
"""How the name of a file begins; `.<anything>.json` follows, a page's number in it."""
MAX_ANSWER: Final = 64 * MIB
MAX_HISTORIES: Final = 4_096
"""Histories that do not say whose they are; each has to be tried at every run."""
MAX_GLANCED: Final = 2 * MIB
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"([0-9]+)")

Fields = dict[str, Any]


def is_folder(path: Path) -> bool:
    """Say whether a folder holds saved answers about runs."""
    return any(kind in (RUNS, RUN) for kind, _ in _answers(path))


def rows(folder: Path) -> Iterator[Row | Unread]:
    """Yield versions, datasets, models, runs."""
    yield from _Reader(folder).rows()


def glance(folder: Path) -> Glance:
    """Count the runs in the first answers."""
    runs: dict[str, Fields] = {}
    size = 0
    for kind, path in _answers(folder):
        if kind == RUNS:
            size += path.stat().st_size
            if size > MAX_GLANCED:
                return Glance(len(runs), 0, "", more=True)
            said = load_json(read_bytes(path, MAX_GLANCED), path.name)
            runs |= {_text(_of(one, "info"), "run_id", "run_uuid"): one for one in _list(said, "runs")}
    if not runs:
        return Glance(0)
    newest = max(
        runs.values(),
        key=lambda one: (number(_of(one, "info").get("start_time")) or 0.0, _text(_of(one, "info"), "run_id")),
    )
    info, metrics = (
        _of(newest, "info"),
        sorted(_list(_of(newest, "data"), "metrics"), key=lambda one: _text(one, "key")),
    )
    value = number(metrics[0].get("value")) if metrics else None
    name = _text(info, "run_name", "run_id", "run_uuid")
    return Glance(
        len(runs),
        0,
        newest_words(name, _text(metrics[0], "key"), unbounded(value)) if value is not None else newest_words(name),
    )


def _answers(folder: Path) -> list[tuple[str, Path]]:
    """Return the files that are answers, each with its kind, pages in order."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name for entry in entries if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False)
            ]
    except OSError:
        return []
    found = [(kind, name) for name in names if (kind := name.partition(".")[0]) in ANSWERS]
    return [
        (kind, folder / name) for kind, name in sorted(found, key=lambda one: (ANSWERS.index(one[0]), _natural(one[1])))
    ]


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() and len(part) < 16 else (1, 0, part) for part in _NUMBER.split(name)]


class _Reader:
    """Reads one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._experiments: dict[str, tuple[str, str, str]] = {}
        self._datasets: set[tuple[str, str]] = set()
        self._single: dict[str, Path] = {}
        self._histories: dict[str, list[Path]] = {}
        self._nameless: dict[Path, list[Fields]] = {}
        self._seen: set[str] = set()
        self._lost: dict[Path, Unread] = {}

    def rows(self) -> Iterator[Row | Unread]:
        """Yield versions, datasets, models, runs, and what cannot be read of any."""
        by_kind: dict[str, list[Path]] = {kind: [] for kind in ANSWERS}
        for kind, path in _answers(self.folder):
            by_kind[kind].append(path)
        for one in self._items(by_kind[EXPERIMENTS], "experiments"):
            if isinstance(one, Unread):
                yield one
            else:
                self._experiments[_text(one, "experiment_id")] = (
                    _text(one, "name"),
                    _text(one, "lifecycle_stage"),
                    _text(one, "workspace"),
                )
        yield from self._versions(by_kind[REGISTERED], by_kind[VERSIONS])
        for one in self._items(by_kind[MODELS], "models"):
            yield one if isinstance(one, Unread) else self._model(one)
        yield from self._index(by_kind[RUN], by_kind[HISTORY])
        yield from self._whose(by_kind[RUNS])
        for one in self._items(by_kind[RUNS], "runs"):
            if isinstance(one, Unread):
                yield one
                continue
            identity = _text(_of(one, "info"), "run_id", "run_uuid")
            single = self._single.pop(identity, None)
            yield from self._run(one if single is None else self._alone(single) or one)
        for path in self._single.values():
            if (alone := self._alone(path)) is not None:
                yield from self._run(alone)
        yield from self._lost.values()

    # --- answers ---

    def _load(self, path: Path) -> Any:
        return load_json(read_bytes(path, MAX_ANSWER), path.name)

    def _items(self, paths: list[Path], key: str) -> Iterator[Fields | Unread]:
        """Yield the items of a list in every page; an answer without the list is an empty page."""
        for path in paths:
            try:
                said = self._load(path)
            except Unreadable as error:
                yield Unread(error.where.replace(str(path), path.name), error.why)
                continue
            if not isinstance(said, dict) or _failed(said):
                yield Unread(path.name, _text(said, "message") or "is no answer of MLflow")
                continue
            found = _list(said, key)
            if isinstance(listed := said.get(key, []), list) and len(found) == len(listed):
                yield from found
            else:
                yield from found
                yield Unread(path.name, f"`{key}` holds what is no set of fields")

    def _alone(self, path: Path) -> Fields | None:
        """Return the run of an answer to runs/get."""
        try:
            said = self._load(path)
        except Unreadable as error:
            self._lost[path] = Unread(error.where.replace(str(path), path.name), error.why)
            return None
        if not (found := _of(said, "run")):
            self._lost[path] = Unread(path.name, _text(said, "message") if _failed(said) else "holds no run")
        return found or None

    def _index(self, runs: list[Path], histories: list[Path]) -> Iterator[Unread]:
        """Note which file is about which run."""
        for path in runs:
            named = _RUN_ID.search(path.name)
            try:
                identity = named[0] if named else _text(_of(_of(self._load(path), "run"), "info"), "run_id", "run_uuid")
            except Unreadable as error:
                yield Unread(error.where.replace(str(path), path.name), error.why)
                continue
            if identity:
                self._single[identity] = path
            else:
                yield Unread(path.name, "holds no run")
        for path in histories:
            if (named := _RUN_ID.search(path.name)) is not None:
                self._histories.setdefault(named[0], []).append(path)
            elif len(self._nameless) >= MAX_HISTORIES:
                yield Unread(path.name, f"more than {MAX_HISTORIES:,} histories without the id of a run in their names")
            else:
                try:
                    self._nameless[path] = _list(self._load(path), "metrics")[-1:]
                except Unreadable as error:
                    yield Unread(error.where.replace(str(path), path.name), error.why)

    def _whose(self, runs: list[Path]) -> Iterator[Unread]:
        """Find the run of each history that names none: its last point is the newest of that run and of no other, to the millisecond."""
        if not self._nameless:
            return
        fits: dict[tuple[object, ...], set[str]] = {}
        wanted: dict[Path, tuple[object, ...]] = {}
        for path, last in self._nameless.items():
            if last and (point := self._point(last[0], Problems())) is not None:
                wanted[path] = _same(point)
                fits[wanted[path]] = set()
        found = (one for one in self._items(runs, "runs") if not isinstance(one, Unread))
        for one in itertools.chain(
            found, (alone for path in self._single.values() if (alone := self._alone(path)) is not None)
        ):
            for said in _list(_of(one, "data"), "metrics"):
                if (point := self._point(said, Problems())) is not None and _same(point) in fits:
                    fits[_same(point)].add(_text(_of(one, "info"), "run_id", "run_uuid"))
        for path in self._nameless:
            owners = fits.get(wanted.get(path, ()), set())
            if len(owners) == 1:
                self._histories.setdefault(owners.pop(), []).append(path)
            else:
                yield Unread(path.name, f"a history that fits {len(owners) or 'no'} runs: whose it is, is not said")

    # --- rows ---

    def _texts(self, said: Any, key: str, problems: Problems, what: str) -> Texts:
        found = Texts(problems, what)
        for one in _list(said, key):
            name, value = one.get("key"), one.get("value", "")
            if isinstance(name, str) and isinstance(value, str):
                found.put(sound(name), sound(value))
            else:
                problems.note(f"{what} whose name or value is no text", str(name))
        return found

    def _point(self, one: Fields, problems: Problems) -> Point | None:
        value, name = number(one.get("value", 0)), one.get("key")
        if value is None or not isinstance(name, str):
            problems.note("a metric whose value is no number", str(name))
            return None
        step, t = whole(one.get("step"), problems, name), whole(one.get("timestamp"), problems, name)
        return Point(sound(name), unbounded(value), step, t, _text(one, "dataset_name"), _text(one, "dataset_digest"))

    def _versions(self, models: list[Path], versions: list[Path]) -> Iterator[Row | Unread]:
        about: dict[tuple[str, str], tuple[Fields, dict[str, list[str]], Texts]] = {}
        problems = Problems()
        for one in self._items(models, "registered_models"):
            if isinstance(one, Unread):
                yield one
                continue
            aliases: dict[str, list[str]] = {}
            for said in _list(one, "aliases"):
                aliases.setdefault(_text(said, "version"), []).append(_text(said, "alias"))
            about[(_text(one, "workspace"), _text(one, "name"))] = (
                one,
                aliases,
                self._texts(one, "tags", problems, "tags"),
            )
        yield from problems.take("registered models")
        seen: set[tuple[str, str, str]] = set()
        for one in self._items(versions, "model_versions"):
            if isinstance(one, Unread):
                yield one
                continue
            name, version, space = _text(one, "name"), _text(one, "version"), _text(one, "workspace")
            if (space, name, version) in seen:
                continue
            seen.add((space, name, version))
            model, aliases, model_tags = about.get((space, name), ({}, {}, Texts(problems, "tags")))
            problems = Problems()
            yield VersionRow(
                name, version, f"version {version} of {name}", problems,
                created=moment(one.get("creation_timestamp"), problems, "creation_timestamp"), workspace=space,
                description=_text(one, "description"), user=_text(one, "user_id"), stage=_text(one, "current_stage"), status=_text(one, "status"),
                source=_text(one, "source"), run=_text(one, "run_id"), model=_text(one, "model_id"), tags=self._texts(one, "tags", problems, "tags"),
                aliases=aliases.get(version, []), model_description=_text(model, "description"), model_tags=model_tags,
            )  # fmt: skip

    def _model(self, said: Fields) -> Row:
        info, data, problems = _of(said, "info"), _of(said, "data"), Problems()
        identity, experiment = _text(info, "model_id"), _text(info, "experiment_id")
        points = [point for one in _list(data, "metrics") if (point := self._point(one, problems)) is not None]
        return ModelRow(
            identity, f"model {identity}", problems, _text(info, "name"), self._experiments.get(experiment, ("", "", ""))[0], experiment,
            _text(info, "source_run_id"), _text(info, "status").removeprefix("LOGGED_MODEL_"), "active", _text(info, "model_type"),
            _text(info, "artifact_uri"), moment(info.get("creation_timestamp_ms"), problems, "creation_timestamp_ms"),
            self._texts(data, "params", problems, "parameters"), self._texts(info, "tags", problems, "tags"), points,
        )  # fmt: skip

    def _run(self, said: Fields) -> Iterator[Row | Unread]:
        info, data, problems = _of(said, "info"), _of(said, "data"), Problems()
        identity = _text(info, "run_id", "run_uuid")
        if not identity or identity in self._seen:
            yield Unread(f"run {identity}", "stands twice") if identity else Unread("an answer", "a run without an id")
            return
        self._seen.add(identity)
        found = RunRow(identity, f"run {identity}", problems, _text(info, "run_name"))
        found.experiment_id = _text(info, "experiment_id")
        found.experiment, _, found.workspace = self._experiments.get(found.experiment_id, ("", "", ""))
        status = _text(info, "status")
        found.status, found.lifecycle = RUN_STATUS.get(status, status), _text(info, "lifecycle_stage") or "active"
        found.user, found.uri = _text(info, "user_id"), _text(info, "artifact_uri")
        found.started, found.ended = (moment(info.get(key), problems, key) for key in ("start_time", "end_time"))
        found.params = self._texts(data, "params", problems, "parameters")
        found.tags = self._texts(data, "tags", problems, "tags")
        points = [point for one in _list(data, "metrics") if (point := self._point(one, problems)) is not None]
        found.newest = {point.name: (point.value, point.step) for point in points}
        found.history = self._history(identity, problems)
        inputs = _of(said, "inputs")
        found.used = [_text(one, "model_id") for one in _list(inputs, "model_inputs")]
        found.made = [_text(one, "model_id") for one in _list(_of(said, "outputs"), "model_outputs")]
        for one in _list(inputs, "dataset_inputs"):
            dataset = _of(one, "dataset")
            name, digest = _text(dataset, "name"), _text(dataset, "digest")
            found.data.append(Use(name, digest, dict(self._texts(one, "tags", problems, "tags"))))
            if (name, digest) not in self._datasets:
                self._datasets.add((name, digest))
                texts = (_text(dataset, key) for key in ("source_type", "source", "schema", "profile"))
                yield DatasetRow(name, digest, f"dataset {name}", problems, *texts)
        yield found

    def _history(self, identity: str, problems: Problems) -> History:
        """Return the saved histories of a run, each once."""
        history = History(problems, newest=False)
        for path in self._histories.pop(identity, ()):
            try:
                said = self._load(path)
            except Unreadable as error:
                problems.note(f"{error.where.replace(str(path), path.name)} {error.why}")
                continue
            if _failed(said):
                problems.note(f"{path.name}: {_text(said, 'message') or 'is no answer of MLflow'}")
            for one in _list(said, "metrics"):
                if (point := self._point(one, problems)) is not None:
                    history.add(point.name, point.step, point.t, point.value)
        return history


def _same(point: Point) -> tuple[object, ...]:
    return point.name, point.step, point.t, "NaN" if math.isnan(point.value) else point.value


def _failed(said: Any) -> bool:
    """Say whether an answer is one that says what went wrong."""
    return isinstance(said, dict) and "error_code" in said


def _of(said: Any, key: str) -> Fields:
    """Return the fields under a key, none where there are none."""
    found = said.get(key) if isinstance(said, dict) else None
    return found if isinstance(found, dict) else {}


def _list(said: Any, key: str) -> list[Fields]:
    """Return the sets of fields listed under a key."""
    found = said.get(key) if isinstance(said, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(said: Any, *keys: str) -> str:
    """Return the first of the fields that is text, or a whole number as text."""
    for key in keys:
        value = said.get(key) if isinstance(said, dict) else None
        if isinstance(value, str) and value:
            return sound(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""
