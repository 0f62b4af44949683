"""DVC's files as runs, data and figures, judged by what DVC and GTO themselves answer; every pitfall of the format is a test."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from carnet_store.errors import Invalid
from carnet_store.exchange.importers import dvc
from carnet_store.exchange.importers.dvc_lock import as_text, flat
from carnet_store.exchange.importers.dvc_pipeline import matches
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread

Found = tuple[list[Thing], list[Unread]]


def read(path: Path, *maps: tuple[str, str]) -> Found:
    found = list(dvc.read(Source(path, maps)))
    things = [one for one in found if isinstance(one, Thing)]
    assert len({one.ref for one in things}) == len(things), "a thing was yielded twice"
    known = {one.ref for one in things}
    for thing in things:
        assert [to for _, to in thing.edges if to not in known] == [], f"{thing.name} leads to what was not yielded"
    return things, [one for one in found if isinstance(one, Unread)]


def project(folder: Path, **files: str | bytes) -> Path:
    """Write files; a name's `__` is a dot, its `_S_` a slash."""
    for name, content in files.items():
        path = folder / name.replace("_S_", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def md5(data: bytes | str) -> str:
    return hashlib.md5(data.encode() if isinstance(data, str) else data).hexdigest()


def lock(**stages: Mapping[str, Any]) -> str:
    """Return a lock of these stages, as JSON (which is YAML too)."""
    return json.dumps({"schema": "2.0", "stages": stages})


def dep(path: str, value: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "hash": "md5", "md5": value, **more}


def by_name(things: list[Thing], kind: str = "run") -> dict[str, Thing]:
    return {one.name: one for one in things if one.ref.kind == kind}


def out_edges(things: list[Thing], runs: list[Thing]) -> set[tuple[str, str]]:
    """Return edges between outputs as DVC draws them: what a run used (or what that is a part or a whole of) to what it made."""
    of = {one.ref: one for one in things}
    made = {to for run in things for relation, to in run.edges if relation == "made"}
    tracked = {one.ref for one in things if "tracked_by" in one.attrs}
    found = set()
    for run in runs:
        used: list[Ref] = []
        for relation, to in run.edges:
            if relation == "used" and to.system == "dvc":
                used += [to] if to in made | tracked else [inner for _, inner in of[to].edges]
        found |= {
            (_path(of[source]), _path(of[to])) for source in used for relation, to in run.edges if relation == "made" and source in made | tracked
        }  # fmt: skip
    return found


def _path(thing: Thing) -> str:
    return str(thing.attrs.get("path") or thing.attrs["uri"])


# -- the real project --------------------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(real_tools: Path, tmp_path: Path) -> Path:
    """The real project's folder at its newest commit, without git, its cache in place."""
    folder = tmp_path / "churn"
    shutil.copytree(real_tools / "dvc" / "snapshot", folder)
    shutil.copytree(real_tools / "dvc" / "dvc-cache", folder / ".dvc" / "cache")
    return folder


@pytest.fixture
def bundle(real_tools: Path) -> Found:
    """All that the real project's bundle holds, its cache reached by a map."""
    things, unread = read(
        real_tools / "dvc" / "churn.gitbundle", ("s3://churn-dvc/store", str(real_tools / "dvc" / "dvc-cache"))
    )
    assert unread == []
    return things, unread


def test_stages_are_what_dvc_says_they_are(real_tools: Path, snapshot: Path) -> None:
    """Five stages with their commands, 11 inputs, 6 outputs and 8 typed parameters, equal to DVC's own answer (R096)."""
    things, unread = read(snapshot)
    assert unread == []
    expected = json.loads((real_tools / "dvc" / "expected.json").read_text())
    runs = by_name(things)
    of = {one.ref: one for one in things}
    assert set(runs) == {stage["addr"] for stage in expected["stages"]}
    counts = {"deps": 0, "outs": 0, "params": 0}
    for stage in expected["stages"]:
        run = runs[stage["addr"]]
        assert run.attrs["command"] == stage["cmd"]
        for key, relation in (("deps", "used"), ("outs", "made")):
            found = []
            for given, to in run.edges:
                if given == relation:
                    thing = of[to]
                    value = thing.attrs.get("reference", {}).get("dvc") or thing.digests["md5"]
                    found.append(
                        {
                            "path": _path(thing),
                            "md5": value,
                            "size": thing.attrs["size"],
                            "nfiles": thing.attrs.get("nfiles"),
                        }
                    )
            assert found == stage[key]
            counts[key] += len(found)
        wanted = {
            name: as_text(value)
            for file in stage["params"].values()
            for key, one in file.items()
            for name, value in flat(key, one)
        }
        assert run.params == wanted
        counts["params"] += len(run.params)
    summary = expected["summary"]
    assert [len(runs), *counts.values()] == [summary[key] for key in ("locked_stages", "deps", "outs", "params")]
    assert (runs["train"].params["train.l2"], runs["train"].params["train.shuffle"]) == ("1e-05", "on")
    assert runs["featurize"].attrs["desc"] == "numeric columns only"
    assert runs["report"].attrs["meta"] == {"owner": "ana", "reviewers": ["bo", "béatrice"]}


def test_the_graph_is_the_one_that_dvc_draws(real_tools: Path, snapshot: Path) -> None:
    """The edges between outputs are those of `dvc dag --outs`."""
    drawn = set(
        re.findall(r'^"(.+)" -> "(.+)";$', (real_tools / "dvc" / "expected-dag-outs.dot").read_text(), re.MULTILINE)
    )
    things, _ = read(snapshot)
    assert len(drawn) == 7
    assert out_edges(things, list(by_name(things).values())) == drawn


def test_digests_are_of_whole_bytes(real_tools: Path, snapshot: Path) -> None:
    """Each MD5 and SHA-256 is that of the file; a folder's MD5 is a reference, and its listing travels along (R108)."""
    things, _ = read(snapshot)
    cache = real_tools / "dvc" / "dvc-cache" / "files" / "md5"
    hashed = 0
    for thing in things:
        value = thing.digests.get("md5", "")
        path = cache / value[:2] / value[2:] if value else cache
        data = path.read_bytes() if path.is_file() else (snapshot / _path(thing)).read_bytes() if value else b""
        if value:
            assert (md5(data), hashlib.sha256(data).hexdigest(), len(data)) == (
                value,
                thing.digests["sha256"],
                thing.attrs["size"],
            )
            hashed += 1
    assert hashed == 11
    (prepared,) = [one for one in things if one.name == "data/prepared"]
    assert prepared.digests == {}
    assert prepared.attrs["reference"] == {"dvc": "edb6a431884d5a3c84393287c849a240.dir"}
    assert md5(prepared.keep[0].data) == "edb6a431884d5a3c84393287c849a240"
    assert [row["relpath"] for row in json.loads(prepared.keep[0].data)] == ["test.csv", "train.csv"]
    shutil.rmtree(snapshot / ".dvc" / "cache")
    without, _ = read(snapshot)
    assert [one.ref for one in without] == [one.ref for one in things]
    assert {one.name for one in without if "sha256" in one.digests} == {
        "plots.csv", "metrics.json", *(f"src/{name}" for name in ("prepare.py", "featurize.py", "train.py", "evaluate.py", "report.sh")),
    }  # fmt: skip


def test_kinds_come_from_what_is_declared(snapshot: Path) -> None:
    """An artifact of type model is a model, a source file is code, all else is data; tracked data says by which file."""
    things, _ = read(snapshot)
    assert [one.ref.key for one in things if one.ref.kind == "model"] == ["model.json:1bc5cceb54692dec5af1cbca87dbe24c"]
    assert by_name(things, "model")["churn-model"].attrs["path"] == "model.json"
    assert {one.name for one in things if one.ref.kind == "code"} == {
        "src/prepare.py", "src/featurize.py", "src/train.py", "src/evaluate.py", "src/report.sh",
    }  # fmt: skip
    data = by_name(things, "dataset")
    assert data["data/raw.csv"].attrs["tracked_by"] == "data/raw.csv.dvc"
    assert data["plots.csv"].attrs["role"] == "plots"
    assert data["metrics.json"].attrs["role"] == "metrics"


def test_history_has_every_result_once(bundle: Found, snapshot: Path) -> None:
    """Three commits hold 15 locked stages and 13 results; the ids of a folder without git are those of its newest commit."""
    things, _ = bundle
    runs = [one for one in things if one.ref.kind == "run"]
    assert [one.name for one in runs] == [
        "prepare", "featurize", "train", "evaluate", "report", "train", "evaluate", "report",
        "prepare", "featurize", "train", "evaluate", "report",
    ]  # fmt: skip
    assert [one.attrs["commit"][:7] for one in runs] == ["5eabad3"] * 5 + ["0a4b93e"] * 3 + ["a5dcf46"] * 5
    assert {(one.attrs["user"], one.at) for one in runs if one.attrs["commit"].startswith("a5")} == {
        ("Ana", 1_771_599_600_000)
    }
    now, _ = read(snapshot)
    later = {one.ref: one for one in things}
    assert all(one.ref in later and one.digests == later[one.ref].digests for one in now)
    for run in runs:
        (code,) = [to.key for relation, to in run.edges if to.system == "git"]
        assert code == run.attrs["commit"]


def test_metrics_are_those_of_each_commit(real_tools: Path, bundle: Found) -> None:
    """At each commit the figures are what `dvc metrics show` says."""
    expected = json.loads((real_tools / "dvc" / "expected-metrics.json").read_text())
    seen = {one.attrs["commit"]: one for one in bundle[0] if one.name == "evaluate"}
    assert set(seen) == set(expected) - {"workspace"}
    for commit, run in seen.items():
        wanted = expected[commit]["data"]["metrics.json"]["data"]
        assert {one["name"]: one["value"] for one in run.metrics} == {
            name: repr(value) for name, value in flat("", wanted)
        }
    assert [one["value"] for run in seen.values() for one in run.metrics if one["name"] == "accuracy"] == [
        "0.7467",
        "0.7467",
        "0.7869",
    ]


def test_parameters_differ_as_dvc_says(real_tools: Path, bundle: Found) -> None:
    """Between the first and the newest commit each parameter has the two values of `dvc params diff`."""
    expected = json.loads((real_tools / "dvc" / "expected-params-diff.json").read_text())["params.yaml"]
    first, last = dict[str, str](), dict[str, str]()
    for run in bundle[0]:
        if run.ref.kind == "run":
            first |= run.params if run.attrs["commit"].startswith("5eabad3") else {}
            last |= run.params
    assert set(first) == set(last) == set(expected)
    for name, values in expected.items():
        spelled = [
            as_text(json.loads(v.replace("'", '"')) if str(v).startswith("[") else v)
            for v in (values["old"], values["new"])
        ]
        assert [first[name], last[name]] == spelled


def test_versions_are_those_of_gto(real_tools: Path, bundle: Found) -> None:
    """Versions, the stages they stand in and every event are what `gto show` and `gto history` say; each comes from its artifact's file."""
    versions = [one for one in bundle[0] if one.ref.system == "gto"]
    of = {one.ref: one for one in bundle[0]}
    state = json.loads((real_tools / "dvc" / "expected-gto.json").read_text())["churn-model"]
    assert [one.version for one in versions] == ["v1.0.0", "v1.1.0", state["version"]]
    assert {stage: one.version for one in versions for stage in one.attrs.get("stages", ())} == state["stage"]
    history = json.loads((real_tools / "dvc" / "expected-gto-history.json").read_text())
    tags = {
        row.split(" ")[0]: row.split(" ")[2]
        for row in (real_tools / "dvc" / "expected-tags.txt").read_text().splitlines()
    }
    told = {
        (event["tag"], event["event"], event.get("stage"), event["author"], event["at"], one.version, one.attrs["commit"])
        for one in versions for event in one.attrs["history"]
    }  # fmt: skip
    when = {row["ref"]: dvc_time(row["timestamp"]) for row in history}
    assert told == {
        (row["ref"], row["event"], row["stage"], row["author"], when[row["ref"]], row["version"], tags[row["ref"]]) for row in history
    }  # fmt: skip
    for one in versions:
        assert one.ref.key == f"churn-model@{one.version}#{one.attrs['commit']}"
        ((relation, to),) = one.edges
        assert (relation, of[to].digests, of[to].ref.kind) == ("from", one.digests, "model")
        assert one.attrs["labels"] == ["churn", "linear"]


def dvc_time(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


# -- what DVC 3.67.1 wrote for templates, working folders and folders as inputs ----------------------------------------------------------

TEMPLATED = """\
vars:
  - where: sub/w
stages:
  train:
    foreach: ${models}
    do:
      cmd: echo ${item} > models/${item}.txt
      deps: [lib.csv]
      params: [seed, größe, under, nul, conf/other.toml: [seed, a]]
      outs: ["models/${item}.txt"]
      metrics:
        - models/${item}.json: {cache: false}
      desc: Train ${item}
  mat:
    matrix:
      a: [1, {x: 2}]
      b: ${models}
    cmd: echo ${item.b}
    outs: ["m_${key}.txt"]
  inw:
    wdir: ${where}
    cmd: echo x > x.txt && mkdir -p d && echo y > d/y.txt
    params: [../../params.yaml: [seed]]
    outs: [x.txt, d]
  all:
    cmd: ls models > all.txt
    deps: [models, sub/w/d/y.txt]
    outs: [all.txt]
  multi:
    cmd:
      - echo 1 > c1.txt
      - echo 2 >> c1.txt
    outs: [c1.txt]
  never:
    cmd: echo never > never.txt
    outs: [never.txt]
metrics: [sub/w/top.json]
"""
EXPANDED = """\
schema: '2.0'
stages:
  train@xgb:
    cmd: echo xgb > models/xgb.txt
    deps:
    - path: lib.csv
      hash: md5
      md5: f69f5b72bc79a92dc70c63c9aa142e36
      size: 4
    params:
      params.yaml:
        größe: 3
        nul:
        seed: 7
        under: 1000
      conf/other.toml:
        a:
          b: 1.5
        seed: 9
    outs:
    - path: models/xgb.json
      hash: md5
      md5: 86a65ed3373c46b730549df69e376ccb
      size: 12
    - path: models/xgb.txt
      hash: md5
      md5: b80316c8a678021a1a7f817487414864
      size: 4
  inw:
    cmd: echo x > x.txt && mkdir -p d && echo y > d/y.txt
    params:
      ../../params.yaml:
        seed: 7
    outs:
    - path: d
      hash: md5
      md5: e4ad92082ed9bacefa66e1fa155bfe2f.dir
      size: 2
      nfiles: 1
    - path: x.txt
      hash: md5
      md5: 401b30e3b8b5d629635a5c613cdb7919
      size: 2
  all:
    cmd: ls models > all.txt
    deps:
    - path: models
      hash: md5
      md5: d080d3ec7e1fe55cab1fe0574b541020.dir
      size: 50
      nfiles: 5
    - path: sub/w/d/y.txt
      hash: md5
      md5: 009520053b00386d1173f3988c55d192
      size: 2
    outs:
    - path: all.txt
      hash: md5
      md5: d109a14d17c8f51c1fc88cb17b65750e
      size: 34
  multi:
    cmd:
    - echo 1 > c1.txt
    - echo 2 >> c1.txt
    outs:
    - path: c1.txt
      hash: md5
      md5: 6ddb4095eb719e2a9f0a3f95677d24e0
      size: 4
"""
ELSEWHERE = """\
schema: '2.0'
stages:
  s:
    cmd: cat ../../all.txt > out.txt
    deps:
    - path: ../../all.txt
      hash: md5
      md5: d109a14d17c8f51c1fc88cb17b65750e
      size: 34
    - path: /etc/no-such-file
      hash: md5
      md5: 6520213d3695a344f306efffa2523807
      size: 3
      isexec: true
    outs:
    - path: out.txt
      hash: md5
      md5: d109a14d17c8f51c1fc88cb17b65750e
      size: 34
"""
IMPORTED = """\
md5: e850e5dc07809ef35e56cb07ea1fa294
frozen: true
deps:
- path: lib.csv
  repo:
    url: https://ana:pw@host/src.git
    rev: main
    rev_lock: f440d0c31717e6f626c490d3054df443ccd45e4a
outs:
- md5: f69f5b72bc79a92dc70c63c9aa142e36
  size: 4
  hash: md5
  path: lib.csv
"""


@pytest.fixture
def templated(tmp_path: Path) -> Path:
    """A project with every way of DVC to say paths."""
    return project(
        tmp_path / "t", dvc__yaml=TEMPLATED, dvc__lock=EXPANDED, sub_S_pipe_S_dvc__lock=ELSEWHERE, lib__csv__dvc=IMPORTED, lib__csv="a,b\n",
        params__yaml="models: [xgb, mlp]\nseed: 7\n", models_S_xgb__json='{"acc":0.5}\n',
    )  # fmt: skip


def test_templates_take_their_truth_from_the_lock(templated: Path) -> None:
    """Expanded stages have their own names, parameters, figures and descriptions; what has never run and whose figures are nobody's is named."""
    things, unread = read(templated)
    runs = by_name(things)
    assert set(runs) == {"train@xgb", "inw", "all", "multi", "sub/pipe/dvc.yaml:s"}
    assert runs["train@xgb"].params == {
        "größe": "3", "nul": "null", "params.yaml:seed": "7", "under": "1000", "a.b": "1.5", "conf/other.toml:seed": "9",
    }  # fmt: skip
    assert runs["train@xgb"].attrs["desc"] == "Train xgb"
    assert runs["train@xgb"].metrics == [{"name": "acc", "value": "0.5"}]
    assert runs["multi"].attrs["command"] == "echo 1 > c1.txt\necho 2 >> c1.txt"
    assert [(one.where, one.why.partition(":")[0]) for one in unread] == [
        *((f"dvc.yaml: stage {name}", "has never run") for name in ("train@mlp", "mat@1-xgb", "mat@1-mlp", "mat@a1-xgb", "mat@a1-mlp", "never")),
        ("sub/w/top.json", "no locked stage makes this file of metrics"),
    ]  # fmt: skip


def test_paths_are_relative_to_the_stages_folder(templated: Path) -> None:
    """A `wdir`, a pipeline in a folder, `..`, and what lies outside are told from the top."""
    things, _ = read(templated)
    assert {one.ref.key.rpartition(":")[0] for one in things if one.ref.kind != "run"} == {
        "lib.csv", "models/xgb.json", "models/xgb.txt", "sub/w/d", "sub/w/x.txt", "models", "sub/w/d/y.txt", "all.txt", "c1.txt",
        "/etc/no-such-file", "sub/pipe/out.txt",
    }  # fmt: skip
    assert by_name(things)["inw"].params == {"seed": "7"}
    assert by_name(things, "dataset")["/etc/no-such-file"].attrs == {"uri": "/etc/no-such-file", "size": 3}


def test_folders_hold_what_others_made(templated: Path) -> None:
    """A folder that is read comes from the files made in it, a file from the folder made around it: the edges of `dvc dag --outs`."""
    things, _ = read(templated)
    assert out_edges(things, list(by_name(things).values())) == {
        ("lib.csv", "models/xgb.txt"), ("lib.csv", "models/xgb.json"), ("models/xgb.txt", "all.txt"), ("models/xgb.json", "all.txt"),
        ("sub/w/d", "all.txt"), ("all.txt", "sub/pipe/out.txt"),
    }  # fmt: skip


def test_where_imported_data_comes_from(templated: Path) -> None:
    """An import names its repository, path and revision, without a password."""
    things, _ = read(templated)
    lib = by_name(things, "dataset")["lib.csv"]
    assert {key: lib.attrs[key] for key in ("source", "source_path", "source_revision", "source_reference", "frozen")} == {
        "source": "https://host/src.git", "source_path": "lib.csv", "source_revision": "main",
        "source_reference": {"git": "f440d0c31717e6f626c490d3054df443ccd45e4a"}, "frozen": True,
    }  # fmt: skip
    assert lib.digests["sha256"] == hashlib.sha256(b"a,b\n").hexdigest()


# -- pitfalls, one by one ----------------------------------------------------------------------------------------------


def test_what_is_stale_says_so(tmp_path: Path) -> None:
    """An input that its producer has since made anew is named, by both MD5 and the producer; an input without a producer is not stale."""
    old, new = md5("old"), md5("new")
    listing = json.dumps([{"md5": md5("in"), "relpath": "a.csv"}]).encode()
    folder = project(
        tmp_path, dvc__lock=lock(
            prepare={"cmd": "p", "deps": [dep("raw.csv", md5("r"))], "outs": [dep("clean.csv", new), dep("parts", f"{md5(listing)}.dir")]},
            train={"cmd": "t", "deps": [dep("clean.csv", old), dep("parts/a.csv", md5("was")), dep("other", old)], "outs": [dep("m", old)]},
            again={"cmd": "a", "deps": [dep("clean.csv", new), dep("parts/a.csv", md5("in"))]},
        ),
        raw__csv__dvc=json.dumps({"outs": [dep("raw.csv", md5("r2"))]}),
        **{f"_dvc_S_cache_S_files_S_md5_S_{md5(listing)[:2]}_S_{md5(listing)[2:]}__dir".replace("_dvc", "__dvc", 1): listing},
    )  # fmt: skip
    runs = by_name(read(folder)[0])
    assert runs["train"].attrs["stale"] == [
        {"path": "clean.csv", "used": old, "made": new, "by": "prepare"},
        {"path": "parts/a.csv", "used": md5("was"), "made": md5("in"), "by": "prepare"},
    ]
    assert runs["prepare"].attrs["stale"] == [
        {"path": "raw.csv", "used": md5("r"), "made": md5("r2"), "by": "raw.csv.dvc"}
    ]
    assert "stale" not in runs["again"].attrs
    things = read(folder)[0]
    parts = {one.ref.key: [to.key for _, to in one.edges] for one in things if one.name == "parts/a.csv"}
    assert parts == {f"parts/a.csv:{md5('was')}": [], f"parts/a.csv:{md5('in')}": [f"parts:{md5(listing)}.dir"]}


def test_before_dvc_3_a_text_was_hashed_without_carriage_returns(tmp_path: Path) -> None:
    """Such an MD5 is a reference; digests are of the bytes as they lie here, and none are told where they are not at hand."""
    text = b"a,b\r\n1,2\r\n"
    plain = md5(text.replace(b"\r\n", b"\n"))
    rows = [{"path": "data.csv", "md5": plain, "size": len(text)}, {"path": "gone.csv", "md5": plain, "size": 7}]
    folder = project(tmp_path, data__csv=text, dvc__lock=lock(s={"cmd": "x", "deps": rows}))
    data = by_name(read(folder)[0], "dataset")
    assert data["data.csv"].digests == {"md5": md5(text), "sha256": hashlib.sha256(text).hexdigest()}
    assert data["data.csv"].attrs["reference"] == {"dvc": plain}
    assert (data["gone.csv"].digests, data["gone.csv"].attrs) == (
        {},
        {"path": "gone.csv", "size": 7, "reference": {"dvc": plain}},
    )
    project(tmp_path, dvc__lock=lock(s={"cmd": "x", "deps": [{**rows[0], "hash": "md5"}]}))
    assert by_name(read(folder)[0], "dataset")["data.csv"].digests == {"md5": plain}


def test_old_caches_and_old_files(tmp_path: Path) -> None:
    """The cache of DVC before 3, a lock without schema and a `.dvc` file with a command are read."""
    model = b"weights"
    value = md5(model)
    folder = project(
        tmp_path, dvc__lock=json.dumps({"train": {"cmd": "python t.py", "outs": [{"path": "model.bin", "md5": value}]}}),
        stage__dvc=json.dumps({"cmd": "python old.py", "wdir": "sub", "outs": [{"path": "o.bin", "md5": value}], "deps": []}),
        **{f"__dvc_S_cache_S_{value[:2]}_S_{value[2:]}": model},
    )  # fmt: skip
    things, unread = read(folder)
    assert unread == []
    assert {name: run.attrs["command"] for name, run in by_name(things).items()} == {
        "train": "python t.py",
        "stage.dvc": "python old.py",
    }
    assert by_name(things, "dataset")["model.bin"].digests == {
        "md5": value,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    assert by_name(things, "dataset")["sub/o.bin"].digests["sha256"] == hashlib.sha256(model).hexdigest()


def test_a_cache_of_its_own_and_a_remote_that_is_a_folder(tmp_path: Path) -> None:
    """`cache.dir` and a remote that lies here are looked into; what has another MD5 than its name says is not believed."""
    one, two, forged = b"one", b"two", b"three"
    rows = [dep(str(n), md5(data)) for n, data in enumerate((one, two, forged))]
    project(
        tmp_path / "store",
        **{
            f"files_S_md5_S_{md5(one)[:2]}_S_{md5(one)[2:]}": one,
            f"files_S_md5_S_{md5(forged)[:2]}_S_{md5(forged)[2:]}": b"x",
        },
    )
    project(tmp_path / "away", **{f"files_S_md5_S_{md5(two)[:2]}_S_{md5(two)[2:]}": two})
    folder = project(
        tmp_path / "p", dvc__lock=lock(s={"cmd": "x", "deps": rows}),
        __dvc_S_config=f"[cache]\n    dir = {tmp_path / 'store'}\n['remote \"r\"']\n    url = s3://bucket/a\n",
    )  # fmt: skip
    found = by_name(read(folder)[0], "dataset")
    assert [sorted(found[name].digests) for name in "012"] == [["md5", "sha256"], ["md5"], ["md5"]]
    found = by_name(read(folder, ("s3://bucket/a", str(tmp_path / "away")))[0], "dataset")
    assert [sorted(found[name].digests) for name in "012"] == [["md5", "sha256"], ["md5", "sha256"], ["md5"]]


def test_metrics_of_every_kind_of_file(tmp_path: Path) -> None:
    """JSON, YAML 1.2 and TOML; names that two files share stand with their file; what is no number is a result; infinities and NaN are kept."""
    files = {
        "a.json": '{"auc": 0.84, "n": 12, "ok": true, "model": "xgb", "by": {"eu": {"f1": 1e-05}}, "list": [1, 2], "bad": NaN}',
        "b.yaml": "auc: 0.8396\nloss: .inf\nl2: 1e-05\nwhen: on\n",
        "c.toml": "auc = 0.5\n[deep]\nx = 3\nday = 2026-01-02\n",
    }
    folder = project(
        tmp_path, dvc__lock=lock(e={"cmd": "x", "outs": [dep(name, md5(text)) for name, text in files.items()]}),
        dvc__yaml=json.dumps({"stages": {"e": {"cmd": "x", "metrics": ["a.json", {"b.yaml": {"cache": False}}, "c.toml"]}}}),
        **{name.replace(".", "__"): text for name, text in files.items()},
    )  # fmt: skip
    things, unread = read(folder)
    run = by_name(things)["e"]
    assert unread == []
    assert {one["name"]: one["value"] for one in run.metrics} == {
        "a.json:auc": "0.84", "b.yaml:auc": "0.8396", "c.toml:auc": "0.5", "n": "12", "by.eu.f1": "1e-05", "bad": "NaN", "loss": "Infinity",
        "l2": "1e-05", "deep.x": "3",
    }  # fmt: skip
    assert run.attrs["results"] == {
        "ok": "true",
        "model": "xgb",
        "list": "[1,2]",
        "when": "on",
        "deep.day": '"2026-01-02"',
    }


def test_a_figure_is_taken_only_from_the_file_that_was_locked(tmp_path: Path) -> None:
    """A file of metrics that was edited after the run, is gone or is broken gives no figure, and that is said; inside a folder its listing decides."""
    good, inner = '{"auc": 0.9}', '{"f1": 0.7}'
    listing = json.dumps([{"md5": md5(inner), "relpath": "m.json"}]).encode()
    value = md5(listing)
    folder = project(
        tmp_path,
        dvc__lock=lock(e={"cmd": "x", "outs": [
            dep("edited.json", md5(good)), dep("gone.json", md5(good)), dep("broken.json", md5("{")), dep("twice.json", md5('{"a":1,"a":2}')),
            dep("live", f"{value}.dir"),
        ]}),
        dvc__yaml=json.dumps({"stages": {"e": {"cmd": "x", "metrics": ["edited.json", "gone.json", "broken.json", "twice.json"]}}, "metrics": ["live/m.json"]}),
        edited__json='{"auc": 1.0}', broken__json="{", twice__json='{"a":1,"a":2}', live_S_m__json=inner,
        **{f"__dvc_S_cache_S_files_S_md5_S_{value[:2]}_S_{value[2:]}__dir": listing},
    )  # fmt: skip
    things, unread = read(folder)
    assert by_name(things)["e"].metrics == [{"name": "f1", "value": "0.7"}]
    assert [(one.where, one.why[:40]) for one in unread] == [
        ("edited.json", "its metrics were not read: the bytes tha"), ("gone.json", "its metrics were not read: the bytes tha"),
        ("broken.json", "is not JSON: Expecting property name enc"), ("twice.json", "is not JSON: the key 'a' stands twice"),
    ]  # fmt: skip
    project(tmp_path, live_S_m__json='{"f1": 1.0}')
    assert by_name(read(folder)[0])["e"].metrics == []


def test_what_has_no_md5(tmp_path: Path) -> None:
    """What lies elsewhere is known by its etag, checksum or description; what has nothing of the kind is named and left out."""
    rows = [
        {"path": "s3://bucket/x.csv", "etag": '"abc"', "size": 7}, {"path": "hdfs://h/y", "checksum": "123"},
        {"path": "ds://dogs", "dataset": {"url": "dvcx://dogs", "version": 2}}, {"path": "nothing"}, {"path": ""}, 7, {"md5": "x"},
        {"path": "short", "md5": "abc"}, {"path": "upper", "md5": "A" * 32}, {"path": "number", "md5": 12345678901234567890123456789012},
    ]  # fmt: skip
    things, unread = read(project(tmp_path, dvc__lock=lock(s={"cmd": "x", "deps": rows})))
    data = by_name(things, "dataset")
    assert data["s3://bucket/x.csv"].ref.key == 's3://bucket/x.csv:etag:"abc"'
    assert data["s3://bucket/x.csv"].attrs == {"uri": "s3://bucket/x.csv", "size": 7, "reference": {"etag": '"abc"'}}
    assert data["hdfs://h/y"].attrs["reference"] == {"checksum": "123"}
    assert data["ds://dogs"].attrs["dataset"] == {"url": "dvcx://dogs", "version": 2}
    assert [one.why for one in unread] == [
        "has no checksum", "has no path", "is no set of keys", "has no path", "has an MD5 that is none: 'abc'", f"has an MD5 that is none: '{'A' * 32}'",
        "has an MD5 that is none: 12345678901234567890123456789012",
    ]  # fmt: skip
    assert unread[0].where == "dvc.lock: stage s, deps: nothing"
    assert unread[2].where == "dvc.lock: stage s, deps: entry 6"
    assert len(by_name(things)["s"].edges) == 3


def test_secrets_are_not_taken(tmp_path: Path) -> None:
    """Passwords in parameters, commands and addresses do not enter the record."""
    folder = project(
        tmp_path,
        dvc__lock=lock(s={
            "cmd": "train --token tok3n --data https://ana:pw3@host/d.csv",
            "params": {"params.yaml": {"db.password": "pw3", "max_tokens": 5, "url": "https://ana:pw3@host"}},
            "deps": [{"path": "https://ana:pw3@host/d.csv", "etag": "1"}],
        }),
    )  # fmt: skip
    things, _ = read(folder)
    run = by_name(things)["s"]
    assert run.attrs["command"] == "train --token (not taken) --data https://host/d.csv"
    assert run.params == {"db.password": "(not taken)", "max_tokens": "5", "url": "https://host"}
    (data,) = [one for one in things if one.ref.kind == "dataset"]
    assert (data.name, data.attrs["uri"]) == ("https://host/d.csv", "https://host/d.csv")


def test_a_folder_of_sources_is_code(tmp_path: Path) -> None:
    """A folder that is read, that nobody makes and that holds source files is code; a folder of data is not."""
    folder = project(
        tmp_path, dvc__lock=lock(s={"cmd": "x", "deps": [dep("src", f"{'1' * 32}.dir"), dep("raw", f"{'2' * 32}.dir"), dep("README", "3" * 32)]}),
        src_S_train__py="1", raw_S_a__csv="1",
    )  # fmt: skip
    assert {one.name: one.ref.kind for one in read(folder)[0]} == {
        "src": "code",
        "raw": "dataset",
        "README": "dataset",
        "s": "run",
    }


def test_the_same_result_is_the_same_run(tmp_path: Path) -> None:
    """An id hangs on command, inputs, typed parameters and outputs, not on their order, their sizes or the lock's layout."""
    stage: dict[str, Any] = {
        "cmd": "x", "deps": [dep("a", "1" * 32), dep("b", "2" * 32)], "params": {"p": {"x": 7, "y": {"z": 1}}}, "outs": [dep("o", "3" * 32)],
    }  # fmt: skip

    def key(**changed: Any) -> str:
        return by_name(read(project(tmp_path, dvc__lock=lock(s={**stage, **changed})))[0])["s"].ref.key

    first = key()
    assert key(deps=[dep("b", "2" * 32, size=9), dep("a", "1" * 32)]) == first
    assert key(params={"p": {"y.z": 1, "x": 7}}) == first
    laid_out = (
        "schema: '2.0'\nstages:\n  s:\n    cmd: x\n    deps:\n    - {path: a, md5: '" + "1" * 32 + "', hash: md5}\n    - path: b\n      md5: '"
        + "2" * 32 + "'\n    params:\n      p:\n        x: 7\n        y.z: 1\n    outs:\n    - path: o\n      md5: '" + "3" * 32 + "'\n"
    )  # fmt: skip
    assert by_name(read(project(tmp_path, dvc__lock=laid_out))[0])["s"].ref.key == first
    others = {
        key(cmd="y"), key(params={"p": {"x": "7", "y": {"z": 1}}}), key(params={"q": {"x": 7, "y": {"z": 1}}}), key(deps=[dep("a", "1" * 32)]),
        key(outs=[dep("o", "4" * 32)]), key(outs=[dep("o", f"{'3' * 32}.dir")]),
    }  # fmt: skip
    assert len(others | {first}) == 7


@pytest.mark.parametrize(
    ("template", "path", "wanted"),
    [
        ("a.json", "a.json", True), ("a.json", "b.json", False), ("m/${item}.json", "m/x.json", True), ("m/${item}.json", "m/x.txt", False),
        ("${a}_${b}", "_", True), ("${a}x${b}x", "xx", True), ("${a}x${b}x", "x", False), ("ab${i}bc", "abc", False), ("${i}", "", True),
    ],
)  # fmt: skip
def test_templates_match_what_they_can_make(template: str, path: str, wanted: bool) -> None:
    """A path is matched by the text around the holes."""
    assert matches(template, path) is wanted


def test_guesses(snapshot: Path, real_tools: Path, tmp_path: Path) -> None:
    """A project is told by its files, a bundle by GTO's tags; anything else is none."""
    guess = dvc.guess(snapshot)
    assert guess is not None
    assert (guess.kind, guess.words, guess.things) == ("dvc", "DVC, 5 locked stages", 5)
    assert dvc.guess(snapshot / "dvc.lock") == guess
    guess = dvc.guess(snapshot / "data")
    assert guess is not None
    assert guess.words == "DVC, 1 tracked file"
    guess = dvc.guess(real_tools / "dvc" / "churn.gitbundle")
    assert guess is not None
    assert guess.words == "DVC in a git bundle, 6 tags of GTO"
    for path in (tmp_path, tmp_path / "missing", snapshot / "params.yaml", real_tools):
        assert dvc.guess(path) is None


def test_what_holds_nothing_of_dvc(tmp_path: Path) -> None:
    """An empty folder, a missing one and another file end in a sentence that says what was expected."""
    (tmp_path / "x.txt").write_text("x")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "x.txt"):
        with pytest.raises(Invalid) as refused:
            read(path)
        assert "dvc.yaml" in refused.value.hint
