"""A person acting on one project of one store: the person's own key, and the silent key of the chain that carries the acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from carnet_store.core import event as events
from carnet_store.core.keys import Signer
from carnet_store.storage.project import Project
from carnet_store.work.identity import Identity, Keyring

Passphrase = Callable[[Identity], str | None]
"""Asks for the passphrase of a protected key; None where nobody can be asked."""


class Actor:
    """`storage.acts.Me` for an identity in a keyring.

    A chain whose last shared event this store does not hold (a restored backup), or holds otherwise, or that is forked, is
    retired: a new chain goes on from it.
    """

    def __init__(
        self, identity: Identity, keyring: Keyring, project: Project, store_ident: str, ask: Passphrase | None = None
    ) -> None:
        """Act as `identity`; `ask` is used where its key is protected and not unlocked."""
        self.name = identity.name
        self.mail = identity.mail
        self.person = identity.person
        self.public = identity.public
        self.identity = identity
        self._keyring = keyring
        self.project = project
        self._ident = store_ident
        self._ask = ask
        self._chain: Signer | None = None
        self._continues: list[tuple[str, int, str]] = []

    def signer(self) -> Signer:
        """Return the person's own key.

        Raises:
            PassphraseNeeded: it is protected and nobody could be asked. WrongPassphrase: what was given does not open it.
        """
        if self.identity.protected and not self._keyring.is_unlocked(self.identity) and self._ask is not None:
            return self._keyring.unlock(self.identity, self._ask(self.identity))
        return self._keyring.unlock(self.identity)

    def chain(self) -> Signer:
        """Return the key of this person's chain here; a forked one, or one that a restored backup left behind, is replaced."""
        if self._chain is None:
            key = self._keyring.chain_key(self.project.id, self.person, self._ident)
            mark = self._keyring.mark(self.project.id, key.chain)
            forked = self.project.people.is_forked(key.chain)
            if forked or (mark is not None and not self._holds(key.chain, *mark)):
                heads = [head for head in self.project.ledger.heads() if head.key == key.chain]
                self._continues += [(head.key, head.seq, head.hash) for head in heads]
                self._keyring.retire_chain(self.project.id, self.person, self._ident)
                key = self._keyring.chain_key(self.project.id, self.person, self._ident)
            self._chain = key.signer()
        return self._chain

    def device(self) -> str:
        """Return an id of this machine that says nothing about it."""
        return self._keyring.device()

    def continues(self) -> Sequence[tuple[str, int, str]]:
        """Return (chain, seq, event id) of the chains that this one goes on from."""
        return self._continues

    def shared(self) -> None:
        """Remember that this chain's head left in a bundle or backup."""
        head = self.project.ledger.head(self.chain().public.hex())
        if head is not None:
            self._keyring.set_mark(self.project.id, head.key, head.seq, head.hash)

    def _holds(self, chain: str, seq: int, event: str) -> bool:
        head = self.project.ledger.head(chain)
        if head is None or head.seq < seq:
            return False
        line = next(self.project.ledger.lines(head.no, seq, seq), None)
        return line is not None and events.parse(line).id == event
