"""Template packs from YAML: read, checked as a whole, shipped, and begun anew.

`lint` tells every problem of a file at its line and column; `load_pack` reads the same way and refuses a pack with any
problem of its own. References into other packs (includes, pairs) are the business of `lint`, which knows the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from carnet_store.domain.template import FORMAT, Pack
from carnet_store.errors import Invalid
from carnet_store.work.pack_reader import PackReader
from carnet_store.work.yaml_text import TextProblem, read_yaml

SLUG: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Loaded(NamedTuple):
    """A pack, the exact bytes it was read from, and their SHA-256."""

    pack: Pack
    raw: bytes
    sha256: str


def _read(data: bytes, name: str) -> tuple[PackReader | None, Pack | None, list[TextProblem]]:
    root, problems = read_yaml(data, name)
    if root is None:
        return None, None, problems
    reader = PackReader(name)
    pack = reader.pack(root)
    return reader, pack, sorted({*problems, *reader.problems})


def load_pack(data: bytes, name: str) -> Pack:
    """Read a pack; `name` is the file as errors show it. Raises `Invalid` with every problem of the file."""
    _, pack, problems = _read(data, name)
    if pack is None or problems:
        count = len(problems)
        raise Invalid(
            f"{name} has {count} problem{'' if count == 1 else 's'}",
            f"Mend them, then run: carnet template lint {name}",
            [str(problem) for problem in problems],
        )
    return pack


def lint(data: bytes, name: str, others: Mapping[str, Pack] | None = None) -> list[TextProblem]:
    """Return every problem of a pack, sorted by place; empty for a good one.

    `others` are the packs that its includes and pairs may name (pack id to pack); the shipped ones unless given.
    """
    reader, pack, problems = _read(data, name)
    if reader is None or pack is None:
        return problems
    known = {loaded.pack.id: loaded.pack for loaded in builtin_packs().values()} if others is None else dict(others)
    reader.check_references(pack, known)
    return sorted({*problems, *reader.problems})


@cache
def _shipped() -> tuple[str, ...]:
    folder = files("carnet_store.work") / "templates"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


@cache
def _builtin(pack_id: str) -> Loaded:
    # One file at a time: reading all of them costs a command a tenth of a second.
    raw = (files("carnet_store.work") / "templates" / f"{pack_id}.yaml").read_bytes()
    return Loaded(load_pack(raw, f"{pack_id}.yaml"), raw, hashlib.sha256(raw).hexdigest())


def builtin_packs() -> dict[str, Loaded]:
    """Return the shipped packs by id, gates first and of these the starters, each exactly as its file stands."""
    found = [_builtin(pack_id) for pack_id in _shipped()]
    found.sort(key=lambda one: (one.pack.kind != "gate", not one.pack.id.startswith("starter"), one.pack.id))
    return {loaded.pack.id: loaded for loaded in found}


def packs_for(gate_id: str, own: Mapping[str, Loaded] | None = None) -> tuple[Loaded, ...]:
    """Return a gate and every rubric that it may include, in the order in which a package lists them.

    `own` are packs of the store by id; they stand before shipped ones of the same id. Raises `Invalid` where the gate
    or one of its rubrics is in neither.
    """
    here = own or {}

    def find(pack_id: str) -> Loaded | None:
        return here.get(pack_id) or (_builtin(pack_id) if pack_id in _shipped() else None)

    gate = find(gate_id)
    if gate is None or gate.pack.kind != "gate":
        known = {**builtin_packs(), **here}
        gates = ", ".join(one.pack.id for one in known.values() if one.pack.kind == "gate")
        raise Invalid(f"there is no gate {gate_id!a}", f"The gates are: {gates}.")
    rubrics = {include.pack: find(include.pack) for include in gate.pack.includes}
    missing = [name for name, loaded in rubrics.items() if loaded is None]
    if missing:
        raise Invalid(f"{gate_id} includes {', '.join(missing)}, which is not here", "Add the missing pack.")
    return (gate, *(loaded for loaded in rubrics.values() if loaded is not None))


_SKELETON: Final = """\
# A gate of your own. Check it with: carnet template lint {id}.yaml
carnet: {format}
kind: gate
id: {id}
version: 0.1.0
title: {title}
summary: What crosses here, from whom to whom, and what the receiver must be able to do afterwards.
transition: {{from: research, to: engineering}}
roles: [researcher, ml_engineer, product_owner]
tiers:
  A: {{title: Critical, meaning: "Decisions about people, money above the agreed limit, safety, or legal duty"}}
  B: {{title: Standard, meaning: Degrades a product or process noticeably when wrong}}
  C: {{title: Experimental, meaning: "Small audience, reversible, no personal data"}}
facts:
  - {{id: data.personal, type: bool, question: Does the data hold anything about identifiable people?}}
signoffs:
  - {{role: researcher, meaning: authorship}}
  - {{role: ml_engineer, meaning: acceptance-of-responsibility, distinct_from: [researcher]}}
policy: {{sealed_package: true, open_blocking_questions: 0, override_days: 7}}
defaults: {{answers: researcher, verifies: ml_engineer, severity: major, na: reason, source: [OWN]}}
sections:
- id: framing
  title: Framing
  items:
  - id: own.{slug}.problem
    title: "The problem, and the decision that changes"
    type: text
    severity: blocker
    na: never
    help: "Who decides what, how often, with which output."
    why: A model that answers another question than the one asked passes every technical test.
  - id: own.{slug}.personal
    title: Right to use the personal data for this purpose
    type: confirm
    severity: blocker
    tiers: {{C: major}}
    evidence: [document, decision]
    when: data.personal
    help: Link the document that says so.
    why: The receiver will copy the data to more places than the giver did.
"""


def new_pack(pack_id: str) -> str:
    """Return the text of a small pack that passes `lint`, to begin one's own from. Raises `Invalid` for a bad id."""
    if not SLUG.fullmatch(pack_id) or len(pack_id) > 64:
        raise Invalid(f"{pack_id!a} cannot be a pack's id", "Use lower-case words joined by hyphens: my-team-gate.")
    if pack_id in _shipped():
        raise Invalid(f"{pack_id} is a shipped pack", "Choose another id; a changed copy needs one of its own.")
    title = pack_id.replace("-", " ").capitalize()
    return _SKELETON.format(id=pack_id, format=FORMAT, title=title, slug=pack_id.replace("-", "_"))
