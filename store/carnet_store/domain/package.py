"""The package: the sealed manifest of what crosses, its digest, and the digests of its parts (docs/format.md section 8.1).

A part is what an item `binds`: when a part differs from what a signer saw, the signatures that cover such items turn stale, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from carnet_store.core import canonical
from carnet_store.domain.handoff import Handoff
from carnet_store.domain.lineage import Node

FORMAT: Final = "carnet-package/1"
PART_KINDS: Final[Mapping[str, str]] = {
    "code": "code",
    "data": "dataset",
    "features": "feature",
    "env": "environment",
    "model": "model",
}


def manifest(
    ledger: str, handoff: Handoff, nodes: Iterable[Node], criteria: Node | None, round_: int
) -> dict[str, Any]:
    """Return the manifest of a handoff as the record stands now.

    Args:
        ledger: the ledger id.
        handoff: what crosses, its packs, tier and facts.
        nodes: the entities linked to it and their direct inputs.
        criteria: the model line's criteria, if it has any.
        round_: which sealing this is, 1 for the first.
    """
    return {
        "criteria": None if criteria is None else {"id": criteria.id, "state": criteria.state},
        "entities": [
            {"digests": dict(node.digests), "id": node.id, "kind": node.kind, "state": node.state}
            for node in sorted(nodes, key=lambda n: n.id)
            if criteria is None or node.id != criteria.id
        ],
        "facts": dict(handoff.facts),
        "files": [{"path": f.path, "sha256": f.sha256, "size": f.size} for f in handoff.files],
        "format": FORMAT,
        "handoff": handoff.id,
        "ledger": ledger,
        "model": handoff.opened.model,
        "round": round_,
        "template": [{"id": p.id, "sha256": p.sha256, "version": p.version} for p in handoff.packs],
        "tier": handoff.tier,
    }


def digest(found: Mapping[str, Any]) -> str:
    """Return the package digest: SHA-256 of the manifest's canonical bytes."""
    return canonical.sha256_hex(canonical.encode(found))


def template_digest(handoff: Handoff) -> str:
    """Return the SHA-256 of the list of packs and versions that make the checklist."""
    return canonical.sha256_hex(
        canonical.encode([{"id": p.id, "sha256": p.sha256, "version": p.version} for p in handoff.packs])
    )


def parts(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each part of a manifest that items can bind; `package` is all of it but the round."""

    def of(value: object) -> str:
        return canonical.sha256_hex(canonical.encode(value))

    entities = found.get("entities", [])
    result = {part: of([e for e in entities if e["kind"] == kind]) for part, kind in PART_KINDS.items()}
    result["config"] = of(found.get("files", []))
    result["criteria"] = of(found.get("criteria"))
    result["package"] = of({key: value for key, value in found.items() if key != "round"})
    return result


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what differs between two manifests as (sign, id or path, what): sign is `+`, `-` or `~`."""
    rows: list[tuple[str, str, str]] = []
    for list_name, key in (("entities", "id"), ("files", "path"), ("template", "id")):
        before = {row[key]: row for row in old.get(list_name, [])}
        after = {row[key]: row for row in new.get(list_name, [])}
        for name in sorted({*before, *after}):
            if name not in before:
                rows.append(("+", name, list_name))
            elif name not in after:
                rows.append(("-", name, list_name))
            elif before[name] != after[name]:
                rows.append(("~", name, list_name))
    for name in ("criteria", "facts", "tier", "model"):
        if old.get(name) != new.get(name):
            rows.append(("~", name, name))
    return rows
