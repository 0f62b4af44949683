"""ro-crate-metadata.json: the bundle as RO-Crate 1.1 with the Process Run Crate profile 0.5, for tools that know neither Carnet nor its ledger.

Pure: rows in, bytes out. Every file of the zip is listed with its SHA-256, save the manifest and its signature (the manifest holds this file's
digest) and this file itself. Lists are bounded; what is left out is said in the description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carnet_store.domain.lineage import ENDED_BADLY, Node
from carnet_store.exchange.attestation import Attestation
from carnet_store.exchange.readme import Story, utc

CONTEXT: Final = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
CRATE: Final = "https://w3id.org/ro/crate/1.1"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
MOST_FILES: Final = 20_000
CARNET: Final = "https://w3id.org/carnet"
_DONE: Final = "http://schema.org/CompletedActionStatus"
_FAILED: Final = "http://schema.org/FailedActionStatus"
_TYPES: Final[Mapping[str, str]] = {
    "dataset": "Dataset", "code": "SoftwareSourceCode", "environment": "SoftwareApplication", "model": "CreativeWork",
}  # fmt: skip
_FORMATS: Final[Mapping[str, str]] = {
    ".jsonl": "application/jsonl", ".json": "application/json", ".sig": "application/vnd.dsse+json", ".html": "text/html",
    ".py": "text/x-python",
}  # fmt: skip

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CrateFile:
    """A file of the zip; `sha256` is empty for the manifest and its signature."""

    path: str
    sha256: str
    size: int
    name: str


def describe(
    story: Story,
    files: Sequence[CrateFile],
    nodes: Sequence[Node],
    signed: Sequence[Attestation],
    names: Mapping[str, str],
) -> bytes:
    """Return the metadata file; `names` maps person ids to names."""
    shown = files[:MOST_FILES]
    by_digest = {file.sha256: file.path for file in shown if file.sha256 and file.path.startswith("objects/")}
    made = _Graph(by_digest, {node.id: node for node in nodes}, names)
    runs = [made.run(node) for node in nodes if node.kind == "run"]
    endorsements = [made.endorsement(one) for one in signed if one.change.live]
    when = utc(story.t)
    left_out = (
        f" {len(files) - len(shown):,} of its {len(files):,} files are not listed here."
        if len(files) > len(shown)
        else ""
    )
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": {"@id": PROFILE},
        "datePublished": when,
        "description": "A Carnet bundle: the signed ledger of a machine learning project, the files that it refers to, and its sign-offs."
        f" Derived from the ledger and no evidence by itself.{left_out}",
        "hasPart": [{"@id": file.path} for file in shown],
        "identifier": f"urn:sha256:{story.ledger}",
        "license": "None is stated in the record: ask the founder of the project.",
        "name": f"Handover bundle of {story.project or 'a project'}",
    }
    mentions = [{"@id": entity["@id"]} for entity in (*runs, *endorsements)]
    if mentions:
        root["mentions"] = mentions if len(mentions) > 1 else mentions[0]
    graph: list[Entity] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": CRATE},
        },
        root,
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *(_file(file) for file in shown),
        *runs,
        *endorsements,
        *(made.extra[key] for key in sorted(made.extra)),
    ]
    text = json.dumps({"@context": list(CONTEXT), "@graph": graph}, ensure_ascii=False, sort_keys=True, indent=1)
    return text.encode("utf-8", "replace") + b"\n"


def _file(file: CrateFile) -> Entity:
    suffix = "." + file.path.rpartition(".")[2] if not file.path.startswith("objects/") else ""
    entity: Entity = {
        "@id": file.path,
        "@type": "File",
        "encodingFormat": _FORMATS.get(suffix, "application/octet-stream"),
        "name": file.name or file.path,
    }
    if file.sha256:
        entity |= {"contentSize": str(file.size), "sha256": file.sha256}
    return entity


def _moment(value: object) -> str:
    """Return a time of a run as ISO 8601: sources give ms since 1970, people may have written text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return utc(value)
    return value if isinstance(value, str) else ""


class _Graph:
    """Makes actions and, once each, whatever they refer to."""

    def __init__(self, files: Mapping[str, str], nodes: Mapping[str, Node], names: Mapping[str, str]) -> None:
        self._files, self._nodes, self._names = files, nodes, names
        self.extra: dict[str, Entity] = {}

    def run(self, node: Node) -> Entity:
        """Return a run as an action: what it used, with which parameters, what came of it."""
        used = [self._thing(edge.dst) for edge in node.edges if edge.relation in ("used", "from")]
        used += [self._parameter(node, name, value) for name, value in sorted(node.params.items())]
        made = [self._thing(edge.dst) for edge in node.edges if edge.relation == "made"]
        made += [
            self._value(f"{node.id}/metric/{i}", f"{m.name} {m.split}".strip(), m.value, m.unit)
            for i, m in enumerate(node.metrics)
        ]
        begun, ended = _moment(node.attrs.get("started")), _moment(node.attrs.get("ended"))
        failed = str(node.attrs.get("status", "")).lower() in ENDED_BADLY or node.attrs.get("exit_code") not in (
            None,
            0,
            "0",
            "",
        )
        action: Entity = {
            "@id": _local(node.id),
            "@type": "CreateAction",
            "actionStatus": {"@id": _FAILED if failed else _DONE},
            "agent": self._person(node.person),
            "description": f"Recorded in the ledger as {node.id}",
            "endTime": ended or utc(node.t),
            "instrument": self._instrument(node),
            "name": node.title or node.id,
        }
        if begun:
            action["startTime"] = begun
        for key, things in (("object", used), ("result", made)):
            if things:
                action[key] = things if len(things) > 1 else things[0]
        return action

    def endorsement(self, one: Attestation) -> Entity:
        """Return a sign-off as an action of endorsing, its statement as the result."""
        said = one.predicate
        return {
            "@id": _local(f"signoff:{one.change.id}"),
            "@type": "EndorseAction",
            "actionStatus": {"@id": _DONE},
            "agent": self._person(one.change.person),
            "description": f"{said.decision} as {said.role} ({said.meaning}), signed over package sha256:{said.package}",
            "endTime": utc(one.change.t),
            "instrument": self._carnet(),
            "name": f"Sign-off: {said.decision}",
            "object": {"@id": "./"},
            "result": {"@id": one.path},
        }

    def _add(self, entity: Entity) -> Entity:
        self.extra.setdefault(entity["@id"], entity)
        return {"@id": entity["@id"]}

    def _carnet(self) -> Entity:
        return self._add(
            {"@id": CARNET, "@type": "SoftwareApplication", "name": "Carnet", "url": CARNET, "version": "1"}
        )

    def _person(self, person: str) -> Entity:
        return self._add(
            {"@id": _local(f"person:{person}"), "@type": "Person", "name": self._names.get(person, person[:8])}
        )

    def _instrument(self, node: Node) -> Entity:
        command = str(node.attrs.get("command", "")) or "a command that was not recorded"
        return self._add(
            {
                "@id": _local(f"{node.id}/command"), "@type": "SoftwareApplication", "name": command[:200],
                "url": CARNET, "version": str(node.attrs.get("commit", "") or "unknown"),
            }
        )  # fmt: skip

    def _thing(self, entity: str) -> Entity:
        """Return a reference: to the file in the bundle where there is one, else to a description of the entity."""
        node = self._nodes.get(entity)
        held = self._files.get(node.digests.get("sha256", "")) if node else None
        if held:
            return {"@id": held}
        kind = entity.partition(":")[0]
        # A Dataset without files would have to be a folder of the crate; what is only described is a work.
        kind_of = _TYPES.get(kind, "CreativeWork")
        made: Entity = {
            "@id": _local(entity),
            "@type": "CreativeWork" if kind_of == "Dataset" else kind_of,
            "name": (node.title if node else "") or entity,
        }
        if kind_of in ("SoftwareApplication", "SoftwareSourceCode"):
            made |= {"url": CARNET, "version": (node.version if node else "") or "unknown"}
        return self._add(made)

    def _parameter(self, node: Node, name: str, value: str) -> Entity:
        return self._value(f"{node.id}/param/{name}", name, value)

    def _value(self, key: str, name: str, value: str, unit: str = "") -> Entity:
        shown = f"{value} {unit}".strip()
        return self._add({"@id": _local(key), "@type": "PropertyValue", "name": name, "value": shown})


def _local(text: str) -> str:
    """Return an id within the crate: `#` and what may stand in a fragment, other characters as percent escapes."""
    return "#" + "".join(c if c.isascii() and (c.isalnum() or c in "-._~:/@") else _percent(c) for c in text)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
