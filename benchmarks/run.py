"""All benchmarks in one run, one table.

    python benchmarks/run.py [--quick] [--full]

Every figure is a median, every ratio compares two figures of this run. `--quick` takes fewer rounds and smaller lists, `--full` the
ledger at 100,000 events too. Ends with 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path

import capture
import imports
import keys
import ledger
import lineage
import start
from measuring import Row, table


def ledger_rows(events: int, rounds: int) -> list[Row]:
    """Measure the ledger at a number of events of one change each, beside git and the limits of the machine."""
    times: ledger.Times = {}
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(prefix="carnet-benchmark-"))
        try:
            for name, run in (("carnet", ledger.run_carnet), ("git", ledger.run_git)):
                (folder / name).mkdir()
                run(folder / name, events, 1, times)
            ledger.run_limits(folder, events, times)
        finally:
            shutil.rmtree(folder)
    middle = {name: statistics.median(values) * 1000 for name, values in times.items()}
    return [
        Row(f"{name}, {events:,} events", middle[name], "ms", beside, middle[beside], (aim or 0) * middle[beside])
        for name, beside, _, aim in ledger.ROWS
    ]


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller lists")
    parser.add_argument("--full", action="store_true", help="the ledger at 100,000 events too")
    chosen = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors", flush=True)
    rows = start.rows(5 if chosen.quick else 20)
    rows += keys.rows(10_000 if chosen.quick else 100_000, 50 if chosen.quick else 200)
    rows += capture.rows(5 if chosen.quick else 15)
    rows += imports.rows(1_000 if chosen.quick else 10_000, 1 if chosen.quick else 3)
    with tempfile.TemporaryDirectory(prefix="carnet-benchmark-") as folder:
        rows += lineage.rows((1_000,) if chosen.quick else (1_000, 10_000, 100_000), 300, Path(folder))
    for events in (1_000,) if chosen.quick else (1_000, 10_000, *((100_000,) if chosen.full else ())):
        rows += ledger_rows(events, 1 if chosen.quick else 3)
    print(table(rows))
    return 0 if all(row.held for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
