"""What `carnet lineage` says to its questions: ways, differences, impact, overview, exports; and which nodes a text names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console
from carnet_tui.glyphs import choose
from carnet_tui.text import clean, fit, plural

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.domain.lineage_diff import Difference, Lone
    from carnet_store.exchange.lineage_export import ExportNode
    from carnet_tui.session import Session

UP_WORDS: Final = {"used": "used", "made": "made by", "from": "comes from"}
DOWN_WORDS: Final = {"used": "used by", "made": "made", "from": "base of"}
MANY: Final = 10**12
VALUE_CELLS: Final = 48
"""Cells of a value that a comparison shows; `--json` has all of it."""


# --- what is meant --------------------------------------------------------------------------------------------------


def single(project: Project, text: str) -> str | None:
    """Return the one node that a text names as names go everywhere; None where it has to be read as a selection."""
    from carnet_store import NotFound, Usage

    try:
        entity = project.resolve(text)
    except (NotFound, Usage):
        return None
    found = project.graph.find(entity)
    return entity if found is not None and project.graph.lineage({found}) else None


def one_node(project: Project, text: str) -> str:
    """Return the one node that a text names, as a name or as a selection of one.

    Raises:
        NotFound: none. Usage: several; the message lists them.
    """
    from carnet_store import NotFound, Usage

    found = single(project, text)
    if found is not None:
        return found
    numbers = project.graph.select(text)
    if not numbers:
        raise NotFound(f"{text!r} names no node", "`carnet list` shows what there is")
    rows = project.graph.rows(numbers[:20])
    if len(numbers) > 1:
        raise Usage(
            f"{text!r} names {len(numbers):,} nodes; one is asked for",
            "name one by its id",
            [f"{row.title}  {row.id}" for row in rows],
        )
    return rows[0].id


def numbers_of(project: Project, text: str, up: int | None, down: int | None) -> list[int] | None:
    """Return what a text names, with the hops around it, newest first; None for everything."""
    if not text:
        return None
    graph = project.graph
    entity = single(project, text)
    found = [graph.number(entity)] if entity is not None else graph.select(text)
    return graph.ordered(graph.reach(found, up or 0, down or 0)) if up or down else found


def row_of(row: EntityRow, **more: Any) -> dict[str, Any]:
    """Return a node as JSON has it everywhere here."""
    return {"id": row.id, "kind": row.kind, "title": row.title, **more}


def out_marked(project: Project, said: object) -> None:
    """Write JSON in which every node (what has `id` and `kind`) says where it stands: `recalled`, `tainted`, or nothing."""
    marked = project.graph.marked()

    def walk(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [walk(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: walk(one) for key, one in value.items()}
        return {**found, "standing": marked.get(str(value["id"]), "")} if {"id", "kind"} <= value.keys() else found

    console.out_json(walk(console.plain(said)))


def with_standing(project: Project, entity: str, text: str) -> str:
    """Return what is said of a node, with the word of a recall that concerns it."""
    word = project.graph.marked().get(entity, "")
    return f"{text}  {word}" if word else text


def recall_rows(project: Project, entity: str) -> list[list[str]]:
    """Return the recalls that concern a node, as lines of a table: who, when, why; of what it came from where that is recalled."""
    rows = []
    for one in project.taints(entity) if entity in project.graph.marked() else ():
        said = f"by {project.person_name(one.person)}, {console.moment(one.t)}: {one.reason}"
        own = one.entity == entity
        rows.append(
            ["recalled" if own else "tainted", said if own else f"{project.title(one.entity)} was recalled {said}"]
        )
    return rows


def counts(kinds: Mapping[str, int]) -> str:
    """Return `41 nodes (12 dataset, 29 run)`."""
    total = sum(kinds.values())
    return (
        f"{plural(total, 'node')} ({', '.join(plural(count, kind, kind) for kind, count in kinds.items())})"
        if total
        else "nothing"
    )


def more(total: int, shown: int) -> None:
    """Say how much is not shown."""
    if total > shown:
        console.talk(f"{shown:,} of {total:,}; --limit shows more.")


# --- ways -----------------------------------------------------------------------------------------------------------


def say_why(here: Session, project: Project, text: str, other: str) -> None:
    """Write the shortest ways between two nodes, and what stands on all of them."""
    found = project.graph.why(one_node(project, text), one_node(project, other))
    if here.json:
        ways = [
            [row_of(row, relation=relation) for row, relation in zip(path, ("", *relations), strict=True)]
            for path, relations in zip(found.paths, found.relations, strict=True)
        ]
        out_marked(
            project,
            {"first": row_of(found.first), "last": row_of(found.last), "turned": found.turned, "between": found.between,
             "total": found.total, "complete": found.complete, "paths": ways, "choke": [row_of(row) for row in found.choke]}
        )  # fmt: skip
        return
    to = f" {choose(here.env.environ)['to']} "
    head = f"{found.first.kind} {found.first.title}{to}{found.last.kind} {found.last.title}"
    if not found.paths:
        console.out(f"{head}   no way leads from one to the other")
        return
    count = "many" if found.total is None or found.total >= MANY else f"{found.total:,}"
    console.out(f"{head}   {len(found.paths)} shortest of {count}; {found.between:,} nodes lie between")
    for at, (path, relations) in enumerate(zip(found.paths, found.relations, strict=True), 1):
        parts = [path[0].title]
        for row, relation in zip(path[1:], relations, strict=True):
            words = ", ".join(DOWN_WORDS.get(one, one) for one in relation.split(", "))
            parts.append(f"{words} {row.kind} {row.title}")
        console.out(f"{at:>2}  {to.join(parts)}")
    stands = ", ".join(f"{row.kind} {row.title}" for row in found.choke)
    console.out(f"on every way: {stands}" if stands else "on every way: nothing but the two")
    if not found.complete:
        console.talk("There are so many ways that the search was ended; there may be shorter ones.")


# --- differences ----------------------------------------------------------------------------------------------------


def say_diff(here: Session, project: Project, text: str, other: str) -> None:
    """Write what differs between two nodes with all they come from."""
    found = project.graph.diff(one_node(project, text), one_node(project, other))
    if here.json:
        out_marked(project, found)
        return
    to = f" {choose(here.env.environ)['to']} "
    root = found.root
    console.out(
        f"{root.left.kind} {root.left.title}{to}{root.right.title}   same {found.same:,}   only {root.left.title} {found.left_only:,}"
        f"   only {root.right.title} {found.right_only:,}   changed {found.changed:,}"
    )
    _differences(root.differences, to)
    for one in found.frontier:
        title = one.left.title if one.left.title == one.right.title else f"{one.left.title}{to}{one.right.title}"
        console.out(f"~ {one.left.kind} {title}  {one.role}{_pulls(one.pulls)}")
        _differences(one.differences, to)
    for sign, lone in (("-", found.gone), ("+", found.added)):
        for thing in lone:
            _lone(sign, thing)
    if found.unread:
        console.talk(f"{found.unread:,} pairs are too many to read their values; those nearest to the two were read.")
    if found.alike:
        console.talk("Nothing differs.")


def _lone(sign: str, one: Lone) -> None:
    console.out(f"{sign} {one.thing.kind} {one.thing.title}  {one.role}{_pulls(one.pulls)}")


def _pulls(count: int) -> str:
    return f"  pulls {count:,}" if count else ""


def _differences(rows: Sequence[Difference], to: str) -> None:
    """Write values that differ, a table a group, so that one long value does not part the others."""
    for group in dict.fromkeys(one.group for one in rows):
        console.table(
            [
                [group, one.name, f"{_short(one.left)}{to}{_short(one.right)}", one.change]
                for one in rows
                if one.group == group
            ],
            indent="    ",
        )


def _short(text: str) -> str:
    return fit(clean(text), VALUE_CELLS) if text else "none"


# --- impact, overview -----------------------------------------------------------------------------------------------


def say_impact(here: Session, project: Project, text: str) -> None:
    """Write what a change of a node would touch."""
    found = project.graph.impact(one_node(project, text))
    if here.json:
        out_marked(
            project,
            {
                "node": row_of(found.node), "kinds": found.kinds, "steps": found.steps,
                "deployments": [row_of(row) for row in found.deployments],
                **{
                    name: [
                        {"handoff": one.handoff, "model": row_of(one.model), "from_stage": one.from_stage,
                         "to_stage": one.to_stage, "signers": one.signers}
                        for one in part
                    ]
                    for name, part in (("stale", found.stale), ("packages", found.packages), ("below", found.below), ("not_judged", found.not_judged))
                },
            }
        )  # fmt: skip
        return
    console.out(f"{found.node.kind} {found.node.title}   came of it: {counts(found.kinds)}")
    signers = sum(len(one.signers) for one in found.stale)
    console.out(f"sign-offs that would turn stale: {signers}" if signers else "no sign-off would turn stale")
    for title, part in (
        ("", found.stale), ("package holds it, no sign-off leans on it", found.packages),
        ("made from what came of it", found.below), ("package holds it, not judged here", found.not_judged),
    ):  # fmt: skip
        console.table(
            [
                [f"{one.model.title}, {one.from_stage} to {one.to_stage}" if one.to_stage else one.model.title,
                 ", ".join(f"{project.person_name(person)} as {role.replace('_', ' ')}" for person, role in one.signers) or title]
                for one in part
            ],
            indent="  ",
        )  # fmt: skip
    if found.deployments:
        console.out("DEPLOYMENTS")
        console.table([[row.title, console.day(row.t), row.id] for row in found.deployments], indent="  ")
        more(found.kinds["deployment"], len(found.deployments))


def say_overview(here: Session, project: Project, text: str, by: str, up: int | None, down: int | None) -> None:
    """Write the counts of the graph, or of a selection, collapsed by a property."""
    found = project.graph.overview(by, numbers_of(project, text, up, down))
    if here.json:
        out_marked(project, found)
        return
    none = f"(no {by.rpartition('.')[2]})"
    console.table([[f"{count:,}", value or none] for value, count in found.groups])
    if found.links:
        console.out("EDGES")
        to = choose(here.env.environ)["to"]
        console.table(
            [[f"{count:,}", first or none, to, last or none] for first, last, count in found.links], indent="  "
        )
    parts = len(found.components)
    console.talk(
        f"{parts:,} parts hang together; the largest has {found.components[0]:,} nodes."
        if parts
        else "There are no nodes."
    )
    if found.back:
        console.talk(f"{found.back:,} edges close a cycle: two records contradict each other.")


# --- exports --------------------------------------------------------------------------------------------------------


def say_export(project: Project, text: str, form: str, up: int | None, down: int | None) -> None:
    """Write a selection, or everything, as text for another tool."""
    from carnet_store.exchange.lineage_export import ExportEdge, export

    graph = project.graph
    numbers = numbers_of(project, text, up, down)
    chosen = graph.arrays.everything() if numbers is None else sorted(numbers)
    edges = (ExportEdge(one.src, one.relation, one.dst, one.back) for one in graph.links(chosen))
    made = export(form, project.id, _leaving(project, chosen, facts=form == "prov"), edges)
    write: Callable[[str], None] = console.raw if form == "prov" else console.document
    write(made)


def _leaving(project: Project, numbers: Sequence[int], *, facts: bool) -> Iterator[ExportNode]:
    """Yield the nodes of an export; attributes and digests only where the format holds them."""
    from carnet_store.domain.lineage import Node
    from carnet_store.exchange.lineage_export import ExportNode

    graph = project.graph
    known = graph.arrays.known
    people = graph.persons(numbers)
    names = {person: project.person_name(person) for person in set(people.values())}
    found = graph.nodes(numbers) if facts else iter(graph.rows(numbers))
    for no, one in zip(numbers, found, strict=True):
        person = people.get(no, "")
        digests, attrs = (one.digests, one.attrs) if isinstance(one, Node) else ({}, {})
        yield ExportNode(
            one.id,
            one.kind,
            one.name,
            one.version,
            one.t,
            person,
            names.get(person, ""),
            digests,
            attrs,
            bool(known[no]),
        )
