"""What a run read and what it wrote: files by digest, folders as a list of digests, and what came to be below a folder meanwhile.

A digest must be of the bytes that the run saw. Small inputs are read before it begins; large ones while it runs, so that nobody waits for them,
and whatever changed in the meantime is said to have changed. Nothing is left out silently: what is not a file, cannot be read or is too much
becomes a note.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from carnet_store.errors import Invalid, NotFound

FILES_AT_MOST: Final = 10_000
"""So many files are looked at when nobody said which were written."""
READ_FIRST: Final = 1 << 20
"""An input of at most so many bytes is read before the run begins ..."""
READ_FIRST_ALL: Final = 16 << 20
"""... and at most so many of all of them."""
FILES_FIRST: Final = 200
"""A folder of at most so many files, as small together, is read before it too."""
NAMED_AT_MOST: Final = 5
_COARSE: Final = 5
"""CLOCK_REALTIME_COARSE of Linux."""

SKIPPED: Final = frozenset({
    ".git", ".hg", ".svn", ".carnet", ".venv", "venv", ".env", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".ipynb_checkpoints", ".dvc", ".idea", ".vscode", ".cache",
})  # fmt: skip
"""Folders in which no run's result lies."""
NEVER_IN: Final = frozenset({".git", ".carnet", "__pycache__"})
"""Folders that are no part of a dataset somebody names."""

MODEL_ENDS: Final = (
    ".pkl", ".pickle", ".joblib", ".onnx", ".pt", ".pth", ".ckpt", ".safetensors", ".h5", ".hdf5", ".keras", ".gguf", ".tflite", ".pmml",
    ".cbm", ".ubj", ".mlmodel",
)  # fmt: skip
CODE_ENDS: Final = (".py", ".r", ".jl", ".sh", ".bash", ".zsh", ".sql", ".ipynb", ".scala", ".java", ".js", ".ts", ".pl",
                    ".rb", ".lua", ".c", ".cpp", ".go", ".rs", ".m")  # fmt: skip
DOCUMENT_ENDS: Final = (".md", ".rst", ".html", ".htm", ".pdf", ".png", ".jpg", ".jpeg", ".svg", ".log")

Stamp = tuple[int, int, int]
"""Size in bytes, time of the last change in ns, file number: another where the bytes may be others."""


class Mark(NamedTuple):
    """What tells that a file came to be or was written to, also where its time was set back (`cp -p`, `tar x`, `mv`).

    `touched` (ns) moves with the bytes and with what the file is called and may be; nobody can set it. `mode` and `links` tell of the latter.
    """

    size: int
    changed: int
    number: int
    touched: int
    mode: int
    links: int


@dataclass(slots=True)
class Content:
    """A file or folder as it was read.

    `path` is written relative to where the command ran; `sha256` is of the bytes, of a folder of its `listing`; `size` in bytes, of a folder of
    all its files. `files` holds (path in the folder, sha256, size). `changed`: it was written to while the run went on.
    """

    path: str
    where: Path
    sha256: str
    size: int
    is_folder: bool = False
    listing: bytes = b""
    files: tuple[tuple[str, str, int], ...] = ()
    changed: bool = False


@dataclass(slots=True)
class Reading:
    """Reads contents and remembers how long that took and what was odd.

    After each MiB `heard` is called, and `stop` is asked whether to leave the rest. Nothing in a `private` folder is read.
    """

    folder: Path
    root: Path | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stop: Callable[[], bool] = lambda: False
    heard: Callable[[], None] = lambda: None
    private: tuple[Path, ...] = ()

    def name(self, path: Path) -> str:
        """Return how a path is written in the record: from the folder the command runs in where both lie in one project, else whole."""
        whole = _absolute(self.folder, path)
        for base in (self.folder, self.root):
            if base is not None and whole.is_relative_to(base):
                return Path(os.path.relpath(whole, self.folder)).as_posix()
        return whole.as_posix()

    def read(self, path: Path, only: Mapping[str, Stamp] | None = None) -> Content | None:
        """Read a file or folder (of that the files in `only`, if it is given); None, with a note, where that cannot be done."""
        began = time.perf_counter()
        try:
            whole = _absolute(self.folder, path)
            if self.is_private(whole):
                raise OSError(0, "it lies among keys")
            if whole.is_dir():
                return self._read_folder(whole, only)
            sha256, size = self._digest(whole)
            return Content(self.name(whole), whole, sha256, size)
        except OSError as error:
            self.notes.append(f"{self.name(path)} cannot be read: {error.strerror or error}")
        except _Stopped:
            self.notes.append(f"{self.name(path)} was not read to its end: you stopped it")
        finally:
            self.seconds += time.perf_counter() - began
        return None

    def is_private(self, path: Path) -> bool:
        """Say whether a path lies in a folder of keys, by its name or through a link."""
        if not self.private:
            return False
        real = Path(os.path.realpath(path))
        return any(one.is_relative_to(folder) for folder in self.private for one in (path, real))

    def _digest(self, path: Path) -> tuple[str, int]:
        import hashlib  # here, so that a command without inputs does not wait for it

        digest, size = hashlib.sha256(), 0
        with path.open("rb", buffering=0) as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise OSError(0, "it is no regular file")
            buffer = bytearray(1 << 20)
            view = memoryview(buffer)
            while count := handle.readinto(buffer):
                digest.update(view[:count])
                size += count
                self.heard()
                if self.stop():
                    raise _Stopped
        return digest.hexdigest(), size

    def _read_folder(self, folder: Path, only: Mapping[str, Stamp] | None) -> Content:
        import hashlib

        found: list[tuple[str, str, int]] = []
        odd: list[str] = []
        real = Path(os.path.realpath(folder))
        near = any(place.is_relative_to(base) for place in self.private for base in (folder, real))
        for path, entry in sorted(_walk(folder, NEVER_IN, odd), key=lambda pair: os.fsencode(pair[0])):
            if only is not None and path not in only:
                continue
            if (near or entry.is_symlink()) and self.is_private(Path(entry.path)):
                odd.append(f"{path} (a key)")
                continue
            try:
                sha256, size = self._digest(Path(entry.path))
            except OSError as error:
                odd.append(f"{path} ({error.strerror})")
                continue
            found.append((path, sha256, size))
        if only is not None:
            gone = set(only) - {path for path, _, _ in found} - {one.rpartition(" (")[0] for one in odd}
            odd += [f"{path} (gone before it was read)" for path in sorted(gone)]
        if odd:
            self.notes.append(f"left out of {self.name(folder)}: {shortened(odd)}")
        text = listing((path, sha256) for path, sha256, _ in found)
        size = sum(one for _, _, one in found)
        return Content(self.name(folder), folder, hashlib.sha256(text).hexdigest(), size, True, text, tuple(found))


class _Stopped(Exception):
    """The person does not want to wait for digests."""


def listing(rows: Iterable[tuple[str, str]]) -> bytes:
    """Return (path, sha256) rows as `sha256sum` writes and checks them, in the order given."""
    lines = []
    for path, sha256 in rows:
        strange = any(sign in path for sign in "\\\n\r")
        shown = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") if strange else path
        lines.append(("\\" if strange else "") + f"{sha256}  {shown}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def shortened(names: Sequence[str]) -> str:
    """Return the first names of many, and how many more there are."""
    more = f" and {len(names) - NAMED_AT_MOST:,} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def kind_of(name: str) -> str:
    """Return what a file is by the end of its name: model, code, document, else dataset."""
    lowered = name.lower()
    for kind, ends in (("model", MODEL_ENDS), ("code", CODE_ENDS), ("document", DOCUMENT_ENDS)):
        if lowered.endswith(ends):
            return kind
    return "dataset"


# -- inputs --------------------------------------------------------------------------------------------------------------


def stamp(path: Path) -> Stamp | None:
    """Return what tells whether a file was written to, None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def mark(path: Path) -> Mark | None:
    """Return what tells whether a file was written, None where there is none."""
    try:
        return _mark(path.stat())
    except OSError:
        return None


def _mark(found: os.stat_result) -> Mark:
    return Mark(found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns, found.st_mode, found.st_nlink)


def differs(before: Mark | None, now: Mark | None) -> bool:
    """Say whether a file is another than before, or may be; a right or a name that it got alone makes it none."""
    if before is None or now is None:
        return before is not now
    if before[:3] != now[:3]:
        return True
    return before.touched != now.touched and (before.mode, before.links) == (now.mode, now.links)


def takes_our_words(path: Path) -> bool:
    """Say whether a file is our own stderr (`2> log`): what we say at the end is written to it after its digest was taken."""
    try:
        return os.path.samestat(path.stat(), os.fstat(2))
    except OSError:
        return False


def named_in(argv: Sequence[str], folder: Path) -> list[Path]:
    """Return the regular files that arguments name, as `FILE`, `--flag=FILE` or `key=FILE`; the program itself is none of them."""
    found: dict[Path, None] = {}
    for word in argv[1:]:
        for text in (word, word.partition("=")[2]):
            if not text or len(text) > 4096 or text.startswith("-") or "\0" in text:
                continue
            path = _absolute(folder, Path(text))
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except (OSError, ValueError):
                continue
            if regular:
                found[path] = None
                break
    return list(found)


class Inputs:
    """What a run reads. Make it before the run begins; `finish` reads the rest, `changed` looks again at the end."""

    def __init__(self, reading: Reading, paths: Sequence[Path], begun: int) -> None:
        """Take note of `paths` and read the small ones; `begun` is the file system's time of the start in ns.

        Raises:
            NotFound: there is no such file. Invalid: it is neither a regular file nor a folder.
        """
        self._reading = reading
        self._begun = begun
        self._stamps: dict[Path, Stamp | None] = {}
        self._contents: dict[Path, Content | None] = {}
        self._first: set[Path] = set()
        self._inside: dict[Path, dict[str, Stamp]] = {}
        left = READ_FIRST_ALL
        for path in paths:
            whole = _absolute(reading.folder, path)
            if whole in self._stamps:
                continue
            try:
                mode = whole.stat().st_mode
            except OSError as error:
                raise NotFound(
                    f"{path} cannot be read: {error.strerror}", "--in names what the command reads"
                ) from None
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise Invalid(f"{path} is neither a regular file nor a folder", "--in takes files and folders")
            self._stamps[whole] = known = stamp(whole) if stat.S_ISREG(mode) else None
            if known is not None and known[0] <= min(READ_FIRST, left):
                left -= known[0]
                self._first.add(whole)
                self._contents[whole] = reading.read(whole)
            elif known is None and (inside := _stamps_in(whole)) is not None:
                self._inside[whole] = inside  # what the run adds to the folder is no input
                size = sum(one[0] for one in inside.values())
                if size <= min(READ_FIRST, left) and len(inside) <= FILES_FIRST:
                    left -= size
                    self._first.add(whole)
                    self._contents[whole] = reading.read(whole, inside)

    def finish(self) -> None:
        """Read what was not read yet."""
        for path in self._stamps:
            if path not in self._contents:
                self._contents[path] = self._reading.read(path, self._inside.get(path))

    def files(self) -> list[Path]:
        """Return the files, folders left out."""
        return [path for path, known in self._stamps.items() if known is not None]

    def was_written(self, path: Path) -> bool:
        """Say whether a file of these was written to, or is gone, since the start."""
        return self._stamps.get(path) != stamp(path)

    def contents(self) -> list[Content]:
        """Return what was read, each marked where it was written to while the run went on; those read before it are right all the same."""
        found = []
        for path, known in self._stamps.items():
            content = self._contents.get(path)
            if content is None:
                continue
            if known is not None:
                content.changed = self.was_written(path)
            elif path in self._inside:
                content.changed = any(stamp(path / name) != then for name, then in self._inside[path].items())
            else:
                content.changed = any(
                    (now := stamp(path / name)) is None or now[1] >= self._begun for name, _, _ in content.files
                )
            if content.changed and path not in self._first:
                self._reading.notes.append(
                    f"{content.path} was written to while the run went on: its digest may not be of what was read"
                )
            found.append(content)
        return found


def _stamps_in(folder: Path) -> dict[str, Stamp] | None:
    """Return the files in a folder with their stamps; None where there are too many to wait for."""
    found: dict[str, Stamp] = {}
    for path, entry in _walk(folder, NEVER_IN, []):
        if len(found) == FILES_AT_MOST:
            return None
        try:
            known = entry.stat()
        except OSError:
            continue
        found[path] = (known.st_size, known.st_mtime_ns, known.st_ino)
    return found


# -- outputs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """The files below a folder at one moment. `whole` is false where there were too many to look at."""

    stamps: Mapping[str, Mark]
    whole: bool = True


def look(folder: Path, at_most: int = FILES_AT_MOST) -> Scene:
    """Return the files below `folder`; hidden folders and those of tools are passed over."""
    found: dict[str, Mark] = {}
    for path, entry in _walk(folder, SKIPPED, [], hidden=False):
        if len(found) >= at_most:
            return Scene(found, whole=False)
        try:
            found[path] = _mark(entry.stat())
        except OSError:
            continue
    return Scene(found)


def written(before: Scene, after: Scene, begun: int) -> list[str]:
    """Return the files that came to be or were written to since `begun` (ns); `before` may be of a moment after that."""
    found = []
    for path, now in after.stamps.items():
        then = before.stamps.get(path)
        if differs(then, now) or now.changed >= begun or (then is not None and then.touched >= begun):
            found.append(path)
    return found


def file_clock() -> int:
    """Return a time (ns): the stamp of what was written before it is earlier, of what is written from now on it is not.

    Linux stamps files with a clock that lags some milliseconds behind: it is waited for.
    """
    now = time.time_ns()
    if sys.platform == "linux":
        for _ in range(100):  # a clock that is set back meanwhile is not waited for
            if time.clock_gettime_ns(_COARSE) >= now:
                break
            time.sleep(0.0002)
    return now


def _walk(
    folder: Path, skipped: frozenset[str], odd: list[str], *, hidden: bool = True
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (path within `folder`, entry) of regular files, linked ones too; linked folders are not entered."""
    todo = [("", os.fspath(folder))]
    while todo:
        inside, place = todo.pop()
        try:
            entries = list(os.scandir(place))
        except OSError as error:
            odd.append(f"{inside or place} ({error.strerror})")
            continue
        for entry in entries:
            path = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in skipped and (hidden or not entry.name.startswith(".")):
                        todo.append((path, entry.path))
                elif entry.is_file():
                    yield path, entry
                else:
                    odd.append(f"{path} (no regular file)")
            except OSError as error:
                odd.append(f"{path} ({error.strerror})")


def _absolute(folder: Path, path: Path) -> Path:
    return Path(os.path.normpath(folder / path.expanduser()))
