"""What lies around a model version in the graph, read once for the queries of `domain.filling`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from carnet_store.domain.answer import Verdict
from carnet_store.domain.filling import Proposal, Surroundings, propose
from carnet_store.domain.lineage import Node, ended_well, registered_from
from carnet_store.storage.project import Look, Project

SIBLINGS: Final = 1_000
"""So many of the newest runs are looked at for those of the same experiment."""
NEAR: Final = 200
"""So many neighbours a side are read of one node."""


def surroundings(project: Project, model: str, criteria: Node | None = None) -> Surroundings | None:
    """Return what lies around a model version; None where it is not declared here."""
    node = project.node(model)
    if node is None:
        return None
    makers, parents = _makers(project, node)
    around = project.neighbours(model, NEAR)
    used_by = [row.id for relation, row in around.down if relation == "used" and row.kind == "run"]
    for parent in [] if parents else _from_models(project, node):
        used_by += [row.id for relation, row in project.neighbours(parent.id, NEAR).down if relation == "used"]
    evaluations = [
        run
        for run in _nodes(project, used_by)
        if run.kind == "run" and run.metrics and run not in makers and ended_well(run)
    ]
    inputs, made, origins = {}, {}, {}
    for run in (*makers, *evaluations):
        near = project.neighbours(run.id, NEAR)
        inputs[run.id] = tuple(_nodes(project, [row.id for _, row in near.up]))
        made[run.id] = tuple(_nodes(project, [row.id for relation, row in near.down if relation == "made"]))
        for data in inputs[run.id]:
            if data.kind == "dataset" and data.id not in origins:
                before = project.neighbours(data.id, NEAR).up
                origins[data.id] = tuple(_nodes(project, [row.id for relation, row in before if relation == "made"]))
    about = {model, *(run.id for run in makers)}
    decisions = [view for view in project.decisions() if about & set(view.decision.about)]
    replaced = {view.decision.replaces for view in decisions}
    return Surroundings(
        model=node, makers=tuple(makers), same=tuple(one for one in _from_models(project, node) if one not in parents), evaluations=tuple(evaluations), parents=tuple(parents), inputs=inputs, made=made,
        origins=origins, steps=tuple(_steps(project, makers)), siblings=tuple(_siblings(project, makers)),
        decisions=tuple(view for view in decisions if view.id not in replaced), criteria=criteria,
    )  # fmt: skip


def proposals(project: Project, look: Look, *, answered: bool = False) -> dict[str, Proposal]:
    """Return what the graph answers to the items of a handoff that nobody answered yet, by item id; with `answered` to all."""
    found = surroundings(project, look.handoff.opened.model, project.criteria_of(look.handoff))
    if found is None:
        return {}
    lookups = project.lookups(look)
    left_out = set() if answered else {one.item.id for one in look.status.items if one.answers}
    made = (
        propose(item, found, lookups, look.checklist.placeholder_words)
        for item in look.checklist.items
        if item.fills and item.id not in left_out and not item.machine
    )
    return {one.item: one for one in made if one is not None}


def _nodes(project: Project, ids: list[str]) -> list[Node]:
    found = (project.node(entity) for entity in dict.fromkeys(ids))
    return [node for node in found if node is not None]


def _made_by(project: Project, entity: str) -> list[Node]:
    rows = project.neighbours(entity, NEAR).up
    return _nodes(project, [row.id for relation, row in rows if relation == "made"])


def _from_models(project: Project, node: Node) -> list[Node]:
    return _nodes(project, [e.dst for e in node.edges if e.relation == "from" and e.dst.startswith("model:")])


def _makers(project: Project, node: Node) -> tuple[list[Node], list[Node]]:
    """Return the runs that made a model version, and the models it comes from that these runs did not make."""
    own, sources = _made_by(project, node.id), _from_models(project, node)
    makers = {run.id: run for run in own}
    made = {source.id: {run.id: run for run in _made_by(project, source.id)} for source in sources}
    same = registered_from(node, makers, made)
    if not own:
        for source in same:
            makers |= made[source]
    return list(makers.values()), [source for source in sources if source.id not in same]


def _steps(project: Project, makers: list[Node]) -> list[Node]:
    """Return the runs that came before the makers, the first one first."""
    own = {run.id for run in makers}
    far: dict[str, int] = {}
    for run in makers:
        for entity, hops in project.walk(run.id, up=True, limit=2_000):
            if entity.startswith("run:") and entity not in own:
                far[entity] = max(hops, far.get(entity, 0))
    order = sorted(far, key=lambda entity: (-far[entity], entity))[:NEAR]
    return _nodes(project, order)


def _group(run: Node) -> tuple[str, str]:
    """Return what a run is one of: its source, and there its experiment, or its stage."""
    return (run.source[0] if run.source else "", str(run.attrs.get("experiment") or run.attrs.get("stage") or ""))


def _siblings(project: Project, makers: list[Node]) -> list[Node]:
    """Return the other runs of the makers' experiments, newest first."""
    wanted = {pair for pair in map(_group, makers) if pair[1]}
    own = {run.id for run in makers}
    if not wanted:
        return []
    rows = project.entities("run", limit=SIBLINGS)
    return [run for run in _nodes(project, [row.id for row in rows if row.id not in own]) if _group(run) in wanted]


# -- checks of the product itself that the graph answers ---------------------------------------------------------------


def code_snapshot(project: Project, model: str) -> Verdict:
    """Judge whether the code behind a model version is known to the last byte: a clean commit, or its difference kept (R034)."""
    node = project.node(model)
    makers = _makers(project, node)[0] if node is not None else []
    if not makers:
        return Verdict("fails", (f"no run is known to have made {project.title(model)}",))
    gone, open_ = [], []
    for run in makers:
        used = _code_of(project, run)
        if not used:
            gone.append(f"{run.title} names no code")
        for code in used:
            said = run.attrs.get(
                "code"
            )  # what `carnet run` saw; an importer that told of the commit knows no such thing
            state = code.attrs.get("dirty", said.get("dirty") if isinstance(said, dict) else None)
            patch = code.attrs.get("patch")
            held = isinstance(patch, dict) and project.objects.has(str(patch.get("sha256", "")))
            if not (code.attrs.get("commit") or code.digests):
                gone.append(f"{code.title} has neither commit nor digest")
            elif state in (True, "true", "yes") and not held:
                gone.append(f"{code.title} was changed when it ran, and the difference is not here")
            elif code.attrs.get("patch_redacted"):
                gone.append(
                    f"{code.title} was changed when it ran, and the difference is here without what looked like a secret"
                )
            elif state is None and not any(one.digests for one in used):
                open_.append(f"nobody says whether {code.title} was unchanged when {run.title} ran")
    if not (gone or open_) and not any(code.attrs.get("commit") for run in makers for code in _code_of(project, run)):
        return Verdict("holds", ("the code that ran is known by its digests alone: no commit, no difference",))
    if gone or open_:
        return Verdict("fails" if gone else "unclear", tuple((gone or open_)[:20]))
    return Verdict("holds", ("every line that ran is in a commit or in the difference kept beside it",))


def _code_of(project: Project, run: Node) -> list[Node]:
    return _nodes(project, [e.dst for e in run.edges if e.relation == "used" and e.dst.startswith("code:")])


def notebooks_run(project: Project, model: str, linked: Iterable[str]) -> Verdict:
    """Judge whether the notebooks that cross ran from top to bottom, or are marked as notes (attribute `role`) (R042)."""
    node = project.node(model)
    makers = _makers(project, node)[0] if node is not None else []
    ids = [*linked, *(edge.dst for run in makers for edge in run.edges)]
    books = [one for one in _nodes(project, ids) if one.kind == "document" and one.attrs.get("type") == "notebook"]
    wrong = [
        f"{one.title}: {one.attrs.get('order') or 'nobody says in which order its cells ran'}"
        for one in books
        if one.attrs.get("role") != "notes" and one.attrs.get("order") != "in order"
    ]
    if wrong:
        return Verdict("fails", tuple(wrong[:20]))
    if not books:
        return Verdict("holds", ("no notebook crosses",))
    return Verdict("holds", (f"{len(books)} notebooks, each ran from top to bottom or is marked as notes",))
