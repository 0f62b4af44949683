"""A project as it stands: reading. Everything a screen or a command shows comes from here; writing is `acts`.

Nothing here keeps a read transaction open: each method reads and returns values.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from carnet_store.core.fold import Change
from carnet_store.domain import package
from carnet_store.domain.annotation import Thread, read_threads
from carnet_store.domain.decisions import DecisionView, QuestionView, read_decision, read_question
from carnet_store.domain.gate import GateStatus, Scene, gate_status
from carnet_store.domain.handoff import Answered, Handoff, PackRef, read_handoff
from carnet_store.domain.inbox import Apart
from carnet_store.domain.lineage import NODES, SAID, Node, read_node, standing
from carnet_store.domain.people import Members, People
from carnet_store.domain.recall import RecallView, live_recalls
from carnet_store.domain.template import Checklist, Pack, checklist
from carnet_store.errors import Invalid, NotFound, Usage
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.lookups import RecordLookups
from carnet_store.storage.objects import Objects
from carnet_store.storage.schema import INDEX_BITS
from carnet_store.storage.search import Hit, Progress, SearchIndex

if TYPE_CHECKING:
    from carnet_store.domain.completeness import Completeness
    from carnet_store.storage.citing import Citations
    from carnet_store.storage.completing import Report
    from carnet_store.storage.graph import Graph

_SHA256 = re.compile(rb'"([0-9a-f]{64})"')


class TemplateReader(Protocol):
    """Reads templates; given by the front door, because that is another room's work."""

    def __call__(self, raw: bytes, name: str) -> Pack:
        """Return the pack that `raw` is; `name` is for errors. Raises Invalid."""

    def shipped(self, pack_id: str, sha256: str = "") -> bytes | None:
        """Return the bytes of a template that came with this Carnet and has this digest (any, where it is empty)."""


@dataclass(frozen=True, slots=True)
class EntityRow:
    """An entity in a list, as the index has it; `t` and `last` in ms."""

    id: str
    kind: str
    name: str
    version: str
    t: int
    last: int

    @property
    def title(self) -> str:
        """`churn@7` for a version, else the name, else the start of the id."""
        if self.name:
            return f"{self.name}@{self.version}" if self.version else self.name
        return f"{self.kind} {self.id.partition(':')[2][:8]}"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A node with what it comes from and what uses it, one hop. `up` and `down` hold (relation, row)."""

    node: Node
    up: tuple[tuple[str, EntityRow], ...]
    down: tuple[tuple[str, EntityRow], ...]
    ups: int
    downs: int


@dataclass(frozen=True, slots=True)
class Look:
    """A handoff with all that is derived from it."""

    handoff: Handoff
    checklist: Checklist
    status: GateStatus
    model: EntityRow
    manifest: dict[str, Any] = field(compare=False)


class Project:
    """One ledger with its objects, open for reading. Open one per thread."""

    def __init__(self, ledger: Ledger, objects: Objects, read_pack: TemplateReader, clock: Callable[[], int]) -> None:
        """Read `ledger`; `clock` gives ms since 1970."""
        self.ledger = ledger
        self.objects = objects
        self.clock = clock
        self._read_pack = read_pack
        self._packs: dict[str, Pack] = {}
        self._asking: set[str] = set()
        self.searching = SearchIndex()

    # -- people --------------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The ledger id, 64 hex."""
        return self.ledger.id

    @property
    def name(self) -> str:
        """The project's name, from its genesis."""
        genesis = self.people.genesis
        return genesis.project if genesis else self.id[:8]

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self.ledger.path

    @property
    def people(self) -> People:
        """Who is who and whose acts count."""
        return self.ledger.projection.people

    def members(self) -> Members:
        """Return the roster in force."""
        return self.people.members()

    def person_name(self, person: str) -> str:
        """Return a person's name for a sentence."""
        return self.people.name(person) if person else "somebody unknown"

    def find_person(self, text: str) -> str:
        """Return the id of the person meant by a name, mail, or start of an id.

        Raises:
            NotFound: nobody. Usage: several; the message lists them.
        """
        people = self.members().people
        wanted = text.strip().casefold()
        exact = [p for p, r in people.items() if wanted in (r.name.casefold(), r.mail.casefold(), p)]
        found = exact or [p for p, r in people.items() if r.name.casefold().startswith(wanted) or p.startswith(wanted)]
        if not found:
            names = ", ".join(sorted(r.name for r in people.values())[:20])
            raise NotFound(f"nobody in this project is called {text!r}", f"members: {names}")
        if len(found) > 1:
            raise Usage(f"{text!r} may mean {', '.join(sorted(people[p].name for p in found))}", "write more of it")
        return found[0]

    def now(self) -> int:
        """Return the `now` of verdicts: max(clock, newest counted time not more than a day ahead), ms."""
        return self.ledger.newest_time(self.clock())

    # -- entities ------------------------------------------------------------------------------------------------------

    def changes(self, entity: str) -> list[Change]:
        """Return all changes of an entity, also those that do not count."""
        return self.ledger.projection.changes(entity)

    def node(self, entity: str) -> Node | None:
        """Return a lineage entity as it stands."""
        return read_node(entity, self.changes(entity))

    def row(self, entity: str) -> EntityRow:
        """Return an entity's row; one without a name where it is only referred to."""
        found = self.ledger.db.execute(
            "SELECT id, kind, name, version, t, last FROM entity WHERE id = ?", (entity,)
        ).fetchone()
        return EntityRow(*found) if found else EntityRow(entity, entity.partition(":")[0], "", "", 0, 0)

    def title(self, entity: str) -> str:
        """Return an entity's name for a sentence."""
        kind = entity.partition(":")[0]
        if kind == "decision":
            decision = self.decision(entity)
            return decision.decision.choice if decision else self.row(entity).title
        if kind == "question":
            question = self.question(entity)
            return question.question.text if question else self.row(entity).title
        if kind == "handoff":
            crossing = self.handoff(entity)
            return self.title(crossing.opened.model) if crossing else self.row(entity).title
        return self.row(entity).title

    def count(self, *kinds: str) -> int:
        """Return how many named entities of these kinds there are (all lineage kinds where none is given)."""
        where, values = self._kinds(kinds)
        return int(self.ledger.db.execute(f"SELECT count(*) FROM entity WHERE {where}", values).fetchone()[0])  # noqa: S608 (own words)

    def entities(self, *kinds: str, text: str = "", start: int = 0, limit: int = 256) -> list[EntityRow]:
        """Return entities newest first, a page at a time; `text` must occur in the name."""
        where, values = self._kinds(kinds)
        if text:
            where += " AND (name || '@' || version) LIKE ? ESCAPE '\\'"
            values = (*values, "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")
        rows = self.ledger.db.execute(
            f"SELECT id, kind, name, version, t, last FROM entity WHERE {where} ORDER BY t DESC, no DESC LIMIT ? OFFSET ?",  # noqa: S608 (own words)
            (*values, limit, start),
        )
        return [EntityRow(*row) for row in rows]

    def of_bytes(self, wanted: Collection[str], *kinds: str) -> dict[str, list[str]]:
        """Return the entities of these kinds by the SHA-256 of their bytes, as far as it is one of `wanted`; first declared first."""
        if not wanted:
            return {}
        few = list(wanted) if len(wanted) <= 8 else ['"sha256":"']
        rows = self.ledger.db.execute(
            "SELECT DISTINCT e.id, c.value FROM entity e JOIN change c ON c.entity = e.no WHERE c.live = 1"  # noqa: S608 (own words)
            f" AND e.kind IN ({', '.join('?' * len(kinds))}) AND ({' OR '.join(['instr(c.value, ?) > 0'] * len(few))}) ORDER BY e.no",
            (*kinds, *(one.encode() for one in few)),
        )
        found: dict[str, list[str]] = {}
        for entity, value in rows:
            if not any(one.decode() in wanted for one in _SHA256.findall(value)):
                continue
            node = self.node(entity)
            sha256 = node.digests.get("sha256", "") if node is not None else ""
            if sha256 in wanted and entity not in found.setdefault(sha256, []):
                found[sha256].append(entity)
        return found

    @staticmethod
    def _kinds(kinds: Sequence[str]) -> tuple[str, tuple[object, ...]]:
        if not kinds:
            return "name <> ''", ()
        return f"kind IN ({','.join('?' * len(kinds))})", tuple(kinds)

    def resolve(self, text: str, *kinds: str) -> str:
        """Return the entity meant by an id, the start of one, a code (`D-3`), a name, `name@version`, or a handoff's model.

        Raises:
            NotFound: nothing. Usage: several; the message lists them.
        """
        wanted = text.strip()
        exact = self.ledger.db.execute("SELECT id FROM entity WHERE id = ?", (wanted,)).fetchone()
        if exact and (not kinds or wanted.partition(":")[0] in kinds):
            return wanted
        letter, dash, number = wanted.upper().partition("-")
        coded = {"D": "decision", "Q": "question"}.get(letter, "") if dash and number.isdecimal() else ""
        if coded and (not kinds or coded in kinds):
            known = sorted((self.row(entity).t, entity) for entity in self._ids(coded))
            if 0 < int(number) <= len(known):
                return known[int(number) - 1][1]
        name, _, version = wanted.partition("@")
        where, values = self._kinds(kinds)
        rows = self.ledger.db.execute(
            f"SELECT id, kind, name, version, t, last FROM entity WHERE {where} AND ((name = ? AND (? = '' OR version = ?))"  # noqa: S608 (own words)
            " OR substr(id, instr(id, ':') + 1, ?) = ? OR substr(id, 1, ?) = ?) ORDER BY t DESC LIMIT 21",
            (*values, name, version, version, max(4, len(wanted)), wanted, max(6, len(wanted)), wanted),
        ).fetchall()
        found = [EntityRow(*row) for row in rows]
        if not found and (not kinds or "handoff" in kinds):
            found = [self.row(h) for h in self.handoff_ids() if self.title(self._model_of(h)) == wanted]
        if not found:
            what = " or ".join(kinds) if kinds else "entity"
            raise NotFound(f"there is no {what} {text!r}", "`carnet list` shows what there is")
        if len(found) > 1:
            lines = [f"{self.title(row.id)}  {row.id}" for row in found[:20]]
            raise Usage(f"{text!r} may mean {len(found)} things", "name one by its id", lines)
        return found[0].id

    def _model_of(self, handoff: str) -> str:
        found = self.handoff(handoff)
        return found.opened.model if found else ""

    def search(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 50, progress: Progress | None = None
    ) -> list[Hit]:
        """Return what holds a text, best first: names, parameters, attributes, decisions, talk, answers, notes.

        All words must occur; `"exact phrase"`, `begin*`; nothing else that is typed has a meaning. `kinds` are kinds of entity.

        Raises:
            Usage: nothing to look for, or too much.
        """
        return self.searching.search([self], text, kinds=kinds, limit=limit, progress=progress)

    def said_apart(self, only: Collection[str] | None = None) -> list[Apart]:
        """Return what people said apart of things of the lineage (of these alone) and nobody settled, the oldest first."""
        ledger = self.ledger
        if ledger.db.execute("SELECT count(*) FROM chain").fetchone()[0] < 2:
            return []
        entities = [one for one in only or () if one.partition(":")[0] in NODES]
        if only is None:
            rows = ledger.db.execute(
                "SELECT DISTINCT e.id FROM (SELECT entity FROM change WHERE kind IN (SELECT no FROM word WHERE text IN (?, ?)) AND live = 1"
                " AND counts = 0 GROUP BY entity, kind, field HAVING count(*) > 1) c JOIN entity e ON e.no = c.entity",
                SAID,
            )
            entities = [entity for (entity,) in rows]
        found = []
        for entity in entities:
            changes = ledger.projection.changes(entity, live_only=True)
            node = read_node(entity, changes)
            if node is None or not node.conflicts:
                continue
            sides = standing(c for c in changes if c.kind in SAID and (c.field or "criteria") in node.conflicts)
            persons = tuple(dict.fromkeys(c.person for c in sorted(sides, key=lambda c: (c.t, c.id))))
            found.append(Apart(entity, node.title, node.conflicts, persons, max(c.t for c in sides)))
        return sorted(found, key=lambda one: (one.t, one.entity))

    # -- lineage -------------------------------------------------------------------------------------------------------

    def neighbours(self, entity: str, limit: int = 200) -> Neighbours:
        """Return what a node comes from and what came of it, one hop, at most `limit` a side with the full counts.

        Raises:
            NotFound: there is no such node.
        """
        node = self.node(entity)
        if node is None:
            raise NotFound(f"there is no node {entity}")
        ups, downs = (self.graph.near(entity, up=up, limit=limit) for up in (True, False))
        return Neighbours(node, ups[0], downs[0], ups[1], downs[1])

    def walk(self, entity: str, *, up: bool, limit: int = 100_000) -> list[tuple[str, int]]:
        """Return (entity, hops) of everything a node comes from, or everything that came of it, nearest first."""
        no = self.graph.find(entity)
        levels = self.graph.levels([no], up=up, most=limit) if no is not None else []
        hops = {number: hop for hop, level in enumerate(levels) for number in level if hop}
        found = ((row.id, hop) for row, hop in zip(self.graph.rows(list(hops)), hops.values(), strict=True))
        return sorted(found, key=lambda one: (one[1], one[0]))[:limit]

    @functools.cached_property
    def graph(self) -> Graph:
        """The lineage as a graph: selections, closures, paths, impact, comparison."""
        from carnet_store.storage.graph import Graph

        return Graph(self)

    def completeness(self, entity: str) -> Completeness | None:
        """Return how complete the metadata of one thing is; None where it is not declared."""
        from carnet_store.storage.completing import completeness_of

        return completeness_of(self, entity)

    def completeness_report(
        self, kinds: Sequence[str] = (), progress: Callable[[int, int], None] | None = None
    ) -> Report:
        """Return how complete all datasets, features, models and evaluation runs are; see `completing.report`."""
        from carnet_store.storage.completing import report

        return report(self, kinds, progress)

    def provenance(self, entity: str) -> tuple[int, int]:
        """Return how many of the things that one comes from are complete, and how many there are."""
        from carnet_store.storage.completing import provenance

        return provenance(self, entity)

    def annotations(self, document: str) -> list[Thread]:
        """Return the annotated cells of a document and of all documents of its name: an edited notebook is another document."""
        name = self.row(document).name
        rows = self.ledger.db.execute(
            "SELECT id FROM entity WHERE kind = 'document' AND name = ? AND name <> ''", (name,)
        )
        threads = [
            t for one in sorted({document, *(row[0] for row in rows)}) for t in read_threads(one, self.changes(one))
        ]
        return sorted(threads, key=lambda thread: (thread.t, thread.id))

    def about(self, entity: str) -> tuple[list[DecisionView], list[QuestionView], list[str]]:
        """Return decisions, questions and handoffs that concern an entity."""
        decisions = [d for d in self.decisions() if entity in d.decision.about]
        questions = [q for q in self.questions() if entity in q.question.about]
        handoffs = [h.id for h in self.handoffs() if entity == h.opened.model or entity in h.entities]
        return decisions, questions, handoffs

    def cited(self, entity: str) -> Citations:
        """Return where a node, a decision or a question is cited: decisions, questions, answers of items."""
        from carnet_store.storage.citing import citations

        return citations(self, entity)

    # -- decisions and questions ---------------------------------------------------------------------------------------

    def decision(self, entity: str) -> DecisionView | None:
        """Return a decision as it stands."""
        return read_decision(entity, self.changes(entity))

    def question(self, entity: str) -> QuestionView | None:
        """Return a question as it stands."""
        return read_question(entity, self.changes(entity))

    def _ids(self, kind: str) -> list[str]:
        return [r[0] for r in self.ledger.db.execute("SELECT id FROM entity WHERE kind = ? ORDER BY t, no", (kind,))]

    def decisions(self) -> list[DecisionView]:
        """Return all decisions, newest first."""
        found = [self.decision(entity) for entity in self._ids("decision")]
        return sorted((d for d in found if d), key=lambda d: (-d.t, d.id))

    def questions(self) -> list[QuestionView]:
        """Return all questions, newest first."""
        found = [self.question(entity) for entity in self._ids("question")]
        return sorted((q for q in found if q), key=lambda q: (-q.t, q.id))

    def code(self, entity: str) -> str:
        """Return the short code of a decision (`D-3`) or question (`Q-2`): local display, never stored."""
        kind = entity.partition(":")[0]
        ids = [r[0] for r in self.ledger.db.execute("SELECT id FROM entity WHERE kind = ? ORDER BY t, id", (kind,))]
        return f"{kind[0].upper()}-{ids.index(entity) + 1}" if entity in ids else entity[:16]

    # -- handoffs ------------------------------------------------------------------------------------------------------

    def handoff_ids(self) -> list[str]:
        """Return the ids of all handoffs, oldest first."""
        return self._ids("handoff")

    def handoff(self, entity: str) -> Handoff | None:
        """Return a handoff's record."""
        return read_handoff(entity, self.changes(entity))

    def handoffs(self) -> list[Handoff]:
        """Return all handoffs, newest first."""
        found = [self.handoff(entity) for entity in self.handoff_ids()]
        return sorted((h for h in found if h), key=lambda h: (-h.change.t, h.id))

    def earlier_answer(self, handoff: Handoff, item_id: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return what the newest other version of this model line said to an item, with that version's name (R017)."""
        line = self.row(handoff.opened.model).name
        for other in self.handoffs():
            model = self.row(other.opened.model)
            if other.opened.model == handoff.opened.model or model.name != line:
                continue
            answer = other.answer(item_id)
            value = answer.value.answer if answer is not None and isinstance(answer.value, Answered) else None
            if value is not None and value.get("state") == "given":
                return model.title, value
        return None

    def handoff_name(self, handoff: Handoff) -> str:
        """Return what a person types for a handoff: `churn@7`, with `/<gate>` where that model version has several."""
        title = self.title(handoff.opened.model)
        several = sum(other.opened.model == handoff.opened.model for other in self.handoffs()) > 1
        return f"{title}/{handoff.gate.id}" if several else title

    def pack(self, ref: PackRef) -> Pack:
        """Return the template that a handoff names, from its raw bytes.

        Raises:
            NotFound: its bytes are not here. Invalid: they are not a pack.
        """
        if ref.sha256 not in self._packs:
            raw = None if self.objects.has(ref.sha256) else self._read_pack.shipped(ref.id, ref.sha256)
            found = self._read_pack(raw or self.objects.get(ref.sha256), f"{ref.id}@{ref.version}")
            if (found.id, found.version) != (ref.id, ref.version):
                raise Invalid(f"the template {ref.id}@{ref.version} names itself {found.id}@{found.version}")
            self._packs[ref.sha256] = found
        return self._packs[ref.sha256]

    def is_modified_pack(self, pack_id: str, sha256: str) -> bool:
        """Say whether a template bears the name of a shipped one and is another: shown, never silent."""
        return self._read_pack.shipped(pack_id) is not None and self._read_pack.shipped(pack_id, sha256) is None

    def checklist(self, handoff: Handoff) -> Checklist:
        """Return the items that a handoff asks, for its tier and facts."""
        return checklist([self.pack(ref) for ref in handoff.packs], handoff.tier, handoff.facts)

    def look(self, entity: str) -> Look:
        """Return a handoff with its checklist, verdict and package as the record stands now.

        Raises:
            NotFound: there is no such handoff, or its template's bytes are not here.
        """
        handoff = self.handoff(entity)
        if handoff is None:
            raise NotFound(f"there is no handoff {entity}")
        asked = self.checklist(handoff)
        manifest = self.manifest(handoff, max(1, handoff.round))
        seal = handoff.seal
        sealed = handoff.manifest(seal) if seal else {}
        questions = [
            q for q in self.questions() if entity in q.question.about or handoff.opened.model in q.question.about
        ]
        names = {p: r.name for p, r in self.members().people.items()}
        scene = Scene(
            checklist=asked,
            members=self.members(),
            lookups=RecordLookups(self, handoff, questions, seal, manifest),
            now=self.now(),
            parts=package.parts(manifest),
            package=package.digest(sealed) if sealed else "",
            sealed_parts=package.parts(sealed) if sealed else {},
            template=package.template_digest(handoff),
            questions=questions,
            passed=self._passed_gates(handoff, asked.policy.requires_gate),
            waiting=self.waits_for(),
            recalled=self._recalled(handoff),
            repacked=bool(sealed)
            and any(sealed.get(part) != manifest.get(part) for part in ("template", "tier", "facts")),
            names=names,
        )
        return Look(handoff, asked, gate_status(handoff, scene), self.row(handoff.opened.model), manifest)

    def lookups(self, look: Look) -> RecordLookups:
        """Return what reading and judging answers to this handoff asks of the record."""
        return RecordLookups(self, look.handoff, look.status.questions, look.handoff.seal, look.manifest)

    def put_file(self, path: Path) -> dict[str, object]:
        """Keep a file's bytes as an object; return the file as answers name it: path, sha256, size."""
        digest, size = self.objects.put_file(path)
        return {"path": path.name, "sha256": digest, "size": size}

    def waits_for(self) -> tuple[str, ...]:
        """Return in words whose events wait for others that are not here."""
        found = []
        for chain, seq in self.ledger.waiting():
            name = self.person_name(self.people.person_of(chain))
            found.append(f"what {name} had seen before event {seq} of chain {chain[:8]}: ask for a newer bundle")
        return tuple(found)

    def manifest(self, handoff: Handoff, round_: int) -> dict[str, Any]:
        """Return the package manifest as the record stands now: what is linked, and its direct inputs."""
        ids = {handoff.opened.model, *handoff.entities}
        for entity in sorted(ids):
            node = self.node(entity)
            if node is not None:
                ids.update(edge.dst for edge in node.edges)
        ids.update(row.id for _, row in self._makers(handoff.opened.model))
        for run in [i for i in sorted(ids) if i.startswith("run:")]:
            node = self.node(run)
            if node is not None:
                ids.update(edge.dst for edge in node.edges if edge.relation != "made")
        nodes = [node for node in (self.node(i) for i in sorted(ids)) if node is not None]
        return package.manifest(self.id, handoff, nodes, self.criteria_of(handoff), round_)

    def _makers(self, entity: str) -> list[tuple[str, EntityRow]]:
        rows = self.ledger.db.execute(
            "SELECT w.text, s.id, s.kind, s.name, s.version, s.t, s.last FROM edge g JOIN entity e ON e.no = g.dst"
            " JOIN entity s ON s.no = g.src JOIN word w ON w.no = g.rel WHERE e.id = ? AND w.text = 'made'",
            (entity,),
        )
        return [(row[0], EntityRow(*row[1:])) for row in rows]

    def criteria_of(self, handoff: Handoff) -> Node | None:
        """Return the model line's criteria: those the handoff names, or the newest of the model's name."""
        if handoff.opened.criteria:
            return self.node(handoff.opened.criteria)
        linked = [e for e in handoff.entities if e.startswith("criteria:")]
        if linked:
            return self.node(linked[-1])
        rows = self.entities("criteria", text=self.row(handoff.opened.model).name, limit=1)
        return self.node(rows[0].id) if rows else None

    def criteria_called(self, model_name: str) -> str:
        """Return the criteria of the model line of this name, the newest; empty where none were set."""
        held = [row.id for row in self.entities("criteria", text=model_name) if row.name == model_name]
        return held[0] if held else ""

    def _passed_gates(self, handoff: Handoff, wanted: Sequence[str]) -> frozenset[str]:
        """Return a gate among these that the same model version passed: one is enough, none where there is none.

        A gate that is being asked for already counts for none. Gates are tried in the order of `wanted`: judging one costs its templates.
        """
        self._asking.add(handoff.id)
        try:
            same = [h for h in self.handoffs() if h.opened.model == handoff.opened.model] if wanted else []
            for gate in wanted:
                for other in same:
                    if other.gate.id != gate or other.id in self._asking:
                        continue
                    if self.look(other.id).status.verdict in ("passed", "overridden"):
                        return frozenset((gate,))
        finally:
            self._asking.discard(handoff.id)
        return frozenset()

    def stage(self, model: str) -> str:
        """Return where a model version stands: the `to` stage of the last gate it passed, else research (R098)."""
        stage = "research"
        for handoff in reversed(self.handoffs()):
            if handoff.opened.model == model and self.look(handoff.id).status.verdict == "passed":
                stage = handoff.opened.to_stage or stage
        return stage

    # -- recall --------------------------------------------------------------------------------------------------------

    def recalls(self) -> list[RecallView]:
        """Return the recalls that stand, oldest first."""
        return live_recalls(
            self.ledger.projection.select("WHERE c.id IN (SELECT change FROM recall) AND c.live = 1 AND c.counts = 0")
        )

    def taints(self, entity: str) -> list[RecallView]:
        """Return the recalls that stand of a node and of everything it came from."""
        standing = self.recalls()
        if not standing:
            return []
        above = {entity, *(found for found, _ in self.walk(entity, up=True))}
        return [one for one in standing if one.entity in above]

    def crossings_of(self, entity: str) -> list[Handoff]:
        """Return the handoffs, not abandoned, of model versions that are this node or came of it, or with which it crosses."""
        below = {entity, *(found for found, _ in self.walk(entity, up=False))}
        return [
            one
            for one in self.handoffs()
            if one.abandoned is None and (one.opened.model in below or below & set(one.entities))
        ]

    def _recalled(self, handoff: Handoff) -> tuple[str, ...]:
        standing = self.recalls()
        if not standing:
            return ()
        crossing = [handoff.opened.model, *handoff.entities]
        above = {*crossing, *(found for one in crossing for found, _ in self.walk(one, up=True))}
        return tuple(
            f"{one.entity.partition(':')[0]} {self.title(one.entity)} was recalled by {self.person_name(one.person)}: {one.reason}"
            for one in standing
            if one.entity in above
        )

    # -- history -------------------------------------------------------------------------------------------------------

    def history(self, entity: str = "", *, start: int = 0, limit: int = 256) -> list[Change]:
        """Return changes newest first (claimed time, then place), of one entity or of all."""
        order = "ORDER BY v.t DESC, c.id DESC LIMIT ? OFFSET ?"
        where = "WHERE e.id = ? " if entity else ""
        values = ((entity,) if entity else ()) + (limit, start)
        return list(self.ledger.projection.select(where + order, values))

    def history_order(self, entity: str = "") -> list[int]:
        """Return the local numbers of all changes (of one entity or of all) in the order of `history`.

        A long list is sorted once (90 ms for 100,000 changes); its pages are then read by `changes_at`.
        """
        where = "WHERE c.entity = (SELECT no FROM entity WHERE id = ?) " if entity else ""
        rows = self.ledger.db.execute(
            f"SELECT c.id FROM change c JOIN event v ON v.id = c.id >> {INDEX_BITS} {where}ORDER BY v.t DESC, c.id DESC",  # noqa: S608 (own words)
            (entity,) if entity else (),
        )
        return [int(row[0]) for row in rows]

    def changes_at(self, numbers: Sequence[int]) -> list[Change]:
        """Return the changes of these local numbers, in the order of `history`."""
        where = "WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY v.t DESC, c.id DESC"
        return list(self.ledger.projection.select(where, (json.dumps(list(numbers)),)))

    def change_place(self, change: str, order: Sequence[int]) -> int | None:
        """Return where a change id stands in an order, None where it does not."""
        number = self.ledger.projection.change_number(change) if _is_change_id(change) else None
        return order.index(number) if number is not None and number in order else None

    def count_changes(self, entity: str = "") -> int:
        """Return how many changes there are, of one entity or of all."""
        where = "WHERE entity = (SELECT no FROM entity WHERE id = ?)" if entity else ""
        row = self.ledger.db.execute(f"SELECT count(*) FROM change {where}", (entity,) if entity else ())  # noqa: S608 (own words)
        return int(row.fetchone()[0])

    def uncounted(self) -> Iterator[Change]:
        """Yield the changes that do not count, with their reason."""
        return self.ledger.projection.select("WHERE c.counts <> 0 ORDER BY c.id LIMIT 1000")


def _is_change_id(text: str) -> bool:
    head, _, index = text.partition(".")
    return len(head) == 64 and set(head) <= set("0123456789abcdef") and (not index or index.isdecimal())
