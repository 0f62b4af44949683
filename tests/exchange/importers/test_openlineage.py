"""The OpenLineage importer: judged by the folds of the fixtures, then each way in which real event files are odd or damaged."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk
from carnet_store.core import canonical
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, openlineage, openlineage_fold, openlineage_log
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread
from carnet_store.work.identity import Keyring

RUN = "01900000-0000-7000-8000-00000000000"
FEAT = "postgres://wh.example.org:5432|crm.feat.churn"
CUSTOMERS = "postgres://wh.example.org:5432|crm.public.customers"


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    """Read a path; every thing must be fit for the record."""
    found = list(importer("openlineage").read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return things, [one for one in found if isinstance(one, Unread)]


def only(things: Iterable[Thing], kind: str, key: str = "") -> Thing:
    """Return the one thing of a kind whose key ends so."""
    (found,) = [thing for thing in things if thing.ref.kind == kind and thing.ref.key.endswith(key)]
    return found


def event(state: str = "COMPLETE", run: Any = "r1", minute: int = 0, **more: Any) -> dict[str, Any]:
    """Return a run event of job `ns|job`; `run` is its id or the whole run, `more` replaces other parts."""
    made: dict[str, Any] = {
        "eventTime": f"2026-03-02T04:{minute:02}:00Z", "eventType": state, "producer": "p", "schemaURL": "s",
        "run": {"runId": run, "facets": {}} if isinstance(run, str) else run, "job": {"namespace": "ns", "name": "job", "facets": {}}, "inputs": [], "outputs": [],
    }  # fmt: skip
    return made | more


def data(name: str, **more: Any) -> dict[str, Any]:
    """Return a dataset of namespace `db`."""
    return {"namespace": "db", "name": name, **more}


def lines(path: Path, *events: Any) -> Path:
    """Write events, one a line; text is written as it is."""
    path.write_text(
        "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in events), encoding="utf-8"
    )
    return path


def shape(things: Iterable[Thing]) -> list[Any]:
    """Return all of some things but the place where they stood."""
    return [(t.ref, t.name, t.version, t.attrs, t.at, t.edges, t.keep) for t in things]


# -- the fixtures --------------------------------------------------------------------------------------------------------


def folded(path: Path) -> dict[str, Any]:
    """Return what was read of a file in the form of its `expected.json`; states are sorted, since only their number is kept."""
    things, unread = read(path)
    runs: dict[str, Any] = {}
    edges: set[tuple[str, str]] = set()
    jobs: set[str] = set()
    columns = set()
    for thing in things:
        if thing.ref.kind == "dataset":
            for field, rows in thing.attrs.get("columns", {}).items():
                columns |= {(row["dataset"], row["field"], thing.ref.key, field) for row in rows}
            for row in thing.attrs.get("jobs", []):
                jobs.add(row["job"])
                edges.add((thing.ref.key, row["job"]) if row["relation"] == "used" else (row["job"], thing.ref.key))
        elif thing.ref.kind == "run":
            job = "|".join(thing.attrs["job"][part] for part in ("namespace", "name"))
            jobs.add(job)
            inputs, outputs = (
                sorted(ref.key for relation, ref in thing.edges if (relation, ref.kind) == (wanted, "dataset"))
                for wanted in ("used", "made")
            )
            edges |= {(key, job) for key in inputs} | {(job, key) for key in outputs}
            parents = [ref.key for relation, ref in thing.edges if (relation, ref.kind) == ("from", "run")]
            runs[thing.ref.key] = {
                "job": job, "states": sorted(Counter(thing.attrs["events"]).elements()), "inputs": inputs, "outputs": outputs,
                "parent": parents[0] if parents else None, "final": thing.attrs["state"],
            }  # fmt: skip
    with openlineage_log.Log([path]) as log:
        read_again = list(log.scan())
    datasets = sorted(thing.ref.key for thing in things if thing.ref.kind == "dataset")
    summary = {
        "events": len(read_again), "distinct_events": len(set(log.marks)), "unreadable_lines": len(unread), "event_kinds": log.kinds,
        "runs": len(runs), "runs_by_final_state": dict(Counter(run["final"] for run in runs.values())), "jobs": len(jobs),
        "datasets": len(datasets), "job_dataset_edges": len(edges), "column_edges": len(columns),
        "runs_with_parent": sum(run["parent"] is not None for run in runs.values()),
    }  # fmt: skip
    return {
        "summary": summary, "jobs": sorted(jobs), "datasets": datasets, "edges": sorted(map(list, edges)),
        "column_edges": sorted(map(list, columns)), "runs": runs,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["churn_daily", "dbt-ol"])
def test_the_fold_is_the_expected_one(real_tools: Path, name: str) -> None:
    """R096: runs, states, inputs, outputs, parents, jobs, datasets and column edges of both fixtures, all of them."""
    folder = real_tools / "openlineage"
    expected = json.loads((folder / f"{name}.expected.json").read_text(encoding="utf-8"))
    for run in expected["runs"].values():
        run["states"].sort()
    assert folded(folder / f"{name}.ndjson") == expected


def test_a_training_run_keeps_its_own_facet_and_names_its_commit(real_tools: Path) -> None:
    """A facet nobody specified stays as it is; its numbers are not taken for metrics. The commit becomes code that the run used (R061)."""
    things, _ = read(real_tools / "openlineage" / "churn_daily.ndjson")
    run = only(things, "run", RUN + "5")
    assert run.attrs["facets"]["training"]["metrics"] == {"auc": "0.9456", "f1": "0.8947"}
    assert run.attrs["facets"]["training"]["seed"] == 7
    assert not any(thing.metrics or thing.params or thing.digests for thing in things)
    commit = "dae682b52de6f246bea13ec5a7f70b347cf23e22"
    assert ("used", Ref("code", "git", commit)) in run.edges
    assert only(things, "code").attrs == {"commit": commit, "repository": "https://git.example.org/churn.git"}
    assert run.attrs["engine"] == {"name": "python", "version": "3.11.7", "adapter": "1.54.0"}
    assert run.attrs["environment_variables"] == ["CUDA_VISIBLE_DEVICES", "PYTHONHASHSEED"]
    assert run.attrs["datasets"] == [
        {"dataset": "s3://ml-lake|models/churn/1.4.0/model.skops", "relation": "made", "version": "1.4.0", "fileCount": 1, "size": 11481}
    ]  # fmt: skip
    assert (run.attrs["status"], run.attrs["started"], run.attrs["ended"]) == ("FINISHED", 1772424240000, 1772424360000)
    assert (run.name, run.at) == ("churn_daily.train", 1772424240000)
    assert "tags" not in run.attrs, "the tag that the client adds to each run is left out"


def test_a_uuid_is_one_run_however_it_is_written(tmp_path: Path) -> None:
    """One client writes capital letters, another small ones; an id that is no UUID stays as it is."""
    small = "0197a0b0-0000-7000-8000-000000000002"
    parent = {"facets": {"parent": {"run": {"runId": small.upper()}, "job": {"namespace": "n", "name": "p"}}}}
    path = lines(tmp_path / "e.ndjson", event("START", small.upper()), event("COMPLETE", small, 1), event(run="R1"),
                 {**event(run="r1"), "run": {"runId": "r1", **parent}})  # fmt: skip
    things, unread = read(path)
    assert not unread
    assert sorted(one.ref.key for one in things if one.ref.kind == "run") == [small, "R1", "r1"]
    assert only(things, "run", small).attrs["status"] == "FINISHED"
    assert ("from", Ref("run", "openlineage", small)) in only(things, "run", "r1").edges


def test_a_failed_run_says_why(real_tools: Path) -> None:
    """The error's message and stack are attributes; FAIL is FAILED, ABORT is KILLED, as MLflow has it."""
    things, _ = read(real_tools / "openlineage" / "churn_daily.ndjson")
    run = only(things, "run", RUN + "4")
    assert (run.attrs["status"], run.attrs["error"]) == ("FAILED", "MemoryError: 12 GiB")
    assert run.attrs["stack"].startswith("Traceback")
    assert only(things, "run", RUN + "6").attrs["status"] == "KILLED"


def test_datasets_have_schema_versions_and_columns(real_tools: Path) -> None:
    """R061: a field of an output names the fields it came from and how; what concerns all fields stands apart."""
    things, _ = read(real_tools / "openlineage" / "churn_daily.ndjson")
    customers, features = only(things, "dataset", CUSTOMERS), only(things, "dataset", FEAT)
    assert customers.attrs["versions"] == ["2026-03-01"]
    assert customers.attrs["source"] == "postgres://wh.example.org:5432/crm.public.customers"
    assert [row["name"] for row in customers.attrs["schema"]] == ["id", "age", "email"]
    assert features.attrs["columns"]["email_hash"] == [
        {"dataset": CUSTOMERS, "field": "email", "kind": "DIRECT TRANSFORMATION masked"}
    ]
    assert features.attrs["columns_of_all"] == [
        {"dataset": "postgres://wh.example.org:5432|crm.public.calls", "field": "ts", "kind": "INDIRECT FILTER"}
    ]
    assert features.at == 1772424090000, "the first time that any event told of it"


def test_assertions_become_a_check_that_the_run_made(real_tools: Path) -> None:
    """What was asserted is counted, what failed is listed; measures of data quality are attributes, no metrics (R024)."""
    things, _ = read(real_tools / "openlineage" / "churn_daily.ndjson")
    check = only(things, "check")
    assert check.ref == Ref("check", "openlineage", f"{RUN}3|{FEAT}")
    assert (check.attrs["outcome"], check.attrs["tests"], check.attrs["passed"]) == ("failed", 3, 2)
    assert check.attrs["failed"] == [{"assertion": "not_null", "column": "age_bucket", "success": False}]
    assert check.attrs["measured"]["columnMetrics"]["age_bucket"]["quantiles"] == {"0.5": "4.0"}
    assert check.edges == [("from", Ref("dataset", "openlineage", FEAT))]
    assert ("made", check.ref) in only(things, "run", RUN + "3").edges
    dbt = only(read(real_tools / "openlineage" / "dbt-ol.ndjson")[0], "check")
    assert (dbt.attrs["tests"], [row["name"] for row in dbt.attrs["failed"]]) == (3, ["not_null_features_age"])


def test_what_was_taken_in_is_taken_in_once(real_tools: Path, tmp_path: Path) -> None:
    """R096: the whole folder goes through plan and record; a second time there is nothing new."""
    keyring = Keyring(tmp_path / "keys")
    ana = keyring.new("Ana Ruiz", "ana@example.org")
    (tmp_path / "events").mkdir()
    for name in ("churn_daily.ndjson", "dbt-ol.ndjson"):
        (tmp_path / "events" / name).write_bytes((real_tools / "openlineage" / name).read_bytes())
    with Desk.with_keyring(tmp_path / "work", keyring, ana) as desk:
        project, _ = desk.found("churn")
        sources = [("openlineage", Source(tmp_path / "events"))]
        with desk.capture_plan(project, sources) as made:
            assert not made.unread
            assert (made.counts["run", "new"], made.counts["dataset", "new"], made.counts["check", "new"]) == (13, 8, 2)
            desk.capture(project, made)
        with capturing.plan(desk.acts(project), sources) as again:
            assert again.nothing_new


# -- one set of events, many files ---------------------------------------------------------------------------------------


def test_order_repetition_and_files_do_not_matter(real_tools: Path, tmp_path: Path) -> None:
    """The same events shuffled, twice, as a list, one a file, or indented give the same things."""
    whole = real_tools / "openlineage" / "churn_daily.ndjson"
    events = [json.loads(line) for line in whole.read_text(encoding="utf-8").splitlines()]
    wanted = shape(read(whole)[0])
    texts = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    for seed in range(5):
        mixed = texts + random.Random(seed).sample(texts, 9)
        random.Random(seed).shuffle(mixed)
        (tmp_path / "mixed.ndjson").write_text("".join(mixed), encoding="utf-8")
        things, unread = read(tmp_path / "mixed.ndjson")
        assert not unread
        counted = {t.ref: t.attrs.get("events") for t in things}
        assert sum(sum(found.values()) for found in counted.values() if found) == 15, "a repeated event counts once"
        assert shape(things) == wanted
    (tmp_path / "list.json").write_text(json.dumps(events, indent=2), encoding="utf-8-sig")
    (tmp_path / "one-line-list.json").write_text(json.dumps(events), encoding="utf-8")
    (tmp_path / "after-each-other.json").write_text(
        "\n".join(json.dumps(one, indent=1) for one in events), encoding="utf-8"
    )
    (tmp_path / "windows.ndjson").write_bytes("".join(texts).replace("\n", "\r\n").encode("utf-8-sig"))
    (tmp_path / "each").mkdir()
    for number, one in enumerate(events):
        (tmp_path / "each" / f"{number:02}.json").write_text(json.dumps(one, indent=4 * (number % 2)), encoding="utf-8")
    for name in ("list.json", "one-line-list.json", "after-each-other.json", "windows.ndjson", "each"):
        things, unread = read(tmp_path / name)
        again = [(ref, *rest) for ref, *rest in shape(things)]
        assert not unread, name
        assert [one[0] for one in again] == [one[0] for one in wanted], name
        assert [one[3] for one in again] == [one[3] for one in wanted], name


def test_a_terminal_state_wins_over_what_came_later(tmp_path: Path) -> None:
    """OTHER after COMPLETE changes nothing; of two ends the later one counts; inputs and outputs of all events are united."""
    path = lines(
        tmp_path / "e.ndjson",
        event("OTHER", minute=9, outputs=[data("late")]), event("COMPLETE", minute=5, outputs=[data("out")]),
        event("START", minute=1, inputs=[data("in")]), event("FAIL", run="r2", minute=2), event("COMPLETE", run="r2", minute=3),
    )  # fmt: skip
    things, unread = read(path)
    assert not unread
    run = only(things, "run", "r1")
    assert (run.attrs["state"], run.attrs["status"]) == ("COMPLETE", "FINISHED")
    assert (run.attrs["ended"] - run.attrs["started"]) == 4 * 60_000
    assert run.attrs["events"] == {"COMPLETE": 1, "OTHER": 1, "START": 1}
    assert sorted((relation, ref.key) for relation, ref in run.edges) == [
        ("made", "db|late"),
        ("made", "db|out"),
        ("used", "db|in"),
    ]
    assert only(things, "run", "r2").attrs["state"] == "COMPLETE"


def test_runs_without_an_end_or_a_start(tmp_path: Path) -> None:
    """No terminal event: running, no end. Only an end: no start is made up. No eventType at all: still a run with its datasets."""
    typeless = event(run="r3", outputs=[data("x")])
    del typeless["eventType"]
    path = lines(tmp_path / "e.ndjson", event("START", run="r1"), event("COMPLETE", run="r2", minute=3), typeless)
    things, unread = read(path)
    assert not unread
    first, second, third = (only(things, "run", key) for key in ("r1", "r2", "r3"))
    assert (first.attrs["status"], "ended" in first.attrs) == ("RUNNING", False)
    assert ("started" in second.attrs, second.at) == (False, second.attrs["ended"])
    assert (third.attrs["events"], third.attrs["status"], len(third.edges)) == ({"NONE": 1}, "RUNNING", 1)


def test_a_job_may_read_what_it_writes(tmp_path: Path) -> None:
    """A job that reads and appends one table has both edges; the facets of the output describe it."""
    schema = {"schema": {"fields": [{"name": "new", "type": "INT"}]}}
    old = {"schema": {"fields": [{"name": "old"}]}}
    path = lines(tmp_path / "e.ndjson", event(inputs=[data("t", facets=old)], outputs=[data("t", facets=schema)]))
    things, _ = read(path)
    assert [(relation, ref.key) for relation, ref in only(things, "run").edges] == [("made", "db|t"), ("used", "db|t")]
    assert only(things, "dataset").attrs["schema"] == [{"name": "new", "type": "INT"}]


def test_a_parent_that_is_not_in_the_source_is_still_named(tmp_path: Path) -> None:
    """The edge leads to the run's id, so that it meets when the parent is taken in; a run is never its own parent."""
    parent = {
        "parent": {
            "run": {"runId": "elsewhere"},
            "job": {"namespace": "ns", "name": "dag"},
            "root": {"run": {"runId": "top"}},
        }
    }
    self_made = {"parent": {"run": {"runId": "r2"}}}
    path = lines(
        tmp_path / "e.ndjson", event(run={"runId": "r1", "facets": parent}), event(run={"runId": "r2", "facets": self_made})
    )  # fmt: skip
    things, _ = read(path)
    run = only(things, "run", "r1")
    assert run.edges == [("from", Ref("run", "openlineage", "elsewhere"))]
    assert (run.attrs["parent"], run.attrs["root"]) == ({"run": "elsewhere", "job": "ns|dag"}, {"run": "top"})
    assert only(things, "run", "r2").edges == []


# -- job and dataset events ----------------------------------------------------------------------------------------------


def job_event(**facets: Any) -> dict[str, Any]:
    """Return a job event: what a job is declared to read and write, without a run."""
    made = event(minute=30, inputs=[data("in")], outputs=[data("out")])
    del made["run"], made["eventType"]
    made["job"]["facets"] = facets
    return made


def test_what_is_said_of_a_job_stands_at_its_runs(tmp_path: Path) -> None:
    """A job event describes the runs of its job; the run's own facets win, and its commit is never that of a later declaration."""
    where = {"type": "git", "version": "b" * 40, "repoUrl": "https://git.example.org/x"}
    own = event(job={"namespace": "ns", "name": "job", "facets": {"documentation": {"description": "mine"}}})
    said = job_event(
        documentation={"description": "declared"}, ownership={"owners": [{"name": "team:data"}]}, sourceCodeLocation=where,
        tags={"tags": [{"key": "pii", "value": "true"}]}, house={"rule": 1},
    )  # fmt: skip
    things, unread = read(
        lines(tmp_path / "e.ndjson", own, said, event(run="other", job={"namespace": "ns", "name": "else"}))
    )
    assert not unread
    run = only(things, "run", "r1")
    assert (run.attrs["description"], run.attrs["owners"], run.attrs["job_facets"]) == (
        "mine",
        ["team:data"],
        {"house": {"rule": 1}},
    )
    assert run.attrs["job_tags"] == [{"key": "pii", "value": "true"}]
    assert not run.edges and not [thing for thing in things if thing.ref.kind == "code"]
    assert "owners" not in only(things, "run", "other").attrs


def test_a_job_without_runs_gives_its_datasets(tmp_path: Path) -> None:
    """Nothing is unread: the datasets are known, each with the job that is declared to read or write it."""
    things, unread = read(lines(tmp_path / "e.ndjson", job_event()))
    assert not unread
    assert {t.ref.key: t.attrs["jobs"] for t in things} == {
        "db|in": [{"job": "ns|job", "relation": "used"}], "db|out": [{"job": "ns|job", "relation": "made"}],
    }  # fmt: skip


def dataset_event(name: str, minute: int, **facets: Any) -> dict[str, Any]:
    """Return a dataset event."""
    made = event(minute=minute, dataset=data(name, facets=facets))
    for part in ("run", "job", "inputs", "outputs", "eventType"):
        del made[part]
    return made


def test_the_newest_facet_describes_a_dataset(tmp_path: Path) -> None:
    """Facets replace each other by time, not by place; a deleted one is gone; versions are kept, all of them."""
    path = lines(
        tmp_path / "e.ndjson",
        dataset_event("t", 7, documentation={"description": "new"}, version={"datasetVersion": "2"}, ownership={"_deleted": True}),
        dataset_event("t", 3, documentation={"description": "old"}, version={"datasetVersion": "1"}, mine={"a": [1.5]},
                      ownership={"owners": [{"name": "team:a"}]}, dataSource={"name": "db", "uri": "db"}),
        dataset_event("t", 5, symlinks={"identifiers": [{"namespace": "hive", "name": "x.t", "type": "TABLE"}]},
                      lifecycleStateChange={"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": "db", "name": "s"}}),
    )  # fmt: skip
    things, unread = read(path)
    found = only(things, "dataset", "db|t")
    assert not unread
    assert found.attrs == {
        "source": "db:t", "namespace": "db", "description": "new", "versions": ["1", "2"], "facets": {"mine": {"a": ["1.5"]}},
        "symlinks": [{"dataset": "hive|x.t", "type": "TABLE"}], "lifecycle": "RENAME", "renamed_from": ["db|s"],
    }  # fmt: skip
    assert found.edges == [("from", Ref("dataset", "openlineage", "db|s"))]


def test_versions_of_a_dataset_are_bounded(tmp_path: Path) -> None:
    """The newest versions are listed, whatever the order of the events."""
    events = [dataset_event("t", n % 60, version={"datasetVersion": f"v{n:02}"}) for n in range(60)]
    random.Random(1).shuffle(events)
    found = only(read(lines(tmp_path / "e.ndjson", *events))[0], "dataset")
    assert found.attrs["versions"] == [f"v{n:02}" for n in range(60 - openlineage.MOST_VERSIONS, 60)]


def test_columns_of_several_jobs_and_of_old_facets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job's newest column lineage counts, and they are united; the spelling before 1.1 is read; what is too much is counted."""

    def writes(job: str, minute: int, source: str, **more: Any) -> dict[str, Any]:
        facet = {"fields": {"größe": {"inputFields": [{**data(source), "field": "b"}], **more}}}
        out = data("out", facets={"columnLineage": facet})
        return event(run=f"{job}{minute}", minute=minute, outputs=[out], job={"namespace": "ns", "name": job})

    path = lines(
        tmp_path / "e.ndjson",
        writes("a", 9, "new", transformationType="IDENTITY"),
        writes("a", 1, "old"),
        writes("b", 2, "b"),
    )
    rows = only(read(path)[0], "dataset", "out").attrs["columns"]
    assert rows == {
        "größe": [
            {"dataset": "db|b", "field": "b", "kind": ""},
            {"dataset": "db|new", "field": "b", "kind": "IDENTITY"},
        ]
    }
    monkeypatch.setattr(openlineage_fold, "MOST_COLUMN_EDGES", 1)
    attrs = only(read(path)[0], "dataset", "out").attrs
    assert (sum(map(len, attrs["columns"].values())), attrs["columns_left_out"]) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([{"assertion": "a", "success": True}], "passed"),
        ([{"assertion": "a", "success": False, "severity": "warn"}], "warned"),
        ([{"assertion": "a", "success": True}, {"assertion": "b", "success": "yes"}], "failed"),
        ([], "measured"),
    ],
)
def test_outcome_of_assertions(tmp_path: Path, rows: list[Any], outcome: str) -> None:
    """Only `true` has passed; a failed warning is a warning; without assertions there is nothing to pass."""
    out = data(
        "t",
        facets={"dataQualityAssertions": {"assertions": rows}},
        outputFacets={"dataQualityMetrics": {"rowCount": 3}},
    )
    check = only(read(lines(tmp_path / "e.ndjson", event(outputs=[out])))[0], "check")
    assert (check.attrs["outcome"], check.attrs["measured"]) == (outcome, {"rowCount": 3})


def test_facets_of_other_shapes_say_nothing(tmp_path: Path) -> None:
    """Wherever the specification has an object, a list or text, anything else may stand; nothing breaks."""
    shapes: list[Any] = [None, 0, True, "x", [], [1], {}, {"a": None}, [[]], [{}], [{"name": 1}]]
    for odd in shapes:
        names = [
            "parent",
            "errorMessage",
            "processing_engine",
            "nominalTime",
            "environmentVariables",
            "tags",
            "spark_properties",
            "mine",
        ]
        dataset = data("t", facets={name: odd for name in (
            "schema", "version", "symlinks", "lifecycleStateChange", "dataSource", "documentation", "ownership", "tags", "columnLineage",
            "dataQualityAssertions", "dataQualityMetrics")}, inputFacets=odd, outputFacets={"outputStatistics": odd})  # fmt: skip
        facet = {"schema": {"fields": odd}, "columnLineage": {"fields": odd, "dataset": odd}, "symlinks": {"identifiers": odd},
                 "lifecycleStateChange": {"lifecycleStateChange": "RENAME", "previousIdentifier": odd}}  # fmt: skip
        events = [
            event(run={"runId": "r1", "facets": dict.fromkeys(names, odd)}, outputs=[dataset], inputs=[data("t", facets=facet)]),
            event(run={"runId": "r2", "facets": odd}, job=odd, inputs=odd, outputs=odd, producer=odd),
            event(odd if isinstance(odd, str) else "START", run="r3"), {**event(run="r4"), "eventType": odd},
        ]  # fmt: skip
        things, _ = read(lines(tmp_path / "e.ndjson", *events))
        assert {thing.ref.key for thing in things if thing.ref.kind == "run"} == {"r1", "r2", "r3", "r4"}


def test_a_dataset_without_name_is_reported(tmp_path: Path) -> None:
    """The rest of the event is read; many such places are counted."""
    events = [event(run=f"r{n}", inputs=[{"namespace": "db"}, data("in")]) for n in range(30)]
    things, unread = read(lines(tmp_path / "e.ndjson", *events))
    assert len([thing for thing in things if thing.ref.kind == "run"]) == 30
    assert len(unread) == openlineage_log.NAMED + 1 and unread[-1].why.startswith("10 more")


# -- what is not taken ---------------------------------------------------------------------------------------------------


def test_secrets_are_left_out(tmp_path: Path) -> None:
    """Values of the environment, properties, user info of addresses, values under a secret's name: none of it is in any thing."""
    facets = {
        "environmentVariables": {"environmentVariables": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2"}]},
        "spark_properties": {"properties": {"spark.hadoop.fs.s3a.endpoint": "hunter2"}},
        "mine": {"apiKey": "hunter2", "password": "hunter2", "max_tokens": 5, "pairs": [{"name": "db_password", "value": "hunter2"}]},
        "errorMessage": {"message": "no answer from https://ana:hunter2@host/x?sig=hunter2&page=1"},
    }  # fmt: skip
    out = {"namespace": "postgres://ana:hunter2@host:5432", "name": "t"}
    job = {"namespace": "ns", "name": "job", "facets": {
        "sourceCodeLocation": {"type": "git", "repoUrl": "https://x:hunter2@git.example.org/churn.git", "version": "A" * 40},
        "sql": {"query": "copy t from 's3://b/x?X-Amz-Signature=hunter2'"}}}  # fmt: skip
    things, _ = read(lines(tmp_path / "e.ndjson", event(run={"runId": "r1", "facets": facets}, outputs=[out], job=job)))
    assert "hunter2" not in repr(things)
    run = only(things, "run")
    assert run.attrs["environment_variables"] == ["AWS_SECRET_ACCESS_KEY"]
    assert run.attrs["facets"]["spark_properties"] == {"properties": ["spark.hadoop.fs.s3a.endpoint"]}
    assert run.attrs["facets"]["mine"]["max_tokens"] == 5
    assert "page=1" in run.attrs["error"]
    assert only(things, "dataset").ref.key == "postgres://host:5432|t"
    assert only(things, "code").ref.key == "a" * 40


def test_a_short_commit_names_no_code(tmp_path: Path) -> None:
    """Seven characters are no identity; they stay an attribute."""
    job = {"namespace": "ns", "name": "job", "facets": {"sourceCodeLocation": {"type": "git", "version": "dae682b"}}}
    things, _ = read(lines(tmp_path / "e.ndjson", event(job=job)))
    assert [thing.ref.kind for thing in things] == ["run"]
    assert things[0].attrs["code"] == {"version": "dae682b", "type": "git"}


def test_a_deep_facet_becomes_a_file(tmp_path: Path) -> None:
    """The record holds few levels; what is deeper travels beside it, whole."""
    deep: Any = "end"
    for _ in range(30):
        deep = {"in": [deep]}
    things, _ = read(
        lines(tmp_path / "e.ndjson", event(run={"runId": "r1", "facets": {"plan/../x": deep, "flat": {"a": 1}}}))
    )
    run = only(things, "run")
    assert run.attrs["facets"] == {"flat": {"a": 1}}
    (kept,) = run.keep
    assert (kept.name, kept.path) == ("facets.plan/../x", "plan_x.json")
    assert json.loads(kept.data) == deep
