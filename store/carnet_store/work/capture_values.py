"""Parameters and metrics of a run: from its command line, its variables, its files. Text in, text out; no figure is rounded.

A parameter is text as its source spells it, nested names joined by dots. A metric is a name, the shortest text that gives the same number back
(docs/format.md section 3), and the split where the name says one: `val/auc`, `auc@holdout`. What is no number is named, never dropped silently.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from carnet_store.errors import Invalid, NotFound

FILE_AT_MOST: Final = 32 << 20
"""Bytes of a file of parameters or metrics."""
VALUES_AT_MOST: Final = 100_000
DEPTH: Final = 16
PREFIX: Final = "CARNET_PARAM_"
SPLITS: Final = frozenset({
    "train", "training", "val", "valid", "validation", "dev", "test", "testing", "holdout", "eval", "evaluation", "oos", "oot", "cv",
})  # fmt: skip
"""Words before a `/` or `.` that name what was measured on; others are part of the metric's name."""
_STEPS: Final = ("step", "global_step", "epoch", "iteration", "iter", "round")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAMED: Final[Mapping[str, str]] = {
    "nan": "NaN", "inf": "Infinity", "infinity": "Infinity", "+inf": "Infinity", "+infinity": "Infinity", "-inf": "-Infinity",
    "-infinity": "-Infinity",
}  # fmt: skip
_RUNS_TEXT: Final = re.compile(r"((python|pypy)[\d.]*|py|sh|bash|dash|zsh|ksh|fish)(\.exe)?", re.ASCII | re.IGNORECASE)
"""Programs whose `-c` is followed by what to do."""
_SCRIPT: Final = re.compile(r".+\.(py|r|jl|sh|bash|pl|rb|js|lua|ipynb)", re.ASCII | re.IGNORECASE)


# -- parameters ----------------------------------------------------------------------------------------------------------


def from_command(argv: Sequence[str]) -> dict[str, str]:
    """Return the parameters that a command line gives: `--lr 0.1`, `--lr=0.1`, `-n 5`, `lr=0.1`; a bare flag is `true`.

    What stands before the script (`python -u`, `torchrun --nproc_per_node 2`) is the launcher's. Several numbers after a flag belong to it;
    of a flag that comes again all values are kept.
    """
    found: dict[str, list[str]] = {}
    words = list(argv[_script_at(argv) + 1 :])
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":
            continue
        flag = re.fullmatch(r"(--?)([A-Za-z_][\w.-]*)(?:=(.*))?", word, re.DOTALL)
        if flag is None:
            pair = re.fullmatch(r"(?:\+{1,2}|~)?([A-Za-z_][\w./@-]*)=(.*)", word, re.DOTALL)
            if pair is not None:
                found.setdefault(pair[1], []).append(pair[2])
            continue
        dashes, name, value = flag.groups()
        if dashes == "-" and value is None and len(name) > 1 and not name.isalpha():
            name, value = name[0], name[1:]  # -j4
        values = [value] if value is not None else []
        if not values:
            while at < len(words) and _is_value(words[at], first=not values):
                values.append(words[at])
                at += 1
                if not _NUMBER.fullmatch(values[0]):
                    break
        found.setdefault(name, []).append(" ".join(values) if values else "true")
    return {name: ", ".join(values) for name, values in found.items()}


def _script_at(argv: Sequence[str]) -> int:
    """Return the place of what the parameters are for: the script, the module after `-m`, else the program itself."""
    runs_text = bool(_RUNS_TEXT.fullmatch(Path(argv[0]).name)) if argv else False
    for at, word in enumerate(argv):
        if word == "--" and at:
            break
        if (word == "-m" or (word == "-c" and runs_text)) and at and at + 1 < len(argv):
            return at + 1
        if _SCRIPT.fullmatch(word) and (at == 0 or not argv[at - 1].startswith("--")):
            return at
    return 0


def _is_value(word: str, *, first: bool) -> bool:
    if not first:
        return bool(_NUMBER.fullmatch(word))
    return not word.startswith("-") or word == "-" or bool(_NUMBER.fullmatch(word))


def from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters given as `CARNET_PARAM_name`."""
    return {
        name.removeprefix(PREFIX): environ[name]
        for name in sorted(environ)
        if len(name) > len(PREFIX) and name.startswith(PREFIX)
    }


def params_of(value: Any) -> dict[str, str]:
    """Return a tree of parameters as names joined by dots and text; lists are one value, as JSON.

    Raises:
        ValueError: it is nested deeper than 16, or holds over 100,000 values.
    """
    _bounded(value)
    return {path or "value": _param_text(leaf) for path, leaf in _leaves(value, "", DEPTH)}


def params_file(path: Path) -> dict[str, str]:
    """Return the parameters in a JSON, YAML or TOML file.

    Raises:
        NotFound, Invalid: it is not there, or cannot be read; the message says where.
    """
    raw = _read(path)
    end = path.suffix.lower()
    try:
        if end == ".toml":
            import tomllib

            return params_of(tomllib.loads(raw.decode("utf-8")))
        if end in (".yaml", ".yml"):
            return params_of(_yaml(raw))
        return params_of(_json(raw))
    except (ValueError, RecursionError) as error:
        raise Invalid(
            f"{path} is no parameter file: {_first_line(error)}", "JSON, YAML or TOML; its name says which"
        ) from None


_YAML_12: Final = (
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    ("int", re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", re.ASCII), "-+0123456789"),
    ("float", re.compile(
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z", re.ASCII),
     "-+.0123456789"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN\0"),
    ("merge", re.compile(r"<<\Z"), "<"),
)  # fmt: skip
"""What a plain word of YAML 1.2 is, by its first letters; all else is text: `on`, `no`, `12:30:00`, `2026-04-12`."""


def _yaml(raw: bytes) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Types as YAML 1.2 does: PyYAML's own 1.1 makes a boolean of `on`, of `12:30` a number, of `1e-5` a text."""

    def whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
        text = str(loader.construct_scalar(node))
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, firsts in _YAML_12:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", pattern, [one.strip("\0") for one in firsts])
    Loader.add_constructor("tag:yaml.org,2002:int", whole)
    try:
        return yaml.load(raw, Loader)  # noqa: S506 (a safe loader, which makes no objects)
    except yaml.YAMLError as error:
        raise ValueError(_first_line(error)) from None


def _param_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


# -- metrics -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Metrics:
    """What a run measured: the newest value of each metric, the history as rows, names of values that are no numbers.

    `unread` names the lines of its file that are none, `lines` counts those that are; `added` says that earlier ones were passed over.
    """

    newest: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    lines: int = 0
    added: bool = False

    def add(self, key: str, value: Any, step: int = 0, /, **more: str) -> None:
        """Take one value; `key` may name its split. Text that is a number counts as one, other text does not."""
        text = metric_text(value)
        if text is None:
            if key not in self.strange:
                self.strange.append(key)
            return
        name, split = split_of(key)
        row: dict[str, Any] = {"name": name, "value": text}
        for field_, given in (("split", more.get("split") or split), ("slice", more.get("slice")), ("unit", more.get("unit")),
                              ("step", step)):  # fmt: skip
            if given:
                row[field_] = given
        self.newest[name, row.get("split", ""), row.get("slice", "")] = row

    def tell(self, key: str, value: Any, step: int) -> None:
        """Take one value of a history."""
        before = len(self.strange)
        self.add(key, value, step)
        if len(self.strange) == before and metric_text(value) is not None:
            name, split = split_of(key)
            self.history.append(
                {"name": name, "value": metric_text(value), **({"split": split} if split else {}), "step": step}
            )

    def join(self, other: Metrics) -> None:
        """Take over what another source says; it stands before what was here."""
        self.newest |= other.newest
        self.history += other.history
        self.unread += other.unread
        self.lines += other.lines
        self.strange += [name for name in other.strange if name not in self.strange]

    def rows(self) -> list[dict[str, Any]]:
        """Return the newest values, in the order first met."""
        return list(self.newest.values())

    def history_lines(self) -> bytes:
        """Return the history as JSON lines, empty where no metric was measured twice."""
        if len(self.history) <= len(self.newest):
            return b""
        return "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in self.history).encode(
            "utf-8", "backslashreplace"
        )


def number_text(value: float) -> str:
    """Return a number as the shortest text that gives it back; `NaN` and the infinities by name."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def metric_text(value: Any) -> str | None:
    """Return a number, or text that is one, as `number_text` writes it; None for anything else. Whole numbers stay whole."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _int_text(value) if isinstance(value, int) else number_text(value)
    if not isinstance(value, str) or len(value) > 400:
        return None
    text = value.strip()
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if not _NUMBER.fullmatch(text):
        return None
    if re.fullmatch(r"[+-]?\d+", text):
        return _int_text(int(text))
    return number_text(float(text))


def _int_text(value: int) -> str | None:
    return str(value) if abs(value) < 10**300 else None


def split_of(key: str) -> tuple[str, str]:
    """Return name and split of a metric's key: `val/auc`, `val.auc` (known words only), `auc@holdout`."""
    name, sign, split = key.rpartition("@")
    if sign and name and split:
        return name, split
    for mark in ("/", "."):
        split, sign, name = key.partition(mark)
        if sign and name and split.lower() in SPLITS:
            return name, split
    return key, ""


def metrics_file(path: Path, before: bytes = b"", *, ended: bool = True) -> Metrics:
    """Return the metrics in a JSON file (one tree), a JSON lines or CSV file (a history; the last value of each counts).

    Of a history that begins with `before` only what stands after it is read. A line that cannot be read is named, the others count. Where who wrote
    it has not `ended` well, a last line of CSV without an end is such a one: its last figure may be cut off.

    Raises:
        NotFound, Invalid: it is not there, or nothing of it can be read; the message says where.
    """
    raw = _read(path)
    end = path.suffix.lower()
    at = len(before) if before.endswith((b"\n", b"\r")) and raw.startswith(before) else 0
    try:
        if end in (".csv", ".tsv"):
            found = _csv_metrics(raw, at, ended=ended)
        elif end in (".jsonl", ".ndjson"):
            found = _json_lines(raw, at)
        else:
            return metrics_of(_json(raw))
        if found.unread and not found.lines:
            raise ValueError(found.unread[0])
        found.added = at > 0
        return found
    except (ValueError, RecursionError, csv.Error) as error:
        raise Invalid(
            f"{path} is no file of metrics: {_first_line(error)}", "JSON, JSON lines or CSV; its name says which"
        ) from None


def metrics_of(value: Any) -> Metrics:
    """Return the metrics of a tree: nested names joined by dots, or rows `{"name", "value", "split", "slice", "unit", "step"}`."""
    found = Metrics()
    if isinstance(value, dict) and isinstance(value.get("metrics"), dict | list):
        value = value["metrics"]
    if (
        isinstance(value, list)
        and value
        and all(isinstance(row, dict) and "name" in row and "value" in row for row in value)
    ):
        for row in value:
            more = {name: str(row[name]) for name in ("split", "slice", "unit") if row.get(name)}
            step = row.get("step")
            found.add(str(row["name"]), row["value"], step if _is_step(step) else 0, **more)
        return found
    _bounded(value)
    for path, leaf in _leaves(value, "", DEPTH):
        found.add(path or "value", leaf)
    return found


def _json_lines(raw: bytes, at: int) -> Metrics:
    found = Metrics()
    first = raw.count(b"\n", 0, at)
    for number, line in enumerate(raw[at:].decode("utf-8-sig").split("\n"), first + 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("is no object")
            leaves = list(_leaves(row, "", DEPTH))
        except (ValueError, RecursionError) as error:
            found.unread.append(f"line {number} {_first_line(error)}")
            continue
        found.lines += 1
        by = _step_column({name: value for name, value in row.items() if not isinstance(value, dict | list)})
        step = _step(row[by]) if by else None
        step = number - first - 1 if step is None else step
        if "name" in row and "value" in row:
            found.tell(str(row["name"]), row["value"], step)
            continue
        for path, leaf in leaves:
            if path != by and not (path in _STEPS and leaf is None):
                found.tell(path, leaf, step)
    return found


def _csv_metrics(raw: bytes, at: int, *, ended: bool) -> Metrics:
    text = raw.decode("utf-8-sig")
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = next((mark for mark in ",\t;" if mark in head), ",")
    heads = [cell.strip() for cell in next(csv.reader([head], delimiter=delimiter, strict=True), [])]
    if not heads or all(metric_text(cell) is not None for cell in heads):
        raise ValueError("line 1 names no columns")
    lowered = [cell.lower() for cell in heads]
    found = Metrics()
    skipped = len(raw[:at].decode("utf-8-sig").splitlines()) or 1
    open_end = bool(lines) and not text.endswith(("\n", "\r"))
    for number, row in enumerate(csv.reader(lines[skipped:], delimiter=delimiter)):
        line = skipped + number + 1
        if not row or [cell.strip() for cell in row] == heads:  # a second run wrote its head once more
            continue
        last = open_end and line == len(lines)
        if len(row) != len(heads):
            found.unread.append(
                f"line {line} has {len(row)} fields, not {len(heads)}" + (" (it has no end)" if last else "")
            )
            continue
        if last and (not ended or row[-1].strip().endswith((".", "e", "E", "+", "-"))):
            found.unread.append(f"line {line} has no end: its last figure may be cut off")
            continue
        found.lines += 1
        cells = dict(zip(lowered, row, strict=True))
        if {"name", "value"} <= cells.keys():
            more = {name: cells[name].strip() for name in ("split", "slice", "unit") if cells.get(name, "").strip()}
            found.add(cells["name"].strip(), cells["value"], **more)
            continue
        by = _step_column(cells)
        step = _step(cells[by]) if by else None
        for name, low, cell in zip(heads, lowered, row, strict=True):
            if low != by and cell.strip():
                found.tell(name, cell, number if step is None else step)
    return found


def _step_column(cells: Mapping[str, Any]) -> str:
    """Return which of the words for a step is one here: the first that holds a whole number; empty where none does."""
    return next((name for name in _STEPS if _step(cells.get(name)) is not None), "")


def _step(value: Any) -> int | None:
    """Return a value as a step, None where it is none: `3`, `3.0` and text of them, from 0."""
    text = metric_text(value)
    if text is None or not re.fullmatch(r"\d{1,15}(\.0)?", text):
        return None
    return int(text.removesuffix(".0"))


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


# -- files ---------------------------------------------------------------------------------------------------------------


def name_of(key: str) -> str:
    """Return a name as the keys of a ledger are: ASCII; others are percent-encoded (docs/format.md section 2)."""
    return (
        key
        if key.isascii()
        else quote(key, safe="".join(chr(n) for n in range(33, 127) if chr(n) != "%") + " ", errors="replace")
    )


def own_word(path: Path) -> dict[str, Any]:
    """Return what a command says of itself in its `carnet.json`: `params`, `metrics`, `seeds`, each an object where it is there.

    Raises:
        Invalid: it cannot be read, or is not of that form.
    """
    try:
        value = _json(_read(path))
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path} is no JSON: {_first_line(error)}") from None
    if not isinstance(value, dict):
        raise Invalid(f"{path} is no object", 'it has the form {"params": {}, "metrics": {}, "seeds": {}}')
    unknown = sorted(set(value) - {"params", "metrics", "seeds"})
    if unknown:
        raise Invalid(f"{path} has {unknown[0]!a:.60}", "it may have params, metrics and seeds")
    return value


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            raw = handle.read(FILE_AT_MOST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", "name one that is there") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > FILE_AT_MOST:
        raise Invalid(f"{path} is larger than {FILE_AT_MOST >> 20} MiB")
    return raw


def _json(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8-sig"))


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    if depth == 0:
        raise ValueError(f"{path} is nested deeper than {DEPTH}")
    for key, inner in value.items():
        yield from _leaves(inner, f"{path}.{key}" if path else str(key), depth - 1)


def _bounded(value: Any) -> None:
    """Raise ValueError where a tree has too many values: a small file of aliases can mean billions."""
    todo, left = [value], VALUES_AT_MOST
    while todo:
        left -= 1
        if left < 0:
            raise ValueError(f"it holds over {VALUES_AT_MOST:,} values")
        one = todo.pop()
        if isinstance(one, dict):
            todo.extend(one.values())
        elif isinstance(one, list | tuple):
            todo.extend(one)


def _first_line(error: object) -> str:
    return str(error).strip().split("\n")[0][:200]


def joined(sources: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return parameters of several sources as one; a later source stands before an earlier one."""
    found: dict[str, str] = {}
    for source in sources:
        found |= source
    return found
