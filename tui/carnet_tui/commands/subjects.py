"""A decision or a question by command: all of it, what it is about, and where it is cited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.decisions import DecisionView, QuestionView
    from carnet_tui.session import Session

CITED_SHAPE: Final = '{"decisions": [{"id", "code"}], "questions": [...], "items": [{"handoff", "title", "item"}]}'
SHAPE: Final = (
    'A decision: {"id", "code", "decision": {"question", "choice", "reason", "options", ...}, "state", "person", "t": ms, "unsigned_by": [person], '
    f'"about": [{{"id", "title"}}], "replaced_by", "cited": {CITED_SHAPE}}}. A question: {{"id", "code", "question": {{"text", ...}}, "state", "person", "t": ms, '
    '"replies": [{"text", "person", "t"}], "about": [...], "cited": {...}}.'
)


def subject_of(project: Project, text: str) -> str:
    """Return the decision or question that a code or an id names; empty where it names none."""
    from carnet_store import NotFound, Usage

    try:
        entity = project.resolve(text)
    except (NotFound, Usage):
        return ""
    return entity if entity.partition(":")[0] in ("decision", "question") else ""


def cited(project: Project, entity: str) -> dict[str, Any]:
    """Return where something is cited, as JSON has it."""
    found = project.cited(entity)
    return {
        "decisions": [{"id": d.id, "code": project.code(d.id)} for d in found.decisions],
        "questions": [{"id": q.id, "code": project.code(q.id)} for q in found.questions],
        "items": [{"handoff": handoff, "title": project.title(handoff), "item": item} for handoff, item in found.items],
    }


def cited_rows(project: Project, entity: str) -> list[list[str]]:
    """Return where something is cited as lines of a table: in answers of items."""
    return [[project.title(handoff), item, handoff] for handoff, item in project.cited(entity).items]


def say_subject(here: Session, project: Project, entity: str) -> None:
    """Write a decision or a question in full."""
    decided, asked = project.decision(entity), project.question(entity)
    if decided is not None:
        _decision(here, project, decided)
    elif asked is not None:
        _question(here, project, asked)


def _about(project: Project, about: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"id": one, "title": project.title(one)} for one in about]


def _decision(here: Session, project: Project, view: DecisionView) -> None:
    d = view.decision
    later = next((one.id for one in project.decisions() if one.decision.replaces == view.id), "")
    if here.json:
        console.out_json({
            "id": view.id, "code": project.code(view.id), "decision": console.plain(d), "state": d.outcome, "person": view.person,
            "t": view.t, "unsigned_by": view.unsigned_by, "about": _about(project, d.about), "replaced_by": later,
            "cited": cited(project, view.id),
        })  # fmt: skip
        return
    name = project.person_name
    console.out(f"{project.code(view.id)}  {d.choice}  {view.id}")
    rows = [
        ["decided by", ", ".join(name(one) for one in d.deciders or (view.person,)) + f", {console.moment(view.t)}"]
    ]
    rows += [["unsigned by", name(one)] for one in view.unsigned_by]
    rows += [["consulted", name(one)] for one in d.consulted]
    rows += [["question", d.question], ["why", d.reason]]
    rows += [["option", f"{one.title}{f': {one.why}' if one.why else ''}"] for one in d.options]
    rows += [["constraint", one] for one in d.constraints]
    rows += [[label, text] for label, text in (("context", d.context), ("follows", d.consequences)) if text]
    rows += [["outcome", d.outcome]] + ([["revisit", d.revisit]] if d.revisit else [])
    rows += [["about", f"{project.title(one)}  {one}"] for one in d.about]
    rows += [["replaces", project.code(d.replaces) or d.replaces]] if d.replaces else []
    rows += [["replaced by", project.code(later)]] if later else []
    console.table([*rows, *_cited_rows(project, view.id)], indent="  ")


def _question(here: Session, project: Project, view: QuestionView) -> None:
    q = view.question
    if here.json:
        console.out_json({
            "id": view.id, "code": project.code(view.id), "question": console.plain(q), "state": view.state, "person": view.person,
            "t": view.t, "replies": [{"text": one.text, "person": one.person, "t": one.t} for one in view.replies],
            "about": _about(project, q.about), "cited": cited(project, view.id),
        })  # fmt: skip
        return
    name = project.person_name
    console.out(f"{project.code(view.id)}  {q.text}  {view.id}")
    rows = [["asked by", f"{name(view.person)}, {console.moment(view.t)}"], ["state", view.state]]
    to = name(q.to_person) if q.to_person else q.to_role or q.to_team
    rows += [["asked of", to]] if to else []
    rows += [["blocks", "gates about it, until it is closed"]] if q.blocking and view.state != "closed" else []
    rows += [["about", f"{project.title(one)}{f', {q.item}' if q.item else ''}  {one}"] for one in q.about]
    rows += [["reply", f"{name(one.person)}, {console.moment(one.t)}: {one.text}"] for one in view.replies]
    rows += [["closed", view.closed.note or "yes"]] if view.closed is not None else []
    console.table([*rows, *_cited_rows(project, view.id)], indent="  ")


def _cited_rows(project: Project, entity: str) -> list[list[str]]:
    found = project.cited(entity)
    rows = [["cited by", f"{project.code(d.id)}  {d.decision.choice}"] for d in found.decisions]
    rows += [["cited by", f"{project.code(q.id)}  {q.question.text}"] for q in found.questions]
    return rows + [["evidence of", f"{project.title(handoff)}, {item}"] for handoff, item in found.items]
