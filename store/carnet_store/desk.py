"""A person at a store: the front door that screens and commands use.

A `Desk` joins what the rooms do: the store and its projects (`storage`), the person's keys and templates (`work`), bundles (`exchange`).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from carnet_store.core import canonical
from carnet_store.domain.inbox import Duty
from carnet_store.domain.template import Pack
from carnet_store.errors import NotFound, Refused
from carnet_store.storage.acts import Acts, LoadedPack, Written
from carnet_store.storage.project import Project
from carnet_store.storage.store import ProjectRow, Store
from carnet_store.work.actor import Actor, Passphrase
from carnet_store.work.identity import Identity, Keyring, config_dir, from_git

DEFAULT_GATES = ("starter-research-to-engineering", "starter-engineering-to-operations")


def now_ms() -> int:
    """Return the clock, ms since 1970."""
    return time.time_ns() // 1_000_000


def _read_pack(raw: bytes, name: str) -> Pack:
    from carnet_store.work.templates import load_pack  # YAML is loaded only where a template is read

    return load_pack(raw, name)


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
        """Open or make the store beside the work in `beside`; an identity is made from git's name where there is none."""
        keyring = cls.keyring_of(environ)
        env = os.environ if environ is None else environ
        me = who or env.get("CARNET_ME") or None
        identity = keyring.choose(me) if me or keyring.identities() else keyring.new(*from_git(beside))
        return cls(Store.create(beside, _read_pack, clock), keyring, identity, ask=ask)

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
        if key not in self._actors:
            self._actors[key] = Actor(me, self.keyring, project, self.store.ident, self.ask)
        return self._actors[key]

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
        self, name: str, *, roles: Sequence[str] = ("researcher",), team: str = "", recovery: Sequence[str] = ()
    ) -> tuple[Project, Written]:
        """Found a project with me as its first member and admin; return it and what was written."""
        me = self.i()
        if any(row.name == name for row in self.projects()):
            raise Refused(f"there is a project {name} here already", "give it another name")
        ledger, payload = Acts.genesis(me, name, roles, team, self.entropy, recovery)
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
        if entities:
            self.store.refresh_index(
                project, sorted({i.person for i in self.keyring.identities()} & self._members(project))
            )

    def _members(self, project: Project) -> set[str]:
        return {*project.members().people, *project.people.newcomers, *([self.me.person] if self.me else [])}

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
