"""Measures of a churn model, and the judgement of a run against the signed criteria.

    python evaluate.py --run ../runs/r-012 --criteria criteria.json

scores the run's model.json on the frozen holdout again, prints each measure beside its criterion, and exits 1
when one is not met or when the predictions are not the recorded ones.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from boosting import predict
from features import HERE, HOLDOUT, Refused, Table, load_contract, load_table, read_holdout, read_json

SLICED_BY = ("contract", "internet_service", "payment_method", "senior_citizen")
SMALLEST_SLICE = 100
FLAG_AT = 0.5
RESAMPLES = 500
Metric = dict[str, str]


def _pairs_won(counts: Iterable[Sequence[int]]) -> tuple[int, int]:
    """(twice the ordered pairs, pairs) from (stayed, churned) counts by rising score. A tie counts half."""
    won = stayed = churned = 0
    for here_stayed, here_churned in counts:
        won += here_churned * (2 * stayed + here_stayed)
        stayed += here_stayed
        churned += here_churned
    return won, stayed * churned


def _levels(scores: Sequence[float]) -> list[int]:
    """The rank of each score among the distinct ones, from 0."""
    rank = {score: place for place, score in enumerate(sorted(set(scores)))}
    return [rank[score] for score in scores]


def auc(scores: Sequence[float], churned: Sequence[int]) -> float:
    """Chance that a customer who left is scored above one who stayed. Raises Refused when a class is empty."""
    levels = _levels(scores)
    counts = [[0, 0] for _ in range(max(levels, default=0) + 1)]
    for level, target in zip(levels, churned, strict=True):
        counts[level][target] += 1
    won, pairs = _pairs_won(counts)
    if not pairs:
        raise Refused("AUC needs customers of both classes")
    return won / (2 * pairs)


def bootstrap_auc(scores: Sequence[float], churned: Sequence[int], seed: int) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of the AUC over RESAMPLES seeded resamples of the customers."""
    levels, size = _levels(scores), len(scores)
    generator = random.Random(seed)
    found = []
    for _ in range(RESAMPLES):
        counts = [[0, 0] for _ in range(max(levels) + 1)]
        for _ in range(size):
            pick = int(generator.random() * size)
            counts[levels[pick]][churned[pick]] += 1
        won, pairs = _pairs_won(counts)
        found.append(won / (2 * pairs))
    found.sort()
    return found[round(0.025 * RESAMPLES)], found[round(0.975 * RESAMPLES) - 1]


def calibration_error(scores: Sequence[float], churned: Sequence[int], bins: int = 10) -> float:
    """ECE: |mean score - churn rate| over equal-width bins, weighted by their share of the customers."""
    members: list[list[int]] = [[] for _ in range(bins)]
    for place, score in enumerate(scores):
        members[min(bins - 1, int(score * bins))].append(place)
    gaps = [abs(math.fsum(scores[p] for p in rows) - sum(churned[p] for p in rows)) for rows in members]
    return math.fsum(gaps) / len(scores)


def stability_index(expected: Sequence[float], actual: Sequence[float], bins: int = 10) -> float:
    """PSI between two score distributions, over the deciles of the expected one; half a row fills an empty bin."""
    ordered = sorted(expected)
    cuts = sorted({ordered[(k * len(ordered)) // bins] for k in range(1, bins)})

    def shares(scores: Sequence[float]) -> list[float]:
        counts = [0] * (len(cuts) + 1)
        for score in scores:
            counts[bisect_right(cuts, score)] += 1
        return [max(count, 0.5) / len(scores) for count in counts]

    pairs = zip(shares(expected), shares(actual), strict=True)
    return math.fsum((there - here) * math.log(there / here) for here, there in pairs)


def _metric(name: str, value: float | int, part: str = "", rows: int = 0) -> Metric:
    text = str(value) if isinstance(value, int) else f"{value:.4f}"
    return {"name": name, "split": "holdout", "slice": part, "value": text, "rows": str(rows)}


def contract_rates(table: Table, training: Sequence[int]) -> dict[str, Any]:
    """The baseline as a model: the churn rate of each kind of contract among the training rows."""
    place = [feature.name for feature in table.features].index("contract")
    rates = {}
    for value in table.features[place].values:
        targets = [table.churned[row] for row in training if table.rows[row][place] == value]
        rates[value] = round(sum(targets) / len(targets), 9)
    return {"kind": "contract-rate", "rates": rates, "training_rows": len(training)}


def score_rows(model: dict[str, Any], table: Table, rows: Iterable[int]) -> list[float]:
    """The model's score of each row named."""
    return [predict(model, table.features, table.rows[row]) for row in rows]


def measure(
    model: dict[str, Any], table: Table, training: Sequence[int], holdout: Sequence[int], seed: int
) -> tuple[list[float], list[Metric]]:
    """(scores of the holdout rows, every measure of the run). Slices under SMALLEST_SLICE rows are left out."""
    scores = score_rows(model, table, holdout)
    churned = [table.churned[row] for row in holdout]
    size = len(holdout)
    area = auc(scores, churned)
    low, high = bootstrap_auc(scores, churned, seed)
    baseline = auc(score_rows(contract_rates(table, training), table, holdout), churned)
    flagged = [target for score, target in zip(scores, churned, strict=True) if score >= FLAG_AT]
    seen = set(training)
    metrics = [
        _metric("auc", area, rows=size),
        _metric("auc_low_95", low, rows=size),
        _metric("auc_high_95", high, rows=size),
        _metric("auc_gain_over_contract_rate", area - baseline, rows=size),
        _metric("ece", calibration_error(scores, churned), rows=size),
        _metric(
            "psi_scores_training_to_holdout", stability_index(score_rows(model, table, training), scores), rows=size
        ),
        _metric("mean_score", math.fsum(scores) / size, rows=size),
        _metric("flagged", len(flagged), rows=size),
        _metric("precision_of_flags", sum(flagged) / max(1, len(flagged)), rows=size),
        _metric("recall_of_flags", sum(flagged) / sum(churned), rows=size),
        _metric("holdout_rows_also_in_training", sum(row in seen for row in holdout) / size, rows=size),
    ]
    slices = []
    for place, feature in enumerate(table.features):
        for value in feature.values if feature.name in SLICED_BY else ():
            members = [p for p, row in enumerate(holdout) if table.rows[row][place] == value]
            if len(members) >= SMALLEST_SLICE:
                area = auc([scores[p] for p in members], [churned[p] for p in members])
                slices.append(_metric("auc", area, f"{feature.name}={value}", len(members)))
    worst = min(slices, key=lambda item: float(item["value"]))
    metrics.append({**worst, "name": "auc_worst_slice"})
    return scores, metrics + slices


def predictions_csv(rows: Sequence[int], churned: Sequence[int], scores: Sequence[float]) -> str:
    """Lines `row,churned,score`, by rising row number; scores with 9 digits."""
    lines = [f"{row},{churned[row]},{score:.9f}" for row, score in sorted(zip(rows, scores, strict=True))]
    return "row,churned,score\n" + "\n".join(lines) + "\n"


def judge(metrics: Sequence[Metric], criteria: Any) -> list[tuple[str, bool]]:
    """(line to print, met?) for each criterion that a run can show. Raises Refused when its measure is missing."""
    lines = []
    values = {item["name"]: item for item in reversed(metrics) if not item["slice"] or item["name"] != "auc"}
    for rule in criteria["criteria"]:
        if rule["measured_by"] != "evaluate.py":
            continue
        if rule["metric"] not in values:
            raise Refused(f"criterion {rule['id']}: no measure {rule['metric']}")
        item = values[rule["metric"]]
        number, limit = float(item["value"]), float(rule["value"])
        met = number >= limit if rule["op"] == ">=" else number <= limit
        where = f" ({item['slice']})" if item["slice"] else ""
        lines.append(
            (
                f"{'met' if met else 'NOT MET':8}{rule['metric']} {item['value']} {rule['op']} {rule['value']}{where}",
                met,
            )
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 0: all met; 1: a criterion is not met or predictions differ; 2: refused."""
    parser = argparse.ArgumentParser(description="Judge a run against the criteria, on the frozen holdout.")
    parser.add_argument("--run", type=Path, required=True, help="folder with model.json and run.json")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "churn.csv.gz")
    parser.add_argument("--holdout", type=Path, default=HOLDOUT)
    parser.add_argument("--criteria", type=Path, default=HERE / "criteria.json")
    options = parser.parse_args(arguments)
    try:
        table = load_table(options.data, load_contract())
        holdout = read_holdout(options.holdout)
        held = set(holdout)
        training = [row for row in range(len(table.rows)) if row not in held]
        record = read_json(options.run / "run.json")
        scores, metrics = measure(
            read_json(options.run / "model.json"), table, training, holdout, int(record["params"]["seed"])
        )
        lines = judge(metrics, read_json(options.criteria))
        kept = options.run / "predictions.csv"
        if kept.exists():
            same = kept.read_text(encoding="ascii") == predictions_csv(holdout, table.churned, scores)
            lines.append((f"{'met' if same else 'NOT MET':8}predictions equal the recorded ones", same))
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    for line, _ in lines:
        print(line)
    return 0 if all(met for _, met in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
