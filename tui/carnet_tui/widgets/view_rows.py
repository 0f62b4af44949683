"""The rows of the lineage's tree, list and overview as a list: what stands at the end of a line of the tree answers a click."""

from __future__ import annotations

from textual import events
from textual.message import Message

from carnet_tui.text import width
from carnet_tui.views import lineage_tree
from carnet_tui.views.lineage_rows import Group, Item
from carnet_tui.views.lineage_tree import TreeRow
from carnet_tui.widgets.line_list import LineList

Row = TreeRow | Item | Group


class ViewRows(LineList[Row]):
    """The rows of tree, list and overview; a click on the mark at the end of a line does what the mark says."""

    class MarkClicked(Message):
        """The mark of a row was clicked; the row is chosen."""

        def __init__(self, row: TreeRow) -> None:
            super().__init__()
            self.row = row

    def action_open(self) -> None:
        """Open the chosen row; where there is none, that is said."""
        self.post_message(self.Selected(self, self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Take a click on a mark; any other chooses a row."""
        row = self.row(event.y + self.scroll_offset.y)
        if not isinstance(row, TreeRow) or row.key is None:
            return
        text, _ = lineage_tree.mark_of(row, self.glyphs)
        if text and event.x >= self.size.width - width(text):
            event.stop()
            event.prevent_default()
            self.choose(row.key)
            self.post_message(self.MarkClicked(row))


def row_key(row: Row) -> str | None:
    """Return what identifies a row; None for a head."""
    return row.row.id if isinstance(row, Item) else row.key
