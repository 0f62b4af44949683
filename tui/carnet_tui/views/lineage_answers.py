"""Answers to questions of the lineage as rows: the ways between two nodes, what a change touches, how two nodes differ.

Each row may open something: a node, a handoff, a selection. Texts are cleaned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import COLUMN, quoted
from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, fit, fit_line, pad, plural
from carnet_tui.views import words
from carnet_tui.views.lineage_facts import shown
from carnet_tui.views.lineage_rows import of_kind
from carnet_tui.views.lineage_tree import WORDS

if TYPE_CHECKING:
    from carnet_store import Crossing, EntityRow, Impact, Project, Why
    from carnet_store.domain.columns import ColumnLine, Trace
    from carnet_store.domain.lineage_diff import Changed, Difference, LineageDiff, Lone, Thing

MANY: Final = 10**12
GROUPS: Final[Mapping[str, str]] = {
    "param": "parameter", "metric": "metric", "package": "package", "attr": "attribute", "digest": "digest", "version": "version",
    "criterion": "criterion",
}  # fmt: skip
"""Group of a difference -> what people call it."""
LABEL: Final = 12
NAME_CELLS: Final = 24
"""Cells of a name within a sentence; the head has all of it."""
COLUMN_CELLS: Final = 24
"""Cells of a column's name and what stands before it; what holds it stands behind."""
COLUMN_LINES: Final = 1_000
"""Lines of each of a column's trees."""
DEPLOYED: Final = 8
"""Deployments that an impact lists, the newest, so that sign-offs stay in view; the others are one row away."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A row. `key` is None for a head; `node`, `handoff`, `selection` and `column` are what it opens, `other` the left one of a pair."""

    key: str | None
    left: tuple[tuple[str, str], ...]
    right: str = ""
    node: str = ""
    other: str = ""
    handoff: str = ""
    selection: str = ""
    column: tuple[str, str] | None = None
    """(entity, field)."""
    about: tuple[str, ...] = ()
    """What is said of it below the list, a sentence each."""

    @property
    def is_value(self) -> bool:
        """Whether it is a value of a node, not the node itself."""
        return self.key is not None and self.key.startswith("value ")


@dataclass(frozen=True, slots=True)
class Answers:
    """An answer: its head, and its rows."""

    title: str
    said: str
    rows: tuple[Answer, ...]


def head(text: str) -> Answer:
    """Return a head over rows."""
    return Answer(None, ((text, "title"),))


def line(one: Answer, cells: int, glyphs: Glyphs) -> Line:
    """Return a row as a line of `cells` cells."""
    if one.key is None:
        return fit_line(one.left, cells, glyphs.ellipsis)
    right: Line = [(f"  {fit(one.right, max(8, cells // 2), glyphs.ellipsis)} ", "dim")] if one.right else []
    return both_ends(one.left, right, cells, glyphs.ellipsis)


def _node(row: EntityRow | Thing, style: str = "") -> tuple[tuple[str, str], ...]:
    return ((f"{clean(row.kind)} ", "dim"), (clean(row.title), style))


def _itself(row: EntityRow | Thing, about: str = "") -> Answer:
    """Return a node that was asked about as a row: where nothing else is to be told, one goes on from there."""
    return Answer(f"itself {row.id}", (("  ", ""), *_node(row, "bold")), node=row.id, about=(about,) if about else ())


# --- why --------------------------------------------------------------------------------------------------------------


def why(found: Why, glyphs: Glyphs) -> Answers:
    """Return the ways between two nodes: a line for each step, what stands on every way first."""
    to = f" {glyphs['to']} "
    title = (
        f"{clean(found.first.kind)} {clean(found.first.title)}{to}{clean(found.last.kind)} {clean(found.last.title)}"
    )
    if not found.paths:
        about = "m in the lineage marks a node, b on another one asks for the ways between the two."
        both = tuple(_itself(row, about) for row in (found.first, found.last))
        return Answers(title, "no way leads from one to the other", (head("NO WAY LEADS FROM ONE TO THE OTHER"), *both))
    count = "many" if found.total is None or found.total >= MANY else f"{found.total:,}"
    said = f"{len(found.paths)} shortest of {count}; {plural(found.between, 'node')} between"
    if not found.complete:
        said += "; the search was ended, there may be shorter ones"
    if found.turned:
        said += "; the marked one came later"
    choke = {row.id for row in found.choke}
    rows: list[Answer] = []
    if found.choke:
        rows.append(head("ON EVERY WAY"))
        rows += [
            Answer(f"choke {row.id}", ((f"{glyphs['here']} ", "accent"), *_node(row, "bold")), node=row.id, about=("Every way leads over it.",))
            for row in found.choke
        ]  # fmt: skip
    else:
        rows.append(head("ON EVERY WAY  nothing but the two"))
    for at, (path, relations) in enumerate(zip(found.paths, found.relations, strict=True), 1):
        rows.append(head(f"WAY {at}  {plural(len(path) - 1, 'step')}"))
        for step, row in enumerate(path):
            named = (
                ", ".join(WORDS["down"].get(one, clean(one)) for one in relations[step - 1].split(", ")) if step else ""
            )
            sign = (glyphs["here"], "accent") if row.id in choke else (" ", "")
            left = (
                (f"{sign[0]} ", sign[1]),
                (pad(named, 9) + " ", "dim"),
                *_node(row, "bold" if row.id in choke else ""),
            )
            rows.append(Answer(f"{at} {step} {row.id}", left, node=row.id))
    return Answers(title, said, tuple(rows))


# --- a column ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Traced:
    """A column's ways as they were read: the names of what holds columns, and which of those are things of the record."""

    found: Trace
    names: Mapping[str, str]
    declared: frozenset[str]
    spelled: str
    whole: int
    """How many nodes came of what holds the columns that came of it."""


def read_column(project: Project, entity: str, field: str) -> Traced:
    """Follow a column both ways; on the store's thread.

    Raises:
        NotFound: there is no such column.
    """
    graph = project.graph
    found = graph.trace(entity, field, limit=COLUMN_LINES)
    holders = dict.fromkeys([entity, *(line.column.holder for line in (*found.up, *found.down))])
    declared = frozenset(one for one in holders if graph.find(one) is not None)
    names = {one: clean(project.title(one) if one in declared else one) for one in holders}
    title = project.title(entity)
    alone = graph.select(column_text(title, field)) == [graph.number(entity)]
    spelled = title if alone else entity  # two things of one name: the id names this one
    tables = graph.select(column_text(spelled, field, "+"))
    whole = len(graph.reach(tables, 0, -1)) - len(tables)
    return Traced(found, names, declared, spelled, whole)


def column_text(spelled: str, field: str, hops: str = "") -> str:
    """Return the selection of what holds a column, of a thing as it is spelled; `hops` stands behind it."""
    return f"{COLUMN}:{quoted(f'{spelled}.{field}')}{hops}"


def column(read: Traced, glyphs: Glyphs) -> Answers:
    """Return where a column came from and what came of it, as two trees; then what uses all of the tables that hold it."""
    found = read.found
    holder, field = found.column
    rows: list[Answer] = []
    for title, lines, count in (("COMES FROM", found.up, found.ups), ("CAME OF IT", found.down, found.downs)):
        rows.append(head(f"{title}  {plural(count, 'column')}" if count else f"{title}  nothing recorded"))
        rows += [_column_line(title, at, line, lines, read, glyphs) for at, line in enumerate(lines) if line.depth]
        left = sum(line.more for line in lines)
        if left:
            rows.append(head(f"  {glyphs.ellipsis} {left:,} more; Enter on a column goes on from there"))
    if read.whole:
        text = f"({column_text(read.spelled, field, '+')})+"
        said = f"{plural(read.whole, 'node')} came of the tables that hold it or a column of it"
        rows += [head("USED WHOLE"), Answer("whole", ((said, ""),), selection=text, about=(text,))]
    said = "which columns it came from, and which came of it"
    return Answers(f"{read.names[holder]}.{clean(field)}", said, tuple(rows))


def _column_line(
    side: str, at: int, line: ColumnLine, lines: Sequence[ColumnLine], read: Traced, glyphs: Glyphs
) -> Answer:
    holder, field = line.column
    told = holder in read.declared
    seen = f"  {glyphs['up arrow' if line.seen < at else 'down arrow']} above" if 0 <= line.seen < at else ""
    seen = f"  {glyphs['down arrow']} below" if line.seen > at else seen
    left = (
        ("  " * line.depth, ""),
        (pad(clean(field), max(1, COLUMN_CELLS - 2 * line.depth)), "bold" if line.depth == 1 else ""),
        (f" {read.names[holder]}{seen}", "dim"),
    )
    about = () if told else (f"{read.names[holder]} is named by column lineage alone; nobody declared it.",)
    key = f"{side} {at} {holder} {field}"
    return Answer(
        key, left, clean(line.how), node=holder if told else "", column=(holder, field) if told else None, about=about
    )


# --- impact -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Touched:
    """An impact as it was read: with the names of people, and how the node is spelled."""

    found: Impact
    names: Mapping[str, str]
    spelled: str


def read_impact(project: Project, entity: str, spelled: str) -> Touched:
    """Walk down from a node; on the store's thread.

    Raises:
        NotFound: there is no such node.
    """
    found = project.graph.impact(entity)
    persons = {person for one in found.stale for person, _ in one.signers}
    return Touched(found, {person: clean(project.person_name(person)) for person in persons}, spelled)


def impact(read: Touched, glyphs: Glyphs) -> Answers:
    """Return what a change of a node would touch: deployments first, then sign-offs that would turn stale, then the rest."""
    found = read.found
    rows: list[Answer] = []
    deployed = found.kinds.get("deployment", 0)
    rows.append(head(f"DEPLOYED  {deployed:,}" if deployed else "DEPLOYED  nowhere that the record knows of"))
    if deployed:
        rows += [
            Answer(f"deployed {row.id}", (("  ", ""), *_node(row, "bold")), words.day(row.t), node=row.id)
            for row in found.deployments[:DEPLOYED]
        ]
        if deployed > DEPLOYED:
            rows.append(_more("deployed", deployed - DEPLOYED, _after(read.spelled, "deployment"), glyphs))
    signoffs = sum(len(one.signers) for one in found.stale)
    rows.append(
        head(f"SIGN-OFFS THAT WOULD TURN STALE  {signoffs:,}" if signoffs else "SIGN-OFFS THAT WOULD TURN STALE  none")
    )
    sign, _, style = glyphs.state("stale")
    for one in found.stale:
        who = ", ".join(f"{read.names.get(person, '')} as {words.role(role)}" for person, role in one.signers)
        rows.append(_crossing("stale", one, f"{sign} ", style, who))
    for name, said, some in (
        ("packages", "PACKAGES THAT HOLD IT, NO SIGN-OFF ON IT", found.packages),
        ("unseen", "PACKAGES THAT HOLD IT, NOT JUDGED HERE", found.not_judged),
        ("below", "HANDOFFS OF WHAT CAME OF IT", found.below),
    ):
        if some:
            rows.append(head(f"{said}  {len(some):,}"))
            rows += [_crossing(name, one, "  ", "", "") for one in some]
    if found.kinds:
        rows.append(head("CAME OF IT"))
        for kind, count in found.kinds.items():
            text = _after(read.spelled, kind) if kind in NODES else ""
            rows.append(
                Answer(
                    f"kind {kind}",
                    ((f"{count:>10,}  ", "bold"), (of_kind(count, kind).partition(" ")[2], "")),
                    selection=text,
                )
            )
    if not any(row.key for row in rows):
        rows += [head("NOTHING CAME OF IT YET"), _itself(found.node)]
    total = sum(found.kinds.values())
    said = (
        f"{plural(total, 'node')} came of it, {plural(found.steps, 'step')} at most"
        if total
        else "nothing came of it yet"
    )
    return Answers(f"{clean(found.node.kind)} {clean(found.node.title)}", said, tuple(rows))


def _after(spelled: str, kind: str) -> str:
    """Return the expression of what of a kind came of a node."""
    return f"{spelled}+,kind:{kind},not {spelled}"


def _crossing(name: str, one: Crossing, sign: str, style: str, who: str) -> Answer:
    crossing = words.crossing(one.from_stage, one.to_stage) if one.to_stage else ""
    left = ((sign, style), (clean(one.model.title), "bold"), (f"  {crossing}", ""))
    return Answer(
        f"{name} {one.handoff}",
        left,
        who,
        handoff=one.handoff,
        node=one.model.id,
        about=(f"signed by {who}",) if who else (),
    )


def _more(name: str, count: int, selection: str, glyphs: Glyphs) -> Answer:
    return Answer(f"{name} more", ((f"  {glyphs.ellipsis} {count:,} more", "dim"),), selection=selection)


# --- difference -------------------------------------------------------------------------------------------------------


def difference(found: LineageDiff, glyphs: Glyphs) -> Answers:
    """Return how two nodes differ with all they come from: their own values, what changed, what only one has."""
    root, to = found.root, f" {glyphs['to']} "
    left, right = clean(root.left.title), clean(root.right.title)
    shorts = [fit(name, NAME_CELLS, glyphs.ellipsis) for name in (left, right)]
    said = f"same {found.same:,}   changed {found.changed:,}   only {shorts[0]} {found.left_only:,}   only {shorts[1]} {found.right_only:,}"
    if found.alike:
        said += "   nothing differs"
    rows: list[Answer] = []
    if root.differences:
        rows.append(head("THE TWO THEMSELVES"))
        rows += _values("root", root.differences, root.right.id, root.left.id, to)
    if found.frontier:
        rows.append(head("CHANGED  where a change comes in"))
        for one in found.frontier:
            rows += _changed(one, to)
    for name, said_, sign, lone, style in (
        ("gone", f"ONLY IN {left}", "-", found.gone, "bad"), ("added", f"ONLY IN {right}", "+", found.added, "ok"),
    ):  # fmt: skip
        if lone:
            rows.append(head(said_))
            rows += [_lone(name, sign, style, one) for one in lone]
    if found.unread:
        rows.append(head(f"{plural(found.unread, 'pair')} further off: their values were not compared"))
    if not any(row.key for row in rows):
        rows += [head("NOTHING DIFFERS"), _itself(root.left), _itself(root.right)]
    return Answers(f"{clean(root.left.kind)} {left}{to}{right}", said, tuple(rows))


def _changed(one: Changed, to: str) -> list[Answer]:
    left, right = clean(one.left.title), clean(one.right.title)
    title = left if left == right else f"{left}{to}{right}"
    pulls = (
        (
            f"{plural(one.pulls, 'node')} changed after it without a change of {'its' if one.pulls == 1 else 'their'} own.",
        )
        if one.pulls
        else ()
    )
    row = Answer(
        f"pair {one.left.id}", (("~ ", "warn"), (f"{clean(one.right.kind)} ", "dim"), (title, "bold")),
        clean(one.role) + (f"   pulls {one.pulls:,}" if one.pulls else ""), node=one.right.id, other=one.left.id, about=pulls,
    )  # fmt: skip
    return [row, *_values(one.left.id, one.differences, one.right.id, one.left.id, to)]


def _values(name: str, differences: Sequence[Difference], node: str, other: str, to: str) -> list[Answer]:
    rows = []
    for one in differences:
        group, title = GROUPS.get(one.group, one.group), clean(one.name)
        before, after = (shown(text) if text else "none" for text in (one.left, one.right))
        left = (
            (f"    {pad(group, LABEL)}", "dim"), (f"{title}  ", ""), (before, "dim"), (to, "dim"), (after, "bold"),
        )  # fmt: skip
        change = f"({one.change})" if one.change else ""
        about = (
            group if group == title else f"{group} {title}",
            f"before: {before}",
            f"after: {after}{f'   {change}' if change else ''}",
        )
        rows.append(Answer(f"value {name} {one.group} {one.name}", left, change, node=node, other=other, about=about))
    return rows


def _lone(name: str, sign: str, style: str, one: Lone) -> Answer:
    pulls = f"   pulls {one.pulls:,}" if one.pulls else ""
    about = (f"{plural(one.pulls, 'node')} came along with it.",) if one.pulls else ()
    return Answer(
        f"{name} {one.thing.id}",
        ((f"{sign} ", style), *_node(one.thing)),
        clean(one.role) + pulls,
        node=one.thing.id,
        about=about,
    )
