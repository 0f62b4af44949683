"""README.html of a bundle: the record told as one page. Derived from the record and no evidence, which it says at its top.

Pure and deterministic: a `Story` goes in, bytes come out. Self-contained, no script, nothing fetched; everything from the record is escaped and
its control characters are shown as signs. Readable on a telephone and on paper.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #8888}h3{font-size:1rem;margin-bottom:.2rem}"
    ".note{border-left:.3rem solid #b60;padding:.3rem .8rem;background:#8881}.quiet{opacity:.75;font-size:.9rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-top:1px solid #8886;padding:.3rem .4rem;text-align:left;vertical-align:top}"
    "code{font-size:.85em}pre{overflow-x:auto;background:#8881;padding:.6rem}dt{font-weight:600}dd{margin:0 0 .4rem 0}"
    "@media(max-width:36rem){table,tbody,tr,td{display:block}thead{display:none}tr{border-top:1px solid #8888;padding:.3rem 0}td{border:0;padding:.1rem 0}}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TEXT: Final = 600  # characters of one text; the ledger has the whole
_HIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody in the roster: name, team, roles, `active` or `left`, the first key as `ssh-keygen -l` shows it."""

    name: str
    team: str
    roles: tuple[str, ...]
    status: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One live answer: its text, who gave it as what and when (claimed), and who agreed or not."""

    text: str
    name: str
    role: str
    t: int
    verified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with all live answers (several are a conflict), open findings and live waivers, each in words."""

    id: str
    answers: tuple[AnswerRow, ...]
    findings: tuple[str, ...]
    waivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignRow:
    """A sign-off: who, in which role, meaning what, when (claimed), on which package; `live` while not replaced."""

    name: str
    role: str
    meaning: str
    decision: str
    reason: str
    t: int
    package: str
    live: bool
    attestation: str


@dataclass(frozen=True, slots=True)
class HandoffStory:
    """One crossing of a gate; `verdict` in words, empty where nobody computed one; `open` what still stands against it."""

    id: str
    model: str
    from_stage: str
    to_stage: str
    tier: str
    name: str
    t: int
    round: int
    package: str
    verdict: str
    items: tuple[ItemRow, ...]
    signed: tuple[SignRow, ...]
    open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """An entity of the lineage: what it is, how people call it, who declared it when, its digests, its edges in words."""

    id: str
    kind: str
    title: str
    name: str
    t: int
    digests: tuple[str, ...]
    edges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision: the question, the choice, why, and who."""

    question: str
    choice: str
    reason: str
    outcome: str
    name: str
    t: int


@dataclass(frozen=True, slots=True)
class Story:
    """All that the page tells. Times are ms since 1970; texts are as the record has them, nothing cleaned."""

    project: str
    ledger: str
    founder: str
    fingerprint: str
    exporter: str
    t: int
    events: int
    increment: bool
    people: tuple[PersonRow, ...]
    handoffs: tuple[HandoffStory, ...]
    handoff_count: int
    decisions: tuple[DecisionRow, ...]
    decision_count: int
    questions: tuple[str, ...]
    question_count: int
    nodes: tuple[NodeRow, ...]
    node_count: int
    chains: tuple[tuple[str, str, str], ...]
    objects: tuple[tuple[str, int], ...]
    object_count: int
    missing_count: int


def utc(t: int) -> str:
    """Return a time in ms as ISO 8601 in UTC, to the second; beyond the year 9999 as the number it is."""
    try:
        return datetime.fromtimestamp(t // 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{t} ms"


def render(story: Story) -> bytes:
    """Return the page."""
    title = f"{clean(story.project)}: handover bundle"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        '<p class="note"><strong>This page is derived and no evidence.</strong> It was made from the record when the bundle was written; '
        "whoever carries the bundle could have written another. The evidence is the signed events under <code>ledger/</code>: "
        'see <a href="#verify">how to verify</a>. All times are as their authors claimed them.</p>',
        *_head(story),
        *_handoffs(story),
        *_decisions(story),
        *_lineage(story),
        *_people(story),
        *_verify(story),
        *_digests(story),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode("utf-8", "replace")


def clean(text: str, limit: int = _TEXT) -> str:
    """Return text with everything that is not shown or changes direction made visible, and at most `limit` characters."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(_sign(char) if unicodedata.category(char) in _HIDDEN and char != "\n" else char for char in short)


def _sign(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return " "
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def _text(text: str, limit: int = _TEXT) -> str:
    return html.escape(clean(text, limit)).replace("\n", "<br>")


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table; cells are HTML already."""
    lines = ["<table><thead><tr>" + "".join(f"<th>{_text(cell)}</th>" for cell in head) + "</tr></thead><tbody>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return [*lines, "</tbody></table>"]


def _more(shown: int, count: int, what: str) -> list[str]:
    return (
        [f'<p class="quiet">{shown:,} of {count:,} {what} are shown; the ledger has all.</p>'] if shown < count else []
    )


def _head(story: Story) -> list[str]:
    part = "an increment: it goes on from an earlier bundle and is not the whole record" if story.increment else "whole"
    rows = [
        ("Project", _text(story.project)),
        ("Ledger id", _code(story.ledger)),
        ("Founded by", f"{_text(story.founder)} with key {_code(story.fingerprint)}"),
        ("Written by", _text(story.exporter)),
        ("Newest event", _text(utc(story.t))),
        ("This bundle", f"events: {story.events:,}, objects: {story.object_count:,}; {part}"),
    ]
    return ["<dl>", *(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows), "</dl>"]


def _handoffs(story: Story) -> list[str]:
    lines = ['<h2 id="handoffs">Handovers</h2>']
    if not story.handoffs:
        lines.append("<p>No handover has been opened yet.</p>")
    for one in story.handoffs:
        crossing = " to ".join(stage for stage in (one.from_stage, one.to_stage) if stage)
        lines.append(f"<h3>{_text(one.model)}{': ' + _text(crossing) if crossing else ''}</h3>")
        said = [f"opened by {_text(one.name)}, {utc(one.t)}", f"risk tier {_text(one.tier)}"] if one.tier else []
        said += [f"round {one.round}, package {_code(one.package)}"] if one.package else ["not sealed yet"]
        lines.append(f'<p class="quiet">{"; ".join(said)}</p>')
        if one.verdict:
            lines.append(f"<p>The gate, as computed by the exporter: <strong>{_text(one.verdict)}</strong></p>")
        if one.open:
            lines += ["<p>Open:</p><ul>", *(f"<li>{_text(text)}</li>" for text in one.open), "</ul>"]
        lines += _signed(one.signed)
        lines += _items(one.items)
    return lines + _more(len(story.handoffs), story.handoff_count, "handovers")


def _signed(rows: Sequence[SignRow]) -> list[str]:
    if not rows:
        return ["<p>Nobody has signed yet.</p>"]
    body = [
        (
            _text(row.name),
            f"{_text(row.decision)}{'' if row.live else ' (replaced by the signer)'}",
            f"as {_text(row.role)}: {_text(row.meaning)}{'. ' + _text(row.reason) if row.reason else ''}",
            utc(row.t),
            f'package {_code(row.package[:16] + "…")} <a href="{html.escape(row.attestation)}">statement</a>',
        )
        for row in rows
    ]
    return _table(("Signed by", "Decision", "Meaning", "Claimed time", "On"), body)


def _items(items: Sequence[ItemRow]) -> list[str]:
    if not items:
        return []
    body = []
    for item in items:
        said = "<br>".join(
            f"{_text(a.text)}<br><span class=quiet>{_text(a.name)} as {_text(a.role)}, {utc(a.t)}"
            + "".join(f"; {_text(who)}" for who in a.verified)
            + "</span>"
            for a in item.answers
        )
        marks = (["conflict: several answers stand"] if len(item.answers) > 1 else []) + [
            *(f"finding: {text}" for text in item.findings),
            *(f"waived: {text}" for text in item.waivers),
        ]
        body.append((_code(item.id), said or "no answer", "<br>".join(_text(mark) for mark in marks)))
    return _table(("Item", "Answer", "Remarks"), body)


def _decisions(story: Story) -> list[str]:
    lines = ['<h2 id="decisions">Decisions and open questions</h2>']
    if not story.decisions and not story.questions:
        return [*lines, "<p>None is recorded.</p>"]
    for row in story.decisions:
        lines.append(f"<h3>{_text(row.question)}</h3><p>{_text(row.choice)}: {_text(row.reason)}</p>")
        lines.append(f'<p class="quiet">{_text(row.outcome)}; recorded by {_text(row.name)}, {utc(row.t)}</p>')
    lines += _more(len(story.decisions), story.decision_count, "decisions")
    if story.questions:
        lines += ["<h3>Open questions</h3><ul>", *(f"<li>{_text(text)}</li>" for text in story.questions), "</ul>"]
    return lines + _more(len(story.questions), story.question_count, "open questions")


def _lineage(story: Story) -> list[str]:
    lines = ['<h2 id="lineage">Lineage</h2>']
    if not story.nodes:
        return [*lines, "<p>Nothing is declared yet.</p>"]
    body = [
        (
            _text(node.kind),
            f"<strong>{_text(node.title)}</strong>" + "".join(f"<br>{_text(edge)}" for edge in node.edges),
            f"{_text(node.name)}, {utc(node.t)}" + "".join(f"<br>{_code(digest)}" for digest in node.digests),
        )
        for node in story.nodes
    ]
    return lines + _table(("Kind", "What", "Recorded by"), body) + _more(len(story.nodes), story.node_count, "entities")


def _people(story: Story) -> list[str]:
    body = [
        (
            _text(p.name) + ("" if p.status == "active" else f" ({_text(p.status)})"),
            _text(", ".join([*p.roles, *([p.team] if p.team else [])])),
            _code(p.fingerprint),
        )
        for p in story.people
    ]
    return ['<h2 id="people">People</h2>', *_table(("Name", "Roles and team", "Key"), body)]


def _verify(story: Story) -> list[str]:
    command = f"python3 verify.py NAME.carnet.zip --trust {story.ledger}"
    return [
        '<h2 id="verify">How to verify</h2>',
        "<p>Compare the ledger id with the project's founder by another way than this file, then run the verifier; it needs Python 3.9 or newer "
        "and nothing else. The copy in this bundle is a convenience: whoever doubts the bundle takes <code>verify.py</code> from a "
        "release of Carnet.</p>",
        f"<pre>{_text(command)}</pre>",
        "<p>It checks every digest, every chain and every signature, and prints who signed what from the signed events alone. It does not prove "
        "that the times are true, that nothing newer exists, or that what people wrote is so.</p>",
    ]


def _digests(story: Story) -> list[str]:
    lines = ['<h2 id="digests">Digests</h2>', "<p>Heads of the chains in this bundle:</p>"]
    lines += _table(("Person", "Chain", "Head"), ((_text(n), _code(c), _code(h)) for n, c, h in story.chains))
    if story.objects:
        lines.append("<p>Objects, each under <code>objects/sha256/</code>:</p>")
        lines += _table(("SHA-256", "Bytes"), ((_code(digest), f"{size:,}") for digest, size in story.objects))
    lines += _more(len(story.objects), story.object_count, "objects")
    if story.missing_count:
        lines.append(f"<p>Referred to by the record and not in this bundle: {story.missing_count:,} objects.</p>")
    return lines
