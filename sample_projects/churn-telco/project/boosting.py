"""Gradient boosted trees for two classes, in plain Python, giving the same bits on every machine.

Gradients are rounded to whole multiples of 2**-20, so every sum of them is exact and no split depends on the
order of addition; leaves are rounded to 9 digits. A node tests one feature: `at_most` a number, or `is` a category.
A tree is a nested dict, as it stands in model.json:
`{"feature", "at_most" | "is", "yes", "no"}`, or `{"leaf": log odds, "rows": training rows}`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features import Feature, Table, Value

SCALE = float(1 << 20)
Tree = dict[str, Any]
Sums = list[complex]  # per bin: gradient sum as the real part, hessian sum as the imaginary part, both times SCALE


@dataclass(frozen=True, slots=True)
class Settings:
    """`rate` shrinks each tree; `l2` is added to a leaf's hessian; `bins` bounds the thresholds of a number."""

    trees: int
    depth: int
    rate: float
    l2: float
    bins: int
    min_rows: int


@dataclass(frozen=True, slots=True)
class _Column:
    """A feature as bin numbers. `cuts[b]` is the threshold or the category of bin b."""

    feature: Feature
    codes: list[int]
    cuts: tuple[Value, ...]


def probability(log_odds: float) -> float:
    """Log odds to a probability; arguments beyond 30 are cut, where a float has nothing left to say."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, log_odds))))


def _column(table: Table, place: int, rows: Sequence[int], bins: int) -> _Column:
    feature = table.features[place]
    values = [table.rows[row][place] for row in rows]
    if feature.type == "category":
        return _Column(feature, [feature.values.index(str(value)) for value in values], feature.values)
    ordered = sorted(float(value) for value in values)
    cuts = sorted({ordered[(k * len(ordered)) // bins] for k in range(1, bins)} | {ordered[-1]})
    return _Column(feature, [bisect_left(cuts, float(value)) for value in values], tuple(cuts))


def _histograms(columns: Sequence[_Column], slopes: Sequence[complex], rows: Sequence[int]) -> list[Sums]:
    result = []
    picked = [slopes[row] for row in rows]
    for column in columns:
        sums = [0j] * len(column.cuts)
        codes = column.codes
        for row, slope in zip(rows, picked, strict=True):
            sums[codes[row]] += slope
        result.append(sums)
    return result


def _best_split(columns: Sequence[_Column], sums: Sequence[Sums], l2: float) -> tuple[float, int, int]:
    """(gain, column, bin) of the best test; the first in the contract's order wins a tie. Gain 0.0: no test helps."""
    best = (0.0, -1, -1)
    total = sum(sums[0])
    before = total.real * total.real / (total.imag + l2)
    for place, (column, bins) in enumerate(zip(columns, sums, strict=True)):
        running = 0j
        for index, here in enumerate(bins):
            running = running + here if column.feature.type == "number" else here
            rest = total - running
            if running.imag <= 0.0 or rest.imag <= 0.0:
                continue
            after = running.real * running.real / (running.imag + l2) + rest.real * rest.real / (rest.imag + l2)
            if after - before > best[0]:
                best = (after - before, place, index)
    return best


class _Grower:
    """Grows one tree on the slopes of one round, adding each leaf's value to `scores` as it goes."""

    def __init__(self, columns: Sequence[_Column], settings: Settings, slopes: list[complex], scores: list[float]):
        self._columns, self._settings, self._slopes, self._scores = columns, settings, slopes, scores
        self._l2 = settings.l2 * SCALE

    def grow(self, rows: list[int], depth: int, sums: list[Sums] | None = None) -> Tree:
        if depth > 0 and len(rows) >= 2 * self._settings.min_rows:
            sums = _histograms(self._columns, self._slopes, rows) if sums is None else sums
            gain, place, index = _best_split(self._columns, sums, self._l2)
            if gain > 0.0:
                column = self._columns[place]
                codes, number = column.codes, column.feature.type == "number"
                yes = [row for row in rows if (codes[row] <= index if number else codes[row] == index)]
                no = [row for row in rows if (codes[row] > index if number else codes[row] != index)]
                if min(len(yes), len(no)) >= self._settings.min_rows:
                    return self._branch(column, index, yes, no, depth - 1, sums)
        return self._leaf(rows)

    def _branch(self, column: _Column, index: int, yes: list[int], no: list[int], depth: int, sums: list[Sums]) -> Tree:
        yes_sums = no_sums = None
        if depth > 0:  # sums are exact, so the larger side is the whole less the smaller
            small = _histograms(self._columns, self._slopes, min(yes, no, key=len))
            large = [[a - b for a, b in zip(p, q, strict=True)] for p, q in zip(sums, small, strict=True)]
            yes_sums, no_sums = (small, large) if len(yes) <= len(no) else (large, small)
        test = "at_most" if column.feature.type == "number" else "is"
        return {
            "feature": column.feature.name,
            test: column.cuts[index],
            "yes": self.grow(yes, depth, yes_sums),
            "no": self.grow(no, depth, no_sums),
        }

    def _leaf(self, rows: list[int]) -> Tree:
        total = sum(self._slopes[row] for row in rows)
        value = round(-self._settings.rate * total.real / (total.imag + self._l2), 9)
        for row in rows:
            self._scores[row] += value
        return {"leaf": value, "rows": len(rows)}


def fit(table: Table, rows: Sequence[int], settings: Settings) -> dict[str, Any]:
    """Train on the given rows (a row may be named many times). Returns the content of model.json."""
    columns = [_column(table, place, rows, settings.bins) for place in range(len(table.features))]
    targets = [table.churned[row] for row in rows]
    positive = sum(targets)
    base = round(math.log(positive / (len(targets) - positive)), 9)
    scores = [base] * len(rows)
    trees = []
    for _ in range(settings.trees):
        slopes = []
        for score, target in zip(scores, targets, strict=True):
            chance = probability(score)
            slopes.append(complex(round((chance - target) * SCALE), round(chance * (1.0 - chance) * SCALE) or 1))
        trees.append(_Grower(columns, settings, slopes, scores).grow(list(range(len(rows))), settings.depth))
    return {"kind": "boosted-trees", "base": base, "trees": trees, "training_rows": len(rows)}


def predict(model: dict[str, Any], features: Sequence[Feature], row: Sequence[Value]) -> float:
    """Chance of churn for one encoded row, rounded to 9 digits."""
    values = {feature.name: value for feature, value in zip(features, row, strict=True)}
    if model["kind"] == "contract-rate":
        return round(float(model["rates"][values["contract"]]), 9)
    score = float(model["base"])
    for tree in model["trees"]:
        node = tree
        while "leaf" not in node:
            value = values[node["feature"]]
            passed = value <= node["at_most"] if "at_most" in node else value == node["is"]
            node = node["yes"] if passed else node["no"]
        score += node["leaf"]
    return round(probability(score), 9)
