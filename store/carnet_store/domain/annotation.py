"""Annotations of a notebook: remarks on a cell, anchored by what the cell holds, so that they find it again after an edit.

- A cell is known by the SHA-256 over its kind and source, never by its place. The neighbours' digests and the start of its text help to find
  one that was changed.
- Threads: a reply names what it replies to. Anybody resolves a thread; nothing is taken away by it.
- An annotation whose cell is gone is orphaned and still shown. Annotations are talk: they are in no package and move no verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import msgspec

from carnet_store.core.canonical import sha256_hex
from carnet_store.core.fold import Change, Counts
from carnet_store.core.kind import kind

EXCERPT: Final = 200
"""Characters of a cell that stand in an annotation: by them people know it, and a changed cell is told from another."""
_ALIKE_BETWEEN: Final = 0.4
_ALIKE_BESIDE: Final = 0.5

How = Literal["exact", "moved", "near", "orphaned"]


class Near(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Digests of the cells before and after; empty at an end of the notebook."""

    before: str = ""
    after: str = ""


@kind("annotation.added", on=("document",), rule="closing", closed_by="annotation.resolved")
class Annotation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A remark on the cell whose digest is `cell` (the field too), or a reply (`to`: change id of what it replies to)."""

    text: str
    cell: str = ""
    near: Near = Near()
    excerpt: str = ""
    to: str = ""


@kind("annotation.resolved", on=("document",))
class AnnotationResolved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thread is settled, by whomever: `over` names its annotation."""

    note: str = ""


class Cell(NamedTuple):
    """A cell of a notebook as anchoring needs it: digest (`cell_digest`), kind (`code`, `markdown`, `raw`) and source."""

    digest: str
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Said:
    """Something said in a thread: the text, who, when (ms), change id."""

    text: str
    person: str
    t: int
    change: str


@dataclass(frozen=True, slots=True)
class Thread:
    """An annotation with its replies, oldest first. `resolved` is who settled it last and with which words, None while it is open."""

    id: str
    document: str
    annotation: Annotation
    person: str
    t: int
    replies: tuple[Said, ...]
    resolved: Said | None

    @property
    def state(self) -> str:
        """`open` or `resolved`."""
        return "resolved" if self.resolved else "open"


class Anchored(NamedTuple):
    """A thread with the index of the cell it belongs to (from 0; None where there is none) and how that was found."""

    thread: Thread
    at: int | None
    how: How


def cell_digest(kind_: str, source: str) -> str:
    """Return what a cell is known by: SHA-256 over kind, line feed, source."""
    return sha256_hex(f"{kind_}\n{source}".encode("utf-8", "replace"))


def near_of(cells: Sequence[Cell], at: int) -> Near:
    """Return the neighbours of the cell at index `at`."""
    return Near(
        before=cells[at - 1].digest if at > 0 else "", after=cells[at + 1].digest if at + 1 < len(cells) else ""
    )


def read_threads(document: str, changes: Sequence[Change]) -> list[Thread]:
    """Fold a document's annotations into threads, oldest first; resolved ones too, erased ones not.

    A reply to a reply joins its thread; one to something that is not here (erased, or not yet arrived) begins a thread of its own.
    """
    said = {c.id: (c, c.value) for c in changes if c.counts is Counts.YES and isinstance(c.value, Annotation)}
    roots: dict[str, str] = {}
    for one in said:
        _root(one, said, roots)
    settled: dict[str, list[Said]] = {}
    for c in changes:
        if c.counts is Counts.YES and isinstance(c.value, AnnotationResolved):
            for target in c.over:
                settled.setdefault(roots.get(target, target), []).append(Said(c.value.note, c.person, c.t, c.id))
    threads = []
    for root in sorted(set(roots.values()), key=lambda one: (said[one][0].t, one)):
        change, annotation = said[root]
        replies = [
            Said(value.text, c.person, c.t, c.id) for c, value in said.values() if roots[c.id] == root and c.id != root
        ]
        closings = settled.get(root, []) if not change.live else []
        threads.append(
            Thread(root, document, annotation, change.person, change.t, _ordered(replies), max(closings, key=_when, default=None))
        )  # fmt: skip
    return threads


def anchored(threads: Sequence[Thread], cells: Sequence[Cell]) -> list[Anchored]:
    """Return each thread with the cell it belongs to now, in the order of the cells, orphaned ones last.

    `exact`: the same cell beside a neighbour of then. `moved`: the same cell elsewhere. `near`: not that cell any more, but one in its
    place: alone between the neighbours of then, or beside one of them and alike. Else `orphaned`. Of several equal cells it is the one
    whose neighbours fit best.
    """
    places: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        places.setdefault(cell.digest, []).append(index)
    taken = {index for thread in threads for index in places.get(thread.annotation.cell, ())}
    found = [Anchored(thread, *_anchor(thread.annotation, cells, places, taken)) for thread in threads]
    return sorted(found, key=lambda one: (one.at is None, one.at or 0, one.thread.t, one.thread.id))


def _anchor(
    annotation: Annotation, cells: Sequence[Cell], places: dict[str, list[int]], taken: Collection[int]
) -> tuple[int | None, How]:
    same = places.get(annotation.cell, [])
    if same:
        fits = {index: _fit(annotation.near, near_of(cells, index)) for index in same}
        best = max(same, key=lambda index: (fits[index], -index))
        return best, "exact" if fits[best] else "moved"
    if not annotation.cell:
        return None, "orphaned"
    before = places.get(annotation.near.before, []) if annotation.near.before else [-1]
    after = places.get(annotation.near.after, []) if annotation.near.after else [len(cells)]
    spans = sorted((end - start, start, end) for start in before for end in after if start < end)
    if spans:
        _, start, end = spans[0]
        between = [index for index in range(start + 1, end) if index not in taken]
        if len(between) == 1 and end - start == 2:
            return between[0], "near"
        return _most_alike(annotation, cells, between, _ALIKE_BETWEEN)
    beside = [*(index + 1 for index in before), *(index - 1 for index in after)]
    return _most_alike(annotation, cells, [i for i in beside if 0 <= i < len(cells) and i not in taken], _ALIKE_BESIDE)


def _fit(then: Near, now: Near) -> int:
    """Return how many neighbours are those of then."""
    return (then.before == now.before) + (then.after == now.after)


def _most_alike(
    annotation: Annotation, cells: Sequence[Cell], among: Sequence[int], least: float
) -> tuple[int | None, How]:
    """Return the cell among these that begins most like the annotated one, where it does so enough."""
    scored = [(_alike(annotation.excerpt, cells[index].source), -index) for index in sorted(set(among))]
    score, index = max(scored, default=(0.0, 0))
    return (-index, "near") if score >= least else (None, "orphaned")


def _alike(excerpt: str, source: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, excerpt, source[: max(len(excerpt), 1)], autojunk=False).ratio() if excerpt else 0.0


def _root(change: str, said: dict[str, tuple[Change, Annotation]], roots: dict[str, str]) -> None:
    """Note what a reply's thread began with, and that of all on the way. A ring cannot be: each names what was signed before it."""
    way = [change]
    while way[-1] not in roots and (to := said[way[-1]][1].to) in said:
        way.append(to)
    root = roots.get(way[-1], way[-1])
    roots.update(dict.fromkeys(way, root))


def _ordered(rows: Sequence[Said]) -> tuple[Said, ...]:
    return tuple(sorted(rows, key=_when))


def _when(said: Said) -> tuple[int, str]:
    return said.t, said.change
