"""Serving parity: the research predictions of the frozen holdout against the answers of the running service.

    python parity.py --run ../runs/r-012 --package DIR --out parity.json

Starts the service on a free local port, sends the raw table rows over HTTP, 100 at a time, and compares.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features import HERE, Refused, read_raw, sha256, write_json
from serve import Server, Service

BATCH = 100


def served_scores(service: Service, rows: Sequence[Mapping[str, str]]) -> list[float]:
    """The service's scores of raw rows, asked over HTTP. Raises Refused with the service's own words."""
    scores: list[float] = []
    with Server(service, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        try:
            for start in range(0, len(rows), BATCH):
                body = json.dumps({"rows": [dict(row) for row in rows[start : start + BATCH]]})
                connection.request("POST", "/score", body, {"Content-Type": "application/json"})
                answer = json.loads(connection.getresponse().read())
                if "error" in answer:
                    raise Refused(f"the service refused rows from {start} on: {answer['error']}")
                scores.extend(answer["scores"])
        finally:
            connection.close()
            server.shutdown()
            thread.join()
    return scores


def compare(run: Path, package: Path, data: Path) -> dict[str, Any]:
    """The parity report: rows, rows missing, largest absolute difference, digests of both sides."""
    expected = {int(row["row"]): float(row["score"]) for row in read_raw(run / "predictions.csv")}
    table = read_raw(data)
    present = [row for row in sorted(expected) if row < len(table)]
    raw = [{name: value for name, value in table[row].items() if name != "churn"} for row in present]
    service = Service(package)
    scores = served_scores(service, raw)
    differences = [abs(score - expected[row]) for row, score in zip(present, scores, strict=True)]
    return {
        "rows": len(expected),
        "missing_rows": len(expected) - len(scores),
        "max_difference": f"{max(differences, default=0.0):.9f}",
        "research_predictions": sha256(run / "predictions.csv"),
        "served_model": service.digest,
        "served_contract": sha256(package / "features_contract.json"),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 0: equal; 1: a difference above the tolerance, or rows missing; 2: refused."""
    parser = argparse.ArgumentParser(description="Compare research predictions with the serving path.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=HERE / "data" / "churn.csv.gz")
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--out", type=Path, help="where to write the report as JSON")
    options = parser.parse_args(arguments)
    try:
        report = compare(options.run, options.package, options.data)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    if options.out:
        write_json(options.out, report)
    print(f"{report['rows']} rows, {report['missing_rows']} missing, max difference {report['max_difference']}")
    return 0 if float(report["max_difference"]) <= options.tolerance and not report["missing_rows"] else 1


if __name__ == "__main__":
    sys.exit(main())
