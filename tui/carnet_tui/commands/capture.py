"""Take in what other tools recorded: a plan first, then one transaction."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import PAIR, command, session
from carnet_tui.session import Session, quoted
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store.exchange.capturing import CapturePlan
    from carnet_store.exchange.importers.things import Source

_SHAPE = (
    '{"sources": [{"kind", "path"}], "new", "changed", "known", "kinds": {kind: {state: n}}, "edges", "objects", "object_bytes", "unreachable", '
    '"unread": [{"where", "why"}], "unread_count", "written": bool, "entity_of_newest_run"}'
)
NAMED: int = 20
"""So many unreadable places are told; `--json` has more."""


@command(
    "capture",
    "carnet capture .",
    "carnet capture mlflow mlruns --dry-run",
    "carnet capture dvc ../training --map /home/ana/data=/srv/data",
    shape=_SHAPE,
)
@click.argument("words", nargs=-1, required=True, metavar="[KIND] PATH")
@click.option("--map", "maps", type=PAIR, multiple=True, metavar="OLD=NEW",
              help="Where another machine's folder lies here. Repeatable.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would add; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
def capture(words: tuple[str, ...], maps: tuple[tuple[str, str], ...], dry_run: bool, yes: bool) -> None:
    """Take in what another tool recorded: MLflow, DVC, git, OpenLineage and others. Without KIND it looks what is there.

    The source is only read. Read again later, only what is new is added.
    """
    from carnet_store import Usage

    if len(words) > 2:
        raise Usage(f"one KIND and one PATH, not {len(words)} words", "carnet capture mlflow mlruns")
    kind, place = ("", words[0]) if len(words) == 1 else words
    here = session()
    desk, project = here.desk(), here.project()
    with contextlib.ExitStack() as stack:
        sources = stack.enter_context(_sources(here, kind, place, maps))
        with console.progress("reading") as hear:
            made = stack.enter_context(desk.capture_plan(project, sources, hear))
        if not here.json:
            show_plan(made)
        write = not (dry_run or made.nothing_new)
        if write and here.interactive and not (yes or here.json):
            write = here.confirm("Write this?")
            if not write:
                console.talk("Nothing was written.")
                return
        written = None
        if write:
            with console.progress("writing") as hear:
                written = desk.capture(project, made, hear)
        if here.json:
            console.out_json(_as_json(made, written is not None))
        if written is not None:
            newest = made.newest[1]
            next_ = quoted("carnet", "lineage", newest) if newest else "carnet list"
            console.talk(f"{written.sentence}{_unread_words(made)}. Next: {next_}")
        elif made.nothing_new and not made.counts:
            console.talk(f"Nothing was found{_unread_words(made)}.")
        elif made.nothing_new:
            console.talk(f"Nothing new: the record holds all of it already{_unread_words(made)}.")
        else:
            console.talk(f"Nothing was written{_unread_words(made)}. Next: {quoted('carnet', 'capture', *words)}")


@contextlib.contextmanager
def _sources(
    here: Session, kind: str, place: str, maps: Sequence[tuple[str, str]]
) -> Iterator[list[tuple[str, Source]]]:
    """Give what to read, by kind; a server's answers are fetched into a folder that goes away afterwards."""
    from carnet_store import NotFound, Usage
    from carnet_store.exchange.importers import guesses
    from carnet_store.exchange.importers.things import Source

    if place.startswith(("http://", "https://")):
        if kind not in ("", "mlflow"):
            raise Usage(f"{kind} is read from files, not from a server", "only MLflow is asked over the network")
        from carnet_store.exchange.importers.mlflow import fetch

        with tempfile.TemporaryDirectory(prefix="carnet-") as folder:
            fetch(place, Path(folder), token=here.env.environ.get("MLFLOW_TRACKING_TOKEN", ""))
            yield [("mlflow", Source(Path(folder), maps))]
        return
    path = here.env.path(place)
    if not path.exists():
        raise NotFound(f"there is no file or folder {place}")
    if kind:
        yield [(kind, Source(path, maps))]
        return
    found = guesses(path)
    if not found:
        from carnet_store.exchange.importers import IMPORTERS

        raise NotFound(f"{place} holds nothing that Carnet reads", f"it reads: {', '.join(IMPORTERS)}")
    for one in found:
        console.talk(f"found {one.words}")
    yield [(one.kind, Source(path, maps)) for one in found]


def show_plan(made: CapturePlan) -> None:
    """Tell what a plan would add."""
    kinds = sorted({kind for kind, _ in made.counts})
    rows = [[kind, *(str(made.counts[kind, state]) for state in ("new", "changed", "known"))] for kind in kinds]
    console.table(rows, ("kind", "new", "changed", "known"))
    parts = [plural(made.edges, "new edge")]
    if made.objects:
        parts.append(f"{plural(made.objects, 'file')} to keep ({console.size(made.object_bytes)})")
    console.out(", ".join(parts))
    if made.unreachable:
        console.out(out_of_reach(made.unreachable))
    if made.unread_count:
        console.out(f"{plural(made.unread_count, 'place')} could not be read:")
        for one in made.unread[:NAMED]:
            console.out(f"  {one.where}: {one.why}")
        if made.unread_count > NAMED:
            console.out(f"  and {made.unread_count - NAMED:,} more (--json names {len(made.unread):,})")


def out_of_reach(count: int) -> str:
    """Return what became of things whose files are not here."""
    of, keep = (
        ("files of 1 thing are", "it keeps its address")
        if count == 1
        else (f"files of {count:,} things are", "they keep their addresses")
    )
    return f"{of} out of reach here; {keep} (--map OLD=NEW says where another machine's folder lies)"


def _unread_words(made: CapturePlan) -> str:
    return f"; {plural(made.unread_count, 'place')} could not be read" if made.unread_count else ""


def _as_json(made: CapturePlan, written: bool) -> dict[str, Any]:
    kinds: dict[str, dict[str, int]] = {}
    for (kind, state), number in sorted(made.counts.items()):
        kinds.setdefault(kind, {})[state] = number
    return {
        "sources": [{"kind": kind, "path": path} for kind, path in made.sources],
        "new": made.count("new"), "changed": made.count("changed"), "known": made.count("known"),
        "kinds": kinds, "edges": made.edges, "objects": made.objects, "object_bytes": made.object_bytes,
        "unreachable": made.unreachable,
        "unread": [{"where": one.where, "why": one.why} for one in made.unread], "unread_count": made.unread_count,
        "written": written, "entity_of_newest_run": made.newest[0],
    }  # fmt: skip
