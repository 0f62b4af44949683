"""Recall: mark a node bad, see what is, lift it."""

from __future__ import annotations

import click

from carnet_tui import console
from carnet_tui.commands import NODE, command, session
from carnet_tui.session import quoted

_SHAPE = '[{"entity", "kind", "title", "by", "t": ms, "reason", "touches": [model version]}] without NODE'


@command(
    "recall",
    "carnet recall telco --reason 'Ages of minors were exported by mistake'",
    "carnet recall telco --lift --reason 'The export was checked: no minors in it'",
    "carnet recall",
    shape=_SHAPE,
)
@click.argument("node", type=NODE, required=False, default="")
@click.option("--reason", default="", help="Why; it stays in the record.")
@click.option("--lift", is_flag=True, help="It no longer holds; signed by your own key.")
def recall(node: str, reason: str, lift: bool) -> None:
    """Mark a node bad: all that came of it is tainted, its gates shut, and the notice rides in the next bundle.

    Without NODE: what is recalled and not lifted.
    """
    from carnet_store import Usage

    here = session()
    project = here.project()
    if not node:
        standing = project.recalls()
        titles = [project.title(one.entity) for one in standing]
        touched = [
            list(dict.fromkeys(project.title(h.opened.model) for h in project.crossings_of(one.entity)))
            for one in standing
        ]
        rows = list(zip(standing, titles, touched, strict=True))
        if here.json:
            console.out_json(
                [
                    {"entity": one.entity, "kind": one.entity.partition(":")[0], "title": title, "t": one.t, "reason": one.reason,
                     "by": project.person_name(one.person), "touches": models}
                    for one, title, models in rows
                ]
            )  # fmt: skip
            return
        console.table(
            [
                [one.entity.partition(":")[0], title, project.person_name(one.person), console.day(one.t), ", ".join(models), one.reason]
                for one, title, models in rows
            ],
            ("kind", "what", "by", "since", "touches", "why"),
        )  # fmt: skip
        if not rows:
            console.talk("Nothing is recalled.")
        return
    if not reason:
        raise Usage("a recall needs a reason", quoted("carnet", "recall", node, "--reason", "WHY"))
    entity = project.resolve(node)
    acts = here.acts(project)
    here.wrote(acts.lift(entity, reason) if lift else acts.recall(entity, reason))
