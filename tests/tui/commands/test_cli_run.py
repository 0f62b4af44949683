"""`carnet run`: a command's streams and exit code are its own; what it was is recorded, or kept aside, or refused for a secret in it."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk
from carnet_store.storage.surroundings import code_snapshot

GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
PYTHON = sys.executable


@pytest.fixture
def home(machine: Any) -> Any:
    """A researcher with a project and nothing in it."""
    here = machine("Ana")
    here.ok("init", "--project", "churn")
    return here


def runs(here: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = here.ok("list", "runs", "--json").json["rows"]
    return rows


def test_a_run_is_recorded_and_its_streams_are_its_own(home: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """R012, R036: one command around an existing one; stdout is the command's alone, one line on stderr is ours."""
    (home.folder / "train.py").write_text(
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\nopen('m.pkl', 'w').write('m')\n"
    )
    said = home.call("run", "--name", "r-1", "--model", "m.pkl=churn@1", "--", PYTHON, "train.py", "--lr", "0.1")
    assert capfd.readouterr() == ("out\n", "err\n")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("carnet: run r-1 finished in ")
    assert said.last.endswith("Next: carnet lineage r-1")
    shown = home.ok("lineage", "r-1").out
    assert "param lr" in shown
    assert "churn@1" in shown


@pytest.mark.parametrize("code", [0, 1, 2, 3, 7, 125])
def test_the_exit_code_is_the_commands(home: Any, code: int) -> None:
    """DESIGN.md section 6: whatever it is; a failed run is recorded as one."""
    said = home.call("run", "--", "sh", "-c", f"exit {code}")
    assert said.code == code
    assert ("finished" if code == 0 else f"failed with {code}") in said.err
    assert len(runs(home)) == 1


def test_the_dashes_may_be_left_out_and_options_behind_the_command_are_its_own(home: Any) -> None:
    (home.folder / "t.sh").write_text('printf "%s\\n" "$@" > args.txt\n')
    assert home.call("run", "sh", "t.sh", "--name", "x", "--json", "--", "y").code == 0
    assert (home.folder / "args.txt").read_text().split() == ["--name", "x", "--json", "--", "y"]
    assert "--name" not in runs(home)[0]["name"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run"], 125, "there is no command to run"),
        (["run", "--nope", "--", "true"], 125, "--nope"),
        (["run", "--in", "gone.csv", "--", "touch", "ran"], 125, "gone.csv"),
        (["run", "--model", "m.pkl=churn", "--", "touch", "ran"], 125, "NAME@VERSION"),
        (["run", "--params", "gone.json", "--", "touch", "ran"], 125, "gone.json"),
        (["run", "--store", "/nonexistent", "--", "touch", "ran"], 125, "there is no store"),
        (["run", "--", "no-such-program-here"], 127, "there is no such program"),
        (["run", "--", "./plain.txt"], 126, "could not be started"),
        (["run", "--adopt"], 2, "no run is kept aside"),
    ],
)
def test_what_is_wrong_before_the_start_runs_nothing(home: Any, words: list[str], code: int, said: str) -> None:
    """125 where Carnet itself fails, a shell's codes where the command cannot be started; never a traceback, nothing recorded."""
    (home.folder / "plain.txt").write_text("x")
    done = home.call(*words)
    assert done.code == code
    assert said in done.err
    assert "Next: " in done.err
    assert "Traceback" not in done.err
    assert not (home.folder / "ran").exists()
    assert runs(home) == []


def test_json_is_the_last_line_of_stderr(home: Any) -> None:
    """Its shape is the documented one; stdout stays the command's."""
    said = home.call("run", "--json", "--name", "r", "--out", "gone.csv", "--", "sh", "-c", "exit 4")
    assert (said.code, said.out) == (4, "")
    value = json.loads(said.last)
    assert list(value) == ["written", "entity", "name", "status", "exit_code", "seconds", "inputs", "outputs", "params", "metrics", "dirty",
                           "redacted", "hash_ms", "notes", "kept", "next"]  # fmt: skip
    assert (value["status"], value["exit_code"], value["notes"]) == ("failed", 4, ["gone.csv was not written"])
    assert home.ok("lineage", value["entity"]).out.startswith("r  run")


def test_names_that_steer_a_terminal_do_not(home: Any) -> None:
    """Promise 7: what the command names is data."""
    evil = "x\x1b]0;owned\x07.csv"
    (home.folder / evil).write_text("x")
    said = home.call("run", "--name", "\x1b[31mred", "--out", f"gone{evil}", "--", "true")
    assert said.code == 0
    assert not set(said.err) & set("\x1b\x07")


def test_two_runs_of_one_name_are_told_apart(home: Any) -> None:
    home.ok("run", "--name", "r", "--", "true")
    said = home.ok("run", "--name", "r", "--", "true")
    assert "Next: carnet lineage run:" in said.last
    assert len(runs(home)) == 2


# -- secrets -------------------------------------------------------------------------------------------------------------


def test_a_secret_on_the_command_line_stops_it_at_once(home: Any) -> None:
    """Nothing ran, nothing is written; the place is told, the value is not."""
    said = home.call("run", "--", "sh", "-c", "touch ran", "--token", GITHUB)
    assert said.code == 125
    assert "argument 4: a GitHub token" in said.err
    assert GITHUB not in said.err
    assert not (home.folder / "ran").exists()
    assert runs(home) == []


def test_a_secret_in_what_it_wrote_is_not_signed(home: Any) -> None:
    """The command ran and its code is told; the record has nothing; the run waits with the value taken out."""
    (home.folder / "t.sh").write_text(f"echo fine > a.txt; echo {GITHUB} > b.txt; exit 3\n".replace(GITHUB, '"$1$2"'))
    said = home.call("run", "--", "sh", "t.sh", GITHUB[:10], GITHUB[10:])
    assert said.code == 125
    assert "line 1 of b.txt: a GitHub token" in said.err
    assert "the command itself ended with 3" in said.err
    assert runs(home) == []
    everything = b"".join(path.read_bytes() for path in home.root.rglob("*") if path.is_file() and path.name != "b.txt")
    assert GITHUB.encode() not in everything
    home.ok("run", "--adopt")
    assert len(runs(home)) == 1
    assert "redacted" in home.ok("lineage", runs(home)[0]["id"]).out


def test_redacting_records_the_rest(home: Any) -> None:
    """`<redacted>` stands where the value stood; the file's digest is known, its bytes are not kept."""
    said = home.call("run", "--redact", "--name", "r", "--", "sh", "-c", 'echo "$2" > b.txt', "x", "--token", GITHUB)
    assert said.code == 0
    assert "values redacted" in said.err
    shown = home.ok("lineage", "r").out
    assert "<redacted>" in shown
    assert "b.txt" in shown
    everything = b"".join(path.read_bytes() for path in (home.folder / ".carnet").rglob("*") if path.is_file())
    assert GITHUB.encode() not in everything


def test_ordinary_figures_are_no_secrets(home: Any) -> None:
    """Digests, commits and ids in arguments and results stop nobody."""
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    words = [
        "--sha256",
        digest,
        "--commit",
        digest[:40],
        f"--key={digest}",
        "--max_tokens=1024",
        "--run-id",
        "123e4567-e89b-12d3-a456-426614174000",
    ]
    assert home.call("run", "--", "sh", "-c", f"echo {digest} > a.txt", "x", *words).code == 0


# -- without a store -----------------------------------------------------------------------------------------------------


def test_a_run_outside_any_project_is_taken_in_later(machine: Any) -> None:
    """R012: exploring needs no project; `--adopt` takes the run in with all it had, once."""
    here = machine("Zoe")
    (here.folder / "t.sh").write_text("echo x > out.csv; exit 5\n")
    said = here.call("run", "--name", "early", "--", "sh", "t.sh", "--lr", "1")
    assert said.code == 5
    assert "kept aside, for there is no store here" in said.err
    assert "Next: carnet init --project NAME, then carnet run --adopt" in said.last
    assert not (here.folder / ".carnet").exists()
    here.call("run", "--name", "second", "--", "true")
    here.ok("init", "--project", "p")
    wrong = here.call("run", "--adopt", "nobody")
    assert wrong.code == 2
    assert "early" in wrong.err
    assert here.ok("run", "--adopt", "early").out.endswith("early\n")
    assert [row["name"] for row in runs(here)] == ["early"]
    assert here.ok("run", "--adopt", "--json").json[0]["name"] == "second"
    shown = here.ok("lineage", "early").out
    assert "out.csv" in shown
    assert "param lr" in shown
    assert here.call("run", "--adopt").code == 2


def test_a_run_that_cannot_be_recorded_is_not_lost(home: Any) -> None:
    """Nobody knows who acts, or the project's file is damaged: 125, and the run waits."""
    home.ok("identity", "new", "Bea")
    said = home.call("run", "--name", "r", "--", "sh", "-c", "exit 0")
    assert said.code == 125
    assert "exit code 0; kept aside, for it could not be recorded" in said.err
    assert "Bea" in said.err or "--me" in said.err
    assert home.ok("run", "--adopt", "--me", "Ana").out.endswith("r\n")


def test_a_bug_in_us_is_125_too(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit code of 1 would be taken for the command's."""
    from carnet_store.work import capture_assembly

    def broken(*_: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr(capture_assembly.Assembly, "captured", broken)
    said = home.call("run", "--", "true")
    assert said.code == 125
    assert "this is a bug in Carnet" in said.err
    Path(said.err.strip().rpartition(" ")[2]).unlink()


# -- as a program --------------------------------------------------------------------------------------------------------


def program(here: Any, *words: str) -> list[str]:
    return [PYTHON, "-c", "import sys; from carnet_tui.cli import main; sys.exit(main())", *words]


def environ(here: Any) -> dict[str, str]:
    return {**os.environ, **here.environ, "PATH": os.environ["PATH"], "TERM": "xterm"}


def in_terminal(here: Any, *words: str, after: bytes = b"", keys: bytes = b"") -> tuple[int, str]:
    """Run the program in a terminal of its own; press keys once it has said `after`. Return exit code and screen."""
    pid, keyboard = pty.fork()
    if pid == 0:
        try:
            os.chdir(here.folder)
            os.execve(PYTHON, program(here, *words), environ(here))
        finally:
            os._exit(99)
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        ready, _, _ = select.select([keyboard], [], [], 0.1)
        if not ready:
            continue
        try:
            chunk = os.read(keyboard, 4096)
        except OSError:
            chunk = b""
        if not chunk:
            break
        said += chunk
        if keys and after in said:
            os.write(keyboard, keys)
            keys = b""
    _, status = os.waitpid(pid, 0)
    os.close(keyboard)
    return os.waitstatus_to_exitcode(status), said.decode()


def test_in_a_terminal_the_command_has_the_terminal(home: Any) -> None:
    """All three streams are it; what is typed reaches the command."""
    code = "import sys; print(*(s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr))); print('ready'); print(input()[::-1])"
    ended, said = in_terminal(home, "run", "--", PYTHON, "-c", code, after=b"ready", keys=b"hello\n")
    assert ended == 0
    assert "True True True" in said
    assert "olleh" in said


def test_ctrl_c_reaches_the_command_and_the_run_is_recorded(home: Any) -> None:
    """Its exit code is ours; the record says interrupted, with the seeds that were set by then."""
    code = "import random, time; random.seed(4); print('ready', flush=True); time.sleep(60)"
    ended, said = in_terminal(home, "run", "--name", "r", "--", PYTHON, "-c", code, after=b"ready", keys=b"\x03")
    assert ended == 130
    assert "run r interrupted" in said
    shown = home.ok("lineage", "r").out
    assert "interrupted" in shown
    assert '"random.seed": "4"' in shown


def test_whoever_waits_for_digests_may_go(home: Any) -> None:
    """A result of many GiB: it is said what one waits for, Ctrl-C leaves its digest out, and the run is recorded."""
    code = "open('huge.bin', 'wb').truncate(1 << 40)"
    ended, said = in_terminal(
        home, "run", "--name", "r", "--", PYTHON, "-c", code, after=b"digests are being made", keys=b"\x03"
    )
    assert ended == 0
    assert "huge.bin was not read to its end: you stopped it" in said
    assert "run r finished" in said
    assert len(runs(home)) == 1


def test_a_terminate_is_passed_on(home: Any) -> None:
    """A scheduler ends us: the command is ended, and the run is recorded."""
    script = home.folder / "t.py"
    script.write_text("import pathlib, time; pathlib.Path('ready').touch(); time.sleep(60)")
    with subprocess.Popen(
        program(home, "run", "--name", "r", "--", PYTHON, "t.py"),
        cwd=home.folder,
        env=environ(home),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (home.folder / "ready").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "interrupted with SIGTERM" in err
    assert len(runs(home)) == 1


@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&- >&- 2>&-", "2>/dev/full", ">/dev/full 2>&1"])
def test_the_exit_code_is_the_commands_where_nobody_listens(home: Any, streams: str) -> None:
    """A closed or full stream takes our words, never the command's exit code or the record."""
    line = shlex.join(program(home, "run", "--name", "r", "--", "sh", "-c", "exit 3"))
    done = subprocess.run(f"{line} {streams}", shell=True, cwd=home.folder, env=environ(home), check=False)
    assert done.returncode == 3
    assert len(runs(home)) == 1


def test_a_log_of_our_own_words_is_no_result(home: Any) -> None:
    """`carnet run -- cmd > log 2>&1`: our line comes after its digest; what takes the command's words alone is a result."""
    line = shlex.join(program(home, "run", "--json", "--", "sh", "-c", "echo out; echo x > x.csv"))
    for streams, outputs in (("> both.log 2>&1", 1), ("> out.log", 2)):
        done = subprocess.run(
            f"{line} {streams}", shell=True, cwd=home.folder, env=environ(home), check=True, capture_output=True
        )
        value = json.loads((done.stderr or (home.folder / "both.log").read_bytes()).splitlines()[-1])
        assert value["outputs"] == outputs
        assert ("both.log takes what Carnet says too" in str(value["notes"])) is (outputs == 1)


def test_a_terminal_that_is_gone_takes_no_run_with_it(home: Any) -> None:
    """Hung up: the command is ended as it is without us, and the run is recorded."""
    pid, keyboard = pty.fork()
    if pid == 0:
        try:
            os.chdir(home.folder)
            words = ("run", "--", "sh", "-c", "touch ready; exec sleep 60")
            os.execve(PYTHON, program(home, *words), environ(home))
        finally:
            os._exit(99)
    while not (home.folder / "ready").exists():
        time.sleep(0.01)
    os.close(keyboard)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert len(runs(home)) == 1


def test_a_schedulers_warning_reaches_the_command(home: Any) -> None:
    """SIGUSR1 some minutes before the end: the command saves what it has, and the run is recorded as it ended."""
    code = "trap 'echo saved > model.pkl; exit 0' USR1; touch ready; while :; do sleep 0.02; done"
    with subprocess.Popen(
        program(home, "run", "--name", "r", "--", "sh", "-c", code), cwd=home.folder, env=environ(home)
    ) as process:
        while not (home.folder / "ready").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(60) == 0
    shown = home.ok("lineage", "r").out
    assert "model.pkl" in shown and "SIGUSR1" in shown


def test_a_folder_that_the_command_takes_away_takes_no_run_with_it(home: Any) -> None:
    """`cd build && carnet run -- make clean`: it is recorded; of a shell in a folder that is gone already, that is told."""
    place = home.folder / "d"
    place.mkdir()
    line = shlex.join(program(home, "run", "--name", "r", "--", "sh", "-c", "rm -rf ../d; exit 4"))
    done = subprocess.run(line, shell=True, cwd=place, env=environ(home), capture_output=True, text=True, check=False)
    assert (done.returncode, "run r failed with 4" in done.stderr) == (4, True)
    assert len(runs(home)) == 1
    place.mkdir()
    line = f"rmdir ../d; {shlex.join(program(home, 'run', '--', 'true'))}"
    done = subprocess.run(line, shell=True, cwd=place, env=environ(home), capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert done.stderr.splitlines() == [
        "carnet: the folder that you are in is not there any more",
        "Next: cd to one that is",
    ]


def test_the_command_is_started_with_little_loaded() -> None:
    """What signs and stores is imported while the command runs, not before it."""
    heavy = (
        "msgspec",
        "nacl",
        "sqlite3",
        "yaml",
        "textual",
        "rich",
        "cryptography",
        "carnet_store.desk",
        "platformdirs",
    )
    code = (
        "import sys\nfrom carnet_store.work.capture_child import Child\n"
        f"def stop(self):\n    print([m for m in {heavy!r} if m in sys.modules]); raise SystemExit(9)\n"
        "Child.__enter__ = stop\nfrom carnet_tui.cli import main\nmain(['run', '--', 'true'])\n"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 9), done.stderr


def test_a_pipe_that_is_closed_is_the_commands_trouble(home: Any) -> None:
    """`carnet run -- producer | head -1`: the producer is ended as it is without us."""
    line = shlex.join(program(home, "run", "--", PYTHON, "-c", "for n in range(1000000): print(n)"))
    done = subprocess.run(
        f"{line} | head -1", shell=True, cwd=home.folder, env=environ(home), capture_output=True, text=True, check=False
    )
    assert done.stdout == "0\n"
    assert "carnet: run" in done.stderr
    assert "bug in Carnet" not in done.stderr


def test_a_secret_is_taken_out_wherever_its_value_stands(home: Any) -> None:
    """A value that only its name tells stands in files, logs and names too: their digests are known, the bytes stay here."""
    (home.folder / "p.yaml").write_text("db:\n  password: correct-horse-battery\n")
    (home.folder / "t.py").write_text(
        "import sys\nopen('log.txt', 'w').write('used ' + sys.argv[2])\nopen('out-' + sys.argv[2], 'w')\n"
    )
    words = ("run", "--name", "r", "--params", "p.yaml", "--", "python3", "t.py", "--password", "hunter2secret")
    stopped = home.call("run", "--params", "p.yaml", "--", "sh", "-c", "cat p.yaml p.yaml > copy.txt")
    assert stopped.code == 125 and "copy.txt: it repeats parameter db.password" in stopped.err
    assert "correct-horse" not in stopped.err and runs(home) == []
    said = home.ok("run", "--redact", *words[1:])
    assert "values redacted" in said.err
    shown = home.ok("lineage", "r").out
    assert "out-<redacted>" in shown and "hunter2secret" not in shown
    held = b"".join(path.read_bytes() for path in (home.folder / ".carnet").rglob("*") if path.is_file())
    assert b"correct-horse-battery" not in held and b"hunter2secret" not in held


def test_a_changed_file_with_a_secret_is_kept_as_a_patch_without_it(home: Any) -> None:
    """The line stays, its value goes; the patch is marked, and nobody calls the code known to its last byte."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.org", "-C", str(home.folder))
    (home.folder / "q.yaml").write_text("lr: 1\n")
    for one in (("init", "-q"), ("add", "q.yaml"), ("commit", "-qm", "c")):
        subprocess.run((*git, *one), check=True, env=environ(home))
    (home.folder / "q.yaml").write_text("lr: 2\npassword: correct-horse-battery\n")
    words = ("--model", "m.pkl=churn@1", "--params", "q.yaml", "--", "sh", "-c", "echo m > m.pkl")
    stopped = home.call("run", *words)
    assert stopped.code == 125 and "changes.patch: it repeats parameter password" in stopped.err
    said = home.ok("run", "--redact", *words)
    assert "changes.patch has <redacted> in place of what looks like a secret" in said.err
    held = [path.read_bytes() for path in (home.folder / ".carnet").rglob("*") if path.is_file()]
    assert b"correct-horse-battery" not in b"".join(held)
    assert any(b"+lr: 2\n+password: <redacted>\n" in one for one in held)
    with Desk.open(None, start=home.folder, environ=home.environ) as desk:
        project = desk.project()
        verdict = code_snapshot(project, project.resolve("churn@1"))
    assert verdict.state == "fails"
    assert "without what looked like a secret" in verdict.reasons[0]
