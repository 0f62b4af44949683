"""The words of the command line: help, examples, near words, exit codes, start-up, output that steers nothing."""

from __future__ import annotations

import importlib.util
import io
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from carnet_tui import cli, console
from carnet_tui.cli import carnet, main
from carnet_tui.commands import Command
from carnet_tui.session import Environment, Session

HEAVY = ("textual", "rich", "sqlite_utils", "yaml", "nacl", "cryptography", "sqlite3", "msgspec")


def leaves(group: click.Group = carnet, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words."""
    ctx = click.Context(group, obj=Session(Environment({})))
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found


ALL = list(leaves())


@pytest.mark.parametrize("words", ["--version", "--help"])
def test_help_and_version_load_nothing_heavy(words: str) -> None:
    """The answer to a small question costs little."""
    code = (
        "import sys; from carnet_tui.cli import main; code = main([sys.argv[1]]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "carnet" in done.stdout.lower()


def test_every_command_has_help_an_example_and_json_where_it_tells_or_writes() -> None:
    """Issue 2, section 6: `--help` with examples; `--json` with its shape on every reading command."""
    silent = {"demo", "completion", "lock", "identity export", "template new"}
    for path, found in ALL:
        name = " ".join(path)
        assert isinstance(found, Command), name
        assert (found.help and found.help.split("\n")[0].rstrip().endswith((".", ",", "..."))) or "\n" in (
            found.help or ""
        ), name
        assert found.examples, name
        assert bool(found.shape) is (name not in silent), name


@pytest.mark.parametrize(("path", "example"), [(p, e) for p, c in ALL if isinstance(c, Command) for e in c.examples])
def test_examples_can_be_parsed(path: tuple[str, ...], example: str) -> None:
    words = shlex.split(example.split(" && ")[0].split(" >> ")[0].split(" > ")[0])
    while "=" in words[0]:  # an environment variable before the command
        words = words[1:]
    assert words[0] == "carnet"
    words = words[1:]
    if words[0].endswith(".carnet.zip"):
        words = ["inspect", *words]
    assert tuple(words[: len(path)]) == path
    found = dict(ALL)[path]
    parent = click.Context(carnet, obj=Session(Environment({})))
    found.make_context(path[-1], words[len(path) :], parent=parent)


def test_the_reference_page_is_the_programs() -> None:
    place = Path(__file__).parents[3] / "docs" / "make_commands.py"
    spec = importlib.util.spec_from_file_location("make_commands", place)
    assert spec is not None and spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.TARGET.read_text(encoding="utf-8") == page.text(), "run: python docs/make_commands.py"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["handof", "list"], "did you mean handoff"),
        (["handoff", "sho"], "did you mean show"),
        (["list", "modles"], "did you mean model"),
        (["gate", "x", "--allow-overide"], "--allow-override"),
        (["sign", "x", "--as", "researcher"], "missing option '--reason'"),
        (["gate"], "missing argument 'handoff'"),
        (["template", "show", "starter-research"], "starter-research-to-engineering"),
    ],
)
def test_wrong_words_name_near_ones_and_exit_2(ana: Any, words: list[str], said: str) -> None:
    done = ana.call(*words)
    assert done.code == 2
    assert said in done.err.lower()
    assert "Traceback" not in done.err
    assert done.out == ""


def test_without_a_store_every_word_says_what_to_do(machine: Any) -> None:
    here = machine("Zoe", identity=False)
    for words in (
        ["status"],
        ["list"],
        ["gate", "x"],
        ["verify"],
        ["log"],
        ["people", "list"],
        ["export", "x.carnet.zip"],
    ):
        done = here.call(*words)
        assert (done.code, done.out) == (2, ""), words
        assert "there is no store" in done.err
        assert "Next: carnet init" in done.err
    assert here.call("whoami").code == 2
    assert list(here.folder.iterdir()) == []


def test_a_bug_is_one_line_with_the_place_of_its_details(ana: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from carnet_tui.commands import find

    def broken(*_: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr(find, "_kind", broken)
    done = ana.call("list", "models")
    assert done.code == 1
    assert done.err.count("\n") == 1
    place = Path(done.err.strip().rpartition(" ")[2])
    assert "RuntimeError: oh" in place.read_text()
    place.unlink()


def test_a_reader_that_has_enough_is_no_error(ana: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -c 'from carnet_tui.cli import main; import sys; sys.exit(main())' keys | head -1",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_names_from_elsewhere_steer_no_terminal(ana: Any) -> None:
    """Promise 7: escapes, direction marks and line feeds in names and texts reach no stream as themselves."""
    evil = "x\x1b]0;owned\x07\x1b[31m‮gpj\u200b\nrm -rf"
    ana.ok("add", "document", evil)
    ana.ok("decide", evil, "--choice", evil, "--reason", evil + " and more")
    ana.ok("ask", evil)
    ana.ok("add", "model", f"{evil}@1")
    ana.ok("handoff", "open", f"{evil}@1")
    for words in (["list"], ["list", "decisions"], ["find", "gpj"], ["log"], ["status"], ["handoff", "list"],
                  ["lineage", f"{evil}@1"], ["handoff", "show", f"{evil}@1"], ["list", "--json"], ["find", "gpj", "--json"]):  # fmt: skip
        done = ana.ok(*words)
        for text in (done.out, done.err):
            assert not set(text) & set("\x1b\x07\x9b‮\u200b"), words
        assert not any(line.startswith("rm -rf") for line in done.out.splitlines())
    said = ana.ok("answer", f"{evil}@1", "framing.problem", "A problem that is stated in full here.")
    assert "'x" in said.last.partition("Next: ")[2]  # a command to paste keeps the name in quotes


def test_tables_align_wide_signs() -> None:
    out = io.StringIO()
    before, sys.stdout = sys.stdout, out
    try:
        console.table([["模型", "a"], ["m", "b"]])
    finally:
        sys.stdout = before
    assert out.getvalue() == "模型  a\nm     b\n"


def test_progress_is_told_only_of_long_work(capsys: pytest.CaptureFixture[str]) -> None:
    """What, how many, how long still; nothing for what takes under half a second."""
    times = iter([0.0, 0.1, 0.4, 6.0, 6.1, 20.0])
    with console.progress("verifying", lambda: next(times)) as hear:
        hear("events", 1, 100)
        hear("events", 4, 100)
        hear("events", 50, 100)
        hear("events", 51, 100)
        hear("objects", 3, 0)
    said = capsys.readouterr().err.splitlines()
    assert said == ["verifying: 50 of 100 events, about 6 s still", "verifying: 3 objects"]


def test_completion_scripts_are_printed(ana: Any) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_CARNET_COMPLETE" in ana.ok("completion", shell).out


def test_keys_come_from_the_table_of_actions(ana: Any) -> None:
    from carnet_tui.actions import ACTIONS

    rows = ana.ok("keys", "--json").json
    assert [row["id"] for row in rows] == [action.id for action in ACTIONS]


def test_without_a_terminal_carnet_prints_status(opened: Any) -> None:
    def without_ages(text: str) -> list[str]:
        return [line.rpartition(" ")[0] for line in text.splitlines()]

    bare = opened.ok().out
    assert without_ages(bare) == without_ages(opened.ok("status").out)
    assert bare.startswith("NEEDS YOU\n  churn@1  answer: ")


def test_main_returns_what_a_shell_gets(tmp_path: Path) -> None:
    assert main(["--version"], Environment({}, cwd=tmp_path)) == 0
    assert set(cli.SECTIONS) == {"Begin", "Look", "Record", "Hand over", "Exchange", "Keep"}
