"""Move a handoff to another pack, tier or facts: asked one after another, then what becomes of the items, then written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carnet_store.domain.template import checklist, facts_of
from carnet_tui.screens.open_handoff import ask_facts, ask_gate, ask_tier
from carnet_tui.text import Line, clean
from carnet_tui.views import pack_view
from carnet_tui.views.fields import field
from carnet_tui.widgets.dialogs import Reason

if TYPE_CHECKING:
    from carnet_store import Look
    from carnet_tui.desk_screen import DeskScreen


async def repack_flow(screen: DeskScreen, look: Look) -> None:
    """Ask where to, show which items are added, removed and kept, ask why, write."""
    handoff = look.handoff
    gate = await ask_gate(screen, handoff.opened.from_stage, handoff.opened.to_stage, handoff.gate.id)
    if gate is None:
        return
    loaded = screen.desk.packs_for(gate, screen.project)
    packs = [one.pack for one in loaded]
    tier = await ask_tier(screen, packs, handoff.tier, f"it is {clean(handoff.tier)} now")
    if tier is None:
        return
    asked = {spec.id for spec in facts_of(packs)}
    found = await ask_facts(screen, packs, handoff.facts)
    if found is None:
        return
    facts = {**{name: value for name, value in handoff.facts.items() if name not in asked}, **found}
    template = [one.sha256 for one in loaded]
    if not pack_view.changes_something(look, tier, facts, template):
        screen.base.say("That is how it is already; nothing was written.")
        return
    new = checklist(packs, tier, facts)
    title = f"Move {clean(look.model.title)} to another pack"
    rows = pack_view.move_rows(look, new, tier, facts, template)
    reason = await screen.ask(
        Reason(title, glyphs=screen.glyphs, about=[pack_view.counts_words(look, new) + "."], verb="go on")
    )
    if reason is None:
        return
    rows += [("", ""), ("because", clean(" ".join(reason.split())))]

    def build(cells: int) -> list[Line]:
        return [line for label, text in rows for line in (field(label, text, cells) if label else [[]])]

    after = "Answers stay with their items; move it back in the same way."
    if await screen.preview(title, build, verb="move it", after=after):
        await screen.write(lambda acts: acts.repack(handoff.id, loaded, tier, facts, reason.strip()))
        screen.refresh_data()
