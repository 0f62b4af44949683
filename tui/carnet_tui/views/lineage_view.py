"""What the lineage screen shows: read for it on the store's thread, and its head as lines; the map's leaves and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from carnet_store.domain.selection import around
from carnet_tui.glyphs import Glyphs
from carnet_tui.graph_layout import LOUD, Leaf
from carnet_tui.layers_picture import Picture, of_focus
from carnet_tui.text import Line, both_ends, clean, fit, fit_line, line_width, plural, width
from carnet_tui.views import lineage_asked, lineage_standing
from carnet_tui.views.lineage_asked import Around, Asked
from carnet_tui.views.lineage_rows import counts
from carnet_tui.views.lineage_standing import Standing

if TYPE_CHECKING:
    from carnet_store import EntityRow, Focus, Fold, Project, Totals

KINDS = (
    "dataset", "run", "code", "environment", "document", "model", "feature", "criteria", "check", "review", "drill",
    "deployment", "incident", "glossary",
)  # fmt: skip
"""Kinds of nodes that a person may declare, in the order in which they are offered."""
TABS = (("focus", "Focus"), ("tree", "Tree"), ("list", "List"), ("overview", "Overview"))
"""The views of one selection: name, title."""
FOLD = "fold "
"""How the key of a fold in a picture begins: `fold SIDE KIND PARENT`."""
NAME_AT_LEAST = 8
"""Cells that the head leaves for a name; where it cannot, it does without the counts."""
RELATED = {"used": "used", "from": "comes from", "made": "made"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is shown, as far as the first frame needs it.

    Attributes:
        asked: what was asked for.
        text: its expression.
        centre: the node in the middle; None for a set.
        focus: what is drawn; None where it is too much for a picture.
        nos: local numbers of what is drawn.
        numbers: the nodes of a set, newest first; None while they were not looked up.
        kinds: how many of the set there are of each kind.
        totals: how much lies before and after the centre in all; None while it was not counted.
        picture: `focus` as cells, where it is more than one hop or a set; `marks` are what it was drawn with.
        bad: by the key of a fold, how many it hides that are recalled, and how many tainted.
    """

    asked: Asked
    text: str
    centre: EntityRow | None
    focus: Focus | None
    nos: Mapping[str, int]
    numbers: Sequence[int] | None = None
    kinds: Mapping[str, int] | None = None
    totals: Totals | None = None
    picture: Picture | None = None
    marks: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    bad: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The edges that the picture draws, as keys from left to right, each once."""
        focus = self.focus
        if focus is None:
            return []
        found = list(dict.fromkeys((link.first, link.last) for link in focus.links if not link.back))
        for fold in focus.folds:
            key = fold_key(fold)
            found.append((key, fold.parent) if fold.side == "up" else (fold.parent, key))
        return found

    @property
    def name(self) -> str:
        """What a trail calls it: the node, or the expression where that says more; cleaned."""
        if self.centre is not None and self.asked == Around(self.centre.id):
            return clean(self.centre.title)
        return clean(self.text)


@dataclass(frozen=True, slots=True)
class Step:
    """Where one was: what was shown, in which view, the row one left it by, and in which project."""

    asked: Asked
    name: str
    view: str
    cursor: str
    fold: str
    group: str
    project: str


@dataclass(frozen=True, slots=True)
class Stand:
    """What the screen shows, and the way there: enough to show it again."""

    step: Step
    steps: tuple[Step, ...]
    order: int
    by: int


def read_scene(project: Project, asked: Asked | None, standing: Standing, glyphs: Glyphs) -> Scene | None:
    """Read what the first frame needs; without `asked` for the newest model that is linked. None where nothing is declared.

    Raises:
        SelectionError: an expression cannot be read. NotFound, Usage: it names a node or a person that is not there.
    """
    graph = project.graph
    if asked is None:
        row = lineage_asked.centre_of(project)
        if row is None:
            return None
        asked = Around(row.id)
    if isinstance(asked, Around):
        no = graph.find(asked.entity)
        if no is None or not graph.lineage({no}):  # an edge of a newer bundle may lead there, or nothing does
            return Scene(asked, around(asked.entity), project.row(asked.entity), None, {}, (), {})
    text = lineage_asked.expression(graph, asked)
    if isinstance(asked, Around):
        keep = lineage_standing.to_keep(project, standing, asked.entity, asked.up, asked.down)
        focus = lineage_asked.focus(graph, asked, keep)
        scene = Scene(asked, text, project.row(asked.entity), focus, _numbered(project, focus))
        return _drawn(project, scene, standing, glyphs)
    found = lineage_asked.numbers(graph, asked)
    drawn = lineage_asked.drawing(project, found)
    return _drawn(project, Scene(asked, text, None, drawn, _numbered(project, drawn), found), standing, glyphs)


def read_rest(project: Project, scene: Scene, standing: Standing, glyphs: Glyphs) -> Scene:
    """Return a scene with what needs the whole graph: totals, the numbers of the set; and nothing folded away that must be seen."""
    graph = project.graph
    if isinstance(scene.asked, Around) and scene.focus is None:
        return scene
    found = lineage_asked.numbers(graph, scene.asked) if scene.numbers is None else scene.numbers
    scene = replace(scene, numbers=found, kinds=graph.by_kind(found))
    if not isinstance(scene.asked, Around):
        return _drawn(project, scene, standing, glyphs)
    keep = lineage_standing.to_keep(project, standing, scene.asked.entity, scene.asked.up, scene.asked.down)
    focus = lineage_asked.focus(graph, scene.asked, keep)
    totals = graph.totals(scene.asked.entity)
    if focus != scene.focus:
        scene = replace(scene, focus=focus, nos=_numbered(project, focus), picture=None)
    return _drawn(project, replace(scene, totals=totals), standing, glyphs)


def _drawn(project: Project, scene: Scene, standing: Standing, glyphs: Glyphs) -> Scene:
    """Return a scene with its picture, where it has one: laying out a hundred nodes takes longer than a key may."""
    focus = scene.focus
    if focus is None:
        return scene
    bad: dict[str, Mapping[str, int]] = {}
    if isinstance(scene.asked, Around):
        found = lineage_standing.in_folds(project, standing, focus, scene.asked)
        bad = {fold_key(fold): counts for fold, counts in found.items()}
        if scene.asked.near:
            return replace(scene, bad=bad)
    marks: dict[str, tuple[str, str, str]] = {}
    for one in focus.nodes:
        mark = lineage_standing.mark(standing.states(one.row.id, scene.nos.get(one.row.id)), glyphs)
        if mark[0]:
            marks[one.row.id] = mark
    if scene.picture is not None and (marks, bad) == (scene.marks, scene.bad):
        return scene
    picture = of_focus(focus, plain=glyphs.plain, ellipsis=glyphs.ellipsis, marks=marks, bad=bad)
    return replace(scene, picture=picture, marks=marks, bad=bad)


def fold_key(fold: Fold) -> str:
    """Return the key under which a picture draws a fold."""
    return f"{FOLD}{fold.side} {fold.kind} {fold.parent}"


def _numbered(project: Project, focus: Focus | None) -> dict[str, int]:
    if focus is None:
        return {}
    found = ((one.row.id, project.graph.find(one.row.id)) for one in focus.nodes)
    return {entity: no for entity, no in found if no is not None}


def verdict_of(project: Project, handoff: str) -> str:
    """Return a handoff's verdict in a word, or why it cannot be told here."""
    from carnet_store import CarnetError

    try:
        return project.look(handoff).status.verdict
    except CarnetError:
        return "cannot be judged here"


# --- the map ----------------------------------------------------------------------------------------------------------


def leaf(row: EntityRow, mark: tuple[str, str, str] = ("", "", ""), relation: str = "") -> Leaf:
    """Return an entity as a leaf of the map; `mark` is what is up with it."""
    sign, word, style = mark
    return Leaf(row.id, clean(row.kind), clean(row.title), relation, sign, word, style, bool(sign))


def leaves(scene: Scene, standing: Standing, glyphs: Glyphs) -> tuple[list[Leaf], list[Leaf]]:
    """Return what a node comes from and what came of it, one hop, each once; several relations stand in one text."""
    focus = scene.focus
    if focus is None:
        return [], []
    relations: dict[str, list[str]] = {}
    closing: set[str] = set()
    for link in focus.links:
        if focus.centre in (link.src, link.dst) and link.src != link.dst:
            other = link.dst if link.src == focus.centre else link.src
            relations.setdefault(other, []).append(link.relation)
            closing |= {other} if link.back else set()
    sides: tuple[list[Leaf], list[Leaf]] = ([], [])
    for one in focus.nodes:
        if one.row.id == focus.centre:
            continue
        entity = one.row.id
        states = standing.states(entity, scene.nos.get(entity))
        if entity in closing and not set(states) & set(LOUD):
            states = ("cycle",)
        mark = lineage_standing.mark(states, glyphs)
        made = leaf(one.row, mark, ", ".join(dict.fromkeys(relations.get(entity, ()))))
        # A sign alone says little against many siblings: only what must be seen keeps its place.
        keep = scene.nos.get(entity) in standing.loud or entity in closing
        sides[0 if one.hops < 0 else 1].append(replace(made, keep=keep))
    return sides


def folds(scene: Scene) -> dict[str, dict[str, int]]:
    """Return how many neighbours of the centre are not at hand, by side and kind."""
    found: dict[str, dict[str, int]] = {"up": {}, "down": {}}
    focus = scene.focus
    if focus is None:
        return found
    for fold in focus.folds:
        if fold.parent == focus.centre:
            found[fold.side][clean(fold.kind)] = found[fold.side].get(clean(fold.kind), 0) + fold.count
    return found


def bad_in_folds(scene: Scene) -> dict[str, dict[str, int]]:
    """Return how many neighbours of the centre that are not at hand are recalled or tainted, by side and word."""
    found: dict[str, dict[str, int]] = {"up": {}, "down": {}}
    focus = scene.focus
    if focus is None:
        return found
    for fold in focus.folds:
        if fold.parent == focus.centre:
            for word, count in scene.bad.get(fold_key(fold), {}).items():
                found[fold.side][word] = found[fold.side].get(word, 0) + count
    return found


def relation_of(scene: Scene, entity: str) -> tuple[str, bool]:
    """Return how a drawn node hangs together with the centre, in words, and whether such an edge closes a cycle."""
    focus = scene.focus
    if focus is None or entity == focus.centre:
        return "", False
    if scene.centre is None:
        return "", any(link.back for link in focus.links if entity in (link.src, link.dst))
    names = {one.row.id: clean(one.row.title) for one in focus.nodes}
    said, back = [], False
    for link in focus.links:
        if {link.src, link.dst} == {focus.centre, entity}:
            said.append(f"{names[link.src]} {RELATED.get(link.relation, clean(link.relation))} {names[link.dst]}")
            back = back or link.back
    return "; ".join(dict.fromkeys(said)), back


def runs_at(scene: Scene, entity: str, glyphs: Glyphs) -> list[str]:
    """Return the runs that the drawn edges of a node stand for, each with what went in and what came out: `r-012: telco › churn@2`."""
    focus = scene.focus
    if focus is None or not focus.via:
        return []
    names = {row.id: clean(row.title) for row in (*(one.row for one in focus.nodes), *focus.via)}
    ends: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for link in focus.links:
        if link.via and entity in (link.first, link.last):
            firsts, lasts = ends.setdefault(link.via, ({}, {}))
            firsts[names[link.first]] = lasts[names[link.last]] = None
    to = f" {glyphs['to']} "
    return [f"{names[run]}: {', '.join(firsts)}{to}{', '.join(lasts)}" for run, (firsts, lasts) in ends.items()]


# --- the head ---------------------------------------------------------------------------------------------------------


def headline(scene: Scene, mark: tuple[str, str, str], cells: int, glyphs: Glyphs, small: str = "") -> Line:
    """Return the line above a view: what is looked at, and how much lies before and after it; `small` is a view's title in a small terminal."""
    tail: Line = [(f"  {small} ", "dim")] if small else []
    if scene.centre is None:
        what = counts(scene.kinds) if scene.kinds is not None else plural(len(scene.numbers or ()), "node")
        return both_ends([(" ", ""), (what, "bold")], tail, cells, glyphs.ellipsis)
    sign, word, style = mark
    before: Line = [(" ", ""), (f"{clean(scene.centre.kind)} ", "dim")]
    after: Line = [(f"  {' '.join(part for part in (sign, word) if part)}", style)] if sign else []
    name = clean(scene.centre.title)
    right: Line = tail
    for text in _totals(
        scene, glyphs
    ):  # the fullest that leaves the name whole; else the name is cut, never what is counted
        right = [(f"   {text} ", "dim"), *tail]
        if line_width(before) + width(name) + line_width(after) + line_width(right) <= cells:
            break
    room = cells - line_width(before) - line_width(after) - line_width(right)
    if room < min(NAME_AT_LEAST, width(name)):
        return both_ends([*before, (name, "bold"), *after], tail, cells, glyphs.ellipsis)
    return both_ends([*before, (fit(name, room, glyphs.ellipsis), "bold"), *after], right, cells, glyphs.ellipsis)


def _totals(scene: Scene, glyphs: Glyphs) -> list[str]:
    """Return what lies before and after the centre in words, the longest text first."""
    above, below = glyphs["above"], glyphs["below"]
    if scene.totals is None:
        ups, downs = (_near(scene, side) for side in ("up", "down"))
        return [f"comes from {ups:,}   used by {downs:,}", f"{above}{ups:,} {below}{downs:,}"]
    up, down = scene.totals.up, scene.totals.down
    ups, downs = scene.totals.ups, scene.totals.downs
    data = f" ({plural(up['dataset'], 'dataset')})" if up.get("dataset") else ""
    live = f" ({down['deployment']:,} deployed)" if down.get("deployment") else ""
    return [
        f"{above} {ups:,} up{data}  {below} {downs:,} down{live}",
        f"{above} {ups:,} up  {below} {downs:,} down",
        f"{above}{ups:,} {below}{downs:,}",
    ]


def _near(scene: Scene, side: str) -> int:
    focus = scene.focus
    if focus is None:
        return 0
    hop = -1 if side == "up" else 1
    return sum(one.hops == hop for one in focus.nodes) + focus.hidden(focus.centre, side)


def tabs(view: str, text: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the views by name, the one shown marked, and the expression that all of them show."""
    left: Line = [(" ", "")]
    for name, title in TABS:
        left += [(title, "here" if name == view else "dim"), ("  ", "")]
    room = cells - line_width(left) - 3
    if room < 8:
        return fit_line(left, cells, glyphs.ellipsis)
    return both_ends(left, [(f"  {fit(clean(text), room, glyphs.ellipsis)} ", "")], cells, glyphs.ellipsis)


def rule(names: Sequence[str], here: str, note: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the rule under the head; in it, where there is one, the way one came, and a note at its end (the order of a list)."""
    right: Line = [(f" {note} ", "dim"), (glyphs["rule"] * 2, "rule")] if note and width(note) + 20 < cells else []
    room = cells - line_width(right)
    left: Line = trail(names, here, room - 4, glyphs) if names else []
    fill = room - line_width(left)
    return [*left, (glyphs["rule"] * fill, "rule"), *right]


def step_at(line: Line, count: int, x: int) -> int | None:
    """Return which of `count` steps of a trail stands at a cell of its line; None where none does. The oldest may have found no room."""
    names = []
    at = 0
    for text, style in line:
        if style == "accent":
            break
        if not style and text.strip():
            names.append(range(at, at + width(text)))
        at += width(text)
    else:
        return None
    return next((count - len(names) + number for number, cells in enumerate(names) if x in cells), None)


def trail(names: Sequence[str], here: str, cells: int, glyphs: Glyphs) -> Line:
    """Return the way one came, the oldest steps left out where there is no room; no wider than `cells`."""
    to = f" {glyphs['to']} "
    kept = list(names)
    while True:
        line: Line = [(" ", ""), *([(f"{glyphs.ellipsis}{to}", "dim")] if len(kept) < len(names) else [])]
        for name in kept:
            line += [(fit(name, 24, glyphs.ellipsis), ""), (to, "dim")]
        line += [(here, "accent"), (" ", "")]
        if line_width(line) <= cells:
            return line
        if not kept:
            return fit_line(line, cells, glyphs.ellipsis)
        kept.pop(0)
