"""Write docs/reference/events.md from the registry of kinds: `python docs/make_reference.py` (a test compares the two)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
import typing
from pathlib import Path
from typing import Any

import msgspec

import carnet_store.domain
from carnet_store.core.kind import KINDS, Kind

PAGE = Path(__file__).parent / "reference" / "events.md"

HEAD = """# Events: every kind of change

<!-- Made by docs/make_reference.py from the registry of kinds; a test compares the two. -->

An event holds changes; each has a kind, and each kind one form of value (docs/format.md section 8). Fields that a newer Carnet adds are
kept. A value that lacks a field without a default does not count, and says so.

- **on**: the kinds of entity that it may touch. A *birth* brings its entity to life, so the entity's id is made from it.
- **who**: any member, a role, or an admin. *Own key* means that the value is `{"dsse": [...]}` over a payload of this form, signed by the
  person's own key and carried in a chain of a signer.
- **replaced by**: who may replace it with `over`. *Critical*: a Carnet that does not know the kind gives no verdict on its entity.
"""
RULES = {
    "self": "the same person",
    "answer": "the same person, or a holder of the role that it was given as",
    "nobody": "nobody",
}


def load() -> None:
    """Import every module of the domain: kinds register themselves."""
    for module in pkgutil.iter_modules(carnet_store.domain.__path__):
        importlib.import_module(f"carnet_store.domain.{module.name}")


def type_words(kind: Any) -> str:
    """Return a field's type as JSON would have it."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(type_words(one) for one in inside)
    if origin is tuple and len(inside) == 2 and inside[1] is Ellipsis:
        return f"list of {type_words(inside[0])}"
    if origin is tuple:
        return f"[{', '.join(type_words(one) for one in inside)}]"
    if origin is dict:
        return f"object of {type_words(inside[1])}"
    if origin is typing.Literal:
        return " or ".join(f"`{one}`" for one in inside)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"{{{', '.join(f'`{f.encode_name}`: {type_words(f.type)}' for f in msgspec.structs.fields(kind))}}}"
    return {str: "text", int: "integer", bool: "true or false", type(None): "null", Any: "any value"}.get(
        kind, str(kind)
    )


def default_words(field: msgspec.structs.FieldInfo) -> str:
    """Return what a field is when it is left out, or that it must be there."""
    if field.required:
        return "required"
    made = field.default_factory() if field.default is msgspec.NODEFAULT else field.default  # type: ignore[operator, unused-ignore]
    return {"": '`""`', "None": "null", "True": "`true`", "False": "`false`", "()": "`[]`"}.get(str(made), f"`{made}`")


def section(known: Kind) -> str:
    """Return one kind's part of the page."""
    who = {"": "any member", "admin": "an admin"}.get(known.role, f"a member with the role `{known.role}`")
    replaced = f"only a `{known.closed_by}`" if known.rule == "closing" else RULES[known.rule]
    marks = [
        f"on: {', '.join(f'`{one}`' for one in sorted(known.on)) or 'any'}{' (a birth)' if known.birth else ''}",
        f"who: {who}{', by the own key' if known.payload_type else ''}",
        f"replaced by: {replaced}",
        *([f"payload type: `{known.payload_type}`"] if known.payload_type else []),
        *(["critical"] if known.critical else []),
        *(["says who counts: folded before all else"] if known.about_people else []),
    ]
    rows = [
        f"| `{field.encode_name}` | {type_words(field.type)} | {default_words(field)} |"
        for field in msgspec.structs.fields(known.type)
    ]
    table = "\n".join(["| field | type | when left out |", "|---|---|---|", *rows])
    lines = "\n".join(f"- {mark}" for mark in marks)
    return f"### `{known.name}{'!' if known.critical else ''}`\n\n{inspect.getdoc(known.type)}\n\n{lines}\n\n{table}\n"


def page() -> str:
    """Return the page as it must be."""
    load()
    parts = [HEAD]
    subject = ""
    for known in sorted(KINDS.values(), key=lambda k: (subject_of(k), k.name)):
        if subject_of(known) != subject:
            subject = subject_of(known)
            parts.append(f"## {subject.capitalize()}\n")
        parts.append(section(known))
    return "\n".join(parts)


def subject_of(known: Kind) -> str:
    """Return the module that declares a kind: its subject."""
    return {"roster": "people", "handoff": "handoffs"}.get(
        known.type.__module__.rpartition(".")[2], known.type.__module__.rpartition(".")[2]
    )


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
