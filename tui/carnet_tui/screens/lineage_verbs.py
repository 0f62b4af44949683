"""What one does on a node of the lineage, the same in each of its views and on the answers to questions about it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from carnet_tui.frame_text import Hint
from carnet_tui.screen import Route
from carnet_tui.screens.declaring import DeclaringScreen
from carnet_tui.screens.far import FarScreen
from carnet_tui.text import clean
from carnet_tui.views.lineage_view import KINDS

ON_A_NODE: Final = frozenset(
    {"impact", "timeline", "comment", "question", "edge", "mark", "between", "difference", "rescue", "graph"}
)
"""Verbs that need a node under the cursor."""
NO_NODE: Final = "choose a node first"
WRITES: Final = frozenset({"new", "comment", "question", "edge", "rescue"})


class NodeVerbs(DeclaringScreen, FarScreen):
    """A screen with a node of the lineage under its cursor: `node_id`."""

    @property
    def node_id(self) -> str:
        """The node under the cursor, which every key is about; empty where there is none."""
        return ""

    @property
    def has_nodes(self) -> bool:
        """Whether anything is shown."""
        return True

    def title_of(self, entity: str) -> str:
        """Return a node's name, cleaned."""
        return clean(self.project.title(entity))

    # What can be done

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id in WRITES:
            reason = self.may_write()
            if reason or action_id == "new":
                return reason
        if not self.has_nodes and action_id in (*ON_A_NODE, "open", "find"):
            return "nothing is declared, n"
        if action_id in ON_A_NODE and not self.node_id:
            return NO_NODE
        if action_id == "rescue":
            from carnet_tui.screens import recalling

            return recalling.why_not(self.project, self.node_id)
        return super().available(action_id)

    def hints(self) -> list[Hint]:
        """Return the footer, without the keys that need a node while the cursor is on none."""
        return [hint for hint in super().hints() if hint[2] != NO_NODE]

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return name, id, digests and command of the node under the cursor."""
        entity = self.node_id
        if not entity:
            return ()
        offers = [("name", self.title_of(entity)), ("id", entity)]
        node = self.project.node(entity)
        if node is not None:
            offers += [(clean(name), clean(value)) for name, value in node.digests.items()]
        return [*offers, ("command", f"carnet lineage {entity}")]

    # Looking

    def do_impact(self) -> None:
        """Show what a change of this node would touch."""
        self.base.enter(Route("impact", (self.node_id,)))

    def do_mark(self) -> None:
        """Mark this node, or take the mark back."""
        entity = self.node_id
        if self.carnet.marked == entity:
            self.carnet.marked = ""
            self.base.say("The mark is gone.")
        else:
            self.carnet.marked = entity
            self.base.say(f"Marked {self.title_of(entity)}: b on another node connects the two, d compares them.")
        self.show_mark()

    def show_mark(self) -> None:
        """Show which node is marked."""

    def do_between(self) -> None:
        """Show the ways between the marked node and this one."""
        self.flow(self._with_another("why", "Which other node? The ways between the two are shown"))

    def do_difference(self) -> None:
        """Show how this node differs from the marked one, with all they come from."""
        kind = self.node_id.partition(":")[0]
        self.flow(self._with_another("compare", f"Compare it with which {clean(kind)}?", kind))

    async def _with_another(self, name: str, title: str, *kinds: str) -> None:
        entity, other = self.node_id, self.carnet.marked
        known = bool(other) and other != entity and self.project.row(other).t > 0
        if not known or (kinds and other.partition(":")[0] not in kinds):
            if not any(row.id != entity for row in self.project.entities(*(kinds or KINDS), limit=2)):
                what = f"no other {clean(kinds[0])} to compare it with" if kinds else "no other node"
                self.base.say(f"There is {what}: n declares one.")
                return
            if known:
                title = f"{self.title_of(other)} is of another kind. {title}"
            row = await self.ask(self.picker(title, "take", *kinds, but=entity))
            if row is None:
                return
            other = row.id
        self.base.enter(Route(name, (other, entity)))

    def do_timeline(self) -> None:
        """Show what happened to this node."""
        self.timeline_of(self.node_id)

    # Writing

    def do_comment(self) -> None:
        """Comment on this node."""
        self.flow(self.write_comment(self.node_id, self.title_of(self.node_id)))

    def do_question(self) -> None:
        """Ask about this node."""
        self.flow(self.ask_question([self.node_id], self.title_of(self.node_id)))

    def do_rescue(self) -> None:
        """Recall this node, or lift its recall."""
        from carnet_tui.screens.recalling import recall_flow

        self.flow(recall_flow(self, self.node_id))


def command_of(text: str) -> str:
    """Return the command that shows a selection, as a shell takes it."""
    return f"carnet lineage {shlex.quote(text)}"
