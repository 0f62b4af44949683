"""Taking in what other tools recorded, off the loop: a source read to a plan, the plan written, search made to follow.

A plan holds temporary files. Whoever leaves while it is read stops the reading, and whatever happens the plan is closed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from carnet_store import Desk
from carnet_store.errors import CarnetError, NotFound
from carnet_tui.screen import Route
from carnet_tui.text import clean

if TYPE_CHECKING:
    from carnet_store import Written
    from carnet_store.domain.filling import Proposal
    from carnet_store.exchange.capturing import CapturePlan
    from carnet_store.exchange.importers.things import Guess
    from carnet_tui.live import CarnetApp

SAID_EVERY = 0.2
"""Seconds between words on how far it has come."""
SEARCH_AFTER = 0.5
"""Seconds after which search is made to follow: what one goes to is read first."""
Progress = Callable[[str, int, int], None]


class Left(Exception):
    """The person left meanwhile, or the program ended: the work stops, nothing is written."""


class Reading:
    """A plan in the hands of one screen: read on another thread, closed when the screen goes."""

    def __init__(self) -> None:
        self.plan: CapturePlan | None = None
        self.left = False
        self._used = False
        self._lock = threading.Lock()

    def keep(self, plan: CapturePlan) -> None:
        """Keep a plan that was read; one that nobody waits for any more is closed."""
        with self._lock:
            if self.left:
                plan.close()
            else:
                self.plan = plan

    def use(self) -> None:
        """Keep the plan open while it is written, also when one leaves."""
        with self._lock:
            self._used = True

    def done(self) -> None:
        """Let go of a plan that was written; close it where one has left."""
        with self._lock:
            self._used = False
            if self.left:
                self._close()

    def leave(self) -> None:
        """Stop reading and close the plan, at once or when it is written."""
        with self._lock:
            self.left = True
            if not self._used:
                self._close()

    def _close(self) -> None:
        plan, self.plan = self.plan, None
        if plan is not None:
            plan.close()


def telling(app: CarnetApp, doing: str, stopped: Callable[[], bool]) -> Progress:
    """Return a progress function for work on another thread: `reading: 3,500 of mlflow …`; raises Left once `stopped`."""
    said = [0.0]

    def progress(what: str, done: int, total: int) -> None:
        if stopped():
            raise Left
        now = time.monotonic()
        if now - said[0] >= SAID_EVERY:
            said[0] = now
            of = f" of {total:,}" if total else ""
            app.say_from_thread(f"{doing}: {done:,}{of} {clean(what)} {app.glyphs.ellipsis}")

    return progress


@dataclass(frozen=True, slots=True)
class Read:
    """What reading came to: what was found where, or what was wrong. The plan itself is in the `Reading`."""

    guesses: Sequence[Guess] = ()
    error: CarnetError | None = None


def look(folder: Path) -> list[Guess]:
    """Return what a folder holds that Carnet reads. On another thread."""
    from carnet_store.starting import look_around

    return look_around(folder)


def read(app: CarnetApp, path: Path, into: Reading, ledger: str) -> Read:
    """Look what a path holds and read it to a plan, against a project (ledger id) or, where there is none yet, apart. On another thread."""
    from carnet_store.exchange.importers import IMPORTERS
    from carnet_store.exchange.importers.things import Source
    from carnet_store.starting import look_around

    try:
        if not path.exists():
            raise NotFound(f"there is no file or folder {path}", "esc goes back; `:` take in asks for another")
        found = look_around(path)
        if not found:
            raise NotFound(f"{path} holds nothing that Carnet reads", f"it reads: {', '.join(IMPORTERS)}")
        sources = [(one.kind, Source(path)) for one in found]
        hear = telling(app, "reading", lambda: into.left)
        if ledger:
            with app.desk.clone() as desk:
                into.keep(desk.capture_plan(desk.store.project(ledger), sources, hear))
        else:
            into.keep(Desk.capture_plan_apart(sources, hear))
    except Left:
        return Read()
    except CarnetError as error:
        return Read(error=error)
    return Read(found)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The handoff that what was taken in leads to: its id, the model's title, whether it was there before, what the record answers."""

    handoff: str
    title: str
    there: bool
    proposals: dict[str, Proposal]
    items: int


def write(app: CarnetApp, desk: Desk, ledger: str, plan: CapturePlan) -> Written | None:
    """Write what a plan shows; None where the record holds all of it. On another thread. Raises as `Desk.capture`."""
    if plan.nothing_new:
        return None
    with desk.clone() as at:
        return at.capture(at.store.project(ledger), plan, telling(app, "taking in", lambda: False))


def cross(desk: Desk, ledger: str) -> Crossing | None:
    """Open a handoff of the newest run that ended well, or find the one that goes on; None where there is no such run. On another thread.

    Raises:
        CarnetError: as `starting.open_from_run`.
    """
    from carnet_store.starting import crossing_of, last_run, open_from_run

    with desk.clone() as at:
        project = at.store.project(ledger)
        try:
            run = last_run(project)
        except NotFound:
            return None
        going = crossing_of(project, run)
        if going is not None:
            return Crossing(going.id, project.title(going.opened.model), True, {}, 0)
        opened = open_from_run(at, project, run)
        look = opened.look
        return Crossing(look.handoff.id, look.model.title, False, opened.proposals, len(look.checklist.items))


async def ask_where(app: CarnetApp) -> None:
    """Ask for a folder or file that other tools recorded in, and go to its plan."""
    from carnet_tui.widgets.path_prompt import PathPrompt

    folder = app.desk.store.root.parent if app.has_store else app.folder
    about = [
        "MLflow, DVC, git, notebooks, OpenLineage and others. It is only read; nothing is written before you have seen the plan.",
        f"Paths start at {clean(str(folder))}; a point is that folder itself.",
    ]
    typed = await app.push_screen_wait(
        PathPrompt("Take in what other tools recorded, where?", folder, glyphs=app.glyphs, value=".", about=about,
                   verb="look into it", folders=True)
    )  # fmt: skip
    if typed is not None:
        app.enter(Route("capture", (str(folder / Path(typed.strip()).expanduser()),)))


def follow_search(app: CarnetApp, ledger: str, then: Callable[[], None] | None = None) -> None:
    """Let search follow a project in the background, so that the first question does not pay for what was taken in; then do `then` on the loop.

    It has a thread of its own: what somebody asks meanwhile is not kept waiting behind it.
    """

    def progress(done: int, total: int) -> None:
        if not app.is_running:
            raise Left

    def call() -> None:
        try:
            with app.desk.clone() as desk:
                desk.store.searching.follow(desk.store.project(ledger), progress=progress)
        except (CarnetError, Left):  # the first question follows instead
            return
        if then is not None and app.is_running:
            with contextlib.suppress(RuntimeError):  # the app was left meanwhile
                app.call_from_thread(then)

    def start() -> None:
        if app.is_running and app.has_store:
            threading.Thread(target=call, name="carnet-search", daemon=True).start()

    app.set_timer(SEARCH_AFTER, start)
