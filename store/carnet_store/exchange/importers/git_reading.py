"""A git repository as facts: its commits, tags, trees and bytes, and a bundle unpacked for a while (`git_program` runs git).

Rules: what git prints is data of unknown hands; objects are checked against their ids, so that a damaged or forged one is refused; an address loses user
and password here, before anything else sees it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from carnet_store.errors import Invalid, NotFound
from carnet_store.exchange.importers.git_program import MIB, SECONDS, Batch, Program, environment, is_id, program, shown

OBJECT: Final = 32 * MIB
"""Bytes of one object that are taken into memory."""
BUNDLE_SECONDS: Final = 600.0
"""Time that unpacking a bundle may take."""
_ENTRIES: Final = 500_000  # entries of trees that are remembered, about 150 bytes each
_FIELDS: Final = (
    "refname:lstrip=2", "objecttype", "objectname", "*objecttype", "*objectname", "taggername", "taggerdate:unix", "contents:subject",
    "authorname", "committerdate:unix", "*authorname", "*committerdate:unix",
)  # fmt: skip


class Place(NamedTuple):
    """Where a repository lies: its own folder, and the top of its work tree (None where it is bare)."""

    git_dir: Path
    top: Path | None


class Entry(NamedTuple):
    """An entry of a tree: mode as octal text (`100644`, `40000`, `120000` a link, `160000` a submodule), name, object id."""

    mode: str
    name: bytes
    oid: str


class Tag(NamedTuple):
    """A tag that leads to a commit; `tagger` and `at` (ms) are the commit's where the tag has none of its own."""

    name: str
    commit: str
    tagger: str
    at: int
    subject: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: ids in full, `at` the committer's time in ms since 1970, `parents` as the repository holds them."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    at: int
    subject: str


def discover(path: Path) -> Place | None:
    """Return the repository that the folder `path` is or lies in, found as git finds it; None where there is none."""
    try:
        start = path.resolve()
        if not start.is_dir():
            return None
        for folder in (start, *start.parents):
            mark = folder / ".git"
            if mark.is_file():
                led = _led_to(mark)
                return Place(led, folder) if led is not None else None
            if _is_git_dir(mark):
                return Place(mark, folder)
            if _is_git_dir(folder):
                return Place(folder, None)
    except (OSError, ValueError):
        return None
    return None


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _led_to(mark: Path) -> Path | None:
    """Return the folder that a `.git` file names: of a worktree or a submodule."""
    with mark.open("rb") as handle:
        text = handle.read(4096).decode("utf-8", "surrogateescape")
    if not text.startswith("gitdir:"):
        return None
    led = mark.parent / text[len("gitdir:") :].strip()
    return led if (led / "HEAD").is_file() else None


class Repository:
    """One repository, for reading. Close it, or leave its `with`: the processes that read objects end."""

    def __init__(self, place: Place, name: str = "", transports: str = "none") -> None:
        """Open the repository at `place`; `name` is what to call it where its folder says nothing.

        Raises:
            Invalid: git is not installed.
        """
        self.git_dir, self.top = place
        self.git = Program(self.git_dir, self.top, transports)
        self.folder = self.git.folder
        self.name = name or self.folder.resolve().name.removesuffix(".git") or "repository"
        self._blobs: Batch | None = None
        self._sizes: Batch | None = None
        self._trees: dict[str, tuple[Entry, ...]] = {}
        self._remembered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that read objects."""
        for batch in (self._blobs, self._sizes):
            if batch is not None:
                batch.end()
        self._blobs = self._sizes = None

    # -- refs and commits ----------------------------------------------------------------------------------------------

    def commit_of(self, revision: str) -> str:
        """Return the id of the commit that `HEAD` or an object id means, `""` where there is none (yet)."""
        said = shown(self.git.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", fine=(0, 1))).strip()
        return said if is_id(said) else ""

    def branch(self) -> str:
        """Return the branch that HEAD stands on, `""` where it is detached."""
        return shown(self.git.run("symbolic-ref", "--quiet", "--short", "HEAD", fine=(0, 1))).strip("\n")

    def branches(self) -> dict[str, list[str]]:
        """Return commit id -> the branches that stand on it, sorted; a remote's `origin/main` is `main`, so that every clone says the same."""
        found: dict[str, set[str]] = {}
        for oid, name, leads in self._refs(("objectname", "refname", "symref"), "refs/heads", "refs/remotes"):
            if not leads:
                found.setdefault(oid, set()).add(name.split("/", 2 if name.startswith("refs/heads/") else 3)[-1])
        return {commit: sorted(names) for commit, names in found.items()}

    def tags(self) -> tuple[list[Tag], list[str]]:
        """Return the tags that lead to a commit, sorted by name, and the names of those that lead elsewhere."""
        found, others = [], []
        for name, kind, oid, inner, peeled, tagger, at, subject, author, when, inner_author, inner_when in self._refs(
            _FIELDS, "refs/tags"
        ):
            if kind == "commit":
                found.append(Tag(name, oid, author, _ms(when), subject))
            elif kind == "tag" and inner == "commit":
                found.append(Tag(name, peeled, tagger or inner_author, _ms(at) or _ms(inner_when), subject))
            elif kind == "tag" and (led := self.commit_of(oid)):
                found.append(Tag(name, led, tagger, _ms(at), subject))
            else:
                others.append(name)
        return sorted(found), sorted(others)

    def _refs(self, fields: Sequence[str], *below: str) -> Iterator[list[str]]:
        form = "%00".join(f"%({field})" for field in fields)
        for line in self.git.run("for-each-ref", f"--format={form}", *below).split(b"\n"):
            row = [shown(part) for part in line.split(b"\0")]
            if len(row) == len(fields):
                yield row

    def commits(
        self, *args: str, most: int, starts: Sequence[str] = (), paths: Sequence[str] = (), seconds: float = SECONDS
    ) -> list[Commit]:  # fmt: skip
        """Return at most `most` commits, newest first by the committer's time, no parent before its child.

        `args` are words of `git rev-list`, `starts` commits to begin from, `paths` pathspecs of which a commit touches one.

        Raises:
            Invalid: as `Program.run`.
        """
        told = self.git.run(
            "rev-list", f"--max-count={most}", "--format=%H%x00%T%x00%P%x00%an%x00%ct%x00%s", "--stdin",
            *(args if "--no-walk" in args else ("--date-order", *args)), "--", *paths,
            given="".join(f"{one}\n" for one in starts).encode(), seconds=seconds,
        )  # fmt: skip
        found = []
        for line in told.split(b"\n"):
            parts = [shown(part) for part in line.split(b"\0")]
            if len(parts) == 6:
                oid, tree, parents, author, at, subject = parts
                found.append(Commit(oid, tree, tuple(parents.split()), author, _ms(at), subject))
        return found

    def count(self, *args: str, most: int, seconds: float = SECONDS) -> int:
        """Return how many commits `git rev-list` counts for `args`, `most` at most; here a commit graph is believed, for speed."""
        return int(
            self.git.run(
                "-c", "core.commitGraph=true", "rev-list", "--count", f"--max-count={most}", *args, seconds=seconds
            )
        )

    def shallow(self) -> bool:
        """Say whether the history was cut off when the repository was cloned."""
        return self.git.run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def remote(self) -> str:
        """Return where the repository comes from (`origin`, else the first remote), user and password left out; `""` if from nowhere."""
        urls: dict[str, str] = {}
        for row in self.git.run(
            "config", "--local", "--null", "--get-regexp", r"^remote\..*\.url$", limit=MIB, fine=(0, 1)
        ).split(b"\0"):
            name, _, url = shown(row).partition("\n")
            if url:
                urls.setdefault(name[len("remote.") : -len(".url")], url)
        return without_user(urls.get("origin") or urls[min(urls)]) if urls else ""

    # -- objects -------------------------------------------------------------------------------------------------------

    def size(self, oid: str) -> int:
        """Return an object's size in bytes, -1 where the repository does not hold it."""
        if self._sizes is None:
            self._sizes = Batch(self.git, "--batch-check")
        return self._sizes.ask(oid)[1]

    def read(self, oid: str, most: int = OBJECT) -> bytes:
        """Return an object's bytes, checked against its id.

        Raises:
            NotFound: the repository does not hold it. Invalid: it has more than `most` bytes, or its bytes have another id.
        """
        return b"".join(self.pieces(oid, most))

    def pieces(self, oid: str, most: int) -> Iterator[bytes]:
        """Yield an object's bytes piece by piece; that they have this id is known at the end.

        Raises:
            NotFound, Invalid: as `read`.
        """
        size = self.size(oid)
        if size < 0:
            raise NotFound(f"{self.folder} does not hold the object {oid[:12]}", "a partial clone? fetch it whole")
        if size > most:
            raise Invalid(f"the object {oid[:12]} of {self.folder} has {size:,} bytes; at most {most:,} are read")
        if self._blobs is None:
            self._blobs = Batch(self.git, "--batch")
        batch, whole = self._blobs, False
        kind, size = batch.ask(oid)
        total = hashlib.sha256() if len(oid) == 64 else hashlib.sha1(usedforsecurity=False)
        total.update(f"{kind} {size}\0".encode())
        try:
            for piece in batch.take(size):
                total.update(piece)
                yield piece
            whole = True
        finally:
            if not whole:  # left in the middle: what follows would be read as an answer
                batch.end()
                self._blobs = None
        if total.hexdigest() != oid:
            raise Invalid(f"the object {oid[:12]} of {self.folder} is damaged: its bytes have another id", "git fsck")

    def tree(self, oid: str) -> tuple[Entry, ...]:
        """Return a tree's entries in git's order.

        Raises:
            NotFound, Invalid: as `read`, or it is no tree.
        """
        known = self._trees.get(oid)
        if known is not None:
            return known
        raw, width, at, found = self.read(oid), len(oid) // 2, 0, []
        while at < len(raw):
            space = raw.find(b" ", at, at + 8)
            end = raw.find(b"\0", at)
            if space < 0 or end < space or end + 1 + width > len(raw):
                raise Invalid(f"the object {oid[:12]} of {self.folder} is no tree")
            found.append(
                Entry(raw[at:space].decode("ascii", "replace"), raw[space + 1 : end], raw[end + 1 : end + 1 + width].hex())
            )  # fmt: skip
            at = end + 1 + width
        self._remembered += len(found) + 1
        if self._remembered > _ENTRIES:
            self._trees.clear()
            self._remembered = len(found) + 1
        self._trees[oid] = tuple(found)
        return self._trees[oid]

    def find(self, tree: str, path: bytes) -> Entry | None:
        """Return the entry at a path below a tree, None where there is none."""
        entry: Entry | None = None
        for part in path.split(b"/"):
            if entry is not None and entry.mode != "40000":
                return None
            entry = next((one for one in self.tree(entry.oid if entry is not None else tree) if one.name == part), None)
            if entry is None:
                return None
        return entry


def without_user(url: str) -> str:
    """Return an address without user, password and parameters: `https://ana:pw@host/x?token=y` as `https://host/x`."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return re.sub(r"\A[^/\s:@]+@(?=[^/\s:]+:)", "", url)  # git@host:path
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _ms(seconds: str) -> int:
    return int(seconds) * 1000 if seconds.isascii() and seconds.isdecimal() and len(seconds) < 12 else 0


# -- bundles -----------------------------------------------------------------------------------------------------------


def bundle_head(path: Path) -> tuple[str, dict[str, str], list[str]] | None:
    """Return a bundle's hash algorithm, its refs (name to id) and the commits it builds on; None where it is no bundle."""
    algorithm, refs, lacking = "sha1", dict[str, str](), list[str]()
    try:
        if not path.is_file():
            return None
        with path.open("rb") as handle:
            if not re.match(rb"# v[23] git bundle\n\Z", handle.readline(64)):
                return None
            while text := shown(handle.readline(8192).rstrip(b"\n")):
                if text.startswith("@"):
                    algorithm = "sha256" if text == "@object-format=sha256" else algorithm
                elif text.startswith("-"):
                    lacking.append(text[1:])
                else:
                    oid, _, name = text.partition(" ")
                    refs[name] = oid
                if len(refs) + len(lacking) > 100_000:
                    return None
    except (OSError, ValueError):
        return None
    return algorithm, refs, lacking


@contextlib.contextmanager
def unbundled(bundle: Path) -> Iterator[Repository]:
    """Unpack a bundle into a temporary bare repository, which is removed afterwards.

    Raises:
        Invalid: git is not installed, it is no bundle, it is damaged, or it holds only what is new since commits that it lacks.
    """
    whole = "make a whole one with: git bundle create FILE --branches --tags"
    head = bundle_head(bundle)
    if head is None:
        raise Invalid(f"{bundle} is no git bundle", whole)
    algorithm, refs, lacking = head
    if lacking:
        raise Invalid(f"{bundle} holds only what is new since commits that are not in it ({lacking[0][:12]})", whole)
    with tempfile.TemporaryDirectory(prefix="carnet-git-") as folder:
        room = Path(folder) / "repository.git"
        words = ["init", "--quiet", "--bare", "--template="]
        if algorithm == "sha256":
            words.append("--object-format=sha256")
        made = subprocess.run(  # noqa: S603 (git itself with fixed words)
            [program(), *words, str(room)], env=environment(), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise Invalid(f"git cannot unpack {bundle}: {shown(made.stderr).strip()[:300]}")
        with Repository(Place(room, None), bundle.name.partition(".")[0], "file") as repository:
            repository.git.run(
                "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", str(bundle.absolute()),
                "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+refs/remotes/*:refs/remotes/*", "+refs/exps/*:refs/exps/*",
                seconds=BUNDLE_SECONDS,
            )  # fmt: skip
            main = _main_branch(refs)
            if main:
                repository.git.run("symbolic-ref", "HEAD", main)
            elif "HEAD" in refs:
                repository.git.run("update-ref", "--no-deref", "HEAD", refs["HEAD"], fine=(0, 128))
            yield repository


def _main_branch(refs: dict[str, str]) -> str:
    """Return the branch that HEAD meant when the bundle was made: the one on HEAD's commit, `main` or `master` before others."""
    heads = sorted(name for name in refs if name.startswith("refs/heads/"))
    usual = [name for name in ("refs/heads/main", "refs/heads/master") if name in heads]
    if "HEAD" in refs:
        return next((name for name in [*usual, *heads] if refs[name] == refs["HEAD"]), "")
    return next(iter([*usual, *heads]), "")
