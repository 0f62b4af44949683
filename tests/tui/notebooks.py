"""Notebooks for the screens' tests: what real tools wrote, captured as it is; an edited copy; annotations of three people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carnet_store.domain.annotation import Cell
from carnet_store.exchange import capturing
from carnet_store.exchange.importers.notebook import cells_of
from carnet_store.exchange.importers.things import Source

EVIL = "x\x1b]52;c;eA==\x07\x1b[31m\u202ey\u2028z"


def capture(tour: Any, path: Path, who: str = "Ana") -> str:
    """Capture a notebook with its bytes; return the document."""
    acts = tour.acts(who)
    with capturing.plan(acts, [("notebook", Source(path))]) as plan:
        capturing.write(acts, plan)
        return next(one.entity for one in plan.things if one.kind == "document")


def anchors(path: Path) -> list[Cell]:
    """Return the cells of a file as annotations are anchored to them."""
    return [Cell(one.digest, one.kind, one.source) for one in cells_of(path.read_bytes())]


def notebook(*cells: tuple[str, str] | dict[str, Any]) -> dict[str, Any]:
    """Return a notebook of these cells: (kind, source), or a cell as it is in the file."""
    rows = []
    for one in cells:
        if isinstance(one, tuple):
            kind, source = one
            more: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
            one = {"cell_type": kind, "metadata": {}, "source": source, **more}
        rows.append(one)
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": rows}


def code(source: str, count: int | None, *outputs: dict[str, Any]) -> dict[str, Any]:
    """Return a code cell that was run."""
    return {
        "cell_type": "code", "metadata": {}, "source": source, "execution_count": count, "outputs": list(outputs),
    }  # fmt: skip


def write(path: Path, value: dict[str, Any]) -> Path:
    """Write a notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def annotate(tour: Any, real: Path, folder: Path) -> None:
    """Capture `eda.executed.ipynb`, let people talk about its cells, then capture it edited.

    The edited one has a new first cell, and the cell of the accuracy is gone. Ids: `first`, `edited`, `failed`.
    """
    path = folder / "eda.executed.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((real / "notebooks" / "eda.executed.ipynb").read_bytes())
    cells = anchors(path)
    tour.ids["first"] = capture(tour, path)
    said = tour.acts("Tom").annotate(tour.ids["first"], cells, 2, "Is this the frozen holdout?\nThe name says train.")
    tour.ids["thread"] = said.changes[-1]
    tour.acts().reply_annotation(said.changes[-1], "It is; renamed in March.")
    tour.acts("Grace").annotate(tour.ids["first"], cells, 4, "Please say what one row is.")
    done = tour.acts("Grace").annotate(tour.ids["first"], cells, 0, "Nice opening.")
    tour.acts("Tom").resolve_annotation(done.changes[-1], "thanks")
    value = json.loads(path.read_text(encoding="utf-8"))
    opening = {"cell_type": "markdown", "metadata": {}, "source": ["# New\n", "価格 in wide letters."]}
    value["cells"] = [opening, *(one for at, one in enumerate(value["cells"]) if at != 4)]
    tour.ids["edited"] = capture(tour, write(path, value))
    tour.ids["failed"] = capture(tour, real / "notebooks" / "fails.executed.ipynb")
    tour.acts()
