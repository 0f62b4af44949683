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
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import CarnetError
from carnet_store.exchange.importers.git_program import MIB, shown
from carnet_store.exchange.importers.git_reading import Commit, Repository

PATCH: Final = 50 * MIB
"""Bytes of a patch that are kept; of a larger one only the digest is."""
HASHED: Final = 64 * MIB
"""Bytes up to which an untracked file is hashed; `HASHED_IN_ALL` for all of them together."""
HASHED_IN_ALL: Final = 512 * MIB
UNTRACKED: Final = 10_000
"""So many untracked files are named; the rest is counted."""
_STORE: Final = ":(top,exclude,glob)**/.carnet/**"
_LFS: Final = ":(top,attr:filter=lfs)"
_ALL_BUT_LFS: Final = ("--", ":(top)", _STORE, ":(top,exclude,attr:filter=lfs)")
_DIFF: Final = (
    "diff", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative", "--ignore-submodules=dirty",
    "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0", "--diff-algorithm=myers",
    "--indent-heuristic", f"-O{os.devnull}", "--ws-error-highlight=none",
)  # fmt: skip
_POINTER: Final = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n")


@dataclass(slots=True)
class Changes:
    """What differs from a commit.

    Attributes:
        patch: its bytes as far as they are kept; `size` in bytes and `digest` (SHA-256) of the whole.
        untracked: files that git neither tracks nor ignores, `more` of them not named.
        large: files of Git LFS that differ from their pointer.
        unfiltered: changed files that pass a filter, compared without it.
    """

    patch: bytes = b""
    size: int = 0
    digest: str = ""
    untracked: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0
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
    names = [
        name
        for name in git.run("ls-files", "--others", "--exclude-standard", "-z", "--", ":(top)", _STORE).split(b"\0")
        if name
    ]
    made.untracked = list(_untracked(repository.folder, sorted(names)[:UNTRACKED]))
    made.more = max(0, len(names) - UNTRACKED)
    made.large = list(_large(repository, commit, git.run(*_DIFF, "--name-only", "-z", commit.id, "--", _LFS, _STORE)))
    about = "".join(
        [*(_line("untracked", row) for row in made.untracked), *(_line("changed", row) for row in made.large)]
    )
    head = (about + (f"# untracked {made.more} more\n" if made.more else "")).encode("utf-8", "backslashreplace")
    kept, total, made.size = bytearray(head), hashlib.sha256(head), len(head)
    for piece in git.stream(*_DIFF, "--binary", commit.id, *_ALL_BUT_LFS):
        total.update(piece)
        made.size += len(piece)
        if made.size <= PATCH:
            kept += piece
    if not made.size:
        return None
    made.patch, made.digest = bytes(kept), total.hexdigest()
    if made.size > len(head):
        changed = git.run(*_DIFF, "--name-only", "-z", commit.id, *_ALL_BUT_LFS)
        told = git.run("check-attr", "-z", "--stdin", "filter", given=changed).split(b"\0")
        made.unfiltered = sorted(
            shown(path)
            for path, value in zip(told[::3], told[2::3], strict=False)
            if value not in (b"unspecified", b"unset")
        )
    return made


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


def _large(repository: Repository, commit: Commit, names: bytes) -> Iterator[dict[str, Any]]:
    """Yield the files of Git LFS that are not what their pointer says; git alone cannot tell, for it would need the filter."""
    for name in sorted(name for name in names.split(b"\0") if name):
        pointer = b""
        with contextlib.suppress(CarnetError):
            entry = repository.find(commit.tree, name)
            pointer = repository.read(entry.oid, 1024) if entry is not None else b""
        wanted = _POINTER.search(pointer)
        row: dict[str, Any] = {"path": shown(name)}
        with contextlib.suppress(OSError, ValueError):
            path = repository.folder / os.fsdecode(name)
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                row["size"] = about.st_size
                same_size = wanted is not None and int(wanted[2]) == about.st_size
                if same_size or about.st_size <= HASHED:
                    row["digests"] = {"sha256": _sha256(path)}
                if about.st_size <= 1024 and path.read_bytes() == pointer:
                    continue  # the pointer itself lies there: it was checked out without its content
        if wanted is None or row.get("digests") != {"sha256": wanted[1].decode()}:
            yield row


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _line(word: str, row: dict[str, Any]) -> str:
    digest = f"sha256:{row['digests']['sha256']}" if "digests" in row else "not hashed"
    link = f" -> {json.dumps(row['link'])}" if "link" in row else ""
    return f"# {word} {digest} {row.get('size', 0)} {json.dumps(row['path'])}{link}\n"
