"""The lineage by command: a node and what is around it, a selection, trees, ways, differences, impact, exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from carnet_tui import console
from carnet_tui.commands import NODE, command, session
from carnet_tui.commands.lineage_answers import (
    DOWN_WORDS,
    UP_WORDS,
    more,
    no_such_stage,
    numbers_of,
    one_node,
    say_diff,
    say_export,
    say_impact,
    say_overview,
    say_projects,
    say_why,
    single,
)
from carnet_tui.commands.node_words import (
    catalogue_rows,
    catalogued,
    counts,
    out_marked,
    recall_rows,
    row_of,
    told,
    with_standing,
)
from carnet_tui.commands.subjects import SHAPE, cited, cited_rows, say_subject, subject_of
from carnet_tui.glyphs import choose
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Project, TreeLine
    from carnet_store.domain.columns import ColumnLine
    from carnet_store.domain.lineage import Node
    from carnet_tui.glyphs import Glyphs
    from carnet_tui.session import Session

L = TypeVar("L", "TreeLine", "ColumnLine")
ALL: Final = -1
"""Every step."""
FORMS: Final = ("prov", "dot", "mermaid", "csv")

_ROW = '{"id", "kind", "title", "name", "version", "t": ms}'


@command(
    "lineage",
    "carnet lineage churn@2",
    "carnet lineage r-012 --up 3",
    "carnet lineage '2+model:churn@2+1' --tree",
    "carnet lineage 'kind:run,since:14d not status:failed' --json",
    "carnet lineage telco --why churn@2",
    "carnet lineage churn@1 --diff churn@2",
    "carnet lineage telco --impact",
    "carnet lineage telco --column tenure",
    "carnet lineage --overview experiment",
    "carnet lineage '+churn@2' --export dot",
    shape='a node: {"node": {...}, "up": [{"id", "kind", "title", "relation", "hops"}], "down": [...], "ups": count, "downs": count, '
    '"about": {"decisions": [id], "questions": [id], "handoffs": [id], "items": [{"handoff", "title", "item"}]}}, of a dataset or a feature also "catalogue": {"fresh": {"t": ms, "by": text, "run"}, "users": {kind: count}}. '
    f'A selection: {{"selection", "count", "nodes": [{_ROW}], "edges": [{{"src", "relation", "dst", "back"}}]}}. '
    '--tree: {"up": [{"line", "id", "kind", "title", "relation", "depth", "parent", "seen", "more", "back"}], "down": [...], "totals": {"up": {kind: count}, "down"}}. '
    '--why: {"first", "last", "turned", "between", "total", "complete", "paths": [[{"id", "kind", "title", "relation"}]], "choke": [...]}. '
    '--diff: {"root", "same", "changed", "left_only", "right_only", "frontier": [{"left", "right", "role", "differences", "pulls"}], "gone": [{"thing", "role", "pulls"}], "added", "unread"}. '
    '--impact: {"node", "kinds": {kind: count}, "steps", "deployments", "stale": [{"handoff", "model", "from_stage", "to_stage", "signers": [[person, role]]}], "packages", "below", "not_judged"}. '
    '--column: {"column": {"holder", "field"}, "up": [{"line", "holder", "title", "field", "how", "depth", "seen", "more"}], "down": [...], "ups": count, "downs": count}; '
    "a holder that nobody declared is a name, not an id. "
    '--overview: {"by", "groups": [[value, count]], "links": [[from, to, count]], "components": [size], "back", "strange", "recalls": {"recalled": count, "tainted": count}}; '
    'by project {"by", "groups", "projects": [{"ledger", "name", "count", "kinds": {kind: count}}]}. '
    'Every node, and every line of a column for what holds it, also has "standing": "recalled", "tainted" or "". '
    + SHAPE,
)
@click.argument("node", type=NODE, required=False, default="", metavar="[NODE|SELECTION]")
@click.option("--up", default=None, type=click.IntRange(1, 100_000), help="Follow what it comes from so many hops.")
@click.option("--down", default=None, type=click.IntRange(1, 100_000), help="Follow what came of it so many hops.")
@click.option(
    "--tree",
    "form",
    flag_value="tree",
    default=None,
    help="As a tree, each node expanded once; of one node without hops, all that it comes from.",
)
@click.option(
    "--plain",
    "form",
    flag_value="plain",
    help="As a list, one node a line; of one node without hops, one hop each way.",
)
@click.option(
    "--why", default="", metavar="NODE", help="The shortest ways to another node, and what stands on all of them."
)
@click.option("--diff", default="", metavar="NODE", help="What differs from another node with all that it comes from.")
@click.option("--column", default="", metavar="FIELD", help="Where a column of it came from, and what came of it.")
@click.option("--impact", is_flag=True, help="What a change of it would touch; sign-offs that would turn stale.")
@click.option(
    "--overview",
    default="",
    metavar="BY",
    help="Counts by kind, stage, source, experiment, person, project, attr.KEY, param.KEY.",
)
@click.option(
    "--export",
    "export",
    default=None,
    type=click.Choice(FORMS),
    help="As text for other tools; the same nodes as --plain.",
)
@click.option(
    "--limit",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="At most so many nodes a list, lines a tree.",
)
def lineage(
    node: str, up: int | None, down: int | None, form: str | None, why: str, diff: str, column: str, impact: bool,
    overview: str, export: str | None, limit: int,
) -> None:  # fmt: skip
    """Show where a thing comes from and what came of it; or what a selection names (docs/lineage.md)."""
    here = session()
    asked = {
        "--tree or --plain": form,
        "--why": why,
        "--diff": diff,
        "--column": column,
        "--impact": impact,
        "--overview": overview,
        "--export": export,
    }
    chosen = [name for name, value in asked.items() if value]
    if len(chosen) > 1:
        raise click.UsageError(f"{chosen[0]} and {chosen[1]} ask for two things; choose one")
    if not node and not overview and not export:
        raise click.UsageError("name a node or a selection; `--overview kind` shows all of it in the large")
    if overview == "project":
        say_projects(here, node)
        return
    project = here.project()
    if node and not chosen and (subject := subject_of(project, node)):
        say_subject(here, project, subject)
        return
    if why:
        say_why(here, project, node, why)
    elif diff:
        say_diff(here, project, node, diff)
    elif column:
        _column(here, project, one_node(project, node), column, up, down, limit)
    elif impact:
        say_impact(here, project, node)
    elif overview:
        say_overview(here, project, node, overview, up, down)
    elif export:
        say_export(project, node, export, up, down)
    elif (entity := single(project, node)) is None:
        _selection(here, project, node, form, up, down, limit)
    elif form == "tree":
        _tree(here, project, entity, up, down, limit)
    elif form == "plain":
        _plain(here, project, entity, up, down, limit)
    else:
        _node(here, project, entity, up, down, limit)
    strange = project.graph.arrays.strange if project.graph.loaded else 0
    if strange:
        edges = plural(strange, "edge of a relation", "edges of relations")
        console.talk(f"Left out: {edges} that this release does not know.")


# --- a node ---------------------------------------------------------------------------------------------------------


def _node(here: Session, project: Project, entity: str, up: int | None, down: int | None, limit: int) -> None:
    near = project.neighbours(entity, limit)
    sides: dict[str, list[dict[str, Any]]] = {}
    for name, hops, first in (("up", up, near.up), ("down", down, near.down)):
        if (up or down) and not hops:
            sides[name] = []
            continue
        rows = [row_of(row, relation=relation, hops=1) for relation, row in first]
        if hops and hops > 1:
            graph = project.graph
            far = [(no, at) for no, at in graph.walk(entity, up=name == "up", hops=hops) if at > 1][: limit - len(rows)]
            found = graph.rows([no for no, _ in far])
            rows += [row_of(row, relation="", hops=at) for row, (_, at) in zip(found, far, strict=True)]
        sides[name] = rows[:limit]
    decisions, questions, handoffs = project.about(entity)
    if here.json:
        out_marked(
            project,
            {"node": _facts(near.node), **sides, "ups": near.ups, "downs": near.downs,
             "about": {"decisions": [d.id for d in decisions], "questions": [q.id for q in questions], "handoffs": handoffs,
                       "items": cited(project, entity)["items"]},
             **({"catalogue": entry} if (entry := catalogued(project, near.node)) else {})}
        )  # fmt: skip
        return
    _show_node(project, near.node)
    for name, title, count in (("up", "COMES FROM", near.ups), ("down", "CAME OF IT", near.downs)):
        if sides[name] or not (up or down):
            console.out(f"{title} ({count})" if count else title)
            console.table(
                [[row["relation"] or plural(row["hops"], "hop"), row["kind"], with_standing(project, row["id"], row["title"]), row["id"]] for row in sides[name]]
                or [["nothing recorded"]],
                indent="  ",
            )  # fmt: skip
    for title, lines in (
        ("DECISIONS", [[project.code(d.id), d.decision.choice, d.decision.question] for d in decisions]),
        ("QUESTIONS", [[project.code(q.id), q.state, q.question.text] for q in questions]),
        ("EVIDENCE OF", cited_rows(project, entity)),
        ("HANDOFFS", [[project.look(h).checklist.gate.title, project.look(h).status.verdict, h] for h in handoffs]),
    ):
        if lines:
            console.out(title)
            console.table(lines, indent="  ")


def _facts(node: Node) -> dict[str, Any]:
    return {
        "id": node.id, "kind": node.kind, "title": node.title, "name": node.name, "version": node.version,
        "attrs": dict(node.attrs), "digests": dict(node.digests), "params": dict(node.params),
        "metrics": console.plain(node.metrics), "criteria": console.plain(node.criteria), "missing": node.missing(),
        "conflicts": node.conflicts, "t": node.t, "person": node.person, "source": node.source,
    }  # fmt: skip


def _show_node(project: Project, node: Node) -> None:
    console.out(f"{node.title}  {node.kind}  {node.id}")
    who = project.person_name(node.person)
    rows = recall_rows(project, node.id)
    if node.source is None:
        rows.append(["declared", f"by {who}, {console.moment(node.t)}"])
    else:  # the time is the source's, the name is whoever took it in
        rows += [
            ["time", console.moment(node.t)],
            ["taken in by", who],
            ["known as", f"{node.source[1]} in {node.source[0]}"],
        ]
    rows += catalogue_rows(project, node)
    rows += [[name, told(name, value)] for name, value in sorted(node.attrs.items())]
    rows += [[name, digest] for name, digest in sorted(node.digests.items())]
    rows += [["param " + name, value] for name, value in sorted(node.params.items())]
    rows += [
        ["metric " + m.name, " ".join(part for part in (m.value, m.unit, m.split and f"on {m.split}", m.slice) if part)]
        for m in node.metrics
    ]
    rows += [
        ["criterion " + c.id, f"{c.name} {c.op} {c.value} {c.unit} {c.split and 'on ' + c.split}"]
        for c in node.criteria
    ]
    rows += [["missing", name] for name in node.missing()]
    rows += [["in conflict", name] for name in node.conflicts]
    console.table(rows, indent="  ")


def _plain(here: Session, project: Project, entity: str, up: int | None, down: int | None, limit: int) -> None:
    """Write a node and what is around it, a line each: hops (below 0 for what it comes from), kind, name, id."""
    graph = project.graph
    sides = (up, down) if up or down else (1, 1)
    found: list[tuple[int, int]] = [(graph.number(entity), 0)]
    for sign, hops in ((-1, sides[0]), (1, sides[1])):
        found += [(no, sign * at) for no, at in graph.walk(entity, up=sign < 0, hops=hops)] if hops else []
    total, found = len(found), sorted(found[:limit], key=lambda one: one[1])
    rows = graph.rows([no for no, _ in found])
    if here.json:
        _say_set(project, _around(entity, sides), [no for no, _ in found], total, hops=[at for _, at in found])
        return
    console.table(
        [
            [f"{at:+d}" if at else "0", row.kind, with_standing(project, row.id, row.title), row.id]
            for row, (_, at) in zip(rows, found, strict=True)
        ]
    )
    more(total, len(found))


def _around(entity: str, sides: tuple[int | None, int | None]) -> str:
    from carnet_store.domain.selection import around

    return around(entity, sides[0] or 0, sides[1] or 0)


# --- a selection ----------------------------------------------------------------------------------------------------


def _selection(
    here: Session, project: Project, text: str, form: str | None, up: int | None, down: int | None, limit: int
) -> None:
    numbers = numbers_of(project, text, up, down) or []
    no_such_stage(project, text)
    graph = project.graph
    if form == "tree":
        lines = graph.forest(numbers, limit=limit)
        if here.json:
            out_marked(project, {"selection": text, "count": len(numbers), "up": _json_lines(lines)})
            return
        _draw(lines, _node_words(project, UP_WORDS), choose(here.env.environ))
        more(len(numbers), len({line.row.id for line in lines}))
        return
    if here.json:
        _say_set(project, text, numbers[:limit], len(numbers))
        return
    rows = graph.rows(numbers[:limit])
    if form == "plain":
        console.table([[row.kind, with_standing(project, row.id, row.title), row.id] for row in rows])
    else:
        console.table(
            [[row.kind, with_standing(project, row.id, row.title), console.day(row.t), row.id] for row in rows],
            ("kind", "name", "since", "id"),
        )
    more(len(numbers), len(rows))
    if not rows:
        console.talk("Nothing is selected.")


def _say_set(project: Project, text: str, numbers: Sequence[int], total: int, hops: Sequence[int] = ()) -> None:
    graph = project.graph
    rows = [row_of(row, name=row.name, version=row.version, t=row.t) for row in graph.rows(numbers)]
    if hops:
        rows = [{**row, "hops": at} for row, at in zip(rows, hops, strict=True)]
    edges = [
        {"src": one.src, "relation": one.relation, "dst": one.dst, "back": one.back} for one in graph.links(numbers)
    ]
    out_marked(project, {"selection": text, "count": total, "nodes": rows, "edges": edges})


# --- trees ----------------------------------------------------------------------------------------------------------


def _tree(here: Session, project: Project, entity: str, up: int | None, down: int | None, limit: int) -> None:
    graph = project.graph
    wanted = [("up", up or -1, UP_WORDS)] if up or not down else []
    wanted += [("down", down, DOWN_WORDS)] if down else []
    totals = graph.totals(entity)
    trees = [(side, graph.tree(entity, up=side == "up", hops=hops, limit=limit), said) for side, hops, said in wanted]
    if here.json:
        both: dict[str, Any] = {side: _json_lines(lines) for side, lines, _ in trees}
        out_marked(project, {**both, "totals": {"up": totals.up, "down": totals.down}})
        return
    for side, lines, said in trees:
        title, kinds = ("COMES FROM", totals.up) if side == "up" else ("CAME OF IT", totals.down)
        console.out(f"{title}  {counts(kinds)}")
        _draw(lines, _node_words(project, said), choose(here.env.environ))


def _json_lines(lines: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "line": at, **row_of(line.row), "relation": line.relation, "depth": line.depth,
            "parent": line.parent + 1 or None, "seen": line.seen + 1 or None, "more": line.more, "back": line.back,
        }
        for at, line in enumerate(lines, 1)
    ]  # fmt: skip


def _column(
    here: Session, project: Project, entity: str, field: str, up: int | None, down: int | None, limit: int
) -> None:
    """Write the trees of a column: what it came from, what came of it."""
    graph = project.graph
    sides = (up or 0, down or 0) if up or down else (ALL, ALL)
    found = graph.trace(entity, field, up=sides[0], down=sides[1], limit=limit)
    titles: dict[str, str] = {}

    def title(holder: str) -> str:
        if holder not in titles:
            titles[holder] = project.title(holder) if graph.find(holder) is not None else holder
        return titles[holder]

    if here.json:
        marked = graph.marked()
        both = {
            side: [
                {"line": at, "holder": one.column.holder, "title": title(one.column.holder), "field": one.column.field,
                 "how": one.how, "depth": one.depth, "seen": one.seen + 1 or None, "more": one.more,
                 "standing": marked.get(one.column.holder, "")}
                for at, one in enumerate(lines, 1)
            ]
            for side, lines in (("up", found.up), ("down", found.down))
        }  # fmt: skip
        column = {"holder": entity, "field": field, "standing": marked.get(entity, "")}
        console.out_json({"column": column, **both, "ups": found.ups, "downs": found.downs})
        return

    def words(one: ColumnLine) -> str:
        text = f"{one.column.field}  of {title(one.column.holder)}" + (f"  ({one.how})" if one.how else "")
        return with_standing(project, one.column.holder, text)

    for name, hops, lines, count in (
        ("COMES FROM", sides[0], found.up, found.ups), ("CAME OF IT", sides[1], found.down, found.downs)
    ):  # fmt: skip
        if hops:
            console.out(f"{name}  {plural(count, 'column') if count else 'nothing'}")
            _draw(lines, words, choose(here.env.environ))


def _node_words(project: Project, said: Mapping[str, str]) -> Callable[[TreeLine], str]:
    """Return what a line of a tree of nodes says; `said` has the words of the relations."""

    def words(line: TreeLine) -> str:
        named = ", ".join(said.get(one, one) for one in line.relation.split(", ")) if line.relation else ""
        text = with_standing(project, line.row.id, f"{named} {line.row.kind} {line.row.title}".strip())
        return text + ("  closes a cycle" if line.back else "")

    return words


def _draw(lines: Sequence[L], words: Callable[[L], str], glyphs: Glyphs) -> None:
    """Draw the lines of a tree, numbered where one points at another; what is left out stands after what is shown."""
    bar, tee, end = ("|", "|-", "`-") if glyphs.plain else ("│", "├─", "└─")
    numbered = len(str(len(lines))) + 1 if any(line.seen >= 0 for line in lines) else 0
    bars: list[bool] = []  # for each depth on the way here, whether a line follows further down
    folds: list[tuple[int, str, int]] = []

    def rails() -> str:
        return "".join(f"{bar if one else ' '}  " for one in bars)

    def fold_down_to(depth: int) -> None:
        while folds and folds[-1][0] >= depth:
            _, before, count = folds.pop()
            console.out(f"{'':{numbered}}{before}{end} {glyphs.ellipsis} {count:,} more")

    for at, line in enumerate(lines):
        fold_down_to(line.depth)
        del bars[max(0, line.depth - 1) :]
        branch = f"{rails()}{end if line.last else tee} " if line.depth else ""
        text = words(line)
        if line.seen >= 0:
            text += f"  {glyphs['up arrow' if line.seen < at else 'down arrow']} line {line.seen + 1}"
        console.out(f"{f'{at + 1} ' if numbered else '':>{numbered}}{branch}{text}")
        if line.depth:
            bars.append(not line.last)
        if line.more:
            folds.append((line.depth, rails(), line.more))
    fold_down_to(0)
