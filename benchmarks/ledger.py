"""How long the ledger takes, beside git and beside the limits of the machine, all in one run.

    python benchmarks/ledger.py [--size 10000] [--rounds 3] [--folder .]

Every figure is the median of the rounds. A ratio compares it with the figure named beside it, measured in the same run: git writing,
checking and carrying the same records as commits; a bare SQLite insert that is as durable; signatures checked by libsodium alone.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

import carnet_store.domain.lineage  # noqa: F401 (its kinds are what is recorded)
from carnet_store.core import canonical, keys
from carnet_store.core.event import Draft, Event, birth_entity
from carnet_store.core.keys import Signer
from carnet_store.domain import people as people_of
from carnet_store.storage.ledger import Ledger

CLOCK = 1_760_000_000_000
PERSON = Signer(hashlib.sha256(b"a person of the benchmark").digest())
CHAIN = Signer(hashlib.sha256(b"a store of the benchmark").digest())
MORE = 100

Times = dict[str, list[float]]


def timed(times: Times, name: str, work: Callable[[], Any]) -> Any:
    """Run `work`, note its seconds under `name`, return what it returned."""
    start = time.perf_counter()
    result = work()
    times.setdefault(name, []).append(time.perf_counter() - start)
    return result


# --- Carnet -----------------------------------------------------------------------------------------------------------


def first_changes() -> tuple[str, list[Draft]]:
    """Return the ledger id and the changes of event 0."""
    person = keys.person_id(PERSON.public)
    row = people_of.Person(name="Ana", keys=(PERSON.public.hex(),), roles=("researcher",))
    roster = people_of.Roster(
        admins=(person,), format=people_of.ROSTER_FORMAT, ledger="", parents=(), people={person: row}, purpose="roster.set",
        recovery=(), threshold=1, version=0,
    )  # fmt: skip
    genesis = people_of.Genesis(
        continues="", format=people_of.LEDGER_FORMAT, founder=PERSON.public.hex(), nonce="0" * 32, project="benchmark",
        purpose="ledger.founded", recovery=(), roster=roster,
    )  # fmt: skip
    payload = canonical.encode(msgspec.to_builtins(genesis))
    ledger = canonical.sha256_hex(payload)
    opening = people_of.Delegation(
        chain=CHAIN.public.hex(), device="here", key=PERSON.public.hex(), ledger=ledger, person=person,
        purpose="chain.opened", t=CLOCK,
    )  # fmt: skip
    given = canonical.encode(msgspec.to_builtins(opening))
    return ledger, [
        Draft(f"ledger:{ledger[:32]}", "ledger.founded!", "", signed(people_of.GENESIS, payload), "0" * 32),
        Draft(f"person:{person[:32]}", "chain.opened!", "", signed(people_of.DELEGATION, given), "1" * 32),
    ]


def signed(kind: str, payload: bytes) -> dict[str, Any]:
    return {"dsse": [keys.sign_envelope(PERSON, kind, payload).value()]}


def record(number: int) -> dict[str, Any]:
    """Return one record: a run with parameters and a metric."""
    return {
        "name": f"run-{number}", "attrs": {"command": "python train.py"}, "params": {"seed": str(number), "lr": "0.1"},
        "metrics": [{"name": "auc", "value": "0.8396"}],
    }  # fmt: skip


def drafts(start: int, count: int, each: int) -> Iterator[list[Draft]]:
    """Yield the changes of each event: `count` records from `start`, `each` in an event."""
    for first in range(start, start + count, each):
        batch = []
        for number in range(first, min(first + each, start + count)):
            value, salt = record(number), hashlib.sha256(b"%d" % number).hexdigest()[:32]
            commitment = canonical.commitment(salt, canonical.encode(value))
            entity = birth_entity("run", CHAIN.public.hex(), commitment)
            batch.append(Draft(entity, "entity.declared", "", value, salt))
        yield batch


def export(ledger: Ledger, path: Path, start: int = 0) -> None:
    """Write the lines from `start` on to a file, durably."""
    (head,) = ledger.heads()
    with path.open("wb") as out:
        for line in ledger.lines(head.no, start, head.seq):
            out.write(line)
            out.write(b"\n")
        out.flush()
        os.fsync(out.fileno())


def take(ledger: Ledger, path: Path) -> None:
    with path.open("rb") as lines:
        ledger.take_in([(CHAIN.public.hex(), (line.rstrip(b"\n") for line in lines))], commit=True)


def run_carnet(folder: Path, size: int, each: int, times: Times) -> None:
    ledger_id, first = first_changes()
    ours = Ledger(folder / "ours.db", create=True, ledger=ledger_id)
    theirs = Ledger(folder / "theirs.db", create=True, ledger=ledger_id)
    ours.append(CHAIN, first, CLOCK)
    batches = list(drafts(0, size, each))
    timed(times, "record", lambda: ours.append_many(CHAIN, batches, CLOCK))
    if faults := timed(times, "verify", lambda: ours.verify(tables=False)):
        raise SystemExit(f"the ledger does not verify: {faults}")
    if faults := timed(times, "verify tables", ours.verify):
        raise SystemExit(f"the ledger does not verify: {faults}")
    timed(times, "export", lambda: export(ours, folder / "all"))
    folding: Times = {}
    advance = theirs.projection.advance
    theirs.projection.advance = lambda progress=None: timed(folding, "fold", lambda: advance(progress))  # type: ignore[method-assign]
    timed(times, "import", lambda: take(theirs, folder / "all"))
    times.setdefault("fold", []).append(folding["fold"][0])
    times.setdefault("import, unfolded", []).append(times["import"][-1] - folding["fold"][0])
    del theirs.projection.advance
    timed(times, "rebuild", ours.rebuild)
    head = ours.heads()[0].seq
    ours.append_many(CHAIN, list(drafts(size, MORE, 1)), CLOCK)
    for ledger in (ours, theirs):
        ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    timed(times, "export more", lambda: export(ours, folder / "more", head + 1))
    timed(times, "import more", lambda: take(theirs, folder / "more"))
    if ours.projection.digest() != theirs.projection.digest():
        raise SystemExit("the two ledgers differ")
    ours.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for batch in drafts(size + MORE, 50, 1):
        timed(times, "one", functools.partial(one, ours, batch))
    ours.close()
    theirs.close()


def one(ledger: Ledger, changes: list[Draft]) -> Event:
    return ledger.append(CHAIN, changes, CLOCK)[0]


# --- git --------------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}
    name = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words], cwd=folder, input=given, capture_output=True, env=os.environ | settings | name
    )
    if done.returncode:
        raise SystemExit(f"git {' '.join(words)} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout


def commits(start: int, count: int, each: int, parent: str = "") -> bytes:
    """Return the records as a stream for fast-import, `each` in a commit, a file a record."""
    out = []
    for first in range(start, start + count, each):
        out.append(b"commit refs/heads/main\ncommitter a <a@example.org> 1760000000 +0000\ndata 1\nx\n")
        if parent:
            out.append(b"from %b\n" % parent.encode())
            parent = ""
        for number in range(first, min(first + each, start + count)):
            data = canonical.encode(record(number))
            out.append(b"M 100644 inline runs/%02x/%d\ndata %d\n%b\n" % (number % 256, number, len(data), data))
    return b"".join(out)


def run_git(folder: Path, size: int, each: int, times: Times) -> None:
    ours = folder / "ours"
    ours.mkdir()
    git(ours, "init", "-q", "-b", "main", ".")
    stream = commits(0, size, each)
    timed(times, "git record", lambda: git(ours, "fast-import", "--quiet", given=stream))
    timed(times, "git verify", lambda: git(ours, "fsck", "--full", "--no-progress"))
    timed(times, "git export", lambda: git(ours, "bundle", "create", "-q", str(folder / "all.bundle"), "main"))
    timed(
        times,
        "git import",
        lambda: git(folder, "clone", "-q", "--bare", str(folder / "all.bundle"), str(folder / "theirs")),
    )
    tip = git(ours, "rev-parse", "main").decode().strip()
    git(ours, "fast-import", "--quiet", given=commits(size, MORE, 1, tip))
    more = str(folder / "more.bundle")
    timed(times, "git export more", lambda: git(ours, "bundle", "create", "-q", more, f"{tip}..main"))
    timed(times, "git import more", lambda: git(folder / "theirs", "fetch", "-q", more, "main:more"))
    for number in range(10):
        (ours / "one").write_text(str(number))
        timed(times, "git one", lambda: commit_one(ours))


def commit_one(folder: Path) -> None:
    git(folder, "-c", "core.fsync=all", "add", "one")
    git(folder, "-c", "core.fsync=all", "commit", "-q", "-m", "x", "one")


# --- the limits of the machine ----------------------------------------------------------------------------------------


def run_limits(folder: Path, size: int, times: Times) -> None:
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, line BLOB)")
    line = os.urandom(700)
    for _ in range(50):
        timed(times, "bare insert", lambda: db.execute("INSERT INTO t(line) VALUES(?)", (line,)))
    db.close()
    message = os.urandom(400)
    signature = CHAIN.sign(message)
    batch = [(CHAIN.public, signature, message)] * min(size, 4000)
    if timed(times, "bare verify", lambda: keys.verify_many(batch)) is not None:
        raise SystemExit("libsodium refuses its own signature")
    times["bare verify"][-1] *= size / len(batch)


# --- the table --------------------------------------------------------------------------------------------------------

# What is measured, beside what, how many times as long it may take at most (100 changes an event; one change an event).
ROWS = (
    ("record", "git record", 2.0, 2.2),
    ("verify", "git verify", 2.0, None),
    ("verify", "bare verify", None, 1.5),
    ("verify tables", "git verify", None, None),
    ("export", "git export", 2.0, 1.0),
    ("import", "git import", None, None),
    ("import, unfolded", "git import", 2.0, None),
    ("import, unfolded", "bare verify", None, 1.5),
    ("export more", "git export more", 1.0, 1.0),
    ("import more", "git import more", 1.0, 1.0),
    ("one", "bare insert", 4.0, 4.0),
    ("one", "git one", 1.0, 1.0),
)


def show(times: Times, size: int, each: int) -> None:
    middle = {name: statistics.median(values) for name, values in times.items()}
    events = -(-size // each)
    print(f"\n{size:,} changes, {each} an event ({events:,} events); seconds, medians")
    print(f"{'':17} {'carnet':>10}   {'beside':16} {'':>10} {'ratio':>7} {'aim':>6}")
    for name, beside, many, single in ROWS:
        aim = many if each > 1 else single
        other = middle[beside] * (events / size if beside == "bare verify" else 1)
        ratio = middle[name] / other
        mark = "" if aim is None else "ok" if ratio <= aim else "over"
        print(f"{name:17} {middle[name]:10.4f}   {beside:16} {other:10.4f} {ratio:7.2f} {aim or '':>6} {mark}")
    for name, said in (("fold", "of the import (aim: 30)"), ("rebuild", "with reading the lines")):
        print(f"{name:17} {middle[name]:10.4f}   {middle[name] / size * 1e6:.1f} µs a change, {said}")
    print(f"{MORE} more events taken in: {middle['import more'] * 1e3:.1f} ms (aim: 50)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000, help="changes to record")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    parser.add_argument("--folder", help="on which disk to work (default: where temporary files go)")
    chosen = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors")
    for each in (100, 1):
        times: Times = {}
        for _ in range(chosen.rounds):
            folder = Path(tempfile.mkdtemp(prefix="carnet-benchmark-", dir=chosen.folder))
            try:
                for name, run in (("carnet", run_carnet), ("git", run_git)):
                    (folder / name).mkdir()
                    run(folder / name, chosen.size, each, times)
                run_limits(folder, chosen.size, times)
            finally:
                shutil.rmtree(folder)
        show(times, chosen.size, each)


if __name__ == "__main__":
    main()
