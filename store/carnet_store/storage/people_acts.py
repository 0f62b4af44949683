"""Acts about people: founding, inviting, joining, admitting, roles, revoking, adopting a fork."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from carnet_store.core import canonical
from carnet_store.core.kind import ACT
from carnet_store.domain.gate import DAY
from carnet_store.domain.people import (
    GENESIS,
    LEDGER_FORMAT,
    ROSTER,
    ROSTER_FORMAT,
    Person,
    Roster,
    roster_bytes,
    roster_digest,
)
from carnet_store.errors import Invalid, NotFound, Refused, Usage
from carnet_store.storage.acting import Acting, Me, Named, Written


class PeopleActs(Acting):
    """Who belongs to the project, and in which roles."""

    @staticmethod
    def genesis(
        me: Named,
        project: str,
        roles: Sequence[str],
        team: str,
        entropy: Callable[[int], bytes],
        recovery: Sequence[str] = (),
        continues: str = "",
    ) -> tuple[str, bytes]:
        """Return ledger id and genesis payload for a new project founded by `me`; `continues` is the ledger id of one that it goes on from.

        Raises:
            Invalid: the project has no name.
        """
        if not project.strip():
            raise Invalid("a project needs a name", "carnet init --project NAME")
        founder = Person(
            name=me.name, mail=me.mail, keys=(me.public.hex(),), roles=tuple(sorted(set(roles))), team=team
        )
        roster = Roster(
            admins=(me.person,), format=ROSTER_FORMAT, ledger="", parents=(), people={me.person: founder},
            purpose="roster.set", recovery=tuple(recovery), threshold=1, version=0,
        )  # fmt: skip
        payload = canonical.encode(
            {
                "continues": continues,
                "format": LEDGER_FORMAT,
                "founder": me.public.hex(),
                "nonce": entropy(16).hex(),
                "project": project.strip(),
                "purpose": "ledger.founded",
                "recovery": list(recovery),
                "roster": msgspec.to_builtins(roster),
            }
        )
        return canonical.sha256_hex(payload), payload

    def found(self, payload: bytes) -> Written:
        """Write the first event of a new ledger: its genesis and the opening of the founder's chain."""
        genesis = self._draft(self._ledger_entity, "ledger.founded", "", self._signed(GENESIS, payload))
        name = msgspec.json.decode(payload)["project"]
        return self._write(
            [genesis],
            f"founded {name}",
            entity=self._ledger_entity,
            opening=True,
            next_="carnet add model NAME --version 1",
        )

    def invite(self, name: str, mail: str, roles: Sequence[str], team: str = "", days: int = 30) -> Written:
        """Ask somebody to join with these roles; the invitation travels in the next bundle (admins only)."""
        self._only_admin("invite people")
        if not roles:
            raise Usage("an invitation names at least one role", "--role ml_engineer")
        entity, draft = self._birth(
            "invitation",
            "invite.made",
            {
                "expires": self._clock() + days * DAY,
                "mail": mail,
                "name": name,
                "roles": sorted(set(roles)),
                "team": team,
            },
        )
        return self._write(
            [draft], f"invited {name} as {', '.join(roles)}", entity=entity, next_="carnet export FILE.carnet.zip"
        )

    def invitations(self) -> list[tuple[str, str, str, tuple[str, ...]]]:
        """Return open invitations as (id, name, mail, roles), those that name me first."""
        people = self.project.people
        used = {n.invitation for n in people.newcomers.values()} | {p for p in people.invitations if self._is_taken(p)}
        now = self._clock()
        rows = [
            (entity, made.name, made.mail, made.roles)
            for entity, (made, _, _) in people.invitations.items()
            if entity not in used and (not made.expires or made.expires > now)
        ]
        return sorted(rows, key=lambda r: (r[2] != self.me.mail, r[1] != self.me.name, r[0]))

    def _is_taken(self, invitation: str) -> bool:
        mail = self.project.people.invitations[invitation][0].mail
        return any(mail and row.mail == mail for row in self.project.members().people.values())

    def join(self, invitation: str = "", roles: Sequence[str] = (), team: str = "") -> Written:
        """Accept an invitation, or ask to join; acts count at once for me and for all once an admin confirms.

        Raises:
            Refused: I am a member already, or have asked before.
        """
        if self.me.person in self.project.members().people:
            raise Refused(f"{self.me.name} is a member of {self.project.name} already")
        if self.me.person in self.project.people.newcomers:
            raise Refused(f"{self.me.name} has joined already; it waits for an admin to confirm")
        entity = f"person:{self.me.person[:32]}"
        common = {"key": self.me.public.hex(), "mail": self.me.mail, "name": self.me.name, "team": team}
        if invitation:
            made = self.project.people.invitations.get(invitation)
            if made is None:
                raise NotFound("there is no such invitation here", "carnet people list shows those that are open")
            value = {**common, "invitation": invitation, "team": team or made[0].team}
            drafts = [self._draft(entity, "invite.accepted", "", value)]
            word = f"accepted the invitation as {', '.join(made[0].roles)}"
        else:
            drafts = [self._draft(entity, "join.requested", "", {**common, "roles": sorted(set(roles))})]
            word = "asked to join"
        return self._write(drafts, word, entity=entity, opening=True, next_="carnet export FILE.carnet.zip")

    def admit(self, person: str, roles: Sequence[str] | None = None, team: str | None = None) -> Written:
        """Confirm a newcomer: from the acceptance on, that person's acts count (admins only)."""
        newcomer = next((n for n in self.project.people.waiting_newcomers() if n.person == person), None)
        if newcomer is None:
            raise NotFound("nobody of that name waits to join", "carnet people list")
        granted = tuple(sorted(set(roles if roles is not None else newcomer.roles)))
        row = Person(
            name=newcomer.name, mail=newcomer.mail, keys=(newcomer.key,), roles=granted,
            team=newcomer.team if team is None else team, joined=newcomer.change,
        )  # fmt: skip
        return self._set_people({person: row}, f"admitted {newcomer.name} as {', '.join(granted) or 'member'}")

    def set_roles(self, person: str, roles: Sequence[str], team: str | None = None) -> Written:
        """Give a member exactly these roles (admins only)."""
        row = self._member(person)
        row = msgspec.structs.replace(row, roles=tuple(sorted(set(roles))), team=row.team if team is None else team)
        return self._set_people({person: row}, f"{row.name} is now {', '.join(row.roles) or 'without a role'}")

    def set_admins(self, admins: Sequence[str], threshold: int = 1, also: Sequence[Me] = ()) -> Written:
        """Name the admins; with two or more before, a second admin (`also`) signs too."""
        return self._set_people(
            {}, "named the admins", admins=tuple(sorted(set(admins))), threshold=threshold, also=also
        )

    def leave(self, person: str) -> Written:
        """End a membership: what was signed before stays valid; later acts do not count (admins only)."""
        row = msgspec.structs.replace(self._member(person), status="left", roles=())
        admins = tuple(a for a in sorted(self.project.members().admins) if a != person)
        return self._set_people({person: row}, f"{row.name} left the project", admins=admins or None)

    def revoke(
        self, person: str, why: str, *, compromised: bool = False, last: Mapping[str, str] | None = None
    ) -> Written:
        """Revoke a person's keys: beyond the last good places (default: all that is held now) nothing counts."""
        self._reason(why)
        row = self.project.members().people.get(person)
        chains = {h.key: h.place for h in self.project.ledger.heads() if self.project.people.person_of(h.key) == person}
        payload = self._payload(
            "person.revoked",
            last=dict(chains if last is None else last),
            person=person,
            reason="compromised" if compromised else "left",
            why=why,
        )
        draft = self._draft(f"person:{person[:32]}", "person.revoked", "", self._signed(ACT, payload))
        sentence = f"revoked {row.name if row else person[:8]}'s keys"
        return self._write([draft], sentence, entity=f"person:{person[:32]}", opening=self._is_root())

    def adopt_fork(self, chain: str, heads: Sequence[str]) -> Written:
        """Let branches of my own forked chain count up to these heads."""
        payload = self._payload("fork.adopted", chain=chain, heads=sorted(heads))
        entity = f"person:{self.me.person[:32]}"
        return self._write(
            [self._draft(entity, "fork.adopted", "", self._signed(ACT, payload))], "adopted the branches"
        )

    def _set_people(
        self, rows: Mapping[str, Person], sentence: str, *, admins: Sequence[str] | None = None, threshold: int | None = None,
        also: Sequence[Me] = (),
    ) -> Written:  # fmt: skip
        self._only_admin("change the roster")
        people, members = self.project.people, self.project.members()
        heads = [people.rosters[d] for d in members.heads]
        roster = Roster(
            admins=tuple(admins if admins is not None else sorted(members.admins)),
            format=ROSTER_FORMAT,
            ledger=self.project.id,
            parents=tuple(sorted(roster_digest(h) for h in heads)),
            people={**members.people, **rows},
            purpose="roster.set",
            recovery=tuple(sorted(members.recovery)),
            threshold=members.threshold if threshold is None else threshold,
            version=1 + max(h.version for h in heads),
        )
        payload = roster_bytes(roster)
        value = self._signed(ROSTER, payload, also)
        written = self._write(
            [self._draft(self._ledger_entity, "roster.set", "roster", value)], sentence, opening=self._is_root()
        )
        if roster_digest(roster) not in self.project.people.rosters:
            raise Refused(
                "the new roster is written, and does not count yet: it needs another admin's signature",
                "a change of admins needs two of them once there are two",
            )
        return written

    def _member(self, person: str) -> Person:
        row = self.project.members().people.get(person)
        if row is None:
            raise NotFound("that person is not a member", "carnet people list")
        return row

    def _is_root(self) -> bool:
        """Say whether my key is a second root: it stands for an admin whose own key is lost, without being a member."""
        return self.me.public.hex() in self.project.members().recovery

    def _only_admin(self, what: str) -> None:
        if self.me.person not in self.project.members().admins and not self._is_root():
            admins = ", ".join(self.project.person_name(a) for a in sorted(self.project.members().admins))
            raise Refused(f"only an admin may {what}", f"ask {admins}")
