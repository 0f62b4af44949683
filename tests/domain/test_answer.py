"""Answers of all ten item types: the stored shape, whether it suffices, and the machine's verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet_store.domain.answer import Criterion, EntityView, Verdict, linked_entities, metric_references, shape_problem
from carnet_store.domain.answer_input import parse_answer, rows_from_csv
from carnet_store.domain.expression import parse, parse_reference
from carnet_store.domain.judging import is_placeholder, judge, problems
from carnet_store.domain.template import CheckSpec, Column, Item, Option, Threshold
from carnet_store.errors import Invalid

RUN, DATA, DECISION, DOC = (
    f"{kind}:{n * 32}" for kind, n in (("run", "1"), ("dataset", "2"), ("decision", "3"), ("document", "4"))
)
SHA = "a" * 64


@dataclass
class World:
    """Everything an answer may ask about, held in dicts."""

    criteria: dict[str, Criterion] = field(default_factory=dict)
    metrics: dict[tuple[str, str], str] = field(default_factory=lambda: {(RUN, "auc"): "0.8396", (RUN, "bad"): "NaN"})
    objects: set[str] = field(default_factory=lambda: {SHA})
    builtins: dict[str, Verdict] = field(default_factory=dict)
    entities: dict[str, EntityView] = field(
        default_factory=lambda: {
            RUN: EntityView("run", "r-012", {}),
            DATA: EntityView("dataset", "telco", {"owner": "Farid", "labels": ""}),
            DECISION: EntityView("decision", "D-002", {"question": "q", "options": ["a", "b", "c"], "choice": "a"}),
            DOC: EntityView("document", "drill report", {}),
        }
    )

    def criterion(self, criterion_id: str) -> Criterion | None:
        return self.criteria.get(criterion_id)

    def metric(self, run: str, name: str) -> str | None:
        return self.metrics.get((run, name))

    def entity(self, entity_id: str) -> EntityView | None:
        return self.entities.get(entity_id)

    def set_late(self, criterion_id: str, run: str, name: str) -> str:
        return ""

    def has_object(self, sha256: str) -> bool:
        return sha256 in self.objects

    def builtin(self, name: str) -> Verdict | None:
        return self.builtins.get(name)

    def resolve(self, text: str) -> str | None:
        return {"r-012": RUN, "telco": DATA, "D-2": DECISION, "doc": DOC}.get(text)


def item(kind: str, **changes: Any) -> Item:
    made = Item(
        id="a.x", type=kind, title="T", pack="p", section="s", severity="blocker", answers="r", verifies="m", help="h",  # type: ignore[arg-type]
        why="w", source=("OWN",), req=(),
    )  # fmt: skip
    return replace(made, **changes)


COLUMNS = (
    Column("slice", "text", "Slice"),
    Column("count", "number", "Count"),
    Column("metric", "metric", "Metric"),
    Column("due", "date", "Due", required=False),
    Column("kind", "choice", "Kind", options=("input data", "technical"), required=False),
    Column("data", "link", "Data", kinds=("dataset",), required=False),
)
TABLE = item("table", columns=COLUMNS, min_rows=1)
ROW = {"slice": "senior", "count": "293", "metric": {"run": "r-012", "metric": "auc"}}


def codes(one: Item, value: Mapping[str, object], world: World | None = None) -> list[str]:
    return [problem.code for problem in problems(one, value, world or World())]


@pytest.mark.parametrize(
    ("one", "raw", "stored"),
    [
        (item("confirm"), "Yes", {"state": "yes"}),
        (item("confirm"), False, {"state": "no"}),
        (item("confirm"), "unknown: asked Ines", {"state": "unknown", "note": "asked Ines"}),
        (item("confirm"), {"answer": "yes", "links": ["D-2"]}, {"state": "yes", "links": [DECISION]}),
        (item("text"), " a text ", {"state": "given", "text": "a text"}),
        (item("readback"), "mine", {"state": "given", "text": "mine"}),
        (item("text"), "n/a: no labels here", {"state": "na", "reason": "no labels here"}),
        (item("text"), {"na": "no labels"}, {"state": "na", "reason": "no labels"}),
        (item("choice", options=(Option("A"), Option("B"))), "b", {"state": "given", "choice": ["B"]}),
        (
            item("number"),
            "r-012 auc",
            {"state": "given", "metric": {"entity": RUN, "name": "auc", "value": "0.8396", "unit": ""}},
        ),
        (item("number", unit="minutes"), "6", {"state": "given", "literal": {"value": "6", "unit": "minutes"}}),
        (
            item("number"),
            {"value": Decimal("6.5"), "unit": "min", "links": ["doc"]},
            {"state": "given", "literal": {"value": "6.5", "unit": "min"}, "links": [DOC]},
        ),
        (item("link"), ["D-2", DATA, "D-2"], {"state": "given", "links": [DECISION, DATA]}),
        (item("link"), {"links": ["telco"], "note": "n"}, {"state": "given", "links": [DATA], "note": "n"}),
        (
            item("file"),
            [{"path": "a.txt", "sha256": SHA, "size": 3}],
            {"state": "given", "files": [{"path": "a.txt", "sha256": SHA, "size": 3}]},
        ),
        (
            item("command"),
            {"command": "make", "exit_code": "0", "output": {"sha256": SHA, "size": "9"}},
            {"state": "given", "result": {"command": "make", "exit_code": 0, "output": {"sha256": SHA, "size": 9}}},
        ),
        (
            TABLE,
            [{**ROW, "due": "2026-03-18", "kind": "Technical", "data": "telco"}],
            {
                "state": "given",
                "rows": [
                    {
                        "slice": "senior",
                        "count": "293",
                        "metric": {"entity": RUN, "name": "auc", "value": "0.8396", "unit": ""},
                        "due": "2026-03-18",
                        "kind": "technical",
                        "data": [DATA],
                    }
                ],
            },
        ),
        (item("signoff"), "f" * 64, {"state": "given", "signature": "f" * 64}),
    ],
)
def test_what_people_give_becomes_the_stored_shape(one: Item, raw: object, stored: dict[str, object]) -> None:
    """R013: every answer is canonical JSON without floats, and its own stored form reads back to itself."""
    value = parse_answer(one, raw, World())
    assert value == stored
    assert parse_answer(one, json.loads(json.dumps(value)), World()) == value


@pytest.mark.parametrize(
    ("one", "raw", "words"),
    [
        (item("confirm"), "maybe", "neither yes nor no"),
        (item("number"), "0,83", "point"),
        (item("number"), "r-012 f1", "no metric 'f1'"),
        (item("number"), "r-099 auc", "names no single entity"),
        (item("link"), "Q-9", "names no single entity"),
        (item("file"), "a.txt", "not stored yet"),
        (item("command"), "make", "captured result"),
        (item("command"), {"command": "make", "exit_code": 0}, "has command, exit_code and output"),
        (TABLE, "x", "list of rows"),
        (TABLE, [{"slice": "a", "cuont": 1}], "no column 'cuont'"),
        (TABLE, [{"slice": "a"}, {"count": "many"}], "row 2, count: 'many' is no number"),
        (TABLE, [{"due": "18.3.2026"}], "year-month-day"),
        (TABLE, [{"due": "2026-02-30"}], "is no date"),
        (item("text"), None, "nothing was given"),
        (item("text"), ["a"], "not a list"),
        (item("text"), {"state": "given", "text": "x", "evil": 1}, "does not belong"),
    ],
)
def test_what_cannot_be_read_says_what_the_item_takes(one: Item, raw: object, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_answer(one, raw, World())
    assert words in str(caught.value)
    assert caught.value.hint


KEYS = (
    "state", "text", "choice", "metric", "literal", "links", "files", "result", "rows", "signature", "reason", "note",
    "slice", "value",
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet="ab \x1b\ud800é:", max_size=5)
    | st.sampled_from(["given", "yes", "na", RUN, SHA, "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
KINDS = ("confirm", "text", "choice", "number", "link", "file", "command", "table", "readback", "signoff")


@given(kind=st.sampled_from(KINDS), value=JSON)
def test_any_foreign_value_is_judged_without_a_crash(kind: str, value: Any) -> None:
    """A value from another ledger may hold anything: it is malformed, or it can be judged (C174)."""
    one = item(
        kind, columns=COLUMNS if kind == "table" else (), check=CheckSpec("command") if kind == "command" else None
    )
    trouble = shape_problem(one, value)
    if trouble is None:
        problems(one, value, World())
        judge(one, value, World())
        linked_entities(value)
        metric_references(value)
    elif isinstance(value, dict):
        assert codes(one, value) == ["malformed"]


@given(raw=JSON, kind=st.sampled_from(KINDS))
def test_any_input_becomes_a_sound_value_or_our_error(raw: Any, kind: str) -> None:
    one = item(kind, columns=COLUMNS if kind == "table" else ())
    try:
        value = parse_answer(one, raw, World())
    except Invalid:
        return
    assert shape_problem(one, value) is None


@pytest.mark.parametrize(
    "text", ["tbd", "TODO", "ok", "n/a", "xxx", "-", "...", "ok.", "TBD, later", "aaaaaaaa", "?", ""]
)
def test_placeholder_words_are_refused(text: str) -> None:
    assert is_placeholder(text)
    assert codes(item("text", min_length=5), {"state": "given", "text": text}) == ["placeholder"]


def test_a_text_has_a_least_length_and_a_checklist_its_own_placeholders() -> None:
    one = item("text", min_length=20)
    assert codes(one, {"state": "given", "text": "Too short a text"}) == ["too_short"]
    full = {"state": "given", "text": "Retention calls whom we flag."}
    assert codes(one, full) == []
    said = problems(one, {"state": "given", "text": "See above"}, World(), frozenset({"see above"}))
    assert [problem.code for problem in said] == ["placeholder"]


def test_not_applicable_and_unknown() -> None:
    never, reason = item("text", na="never"), item("text", na="reason")
    assert codes(never, {"state": "na", "reason": "there are no labels at all"}) == ["na_refused"]
    assert codes(reason, {"state": "na", "reason": "there are no labels at all"}) == []
    assert codes(reason, {"state": "na", "reason": "n/a"}) == ["reason_missing"]
    assert codes(reason, {"state": "unknown"}) == ["unknown"]


def test_a_blocking_yes_needs_evidence_and_an_address_is_none() -> None:
    """An address alone never satisfies a blocker: it may be gone tomorrow."""
    one = item("confirm", evidence=("document", "url"))
    assert codes(one, {"state": "yes"}) == ["evidence_missing"]
    alone = problems(one, {"state": "yes", "urls": ["https://x"]}, World())
    assert [problem.code for problem in alone] == ["evidence_missing"]
    assert "gone tomorrow" in alone[0].text
    assert codes(one, {"state": "yes", "links": [DATA]}) == ["evidence_missing"]
    assert codes(one, {"state": "yes", "links": [DOC]}) == []
    assert codes(replace(one, severity="major"), {"state": "yes"}) == []
    link = item("link", evidence=("document", "url"))
    assert codes(link, {"state": "given", "links": [], "urls": ["https://x"]}) == ["link_missing"]
    assert codes(replace(link, severity="minor"), {"state": "given", "links": [], "urls": ["https://x"]}) == []


def test_links_must_be_of_an_asked_kind_and_exist() -> None:
    one = item("link", evidence=("decision",))
    assert codes(one, {"state": "given", "links": [DATA]}) == ["kind_wrong"]
    assert codes(one, {"state": "given", "links": ["decision:" + "9" * 32]}) == ["link_unknown"]
    assert codes(one, {"state": "given", "links": [DECISION]}) == []


def test_choices() -> None:
    one = item("choice", options=(Option("A"), Option("B")))
    assert codes(one, {"state": "given", "choice": ["C"]}) == ["not_offered"]
    assert codes(one, {"state": "given", "choice": ["A", "B"]}) == ["choose_one"]
    assert codes(replace(one, many=True), {"state": "given", "choice": ["A", "B"]}) == []
    ruled = replace(one, rule=parse("value != 'B'"))
    verdict = judge(ruled, {"state": "given", "choice": ["B"]}, World())
    assert verdict is not None
    assert verdict.state == "fails"


def test_missing_cells_are_named_by_row_and_column() -> None:
    value = parse_answer(TABLE, [ROW, {"slice": "tbd", "count": 3}], World())
    found = problems(TABLE, value, World())
    assert [(one.code, one.row, one.column) for one in found] == [
        ("placeholder", 2, "slice"),
        ("cell_missing", 2, "metric"),
    ]
    assert codes(replace(TABLE, min_rows=3), parse_answer(TABLE, [ROW], World())) == ["rows_missing"]
    wrong = {"state": "given", "rows": [{**value["rows"][0], "kind": "weather", "data": [RUN]}]}  # type: ignore[index]
    assert codes(TABLE, wrong) == ["not_offered", "kind_wrong"]


METRIC = {"state": "given", "metric": {"entity": RUN, "name": "auc", "value": "0.8396", "unit": ""}}


def with_criterion(op: str, value: str, name: str = "auc") -> World:
    return World(criteria={"primary": Criterion("primary", "AUC", name, op, Decimal(value))})


NUMBER = item("number", evidence=("run",), threshold=Threshold(parse_reference("${criteria.primary}")))


@pytest.mark.parametrize(
    ("op", "limit", "state"),
    [
        (">=", "0.83", "holds"),
        (">=", "0.8396", "holds"),
        (">", "0.8396", "fails"),
        ("<=", "0.83", "fails"),
        ("<", "0.84", "holds"),
    ],
)
def test_the_product_compares_a_metric_with_the_signed_criterion(op: str, limit: str, state: str) -> None:
    """R029, R040: numbers are compared as decimals against criteria set before, never typed."""
    verdict = judge(NUMBER, METRIC, with_criterion(op, limit))
    assert verdict is not None
    assert verdict.state == state
    assert limit in verdict.reasons[0]
    assert "0.8396" in verdict.reasons[0]


def test_a_missing_criterion_leaves_it_open_and_nan_always_fails() -> None:
    verdict = judge(NUMBER, METRIC, World())
    assert verdict is not None
    assert verdict.state == "unclear"
    assert "criteria.primary" in verdict.reasons[0]
    nan = {"state": "given", "metric": {"entity": RUN, "name": "bad", "value": "NaN", "unit": ""}}
    for op in (">=", "<=", "<", ">", "=="):
        judged = judge(NUMBER, nan, with_criterion(op, "0", "bad"))
        assert judged is not None
        assert judged.state == "fails"


def test_a_metric_must_be_the_one_asked_and_still_what_the_run_says() -> None:
    assert codes(NUMBER, METRIC, with_criterion(">=", "0.8", "f1")) == ["metric_wrong"]
    world = with_criterion(">=", "0.8")
    assert codes(NUMBER, METRIC, world) == []
    world.metrics[(RUN, "auc")] = "0.5"
    assert codes(NUMBER, METRIC, world) == ["metric_differs"]
    verdict = judge(NUMBER, METRIC, world)
    assert verdict is not None
    assert verdict.state == "fails"


def test_a_typed_number_is_taken_only_where_no_run_makes_it_and_with_evidence() -> None:
    typed = {"state": "given", "literal": {"value": "6", "unit": "minutes"}}
    assert codes(NUMBER, typed) == ["literal_refused", "evidence_missing"]
    drill = item("number", literal=True, evidence=("drill", "document"), threshold=Threshold(Decimal(10), "<="))
    assert codes(drill, typed) == ["evidence_missing"]
    assert codes(drill, {**typed, "links": [DOC]}) == []
    verdict = judge(drill, typed, World())
    assert verdict is not None
    assert verdict.state == "holds"
    assert judge(drill, {"state": "given", "literal": {"value": "14", "unit": ""}}, World()) == Verdict(
        "fails", ("T 14 is not <= 10",)
    )


def test_row_rules_judge_each_row_and_rules_the_whole_table() -> None:
    """R022, R106: per-row thresholds, and which kinds of signals must be there."""
    rows = [ROW, {**ROW, "slice": "few", "count": "40"}]
    one = replace(TABLE, row_rule=parse("metric >= 0.72 and count >= 100"))
    verdict = judge(one, parse_answer(one, rows, World()), World())
    assert verdict is not None
    assert verdict.state == "fails"
    assert verdict.reasons == ("row 2 (few) breaks metric >= 0.72 and count >= 100",)
    good = judge(one, parse_answer(one, rows[:1], World()), World())
    assert good is not None
    assert good.state == "holds"
    whole = replace(TABLE, rule=parse("'technical' in rows.kind and row_count >= 2"))
    mixed = judge(whole, parse_answer(whole, [{**ROW, "kind": "technical"}, ROW], World()), World())
    assert mixed is not None
    assert mixed.state == "holds"
    lacking = judge(whole, parse_answer(whole, [{**ROW, "kind": "input data"}] * 2, World()), World())
    assert lacking is not None
    assert lacking.state == "fails"


def test_linked_entities_must_be_complete() -> None:
    """R102: a decision with at least two options; R009: a data sheet with its fields."""
    decision = item("link", evidence=("decision",), required_fields=("question", "choice"), min_options=2)
    assert judge(decision, {"state": "given", "links": [DECISION]}, World()) == Verdict(
        "holds", ("everything linked is here and complete",)
    )
    four = judge(replace(decision, min_options=4), {"state": "given", "links": [DECISION]}, World())
    assert four == Verdict("fails", ("D-002 has 3 of at least 4 options",))
    sheet = judge(item("link", required_fields=("owner", "labels")), {"state": "given", "links": [DATA]}, World())
    assert sheet == Verdict("fails", ("telco says nothing about labels",))


def test_files_are_judged_by_what_is_held_here() -> None:
    one, files = item("file"), [{"path": "a", "sha256": SHA, "size": 1}]
    held = judge(one, {"state": "given", "files": files}, World())
    assert held is not None
    assert held.state == "holds"
    away = judge(one, {"state": "given", "files": files}, World(objects=set()))
    assert away is not None
    assert away.state == "unclear"
    assert codes(one, {"state": "given", "files": []}) == ["file_missing"]


def test_a_captured_command_is_recorded_and_never_a_verdict() -> None:
    one = item("command", check=CheckSpec("command"))
    value = {"state": "given", "result": {"command": "make", "exit_code": 0, "output": {"sha256": SHA, "size": 1}}}
    assert judge(one, value, World()) is None
    assert codes(one, value) == []
    failed = {**value, "result": {**value["result"], "exit_code": 2}}  # type: ignore[dict-item]
    assert codes(one, failed) == ["exit_code"]


def test_a_builtin_check_is_judged_without_an_answer() -> None:
    """R101: lineage is computed, not claimed."""
    said = Verdict("fails", ("telco has no owner",))
    one = item("command", verifies=None, check=CheckSpec("builtin", "lineage_complete"))
    assert one.machine
    assert judge(one, None, World(builtins={"lineage_complete": said})) == said
    later = replace(one, check=CheckSpec("builtin", "reproduce"))
    assert not later.machine
    assert judge(later, None, World(builtins={"reproduce": said})) is None


def test_what_an_answer_links_is_found_in_cells_too() -> None:
    value = parse_answer(TABLE, [{**ROW, "data": "telco"}], World())
    assert linked_entities({**value, "links": [DOC]}) == (DOC, DATA, RUN)
    assert metric_references(value) == ((RUN, "auc", "0.8396"),)


@pytest.mark.parametrize(
    "text",
    [
        "senior,293,r-012 auc\nyoung,500,r-012 auc\n",
        "Count;Slice;metric\n293;senior;r-012 auc\n\n500;young;r-012 auc",
        'slice\tcount\tmetric\n"senior"\t293\tr-012 auc\nyoung\t500\tr-012 auc\t',
    ],
)
def test_rows_can_be_pasted_as_csv(text: str) -> None:
    if text.endswith("\t"):
        with pytest.raises(Invalid, match="row 2 has 4 cells for 3 columns"):
            rows_from_csv(TABLE, text + "x")
    value = parse_answer(TABLE, rows_from_csv(TABLE, text), World())
    rows = value["rows"]
    assert isinstance(rows, list)
    assert [(row["slice"], row["count"], row["metric"]["value"]) for row in rows] == [
        ("senior", "293", "0.8396"),
        ("young", "500", "0.8396"),
    ]


@given(text=st.text(alphabet="ab,;\t\n\r\"' ", max_size=40))
def test_any_pasted_text_gives_rows_or_our_error(text: str) -> None:
    try:
        rows = rows_from_csv(TABLE, text)
    except Invalid:
        return
    assert all(set(row) <= {column.id for column in COLUMNS} for row in rows)
