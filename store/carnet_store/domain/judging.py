"""Whether an answer suffices (`problems`), and what the machine says of it (`judge`).

Both are pure functions of the item, the answer and what `Lookups` knows. A problem is about the answer's form and
evidence and names its row and column; a verdict is about what the answer says. Neither is a person's verification.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from carnet_store.domain.answer import (
    AnswerValue,
    Criterion,
    EntityView,
    Lookups,
    Verdict,
    metric_references,
    shape_problem,
    state_of,
)
from carnet_store.domain.expression import UNKNOWN, Expression, ExpressionError, Value, compare, number
from carnet_store.domain.template import Item, Threshold

# Words that fill a field and say nothing.
PLACEHOLDERS: Final = frozenset({
    "todo", "tbd", "tba", "fixme", "xxx", "xx", "x", "ok", "okay", "fine", "done", "yes", "no", "n/a", "na", "none",
    "nil", "null", "-", "--", "?", "??", "...", "…", ".", "unknown", "later", "see", "foo", "bar", "test", "asdf",
    "lorem", "placeholder",
})  # fmt: skip
_LATER: Final = frozenset({"todo", "tbd", "tba", "fixme", "xxx", "?", "??", "...", "…", "later"})
MIN_REASON: Final = 10

# Kinds of entities whose absence of bytes or digests makes them weak: an address alone proves nothing later.
_WEAK: Final = frozenset({"url"})
_NAMED_EVIDENCE_TYPES: Final = frozenset({"confirm", "choice", "text", "table", "command"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps an answer from being complete: a stable code, the sentence, and where in a table."""

    code: str
    text: str
    row: int | None = None  # counted from 1
    column: str = ""


def problems(
    item: Item, value: AnswerValue, lookups: Lookups, more_placeholders: frozenset[str] = frozenset()
) -> list[Problem]:
    """Return everything that keeps this answer from being complete; an empty list means it may be verified.

    `more_placeholders` are those of the checklist, beside the usual ones.
    """
    placeholders = PLACEHOLDERS | more_placeholders
    trouble = shape_problem(item, value)
    if trouble is not None:
        return [Problem("malformed", trouble)]
    state = state_of(value)
    if state == "unknown":
        return [Problem("unknown", "answered *unknown*: the item stays open until somebody knows")]
    if state == "na":
        return list(_not_applicable(item, str(value["reason"]), placeholders))
    found = list(_form(item, value, placeholders))
    found += _links(item, value, lookups)
    found += _metrics(item, value, lookups)
    return found


def _not_applicable(item: Item, reason: str, placeholders: frozenset[str]) -> Iterator[Problem]:
    if item.na == "never":
        yield Problem("na_refused", "this item always applies; answer it or say *unknown*")
    elif len(reason.strip()) < MIN_REASON or is_placeholder(reason, placeholders):
        yield Problem("reason_missing", "say in one sentence why it does not apply")


def is_placeholder(text: str, placeholders: frozenset[str] = PLACEHOLDERS) -> bool:
    """Tell whether a text says nothing: only placeholder words, or one character repeated."""
    lowered = text.strip().lower()
    if lowered.strip(".!?:;,") in placeholders or lowered in placeholders:
        return True
    words = [word.strip(".,;:!?()[]\"'") for word in lowered.split()]
    return all(not word or word in placeholders for word in words) or len(set(lowered.replace(" ", ""))) == 1


def _form(item: Item, value: AnswerValue, placeholders: frozenset[str]) -> Iterator[Problem]:
    if item.type in ("text", "readback"):
        text = str(value["text"])
        if is_placeholder(text, placeholders):
            yield Problem("placeholder", f"{text.strip()[:40]!a} is a placeholder; write what is the case")
        elif len(text.strip()) < item.min_length:
            yield Problem("too_short", f"{len(text.strip())} characters; at least {item.min_length} are asked")
    elif item.type == "choice":
        chosen, offered = _texts(value["choice"]), [option.id for option in item.options]
        for one in chosen:
            if one not in offered:
                yield Problem("not_offered", f"{one!a} is not offered; choose from {', '.join(offered)}")
        if not chosen or (len(chosen) > 1 and not item.many):
            yield Problem("choose_one", "choose at least one" if item.many else "choose exactly one")
    elif item.type == "number" and "literal" in value:
        if not item.literal:
            yield Problem("literal_refused", "name a run and its metric; a typed number is not taken here")
    elif item.type == "file" and not value["files"]:
        yield Problem("file_missing", "attach at least one file")
    elif item.type == "file":
        for file in _maps(value["files"]):
            if not file["size"]:
                yield Problem("file_empty", f"{str(file['path'])!a} is empty")
    elif item.type == "command":
        result = _map(value["result"])
        if item.check is not None and result["exit_code"] != item.check.exit_code:
            yield Problem("exit_code", f"the command ended with {result['exit_code']}, not {item.check.exit_code}")
    elif item.type == "table":
        yield from _rows(item, _maps(value["rows"]))


def _rows(item: Item, rows: Sequence[Mapping[str, object]]) -> Iterator[Problem]:
    if len(rows) < item.min_rows:
        yield Problem("rows_missing", f"{len(rows)} of at least {item.min_rows} rows")
    for at, row in enumerate(rows, 1):
        for column in item.columns:
            cell = row.get(column.id)
            empty = cell is None or cell in ("", [], ())
            if empty and column.required:
                yield Problem("cell_missing", f"row {at}: {column.title} is empty", at, column.id)
            elif column.type == "choice" and not empty and cell not in column.options:
                offered = ", ".join(column.options)
                yield Problem("not_offered", f"row {at}, {column.title}: choose from {offered}", at, column.id)
            elif column.type == "text" and column.required and _vague(str(cell)):
                yield Problem("placeholder", f"row {at}, {column.title}: {str(cell)!a} says nothing", at, column.id)


def _vague(cell: str) -> bool:
    # In a cell "none", "yes" or a single letter may be a full answer; only words that mean "later" are refused.
    return cell.strip().lower() in _LATER


def _links(item: Item, value: AnswerValue, lookups: Lookups) -> Iterator[Problem]:
    links, urls = _texts(value.get("links", ())), _texts(value.get("urls", ()))
    kinds = [link.split(":", 1)[0] for link in links]
    for link in links:
        if lookups.entity(link) is None:
            yield Problem("link_unknown", f"{link} is not in this ledger")
    wanted = [kind for kind in item.evidence if kind not in _WEAK]
    words = " or ".join(item.evidence)
    if item.type == "link":
        for link, kind in zip(links, kinds, strict=True):
            if item.evidence and kind not in item.evidence:
                yield Problem("kind_wrong", f"{_name(link, lookups)} is a {kind}; {words} is asked")
        if not links and not (urls and "url" in item.evidence and not item.blocks):
            yield Problem("link_missing", _missing(words, urls))
    elif wanted and item.blocks and _needs_evidence(item, value) and not any(kind in wanted for kind in kinds):
        yield Problem("evidence_missing", _missing(" or ".join(wanted), urls))
    for at, row in enumerate(_maps(value.get("rows", ())), 1):
        for column in item.columns:
            for link in _texts(row.get(column.id, ())) if column.type == "link" else ():
                kind = link.split(":", 1)[0]
                if lookups.entity(link) is None:
                    yield Problem("link_unknown", f"row {at}: {link} is not in this ledger", at, column.id)
                elif column.kinds and kind not in column.kinds:
                    text = f"row {at}, {column.title}: a {kind} is linked; {' or '.join(column.kinds)} is asked"
                    yield Problem("kind_wrong", text, at, column.id)


def _needs_evidence(item: Item, value: AnswerValue) -> bool:
    # A typed number stands for nothing by itself, so it needs what it was read from.
    return item.type in _NAMED_EVIDENCE_TYPES or (item.type == "number" and "literal" in value)


def _missing(words: str, urls: Sequence[str]) -> str:
    if urls:
        return f"an address may be gone tomorrow: link a {words} beside it"
    return f"link a {words} that shows it"


def _metrics(item: Item, value: AnswerValue, lookups: Lookups) -> Iterator[Problem]:
    if "metric" in value:
        part = _map(value["metric"])
        text = _metric_trouble(part, lookups)
        if text:
            yield Problem("metric_differs", text)
        wanted = _wanted_metric(item.threshold, lookups)
        if wanted and part["name"] != wanted:
            yield Problem("metric_wrong", f"the criterion asks for {wanted}, the answer gives {part['name']}")
    for at, row in enumerate(_maps(value.get("rows", ())), 1):
        for column in item.columns:
            if column.type == "metric" and column.id in row:
                text = _metric_trouble(_map(row[column.id]), lookups)
                if text:
                    yield Problem("metric_differs", f"row {at}, {column.title}: {text}", at, column.id)


def _metric_trouble(part: Mapping[str, object], lookups: Lookups) -> str:
    entity, name = str(part["entity"]), str(part["name"])
    recorded = lookups.metric(entity, name)
    if recorded is None:
        return f"{_name(entity, lookups)} has no metric {name}"
    if recorded != part["value"]:
        return f"{name} of {_name(entity, lookups)} is {recorded} now; the answer holds {part['value']}"
    return ""


def _name(entity_id: str, lookups: Lookups) -> str:
    entity = lookups.entity(entity_id)
    return entity.name if entity is not None and entity.name else entity_id


# --- the machine's verdict ------------------------------------------------------------------------------------------


def judge(item: Item, value: AnswerValue | None, lookups: Lookups) -> Verdict | None:
    """Return the machine's verdict on an answer, None where a machine has nothing to say of it.

    A builtin check is judged without an answer. A captured command is only recorded: its verdict is always None. That a criterion was set
    after the result that it judges changes no verdict; it is said as a flag.
    """
    found = _judged(item, value, lookups)
    flags = _set_late(item, value, lookups) if found is not None and value is not None else ()
    return replace(found, reasons=(*found.reasons, *flags), flags=flags) if found is not None and flags else found


def _set_late(item: Item, value: AnswerValue, lookups: Lookups) -> tuple[str, ...]:
    """Say which criteria of an item came after the results that the answer gives."""
    limit = item.threshold.value if item.threshold is not None else None
    rules = [rule for rule in (limit, item.rule, item.row_rule) if isinstance(rule, Expression)]
    named = sorted({name for rule in rules for name in rule.names() if name.startswith("criteria.")})
    found = []
    for run, metric, _ in metric_references(value) if named else ():
        for name in named:
            how = lookups.set_late(name.removeprefix("criteria."), run, metric)
            if how:
                clocks = ", by the clocks" if how == "clocks" else ""
                found.append(
                    f"the criterion {name.removeprefix('criteria.')} was set after the result was recorded{clocks}"
                )
    return tuple(dict.fromkeys(found))


def _judged(item: Item, value: AnswerValue | None, lookups: Lookups) -> Verdict | None:
    if item.machine and item.check is not None:
        return lookups.builtin(item.check.name)
    if value is None or state_of(value) != "given" or shape_problem(item, value) is not None:
        return None
    if item.type == "number":
        return _judge_number(item, value, lookups)
    if item.type == "table":
        return _judge_table(item, _maps(value["rows"]), lookups)
    if item.type == "link":
        return _judge_links(item, _texts(value["links"]), lookups)
    if item.type == "file":
        return _judge_files(_maps(value["files"]), lookups)
    if item.type == "choice" and item.rule is not None:
        chosen = _texts(value["choice"])
        names: dict[str, Value] = {"value": tuple(chosen) if item.many else (chosen[0] if chosen else UNKNOWN)}
        return _of(_hold(item.rule, names, lookups, "the choice"))
    return None


def _of(found: Sequence[tuple[bool | None, str]], good: str = "") -> Verdict | None:
    """Join single findings: one failure fails, else one open question leaves it unclear."""
    if not found:
        return None
    for outcome, state in ((False, "fails"), (None, "unclear")):
        reasons = tuple(reason for truth, reason in found if truth is outcome)
        if reasons:
            return Verdict(state, reasons)
    return Verdict("holds", (good,) if good else tuple(reason for _, reason in found if reason)[:1])


def _hold(rule: Expression, names: Mapping[str, Value], lookups: Lookups, what: str) -> list[tuple[bool | None, str]]:
    try:
        truth = rule.truth({**_criteria(rule, lookups), **names})
    except ExpressionError as error:
        return [(False, f"{what}: {error.message}")]
    words = {True: f"{what} keeps {rule.text}", False: f"{what} breaks {rule.text}"}
    return [
        (truth, words.get(bool(truth), "") if truth is not None else f"{what}: not enough is known for {rule.text}")
    ]


def _criteria(expression: Expression, lookups: Lookups) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name in expression.names():
        criterion = lookups.criterion(name.removeprefix("criteria.")) if name.startswith("criteria.") else None
        if criterion is not None:
            found[name] = criterion.value
    return found


def criterion_of(threshold: Threshold | None, lookups: Lookups) -> Criterion | None:
    """Return the criterion that a threshold names alone, as in `${criteria.primary}`."""
    if threshold is None or not isinstance(threshold.value, Expression):
        return None
    names = threshold.value.names()
    only = names[0] if len(names) == 1 else ""
    return lookups.criterion(only.removeprefix("criteria.")) if only.startswith("criteria.") else None


def _wanted_metric(threshold: Threshold | None, lookups: Lookups) -> str:
    if threshold is None:
        return ""
    criterion = criterion_of(threshold, lookups)
    return criterion.name if criterion is not None and criterion.name else threshold.metric


def limit_of(threshold: Threshold, lookups: Lookups) -> tuple[str, Decimal] | str:
    """Return operator and limit of a threshold, or in words why there is none yet."""
    criterion = criterion_of(threshold, lookups)
    operator = threshold.op or (criterion.op if criterion is not None else "")
    if isinstance(threshold.value, Decimal):
        return operator, threshold.value
    try:
        limit = threshold.value.evaluate(_criteria(threshold.value, lookups))
    except ExpressionError as error:
        return error.message
    if isinstance(limit, Decimal) and operator:
        return operator, limit
    missing = [name for name in threshold.value.names() if name not in _criteria(threshold.value, lookups)]
    return f"the criterion {', '.join(missing) or threshold.value.text} is not set for this model"


def _judge_number(item: Item, value: AnswerValue, lookups: Lookups) -> Verdict | None:
    part = _map(value["metric"] if "metric" in value else value["literal"])
    shown = number(str(part["value"]))
    if shown is None:
        return None
    found: list[tuple[bool | None, str]] = []
    if "metric" in value and (text := _metric_trouble(part, lookups)):
        found.append((False, text))
    if item.threshold is not None:
        label = str(part.get("name", item.title))
        limit = limit_of(item.threshold, lookups)
        if isinstance(limit, str):
            found.append((None, limit))
        else:
            good = compare(shown, *limit)
            sign, bound = limit
            found.append((good, f"{label} {part['value']} {sign if good else 'is not ' + sign} {bound}"))
    if item.rule is not None:
        found += _hold(item.rule, {"value": shown}, lookups, str(part["value"]))
    return _of(found)


def _cell(raw: object, kind: str) -> Value:
    if kind in ("number", "metric"):
        text = str(raw.get("value")) if isinstance(raw, Mapping) else str(raw)
        found = number(text)
        return UNKNOWN if raw is None or found is None else found
    if isinstance(raw, list | tuple):
        return tuple(str(one) for one in raw)
    return UNKNOWN if raw is None else str(raw)


def _judge_table(item: Item, rows: Sequence[Mapping[str, object]], lookups: Lookups) -> Verdict | None:
    cells = [{column.id: _cell(row.get(column.id), column.type) for column in item.columns} for row in rows]
    found: list[tuple[bool | None, str]] = []
    if item.row_rule is not None:
        for at, names in enumerate(cells, 1):
            label = str(next(iter(rows[at - 1].values()), "")) if rows[at - 1] else ""
            found += _hold(item.row_rule, names, lookups, f"row {at}" + (f" ({label[:30]})" if label else ""))
    if item.rule is not None:
        whole: dict[str, Value] = {"row_count": Decimal(len(rows))}
        for column in item.columns:
            whole[f"rows.{column.id}"] = tuple(row[column.id] for row in cells)
        found += _hold(item.rule, whole, lookups, "the table")
    if not found:
        return None
    return _of(found, f"all {len(rows)} rows keep the rule" if item.row_rule is not None else "")


def _judge_links(item: Item, links: Sequence[str], lookups: Lookups) -> Verdict | None:
    found: list[tuple[bool | None, str]] = []
    for link in links:
        entity = lookups.entity(link)
        if entity is None:
            found.append((False, f"{link} is not in this ledger"))
            continue
        found += _judge_entity(item, entity, lookups)
    return _of(found, "everything linked is here and complete")


def _judge_entity(item: Item, entity: EntityView, lookups: Lookups) -> list[tuple[bool | None, str]]:
    found: list[tuple[bool | None, str]] = [(True, "")]
    if entity.kind == "criteria" and entity.attrs.get("rows") == []:
        found.append(
            (False, f"no criterion is set; carnet add criteria {shlex.quote(entity.name)} --row 'ID: METRIC OP VALUE'")
        )
    empty = [field for field in item.required_fields if entity.attrs.get(field) in (None, "", [], {}, ())]
    if empty:
        found.append((False, f"{entity.name} says nothing about {', '.join(empty)}"))
    options = entity.attrs.get("options")
    count = len(options) if isinstance(options, list | tuple) else 0
    if count < item.min_options:
        found.append((False, f"{entity.name} has {count} of at least {item.min_options} options"))
    if item.rule is not None:
        names = {key: _attribute(part) for key, part in entity.attrs.items()}
        found += _hold(item.rule, names, lookups, entity.name)
    return found


def _attribute(raw: object) -> Value:
    if isinstance(raw, list | tuple):
        return tuple(_attribute(one) for one in raw)
    if isinstance(raw, bool | str):
        return raw
    return Decimal(raw) if isinstance(raw, int) else UNKNOWN


def _judge_files(files: Sequence[Mapping[str, object]], lookups: Lookups) -> Verdict | None:
    found: list[tuple[bool | None, str]] = [
        (True, "")
        if lookups.has_object(str(one["sha256"]))
        else (None, f"the bytes of {one['path']} are not held here")
        for one in files
    ]
    found += [(False, f"{one['path']} is empty") for one in files if not one["size"]]
    return _of(found, "every file is held here and its digest matches")


def _texts(raw: object) -> list[str]:
    return [one for one in raw if isinstance(one, str)] if isinstance(raw, list | tuple) else []


def _map(raw: object) -> Mapping[str, object]:
    return raw if isinstance(raw, Mapping) else {}


def _maps(raw: object) -> list[Mapping[str, object]]:
    return [one for one in raw if isinstance(one, Mapping)] if isinstance(raw, list | tuple) else []
