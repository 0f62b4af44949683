"""Rows of MLflow as things with provenance: runs, datasets, models, versions, prompts, environments, commits.

Rules: ids are MLflow's own, so that two imports of one store, a moved one too, meet; an edge stands on the run; what MLflow calls a digest is a
`reference`, and only bytes read here are digested; a figure is taken as it stands, never made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from carnet_store.exchange.importers.files import redacted, short, sound
from carnet_store.exchange.importers.mlflow_artifacts import Artifacts
from carnet_store.exchange.importers.mlflow_rows import (
    CONTEXT,
    DatasetRow,
    ModelRow,
    Problems,
    Row,
    RunRow,
    VersionRow,
    latest,
    parsed,
)
from carnet_store.exchange.importers.scrub import NOT_TAKEN, address, hides, tidy
from carnet_store.exchange.importers.things import LONG_TEXT, Keep, Ref, Thing, Unread, metric, number_text, plain

if TYPE_CHECKING:
    from pathlib import Path

    from carnet_store.exchange.importers.mlflow_rows import Use

LONGEST_NAME: Final = 300
MOST_COLUMNS: Final = 50
DELETED: Final = "Deleted_Internal"
REDACTED: Final = "REDACTED-"
PARENT: Final = "mlflow.parentRunId"
NOTE: Final = "mlflow.note.content"
COMMIT: Final = "mlflow.source.git.commit"
LOGGED: Final = "mlflow.log-model.history"
PROMPTS: Final = "mlflow.linkedPrompts"
PROMPT_TEXT: Final = "mlflow.prompt.text"
_TOLD: Final = frozenset(
    {
        PARENT,
        NOTE,
        "mlflow.user",
        "mlflow.source.name",
        "mlflow.source.git.branch",
        "mlflow.source.git.repoURL",
        "mlflow.runName",
    }
)
"""Tags that stand as attributes of their own."""
_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LOGGED_MODEL: Final = re.compile(r"models:/(m-[0-9A-Za-z-]{1,64})(?:/.*)?")
_REGISTERED: Final = re.compile(r"models:/([^/]{1,300})/([0-9]{1,16})")
_OF_RUN: Final = re.compile(r"runs:/([^/]{1,64})/(.+)", re.DOTALL)


class Mapper:
    """Makes things of the rows of one store. Versions and models come first, for the runs' edges; `finish` gives what is left at the end."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._versions: dict[str, list[VersionRow]] = {}
        self._known: dict[tuple[str, str, str], VersionRow] = {}
        self._made: dict[str, list[Ref]] = {}
        self._needed: dict[str, list[Ref]] = {}
        self._environments: set[Ref] = set()
        self._code: dict[str, Thing] = {}

    def things(self, row: Row) -> Iterator[Thing | Unread]:
        """Yield what a row holds, and what of it could not be read."""
        if isinstance(row, RunRow | ModelRow) and not _ID.fullmatch(row.id):
            yield Unread(short(row.where), f"what stands as its id can be none: {short(row.id, 60)!a}")
        elif isinstance(row, RunRow):
            yield from self._run(row)
        elif isinstance(row, ModelRow):
            yield from self._model(row)
        elif isinstance(row, DatasetRow):
            yield self._dataset(row)
        else:
            run = "" if row.run.startswith(REDACTED) else row.run
            self._versions.setdefault(run, []).append(row)
            self._known[(_space(row.workspace), row.name, row.version)] = row
        yield from row.problems.take(row.where)

    def finish(self) -> Iterator[Thing | Unread]:
        """Yield the versions that no run here made, and the commits."""
        for versions in self._versions.values():
            for row in versions:
                yield from self._version(row, None, {})
                yield from row.problems.take(row.where)
        self._versions.clear()
        for code in self._code.values():
            name = str(code.attrs.get("repository", "")).rstrip("/").rpartition("/")[2].removesuffix(".git")
            code.name, code.version = (short(name, LONGEST_NAME), code.name) if name else (code.name, "")
            yield code
        self._code.clear()

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _run(self, row: RunRow) -> Iterator[Thing | Unread]:
        thing = _thing(
            Ref("run", "mlflow", row.id), row.name or row.tags.get("mlflow.runName", "") or row.id, row.where
        )
        thing.at, thing.params, thing.attrs = row.started, _texts(row.params), self._run_attrs(row)
        thing.metrics = [metric(sound(name), value, step=step) for name, (value, step) in sorted(row.newest.items())]
        if row.history is not None and (data := row.history.data()):
            thing.keep.append(Keep("history", "metrics.jsonl", data))
        made = self._made.pop(row.id, [])
        made += [ref for one in row.made if (ref := _logged(one)) not in made]
        needed = self._needed.pop(row.id, [])
        paths: dict[str, Ref] = {}
        for model, environment in self._models_of(row, paths):
            yield from self._new(environment)
            yield model
            made.append(model.ref)
            needed += [environment.ref] if environment is not None else []
        for version in self._versions.pop(row.id, []):
            yield from self._version(version, row, paths)
            yield from version.problems.take(version.where)
            needed += self._needed.pop(row.id, [])
            made.append(_version_ref(version))
        used = [_dataset_ref(use.name, use.digest) for use in row.data]
        # A run that made a model and measured it names the model as its input, too.
        used += [ref for one in row.used if (ref := _logged(one)) not in made]
        used += [*self._prompts(row), *needed, *self._commit(row, thing.attrs)]
        parent = row.tags.get(PARENT, "")
        thing.edges = [
            *(("used", ref) for ref in dict.fromkeys(used)),
            *(("made", ref) for ref in dict.fromkeys(made)),
            *([("from", Ref("run", "mlflow", parent))] if parent not in ("", row.id) else []),
        ]
        yield thing

    def _run_attrs(self, row: RunRow) -> dict[str, Any]:
        tags = row.tags
        attrs = _filled(
            experiment=row.experiment, experiment_id=row.experiment_id, status=row.status, lifecycle=row.lifecycle,
            user=row.user or tags.get("mlflow.user", ""), started=row.started, ended=row.ended,
            source_name=address(tags.get("mlflow.source.name", "") or row.source_name), parent=tags.get(PARENT, ""),
            branch=tags.get("mlflow.source.git.branch", ""), description=tags.get(NOTE, ""), uri=address(row.uri),
            workspace=_space(row.workspace),
        )  # fmt: skip
        told = _TOLD | {LOGGED} if isinstance(parsed(tags.get(LOGGED, "")), list) else _TOLD
        if rest := {name: text for name, text in tags.items() if name not in told}:
            attrs["tags"] = _texts(rest)
        titles = _titles(row)
        if any(use.tags.get(CONTEXT) for use in row.data):
            attrs["data"] = {title: context for title, use in titles if (context := _context(title, titles))}
        if more := {
            title: rest for title, use in titles if (rest := {k: v for k, v in use.tags.items() if k != CONTEXT})
        }:
            attrs["data_tags"] = more
        if (folder := self._artifacts.folder(row.uri, row.id) if row.uri else None) is not None:
            entries, total = self._artifacts.listing(folder, row.problems)
            if entries:
                attrs["artifacts"] = [{"path": entry.path, "size": entry.size} for entry in entries]
            if total > len(entries):
                attrs["artifacts_total"] = total
        return plain(attrs)  # type: ignore[no-any-return]

    def _commit(self, row: RunRow, attrs: dict[str, Any]) -> list[Ref]:
        """Return the run's commit; what is none stays among the tags."""
        commit = row.tags.get(COMMIT, "") or row.source_version
        if not _COMMIT.fullmatch(commit):
            return []
        if (tags := attrs.get("tags")) and tags.pop(COMMIT, None) is not None and not tags:
            del attrs["tags"]
        code = self._code.get(commit)
        if code is None:
            code = self._code[commit] = Thing(
                Ref("code", "git", commit), commit[:12], attrs={"commit": commit}, where=row.where
            )
        for name, tag in (("branch", "mlflow.source.git.branch"), ("repository", "mlflow.source.git.repoURL")):
            if said := row.tags.get(tag):
                code.attrs.setdefault(name, redacted(sound(said)))
        return [code.ref]

    def _prompts(self, row: RunRow) -> Iterator[Ref]:
        said = parsed(row.tags.get(PROMPTS, ""))
        for one in said if isinstance(said, list) else ():
            if isinstance(one, dict):
                known = self._known.get((_space(row.workspace), str(one.get("name")), str(one.get("version"))))
                if known is not None:
                    yield _version_ref(known)

    # --- models -------------------------------------------------------------------------------------------------------

    def _model(self, row: ModelRow) -> Iterator[Thing | Unread]:
        thing = _thing(_logged(row.id), row.name or row.id, row.where, row.id[:10])
        thing.at, thing.params = row.created, _texts(row.params)
        points = latest(row.points)
        thing.metrics = [metric(sound(one.name), one.value, split=sound(one.dataset), step=one.step) for one in points]
        thing.attrs = _filled(
            model_id=row.id, experiment=row.experiment, experiment_id=row.experiment_id, run=row.run, status=row.status,
            lifecycle=row.lifecycle, type=row.type, uri=address(row.uri), description=row.tags.get(NOTE, ""),
            measured_on={one.name: f"{one.dataset}:{one.digest}" for one in points if one.dataset},
            tags=_texts({name: text for name, text in row.tags.items() if name != NOTE}),
        )  # fmt: skip
        environment = self._fill(thing, self._artifacts.folder(row.uri, row.id), row.problems)
        yield from self._new(environment)
        yield thing
        if row.run:
            self._made.setdefault(row.run, []).append(thing.ref)
            if environment is not None:
                self._needed.setdefault(row.run, []).append(environment.ref)

    def _models_of(self, row: RunRow, paths: dict[str, Ref]) -> Iterator[tuple[Thing, Thing | None]]:
        """Yield the models that a run of 1.x or 2.x logged, each with its environment; `paths` is filled: path in the artifacts -> model."""
        text = row.tags.get(LOGGED, "")
        said = parsed(text)
        if text and not isinstance(said, list):
            row.problems.note("a tag that should be a JSON list is none", LOGGED)
            return
        entries = {
            str(one["artifact_path"]): one for one in said or () if isinstance(one, dict) and one.get("artifact_path")
        }
        for path, one in entries.items():
            known = one.get("model_uuid") or ""
            if not isinstance(known, str) or known.startswith("m-"):
                continue  # of 3.x: it stands among the logged models
            thing = _thing(Ref("model", "mlflow", f"{row.id}/{sound(path)}"), path, row.where, (known or row.id)[:10])
            thing.at = row.ended or row.started
            uri = f"{row.uri.rstrip('/')}/{path}"
            thing.attrs = _filled(
                model_id=known, experiment=row.experiment, run=row.id, lifecycle=row.lifecycle, uri=address(uri)
            )
            if isinstance(flavors := one.get("flavors"), dict):
                thing.attrs["flavors"] = sorted(map(sound, flavors))[:20]
            environment = self._fill(
                thing, self._artifacts.folder(row.uri, row.id, under=path) if row.uri else None, row.problems
            )
            paths[path] = thing.ref
            yield thing, environment

    def _fill(self, thing: Thing, folder: Path | None, problems: Problems) -> Thing | None:
        """Put what the model's folder holds into its attributes, or say that it is out of reach; return the environment in it."""
        if folder is None:
            thing.attrs["unreachable"] = True
            return None
        thing.attrs |= plain(self._artifacts.described(folder, problems))
        return self._artifacts.environment(folder, problems)

    def _new(self, environment: Thing | None) -> Iterator[Thing]:
        if environment is not None and environment.ref not in self._environments:
            self._environments.add(environment.ref)
            yield environment

    # --- versions -----------------------------------------------------------------------------------------------------

    def _version(self, row: VersionRow, run: RunRow | None, paths: dict[str, Ref]) -> Iterator[Thing | Unread]:
        thing = _thing(_version_ref(row), row.name, row.where, row.version)
        gone = row.stage == DELETED
        source = "" if gone else row.source
        thing.at = row.created
        text = row.tags.get(PROMPT_TEXT, "")
        tags = {name: said for name, said in row.tags.items() if name != PROMPT_TEXT}
        thing.attrs = _filled(
            type="prompt" if row.prompt else "", lifecycle="deleted" if gone else "active",
            stage="" if row.stage in ("None", DELETED) else row.stage, aliases=sorted(map(sound, row.aliases)), tags=_texts(tags),
            description=row.description, source="" if row.prompt else address(source),
            uri="" if row.prompt or gone or row.uri == source else address(row.uri), status=row.status, user=row.user,
            run="" if gone else row.run, workspace=_space(row.workspace), model_description=row.model_description, model_tags=_texts(row.model_tags),
        )  # fmt: skip
        if row.prompt:
            thing.keep = [Keep("text", "prompt.txt", sound(text).encode())] if text else []
            yield thing
            return
        origin = None if gone else self._origin(row, run, paths)
        if origin is not None:
            thing.edges.append(("from", origin))
        elif not gone:
            environment = self._fill(thing, self._version_folder(row, run), row.problems)
            yield from self._new(environment)
            if run is not None and environment is not None:
                self._needed.setdefault(run.id, []).append(environment.ref)
        yield thing

    def _origin(self, row: VersionRow, run: RunRow | None, paths: dict[str, Ref]) -> Ref | None:
        """Return the model that a version was registered from, where it is one of this store."""
        if found := _LOGGED_MODEL.fullmatch(row.model and f"models:/{row.model}") or _LOGGED_MODEL.fullmatch(
            row.source
        ):
            return _logged(found[1])
        if (found := _REGISTERED.fullmatch(row.source)) and (
            known := self._known.get((_space(row.workspace), found[1], found[2]))
        ):
            return None if known is row else _version_ref(known)
        if run is None:
            return None
        for text in (row.source, row.uri):
            if (found := _OF_RUN.fullmatch(text)) and found[1] == run.id:
                return paths.get(found[2].strip("/"))
            if run.uri and text.startswith(f"{run.uri.rstrip('/')}/"):
                return paths.get(text[len(run.uri.rstrip("/")) + 1 :].strip("/"))
        return None

    def _version_folder(self, row: VersionRow, run: RunRow | None) -> Path | None:
        for text in (row.uri, row.source):
            found = _OF_RUN.fullmatch(text)
            if found and run is not None and found[1] == run.id:
                folder = self._artifacts.folder(run.uri, run.id, under=found[2])
            else:
                folder = self._artifacts.folder(text, row.run) if text and not found else None
            if folder is not None:
                return folder
        return None

    # --- datasets -----------------------------------------------------------------------------------------------------

    def _dataset(self, row: DatasetRow) -> Thing:
        thing = _thing(_dataset_ref(row.name, row.digest), row.name, row.where)
        thing.attrs = _filled(reference={"mlflow": sound(row.digest)}, source_type=row.source_type)
        origin = parsed(row.source)
        if isinstance(origin, dict):
            if len(row.source) <= LONG_TEXT:
                thing.attrs["origin"] = plain(_sounded(tidy(origin)))
            place = next(
                (text for key in ("uri", "url", "path") if isinstance(text := origin.get(key), str) and text), ""
            )
            if place:
                thing.attrs |= {"source": address(sound(place)), "uri": address(sound(place))}
                self._hash(thing, place, row)
            elif isinstance(tags := origin.get("tags"), dict):
                made_by = [str(tags[name]) for name in ("mlflow.source.name", COMMIT) if tags.get(name)]
                thing.attrs |= _filled(source="@".join(made_by))
        elif row.source:
            thing.attrs["source"] = short(address(row.source), LONG_TEXT)
        thing.attrs |= _schema(row.schema) | _profile(row.profile)
        return thing

    def _hash(self, thing: Thing, place: str, row: DatasetRow) -> None:
        path = self._artifacts.file(place)
        if path is None:
            thing.attrs["unreachable"] = True
        elif (taken := self._artifacts.digest(path, row.problems)) is not None:
            thing.digests["sha256"], thing.attrs["size"] = taken


def _thing(ref: Ref, name: str, where: str, version: str = "") -> Thing:
    name = sound(name)
    thing = Thing(ref, short(name, LONGEST_NAME), version, where=where)
    return thing


def _dataset_ref(name: str, digest: str) -> Ref:
    return Ref("dataset", "mlflow", sound(f"{name}:{digest}"))


def _logged(model: str) -> Ref:
    return Ref("model", "mlflow", sound(model))


def _version_ref(row: VersionRow) -> Ref:
    """Return the id of a registered version: a number may be given again after a model was deleted, never at the same moment."""
    space = f"{found}/" if (found := _space(row.workspace)) else ""
    return Ref("document" if row.prompt else "model", "mlflow", sound(f"{space}{row.name}@{row.version}#{row.created}"))


def _space(workspace: str) -> str:
    """Return a workspace, nothing for the one that everybody has: a server does not name it."""
    return "" if workspace == "default" else workspace


def _titles(row: RunRow) -> list[tuple[str, Use]]:
    """Return the uses of datasets with a title each: the name, with the digest where two of one name were used."""
    names = [use.name for use in {(use.name, use.digest): use for use in row.data}.values()]
    return [(sound(use.name if names.count(use.name) == 1 else f"{use.name}:{use.digest}"), use) for use in row.data]


def _context(title: str, titles: Iterable[tuple[str, Use]]) -> str:
    said = [use.tags.get(CONTEXT, "") for other, use in titles if other == title]
    return ", ".join(dict.fromkeys(text for text in said if text))


def _filled(**attrs: Any) -> dict[str, Any]:
    """Return the attributes that say something, as the record can hold them."""
    return {name: plain(value) for name, value in attrs.items() if value not in ("", 0, None, [], {})}


def _texts(texts: dict[str, str]) -> dict[str, str]:
    """Return parameters or tags without what their names call a secret, and without those that addresses carry."""
    return {sound(name): NOT_TAKEN if hides(name, text) else address(sound(text)) for name, text in texts.items()}


def _sounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {sound(str(key)): _sounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_sounded(inner) for inner in value]
    return sound(value) if isinstance(value, str) else value


def _schema(text: str) -> dict[str, Any]:
    """Return a schema in short: the number of columns and the first of them as `name: type`; another kind as its text."""
    said = parsed(text)
    columns = said.get("mlflow_colspec") if isinstance(said, dict) else None
    if isinstance(columns, list):
        told = [
            f"{one.get('name', '')}: {one.get('type', '')}" for one in columns[:MOST_COLUMNS] if isinstance(one, dict)
        ]
        return {"columns": len(columns), "schema": [short(one) for one in told]}
    return {"schema": short(text, 1_000)} if text and said is not None else {}


def _profile(text: str) -> dict[str, Any]:
    """Return a profile in short: its numbers, its lists of numbers as text."""
    said = parsed(text)
    if not isinstance(said, dict):
        return {}
    found = {short(str(key), 60): value for key, value in list(said.items())[:20]}
    kept = {
        key: number_text(value) if isinstance(value, float) else value
        for key, value in found.items()
        if isinstance(value, int | float)
    }
    kept |= {key: short(str(value)) for key, value in found.items() if isinstance(value, list | str)}
    return {"profile": plain(kept)} if kept else {}
