"""Keep, and forget: backup, restore, shred."""

from __future__ import annotations

from pathlib import Path

import click

from carnet_tui import console
from carnet_tui.commands import PATH, command, session
from carnet_tui.commands.handoff import REASON
from carnet_tui.commands.people import cosigners
from carnet_tui.commands.record import find_change
from carnet_tui.session import quoted
from carnet_tui.text import plural


@command("backup", "carnet backup carnet-2026-04-14.zip", shape='{"path", "ledgers", "objects", "size": bytes}')
@click.argument("file", type=PATH)
def backup(file: Path) -> None:
    """Write the whole store to one file: every ledger as one moment had it, and all objects. Keys are not in it."""
    here = session()
    path = here.env.path(file)
    with console.progress("backing up") as hear:
        made = here.desk().backup(path, progress=hear)
    if here.json:
        console.out_json({"path": str(path), "ledgers": made.ledgers, "objects": made.objects, "size": made.size})
    else:
        console.out(str(path))
    console.talk(
        f"wrote {file.name}: {plural(made.ledgers, 'ledger')}, {plural(made.objects, 'object')}, {console.size(made.size)}. "
        f"Next, when it is needed: {quoted('carnet', 'restore', file.name, '--to', 'DIR')}"
    )


@command(
    "restore",
    "carnet restore carnet-2026-04-14.zip --to ~/work/churn",
    shape='{"store": path, "ledgers", "objects"}',
    shares=False,
)
@click.argument("file", type=PATH)
@click.option("--to", type=PATH, metavar="DIR", help="The folder beside whose work the store is made (default: here).")
def restore(file: Path, to: Path | None) -> None:
    """Make a store from a backup, where none is. What was sent since then is not lost: your next bundle in brings it back."""
    from carnet_store import Desk

    here = session()
    beside = here.env.path(to) if to else here.env.folder
    with console.progress("restoring") as hear:
        made = Desk.restore(here.env.path(file), beside, progress=hear)
    if here.json:
        console.out_json({"store": str(made.path), "ledgers": made.ledgers, "objects": made.objects})
    else:
        console.out(str(made.path))
    console.talk(f"restored {plural(made.ledgers, 'ledger')} and {plural(made.objects, 'object')}. Next: carnet verify")


@command(
    "shred",
    "carnet shred 3fa94c01 --reason 'a customer asked to be forgotten'",
    "carnet shred 9f86d081884c… --reason 'personal data in the sample file'",
    writes=True,
)
@click.argument("targets", nargs=-1, required=True, metavar="CHANGE|DIGEST...")
@REASON
@click.option("--also", "also", multiple=True, metavar="NAME", help="Another identity of this machine that signs too.")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
def shred(targets: tuple[str, ...], reason: str, also: tuple[str, ...], yes: bool) -> None:
    """Erase values (by change) or files (by digest) for ever, by a signed tombstone; the chain still verifies.

    Needs the role eraser. Whoever holds a copy of an older bundle still has what was in it.
    """
    here = session()
    project = here.project()
    objects = [text.lower() for text in targets if len(text) == 64 and project.objects.size(text.lower()) >= 0]
    changes = [find_change(project, text) for text in targets if text.lower() not in objects]
    if (
        not yes
        and here.interactive
        and not here.confirm(f"Erase {len(changes)} values and {len(objects)} files for ever?")
    ):
        console.talk("Nothing was erased.")
        return
    here.wrote(here.acts(project).erase(changes, reason, objects, cosigners(here, also)))
