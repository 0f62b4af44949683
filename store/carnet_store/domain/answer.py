"""Answers as they stand in the ledger: one documented JSON shape per item type.

Every value is an object with `state` and, by type:

    confirm   {"state": "yes" | "no"}
    text      {"state": "given", "text": T}                        readback: the same
    choice    {"state": "given", "choice": [option id, …]}
    number    {"state": "given", "metric": {"entity": run id, "name": N, "value": D, "unit": U}}
              {"state": "given", "literal": {"value": D, "unit": U}}
    link      {"state": "given", "links": [entity id, …]}
    file      {"state": "given", "files": [{"path": P, "sha256": H, "size": bytes}, …]}
    command   {"state": "given", "result": {"command": T, "exit_code": int, "output": {"sha256": H, "size": bytes}}}
    table     {"state": "given", "rows": [{column id: cell, …}, …]}
    signoff   {"state": "given", "signature": change id}
    any       {"state": "na", "reason": T}   {"state": "unknown", "note": T (optional)}

A cell is text, a decimal as text, a date `2026-03-18`, an option, a person, a list of entity ids, or a metric as above;
an empty cell is left out. D is a decimal as text (`"0.8396"`, `NaN`, `Infinity`): there are no floats. Optional on
every value: `links` (entity ids of evidence), `urls`, `note`, `spoken_by` and `typed_by` (person ids), `filled` (the query of
`domain.filling` whose answer was taken as it stood).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Protocol

from carnet_store.domain.expression import number
from carnet_store.domain.template import Column, Item

AnswerValue = Mapping[str, object]

MAX_TEXT: Final = 65_536  # UTF-8 bytes; longer text is an object
MAX_ROWS: Final = 1_000
MAX_LINKS: Final = 256

ENTITY_ID: Final = re.compile(r"[a-z][a-z_]{0,31}:[0-9a-f]{32}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
COMMON_KEYS: Final = frozenset({"state", "links", "urls", "note", "spoken_by", "typed_by", "filled"})
_OWN_KEY: Final[Mapping[str, tuple[str, ...]]] = {
    "confirm": (),
    "text": ("text",),
    "readback": ("text",),
    "choice": ("choice",),
    "number": ("metric", "literal"),
    "link": ("links",),
    "file": ("files",),
    "command": ("result",),
    "table": ("rows",),
    "signoff": ("signature",),
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """A row of the model line's criteria: the run metric `name` must keep `op value`, on `split`, for `slice`."""

    id: str
    metric: str
    name: str
    op: str
    value: Decimal
    unit: str = ""
    split: str = ""
    slice: str = ""


@dataclass(frozen=True, slots=True)
class EntityView:
    """What answers may ask of an entity: its kind, a name for people, and its attributes (JSON values)."""

    kind: str
    name: str
    attrs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the machine says of an answer: `holds`, `fails`, or `unclear` (cannot tell yet); the reasons in words.

    `flags` are those of the reasons that change nothing of the state and that whoever signs should see.
    """

    state: str
    reasons: tuple[str, ...]
    flags: tuple[str, ...] = ()


class Lookups(Protocol):
    """What judging needs to know of the rest of the ledger; all of it read-only and without a clock."""

    def criterion(self, criterion_id: str) -> Criterion | None:
        """Return the live criterion of that slug."""

    def metric(self, run: str, name: str) -> str | None:
        """Return the metric of a run as it is recorded, in text."""

    def entity(self, entity_id: str) -> EntityView | None:
        """Return an entity, None where the ledger has none of that id."""

    def set_late(self, criterion_id: str, run: str, name: str) -> str:
        """Tell whether a criterion was set after the metric of a run that it judges: `record`, `clocks` where only times tell it, or empty."""

    def has_object(self, sha256: str) -> bool:
        """Tell whether the bytes of that digest are held here and match it."""

    def builtin(self, name: str) -> Verdict | None:
        """Return the verdict of one of the product's own checks; None where it is not computed here."""

    def resolve(self, text: str) -> str | None:
        """Return the entity id that a person's short form (`churn@7`, `R-12`, an id) names; None for none or many."""


def state_of(value: AnswerValue | None) -> str:
    """Return `open` for no answer, else the answer's state: yes, no, unknown, na or given."""
    return "open" if value is None else str(value.get("state", "unknown"))


def unknown(note: str = "") -> dict[str, object]:
    """Return the honest answer of somebody who does not know; the item stays open."""
    return {"state": "unknown", "note": note} if note else {"state": "unknown"}


def not_applicable(reason: str) -> dict[str, object]:
    """Return the answer that an item does not apply, with its reason."""
    return {"state": "na", "reason": reason.strip()}


def is_date(text: str) -> bool:
    """Tell whether a text is a real day written year-month-day."""
    try:
        return len(text) == 10 and date.fromisoformat(text) is not None
    except ValueError:
        return False


def shape_problem(item: Item, value: object) -> str | None:
    """Say what is wrong with the form of a value, None where it is a well-formed answer to this item."""
    if not isinstance(value, Mapping):
        return "the answer is no object"
    state = value.get("state")
    if state == "na":
        return None if isinstance(value.get("reason"), str) else "`reason` is missing"
    if state == "unknown":
        return None if isinstance(value.get("note", ""), str) else "`note` is no text"
    if state not in (("yes", "no") if item.type == "confirm" else ("given",)):
        return f"the state {state!a} does not fit a {item.type}"
    own = _OWN_KEY[item.type]
    strange = sorted(set(map(str, value)) - COMMON_KEYS - set(own))
    if strange:
        return f"{strange[0]!a} does not belong into a {item.type}"
    if own and sum(key in value for key in own) != 1:
        return f"`{'` or `'.join(own)}` is missing"
    for key in ("note", "spoken_by", "typed_by", "filled"):
        if not isinstance(value.get(key, ""), str):
            return f"`{key}` is no text"
    if not _texts(value.get("links", []), ENTITY_ID) or not _texts(value.get("urls", []), None):
        return "`links` holds entity ids, `urls` texts"
    return _own_problem(item, value)


def _texts(raw: object, form: re.Pattern[str] | None) -> bool:
    return (
        isinstance(raw, list | tuple)
        and len(raw) <= MAX_LINKS
        and all(isinstance(one, str) and (form is None or form.fullmatch(one) is not None) for one in raw)
    )


def _own_problem(item: Item, value: Mapping[str, object]) -> str | None:
    if item.type in ("text", "readback"):
        text = value["text"]
        if not isinstance(text, str):
            return "`text` is no text"
        too_long = len(text.encode("utf-8", "replace")) > MAX_TEXT
        return f"the text is longer than {MAX_TEXT} bytes; attach it as a file" if too_long else None
    if item.type == "choice":
        return None if _texts(value["choice"], None) else "`choice` is no list of options"
    if item.type == "number":
        part = value.get("metric", value.get("literal"))
        return None if _is_number_part(part, "metric" in value) else "the number is not well-formed"
    if item.type == "file":
        files = value["files"]
        good = isinstance(files, list | tuple) and len(files) <= MAX_ROWS and all(_is_file(one) for one in files)
        return None if good else "`files` needs path, sha256 and size of each"
    if item.type == "command":
        return _result_problem(value["result"])
    if item.type == "table":
        return _rows_problem(item, value["rows"])
    if item.type == "signoff":
        return None if isinstance(value["signature"], str) else "`signature` is no change id"
    return None


def _is_number_part(part: object, is_metric: bool) -> bool:
    if not isinstance(part, Mapping) or not all(isinstance(one, str) for one in part.values()):
        return False
    keys = {"entity", "name", "value", "unit"} if is_metric else {"value", "unit"}
    if not {"value"} <= set(part) <= keys or number(str(part["value"])) is None:
        return False
    return not is_metric or (ENTITY_ID.fullmatch(str(part.get("entity"))) is not None and bool(part.get("name")))


def _is_size(raw: object) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 2**53


def _is_file(raw: object) -> bool:
    return (
        isinstance(raw, Mapping)
        and set(raw) == {"path", "sha256", "size"}
        and isinstance(raw["path"], str)
        and _SHA256.fullmatch(str(raw["sha256"])) is not None
        and _is_size(raw["size"])
    )


def _result_problem(raw: object) -> str | None:
    if not isinstance(raw, Mapping) or set(raw) != {"command", "exit_code", "output"}:
        return "a result has command, exit_code and output"
    code, output = raw["exit_code"], raw["output"]
    if not isinstance(raw["command"], str) or not raw["command"].strip():
        return "`command` is empty"
    if not isinstance(code, int) or isinstance(code, bool) or abs(code) >= 2**53:
        return "`exit_code` is no whole number"
    good = isinstance(output, Mapping) and set(output) == {"sha256", "size"} and _is_file({"path": "", **output})
    return None if good else "`output` needs sha256 and size of the stored output"


def _rows_problem(item: Item, rows: object) -> str | None:
    if not isinstance(rows, list | tuple) or len(rows) > MAX_ROWS:
        return f"`rows` is no list of at most {MAX_ROWS} rows"
    for at, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            return f"row {at} is no set of cells"
        for key, cell in row.items():
            column = item.column(str(key))
            if column is None:
                return f"row {at}: there is no column {str(key)!a}"
            if not _is_cell(column, cell):
                return f"row {at}, {column.id}: this is no {column.type}"
    return None


def _is_cell(column: Column, cell: object) -> bool:
    if column.type == "link":
        return _texts(cell, ENTITY_ID)
    if column.type == "metric":
        return _is_number_part(cell, True)
    if not isinstance(cell, str):
        return False
    if column.type == "number":
        return number(cell) is not None
    return is_date(cell) if column.type == "date" else True


def metric_references(value: AnswerValue) -> tuple[tuple[str, str, str], ...]:
    """Return (run, metric, value) of every metric that a well-formed answer refers to, cells included."""
    rows = value.get("rows", ())
    parts: list[object] = [value.get("metric")]
    for row in rows if isinstance(rows, Sequence) else ():
        parts.extend(row.values() if isinstance(row, Mapping) else ())
    return tuple(
        (str(part["entity"]), str(part["name"]), str(part["value"]))
        for part in parts
        if isinstance(part, Mapping) and "entity" in part
    )


def linked_entities(value: AnswerValue) -> tuple[str, ...]:
    """Return every entity that a well-formed answer links, as evidence, in cells or through metrics; each once."""
    found: list[str] = []
    links = value.get("links", ())
    found.extend(str(one) for one in links if isinstance(one, str)) if isinstance(links, list | tuple) else None
    rows = value.get("rows", ())
    for row in rows if isinstance(rows, list | tuple) else ():
        for cell in row.values() if isinstance(row, Mapping) else ():
            if isinstance(cell, list | tuple):
                found.extend(str(one) for one in cell)
    found.extend(run for run, _, _ in metric_references(value))
    return tuple(dict.fromkeys(found))
