"""From a folder to an open handoff: what lies there, the newest run in it, a model version made of it, and the answers it gives.

Each step is one call; `carnet start`, `carnet handoff open --run` and the welcome screen make the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from carnet_store.desk import DEFAULT_GATES, Desk
from carnet_store.domain.handoff import Handoff
from carnet_store.domain.lineage import Node, ended_well
from carnet_store.errors import NotFound, Refused
from carnet_store.storage.acts import Written
from carnet_store.storage.project import Look, Project

if TYPE_CHECKING:
    from carnet_store.domain.filling import Proposal
    from carnet_store.exchange.importers.things import Guess

RECENT: Final = 500
"""So many of the newest runs are looked at for the last one that ended well."""
OWN_RUNS: Final = "carnet"
"""The system of runs that `carnet run` captured."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A handoff opened from a run. `declared` is the model version's title where it was declared on the way, else empty."""

    look: Look
    written: Written
    declared: str
    proposals: dict[str, Proposal]


def proposals(project: Project, look: Look, *, answered: bool = False) -> dict[str, Proposal]:
    """Return what the recorded graph answers to the items of a handoff that nobody answered yet, by item id; with `answered` to all."""
    from carnet_store.storage import surroundings

    return surroundings.proposals(project, look, answered=answered)


def look_around(folder: Path) -> list[Guess]:
    """Return what a folder holds that Carnet reads, in some 50 ms; nothing is changed."""
    from carnet_store.exchange.importers import guesses

    return guesses(folder)


def last_run(project: Project) -> Node:
    """Return the newest run that ended well and made a model, or is one of `carnet run`; where there is none, the newest that ended well.

    Raises:
        NotFound: there is none.
    """
    ended = []
    for row in project.entities("run", limit=RECENT):
        node = project.node(row.id)
        if node is not None and ended_well(node):
            ended.append((_may_hand_over(node), node.t, _made_models(node), node.id, node))
    if not ended:
        raise NotFound(
            "no run that ended well is recorded here",
            "carnet capture PATH takes in what other tools recorded; carnet run -- CMD records one",
        )
    return max(ended, key=lambda one: one[:4])[4]


def _made_models(run: Node) -> bool:
    return any(edge.relation == "made" and edge.dst.startswith("model:") for edge in run.edges)


def _may_hand_over(run: Node) -> bool:
    """Say whether a version may be declared from a run: it made a model, or no other tool tells what it made."""
    return _made_models(run) or run.source is None or run.source[0] == OWN_RUNS


def versions_of(project: Project, run: Node) -> list[Node]:
    """Return the model versions that a run made, and those registered from what it made; a registered one first, newest first."""
    made = [
        node
        for node in (project.node(e.dst) for e in run.edges if e.relation == "made")
        if node and node.kind == "model"
    ]
    found = {node.id: node for node in made}
    for node in made:
        for relation, row in project.neighbours(node.id).down:
            later = project.node(row.id) if relation == "from" and row.kind == "model" else None
            if later is not None:
                found[later.id] = later
    return sorted(found.values(), key=lambda n: (not n.version.isdigit(), -n.t, n.id))


def model_version(desk: Desk, project: Project, run: Node, title: str = "") -> tuple[str, str]:
    """Return the model version that a run made: the one there is, or one declared now (`title` NAME@VERSION, else the next of its line).

    Returns the entity id, and its title where it was declared now, else an empty text.
    """
    made = versions_of(project, run)
    there = [node for node in made if node.version]
    if there and (not title or title in (there[0].title, there[0].name)):
        return there[0].id, ""
    name, _, version = title.partition("@")
    names = list(dict.fromkeys(node.name for node in made))
    if not name and not _may_hand_over(run):
        raise Refused(
            f"{run.title} made no model that {run.source[0] if run.source else 'its record'} knows of, so no version was declared",
            f"carnet handoff open NAME --run {run.title} says that it made one; carnet handoff open MODEL takes one that is recorded",
        )
    if not name and len(names) > 1:
        raise Refused(f"{run.title} made several models: {', '.join(names[:5])}", "name the one that is handed over")
    lines = [row.name for row in project.entities("model", limit=RECENT) if row.version]
    name = name or (names[0] if names else lines[0] if lines else project.name)
    if not version:
        numbers = [
            int(row.version)
            for row in project.entities("model", text=f"{name}@")
            if row.name == name and row.version.isdigit()
        ]
        version = str(max(numbers, default=0) + 1)
    if any(row.name == name and row.version == version for row in project.entities("model", text=f"{name}@{version}")):
        raise Refused(f"{name}@{version} is declared already, and another run made it", "name another version")
    acts = desk.acts(project)
    bare = made[0] if len(made) == 1 else None  # the file that the run wrote: the version is these bytes
    model = acts.declare(
        "model",
        name,
        version=version,
        digests=bare.digests if bare else None,
        edges=[("from", bare.id)] if bare else [],
    ).entity
    acts.link(run.id, "made", model)
    return model, f"{name}@{version}"


def crossing_of(project: Project, run: Node) -> Handoff | None:
    """Return the newest handoff that goes on of a model version that a run made; None where there is none."""
    made = {node.id for node in versions_of(project, run)}
    going = [h for h in project.handoffs() if h.opened.model in made and h.abandoned is None]
    return going[0] if going else None


def open_from_run(
    desk: Desk, project: Project, run: Node, *, title: str = "", gate: str = "", tier: str = "B", due: str = "",
    facts: dict[str, object] | None = None,
) -> Opened:  # fmt: skip
    """Open a handoff of what a run made, with the run and what it used linked, and say what the graph answers already.

    Raises:
        Refused: I am no member, or the version has this handoff already. NotFound, Invalid: no such pack.
    """
    model, declared = model_version(desk, project, run, title)
    chosen = gate or (DEFAULT_GATES[1] if project.stage(model) == "engineering" else DEFAULT_GATES[0])
    going = [h for h in project.handoffs() if h.opened.model == model and h.gate.id == chosen]
    if going:
        raise Refused(
            f"{project.title(model)} has a handoff at this gate already",
            f"carnet handoff show {project.handoff_name(going[0])}",
        )
    linked = [run.id, *(edge.dst for edge in run.edges if edge.relation == "used")]
    written = desk.acts(project).open_handoff(
        model,
        desk.packs_for(chosen, project),
        tier=tier,
        facts=facts or {},
        due=due,
        criteria="",
        entities=_here(project, linked),
    )
    look = project.look(written.entity)
    return Opened(look, written, declared, proposals(project, look))


def _here(project: Project, ids: Sequence[str]) -> list[str]:
    return [entity for entity in dict.fromkeys(ids) if project.node(entity) is not None]


def fill(desk: Desk, project: Project, look: Look, items: Sequence[str] = ()) -> tuple[Written | None, list[Proposal]]:
    """Answer items by what the graph says (all it can where none is named), as one event; return what was written and the proposals taken.

    Only items of roles that I hold are answered. Raises NotFound where a named item has no proposal.
    """
    found = proposals(project, look)
    for item in items:
        if item not in found:
            raise NotFound(
                f"the graph does not answer {item}", "carnet handoff fill without ITEM says which it answers"
            )
    row = project.members().people.get(desk.i().person)
    roles = set(row.roles) if row else set()
    taken = [
        found[item.id]
        for item in look.checklist.items
        if item.id in found and (item.id in items or (not items and item.answers in roles))
    ]
    if not taken:
        return None, []
    return desk.acts(project).answer(look.handoff.id, {one.item: dict(one.value) for one in taken}), taken
