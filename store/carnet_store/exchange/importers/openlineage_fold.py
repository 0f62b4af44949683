"""What OpenLineage events say, and the folding of a run's or a dataset's events into things.

Facets are objects that anybody may add: those of the specification that Carnet has a place for are taken apart here, every other one is kept as it
is under `facets`, without what may be a secret. Whatever has another shape than the specification gives it counts as not said.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from carnet_store.exchange.importers.openlineage_log import Log, kind_of, run_id, time_ns
from carnet_store.exchange.importers.scrub import address, tidy
from carnet_store.exchange.importers.things import Keep, Ref, Thing, plain

SYSTEM: Final = "openlineage"
STATUS: Final[Mapping[str, str]] = {"COMPLETE": "FINISHED", "FAIL": "FAILED", "ABORT": "KILLED"}
"""A run's final event and the status it means; every other run is RUNNING as far as its events say."""
COLUMNS: Final = "columnLineage"
MOST_COLUMN_EDGES: Final = 20_000
MOST_FIELDS: Final = 5_000
MOST_LEVELS: Final = 5
"""Levels of an unknown facet that stand in the record."""

_SEVERITY: Final = {"": 0, "COMPLETE": 1, "ABORT": 2, "FAIL": 3}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CLIENT: Final = "OPENLINEAGE_CLIENT"
_QUALITY: Final = ("dataQualityAssertions", "dataQualityMetrics")
_OF_RUN: Final = {"parent", "errorMessage", "processing_engine", "nominalTime", "environmentVariables", "tags"}
_OF_JOB: Final = {"documentation", "jobType", "ownership", "sql", "sourceCodeLocation", "tags"}
_OF_DATASET: Final = {
    "schema", "version", "symlinks", "lifecycleStateChange", "dataSource", "documentation", "ownership", "tags", *_QUALITY,
}  # fmt: skip
_NAMES_ONLY: Final = {"environment-properties", "spark_properties"}
"""Facets of settings as free as an environment: the names are taken, the values are not."""

# -- what an event says --------------------------------------------------------------------------------------------------


def part(value: Any, *keys: str) -> dict[str, Any]:
    """Return the object under these keys, an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return text, empty where it is none."""
    return value if isinstance(value, str) else ""


def key_of(one: Any) -> str:
    """Return `namespace|name` of a job or dataset; empty where one of them is missing. User info of an address is no part of it."""
    namespace, name = (text(one.get(key)) for key in ("namespace", "name")) if isinstance(one, dict) else ("", "")
    return f"{address(namespace)}|{address(name)}" if namespace and name else ""


def mentions(event: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (`made`, `used` or empty, key, the dataset as it stands there); the key is empty where it is not named."""
    roles = [("made", event.get("outputs")), ("used", event.get("inputs"))]
    if kind_of(event) == "dataset":
        roles.append(("", [event["dataset"]]))
    for role, found in roles:
        for one in found if isinstance(found, list) else []:
            yield role, key_of(one), one if isinstance(one, dict) else {}


def facets_of(one: Mapping[str, Any], slot: str = "facets") -> dict[str, dict[str, Any]]:
    """Return the facets of a run, job or dataset by name."""
    return {name: facet for name, facet in part(one.get(slot)).items() if isinstance(facet, dict)}


def commit_of(job: Mapping[str, Any]) -> tuple[str, str]:
    """Return (commit, repository) of a job's source code; both empty where it names no whole git commit."""
    where = part(job.get("sourceCodeLocation"))
    version = text(where.get("version")).strip().lower()
    if text(where.get("type")).lower() not in ("", "git") or not _COMMIT.fullmatch(version):
        return "", ""
    return version, address(text(where.get("repoUrl")) or text(where.get("url")))


def code_thing(commit: str, repository: str) -> Thing:
    """Return a commit as the git importer knows it, with the repository that an event names."""
    name = repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return Thing(
        Ref("code", "git", commit), name or commit[:12], commit[:12] if name else "",
        attrs=_filled({"commit": commit, "repository": repository}), where=f"commit {commit[:12]}",
    )  # fmt: skip


def _ms(ns: int) -> int:
    return ns // 1_000_000


def _filled(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that say something."""
    return {
        key: value for key, value in attrs.items() if value is not None and value != "" and value != [] and value != {}
    }


def _kept(name: str, facet: Mapping[str, Any]) -> Any:
    """Return an unknown facet as it is kept: all of it but what may be secret."""
    if name in _NAMES_ONLY:
        return {key: sorted(inner) if isinstance(inner, dict) else tidy(inner) for key, inner in facet.items()}
    return tidy(dict(facet))


def _file(thing: Thing, slots: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Thing:
    """Give a thing its unknown facets, by the attribute they stand under; a deep one becomes a file, since the record holds few levels."""
    for attribute, facets in slots.items():
        found = {name: _kept(name, facet) for name, facet in sorted(facets.items())}
        deep = [name for name, facet in found.items() if _deeper(facet, MOST_LEVELS)]
        for name in deep:
            data = json.dumps(found.pop(name), ensure_ascii=False, sort_keys=True, indent=1).encode()
            thing.keep.append(Keep(f"{attribute}.{name}", f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:80]}.json", data))
        thing.attrs |= {attribute: plain(found)} if found else {}
    return thing


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list) or not value:
        return False
    return levels == 0 or any(
        _deeper(one, levels - 1) for one in (value.values() if isinstance(value, dict) else value)
    )


def _bare(facet: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL")}


def _owners(facet: Mapping[str, Any]) -> list[str]:
    return [name for one in objects(facet.get("owners")) if (name := text(one.get("name")))]


def _tags(facet: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return tags; the one that the client adds to each run is left out."""
    return [tidy(one) for one in objects(facet.get("tags")) if one.get("source") != _CLIENT]


# -- datasets ------------------------------------------------------------------------------------------------------------


class Known:
    """A dataset while events are scanned: the newest event, by number, for each facet; column lineage apart for each job."""

    __slots__ = ("facets", "first", "jobs", "key", "renamed", "versions")

    def __init__(self, key: str, number: int) -> None:
        """Know a dataset from the event `number` on."""
        self.key, self.first = key, number
        self.facets: dict[tuple[str, str], int] = {}
        self.versions: dict[str, int] = {}
        self.renamed: set[str] = set()
        self.jobs: set[tuple[str, str]] = set()


def dataset_ref(key: str) -> Ref:
    """Return the place of a dataset in OpenLineage."""
    return Ref("dataset", SYSTEM, key)


def dataset_thing(log: Log, known: Known) -> Thing:
    """Return a dataset as its newest facets describe it.

    Raises:
        Invalid: a file changed since it was scanned.
    """
    namespace, _, name = known.key.partition("|")
    joined = f"{namespace.rstrip('/')}/{name.lstrip('/')}" if "://" in namespace else f"{namespace}:{name}"
    attrs: dict[str, Any] = {"source": joined, "namespace": namespace}
    columns = _Columns()
    facets: dict[str, dict[str, Any]] = {}
    for slot in sorted(known.facets, key=lambda one: (log.order(known.facets[one]), one)):
        facet = _facet(log.event(known.facets[slot]), known.key, slot[0])
        if facet.get("_deleted") is True:
            continue
        if slot[0] == COLUMNS:
            columns.add(facet)
        elif slot[0] in _OF_DATASET:
            attrs |= _described(slot[0], facet)
        else:
            facets[slot[0]] = facet
    if attrs.get("data_source") == namespace:
        del attrs["data_source"]
    attrs |= {
        "versions": sorted(known.versions, key=lambda one: (known.versions[one], one)),
        "columns": {field: list(rows.values()) for field, rows in columns.fields.items() if rows},
        "columns_of_all": list(columns.all.values()), "columns_left_out": columns.left or None,
        "renamed_from": sorted(known.renamed),
        "jobs": [{"job": job, "relation": relation} for job, relation in sorted(known.jobs)],
    }  # fmt: skip
    thing = Thing(
        dataset_ref(known.key), name, attrs=plain(_filled(attrs)), at=_ms(log.times[known.first]), where=log.where(known.first),
        edges=[("from", dataset_ref(before)) for before in sorted(known.renamed) if before != known.key],
    )  # fmt: skip
    return _file(thing, {"facets": facets})


def _facet(event: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    """Return a dataset's facet in an event; where the event has it twice (a job that reads what it writes) that of the output."""
    return next((f for _, k, one in mentions(event) if k == key and (f := facets_of(one).get(name)) is not None), {})


def _described(name: str, facet: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that a facet of a dataset gives."""
    match name:
        case "schema":
            fields = objects(facet.get("fields"))
            return {"schema": _fields(fields), "schema_left_out": max(0, len(fields) - MOST_FIELDS) or None}
        case "symlinks":
            found = [
                {"dataset": key_of(one), "type": text(one.get("type"))} for one in objects(facet.get("identifiers"))
            ]
            return {"symlinks": [one for one in found if one["dataset"]]}
        case "lifecycleStateChange":
            return {"lifecycle": text(facet.get("lifecycleStateChange"))}
        case "dataSource":
            return {"data_source": address(text(facet.get("uri")))}
        case "documentation":
            return {"description": text(facet.get("description"))}
        case "ownership":
            return {"owner": ", ".join(_owners(facet))}
        case "tags":
            return {"tags": _tags(facet)}
    return {}


def _fields(fields: Iterable[dict[str, Any]], depth: int = 6) -> list[dict[str, Any]]:
    made = []
    for one in itertools.islice(fields, MOST_FIELDS):
        row: dict[str, Any] = {key: text(one.get(key)) for key in ("name", "type", "description") if text(one.get(key))}
        inner = _fields(objects(one.get("fields")), depth - 1) if depth else []
        made.append({**row, "fields": inner} if inner else row)
    return made


class _Columns:
    """Which columns came from which, over the newest facets of all jobs that write a dataset."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
        self.all: dict[tuple[str, ...], dict[str, str]] = {}
        self.left = 0
        self._room = MOST_COLUMN_EDGES

    def add(self, facet: dict[str, Any]) -> None:
        for field, said in part(facet, "fields").items():
            self._take(
                self.fields.setdefault(field, {}),
                part(said).get("inputFields"),
                text(part(said).get("transformationType")),
            )
        self._take(self.all, facet.get("dataset"), "")

    def _take(self, rows: dict[tuple[str, ...], dict[str, str]], found: Any, kind: str) -> None:
        for one in objects(found):
            key, field = key_of(one), text(one.get("field"))
            kinds = dict.fromkeys(_transformation(step) for step in objects(one.get("transformations")))
            row = (key, field, ", ".join(filter(None, kinds)) or kind)
            if not key or row in rows:
                continue
            if self._room > 0:
                rows[row] = {"dataset": row[0], "field": row[1], "kind": row[2]}
                self._room -= 1
            else:
                self.left += 1


def _transformation(step: Mapping[str, Any]) -> str:
    words = [text(step.get("type")), text(step.get("subtype")), "masked" if step.get("masking") is True else ""]
    return " ".join(filter(None, words))


# -- runs ----------------------------------------------------------------------------------------------------------------


def run_things(log: Log, run: str, numbers: Iterable[int], declared: Mapping[str, Mapping[str, int]]) -> list[Thing]:
    """Return a run, and a check for each dataset that it made assertions about or measured.

    Args:
        log: the scanned events.
        run: its runId.
        numbers: its events.
        declared: for each job, its facets to the newest job event that has them.

    Raises:
        Invalid: a file changed since it was scanned.
    """
    story = _Story(run, log.where(min(numbers, key=log.order)))
    marks = set()
    for number in sorted(numbers, key=log.order):
        if log.order(number) not in marks:
            marks.add(log.order(number))
            story.add(log.event(number), log.times[number])
    for name, number in sorted(declared.get(story.job, {}).items()):
        story.declared[name] = facets_of(part(log.event(number).get("job"))).get(name, {})
    return [story.thing(), *story.checks()]


class _Story:
    """The events of one run, oldest first, as they come together."""

    def __init__(self, run: str, where: str) -> None:
        self.run, self.where = run, where
        self.job = self.job_name = self.producer = ""
        self.states: Counter[str] = Counter()
        self.final: tuple[int, int, str] = (0, 0, "")
        self.latest = ""
        self.begun = self.going = self.first = 0
        self.facets: dict[str, dict[str, Any]] = {}
        self.job_facets: dict[str, dict[str, Any]] = {}
        self.declared: dict[str, dict[str, Any]] = {}
        self.edges: dict[tuple[str, str], dict[str, Any]] = {}
        self.slots: dict[str, dict[str, dict[str, Any]]] = {}
        self.quality: dict[str, dict[tuple[str, str], tuple[int, dict[str, Any]]]] = {}

    def add(self, event: Mapping[str, Any], time: int) -> None:
        """Take in the next event; `time` in ns, 0 where it has none."""
        state = text(event.get("eventType")).strip().upper()
        self.states[state or "NONE"] += 1
        self.latest = state or self.latest
        if state in STATUS:
            self.final = max(self.final, (time, _SEVERITY[state], state))
        if time:
            self.first = self.first or time
            self.begun = self.begun or (time if state == "START" else 0)
            self.going = self.going or (time if state not in STATUS else 0)
        job = part(event, "job")
        self.job, self.job_name = key_of(job) or self.job, text(job.get("name")) or self.job_name
        self.producer = address(text(event.get("producer"))) or self.producer
        self.facets |= facets_of(part(event, "run"))
        self.job_facets |= facets_of(job)
        for role, key, one in mentions(event):
            if key:
                self._dataset(self.edges.setdefault((role, key), {}), key, one, time)

    def _dataset(self, row: dict[str, Any], key: str, one: Mapping[str, Any], time: int) -> None:
        """Note what this run says of a dataset: which version, how much of it, what it measured."""
        version = text(facets_of(one).get("version", {}).get("datasetVersion"))
        if version:
            row["version"] = version
        for slot in ("facets", "inputFacets", "outputFacets"):
            for name, facet in facets_of(one, slot).items():
                if name in _QUALITY:
                    self.quality.setdefault(key, {})[slot, name] = (time, facet)
                elif slot == "facets":
                    continue
                elif name in ("inputStatistics", "outputStatistics"):
                    row |= {k: v for k, v in _bare(facet).items() if isinstance(v, int)}
                else:
                    self.slots.setdefault("input_facets" if slot == "inputFacets" else "output_facets", {})[
                        f"{name} of {key}"
                    ] = facet

    def thing(self) -> Thing:
        """Return the run."""
        job = {**{n: f for n, f in self.declared.items() if n != "sourceCodeLocation"}, **self.job_facets}
        job = {name: facet for name, facet in job.items() if facet.get("_deleted") is not True}
        state = self.final[2] or self.latest
        begun = self.begun or self.going  # a run of which only the end is told has no start
        namespace, _, name = self.job.partition("|")
        attrs: dict[str, Any] = {
            "job": _filled({"namespace": namespace, "name": name or self.job_name}),
            "status": STATUS.get(state, "RUNNING"), "commit": commit_of(self.job_facets)[0], "state": state, "events": dict(sorted(self.states.items())),
            "started": _ms(begun) if begun else None, "ended": _ms(self.final[0]) if self.final[0] else None,
            "producer": self.producer, **_run_attrs(self.facets), **_job_attrs(job),
            "datasets": [
                {"dataset": key, "relation": role, **row} for (role, key), row in sorted(self.edges.items()) if row
            ],
        }  # fmt: skip
        edges = [(role, dataset_ref(key)) for role, key in sorted(self.edges)]
        edges += [("made", self._check(key)) for key in sorted(self.quality)]
        parent = run_id(text(part(self.facets.get("parent"), "run").get("runId")))
        if parent and parent != self.run:
            edges.append(("from", Ref("run", SYSTEM, parent)))
        commit = commit_of(self.job_facets)[0]
        if commit:
            edges.append(("used", Ref("code", "git", commit)))
        thing = Thing(
            Ref("run", SYSTEM, self.run), self.job_name or self.run, attrs=plain(_filled(attrs)), at=_ms(begun or self.first), edges=edges,
            where=self.where,
        )  # fmt: skip
        unknown = {name: facet for name, facet in self.facets.items() if name not in _OF_RUN}
        of_job = {name: facet for name, facet in job.items() if name not in _OF_JOB}
        return _file(thing, {"facets": unknown, "job_facets": of_job, **self.slots})

    def _check(self, key: str) -> Ref:
        return Ref("check", SYSTEM, f"{self.run}|{key}")

    def checks(self) -> Iterator[Thing]:
        """Yield a check for each dataset with assertions or measures."""
        for key, found in sorted(self.quality.items()):
            rows: dict[str, dict[str, Any]] = {}
            measured: dict[str, Any] = {}
            for (_, name), (_, facet) in sorted(found.items(), key=lambda one: one[0]):
                if name == "dataQualityMetrics":
                    measured |= tidy(_bare(facet))
                else:
                    rows |= {repr(sorted(row.items(), key=str)): row for row in objects(facet.get("assertions"))}
            attrs = {**_verdict(list(rows.values())), "measured": measured, "dataset": key, "job": self.job_name}
            name = key.partition("|")[2]
            yield Thing(
                self._check(key), f"assertions on {name}" if rows else f"measures of {name}", attrs=plain(_filled(attrs)),
                at=_ms(max(time for time, _ in found.values())), edges=[("from", dataset_ref(key))], where=self.where,
            )  # fmt: skip


def _verdict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return outcome, numbers and the failed assertions; one that says neither true nor false has not passed."""
    if not rows:
        return {"type": "assertions", "outcome": "measured"}
    failed = [_filled(tidy(row)) for row in rows if row.get("success") is not True]
    heavy = [row for row in failed if text(row.get("severity")).lower() not in ("warn", "warning")]
    return {
        "type": "assertions", "outcome": "failed" if heavy else "warned" if failed else "passed", "tests": len(rows),
        "passed": len(rows) - len(failed), "failed": failed,
    }  # fmt: skip


def _run_attrs(facets: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes that the known facets of a run give."""
    parent, error, engine = (facets.get(name, {}) for name in ("parent", "errorMessage", "processing_engine"))
    nominal = facets.get("nominalTime", {})
    times = {
        key: time_ns(nominal.get(name)) for key, name in (("start", "nominalStartTime"), ("end", "nominalEndTime"))
    }
    variables = objects(facets.get("environmentVariables", {}).get("environmentVariables"))
    return {
        "parent": _named(parent), "root": _named(part(parent, "root")),
        "error": address(text(error.get("message"))), "stack": address(text(error.get("stackTrace"))),
        "engine": _filled({
            "name": text(engine.get("name")), "version": text(engine.get("version")),
            "adapter": text(engine.get("openlineageAdapterVersion")),
        }),
        "nominal": {key: _ms(time) for key, time in times.items() if time is not None},
        "environment_variables": sorted({name for one in variables if (name := text(one.get("name")))}),
        "tags": _tags(facets.get("tags", {})),
    }  # fmt: skip


def _named(one: Mapping[str, Any]) -> dict[str, str]:
    return _filled({"run": run_id(text(part(one, "run").get("runId"))), "job": key_of(part(one, "job"))})


def _job_attrs(facets: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes that the known facets of a job give."""
    where, kind, sql = (facets.get(name, {}) for name in ("sourceCodeLocation", "jobType", "sql"))
    return {
        "description": text(facets.get("documentation", {}).get("description")),
        "owners": _owners(facets.get("ownership", {})),
        "job_type": _filled({name: text(kind.get(name)) for name in ("integration", "jobType", "processingType")}),
        "sql": address(text(sql.get("query"))), "sql_dialect": text(sql.get("dialect")),
        "code": _filled({key: address(text(where.get(key))) for key in ("repoUrl", "url", "path", "version", "branch", "tag", "type")}),
        "job_tags": _tags(facets.get("tags", {})),
    }  # fmt: skip
