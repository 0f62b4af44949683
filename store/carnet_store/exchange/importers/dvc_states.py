"""A state of a DVC project: every lock, pipeline and `.dvc` file of one commit, or of a folder, read together.

Rules: what stands unchanged in many commits is read once; what could not be read is told once, at the first commit where it stands.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from carnet_store.exchange.importers.dvc_files import Contents, Files, Row, inside
from carnet_store.exchange.importers.dvc_lock import Item, Locked, Locks, Tracked, tracked
from carnet_store.exchange.importers.dvc_pipeline import Artifact, Pipeline
from carnet_store.exchange.importers.files import Unreadable
from carnet_store.exchange.importers.things import Unread

_REMEMBERED: Final = 256  # pipelines, and locks as a whole; their single stages are remembered by `Locks`


@dataclass(frozen=True, slots=True)
class Made:
    """An output and what makes it: a stage's address, or the `.dvc` file that tracks it."""

    item: Item
    by: str


@dataclass(slots=True)
class State:
    """What stands locked and tracked at one time; `problems` holds what could not be read and was not told before."""

    files: Files
    stages: list[tuple[Locked, Pipeline]] = field(default_factory=list)
    tracked: list[Tracked] = field(default_factory=list)
    pipelines: list[Pipeline] = field(default_factory=list)
    problems: list[Unread] = field(default_factory=list)
    _made: dict[str, Made] = field(default_factory=dict)
    _paths: list[str] = field(default_factory=list)

    @property
    def made(self) -> dict[str, Made]:
        """Return path -> what makes it."""
        if not self._made:
            self._made = {item.path: Made(item, one.file) for one in self.tracked for item in one.outs}
            self._made |= {item.path: Made(item, stage.address) for stage, _ in self.stages for item in stage.outs}
            self._paths = sorted(self._made)
        return self._made

    def around(self, path: str) -> Iterator[Made]:
        """Yield what is made inside a path, and the folder that is made around it."""
        made = self.made
        at = bisect.bisect_left(self._paths, f"{path}/")
        while at < len(self._paths) and inside(self._paths[at], path):
            yield made[self._paths[at]]
            at += 1
        outer = path
        while "/" in outer:
            outer = outer.rpartition("/")[0]
            if outer in made:
                yield made[outer]

    def artifacts(self) -> dict[str, Artifact]:
        """Return name -> artifact."""
        return {artifact.name: artifact for pipeline in self.pipelines for artifact in pipeline.artifacts}

    def stale(self, stage: Locked, contents: Contents) -> list[dict[str, str]]:
        """Return what a stage read that its producer has since made anew: path, what was used, what is made, by what."""
        found = []
        for dep in stage.deps:
            producer = self.made.get(dep.path)
            if producer is not None:
                if producer.item.value != dep.value:
                    found.append({"path": dep.path, "used": dep.value, "made": producer.item.value, "by": producer.by})
                continue
            for other in self.around(dep.path):
                pair = contents.compared((dep.path, dep.value), (other.item.path, other.item.value))
                if pair is not None and pair[0] != pair[1]:
                    found.append(
                        {
                            "path": max(dep.path, other.item.path, key=len),
                            "used": pair[0],
                            "made": pair[1],
                            "by": other.by,
                        }
                    )
        return found

    def never_run(self) -> Iterator[Unread]:
        """Yield the stages that are written and not locked."""
        for pipeline in self.pipelines:
            yield from pipeline.never_run({stage.name for stage, own in self.stages if own is pipeline})

    def unmade_metrics(self) -> Iterator[Unread]:
        """Yield the files of metrics that a pipeline names and no stage makes: whose figures they hold is not known."""
        for pipeline in self.pipelines:
            for path in pipeline.metrics:
                if path not in self.made and not any(inside(path, other) for other in self.made):
                    yield Unread(
                        f"{path}{self.files.label}", "no locked stage makes this file of metrics: it was not read"
                    )


class States:
    """Reads states."""

    def __init__(self) -> None:
        self._locks = Locks()
        self._pipelines: dict[tuple[str, str, str], Pipeline] = {}
        self._read: dict[tuple[Pipeline, Row | None], list[Locked]] = {}
        self._tracked: dict[Row, list[Tracked | Locked]] = {}
        self._told: set[tuple[str, str]] = set()

    def read(self, files: Files) -> State:
        """Return what stands in `files`.

        Raises:
            Unreadable: its files cannot be listed.
        """
        state = State(files)
        rows = {row.path: row for row in files.rows()}
        for path in sorted({_pipeline_of(path) for path in rows if not path.endswith(".dvc")}):
            self._pipeline(state, path, rows.get(path), rows.get(f"{path[:-4]}lock"))
        for path, row in rows.items():
            if path.endswith(".dvc"):
                self._dvc(state, row)
        return state

    def _tell(self, state: State, problems: list[Unread]) -> None:
        """Add what was not told before; a fault that stands in many commits is told once."""
        for one in problems:
            mark = (one.where.replace(state.files.label, "") if state.files.label else one.where, one.why)
            if mark not in self._told:
                self._told.add(mark)
                state.problems.append(one)

    def _pipeline(self, state: State, path: str, written: Row | None, lock: Row | None) -> None:
        """Read one `dvc.yaml` and the lock beside it; either may be missing."""
        problems = list[Unread]()
        pipeline = self._written(state.files, path, written, problems)
        told = len(pipeline.problems)
        key = (pipeline, lock)
        stages = self._read.get(key)
        if stages is None:
            stages = []
            try:
                where = f"{path[:-4]}lock{state.files.label}"
                data = state.files.content(lock) if lock is not None else b""
                for one in self._locks.stages(data, path, where, pipeline.wdir):
                    if isinstance(one, Unread):
                        problems.append(one)
                    else:
                        stages.append(one)
            except Unreadable as error:
                problems.append(Unread(error.where, error.why))
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[key] = stages
        self._tell(state, problems + pipeline.problems[told:])
        state.pipelines.append(pipeline)
        state.stages += [(stage, pipeline) for stage in stages]

    def _written(self, files: Files, path: str, row: Row | None, problems: list[Unread]) -> Pipeline:
        """Return a pipeline as it is written, an empty one where there is none or it cannot be read."""
        data = None
        try:
            data = files.content(row) if row is not None else None
            # What a template means may hang on other files of the commit.
            key = (
                path,
                row.stamp if row is not None else "",
                files.label if data is not None and b"${" in data else "",
            )
            known = self._pipelines.get(key)
            if known is None:
                known = Pipeline(path, data, files)
                problems += known.problems
                if len(self._pipelines) >= _REMEMBERED:
                    self._pipelines.clear()
                self._pipelines[key] = known
            return known
        except Unreadable as error:
            problems.append(Unread(error.where, error.why))
        return Pipeline(path, None, files)

    def _dvc(self, state: State, row: Row) -> None:
        known = self._tracked.get(row)
        if known is None:
            known, problems = [], list[Unread]()
            try:
                for one in tracked(state.files.content(row), row.path, f"{row.path}{state.files.label}"):
                    if isinstance(one, Unread):
                        problems.append(one)
                    else:
                        known.append(one)
            except Unreadable as error:
                problems.append(Unread(error.where, error.why))
            self._tell(state, problems)
            if len(self._tracked) > 100_000:
                self._tracked.clear()
            self._tracked[row] = known
        pipeline: Pipeline | None = None
        for one in known:
            if isinstance(one, Tracked):
                state.tracked.append(one)
            else:
                pipeline = pipeline or Pipeline(one.pipeline, None, state.files)
                state.stages.append((one, pipeline))


def _pipeline_of(path: str) -> str:
    return f"{path.removesuffix('dvc.lock').removesuffix('dvc.yaml')}dvc.yaml"
