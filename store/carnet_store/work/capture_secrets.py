"""Looks through everything that a captured run would sign, before anything is written: where a secret stands, and how to take it out."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain import secrets
from carnet_store.domain.secrets import Secret
from carnet_store.work.capture import Captured, Kept
from carnet_store.work.capture_environment import chosen

if TYPE_CHECKING:
    from carnet_store.work.capture_code import Code

CHUNK: Final = 4 << 20
_CLEAN: Final[set[str]] = set()
"""Digests of bytes in which nothing was found."""
_OVERLAP: Final = 4096
SHORTEST: Final = 6
"""Letters of a value from which on it is looked for everywhere: a shorter one stands in many a text by chance."""
_FLAG: Final = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in what would be recorded: where it stands, and what it seems to be."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def in_command(argv: Sequence[str], environ: Mapping[str, str], env: Sequence[str]) -> list[Found]:
    """Return the secrets in what is known before the start: the arguments, and the variables that would be recorded."""
    found = [Found(f"argument {at}", one.what) for at, one in _in_words(argv)]
    for name, text in chosen(environ, env).items():
        found += [Found(f"environment variable {name}", one.what) for one in secrets.search_value(name, text)]
    return found


def read_early(code: Code | None) -> None:
    """Look through the code while the command still runs; what holds nothing is not looked through again."""
    import hashlib

    if code is None:
        return
    for sha256, data in (
        (code.sha256, code.text),
        *((hashlib.sha256(data).hexdigest(), data) for _, data in code.kept),
    ):
        if data and not secrets.search(data.decode("utf-8", "replace")):
            _CLEAN.add(sha256)


def find(captured: Captured) -> list[Found]:
    """Return every secret in what would be recorded."""
    values = _values(captured)
    return [*_scan(captured, take_out=False), *_echoes(captured, values, take_out=False)]


def take_out(captured: Captured) -> list[Found]:
    """Replace every secret by `<redacted>`, drop the objects that hold one, count them in `redacted`; return what was found."""
    values = _values(captured)
    found = [*_scan(captured, take_out=True), *_echoes(captured, values, take_out=True)]
    captured.redacted += len(found)
    return found


def _scan(captured: Captured, *, take_out: bool) -> Iterator[Found]:
    argv = captured.attrs.get("argv")
    if isinstance(argv, list):
        for at, one in _in_words(argv, take_out=take_out):
            yield Found(f"argument {at}", one.what)
    for name, text in list(captured.params.items()):
        yield from _leaf(captured.params, name, name, text, f"parameter {name}", take_out)
    for name, text in list(captured.attrs.get("env", {}).items()):
        yield from _leaf(captured.attrs["env"], name, name, text, f"environment variable {name}", take_out)
    rest = {key: value for key, value in captured.attrs.items() if key not in ("argv", "env")}
    for key in rest:
        yield from _tree(captured.attrs, key, key, take_out)
    for row in captured.metrics:
        yield from _branches(row, f"metric {row.get('name')}", take_out)
    yield from _kept(captured.keep, "", take_out)
    for thing in captured.things:
        for field in ("name", "version"):
            for one in secrets.search(getattr(thing, field)):
                yield Found(f"{field} of {thing.kind} {thing.name}", one.what)
                if take_out:
                    setattr(thing, field, secrets.REDACTED)
                    break
        yield from _branches(thing.attrs, f"{thing.kind} {thing.name}", take_out)
        yield from _kept(thing.keep, "untracked file " if thing.kind == "code" else "", take_out)
    for note in (name for name in (captured.name, *captured.notes) if secrets.search(name)):
        yield Found("name of the run" if note == captured.name else "a note", secrets.search(note)[0].what)
    if take_out:
        captured.name = secrets.redact(captured.name, secrets.search(captured.name))
        captured.notes = [secrets.redact(note, secrets.search(note)) for note in captured.notes]


def _in_words(argv: Sequence[str], *, take_out: bool = False) -> Iterator[tuple[int, Secret]]:
    """Yield (place, secret) in the words of a command line; a word after `--api-key` is that option's value. Counted from 1, the program aside."""
    before = ""
    for at, word in enumerate(argv):
        flag = _FLAG.fullmatch(word)
        pair = flag if flag is not None and flag[2] is not None else _PAIR.fullmatch(word)
        if pair is not None:
            start = pair.start(2)
            found = [
                Secret(one.start + start, one.end + start, one.what) for one in secrets.search_value(pair[1], pair[2])
            ]
        elif flag is None:
            found = secrets.search_value(before, word) if before else secrets.search(word)
        else:
            found = secrets.search(word)
        before = flag[1] if flag is not None and flag[2] is None else ""
        if found and take_out and isinstance(argv, list):
            argv[at] = secrets.redact(word, found)
        for one in found:
            yield at, one


def _leaf(holder: Any, key: Any, name: str, text: str, where: str, take_out: bool) -> Iterator[Found]:
    found = secrets.search_value(name, text) if name else secrets.search(text)
    if found and take_out:
        holder[key] = secrets.redact(text, found)
    for one in found:
        yield Found(where, one.what)


def _tree(holder: Any, key: Any, where: str, take_out: bool) -> Iterator[Found]:
    value = holder[key]
    if isinstance(value, str):
        yield from _leaf(holder, key, "", value, where, take_out)
    else:
        yield from _branches(value, where, take_out)


def _branches(value: Any, where: str, take_out: bool) -> Iterator[Found]:
    if isinstance(value, dict):
        for key in list(value):
            yield from _tree(value, key, f"{where}, {key}", take_out)
    elif isinstance(value, list):
        for at in range(len(value)):
            yield from _tree(value, at, where, take_out)


# -- what repeats a secret ----------------------------------------------------------------------------------------------


def _values(captured: Captured) -> dict[str, str]:
    """Return the values that are secrets by their names, to where each stands: elsewhere nothing else tells them from other words."""
    found: dict[str, str] = {}
    argv = captured.attrs.get("argv")
    if isinstance(argv, list):
        for at, one in _in_words(argv):
            found.setdefault(str(argv[at])[one.start : one.end], f"argument {at}")
    for what, held in (("parameter", captured.params), ("environment variable", captured.attrs.get("env", {}))):
        for name, text in held.items():
            for one in secrets.search_value(name, text):
                found.setdefault(text[one.start : one.end], f"{what} {name}")
    return {value: where for value, where in found.items() if len(value) >= SHORTEST}


def _echoes(captured: Captured, values: Mapping[str, str], *, take_out: bool) -> Iterator[Found]:
    """Yield where else a secret's value stands: in other texts, in names, in the files that would be kept."""
    if not values:
        return
    holders: list[tuple[str, Any]] = [("", captured.attrs), ("", captured.params)]
    holders += [(f"{thing.kind} {thing.name}", thing.attrs) for thing in captured.things]
    for where, held in holders:
        yield from _repeated(held, where, values, take_out)
    for thing in captured.things:
        for field in ("name", "version"):
            text = getattr(thing, field)
            for value in [one for one in values if one in text]:
                yield Found(f"{field} of a {thing.kind}", f"it repeats {values[value]}")
                if take_out:
                    setattr(thing, field, getattr(thing, field).replace(value, secrets.REDACTED))
    for value in [one for one in values if one in captured.name]:
        yield Found("name of the run", f"it repeats {values[value]}")
        if take_out:
            captured.name = captured.name.replace(value, secrets.REDACTED)
    if take_out:
        for value in values:
            captured.notes = [note.replace(value, secrets.REDACTED) for note in captured.notes]
    for rows in (captured.keep, *(thing.keep for thing in captured.things)):
        dropped = []
        for one in rows:
            held_by = next((value for value in values if value in one.path or _holds(one, value)), "")
            if held_by:
                yield Found(one.path, f"it repeats {values[held_by]}")
                dropped.append(one)
        if take_out:
            rows[:] = [one for one in rows if one not in dropped]


def _repeated(held: Any, where: str, values: Mapping[str, str], take_out: bool) -> Iterator[Found]:
    for key in list(held) if isinstance(held, dict) else range(len(held)) if isinstance(held, list) else ():
        inner = held[key]
        place = f"{where}, {key}" if where else str(key)
        if not isinstance(inner, str):
            yield from _repeated(inner, place, values, take_out)
            continue
        for value in [one for one in values if one in inner]:
            if place.split(", ")[0] not in ("argv", "env") and not values[value].endswith(f" {key}"):
                yield Found(place, f"it repeats {values[value]}")
            if take_out:
                held[key] = held[key].replace(value, secrets.REDACTED)


def _holds(one: Kept, value: str) -> bool:
    """Say whether the bytes of an object hold a text."""
    wanted = value.encode()
    if one.data is not None:
        return wanted in one.data
    if one.file is None:
        return False
    with one.file.open("rb") as handle:
        rest = b""
        while chunk := handle.read(CHUNK):
            if wanted in rest + chunk:
                return True
            rest = chunk[-len(wanted) :]
    return False


# -- bytes to keep -------------------------------------------------------------------------------------------------------


def _kept(rows: list[Kept], prefix: str, take_out: bool) -> Iterator[Found]:
    dropped = []
    for one in rows:
        found = list(_in_object(one, prefix))
        yield from found
        if found:
            dropped.append(one)
    if take_out:
        rows[:] = [one for one in rows if one not in dropped]


def _in_object(one: Kept, prefix: str) -> Iterator[Found]:
    for secret in secrets.search(one.path):
        yield Found(f"the name {one.path}", secret.what)
    if one.sha256 in _CLEAN:
        return
    line = 0
    for text, is_first in _texts(one):
        if is_first and "\0" in text[:8000]:
            return
        for secret, at in _with_lines(text):
            if one.name == "patch":
                where = f"line {line + at} of the patch{_file_in_patch(text, secret.start)}"
            else:
                where = f"line {line + at} of {prefix if not one.name else ''}{one.path}"
            yield Found(where, secret.what)
        line += text.count("\n")


def _texts(one: Kept) -> Iterator[tuple[str, bool]]:
    """Yield an object's text, a large one in pieces that end with a line."""
    if one.data is not None:
        yield one.data.decode("utf-8", "replace"), True
        return
    if one.file is None:
        return
    with one.file.open("rb") as handle:
        first, rest = True, b""
        while chunk := handle.read(CHUNK):
            data = rest + chunk
            cut = data.rfind(b"\n") + 1
            yield data[: cut or None].decode("utf-8", "replace"), first
            first, rest = False, data[cut:] if cut else data[-_OVERLAP:]
        yield rest.decode("utf-8", "replace"), first


def _with_lines(text: str) -> Iterator[tuple[Secret, int]]:
    found = secrets.search(text)
    if not found:
        return
    ends = [match.start() for match in re.finditer("\n", text)]
    for one in found:
        yield one, bisect.bisect_left(ends, one.start) + 1


def _file_in_patch(text: str, at: int) -> str:
    """Return ` (of NAME)` for a place in a patch: the file that its last header before it names."""
    start = text.rfind("\ndiff --git ", 0, at)
    start = 0 if start < 0 and text.startswith("diff --git ") else start + 1
    match = re.match(r"diff --git .* b/(.*)", text[start : start + 4096]) if start >= 0 else None
    return f" (of {match[1]})" if match is not None else ""
