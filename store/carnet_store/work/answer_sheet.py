"""All open items of a handoff as one YAML document to edit, and back: `carnet handoff edit`, `carnet answer --from`.

What a person typed is never lost: problems come back with the line they belong to, and `mark_problems` writes them into
the same text, so that the editor opens again on what was there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from carnet_store.domain.answer import COMMON_KEYS, AnswerValue, Lookups
from carnet_store.domain.answer_input import parse_answer
from carnet_store.domain.template import Checklist, Item
from carnet_store.errors import Invalid
from carnet_store.work.yaml_text import Node, TextProblem, line_of, read_yaml

_INTRO: Final = """\
# Fill in what you know and leave the rest empty; an empty item stays as it is. Any item also takes
#   unknown        (honest, stays open)        "n/a: the reason"        {answer: …, links: [D-3], note: …}
# Long text:  item: |   and then indented lines. Nothing is recorded before you have seen it once more.
"""
_MARK: Final = "#! "
_WIDTH: Final = 110


def answers_to_yaml(
    checklist: Checklist, answers: Mapping[str, AnswerValue], only: Collection[str] | None = None
) -> str:
    """Write the items (all, or `only` these ids) with their answers so far as one document to edit."""
    parts = [f"# {checklist.gate.title}, tier {checklist.tier}", _INTRO]
    for section in checklist.sections:
        items = [item for item in section.items if (only is None or item.id in only) and _fillable(item)]
        if items:
            parts.append(f"\n# ===== {section.title} =====\n")
        parts.extend(_item_text(item, answers.get(item.id)) for item in items)
    return "\n".join(parts)


def _fillable(item: Item) -> bool:
    return not item.machine and item.type != "signoff"


def _item_text(item: Item, value: AnswerValue | None) -> str:
    head = f"# {item.title}\n#   {item.severity}, {_takes(item)}, answered by {item.answers}"
    told = [item.help, item.guidance, f"Why: {item.why}"]
    notes = [line for text in told if text for line in textwrap.wrap(text, _WIDTH - 4)]
    comment = "\n".join([head, *(f"#   {line}" for line in notes)])
    if value is None:
        example = f"\n{_example_row(item)}" if item.type == "table" else ""
        return f"{comment}\n{item.id}:{example}\n"
    return f"{comment}\n{_dump({item.id: _friendly(item, value)})}"


def _takes(item: Item) -> str:
    if item.options:
        return "one of " + " / ".join(option.id for option in item.options)
    words = {
        "confirm": "yes / no",
        "number": "a run and its metric" + (f", or a number of {item.unit or 'units'}" if item.literal else ""),
        "link": "a list of " + " / ".join(item.evidence or ("entities",)),
        "file": "a list of paths",
        "command": "{command, exit_code, output}",
        "table": f"rows, at least {item.min_rows}" if item.min_rows else "rows",
    }
    return words.get(item.type, "text")


def _example_row(item: Item) -> str:
    cells = []
    for column in item.columns:
        what = " / ".join(column.options) or {"date": "2026-03-18", "metric": "RUN METRIC"}.get(
            column.type, column.type
        )
        cells.append(f"{column.id}: {'' if column.required else '(optional) '}{what}")
    return "\n".join(f"#  {'- ' if n == 0 else '  '}{cell}" for n, cell in enumerate(cells))


def _friendly(item: Item, value: AnswerValue) -> object:
    """Return the shortest form that reads back to the same value."""
    extra = {key: value[key] for key in value if key in COMMON_KEYS - {"state"}}
    state = value.get("state")
    if state == "na" and set(value) == {"state", "reason"}:
        return {"na": value["reason"]}
    if state == "unknown" and set(value) <= {"state", "note"}:
        return f"unknown: {value['note']}" if value.get("note") else "unknown"
    core = _core(item, value) if state in ("yes", "no", "given") else None
    if core is None:
        return dict(value)
    if item.type == "link":
        return {"links": core, **extra} if set(extra) - {"links"} else core
    return {"answer": core, **extra} if extra else core


def _core(item: Item, value: AnswerValue) -> object:
    if item.type == "confirm":
        return value["state"]
    if item.type in ("text", "readback"):
        text = value["text"]
        # A text that begins like `n/a: …` would read back as something else.
        safe = isinstance(text, str) and not re.match(r"(?i)(n/?a:|unknown)", text.strip())
        return text if safe else None
    if item.type == "choice":
        chosen = value["choice"]
        return chosen[0] if isinstance(chosen, list) and len(chosen) == 1 else chosen
    if item.type == "number":
        return _short_metric(value["metric"]) if "metric" in value else value["literal"]
    if item.type == "table":
        rows = value["rows"]
        return [
            {key: _short_metric(cell) if isinstance(cell, Mapping) else cell for key, cell in row.items()}
            for row in (rows if isinstance(rows, list | tuple) else ())
        ]
    key = {"link": "links", "file": "files", "command": "result"}.get(item.type)
    return None if key is None else value[key]


def _short_metric(part: object) -> object:
    return {"run": part["entity"], "metric": part["name"]} if isinstance(part, Mapping) else part


def _dump(value: Mapping[str, object]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        breaks = any(
            sign in data for sign in "\x85\u2028\u2029\ufeff\r"
        )  # YAML folds these where it does not quote them
        style = '"' if breaks else "|" if "\n" in data else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    plain = {key: part for key, part in value.items()}
    return str(yaml.dump(plain, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH))


# --- reading back ------------------------------------------------------------------------------------------------------


def answers_from_yaml(
    text: str,
    checklist: Checklist,
    lookups: Lookups | None = None,
    current: Mapping[str, AnswerValue] | None = None,
    put_file: Callable[[str], Mapping[str, object]] | None = None,
    file: str = "answers.yaml",
) -> tuple[list[tuple[str, dict[str, object]]], list[TextProblem]]:
    """Read an edited document: the answers that are new or differ from `current`, and every problem with its line.

    Answers beside a problem are returned all the same; the caller decides whether to record a part.
    """
    root, problems = read_yaml(text.encode("utf-8", "replace"), file, scalars_are_text=True)
    if root is None:
        return [], problems
    if root.value is None:
        return [], problems
    if not isinstance(root.value, dict):
        return [], [*problems, TextProblem(file, root.line, root.column, "no items", "Write `item.id: answer` lines.")]
    found: list[tuple[str, dict[str, object]]] = []
    known = {item.id: item for item in checklist.items if _fillable(item)}
    for item_id, node in root.value.items():
        item = known.get(item_id)
        if item is None:
            problems.append(_unknown_item(file, item_id, node, known))
        elif node.value is not None:
            try:
                value = parse_answer(item, node.bare(), lookups, put_file)
            except Invalid as error:
                problems += _problems_of(file, item, node, error, lookups)
            else:
                if (current or {}).get(item_id) != value:
                    found.append((item_id, value))
    return found, sorted(problems)


def _unknown_item(file: str, item_id: str, node: Node, known: Iterable[str]) -> TextProblem:
    close = get_close_matches(item_id, list(known), 1)
    mend = f"Did you mean {close[0]}?" if close else "Take the ids from the gate's checklist."
    place = node.key or node
    return TextProblem(file, place.line, place.column, f"there is no item {item_id!a} to answer", mend)


def _problems_of(file: str, item: Item, node: Node, first: Invalid, lookups: Lookups | None) -> list[TextProblem]:
    """Return the problem of an item, or those of each of its rows, so that one round tells all."""
    rows = node.value["answer"].value if isinstance(node.value, dict) and "answer" in node.value else node.value
    found: list[TextProblem] = []
    for at, row in enumerate(rows if item.type == "table" and isinstance(rows, list) else (), 1):
        try:
            parse_answer(item, [row.bare()], lookups)
        except Invalid as error:
            said = error.message.replace("row 1", f"row {at}", 1)
            found.append(TextProblem(file, row.line, row.column, said, error.hint))
    return found or [TextProblem(file, line_of(node), node.column, first.message, first.hint)]


def mark_problems(text: str, problems: Iterable[TextProblem]) -> str:
    """Write each problem as a comment above its line, in place of the marks of an earlier round."""
    by_line: dict[int, list[str]] = {}
    for problem in problems:
        words = " ".join(f"{problem.text}. {problem.mend}".split())
        by_line.setdefault(problem.line, []).append(f"{_MARK}{words}")
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        lines.extend(by_line.pop(number, []))
        if not line.startswith(_MARK):
            lines.append(line)
    lines.extend(mark for marks in by_line.values() for mark in marks)
    return "\n".join(lines)
