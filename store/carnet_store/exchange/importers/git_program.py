"""Git's own program, run so that a repository from elsewhere can run nothing and change nothing.

Rules:
- Never a shell, never an alias, never a transport: no command of git's configuration is obeyed (hooks, file system monitor, filters, external and
  textual differences, pagers, signature programs), nothing is fetched, no lock is taken.
- The folder where `.git` was found is the work tree, whatever the repository's configuration says: it must not lead elsewhere.
- Every call has a time limit and a limit of output.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from carnet_store.errors import Invalid

if TYPE_CHECKING:
    from io import BufferedReader

MIB: Final = 1 << 20
OUTPUT: Final = 64 * MIB
"""Bytes that one call of git may print."""
SECONDS: Final = 120.0
"""Time that one call of git, or one object, may take."""
DEAF: Final = (
    "core.fsmonitor=false", f"core.hooksPath={os.devnull}", "protocol.allow=never", "core.pager=cat", "core.commitGraph=false",
    "log.showSignature=false", f"gpg.program={os.devnull}", "core.quotePath=true", "core.untrackedCache=false", "core.askPass=",
    "i18n.logOutputEncoding=UTF-8", "submodule.recurse=false", "diff.ignoreSubmodules=dirty", "gc.auto=0", "maintenance.auto=false",
    "credential.helper=", "diff.suppressBlankEmpty=false", "core.compression=-1", "core.safecrlf=false",
)  # fmt: skip
"""What overrules a repository's own configuration in each call."""
_RUNS: Final = re.compile(
    r"(?:filter\..*\.(?:clean|smudge|process)|diff\..*\.(?:command|textconv)|diff\.external|merge\..*\.driver)\Z", re.IGNORECASE | re.DOTALL
)  # fmt: skip
_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z", re.ASCII)


def program() -> str:
    """Return the path of git.

    Raises:
        Invalid: it is not installed.
    """
    found = shutil.which("git")
    if found is None:
        raise Invalid("git is not installed here", "install git, or name a folder with the files themselves")
    return str(Path(found).absolute())


def environment(transports: str = "none") -> dict[str, str]:
    """Return an environment in which git asks nobody, fetches nothing and believes no other repository's variables."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_ASKPASS", "LC_", "LANG"))
    }
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull, "GIT_ALLOW_PROTOCOL": transports, "GIT_SSH_COMMAND": "false",
        "GIT_EDITOR": "false", "GIT_PAGER": "cat", "LC_ALL": "C",
    }  # fmt: skip


def shown(raw: bytes) -> str:
    r"""Return a name of git's as text; a byte that is not UTF-8 becomes `\xe9`."""
    return raw.decode("utf-8", "backslashreplace")


def is_id(text: str) -> bool:
    """Say whether that is the full id of an object: 40 or 64 hex."""
    return _OID.match(text) is not None


class Program:
    """Git at one repository."""

    def __init__(self, git_dir: Path, top: Path | None, transports: str = "none") -> None:
        """Prepare calls for the repository in `git_dir`, whose work tree is `top`, None where it has none.

        Raises:
            Invalid: git is not installed.
        """
        self.folder = top or git_dir
        self._words = [program(), "--no-pager", f"--git-dir={git_dir}"]
        if top is not None:
            self._words.append(f"--work-tree={top}")
        self._deaf = [part for one in DEAF for part in ("-c", one)]
        self._environment = environment(transports)
        self._muted = False

    def run(
        self, *args: str, limit: int = OUTPUT, seconds: float = SECONDS, given: bytes = b"", fine: Sequence[int] = (0,)
    ) -> bytes:  # fmt: skip
        """Return what git prints for `args`; `given` is its standard input, `fine` are the exit codes that are no failure.

        Raises:
            Invalid: git failed, took too long or printed more than `limit` bytes.
        """
        pieces, size = [], 0
        for piece in self.stream(*args, seconds=seconds, given=given, fine=fine):
            size += len(piece)
            if size > limit:
                raise Invalid(
                    f"git {_word(args)} says more than {limit // MIB} MiB about {self.folder}; it was not read further"
                )
            pieces.append(piece)
        return b"".join(pieces)

    def stream(
        self, *args: str, seconds: float = SECONDS, given: bytes = b"", fine: Sequence[int] = (0,)
    ) -> Iterator[bytes]:  # fmt: skip
        """Yield what git prints for `args`, piece by piece; leave it at any time and git is ended.

        Raises:
            Invalid: git failed or took too long.
        """
        with tempfile.TemporaryFile() as heard:
            heard.write(given)
            heard.seek(0)
            process = self.start(args, heard)
        errors = _Tail(process.stderr)
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(process)

        alarm = threading.Timer(seconds, end)
        alarm.daemon = True
        alarm.start()
        whole = False
        try:
            out = cast("BufferedReader", process.stdout)  # a pipe was asked for
            while piece := out.read1(65536):
                yield piece
            whole = True
        finally:
            if not whole:
                _kill(process)
            code = process.wait()
            alarm.cancel()
            alarm.join()
            said = errors.text()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise Invalid(f"git {_word(args)} took longer than {seconds:.0f} s on {self.folder} and was ended")
        if code not in fine:
            raise Invalid(f"git {_word(args)} cannot read {self.folder}: {said or f'exit code {code}'}")

    def start(self, args: Sequence[str], given: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start git with `args`; its output and errors are pipes that the caller drains.

        Raises:
            Invalid: the system does not run it.
        """
        try:
            return subprocess.Popen(  # noqa: S603 (git itself with fixed words; what the repository configures is overruled)
                [*self._words[:2], *self._deaf, *self._words[2:], *args], cwd=self.folder, env=self._environment, stdin=given,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=os.name == "posix",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise Invalid(f"git cannot be run in {self.folder}: {error}") from None

    def mute(self) -> None:
        """Overrule every filter and every difference program by name: needed before git looks at files of the work tree.

        Raises:
            Invalid: one bears a name that cannot be overruled.
        """
        if self._muted:
            return
        listed = self.run("config", "--list", "--name-only", "-z", limit=4 * MIB)
        for raw in dict.fromkeys(listed.split(b"\0")):
            name = raw.decode("utf-8", "surrogateescape")
            if not _RUNS.match(name):
                continue
            if "=" in name:  # git would take what stands before it for the name
                raise Invalid(
                    f"the configuration of {self.folder} names a program under {name!a:.80}; its files were not read"
                )
            self._deaf += ["-c", f"{name}="]
            if name.lower().startswith("filter."):
                self._deaf += ["-c", f"{name.rpartition('.')[0]}.required=false"]
        self._muted = True


def _word(args: Sequence[str]) -> str:
    return args[2] if args[0] == "-c" else args[0]


class Batch:
    """A `git cat-file` that answers one id after the other; ended where an answer takes longer than `SECONDS`."""

    def __init__(self, git: Program, mode: str) -> None:
        self._process = git.start(("cat-file", mode), subprocess.PIPE)
        self._errors = _Tail(self._process.stderr)
        self._folder = git.folder
        self._asked = 0.0
        self._over = threading.Event()
        self._guard = threading.Thread(target=self._watch, daemon=True)
        self._guard.start()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            asked = self._asked
            if asked and time.monotonic() - asked > SECONDS:
                _kill(self._process)
                return

    def ask(self, oid: str) -> tuple[str, int]:
        """Return an object's type and size in bytes, ("", -1) where it is not held.

        Raises:
            Invalid: that is no id, or git ended.
        """
        if not is_id(oid):
            raise Invalid(f"not the id of an object: {oid!a:.80}")
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101 (pipes were asked for)
        self._asked = time.monotonic()
        try:
            self._process.stdin.write(oid.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failed() from None
        line = self._process.stdout.readline(4096).decode("ascii", "replace").split()
        self._asked = 0.0
        if len(line) == 3 and line[2].isdecimal():
            return line[1], int(line[2])
        if len(line) == 2 and line[1] == "missing":
            return "", -1
        raise self._failed()

    def take(self, size: int) -> Iterator[bytes]:
        """Yield the bytes that follow an answer, at most 1 MiB a piece."""
        assert self._process.stdout is not None  # noqa: S101 (a pipe was asked for)
        left = size + 1  # a line feed ends them
        while left:
            self._asked = time.monotonic()
            piece = self._process.stdout.read(min(left, MIB))
            self._asked = 0.0
            if not piece:
                raise self._failed()
            left -= len(piece)
            yield piece if left else piece[:-1]

    def _failed(self) -> Invalid:
        _kill(self._process)
        self._process.wait()
        return Invalid(
            f"git cannot read an object of {self._folder}: {self._errors.text() or 'it ended'}", "git fsck --full"
        )

    def end(self) -> None:
        """End the process."""
        self._over.set()
        _kill(self._process)
        self._process.wait()
        self._guard.join()
        self._errors.text()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Tail:
    """Drains a process's standard error beside it and keeps its beginning."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while self._pipe is not None and (piece := self._pipe.read(4096)):
            if len(self._kept) < 4096:
                self._kept += piece

    def text(self) -> str:
        """Wait for the end; return the first line that was said, without git's own `fatal:`."""
        self._thread.join()
        if self._pipe is not None:
            self._pipe.close()
        lines = [
            line
            for line in shown(self._kept).splitlines()
            if line.strip() and not line.startswith(("warning:", "hint:"))
        ]
        return re.sub(r"\A(?:fatal|error): ", "", lines[0])[:300] if lines else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
