"""Fill the rows of README.html and of the RO-Crate from a ledger. Lists are bounded and sorted by what every store has alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from carnet_store.core import canonical, keys
from carnet_store.core.fold import Change
from carnet_store.domain.decisions import read_decision, read_question
from carnet_store.domain.handoff import Answered, Finding, Handoff, Verified, Waiver, read_handoff
from carnet_store.domain.lineage import NODES, WORDS, Node, read_node
from carnet_store.exchange.attestation import Attestation
from carnet_store.exchange.manifest import ObjectRow, Segment
from carnet_store.exchange.plan import Judge, title_of
from carnet_store.exchange.readme import (
    AnswerRow,
    DecisionRow,
    HandoffStory,
    ItemRow,
    NodeRow,
    PersonRow,
    SignRow,
    Story,
    utc,
)
from carnet_store.storage.ledger import Ledger

MOST_HANDOFFS: Final = 50
MOST_ITEMS: Final = 300
MOST_DECISIONS: Final = 100
MOST_OF_A_KIND: Final = 60
MOST_EDGES: Final = 12
MOST_OBJECTS: Final = 200


def tell(
    ledger: Ledger,
    segments: Sequence[Segment],
    objects: Sequence[ObjectRow],
    missing: Sequence[ObjectRow],
    signed: Sequence[Attestation],
    nodes: Sequence[Node],
    node_count: int,
    *,
    base: Mapping[str, str],
    exporter: str,
    judge: Judge | None,
) -> Story:
    """Return what README.html tells of a ledger and of the bundle that is being written."""
    people = ledger.projection.people
    members = people.members()
    genesis = people.genesis
    founder = bytes.fromhex(genesis.founder) if genesis else b""
    verdicts = judge(ledger) if judge else {}
    handoffs = _entities(ledger, "handoff")
    decisions = [v for e in _entities(ledger, "decision") if (v := read_decision(e, _live(ledger, e)))]
    questions = [q for e in _entities(ledger, "question") if (q := read_question(e, _live(ledger, e)))]
    unsettled = [q for q in questions if q.state != "closed"]
    return Story(
        project=genesis.project if genesis else "",
        ledger=ledger.id,
        founder=people.name(keys.person_id(founder)) if genesis else "",
        fingerprint=keys.fingerprint(founder) if genesis else "",
        exporter=people.name(people.person_of(exporter)),
        t=max((head.t for head in ledger.heads()), default=0),
        events=sum(segment.count for segment in segments),
        increment=bool(base),
        people=tuple(
            PersonRow(row.name, row.team, row.roles, row.status, keys.fingerprint(bytes.fromhex(row.keys[0])))
            for _, row in sorted(members.people.items(), key=lambda pair: (pair[1].name, pair[0]))
        ),
        handoffs=tuple(
            sorted(
                (
                    _handoff(ledger, found, verdicts.get(entity, ""), signed)
                    for entity in handoffs[:MOST_HANDOFFS]
                    if (found := read_handoff(entity, ledger.projection.changes(entity)))
                ),
                key=lambda h: (-h.t, h.id),
            )
        ),
        handoff_count=len(handoffs),
        decisions=tuple(
            DecisionRow(
                v.decision.question,
                v.decision.choice,
                v.decision.reason,
                v.decision.outcome,
                people.name(v.person),
                v.t,
            )
            for v in sorted(decisions, key=lambda v: (-v.t, v.id))[:MOST_DECISIONS]
        ),
        decision_count=len(decisions),
        questions=tuple(
            f"{v.question.text} ({'blocking, ' if v.question.blocking else ''}asked by {people.name(v.person)}, {utc(v.t)})"
            for v in sorted(unsettled, key=lambda v: (-v.t, v.id))[:MOST_DECISIONS]
        ),
        question_count=len(unsettled),
        nodes=tuple(_node(ledger, node) for node in nodes),
        node_count=node_count,
        chains=tuple((people.name(people.person_of(s.key)), s.chain, s.head) for s in segments),
        objects=tuple((row.sha256, row.size) for row in objects[:MOST_OBJECTS]),
        object_count=len(objects),
        missing_count=len(missing),
    )


def read_nodes(ledger: Ledger) -> tuple[list[Node], int]:
    """Return the entities of the lineage, the newest of each kind, and how many there are in all."""
    found: list[Node] = []
    total = 0
    for kind in NODES:
        total += int(
            ledger.db.execute("SELECT count(*) FROM entity WHERE kind = ? AND name <> ''", (kind,)).fetchone()[0]
        )
        rows = ledger.db.execute(
            "SELECT id FROM entity WHERE kind = ? AND name <> '' ORDER BY t DESC, id LIMIT ?",
            (kind, MOST_OF_A_KIND),
        ).fetchall()
        found += [node for (entity,) in rows if (node := read_node(entity, _live(ledger, entity)))]
    return found, total


def answer_text(answer: Mapping[str, Any]) -> str:
    """Return an answer in words, from its stored form (domain/answer.py)."""
    state = str(answer.get("state", ""))
    parts = {
        "na": lambda: f"not applicable: {answer.get('reason', '')}",
        "unknown": lambda: f"not known {answer.get('note', '')}".strip(),
    }
    if state in parts:
        return parts[state]()
    said = [state] if state in ("yes", "no") else []
    if "text" in answer:
        said.append(str(answer["text"]))
    if isinstance(answer.get("choice"), list):
        said.append(", ".join(map(str, answer["choice"])))
    for key in ("metric", "literal"):
        if isinstance(answer.get(key), dict):
            number = answer[key]
            said.append(" ".join(str(number[k]) for k in ("name", "value", "unit") if number.get(k)))
    if isinstance(answer.get("files"), list):
        said += [f"file {one.get('path', '')}" for one in answer["files"] if isinstance(one, dict)]
    if isinstance(answer.get("result"), dict):
        said.append(f"{answer['result'].get('command', '')} → exit code {answer['result'].get('exit_code', '')}")
    if isinstance(answer.get("rows"), list):
        said.append(f"a table of {len(answer['rows'])} rows")
    if isinstance(answer.get("links"), list):
        said.append(f"{len(answer['links'])} linked")
    if answer.get("note"):
        said.append(f"({answer['note']})")
    return "; ".join(said) or state


def _entities(ledger: Ledger, kind: str) -> list[str]:
    return [row[0] for row in ledger.db.execute("SELECT id FROM entity WHERE kind = ? ORDER BY t DESC, id", (kind,))]


def _live(ledger: Ledger, entity: str) -> list[Change]:
    return ledger.projection.changes(entity, live_only=True)


def _handoff(ledger: Ledger, found: Handoff, verdict: str, signed: Sequence[Attestation]) -> HandoffStory:
    people = ledger.projection.people
    seal = found.seal
    items = sorted({*found.answers, *found.findings, *found.waivers})
    signs = [one for one in signed if one.change.entity == found.id]
    waiting = [
        f"conflict in {item}: {len(found.answers[item])} answers stand" for item in items if found.in_conflict(item)
    ]
    waiting += [
        f"{item}: {'no' if answer.value.answer.get('state') == 'no' else 'not known'}"
        for item in items
        if (answer := found.answer(item))
        and isinstance(answer.value, Answered)
        and answer.value.answer.get("state") in ("no", "unknown")
    ]
    waiting += [f"finding on {item}" for item in items if found.findings.get(item)]
    waiting += [f"{text}" for text in found.disputes]
    return HandoffStory(
        id=found.id,
        model=title_of(ledger, found.opened.model),
        from_stage=found.opened.from_stage,
        to_stage=found.opened.to_stage,
        tier=found.tier,
        name=people.name(found.change.person),
        t=found.change.t,
        round=found.round,
        package=_package(signs, seal),
        verdict=verdict,
        items=tuple(_item(ledger, found, item) for item in items[:MOST_ITEMS]),
        signed=tuple(
            SignRow(
                people.name(one.change.person), one.predicate.role, one.predicate.meaning, one.predicate.decision,
                one.predicate.reason, one.change.t, one.predicate.package, one.change.live, one.path,
            )
            for one in sorted(signs, key=lambda one: (one.change.t, one.change.id))
        ),
        open=tuple(waiting[:MOST_ITEMS]),
    )  # fmt: skip


def _package(signed: Sequence[Attestation], seal: Change | None) -> str:
    if seal is not None:
        return canonical.sha256_hex(canonical.encode(Handoff.manifest(seal)))
    return signed[-1].predicate.package if signed else ""


def _item(ledger: Ledger, found: Handoff, item: str) -> ItemRow:
    people = ledger.projection.people
    rows = []
    for change in found.answers.get(item, ()):
        if isinstance(change.value, Answered):
            verified = tuple(
                f"{people.name(v.person)} {'agrees' if v.value.agree else 'disagrees: ' + v.value.reason}"
                for v in found.verifications.get(item, ())
                if isinstance(v.value, Verified) and v.value.answer == change.id
            )
            text = answer_text(change.value.answer)
            rows.append(AnswerRow(text, people.name(change.person), change.value.role, change.t, verified))
    return ItemRow(
        item,
        tuple(rows),
        tuple(
            f"{c.value.text} ({c.value.severity})" for c in found.findings.get(item, ()) if isinstance(c.value, Finding)
        ),
        tuple(
            f"{c.value.reason} ({people.name(c.person)}, until {utc(c.value.expires)})"
            for c in found.waivers.get(item, ())
            if isinstance(c.value, Waiver)
        ),
    )


def _node(ledger: Ledger, node: Node) -> NodeRow:
    edges = [f"{WORDS.get(e.relation, e.relation)} {title_of(ledger, e.dst)}" for e in node.edges[:MOST_EDGES]]
    if len(node.edges) > MOST_EDGES:
        edges.append(f"and {len(node.edges) - MOST_EDGES:,} more")
    digests = tuple(f"{name}:{value}" for name, value in sorted(node.digests.items()))
    return NodeRow(
        node.id, node.kind, node.title, ledger.projection.people.name(node.person), node.t, digests, tuple(edges)
    )
