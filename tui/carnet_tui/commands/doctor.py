"""Look whether all is as it should be: doctor."""

from __future__ import annotations

import click

from carnet_tui import console
from carnet_tui.commands import command, session

_SIGNS = {"good": "+", "note": "~", "bad": "!"}


@command(
    "doctor",
    "carnet doctor",
    "carnet doctor --json",
    shape='[{"level": "good"|"note"|"bad", "subject", "text", "mend"}]',
)
def doctor() -> None:
    """Look at keys, folders, this machine and each project, and say what to mend; exit 3 where something is bad.

    It asks for a second root until a project has one. `carnet verify` checks the record itself.
    """
    from carnet_store import Desk, NotFound
    from carnet_store.work import checkup

    here = session()
    keyring = Desk.keyring_of(here.environ())
    rows = checkup.machine(keyring)
    try:
        desk = here.desk()
    except NotFound as error:
        rows.append(checkup.Observation("note", "store", error.message, error.hint))
    else:
        rows += checkup.store_of(desk.store)
        for project in desk.projects():
            rows += checkup.project_of(desk.project(project.id), keyring)
    bad = sum(row.level == "bad" for row in rows)
    if here.json:
        console.out_json(rows)
    else:
        for row in rows:
            console.out(f"{_SIGNS[row.level]} {row.subject}: {row.text}")
            if row.mend:
                console.out(f"    mend: {row.mend}")
        console.talk(
            "Something is wrong."
            if bad
            else "Nothing is wrong."
            if all(r.level == "good" for r in rows)
            else "Nothing is wrong; ~ is worth knowing."
        )
    click.get_current_context().exit(3 if bad else 0)
