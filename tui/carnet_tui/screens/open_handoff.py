"""A handoff in a short form: of a model version, of what a run made, or of a new version; which gate, risk tier, facts; then a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carnet_store.domain.template import checklist, facts_of, parse_fact
from carnet_store.errors import CarnetError, NotFound
from carnet_tui.screen import Route
from carnet_tui.text import clean, fit
from carnet_tui.views import pack_view, words
from carnet_tui.widgets.dialogs import Choice, Picker, Prompt
from carnet_tui.widgets.lines import paragraphs

if TYPE_CHECKING:
    from carnet_store import Acts, Written
    from carnet_store.domain.lineage import Node
    from carnet_store.domain.template import Pack
    from carnet_store.starting import Opened
    from carnet_tui.desk_screen import DeskScreen


RUNS_OFFERED = 200
"""So many of the newest runs are offered."""


async def open_flow(screen: DeskScreen, model: str = "") -> None:
    """Ask what crosses and by which gate, show what will be written, write it, open the handoff."""
    project, glyphs = screen.project, screen.glyphs
    name = version = ""
    if model or project.count("run"):
        ways = [("y", f"a handoff of {clean(project.row(model).title)}", "this")] if model else []
        ways.append(("n", "a new model version", "new"))
        if project.count("run"):
            ways.append(("", "of what a run made", "run"))
        way = await screen.ask(Choice("Open a handoff", ways, glyphs=glyphs, about=["Of which version?"]))
        if way is None:
            return
        if way == "run":
            await _of_run(screen)
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
    form = await _by_gate(screen, gate)
    if form is None:
        return
    tier, facts, lines = form
    packs = screen.desk.packs_for(gate, project)
    what = clean(project.row(model).title) if model else f"{clean(name)}@{clean(version)}, a new version"
    if not await screen.preview("Open this handoff", paragraphs([f"a handoff of {what}", *lines]), verb="open it"):
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


async def _of_run(screen: DeskScreen) -> None:
    """Ask for a run, by which gate, show what will be written, open a handoff of the model version that it made."""
    from carnet_store.starting import crossing_of, open_from_run, versions_of

    project = screen.project
    opened: list[Opened] = []
    chosen = await _run(screen)
    run = project.node(chosen) if chosen else None
    if run is None:
        return
    going = crossing_of(project, run)
    if going is not None:
        screen.base.visit((Route("models"), Route("handoff", (going.id,))))
        screen.base.say(f"A handoff of {clean(project.title(going.opened.model))} goes on already.")
        return
    made, title = versions_of(project, run), ""
    if not made:
        asked = await _name(screen, f"What did {clean(run.title)} make?")
        if asked is None:
            return
        title = "@".join(asked)
    gate = await ask_gate(screen, project.stage(made[0].id) if made else "research")
    form = await _by_gate(screen, gate) if gate is not None else None
    if gate is None or form is None:
        return
    tier, facts, lines = form
    used = sum(edge.relation == "used" for edge in run.edges)
    lines = [
        f"a handoff of {clean(made[0].title) if made else f'{clean(title)}, declared now'}, which {clean(run.title)} made",
        *lines,
        f"linked: the run, and {words.count(used, 'thing')} that it used",
    ]
    if not await screen.preview("Open this handoff", paragraphs(lines), verb="open it"):
        return

    def act(acts: Acts) -> Written:
        opened.append(open_from_run(screen.desk, project, run, title=title, gate=gate, tier=tier, facts=facts))
        return opened[-1].written

    written = await screen.write(act)
    if written is not None:
        screen.carnet.intent = "take_proposals"
        screen.base.visit((Route("models"), Route("handoff", (written.entity,))))


async def _run(screen: DeskScreen) -> str | None:
    """Ask for a run, the last that ended well first; None where the person left."""
    project, now = screen.project, screen.project.now()
    ledger = project.id

    def call() -> Node | None:
        from carnet_store.starting import last_run

        with screen.desk.clone() as desk:
            try:
                return last_run(desk.store.project(ledger))
            except NotFound:
                return None

    last = await screen.aside(call, saying="looking for the last run")
    rows = [(row.id, clean(row.title), words.ago(row.t, now)) for row in project.entities("run", limit=RUNS_OFFERED)]
    if last is not None:
        note = f"{clean(last.title)}, {words.ago(last.t, now)}"
        rows = [(last.id, "the last run that ended well", note), *(row for row in rows if row[0] != last.id)]
    chosen = await screen.ask(Picker("Of which run?", rows, glyphs=screen.glyphs, note="newest first"))
    return chosen[0] if chosen else None


async def _by_gate(screen: DeskScreen, gate: str) -> tuple[str, dict[str, Any], list[str]] | None:
    """Ask for tier and facts of a gate; return them, and what the gate asks in words."""
    packs = screen.desk.packs_for(gate, screen.project)
    tier = await ask_tier(screen, [one.pack for one in packs], "B", "B where you are unsure")
    if tier is None:
        return None
    facts = await ask_facts(screen, [one.pack for one in packs], {})
    if facts is None:
        return None
    found = checklist([loaded.pack for loaded in packs], tier, facts)
    lines = [clean(packs[0].pack.title), f"tier {tier}, {words.count(len(found.items), 'item')}"]
    return tier, facts, [*lines, f"signed by {', '.join(words.role(row.role) for row in found.signoffs)}"]


async def _name(screen: DeskScreen, title: str = "A new model version") -> tuple[str, str] | None:
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
            title,
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
