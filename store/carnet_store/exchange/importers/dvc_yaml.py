"""YAML as DVC reads it: version 1.2, so that `1e-05` is a number and `on` a word, with duplicate keys refused and aliases bounded.

Rules: plain scalars are typed as ruamel.yaml types them under YAML 1.2 (which DVC uses), but a date stays text: DVC refuses it as a parameter. Keys are the text that
stands there. Nothing unfolds to more than about what somebody wrote, nothing is nested without end, no tag makes an object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from carnet_store.exchange.importers.files import Unreadable, sound

if TYPE_CHECKING:
    import yaml

MIB: Final = 1 << 20
MOST: Final = 32 * MIB
"""Bytes of a file that are read."""
DEEPEST: Final = 64
UNFOLDED: Final = 100_000
"""Values that aliases may add to those that are written out."""

_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_INFINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z")
_NAN: Final = frozenset({".nan", ".NaN", ".NAN"})
_CORE: Final = "tag:yaml.org,2002:"


def typed(text: str) -> Any:
    """Return the value of a plain scalar: None, bool, int, float, or the text itself."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] in "-+.0123456789":
        if _INT.match(text):
            number = _whole(text)
            return text if number is None else number
        if _FLOAT.match(text):
            return float(text.replace("_", ""))
        if _INFINITE.match(text):
            return float("-inf" if text[0] == "-" else "inf")
        if text in _NAN:
            return float("nan")
    return text


def _whole(text: str) -> int | None:
    digits = text.replace("_", "").lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
    try:
        number = int(digits if base == 10 else digits[2:], base)
    except ValueError:  # more digits than Python reads, or none
        return None
    return -number if text[0] == "-" else number


def load(data: bytes, where: str, before: int = 0) -> Any:
    """Return what the one document in `data` holds; `before` counts the lines that stand before it in the file.

    Raises:
        Unreadable: it is no YAML, more than one document, a key stands twice, a tag is of no plain type, or it is too large or nested too deeply.
    """
    import yaml

    if len(data) > MOST:
        raise Unreadable(where, f"is larger than {MOST // MIB} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unreadable(f"{where}:{before + line}", "is not UTF-8 text") from None
    reader = _Reader(where, before, len(text) + UNFOLDED)
    try:
        return reader.document(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part) or "cannot be read"
        line = min(mark.line, text.count("\n")) if mark is not None else 0
        raise Unreadable(f"{where}:{before + line + 1}", f"is not YAML: {what}") from None
    except yaml.YAMLError as error:
        at = getattr(error, "position", 0) or 0
        line = text[:at].count("\n") + 1
        raise Unreadable(f"{where}:{before + line}", "holds a character that YAML does not allow") from None


class _Reader:
    """Builds values from parser events, so that depth, size and aliases are known before they cost anything."""

    def __init__(self, where: str, before: int, room: int) -> None:
        self._where, self._before, self._room = where, before, room
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> Any:
        import yaml

        value, documents = None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "a second document begins")
                value = self._value(next(events), events, 1)
        return value

    def _stop(self, event: yaml.Event, why: str) -> Unreadable:
        mark = event.start_mark
        return Unreadable(f"{self._where}:{self._before + (mark.line if mark is not None else 0) + 1}", why)

    def _count(self, event: yaml.Event, size: int) -> None:
        self._nodes += size
        if self._nodes > self._room:
            raise self._stop(event, "its aliases unfold to more than anybody wrote")

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Any:
        import yaml

        if depth > DEEPEST:
            raise self._stop(event, f"is nested deeper than {DEEPEST}")
        if isinstance(event, yaml.AliasEvent):
            known = self._anchors.get(str(event.anchor))
            if known is None:
                raise self._stop(event, f"the alias *{event.anchor} names nothing that ends before it")
            self._count(event, known[1])
            return known[0]
        begun = self._nodes
        self._count(event, 1)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._plain_tag(event, "seq")
            value = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                value.append(self._value(inner, events, depth + 1))
        elif isinstance(event, yaml.MappingStartEvent):
            self._plain_tag(event, "map")
            value = self._mapping(events, depth)
        else:
            raise self._stop(event, "nothing stands where a value belongs")
        if getattr(event, "anchor", None):
            self._anchors[str(event.anchor)] = (value, self._nodes - begun)
        return value

    def _plain_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _CORE + kind):
            raise self._stop(event, f"the tag {event.tag!a:.80} is not read")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = str(event.value)
        if not text.isascii():
            text = sound(text)
        if event.tag is None or event.tag == "!":
            return typed(text) if event.style in (None, "") else text
        kind = event.tag.removeprefix(_CORE)
        if kind == "str":
            return text
        value = typed(text)
        if kind == "float" and type(value) is int:
            value = float(value)
        if type(value).__name__ != {"null": "NoneType"}.get(kind, kind):
            raise self._stop(event, f"the tag {event.tag!a:.80} is not read here")
        return value

    def _mapping(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            if not isinstance(inner, yaml.ScalarEvent):
                raise self._stop(inner, "a list, a set of keys or an alias stands where a key belongs")
            self._count(inner, 1)
            key = sound(str(inner.value))
            value = self._value(next(events), events, depth + 1)
            if key == "<<" and inner.style in (None, ""):
                for one in value if isinstance(value, list) else [value]:
                    if not isinstance(one, dict):
                        raise self._stop(inner, "`<<` merges something that is no set of keys")
                    merged = {**one, **merged}
            elif key in found:
                raise self._stop(inner, f"the key {key!a:.80} stands twice")
            else:
                found[key] = value
        return {**merged, **found}
