"""Forgetting: a signed tombstone names values whose bytes go; shapes and the chain stay (docs/format.md section 9)."""

from __future__ import annotations

from typing import Final

import msgspec

from carnet_store.core.kind import ACT, KINDS, kind

PROTECTED: Final = frozenset({"value.erased", "gate.signed", "recall.declared", "recall.lifted", "handoff.recalled"})


@kind("value.erased", on=("ledger",), rule="nobody", signed=ACT, role="eraser", critical=True)
class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """A tombstone: `targets` are change ids of this ledger, `objects` digests whose bytes go too."""

    ledger: str
    purpose: str
    targets: tuple[str, ...]
    objects: tuple[str, ...]
    reason: str
    t: int


@kind("template.adopted", on=("ledger",), signed=ACT, role="admin")
class TemplateAdopted(msgspec.Struct, frozen=True, kw_only=True):
    """The project uses this version of a pack from here on (field: the pack's id)."""

    ledger: str
    purpose: str
    id: str
    version: str
    sha256: str
    reason: str
    t: int


def is_erasable(kind_name: str) -> bool:
    """Say whether a value of this kind may be erased: not what tells who counts, no sign-off, no recall, no tombstone."""
    known = KINDS.get(kind_name)
    return known is not None and not known.about_people and kind_name not in PROTECTED
