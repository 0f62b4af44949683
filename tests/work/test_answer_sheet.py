"""All open items as one document to edit: what goes out comes back, problems stand at their line, nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carnet_store.domain.answer import Criterion, EntityView, Verdict
from carnet_store.domain.template import Checklist, checklist
from carnet_store.work.answer_sheet import answers_from_yaml, answers_to_yaml, mark_problems
from carnet_store.work.templates import packs_for

RUN = "run:" + "1" * 32
SHA = "a" * 64


class World:
    """One run with one metric."""

    def criterion(self, criterion_id: str) -> Criterion | None:
        return None

    def metric(self, run: str, name: str) -> str | None:
        return "0.8396" if (run, name) == (RUN, "auc") else None

    def entity(self, entity_id: str) -> EntityView | None:
        return None

    def set_late(self, criterion_id: str, run: str, name: str) -> str:
        return ""

    def has_object(self, sha256: str) -> bool:
        return False

    def builtin(self, name: str) -> Verdict | None:
        return None

    def resolve(self, text: str) -> str | None:
        return RUN if text == "r-012" else None


def gate(number: int) -> Checklist:
    names = ("starter-research-to-engineering", "starter-engineering-to-operations")
    return checklist([loaded.pack for loaded in packs_for(names[number])], "B", {})


FIRST: dict[str, Mapping[str, object]] = {
    "framing.problem": {"state": "given", "text": "Whom to call: # 400 a month\n\n- no more\n\tthan that: 'x'"},
    "framing.criteria": {"state": "given", "links": ["criteria:" + "2" * 32]},
    "approach.decision": {"state": "given", "links": ["decision:" + "3" * 32], "note": "two options"},
    "approach.evaluation": {"state": "given", "metric": {"entity": RUN, "name": "auc", "value": "0.8396", "unit": ""}},
    "rep.env.lock": {"state": "given", "files": [{"path": "no", "sha256": SHA, "size": 12}]},
    "rep.rnd.seeds": {"state": "given", "rows": [{"source": "python", "seed": "0017", "set_where": "on"}]},
    "rebuild.receiver_rerun": {
        "state": "given",
        "result": {"command": "python train.py", "exit_code": 0, "output": {"sha256": SHA, "size": 5}},
    },
    "prod.reliability": {"state": "unknown", "note": "Aiko asks: tomorrow"},
    "prod.migration": {"state": "na", "reason": "nothing is replaced: 1.0"},
    "people.readback": {"state": "given", "text": "n/a: this begins like a word", "spoken_by": "f" * 64},
}
SECOND: dict[str, Mapping[str, object]] = {
    "deploy.config": {"state": "yes", "links": ["document:" + "4" * 32], "urls": ["https://x"]},
    "rollback.drill": {
        "state": "given",
        "literal": {"value": "6", "unit": "minutes"},
        "links": ["document:" + "4" * 32],
    },
}


@pytest.mark.parametrize(("number", "answers"), [(0, FIRST), (1, SECOND)])
def test_every_answer_comes_back_as_it_was(number: int, answers: dict[str, Mapping[str, object]]) -> None:
    made = gate(number)
    text = answers_to_yaml(made, answers)
    found, problems = answers_from_yaml(text, made, World())
    assert problems == []
    assert dict(found) == answers
    assert answers_from_yaml(text, made, World(), current=answers) == ([], [])


def test_an_untouched_sheet_holds_all_open_items_with_their_help_and_answers_nothing() -> None:
    made = gate(0)
    text = answers_to_yaml(made, {})
    assert answers_from_yaml(text, made, World()) == ([], [])
    for item in made.items:
        assert (f"{item.id}:" in text) is not item.machine
        assert item.machine or item.title in text
    assert "framing.problem" not in answers_to_yaml(made, {}, only={"prod.migration"})


@example(text="0\x850")
@example(text="a\u2028b\nc")
@example(text="a\r\nb")
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_text_comes_back(text: str) -> None:
    made = gate(0)
    given_text = text.strip()
    if not given_text:
        return
    value = {"state": "given", "text": given_text}
    found, problems = answers_from_yaml(answers_to_yaml(made, {"framing.problem": value}), made)
    assert problems == []
    assert dict(found) == {"framing.problem": value}


def test_problems_stand_at_the_line_of_their_item_and_row_and_can_be_marked() -> None:
    made = gate(0)
    text = (
        "framing.problm: x\n"
        "approach.evaluation: r-012 f1\n"
        "rep.rnd.seeds:\n"
        "- {source: a, seed: 1, set_where: b}\n"
        "- {source: a, seed: 1, wher: b}\n"
        "- x\n"
        "framing.problem: Retention calls whom we flag.\n"
    )
    found, problems = answers_from_yaml(text, made, World())
    assert [one.line for one in problems] == [1, 2, 5, 6]
    assert "Did you mean framing.problem?" in str(problems[0])
    assert "the run has no metric 'f1'" in problems[1].text
    assert "row 2: there is no column 'wher'" in problems[2].text
    assert "row 3 is no set of cells" in problems[3].text
    assert found == [("framing.problem", {"state": "given", "text": "Retention calls whom we flag."})]
    marked = mark_problems(text, problems)
    assert [line for line in marked.split("\n") if not line.startswith("#! ")] == text.split("\n")
    lines = marked.split("\n")
    assert lines[0].startswith("#! there is no item 'framing.problm'")
    again_found, again = answers_from_yaml(marked, made, World())
    assert [one.text for one in again] == [one.text for one in problems]
    assert mark_problems(marked, again) == marked
    assert again_found == found


def test_a_broken_document_gives_its_line_and_keeps_the_text() -> None:
    text = "framing.problem: 'never closed\n"
    found, problems = answers_from_yaml(text, gate(0))
    assert found == []
    assert problems[0].line >= 1
    assert text.rstrip("\n") in mark_problems(text, problems)
    assert answers_from_yaml("- a\n", gate(0))[1][0].text == "no items"
    assert answers_from_yaml("", gate(0))[1]
