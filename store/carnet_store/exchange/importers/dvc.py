"""DVC and GTO, read from their files: locked stages as runs, what they read and wrote, figures, and versions out of git's tags.

Takes a folder (with git's history where it lies in a repository), a bare repository or a git bundle. One walk, oldest commit first: the state of each commit in
which a lock or a `.dvc` file changed (`dvc_states`), as things (`dvc_things`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from carnet_store.errors import CarnetError, Invalid
from carnet_store.exchange.importers import git_reading
from carnet_store.exchange.importers.dvc_files import Contents, Files, FolderFiles, GitTrees, caches, is_dvc, of_prefix
from carnet_store.exchange.importers.dvc_gto import event_of, registry
from carnet_store.exchange.importers.dvc_pipeline import Artifact, Pipeline
from carnet_store.exchange.importers.dvc_states import State, States
from carnet_store.exchange.importers.dvc_things import SYSTEM, Maker, Moment
from carnet_store.exchange.importers.files import Unreadable, head
from carnet_store.exchange.importers.git import Codes
from carnet_store.exchange.importers.git_program import MIB, program, shown
from carnet_store.exchange.importers.git_reading import Commit, Repository, Tag, discover, unbundled
from carnet_store.exchange.importers.things import Guess, Source, Thing, Unread

MOST_COMMITS: Final = 5_000
"""So many commits are read, the newest in which a lock or a `.dvc` file changed; how many were left out is said."""
_HISTORY_SECONDS: Final = 600.0
_WHAT: Final = "dvc.yaml, dvc.lock or *.dvc"


# -- guess -------------------------------------------------------------------------------------------------------------


def guess(path: Path) -> Guess | None:
    """Say what of DVC lies at `path`: a project's folder, or a bundle with GTO's tags; None where there is nothing of it."""
    try:
        if path.is_file():
            if (bundle := git_reading.bundle_head(path)) is None:
                return _guessed(path.parent) if is_dvc(path.name) else None
            tags = [name.removeprefix("refs/tags/") for name in bundle[1] if name.startswith("refs/tags/")]
            gto = sum(event_of(Tag(name, "", "", 0, "")) is not None for name in tags)
            return Guess(SYSTEM, f"DVC in a git bundle, {gto:,} tags of GTO", gto) if gto else None
        return _guessed(path)
    except (OSError, ValueError):
        return None


def _guessed(folder: Path) -> Guess | None:
    names = sorted(entry.name for entry in folder.iterdir() if is_dvc(entry.name) and entry.is_file())
    if not names and not (folder / ".dvc" / "config").is_file():
        return None
    locked = head(folder / "dvc.lock", 4 * MIB) if "dvc.lock" in names else b""
    stages = len(re.findall(rb"^  [^\s#-][^\n]*:[ \t]*$", locked, re.MULTILINE))
    tracked = sum(name.endswith(".dvc") for name in names)
    words = [
        f"{count:,} {one}{'' if count == 1 else 's'}"
        for count, one in ((stages, "locked stage"), (tracked, "tracked file"))
        if count
    ]
    if (folder / ".git").exists():
        words.append("with git's history")
    return Guess(SYSTEM, ", ".join(["DVC", *(words or ["nothing locked at the top"])]), stages + tracked)


# -- read --------------------------------------------------------------------------------------------------------------


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield what DVC recorded, oldest commit first, then what stands only in the work tree, then the versions that GTO registered.

    Raises:
        Invalid: nothing of DVC is there, or git cannot read the repository.
    """
    path = source.path
    if path.is_file():
        if is_dvc(path.name):
            path = path.parent
        elif git_reading.bundle_head(path) is not None:
            with unbundled(path) as repository:
                yield from _History(source, repository, "").read()
            return
        else:
            raise Invalid(f"{path} is no {_WHAT} and no git bundle", "name the folder that holds the dvc.yaml")
    if not path.is_dir():
        raise Invalid(f"there is no {path}", "name the folder that holds the dvc.yaml")
    place = discover(path)
    if place is not None:
        try:
            program()
        except Invalid as error:
            yield Unread(f"{path}: history", f"{error.message}; only what stands in the folder was read")
        else:
            with Repository(place) as repository:
                history = _History(source, repository, of_prefix(path, place.top) if place.top is not None else "")
                if history.commits or not history.prefix:
                    yield from history.read()
                    return
    yield from _folder(source, path)


def _folder(source: Source, folder: Path) -> Iterator[Thing | Unread]:
    """Read a folder without history: the state that stands in it."""
    files = FolderFiles(folder)
    state = _state(States(), files)
    if not (state.stages or state.tracked or state.pipelines or state.problems):
        raise Invalid(
            f"{folder} holds no {_WHAT}", "name the folder that holds the dvc.yaml, or a git repository or bundle"
        )
    configured = [data for name in ("config", "config.local") if (data := head(folder / ".dvc" / name, MIB))]
    contents = Contents(caches(source, [folder], configured), None)
    current = {stage.id: state.stale(stage, contents) for stage, _ in state.stages}
    maker = Maker(contents, models(state.artifacts().values(), set()), current)
    yield from maker.things(state, Moment(""))
    yield from state.never_run()
    yield from state.unmade_metrics()


def _state(states: States, files: Files) -> State:
    try:
        return states.read(files)
    except Unreadable as error:
        return State(files, problems=[Unread(error.where, error.why)])


def models(artifacts: Iterable[Artifact], registered: set[str]) -> dict[str, str]:
    """Return path -> name of the artifacts that are models: by their type, or because GTO registered versions of them."""
    return {
        artifact.path: artifact.name
        for artifact in sorted(artifacts, key=lambda one: one.name, reverse=True)
        if artifact.type == "model" or (artifact.type == "" and artifact.name in registered)
    }  # fmt: skip


class _History:
    """A repository's states, commit by commit."""

    def __init__(self, source: Source, repository: Repository, prefix: str) -> None:
        self._source, self._repository, self.prefix = source, repository, prefix
        self._trees = GitTrees(repository, prefix)
        self._states = States()
        head = repository.commit_of("HEAD")
        self._head = repository.commits("--no-walk", most=1, starts=[head])[0] if head else None
        self._paths = [f":(top,glob){_literal(prefix)}**/{name}" for name in ("dvc.lock", "*.dvc")]
        # Experiments lie on refs of their own, below the commit that they began from.
        self._words = ("--full-history", "--branches", "--tags", "--remotes", "--glob=refs/exps/[0-9a-f][0-9a-f]/*")
        self.commits = repository.commits(
            *self._words, most=MOST_COMMITS + 1, starts=[head] if head else [], paths=self._paths, seconds=_HISTORY_SECONDS
        )  # fmt: skip

    def read(self) -> Iterator[Thing | Unread]:
        """Yield everything."""
        repository, codes = self._repository, Codes(self._repository)
        if len(self.commits) > MOST_COMMITS:
            total = repository.count(
                *self._words,
                *([self._head.id] if self._head else []),
                "--",
                *self._paths,
                most=1_000_000,
                seconds=_HISTORY_SECONDS,
            )
            yield Unread(
                f"{codes.name}: history",
                f"{total - MOST_COMMITS:,} older commits were left out; the newest {MOST_COMMITS:,} with changes of DVC were read",
            )
            del self.commits[MOST_COMMITS:]
        versions, unclear = registry(codes.tags)
        tagged = self._tagged({version.commit for version in versions})
        now = self._now()
        top = repository.top
        folders = [] if top is None else list(dict.fromkeys([top / self.prefix, top]))
        work = None if top is None else FolderFiles(top)
        contents = Contents(caches(self._source, folders, self._configured(folders)), work)
        current = {stage.id: now.stale(stage, contents) for stage, _ in now.stages}
        artifacts = [*self._artifacts([*self.commits, *tagged.values()]), *now.artifacts().values()]
        maker = Maker(contents, models(artifacts, {version.artifact for version in versions}), current, codes.remote)
        if not (self.commits or versions or now.stages or now.tracked or now.pipelines or now.problems):
            raise Invalid(
                f"{repository.folder} holds no {_WHAT}, now or in its history",
                "name the folder that holds the dvc.yaml",
            )
        experiments = self._experiments()
        for commit in reversed(self.commits):
            moment = _moment(codes, commit)
            yield from maker.things(self._at(commit), replace(moment, experiment=experiments.get(commit.id, "")))
        yield from self._uncommitted(maker, codes, now)
        for version in versions:
            commit = tagged[version.commit]
            state, moment = self._at(commit), _moment(codes, commit)
            yield from maker.things(state, moment)
            yield from maker.version(version, state, moment)
        yield from unclear
        yield from now.never_run()
        yield from now.unmade_metrics()

    def _experiments(self) -> dict[str, str]:
        """Return commit -> name of the experiment of DVC's that it is."""
        told = self._repository.git.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
        rows = (shown(line).split(" ", 1) for line in told.splitlines())
        return {
            oid: name.rpartition("/")[2] for oid, name in rows if re.match(r"refs/exps/[0-9a-f]{2}/[0-9a-f]+/", name)
        }

    def _at(self, commit: Commit) -> State:
        return _state(self._states, self._trees.at(commit.tree, f" at {commit.id[:12]}"))

    def _now(self) -> State:
        """Return what stands now: in the work tree, in a bare repository at HEAD."""
        top = self._repository.top
        if top is not None:
            return _state(States(), FolderFiles(top, top / self.prefix, " in the work tree"))
        if self._head is None:
            return State(FolderFiles(self._repository.folder))
        return _state(States(), self._trees.at(self._head.tree, f" at {self._head.id[:12]}"))

    def _uncommitted(self, maker: Maker, codes: Codes, now: State) -> Iterator[Thing | Unread]:
        """Yield what stands in the work tree and in no commit that was read."""
        commit = self._head
        if self._repository.top is None:
            return
        if commit is None:
            yield from maker.things(now, Moment(now.files.label))
            return

        def code() -> list[Thing]:
            changed = codes.changed(commit)
            return [codes.thing(commit), *([] if changed is None else [changed])]

        yield from maker.things(now, Moment(now.files.label, commit.id, code=code))

    def _tagged(self, commits: set[str]) -> dict[str, Commit]:
        if not commits:
            return {}
        return {
            commit.id: commit
            for commit in self._repository.commits("--no-walk", most=len(commits), starts=sorted(commits))
        }

    def _artifacts(self, commits: list[Commit]) -> Iterator[Artifact]:
        """Yield the artifacts that any of these commits declares: what is a model at one commit is one at all."""
        seen: set[tuple[str, str]] = set()
        for commit in commits:
            files = self._trees.at(commit.tree, f" at {commit.id[:12]}")
            try:
                rows = [row for row in files.rows() if row.path.endswith("dvc.yaml") and row not in seen]
            except Unreadable:
                continue  # told where the state is read
            for row in rows:
                seen.add(row)
                try:
                    data = files.content(row)
                    if b"artifacts" in data:
                        yield from Pipeline(row.path, data, files).artifacts
                except Unreadable:
                    continue  # told where the state is read

    def _configured(self, folders: list[Path]) -> list[bytes]:
        """Return DVC's configurations: those of the folders, of HEAD where there is no work tree."""
        if folders:
            return [
                data
                for folder in folders
                for name in ("config", "config.local")
                if (data := head(folder / ".dvc" / name, MIB))
            ]
        blob = None if self._head is None else self._trees.at(self._head.tree, "").find(".dvc/config")
        try:
            return [] if blob is None else [blob.whole(MIB)]
        except (CarnetError, Unreadable):
            return []


def _moment(codes: Codes, commit: Commit) -> Moment:
    return Moment(f" at {commit.id[:12]}", commit.id, commit.at, commit.author, code=partial(_snapshot, codes, commit))


def _snapshot(codes: Codes, commit: Commit) -> list[Thing]:
    return [codes.thing(commit)]


def _literal(prefix: str) -> str:
    """Return a path as a pattern of git's that means just it, with a slash at its end."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "/" if prefix else ""
