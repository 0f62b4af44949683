"""Beginning where there is no store: who one is, and a store that is made only when there is something to put into it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from carnet_store import CarnetError, Desk
from carnet_store.work.identity import Identity, WrongPassphrase, from_git
from carnet_tui.text import clean
from carnet_tui.widgets.dialogs import Picker

if TYPE_CHECKING:
    from carnet_store import Project, Written
    from carnet_tui.desk_screen import DeskScreen


class Beginner:
    """Who makes a store: one of the identities at hand, or somebody new, named as git says."""

    def __init__(self, identity: Identity | None, folder: Path) -> None:
        """Take None as `identity` where there is none yet; its key is made with the store."""
        self.identity = identity
        self.folder = folder

    @property
    def sentence(self) -> str:
        """What making the store does, said before it is done. Cleaned text."""
        where = f"A store is made in {clean(str(self.folder))}"
        if self.identity is not None:
            return f"{where}; you act as {clean(self.identity.name)}."
        return f"{where}, and a key for {clean(from_git(self.folder)[0])}, as git calls you."

    def make(self) -> Desk:
        """Make the store, and the key where there is none."""
        return Desk.create(self.folder, who=self.identity.person if self.identity else None)


async def who_begins(screen: DeskScreen) -> Beginner | None:
    """Return who makes a store in the folder one works in, asking where several could be meant; None where the person left.

    Raises:
        NotFound, Usage: the person named by `--me` or `CARNET_ME` is nobody here, or several.
    """
    keyring, folder = Desk.keyring_of(), screen.carnet.folder
    named, known = screen.carnet.who or os.environ.get("CARNET_ME"), keyring.identities()
    if named:
        return Beginner(keyring.choose(named), folder)
    if len(known) < 2:
        return Beginner(known[0] if known else None, folder)
    rows = [(one.public.hex(), clean(one.name), clean(one.mail)) for one in known]
    chosen = await screen.ask(Picker("Who are you?", rows, glyphs=screen.glyphs))
    if chosen is None:
        return None
    return Beginner(next(one for one in known if one.public.hex() == chosen[0]), folder)


async def found_project(
    screen: DeskScreen, desk: Desk, name: str, roles: Sequence[str] = ("researcher",)
) -> tuple[Project, Written] | None:
    """Found a project, asking first for the passphrase of a key that needs one; None where none was given.

    Raises:
        CarnetError: as `Desk.found`.
    """
    from carnet_tui.widgets.passphrase import PassphraseSheet

    me, wrong = desk.i(), False
    while not desk.keyring.is_unlocked(me):  # before a ledger is made: what is signed first is its name and people
        typed = await screen.ask(PassphraseSheet(clean(me.name), glyphs=screen.glyphs, wrong=wrong))
        if typed is None:
            return None
        with contextlib.suppress(WrongPassphrase):
            desk.keyring.unlock(me, typed)
        wrong = True
    return desk.found(name, roles=roles)


async def begin_project(
    screen: DeskScreen, begins: Beginner, name: str, roles: Sequence[str] = ("researcher",)
) -> tuple[Desk, Project, Written] | None:
    """Make the store, the key where there is none, and a project in it; None where no passphrase was given, then no store is left.

    Raises:
        CarnetError: as `Desk.found`; no store is left.
    """
    desk = begins.make()
    try:
        founded = await found_project(screen, desk, name, roles)
    except CarnetError:
        unmake(desk)
        raise
    if founded is None:
        unmake(desk)
        return None
    return desk, *founded


def unmake(desk: Desk) -> None:
    """Close a store that was made for nothing, and remove its folders as far as they are empty."""
    root = desk.store.root
    desk.close()
    for folder in (root / "ledgers", root / "objects", root):
        with contextlib.suppress(OSError):
            folder.rmdir()
