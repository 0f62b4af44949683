"""Finding and keeping apart the events of OpenLineage files: one a line, a JSON list, one file an event, or a folder of such.

`Log` holds of each event only where it lies (48 bytes), so that a folder with 100,000 events is folded in bounded memory: what a run or a dataset
needs is read again. A damaged or torn event costs itself alone; where it stands is reported.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.things import Unread

SUFFIXES: Final = (".json", ".jsonl", ".ndjson")
"""The files of a folder that are read; a file that is named itself may be called anything."""
LONGEST_EVENT: Final = 16 * 1024 * 1024
"""Bytes of one event; a longer one is reported, not read."""
NAMED: Final = 20
"""Places of one file that are reported one by one; the rest of it is counted in one line."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEAD: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?(?:\[[^\]]*\])?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_strict = msgspec.json.Decoder().decode


class Piece(NamedTuple):
    """One JSON value of a file: where it begins (byte, line from 1) and its bytes."""

    offset: int
    line: int
    raw: bytes


class Failed(NamedTuple):
    """A place that holds no readable event: line (0 is the whole file) and why."""

    line: int
    why: str


def files_of(path: Path) -> tuple[list[Path], list[Path]]:
    """Return the files to read, sorted, and the links that lead out of the folder, which are not.

    A file is read whatever its name; of a folder the files named by `SUFFIXES`, not those of the folders in it.

    Raises:
        OSError: the folder cannot be read.
    """
    if not path.is_dir():
        return ([path] if path.is_file() else []), []
    inside: list[Path] = []
    outside: list[Path] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                far = entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(path.resolve())
                (outside if far else inside).append(path / entry.name)
    return sorted(inside), sorted(outside)


def decode(raw: bytes) -> dict[str, Any]:
    """Return an event's JSON object.

    Raises:
        ValueError: it is none; the message says why in plain words.
    """
    try:
        found = _strict(raw)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = _lenient(raw)
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def _lenient(raw: bytes) -> Any:
    """Read what real producers write beside the standard: NaN, Infinity, half of a surrogate pair."""
    try:
        found = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise ValueError(f"it is not JSON: {error.msg} (character {error.pos + 1})") from None
        raise ValueError("it holds a number too long to read") from None
    try:
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def run_id(text: str) -> str:
    """Return a run's id; a UUID in small letters, as it is one number however it is written."""
    return text.lower() if _UUID.fullmatch(text) else text


def kind_of(event: Mapping[str, Any]) -> str:
    """Return `run`, `job` or `dataset`; empty where a JSON object is no OpenLineage event."""
    known = any(key in event for key in ("eventTime", "producer", "schemaURL", "eventType"))
    for kind in ("run", "job", "dataset"):
        if isinstance(event.get(kind), dict) and (known or (kind == "run" and isinstance(event.get("job"), dict))):
            return kind
    return ""


def time_ns(text: object) -> int | None:
    """Return an ISO 8601 time as ns since 1970, None where it is none. Without a zone it is taken as UTC."""
    found = _TIME.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 100 else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    zone = found[8] or "Z"
    offset = 0
    if zone not in "Zz":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 60 + int(digits[2:] or 0)) * (-1 if zone[0] == "-" else 1)
    try:  # a leap second counts as the last second of its minute
        when = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone(timedelta(minutes=offset)))
        whole = when - _EPOCH
    except (ValueError, OverflowError):
        return None
    made = (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int((found[7] or "").ljust(9, "0")[:9])
    return made if abs(made) < 2**63 else None


def pieces(path: Path) -> Iterator[Piece | Failed]:
    """Yield the JSON values of a file and the places that hold none, from its start to its end.

    Raises:
        OSError: it cannot be opened or read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        start = len(_BOM) if head.startswith(_BOM) else 0
        body = head[start:].lstrip()
        if not body:
            yield Failed(0, "it is empty" if not head.strip() else "it begins with a megabyte of white space")
            return
        if body[:1] != b"[" and _by_line(body):
            file.seek(start)
            yield from _lines(file, start)
        elif body[:1] not in (b"[", b"{"):
            yield Failed(1, "it is not JSON")
        else:
            yield from _values(file, listed=body[:1] == b"[", start=start)


def _by_line(body: bytes) -> bool:
    """Return whether each line is a value of its own: the first one is whole, or (the first torn) a later one is an event."""
    for number, line in enumerate(body.split(b"\n", 2_000)[:2_000]):
        if number and not line.startswith(b"{"):
            continue
        try:
            found = decode(line)
        except ValueError:
            continue
        if not number or kind_of(found):
            return True
    return False


def _lines(file: BinaryIO, offset: int) -> Iterator[Piece | Failed]:
    number = 0
    while raw := file.readline(LONGEST_EVENT + 1):
        number += 1
        size = len(raw)
        if size > LONGEST_EVENT and not raw.endswith(b"\n"):
            while (more := file.readline(LONGEST_EVENT)) and not more.endswith(b"\n"):
                size += len(more)
            size += len(more)
            yield Failed(number, f"it is longer than {LONGEST_EVENT:,} bytes")
        elif raw.strip():
            yield Piece(offset, number, raw.rstrip(b"\r\n"))
        offset += size


def _values(file: BinaryIO, *, listed: bool, start: int) -> Iterator[Piece | Failed]:
    """Yield the objects of a list, or objects one after the other, by their brackets: a list of any length is never in memory."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = data.find(b"[", start) + 1 if listed else start  # where the last value, or the opening of the list, ended
        floor = depth = 1 if listed else 0
        began, line, told = end, 1, 0
        for token in _TOKEN.finditer(data, end):
            place = token.start()
            mark = data[place]
            if mark in b"{[":
                if depth == floor:
                    line += data[told:place].count(b"\n")
                    began = told = place
                    if data[end:began].strip(b" \t\r\n,"):
                        yield Failed(line, "what stands before this value is no event")
                depth += 1
            elif mark in b"}]" and depth > 0:
                depth -= 1
                if depth == floor:
                    end = place + 1
                    if end - began > LONGEST_EVENT:
                        yield Failed(line, f"it is longer than {LONGEST_EVENT:,} bytes")
                    else:
                        yield Piece(began, line, data[began:end])
                elif depth < floor:  # the list is closed
                    if data[end:place].strip(b" \t\r\n,"):
                        yield Failed(line, "what stands at the end of the list is no event")
                    end, floor, listed = place + 1, 0, False
        if depth > floor:
            yield Failed(line, "it ends in the middle of an event")
        elif listed:
            yield Failed(line, "the list is not closed; what stands before was read")
        elif data[end:].strip():
            yield Failed(line, "what stands after the last event is none")


class Log:
    """The events of some files by number, each with its place, time and a digest for finding duplicates."""

    def __init__(self, files: list[Path]) -> None:
        """Hold no event yet; `files` are read by `scan`."""
        self.files = files
        self.kinds = {"run": 0, "job": 0, "dataset": 0}
        self.times = array("q")
        self.marks = array("Q")
        self._file, self._line, self._size, self._offset = array("l"), array("l"), array("l"), array("q")
        self._open: tuple[int, BinaryIO] | None = None
        self._recent: OrderedDict[int, dict[str, Any]] = OrderedDict()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file that was read last."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def scan(self) -> Iterator[tuple[int, str, dict[str, Any]] | Unread]:
        """Read every file once; yield (number, kind, event), and what could not be read."""
        for number, path in enumerate(self.files):
            failed, timeless = 0, ""
            try:
                for piece in pieces(path):
                    found = self._take(number, piece) if isinstance(piece, Piece) else piece
                    if isinstance(found, Failed):
                        failed += 1
                        if failed <= NAMED:
                            yield Unread(f"{path.name}:{found.line}" if found.line else path.name, found.why)
                        continue
                    self.kinds[found[1]] += 1
                    if self.times[-1] == 0 and not timeless:
                        timeless = self.where(found[0])
                    yield found
            except (OSError, ValueError) as error:  # ValueError: cut short while it was mapped
                yield Unread(path.name, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
            if failed > NAMED:
                yield Unread(path.name, f"{failed - NAMED:,} more places of it hold no OpenLineage event")
            if timeless:
                yield Unread(
                    timeless,
                    "its eventTime is missing or no time (in this file first here); the event was read without one",
                )

    def _take(self, file: int, piece: Piece) -> tuple[int, str, dict[str, Any]] | Failed:
        try:
            event = decode(piece.raw)
        except ValueError as error:
            return Failed(piece.line, str(error))
        kind = kind_of(event)
        if not kind:
            return Failed(piece.line, "it is JSON, but no OpenLineage event")
        if kind == "run" and not (isinstance(event["run"].get("runId"), str) and event["run"]["runId"].strip()):
            return Failed(piece.line, "its run has no runId")
        if kind == "run":
            event["run"]["runId"] = run_id(event["run"]["runId"])
        self._file.append(file)
        self._line.append(piece.line)
        self._size.append(len(piece.raw))
        self._offset.append(piece.offset)
        self.times.append(time_ns(event.get("eventTime")) or 0)
        self.marks.append(int.from_bytes(blake2b(piece.raw, digest_size=8).digest(), "big"))
        return len(self._file) - 1, kind, event

    def where(self, number: int) -> str:
        """Return an event's place as people read it: `events.ndjson:12`."""
        return f"{self.files[self._file[number]].name}:{self._line[number]}"

    def order(self, number: int) -> tuple[int, int]:
        """Return what puts events in an order that does not depend on where they lie: time, then content."""
        return self.times[number], self.marks[number]

    def event(self, number: int) -> dict[str, Any]:
        """Read an event again.

        Raises:
            Invalid: the file changed or went away since it was scanned.
        """
        held = self._recent.get(number)
        if held is not None:
            self._recent.move_to_end(number)
            return held
        file = self._file[number]
        try:
            if self._open is None or self._open[0] != file:
                self.close()
                self._open = (file, self.files[file].open("rb"))
            handle = self._open[1]
            handle.seek(self._offset[number])
            raw = handle.read(self._size[number])
            if int.from_bytes(blake2b(raw, digest_size=8).digest(), "big") != self.marks[number]:
                raise ValueError("other bytes stand there now")
            event = decode(raw)
        except (OSError, ValueError) as error:
            raise Invalid(
                f"{self.where(number)} changed while it was read: {error}", "read it again when it rests"
            ) from None
        if len(raw) < 64_000:
            self._recent[number] = event
            if len(self._recent) > 64:
                self._recent.popitem(last=False)
        return event
