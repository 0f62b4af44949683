"""The receiver's act: train a claimed run's recipe again, away from the frozen holdout, and measure it there.

    python receiver_rerun.py --claimed ../runs/r-007 --run r-008 --out OUT

Everything comes from the package: the claim's run.json and metrics.json, this code, the data, the holdout.
Writes the four files of a run and rerun.json with the verdict: `bitwise` (same predictions), `reproduced`
(AUC within the tolerance) or `diverged`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features import CONTRACT, HERE, HOLDOUT, Refused, read_json, sha256, write_json
from train import run

TOLERANCE = 0.005


def _auc(metrics: Any) -> str:
    return next(str(item["value"]) for item in metrics["metrics"] if item["name"] == "auc" and not item["slice"])


def rerun(claimed: Path, name: str, data: Path, out: Path, holdout: Path = HOLDOUT) -> dict[str, Any]:
    """Re-run the recipe claimed in a folder. Returns the content of rerun.json.

    Raises Refused when the inputs at hand are not those of the claim, by digest.
    """
    record, metrics = read_json(claimed / "run.json"), read_json(claimed / "metrics.json")
    if record["outputs"]["metrics.json"] != sha256(claimed / "metrics.json"):
        raise Refused(f"{claimed}: metrics.json is not the file that run.json names")
    for what, path in (("data/churn.csv.gz", data), ("features_contract.json", CONTRACT)):
        if record["inputs"][what] != sha256(path):
            raise Refused(f"{path}: not the {what} of run {record['run']}")
    params = {
        **record["params"],
        "run": name,
        "title": f"receiver's re-run of {record['run']} on the frozen holdout",
        "holdout": "frozen",
    }
    command = f"python receiver_rerun.py --claimed ../runs/{record['run']} --run {name} --out OUT"
    found = run(params, data, out, command, holdout)
    before, after = _auc(metrics), _auc(read_json(out / "metrics.json"))
    difference = round(float(after) - float(before), 4)
    if record["outputs"]["predictions.csv"] == found["outputs"]["predictions.csv"]:
        verdict = "bitwise"
    else:
        verdict = "reproduced" if abs(difference) <= TOLERANCE else "diverged"
    result = {
        "claimed_run": record["run"],
        "run": name,
        "metric": "auc",
        "claimed": before,
        "found": after,
        "difference": f"{difference:+.4f}",
        "tolerance": f"{TOLERANCE:.4f}",
        "same_holdout": record["holdout"]["sha256"] == found["holdout"]["sha256"],
        "verdict": verdict,
    }
    write_json(out / "rerun.json", result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 0: bitwise or reproduced; 1: diverged; 2: refused."""
    parser = argparse.ArgumentParser(description="Re-run a claimed run on the frozen holdout.")
    parser.add_argument("--claimed", type=Path, required=True, help="folder of the claimed run")
    parser.add_argument("--run", required=True, help="name of the new run")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "churn.csv.gz")
    parser.add_argument("--holdout", type=Path, default=HOLDOUT)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        result = rerun(options.claimed, options.run, options.data, options.out, options.holdout)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    print(
        f"{result['verdict']}: {result['claimed_run']} claimed AUC {result['claimed']},"
        f" {result['run']} found {result['found']} on the frozen holdout ({result['difference']})"
    )
    return 1 if result["verdict"] == "diverged" else 0


if __name__ == "__main__":
    sys.exit(main())
