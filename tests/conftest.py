"""What every test may lean on: a world of people and stores with fixed keys, a fixed clock and fixed salts.

`world` is a fresh project folder. People are known by a first name; their keys are made from it, so ids are the same in every run. A
`Replica` is one person's store of the ledger: its own file, its own chain key. Nothing travels by itself; `pull` carries lines.

    def test_something(world):
        ana = world.found("ana", bob=("deployer",))       # ledger, roster with both, Ana's chain
        bob = world.replica("bob")                        # Bob's store; his chain is opened
        dataset = ana.declare("dataset", "telco")         # entity id
        bob.pull(ana)                                     # lines of all chains, checked and folded
        bob.comment(dataset, "seen")
        world.meet(ana, bob)                              # everybody holds everything
        assert ana.digest() == bob.digest()

To name the type in annotations: `if TYPE_CHECKING: from tests.conftest import Replica, World`.
"""

from __future__ import annotations

import hashlib
import signal
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings

import carnet_store.domain.decisions
import carnet_store.domain.handoff
import carnet_store.domain.lineage  # noqa: F401 (kinds register themselves when their subject is imported)
from carnet_store.core import canonical, keys
from carnet_store.core import event as events
from carnet_store.core.event import Draft, Event
from carnet_store.core.fold import Change
from carnet_store.core.keys import Signer
from carnet_store.core.kind import KINDS
from carnet_store.domain import people as people_of
from carnet_store.domain.handoff import SIGNOFF_PREDICATE, STATEMENT_TYPE
from carnet_store.domain.people import Person, Roster
from carnet_store.storage.ledger import Ledger, Taken

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program that they try it on.
for _number in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

# How fast a machine is says nothing of what is tested.
settings.register_profile("carnet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("carnet")

CLOCK = 1_760_000_000_000  # ms; a day in October 2025
HOUR = 3_600_000


def seed(name: str) -> bytes:
    """Return the 32-byte seed of the test key of that name."""
    return hashlib.sha256(f"test key of {name}".encode()).digest()


def envelopes(payload_type: str, payload: bytes, signers: Iterable[Signer]) -> dict[str, Any]:
    """Return the value of a person-signed change: one envelope a signer."""
    return {"dsse": [keys.sign_envelope(signer, payload_type, payload).value() for signer in signers]}


class World:
    """One project: its folder, its people, its clock. `now` (ms) goes on by a second at every act."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = CLOCK
        self.id = ""
        self.replicas: list[Replica] = []

    def key(self, name: str) -> Signer:
        """Return a person's own key."""
        return Signer(seed(name))

    def person(self, name: str) -> str:
        """Return a person's id (64 hex)."""
        return keys.person_id(self.key(name).public)

    @property
    def entity(self) -> str:
        """The ledger as an entity."""
        return f"ledger:{self.id[:32]}"

    def tick(self) -> int:
        """Let a second pass; return the new time."""
        self.now += 1000
        return self.now

    def row(self, name: str, roles: Sequence[str] = (), joined: str = "", status: str = "active") -> Person:
        """Return a person's row of a roster."""
        return Person(
            name=name.capitalize(), keys=(self.key(name).public.hex(),), roles=tuple(roles), status=status,
            mail=f"{name}@example.org", team="research", joined=joined,
        )  # fmt: skip

    def found(
        self, founder: str = "ana", *, admins: Sequence[str] = (), threshold: int = 1, recovery: Sequence[str] = (),
        roles: Sequence[str] = ("researcher",), **people: Sequence[str],
    ) -> Replica:  # fmt: skip
        """Found the ledger: `people` maps names to roles; `admins` defaults to the founder. Return the founder's store."""
        rows = {self.person(founder): self.row(founder, roles)}
        rows |= {self.person(name): self.row(name, given) for name, given in people.items()}
        roster = Roster(
            admins=tuple(sorted(self.person(a) for a in (admins or [founder]))), format=people_of.ROSTER_FORMAT, ledger="",
            parents=(), people=rows, purpose="roster.set", recovery=tuple(self.key(r).public.hex() for r in recovery),
            threshold=threshold, version=0,
        )  # fmt: skip
        genesis = people_of.Genesis(
            continues="", format=people_of.LEDGER_FORMAT, founder=self.key(founder).public.hex(), nonce="0" * 32,
            project="churn", purpose="ledger.founded", recovery=roster.recovery, roster=roster,
        )  # fmt: skip
        payload = canonical.encode(msgspec.to_builtins(genesis))
        self.id = canonical.sha256_hex(payload)
        first = envelopes(people_of.GENESIS, payload, [self.key(founder)])
        return self.replica(founder, before=[(self.entity, "ledger.founded!", first)])

    def replica(
        self, name: str, store: str = "laptop", *, before: Sequence[tuple[str, str, Any]] = (), after: Sequence[tuple[str, str, Any]] = (),
        open_chain: bool = True,
    ) -> Replica:  # fmt: skip
        """Make a person's store, its chain opened; `before` and `after` are (entity, kind, value) of further changes of event 0."""
        made = Replica(self, name, store)
        self.replicas.append(made)
        if open_chain:
            made.open_chain(before, after)
        return made

    def meet(self, *replicas: Replica) -> None:
        """Let these stores (all where none is named) exchange until each holds everything."""
        everyone = replicas or tuple(self.replicas)
        for _ in range(2):
            for one in everyone:
                for other in everyone:
                    if one is not other:
                        one.pull(other)

    def close(self) -> None:
        """Close every store."""
        for one in self.replicas:
            one.ledger.close()


class Replica:
    """One person's store of the ledger. Acts return the change id that they wrote (`declare`: the entity id)."""

    def __init__(self, world: World, name: str, store: str) -> None:
        self.world, self.name, self.store = world, name, store
        self.person = world.person(name)
        self.own = world.key(name)
        self.chain = Signer(seed(f"{name} on {store}"))
        self.path = world.folder / f"{name}-{store}.db"
        self.ledger = Ledger(self.path, create=True, ledger=world.id)
        self._salts = 0

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The chain id."""
        return self.chain.public.hex()

    def digest(self) -> str:
        """Return the state digest."""
        return self.ledger.projection.digest()

    def change(self, change_id: str) -> Change:
        """Return a change that must be held and folded."""
        found = self.ledger.projection.change(change_id)
        assert found is not None, f"{change_id} is not held by {self.name}"
        return found

    def why(self, change_id: str) -> str:
        """Return the name of `Counts` that a change has here, e.g. `YES`."""
        return self.change(change_id).counts.name

    def live(self, entity: str, kind: str = "") -> list[Change]:
        """Return the live changes of an entity, of one kind where it is given."""
        return [c for c in self.ledger.projection.changes(entity, live_only=True) if not kind or c.kind == kind]

    # -- acting --------------------------------------------------------------------------------------------------------

    def salt(self) -> str:
        """Return the next salt: another for each change, the same in every run."""
        self._salts += 1
        return hashlib.sha256(f"{self.name} {self.store} {self._salts}".encode()).hexdigest()[:32]

    def draft(self, entity: str, kind: str, value: Any, field: str = "", over: Sequence[str] = ()) -> Draft:
        """Return a change to be written; the critical mark is put where the kind has it."""
        known = KINDS.get(kind.rstrip("!"))
        mark = "!" if known is not None and known.critical and not kind.endswith("!") else ""
        plain = value if isinstance(value, dict) else msgspec.to_builtins(value)
        return Draft(entity, kind + mark, field, plain, self.salt(), tuple(over))

    def write(self, *drafts: Draft) -> Event:
        """Append one event."""
        return self.ledger.append(self.chain, drafts, self.world.tick())[0]

    def act(self, entity: str, kind: str, value: Any, field: str = "", over: Sequence[str] = ()) -> str:
        """Append one change."""
        return self.write(self.draft(entity, kind, value, field, over)).id

    def open_chain(
        self, before: Sequence[tuple[str, str, Any]] = (), after: Sequence[tuple[str, str, Any]] = ()
    ) -> Event:
        """Write event 0: the person's delegation of this store's chain key."""
        given = people_of.Delegation(
            chain=self.key, device=self.store, key=self.own.public.hex(), ledger=self.world.id, person=self.person,
            purpose="chain.opened", t=self.world.tick(),
        )  # fmt: skip
        payload = canonical.encode(msgspec.to_builtins(given))
        value = envelopes(people_of.DELEGATION, payload, [self.own])
        opening = (f"person:{self.person[:32]}", "chain.opened!", value)
        return self.write(*[self.draft(*one) for one in (*before, opening, *after)])

    def declare(self, kind: str, name: str, born: str = "entity.declared", value: Any = None, **fields: Any) -> str:
        """Bring an entity to life; return its id."""
        plain = value if value is not None else {"name": name, **fields}
        salt = self.salt()
        commitment = canonical.commitment(salt, canonical.encode(plain))
        entity = events.birth_entity(kind, self.key, commitment)
        mark = "!" if KINDS[born].critical else ""
        self.write(Draft(entity, born + mark, "", plain, salt))
        return entity

    def import_from(self, kind: str, system: str, stable_id: str, name: str) -> str:
        """Declare what another system knows by an id of its own; return the entity id, the same in every store."""
        entity = events.source_entity(kind, system, stable_id)
        self.act(entity, "entity.declared", {"name": name, "source": [system, stable_id]})
        return entity

    def handoff(self, model: str = "") -> str:
        """Open a handoff of a model version; return its id."""
        model = model or self.declare("model", "churn", version="7")
        value = {"model": model, "packs": [{"id": "p", "version": "1", "sha256": "0" * 64}], "tier": "high"}
        return self.declare("handoff", "", "handoff.opened", value)

    def answer(
        self, handoff: str, item: str, text: str, role: str = "researcher", over: Sequence[str] = ()
    ) -> str:  # fmt: skip
        """Answer an item as text."""
        return self.act(handoff, "item.answered", {"role": role, "answer": {"text": text}}, item, over)

    def comment(self, entity: str, text: str) -> str:
        """Remark on an entity."""
        return self.act(entity, "comment.added", {"text": text})

    def retract(self, entity: str, over: Sequence[str], field: str = "") -> str:
        """Take back own changes."""
        return self.act(entity, "change.retracted", {"reason": "no"}, field, over)

    def signed(
        self, entity: str, kind: str, payload: Any, by: Sequence[str] = (), field: str = "", over: Sequence[str] = ()
    ) -> str:  # fmt: skip
        """Write a person-signed act; `by` are names, this store's person by default."""
        known = KINDS[kind]
        raw = payload if isinstance(payload, bytes) else canonical.encode(msgspec.to_builtins(payload))
        value = envelopes(known.payload_type, raw, [self.world.key(name) for name in by or [self.name]])
        return self.act(entity, kind, value, field, over)

    def payload(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return an act's payload with ledger and purpose filled in."""
        return {"ledger": self.world.id, "purpose": kind, **fields}

    def sign_off(
        self, handoff: str, decision: str = "approve", *, role: str = "researcher", round_: int = 1, over: Sequence[str] = (),
        by: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """Sign a handoff off."""
        return self.signed(handoff, "gate.signed", self.statement(handoff, decision, role, round_), by, role, over)

    def statement(
        self, handoff: str, decision: str = "approve", role: str = "researcher", round_: int = 1
    ) -> dict[str, Any]:
        """Return the in-toto Statement of a sign-off."""
        package = "9" * 64
        predicate = {
            "bound": {}, "covers": [], "decision": decision, "expires": 0, "frontier": {}, "gate": "g", "handoff": handoff,
            "ledger": self.world.id, "meaning": "approver", "package": package, "purpose": "gate.signed", "reason": "",
            "role": role, "roster": [], "round": round_, "seen": {}, "t": self.world.now, "template": "8" * 64,
        }  # fmt: skip
        return {
            "_type": STATEMENT_TYPE, "subject": [{"name": "package", "digest": {"sha256": package}}],
            "predicateType": SIGNOFF_PREDICATE, "predicate": predicate,
        }  # fmt: skip

    # -- people --------------------------------------------------------------------------------------------------------

    def roster(
        self, *, by: Sequence[str] = (), parents: Sequence[str] | None = None, admins: Sequence[str] | None = None,
        threshold: int | None = None, remove: Sequence[str] = (), leave: Sequence[str] = (), joined: str = "",
        recovery: Sequence[str] | None = None, **people: Sequence[str],
    ) -> str:  # fmt: skip
        """Set the next roster: on top of the heads in force here (or `parents`), with these rows changed."""
        folded = self.ledger.projection.people
        heads = tuple(parents) if parents is not None else folded.members().heads
        olds = [folded.rosters[digest] for digest in heads]
        rows: dict[str, Person] = {}
        for old in olds:
            rows |= old.people
        for name, roles in people.items():
            kept = rows.get(self.world.person(name))
            rows[self.world.person(name)] = self.world.row(name, roles, joined or (kept.joined if kept else ""))
        for name in leave:
            rows[self.world.person(name)] = msgspec.structs.replace(rows[self.world.person(name)], status="left")
        for name in remove:
            del rows[self.world.person(name)]
        new = people_of.RosterSet(
            admins=tuple(sorted(map(self.world.person, admins))) if admins is not None else olds[0].admins,
            format=people_of.ROSTER_FORMAT, ledger=self.world.id, parents=tuple(sorted(heads)), people=rows,
            purpose="roster.set",
            recovery=olds[0].recovery if recovery is None else tuple(self.world.key(r).public.hex() for r in recovery),
            threshold=olds[0].threshold if threshold is None else threshold,
            version=1 + max(old.version for old in olds),
        )  # fmt: skip
        return self.signed(self.world.entity, "roster.set", new, by)

    def invite(self, name: str, roles: Sequence[str] = ("deployer",)) -> str:
        """Invite somebody; return the invitation's entity id."""
        value = {"name": name.capitalize(), "mail": f"{name}@example.org", "roles": list(roles), "team": "ops",
                 "expires": self.world.now + 72 * HOUR}  # fmt: skip
        return self.declare("invitation", "", "invite.made", value)

    def admit(self, newcomer: Replica, roles: Sequence[str] = ("deployer",)) -> str:
        """Name a newcomer in the next roster, by the acceptance that is held here."""
        waiting = {n.person: n for n in self.ledger.projection.people.waiting_newcomers()}
        named: dict[str, Any] = {newcomer.name: roles}
        return self.roster(joined=waiting[newcomer.person].change, **named)

    def revoke(
        self, name: str, last: dict[str, str] | None = None, *, by: Sequence[str] = (), reason: str = "compromised"
    ) -> str:
        """End a person's keys; `last` defaults to what this store holds of that person's chains."""
        person = self.world.person(name)
        if last is None:
            folded = self.ledger.projection.people
            last = {h.key: h.place for h in self.ledger.heads() if folded.person_of(h.key) == person}
        act = self.payload("person.revoked", person=person, last=last, reason=reason, why="stolen")
        return self.signed(f"person:{person[:32]}", "person.revoked", act, by)

    def adopt_events(self, *event_ids: str, by: Sequence[str] = ()) -> str:
        """Let single events count that lie beyond a revocation."""
        act = self.payload("event.adopted", events=list(event_ids), why="checked one by one")
        return self.signed(self.world.entity, "event.adopted", act, by)

    def adopt_fork(self, chain: str, *heads: str) -> str:
        """Say which branches of an own forked chain stand, by the event ids of their heads."""
        act = self.payload("fork.adopted", chain=chain, heads=list(heads))
        return self.signed(f"person:{self.person[:32]}", "fork.adopted", act)

    def add_key(self, new: str, *, by: Sequence[str] = ()) -> str:
        """Add a further key of this person; by default signed by the old and the new key."""
        act = self.payload("person.key_added", person=self.person, key=self.world.key(new).public.hex())
        return self.signed(f"person:{self.person[:32]}", "person.key_added", act, by or [self.name, new])

    def erase(self, *targets: str, by: Sequence[str] = (), objects: Sequence[str] = ()) -> str:
        """Let values be forgotten."""
        act = self.payload(
            "value.erased", targets=list(targets), objects=list(objects), reason="asked", t=self.world.now
        )
        return self.signed(self.world.entity, "value.erased", act, by)

    # -- exchange ------------------------------------------------------------------------------------------------------

    def segments(
        self, *, only: Iterable[str] | None = None, upto: dict[str, int] | None = None
    ) -> list[tuple[str, list[bytes]]]:
        """Return what this store holds as (chain, lines); `only` some chains, `upto` at most these places."""
        wanted = None if only is None else set(only)
        return [
            (h.key, list(self.ledger.lines(h.no, h.start, min(h.seq, (upto or {}).get(h.key, h.seq)))))
            for h in self.ledger.heads()
            if wanted is None or h.key in wanted
        ]

    def pull(self, other: Replica, *, only: Iterable[str] | None = None, upto: dict[str, int] | None = None) -> Taken:
        """Take in what another store holds (or some of it)."""
        return self.take(other.segments(only=only, upto=upto))

    def take(self, segments: Sequence[tuple[str, Sequence[bytes]]]) -> Taken:
        """Take in lines."""
        return self.ledger.take_in(segments, commit=True)

    def copy(self, store: str) -> Replica:
        """Copy the file as a restored backup would be: the same chain key goes on from here, unknowing of the other."""
        twin = Replica.__new__(Replica)
        twin.world, twin.name, twin.store, twin._salts = (
            self.world,
            self.name,
            f"{self.store}-{store}",
            self._salts + 10_000,
        )
        twin.person, twin.own, twin.chain = self.person, self.own, self.chain
        twin.path = self.world.folder / f"{self.name}-{self.store}-{store}.db"
        self.ledger.db.execute("VACUUM INTO ?", (str(twin.path),))
        twin.ledger = Ledger(twin.path)
        self.world.replicas.append(twin)
        return twin

    def join(self, inviter: Replica, invitation: str = "") -> None:
        """As a newcomer without a chain: take in what the inviter holds, then open a chain that accepts (or asks)."""
        self.pull(inviter)
        value: dict[str, Any] = {"name": self.name.capitalize(), "mail": f"{self.name}@example.org", "team": "ops",
                                 "key": self.own.public.hex()}  # fmt: skip
        kind = "invite.accepted" if invitation else "join.requested"
        value |= {"invitation": invitation} if invitation else {"roles": ["deployer"]}
        self.open_chain(after=[(f"person:{self.person[:32]}", kind, value)])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A project folder without a ledger yet; begin with `world.found()`."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def world_in() -> type[World]:
    """The class itself, for tests that need several worlds: `world_in(folder)`; close each."""
    return World


@pytest.fixture(scope="session")
def real_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what real tools wrote (tests/fixtures/README.md). Read only: tests that write copy what they need."""
    folder = tmp_path_factory.mktemp("real-tools")
    with tarfile.open(Path(__file__).with_name("fixtures") / "real-tools.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder
