"""Run a command and record what it was. The command begins before anything heavy is loaded; its streams and its exit code are its own."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from carnet_tui import console
from carnet_tui.commands import PAIR, PATH, Command, session
from carnet_tui.commands.node_words import node_word
from carnet_tui.session import Session, quoted

if TYPE_CHECKING:
    from carnet_store import Acts, CarnetError
    from carnet_store.work.capture import Asked, Captured, Run

OURS: Final = 125
"""The exit code where Carnet itself failed; every other one is the command's."""
NAMED: Final = 10
PATIENCE: Final = 2.0
"""Seconds that digests may take after the end of the command before it is said what takes so long."""
_SHAPE: Final = (
    '{"written", "entity", "name", "status", "exit_code", "seconds", "inputs", "outputs", "params", "metrics", "dirty", "redacted", "hash_ms", '
    '"notes": [text], "kept": folder where no project took it in, "next"}, one line, the last on stderr'
)


class _RunCommand(Command):
    """A command whose own failures all end with 125, a wrong call too, so that no exit code can be taken for the child's."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the words; what is wrong with them is told here."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            console.talk(f"carnet: {error.format_message()[:1].lower()}{error.format_message()[1:]}")
            console.talk("Next: carnet run --help")
            raise click.exceptions.Exit(OURS) from None


@click.command(
    "run",
    cls=_RunCommand,
    examples=(
        "carnet run -- python train.py --lr 0.1",
        "carnet run --name r-012 --in data/churn.csv --out models --metrics metrics.json -- python train.py",
        "carnet run --model model.pkl=churn@3 -- make train",
        "carnet run --adopt",
    ),
    shape=_SHAPE,
    context_settings={"allow_interspersed_args": False},
)
@click.option("--name", default="", help="What to call the run; else its script and the time.")
@click.option(
    "--in",
    "inputs",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="A file or folder that it reads. Repeatable; else the files among its arguments.",
)
@click.option(
    "--out",
    "outputs",
    type=PATH,
    multiple=True,
    metavar="PATH",
    help="A file or folder that it writes. Repeatable; else what is new or changed here.",
)
@click.option(
    "--model",
    "models",
    type=PAIR,
    multiple=True,
    metavar="PATH=NAME@VERSION",
    help="A file that it writes is this model version. Repeatable.",
)
@click.option(
    "--params", type=PATH, multiple=True, metavar="FILE", help="Parameters, as JSON, YAML or TOML. Repeatable."
)
@click.option(
    "--metrics",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Metrics that it writes, as JSON, JSON lines or CSV. Repeatable.",
)
@click.option("--env", "env", multiple=True, metavar="NAME", help="Record this variable too. Repeatable.")
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Keep the bytes of all that it writes, or of none; else of files up to 1 MiB.",
)
@click.option(
    "--probe/--no-probe", default=True, help="Watch seeds and packages of Python in it (a file on its PYTHONPATH)."
)
@click.option(
    "--redact", is_flag=True, help="Record `<redacted>` where something looks like a secret, instead of nothing at all."
)
@click.option(
    "--adopt", is_flag=True, help="Take in the runs that were kept aside, all or those that are named, and run nothing."
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--] COMMAND ...")  # fmt: skip
def run(words: tuple[str, ...], adopt: bool, redact: bool, **options: Any) -> None:
    """Run a command and record it: code, data, environment, parameters, seeds, metrics, results.

    Its exit code is returned, 125 where Carnet itself failed. Without a store the run is kept aside, and `carnet run --adopt` takes it in.
    """
    here = session()
    if adopt:
        _adopt(here, words)
        return
    from carnet_store.errors import CarnetError

    own = here.env.environ is os.environ  # the program itself, not a call within another
    if own:
        gc.disable()  # we hold little and end soon: collecting takes a tenth of the time that somebody waits
    try:
        code = _captured(here, _asked(here, words, options), redact)
    except CarnetError as error:
        _told(error)
        code = error.exit_code if error.exit_code in (126, 127) else OURS
    except Exception as error:
        from carnet_tui import cli

        cli._bug(error)
        code = OURS
    if own:
        gc.freeze()  # nor at the very end
    click.get_current_context().exit(code)


def _asked(here: Session, words: tuple[str, ...], options: dict[str, Any]) -> Asked:
    from carnet_store.errors import NotFound, Usage
    from carnet_store.work.capture import Asked

    if not words:
        raise Usage("there is no command to run", "carnet run -- python train.py")
    root, named = _root(here), here.store_path()
    if root is None and named is not None:
        raise NotFound(f"there is no store at or above {named}", "carnet init --project NAME makes one")
    keys = here.environ().get("CARNET_CONFIG", "").strip()  # a demo's lie in its own folder
    private = (here.env.path(keys),) if keys else ()
    return Asked(words, here.env.folder, here.env.environ, root=root, private=private, **options)


def _root(here: Session) -> Path | None:
    """Return the folder that the nearest store is for, found as `Store.find` does, with nothing loaded."""
    start = (here.store_path() or here.env.folder).absolute()
    for folder in (start, *start.parents):
        root = folder if folder.name == ".carnet" else folder / ".carnet"
        if (root / "ledgers").is_dir():
            return root.parent
    return None


def _captured(here: Session, asked: Asked, redact: bool) -> int:
    """Run and record; return the exit code."""
    from carnet_store.errors import Refused
    from carnet_store.work import capture_secrets
    from carnet_store.work.capture import Run

    if not redact:
        found = capture_secrets.in_command(asked.argv, asked.environ, asked.env)
        if found:
            raise Refused(
                "the command was not run: what would be recorded of it holds what looks like a secret",
                "hand it over in a file or a variable; or carnet run --redact …",
                [str(one) for one in found[:NAMED]],
            )
    clock = here.clock()
    with Run(asked, clock) as child:
        child.prepare()
        acts, trouble = _acts(here)
        capture_secrets.read_early(child.read["code"])
        child.reading.heard = _Waiting(child)
        child.read_inputs()
        captured = child.finish()
        return _written(here, captured, acts, trouble, redact)


class _Waiting:
    """Says once, when the command has ended and digests are still being made, what one waits for."""

    def __init__(self, child: Run) -> None:
        self._child = child
        self._since = 0.0

    def __call__(self) -> None:
        if self._child.child.running or self._since < 0:
            return
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since > PATIENCE:
            self._since = -1.0
            console.talk("carnet: the command has ended; digests are being made (Ctrl-C leaves out the rest)")


def _acts(here: Session) -> tuple[Acts | None, CarnetError | None]:
    """Open the project while the command runs; where that cannot be, say why: the run is kept aside then.

    The inbox's index is left alone: whoever looks next brings it up to date, and a run needs not wait for all handoffs to be judged.
    """
    from carnet_store import Acts, CarnetError
    from carnet_store.work import capture_assembly, capture_record, capture_secrets  # noqa: F401 (loaded while it runs)

    try:
        desk, project = here.desk(), here.project()
        acts = Acts(project, desk.actor(project), entropy=desk.entropy)
        acts.me.chain()
        return acts, None
    except CarnetError as error:
        return None, error


def _written(here: Session, captured: Captured, acts: Acts | None, trouble: CarnetError | None, redact: bool) -> int:
    """Record a run or keep it aside, and tell; return the exit code."""
    from carnet_store import CarnetError
    from carnet_store.work import capture_record, capture_secrets

    found = capture_secrets.take_out(captured)
    if found and not redact:
        shown = [str(one) for one in found[:NAMED]]
        shown += [f"and {len(found) - NAMED} places more"] if len(found) > NAMED else []
        said = f"nothing was recorded, for what looks like a secret stands in it; the command itself ended with {captured.code}"
        _keep_aside(here, captured, said, "carnet run --adopt takes it in with these values redacted", shown)
        return OURS
    if acts is not None:
        try:
            written = capture_record.record(acts, captured)
        except CarnetError as error:
            trouble = error
        else:
            counts = f"it {written.counts}" if written.counts.startswith("counts") else written.counts
            word = node_word(acts.project, written.entity)
            said = "; ".join(part for part in (_sentence(captured), counts) if part)
            _tell(here, captured, entity=written.entity, next_=quoted("carnet", "lineage", word), said=said)
            return captured.code
    if _root(here) is None:
        said = f"{_sentence(captured)}; kept aside, for there is no store here"
        _keep_aside(here, captured, said, "carnet init --project NAME, then carnet run --adopt")
        return captured.code
    why, hint, more = (
        (trouble.message.rstrip("."), trouble.hint, trouble.reasons) if trouble is not None else ("", "", ())
    )
    said = f"{_sentence(captured)}, exit code {captured.code}; kept aside, for it could not be recorded: {why}"
    _keep_aside(here, captured, said, f"{hint}; then carnet run --adopt" if hint else "carnet run --adopt", more)
    return OURS


def _keep_aside(here: Session, captured: Captured, said: str, next_: str, reasons: Sequence[str] = ()) -> None:
    """Keep a run until a project takes it in, and tell. Raises Invalid where that cannot be done."""
    from carnet_store.work import capture_record

    place = capture_record.keep_aside(capture_record.aside_folder(here.environ()), captured)
    _tell(here, captured, kept=place, next_=next_, said=said, reasons=reasons)


# -- telling -------------------------------------------------------------------------------------------------------------


def _sentence(captured: Captured) -> str:
    attrs = captured.attrs
    how = (
        captured.status
        if captured.code in (0, 130)
        else f"{captured.status} with {attrs.get('signal') or captured.code}"
    )
    made = [
        f"{len(attrs.get(key, ()))} {word}" for key, word in (("inputs", "in"), ("outputs", "out")) if attrs.get(key)
    ]
    figures = [
        f"{len(rows)} {word}" for rows, word in ((captured.params, "parameters"), (captured.metrics, "metrics")) if rows
    ]
    code = attrs.get("code", {})
    state = {True: "code changed since its commit", False: ""}.get(code.get("dirty"), f"code: {code.get('dirty')}")
    redacted = f"{captured.redacted} values redacted" if captured.redacted else ""
    hashing = f"digests took {captured.hash_ms / 1000:.1f} s" if captured.hash_ms >= 1000 else ""
    parts = [", ".join([*made, *figures]), state, redacted, hashing]
    return f"run {captured.name} {how} in {float(attrs['seconds']):.1f} s" + "".join(
        f"; {part}" for part in parts if part
    )


def _tell(
    here: Session, captured: Captured, *, said: str, next_: str, entity: str = "", kept: Path | None = None, reasons: Sequence[str] = ()
) -> None:  # fmt: skip
    """Say on stderr what became of the run: stdout is the command's."""
    if here.json:
        import json

        value = {
            "written": said if entity else "", "entity": entity, "name": captured.name, "status": captured.status,
            "exit_code": captured.code, "seconds": captured.attrs["seconds"], "inputs": len(captured.attrs.get("inputs", ())),
            "outputs": len(captured.attrs.get("outputs", ())), "params": len(captured.params), "metrics": len(captured.metrics),
            "dirty": captured.attrs.get("code", {}).get("dirty"), "redacted": captured.redacted, "hash_ms": captured.hash_ms,
            "notes": [*captured.notes, *reasons], "kept": str(kept or ""), "next": next_,
        }  # fmt: skip
        console.talk(json.dumps(value))
        return
    for note in captured.notes[:NAMED]:
        console.talk(f"carnet: {note}")
    if len(captured.notes) > NAMED:
        console.talk(f"carnet: and {len(captured.notes) - NAMED} notes more, in the record")
    if not reasons:
        console.talk(f"carnet: {said}. Next: {next_}")
        return
    console.talk(f"carnet: {said}")
    for reason in reasons:
        console.talk(f"  - {reason}")
    console.talk(f"Next: {next_}")


def _told(error: CarnetError) -> None:
    from carnet_tui.cli import told

    told(error)


# -- adopting ------------------------------------------------------------------------------------------------------------


def _adopt(here: Session, names: tuple[str, ...]) -> None:
    """Take in the runs that were kept aside, each in a transaction of its own."""
    from carnet_store import NotFound
    from carnet_store.work import capture_record, capture_secrets

    folder = capture_record.aside_folder(here.environ())
    project = here.project()
    root = project.path.parents[2]
    waiting = [(place, capture_record.load_aside(place, root)) for place in capture_record.kept_aside(folder)]
    unknown = [name for name in names if all(name not in (place.name, one.name) for place, one in waiting)]
    if unknown or not waiting:
        listed = [
            f"{one.name}  {console.moment(one.at)}  {' '.join(map(str, one.attrs.get('argv', ())))[:60]}"
            for _, one in waiting[:20]
        ]
        what = f"no run {unknown[0]!r} is kept aside" if unknown else "no run is kept aside"
        raise NotFound(what, "carnet run -- COMMAND runs one", listed)
    acts = here.acts(project)
    rows = []
    for place, captured in waiting:
        if names and place.name not in names and captured.name not in names:
            continue
        capture_secrets.take_out(captured)
        written = capture_record.record(acts, captured)
        rows.append({"entity": written.entity, "name": captured.name, "written": written.sentence})
        _forget(place)
    if here.json:
        console.out_json(rows)
    else:
        console.table([[row["entity"], row["name"]] for row in rows])
    word = rows[0]["name"] if len(rows) == 1 else ""
    console.talk(f"Took in {len(rows)} runs. Next: {quoted('carnet', 'lineage', word) if word else 'carnet list runs'}")


def _forget(place: Path) -> None:
    import shutil

    shutil.rmtree(place, ignore_errors=True)
