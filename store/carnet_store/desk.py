"""A person at a store: the front door that screens and commands use.

A `Desk` joins what the rooms do: the store and its projects (`storage`), the person's keys and templates (`work`), bundles (`exchange`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carnet_store.core import canonical
from carnet_store.domain.inbox import Duty
from carnet_store.domain.people import Place
from carnet_store.domain.template import Pack
from carnet_store.errors import Busy, CarnetError, Invalid, NotFound, Refused, Untrusted
from carnet_store.storage.acts import Acts, LoadedPack, Written
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.project import Project
from carnet_store.storage.store import ProjectRow, Store
from carnet_store.work.actor import Actor, Passphrase
from carnet_store.work.identity import Identity, Keyring, config_dir, from_git

if TYPE_CHECKING:
    from carnet_store.exchange.bundle import Foreseen, Progress
    from carnet_store.exchange.bundle import Written as BundleWritten
    from carnet_store.exchange.capturing import CapturePlan
    from carnet_store.exchange.importers.things import Source
    from carnet_store.exchange.intake import Accepted
    from carnet_store.exchange.plan import Plan
    from carnet_store.storage.backup import Kept

CHECKED_AT_ONCE = 20_000
"""So many changes are checked row by row whenever a project is opened (tens of ms); more before a gate is called passed."""

DEFAULT_GATES = ("starter-research-to-engineering", "starter-engineering-to-operations")


def now_ms() -> int:
    """Return the clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class _Templates:
    """`TemplateReader`: YAML is loaded only where a template is read."""

    def __call__(self, raw: bytes, name: str) -> Pack:
        from carnet_store.work.templates import load_pack

        return load_pack(raw, name)

    def shipped(self, pack_id: str, sha256: str = "") -> bytes | None:
        from carnet_store.work.templates import builtin_packs

        found = builtin_packs().get(pack_id)
        return found.raw if found is not None and sha256 in ("", found.sha256) else None


_read_pack = _Templates()


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else in a project.

    `sent` and `heard` say when a bundle last went there and came from there (ms, 0: never); `lacks` how many events are
    here and not known to be there.
    """

    person: str
    name: str
    team: str
    sent: int
    heard: int
    lacks: int


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle file that lies around and was not taken in yet; `trouble` says why it cannot be read, if so."""

    path: Path
    identity: str
    ledger: str
    project: str
    events: int
    t: int
    size: int
    trouble: str = ""


class Desk:
    """One person, one store. Close it when done; open one per thread."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        me: Identity | None = None,
        *,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        ask: Passphrase | None = None,
    ) -> None:
        """Work in `store` as `me` (None: look only); `ask` gives the passphrase of a protected key."""
        self.store = store
        self.keyring = keyring
        self.me = me
        self.entropy = entropy
        self.ask = ask
        self._actors: dict[tuple[str, str], Actor] = {}
        store.on_open = self._trust

    # -- opening -------------------------------------------------------------------------------------------------------

    @staticmethod
    def keyring_of(environ: Mapping[str, str] | None = None) -> Keyring:
        """Return the user's keyring: in `CARNET_CONFIG`, or the platform's place for configuration."""
        return Keyring(config_dir(os.environ if environ is None else environ))

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        who: str | None = None,
        start: Path | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], int] = now_ms,
        ask: Passphrase | None = None,
    ) -> Desk:
        """Open the nearest store (or `path`, or `CARNET_STORE`) as the person meant by `who` (or `CARNET_ME`).

        Raises:
            NotFound: there is no store. NotFound, Usage: `who` names nobody or several.
        """
        env = os.environ if environ is None else environ
        chosen = path or (Path(env["CARNET_STORE"]) if env.get("CARNET_STORE") else None)
        root = Store.find(chosen or start or Path.cwd())
        if root is None:
            where = chosen or start or Path.cwd()
            raise NotFound(
                f"there is no store at or above {where}",
                "carnet init --project NAME makes one; carnet FILE.carnet.zip looks into a bundle; carnet demo shows a whole one",
            )
        keyring = cls.keyring_of(env)
        me = who or env.get("CARNET_ME") or None
        identity = keyring.choose(me) if me or len(keyring.identities()) == 1 else None
        return cls(Store(root, _read_pack, clock), keyring, identity, ask=ask)

    @classmethod
    def create(
        cls,
        beside: Path,
        *,
        who: str | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], int] = now_ms,
        ask: Passphrase | None = None,
    ) -> Desk:
        """Open or make the store beside the work in `beside`; an identity is made from git's name where there is none.

        Raises:
            Invalid: nothing can be written there; no identity was made.
        """
        store = Store.create(beside, _read_pack, clock)
        keyring = cls.keyring_of(environ)
        env = os.environ if environ is None else environ
        me = who or env.get("CARNET_ME") or None
        identity = keyring.choose(me) if me or keyring.identities() else keyring.new(*from_git(beside))
        return cls(store, keyring, identity, ask=ask)

    @classmethod
    def with_keyring(
        cls,
        beside: Path,
        keyring: Keyring,
        me: Identity | None = None,
        *,
        clock: Callable[[], int] = now_ms,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> Desk:
        """Open or make the store beside the work in `beside` with a keyring of its own, as a sample's; nobody's key is made."""
        return cls(Store.create(beside, _read_pack, clock), keyring, me, entropy=entropy)

    def close(self) -> None:
        """Close everything that is open."""
        self.store.close()

    def clone(self) -> Desk:
        """Return a second desk on the same store with connections of its own, for another thread."""
        return Desk(
            Store(self.store.root, _read_pack, self.store.clock),
            self.keyring,
            self.me,
            entropy=self.entropy,
            ask=self.ask,
        )

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- who -----------------------------------------------------------------------------------------------------------

    def i(self) -> Identity:
        """Return who acts.

        Raises:
            NotFound: there is no identity, or none was chosen among several.
        """
        if self.me is None:
            self.me = self.keyring.choose(None)
        return self.me

    def become(self, identity: Identity) -> None:
        """Act as another of the identities at hand."""
        self.me = identity

    def actor(self, project: Project) -> Actor:
        """Return me as one who acts on a project."""
        me = self.i()
        key = (project.id, me.person)
        known = self._actors.get(key)
        if (
            known is None or known.project is not project
        ):  # a store that was closed and opened again gives a new project
            known = self._actors[key] = Actor(me, self.keyring, project, self.store.ident, self.ask)
        return known

    # -- projects ------------------------------------------------------------------------------------------------------

    def projects(self) -> list[ProjectRow]:
        """Return the projects of this store, by name."""
        return self.store.projects()

    def project(self, name: str | None = None) -> Project:
        """Return a project by name or start of id; the only one where no name is given."""
        return self.store.choose(name)

    def acts(self, project: Project) -> Acts:
        """Return what I can do on a project."""
        return Acts(project, self.actor(project), entropy=self.entropy, on_written=self._written)

    def found(
        self, name: str, *, roles: Sequence[str] = ("researcher",), team: str = "", recovery: Sequence[str] = (),
        continues: str = "",
    ) -> tuple[Project, Written]:  # fmt: skip
        """Found a project with me as its first member and admin; return it and what was written.

        `continues` is the ledger id (64 hex) of a project that nobody can administer any more; its record stays as it is.

        Raises:
            Refused: there is a project of that name here. Invalid: `continues` is no ledger id.
        """
        me = self.i()
        if any(row.name == name for row in self.projects()):
            raise Refused(f"there is a project {name} here already", "give it another name")
        if continues and (len(continues) != 64 or continues.strip("0123456789abcdef")):
            raise Invalid(
                f"{continues[:80]!r} is no ledger id", "all 64 hex characters of it; carnet whoami tells them"
            )
        ledger, payload = Acts.genesis(me, name, roles, team, self.entropy, recovery, continues)
        project = self.store.create_project(ledger)
        written = self.acts(project).found(payload)
        return project, written

    def inbox(self) -> list[tuple[ProjectRow, Duty]]:
        """Return my rows over all projects, most pressing first."""
        return self.store.inbox(self.i().person)

    def duties(self, project: Project) -> list[Duty]:
        """Return my rows of one project, computed now."""
        return self.store.duties(project, self.i().person)

    def _written(self, project: Project, entities: set[str]) -> None:
        at_hand = {identity.person for identity in self.keyring.identities()}
        with contextlib.suppress(Busy):  # what was written stands; the index is made to follow when it is next asked
            self.store.refresh_index(project, sorted(at_hand & self._members(project)), entities)

    def _members(self, project: Project) -> set[str]:
        return {*project.members().people, *project.people.newcomers, *([self.me.person] if self.me else [])}

    # -- trust in the tables -------------------------------------------------------------------------------------------

    def _trust(self, project: Project) -> None:
        """Let verdicts rest only on tables that this user's Carnet made or verified on this machine.

        A store that came from elsewhere, or that another wrote to, is verified event by event and its tables are made
        anew, once. Raises Untrusted where it does not verify.
        """
        key = self.keyring.mac_key()
        small = project.count_changes() <= CHECKED_AT_ONCE
        if not project.ledger.vouched(key) or (small and not project.ledger.tables_hold()):
            self.verify_anew(project)
        project.ledger.voucher = key

    def assured(self, project: Project) -> None:
        """Check every row that a verdict of *passed* may rest on; tables that do not hold are made anew from the events."""
        if not project.ledger.tables_hold():
            self.verify_anew(project)

    def verify_anew(self, project: Project) -> None:
        """Verify every event and make the tables anew. Raises Untrusted with the first bad place; nothing is changed."""
        faults = project.ledger.verify(tables=False)
        if faults:
            first = faults[0]
            where = f"chain {first.chain[:16]}… at {first.seq}: " if first.chain else ""
            raise Untrusted(
                f"{project.path.name} does not verify: {where}{first.what}",
                "take the project in again from a bundle, or restore a backup",
            )
        project.ledger.rebuild()
        self.store.searching.forget(project)
        project.ledger.vouch(self.keyring.mac_key())

    # -- templates -----------------------------------------------------------------------------------------------------

    def own_packs(self, project: Project) -> dict[str, LoadedPack]:
        """Return the store's own packs (files `templates/*.yaml` in the store), by id; they stand before shipped ones."""
        from carnet_store.work.templates import Loaded, load_pack

        found: dict[str, LoadedPack] = {}
        for path in sorted((self.store.root / "templates").glob("*.yaml")):
            raw = path.read_bytes()
            pack = load_pack(raw, path.name)
            found[pack.id] = Loaded(pack, raw, canonical.sha256_hex(raw))
        return found

    def packs_for(self, gate: str, project: Project) -> tuple[LoadedPack, ...]:
        """Return a gate's pack and the rubrics it may include; the store's own stand before the shipped ones."""
        from carnet_store.work.templates import packs_for

        own: Any = self.own_packs(project)
        return packs_for(gate, own)

    # -- exchange ------------------------------------------------------------------------------------------------------

    def known_to(self, project: Project, person: str) -> dict[str, str]:
        """Return the places that a person is known to hold: what that person's own events have seen, and bundles told."""
        ledger, people = project.ledger, project.people
        reach: dict[int, int] = {}
        heads = ledger.heads()
        for head in heads:
            if people.person_of(head.key) == person:
                for no, seq in ledger.projection.past(head.no, head.seq).items():
                    reach[no] = max(seq, reach.get(no, -1))
        row = ledger.db.execute("SELECT heads FROM peer WHERE person = ?", (person,)).fetchone()
        told: dict[str, str] = canonical.decode(str(row[0]).encode()) if row else {}  # type: ignore[assignment]
        found: dict[str, str] = {}
        for head in heads:
            seq = min(max(reach.get(head.no, -1), int(told.get(head.name, "-1:").partition(":")[0])), head.seq)
            place: Place = (head.no, seq)
            event = ledger.projection.event_at(*place) if seq >= head.start else None
            if event is not None:
                found[head.name] = f"{seq}:{event}"
        return found

    def peers(self, project: Project) -> list[Peer]:
        """Return everybody else in the project, those who lack most first."""
        me = self.i().person
        heads = project.ledger.heads()
        rows = []
        talk = {r[0]: (r[1], r[2]) for r in project.ledger.db.execute("SELECT person, sent, heard FROM peer")}
        newcomers = {n.person: (n.name, n.team) for n in project.people.waiting_newcomers()}
        named = {p: (r.name, r.team) for p, r in project.members().people.items() if r.status == "active"}
        for person, (name, team) in {**newcomers, **named}.items():
            if person == me:
                continue
            known = self.known_to(project, person)
            lacks = sum(h.seq - int(known.get(h.name, f"{h.start - 1}:").partition(":")[0]) for h in heads)
            rows.append(Peer(person, name, team, *talk.get(person, (0, 0)), lacks))
        return sorted(rows, key=lambda p: (-p.lacks, p.team, p.name))

    def export(
        self,
        project: Project,
        path: Path,
        *,
        to: Sequence[str] = (),
        since: Path | None = None,
        with_objects: bool = True,
        progress: Progress | None = None,
    ) -> BundleWritten:
        """Write a bundle: whole, or what the persons `to` (ids) or the maker of the bundle `since` are not known to hold.

        Raises:
            Refused, Invalid, Untrusted: as `exchange.bundle.write`; no file was written.
        """
        from carnet_store.exchange import bundle

        base = self._held(project, to, since)
        actor = self.actor(project)
        made = bundle.write(
            project.ledger, project.objects, path, chain=actor.chain(), base=base, with_objects=with_objects,
            judge=self._judge, progress=progress,
        )  # fmt: skip
        actor.shared()
        self._log_bundle(project, made.identity, "sent", ",".join(to), path.name, made.heads, to)
        return made

    def foresee(
        self,
        project: Project,
        *,
        to: Sequence[str] = (),
        since: Path | None = None,
        with_objects: bool = True,
        progress: Progress | None = None,
    ) -> Foreseen:
        """Say what `export` would write with the same arguments; nothing is written."""
        from carnet_store.exchange import bundle

        base = self._held(project, to, since)
        return bundle.foresee(project.ledger, project.objects, base=base, with_objects=with_objects, progress=progress)

    def _held(self, project: Project, to: Sequence[str], since: Path | None) -> dict[str, str]:
        """Return the places that a receiver is known to hold: by the bundle `since`, or all of the persons `to`."""
        from carnet_store.exchange import bundle

        if since is not None:
            with bundle.open_bundle(since) as theirs:
                if theirs.ledger != project.id:
                    raise Refused(f"{since.name} is of another project", "name a bundle of this one")
                return dict(theirs.manifest.heads)
        if not to:
            return {}
        known = [self.known_to(project, person) for person in to]
        shared = set.intersection(*(set(k) for k in known))
        return {name: min((k[name] for k in known), key=lambda p: int(p.partition(":")[0])) for name in shared}

    def not_shared(self, project: Project) -> int:
        """Return how many of my events here left in no bundle yet."""
        chain = self.actor(project).chain().public.hex()
        head = project.ledger.head(chain)
        mark = self.keyring.mark(project.id, chain)
        return 0 if head is None else head.seq - (mark[0] if mark else -1)

    def inspect(self, path: Path, *, consent: bool = False, progress: Progress | None = None) -> Plan:
        """Verify a bundle wholly and say what accepting it here would do; nothing is written."""
        from carnet_store.exchange import bundle, intake

        with bundle.open_bundle(path) as opened:
            held = opened.ledger in self.store.project_ids()
            ledger = self.store.project(opened.ledger).ledger if held else None
            return intake.inspect(
                opened, ledger, self.store.objects, judge=self._judge, consent=consent, progress=progress
            )

    @staticmethod
    def inspect_file(path: Path, *, consent: bool = False, progress: Progress | None = None) -> Plan:
        """Verify a bundle wholly where there is no store."""
        from carnet_store.exchange import bundle, intake

        with bundle.open_bundle(path) as opened:
            return intake.inspect(opened, None, None, consent=consent, progress=progress)

    def accept(
        self,
        path: Path,
        *,
        plan: Plan | None = None,
        trust: str = "",
        confirmed: str = "",
        consent: bool = False,
        progress: Progress | None = None,
    ) -> Accepted:
        """Take a bundle in, in one transaction; a project new here needs its ledger id or its founder's fingerprint.

        Raises:
            Refused, Invalid, Untrusted, TooNew, Busy: what is wrong; nothing was written.
        """
        from carnet_store.exchange import bundle, intake

        with bundle.open_bundle(path) as opened:
            if opened.ledger in self.store.project_ids():
                project = self.store.project(opened.ledger)
                ready = plan or intake.inspect(opened, project.ledger, self.store.objects, consent=consent)
                done = intake.accept(
                    opened, project.ledger, self.store.objects, ready, judge=self._judge, consent=consent,
                    progress=progress,
                )  # fmt: skip
            else:
                _, done = intake.accept_new(
                    opened, self.store.root / "ledgers", self.store.objects, trust=trust, confirmed=confirmed,
                    judge=self._judge, consent=consent, progress=progress,
                )  # fmt: skip
                self._vouch_for_new(opened.ledger)
                project = self.store.project(opened.ledger)
            if done.plan.erasures:
                project.ledger.scrub()
            sender = project.people.person_of(opened.manifest.exporter)
            self._log_bundle(project, opened.identity, "heard", sender, path.name, opened.manifest.heads, [sender])
        self._written(project, {"ledger"})
        return done

    def capture_plan(
        self, project: Project, sources: Sequence[tuple[str, Source]], progress: Progress | None = None
    ) -> CapturePlan:
        """Read what other tools recorded (kind of importer, source) and say what it would add; nothing is written. Close the plan.

        Raises:
            Usage, Invalid: as `exchange.capturing.plan`.
        """
        from carnet_store.exchange import capturing

        return capturing.plan(self.acts(project), sources, progress)

    @staticmethod
    def capture_plan_apart(sources: Sequence[tuple[str, Source]], progress: Progress | None = None) -> CapturePlan:
        """Say what sources would add where there is no store yet; nothing is written. Close the plan.

        Raises:
            Usage, Invalid: as `exchange.capturing.plan`.
        """
        from carnet_store.exchange import capturing

        return capturing.plan(None, sources, progress)

    def capture(self, project: Project, plan: CapturePlan, progress: Progress | None = None) -> Written:
        """Write what a plan shows, in one transaction. Raises as every act; nothing was written to the record."""
        from carnet_store.exchange import capturing

        return capturing.write(self.acts(project), plan, progress)

    def backup(self, path: Path, progress: Progress | None = None) -> Kept:
        """Write the whole store to one file; what it holds of my chains counts as having left this machine.

        Raises:
            Refused, Invalid, Untrusted: as `storage.backup.backup`; no file was written.
        """
        from carnet_store.storage.backup import backup

        kept = backup(self.store, path, progress)
        for row in self.projects():
            project = self.store.project(row.id)
            authors = {project.people.person_of(head.key) for head in project.ledger.heads()}
            for mine in self.keyring.identities():
                if mine.person in authors:
                    Actor(mine, self.keyring, project, self.store.ident, self.ask).shared()
        return kept

    @staticmethod
    def restore(path: Path, beside: Path, progress: Progress | None = None) -> Kept:
        """Make a store from a backup beside the work in `beside`. Raises as `storage.backup.restore`."""
        from carnet_store.storage.backup import restore

        return restore(path, beside, progress)

    def _vouch_for_new(self, ledger: str) -> None:
        """Leave word that a project just taken in was verified here."""
        made = Ledger(self.store.ledger_path(ledger))
        made.vouch(self.keyring.mac_key())
        made.close()

    def lying_around(self, folders: Sequence[Path]) -> list[Found]:
        """Return the bundles in these folders that were neither made nor taken in here; nothing is applied."""
        from carnet_store.exchange import bundle

        seen = set()
        for ledger in self.store.project_ids():
            seen |= {r[0] for r in self.store.project(ledger).ledger.db.execute("SELECT digest FROM bundle")}
        found = []
        for path in sorted({p for folder in folders if folder.is_dir() for p in folder.glob("*.carnet.zip")}):
            try:
                with bundle.open_bundle(path) as opened:
                    if opened.identity in seen:
                        continue
                    held = opened.ledger in self.store.project_ids()
                    name = self.store.project(opened.ledger).name if held else ""
                    found.append(
                        Found(path, opened.identity, opened.ledger, name, opened.manifest.events, opened.manifest.t,
                              path.stat().st_size)
                    )  # fmt: skip
            except CarnetError as error:
                found.append(Found(path, "", "", "", 0, 0, path.stat().st_size, error.message))
        return found

    def _log_bundle(
        self, project: Project, digest: str, direction: str, peer: str, name: str, heads: Mapping[str, str],
        persons: Sequence[str],
    ) -> None:  # fmt: skip
        now, text = self.store.clock(), canonical.encode(dict(heads)).decode()
        db = project.ledger.db
        db.execute("INSERT OR REPLACE INTO bundle VALUES(?, ?, ?, ?, ?, ?)", (digest, direction, peer, now, name, text))
        for person in persons:
            db.execute("INSERT OR IGNORE INTO peer(person, heads) VALUES(?, '{}')", (person,))
            if direction == "sent":
                db.execute("UPDATE peer SET sent = ? WHERE person = ?", (now, person))
            else:
                db.execute("UPDATE peer SET heard = ?, heads = ? WHERE person = ?", (now, text, person))

    def _judge(self, ledger: Ledger) -> dict[str, str]:
        """Return each handoff's verdict in words, for plans and README.html."""
        project = Project(ledger, self.store.objects, _read_pack, self.store.clock)
        found = {}
        for handoff in project.handoff_ids():
            try:
                status = project.look(handoff).status
                stale = sum(not s.fresh and bool(s.changed_items or s.changed_parts) for s in status.signoffs)
                found[handoff] = status.verdict + (f", {stale} stale" if stale and status.verdict != "passed" else "")
            except CarnetError as error:
                found[handoff] = f"cannot be judged here: {error.message}"
        return found
