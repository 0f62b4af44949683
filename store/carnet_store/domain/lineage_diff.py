"""What differs between two nodes and all they come from: the same, only one's, and pairs that are the same thing in another version.

Things are paired by what they are to the two: their kind, the name people call them by, and their role, that is, what took them in and how. Of what
differs only the frontier is listed: a changed thing is named where the change comes in, and counts what changed because of it; something added or gone
is named where it is taken in, and counts what came along with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from carnet_store.domain.lineage import Metric, Node

OUTCOMES: Final = frozenset({"metric", "digest", "version"})
"""Groups of differences that follow from other changes; every other group is a change of its own."""
TRACES: Final = frozenset({"started", "ended", "created", "duration", "uri", "path", "reference", "size"})
"""Attributes that differ from one time to the next and are no change of their own either."""
BY_ROLE: Final = frozenset({"run", "code", "environment"})
"""Kinds whose names say little: what is alone in its role on both sides is paired under any name."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A node as far as pairing asks: id, kind, name, version."""

    id: str
    kind: str
    name: str
    version: str

    @property
    def title(self) -> str:
        """`churn@7` for a version, else the name, else the start of the id."""
        if self.name:
            return f"{self.name}@{self.version}" if self.version else self.name
        return f"{self.kind} {self.id.partition(':')[2][:8]}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs. `group` is param, metric, package, attr, digest, version or criterion; an empty side has none.

    `change` is right minus left where both are numbers.
    """

    group: str
    name: str
    left: str
    right: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that stands in both lineages in two versions. `pulls` counts what changed after it without a change of its own."""

    left: Thing
    right: Thing
    role: str
    differences: tuple[Difference, ...]
    pulls: int


@dataclass(frozen=True, slots=True)
class Lone:
    """A thing that only one lineage has. `role` says what took it in; `pulls` counts what came along with it."""

    thing: Thing
    role: str
    pulls: int


@dataclass(frozen=True, slots=True)
class LineageDiff:
    """How two lineages differ.

    Attributes:
        root: the two that were asked about, with every value that differs.
        same: how many nodes are in both.
        changed: how many pairs there are beside the root; `frontier` lists those where a change comes in, in the order of the flow from the root back.
        left_only, right_only: how many nodes only one has; `gone` and `added` list those that were taken in as such.
        unread: pairs whose values were not read, because there are too many.
    """

    root: Changed
    same: int
    changed: int
    left_only: int
    right_only: int
    frontier: tuple[Changed, ...]
    gone: tuple[Lone, ...]
    added: tuple[Lone, ...]
    unread: int = 0

    @property
    def alike(self) -> bool:
        """Whether nothing differs but the two ids."""
        return not (self.changed or self.left_only or self.right_only or self.root.differences)


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which node of the left lineage is which of the right.

    `pairs` are (left id, right id), the root first, then by distance from it; `roles` say for a left or lone id what took it in.
    """

    pairs: tuple[tuple[str, str], ...]
    things: Mapping[str, Thing]
    roles: Mapping[str, str]
    inputs: Mapping[str, Sequence[tuple[str, str]]]
    lone: tuple[tuple[str, ...], tuple[str, ...]]


def pair(
    left: str, right: str, lefts: Iterable[Thing], rights: Iterable[Thing], links: Iterable[tuple[str, str, str]]
) -> Pairing:
    """Pair the things that only one lineage has.

    Args:
        left: the id of the left root.
        right: the id of the right root.
        lefts: what only the left lineage has, the root among it.
        rights: what only the right lineage has, the root among it.
        links: edges among all of these as (earlier id, relation, later id).
    """
    sides = ({one.id: one for one in lefts}, {one.id: one for one in rights})
    things = {**sides[0], **sides[1]}
    inputs: dict[str, list[tuple[str, str]]] = {}
    for first, relation, last in links:
        if first in things and last in things:
            inputs.setdefault(last, []).append((relation, first))
    for group in inputs.values():
        group.sort(key=lambda one: (one[0], things[one[1]].kind, things[one[1]].title, one[1]))
    partner = {left: right}
    taken = {left, right}
    pairs = [(left, right)]
    roles: dict[str, str] = {}
    todo = deque(pairs)
    # From the roots back: two things have one role when paired things took them in by one relation.
    while todo:
        a, b = todo.popleft()
        groups = [_by_role(inputs.get(end, ()), side, taken) for end, side in ((a, sides[0]), (b, sides[1]))]
        for exact in (True, False):
            for key in sorted(groups[0].keys() & groups[1].keys()):
                ours, theirs = ([one for one in group[key] if one.id not in taken] for group in groups)
                if not exact and key[1] not in BY_ROLE:
                    continue
                for one, other in _matches(ours, theirs, exact=exact):
                    partner[one.id] = other.id
                    taken |= {one.id, other.id}
                    pairs.append((one.id, other.id))
                    todo.append((one.id, other.id))
                    roles[one.id] = _role(key[0], things[a])
    pairs += _left_over(sides, taken)
    for last, group in sorted(inputs.items()):
        for relation, first in group:
            roles.setdefault(first, _role(relation, things[last]))
    lone = tuple(tuple(sorted(one for one in side if one not in taken)) for side in sides)
    return Pairing(tuple(pairs), things, roles, inputs, (lone[0], lone[1]))


def _by_role(
    near: Sequence[tuple[str, str]], side: Mapping[str, Thing], taken: set[str]
) -> dict[tuple[str, str], list[Thing]]:
    found: dict[tuple[str, str], list[Thing]] = {}
    for relation, other in near:
        if other in side and other not in taken:
            found.setdefault((relation, side[other].kind), []).append(side[other])
    return found


def _matches(ours: Sequence[Thing], theirs: Sequence[Thing], *, exact: bool) -> list[tuple[Thing, Thing]]:
    """Match by name where a name stands once on each side; in the second round, what is alone in its role on both sides."""
    if not exact:
        return [(ours[0], theirs[0])] if len(ours) == len(theirs) == 1 else []
    names: dict[str, tuple[list[Thing], list[Thing]]] = {}
    for at, group in enumerate((ours, theirs)):
        for one in group:
            names.setdefault(one.name, ([], []))[at].append(one)
    return [(a[0], b[0]) for name, (a, b) in sorted(names.items()) if name and len(a) == len(b) == 1]


def _left_over(sides: tuple[Mapping[str, Thing], Mapping[str, Thing]], taken: set[str]) -> list[tuple[str, str]]:
    """Pair what still stands alone by kind and name, where each side has it once: its place in the lineage changed."""
    names: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for at, side in enumerate(sides):
        for one in side.values():
            if one.id not in taken and one.name:
                names.setdefault((one.kind, one.name), ([], []))[at].append(one.id)
    found = [(a[0], b[0]) for _, (a, b) in sorted(names.items()) if len(a) == len(b) == 1]
    taken.update(end for both in found for end in both)
    return found


def _role(relation: str, by: Thing) -> str:
    return f"made {by.title}" if relation == "made" else f"input of {by.title}"


def compare(pairing: Pairing, nodes: Mapping[str, Node], same: int) -> LineageDiff:
    """Tell what differs.

    Args:
        pairing: what `pair` returned.
        nodes: the nodes of as many pairs as were read, by id.
        same: how many nodes are in both lineages.
    """
    partner = dict(pairing.pairs)
    differences: dict[str, tuple[Difference, ...]] = {}
    unread = 0
    for left, right in pairing.pairs:
        if left in nodes and right in nodes:
            differences[left] = tuple(values(nodes[left], nodes[right]))
        else:
            differences[left] = ()
            unread += 1
    listed = _frontier(pairing, partner, differences)
    root = pairing.pairs[0][0]
    things = pairing.things
    changed = [
        Changed(things[left], things[partner[left]], pairing.roles.get(left, ""), differences[left], pulls)
        for left, pulls in listed.items()
        if left != root
    ]
    gone, added = (_lone(pairing, set(lone), partner) for lone in pairing.lone)
    return LineageDiff(
        Changed(things[root], things[partner[root]], "", differences[root], 0),
        same, len(pairing.pairs) - 1, len(pairing.lone[0]), len(pairing.lone[1]), tuple(changed), gone, added, unread,
    )  # fmt: skip


def _frontier(
    pairing: Pairing, partner: Mapping[str, str], differences: Mapping[str, Sequence[Difference]]
) -> dict[str, int]:
    """Return the left ids of the pairs to list, with how many others each pulls.

    A pair is listed where it has a change of its own, or nothing that changed went into it.
    """
    consumers: dict[str, list[str]] = {}
    moved: set[str] = set()  # pairs with a changed, added or missing input
    lefts = {right: left for left, right in pairing.pairs}
    root = pairing.pairs[0][0]
    for left, right in pairing.pairs:
        for end in (left, right):
            for _, other in pairing.inputs.get(end, ()):
                moved.add(left)
                source = other if other in partner else lefts.get(other, "")
                if source:
                    consumers.setdefault(source, []).append(left)
    own = {left: any(_is_own(one) for one in differences[left]) for left, _ in pairing.pairs}
    listed = [left for left, _ in pairing.pairs if own[left] or left not in moved]
    found: dict[str, int] = {}
    for left in listed:
        seen = {left}
        stack = [left]
        while stack:
            for other in consumers.get(stack.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        found[left] = sum(1 for other in seen - {left, root} if not own[other] and other in moved)
    return found


def _is_own(one: Difference) -> bool:
    return one.group not in OUTCOMES and not (one.group == "attr" and one.name in TRACES)


def _lone(pairing: Pairing, lone: set[str], partner: Mapping[str, str]) -> tuple[Lone, ...]:
    """List what a paired thing took in, with how much came along with it."""
    paired = {end for one in partner.items() for end in one}
    taken_in = {other for end in paired for _, other in pairing.inputs.get(end, ()) if other in lone}
    held = {other for end in lone for _, other in pairing.inputs.get(end, ()) if other in lone}
    tops = sorted(taken_in | (lone - held), key=lambda one: (pairing.things[one].kind, pairing.things[one].title, one))
    found = []
    for top in tops:
        seen = {top}
        stack = [top]
        while stack:
            for _, other in pairing.inputs.get(stack.pop(), ()):
                if other in lone and other not in seen:
                    seen.add(other)
                    stack.append(other)
        along = len(seen) - 1 - len((seen - {top}) & taken_in)
        found.append(Lone(pairing.things[top], pairing.roles.get(top, ""), along))
    return tuple(found)


# --- values of two nodes --------------------------------------------------------------------------------------------


def values(left: Node, right: Node) -> list[Difference]:
    """Return what differs between two nodes: version, digests, parameters, metrics, packages, criteria, attributes."""
    found = []
    if left.version != right.version:
        found.append(Difference("version", "version", left.version, right.version))
    found += _texts("digest", left.digests, right.digests)
    found += _texts("param", left.params, right.params)
    found += _metrics(left.metrics, right.metrics)
    found += _texts("criterion", _criteria(left), _criteria(right))
    ours, theirs = dict(left.attrs), dict(right.attrs)
    packages = [packages_of(attrs.get("packages")) for attrs in (ours, theirs)]
    if packages[0] is not None and packages[1] is not None:
        found += _texts("package", packages[0], packages[1])
        del ours["packages"], theirs["packages"]
    for name in sorted({*ours, *theirs}):
        a, b = text_of(ours.get(name)), text_of(theirs.get(name))
        if a != b:
            found.append(Difference("attr", name, a, b))
    return found


def _texts(group: str, left: Mapping[str, str], right: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(group, name, left.get(name, ""), right.get(name, ""), _minus(left.get(name), right.get(name)) if group == "param" else "")
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    ]  # fmt: skip


def _metrics(left: Sequence[Metric], right: Sequence[Metric]) -> list[Difference]:
    ours, theirs = _newest(left), _newest(right)
    found = []
    for key in sorted({*ours, *theirs}):
        a, b = ours.get(key), theirs.get(key)
        if a is not None and b is not None and (a == b or _equal(a, b)):
            continue
        name, split, part = key
        where = ", ".join(one for one in (split, part) if one)
        found.append(Difference("metric", f"{name} ({where})" if where else name, a or "", b or "", _minus(a, b)))
    return found


def _newest(metrics: Sequence[Metric]) -> dict[tuple[str, str, str], str]:
    """Return the value of the last step of each metric."""
    found: dict[tuple[str, str, str], str] = {}
    for one in sorted(metrics, key=lambda m: m.step):
        found[one.name, one.split, one.slice] = one.value
    return found


def _criteria(node: Node) -> dict[str, str]:
    return {
        row.id: f"{row.name} {row.op} {row.value} {row.unit} {row.split} {row.slice}".strip() for row in node.criteria
    }


def packages_of(value: Any) -> dict[str, str] | None:
    """Return the packages of an environment as name to version; None where the value lists none.

    Read are an object of names, and a list of `name==version`, of `[name, version]`, or of objects with `name` and `version`.
    """
    if isinstance(value, Mapping):
        return {str(name): text_of(version) for name, version in value.items()}
    if not isinstance(value, list | tuple):
        return None
    found: dict[str, str] = {}
    for one in value:
        if isinstance(one, Mapping) and "name" in one:
            found[str(one["name"])] = text_of(one.get("version"))
        elif isinstance(one, str):
            name, sign, version = one.partition("==")
            found[name.strip()] = version.strip() if sign else ""
        elif isinstance(one, list | tuple) and len(one) == 2:
            found[str(one[0])] = text_of(one[1])
        else:
            return None
    return found


def text_of(value: Any) -> str:
    """Return a value as text for people; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text_of(part)}" for name, part in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(text_of(part) for part in value)
    return str(value)


def _number(text: str | None) -> Decimal | None:
    try:
        found = Decimal(text or "")
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _equal(a: str, b: str) -> bool:
    one, other = _number(a), _number(b)
    return one is not None and one == other


def _minus(a: str | None, b: str | None) -> str:
    """Return b - a with its sign, empty where one of them is no finite number."""
    one, other = _number(a), _number(b)
    if one is None or other is None or abs(one.adjusted()) > 40 or abs(other.adjusted()) > 40:
        return ""
    return f"{(other - one).normalize():+f}"
