"""What an importer yields: things with provenance as another tool recorded them, and what it could not read.

An importer reads files, never another tool's package, opens them read-only, and yields `Thing` after `Thing`; it writes nothing and judges nothing.
Two imports of one thing meet on its `Ref`: the kind, the system it comes from, and the id that system itself keeps for it for ever.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from carnet_store.core.event import source_entity
from carnet_store.errors import Invalid

LONG_TEXT: Final = 4_000
"""Characters of a parameter or attribute that stand in the record; what is longer is kept as an object beside it."""


class Ref(NamedTuple):
    """A thing by its place in its source: `kind` as in DESIGN.md section 2, `system` (`mlflow`), `key` its stable id there."""

    kind: str
    system: str
    key: str

    @property
    def entity(self) -> str:
        """The entity id that every import of this thing arrives at."""
        return source_entity(self.kind, self.system, self.key)


@dataclass(frozen=True, slots=True)
class Keep:
    """Bytes to keep in the store with a thing: under attribute `name` stands `{path, sha256, size}`."""

    name: str
    path: str
    data: bytes


@dataclass(slots=True)
class Thing:
    """One entity or run of a source.

    Attributes:
        ref: where it is from and which it is.
        name: what people call it; `version` where it is a version of something (`churn`, `7`).
        attrs: further attributes; JSON values without floats (`number_text` makes text of them). Known names:
            `source`, `owner`, `licence` of a dataset; `command`, `status`, `started`, `ended` (ms), `experiment`, `user` of a run;
            `commit`, `repository`, `branch`, `dirty` of code; `reference` maps a source's own identifier that is no digest of
            the bytes (`{"mlflow": "e2d3899b"}`); `uri` where it lies.
        digests: algorithm to lower-case hex over the whole bytes, never an identifier that merely looks like one.
        params: as the source spells them, text.
        metrics: newest value of each, as `metric(...)` makes them.
        at: ms since 1970 by the source's clock; 0 where it says none.
        edges: (`used`, `made` or `from`, the other thing).
        keep: bytes that travel with it: a metric history as JSON lines, a lock file, a patch.
        where: file and place in it, for messages.
    """

    ref: Ref
    name: str
    version: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    at: int = 0
    edges: list[tuple[str, Ref]] = field(default_factory=list)
    keep: list[Keep] = field(default_factory=list)
    where: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that could not be read: where (file, line, id), why, and for which reason in a word where many share it."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Guess:
    """What a path seems to hold: the importer's kind, in words (`MLflow, 12 runs, newest r-012 auc 0.8396`), how many things about."""

    kind: str
    words: str
    things: int


class Importer(Protocol):
    """A module of this package: its name in `IMPORTERS` is the kind that `carnet capture KIND PATH` takes."""

    def guess(self, path: Path) -> Guess | None:
        """Say in under 50 ms what `path` holds, None where it is not of this kind. Raises nothing."""

    def read(self, source: Source) -> Iterator[Thing | Unread]:
        """Yield everything in `source`, in bounded memory, in the same order each time.

        Raises:
            Invalid: nothing of it can be read at all; the message says what was expected where.
        """


def metric(
    name: str, value: float | int | str, *, split: str = "", slice_: str = "", unit: str = "", step: int = 0
) -> dict[str, Any]:
    """Return a metric as `Thing.metrics` holds it; `value` becomes the shortest text that gives the same number back."""
    found: dict[str, Any] = {"name": name, "value": value if isinstance(value, str) else number_text(value)}
    for key, given in (("unit", unit), ("split", split), ("slice", slice_), ("step", step)):
        if given:
            found[key] = given
    return found


def number_text(value: float | int) -> str:
    """Return a number as text: `repr` of a float, `NaN`, `Infinity`, `-Infinity` (docs/format.md section 3)."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def plain(value: Any, depth: int = 8) -> Any:
    """Return JSON as the record can hold it: floats as text, keys as text, nothing deeper than `depth`, ints beyond 2^53 as text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if depth <= 0:
        return json.dumps(value, ensure_ascii=False, default=str)[:LONG_TEXT].encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {str(key): plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, depth - 1) for inner in value]
    return str(value)[:LONG_TEXT]


class Source:
    """A path to read from, with what the person said about it."""

    def __init__(self, path: Path, maps: Sequence[tuple[str, str]] = ()) -> None:
        """Read `path`; `maps` says where another machine's folders lie here, as (old start, new folder)."""
        self.path = path
        self.maps = tuple(maps)
        self.fitted: set[tuple[str, str]] = set()
        """Those of `maps` that an address of the source began with."""
        self._known: dict[tuple[str, int, int], str] = {}

    def find(self, uri: str, beside: Path | None = None) -> Path | None:
        """Return the file or folder here that a source's own address means, None where it is not reachable.

        Takes `file:` in every spelling, absolute paths of another machine (by `maps`), and paths relative to `beside`
        (the source's own folder where it is not given). Nothing outside what exists is made up.
        """
        try:
            parts = urlsplit(uri)
            text = uri
            mapped = self._mapped(uri) or self._mapped(unquote(uri))
            if mapped is not None:
                return mapped if mapped.exists() else None
            if len(parts.scheme) > 1:
                if parts.scheme != "file":
                    return None
                text = unquote(parts.path)
            if PureWindowsPath(text.lstrip("/")).drive:
                return None
            mapped = self._mapped(text)
            if mapped is not None:
                return mapped if mapped.exists() else None
            base = beside or (self.path if self.path.is_dir() else self.path.parent)
            found = Path(text) if PurePosixPath(text).is_absolute() else base / text
            return found if found.exists() else None
        except (OSError, ValueError):  # too long, a NUL, brackets that are no address: nothing lies there
            return None

    def _mapped(self, text: str) -> Path | None:
        """Return where a map says that an address lies; a start ends at a folder's border."""
        for old, new in self.maps:
            rest = text[len(old) :]
            if text.startswith(old) and (not rest or old.endswith(("/", "\\")) or rest[0] in "/\\"):
                self.fitted.add((old, new))
                return Path(new) / unquote(rest).lstrip("/\\")
        return None

    def sha256(self, path: Path) -> tuple[str, int]:
        """Return digest and size in bytes of a regular file; each content is read once.

        Raises:
            Invalid: not a regular file, or it cannot be read.
        """
        try:
            with path.open("rb") as handle:
                stat = os.fstat(handle.fileno())
                key = (str(path), stat.st_size, stat.st_mtime_ns)
                if key not in self._known:
                    self._known[key] = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            raise Invalid(f"{path} cannot be read: {error.strerror}") from None
        return self._known[key], stat.st_size
