"""Who one is on this machine: whoami, identity, lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import PATH, Group, add_to, command, session
from carnet_tui.session import Session, hidden

if TYPE_CHECKING:
    from carnet_store.work.identity import Identity, Keyring

_SHAPE = '{"name", "mail", "person", "fingerprint", "protected", "ssh": path or null}'


def _keyring(here: Session) -> Keyring:
    from carnet_store import Desk

    return Desk.keyring_of(here.environ())


def _told(one: Identity) -> dict[str, Any]:
    return {
        "name": one.name, "mail": one.mail, "person": one.person, "fingerprint": one.fingerprint,
        "protected": one.protected, "ssh": str(one.ssh) if one.ssh else None,
    }  # fmt: skip


@command(
    "whoami",
    "carnet whoami",
    "carnet whoami --json",
    shape=_SHAPE + ', with a store also "projects": [{"project", "ledger", "roles", "team", "admin", "status"}]',
)
def whoami() -> None:
    """Tell who you act as, with which key, and what you are in each project of the store.

    Others compare the ledger id of a project, read out to them, with what a bundle says: `carnet verify FILE --trust LEDGER_ID`.
    """
    from carnet_store import Desk, NotFound

    here = session()
    me = _keyring(here).choose(here.me or here.environ().get("CARNET_ME"))
    rows: list[dict[str, Any]] = []
    try:
        desk: Desk | None = here.desk()
    except NotFound:
        desk = None
    for row in desk.projects() if desk else []:
        project = desk.project(row.id) if desk else None
        members = project.members() if project else None
        genesis = project.people.genesis if project else None
        mine = members.people.get(me.person) if members else None
        rows.append(
            {
                "project": row.name, "ledger": row.id, "roles": list(mine.roles) if mine else [], "team": mine.team if mine else "",
                "admin": bool(members and me.person in members.admins), "status": mine.status if mine else "not a member",
                "continues": genesis.continues if genesis else "",
            }
        )  # fmt: skip
    if here.json:
        console.out_json({**_told(me), **({"projects": rows} if desk else {})})
        return
    console.out(me.label)
    console.table(
        [
            ["key", me.fingerprint],
            ["kept in", str(me.ssh or me.file) + (" (asks for a passphrase)" if me.protected else "")],
            *(
                line
                for row in rows
                for line in (
                    [row["project"], ", ".join([*row["roles"], *(["admin"] if row["admin"] else [])]) or row["status"]],
                    ["  ledger id", row["ledger"]],
                    *([["  continues", row["continues"]]] if row["continues"] else []),
                )
            ),
        ],
        indent="  ",
    )


identity = Group("identity", help="Your keys on this machine: make, list, carry to another.")


@add_to(
    identity,
    "new",
    "carnet identity new",
    "carnet identity new 'Ada Lovelace' --mail ada@example.org --passphrase",
    shape=_SHAPE,
)
@click.argument("name", required=False, default="")
@click.option("--mail", default="", help="The mail address that invitations name.")
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase that seals the key.")
def new(name: str, mail: str, passphrase: bool) -> None:
    """Make a person's key. Without a name, git's user.name and user.email are taken."""
    from carnet_store.work.identity import from_git

    here = session()
    if not name:
        name, git_mail = from_git(here.env.folder)
        mail = mail or git_mail
    made = _keyring(here).new(name, mail, _chosen(here, "the new key") if passphrase else None)
    _say(here, made, f"made a key for {made.label}")


@add_to(
    identity,
    "use-ssh",
    "carnet identity use-ssh ~/.ssh/id_ed25519 --name 'Ada Lovelace' --mail ada@example.org",
    shape=_SHAPE,
)
@click.argument("path", type=PATH)
@click.option("--name", default="", help="The person's name; else git's, else the file's.")
@click.option("--mail", default="", help="The mail address that invitations name.")
def use_ssh(path: Path, name: str, mail: str) -> None:
    """Use an existing OpenSSH Ed25519 key where it lies; nothing of it is copied."""
    from carnet_store.work.identity import PassphraseNeeded, from_git

    here = session()
    keyring = _keyring(here)
    if not name:
        name, git_mail = from_git(here.env.folder)
        mail = mail or git_mail
    found = here.env.path(path)
    try:
        made = keyring.use_ssh(found, name=name, mail=mail)
    except PassphraseNeeded:
        made = keyring.use_ssh(found, _given(here, f"Passphrase of {path}: "), name=name, mail=mail)
    _say(here, made, f"uses {found} as {made.label}")


@add_to(identity, "list", "carnet identity list", "carnet identity list --json", shape=f"[{_SHAPE}]")
def list_() -> None:
    """List the identities at hand."""
    here = session()
    known = _keyring(here).identities()
    if here.json:
        console.out_json([_told(one) for one in known])
        return
    console.table(
        [[o.name, o.mail, o.fingerprint, "ssh" if o.ssh else "sealed" if o.protected else "open"] for o in known],
        ("name", "mail", "key", ""),
    )
    if not known:
        console.talk("None yet. Next: carnet identity new")


@add_to(identity, "export", "carnet identity export ada.identity.json")
@click.argument("file", type=PATH)
def export(file: Path) -> None:
    """Write your key to a file, sealed by a passphrase, to carry it to another machine."""
    from carnet_store.work.identity import PassphraseNeeded

    here = session()
    keyring = _keyring(here)
    me = keyring.choose(here.me or here.environ().get("CARNET_ME"))
    target = here.env.path(file)
    sealed = _chosen(here, "the file")
    try:
        keyring.export(me, target, sealed)
    except PassphraseNeeded:
        keyring.export(me, target, sealed, _given(here, f"Passphrase of {me.name}: "))
    console.talk(f"{me.label} is in {target}, sealed. Next, there: carnet identity import {file.name}")


@add_to(identity, "import", "carnet identity import ada.identity.json", shape=_SHAPE)
@click.argument("file", type=PATH)
def import_(file: Path) -> None:
    """Take in a key that `identity export` wrote."""
    here = session()
    path = here.env.path(file)
    made = _keyring(here).import_file(path, _given(here, f"Passphrase of {file.name}: "))
    _say(here, made, f"took in {made.label}")


def _say(here: Session, made: Identity, sentence: str) -> None:
    if here.json:
        console.out_json(_told(made))
    else:
        console.out(made.person)
    console.talk(f"{sentence}. Next: carnet init --project NAME, or carnet import FILE.carnet.zip")


def _given(here: Session, prompt: str) -> str:
    """Return a passphrase from `CARNET_PASSPHRASE_FILE` or the terminal."""
    from carnet_store import Usage

    named = here.env.environ.get("CARNET_PASSPHRASE_FILE")
    if named:
        return here.env.path(named).read_text(encoding="utf-8").split("\n")[0].removesuffix("\r")
    if not here.interactive:
        raise Usage(
            "a passphrase is needed and nobody can be asked", "run it on a terminal, or set CARNET_PASSPHRASE_FILE"
        )
    return hidden(prompt)


def _chosen(here: Session, what: str) -> str:
    """Return a new passphrase, asked twice on a terminal."""
    from carnet_store import Usage

    given = _given(here, f"A passphrase for {what}: ")
    if here.interactive and not here.env.environ.get("CARNET_PASSPHRASE_FILE") and hidden("Once more: ") != given:
        raise Usage("the two are not the same; nothing was written", "try again")
    if not given:
        raise Usage("an empty passphrase seals nothing", "give one")
    return given


@command("lock", "carnet lock", shares=False)
def lock() -> None:
    """Forget unlocked keys everywhere: a running terminal UI asks for the passphrase again at its next signature.

    Without it a terminal UI keeps a key for 15 minutes after its last use; a command keeps none after it ends.
    """
    _keyring(session()).lock_all()
    console.talk("locked: the next signature asks for the passphrase again. Next: carnet whoami")
