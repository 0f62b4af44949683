"""The child of a captured run: its streams, its signals, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from carnet_store.work.capture_child import Child, NotStarted

ENVIRON = {"PATH": os.environ["PATH"]}


def python(code: str, folder: Path) -> Child:
    return Child([sys.executable, "-c", code], folder, ENVIRON)


def test_its_streams_are_ours_and_its_code_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing it prints is changed, in the order it prints it."""
    with python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)", tmp_path) as child:
        ended = child.wait()
    assert capfd.readouterr() == ("out\n", "err\n")
    assert (ended.code, ended.signal, ended.status) == (7, "", "failed")
    assert ended.seconds > 0
    assert ended.cpu_ms > 0
    assert ended.max_rss > 1000


def test_descriptors_that_were_given_to_us_are_its_too(tmp_path: Path) -> None:
    """`carnet run -- cmd <(other)`: what the shell opened for the command reaches it."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        with python(f"import os; os.write({writing}, b'here')", tmp_path) as child:
            assert child.wait().code == 0
        assert os.read(reading, 10) == b"here"
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(("name", "code"), [("SIGKILL", 137), ("SIGTERM", 143), ("SIGSEGV", 139)])
def test_a_signal_that_ended_it_is_named(tmp_path: Path, name: str, code: int) -> None:
    """The exit code is what a shell would see."""
    with python(f"import os, signal; os.kill(os.getpid(), signal.{name})", tmp_path) as child:
        ended = child.wait()
    assert (ended.code, ended.signal) == (code, name)
    assert ended.status == ("interrupted" if name == "SIGTERM" else "failed")


def test_what_is_sent_to_us_alone_is_passed_on(tmp_path: Path) -> None:
    """SIGTERM of a scheduler reaches the child, which may still end well; our own handlers are back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    ready = tmp_path / "ready"
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(30)"
    )
    with python(code, tmp_path) as child:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        ended = child.wait()
    assert (ended.code, ended.told, ended.status) == (9, ("SIGTERM",), "interrupted")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("end", "code", "status"), [("0", 0, "finished"), ("3", 3, "failed"), (None, 138, "interrupted")]
)
def test_a_schedulers_warning_is_passed_on(tmp_path: Path, end: str | None, code: int, status: str) -> None:
    """SIGUSR1: what the child makes of it is the child's; it neither ends us nor makes a run that went on an interrupted one."""
    ready = tmp_path / "ready"
    handler = f"signal.signal(signal.SIGUSR1, lambda *_: sys.exit({end}))\n" if end else ""
    with python(
        f"import pathlib, signal, sys, time\n{handler}pathlib.Path({str(ready)!r}).touch()\ntime.sleep(30)", tmp_path
    ) as child:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)
        ended = child.wait()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not child.wants_to_go
    assert (ended.code, ended.told, ended.status) == (code, ("SIGUSR1",), status)
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_what_is_sent_before_the_child_is_there_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our first look at signals and its start."""
    made = subprocess.Popen

    def late(*args: Any, **more: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return made(*args, **more)

    monkeypatch.setattr(subprocess, "Popen", late)
    with python("import time; time.sleep(30)", tmp_path) as child:
        ended = child.wait()
    assert (ended.code, ended.told, ended.status) == (143, ("SIGTERM",), "interrupted")


def test_an_interrupt_is_noted_and_left_to_the_child(tmp_path: Path) -> None:
    """The terminal sends Ctrl-C to both: it must neither end us nor be sent a second time."""
    with python("import time; time.sleep(0.3)", tmp_path) as child:
        os.kill(os.getpid(), signal.SIGINT)
        ended = child.wait()
    assert (ended.code, ended.told, ended.status) == (0, ("SIGINT",), "finished")


def test_the_child_can_be_interrupted(tmp_path: Path) -> None:
    """Our watching must not make it deaf: its handlers are the defaults."""
    code = "import signal; raise SystemExit(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)"
    with python(code, tmp_path) as child:
        assert child.wait().code == 0


def test_what_was_ignored_before_stays_ignored(tmp_path: Path) -> None:
    """Under `nohup` a hang-up reaches neither."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = "import signal; raise SystemExit(signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN)"
        with python(code, tmp_path) as child:
            os.kill(os.getpid(), signal.SIGHUP)
            ended = child.wait()
        assert (ended.code, ended.told) == (0, ())
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_works_beside_the_main_thread(tmp_path: Path) -> None:
    """Only the main thread may watch signals; elsewhere they are left alone."""
    codes = []

    def work() -> None:
        with python("raise SystemExit(3)", tmp_path) as child:
            codes.append(child.wait().code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [3]


def test_what_cannot_be_started_has_a_shells_code(tmp_path: Path) -> None:
    """127 where there is no such program, 126 where it may not be executed."""
    (tmp_path / "text").write_text("no program")
    for argv, code in ((["no-such-program-here"], 127), ([str(tmp_path / "text")], 126), ([str(tmp_path)], 126)):
        with pytest.raises(NotStarted) as error, Child(argv, tmp_path, ENVIRON):
            pass
        assert error.value.exit_code == code
        assert argv[0] in error.value.message
