"""What happened, as plain sentences: one for every kind of change, what does not count shown with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, clean_lines, digest, fit_line, pad, plural
from carnet_tui.views import words
from carnet_tui.views.fields import field, one_line, prose, section

if TYPE_CHECKING:
    from carnet_store import Project

ITEM_KINDS = frozenset((
    "item.answered", "item.verified", "finding.raised", "finding.closed", "waiver.granted", "waiver.withdrawn",
    "na.confirmed", "readback.confirmed",
))  # fmt: skip
"""Kinds whose field is an item of a handoff."""


class Names:
    """Names of persons and subjects, each asked of the record once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._people: dict[str, str] = {}
        self._titles: dict[str, str] = {}

    def person(self, person: str) -> str:
        """Return a person's name, cleaned."""
        if person not in self._people:
            self._people[person] = clean(self._project.person_name(person))
        return self._people[person]

    def title(self, entity: str) -> str:
        """Return a subject's name, cleaned, on one line."""
        if entity not in self._titles:
            kind = entity.partition(":")[0]
            if kind in ("decision", "question"):
                self._titles[entity] = self._project.code(entity)
            elif kind in ("person", "invitation", "ledger"):
                self._titles[entity] = kind
            else:
                self._titles[entity] = one_line(self._project.title(entity))
        return self._titles[entity]


Value = Any
Teller = Callable[[Value, Any, Names], str]
"""Value of a change, the change, names -> what was done, as words after the person's name."""


def _short(text: object, most: int = 90) -> str:
    said = one_line(str(text))
    return said if len(said) <= most else said[: most - 1] + "…"


def _item(change: Any, names: Names) -> str:
    return f"{clean(change.field)} of {names.title(change.entity)}"


def _answer(value: Value, change: Any, names: Names) -> str:
    given = value.answer
    state = str(given.get("state", ""))
    word = {"na": "not applicable", "given": ""}.get(state, state)
    text = given.get("text") or given.get("reason") or given.get("note") or ""
    if isinstance(given.get("choice"), list | tuple):
        text = ", ".join(str(one) for one in given["choice"])
    if isinstance(given.get("literal"), Mapping) or isinstance(given.get("metric"), Mapping):
        part = given.get("literal") or given.get("metric")
        text = f"{part.get('name', '')} {part.get('value', '')}"
    if given.get("links") and not text:
        text = ", ".join(names.title(str(one)) for one in given["links"][:3])
    if given.get("rows"):
        text = plural(len(given["rows"]), "row")
    if given.get("files"):
        text = ", ".join(str(one.get("path", "")) for one in given["files"][:3])
    if isinstance(given.get("result"), Mapping):
        text = f"{given['result'].get('command', '')} ended with {given['result'].get('exit_code', '')}"
    said = ": ".join(part for part in (word, _short(text)) if part)
    return f"answered {_item(change, names)}" + (f": {said}" if said else "")


def _verified(value: Value, change: Any, names: Names) -> str:
    word = "agreed with" if value.agree else "disagreed with"
    return f"{word} {_item(change, names)}" + (f": {_short(value.reason)}" if value.reason else "")


def _declared(value: Value, change: Any, names: Names) -> str:
    version = f"@{value.version}" if value.version else ""
    return f"declared {clean(change.entity.partition(':')[0])} {_short(value.name + version)}"


def _described(value: Value, change: Any, names: Names) -> str:
    return f"described {names.title(change.entity)}: {clean(change.field)} is {_short(value.value)}"


def _linked(value: Value, change: Any, names: Names) -> str:
    word = {"used": "used", "made": "made", "from": "comes from"}.get(value.relation, clean(value.relation))
    return f"recorded that {names.title(change.entity)} {word} {names.title(value.to)}"


def _retracted(value: Value, change: Any, names: Names) -> str:
    what = _item(change, names) if change.field else names.title(change.entity)
    return f"took back a record on {what}" + (f": {_short(value.reason)}" if value.reason else "")


def _opened(value: Value, change: Any, names: Names) -> str:
    crossing = words.crossing(value.from_stage, value.to_stage)
    return f"opened the handoff of {names.title(value.model)}, {crossing}, tier {clean(value.tier)}"


def _sealed(value: Value, change: Any, names: Names) -> str:
    return f"sealed the package of {names.title(change.entity)}, round {_short(value.manifest.get('round', '?'))}"


def _signed(value: Value, change: Any, names: Names) -> str:
    p = value.predicate
    word = {"approve": "signed off", "refuse": "refused"}.get(p.decision, "signed off with conditions")
    said = f"{word} {names.title(change.entity)} as {words.role(p.role)}, package {clean(digest(p.package, 2))}"
    return said + (f": {_short(p.reason)}" if p.reason else "")


def _custody(word: str) -> Teller:
    def tell(value: Value, change: Any, names: Names) -> str:
        way = f"from {clean(value.from_team or 'nobody')} to {clean(value.to_team or 'nobody')}"
        return f"{word} custody of {names.title(value.model)}, {way}" + (
            f": {_short(value.reason)}" if value.reason else ""
        )

    return tell


def _roster(value: Value, change: Any, names: Names) -> str:
    active = sum(one.status == "active" for one in value.people.values())
    return f"set the roster, version {value.version}: {plural(active, 'member')}, {plural(len(value.admins), 'admin')}"


def _decided(value: Value, change: Any, names: Names) -> str:
    replaced = f", in place of {names.title(value.replaces)}" if value.replaces else ""
    return f"decided {names.title(change.entity)}: {_short(value.choice)}{replaced}"


def _asked(value: Value, change: Any, names: Names) -> str:
    mark = " (blocking)" if value.blocking else ""
    return f"asked {names.title(change.entity)}{mark}: {_short(value.text)}"


def _commented(value: Value, change: Any, names: Names) -> str:
    what = f"{clean(value.item)} of {names.title(change.entity)}" if value.item else names.title(change.entity)
    return f"commented on {what}: {_short(value.text)}"


def _erased(value: Value, change: Any, names: Names) -> str:
    parts = [plural(len(value.targets), "value")] if value.targets else []
    parts += [plural(len(value.objects), "object")] if value.objects else []
    return f"erased {' and '.join(parts) or 'nothing'}: {_short(value.reason)}"


def _invited(value: Value, change: Any, names: Names) -> str:
    roles = ", ".join(words.role(one) for one in value.roles) or "a member"
    return f"invited {_short(value.name)} as {roles}"


TELLERS: Mapping[str, Teller] = {
    "ledger.founded": lambda v, c, n: f"founded the project {_short(v.project)}",
    "chain.opened": lambda v, c, n: "opened a chain of signed events on a store",
    "roster.set": _roster,
    "person.key_added": lambda v, c, n: "added a further key",
    "invite.made": _invited,
    "invite.accepted": lambda v, c, n: f"accepted the invitation as {_short(v.name)}",
    "join.requested": lambda v, c, n: f"asked to join as {_short(v.name)}",
    "person.revoked": lambda v, c, n: f"revoked the keys of {n.person(v.person)}: {_short(v.why)}",
    "fork.adopted": lambda v, c, n: f"adopted {plural(len(v.heads), 'branch', 'branches')} of a forked chain",
    "event.adopted": lambda v, c, n: f"adopted {plural(len(v.events), 'event')} beyond a revocation: {_short(v.why)}",
    "value.erased": _erased,
    "template.adopted": lambda v, c, n: f"adopted the template {_short(v.id)} {_short(v.version)}: {_short(v.reason)}",
    "entity.declared": _declared,
    "entity.described": _described,
    "edge.linked": _linked,
    "change.retracted": _retracted,
    "criteria.set": lambda v, c, n: f"set {plural(len(v.rows), 'criterion', 'criteria')} for {n.title(c.entity)}",
    "comment.added": _commented,
    "annotation.added": lambda v, c, n: (
        f"{'replied to an annotation' if v.to else 'annotated a cell'} of {n.title(c.entity)}: {_short(v.text)}"
    ),
    "annotation.resolved": lambda v, c, n: (
        f"resolved an annotation of {n.title(c.entity)}" + (f": {_short(v.note)}" if v.note else "")
    ),
    "decision.recorded": _decided,
    "decision.confirmed": lambda v, c, n: f"confirmed {n.title(c.entity)}, which was typed in that name",
    "question.asked": _asked,
    "question.replied": lambda v, c, n: f"replied to {n.title(c.entity)}: {_short(v.text)}",
    "question.closed": lambda v, c, n: (
        f"{'closed' if v.accepted else 'withdrew'} {n.title(c.entity)}" + (f": {_short(v.note)}" if v.note else "")
    ),
    "handoff.opened": _opened,
    "handoff.repacked": lambda v, c, n: (
        f"moved the handoff of {n.title(c.entity)} to other templates: {_short(v.reason)}"
    ),
    "handoff.assigned": lambda v, c, n: f"asked {n.person(v.person)} for {_short(c.field)} of {n.title(c.entity)}",
    "handoff.linked": lambda v, c, n: f"put {n.title(v.entity)} into the package of {n.title(c.entity)}",
    "handoff.filed": lambda v, c, n: f"put the file {_short(v.file.path)} into the package of {n.title(c.entity)}",
    "package.sealed": _sealed,
    "item.answered": _answer,
    "answer.confirmed": lambda v, c, n: f"confirmed an answer that was typed in that name, in {n.title(c.entity)}",
    "item.verified": _verified,
    "finding.raised": lambda v, c, n: f"raised a finding on {_item(c, n)}: {_short(v.text)}",
    "finding.closed": lambda v, c, n: f"closed a finding on {_item(c, n)}: {_short(v.text)}",
    "waiver.granted": lambda v, c, n: f"waived {_item(c, n)} until {words.day(v.expires)}: {_short(v.reason)}",
    "waiver.withdrawn": lambda v, c, n: f"ended the waiver of {_item(c, n)}: {_short(v.reason)}",
    "na.confirmed": lambda v, c, n: f"confirmed that {_item(c, n)} does not apply",
    "readback.confirmed": lambda v, c, n: (
        f"said that the read-back {_item(c, n)} is {'right' if v.agree else 'wrong'}"
        + (f": {_short(v.reason)}" if v.reason else "")
    ),
    "gate.signed": _signed,
    "gate.overridden": lambda v, c, n: (
        f"overrode the gate of {n.title(c.entity)} until {words.day(v.expires)}: " + _short(v.reason)
    ),
    "handoff.returned": lambda v, c, n: f"returned {n.title(c.entity)}: {_short(v.reason)}",
    "handoff.abandoned": lambda v, c, n: f"abandoned the handoff of {n.title(c.entity)}: {_short(v.reason)}",
    "handoff.recalled": lambda v, c, n: (
        f"shut {n.title(c.entity)} by recalling {n.title(v.entity)}: {_short(v.reason)}"
    ),
    "recall.declared": lambda v, c, n: f"recalled {n.title(c.entity)}: {_short(v.reason)}",
    "recall.lifted": lambda v, c, n: f"lifted the recall of {n.title(c.entity)}: {_short(v.reason)}",
    "custody.offered": _custody("offered"),
    "custody.accepted": _custody("accepted"),
    "custody.refused": _custody("refused"),
}
"""Kind -> its sentence. Every kind of this release is here; a test holds the two lists together."""


def sentence(change: Any, names: Names) -> str:
    """Return what was done, after the person's name; a change without a value says why it has none."""
    tell = TELLERS.get(change.kind)
    if tell is None:
        return f"wrote something that a newer Carnet knows ({clean(change.kind)})"
    if change.value is None:
        said = f"{clean(change.kind).replace('.', ' ').replace('_', ' ')} on {names.title(change.entity)}"
        text = _said_in(getattr(change, "raw", None))
        return f"{said}: {_short(text)}" if text else said
    return tell(change.value, change, names)


def _said_in(raw: bytes | None) -> str:
    """Return the words in a value that is not read because it does not count."""
    if not raw:
        return ""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    found = [value.get(name) for name in ("text", "name", "choice", "reason")] if isinstance(value, dict) else []
    return next((one for one in found if isinstance(one, str) and one), "")


def standing(change: Any) -> str:
    """Return why a change does not count, empty where it does."""
    return "" if change.counts == 0 else str(change.counts.words)


def item_of(change: Any) -> str:
    """Return the item a change is about, empty where none."""
    return str(change.field) if change.kind in ITEM_KINDS else ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A change in the list; `day` is empty where the row above is of the same day. Cleaned texts."""

    key: str
    day: str
    time: str
    who: str
    said: str
    reason: str
    event: str
    entity: str
    item: str
    mine: bool
    change: Any


def entries(changes: Sequence[Any], before: Any | None, names: Names, me: str) -> list[Entry]:
    """Return changes as entries; `before` is the one above the first, None at the top."""
    found: list[Entry] = []
    last = words.day(before.t) if before is not None else ""
    for change in changes:
        day = words.day(change.t)
        found.append(
            Entry(change.id, day if day != last else "", f"{words.instant(change.t):%H:%M}",
                  names.person(change.person) if change.person else "nobody known", sentence(change, names),
                  clean(standing(change)), change.id[:4], change.entity, item_of(change), change.person == me, change)
        )  # fmt: skip
        last = day
    return found


def unreadable(at: int, why: str) -> Entry:
    """Return the entry of a change that cannot be read here; `why` is cleaned."""
    return Entry(f"unreadable {at}", "", "", "", f"cannot be read: {why}", "altered", "", "", "", False, None)


def entry_line(entry: Entry, cells: int, glyphs: Glyphs) -> Line:
    """Return an entry as a row: day, time, person, sentence, the first four characters of its event."""
    dots = glyphs.ellipsis
    line: Line = []
    if cells >= 60:
        short = entry.day.rpartition(" ")[0] if cells < 110 else entry.day
        line += [(pad(short, 6 if cells < 110 else 11) + "  ", "bold")]
        line += [(entry.time + "  ", "dim"), (pad(entry.who, 8 if cells < 110 else 16, "<", dots) + " ", "")]
    elif entry.day:
        line += [(pad(entry.day.rpartition(" ")[0], 6) + " ", "bold")]
    else:
        line += [(entry.time + "  ", "dim")]
    if entry.reason:
        sign, _, style = glyphs.state("failed")
        line += [(f"{sign} ", style), (f"{entry.said}  ({entry.reason})", "dim")]
    else:
        line.append((entry.said, ""))
    right: Line = [(f"  {entry.event} ", "dim")] if cells >= 60 else []
    return both_ends(line, right, cells, dots) if right else fit_line(line, cells, dots)


def details(
    entry: Entry, header: Any | None, chain: str, consequences: Sequence[str], names: Names, cells: int
) -> list[Line]:  # fmt: skip
    """Return a change in full; `header` is its event's signed header, None where it cannot be read."""
    change = entry.change
    head = field("who", f"{entry.who}{_roles(change)}, {words.minute(change.t)}", cells)
    head += field("did", entry.said, cells, "bold")
    if entry.reason:
        head += field("not counted", entry.reason, cells, "bad")
    elif not change.live:
        head += field("since then", "something later stands in its place, or took it back", cells, "warn")
    for line in consequences:
        head += field("so", line, cells, "warn")
    text = full_text(change)
    body = prose("text", text, cells) if text else []
    place = []
    if header is not None:
        event = change.id.partition(".")[0]
        place = field("event", clean(digest(event, 16)), cells)
        place += field(
            "follows", f"{clean(digest(header.prev, 4))}   event {header.seq} of chain {clean(chain[:16])}", cells
        )
        place += field("kind", clean(change.kind) + (f", field {clean(change.field)}" if change.field else ""), cells)
        if header.see:
            place += field("had seen", f"{plural(len(header.see), 'other chain')} up to then", cells)
        if change.signers:
            place += field(
                "signed by", ", ".join(names.person(one) for one in change.signers) + ", with the own key", cells
            )
    return section(head, body, place)


def _roles(change: Any) -> str:
    roles = ", ".join(words.role(one) for one in sorted(change.roles))
    return f" ({roles})" if roles else ""


def full_text(change: Any) -> str:
    """Return the longer text that a change carries, empty where its sentence says it all."""
    value = change.value
    answer = getattr(value, "answer", None)
    if isinstance(answer, Mapping):
        return str(answer.get("text", ""))
    predicate = getattr(value, "predicate", None)
    for name in ("text", "reason", "why", "note"):
        text = getattr(predicate if predicate is not None else value, name, "")
        if isinstance(text, str) and (len(text) > 60 or "\n" in text):
            return text
    return ""


def exact(event: Any, chain: str) -> list[str]:
    """Return the bytes that were signed, and what they commit to, as cleaned lines to read."""
    out = [f"chain      {clean(chain)}", f"event id   {clean(event.id)}", "", "signed header, byte for byte:"]
    out += clean_lines(event.header_bytes.decode("utf-8", "replace"))
    out += ["", f"signature  {clean(event.signature)}"]
    for number, (shape, value) in enumerate(zip(event.shapes, event.values, strict=True)):
        out += [
            "",
            f"change {number}: {clean(shape.kind)} on {clean(shape.entity)}",
            f"commitment {clean(shape.commitment)}",
        ]
        if value is None:
            out.append("its value is not here (erased or withheld)")
        else:
            out += [f"salt       {clean(value.salt)}", *clean_lines(value.raw.decode("utf-8", "replace"))]
    return out
