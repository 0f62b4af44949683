"""Who may replace what, over every registered kind; the registry itself (docs/format.md sections 5 and 8)."""

from __future__ import annotations

import msgspec
import pytest

import carnet_store.domain.decisions
import carnet_store.domain.erasure
import carnet_store.domain.handoff
import carnet_store.domain.lineage
import carnet_store.domain.people  # noqa: F401 (kinds register themselves when their subject is imported)
from carnet_store.core.fold import may_replace
from carnet_store.core.kind import KINDS, kind, read
from carnet_store.domain.erasure import is_erasable
from carnet_store.errors import Invalid

# docs/format.md section 8: the person's own signature is required for these, and no others.
SIGNED = {
    "ledger.founded", "chain.opened", "roster.set", "person.key_added", "person.revoked", "fork.adopted", "event.adopted",
    "gate.signed", "waiver.granted", "na.confirmed", "gate.overridden", "custody.offered", "custody.accepted",
    "custody.refused", "readback.confirmed", "handoff.returned", "recall.lifted", "value.erased", "template.adopted",
}  # fmt: skip


def replaced(kind_name: str, *, same: bool, by: str = "", role: str = "", holds: str = "") -> bool:
    return may_replace(
        kind_name, target_person="a", target_role=role, by_kind=by or kind_name, by_person="a" if same else "b",
        by_roles=frozenset([holds] if holds else []),
    )  # fmt: skip


def test_signed_kinds_are_those_of_the_format() -> None:
    assert {k.name for k in KINDS.values() if k.payload_type} == SIGNED


@pytest.mark.parametrize("name", sorted(KINDS))
def test_rule_of_each_kind(name: str) -> None:
    """THREATS 32, over the whole registry."""
    known = KINDS[name]
    stranger = replaced(name, same=False)
    assert not stranger, "another person's change of the same kind never replaces without a role"
    if known.rule == "nobody":
        assert not replaced(name, same=True)
        assert not replaced(name, same=True, by="change.retracted")
    elif known.rule == "closing":
        assert known.closed_by in KINDS
        assert replaced(name, same=False, by=known.closed_by)
        assert not replaced(name, same=True)
        assert not replaced(name, same=True, by="change.retracted")
    else:
        assert replaced(name, same=True)
        assert replaced(name, same=True, by="change.retracted")
    by_role = replaced(name, same=False, role="r", holds="r")
    assert by_role == (known.rule in ("answer",))
    assert not replaced(name, same=False, role="r", holds="other")
    assert not replaced(name, same=False, role="", holds="")


def test_nobody_without_a_person_replaces() -> None:
    assert not may_replace(
        "comment.added", target_person="", target_role="", by_kind="comment.added", by_person="", by_roles=frozenset()
    )


def test_values_have_the_form_of_their_kind() -> None:
    assert read("comment.added", b'{"text":"x","newer":1}')
    with pytest.raises(Invalid):
        read("comment.added", b'{"txt":"x"}')
    with pytest.raises(Invalid):
        read("comment.added", b"[" * 4000)


def test_a_kind_is_declared_once() -> None:
    with pytest.raises(Invalid, match="twice"):
        kind("comment.added")(msgspec.Struct)


def test_what_may_be_erased() -> None:
    """R060: not what tells who counts, no sign-off, no tombstone, nothing unknown."""
    assert is_erasable("item.answered")
    for name in ("ledger.founded", "roster.set", "invite.made", "gate.signed", "value.erased", "odd.kind"):
        assert not is_erasable(name)
