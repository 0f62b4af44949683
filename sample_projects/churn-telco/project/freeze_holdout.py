"""Choose the frozen holdout once: a quarter of the row numbers, by seed, written in rising order.

python freeze_holdout.py --seed 17 --out data/holdout.txt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from features import HERE, Refused, read_raw, sha256, split


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line. Prints the file's digest. Exit 2: refused, also when the file is there already."""
    parser = argparse.ArgumentParser(description="Freeze the holdout rows.")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "churn.csv.gz")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        if options.out.exists():
            raise Refused(f"{options.out}: there is a frozen holdout already; it is chosen once")
        _, held = split(range(len(read_raw(options.data))), options.seed)
    except Refused as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    options.out.write_bytes("".join(f"{row}\n" for row in sorted(held)).encode("ascii"))
    print(f"{len(held)} rows, sha256 {sha256(options.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
