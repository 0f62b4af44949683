"""All my open items as one document in the person's editor; problems come back at their lines, nothing typed is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carnet_store.work.answer_sheet import answers_from_yaml, answers_to_yaml, mark_problems
from carnet_tui import terminal
from carnet_tui.answer_dialogs import names_of
from carnet_tui.text import clean
from carnet_tui.views import item_view, words
from carnet_tui.widgets.dialogs import Choice
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from carnet_tui.handoff_verbs import HandoffVerbs


async def edit_all(screen: HandoffVerbs) -> None:
    """Open the document, again where something in it is wrong; then show the records and write them as one."""
    look, acts = screen.the_look(), screen.acts()
    key = f"sheet {screen.entity}"
    current = {one.item.id: one.value for one in look.status.items if one.value is not None}
    open_items = [
        one.item.id
        for one in look.status.items
        if one.item.answers in screen.my_roles() and not one.settled and one.state not in ("answered", "conflict")
    ]
    kept = str(acts.drafts(key).get(key, {}).get("text", ""))
    if not open_items and not kept:
        screen.base.say("No open item here is yours to answer.")
        return
    text = kept or answers_to_yaml(look.checklist, current, open_items)
    lookups, folder = screen.project.lookups(look), screen.desk.store.root.parent

    def put(path: str) -> Mapping[str, object]:
        return screen.project.put_file(folder / Path(path).expanduser())

    while True:
        before = text
        text, problem = terminal.edit(screen.app, text, name="answers.yaml")
        if problem:
            screen.base.say(problem)
            return
        if text == before and not kept:
            screen.base.say("Nothing was changed, nothing was written.")
            return
        acts.keep_draft(key, {"text": text})
        found, problems = answers_from_yaml(text, look.checklist, lookups, current, put)
        if not problems:
            break
        about = [f"line {one.line}: {clean(one.text)}. {clean(one.mend)}" for one in problems[:8]]
        way = await screen.ask(
            Choice(
                f"{words.count(len(problems), 'thing')} in your document cannot be read",
                [("y", "open the editor again", "again"), ("n", "leave; what you typed is kept", "leave")],
                about=about, glyphs=screen.glyphs,
            )
        )  # fmt: skip
        if way != "again":
            screen.base.say("Kept: E opens your document again.")
            return
        text = mark_problems(text, problems)
        kept = text
    if not found:
        acts.drop_draft(key)
        screen.base.say("No answer changed, nothing was written.")
        return
    lines: list[str] = []
    for item_id, value in found:
        item = look.checklist.item(item_id)
        if item is not None:
            lines += [f"{clean(item_id)}  {clean(item.title)}"]
            lines += [f"    {line}" for line in item_view.value_lines(item, value, names_of(screen))[:3]]
    title = f"Write {words.count(len(found), 'answer')}"
    if not await screen.preview(title, paragraphs(lines), after="They are written as one record."):
        screen.base.say("Kept: E opens your document again.")
        return
    if await screen.write(lambda acts: acts.answer(screen.entity, dict(found))) is not None:
        acts.drop_draft(key)
        for item_id, _ in found:
            screen.drop_drafts(item_id)
        screen.refresh_data()
