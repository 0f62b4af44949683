"""Decisions and questions: the list, each of them in full, and writing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.widget import Widget

from carnet_store.domain.decisions import is_empty_reason
from carnet_tui import frame_text
from carnet_tui.screen import Route
from carnet_tui.screens.subjects import ListScreen, SubjectScreen, route_of
from carnet_tui.text import Line, clean, plural
from carnet_tui.views import decision_view
from carnet_tui.views.decision_view import Row
from carnet_tui.views.fields import one_line
from carnet_tui.widgets.dialogs import Choice, LongPrompt, Picker
from carnet_tui.widgets.form import Blank, Form
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

ABOUT_AT_MOST = 500
NOT_GIVEN = "-"


class DecisionWriting(SubjectScreen):
    """What the screens of decisions and questions share: writing a decision, replying, closing, confirming."""

    _typed: ClassVar[dict[str, str]] = {}
    """What was typed into a decision's form and not written, kept while the program runs."""

    async def write_decision(self, replaces: str = "", about: Sequence[str] = ()) -> str:
        """Ask for a decision: a form, its reason, what it is about; then a preview. Return its id, empty where none."""
        glyphs = self.glyphs
        title = f"A decision that replaces {self.project.code(replaces)}" if replaces else "A new decision"
        blanks = [
            Blank("question", "question", required=True, hint="what was to be decided"),
            Blank("choice", "decision", required=True, hint="what was chosen"),
            Blank("options", "options", hint="what else was possible; parted by semicolons"),
            Blank("constraints", "given", hint="constraints it had to meet; parted by semicolons"),
            Blank("deciders", "decided by", hint="names parted by semicolons; empty: I did"),
        ]
        kept = DecisionWriting._typed
        typed = await self.ask(Form(title, blanks, glyphs=glyphs, typed=kept, keep=self._keep, check=self._check_names))
        if typed is None:
            return ""
        reason = await self.ask(
            LongPrompt("Why? Markdown, as long as it needs", glyphs=glyphs, value=kept.get("reason", ""), verb="go on",
                       keep=lambda text: self._keep({**typed, "reason": text}),
                       check=lambda text: "It needs a reason that says something." if is_empty_reason(text) else "")
        )  # fmt: skip
        if reason is None:
            return ""
        self._keep({**typed, "reason": reason})
        if not about:
            chosen = await self.ask(Picker("What is it about?", self._subjects(), glyphs=glyphs, verb="take"))
            if chosen is None:
                return ""
            about = () if chosen[0] == NOT_GIVEN else (chosen[0],)
        deciders = [self.project.find_person(name) for name in decision_view.split(typed["deciders"])]
        options = [{"title": one} for one in decision_view.split(typed["options"])]
        constraints = decision_view.split(typed["constraints"])
        named = ", ".join(clean(self.project.person_name(one)) for one in deciders) or "I"
        shown = [
            f"decided by  {named}", f"question    {one_line(typed['question'])}",
            f"decision    {one_line(typed['choice'])}", "", *(clean(line) for line in reason.strip().split("\n")), "",
            *(f"option      {one_line(one['title'])}" for one in options),
            *(f"given       {one_line(one)}" for one in constraints),
            f"about       {decision_view.about_words(self.project, about) or 'nothing in particular'}",
        ]  # fmt: skip
        if any(one != self.me for one in deciders):
            shown += ["", "In another's name: it stays unsigned until that person confirms it."]
        after = "A decision stays; a later one can replace it."
        if not await self.preview("Record this decision", paragraphs(shown), after=after):
            return ""
        written = await self.write(
            lambda acts: acts.decide(
                typed["question"], typed["choice"], reason.strip(), options=options, constraints=constraints,
                deciders=deciders, about=about, replaces=replaces,
            )
        )  # fmt: skip
        if written is None:
            return ""
        self._keep({})
        return written.entity

    @staticmethod
    def _keep(typed: dict[str, str]) -> None:
        DecisionWriting._typed = dict(typed)

    def _check_names(self, typed: dict[str, str]) -> str:
        from carnet_store import CarnetError

        for name in decision_view.split(typed["deciders"]):
            try:
                self.project.find_person(name)
            except CarnetError as error:
                return f"{clean(error.message)}; {clean(error.hint)}."
        return ""

    def _subjects(self) -> list[tuple[str, str, str]]:
        project = self.project
        found = [
            (h.id, one_line(project.row(h.opened.model).title), "handoff") for h in project.handoffs()[:ABOUT_AT_MOST]
        ]
        found += [(row.id, one_line(row.title), clean(row.kind)) for row in project.entities(limit=ABOUT_AT_MOST)]
        return [*found[:1], (NOT_GIVEN, "nothing in particular", ""), *found[1:]]

    async def reply_to(self, entity: str) -> None:
        """Reply to a question: text, then a preview."""
        view = self.project.question(entity)
        if view is None:
            return
        subject = f"question:{entity}"
        kept = str(self.acts().drafts(subject).get(subject, {}).get("text", ""))
        text = await self.ask(
            LongPrompt(f"Reply to {self.project.code(entity)}", glyphs=self.glyphs, value=kept, verb="go on",
                       about=[one_line(view.question.text)],
                       keep=lambda typed: self.acts().keep_draft(subject, {"text": typed}) if typed.strip() else None,
                       check=lambda typed: "" if typed.strip() else "A reply needs a text.")
        )  # fmt: skip
        if text is None:
            return
        lines = paragraphs(
            [f"reply to {self.project.code(entity)}", "", *(clean(one) for one in text.strip().split("\n"))]
        )
        after = "u takes it back until it was exported. Only its asker closes the question."
        if not await self.preview("Write this reply", lines, after=after):
            self.acts().keep_draft(subject, {"text": text})
            return
        if await self.write(lambda acts: acts.reply(entity, text.strip())) is not None:
            self.acts().drop_draft(subject)

    async def close_it(self, entity: str, *, accepted: bool = True) -> None:
        """Close my question."""
        code = self.project.code(entity)
        words_ = "its replies answer it" if accepted else "it is withdrawn"
        lines = paragraphs([f"{code} is closed: {words_}.", "What it blocked is free again."])
        if await self.preview(f"Close {code}", lines, verb="close"):
            await self.write(lambda acts: acts.close_question(entity, accepted=accepted))

    async def answer_or_close(self, entity: str) -> None:
        """Reply to a question; its asker may close or withdraw it instead."""
        view = self.project.question(entity)
        if view is None:
            return
        if view.person != self.me:
            await self.reply_to(entity)
            return
        ways = [("r", "reply", "reply")]
        if view.replies:
            ways.insert(0, ("c", "close it: the replies answer it", "close"))
        ways.append(("w", "withdraw it", "withdraw"))
        chosen = await self.ask(Choice(f"Your question {self.project.code(entity)}", ways, glyphs=self.glyphs))
        if chosen == "reply":
            await self.reply_to(entity)
        elif chosen is not None:
            await self.close_it(entity, accepted=chosen == "close")

    async def confirm_it(self, entity: str) -> None:
        """Confirm a decision that another typed in my name."""
        view = self.project.decision(entity)
        if view is None:
            return
        typed = clean(self.project.person_name(view.person))
        lines = paragraphs(
            [f"{typed} typed in your name:", "", one_line(view.decision.choice), "",
             "You say with your own key that you decided so, for this reason:", *(clean(x) for x in view.decision.reason.split("\n"))]
        )  # fmt: skip
        if await self.preview(f"Confirm {self.project.code(entity)}", lines, verb="confirm"):
            await self.write(lambda acts: acts.confirm_decision(entity))

    def why_not(self, action_id: str, entity: str) -> str | None:
        """Say why a verb cannot be done on a decision or question now."""
        if action_id in ("new", "reply", "close", "confirm", "comment", "question"):
            reason = self.may_write()
            if reason or action_id == "new":
                return reason
        if (
            action_id in ("open", "reply", "close", "confirm", "comment", "question", "timeline", "graph")
            and not entity
        ):
            return "nothing is chosen"
        if action_id in ("reply", "close"):
            asked = self.project.question(entity) if entity.startswith("question:") else None
            if asked is None:
                return "this is no question"
            if asked.state == "closed":
                return "it is closed"
            if action_id == "close" and asked.person != self.me:
                return f"only {clean(self.project.person_name(asked.person))} closes it"
        if action_id == "confirm":
            decided = self.project.decision(entity) if entity.startswith("decision:") else None
            if decided is None or self.me not in decided.unsigned_by:
                return "nothing was typed in your name"
        if action_id == "graph" and not self.nodes_about(entity):
            return "it is about no node"
        return None

    def nodes_about(self, entity: str) -> list[str]:
        """Return the nodes of the lineage that a decision or question is about; a handoff stands for its model."""
        decided, asked = self.project.decision(entity), self.project.question(entity)
        about = decided.decision.about if decided else asked.question.about if asked else ()
        found = []
        for one in about:
            handoff = self.project.handoff(one) if one.startswith("handoff:") else None
            found.append(handoff.opened.model if handoff else one)
        found = [one for one in found if route_of(one).name == "lineage"]
        return found

    def offers(self, entity: str) -> list[tuple[str, str]]:
        """Return what can be copied of a decision or question."""
        if not entity:
            return []
        project = self.project
        return [("code", project.code(entity)), ("text", one_line(project.title(entity))), ("id", entity),
                ("line", f"{project.code(entity)}  {one_line(project.title(entity))}")]  # fmt: skip


class DecisionsScreen(DecisionWriting, ListScreen):
    """All decisions and questions, what waits for me first; the chosen one below."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("decisions",)
    PLACE: ClassVar[str] = "decisions"
    AUTO_FOCUS: ClassVar[str | None] = "LineList"

    def __init__(self) -> None:
        super().__init__()
        self.mine_only = False
        self.rows: list[Row] = []

    def compose_content(self) -> Iterable[Widget]:
        """Yield headline, list, and the chosen one in full."""
        yield TextBlock(self._head, classes="roomy")
        yield LineList(
            self._source(), self._line, lambda row: row.entity, glyphs=self.glyphs,
            empty="No decision and no question yet: n writes one.",
        )  # fmt: skip
        yield TextBlock(lambda cells: [frame_text.rule(cells, self.glyphs)], classes="roomy")
        yield TextView(lambda cells: [], id="detail", classes="roomy")

    def on_mount(self) -> None:
        """Read the list."""
        self.refresh_data()

    def _source(self) -> Rows[Row]:
        shown = [row for row in self.rows if row.mine] if self.mine_only else self.rows
        return Rows(shown, lambda row: row.entity)

    def _line(self, row: Row, cells: int) -> Line:
        return decision_view.row_line(row, cells, self.project.now(), self.glyphs)

    def _head(self, cells: int) -> list[Line]:
        waiting = sum(row.waits for row in self.rows)
        said = plural(len(self.rows), "decision or question", "decisions and questions")
        said += f", {waiting} wait for you" if waiting > 1 else ", 1 waits for you" if waiting else ""
        return [frame_text.headline("mine" if self.mine_only else "all", said, cells, self.glyphs)]

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        found = self.query(LineList)
        return found.first().chosen if found else None

    def refresh_data(self) -> None:
        """Read decisions and questions anew."""
        self.rows = []
        if self.has_project:
            member = self.project.members().people.get(self.me)
            self.rows = decision_view.rows(self.project, self.me, self.my_roles(), member.team if member else "")
        self.query_one(LineList).refill(self._source())
        for block in self.query(TextBlock):
            block.show(layout=False)
        self._show_chosen()

    def _show_chosen(self) -> None:
        row = self.chosen
        self.query_one("#detail", TextView).show(lambda cells: in_full(self, row.entity, cells) if row else [])

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Open it."""
        event.stop()
        self.go(event.row.entity)

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "new", "find", "mine", "graph", "timeline", "comment")

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        row = self.chosen
        return self.why_not(action_id, row.entity if row else "")

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied of the row."""
        return self.offers(self.chosen.entity) if self.chosen else ()

    def do_open(self) -> None:
        """Open the chosen one."""
        self.query_one(LineList).action_open()

    def do_mine(self) -> None:
        """Show only what is mine, or everything."""
        self.mine_only = not self.mine_only
        self.refresh_data()

    def do_find(self) -> None:
        """Find one while typing."""
        self.flow(self._find())

    async def _find(self) -> None:
        things = [(row.entity, f"{row.code}  {row.title}", f"{row.about}  {row.who}") for row in self.rows]
        chosen = await self.ask(Picker("Find", things, glyphs=self.glyphs, verb="go there"))
        if chosen is not None:
            self.mine_only = False
            self.refresh_data()
            self.query_one(LineList).choose(chosen[0])

    def do_new(self) -> None:
        """Write a decision or ask a question."""
        self.flow(self._new())

    async def _new(self) -> None:
        row = self.chosen
        ways = [("d", "a decision", "decision"), ("q", "a question", "question")]
        if row is not None and not row.is_question:
            ways.append(("r", f"a decision that replaces {row.code}", "replace"))
        chosen = await self.ask(Choice("New", ways, glyphs=self.glyphs))
        made = ""
        if chosen == "question":
            about = await self.ask(Picker("What is it about?", self._subjects(), glyphs=self.glyphs))
            if about is not None:
                given = () if about[0] == NOT_GIVEN else (about[0],)
                await self.ask_question(given, about[1])
        elif chosen == "replace" and row is not None:
            view = self.project.decision(row.entity)
            made = await self.write_decision(row.entity, view.decision.about if view else ())
        elif chosen == "decision":
            made = await self.write_decision()
        if made:
            self.query_one(LineList).choose(made)

    def do_reply(self) -> None:
        """Reply to the chosen question."""
        if self.chosen:
            self.flow(self.reply_to(self.chosen.entity))

    def do_close(self) -> None:
        """Close the chosen question."""
        if self.chosen:
            self.flow(self.close_it(self.chosen.entity))

    def do_confirm(self) -> None:
        """Confirm the chosen decision."""
        if self.chosen:
            self.flow(self.confirm_it(self.chosen.entity))

    def do_comment(self) -> None:
        """Comment on the chosen one."""
        if self.chosen:
            self.flow(self.write_comment(self.chosen.entity, self.chosen.code))

    def do_question(self) -> None:
        """Ask about the chosen one."""
        if self.chosen:
            self.flow(self.ask_question([self.chosen.entity], self.chosen.code))

    def do_graph(self) -> None:
        """Show what it is about in the lineage."""
        if self.chosen:
            self.graph_of(self.nodes_about(self.chosen.entity)[0])

    def do_timeline(self) -> None:
        """Show what happened to it."""
        if self.chosen:
            self.timeline_of(self.chosen.entity)


def in_full(screen: SubjectScreen, entity: str, cells: int, comments: bool = False) -> list[Line]:
    """Return a decision or a question in full, or what is wrong with it."""
    project = screen.project
    decided = project.decision(entity)
    if decided is not None:
        return decision_view.decision_lines(project, decided, cells, screen.glyphs, comments)
    asked = project.question(entity)
    if asked is not None:
        return decision_view.question_lines(project, asked, cells, screen.glyphs, comments)
    return list(paragraphs(["This is not in this store: a newer bundle may bring it."])(cells))


class DecisionScreen(DecisionWriting):
    """One decision in full."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("decision",)
    PLACE: ClassVar[str] = "decisions"
    AUTO_FOCUS: ClassVar[str | None] = "TextView"

    def __init__(self, entity: str) -> None:
        super().__init__()
        self.entity = entity

    def compose_content(self) -> Iterable[Widget]:
        """Yield the text."""
        yield TextView(lambda cells: in_full(self, self.entity, cells, True))

    def crumb(self) -> str:
        """Return the project and the code."""
        return f"{super().crumb()} / {self.project.code(self.entity)}" if self.has_project else super().crumb()

    def refresh_data(self) -> None:
        """Read it anew."""
        self.query_one(TextView).show(lambda cells: in_full(self, self.entity, cells, True))

    def first_hints(self) -> Sequence[str]:
        """Return the footer's order."""
        return ("open", "graph", "timeline", "comment", "question")

    def say_enter(self) -> str:
        """Enter confirms what was typed for me, else shows what it is about."""
        return "confirm" if self.available("confirm") is None else "what it is about"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        if action_id == "open":
            can = self.why_not("confirm", self.entity) is None or bool(self.nodes_about(self.entity))
            return None if can else "it is about nothing"
        return self.why_not(action_id, self.entity)

    def copies(self) -> Sequence[tuple[str, str]]:
        """Return what can be copied of it."""
        return self.offers(self.entity)

    def do_open(self) -> None:
        """Confirm it, or go to what it is about."""
        if self.available("confirm") is None:
            self.do_confirm()
            return
        view = self.project.decision(self.entity)
        asked = self.project.question(self.entity)
        about = view.decision.about if view else asked.question.about if asked else ()
        self.go(about[0])

    def do_confirm(self) -> None:
        """Confirm it."""
        self.flow(self.confirm_it(self.entity))

    def do_comment(self) -> None:
        """Comment on it."""
        self.flow(self.write_comment(self.entity, self.project.code(self.entity)))

    def do_question(self) -> None:
        """Ask about it."""
        self.flow(self.ask_question([self.entity], self.project.code(self.entity)))

    def do_graph(self) -> None:
        """Show what it is about in the lineage."""
        self.base.enter(Route("lineage", (self.nodes_about(self.entity)[0],)))

    def do_timeline(self) -> None:
        """Show what happened to it."""
        self.timeline_of(self.entity)


class QuestionScreen(DecisionScreen):
    """One question with its replies; Enter replies, and lets its asker close it."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("question",)

    def say_enter(self) -> str:
        """Return what Enter does here."""
        view = self.project.question(self.entity)
        return "reply or close" if view is not None and view.person == self.me else "reply"

    def available(self, action_id: str) -> str | None:
        """Say why a verb cannot be done now."""
        return self.why_not("reply" if action_id == "open" else action_id, self.entity)

    def do_open(self) -> None:
        """Reply, or close."""
        self.flow(self.answer_or_close(self.entity))

    def do_reply(self) -> None:
        """Reply."""
        self.flow(self.reply_to(self.entity))

    def do_close(self) -> None:
        """Close it."""
        self.flow(self.close_it(self.entity))
