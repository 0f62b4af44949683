"""YAML as people may write it here: a strict, bounded subset, read to nodes that know their line and column.

Only `true` and `false` are booleans, numbers are whole or decimal, everything else is text; there are no anchors, tags
or merges. Nothing is ever dropped in silence: what cannot be kept is a `TextProblem` with its place and its mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import yaml

MAX_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32

_WHOLE: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,14})")
_DECIMAL: Final = re.compile(
    r"[+-]?[0-9]{1,30}\.[0-9]{1,30}(?:[eE][+-]?[0-9]{1,3})?|[+-]?[0-9]{1,30}[eE][+-]?[0-9]{1,3}"
)
# Words that YAML 1.1 readers turn into booleans: other tools would read another document than we do.
_SLIPPERY: Final = frozenset({"yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True, order=True)
class TextProblem:
    """Something wrong in a text, at its line and column (both from 1), with what to do about it."""

    file: str
    line: int
    column: int
    text: str
    mend: str = ""

    def __str__(self) -> str:
        end = f" {self.mend}" if self.mend else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}.{end}"


@dataclass(slots=True)
class Node:
    """A piece of the document: a scalar, a list of nodes, or keys with their nodes, and where it stands."""

    value: str | bool | int | Decimal | list[Node] | dict[str, Node] | None
    line: int
    column: int
    key: Node | None = None  # the key that leads here, where there is one
    plain: bool = False  # written without quotes; for nothing: the word null was written

    def describe(self) -> str:
        """Name the kind of thing this is, as a person would."""
        value = self.value
        if isinstance(value, bool):
            return "a boolean"
        if isinstance(value, int | Decimal):
            return "a number"
        if isinstance(value, dict):
            return "a set of keys"
        return "nothing" if value is None else "text" if isinstance(value, str) else "a list"

    def bare(self) -> Any:
        """Return the content without places: text, bool, int, Decimal, None, lists and dicts of these."""
        if isinstance(self.value, list):
            return [node.bare() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.bare() for key, node in self.value.items()}
        return self.value


class _Stop(Exception):
    def __init__(self, problem: TextProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_yaml(data: bytes, file: str, *, scalars_are_text: bool = False) -> tuple[Node | None, list[TextProblem]]:
    """Read one document. Returns its root (None where it cannot be read at all) and every problem found.

    `scalars_are_text` keeps every written scalar as the text that was typed, as answers need it.
    """
    if len(data) > MAX_BYTES:
        return None, [TextProblem(file, 1, 1, f"larger than {MAX_BYTES // 1024} KiB", "Split it into several files.")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return None, [TextProblem(file, line, 1, "not UTF-8", "Save the file as UTF-8.")]
    import yaml

    reader = _Reader(file, scalars_are_text)
    try:
        root = reader.document(yaml.parse(text, Loader=_loader(yaml)))
    except _Stop as stop:
        return None, sorted({*reader.problems, stop.problem})
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        mend = "Check the indentation, and quote text that holds `: `, ` #`, or begins with a sign."
        return None, sorted({*reader.problems, TextProblem(file, line, column, what, mend)})
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0) or 0
        line = text[:at].count("\n") + 1
        problem = TextProblem(file, line, 1, "a character that YAML does not allow", "Remove control characters.")
        return None, sorted({*reader.problems, problem})
    return root, sorted(set(reader.problems))


def _loader(module: Any) -> Any:
    return getattr(module, "CSafeLoader", module.SafeLoader)


class _Reader:
    """Builds nodes from parser events, so that anchors and depth are refused before they cost anything."""

    def __init__(self, file: str, scalars_are_text: bool) -> None:
        self.file = file
        self.scalars_are_text = scalars_are_text
        self.problems: list[TextProblem] = []

    def note(self, line: int, column: int, text: str, mend: str) -> None:
        self.problems.append(TextProblem(self.file, line, column, text, mend))

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        import yaml

        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._stop(event, "a second document begins", "Keep one document a file; remove the `---`.")
                root = self._node(next(events), events, 1)
        if root is None:
            raise _Stop(TextProblem(self.file, 1, 1, "the file is empty", "Write at least one key."))
        return root

    def _stop(self, event: yaml.Event, text: str, mend: str) -> _Stop:
        return _Stop(TextProblem(self.file, *_place(event), text, mend))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        import yaml

        line, column = _place(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._stop(event, "anchors (&x) and aliases (*x) are not read", "Write the content out, or quote it.")
        if (tag := getattr(event, "tag", None)) is not None:
            raise self._stop(event, f"the tag {tag!a} is not read", "Remove it, or quote the text.")
        if depth > MAX_DEPTH:
            raise self._stop(event, f"nested deeper than {MAX_DEPTH}", "Flatten it.")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, line, column)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
            return Node(items, line, column)
        return self._mapping(event, events, depth)

    def _mapping(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        import yaml

        in_braces = bool(getattr(event, "flow_style", False))
        found: dict[str, Node] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._node(inner, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            value.key = key
            if isinstance(key.value, dict | list):
                self.note(key.line, key.column, f"{key.describe()} stands where a key belongs", "Use a plain word.")
                continue
            name = key.value if isinstance(key.value, str) else str(key.bare()).lower()
            if in_braces and value.value is None and not value.plain:
                # `{title: Critical, meaning: a, b}` silently holds a key `b` without a value.
                self.note(
                    key.line, key.column, f"{name!a} has no value: a comma ended the text before it", "Quote that text."
                )
            elif name in found:
                first = found[name].key
                where = first.line if first is not None else line_of(found[name])
                self.note(
                    key.line, key.column, f"the key {name!a} stands twice (first in line {where})", "Keep one of them."
                )
            else:
                found[name] = value
        return Node(found, *_place(event))

    def _scalar(self, event: yaml.ScalarEvent, line: int, column: int) -> Node:
        text = str(event.value)
        if event.style not in (None, ""):
            return Node(text, line, column)
        if text in ("", "~", "null"):
            return Node(None, line, column, plain=bool(text))
        if self.scalars_are_text:
            return Node(text, line, column, plain=True)
        if text.lower() in ("true", "false"):
            return Node(text.lower() == "true", line, column, plain=True)
        if text.lower() in _SLIPPERY:
            self.note(line, column, f"a bare `{text}` is a boolean to other readers of YAML", f'Write "{text}".')
        if _WHOLE.fullmatch(text):
            return Node(int(text), line, column, plain=True)
        if _DECIMAL.fullmatch(text):
            return Node(Decimal(text), line, column, plain=True)
        return Node(text, line, column, plain=True)


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def line_of(node: Node) -> int:
    """Return the line where a node, or the key before it, stands."""
    return node.key.line if node.key is not None else node.line
