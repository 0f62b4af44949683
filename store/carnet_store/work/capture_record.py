"""Writes a captured run into a project's record, or keeps it aside for one that comes later.

A run and everything beside it are written in one transaction, as one event where they fit. What the record knows already is only linked: the
same bytes, commit or packages are one thing however many runs used them. Kept aside, a run is a folder with `run.json` and its objects;
taken in twice, it is still one run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from carnet_store.core.event import source_entity
from carnet_store.errors import Invalid, NotFound
from carnet_store.storage.acts import Acts, Written
from carnet_store.storage.fact_acts import Fact, sourced
from carnet_store.storage.project import Project
from carnet_store.work.capture import Captured, Kept, Thing

SYSTEM: Final = "carnet"
ONE_BY_ONE: Final = 8
"""Up to so many objects are flushed to the disk each for itself; more at once."""
_FORMAT: Final = "carnet-run/1"
_SAME_BYTES: Final = ("dataset", "model", "document")


def record(acts: Acts, captured: Captured) -> Written:
    """Write a run, what it used and what it made; return what was written, its entity that of the run.

    Raises:
        Refused: I am no member of the project. Invalid, Busy: as every act; nothing was written to the record.
    """
    project = acts.project
    known = _known_bytes(project, captured)
    facts: list[Fact] = []
    keep = list(captured.keep)
    edges: list[tuple[str, str]] = []
    notes = list(captured.attrs.get("notes", ()))
    for thing in captured.things:
        entity = known.get(thing.digests.get("sha256", "")) if thing.kind in _SAME_BYTES else None
        if (
            entity is not None
            and thing.kind == "model"
            and thing.version
            and project.row(entity).title != _title(thing)
        ):
            notes.append(f"{_title(thing)} has the bytes of {project.row(entity).title}, and is recorded as that")
        if thing.kind == "model" and thing.version and entity is None:
            entity, note = _named_model(project, thing)
            notes += [note] if note else []
        if entity is None:
            entity = source_entity(thing.kind, *thing.key)
        if thing.relation:
            edges.append((thing.relation, entity))
        if project.row(entity).last or entity in {fact.entity for fact in facts}:
            continue
        attrs = {**thing.attrs, **_references(thing.keep)}
        origin = [("from", source_entity(*thing.origin))] if thing.origin else []
        facts.append(sourced(thing.kind, *thing.key, name=_clean(thing.name), version=_clean(thing.version), attrs=plain(attrs),
                             digests=thing.digests, edges=origin))  # fmt: skip
        keep += thing.keep
    used = {entity for relation, entity in edges if relation == "used"}
    edges = [edge for edge in edges if edge[0] == "used" or edge[1] not in used]
    attrs = {
        **captured.attrs,
        "command": shlex.join(map(str, captured.attrs.get("argv", ()))),
        **_references(captured.keep),
    }
    attrs["notes"] = notes
    for name, count in (("redacted", captured.redacted), ("hash_ms", captured.hash_ms)):
        if count:
            attrs[name] = count
    run = sourced("run", SYSTEM, captured.key, name=_clean(captured.name), attrs=plain({k: v for k, v in attrs.items() if v != []}),
                  params=plain(captured.params), metrics=plain(captured.metrics), at=captured.at, edges=edges)  # fmt: skip
    _put(project, keep)
    written = acts.record([*facts, run], lambda _: f"recorded run {captured.name}")
    return replace(written, entity=run.entity)


def _title(thing: Thing) -> str:
    return f"{thing.name}@{thing.version}" if thing.version else thing.name


def _known_bytes(project: Project, captured: Captured) -> dict[str, str]:
    """Return the entities whose SHA-256 is that of something the run read or made, however they were declared."""
    wanted = {
        thing.digests["sha256"]: thing
        for thing in captured.things
        if thing.kind in _SAME_BYTES and "sha256" in thing.digests
    }
    found: dict[str, str] = {}
    for sha256, thing in wanted.items():
        for kind in (thing.kind, *_SAME_BYTES):
            entity = source_entity(kind, thing.key[0], sha256)
            if sha256 not in found and project.row(entity).last:
                found[sha256] = entity
    for sha256, entities in project.of_bytes(set(wanted) - set(found), *_SAME_BYTES).items():
        kind = wanted[sha256].kind
        found[sha256] = next((one for one in entities if one.startswith(f"{kind}:")), entities[0])
    return found


def _named_model(project: Project, thing: Thing) -> tuple[str | None, str]:
    """Return the model version of that name which is declared already, and a note where it cannot be this one."""
    rows = [row for row in project.entities("model", text=_title(thing)) if row.title == _title(thing)]
    if not rows:
        return None, ""
    node = project.node(rows[0].id)
    if node is not None and node.digests.get("sha256", thing.digests["sha256"]) == thing.digests["sha256"]:
        return rows[0].id, ""
    title = _title(thing)
    thing.name, thing.version = str(thing.attrs.get("path", thing.name)), ""
    return (
        None,
        f"{title} is declared already with other bytes: this one is recorded as {thing.name}, without a version",
    )


def _references(rows: list[Kept]) -> dict[str, Any]:
    return {one.name: {"path": one.path, "sha256": one.sha256, "size": one.size} for one in rows if one.name}


def _put(project: Project, rows: list[Kept]) -> None:
    blobs = {one.sha256: one.data for one in rows if one.data is not None}
    if len(blobs) <= ONE_BY_ONE:
        for data in blobs.values():
            project.objects.put(data)
    else:
        project.objects.put_many(iter(blobs.values()))
    for one in rows:
        if one.file is not None and not project.objects.has(one.sha256):
            with one.file.open("rb") as handle:
                project.objects.put_stream(handle, expect=one.sha256)


# -- what a ledger can hold ----------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return JSON as a ledger holds it: text without lone surrogates, keys ASCII, no fractions, whole numbers below 2^53."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {
            _clean(str(key)).encode("ascii", "backslashreplace").decode(): plain(inner) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value)


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# -- kept aside ----------------------------------------------------------------------------------------------------------


def aside_folder(environ: Mapping[str, str]) -> Path:
    """Return where runs wait that no project has taken in: beside the keys where `CARNET_CONFIG` names their folder, else with the user's data."""
    if environ.get("CARNET_CONFIG", "").strip():
        return Path(environ["CARNET_CONFIG"].strip()).expanduser().absolute() / "runs"
    from platformdirs import user_data_path

    return user_data_path("carnet", appauthor=False) / "runs"


def keep_aside(folder: Path, captured: Captured) -> Path:
    """Keep a run until a project takes it in; return its folder, which appears whole or not at all.

    Raises:
        Invalid: the folder cannot be written.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(captured.at // 1000))
    place = folder / f"{stamp}-{captured.key[:8]}"
    part = folder / f".{place.name}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.mkdir(mode=0o700)
        (part / "objects").mkdir(mode=0o700)
        for one in _all_kept(captured):
            target = part / "objects" / one.sha256
            if one.data is not None:
                target.write_bytes(one.data)
            elif one.file is not None:
                shutil.copyfile(one.file, target)
            if target.exists():
                target.chmod(0o600)
        value = {"format": _FORMAT, **dataclasses.asdict(_without_bytes(captured))}
        text = json.dumps(value, default=str).encode("utf-8", "backslashreplace")
        with os.fdopen(os.open(part / "run.json", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(place)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise Invalid(
            f"the run could not be kept in {folder}: {error.strerror or error}", "name a project: carnet init"
        ) from None
    return place


def kept_aside(folder: Path) -> list[Path]:
    """Return the folders of the runs that wait, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and (path / "run.json").is_file())


def load_aside(place: Path, root: Path | None = None) -> Captured:
    """Return a run that was kept aside; where it ran below `root`, its folder is written relative to that.

    Raises:
        NotFound, Invalid: it is not there, or was not written by this Carnet.
    """
    try:
        value = json.loads((place / "run.json").read_bytes())
        if not isinstance(value, dict) or value.pop("format", "") != _FORMAT:
            raise ValueError("another format")
        things = [
            Thing(**{**row, "key": tuple(row["key"]), "origin": tuple(row["origin"]) if row["origin"] else None,
                     "keep": _loaded(place, row["keep"])})
            for row in value.pop("things")
        ]  # fmt: skip
        captured = Captured(**{**value, "things": things, "keep": _loaded(place, value["keep"])})
    except FileNotFoundError:
        raise NotFound(f"there is no run in {place}") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Invalid(f"{place} cannot be read: {error}", "remove the folder, if it is not needed") from None
    cwd = Path(str(captured.attrs.get("cwd", "")))
    if root is not None and cwd.is_absolute() and cwd.is_relative_to(root):
        captured.attrs["cwd"] = cwd.relative_to(root).as_posix()
    return captured


def _all_kept(captured: Captured) -> Iterator[Kept]:
    yield from captured.keep
    for thing in captured.things:
        yield from thing.keep


def _without_bytes(captured: Captured) -> Captured:
    def bare(rows: list[Kept]) -> list[Kept]:
        return [replace(one, data=None, file=None) for one in rows]

    things = [replace(thing, keep=bare(thing.keep)) for thing in captured.things]
    return replace(captured, things=things, keep=bare(captured.keep))


def _loaded(place: Path, rows: Any) -> list[Kept]:
    found = []
    for row in rows:
        one = Kept(**row)
        path = place / "objects" / os.path.basename(one.sha256)  # noqa: PTH119 (a name, not a way)
        if path.is_file():
            one.file = path
            found.append(one)
    return found
