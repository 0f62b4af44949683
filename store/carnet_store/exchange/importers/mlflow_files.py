"""An MLflow file store: the folder `mlruns` of 1.x to 3.x, which MLflow itself no longer opens without being told to.

Rules: the folders say which run, experiment or model it is, since what stands in the files may be wrong (`destination_id`); links are not followed;
folders are read in the order of their names.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.files import MIB, Unreadable, head, load_yaml, read_bytes, sound
from carnet_store.exchange.importers.mlflow_rows import (
    MAX_HISTORY,
    MAX_INT,
    MODEL_STATUS,
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
)
from carnet_store.exchange.importers.things import Unread

META: Final = "meta.yaml"
TRASH: Final = ".trash"
REGISTRY: Final = "models"
DEEPEST: Final = 16
MOST_NAMES: Final = 100_000
"""Parameters, tags or metrics of one run that are looked at."""
MOST_GLANCED: Final = 5_000
MAX_FIELD: Final = 4 * MIB
_EXPERIMENT: Final = re.compile(rb"^experiment_id:", re.MULTILINE)
_VERSION: Final = re.compile(r"version-([0-9]{1,16})")
_RUN_NAME: Final = re.compile(rb"^run_name: *['\"]?(.{0,200}?)['\"]? *$", re.MULTILINE)

Fields = dict[str, Any]


def is_store(path: Path) -> bool:
    """Say whether a folder holds experiments of MLflow as files, or a registry of models as files."""
    try:
        with os.scandir(path) as entries:
            for number_, entry in enumerate(entries):
                if number_ > 1_000:
                    return False
                if entry.is_dir(follow_symlinks=False):
                    place = Path(entry.path)
                    if entry.name == TRASH and any(_is_experiment(one) for one in _folders(place, Problems())[:20]):
                        return True
                    if _is_experiment(place) or (
                        entry.name == REGISTRY
                        and any(_VERSION.fullmatch(one.parent.name) for one in _some_versions(place))
                    ):
                        return True
    except OSError:
        pass
    return False


def _is_experiment(folder: Path) -> bool:
    return bool(_EXPERIMENT.search(head(folder / META, 4_096)))


def _some_versions(registry: Path) -> list[Path]:
    return [
        version / META
        for model in _folders(registry, Problems())[:20]
        for version in _folders(model, Problems())[:5]
        if (version / META).is_file()
    ]


def rows(root: Path) -> Iterator[Row | Unread]:
    """Yield versions, datasets, models, runs.

    Raises:
        Invalid: the folder cannot be read.
    """
    try:
        os.scandir(root).close()
    except OSError as error:
        raise Invalid(f"{root} cannot be read: {error.strerror}") from None
    yield from _Reader(root).rows()


def glance(root: Path) -> Glance:
    """Count the runs of a store, by their folders."""
    runs, latest, others = 0, (0.0, Path()), len(_some_versions(root / REGISTRY))
    for base in (root, root / TRASH):
        for experiment in _folders(base, Problems()):
            if experiment.name in (TRASH, REGISTRY) or not _is_experiment(experiment):
                continue
            for run in _folders(experiment, Problems()):
                if runs >= MOST_GLANCED:
                    return Glance(runs, others, "", more=True)
                try:
                    written = (run / META).stat().st_mtime
                except OSError:
                    continue
                runs += 1
                latest = max(latest, (written, run))
    return Glance(runs, others, _newest(latest[1]) if runs else "")


def _newest(run: Path) -> str:
    found = _RUN_NAME.search(head(run / META, 8_192))
    name = found[1].decode("utf-8", "replace") if found else run.name
    metrics = sorted(path for path in _some(run / "metrics") if path.is_file())
    if not metrics:
        return newest_words(name)
    last = head(metrics[0], 4_096, end=True).decode("utf-8", "replace").split("\n")
    parts = next((line.split() for line in reversed(last) if line.strip()), [])
    value = number(parts[1]) if len(parts) > 1 else None
    return newest_words(name, metrics[0].name, value) if value is not None else newest_words(name)


def _some(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for number_, entry in enumerate(entries) if number_ < 1_000]
    except OSError:
        return []


def _folders(folder: Path, problems: Problems) -> list[Path]:
    """Return the folders in a folder, sorted by name; a link to one is noted."""
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    problems.note("a link is not followed", sound(entry.name))
                elif entry.is_dir(follow_symlinks=False):
                    found.append(entry.name)
    except FileNotFoundError:
        pass
    except OSError as error:
        problems.note(f"a folder cannot be read: {error.strerror}", folder.name)
    return [folder / name for name in sorted(found)]


class _Reader:
    """Reads one store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._datasets: dict[tuple[str, str], tuple[str, str]] = {}

    def rows(self) -> Iterator[Row | Unread]:
        """Yield versions, datasets, models, runs, and what cannot be read of any."""
        problems = Problems()
        places = [one for one in _folders(self.root, problems) if one.name not in (TRASH, REGISTRY)]
        deleted = _folders(self.root / TRASH, problems)
        yield from problems.take(str(self.root))
        yield from self._versions(self.root / REGISTRY)
        # Folders without a meta.yaml hold artifacts of runs that stand in a database.
        kinds = [*((place, False) for place in places), *((place, True) for place in deleted)]
        experiments = [(place, gone) for place, gone in kinds if (place / META).exists()]
        for read in (self._read_datasets, self._models, self._runs):
            for place, gone in experiments:
                yield from read(place, gone)

    # --- files ---

    def _where(self, path: Path) -> str:
        return sound(path.relative_to(self.root.parent).as_posix())

    def _meta(self, folder: Path, problems: Problems) -> Fields | None:
        """Return what stands in the folder's meta.yaml, every scalar as text; None where that is nothing, which is noted."""
        path = folder / META
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Unreadable(META, "is not a regular file")
            said, unread = load_yaml(read_bytes(path, MAX_FIELD).decode(), META)
        except Unreadable as error:
            problems.note(f"{error.where.replace(str(path), META)} {error.why}")
            return None
        except UnicodeDecodeError:
            problems.note(f"{META} is not UTF-8")
            return None
        except OSError as error:
            problems.note(f"{META} cannot be read: {error.strerror}")
            return None
        for one in unread:
            problems.note(f"{one.where}: {one.why}")
        if not isinstance(said, dict):
            problems.note(f"{META} holds no fields")
            return None
        return said

    def _files(self, folder: Path, problems: Problems, what: str) -> Iterator[tuple[str, Path]]:
        """Yield the files below a folder, sorted, each with its path in it: a name with slashes is a path."""
        found: list[tuple[str, Path]] = []
        waiting = [("", folder, 0)]
        while waiting:
            prefix, place, depth = waiting.pop()
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        name = prefix + sound(entry.name)
                        if entry.is_symlink():
                            problems.note("a link is not followed", name)
                        elif entry.is_file(follow_symlinks=False):
                            found.append((name, Path(entry.path)))
                        elif not entry.is_dir(follow_symlinks=False):
                            problems.note(f"{what} in what is no regular file", name)
                        elif depth >= DEEPEST:
                            problems.note(f"{what} in folders deeper than {DEEPEST} are not read", name)
                        else:
                            waiting.append((f"{name}/", Path(entry.path), depth + 1))
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.note(f"{what} cannot be read: {error.strerror}", prefix)
            if len(found) + len(waiting) > MOST_NAMES:
                problems.note(f"more than {MOST_NAMES:,} {what}; the rest is not looked at")
                break
        yield from sorted(found)

    def _texts(self, folder: Path, problems: Problems, what: str) -> Texts:
        found = Texts(problems, what)
        for name, path in self._files(folder, problems, what):
            try:
                data = read_bytes(path, MAX_FIELD)
            except Unreadable as error:
                problems.note(f"{what} that cannot be read: {error.why}", name)
                continue
            try:
                text = data.decode()
            except UnicodeDecodeError:
                problems.note("text that is not UTF-8; what cannot be read stands as �", name)
                text = data.decode("utf-8", "replace")
            found.put(name, text)
        return found

    def _points(self, folder: Path, problems: Problems) -> Iterator[tuple[str, float, int, int, list[str]]]:
        """Yield name, value, step, time and what follows of every line below a folder of metrics."""
        for name, path in self._files(folder, problems, "metrics"):
            try:
                text = read_bytes(path, MAX_HISTORY).decode("utf-8", "replace")
            except Unreadable as error:
                problems.note(f"a metric that cannot be read: {error.why}", name)
                continue
            for line in text.split("\n"):
                parts = line.split()
                if not parts:
                    continue
                value = number(parts[1]) if len(parts) > 1 else None
                step = parts[2] if len(parts) > 2 else "0"
                if value is None or not _whole(parts[0]) or not _whole(step):
                    problems.note("a line of a metric that is not `time value step`", name)
                    continue
                yield name, value, int(step), int(parts[0]), parts[3:]

    # --- registry ---

    def _versions(self, registry: Path) -> Iterator[Row | Unread]:
        problems = Problems()
        for folder in _folders(registry, problems):
            model = self._meta(folder, problems) or {}
            tags = self._texts(folder / "tags", problems, "tags")
            aliases: dict[str, list[str]] = {}
            for alias, version in self._texts(folder / "aliases", problems, "aliases").items():
                aliases.setdefault(version.strip(), []).append(alias)
            yield from problems.take(self._where(folder))
            for place in _folders(folder, problems):
                if (found := _VERSION.fullmatch(place.name)) is not None:
                    yield from self._version(place, str(int(found[1])), model, tags, aliases)
        yield from problems.take(self._where(registry))

    def _version(
        self, place: Path, number_: str, model: Fields, model_tags: Texts, aliases: dict[str, list[str]]
    ) -> Iterator[Row | Unread]:
        problems = Problems()
        said = self._meta(place, problems)
        if said is None:
            yield from problems.take(self._where(place))
            return
        yield VersionRow(
            _text(said, "name") or place.parent.name, number_, self._where(place), problems,
            created=moment(said.get("creation_timestamp"), problems, "creation_timestamp"), workspace=_text(said, "workspace"),
            description=_text(said, "description"), user=_text(said, "user_id"), stage=_text(said, "current_stage"),
            status=_text(said, "status"), source=_text(said, "source"), uri=_text(said, "storage_location"), run=_text(said, "run_id"),
            model=_text(said, "model_id"), tags=self._texts(place / "tags", problems, "tags"), aliases=aliases.get(number_, []),
            model_description=_text(model, "description"), model_tags=model_tags,
        )  # fmt: skip

    # --- experiments ---

    def _experiment(self, place: Path, problems: Problems) -> tuple[str, str, str]:
        """Return name, id and workspace."""
        said = self._meta(place, problems) or {}
        return _text(said, "name"), place.name, _text(said, "workspace")

    def _read_datasets(self, experiment: Path, gone: bool) -> Iterator[Row | Unread]:
        known = set(self._datasets.values())
        for place in _folders(experiment / "datasets", Problems()):
            problems = Problems()
            said = self._meta(place, problems)
            name, digest = (_text(said, "name"), _text(said, "digest")) if said is not None else ("", "")
            if said is None or not name:
                if said is not None:
                    problems.note("a dataset without a name")
                yield from problems.take(self._where(place))
                continue
            self._datasets[(str(experiment), place.name)] = (name, digest)
            if (name, digest) not in known:
                known.add((name, digest))
                texts = (_text(said, key) for key in ("source_type", "source", "schema", "profile"))
                yield DatasetRow(name, digest, self._where(place), problems, *texts)

    def _models(self, experiment: Path, gone: bool) -> Iterator[Row | Unread]:
        title, identity, _ = self._experiment(experiment, Problems())
        for place in _folders(experiment / "models", Problems()):
            problems = Problems()
            said = self._meta(place, problems)
            if said is None:
                yield from problems.take(self._where(place))
                continue
            status = _text(said, "status")
            points = [
                Point(name, value, step, t, *_dataset(rest[1:]))
                for name, value, step, t, rest in self._points(place / "metrics", problems)
            ]
            yield ModelRow(
                place.name, self._where(place), problems, _text(said, "name"), title, identity, _text(said, "source_run_id"),
                MODEL_STATUS.get(status, status), "deleted" if gone else _text(said, "lifecycle_stage") or "active", _text(said, "model_type"),
                _text(said, "artifact_location"), moment(said.get("creation_timestamp"), problems, "creation_timestamp"),
                self._texts(place / "params", problems, "parameters"), self._texts(place / "tags", problems, "tags"), points,
            )  # fmt: skip

    # --- runs ---

    def _runs(self, experiment: Path, gone: bool) -> Iterator[Row | Unread]:
        problems = Problems()
        about = self._experiment(experiment, problems)
        places = _folders(experiment, problems)
        yield from problems.take(self._where(experiment))
        for place in places:
            if (place / META).exists() or (place / META).is_symlink():
                yield from self._run(place, about, gone)
            elif any((place / part).is_dir() for part in ("params", "metrics", "inputs")):
                yield Unread(self._where(place), f"a run without {META}")

    def _run(self, place: Path, about: tuple[str, str, str], gone: bool) -> Iterator[Row | Unread]:
        problems = Problems()
        said = self._meta(place, problems)
        if said is None:
            yield from problems.take(self._where(place))
            return
        found = RunRow(sound(place.name), self._where(place), problems)
        found.experiment, found.experiment_id, found.workspace = about
        status = _text(said, "status")
        found.name, found.status = _text(said, "run_name") or _text(said, "name"), RUN_STATUS.get(status, status)
        found.lifecycle = "deleted" if gone else _text(said, "lifecycle_stage") or "active"
        found.user, found.source_name, found.source_version = (
            _text(said, key) for key in ("user_id", "source_name", "source_version")
        )
        found.started, found.ended = (moment(said.get(key), problems, key) for key in ("start_time", "end_time"))
        found.uri = _text(said, "artifact_uri")
        found.params = self._texts(place / "params", problems, "parameters")
        found.tags = self._texts(place / "tags", problems, "tags")
        found.history = History(problems)
        for name, value, step, t, _ in self._points(place / "metrics", problems):
            found.history.add(name, step, t, value)
        found.newest = {name: (value, step) for name, (step, _, value) in found.history.newest.items()}
        self._inputs(place, found)
        found.made = [one.name for one in _folders(place / "outputs", problems) if one.name.startswith("m-")]
        yield found

    def _inputs(self, place: Path, found: RunRow) -> None:
        """Take what a run used; that it was this run is said by the folder, `destination_id` holds something else."""
        for folder in _folders(place / "inputs", found.problems):
            said = self._meta(folder, found.problems)
            if said is None:
                continue
            kind, identity = _text(said, "source_type"), _text(said, "source_id")
            if kind.startswith("MODEL"):
                found.used.append(identity)
            elif (known := self._datasets.get((str(place.parent), identity))) is not None:
                tags = said.get("tags")
                told = (
                    {sound(str(key)): sound(str(value)) for key, value in tags.items()}
                    if isinstance(tags, dict)
                    else {}
                )
                found.data.append(Use(*known, told))
            else:
                found.problems.note("a dataset that is not there", identity)


def _text(said: Fields, key: str) -> str:
    value = said.get(key)
    return sound(value) if isinstance(value, str) else ""


def _dataset(words: list[str]) -> tuple[str, str]:
    """Return name and digest of the dataset at the end of a line of a metric."""
    return (" ".join(words[:-1]), words[-1]) if len(words) > 1 else ("", "")


def _whole(text: str) -> bool:
    digits = text[1:] if text.startswith("-") else text
    return digits.isdecimal() and digits.isascii() and len(digits) <= 16 and int(digits) < MAX_INT
