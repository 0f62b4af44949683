"""The demo: a sample unpacked into a folder of its own, with its own keys and its own day, and the five steps to a passed gate.

What is unpacked is real: bundles that were made by playing the story, taken in by the same engine as any other. The keys of the invented
people are made from their names, so one person at one keyboard can be all of them; nothing outside the folder is read or written.

A demo's store says what it is in `.carnet/demo.json`. The pinned day counts only where the store holds the sample's ledger and nothing else:
a marker in any other store is ignored, so that nobody stops the clock of a real one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from carnet_store import Desk, GateStatus, ItemStatus, Project

MARKER: Final = "demo.json"
FORMAT: Final = "carnet-demo/1"
SAMPLE: Final = "churn-telco"
LEDGER: Final = "a4a2b6962734cadfa59e873cbfc3dffc8c697cc8879b6caabcef64cc20d15f99"
"""The sample's ledger id: the same at each build, compared by a test with the bundles."""
NOW: Final = 1_776_274_200_000  # 2026-04-15 17:30 UTC
WHO: Final = "Tomasz Wilk"
HOME: Final = "engineering"
REPLICAS: Final = {HOME: WHO, "research": "Ines Duarte", "operations": "Aiko Mori"}
"""The teams' replicas and as whom one begins at each."""
GATES: Final = ("starter-engineering-to-operations", "research-to-engineering")
"""The handoff that the demo opens on, and the one that is a key away."""
_COPIED: Final = ("README.md", "project", "runs")


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo's store says of itself: the pinned day (ms), as whom it begins, where its keys lie, its two handoffs."""

    root: Path
    now: int
    who: str
    keys: Path
    handoff: str
    second: str
    people: tuple[str, ...] = ()

    def clock(self) -> Callable[[], int]:
        """Return a clock that begins at the pinned time and goes on as time passes."""
        began = time.monotonic_ns()
        return lambda: self.now + (time.monotonic_ns() - began) // 1_000_000

    def environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for the front door: the demo's own keys; its first person where none of it is named."""
        named = environ.get("CARNET_ME", "").strip().casefold()
        here = bool(named) and any(name.casefold().startswith(named) for name in self.people)
        return {**environ, "CARNET_ME": environ["CARNET_ME"] if here else self.who, "CARNET_CONFIG": str(self.keys)}


def read_demo(root: Path) -> Demo | None:
    """Return what the store `root` (the `.carnet` folder) says of itself; None where it is no demo of the sample."""
    try:
        found = json.loads((root / MARKER).read_bytes())
        ledgers = [path.name for path in (root / "ledgers").iterdir() if path.suffix == ".db"]
        if found["format"] != FORMAT or ledgers != [f"{LEDGER}.db"]:
            return None
        texts = [str(found[key]) for key in ("who", "keys", "handoff", "second")]
        if texts[1] not in ("keys", "../keys"):  # a marker never points at anybody's real keys
            return None
        people = tuple(str(name) for name in found["people"])
        return Demo(root, int(found["now"]), texts[0], (root.parent / texts[1]).resolve(), texts[2], texts[3], people)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_demo(demo: Demo, *, who: str | None = None, environ: Mapping[str, str] | None = None) -> Desk:
    """Open a demo's store at its own day with its own keys, as `who` or the person that it begins with."""
    from carnet_store import Desk

    around = demo.environ(os.environ if environ is None else environ)
    return Desk.open(demo.root, who=who or demo.who, environ=around, clock=demo.clock())


# -- unpacking ---------------------------------------------------------------------------------------------------------


def sample_folder() -> Path:
    """Return where the sample lies: within the installed package, or beside it in a checkout.

    Raises:
        NotFound: in neither.
    """
    from carnet_store import NotFound

    here = Path(__file__).resolve().parent
    for folder in (here / "sample_projects" / SAMPLE, here.parents[1] / "sample_projects" / SAMPLE):
        if (folder / "built").is_dir():
            return folder
    raise NotFound("the sample is not part of this installation", "install carnet from its wheel, or use a checkout")


def default_folder() -> Path:
    """Return where the demo is unpacked when nobody says where: in the user's folder for data."""
    from platformdirs import user_data_path

    return user_data_path("carnet", appauthor=False) / "demo"


def unpack(folder: Path) -> Demo:
    """Unpack the sample into `folder`, which must be new or empty; appears whole or not at all.

    Engineering's replica is the folder's own store; research's and operations' lie in folders below. `finished/` holds the
    whole story as a bundle for auditors, `project/` and `runs/` the scripts and what they measured.

    Raises:
        Refused: the folder is not empty. NotFound: the sample is not installed. Invalid: the folder cannot be written.
    """
    import tempfile

    from carnet_store import Invalid, Refused

    if folder.is_dir() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty; nothing was unpacked", "carnet demo --to DIR with a new folder")
    sample = sample_folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".carnet-demo-", dir=folder.parent) as temporary:
            made = Path(temporary) / "demo"
            made.mkdir()
            _fill(made, sample)
            if folder.is_dir():
                folder.rmdir()
            made.rename(folder)
    except OSError as error:
        raise Invalid(f"{folder} cannot be written: {error.strerror or error}", "carnet demo --to DIR") from None
    found = read_demo(folder / ".carnet")
    if found is None:
        raise Invalid(f"{folder} holds no demo after unpacking", "remove it and repeat")
    return found


def _fill(made: Path, sample: Path) -> None:
    import shutil

    from carnet_store import Desk
    from carnet_store.work.identity import Keyring

    for name in _COPIED:
        source = sample / name
        if source.is_dir():
            shutil.copytree(source, made / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, made / name)
    (made / "finished").mkdir()
    shutil.copyfile(sample / "built" / f"{SAMPLE}.carnet.zip", made / "finished" / f"{SAMPLE}.carnet.zip")
    keys = made / "keys"
    for team, who in REPLICAS.items():
        place = made if team == HOME else made / team
        place.mkdir(exist_ok=True)
        with Desk.with_keyring(place, Keyring(keys), clock=lambda: NOW) as desk:
            desk.accept(sample / "built" / "demo" / f"{team}.carnet.zip", trust=LEDGER)
            project = desk.project()
            if team == HOME:
                make_keys(keys, project)
            desk.me = desk.keyring.choose(who)
            desk.inbox()  # the rows that the first frame is painted from
            people = sorted(row.name for row in project.members().people.values())
            handoffs = {h.gate.id: h.id for h in project.handoffs()}
        values = {
            "format": FORMAT,
            "handoff": handoffs.get(GATES[0], ""),
            "keys": "keys" if team == HOME else "../keys",
            "now": NOW,
            "people": people,
            "sample": SAMPLE,
            "second": handoffs.get(GATES[1], ""),
            "team": team,
            "who": who,
        }
        (place / ".carnet" / MARKER).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def make_keys(folder: Path, project: Project) -> None:
    """Make the keys of the sample's people, who are invented and whose keys anybody can make, in a folder of their own.

    Raises:
        Untrusted: a member's key is not the one made from the name: that project is no sample.
    """
    import hashlib

    from carnet_store import Untrusted
    from carnet_store.work.identity import Keyring

    for row in project.members().people.values():
        secret = hashlib.sha256(f"carnet-sample:{row.name}".encode()).digest()
        made = Keyring(folder, entropy=lambda _size, secret=secret: secret).new(row.name, row.mail)  # type: ignore[misc]
        if made.public.hex() not in row.keys:
            raise Untrusted(f"{row.name} of {project.name} is nobody of a sample", "unpack the sample anew")


# -- the five steps ----------------------------------------------------------------------------------------------------


def demo_steps(desk: Desk) -> list[tuple[str, bool]]:
    """Return the demo's five steps, a word or two each, and whether each is done: read from the record at every call."""
    return [(word, done) for word, _, done in guide(desk)]


def guide(desk: Desk) -> list[tuple[str, str, bool]]:
    """Return the five steps as (word, what to do and by whom, done); empty where the store is no demo."""
    found = read_demo(desk.store.root)
    if found is None:
        return []
    project = desk.store.project(LEDGER)
    look = project.look(found.handoff)
    status = look.status
    conflicts = [i.item.id for i in status.items if i.state == "conflict"]
    waits = [i for i in status.items if not i.settled and i.state != "conflict"]
    stale = [s.change.person for row in status.rows for s in row.stale]
    missing = [p for row in status.rows if row.missing and not row.stale for p in row.could]
    passed = status.verdict == "passed"
    sent = next((b for b in _bundles(desk) if passed and _carries(b, status)), None)

    def names(persons: list[str]) -> str:
        return ", ".join(dict.fromkeys(project.person_name(p) for p in persons))

    def turn(one: ItemStatus) -> str:
        waiving = names(list(project.members().holders(one.item.waiver_by))) if one.state == "open" else ""
        return f"{one.item.id} ({one.turn.replace('_', ' ')}{f', or waived by {waiving}' if waiving else ''})"

    todo = [turn(i) for i in waits]
    steps = [
        ("settle", f"settle the conflict: {', '.join(conflicts) or 'none is left'}  [x]", not conflicts),
        ("review", f"review, answer or waive: {', '.join(todo) or 'nothing is left'}  [r, w]", not waits and not conflicts),
        ("re-sign", f"sign again what went stale: {names(stale) or 'nothing is stale'}  [@, s]", not stale),
        ("sign", f"sign the gate: {names(missing) or 'nobody else is asked'}  [@, s]", passed),
        ("export", "export a bundle; all that is in it is verified" + (f": {sent.path.name}" if sent else "  [6]"), sent is not None),
    ]  # fmt: skip
    return steps


@dataclass(frozen=True, slots=True)
class _Checked:
    """A bundle file of the sample that was verified as it lies there."""

    path: Path
    heads: Mapping[str, str]


_checked: dict[tuple[str, int, int], _Checked | None] = {}


def _bundles(desk: Desk) -> list[_Checked]:
    """Return the bundles of the sample that lie beside the store, each verified wholly (once, as long as it is the same)."""
    root = desk.store.root
    folders = (root.parent, root / "outbox", root.parent / "outbox", Path.cwd())
    found = []
    for path in sorted({p.resolve() for folder in folders if folder.is_dir() for p in folder.glob("*.carnet.zip")}):
        try:
            stat = path.stat()
        except OSError:
            continue
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        if key not in _checked:
            _checked[key] = _check(path)
        one = _checked[key]
        if one is not None:
            found.append(one)
    return found


def _check(path: Path) -> _Checked | None:
    from carnet_store import CarnetError, Desk
    from carnet_store.exchange.bundle import open_bundle

    try:
        with open_bundle(path) as opened:
            if opened.ledger != LEDGER or opened.manifest.base:
                return None
            heads = dict(opened.manifest.heads)
        Desk.inspect_file(path)
    except (CarnetError, OSError):
        return None
    return _Checked(path, heads)


def _carries(bundle: _Checked, status: GateStatus) -> bool:
    """Say whether a bundle has every sign-off by which the gate is passed."""
    signed = [s.change for row in status.rows for s in row.signed]
    return bool(signed) and all(int(bundle.heads.get(c.chain, "-1:").partition(":")[0]) >= c.seq for c in signed)


# -- the command -------------------------------------------------------------------------------------------------------


def run(to: Path | None, start_tui: bool) -> int:
    """Unpack the demo, or go on with the one that is there, and open the TUI on it; return the exit code."""
    from carnet_tui import console

    folder = to or default_folder()
    demo = read_demo(folder / ".carnet")
    if demo is None:
        with console.progress("unpacking") as told:
            told("the sample", 0, 0)
            demo = unpack(folder)
        console.talk(
            f"Unpacked the sample {SAMPLE} into {folder}. People and days are invented; keys lie in its own folder."
        )
    else:
        console.talk(f"Going on with the demo in {folder}. Remove that folder to begin anew.")
    with open_demo(demo) as desk:
        if start_tui and sys.stdin.isatty() and sys.stdout.isatty():
            return _screens(desk)
        console.out(f"DEMO as {demo.who}, {console.day(demo.now)}: {desk.project(LEDGER).title(demo.handoff)}")
        for number, (_, text, done) in enumerate(guide(desk), 1):
            console.out(f"  {number} {'done' if done else 'open'}  {text}")
        console.talk(f"Next: carnet demo --to {folder}, at a terminal")
    return 0


def _screens(desk: Desk) -> int:
    from carnet_tui import app

    start: Any = app.run
    return int(start(desk=desk) or 0)
