"""What DVC locked: the stages of a `dvc.lock` and what a `.dvc` file tracks, as they stand in the file.

Rules: the lock has the truth (templates are expanded in it); its paths are relative to the stage's working folder; an entry that has not its form is named and
left out, the rest counts. The same result of a stage is the same run, in whichever commits it stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from carnet_store.core import canonical
from carnet_store.exchange.importers import dvc_yaml
from carnet_store.exchange.importers.dvc_files import joined
from carnet_store.exchange.importers.files import Unreadable
from carnet_store.exchange.importers.things import Unread, number_text

_MD5: Final = re.compile(r"[0-9a-f]{32}(?:\.dir)?\Z", re.ASCII)
_LAID_OUT: Final = re.compile(rb"(?:schema: '2\.0'\n)?stages:\n(?=  [^\s#])")
_OTHER: Final = re.compile(rb"^\S", re.MULTILINE)
_STAGE: Final = re.compile(rb"^  (?=[^\s#-])", re.MULTILINE)
_NO_IDENTITY: Final = frozenset({
    "path", "size", "nfiles", "isexec", "hash", "cache", "metric", "plot", "persist", "checkpoint", "desc", "type", "labels", "meta",
    "remote", "push",
})  # fmt: skip
_ANNOTATIONS: Final = ("desc", "type", "labels", "meta")
_REMEMBERED: Final = 30_000

Wdir = Callable[[str], str]
"""Gives a stage's working folder, as a path from the top, by the stage's name."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a stage read or wrote, or a `.dvc` file tracks, at one content.

    Attributes:
        path: from the top; absolute or an address where it lies outside.
        hash: how `value` was reckoned: `md5`, or the field that stands for it (`etag`, `checksum`, `dataset` …).
        value: 32 hex, with `.dir` for a folder; else text.
        size: bytes, `files`: how many of a folder; -1 where the file does not say.
        unix: a text's MD5 was taken with line feeds alone (DVC before 3).
        notes: description, type, labels and the like.
    """

    path: str
    hash: str
    value: str
    size: int = -1
    files: int = -1
    unix: bool = False
    notes: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """What stays the same for this content at this path."""
        return f"{self.path}:{self.value}" if self.hash == "md5" else f"{self.path}:{self.hash}:{self.value}"

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder's listing that `value` is about."""
        return self.value.endswith(".dir")


@dataclass(frozen=True, slots=True)
class Locked:
    """A stage as it last ran: `id` is the same wherever this result stands, `address` is DVC's (`train`, `sub/dvc.yaml:train@eu`)."""

    id: str
    address: str
    name: str
    pipeline: str
    command: str
    deps: tuple[Item, ...]
    outs: tuple[Item, ...]
    params: tuple[tuple[str, str, str], ...]  # file, name, value as text


@dataclass(frozen=True, slots=True)
class Tracked:
    """A `.dvc` file: what it tracks, and where that came from (`source` and further attributes)."""

    file: str
    outs: tuple[Item, ...]
    attrs: tuple[tuple[str, Any], ...]
    deps: tuple[Item, ...] = ()


class Locks:
    """Reads locks; a stage that stands unchanged in many commits is read once."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}  # digest of a stage's lines -> its name
        self._locked: dict[tuple[str, bytes, str], Locked] = {}

    def stages(self, data: bytes, pipeline: str, where: str, wdir: Wdir) -> Iterator[Locked | Unread]:
        """Yield the stages of the `dvc.lock` beside `pipeline` (a path from the top).

        Raises:
            Unreadable: it cannot be read at all.
        """
        begin = _LAID_OUT.match(data)
        pieces = self._pieces(data, begin.end()) if begin is not None else None
        if pieces is None:
            for name, raw in _whole(data, where):
                yield from locked(name, raw, pipeline, wdir(name), f"{where}: stage {name}")
            return
        for name, (mark, piece) in pieces.items():
            key = (pipeline, mark, wdir(name))
            known = self._locked.get(key)
            if known is not None:
                yield known
                continue
            found = list(locked(name, dvc_yaml.load(piece, where)[name], pipeline, key[2], f"{where}: stage {name}"))
            if len(self._locked) >= _REMEMBERED:
                self._locked.clear()
            if len(found) == 1 and isinstance(found[0], Locked):
                self._locked[key] = found[0]
            yield from found

    def _pieces(self, data: bytes, start: int) -> dict[str, tuple[bytes, bytes]] | None:
        """Return name -> (digest, lines) of the stages of a lock laid out as DVC writes it; None where it is laid out otherwise."""
        if _OTHER.search(data, start) is not None:
            return None
        cuts = [found.start() for found in _STAGE.finditer(data, start)]
        rows: dict[str, tuple[bytes, bytes]] = {}
        for first, last in zip(cuts, [*cuts[1:], len(data)], strict=True):
            piece = data[first:last]
            mark = blake2b(piece, digest_size=16).digest()
            name = self._names.get(mark)
            if name is None:
                try:
                    value = dvc_yaml.load(piece, "")
                except Unreadable:
                    return None
                if not isinstance(value, dict) or len(value) != 1:
                    return None
                if len(self._names) >= _REMEMBERED:
                    self._names.clear()
                name = self._names[mark] = next(iter(value))
            if name in rows:
                return None
            rows[name] = (mark, piece)
        return rows


def _whole(data: bytes, where: str) -> list[tuple[str, Any]]:
    whole = dvc_yaml.load(data, where)
    if whole is None:
        return []
    if not isinstance(whole, dict):
        raise Unreadable(where, "is no lock of DVC: no keys stand in it")
    schema = whole.get("schema")
    if schema is not None and str(schema) != "2.0":
        raise Unreadable(where, f"has the schema {schema!r:.40}; 2.0 is read")
    stages = whole.get("stages") if schema is not None or "stages" in whole else whole
    if stages is None:
        return []
    if not isinstance(stages, dict):
        raise Unreadable(where, "has no set of keys under `stages`")
    return list(stages.items())


def locked(name: str, raw: Any, pipeline: str, folder: str, where: str) -> Iterator[Locked | Unread]:
    """Yield a stage out of its entry, and what of the entry has not its form; `folder` is what its paths are relative to."""
    command = _command(raw.get("cmd")) if isinstance(raw, dict) else ""
    if not command:
        yield Unread(where, "has no command: it was left out")
        return
    deps, outs = list[Item](), list[Item]()
    for key, items in (("deps", deps), ("outs", outs)):
        yield from _items(raw.get(key), folder, f"{where}, {key}", items)
    params: dict[tuple[str, str], Any] = {}
    named = raw.get("params")
    if named is not None and not isinstance(named, dict):
        yield Unread(where, "`params` is no set of files with keys")
        named = None
    for file, values in (named or {}).items():
        if not isinstance(values, dict):
            yield Unread(f"{where}, params", f"{file!a:.80} holds no keys")
            continue
        for given, value in values.items():
            for path, inner in flat(given, value):
                place = (joined(folder, file), path)
                if params.setdefault(place, inner) is not inner and as_text(params[place]) != as_text(inner):
                    yield Unread(f"{where}, params", f"{path!a:.80} of {file!a:.80} stands twice with two values")
    home = pipeline.rpartition("/")[0]
    stage = f"{pipeline}:{name}" if name else pipeline
    yield Locked(
        run_id(stage, command, deps, params, outs), name if not home and name else stage, name, pipeline, command, tuple(deps), tuple(outs),
        tuple((file, path, as_text(value)) for (file, path), value in params.items()),
    )  # fmt: skip


def run_id(stage: str, command: str, deps: list[Item], params: Mapping[tuple[str, str], Any], outs: list[Item]) -> str:
    """Return the id (64 hex) of a stage's result: what it is called, ran, read, was given and wrote."""
    return canonical.sha256_hex(canonical.encode([
        stage, command, sorted([item.path, item.value] for item in deps),
        sorted([file, name, _json(value)] for (file, name), value in params.items()), sorted([item.path, item.value] for item in outs),
    ]))  # fmt: skip


def _command(raw: Any) -> str:
    if isinstance(raw, list):
        return "\n".join(line for line in (_command(one) for one in raw) if line)
    return raw if isinstance(raw, str) else "" if raw is None or isinstance(raw, dict | bool) else str(raw)


def _items(raw: Any, folder: str, where: str, into: list[Item]) -> Iterator[Unread]:
    if raw is None:
        return
    if not isinstance(raw, list):
        yield Unread(where, "is no list")
        return
    for number, one in enumerate(raw, 1):
        try:
            into.append(item(one, folder))
        except ValueError as error:
            path = one.get("path") if isinstance(one, dict) else None
            yield Unread(f"{where}: {path}" if isinstance(path, str) else f"{where}: entry {number}", str(error))


def item(raw: Any, folder: str) -> Item:
    """Return an entry of `deps` or `outs`.

    Raises:
        ValueError: it has not the form of one; the text says why.
    """
    if not isinstance(raw, dict):
        raise ValueError("is no set of keys")
    path = raw.get("path")
    if not isinstance(path, str) or not path:
        raise ValueError("has no path")
    size, files = (value if type(value := raw.get(key)) is int and value >= 0 else -1 for key in ("size", "nfiles"))
    notes = tuple((key, raw[key]) for key in _ANNOTATIONS if raw.get(key) not in (None, "", [], {}))
    where = joined(folder, path)
    if "md5" in raw:
        value = raw["md5"]
        if not isinstance(value, str) or not _MD5.match(value):
            raise ValueError(f"has an MD5 that is none: {value!a:.60}")
        return Item(where, "md5", value, size, files, raw.get("hash") != "md5", notes)
    rest = {key: value for key, value in raw.items() if key not in _NO_IDENTITY and value is not None}
    if not rest:
        raise ValueError("has no checksum")
    if len(rest) == 1 and isinstance(only := next(iter(rest.values())), str):
        return Item(where, next(iter(rest)), only, size, files, False, notes)
    return Item(
        where,
        "+".join(sorted(rest)),
        canonical.sha256_hex(_json(rest).encode()),
        size,
        files,
        False,
        (*notes, *rest.items()),
    )


def tracked(data: bytes, file: str, where: str) -> Iterator[Tracked | Locked | Unread]:
    """Yield what a `.dvc` file tracks, as a stage where it has a command (DVC before 1).

    Raises:
        Unreadable: it cannot be read at all.
    """
    raw = dvc_yaml.load(data, where)
    if raw is None:
        return
    if not isinstance(raw, dict):
        raise Unreadable(where, "is no file of DVC: no keys stand in it")
    wdir = raw.get("wdir")
    folder = joined(file.rpartition("/")[0], wdir if isinstance(wdir, str) else ".")
    folder = "" if folder == "." else folder
    if raw.get("cmd"):
        yield from locked("", raw, file, folder, where)
        return
    outs = list[Item]()
    yield from _items(raw.get("outs"), folder, f"{where}: outs", outs)
    attrs: dict[str, Any] = {key: raw[key] for key in ("desc", "meta") if raw.get(key)}
    if raw.get("frozen") is True:
        attrs["frozen"] = True
    given = raw.get("deps")
    for dep in given if isinstance(given, list) else []:
        if isinstance(dep, dict):
            attrs |= _origin(dep)
    yield Tracked(file, tuple(outs), tuple(attrs.items()))


def _origin(dep: dict[str, Any]) -> dict[str, Any]:
    """Return where something imported came from: address, path there, revision or checksum."""
    path = dep.get("path")
    repository = dep.get("repo")
    found: dict[str, Any] = {}
    reference = {
        key: str(dep[key]) for key in ("etag", "checksum", "version_id", "md5") if isinstance(dep.get(key), str | int)
    }
    if isinstance(repository, dict):
        found["source"] = str(repository.get("url") or "")
        found["source_path"] = path
        found["source_revision"] = repository.get("rev")
        if isinstance(repository.get("rev_lock"), str):
            reference["git"] = repository["rev_lock"]
    elif isinstance(dep.get("db"), dict):
        found["source"] = "a database"
        found["source_query"] = {
            key: value for key, value in dep["db"].items() if key in ("query", "table", "connection")
        }
    elif isinstance(path, str):
        found["source"] = path
    if reference:
        found["source_reference"] = reference
    return {key: value for key, value in found.items() if value}


def flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of a value's innermost keys; a list is one value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def as_text(value: Any) -> str:
    """Return a parameter as text: numbers as `number_text` has them, lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            number_text(value) if isinstance(value, float) or abs(value) < 10**4000 else "a number of over 4,000 digits"
        )
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
