"""A store: the folder `.carnet` with its ledgers, shared objects, and the index that the inbox is read from.

`index.db` holds nothing that cannot be made again: who must do what, as of the last write, so that a terminal can show it before anything
else is loaded; and the texts that search reads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from carnet_store.domain.inbox import Apart, Duty, Seen, duties
from carnet_store.domain.lineage import NODES
from carnet_store.errors import Busy, CarnetError, Invalid, NotFound, Usage
from carnet_store.glance import INDEX, INDEX_FORMAT
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects
from carnet_store.storage.project import Project, TemplateReader
from carnet_store.storage.search import AT_ONCE, Hit, Progress, SearchIndex

FOLDER: Final = ".carnet"


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in a store."""

    id: str
    name: str
    path: Path


_THINGS: Final = frozenset((*NODES, "handoff", "decision", "question"))
"""Kinds of entity that say nothing of who is a member."""


class Store:
    """A `.carnet` folder. Ledgers are opened when asked for and kept open until `close`."""

    def __init__(self, root: Path, read_pack: TemplateReader, clock: Callable[[], int]) -> None:
        """Use the folder `root` (the `.carnet` itself).

        Raises:
            NotFound: it is not there.
        """
        if not root.is_dir():
            raise NotFound(f"there is no store at {root}", "carnet init --project NAME makes one here")
        self.root = root
        self.objects = Objects(root / "objects")
        self.clock = clock
        self._read_pack = read_pack
        self._open: dict[str, Project] = {}
        self.searching = SearchIndex(self._index)
        self.on_open: Callable[[Project], None] = lambda project: None

    @classmethod
    def create(cls, beside: Path, read_pack: TemplateReader, clock: Callable[[], int]) -> Store:
        """Make an empty store beside the work in `beside`; an existing one is opened.

        Raises:
            Invalid: nothing can be written there.
        """
        root = beside if beside.name == FOLDER else beside / FOLDER
        try:
            for folder in (root, root / "ledgers", root / "objects"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(
                f"no store can be made in {root.parent}: {error.strerror or error}",
                "choose a folder that can be written: --store PATH, or CARNET_STORE",
            ) from None
        return cls(root, read_pack, clock)

    @staticmethod
    def find(start: Path) -> Path | None:
        """Return the nearest `.carnet` at or above `start`, as git looks for its own."""
        for folder in (start.absolute(), *start.absolute().parents):
            if folder.name == FOLDER and (folder / "ledgers").is_dir():
                return folder
            if (folder / FOLDER / "ledgers").is_dir():
                return folder / FOLDER
        return None

    def close(self) -> None:
        """Close all ledgers."""
        for project in self._open.values():
            project.ledger.close()
        self._open.clear()

    @property
    def ident(self) -> str:
        """What tells this store from a copy of it: device, inode and machine, hashed."""
        stat = self.root.stat()
        machine = ""
        for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
            with contextlib.suppress(OSError):
                machine = machine or path.read_text().strip()
        text = f"{stat.st_dev}:{stat.st_ino}:{machine or os.environ.get('COMPUTERNAME', '')}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    # -- projects ------------------------------------------------------------------------------------------------------

    def ledger_path(self, ledger: str) -> Path:
        """Return where a ledger's file lies or would lie."""
        return self.root / "ledgers" / f"{ledger}.db"

    def project_ids(self) -> list[str]:
        """Return the ids of all ledgers here, sorted."""
        return sorted(p.stem for p in (self.root / "ledgers").glob("*.db") if len(p.stem) == 64)

    def project(self, ledger: str) -> Project:
        """Open a project by its ledger id.

        Raises:
            NotFound: it is not here.
        """
        if ledger not in self._open:
            project = Project(Ledger(self.ledger_path(ledger)), self.objects, self._read_pack, self.clock)
            project.searching = self.searching
            self.on_open(project)
            self._open[ledger] = project
        return self._open[ledger]

    def create_project(self, ledger: str) -> Project:
        """Make an empty ledger with this id; its first event is the founder's to write."""
        created = Ledger(self.ledger_path(ledger), create=True, ledger=ledger)
        project = Project(created, self.objects, self._read_pack, self.clock)
        project.searching = self.searching
        self.on_open(project)
        self._open[ledger] = project
        return project

    def forget_open(self, ledger: str) -> None:
        """Close one project, as before its file is replaced."""
        found = self._open.pop(ledger, None)
        if found is not None:
            found.ledger.close()

    def projects(self) -> list[ProjectRow]:
        """Return all projects, by name."""
        rows = [ProjectRow(i, self.project(i).name, self.ledger_path(i)) for i in self.project_ids()]
        return sorted(rows, key=lambda r: (r.name.casefold(), r.id))

    def choose(self, name: str | None) -> Project:
        """Return the project of that name or start of id; the only one where no name is given.

        Raises:
            NotFound, Usage: none, or several; the message lists them.
        """
        rows = self.projects()
        if not rows:
            raise NotFound("this store has no project yet", "carnet init --project NAME, or carnet import FILE")
        found = rows if not name else [r for r in rows if r.name == name or (len(name) >= 4 and r.id.startswith(name))]
        if not found:
            raise NotFound(f"there is no project {name!r}", f"projects here: {', '.join(r.name for r in rows)}")
        if len(found) > 1:
            lines = [f"{r.name}  {r.id[:16]}" for r in found]
            raise Usage("several projects are here", "name one with --project", lines)
        return self.project(found[0].id)

    # -- the index -----------------------------------------------------------------------------------------------------

    @property
    def index_path(self) -> Path:
        """The index's file."""
        return self.root / "index.db"

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        before = os.umask(0o077)
        try:
            db = sqlite3.connect(self.index_path, isolation_level=None, timeout=5)
        finally:
            os.umask(before)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")  # derived: the worst a crash does is to have it made again
            db.execute(
                "PRAGMA secure_delete=ON"
            )  # what is erased in a ledger stands in rows of inboxes and of search too
            if db.execute("PRAGMA user_version").fetchone()[0] != INDEX_FORMAT:
                tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC"
                for (table,) in db.execute(tables).fetchall():  # a virtual table takes those that it is made of with it
                    db.execute(f"DROP TABLE IF EXISTS {table}")
                db.execute(f"PRAGMA user_version = {INDEX_FORMAT}")
            for statement in INDEX.strip().split(";\n"):
                db.execute(statement)
            yield db
        except sqlite3.DatabaseError as error:
            if any(word in str(error) for word in ("locked", "busy")):
                raise Busy("another process holds the index", "try again in a moment") from None
            db.close()
            self.index_path.unlink(missing_ok=True)
            raise Invalid(f"the index was damaged and is made anew: {error}", "repeat the command") from None
        finally:
            db.close()

    def seen(self, project: Project, only: Collection[str] | None = None) -> list[Seen]:
        """Return the handoffs of a project with their status; those whose template is not here are left to its list."""
        found = []
        for entity in project.handoff_ids() if only is None else sorted(only):
            try:
                look = project.look(entity)
            except CarnetError:
                continue  # its template's bytes are not here; the list of handoffs says so
            last = max((c.t for c in project.changes(entity)), default=look.handoff.change.t)
            found.append(Seen(look.handoff, look.checklist, look.status, look.model.title, last))
        return found

    def duties(
        self, project: Project, person: str, seen: Sequence[Seen] | None = None, apart: Sequence[Apart] | None = None
    ) -> list[Duty]:
        """Compute one person's inbox rows of a project from the record; `seen` and `apart` where they were read already."""
        members = project.members()
        row = members.people.get(person)
        roles = frozenset(row.roles) if row and row.status == "active" else frozenset()
        newcomer = project.people.newcomers.get(person) if row is None else None
        if newcomer is not None:
            roles = frozenset(newcomer.roles)  # may act at once; it counts once an admin confirms
        questions = project.questions()
        titles = {entity: project.title(entity) for q in questions for entity in q.question.about}
        names = {p: r.name for p, r in members.people.items()}
        return duties(
            person, roles, person in members.admins, self.seen(project) if seen is None else seen, questions,
            project.people.waiting_newcomers(), titles, names, project.now(), row.team if row else "",
            (project.said_apart() if apart is None else apart) if row and row.status == "active" else (),
        )  # fmt: skip

    def refresh_index(self, project: Project, persons: Sequence[str], touched: Collection[str] | None = None) -> None:
        """Write the inbox rows of these persons for a project into the index.

        Where `touched` names handoffs alone, and the index was fresh before, only their rows are computed anew; what was said apart of
        other things than those touched stands then too.
        """
        heads = json.dumps(project.ledger.places(), sort_keys=True)
        only = near = None
        if touched and {entity.partition(":")[0] for entity in touched} <= _THINGS:
            with self._index() as db:
                fresh = dict(db.execute("SELECT person, heads FROM fresh WHERE project = ?", (project.id,)))
            if all(_one_event_apart(fresh.get(person, "{}"), heads) for person in persons):
                near = set(touched)
        if near is not None and all(entity.startswith("handoff:") for entity in near):
            only = near
        apart = project.said_apart(near)
        seen = self.seen(project, only)
        if only is not None and any(one.status.verdict in ("passed", "stale", "overridden") for one in seen):
            only, seen = None, self.seen(project)  # other gates may have waited for this one
        computed = {person: self.duties(project, person, seen, apart) for person in persons}
        members = project.members().people
        with self._index() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR REPLACE INTO project VALUES(?, ?, ?)", (project.id, project.name, heads))
            for person, rows in computed.items():
                if near is not None:
                    kept = [
                        d
                        for d in self._kept(db, person, project.id)
                        if d.entity not in near
                        and (d.kind == "apart" or (only is not None and d.entity.startswith("handoff:")))
                    ]
                    rows = sorted([*rows, *kept], key=lambda d: (d.rank, d.key))
                db.execute("DELETE FROM duty WHERE person = ? AND project = ?", (person, project.id))
                db.executemany(
                    "INSERT INTO duty VALUES(?, ?, ?, ?, ?, ?, ?)",
                    [(person, project.id, i, d.key, *d.rank, json.dumps(asdict(d))) for i, d in enumerate(rows)],
                )
                row = members.get(person)
                named = (row.name, row.team) if row else ("", "")
                due = self._due(db, person, project.id, seen, only)
                db.execute(
                    "INSERT OR REPLACE INTO fresh VALUES(?, ?, ?, ?, ?, ?)", (person, project.id, heads, *named, due)
                )
            db.execute("COMMIT")
            self.searching.follow_in(db, project, AT_ONCE, erased=lambda: self._forget_others(db, project, persons))

    @staticmethod
    def _forget_others(db: sqlite3.Connection, project: Project, persons: Sequence[str]) -> None:
        """Drop the rows of other persons' inboxes, which may hold what was just erased; they are made when asked for."""
        for table in ("duty", "fresh"):
            sql = f"DELETE FROM {table} WHERE project = ? AND person NOT IN (SELECT value FROM json_each(?))"  # noqa: S608 (own words)
            db.execute(sql, (project.id, json.dumps(list(persons))))

    def search(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 50, progress: Progress | None = None
    ) -> list[Hit]:
        """Return what holds a text in any project, best first. Raises as `SearchIndex.search`."""
        projects = [self.project(ledger) for ledger in self.project_ids()]
        return self.searching.search(projects, text, kinds=kinds, limit=limit, progress=progress)

    @staticmethod
    def _due(
        db: sqlite3.Connection, person: str, project: str, seen: Sequence[Seen], only: Collection[str] | None
    ) -> str:
        """Return what is due as `{handoff: [date, title]}`; where only some handoffs were looked at, the others' dates are kept."""
        query = "SELECT due FROM fresh WHERE person = ? AND project = ?"
        row = db.execute(query, (person, project)).fetchone() if only is not None else None
        dates = (
            {entity: date for entity, date in json.loads(row[0]).items() if entity not in (only or ())} if row else {}
        )
        for one in seen:
            if one.handoff.opened.due and one.handoff.abandoned is None:
                dates[one.handoff.id] = (one.handoff.opened.due, one.title)
        return json.dumps(dates)

    @staticmethod
    def _kept(db: sqlite3.Connection, person: str, project: str) -> list[Duty]:
        rows = db.execute("SELECT value FROM duty WHERE person = ? AND project = ?", (person, project))
        return [_duty(value) for (value,) in rows]

    def inbox(self, person: str) -> list[tuple[ProjectRow, Duty]]:
        """Return one person's inbox over all projects, from the index; what is not fresh is computed first."""
        ids = self.project_ids()
        with self._index() as db:
            fresh = {
                row[0]: row[1] for row in db.execute("SELECT project, heads FROM fresh WHERE person = ?", (person,))
            }
        for ledger in ids:
            project = self.project(ledger)
            if fresh.get(ledger) != json.dumps(project.ledger.places(), sort_keys=True):
                self.refresh_index(project, [person])
        found: list[tuple[ProjectRow, Duty]] = []
        with self._index() as db:
            rows = db.execute(
                "SELECT d.project, p.name, d.value FROM duty d JOIN project p ON p.id = d.project WHERE d.person = ?",
                (person,),
            )
            for ledger, name, value in rows:
                if ledger in ids:
                    found.append((ProjectRow(ledger, name, self.ledger_path(ledger)), _duty(value)))
        return sorted(found, key=lambda pair: (pair[1].rank, pair[1].key))


def _duty(value: str) -> Duty:
    data = json.loads(value)
    data["detail"] = tuple(data["detail"])
    return Duty(**data)


def _one_event_apart(before: str, after: str) -> bool:
    """Whether two sets of heads differ by one event of one chain."""
    old, new = json.loads(before), json.loads(after)
    moved = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    if len(moved) != 1 or moved[0] not in old or moved[0] not in new:
        return False
    return int(new[moved[0]].partition(":")[0]) == int(old[moved[0]].partition(":")[0]) + 1
