"""Bundles between teams as rows and lines: who lacks what, what lies here, what leaves, what taking one in would do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, both_ends, clean, digest, fit_line, pad, plural
from carnet_tui.views import words
from carnet_tui.views.fields import bullets, field, one_line, section
from carnet_tui.views.item_view import size_words

if TYPE_CHECKING:
    from carnet_store.desk import Found, Peer
    from carnet_store.exchange.bundle import Foreseen
    from carnet_store.exchange.plan import Plan

HEADS = {"here": "LIES HERE, NOT TAKEN IN", "team": "TEAMS AND PEOPLE", "all": "EVERYBODY"}
ONE_FORM = ("code", "criteria")
"""Kinds whose word is the same for one and for several."""
TYPED = 6
"""Characters of a founder's fingerprint that one types to confirm it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list; a head has an empty `key`. Cleaned texts but `persons` and `path`."""

    key: str
    section: str
    name: str = ""
    said: str = ""
    waits: bool = False
    right: str = ""
    persons: tuple[str, ...] = ()
    path: str = ""
    lacks: int = 0
    trouble: str = ""


def rows(peers: Sequence[Peer], found: Sequence[Found], total: int, now: int) -> list[Row]:
    """Return what lies here, then teams (with their people where there are several), then the whole record."""
    out: list[Row] = []
    here = [
        Row(f"file {one.path}", "here", clean(one.path.name),
            clean(one.trouble) if one.trouble else
            f"{clean(one.project) or 'a project new here'}, {plural(one.events, 'event')}, {size_words(one.size)}",
            not one.trouble, words.ago(one.t, now) if one.t else "", path=str(one.path), trouble=clean(one.trouble))
        for one in sorted(found, key=lambda one: (bool(one.trouble), -one.t, str(one.path)))
    ]  # fmt: skip
    teams: dict[str, list[Peer]] = {}
    for peer in peers:
        teams.setdefault(peer.team, []).append(peer)
    people: list[Row] = []
    for team, members in sorted(teams.items(), key=lambda pair: (not pair[0], -max(p.lacks for p in pair[1]), pair[0])):
        if team:
            names = words.listed([clean(one.name) for one in members])
            people.append(_peer_row(f"team {team}", f"{clean(team)} ({names})", members, now))
        if not team or len(members) > 1:
            people += [
                _peer_row(f"person {one.person}", ("  " if team else "") + clean(one.name), [one], now)
                for one in members
            ]
    whole = [
        Row("all", "all", "the whole record", f"{plural(total, 'event')}, for whoever has nothing yet", lacks=total)
    ]
    for name, group in (("here", here), ("team", people), ("all", whole)):
        if group:
            out += [Row("", name), *group]
    return out


def _peer_row(key: str, name: str, members: Sequence[Peer], now: int) -> Row:
    lacks = max(one.lacks for one in members)
    sent, heard = max(one.sent for one in members), max(one.heard for one in members)
    said = f"lacks {plural(lacks, 'event')}" if lacks else "has all that is here"
    right = f"sent {words.ago(sent, now) if sent else 'never'}  heard {words.ago(heard, now) if heard else 'never'}"
    return Row(key, "team", name, said, lacks > 0, right, tuple(one.person for one in members), lacks=lacks)


def row_line(row: Row, cells: int, glyphs: Glyphs) -> Line:
    """Return a row or a head."""
    dots = glyphs.ellipsis
    if not row.key:
        return fit_line([(HEADS[row.section], "title")], cells, dots)
    name = "failed" if row.trouble else "review" if row.section == "here" else "sign" if row.waits else "done"
    sign, _, style = glyphs.state(name)
    if row.section == "all":
        sign = " "
    wide = 16 if cells < 60 else 26 if row.section != "here" else 36
    wide = max(wide, min(60, cells // 3)) if cells >= 100 else wide
    line: Line = [
        (f"{sign} ", style),
        (pad(row.name, wide, "<", dots) + "  ", "bold" if row.waits else ""),
        (row.said, ""),
    ]
    right: Line = [(f"  {row.right} ", "dim")] if row.right and cells >= 60 else []
    return both_ends(line, right, cells, dots) if right else fit_line(line, cells, dots)


def row_details(row: Row, folder: str, waits: Sequence[str], cells: int) -> list[Line]:
    """Return what Enter would do on a row, and what is waited for."""
    if row.section == "here":
        said = field("bundle", row.path and clean(row.path), cells, "bold")
        why = row.trouble or "Enter verifies it wholly and shows what taking it in would do; nothing is written before."
        return section(said, field("refused" if row.trouble else "", why, cells, "bad" if row.trouble else "dim"))
    out = field("for", row.name.strip(), cells, "bold")
    if row.lacks:
        out += field("leaves", f"{plural(row.lacks, 'event')} and the files they name", cells)
        out += field("to", f"{folder} by a telling name; three lines to paste are copied", cells)
    else:
        out += field("", "Nothing new to send: what is here is known there.", cells, "dim")
    return section(out, bullets("waits for", waits, cells))


def file_name(project: str, to: str, day: str, taken: Sequence[str]) -> str:
    """Return a telling name that no file has yet: `churn-to-engineering-2026-11-14.carnet.zip`."""
    safe = "-".join(_safe(part) for part in (project, "to", to, day) if _safe(part))
    name, number = f"{safe}.carnet.zip", 2
    while name in taken:
        name, number = f"{safe}-{number}.carnet.zip", number + 1
    return name


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.casefold()).strip("-.")[:40]


def leaving(
    row: Row, name: str, project: str, drafts: int, found: Foreseen, with_files: bool, cells: int
) -> list[Line]:
    """Return what would leave and how large it is, what stays, for whom, under which name.

    `found` is what would leave with its files; without them (`with_files` false) they stay and are listed as missing.
    """
    stays = [plural(drafts, "draft") + " of yours"] if drafts else []
    stays += ["your keys and passphrases", "when you looked at what"]
    files = f"{plural(found.objects, 'file')}, {size_words(found.object_bytes)}"
    out = field("for", row.name.strip(), cells, "bold")
    leaves = field(
        "leaves", f"{plural(found.events, 'event')} of {project}, {size_words(found.event_bytes)} of text", cells
    )
    leaves += field("", "every word in them can be read by whoever gets the file", cells, "dim")
    if with_files and found.objects:
        leaves += field("files", f"{files} as they are", cells)
    elif found.objects:
        leaves += field("files", f"none: {files} stay here and are listed as missing", cells, "warn")
    else:
        leaves += field("files", "none are named in them", cells)
    if found.missing:
        leaves += field(
            "missing", f"{plural(found.missing, 'file')} named and not here, or erased: they do not go along", cells
        )
    sizes = found.event_bytes + (found.object_bytes if with_files else 0)
    whole = field("file", name, cells, "accent") + field(
        "", f"at most {size_words(sizes)} and the pages that describe it", cells, "dim"
    )
    return section(out, [*leaves, *bullets("stays here", stays, cells)], whole)


def message(
    project: str, me: str, to: str, name: str, events: int, files: int, size: int, identity: str, whole: bool
) -> str:
    """Return the three lines to paste beside the file."""
    kind = "the whole record" if whole else "what you lack"
    return "\n".join((
        f"{project}: a Carnet bundle from {me} to {to}: {name}",
        f"It brings {kind}: {plural(events, 'event')}, {plural(files, 'file')}, {size_words(size)}; "
        f"sha256 of its manifest {digest(identity, 4)}.",
        f"Look into it, then take it in: carnet {name}",
    ))  # fmt: skip


# The plan of a bundle


def plan_head(plan: Plan, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return what a bundle is, and its sums."""
    kind = "an increment" if plan.increment else "the whole record"
    title: Line = [(" ", ""), (clean(plan.project), "bold"), (f"  from {clean(plan.exporter)}, {kind}", "")]
    out = [both_ends(title, [("  nothing written yet ", "dim")], cells, glyphs.ellipsis)]
    ok, bad = glyphs.state("done"), glyphs.state("conflict")
    checks: Line = [(f" {ok[0]}", ok[2]), (" every signature, link and digest holds", "")]
    if plan.control_characters:
        checks += [
            (f"   {bad[0]}", bad[2]),
            (f" {plural(plan.control_characters, 'control character')} in texts, shown as signs", ""),
        ]
    else:
        checks += [(f"   {ok[0]}", ok[2]), (" no control characters in texts", "")]
    out.append(fit_line(checks, cells, glyphs.ellipsis))
    stale = sum("stale" in one.after for one in plan.consequences)
    sums: Line = [(f" + {plan.new:,} new", "bold" if plan.new else "dim"), (f"   = {plan.known:,} already here", "dim")]
    if plan.filled:
        sums.append((f"   + {plural(plan.filled, 'value')} that were missing", ""))
    if plan.conflict_count:
        sums.append((f"   {bad[0]} {plural(plan.conflict_count, 'conflict')}", "bad"))
    if plan.consequences:
        sums.append((f"   {plural(len(plan.consequences), 'gate')} changed", "warn" if stale else ""))
    if plan.uncounted:
        sums.append((f"   {sum(one.count for one in plan.uncounted):,} not counted", "warn"))
    out.append(fit_line(sums, cells, glyphs.ellipsis))
    return out


def plan_lines(plan: Plan, known: bool, cells: int, glyphs: Glyphs) -> list[Line]:
    """Return the whole plan; `known` says whether the project is here already."""
    note = field("sender", clean(plan.exporter_note), cells, "warn") if plan.exporter_note else []
    if plan.older:
        note += field("older", "this store has all of it, and more", cells, "dim")
    return section(
        [] if known else founder_lines(plan, cells),
        note,
        bullets(
            "recalled",
            [
                f"{clean(r.title)}{' (lifted)' if r.lifted else ''} by {clean(r.name)}: {one_line(r.reason)}"
                for r in plan.recalls
            ],
            cells,
            style="bad",
        ),
        _conflicts(plan, cells),
        bullets(
            "gates",
            [
                f"{clean(c.title)}: {clean(c.before) or 'new here'} {glyphs['to']} {clean(c.after) or 'gone'}"
                for c in plan.consequences
            ],
            cells,
        ),
        _news(plan, cells),
        bullets("not counted", [_group(one) for one in plan.uncounted], cells, style="warn"),
        bullets(
            "erased",
            [
                f"{clean(e.name)}: {plural(e.values, 'value')}, {plural(e.objects, 'file')}: {one_line(e.reason)}"
                for e in plan.erasures
            ],
            cells,
        ),
        _files(plan, cells),
        _gaps(plan, cells),
    )


def founder_lines(plan: Plan, cells: int) -> list[Line]:
    """Return what is to be compared before a project is held for the first time."""
    out = field("new here", f"{clean(plan.project)}, founded by {clean(plan.founder)}", cells, "bold")
    out += field("key", clean(plan.fingerprint), cells, "accent")
    text = f"Compare this with {clean(plan.founder)} by another way than this file: a call, a page of yours. "
    return out + field("", text + f"Enter asks for the first {TYPED} characters after SHA256:.", cells, "dim")


def _conflicts(plan: Plan, cells: int) -> list[Line]:
    out: list[Line] = []
    for one in plan.conflicts:
        out += field("conflict", f"{clean(one.title)}  {clean(one.field)}", cells, "bad")
        out += bullets(
            "", [f"{clean(side.name)}, {words.day(side.t)}: {_value(side.value)}" for side in one.sides], cells
        )
    hidden = plan.conflict_count - len(plan.conflicts)
    if hidden > 0:
        out += field("", f"and {plural(hidden, 'conflict')} more", cells, "dim")
    if out:
        out += field("", "All answers are kept. x settles them afterwards; a gate stays shut until then.", cells, "dim")
    return out


def _value(value: Any) -> str:
    answer = value.get("answer", value) if isinstance(value, Mapping) else value
    if not isinstance(answer, Mapping):
        return one_line(str(answer))[:80]
    state = str(answer.get("state", ""))
    text = next((str(answer[k]) for k in ("text", "choice", "reason", "note", "value") if answer.get(k)), "")
    if answer.get("links"):
        text = text or plural(len(answer["links"]), "link")
    word = {"given": "", "na": "not applicable"}.get(state, state)
    return one_line(": ".join(part for part in (word, text) if part) or "an answer")[:80]


def _news(plan: Plan, cells: int) -> list[Line]:
    if plan.nothing_new:
        return field("new", "nothing: this store has it all already", cells, "dim")
    kinds = ", ".join(
        f"{count:,} {clean(kind)}" if kind in ONE_FORM else plural(count, clean(kind)) for kind, count in plan.entities
    )
    out = field("new", kinds or "no new things, but more about known ones", cells)
    called = [(kind, title) for kind, title in plan.named if not title.startswith(f"{kind}:")]  # an id says nothing
    out += bullets("", [f"{clean(kind)} {one_line(title)}" for kind, title in called], cells)
    return [*out, *bullets("changes", [_group(one) for one in plan.changes], cells)]


def _group(one: Any) -> str:
    authors = ", ".join(f"{clean(name)} {count:,}" for name, count in one.authors[:4])
    return f"{one.count:,} x {clean(one.kind).replace('.', ' ').replace('_', ' ')} ({authors})"


def _files(plan: Plan, cells: int) -> list[Line]:
    out = []
    if plan.objects_brought:
        out += field(
            "files", f"{plural(plan.objects_brought, 'file')} come along, {size_words(plan.object_bytes)}", cells
        )
    if plan.objects_missing:
        out += field(
            "missing", f"{plural(plan.objects_missing, 'file')} are named and neither here nor in it", cells, "warn"
        )
    return out


def _gaps(plan: Plan, cells: int) -> list[Line]:
    out = bullets(
        "waits",
        [f"{clean(w.name)} from event {w.seq} on, for {words.listed([clean(n) for n in w.needs])}" for w in plan.waiting],
        cells, style="warn",
    )  # fmt: skip
    out += bullets(
        "incomplete",
        [f"of {clean(i.name)} the sender has {i.theirs + 1}, here are {i.ours + 1} then: ask for a newer bundle"
         for i in plan.incomplete],
        cells, style="warn",
    )  # fmt: skip
    return out + bullets(
        "fork",
        [f"{clean(name)} wrote two different events {seq}: both are kept, neither counts until {clean(name)} adopts one"
         for name, seq in plan.forks],
        cells, style="bad",
    )  # fmt: skip


def fits(typed: str, fingerprint: str) -> bool:
    """Whether what was typed is the start of a fingerprint (its name left out); case counts, blanks do not."""
    bare = fingerprint.partition(":")[2] or fingerprint
    said = "".join(typed.split()).removeprefix("SHA256:")
    return len(said) >= TYPED and bare.startswith(said)


def inbox_folders(root: Path, folder: Path) -> list[Path]:
    """Return where bundles are looked for: the store's own inbox, the folder beside the store, the one worked in."""
    return list(dict.fromkeys((root / "inbox", root.parent, folder)))
