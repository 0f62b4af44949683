"""Decisions and questions as rows and as texts: who, why, under what constraints, what else; asked of whom, replied by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, fit_line, pad
from carnet_tui.views import words
from carnet_tui.views.fields import bullets, field, one_line, prose, section

if TYPE_CHECKING:
    from carnet_store import Project
    from carnet_store.domain.decisions import DecisionView, QuestionView

STATES: Mapping[str, tuple[str, str]] = {
    "accepted": ("done", "decided"),
    "rejected": ("n-a", "rejected"),
    "replaced": ("stale", "replaced"),
    "unsigned": ("question", "unsigned"),
    "open": ("question", "asked"),
    "blocking": ("conflict", "blocking"),
    "replied": ("review", "replied"),
    "closed": ("done", "closed"),
}
"""State -> (its name in `glyphs.STATES`, the word of lists)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A decision or a question in the list. Cleaned texts; `t` in ms; `mine` whether it is mine or waits for me."""

    entity: str
    code: str
    state: str
    title: str
    about: str
    who: str
    t: int
    mine: bool
    waits: bool
    """Whether it waits for me: an answer, a confirmation, or my closing."""

    @property
    def is_question(self) -> bool:
        """Whether it is a question."""
        return self.entity.startswith("question:")


def decision_state(view: DecisionView, replaced: Mapping[str, str]) -> str:
    """Return a decision's state: replaced by a later one, in somebody's name who has not confirmed, or its outcome."""
    if view.id in replaced:
        return "replaced"
    if view.unsigned_by:
        return "unsigned"
    return view.decision.outcome if view.decision.outcome in STATES else "accepted"


def question_state(view: QuestionView) -> str:
    """Return a question's state; an open one that keeps gates shut is `blocking`."""
    return "blocking" if view.state == "open" and view.question.blocking else view.state


def replacements(views: Sequence[DecisionView]) -> dict[str, str]:
    """Return decision -> the one that replaces it."""
    return {view.decision.replaces: view.id for view in reversed(views) if view.decision.replaces}


def asked_of(view: QuestionView, person: str, roles: frozenset[str], team: str) -> bool:
    """Whether a question is asked of this person: by name, by role, or by team."""
    q = view.question
    return person == q.to_person or q.to_role in roles or (bool(team) and team == q.to_team)


def rows(project: Project, me: str, roles: frozenset[str], team: str) -> list[Row]:
    """Return all decisions and questions: what waits for me first, then the newest."""
    decisions, questions = project.decisions(), project.questions()
    replaced = replacements(decisions)
    codes = {one: project.code(one) for one in [*(d.id for d in decisions), *(q.id for q in questions)]}
    found: list[Row] = []
    for view in decisions:
        waits = me in view.unsigned_by
        found.append(
            Row(view.id, codes[view.id], decision_state(view, replaced), one_line(view.decision.choice),
                about_words(project, view.decision.about), deciders(project, view), view.t,
                waits or me in (view.person, *view.decision.deciders), waits)
        )  # fmt: skip
    for asked in questions:
        to_me = asked_of(asked, me, roles, team) and asked.person != me
        replied = any(reply.person == me for reply in asked.replies)
        waits = (to_me and not replied and asked.state != "closed") or (asked.person == me and asked.state == "replied")
        found.append(
            Row(asked.id, codes[asked.id], question_state(asked), one_line(asked.question.text),
                about_words(project, asked.question.about), clean(project.person_name(asked.person)), asked.t,
                to_me or asked.person == me, waits)
        )  # fmt: skip
    return sorted(found, key=lambda row: (not row.waits, -row.t, row.entity))


def about_words(project: Project, about: Sequence[str]) -> str:
    """Return what something is about, in short."""
    return words.listed([one_line(project.title(entity)) for entity in about], 2)


def deciders(project: Project, view: DecisionView) -> str:
    """Return who decided, in short; who typed it where nobody is named."""
    names = [clean(project.person_name(one)) for one in view.decision.deciders or (view.person,)]
    return words.listed(names, 2)


def row_line(row: Row, cells: int, now: int, glyphs: Glyphs) -> Line:
    """Return a row of the list."""
    name, word = STATES[row.state]
    sign, _, style = glyphs.state(name)
    dots = glyphs.ellipsis
    line: Line = [(f"{sign} ", style), (pad(row.code, 5, "<", dots) + " ", "bold" if row.waits else "")]
    right: Line = []
    if cells >= 60:
        line.append((pad(word, 9) + " ", style if row.waits else "dim"))
        about = 16 if cells < 110 else 28
        right = [(f"  {pad(row.about, about, '<', dots)} {pad(row.who, 10 if cells < 110 else 20, '<', dots)}", "dim")]
    right.append((pad(words.ago(row.t, now), 5, ">") + " ", "dim"))
    line.append((row.title, "bold" if row.waits else ""))
    return both_ends(line, right, cells, dots) if cells > 24 else fit_line(line, cells, dots)


def decision_lines(
    project: Project, view: DecisionView, cells: int, glyphs: Glyphs, comments: bool = False
) -> list[Line]:
    """Return a decision in full."""
    d = view.decision
    replaced = replacements(project.decisions())
    state = decision_state(view, replaced)
    name, word = STATES[state]
    sign, _, style = glyphs.state(name)
    top: Line = [(f" {project.code(view.id)}  ", "bold"), (one_line(d.choice), "bold")]
    head = [both_ends(top, [(f"  {sign} {word}, {words.day(view.t)} ", style)], cells, glyphs.ellipsis)]
    by = field("decided by", deciders(project, view), cells)
    if view.unsigned_by:
        names = ", ".join(clean(project.person_name(one)) for one in view.unsigned_by)
        typed = clean(project.person_name(view.person))
        by += field("unsigned", f"{names} has not confirmed what {typed} typed in that name", cells, "warn")
    elif view.person not in d.deciders:
        by += field("typed by", clean(project.person_name(view.person)), cells)
    if d.consulted:
        by += field("consulted", clean(", ".join(project.person_name(one) for one in d.consulted)), cells)
    body = [
        *prose("question", d.question, cells),
        *prose("decision", d.choice, cells),
        *prose("why", d.reason, cells),
    ]
    options = [f"{one_line(o.title)}{': ' + one_line(o.why) if o.why else ''}" for o in d.options]
    more = [
        *bullets("options", options, cells),
        *bullets("given", [one_line(c) for c in d.constraints], cells),
        *(prose("context", d.context, cells) if d.context else []),
        *(prose("follows", d.consequences, cells) if d.consequences else []),
        *(field("revisit", clean(d.revisit), cells) if d.revisit else []),
    ]
    links = []
    if d.about:
        links += bullets("about", [one_line(project.title(entity)) for entity in d.about], cells)
    if d.replaces:
        links += field("replaces", _named(project, d.replaces), cells)
    if view.id in replaced:
        links += field("replaced by", _named(project, replaced[view.id]), cells, "warn")
    links += cited_lines(project, view.id, cells)
    return section([*head, *by], body, more, links, comment_lines(project, view.id, cells) if comments else [])


def question_lines(
    project: Project, view: QuestionView, cells: int, glyphs: Glyphs, comments: bool = False
) -> list[Line]:
    """Return a question with its replies in full."""
    q = view.question
    name, word = STATES[question_state(view)]
    sign, _, style = glyphs.state(name)
    top: Line = [(f" {project.code(view.id)}  ", "bold"), (one_line(q.text), "bold")]
    head = [both_ends(top, [(f"  {sign} {word} ", style)], cells, glyphs.ellipsis)]
    head += field("asked by", f"{clean(project.person_name(view.person))}, {words.minute(view.t)}", cells)
    head += field("asked of", addressee(project, view), cells)
    if q.blocking and view.state != "closed":
        head += field("blocks", "gates about it stay shut until its asker closes it", cells, "bad")
    if q.due:
        head += field("due", clean(q.due), cells)
    if q.about:
        titles = [one_line(project.title(entity)) for entity in q.about]
        head += bullets("about", [f"{title}, {clean(q.item)}" if q.item else title for title in titles], cells)
    body = prose("question", q.text, cells) if "\n" in q.text.strip() or len(q.text) > cells // 2 else []
    replies: list[Line] = []
    for reply in view.replies:
        who = f"{clean(project.person_name(reply.person))}, {words.minute(reply.t)}"
        replies += [*([[]] if replies else []), *field("reply", who, cells, "dim"), *prose("", reply.text, cells)]
    end: list[Line] = []
    if view.closed is not None:
        end = field("closed", "its replies answer it" if view.closed.accepted else "withdrawn", cells)
        end += prose("", view.closed.note, cells) if view.closed.note else []
    elif not view.replies:
        end = field("", "Nobody has replied yet.", cells, "dim")
    cited = cited_lines(project, view.id, cells)
    return section(head, body, replies, end, cited, comment_lines(project, view.id, cells) if comments else [])


def addressee(project: Project, view: QuestionView) -> str:
    """Return in words whom a question is asked of."""
    q = view.question
    if q.to_person:
        return clean(project.person_name(q.to_person))
    if q.to_role:
        names = ", ".join(clean(project.person_name(one)) for one in project.members().holders(q.to_role))
        return f"every {words.role(q.to_role)}" + (f" ({names})" if names else "")
    return f"the {clean(q.to_team)} team" if q.to_team else "anybody in the project"


def cited_lines(project: Project, entity: str, cells: int) -> list[Line]:
    """Return where a decision or a question is cited: by decisions and questions about it, and in answers of items."""
    found = project.cited(entity)
    by = [
        f"{project.code(d.id)}  {one_line(d.decision.choice)}" for d in found.decisions if d.decision.replaces != entity
    ]
    by += [f"{project.code(q.id)}  {one_line(q.question.text)}" for q in found.questions]
    items = [f"{one_line(project.title(handoff))}, {clean(item)}" for handoff, item in found.items]
    return [*bullets("cited by", by, cells), *bullets("evidence of", items, cells)]


def comment_lines(project: Project, entity: str, cells: int) -> list[Line]:
    """Return the comments on a subject, oldest first."""
    out: list[Line] = []
    for change in sorted(project.changes(entity), key=lambda c: (c.t, c.id)):
        text = getattr(change.value, "text", "")
        if change.kind == "comment.added" and change.live and text:
            who = f"{clean(project.person_name(change.person))}, {words.minute(change.t)}"
            out += [*field("comment", who, cells, "dim"), *prose("", text, cells)]
    return out


def _named(project: Project, entity: str) -> str:
    found = project.decision(entity)
    return f"{project.code(entity)}  {one_line(found.decision.choice)}" if found else "one that is not in this store"


def split(text: str) -> list[str]:
    """Return the parts of a text parted by semicolons, blanks at their ends dropped."""
    return [part.strip() for part in text.split(";") if part.strip()]
