"""What people wrote in a `dvc.yaml`: what stages are for, which outputs are metrics, which artifacts there are, what has never run.

Rules: what ran is told by the lock, so a template is filled in only as far as it is needed to find a stage's folder and its metrics; one that cannot be filled in
matches by the text around its `${…}`. Nothing is computed that a template could make large.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carnet_store.errors import CarnetError
from carnet_store.exchange.importers import dvc_yaml
from carnet_store.exchange.importers.dvc_files import WHOLE, Files, inside, joined
from carnet_store.exchange.importers.files import Unreadable, sound
from carnet_store.exchange.importers.things import Unread

MOST_KEYS: Final = 10_000
"""Stages that one `foreach` or `matrix` unfolds to."""
_HOLE: Final = re.compile(r"\$\{\s*([^{}]*?)\s*\}")
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An entry of `artifacts`: `name` as GTO has it (`dir:name` outside the top folder), `path` from the top."""

    name: str
    path: str
    type: str
    attrs: tuple[tuple[str, Any], ...]


@dataclass(slots=True)
class Written:
    """A stage as it is written: paths from the top where its templates could be filled in.

    Attributes:
        wdir: what its paths are relative to, from the top.
        metrics: files of metrics, `plots` of plots; they may hold `${…}`.
        notes: for an output's path, its description, type, labels.
        attrs: description, meta, frozen.
    """

    wdir: str
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)


class Pipeline:
    """A `dvc.yaml`, read; empty where there is none."""

    def __init__(self, path: str, data: bytes | None, files: Files) -> None:
        """Read `data`, which stands at `path`; `files` has the parameters that its templates name.

        Raises:
            Unreadable: it cannot be read.
        """
        self.path = path
        self.folder = path.rpartition("/")[0]
        self.where = f"{path}{files.label}"
        self.problems: list[Unread] = []
        raw = dvc_yaml.load(data, self.where) if data is not None else {}
        if raw is not None and not isinstance(raw, dict):
            raise Unreadable(self.where, "is no pipeline of DVC: no keys stand in it")
        self._raw: dict[str, Any] = raw or {}
        self._stages = self._keys("stages")
        self._context: dict[str, Any] | None = None
        self._files = files
        self._written: dict[str, Written] = {}
        self.metrics = tuple(joined(self.folder, path) for path in _paths(self._raw.get("metrics")))
        self.artifacts = tuple(self._artifacts())

    def _keys(self, name: str) -> dict[str, Any]:
        found = self._raw.get(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            self.problems.append(Unread(self.where, f"`{name}` is no set of keys"))
            return {}
        return found

    def _artifacts(self) -> Iterator[Artifact]:
        for name, raw in self._keys("artifacts").items():
            if not isinstance(raw, dict) or not isinstance(raw.get("path"), str):
                self.problems.append(Unread(f"{self.where}: artifact {name}", "has no path"))
                continue
            full = f"{self.folder}:{name}" if self.folder else name
            attrs = tuple((key, raw[key]) for key in ("desc", "labels", "meta") if raw.get(key))
            kind = raw.get("type")
            yield Artifact(full, joined(self.folder, raw["path"]), kind if isinstance(kind, str) else "", attrs)

    # -- stages --------------------------------------------------------------------------------------------------------

    def wdir(self, name: str) -> str:
        """Return what a locked stage's paths are relative to, from the top."""
        return self.written(name).wdir if self._stages else self.folder

    def written(self, name: str) -> Written:
        """Return how a locked stage (`train`, `train@eu`) is written; one that stands here no longer has no notes."""
        known = self._written.get(name)
        if known is None:
            known = self._written[name] = self._stage(name)
        return known

    def _stage(self, name: str) -> Written:
        group, _, key = name.partition("@")
        raw = self._stages.get(name)
        context: dict[str, Any] = {}
        if raw is None and key:
            raw = self._stages.get(group)
            if isinstance(raw, dict):
                context = self._unfolded(raw).get(key, {})
                raw = raw.get("do", raw)
        if not isinstance(raw, dict):
            return Written(self.folder)
        wdir = raw.get("wdir")
        folder = self._fill(wdir, context) if isinstance(wdir, str) else "."
        if "${" in folder:
            self.problems.append(
                Unread(
                    f"{self.where}: stage {name}",
                    f"its wdir {folder!a:.80} could not be filled in; its paths are taken from the file's folder",
                )
            )
            folder = "."
        folder = joined(self.folder, folder)
        folder = "" if folder == "." else folder
        found: dict[str, tuple[str, ...]] = {}
        notes: dict[str, Mapping[str, Any]] = {}
        for kind in ("metrics", "plots", "outs"):
            given = raw.get(kind)
            found[kind] = tuple(joined(folder, self._fill(path, context)) for path in _paths(given))
            for one in given if isinstance(given, list) else []:
                for path, about in one.items() if isinstance(one, dict) else ():
                    if isinstance(about, dict) and (
                        kept := {k: about[k] for k in ("desc", "type", "labels", "meta") if about.get(k)}
                    ):
                        notes[joined(folder, self._fill(str(path), context))] = kept
        attrs = {key: raw[key] for key in ("desc", "meta", "frozen", "always_changed") if raw.get(key)}
        if isinstance(attrs.get("desc"), str):
            attrs["desc"] = self._fill(attrs["desc"], context)
        return Written(folder, found["metrics"], found["plots"], notes, attrs)

    def never_run(self, locked: set[str]) -> Iterator[Unread]:
        """Yield the stages that are written here and not locked."""
        told = len(self.problems)
        for name, raw in self._stages.items():
            if not isinstance(raw, dict):
                yield Unread(f"{self.where}: stage {name}", "is no set of keys")
            elif "foreach" in raw or "matrix" in raw:
                keys = [f"{name}@{key}" for key in self._unfolded(raw)]
                missing = [key for key in keys if key not in locked]
                if keys:
                    yield from (
                        Unread(f"{self.where}: stage {key}", "has never run: no lock has an entry for it")
                        for key in missing
                    )
                elif not any(key.startswith(f"{name}@") for key in locked):
                    yield Unread(f"{self.where}: stage {name}", "has never run: no lock has an entry for it")
            elif name not in locked:
                yield Unread(f"{self.where}: stage {name}", "has never run: no lock has an entry for it")
        yield from self.problems[told:]

    def _unfolded(self, raw: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the keys that a `foreach` or `matrix` unfolds to, each with what its templates see."""
        if "matrix" in raw:
            axes = self._value(raw["matrix"])
            if not isinstance(axes, dict):
                return {}
            lists = {axis: self._value(values) for axis, values in axes.items()}
            if not all(isinstance(values, list) for values in lists.values()):
                return {}
            made: dict[str, dict[str, Any]] = {}
            for chosen in itertools.islice(
                itertools.product(*(enumerate(values) for values in lists.values())), MOST_KEYS
            ):
                parts = [
                    f"{axis}{number}" if isinstance(value, dict | list) else _spelled(value)
                    for axis, (number, value) in zip(lists, chosen, strict=True)
                ]
                key = "-".join(parts)
                made[key] = {"item": {axis: value for axis, (_, value) in zip(lists, chosen, strict=True)}, "key": key}
            return made
        data = self._value(raw.get("foreach"))
        if isinstance(data, dict):
            return {key: {"item": value, "key": key} for key, value in itertools.islice(data.items(), MOST_KEYS)}
        if isinstance(data, list):
            nested = any(isinstance(value, dict | list) for value in data)
            return {
                str(number) if nested else _spelled(value): {"item": value}
                for number, value in enumerate(data[:MOST_KEYS])
            }
        return {}

    # -- templates -----------------------------------------------------------------------------------------------------

    def _value(self, raw: Any) -> Any:
        """Return a value, or what the template that it is means."""
        if isinstance(raw, str) and (found := _HOLE.fullmatch(raw.strip())):
            return _look(found[1], self._known())
        return raw

    def _fill(self, text: str, context: Mapping[str, Any]) -> str:
        if "${" not in text:
            return text

        def known(found: re.Match[str]) -> str:
            value = _look(found[1], context)
            if value is None:
                value = _look(found[1], self._known())
            return found[0] if value is None or isinstance(value, dict | list) else _spelled(value)

        return _HOLE.sub(known, text)

    def _known(self) -> dict[str, Any]:
        """Return what templates of this file see: `params.yaml` beside it, then its `vars`."""
        if self._context is None:
            self._context = {}
            given = self._raw.get("vars")
            for one in ["params.yaml", *(given if isinstance(given, list) else [])]:
                if isinstance(one, str):
                    self._context |= self._loaded(one.partition(":")[0])
                elif isinstance(one, dict):
                    self._context |= one
        return self._context

    def _loaded(self, file: str) -> dict[str, Any]:
        path = joined(self.folder, file)
        blob = self._files.find(path)
        if blob is None:
            return {}
        try:
            value = parsed(blob.whole(WHOLE), path)
        except (OSError, CarnetError, Unreadable) as error:
            self.problems.append(
                Unread(f"{path}{self._files.label}", error.why if isinstance(error, Unreadable) else str(error))
            )
            return {}
        return value if isinstance(value, dict) else {}


def _look(name: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for step in _STEP.finditer(name):
        if step[2] is not None and isinstance(value, list) and int(step[2][:6]) < len(value):
            value = value[int(step[2][:6])]
        elif step[1] is not None and isinstance(value, dict):
            value = value.get(step[1])
        else:
            return None
    return value


def _spelled(value: Any) -> str:
    """Return a value as a template spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _paths(raw: Any) -> list[str]:
    """Return the paths of a list of outputs: text, or a set of keys with the path as its first."""
    found: list[str] = []
    for one in raw if isinstance(raw, list) else []:
        found += [one] if isinstance(one, str) else [str(key) for key in one] if isinstance(one, dict) else []
    return found


def matches(template: str, path: str) -> bool:
    """Say whether a path can be what a template makes: its pieces of text follow each other in it."""
    pieces = _HOLE.split(template)[::2]
    if len(pieces) == 1:
        return template == path
    if not path.startswith(pieces[0]) or not path[len(pieces[0]) :].endswith(pieces[-1]):
        return False
    at, end = len(pieces[0]), len(path) - len(pieces[-1])
    for piece in pieces[1:-1]:
        at = path.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return at <= end


def holds(given: tuple[str, ...], path: str) -> bool:
    """Say whether one of the given paths or templates means `path`."""
    return any(matches(one, path) for one in given)


def below(files: tuple[str, ...], folder: str) -> list[str]:
    """Return those files that lie below a folder."""
    return [file for file in files if inside(file, folder)]


def parsed(data: bytes, path: str) -> Any:
    """Return what a file of parameters or metrics holds, by its ending: JSON, TOML, else YAML.

    Raises:
        Unreadable: it cannot be read as that, or a key stands twice in it.
    """
    suffix = path.rpartition(".")[2].lower()
    try:
        if suffix == "json":
            return json.loads(sound(data.decode("utf-8-sig")), object_pairs_hook=_once)
        if suffix == "toml":
            return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable(path, "is not UTF-8 text") from None
    except RecursionError:
        raise Unreadable(path, "is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(path, f"is not {suffix.upper()}: {error}") from None
    return dvc_yaml.load(data, path)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!a:.80} stands twice")
        found[sound(key)] = sound(value) if isinstance(value, str) else value
    return found
