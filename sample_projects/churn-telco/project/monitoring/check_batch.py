"""Judge one monthly batch by its scores: no labels are needed, which arrive 45 days later.

    python monitoring/check_batch.py --package DIR --reference ../runs/r-012/predictions.csv --batch BATCH.csv

Scores the batch with the release in DIR and prints the stability index against the reference scores, the mean
score and the customers flagged. Exit 1: the index is above the limit, page the operator (runbook.md).
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from evaluate import FLAG_AT, stability_index
from features import Refused, read_raw
from serve import MOST_ROWS, Service


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Exit 0: within the limit; 1: alert; 2: refused."""
    parser = argparse.ArgumentParser(description="Stability of a batch's scores.")
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--batch", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=0.25)
    options = parser.parse_args(arguments)
    try:
        reference = [float(row["score"]) for row in read_raw(options.reference)]
        rows = read_raw(options.batch)
        if not reference or not rows:
            raise Refused("the reference and the batch must have rows")
        service = Service(options.package)
        scores: list[float] = []
        for start in range(0, len(rows), MOST_ROWS):
            scores += service.score(list(rows[start : start + MOST_ROWS]))
    except (Refused, KeyError, ValueError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    index = stability_index(reference, scores)
    flagged = sum(score >= FLAG_AT for score in scores)
    print(f"rows {len(scores)}  psi {index:.4f}  mean score {math.fsum(scores) / len(scores):.4f}  flagged {flagged}")
    if index > options.limit:
        print(f"ALERT: psi {index:.4f} is above {options.limit}; see runbook.md, 'Scores moved'")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
