"""MLflow databases: read without a trace, of every version, with a writer beside, damaged in each way that one can be."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, mlflow_rows, mlflow_sqlite_file
from carnet_store.exchange.importers.scrub import NOT_TAKEN
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread

RUN, OTHER = "a" * 32, "b" * 32
LARGEST = 1.7976931348623157e308

# As the first of the databases that a later MLflow takes over: no steps, no NaN, no newest metrics, no registry.
OLDEST = """
CREATE TABLE experiments(experiment_id INTEGER PRIMARY KEY, name VARCHAR(256) NOT NULL, artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32));
CREATE TABLE runs(run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), source_type VARCHAR(20), source_name VARCHAR(500),
    entry_point_name VARCHAR(50), user_id VARCHAR(256), status VARCHAR(20), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50),
    lifecycle_stage VARCHAR(20), artifact_uri VARCHAR(200), experiment_id INTEGER);
CREATE TABLE tags(key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY(key, run_uuid));
CREATE TABLE params(key VARCHAR(250), value VARCHAR(250), run_uuid VARCHAR(32), PRIMARY KEY(key, run_uuid));
CREATE TABLE metrics(key VARCHAR(250), value FLOAT NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32), PRIMARY KEY(key, timestamp, run_uuid));
"""
# 1.30: a registry with stages, no aliases, no datasets, no logged models.
LATER = """
ALTER TABLE metrics ADD COLUMN step BIGINT DEFAULT 0;
ALTER TABLE metrics ADD COLUMN is_nan BOOLEAN DEFAULT 0;
CREATE TABLE latest_metrics(key VARCHAR(250), value FLOAT, timestamp BIGINT, step BIGINT, is_nan BOOLEAN, run_uuid VARCHAR(32), PRIMARY KEY(key, run_uuid));
CREATE TABLE registered_models(name VARCHAR(256) PRIMARY KEY, creation_time BIGINT, last_updated_time BIGINT, description VARCHAR(5000));
CREATE TABLE model_versions(name VARCHAR(256), version INTEGER, creation_time BIGINT, last_updated_time BIGINT, description VARCHAR(5000),
    user_id VARCHAR(256), current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32), status VARCHAR(20), PRIMARY KEY(name, version));
"""


def read(path: Path) -> tuple[dict[Ref, Thing], list[Unread]]:
    """Read a path; every thing comes once and is fit for the record."""
    found = list(importer("mlflow").read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return {thing.ref: thing for thing in things}, [one for one in found if isinstance(one, Unread)]


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file of a folder with its bytes and time."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def told(unread: list[Unread], *words: str) -> bool:
    """Say whether one message holds all these words."""
    return any(all(word in f"{one.where}: {one.why}" for word in words) for one in unread)


@pytest.fixture(scope="module")
def blank(real_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow 3.17 with its experiments and nothing else."""
    path = tmp_path_factory.mktemp("blank") / "mlflow.db"
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name not in ("experiments", "alembic_version"):
                db.execute(f'DELETE FROM "{name}"')
    return path


class Maker:
    """Writes rows into a database without asking whether they make sense."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA ignore_check_constraints=ON")

    def put(self, table: str, **row: Any) -> None:
        names = ", ".join(f'"{name}"' for name in row)
        self.db.execute(f"INSERT INTO {table}({names}) VALUES({', '.join('?' * len(row))})", tuple(row.values()))

    def run(self, identity: Any = RUN, **more: Any) -> None:
        row = {
            "run_uuid": identity, "name": "one", "status": "FINISHED", "start_time": 5, "end_time": 9, "lifecycle_stage": "active",
            "experiment_id": 1, "artifact_uri": "s3://runs/x", "user_id": "ana",
        }  # fmt: skip
        self.put("runs", **(row | more))

    def metric(
        self, key: Any = "loss", value: Any = 0.5, t: Any = 1, step: Any = 0, run: Any = RUN, nan: Any = 0
    ) -> None:
        self.put("metrics", key=key, value=value, timestamp=t, step=step, run_uuid=run, is_nan=nan)

    def model(self, identity: str, run: str | None = RUN, **more: Any) -> None:
        row = {
            "model_id": identity, "experiment_id": 1, "name": "model", "artifact_location": "s3://models/x", "creation_timestamp_ms": 7,
            "last_updated_timestamp_ms": 7, "status": 2, "lifecycle_stage": "active", "source_run_id": run,
        }  # fmt: skip
        self.put("logged_models", **(row | more))

    def version(self, name: str, number: int, **more: Any) -> None:
        row = {
            "name": name,
            "version": number,
            "creation_time": 100 + number,
            "current_stage": "None",
            "source": "s3://m/x",
            "status": "READY",
        }
        self.put("model_versions", **(row | more))


@pytest.fixture
def made(blank: Path, tmp_path: Path) -> Iterator[Maker]:
    """A database of its own to write into."""
    (tmp_path / "store").mkdir()
    maker = Maker(Path(shutil.copy(blank, tmp_path / "store" / "mlflow.db")))
    yield maker
    maker.db.close()


# --- without a trace --------------------------------------------------------------------------------------------------


def test_reading_leaves_the_folder_as_it_was(real_tools: Path, tmp_path: Path) -> None:
    """Pitfall 9: not a byte and no time changes, nothing is left behind, in a folder that may not be written too."""
    folder = Path(shutil.copytree(real_tools / "mlflow-sqlite", tmp_path / "store"))
    folder.chmod(0o555)
    before = state(folder)
    importer("mlflow").guess(folder)
    things, unread = read(folder)
    folder.chmod(0o755)
    assert things and not unread and state(folder) == before


@pytest.mark.parametrize("live", [True, False])
def test_what_stands_in_a_write_ahead_log_is_read_without_touching_it(made: Maker, tmp_path: Path, live: bool) -> None:
    """Pitfall 9: the newest runs lie in the log alone; they are read, and log and index stay as they are, or absent."""
    made.db.execute("PRAGMA journal_mode=WAL")
    made.db.execute("PRAGMA wal_autocheckpoint=0")
    made.run()
    folder = made.path.parent
    if not live:  # as a process that was killed leaves it
        folder = tmp_path / "left"
        folder.mkdir()
        for name in ("mlflow.db", "mlflow.db-wal"):
            shutil.copy(made.path.with_name(name), folder / name)
    before = state(folder)
    guess = importer("mlflow").guess(folder)
    things, unread = read(folder)
    assert guess is not None and guess.words == "MLflow, 1 run, newest one"
    assert Ref("run", "mlflow", RUN) in things and not unread
    assert state(folder) == before


def test_a_log_without_anything_in_it_is_no_trouble(made: Maker) -> None:
    """A database that had a log once and lies alone now is read, and no log appears."""
    made.db.execute("PRAGMA journal_mode=WAL")
    made.run()
    made.db.close()
    assert [path.name for path in made.path.parent.iterdir()] == ["mlflow.db"]
    before = state(made.path.parent)
    things, _ = read(made.path)
    assert len(things) == 1 and state(made.path.parent) == before


def test_a_log_begun_anew_while_it_is_copied_is_copied_again(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Database and log of different times are never read together; who writes all the time is named."""
    made.db.execute("PRAGMA journal_mode=WAL")
    made.run()
    real, left = shutil.copyfile, [1]

    def copyfile(src: Any, dst: Any, **more: Any) -> Any:
        if left[0] and str(src).endswith(".db"):
            left[0] -= 1
            made.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            made.run(f"{left[0]:032x}")
        return real(src, dst, **more)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    things, unread = read(made.path)
    assert len(things) == 2 and not unread
    left[0] = 1_000
    with pytest.raises(Invalid, match="written to all the time"):
        read(made.path)


def test_a_write_that_was_cut_off_is_undone_in_a_copy(made: Maker, tmp_path: Path) -> None:
    """A rollback journal left by a crash is applied, and still lies there afterwards."""
    made.run()
    made.db.execute("PRAGMA cache_size=1")
    made.db.execute("BEGIN IMMEDIATE")
    for number in range(4_000):  # more than the cache holds: it reaches the file
        made.put("params", key=f"p{number}", value="x" * 90, run_uuid=RUN)
    folder = tmp_path / "left"
    folder.mkdir()
    for name in ("mlflow.db", "mlflow.db-journal"):
        shutil.copy(made.path.with_name(name), folder / name)
    made.db.execute("ROLLBACK")
    before = state(folder)
    assert len(before) == 2
    things, unread = read(folder)
    assert things[Ref("run", "mlflow", RUN)].params == {} and not unread
    assert state(folder) == before


def test_nobody_waits_for_the_reader(made: Maker) -> None:
    """While a plan is being read, a running server goes on writing."""
    made.run()
    made.run(OTHER)
    reading = importer("mlflow").read(Source(made.path))
    assert isinstance(next(reading), Thing)
    with closing(sqlite3.connect(made.path, timeout=0)) as other, other:
        other.execute("UPDATE runs SET name = 'two'")
    assert [one.name for one in reading if isinstance(one, Thing)] == ["one"], "one moment of the store is read"


def test_a_database_that_is_locked_is_named(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be read because another process holds it, that is said, with what helps."""
    monkeypatch.setattr(mlflow_sqlite_file, "PATIENCE", 0.01)
    made.db.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Invalid, match="locked") as caught:
        read(made.path)
    assert "another process" in caught.value.hint


def test_a_database_too_large_to_copy_is_read_where_it_lies(real_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place or from a copy, the same is read."""
    copied = read(real_tools / "mlflow-sqlite")
    monkeypatch.setattr(mlflow_sqlite_file, "COPIED", 0)
    before = state(real_tools / "mlflow-sqlite")
    assert read(real_tools / "mlflow-sqlite") == copied
    assert state(real_tools / "mlflow-sqlite") == before


def test_names_of_files_may_hold_anything(made: Maker, tmp_path: Path) -> None:
    """A question mark or a percent sign in a path is part of the path."""
    made.run()
    made.db.close()
    place = tmp_path / "a?mode=rwc&b#c %41" / "mlflow.db"
    place.parent.mkdir()
    shutil.copy(made.path, place)
    assert len(read(place)[0]) == 1 and list(place.parent.iterdir()) == [place]


# --- versions of MLflow -----------------------------------------------------------------------------------------------


def test_the_oldest_databases_are_read(tmp_path: Path) -> None:
    """Pitfalls 7 and 8: columns are asked for; without steps and newest metrics the latest point by time is the newest."""
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(OLDEST)
        db.execute("INSERT INTO experiments VALUES(0, 'Default', './mlruns/0', 'active')")
        row = (RUN, "", "LOCAL", "train.py", "", "ana", "FINISHED", 1, 2, "c" * 40, "active", "./mlruns/0/x", 0)
        db.execute(f"INSERT INTO runs VALUES({', '.join('?' * 13)})", row)
        db.executemany("INSERT INTO metrics VALUES('m', ?, ?, ?)", [(0.5, 20, RUN), (0.25, 10, RUN)])
        db.execute("INSERT INTO tags VALUES('mlflow.runName', 'first', ?)", (RUN,))
    things, unread = read(path)
    run = things[Ref("run", "mlflow", RUN)]
    assert not unread and run.name == "first" and run.metrics == [{"name": "m", "value": "0.5"}]
    assert [json.loads(line)["t"] for line in run.keep[0].data.splitlines()] == [20, 10], "as they were written"
    assert ("used", Ref("code", "git", "c" * 40)) in run.edges and run.attrs["source_name"] == "train.py"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(LATER)
        db.execute("INSERT INTO latest_metrics VALUES('m', 0.5, 20, 0, 0, ?)", (RUN,))
        db.execute("INSERT INTO registered_models VALUES('reg', 1, 1, 'd')")
        for number, stage, run_id in ((1, "Production", RUN), (2, "Deleted_Internal", "REDACTED-RUN-ID")):
            source = "REDACTED-SOURCE-PATH" if number == 2 else "./mlruns/0/x/model"
            values = ("reg", number, 50 + number, 60, None, None, stage, source, run_id, "READY")
            db.execute(f"INSERT INTO model_versions VALUES({', '.join('?' * 10)})", values)
    things, unread = read(path)
    first, gone = things[Ref("model", "mlflow", "reg@1#51")], things[Ref("model", "mlflow", "reg@2#52")]
    assert not unread and things[Ref("run", "mlflow", RUN)].metrics == run.metrics
    assert first.attrs["stage"] == "Production" and ("made", first.ref) in things[Ref("run", "mlflow", RUN)].edges
    assert (
        gone.attrs["lifecycle"] == "deleted" and "REDACTED" not in json.dumps(gone.attrs) and "stage" not in gone.attrs
    )


def test_a_name_is_unique_in_its_workspace_only(made: Maker) -> None:
    """Pitfall 8: models of one name in two workspaces are two, also where they were made in the same moment."""
    for space in ("default", "west"):
        made.put("registered_models", name="m", workspace=space, description=space)
        made.version("m", 1, workspace=space)
        made.put("registered_model_aliases", name="m", version=1, alias=f"best-{space}", workspace=space)
        made.put("model_version_tags", name="m", version=1, key="k", value=space, workspace=space)
    things, unread = read(made.path)
    found = {ref.key: things[ref].attrs for ref in things}
    assert not unread and found.keys() == {"m@1#101", "west/m@1#101"}
    for key, space in (("m@1#101", "default"), ("west/m@1#101", "west")):
        assert (found[key]["aliases"], found[key]["tags"], found[key]["model_description"]) == (
            [f"best-{space}"],
            {"k": space},
            space,
        )


def test_a_version_given_again_after_its_model_was_deleted_is_another(made: Maker) -> None:
    """The time of its making is part of a version's id."""
    made.version("m", 1)
    first = set(read(made.path)[0])
    made.db.execute("UPDATE model_versions SET creation_time = 900")
    assert first.isdisjoint(read(made.path)[0])


def test_a_version_copied_from_another_comes_from_it(made: Maker) -> None:
    """`models:/name/1` is that version; a source that names itself leads nowhere."""
    made.version("dev", 1, source="models:/m-" + "0" * 32)
    made.version("prod", 1, source="models:/dev/1")
    made.version("self", 1, source="models:/self/1")
    things, _ = read(made.path)
    assert things[Ref("model", "mlflow", "prod@1#101")].edges == [("from", Ref("model", "mlflow", "dev@1#101"))]
    assert things[Ref("model", "mlflow", "dev@1#101")].edges == [("from", Ref("model", "mlflow", "m-" + "0" * 32))]
    assert things[Ref("model", "mlflow", "self@1#101")].edges == []


def test_prompts_are_documents(made: Maker) -> None:
    """Pitfall 7: a prompt is no model; its text is kept, and the run that it was loaded in used it."""
    made.put("registered_models", name="greet", workspace="default")
    made.put("registered_model_tags", key="mlflow.prompt.is_prompt", value="true", name="greet", workspace="default")
    made.version("greet", 1, source="dummy-source", workspace="default", description="first")
    made.put(
        "model_version_tags",
        key="mlflow.prompt.text",
        value="Hello {{name}} Ü",
        name="greet",
        version=1,
        workspace="default",
    )
    made.run()
    made.put(
        "tags",
        key="mlflow.linkedPrompts",
        value='[{"name": "greet", "version": "1"}, {"name": "gone", "version": "2"}, 3]',
        run_uuid=RUN,
    )
    things, unread = read(made.path)
    prompt = things[Ref("document", "mlflow", "greet@1#101")]
    assert (
        not unread
        and prompt.attrs["type"] == "prompt"
        and "source" not in prompt.attrs
        and "unreachable" not in prompt.attrs
    )
    assert [(keep.path, keep.data.decode()) for keep in prompt.keep] == [("prompt.txt", "Hello {{name}} Ü")]
    assert things[Ref("run", "mlflow", RUN)].edges == [("used", prompt.ref)]


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_nan_and_infinity_are_told_apart_from_numbers(made: Maker) -> None:
    """Pitfall 3, and one more: MLflow keeps the NaN of a model's metric as 0; the run's own metric knows better."""
    made.run()
    made.model("m-" + "1" * 32)
    cases = {
        "nan": (0.0, 1),
        "inf": (LARGEST, 0),
        "-inf": (-LARGEST, 0),
        "zero": (0.0, 0),
        "most": (math.nextafter(LARGEST, 0), 0),
    }
    for name, (value, nan) in cases.items():
        made.metric(name, value, 5, 1, nan=nan)
        made.put("latest_metrics", key=name, value=value, timestamp=5, step=1, is_nan=nan, run_uuid=RUN)
        made.put(
            "logged_model_metrics", model_id="m-" + "1" * 32, metric_name=name, metric_timestamp_ms=5, metric_step=1, metric_value=value,
            experiment_id=1, run_id=RUN,
        )  # fmt: skip
    things, unread = read(made.path)
    told_ = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "zero": "0.0", "most": "1.7976931348623155e+308"}
    run, model = things[Ref("run", "mlflow", RUN)], things[Ref("model", "mlflow", "m-" + "1" * 32)]
    assert not unread
    assert (
        {one["name"]: one["value"] for one in run.metrics}
        == told_
        == {one["name"]: one["value"] for one in model.metrics}
    )
    assert {one["name"]: one["value"] for one in map(json.loads, run.keep[0].data.splitlines())} == told_


def test_a_run_that_measured_its_own_model_made_it_and_did_not_use_it(made: Maker) -> None:
    """A model that stands as input and output of one run would make the lineage a circle."""
    made.run()
    made.model("m-" + "1" * 32)
    made.put(
        "inputs",
        input_uuid="1",
        source_type="RUN_INPUT",
        source_id=RUN,
        destination_type="MODEL_INPUT",
        destination_id="m-" + "1" * 32,
    )
    things, _ = read(made.path)
    assert things[Ref("run", "mlflow", RUN)].edges == [("made", Ref("model", "mlflow", "m-" + "1" * 32))]


def test_a_model_that_no_run_here_made_is_kept(made: Maker) -> None:
    """A logged model without its run is a thing all the same, deleted ones marked."""
    made.model("m-" + "1" * 32, None)
    made.model("m-" + "2" * 32, OTHER, lifecycle_stage="deleted")
    things, unread = read(made.path)
    assert not unread and [thing.attrs["lifecycle"] for thing in things.values()] == ["active", "deleted"]


def test_two_datasets_of_one_name_are_told_apart_in_a_run(made: Maker) -> None:
    """The context of each use stands under the name, with MLflow's digest where the name alone is not enough."""
    made.run()
    for number, digest in enumerate(("aa", "bb")):
        made.put(
            "datasets",
            dataset_uuid=f"d{number}",
            experiment_id=1,
            name="train",
            digest=digest,
            dataset_source_type="local",
            dataset_source="{}",
        )
        made.put(
            "inputs",
            input_uuid=f"i{number}",
            source_type="DATASET",
            source_id=f"d{number}",
            destination_type="RUN",
            destination_id=RUN,
        )
        made.put("input_tags", input_uuid=f"i{number}", name="mlflow.data.context", value=f"context {number}")
    things, _ = read(made.path)
    assert things[Ref("run", "mlflow", RUN)].attrs["data"] == {"train:aa": "context 0", "train:bb": "context 1"}


# --- hostile and damaged ----------------------------------------------------------------------------------------------


def test_secrets_are_not_taken_over(made: Maker) -> None:
    """What is named a secret, and logins in addresses, stay behind: the record is signed and travels."""
    made.run(artifact_uri="https://ana:hunter2@host/x")
    made.put("params", key="api_key", value="hunter2", run_uuid=RUN)
    made.put("tags", key="db", value="postgres://ana:hunter2@host/db", run_uuid=RUN)
    made.put("tags", key="mlflow.source.git.repoURL", value="https://hunter2@github.com/a/b.git", run_uuid=RUN)
    made.put("tags", key="mlflow.source.git.commit", value="c" * 40, run_uuid=RUN)
    made.put(
        "datasets", dataset_uuid="d", experiment_id=1, name="d", digest="d", dataset_source_type="http",
        dataset_source='{"url": "https://u:hunter2@host/data.csv", "password": "hunter2"}',
    )  # fmt: skip
    things, _ = read(made.path)
    assert "hunter2" not in repr(things)
    assert things[Ref("run", "mlflow", RUN)].params == {"api_key": NOT_TAKEN}
    assert things[Ref("code", "git", "c" * 40)].name == "b"


def test_rows_of_the_wrong_type_cost_no_more_than_themselves(made: Maker) -> None:
    """Whatever stands in a column, the rest is read and each reason is told once, with how often."""
    made.run(start_time="soon", end_time=2**60)
    made.run(b"\x00\x01")
    made.run(OTHER, experiment_id=77, name=b"\xff\xfe")
    made.put("params", key="good", value="1", run_uuid=RUN)
    made.put("params", key="bytes", value=b"\xff\x00", run_uuid=RUN)
    made.put("params", key="orphan", value="1", run_uuid="f" * 32)
    made.put("tags", key="t", value=b"\xc3(", run_uuid=RUN)
    for number, row in enumerate(
        [("text", "loss", 1, 0), ("n", 0.5, "x", 0), ("s", 0.5, 1, "y"), ("big", 0.5, 2**60, 0)]
    ):
        made.metric(row[0], row[1], row[2], row[3], nan=number % 2)
    made.metric("fine", 0.25, 1, 0)
    made.put(
        "inputs", input_uuid="i", source_type="DATASET", source_id="nowhere", destination_type="RUN", destination_id=RUN
    )
    things, unread = read(made.path)
    run = things[Ref("run", "mlflow", RUN)]
    assert run.params == {"good": "1", "bytes": "�\x00"} and run.metrics == [{"name": "fine", "value": "0.25"}]
    assert run.keep[0].data.count(b"\n") == 1 and run.at == 0 and "started" not in run.attrs
    assert Ref("run", "mlflow", OTHER) in things and len([ref for ref in things if ref.kind == "run"]) == 2
    assert told(unread, RUN, "should be a whole number", "2 times", "start_time")
    assert told(unread, RUN, "not UTF-8", "2 times", "bytes") and told(
        unread, RUN, "value, step or time is no number", "4 times"
    )
    assert told(unread, OTHER, "not UTF-8") and told(unread, OTHER, "experiment is not there", "77")
    assert told(unread, "run \x00\x01", "can be none") and told(unread, "table params", "belong to nothing", "1")
    assert told(unread, RUN, "a dataset that is not there")


def test_what_is_too_long_is_named_and_left_out(made: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter of megabytes, a cell of more than is ever read, a history without end: each is said, none is held in memory."""
    made.run()
    made.put("params", key="huge", value="x" * (mlflow_rows.MAX_TEXT + 1), run_uuid=RUN)
    made.put("params", key="small", value="1", run_uuid=RUN)
    for step in range(100):
        made.metric(t=step, step=step)
    monkeypatch.setattr(mlflow_rows, "MAX_HISTORY", 500)
    things, unread = read(made.path)
    run = things[Ref("run", "mlflow", RUN)]
    assert run.params == {"small": "1"} and 0 < len(run.keep[0].data) <= 500
    assert told(unread, RUN, "parameters of more than", "huge") and told(unread, RUN, "metric history of more than")
    made.put("tags", key="cell", value="x" * (mlflow_sqlite_file.MAX_CELL + 1), run_uuid=RUN)
    things, unread = read(made.path)
    assert Ref("run", "mlflow", RUN) in things and told(unread, "table tags", "cannot be read to its end")
    monkeypatch.setattr(mlflow_rows, "MAX_TEXTS", 4)
    assert read(made.path)[0][Ref("run", "mlflow", RUN)].params == {} and told(
        read(made.path)[1], "characters of parameters; the rest"
    )


@pytest.mark.parametrize(
    "table",
    [
        "params",
        "tags",
        "metrics",
        "latest_metrics",
        "inputs",
        "datasets",
        "input_tags",
        "logged_models",
        "model_versions",
    ],
)
def test_a_missing_table_is_an_older_mlflow(real_tools: Path, tmp_path: Path, table: str) -> None:
    """Any table but those of runs and experiments may be absent: the rest is read."""
    path = Path(shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute(f"DROP TABLE {table}")
    things, unread = read(path)
    expected = json.loads((real_tools / "mlflow-sqlite" / "expected.json").read_text())["summary"]["runs"]
    assert len([ref for ref in things if ref.kind == "run"]) == expected
    assert all("belong to nothing" in one.why or "not there" in one.why for one in unread)


def test_a_view_in_place_of_a_table_is_not_run(tmp_path: Path) -> None:
    """A foreign schema can name a query that never ends; only tables are asked."""
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE experiments(experiment_id INTEGER)")
        db.execute(
            "CREATE VIEW runs AS WITH RECURSIVE r(run_uuid, experiment_id) AS (SELECT 'a', 1 UNION ALL SELECT run_uuid || 'a', 1 FROM r)"
            " SELECT * FROM r"
        )
    assert importer("mlflow").guess(path) is None
    with pytest.raises(Invalid, match="no table of runs"):
        read(path)


@pytest.mark.parametrize(
    "data", [b"", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4_096, b"not a database at all\n" * 9]
)
def test_what_is_no_database_is_said(tmp_path: Path, data: bytes) -> None:
    """A file that is none, or none any more, is refused in words."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(data)
    guess = importer("mlflow").guess(path)
    assert guess is not None and guess.words == "MLflow, but mlflow.db cannot be read"
    with pytest.raises(Invalid) as caught:
        read(path)
    assert "mlflow.db" in caught.value.message and caught.value.hint


def test_a_database_of_something_else_is_said(tmp_path: Path) -> None:
    """SQLite, but not MLflow's."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs(id INTEGER)")
    assert importer("mlflow").guess(path) is None
    with pytest.raises(Invalid, match="no database of MLflow"):
        read(path)
    with pytest.raises(Invalid, match="there is no"):
        read(tmp_path / "nothing")
    with pytest.raises(Invalid, match="nothing of MLflow"):
        read(tmp_path)
    with pytest.raises(Invalid, match="address of a server"):
        read(Path("http://localhost:5000"))


def test_a_truncated_database_is_refused(real_tools: Path, tmp_path: Path) -> None:
    """Cut anywhere, a database says so itself: nothing of it is taken for the whole, and the hint says how to mend it."""
    whole = (real_tools / "mlflow-sqlite" / "mlflow.db").read_bytes()
    path = tmp_path / "mlflow.db"
    for part in range(1, 16):
        path.write_bytes(whole[: len(whole) * part // 16])
        with pytest.raises(Invalid, match="cannot be read") as caught:
            read(path)
        assert ".recover" in caught.value.hint


def test_a_damaged_page_costs_its_table_from_there_on(real_tools: Path, tmp_path: Path) -> None:
    """Where a page of a table is destroyed the rest is read, and the table is named."""
    path = Path(shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path))
    with closing(sqlite3.connect(path)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'params'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xa5" * size)
    things, unread = read(path)
    runs = json.loads((real_tools / "mlflow-sqlite" / "expected.json").read_text())["summary"]["runs"]
    assert len([ref for ref in things if ref.kind == "run"]) == runs
    assert told(unread, "table params", "malformed") and len(unread) == 1


def test_a_database_that_may_not_be_read_is_not_called_none(tmp_path: Path) -> None:
    """The system's word for it is told: a file of somebody else, a folder of that name."""
    with pytest.raises(Invalid, match="cannot be read: Is a directory"), mlflow_sqlite_file.opened(tmp_path):
        pass
