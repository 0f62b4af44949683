"""Commits of a git repository as code snapshots; what stands uncommitted in a work tree is one of its own.

Rules: a snapshot is the same whoever asks for it (`snapshot` for `carnet run`, the importers of DVC and MLflow): `("code", "git", <commit>)`, and with changes
`<commit>+<SHA-256 of the patch>`. People are named, their mail is not taken. Nothing of the repository runs (`git_program`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import CarnetError, Invalid
from carnet_store.exchange.importers import git_reading
from carnet_store.exchange.importers.git_changes import PATCH, at_a_glance, changes
from carnet_store.exchange.importers.git_program import MIB, shown
from carnet_store.exchange.importers.git_reading import Commit, Repository, Tag, discover, unbundled
from carnet_store.exchange.importers.things import Guess, Keep, Ref, Source, Thing, Unread

SYSTEM: Final = "git"
NEWEST: Final = 1_000
"""So many commits of HEAD's history are read, and all that a tag stands on."""
MOST_TAGGED: Final = 10_000
# Seconds that a guess goes on counting a long history; with a commit graph that is some thousand commits.
_COUNTING: Final = 0.015
# Seconds that a guess looks for changed files; a tree so large that it takes longer is called neither dirty nor clean.
_LOOKING: Final = 0.5


def guess(path: Path) -> Guess | None:
    """Say what the repository at `path`, or the bundle, holds; None where there is neither."""
    try:
        if (head := git_reading.bundle_head(path)) is not None:
            names = list(head[1])
            heads = sum(name.startswith("refs/heads/") for name in names)
            tags = sum(name.startswith("refs/tags/") for name in names)
            return Guess(
                SYSTEM,
                f"git bundle, {_many(heads, 'branch', 'branches')}, {_many(tags, 'tag')}",
                max(1, len(set(head[1].values()))),
            )
        place = discover(path)
        if place is None:
            return None
        with Repository(place) as repository:
            return _guessed(repository)
    except CarnetError as error:
        return Guess(SYSTEM, f"git, but {error.message}", 0)
    except (OSError, ValueError):
        return None


def _guessed(repository: Repository) -> Guess | None:
    branch = repository.branch()
    if not repository.commit_of("HEAD"):
        return Guess(SYSTEM, "git, no commit yet", 0)
    newest = repository.commits("--no-walk", most=1, starts=["HEAD"])[0]
    tags = repository.git.run("for-each-ref", "--format=x", "refs/tags").count(b"\n")
    of = f"on {branch}" if branch else "of a detached HEAD"
    count, left = repository.count("HEAD", most=NEWEST + 1), ""
    if count > NEWEST:
        with contextlib.suppress(Invalid):  # so long a history that counting it takes longer than a guess may
            left = f" of {repository.count('HEAD', most=1_000_000, seconds=_COUNTING):,}"
    words = (
        f"{_many(count, 'commit')} {of}"
        if count <= NEWEST
        else f"the newest {NEWEST:,}{left} commits {of} (older ones only where tagged)"
    )
    cut = ", a shallow clone" if repository.shallow() else ""
    changed = at_a_glance(repository, newest.id, _LOOKING)
    dirty = f"dirty ({_many(changed, 'file')}), " if changed else ""
    subject = newest.subject if len(newest.subject) <= 40 else f"{newest.subject[:39]}…"
    return Guess(
        SYSTEM,
        f"git, {dirty}{words}, {_many(tags, 'tag')}{cut}, newest {newest.id[:12]} {subject}".rstrip(),
        min(count, NEWEST),
    )


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield the newest commits of HEAD and all tagged ones, oldest first, then what stands changed in the work tree.

    Raises:
        Invalid: no repository and no bundle, git is not installed or cannot read it, or there is no commit yet.
    """
    place = discover(source.path)
    if place is not None:
        with Repository(place) as repository:
            yield from _read(repository)
    elif source.path.is_file():
        with unbundled(source.path) as repository:
            yield from _read(repository)
    else:
        raise Invalid(f"{source.path} is no git repository and no git bundle", "name a folder inside the repository")


def _read(repository: Repository) -> Iterator[Thing | Unread]:
    head = repository.commit_of("HEAD")
    codes = Codes(repository)
    if not head and not codes.tagged:
        raise Invalid(f"{repository.folder} has no commit yet", "git commit, then capture again")
    commits = repository.commits(most=NEWEST, starts=[head]) if head else []
    inside = {commit.id for commit in commits}
    further = sorted(commit for commit in codes.tagged if commit not in inside)
    if further:
        tagged = repository.commits("--no-walk", most=MOST_TAGGED, starts=further[:MOST_TAGGED])
        commits += sorted(tagged, key=lambda commit: (-commit.at, commit.id))
        inside |= {commit.id for commit in tagged}
        if len(further) > MOST_TAGGED:
            yield Unread(
                f"{repository.name}: tags",
                f"{len(further) - MOST_TAGGED:,} tagged commits beyond the first {MOST_TAGGED:,} were left out",
            )
    for name in codes.elsewhere:
        yield Unread(f"{repository.name}: tag {name}", "leads to no commit")
    for commit in reversed(commits):
        yield codes.thing(commit, inside)
    if repository.top is not None and head:
        changed = codes.changed(next(commit for commit in commits if commit.id == head))
        if changed is not None:
            yield changed
            yield from left_out(changed)


def left_out(changed: Thing) -> Iterator[Unread]:
    """Yield that a snapshot's patch is too large to be kept, where it is."""
    if left := changed.attrs.get("patch_left_out"):
        why = f"the patch has {left['size'] // MIB:,} MiB, more than {PATCH // MIB}; its SHA-256 is recorded, its bytes are not kept"
        yield Unread(changed.where, why)


def snapshot(folder: Path) -> Thing | None:
    """Return the code that stands in a folder of a git repository: its commit, or the commit with what is changed on it.

    None where there is no repository, or no commit yet. A changed one comes `from` its commit, which `snapshots` returns too.

    Raises:
        Invalid: git is not installed, or cannot read the repository.
    """
    found = snapshots(folder)
    return found[-1] if found else None


def snapshots(folder: Path) -> list[Thing]:
    """Return the commit that a folder stands on and, where something is changed, that too; nothing where there is no commit.

    Raises:
        Invalid: as `snapshot`.
    """
    place = discover(folder)
    if place is None or place.top is None:
        return []
    with Repository(place) as repository:
        head = repository.commit_of("HEAD")
        if not head:
            return []
        codes = Codes(repository)
        commit = repository.commits("--no-walk", most=1, starts=[head])[0]
        changed = codes.changed(commit)
        return [codes.thing(commit), *([] if changed is None else [changed])]


def commit_ref(commit: str) -> Ref:
    """Return which thing a commit is."""
    return Ref("code", SYSTEM, commit)


class Codes:
    """Makes code snapshots of one repository's commits; what refs say of them is read once."""

    def __init__(self, repository: Repository) -> None:
        """Read the repository's branches, tags and remote.

        Raises:
            Invalid: git cannot read them.
        """
        self.repository = repository
        self.branches = repository.branches()
        self.tags, self.elsewhere = repository.tags()
        self.tagged: dict[str, list[Tag]] = {}
        for tag in self.tags:
            self.tagged.setdefault(tag.commit, []).append(tag)
        self.remote = repository.remote()
        self.name = (
            self.remote.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git") or repository.name
        )
        self._submodules: dict[str, list[dict[str, str]]] = {}

    def thing(self, commit: Commit, among: Container[str] = ()) -> Thing:
        """Return a commit as a code snapshot; edges lead to those of its parents that are `among` what is read."""
        attrs: dict[str, Any] = {"commit": commit.id}
        tags = [tag.name for tag in self.tagged.get(commit.id, ())]
        for name, value in (
            ("repository", self.remote), ("branch", ", ".join(self.branches.get(commit.id, ()))), ("tags", tags), ("author", commit.author[:200]),
            ("subject", commit.subject[:300]), ("parents", list(commit.parents)), ("submodules", self._submodules_of(commit.tree)),
        ):  # fmt: skip
            if value:
                attrs[name] = value
        return Thing(
            commit_ref(commit.id), self.name, commit.id[:12], attrs, at=commit.at,
            edges=[("from", commit_ref(parent)) for parent in commit.parents if parent in among],
            where=f"{self.repository.name}: commit {commit.id[:12]}",
        )  # fmt: skip

    def _submodules_of(self, tree: str) -> list[dict[str, str]]:
        """Return the submodules that a tree pins: path, commit, and where they come from."""
        with contextlib.suppress(CarnetError):  # a damaged tree: its commit is still worth a snapshot
            entry = self.repository.find(tree, b".gitmodules")
            if entry is None or entry.mode == "40000":
                return []
            if entry.oid not in self._submodules:
                self._submodules[entry.oid] = _modules(shown(self.repository.read(entry.oid, MIB)))
            found = []
            for module in self._submodules[entry.oid]:
                pinned = self.repository.find(tree, module["path"].encode("utf-8", "surrogateescape"))
                if pinned is not None and pinned.mode == "160000":
                    found.append({**module, "commit": pinned.oid})
            return found
        return []

    def changed(self, commit: Commit) -> Thing | None:
        """Return what stands in the work tree on top of HEAD's commit, None where nothing is changed.

        Raises:
            Invalid: git cannot compare them.
        """
        found = changes(self.repository, commit)
        if found is None:
            return None
        whole = found.size == len(found.patch)
        attrs: dict[str, Any] = {"commit": commit.id, "dirty": True}
        for name, value in (
            ("repository", self.remote), ("branch", self.repository.branch()), ("untracked", found.untracked), ("untracked_more", found.more), ("hidden", found.hidden),
            ("large", found.large), ("unfiltered", found.unfiltered),
            ("patch_left_out", {} if whole else {"size": found.size, "digests": {"sha256": found.digest}}),
        ):  # fmt: skip
            if value:
                attrs[name] = value
        return Thing(
            Ref("code", SYSTEM, f"{commit.id}+{found.digest}"), self.name, f"{commit.id[:12]}+{found.digest[:12]}", attrs,
            edges=[("from", commit_ref(commit.id))], keep=[Keep("patch", "changes.patch", found.patch)] if whole else [],
            where=f"{self.repository.name}: work tree",
        )  # fmt: skip


def _modules(text: str) -> list[dict[str, str]]:
    """Return path and address of each submodule that `.gitmodules` names, sorted by path."""
    rows: dict[str, dict[str, str]] = {}
    section = ""
    for line in text.splitlines()[:10_000]:
        if found := re.match(r'\s*\[submodule "(.*)"\]', line):
            section = found[1]
        elif section and (found := re.match(r"\s*(path|url)\s*=\s*(.+?)\s*\Z", line)):
            rows.setdefault(section, {})[found[1]] = (
                found[2] if found[1] == "path" else git_reading.without_user(found[2])
            )
    return sorted((row for row in rows.values() if row.get("path")), key=lambda row: row["path"])
