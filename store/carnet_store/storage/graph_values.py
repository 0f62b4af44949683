"""Answers of the lineage graph: edges, totals, lines of a tree, ways from one node to another, the graph in the large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from carnet_store.storage.project import EntityRow


@dataclass(frozen=True, slots=True)
class Link:
    """An edge: `src` `relation` `dst` as it was recorded; it flows from `first` (what was there) to `last` (what came of it).

    `back` says that it closes a cycle, which two teams' records can do together; layouts leave it aside, views show it. `via` is the id of the node
    that it stands for, where a view leaves that one out; empty for an edge of the record.
    """

    src: str
    relation: str
    dst: str
    back: bool = False
    via: str = ""

    @property
    def first(self) -> str:
        """The end that was there first."""
        return self.src if self.relation == "made" else self.dst

    @property
    def last(self) -> str:
        """The end that came of it."""
        return self.dst if self.relation == "made" else self.src


@dataclass(frozen=True, slots=True)
class Totals:
    """How much lies before and after a node, by kind; the node itself is not counted."""

    up: Mapping[str, int]
    down: Mapping[str, int]

    @property
    def ups(self) -> int:
        """How many nodes it comes from."""
        return sum(self.up.values())

    @property
    def downs(self) -> int:
        """How many nodes came of it."""
        return sum(self.down.values())


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of a tree.

    Attributes:
        row: the node.
        relation: the edge to the line above (`used`, `made`, `from`, several with commas); empty for the root.
        depth: hops from the root.
        parent: number of the line above it, -1 for the root.
        last: whether nothing follows it under the same parent.
        seen: number of the line where the node is expanded, -1 where that is here.
        more: how many further nodes would stand under it.
        back: whether its edge closes a cycle.
        via: the nodes that its edge stands for, where a kind is left out.
    """

    row: EntityRow
    relation: str
    depth: int
    parent: int
    last: bool
    seen: int
    more: int
    back: bool
    via: tuple[EntityRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """How one node came of another.

    Attributes:
        first, last: the two, in the order of the flow; `turned` where that is not the order in which they were asked for.
        paths: the shortest paths, each a list of nodes from `first` to `last`; none where there is no path.
        relations: for each path, the relation of each of its edges.
        choke: what stands on every path, in order, the ends not counted.
        between: how many nodes lie between the two.
        total: how many paths there are; `paths.COUNTED_AT_MOST` is that or more; None where a cycle makes them uncountable.
        complete: whether the search looked at all it had to.
    """

    first: EntityRow
    last: EntityRow
    paths: tuple[tuple[EntityRow, ...], ...]
    relations: tuple[tuple[str, ...], ...]
    choke: tuple[EntityRow, ...]
    between: int
    total: int | None
    complete: bool
    turned: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """The graph collapsed by a property.

    Attributes:
        by: the property.
        groups: (value, how many nodes), largest first; the empty value is that of nodes that have none.
        links: (value of the earlier, value of the later, how many edges), most first; within one value too.
        components: sizes of the parts that hang together, largest first.
        back: edges that close a cycle.
        strange: edges of relations that this release does not know; they are in no answer.
    """

    by: str
    groups: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, str, int], ...]
    components: tuple[int, ...]
    back: int
    strange: int
