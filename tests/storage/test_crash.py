"""What survives: kill -9, many writers, a full disk, a folder that a file-sync tool merged.

The writers are processes of their own; each acknowledges on its standard output after the append returned.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carnet_store.errors import CarnetError
from carnet_store.storage.ledger import Ledger

if TYPE_CHECKING:
    from tests.conftest import Replica, World

WRITER = """
import sys, time
from pathlib import Path
from carnet_store.core.event import Draft
from carnet_store.core.keys import Signer
from carnet_store.errors import Busy
from carnet_store.storage.ledger import Ledger
path, seed, count, limit = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
signer = Signer(seed)
ledger = Ledger(path)
entity = "ledger:" + ledger.id[:32]
print("ready", flush=True)
for number in range(count):
    salt = f"{number:032x}"
    draft = Draft(entity, "comment.added", "", {"text": f"{number} " + "x" * (number % 7) * 300}, salt)
    try:
        event, _ = ledger.append(signer, [draft], int(time.time() * 1000))
    except Busy:
        print("busy", flush=True)
        continue
    except Exception as error:
        print("error", type(error).__name__, str(error).replace(chr(10), " "), flush=True)
        break
    print(event.id, flush=True)
"""

IMPORTER = """
import sys
from pathlib import Path
from carnet_store.storage.ledger import Ledger
source, target = Ledger(Path(sys.argv[1])), Ledger(Path(sys.argv[2]))
segments = [(h.key, list(source.lines(h.no, h.start, h.seq))) for h in source.heads()]
print("ready", flush=True)
target.take_in(segments, commit=True)
print("done", flush=True)
"""

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and limits are POSIX")


def start(script: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def seed(name: str) -> str:
    return hashlib.sha256(f"test key of {name}".encode()).hexdigest()


def kill_after(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """Wait until the process is ready, then a while, kill it; return what it acknowledged."""
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate()
    return out.splitlines(keepends=True)


def kill_loop(ana: Replica, rounds: int) -> int:
    chance, acknowledged = random.Random(rounds), set()
    for _ in range(rounds):
        lines = kill_after(start(WRITER, ana.path, seed("ana on laptop"), 100_000, 0), chance.uniform(0.005, 0.08))
        acknowledged |= {line.strip() for line in lines if len(line) == 65 and line.endswith("\n")}
        again = Ledger(ana.path)
        assert all(again.event(one) for one in acknowledged), "an acknowledged event is gone"
        assert again.verify() == []
        again.close()
    return len(acknowledged)


@needs_posix
def test_killed_writer_loses_nothing_acknowledged(world: World) -> None:
    """THREATS 1, R030: kill -9 at any moment; it opens again, whole."""
    assert kill_loop(world.found("ana"), 8) > 0


@needs_posix
@pytest.mark.slow
@pytest.mark.thorough
def test_killed_writer_loses_nothing_acknowledged_often(world: World) -> None:
    """THREATS 1: a longer run of the same."""
    assert kill_loop(world.found("ana"), 80) > 0


@needs_posix
def test_killed_import_is_whole_or_nothing(world: World) -> None:
    """THREATS 2."""
    ana = world.found("ana")
    draft = [ana.draft(world.entity, "comment.added", {"text": "x"}) for _ in range(20)]
    ana.ledger.append_many(ana.chain, [draft] * 300, world.tick())
    chance = random.Random(2)
    outcomes = set()
    for number in range(8):
        target = world.folder / f"target{number}.db"
        Ledger(target, create=True, ledger=world.id).close()
        kill_after(start(IMPORTER, ana.path, target), chance.uniform(0.0, 0.5))
        again = Ledger(target)
        outcomes.add(again.count())
        assert again.verify() == []
        again.take_in(ana.segments(), commit=True)
        assert again.projection.digest() == ana.digest()
        again.close()
    assert outcomes <= {0, ana.ledger.count()}


@needs_posix
@pytest.mark.parametrize("one_chain", [True, False])
def test_eight_writers_at_once(world: World, one_chain: bool) -> None:
    """THREATS 5, R031: all succeed or say that it is busy; nothing is lost, nothing forks."""
    ana = world.found("ana")
    names = ["ana on laptop" if one_chain else f"ana on store {n}" for n in range(8)]
    writers = [start(WRITER, ana.path, seed(name), 12, 0) for name in names]
    told = [line for writer in writers for line in writer.communicate()[0].split("\n") if line and line != "ready"]
    written = [line for line in told if len(line) == 64]
    assert set(told) - set(written) <= {"busy"}
    assert len(told) == 96
    again = Ledger(ana.path)
    assert len(set(written)) == len(written) == again.count() - 1
    assert all(again.event(one) for one in written)
    assert not any(head.branch for head in again.heads())
    assert again.verify() == []
    again.close()


@needs_posix
def test_writers_and_a_rebuild_at_once(world: World) -> None:
    """One process makes the tables anew while others write: their remembered numbers do not outlive it."""
    ana = world.found("ana")
    writers = [start(WRITER, ana.path, seed(f"ana on store {n}"), 15, 0) for n in range(3)]
    for _ in range(6):
        ana.ledger.rebuild()
    for writer in writers:
        writer.communicate()
    assert ana.ledger.verify() == []


@needs_posix
def test_full_disk_keeps_what_was_acknowledged(world: World) -> None:
    """THREATS 4: the file may grow no further; the writer says so, and everything before is there."""
    ana = world.found("ana")
    writer = start(WRITER, ana.path, seed("ana on laptop"), 100_000, 400_000)
    out, err = writer.communicate()
    lines = out.split("\n")
    (told,) = (line for line in lines if line.startswith("error"))
    assert "Traceback" not in err
    assert told.split()[1] == "Invalid"
    again = Ledger(ana.path)
    acknowledged = [line for line in lines if len(line) == 64]
    assert acknowledged and all(again.event(one) for one in acknowledged)
    assert again.verify() == []
    ana.comment(world.entity, "room again")
    assert again.verify() == []
    again.close()


@pytest.mark.parametrize(
    "mix", ["theirs with my log", "my file with their log", "their file alone", "file without its log"]
)
def test_folder_merged_by_a_file_sync_tool(world: World, mix: str) -> None:
    """Two machines wrote to copies of one folder and a tool merged file by file: it opens, or says what is wrong; exchange heals it."""
    ana = world.found("ana")
    ana.comment(world.entity, "both have this")
    ana.ledger.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    here, there, merged = (world.folder / name for name in ("here", "there", "merged"))
    for folder in (here, there, merged):
        folder.mkdir()
        shutil.copy(ana.path, folder / "a.db")
    for folder, text in ((here, "mine"), (there, "theirs")):
        store = Ledger(folder / "a.db")
        for number in range(40):
            store.append(
                ana.chain, [ana.draft(world.entity, "comment.added", {"text": f"{text} {number}"})], world.tick()
            )
        for name in ("a.db", "a.db-wal"):
            shutil.copy(folder / name, folder / f"copy-{name}")
        store.close()
    files = {
        "theirs with my log": (there / "copy-a.db", here / "copy-a.db-wal"), "my file with their log": (here / "copy-a.db", there / "copy-a.db-wal"),
        "their file alone": (there / "a.db", None), "file without its log": (there / "copy-a.db", None),
    }[mix]  # fmt: skip
    shutil.copy(files[0], merged / "a.db")
    if files[1] is not None:
        shutil.copy(files[1], merged / "a.db-wal")
    try:
        store = Ledger(merged / "a.db")
        faults = store.verify()
    except CarnetError as error:
        assert str(error)
        return
    if not faults:
        for folder in (here, there):
            other = Ledger(folder / "a.db")
            store.take_in([(h.key, list(other.lines(h.no, h.start, h.seq))) for h in other.heads()], commit=True)
            other.close()
        assert store.count() == 82
        assert store.verify() == []
        assert store.projection.people.is_forked(ana.key)
    else:
        assert all(fault.what for fault in faults)
    store.close()


def test_backup_by_the_database_is_whole(world: World) -> None:
    """THREATS 8: `VACUUM INTO` of a store that is being written is a whole store."""
    ana = world.found("ana")
    ana.comment(world.entity, "x")
    twin = ana.copy("backup")
    assert twin.digest() == ana.digest()
    assert twin.ledger.verify() == []
    assert Path(twin.path).stat().st_size > 0
    assert os.access(twin.path, os.R_OK)
