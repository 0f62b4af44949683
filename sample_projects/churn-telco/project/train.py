"""Train one run from its parameter file and write model, predictions, metrics and the record of the run.

    python train.py --params params/r-012.json --data data/churn.csv.gz --out OUT

The four files of OUT hold no clock, path or host name, so the same inputs give the same bytes;
only `environment` in run.json says which Python it was.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import random
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from boosting import Settings, fit
from evaluate import contract_rates, measure, predictions_csv
from features import (
    CONTRACT,
    HERE,
    HOLDOUT,
    Refused,
    Table,
    load_contract,
    load_table,
    read_holdout,
    read_json,
    sha256,
    split,
    write_json,
)

CODE = ("boosting.py", "evaluate.py", "features.py", "train.py")


def oversample(table: Table, rows: Sequence[int], seed: int) -> list[int]:
    """The rows, with seeded copies of churned ones appended until both classes are equally many."""
    churned = [row for row in rows if table.churned[row]]
    missing = len(rows) - 2 * len(churned)
    generator = random.Random(seed)
    return [*rows, *(churned[int(generator.random() * len(churned))] for _ in range(missing))]


def divide(table: Table, params: dict[str, Any], holdout: Path) -> tuple[list[int], list[int]]:
    """(training rows, holdout rows) as the parameters ask; a row may be named more than once. Raises Refused."""
    everything = list(range(len(table.rows)))
    copies = {"none": False, "before_split": True}[params["oversample"]]
    if params["holdout"] == "frozen":
        held = read_holdout(holdout)
        outside = set(everything).difference(held)
        if len(outside) + len(held) != len(everything):
            raise Refused(f"{holdout}: names rows twice, or rows that the table does not have")
        training = sorted(outside)
        return (oversample(table, training, params["seed"]) if copies else training), held
    return split(oversample(table, everything, params["seed"]) if copies else everything, params["seed"])


def read_params(path: Path) -> dict[str, Any]:
    """The parameters of a run, checked. Raises Refused when one is missing or not known."""
    params = read_json(path)
    known = {"run", "title", "model", "seed", "holdout", "oversample", "settings"}
    if not isinstance(params, dict) or set(params) != known:
        raise Refused(f"{path}: needs exactly {', '.join(sorted(known))}")
    allowed = {
        "model": ("boosted-trees", "contract-rate"),
        "holdout": ("own", "frozen"),
        "oversample": ("none", "before_split"),
    }
    for name, values in allowed.items():
        if params[name] not in values:
            raise Refused(f"{path}: {name} must be one of {', '.join(values)}")
    if not isinstance(params["seed"], int):
        raise Refused(f"{path}: seed must be a whole number")
    names = [field.name for field in fields(Settings)] if params["model"] == "boosted-trees" else []
    settings = params["settings"]
    if not isinstance(settings, dict) or sorted(settings) != sorted(names):
        raise Refused(f"{path}: settings must be exactly: {', '.join(names) or 'none'}")
    if not all(isinstance(value, int | float) and value > 0 for value in settings.values()):
        raise Refused(f"{path}: settings must be numbers above 0")
    return params


def run(params: dict[str, Any], data: Path, out: Path, command: str, holdout: Path = HOLDOUT) -> dict[str, Any]:
    """Train and measure one run into the folder `out` (made if missing). Returns the content of run.json."""
    table = load_table(data, load_contract())
    training, held = divide(table, params, holdout)
    if params["model"] == "boosted-trees":
        model = fit(table, training, Settings(**params["settings"]))
    else:
        model = contract_rates(table, training)
    scores, metrics = measure(model, table, training, held, params["seed"])
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "model.json", model)
    write_json(out / "metrics.json", {"run": params["run"], "metrics": metrics})
    (out / "predictions.csv").write_bytes(predictions_csv(held, table.churned, scores).encode("ascii"))
    inputs = {"data/churn.csv.gz": sha256(data), "features_contract.json": sha256(CONTRACT)}
    if params["holdout"] == "frozen":
        inputs["data/holdout.txt"] = sha256(holdout)
    record = {
        "run": params["run"],
        "title": params["title"],
        "params": params,
        "seed": params["seed"],
        "command": command,
        "inputs": inputs,
        "code": {name: sha256(HERE / name) for name in CODE},
        "holdout": {
            "rows": len(held),
            "sha256": hashlib.sha256("".join(f"{row}\n" for row in sorted(held)).encode("ascii")).hexdigest(),
        },
        "training_rows": len(training),
        "outputs": {name: sha256(out / name) for name in ("metrics.json", "model.json", "predictions.csv")},
        "environment": {"python": platform.python_version(), "implementation": platform.python_implementation()},
    }
    write_json(out / "run.json", record)
    return record


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 0: the run is written; 2: refused."""
    parser = argparse.ArgumentParser(description="Train one run of the churn model.")
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=HERE / "data" / "churn.csv.gz")
    parser.add_argument("--holdout", type=Path, default=HOLDOUT, help="used when the parameters say frozen")
    parser.add_argument("--out", type=Path, required=True, help="folder for the four files of the run")
    options = parser.parse_args(arguments)
    command = f"python train.py --params params/{options.params.name} --data data/churn.csv.gz --out OUT"
    try:
        run(read_params(options.params), options.data, options.out, command, options.holdout)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    for metric in read_json(options.out / "metrics.json")["metrics"]:
        print(f"{metric['name']:32}{metric['value']:>8}  {metric['slice']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
