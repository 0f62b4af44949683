"""A team's replica in a sample: a store, the keys of those who work at it, and a clock; all of it the same at each build.

Keys are `ed25519(sha256("carnet-sample:" + name))`; salts, chain keys and nonces come from a counted hash; the clock is set by the story.
Nothing of this is reachable by an option of the product: whoever builds a sample calls it from code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from carnet_store import Acts, Desk, Look, Project, Written
from carnet_store.work.identity import Identity, Keyring

MINUTE = 60_000


class Clock:
    """The story's clock, ms since 1970. It stands still until it is set or an act begins."""

    def __init__(self) -> None:
        self._now = 0

    def __call__(self) -> int:
        return self._now

    def at(self, day: str, hour: str = "09:00") -> None:
        """Set day (`2026-03-18`) and hour, UTC; never back."""
        then = int(datetime.fromisoformat(f"{day}T{hour}:00+00:00").astimezone(UTC).timestamp() * 1000)
        if then < self._now:
            raise ValueError(f"the story goes back from {self._now} to {day} {hour}")
        self._now = then

    def tick(self) -> None:
        """Let a minute pass."""
        self._now += MINUTE


class Entropy:
    """Bytes that are the same at each build: SHA-256 over a label and a counter; `give` puts a person's own seed before."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._count = 0
        self._next: list[bytes] = []

    def give(self, seed: bytes) -> None:
        """Return exactly this at the next call."""
        self._next.append(seed)

    def __call__(self, size: int) -> bytes:
        if self._next:
            return self._next.pop()
        found = b""
        while len(found) < size:
            self._count += 1
            found += hashlib.sha256(f"{self._label}:{self._count}".encode()).digest()
        return found[:size]


@dataclass(frozen=True)
class Person:
    """Somebody of the story."""

    name: str
    roles: tuple[str, ...]
    team: str

    @property
    def mail(self) -> str:
        """An address under example.org."""
        return f"{self.name.split()[0].lower()}@example.org"

    @property
    def seed(self) -> bytes:
        """The secret key, known to everybody who reads this: these people are invented."""
        return hashlib.sha256(f"carnet-sample:{self.name}".encode()).digest()


def make_identities(keyring: Keyring, entropy: Entropy, people: Iterable[Person]) -> dict[str, Identity]:
    """Keep the keys of these people in a keyring that was made with `entropy`; return them by first name."""
    found = {}
    for person in people:
        entropy.give(person.seed)
        found[person.name.split()[0]] = keyring.new(person.name, person.mail)
    return found


class Replica:
    """A team's store with the people who work at it, called by first name."""

    def __init__(self, folder: Path, team: str, people: Sequence[Person], clock: Clock) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.team = team
        self.clock = clock
        self.people = {person.name.split()[0]: person for person in people}
        entropy = Entropy(f"carnet-sample-replica:{team}")
        keyring = Keyring(folder / "keys", entropy=entropy)
        self.identities = make_identities(keyring, entropy, people)
        first = next(iter(self.identities.values()))
        self.desk = Desk.with_keyring(folder, keyring, first, clock=clock, entropy=entropy)
        self._project: Project | None = None

    def close(self) -> None:
        """Close the store."""
        self.desk.close()

    @property
    def project(self) -> Project:
        """The one project."""
        if self._project is None:
            self._project = self.desk.project()
        return self._project

    def found(self, who: str, name: str) -> Written:
        """Found the project."""
        self.desk.become(self.identities[who])
        person = self.people[who]
        self._project, written = self.desk.found(name, roles=person.roles, team=person.team)
        return written

    def by(self, who: str) -> Acts:
        """Let a minute pass and return what this person can do."""
        self.clock.tick()
        self.desk.become(self.identities[who])
        return self.desk.acts(self.project)

    def id_of(self, name: str) -> str:
        """Return a member's person id by (the start of) the name."""
        return self.project.find_person(name)

    def look(self, handoff: str) -> Look:
        """Return a handoff as this replica has it."""
        return self.project.look(handoff)

    def send(self, who: str, others: Sequence[Replica], path: Path) -> None:
        """Write a bundle as `who` with what the other replicas are not known to hold, and take it in there."""
        self.clock.tick()
        self.desk.become(self.identities[who])
        receivers = [self.id_of(name) for other in others for name in other.people] if self._all_joined(others) else []
        self.desk.export(self.project, path, to=receivers)
        for other in others:
            held = self.project.id in other.desk.store.project_ids()
            other.desk.accept(path, trust="" if held else self.project.id)

    def _all_joined(self, others: Iterable[Replica]) -> bool:
        members = {row.name for row in self.project.members().people.values()}
        return all(person.name in members for other in others for person in other.people.values())

    def put(self, data: bytes) -> dict[str, Any]:
        """Keep bytes as an object; return its digest and size as answers hold them."""
        return {"sha256": self.desk.store.objects.put(data), "size": len(data)}


# -- answers in their stored form (docs/format.md, `domain.answer`) --------------------------------------------------


def text(words: str, **more: Any) -> dict[str, Any]:
    """A text or read-back."""
    return {"state": "given", "text": " ".join(words.split()), **more}


def links(*entities: str) -> dict[str, Any]:
    """Links to entities."""
    return {"state": "given", "links": list(entities)}


def table(columns: str, *rows: Sequence[Any], **more: Any) -> dict[str, Any]:
    """A table: `columns` are the ids separated by spaces; empty cells are left out."""
    names = columns.split()
    found = [{n: cell for n, cell in zip(names, row, strict=True) if cell not in ("", [])} for row in rows]
    return {"state": "given", "rows": found, **more}


def command(line: str, exit_code: int, output: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A captured command with its output as an object."""
    return {"state": "given", "result": {"command": line, "exit_code": exit_code, "output": dict(output)}, **more}


def files(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """Files that are held as objects: path, sha256, size of each."""
    return {"state": "given", "files": [dict(row) for row in rows]}


def metric(run: str, name: str, value: str) -> dict[str, Any]:
    """A number picked from a run."""
    return {"state": "given", "metric": {"entity": run, "name": name, "value": value}}


def literal(value: str, unit: str, *evidence: str) -> dict[str, Any]:
    """A typed number with what shows it."""
    return {"state": "given", "literal": {"value": value, "unit": unit}, "links": list(evidence)}
