"""The live app: a desk, the screens by name, writing with a passphrase asked for, who one is, and the demo's line."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from carnet_store import Desk, Store
from carnet_store.errors import CarnetError, NotFound
from carnet_store.work.identity import Identity, PassphraseNeeded, WrongPassphrase
from carnet_tui.base import CarnetBase
from carnet_tui.first_frame import FirstFrame
from carnet_tui.glyphs import Glyphs
from carnet_tui.screen import CarnetScreen, Path, Route
from carnet_tui.text import clean
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import Acts, Project, Written
    from carnet_tui.demo import Demo
    from carnet_tui.proposing import Heard

SCREENS: dict[str, tuple[str, str]] = {
    "welcome": ("welcome", "WelcomeScreen"),
    "inbox": ("inbox", "InboxScreen"),
    "models": ("models", "ModelsScreen"),
    "handoff": ("handoff", "HandoffScreen"),
    "item": ("item", "ItemScreen"),
    "review": ("review", "ReviewScreen"),
    "lineage": ("lineage", "LineageScreen"),
    "why": ("lineage_answers", "WhyScreen"),
    "column": ("lineage_answers", "ColumnScreen"),
    "impact": ("lineage_answers", "ImpactScreen"),
    "compare": ("lineage_answers", "CompareScreen"),
    "decisions": ("decisions", "DecisionsScreen"),
    "decision": ("decisions", "DecisionScreen"),
    "question": ("decisions", "QuestionScreen"),
    "timeline": ("timeline", "TimelineScreen"),
    "exchange": ("exchange", "ExchangeScreen"),
    "import": ("import_plan", "ImportScreen"),
    "capture": ("capture_plan", "CaptureScreen"),
    "conflict": ("conflict", "ConflictScreen"),
    "people": ("people", "PeopleScreen"),
    "catalogue": ("catalogue", "CatalogueScreen"),
    "notebook": ("notebook", "NotebookScreen"),
}
"""Route -> (module of `carnet_tui.screens`, class). A screen is imported when somebody goes there."""

STORELESS = ("welcome", "import", "capture")
"""Screens that work where there is no store yet."""
INBOX: Path = (Route("inbox"),)
DEMO = "demo.json"
"""In a demo's store: what day it is there."""
REPLICA = "replica "
SAID_FOR = 1.0
"""Seconds for which a sentence goes along to the next screen: it was said by what led there."""
LOOK_AGAIN = 2.0
"""Seconds between looks at whether another process wrote to the store."""


class CarnetApp(CarnetBase):
    """Carnet on a terminal."""

    def __init__(
        self,
        desk: Desk | None,
        *,
        glyphs: Glyphs,
        start: Path = INBOX,
        folder: FilePath | None = None,
        theme_name: str = "",
        frame: FirstFrame | None = None,
        who: str | None = None,
    ) -> None:
        """Work at `desk`; without one the welcome screen or a bundle's plan opens, and a store would be made beside `folder` by `who`."""
        self._desk = desk
        self._projects: list[Project] = []
        self._own = False
        self.folder = folder or FilePath.cwd()
        self.who = who or ""
        self.intent = ""
        """What the screen one goes to shall do at once: `sign`; `take_proposals` is only gone to, not done."""
        self.next = ""
        """What to do once the app has ended: `demo`."""
        self.demo: Demo | None = None
        self._said = 0.0
        self.marked = ""
        """The node that `m` marked, to compare or to connect with another."""
        self.guide = ""
        """What a demo asks for next, in words."""
        self.heard: dict[str, Heard] = {}
        """What the record says to handoffs, as heard last (`proposing`)."""
        super().__init__(
            glyphs=glyphs,
            theme_name=theme_name,
            frame=frame,
            start=start if desk is not None or all(one.name in STORELESS for one in start) else (Route("welcome"),),
        )
        self.refresh_facts()

    # The desk

    @property
    def desk(self) -> Desk:
        """The store and who one is.

        Raises:
            NotFound: there is no store yet (only the welcome screen is shown then).
        """
        if self._desk is None:
            raise NotFound("there is no store here yet", "the welcome screen makes one")
        return self._desk

    @property
    def has_store(self) -> bool:
        """Whether there is a store to work in."""
        return self._desk is not None

    @property
    def project(self) -> Project:
        """The project at hand: the one last gone to, at first the first by name.

        Raises:
            NotFound: the store has no project yet.
        """
        if not self._projects:
            self._projects = [self.desk.store.project(row.id) for row in self.desk.projects()]
        if not self._projects:
            raise NotFound("this store has no project yet", "n founds one; 6 opens a bundle")
        return self._projects[0]

    def use_project(self, ledger: str) -> None:
        """Make this the project at hand."""
        if ledger != self.project.id:
            chosen = self.desk.store.project(ledger)
            self._projects = [chosen, *(one for one in self._projects if one.id != ledger)]
            self.refresh_facts()

    def project_of(self, entity: str) -> Project:
        """Return the project that knows an entity, the one at hand first; the one at hand where none does."""
        here = self.project
        if not here.row(entity).t:
            for other in self._projects[1:]:
                if other.row(entity).t:
                    return other
        return here

    def set_desk(self, desk: Desk, path: Path) -> None:
        """Go on with this desk, as after founding or opening a store."""
        self._desk, self._projects, self._own = desk, [], True
        self.refresh_facts()
        same = path == self.path
        self.visit(path)
        here = self.here
        if same and here is not None:
            here.refresh_data()
            here.refresh_chrome()

    def on_unmount(self) -> None:
        """Close the desk if the app opened it."""
        super().on_unmount()
        if self._own and self._desk is not None:
            self._desk.close()

    def refresh_facts(self) -> None:
        """Say anew what the furniture shows on every screen."""
        facts = self.facts
        if self._desk is None:
            facts.crumb, facts.who, facts.demo, facts.steps = "", "", "", ()
            return
        facts.crumb, facts.who = crumb_and_who(self._desk, self._projects[0] if self._projects else None)
        self.demo = demo_of(self._desk)
        if self.demo is None:
            facts.demo, facts.steps = "", ()
            return
        from carnet_tui.demo import guide

        who = clean(self._desk.me.name) if self._desk.me else "nobody yet"
        facts.demo = f"as {who}, {words.day(self.demo.now)}"
        steps = guide(self._desk)
        first = next((number for number, step in enumerate(steps) if not step[2]), len(steps))
        states = ("done", "ready", "open")
        facts.steps = tuple(
            (clean(word), "done" if done else states[1 if number == first else 2])
            for number, (word, _, done) in enumerate(steps)
        )
        self.guide = f"Next: {clean(steps[first][1])}" if first < len(steps) else "The demo is done: every step is."
        if not facts.status:
            facts.status = self.guide

    # Writing

    async def write(self, project: Project, act: Callable[[Acts], Written]) -> Written | None:
        """Do an act; ask for the passphrase where the person's key needs it; say what was written and what follows.

        Returns None where nothing was written; then the reason was shown.
        """
        wrong = False
        while True:
            try:
                written = act(self.desk.acts(project))
            except WrongPassphrase:
                wrong = True
            except PassphraseNeeded:
                pass
            except CarnetError as error:
                self.show_error(error)
                return None
            else:
                break
            if not await self.unlock(wrong=wrong):
                return None
        self.say(sentence(written))
        self.refresh_facts()
        here = self.here
        if here is not None:
            here.refresh_data()
            here.refresh_chrome()
        return written

    async def unlock(self, *, wrong: bool = False) -> bool:
        """Ask for the passphrase of one's own key until it opens; False when the person left."""
        from carnet_tui.widgets.passphrase import PassphraseSheet

        me = self.desk.i()
        while True:
            typed = await self.push_screen_wait(PassphraseSheet(clean(me.name), glyphs=self.glyphs, wrong=wrong))
            if typed is None:
                self.say("Nothing was written.")
                return False
            try:
                self.desk.keyring.unlock(me, typed)
            except WrongPassphrase:
                wrong = True
                continue
            return True

    def drafts(self) -> str:
        """Return a sentence on what was answered and not submitted, or typed and not written."""
        if self._desk is None or self._desk.me is None:
            return ""
        number = 0
        for row in self._desk.projects():
            number += len(self._desk.acts(self._desk.store.project(row.id)).drafts())
        return f"{words.count(number, 'draft is', 'drafts are')} not submitted." if number else ""

    # Going

    def route(self, route: Route) -> CarnetScreen:
        """Return a new screen for a route."""
        module, name = SCREENS[route.name]
        made: CarnetScreen = getattr(importlib.import_module(f"carnet_tui.screens.{module}"), name)(*route.about)
        return made

    def visit(self, path: Path) -> None:
        """Go somewhere, unless that place does not exist here."""
        for route in path:
            where = SCREENS.get(route.name)
            if where is None or importlib.util.find_spec(f"carnet_tui.screens.{where[0]}") is None:
                self.say("That is not part of this release.")
                return
        if time.monotonic() - self._said > SAID_FOR:  # what was said before is about the screen one leaves
            self.facts.status = self.guide
        if self._desk is None and any(route.name not in STORELESS for route in path):
            begin = (
                "choose here how to begin" if self.path[-1].name == "welcome" else "Enter makes one and takes this in"
            )
            self.say(f"There is no store here yet: {begin}.")
            return
        super().visit(path)

    def say(self, sentence: str) -> None:
        """Put a result into the status line; it stays while one is on this screen."""
        self._said = time.monotonic()
        super().say(sentence)

    @property
    def can_search(self) -> bool:
        """Whether a project is open."""
        return self._desk is not None and bool(self._projects or self._desk.projects())

    def search(self, text: str) -> None:
        """Look for a text in all that is recorded, where one finds anything: in the lineage."""
        from carnet_tui.screens.lineage import LineageScreen

        if self.path[-1].name != "lineage":
            self.visit((Route("lineage"),))
        here = self.here
        if isinstance(here, LineageScreen):
            here.call_after_refresh(here.find, text)

    def codes(self, typed: str) -> Sequence[tuple[str, str, Path]]:
        """Return (name, what it is, path) of handoffs, decisions, questions and entities that fit what was typed."""
        if self._desk is None:
            return ()
        project, wanted = self.project, typed.casefold()
        found: list[tuple[str, str, Path]] = []
        for handoff in project.handoffs():
            title = project.row(handoff.opened.model).title
            if wanted in title.casefold():
                what = f"handoff, {words.crossing(handoff.opened.from_stage, handoff.opened.to_stage)}"
                found.append((title, what, (Route("inbox"), Route("handoff", (handoff.id,)))))
        for kind, ids in (
            ("decision", [(d.id, d.decision.choice) for d in project.decisions()]),
            ("question", [(q.id, q.question.text) for q in project.questions()]),
        ):
            for entity, text in ids:
                code = project.code(entity)
                if wanted in code.casefold() or wanted in text.casefold():
                    found.append((code, text, (Route("decisions"), Route(kind, (entity,)))))
        from carnet_tui.screens import opening

        for row in project.entities(text=typed, limit=20):
            found.append((row.title, row.kind, opening.path(project, row.id)))
        return found

    # Who one is

    def do_identity(self) -> None:
        """Show the identities at hand and become the chosen one."""
        self.run_worker(self._choose_identity(), exclusive=True, group="flow")

    async def _choose_identity(self) -> None:
        from carnet_tui.widgets.dialogs import Picker

        if self._desk is None:
            self.say("There is nobody to be yet: the welcome screen makes an identity.")
            return
        known = self._desk.keyring.identities()
        me = self._desk.me
        rows = [
            (one.public.hex(), clean(one.name), "you are this" if me and one.public == me.public else clean(one.mail))
            for one in known
        ]
        rows += self._replicas()
        chosen = await self.push_screen_wait(Picker("Who are you?", rows, glyphs=self.glyphs, verb="be this one"))
        if chosen is None:
            return
        if chosen[0].startswith(REPLICA):
            self._look_at(FilePath(chosen[0].removeprefix(REPLICA)))
        else:
            self.become(next(one for one in known if one.public.hex() == chosen[0]))

    def _replicas(self) -> list[tuple[str, str, str]]:
        """Return the other replicas of a demo."""
        if self.demo is None:
            return []
        from carnet_tui.demo import HOME, REPLICAS

        here = self.demo.root
        top = self.demo.keys.parent
        rows = []
        for team in REPLICAS:
            root = (top if team == HOME else top / team) / here.name
            if root.is_dir() and root.resolve() != here.resolve():
                rows.append((f"{REPLICA}{root}", f"the store of {team}", "look at their replica"))
        return rows

    def _look_at(self, root: FilePath) -> None:
        """Go on with another replica of the demo, as the same person."""
        from carnet_tui.demo import open_demo, read_demo

        found, me, old = read_demo(root), self.desk.me, self._desk if self._own else None
        if found is not None:
            desk = open_demo(found, who=me.name if me else None)
            self.facts.status = ""
            self.set_desk(desk, INBOX)
            if old is not None:
                old.close()

    def become(self, identity: Identity) -> None:
        """Act as this one from here on."""
        self.desk.become(identity)
        self.refresh_facts()
        self.say(f"You are {clean(identity.name)} now.")
        here = self.here
        if here is not None:
            here.refresh_data()
            here.refresh_chrome()

    def do_people(self) -> None:
        """Show who belongs to the project."""
        self.enter(Route("people"))

    def do_capture(self) -> None:
        """Ask where other tools recorded something, and show the plan of taking it in."""
        from carnet_tui.taking_in import ask_where

        self.run_worker(ask_where(self), exclusive=True, group="flow")

    def do_lock(self) -> None:
        """Forget every passphrase."""
        self.desk.keyring.lock()
        self.say("Locked: the next signature asks for the passphrase.")

    # Another process may write too

    def on_mount(self) -> None:
        """Look now and then whether the record grew."""
        super().on_mount()
        self._seen = self._count()
        self.set_interval(LOOK_AGAIN, self._look_again)

    def _count(self) -> int:
        try:
            return self.project.ledger.count() if self._desk is not None else 0
        except CarnetError:
            return 0

    def _look_again(self) -> None:
        now = self._count()
        if now != self._seen:
            self._seen = now
            here = self.here
            if here is not None and here is self.screen:
                here.refresh_data()
                here.refresh_chrome()


def sentence(written: Written) -> str:
    """Return what was written, what it set in motion, and whether it counts yet, as one cleaned sentence."""
    parts = [written.sentence, *written.unblocked]
    if written.counts:
        parts.append(f"it does not count yet: {written.counts}")
    return clean("; ".join(parts)) + "."


def crumb_and_who(desk: Desk, project: Project | None = None) -> tuple[str, str]:
    """Return what the header says: the project's name, and `Ana@research`; cleaned."""
    if project is None:
        rows = desk.projects()
        if not rows:
            return "", clean(desk.me.name) if desk.me else ""
        project = desk.store.project(rows[0].id)
    who = ""
    if desk.me is not None:
        row = project.members().people.get(desk.me.person)
        name, team = (row.name, row.team) if row else (desk.me.name, "")
        who = clean(f"{name}@{team}" if team else name)
    return clean(project.name), who


def demo_of(desk: Desk) -> Demo | None:
    """Return what a demo's store says of itself; None for every other store."""
    if not (desk.store.root / DEMO).is_file():
        return None
    from carnet_tui.demo import read_demo

    return read_demo(desk.store.root)


def open_and_run(
    start: FilePath | None, *, desk: Desk | None, who: str | None, bundle: FilePath | None, glyphs: Glyphs,
    review: str = "", handoff: str = "", frame: FirstFrame | None = None,
) -> int:  # fmt: skip
    """Open the desk where none is given, run the app, close what was opened; return the exit code."""
    opened = None
    if desk is None:
        try:
            desk = opened = open_desk(start, who)
        except NotFound:
            if (who is not None and bundle is None) or Store.find(start or FilePath.cwd()) is not None:
                raise  # there is a store; it is somebody who was not found
    app = CarnetApp(
        desk, glyphs=glyphs, start=start_path(desk, bundle, review, handoff), folder=start, frame=frame, who=who
    )
    app.intent = "take_proposals" if handoff else ""
    try:
        code = app.run_guarded()
    finally:
        if opened is not None:
            opened.close()
    if app.next == "demo":
        from carnet_tui.demo import run

        return run(None, True)
    return code


def open_desk(start: FilePath | None, who: str | None) -> Desk:
    """Open the nearest store; a demo's with its own keys and day."""
    desk = Desk.open(start=start)
    demo = demo_of(desk)
    if demo is not None:
        from carnet_tui.demo import open_demo

        desk.close()
        return open_demo(demo, who=who)
    if who is not None:
        desk.become(desk.keyring.choose(who))
    return desk


def start_path(desk: Desk | None, bundle: FilePath | None, review: str = "", handoff: str = "") -> Path:
    """Return where to begin: the inbox, a handoff, its review, or a bundle's plan."""
    if review and desk is not None:
        return (Route("inbox"), Route("handoff", (review,)), Route("review", (review,)))
    if handoff and desk is not None:
        return (Route("inbox"), Route("handoff", (handoff,)))
    if bundle is not None:
        plan = Route("import", (str(bundle),))
        return (plan,) if desk is None else (Route("exchange"), plan)
    return INBOX
