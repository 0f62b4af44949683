"""Recalling a node, and lifting that: what it touches is shown before, and the first characters of the node's digest are typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from carnet_store.errors import NotFound
from carnet_tui.desk_screen import DeskScreen
from carnet_tui.text import clean, fit, plural
from carnet_tui.views import words
from carnet_tui.views.lineage_rows import counts
from carnet_tui.widgets.dialogs import DigestDialog, Reason
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.lineage import Node

LISTED: Final = 12
SAID_CELLS: Final = 77
"""Cells of a sentence in the status line of a terminal of 80."""
HEX: Final = frozenset("0123456789abcdef")
SHORTEST: Final = 16
"""Characters of a digest that one can be asked to type from."""


def why_not(project: Project, entity: str) -> str | None:
    """Return why a node can be neither recalled nor lifted; None where it can."""
    if not entity:
        return "nothing is chosen"
    return None if project.node(entity) is not None else "it is not declared here"


def digest_of(node: Node) -> str:
    """Return the digest that one types: the thing's own where it has one, else that of all that is recorded of it."""
    for name in ("sha256", *node.digests):
        value = node.digests.get(name, "").casefold()
        if len(value) >= SHORTEST and set(value) <= HEX:
            return value
    return node.state


def touched(project: Project, entity: str) -> list[str]:
    """Return in words what a recall of a node touches: handoffs that shut first, then how much is tainted; on the store's thread."""
    shut: Counter[str] = Counter()
    for handoff in project.crossings_of(entity):
        crossing = words.crossing(handoff.opened.from_stage, handoff.opened.to_stage)
        shut[f"{clean(project.title(handoff.opened.model))}, {crossing}"] += 1
    graph = project.graph
    down = graph.totals(entity).down
    gates = plural(shut.total(), "gate")
    lines = [f"{gates} shut, sign-offs of their round are void:" if shut else "No gate is touched."]
    lines += [f"  - {one}{f', {times} times' if times > 1 else ''}" for one, times in list(shut.items())[:LISTED]]
    lines += [f"  - and {len(shut) - LISTED:,} more"] if len(shut) > LISTED else []
    lines.append(f"Tainted: {counts(down, 5)}." if down else "Nothing came of it yet.")
    if down.get("deployment"):
        lines.append(f"{plural(down['deployment'], 'deployment')} made of it: a recall takes none of them back.")
    return lines


async def recall_flow(screen: DeskScreen, entity: str) -> None:
    """Recall a node, or lift its recall where it is recalled.

    Raises:
        NotFound: it is not declared here.
    """
    project = screen.project
    node = project.node(entity)
    if node is None:
        raise NotFound("that node is not declared here", "a newer bundle may bring it")
    name = f"{clean(node.kind)} {clean(node.title)}"
    standing = [one for one in project.recalls() if one.entity == entity]
    ledger = project.id

    def read() -> list[str]:
        with screen.desk.clone() as desk:
            return touched(desk.store.project(ledger), entity)

    lines: Sequence[str] = await screen.aside(read, saying="Looking what it touches")
    if standing:
        title, verb = f"Lift the recall of {name}", "lift it"
        about = [
            f"Recalled by {clean(project.person_name(one.person))}, {words.day(one.t)}: {clean(one.reason)}"
            for one in standing
        ]
        after = ["The gates it shut are sealed and signed again; nothing opens by itself."]
        gates = [line for line in lines if line.startswith("  -")]
        lines = ["What it touched:", *gates] if gates else []
    else:
        title, verb = f"Recall {name}", "recall it"
        about = list(lines)
        after = ["The notice goes with the next bundle; only a person's own key lifts it."]
    reason = await screen.ask(Reason(title, glyphs=screen.glyphs, about=about, verb="go on"))
    if reason is None:
        return
    shown = [*lines, "", f"because {clean(' '.join(reason.split()))}", *after]
    signed = await screen.ask(DigestDialog(title, paragraphs(shown), digest_of(node), glyphs=screen.glyphs, verb=verb))
    if signed:
        text = reason.strip()
        act = (lambda acts: acts.lift(entity, text)) if standing else (lambda acts: acts.recall(entity, text))
        written = await screen.write(act)
        if written is not None and not written.counts:  # else the status line says why it does not count yet
            shut = len(screen.project.crossings_of(entity))
            screen.base.say(done(clean(node.kind), clean(node.title), shut, lifted=bool(standing)))


def done(kind: str, title: str, gates: int, *, lifted: bool) -> str:
    """Return what was done, in a sentence that a status line of 80 cells has room for; texts are cleaned."""
    if lifted:
        start, after = "lifted the recall of", "to be sealed and signed again"
    else:
        start, after = f"recalled {kind}", "shut until that is lifted"
    end = f"; {plural(gates, 'gate')} {after}." if gates else "; no gate is touched."
    return f"{start} {fit(title, SAID_CELLS - len(start) - len(end) - 1)}{end}"
