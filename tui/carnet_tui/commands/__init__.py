"""What commands are made of: options every command takes, help with examples, subcommands that are loaded when they are called."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from carnet_tui.session import Environment, Session
from carnet_tui.text import clean

WRITTEN_SHAPE: Final = (
    '{"written", "entity", "changes": [id], "unblocked": [text], "next": command, "counts": why not yet}'
)
"""What `--json` gives on every command that writes to the record."""


def session(ctx: click.Context | None = None) -> Session:
    """Return the session of the running call."""
    found = (ctx or click.get_current_context()).find_object(Session)
    if found is None:
        raise RuntimeError("a command runs without a session")
    return found


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(session(ctx), name, value)

    return keep


def shared_options(*, hidden: bool) -> list[click.Parameter]:
    """Return the options that every command takes; they are told once, in `carnet --help`."""
    return [
        click.Option(["--store"], metavar="DIR", type=click.Path(path_type=Path), expose_value=False, hidden=hidden,
                     callback=_keep("store"), help="The store to work in, instead of the nearest (CARNET_STORE)."),
        click.Option(["--project"], metavar="NAME", expose_value=False, hidden=hidden, callback=_keep("project_name"),
                     help="The project, where the store holds several."),
        click.Option(["--me"], metavar="NAME", expose_value=False, hidden=hidden, callback=_keep("me"),
                     help="Who acts, where you have several identities (CARNET_ME)."),
    ]  # fmt: skip


def in_short(text: str, room: int = 60) -> str:
    """Return the first clause of a help text, at most `room` characters: whole words, and no dots where it was cut."""
    plain = re.sub(r"\s*\([^)]*\)", "", " ".join(text.split()))
    clause = re.split(r"[:;.](?:\s|$)", plain, maxsplit=1)[0]
    while len(clause) > room and "," in clause:
        clause = clause.rpartition(",")[0]
    while len(clause) > room:
        clause = clause.rpartition(" ")[0]
    return clause


class Command(click.Command):
    """A command with examples and, where it has one, a documented JSON shape."""

    def __init__(
        self, *args: Any, examples: Sequence[str] = (), shape: str = "", writes: bool = False, shares: bool = True, **kwargs: Any
    ) -> None:  # fmt: skip
        """`shape` says what `--json` gives; `writes` takes the shape of every writing command; `shares` the shared options."""
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.shape = shape or (WRITTEN_SHAPE if writes else "")
        self.writes = writes
        if self.shape:
            self.params.append(
                click.Option(["--json"], is_flag=True, expose_value=False, callback=_keep("json"), help="Print JSON.")
            )
        if shares:
            self.params += shared_options(hidden=True)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the JSON shape."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        if self.shape and not self.writes:
            with formatter.section("JSON"):
                formatter.write_text(self.shape)
        super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A group whose commands lie in modules that are imported when the command is called; unknown words suggest near ones."""

    command_class = Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, each with its first clause."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, in_short(one.help or "")) for name, one in found if one is not None])

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        """`places` maps a command's name to `module:attribute` within this package."""
        super().__init__(*args, **kwargs)
        self.places = dict(places or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order in which they are told."""
        return [*self.places, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module at need."""
        place = self.places.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"carnet_tui.commands.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown word names the near ones."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, self.list_commands(ctx), 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


F = TypeVar("F", bound=Callable[..., Any])


def command(name: str, *examples: str, shape: str = "", writes: bool = False, **more: Any) -> Callable[[F], Command]:
    """Make a command of a function; every one has an example, its docstring is its help."""

    def make(function: F) -> Command:
        made = click.command(name, cls=Command, examples=examples, shape=shape, writes=writes, **more)(function)
        return made

    return make


def add_to(
    group: Group, name: str, *examples: str, shape: str = "", writes: bool = False, **more: Any
) -> Callable[[F], Command]:
    """Make a command of a function and put it into a group."""

    def make(function: F) -> Command:
        made = command(name, *examples, shape=shape, writes=writes, **more)(function)
        group.add_command(made)
        return made

    return make


def _completions(ctx: click.Context, kind: str, incomplete: str) -> list[str]:
    """Return the handoffs, items or things that begin with what is typed; none where the store cannot be read."""
    here = ctx.find_object(Session) or Session(Environment())
    try:
        project = here.project()
        if kind == "item":
            return [
                i.id
                for i in here.handoff(str(ctx.params.get("which")))[1].checklist.items
                if i.id.startswith(incomplete)
            ]
        if kind == "handoff":
            found = [project.title(h.opened.model) for h in project.handoffs()]
        else:
            found = [row.title for row in project.entities(text=incomplete, limit=100)]
    except Exception:  # completing a word never says anything but words
        return []
    finally:
        here.close()
    return sorted({one for one in found if one.startswith(incomplete) and clean(one) == one and " " not in one})


class Word(click.ParamType[str]):
    """A handoff, an item of the handoff before it, or a thing of the record: completed from the store."""

    def __init__(self, kind: str) -> None:
        """`kind` is handoff, item or node."""
        self.name = kind

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word as typed; what it means is asked where the store is open."""
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return what could be meant."""
        return [CompletionItem(one) for one in _completions(ctx, self.name, incomplete)]


class Pair(click.ParamType[tuple[str, str]]):
    """An option value `KEY=VALUE`."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value, without blanks around them."""
        if isinstance(value, tuple):
            return value[0], value[1]
        key, sign, rest = str(value).partition("=")
        if not sign or not key.strip():
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key.strip(), rest.strip()


PAIR: Final = Pair()
HANDOFF: Final = Word("handoff")
ITEM: Final = Word("item")
NODE: Final = Word("node")
PATH: Final = click.Path(path_type=Path)
