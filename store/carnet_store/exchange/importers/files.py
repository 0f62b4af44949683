"""Files as importers take them: which of a folder fit, their bytes within a limit, JSON and YAML that nobody vouches for.

Rules: a folder is looked through, never walked; only regular files are opened, and in a folder none that a link leads out of it to; every limit is
said where it is met; secrets in addresses are replaced before anything enters the record.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.scrub import secret
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread

if TYPE_CHECKING:
    import yaml

MIB: Final = 1 << 20
KEPT: Final = 20 * MIB
"""Bytes of a file that travel with a thing; of a larger file only the digest does."""
MOST_GUESSED: Final = 3_000
"""Entries of a folder that `guess` looks at: it must not take longer than a blink."""
MOST_NODES: Final = 500_000
MOST_DEPTH: Final = 64
_KNOWN_TAG: Final = re.compile(r"!|tag:yaml\.org,2002:(?!python/).*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# The second form is for passwords that hold signs which no address may hold unescaped; `host:8443/path@v1` is none.
_USERINFO: Final = re.compile(r"(?<=://)([^/\s?#\"]{1,400}|[^/\s?#\":@]{1,200}:(?!\d{1,5}(?:/|$))[^\s\"@]{0,200})@")
_VARIABLE: Final = re.compile(r"\$\{\w+\}|\$\w+|%\w+%")
_QUERY: Final = re.compile(r"(?<=[?&;])([A-Za-z0-9_.-]{1,60})=([^&;\s\"'#<>]+)")
_SIGNED: Final = re.compile(
    r"sig|signature|auth|key|x-(?:amz|goog)-(?:signature|credential|security-token)", re.IGNORECASE
)
_CONDA_TOKEN: Final = re.compile(r"(?<=://)([^/\s]+/t/)[A-Za-z0-9_-]{16,}(?=/)")


class Unreadable(Exception):
    """A file, or a place in it, that cannot be read: where, why, and what would help."""

    def __init__(self, where: str, why: str, hint: str = "") -> None:
        super().__init__(f"{where}: {why}")
        self.where, self.why, self.hint = where, why, hint


def each(
    source: Source, what: str, fits: Callable[[Path], bool], read: Callable[[Path], Iterator[Thing | Unread]]
) -> Iterator[Thing | Unread]:
    """Yield what `read` finds in the file that `source` is, or in each fitting file of the folder; every `Ref` once.

    Raises:
        Invalid: no fitting file is there, or the one file cannot be read.
    """
    path, seen = source.path, set[Ref | Unread]()
    if path.is_dir():
        paths, outside, _ = _entries(path, fits)
        if not paths and not outside:
            raise Invalid(f"{path} holds no {what}", "name the file itself, or the folder in which it lies")
        for one in outside:
            yield Unread(str(one), "a link that leads out of the folder; name the file itself to have it read")
    elif path.exists():
        paths = [path]
    else:
        raise Invalid(f"there is no {path}")
    for one in paths:
        try:
            for found in read(one):
                key = found if isinstance(found, Unread) else found.ref
                if key not in seen:
                    seen.add(key)
                    yield found
        except Unreadable as problem:
            if one == path:
                raise Invalid(f"{problem.where}: {problem.why}", problem.hint) from None
            yield Unread(problem.where, problem.why)


def guessed(path: Path, fits: Callable[[Path], bool]) -> tuple[list[Path], str]:
    """Return the fitting files of a folder, or the file itself where it fits, and `at least ` where the folder holds too much to look at.

    Raises nothing.
    """
    try:
        if path.is_dir():
            found, _, whole = _entries(path, fits, MOST_GUESSED)
            return found, "" if whole else "at least "
        return ([path] if path.is_file() and fits(path) else []), ""
    except (OSError, ValueError, Invalid):
        return [], ""


def _entries(folder: Path, fits: Callable[[Path], bool], most: int = 0) -> tuple[list[Path], list[Path], bool]:
    """Return the fitting files directly in a folder, sorted, the links among them that lead out of it, and whether all was looked at."""
    inside: list[Path] = []
    outside: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            names = [(one.name, one.is_symlink()) for one in (itertools.islice(entries, most) if most else entries)]
            whole = next(entries, None) is None
        # A snapshot of the Hugging Face cache is links to the blobs beside it: these are at home.
        home = (folder.parents[1] if folder.absolute().parent.name == "snapshots" else folder).resolve()
        for name, link in sorted(names):
            path = folder / name
            if not name.startswith(".") and fits(path) and path.is_file():
                (outside if link and not path.resolve().is_relative_to(home) else inside).append(path)
    except OSError as error:
        raise Invalid(f"{folder} cannot be read: {error.strerror}") from None
    return inside, outside, whole


def head(path: Path, size: int, *, end: bool = False) -> bytes:
    """Return the first (`end`: the last) `size` bytes of a regular file, none where it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as handle:
            if end:
                handle.seek(max(0, os.fstat(handle.fileno()).st_size - size))
            return handle.read(size)
    except (OSError, ValueError):
        return b""


def read_bytes(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        Unreadable: not a regular file, larger than `most` bytes, or the system refuses.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable(str(path), "is not a regular file")
        with path.open("rb") as handle:
            data = handle.read(most + 1)
    except OSError as error:
        raise Unreadable(str(path), f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Unreadable(str(path), f"cannot be read: {error}") from None
    if len(data) > most:
        raise Unreadable(str(path), f"is larger than {most // MIB} MiB")
    return data


def decode(data: bytes, where: str) -> str:
    """Return text: UTF-8, with or without its mark, or UTF-16 with its mark (what PowerShell's `>` writes).

    Raises:
        Unreadable: something else.
    """
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unreadable(
            f"{where}:{line}", f"is not {encoding[:6].upper().rstrip('-')} text", "save it as UTF-8"
        ) from None


def load_json(data: bytes, where: str) -> Any:
    """Return what a JSON text holds.

    Raises:
        Unreadable: it is no JSON, or nested too deeply.
    """
    import json

    try:
        return json.loads(decode(data, where))
    except json.JSONDecodeError as error:
        raise Unreadable(f"{where}:{error.lineno}", f"is not JSON: {error.msg}") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Unreadable(where, f"is not JSON: {error}") from None
    except RecursionError:
        raise Unreadable(where, "is nested too deeply") from None


def load_yaml(text: str, where: str, before: int = 0) -> tuple[Any, list[Unread]]:
    """Return what a YAML text holds, and what of it was not taken; every scalar as the text that stands there, nothing as None.

    So no reader's opinion of `no`, `1.10` or `1e-05` comes between. `before` counts the lines that stand before `text` in the file.

    Raises:
        Unreadable: it is no YAML, nested too deeply, or its aliases unfold to more than anybody wrote.
    """
    import yaml

    reader = _Yaml(where, before)
    try:
        value = reader.document(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        line = before + (mark.line + 1 if mark is not None else 1)
        raise Unreadable(f"{where}:{line}", f"is not YAML: {what}", "quote text that holds `: ` or ` #`") from None
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0) or 0
        line = before + text[:at].count("\n") + 1
        raise Unreadable(f"{where}:{line}", "holds a character that YAML does not allow") from None
    return value, reader.unread


class _Yaml:
    """Builds values from parser events, so that depth and size are known before they cost anything."""

    def __init__(self, where: str, before: int) -> None:
        self._where, self._before = where, before
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self.unread: list[Unread] = []

    def document(self, events: Iterator[yaml.Event]) -> Any:
        import yaml

        value, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._note(event, "a second document begins, which is not read")
                    return value
                value = self._value(next(events), events, 1)
        return value

    def _place(self, event: yaml.Event) -> str:
        mark = event.start_mark
        return f"{self._where}:{self._before + (mark.line + 1 if mark is not None else 1)}"

    def _note(self, event: yaml.Event, why: str) -> None:
        self.unread.append(Unread(self._place(event), why))

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
        import yaml

        if depth > MOST_DEPTH:
            raise Unreadable(self._place(event), f"is nested deeper than {MOST_DEPTH}")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(self._place(event), f"the alias *{event.anchor} names nothing that stands before it")
            value, size = self._anchors[event.anchor]
            self._count(event, size)
            return value
        begun = self._nodes
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = None if event.style in (None, "") and event.value in ("", "~", "null") else str(event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                value.append(self._value(inner, events, depth + 1))
        else:
            value = self._mapping(events, depth)
        tag = getattr(event, "tag", None)
        if tag is not None and not _KNOWN_TAG.fullmatch(tag):
            self._note(event, f"the tag {tag!a:.80} is not read")
            value = None
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (value, self._nodes - begun)
        return value

    def _count(self, event: yaml.Event, size: int) -> None:
        self._nodes += size
        if self._nodes > MOST_NODES:
            raise Unreadable(self._place(event), f"holds more than {MOST_NODES:,} values, aliases unfolded")

    def _mapping(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._value(inner, events, depth + 1)
            value = self._value(next(events), events, depth + 1)
            if key == "<<" and isinstance(value, dict):
                merged |= value
            elif isinstance(key, dict | list):
                self._note(inner, "a list or a set of keys stands where a key belongs")
            else:
                name = "" if key is None else key
                if name in found:
                    self._note(inner, f"the key {name!a:.80} stands twice; the last one counts")
                found[name] = value
        return {**merged, **found}


def redacted(text: str) -> str:
    """Return `text` without the secrets that addresses in it carry: user names and passwords, tokens in paths and queries.

    A variable (`${TOKEN}`) and the plain user of `git+ssh://git@host` are none. `redacted(text) != text` says that there was one, unlike
    `scrub.address`, which also takes out what is harmless.
    """
    if "://" not in text:
        return text
    text = _USERINFO.sub(_without_user, text)
    text = _QUERY.sub(lambda m: f"{m[1]}=***" if _tells(m[1], m[2]) else m[0], text)
    return _CONDA_TOKEN.sub(r"\1***", text)


def _tells(name: str, value: str) -> bool:
    return bool(secret(name) or _SIGNED.fullmatch(name)) and not _VARIABLE.fullmatch(value)


def _without_user(match: re.Match[str]) -> str:
    user, colon, password = match[1].partition(":")
    before = match.string[max(0, match.start() - 6) : match.start()]
    if colon:
        harmless = bool(_VARIABLE.fullmatch(password)) or password == "***"  # noqa: S105 (what stands in its place)
    else:
        harmless = before.endswith("ssh://") or user in ("git", "***") or bool(_VARIABLE.fullmatch(user))
    return match[0] if harmless else "***@"


def time_ms(text: object) -> int:
    """Return an ISO 8601 time as ms since 1970, UTC where it names no zone; 0 where it is none."""
    if not isinstance(text, str):
        return 0
    try:
        when = datetime.fromisoformat(text.strip())
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        return max(0, (when - _EPOCH) // timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        return 0


def sound(text: str) -> str:
    """Return `text` without lone surrogates (names of files, JSON escapes), which no ledger can hold."""
    return text.encode("utf-8", "replace").decode()


def short(text: str, most: int = 200) -> str:
    """Return at most `most` characters of `text`, the last one `…` where something was cut; a secret is taken out before it could be cut."""
    text = redacted(sound(text))
    return text if len(text) <= most else text[: most - 1] + "…"
