"""MLflow file stores: of every version, moved about, without the folders that git drops, and with what no MLflow ever wrote."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, mlflow_artifacts, mlflow_files, mlflow_rows
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread

RUN, OTHER = "a" * 32, "b" * 32
MODEL = "m-" + "1" * 32


def read(path: Path, *maps: tuple[str, str]) -> tuple[dict[Ref, Thing], list[Unread]]:
    """Read a path; every thing comes once and is fit for the record."""
    found = list(importer("mlflow").read(Source(path, maps)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return {thing.ref: thing for thing in things}, [one for one in found if isinstance(one, Unread)]


def told(unread: list[Unread], *words: str) -> bool:
    """Say whether one message holds all these words."""
    return any(all(word in f"{one.where}: {one.why}" for word in words) for one in unread)


class Tree:
    """A file store of one experiment, written file by file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put(
            "7/meta.yaml",
            "artifact_location: file:///elsewhere/mlruns/7\nexperiment_id: '7'\nlifecycle_stage: active\nname: tests\n",
        )

    def put(self, place: str, text: str | bytes) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def run(self, identity: str = RUN, **fields: str) -> Path:
        meta = {
            "artifact_uri": f"file:///elsewhere/mlruns/7/{identity}/artifacts", "end_time": "9", "experiment_id": "'7'", "lifecycle_stage": "active",
            "run_id": identity, "run_name": "one", "start_time": "5", "status": "3", "user_id": "bo",
        } | fields  # fmt: skip
        self.put(f"7/{identity}/meta.yaml", "".join(f"{key}: {value}\n" for key, value in meta.items()))
        return self.root / "7" / identity


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "home" / "mlruns")


def test_folders_that_git_drops_are_not_missed(real_tools: Path, tmp_path: Path) -> None:
    """Empty folders of parameters, metrics and tags may be absent: the same is read."""
    whole = shutil.copytree(real_tools / "mlflow-filestore", tmp_path / "whole" / "mlflow-filestore")
    before = read(whole)
    for folder, _, _ in sorted(os.walk(whole), reverse=True):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()
    assert read(whole) == before


def test_reading_leaves_the_folder_as_it_was(real_tools: Path, tmp_path: Path) -> None:
    """Not a byte and no time changes."""
    folder = shutil.copytree(real_tools / "mlflow-filestore", tmp_path / "store")

    def state() -> dict[str, tuple[bytes, int]]:
        return {
            str(path): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
            for path in folder.rglob("*")
        }

    before = state()
    importer("mlflow").guess(folder)
    read(folder)
    assert state() == before


def test_a_store_of_3_x_has_models_inputs_and_outputs(tree: Tree) -> None:
    """Pitfalls 1, 2 and 4: MODEL is a model that was used, the folder says by whom; a model's metric names run and dataset."""
    tree.run()
    tree.run(OTHER)
    tree.put(
        "7/datasets/d1/meta.yaml",
        "digest: c42e9dfe\nname: 'two words'\nprofile: null\nschema: null\nsource: '{}'\nsource_type: code\n",
    )
    about = (
        f"artifact_location: file:///elsewhere/mlruns/7/models/{MODEL}/artifacts\ncreation_timestamp: 7\nmodel_id: {MODEL}\nname: net\n"
        f"source_run_id: {RUN}\nstatus: 2\n"
    )
    tree.put(f"7/models/{MODEL}/meta.yaml", about)
    tree.put(f"7/models/{MODEL}/params/a/b", "1")
    tree.put(f"7/models/{MODEL}/tags/t", "u")
    tree.put(
        f"7/models/{MODEL}/metrics/auc",
        f"4 0.5 1 {RUN} two words c42e9dfe\n5 nan 2 {RUN} two words c42e9dfe\n6 0.25 0 {OTHER}\n",
    )
    tree.put(f"7/models/{MODEL}/artifacts/requirements.txt", "numpy==2.0.0\n")
    tree.put(
        f"7/{RUN}/outputs/{MODEL}/meta.yaml",
        f"destination_id: {MODEL}\ndestination_type: MODEL_OUTPUT\nsource_id: {MODEL}\nsource_type: RUN_OUTPUT\n",
    )
    for run in (RUN, OTHER):
        tree.put(
            f"7/{run}/inputs/1/meta.yaml",
            f"destination_id: {MODEL}\ndestination_type: RUN\nsource_id: {MODEL}\nsource_type: MODEL\ntags: {{}}\n",
        )
    tree.put(
        f"7/{OTHER}/inputs/2/meta.yaml",
        "destination_id: d1\ndestination_type: RUN\nsource_id: d1\nsource_type: DATASET\ntags: {split: holdout}\n",
    )
    things, unread = read(tree.root)
    model, environment = Ref("model", "mlflow", MODEL), next(ref for ref in things if ref.kind == "environment")
    assert not unread
    assert things[Ref("run", "mlflow", RUN)].edges == [("used", environment), ("made", model)]
    assert things[Ref("run", "mlflow", OTHER)].edges == [
        ("used", Ref("dataset", "mlflow", "two words:c42e9dfe")),
        ("used", model),
    ]
    assert things[Ref("run", "mlflow", OTHER)].attrs["data_tags"] == {"two words": {"split": "holdout"}}
    assert things[model].metrics == [
        {"name": "auc", "value": "0.25"}, {"name": "auc", "value": "NaN", "split": "two words", "step": 2},
    ]  # fmt: skip
    assert (things[model].params, things[model].attrs["status"]) == ({"a/b": "1"}, "READY")
    assert [one["path"] for one in things[model].attrs["files"]] == ["requirements.txt"]


def test_lines_of_the_oldest_metrics_have_no_step(tree: Tree) -> None:
    """`time value` is step 0; the newest is the one of the highest step, then time, then value, as MLflow has it."""
    tree.run()
    tree.put(f"7/{RUN}/metrics/old", "10 0.5\n30 0.25\n20 0.75\n")
    tree.put(f"7/{RUN}/metrics/steps", "50 1.0 -1\n10 2.0 3\n20 3.0 1\n10 4.0 3\n")
    tree.put(
        f"7/{RUN}/metrics/odd",
        "1 inf 0\n\n 2   -inf 1 \n3 1e400 2\nthis is no line\n4\nx 1 1\n5 1 99999999999999999999\n",
    )
    things, unread = read(tree.root)
    run = things[Ref("run", "mlflow", RUN)]
    assert {one["name"]: (one["value"], one.get("step", 0)) for one in run.metrics} == {
        "old": ("0.25", 0), "steps": ("4.0", 3), "odd": ("Infinity", 2),
    }  # fmt: skip
    assert [json.loads(line)["t"] for line in run.keep[0].data.splitlines()] == [1, 2, 3, 10, 30, 20, 50, 10, 20, 10]
    assert told(unread, RUN, "is not `time value step`", "4 times", "odd")


def test_values_are_text_whatever_they_look_like(tree: Tree) -> None:
    """`null`, `yes`, `1.10`, line ends and numbers stay as they were written; nothing is a boolean."""
    tree.run(run_name="'null'", status="5", end_time="null")
    for name, text in {"a": "null", "b": "yes\r\n", "c": "1.10", "d/e/f": "", "größe": "ß"}.items():
        tree.put(f"7/{RUN}/params/{name}", text)
    things, unread = read(tree.root)
    run = things[Ref("run", "mlflow", RUN)]
    assert not unread and run.params == {"a": "null", "b": "yes\r\n", "c": "1.10", "d/e/f": "", "größe": "ß"}
    assert (run.name, run.attrs["status"], "ended" in run.attrs) == ("null", "KILLED", False)


def test_a_registry_alone_is_a_store(tree: Tree, tmp_path: Path) -> None:
    """Registered versions are read where no experiment is; a deleted one is kept and marked."""
    registry = Tree(tmp_path / "registry")
    shutil.rmtree(registry.root / "7")
    registry.put("models/reg/meta.yaml", "aliases: {}\ncreation_timestamp: 1\ndescription: about it\nname: reg\n")
    registry.put("models/reg/aliases/prod", "1")
    registry.put("models/reg/tags/team", "x")
    for number, stage in ((1, "None"), (10, "Deleted_Internal")):
        registry.put(
            f"models/reg/version-{number}/meta.yaml",
            f"creation_timestamp: {number}\ncurrent_stage: {stage}\nname: reg\nrun_id: null\nsource: s3://x/y\nversion: {number}\n",
        )
    things, unread = read(registry.root)
    first, gone = things[Ref("model", "mlflow", "reg@1#1")].attrs, things[Ref("model", "mlflow", "reg@10#10")].attrs
    assert (
        not unread
        and first["aliases"] == ["prod"]
        and first["model_tags"] == {"team": "x"}
        and first["model_description"] == "about it"
    )
    assert (first["lifecycle"], gone["lifecycle"], "source" in gone) == ("active", "deleted", False)
    guess = importer("mlflow").guess(registry.root)
    assert guess is not None and guess.words == "MLflow, 0 runs" and guess.things == 2


def test_a_store_that_was_taken_over_into_a_database_beside_it_is_read_once(real_tools: Path, tmp_path: Path) -> None:
    """Where both lie in one folder, a run that stands in both comes once."""
    shutil.copytree(real_tools / "mlflow-filestore" / "mlruns", tmp_path / "mlruns")
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path)
    run = "764ae4d4359e4d029cb25c12903c3ad2"
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as db:
        db.execute("UPDATE runs SET run_uuid = ?, name = 'taken over' WHERE name = 'autolog-raises'", (run,))
    things, _ = read(tmp_path)
    counts = [
        json.loads((real_tools / store / "expected.json").read_text())["summary"]["runs"]
        for store in ("mlflow-sqlite", "mlflow-filestore")
    ]
    assert len([ref for ref in things if ref.kind == "run"]) == sum(counts) - 1
    assert things[Ref("run", "mlflow", run)].name == "taken over"


@pytest.mark.parametrize(
    ("uri", "old"),
    [
        ("file:///C:/Users/Bo%20B/mlruns/7/{run}/artifacts", "C:/Users/Bo B/mlruns"),
        ("file:///C:/Users/Bo%20B/mlruns/7/{run}/artifacts", "C:\\Users\\Bo B\\mlruns"),
        ("file:///C:/Users/Bo%20B/mlruns/7/{run}/artifacts", "file:///C:/Users/Bo%20B/mlruns"),
        ("/home/bo/my runs/7/{run}/artifacts", "/home/bo/my runs"),
        ("s3://bucket/runs/7/{run}/artifacts", "s3://bucket/runs"),
    ],
)
def test_addresses_of_another_machine_are_mapped(tree: Tree, tmp_path: Path, uri: str, old: str) -> None:
    """Pitfall 6: a map may be said as the person knows the folder, drive letters and escapes undone."""
    tree.run(artifact_uri=uri.format(run=RUN))
    place = tmp_path / "copied" / "7" / RUN / "artifacts"
    place.mkdir(parents=True)
    (place / "a.txt").write_text("x")
    assert "artifacts" not in read(tree.root)[0][Ref("run", "mlflow", RUN)].attrs
    things, _ = read(tree.root, (old, str(tmp_path / "copied")))
    assert things[Ref("run", "mlflow", RUN)].attrs["artifacts"] == [{"path": "a.txt", "size": 1}]


@pytest.mark.parametrize(
    "uri",
    [
        "file:./mlruns/7/{run}/artifacts",
        "./mlruns/7/{run}/artifacts",
        "mlflow-artifacts:/7/{run}/artifacts",
        "file:///C:/x/7/{run}/artifacts",
    ],
)
def test_a_moved_store_brings_its_files(tree: Tree, uri: str) -> None:
    """Pitfall 6: relative addresses, those of a server, and those of where the store lay once are found by the ids in them."""
    tree.run(artifact_uri=uri.format(run=RUN))
    tree.put(f"7/{RUN}/artifacts/ü/a.txt", "x")
    things, unread = read(tree.root)
    assert not unread and things[Ref("run", "mlflow", RUN)].attrs["artifacts"] == [{"path": "ü/a.txt", "size": 1}]


def test_a_foreign_store_cannot_look_around_here(tree: Tree, tmp_path: Path) -> None:
    """Folders that are neither the store's, nor named in a map, nor carry the id are not listed, by whichever way they are named."""
    secret = tmp_path / "home-of-ana" / ".ssh"
    secret.mkdir(parents=True)
    near = tree.root.parent / "letters"
    near.mkdir()
    for folder in (secret, near):
        (folder / "requirements.txt").write_text("secret")
    for number, uri in enumerate(
        [
            str(secret),
            secret.as_uri(),
            "../home-of-ana/.ssh",
            f"{tree.root}/../../home-of-ana/.ssh",
            "letters",
            str(near),
        ]
    ):
        tree.run(f"{number:032x}", artifact_uri=uri)
    tree.run(RUN, artifact_uri=f"{tree.root}/7/{RUN}/artifacts")
    tree.put(
        f"7/{RUN}/tags/mlflow.log-model.history",
        json.dumps([{"artifact_path": "../../../../home-of-ana/.ssh"}, {"artifact_path": str(secret)}]),
    )
    (tree.root / "7" / RUN / "artifacts").symlink_to(secret)
    things, _ = read(tree.root)
    assert not [ref for ref in things if ref.kind == "environment"]
    assert not [thing for thing in things.values() if "artifacts" in thing.attrs or thing.attrs.get("files")]


def test_a_dataset_is_hashed_only_where_it_is_a_file(tree: Tree, tmp_path: Path) -> None:
    """A folder, a device, a pipe or nothing gives no digest, and nobody waits for it."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    (tmp_path / "data.csv").write_bytes(b"1,2\n")
    for number, uri in enumerate(
        [
            str(tmp_path),
            "/dev/zero",
            "/proc/self/mem",
            str(fifo),
            "no such",
            "\0",
            "x" * 5_000,
            str(tmp_path / "data.csv"),
        ]
    ):
        tree.put(
            f"7/datasets/d{number}/meta.yaml",
            f"digest: d{number}\nname: d\nsource: {json.dumps(json.dumps({'uri': uri}))}\nsource_type: local\n",
        )
    things, unread = read(tree.root)
    digests = {thing.ref.key: thing.digests for thing in things.values() if thing.digests}
    assert not unread and len(things) == 8
    assert digests == {"d:d7": {"sha256": hashlib.sha256(b"1,2\n").hexdigest()}}


def without_meta(tree: Tree, instead: Callable[[Path], None]) -> None:
    path = tree.root / "7" / RUN / "meta.yaml"
    path.unlink()
    instead(path)


BROKEN: dict[str, Callable[[Tree], object]] = {
    "not YAML": lambda tree: tree.put(f"7/{RUN}/meta.yaml", "a: [b\n"),
    "META is not": lambda tree: tree.put(f"7/{RUN}/meta.yaml", b"\x80\x81\xff"),
    "holds no fields": lambda tree: tree.put(f"7/{RUN}/meta.yaml", "- a\n- b\n"),
    "the tag": lambda tree: tree.put(
        f"7/{RUN}/meta.yaml", "run_id: !!python/object/apply:os.system ['touch owned']\nstatus: 3\n"
    ),
    "nested deeper": lambda tree: tree.put(f"7/{RUN}/meta.yaml", "a: " + "[" * 5_000 + "]" * 5_000),
    "aliases unfolded": lambda tree: tree.put(
        f"7/{RUN}/meta.yaml",
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
    ),
    "is larger than": lambda tree: tree.put(f"7/{RUN}/meta.yaml", "a: b\n" * 1_000_000),
    "without meta.yaml": lambda tree: without_meta(tree, lambda path: path.with_name("params").mkdir()),
    "not a regular file": lambda tree: without_meta(tree, os.mkfifo),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_run_is_named_and_the_others_are_read(tree: Tree, why: str) -> None:
    """Whatever stands in meta.yaml, nothing of it runs, nothing grows without bounds, and it costs this run alone."""
    tree.run()
    tree.run(OTHER)
    BROKEN[why](tree)
    things, unread = read(tree.root)
    assert Ref("run", "mlflow", OTHER) in things and told(unread, RUN, why.replace("META", "meta.yaml"))
    assert not list(Path.cwd().glob("owned"))


def test_a_broken_experiment_costs_its_name_alone(tree: Tree) -> None:
    """Its runs are read under the number that its folder is."""
    tree.run()
    tree.run(OTHER)
    tree.put("8/meta.yaml", "experiment_id: '8'\nname: other\n")
    tree.put("7/meta.yaml", "experiment_id: '7\n")
    things, unread = read(tree.root)
    attrs = things[Ref("run", "mlflow", RUN)].attrs
    assert (
        len(things) == 2
        and attrs["experiment_id"] == "7"
        and "experiment" not in attrs
        and told(unread, "mlruns/7", "not YAML")
    )


def test_links_pipes_and_depth_end_in_words(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop of links, a pipe among the parameters, folders without end: each is named, none is followed."""
    run = tree.run()
    tree.put(f"7/{RUN}/params/good", "1")
    (run / "params" / "loop").symlink_to(run)
    (run / "artifacts").mkdir()
    (run / "artifacts" / "loop").symlink_to(run / "artifacts")
    os.mkfifo(run / "artifacts" / "pipe")
    os.mkfifo(run / "params" / "pipe")
    (tree.root / "7" / ("c" * 32)).symlink_to(run)
    (tree.root / "loop").symlink_to(tree.root)
    deep = "/".join("d" * 40)
    tree.put(f"7/{RUN}/params/{deep}", "1")
    tree.put(f"7/{RUN}/artifacts/{deep}", "1")
    monkeypatch.setattr(mlflow_artifacts, "MOST_FILES", 3)
    for number in range(5):
        tree.put(f"7/{RUN}/artifacts/f{number}", "1")
    things, unread = read(tree.root)
    (thing,) = things.values()
    assert thing.params == {"good": "1"} and [one["path"] for one in thing.attrs["artifacts"]] == ["f0", "f1", "f2"]
    assert thing.attrs["artifacts_total"] == 5
    for words in (
        (RUN, "a link is not followed", "loop"), (RUN, "a link among the artifacts"), (RUN, "no regular file", "pipe"), (RUN, "artifact that is no regular"),
        (RUN, "parameters in folders deeper"), (RUN, "artifacts in folders deeper"), ("mlruns/7", "a link is not followed"), ("mlruns: ", "link"),
    ):  # fmt: skip
        assert told(unread, *words), words


def test_a_huge_parameter_and_too_many_are_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one file of megabytes nor a hundred thousand small ones fill the memory."""
    tree.run()
    tree.put(f"7/{RUN}/params/huge", "x" * (mlflow_rows.MAX_TEXT + 1))
    tree.put(f"7/{RUN}/params/beyond", "x" * (mlflow_files.MAX_FIELD + 1))
    tree.put(f"7/{RUN}/params/bytes", b"\xff\xfe\x00")
    things, unread = read(tree.root)
    assert things[Ref("run", "mlflow", RUN)].params == {"bytes": "��\x00"}
    assert (
        told(unread, "more than", "huge")
        and told(unread, "larger than", "beyond")
        and told(unread, "not UTF-8", "bytes")
    )
    monkeypatch.setattr(mlflow_files, "MOST_NAMES", 1)
    assert told(read(tree.root)[1], "the rest is not looked at")


def test_a_model_may_hold_anything(tree: Tree) -> None:
    """A listing that is no listing, an MLmodel that is no YAML, a login in an address: named, and the model is there."""
    tree.run()
    tree.put(
        f"7/models/{MODEL}/meta.yaml",
        f"artifact_location: file:///x/7/models/{MODEL}/artifacts\nname: net\nsource_run_id: {RUN}\nstatus: 9\n",
    )
    tree.put(f"7/models/{MODEL}/artifacts/MLmodel", "flavors: [\n")
    tree.put(
        f"7/models/{MODEL}/artifacts/conda.yaml",
        "channels: [https://ana:hunter2@conda.example.org/c]\ndependencies: [python=3.11.7]\n",
    )
    tree.put(
        f"7/models/{MODEL}/artifacts/requirements.txt",
        b"--index-url https://ana:hunter2@pypi.example.org/simple\nnumpy==2.0\n\xff\xfe",
    )
    things, unread = read(tree.root)
    model = things[Ref("model", "mlflow", MODEL)]
    assert (
        len(model.attrs["files"]) == 3 and model.attrs["status"] == "9" and told(unread, MODEL, "MLmodel", "not YAML")
    )
    assert told(unread, MODEL, "login", "conda.yaml")
    assert "hunter2" not in repr(things) and "hunter2" not in repr(unread)


def test_a_folder_that_may_not_be_read_is_said(tree: Tree) -> None:
    """Where the system refuses, that is the message."""
    tree.run()
    reading = mlflow_files.rows(tree.root / "nothing")
    with pytest.raises(Invalid, match="cannot be read"):
        next(reading)


def test_what_a_guess_counts(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest run by its file, its first metric; of very many runs only that there are at least so many."""
    run = tree.run(run_name="'k=5'")
    tree.put(f"7/{RUN}/metrics/acc", "1 0.5 0\n2 0.75 1\n")
    other = tree.run(OTHER)
    os.utime(other / "meta.yaml", (1, 1))
    guess = importer("mlflow").guess(run.parents[2])
    assert guess is not None and guess.words == "MLflow, 2 runs, newest k=5 acc 0.75" and guess.things == 2
    monkeypatch.setattr(mlflow_files, "MOST_GLANCED", 1)
    guess = importer("mlflow").guess(run.parents[1])
    assert guess is not None and guess.words == "MLflow, at least 1 run"
