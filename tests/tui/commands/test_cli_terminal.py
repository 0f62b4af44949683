"""What is asked on a terminal, and what is drawn on one."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from carnet_tui import session
from carnet_tui.cli import main
from carnet_tui.session import Environment

PROBLEM = "Each month retention calls the customers whose score is over one half, at most two thousand."


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def at_terminal(here: Any, *words: str, typed: str = "") -> tuple[int, str, str]:
    """Run a command line with a person at the keyboard; return code, stdout, stderr."""
    out, err, before = Terminal(), Terminal(), sys.stdin
    sys.stdin = Terminal(typed)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words, Environment(here.environ, here.clock, here.folder))
    finally:
        sys.stdin = before
    return code, out.getvalue(), err.getvalue()


def test_sign_asks_for_the_digest(opened: Any) -> None:
    opened.ok("handoff", "seal", "churn@1")
    digest = opened.ok("handoff", "show", "churn@1", "--json").json["package"]
    words = ("sign", "churn@1", "--as", "researcher", "--reason", "made as described")
    code, _, err = at_terminal(opened, *words, typed="nope\n")
    assert (code, "nothing was signed" in err) == (2, True)
    assert at_terminal(opened, *words, typed="")[0] == 2  # the end of input is no consent
    code, _, err = at_terminal(opened, *words, typed=f"{digest[:4]}\n")
    assert code == 0, err
    assert "Type the first 4 characters" in err
    assert "covers   12 items" in err


def test_a_new_project_is_trusted_by_typing_its_fingerprint(opened: Any, machine: Any) -> None:
    other = machine("Zoe")
    opened.send(other)
    start = opened.ok("whoami", "--json").json["fingerprint"].removeprefix("SHA256:")[:6]
    code, _, err = at_terminal(other, "import", "b.carnet.zip", typed="abcdef\n")
    assert (code, "nothing was written" in err) == (3, True)
    assert not (other.folder / ".carnet").exists()
    code, out, err = at_terminal(other, "import", "b.carnet.zip", typed=f"{start}\n")
    assert code == 0, err
    assert "churn, founded by Ana" in out
    opened.ok("comment", "churn@1", "one more")
    opened.send(other)
    code, _, err = at_terminal(other, "import", "b.carnet.zip", typed="n\n")
    assert (code, "Nothing was written." in err) == (0, True)
    assert other.ok("import", "b.carnet.zip", "--dry-run", "--json").json["new"] == 1
    assert at_terminal(other, "import", "b.carnet.zip", typed="y\n")[0] == 0


def test_review_walks_from_item_to_item_and_writes_at_the_end(opened: Any) -> None:
    waiting = len(opened.ok("review", "churn@1", "--json").json)
    typed = PROBLEM + "\n" * waiting + "y\n"
    code, out, err = at_terminal(opened, "review", "churn@1", "--plain", typed=typed)
    assert code == 0, err
    assert "--- 1 of" in out
    assert "Record 1 answer, 0 agreements" in err
    assert opened.ok("handoff", "show", "churn@1", "problem", "--json").json["answer"]["text"] == PROBLEM
    before = opened.ok("verify", "--json").json["projects"][0]["events"]
    at_terminal(opened, "review", "churn@1", "--plain", typed="\n" * 9)
    at_terminal(opened, "review", "churn@1", "--plain", typed="unknown" + "\n" * (waiting - 1) + "n\n")
    assert opened.ok("verify", "--json").json["projects"][0]["events"] == before


def test_a_passphrase_is_asked_three_times_at_most(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here = machine("Zoe", identity=False)
    said: Iterator[str] = iter(["correct horse", "correct horse", "wrong", "correct horse", "a", "b", "c"])
    monkeypatch.setattr(session, "hidden", lambda _prompt: next(said))
    monkeypatch.setattr("carnet_tui.commands.identity.hidden", lambda _prompt: next(said))
    assert at_terminal(here, "identity", "new", "Zoe", "--passphrase")[0] == 0
    code, _, err = at_terminal(here, "init", "--project", "sealed")  # one wrong, then right
    assert code == 0, err
    assert "That is not it." in err
    code, _, err = at_terminal(here, "people", "role", "Zoe", "operator")
    assert code not in (0, 1)
    assert "Traceback" not in err
    assert list(said) == []


def test_tables_have_heads_and_fit_the_terminal(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = at_terminal(opened, "list")
    assert code == 0
    assert out.startswith("KIND")
    assert max(len(line) for line in out.splitlines()) <= 60


def test_shred_asks_before_it_forgets(opened: Any) -> None:
    opened.ok("people", "role", "Ana", "researcher", "eraser")
    opened.ok("comment", "churn@1", "a secret that should go")
    row = next(r for r in opened.ok("log", "--json").json if r["kind"] == "comment.added")
    words = ("shred", row["change"][:16], "--reason", "asked to be forgotten")
    code, _, err = at_terminal(opened, *words, typed="\n")
    assert (code, "Nothing was erased." in err) == (0, True)
    assert at_terminal(opened, *words, typed="yes\n")[0] == 0
    assert next(r for r in opened.ok("log", "--json").json if r["change"] == row["change"])["value"] is None


def test_carnet_alone_opens_the_terminal_ui(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[dict[str, Any]] = []

    def run(start: Any = None, **more: Any) -> int:
        called.append({"start": start, **more})
        return 5

    monkeypatch.setattr("carnet_tui.app.run", run)
    assert at_terminal(opened)[0] == 5
    assert at_terminal(opened, "--me", "Ana")[0] == 5
    assert called[1]["who"] == "Ana"


def test_a_bundles_name_opens_its_plan_with_and_without_a_store(
    opened: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R150: on a terminal `carnet FILE` shows the plan, whether there is a store or not; a file that is not there is said."""
    called: list[dict[str, Any]] = []

    def run(start: Any = None, **more: Any) -> int:
        called.append({"start": start, **more})
        return 5

    monkeypatch.setattr("carnet_tui.app.run", run)
    other = machine("Zoe", identity=False)
    bundle = opened.send(other)
    assert at_terminal(other, bundle.name)[0] == 5
    assert [(one["start"], one["bundle"]) for one in called] == [(None, bundle)]
    assert at_terminal(opened, str(bundle))[0] == 5
    code, _, err = at_terminal(other, "nosuch.carnet.zip")
    assert code == 2 and "nosuch.carnet.zip" in err
    code, _, _ = at_terminal(other, "--store", str(other.folder / "nowhere"), bundle.name)
    assert code not in (0, 5) and len(called) == 2
    said = other.ok(bundle.name)  # no terminal: the plan is printed
    assert "founded by Ana" in said.out and "carnet import" in said.last
    assert [p.name for p in other.folder.iterdir()] == [bundle.name]


def test_completion_knows_handoffs_items_and_things(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    from carnet_tui.commands import HANDOFF, ITEM, NODE
    from carnet_tui.session import Session

    def offered(kind: Any, typed: str, **params: str) -> list[str]:
        ctx = click.Context(click.Command("x"), obj=Session(Environment(opened.environ, opened.clock, opened.folder)))
        ctx.params = dict(params)
        return [one.value for one in kind.shell_complete(ctx, click.Argument(["x"]), typed)]

    assert offered(HANDOFF, "ch") == ["churn@1"]
    assert "framing.problem" in offered(ITEM, "fr", which="churn@1")
    assert offered(ITEM, "fr", which="nothing") == []
    assert offered(NODE, "te") == ["telco"]
