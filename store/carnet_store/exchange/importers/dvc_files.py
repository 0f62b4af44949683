"""Where DVC's files and the bytes they name lie: a commit's tree or a folder, a DVC cache, a remote that is a folder here.

Rules: nothing is believed by its name, only by its MD5; DVC's own files are not read through links that lead out; what is looked through is bounded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from carnet_store.errors import CarnetError, Invalid
from carnet_store.exchange.importers.files import Unreadable, read_bytes
from carnet_store.exchange.importers.git_program import MIB, shown
from carnet_store.exchange.importers.git_reading import Repository
from carnet_store.exchange.importers.things import Source, Unread

MOST_FILES: Final = 50_000
"""Files of DVC in one commit or folder."""
MOST_ENTRIES: Final = 500_000
"""Entries of a folder that are looked through."""
WHOLE: Final = 32 * MIB
"""Bytes of a file that are taken into memory."""
HASHED: Final = 4096 * MIB
"""Bytes of one file that are read for its SHA-256."""
_REMEMBERED: Final = 1_000_000
_NOT_ENTERED: Final = frozenset({".git", ".dvc", "node_modules", "__pycache__"})


class Row(NamedTuple):
    """A file of DVC: its path from the top, and a stamp that is the same for the same content."""

    path: str
    stamp: str


class Files(Protocol):
    """The files of one commit, or of a folder as it stands. `label` says which, for messages (` at a5dcf46b88c2`)."""

    label: str

    def rows(self) -> tuple[Row, ...]:
        """Return all `dvc.yaml`, `dvc.lock` and `*.dvc`, sorted by path.

        Raises:
            Unreadable: there are too many, or they cannot be listed.
        """

    def content(self, row: Row) -> bytes:
        """Return the bytes of such a file.

        Raises:
            Unreadable: it is too large, damaged, or no regular file.
        """

    def find(self, path: str) -> Blob | None:
        """Return any file by its path from the top, None where it is not there."""

    def names(self, path: str) -> list[str]:
        """Return the names of the files directly in a folder, by its path from the top; nothing where there is none."""


class Blob(NamedTuple):
    """Bytes at hand: what they are remembered by, how many, and a way to read them piece by piece."""

    key: str
    size: int
    pieces: Callable[[], Iterator[bytes]]

    def whole(self, most: int = WHOLE) -> bytes:
        """Return all bytes.

        Raises:
            Unreadable: there are more than `most`. CarnetError, OSError: they cannot be read.
        """
        if self.size > most:
            raise Unreadable(self.key, f"is larger than {most // MIB} MiB")
        return b"".join(self.pieces())


def is_dvc(name: str) -> bool:
    """Say whether a file of that name is one of DVC's."""
    return name in ("dvc.yaml", "dvc.lock") or (name.endswith(".dvc") and len(name) > 4)


class GitTrees:
    """Finds DVC's files in the trees of one repository; what a tree holds is remembered, so a commit costs only what it changed."""

    def __init__(self, repository: Repository, prefix: str) -> None:
        """Look below `prefix` (a path from the top, `""` for all)."""
        self.repository = repository
        self.prefix = prefix
        self._known: dict[str, tuple[tuple[bytes, str], ...]] = {}
        self._remembered = 0

    def at(self, tree: str, label: str) -> TreeFiles:
        """Return the files of a tree."""
        return TreeFiles(self, tree, label)

    def below(self, tree: str, depth: int = 0) -> tuple[tuple[bytes, str], ...]:
        """Return (path, object id) of DVC's files below a tree.

        Raises:
            Unreadable: there are too many, or folders are nested too deeply. CarnetError: the repository cannot be read.
        """
        known = self._known.get(tree)
        if known is not None:
            return known
        if depth > 100:
            raise Unreadable(self.repository.name, "folders are nested deeper than 100")
        found: list[tuple[bytes, str]] = []
        for mode, name, oid in self.repository.tree(tree):
            if mode == "40000":
                if name not in (b".dvc", b".git"):
                    found += [(name + b"/" + path, inner) for path, inner in self.below(oid, depth + 1)]
            elif mode != "160000" and is_dvc(shown(name)):
                found.append((name, oid))
            if len(found) > MOST_FILES:
                raise Unreadable(self.repository.name, f"more than {MOST_FILES:,} files of DVC in one commit")
        self._remembered += len(found) + 1
        if self._remembered > _REMEMBERED:
            self._known.clear()
            self._remembered = 0
        self._known[tree] = tuple(found)
        return self._known[tree]


class TreeFiles:
    """The files of one commit."""

    def __init__(self, trees: GitTrees, tree: str, label: str) -> None:
        self._trees, self._repository, self._tree, self.label = trees, trees.repository, tree, label

    def rows(self) -> tuple[Row, ...]:
        """Return all files of DVC, sorted by path."""
        tree, start = self._tree, ""
        try:
            if self._trees.prefix:
                entry = self._repository.find(tree, self._trees.prefix.encode())
                if entry is None or entry.mode != "40000":
                    return ()
                tree, start = entry.oid, f"{self._trees.prefix}/"
            return tuple(sorted(Row(start + shown(path), oid) for path, oid in self._trees.below(tree)))
        except CarnetError as error:
            raise Unreadable(f"{self._repository.name}{self.label}", error.message) from None

    def content(self, row: Row) -> bytes:
        """Return the bytes of a file of DVC."""
        try:
            return self._repository.read(row.stamp, WHOLE)
        except CarnetError as error:
            raise Unreadable(f"{row.path}{self.label}", error.message) from None

    def find(self, path: str) -> Blob | None:
        """Return any file of the commit."""
        try:
            entry = self._repository.find(self._tree, path.encode())
            if entry is None or not entry.mode.startswith("100"):
                return None
            size = self._repository.size(entry.oid)
        except CarnetError:
            return None
        return None if size < 0 else Blob(entry.oid, size, lambda: self._repository.pieces(entry.oid, HASHED))

    def names(self, path: str) -> list[str]:
        """Return the names of the files in a folder of the commit."""
        try:
            entry = self._repository.find(self._tree, path.encode())
            if entry is None or entry.mode != "40000":
                return []
            return [shown(name) for mode, name, _ in self._repository.tree(entry.oid) if mode.startswith("100")]
        except CarnetError:
            return []


class FolderFiles:
    """The files of a folder as it stands; paths are told from `top`, what is looked through is `folder` in it."""

    def __init__(self, top: Path, folder: Path | None = None, label: str = "") -> None:
        self.top, self.label = top, label
        self._folder = folder or top

    def rows(self) -> tuple[Row, ...]:
        """Return all files of DVC, sorted by path."""
        found: list[Row] = []
        seen = 0
        for place, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if name not in _NOT_ENTERED)
            seen += len(folders) + len(names)
            if seen > MOST_ENTRIES or len(found) > MOST_FILES:
                raise Unreadable(
                    str(self._folder),
                    f"holds more than {MOST_ENTRIES:,} files",
                    "name the folder that holds the dvc.yaml",
                )
            found += [self._row(Path(place, name)) for name in names if is_dvc(name)]
        return tuple(sorted(found))

    def _row(self, path: Path) -> Row:
        text = shown(os.fsencode(path.relative_to(self.top).as_posix()))
        try:
            about = path.stat()
        except OSError:  # said where it is read
            return Row(text, f"{path}\0")
        return Row(text, f"{path}\0{about.st_size}\0{about.st_mtime_ns}")

    def content(self, row: Row) -> bytes:
        """Return the bytes of a file of DVC."""
        path = Path(row.stamp.partition("\0")[0])
        try:
            at_home = path.resolve().is_relative_to(self.top.resolve())
        except (OSError, RuntimeError):
            at_home = False
        if not at_home:
            raise Unreadable(f"{row.path}{self.label}", "is a link that leads out of the folder")
        try:
            return read_bytes(path, WHOLE)
        except Unreadable as error:
            raise Unreadable(f"{row.path}{self.label}", error.why) from None

    def find(self, path: str) -> Blob | None:
        """Return any file of the folder; links are followed, as DVC leaves them to its cache."""
        if path.startswith(("/", "../")) or path == "..":
            return None
        return file_blob(self.top / path)

    def names(self, path: str) -> list[str]:
        """Return the names of the files in a folder."""
        try:
            with os.scandir(self.top / path) as entries:
                return [shown(os.fsencode(one.name)) for one in entries if one.is_file()]
        except (OSError, ValueError):
            return []


def file_blob(path: Path) -> Blob | None:
    """Return a regular file as bytes at hand, None where there is none."""
    try:
        about = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(about.st_mode):
        return None

    def pieces() -> Iterator[bytes]:
        with path.open("rb") as handle:
            while piece := handle.read(MIB):
                yield piece

    return Blob(f"{path}\0{about.st_size}\0{about.st_mtime_ns}", about.st_size, pieces)


class Sums(NamedTuple):
    """Digests of whole bytes, and how many there are."""

    md5: str
    sha256: str
    size: int


@dataclass(slots=True)
class Found:
    """Bytes that have the MD5 that was asked for."""

    sums: Sums
    data: Callable[[], bytes]


class Contents:
    """Finds bytes by their MD5: in a commit or folder, in DVC's caches, in the work tree. Each content is read once."""

    def __init__(self, caches: list[Path], work: FolderFiles | None) -> None:
        self.caches, self._work = caches, work
        self._sums: dict[str, Sums] = {}
        self._entries: dict[str, dict[str, str] | None] = {}
        self.skipped: list[Unread] = []

    def seek(self, path: str, md5: str, size: int, files: Files, *, unix: bool = False) -> Found | None:
        """Return the bytes whose MD5 that is, None where they are not at hand.

        `size` is -1 where it is not known; `unix`: the MD5 may be that of the text with line feeds alone, as DVC before 3 reckoned.
        """
        for blob, in_git in self._places(path, md5, files):
            try:
                if size < 0 or blob.size == size:
                    found = self._fits(blob, md5, unix)
                elif in_git and blob.size < size <= WHOLE:  # git may have taken the carriage returns out
                    found = _with_returns(blob, md5, size)
                else:
                    continue
            except (OSError, CarnetError, Unreadable):
                continue
            if found is not None:
                return found
        return None

    def listing(self, md5: str) -> bytes | None:
        """Return the listing of a folder (`<32 hex>.dir`) out of a cache, None where it is not at hand."""
        for blob in self._cached(md5):
            try:
                data = blob.whole()
            except (OSError, Unreadable):
                continue
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == md5.removesuffix(".dir"):
                return data
        return None

    def entries(self, md5: str) -> dict[str, str] | None:
        """Return path -> MD5 of the files of a folder, by its listing; None where that is not at hand or has not its form."""
        if md5 not in self._entries:
            if len(self._entries) > 1000:
                self._entries.clear()
            self._entries[md5] = _listed(self.listing(md5))
        return self._entries[md5]

    def compared(self, read: tuple[str, str], made: tuple[str, str]) -> tuple[str, str] | None:
        """Return (MD5 that was read, MD5 that is made) of a file, where one of two (path, MD5) is a folder with the other in it.

        None where no listing at hand says it.
        """
        if inside(made[0], read[0]) and not made[1].endswith(".dir"):
            listed = self.entries(read[1]) or {}
            used = listed.get(made[0][len(read[0]) + 1 :])
            return (used, made[1]) if used else None
        if inside(read[0], made[0]) and not read[1].endswith(".dir"):
            listed = self.entries(made[1]) or {}
            new = listed.get(read[0][len(made[0]) + 1 :])
            return (read[1], new) if new else None
        return None

    def _places(self, path: str, md5: str, files: Files) -> Iterator[tuple[Blob, bool]]:
        for holder in (files, self._work):
            if holder is not None and (blob := holder.find(path)) is not None:
                yield blob, isinstance(holder, TreeFiles)
            if holder is files:
                yield from ((blob, False) for blob in self._cached(md5))

    def _cached(self, md5: str) -> Iterator[Blob]:
        for cache in self.caches:
            for place in (cache / "files" / "md5", cache):
                if (blob := file_blob(place / md5[:2] / md5[2:])) is not None:
                    yield blob

    def sums(self, blob: Blob) -> Sums | None:
        """Return digests and size of bytes at hand, None where they cannot be read or are too many."""
        try:
            return self._summed(blob) if blob.size <= HASHED else None
        except (OSError, CarnetError):
            return None

    def _summed(self, blob: Blob) -> Sums:
        sums = self._sums.get(blob.key)
        if sums is None:
            first, second, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
            for piece in blob.pieces():
                first.update(piece)
                second.update(piece)
                size += len(piece)
            if len(self._sums) > _REMEMBERED:
                self._sums.clear()
            sums = self._sums[blob.key] = Sums(first.hexdigest(), second.hexdigest(), size)
        return sums

    def _fits(self, blob: Blob, md5: str, unix: bool) -> Found | None:
        if blob.size > HASHED:
            self.skipped.append(
                Unread(
                    blob.key.partition("\0")[0], f"has more than {HASHED // MIB // 1024} GiB: its SHA-256 was not taken"
                )
            )
            return None
        sums = self._summed(blob)
        if sums.md5 == md5:
            return Found(sums, blob.whole)
        if unix and blob.size <= WHOLE:
            plain = blob.whole().replace(b"\r\n", b"\n")
            if hashlib.md5(plain, usedforsecurity=False).hexdigest() == md5:
                return Found(sums, blob.whole)
        return None


def _with_returns(blob: Blob, md5: str, size: int) -> Found | None:
    data = blob.whole().replace(b"\n", b"\r\n")
    if len(data) != size or hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        return None
    return Found(Sums(md5, hashlib.sha256(data).hexdigest(), size), lambda: data)


def _listed(data: bytes | None) -> dict[str, str] | None:
    try:
        rows = json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    return {
        str(row["relpath"]): str(row["md5"]) for row in rows if isinstance(row, dict) and "relpath" in row and "md5" in row
    }  # fmt: skip


def caches(source: Source, folders: list[Path], configurations: list[bytes]) -> list[Path]:
    """Return the folders here that may hold content by MD5: DVC's own cache in `folders`, and what its configurations name.

    `source.maps` may say where a remote (`s3://…`) lies here.
    """
    found = [folder / ".dvc" / "cache" for folder in folders]
    beside = folders[0] / ".dvc" if folders else source.path
    for data in configurations:
        section = ""
        for line in data.decode("utf-8", "replace").splitlines():
            if header := re.match(r"\s*\[(.*)\]\s*\Z", line):
                section = header[1].strip().strip("'\"")
            elif pair := re.match(r"\s*(dir|url)\s*=\s*(.+?)\s*\Z", line):
                wanted = "dir" if section == "cache" else "url" if section.startswith("remote ") else ""
                if pair[1] == wanted:
                    with contextlib.suppress(ValueError):  # no address at all, such as `https://[`
                        place = source.find(pair[2].strip("'\""), beside)
                        found += [] if place is None else [place]
    return [place for place in dict.fromkeys(found) if place.is_dir()]


def joined(folder: str, path: str) -> str:
    """Return a path as told from the top: relative to `folder`, unless it is absolute or an address (`s3://…`)."""
    if path.startswith("/") or "://" in path or not path:
        return path
    parts: list[str] = []
    for part in f"{folder}/{path}".split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "."


def inside(path: str, folder: str) -> bool:
    """Say whether a path lies below a folder."""
    return path.startswith(f"{folder.rstrip('/')}/") and path != folder


def of_prefix(path: Path, top: Path) -> str:
    """Return where `path` lies below `top`, as a path of git's.

    Raises:
        Invalid: it does not lie there.
    """
    try:
        found = path.resolve().relative_to(top.resolve()).as_posix()
    except (ValueError, OSError):
        raise Invalid(f"{path} does not lie in {top}") from None
    return "" if found == "." else found
