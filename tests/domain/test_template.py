"""The checklist that packs, tier and facts make: severities, `when`, includes, covers, pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from carnet_store.domain.expression import UNKNOWN, parse
from carnet_store.domain.template import (
    CheckSpec,
    FactSpec,
    Include,
    Item,
    LiveReview,
    Pack,
    Section,
    SignoffRow,
    checklist,
    fact_value,
    facts_of,
    parse_fact,
)
from carnet_store.errors import Invalid


def item(item_id: str, pack: str = "gate", section: str = "one", **changes: object) -> Item:
    made = Item(
        id=item_id, type="text", title=item_id, pack=pack, section=section, severity="blocker", answers="researcher",
        verifies="ml_engineer", help="h", why="w", source=("OWN",), req=("R001",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


PERSONAL = FactSpec("data.personal", "bool", "Personal data?")
KIND = FactSpec("model.kind", "choice", "Which kind?", ("tabular", "llm"))


def gate(*items: Item, **changes: object) -> Pack:
    made = Pack(
        id="gate", version="0.1.0", kind="gate", title="Gate", summary="", roles=("researcher", "ml_engineer"),
        sections=(Section("one", "One", items),), from_stage="a", to_stage="b", facts=(PERSONAL, KIND),
        signoffs=(SignoffRow("researcher", "authorship"),),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def rubric(*items: Item, pack_id: str = "extra") -> Pack:
    return Pack(
        id=pack_id, version="0.1.0", kind="rubric", title="Extra", summary="", roles=("researcher",),
        sections=(Section("more", "More", tuple(replace(one, pack=pack_id, section="more") for one in items)),),
    )  # fmt: skip


def test_the_tier_decides_severity_and_drops_what_it_skips() -> None:
    """R125, R127: the risk tier scales a gate."""
    pack = gate(item("a.x", tiers={"C": "minor"}), item("a.y", tiers={"C": "skip"}))
    assert [(one.id, one.severity) for one in checklist([pack], "B", {}).items] == [
        ("a.x", "blocker"),
        ("a.y", "blocker"),
    ]
    assert [(one.id, one.severity) for one in checklist([pack], "C", {}).items] == [("a.x", "minor")]


@pytest.mark.parametrize(
    ("stored", "shown", "unclear"), [(True, True, ()), (False, False, ()), (None, True, ("data.personal",))]
)
def test_an_unknown_fact_shows_the_item_and_marks_it(
    stored: bool | None, shown: bool, unclear: tuple[str, ...]
) -> None:
    """R128: personal data activates its items; not knowing never hides them."""
    pack = gate(item("a.x", when=parse("data.personal")))
    facts = {} if stored is None else {"data.personal": stored}
    made = checklist([pack], "B", facts)
    assert [one.id for one in made.items] == (["a.x"] if shown else [])
    assert made.unclear == unclear
    assert all(one.unclear == unclear for one in made.items)


def test_an_expression_that_cannot_be_computed_never_hides_its_item() -> None:
    made = checklist([gate(item("a.x", when=parse("data.personal > 3")))], "B", {"data.personal": True})
    assert [one.id for one in made.items] == ["a.x"]
    assert "a.x" in made.problems[0]


def test_an_included_rubric_blocks_or_only_scores_by_tier() -> None:
    pack = gate(item("a.x"), includes=(Include("extra", None, {"A": "block", "C": "score"}),))
    for tier, severity in (("A", "blocker"), ("B", "blocker"), ("C", "score")):
        made = checklist([rubric(item("r.x")), pack], tier, {})
        assert [(one.id, one.severity) for one in made.items] == [("a.x", "blocker"), ("r.x", severity)]
        assert [one.id for one in made.packs] == ["gate", "extra"]
    assert [one.id for one in checklist([rubric(item("r.x")), pack], "C", {}).blockers()] == ["a.x"]


def test_an_include_depends_on_facts_and_on_the_tier() -> None:
    pack = gate(item("a.x"), includes=(Include("extra", parse("model.kind == 'llm' or tier == 'A'"), {}),))
    packs = [pack, rubric(item("r.x"))]
    assert len(checklist(packs, "B", {"model.kind": "llm"}).items) == 2
    assert len(checklist(packs, "B", {"model.kind": "tabular"}).items) == 1
    assert len(checklist(packs, "A", {"model.kind": "tabular"}).items) == 2
    unknown = checklist(packs, "B", {})
    assert unknown.item("r.x") is not None
    assert unknown.unclear == ("model.kind",)


def test_covers_resolve_to_items_in_order_and_default_to_all() -> None:
    two = Section("two", "Two", (item("b.x", section="two"), item("b.y", section="two")))
    one = Section("one", "One", (item("a.x"), item("a.y")))
    rows = (
        SignoffRow("researcher", "authorship"),
        SignoffRow("ml_engineer", "review", covers=("b.y", "one")),
        SignoffRow("ml_engineer", "critical", tiers=("A",)),
    )
    made = checklist([gate(sections=(one, two), signoffs=rows)], "B", {})
    assert [row.id for row in made.signoffs] == ["researcher:authorship", "ml_engineer:review"]
    assert made.signoffs[0].covers == ("a.x", "a.y", "b.x", "b.y")
    assert made.signoffs[1].covers == ("a.x", "a.y", "b.y")


def test_a_pair_is_kept_only_where_its_partner_is_asked() -> None:
    packs = [gate(item("a.x")), rubric(item("r.x", pairs_with="a.x"), item("r.y", pairs_with="z.z"))]
    packs[0] = replace(packs[0], includes=(Include("extra", None, {}),))
    made = checklist(packs, "B", {})
    assert [one.pairs_with for one in made.items] == ["", "a.x", ""]


def test_the_receiver_verifies_what_the_machine_cannot_judge_yet() -> None:
    rows = (SignoffRow("ml_engineer", "acceptance-of-responsibility"), SignoffRow("researcher", "authorship"))
    now = item("a.x", type="command", verifies=None, check=CheckSpec("builtin", "lineage_complete"))
    later = item("a.y", type="command", verifies=None, check=CheckSpec("builtin", "reproduce"))
    made = checklist([gate(now, later, signoffs=rows)], "B", {})
    assert [one.verifies for one in made.items] == [None, "ml_engineer"]


def test_what_is_read_aloud_is_limited_to_what_is_asked() -> None:
    made = checklist([gate(item("a.x"), live_review=LiveReview(45, ("a.x", "gone.x")))], "B", {})
    assert made.read_aloud == ("a.x",)


def test_packs_that_do_not_fit_are_refused() -> None:
    included = gate(item("a.x"), includes=(Include("extra", None, {}),))
    with pytest.raises(Invalid, match="which is not here"):
        checklist([included], "B", {})
    with pytest.raises(Invalid, match=r"a\.x stands in gate and in extra"):
        checklist([included, rubric(item("a.x"))], "B", {})
    with pytest.raises(Invalid, match="exactly one gate, not 2"):
        checklist([gate(), gate()], "B", {})
    with pytest.raises(Invalid, match="no tier"):
        checklist([gate()], "D", {})


def test_facts_are_stored_typed_and_read_back() -> None:
    assert parse_fact(PERSONAL, " Yes ") is True
    assert parse_fact(PERSONAL, "unknown") is None
    assert parse_fact(KIND, "llm") == "llm"
    assert fact_value(KIND, "llm") == "llm"
    assert fact_value(KIND, "other") is UNKNOWN
    assert fact_value(PERSONAL, "yes") is UNKNOWN
    with pytest.raises(Invalid, match="neither yes nor no"):
        parse_fact(PERSONAL, "maybe")
    with pytest.raises(Invalid) as caught:
        parse_fact(KIND, "lllm")
    assert "tabular, llm" in caught.value.hint


def test_one_fact_has_one_type_over_all_packs() -> None:
    other = replace(rubric(), facts=(FactSpec("data.personal", "text", "?"),))
    with pytest.raises(Invalid, match=r"data\.personal"):
        facts_of([gate(), other])
