"""Which code a run was: the commit, what differs from it, and where both lie. Read with git's own program, never written.

A tree that differs from its commit is never refused and never called clean. Its key is the commit and the SHA-256 of a text: a line for each
untracked file, then the patch; another reader of the same tree comes to the same key. A repository may have come from anywhere, so nothing that
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
    "--ignore-submodules=dirty", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0",
    "--diff-algorithm=myers", "--indent-heuristic", f"-O{os.devnull}", "--ws-error-highlight=none",
)  # fmt: skip


class GitTrouble(Exception):
    """Git did not answer: too slow, too much, or an error of its own."""


@dataclass(slots=True)
class Code:
    """The code of a working copy.

    `commit` is empty before the first commit. `text` is what differs from it, untracked files first (empty where it is too large to keep),
    `sha256` its digest, empty where nothing differs. `untracked` are rows (path, size, digests); `kept` the bytes of small text files among them.
    `inside` is the folder within the repository, empty at its top. `notes` say what could not be read.
    """

    top: Path
    commit: str = ""
    branch: str = ""
    remote: str = ""
    inside: str = ""
    text: bytes = b""
    sha256: str = ""
    size: int = 0
    untracked: list[dict[str, Any]] = field(default_factory=list)
    untracked_count: int = 0
    kept: list[tuple[str, bytes]] = field(default_factory=list)
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


def tracked(folder: Path, paths: Sequence[Path], environ: Mapping[str, str]) -> set[Path]:
    """Return which of these files the repository around `folder` knows: in its index, or untracked and not ignored."""
    place = discover(folder)
    inside = [path for path in paths if place is not None and path.is_relative_to(place[0])]
    if place is None or not inside:
        return set()
    try:
        git = Git(*place, environ)
        words = ("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *(f":(top,literal){p.relative_to(place[0]).as_posix()}" for p in inside))  # fmt: skip
        return {place[0] / os.fsdecode(name) for name in git(*words).split(b"\0") if name}
    except GitTrouble:
        return set()


def _read_changes(git: Git, code: Code, since: int, private: Sequence[Path]) -> None:
    names = sorted(
        name for name in git("ls-files", "--others", "--exclude-standard", "-z", *_WORK).split(b"\0") if name
    )
    names = [name for name in names if not _newer(code.top / os.fsdecode(name), since)]
    _read_untracked(code, names, private)
    head = "".join(_line(row) for row in code.untracked).encode("utf-8", "backslashreplace")
    if len(names) > len(code.untracked):
        head += f"# untracked {len(names) - len(code.untracked)} more\n".encode()
    total, kept, code.size = hashlib.sha256(head), bytearray(head), len(head)
    for piece in git.stream(*_DIFF, code.commit, *_WORK):
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
        changed = git(
            "diff",
            "--name-only",
            "-z",
            "--no-ext-diff",
            "--no-renames",
            "--ignore-submodules=dirty",
            code.commit,
            *_WORK,
        )
        late = [
            os.fsdecode(name) for name in changed.split(b"\0") if name and _newer(code.top / os.fsdecode(name), since)
        ]
        if late:
            more = f" and {len(late) - 5:,} more" if len(late) > 5 else ""
            code.notes.append(
                f"tracked files that were written to while the code was read: {', '.join(late[:5])}{more}"
            )


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


def _line(row: Mapping[str, Any]) -> str:
    """Return what the text says of an untracked file; `git apply` passes over such lines."""
    digest = f"sha256:{row['digests']['sha256']}" if "digests" in row else "not hashed"
    link = f" -> {json.dumps(row['link'])}" if "link" in row else ""
    return f"# untracked {digest} {row.get('size', 0)} {json.dumps(row['path'])}{link}\n"


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
