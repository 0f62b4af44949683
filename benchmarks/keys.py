"""From a key to the paint on a list of 100,000 rows, beside tig on as many commits; memory against an empty list.

    python benchmarks/keys.py [--rows 100000] [--presses 200]

A key counts as painted when the program has written and then kept silent for 12 ms; the time is that of its last byte.
Carnet shows its timeline, whose rows come out of the store page by page.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ledger import record
from measuring import LIVE, Row, Screen, carnet, compile_everything, environment, table

from carnet_store.core import canonical
from carnet_store.core.event import Draft, birth_entity

SILENCE = 0.012
CALM = 0.03
"""Seconds of rest before each key, so that one key is measured and not a queue of them."""
PRESSES = (b"j", b"j", b"j", b"j", b"j", b"j", b"j", b"\x1b[6~", b"j", b"k")
"""Nine lines and one page of ten."""
TO_THE_END = b"\x1b[F"


def store_of(folder: Path, rows: int) -> tuple[Path, dict[str, str]]:
    """Make a store with a project of about so many changes; return where it lies and the environment to use it."""
    place = folder / f"rows-{rows}"
    env = environment(CARNET_CONFIG=str(place / "keys"), HOME=str(folder), GIT_CONFIG_GLOBAL=os.devnull)
    place.mkdir()
    for words in (["identity", "new", "Ana"], ["init", "--project", "large"]):
        subprocess.run([carnet(), *words], check=True, capture_output=True, cwd=place, env=env)
    if rows:
        from carnet_store import Desk

        with Desk.open(place, environ=env) as desk:
            project = desk.project()
            chain = desk.actor(project).chain()
            project.ledger.append_many(chain, list(runs(chain.public.hex(), rows, project.now())), project.now())
    subprocess.run([carnet(), "status"], check=True, capture_output=True, cwd=place, env=env)
    return place, env


def runs(chain: str, rows: int, now: int) -> Iterator[list[Draft]]:
    """Yield the changes of each event: a hundred runs declared at once."""
    for first in range(0, rows, 100):
        batch = []
        for number in range(first, min(first + 100, rows)):
            value, salt = record(number), hashlib.sha256(b"%d" % number).hexdigest()[:32]
            commitment = canonical.commitment(salt, canonical.encode(value))
            batch.append(Draft(birth_entity("run", chain, commitment), "entity.declared", "", value, salt))
        yield batch


def repository(folder: Path, commits: int) -> Path:
    """Make a git repository of so many commits."""
    place = folder / "commits"
    place.mkdir()
    env = environment(GIT_CONFIG_GLOBAL=os.devnull)
    subprocess.run(["git", "init", "-q", "-b", "main", "."], cwd=place, check=True, env=env)
    stream = b"".join(
        b"commit refs/heads/main\ncommitter a <a@example.org> %d +0000\ndata <<E\nrun %d\nE\n"
        % (1_760_000_000 + at, at)
        for at in range(commits)
    )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=place, input=stream, check=True, env=env)
    return place


def painted(screen: Screen, key: bytes) -> float:
    """Press a key; return the ms until it is painted, 0 where nothing was."""
    began = last = time.perf_counter()
    screen.send(key)
    wait = 2.0
    while screen.read(wait):
        last = time.perf_counter()
        wait = SILENCE
    return (last - began) * 1000


def presses(screen: Screen, count: int) -> list[float]:
    """Press keys one after another with a rest between them; return the ms of each."""
    took = []
    for at in range(count):
        time.sleep(CALM)
        while screen.read(0):
            pass
        took.append(painted(screen, PRESSES[at % len(PRESSES)]))
    return took


def p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def rows(count: int = 100_000, times: int = 200) -> list[Row]:
    """Measure, and return the lines of the table."""
    compile_everything()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large, large_env = store_of(folder, count)
        empty, empty_env = store_of(folder, 0)
        found: dict[str, list[float]] = {}
        with Screen([carnet()], cwd=large, env=large_env) as ours:
            ours.until(LIVE)
            ours.settle()
            ours.send(b"5")
            ours.settle(1.0)
            found["carnet"] = presses(ours, times)
            found["end"] = [painted(ours, TO_THE_END)]
            found["back"] = presses(ours, times // 4)
            memory = ours.memory()
        with Screen([carnet()], cwd=empty, env=empty_env) as none:
            none.until(LIVE)
            none.settle()
            none.send(b"5")
            none.settle(1.0)
            little = none.memory()
        if shutil.which("tig"):
            with Screen(["tig"], cwd=repository(folder, count), env=environment()) as tig:
                tig.until(b"\x1b[")
                tig.settle(1.5)
                found["tig"] = presses(tig, times)
    theirs = p95(found["tig"]) if "tig" in found else 0.0
    beside = {"beside": "tig", "other": theirs} if theirs else {}
    return [
        Row("key to paint, p50", statistics.median(found["carnet"])),
        Row("key to paint, p95", p95(found["carnet"]), **beside, bar=2 * theirs + 40 if theirs else 0),  # type: ignore[arg-type]
        Row(f"to the end of {count:,} rows", found["end"][0]),
        Row("key to paint at the end, p95", p95(found["back"]), **beside),  # type: ignore[arg-type]
        Row("memory", memory, "MiB", "empty list", little),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="length of the list")
    parser.add_argument(
        "--presses", type=int, default=200, help="how many keys; the median and the 95th percentile count"
    )
    chosen = parser.parse_args()
    print(table(rows(chosen.rows, chosen.presses)))
