"""Saved answers of an MLflow server, and fetching them: judged by the database that the server answered from."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carnet_store.core import canonical
from carnet_store.errors import CarnetError, Invalid, Usage
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, mlflow, mlflow_fetch, mlflow_rest
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread

RUN, OTHER = "a" * 32, "b" * 32
Json = dict[str, Any]


def read(path: Path) -> tuple[dict[Ref, Thing], list[Unread]]:
    """Read a path; every thing comes once and is fit for the record."""
    found = list(importer("mlflow").read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return {thing.ref: thing for thing in things}, [one for one in found if isinstance(one, Unread)]


def told(unread: list[Unread], *words: str) -> bool:
    """Say whether one message holds all these words."""
    return any(all(word in f"{one.where}: {one.why}" for word in words) for one in unread)


def run_of(identity: str, **more: Any) -> Json:
    """Return a run as an answer tells it."""
    return {
        "info": {"run_id": identity, "run_name": "one", "status": "FINISHED", "start_time": 5, "experiment_id": "1"}
    } | more


def save(folder: Path, **answers: Any) -> Path:
    """Save answers; `_` in a name stands for `-`, `__` for `.`."""
    folder.mkdir(exist_ok=True)
    for name, said in answers.items():
        path = folder / f"{name.replace('__', '.').replace('_', '-')}.json"
        path.write_text(said if isinstance(said, str) else json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def saved(real_tools: Path) -> Path:
    return real_tools / "mlflow-rest"


# --- saved answers ----------------------------------------------------------------------------------------------------


def test_answers_say_what_the_database_says(real_tools: Path, saved: Path) -> None:
    """R096: the runs of both pages meet those of the database that was asked, with the same facts and edges."""
    things, unread = read(saved)
    there, _ = read(real_tools / "mlflow-sqlite")
    listed = [run for page in sorted(saved.glob("runs-search.*")) for run in json.loads(page.read_text())["runs"]]
    assert not unread and {ref.key for ref in things if ref.kind == "run"} == {run["info"]["run_id"] for run in listed}
    assert things.keys() <= there.keys()
    for ref, thing in things.items():
        other = there[ref]
        assert (thing.name, thing.version, thing.params, thing.metrics, thing.at) == (
            other.name, other.version, other.params, other.metrics, other.at,
        )  # fmt: skip
        files = {
            "artifacts",
            "files",
            "unreachable",
            "size",
            "workspace",
            "flavors",
            "mlflow_version",
            "signature",
            "uri",
        }
        assert {k: v for k, v in thing.attrs.items() if k not in files} == {
            k: v for k, v in other.attrs.items() if k not in files
        }
        known = {edge for edge in other.edges if edge[1].kind != "environment"}  # which lie in the models' files
        assert set(thing.edges) == known, ref


def test_an_answer_about_one_run_says_more_than_a_search(saved: Path, tmp_path: Path) -> None:
    """Pitfall 10: model_inputs stand in runs/get alone; without that answer the edge is not there, with it it is."""
    key = "d37ead2cb036409b8299abf820121075"
    with_it, _ = read(saved)
    models = {
        to for relation, to in with_it[Ref("run", "mlflow", key)].edges if relation == "used" and to.kind == "model"
    }
    assert len(models) == 1
    shutil.copytree(saved, tmp_path / "less")
    (tmp_path / "less" / "runs-get.evaluate-champion.json").unlink()
    without, _ = read(tmp_path / "less")
    assert without[Ref("run", "mlflow", key)].edges == [
        edge for edge in with_it[Ref("run", "mlflow", key)].edges if edge[1] not in models
    ]


def test_a_history_finds_the_one_run_that_it_fits(saved: Path, tmp_path: Path) -> None:
    """A file that does not name its run belongs where its last point is the newest, NaN too; a second fitting run makes it nobody's."""
    things, _ = read(saved)
    (run,) = [thing for thing in things.values() if thing.keep]
    history = json.loads((saved / "metrics-get-history.loss.json").read_text())["metrics"]
    assert run.name == "sgd-diverged" and [json.loads(line)["step"] for line in run.keep[0].data.splitlines()] == [
        point["step"] for point in history
    ]
    assert {json.loads(line)["value"] for line in run.keep[0].data.splitlines()} >= {"Infinity", "NaN"}
    copy = shutil.copytree(saved, tmp_path / "copy")
    save(copy, runs_search__page3={"runs": [run_of(RUN, data={"metrics": [history[-1]]})]})
    things, unread = read(copy)
    assert not [thing for thing in things.values() if thing.keep] and told(
        unread, "metrics-get-history.loss.json", "fits 2 runs"
    )
    save(copy, metrics_get_history__empty={"metrics": []})
    assert told(read(copy)[1], "metrics-get-history.empty.json", "fits no runs")


def test_pages_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Page 10 comes after page 2, also in a history that names its run."""
    pages = {f"runs_search__page{n}": {"runs": [run_of(f"{n:032x}")]} for n in (1, 2, 10)}
    points = {
        f"metrics_get_history__{1:032x}__1__page{n}": {"metrics": [{"key": "m", "value": n, "timestamp": n, "step": n}]}
        for n in (1, 2, 10)
    }
    things, unread = read(save(tmp_path / "answers", **pages, **points))
    assert not unread and [int(ref.key, 16) for ref in things] == [1, 2, 10]
    first = things[Ref("run", "mlflow", f"{1:032x}")]
    assert [json.loads(line)["step"] for line in first.keep[0].data.splitlines()] == [1, 2, 10]


def test_broken_answers_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    """No JSON, an error, a list in place of fields, wrong types, lone surrogates, a run twice: each is said."""
    folder = save(
        tmp_path / "answers",
        experiments_search="{",
        runs_search__1={
            "runs": [
                run_of(
                    RUN, data={"params": [{"key": "a", "value": 3}, {"key": "\ud800", "value": "\udfff"}], "tags": 7}
                ),
                5,
            ]
        },
        runs_search__2={"error_code": "INTERNAL_ERROR", "message": "no luck"},
        runs_search__3="[" * 100_000,
        runs_search__4={"runs": [run_of(RUN), {"info": None}, run_of("../../etc/passwd")]},
        runs_search__5={
            "runs": [
                run_of(
                    OTHER, data={"metrics": [{"key": "m", "value": "much"}, {"key": "n", "value": "NaN", "step": "3"}]}
                )
            ]
        },
        runs_search__6={"runs": "none"},
        runs_get__x={"run": {}},
        runs_get__y="<html>",
        metrics_get_history__z="nothing",
        model_versions_search={"model_versions": [{"name": "m", "version": "1", "creation_timestamp": "soon"}]},
    )
    things, unread = read(folder)
    assert things[Ref("run", "mlflow", RUN)].params == {"?": "?"}
    assert things[Ref("run", "mlflow", OTHER)].metrics == [{"name": "n", "value": "NaN", "step": 3}]
    assert Ref("model", "mlflow", "m@1#0") in things and len(things) == 3
    for words in (
        ("experiments-search.json:1", "not JSON"), ("runs-search.1.json", "no set of fields"), (RUN, "no text", "'a'"), ("runs-search.2.json", "no luck"),
        ("runs-search.3.json", "nested"), (RUN, "stands twice"), ("a run without an id",), ("passwd", "can be none"), (OTHER, "no number", "'m'"),
        ("runs-search.6.json", "no set of fields"), ("runs-get.x.json", "holds no run"), ("runs-get.y.json", "not JSON"),
        ("metrics-get-history.z.json", "not JSON"), ("version 1 of m", "whole number"),
    ):  # fmt: skip
        assert told(unread, *words), words


def test_a_folder_of_other_json_is_none_of_ours(tmp_path: Path) -> None:
    """Only answers about runs make a folder MLflow's."""
    save(tmp_path, package={}, experiments_search={"experiments": []})
    assert importer("mlflow").guess(tmp_path) is None
    with pytest.raises(Invalid, match="nothing of MLflow"):
        read(tmp_path)


def test_a_guess_reads_no_more_than_a_little(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many answers only that there are at least so many runs; of broken ones nothing."""
    first = len(json.loads((saved / "runs-search.page1.json").read_text())["runs"])
    monkeypatch.setattr(mlflow_rest, "MAX_GLANCED", 60_000)
    guess = importer("mlflow").guess(saved)
    assert guess is not None and guess.words == f"MLflow, at least {first} runs"


def test_a_guess_of_broken_answers_is_none(tmp_path: Path) -> None:
    """Reading says what is wrong with them."""
    assert importer("mlflow").guess(save(tmp_path / "broken", runs_search="{")) is None


# --- a server ---------------------------------------------------------------------------------------------------------


class Answers(BaseHTTPRequestHandler):
    """Answers as the server of the fixture did."""

    requests: list[tuple[str, str, str]]
    answer: Callable[[str, Json], tuple[int, dict[str, str], bytes]]
    protocol_version = "HTTP/1.1"

    def _serve(self, said: Json) -> None:
        path = urlsplit(self.path).path
        type(self).requests.append((self.command, path, self.headers.get("Authorization", "")))
        code, headers, body = type(self).answer(path, said)
        self.send_response(code)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._serve({key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Asked = list[tuple[str, str, str]]


@contextmanager
def serving(answer: Callable[[str, Json], Any]) -> Iterator[tuple[str, Asked]]:
    """Run a server on this machine; an answer is fields, or (code, headers, bytes)."""

    def told_(path: str, said: Json) -> tuple[int, dict[str, str], bytes]:
        found = answer(path, said)
        return found if isinstance(found, tuple) else (200, {}, json.dumps(found).encode())

    handler = type("Handler", (Answers,), {"requests": [], "answer": staticmethod(told_)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.requests  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy between here and here."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def missing() -> tuple[int, dict[str, str], bytes]:
    return 404, {}, b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "no such endpoint"}'


class Fixture:
    """Answers out of the saved ones: the two pages of runs, each run alone, each history."""

    def __init__(self, saved: Path, *, old: bool = False) -> None:
        self.saved, self.old = saved, old
        self.pages = [self.load(f"runs-search.page{number}") for number in (1, 2)]
        self.runs = {run["info"]["run_id"]: run for page in self.pages for run in page["runs"]}
        alone = self.load("runs-get.evaluate-champion")["run"]
        self.runs[alone["info"]["run_id"]] = alone

    def load(self, name: str) -> Json:
        found: Json = json.loads((self.saved / f"{name}.json").read_text())
        return found

    def __call__(self, path: str, said: Json) -> Any:
        if path == "/version":
            return missing() if self.old else (200, {}, b"3.17.2")
        what = path.removeprefix("/api/2.0/mlflow/")
        if what == "experiments/search":
            return missing() if self.old else self.load("experiments-search")
        if what == "experiments/list":
            return self.load("experiments-search") if self.old and said["view_type"] == "ALL" else missing()
        if what == "runs/search":
            assert said["run_view_type"] == "ALL" and "3" in said["experiment_ids"]
            return self.pages[1] if said.get("page_token") == self.pages[0]["next_page_token"] else self.pages[0]
        if what == "runs/get":
            return {"run": self.runs[said["run_id"]]}
        if what == "metrics/get-history":
            (newest,) = [
                one for one in self.runs[said["run_id"]]["data"]["metrics"] if one["key"] == said["metric_key"]
            ]
            saved_ = self.load("metrics-get-history.loss")
            return saved_ if newest in saved_["metrics"] else {"metrics": [newest]}
        if what in ("registered-models/search", "model-versions/search"):
            return {} if "filter" in said else self.load(what.replace("/", "-"))
        if what == "logged-models/search" and not self.old:
            return self.load("logged-models-search")
        return missing()


def test_a_fetched_folder_says_what_the_saved_one_says(saved: Path, tmp_path: Path) -> None:
    """Every page, each run alone and every history are asked for; nothing but questions is sent."""
    with serving(Fixture(saved)) as (url, asked):
        runs = mlflow.fetch(url + "/", tmp_path / "new" / "answers")
    things, unread = read(tmp_path / "new" / "answers")
    there, _ = read(saved)
    assert runs == len([ref for ref in there if ref.kind == "run"]) and not unread
    assert things.keys() == there.keys()
    for ref, thing in things.items():
        assert (thing.attrs, thing.params, thing.metrics, thing.edges) == (
            there[ref].attrs, there[ref].params, there[ref].metrics, there[ref].edges,
        )  # fmt: skip
        points = {json.loads(line)["name"] for keep in thing.keep for line in keep.data.splitlines()}
        assert ref.kind != "run" or points == {one["name"] for one in thing.metrics}
    assert {path.rpartition("/")[2] for method, path, _ in asked if method == "POST"} == {"search"}
    assert (tmp_path / "new" / "answers" / "version.txt").read_text() == "3.17.2"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["answers"]


def test_an_old_server_is_asked_as_it_understands(saved: Path, tmp_path: Path) -> None:
    """1.x has no version, no search for experiments and no logged models: the rest is fetched."""
    with serving(Fixture(saved, old=True)) as (url, _):
        mlflow.fetch(url, tmp_path / "answers")
    things, unread = read(tmp_path / "answers")
    there, _ = read(saved)
    assert not unread and {ref for ref in things if ref.kind == "run"} == {ref for ref in there if ref.kind == "run"}
    assert not [ref for ref in things if ref.key.startswith("m-")]


def test_a_login_is_sent_and_not_saved(saved: Path, tmp_path: Path) -> None:
    """A token, or user and password of the address, go to the server and nowhere else."""
    with serving(Fixture(saved)) as (url, asked):
        mlflow.fetch(url, tmp_path / "a", token="t0ken")
        assert {login for _, _, login in asked} == {"Bearer t0ken"}
        asked.clear()
        mlflow.fetch(url.replace("//", "//ana:p%40ss@"), tmp_path / "b")
        assert {login for _, _, login in asked} == {f"Basic {base64.b64encode(b'ana:p@ss').decode()}"}
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or not any(word in path.read_bytes() for word in (b"t0ken", b"p@ss", b"p%40ss"))


def test_an_answer_that_fails_takes_no_other_with_it(saved: Path, tmp_path: Path) -> None:
    """One run, one history, one run deleted meanwhile: each is named, all else is read; a page in the midst that is none is named too."""
    fixture = Fixture(saved)
    first, second, third = sorted(fixture.runs)[:3]

    def answer(path: str, said: Json) -> Any:
        if path.endswith("runs/get") and said["run_id"] == first:
            return 500, {}, b'{"message": "disk full"}'
        if path.endswith("runs/get") and said["run_id"] == second:
            return missing()
        if path.endswith("get-history") and said["run_id"] == third:
            return 503, {}, b"busy"
        return fixture(path, said)

    with serving(answer) as (url, _):
        mlflow.fetch(url, tmp_path / "answers")
    things, unread = read(tmp_path / "answers")
    there, _ = read(saved)
    assert things.keys() == there.keys()
    assert told(unread, f"runs-get.{first}.json", "disk full")
    assert told(unread, f"runs-get.{second}.json", "does not know it")
    assert fixture.runs[third]["data"]["metrics"]
    assert told(unread, third, "code 503")
    (tmp_path / "answers" / f"runs-get.{third}.json").write_text("<html>")
    assert told(read(tmp_path / "answers")[1], f"runs-get.{third}.json", "not JSON")


ENDLESS = {"experiments": [{"experiment_id": "1"}], "next_page_token": "again"}
RUNS_OF: dict[str, Any] = {"experiments": [{"experiment_id": "1"}]}
REFUSALS: dict[str, tuple[Callable[[str, Json], Any], str]] = {
    "a login": (lambda path, said: (401, {}, b""), "asks for a login"),
    "a fault": (lambda path, said: (500, {}, b'{"message": "disk full"}'), "code 500: disk full"),
    "no MLflow": (lambda path, said: missing(), "does not know experiments/list"),
    "a web page": (lambda path, said: (200, {"Content-Type": "text/html"}, b"<html>"), "not JSON"),
    "not fields": (lambda path, said: (200, {}, b"[1]"), "not JSON"),
    "one page for ever": (lambda path, said: ENDLESS, "again and again"),
    "pages without end": (lambda path, said: ENDLESS | {"next_page_token": f"{said.get('page_token', '')}x"}, "more than 20 pages"),
    "elsewhere": (lambda path, said: (302, {"Location": "http://127.0.0.1:1/"}, b""), "sends on to http://127.0.0.1:1/"),
    "too much": (lambda path, said: (200, {}, b" " * 200_001), "more than"),
    "a run by another name": (lambda path, said: RUNS_OF | {"runs": [{"info": {"run_id": "../x"}}]}, "without a proper id"),
    "runs that are gone": (
        lambda path, said: missing() if path.endswith("runs/get") else RUNS_OF | {"runs": [run_of(f"{n:032x}") for n in range(40)]},
        "does not know it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_server_refuses_is_said_and_nothing_is_left_behind(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login, a fault, a page that is no answer, pages without end, an address elsewhere: words, and no half a folder."""
    monkeypatch.setattr(mlflow_fetch, "MAX_PAGES", 20)
    monkeypatch.setattr(mlflow_fetch, "MAX_ANSWER", 200_000)
    answer, words = REFUSALS[case]
    with serving(answer) as (url, _), pytest.raises(Invalid) as caught:
        mlflow.fetch(url, tmp_path / "answers")
    assert words in str(caught.value) and not list(tmp_path.iterdir())


def test_a_server_that_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    """A request has its time; nobody there has an error of its own."""
    waiting = threading.Event()

    def answer(path: str, said: Json) -> Json:
        waiting.wait(5)
        return {}

    with serving(answer) as (url, _):
        with pytest.raises(Invalid, match="does not answer in time"):
            mlflow.fetch(url, tmp_path / "answers", timeout=0.05)
        waiting.set()
    with pytest.raises(Invalid, match="cannot be reached"):
        mlflow.fetch(url, tmp_path / "answers")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["localhost:5000", "file:///etc/passwd", "ftp://host/x", "http://", "http://[::1", "http://host:port", ""]
)
def test_what_is_no_address_of_a_server_is_refused(url: str, tmp_path: Path) -> None:
    """Only http and https are asked."""
    with pytest.raises(Usage, match="no address of a server"):
        mlflow.fetch(url, tmp_path / "answers")


def test_answers_of_two_times_do_not_mix(saved: Path, tmp_path: Path) -> None:
    """A folder that holds something is left alone; an empty one is filled."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    with serving(Fixture(saved)) as (url, _):
        with pytest.raises(CarnetError, match="is there already"):
            mlflow.fetch(url, tmp_path / "full")
        mlflow.fetch(url, tmp_path / "empty")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"] and read(tmp_path / "empty")[0]
