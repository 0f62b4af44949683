"""A glance at a store: the inbox as the index has it, read before anything else is loaded.

This is what stands between a person and the first row on the screen, so nothing but `sqlite3` is imported, not even what reads JSON or
paths; the index's tables are described here for whoever writes them. A glance writes nothing, verifies nothing and never fails: where the
index is not as fresh as the ledgers, or anything is unusual, there is no glance, and the long way shows what is there.
"""

from __future__ import annotations

import os
import sqlite3
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INDEX_FORMAT = 3
"""An index of another format is thrown away and made anew."""
INDEX = """
CREATE TABLE IF NOT EXISTS duty(person TEXT NOT NULL, project TEXT NOT NULL, place INTEGER NOT NULL, key TEXT NOT NULL, rank INTEGER NOT NULL,
  since INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(person, project, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS project(id TEXT PRIMARY KEY, name TEXT NOT NULL, heads TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fresh(person TEXT NOT NULL, project TEXT NOT NULL, heads TEXT NOT NULL, name TEXT NOT NULL, team TEXT NOT NULL,
  due TEXT NOT NULL, PRIMARY KEY(person, project)) WITHOUT ROWID;
"""
"""The index: `duty` holds rows of inboxes, `fresh` as of which heads they are, what the roster calls the person, and what is due
(`{handoff: [date, title]}`)."""
_FIELDS = ("key", "section", "kind", "subject", "what", "gate", "done", "total", "t", "entity", "item")


class Listed:
    """A project, with the attributes of `ProjectRow` that a row of the inbox needs."""

    __slots__ = ("id", "name")

    def __init__(self, id_: str, name: str) -> None:
        self.id = id_
        self.name = name


class Row:
    """A row of the inbox, with the attributes of `Duty`."""

    __slots__ = (*_FIELDS, "detail")

    def __init__(self, values: tuple[Any, ...], detail: tuple[str, ...]) -> None:
        for name, value in zip(_FIELDS, values, strict=True):
            setattr(self, name, value)
        self.detail = detail


class Glance:
    """One person's inbox: `rows` as (project, row) in order, the first project's name, who one is there, the next due (date, title)."""

    __slots__ = ("due", "now", "project", "rows", "who")

    def __init__(
        self, project: str, who: str, rows: list[tuple[Any, Any]], due: tuple[str, str] | None, now: int
    ) -> None:
        self.project = project
        self.who = who
        self.rows = rows
        self.due = due
        self.now = now


def glance(start: str, environ: Mapping[str, str], clock: int) -> Glance | None:
    """Return the inbox of the store at or above `start` as of `clock` (ms), or None where the long way must be gone.

    That is: no store, a demo's, nobody or several whom one may be, rows that are older than a ledger, times ahead of the clock, damage.
    """
    try:
        root = _find(environ.get("CARNET_STORE") or start)
        if not root or os.path.exists(os.path.join(root, "demo.json")):
            return None
        db = sqlite3.connect(f"file:{_quoted(os.path.join(root, 'index.db'))}?mode=ro", uri=True)
        try:
            return _look(db, root, environ, clock)
        finally:
            db.close()
    except (sqlite3.Error, OSError, ValueError):
        return None


def _look(db: sqlite3.Connection, root: str, environ: Mapping[str, str], clock: int) -> Glance | None:
    me = _me(db, environ)
    if me is None:
        return None
    person = me
    ids = sorted(n[:-3] for n in os.listdir(os.path.join(root, "ledgers")) if n.endswith(".db") and len(n) == 67)
    if not ids:
        return None
    for ledger in ids:
        heads = _heads(os.path.join(root, "ledgers", f"{ledger}.db"), clock)
        query = "SELECT j.key, j.value FROM fresh f, json_each(f.heads) j WHERE f.person = ? AND f.project = ?"
        if heads is None or heads != dict(db.execute(query, (person, ledger))):
            return None
    names = {id_: name for id_, name in db.execute("SELECT id, name FROM project") if id_ in ids}
    first, name = min(names.items(), key=lambda pair: (pair[1].casefold(), pair[0]))
    called, team = db.execute(
        "SELECT name, team FROM fresh WHERE person = ? AND project = ?", (person, first)
    ).fetchone()
    if not called:
        return None  # no member: the live screen says how to become one
    today = db.execute("SELECT date(? / 1000, 'unixepoch')", (clock,)).fetchone()[0]
    due = db.execute(
        "SELECT json_extract(j.value, '$[0]') AS day, json_extract(j.value, '$[1]') AS title FROM fresh f, json_each(f.due) j"
        " WHERE f.person = ? AND f.project = ? AND day >= ? ORDER BY day, title LIMIT 1",
        (person, first, today),
    ).fetchone()
    who = f"{called}@{team}" if team else called
    return Glance(name, who, _rows(db, person, names), due, clock)


def _rows(db: sqlite3.Connection, person: str, names: dict[str, str]) -> list[tuple[Any, Any]]:
    listed = {id_: Listed(id_, name) for id_, name in names.items()}
    fields = ", ".join(f"json_extract(value, '$.{name}')" for name in _FIELDS)
    details: dict[tuple[str, int], list[str]] = {}
    for project, place, text in db.execute(
        "SELECT d.project, d.place, j.value FROM duty d, json_each(d.value, '$.detail') j WHERE d.person = ? ORDER BY j.id",
        (person,),
    ):
        details.setdefault((project, place), []).append(text)
    query = f"SELECT project, place, {fields} FROM duty WHERE person = ? ORDER BY rank, since, key"  # noqa: S608
    found = db.execute(query, (person,))
    return [
        (listed[project], Row(values, tuple(details.get((project, place), ()))))
        for project, place, *values in found
        if project in listed
    ]


def _find(start: str) -> str:
    """Return the nearest `.carnet` at or above `start`, as `Store.find` does; empty where there is none."""
    folder = os.path.abspath(start)
    while True:
        for root in (folder, os.path.join(folder, ".carnet")):
            if os.path.basename(root) == ".carnet" and os.path.isdir(os.path.join(root, "ledgers")):
                return root
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above


def _config(environ: Mapping[str, str]) -> str:
    """Return the folder of keys, as `config_dir` does."""
    chosen = environ.get("CARNET_CONFIG", "").strip()
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform.startswith("linux") and "ANDROID_DATA" not in environ:
        return os.path.join(environ.get("XDG_CONFIG_HOME", "").strip() or os.path.expanduser("~/.config"), "carnet")
    from platformdirs import user_config_dir

    return user_config_dir("carnet", appauthor=False)


def _me(db: sqlite3.Connection, environ: Mapping[str, str]) -> str | None:
    """Return the only identity, or of the only one whose name or mail `CARNET_ME` is."""
    folder = os.path.join(_config(environ), "identities")
    wanted = environ.get("CARNET_ME", "").strip().casefold()
    found = []
    for name in os.listdir(folder):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
        query = "SELECT json_extract(:file, '$.person'), json_extract(:file, '$.name'), json_extract(:file, '$.mail')"
        person, called, mail = db.execute(query, {"file": text}).fetchone()
        if not wanted or wanted in (called.casefold(), mail.casefold()):
            found.append(str(person))
    return found[0] if len(found) == 1 else None


def _heads(path: str, clock: int) -> dict[str, str] | None:
    """Return `{chain or branch name: "seq:event id"}` as `Ledger.places` does; None where an event claims a time ahead of the clock."""
    db = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)
    try:
        heads = db.execute("SELECT key, branch, seq, hash, t FROM chain WHERE seq >= start").fetchall()
    finally:
        db.close()
    if any(t > clock for *_, t in heads):
        return None
    return {f"{key}~{branch}" if branch else key: f"{seq}:{event}" for key, branch, seq, event, _ in heads}


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
