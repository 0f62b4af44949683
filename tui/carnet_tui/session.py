"""What every command of one call shares: the environment (injected, never taken from flags), the store, who acts."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console
from carnet_tui.text import clean

if TYPE_CHECKING:
    from carnet_store import Acts, Desk, Look, Project, Written
    from carnet_store.work.identity import Identity
    from carnet_tui.demo import Demo

PASSPHRASE_TRIES: Final = 3


def _now() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """What a call finds around it. Tests hand in their own; nothing of it can be set by an option."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], int] | None = None
    cwd: Path | None = None

    @property
    def folder(self) -> Path:
        """The folder a call works in."""
        if self.cwd is not None:
            return self.cwd
        try:
            return Path.cwd()
        except FileNotFoundError:
            from carnet_store.errors import NotFound

            raise NotFound("the folder that you are in is not there any more", "cd to one that is") from None

    def path(self, text: str | Path) -> Path:
        """Return a path as the person means it, from the folder the call works in."""
        return self.folder / Path(text).expanduser()


class Session:
    """One call: options that every command takes, and the desk, opened when first asked for."""

    def __init__(self, env: Environment) -> None:
        """Begin a call in an environment, and remember its folder: what runs in it may take that away."""
        with contextlib.suppress(OSError):
            env = replace(env, cwd=env.cwd or Path.cwd())
        self.env = env
        self.store: Path | None = None
        self.project_name: str | None = None
        self.me: str | None = None
        self.json = False
        self._desk: Desk | None = None
        self._demo: Demo | None = None
        self._looked = False

    # -- the store -----------------------------------------------------------------------------------------------------

    def desk(self) -> Desk:
        """Open the store meant by `--store`, `CARNET_STORE` or the folder, once."""
        if self._desk is None:
            from carnet_store import Desk

            self._desk = Desk.open(
                self.store_path(), who=self.me, start=self.env.folder, environ=self.environ(), clock=self.clock(),
                ask=self.ask,
            )  # fmt: skip
        return self._desk

    def use(self, desk: Desk) -> Desk:
        """Work at this desk from now on."""
        self._desk = desk
        return desk

    def close(self) -> None:
        """Close what was opened."""
        if self._desk is not None:
            self._desk.close()
            self._desk = None

    def store_path(self) -> Path | None:
        """Return the store named by option or environment, None where the nearest is meant."""
        named = self.store or self.env.environ.get("CARNET_STORE") or None
        return self.env.path(named) if named else None

    def demo(self) -> Demo | None:
        """Return the demo that the nearest store is; it has keys and a day of its own. None where it is a real one."""
        if not self._looked:
            self._looked = True
            start = (self.store_path() or self.env.folder).absolute()
            for folder in (start, *start.parents):
                root = folder if folder.name == ".carnet" else folder / ".carnet"
                if (root / "ledgers").is_dir():
                    if (root / "demo.json").is_file():
                        from carnet_tui.demo import read_demo

                        self._demo = read_demo(root)
                    break
        return self._demo

    def environ(self) -> Mapping[str, str]:
        """Return the environment as the front door takes it."""
        demo = self.demo()
        return demo.environ(self.env.environ) if demo else self.env.environ

    def clock(self) -> Callable[[], int]:
        """Return the clock of this call, ms since 1970; a demo goes on from its own day."""
        demo = self.demo()
        return self.env.clock or (demo.clock() if demo else _now)

    def project(self) -> Project:
        """Return the project meant by `--project`, or the only one."""
        return self.desk().project(self.project_name)

    def acts(self, project: Project | None = None) -> Acts:
        """Return what I can do."""
        return self.desk().acts(project or self.project())

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def interactive(self) -> bool:
        """Whether somebody sits at a terminal who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, identity: Identity) -> str | None:
        """Return the passphrase of a protected key: from `CARNET_PASSPHRASE_FILE`, else asked on a terminal."""
        from carnet_store.work.identity import WrongPassphrase

        named = self.env.environ.get("CARNET_PASSPHRASE_FILE")
        if named:
            from carnet_store import NotFound

            try:
                return self.env.path(named).read_text(encoding="utf-8").split("\n")[0].removesuffix("\r")
            except (OSError, UnicodeDecodeError) as error:
                raise NotFound(
                    f"CARNET_PASSPHRASE_FILE names {named}, which cannot be read", f"mend it, or unset it ({error})"
                ) from None
        if not self.interactive:
            return None
        keyring = self.desk().keyring
        for left in range(PASSPHRASE_TRIES - 1, -1, -1):
            given = hidden(f"Passphrase of {identity.name}: ")
            try:
                keyring.unlock(identity, given)
            except WrongPassphrase:
                if left == 0:
                    raise
                console.talk("That is not it.")
            else:
                return None  # unlocked: the key is in the session of this process now
        return None

    def confirm(self, question: str) -> bool:
        """Ask yes or no on a terminal; only `y` or `yes` is yes."""
        return self.line(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    @staticmethod
    def line(prompt: str) -> str:
        """Ask for a line on the terminal; the prompt goes to stderr. The end of input is an empty line."""
        sys.stderr.write(clean(prompt))
        sys.stderr.flush()
        return sys.stdin.readline().rstrip("\n")

    # -- finding -------------------------------------------------------------------------------------------------------

    def handoff(self, text: str) -> tuple[Project, Look]:
        """Return the handoff meant by `MODEL@VERSION`, `MODEL@VERSION/GATE` or an id.

        Of several of one model version the only one that is not finished is meant.

        Raises:
            NotFound, Usage: none or several; those that could be meant are listed.
        """
        project = self.project()
        return project, project.look(find_handoff(project, text))

    def person(self, project: Project, text: str) -> str:
        """Return the id of a person of the project: a name, a mail, an id, or `me`."""
        if text.strip().lower() == "me":
            return self.desk().i().person
        return project.find_person(text)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _unmistakable(self, entity: str, command: str) -> str:
        """Return a command about a handoff with words that mean only that one."""
        if not command or not entity.startswith("handoff:") or self._desk is None:
            return command
        project = self.project()
        title = shlex.quote(project.title(entity))
        if f" {title}" not in command:
            return command
        word = shlex.quote(handoff_word(project, entity))
        return " ".join(word if part == title else part for part in command.split(" "))

    def wrote(self, written: Written, *, show: str = "", next_: str = "carnet status") -> None:
        """Say what was written: an id to stdout where one was born (`show`), one line to stderr; JSON where asked.

        `next_` is the command that comes next where the act itself knows of none.
        """
        after = self._unmistakable(written.entity, written.next) or next_
        if self.json:
            console.out_json(
                {
                    "written": written.sentence,
                    "entity": written.entity,
                    "changes": list(written.changes),
                    "unblocked": list(written.unblocked),
                    "next": after,
                    "counts": written.counts,
                }
            )
        elif show:
            console.out(show)
        parts = [written.sentence, *written.unblocked]
        if written.counts:
            parts.append(f"it {written.counts}" if written.counts.startswith("counts") else written.counts)
        console.talk(f"{'; '.join(parts)}. Next: {after}")


def handoff_word(project: Project, handoff: str) -> str:
    """Return the shortest words that mean this handoff: `churn@2`, or with its gate where several are going on."""
    from carnet_store import Usage

    found = project.handoff(handoff)
    if found is None:
        return handoff
    title = project.title(found.opened.model)
    try:
        if find_handoff(project, title) == handoff:
            return title
    except Usage:
        pass
    return f"{title}/{found.gate.id}"


def hidden(prompt: str) -> str:
    """Ask for a text that is not shown; the prompt goes to the terminal."""
    import getpass

    return getpass.getpass(prompt)


FINISHED: Final = ("passed", "abandoned")


def find_handoff(project: Project, text: str) -> str:
    """Return the id of the handoff meant; see `Session.handoff`."""
    from carnet_store import NotFound, Usage

    wanted = text.strip()
    title, _, gate = wanted.partition("/")
    if wanted.startswith("handoff:"):
        return project.resolve(wanted, "handoff")
    known = project.handoffs()
    titles = {h.id: project.title(h.opened.model) for h in known}
    found = [h for h in known if titles[h.id] == title] or [
        h for h in known if titles[h.id].partition("@")[0] == title or h.opened.model == title
    ]
    if gate:
        found = (
            [h for h in found if h.gate.id == gate]
            or [h for h in found if h.gate.id.removeprefix("starter-") == gate]
            or [h for h in found if h.gate.id.removeprefix("starter-").startswith(gate.removeprefix("starter-"))]
        )
    if not found and len(wanted) >= 4:
        found = [h for h in known if h.id.partition(":")[2].startswith(wanted)]
    if not found:
        near = get_close_matches(wanted, sorted(set(titles.values())), 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`carnet handoff list` shows them"
        if not known:
            hint = "carnet handoff open NAME@VERSION opens the first"
        raise NotFound(f"there is no handoff {wanted!r}", hint)
    if len(found) > 1:
        going = [h for h in found if project.look(h.id).status.verdict not in FINISHED]
        found = going if len(going) == 1 else found
    if len(found) > 1:
        lines = [f"{titles[h.id]}/{h.gate.id}  {h.id}" for h in found]
        raise Usage(f"{wanted!r} may mean {len(found)} handoffs", "name the gate too, or the id", lines)
    return found[0].id


def find_item(look: Look, text: str) -> Any:
    """Return the item meant by its id, or by an end or part of it that only one has.

    Raises:
        NotFound: there is none; near ones are named.
    """
    from carnet_store import NotFound

    wanted = text.strip().lower()
    items = look.checklist.items
    found = [i for i in items if i.id.lower() == wanted] or [
        i for i in items if i.id.lower().endswith(f".{wanted}") or i.id.lower().startswith(f"{wanted}.")
    ]
    if len(found) == 1:
        return found[0]
    near = [i.id for i in found] or get_close_matches(wanted, [i.id for i in items], 3, 0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "`carnet handoff show` lists its items"
    raise NotFound(f"this handoff does not ask {text!r}", hint)


def quoted(*words: str) -> str:
    """Return words as a shell takes them, for a command that somebody may paste."""
    return shlex.join(words)
