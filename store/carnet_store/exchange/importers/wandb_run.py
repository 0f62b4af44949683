"""One W&B run: its records, in the order of its file, become a run, the artifacts it made or used, and the commit it ran from.

The numbers are field numbers of W&B's published messages (wandb_internal.proto of 0.31.0). Only those named here are looked at; a field that a
later W&B adds is passed over. Settings (field 11 of a run) are never read: they hold keys.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from carnet_store.core import canonical
from carnet_store.exchange.importers.scrub import NOT_TAKEN, address, hides, tidy, words
from carnet_store.exchange.importers.things import Keep, Ref, Thing, Unread, metric, number_text, plain
from carnet_store.exchange.importers.wandb_log import Damaged, Record, double, fields, message, signed, text, zigzag

SYSTEM: Final = "wandb"
HISTORY_ROOM: Final = 64 * 1024 * 1024
"""Bytes of one run's history that are kept; points beyond are counted and reported."""
MOST_NAMES: Final = 1_000
"""Parameters, and metrics, of a run that stand in the record; where there are more, all of them are kept as a file too."""
MOST_FILES: Final = 10_000
"""Files of an artifact, or of a run, that are listed."""
NAMED: Final = 20
DEEPEST: Final = 8

_OWN: Final = {"_step", "_timestamp", "_runtime", "_wandb"}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RUN_TEXTS: Final = {2: "entity", 3: "project", 6: "group", 7: "job_type", 8: "name", 9: "notes", 12: "sweep"}
_MACHINE_TEXTS: Final = {1: "os", 2: "python", 4: "docker", 18: "gpu", 25: "cuda"}
_KINDS: Final = {"model": "model", "dataset": "dataset"}


class Run:
    """A run as its records come in."""

    def __init__(self, file: str) -> None:
        """Begin with the name of the file that its records are in."""
        self.file = file
        self.id = self.commit = self.repository = ""
        self.records = 0
        self.texts: dict[str, str] = {}
        self.tags: list[str] = []
        self.machine: dict[str, Any] = {}
        self.command: list[str] = []
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.history = bytearray()
        self.newest: dict[str, tuple[int, str]] = {}
        self.artifacts: list[Thing] = []
        self.edges: dict[tuple[str, Ref], None] = {}
        self.files: dict[str, None] = {}
        self.rows = self.points_left = self.started = self.last = 0
        self.exit: tuple[int, int, bool] | None = None
        self._odd: list[str] = []
        self._odd_count = 0

    @property
    def project(self) -> str:
        """The project; W&B's own word where none was given."""
        return self.texts.get("project") or "uncategorized"

    @property
    def title(self) -> str:
        """What people call it."""
        return self.texts.get("name") or self.id

    @property
    def key(self) -> str:
        """Its id: `[entity/]project/run id`."""
        return "/".join(filter(None, (self.texts.get("entity", ""), self.project, self.id)))

    def resumed(self, file: str) -> Run:
        """Go on in another file: what ended goes on."""
        self.file, self.exit = file, None
        return self

    def add(self, record: Record) -> Run | None:
        """Take in a record; where it begins another run than this, return that one."""
        self.records += 1
        try:
            for number, value in fields(record.data):
                if number == 17:
                    other = self._run(message(value))
                    if other is not None:
                        return other
                elif (taker := _TAKERS.get(number)) is not None:
                    taker(self, message(value))
        except Damaged as error:
            self._note(f"the record at byte {record.offset:,}: {error}")
        return None

    def _note(self, why: str) -> None:
        self._odd_count += 1
        if len(self._odd) < NAMED:
            self._odd.append(why)

    def unread(self) -> Iterator[Unread]:
        """Yield what could not be read of it."""
        for why in self._odd:
            yield Unread(self.file, why)
        if self._odd_count > len(self._odd):
            yield Unread(self.file, f"{self._odd_count - len(self._odd):,} more values or records of it")
        if self.points_left:
            yield Unread(
                self.file,
                f"{self.points_left:,} points of its history are beyond the {HISTORY_ROOM:,} bytes that are kept",
            )

    # -- records, by their field in W&B's Record ----------------------------------------------------------------------

    def _run(self, data: bytes) -> Run | None:
        said = list(fields(data))
        here = {number: text(value) for number, value in said if number in (1, 2, 3)}
        if self.id and here.get(1) and (here[1], here.get(3, "")) != (self.id, self.texts.get("project", "")):
            other = Run(self.file)
            other._run(data)
            return other
        tags = []
        for number, value in said:
            if number == 1:
                self.id = text(value)
            elif number in _RUN_TEXTS and text(value):
                self.texts[_RUN_TEXTS[number]] = text(value)
            elif number == 4:
                self._config(message(value))
            elif number == 5:
                self._summary(message(value))
            elif number == 10:
                tags.append(text(value))
            elif number == 17:
                seconds = {n: signed(v) for n, v in fields(message(value))}
                begun = seconds.get(1, 0) * 1000 + seconds.get(2, 0) // 1_000_000
                self.started = min(filter(None, (self.started, begun)), default=0)
            elif number == 21:
                self._git(message(value))
        self.tags = tags or self.tags
        return None

    def _git(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 1:
                self.repository = address(text(value)) or self.repository
            elif number == 2:
                self.commit = text(value).strip().lower() or self.commit

    def _config(self, data: bytes) -> None:
        self._change(self.config, data)

    def _summary(self, data: bytes) -> None:
        self._change(self.summary, data)

    def _change(self, tree: dict[str, Any], data: bytes) -> None:
        """Carry out updates (1) and removals (2) of a configuration or summary."""
        for number, value in fields(data):
            if number not in (1, 2):
                continue
            path, found = self._item(message(value))
            at = tree
            for step in path[:-1]:
                inner = at.get(step)
                if not isinstance(inner, dict):
                    if number == 2:
                        break
                    inner = at[step] = {}
                at = inner
            else:
                if path and number == 1:
                    at[path[-1]] = found
                elif path:
                    at.pop(path[-1], None)

    def _item(self, data: bytes) -> tuple[list[str], Any]:
        """Return (path, value) of an item; its value stands as JSON (16, or 8) or typed (3 to 7)."""
        key, nested, found = "", [], None
        for number, value in fields(data):
            if number == 1:
                key = text(value)
            elif number == 2:
                nested.append(text(value))
            elif number in (8, 16) and value != b"":
                found = self._json(message(value), nested or [key])
            elif number == 4:
                found = bool(value)
            elif number == 5:
                found = zigzag(value)
            elif number == 6:
                found = double(value)
            elif number == 7:
                found = text(value)
        return (nested or [key] if nested or key else []), found

    def _json(self, data: bytes, path: list[str]) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            self._note(f"the value of {'.'.join(path)[:80]!r} is no JSON that can be read")
            return None

    def _history(self, data: bytes) -> None:
        row: dict[str, Any] = {}
        step = 0
        for number, value in fields(data):
            if number == 1:
                path, found = self._item(message(value))
                at = row
                for part in path[:-1]:
                    inner = at.setdefault(part, {})
                    at = inner if isinstance(inner, dict) else {}
                if path:
                    at[path[-1]] = found
            elif number == 2:
                step = next((signed(v) for n, v in fields(message(value)) if n == 1), 0)
        step = _whole(row.get("_step"), step)
        when = row.get("_timestamp")
        at_ms = round(when * 1000) if isinstance(when, int | float) and 0 < when < 1e12 else 0
        self.rows, self.last = self.rows + 1, max(self.last, at_ms)
        for name, found in _flat(row, []):
            if not _is_number(found):
                continue
            value_text = number_text(found)
            self.newest[name] = (step, value_text)
            line = canonical.encode({"name": name, "step": _small(step), "t": at_ms, "value": value_text}) + b"\n"
            if len(self.history) + len(line) > HISTORY_ROOM or self.points_left:
                self.points_left += 1
            else:
                self.history += line

    def _exit(self, data: bytes) -> None:
        said = {number: signed(value) for number, value in fields(data) if isinstance(value, int)}
        self.exit = (said.get(1, 0), said.get(2, 0), bool(said.get(3, 0)))

    def _environment(self, data: bytes) -> None:
        args, program = [], ""
        for number, value in fields(data):
            if number in _MACHINE_TEXTS and text(value):
                self.machine[_MACHINE_TEXTS[number]] = text(value)
            elif number == 5:
                args.append(text(value))
            elif number == 6:
                program = text(value)
            elif number == 9:
                self._git(message(value))
            elif number == 13:
                self.texts["user"] = text(value)
            elif number == 19:
                self.machine["gpus"] = signed(value)
        if program:
            self.command = words([program, *args])

    def _header(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 1:
                self.texts["producer"] = next((text(v) for n, v in fields(message(value)) if n == 1), "")

    def _listed(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 1 and len(self.files) < MOST_FILES:
                self.files |= {text(v): None for n, v in fields(message(value)) if n == 1}

    def _artifact(self, data: bytes) -> None:
        """Take an artifact that the run logged, or (10) hands in as an input of its own."""
        said: dict[int, Any] = {}
        lists: dict[str, list[str]] = {"aliases": [], "tags": []}
        files: list[dict[str, Any]] = []
        count, elsewhere = 0, ""
        for number, value in fields(data):
            if number in (11, 19):
                lists["aliases" if number == 11 else "tags"].append(text(value))
            elif number == 12:
                for n, v in fields(message(value)):
                    if n == 4 and len(files) < MOST_FILES:
                        files.append(_entry(message(v)))
                    count += n == 4
                    elsewhere = text(v) if n == 5 else elsewhere
            elif number in (4, 5, 6, 7, 8, 10):
                said[number] = value if number == 10 else text(value)
        name, digest = said.get(5, ""), said.get(6, "")
        if not name or not digest:
            self._note(f"an artifact {name[:80]!r} has no {'digest' if name else 'name'}")
            return
        if elsewhere and not files:
            self._note(f"the list of files of artifact {name[:80]!r} lies in another file, which is not read")
        ref = Ref(_KINDS.get(said.get(4, "").lower(), "document"), SYSTEM, f"{name}:{digest}")
        attrs = {
            "type": said.get(4, ""), "description": said.get(7, ""), "reference": {SYSTEM: digest}, **lists, "files": files,
            "files_left_out": count - len(files) or None, "size": sum(file.get("size", 0) for file in files),
            "metadata": plain(tidy(self._json(said[8].encode(), [name, "metadata"]))) if said.get(8) else None,
        }  # fmt: skip
        self._artifact_thing(ref, name, "", attrs, "used" if said.get(10) else "made")

    def _use(self, data: bytes) -> None:
        """Take an artifact that the run used from the server: known by the server's id, its digest is not told."""
        said = {number: text(value) for number, value in fields(data) if number in (1, 2, 3)}
        if not said.get(1):
            self._note("a used artifact has no id")
            return
        name, _, version = said.get(3, "").partition(":")
        ref = Ref(_KINDS.get(said.get(2, "").lower(), "document"), SYSTEM, f"id:{said[1]}")
        attrs = {"type": said.get(2, ""), "reference": {SYSTEM: said[1]}}
        self._artifact_thing(ref, name or said[1], version, attrs, "used")

    def _artifact_thing(self, ref: Ref, name: str, version: str, attrs: dict[str, Any], relation: str) -> None:
        self.edges[relation, ref] = None
        self.artifacts.append(Thing(ref, name, version, plain(_filled(attrs)), where=f"{self.file}: artifact {name}"))

    # -- the things ---------------------------------------------------------------------------------------------------

    @property
    def has_commit(self) -> bool:
        """Whether it names a whole commit."""
        return bool(_COMMIT.fullmatch(self.commit))

    def code(self) -> Thing:
        """Return the commit that it ran from, as the git importer knows it."""
        name = self.repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
        return Thing(
            Ref("code", "git", self.commit), name or self.commit[:12], self.commit[:12] if name else "",
            attrs=_filled({"commit": self.commit, "repository": self.repository}), where=self.file,
        )  # fmt: skip

    def thing(self) -> Thing:
        """Return the run."""
        media: list[dict[str, Any]] = []
        numbers: dict[str, int | float] = {}
        others: dict[str, Any] = {}
        for name, value in _flat(self.summary, media):
            if _is_number(value):
                numbers[name] = value
            elif value is not None and len(others) < MOST_NAMES:
                others[name] = NOT_TAKEN if hides(name, value) else tidy(value)
        params = {name: _param(name, value) for name, value in _flat(self.config) if name.partition(".")[0] not in _OWN}
        metrics = [metric(name, value, step=self._step_of(name, value)) for name, value in numbers.items()]
        if not (numbers or others or media):  # a run that was killed before it had a summary
            metrics = [metric(name, value, step=step) for name, (step, value) in self.newest.items()]
        keep = [Keep("history", "metrics.jsonl", bytes(self.history))] if self.history else []
        if len(params) > MOST_NAMES:
            keep.append(Keep("all_params", "params.json", canonical.encode([[name, params[name]] for name in params])))
        if len(metrics) > MOST_NAMES:
            keep.append(Keep("all_metrics", "metrics.json", canonical.encode(metrics)))
        texts = {
            name: self.texts.get(name, "")
            for name in ("entity", "group", "job_type", "notes", "sweep", "user", "producer")
        }
        attrs = {
            "experiment": self.project, **texts, "tags": self.tags, **self._end(), "started": self.started or None,
            "command": shlex.join(self.command), "environment": self.machine, "commit": self.commit,
            "repository": self.repository, "rows": self.rows or None, "summary": others, "media": media,
            "files": list(self.files),
        }  # fmt: skip
        edges = list(self.edges)
        if self.has_commit:
            edges.append(("used", Ref("code", "git", self.commit)))
        return Thing(
            Ref("run", SYSTEM, self.key), self.title, attrs=plain(_filled(attrs)),
            params=dict(itertools.islice(params.items(), MOST_NAMES)), metrics=metrics[:MOST_NAMES], at=self.started,
            edges=edges, keep=keep, where=self.file,
        )  # fmt: skip

    def _step_of(self, name: str, value: int | float) -> int:
        """Return the step at which a summary's number was logged; 0 where it is no point of the history."""
        step, newest = self.newest.get(name, (0, ""))
        return _small(step) if newest == number_text(value) else 0

    def _end(self) -> dict[str, Any]:
        """Return status, exit code and end. Without an exit record the run was killed, or still writes: the file cannot tell."""
        if self.exit is None:
            return {"status": "UNFINISHED"}
        code, seconds, going = self.exit
        status = "UNFINISHED" if going else "FAILED" if code else "FINISHED"
        ended = max(self.started + seconds * 1000, self.last)  # whole seconds, so the last point may be later
        return {"status": status, "exit_code": code, "ended": ended or None}


_TAKERS: Final[Mapping[int, Callable[[Run, bytes], None]]] = {
    2: Run._history, 3: Run._summary, 5: Run._config, 6: Run._listed, 8: Run._artifact, 18: Run._exit, 21: Run._header, 25: Run._use,
    26: Run._environment,
}  # fmt: skip
"""What of W&B's Record is read beside 17, the run itself; the rest (console output, system load, settings ...) is passed over."""


def _filled(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that say something."""
    return {
        key: value for key, value in attrs.items() if value is not None and value != "" and value != [] and value != {}
    }


def _entry(data: bytes) -> dict[str, Any]:
    """Return a file of an artifact: path, size, md5 of its bytes; for one that lies elsewhere its address and what it is known by there."""
    found: dict[str, Any] = {}
    for number, value in fields(data):
        if number in (1, 2, 3):
            found[("path", "digest", "uri")[number - 1]] = text(value)
        elif number == 4:
            found["size"] = signed(value)
    if found.get("uri"):
        found["uri"] = address(found["uri"])
        return found
    found.pop("uri", None)
    try:
        md5 = base64.b64decode(found.get("digest", ""), validate=True)
    except (binascii.Error, ValueError):
        return found
    if len(md5) == 16:
        del found["digest"]
        found["md5"] = md5.hex()
    return found


def _flat(
    tree: Mapping[str, Any], media: list[dict[str, Any]] | None = None, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield (name with dots, value) of a tree's leaves; what has a `_type` is a picture, table ... of W&B and goes to `media`."""
    for key, value in tree.items():
        name = f"{prefix}{key}".encode("utf-8", "replace").decode()
        if media is not None and name in _OWN:
            continue
        if not isinstance(value, dict) or not value or name.count(".") > DEEPEST:
            yield name, value
        elif media is not None and isinstance(value.get("_type"), str):
            if len(media) < MOST_NAMES:
                known = {
                    part: value[part] for part in ("path", "sha256", "size") if isinstance(value.get(part), str | int)
                }
                media.append({"name": name, "type": value["_type"], **known})
        else:
            yield from _flat(value, media, f"{name}.")


def _param(name: str, value: Any) -> str:
    """Return a parameter as text: strings as they are, all else as JSON spells it."""
    if hides(name.rpartition(".")[2], value):
        return NOT_TAKEN
    if isinstance(value, str):
        return address(value.encode("utf-8", "replace").decode())
    if _is_number(value):
        return number_text(value)
    return json.dumps(tidy(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any, other: int) -> int:
    return int(value) if _is_number(value) and abs(value) < 2**53 and int(value) == value else other


def _small(value: int) -> int:
    return value if abs(value) < 2**53 else 0
