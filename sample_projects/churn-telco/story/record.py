"""What the scripts recorded under `runs/` and what lies in `project/`, as the ledger takes it. Nothing here is typed."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).resolve().parent.parent
PROJECT, RUNS = SAMPLE / "project", SAMPLE / "runs"

NULL_RULE = ('"nulls": "zero"', '"nulls": "zero_if_tenure_zero"')
"""The edit of 14 April: one line of the feature contract."""

# Slugs by which the packs name criteria: everything else keeps the file's own.
_SLUGS = {"auc": "primary", "rollback": "rollback_minutes", "parity": "parity_tolerance"}


@cache
def read(path: str) -> Any:
    """Return a JSON file under the sample's folder."""
    return json.loads((SAMPLE / path).read_text(encoding="utf-8"))


def run(name: str) -> Any:
    """Return a run's run.json."""
    return read(f"runs/{name}/run.json")


def value(run_name: str, metric: str) -> str:
    """Return a metric of a run as recorded, over all rows."""
    rows = read(f"runs/{run_name}/metrics.json")["metrics"]
    found = [m for m in rows if m["name"] == metric]
    return str(next((m for m in found if not m["slice"]), found[0])["value"])


def metrics(name: str) -> list[dict[str, str]]:
    """Return a run's metrics with split and slice."""
    rows = read(f"runs/{name}/metrics.json")["metrics"]
    return [{key: m[key] for key in ("name", "value", "split", "slice") if m[key]} for m in rows]


def params(name: str) -> dict[str, str]:
    """Return a run's parameters, flat, as text."""
    found = run(name)["params"]
    flat = {key: value for key, value in found.items() if key not in ("run", "title", "settings")}
    return {key: str(value) for key, value in sorted({**flat, **found.get("settings", {})}.items())}


def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def code_digest(name: str) -> str:
    """Return one digest for the code of a run: that of its list of file digests."""
    return digest(json.dumps(run(name)["code"], sort_keys=True).encode())


def criteria() -> list[dict[str, str]]:
    """Return the criteria as the ledger holds them, from criteria.json."""
    rows = []
    for row in read("project/criteria.json")["criteria"]:
        found = {"id": _SLUGS.get(row["id"], row["id"]), "metric": row["meaning"], "name": row["metric"]}
        rows.append({**found, "op": row["op"], "value": row["value"]})
    return rows


def contract(edited: bool = False) -> bytes:
    """Return the feature contract's bytes, as signed off or with the null rule edited on 14 April."""
    found = (PROJECT / "features_contract.json").read_bytes()
    old, new = (part.encode() for part in NULL_RULE)
    if found.count(old) != 1:
        raise ValueError("the contract has not exactly one line with the null rule of the story")
    return found.replace(old, new) if edited else found
