"""States of a DVC project as things: runs with what they read and wrote, and the versions that GTO registered.

Rules: a thing is yielded once, at the first commit where it stands; an MD5 is a digest only where it is one of the whole bytes (of a folder it is a listing's, before
DVC 3 a text's without carriage returns: these are references); a figure is taken from a file of metrics only where its MD5 is the locked one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carnet_store.errors import CarnetError
from carnet_store.exchange.importers import scrub
from carnet_store.exchange.importers.dvc_files import Contents, Sums
from carnet_store.exchange.importers.dvc_gto import Version
from carnet_store.exchange.importers.dvc_lock import Item, Locked, as_text, flat
from carnet_store.exchange.importers.dvc_pipeline import Artifact, Pipeline, Written, below, holds, parsed
from carnet_store.exchange.importers.dvc_states import State
from carnet_store.exchange.importers.files import Unreadable, sound
from carnet_store.exchange.importers.git import left_out
from carnet_store.exchange.importers.git_program import MIB
from carnet_store.exchange.importers.things import Keep, Ref, Thing, Unread, metric

SYSTEM: Final = "dvc"
REGISTRY: Final = "gto"
LISTING: Final = 4 * MIB
"""Bytes of a folder's listing that are kept with it."""
_METRICS: Final = 8 * MIB
_SOURCE: Final = frozenset({
    "py", "ipynb", "sh", "bash", "zsh", "r", "rmd", "qmd", "jl", "sql", "js", "ts", "java", "scala", "kt", "go", "rs", "c", "cc", "cpp", "h",
    "hpp", "cu", "pl", "rb", "lua", "m", "ps1", "bat", "pyx", "stan",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """When a state stood: a commit, the work tree on top of one, or a folder without history.

    Attributes:
        code: gives the code snapshots that belong to it, the one that its runs used last; nothing where there is no history.
        at: ms since 1970, 0 where it is not known. `author`: of the commit. `experiment`: of DVC's, by name, where the commit is one.
    """

    label: str
    commit: str = ""
    at: int = 0
    author: str = ""
    code: Callable[[], list[Thing]] = list
    experiment: str = ""


@dataclass(slots=True)
class Maker:
    """Makes things of states, oldest first.

    Attributes:
        models: path -> name of what is declared to be a model.
        current: run id -> what of it is stale now, for the runs of the state that stands now.
        repository: where the project comes from.
    """

    contents: Contents
    models: Mapping[str, str] = field(default_factory=dict)
    current: Mapping[str, list[dict[str, str]]] = field(default_factory=dict)
    repository: str = ""
    _refs: dict[str, Ref] = field(default_factory=dict)
    _found: dict[str, Sums | None] = field(default_factory=dict)
    _runs: set[str] = field(default_factory=set)
    _codes: set[Ref] = field(default_factory=set)

    def things(self, state: State, moment: Moment) -> Iterator[Thing | Unread]:
        """Yield what of a state was not yielded before: code, then what is read and written, then runs."""
        yield from state.problems
        stages = [(stage, pipeline) for stage, pipeline in state.stages if stage.id not in self._runs]
        items: dict[str, tuple[Item, dict[str, Any]]] = {}
        for one in state.tracked:
            for item in one.outs:
                if item.key not in self._refs:
                    origin = _origin(dict(one.attrs))
                    items[item.key] = (item, {**origin, **_notes(item), "tracked_by": one.file})
        for stage, pipeline in stages:
            written = pipeline.written(stage.name)
            for item in stage.outs:
                if item.key not in self._refs:
                    about = {**_notes(item), **written.notes.get(item.path, {})}
                    for role, paths in (("metrics", (*written.metrics, *pipeline.metrics)), ("plots", written.plots)):
                        if holds(paths, item.path):
                            about["role"] = role
                    items.setdefault(item.key, (item, {}))[1].update(about)
            for item in stage.deps:
                if item.key not in self._refs:
                    items.setdefault(item.key, (item, _notes(item)))
        if not stages and not items:
            return
        code = yield from self._code(moment)
        for item, about in items.values():
            self._refs[item.key] = self._ref(item, about, state)
        for item, about in items.values():
            yield from self._item(item, about, state, moment)
        for stage, pipeline in stages:
            if stage.id not in self._runs:  # a lock may hold the same result under two keys
                self._runs.add(stage.id)
                yield from self._run(stage, pipeline, state, moment, code)
        yield from self.contents.skipped
        self.contents.skipped.clear()

    def _code(self, moment: Moment) -> Generator[Thing | Unread, None, Thing | None]:
        """Yield the code snapshots of a moment that were not yielded yet; return the one that its runs used."""
        things = moment.code()
        for thing in things:
            if thing.ref not in self._codes:
                self._codes.add(thing.ref)
                yield thing
                yield from left_out(thing)
        return things[-1] if things else None

    # -- what is read and written --------------------------------------------------------------------------------------

    def _ref(self, item: Item, about: Mapping[str, Any], state: State) -> Ref:
        suffix = item.path.rpartition("/")[2].rpartition(".")[2].lower()
        kind = "dataset"
        if item.path in self.models or about.get("type") == "model":
            kind = "model"
        elif not item.is_folder and "." in item.path.rpartition("/")[2] and suffix in _SOURCE:
            kind = "code"
        elif item.is_folder and item.path not in state.made:
            names = state.files.names(item.path)
            if any(name.rpartition(".")[2].lower() in _SOURCE for name in names if "." in name):
                kind = "code"
        return Ref(kind, SYSTEM, item.key)

    def _bytes(self, item: Item, state: State) -> Sums | None:
        if item.hash != "md5" or item.is_folder:
            return None
        if item.key not in self._found:
            found = self.contents.seek(item.path, item.value, item.size, state.files, unix=item.unix)
            self._found[item.key] = None if found is None else found.sums
        return self._found[item.key]

    def _item(self, item: Item, about: Mapping[str, Any], state: State, moment: Moment) -> Iterator[Thing | Unread]:
        ref = self._refs[item.key]
        name = self.models.get(item.path, item.path) if ref.kind == "model" else item.path
        outside = item.path.startswith(("/", "../")) or "://" in item.path
        attrs: dict[str, Any] = {"uri" if outside else "path": scrub.address(item.path)}
        thing = Thing(
            ref, scrub.address(name), item.value[:12], attrs, at=moment.at, where=f"{item.path}{moment.label}"
        )
        if item.size >= 0:
            attrs["size"] = item.size
        if item.files >= 0:
            attrs["nfiles"] = item.files
        if ref.kind == "code" and moment.commit:
            attrs["commit"] = moment.commit
        attrs |= scrub.tidy(dict(about))
        found = self._bytes(item, state)
        if found is not None:
            thing.digests = {"md5": found.md5, "sha256": found.sha256}
            attrs["size"] = found.size
        elif item.hash == "md5" and not item.is_folder and not item.unix:
            thing.digests = {"md5": item.value}
        if thing.digests.get("md5") != item.value:
            attrs["reference"] = {"dvc" if item.hash == "md5" else item.hash: item.value}
        if item.is_folder and (listing := self.contents.listing(item.value)) is not None:
            if len(listing) <= LISTING:
                thing.keep.append(Keep("listing", f"{item.path.rpartition('/')[2]}.dir.json", listing))
            else:
                attrs["listing_left_out"] = len(listing)
        thing.edges = list(self._parts(item, state))
        yield thing

    def _parts(self, item: Item, state: State) -> Iterator[tuple[str, Ref]]:
        """Yield edges to what is made inside a folder that was read, or around a file that was read, as far as it is the same."""
        if item.path in state.made:
            return
        for other in state.around(item.path):
            pair = self.contents.compared((item.path, item.value), (other.item.path, other.item.value))
            if (pair is None or pair[0] == pair[1]) and (ref := self._refs.get(other.item.key)) is not None:
                yield "from", ref

    # -- runs ----------------------------------------------------------------------------------------------------------

    def _run(
        self, stage: Locked, pipeline: Pipeline, state: State, moment: Moment, code: Thing | None
    ) -> Iterator[Thing | Unread]:
        written = pipeline.written(stage.name)
        where = (
            f"{stage.pipeline}{moment.label}: stage {stage.name}" if stage.name else f"{stage.pipeline}{moment.label}"
        )
        attrs: dict[str, Any] = {"command": command(stage.command), "stage": stage.address}
        stale = self.current[stage.id] if stage.id in self.current else state.stale(stage, self.contents)
        for name, value in (
            ("commit", moment.commit), ("dirty", code is not None and code.attrs.get("dirty")), ("user", moment.author),
            ("experiment", moment.experiment), ("repository", self.repository), ("stale", stale), *written.attrs.items(),
        ):  # fmt: skip
            if value:
                attrs[name] = scrub.tidy(value)
        thing = Thing(Ref("run", SYSTEM, stage.id), stage.address, "", attrs, at=moment.at, where=where)
        thing.params = params(stage)
        results: dict[str, str] = {}
        yield from self._metrics(stage, pipeline, written, state, thing, results)
        if results:
            attrs["results"] = results
        if code is not None:
            thing.edges.append(("used", code.ref))
        thing.edges += [("used", self._refs[item.key]) for item in stage.deps]
        thing.edges += [("made", self._refs[item.key]) for item in stage.outs]
        yield thing

    def _metrics(
        self, stage: Locked, pipeline: Pipeline, written: Written, state: State, thing: Thing, results: dict[str, str]
    ) -> Iterator[Unread]:  # fmt: skip
        """Read the files of metrics that a stage wrote; what is no number goes to `results`."""
        found: list[tuple[str, str, Any]] = []
        wanted = (*written.metrics, *pipeline.metrics)
        for item in stage.outs:
            paths = (
                [(item.path, item)]
                if holds(wanted, item.path)
                else [(path, _in_folder(path, item, self.contents)) for path in below(wanted, item.path)]
            )
            for path, inner in paths:
                where = f"{path}{state.files.label}"
                try:
                    data = self._text(path, inner, state)
                    if data is None:
                        yield Unread(
                            where,
                            "its metrics were not read: the bytes that were locked are not at hand (dvc pull, then capture again)",
                        )
                        continue
                    found += [(path, name, value) for name, value in flat("", parsed(data, path))]
                except Unreadable as error:
                    yield Unread(error.where.replace(path, where, 1), error.why)
                except (OSError, CarnetError) as error:
                    yield Unread(where, f"its metrics were not read: {error}")
                except RecursionError:
                    yield Unread(where, "is nested too deeply")
        shared = _shared((path, name) for path, name, _ in found)
        for path, name, value in found:
            full = sound(f"{path}:{name}" if name in shared else name) or path
            if isinstance(value, int | float) and not isinstance(value, bool):
                thing.metrics.append(metric(full, value))
            else:
                results[full] = sound(as_text(value))

    def _text(self, path: str, item: Item | None, state: State) -> bytes | None:
        """Return the bytes of a file of metrics: those with the locked MD5; without one, those of the commit."""
        if item is None:
            blob = state.files.find(path)
            return None if blob is None else blob.whole(_METRICS)
        found = self.contents.seek(item.path, item.value, item.size, state.files, unix=item.unix)
        return None if found is None else found.data()

    # -- registry ------------------------------------------------------------------------------------------------------

    def version(self, version: Version, state: State | None, moment: Moment) -> Iterator[Thing | Unread]:
        """Yield a version that GTO registered; `state` is what stands at its commit, None where that cannot be read."""
        code = yield from self._code(moment)
        artifact = state.artifacts().get(version.artifact) if state is not None else None
        kind = "dataset" if artifact is not None and artifact.type == "dataset" else "model"
        key = f"{version.artifact}@{version.version}#{version.commit}"
        attrs: dict[str, Any] = {"commit": version.commit, "history": [event.value() for event in version.history]}
        for name, value in (
            ("user", version.registered.author), ("repository", self.repository), ("stages", version.stages),
            ("deregistered", version.gone), ("deprecated", version.deprecated),
        ):  # fmt: skip
            if value:
                attrs[name] = value
        thing = Thing(
            Ref(kind, REGISTRY, key),
            version.artifact,
            version.version,
            attrs,
            at=version.registered.at,
            where=f"tag {version.registered.tag}",
        )
        source: Ref | None = None
        if artifact is not None and state is not None:
            outside = artifact.path.startswith(("/", "../")) or "://" in artifact.path
            attrs["uri" if outside else "path"] = scrub.address(artifact.path)
            attrs |= ({"type": artifact.type} if artifact.type else {}) | scrub.tidy(dict(artifact.attrs))
            source = self._artifact(artifact, state, thing)
            if source is None and not thing.digests and not outside:
                yield Unread(
                    f"{thing.where}: {artifact.path}", "is neither locked nor tracked nor in git at the tag's commit"
                )
        if source is None and code is not None:
            source = code.ref
        if source is not None:
            thing.edges.append(("from", source))
        yield thing

    def _artifact(self, artifact: Artifact, state: State, thing: Thing) -> Ref | None:
        """Return what an artifact's path holds, and take its digests over."""
        made = state.made.get(artifact.path)
        if made is None:
            blob = state.files.find(artifact.path)
            if blob is not None:
                sums = self.contents.sums(blob)
                if sums is not None:
                    thing.digests = {"sha256": sums.sha256}
                    thing.attrs["size"] = sums.size
            around = next((other for other in state.around(artifact.path)), None)
            return self._refs.get(around.item.key) if around is not None else None
        found = self._bytes(made.item, state)
        if found is not None:
            thing.digests = {"md5": found.md5, "sha256": found.sha256}
            thing.attrs["size"] = found.size
        elif made.item.hash == "md5" and not made.item.is_folder and not made.item.unix:
            thing.digests = {"md5": made.item.value}
        if thing.digests.get("md5") != made.item.value:
            thing.attrs["reference"] = {"dvc" if made.item.hash == "md5" else made.item.hash: made.item.value}
        return self._refs.get(made.item.key)


def params(stage: Locked) -> dict[str, str]:
    """Return a stage's parameters; a name that two of its files share stands with its file (`params.yaml:lr`)."""
    shared = _shared((file, name) for file, name, _ in stage.params)
    return {
        sound(f"{file}:{name}" if name in shared else name): scrub.NOT_TAKEN if scrub.hides(name, text) else sound(scrub.address(text))
        for file, name, text in stage.params
    }  # fmt: skip


def command(text: str) -> str:
    """Return a command without the secrets that stand in it."""
    parts = re.split(r"(\s+)", text)
    parts[::2] = scrub.words(parts[::2])
    return "".join(parts)


def _shared(places: Iterator[tuple[str, str]]) -> set[str]:
    """Return the names that stand in more than one file."""
    files: dict[str, str] = {}
    return {name for file, name in places if files.setdefault(name, file) != file}


def _notes(item: Item) -> dict[str, Any]:
    return dict(item.notes)


def _origin(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return where something tracked came from, its address without user and password."""
    if isinstance(attrs.get("source"), str):
        attrs["source"] = scrub.address(attrs["source"])
    return attrs


def _in_folder(path: str, folder: Item, contents: Contents) -> Item | None:
    """Return a file of metrics inside a folder that a stage wrote, by the folder's listing; None where that is not at hand."""
    listed = contents.entries(folder.value) if folder.is_folder else None
    md5 = (listed or {}).get(path[len(folder.path) + 1 :])
    return Item(path, "md5", md5, unix=folder.unix) if md5 is not None else None
