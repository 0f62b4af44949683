"""A handoff on one screen: what crosses, the verdict with its reasons, who is waited for, and the list of items."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, digest, fit, fit_line, pad
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import Change, ItemStatus, Look
    from carnet_store.domain.gate import Reason, RowStatus

ITEM_CODES = frozenset(words.ITEM_STATES)
STAGES = ("research", "engineering", "production")
PROPOSED = "proposed"
"""State of an open item that the recorded graph answers, and its word."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list: a head (`key` empty), an item, a reason in the way, a sign-off row, or what takes the record's word."""

    kind: str
    key: str
    sign: str
    style: str
    name: str
    text: str
    word: str = ""
    turn: str = ""
    item: str = ""
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: person id, roles held, and how persons are called."""

    person: str
    roles: frozenset[str]
    name: Callable[[str], str]


def is_mine(one: ItemStatus, viewer: Viewer, asked: Mapping[str, Change]) -> bool:
    """Return whether the next act on an item is the viewer's."""
    if one.settled:
        return False
    if one.state == "unconfirmed":
        return one.value is not None and one.value.get("spoken_by") == viewer.person
    if one.state == "conflict":
        return one.item.answers in viewer.roles or any(c.person == viewer.person for c in one.answers)
    if one.turn not in viewer.roles:
        return False
    if one.state == "answered":
        return one.answer is not None and one.answer.person != viewer.person
    assigned = asked.get(one.item.id) or asked.get(f"role:{one.turn}")
    return assigned is None or getattr(assigned.value, "person", viewer.person) == viewer.person


def act_word(one: ItemStatus) -> str:
    """Return what has to be done on an item, as a verb."""
    if one.item.machine:
        return "mend"
    return {"answered": "verify", "conflict": "settle", "unconfirmed": "confirm", "disagreed": "answer anew"}.get(
        one.state, "answer"
    )


def turn_words(one: ItemStatus, look: Look, viewer: Viewer, holders: Callable[[str], Sequence[str]]) -> str:
    """Return who is to act on an item: `you answer`, `Tom`, or the role where nobody holds it."""
    if one.settled or not one.turn:
        return ""
    if is_mine(one, viewer, look.handoff.assigned):
        return f"you {act_word(one)}"
    if one.state == "unconfirmed" and one.value is not None:
        return viewer.name(str(one.value.get("spoken_by", "")))
    who = [p for p in holders(one.turn) if one.state != "answered" or one.answer is None or p != one.answer.person]
    return words.listed([viewer.name(p) for p in who], 2) or words.role(one.turn)


def track(look: Look, glyphs: Glyphs) -> Line:
    """Return the stages with the gate one stands at: `research ━━◆ engineering ──· operations`."""
    start, end = clean(look.handoff.opened.from_stage), clean(look.handoff.opened.to_stage)
    passed = look.status.verdict in ("passed", "overridden")
    stages = list(STAGES) if start in STAGES and end in STAGES else [start, end]
    at = stages.index(start)
    line: Line = []
    for number, stage in enumerate(stages):
        here = stage == (end if passed else start)
        line.append((stage, "here" if here else "" if number < at else "dim"))
        if number == len(stages) - 1:
            break
        if number < at or (number == at and passed):
            line.append((f" {glyphs['track done'] * 2}{glyphs.state('passed')[0]} ", "ok"))
        elif number == at:
            line.append((f" {glyphs['track done'] * 2}{glyphs['here']} ", "accent"))
        else:
            line.append((f" {glyphs['track'] * 2}{glyphs['between']} ", "dim"))
    return line


def head_lines(
    look: Look, cells: int, now: int, viewer: Viewer, holders: Callable[[str], Sequence[str]], glyphs: Glyphs,
    since: str = "", small: bool = False,
) -> list[Line]:  # fmt: skip
    """Return the lines above the list."""
    status = look.status
    sign, word, style = words.gate_state(status.verdict, glyphs)
    right: Line = [(f"  {sign} {word}", style), (f"  {status.done}/{len(status.items)} ", "bold")]
    title: Line = [(f" {clean(look.model.title)}  ", "title")]
    out = [both_ends([*title, *([] if small else track(look, glyphs))], right, cells, glyphs.ellipsis)]
    if small:
        return out
    out.append(words.labelled("package", package_words(look, now, glyphs)))
    out.append(words.labelled("why", why_words(look, viewer), style="bad" if status.verdict == "blocked" else ""))
    out.append(words.labelled("waits", waits_words(look, viewer, holders)))
    out.append(words.labelled("since", since or "you look for the first time"))
    return [fit_line(line, cells, glyphs.ellipsis) for line in out]


def package_words(look: Look, now: int, glyphs: Glyphs) -> str:
    """Return what crosses, in one line."""
    handoff, status = look.handoff, look.status
    what = [f"{len(look.manifest.get('entities', []))} linked"]
    if handoff.files:
        what.append(words.count(len(handoff.files), "file"))
    parts = [", ".join(what), f"tier {clean(handoff.tier)}"]
    if handoff.opened.due:
        parts.append(f"due {clean(handoff.opened.due)}")
    seal = handoff.seal
    if not status.package or seal is None:
        head = "not sealed yet"
    else:
        changed = [part for part in status.changed_since_seal if part != "package"]
        head = f"{digest(status.package, 2)} sealed {words.since(seal.t, now)}"
        if status.round > 1:
            head += f", round {status.round}"
        if changed:
            head += f"; {', '.join(changed)} changed since"
    return f" {glyphs['between']} ".join([head, *parts])


def why_words(look: Look, viewer: Viewer) -> str:
    """Return the verdict's reasons, counted: what keeps the gate shut."""
    status = look.status
    if status.verdict == "passed":
        return "every item is in order and every sign-off stands"
    if status.verdict == "abandoned":
        return "ended without a result"
    if status.returned is not None:
        act: Any = status.returned.value
        return f"returned by {viewer.name(status.returned.person)}: {clean(act.reason)}"
    parts = []
    loose = [r for r in status.reasons if r.code not in ITEM_CODES and r.code not in ("unsigned", "stale")]
    parts += [clean(r.text) for r in loose[:1]]
    states: list[str] = [i.state for i in status.items if not i.settled and i.item.severity in ("blocker", "major")]
    for state, word in (
        ("conflict", "in conflict"),
        ("failed", "failing"),
        ("disagreed", "disagreed"),
        ("answered", "to verify"),
    ):
        if number := states.count(state):
            parts.append(f"{number} {word}")
    rest = sum(state not in ("conflict", "failed", "disagreed", "answered") for state in states)
    if rest:
        parts.append(f"{rest} open")
    stale = sum(len(r.stale) for r in status.rows)
    missing = sum(r.missing for r in status.rows) - stale
    signs = [f"{stale} stale"] if stale else []
    signs += [f"{missing} missing"] if missing > 0 else []
    if signs:
        parts.append(f"sign-offs: {', '.join(signs)}")
    if status.accepted:
        parts.append(f"{len(status.accepted)} waived")
    findings = sum(len(look.handoff.findings.get(one.item.id, ())) for one in status.items)
    if findings:
        parts.append(words.count(findings, "open finding"))
    return ", ".join(parts) or "nothing is missing"


def waits_words(look: Look, viewer: Viewer, holders: Callable[[str], Sequence[str]]) -> str:
    """Return who is waited for and with how much: `you 3, Tom 4; then to sign: Ana, Grace`."""
    if look.status.verdict in ("passed", "abandoned"):
        return "nobody"
    counts: dict[str, int] = {}
    for one in look.status.items:
        if one.settled or not one.turn or one.item.severity not in ("blocker", "major"):
            continue
        who = "you" if is_mine(one, viewer, look.handoff.assigned) else turn_words(one, look, viewer, holders)
        counts[who] = counts.get(who, 0) + 1
    parts = [f"{who} {number}" for who, number in sorted(counts.items(), key=lambda pair: (pair[0] != "you", -pair[1]))]
    signers = []
    for row in look.status.rows:
        if row.missing:
            could = ["you" if p == viewer.person else viewer.name(p) for p in row.could]
            signers.append(words.listed(sorted(could, key=lambda n: n != "you"), 2) or words.role(row.row.role))
    text = ", ".join(parts)
    if signers:
        text += f"{'; then ' if text else ''}to sign: {words.listed(list(dict.fromkeys(signers)))}"
    return text or "nobody"


def rows(
    look: Look, viewer: Viewer, holders: Callable[[str], Sequence[str]], now: int, glyphs: Glyphs, *, mine_only: bool,
    drafts: frozenset[str] = frozenset(), proposed: Collection[str] = (),
) -> list[Row]:  # fmt: skip
    """Return the list: what is in the way, then items (mine and open, or all by section), then sign-offs.

    `proposed` names the open items that the recorded graph answers.
    """
    status = look.status
    out: list[Row] = []
    loose = [r for r in status.reasons if r.code not in ITEM_CODES and r.code not in ("unsigned", "stale")]
    if loose:
        out.append(head("IN THE WAY"))
        out += [reason_row(r, number, glyphs) for number, r in enumerate(loose)]
    if mine_only:
        mine = [one for one in status.items if is_mine(one, viewer, look.handoff.assigned)]
        if mine:
            if loose:
                out.append(head("YOURS"))
            out += [item_row(one, look, viewer, holders, glyphs, drafts, proposed) for one in mine]
    else:
        for section in look.checklist.sections:
            ones = [status.item(item.id) for item in section.items]
            done = sum(one is not None and one.settled for one in ones)
            out.append(head(f"{clean(section.title).upper()}  {done}/{len(ones)}"))
            out += [item_row(one, look, viewer, holders, glyphs, drafts, proposed) for one in ones if one is not None]
    signs = [sign_row(row, viewer, now, glyphs) for row in status.rows]
    shown = [one for one in signs if one.mine] if mine_only else signs
    if shown:
        out.append(head("SIGN-OFFS"))
        out += shown
    return out


def head(text: str) -> Row:
    """Return a head; no cursor stands on it."""
    return Row("head", "", "", "title", text, "")


def reason_row(reason: Reason, number: int, glyphs: Glyphs) -> Row:
    """Return a reason that is no item."""
    state = {"unsealed": "seal", "changed": "seal", "recalled": "recalled"}.get(reason.code, "blocked")
    sign, _, style = glyphs.state(state)
    word = {"unsealed": "s seals it", "changed": "s seals anew", "question": "answer it", "reviewers": ""}.get(
        reason.code, ""
    )
    return Row("reason", f"reason:{number}:{reason.code}", sign, style, clean(reason.text), "", "", word, reason.code)


def item_row(
    one: ItemStatus, look: Look, viewer: Viewer, holders: Callable[[str], Sequence[str]], glyphs: Glyphs,
    drafts: frozenset[str] = frozenset(), proposed: Collection[str] = (),
) -> Row:  # fmt: skip
    """Return an item's line."""
    sign, word, style = words.item_state(one.state, glyphs)
    if one.item.id in proposed:
        sign, word, style = glyphs.state(PROPOSED)
    if one.item.id in drafts:
        sign, _, style = glyphs.state("draft")
        word = "draft"
    mine = is_mine(one, viewer, look.handoff.assigned)
    turn = turn_words(one, look, viewer, holders)
    if one.settled and one.evidence:
        turn = {"recorded": "recorded", "checked here": "checked", "asserted": ""}.get(one.evidence, one.evidence)
    if not one.settled and one.item.severity not in ("blocker", "major"):
        word = f"{word}, minor" if word == "open" else word
    item = one.item
    return Row("item", f"item:{item.id}", sign, style, clean(item.id), clean(item.title), word, turn, item.id, mine)


def sign_row(row: RowStatus, viewer: Viewer, now: int, glyphs: Glyphs) -> Row:
    """Return a sign-off's line."""
    key = f"sign:{row.row.id}"
    meaning = clean(row.row.meaning.replace("-", " "))
    name = words.role(row.row.role)
    mine = bool(row.missing) and viewer.person in row.could
    if not row.missing:
        last = row.signed[-1]
        sign, _, style = glyphs.state("fresh")
        who = ", ".join(viewer.name(s.change.person) for s in row.signed)
        return Row(
            "sign", key, sign, style, name, meaning, "signed", f"{who}, {words.ago(last.change.t, now)}", row.row.role
        )
    if row.stale:
        sign, word, style = glyphs.state("stale")
        who = viewer.name(row.stale[0].change.person)
        return Row("sign", key, sign, style, name, meaning, word, "sign again" if mine else who, row.row.role, mine)
    sign, _, style = glyphs.state("sign" if mine else "open")
    who = "you sign" if mine else words.listed([viewer.name(p) for p in row.could], 2) or "nobody holds it"
    return Row("sign", key, sign, style, name, meaning, "missing", who, row.row.role, mine)


def row_line(row: Row, cells: int, glyphs: Glyphs) -> Line:
    """Return a row as a line of exactly `cells` cells."""
    dots = glyphs.ellipsis
    if row.kind == "head":
        return fit_line([(row.name, "title")], cells, dots)
    if row.kind in ("reason", "record"):
        turn = fit(row.turn, 14)
        return fit_line(
            both_ends(
                [(f"{row.sign} ", row.style), (row.name, "")], [(f"  {turn} ", "accent")] if turn else [], cells, dots
            ),
            cells,
        )
    if cells < 64:
        turn = pad(row.word if row.word == PROPOSED else row.turn or row.word, 13, ">", dots)
        if cells >= 48:  # a pane beside others: the title stands between
            text = cells - 40
            return fit_line(
                [
                    (f"{row.sign} ", row.style),
                    (pad(row.name, 22, "<", dots) + " ", "bold" if row.mine else ""),
                    (pad(row.text, text, "<", dots) + " ", ""),
                    (f"{turn} ", "accent" if row.mine else "dim"),
                ],
                cells,
            )
        return fit_line(
            [
                (f"{row.sign} ", row.style),
                (pad(row.name, cells - 16, "<", dots), "bold" if row.mine else ""),
                (f"{turn} ", "dim"),
            ],
            cells,
        )
    name = 22 if cells < 100 else 26
    word, turn_cells = 10, 13 if cells < 100 else 18
    text = max(0, cells - 2 - name - 1 - word - 1 - turn_cells - 2)
    return fit_line(
        [
            (f"{row.sign} ", row.style),
            (pad(row.name, name, "<", dots) + " ", "bold" if row.mine else ""),
            (pad(row.text, text, "<", dots) + " ", ""),
            (pad(row.word, word, "<", dots) + " ", row.style if row.style == "bad" else "dim"),
            (pad(row.turn, turn_cells, "<", dots), "accent" if row.mine else "dim"),
        ],
        cells,
    )


def side_lines(
    look: Look, cells: int, now: int, viewer: Viewer, history: Sequence[tuple[int, str, str]], glyphs: Glyphs
) -> list[Line]:
    """Return people, questions and what happened lately, for the pane at the right of a wide screen."""
    out: list[Line] = [[(" WHO SIGNS", "title")]]
    for row in look.status.rows:
        one = sign_row(row, viewer, now, glyphs)
        out.append([(f"  {one.sign} ", one.style), (fit(f"{one.name}: {one.turn}", cells - 5), "")])
        for stale in row.stale:
            out += [[("     ", ""), (fit(clean(reason), cells - 6), "warn")] for reason in stale.reasons[:2]]
    out += [[], [(" QUESTIONS", "title")]]
    ahead = [q for q in look.status.questions if q.state != "closed"]
    for q in ahead[:5]:
        mark = "blocking, " if q.question.blocking else ""
        out.append([("  ? ", "info"), (fit(clean(f"{viewer.name(q.person)}: {q.question.text}"), cells - 5), "")])
        out.append([(f"    {mark}{q.state}, {words.ago(q.t, now)}", "dim")])
    if not ahead:
        out.append([("  none open", "dim")])
    if look.status.waivers:
        out += [[], [(" WAIVERS", "title")]]
        for item, change in look.status.waivers:
            act: Any = change.value
            out.append([("  ", ""), (fit(f"{clean(item)} until {words.day(act.expires)}", cells - 3), "warn")])
    out += [[], [(" LATELY", "title")]]
    for at, who, what in history:
        out.append([(f"  {words.ago(at, now):>5} ", "dim"), (fit(f"{who} {what}", cells - 9), "")])
    return out


def since_words(changes: Sequence[Change], looked: int, now: int) -> str:
    """Return what happened since one looked: `2 answers, 1 verification since you looked 3h ago`."""
    if not looked:
        return ""
    kinds = {
        "item.answered": "answer", "item.verified": "verification", "gate.signed": "sign-off", "comment.added": "comment",
        "waiver.granted": "waiver", "package.sealed": "sealing", "handoff.returned": "return", "finding.raised": "finding",
        "readback.confirmed": "verification", "na.confirmed": "verification",
    }  # fmt: skip
    found: dict[str, int] = {}
    for change in changes:
        if change.t > looked:
            word = kinds.get(change.kind, "other act")
            found[word] = found.get(word, 0) + 1
    ago = words.since(looked, now)
    if not found:
        return f"nothing happened since you looked {ago}"
    return f"{', '.join(words.count(n, word) for word, n in found.items())} since you looked {ago}"


LATELY: Mapping[str, str] = {
    "handoff.opened": "opened it", "handoff.repacked": "changed its pack", "handoff.assigned": "asked somebody",
    "handoff.linked": "linked an entity", "handoff.filed": "added a file", "package.sealed": "sealed the package",
    "item.answered": "answered", "answer.confirmed": "confirmed an answer", "item.verified": "verified",
    "finding.raised": "found something in", "finding.closed": "closed a finding on", "waiver.granted": "waived",
    "waiver.withdrawn": "ended a waiver of", "na.confirmed": "agreed it does not apply:", "readback.confirmed": "judged the read-back",
    "gate.signed": "signed as", "gate.overridden": "overrode the gate", "handoff.returned": "returned it",
    "handoff.abandoned": "ended it", "custody.offered": "offered custody", "custody.accepted": "accepted custody",
    "custody.refused": "refused custody", "comment.added": "commented", "change.retracted": "took back",
}  # fmt: skip
"""Kind of change -> what its author did."""


def lately(changes: Sequence[Change], name: Callable[[str], str], most: int = 12) -> list[tuple[int, str, str]]:
    """Return (time, who, what) of the newest changes of a handoff."""
    newest = sorted(changes, key=lambda c: (c.t, c.id), reverse=True)
    out: list[tuple[int, str, str]] = []
    for change in newest:
        said = LATELY.get(change.kind, "wrote something this Carnet does not know")
        field = change.field.partition(":")[0] if change.kind == "gate.signed" else change.field
        if change.kind in ("handoff.linked", "handoff.filed", "package.sealed"):
            field = ""
        row = (change.t, name(change.person), f"{said} {words.role(field) if field else ''}".strip())
        if row not in out:
            out.append(row)
        if len(out) >= most:
            break
    return out
