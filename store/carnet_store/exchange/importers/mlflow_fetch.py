"""Save what an MLflow server says of its runs: its answers, page by page, as files that `mlflow_rest` reads.

Rules: the standard library alone; it only asks, nothing at the server changes; every request has a time limit, every answer and the number of pages
an upper one; a login is sent to the named address and nowhere else, and is not saved; the folder appears when everything is in it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote, urlencode, urlsplit

from carnet_store.errors import Invalid, Usage
from carnet_store.exchange.importers.files import MIB, short
from carnet_store.exchange.importers.mlflow_rest import EXPERIMENTS, HISTORY, MODELS, REGISTERED, RUN, RUNS, VERSIONS

API: Final = "api/2.0/mlflow"
MAX_ANSWER: Final = 64 * MIB
MAX_PAGES: Final = 10_000
"""Pages of one list; with `PAGE` runs each this is far beyond what one record should take."""
PAGE: Final = 100
PAGE_OF_MODELS: Final = 50
PAGE_OF_POINTS: Final = 10_000
EXPERIMENTS_AT_ONCE: Final = 100
FAULTS: Final = 30
"""So many answers that a server owes in a row end the asking."""
PROMPTS: Final = "tags.`mlflow.prompt.is_prompt` = 'true'"
"""Prompts are left out of a search that does not ask for them."""


class _Missing(Exception):
    """The server does not know this request: an older one, as a rule."""


class _Fault(Invalid):
    """The server failed at one request, or did not answer it in time; it may answer the next."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: a login would go there too."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> None:
        """Refuse: the answer itself becomes an error."""


def fetch(url: str, folder: Path, *, token: str, timeout: float) -> int:
    """Save the answers of a server, as `mlflow.fetch` says it."""
    server = _Server(url, token, timeout)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Usage(f"{folder} is there already", "name a folder that is not: answers of different times do not mix")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
            answers = Path(place, "answers")
            answers.mkdir()
            runs = _Saver(server, answers).everything()
            answers.replace(folder)
    except OSError as error:
        raise Invalid(f"{folder} cannot be written: {error.strerror}") from None
    return runs


class _Server:
    """Asks one server."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            parts, port = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Usage(
                f"{short(url)} is no address of a server",
                "it begins with http:// or https://, for example http://localhost:5000",
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.url = f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_Stay)

    def ask(self, path: str, body: dict[str, Any] | None = None, **query: str | int) -> bytes:
        """Return the bytes of an answer; with a body it is a POST.

        Raises:
            Invalid: no answer, a refusal, or one that is too large.
        """
        address = f"{self.url}/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, headers)  # noqa: S310 (http or https: looked at above)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                found: bytes = answer.read(MAX_ANSWER + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, path) from None
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            late = isinstance(why, TimeoutError)
            what = "does not answer in time" if late else f"cannot be reached: {why}"
            raise (_Fault if late else Invalid)(
                f"{self.url} {what}", "is the address right, and the server running?"
            ) from None
        if len(found) > MAX_ANSWER:
            raise Invalid(f"{self.url}/{path} answers with more than {MAX_ANSWER // MIB} MiB")
        return found

    def _refusal(self, error: urllib.error.HTTPError, path: str) -> Exception:
        said = error.read(4_096).decode("utf-8", "replace")
        try:
            message = str(json.loads(said).get("message", ""))
        except (ValueError, AttributeError):
            message = ""
        if 300 <= error.code < 400:
            return Invalid(
                f"{self.url} sends on to {short(error.headers.get('Location') or '?')}",
                "name that address, if it is the right one",
            )
        if error.code in (400, 404, 405, 501):
            return _Missing(message or f"code {error.code}")
        if error.code in (401, 403):
            return Invalid(
                f"{self.url} asks for a login (code {error.code})", "give a token, or user and password in the address"
            )
        return (_Fault if error.code >= 500 else Invalid)(
            f"{self.url}/{path} answers with code {error.code}{f': {short(message)}' if message else ''}",
            "look at the server's log",
        )

    def json(self, path: str, body: dict[str, Any] | None = None, **query: str | int) -> tuple[bytes, dict[str, Any]]:
        """Return an answer, as bytes and as fields."""
        data = self.ask(path, body, **query)
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise Invalid(
                f"{self.url}/{path} answers with what is not JSON", "is this the address of an MLflow server?"
            )
        return data, said


class _Saver:
    """Asks for everything and saves the answers."""

    def __init__(self, server: _Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._faults = 0  # one after the other

    def everything(self) -> int:
        """Save versions, experiments, models, runs and histories; return the number of runs."""
        with contextlib.suppress(_Missing):  # before 1.13
            (self._folder / "version.txt").write_bytes(self._server.ask("version")[:100])
        experiments = list(self._experiments())
        for at in range(0, len(experiments), EXPERIMENTS_AT_ONCE):
            some = experiments[at : at + EXPERIMENTS_AT_ONCE]
            number = at // EXPERIMENTS_AT_ONCE + 1
            body = {"experiment_ids": some, "max_results": PAGE_OF_MODELS}
            list(self._optional(f"{MODELS}.{number}", "models", "logged-models/search", body))
        for prefix, about in ((REGISTERED, "registered-models"), (VERSIONS, "model-versions")):
            key = about.replace("-", "_")
            list(self._optional(f"{prefix}.models", key, f"{about}/search", max_results=PAGE))
            list(self._optional(f"{prefix}.prompts", key, f"{about}/search", max_results=PAGE, filter=PROMPTS))
        runs = 0
        for at in range(0, len(experiments), EXPERIMENTS_AT_ONCE):
            body = {
                "experiment_ids": experiments[at : at + EXPERIMENTS_AT_ONCE],
                "run_view_type": "ALL",
                "max_results": PAGE,
            }
            for run in self._pages(f"{RUNS}.{at // EXPERIMENTS_AT_ONCE + 1}", "runs", "runs/search", body):
                runs += 1
                self._run(run)
        return runs

    def _experiments(self) -> Iterator[str]:
        body = {"max_results": PAGE, "view_type": "ALL"}
        try:
            found = list(self._pages(EXPERIMENTS, "experiments", "experiments/search", body))
        except Invalid as error:
            if not isinstance(error.__cause__, _Missing):
                raise
            found = list(self._pages(EXPERIMENTS, "experiments", "experiments/list", view_type="ALL"))  # before 1.28
        for one in found:
            yield str(one.get("experiment_id", ""))

    def _run(self, run: dict[str, Any]) -> None:
        """Save a run alone, as a search leaves its models out, and the history of each of its metrics."""
        info = run.get("info")
        identity = str((info.get("run_id") or info.get("run_uuid") or "") if isinstance(info, dict) else "")
        if not identity.isalnum() or not identity.isascii() or len(identity) > 64:
            raise Invalid(f"{self._server.url} tells of a run without a proper id: {short(identity)!a}")
        name = f"{RUN}.{identity}"
        found = run
        with self._one_may_fail(name):
            try:
                data, said = self._server.json(f"{API}/runs/get", run_id=identity)
            except _Missing as error:
                raise _Fault(
                    f"{self._server.url} told of run {identity} and does not know it: {error}", "try again"
                ) from None
            (self._folder / f"{name}.json").write_bytes(data)
            alone = said.get("run")
            found = alone if isinstance(alone, dict) else run
        about = found.get("data")
        metrics = about.get("metrics") if isinstance(about, dict) else None
        for number, one in enumerate(metrics if isinstance(metrics, list) else (), 1):
            key = str(one.get("key", "")) if isinstance(one, dict) else ""
            name = f"{HISTORY}.{identity}.{number}"
            with self._one_may_fail(name):
                list(
                    self._pages(
                        name,
                        "metrics",
                        "metrics/get-history",
                        max_results=PAGE_OF_POINTS,
                        run_id=identity,
                        metric_key=key,
                    )
                )

    @contextlib.contextmanager
    def _one_may_fail(self, name: str) -> Iterator[None]:
        """Save what went wrong in the place of an answer that the server owes, so that the others are read.

        Raises:
            Invalid: it refuses, or owes `FAULTS` answers in a row.
        """
        try:
            yield
        except _Fault as error:
            self._faults += 1
            if self._faults >= FAULTS:
                raise
            said = {"error_code": "NO_ANSWER", "message": error.message}
            (self._folder / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
        else:
            self._faults = 0

    def _optional(
        self, name: str, key: str, path: str, body: dict[str, Any] | None = None, **query: str | int
    ) -> Iterator[dict[str, Any]]:
        """Save what an older server may not have."""
        try:
            yield from self._pages(name, key, path, body, **query)
        except Invalid as error:
            if not isinstance(error.__cause__, _Missing):
                raise

    def _pages(
        self, name: str, key: str, path: str, body: dict[str, Any] | None = None, **query: str | int
    ) -> Iterator[dict[str, Any]]:
        """Save every page of a list, and yield its items."""
        token, seen = "", set[str]()
        for number in range(1, MAX_PAGES + 1):
            more: dict[str, str] = {"page_token": token} if token else {}
            try:
                data, said = self._server.json(
                    f"{API}/{path}", None if body is None else body | more, **query, **(more if body is None else {})
                )
            except _Missing as error:
                raise Invalid(
                    f"{self._server.url} does not know {path}: {error}", "is this the address of an MLflow server?"
                ) from error
            (self._folder / f"{name}.page{number}.json").write_bytes(data)
            items = said.get(key)
            yield from (one for one in (items if isinstance(items, list) else ()) if isinstance(one, dict))
            token = str(said.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise Invalid(f"{self._server.url} sends the same page of {path} again and again")
            seen.add(token)
        raise Invalid(f"{self._server.url} has more than {MAX_PAGES:,} pages of {path}")
