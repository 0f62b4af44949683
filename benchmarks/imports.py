"""How long it takes to read what other tools recorded, beside those tools' own libraries, in one run.

    python benchmarks/imports.py [--runs 10000] [--rounds 3] [--folder .]

A database of MLflow is made with that many runs, 10 parameters and 100 metric points each, in the tables of a real one. Every figure is the
median of the rounds; each round is a process of its own, and the clock starts when everything is imported. MLflow's own client
(`search_runs`, then `get_metric_history` of each metric) is measured where CARNET_MLFLOW_PYTHON names a Python that has MLflow; as it takes
minutes it is given a tenth of the runs, in a database of its own, and is compared with Carnet on that one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from measuring import Row, environment, table

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures" / "real-tools.tar.gz"
PARAMS, METRICS, POINTS = 10, 5, 20
CLOCK = 1_760_000_000_000
MEMORY = 300.0
"""MiB that reading may take at most, however many runs there are."""

CARNET = """
import resource, sys, time
from pathlib import Path
from carnet_store.exchange.importers import mlflow
from carnet_store.exchange.importers.things import Source, Thing
begun, runs, points = time.perf_counter(), 0, 0
for found in mlflow.read(Source(Path(sys.argv[1]))):
    assert isinstance(found, Thing), found
    if found.ref.kind == "run":
        runs += 1
        points += sum(keep.data.count(b"\\n") for keep in found.keep)
taken = time.perf_counter() - begun
print(runs, points, taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""

CLIENT = """
import logging, resource, sys, time
logging.disable(logging.CRITICAL)
from mlflow import MlflowClient
from mlflow.entities import ViewType
client = MlflowClient("sqlite:///" + sys.argv[1])
experiments = [one.experiment_id for one in client.search_experiments(view_type=ViewType.ALL)]
begun, runs, points, token = time.perf_counter(), 0, 0, None
while True:
    page = client.search_runs(experiments, run_view_type=ViewType.ALL, max_results=1000, page_token=token)
    for run in page:
        runs += 1
        for key in run.data.metrics:
            points += len(client.get_metric_history(run.info.run_id, key))
    token = page.token
    if not token:
        break
taken = time.perf_counter() - begun
print(runs, points, taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def database(path: Path, runs: int) -> None:
    """Make a database of MLflow with that many runs."""
    with tarfile.open(FIXTURES) as archive:
        member = next(one for one in archive.getmembers() if one.name.endswith("mlflow-sqlite/mlflow.db"))
        source = archive.extractfile(member)
        assert source is not None
        path.write_bytes(source.read())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA foreign_keys=OFF")
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in names:
        if name not in ("alembic_version", "experiments", "sqlite_sequence", "workspaces"):
            db.execute(f'DELETE FROM "{name}"')
    chance = random.Random(7)
    db.execute("BEGIN")
    for number in range(runs):
        run, start = f"{chance.getrandbits(128):032x}", CLOCK + number * 1_000
        db.execute(
            "INSERT INTO runs(run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,"
            " source_version, lifecycle_stage, artifact_uri, experiment_id) VALUES(?, ?, 'UNKNOWN', '', '', 'ana', 'FINISHED', ?, ?, '',"
            " 'active', ?, 1)",
            (run, f"run-{number}", start, start + 900, f"/elsewhere/mlruns/1/{run}/artifacts"),
        )
        tags = {
            "mlflow.user": "ana", "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL", "mlflow.runName": f"run-{number}",
            "mlflow.source.git.commit": f"{number // 100:040x}",
        }  # fmt: skip
        db.executemany("INSERT INTO tags VALUES(?, ?, ?)", [(key, value, run) for key, value in tags.items()])
        params = [(f"param_{one}", str(chance.random()), run) for one in range(PARAMS)]
        db.executemany("INSERT INTO params VALUES(?, ?, ?)", params)
        for one in range(METRICS):
            points = [(f"metric_{one}", chance.random(), start + step, run, step, 0) for step in range(POINTS)]
            db.executemany(
                "INSERT INTO metrics(key, value, timestamp, run_uuid, step, is_nan) VALUES(?, ?, ?, ?, ?, ?)", points
            )
            key, value, t, _, step, nan = points[-1]
            db.execute("INSERT INTO latest_metrics VALUES(?, ?, ?, ?, ?, ?)", (key, value, t, step, nan, run))
    db.execute("COMMIT")
    db.execute("VACUUM")
    db.close()


def measured(python: str, program: str, path: Path, runs: int) -> tuple[float, float]:
    """Run a reading program; return seconds and peak memory in MiB."""
    done = subprocess.run(
        [python, "-c", program, str(path)], capture_output=True, text=True, env=environment(), check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    read, points, seconds, memory = done.stdout.split()
    if (int(read), int(points)) != (runs, runs * METRICS * POINTS):
        raise SystemExit(
            f"{path}: {read} runs and {points} points were read, {runs} and {runs * METRICS * POINTS} are there"
        )
    return float(seconds), float(memory)


def rows(runs: int, rounds: int, folder: Path | None = None) -> list[Row]:
    """Measure reading of MLflow databases."""
    place = Path(tempfile.mkdtemp(prefix="carnet-benchmark-", dir=folder))
    client = os.environ.get("CARNET_MLFLOW_PYTHON", "")
    few = max(runs // 10, 1)
    try:
        database(place / "many.db", runs)
        many = [measured(sys.executable, CARNET, place / "many.db", runs) for _ in range(rounds)]
        seconds, memory = (statistics.median(values) for values in zip(*many, strict=True))
        found = [
            Row(f"read MLflow, {runs:,} runs", seconds * 1000),
            Row(f"read MLflow, {runs:,} runs, peak memory", memory, "MiB", bar=MEMORY),
        ]
        if client:
            database(place / "few.db", few)
            pairs = [
                (
                    measured(sys.executable, CARNET, place / "few.db", few)[0],
                    measured(client, CLIENT, place / "few.db", few)[0],
                )
                for _ in range(rounds)
            ]
            ours, theirs = (statistics.median(values) * 1000 for values in zip(*pairs, strict=True))
            found.append(Row(f"read MLflow, {few:,} runs", ours, "ms", "MlflowClient", theirs, theirs))
        return found
    finally:
        shutil.rmtree(place)


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the database")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    parser.add_argument("--folder", type=Path, help="on which disk to work (default: where temporary files go)")
    chosen = parser.parse_args()
    found = rows(chosen.runs, chosen.rounds, chosen.folder)
    print(table(found))
    return 0 if all(row.held for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
