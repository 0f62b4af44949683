"""What a lineage screen shows, as a selection: a node with the hops around it, or whatever an expression names.

Every view shows the same set, so that a reviewer opens exactly what its author saw: `expression` writes it as `carnet lineage` reads it, `read` takes
it back. All of this asks the graph and runs on the store's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from carnet_store.domain import selection
from carnet_store.domain.lineage import NODES
from carnet_store.domain.selection import ALL, Hops, Not, Selection, Term, Union, parse, quoted, write
from carnet_store.errors import CarnetError, NotFound, Usage
from carnet_tui.text import clean, width

if TYPE_CHECKING:
    from carnet_store import EntityRow, Focus, Graph, Project

EVERYTHING: Final = "*"
RUN: Final = "run"
"""The kind that a picture may leave out."""
NO_RUNS: Final = f"not kind:{RUN}"
FAR: Final = selection.MAX_HOPS
BEGUN_AMONG: Final = 20
"""Of so many of the newest model versions one that is linked is looked for to begin with: a registry may name models of which it knows nothing else."""
DRAWN_AT_MOST: Final = 120
"""Nodes of a picture; of more no picture says anything."""
FAN: Final = 20
"""Siblings of one kind under one node that a picture shows."""
NEAR_FAN: Final = 40
"""The same where there is one hop alone, which is a list on either side."""
CALLED_AT_MOST: Final = 100
"""Nodes with a text in their names that are looked through for those that are called just so."""
NAME_CELLS: Final = 40
"""A longer name is spelled by its id."""
ID_LETTERS: Final = 12
_OPERATORS: Final = frozenset('+:,^()*"')

EXAMPLES: Final = (
    ("+NODE", "all that it comes from"),
    ("2+NODE+1", "two hops up, one down"),
    ("NODE+", "all that came of it"),
    ("OTHER..NODE", "every node between the two"),
    ("OTHER ^ NODE", "what only one of the two lineages has"),
    ("kind:run,since:14d", "runs of the last 14 days"),
    ("kind:run not status:failed", "runs without the failed ones"),
    ("status:recalled status:tainted", "what is recalled, and what came of that"),
    ("stage:operations", "model versions that stand there"),
    ("attr.team:risk param.seed:7", "by attribute or parameter"),
    (EVERYTHING, "everything; the overview has it in the large"),
)
"""Expressions and what they name, for help; NODE and OTHER stand for names."""


@dataclass(frozen=True, slots=True)
class Around:
    """A node with what lies `up` hops before and `down` hops after it, `ALL` for every hop; without `runs` these are left out."""

    entity: str
    up: int = 1
    down: int = 1
    runs: bool = True

    @property
    def near(self) -> bool:
        """Whether it is one hop at most: then it is a list on either side, and needs no picture."""
        return self.runs and 0 <= self.up <= 1 and 0 <= self.down <= 1

    def wider(self, step: int) -> Around:
        """Return the same with more hops each way, or fewer; never less than one."""
        up, down = (max(1, hops + step) if hops > 0 else hops for hops in (self.up, self.down))
        return replace(self, up=up, down=down)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an expression names."""

    text: str


Asked = Around | Chosen


def is_words(text: str) -> bool:
    """Say whether a text has no sign of the language: then it is looked for, as a name or a word."""
    words = text.split()
    if not _OPERATORS.isdisjoint(text) or ".." in text or "not" in words:
        return False
    return not any(word.startswith("'") for word in words)


def called(project: Project, text: str) -> list[EntityRow]:
    """Return the nodes of which a text as a whole is the name, `name@version` or id, whatever signs it has; newest first."""
    wanted = text.strip()
    try:
        rows = [project.row(project.resolve(wanted, *NODES))]
    except NotFound:
        return []
    except Usage:  # several are called so, or something else begins so
        rows = project.entities(*NODES, text=wanted, limit=CALLED_AT_MOST)
    return [row for row in rows if wanted in (row.name, row.title, row.id)]


def read(graph: Graph, text: str) -> Asked:
    """Return what an expression asks for.

    Raises:
        SelectionError: it cannot be read. NotFound, Usage: it names a node or a person that is not there.
    """
    root = parse(text).root
    runs = True
    if isinstance(root, Union) and len(root.parts) == 2 and root.parts[1] == Not(Term("kind", "run")):
        root, runs = root.parts[0], False
    if isinstance(root, Hops) and isinstance(root.of, Term):
        found = graph.select(Selection(write(root.of), root.of))
        if len(found) == 1:
            entity = graph.rows(found)[0].id
            if runs or not entity.startswith("run:"):
                return Around(entity, root.up, root.down, runs)
    return Chosen(text.strip())


def expression(graph: Graph, asked: Asked) -> str:
    """Return what is asked for as an expression: read by `carnet lineage` it names the same set."""
    if isinstance(asked, Chosen):
        return asked.text
    before, after = ("" if not hops else "+" if hops == ALL else str(hops) for hops in (asked.up, asked.down))
    before += "+" if before and before != "+" else ""
    term = spelled(graph, asked.entity)
    return f"{before}{term}{'' if not after else after if after == '+' else f'+{after}'}{'' if asked.runs else f' {NO_RUNS}'}"


def spelled(graph: Graph, entity: str) -> str:
    """Return the shortest text that names a node and nothing else: its name, with its kind, else by the start of its id."""
    no = graph.number(entity)
    row = graph.rows([no])[0]
    kind, _, rest = entity.partition(":")
    tries: list[str] = []
    if row.name and clean(row.title) == row.title and width(row.title) <= NAME_CELLS:
        tries += [quoted(row.title), f"{kind}:{quoted(row.title)}"]
    tries.append(f"{kind}:{quoted(rest[:ID_LETTERS])}")
    for text in tries:
        if _names(graph, text) == [no]:
            return text
    return selection.around(entity)


def _names(graph: Graph, text: str) -> Sequence[int]:
    try:
        return graph.select(text)
    except CarnetError:
        return ()


def numbers(graph: Graph, asked: Asked) -> list[int]:
    """Return the nodes that are asked for, as local numbers, newest first.

    Raises:
        SelectionError: the expression cannot be read. NotFound, Usage: it names a node or a person that is not there.
    """
    if isinstance(asked, Chosen):
        return graph.select(asked.text)
    found = graph.reach([graph.number(asked.entity)], asked.up, asked.down)
    order = graph.ordered(found)
    if asked.runs:
        return order
    return [no for no, row in zip(order, graph.rows(order), strict=True) if row.kind != "run"]


def focus(graph: Graph, asked: Around, keep: Sequence[str] = ()) -> Focus:
    """Return a node with its neighbourhood, many siblings folded; `keep` are not.

    Raises:
        NotFound: there is no such node.
    """
    up, down = (FAR if hops == ALL else hops for hops in (asked.up, asked.down))
    fan = NEAR_FAN if asked.near else FAN
    limit = 14 * 2 * NEAR_FAN if asked.near else DRAWN_AT_MOST
    return graph.focus(asked.entity, up, down, fan=fan, limit=limit, keep=keep, without="" if asked.runs else RUN)


def drawing(project: Project, found: Sequence[int]) -> Focus | None:
    """Return a set as something to draw, with every edge among its nodes; None where it is too large for a picture."""
    from carnet_store import Focus, FocusNode

    if not 0 < len(found) <= DRAWN_AT_MOST:
        return None
    graph = project.graph
    rows = graph.rows(found)
    return Focus(rows[0].id, tuple(FocusNode(row, 0) for row in rows), tuple(graph.links(found)), ())


def _is_linked(project: Project, row: EntityRow) -> bool:
    near = project.neighbours(row.id, 1)
    return bool(near.up or near.down)


def centre_of(project: Project) -> EntityRow | None:
    """Return the node to begin with: the newest model version that is linked to anything, else the newest thing; None where there is none."""
    models = project.entities("model", limit=BEGUN_AMONG)
    newest = models or project.entities(limit=1)
    return next((one for one in models if _is_linked(project, one)), newest[0] if newest else None)


def within(text: str, term: str) -> str:
    """Return the expression of those of a selection that a term names too."""
    if text == EVERYTHING:
        return term
    root = parse(text).root
    inside = text if isinstance(root, Term | Hops) else f"({text})"
    return f"{inside},{term}"
