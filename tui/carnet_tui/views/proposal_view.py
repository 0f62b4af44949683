"""What the record says to an item as lines: a proposal with its proof, an answer that was taken from it, all proposals before they are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, fit, pad, plural, width, wrap
from carnet_tui.views import item_view
from carnet_tui.views.handoff_view import Row

if TYPE_CHECKING:
    from carnet_store.domain.filling import Proposal
    from carnet_store.domain.template import Item
    from carnet_tui.views.item_view import ItemFacts, Names
    from carnet_tui.widgets.lines import Builder

LABEL = 11
"""Cells of the label RECORD SAYS."""
TAKE = "record:take"
"""Key of the list's row that takes all proposals."""
PROOF_AT_MOST = 6
"""Nodes named as proof; the rest is counted."""
VALUE_AT_MOST = 3
"""Lines of each value where all of them are shown before they are taken."""
SAID_BY: Mapping[str, str] = {
    "criteria": "the criteria of the model line",
    "decision": "a decision about it",
    "metric": "the metric that the criterion names",
    "repeats": "runs that differ in nothing but a seed",
    "results": "metrics of its runs",
    "results.slices": "metrics by slice",
    "search": "runs of the same experiment, with what varied",
    "negative": "what did not work",
    "parameters": "parameters of its run",
    "seeds": "seeds of its run",
    "nondeterminism": "controls captured with its run",
    "data.training": "what its run used",
    "data.evaluation": "what it was evaluated on",
    "data.holdout": "data held out, with digests",
    "data.steps": "steps before its run",
    "data.preparation": "runs that made the data",
    "data.digests": "digests of the inputs",
    "environment.lock": "the lock file of its run",
    "environment.hardware": "the machine captured with its run",
    "outputs": "documents that its run made",
    "model.parent": "the model it comes from",
    "model.owner": "who made and owns it",
    "model.type": "kind and signature as its source recorded them",
    "model.licence": "the licence that its card names",
}
"""Query of `carnet_store.domain.filling` -> what an answer by it rests on."""


def query_words(query: str) -> str:
    """Return what an answer by a query rests on; one that only a newer Carnet knows is named."""
    return SAID_BY.get(query) or clean(query)


def lines(facts: ItemFacts, cells: int, names: Names, glyphs: Glyphs) -> list[Line]:
    """Return the block RECORD SAYS of an item: a proposal to an open one, what is new since the answer was taken from the record."""
    says, one = facts.says, facts.status
    if says is None:
        return []
    if one.answers:
        return _since(facts, cells, names)
    if says.proposal is None:
        return []
    texts = [(clean(says.proposal.words), "bold"), *_value(one.item, says.proposal, cells, names)]
    if says.mine:
        enter = glyphs["enter"]
        texts.append((f"nobody's answer yet; a {enter} {enter} takes it as it stands", "dim"))
    else:
        texts.append(("nobody's answer yet", "dim"))
    return block("RECORD SAYS", texts, cells)


def taken_words(value: Mapping[str, Any], says: item_view.Says | None) -> str:
    """Return from where an answer was taken: the sentence of the record where it says the same now, else what the query rests on."""
    if says is not None and says.proposal is not None and same(value, says.proposal.value):
        return clean(says.proposal.words)
    return query_words(str(value.get("filled", "")))


def same(value: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two answers say the same, whoever spoke or typed them."""
    return bool(_plain(value) == _plain(other))


def _plain(raw: Any) -> Any:
    if isinstance(raw, Mapping):
        kept = {str(key): _plain(part) for key, part in raw.items() if key not in ("spoken_by", "typed_by", "note")}
        return {key: part for key, part in kept.items() if part != ""}
    return [_plain(part) for part in raw] if isinstance(raw, list | tuple) else raw


def _since(facts: ItemFacts, cells: int, names: Names) -> list[Line]:
    says, value = facts.says, facts.status.value or {}
    if says is None or not says.known:
        return []
    if says.proposal is None:
        return block("RECORD SAYS", [("the record does not answer this any more", "warn")], cells)
    if same(value, says.proposal.value):
        return []
    texts = [(f"the record says something else now: {clean(says.proposal.words)}", "warn")]
    return block("RECORD SAYS", [*texts, *_value(facts.status.item, says.proposal, cells, names)], cells)


def _value(item: Item, proposal: Proposal, cells: int, names: Names) -> list[tuple[str, str]]:
    """Return the value as it would stand, then the nodes that prove it."""
    texts = [(line, "") for line in _value_lines(item, proposal, cells - LABEL - 3, names)]
    proof = proof_words(item, proposal, names)
    return [*texts, *([(f"proof: {proof}", "dim")] if proof else [])]


def _value_lines(item: Item, proposal: Proposal, room: int, names: Names) -> list[str]:
    """Return what a proposal answers; what it links as evidence is its proof and stands apart."""
    own = {key: part for key, part in proposal.value.items() if key != "links" or item.type == "link"}
    return item_view.value_lines(item, own, names, room)


def proof_words(item: Item, proposal: Proposal, names: Names) -> str:
    """Return the nodes that prove a proposal, by name; empty where these are the answer itself."""
    links = proposal.value.get("links")
    if item.type == "link" and isinstance(links, list | tuple) and tuple(links) == proposal.proof:
        return ""
    more = len(proposal.proof) - PROOF_AT_MOST
    found = ", ".join(names.entity(one) for one in proposal.proof[:PROOF_AT_MOST])
    return f"{found} and {more} more" if more > 0 else found


def block(label: str, texts: Sequence[tuple[str, str]], cells: int) -> list[Line]:
    """Return labelled, wrapped lines with a blank line before them."""
    room = max(12, cells - LABEL - 3)
    out: list[Line] = [[]]
    for text, style in texts:
        # A line that was laid out in columns keeps its blanks; prose is wrapped.
        parts = [fit(text, room)] if "  " in text.strip() and width(text) <= room else wrap(text, room)
        for part in parts:
            out.append([(f" {pad(label, LABEL)} ", "dim"), (part, style)])
            label = ""
    return out


def take_row(count: int, glyphs: Glyphs) -> Row:
    """Return the row of a handoff's list that takes all that the record answers of mine."""
    sign, _, style = glyphs.state("proposed")
    return Row("record", TAKE, sign, style, "take what the record says", "", "", plural(count, "item"))


def head_words(proposed: int, items: int) -> str:
    """Return what a handoff's head says of proposals; empty where there are none."""
    return f"the record answers {proposed} of {items}" if proposed else ""


def taking(found: Sequence[tuple[Item | None, Proposal]], names: Names, me: str, left: Sequence[str]) -> Builder:
    """Return a builder of what is written where these proposals are taken: item, question, what it says, from where."""

    def build(cells: int) -> list[Line]:
        out: list[Line] = []
        room = max(12, cells - 4)
        for item, one in found:
            if item is None:
                continue
            out.append(
                [(f" {clean(item.id)}  ", "title"), (fit(clean(item.title), cells - width(clean(item.id)) - 4), "bold")]
            )
            value, proof = _value_lines(item, one, room, names), proof_words(item, one, names)
            out += [[("   ", ""), (fit(line, room), "")] for line in value[:VALUE_AT_MOST]]
            if len(value) > VALUE_AT_MOST:
                out.append([(f"   and {len(value) - VALUE_AT_MOST} more lines", "dim")])
            from_where = f"from {clean(one.words)}" + (f"; proof: {proof}" if proof else "")
            out += [[("   ", ""), (line, "dim")] for line in wrap(from_where, room)]
            out.append([])
        out += [[(" ", ""), (line, "")] for line in wrap(f"by {me}, each marked as recorded", room)]
        if left:
            out += [[(" ", ""), (line, "dim")] for line in wrap(f"not taken: {', '.join(left)}", room)]
        return out

    return build
