"""What `carnet doctor` looks at: whether keys, folders, the machine and each project are as they should be, and what mends what is not."""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass
from typing import Final, Literal

from carnet_store.errors import CarnetError
from carnet_store.storage.project import Project
from carnet_store.storage.schema import file_system, is_network
from carnet_store.storage.search_rows import has_full_text
from carnet_store.storage.store import Store
from carnet_store.work.identity import Keyring

Level = Literal["good", "note", "bad"]
WAL_MENDED: Final = (3, 51, 3)
"""The SQLite from which on two connections may write and checkpoint in the same instant."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was looked at: how it is, in words, and what to do about it (empty where nothing)."""

    level: Level
    subject: str
    text: str
    mend: str = ""


def machine(keyring: Keyring) -> list[Observation]:
    """Look at Python, SQLite and the folder of keys."""
    python = ".".join(map(str, sys.version_info[:3]))
    rows = [Observation("good", "python", python)]
    if sqlite3.sqlite_version_info >= WAL_MENDED:
        rows.append(Observation("good", "sqlite", sqlite3.sqlite_version))
    else:
        known = "before 3.51.3 two programs that write and tidy up in the same instant can lose a page; this is rare"
        rows.append(
            Observation("note", "sqlite", f"{sqlite3.sqlite_version}: {known}", "keep backups; update Python or SQLite")
        )
    if not has_full_text():
        rows.append(
            Observation("note", "sqlite", "it was built without FTS5: carnet find reads every text, which is slow in a large store",
                        "use a Python whose SQLite has FTS5")
        )  # fmt: skip
    try:
        known_ones = keyring.identities()
    except CarnetError as error:
        return [*rows, Observation("bad", "keys", error.message, error.hint)]
    if not known_ones:
        rows.append(Observation("note", "keys", "you have no identity here yet", "carnet identity new"))
    bare = [one for one in known_ones if not one.protected]
    if bare:
        names = ", ".join(one.label for one in bare[:3]) + (f" and {len(bare) - 3} more" if len(bare) > 3 else "")
        rows.append(
            Observation("note", "keys", f"without a passphrase: {names}; whoever reads your files can sign as you",
                        "carnet identity export FILE keeps a sealed copy")
        )  # fmt: skip
    for one in known_ones:
        if one.protected:
            rows.append(Observation("good", "keys", f"{one.label}: sealed by a passphrase"))
        if one.ssh is not None and not one.ssh.exists():
            rows.append(
                Observation(
                    "bad", "keys", f"{one.name}'s key file {one.ssh} is gone", "put it back, or use-ssh another"
                )
            )
    loose = keyring.loose_files()
    if loose:
        names = ", ".join(str(path) for path in loose[:3])
        rows.append(
            Observation("bad", "keys", f"others on this machine may read {names}", f"chmod -R go= {keyring.folder}")
        )
    return rows


def store_of(store: Store) -> list[Observation]:
    """Look at a store's folder."""
    kind = file_system(store.root)
    where = f"{store.root}{f' on {kind}' if kind else ''}"
    if is_network(kind):
        return [
            Observation("note", "store", f"{where}: a network file system; one writes at a time there",
                        "keep the store on a local disk where several write at once")
        ]  # fmt: skip
    return [Observation("good", "store", where)]


def project_of(project: Project, keyring: Keyring) -> list[Observation]:
    """Look at a project: its roots, forks, what waits and what does not count."""
    rows: list[Observation] = []
    name, members, people = project.name, project.members(), project.people

    def add(level: Level, text: str, mend: str = "") -> None:
        rows.append(Observation(level, name, text, mend))

    if not members.recovery and len(members.admins) < 2:
        add("note", "one key alone can name admins; if it is lost, nobody can ever again",
            "name a second admin: carnet people admins NAME NAME; or --second-root at the next init")  # fmt: skip
    for head in project.ledger.heads():
        if not head.branch:
            continue
        person = people.person_of(head.key)
        acts = [c.value for c in project.changes(f"person:{person[:32]}") if c.kind.startswith("fork.adopted")]
        if not any(getattr(act, "chain", "") == head.key for act in acts):
            who = people.name(person)
            add("bad", f"{who}'s chain {head.key[:16]}… has two histories from place {head.start} on; what follows counts for nothing",
                f"{who} heals it: carnet people adopt; carnet log --not-counting shows what is meant")  # fmt: skip
    for one in keyring.identities():
        mine = [h for h in project.ledger.heads() if people.person_of(h.key) == one.person and not h.branch]
        for head in mine:
            try:
                mark = keyring.mark(project.id, head.key)
            except CarnetError as error:
                add("bad", error.message, error.hint)
                continue
            if mark is not None and mark[0] > head.seq:
                add("note", f"this store is older than what {one.name} gave out: it was restored from a backup",
                    "import your newest bundle; your next act goes on in a new chain")  # fmt: skip
    for line in project.waits_for():
        add("note", f"waits for {line}")
    uncounted = sum(1 for _ in project.uncounted())
    if uncounted:
        add("note", f"{uncounted} changes do not count", "carnet log --not-counting")
    for newcomer in people.waiting_newcomers():
        add("note", f"{newcomer.name} waits to be confirmed", "carnet people admit NAME")
    if members.disputed:
        add("bad", f"admins changed the roster apart: {', '.join(sorted(members.disputed))} count for nobody until one settles it",
            "an admin sets the roles again: carnet people role NAME ROLE")  # fmt: skip
    return rows or [Observation("good", name, f"{project.ledger.count():,} events, nothing odd")]
