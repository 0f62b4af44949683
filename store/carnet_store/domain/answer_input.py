"""What people give as an answer (a word, a number, rows, an edited document) turned into the stored shape."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from carnet_store.domain.answer import (
    COMMON_KEYS,
    ENTITY_ID,
    Lookups,
    is_date,
    not_applicable,
    shape_problem,
    unknown,
)
from carnet_store.domain.expression import number
from carnet_store.domain.template import Column, Item
from carnet_store.errors import Invalid


def parse_answer(
    item: Item,
    raw: object,
    lookups: Lookups | None = None,
    put_file: Callable[[str], Mapping[str, object]] | None = None,
) -> dict[str, object]:
    """Turn what a person gave (text, number, list, rows, or the stored shape itself) into the stored shape.

    `lookups` resolves short forms of entities and fills in the value of a metric; `put_file` stores the file at a path
    and returns `{path, sha256, size}`. For every type `unknown`, `n/a: REASON`, `{na: REASON}` are understood. Raises
    `Invalid` saying what the item takes; whether a well-formed answer suffices is told by `judging.problems`.
    """
    reader = _Reader(item, lookups, put_file)
    value = reader.read(raw)
    if (trouble := shape_problem(item, value)) is not None:
        raise Invalid(f"{item.id}: {trouble}", reader.hint())
    return value


_FORMS: Final[Mapping[str, str]] = {
    "confirm": "Answer yes, no or unknown.",
    "text": "Give text.",
    "readback": "Give text in your own words.",
    "choice": "Give one of the options.",
    "number": "Name a run and one of its metrics, such as `churn-r-012 auc`.",
    "link": "Name one or more entities.",
    "file": "Give the path of a file.",
    "command": "Give {command, exit_code, output}.",
    "table": "Give a list of rows, each {column: cell}.",
    "signoff": "Sign the gate; this item fills itself.",
}

# Keys that may stand around an answer when evidence or a note is given beside it: {answer: yes, links: [D-3]}.
_WRAPPERS: Final = frozenset({"answer", "text", "choice", "rows", "files", "result"})


class _Reader:
    def __init__(
        self, item: Item, lookups: Lookups | None, put_file: Callable[[str], Mapping[str, object]] | None
    ) -> None:
        self.item = item
        self.lookups = lookups
        self.put_file = put_file

    def hint(self) -> str:
        if self.item.options:
            return f"Give one of: {', '.join(option.id for option in self.item.options)}."
        if self.item.type == "number" and self.item.literal:
            return f"Give a number{f' of {self.item.unit}' if self.item.unit else ''}, or a run and its metric."
        return _FORMS[self.item.type]

    def fail(self, text: str, hint: str = "") -> Invalid:
        return Invalid(f"{self.item.id}: {text}", hint or self.hint())

    def read(self, raw: object) -> dict[str, object]:
        if raw is None:
            raise self.fail("nothing was given")
        if isinstance(raw, str):
            word = raw.strip()
            if match := re.fullmatch(r"(?is)n/?a:\s*(.+)", word):
                return not_applicable(match.group(1))
            if match := re.fullmatch(r"(?is)unknown(?::\s*(.+))?", word):
                return unknown((match.group(1) or "").strip())
        if isinstance(raw, Mapping):
            if set(raw) == {"na"}:
                return not_applicable(str(raw["na"]))
            if "state" in raw:
                return self._stored(raw)
            if self.item.type != "link":
                extra = {str(key): raw[key] for key in raw if key in COMMON_KEYS}
                own = {str(key): raw[key] for key in raw if key not in COMMON_KEYS}
                inner = next(iter(own.values())) if len(own) == 1 and set(own) <= _WRAPPERS else own
                return {**self.own(inner), **self._extra(extra)}
        return self.own(raw)

    def _stored(self, raw: Mapping[object, object]) -> dict[str, object]:
        value = {str(key): _plain(part) for key, part in raw.items()}
        return {**value, **self._extra(value)}

    def _extra(self, raw: Mapping[str, object]) -> dict[str, object]:
        found = {key: _plain(part) for key, part in raw.items()}
        if "links" in found:
            found["links"] = [self.entity(one) for one in _listed(found["links"])]
        return found

    def own(self, raw: object) -> dict[str, object]:
        reader: Callable[[object], dict[str, object]] = getattr(self, f"_{self.item.type}")
        return reader(raw)

    def entity(self, raw: object) -> str:
        text = str(raw).strip()
        if ENTITY_ID.fullmatch(text):
            return text
        found = self.lookups.resolve(text) if self.lookups is not None else None
        if found is None:
            raise self.fail(f"{text!a} names no single entity", "Give its id, its code, or name@version.")
        return found

    def _confirm(self, raw: object) -> dict[str, object]:
        word = {True: "yes", False: "no"}.get(raw) if isinstance(raw, bool) else str(raw).strip().lower()
        word = {"y": "yes", "true": "yes", "n": "no", "false": "no"}.get(str(word), word)
        if word not in ("yes", "no"):
            raise self.fail(f"{str(raw)!a} is neither yes nor no")
        return {"state": str(word)}

    def _text(self, raw: object) -> dict[str, object]:
        if isinstance(raw, Mapping | list | tuple):
            raise self.fail("text is expected here, not a list")
        return {"state": "given", "text": str(raw).strip()}

    _readback = _text

    def _choice(self, raw: object) -> dict[str, object]:
        words = [_word(one) for one in _listed(raw)]
        by_word = {option.id.lower(): option.id for option in self.item.options}
        return {"state": "given", "choice": [by_word.get(word.lower(), word) for word in words]}

    def _number(self, raw: object) -> dict[str, object]:
        if isinstance(raw, Mapping):
            if "value" in raw and not {"run", "entity"} & set(raw):
                return self._literal(str(raw["value"]), str(raw.get("unit", self.item.unit)))
            run, name = raw.get("run", raw.get("entity")), raw.get("metric", raw.get("name"))
            if run is None or name is None:
                raise self.fail("a run and its metric are needed")
            return {"state": "given", "metric": self.metric(str(run), str(name))}
        text = str(raw).strip()
        parts = text.replace("#", " ").split()
        if parts and number(parts[0]) is not None and not isinstance(raw, bool):
            return self._literal(parts[0], " ".join(parts[1:]) or self.item.unit)
        if len(parts) == 2:
            return {"state": "given", "metric": self.metric(parts[0], parts[1])}
        raise self.fail(f"{text!a} is neither a number nor a run with its metric", self._comma(text))

    def _literal(self, text: str, unit: str) -> dict[str, object]:
        if number(text) is None:
            raise self.fail(f"{text!a} is no number", self._comma(text))
        return {"state": "given", "literal": {"value": text, "unit": unit}}

    def _comma(self, text: str) -> str:
        return "Write the decimal point as a point: 0.83." if re.fullmatch(r"[0-9]+,[0-9]+.*", text) else ""

    def metric(self, run: str, name: str) -> dict[str, object]:
        entity = self.entity(run)
        value = self.lookups.metric(entity, name) if self.lookups is not None else None
        if value is None:
            raise self.fail(f"the run has no metric {name!a}", "Name a metric that the run records.")
        return {"entity": entity, "name": name, "value": value, "unit": self.item.unit}

    def _link(self, raw: object) -> dict[str, object]:
        if isinstance(raw, Mapping):
            return {"state": "given", **self._extra({str(key): part for key, part in raw.items()})}
        found = list(dict.fromkeys(self.entity(one) for one in _listed(raw)))
        return {"state": "given", "links": found}

    def _file(self, raw: object) -> dict[str, object]:
        files = [raw] if isinstance(raw, Mapping) else _listed(raw)
        return {"state": "given", "files": [self._one_file(one) for one in files]}

    def _one_file(self, raw: object) -> dict[str, object]:
        if isinstance(raw, Mapping):
            return {str(key): _count(part) if key == "size" else part for key, part in raw.items()}
        if self.put_file is None:
            raise self.fail(f"the file {str(raw)!a} is not stored yet", "Give {path, sha256, size} of a stored file.")
        return dict(self.put_file(str(raw)))

    def _command(self, raw: object) -> dict[str, object]:
        if not isinstance(raw, Mapping):
            raise self.fail("a captured result is expected")
        result = {str(key): _count(part) if key == "exit_code" else _plain(part) for key, part in raw.items()}
        if isinstance(output := result.get("output"), Mapping):
            result["output"] = {str(key): _count(part) if key == "size" else part for key, part in output.items()}
        return {"state": "given", "result": result}

    def _signoff(self, raw: object) -> dict[str, object]:
        return {"state": "given", "signature": str(raw)}

    def _table(self, raw: object) -> dict[str, object]:
        if not isinstance(raw, list | tuple):
            raise self.fail("a list of rows is expected")
        return {"state": "given", "rows": [self._row(row, at) for at, row in enumerate(raw, 1)]}

    def _row(self, raw: object, at: int) -> dict[str, object]:
        if not isinstance(raw, Mapping):
            raise self.fail(f"row {at} is no set of cells")
        row: dict[str, object] = {}
        for key, cell in raw.items():
            column = self.item.column(str(key))
            if column is None:
                known = ", ".join(one.id for one in self.item.columns)
                raise self.fail(f"row {at}: there is no column {str(key)!a}", f"The columns are: {known}.")
            if cell is not None and cell != "" and cell != []:
                row[column.id] = self.cell(column, cell, f"row {at}, {column.id}")
        return row

    def cell(self, column: Column, raw: object, where: str) -> object:
        if column.type == "link":
            return [self.entity(one) for one in _listed(raw)]
        if column.type == "metric":
            if isinstance(raw, Mapping):
                return self.metric(str(raw.get("entity", raw.get("run"))), str(raw.get("name", raw.get("metric"))))
            parts = str(raw).replace("#", " ").split()
            if len(parts) != 2:
                raise self.fail(f"{where}: {str(raw)!a} is no metric", "Write a run and its metric: `r-012 auc`.")
            return self.metric(parts[0], parts[1])
        text = _word(raw)
        if column.type == "number" and number(text) is None:
            raise self.fail(f"{where}: {text!a} is no number", self._comma(text) or "Write it like 12 or 0.5.")
        if column.type == "date" and not is_date(text):
            raise self.fail(f"{where}: {text!a} is no date", "Write year-month-day: 2026-03-18.")
        if column.type == "choice":
            return {option.lower(): option for option in column.options}.get(text.lower(), text)
        return text


def _word(raw: object) -> str:
    """Return a scalar as text; a boolean as the word a person meant by it."""
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    return str(raw).strip()


def _count(raw: object) -> object:
    """Return a whole number that came as text, as edited documents give it; anything else as it is."""
    return int(raw) if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,15}", raw) else raw


def _listed(raw: object) -> list[object]:
    if isinstance(raw, list | tuple):
        return list(raw)
    return [part for part in re.split(r"[,\s]+", raw.strip()) if part] if isinstance(raw, str) and ":" in raw else [raw]


def _plain(raw: object) -> object:
    """Return JSON without floats: decimals become text."""
    if isinstance(raw, Mapping):
        return {str(key): _plain(part) for key, part in raw.items()}
    if isinstance(raw, list | tuple):
        return [_plain(part) for part in raw]
    return str(raw) if isinstance(raw, Decimal | float) else raw


def rows_from_csv(item: Item, text: str) -> list[dict[str, str]]:
    """Turn pasted CSV (comma, semicolon or tab) into raw rows of a table item, to be read by `parse_answer`.

    A first line that names columns decides the order; without one the item's own order holds. Raises `Invalid` where a
    line has more cells than there are columns.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    first = text.split("\n", 1)[0]
    delimiter = max("\t;,", key=first.count)
    try:
        read = csv.reader(io.StringIO(text), delimiter=delimiter)
        lines = [_without_tail(line) for line in read if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise Invalid(
            f"{item.id}: this is no CSV: {error}", "Paste one row a line, cells set apart by , ; or tab."
        ) from error
    words = {name: column.id for column in item.columns for name in (column.id, column.title.lower())}
    header = [words.get(cell.strip().lower(), "") for cell in lines[0]] if lines else []
    if header and all(header):
        lines = lines[1:]
    else:
        header = [column.id for column in item.columns]
    rows: list[dict[str, str]] = []
    for at, line in enumerate(lines, 1):
        if len(line) > len(header):
            raise Invalid(
                f"{item.id}: row {at} has {len(line)} cells for {len(header)} columns",
                "Put cells that hold the separator in quotes, or name the columns in the first line.",
            )
        rows.append({name: cell.strip() for name, cell in zip(header, line, strict=False) if cell.strip()})
    return rows


def _without_tail(cells: list[str]) -> list[str]:
    """Return a line without the empty cells that spreadsheets append."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells
