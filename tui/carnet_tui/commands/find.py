"""Look at the record: list, find, lineage, log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import NODE, command, session
from carnet_tui.session import find_handoff

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.lineage import Node

_OTHERS = ("decision", "question", "handoff")
_KINDS = (
    "model", "dataset", "run", "code", "environment", "document", "criteria", "feature", "check", "review", "drill",
    "deployment", "incident", "glossary",
)  # fmt: skip


def _kind(text: str) -> str:
    """Return the kind meant by a word in singular or plural."""
    from difflib import get_close_matches

    word = text.lower().removesuffix("s") if text.lower() not in ("criteria",) else text.lower()
    word = {"criterion": "criteria", "glossarie": "glossary"}.get(word, word)
    known = (*_KINDS, *_OTHERS)
    if word in known:
        return word
    near = get_close_matches(word, known, 2)
    raise click.UsageError(
        f"there is no kind {text!r}" + (f"; did you mean {' or '.join(near)}?" if near else f": {', '.join(known)}")
    )


@command(
    "list",
    "carnet list",
    "carnet list models",
    "carnet list runs --name churn --limit 20",
    "carnet list decisions --json",
    shape='{"total": count, "rows": [{"id", "kind", "name", "version", "title", "t": ms}]}; '
    'decisions and questions also "code" and "state"',
)
@click.argument("kind", required=False, default="")
@click.option("--name", "text", default="", metavar="TEXT", help="Only those whose name holds this.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--start", default=0, type=click.IntRange(0), help="Leave out the first so many.")
def list_(kind: str, text: str, limit: int, start: int) -> None:
    """List what is recorded, newest first: models, datasets, runs, documents, decisions, questions, handoffs ..."""
    here = session()
    project = here.project()
    chosen = _kind(kind) if kind else ""
    if chosen in _OTHERS:
        rows = _others(project, chosen, text)
        total = len(rows)
        rows = rows[start : start + limit]
    else:
        kinds = (chosen,) if chosen else ()
        total = project.count(*kinds)
        found = project.entities(*kinds, text=text, start=start, limit=limit)
        rows = [
            {"id": r.id, "kind": r.kind, "name": r.name, "version": r.version, "title": r.title, "t": r.t}
            for r in found
        ]
    if here.json:
        console.out_json({"total": total, "rows": rows})
        return
    console.table(
        [[row.get("code") or row["kind"], row["title"], row.get("state", ""), console.day(row["t"]), row["id"]] for row in rows],
        ("kind", "name", "", "since", "id"),
    )  # fmt: skip
    if not text and start + len(rows) < total:
        console.talk(f"{start + len(rows):,} of {total:,}. Next: --start {start + len(rows)}")
    if not rows:
        console.talk(f"Nothing here{' of that name' if text else ' yet'}.")


def _others(project: Project, kind: str, text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if kind == "decision":
        for d in project.decisions():
            state = d.decision.outcome if not d.unsigned_by else f"{d.decision.outcome}, not confirmed by all"
            title = f"{d.decision.question} {d.decision.choice}"
            rows.append({"id": d.id, "code": project.code(d.id), "state": state, "title": title, "t": d.t})
    elif kind == "question":
        for q in project.questions():
            state = q.state + (", blocking" if q.question.blocking and q.state != "closed" else "")
            rows.append({"id": q.id, "code": project.code(q.id), "state": state, "title": q.question.text, "t": q.t})
    else:
        for h in project.handoffs():
            title = f"{project.title(h.opened.model)}/{h.gate.id}"
            rows.append({"id": h.id, "state": project.look(h.id).status.verdict, "title": title, "t": h.change.t})
    rows = [{"kind": kind, "name": row["title"], "version": "", **row} for row in rows]
    return [row for row in rows if text.casefold() in row["title"].casefold()]


@command(
    "find",
    "carnet find telco",
    "carnet find 'why not logistic' --json",
    shape='[{"id", "kind", "title", "where": what matched, "text"}]',
)
@click.argument("text")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
def find(text: str, limit: int) -> None:
    """Find a text in names, decisions, questions, replies, answers and comments."""
    here = session()
    project = here.project()
    rows = [
        {"id": r.id, "kind": r.kind, "title": r.title, "where": "name", "text": r.title}
        for r in project.entities(text=text, limit=limit)
    ]
    wanted = text.casefold()
    for entity, title, where, said in _texts(project):
        if len(rows) >= limit:
            break
        if wanted in said.casefold():
            rows.append({"id": entity, "kind": entity.partition(":")[0], "title": title, "where": where, "text": said})
    if here.json:
        console.out_json(rows)
        return
    console.table([[r["kind"], r["title"], r["where"], _around(r["text"], text), r["id"]] for r in rows])
    if not rows:
        console.talk(f"{text!r} is nowhere in {project.name}.")


def _texts(project: Project) -> Iterator[tuple[str, str, str, str]]:
    """Yield (entity, title, where, text) of what people wrote, newest subjects first."""
    for d in project.decisions():
        title = f"{project.code(d.id)} {d.decision.choice}"
        for where, said in (
            ("question", d.decision.question), ("choice", d.decision.choice), ("reason", d.decision.reason),
            ("context", d.decision.context), ("consequences", d.decision.consequences),
            *(("constraint", c) for c in d.decision.constraints),
            *(("option", f"{o.title}: {o.why}" if o.why else o.title) for o in d.decision.options),
        ):  # fmt: skip
            yield d.id, title, where, said
    for q in project.questions():
        title = project.code(q.id)
        yield q.id, title, "question", q.question.text
        for reply in q.replies:
            yield q.id, title, "reply", reply.text
    for h in project.handoffs():
        title = project.title(h.id)
        for item, answers in h.answers.items():
            for change in answers:
                yield h.id, title, item, _said(getattr(change.value, "answer", {}))
        for comment in h.comments:
            yield h.id, title, "comment", str(getattr(comment.value, "text", ""))


def _said(value: object) -> str:
    """Return the texts within an answer, blanks between."""
    if isinstance(value, dict):
        return " ".join(_said(part) for part in value.values())
    if isinstance(value, list | tuple):
        return " ".join(_said(part) for part in value)
    return str(value)


def _around(text: str, wanted: str, room: int = 60) -> str:
    """Return the part of a text around what was looked for."""
    at = max(0, text.casefold().find(wanted.casefold()) - room // 3)
    return ("…" if at else "") + text[at : at + room].replace("\n", " ") + ("…" if len(text) > at + room else "")


@command(
    "lineage",
    "carnet lineage churn@2",
    "carnet lineage r-012 --up 3",
    "carnet lineage telco --down 9 --json",
    shape='{"node": {...}, "up": [{"id", "kind", "title", "relation", "hops"}], "down": [...], "ups": count, "downs": count, '
    '"about": {"decisions": [id], "questions": [id], "handoffs": [id]}}',
)
@click.argument("node", type=NODE, metavar="NODE")
@click.option("--up", default=None, type=click.IntRange(1, 64), help="Follow what it comes from so many hops.")
@click.option("--down", default=None, type=click.IntRange(1, 64), help="Follow what came of it so many hops.")
@click.option(
    "--limit", default=200, show_default=True, type=click.IntRange(1, 100_000), help="At most so many a side."
)
def lineage(node: str, up: int | None, down: int | None, limit: int) -> None:
    """Show what a thing comes from and what came of it: one hop, or as many as asked."""
    here = session()
    project = here.project()
    entity = project.resolve(node)
    near = project.neighbours(entity, limit)
    sides: dict[str, list[dict[str, Any]]] = {}
    for name, hops, first in (("up", up, near.up), ("down", down, near.down)):
        if (up or down) and not hops:
            sides[name] = []
            continue
        rows = [_neighbour(relation, row.id, row.kind, row.title, 1) for relation, row in first]
        if hops and hops > 1:
            known = {row["id"] for row in rows}
            for found, distance in project.walk(entity, up=name == "up", limit=limit):
                if 1 < distance <= hops and found not in known:
                    row = project.row(found)
                    rows.append(_neighbour("", row.id, row.kind, row.title, distance))
        sides[name] = rows[:limit]
    decisions, questions, handoffs = project.about(entity)
    if here.json:
        console.out_json(
            {"node": _node(near.node), **sides, "ups": near.ups, "downs": near.downs,
             "about": {"decisions": [d.id for d in decisions], "questions": [q.id for q in questions], "handoffs": handoffs}}
        )  # fmt: skip
        return
    _show_node(project, near.node)
    for name, title, count in (("up", "COMES FROM", near.ups), ("down", "CAME OF IT", near.downs)):
        if sides[name] or not (up or down):
            console.out(f"{title} ({count})" if count else title)
            console.table(
                [
                    [row["relation"] or f"{row['hops']} hops", row["kind"], row["title"], row["id"]]
                    for row in sides[name]
                ]
                or [["nothing recorded"]],
                indent="  ",
            )
    for title, lines in (
        ("DECISIONS", [[project.code(d.id), d.decision.choice, d.decision.question] for d in decisions]),
        ("QUESTIONS", [[project.code(q.id), q.state, q.question.text] for q in questions]),
        ("HANDOFFS", [[project.look(h).checklist.gate.title, project.look(h).status.verdict, h] for h in handoffs]),
    ):
        if lines:
            console.out(title)
            console.table(lines, indent="  ")


def _neighbour(relation: str, entity: str, kind: str, title: str, hops: int) -> dict[str, Any]:
    return {"id": entity, "kind": kind, "title": title, "relation": relation, "hops": hops}


def _node(node: Node) -> dict[str, Any]:
    return {
        "id": node.id, "kind": node.kind, "title": node.title, "name": node.name, "version": node.version,
        "attrs": dict(node.attrs), "digests": dict(node.digests), "params": dict(node.params),
        "metrics": console.plain(node.metrics), "criteria": console.plain(node.criteria), "missing": node.missing(),
        "conflicts": node.conflicts, "t": node.t, "person": node.person,
    }  # fmt: skip


def _show_node(project: Project, node: Node) -> None:
    console.out(f"{node.title}  {node.kind}  {node.id}")
    who = project.person_name(node.person)
    rows = [["declared", f"by {who}, {console.moment(node.t)}"]]
    rows += [[name, str(value)] for name, value in sorted(node.attrs.items())]
    rows += [[name, digest] for name, digest in sorted(node.digests.items())]
    rows += [["param " + name, value] for name, value in sorted(node.params.items())]
    rows += [
        ["metric " + m.name, " ".join(part for part in (m.value, m.unit, m.split and f"on {m.split}", m.slice) if part)]
        for m in node.metrics
    ]
    rows += [
        ["criterion " + c.id, f"{c.name} {c.op} {c.value} {c.unit} {c.split and 'on ' + c.split}"]
        for c in node.criteria
    ]
    rows += [["missing", name] for name in node.missing()]
    rows += [["in conflict", name] for name in node.conflicts]
    console.table(rows, indent="  ")


@command(
    "log",
    "carnet log",
    "carnet log churn@2 --limit 20",
    "carnet log --not-counting --json",
    shape='[{"change", "t": ms, "person", "name", "kind", "entity", "title", "field", "counts": text, "live", "value"}]',
)
@click.argument("node", type=NODE, required=False, default="", metavar="[NODE]")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--start", default=0, type=click.IntRange(0), help="Leave out the newest so many.")
@click.option("--not-counting", is_flag=True, help="Only what does not count, with the reason.")
def log(node: str, limit: int, start: int, not_counting: bool) -> None:
    """Tell what happened, newest first: to everything, or to one thing or handoff."""
    here = session()
    project = here.project()
    about = _subjects(project, node) if node else [""]
    if not_counting:
        changes = [c for c in project.uncounted() if not node or c.entity in about][start : start + limit]
    else:
        found = [c for entity in about for c in project.history(entity, limit=start + limit)]
        changes = sorted(found, key=lambda c: -c.t)[start : start + limit]
    rows = [
        {
            "change": c.id, "t": c.t, "person": c.person, "name": project.person_name(c.person), "kind": c.kind,
            "entity": c.entity, "title": _titled(project, c.entity), "field": c.field, "counts": c.counts.words,
            "live": c.live, "value": console.plain(c.value),
        }
        for c in changes
    ]  # fmt: skip
    if here.json:
        console.out_json(rows)
        return
    console.table(
        [
            [console.moment(r["t"]), r["name"], r["kind"], r["title"], r["field"] if ":" not in r["field"] else "",
             "" if r["counts"] == "counts" else r["counts"], r["change"][:16]]
            for r in rows
        ],
        ("when (UTC)", "who", "what", "about", "item", "", "change"),
    )  # fmt: skip


def _subjects(project: Project, text: str) -> list[str]:
    """Return what a name means here: a thing, and for a model version its handoffs too; or a handoff."""
    from carnet_store import NotFound

    try:
        entity = project.resolve(text)
    except NotFound:
        return [find_handoff(project, text)]
    return [entity, *(h.id for h in project.handoffs() if h.opened.model == entity)]


def _titled(project: Project, entity: str) -> str:
    if entity.startswith("person:"):
        members = project.members().people
        return next((row.name for person, row in members.items() if entity.endswith(person[:32])), entity)
    return project.name if entity.startswith("ledger:") else project.title(entity)
