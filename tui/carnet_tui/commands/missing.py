"""What is missing in the metadata: `carnet list --missing`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console
from carnet_tui.session import Session
from carnet_tui.text import plural

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.completeness import Completeness, Sum

_MANY: Final[dict[str, str]] = {
    "dataset": "datasets",
    "feature": "features",
    "model": "models",
    "evaluation": "evaluation runs",
}
ASKED: Final = ("dataset", "feature", "model", "run")
"""The kinds that have a list of required fields; of runs those that measured a model."""


def show(here: Session, project: Project, kind: str, text: str, start: int, limit: int) -> None:
    """Tell of each thing which required fields are filled and which are missing, least complete first, and the figures at the end."""
    with console.progress("reading the record") as hear:
        found = project.completeness_report((kind,) if kind else (), lambda done, total: hear("things", done, total))
    rows = [one for one in found.rows if text.casefold() in one.title.casefold()]
    shown = rows[start : start + limit]
    if here.json:
        console.out_json(
            {
                "total": len(rows), "rows": [_row(project, one) for one in shown],
                "kinds": {name: _sum(one) for name, one in found.kinds.items()}, "all": _sum(found.total),
            }
        )  # fmt: skip
        return
    console.table(
        [
            [one.kind, one.title, f"{one.filled}/{len(one.required)}", ", ".join(gone.field for gone in one.missing) or "complete", one.entity]
            for one in shown
        ],
        ("kind", "name", "filled", "missing", "id"),
    )  # fmt: skip
    for name, one in found.kinds.items():
        console.out(f"{_MANY[name]}: {_words(one)}")
    if len(found.kinds) > 1:
        console.out(f"all: {_words(found.total)}")
    first = next((one for one in shown if one.missing), None)
    if not rows:
        console.talk(f"Nothing here{' of that name' if text else ' that has required fields yet'}.")
    elif start + len(shown) < len(rows):
        console.talk(f"{start + len(shown):,} of {len(rows):,}. Next: --start {start + len(shown)}")
    elif first is not None:
        console.talk(f"Next: {_typed(project, first)[0]}")


def _typed(project: Project, one: Completeness) -> list[str]:
    row = project.row(one.entity)
    return [gone.typed(shlex.quote(row.title), shlex.quote(row.name)) for gone in one.missing]


def _row(project: Project, one: Completeness) -> dict[str, Any]:
    commands = _typed(project, one)
    return {
        "id": one.entity, "kind": one.kind, "title": one.title, "filled": one.filled, "required": list(one.required),
        "percent": str(one.percent), "missing": [{"field": gone.field, "command": typed} for gone, typed in zip(one.missing, commands, strict=True)],
    }  # fmt: skip


def _sum(one: Sum) -> dict[str, Any]:
    percent = None if one.percent is None else str(one.percent)
    return {
        "things": one.things,
        "complete": one.complete,
        "filled": one.filled,
        "required": one.required,
        "percent": percent,
    }


def _words(one: Sum) -> str:
    if one.percent is None:
        return "no data"
    return f"{one.percent} % of {plural(one.required, 'field')} filled; {one.complete} of {one.things} complete"
