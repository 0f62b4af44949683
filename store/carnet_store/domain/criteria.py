"""Criteria as people write them, a line each: `primary: auc >= 0.83 on holdout`, turned into the rows of `criteria.set`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from carnet_store.domain.expression import number
from carnet_store.errors import Invalid

GRAMMAR: Final = "ID: METRIC OP VALUE [UNIT] [on SPLIT] [slice SLICE]"
EXAMPLE: Final = "primary: auc >= 0.83 on holdout"
_ROW: Final = re.compile(
    r"\s*(?P<id>[A-Za-z][\w.-]*)\s*:\s*(?P<name>\S+)\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>[^\s]+)"
    r"(?:\s+(?!on\s|slice\s)(?P<unit>\S+))?(?:\s+on\s+(?P<split>\S+))?(?:\s+slice\s+(?P<slice>.+?))?\s*"
)


def parse_row(text: str) -> dict[str, str]:
    """Return one criterion.

    Raises:
        Invalid: it is none.
    """
    match = _ROW.fullmatch(text)
    if match is None or number(match["value"]) is None:
        raise Invalid(f"{text.strip()!r} is no criterion", f"write it like {EXAMPLE!r}")
    row = {key: value for key, value in match.groupdict().items() if value}
    return {"metric": row["name"], **row}


def parse_rows(lines: Sequence[str]) -> list[dict[str, str]]:
    """Return the criteria that stand on these lines, empty ones left out; where something is wrong among several, its line is named.

    Raises:
        Invalid: a line is no criterion, two have the same id, or there is none.
    """
    rows: list[dict[str, str]] = []
    at: dict[str, int] = {}
    for no, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = parse_row(line)
        except Invalid as error:
            where = f"line {no}: " if len(lines) > 1 else ""
            raise Invalid(f"{where}{error.message}", error.hint) from None
        if row["id"] in at:
            raise Invalid(f"line {no}: {row['id']} stands on line {at[row['id']]} already", "give each its own id")
        at[row["id"]] = no
        rows.append(row)
    if not rows:
        raise Invalid("no criterion is given", f"write a line for each, like {EXAMPLE!r}")
    return rows


def row_text(row: dict[str, str]) -> str:
    """Return a criterion as it is written."""
    more = [
        row.get("unit", ""),
        f"on {row['split']}" if row.get("split") else "",
        f"slice {row['slice']}" if row.get("slice") else "",
    ]
    return " ".join([f"{row['id']}: {row['name']} {row['op']} {row['value']}", *(part for part in more if part)])
