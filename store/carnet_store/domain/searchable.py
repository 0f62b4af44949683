"""What of a change people look for: its texts, each with the name of the field it stands in. Search reads nothing else.

A kind needs no line here to be found: every text of its value counts, under the name of its key. Only what reads better
in other words, or is no text for people (ids, digests within structures, times), is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Piece = tuple[str, str]
"""A text with the name of its field: (`reason`, `the baseline is easier to explain`)."""

_NO_TEXT: Final = re.compile(r"[a-z][a-z_]{0,31}:[0-9a-f]{32}|[0-9a-f]{32,128}(\.[0-9]{1,4})?")
_SILENT: Final = frozenset({
    "_type", "predicateType", "subject", "purpose", "ledger", "handoff", "t", "at", "role", "state", "package", "template",
    "bound", "seen", "frontier", "roster", "covers", "meaning", "round", "expires", "spoken_by", "typed_by", "links", "signature",
    "deciders", "consulted", "about", "to_person", "person", "model", "criteria", "previous", "replaces", "relation", "to", "from_team",
    "to_team", "sha256", "size", "exit_code", "step", "started", "ended", "answer_id", "cell", "near",
})  # fmt: skip
"""Keys whose values are ids, times or fixed words."""
_WORDS: Final[Mapping[tuple[str, str], str]] = {
    ("comment.added", "text"): "comment",
    ("question.asked", "text"): "question",
    ("question.replied", "text"): "reply",
    ("question.closed", "note"): "closing note",
    ("finding.raised", "text"): "finding",
    ("finding.closed", "text"): "finding closed",
    ("waiver.granted", "reason"): "waiver",
    ("annotation.added", "text"): "annotation",
    ("annotation.added", "excerpt"): "annotated cell",
    ("decision.recorded", "constraints"): "constraint",
}
"""(kind, key) whose field is called otherwise than its key."""
_ITEM_KINDS: Final = frozenset({
    "item.answered", "item.verified", "answer.confirmed", "finding.raised", "finding.closed", "waiver.granted", "waiver.withdrawn",
    "na.confirmed", "readback.confirmed", "comment.added",
})  # fmt: skip
_MOMENTS: Final = frozenset({"started", "ended", "at"})
_MAX_DEPTH: Final = 12


@dataclass(frozen=True, slots=True)
class Said:
    """The texts of one change.

    Attributes:
        names: what the entity is called by; a match here weighs most.
        texts: all else.
        about: the entities that it is about, ids.
        outcome: `rejected` and the like, where one is stated.
        item: the checklist item that it is said of, or empty.
    """

    names: tuple[Piece, ...] = ()
    texts: tuple[Piece, ...] = ()
    about: tuple[str, ...] = ()
    outcome: str = ""
    item: str = ""


def said(kind: str, field: str, value: Any) -> Said:
    """Return the texts of a change of a known kind; `value` is its decoded JSON (the payload where it is person-signed)."""
    if not isinstance(value, Mapping):
        return Said()
    item = field if kind in _ITEM_KINDS else ""
    if kind == "entity.declared":
        return _declared(value)
    if kind == "entity.described":
        outcome = str(value.get("value", "")) if field == "outcome" else ""
        return Said((), tuple(_walk(field, value.get("value"))), outcome=outcome[:80])
    if kind == "decision.recorded":
        return _decision(value)
    if kind == "question.asked":
        names = tuple(_walk("question", value.get("text")))
        return Said(names, tuple(_fields(kind, value, {"text"})), _ids(value.get("about")))
    if kind == "criteria.set":
        rows = value.get("rows")
        texts = [
            ("criterion", _joined(row, "id", "name", "op", "value", "unit", "split", "slice")) for row in _rows(rows)
        ]
        return Said((), tuple(texts))
    if kind == "handoff.opened":
        gate = [("gate", str(row.get("id", ""))) for row in _rows(value.get("packs"))]
        return Said((), (*gate, *_fields(kind, value, {"packs", "tier"})))
    if kind == "package.sealed":
        return Said()  # a manifest repeats what stands elsewhere
    if kind == "gate.signed":
        predicate = value.get("predicate")
        return Said((), tuple(_fields(kind, predicate, {"gate"})) if isinstance(predicate, Mapping) else ())
    if kind == "item.answered":
        return Said((), tuple(_walk("answer", value.get("answer"))), item=item)
    return Said((), tuple(_fields(kind, value, {"item"} if item else set())), item=item)


def attribute(kind: str, field: str) -> str:
    """Return the attribute that a change sets anew, so that what was declared of it counts no more; empty where none."""
    return field if kind == "entity.described" else ""


def _declared(value: Mapping[str, Any]) -> Said:
    name, version = str(value.get("name", "")), str(value.get("version", ""))
    attrs = value.get("attrs")
    attrs = attrs if isinstance(attrs, Mapping) else {}
    texts = [piece for key, inner in attrs.items() if key not in _MOMENTS for piece in _walk(str(key), inner)]
    params = value.get("params")
    if isinstance(params, Mapping):
        texts += [("parameter", f"{key}={inner}") for key, inner in params.items()]
    texts += [
        ("metric", _joined(row, "name", "value", "unit", "split", "slice")) for row in _rows(value.get("metrics"))
    ]
    digests = value.get("digests")
    if isinstance(digests, Mapping):
        texts += [("digest", f"{key}:{inner}") for key, inner in digests.items()]
    source = value.get("source")
    if isinstance(source, Sequence) and not isinstance(source, str):
        texts.append(("source", " ".join(map(str, source))))
    title = f"{name}@{version}" if version else name
    return Said((("name", title),), tuple(texts), outcome=str(attrs.get("outcome") or "")[:80])


def _decision(value: Mapping[str, Any]) -> Said:
    names = (*_walk("choice", value.get("choice")), *_walk("question", value.get("question")))
    options: list[Piece] = []
    for row in value.get("options") or ():
        title, why = (row.get("title", ""), row.get("why", "")) if isinstance(row, Mapping) else (row, "")
        options.append(("option", f"{title}: {why}" if why else str(title)))
    texts = (*options, *_fields("decision.recorded", value, {"choice", "question", "options", "outcome"}))
    return Said(names, texts, _ids(value.get("about")), str(value.get("outcome") or "accepted"))


def _fields(kind: str, value: Mapping[str, Any], left_out: set[str]) -> Iterator[Piece]:
    for key, inner in value.items():
        if key not in left_out and key not in _SILENT:
            yield from _walk(_WORDS.get((kind, key), key.replace("_", " ")), inner)


def _walk(label: str, value: Any, depth: int = 0) -> Iterator[Piece]:
    """Yield every text within a value under one field's name; the keys of objects within stand before their texts."""
    if isinstance(value, str):
        if value.strip() and not _NO_TEXT.fullmatch(value):
            yield label, value
    elif isinstance(value, bool) or value is None or depth >= _MAX_DEPTH:
        return
    elif isinstance(value, int | float):
        yield label, str(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _SILENT:
                yield from _walk(label, inner, depth + 1)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _walk(label, inner, depth + 1)


def _joined(row: Mapping[str, Any], *keys: str) -> str:
    return " ".join(str(row[key]) for key in keys if row.get(key) not in (None, ""))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list | tuple) else []


def _ids(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list | tuple) else ()
