"""A handoff and its items as lines for people and as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from carnet_tui import console
from carnet_tui.glyphs import STATES
from carnet_tui.session import Session
from carnet_tui.text import clean, plural
from carnet_tui.text import digest as grouped

if TYPE_CHECKING:
    from carnet_store import Look, Project
    from carnet_store.domain.template import Item

ITEM_WORDS: Final[Mapping[str, str]] = {
    "ok": "in order", "na": "not applicable", "answered": "to verify", "open": "open", "unconfirmed": "to confirm",
    "outsider": "answered by somebody without the role",
}  # fmt: skip


def state_word(state: str) -> str:
    """Return an item's state in words."""
    return ITEM_WORDS.get(state, state)


def described(project: Project, look: Look) -> dict[str, Any]:
    """Return a handoff as `--json` shows it."""
    status, name = look.status, project.person_name
    proposed = proposals_of(project, look)
    return {
        "handoff": look.handoff.id,
        "model": look.model.title,
        "model_id": look.model.id,
        "gate": look.handoff.gate.id,
        "tier": look.checklist.tier,
        "verdict": status.verdict,
        "round": status.round,
        "package": status.package,
        "sealed": status.sealed,
        "changed_since_seal": list(status.changed_since_seal),
        "reasons": reasons_of(look),
        "items": [described_item(project, look, one.item.id, proposed) for one in status.items],
        "signoffs": [
            {"role": r.row.role, "meaning": r.row.meaning, "quorum": r.row.quorum, "missing": r.missing,
             "signed": [name(s.change.person) for s in r.signed], "stale": [name(s.change.person) for s in r.stale],
             "could": [name(p) for p in r.could]}
            for r in status.rows
        ],
        "waivers": [
            {"item": item, "by": name(c.person), "expires": getattr(c.value, "expires", 0), "reason": getattr(c.value, "reason", "")}
            for item, c in status.waivers
        ],
        "files": console.plain(look.handoff.files),
        "entities": [{"id": e, "title": project.title(e)} for e in look.handoff.entities],
        "questions": [{"id": q.id, "code": project.code(q.id), "state": q.state, "text": q.question.text} for q in status.questions],
    }  # fmt: skip


def reasons_of(look: Look) -> list[dict[str, Any]]:
    """Return why a gate is as it is, as JSON has it."""
    return [
        {"code": r.code, "text": r.text, "item": r.item, "role": r.role, "persons": list(r.persons)}
        for r in look.status.reasons
    ]


def proposals_of(project: Project, look: Look) -> Mapping[str, str]:
    """Return what the record answers to items that nobody answered yet: the sentence that says from where, by item."""
    from carnet_store.starting import proposals

    return {item: one.words for item, one in proposals(project, look).items()}


def described_item(
    project: Project, look: Look, item_id: str, proposed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return one item as `--json` shows it."""
    status = look.status.item(item_id)
    if status is None:
        return {}
    item = status.item
    known = proposed if proposed is not None else proposals_of(project, look)
    return {
        "id": item.id, "title": item.title, "type": item.type, "section": item.section, "severity": item.severity,
        "state": status.state, "evidence": status.evidence, "answers_role": item.answers, "verifies_role": item.verifies,
        "answer": console.plain(status.value), "answered_by": [project.person_name(c.person) for c in status.answers],
        "verified_by": [project.person_name(c.person) for c in status.verifications],
        "reasons": list(status.reasons), "flags": list(status.verdict.flags if status.verdict else ()), "turn": status.turn, "proposed": known.get(item.id, ""),
    }  # fmt: skip


def show_handoff(project: Project, look: Look, *, only_open: bool, roles: frozenset[str] | None) -> None:
    """Print verdict, reasons, items by section, signatures, waivers and open questions."""
    status, crossing = look.status, look.checklist.gate
    due = f", due {look.handoff.opened.due}" if look.handoff.opened.due else ""
    console.out(f"{look.model.title}: {crossing.title}, tier {look.checklist.tier}{due}")
    package = f"package {grouped(status.package)}, round {status.round}" if status.package else "not sealed yet"
    console.out(f"{status.verdict.upper()}  {status.done} of {len(status.items)} items in order, {package}")
    for reason in status.reasons[:12]:
        console.out(f"  - {reason.text}")
    if len(status.reasons) > 12:
        console.out(f"  … and {len(status.reasons) - 12} more")
    for flag in flags_of(look):
        console.out(f"  note: {flag}")
    proposed = proposals_of(project, look)
    for section in look.checklist.sections:
        rows = []
        for item in section.items:
            one = status.item(item.id)
            if (
                one is None
                or (only_open and one.settled)
                or (roles is not None and not waits_for(look, item.id, roles))
            ):
                continue
            rows.append(
                [
                    sign(one.state),
                    item.id,
                    item.title,
                    "proposed" if item.id in proposed else state_word(one.state),
                    one.evidence,
                    "" if one.settled else one.turn.replace("_", " "),
                ]
            )
        if rows:
            console.out(section.title.upper())
            console.table(rows, indent="  ")
    if proposed:
        title = project.title(look.handoff.id)
        console.talk(
            f"{plural(len(proposed), 'item')} proposed from the record. Next: carnet handoff fill {title} --dry-run"
        )
    if look.status.rows and roles is None:
        console.out("SIGNATURES")
        console.table([_signature_row(project, row) for row in status.rows], indent="  ")
    for item_id, change in status.waivers:
        console.out(
            f"WAIVED  {item_id} until {console.day(getattr(change.value, 'expires', 0))}: {getattr(change.value, 'reason', '')}"
        )
    going = [q for q in status.questions if q.state != "closed"]
    if going:
        console.out("QUESTIONS")
        console.table(
            [[project.code(q.id), "blocking" if q.question.blocking else q.state, q.question.text] for q in going], indent="  "
        )  # fmt: skip


def _signature_row(project: Project, row: Any) -> list[str]:
    signed = ", ".join(project.person_name(s.change.person) for s in row.signed)
    stale = ", ".join(project.person_name(s.change.person) for s in row.stale)
    could = ", ".join(project.person_name(p) for p in row.could)
    told = [f"signed by {signed}" if signed else "", f"stale: {stale}" if stale else ""]
    if row.missing:
        told.append(f"{row.missing} missing" + (f", could be {could}" if could else ", nobody holds the role"))
    mark = sign("ok") if not row.missing else sign("open")
    return [mark, row.row.role.replace("_", " "), row.row.meaning.replace("-", " "), "; ".join(t for t in told if t)]


def flags_of(look: Look) -> list[str]:
    """Return what the product flags of answers without failing them, each with its item."""
    return [f"{one.item.id}: {flag}" for one in look.status.items if one.verdict for flag in one.verdict.flags]


def waits_for(look: Look, item_id: str, roles: frozenset[str]) -> bool:
    """Say whether an item waits for somebody with these roles: to answer or to verify it."""
    from carnet_store.domain.gate import verifier_of

    one = look.status.item(item_id)
    if one is None or one.settled:
        return False
    if one.state == "answered":
        return verifier_of(one.item, look.checklist) in roles
    return one.item.answers in roles


def still_waits(here: Session, project: Project, look: Look, covers: Collection[str]) -> str:
    """Return what of these items others still have to act on, and that a signature now would turn stale; or nothing."""
    from carnet_tui.views.sign_view import still_waits as said

    me = here.desk().i().person
    return said(look, covers, me, lambda person: clean(project.person_name(person)), project.members().holders)


def sign(state: str) -> str:
    """Return the one-cell ASCII sign of an item's state."""
    marks = {"ok": "+", "na": "-", "waived": "w", "answered": "?", "open": ".", "unknown": "?"}
    return marks.get(state) or (STATES[state].plain if state in STATES else "!")


def show_item(here: Session, project: Project, look: Look, item_id: str) -> None:
    """Show one item wholly: what is asked, why, the answers, the evidence, what is missing."""
    if here.json:
        console.out_json(described_item(project, look, item_id))
        return
    status = look.status.item(item_id)
    if status is None:
        return
    item = status.item
    console.out(f"{item.id}  {item.title}")
    evidence = f", {status.evidence}" if status.evidence else ""
    console.out(f"  {state_word(status.state)}{evidence}; {item.severity}, {item.type}, answered by {item.answers}, "
                f"verified by {item.verifies or 'the machine'}")  # fmt: skip
    for title, text in (("asks", item.help), ("why", item.why), ("guidance", item.guidance)):
        if text:
            console.out(f"  {title}:")
            console.paragraph(text, "    ")
    for option in item.options:
        console.out(f"  option {option.id}  {option.meaning}")
    for column in item.columns:
        told = "/".join(column.options) or column.type
        console.out(f"  column {column.id}  {column.title} ({told}{'' if column.required else ', optional'})")
    for change in status.answers:
        console.out(f"  answer of {project.person_name(change.person)}, {console.moment(change.t)}:")
        for line in answer_lines(project, getattr(change.value, "answer", {}), item):
            console.out(f"    {line}")
    for change in status.verifications:
        agreed = getattr(change.value, "agree", True)
        reason = getattr(change.value, "reason", "")
        console.out(
            f"  {project.person_name(change.person)} {'agrees' if agreed else 'disagrees'}{': ' + reason if reason else ''}"
        )
    for reason in dict.fromkeys((*status.reasons, *(status.verdict.flags if status.verdict else ()))):
        console.out(f"  - {reason}")
    if status.turn and not status.settled:
        console.out(f"  turn: {status.turn}")


def answer_lines(project: Project, value: Mapping[str, Any], item: Item | None = None) -> list[str]:
    """Return an answer as lines for people; a table's cells in the order of the item's columns."""
    lines: list[str] = []
    state = value.get("state")
    if state in ("yes", "no", "unknown", "na"):
        lines.append(
            {"na": "not applicable"}.get(str(state), str(state)) + (f": {value.get('reason')}" if state == "na" else "")
        )
    for key in ("text", "signature", "note"):
        if value.get(key):
            lines += str(value[key]).split("\n")
    lines += [str(word) for word in value.get("choice", ())]
    for key in ("metric", "literal"):
        if key in value:
            lines.append(_number(project, value[key]))
    lines += [f"{project.title(one)}  {one}" for one in value.get("links", ())]
    lines += [str(one) for one in value.get("urls", ())]
    lines += [
        f"{one['path']}  {console.size(one['size'])}  sha256 {grouped(one['sha256'])}" for one in value.get("files", ())
    ]
    if "result" in value:
        result = value["result"]
        lines.append(f"$ {result['command']}")
        lines.append(
            f"exit code {result['exit_code']}, output of {console.size(result['output']['size'])} {result['output']['sha256'][:16]}"
        )
    order = [column.id for column in item.columns] if item else []
    for row in value.get("rows", ()):
        known = [key for key in order if key in row]
        cells = [*known, *(key for key in row if key not in known)]
        lines.append("  ".join(f"{key}: {_cell(project, row[key])}" for key in cells))
    if value.get("spoken_by"):
        lines.append(f"spoken by {project.person_name(str(value['spoken_by']))}")
    return lines


def _number(project: Project, part: Mapping[str, str]) -> str:
    source = f" ({project.title(part['entity'])} {part['name']})" if "entity" in part else ""
    return f"{part['value']} {part.get('unit', '')}".rstrip() + source


def _cell(project: Project, cell: object) -> str:
    if isinstance(cell, Mapping):
        return _number(project, cell)
    if isinstance(cell, list | tuple):
        return ", ".join(project.title(str(one)) for one in cell)
    return str(cell)
