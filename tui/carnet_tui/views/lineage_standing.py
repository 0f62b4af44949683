"""What stands about nodes beside their own facts: recalls and what they taint, gates, sign-offs, failed checks, decisions, questions.

Read once for a project, on the store's thread; then every view asks it by id or local number, which costs nothing. Texts are cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from carnet_store.errors import CarnetError
from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import LOUD
from carnet_tui.text import clean
from carnet_tui.views import words
from carnet_tui.views.fields import one_line

if TYPE_CHECKING:
    from carnet_store import Focus, Fold, Graph, Project
    from carnet_tui.views.lineage_asked import Around

JUDGED_AT_MOST: Final = 200
"""Handoffs whose verdict is read, the newest; that older ones were not is said."""
ENDED: Final = frozenset({"passed", "overridden", "abandoned"})
"""Verdicts of gates that nobody has to look at any more."""
NOT_JUDGED: Final = "cannot be judged here"
FAILED: Final = "attr.outcome:failed status:failed"
KEPT_AT_MOST: Final = 60


@dataclass(frozen=True, slots=True)
class Recalled:
    """A recall that stands: of what, by whom, when (ms), why."""

    entity: str
    kind: str
    title: str
    by: str
    t: int
    reason: str


@dataclass(frozen=True, slots=True)
class Crossed:
    """A handoff that a node belongs to: its model, crossing and verdict; who signed, in which role, and whether that is still fresh.

    `template` is the title of what it asks, empty where that is not here; `t` is when it was opened (ms).
    """

    handoff: str
    model: str
    title: str
    crossing: str
    verdict: str
    signed: tuple[tuple[str, str, bool], ...] = ()
    recalled: bool = False
    template: str = ""
    t: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands about the nodes of a project.

    Attributes:
        recalls: the recalls that stand, oldest first.
        tainted: local number -> bits, bit n for recall n, for all that came of something recalled.
        failed: local numbers of checks and runs that failed.
        crossed: node -> the handoffs it belongs to, newest first.
        decisions: node -> (code, choice).
        questions: node -> (code, state, text).
        not_judged: how many older handoffs were not looked at.
        loud: local numbers of what no view folds away: an open gate, a stale sign-off, a failed check, a recall.
    """

    recalls: tuple[Recalled, ...] = ()
    tainted: Mapping[int, int] = field(default_factory=dict)
    failed: frozenset[int] = frozenset()
    crossed: Mapping[str, Sequence[Crossed]] = field(default_factory=dict)
    decisions: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    questions: Mapping[str, Sequence[tuple[str, str, str]]] = field(default_factory=dict)
    not_judged: int = 0
    loud: frozenset[int] = frozenset()

    def states(self, entity: str, no: int | None) -> tuple[str, ...]:
        """Return what is up with a node, as names of `glyphs.STATES`, the gravest first."""
        found = ["recalled"] if any(one.entity == entity for one in self.recalls) else []
        found += ["tainted"] if no in self.tainted else []
        found += ["failed"] if no in self.failed else []
        crossed = [
            one for one in self.crossed.get(entity, ()) if one.model == entity
        ]  # what goes along has no gate of its own
        if any(not fresh for one in crossed for _, _, fresh in one.signed):
            found.append("stale")
        found += ["gate"] if any(one.verdict not in ENDED for one in crossed) else []
        return tuple(found)

    def taints(self, no: int | None) -> list[Recalled]:
        """Return the recalls of what a node came from."""
        bits = self.tainted.get(no, 0) if no is not None else 0
        return [one for at, one in enumerate(self.recalls) if bits >> at & 1]

    def recall_of(self, entity: str) -> Recalled | None:
        """Return the newest recall of a node itself."""
        return next((one for one in reversed(self.recalls) if one.entity == entity), None)


NOTHING: Final = Standing()


def names_of(crossed: Sequence[Crossed], entity: str) -> list[str]:
    """Return what to call the handoffs that a node belongs to: by model and crossing; where that is several, by what they ask, else by when they were opened."""
    whose = ["" if one.model == entity else f"{one.title}, " for one in crossed]
    names = [f"{title}{one.crossing}" for title, one in zip(whose, crossed, strict=True)]
    asks = [f"{title}{one.template or one.crossing}" for title, one in zip(whose, crossed, strict=True)]
    names = [ask if names.count(name) > 1 else name for name, ask in zip(names, asks, strict=True)]
    return [
        f"{name}, opened {words.minute(one.t)}" if names.count(name) > 1 else name
        for name, one in zip(names, crossed, strict=True)
    ]


def mark(states: Sequence[str], glyphs: Glyphs) -> tuple[str, str, str]:
    """Return (sign, word, style) of what is up with a node, the gravest of it; empty texts where nothing is."""
    return glyphs.state(states[0]) if states else ("", "", "")


def read(project: Project) -> Standing:
    """Read what stands about the nodes of a project."""
    recalls, tainted = read_recalls(project)
    graph = project.graph
    failed = frozenset(graph.select(FAILED))
    crossed, not_judged = _crossed(project)
    decisions: dict[str, list[tuple[str, str]]] = {}
    questions: dict[str, list[tuple[str, str, str]]] = {}
    for d in project.decisions():
        for entity in d.decision.about:
            decisions.setdefault(entity, []).append((project.code(d.id), one_line(d.decision.choice)))
    for q in project.questions():
        for entity in q.question.about:
            questions.setdefault(entity, []).append((project.code(q.id), q.state, one_line(q.question.text)))
    waiting = [
        entity
        for entity, found in crossed.items()
        if any(
            one.model == entity and (one.verdict not in ENDED or not all(fresh for *_, fresh in one.signed))
            for one in found
        )
    ]
    loud = {graph.find(entity) for entity in (*waiting, *(one.entity for one in recalls))}
    loud |= set(graph.select("attr.outcome:failed,kind:check"))
    numbers = frozenset(no for no in loud if no is not None)
    return Standing(recalls, tainted, failed, crossed, decisions, questions, not_judged, numbers)


def read_recalls(project: Project) -> tuple[tuple[Recalled, ...], dict[int, int]]:
    """Return the recalls that stand, and what came of what they recall: local number -> bits, bit n for recall n."""
    graph = project.graph
    found: list[Recalled] = []
    tainted: dict[int, int] = {}
    for one in project.recalls():
        row = project.row(one.entity)
        by = clean(project.person_name(one.person))
        no = graph.find(one.entity)
        below = graph.reach([no], 0, -1) - {no} if no is not None else ()
        for other in below:
            tainted[other] = tainted.get(other, 0) | 1 << len(found)
        found.append(Recalled(one.entity, clean(row.kind), clean(row.title), by, one.t, one_line(one.reason)))
    return tuple(found), tainted


def read_bad(project: Project, kind: str) -> dict[str, str]:
    """Return the nodes of a kind that are `recalled`, or `tainted` by what they came from."""
    recalls, tainted = read_recalls(project)
    graph = project.graph
    found = {row.id: "tainted" for row in graph.rows(graph.ordered(tainted)) if row.kind == kind}
    return found | {one.entity: "recalled" for one in recalls if one.entity.partition(":")[0] == kind}


def _crossed(project: Project) -> tuple[dict[str, list[Crossed]], int]:
    """Return the handoffs by node, newest first, and how many were not judged."""
    found: dict[str, list[Crossed]] = {}
    handoffs = project.handoffs()
    for at, handoff in enumerate(handoffs):
        crossing = words.crossing(handoff.opened.from_stage, handoff.opened.to_stage)
        model = handoff.opened.model
        title = clean(project.row(model).title)
        t = project.row(handoff.id).t
        one = Crossed(handoff.id, model, title, crossing, NOT_JUDGED, t=t)
        if at < JUDGED_AT_MOST:
            try:
                look = project.look(handoff.id)
            except CarnetError:
                pass  # its template is not here: opening the handoff says so
            else:
                status, template = look.status, one_line(look.checklist.gate.title)
                signed = tuple(
                    (clean(project.person_name(s.change.person)), words.role(s.predicate.role), fresh)
                    for row in status.rows
                    for fresh, some in ((True, row.signed), (False, row.stale))
                    for s in some
                )
                recalled = any(reason.code == "recalled" for reason in status.reasons)
                one = Crossed(handoff.id, model, title, crossing, status.verdict, signed, recalled, template, t)
        for entity in dict.fromkeys((handoff.opened.model, *handoff.entities)):
            found.setdefault(entity, []).append(one)
    return found, max(0, len(handoffs) - JUDGED_AT_MOST)


def in_folds(project: Project, standing: Standing, focus: Focus, asked: Around) -> dict[Fold, dict[str, int]]:
    """Return what the folds around a node hide that is recalled or tainted: how many of each word, by fold."""
    graph = project.graph
    recalled = {no for no in (graph.find(one.entity) for one in standing.recalls) if no is not None}
    bad = {*recalled, *standing.tainted}
    if not bad:
        return {}
    shown = {graph.find(one.row.id) for one in focus.nodes}
    counts: dict[tuple[str, str], dict[str, dict[str, int]]] = {}
    for parent, side in {(fold.parent, fold.side): None for fold in focus.folds}:
        hidden = [no for no in sorted(_next_to(graph, parent, side, asked) & bad) if no not in shown]
        found = counts.setdefault((parent, side), {})
        for no, row in zip(hidden, graph.rows(hidden), strict=True):
            for kind in (row.kind, ""):  # a hub's neighbours are not told apart
                found.setdefault(kind, dict.fromkeys(LOUD, 0))[LOUD[no not in recalled]] += 1
    return {
        fold: counts[fold.parent, fold.side][fold.kind]
        for fold in focus.folds
        if fold.kind in counts[fold.parent, fold.side]
    }


def _next_to(graph: Graph, entity: str, side: str, asked: Around) -> set[int]:
    """Return the neighbours of a node on a side of a picture; where runs are left out, those that lie behind them."""
    hops = {"up": (1, 0), "down": (0, 1)}[side]
    found = graph.reach([graph.number(entity)], *hops) - {graph.number(entity)}
    if asked.runs:
        return found
    whole = (asked.up, 0) if side == "up" else (0, asked.down)
    inside = graph.reach([graph.number(asked.entity)], *whole)
    seen: set[int] = set()
    going = found & inside
    while going:
        seen |= going
        step = sorted(going)
        runs = {no for no, row in zip(step, graph.rows(step), strict=True) if row.kind == "run"}
        going = (graph.reach(runs, *hops) & inside) - seen
    return seen


def to_keep(project: Project, standing: Standing, entity: str, up: int, down: int) -> list[str]:
    """Return the ids of what a picture around a node must not fold away, the newest first."""
    if not standing.loud:
        return []
    graph = project.graph
    near = graph.reach([graph.number(entity)], up, down) & standing.loud
    return [row.id for row in graph.rows(graph.ordered(near)[:KEPT_AT_MOST])]
