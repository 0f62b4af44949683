"""Looks through everything that a captured run would sign, before anything is written: where a secret stands, and how to take it out.

A value that was found once is looked for everywhere else, where nothing but itself tells what it is: in other texts and names, in logs and results.
Texts of Carnet's own making (a patch, a list of parameters) are kept with the value replaced, and marked; a file that is somebody else's is not kept.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from carnet_store.domain import secrets
from carnet_store.domain.secrets import Found, Secret
from carnet_store.work.capture import Captured, Kept
from carnet_store.work.capture_environment import chosen
from carnet_store.work.capture_files import shortened

if TYPE_CHECKING:
    from carnet_store.work.capture_code import Code

CHUNK: Final = 4 << 20
_CLEAN: Final[set[str]] = set()
"""Digests of bytes in which nothing was found."""
_OVERLAP: Final = 4096
SHORTEST: Final = 6
"""Letters of a value from which on it is looked for everywhere: a shorter one stands in many a text by chance."""
SHORTEST_WORD: Final = 12
"""The same, for a value of letters alone that was found in a file: it may be any word."""
OURS: Final = frozenset({"patch", "argv_whole", "params_whole", "metrics_history", "lock", "listing"})
"""Attributes under which texts of Carnet's own making are kept."""
_FLAG: Final = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
_PAIR: Final = re.compile(r"([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


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
    """Return every secret in what would be recorded; nothing is changed."""
    import copy

    return take_out(copy.deepcopy(captured))


def take_out(captured: Captured) -> list[Found]:
    """Replace every secret by `<redacted>`, drop the files that hold one, count them in `redacted`; return what was found."""
    found = _from_texts(captured)
    holding = [(one, held) for prefix, one in _objects(captured) for held in _in_object(one, prefix)]
    found += [held for _, held in holding]
    values = _values(found, {id(held) for _, held in holding})
    spelled = {text: where for value, where in values.items() for text in _spellings(value)}
    if spelled:
        found += _echoes(captured, spelled)
        known = {id(one) for one, _ in holding}
        for _, one in _objects(captured):
            value = "" if id(one) in known else _held_by(one, spelled)
            if value:
                found.append(Found(_replaced(one.path, spelled), f"it repeats {spelled[value]}"))
                holding.append((one, found[-1]))
    if holding:
        _clean_objects(captured, {id(one) for one, _ in holding}, spelled)
    captured.redacted += len(found)
    return found


# -- texts ---------------------------------------------------------------------------------------------------------------


def _from_texts(captured: Captured) -> list[Found]:
    """Take the secrets out of all that is text, and return them."""
    found: list[Found] = []
    argv = captured.attrs.get("argv")
    if isinstance(argv, list):
        for at, one in _in_words(list(argv)):
            found.append(Found(f"argument {at}", one.what, str(argv[at])[one.start : one.end]))
        for _ in _in_words(argv, take_out=True):
            pass
    captured.params = secrets.without(captured.params, "parameter", found, certain=True, join=" ")
    for key, value in captured.attrs.items():
        if key == "env":
            captured.attrs[key] = secrets.without(value, "environment variable", found, certain=True, join=" ")
        elif key != "argv":
            captured.attrs[key] = secrets.without(value, key, found)
    captured.metrics = [secrets.without(row, f"metric {row.get('name')}", found) for row in captured.metrics]
    for thing in captured.things:
        thing.name = secrets.without(thing.name, f"name of a {thing.kind}", found)
        thing.version = secrets.without(thing.version, f"version of {thing.kind} {thing.name}", found)
        for key, value in thing.attrs.items():
            thing.attrs[key] = secrets.without(value, f"{thing.kind} {thing.name}, {key}", found, name=key)
    captured.name = secrets.without(captured.name, "name of the run", found)
    captured.notes = secrets.without(captured.notes, "a note", [])  # they stand in the attributes too
    return found


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


def _values(found: Sequence[Found], in_files: set[int]) -> dict[str, str]:
    """Return the values that are worth being looked for elsewhere, to where each stands."""
    values: dict[str, str] = {}
    for one in found:
        least = SHORTEST_WORD if id(one) in in_files and one.value.isalpha() else SHORTEST
        if len(one.value) >= least:
            values.setdefault(one.value, one.where)
    return values


def _spellings(value: str) -> list[str]:
    """Return how a value may stand in other texts: as it is, within JSON, within an address."""
    import json
    from urllib.parse import quote

    escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    return list(dict.fromkeys((value, *escaped, quote(value, safe="", errors="replace"))))


def _echoes(captured: Captured, spelled: Mapping[str, str]) -> list[Found]:
    """Take a secret's value out of all other texts and names, and return where it stood."""
    found: list[Found] = []
    captured.params = _repeated(captured.params, "parameter", spelled, found)
    for key, value in captured.attrs.items():
        captured.attrs[key] = _repeated(value, key, spelled, found)
    captured.metrics = _repeated(captured.metrics, "a metric", spelled, found)
    for thing in captured.things:
        thing.name = _repeated(thing.name, f"name of a {thing.kind}", spelled, found)
        thing.version = _repeated(thing.version, f"version of a {thing.kind}", spelled, found)
        thing.attrs = _repeated(thing.attrs, f"{thing.kind} {thing.name}", spelled, found)
    captured.name = _repeated(captured.name, "name of the run", spelled, found)
    captured.notes = _repeated(captured.notes, "a note", spelled, [])
    return found


def _repeated(held: Any, where: str, spelled: Mapping[str, str], found: list[Found]) -> Any:
    if isinstance(held, str):
        text = _replaced(held, spelled)
        if text != held:
            found.append(Found(where, f"it repeats {next(spelled[one] for one in spelled if one in held)}"))
        return text
    if isinstance(held, list):
        return [_repeated(inner, where, spelled, found) for inner in held]
    if not isinstance(held, dict):
        return held
    return {
        _repeated(key, f"a name in {where}", spelled, found): _repeated(
            inner, f"{where}, {_replaced(str(key), spelled)}", spelled, found
        )
        for key, inner in held.items()
    }


def _replaced(text: str, spelled: Mapping[str, str]) -> str:
    for value in sorted(spelled, key=len, reverse=True):
        text = text.replace(value, secrets.REDACTED)
    return text


# -- bytes to keep -------------------------------------------------------------------------------------------------------


def _objects(captured: Captured) -> Iterator[tuple[str, Kept]]:
    """Yield the objects that would be kept, with what stands before the name of one that has no attribute."""
    for one in captured.keep:
        yield "", one
    for thing in captured.things:
        for one in thing.keep:
            yield "untracked file " if thing.kind == "code" and not one.name else "", one


def _clean_objects(captured: Captured, holding: set[int], spelled: Mapping[str, str]) -> None:
    """Replace secrets in texts of our own and mark these; drop the files that hold one and say so. Their digests stand."""
    dropped: list[str] = []
    for attrs, rows in ((captured.attrs, captured.keep), *((thing.attrs, thing.keep) for thing in captured.things)):
        left = []
        for one in rows:
            path = _replaced(secrets.redact(one.path, secrets.search(one.path)), spelled)
            if id(one) not in holding:
                left.append(one)
            elif one.name in OURS:
                left.append(replace(_rewritten(one, spelled), path=path))
                attrs[f"{one.name}_redacted"] = True
                if one.name == "patch":
                    _say(
                        captured,
                        f"{path} has {secrets.REDACTED} in place of what looks like a secret: it does not apply as it is",
                    )
            elif any(_in_bytes(one)) or _held_by(one, spelled, name=False):
                dropped.append(path)
            else:
                left.append(replace(one, path=path))
        rows[:] = left
    if dropped:
        _say(captured, f"their bytes were left out, for they hold what looks like a secret: {shortened(dropped)}")


def _say(captured: Captured, note: str) -> None:
    captured.notes.append(note)
    captured.attrs["notes"] = [*captured.attrs.get("notes", ()), note]


def _rewritten(one: Kept, spelled: Mapping[str, str]) -> Kept:
    import hashlib

    data = one.data if one.data is not None else one.file.read_bytes() if one.file is not None else b""
    text = data.decode("utf-8", "surrogateescape")
    clean = _replaced(secrets.redact(text, secrets.search(text)), spelled).encode("utf-8", "surrogateescape")
    return replace(one, data=clean, file=None, sha256=hashlib.sha256(clean).hexdigest(), size=len(clean))


def _held_by(one: Kept, spelled: Mapping[str, str], *, name: bool = True) -> str:
    """Return which of these texts an object holds in its bytes or, where that is asked, its name; none is empty."""
    if name and (found := next((text for text in spelled if text in one.path), "")):
        return found
    wanted = [
        (text, raw)
        for text in spelled
        for raw in (
            text.encode("utf-8", "surrogatepass"),
            text.encode("utf-16-le", "surrogatepass"),
            text.encode("utf-16-be", "surrogatepass"),
        )
    ]
    overlap = max(len(raw) for _, raw in wanted) - 1
    rest = b""
    for piece in _pieces(one):
        data = rest + piece
        for text, raw in wanted:
            if raw in data:
                return text
        rest = data[-overlap:]
    return ""


def _pieces(one: Kept) -> Iterator[bytes]:
    if one.data is not None:
        yield one.data
    elif one.file is not None:
        with one.file.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                yield chunk


def _in_object(one: Kept, prefix: str) -> Iterator[Found]:
    for secret in secrets.search(one.path):
        shown = secrets.redact(one.path, secrets.search(one.path))
        yield Found(f"the name {shown}", secret.what, one.path[secret.start : secret.end])
    for secret, line, value, file in _in_bytes(one):
        place = f"the patch{file}" if one.name == "patch" else f"{prefix}{one.path}"
        yield Found(f"line {line} of {place}", secret.what, value)


def _in_bytes(one: Kept) -> Iterator[tuple[Secret, int, str, str]]:
    """Yield the secrets in an object's text: what, in which line, its value and, in a patch, in which file."""
    if one.sha256 in _CLEAN:
        return
    line = 0
    for text, is_first in _texts(one):
        if is_first and "\0" in text[:8000]:
            return
        for secret, at in _with_lines(text):
            file = _file_in_patch(text, secret.start) if one.name == "patch" else ""
            yield secret, line + at, text[secret.start : secret.end], file
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
