"""The child of `carnet run`: started at once, its streams its own, its signals told, its end noted to the millisecond.

The child inherits standard input, output and error and every other descriptor that we did, and stays in our process group, so that a terminal
treats the two as one program: Ctrl-C and Ctrl-Z reach the child by themselves. We go on living to record what happened; what is sent to us alone
(SIGTERM, SIGHUP, the SIGUSR1 by which a scheduler warns) is passed on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from carnet_store.errors import NotFound

_TO_STOP: Final = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP")
_WORDS: Final = ("SIGUSR1", "SIGUSR2")
"""Signals that mean what a command makes of them: save what you have, time is nearly up."""
_PASSED_ON: Final = ("SIGTERM", "SIGHUP", *_WORDS)


class NotStarted(NotFound):
    """The command could not be started; nothing ran. The exit code is a shell's: 127 not found, 126 found and not to be executed."""

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Ended:
    """How the child ended.

    `code` is what a shell would see: the exit code, or 128 and the signal's number. `signal` names the signal that ended it, `told` those that
    came to us meanwhile. `seconds` is wall time, `cpu_ms` user and system time of the child and those it waited for, `max_rss` its most memory
    in KiB; the last two are -1 where the platform does not say.
    """

    code: int
    signal: str
    told: tuple[str, ...]
    seconds: float
    cpu_ms: int = -1
    max_rss: int = -1

    @property
    def status(self) -> str:
        """`finished`, `failed`, or `interrupted` where somebody asked it to stop and it did."""
        if self.code == 0:
            return "finished"
        asked = self.signal in (*_TO_STOP, *_WORDS) or any(name in _TO_STOP for name in self.told)
        return "interrupted" if asked else "failed"


class Child:
    """A running command. Use it in a `with`: signals are watched from before its start until the end of the block."""

    def __init__(self, argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self._argv = list(argv)
        self._folder = folder
        self._environ = dict(environ)
        self._before: dict[int, Any] = {}
        self._told: list[str] = []
        self._late = False
        self._process: subprocess.Popen[bytes] | None = None
        self._waiter: threading.Thread | None = None
        self._began = self._done = 0.0
        self._status: int | None = None
        self._usage: Any = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._waiter is not None and self._waiter.is_alive()

    @property
    def wants_to_go(self) -> bool:
        """Whether a signal came to us after it had ended: somebody does not want to wait any longer."""
        return self._late

    def __enter__(self) -> Child:
        """Watch signals and start it.

        Raises:
            NotStarted: there is no such program, or it cannot be executed.
        """
        self._watch()
        try:
            self._began = time.monotonic()
            self._process = subprocess.Popen(  # noqa: S603  the person's own command, without a shell
                self._argv, cwd=self._folder, env=self._environ, close_fds=False
            )
        except OSError as error:
            self._unwatch()
            raise _not_started(self._argv[0], error) from None
        except BaseException:
            self._unwatch()
            raise
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        early = list(self._told)
        self._waiter.start()
        for name in early:
            self._pass_on(name)
        return self

    def __exit__(self, *_: object) -> None:
        self._unwatch()

    def wait(self) -> Ended:
        """Wait until it has ended; say how."""
        if self._process is None or self._waiter is None:
            raise RuntimeError("the child was not started")
        self._waiter.join()
        returned = self._process.returncode
        name = _signal_name(-returned) if returned < 0 else ""
        cpu = rss = -1
        if self._usage is not None:
            cpu = round((self._usage.ru_utime + self._usage.ru_stime) * 1000)
            rss = self._usage.ru_maxrss if os.uname().sysname != "Darwin" else self._usage.ru_maxrss // 1024
        code = returned if returned >= 0 else 128 - returned
        return Ended(code, name, tuple(self._told), self._done - self._began, cpu, rss)

    def _wait(self) -> None:
        process = self._process
        if process is None:
            return
        if hasattr(os, "wait4"):
            _, status, self._usage = os.wait4(process.pid, 0)
            self._done = time.monotonic()
            process.returncode = os.waitstatus_to_exitcode(status)
        else:
            process.wait()
            self._done = time.monotonic()

    # -- signals -------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Take signals as ours to note; only the main thread may, and what was ignored before (nohup) stays ignored.

        A handler, not SIG_IGN: an ignored signal would stay ignored in the child.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for name in (*_TO_STOP, *_WORDS):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)

    def _unwatch(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, _: FrameType | None) -> None:
        name = _signal_name(number)
        if self._waiter is not None and not self.running:
            self._late = self._late or name in _TO_STOP
            return
        self._told.append(name)
        self._pass_on(name)

    def _pass_on(self, name: str) -> None:
        """Send the child what came to us alone; what came before it was there is sent when it is."""
        if name in _PASSED_ON and self._process is not None and self.running:
            with contextlib.suppress(OSError):
                os.kill(self._process.pid, signal.Signals[name])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(program: str, error: OSError) -> NotStarted:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotStarted(f"{program}: there is no such program", "name one that is on the PATH, or its path", 127)
    why = error.strerror or str(error)
    return NotStarted(f"{program} could not be started: {why}", "name a program that can be executed", 126)
