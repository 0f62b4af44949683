"""A new model version and its handoff in a short form: name and version, which gate, risk tier, facts; then a preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from carnet_store.domain.template import checklist, facts_of, parse_fact
from carnet_store.errors import CarnetError
from carnet_tui.screen import Route
from carnet_tui.text import clean, fit
from carnet_tui.views import words
from carnet_tui.widgets.dialogs import Choice, Picker, Prompt
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Acts, Written
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
    gate = await _gate(screen, screen.project.stage(model) if model else "research")
    if gate is None:
        return
    packs = screen.desk.packs_for(gate, project)
    tiers = packs[0].pack.tiers
    rows = [(tier.id, f"{tier.id}  {clean(tier.title)}", fit(clean(tier.meaning), 46)) for tier in tiers]
    rows.sort(key=lambda row: row[0] != "B")
    tier = await screen.ask(Picker("Which risk tier?", rows, glyphs=glyphs, note="B where you are unsure"))
    if tier is None:
        return
    facts: dict[str, Any] = {}
    for spec in facts_of([loaded.pack for loaded in packs]):
        said = "yes, no or unknown" if spec.type == "bool" else ", ".join(spec.options) or spec.type

        def wrong(text: str, spec: Any = spec) -> str:
            try:
                parse_fact(spec, text)
            except CarnetError as error:
                return clean(f"{error.message}. {error.hint}")
            return ""

        about = [clean(spec.question), *([clean(spec.help)] if spec.help else []), f"{clean(said)}; empty is unknown"]
        text = await screen.ask(Prompt("A fact about this model", glyphs=glyphs, about=about, check=wrong))
        if text is None:
            return
        value = parse_fact(spec, text)
        if value is not None:
            facts[spec.id] = value
    found = checklist([loaded.pack for loaded in packs], tier[0], facts)
    what = clean(project.row(model).title) if model else f"{clean(name)}@{clean(version)}, a new version"
    lines = [
        f"a handoff of {what}",
        clean(packs[0].pack.title),
        f"tier {tier[0]}, {words.count(len(found.items), 'item')}",
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
        return acts.open_handoff(model, packs, tier=tier[0], facts=facts)

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


async def _gate(screen: DeskScreen, stage: str) -> str | None:
    from carnet_store.work.templates import builtin_packs

    own: Any = screen.desk.own_packs(screen.project)
    packs = {**builtin_packs(), **own}
    rows = []
    for loaded in packs.values():
        pack = loaded.pack
        if pack.kind == "gate":
            rows.append((pack.id, clean(pack.title), f"{words.count(len(pack.items()), 'item')}, {clean(pack.id)}"))
    starts = {loaded.pack.id: loaded.pack.from_stage for loaded in packs.values()}
    rows.sort(key=lambda row: starts[row[0]] != stage)  # the gate that comes next for this version, starters first
    chosen = await screen.ask(Picker("Which gate?", rows, glyphs=screen.glyphs, note="the starters stand first"))
    return chosen[0] if chosen else None
