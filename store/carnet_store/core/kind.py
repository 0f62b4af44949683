"""The registry of change kinds: what a `noun.verbed` carries, who may write it, and who may replace it (docs/format.md section 8).

A kind is one `msgspec.Struct` beside the subject it belongs to in `domain/`. Fields that a newer Carnet added survive because the bytes are
kept; a value that lacks a field does not count and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import msgspec

from carnet_store.errors import Invalid

Rule = Literal["self", "answer", "closing", "nobody"]
ACT: Final = "application/vnd.carnet.act+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of change.

    Attributes:
        name: `noun.verbed`.
        type: the struct of its value.
        on: the kinds of entity that it may touch; empty means any.
        rule: who may replace a change of this kind.
        closed_by: for rule `closing`, the kind that may replace it.
        birth: it brings its entity to life, so the entity's id must be self-certifying.
        payload_type: of the person-signed DSSE that the value must be, or empty.
        role: what its author must hold in the roster, `admin`, a role, or empty for any member.
        critical: an unknowing reader must give no verdict.
        about_people: it decides who counts, so it is folded before all else.

    """

    name: str
    type: type[msgspec.Struct]
    on: frozenset[str]
    rule: Rule
    closed_by: str
    birth: bool
    payload_type: str
    role: str
    critical: bool
    about_people: bool


KINDS: dict[str, Kind] = {}
S = TypeVar("S", bound=type[msgspec.Struct])


def kind(
    name: str,
    *,
    on: tuple[str, ...] = (),
    rule: Rule = "self",
    closed_by: str = "",
    birth: bool = False,
    signed: str = "",
    role: str = "",
    critical: bool = False,
    about_people: bool = False,
) -> Callable[[S], S]:
    """Register the decorated struct as the value of `name` changes; see `Kind` for the words."""

    def register(cls: S) -> S:
        if name in KINDS:
            raise Invalid(f"the kind {name} is declared twice")
        KINDS[name] = Kind(name, cls, frozenset(on), rule, closed_by, birth, signed, role, critical, about_people)
        return cls

    return register


def read(name: str, raw: bytes) -> msgspec.Struct:
    """Return the typed value of a change of a known kind.

    Raises:
        Invalid: the value has not the kind's form.

    """
    try:
        return msgspec.json.decode(raw, type=KINDS[name].type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Invalid(f"the value of {name} has not its form: {error}") from None
