"""The MLflow importer, judged by what MLflow's own interface answers on the same stores (`expected.json`)."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk
from carnet_store.core import canonical
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer
from carnet_store.exchange.importers.things import LONG_TEXT, Ref, Source, Thing, Unread, number_text
from carnet_store.work.identity import Keyring

LARGEST = 1.7976931348623157e308
STORES = ("mlflow-sqlite", "mlflow-filestore")
Json = dict[str, Any]


@dataclass
class Taken:
    """What was read of a store, and what MLflow says of it."""

    things: dict[Ref, Thing]
    unread: list[Unread]
    expected: Json

    def of(self, kind: str) -> list[Thing]:
        return [thing for thing in self.things.values() if thing.ref.kind == kind]

    def run(self, identity: str) -> Thing:
        return self.things[Ref("run", "mlflow", identity)]

    def versions(self) -> list[Thing]:
        return [thing for thing in self.of("model") if "@" in thing.ref.key]

    def logged(self) -> list[Thing]:
        return [thing for thing in self.of("model") if thing.ref.key.startswith("m-")]

    def runs_expected(self) -> Iterator[tuple[Json, Json]]:
        for experiment in self.expected["experiments"]:
            for run in experiment["runs"]:
                yield experiment, run


def read(path: Path, *maps: tuple[str, str]) -> tuple[dict[Ref, Thing], list[Unread]]:
    """Read a path; every thing comes once and is fit for the record."""
    found = list(importer("mlflow").read(Source(path, maps)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return {thing.ref: thing for thing in things}, [one for one in found if isinstance(one, Unread)]


def said(value: Any, *, largest: bool) -> str:
    """Return a number of `expected.json` as the record spells it; `largest`: where a database keeps infinities as the largest number."""
    number = float(value)
    return number_text(math.copysign(math.inf, number) if largest and abs(number) == LARGEST else number)


@pytest.fixture(scope="module", params=STORES)
def taken(request: pytest.FixtureRequest, real_tools: Path) -> Taken:
    """Each store of the fixtures, read."""
    things, unread = read(real_tools / request.param)
    return Taken(things, unread, json.loads((real_tools / request.param / "expected.json").read_text()))


@pytest.fixture(scope="module")
def database(real_tools: Path) -> Taken:
    """The store that is a database."""
    things, unread = read(real_tools / "mlflow-sqlite")
    return Taken(things, unread, json.loads((real_tools / "mlflow-sqlite" / "expected.json").read_text()))


def test_nothing_is_missing_and_nothing_is_made_up(taken: Taken) -> None:
    """R096: every count of MLflow's own summary comes out, and all could be read."""
    summary, runs = taken.expected["summary"], taken.of("run")
    edges = Counter((relation, to.kind, to.key.startswith("m-")) for run in runs for relation, to in run.edges)
    counted = {
        "runs": len(runs),
        "by_status": dict(Counter(run.attrs["status"] for run in runs)),
        "deleted_runs": sum(run.attrs["lifecycle"] == "deleted" for run in runs),
        "params": sum(len(run.params) for run in runs),
        "metric_keys": sum(len(run.metrics) for run in runs),
        "metric_points": sum(keep.data.count(b"\n") for run in runs for keep in run.keep),
        "nan_latest": sum(one["value"] == "NaN" for run in runs for one in run.metrics),
        "nested_runs": sum(("from", "run") in {(relation, to.kind) for relation, to in run.edges} for run in runs),
        "dataset_input_edges": edges["used", "dataset", False],
        "distinct_datasets": len(taken.of("dataset")),
        "model_input_edges": edges["used", "model", True],
        "model_output_edges": edges["made", "model", True],
        "logged_models": len(taken.logged()),
        "artifact_files": sum(len(run.attrs.get("artifacts", ())) for run in runs),
        "model_versions": len(taken.versions()),
        "aliases": sum(len(one.attrs.get("aliases", ())) for one in taken.versions()),
    }
    assert counted == {key: value for key, value in summary.items() if key in counted}
    assert not taken.unread
    assert {thing.ref.kind for thing in taken.things.values()} <= {"run", "dataset", "model", "code", "environment"}


def test_each_run_is_as_mlflow_tells_it(taken: Taken) -> None:
    """R096: names, states, times, parameters, tags and artifacts of every run, deleted ones too, are MLflow's."""
    for experiment, run in taken.runs_expected():
        thing, attrs = taken.run(run["run_id"]), taken.run(run["run_id"]).attrs
        assert (thing.name, thing.params, thing.at) == (run["name"], run["params"], run["start_time"])
        told = {
            "status": run["status"], "lifecycle": run["lifecycle_stage"], "started": run["start_time"], "ended": run["end_time"],
            "user": run["user"], "uri": run["artifact_uri"], "experiment": experiment["name"], "experiment_id": experiment["experiment_id"],
            "source_name": run["tags"].get("mlflow.source.name"), "parent": run["tags"].get("mlflow.parentRunId"),
            "description": run["tags"].get("mlflow.note.content"), "branch": run["tags"].get("mlflow.source.git.branch"),
        }  # fmt: skip
        assert {key: attrs.get(key) for key in told} == told
        assert sorted((one["path"], one["size"]) for one in attrs.get("artifacts", ())) == sorted(
            map(tuple, run["artifacts"])
        )
        kept = attrs.get("tags", {})
        for tag, text in run["tags"].items():
            assert kept.get(tag, text) == text
        gone = run["tags"].keys() - kept.keys() - {
            "mlflow.user", "mlflow.runName", "mlflow.source.name", "mlflow.parentRunId", "mlflow.note.content", "mlflow.source.git.branch",
            "mlflow.source.git.commit", "mlflow.log-model.history",
        }  # fmt: skip
        assert not gone, "a tag stands under its own name or as what it means"


def test_metrics_and_their_histories_are_whole(taken: Taken) -> None:
    """Pitfall 3: NaN and infinities come out as such, several points may share step and time, none is lost or made."""
    largest = not any(
        experiment["artifact_location"].startswith("file:") for experiment in taken.expected["experiments"]
    )
    for _, run in taken.runs_expected():
        thing = taken.run(run["run_id"])
        assert {one["name"]: one["value"] for one in thing.metrics} == {
            name: said(value, largest=largest) for name, value in run["metrics"].items()
        }
        points: dict[str, list[tuple[int, int, str]]] = {}
        for keep in thing.keep:
            assert (keep.name, keep.path) == ("history", "metrics.jsonl")
            for line in keep.data.splitlines():
                one = json.loads(line)
                assert list(one) == ["name", "step", "t", "value"]
                points.setdefault(one["name"], []).append((one["step"], one["t"], one["value"]))
        told = {
            name: sorted((step, t, said(value, largest=largest)) for step, t, value in history)
            for name, history in run["metric_history"].items()
        }
        assert {name: sorted(found) for name, found in points.items()} == told
        for one in thing.metrics:
            assert any((step, value) == (one.get("step", 0), one["value"]) for step, _, value in points[one["name"]])


def test_what_a_run_used_and_made_are_edges_of_it(taken: Taken) -> None:
    """Pitfalls 1, 2 and 4: datasets and models that were read are used, models that were written are made, a parent is where it comes from."""
    for _, run in taken.runs_expected():
        edges = taken.run(run["run_id"]).edges
        used, made, parents = ({to for relation, to in edges if relation == word} for word in ("used", "made", "from"))
        assert {to for to in used if to.kind == "dataset"} == {
            Ref("dataset", "mlflow", f"{one['name']}:{one['digest']}") for one in run["dataset_inputs"]
        }
        assert {to.key for to in used if to.kind == "model"} == set(run["model_inputs"])
        assert {to.key for to in made if to.key.startswith("m-")} == {
            model for model, _ in run.get("model_outputs", ())
        }
        parent = run["tags"].get("mlflow.parentRunId")
        assert parents == ({Ref("run", "mlflow", parent)} if parent else set())
        commit = run["tags"].get("mlflow.source.git.commit")
        assert {to for to in used if to.kind == "code"} == ({Ref("code", "git", commit)} if commit else set())
        assert len(edges) == len(set(edges))
        contexts = {one["name"]: one["tags"]["mlflow.data.context"] for one in run["dataset_inputs"]}
        assert taken.run(run["run_id"]).attrs.get("data", {}) == contexts
        rest = {
            one["name"]: {k: v for k, v in one["tags"].items() if k != "mlflow.data.context"}
            for one in run["dataset_inputs"]
        }
        assert taken.run(run["run_id"]).attrs.get("data_tags", {}) == {
            name: tags for name, tags in rest.items() if tags
        }


def test_every_edge_leads_to_something_that_was_read(taken: Taken) -> None:
    """No edge of these stores hangs in the air."""
    assert {to for thing in taken.things.values() for _, to in thing.edges} <= taken.things.keys()


def test_a_dataset_is_one_across_experiments_and_its_digest_is_of_its_bytes(taken: Taken, real_tools: Path) -> None:
    """Pitfall 5: what MLflow calls a digest is a reference; a local file is hashed here."""
    told = {(one["name"], one["digest"]): one for _, run in taken.runs_expected() for one in run["dataset_inputs"]}
    for (name, digest), one in told.items():
        thing = taken.things[Ref("dataset", "mlflow", f"{name}:{digest}")]
        source = json.loads(one["source"])
        assert (thing.name, thing.attrs["reference"]) == (name, {"mlflow": digest})
        assert (thing.attrs["origin"], thing.attrs["source_type"]) == (source, one["source_type"])
        here = [path for store in STORES if (path := real_tools / store / source.get("uri", "?")).is_file()]
        assert thing.digests == ({"sha256": hashlib.sha256(here[0].read_bytes()).hexdigest()} if here else {})
        assert thing.attrs["source"]
    assert any(taken.things[Ref("dataset", "mlflow", f"{name}:{digest}")].digests for name, digest in told)


def test_models_are_as_mlflow_tells_them(taken: Taken) -> None:
    """Pitfall 4: models of 3.x are things of their own, with parameters, metrics by dataset, and files wherever these lie."""
    told = [model for experiment in taken.expected["experiments"] for model in experiment.get("logged_models", ())]
    for model in told:
        thing = taken.things[Ref("model", "mlflow", model["model_id"])]
        assert (thing.name, thing.params, thing.attrs["status"]) == (model["name"], model["params"], model["status"])
        assert (thing.attrs["run"], thing.attrs["tags"], thing.attrs["uri"]) == (
            model["source_run_id"], model["tags"], model["artifact_location"],
        )  # fmt: skip
        assert model["model_id"].startswith(thing.version) and not thing.digests
        found = {(one["name"], one["value"], one.get("split", "")) for one in thing.metrics}
        assert found == {
            (name, said(value, largest=True), dataset or "") for name, value, dataset, _, _ in model["metrics"]
        }
        assert {one["path"] for one in thing.attrs["files"]} >= {"MLmodel", "requirements.txt"}
    assert {one.ref.key for one in taken.logged()} == {model["model_id"] for model in told}


def test_the_registry_is_as_mlflow_tells_it(taken: Taken) -> None:
    """Pitfall 7: versions with aliases and stages; models without versions yield nothing."""
    told = {}
    for model in taken.expected["registered_models"]:
        for version in model["versions"]:
            key = f"{model['name']}@{version['version']}#{version['creation_timestamp']}"
            aliases = sorted(alias for alias, number in model["aliases"].items() if str(number) == version["version"])
            told[key] = (model, version, aliases)
    found = {thing.ref.key: thing for thing in taken.versions()}
    assert found.keys() == told.keys()
    for key, (model, version, aliases) in told.items():
        thing, attrs = found[key], found[key].attrs
        assert (thing.name, thing.version, thing.at) == (
            model["name"],
            version["version"],
            version["creation_timestamp"],
        )
        stage = "" if version["stage"] == "None" else version["stage"]
        assert (attrs.get("stage", ""), attrs.get("aliases", []), attrs.get("tags", {})) == (
            stage,
            aliases,
            version["tags"],
        )
        assert (attrs["source"], attrs.get("description", "")) == (version["source"], version["description"] or "")
        assert (attrs.get("run") or None, attrs["status"], attrs["lifecycle"]) == (
            version["run_id"],
            version["status"],
            "active",
        )
        assert attrs.get("model_tags", {}) == model["tags"]
        makers = {run.ref.key for run in taken.of("run") if ("made", thing.ref) in run.edges}
        assert makers == ({version["run_id"]} if version["run_id"] else set())
        logged = version["source"].removeprefix("models:/")
        if logged.startswith("m-"):
            assert thing.edges == [("from", Ref("model", "mlflow", logged))]


def test_an_environment_is_its_content(taken: Taken, real_tools: Path) -> None:
    """The requirements in a model's folder are one environment, however many runs used it."""
    (environment,) = taken.of("environment")
    keep = {one.path: one.data for one in environment.keep}
    assert environment.ref == Ref("environment", "content", hashlib.sha256(keep["requirements.txt"]).hexdigest())
    assert environment.digests["sha256"] == environment.ref.key
    assert {"conda.yaml", "python_env.yaml"} <= keep.keys() and environment.attrs["python"] == "3.11.7"
    users = {run.ref.key for run in taken.of("run") if ("used", environment.ref) in run.edges}
    makers = {
        run.ref.key
        for run in taken.of("run")
        for relation, to in run.edges
        if relation == "made" and to.kind == "model"
    }
    assert users == makers
    (alone,) = [one for one in importer("environment").read(Source(Path(environment.where))) if isinstance(one, Thing)]
    assert alone.ref == environment.ref, "the importer of listings meets it"


def test_a_model_of_2_x_is_known_by_its_run_and_path(real_tools: Path) -> None:
    """Before 3.x a model lies among a run's artifacts: the run made it, the registered versions come from it."""
    things, _ = read(real_tools / "mlflow-filestore")
    (model,) = [thing for thing in things.values() if thing.ref.kind == "model" and "@" not in thing.ref.key]
    run = things[Ref("run", "mlflow", model.ref.key.partition("/")[0])]
    assert model.ref.key == f"{run.ref.key}/knn" and ("made", model.ref) in run.edges
    folder = next((real_tools / "mlflow-filestore").rglob("knn"))
    assert model.attrs["files"] == [
        {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size}
        for path in sorted(folder.iterdir())
    ]
    assert model.attrs["flavors"] == ["python_function", "sklearn"]
    assert [thing.edges for thing in things.values() if "@" in thing.ref.key] == [[("from", model.ref)]] * 2


def test_commits_come_once_with_what_the_runs_say_of_them(database: Taken) -> None:
    """A commit is the git importer's thing, whoever names it."""
    told = {
        run["tags"]["mlflow.source.git.commit"]: run["tags"]["mlflow.source.git.branch"]
        for _, run in database.runs_expected() if "mlflow.source.git.commit" in run["tags"]
    }  # fmt: skip
    assert {thing.ref: thing.attrs for thing in database.of("code")} == {
        Ref("code", "git", commit): {"commit": commit, "branch": branch} for commit, branch in told.items()
    }


def test_hostile_text_stays_text(database: Taken) -> None:
    """Pitfall 11: markup and long values are taken as they are; `capturing` keeps what is too long beside the record."""
    assert "[red]not markup[/red] [link=x]y" in {run.name for run in database.of("run")}
    (long,) = [run for run in database.of("run") if any(len(text) > LONG_TEXT for text in run.params.values())]
    blobs: list[bytes] = []
    capturing._fact(long, blobs)
    assert max(map(len, blobs)) == 6_000


def test_two_readings_are_the_same(real_tools: Path) -> None:
    """The same source yields the same things in the same order."""
    for store in (*STORES, "mlflow-rest"):
        first, second = (list(importer("mlflow").read(Source(real_tools / store))) for _ in range(2))
        assert first == second and first


@pytest.mark.parametrize("place", ["mlflow-sqlite/mlflow.db", "mlflow-filestore/mlruns"])
def test_the_store_itself_may_be_named(real_tools: Path, place: str) -> None:
    """The database or the folder of runs says the same as the folder it lies in."""
    inner, _ = read(real_tools / place)
    outer, _ = read((real_tools / place).parent)
    assert {ref: (thing.attrs, thing.edges) for ref, thing in inner.items()} == {
        ref: (thing.attrs, thing.edges) for ref, thing in outer.items()
    }


def test_a_database_without_its_files_keeps_references(real_tools: Path, tmp_path: Path) -> None:
    """Pitfall 6: what is out of reach stays as its address, marked, and is no error."""
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path)
    things, unread = read(tmp_path)
    assert not unread and not [ref for ref in things if ref.kind == "environment"]
    models = [thing for thing in things.values() if thing.ref.key.startswith("m-")]
    assert models and all(
        model.attrs["unreachable"] and model.attrs["uri"] and "files" not in model.attrs for model in models
    )
    datasets = [
        thing for thing in things.values() if thing.ref.kind == "dataset" and thing.attrs["source_type"] == "local"
    ]
    assert datasets and all(one.attrs["unreachable"] and one.attrs["uri"] and not one.digests for one in datasets)


def test_a_map_says_where_the_files_lie_now(real_tools: Path, tmp_path: Path) -> None:
    """Pitfall 6: with `--map` the files are found wherever they went."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path)
    shutil.copytree(real_tools / "mlflow-sqlite" / "mlruns", tmp_path / "elsewhere" / "runs")
    found, unread = read(tmp_path, ("/tmp/ana-lab/mlruns", str(tmp_path / "elsewhere" / "runs")))
    there, _ = read(real_tools / "mlflow-sqlite")
    assert not unread
    models = {ref: thing.attrs["files"] for ref, thing in there.items() if "files" in thing.attrs}
    assert models and models == {ref: thing.attrs["files"] for ref, thing in found.items() if "files" in thing.attrs}


def test_what_was_taken_in_is_taken_in_once(real_tools: Path, tmp_path: Path) -> None:
    """R096: every store goes through plan and record; a second time, and from where it was moved to, there is nothing new."""
    keyring = Keyring(tmp_path / "keys")
    ana = keyring.new("Ana Ruiz", "ana@example.org")
    with Desk.with_keyring(tmp_path / "work", keyring, ana) as desk:
        project, _ = desk.found("churn")
        for store in STORES:
            runs = json.loads((real_tools / store / "expected.json").read_text())["summary"]["runs"]
            sources = [("mlflow", Source(real_tools / store))]
            with desk.capture_plan(project, sources) as made:
                assert not made.unread and made.counts["run", "new"] == runs
                desk.capture(project, made)
            with capturing.plan(desk.acts(project), sources) as again:
                assert again.nothing_new
            moved = Path(shutil.copytree(real_tools / store, tmp_path / "moved" / store))
            with capturing.plan(desk.acts(project), [("mlflow", Source(moved))]) as again:
                assert again.nothing_new
        # The server that answers from the database tells less of some things and nothing that is new.
        with capturing.plan(desk.acts(project), [("mlflow", Source(real_tools / "mlflow-rest"))]) as again:
            assert not again.unread and not again.count("new")


def test_a_guess_says_how_much_is_there(real_tools: Path) -> None:
    """What a folder holds is said in a line; other folders are not MLflow's."""
    words = {store: importer("mlflow").guess(real_tools / store) for store in (*STORES, "mlflow-rest")}
    for store, guess in words.items():
        assert guess is not None and guess.kind == "mlflow"
        if store != "mlflow-rest":
            runs = json.loads((real_tools / store / "expected.json").read_text())["summary"]["runs"]
            assert guess.words.startswith(f"MLflow, {runs} runs, newest ") and guess.things >= runs
    assert words["mlflow-rest"] is not None and "evaluate-champion auc 0.9977" in words["mlflow-rest"].words
    for other in sorted(one for one in real_tools.iterdir() if one.is_dir() and not one.name.startswith("mlflow")):
        assert importer("mlflow").guess(other) is None, other
    assert importer("mlflow").guess(real_tools / "nothing") is None


def test_a_store_that_is_damaged_is_named_beside_one_that_is_not(real_tools: Path, tmp_path: Path) -> None:
    """In the guess and in what was read; nothing of the other is lost."""
    shutil.copytree(real_tools / "mlflow-filestore" / "mlruns", tmp_path / "mlruns")
    there, _ = read(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    things, unread = read(tmp_path)
    assert things.keys() == there.keys()
    assert [(one.where, "cannot be read" in one.why) for one in unread] == [(str(tmp_path / "mlflow.db"), True)]
    guess = importer("mlflow").guess(tmp_path)
    assert guess is not None and guess.words.endswith("; but mlflow.db cannot be read")
    shutil.rmtree(tmp_path / "mlruns")
    guess = importer("mlflow").guess(tmp_path)
    assert guess is not None and guess.words == "MLflow, but mlflow.db cannot be read"
