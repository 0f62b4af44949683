"""Files that MLflow names: where they lie here, what a model's folder holds, the environment in it, the bytes of a dataset.

Rules: only what exists; no link inside a folder is followed; a folder is looked into where it belongs to the store (`mlruns`), is named in a map, or
has the id of the run or model in its path, as MLflow's own have, so that a foreign database cannot point at a home folder and learn what lies there.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from carnet_store.errors import Invalid
from carnet_store.exchange.importers import environment
from carnet_store.exchange.importers.files import MIB, Unreadable, load_yaml, read_bytes, redacted, sound
from carnet_store.exchange.importers.mlflow_rows import Problems
from carnet_store.exchange.importers.things import LONG_TEXT, Keep, Ref, Source, Thing, Unread

MOST_FILES: Final = 200
"""Files of a folder that are named one by one."""
MOST_COUNTED: Final = 10_000
DEEPEST: Final = 32
ENVIRONMENT: Final = (("requirements", "requirements.txt"), ("conda", "conda.yaml"), ("python_env", "python_env.yaml"))
_DEVICES: Final = (("proc",), ("sys",), ("dev",))
_OWN: Final = re.compile(r"(?:m-)?[0-9a-f]{32}")
_PYTHON: Final = re.compile(r"^(?:python:|\s*-\s*python=+)\s*([0-9][0-9A-Za-z.]{0,20})\s*$", re.MULTILINE)


class Entry(NamedTuple):
    """A file of a folder: its path in it with `/`, where it lies, its size in bytes."""

    path: str
    here: Path
    size: int


class Artifacts:
    """The files of one store; `home` is the folder that it lies in, `store` the folder of runs where there is one."""

    def __init__(self, source: Source, home: Path, store: Path | None = None) -> None:
        self._source, self._home = source, home
        self._environments: dict[str, Thing] = {}
        bases = (home, home / "mlruns", home / "mlartifacts", *((store, store / ".trash") if store else ()))
        self._bases = [base for base in dict.fromkeys(bases) if base.is_dir()]
        places = (home / "mlruns", home / "mlartifacts", store, *(Path(new) for _, new in source.maps))
        self._open = [place.resolve() for place in places if place is not None]

    def folder(self, uri: str, *ids: str, under: str = "") -> Path | None:
        """Return the folder here that `uri` means (`under`: a folder in it), None where it is not reachable.

        `ids` are those of the run or model: a store that was moved with its files is found by them.
        """
        own = [one for one in ids if _OWN.fullmatch(one)]
        for found in self._places(uri, own):
            try:
                inside = (found / under).resolve() if under else found.resolve()
                if inside.is_dir() and inside.is_relative_to(found.resolve()) and self._is_open(inside, own):
                    return inside
            except (OSError, ValueError, RuntimeError):  # a loop of links is a RuntimeError
                continue
        return None

    def _places(self, uri: str, own: list[str]) -> Iterator[Path]:
        if (found := self._found(uri)) is not None:
            yield found
        parts = [part for part in _path(uri).replace("\\", "/").split("/") if part not in ("", ".")]
        at = max((number for number, part in enumerate(parts) if part in own), default=0)
        if ".." in parts:
            return
        for base in self._bases:
            for start in range(max(0, at - 3), at):
                found = base.joinpath(*parts[start:])
                try:
                    if found.is_dir():
                        yield found
                except (OSError, ValueError):
                    return

    def _found(self, uri: str) -> Path | None:
        try:
            found = self._source.find(uri, self._home)
            path = _path(uri).lstrip("/").replace("\\", "/")
            if found is None and PureWindowsPath(path).drive:  # a folder of Windows, in a map as people write it
                for old, new in self._source.maps:
                    if path.startswith(start := old.replace("\\", "/")):
                        self._source.fitted.add((old, new))
                        place = Path(new, path[len(start) :].lstrip("/"))
                        found = place if place.exists() else None
            return found
        except (OSError, ValueError):  # a name too long, or with a NUL in it
            return None

    def _is_open(self, folder: Path, own: list[str]) -> bool:
        return any(folder.is_relative_to(place) for place in self._open) or any(part in own for part in folder.parts)

    def file(self, uri: str) -> Path | None:
        """Return the regular file here that `uri` means, None where it is not reachable."""
        found = self._found(uri)
        try:
            if found is not None and stat.S_ISREG(found.stat().st_mode) and found.resolve().parts[1:2] not in _DEVICES:
                return found
        except (OSError, ValueError, RuntimeError):
            pass
        return None

    def digest(self, path: Path, problems: Problems) -> tuple[str, int] | None:
        """Return SHA-256 and size of a regular file; None where it cannot be read, which is noted."""
        try:
            return self._source.sha256(path)
        except Invalid as error:
            problems.note(error.message)
            return None

    def listing(self, folder: Path, problems: Problems) -> tuple[list[Entry], int]:
        """Return the first files of a folder, sorted by path, and how many there are; links and special files are noted."""
        found: list[Entry] = []
        waiting = [("", folder, 0)]
        while waiting:
            prefix, place, depth = waiting.pop()
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        name = prefix + sound(entry.name)
                        if entry.is_symlink():
                            problems.note("a link among the artifacts is not followed", name)
                        elif entry.is_dir(follow_symlinks=False):
                            if depth >= DEEPEST:
                                problems.note(f"artifacts in folders deeper than {DEEPEST} are not read", name)
                            else:
                                waiting.append((f"{name}/", Path(entry.path), depth + 1))
                        elif entry.is_file(follow_symlinks=False):
                            found.append(Entry(name, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
                        else:
                            problems.note("an artifact that is no regular file is not read", name)
            except OSError as error:
                problems.note(f"artifacts cannot be read: {error.strerror}", prefix)
            if len(found) > MOST_COUNTED:
                problems.note(f"more than {MOST_COUNTED:,} artifacts; the rest is not looked at")
                break
        found.sort(key=lambda one: one.path)
        return found[:MOST_FILES], len(found)

    def described(self, folder: Path, problems: Problems) -> dict[str, Any]:
        """Return the attributes that a model's folder gives: `files` with digests (`files_total` where there are more), flavors, signature."""
        entries, total = self.listing(folder, problems)
        files: list[dict[str, Any]] = []
        for entry in entries:
            if (taken := self.digest(entry.here, problems)) is not None:
                files.append({"path": entry.path, "sha256": taken[0], "size": taken[1]})
        found: dict[str, Any] = {"files": files}
        if total > len(files):
            found["files_total"] = total
        return found | _model_file(folder / "MLmodel", problems)

    def environment(self, folder: Path, problems: Problems) -> Thing | None:
        """Return the environment that a model's folder describes, as the importer of listings knows it; None where there is none."""
        parts: list[Keep] = []
        for name, file in ENVIRONMENT:
            place = folder / file
            try:
                if stat.S_ISREG(place.lstat().st_mode):
                    parts.append(Keep(name, file, read_bytes(place, MIB)))
            except Unreadable as error:
                problems.note(f"{file} {error.why}")
            except OSError:
                continue
        if not parts:
            return None
        digest = hashlib.sha256(parts[0].data).hexdigest()
        if digest not in self._environments:
            self._environments[digest] = _environment(folder, digest, parts, problems)
        return self._environments[digest]


def _environment(folder: Path, digest: str, parts: list[Keep], problems: Problems) -> Thing:
    first = parts[0]
    thing = Thing(Ref("environment", "content", digest), f"environment {digest[:8]}", digests={"sha256": digest})
    thing.where = str(folder / first.path)
    if redacted(told := first.data.decode("utf-8", "replace")) == told:
        thing.keep = [first]
    try:
        for found in environment.read(Source(folder / first.path)) if first.name != "python_env" else ():
            if isinstance(found, Unread):
                problems.note(f"{found.where}: {found.why}")
            else:
                thing = found  # what it includes comes before it
    except Invalid as error:
        problems.note(error.message)
    for one in parts:
        text = one.data.decode("utf-8", "replace")
        if (said := _PYTHON.search(text)) is not None:
            thing.attrs.setdefault("python", said[1])
        if one is not first and redacted(text) == text:
            thing.keep.append(one)
        elif one is not first:
            problems.note("an address carries a login: the file is not kept", one.path)
    return thing


def _model_file(path: Path, problems: Problems) -> dict[str, Any]:
    """Return flavors, signature and version of MLflow as the file `MLmodel` says them."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return {}
        said, unread = load_yaml(read_bytes(path, MIB).decode("utf-8", "replace"), path.name)
    except OSError:
        return {}
    except Unreadable as error:
        problems.note(f"{error.where} {error.why}")
        return {}
    for one in unread:
        problems.note(f"{one.where}: {one.why}")
    if not isinstance(said, dict):
        return {}
    found: dict[str, Any] = {}
    if isinstance(flavors := said.get("flavors"), dict):
        found["flavors"] = sorted(flavors)[:20]
    if isinstance(version := said.get("mlflow_version"), str):
        found["mlflow_version"] = version[:40]
    if isinstance(signature := said.get("signature"), dict):
        told = {key: text for key in ("inputs", "outputs", "params") if isinstance(text := signature.get(key), str)}
        if told and sum(map(len, told.values())) <= LONG_TEXT:
            found["signature"] = told
    return found


def _path(uri: str) -> str:
    """Return the path of an address, its escapes undone."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return unquote(parts.path) if len(parts.scheme) > 1 else uri
