"""What stands in a work tree on top of a commit: a patch that does not hang on anybody's settings, and what git does not keep itself.

Rules: the patch's bytes, and so its digest, are the same for the same files. It begins with lines about files that are not tracked or kept by Git LFS (`git apply` passes
over them): their digests, never their content. No filter runs: an LFS file is compared with the pointer that git keeps; what passes another filter is named. Carnet's
own store is no part of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import CarnetError, Invalid
from carnet_store.exchange.importers.git_program import MIB, Program, shown
from carnet_store.exchange.importers.git_reading import Commit, Repository, discover
from carnet_store.storage.work_tree import DEPTH, INDEX, LFS, NO_LFS, differing, large, marked

PATCH: Final = 50 * MIB
"""Bytes of a patch that are kept; of a larger one only the digest is."""
HASHED: Final = 64 * MIB
"""Bytes up to which an untracked file is hashed; `HASHED_IN_ALL` for all of them together."""
HASHED_IN_ALL: Final = 512 * MIB
UNTRACKED: Final = 10_000
"""So many untracked files are named; the rest is counted."""
_STORE: Final = ":(top,exclude,glob)**/.carnet/**"
_ALL: Final = ("--", ":(top)", _STORE)
_ALL_BUT_LFS: Final = (*_ALL, NO_LFS)
_DIFF: Final = (
    "diff", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative", "--ignore-submodules=dirty",
    "--submodule=short", "--unified=3", "--inter-hunk-context=0", "--diff-algorithm=myers",
    "--indent-heuristic", f"-O{os.devnull}", "--ws-error-highlight=none",
)  # fmt: skip


@dataclass(slots=True)
class Changes:
    """What differs from a commit.

    Attributes:
        patch: its bytes as far as they are kept; `size` in bytes and `digest` (SHA-256) of the whole.
        untracked: files that git neither tracks nor ignores, `more` of them not named.
        hidden: files that git was told not to watch (`assume-unchanged`, `skip-worktree`) and that differ.
        large: files of Git LFS that differ from their pointer.
        unfiltered: changed files that pass a filter, compared without it.
    """

    patch: bytes = b""
    size: int = 0
    digest: str = ""
    untracked: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0
    hidden: list[dict[str, Any]] = field(default_factory=list)
    large: list[dict[str, Any]] = field(default_factory=list)
    unfiltered: list[str] = field(default_factory=list)


def changes(repository: Repository, commit: Commit) -> Changes | None:
    """Return what stands in the work tree on top of HEAD's commit, None where nothing differs.

    Raises:
        Invalid: git cannot compare them.
    """
    git = repository.git
    git.mute()
    made = Changes()
    trees = list(_trees(git, repository.folder, commit.id, b""))
    names = [
        within + name
        for tree, _, _, within in trees
        for name in tree.run("ls-files", "--others", "--exclude-standard", "-z", *_ALL).split(b"\0")
        if name
    ]
    made.untracked = list(_untracked(repository.folder, sorted(names)[:UNTRACKED]))
    made.more = max(0, len(names) - UNTRACKED)
    made.hidden = [row for tree, top, _, within in trees for row in _hidden(tree, top, within)]
    changed_lfs = git.run(*_DIFF, "--name-only", "-z", commit.id, "--", LFS, _STORE).split(b"\0")
    made.large = list(large(repository.folder, changed_lfs, partial(_pointer, repository, commit), shown))
    head = "".join(_line("untracked", row) for row in made.untracked)
    head += f"# untracked {made.more} more\n" if made.more else ""
    head += "".join([*(_line("hidden", row) for row in made.hidden), *(_line("changed", row) for row in made.large)])
    about = head.encode("utf-8", "backslashreplace")
    kept, total, made.size = bytearray(about), hashlib.sha256(about), len(about)
    for tree, _, at, within in trees:
        prefixes = (f"--src-prefix=a/{os.fsdecode(within)}", f"--dst-prefix=b/{os.fsdecode(within)}")
        for piece in tree.stream(*_DIFF, *prefixes, "--binary", at, *(_ALL if within else _ALL_BUT_LFS)):
            total.update(piece)
            made.size += len(piece)
            if made.size <= PATCH:
                kept += piece
    if not made.size:
        return None
    made.patch, made.digest = bytes(kept), total.hexdigest()
    if made.size > len(about):
        changed = git.run(*_DIFF, "--name-only", "-z", commit.id, *_ALL_BUT_LFS)
        told = git.run("check-attr", "-z", "--stdin", "filter", given=changed).split(b"\0")
        made.unfiltered = sorted(
            shown(path)
            for path, value in zip(told[::3], told[2::3], strict=False)
            if value not in (b"unspecified", b"unset")
        )
    return made


def at_a_glance(repository: Repository, commit: str, seconds: float) -> int:
    """Return how many files stand changed or untracked on top of a commit, as far as that can be seen within `seconds`.

    Submodules, files kept by Git LFS and files not to be watched are not looked into: 0 does not say that nothing differs.
    """
    git = repository.git
    try:
        git.mute()
        changed = git.run(*_DIFF, "--name-only", "-z", commit, *_ALL_BUT_LFS, seconds=seconds)
        untracked = git.run("ls-files", "--others", "--exclude-standard", "-z", *_ALL, seconds=seconds)
    except Invalid:
        return 0
    return changed.count(b"\0") + untracked.count(b"\0")


def _trees(
    git: Program, top: Path, commit: str, within: bytes, depth: int = DEPTH
) -> Iterator[tuple[Program, Path, str, bytes]]:
    """Yield git, folder, commit and place (`vendor/`) of a work tree and of its submodules that are checked out.

    Raises:
        Invalid: a submodule cannot be read: nobody can tell whether it is changed.
    """
    yield git, top, commit, within
    for one in sorted(one for one in marked(git.stream(*INDEX)) if one.is_submodule):
        folder = top / os.fsdecode(one.path)
        if not (folder / ".git").exists():
            continue
        place = discover(folder)
        if depth == 0 or place is None or place.top != folder.resolve():
            raise Invalid(f"the submodule {shown(within + one.path)} cannot be read")
        inner = Program(place.git_dir, folder)
        inner.mute()
        found = inner.run("rev-parse", "--verify", "--quiet", "HEAD", fine=(0, 1)).decode("ascii", "replace").strip()
        if not found:
            raise Invalid(f"the submodule {shown(within + one.path)} has no commit")
        yield from _trees(inner, folder, found, within + one.path + b"/", depth - 1)


def _hidden(git: Program, top: Path, within: bytes) -> list[dict[str, Any]]:
    """Return the files of a work tree that git was told not to watch and that differ."""
    files = [one for one in marked(git.stream(*INDEX)) if not one.is_submodule]
    return differing(top, files, lambda path: shown(within + path))


def _untracked(folder: Path, names: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield path, size in bytes and SHA-256 of files, within the limits; of a link where it leads."""
    left = HASHED_IN_ALL
    for name in names:
        row: dict[str, Any] = {"path": shown(name)}
        with contextlib.suppress(OSError, ValueError):
            path = folder / os.fsdecode(name)
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                row["link"] = shown(os.fsencode(path.readlink()))
            elif stat.S_ISREG(about.st_mode):
                row["size"] = about.st_size
                if about.st_size <= min(HASHED, left):
                    left -= about.st_size
                    row["digests"] = {"sha256": _sha256(path)}
        yield row


def _pointer(repository: Repository, commit: Commit, name: bytes) -> bytes:
    with contextlib.suppress(CarnetError):
        entry = repository.find(commit.tree, name)
        return repository.read(entry.oid, 1024) if entry is not None else b""
    return b""


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _line(word: str, row: dict[str, Any]) -> str:
    digest = f"sha256:{row['digests']['sha256']}" if "digests" in row else "not hashed"
    link = f" -> {json.dumps(row['link'])}" if "link" in row else ""
    gone = " gone" if row.get("gone") else ""
    return f"# {word} {digest} {row.get('size', 0)} {json.dumps(row['path'])}{link}{gone}\n"
