"""The scoring service: JSON over HTTP, standard library only.

    python serve.py --package DIR --port 8080        GET /health, POST /score {"rows": [{feature: value, ...}]}
    python serve.py --package DIR --smoke            score one customer, print the answer, exit

DIR holds model.json and features_contract.json. A request is refused whole when one of its rows breaks the
contract: the caller then uses the rule by kind of contract, see runbook.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from boosting import predict
from features import Refused, encode, load_contract, read_json, sha256

MOST_BYTES = 1 << 20
MOST_ROWS = 2000
SMOKE_ROW = {
    "female": "1", "senior_citizen": "0", "partner": "1", "dependents": "0", "tenure": "1", "phone_service": "0",
    "multiple_lines": "No phone service", "internet_service": "DSL", "online_security": "No", "online_backup": "Yes",
    "device_protection": "No", "tech_support": "No", "streaming_tv": "No", "streaming_movies": "No",
    "contract": "Month-to-month", "paperless_billing": "1", "payment_method": "Electronic check",
    "monthly_charges": "29.85", "total_charges": "29.85",
}  # fmt: skip


class Service:
    """One model with its contract, ready to score. Raises Refused when the package cannot be read."""

    def __init__(self, package: Path):
        self._features = load_contract(package / "features_contract.json")
        self._model = read_json(package / "model.json")
        self.digest = sha256(package / "model.json")

    def score(self, rows: object) -> list[float]:
        """Chance of churn for each raw row. Raises Refused naming the first row that breaks the contract."""
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
            raise Refused(f"rows must be a list of 1 to {MOST_ROWS} customers")
        scores = []
        for place, row in enumerate(rows):
            if not isinstance(row, dict):
                raise Refused(f"row {place}: not an object")
            try:
                scores.append(predict(self._model, self._features, encode(self._features, row)))
            except Refused as error:
                raise Refused(f"row {place}: {error}") from None
        return scores


class Server(ThreadingHTTPServer):
    """Serves one Service; port 0 takes a free one (`server_port` tells which)."""

    daemon_threads = True

    def __init__(self, service: Service, port: int):
        self.service = service
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Keep customers' data and addresses out of the log; the proxy in front counts requests."""

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status != 200:  # an unread body must not be taken for the next request
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"model": self.server.service.digest})
        else:
            self._answer(404, {"error": "there is GET /health and POST /score"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != "/score":
            self._answer(404, {"error": "there is GET /health and POST /score"})
        elif not (length.isascii() and length.isdigit()):
            self._answer(411, {"error": "Content-Length is needed"})
        elif len(length) > 9 or int(length) > MOST_BYTES:
            self._answer(413, {"error": f"at most {MOST_BYTES} bytes"})
        else:
            try:
                request = json.loads(self.rfile.read(int(length)))
                rows = request.get("rows") if isinstance(request, dict) else None
                scores = self.server.service.score(rows)
            except (ValueError, RecursionError):
                self._answer(400, {"error": "the body is not JSON"})
            except Refused as error:
                self._answer(422, {"error": str(error)})
            else:
                self._answer(200, {"model": self.server.service.digest, "scores": scores})


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 2: the package is refused."""
    parser = argparse.ArgumentParser(description="Serve the churn model.")
    parser.add_argument("--package", type=Path, required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--port", type=int)
    what.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    try:
        service = Service(options.package)
        if options.smoke:
            print(f"model {service.digest[:12]} scores the reference customer {service.score([SMOKE_ROW])[0]:.9f}")
            return 0
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    with Server(service, options.port) as server:
        print(f"model {service.digest[:12]} on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
