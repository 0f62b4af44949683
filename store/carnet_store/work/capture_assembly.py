"""Puts together what a run was, once it has ended: things with digests, parameters, metrics, environment, and notes of what is missing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import CarnetError
from carnet_store.work import capture_code, capture_environment, capture_files
from carnet_store.work import capture_values as values
from carnet_store.work.capture import (
    KEPT_FILE,
    KEPT_IN_ALL,
    LISTED_AT_MOST,
    LONG_TEXT,
    METRICS_AT_MOST,
    NOTES_AT_MOST,
    OUTPUTS_AT_MOST,
    OWN_WORD,
    PARAMS_AT_MOST,
    PARAMS_TEXT,
    Captured,
    Kept,
    Run,
    Thing,
    default_name,
    new_key,
)
from carnet_store.work.capture_child import Ended
from carnet_store.work.capture_code import Code
from carnet_store.work.capture_environment import Interpreter, Told
from carnet_store.work.capture_files import Content, kind_of, listing, shortened

INTERPRETERS_AT_MOST: Final = 5
ROWS_TEXT: Final = 80_000
"""Bytes that a list of files takes in an event."""


class Assembly:
    """One run that has ended."""

    def __init__(self, run: Run, ended: Ended) -> None:
        """Put together what `run` was, which `ended`."""
        self._run = run
        self._ended = ended
        self._asked = run.asked
        self._notes = run.notes
        self._room = KEPT_IN_ALL
        self._things: list[Thing] = []
        self._keep: list[Kept] = []
        self._attrs: dict[str, Any] = {}

    def captured(self) -> Captured:
        """Return what the run was."""
        told = self._told()
        self._how_it_ended()
        self._environment(told)
        own = self._own_word()
        self._code(told)
        inputs = self._files(self._inputs(), "used", "inputs")
        self._outputs({thing.key for thing in inputs})
        self._seeds(told, own)
        params = self._params(own)
        metrics = self._metrics(own)
        if self._notes:
            self._attrs["notes"] = [note[:1000] for note in self._notes[:NOTES_AT_MOST]]
        name = self._asked.name or default_name(self._asked.argv, self._run.started)
        return Captured(
            new_key(), name, self._run.started, self._ended.code, self._ended.status, self._attrs, params, metrics, self._things,
            self._keep, list(self._notes), round(self._run.reading.seconds * 1000),
        )  # fmt: skip

    # -- the run itself ------------------------------------------------------------------------------------------------

    def _how_it_ended(self) -> None:
        ended, asked = self._ended, self._asked
        milliseconds = round(ended.seconds * 1000)
        argv: list[str] = list(asked.argv)
        if sum(map(len, argv)) > LONG_TEXT * 4:
            whole = "".join(f"{word}\n" for word in argv).encode("utf-8", "backslashreplace")
            self._keep_bytes(self._keep, "argv_whole", "argv.txt", whole)
            argv = [word if len(word) <= 400 else f"{word[:200]}… ({len(word):,} characters)" for word in argv[:100]]
            self._notes.append(
                "the command line is long: what stands in the record is its beginning, the whole is kept as argv.txt"
            )
        cwd = asked.folder.as_posix()
        if asked.root is not None and asked.folder.is_relative_to(asked.root):
            cwd = asked.folder.relative_to(asked.root).as_posix()
        self._attrs |= {
            "argv": argv, "cwd": cwd, "status": ended.status, "exit_code": ended.code, "started": self._run.started,
            "ended": self._run.started + milliseconds, "seconds": f"{milliseconds / 1000:.3f}",
        }  # fmt: skip
        for key, given in (("signal", ended.signal), ("signals_received", list(ended.told))):
            if given:
                self._attrs[key] = given
        if ended.cpu_ms >= 0:
            self._attrs |= {"cpu_seconds": f"{ended.cpu_ms / 1000:.3f}", "max_memory_kib": ended.max_rss}
        variables = capture_environment.chosen(asked.environ, asked.env)
        if variables:
            long = [name for name, text in variables.items() if len(text) > LONG_TEXT]
            self._attrs["env"] = {values.name_of(name): text[:LONG_TEXT] for name, text in list(variables.items())[:50]}
            if long or len(variables) > 50:
                self._notes.append(
                    f"variables that are many or long are cut: {shortened(long or list(variables)[50:])}"
                )
        absent = [name for name in asked.env if name not in asked.environ]
        if absent:
            self._notes.append(f"variables that were not set: {', '.join(absent)}")
        self._attrs["machine"] = dict(self._run.read["machine"])

    def _told(self) -> Told:
        if self._run.report is None:
            self._attrs["probe"] = "off"
            return Told()
        told = capture_environment.read_told(self._run.report, self._run.child.pid)
        if told.unread:
            self._notes.append(f"{told.unread} lines of the probe could not be read")
        if told.start and not told.end:
            self._notes.append(
                "the interpreter ended without a word (killed, or os._exit): generators, threads and flags at its end are unknown"
            )
        self._attrs["probe"] = "told" if told.end else "cut off" if told.start else "silent"
        if told.processes > 1:
            self._attrs["interpreters"] = told.processes
        return told

    def _environment(self, told: Told) -> None:
        """Add the environment of each interpreter that took part; the same packages are one."""
        took_part = told.interpreters()
        for one in took_part[:INTERPRETERS_AT_MOST]:
            thing = self._environment_of(one)
            if all(thing.key != other.key for other in self._things):
                self._things.append(thing)
        if took_part:
            self._attrs["interpreter"] = took_part[0].executable
        if len(took_part) > 1:
            names = shortened([one.executable for one in took_part])
            self._notes.append(f"{len(took_part)} interpreters took part, each with packages of its own: {names}")

    def _environment_of(self, one: Interpreter) -> Thing:
        found = capture_environment.packages(one.version, one.implementation, one.path)
        data = found.text.encode("utf-8", "backslashreplace")
        digest = hashlib.sha256(data).hexdigest()
        packages = {values.name_of(name): version for name, version in list(found.versions.items())[:3_000]}
        thing = Thing(
            "environment", ("packages", digest), f"{one.implementation}-{one.version}", digest[:12], relation="used",
            attrs={"format": "installed", "python": one.version, "implementation": one.implementation, "packages": packages,
                   "hashed": 0, "pinned": True},
            digests={"sha256": digest},
        )  # fmt: skip
        if found.origins:
            thing.attrs["sources"] = {
                values.name_of(name): origin for name, origin in list(found.origins.items())[:200]
            }
        self._keep_bytes(thing.keep, "lock", "requirements.txt", data)
        return thing

    def _seeds(self, told: Told, own: Mapping[str, Any]) -> None:
        seeds, places = capture_environment.seeds(told, self._asked.folder)
        if isinstance(own.get("seeds"), dict):
            for name, value in values.params_of(own["seeds"]).items():
                seeds[name], places[name] = value, OWN_WORD
        for key, found in (
            ("seeds", seeds),
            ("seeds_set_where", places),
            ("controls", capture_environment.controls(told, self._asked.environ)),
        ):
            if found:
                self._attrs[key] = {values.name_of(name): value for name, value in found.items()}

    # -- code ----------------------------------------------------------------------------------------------------------

    def _code(self, told: Told) -> None:
        """Add the commit and what differs from it; where there is none, the script's own files by their digests."""
        code: Code | None = self._run.read["code"]
        scripts = [
            path
            for path in capture_files.named_in(("", *self._asked.argv), self._asked.folder)
            if kind_of(path.name) == "code"
        ]
        if code is not None:
            self._notes += code.notes
        if code is not None and code.commit:
            ran = list(dict.fromkeys([*scripts, *told.modules()]))
            known = capture_code.tracked(code.tops or [code.top], ran, self._asked.environ) if ran else set()
            own = [path for path in ran if path not in known]
            ignored = [self._run.reading.name(path) for path in own if path.is_relative_to(code.top)]
            self._attrs["code"] = {
                "commit": code.commit,
                "dirty": code.dirty or bool(ignored),
                **({"folder": code.inside} if code.inside else {}),
            }
            if ignored:
                self._notes.append(f"code that ran and that git does not know: {shortened(ignored)}")
            self._commit(code)
            self._own_code(own, "not in git")
            return
        state = "no git" if code is None else "unknown" if code.trouble else "no commit"
        self._attrs["code"] = {"dirty": state}
        self._own_code(list(dict.fromkeys([*scripts, *told.modules()])), state)

    def _commit(self, code: Code) -> None:
        where = {name: text for name, text in (("repository", code.remote), ("branch", code.branch)) if text}
        commit = Thing(
            "code", ("git", code.commit), code.name, code.commit[:12], {"commit": code.commit, **where},
            relation="" if code.sha256 else "used",
        )  # fmt: skip
        if not code.sha256:
            commit.attrs["dirty"] = code.dirty
        self._things.append(commit)
        if not code.sha256:
            return
        changed = Thing(
            "code", ("git", code.key), code.name, f"{code.commit[:12]}+{code.sha256[:12]}", {"commit": code.commit, "dirty": True, **where},
            relation="used", origin=("code", "git", code.commit),
        )  # fmt: skip
        if code.untracked:
            changed.attrs |= _fitting("untracked", code.untracked, code.untracked_count)
        if code.large:
            changed.attrs |= _fitting("large", code.large, len(code.large))
        if code.text:
            changed.keep.append(Kept("patch", "changes.patch", code.sha256, code.size, code.text))
        else:
            changed.attrs["patch_left_out"] = {"size": code.size, "digests": {"sha256": code.sha256}}
        for path, data in code.kept:
            self._keep_bytes(changed.keep, "", path, data)
        self._things.append(changed)

    def _own_code(self, paths: list[Path], state: str) -> None:
        rows = []
        kept: list[Kept] = []
        for path in paths[:LISTED_AT_MOST]:
            found = self._run.reading.read(path)
            if found is None:
                continue
            rows.append((found.path, found.sha256))
            if (known := capture_files.stamp(path)) is not None and known[1] >= self._run.begun:
                self._notes.append(
                    f"{found.path} was written to after the run began: its digest may not be of what ran"
                )
            self._keep_file(kept, "", found, None)
        if len(paths) > LISTED_AT_MOST:
            self._notes.append(f"only the first {LISTED_AT_MOST} of {len(paths)} source files are recorded")
        if not rows:
            return
        rows.sort()
        text = listing(rows)
        digest = hashlib.sha256(text).hexdigest()
        first = next(
            (word for word, _ in rows if Path(word).name in {Path(one).name for one in self._asked.argv}), rows[0][0]
        )
        thing = Thing(
            "code", ("files", digest), Path(first).name, digest[:12],
            {"dirty": state, **_fitting("files", [{"path": path, "digests": {"sha256": digest}} for path, digest in rows], len(rows))},
            digests={"sha256": digest}, relation="used", keep=kept,
        )  # fmt: skip
        self._keep_bytes(thing.keep, "listing", "files.sha256", text)
        self._things.append(thing)

    # -- files ---------------------------------------------------------------------------------------------------------

    def _inputs(self) -> list[Content]:
        found = self._run.inputs()
        return found if self._asked.inputs else [one for one in found if kind_of(one.path) != "code"]

    def _outputs(self, used: set[tuple[str, str]]) -> None:
        run = self._run
        declared = run.outputs()
        contents: list[Content] = []
        for path in declared:
            name = run.reading.name(path)
            if not path.exists():
                self._notes.append(f"{name} was not written")
            elif not run.is_new(path):
                self._notes.append(
                    f"{name} was there before, and the run did not write to it: it is not recorded as made"
                )
            elif (found := run.reading.read(path)) is not None:
                contents.append(found)
                contents += self._models_inside(found)
        if not self._asked.outputs:
            contents += self._found_outputs({one.where for one in contents} | set(declared))
        self._files(contents, "made", "outputs", used)

    def _models_inside(self, folder: Content) -> Iterator[Content]:
        """Yield the models in a folder as files of their own; those named with --model come by themselves."""
        for inside, sha256, size in folder.files:
            path = folder.where / inside
            if kind_of(inside) == "model" and path not in self._run.models:
                yield Content(f"{folder.path}/{inside}", path, sha256, size)

    def _found_outputs(self, known: set[Path]) -> list[Content]:
        """Return the files below the folder that came to be while it ran, without those that tell of the run itself."""
        run, folder = self._run, self._asked.folder
        before = run.scene
        if before is None:
            return []
        after = capture_files.look(folder) if before.whole else before
        if not after.whole:
            self._notes.append(
                f"there are over {capture_files.FILES_AT_MOST:,} files below {folder.name}: what the run wrote was not looked for; name it with --out"
            )
            return []
        own = {folder / OWN_WORD, run.report, *(Path(os.path.normpath(folder / path)) for path in self._asked.metrics)}
        found, edited = [], []
        for name in sorted(capture_files.written(before, after, run.begun)):
            path = folder / name
            if path in known or path in own or run.reading.is_private(path):
                continue
            if capture_files.takes_our_words(path):
                self._notes.append(f"{name} takes what Carnet says too, and still grows: it is not recorded as made")
                continue
            if kind_of(name) == "code" and name in before.stamps:
                edited.append(name)
                continue
            found.append(path)
        if edited:
            self._notes.append(f"source files that somebody changed while the run went on: {shortened(edited)}")
        contents = [one for path in found if (one := run.reading.read(path)) is not None]
        if len(contents) <= OUTPUTS_AT_MOST:
            return contents
        models = [one for one in contents if kind_of(one.path) == "model"][:OUTPUTS_AT_MOST]
        apart = {one.where for one in models}
        rows = tuple((one.path, one.sha256, one.size) for one in contents if one.where not in apart)
        text = listing((path, sha256) for path, sha256, _ in rows)
        size = sum(one for _, _, one in rows)
        self._notes.append(
            f"{len(rows):,} files were written: they are recorded as one list; name what matters with --out"
        )
        return [*models, Content("outputs", folder, hashlib.sha256(text).hexdigest(), size, True, text, rows)]

    def _files(
        self, contents: list[Content], relation: str, attribute: str, used: set[tuple[str, str]] | None = None
    ) -> list[Thing]:
        """Add files and folders as things; the same bytes twice are one."""
        rows: list[dict[str, Any]] = []
        things: list[Thing] = []
        empty = []
        for one in contents:
            if not one.size and one.where not in self._run.models:
                empty.append(one.path)  # all that is empty has the same digest, and nothing to do with each other
                rows.append({"path": one.path, "kind": kind_of(one.path), "size": 0, "digests": {"sha256": one.sha256}})
                continue
            thing = self._file(one, relation)
            row: dict[str, Any] = {
                "path": one.path,
                "kind": thing.kind,
                "size": one.size,
                "digests": {"sha256": one.sha256},
            }
            if one.is_folder:
                row["files"] = len(one.files)
            if one.changed:
                row["changed"] = True
            rows.append(row)
            if used and thing.key in used:
                self._notes.append(
                    f"{one.path} was written with the very bytes that the run read: it is not recorded as made"
                )
            elif all(thing.key != other.key for other in things):
                things.append(thing)
        if empty:
            self._notes.append(
                f"empty, and so no {'data' if relation == 'used' else 'results'} of their own: {shortened(empty)}"
            )
        if rows:
            self._attrs |= _fitting(attribute, rows, len(rows))
        self._things += things
        return things

    def _file(self, one: Content, relation: str) -> Thing:
        attrs: dict[str, Any] = {"path": one.path, "size": one.size}
        if one.is_folder:
            thing = Thing("dataset", ("files", one.sha256), one.path, "", attrs, {"sha256": one.sha256}, relation)
            attrs["files"] = len(one.files)
            self._keep_bytes(thing.keep, "listing", "files.sha256", one.listing)
            if relation == "made":
                for inside, sha256, size in one.files[:LISTED_AT_MOST]:
                    self._keep_file(thing.keep, "", Content(inside, one.where / inside, sha256, size), self._asked.keep)
            return thing
        kind = kind_of(one.path)
        name, version = self._run.models.get(one.where, ("", ""))
        if name:
            kind = "model"
        elif kind == "code" and relation == "made":
            kind = "document"
        thing = Thing(
            kind, ("file", one.sha256), name or _short_name(one.path), version, attrs, {"sha256": one.sha256}, relation
        )
        if relation == "made":
            self._keep_file(thing.keep, "file", one, self._asked.keep)
        return thing

    def _keep_file(self, to: list[Kept], name: str, one: Content, keep: bool | None) -> None:
        """Keep a file's bytes where they are few, or where it was said to; the digest must still be that of the file."""
        if keep is False or (keep is None and (one.size > KEPT_FILE or one.size > self._room)):
            return
        if keep is None:
            self._room -= one.size
        if one.size > KEPT_FILE:
            to.append(Kept(name, one.path, one.sha256, one.size, file=one.where))
            return
        try:
            data = one.where.read_bytes()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() == one.sha256:
            to.append(Kept(name, one.path, one.sha256, one.size, data))
        else:
            self._notes.append(f"{one.path} changed while it was read: its bytes are not kept")

    @staticmethod
    def _keep_bytes(to: list[Kept], name: str, path: str, data: bytes) -> None:
        to.append(Kept(name, path, hashlib.sha256(data).hexdigest(), len(data), data))

    # -- figures -------------------------------------------------------------------------------------------------------

    def _own_word(self) -> dict[str, Any]:
        path = self._asked.folder / OWN_WORD
        if not path.is_file():
            return {}
        if not self._run.is_new(path):
            self._notes.append(f"{OWN_WORD} is from before the run: it was not read")
            return {}
        try:
            return values.own_word(path)
        except CarnetError as error:
            self._notes.append(error.message)
            return {}

    def _params(self, own: Mapping[str, Any]) -> dict[str, str]:
        sources = self._run.given_params()
        try:
            sources.append(values.params_of(own.get("params", {})))
        except ValueError as error:
            self._notes.append(f"the params of {OWN_WORD} cannot be read: {error}")
        found = values.joined(sources)
        taken: dict[str, str] = {}
        room = PARAMS_TEXT
        for name, text in found.items():
            short = text if len(text) <= LONG_TEXT else f"{text[:200]}… ({len(text):,} characters)"
            room -= len(name) + len(short) + 8
            if len(taken) == PARAMS_AT_MOST or room < 0:
                break
            taken[values.name_of(name)[:200]] = short
        if len(taken) < len(found) or any(len(text) > LONG_TEXT for text in found.values()):
            import json

            data = json.dumps(found, ensure_ascii=False, indent=0, sort_keys=True).encode("utf-8", "backslashreplace")
            self._keep_bytes(self._keep, "params_whole", "params.json", data)
            self._notes.append(
                f"{len(found):,} parameters are many or long: all of them are kept as params.json, {len(taken):,} stand in the record"
            )
        return taken

    def _metrics(self, own: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = values.Metrics()
        for path in self._asked.metrics:
            whole = Path(os.path.normpath(self._asked.folder / path))
            try:
                if whole.exists() and not self._run.is_new(whole):
                    self._notes.append(f"{path} is from before the run: its metrics were not read")
                    continue
                one = values.metrics_file(
                    whole, self._run.history_before(whole), ended=self._ended.status == "finished"
                )
                found.join(one)
                if one.unread:
                    self._notes.append(f"{path}: {shortened(one.unread)}; the other lines were read")
                if one.added:
                    self._notes.append(f"{path} was there before: only what the run added to it was read")
            except CarnetError as error:
                self._notes.append(error.message)
        try:
            found.join(values.metrics_of(own.get("metrics", {})))
        except ValueError as error:
            self._notes.append(f"the metrics of {OWN_WORD} cannot be read: {error}")
        if found.strange:
            self._notes.append(f"no numbers, and so no metrics: {shortened(found.strange)}")
        if history := found.history_lines():
            self._keep_bytes(self._keep, "metrics_history", "metrics.jsonl", history)
        rows = found.rows()
        if len(rows) > METRICS_AT_MOST:
            self._notes.append(f"{len(rows):,} metrics: the first {METRICS_AT_MOST:,} are recorded")
        return rows[:METRICS_AT_MOST]


def _fitting(name: str, rows: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """Return an attribute with as many rows as an event has room for, and where that is not all their count."""
    taken: list[dict[str, Any]] = []
    room = ROWS_TEXT
    for row in rows[:LISTED_AT_MOST]:
        room -= len(str(row).encode("utf-8", "backslashreplace"))
        if room < 0:
            break
        taken.append(row)
    return {name: taken} if len(taken) == count else {name: taken, f"{name}_count": count}


def _short_name(path: str) -> str:
    """Return a file's path where it lies below the folder, else its last part."""
    return Path(path).name if path.startswith(("/", "../")) or ":" in path[:3] else path
