"""The command's first lines: where `carnet` alone opens the screens, the first rows are painted before anything else is loaded."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from carnet_tui.first_frame import FirstFrame


def main() -> int:
    """Run the command line of this process; return its exit code."""
    frame = first_rows() if len(sys.argv) == 1 else None
    if frame is None:
        from carnet_tui import cli

        return cli.main()
    try:
        from carnet_store import CarnetError

        try:
            from carnet_tui import app

            return app.run(frame=frame)
        except CarnetError as error:
            from carnet_tui import cli

            frame.close(leave_screen=not frame.handed_over)
            return cli.told(error)
    except KeyboardInterrupt:
        return 130
    finally:
        frame.close(leave_screen=not frame.handed_over)


def first_rows() -> FirstFrame | None:
    """Paint the inbox at once, as the live screen will show it; None where that cannot be known without loading more."""
    if not (os.isatty(0) and os.isatty(1) and os.isatty(2)):
        return None
    import time

    from carnet_store.glance import glance

    try:
        seen = glance(os.getcwd(), os.environ, time.time_ns() // 1_000_000)
        cells, _ = os.get_terminal_size(2)
    except OSError:
        return None
    if seen is None or not seen.rows:
        return None
    from carnet_tui import first_frame, frame_text
    from carnet_tui.glyphs import choose
    from carnet_tui.text import clean
    from carnet_tui.views import inbox_view

    glyphs = choose()
    due = inbox_view.due(seen.due)
    inbox = inbox_view.frame(seen.rows, seen.now, glyphs, cells, due)
    return first_frame.show(frame_text.Chrome(crumb=clean(seen.project), who=clean(seen.who)), inbox, glyphs)
