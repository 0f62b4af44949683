"""Review: one item after another that needs me; drafts are kept, and submitted as one record at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.widget import Widget

from carnet_tui import frame_text
from carnet_tui.answer_dialogs import draft_key, names_of, verdict_key
from carnet_tui.handoff_verbs import HandoffVerbs
from carnet_tui.screen import Route
from carnet_tui.text import Line, clean
from carnet_tui.views import item_view, review_view, words
from carnet_tui.views.handoff_view import act_word
from carnet_tui.views.review_view import Step
from carnet_tui.widgets.line_list import LineList, Rows
from carnet_tui.widgets.lines import TextBlock, TextView, paragraphs

if TYPE_CHECKING:
    from carnet_store import ItemStatus


SUBMIT = "submit"
"""The row of the summary that writes the drafts; no item is called so, ids have a dot or are a word of a pack."""


class ReviewScreen(HandoffVerbs):
    """The walk through what needs me on one handoff. It is resumable: drafts wait on this machine."""

    CONTEXTS: ClassVar[tuple[str, ...]] = ("review",)
    PLACE = "inbox"
    CSS = "ReviewScreen #summary { display: none; height: 1fr; }"

    def __init__(self, handoff: str) -> None:
        super().__init__(handoff)
        self.items: list[str] = []
        self.at = 0

    # What the walk goes through

    def read(self) -> None:
        """Read the handoff; items keep their place in the walk while it lasts."""
        super().read()
        if self.look is not None:
            needed = [one.item.id for one in self.review_items()]
            self.items = [item for item in self.items if item in needed] + [i for i in needed if i not in self.items]
            self.at = min(self.at, len(self.items))

    @property
    def current(self) -> ItemStatus | None:
        """The item of this step."""
        if self.look is None or self.at >= len(self.items):
            return None
        return self.look.status.item(self.items[self.at])

    def steps(self) -> list[Step]:
        """Return the walk with its drafts."""
        found = []
        for item in self.items:
            one = self.look.status.item(item) if self.look else None
            if one is not None:
                found.append(Step(clean(item), clean(one.item.title), act_word(one), self.draft_of(item)))
        return found

    def crumb(self) -> str:
        """Return where one is."""
        return f"{super().crumb()} / review"

    # Showing

    def compose_content(self) -> Iterable[Widget]:
        """Yield progress, the item, and the summary at the end."""
        self.read()
        steps = self.steps()
        self.at = 0 if any(not step.draft for step in steps[:1]) else review_view.next_step(steps, -1) if steps else 0
        glyphs = self.glyphs
        yield TextBlock(self.top_lines, id="top")
        yield TextView(self.item_lines, id="step")
        yield LineList(
            self.summary_source(), lambda step, cells: review_view.summary_line(step, cells, glyphs),
            lambda step: step.item, glyphs=glyphs, empty="Nothing here waits for you now; esc goes back.", id="summary",
        )  # fmt: skip

    def top_lines(self, cells: int) -> list[Line]:
        """Return progress and, in the walk, what the item is."""
        lines = [review_view.progress_line(self.named(), self.steps(), self.at, cells, self.glyphs)]
        one = self.current
        if frame_text.compact(*self.app.size):
            return lines if one is None else [*lines, *item_view.head_lines(self.facts_of(one), cells, self.glyphs)[:1]]
        lines.append(frame_text.rule(cells, self.glyphs))
        if one is not None:
            lines += item_view.head_lines(self.facts_of(one), cells, self.glyphs)
        elif self.items:
            drafted = sum(bool(step.draft) for step in self.steps())
            said = f"{words.count(drafted, 'item')} of {len(self.items)} drafted; nothing of it is written yet."
            lines.append([(" " + said, "")])
        return lines

    def item_lines(self, cells: int) -> list[Line]:
        """Return the item of this step."""
        one = self.current
        if one is None:
            return []
        return item_view.body_lines(self.facts_of(one), cells, self.project.now(), names_of(self), self.glyphs)

    def summary_source(self) -> Rows[Step]:
        """Return the rows of the summary: submitting first, then the items."""
        steps = self.steps()
        drafts = sum(bool(step.draft) for step in steps)
        if drafts:
            steps.insert(0, Step(SUBMIT, "", "", f"{words.count(drafts, 'draft')} as one record"))
        return Rows(steps, lambda step: step.item)

    def refresh_data(self) -> None:
        """Show what is true now."""
        self.read()
        self.show_step()

    def show_heard(self) -> None:
        """Paint the item of this step with what the record says to it; what one reads stays where it is."""
        for block in self.query("#top").results(TextBlock):
            block.show(layout=False)
        for view in self.query("#step").results(TextView):
            at = view.scroll_offset.y
            view.show(self.item_lines)
            view.scroll_to(y=at, animate=False, force=True)

    def show_step(self) -> None:
        """Show this step, or the summary behind the last."""
        ended = self.current is None
        for block in self.query("#top").results(TextBlock):
            block.show()
        for view in self.query("#step").results(TextView):
            view.styles.display = "none" if ended else "block"
            view.show(self.item_lines)
            if not ended:
                view.focus()
        for found in self.query("#summary").results(LineList):
            found.styles.display = "block" if ended else "none"
            found.refill(self.summary_source())
            if ended:
                found.choose(SUBMIT)
                found.focus()
        self.refresh_chrome()

    def on_mount(self) -> None:
        """Begin."""
        self.show_step()

    def _move(self, name: str) -> None:
        """Left and right go from step to step."""
        if name in ("left", "right"):
            self.step(-1 if name == "left" else 1)
        else:
            super()._move(name)

    def step(self, step: int) -> None:
        """Go to the neighbour without an answer; behind the last stands the summary."""
        self.at = max(0, min(self.at + step, len(self.items)))
        self.show_step()

    def on_line_list_selected(self, event: LineList.Selected) -> None:
        """Go back to one of the items, or submit."""
        self._take(event.row)

    def _take(self, step: Step) -> None:
        if step.item == SUBMIT:
            self.do_submit()
        else:
            self.at = self.items.index(step.item)
            self.show_step()

    # Keys

    def first_hints(self) -> Sequence[str]:
        """Return what this step asks for first."""
        one = self.current
        if one is None:
            return ("submit",)
        first = {"answered": "verify", "conflict": "settle"}.get(one.state, "answer")
        order = (first, "submit", "question", "comment", "evidence", "waive")
        return tuple(sorted(order, key=lambda name: self.available(name) is not None))

    def hints(self) -> list[frame_text.Hint]:
        """Return the footer: Enter does what the item waits for, arrows go from item to item; in the summary Enter submits."""
        found = super().hints()
        if self.current is not None:
            found = self.with_enter(found)
            found.insert(1, ("→", "next", ""))
            return found
        found = [hint for hint in found if hint[1] != "open"]
        if self.items:
            row = next(iter(self.query("#summary").results(LineList)), None)
            submits = row is not None and row.chosen is not None and row.chosen.item == SUBMIT
            found.insert(0, ("⏎", "submit" if submits else "go there", ""))
        return found

    def available(self, action_id: str) -> str | None:
        """Return why an action cannot be done now."""
        if action_id == "submit":
            return None if any(step.draft for step in self.steps()) else "there is no draft yet"
        if action_id == "mine":
            return None
        return super().available(action_id)

    async def do_open(self) -> None:
        """Do what this item waits for; open it where that is nothing one types."""
        one, name = self.current, self.next_act()
        if one is not None and name:
            await self.action_act(name)
        elif one is not None:
            self.base.enter(Route("item", (self.entity, one.item.id)))
        else:  # the summary, by a click on the key
            for found in self.query("#summary").results(LineList):
                if found.chosen is not None:
                    self._take(found.chosen)

    async def record_answer(self, one: ItemStatus, value: Mapping[str, object]) -> None:
        """Keep the answer as a draft and go on; the end submits them all."""
        self.acts().keep_draft(draft_key(self.entity, one.item.id), {"value": dict(value)})
        self.go_on(f"{clean(one.item.id)}: a draft, not signed, not shared.")

    async def _verify(self, one: ItemStatus) -> None:
        verdict = await self.ask_verdict(one)
        if verdict is None or one.answer is None:
            return
        agree, reason = verdict
        subject = verdict_key(self.entity, one.item.id)
        self.acts().keep_draft(subject, {"agree": agree, "reason": reason, "answer": one.answer.id})
        word = "you agree" if agree else "you disagree"
        self.go_on(f"{clean(one.item.id)}: {word}, a draft, not signed, not shared.")

    def go_on(self, said: str) -> None:
        """Go to the next step without a draft."""
        self.at = review_view.next_step(self.steps(), self.at)
        self.base.say(said)
        self.show_step()
        if self.current is None:
            self.do_submit()

    def do_submit(self) -> None:
        """Write all drafts as one record."""
        self.flow(self._submit())

    def collected(self) -> tuple[dict[str, Mapping[str, object]], dict[str, tuple[bool, str]], list[str]]:
        """Return the drafts: answers, verdicts, and items whose answer changed since the verdict was drafted."""
        answers: dict[str, Mapping[str, object]] = {}
        verdicts: dict[str, tuple[bool, str]] = {}
        moved: list[str] = []
        acts, look = self.acts(), self.the_look()
        for item in self.items:
            one = look.status.item(item)
            kept: Any = acts.drafts(draft_key(self.entity, item)).get(draft_key(self.entity, item), {}).get("value")
            if isinstance(kept, Mapping):
                answers[item] = kept
            key = verdict_key(self.entity, item)
            verdict = acts.drafts(key).get(key)
            if verdict and one is not None and one.answer is not None:
                if verdict.get("answer") == one.answer.id:
                    verdicts[item] = (bool(verdict.get("agree")), str(verdict.get("reason", "")))
                else:
                    moved.append(item)
        return answers, verdicts, moved

    async def _submit(self) -> None:
        answers, verdicts, moved = self.collected()
        for item in moved:
            self.drop_drafts(item)
        if moved:
            self.base.say(f"{', '.join(map(clean, moved))}: the answer changed since you judged it; look again.")
            self.show_step()
            return
        if not answers and not verdicts:
            self.base.say("There is no draft to submit.")
            return
        look, lines = self.the_look(), list[str]()
        for item, value in answers.items():
            one = look.status.item(item)
            if one is not None:
                lines.append(
                    f"{clean(item)}: you answer {'; '.join(item_view.value_lines(one.item, value, names_of(self))[:2])}"
                )
        for item, (agree, reason) in verdicts.items():
            lines.append(f"{clean(item)}: you {'agree' if agree else f'disagree: {clean(reason)}'}")
        left = [step.item for step in self.steps() if not step.draft]
        if left:
            lines += ["", f"left for later: {words.listed(left)}"]
        count = len(answers) + len(verdicts)
        if not await self.preview(
            f"Submit {words.count(count, 'draft')} as one record", paragraphs(lines), verb="submit"
        ):
            self.base.say("Your drafts are kept.")
            return
        if await self.write(lambda acts: acts.submit(self.entity, answers, verdicts)) is not None:
            for item in (*answers, *verdicts):
                self.drop_drafts(item)
            self.refresh_data()
            if not self.items:
                self.base.visit((Route("inbox"), Route("handoff", (self.entity,))))
