"""The way into the live app: `run` loads the toolkit and `CarnetApp`, after the first rows were painted."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from carnet_store import Desk
    from carnet_tui.first_frame import FirstFrame
    from carnet_tui.live import CarnetApp

__all__ = ["CarnetApp", "run"]


def run(
    start: Path | None = None,
    *,
    desk: Desk | None = None,
    who: str | None = None,
    bundle: Path | None = None,
    review: str = "",
    handoff: str = "",
    frame: FirstFrame | None = None,
) -> int:
    """Open the TUI and return its exit code.

    `start` is where the store is looked for (default: the working folder), `who` the person to be, `bundle` a file to
    show the plan of, `handoff` one (its id) to open on, `review` one to go through. `desk` is used instead of opening one; whoever gives it closes it. Without a store the welcome
    screen opens. `frame` is the first rows where they were painted already; the live screen takes their terminal over.
    """
    from carnet_tui.glyphs import choose

    glyphs = choose()
    from carnet_tui import live

    return live.open_and_run(
        start, desk=desk, who=who, bundle=bundle, review=review, handoff=handoff, glyphs=glyphs, frame=frame
    )


def __getattr__(name: str) -> Any:
    if name == "CarnetApp":
        from carnet_tui.live import CarnetApp

        return CarnetApp
    raise AttributeError(name)
