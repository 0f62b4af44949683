"""Look at the record: list, find, log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from carnet_tui import console
from carnet_tui.commands import NODE, command, session
from carnet_tui.commands.node_words import out_marked, with_standing
from carnet_tui.session import find_handoff

if TYPE_CHECKING:
    from carnet_store import Project

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
    "carnet list datasets --missing",
    shape='{"total": count, "rows": [{"id", "kind", "name", "version", "title", "t": ms, "standing": "recalled", "tainted" or ""}]}; '
    'decisions and questions also "code" and "state"; with --missing {"total", "rows": [{"id", "kind", "title", "filled", "required": '
    '[field], "percent", "missing": [{"field", "command"}]}], "kinds": {kind: figures}, "all": {"things", "complete", "filled", '
    '"required", "percent"}}',
)
@click.argument("kind", required=False, default="")
@click.option("--name", "text", default="", metavar="TEXT", help="Only those whose name holds this.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="At most so many.")
@click.option("--start", default=0, type=click.IntRange(0), help="Leave out the first so many.")
@click.option(
    "--missing",
    is_flag=True,
    help="Datasets, features, models and evaluation runs with the metadata they lack, and figures.",
)
def list_(kind: str, text: str, limit: int, start: int, missing: bool) -> None:
    """List what is recorded, newest first: models, datasets, runs, documents, decisions, questions, handoffs ..."""
    here = session()
    project = here.project()
    chosen = _kind(kind) if kind else ""
    if missing:
        from carnet_tui.commands.missing import ASKED, show

        if chosen and chosen not in ASKED:
            raise click.UsageError(f"nothing is required of a {chosen}; --missing knows {', '.join(ASKED)}")
        show(here, project, chosen, text, start, limit)
        return
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
        out_marked(project, {"total": total, "rows": rows})
        return
    console.table(
        [[row.get("code") or row["kind"], with_standing(project, row["id"], row["title"]), row.get("state", ""), console.day(row["t"]), row["id"]] for row in rows],
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
    "carnet find max_depth=12 --kind run --kind decision",
    "carnet find '\"easier to explain\" logis*' --json",
    shape='[{"id", "kind", "title", "item": of a handoff, "where": the field, "text": the text around, "marks": [[start, end]] in it, '
    '"outcome", "t": ms, "standing": "recalled", "tainted" or ""}]',
)
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Only things of this kind: runs, decisions ... Repeatable."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="At most so many.")
def find(words: tuple[str, ...], kinds: tuple[str, ...], limit: int) -> None:
    """Find texts: names, parameters, attributes, decisions, questions, replies, comments, answers, findings, notes.

    All words must occur, in any order and case, accents or not; `"a phrase"` stays together and `begin*` begins a word. Nothing
    else that is typed has a meaning. Where no word is found, words that begin so are, then parts of words. A run that was rejected
    comes with the decision that rejected it. The best come first; what matches stands in [ ].
    """
    here = session()
    project = here.project()
    chosen = [_kind(kind) for kind in kinds]
    text = " ".join(words)
    with console.progress("reading the record") as hear:
        hits = project.search(text, kinds=chosen, limit=limit, progress=lambda done, total: hear("things", done, total))
    codes = {hit.entity: project.code(hit.entity) for hit in hits if hit.kind in ("decision", "question")}
    rows: list[dict[str, Any]] = [
        {
            "id": hit.entity, "kind": hit.kind, "title": f"{codes.get(hit.entity, '')} {hit.title}".strip(), "item": hit.item,
            "where": hit.field, "text": hit.snippet, "marks": [list(mark) for mark in hit.marks], "outcome": hit.outcome, "t": hit.t,
        }
        for hit in hits
    ]  # fmt: skip
    if here.json:
        out_marked(project, rows)
        return
    console.table(
        [
            [row["kind"], with_standing(project, row["id"], _short(row["title"])), row["outcome"], row["item"] or row["where"], _marked(row["text"], row["marks"]), row["id"]]
            for row in rows
        ],
        ("kind", "name", "", "where", "text", "id"),
    )  # fmt: skip
    if len(rows) == limit:
        console.talk(f"The best {limit}. More: --limit {min(limit * 2, 1_000)}, or more words")
    if not rows:
        console.talk(f"{text!r} is nowhere in {project.name}.")


def _short(title: str, room: int = 40) -> str:
    return title if len(title) <= room else title[: room - 1] + "…"


def _marked(text: str, marks: Sequence[Sequence[int]]) -> str:
    """Return a snippet with what matches in brackets."""
    parts, at = [], 0
    for start, end in marks:
        parts += [text[at:start], "[", text[start:end], "]"]
        at = end
    return "".join([*parts, text[at:]])


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
