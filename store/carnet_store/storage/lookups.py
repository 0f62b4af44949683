"""What judging answers asks of a project's record: criteria, metrics, entities, objects, and the product's own checks."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from carnet_store.core.fold import Change
from carnet_store.domain import package
from carnet_store.domain.answer import Criterion, EntityView, Verdict
from carnet_store.domain.decisions import QuestionView
from carnet_store.domain.handoff import Handoff
from carnet_store.domain.lineage import CriteriaSet, Declared, source_time
from carnet_store.errors import NotFound, Usage
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from carnet_store.storage.project import Project


@dataclass(frozen=True, slots=True)
class RecordLookups:
    """What judging answers asks of the record (`domain.answer.Lookups`)."""

    project: Project
    handoff: Handoff
    questions: Sequence[QuestionView]
    seal: Change | None
    manifest: dict[str, Any]

    def criterion(self, criterion_id: str) -> Criterion | None:
        """Return the live criterion of that slug; None also where two are in conflict."""
        node = self.project.criteria_of(self.handoff)
        if node is None or "criteria" in node.conflicts:
            return None
        for row in node.criteria:
            if row.id == criterion_id:
                try:
                    value = Decimal(row.value)
                except InvalidOperation:
                    return None
                return Criterion(row.id, row.metric, row.name, row.op, value, row.unit, row.split, row.slice)
        return None

    def metric(self, run: str, name: str) -> str | None:
        """Return a run's metric as recorded."""
        node = self.project.node(run)
        found = node.metric(name) if node else None
        return found.value if found else None

    def entity(self, entity_id: str) -> EntityView | None:
        """Return an entity's kind, name and attributes."""
        kind = entity_id.partition(":")[0]
        if kind == "decision":
            view = self.project.decision(entity_id)
            if view is None:
                return None
            d = view.decision
            attrs: dict[str, object] = {
                "question": d.question,
                "choice": d.choice,
                "reason": d.reason,
                "options": [o.title for o in d.options],
                "constraints": list(d.constraints),
                "decider": [self.project.person_name(p) for p in d.deciders],
            }
            return EntityView(kind, d.choice, attrs)
        if kind == "question":
            asked = self.project.question(entity_id)
            return EntityView(kind, asked.question.text, {"state": asked.state}) if asked else None
        node = self.project.node(entity_id)
        if node is None:
            return None
        more: dict[str, object] = {"digest": dict(node.digests)} if node.digests else {}
        if kind == "criteria":
            more["rows"] = [row.id for row in node.criteria]
        return EntityView(kind, node.title, {**node.attrs, **more})

    def set_late(self, criterion_id: str, run: str, name: str) -> str:
        """Tell whether a criterion, as it stands, was first set after a run's metric was recorded: `record`, `clocks`, or empty."""
        node = self.project.criteria_of(self.handoff)
        row = next((one for one in node.criteria if one.id == criterion_id), None) if node else None
        if node is None or row is None:
            return ""
        told = self.metric(run, name)
        sets = [c for c in self.project.changes(node.id) if isinstance(c.value, CriteriaSet) and row in c.value.rows]
        results = [
            (c, c.value) for c in self.project.changes(run)
            if isinstance(c.value, Declared) and any(m.name == name and m.value == told for m in c.value.metrics)
        ]  # fmt: skip
        if not results:
            return ""
        saw = self.project.ledger.projection.saw
        early = [c for c in sets if not any(saw(c.id, result.id) for result, _ in results)]
        if not early:
            return "record"
        at = min(source_time(said.attrs, said.at) or result.t for result, said in results)
        return "clocks" if all(c.t > at for c in early) else ""

    def has_object(self, sha256: str) -> bool:
        """Say whether bytes are held here and match."""
        return _object_checks(self.project.objects, sha256, self.project.objects.size(sha256))

    def builtin(self, name: str) -> Verdict | None:
        """Judge one of the product's own checks; None where this release does not compute it."""
        check = {
            "package_verify": self._package_verify,
            "lineage_complete": self._lineage_complete,
            "questions_closed": self._questions_closed,
            "code_snapshot": self._code_snapshot,
            "notebooks_run": self._notebooks_run,
        }.get(name)
        return check() if check else None

    def resolve(self, text: str) -> str | None:
        """Return the entity that a person's short form names."""
        try:
            return self.project.resolve(text)
        except (NotFound, Usage):
            return None

    def _package_verify(self) -> Verdict:
        if self.seal is None:
            return Verdict("unclear", ("the package is not sealed",))
        sealed = self.handoff.manifest(self.seal)
        gone = [f["path"] for f in sealed.get("files", []) if not self.has_object(f["sha256"])]
        if gone:
            return Verdict("fails", tuple(f"{path} is not here or was altered" for path in gone[:20]))
        if package.parts(sealed) != package.parts(self.manifest):
            rows = package.difference(sealed, self.manifest)
            words = [f"{sign} {self.project.title(what) if ':' in what else what}" for sign, what, _ in rows[:20]]
            return Verdict("fails", (f"changed since it was sealed: {', '.join(words)}",))
        return Verdict("holds", ("every digest of the sealed package holds",))

    def _lineage_complete(self) -> Verdict:
        """Judge the lineage of the model version; after each reason stands what to type."""
        from carnet_store.domain.completeness import gaps_of_datasets
        from carnet_store.storage.completing import what_to_type

        model = self.handoff.opened.model
        title = self.project.title(model)
        ups = [entity for entity, _ in self.project.walk(model, up=True)]
        nodes = [n for n in (self.project.node(e) for e in [model, *ups]) if n is not None]
        datasets = [n for n in nodes if n.kind == "dataset"]
        runs = [n for n in nodes if n.kind == "run"]
        if not runs:
            return Verdict(
                "fails", (f"no run is known to have made {title}", f"carnet link RUN made {shlex.quote(title)}")
            )
        if not datasets:
            next_ = f"carnet link {shlex.quote(runs[0].title)} used DATASET"
            return Verdict("fails", ("no dataset is known to have gone into it", next_))
        lacking: list[str] = []
        derived = {edge.dst for run in runs for edge in run.edges if edge.relation == "made"}
        for node, gone in gaps_of_datasets([one for one in datasets if one.id not in derived]):
            lacking += [f"{node.title}: {', '.join(one.field for one in gone)} missing", what_to_type(node, gone)]
        known = {n.id for n in nodes}
        for unknown in (entity for entity in ups if entity not in known):
            by = ", ".join(sorted({n.title for n in nodes for edge in n.edges if edge.dst == unknown})[:3])
            lacking.append(f"{unknown} is referred to and not declared")
            lacking.append(f"{f'{by} names it: ' if by else ''}take in a bundle that declares it, or retract the link")
        if lacking:
            return Verdict("fails", tuple(lacking[:40]))
        return Verdict("holds", (f"{len(datasets)} datasets, each with source, owner and digest",))

    def _code_snapshot(self) -> Verdict:
        from carnet_store.storage.surroundings import code_snapshot

        return code_snapshot(self.project, self.handoff.opened.model)

    def _notebooks_run(self) -> Verdict:
        from carnet_store.storage.surroundings import notebooks_run

        return notebooks_run(self.project, self.handoff.opened.model, self.handoff.entities)

    def _questions_closed(self) -> Verdict:
        still = [q for q in self.questions if q.state != "closed"]
        blocking = [q for q in still if q.question.blocking]
        loose = [q for q in still if not q.question.blocking and not q.question.due]
        if blocking:
            return Verdict("fails", tuple(f"blocking: {q.question.text[:60]}" for q in blocking[:20]))
        if loose:
            return Verdict("fails", tuple(f"open without a date: {q.question.text[:60]}" for q in loose[:20]))
        return Verdict("holds", ("no open question is in the way",))


@functools.lru_cache(maxsize=4096)
def _object_checks(objects: Objects, sha256: str, size: int) -> bool:
    """Check an object's bytes once per process and size."""
    return size >= 0 and objects.check(sha256)
