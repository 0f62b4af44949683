"""From the churn table to feature values, as `features_contract.json` says.

Training and serving both come through here, so there is one reading of the contract. A feature value is a
float (type "number", in the unit the contract names) or a string (type "category").
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Value = float | str
HERE = Path(__file__).resolve().parent
CONTRACT = HERE / "features_contract.json"
HOLDOUT = HERE / "data" / "holdout.txt"
NULL_RULES = ("refuse", "zero", "zero_if_tenure_zero")


class Refused(Exception):
    """A row, a file or a parameter that the contract does not allow; the text says which and where."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input: its type, its unit (numbers) or its allowed values (categories), and what a null means."""

    name: str
    type: str
    nulls: str
    unit: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """`rows[i]` holds one value per feature, in the contract's order; `churned[i]` is the target."""

    features: tuple[Feature, ...]
    rows: list[list[Value]]
    churned: list[int]


def sha256(path: Path) -> str:
    """Digest of a file, as 64 hex characters."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises Refused when there is none, or it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise Refused(f"{path}: not JSON ({error})") from error


def write_json(path: Path, value: object) -> None:
    """Write JSON with sorted keys and one final newline, the same bytes on every platform."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_bytes(text.encode("utf-8") + b"\n")


def load_contract(path: Path = CONTRACT) -> tuple[Feature, ...]:
    """The features, in order. Raises Refused on a type or null rule this code does not know."""
    features = []
    for item in read_json(path)["features"]:
        feature = Feature(item["name"], item["type"], item["nulls"], item.get("unit"), tuple(item.get("values", ())))
        if feature.type not in ("number", "category") or feature.nulls not in NULL_RULES:
            raise Refused(f"{path}: feature {feature.name}: unknown type or null rule")
        features.append(feature)
    return tuple(features)


def _number(feature: Feature, raw: Mapping[str, object]) -> float:
    text = raw.get(feature.name)
    if text is None or text == "":
        if feature.nulls == "zero" or (feature.nulls == "zero_if_tenure_zero" and str(raw.get("tenure")) == "0"):
            return 0.0
        raise Refused(f"{feature.name}: null, and the contract's rule is {feature.nulls}")
    try:
        value = float(str(text))
    except ValueError:
        raise Refused(f"{feature.name}: {str(text)[:40]!r} is not a number") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise Refused(f"{feature.name}: not a finite number")
    return value


def encode(features: Sequence[Feature], raw: Mapping[str, object]) -> list[Value]:
    """One raw row to feature values. Checks presence, type and allowed values. Raises Refused."""
    values: list[Value] = []
    for feature in features:
        if feature.name not in raw:
            raise Refused(f"{feature.name}: missing")
        if feature.type == "number":
            values.append(_number(feature, raw))
        else:
            text = str(raw[feature.name])
            if text not in feature.values:
                raise Refused(f"{feature.name}: {text[:40]!r} is not one of the contract's values")
            values.append(text)
    return values


def read_raw(path: Path) -> list[dict[str, str]]:
    """Rows of a `.csv` or `.csv.gz` file as text, in file order; row 0 is the line after the header."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read ({error})") from error
    return list(csv.DictReader(io.StringIO(text, newline="")))


def load_table(path: Path, features: Sequence[Feature]) -> Table:
    """The whole training table. Raises Refused with the row number of the first row that breaks the contract."""
    table = Table(tuple(features), [], [])
    for number, raw in enumerate(read_raw(path)):
        try:
            table.rows.append(encode(features, raw))
        except Refused as error:
            raise Refused(f"{path}: row {number}: {error}") from None
        if raw.get("churn") not in ("Yes", "No"):
            raise Refused(f"{path}: row {number}: churn is neither Yes nor No")
        table.churned.append(int(raw["churn"] == "Yes"))
    return table


def shuffled(items: Sequence[int], seed: int) -> list[int]:
    """A seeded permutation. Written out, because only the generator's bits are promised between Python versions."""
    generator = random.Random(seed)
    result = list(items)
    for last in range(len(result) - 1, 0, -1):
        bits = (last + 1).bit_length()
        pick = generator.getrandbits(bits)
        while pick > last:
            pick = generator.getrandbits(bits)
        result[last], result[pick] = result[pick], result[last]
    return result


def split(items: Sequence[int], seed: int, quarter: int = 4) -> tuple[list[int], list[int]]:
    """(training, holdout): a quarter of the items, rounded down, is held out; both in shuffled order."""
    order = shuffled(items, seed)
    held = len(order) // quarter
    return order[held:], order[:held]


def read_holdout(path: Path = HOLDOUT) -> list[int]:
    """The frozen holdout: row numbers, one a line. Raises Refused when it is not that."""
    try:
        return [int(line) for line in path.read_text(encoding="ascii").split()]
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: not a list of row numbers ({error})") from error
