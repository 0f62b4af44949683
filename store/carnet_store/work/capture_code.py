"""Which code a run was: the commit, what differs from it, and where both lie. Read with git's own program, never written.

A tree that differs from its commit is never refused and never called clean. Its key is the commit and the SHA-256 of a text: a line for each
untracked file and each that git was told not to watch, then the patch, then the same of each submodule that is changed within; another reader of the
same tree comes to the same key. A repository may have come from anywhere, so nothing that
its configuration names is run: no hooks, fsmonitor, filters, external or textual diffs; no shell, and every call has a limit of time and output.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from carnet_store.storage.work_tree import DEPTH, INDEX, LFS, NO_LFS, Marked, differing, large, marked

SECONDS: Final = 30.0
"""How long one call of git may take."""
MIB: Final = 1 << 20
OUTPUT: Final = 64 * MIB
PATCH: Final = 50 * MIB
"""Bytes of a patch that are kept; of a larger one only the digest is."""
HASHED: Final = 64 * MIB
"""Bytes up to which an untracked file is hashed; `HASHED_IN_ALL` for all of them together."""
HASHED_IN_ALL: Final = 512 * MIB
UNTRACKED: Final = 10_000
"""So many untracked files are named; the rest is counted."""
KEPT_FILE: Final = MIB
"""Bytes of an untracked text file that is kept beside the patch; `KEPT_IN_ALL` for all of them together, `KEPT_FILES` at most."""
KEPT_IN_ALL: Final = 4 * MIB
KEPT_FILES: Final = 200

_DEAF: Final = (
    "core.fsmonitor=false", f"core.hooksPath={os.devnull}", "protocol.allow=never", "core.pager=cat", "core.commitGraph=false",
    "core.quotePath=true", "core.untrackedCache=false", "submodule.recurse=false", "diff.ignoreSubmodules=dirty", "gc.auto=0",
    "maintenance.auto=false", "credential.helper=", "diff.suppressBlankEmpty=false", "core.safecrlf=false", "core.compression=-1",
)  # fmt: skip
_RUNS: Final = re.compile(
    r"(?:filter\..*\.(?:clean|smudge|process)|diff\..*\.(?:command|textconv)|diff\.external|merge\..*\.driver)\Z", re.IGNORECASE | re.DOTALL
)  # fmt: skip
_WORK: Final = ("--", ":(top)", ":(top,exclude,glob)**/.carnet/**")
_DIFF: Final = (
    "diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-relative",
    "--ignore-submodules=dirty", "--submodule=short", "--unified=3", "--inter-hunk-context=0",
    "--diff-algorithm=myers", "--indent-heuristic", f"-O{os.devnull}", "--ws-error-highlight=none",
)  # fmt: skip


class GitTrouble(Exception):
    """Git did not answer: too slow, too much, or an error of its own."""


@dataclass(slots=True)
class Code:
    """The code of a working copy.

    `commit` is empty before the first commit. `text` is what differs from it, untracked files first (empty where it is too large to keep),
    `sha256` its digest, empty where nothing differs. `untracked` are rows (path, size, digests); `kept` the bytes of small text files among them;
    `large` the files of Git LFS that are not what their pointers say.
    `inside` is the folder within the repository, empty at its top; `tops` are its work tree and those of its submodules. `notes` say what could not be read.
    """

    top: Path
    commit: str = ""
    branch: str = ""
    remote: str = ""
    inside: str = ""
    tops: list[Path] = field(default_factory=list)
    text: bytes = b""
    sha256: str = ""
    size: int = 0
    untracked: list[dict[str, Any]] = field(default_factory=list)
    untracked_count: int = 0
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    large: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def dirty(self) -> bool:
        """Whether something differs from the commit, or nobody can tell."""
        return bool(self.sha256 or self.trouble)

    @property
    def key(self) -> str:
        """The commit, and where something differs the digest of what does."""
        return f"{self.commit}+{self.sha256}" if self.sha256 else self.commit

    @property
    def name(self) -> str:
        """What people call it: the last part of where it comes from, else its folder."""
        return (
            self.remote.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
            or self.top.name
            or "code"
        )


def read_code(folder: Path, since: int, environ: Mapping[str, str], private: Sequence[Path] = ()) -> Code | None:
    """Read the working copy that `folder` lies in; None where it lies in none.

    `since` (ns of the file system's clock) is when the run began: untracked files of a later time are its results, not its code. Of files in
    `private` folders (keys) no bytes are kept.
    """
    place = discover(folder)
    if place is None:
        return None
    top, git_dir = place
    code = Code(top, branch=_branch(git_dir), inside=_inside(top, folder))
    try:
        git = Git(top, git_dir, environ)
        config = git.mute()
        code.remote = _remote(config, code.branch)
        code.commit = git("rev-parse", "--verify", "--quiet", "HEAD", fine=(0, 1)).decode("ascii", "replace").strip()
        if code.commit:
            _read_changes(git, code, since, private)
    except GitTrouble as trouble:
        code.trouble = str(trouble)
        code.notes.append(f"git did not say which code this is: {trouble}")
    return code


def discover(folder: Path) -> tuple[Path, Path] | None:
    """Return (top of the work tree, git's own folder) of the repository around `folder`, found as git finds it."""
    start = folder.absolute()
    for place in (start, *start.parents):
        mark = place / ".git"
        try:
            if mark.is_file():
                led = mark.read_text("utf-8", "surrogateescape").strip()
                git_dir = place / led.removeprefix("gitdir:").strip()
                return (place, git_dir) if led.startswith("gitdir:") and (git_dir / "HEAD").is_file() else None
            if (mark / "HEAD").is_file() and (mark / "objects").is_dir():
                return place, mark
        except OSError:
            return None
    return None


def tracked(tops: Sequence[Path], paths: Sequence[Path], environ: Mapping[str, str]) -> set[Path]:
    """Return which of these files the work trees at `tops` know: in their index, or untracked and not ignored."""
    found: set[Path] = set()
    for top in tops:
        place = discover(top)
        inside = [path for path in paths if path.is_relative_to(top) and discover(path.parent) == place]
        if place is None or not inside:
            continue
        words = (f":(top,literal){path.relative_to(top).as_posix()}" for path in inside)
        try:
            told = Git(*place, environ)("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *words)
        except GitTrouble:
            continue
        found |= {top / os.fsdecode(name) for name in told.split(b"\0") if name}
    return found


@dataclass(slots=True)
class _Tree:
    """A work tree to compare with its commit: that of the repository, or of a submodule, which lies at `within` (`vendor/`)."""

    git: Git
    top: Path
    commit: str
    within: bytes = b""
    hidden: list[dict[str, Any]] = field(default_factory=list)


def _read_changes(git: Git, code: Code, since: int, private: Sequence[Path]) -> None:
    trees = list(_trees(_Tree(git, code.top, code.commit), code))
    code.tops = [tree.top for tree in trees]
    names = sorted(
        name
        for tree in trees
        for name in (
            tree.within + name
            for name in tree.git("ls-files", "--others", "--exclude-standard", "-z", *_WORK).split(b"\0")
            if name
        )
        if not _newer(code.top / os.fsdecode(name), since)
    )
    _read_untracked(code, names, private)
    head = "".join(_line("untracked", row) for row in code.untracked).encode("utf-8", "backslashreplace")
    if len(names) > len(code.untracked):
        head += f"# untracked {len(names) - len(code.untracked)} more\n".encode()
    hidden = [row for tree in trees for row in tree.hidden]
    if hidden:
        head += "".join(_line("hidden", row) for row in hidden).encode("utf-8", "backslashreplace")
        _keep_hidden(code, hidden, private)
    changed = git(*_DIFF, "--name-only", "-z", code.commit, "--", LFS, _WORK[-1]).split(b"\0")
    code.large = list(large(code.top, changed, lambda path: _pointer(git, code.commit, path), _text))
    head += "".join(_line("changed", row) for row in code.large).encode("utf-8", "backslashreplace")
    total, kept, code.size = hashlib.sha256(head), bytearray(head), len(head)
    for tree in trees:
        for piece in tree.git.stream(*_DIFF, *_prefixes(tree.within), tree.commit, *_work(tree)):
            total.update(piece)
            code.size += len(piece)
            if code.size <= PATCH:
                kept += piece
    if not code.size:
        return
    code.sha256 = total.hexdigest()
    if code.size <= PATCH:
        code.text = bytes(kept)
    else:
        code.notes.append(
            f"what differs from the commit has {code.size // MIB:,} MiB: its digest is recorded, its bytes are not kept"
        )
    if code.size > len(head):
        _tell_late(trees, code, since)


def _tell_late(trees: Sequence[_Tree], code: Code, since: int) -> None:
    words = ("diff", "--name-only", "-z", "--no-ext-diff", "--no-renames", "--ignore-submodules=dirty")
    changed = [
        tree.within + name
        for tree in trees
        for name in tree.git(*words, tree.commit, *_work(tree)).split(b"\0")
        if name
    ]
    late = [os.fsdecode(name) for name in changed if _newer(code.top / os.fsdecode(name), since)]
    if late:
        more = f" and {len(late) - 5:,} more" if len(late) > 5 else ""
        code.notes.append(f"tracked files that were written to while the code was read: {', '.join(late[:5])}{more}")


def _trees(tree: _Tree, code: Code, depth: int = DEPTH) -> Iterator[_Tree]:
    """Yield a work tree and those of its submodules that are checked out, each with what its index hides."""
    modules: list[Marked] = []
    files: list[Marked] = []
    for one in marked(tree.git.stream(*INDEX)):
        (modules if one.is_submodule else files).append(one)
    tree.hidden = differing(tree.top, files, lambda path: (tree.within + path).decode("utf-8", "backslashreplace"))
    yield tree
    for one in sorted(modules):
        folder = tree.top / os.fsdecode(one.path)
        if not (folder / ".git").exists():
            continue
        place = discover(folder)
        shown = (tree.within + one.path).decode("utf-8", "backslashreplace")
        if depth == 0 or place is None or place[0] != folder:
            raise GitTrouble(f"the submodule {shown} cannot be read")
        git = Git(*place, tree.git.given)
        git.mute()
        commit = git("rev-parse", "--verify", "--quiet", "HEAD", fine=(0, 1)).decode("ascii", "replace").strip()
        if not commit:
            raise GitTrouble(f"the submodule {shown} has no commit")
        yield from _trees(_Tree(git, folder, commit, tree.within + one.path + b"/"), code, depth - 1)


def _work(tree: _Tree) -> tuple[str, ...]:
    """Return which files a diff shows; those of Git LFS are compared with their pointers, at the top."""
    return _WORK if tree.within else (*_WORK, NO_LFS)


def _pointer(git: Git, commit: str, path: bytes) -> bytes:
    """Return what the commit holds under a path, as far as it may be a pointer of Git LFS."""
    try:
        found = git("cat-file", "blob", f"{commit}:{os.fsdecode(path)}")
    except GitTrouble:
        return b""
    return found if len(found) <= 1024 else b""


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _prefixes(within: bytes) -> tuple[str, str]:
    return f"--src-prefix=a/{os.fsdecode(within)}", f"--dst-prefix=b/{os.fsdecode(within)}"


def _keep_hidden(code: Code, rows: Sequence[Mapping[str, Any]], private: Sequence[Path]) -> None:
    """Say that git was told not to watch these; keep the small ones."""
    code.notes.append(
        f"git was told not to watch files that differ (assume-unchanged, skip-worktree): {', '.join(row['path'] for row in rows[:5])}"
        + (f" and {len(rows) - 5:,} more" if len(rows) > 5 else "")
    )
    for row in rows[:KEPT_FILES]:
        path = code.top / row["path"]
        if row.get("size", KEPT_FILE + 1) > KEPT_FILE or any(path.is_relative_to(folder) for folder in private):
            continue
        try:
            data = path.read_bytes()
        except (OSError, ValueError):
            continue
        if b"\0" not in data[:8000]:
            code.kept.append((row["path"], data))


def _read_untracked(code: Code, names: Sequence[bytes], private: Sequence[Path]) -> None:
    """Hash the untracked files, and keep those that are small and text."""
    code.untracked_count = len(names)
    left, room = HASHED_IN_ALL, KEPT_IN_ALL
    kept = set()
    for name in names[:UNTRACKED]:
        row: dict[str, Any] = {"path": name.decode("utf-8", "backslashreplace")}
        code.untracked.append(row)
        path = code.top / os.fsdecode(name)
        try:
            about = path.lstat()
            if stat.S_ISLNK(about.st_mode):
                row["link"] = os.fsencode(path.readlink()).decode("utf-8", "backslashreplace")
                kept.add(row["path"])
            if not stat.S_ISREG(about.st_mode):
                continue
            row["size"] = about.st_size
            if about.st_mode & 0o100:
                row["executable"] = True
            if about.st_size > min(HASHED, left):
                continue
            left -= about.st_size
            if about.st_size > KEPT_FILE:
                with path.open("rb") as handle:
                    row["digests"] = {"sha256": hashlib.file_digest(handle, "sha256").hexdigest()}
                continue
            data = path.read_bytes()
        except (OSError, ValueError):
            continue
        row["digests"] = {"sha256": hashlib.sha256(data).hexdigest()}
        secret = any(path.is_relative_to(folder) for folder in private)
        if len(data) <= room and len(code.kept) < KEPT_FILES and b"\0" not in data[:8000] and not secret:
            room -= len(data)
            code.kept.append((row["path"], data))
            kept.add(row["path"])
    if len(kept) < len(names):
        first = next((row["path"] for row in code.untracked if row["path"] not in kept), "")
        code.notes.append(f"untracked and not kept, only named: {len(names) - len(kept):,} files ({first} …)")


def _line(word: str, row: Mapping[str, Any]) -> str:
    """Return what the text says of a file that is in no patch; `git apply` passes over such lines."""
    digest = f"sha256:{row['digests']['sha256']}" if "digests" in row else "not hashed"
    link = f" -> {json.dumps(row['link'])}" if "link" in row else ""
    gone = " gone" if row.get("gone") else ""
    return f"# {word} {digest} {row.get('size', 0)} {json.dumps(row['path'])}{link}{gone}\n"


def _newer(path: Path, since: int) -> bool:
    try:
        return path.lstat().st_mtime_ns >= since
    except OSError:
        return False


def _branch(git_dir: Path) -> str:
    try:
        head = (git_dir / "HEAD").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


def _inside(top: Path, folder: Path) -> str:
    found = folder.absolute().relative_to(top).as_posix()
    return "" if found == "." else found


def _remote(config: Mapping[str, str], branch: str) -> str:
    """Return where the code comes from: `origin`, else the branch's remote, else the first; without anybody's name or password."""
    urls = {
        key[len("remote.") : -len(".url")]: value
        for key, value in config.items()
        if key.startswith("remote.") and key.endswith(".url")
    }
    for name in ("origin", config.get(f"branch.{branch}.remote", ""), min(urls, default="")):
        if urls.get(name):
            return without_userinfo(urls[name])
    return ""


def without_userinfo(url: str) -> str:
    """Return an address without user, password and parameters: `https://ana:pw@host/x?token=y` as `https://host/x`."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return re.sub(r"\A[^/\s:@]+@(?=[^/\s:]+:)", "", url)  # git@host:path
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


# -- git -----------------------------------------------------------------------------------------------------------------


class Git:
    """Calls of git at one work tree, in which nothing runs but git."""

    def __init__(self, top: Path, git_dir: Path, environ: Mapping[str, str]) -> None:
        """Prepare calls. Raises GitTrouble where git is not installed."""
        program = shutil.which("git", path=environ.get("PATH"))
        if program is None:
            raise GitTrouble("git is not installed")
        self._top = top
        self.given = environ
        """The variables it was made with."""
        self._words = [program, "--no-pager", f"--git-dir={git_dir}", f"--work-tree={top}"]
        self._settings = [part for one in _DEAF for part in ("-c", one)]
        kept = {k: v for k, v in environ.items() if not k.startswith(("GIT_", "SSH_ASKPASS", "LC_", "LANG"))}
        self._environ = kept | {
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C",
        }  # fmt: skip

    def mute(self) -> dict[str, str]:
        """Switch off every program that the configuration names; return its settings.

        Raises:
            GitTrouble: one has a name that cannot be said on a command line.
        """
        found = {}
        for row in self("config", "--list", "-z", fine=(0, 1)).decode("utf-8", "surrogateescape").split("\0"):
            key, _, found[key] = row.partition("\n")
            if not _RUNS.match(key):
                continue
            if "=" in key:  # git would take what stands before it for the name
                raise GitTrouble(f"its configuration names a program under {key!a:.80}")
            self._settings += ["-c", f"{key}="]
            if key.lower().startswith("filter."):
                self._settings += ["-c", f"{key.rpartition('.')[0]}.required=false"]
        return found

    def __call__(self, *words: str, fine: Sequence[int] = (0,)) -> bytes:
        """Return what git says. Raises GitTrouble where it fails, takes too long or says too much."""
        found, size = [], 0
        for piece in self.stream(*words, fine=fine):
            size += len(piece)
            if size > OUTPUT:
                raise GitTrouble(f"git {words[0]} says more than {OUTPUT // MIB} MiB")
            found.append(piece)
        return b"".join(found)

    def stream(self, *words: str, fine: Sequence[int] = (0,)) -> Iterator[bytes]:
        """Yield what git says piece by piece; leave it at any time and git is ended. Raises GitTrouble as a call does."""
        import selectors

        try:
            process = subprocess.Popen(  # noqa: S603 (git itself with fixed words; what the repository configures is overruled)
                [*self._words[:2], *self._settings, *self._words[2:], *words], cwd=self._top, env=self._environ,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=os.name == "posix",
            )  # fmt: skip
        except OSError as error:
            raise GitTrouble(f"git cannot be run: {error.strerror}") from None
        said, end = b"", time.monotonic() + SECONDS
        with process, selectors.DefaultSelector() as wait:
            try:
                for pipe in (process.stdout, process.stderr):
                    if pipe is not None:
                        wait.register(pipe, selectors.EVENT_READ)
                while wait.get_map():
                    ready = wait.select(max(0.0, end - time.monotonic()))
                    if not ready:
                        raise GitTrouble(f"git {words[0]} took longer than {SECONDS:.0f} s")
                    for key, _ in ready:
                        piece = os.read(key.fd, 1 << 16)
                        if not piece:
                            wait.unregister(key.fileobj)
                        elif key.fileobj is process.stdout:
                            yield piece
                        elif len(said) < 4096:
                            said += piece
            except BaseException:
                process.kill()
                raise
        if process.returncode not in fine:
            line = said.decode("utf-8", "replace").strip().split("\n")[0]
            raise GitTrouble(
                re.sub(r"\A(?:fatal|error): ", "", line)[:200] or f"git {words[0]} ended with {process.returncode}"
            )
