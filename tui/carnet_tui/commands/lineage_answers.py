"""What `carnet lineage` says to its questions: ways, differences, impact, overview, exports; and which nodes a text names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from carnet_tui import console
from carnet_tui.commands.node_words import (
    counts,
    kinds_in_words,
    out_marked,
    row_of,
    times_told,
    with_standing,
    within_line,
)
from carnet_tui.glyphs import choose
from carnet_tui.text import clean, fit, plural

if TYPE_CHECKING:
    from carnet_store import EntityRow, Project
    from carnet_store.domain.lineage import Metric
    from carnet_store.domain.lineage_diff import Changed, Difference, Lone
    from carnet_store.exchange.lineage_export import ExportNode
    from carnet_tui.session import Session

UP_WORDS: Final = {"used": "used", "made": "made by", "from": "comes from"}
DOWN_WORDS: Final = {"used": "used by", "made": "made", "from": "base of"}
MANY: Final = 10**12
VALUE_CELLS: Final = 48
"""Cells of a value that a comparison shows; `--json` has all of it."""


# --- what is meant --------------------------------------------------------------------------------------------------


def single(project: Project, text: str) -> str | None:
    """Return the one node that a text names as names go everywhere, capitals aside where none is called just so; None for a selection."""
    from carnet_store import NotFound, Usage

    try:
        entity = project.resolve(text)
    except Usage:
        return None
    except NotFound:
        alike = project.graph.alike(text)
        return project.graph.rows(alike)[0].id if len(alike) == 1 else None
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


def no_such_stage(project: Project, text: str) -> None:
    """Say which stages there are, where a selection asks for one that nobody stands at."""
    from carnet_store import CarnetError
    from carnet_store.domain.selection import parse

    try:
        asked = [one.value for one in parse(text).terms() if one.field == "stage" and "*" not in one.value]
    except CarnetError:
        return  # a name with signs of the language
    if not asked:
        return
    stages = project.graph.stages()
    known = {stage.casefold() for stage in stages}
    for value in dict.fromkeys(one for one in asked if one.casefold() not in known):
        here = f"stages here: {', '.join(stages)}" if stages else "there is none here"
        console.talk(f"No model version stands at {value!r}; {here}.")


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

    def named(row: EntityRow) -> str:
        return within_line(project, row.id, f"{row.kind} {row.title}")

    head = f"{named(found.first)}{to}{named(found.last)}"
    if not found.paths:
        console.out(f"{head}   no way leads from one to the other")
        return
    count = "many" if found.total is None or found.total >= MANY else f"{found.total:,}"
    console.out(
        f"{head}   {len(found.paths)} shortest of {count}; {plural(found.between, 'node lies', 'nodes lie')} between"
    )
    for at, (path, relations) in enumerate(zip(found.paths, found.relations, strict=True), 1):
        parts = [within_line(project, path[0].id, path[0].title)]
        for row, relation in zip(path[1:], relations, strict=True):
            words = ", ".join(DOWN_WORDS.get(one, one) for one in relation.split(", "))
            parts.append(f"{words} {named(row)}")
        console.out(f"{at:>2}  {to.join(parts)}")
    stands = ", ".join(map(named, found.choke))
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
        f"{root.left.kind} {_pair(project, root, to)}   same {found.same:,}   only {root.left.title} {found.left_only:,}"
        f"   only {root.right.title} {found.right_only:,}   changed {found.changed:,}"
    )
    _differences(root.differences, to)
    for one in found.frontier:
        console.out(f"~ {one.left.kind} {_pair(project, one, to)}  {one.role}{_pulls(one.pulls)}")
        _differences(one.differences, to)
    for sign, lone in (("-", found.gone), ("+", found.added)):
        for thing in lone:
            _lone(project, sign, thing)
    if found.unread:
        pairs = plural(found.unread, "further pair was", "further pairs were")
        console.talk(f"Values of {pairs} not read, there are so many; those nearest to the two were.")
    if found.alike:
        console.talk("Nothing differs.")


def _pair(project: Project, one: Changed, to: str) -> str:
    """Return the names of a pair, one where both are called alike and stand alike."""
    left, right = (within_line(project, thing.id, thing.title) for thing in (one.left, one.right))
    return left if left == right else f"{left}{to}{right}"


def _lone(project: Project, sign: str, one: Lone) -> None:
    title = within_line(project, one.thing.id, one.thing.title)
    console.out(f"{sign} {one.thing.kind} {title}  {one.role}{_pulls(one.pulls)}")


def _pulls(count: int) -> str:
    return f"  pulls {count:,}" if count else ""


def _differences(rows: Sequence[Difference], to: str) -> None:
    """Write values that differ, a table a group, so that one long value does not part the others."""
    for group in dict.fromkeys(one.group for one in rows):
        console.table(
            [
                [group, one.name, f"{_short(one.name, one.left)}{to}{_short(one.name, one.right)}", one.change]
                for one in rows
                if one.group == group
            ],
            indent="    ",
        )


def _short(name: str, text: str) -> str:
    """Return a value in a line; instants within it as moments."""
    return fit(clean(times_told(name, text)), VALUE_CELLS) if text else "none"


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
    node = within_line(project, found.node.id, f"{found.node.kind} {found.node.title}")
    console.out(f"{node}   came of it: {counts(found.kinds)}")
    signers = sum(len(one.signers) for one in found.stale)
    console.out(f"sign-offs that would turn stale: {signers}" if signers else "no sign-off would turn stale")
    for title, part in (
        ("", found.stale), ("package holds it, no sign-off leans on it", found.packages),
        ("made from what came of it", found.below), ("package holds it, not judged here", found.not_judged),
    ):  # fmt: skip
        console.table(
            [
                [within_line(project, one.model.id, one.model.title) + (f", {one.from_stage} to {one.to_stage}" if one.to_stage else ""),
                 ", ".join(f"{project.person_name(person)} as {role.replace('_', ' ')}" for person, role in one.signers) or title]
                for one in part
            ],
            indent="  ",
        )  # fmt: skip
    if found.deployments:
        console.out("DEPLOYMENTS")
        console.table(
            [[with_standing(project, row.id, row.title), console.day(row.t), row.id] for row in found.deployments],
            indent="  ",
        )
        more(found.kinds["deployment"], len(found.deployments))
    else:
        console.out("deployed: nowhere that the record knows of")


def say_overview(here: Session, project: Project, text: str, by: str, up: int | None, down: int | None) -> None:
    """Write the counts of the graph, or of a selection, collapsed by a property."""
    numbers = numbers_of(project, text, up, down)
    found = project.graph.overview(by, numbers)
    recalls = _recalls_within(project, numbers)
    if here.json:
        out_marked(project, {**console.plain(found), "recalls": recalls})
        return
    none = f"(no {by.rpartition('.')[2]})"
    console.table([[f"{count:,}", value or none] for value, count in found.groups])
    if found.links:
        console.out("EDGES")
        to = choose(here.env.environ)["to"]
        console.table(
            [[f"{count:,}", first or none, to, last or none] for first, last, count in found.links], indent="  "
        )
    if any(recalls.values()):
        console.out(", ".join(f"{word}: {count:,}" for word, count in recalls.items()))
    parts = [plural(size, "node") for size in found.components[:1]]
    if len(found.components) > 1:
        console.talk(f"{plural(len(found.components), 'part')} hang together; the largest has {parts[0]}.")
    else:
        console.talk(f"All of it hangs together: {parts[0]}." if parts else "There are no nodes.")
    if found.back:
        console.talk(f"{plural(found.back, 'edge closes', 'edges close')} a cycle: two records contradict each other.")


def _recalls_within(project: Project, numbers: Sequence[int] | None) -> dict[str, int]:
    """Count what is recalled and what is tainted of some nodes, or of all."""
    graph = project.graph
    marked = graph.marked()
    ids = set(marked) if numbers is None or not marked else {row.id for row in graph.rows(numbers)}
    return {
        word: sum(one == word and entity in ids for entity, one in marked.items()) for word in ("recalled", "tainted")
    }


def say_projects(here: Session, text: str) -> None:
    """Write how many nodes of which kind each project of the store has, most first.

    Raises:
        Usage: a node or a selection stands beside it; names of one project mean nothing in another.
    """
    from carnet_store import Usage
    from carnet_store.domain.lineage import NODES

    if text:
        raise Usage(
            "an overview by project counts every project of the store, not a selection",
            "carnet lineage --overview project",
        )
    desk = here.desk()
    rows = []
    for one in desk.projects():
        project = desk.store.project(one.id)
        kinds = {kind: count for kind in dict.fromkeys(("deployment", *NODES)) if (count := project.count(kind))}
        rows.append((one, kinds, sum(kinds.values())))
    rows.sort(key=lambda row: (-row[2], row[0].name, row[0].id))
    if here.json:
        console.out_json({
            "by": "project", "groups": [[one.name, total] for one, _, total in rows],
            "projects": [{"ledger": one.id, "name": one.name, "count": total, "kinds": kinds} for one, kinds, total in rows],
        })  # fmt: skip
        return
    console.table([[f"{total:,}", one.name, kinds_in_words(kinds) or "nothing recorded"] for one, kinds, total in rows])
    console.talk(f"{plural(len(rows), 'project')} in this store.")


# --- exports --------------------------------------------------------------------------------------------------------


def say_export(project: Project, text: str, form: str, up: int | None, down: int | None) -> None:
    """Write a selection, or everything, as text for another tool."""
    from carnet_store.exchange.lineage_export import ExportEdge, export

    graph = project.graph
    if text and not (up or down) and single(project, text) is not None:
        up = down = 1  # one node comes with what is around it, as in every other form
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
    people, marked = graph.persons(numbers), graph.marked()
    names = {person: project.person_name(person) for person in set(people.values())}
    found = graph.nodes(numbers) if facts else iter(graph.rows(numbers))
    for no, one in zip(numbers, found, strict=True):
        person = people.get(no, "")
        digests, attrs = (one.digests, one.attrs) if isinstance(one, Node) else ({}, {})
        params, metrics = (one.params, _figures(one.metrics)) if isinstance(one, Node) else ({}, ())
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
            marked.get(one.id, ""),
            params,
            metrics,
        )


def _figures(metrics: Iterable[Metric]) -> list[tuple[str, str]]:
    """Return metrics as (name, value): `auc@holdout`, of a slice `auc@holdout[region=north]`."""
    return [
        (one.name + (f"@{one.split}" if one.split else "") + (f"[{one.slice}]" if one.slice else ""), one.value)
        for one in metrics
    ]
