"""Which screen shows a thing best: a dataset its catalogue entry, a notebook its cells, everything else the lineage or a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carnet_tui.screen import Path, Route
from carnet_tui.screens.subjects import route_of
from carnet_tui.views.notebook_reading import is_notebook

if TYPE_CHECKING:
    from carnet_store import Project

CATALOGUED = ("dataset", "feature")
"""Kinds that have a catalogue entry."""


def page(project: Project, entity: str) -> Route | None:
    """Return the screen on which a node of the lineage can be read, None where its facts in the lineage are all there is."""
    kind = entity.partition(":")[0]
    if kind in CATALOGUED:
        return Route("catalogue", (entity,))
    if kind == "document" and is_notebook(project.node(entity)):
        return Route("notebook", (entity,))
    return None


def route(project: Project, entity: str) -> Route:
    """Return the screen that shows an entity: its page, else a screen of its own kind, else the lineage around it."""
    return page(project, entity) or route_of(entity)


def path(project: Project, entity: str) -> Path:
    """Return the way to a node of the lineage from anywhere: its page, if it has one, opened from the lineage around it."""
    shown = page(project, entity)
    around = Route("lineage", (entity,))
    return (around,) if shown is None else (around, shown)
