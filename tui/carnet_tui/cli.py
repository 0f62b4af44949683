"""The command line: parse, dispatch, exit codes. Nothing heavy is imported before a command needs it.

Exit codes: 0 ok, 1 a bug, 2 usage, 3 not passed or refused by the rules, 4 invalid input, 5 untrusted, 6 written by a
newer Carnet, 7 busy.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from carnet_tui import console
from carnet_tui.commands import Group, in_short, session, shared_options
from carnet_tui.session import Environment, Session

if TYPE_CHECKING:
    from carnet_store import CarnetError

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Begin": {
        "init": "project:init",
        "start": "start:start",
        "demo": "project:demo",
        "whoami": "identity:whoami",
        "identity": "identity:identity",
        "lock": "identity:lock",
        "people": "people:people",
    },
    "Look": {
        "status": "project:status",
        "list": "find:list_",
        "find": "find:find",
        "lineage": "lineage:lineage",
        "log": "find:log",
        "keys": "project:keys",
    },
    "Record": {
        "run": "run:run",
        "capture": "capture:capture",
        "add": "add:add",
        "link": "record:link",
        "describe": "record:describe",
        "decide": "record:decide",
        "ask": "record:ask",
        "reply": "record:reply",
        "close-question": "record:close_question",
        "comment": "record:comment",
        "annotate": "annotate:annotate",
        "retract": "record:retract",
        "confirm": "record:confirm",
    },
    "Hand over": {
        "handoff": "handoff:handoff",
        "answer": "answering:answer",
        "verify-item": "answering:verify_item",
        "settle": "answering:settle",
        "finding": "answering:finding",
        "review": "review:review",
        "waive": "gate:waive",
        "sign": "gate:sign",
        "gate": "gate:gate",
        "override": "gate:override",
        "recall": "recall:recall",
        "custody": "gate:custody",
    },
    "Exchange": {
        "export": "exchange:export",
        "inspect": "exchange:inspect",
        "import": "exchange:import_",
        "verify": "exchange:verify",
    },
    "Keep": {
        "backup": "keeping:backup",
        "restore": "keeping:restore",
        "shred": "keeping:shred",
        "doctor": "doctor:doctor",
        "template": "templates:template",
        "completion": "project:completion",
    },
}


class Root(Group):
    """`carnet` itself: without a word the TUI or `status`; a bundle's name opens its preview."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what one wants to do."""
        for title, places in SECTIONS.items():
            rows = []
            for name in places:
                found = self.get_command(ctx, name)
                if found is not None:
                    rows.append((name, in_short(found.help or "")))
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a file that is no command for a bundle to look into."""
        if args and args[0] not in self.places and _is_file(session(ctx), args[0]):
            args = ["inspect", *args]
            ctx.meta["carnet.by_file"] = len(args) == 2  # a file alone: on a terminal its plan is a screen
        return super().resolve_command(ctx, args)


def _is_file(here: Session, word: str) -> bool:
    if word.endswith(".carnet.zip"):
        return True
    with contextlib.suppress(OSError, ValueError):
        return word.endswith(".zip") and here.env.path(word).is_file()
    return False


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        console.out(f"carnet {version('carnet')}")
        ctx.exit(0)


@click.group(
    "carnet",
    cls=Root,
    places={name: place for places in SECTIONS.values() for name, place in places.items()},
    invoke_without_command=True,
    params=[
        *shared_options(hidden=False),
        click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."),
    ],
)  # fmt: skip
@click.pass_context
def carnet(ctx: click.Context) -> None:
    """Hand a model over on evidence: a signed ledger that travels with it, and gates that people pass.

    Without a word: the terminal UI on the nearest store; where there is no terminal, `status`.
    `carnet FILE.carnet.zip` looks into a bundle: on a terminal its plan opens, ready to be taken in.
    """
    if ctx.invoked_subcommand is not None:
        return
    here = session(ctx)
    if sys.stdin.isatty() and sys.stdout.isatty():
        from carnet_tui.commands.project import start_tui

        ctx.exit(start_tui(here))
    else:
        from carnet_tui.commands.project import status

        ctx.invoke(status)


def main(arguments: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run a command line and return its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # `carnet … >&-`
            setattr(sys, name, io.StringIO())
    here = Session(environment or Environment())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        done: Any = carnet.main(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name="carnet", standalone_mode=False, obj=here,
        )  # fmt: skip
        sys.stdout.flush()
        return done if isinstance(done, int) else 0
    except click.ClickException as error:
        return _wrong_call(error)
    except (click.Abort, KeyboardInterrupt):
        console.talk("Stopped.")
        return 130
    except BrokenPipeError:  # `carnet log | head`: whoever reads has enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from carnet_store import CarnetError

        return told(error) if isinstance(error, CarnetError) else _bug(error)
    finally:
        here.close()


def _wrong_call(error: click.ClickException) -> int:
    message = error.format_message()
    console.talk(f"carnet: {message[:1].lower()}{message[1:]}")
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        console.talk(f"Next: {ctx.command_path} --help")
    return 2


def told(error: CarnetError) -> int:
    """Tell an expected error on stderr; return its exit code."""
    console.talk(f"carnet: {error.message}")
    for reason in error.reasons:
        console.talk(f"  - {reason}")
    if error.hint:
        console.talk(f"Next: {error.hint}")
    return error.exit_code


def _bug(error: Exception) -> int:
    """Say in one line that this is our fault and where the details lie."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="carnet-error-", suffix=".txt", encoding="utf-8", delete=False
        ) as log:
            log.write(text)
        name = log.name
    except OSError:
        name = "no file, for none could be written"
    console.talk(f"carnet: this is a bug in Carnet, {type(error).__name__}; what happened is in {name}")
    return 1
