"""Begin, look over all, and the program's own matters: init, status, demo, keys, completion."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carnet_tui import console
from carnet_tui.commands import PATH, command, session
from carnet_tui.session import Session, quoted

if TYPE_CHECKING:
    from carnet_store import Desk

_SECTIONS = {"needs": "NEEDS YOU", "waiting": "WAITING ON OTHERS", "recent": "RECENT"}


@command(
    "init",
    "carnet init --project churn",
    "carnet init ~/work/churn --role ml_engineer --team engineering",
    "carnet init --second-root ~/.ssh/offline_key.pub",
    writes=True,
)
@click.argument("folder", required=False, type=PATH, metavar="[DIR]")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", help="What you are in it (default: researcher). Repeatable."
)
@click.option("--team", default="", help="Your team.")
@click.option(
    "--second-root",
    "roots",
    multiple=True,
    metavar="KEY",
    help="A key that can name new admins if yours is lost: a .pub file, 64 hex, or an identity. Repeatable.",
)
@click.option("--continues", default="", metavar="PROJECT|LEDGER_ID",
              help="A project that nobody can administer any more; this one goes on from it.")  # fmt: skip
@click.option("--template", "templates", multiple=True, type=PATH, metavar="FILE",
              help="A pack of your own, kept in the store. Repeatable.")  # fmt: skip
def init(
    folder: Path | None, roles: tuple[str, ...], team: str, roots: tuple[str, ...], templates: tuple[Path, ...], continues: str
) -> None:  # fmt: skip
    """Start a project here: a store beside your work, you as its first member.

    The project's name is that of --project, else of the folder. An identity is made from git's user.name and
    user.email where you have none.
    """
    from carnet_store import Desk

    here = session()
    beside = here.env.path(folder) if folder else (here.store_path() or here.env.folder)
    had = bool(Desk.keyring_of(here.environ()).identities())
    keys = [_public_key(here, text) for text in roots]
    packs = [_own_pack(here, path) for path in templates]
    beside.mkdir(parents=True, exist_ok=True)
    desk = here.use(Desk.create(beside, who=here.me, environ=here.environ(), clock=here.clock(), ask=here.ask))
    me = desk.i()
    if not had:
        console.talk(f"You act as {me.label}: a key of its own was made for you in {me.file.parent.parent}.")
    name = here.project_name or (beside.parent if beside.name == ".carnet" else beside).absolute().name
    before = next((row.id for row in desk.projects() if row.name == continues), continues)
    _, written = desk.found(name, roles=roles or ("researcher",), team=team, recovery=keys, continues=before)
    for path in packs:
        target = desk.store.root / "templates" / path.name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(path, target)
    here.wrote(written, show=written.entity)


def _own_pack(here: Session, path: Path) -> Path:
    from carnet_store import NotFound
    from carnet_store.work.templates import load_pack

    found = here.env.path(path)
    try:
        load_pack(found.read_bytes(), found.name)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", "name a pack's YAML file") from None
    return found


def _public_key(here: Session, text: str) -> str:
    """Return a public key in hex from hex, an OpenSSH `.pub` file, or the name of an identity at hand."""
    import base64
    import re

    from carnet_store import Desk, Invalid

    if re.fullmatch(r"[0-9a-f]{64}", text):  # a person's id looks like a key and is none
        known = {one.person: one.public.hex() for one in Desk.keyring_of(here.environ()).identities()}
        return known.get(text, text)
    path = here.env.path(text)
    if path.is_file():
        words = path.read_text(encoding="utf-8", errors="replace").split()
        try:
            blob = base64.b64decode(words[1], validate=True)
        except (IndexError, ValueError):
            blob = b""
        if words[:1] != ["ssh-ed25519"] or len(blob) != 51:
            raise Invalid(f"{text} is no public OpenSSH key of type Ed25519", "ssh-keygen -t ed25519 makes one")
        return blob[-32:].hex()
    return Desk.keyring_of(here.environ()).choose(text).public.hex()


@command(
    "status",
    "carnet status",
    "carnet status --json",
    shape='[{"project", "section": "needs"|"waiting"|"recent", "kind", "subject", "what", "gate", "done", "total", "t": ms, '
    '"entity", "item", "detail": [text], "key"}]',
)
def status() -> None:
    """Show what waits on you, what you wait for, what happened lately, in all projects of the store."""
    here = session()
    desk = here.desk()
    if not desk.keyring.identities():
        _strangers_view(here, desk)
        return
    rows = desk.inbox()
    if here.project_name:
        rows = [(row, duty) for row, duty in rows if row.name == here.project_name]
    if here.json:
        console.out_json([{"project": row.name, **asdict(duty)} for row, duty in rows])
        return
    if here.demo() is not None:
        console.talk(f"DEMO, {console.moment(here.clock()())} UTC, as {desk.i().name}")
    now = here.clock()()
    several = len({row.id for row, _ in rows}) > 1
    for section, title in _SECTIONS.items():
        group = [(row, duty) for row, duty in rows if duty.section == section]
        if not group:
            continue
        console.out(title)
        console.table(
            [
                [
                    *([row.name] if several else []), duty.subject, duty.what, duty.gate,
                    f"{duty.done}/{duty.total}" if duty.total else "", _age(duty.t, now),
                ]
                for row, duty in group
            ],
            indent="  ",
        )  # fmt: skip
        for _, duty in group[:1] if section == "needs" else []:
            for line in duty.detail[:3]:
                console.out(f"      {line}")
    if not rows:
        names = [row.name for row in desk.projects()]
        console.out(f"Nothing waits on {desk.i().name} in {', '.join(names) or 'this store'}.")
        if not names:
            console.talk("Next: carnet init --project NAME, or carnet import FILE.carnet.zip")
        elif not desk.project(here.project_name or names[0]).handoff_ids():
            console.talk("Next: carnet handoff open NAME@VERSION")


def _strangers_view(here: Session, desk: Desk) -> None:
    """Say how each handoff stands, to somebody without an identity."""
    rows = []
    for row in desk.projects():
        project = desk.project(row.id)
        for handoff in project.handoffs():
            look = project.look(handoff.id)
            rows.append([row.name, look.model.title, look.checklist.gate.title, look.status.verdict])
    if here.json:
        console.out_json([])
    else:
        console.table(rows, ("project", "model", "gate", "verdict"))
    console.talk("You have no identity here, so nothing waits on you. Next: carnet identity new")


def _age(then: int, now: int) -> str:
    seconds = (now - then) // 1000
    for span, unit in ((31_557_600, "y"), (86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= span:
            return f"{seconds // span}{unit}"
    return "now"


def start_tui(here: Session, *, bundle: Path | None = None, review: str = "", handoff: str = "") -> int:
    """Open the terminal UI on the nearest store: on the inbox, a handoff, its review, or a bundle's plan."""
    from carnet_tui.app import run

    if here.demo() is not None:
        return run(desk=here.desk(), bundle=bundle, review=review, handoff=handoff)
    return run(here.store_path(), who=here.me, bundle=bundle, review=review, handoff=handoff)


@command("demo", "carnet demo", "carnet demo --to /tmp/churn --no-tui", shares=False)
@click.option("--to", type=PATH, metavar="DIR", help="Where to unpack it; a new folder.")
@click.option("--no-tui", is_flag=True, help="Unpack it and say how to open it.")
def demo(to: Path | None, no_tui: bool) -> None:
    """Open a sample, whole and real: two teams, a model, a gate nearly passed. It never touches your keys or stores."""
    from carnet_tui.demo import run

    here = session()
    code = run(here.env.path(to) if to else None, not no_tui)
    click.get_current_context().exit(code)


@command(
    "keys",
    "carnet keys",
    "carnet keys --json",
    shape='[{"id", "keys": [text], "verb", "help", "where": [text], "weight"}]',
    shares=False,
)
def keys() -> None:
    """List the keys of the terminal UI: one letter, one verb, on every screen."""
    from carnet_tui.actions import ACTIONS, shown_key

    if session().json:
        console.out_json(
            [
                {"id": a.id, "keys": a.keys, "verb": a.verb, "help": a.help, "where": a.where, "weight": a.weight}
                for a in ACTIONS
            ]
        )
        return
    console.table(
        [[" ".join(shown_key(key, "enter") for key in a.keys) or "-", a.verb, a.help] for a in ACTIONS],
        ("keys", "verb", "what it does"),
    )


@command(
    "completion",
    "carnet completion bash >> ~/.bashrc",
    "carnet completion fish > ~/.config/fish/completions/carnet.fish",
    shares=False,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes carnet's words in your shell."""
    from click.shell_completion import get_completion_class

    from carnet_tui.cli import carnet

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    console.raw(found(carnet, {}, "carnet", "_CARNET_COMPLETE").source())


def look_hint(title: str) -> str:
    """Return the command that shows a handoff."""
    return quoted("carnet", "handoff", "show", title)
