"""A new model version and its handoff in a short form: name and version, which gate, risk tier, facts; then a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.domain.template import checklist, facts_of, parse_fact
from carnet_store.errors import CarnetError
from carnet_tui.screen import Route
from carnet_tui.text import clean, fit
from carnet_tui.views import pack_view, words
from carnet_tui.widgets.dialogs import Choice, Picker, Prompt
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Acts, Written
    from carnet_store.domain.template import Pack
    from carnet_tui.desk_screen import DeskScreen


async def open_flow(screen: DeskScreen, model: str = "") -> None:
    """Ask what crosses and by which gate, show what will be written, write it, open the handoff."""
    project, glyphs = screen.project, screen.glyphs
    name = version = ""
    if model:
        title = clean(project.row(model).title)
        ways = [("y", f"a handoff of {title}", "this"), ("n", "a new model version", "new")]
        way = await screen.ask(Choice("Open a handoff", ways, glyphs=glyphs, about=["Of which version?"]))
        if way is None:
            return
        model = model if way == "this" else ""
    if not model:
        asked = await _name(screen)
        if asked is None:
            return
        name, version = asked
    gate = await ask_gate(screen, screen.project.stage(model) if model else "research")
    if gate is None:
        return
    packs = screen.desk.packs_for(gate, project)
    tier = await ask_tier(screen, [one.pack for one in packs], "B", "B where you are unsure")
    if tier is None:
        return
    facts = await ask_facts(screen, [one.pack for one in packs], {})
    if facts is None:
        return
    found = checklist([loaded.pack for loaded in packs], tier, facts)
    what = clean(project.row(model).title) if model else f"{clean(name)}@{clean(version)}, a new version"
    lines = [
        f"a handoff of {what}",
        clean(packs[0].pack.title),
        f"tier {tier}, {words.count(len(found.items), 'item')}",
    ]
    lines.append(f"signed by {', '.join(words.role(row.role) for row in found.signoffs)}")
    if not await screen.preview("Open this handoff", paragraphs(lines), verb="open it"):
        return
    if not model:
        declared = await screen.write(lambda acts: acts.declare("model", name, version=version))
        if declared is None:
            return
        model = declared.entity

    def act(acts: Acts) -> Written:
        return acts.open_handoff(model, packs, tier=tier, facts=facts)

    written = await screen.write(act)
    if written is not None:
        screen.base.visit((Route("models"), Route("handoff", (written.entity,))))


async def _name(screen: DeskScreen) -> tuple[str, str] | None:
    newest = screen.project.entities("model", limit=1)
    start = f"{'-'.join(screen.project.name.split())}@1"
    if newest:
        number = newest[0].version
        start = f"{newest[0].name}@{int(number) + 1}" if number.isdigit() else f"{newest[0].name}@"

    def wrong(text: str) -> str:
        name, at, version = text.strip().rpartition("@")
        if not (name and at and version):
            return "Write name@version, such as churn@1."
        taken = any(
            r.name == name and r.version == version for r in screen.project.entities("model", text=text.strip())
        )
        return f"{clean(text.strip())} is here already." if taken else ""

    text = await screen.ask(
        Prompt(
            "A new model version",
            glyphs=screen.glyphs,
            value=start,
            suggested=True,
            about=["Its name and version; Enter takes what stands here."],
            check=wrong,
        )
    )
    if text is None:
        return None
    name, _, version = text.strip().rpartition("@")
    return name, version


async def ask_tier(screen: DeskScreen, packs: Sequence[Pack], first: str, note: str) -> str | None:
    """Ask for a risk tier of a gate's pack, `first` standing first; None where the person left."""
    rows = [(t.id, f"{t.id}  {clean(t.title)}", fit(clean(t.meaning), 46)) for t in packs[0].tiers]
    rows.sort(key=lambda row: row[0] != first)
    chosen = await screen.ask(Picker("Which risk tier?", rows, glyphs=screen.glyphs, note=note))
    return chosen[0] if chosen else None


async def ask_facts(screen: DeskScreen, packs: Sequence[Pack], known: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ask for each fact that the packs ask for, beginning with what is known; None where the person left."""
    facts: dict[str, Any] = {}
    for spec in facts_of(packs):
        said = "yes, no or unknown" if spec.type == "bool" else ", ".join(spec.options) or spec.type

        def wrong(text: str, spec: Any = spec) -> str:
            try:
                parse_fact(spec, text)
            except CarnetError as error:
                return clean(f"{error.message}. {error.hint}")
            return ""

        about = [clean(spec.question), *([clean(spec.help)] if spec.help else []), f"{clean(said)}; empty is unknown"]
        before = "" if known.get(spec.id) is None else pack_view.fact_words(known[spec.id])
        text = await screen.ask(
            Prompt("A fact about this model", glyphs=screen.glyphs, value=before, suggested=bool(before), about=about,
                   check=wrong)
        )  # fmt: skip
        if text is None:
            return None
        value = parse_fact(spec, text)
        if value is not None:
            facts[spec.id] = value
    return facts


async def ask_gate(screen: DeskScreen, stage: str, to: str = "", now: str = "") -> str | None:
    """Ask for a gate's pack, those that begin at `stage` first; None where the person left.

    With `to` only those of that crossing are offered, the one in force (`now`) first.
    """
    from carnet_store.work.templates import builtin_packs

    own: Any = screen.desk.own_packs(screen.project)
    packs = {**builtin_packs(), **own}
    rows = []
    for loaded in packs.values():
        pack = loaded.pack
        if pack.kind == "gate" and (not to or (pack.from_stage, pack.to_stage) == (stage, to)):
            rows.append((pack.id, clean(pack.title), f"{words.count(len(pack.items()), 'item')}, {clean(pack.id)}"))
    starts = {loaded.pack.id: loaded.pack.from_stage for loaded in packs.values()}
    # The gate in force, then the one that comes next for this version, starters first.
    rows.sort(key=lambda row: (row[0] != now, starts[row[0]] != stage))
    note = "the one in force stands first" if now else "the starters stand first"
    chosen = await screen.ask(Picker("Which gate?", rows, glyphs=screen.glyphs, note=note))
    return chosen[0] if chosen else None
