"""Packs read from YAML: every refusal with its line, and what the shipped packs promise."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carnet_store.domain.template import BUILTIN_CHECKS, COLUMN_TYPES, EVIDENCE_KINDS, ITEM_TYPES, Item, checklist
from carnet_store.errors import Invalid
from carnet_store.work import pack_reader
from carnet_store.work.templates import builtin_packs, lint, load_pack, new_pack, packs_for
from carnet_store.work.yaml_text import MAX_BYTES, read_yaml

GOOD = new_pack("my-gate")
GATES = (
    "starter-research-to-engineering",
    "starter-engineering-to-operations",
    "research-to-engineering",
    "engineering-to-operations",
)
STARTERS = GATES[:2]


def asked(gate_id: str, tier: str, facts: dict[str, object]) -> tuple[Item, ...]:
    return checklist([loaded.pack for loaded in packs_for(gate_id)], tier, facts).items


def test_the_skeleton_of_a_new_pack_is_good_and_has_its_own_id() -> None:
    assert lint(GOOD.encode(), "my-gate.yaml") == []
    assert load_pack(GOOD.encode(), "my-gate.yaml").id == "my-gate"
    for bad in ("My Gate", "", "a" * 65, "research-to-engineering", "../x"):
        with pytest.raises(Invalid):
            new_pack(bad)


@pytest.mark.parametrize(
    ("old", "new", "line_of", "words"),
    [
        # what YAML would swallow in silence
        ("kind: gate", "kind: gate\nkind: rubric", "kind: rubric", "the key 'kind' stands twice"),
        ("evidence: [document, decision]", "evidence: [no]", "evidence: [no]", 'Write "no"'),
        ("version: 0.1.0", "version: 1.0", "version: 1.0", "should be text, not a number"),
        ('meaning: "Small audience, reversible, no personal data"', "meaning: Small, big", "C: {title", "has no value"),
        ("title: Framing", "title: &a Framing", "title: &a", "anchors"),
        ("title: Framing", "title: *a", "title: *a", "aliases"),
        ("title: Framing", "title: !!str Framing", "!!str", "tag"),
        ("title: Framing", "title: {x: 1}", "x: 1", "should be text, not a set of keys"),
        ("title: Framing", "title: true", "title: true", "Put it in quotes"),
        ("title: Framing", "title: a: b", "title: a: b", "not allowed"),
        # what is not known
        ("carnet: template/v1", "carnet: template/v9", "carnet:", "not a template this Carnet reads"),
        ("    why: A model", "    wy: A model", "wy:", "Did you mean `why`?"),
        ("    type: confirm", "    type: confrim", "confrim", "Did you mean `confirm`?"),
        ("severity: blocker\n    na", "severity: blocking\n    na", "blocking", "Did you mean `blocker`?"),
        ("policy: {sealed_package: true", "policy: {sealed_package: required", "policy:", "true or false"),
        ("na: never", "na: sometimes", "na: sometimes", "never, reason, waiver"),
        ("evidence: [document, decision]", "evidence: [documnet]", "documnet", "Did you mean `document`?"),
        ("override_days: 7", "override_days: -1", "override_days", "from 0 to 90"),
        ("version: 0.1.0", "version: v1", "version: v1", "0.1.0"),
        ("id: own.my_gate.problem", "id: Problem", "id: Problem", "framing.problem"),
        # what leads nowhere
        ("answers: researcher, verifies", "answers: reseacher, verifies", "defaults", "Did you mean `researcher`?"),
        ("{role: ml_engineer,", "{role: operator,", "{role: operator", "cannot be 'operator'"),
        ("distinct_from: [researcher]", "distinct_from: [nobody]", "distinct_from", "does not exist"),
        ("meaning: authorship}", "meaning: authorship, covers: [framing, gone]}", "covers", "names 'gone'"),
        ("when: data.personal", "when: data.persnal", "when:", "no fact of this pack"),
        ("when: data.personal", "when: data.personal = 1", "when:", "Compare with `==`"),
        ("when: data.personal", "pairs_with: gone.item", "pairs_with", "there is no other item 'gone.item'"),
        (
            "policy:",
            "live_review: {timebox_minutes: 30, read_aloud: [gone.x]}\npolicy:",
            "read_aloud",
            "names 'gone.x'",
        ),
        ("policy:", "includes: [{pack: gone}]\npolicy:", "includes", "there is no pack 'gone'"),
        ("policy:", "includes: [{pack: research-to-engineering}]\npolicy:", "includes", "is a gate"),
        ("policy: {", "policy: {requires_gate: [gone], ", "policy:", "there is no gate 'gone'"),
        ("id: own.my_gate.personal", "id: own.my_gate.problem", "", "stands twice"),
        # keys without effect, and what is missing
        ("    type: confirm", "    type: confirm\n    min_rows: 2", "min_rows", "no effect on a confirm"),
        ("    type: confirm", "    type: table", "- id: own.my_gate.personal", "has no columns"),
        ("    type: confirm", "    type: command", "- id: own.my_gate.personal", "what is checked"),
        ("    type: confirm", "    type: choice", "- id: own.my_gate.personal", "fewer than two options"),
        ("    type: confirm", "    type: confirm\n    verifies: none", "- id: own.my_gate.personal", "nobody verifies"),
        ("    type: confirm", "    type: confirm\n    na: waiver", "- id: own.my_gate.personal", "nobody may grant"),
        ("    help: Link the document that says so.\n", "", "- id: own.my_gate.personal", "has no `help`"),
        (", source: [OWN]}", "}", "- id: own.my_gate.problem", "has no `source`"),
        ("tiers:\n  A:", "tiers:\n  D:", "  D:", "unknown key 'D'"),
        (
            "    type: confirm",
            "    type: number\n    threshold: {value: 3}",
            "threshold",
            "needs its operator",
        ),
        (
            "    type: confirm",
            '    type: number\n    threshold: {value: "${data.personal}"}',
            "threshold",
            "cannot use data.personal",
        ),
        (
            "    type: confirm",
            "    type: table\n    columns: [{id: a, type: text}, {id: a, type: text}]",
            "columns",
            "the column 'a' stands twice",
        ),
        (
            "    type: confirm",
            "    type: table\n    columns: [{id: a, type: text, kinds: [run]}]",
            "columns",
            "belongs to a link column",
        ),
        (
            "    type: confirm",
            "    type: table\n    columns: [{id: a, type: text}]\n    row_rule: b > 1",
            "row_rule",
            "names b",
        ),
        (
            "    type: confirm",
            "    type: command\n    check: {kind: builtin, name: magic}",
            "check",
            "cannot be 'magic'",
        ),
    ],
)
def test_each_refusal_names_its_line_and_its_mend(old: str, new: str, line_of: str, words: str) -> None:
    """R152: an invalid pack is refused with an error exact to the line."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    found = lint(text.encode(), "mine.yaml")
    lines = text.split("\n")
    assert found
    hits = [one for one in found if words in str(one) and line_of in lines[one.line - 1]]
    assert hits, [str(one) for one in found]
    assert all(one.file == "mine.yaml" and one.column >= 1 and one.mend for one in found)


def test_one_pass_tells_all_problems_and_loading_refuses_them() -> None:
    text = (
        GOOD.replace("kind: gate", "kind: gat")
        .replace("na: never", "na: nevr")
        .replace("when: data.personal", "when: (")
    )
    assert len(lint(text.encode(), "mine.yaml")) == 3
    with pytest.raises(Invalid) as caught:
        load_pack(text.encode(), "mine.yaml")
    assert caught.value.message == "mine.yaml has 3 problems"
    assert any(reason.startswith("mine.yaml:") for reason in caught.value.reasons)
    assert "carnet template lint" in caught.value.hint


def test_an_error_in_an_expression_stands_at_its_column() -> None:
    text = GOOD.replace("when: data.personal", 'when: "data.personal and ("')
    (found,) = lint(text.encode(), "mine.yaml")
    line = text.split("\n")[found.line - 1]
    assert found.column == line.index("(") + 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"- a\n- b\n", "should be a set of keys"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a: \x00", "does not allow"),
        (b"a: 1\n---\nb: 2\n", "second document"),
        (b"[" * 5000, "nested deeper"),
        (b"a: [1, 2", "while parsing"),
        (b"x" * (MAX_BYTES + 1), "larger than"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "anchors"),
        (b"{[1]: 2}", "where a key belongs"),
    ],
)
def test_hostile_and_broken_files_end_in_a_problem(data: bytes, words: str) -> None:
    found = lint(data, "f")
    assert found
    assert any(words in str(one) for one in found), [str(one) for one in found]


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200) | st.text(alphabet="a:-[]{}'\"#&*!|>? \n\t,1.é", max_size=200).map(str.encode))
def test_any_bytes_end_in_problems_and_never_in_an_exception(data: bytes) -> None:
    """C174: what others wrote may be anything."""
    lint(data, "f", {})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_good_pack_is_a_problem_or_a_pack(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    piece = data.draw(st.sampled_from(["", "\n", ": ", "- ", "{", "]", "'", "&x", "no", "  ", "~", "1.5"]))
    cut = data.draw(st.integers(0, 30))
    text = (GOOD[:at] + piece + GOOD[at + cut :]).encode()
    found = lint(text, "f")
    if not found:
        load_pack(text, "f")


def test_numbers_are_whole_or_decimal_and_never_float() -> None:
    root, problems = read_yaml(b"a: 1.50\nb: 1e-3\nc: 12\nd: 08\ne: 2026-03-18\nf: 1_000\n", "f")
    assert problems == []
    assert root is not None
    assert {key: str(value) for key, value in root.bare().items()} == {
        "a": "1.50", "b": "0.001", "c": "12", "d": "08", "e": "2026-03-18", "f": "1_000",
    }  # fmt: skip
    assert not any(isinstance(value, float) for value in root.bare().values())


# --- the shipped packs -------------------------------------------------------------------------------------------------


def test_every_shipped_pack_is_good_and_known_by_its_digest() -> None:
    shipped = builtin_packs()
    assert set(GATES) < set(shipped)
    for pack_id, (pack, raw, sha256) in shipped.items():
        assert lint(raw, f"{pack_id}.yaml") == []
        assert hashlib.sha256(raw).hexdigest() == sha256
        assert pack.id == pack_id


@pytest.mark.parametrize("gate_id", GATES)
@pytest.mark.parametrize("tier", ["A", "B", "C"])
def test_every_gate_resolves_at_every_tier(gate_id: str, tier: str) -> None:
    made = checklist([loaded.pack for loaded in packs_for(gate_id)], tier, {})
    assert made.problems == ()
    assert made.items
    assert all(row.covers for row in made.signoffs)
    assert len(made.read_aloud) <= 9


def test_starters_are_short_and_keep_the_ids_and_answers_of_the_full_gates() -> None:
    """R125, R161: a small default whose answers stay valid in the full gate."""
    for starter in STARTERS:
        full = {item.id: item for item in asked(starter.removeprefix("starter-"), "B", {})}
        items = asked(starter, "B", {})
        assert len(items) <= 12
        for item in items:
            other = full[item.id]
            assert (item.type, item.columns, item.options, item.evidence, item.rule, item.threshold) == (
                other.type, other.columns, other.options, other.evidence, other.rule, other.threshold,
            )  # fmt: skip


def test_the_first_starter_holds_what_the_mission_names() -> None:
    """R100-R103, R007, R045-R047, R145."""
    ids = {item.id for item in asked(STARTERS[0], "B", {}) if item.blocks}
    assert ids == {
        "framing.problem", "framing.criteria", "data.lineage", "approach.decision", "approach.evaluation", "rep.env.lock",
        "rep.rnd.seeds", "rebuild.receiver_rerun", "prod.reliability", "prod.migration", "people.responsibilities",
        "people.readback",
    }  # fmt: skip


def test_the_second_starter_holds_what_the_mission_names() -> None:
    """R104-R106, R069, R018."""
    ids = {item.id for item in asked(STARTERS[1], "B", {}) if item.blocks}
    wanted = {"deploy.scripts", "observe.plan", "rollback.criteria", "rollback.drill", "operate.oncall", "own.readback"}
    assert wanted < ids


@pytest.mark.parametrize("gate_id", GATES)
def test_at_least_three_roles_answer_in_every_gate(gate_id: str) -> None:
    """R142: experimentation is an ongoing partnership."""
    assert len({item.answers for item in asked(gate_id, "B", {})}) >= 3


def test_operators_are_heard_at_the_first_gate() -> None:
    """R145."""
    for gate_id in ("starter-research-to-engineering", "research-to-engineering"):
        assert any(item.answers == "operator" and item.blocks for item in asked(gate_id, "B", {}))


def test_a_signature_of_the_second_starter_can_go_stale_alone() -> None:
    rows = checklist([loaded.pack for loaded in packs_for(STARTERS[1])], "B", {}).signoffs
    covering = {row.role for row in rows if "features.contract" in row.covers}
    assert covering == {"ml_engineer", "researcher"}
    assert {row.role for row in rows} - covering == {"operator", "product_owner"}


def test_experiments_need_few_blockers() -> None:
    """R125: at tier C at most twelve items block, once the facts are known."""
    facts: dict[str, object] = {"model.kind": "tabular", "project.regulated": False}
    for gate_id in GATES:
        assert sum(item.blocks for item in asked(gate_id, "C", facts)) <= 12


def test_every_item_gives_its_reason_source_and_requirement() -> None:
    """R126: governance is principled."""
    for pack, _, _ in builtin_packs().values():
        for item in pack.items():
            assert item.why, item.id
            assert item.help, item.id
            assert item.source, item.id
            assert item.req, item.id


def test_an_id_that_stands_in_several_packs_is_one_question() -> None:
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for pack, _, _ in builtin_packs().values():
        for item in pack.items():
            found[item.id].add((item.type, item.title))
    assert [item_id for item_id, forms in found.items() if len(forms) > 1] == []
    assert {kind for forms in found.values() for kind, _ in forms} == set(ITEM_TYPES) - {"signoff"}


def test_every_builtin_check_is_used_and_the_machine_says_which_it_judges() -> None:
    used = {
        item.check.name for pack, _, _ in builtin_packs().values() for item in pack.items() if item.check is not None
    }
    assert set(BUILTIN_CHECKS) - {"notebook_order", "source_snapshot"} <= used  # these two are of earlier packs
    lineage = next(item for item in asked(STARTERS[0], "B", {}) if item.id == "data.lineage")
    assert lineage.machine


def test_a_gate_of_ones_own_stands_before_the_shipped_one() -> None:
    mine = GOOD.replace("id: my-gate", "id: research-to-engineering").encode()
    pack = load_pack(mine, "mine.yaml")
    shipped = builtin_packs()["research-to-engineering"]
    assert packs_for("research-to-engineering")[0] == shipped
    own = {"research-to-engineering": shipped._replace(pack=pack, raw=mine)}
    assert packs_for("research-to-engineering", own)[0].pack.title == "My gate"
    with pytest.raises(Invalid) as caught:
        packs_for("reproducibility")
    assert "starter-research-to-engineering" in caught.value.hint


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")
    words = (
        *pack_reader.PACK_KEYS,
        *pack_reader.ITEM_KEYS,
        *ITEM_TYPES,
        *COLUMN_TYPES,
        *EVIDENCE_KINDS,
        *BUILTIN_CHECKS,
    )
    assert [word for word in words if not re.search(rf"(?<![a-z_]){word}(?![a-z_])", page)] == []
